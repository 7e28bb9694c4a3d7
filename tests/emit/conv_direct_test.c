/* Direct convolutions against the evaluator: by chunks, planar, grouped; odd channel counts and sizes;
 * epilogues. */

#include "harness.h"

#define TOLERANCE 3e-6 /* sums of up to 2304 products */
#define WINOGRAD_TOLERANCE 1e-5 /* where select may take it, ... */
#define CHAIN_TOLERANCE 2e-5 /* ... with sums of 1024 products at a point, which are one chain */

static void pointwise(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 16, 9, 11, 16, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},  {1, 64, 7, 7, 72, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {2, 24, 5, 30, 40, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 33, 14, 14, 17, 1, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0},
    {1, 100, 1, 1, 300, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {3, 8, 1, 1, 20, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 64, 28, 28, 256, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 520, 7, 7, 24, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
}

static void windows(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 16, 12, 13, 32, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 20, 15, 15, 24, 3, 3, 1, 1, 1, 2, 2, 2, 2, 2, 2},
    {2, 17, 9, 8, 19, 2, 3, 1, 1, 2, 1, 1, 0, 1, 1, 0},
    {1, 64, 7, 7, 64, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},   {1, 130, 8, 8, 40, 3, 3, 1, 2, 1, 1, 1, 1, 1, 1, 1},
    {1, 48, 6, 40, 16, 1, 7, 1, 1, 1, 1, 1, 0, 3, 0, 3},
    {1, 16, 3, 3, 16, 3, 3, 1, 1, 1, 1, 1, 2, 2, 2, 2},   {1, 512, 4, 4, 64, 2, 2, 1, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
  static const ConvCase five = {1, 32, 14, 14, 48, 5, 5, 1, 1, 1, 1, 1, 2, 2, 2, 2};
  check_conv(check_kernel, &five, "output y\n", WINOGRAD_TOLERANCE);
  static const ConvCase halved = {1, 256, 10, 10, 128, 3, 3, 1, 2, 2, 1, 1, 0, 0, 1, 1};
  check_conv(check_kernel, &halved, "output y\n", CHAIN_TOLERANCE);
}

/* Windows of which rows, or columns beside a tile, lie in the padding alone. */
static void dilated(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 40, 28, 28, 48, 3, 3, 1, 1, 1, 12, 12, 12, 12, 12, 12}, {1, 16, 28, 28, 17, 3, 3, 1, 1, 1, 24, 24, 24, 24, 24, 24},
    {2, 33, 9, 40, 20, 3, 3, 1, 1, 1, 7, 15, 7, 15, 7, 15},     {1, 16, 30, 31, 16, 5, 3, 1, 2, 2, 6, 9, 12, 9, 12, 9},
    {1, 64, 20, 20, 64, 3, 3, 2, 1, 1, 8, 8, 8, 8, 8, 8},       {1, 16, 12, 30, 16, 2, 4, 1, 1, 1, 1, 10, 0, 20, 1, 10},
    {1, 16, 12, 30, 300, 1, 3, 1, 1, 3, 1, 14, 0, 14, 0, 14},
  };
  check_convs(check_kernel, cases, COUNT(cases), "r = Relu(y)\noutput y\noutput r\n", TOLERANCE);
}

static void few_channels(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 3, 33, 35, 64, 7, 7, 1, 2, 2, 1, 1, 3, 3, 3, 3}, {1, 1, 28, 28, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 3, 10, 10, 20, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 4, 7, 7, 9, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 2, 6, 6, 40, 3, 2, 1, 2, 1, 2, 1, 0, 1, 2, 0},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
}

/* Where they are read inside: edges at the left, at both sides, above, below, of rows without a tap; dilated; none. */
static void few_channels_inside(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 3, 12, 160, 32, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1}, {2, 3, 11, 500, 20, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 4, 5, 700, 8, 2, 3, 1, 1, 1, 1, 1, 0, 1, 1, 1},   {1, 3, 20, 600, 16, 3, 3, 1, 1, 1, 4, 1, 4, 0, 4, 0},
    {1, 3, 6, 40, 70, 3, 3, 1, 1, 1, 1, 1, 2, 0, 2, 0},   {1, 2, 4, 50, 16, 2, 2, 1, 1, 1, 1, 1, 3, 0, 0, 0},
    {3, 1, 9, 20, 16, 3, 3, 1, 1, 2, 1, 1, 0, 0, 0, 0},   {1, 3, 30, 30, 300, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 3, 9, 900, 24, 3, 3, 1, 1, 1, 1, 5, 1, 5, 1, 5},  {1, 3, 5, 40, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
  check_convs(check_strict, cases, COUNT(cases), "r = Relu(y)\noutput y\noutput r\n", TOLERANCE);
}

static void groups(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 64, 9, 9, 64, 3, 3, 16, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 64, 9, 9, 64, 3, 3, 4, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 12, 8, 8, 18, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},  {1, 64, 7, 7, 128, 1, 1, 2, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 6, 8, 8, 12, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1, 1},   {2, 32, 6, 6, 32, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
}

static void special_values(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 33, 14, 14, 17, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},   {1, 16, 12, 13, 32, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 20, 15, 15, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},   {1, 130, 8, 8, 40, 3, 3, 1, 2, 1, 1, 1, 1, 1, 1, 1},
    {1, 3, 33, 35, 64, 7, 7, 1, 2, 2, 1, 1, 3, 3, 3, 3},    {1, 64, 9, 9, 64, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 12, 8, 8, 18, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, /* groups of any width: a NaN stays within its own */
    {1, 6, 8, 8, 12, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1, 1},      {1, 40, 9, 9, 20, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_strict, cases, COUNT(cases), "r = Relu(y)\noutput y\noutput r\n", TOLERANCE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(pointwise),
    cmocka_unit_test(windows),
    cmocka_unit_test(dilated),
    cmocka_unit_test(few_channels),
    cmocka_unit_test(few_channels_inside),
    cmocka_unit_test(groups),
    cmocka_unit_test(special_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
