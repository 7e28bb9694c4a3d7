/* Reorders against the evaluator: what convolutions read and write, from and to the caller's tensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "harness.h"

#define TOLERANCE 2e-6

/* Dense to blocks, with a halo where the window has padding, and back: remainders of channels and of
 * pixels. */
static void channels_first(void **state) {
  (void)state;
  static const int size[][4] = {{1, 16, 5, 32}, {2, 5, 3, 9}, {1, 33, 7, 7}, {1, 20, 1, 1}, {3, 64, 1, 1},
                                {1, 7, 19, 3}};
  for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
    for (int pad = 0; pad < 2; pad++) {
      const int *d = size[i];
      char text[512];
      snprintf(text, sizeof text,
               "graph reorder\ninput x f32 [%d,%d,%d,%d]\nconst w f32 [%d,%d,%d,%d] = random 1 -1 1\n"
               "y = Conv(x, w) pads=[%d,%d,%d,%d]\noutput y\n", d[0], d[1], d[2], d[3], d[1] + 3, d[1],
               1 + 2 * pad, 1 + 2 * pad, pad, pad, pad, pad);
      check_kernel(text, TOLERANCE);
    }
  }
}

/* NHWC on both sides; few channels become planes with a halo. */
static void channels_last(void **state) {
  (void)state;
  static const int size[][3] = {{9, 37, 3}, {7, 7, 24}, {5, 6, 19}, {4, 4, 1}};
  for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
    const int *d = size[i];
    char text[512];
    snprintf(text, sizeof text,
             "graph reorder\ninput x f32 [2,%d,%d,%d]\nconst w f32 [21,%d,3,3] = random 1 -1 1\n"
             "t = Transpose(x) perm=[0,3,1,2]\nc = Conv(t, w) pads=[1,1,1,1]\n"
             "y = Transpose(c) perm=[0,2,3,1]\noutput y\n",
             d[0], d[1], d[2], d[2]);
    check_kernel(text, TOLERANCE);
  }
}

/* Planes with a halo from the caller's dense tensor. */
static void planes(void **state) {
  (void)state;
  check_kernel("graph reorder\ninput x f32 [1,3,30,31]\nconst w f32 [16,3,7,7] = random 1 -1 1\n"
               "y = Conv(x, w) pads=[3,2,3,4] strides=[2,2]\noutput y\n", TOLERANCE);
}

/* A dense tensor beside blocks: the residual comes from an operator that has no blocked form. */
static void arguments(void **state) {
  (void)state;
  check_kernel("graph reorder\ninput x f32 [1,20,6,7]\nconst w f32 [20,20,3,3] = random 1 -1 1\n"
               "t = Softmax(x) axis=1\n"
               "c = Conv(x, w) pads=[1,1,1,1]\na = Add(c, t)\ny = Softmax(a) axis=3\noutput y\n", 1e-5);
}

static void special_values(void **state) {
  (void)state;
  check_signs("graph reorder\ninput x f32 [1,19,6,7]\nt = Transpose(x) perm=[0,2,3,1]\noutput t\n", 0);
  check_strict("graph reorder\ninput x f32 [1,19,6,7]\nconst one f32 [19,1,1,1] = splat 1\ny = Conv(x, one) group=19\n"
               "output y\n", 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(channels_first), cmocka_unit_test(channels_last),
                                     cmocka_unit_test(planes), cmocka_unit_test(arguments), cmocka_unit_test(special_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
