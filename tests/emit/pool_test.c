/* Pools on channel blocks against the evaluator: every kind of window, clipped at every side, with
 * epilogues. */
#include "harness.h"

#include <stdarg.h>

#define TOLERANCE 2e-6

typedef struct Case {
  int n, c, h, w, kh, kw, sh, sw, dh, dw, top, left, bottom, right, ceil, count_pad;
} Case;

static const char *format(const char *form, ...) PRINTF(1, 2);
static const char *format(const char *form, ...) {
  static char text[2048];
  va_list a;
  va_start(a, form);
  vsnprintf(text, sizeof text, form, a);
  va_end(a);
  return text;
}

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

/* Of frames of volumes: the window along the depth as in infer_pool. */
static void frames(void **state) {
  (void)state;
  static const char *const pools[] = {
    "MaxPool(b) kernel_shape=[2,2] strides=[2,2] depth=[1,2,2,1,0,0,3]", "MaxPool(b) kernel_shape=[3,3] depth=[2,3,2,1,1,1,2]",
    "MaxPool(b) kernel_shape=[1,1] depth=[1,2,1,3,0,0,3]", "MaxPool(b) kernel_shape=[2,1] depth=[3,1,2,1,0,0,1]",
    "AveragePool(b) kernel_shape=[2,2] pads=[1,0,0,1] count_include_pad=1 depth=[2,2,1,1,1,1,4]",
    "AveragePool(b) kernel_shape=[2,3] depth=[1,3,1,1,2,1,7]", "AveragePool(b) kernel_shape=[5,70] pads=[0,60,0,60] depth=[1,3,2,1,1,1,3]",
    "LpPool(b) kernel_shape=[2,2] p=3 depth=[1,2,2,1,0,0,3]",
  };
  for (size_t i = 0; i < COUNT(pools); i++) {
    check_kernel(format("input x f32 [6,3,7,11]\nconst v f32 [9,3,1,1] = random 3 -0.5 0.5\nconst w f32 [5,9,1,1] = random 4 -0.5 0.5\n"
                        "b = Conv(x, v)\np = %s\nq = Relu(p)\ny = Conv(q, w)\noutput y\noutput q\n", pools[i]), TOLERANCE);
    if (i % 3 == 0) check_kernel(format("input b f32 [6,9,7,11]\nconst s f32 [9,1,1] = random 5 -1 1\np = %s\nq = Mul(p, s)\noutput q\n", pools[i]), TOLERANCE);
  }
}

static void norms(void **state) {
  (void)state;
  static const Case cases[] = {{2, 17, 14, 13, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0}, {1, 9, 5, 61, 2, 40, 1, 3, 1, 1, 0, 7, 1, 20, 0, 0},
                               {1, 9, 700, 1, 300, 1, 7, 1, 1, 1, 299, 0, 1, 0, 0, 0}};
  for (size_t i = 0; i < COUNT(cases); i++) check(&cases[i], "LpPool", i % 2 ? long_chain : plain_chain);
  for (int p = 1; p <= 3; p++) {
    check_kernel(format("input x f32 [2,3,9,7]\nconst v f32 [20,3,1,1] = random 3 -0.5 0.5\nb = Conv(x, v)\n"
                        "m = GlobalLpPool(b) p=%d\ny = Sigmoid(m)\noutput y\n", p), TOLERANCE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(resnet_pools),
    cmocka_unit_test(windows),
    cmocka_unit_test(wide_windows),
    cmocka_unit_test(long_windows),
    cmocka_unit_test(frames),
    cmocka_unit_test(norms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
