/* moves_test.c: padding into windows, transpositions cancelled or brought to the input, means as pools,
 * shortcuts. */
#include "fixture.h"

static void moves(Graph *g) {
  pass_fold(g);
  pass_moves(g);
  pass_fold(g);
}

static void expect(const char *text, const char *ops) {
  expect_ops(&lax_options, moves, text, ops);
}

#define HEAD \
  "input x f32 [1,4,6,7]\n" \
  "const w f32 [4,4,3,3] = random 1 -0.3 0.3\n" \
  "const pad i64 [8] = {0,0,1,2,0,0,0,1}\n" \
  "const hw i64 [2] = {2,-1}\n" \
  "const inf f32 [] = {-inf}\nconst half f32 [] = {0.5}\n"

static void padding_into_convolutions(void **state) {
  (void)state;
  expect(HEAD "p = Pad(x, pad)\ny = Conv(p, w)\noutput y\n", "Conv");
  expect(HEAD "p = Pad(x, pad)\ny = Conv(p, w) pads=[1,0,0,2] strides=[2,2]\noutput y\n", "Conv");
  expect(HEAD "p = Pad(x, pad) mode=\"constant\"\ny = Conv(p, w)\nz = Conv(p, w) auto_pad=\"SAME_UPPER\"\n"
         "output y\n"
         "output z\n", "Conv Conv");
  expect("input x f32 [1,4,9]\nconst w f32 [4,4,3] = random 1 -1 1\nconst pad i64 [2] = {1,2}\n"
         "const axes i64 [1] = {-1}\n"
         "p = Pad(x, pad, _, axes)\ny = Conv(p, w) pads=[1,0]\noutput y\n", "Conv");
}

static void padding_that_is_not_zeros_stays(void **state) {
  (void)state;
  expect(HEAD "p = Pad(x, pad, half)\ny = Conv(p, w)\noutput y\n", "Pad Conv");
  expect(HEAD "p = Pad(x, pad) mode=\"reflect\"\ny = Conv(p, w)\noutput y\n", "Pad Conv");
  expect(HEAD "const crop i64 [8] = {0,0,-1,0,0,0,0,0}\np = Pad(x, crop)\ny = Conv(p, w)\n"
         "output y\n", "Pad Conv");
  expect(HEAD "const far i64 [8] = {0,1,1,0,0,-1,0,0}\np = Pad(x, far)\ny = Conv(p, w)\n"
         "output y\n", "Pad Conv");
  expect(HEAD "p = Pad(x, pad)\ny = Conv(p, w)\noutput p\noutput y\n", "Pad Conv");
}

static void padding_into_pools(void **state) {
  (void)state;
  expect(HEAD "p = Pad(x, pad)\ny = AveragePool(p) kernel_shape=[3,3]\noutput y\n", "AveragePool");
  expect(HEAD "p = Pad(x, pad)\ny = AveragePool(p) kernel_shape=[3,3] pads=[1,0,0,0]\n"
         "output y\n", "Pad AveragePool");
  expect(HEAD "p = Pad(x, pad)\ny = AveragePool(p) kernel_shape=[3,3] pads=[1,0,0,0] count_include_pad=1\n"
         "output y\n",
         "AveragePool");
  expect(HEAD "p = Pad(x, pad)\ny = AveragePool(p) kernel_shape=[3,3] strides=[2,2] ceil_mode=1\noutput y\n",
         "Pad AveragePool");
  expect(HEAD "p = Pad(x, pad, inf)\ny = MaxPool(p) kernel_shape=[3,3]\noutput y\n", "MaxPool");
  expect(HEAD "p = Pad(x, pad)\ny = MaxPool(p) kernel_shape=[3,3]\noutput y\n", "Pad MaxPool");
  expect(HEAD "r = Relu(x)\np = Pad(r, pad)\ny = MaxPool(p) kernel_shape=[3,3] pads=[0,0,1,1]\n"
         "output y\n", "Relu MaxPool");
  expect(HEAD "p = Pad(x, pad, inf)\ny = MaxPool(p) kernel_shape=[2,2]\noutput y\n", "Pad MaxPool");
}

static void means_as_pools(void **state) {
  (void)state;
  expect(HEAD "y = ReduceMean(x, hw)\noutput y\n", "GlobalAveragePool");
  expect(HEAD "y = ReduceMean(x, hw) keepdims=0\noutput y\n", "GlobalAveragePool Reshape");
  expect(HEAD "y = ReduceMax(x, hw)\noutput y\n", "GlobalMaxPool");
  expect(HEAD "y = ReduceL1(x, hw)\noutput y\n", "GlobalLpPool");
  expect(HEAD "y = ReduceL2(x, hw) keepdims=0\noutput y\n", "GlobalLpPool Reshape");
  expect(HEAD "y = ReduceSum(x, hw) keepdims=0\noutput y\n", "GlobalAveragePool Mul Reshape");
  expect(HEAD "y = ReduceMin(x, hw)\noutput y\n", "ReduceMin");
  expect(HEAD "const c i64 [1] = {1}\ny = ReduceMean(x, c)\nz = ReduceMean(x, c) keepdims=0\noutput y\n"
         "output z\n",
         "ReduceMean Reshape");
  expect(HEAD "y = ReduceMean(x)\noutput y\n", "ReduceMean");
  expect(HEAD "y = AveragePool(x) kernel_shape=[6,7]\nz = MaxPool(x) kernel_shape=[6,7] strides=[3,3]\n"
         "output y\noutput z\n",
         "GlobalAveragePool GlobalMaxPool");
  expect("input x f32 [1,4,6,7]\ni = Cast(x) to=3\nm = MaxPool(i) kernel_shape=[6,7]\ny = Cast(m) to=1\n"
         "output y\n",
         "Cast MaxPool Cast");
  expect(HEAD "y = AveragePool(x) kernel_shape=[6,6]\noutput y\n", "AveragePool");
  expect(HEAD "y = AveragePool(x) kernel_shape=[6,7] pads=[1,1,1,1]\noutput y\n", "AveragePool");
}

#define TO_NCHW " perm=[0,3,1,2]\n"
#define TO_NHWC " perm=[0,2,3,1]\n"
#define NHWC_HEAD \
  "input x f32 [1,6,7,3]\n" \
  "const w f32 [3,3,3,3] = random 1 -0.3 0.3\n" \
  "const b f32 [3] = random 2 -0.3 0.3\n" \
  "const full f32 [6,7,3] = random 3 -0.3 0.3\n" \
  "const pad i64 [8] = {0,1,1,0,0,1,1,0}\n" \
  "const hw i64 [2] = {1,2}\n"

/* As tf2onnx writes it: every convolution between two transpositions. */
static void channels_last_costs_one_transposition(void **state) {
  (void)state;
  expect(NHWC_HEAD
         "p = Pad(x, pad)\nt1 = Transpose(p)" TO_NCHW "c1 = Conv(t1, w)\nu1 = Transpose(c1)" TO_NHWC
         "a1 = Add(u1, b)\nr1 = Relu(a1)\n"
         "t2 = Transpose(r1)" TO_NCHW "c2 = Conv(t2, w) pads=[1,1,1,1]\nu2 = Transpose(c2)" TO_NHWC
         "a2 = Mul(full, u2)\ns = Add(r1, a2)\nj = Concat(s, r1) axis=-1\n"
         "m = ReduceMean(j, hw) keepdims=0\noutput m\n",
         "Transpose Conv Add Relu Conv Mul Add Concat GlobalAveragePool Reshape");
}

/* Sums and tables of quantised numbers are nodes with steps already. */
static void steps_are_transposed_with_their_arguments(void **state) {
  (void)state;
  expect(NHWC_HEAD "t = Transpose(x)" TO_NCHW "c = Conv(t, w)\nd = Conv(t, w) strides=[1,1] pads=[0,0,0,0]\nu = Transpose(c)" TO_NHWC
         "r = Relu(d)\nv = Transpose(r)" TO_NHWC "p = Pointwise(u, v, b) | Add(@1) | Mul(@2) | Relu\ny = Transpose(p)" TO_NCHW
         "output y\n", "Transpose Conv Relu Pointwise|Add|Mul|Relu");
  expect(NHWC_HEAD "const table u8 [256] = random 4 0 255\nt = Transpose(x)" TO_NCHW "c = Conv(t, w)\nq = Cast(c) to=2\nu = Transpose(q)" TO_NHWC
         "p = Pointwise(u, table) | Lookup(@1)\nf = Cast(p) to=1\ny = Transpose(f)" TO_NCHW "output y\n",
         "Transpose Conv Cast Pointwise|Lookup Cast");
  expect(NHWC_HEAD "const z u8 [] = {7}\nt = Transpose(x)" TO_NCHW "c = Conv(t, w)\nq = Cast(c) to=2\nu = Transpose(q)" TO_NHWC
         "p = Pad(u, pad, z)\nf = Cast(p) to=1\ny = Transpose(f)" TO_NCHW "output y\n", "Transpose Conv Cast Pad Cast");
  expect(NHWC_HEAD "p = Pointwise(x, full) | Sub(@1)\nt = Transpose(p)" TO_NCHW "y = Conv(t, w)\noutput y\n",
         "Pointwise|Sub Transpose Conv");
}

static void a_prepared_image_is_transposed_first(void **state) {
  (void)state;
  expect(NHWC_HEAD "s = Sub(x, b)\nq = Mul(full, s)\nt = Transpose(q)" TO_NCHW "y = Conv(t, w)\noutput y\n",
         "Transpose Sub Mul Conv");
  expect(NHWC_HEAD "s = Sub(x, b)\nq = Div(s, full)\np = Pad(q, pad)\n"
         "t = Transpose(p)" TO_NCHW "y = Conv(t, w)\noutput y\n",
         "Transpose Sub Div Conv");
  expect(NHWC_HEAD "t = Transpose(x)" TO_NCHW "const k f32 [3,1,1] = random 3 0 1\ns = Sub(t, k)\n"
         "y = Conv(s, w)\noutput y\n",
         "Transpose Sub Conv");
}

static void transposed_pads_and_slices(void **state) {
  (void)state;
  expect(NHWC_HEAD "const s0 i64 [2] = {1,0}\nconst s1 i64 [2] = {5,2}\nconst ax i64 [2] = {2,-3}\n"
         "t = Transpose(x)" TO_NCHW "p = Pad(t, pad)\nl = Slice(p, s0, s1, ax)\nr = Tanh(l)\n"
         "y = Transpose(r)" TO_NHWC
         "output y\n", "Pad Slice Tanh");
}

static void transpositions_that_remain(void **state) {
  (void)state;
  expect(NHWC_HEAD "t = Transpose(x)" TO_NCHW "y = Transpose(t)" TO_NCHW "output y\n", "Transpose");
  expect(NHWC_HEAD "t = Transpose(x)" TO_NCHW "y = Transpose(t)" TO_NHWC "output y\n", "Identity");
  expect(NHWC_HEAD "t = Transpose(x)" TO_NCHW "y = Flatten(t)\noutput y\n", "Transpose Flatten");
  expect(NHWC_HEAD "g = GlobalAveragePool(x)\nt = Transpose(g)" TO_NCHW "y = Flatten(t)\noutput y\n",
         "GlobalAveragePool Reshape");
  expect("input x f32 [2,3,4]\ninput z f32 [4,3,2]\nt = Transpose(z)\ny = Add(x, t)\n"
         "output y\n", "Transpose Add");
  expect("input x f32 [2,3,3]\ninput z f32 [3,3,2]\nt = Transpose(z)\nu = Transpose(x) perm=[0,2,1]\n"
         "y = Add(u, t)\n"
         "output y\n", "Transpose Transpose Add");
}

#define SHORTCUT_HEAD \
  "input x f32 [2,4,7,6]\n" \
  "const z2 i64 [2] = {0,0}\nconst far i64 [2] = {9223372036854775807,6}\nconst ax i64 [2] = {2,3}\n" \
  "const two i64 [2] = {2,2}\nconst wide i64 [8] = {0,2,0,0,0,3,0,0}\n"

static void shortcuts_of_option_a(void **state) {
  (void)state;
  const char *slice = SHORTCUT_HEAD "s = Slice(x, z2, far, ax, two)\ny = Pad(s, wide)\noutput y\n";
  expect(slice, "Conv");
  expect_ops(&strict_options, moves, slice, "Slice Pad");
  expect(SHORTCUT_HEAD "s = AveragePool(x) kernel_shape=[1,1] strides=[2,2]\ny = Pad(s, wide)\n"
         "output y\n", "Conv");
  expect(SHORTCUT_HEAD "const o i64 [1] = {0}\nconst e i64 [1] = {100}\nconst a i64 [1] = {-1}\n"
         "const b i64 [1] = {2}\n"
         "const t i64 [1] = {2}\ns = Slice(x, o, e, a, t)\nr = Slice(s, o, e, b, t)\ny = Pad(r, wide)\n"
         "output y\n", "Conv");
}

#define BYTES_HEAD SHORTCUT_HEAD "const q f32 [] = {0.01}\nconst v u8 [] = {77}\nb = QuantizeLinear(x, q, v)\n" \
  "const w i8 [3,4,3,3] = random 1 -128 128\nconst edge i64 [8] = {0,0,1,0,0,0,0,2}\n"
#define BYTES_END "d = DequantizeLinear(y, q, v)\noutput d\n"
#define SUMS_END "f = Cast(y) to=1\noutput f\n"

/* Channels that are added hold any byte. */
static void shortcuts_of_bytes(void **state) {
  (void)state;
  expect(BYTES_HEAD "s = Slice(b, z2, far, ax, two)\ny = Pad(s, wide)\n" BYTES_END, "QuantizeLinear ConvInteger|Requantize DequantizeLinear");
  expect(BYTES_HEAD "s = Slice(b, z2, far, ax, two)\ny = Pad(s, wide, v)\n" BYTES_END,
         "QuantizeLinear ConvInteger|Add|Requantize DequantizeLinear");
  expect(BYTES_HEAD "s = Slice(b, z2, far, ax, two)\ny = Pad(s, wide) mode=\"edge\"\n" BYTES_END,
         "QuantizeLinear Slice Pad DequantizeLinear");
  expect(BYTES_HEAD "c = Cast(b) to=3\ns = Slice(c, z2, far, ax, two)\ny = Pad(s, wide)\n" SUMS_END, "QuantizeLinear Cast Slice Pad Cast");
}

/* A border of the zero point is the window's own. */
static void padding_of_bytes(void **state) {
  (void)state;
  expect(BYTES_HEAD "p = Pad(b, edge, v)\ny = ConvInteger(p, w, v) pads=[0,1,0,0]\n" SUMS_END, "QuantizeLinear ConvInteger Cast");
  expect(BYTES_HEAD "p = Pad(b, edge)\ny = ConvInteger(p, w)\n" SUMS_END, "QuantizeLinear ConvInteger Cast");
  expect(BYTES_HEAD "p = Pad(b, edge)\ny = ConvInteger(p, w, v)\n" SUMS_END, "QuantizeLinear Pad ConvInteger Cast");
}

static void other_slices_are_no_shortcuts(void **state) {
  (void)state;
  expect(SHORTCUT_HEAD "const one i64 [2] = {1,0}\ns = Slice(x, one, far, ax, two)\ny = Pad(s, wide)\n"
         "output y\n", "Slice Pad");
  expect(SHORTCUT_HEAD "const near i64 [2] = {7,4}\ns = Slice(x, z2, near, ax, two)\ny = Pad(s, wide)\n"
         "output y\n",
         "Slice Pad");
  expect(SHORTCUT_HEAD "const c i64 [2] = {1,3}\ns = Slice(x, z2, far, c, two)\ny = Pad(s, wide)\n"
         "output y\n", "Slice Pad");
  expect(SHORTCUT_HEAD "y = Pad(x, wide)\noutput y\n", "Pad");
  expect(SHORTCUT_HEAD "const v f32 [] = {1}\ns = Slice(x, z2, far, ax, two)\ny = Pad(s, wide, v)\n"
         "output y\n", "Slice Pad");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(padding_into_convolutions),
    cmocka_unit_test(padding_that_is_not_zeros_stays),
    cmocka_unit_test(padding_into_pools),
    cmocka_unit_test(means_as_pools),
    cmocka_unit_test(channels_last_costs_one_transposition),
    cmocka_unit_test(steps_are_transposed_with_their_arguments),
    cmocka_unit_test(a_prepared_image_is_transposed_first),
    cmocka_unit_test(transposed_pads_and_slices),
    cmocka_unit_test(transpositions_that_remain),
    cmocka_unit_test(shortcuts_of_option_a),
    cmocka_unit_test(shortcuts_of_bytes),
    cmocka_unit_test(padding_of_bytes),
    cmocka_unit_test(other_slices_are_no_shortcuts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
