/* quant_maps_test.c: which operators, neither convolutions nor products, work on integers between DequantizeLinear and QuantizeLinear,
 * and that these differ by no more than a step from what fp32 makes of the graph as it stands. */
#include "quant_fixture.h"

#define TWO ACTIVATIONS "input q u8 [2,6,4,3]\ninput s u8 [2,6,1,1]\nrf = DequantizeLinear(r, sr, zr)\nqf = DequantizeLinear(q, sx, zx)\nsf = DequantizeLinear(s, sx, zr)\n"
#define OUT "y = QuantizeLinear(f, sy, zy)\noutput y\n"

static void products(void **state) {
  (void)state;
  expect(TWO "f = Mul(rf, qf)\n" OUT, "Pointwise|QLinearMul", 1);
  expect(TWO "f = Mul(sf, qf)\n" OUT, "Pointwise|QLinearMul", 1);
  expect(TWO "g = Mul(qf, sf)\nf = Relu(g)\n" OUT, "Pointwise|QLinearMul|Clip", 1);
  expect(TWO "const k u8 [] = {7}\nkf = DequantizeLinear(k, sx)\nf = Mul(qf, kf)\n" OUT, "Pointwise|Lookup", 1);
  expect(TWO "f = Mul(rf, qf)\n" OUT "output f\n", "DequantizeLinear DequantizeLinear Mul QuantizeLinear", 1);
}

static void check_sum(const char *sum, const char *text) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = shaped(cx, format_text(cx, TWO "input w u8 [1,1,4,3]\nwf = DequantizeLinear(w, sr)\nf = %s\n" OUT, sum));
  pass_quant(g);
  pass_fold(g);
  assert_non_null(strstr(graph_text(g), text));
  context_free(cx);
}

/* Of two operands the one that stays the same along the innermost axis counts as the second; the step is on the one of the result's
 * shape. */
static void order_of_operands(void **state) {
  (void)state;
  static const struct { const char *sum, *text; } rows[] = {
    {"Add(rf, qf)", "Pointwise(r, q) | QLinearAdd(@1, "}, {"Add(qf, rf)", "Pointwise(q, r) | QLinearAdd(@1, "},
    {"Add(sf, qf)", "Pointwise(q, s) | QLinearAdd(@1, "}, {"Add(qf, sf)", "Pointwise(q, s) | QLinearAdd(@1, "},
    {"Add(wf, qf)", "Pointwise(q, w) | ~QLinearAdd(@1, "}, {"Add(qf, wf)", "Pointwise(q, w) | QLinearAdd(@1, "},
  };
  for (size_t i = 0; i < COUNT(rows); i++) check_sum(rows[i].sum, rows[i].text);
}

static void pools(void **state) {
  (void)state;
  expect(TWO "f = GlobalAveragePool(rf)\n" OUT, "GlobalSumPool|Requantize", 1);
  expect(TWO "g = GlobalAveragePool(rf)\nf = Relu(g)\n" OUT, "GlobalSumPool|Requantize|Clip", 1);
  expect(TWO "const a i64 [2] = {2, 3}\nf = ReduceMean(rf, a)\n" OUT, "GlobalSumPool|Requantize", 1);
  expect(TWO "const a i64 [2] = {-1, 2}\ng = ReduceMean(rf, a) keepdims=0\nf = Relu(g)\n" OUT, "GlobalSumPool|Requantize|Clip Reshape", 1);
  expect(TWO "const a i64 [2] = {1, 2}\nf = ReduceMean(rf, a)\n" OUT, "DequantizeLinear ReduceMean QuantizeLinear", 0);
  expect(TWO "f = AveragePool(rf) kernel_shape=[4,3]\n" OUT, "GlobalSumPool|Requantize", 1);
  expect(TWO "g = AveragePool(rf) kernel_shape=[2,3] pads=[1,0,0,1]\nf = Clip(g)\n" OUT, "QuantizedAveragePool", 1);
  expect(TWO "g = AveragePool(rf) kernel_shape=[2,3] pads=[1,0,0,1] count_include_pad=1\nf = Relu(g)\n" OUT, "QuantizedAveragePool|Clip", 1);
  expect(TWO "f = MaxPool(rf) kernel_shape=[2,2]\ny = QuantizeLinear(f, sr, zr)\noutput y\n", "MaxPool", 0);
  expect(TWO "f = MaxPool(rf) kernel_shape=[2,2]\n" OUT, "Pointwise|Lookup MaxPool", 0);
}

static void joined(void **state) {
  (void)state;
  expect(TWO "f = Concat(rf, qf) axis=1\ny = QuantizeLinear(f, sr, zr)\noutput y\n", "Pointwise|Lookup Concat", 0);
  expect(TWO "f = Concat(rf, rf) axis=2\ny = QuantizeLinear(f, sr, zr)\noutput y\n", "Concat", 0);
  expect(TWO "g = Concat(rf, qf) axis=1\nf = Relu(g)\ny = QuantizeLinear(f, sr, zr)\noutput y\n", "Pointwise|Lookup Pointwise|Lookup Concat", 0);
}

/* In one table, whatever stands between and whoever else reads it. */
static void functions(void **state) {
  (void)state;
  expect(TWO "f = Sigmoid(rf)\n" OUT, "Pointwise|Lookup", 0);
  expect(TWO "f = LeakyRelu(rf) alpha=0.1\n" OUT, "Pointwise|Lookup", 0);
  expect(TWO "g = Sigmoid(rf)\nf = Mul(g, rf)\n" OUT, "Pointwise|Lookup", 0);
  expect(TWO "const t f32 [1,1,1,1] = {3}\nconst h f32 [] = {6}\nconst z f32 [] = {0}\na = Add(rf, t)\nc = Clip(a, z, h)\nd = Div(c, h)\nf = Mul(rf, d)\n" OUT,
         "Pointwise|Lookup", 0);
  expect(TWO "g = Sigmoid(rf)\ns8 = QuantizeLinear(g, sx)\nt = DequantizeLinear(s8, sx)\nf = Mul(rf, t)\n" OUT, "Pointwise|Lookup", 1);
  expect(TWO "f = Tanh(rf)\n" OUT "output f\n", "DequantizeLinear Tanh Pointwise|Lookup", 0);
  expect(TWO "y = QuantizeLinear(rf, sx, zx)\noutput y\n", "Pointwise|Lookup", 0);
  expect(TWO "f = Relu(rf)\nconst z u8 [] = {131}\ny = QuantizeLinear(f, sr, z)\noutput y\n", "Pointwise|Lookup", 0);
  expect(TWO "y = QuantizeLinear(rf, sr, zr)\noutput y\n", "Identity", 0);
  expect(TWO "y = QuantizeLinear(rf, sr, zr)\nz = QuantizeLinear(rf, sx, zx)\nzf = DequantizeLinear(z, sx, zx)\nf = Sigmoid(zf)\nv = QuantizeLinear(f, sx)\noutput v\n",
         "Pointwise|Lookup", 0);
}

/* In fp32, 0.2 x + 0.5 is 0.125 for x = -1.875, and x times that lies halfway between two steps; rounded once it is less. */
static void a_table_rounds_each_operation(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = shaped(cx, "graph q\ninput x u8 [1]\nconst s f32 [] = {0.015625}\nconst z u8 [] = {128}\nconst sy f32 [] = {0.03125}\n"
                        "const zy u8 [] = {255}\nf = DequantizeLinear(x, s, z)\nh = HardSigmoid(f)\np = Mul(f, h)\n"
                        "y = QuantizeLinear(p, sy, zy)\noutput y\n");
  pass_quant(g);
  assert_string_equal(ops_text(g), "Pointwise|Lookup");
  const uint8_t x = 8;
  void *y[1];
  eval_graph(g, (const void *[]){&x}, y);
  assert_int_equal(*(uint8_t *)y[0], 247);
  context_free(cx);
}

/* What is no function of one number, or of more than one. */
static void others_stay(void **state) {
  (void)state;
  expect(TWO "f = Softmax(rf)\n" OUT, "DequantizeLinear Softmax QuantizeLinear", 0);
  expect(TWO "g = Sigmoid(qf)\nf = Mul(g, rf)\n" OUT, "DequantizeLinear DequantizeLinear Sigmoid Mul QuantizeLinear", 0);
  expect(TWO "const c f32 [6,1,1] = {1, 2, 3, 4, 5, 6}\nf = Mul(rf, c)\n" OUT, "DequantizeLinear Mul QuantizeLinear", 0);
  expect(TWO "const p f32 [6] = {1, 2, 3, 4, 5, 6}\nf = DequantizeLinear(r, p)\n" OUT, "DequantizeLinear QuantizeLinear", 0);
}

/* The steps become those of what makes an operand: the one that is made last. Results stay. */
static void expect_fused(const char *text, const char *ops) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *before = shaped(cx, text), *g = shaped(cx, text);
  pass_fuse(g);
  verify(g, "fuse");
  assert_string_equal(ops_text(g), ops);
  void *want[2], *got[2];
  eval_graph(before, byte_inputs(before), want);
  eval_graph(g, byte_inputs(g), got);
  for (int i = 0; i < g->n_output; i++) assert_memory_equal(got[i], want[i], value_bytes(g->output[i]));
  context_free(cx);
}

static void steps_of_others(void **state) {
  (void)state;
#define CONVS "input x u8 [2,5,4,3]\ninput r u8 [2,6,4,3]\nconst w i8 [6,5,1,1] = random 1 -128 127\nconst m f32 [6,1,1] = random 2 0.001 0.01\n" \
  "const t u8 [256] = random 3 0 255\nc = ConvInteger(x, w, _, _, m) | Requantize(@4, 3) u8\n"
  expect_fused(CONVS "y = Pointwise(c, r) | QLinearAdd(@1, 0.5, 0.25, 3) | Clip(3, 200)\noutput y\n", "ConvInteger|Requantize|QLinearAdd|Clip");
  expect_fused(CONVS "y = Pointwise(r, c) | QLinearAdd(@1, 0.5, 0.25, 3)\noutput y\n", "ConvInteger|Requantize|QLinearAdd");
  expect_fused(CONVS "y = Pointwise(c, t) | Lookup(@1)\noutput y\n", "ConvInteger|Requantize|Lookup");
  expect_fused(CONVS "y = Pointwise(c, r) | ~QLinearMul(@1, 0.01, 4, 5, 6)\nz = Pointwise(y, t) | Lookup(@1)\noutput z\n",
               "ConvInteger|Requantize|QLinearMul|Lookup");
  expect_fused(CONVS "d = ConvInteger(x, w, _, _, m) | Requantize(@4, 9) u8\ny = Pointwise(c, d) | QLinearAdd(@1, 0.5, 0.25, 3)\noutput y\n",
               "ConvInteger|Requantize ConvInteger|Requantize|QLinearAdd");
  expect_fused(CONVS "s = GlobalSumPool(r)\nq = Pointwise(s) | Add(@0)\nk = Pointwise(c, r) | QLinearAdd(@1, 0.5, 0.25, 3)\noutput k\noutput q\n",
               "ConvInteger|Requantize|QLinearAdd GlobalSumPool Pointwise|Add");
  expect_fused(CONVS "y = Pointwise(c, t) | Lookup(@1)\noutput y\noutput c\n", "ConvInteger|Requantize Pointwise|Lookup");
  expect_fused(CONVS "p = MaxPool(c) kernel_shape=[2,2] pads=[1,1,0,0]\ny = Pointwise(p, t) | Lookup(@1)\noutput y\n", "ConvInteger|Requantize MaxPool Pointwise|Lookup");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(products), cmocka_unit_test(order_of_operands), cmocka_unit_test(pools),
    cmocka_unit_test(joined), cmocka_unit_test(functions), cmocka_unit_test(a_table_rounds_each_operation), cmocka_unit_test(others_stay), cmocka_unit_test(steps_of_others),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
