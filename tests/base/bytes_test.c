/* bytes_test.c: runs of bytes, empty ones at NULL among them. The sanitizers fail these where memmove itself gets such a one. */
#include "fixture.h"

static void empty_runs_lie_nowhere(void **state) {
  (void)state;
  char a[] = "ab";
  move_bytes(NULL, NULL, 0);
  move_bytes(a, NULL, 0);
  assert_string_equal(a, "ab");
  assert_true(same_bytes(NULL, NULL, 0));
  assert_true(same_bytes(a, NULL, 0));
}

static void runs_may_overlap(void **state) {
  (void)state;
  char a[] = "abcdef";
  move_bytes(a + 1, a, 4);
  assert_string_equal(a, "aabcdf");
  assert_true(same_bytes(a, "aabxx", 3));
  assert_false(same_bytes(a, "aabxx", 4));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(empty_runs_lie_nowhere),
    cmocka_unit_test(runs_may_overlap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
