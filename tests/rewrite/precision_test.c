/* precision_test.c: models in 16-bit floats have them at their interface alone, and compute what they say but for roundings. */
#include "fixture.h"

#include <math.h>

/* The graph behind the pass, printed without its first line. */
static void expect(const char *text, const char *want) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, text);
  pass_shape(g);
  verify(g, "shape");
  pass_precision(g);
  verify(g, "precision");
  assert_string_equal(strchr(graph_text(g), '\n') + 1, want);
  context_free(cx);
}

static void casts_stand_at_the_interface(void **state) {
  (void)state;
  expect("input x f16 [2]\ninput b bf16 [2]\ny = Relu(x)\nz = Tanh(b)\nw = Sub(y, x)\noutput w\noutput z\n",
         "input x f16 [2]\ninput b bf16 [2]\nx.f32 = Cast(x) to=1 # f32 [2]\nb.f32 = Cast(b) to=1 # f32 [2]\n"
         "y = Relu(x.f32) # f32 [2]\nz.f32 = Tanh(b.f32) # f32 [2]\nw.f32 = Sub(y, x.f32) # f32 [2]\n"
         "w = Cast(w.f32) to=10 # f16 [2]\nz = Cast(z.f32) to=16 # bf16 [2]\noutput w\noutput z\n");
}

/* What is read inside and is an output as well is not read back from 16 bits. */
static void outputs_are_rounded_last(void **state) {
  (void)state;
  expect("input x f16 [2]\ny = Relu(x)\nz = Tanh(y)\noutput y\noutput z\n",
         "input x f16 [2]\nx.f32 = Cast(x) to=1 # f32 [2]\ny.f32 = Relu(x.f32) # f32 [2]\nz.f32 = Tanh(y.f32) # f32 [2]\n"
         "y = Cast(y.f32) to=10 # f16 [2]\nz = Cast(z.f32) to=10 # f16 [2]\noutput y\noutput z\n");
}

static void casts_inside_do_not_round(void **state) {
  (void)state;
  expect("input x f64 [2]\nh = Cast(x) to=10\ny = Cast(h) to=1\nb = Cast(x) to=16\nz = Tanh(b)\noutput y\noutput b\noutput z\n",
         "input x f64 [2]\nh = Cast(x) to=1 # f32 [2]\ny = Cast(h) to=1 # f32 [2]\nb.f32 = Cast(x) to=1 # f32 [2]\n"
         "z.f32 = Tanh(b.f32) # f32 [2]\nb = Cast(x) to=16 # bf16 [2]\nz = Cast(z.f32) to=16 # bf16 [2]\n"
         "output y\noutput b\noutput z\n");
}

static void constants_are_converted(void **state) {
  (void)state;
  expect("input x f16 [2]\nconst c f16 [2] = {0.5, -2}\nconst k bf16 [1] = {3}\nconst s i64 [1] = {2}\n"
         "f = ConstantOfShape(s) value=&k\nd = Cast(f) to=10\na = Add(x, c)\ny = Mul(a, d)\noutput y\n",
         "input x f16 [2]\nconst c f32 [2] = {0.5, -2}\nconst k f32 [1] = {3}\nconst s i64 [1] = {2}\n"
         "x.f32 = Cast(x) to=1 # f32 [2]\nf = ConstantOfShape(s) value=&k # f32 [2]\nd = Cast(f) to=1 # f32 [2]\n"
         "a = Add(x.f32, c) # f32 [2]\ny.f32 = Mul(a, d) # f32 [2]\ny = Cast(y.f32) to=10 # f16 [2]\noutput y\n");
}

static void other_graphs_stay(void **state) {
  (void)state;
  static const char text[] = "input x f32 [2]\ninput n i64 [2]\ny = Relu(x) # f32 [2]\nz = Cast(n) to=11 # f64 [2]\n"
                             "output y\noutput z\n";
  expect(text, text);
}

/* Constants of 16 bits are computed with in f32 too: pass_shape, before, leaves that. */
static void constants_are_not_rounded_twice(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f16 [1]\nconst a f16 [1] = {1}\nconst b f16 [1] = {0.0001}\n"
                                  "c = Add(a, b)\ny = Mul(x, c)\nf = Cast(y) to=1\noutput f\n");
  pass_shape(g);
  pass_precision(g);
  pass_fold(g);
  const float *sum = value_named(g, "c")->data;
  assert_true(*sum > 1.00005f && *sum < 1.00015f);
  context_free(cx);
}

/* Sizes computed in 16 bits are those that the model says. */
static void sizes_are_known_before(void **state) {
  (void)state;
  expect("input x f16 [6,4]\nconst k f16 [1] = {0.5}\ns = Shape(x)\nf = Cast(s) to=10\nm = Mul(f, k)\nt = Cast(m) to=7\n"
         "const one i64 [1] = {-1}\nu = Concat(t, one) axis=0\ny = Reshape(x, u)\noutput y\n",
         "input x f16 [6,4]\nconst k f32 [1] = {0.5}\nconst one i64 [1] = {-1}\nx.f32 = Cast(x) to=1 # f32 [6,4]\n"
         "s = Shape(x.f32) # i64 [2]\nf = Cast(s) to=1 # f32 [2]\nm = Mul(f, k) # f32 [2]\nt = Cast(m) to=7 # i64 [2]\n"
         "u = Concat(t, one) axis=0 # i64 [3]\ny.f32 = Reshape(x.f32, u) # f32 [3,2,4]\n"
         "y = Cast(y.f32) to=10 # f16 [3,2,4]\noutput y\n");
}

/* ---- results: eval rounds what every operator gives, before the pass; after it, the output alone ---- */

static void *half_numbers(Context *cx, const Value *v) {
  uint64_t state = 1;
  int64_t n = shape_count(&v->shape);
  void *data = alloc_n(cx, (size_t)n, type_size(v->type));
  for (int64_t i = 0; i < n; i++) put_number(v->type, data, i, (Number){.f = 2 * random_unit(&state) - 1});
  return data;
}

static void check_results(const char *type, const char *body) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s %s\n%s", type, body, cx->error);
  Graph *g = text_parse(cx, NULL, format_text(cx, "input x %s [2,4,6,6]\nconst w %s [4,4,3,3] = random 1 -0.5 0.5\n"
                                              "const c %s [4] = random 2 0.5 1.5\nconst q f32 [4] = random 3 0.5 1.5\n"
                                              "const a %s [1] = {-0.25}\nconst m %s [6,3] = random 4 -1 1\n%s\noutput y\n",
                                              type, type, type, type, type, body));
  pass_shape(g);
  verify(g, "shape");
  Type t = g->output[0]->type;
  int64_t n = shape_count(&g->output[0]->shape);
  const void *in = half_numbers(cx, g->input[0]);
  void *rounded, *wide;
  eval_graph(g, &in, &rounded);
  pass_precision(g);
  verify(g, "precision");
  eval_graph(g, &in, &wide);
  double unit = t == T_F16 ? 0x1p-10 : 0x1p-7, largest = 0;
  assert_int_equal(t, g->input[0]->type);
  assert_int_equal(t, g->output[0]->type);
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(get_number(t, wide, i).f));
  if (largest == 0) fail_msg("%s %s: zeros", type, body);
  for (int64_t i = 0; i < n; i++) {
    double r = get_number(t, rounded, i).f, x = get_number(t, wide, i).f;
    if (!(fabs(r - x) <= unit * largest)) fail_msg("%s %s\nelement %d: %.9g and %.9g", type, body, (int)i, r, x);
  }
  context_free(cx);
}

static void results_differ_by_roundings(void **state) {
  (void)state;
  static const char *const types[] = {"f16", "bf16"}, *const bodies[] = {
    "y = Conv(x, w, c) pads=[1,1,1,1]", "y = BatchNormalization(x, c, c, c, c)", "y = BatchNormalization(x, q, q, q, q)",
    "y = MatMul(x, m)", "f = Flatten(x) axis=3\ny = Gemm(f, m) alpha=0.5", "y = MaxPool(x) kernel_shape=[2,2]",
    "y = AveragePool(x) kernel_shape=[2,2]", "y = GlobalAveragePool(x)", "y = GlobalMaxPool(x)", "y = Relu(x)",
    "y = LeakyRelu(x)", "y = Clip(x, a)", "y = Clip(x) max=0.5", "y = Sigmoid(x)", "y = HardSigmoid(x)", "y = HardSwish(x)",
    "y = Tanh(x)", "y = PRelu(x, a)", "y = Add(x, a)", "y = Sub(x, a)", "y = Mul(x, a)", "y = Div(x, a)", "y = Softmax(x)",
    "y = LogSoftmax(x)", "y = ReduceMean(x)", "y = Transpose(x)", "y = Concat(x, x) axis=1", "y = Identity(x)",
    "y, z = Split(x) axis=0", "const p i64 [8] = {0, 0, 1, 1, 0, 0, 0, 0}\ny = Pad(x, p, a)", "y = Dropout(x)",
    "const p i64 [8] = {0, 0, 1, 1, 0, 0, 0, 0}\ny = Pad(x, p) value=0.5",
  };
  for (size_t t = 0; t < COUNT(types); t++)
    for (size_t i = 0; i < COUNT(bodies); i++) check_results(types[t], bodies[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(casts_stand_at_the_interface),
    cmocka_unit_test(outputs_are_rounded_last),
    cmocka_unit_test(casts_inside_do_not_round),
    cmocka_unit_test(constants_are_converted),
    cmocka_unit_test(other_graphs_stay),
    cmocka_unit_test(constants_are_not_rounded_twice),
    cmocka_unit_test(sizes_are_known_before),
    cmocka_unit_test(results_differ_by_roundings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
