/* Winograd's algorithm in integers against the evaluator, every bit: tiles of all sizes, channels that are no whole blocks or pairs,
 * zero points, epilogues; the largest inputs and weights; sums that its 26 bits do not hold. */
#include "harness.h"

#include <stdio.h>

enum { SIZE = 2048 };

typedef struct TestMap { int n, c, h, w, oc, pad, stride; } TestMap;

static void check_map(const TestMap *k, const char *weights, int zero, const char *steps, double lo) {
  char text[SIZE];
  int stride = k->stride, rows = (k->h + 2 * k->pad - 3) / stride + 1, cols = (k->w + 2 * k->pad - 3) / stride + 1;
  snprintf(text, SIZE, "graph c\ninput x u8 [%d,%d,%d,%d]\ninput r u8 [%d,%d,%d,%d]\nconst w i8 [%d,%d,3,3] = %s\nconst z u8 [] = {%d}\n"
           "const b i32 [%d,1,1] = random 5 -90000 90000\nconst m f32 [%d,1,1] = random 6 0.0001 0.004\n"
           "y = ConvInteger(x, w, z%s) pads=[%d,%d,%d,%d] strides=[%d,%d] %s\noutput y\n",
           k->n, k->c, k->h, k->w, k->n, k->oc, rows, cols, k->oc, k->c, weights, zero, k->oc, k->oc,
           *steps ? ", _, b, m, r" : "", k->pad, k->pad, k->pad, k->pad, stride, stride, steps);
  check_integer_winograd(text, lo, 256);
}

static const char any_weights[] = "random 1 -128 128";

/* The last rows and columns of tiles have one result to four. */
static void edges(void **state) {
  (void)state;
  for (int rest = 0; rest < 4; rest++) check_map(&(TestMap){1, 20, 4 + rest, 11 - rest, 24, 1, 1}, any_weights, 50 * rest, "", 0);
}

static void shapes(void **state) {
  (void)state;
  static const TestMap maps[] = {
    {1, 70, 14, 14, 33, 1, 1}, {2, 33, 9, 13, 20, 1, 1}, {1, 140, 7, 7, 17, 1, 1}, {1, 9, 26, 31, 19, 0, 1}, {6, 20, 7, 7, 8, 1, 1},
    {1, 8, 5, 180, 16, 1, 1},
  };
  static const int zeros[] = {0, 128, 255, 3};
  for (size_t i = 0; i < COUNT(maps); i++) check_map(&maps[i], any_weights, zeros[i % COUNT(zeros)], "", 0);
}

/* The parities of rows and columns, at every edge. */
static void strides(void **state) {
  (void)state;
  static const TestMap maps[] = {{1, 64, 28, 28, 24, 1, 2}, {2, 25, 19, 25, 40, 0, 2}, {1, 9, 9, 130, 17, 1, 2}};
  for (size_t i = 0; i < COUNT(maps); i++) check_map(&maps[i], any_weights, (int)(70 * i), "", 0);
  for (int rest = 0; rest < 8; rest += 2) check_map(&(TestMap){1, 8, 8 + rest, 16 - rest, 8, 1, 2}, any_weights, 9, "", 0);
  check_map(&(TestMap){1, 20, 14, 17, 40, 1, 2}, any_weights, 3, "| Add(@4) | Requantize(@5, 3) u8 | QLinearAdd(@6, 0.75, 0.3125, 2.5) u8", 0);
}

static void epilogues(void **state) {
  (void)state;
  static const TestMap maps[] = {{1, 40, 14, 10, 64, 1, 1}, {2, 32, 7, 9, 48, 1, 1}};
  static const char *const steps[] = {
    "| Add(@4) | Requantize(@5, 3) u8", "| Requantize(@5, -5) i8 | Clip(-20, 127)",
    "| Add(@4) | Requantize(@5, 5) u8 | Clip(5, 255) | QLinearAdd(@6, 0.75, 0.3125, 2.5) u8 | Clip(9, 255)",
    "| Add(@4) | Cast f32 | Mul(@5) | Relu",
  };
  for (size_t i = 0; i < COUNT(steps); i++) check_map(&maps[i % COUNT(maps)], any_weights, (int)(60 * i), steps[i], 0);
}

/* All inputs and weights as large as they get: sums of 114 channels fit, of 116 they do not. */
static void extremes(void **state) {
  (void)state;
  static const char *const weights[] = {"splat 127", "splat -128"};
  for (int i = 0; i < 2; i++) {
    check_map(&(TestMap){1, 114, 6, 9, 16, 1, 1}, weights[i], 0, "", 255);
    check_map(&(TestMap){1, 116, 6, 9, 16, 1, 1}, weights[i], 255, "", 255);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(edges), cmocka_unit_test(shapes), cmocka_unit_test(strides), cmocka_unit_test(epilogues), cmocka_unit_test(extremes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
