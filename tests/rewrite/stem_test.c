/* stem_test.c: convolutions of few channels and stride 2 over the four parities of their input. The results stay. */
#include "lower.h"
#include "fixture.h"

#include <math.h>

static const char *conv(Context *cx, const char *input, const char *weights, const char *attributes) {
  return format_text(cx, "graph g\ninput x f32 %s\nconst w f32 %s = random 1 -0.5 0.5\n"
                     "const b f32 [8] = random 2 -1 1\ny = Conv(x, w, b) %s | Relu\noutput y\n", input, weights, attributes);
}

static void expect(const Options *opt, const char *input, const char *weights, const char *attributes, const char *ops) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  assert_string_equal(ops_text(run_pass(cx, opt, conv(cx, input, weights, attributes), pass_stem)), ops);
  context_free(cx);
}

static void parities_of_every_padding(void **state) {
  (void)state;
  static const char *const split = "SpaceToDepth Conv|Relu";
  expect(&lax_options, "[1,3,32,32]", "[8,3,7,7]", "strides=[2,2] pads=[3,3,3,3]", split);
  expect(&lax_options, "[2,3,20,24]", "[8,3,7,7]", "strides=[2,2] pads=[2,2,3,3]", split);
  expect(&lax_options, "[1,4,20,24]", "[8,4,5,5]", "strides=[2,2] pads=[2,2,2,2]", split);
  expect(&lax_options, "[1,2,20,24]", "[8,2,6,6]", "strides=[2,2] pads=[1,1,2,2]", split);
  expect(&lax_options, "[1,3,20,24]", "[8,3,7,7]", "strides=[2,2] pads=[0,0,5,5]", split);
  expect(&lax_options, "[1,3,20,24]", "[8,3,7,7]", "strides=[2,2] auto_pad=\"SAME_UPPER\"", split);
}

static void others_stay(void **state) {
  (void)state;
  static const Options off = {.name = "test", .winograd = WINOGRAD_OFF};
  expect(&off, "[1,3,32,32]", "[8,3,7,7]", "strides=[2,2] pads=[3,3,3,3]", "Conv|Relu");
  expect(&strict_options, "[1,3,32,32]", "[8,3,7,7]", "strides=[2,2] pads=[3,3,3,3]", "Conv|Relu");
  expect(&lax_options, "[1,3,32,32]", "[8,3,7,7]", "pads=[3,3,3,3]", "Conv|Relu");
  expect(&lax_options, "[1,3,31,32]", "[8,3,7,7]", "strides=[2,2] pads=[3,3,3,3]", "Conv|Relu"); /* an odd row */
  expect(&lax_options, "[1,3,32,32]", "[8,3,3,3]", "strides=[2,2] pads=[1,1,1,1]", "Conv|Relu");
  expect(&lax_options, "[1,8,32,32]", "[8,8,7,7]", "strides=[2,2] pads=[3,3,3,3]", "Conv|Relu");
  expect(&lax_options, "[1,1,32,32]", "[8,1,7,7]", "strides=[2,2] pads=[3,3,3,3]", "Conv|Relu");
  expect(&lax_options, "[1,3,32,32]", "[8,3,7,5]", "strides=[2,2] pads=[3,2,3,2]", "Conv|Relu");
  expect(&lax_options, "[1,3,32,32]", "[8,3,6,6]", "strides=[2,2] pads=[1,2,1,2]", "Conv|Relu"); /* 4x3 blocks */
}

/* The image's bytes, whose conversion does not cost a pass of its own. */
static void a_conversion_is_part_of_it(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  static const char *const conversion[] = {
    "f = Cast(x) to=1\np = Pointwise(f, m, s) | Sub(@1) | Mul(@2)\n", "p = Cast(x) to=1\n",
    "f = Cast(x) to=1\np = Pointwise(f, m) | Sub(@1)\nq = Relu(f)\noutput q\n"};
  static const char *const ops[] = {"SpaceToDepth|Cast|Sub|Mul Conv", "SpaceToDepth|Cast Conv", "Cast Pointwise|Sub Relu SpaceToDepth Conv"};
  for (size_t i = 0; i < COUNT(ops); i++) {
    Graph *g = text_parse(cx, &lax_options, format_text(cx,
      "input x u8 [1,3,8,8]\nconst w f32 [8,3,7,7] = random 1 -0.5 0.5\nconst m f32 [3,1,1] = {100, 120, 140}\n"
      "const s f32 [] = {0.02}\n%sy = Conv(p, w) strides=[2,2] pads=[3,3,3,3]\noutput y\n", conversion[i]));
    pass_shape(g);
    uint8_t x[192];
    for (int k = 0; k < 192; k++) x[k] = (uint8_t)(k * 37);
    int last = g->n_output - 1;
    const float *want = evaluated(g, (const void *[]){x})[last];
    pass_stem(g);
    verify(g, "stem");
    assert_string_equal(ops_text(g), ops[i]);
    const float *got = evaluated(g, (const void *[]){x})[last];
    for (int64_t k = 0; k < shape_count(&g->output[last]->shape); k++) assert_true(fabsf(got[k] - want[k]) <= 1e-4f * (1 + fabsf(want[k])));
  }
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(parities_of_every_padding),
    cmocka_unit_test(others_stay),
    cmocka_unit_test(a_conversion_is_part_of_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
