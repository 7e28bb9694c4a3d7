/* quantize_test.c: where QuantizeLinear and DequantizeLinear are put, and that the numbers change by no more than their steps. */
#include "fixture.h"

#include <math.h>

/* Every value's range is [-range, range]. */
static Graph *quantized(Graph *g, const bool *keep, float range) {
  Quantizing q = quantizing_new(g, keep);
  for (int i = 0; i < g->n_value; i++) q.range[i] = (QuantRange){-range, range};
  quantize_graph(g, &q);
  verify(g, "quantize");
  return g;
}

static void expect_kept(const char *text, const char *ops, const char *kept, double error) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *before = shaped(cx, text), *g = shaped(cx, text);
  bool *keep = alloc_n(cx, (size_t)g->n_node + 1, sizeof *keep);
  for (int i = 0; i < g->n_node; i++) keep[i] = strcmp(g->node[i]->name, kept) == 0;
  quantized(g, keep, 8);
  assert_string_equal(ops_text(g), ops);
  const void **in = alloc_n(cx, 1, sizeof *in);
  in[0] = reference_inputs(before, 3)[0];
  void *want[1], *got[1];
  eval_graph(before, in, want);
  eval_graph(g, in, got);
  for (int64_t i = 0; i < shape_count(&before->output[0]->shape); i++)
    assert_float_equal(((float *)want[0])[i], ((float *)got[0])[i], error);
  context_free(cx);
}

static void expect(const char *text, const char *ops, double error) { expect_kept(text, ops, "", error); }

#define Q "QuantizeLinear DequantizeLinear"
#define WEIGHTS "DequantizeLinear DequantizeLinear"
#define CONV "input x f32 [1,3,5,5]\nconst w f32 [4,3,3,3] = random 1 -0.3 0.3\nconst b f32 [4] = random 2 -1 1\n"

static void bounds_stay_beside_their_operator(void **state) {
  (void)state;
  expect(CONV "c = Conv(x, w, b)\ny = Relu(c)\noutput y\n", Q " " WEIGHTS " Conv Relu " Q, 0.1);
  expect(CONV "c = Conv(x, w, b)\nr = Relu(c)\ny = Add(r, c)\noutput y\n",
         Q " " WEIGHTS " Conv " Q " Relu " Q " Add " Q, 0.2);
}

static void a_value_has_one_pair(void **state) {
  (void)state;
  expect(CONV "c = Conv(x, w, b)\nd = Sigmoid(c)\ny = Mul(c, d)\noutput y\n",
         Q " " WEIGHTS " Conv " Q " Sigmoid " Q " Mul " Q, 0.1);
}

static void moves_pass_numbers_on(void **state) {
  (void)state;
  expect(CONV "const s i64 [2] = {1, 36}\nconst v f32 [36,7] = random 3 -0.2 0.2\nc = Conv(x, w, b)\nf = Reshape(c, s)\n"
              "y = Gemm(f, v)\noutput y\n",
         Q " " WEIGHTS " Conv " Q " Reshape " Q " " WEIGHTS " Gemm", 0.3);
}

static void what_is_kept_stays(void **state) {
  (void)state;
  expect_kept(CONV "const u f32 [2,4,1,1] = random 4 -1 1\nc = Conv(x, w, b)\ny = Conv(c, u)\noutput y\n",
              Q " " WEIGHTS " Conv " Q " Conv", "y", 0.2);
  expect(CONV "y = Softmax(x)\noutput y\n", "Softmax", 0);
}

/* Rounded weights shift the mean of a channel, unless the bias takes that back. */
static void means_correct_the_bias(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *text = "input x f32 [1,1,1,1]\n"
                     "const u f32 [2,1,1,1] = {127, 63.4}\ny = Conv(x, u)\noutput y\n";
  for (int corrected = 0; corrected < 2; corrected++) {
    Graph *g = shaped(cx, text);
    bool keep[4] = {0};
    Quantizing q = quantizing_new(g, keep);
    float mean = 2;
    for (int i = 0; i < g->n_value; i++) q.range[i] = (QuantRange){0, 255};
    if (corrected) q.mean[g->input[0]->id] = &mean;
    quantize_graph(g, &q);
    const Node *conv = g->output[0]->def->in[0]->def->in[0]->def;
    assert_int_equal(conv->op, OP_Conv);
    const Node *bias = conv->in[2]->def;
    const int32_t *b = bias->in[0]->data;
    const float *scale = bias->in[1]->data;
    const int8_t *w = conv->in[1]->def->in[0]->data;
    const float *ws = conv->in[1]->def->in[1]->data;
    double error = ((double)w[1] * (double)ws[1] - 63.4) * 2;
    assert_float_equal((double)b[1] * (double)scale[1], corrected ? -error : 0, 0.01);
  }
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(bounds_stay_beside_their_operator),
    cmocka_unit_test(a_value_has_one_pair),
    cmocka_unit_test(moves_pass_numbers_on),
    cmocka_unit_test(what_is_kept_stays),
    cmocka_unit_test(means_correct_the_bias),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
