/* Depthwise convolutions of 8-bit integers against the evaluator, every bit: windows, strides, dilation, rows shorter and longer
 * than a tile, blocks that are partly filled, zero points of both operands, epilogues. */
#include "harness.h"

#include <string.h>

static const char requantized[] = "| Add(@4) | Requantize(@5, 113) u8 | Clip(9, 250)", sums[] = "", floats[] = "| Cast f32 | Mul(@5)";

static void check_depthwise(const ConvCase *k, int zx, const char *zero, const char *steps) {
  ConvCase own = *k;
  own.oc = own.group = k->c;
  check_conv_integer(&own, zx, zero, steps, 0.02);
}

static void windows(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 96, 3, 15, 0, 3, 3, 0, 1, 1, 1, 1, 1, 1, 1, 1}, {2, 19, 6, 33, 0, 3, 3, 0, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 36, 9, 9, 0, 5, 5, 0, 1, 1, 2, 2, 4, 4, 4, 4},  {1, 70, 3, 3, 0, 7, 7, 0, 1, 1, 1, 1, 3, 3, 3, 3},
    {3, 17, 1, 1, 0, 2, 2, 0, 2, 2, 1, 1, 1, 0, 0, 1},  {1, 40, 5, 9, 0, 4, 3, 0, 1, 2, 2, 1, 2, 1, 2, 0},
    {1, 33, 9, 9, 0, 6, 1, 0, 3, 2, 1, 1, 2, 0, 2, 0},
  };
  static const char *const zero[] = {NULL, "[] = {-77}", NULL, "[] = {0}"}, *const steps[] = {requantized, floats, sums};
  for (size_t i = 0; i < COUNT(cases); i++) check_depthwise(&cases[i], i % 2 ? 128 : 255, zero[i % COUNT(zero)], steps[i % COUNT(steps)]);
  check_depthwise(&cases[0], 9, "[] = {-128}", floats); /* weights up to 255 are no sum of two of 8 bits */
  check_depthwise(&(ConvCase){1, 4, 3, 3, 0, 2, 2, 0, 1, 1, 1, 1, 0, 0, 0, 0}, 7, "[4] = {127, -128, 0, 3}", requantized);
}

/* What the epilogue reads beside the result: another tensor, one number for all channels. */
static void arguments(void **state) {
  (void)state;
  check_integers("graph d\ninput x u8 [2,37,6,20]\ninput r u8 [2,37,6,20]\nconst w i8 [37,1,3,3] = random 3 -128 128\nconst u u8 [] = {3}\n"
                  "const b i32 [] = {777}\nconst m f32 [] = {0.003}\n"
                  "y = ConvInteger(x, w, u, _, b, m, r) pads=[1,1,1,1] group=37 | Add(@4) | Requantize(@5, 100) u8 | "
                  "QLinearAdd(@6, 0.7, 0.4, 11.5) u8\noutput y\n", 0, 256);
}

/* No layer takes another algorithm. */
static void plans(void **state) {
  (void)state;
  static const Options options = {.name = "depthwise", .cpu = "haswell", .triple = "x86_64-linux-gnu", .max_memory = 1 << 30};
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, &options, "graph d\ninput x u8 [1,8,9,9]\nconst w i8 [8,1,7,7] = random 1 -128 128\nconst u u8 [] = {7}\n"
                        "y = ConvInteger(x, w, u) group=8\noutput y\n");
  front_run(g, NULL, NULL);
  Build *b = build_new(g, &options, target_new(cx, &options));
  build_run(b, NULL, NULL);
  int packed = 0;
  for (int i = 0; i < b->graph->n_node; i++)
    packed += b->graph->node[i]->op == OP_ConvInteger && strcmp(b->graph->node[i]->plan->how->name, "integer_depthwise") == 0;
  assert_int_equal(packed, 1);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(windows),
    cmocka_unit_test(arguments),
    cmocka_unit_test(plans),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
