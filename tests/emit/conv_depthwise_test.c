/* Depthwise convolutions against the evaluator: windows, strides, dilation, rows shorter and longer than a
 * tile, blocks that are partly filled, epilogues. */
#include "harness.h"

#define TOLERANCE 2e-6

static void windows(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 32, 14, 14, 32, 3, 3, 32, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 19, 9, 40, 19, 3, 3, 19, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 8, 11, 11, 8, 5, 5, 8, 1, 1, 2, 2, 4, 4, 4, 4},    {1, 5, 6, 7, 5, 1, 3, 5, 1, 1, 1, 1, 0, 1, 0, 1},
    {1, 24, 10, 9, 24, 7, 7, 24, 1, 1, 1, 1, 3, 3, 3, 3},
    {1, 16, 9, 9, 16, 3, 3, 16, 3, 1, 1, 1, 0, 2, 1, 0},
    {1, 17, 8, 8, 17, 2, 2, 17, 2, 2, 1, 1, 0, 0, 0, 0},
    {3, 16, 1, 1, 16, 3, 3, 16, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 12, 5, 5, 12, 1, 1, 12, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 40, 7, 12, 40, 3, 3, 40, 1, 2, 2, 1, 2, 1, 2, 0},
    {1, 8, 3, 60, 8, 1, 40, 8, 1, 1, 1, 1, 0, 3, 0, 20},   {1, 8, 3, 60, 8, 2, 17, 8, 1, 2, 1, 2, 1, 3, 0, 4},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
}

static void widths(void **state) {
  (void)state;
  static const int width[] = {1, 2, 3, 5, 11, 12, 13, 27, 28, 29, 57};
  for (size_t i = 0; i < COUNT(width); i++) {
    check_conv(check_kernel, &(ConvCase){1, 16, 3, width[i], 16, 3, 3, 16, 1, 1, 1, 1, 1, 1, 1, 1}, "output y\n",
               TOLERANCE);
  }
}

static void special_values(void **state) {
  (void)state;
  static const ConvCase cases[] = {{1, 32, 14, 14, 32, 3, 3, 32, 1, 1, 1, 1, 1, 1, 1, 1},
                               {2, 19, 9, 40, 19, 3, 3, 19, 2, 2, 1, 1, 1, 1, 1, 1}};
  check_convs(check_strict, cases, COUNT(cases), "r = Relu(y)\noutput r\n", TOLERANCE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(windows),
    cmocka_unit_test(widths),
    cmocka_unit_test(special_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
