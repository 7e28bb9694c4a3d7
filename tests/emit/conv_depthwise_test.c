/* Depthwise convolutions against the evaluator: windows, strides, dilation, rows shorter and longer than a
 * tile, blocks that are partly filled, epilogues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "conv_cases.h"

#define TOLERANCE 2e-6

static void windows(void **state) {
  (void)state;
  static const Case cases[] = {
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
    check_conv(check_kernel, &(Case){1, 16, 3, width[i], 16, 3, 3, 16, 1, 1, 1, 1, 1, 1, 1, 1}, "output y\n",
               TOLERANCE);
  }
}

static void epilogues(void **state) {
  (void)state;
  static const Case k = {1, 20, 7, 9, 20, 3, 3, 20, 1, 1, 1, 1, 1, 1, 1, 1};
  static const char *const rests[] = {
    "z = Relu(y)\noutput z\n",
    "z = Add(y, x)\nr = Relu(z)\noutput r\n",
    "const lo f32 [] = splat 0\nconst hi f32 [] = splat 6\nz = Clip(y, lo, hi)\noutput z\n",
    "const s f32 [20,1,1] = random 5 0 1\nz = PRelu(y, s)\noutput z\n",
    "input gate f32 [1,20,1,1]\nz = Mul(y, gate)\noutput z\n",
  };
  for (size_t i = 0; i < COUNT(rests); i++) check_conv(check_kernel, &k, rests[i], 4e-6);
}

/* An inverted bottleneck: from blocks to blocks. */
static void between_others(void **state) {
  (void)state;
  check_kernel("graph inverted\ninput x f32 [1,16,9,9]\nconst a f32 [40,16,1,1] = random 1 -0.4 0.4\n"
               "const d f32 [40,1,3,3] = random 2 -0.4 0.4\nconst p f32 [16,40,1,1] = random 3 -0.4 0.4\n"
               "e = Conv(x, a)\nf = Relu(e)\ng = Conv(f, d) group=40 pads=[1,1,1,1]\nh = Relu(g)\n"
               "i = Conv(h, p)\ny = Add(i, x)\noutput y\n", 4e-6);
}

static void special_values(void **state) {
  (void)state;
  static const Case cases[] = {{1, 32, 14, 14, 32, 3, 3, 32, 1, 1, 1, 1, 1, 1, 1, 1},
                               {2, 19, 9, 40, 19, 3, 3, 19, 2, 2, 1, 1, 1, 1, 1, 1}};
  check_convs(check_strict, cases, COUNT(cases), "r = Relu(y)\noutput r\n", TOLERANCE);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(windows), cmocka_unit_test(widths),
                                     cmocka_unit_test(epilogues), cmocka_unit_test(between_others), cmocka_unit_test(special_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
