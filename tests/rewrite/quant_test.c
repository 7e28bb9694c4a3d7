/* quant_test.c: which graphs between DequantizeLinear and QuantizeLinear become integer ones, and that these differ by no more
 * than a step from what fp32 makes of the graph as it stands. */
#include "fixture.h"

#include <math.h>

#define ACTIVATIONS "graph q\ninput x u8 [2,5,4,3]\ninput r u8 [2,6,4,3]\n" \
  "const sx f32 [] = {0.05}\nconst zx u8 [] = {120}\nconst sr f32 [] = {0.07}\nconst zr u8 [] = {3}\n" \
  "const sy f32 [] = {0.11}\nconst zy u8 [] = {131}\n"
#define WEIGHTS "const w i8 [6,5,1,1] = {-128, 127, 3, 4, -5, 6, 7, 8, 9, 10, -11, 12, -13, 14, 15, 1, 2, 3, 4, 5, 6, 7, 8, 9, " \
  "0, -1, -2, -3, -4, -5}\nconst sw f32 [6] = {0.01, 0.02, 0.03, 0.04, 0.05, 0.06}\n"
#define CONV ACTIVATIONS WEIGHTS "xf = DequantizeLinear(x, sx, zx)\nwf = DequantizeLinear(w, sw) axis=0\n"

static Graph *shaped(Context *cx, const char *text) {
  Graph *g = text_parse(cx, &lax_options, text);
  pass_shape(g);
  verify(g, "shape");
  return g;
}

static const void **byte_inputs(Graph *g) {
  uint64_t state = 7;
  const void **in = alloc_n(g->cx, (size_t)g->n_input, sizeof *in);
  for (int i = 0; i < g->n_input; i++) {
    int64_t n = shape_count(&g->input[i]->shape);
    uint8_t *x = alloc_n(g->cx, (size_t)n, 1);
    for (int64_t k = 0; k < n; k++) x[k] = (uint8_t)random_bits(&state);
    in[i] = x;
  }
  return in;
}

/* The operators that the pass leaves, folded; results differ by `steps` at most. */
static void expect(const char *text, const char *ops, int steps) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *before = shaped(cx, text), *g = shaped(cx, text);
  pass_quant(g);
  verify(g, "quant");
  pass_fold(g);
  verify(g, "fold");
  assert_string_equal(ops_text(g), ops);
  void *want[2], *got[2];
  eval_graph(before, byte_inputs(before), want);
  eval_graph(g, byte_inputs(g), got);
  const Value *y = g->output[0];
  for (int64_t i = 0; i < shape_count(&y->shape); i++) {
    double a = get_number(y->type, want[0], i).i, b = get_number(y->type, got[0], i).i;
    if (fabs(a - b) > steps) fail_msg("element %lld is %g, not %g", (long long)i, b, a);
  }
  context_free(cx);
}

static void convolutions_of_one_pixel(void **state) {
  (void)state;
  expect(CONV "f = Conv(xf, wf)\ny = QuantizeLinear(f, sy, zy)\noutput y\n", "ConvInteger|Add|Requantize", 1);
  expect(CONV "f = Conv(xf, wf) strides=[2,1]\nh = Relu(f)\ny = QuantizeLinear(h, sy, zy)\noutput y\n",
         "ConvInteger|Add|Requantize|Clip", 1);
  expect(CONV "const z i8 [] = {0}\nf = Conv(xf, wf)\nh = Relu(f)\ny = QuantizeLinear(h, sy)\noutput y\n",
         "ConvInteger|Add|Requantize", 1);
}

static void biases(void **state) {
  (void)state;
  expect(CONV "const b f32 [6] = {1, -2, 0.3, 0, 5, -6}\nf = Conv(xf, wf, b)\ny = QuantizeLinear(f, sy, zy)\noutput y\n",
         "ConvInteger|Add|Requantize", 1);
  expect(CONV "const b i32 [6] = {100, -200, 30, 0, 5, -600}\nconst sb f32 [6] = {0.0005, 0.001, 0.0015, 0.002, 0.0025, 0.003}\n"
         "const zb i32 [6] = {0, 0, 0, 0, 0, 0}\nbf = DequantizeLinear(b, sb, zb) axis=0\nf = Conv(xf, wf, bf)\ny = QuantizeLinear(f, sy, zy)\noutput y\n",
         "ConvInteger|Add|Requantize", 1);
}

static void sums(void **state) {
  (void)state;
  expect(ACTIVATIONS "rf = DequantizeLinear(r, sr, zr)\nf = Add(rf, rf)\ny = QuantizeLinear(f, sy, zy)\noutput y\n",
         "Pointwise|QLinearAdd", 1);
  expect(ACTIVATIONS "rf = DequantizeLinear(r, sr, zr)\nrg = DequantizeLinear(r, sx, zx)\nf = Add(rf, rg)\nh = Relu(f)\n"
         "y = QuantizeLinear(h, sy, zy)\noutput y\n", "Pointwise|QLinearAdd|Clip", 1);
}

/* What has no kernel on integers, or no form of its own, stays. */
static void others_stay(void **state) {
  (void)state;
  expect(CONV "f = Conv(xf, wf)\noutput f\n", "DequantizeLinear Conv", 0);
  expect(CONV "f = Conv(xf, wf)\nh = Sigmoid(f)\ny = QuantizeLinear(h, sy, zy)\noutput y\n",
         "DequantizeLinear Conv Sigmoid QuantizeLinear", 0);
  expect(CONV "f = Conv(xf, wf) pads=[1,0,0,0]\ny = QuantizeLinear(f, sy, zy)\noutput y\n",
         "DequantizeLinear Conv QuantizeLinear", 0);
  expect(CONV "f = Conv(xf, wf)\ny = QuantizeLinear(f, sy, zy)\noutput y\noutput f\n", "DequantizeLinear Conv QuantizeLinear", 0);
  expect(CONV "const zw i8 [6] = {0, 0, 1, 0, 0, 0}\nwg = DequantizeLinear(w, sw, zw) axis=0\nf = Conv(xf, wg)\n"
         "y = QuantizeLinear(f, sy, zy)\noutput y\n", "DequantizeLinear Conv QuantizeLinear", 0);
  expect(CONV "const b f32 [6] = {1e9, 0, 0, 0, 0, 0}\nf = Conv(xf, wf, b)\ny = QuantizeLinear(f, sy, zy)\noutput y\n",
         "DequantizeLinear Conv QuantizeLinear", 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(convolutions_of_one_pixel),
    cmocka_unit_test(biases),
    cmocka_unit_test(sums),
    cmocka_unit_test(others_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
