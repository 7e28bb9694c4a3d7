/* output_test.c: files appear under their names when all are whole, and never in part. */
#include "fixture.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static Context *cx;

static int setup(void **state) {
  (void)state;
  strcpy(folder, "/tmp/output_test.XXXXXX");
  if (!mkdtemp(folder)) return -1;
  cx = context_new();
  return chdir(folder);
}

/* Removes the folder, which must be empty by then. */
static int teardown(void **state) {
  (void)state;
  context_free(cx);
  return chdir("/") || rmdir(folder);
}

static int files_here(void) {
  int n = -2; /* . and .. */
  DIR *d = opendir(".");
  assert_non_null(d);
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static void assert_content(const char *path, const char *expected) {
  char text[64] = {0};
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  assert_int_equal(fread(text, 1, sizeof text - 1, f), strlen(expected));
  fclose(f);
  assert_string_equal(text, expected);
}

static void appear_together(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Output *o[] = {output_open(cx, "a"), output_open(cx, "b")};
  output_write(o[0], "first", 5);
  output_write(o[1], "second", 6);
  assert_int_not_equal(access("a", F_OK), 0);
  assert_int_not_equal(access("b", F_OK), 0);
  output_finish(cx, o, 2);
  assert_content("a", "first");
  assert_content("b", "second");
  assert_int_equal(files_here(), 2);
  unlink("a");
  unlink("b");
}

static void have_the_modes_of_new_files(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  mode_t mask = umask(027);
  Output *o = output_open(cx, "a");
  output_finish(cx, &o, 1);
  umask(mask);
  struct stat s;
  assert_int_equal(stat("a", &s), 0);
  assert_int_equal(s.st_mode & 0777, 0640);
  unlink("a");
}

static void discarded_ones_leave_nothing(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Output *o[] = {output_open(cx, "a"), output_open(cx, "b")};
  assert_int_equal(files_here(), 2);
  output_write(o[0], "first", 5);
  output_discard();
  assert_int_equal(files_here(), 0);
  /* What was discarded can't be finished; this closes the files. */
  if (setjmp(cx->unwind) == 0) {
    output_finish(cx, &o[0], 1);
    fail_msg("a discarded output was finished");
  }
  if (setjmp(cx->unwind) == 0) {
    output_finish(cx, &o[1], 1);
    fail_msg("a discarded output was finished");
  }
}

static void all_or_none(void **state) {
  (void)state;
  Output *o[2];
  if (setjmp(cx->unwind) == 0) {
    o[0] = output_open(cx, "a");
    o[1] = output_open(cx, "b");
    mkdir("b", 0777);
    output_finish(cx, o, 2);
    fail_msg("a directory was replaced");
  }
  assert_non_null(strstr(cx->error, "b: cannot be written: "));
  output_discard();
  assert_int_equal(files_here(), 1);
  rmdir("b");
}

static void devices_are_written_directly(void **state) {
  (void)state;
  assert_false(output_is_file("/dev/null"));
  assert_false(output_is_file("-"));
  assert_true(output_is_file("new"));
  EXPECT_NO_FAIL(cx);
  Output *o = output_open(cx, "/dev/null");
  output_write(o, "x", 1);
  output_finish(cx, &o, 1);
  assert_int_equal(files_here(), 0);
}

static void write_errors_are_reported(void **state) {
  (void)state;
  if (setjmp(cx->unwind) == 0) {
    Output *o = output_open(cx, "/dev/full");
    output_write(o, "x", 1);
    output_finish(cx, &o, 1);
    fail_msg("a full device took it");
  }
  assert_string_equal(cx->error, "/dev/full: cannot be written: No space left on device");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(appear_together, setup, teardown),
    cmocka_unit_test_setup_teardown(have_the_modes_of_new_files, setup, teardown),
    cmocka_unit_test_setup_teardown(discarded_ones_leave_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(all_or_none, setup, teardown),
    cmocka_unit_test_setup_teardown(devices_are_written_directly, setup, teardown),
    cmocka_unit_test_setup_teardown(write_errors_are_reported, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
