/* Groups that begin and end inside of blocks, of all numbers and widths, and results of few channels, against the evaluator. */
#include "harness.h"

#define TOLERANCE 2e-6
#define WINOGRAD_TOLERANCE 1e-5

enum { RANDOM_CASES = 25 };

/* A depthwise convolution with m results a channel. */
#define MULTIPLIER(channels, m) {1, channels, 7, 9, (channels) * (m), 3, 3, channels, 1, 1, 1, 1, 1, 1, 1, 1}
#define GROUPS(number, in, out) {2, (number) * (in), 6, 8, (number) * (out), 3, 3, number, 1, 1, 1, 1, 1, 1, 1, 1}

static void multipliers(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    MULTIPLIER(3, 1), MULTIPLIER(24, 1), MULTIPLIER(3, 2), MULTIPLIER(16, 2), MULTIPLIER(33, 2), MULTIPLIER(20, 3),
    MULTIPLIER(16, 4), MULTIPLIER(7, 5), MULTIPLIER(32, 8), MULTIPLIER(5, 17), MULTIPLIER(2, 40), MULTIPLIER(17, 16),
    {1, 12, 9, 40, 36, 5, 3, 12, 2, 2, 1, 2, 2, 1, 0, 2}, {3, 19, 1, 1, 38, 1, 1, 19, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 18, 1, 50, 36, 1, 9, 18, 1, 1, 1, 1, 0, 4, 0, 4},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
}

static void groups(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    GROUPS(3, 5, 7), GROUPS(2, 20, 20), GROUPS(32, 6, 6), GROUPS(5, 1, 3), GROUPS(4, 3, 1), GROUPS(9, 7, 5), GROUPS(2, 37, 3),
    GROUPS(3, 16, 5), GROUPS(3, 5, 16), GROUPS(2, 40, 33), GROUPS(2, 58, 58), GROUPS(17, 2, 3), GROUPS(6, 2, 2), GROUPS(3, 4, 4),
    GROUPS(40, 3, 3), GROUPS(33, 2, 4), GROUPS(16, 5, 2),
    {1, 24, 7, 7, 54, 1, 1, 3, 1, 1, 1, 1, 0, 0, 0, 0},   {1, 60, 9, 9, 60, 1, 1, 3, 2, 2, 1, 1, 0, 0, 0, 0},
    {1, 30, 9, 33, 42, 3, 2, 6, 2, 1, 1, 2, 1, 0, 1, 2},  {1, 30, 1, 1, 42, 1, 1, 6, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
}

static void few_results(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 64, 9, 11, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},  {1, 70, 8, 30, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {2, 33, 5, 6, 3, 1, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0},   {1, 100, 1, 1, 5, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 300, 1, 9, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},  {1, 3, 9, 9, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 1, 30, 31, 1, 5, 5, 1, 1, 1, 1, 1, 2, 2, 2, 2},  {1, 5, 7, 7, 3, 3, 3, 1, 2, 1, 1, 2, 1, 1, 1, 1},
    {1, 40, 6, 7, 19, 1, 3, 1, 1, 1, 1, 1, 0, 1, 0, 1},  {1, 520, 7, 7, 6, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 130, 5, 5, 34, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 36, 12, 12, 7, 2, 2, 1, 2, 2, 1, 1, 0, 0, 0, 0},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
  static const ConvCase windows[] = {
    {1, 64, 14, 14, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 20, 9, 30, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 48, 8, 8, 17, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_kernel, windows, COUNT(windows), "output y\n", WINOGRAD_TOLERANCE);
}

/* The lanes of other groups in a residual, a gate and per-channel constants are not theirs; the result takes the residual's
 * place. */
static void epilogues(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    GROUPS(3, 7, 7), GROUPS(7, 3, 3), MULTIPLIER(21, 1), GROUPS(1, 21, 21),
    {1, 21, 7, 7, 21, 1, 1, 7, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    check_conv(check_kernel, &cases[i],
               "const k f32 [21,1,1] = random 8 -1 1\nr = Relu(x)\nm = Mul(y, k)\nz = Add(m, r)\no = Relu(z)\n"
               "g = GlobalAveragePool(o)\nt = Mul(o, g)\noutput t\n", WINOGRAD_TOLERANCE);
  }
  static const ConvCase chain = MULTIPLIER(11, 3);
  check_conv(check_kernel, &chain,
             "const v f32 [7,33,1,1] = random 5 -0.5 0.5\nconst u f32 [14,1,3,3] = random 6 -0.5 0.5\n"
             "a = Conv(y, v)\nd = Conv(a, u) group=7 pads=[1,1,1,1]\nc = Relu(d)\noutput c\n", TOLERANCE);
}

/* One to four inputs, one to four outputs. */
static void few_of_both(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 3, 20, 37, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {2, 1, 9, 64, 1, 5, 5, 1, 1, 1, 1, 1, 2, 2, 2, 2},
    {1, 4, 12, 130, 4, 3, 3, 1, 2, 1, 1, 2, 1, 2, 1, 2}, {1, 3, 7, 16, 2, 3, 2, 1, 1, 1, 2, 1, 2, 0, 2, 1},
    {1, 2, 5, 5, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},    {3, 1, 1, 300, 3, 1, 9, 1, 1, 1, 1, 3, 0, 12, 0, 12},
    {1, 3, 9, 33, 3, 3, 3, 1, 1, 2, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
  static const ConvCase residual = {2, 3, 11, 41, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  check_conv(check_kernel, &residual, "r = Relu(x)\nz = Add(y, r)\no = Tanh(z)\noutput o\n", TOLERANCE);
}

static ConvCase random_case(uint64_t *r) {
  ConvCase k = {.n = pick(r, 1, 2), .group = pick(r, 0, 2) ? pick(r, 2, 40) : 1, .h = pick(r, 1, 12), .w = pick(r, 1, 34)};
  k.c = k.group * (pick(r, 0, 2) ? pick(r, 1, 9) : pick(r, 1, k.group > 1 ? 40 : 200));
  k.oc = k.group * (pick(r, 0, 2) ? pick(r, 1, 9) : pick(r, 1, 40));
  k.kh = pick(r, 1, 3);
  k.kw = pick(r, 1, 3);
  k.sh = pick(r, 1, 2);
  k.sw = pick(r, 1, 3);
  k.dh = pick(r, 1, 2);
  k.dw = pick(r, 1, 2);
  k.top = k.bottom = 2;
  k.left = pick(r, 0, 3);
  k.right = 4;
  return k;
}

static void random_groups(void **state) {
  (void)state;
  uint64_t r = 5;
  for (int i = 0; i < RANDOM_CASES; i++) {
    ConvCase k = random_case(&r);
    check_conv(check_kernel, &k, "s = Sigmoid(y)\noutput s\n", WINOGRAD_TOLERANCE);
  }
}

/* A NaN stays within its group and window, and lanes past the channels, which may hold one, count for nothing. */
static void special_values(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    MULTIPLIER(19, 2), MULTIPLIER(5, 17), GROUPS(3, 5, 7), GROUPS(20, 3, 2), {1, 70, 8, 30, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 40, 6, 7, 5, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 3, 9, 37, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 40, 6, 7, 19, 1, 3, 1, 1, 1, 1, 1, 0, 1, 0, 1},
  };
  check_convs(check_strict, cases, COUNT(cases), "r = Relu(y)\noutput y\noutput r\n", TOLERANCE);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(multipliers), cmocka_unit_test(groups), cmocka_unit_test(few_results),
                                     cmocka_unit_test(epilogues), cmocka_unit_test(few_of_both),
                                     cmocka_unit_test(random_groups), cmocka_unit_test(special_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
