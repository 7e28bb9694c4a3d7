/* affine_test.c: batch norms and constants beside convolutions and products become part of their
 * weights. */
#include "fixture.h"

static void expect(const char *text, const char *ops) {
  expect_ops(&lax_options, pass_affine, text, ops);
}

#define NORM \
  "const gamma f32 [4] = random 11 -2 2\n" \
  "const beta f32 [4] = random 12 -1 1\n" \
  "const mean f32 [4] = random 13 -1 1\n" \
  "const var f32 [4] = random 14 0.1 3\n"

#define CONV_HEAD \
  "input x f32 [2,4,5,6]\n" \
  "const w f32 [4,4,3,3] = random 1 -0.3 0.3\n" \
  "const b f32 [4] = random 2 -1 1\n" NORM

#define BN(y, x) y " = BatchNormalization(" x ", gamma, beta, mean, var) epsilon=0.01\n"

static void batch_norm_behind_a_convolution(void **state) {
  (void)state;
  expect(CONV_HEAD "c = Conv(x, w, b) pads=[1,1,1,1]\n" BN("y", "c") "output y\n", "Conv");
  expect(CONV_HEAD "c = Conv(x, w) pads=[1,1,1,1]\n" BN("d", "c") BN("y", "d") "output y\n", "Conv");
  expect("input x f32 [1,4,9]\n"
         "const w f32 [4,2,3] = random 1 -1 1\n" NORM "c = Conv(x, w) group=2 strides=[2]\n"
         BN("y", "c") "output y\n", "Conv");
  expect("input x f32 [1,4,5,5]\nconst w f32 [4,1,3,3] = random 1 -1 1\n" NORM "c = Conv(x, w) group=4\n"
         BN("y", "c") "output y\n", "Conv");
}

static void batch_norm_before_a_convolution(void **state) {
  (void)state;
  expect(CONV_HEAD BN("n", "x") "y = Conv(n, w, b)\noutput y\n", "Conv");
  expect(CONV_HEAD BN("n", "x") "y = Conv(n, w)\noutput y\n", "Conv");
  expect(CONV_HEAD BN("n", "x") "y = Conv(n, w, b) pads=[0,1,0,0]\noutput y\n", "Mul Add Conv");
  expect(CONV_HEAD "const k f32 [4,1,1] = random 3 -1 1\nn = Mul(x, k)\ny = Conv(n, w, b) pads=[1,1,1,1]\n"
         "output y\n",
         "Conv");
  expect("input x f32 [1,4,9]\nconst w f32 [6,2,3] = random 1 -1 1\n" NORM BN("n", "x")
         "y = Conv(n, w) group=2\noutput y\n", "Conv");
}

static void constants_in_any_spelling(void **state) {
  (void)state;
  const char *head = CONV_HEAD
    "const m f32 [4,1,1] = random 21 -1 1\nconst d f32 [1,4,1,1] = random 22 0.5 2\nconst k f32 [] = {3}\n"
    "const r f32 [1,1,1,1] = {-0.25}\nc = Conv(x, w, b)\n";
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *chain[][2] = {
    {"s = Sub(c, m)\nt = Div(s, d)\nu = Mul(k, t)\ny = Add(u, m)\noutput y\n", "Conv"},
    {"s = Sub(k, c)\nt = Sub(m, s)\ny = Mul(t, r)\noutput y\n", "Conv"},
    {"s = Div(k, c)\ny = Add(s, m)\noutput y\n", "Conv Div Add"},
    {"s = Relu(c)\nt = Sub(s, m)\nu = Div(t, k)\ny = Sub(u, r)\noutput y\n", "Conv Relu Mul Add"},
    {"s = Relu(c)\nt = Mul(s, r)\ny = Div(t, r)\noutput y\n", "Conv Relu"},
  };
  for (size_t i = 0; i < COUNT(chain); i++)
    expect(format_text(cx, "%s%s", head, chain[i][0]), chain[i][1]);
  context_free(cx);
}

static void what_others_read_stays(void **state) {
  (void)state;
  expect(CONV_HEAD "c = Conv(x, w, b)\n" BN("n", "c") "y = Add(n, c)\noutput y\n", "Conv Mul Add Add");
  expect(CONV_HEAD "c = Conv(x, w, b)\n" BN("y", "c") "output c\noutput y\n", "Conv Mul Add");
  expect(CONV_HEAD "const k f32 [] = {2}\nc = Conv(x, w, b)\ns = Mul(c, k)\ny = Add(s, k)\noutput s\n"
         "output y\n",
         "Conv Add");
}

static void shared_weights_are_not_changed(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, CONV_HEAD "c = Conv(x, w, b)\n" BN("y", "c") "z = Conv(x, w, b)\n"
                      "output y\noutput z\n", pass_affine);
  assert_string_equal(ops_text(g), "Conv Conv");
  assert_ptr_not_equal(g->node[0]->in[1], g->node[1]->in[1]);
  assert_ptr_not_equal(g->node[0]->in[2], g->node[1]->in[2]);
  context_free(cx);
}

static void numbers_that_are_not_finite_stay(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, &lax_options, CONV_HEAD "const k f32 [4,1,1] = {1, 0, 1, 1}\nc = Conv(x, w, b)\n"
                        "y = Div(c, k)\noutput y\n");
  pass_shape(g);
  pass_affine(g);
  assert_string_equal(ops_text(g), "Conv Div");
  context_free(cx);
}

static void by_other_axes(void **state) {
  (void)state;
  expect(CONV_HEAD "const k f32 [4] = random 3 -1 1\nc = Conv(x, w)\ny = Add(c, k)\noutput y\n", "Conv Add");
  expect(CONV_HEAD "const k f32 [3,1] = random 3 -1 1\nc = Conv(x, w)\n" BN("n", "c") "y = Mul(n, k)\n"
         "output y\n",
         "Conv Mul");
  expect(CONV_HEAD "const k f32 [4,5,6] = random 3 -1 1\ny = Mul(x, k)\noutput y\n", "Mul");
}

#define GEMM_HEAD \
  "input x f32 [3,4]\nconst w f32 [4,5] = random 1 -1 1\nconst v f32 [5,4] = random 1 -1 1\n" \
  "const c f32 [5] = random 2 -1 1\nconst k f32 [5] = random 3 -2 2\nconst j f32 [4] = random 4 -2 2\n"

static void gemm_takes_all_into_its_weights(void **state) {
  (void)state;
  expect(GEMM_HEAD "g = Gemm(x, v, c) transB=1 alpha=0.5 beta=2.0\ns = Mul(g, k)\ny = Add(s, c)\n"
         "output y\n", "Gemm");
  expect(GEMM_HEAD "s = Mul(x, j)\nt = Add(s, j)\ny = Gemm(t, w)\noutput y\n", "Gemm");
  expect(GEMM_HEAD "const m f32 [3,1] = random 5 -1 1\ng = Gemm(x, w, m) beta=3.0\ny = Mul(g, k)\n"
         "output y\n", "Gemm Mul");
  expect(GEMM_HEAD "const m f32 [1,1] = {2}\ng = Gemm(x, w, m) beta=3.0\ny = Mul(g, k)\noutput y\n", "Gemm");
  expect(GEMM_HEAD "input m f32 [5]\ng = Gemm(x, w, m) beta=3.0 alpha=2.0\ny = Mul(g, k)\n"
         "output y\n", "Gemm Mul");
  expect("input x f32 [4,3]\ninput z f32 [5,4]\ny = Gemm(x, z) transA=1 transB=1 alpha=2.0 beta=2.0\n"
         "output y\n", "Gemm");
  expect("input x f32 [3,5]\nconst a f32 [3,4] = random 1 -1 1\ny = Gemm(a, x) transA=1 alpha=2.0\n"
         "output y\n", "Gemm");
}

static void gemm_is_in_its_plainest_form(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, GEMM_HEAD "const m f32 [1,5] = random 5 -1 1\n"
                      "y = Gemm(x, v, m) transB=1 alpha=0.5 beta=2.0\noutput y\n", pass_affine);
  const Node *n = g->node[0];
  assert_int_equal(n->n_attr, 0);
  assert_int_equal(n->in[1]->shape.d[0], 4);
  assert_int_equal(n->in[2]->shape.rank, 1);
  context_free(cx);
}

static void matmul_takes_the_scale(void **state) {
  (void)state;
  expect(GEMM_HEAD "g = MatMul(x, w)\ns = Add(g, c)\ny = Mul(s, k)\noutput y\n", "MatMul Add");
  expect(GEMM_HEAD "g = MatMul(x, w)\ns = Mul(g, k)\ny = Mul(s, k)\noutput y\n", "MatMul");
}

static void matmul_of_rank_3(void **state) {
  (void)state;
  expect("input x f32 [2,3,4]\nconst w f32 [4,5] = random 1 -1 1\nconst k f32 [5] = random 3 -2 2\n"
         "const j f32 [4] = random 4 -2 2\nq = Mul(x, j)\ng = MatMul(q, w)\ny = Mul(g, k)\n"
         "output y\n", "MatMul");
  expect("input x f32 [2,3,4]\nconst w f32 [4,5] = random 1 -1 1\nconst k f32 [3,1] = random 3 -2 2\n"
         "g = MatMul(x, w)\ny = Mul(g, k)\noutput y\n", "MatMul Mul");
}

static void a_lone_batch_norm(void **state) {
  (void)state;
  expect(CONV_HEAD BN("n", "x") "y = Relu(n)\noutput y\n", "Mul Add Relu");
  expect("input x f32 [3,4]\n" NORM BN("y", "x") "output y\n", "Mul Add");
  expect("input x f32 [3,4]\ninput mean f32 [4]\nconst gamma f32 [4] = splat 1\nconst var f32 [4] = splat 2\n"
         "y = BatchNormalization(x, gamma, gamma, mean, var)\noutput y\n", "BatchNormalization");
}

/* Only --strict asks what becomes of -0. */
static void shifts_by_zero(void **state) {
  (void)state;
  static const char *const zero = "input x f32 [2,3]\nconst z f32 [] = {0}\ny = Add(x, z)\noutput y\n";
  static const char *const norm = "input x f32 [2,3]\nconst z f32 [3] = splat 0\nconst o f32 [3] = splat 1\n"
                                  "y = BatchNormalization(x, o, z, z, o) epsilon=0.0\noutput y\n";
  static const char *const two = "input x f32 [2,3]\nconst k f32 [] = {2}\nm = Mul(x, k)\ny = Div(m, k)\noutput y\n";
  expect(zero, "Identity");
  expect(norm, "Identity");
  expect(two, "Identity");
  expect_ops(&strict_options, pass_affine, zero, "Add");
  expect_ops(&strict_options, pass_affine, norm, "Add");
  expect_ops(&strict_options, pass_affine, two, "Identity");
}

/* Numbers that are not finite as weights, although results may be. */
static void what_would_overflow_stays(void **state) {
  (void)state;
  static const char *const head = "input x f32 [2,4,5,5]\nconst big f32 [4,4,1,1] = splat 1e30\nconst m f32 [4,4] = splat 1e30\n"
                                  "const k f32 [] = {1e30}\nconst d f32 [] = {1e-40}\nconst t f32 [] = {1e-30}\nz = Mul(x, t)\n";
  static const char *const rest[][2] = {
    {"u = Relu(z)\nc = Conv(u, big)\ny = Mul(c, k)\noutput y\n", "Mul Relu Conv Mul"},
    {"u = Relu(z)\nv = Mul(u, k)\ny = Conv(v, big)\noutput y\n", "Mul Relu Mul Conv"},
    {"u = Relu(z)\nc = MatMul(u, m)\ny = Mul(c, k)\noutput y\n", "Mul Relu MatMul Mul"},
    {"u = Relu(z)\ny = Div(u, d)\noutput y\n", "Mul Relu Div"},
  };
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(rest); i++) {
    const char *text = format_text(cx, "%s%s", head, rest[i][0]);
    if (i == 2) text = "input x f32 [3,4]\nconst m f32 [4,4] = splat 1e30\nconst k f32 [] = {1e30}\n"
                       "const t f32 [] = {1e-30}\nz = Mul(x, t)\nu = Relu(z)\nc = MatMul(u, m)\ny = Mul(c, k)\noutput y\n";
    expect(text, rest[i][1]);
  }
  context_free(cx);
}

/* Beside quantised numbers every operator rounds by itself; weights of floats take what they did. */
static void quantised_graphs_keep_their_roundings(void **state) {
  (void)state;
  static const char end[] = "r = QuantizeLinear(y, q)\nz = DequantizeLinear(r, q)\noutput z\n";
  static const char *const rest[][2] = {
    {"const k f32 [] = {255}\nu = Div(x, k)\ny = Mul(u, q)\n", "Div Mul QuantizeLinear DequantizeLinear"},
    {"const k f32 [] = {3}\nu = Mul(x, k)\ny = Conv(u, w, b)\n", "Mul Conv QuantizeLinear DequantizeLinear"},
    {"const k f32 [] = {3}\nu = Conv(x, w, b)\nv = Mul(u, k)\n" BN("y", "v"), "Conv QuantizeLinear DequantizeLinear"},
    {BN("u", "x") "const k f32 [] = {3}\ny = Mul(u, k)\n", "Mul Add Mul QuantizeLinear DequantizeLinear"},
  };
  for (size_t i = 0; i < COUNT(rest); i++) {
    char text[1024];
    snprintf(text, sizeof text, CONV_HEAD "const q f32 [] = {0.1}\n%s%s", rest[i][0], end);
    expect(text, rest[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(batch_norm_behind_a_convolution),
    cmocka_unit_test(batch_norm_before_a_convolution),
    cmocka_unit_test(constants_in_any_spelling),
    cmocka_unit_test(what_others_read_stays),
    cmocka_unit_test(shared_weights_are_not_changed),
    cmocka_unit_test(numbers_that_are_not_finite_stay),
    cmocka_unit_test(by_other_axes),
    cmocka_unit_test(gemm_takes_all_into_its_weights),
    cmocka_unit_test(gemm_is_in_its_plainest_form),
    cmocka_unit_test(matmul_takes_the_scale),
    cmocka_unit_test(matmul_of_rank_3),
    cmocka_unit_test(a_lone_batch_norm),
    cmocka_unit_test(shifts_by_zero),
    cmocka_unit_test(what_would_overflow_stays),
    cmocka_unit_test(quantised_graphs_keep_their_roundings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
