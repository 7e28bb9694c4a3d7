/* Pools on channel blocks against the evaluator: every kind of window, clipped at every side, with
 * epilogues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "cases.h"
#include "harness.h"

#define TOLERANCE 2e-6

typedef struct Case {
  int n, c, h, w, kh, kw, sh, sw, dh, dw, top, left, bottom, right, ceil, count_pad;
} Case;

/* A convolution before and after it makes the pool work on blocks. */
static void check(const Case *k, const char *op, const char *steps) {
  char text[2048];
  snprintf(text, sizeof text,
           "graph pool\ninput x f32 [%d,3,%d,%d]\nconst v f32 [%d,3,1,1] = random 3 -0.5 0.5\n"
           "const w f32 [5,%d,1,1] = random 4 -0.5 0.5\nconst s f32 [%d,1,1] = random 5 -1 1\n"
           "b = Conv(x, v)\n"
           "p = %s(b) kernel_shape=[%d,%d] strides=[%d,%d] dilations=[%d,%d] pads=[%d,%d,%d,%d]"
           " ceil_mode=%d%s\n"
           "%sy = Conv(q, w)\noutput y\noutput q\n",
           k->n, k->h, k->w, k->c, k->c, k->c, op, k->kh, k->kw, k->sh, k->sw, k->dh, k->dw, k->top, k->left,
           k->bottom, k->right, k->ceil, k->count_pad ? " count_include_pad=1" : "", steps);
  check_kernel(text, TOLERANCE);
}

static const char *const plain_chain = "q = Identity(p)\n";
static const char *const long_chain = "m = Mul(p, s)\na = Add(m, p)\nq = Relu(a)\n";

static void resnet_pools(void **state) {
  (void)state;
  static const Case stem = {1, 64, 56, 57, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0};
  static const Case same = {2, 17, 14, 14, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1};
  static const Case halves = {1, 24, 15, 15, 2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 1, 0};
  check(&stem, "MaxPool", long_chain);
  check(&same, "AveragePool", long_chain);
  check(&halves, "AveragePool", plain_chain);
  check(&halves, "MaxPool", plain_chain);
}

static void windows(void **state) {
  (void)state;
  uint64_t r = 1;
  for (int i = 0; i < 20;) {
    Case k = {pick(&r, 1, 2), pick(&r, 1, 20), pick(&r, 1, 20), pick(&r, 1, 40), pick(&r, 1, 5),
              pick(&r, 1, 5), pick(&r, 1, 3), pick(&r, 1, 3), pick(&r, 1, 2), pick(&r, 1, 2), 0, 0, 0, 0,
              pick(&r, 0, 1), pick(&r, 0, 1)};
    k.top = pick(&r, 0, k.kh - 1);
    k.bottom = pick(&r, 0, k.kh - 1);
    k.left = pick(&r, 0, k.kw - 1);
    k.right = pick(&r, 0, k.kw - 1);
    bool max = pick(&r, 0, 1);
    if (max) k.count_pad = 0;
    bool fits = k.h + k.top + k.bottom > (k.kh - 1) * k.dh && k.w + k.left + k.right > (k.kw - 1) * k.dw;
    bool hollow = k.dh > k.h || k.dw > k.w; /* a window may miss the image altogether */
    if (!fits || hollow) continue;
    check(&k, max ? "MaxPool" : "AveragePool", i % 2 ? long_chain : plain_chain);
    i++;
  }
}

/* Wider than there are registers. */
static void wide_windows(void **state) {
  (void)state;
  static const Case wide = {1, 9, 5, 61, 2, 40, 1, 3, 1, 1, 0, 7, 1, 20, 0, 0};
  static const Case dilated = {1, 9, 5, 61, 1, 20, 1, 1, 1, 3, 0, 2, 0, 3, 0, 0};
  check(&wide, "AveragePool", long_chain);
  check(&wide, "MaxPool", plain_chain);
  check(&dilated, "MaxPool", plain_chain);
}

/* Loops over the window, over clipped pixels, and rows that are shared out in pieces. */
static void long_windows(void **state) {
  (void)state;
  static const Case cases[] = {
    {1, 9, 1, 700, 1, 300, 1, 7, 1, 1, 0, 150, 0, 290, 0, 0},  {1, 9, 700, 1, 300, 1, 7, 1, 1, 1, 299, 0, 1, 0, 0, 0},
    {1, 5, 4, 4, 1, 2000, 1, 1, 1, 1, 0, 1999, 0, 1999, 0, 0}, {2, 9, 3, 1100, 1, 3, 1, 2, 1, 1, 0, 1, 0, 1, 0, 1},
    {1, 9, 1, 600, 1, 65, 1, 1, 1, 2, 0, 64, 0, 64, 0, 1},     {1, 9, 2, 520, 2, 20, 1, 1, 1, 1, 0, 19, 0, 19, 0, 1},
    {1, 3, 40, 40, 2, 2, 1000000, 1000000, 1, 1, 0, 0, 0, 0, 0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Case max = cases[i];
    max.count_pad = 0;
    check(&cases[i], "AveragePool", long_chain);
    check(&max, "MaxPool", plain_chain);
  }
}

static void global_pools(void **state) {
  (void)state;
  static const int size[][3] = {{7, 7, 64}, {1, 1, 20}, {8, 30, 9}, {3, 1, 16}, {14, 14, 130},
                               {1, 5000, 9}, {5000, 1, 9}, {70, 300, 9}, {300, 70, 9}};
  for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
    char text[1024];
    int h = size[i][0], w = size[i][1], c = size[i][2];
    snprintf(text, sizeof text,
             "graph pool\ninput x f32 [2,3,%d,%d]\nconst v f32 [%d,3,1,1] = random 3 -0.5 0.5\n"
             "const w f32 [%d,10] = random 4 -0.5 0.5\nb = Conv(x, v)\nm = GlobalMaxPool(b)\n"
             "a = GlobalAveragePool(b)\n"
             "t = Tanh(a)\nf = Flatten(t)\ng = MatMul(f, w)\noutput g\noutput m\noutput a\n",
             h, w, c, c);
    check_kernel(text, 1e-5);
  }
}

/* A mean of many numbers of one sign, where fp32 sums would lose what the last ones bring. */
static void mean_of_many(void **state) {
  (void)state;
  static const int size[][2] = {{1, 160000}, {160000, 1}};
  for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
    char text[512];
    snprintf(text, sizeof text,
             "graph pool\ninput x f32 [1,1,%d,%d]\nconst v f32 [3,1,1,1] = {0.1, 0.7, -1.3}\n"
             "b = Conv(x, v)\na = GlobalAveragePool(b)\noutput a\n", size[i][0], size[i][1]);
    check_kernel_in(text, 5e-7, 0.99, 1.01);
  }
}

/* The same window beside blocked and beside dense neighbours. */
static void special_values(void **state) {
  (void)state;
  static const char *const pools[] = {
      "MaxPool(%s) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]", "MaxPool(%s) kernel_shape=[2,2] strides=[1,1]",
      "AveragePool(%s) kernel_shape=[3,3] pads=[1,1,1,1]", "GlobalMaxPool(%s)", "GlobalAveragePool(%s)",
      "MaxPool(%s) kernel_shape=[1,70] pads=[0,60,0,60]"};
  for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
    char blocked[128], dense[128], text[1024];
    snprintf(blocked, sizeof blocked, pools[i], "b");
    snprintf(dense, sizeof dense, pools[i], "x");
    snprintf(text, sizeof text,
             "graph pool\ninput x f32 [1,19,9,13]\nconst v f32 [19,1,1,1] = splat 1\nconst w f32 [19,1,1,1] = splat 1\n"
             "b = Conv(x, v) group=19\np = %s\ny = Conv(p, w) group=19\nq = %s\noutput y\noutput q\n", blocked, dense);
    check_special(text, TOLERANCE, false);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(resnet_pools), cmocka_unit_test(windows),
                                     cmocka_unit_test(wide_windows), cmocka_unit_test(long_windows),
                                     cmocka_unit_test(global_pools), cmocka_unit_test(mean_of_many),
                                     cmocka_unit_test(special_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
