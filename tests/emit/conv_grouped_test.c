/* Grouped convolutions whose groups share vectors, against the evaluator: group sizes, strides, dilation,
 * widths that leave narrower tiles, blocks that are partly filled, epilogues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "harness.h"

#define TOLERANCE 2e-6
#define COUNT(a) (sizeof(a) / sizeof *(a))

typedef struct Case {
  int n, c, h, w, per_group, kh, kw;
  int sh, sw, dh, dw, top, left, bottom, right;
} Case;

static void check_conv(const Case *k, const char *rest) {
  char text[2048];
  snprintf(text, sizeof text,
           "graph grouped\ninput x f32 [%d,%d,%d,%d]\nconst w f32 [%d,%d,%d,%d] = random 3 -0.5 0.5\n"
           "const b f32 [%d] = random 4 -1 1\n"
           "y = Conv(x, w, b) pads=[%d,%d,%d,%d] strides=[%d,%d] dilations=[%d,%d] group=%d\n%s",
           k->n, k->c, k->h, k->w, k->c, k->per_group, k->kh, k->kw, k->c, k->top, k->left, k->bottom,
           k->right, k->sh, k->sw, k->dh, k->dw, k->c / k->per_group, rest);
  check_kernel(text, TOLERANCE);
}

static void check_cases(const Case *k, size_t count) {
  for (size_t i = 0; i < count; i++) check_conv(&k[i], "output y\n");
}

static void group_sizes(void **state) {
  (void)state;
  static const Case cases[] = {
    {1, 32, 9, 10, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 32, 9, 10, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 32, 9, 10, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 32, 9, 10, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 48, 9, 10, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  check_cases(cases, COUNT(cases));
}

static void windows(void **state) {
  (void)state;
  static const Case cases[] = {
    {1, 32, 15, 15, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, {1, 16, 14, 14, 8, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
    {2, 16, 12, 11, 4, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2}, {1, 16, 9, 9, 8, 3, 3, 1, 2, 2, 3, 2, 3, 2, 3},
    {1, 16, 8, 9, 4, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},   {1, 16, 8, 9, 2, 5, 2, 1, 1, 1, 1, 0, 1, 3, 0},
    {1, 16, 3, 60, 4, 2, 20, 1, 2, 1, 2, 0, 3, 1, 3},
    {1, 16, 7, 12, 8, 1, 7, 1, 1, 1, 1, 0, 3, 0, 3},  {1, 16, 3, 2, 4, 3, 3, 3, 2, 1, 1, 2, 1, 1, 2},
  };
  check_cases(cases, COUNT(cases));
}

static void widths(void **state) {
  (void)state;
  for (int w = 1; w <= 8; w++) {
    check_conv(&(Case){1, 16, 2, w, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, "output y\n");
    check_conv(&(Case){1, 16, 2, w, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, "output y\n");
    check_conv(&(Case){1, 16, 2, w, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, "output y\n");
  }
  check_conv(&(Case){1, 32, 3, 57, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, "output y\n");
}

/* The lanes past the last channel hold anything, and reach no other. */
static void partial_blocks(void **state) {
  (void)state;
  static const Case cases[] = {
    {1, 4, 6, 7, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},  {1, 12, 6, 7, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 20, 6, 7, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, {2, 24, 6, 7, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 22, 6, 7, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  check_cases(cases, COUNT(cases));
}

static void epilogues(void **state) {
  (void)state;
  static const Case cases[] = {
    {2, 32, 7, 8, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 32, 7, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 32, 7, 8, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  static const char *const rests[] = {
    "z = Relu(y)\noutput z\n",
    "z = LeakyRelu(y) alpha=0.2\noutput z\n",
    "s = Add(y, x)\nz = Relu(s)\noutput z\n",
    "const s f32 [32,1,1] = random 5 0 1\nz = PRelu(y, s)\nt = Mul(z, x)\noutput t\n",
    "input gate f32 [1,32,1,1]\nz = Mul(y, gate)\noutput z\n",
    ("r = Relu(y)\nconst v f32 [32,4,3,3] = random 8 -0.3 0.3\nd = Conv(r, v) pads=[1,1,1,1] group=8\n"
     "z = Add(d, x)\noutput z\n"),
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t k = 0; k < COUNT(rests); k++) check_conv(&cases[i], rests[k]);
  }
}

/* A NaN stays within its group. */
static void special_values(void **state) {
  (void)state;
  for (int group = 2; group <= 8; group *= 2) {
    char text[512];
    snprintf(text, sizeof text, "graph grouped\ninput x f32 [1,40,9,10]\nconst w f32 [40,%d,3,3] = random 3 -0.5 0.5\n"
             "y = Conv(x, w) pads=[1,1,1,1] group=%d\nr = Relu(y)\noutput r\n", group, 40 / group);
    check_strict(text, TOLERANCE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(group_sizes),    cmocka_unit_test(windows),   cmocka_unit_test(widths),
    cmocka_unit_test(partial_blocks), cmocka_unit_test(epilogues), cmocka_unit_test(special_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
