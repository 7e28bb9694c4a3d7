/* Grouped convolutions whose groups share vectors, against the evaluator: group sizes, strides, dilation,
 * widths that leave narrower tiles, blocks that are partly filled, epilogues. */
#include "harness.h"

#define TOLERANCE 2e-6

/* Of `per` channels a group, as many results, a 3x3 window and a border of 1. */
#define GROUPS(n, c, h, w, per) {n, c, h, w, c, 3, 3, (c) / (per), 1, 1, 1, 1, 1, 1, 1, 1}

static void check_cases(const ConvCase *k, size_t count) { check_convs(check_kernel, k, count, "output y\n", TOLERANCE); }

static void group_sizes(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    GROUPS(1, 32, 9, 10, 2), GROUPS(1, 32, 9, 10, 4),
    GROUPS(1, 32, 9, 10, 8), GROUPS(1, 32, 9, 10, 16),
    GROUPS(1, 48, 9, 10, 6),
  };
  check_cases(cases, COUNT(cases));
}

static void windows(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 32, 15, 15, 32, 3, 3, 8, 2, 2, 1, 1, 1, 1, 1, 1}, {1, 16, 14, 14, 16, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1},
    {2, 16, 12, 11, 16, 3, 3, 4, 1, 1, 2, 2, 2, 2, 2, 2}, {1, 16, 9, 9, 16, 3, 3, 2, 1, 2, 2, 3, 2, 3, 2, 3},
    {1, 16, 8, 9, 16, 1, 1, 4, 1, 1, 1, 1, 0, 0, 0, 0},   {1, 16, 8, 9, 16, 5, 2, 8, 1, 1, 1, 1, 0, 1, 3, 0},
    {1, 16, 3, 60, 16, 2, 20, 4, 1, 2, 1, 2, 0, 3, 1, 3},
    {1, 16, 7, 12, 16, 1, 7, 2, 1, 1, 1, 1, 0, 3, 0, 3},  {1, 16, 3, 2, 16, 3, 3, 4, 3, 2, 1, 1, 2, 1, 1, 2},
  };
  check_cases(cases, COUNT(cases));
}

static void widths(void **state) {
  (void)state;
  for (int w = 1; w <= 8; w++) {
    check_cases(&(ConvCase)GROUPS(1, 16, 2, w, 2), 1);
    check_cases(&(ConvCase)GROUPS(1, 16, 2, w, 4), 1);
    check_cases(&(ConvCase)GROUPS(1, 16, 2, w, 8), 1);
  }
  check_cases(&(ConvCase)GROUPS(1, 32, 3, 57, 4), 1);
}

/* The lanes past the last channel hold anything, and reach no other. */
static void partial_blocks(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    GROUPS(1, 4, 6, 7, 2),  GROUPS(1, 12, 6, 7, 4),
    {2, 20, 6, 7, 20, 3, 3, 5, 2, 2, 1, 1, 1, 1, 1, 1}, GROUPS(2, 24, 6, 7, 8),
    GROUPS(1, 22, 6, 7, 2),
  };
  check_cases(cases, COUNT(cases));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(group_sizes),
    cmocka_unit_test(windows),
    cmocka_unit_test(widths),
    cmocka_unit_test(partial_blocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
