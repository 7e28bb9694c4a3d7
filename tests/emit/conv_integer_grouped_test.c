/* Convolutions of 8-bit integers in groups of few channels against the evaluator, every bit: groups that share a vector of sums, that
 * are one, that have several or several blocks of inputs; windows, zero points of both operands; groups that no vector fits. */
#include "harness.h"

static void groups(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 96, 5, 19, 96, 3, 3, 24, 1, 1, 1, 1, 1, 1, 1, 1},  {2, 72, 4, 9, 72, 3, 3, 9, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 48, 5, 30, 48, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},   {1, 96, 4, 7, 96, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 44, 3, 5, 44, 1, 3, 22, 1, 2, 1, 2, 0, 2, 0, 2},   {1, 20, 4, 4, 40, 3, 3, 20, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 128, 2, 3, 32, 1, 1, 2, 1, 1, 1, 1, 0, 0, 0, 0},   {1, 24, 3, 4, 24, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 256, 3, 3, 256, 3, 3, 4, 2, 2, 1, 1, 1, 1, 1, 1},
  };
  static const char *const zero[] = {NULL, "[] = {-100}"}, *const steps[] = {"| Add(@4) | Requantize(@5, 7) u8", ""};
  for (size_t i = 0; i < COUNT(cases); i++) check_conv_integer(&cases[i], i % 2 ? 11 : 255, zero[i / 2 % 2], steps[i % 2], 0.01);
  check_conv_integer(&cases[8], 3, zero[1], steps[0], 0.01);
  check_conv_integer(&cases[0], 9, "[] = {-128}", steps[0], 0.01); /* weights up to 255 are no sum of two of 8 bits */
}

/* What the epilogue reads beside the result. */
static void arguments(void **state) {
  (void)state;
  check_integers("graph g\ninput x u8 [2,40,4,30]\ninput r u8 [2,40,4,30]\nconst w i8 [40,4,3,3] = random 3 -128 128\nconst m f32 [] = {0.003}\n"
                 "y = ConvInteger(x, w, _, _, m, r) pads=[1,1,1,1] group=10 | Requantize(@4, 100) u8 | QLinearAdd(@5, 0.7, 0.4, 11.5) u8\n"
                 "output y\n", 0, 256);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(groups),
    cmocka_unit_test(arguments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
