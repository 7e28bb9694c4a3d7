/* Tensors without elements, through every operator that may meet one: their results are empty too, or what ONNX says of sums
 * and means of nothing. Against the evaluator, which is asked on its own for those that have elements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>

#include "fixture.h"
#include "harness.h"

#define WEIGHTS "const w f32 [16,8,3,3] = random 1 -0.5 0.5\nconst b f32 [16] = random 2 -1 1\n"
#define SCALES "const s f32 [8] = random 1 0.5 1\nconst m f32 [8] = random 2 -1 1\n"

/* On images of which one dimension is 0. */
static const char *const on_images[] = {
  WEIGHTS "y = Conv(x, w, b) pads=[2,1,1,2]\nz = Relu(y)\noutput z\n",
  WEIGHTS "y = Conv(x, w) pads=[1,2,3,2] strides=[2,2]\noutput y\n",
  WEIGHTS "input v f32 [16,8,3,3]\ny = Conv(x, v, b) pads=[2,1,1,2]\nt = Conv(x, w) pads=[2,1,1,2]\nz = Add(y, t)\noutput z\n",
  "const w f32 [8,1,3,3] = splat 1\ny = Conv(x, w) pads=[2,1,1,2] group=8\noutput y\n",
  SCALES "y = BatchNormalization(x, s, m, m, s)\nz = Relu(y)\noutput z\n",
  "y = Softmax(x) axis=1\nz = LogSoftmax(x) axis=3\noutput y\noutput z\n",
  "const a i64 [2] = {2, 3}\ny = ReduceMean(x, a)\nz = ReduceMean(x, a) keepdims=0\noutput y\noutput z\n",
  "const a i64 [1] = {1}\ny = ReduceMean(x, a)\nz = ReduceMean(x)\noutput y\noutput z\n",
  "y = Transpose(x) perm=[0,2,3,1]\nz = Softmax(y)\noutput z\n",
  "y = Concat(x, x) axis=2\nz = Relu(y)\nt = Concat(x, y) axis=2\noutput z\noutput t\n",
  "const s i64 [2] = {3, 5}\ny, z = Split(x, s) axis=1\noutput y\noutput z\n",
  "const p i64 [8] = {0, 1, 2, 3, 0, 2, 1, 0}\ny = Pad(x, p)\noutput y\n",
  "const a i64 [1] = {1}\nconst e i64 [1] = {-1}\ny = Slice(x, a, e, a)\noutput y\n",
  "const i i64 [3] = {0, 7, -8}\ny = Gather(x, i) axis=1\noutput y\n",
  "const i i64 [0] = {}\ny = Gather(x, i) axis=2\noutput y\n",
  "y = SpaceToDepth(x) blocksize=2\noutput y\n",
  "y = Flatten(x)\nz = Relu(y)\noutput z\n",
  "const s i64 [2] = {-1, 4}\ny = Sigmoid(x)\nz = Add(x, y)\nt = Mul(z, x)\noutput t\n",
};

static void images(void **state) {
  (void)state;
  static const char *const dims[] = {"0,8,4,6", "2,8,0,6", "2,8,4,0"};
  char text[1024];
  for (size_t i = 0; i < COUNT(on_images); i++) {
    for (size_t k = 0; k < COUNT(dims); k++) {
      snprintf(text, sizeof text, "graph g\ninput x f32 [%s]\n%s", dims[k], on_images[i]);
      check_kernel(text, 2e-6);
    }
  }
}

/* Sums of no products, pools of no image, and what else does not fit the table. */
static void others(void **state) {
  (void)state;
  static const char *const graphs[] = {
    "input x f32 [1,0,4,5]\nconst w f32 [3,0,3,3] = splat 1\nconst b f32 [3] = random 2 -1 1\n"
    "y = Conv(x, w, b) pads=[2,1,1,2]\nz = Relu(y)\noutput z\n",
    "input x f32 [1,0,9]\nconst w f32 [3,0,3] = splat 1\ny = Conv(x, w)\noutput y\n",
    "input x f32 [0,8,4]\nconst w f32 [3,8,3] = splat 1\ny = Conv(x, w)\nz = Tanh(y)\noutput z\n",
    "input x f32 [0,8,4,4]\ny = MaxPool(x) kernel_shape=[2,2]\nz = AveragePool(x) kernel_shape=[3,3]\n"
    "t = GlobalAveragePool(x)\ns = GlobalMaxPool(x)\noutput y\noutput z\noutput t\noutput s\n",
    "input x f32 [1,0,4,4]\ny = MaxPool(x) kernel_shape=[2,2]\nt = GlobalAveragePool(x)\noutput y\noutput t\n",
    "input x f32 [4,0]\nconst w f32 [0,5] = splat 1\nconst c f32 [5] = random 2 -1 1\ny = MatMul(x, w)\n"
    "z = Gemm(x, w, c)\nt = Relu(y)\noutput t\noutput z\n",
    "input x f32 [4,0]\ninput w f32 [0,5]\ny = MatMul(x, w)\nz = Gemm(x, w) transA=0\noutput y\noutput z\n",
    "input x f32 [0,3]\nconst w f32 [3,5] = splat 1\ny = MatMul(x, w)\nz = Gemm(w, x) transA=1 transB=1\noutput y\noutput z\n",
    "input x f32 [2,0,3]\ninput w f32 [3,0]\ny = MatMul(x, w)\noutput y\n",
    "input x i64 [4,0]\ninput w i64 [0,2]\ny = MatMul(x, w)\noutput y\n",
    "input x f32 [2,0,3]\ny = ArgMax(x) axis=0\nz = ArgMax(x) axis=2 keepdims=0\noutput y\noutput z\n",
    "input x f64 [2,0,3]\nconst a i64 [1] = {1}\ny = ReduceMean(x, a)\noutput y\n",
    "input x f32 [3]\ninput z f32 [0,3]\ny = Concat(z, z) axis=1\nt = Add(x, z)\noutput y\noutput t\n",
    "input x f32 [2,0]\ninput z f32 [2,3]\ny = Concat(x, z, x) axis=1\noutput y\n",
    "input x f32 [0,2]\nconst p i64 [4] = {1, 0, 2, 1}\nconst v f32 [] = splat 7\ny = Pad(x, p, v)\noutput y\n",
  };
  char text[1024];
  for (size_t i = 0; i < COUNT(graphs); i++) {
    snprintf(text, sizeof text, "graph g\n%s", graphs[i]);
    check_kernel(text, 2e-6);
  }
}

/* ==== the evaluator's answers ==== */

static float *answer(Context *cx, const char *text) {
  static Options options;
  options = (Options){.max_memory = 1 << 30};
  Graph *g = text_parse(cx, &options, text);
  pass_shape(g);
  const void *in[2] = {alloc(cx, 1), alloc(cx, 1)};
  void *out[1];
  eval_graph(g, in, out);
  return out[0];
}

static void sums_of_nothing_are_zero_and_means_are_none(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const float *y = answer(cx, "graph g\ninput x f32 [1,0,2]\nconst w f32 [2,0,1] = splat 1\nconst b f32 [2] = {3, 4}\n"
                              "y = Conv(x, w, b)\noutput y\n");
  assert_true(y[0] == 3 && y[1] == 3 && y[2] == 4 && y[3] == 4);
  y = answer(cx, "graph g\ninput x f32 [1,0]\nconst w f32 [0,2] = splat 1\ny = MatMul(x, w)\noutput y\n");
  assert_true(y[0] == 0 && y[1] == 0);
  y = answer(cx, "graph g\ninput x f32 [1,1,0]\nconst w f32 [1,1,1] = splat 1\ny = Conv(x, w) pads=[1,1]\noutput y\n");
  assert_true(y[0] == 0 && y[1] == 0);
  y = answer(cx, "graph g\ninput x f32 [0,2]\nconst a i64 [1] = {0}\ny = ReduceMean(x, a)\noutput y\n");
  assert_true(isnan(y[0]) && isnan(y[1]));
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(images),
    cmocka_unit_test(others),
    cmocka_unit_test(sums_of_nothing_are_zero_and_means_are_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
