/* fuse_test.c: elementwise operators become epilogues, in every order in which a residual block may be
 * written. */
#include "fixture.h"

static void expect(const char *text, const char *ops) {
  expect_ops(&lax_options, pass_fuse, text, ops);
}

#define CONV_HEAD \
  "input x f32 [2,4,5,6]\n" \
  "const w f32 [4,4,3,3] = random 1 -0.3 0.3\n" \
  "const b f32 [4] = random 2 -1 1\n"

static void residual_in_both_orders(void **state) {
  (void)state;
  expect(CONV_HEAD "c = Conv(x, w, b) pads=[1,1,1,1]\ns = Add(c, x)\ny = Relu(s)\n"
         "output y\n", "Conv|Add|Relu");
  expect(CONV_HEAD "c = Conv(x, w) pads=[1,1,1,1]\ns = Add(x, c)\ny = Relu(s)\noutput y\n", "Conv|Add|Relu");
  expect(CONV_HEAD "c = Conv(x, w, b) pads=[1,1,1,1]\nr = Relu(c)\ny = Add(x, r)\n"
         "output y\n", "Conv|Relu|Add");
  expect(CONV_HEAD "c = Conv(x, w, b) pads=[1,1,1,1]\nr = Relu(c)\ny = Sub(x, r)\n"
         "output y\n", "Conv|Relu|Sub");
}

/* A Cast from f32 is the last step: what follows it is no f32. */
static void casts_end_epilogues(void **state) {
  (void)state;
  expect(CONV_HEAD "c = Conv(x, w, b) pads=[1,1,1,1]\nr = Relu(c)\ny = Cast(r) to=6\nz = Add(y, y)\noutput z\n",
         "Conv|Relu|Cast Add");
  expect(CONV_HEAD "c = Conv(x, w, b) pads=[1,1,1,1]\nd = Cast(c) to=10\ny = Cast(d) to=1\nz = Relu(y)\noutput z\n",
         "Conv|Cast Cast Pointwise|Relu");
}

static void arguments_come_behind_the_bias(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, CONV_HEAD "c = Conv(x, w) pads=[1,1,1,1]\ny = Div(x, c)\n"
      "output y\n", pass_fuse);
  const Node *n = g->node[0];
  assert_int_equal(n->n_in, 4);
  assert_null(n->in[2]);
  assert_int_equal(n->step[0].arg, 3);
  assert_true(n->step[0].swap);
  context_free(cx);
}

static void the_later_anchor_takes_the_sum(void **state) {
  (void)state;
  const char *text = CONV_HEAD
    "p = Conv(x, w, b) pads=[1,1,1,1]\nq = Conv(x, w) pads=[1,1,1,1]\nr = Relu(q)\ny = Add(p, r)\noutput y\n";
  expect(text, "Conv Conv|Relu|Add");
}

/* p is read twice, so q takes the sum though it stands before p and r. */
static void an_anchor_moves_behind_its_argument(void **state) {
  (void)state;
  expect(CONV_HEAD "q = Conv(x, w) pads=[1,1,1,1]\np = Conv(x, w, b) pads=[1,1,1,1]\nr = Relu(p)\n"
         "s = Add(q, r)\ny = Add(s, r)\noutput y\n", "Conv|Relu Conv|Add|Add");
}

static void a_result_with_other_readers_stays(void **state) {
  (void)state;
  expect(CONV_HEAD "c = Conv(x, w) pads=[1,1,1,1]\nr = Relu(c)\ns = Tanh(c)\ny = Add(r, s)\noutput y\n",
         "Conv Pointwise|Relu Pointwise|Tanh|Add");
  expect(CONV_HEAD "c = Conv(x, w) pads=[1,1,1,1]\ny = Relu(c)\noutput c\noutput y\n", "Conv Pointwise|Relu");
  expect(CONV_HEAD "c = Conv(x, w) pads=[1,1,1,1]\ny = Mul(c, c)\noutput y\n", "Conv Pointwise|Mul");
}

static void gates_are_arguments(void **state) {
  (void)state;
  expect(CONV_HEAD "c = Conv(x, w) pads=[1,1,1,1]\na = GlobalAveragePool(c)\ng = Sigmoid(a)\nm = Mul(c, g)\n"
         "s = Add(m, x)\ny = Relu(s)\noutput y\n",
         "Conv GlobalAveragePool|Sigmoid Pointwise|Mul|Add|Relu");
  expect(CONV_HEAD "c = Conv(x, w) pads=[1,1,1,1]\ng = Sigmoid(c)\ny = Mul(c, g)\noutput y\n",
         "Conv Pointwise|Sigmoid|Mul");
}

/* A conv of one pixel can't take a sum that is larger than its result. */
static void the_result_keeps_its_shape(void **state) {
  (void)state;
  expect(CONV_HEAD "a = GlobalAveragePool(x)\ny = Add(a, x)\noutput y\n", "GlobalAveragePool Pointwise|Add");
  expect("input x f32 [2,4,1,1]\ninput z f32 [1,1,3,3]\ny = Add(x, z)\noutput y\n", "Add");
}

static void unary_operators_with_parameters(void **state) {
  (void)state;
  expect("input x f32 [3,8]\nconst w f32 [8,5] = random 1 -1 1\nconst c f32 [5] = random 2 -1 1\n"
         "const lo f32 [] = {-0.4}\nconst hi f32 [1] = {0.7}\nconst slope f32 [5] = random 3 0 1\n"
         "m = Gemm(x, w, c)\nl = LeakyRelu(m) alpha=0.3\np = PRelu(l, slope)\nk = Clip(p, lo, hi)\n"
         "h = HardSigmoid(k) alpha=0.3 beta=0.4\ns = HardSwish(h)\nt = Clip(s, _, hi)\nu = Elu(t) alpha=0.5\ny = Tanh(u)\n"
         "output y\n",
         "Gemm|LeakyRelu|PRelu|Clip|HardSigmoid|HardSwish|Clip|Elu|Tanh");
}

static void what_is_no_step_stays(void **state) {
  (void)state;
  expect("input x f32 [3,8]\ninput lo f32 []\ny = Clip(x, lo)\noutput y\n", "Clip");
  expect("input x f32 [3]\ninput z f32 [4,3]\ny = Add(z, x)\noutput y\n", "Pointwise|Add");
  expect("input x f32 [1,2,4,4]\np, i = MaxPool(x) kernel_shape=[2,2]\ny = Relu(p)\nz = Cast(i) to=1\n"
         "output y\noutput z\n", "MaxPool Pointwise|Relu Cast");
}

static void matmul_and_pools_are_anchors(void **state) {
  (void)state;
  expect("input x f32 [2,3,8]\nconst w f32 [8,5] = random 1 -1 1\nconst b f32 [5] = random 2 -1 1\n"
         "m = MatMul(x, w)\ns = Add(b, m)\ny = Relu(s)\noutput y\n", "MatMul|Add|Relu");
  expect("input x f32 [1,2,4,4]\np = MaxPool(x) kernel_shape=[2,2]\ny = Relu(p)\noutput y\n", "MaxPool|Relu");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(residual_in_both_orders),
    cmocka_unit_test(casts_end_epilogues),
    cmocka_unit_test(arguments_come_behind_the_bias),
    cmocka_unit_test(the_later_anchor_takes_the_sum),
    cmocka_unit_test(an_anchor_moves_behind_its_argument),
    cmocka_unit_test(a_result_with_other_readers_stays),
    cmocka_unit_test(gates_are_arguments),
    cmocka_unit_test(the_result_keeps_its_shape),
    cmocka_unit_test(unary_operators_with_parameters),
    cmocka_unit_test(what_is_no_step_stays),
    cmocka_unit_test(matmul_and_pools_are_anchors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
