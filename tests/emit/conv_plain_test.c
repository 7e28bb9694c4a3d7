/* Convolutions whose weights or bias are known at run time only, against the evaluator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "conv_cases.h"

#define TOLERANCE 2e-6

/* weights [oc, c/group, kh, kw] as an input; the bias too, where it is wanted. */
static void check_free(const Case *k, const char *bias, const char *rest) {
  char text[1024];
  snprintf(text, sizeof text,
           "graph free\ninput x f32 [%d,%d,%d,%d]\ninput w f32 [%d,%d,%d,%d]\n%s"
           "y = Conv(x, w%s) pads=[%d,%d,%d,%d] strides=[%d,%d] dilations=[%d,%d] group=%d\n%s",
           k->n, k->c, k->h, k->w, k->oc, k->c / k->group, k->kh, k->kw, bias, *bias ? ", b" : "", k->top,
           k->left, k->bottom, k->right, k->sh, k->sw, k->dh, k->dw, k->group, rest);
  check_kernel(text, TOLERANCE);
}

static void windows(void **state) {
  (void)state;
  static const Case cases[] = {
    {1, 6, 9, 7, 8, 3, 2, 2, 2, 1, 1, 2, 1, 0, 2, 1}, {2, 3, 5, 6, 4, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 4, 7, 7, 4, 3, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 2, 4, 9, 3, 5, 5, 1, 1, 2, 1, 1, 4, 4, 4, 4},
    {1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 2, 8, 8, 2, 3, 3, 1, 3, 3, 3, 3, 2, 5, 1, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) check_free(&cases[i], "", "output y\n");
}

/* Windows that lie in the padding altogether. */
static void wide_padding(void **state) {
  (void)state;
  check_free(&(Case){1, 2, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 5, 6, 4, 7}, "", "output y\n");
  check_free(&(Case){1, 2, 3, 3, 2, 2, 2, 1, 2, 3, 4, 5, 5, 6, 4, 7}, "", "output y\n");
}

static void biases(void **state) {
  (void)state;
  static const Case k = {1, 3, 6, 5, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  check_free(&k, "input b f32 [4]\n", "output y\n");
  check_free(&k, "const b f32 [4] = random 1 -1 1\n", "z = Relu(y)\ns = Add(z, z)\noutput s\n");
}

/* Constant weights beside a bias that is not constant; blocks around it. */
static void among_others(void **state) {
  (void)state;
  check_kernel("graph free\ninput x f32 [1,16,6,5]\ninput b f32 [16]\n"
               "const v f32 [16,16,1,1] = random 1 -0.3 0.3\n"
               "y = Conv(x, v)\nz = Conv(y, v, b)\nt = Add(z, y)\ns = Conv(t, v)\noutput s\n", TOLERANCE);
}

/* Weights too, whether they come at run time or not: padding does not meet them. */
static void special_values(void **state) {
  (void)state;
  check_strict("graph free\ninput x f32 [1,6,9,7]\ninput w f32 [8,3,3,2]\ny = Conv(x, w) pads=[1,0,2,1] group=2\n"
               "output y\n", TOLERANCE);
  check_strict("graph free\ninput x f32 [1,2,8,9]\nconst w f32 [2,2,2,2] = {1, inf, -1, 2, 3, 4, 5, -inf, 1, 2, 3, 4, 0, 1, 0, nan}\n"
               "y = Conv(x, w) pads=[1,1,1,1]\nz = Relu(y)\noutput z\n", TOLERANCE);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(windows), cmocka_unit_test(wide_padding),
                                     cmocka_unit_test(biases), cmocka_unit_test(among_others), cmocka_unit_test(special_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
