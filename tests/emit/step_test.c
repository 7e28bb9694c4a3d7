/* Steps that change the type of the accumulator, beside dense results and on channel blocks. All arithmetic is exact, so that the
 * numbers that are cut off or rounded are the evaluator's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fixture.h"
#include "harness.h"

/* What the chains read, for C channels. */
#define ARGUMENTS \
  "input r f32 [2,%d,5,7]\ninput i i32 [2,%d,5,7]\ninput u u8 [2,%d,5,7]\ninput b i32 [2,%d,1,1]\n" \
  "const f f32 [%d,1,1] = random 5 0.1 2\nconst c i32 [%d,1,1] = random 4 -9 9\nconst k i32 [] = {-3}\nconst h u8 [1] = {7}\n" \
  "const t u8 [256] = random 6 0 255\nconst v i8 [256] = random 7 -128 127\nconst m f32 [] = {64}\n"

static const char *const chains[] = {
  "Pointwise(%s) | Cast f16",
  "Pointwise(%s) | Relu | Cast bf16",
  "Pointwise(%s, r) | Add(@1) | Cast i32",
  "Pointwise(%s, i, c, k, b) | Cast i32 | Add(@1) | Add(@2) | Add(@3) | Add(@4)",
  "Pointwise(%s, i) | Cast i32 | Add(@1) | Cast i8 | Clip(-1, 5) | Cast f32 | Relu",
  "Pointwise(%s, u, h) | Clip(0, 200) | Cast u8 | QLinearAdd(@1, 0.5, 0.25, 3) | QLinearAdd(@2, 1, 2, -4)",
  "Pointwise(%s, u, r) | Cast u8 | QLinearAdd(@1, 1, -0.5, 7) i8 | Cast f32 | Mul(@2) | Cast i8",
  "Pointwise(%s, u) | Cast i8 | ~QLinearAdd(@1, 1, -0.5, 7) u8",
  "Pointwise(%s, r) | Cast i8 | Cast f32 | Add(@1)",
  "Pointwise(%s, r) | Cast f64 | Cast f32 | Add(@1) | Cast bool",
  "Pointwise(%s) | Cast i64",
  "Pointwise(%s, i, f) | Cast i32 | Add(@1) | Requantize(@2, 5) u8 | Clip(10, 250)",
  "Pointwise(%s, r) | Cast i32 | Requantize(@1, -3) i8",
  "Pointwise(%s, u, h) | Clip(0, 200) | Cast u8 | QLinearMul(@1, 0.5, 3, 2, 100) | ~QLinearAdd(@2, 1, 2, -4)",
  "Pointwise(%s, u, h) | Clip(0, 200) | Cast u8 | QLinearAdd(@1, 0.5, 0.25, 3, 0, 128) | ~QLinearMul(@2, 0.5, 3, 2, 10, 128)",
  "Pointwise(%s, u, r) | Cast u8 | ~QLinearMul(@1, -0.5, 7, 1) i8 | Cast f32 | Mul(@2) | Cast i8",
  "Pointwise(%s, m, t, v) | Mul(@1) | Cast i8 | Lookup(@2) u8 | Lookup(@3) i8 | Lookup(@2) u8",
  "Pointwise(%s, r, t, f, u) | Cast i32 | Requantize(@3, 3) u8 | Lookup(@2) | QLinearAdd(@4, 0.5, 0.5, 0) | Cast f32 | Mul(@1)",
  "Pointwise(%s, u, h) | AddDequantized(@1, 0.5, 100) | QuantizeLinear(0.25, 7) u8 | DequantizeLinear(2, 3) f32 | AddDequantized(@2, 3, 0)",
  "Pointwise(%s) | QuantizeLinear(0.3, -5) i8 | DequantizeLinear(0.3, -5) f32 | Relu | QuantizeLinear(0.1, 0) u8",
};

static void check_chain(const char *chain, int channels, bool blocks) {
  int c = channels;
  char text[2048], node[256];
  snprintf(node, sizeof node, chain, blocks ? "y" : "x");
  int n = snprintf(text, sizeof text, "graph step\ninput x f32 [2,%d,5,7]\n" ARGUMENTS, c, c, c, c, c, c, c);
  if (blocks) n += snprintf(text + n, sizeof text - (size_t)n, "const w f32 [%d,1,1,1] = splat 4\ny = Conv(x, w) group=%d\n", c, c);
  snprintf(text + n, sizeof text - (size_t)n, "z = %s\noutput z\n", node);
  check_kernel(text, 0);
}

static void dense(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(chains); i++) check_chain(chains[i], 3, false);
}

/* Channels that fill blocks of f32 but not of u8, that fill none, and that fill all. */
static void on_blocks(void **state) {
  (void)state;
  static const int channels[] = {3, 16, 20, 64, 83};
  for (size_t i = 0; i < COUNT(chains); i++) {
    for (size_t k = 0; k < COUNT(channels); k++) check_chain(chains[i], channels[k], true);
  }
}

/* Behind other anchors: they keep to f32 on blocks, and leave the rest. */
static void behind_anchors(void **state) {
  (void)state;
  static const char *const nodes[] = {
    "z = Conv(x, w) group=20 | Relu | Cast f16",
    "y = Conv(x, w) group=20\nz = MaxPool(y) kernel_shape=[2,2] | Relu | Cast i32",
    "z = MaxPool(x) kernel_shape=[2,2] | Cast i8",
    "y = Reshape(x, s)\nz = MatMul(y, m) | Cast i32",
    "y = Reshape(x, s)\nz = Gemm(y, m, _, a) | Add(@3) | Cast u8 | Cast f16",
    "y = Reshape(x, s)\nz = Gemm(y, run) | Cast bf16",
  };
  for (size_t i = 0; i < COUNT(nodes); i++) {
    char text[1024];
    snprintf(text, sizeof text, "graph step\ninput x f32 [1,20,5,7]\ninput run f32 [35,21]\nconst w f32 [20,1,1,1] = splat 4\n"
             "const s i64 [2] = {20, 35}\nconst m f32 [35,21] = splat 0.5\nconst a f32 [21] = splat 8\n%s\noutput z\n", nodes[i]);
    check_kernel_in(text, 0, 1, 1.0001);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(dense), cmocka_unit_test(on_blocks), cmocka_unit_test(behind_anchors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
