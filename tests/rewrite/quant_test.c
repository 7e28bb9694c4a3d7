/* quant_test.c: which graphs between DequantizeLinear and QuantizeLinear become integer ones, and that these differ by no more
 * than a step from what fp32 makes of the graph as it stands. */
#include "quant_fixture.h"

#define WEIGHTS "const w i8 [6,5,1,1] = {-128, 127, 3, 4, -5, 6, 7, 8, 9, 10, -11, 12, -13, 14, 15, 1, 2, 3, 4, 5, 6, 7, 8, 9, " \
  "0, -1, -2, -3, -4, -5}\nconst sw f32 [6] = {0.01, 0.02, 0.03, 0.04, 0.05, 0.06}\n"
#define CONV ACTIVATIONS WEIGHTS "xf = DequantizeLinear(x, sx, zx)\nwf = DequantizeLinear(w, sw) axis=0\n"

static void expect_fused(const char *text, const char *ops) { expect_after(text, ops, 1, true); }

#define QUANTIZED "y = QuantizeLinear(f, sy, zy)\noutput y\n"

static void convolutions(void **state) {
  (void)state;
  expect(CONV "f = Conv(xf, wf)\n" QUANTIZED, "ConvInteger|Requantize", 1);
  expect(CONV "f = Conv(xf, wf) strides=[2,1]\nh = Relu(f)\ny = QuantizeLinear(h, sy, zy)\noutput y\n",
         "ConvInteger|Requantize|Clip", 1);
  expect(CONV "const z i8 [] = {0}\nf = Conv(xf, wf)\nh = Relu(f)\ny = QuantizeLinear(h, sy)\noutput y\n",
         "ConvInteger|Requantize", 1);
  expect(CONV "f = Conv(xf, wf) pads=[1,0,2,1]\n" QUANTIZED, "ConvInteger|Requantize", 1);
  expect(CONV "const v i8 [6,1,3,2] = random 3 -128 128\nvf = DequantizeLinear(v, sy)\nrf = DequantizeLinear(r, sr, zr)\n"
         "f = Conv(rf, vf) group=6 auto_pad=\"SAME_UPPER\" dilations=[1,2]\n" QUANTIZED, "ConvInteger|Requantize", 1);
}

/* [N,C,L] and [N,C,D,H,W], whose constants a channel have as many axes. */
static void other_ranks(void **state) {
  (void)state;
  static const char lines[] =
    "graph q\ninput x u8 [2,4,9]\nconst w i8 [3,4,3] = random 1 -128 128\nconst b f32 [3] = {1, -2, 3}\nconst s f32 [] = {0.05}\n"
    "const z u8 [] = {77}\nxf = DequantizeLinear(x, s, z)\nwf = DequantizeLinear(w, s)\nf = Conv(xf, wf, b) pads=[1,1]\n"
    "y = QuantizeLinear(f, s, z)\noutput y\n";
  static const char volumes[] =
    "graph q\ninput x u8 [1,2,3,4,5]\nconst w i8 [3,2,2,3,3] = random 1 -128 128\nconst b f32 [3] = {1, -2, 3}\nconst s f32 [] = {0.05}\n"
    "const z u8 [] = {77}\nxf = DequantizeLinear(x, s, z)\nwf = DequantizeLinear(w, s)\nf = Conv(xf, wf, b) pads=[1,1,1,0,1,1]\n"
    "output f\n";
  expect(lines, "ConvInteger|Add|Requantize", 1);
  expect(volumes, "ConvInteger|Cast|Mul|Add", 1);
}

/* Bytes of either sign, zero points of weights, for all or by channel. */
static void weights_and_zeros(void **state) {
  (void)state;
  expect(CONV "const zw i8 [6] = {0, 5, 1, -128, 0, 127}\nwg = DequantizeLinear(w, sw, zw) axis=0\nf = Conv(xf, wg)\n" QUANTIZED,
         "ConvInteger|Requantize", 1);
  expect(ACTIVATIONS "input s i8 [1,5,3,3]\nconst v u8 [4,5,1,1] = random 2 0 256\nconst zv u8 [] = {130}\nconst zs i8 [] = {-7}\n"
         "sf = DequantizeLinear(s, sx, zs)\nvf = DequantizeLinear(v, sx, zv)\nf = Conv(sf, vf)\n" QUANTIZED, "ConvInteger|Requantize", 1);
}

#define INT_BIAS "const b i32 [6] = {100, -200, 30, 0, 5, -600}\nconst sb f32 [6] = {%s}\nbf = DequantizeLinear(b, sb) axis=0\n"
#define SCALES "0.0005, 0.001, 0.0015, 0.002, 0.0025, 0.003"
#define OTHER_SCALES "0.0015, 0.001, 0.0015, 0.002, 0.0025, 0.003"

static void biases(void **state) {
  (void)state;
  char text[2048];
  expect(CONV "const b f32 [6] = {1, -2, 0.3, 0, 5, -6}\nf = Conv(xf, wf, b)\n" QUANTIZED, "ConvInteger|Add|Requantize", 1);
  snprintf(text, sizeof text, CONV INT_BIAS "f = Conv(xf, wf, bf)\n" QUANTIZED, SCALES);
  expect(text, "ConvInteger|Add|Requantize", 1);
  snprintf(text, sizeof text, CONV INT_BIAS "f = Conv(xf, wf, bf)\noutput f\n", SCALES);
  expect(text, "ConvInteger|Add|Cast|Mul", 0);
  snprintf(text, sizeof text, CONV INT_BIAS "f = Conv(xf, wf, bf)\n" QUANTIZED, OTHER_SCALES);
  expect(text, "ConvInteger|Add|Requantize", 1);
  snprintf(text, sizeof text, CONV INT_BIAS "f = Conv(xf, wf, bf)\noutput f\n", OTHER_SCALES);
  expect(text, "ConvInteger|Cast|Mul|Add", 0);
  expect(CONV "const b f32 [6] = {1e9, 0, 0, 0, 0, 0}\nf = Conv(xf, wf, b)\n" QUANTIZED, "ConvInteger|Cast|Mul|Add QuantizeLinear", 1);
}

#define PRODUCT "graph q\ninput x u8 [4,5]\nconst w i8 [5,6] = random 1 -128 128\nconst sx f32 [] = {0.05}\nconst zx u8 [] = {120}\n" \
  "const s1 f32 [] = {0.02}\nconst sw f32 [6] = {0.01, 0.02, 0.03, 0.04, 0.05, 0.06}\nconst sy f32 [] = {0.11}\nconst zy u8 [] = {131}\n" \
  "xf = DequantizeLinear(x, sx, zx)\nwf = DequantizeLinear(w, sw)\nw1 = DequantizeLinear(w, s1)\n"

static void products(void **state) {
  (void)state;
  expect(PRODUCT "f = MatMul(xf, wf)\n" QUANTIZED, "MatMulInteger|Requantize", 1);
  expect(PRODUCT "f = MatMul(xf, w1)\nh = Relu(f)\ny = QuantizeLinear(h, sy, zy)\noutput y\n", "MatMulInteger|Requantize|Clip", 1);
  expect(PRODUCT "f = MatMul(xf, wf)\noutput f\n", "MatMulInteger|Cast|Mul", 0);
  expect(PRODUCT "f = Gemm(xf, wf) alpha=0.5\n" QUANTIZED, "MatMulInteger|Requantize", 1);
  expect(PRODUCT "const v i8 [6,4] = random 2 -128 128\nconst zv i8 [6] = {1, 2, 3, -4, 5, 0}\nvf = DequantizeLinear(v, sw, zv) axis=0\n"
         "f = Gemm(xf, vf) transA=1 transB=1\n" QUANTIZED, "Transpose MatMulInteger|Requantize", 1);
  expect(PRODUCT "input v u8 [4,6]\nvf = DequantizeLinear(v, sx, zx)\nf = Gemm(xf, vf) transA=1\n" QUANTIZED, "Transpose MatMulInteger|Requantize", 1);
  expect(PRODUCT "input v u8 [6,5]\nvf = DequantizeLinear(v, sx, zx)\nf = Gemm(xf, vf) transB=1\noutput f\n", "Transpose MatMulInteger|Cast|Mul", 0);
  expect("graph q\ninput x i8 [2,3,4,5]\ninput w u8 [3,5]\nconst v i8 [5] = {1, -2, 3, -4, 5}\nconst s f32 [] = {0.05}\nconst z i8 [] = {-7}\n"
         "xf = DequantizeLinear(x, s, z)\nvf = DequantizeLinear(v, s)\nf = MatMul(xf, vf)\ny = QuantizeLinear(f, s, z)\noutput y\n",
         "MatMulInteger|Requantize", 1);
}

/* C may have numbers for columns, for rows, for all, for each; alpha scales the units. */
static void biases_of_products(void **state) {
  (void)state;
  static const char *const shapes[] = {"[6]", "[1,6]", "[4,1]", "[4,6]", "[]", "[1]"};
  char text[2048];
  for (size_t i = 0; i < COUNT(shapes); i++) {
    snprintf(text, sizeof text, PRODUCT "const c f32 %s = random 5 -3 3\nf = Gemm(xf, wf, c) alpha=0.5\n" QUANTIZED, shapes[i]);
    expect(text, "MatMulInteger|Add|Requantize", 1);
    snprintf(text, sizeof text, PRODUCT "const c f32 %s = random 5 -3 3\nf = Gemm(xf, w1, c)\noutput f\n", shapes[i]);
    expect(text, "MatMulInteger|Cast|Mul|Add", 0);
    snprintf(text, sizeof text, PRODUCT "const c i32 %s = random 5 -900 900\nconst sc f32 [] = {0.001}\ncf = DequantizeLinear(c, sc)\n"
             "f = Gemm(xf, w1, cf)\noutput f\n", shapes[i]);
    expect(text, "MatMulInteger|Add|Cast|Mul", 0);
  }
  expect(PRODUCT "const c i32 [6] = {100, -200, 30, 0, 5, -600}\nconst sc f32 [6] = {" SCALES "}\ncf = DequantizeLinear(c, sc) axis=0\n"
         "f = Gemm(xf, wf, cf)\n" QUANTIZED, "MatMulInteger|Add|Requantize", 1);
  expect(PRODUCT "const c i32 [6] = {100, -200, 30, 0, 5, -600}\nconst sc f32 [6] = {" OTHER_SCALES "}\ncf = DequantizeLinear(c, sc) axis=0\n"
         "f = Gemm(xf, wf, cf)\noutput f\n", "MatMulInteger|Cast|Mul|Add", 0);
  expect(PRODUCT "const c i8 [4,6] = random 5 -99 99\nconst sc f32 [4,3] = random 6 0.01 0.1\n"
         "cf = DequantizeLinear(c, sc) block_size=2 axis=1\nf = Gemm(xf, wf, cf)\n" QUANTIZED,
         "MatMulInteger|Cast|Mul|Add QuantizeLinear", 1);
  expect(PRODUCT "input r u8 [4,6]\nc = DequantizeLinear(r, s1)\nf = Gemm(xf, wf, c)\n" QUANTIZED,
         "DequantizeLinear MatMulInteger|Cast|Mul|Add QuantizeLinear", 1);
  expect(PRODUCT "const c f32 [6] = {1e9, 0, 0, 0, 0, 0}\nf = Gemm(xf, wf, c)\n" QUANTIZED, "MatMulInteger|Cast|Mul|Add QuantizeLinear", 1);
  expect(PRODUCT "const c f32 [6] = {1, 0, 0, 0, 0, 0}\nf = Gemm(xf, wf, c) beta=0.5\n" QUANTIZED, "DequantizeLinear Gemm QuantizeLinear", 1);
}

/* What is not quantised at once is fp32 from the sums on. */
static void values(void **state) {
  (void)state;
  expect(CONV "f = Conv(xf, wf)\noutput f\n", "ConvInteger|Cast|Mul", 0);
  expect(CONV "f = Conv(xf, wf) pads=[1,1,1,1]\n" QUANTIZED "output f\n", "ConvInteger|Cast|Mul QuantizeLinear", 1);
  expect_fused(CONV "f = Conv(xf, wf) pads=[1,1,1,1]\n" QUANTIZED "output f\n", "ConvInteger|Cast|Mul Pointwise|QuantizeLinear");
  expect_fused(CONV "f = Conv(xf, wf)\nh = HardSwish(f)\ny = QuantizeLinear(h, sy, zy)\noutput y\n",
               "ConvInteger|Cast|Mul|HardSwish|QuantizeLinear");
  expect_fused(CONV "const sc f32 [6] = {1, 2, 3, 4, 5, 6}\nf = Conv(xf, wf)\ny = QuantizeLinear(f, sc)\noutput y\n",
               "ConvInteger|Cast|Mul QuantizeLinear");
}

/* A skip connection is read as the bytes that it is made of, whichever operand it is, in fp32 too. */
static void skip_connections(void **state) {
  (void)state;
  static const char *const adds[] = {"Add(f, rf)", "Add(rf, f)"};
  for (size_t i = 0; i < COUNT(adds); i++) {
    char text[2048];
    snprintf(text, sizeof text, CONV "rf = DequantizeLinear(r, sr, zr)\nf = Conv(xf, wf)\na = %s\nh = Relu(a)\n"
             "y = QuantizeLinear(h, sy, zy)\noutput y\n", adds[i]);
    expect_fused(text, "ConvInteger|Cast|Mul|AddDequantized|Relu|QuantizeLinear");
    snprintf(text, sizeof text, CONV "f = Conv(xf, wf)\nrf = DequantizeLinear(r, sr, zr)\na = %s\ny = QuantizeLinear(a, sy, zy)\n"
             "k = DequantizeLinear(y, sy, zy)\nb = Add(a, k)\noutput b\noutput y\n", adds[i]);
    expect_fused(text, "ConvInteger|Cast|Mul|AddDequantized Pointwise|QuantizeLinear Pointwise|DequantizeLinear|Add");
  }
  expect_fused(ACTIVATIONS "rf = DequantizeLinear(r, sr, zr)\nrg = DequantizeLinear(r, sx, zx)\na = Add(rf, rg)\noutput a\n",
               "Pointwise|DequantizeLinear|AddDequantized");
}

static void sums(void **state) {
  (void)state;
  expect(ACTIVATIONS "input q u8 [2,6,4,3]\nrf = DequantizeLinear(r, sr, zr)\nqf = DequantizeLinear(q, sx, zx)\nf = Add(rf, qf)\n"
         "y = QuantizeLinear(f, sy, zy)\noutput y\n", "Pointwise|QLinearAdd", 1);
  expect(ACTIVATIONS "input q u8 [2,6,4,3]\nrf = DequantizeLinear(r, sr, zr)\nqf = DequantizeLinear(q, sx, zx)\nf = Add(rf, qf)\nh = Relu(f)\n"
         "y = QuantizeLinear(h, sy, zy)\noutput y\n", "Pointwise|QLinearAdd|Clip", 1);
}

/* What another convolution quantises is added as bytes, too, where one makes floats. */
static void shortcuts_of_convolutions(void **state) {
  (void)state;
  expect_fused(CONV "f = Conv(xf, wf)\nh = Conv(xf, wf)\nq = QuantizeLinear(h, sr, zr)\nd = DequantizeLinear(q, sr, zr)\na = Add(d, f)\n"
               "y = QuantizeLinear(a, sy, zy)\noutput y\n",
               "ConvInteger|Requantize ConvInteger|Cast|Mul|AddDequantized|QuantizeLinear");
}

/* A sum of bytes is a step of the convolution that makes one of its operands, the later one. */
static void sums_behind_convolutions(void **state) {
  (void)state;
  static const char *const adds[] = {"Add(c, rf)", "Add(rf, c)", "Add(c, d)", "Add(d, c)"};
  for (size_t i = 0; i < COUNT(adds); i++) {
    char text[2048];
    snprintf(text, sizeof text, CONV "rf = DequantizeLinear(r, sr, zr)\nf = Conv(xf, wf)\nq = QuantizeLinear(f, sy, zy)\n"
             "c = DequantizeLinear(q, sy, zy)\nh = Conv(xf, wf)\np = QuantizeLinear(h, sr, zr)\nd = DequantizeLinear(p, sr, zr)\n"
             "a = %s\nm = Relu(a)\ny = QuantizeLinear(m, sx, zx)\noutput y\n", adds[i]);
    expect_after(text, i < 2 ? "ConvInteger|Requantize|QLinearAdd|Clip" : "ConvInteger|Requantize ConvInteger|Requantize|QLinearAdd|Clip", 3, true);
  }
}

/* What has no form of its own stays. */
static void others_stay(void **state) {
  (void)state;
  expect(CONV "h = Softmax(xf)\ny = QuantizeLinear(h, sy, zy)\noutput y\n", "DequantizeLinear Softmax QuantizeLinear", 0);
  expect(CONV "const v f32 [6,5,1,1] = splat 0.5\nf = Conv(xf, v)\n" QUANTIZED, "DequantizeLinear Conv QuantizeLinear", 0);
  expect(CONV "input v i8 [6,5,1,1]\nvf = DequantizeLinear(v, sy)\nf = Conv(xf, vf)\n" QUANTIZED,
         "DequantizeLinear DequantizeLinear Conv QuantizeLinear", 0);
  expect(CONV "const sc f32 [5] = {1, 2, 3, 4, 5}\nwg = DequantizeLinear(w, sc) axis=1\nf = Conv(xf, wg)\n" QUANTIZED,
         "DequantizeLinear Conv QuantizeLinear", 0);
}

/* The operators in fp32, and why. */
static void expect_floats(const char *text, const char *floats) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = shaped(cx, text);
  Buffer list = {0};
  pass_quant(g);
  for (const FloatNode *n = g->in_fp32; n < g->in_fp32 + g->n_in_fp32; n++) buffer_printf(&list, "%s: %s\n", op_info[n->op].name, n->reason);
  assert_string_equal(list.data ? list.data : "", floats);
  buffer_free(&list);
  context_free(cx);
}

static void what_stays_in_fp32(void **state) {
  (void)state;
  expect_floats(CONV "f = Conv(xf, wf)\n" QUANTIZED, "");
  expect_floats(CONV "f = Conv(xf, wf)\nh = Add(f, f)\ny = QuantizeLinear(h, sy, zy)\noutput y\n", "Add: the first input is not quantised\n");
  expect_floats(CONV "const v f32 [6,5,1,1] = splat 0.5\nf = Conv(xf, v)\n" QUANTIZED, "Conv: the weights are not quantised\n");
  expect_floats(CONV "input v i8 [6,5,1,1]\nvf = DequantizeLinear(v, sy)\nf = Conv(xf, vf)\n" QUANTIZED, "Conv: the weights are not constant\n");
  expect_floats(CONV "const sc f32 [5] = {1, 2, 3, 4, 5}\nxg = DequantizeLinear(x, sc)\nf = Conv(xg, wf)\n" QUANTIZED,
                "Conv: the input is quantised with more than one scale\n");
  expect_floats(CONV "input t u16 [2,5,4,3]\ntf = DequantizeLinear(t, sx)\nf = Conv(tf, wf)\n" QUANTIZED, "Conv: the input is quantised to u16\n");
  expect_floats(CONV "f = MaxPool(xf) kernel_shape=[2,2]\noutput f\n", "MaxPool: the result is an output\n");
  expect_floats(CONV "f = Sigmoid(xf)\ny = QuantizeLinear(f, sy, zy)\noutput y\nh = Add(f, xf)\noutput h\n",
                "Sigmoid: the result is not quantised\nAdd: the first input is not quantised\n");
  expect_floats(CONV "f = Relu(xf)\ny = QuantizeLinear(f, sy, zy)\nz = QuantizeLinear(f, sr, zr)\noutput y\noutput z\n", "");
  expect_floats("graph f\ninput x f32 [2,5,4,3]\ny = Relu(x)\noutput y\n", "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(convolutions),
    cmocka_unit_test(other_ranks),
    cmocka_unit_test(weights_and_zeros),
    cmocka_unit_test(biases),
    cmocka_unit_test(products),
    cmocka_unit_test(biases_of_products),
    cmocka_unit_test(values),
    cmocka_unit_test(skip_connections),
    cmocka_unit_test(shortcuts_of_convolutions),
    cmocka_unit_test(sums),
    cmocka_unit_test(sums_behind_convolutions),
    cmocka_unit_test(others_stay),
    cmocka_unit_test(what_stays_in_fp32),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
