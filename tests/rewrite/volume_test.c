/* volume_test.c: volumes are kept as frames, and kernels of some depth meet stacks of them. The results
 * stay. */
#include "lower.h"
#include "fixture.h"

#define X "graph volumes\ninput x f32 [2,6,4,5,5]\n"
#define W "const w f32 [6,6,3,3,3] = random 1 -0.3 0.3\n"
#define FLAT "const v f32 [6,6,1,3,3] = random 2 -0.3 0.3\n"
#define IN "Transpose Reshape "
#define OUT " Reshape Transpose"

static void expect(const char *text, const char *ops) { expect_ops(&lax_options, pass_volume, text, ops); }

static void frames_are_stacked(void **state) {
  (void)state;
  expect(X W "y = Conv(x, w) pads=[1,1,1,1,1,1]\noutput y\n", IN "Unfold Conv" OUT);
  expect(X W "y = Conv(x, w) strides=[2,1,1] dilations=[1,2,2] | Relu\noutput y\n",
         IN "Unfold Conv|Relu" OUT);
  expect(X FLAT "y = Conv(x, v)\noutput y\n", IN "Conv" OUT);
  expect(X FLAT "y = Conv(x, v) strides=[2,1,1]\noutput y\n", IN "Unfold Conv" OUT);
}

/* Of a single frame the outer taps meet padding alone. */
static void taps_without_a_frame_go(void **state) {
  (void)state;
  expect("graph g\ninput x f32 [1,6,1,5,5]\n" W "y = Conv(x, w) pads=[1,1,1,1,1,1]\noutput y\n",
         IN "Conv" OUT);
  expect("graph g\ninput x f32 [1,6,2,5,5]\n" W "y = Conv(x, w) pads=[2,1,1,2,1,1] strides=[3,1,1]\n"
                                                "output y\n",
         IN "Unfold Conv" OUT);
}

static void groups_add_up_tap_by_tap(void **state) {
  (void)state;
  expect(X "const w f32 [6,1,3,3,3] = random 1 -0.3 0.3\nconst s f32 [6,1,1,1] = random 2 -1 1\n"
           "y = Conv(x, w, _, s) pads=[1,1,1,1,1,1] group=6 | Mul(@3) | Relu\noutput y\n",
         IN "Unfold Conv Unfold Conv|Add Unfold Conv|Add|Mul|Relu" OUT);
}

/* Of bytes, outside of the volume with their zero point; the sums of taps are integers. */
static void integers_are_stacked_too(void **state) {
  (void)state;
#define QUANTIZED "Pointwise|QuantizeLinear "
#define INTEGERS X "q = Pointwise(x) | QuantizeLinear(0.01, 9) u8\nconst z u8 [] = {9}\nconst m f32 [6,1,1,1] = splat 0.01\n"
  expect(INTEGERS "const w i8 [6,6,3,3,3] = random 1 -128 128\nconst v i8 [6] = random 2 -9 9\n"
         "y = ConvInteger(q, w, z, v, m) pads=[1,1,1,1,1,1] | Requantize(@4, 3) u8\n"
         "p = MaxPool(y) kernel_shape=[2,2,2]\nr = Pointwise(p, p) | QLinearAdd(@1, 0.5, 0.25, 2) u8\ns = Pointwise(r) | DequantizeLinear(0.01, 0) f32\noutput s\n",
         QUANTIZED IN "Unfold ConvInteger|Requantize MaxPool Pointwise|QLinearAdd Pointwise|DequantizeLinear" OUT);
  expect(INTEGERS "const w i8 [6,2,2,1,1] = random 1 -128 128\ny = ConvInteger(q, w, z, _, m) group=3 | Cast f32 | Mul(@4)\noutput y\n",
         QUANTIZED IN "Unfold ConvInteger Unfold ConvInteger|Add|Cast|Mul" OUT);
  expect(INTEGERS "input a f32 []\nconst w i8 [6,6,1,1,1] = random 1 -128 128\nr = Pointwise(a) | QuantizeLinear(0.01) u8\n"
         "y = ConvInteger(q, w, r) | Cast f32\noutput y\n", QUANTIZED QUANTIZED "ConvInteger|Cast");
}

static void chains_stay_frames(void **state) {
  (void)state;
  expect(X "input q f32 [2,6,4,3,3]\n" W FLAT "y = Conv(x, v) | Relu\n"
                                              "z = Conv(y, w, _, q) pads=[1,1,1,1,1,1] | Add(@3)\n"
                  "p = MaxPool(z) kernel_shape=[1,2,2]\nc = Concat(p, p) axis=1\nr = Pointwise(c) | Sigmoid\n"
                  "output r\n",
         IN "Conv|Relu " IN "Unfold Conv|Add MaxPool Concat Pointwise|Sigmoid" OUT);
  expect(X FLAT "y = Conv(x, v)\nm = GlobalAveragePool(y)\noutput m\n",
         IN "Conv GlobalAveragePool Reshape AveragePool Reshape");
}

/* 20 channels between two convolutions become 32, of which 12 meet zeros. */
static void channels_fill_blocks(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, X "const u f32 [20,6,1,3,3] = random 1 -0.3 0.3\n"
                                          "const b f32 [20] = random 2 -1 1\n"
                      "const w f32 [7,20,3,1,1] = random 3 -0.3 0.3\ny = Conv(x, u, b) | Relu\n"
                      "z = Conv(y, w) pads=[1,0,0,1,0,0]\n"
                      "output z\n", pass_volume);
  assert_string_equal(ops_text(g), IN "Conv|Relu Unfold Conv" OUT);
  assert_int_equal(g->node[2]->out[0]->shape.d[1], 32);
  assert_int_equal(g->node[4]->in[1]->shape.d[1], 96);
  context_free(cx);
}

static void others_stay_volumes(void **state) {
  (void)state;
  expect(X "y = MaxPool(x) kernel_shape=[1,2,2]\noutput y\n", "MaxPool");
  expect(X "input w f32 [6,6,3,3,3]\ny = Conv(x, w)\noutput y\n", "Conv");
  expect(X FLAT "y = Conv(x, v)\np, i = MaxPool(y) kernel_shape=[2,2,2]\noutput p\noutput i\n", IN "Conv" OUT " MaxPool");
}

/* Transposed convolutions of stride 2, whose parts are every other frame. */
static void interleaved_volumes_are_interleaved_frames(void **state) {
  (void)state;
#define PARTS "a = Conv(x, v)\nb = Conv(x, u)\n"
#define TWO FLAT "const u f32 [6,6,1,3,3] = random 3 -0.3 0.3\n" PARTS
  expect(X TWO "y = Interleave(a, b) strides=[2,1,1]\noutput y\n", IN "Conv Conv Interleave" OUT);
  expect(X TWO "y = Interleave(a, b, b, a) strides=[2,1,2]\noutput y\n", IN "Conv Conv Interleave" OUT);
  expect("graph g\ninput x f32 [1,6,4,5,5]\n" TWO "c = MaxPool(b) kernel_shape=[2,1,1]\n"
         "y = Interleave(a, c) strides=[2,1,1]\noutput y\n", IN "Conv Conv MaxPool Interleave" OUT);
  expect("graph g\ninput x f32 [2,6,4,5,5]\n" TWO "c = MaxPool(b) kernel_shape=[2,1,1]\n"
         "y = Interleave(a, c) strides=[2,1,1]\noutput y\n", IN "Conv" OUT " Conv MaxPool" OUT " Interleave");
}

static void pools_take_frames(void **state) {
  (void)state;
  static const char *const pools[] = {
    "MaxPool(y) kernel_shape=[2,2,2] strides=[2,2,2]", "MaxPool(y) kernel_shape=[3,3,3] strides=[2,1,1] pads=[1,1,1,1,0,1]",
    "MaxPool(y) kernel_shape=[2,1,1] dilations=[3,1,1]", "MaxPool(y) kernel_shape=[1,2,1] strides=[3,1,1]",
    "AveragePool(y) kernel_shape=[3,2,2] strides=[2,2,1] pads=[1,0,1,1,0,1] count_include_pad=1",
    "AveragePool(y) kernel_shape=[3,2,2] strides=[3,2,1] pads=[2,0,1,0,0,1] ceil_mode=1",
  };
  for (size_t i = 0; i < COUNT(pools); i++) {
    const char *op = *pools[i] == 'M' ? "MaxPool" : "AveragePool";
    char text[512], ops[64];
    snprintf(text, sizeof text, X FLAT "y = Conv(x, v)\np = %s\noutput p\n", pools[i]);
    snprintf(ops, sizeof ops, IN "Conv %s" OUT, op);
    expect(text, ops);
  }
  expect(X FLAT "y = Conv(x, v)\np = LpPool(y) kernel_shape=[2,2,2] p=3\nm = GlobalLpPool(p)\noutput m\n",
         IN "Conv LpPool GlobalLpPool Reshape LpPool Reshape");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(frames_are_stacked),
    cmocka_unit_test(taps_without_a_frame_go),
    cmocka_unit_test(groups_add_up_tap_by_tap),
    cmocka_unit_test(integers_are_stacked_too),
    cmocka_unit_test(chains_stay_frames),
    cmocka_unit_test(channels_fill_blocks),
    cmocka_unit_test(others_stay_volumes),
    cmocka_unit_test(interleaved_volumes_are_interleaved_frames),
    cmocka_unit_test(pools_take_frames),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
