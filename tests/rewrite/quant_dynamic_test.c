/* quant_dynamic_test.c: what becomes of parameters that are known at run time only. Results stay, bit for bit. */
#include "fixture.h"

static const void **some_inputs(Graph *g) {
  uint64_t state = 7;
  const void **in = alloc_n(g->cx, (size_t)g->n_input, sizeof *in);
  for (int i = 0; i < g->n_input; i++) {
    const Value *v = g->input[i];
    int64_t n = shape_count(&v->shape);
    void *x = alloc_n(g->cx, (size_t)n, type_size(v->type));
    for (int64_t k = 0; k < n; k++) {
      double u = (double)random_bits(&state) / 0x1p64;
      put_number(v->type, x, k, v->type == T_F32 ? (Number){.f = u * 4 - 1.5} : (Number){.i = (int64_t)(u * 256)});
    }
    in[i] = x;
  }
  return in;
}

/* The operators that the pass leaves, folded. */
static void expect(const char *text, const char *ops) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *before = shaped(cx, text), *g = shaped(cx, text);
  pass_quant(g);
  verify(g, "quant");
  pass_fold(g);
  assert_string_equal(ops_text(g), ops);
  const void **in = some_inputs(before);
  void **want = evaluated(before, in), **got = evaluated(g, in);
  for (int i = 0; i < before->n_output; i++) assert_memory_equal(want[i], got[i], value_bytes(before->output[i]));
  context_free(cx);
}

#define DYNAMIC "graph d\ninput x f32 [1,3,5,4]\nconst w i8 [6,3,3,2] = random 1 -128 128\nconst v u8 [6] = random 2 0 256\n"
#define STEPS "Pointwise|Div|Round|Add|QuantizeLinear"

static void ranges(void **state) {
  (void)state;
  expect(DYNAMIC "y, s, z = DynamicQuantizeLinear(x)\noutput y\noutput s\noutput z\n", "DynamicRange Cast " STEPS);
  expect(DYNAMIC "r = Relu(x)\ny, s, z = DynamicQuantizeLinear(r)\noutput y\noutput s\n",
         "Relu GlobalMaxPool DynamicRange Pointwise|Div|QuantizeLinear");
  expect("graph d\ninput x f32 [7]\nr = Sigmoid(x)\ny = DynamicQuantizeLinear(r)\noutput y\n", "Sigmoid DynamicRange Pointwise|Div|QuantizeLinear");
}

/* A list of scales, and ones that are known, stay parameters. */
static void quantizing(void **state) {
  (void)state;
  expect("graph d\ninput x f32 [5,7]\ninput s f32 []\ny = QuantizeLinear(x, s)\noutput y\n", "Pointwise|Div|QuantizeLinear");
  expect("graph d\ninput x f32 [5,7]\ninput s f32 []\ninput z i8 []\ny = QuantizeLinear(x, s, z)\noutput y\n", "Cast " STEPS);
  expect("graph d\ninput x f32 [5,7]\ninput s f32 [7]\ny = QuantizeLinear(x, s)\noutput y\n", "QuantizeLinear");
  expect("graph d\ninput x f32 [5,7]\nconst s f32 [] = {0.3}\ny = QuantizeLinear(x, s)\noutput y\n", "QuantizeLinear");
}

static void convolutions(void **state) {
  (void)state;
  expect("graph d\ninput x u8 [2,3,5,4]\ninput z u8 []\nconst w i8 [6,3,3,2] = random 1 -128 128\nconst v i8 [6] = random 2 -128 128\n"
         "y = ConvInteger(x, w, z, v) pads=[1,0,2,1] strides=[2,1]\noutput y\n", "Pad Cast Mul ConvInteger|Add");
  expect("graph d\ninput x u8 [1,4,9]\ninput z u8 []\nconst w u8 [6,2,3] = random 1 0 256\nconst v u8 [] = {77}\n"
         "y = ConvInteger(x, w, z, v) auto_pad=\"SAME_UPPER\" group=2\noutput y\n", "Pad Cast Mul ConvInteger|Add");
  expect("graph d\ninput x u8 [1,4,3,4,5]\ninput z u8 []\nconst w i8 [6,4,1,3,1] = random 1 -128 128\n"
         "y = ConvInteger(x, w, z) pads=[0,1,0,1,0,0]\noutput y\n", "Pad Cast Mul ConvInteger|Add");
  expect("graph d\ninput x u8 [1,4,5,5]\ninput z u8 []\nconst w i8 [6,4,1,1] = random 1 -128 128\ny = ConvInteger(x, w, z)\noutput y\n",
         "Cast Mul ConvInteger|Add");
  expect(DYNAMIC "r = Relu(x)\nq, s, z = DynamicQuantizeLinear(r)\ny = ConvInteger(q, w, z) pads=[1,1,1,0]\noutput y\n",
         "Relu GlobalMaxPool DynamicRange Pointwise|Div|QuantizeLinear ConvInteger");
  /* At run time weights have sums of their own. */
  expect("graph d\ninput x u8 [1,4,5,5]\ninput z u8 []\ninput w i8 [6,4,1,1]\ny = ConvInteger(x, w, z)\noutput y\n", "ConvInteger");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(ranges),
    cmocka_unit_test(quantizing),
    cmocka_unit_test(convolutions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
