/* weight_zeros_test.c: zero points of integer weights go into the weights, or are taken off by sums that all outputs share. */
#include "lower.h"
#include "fixture.h"

#define X "graph zeros\ninput f f32 [2,8,5,6]\nx = Pointwise(f) | QuantizeLinear(0.01, 9) u8\nconst z u8 [] = {9}\n" \
          "const b i32 [6,1,1] = random 3 -90 90\n"
#define WIDE "const w i8 [6,8,3,3] = random 1 -128 128\n"
#define OUT " | Cast f32\noutput y\n"

static void expect(const char *text, const char *ops) { expect_ops(&lax_options, pass_zeros, text, ops); }

static void sums_are_shared(void **state) {
  (void)state;
  expect(X WIDE "const v i8 [] = {-7}\ny = ConvInteger(x, w, z, v) pads=[1,0,1,2] strides=[2,1] dilations=[1,2]" OUT,
         "Pointwise|QuantizeLinear ConvInteger ConvInteger|Add|Cast");
  expect(X WIDE "const v i8 [6] = splat 127\ny = ConvInteger(x, w, _, v, b) | Add(@4)" OUT,
         "Pointwise|QuantizeLinear ConvInteger ConvInteger|Add|Add|Cast");
}

/* The bias stays first, where kernels take it into the sums. */
static void bias_stays_first(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, X WIDE "const v i8 [] = {3}\ny = ConvInteger(x, w, z, v, b) | Add(@4)" OUT, pass_zeros);
  const Node *n = g->node[2];
  assert_string_equal(n->in[n->step[0].arg]->name, "b");
  assert_ptr_equal(n->in[n->step[1].arg]->def, g->node[1]);
  assert_null(n->in[3]);
  context_free(cx);
}

static void small_weights_take_them_in(void **state) {
  (void)state;
  expect(X "const w i8 [6,8,3,3] = random 1 -60 65\nconst v i8 [6] = random 2 -63 64\ny = ConvInteger(x, w, z, v)" OUT,
         "Pointwise|QuantizeLinear ConvInteger|Cast");
  expect(X "const w i8 [6,4,3,3] = random 1 -60 65\nconst v i8 [] = {-9}\ny = ConvInteger(x, w, z, v) group=2" OUT,
         "Pointwise|QuantizeLinear ConvInteger|Cast");
}

/* Of outputs, in groups, of few channels, or of the one number that has no opposite of 8 bits. */
static void others_stay(void **state) {
  (void)state;
  static const char *const stays[] = {
    WIDE "const v i8 [6] = random 2 -9 9\ny = ConvInteger(x, w, z, v)", WIDE "const v i8 [] = {-128}\ny = ConvInteger(x, w, z, v)",
    "const w i8 [6,4,3,3] = random 1 -128 128\nconst v i8 [] = {-9}\ny = ConvInteger(x, w, z, v) group=2",
    "const w i8 [1,8,3,3] = random 1 -128 128\nconst v i8 [] = {-9}\ny = ConvInteger(x, w, z, v)",
    WIDE "const v i8 [] = {0}\ny = ConvInteger(x, w, z, v)",
  };
  for (size_t i = 0; i < COUNT(stays); i++) {
    char text[1024];
    snprintf(text, sizeof text, X "%s" OUT, stays[i]);
    expect(text, "Pointwise|QuantizeLinear ConvInteger|Cast");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(sums_are_shared),
    cmocka_unit_test(bias_stays_first),
    cmocka_unit_test(small_weights_take_them_in),
    cmocka_unit_test(others_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
