/* eval_test.c: the evaluator against values worked out by hand, against the definition of a
 * convolution, and where two operators must agree. */
#include "ops.h"
#include "fixture.h"

#include <math.h>

/* The value y of a graph without inputs. */
static const Value *evaluate(Context *cx, const char *body, const void **data) {
  Graph *g = text_parse(cx, NULL, format_text(cx, "%s\noutput y\n", body));
  void *out[1];
  pass_shape(g);
  eval_graph(g, NULL, out);
  *data = out[0];
  return g->output[0];
}

/* ---- cases from files: what the evaluator has where the result is known ---- */

static double number_at(const Value *v, const void *data, int64_t i) {
  Number n = get_number(v->type, data, i);
  return type_is_float(v->type) ? n.f : (double)n.i;
}

static bool same_number(double got, double want) {
  if (isnan(want)) return isnan(got);
  if (want == 0) return got == 0 && signbit(got) == signbit(want);
  return got == want || fabs(got - want) <= 1e-6 * fabs(want);
}

static void check_output(const OpCase *c, const Value *v, const void *data, const Wanted *want) {
  if (shape_count(&v->shape) != want->n) fail_msg("%s\n%s has the shape %s", c->text, v->name, shape_text(c->cx, &v->shape));
  for (int i = 0; i < want->n; i++) {
    double got = number_at(v, data, i);
    if (!same_number(got, want->v[i])) fail_msg("%s\n%s[%d] is %.9g, not %.9g", c->text, v->name, i, got, want->v[i]);
  }
}

static int known;

static void check_known(OpCase *c) {
  if (!c->n_wanted) return;
  Graph *g = text_parse(c->cx, NULL, c->text);
  void *out[MAX_GIVEN];
  pass_shape(g);
  eval_graph(g, c->given, out);
  for (int i = 0; i < c->n_wanted; i++) check_output(c, g->output[i], out[i], &c->wanted[i]);
  known++;
}

static void results_worked_out_by_hand(void **state) {
  (void)state;
  static char path[64][64];
  int n = case_files(path, COUNT(path));
  for (int i = 0; i < n; i++) for_each_case(path[i], check_known);
  assert_true(known > 90);
}

static void faults_of_the_data_are_named(void **state) {
  (void)state;
  Context *cx = context_new();
  const void *data;
  EXPECT_FAIL(cx, evaluate(cx, "const a i32 [1] = {1}\nconst b i32 [1] = {0}\ny = Div(a, b)", &data),
              "test: node \"y\" (Div): an integer is divided by zero");
  context_free(cx);
}

/* The declared shape of the result is a promise of the model. */
static void run_time_bounds_must_give_the_declared_shape(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f32 [4]\ninput s i64 [1]\ninput e i64 [1]\n"
                                  "y = Slice(x, s, e)\noutput y\n");
  g->output[0]->shape = shape_of(1, (int64_t)2);
  pass_shape(g);
  static const float x[4] = {1, 2, 3, 4};
  static const int64_t start = -3, end = 3, later = 9;
  void *out[1];
  eval_graph(g, (const void *[]){x, &start, &end}, out);
  assert_memory_equal(out[0], x + 1, 2 * sizeof *x);
  EXPECT_FAIL(cx, eval_graph(g, (const void *[]){x, &start, &later}, out),
              "test: node \"y\" (Slice): the result is [3], but declared as [2]");
  context_free(cx);
}

/* ---- Conv by its equation, element by element ---- */

/* With the window from the attributes of the graph, not from the node. */
static double conv_element(const float *x, const float *w, int group, int o, int oy, int ox) {
  double sum = 0;
  int group_in = 4 / group, first = o / (6 / group) * group_in;
  for (int c = 0; c < group_in; c++)
    for (int ky = 0; ky < 3; ky++)
      for (int kx = 0; kx < 2; kx++) {
        int iy = oy * 2 - 1 + ky, ix = ox - 3 + kx * 3;
        if (iy < 0 || iy >= 7 || ix < 0 || ix >= 6) continue;
        sum += (double)x[((first + c) * 7 + iy) * 6 + ix] * w[((o * group_in + c) * 3 + ky) * 2 + kx];
      }
  return sum;
}

static void check_conv(int group) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *body = format_text(cx, "const x f32 [1,4,7,6] = random 1 -1 1\n"
                                     "const w f32 [6,%d,3,2] = random 2 -1 1\n"
                                 "y = Conv(x, w) strides=[2,1] dilations=[1,3] pads=[1,3,2,0] group=%d",
                                 4 / group, group);
  const void *y;
  const Value *v = evaluate(cx, body, &y);
  const Shape want = shape_of(4, (int64_t)1, (int64_t)6, (int64_t)4, (int64_t)6);
  assert_true(shape_equal(&v->shape, &want));
  const float *x = v->def->in[0]->data, *w = v->def->in[1]->data;
  for (int i = 0; i < 6 * 4 * 6; i++)
    assert_float_equal(((const float *)y)[i], conv_element(x, w, group, i / 24, i / 6 % 4, i % 6), 1e-6);
  context_free(cx);
}

static void conv_follows_its_equation(void **state) {
  (void)state;
  check_conv(1);
  check_conv(2);
}

static void check_pair(const char *first, const char *second) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const void *a, *b;
  int64_t n = shape_count(&evaluate(cx, first, &a)->shape);
  assert_int_equal(shape_count(&evaluate(cx, second, &b)->shape), n);
  for (int64_t k = 0; k < n; k++) assert_float_equal(((const float *)a)[k], ((const float *)b)[k], 1e-6);
  context_free(cx);
}

/* A pointwise convolution is a matrix product; so is the mean of a window a depthwise convolution. */
static void operators_agree(void **state) {
  (void)state;
  check_pair("const x f32 [1,3,4] = random 1 -1 1\nconst w f32 [5,3,1] = random 2 -1 1\ny = Conv(x, w)",
             "const x f32 [3,4] = random 1 -1 1\nconst w f32 [5,3] = random 2 -1 1\ny = MatMul(w, x)");
  check_pair("const x f32 [1,2,5,5] = random 1 -1 1\ny = AveragePool(x) kernel_shape=[2,2] strides=[2,1]",
             "const x f32 [1,2,5,5] = random 1 -1 1\nconst w f32 [2,1,2,2] = splat 0.25\n"
             "y = Conv(x, w) strides=[2,1] group=2");
  check_pair("const x f32 [2,3,4,5] = random 1 -1 1\ny = GlobalAveragePool(x)",
             "const x f32 [2,3,4,5] = random 1 -1 1\nconst a i64 [2] = {2,3}\ny = ReduceMean(x, a)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(results_worked_out_by_hand),
    cmocka_unit_test(faults_of_the_data_are_named),
    cmocka_unit_test(run_time_bounds_must_give_the_declared_shape),
    cmocka_unit_test(conv_follows_its_equation),
    cmocka_unit_test(operators_agree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
