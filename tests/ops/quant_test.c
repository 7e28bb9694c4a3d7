/* quant_test.c: the definition of quantised arithmetic against values worked out by hand: ties, the ends of the range, NaN. */
#include "infer_fixture.h"

#include <math.h>

static void quantizing_rounds_half_to_even_and_stops_at_the_ends(void **state) {
  (void)state;
  static const struct { Type t; float x, scale; int64_t zero, q; } rows[] = {
    {T_U8, 0.5f, 1, 0, 0}, {T_U8, 1.5f, 1, 0, 2}, {T_U8, 2.5f, 1, 0, 2}, {T_U8, 2.5f, 1, 1, 3}, {T_U8, -0.5f, 1, 7, 7},
    {T_U8, 300, 1, 0, 255}, {T_U8, -1, 1, 0, 0}, {T_U8, INFINITY, 1, 3, 255}, {T_U8, -INFINITY, 1, 3, 0}, {T_U8, NAN, 1, 3, 0},
    {T_I8, NAN, 1, 3, -128}, {T_I8, 127.5f, 1, 0, 127}, {T_I8, -128.5f, 1, 0, -128}, {T_I8, 200, 1, -100, 100},
    {T_U8, 0.3f, 0.1f, 0, 3}, {T_I16, 1e9f, 1, 0, 32767}, {T_U16, -1e30f, 1, 5, 0}, {T_U8, 1e30f, 1e-30f, 255, 255},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    int64_t q = quantize(rows[i].t, rows[i].x, rows[i].scale, rows[i].zero);
    if (q != rows[i].q) fail_msg("row %zu: %lld, not %lld", i, (long long)q, (long long)rows[i].q);
  }
}

static void dequantizing_subtracts_in_32_bits(void **state) {
  (void)state;
  assert_true(dequantize(255, 0.5f, 128) == 63.5f);
  assert_true(dequantize(-128, 2, 127) == -510);
  assert_true(dequantize(INT32_MIN, 1, 1) == 2147483648.f); /* wraps to INT32_MAX, which rounds up */
}

/* The zero point comes behind the rounding: 2.5 becomes 2, then 3. */
static void requantizing_rounds_before_the_zero_point(void **state) {
  (void)state;
  assert_int_equal(requantize(T_U8, 5, 0.5f, 1), 3);
  assert_int_equal(requantize(T_U8, 7, 0.5f, 1), 5);
  assert_int_equal(requantize(T_U8, -1000, 0.5f, 3), 0);
  assert_int_equal(requantize(T_U8, 1000, 0.5f, 3), 255);
  assert_int_equal(requantize(T_I8, 1000, 0.5f, -3), 127);
  assert_int_equal(requantize(T_I8, INT32_MIN, 1, 5), -128);
}

/* 100 at 0.5 and 100 at 0.25, zero points 90 and 92: 5 and 2 are 7, at 0.5 from 10 on: 24. */
static void sums_have_their_zero_points_inside(void **state) {
  (void)state;
  float ra = 1, rb = 0.5f, k = 10 - fmaf(ra, 90, rb * 92);
  assert_int_equal(qlinear_add(T_U8, 100, 100, (float[]){ra, rb, k, 0, 0}), 24);
  assert_int_equal(qlinear_add(T_U8, 255, 255, (float[]){ra, rb, k, 0, 0}), 255);
  assert_int_equal(qlinear_add(T_U8, 0, 0, (float[]){ra, rb, k, 0, 0}), 0);
  assert_int_equal(qlinear_add(T_U8, 1, 1, (float[]){0.5f, 1, 0, 0, 0}), 2); /* 1.5 */
  assert_int_equal(qlinear_add(T_U8, 3, 1, (float[]){0.5f, 1, 0, 0, 0}), 2); /* 2.5 */
}

/* Numbers of s8 that are stored as u8 count as they are: as those of u8 the sum would be -32, the product 0. */
static void signed_numbers_count_as_they_are(void **state) {
  (void)state;
  float ra = 1.123f / 0.032f, rb = 0.236f / 0.032f, k = 87 - fmaf(ra, 36, rb * -40), r = 0.015f * 0.009f / 0.052f;
  assert_int_equal(qlinear_add(T_U8, 12 + 128, 58 + 128, (float[]){ra, rb, k, 0, 128}), -33 + 128);
  assert_int_equal(qlinear_add(T_I8, 12, 58, (float[]){ra, rb, k, 0, 0}), -33);
  assert_int_equal(qlinear_add(T_U8, 255, 255, (float[]){ra, ra, 0, 0, 128}), 255);
  assert_int_equal(qlinear_add(T_U8, 0, 0, (float[]){ra, ra, 0, 0, 128}), 0);
  assert_int_equal(qlinear_mul(T_U8, 98, 33, (float[]){r, 138, 163, -14, 128}), -1 + 128);
  assert_int_equal(qlinear_mul(T_I8, -30, -95, (float[]){r, 10, 35, -14, 0}), -1);
  assert_int_equal(qlinear_mul(T_U8, 98, 33, (float[]){NAN, 138, 163, -14, 128}), 0);
}

/* The output of a graph of one node on u8 inputs given as constants. */
static void expect_integers(const char *text, const int64_t *want) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, text);
  void *out[1];
  pass_shape(g);
  verify(g, "shape");
  eval_graph(g, (const void *const[]){NULL}, out);
  for (int64_t i = 0; i < shape_count(&g->output[0]->shape); i++)
    assert_int_equal(get_number(g->output[0]->type, out[0], i).i, want[i]);
  context_free(cx);
}

static void integer_convolutions_take_off_the_zero_points(void **state) {
  (void)state;
  expect_integers("const x u8 [1,1,2,2] = {10, 20, 30, 40}\nconst w i8 [2,1,1,1] = {-3, 5}\nconst z u8 [] = {20}\n"
                  "y = ConvInteger(x, w, z)\noutput y\n", (int64_t[]){30, 0, -30, -60, -50, 0, 50, 100});
  /* Padding is the zero point. */
  expect_integers("const x u8 [1,1,1,2] = {7, 9}\nconst w u8 [1,1,1,3] = {1, 2, 4}\nconst z u8 [] = {5}\nconst v u8 [1] = {1}\n"
                  "y = ConvInteger(x, w, z, v) pads=[0,1,0,1]\noutput y\n", (int64_t[]){2 * 1 + 4 * 3, 2 * 0 + 4 * 1});
  expect_integers("const x u8 [1,1,1,2] = {7, 9}\nconst w i8 [1,1,1,1] = {2}\nconst b i32 [1,1,1] = {-3}\nconst m f32 [1,1,1] = {0.5}\n"
                  "y = ConvInteger(x, w, _, _, b, m) | Add(@4) | Requantize(@5, 4, 0) u8 | Clip(9, 255)\noutput y\n",
                  (int64_t[]){10, 12});
}

static void integer_products_take_off_the_zero_points(void **state) {
  (void)state;
  expect_integers("const a u8 [2,2] = {10, 20, 30, 40}\nconst b i8 [2,2] = {-1, 2, 3, 4}\ny = MatMulInteger(a, b)\noutput y\n",
                  (int64_t[]){50, 100, 90, 220});
  expect_integers("const a u8 [2,2] = {10, 20, 30, 40}\nconst b i8 [2,2] = {-1, 2, 3, 4}\nconst z u8 [2] = {10, 30}\n"
                  "const v i8 [2] = {3, -4}\ny = MatMulInteger(a, b, z, v)\noutput y\n", (int64_t[]){0, 80, 0, 80});
  expect_integers("const a u8 [2,1,1] = {10, 20}\nconst b u8 [2,1,2] = {1, 2, 3, 4}\nconst z u8 [2,1,1] = {9, 18}\n"
                  "const v u8 [2,1,2] = {0, 1, 0, 1}\ny = MatMulInteger(a, b, z, v)\noutput y\n", (int64_t[]){1, 1, 6, 6});
  expect_integers("const a u8 [2] = {255, 255}\nconst b i8 [2] = {-128, 127}\nconst z u8 [] = {0}\ny = MatMulInteger(a, b, z)\noutput y\n",
                  (int64_t[]){-255});
}

/* Result i of a DynamicQuantizeLinear. */
static double dynamic_result(const char *x, int i, int64_t at) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, format_text(cx, "const x f32 [6] = {%s}\ny, s, z = DynamicQuantizeLinear(x)\noutput y\noutput s\noutput z\n", x));
  void *out[3];
  pass_shape(g);
  verify(g, "shape");
  eval_graph(g, (const void *const[]){NULL}, out);
  Type t = g->output[i]->type;
  Number v = get_number(t, out[i], at);
  double result = type_is_float(t) ? v.f : (double)v.i;
  context_free(cx);
  return result;
}

static void ranges_hold_zero(void **state) {
  (void)state;
  static const char mixed[] = "0, 2, -3, -2.5, 1.34, 0.5";
  static const double q[] = {153, 255, 0, 26, 221, 179};
  for (int i = 0; i < 6; i++) assert_true(dynamic_result(mixed, 0, i) == q[i]);
  assert_true(dynamic_result(mixed, 1, 0) == (double)(5.f / 255) && dynamic_result(mixed, 2, 0) == 153);
  assert_true(dynamic_result("1, 2, 3, 4, 5, 6", 1, 0) == (double)(6.f / 255) && dynamic_result("1, 2, 3, 4, 5, 6", 2, 0) == 0);
  assert_true(dynamic_result("-1, -2, -3, -4, -5, -6", 2, 0) == 255 && dynamic_result("-1, -2, -3, -4, -5, -6", 0, 5) == 0);
  assert_true(dynamic_result("0, 0, 0, 0, 0, 0", 1, 0) == 1 && dynamic_result("0, 0, 0, 0, 0, 0", 2, 0) == 0);
}

static void scales_may_stand_along_an_axis(void **state) {
  (void)state;
  expect_integers("const x f32 [2,2] = {1, 2, 3, 4}\nconst s f32 [2] = {1, 0.5}\nconst z u8 [2] = {0, 10}\n"
                  "y = QuantizeLinear(x, s, z)\noutput y\n", (int64_t[]){1, 14, 3, 18});
  expect_integers("const x f32 [2,2] = {1, 2, 3, 4}\nconst s f32 [2] = {1, 0.5}\nconst z i8 [2] = {0, 10}\n"
                  "y = QuantizeLinear(x, s, z) axis=0\noutput y\n", (int64_t[]){1, 2, 16, 18});
  expect_integers("const x i8 [2] = {-1, 2}\nconst s f32 [] = {0.5}\ny = DequantizeLinear(x, s)\nz = Cast(y) to=6\noutput z\n",
                  (int64_t[]){0, 1});
}

static void types_and_shapes(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [2,3]\nconst s f32 [] = {1}\ny = QuantizeLinear(x, s)", "u8 [2,3]"},
    {"input x f16 [2,3]\nconst s f16 [1] = {1}\ny = QuantizeLinear(x, s) output_dtype=4 axis=7", "u16 [2,3]"},
    {"input x i8 [2,3]\nconst s bf16 [3] = {1, 2, 3}\ny = DequantizeLinear(x, s) axis=-1", "bf16 [2,3]"},
    {"input x i8 [2,3]\nconst s f32 [] = {1}\ny = DequantizeLinear(x, s) output_dtype=10", "f16 [2,3]"},
    {"input x i8 [2,5]\nconst s f32 [2,2] = {1, 2, 3, 4}\ny = DequantizeLinear(x, s) block_size=3", "f32 [2,5]"},
    {"input x u8 [2,3]\nconst s f32 [] = {1}\nconst z u8 [] = {0}\nconst w u8 [3,4] = splat 1\n"
     "y = QLinearMatMul(x, s, z, w, s, z, s, z)", "u8 [2,4]"},
  };
  EXPECT_SHAPES(rows);
}

static void refused_forms(void **state) {
  (void)state;
#define X "input x u8 [2,3]\nconst one f32 [] = {1}\nconst z u8 [] = {0}\n"
  static const Row rows[] = {
    {X "const s f32 [] = {0}\ny = DequantizeLinear(x, s)", "DequantizeLinear): a scale is 0: it must be positive and finite"},
    {X "const s f16 [3] = {1, inf, 2}\ny = DequantizeLinear(x, s)", "DequantizeLinear): a scale is inf: it must be positive and finite"},
    {X "const s f32 [2] = {1, 2}\ny = DequantizeLinear(x, s)",
     "DequantizeLinear): input 1 has 2 elements, axis 1 of input 0 has 3"},
    {X "const s f32 [3] = {1, 2, 3}\ny = DequantizeLinear(x, s, z)", "DequantizeLinear): scale and zero point have different shapes"},
    {X "const s f32 [2] = {1, 2}\ny = DequantizeLinear(x, s) block_size=2",
     "DequantizeLinear): input 1 is [2], blocks of 2 along axis 1 need [2,2]"},
    {X "y = DequantizeLinear(x, one) block_size=-2", "DequantizeLinear): attribute block_size -2 is out of range"},
    {X "y = DequantizeLinear(x, one) output_dtype=11", "DequantizeLinear): dequantising to f64 is not supported"},
    {X "f = DequantizeLinear(x, one)\ny = QuantizeLinear(f, one) output_dtype=17", "QuantizeLinear): quantising to f8e4m3fn is not supported"},
    {X "f = DequantizeLinear(x, one)\nconst z4 i4 [] = {0}\ny = QuantizeLinear(f, one, z4)", "QuantizeLinear): quantising to i4 is not supported"},
    {"input x u8 [N,4]\nconst s f32 [2,4] = splat 1\ny = DequantizeLinear(x, s) block_size=2 axis=0",
     "DequantizeLinear): blocks along the batch are not supported"},
    {X "const s f32 [3,2] = splat 1\ny = QLinearMatMul(x, s, z, x, s, z, one, z)",
     "QLinearMatMul): parameters of shape [3,2] stand along several axes"},
    {X "y = QuantizedAdd(x, one, z, x)", "QLinearAdd): input 4 is missing"},
    {X "y = QLinearConcat(one, z, x, one)", "QLinearConcat): its inputs are not three for each tensor that is joined"},
    {"input x f32 [0]\ny = DynamicQuantizeLinear(x)", "DynamicQuantizeLinear): an empty tensor has no range"},
  };
#undef X
  EXPECT_ERRORS(rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(quantizing_rounds_half_to_even_and_stops_at_the_ends),
    cmocka_unit_test(dequantizing_subtracts_in_32_bits),
    cmocka_unit_test(requantizing_rounds_before_the_zero_point),
    cmocka_unit_test(sums_have_their_zero_points_inside),
    cmocka_unit_test(signed_numbers_count_as_they_are),
    cmocka_unit_test(integer_convolutions_take_off_the_zero_points),
    cmocka_unit_test(integer_products_take_off_the_zero_points),
    cmocka_unit_test(ranges_hold_zero),
    cmocka_unit_test(scales_may_stand_along_an_axis),
    cmocka_unit_test(types_and_shapes),
    cmocka_unit_test(refused_forms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
