/* activation_test.c: what exporters spell out, in their orders, is the operator that it stands for, with the
 * same results. */
#include "fixture.h"

#include <math.h>

static void activations(Graph *g) {
  pass_fold(g);
  pass_activations(g);
}

#define HEAD \
  "input x f32 [2,3,4]\n" \
  "const half f32 [] = {0.5}\nconst one f32 [1] = {1}\nconst two f32 [] = {2}\nconst three f32 [] = {3}\n" \
  "const six f32 [] = {6}\n" \
  "const zero f32 [] = {0}\nconst sixth f32 [] = {0.16666667}\nconst minus f32 [] = {-1}\n" \
  "const root f32 [] = {1.4142135}\nconst inverse f32 [] = {0.70710677}\nconst c f32 [] = {0.044715}\n" \
  "const d f32 [] = {0.7978845608}\n"

static void expect(const char *body, const char *ops) {
  Context *cx = context_new();
  expect_ops(&lax_options, activations, format_text(cx, HEAD "%s\noutput y\n", body), ops);
  context_free(cx);
}

static void sigmoids_and_gates(void **state) {
  (void)state;
  expect("s = Sigmoid(x)\ny = Mul(x, s)", "Swish");
  expect("s = Sigmoid(x)\ny = Mul(s, x)", "Swish");
  expect("a = Mul(x, two)\ns = Sigmoid(a)\ny = Mul(x, s)", "Swish");
  expect("a = Neg(x)\ne = Exp(a)\nf = Add(e, one)\ns = Div(one, f)\ny = Mul(s, x)", "Swish");
  expect("a = Mul(minus, x)\ne = Exp(a)\nf = Add(one, e)\ny = Reciprocal(f)", "Sigmoid");
  expect("e = Exp(x)\nf = Add(one, e)\ny = Log(f)", "Softplus");
  expect("s = Softplus(x)\nt = Tanh(s)\ny = Mul(x, t)", "Mish");
  expect("e = Exp(x)\nf = Add(one, e)\ns = Log(f)\nt = Tanh(s)\ny = Mul(t, x)", "Mish");
  expect("a = Abs(x)\nf = Add(one, a)\ny = Div(x, f)", "Softsign");
}

static void hard_ones(void **state) {
  (void)state;
  expect("a = Add(x, three)\nh = Clip(a, zero, six)\ny = Div(h, six)", "HardSigmoid");
  expect("a = Add(three, x)\nh = Clip(a, zero, six)\ny = Mul(sixth, h)", "HardSigmoid");
  expect("a = Add(x, three)\nh = Clip(a, zero, six)\ng = Div(h, six)\ny = Mul(g, x)", "HardSwish");
  expect("a = Add(x, three)\nh = Clip(a, zero, six)\ng = Mul(h, x)\ny = Div(g, six)", "HardSwish");
  expect("h = HardSigmoid(x) alpha=0.16666667 beta=0.5\ny = Mul(h, x)", "HardSwish");
  expect("h = HardSigmoid(x) alpha=0.2 beta=0.5\ny = Mul(h, x)", "HardSigmoid Mul");
  expect("a = Max(x, zero)\ny = Min(a, six)", "Relu Clip");
  expect("y = Max(x, half)", "Clip");
}

static void gelu_in_its_orders(void **state) {
  (void)state;
  expect("a = Div(x, root)\ne = Erf(a)\nf = Add(e, one)\ng = Mul(x, f)\ny = Mul(g, half)", "Gelu");
  expect("a = Mul(x, inverse)\ne = Erf(a)\nf = Add(one, e)\nh = Mul(half, x)\ny = Mul(h, f)", "Gelu");
  expect("a = Mul(x, inverse)\ne = Erf(a)\nf = Add(one, e)\nh = Mul(f, half)\ny = Mul(x, h)", "Gelu");
  expect("a = Mul(x, inverse)\ne = Erf(a)\nh = Mul(e, half)\nf = Add(h, half)\ny = Mul(f, x)", "Gelu");
  expect("a = Mul(x, inverse)\ne = Erf(a)\nf = Add(one, e)\nh = Div(x, two)\ny = Mul(h, f)", "Gelu");
  expect("e = Erf(x)\nf = Add(e, one)\ng = Mul(x, f)\ny = Mul(g, half)", "Erf Add Mul Mul");
}

static void gelu_by_tanh(void **state) {
  (void)state;
  expect("p = Pow(x, three)\nq = Mul(p, c)\nr = Add(x, q)\ns = Mul(r, d)\nt = Tanh(s)\nu = Add(t, one)\n"
         "h = Mul(x, half)\n"
         "y = Mul(h, u)", "FastGelu");
  expect("p = Mul(x, x)\nq = Mul(p, c)\nr = Add(one, q)\ns = Mul(x, d)\nv = Mul(s, r)\nt = Tanh(v)\n"
         "u = Add(one, t)\n"
         "g = Mul(x, u)\ny = Mul(half, g)", "FastGelu");
}

static void powers(void **state) {
  (void)state;
  expect("y = Pow(x, two)", "Square");
  expect("y = Mul(x, x)", "Square");
  expect("y = Pow(x, three)", "Square Mul");
  expect("const n i64 [] = {2}\ny = Pow(x, n)", "Square");
  expect("s = Abs(x)\ny = Pow(s, half)", "Abs Sqrt");
  expect("s = Add(x, two)\ny = Pow(s, minus)", "Add Reciprocal");
  expect("const n i32 [4] = {1,2,3,2}\ny = Pow(x, n)\n", "Pow");
}

static void divisors(void **state) {
  (void)state;
  expect("y = Div(x, six)", "Mul");
  expect("const z f32 [4] = {1, 0, 2, 3}\na = Div(x, z)\ny = Relu(a)", "Div Relu");
  expect_ops(&strict_options, activations, HEAD "y = Div(x, six)\noutput y\n", "Div");
  expect_ops(&strict_options, activations, HEAD "y = Div(x, two)\noutput y\n", "Mul");
  expect("a = Div(x, six)\nq = QuantizeLinear(a, two)\ny = DequantizeLinear(q, two)", "Div QuantizeLinear DequantizeLinear");
}

static void with_strict_nothing_infinite_goes(void **state) {
  (void)state;
  expect_ops(&strict_options, activations, HEAD "e = Exp(x)\nf = Add(one, e)\ny = Log(f)\noutput y\n",
             "Exp Add Log");
  expect_ops(&strict_options, activations, HEAD "s = Abs(x)\ny = Pow(s, half)\noutput y\n", "Abs Pow");
}

/* Readers of a part keep it. */
static void what_others_read_stays(void **state) {
  (void)state;
  expect("s = Sigmoid(x)\ny = Mul(x, s)\noutput s", "Sigmoid Swish");
  expect("const k f32 [3,1] = {1,2,3}\ns = Sigmoid(k)\ny = Mul(x, s)", "Mul");
  expect("const k f32 [5,1,1,1] = {1,2,3,4,5}\na = Mul(x, k)\ns = Sigmoid(x)\ny = Mul(a, s)",
         "Mul Sigmoid Mul");
}

/* Rounded constants of a model in half precision. */
static void constants_of_16_bits_are_known(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  static const char *const root[] = {"1.4140625", "1.41"};
  for (int i = 0; i < 2; i++) {
    Graph *g = text_parse(cx, &lax_options, format_text(cx,
                                                        "input x f32 [4]\nconst r f32 [] = {%s}\n"
                                                        "const one f32 [] = {1}\n"
                                                        "const h f32 [] = {0.5}\na = Div(x, r)\ne = Erf(a)\n"
                                                        "f = Add(e, one)\n"
                                                        "g = Mul(x, f)\ny = Mul(g, h)\noutput y\n", root[i]));
    pass_shape(g);
    activations(g);
    assert_string_equal(ops_text(g), i == 0 ? "Gelu" : "Mul Erf Add Mul Mul");
  }
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(sigmoids_and_gates),
    cmocka_unit_test(hard_ones),
    cmocka_unit_test(gelu_in_its_orders),
    cmocka_unit_test(gelu_by_tanh),
    cmocka_unit_test(powers),
    cmocka_unit_test(divisors),
    cmocka_unit_test(with_strict_nothing_infinite_goes),
    cmocka_unit_test(what_others_read_stays),
    cmocka_unit_test(constants_of_16_bits_are_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
