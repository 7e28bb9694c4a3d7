/* normalize_test.c: normalisations as one operator, whoever wrote them. */
#include "fixture.h"

static void expect(const char *text, const char *ops) { expect_ops(&lax_options, pass_normalize, text, ops); }

#define HEAD \
  "input x f32 [2,6,4,5]\n" \
  "const s f32 [6] = random 1 0.5 2\nconst b f32 [6] = random 2 -1 1\n" \
  "const g f32 [3] = random 3 0.5 2\nconst one f32 [6] = splat 1\nconst zero f32 [6] = splat 0\n" \
  "const l f32 [5] = random 4 0.5 2\n"

static void operators(void **state) {
  (void)state;
  expect(HEAD "y = InstanceNormalization(x, s, b)\noutput y\n", "Normalize Mul Add");
  expect(HEAD "y = InstanceNormalization(x, one, zero)\noutput y\n", "Normalize");
  expect(HEAD "y = InstanceNormalization(x, s, zero)\noutput y\n", "Normalize Mul");
  expect(HEAD "y = GroupNormalization(x, s, b) num_groups=2\noutput y\n", "Normalize Mul Add");
  expect(HEAD "y = GroupNormalization(x, g, g) num_groups=3\noutput y\n", "Normalize Mul Add");
  expect(HEAD "y = LayerNormalization(x, l)\noutput y\n", "Normalize Mul");
  expect(HEAD "y, m, f = LayerNormalization(x, l)\noutput y\noutput m\noutput f\n", "Normalize Mul");
  expect(HEAD "y = RMSNormalization(x, l)\noutput y\n", "Normalize Mul");
  expect(HEAD "y = MeanVarianceNormalization(x)\noutput y\n", "Normalize");
  expect(HEAD "y = LpNormalization(x)\noutput y\n", "Normalize");
}

/* What is known at run time only keeps the operators that shape it. */
static void parameters_at_run_time(void **state) {
  (void)state;
  expect("input x f32 [2,6,4,5]\ninput s f32 [6]\ninput b f32 [6]\ny = InstanceNormalization(x, s, b)\n"
         "output y\n",
         "Normalize Reshape Mul Reshape Add");
  expect("input x f32 [2,6,4]\ninput s f32 [2]\ninput b f32 [6]\n"
         "y = GroupNormalization(x, s, b) num_groups=2\noutput y\n",
         "Normalize Gather Reshape Mul Reshape Add");
}

static void groups_of_one_channel_are_instances(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, HEAD "y = GroupNormalization(x, one, zero) num_groups=6\noutput y\n",
                      pass_normalize);
  assert_int_equal(g->node[0]->p.axes, 1 << 2 | 1 << 3);
  assert_int_equal(g->node[0]->group, 1);
  context_free(cx);
}

/* ---- what exporters spell out ---- */

static void groups_by_reshapes(void **state) {
  (void)state;
  const char *text = HEAD "const to i64 [3] = {0,3,-1}\nconst back i64 [4] = {2,6,4,5}\n"
                          "const ones f32 [3] = splat 1\nconst zeros f32 [3] = splat 0\n"
    "const w f32 [6,1,1] = random 1 0.5 2\n"
    "v = Reshape(x, to)\ni = InstanceNormalization(v, ones, zeros)\nr = Reshape(i, back)\nm = Mul(r, w)\n"
    "y = Add(m, w)\noutput y\n";
  expect(text, "Normalize Mul Add");
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, text, pass_normalize);
  assert_int_equal(g->node[0]->group, 3);
  context_free(cx);
}

/* Another shape, or other axes, are not of groups. */
static void other_reshapes_stay(void **state) {
  (void)state;
  const char *tail = "const ones f32 [3] = splat 1\nconst zeros f32 [3] = splat 0\nv = Reshape(x, to)\n"
    "i = InstanceNormalization(v, ones, zeros)\nr = Reshape(i, back)\noutput r\n";
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  expect(format_text(cx, "%sconst to i64 [3] = {0,3,-1}\nconst back i64 [3] = {2,6,20}\n%s", HEAD, tail),
         "Reshape Normalize Reshape");
  expect(format_text(cx, "%sconst to i64 [3] = {4,3,-1}\nconst back i64 [4] = {2,6,4,5}\n%s", HEAD, tail),
         "Reshape Normalize Reshape");
  context_free(cx);
}

#define NUMBERS "const two f32 [] = {2}\nconst eps f32 [] = {1e-5}\nconst ax i64 [1] = {-1}\n" \
  "const c i64 [1] = {1}\nconst one1 f32 [] = {1}\n"

static void deviations(void **state) {
  (void)state;
  expect(HEAD NUMBERS "m = ReduceMean(x, ax)\nd = Sub(x, m)\nq = Pow(d, two)\nv = ReduceMean(q, ax)\n"
                      "a = Add(v, eps)\n"
         "r = Sqrt(a)\nn = Div(d, r)\ny = Mul(n, l)\noutput y\n", "Normalize Mul");
  expect(HEAD NUMBERS "m = ReduceMean(x, c)\nd = Sub(x, m)\nq = Mul(d, d)\nv = ReduceMean(q, c)\n"
                      "a = Add(eps, v)\n"
         "r = Sqrt(a)\ni = Reciprocal(r)\ny = Mul(i, d)\noutput y\n", "Normalize");
  expect(HEAD NUMBERS "q = Pow(x, two)\nv = ReduceMean(q, c)\na = Add(v, eps)\nr = Sqrt(a)\n"
                      "i = Div(one1, r)\n"
                      "y = Mul(x, i)\noutput y\n",
         "Normalize");
  expect(HEAD NUMBERS "m = ReduceMean(x, c)\nd = Sub(x, m)\nq = Mul(d, d)\nv = ReduceMean(q, ax)\n"
                      "a = Add(eps, v)\n"
         "r = Sqrt(a)\ny = Div(d, r)\noutput y\n", "ReduceMean Sub Normalize");
}

static void norms(void **state) {
  (void)state;
  expect(HEAD NUMBERS "r = ReduceL2(x, c)\ny = Div(x, r)\noutput y\n", "Normalize");
  expect(HEAD NUMBERS "r = ReduceL1(x, ax)\ny = Div(x, r)\noutput y\n", "Normalize");
  expect(HEAD NUMBERS "r = ReduceL2(x, c)\ny = Div(r, x)\noutput y\n", "ReduceL2 Div");
}

static void what_looks_like_a_deviation_stays(void **state) {
  (void)state;
  expect(HEAD NUMBERS "q = Mul(x, x)\nv = ReduceMean(q, c)\na = Add(v, eps)\nr = Sqrt(a)\nz = Relu(x)\n"
                      "y = Div(z, r)\noutput y\n",
         "Mul ReduceMean Add Sqrt Relu Div");
  expect(HEAD NUMBERS "q = Mul(x, x)\nv = ReduceMean(q, c)\na = Add(v, eps)\nr = Sqrt(a)\ny = Div(r, x)\n"
                      "output y\n",
         "Mul ReduceMean Add Sqrt Div");
  expect(HEAD NUMBERS "const s2 f32 [1,1,4,5] = splat 1\nq = Mul(x, x)\nv = ReduceMean(q, c)\n"
                      "a = Add(v, s2)\n"
                      "r = Sqrt(a)\ny = Div(x, r)\noutput y\n",
         "Mul ReduceMean Add Sqrt Div");
}

/* ---- networks: the same layers, whoever exported them ---- */

static void front(Graph *g) {
  pass_fold(g);
  pass_activations(g);
  pass_normalize(g);
  pass_moves(g);
  pass_fold(g);
  pass_affine(g);
  pass_fold(g);
  pass_fuse(g);
}

#define BLOCK_HEAD \
  "input x f32 [1,8,6,7]\nconst dw f32 [8,1,3,3] = random 1 -1 1\nconst s f32 [8] = random 2 0.5 2\n" \
  "const b f32 [8] = random 3 -1 1\n" \
  "const w1 f32 [8,32] = random 4 -1 1\nconst b1 f32 [32] = random 5 -1 1\n" \
  "const w2 f32 [32,8] = random 6 -1 1\n" \
  "const b2 f32 [8] = random 7 -1 1\nconst gamma f32 [8] = random 8 -1 1\n" NUMBERS \
  "p = Conv(x, dw) pads=[1,1,1,1] group=8\nt = Transpose(p) perm=[0,2,3,1]\n"
#define BLOCK_TAIL \
  "h = MatMul(n, w1)\ni = Add(h, b1)\ng = Gelu(i)\nj = MatMul(g, w2)\nk = Add(b2, j)\no = Mul(k, gamma)\n" \
  "u = Transpose(o) perm=[0,3,1,2]\ny = Add(x, u)\noutput y\n"

/* Transpositions about a normalisation and products by channels vanish; its scale goes into the weights. */
static void blocks_with_channels_last(void **state) {
  (void)state;
  const char *layers = "Conv Normalize Conv|Gelu Conv|Add";
  expect_ops(&lax_options, front, BLOCK_HEAD "n = LayerNormalization(t, s, b)\n" BLOCK_TAIL, layers);
  expect_ops(&lax_options, front, BLOCK_HEAD "m = ReduceMean(t, ax)\nd = Sub(t, m)\nq = Pow(d, two)\n"
                                             "v = ReduceMean(q, ax)\n"
             "a = Add(v, eps)\nr = Sqrt(a)\ne = Div(d, r)\nf = Mul(e, s)\nn = Add(f, b)\n" BLOCK_TAIL,
                 layers);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(operators),
    cmocka_unit_test(parameters_at_run_time),
    cmocka_unit_test(groups_of_one_channel_are_instances),
    cmocka_unit_test(groups_by_reshapes),
    cmocka_unit_test(other_reshapes_stay),
    cmocka_unit_test(deviations),
    cmocka_unit_test(norms),
    cmocka_unit_test(what_looks_like_a_deviation_stays),
    cmocka_unit_test(blocks_with_channels_last),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
