/* size_test.c: products and sums that do not fit are seen, whatever is added to them. */
#include "fixture.h"

static void what_does_not_fit_is_told(void **state) {
  (void)state;
  int64_t r = 0;
  assert_true(mul_size(INT64_MAX / 2, 2, &r));
  assert_true(r == INT64_MAX - 1);
  assert_false(mul_size(INT64_MAX / 2 + 1, 2, &r));
  assert_true(add_size(INT64_MAX - 1, 1, &r));
  assert_true(r == INT64_MAX);
  assert_false(add_size(INT64_MAX, 1, &r));
  assert_false(add_size(INT64_MIN, -1, &r));
}

static void what_does_not_fit_stays_so(void **state) {
  (void)state;
  assert_true(size_mul(3, 4) == 12 && size_add(3, 4) == 7);
  assert_true(size_mul(INT64_C(1) << 32, INT64_C(1) << 31) == SIZE_OVERFLOW);
  assert_true(size_add(SIZE_OVERFLOW, 1) == SIZE_OVERFLOW);
  assert_true(size_mul(SIZE_OVERFLOW, 2) == SIZE_OVERFLOW);
  assert_true(size_add(SIZE_OVERFLOW, 0) == SIZE_OVERFLOW);
}

static void rounding_does_not_overflow(void **state) {
  (void)state;
  assert_true(size_ceiling(0, 16) == 0 && size_ceiling(16, 16) == 1 && size_ceiling(17, 16) == 2);
  assert_true(size_ceiling(INT64_MAX, 2) == INT64_MAX / 2 + 1);
  assert_true(size_round_up(65, 64) == 128 && size_round_up(0, 64) == 0);
  assert_true(size_round_up(INT64_MAX - 1, 64) == SIZE_OVERFLOW);
  assert_true(size_round_up(SIZE_OVERFLOW, 4096) == SIZE_OVERFLOW);
}

static void extents_leave_out_what_is_empty(void **state) {
  (void)state;
  Shape s = shape_of(3, (int64_t)-2, (int64_t)0, (int64_t)5), huge = shape_of(3, (int64_t)0, INT64_MAX, INT64_MAX);
  Shape least = shape_of(1, INT64_MIN), none = shape_of(0);
  assert_true(shape_extent(&s) == 10);
  assert_true(shape_extent(&none) == 1);
  assert_true(shape_extent(&huge) == SIZE_OVERFLOW);
  assert_true(shape_extent(&least) == SIZE_OVERFLOW);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_does_not_fit_is_told),
    cmocka_unit_test(what_does_not_fit_stays_so),
    cmocka_unit_test(rounding_does_not_overflow),
    cmocka_unit_test(extents_leave_out_what_is_empty),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
