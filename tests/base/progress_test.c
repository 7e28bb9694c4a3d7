/* progress_test.c: a line on a terminal at once, elsewhere only after a while. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lower.h"
#include "fixture.h"

static void short_work_leaves_no_lines_in_a_log(void **state) {
  (void)state;
  FILE *f = tmpfile();
  assert_non_null(f);
  Progress p = progress_begin(f, "work: part");
  progress_show(&p, 1, 2);
  progress_end(&p);
  assert_int_equal(ftell(f), 0);
  fclose(f);
}

/* As if two seconds had passed. */
static void long_work_has_lines_there(void **state) {
  (void)state;
  FILE *f = tmpfile();
  assert_non_null(f);
  Progress p = progress_begin(f, "work: part");
  p.next = 0;
  progress_show(&p, 1, 3);
  progress_show(&p, 2, 3);
  p.next = 0;
  progress_show(&p, 3, 3);
  progress_end(&p);
  char text[100] = "";
  rewind(f);
  assert_int_equal(fread(text, 1, sizeof text - 1, f), strlen("work: part 1 of 3\nwork: part 3 of 3\n"));
  assert_string_equal(text, "work: part 1 of 3\nwork: part 3 of 3\n");
  fclose(f);
}

static void a_terminal_has_one_line_that_ends_empty(void **state) {
  (void)state;
  int outer = posix_openpt(O_RDWR | O_NOCTTY);
  if (outer < 0) skip();
  assert_int_equal(grantpt(outer), 0);
  assert_int_equal(unlockpt(outer), 0);
  int inner = open(ptsname(outer), O_RDWR | O_NOCTTY);
  assert_true(inner >= 0);
  FILE *f = fdopen(inner, "w");
  Progress p = progress_begin(f, "work: part");
  progress_show(&p, 1, 2);
  progress_show(&p, 2, 2);
  progress_end(&p);
  fflush(f);
  const char expected[] = "\rwork: part 1 of 2\033[K\rwork: part 2 of 2\033[K\r\033[K";
  char text[100] = "";
  size_t n = 0;
  for (ssize_t got = 1; got > 0 && n < sizeof expected - 1; n += (size_t)got) got = read(outer, text + n, sizeof text - n - 1);
  assert_string_equal(text, expected);
  fclose(f);
  close(outer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(short_work_leaves_no_lines_in_a_log),
    cmocka_unit_test(long_work_has_lines_there),
    cmocka_unit_test(a_terminal_has_one_line_that_ends_empty),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
