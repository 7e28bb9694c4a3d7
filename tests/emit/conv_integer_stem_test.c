/* Convolutions of up to four channels of 8-bit integers against the evaluator, every bit: windows, strides, dilation, zero points of
 * both operands, rows shorter and longer than a tile, outputs that fill vectors, blocks and panels in part. */
#include "harness.h"

static void stems(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 3, 9, 33, 64, 7, 7, 1, 2, 2, 1, 1, 3, 3, 3, 3},  {2, 3, 8, 31, 24, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 1, 5, 9, 70, 3, 3, 1, 1, 1, 1, 1, 0, 0, 0, 0},   {1, 1, 7, 8, 8, 5, 5, 1, 1, 2, 1, 1, 2, 2, 2, 2},
    {1, 2, 6, 7, 20, 3, 3, 1, 1, 1, 1, 1, 1, 0, 1, 2},   {1, 4, 7, 9, 130, 2, 3, 1, 1, 1, 2, 2, 1, 0, 1, 0},
    {1, 1, 6, 9, 3, 3, 3, 1, 1, 1, 1, 3, 1, 3, 1, 3},    {2, 3, 1, 1, 5, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {2, 4, 9, 37, 40, 5, 6, 1, 1, 1, 1, 1, 2, 3, 2, 2},  {1, 3, 6, 40, 33, 3, 9, 1, 1, 1, 1, 1, 1, 4, 1, 4},
  };
  static const char *const zero[] = {NULL, "[] = {100}", NULL}, *const steps[] = {"| Add(@4) | Requantize(@5, 7) u8 | Clip(7, 200)", ""};
  for (size_t i = 0; i < COUNT(cases); i++)
    check_conv_integer(&cases[i], i % 2 ? 11 : 255, zero[i % COUNT(zero)], steps[i % COUNT(steps)], 0.01);
}

/* The input comes from another layer, and another reads it. */
static void inside(void **state) {
  (void)state;
  check_integers("graph s\ninput x u8 [1,70,5,6]\nconst v i8 [3,70,1,1] = random 3 -128 128\nconst w i8 [20,3,3,3] = random 4 -128 128\n"
                 "const u u8 [] = {3}\nconst m f32 [] = {0.003}\n"
                 "a = ConvInteger(x, v, u, _, m) | Requantize(@4, 100) u8\ny = ConvInteger(a, w, u) pads=[1,1,1,1]\n"
                 "z = ConvInteger(a, w) strides=[2,2]\noutput y\noutput z\n", 0, 256);
}

/* What QuantizeLinear makes lies as the convolution reads it. */
static void quantized(void **state) {
  (void)state;
  static const struct { int channels, width; const char *scale; } cases[] = {{3, 37, "0.0186"}, {1, 5, "0.5"}, {2, 16, "0.0123"}, {4, 9, "1"}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    char text[1024];
    snprintf(text, sizeof text, "graph s\ninput x f32 [2,%d,6,%d]\nconst s f32 [] = {%s}\nconst z u8 [] = {%d}\n"
             "const w i8 [9,%d,3,3] = random 3 -128 128\nq = QuantizeLinear(x, s, z)\n"
             "y = ConvInteger(q, w, z) pads=[1,1,1,1] strides=[2,2]\noutput y\n",
             cases[i].channels, cases[i].width, cases[i].scale, (int)i * 85, cases[i].channels);
    check_integers(text, -5, 5);
  }
}

/* A sum with bytes that lie dense is quantised as the convolution reads it, whose border is not that of the bytes. */
static void beside(void **state) {
  (void)state;
  check_integers("graph s\ninput f f32 [2,3,2,20]\ninput x f32 [2,3,2,20]\nconst w i8 [8,3,1,1] = random 3 -128 128\n"
                 "const v i8 [9,3,1,3] = random 4 -128 128\nconst u u8 [] = {128}\nconst t u8 [] = {248}\n"
                 "q = Pointwise(x) | QuantizeLinear(0.25, 128) u8\ny = ConvInteger(q, w, u)\n"
                 "s = Pointwise(f, q) | AddDequantized(@1, 0.25, 128) f32 | QuantizeLinear(0.5, 248) u8\n"
                 "z = ConvInteger(s, v, t) pads=[0,1,0,1]\noutput y\noutput z\n", -20, 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(stems),
    cmocka_unit_test(inside),
    cmocka_unit_test(quantized),
    cmocka_unit_test(beside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
