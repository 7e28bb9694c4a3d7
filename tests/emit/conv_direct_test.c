/* Direct convolutions against the evaluator: by chunks, planar, grouped; odd channel counts and sizes;
 * epilogues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conv_cases.h"

#define TOLERANCE 2e-6
#define WINOGRAD_TOLERANCE 1e-5 /* where select may take it */

static void pointwise(void **state) {
  (void)state;
  static const Case cases[] = {
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
  static const Case cases[] = {
    {1, 16, 12, 13, 32, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 20, 15, 15, 24, 3, 3, 1, 1, 1, 2, 2, 2, 2, 2, 2},
    {2, 17, 9, 8, 19, 2, 3, 1, 1, 2, 1, 1, 0, 1, 1, 0},
    {1, 64, 7, 7, 64, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},   {1, 130, 8, 8, 40, 3, 3, 1, 2, 1, 1, 1, 1, 1, 1, 1},
    {1, 48, 6, 40, 16, 1, 7, 1, 1, 1, 1, 1, 0, 3, 0, 3},
    {1, 256, 10, 10, 128, 3, 3, 1, 2, 2, 1, 1, 0, 0, 1, 1},
    {1, 16, 3, 3, 16, 3, 3, 1, 1, 1, 1, 1, 2, 2, 2, 2},   {1, 512, 4, 4, 64, 2, 2, 1, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
  static const Case five = {1, 32, 14, 14, 48, 5, 5, 1, 1, 1, 1, 1, 2, 2, 2, 2};
  check_conv(check_kernel, &five, "output y\n", WINOGRAD_TOLERANCE);
}

static void few_channels(void **state) {
  (void)state;
  static const Case cases[] = {
    {1, 3, 33, 35, 64, 7, 7, 1, 2, 2, 1, 1, 3, 3, 3, 3}, {1, 1, 28, 28, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 3, 10, 10, 20, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 4, 7, 7, 9, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 2, 6, 6, 40, 3, 2, 1, 2, 1, 2, 1, 0, 1, 2, 0},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
}

static void groups(void **state) {
  (void)state;
  static const Case cases[] = {
    {1, 64, 9, 9, 64, 3, 3, 16, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 64, 9, 9, 64, 3, 3, 4, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 12, 8, 8, 18, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},  {1, 64, 7, 7, 128, 1, 1, 2, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 6, 8, 8, 12, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1, 1},   {2, 32, 6, 6, 32, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_kernel, cases, COUNT(cases), "output y\n", TOLERANCE);
}

static void residual_after(void **state) {
  (void)state;
  static const Case square[] = {{1, 32, 14, 14, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                                {1, 24, 7, 7, 24, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
                                {1, 16, 9, 9, 16, 5, 5, 1, 1, 1, 1, 1, 2, 2, 2, 2}};
  check_convs(check_kernel, square, COUNT(square), "s = Add(y, x)\nz = Relu(s)\noutput z\n",
              WINOGRAD_TOLERANCE);
  check_convs(check_kernel, square, COUNT(square), "r = Relu(y)\nz = Add(x, r)\noutput z\n",
              WINOGRAD_TOLERANCE);
}

static void chained_blocks(void **state) {
  (void)state;
  static const Case square[] = {{1, 16, 10, 10, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}};
  static const char *const rest =
    "r = Relu(y)\nconst v f32 [16,16,3,3] = random 8 -0.3 0.3\nd = Conv(r, v) pads=[1,1,1,1]\n"
    "s = Add(d, x)\nt = Relu(s)\nconst u f32 [40,16,1,1] = random 9 -0.5 0.5\ne = Conv(t, u) strides=[2,2]\n"
    "const q f32 [16,16,3,3] = random 10 -0.3 0.3\nf = Conv(t, q) pads=[1,1,1,1]\ng = Sigmoid(f)\n"
    "h = Mul(t, g)\n"
    "output e\noutput h\n";
  check_convs(check_kernel, square, 1, rest, WINOGRAD_TOLERANCE);
}

static void activations(void **state) {
  (void)state;
  static const Case k = {1, 20, 6, 9, 21, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
  static const char *const rests[] = {
    "z = LeakyRelu(y) alpha=0.2\noutput z\n",
    "const lo f32 [] = splat -0.5\nconst hi f32 [] = splat 0.75\nz = Clip(y, lo, hi)\noutput z\n",
    "z = Sigmoid(y)\noutput z\n",
    "z = HardSwish(y)\noutput z\n",
    "z = Tanh(y)\noutput z\n",
    "const s f32 [21,1,1] = random 5 0 1\nz = PRelu(y, s)\noutput z\n",
    "const s f32 [21,1,1] = random 5 0.5 1\nr = Relu(y)\nz = Mul(r, s)\noutput z\n",
    "input gate f32 [1,21,1,1]\nz = Mul(y, gate)\noutput z\n",
    "r = Relu(y)\nconst t f32 [1,21,6,9] = random 6 -1 1\nz = Add(r, t)\ns = Relu(z)\noutput s\n",
    "const t f32 [9] = random 6 -1 1\nz = Mul(t, y)\noutput z\n",
  };
  for (size_t i = 0; i < COUNT(rests); i++) check_conv(check_kernel, &k, rests[i], 4e-6);
}

static void one_dimension(void **state) {
  (void)state;
  check_kernel("graph line\ninput x f32 [2,8,21]\nconst w f32 [12,8,3] = random 1 -0.5 0.5\n"
               "y = Conv(x, w) pads=[1,1] strides=[2]\nr = Relu(y)\n"
               "const v f32 [12,12,1] = random 2 -0.5 0.5\n"
               "z = Conv(r, v)\ns = Add(z, r)\noutput s\n",
               TOLERANCE);
}

static void special_values(void **state) {
  (void)state;
  static const Case cases[] = {
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
    cmocka_unit_test(pointwise),      cmocka_unit_test(windows),        cmocka_unit_test(few_channels),
    cmocka_unit_test(groups),         cmocka_unit_test(residual_after), cmocka_unit_test(chained_blocks),
    cmocka_unit_test(activations),    cmocka_unit_test(one_dimension), cmocka_unit_test(special_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
