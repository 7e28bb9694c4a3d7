/* compare_test.c: how far an output is from what it should be, in all the measures of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tools.h"
#include "fixture.h"

static Tensor row(const float *v, int64_t n) {
  return (Tensor){.name = "y", .type = T_F32, .shape = {.rank = 2, .d = {1, n}}, .data = v};
}

static ReportOutput compare(const float *got, const float *want, int64_t n) {
  Tensor a = row(got, n), b = row(want, n);
  return compare_output(&a, &b, 1e-5);
}

static void equal_outputs_agree(void **state) {
  (void)state;
  const float v[] = {1, NAN, INFINITY, -0.0f}, w[] = {1, NAN, INFINITY, 0.0f};
  ReportOutput o = compare(v, w, 4);
  assert_true(o.agrees && o.error == 0 && o.ulp == 0 && o.at == -1);
}

static void errors_are_of_the_largest_output(void **state) {
  (void)state;
  const float want[] = {0, -8, 4, 1}, got[] = {0, -8, 4, 1.5f};
  ReportOutput o = compare(got, want, 4);
  assert_false(o.agrees);
  assert_float_equal(o.error, 0.0625, 1e-12);
  assert_int_equal(o.at, 3);
  assert_float_equal(o.ulp, 4194304, 0); /* half of the numbers from 1 to 2 */
}

static void steps_go_through_zero(void **state) {
  (void)state;
  const float want[] = {1, -0x1p-149f}, got[] = {1, 0x1p-149f};
  assert_float_equal(compare(got, want, 2).ulp, 2, 0);
}

static void what_is_no_number_differs(void **state) {
  (void)state;
  const float want[] = {1, 2}, nan[] = {1, NAN}, infinite[] = {-INFINITY, 2};
  assert_false(compare(nan, want, 2).agrees);
  assert_false(compare(want, nan, 2).agrees);
  assert_true(isinf(compare(infinite, want, 2).error));
}

static void best_classes_are_compared(void **state) {
  (void)state;
  const float want[] = {1, 9, 8, 7, 6, 5, 0}, swapped[] = {1, 8, 9, 7, 6, 5, 0}, other[] = {6.5f, 9, 8, 7, 6, 5, 0};
  ReportOutput o = compare(swapped, want, 7);
  assert_true(o.rows == 1 && o.top1 == 0 && o.top5 == 1);
  o = compare(other, want, 7);
  assert_true(o.rows == 1 && o.top1 == 1 && o.top5 == 0);
  Tensor map = {.type = T_F32, .shape = {.rank = 4, .d = {1, 2, 2, 1}}, .data = want};
  assert_int_equal(compare_output(&map, &map, 1e-5).rows, 0);
}

static void short_floats_may_round(void **state) {
  (void)state;
  const uint16_t want[] = {0x3c00, 0x3c00}, got[] = {0x3c01, 0x3c00};
  Tensor a = {.type = T_F16, .shape = {.rank = 1, .d = {2}}, .data = got}, b = a;
  b.data = want;
  ReportOutput o = compare_output(&a, &b, 1e-5);
  assert_true(o.agrees && o.ulp == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(equal_outputs_agree), cmocka_unit_test(errors_are_of_the_largest_output),
    cmocka_unit_test(steps_go_through_zero), cmocka_unit_test(what_is_no_number_differs),
    cmocka_unit_test(best_classes_are_compared), cmocka_unit_test(short_floats_may_round),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
