/* channels_test.c: blocks whose last batch norm is zero become their identity; single channels that
 * are constant leave the weights on both sides. */
#include "fixture.h"

static void affine_and_channels(Graph *g) {
  pass_affine(g);
  pass_channels(g);
  pass_fold(g);
}

static void expect(const char *text, const char *ops) {
  expect_ops(&lax_options, affine_and_channels, text, ops);
}

/* Runs the passes and returns the shape of the first input but one of node `at`, its weights. */
static void expect_weights(const char *text, int at, Shape want) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, text, affine_and_channels);
  assert_string_equal(shape_text(cx, &g->node[at]->in[1]->shape), shape_text(cx, &want));
  context_free(cx);
}

#define HEAD \
  "input x f32 [1,4,5,6]\n" \
  "const w f32 [4,4,3,3] = random 1 -0.3 0.3\n" \
  "const b f32 [4] = random 2 -1 1\n" \
  "const zero f32 [4] = splat 0\nconst one f32 [4] = splat 1\n" \
  "const v f32 [2,4,3,3] = random 3 -0.3 0.3\n"

#define ZERO_NORM(y, x) y " = BatchNormalization(" x ", zero, zero, b, one)\n"

static void a_block_of_zero_is_its_identity(void **state) {
  (void)state;
  expect(HEAD "r = Relu(x)\nc = Conv(r, w, b) pads=[1,1,1,1]\nd = Relu(c)\ne = Conv(d, w) pads=[1,1,1,1]\n"
         ZERO_NORM("n", "e") "y = Add(r, n)\noutput y\n", "Relu");
  expect(HEAD "r = Relu(x)\ne = Conv(r, w) pads=[1,1,1,1]\n" ZERO_NORM("n", "e") "s = Add(n, r)\n"
         "y = Relu(s)\n"
         "output y\n", "Relu");
  expect(HEAD "e = Conv(x, w) pads=[1,1,1,1]\n" ZERO_NORM("n", "e") "t = Relu(n)\ny = Add(x, t)\n"
         "output y\n", "Identity");
  expect(HEAD "e = Conv(x, w) pads=[1,1,1,1]\n" ZERO_NORM("n", "e") "t = Tanh(n)\ny = Sub(x, t)\n"
         "output y\n", "Identity");
}

static void a_chain_of_blocks(void **state) {
  (void)state;
  expect(HEAD "r = Relu(x)\nc1 = Conv(r, w) pads=[1,1,1,1]\n" ZERO_NORM("n1", "c1") "a1 = Add(r, n1)\n"
         "r1 = Relu(a1)\n"
         "c2 = Conv(r1, w) pads=[1,1,1,1]\na2 = Add(r1, c2)\nr2 = Relu(a2)\n"
         "c3 = Conv(r2, w) pads=[1,1,1,1]\n" ZERO_NORM("n3", "c3") "a3 = Add(n3, r2)\ny = Relu(a3)\n"
         "output y\n",
         "Relu Conv Add Relu");
}

static void a_constant_block_is_a_constant(void **state) {
  (void)state;
  expect(HEAD "e = Conv(x, w) pads=[1,1,1,1]\nn = BatchNormalization(e, zero, b, b, one)\ny = Add(x, n)\n"
         "output y\n", "Add");
  expect(HEAD "e = Conv(x, w) pads=[1,1,1,1]\nn = BatchNormalization(e, zero, b, b, one)\np = AveragePool(n) "
         "kernel_shape=[3,3] pads=[1,1,1,1]\ny = Mul(p, x)\noutput y\n", "Mul");
  expect(HEAD "e = Conv(x, w) pads=[1,1,1,1]\nn = BatchNormalization(e, zero, b, b, one)\np = AveragePool(n) "
         "kernel_shape=[3,3] pads=[1,1,1,1] count_include_pad=1\ny = Mul(p, x)\n"
         "output y\n", "Conv AveragePool Mul");
}

static void strict_keeps_everything(void **state) {
  (void)state;
  expect_ops(&strict_options, affine_and_channels,
             HEAD "e = Conv(x, w) pads=[1,1,1,1]\n" ZERO_NORM("n", "e") "y = Add(x, n)\n"
                 "output y\n", "Conv Add");
}

/* Channels 1 and 3 are off: gamma and beta are 0. */
#define HALF_HEAD HEAD \
  "const half f32 [4] = {1, 0, -2, 0}\n" \
  "const odd f32 [4] = {0.5, -0.25, 1, 0.75}\n" \
  "const k f32 [4,1,1] = random 5 -1 1\n"
#define HALF_NORM(y, x) y " = BatchNormalization(" x ", half, half, b, one)\n"
#define ODD_NORM(y, x) y " = BatchNormalization(" x ", half, odd, zero, one)\n"

static void zero_channels_leave_both_weights(void **state) {
  (void)state;
  const char *text = HALF_HEAD "c = Conv(x, w) pads=[1,1,1,1]\n" HALF_NORM("n", "c") "r = Relu(n)\n"
    "m = MaxPool(r) kernel_shape=[3,3] pads=[1,1,1,1]\ny = Conv(m, v) pads=[1,1,1,1]\noutput y\n";
  expect_weights(text, 0, shape_of(4, (int64_t)2, (int64_t)4, (int64_t)3, (int64_t)3));
  expect_weights(text, 3, shape_of(4, (int64_t)2, (int64_t)2, (int64_t)3, (int64_t)3));
}

/* A border of zeros is not the constant: only without padding is it a bias. */
static void other_constants_go_into_the_bias(void **state) {
  (void)state;
  const char *head = HALF_HEAD "c = Conv(x, w) pads=[1,1,1,1]\n" ODD_NORM("n", "c") "r = Tanh(n)\n";
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *bare = format_text(cx, "%sy = Conv(r, v)\noutput y\n", head);
  const char *padded = format_text(cx, "%sy = Conv(r, v) pads=[0,0,0,1]\noutput y\n", head);
  expect_weights(bare, 2, shape_of(4, (int64_t)2, (int64_t)2, (int64_t)3, (int64_t)3));
  expect_weights(padded, 2, shape_of(4, (int64_t)2, (int64_t)4, (int64_t)3, (int64_t)3));
  context_free(cx);
}

static void a_residual_keeps_the_union(void **state) {
  (void)state;
  const char *text = HALF_HEAD "const u f32 [4] = {1, 1, 0, 0}\n"
      "c = Conv(x, w) pads=[1,1,1,1]\n" HALF_NORM("n", "c")
    "d = Conv(x, w) pads=[1,1,1,1]\nm = BatchNormalization(d, u, u, b, one)\ns = Add(n, m)\nt = Mul(s, k)\n"
    "y = Conv(t, v) pads=[1,1,1,1]\noutput y\n";
  expect_weights(text, 0, shape_of(4, (int64_t)3, (int64_t)4, (int64_t)3, (int64_t)3));
  expect_weights(text, 1, shape_of(4, (int64_t)3, (int64_t)4, (int64_t)3, (int64_t)3));
  expect_weights(text, 3, shape_of(4, (int64_t)2, (int64_t)3, (int64_t)3, (int64_t)3));
}

static void through_concat_flatten_and_gemm(void **state) {
  (void)state;
  const char *text = HALF_HEAD "const f f32 [160,7] = random 6 -1 1\nconst fb f32 [7] = random 7 -1 1\n"
    "c = Conv(x, w) pads=[1,1,1,1]\n" ODD_NORM("n", "c") "s = Sigmoid(n)\nj = Concat(s, x) axis=1\n"
    "p = AveragePool(j) kernel_shape=[2,2]\nl = Flatten(p)\ny = Gemm(l, f, fb)\noutput y\n";
  expect_weights(text, 0, shape_of(4, (int64_t)2, (int64_t)4, (int64_t)3, (int64_t)3));
  expect_weights(text, 5, shape_of(2, (int64_t)120, (int64_t)7));
}

static void products_drop_columns(void **state) {
  (void)state;
  const char *head = "input x f32 [3,4]\nconst a f32 [4,4] = {1,0,2,1, 3,0,1,1, 2,0,1,0, 1,0,1,1}\n"
    "const d f32 [4,5] = random 1 -1 1\nconst c f32 [4] = {1,2,3,4}\n";
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *gemm = format_text(cx, "%sm = Gemm(x, a, c)\nr = Relu(m)\ny = Gemm(r, d)\noutput y\n", head);
  const char *matmul = format_text(cx, "%sm = MatMul(x, a)\nr = Relu(m)\ny = MatMul(r, d)\noutput y\n", head);
  const char *shifted = format_text(cx, "%sm = Gemm(x, a, c)\nr = Relu(m)\ny = MatMul(r, d)\n"
      "output y\n", head);
  expect_weights(gemm, 0, shape_of(2, (int64_t)4, (int64_t)3));
  expect_weights(gemm, 2, shape_of(2, (int64_t)3, (int64_t)5));
  expect_weights(matmul, 0, shape_of(2, (int64_t)4, (int64_t)3));
  expect_weights(matmul, 2, shape_of(2, (int64_t)3, (int64_t)5));
  expect_weights(shifted, 0, shape_of(2, (int64_t)4, (int64_t)4));
  context_free(cx);
}

/* Column 1 of d makes a constant 2. MatMul has no bias to put it in, and needs none where it weighs it by
 * 0. */
static void a_channel_nobody_weighs_is_dropped(void **state) {
  (void)state;
  const char *text = "input x f32 [3,2]\nconst d f32 [2,3] = {1,0,2, 3,0,1}\nconst c f32 [3] = {1,2,3}\n"
    "const e f32 [3,2] = {1,2, 0,0, 3,4}\nm = Gemm(x, d, c)\nr = Relu(m)\ny = MatMul(r, e)\noutput y\n";
  expect_weights(text, 0, shape_of(2, (int64_t)2, (int64_t)2));
  expect_weights(text, 2, shape_of(2, (int64_t)2, (int64_t)2));
}

/* What a gate says of a channel of zeros nobody needs to know. */
static void gates_are_dropped_alike(void **state) {
  (void)state;
  const char *text = HALF_HEAD "const g1 f32 [4,4,1,1] = random 8 -1 1\n"
      "c = Conv(x, w) pads=[1,1,1,1]\n" HALF_NORM("n", "c")
    "a = GlobalAveragePool(n)\ne = Conv(a, g1)\ng = Sigmoid(e)\nt = Mul(n, g)\n"
    "y = Conv(t, v) pads=[1,1,1,1]\n"
    "output y\n";
  expect_weights(text, 2, shape_of(4, (int64_t)2, (int64_t)2, (int64_t)1, (int64_t)1));
  expect_weights(text, 5, shape_of(4, (int64_t)2, (int64_t)2, (int64_t)3, (int64_t)3));
}

static void what_must_keep_its_channels(void **state) {
  (void)state;
  Shape whole = shape_of(4, (int64_t)4, (int64_t)4, (int64_t)3, (int64_t)3);
  expect_weights(HALF_HEAD "c = Conv(x, w)\n" HALF_NORM("n", "c") "y = Relu(n)\noutput y\n", 0, whole);
  expect_weights(HALF_HEAD "const t f32 [4,1,3,3] = random 9 -1 1\n"
      "c = Conv(x, w) pads=[1,1,1,1]\n" HALF_NORM("n", "c")
                 "y = Conv(n, t) group=4\noutput y\n", 0, whole);
  expect_weights(HALF_HEAD "c = Conv(x, w) pads=[1,1,1,1]\n" HALF_NORM("n", "c") "y = Softmax(n) axis=1\n"
      "output y\n",
                 0, whole);
  expect_weights(HALF_HEAD "input z f32 [4,1,1]\n"
      "c = Conv(x, w) pads=[1,1,1,1]\n" HALF_NORM("n", "c") "m = Mul(n, z)\n"
                 "y = Conv(m, v)\noutput y\n", 0, whole);
}

/* A depthwise convolution's channel with no weights is constant, too: its reader needs no input for it. */
static void grouped_convolutions_are_known(void **state) {
  (void)state;
  expect("input x f32 [1,2,5,5]\nconst w f32 [2,1,3,3] = splat 0\nconst b f32 [2] = {0, 0}\n"
         "c = Conv(x, w, b) group=2 pads=[1,1,1,1]\ny = Add(c, x)\noutput y\n", "Identity");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_block_of_zero_is_its_identity),
    cmocka_unit_test(a_chain_of_blocks),
    cmocka_unit_test(a_constant_block_is_a_constant),
    cmocka_unit_test(strict_keeps_everything),
    cmocka_unit_test(zero_channels_leave_both_weights),
    cmocka_unit_test(other_constants_go_into_the_bias),
    cmocka_unit_test(a_residual_keeps_the_union),
    cmocka_unit_test(through_concat_flatten_and_gemm),
    cmocka_unit_test(products_drop_columns),
    cmocka_unit_test(a_channel_nobody_weighs_is_dropped),
    cmocka_unit_test(gates_are_dropped_alike),
    cmocka_unit_test(what_must_keep_its_channels),
    cmocka_unit_test(grouped_convolutions_are_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
