/* output_test.c: files appear under their names when all are whole, and never in part; on file systems that have files
 * without a name, and on others. */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char folder[64];
static Context *cx;
static bool no_unnamed; /* the file system has no files without a name */
static int taken;       /* times that a file appears while ours is made, just before it gets its name */

/* These take the place of the C library's. */
int open(const char *path, int flags, ...) {
  if (no_unnamed && (flags & O_TMPFILE) == O_TMPFILE) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0666);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  if (taken-- > 0) close(open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  return (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}

static int setup(void **state) {
  (void)state;
  strcpy(folder, "/tmp/output_test.XXXXXX");
  if (!mkdtemp(folder)) return -1;
  cx = context_new();
  no_unnamed = false;
  taken = 0;
  return chdir(folder);
}

static int setup_without(void **state) {
  int error = setup(state);
  no_unnamed = true;
  return error;
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

static int file_descriptors(void) {
  int n = 0;
  DIR *d = opendir("/proc/self/fd");
  assert_non_null(d);
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static void abandoned_ones_leave_nothing(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  int before = file_descriptors();
  Output *o = output_open(cx, "a");
  output_open(cx, "b");
  assert_int_equal(files_here(), no_unnamed ? 2 : 0);
  output_write(o, "first", 5);
  output_abandon();
  assert_int_equal(files_here(), 0);
  assert_int_equal(file_descriptors(), before);
}

static void write_old(const char *path) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs("old", f);
  fclose(f);
}

static void replace_old_ones(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  write_old("a");
  Output *o[] = {output_open(cx, "a"), output_open(cx, "b")};
  output_write(o[0], "first", 5);
  assert_content("a", "old");
  output_finish(cx, o, 2);
  assert_content("a", "first");
  assert_int_equal(files_here(), 2);
  unlink("a");
  unlink("b");
}

/* Another process makes the same file, and was a little faster. */
static void replace_those_of_a_race(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  taken = 1;
  Output *o = output_open(cx, "a");
  output_write(o, "first", 5);
  output_finish(cx, &o, 1);
  assert_content("a", "first");
  assert_int_equal(files_here(), 1);
  unlink("a");
}

static void go_where_links_lead(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  write_old("there");
  assert_int_equal(mkdir("sub", 0777) | symlink("there", "link") | symlink("../new", "sub/one") |
                     symlink("sub/one", "two"), 0);
  Output *o[] = {output_open(cx, "link"), output_open(cx, "two")};
  output_write(o[0], "first", 5);
  output_write(o[1], "second", 6);
  output_finish(cx, o, 2);
  assert_content("there", "first");
  assert_content("new", "second");
  assert_int_equal(files_here(), 5);
  unlink("there"), unlink("new"), unlink("link"), unlink("two"), unlink("sub/one"), rmdir("sub");
}

static void circles_of_links_are_refused(void **state) {
  (void)state;
  assert_int_equal(symlink("b", "a") | symlink("a", "b"), 0);
  EXPECT_FAIL(cx, output_open(cx, "a"), "a: cannot be written: Too many levels of symbolic links");
  unlink("a"), unlink("b");
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
  assert_string_equal(cx->error, "b: cannot be written: Is a directory");
  output_abandon();
  assert_int_equal(files_here(), 1);
  rmdir("b");
}

static void a_folder_that_went_away(void **state) {
  (void)state;
  mkdir("sub", 0777);
  if (setjmp(cx->unwind) == 0) {
    Output *o[] = {output_open(cx, "a"), output_open(cx, "sub/b")};
    if (no_unnamed) output_discard(); /* else the folder is not empty */
    assert_int_equal(rmdir("sub"), 0);
    output_finish(cx, o, 2);
    fail_msg("a file in no folder");
  }
  assert_non_null(strstr(cx->error, ": cannot be written: No such file or directory"));
  output_abandon();
  assert_int_equal(files_here(), 0);
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
  output_abandon();
  assert_string_equal(cx->error, "/dev/full: cannot be written: No space left on device");
}

#define BOTH(test) \
  cmocka_unit_test_setup_teardown(test, setup, teardown), cmocka_unit_test_setup_teardown(test, setup_without, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    BOTH(appear_together),
    BOTH(have_the_modes_of_new_files),
    BOTH(abandoned_ones_leave_nothing),
    BOTH(replace_old_ones),
    BOTH(replace_those_of_a_race),
    BOTH(go_where_links_lead),
    BOTH(circles_of_links_are_refused),
    BOTH(all_or_none),
    BOTH(a_folder_that_went_away),
    BOTH(devices_are_written_directly),
    BOTH(write_errors_are_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
