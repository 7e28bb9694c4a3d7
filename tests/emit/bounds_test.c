/* bounds_test.c: Slice and Pad with bounds, and reductions with axes, that are known at run time only, compiled and run, against
 * the evaluator; and bounds that contradict the declared result. */
#include "fixture.h"
#include "loaded.h"

#include <math.h>

enum { MAX_INPUTS = 6, MAX_BOUNDS = 4, MAX_ELEMENTS = 128 };

/* x is the first input, the bounds are the others. */
typedef struct Case {
  const char *text;
  Shape declared;
  int64_t bounds[MAX_INPUTS][MAX_BOUNDS];
} Case;

static Graph *make_graph(Context *cx, const Options *opt, const Case *c) {
  Graph *g = text_parse(cx, opt, format_text(cx, "%s\noutput y\n", c->text));
  g->output[0]->shape = c->declared;
  return g;
}

/* Elements 1, 2, 3, ... of x, and the bounds. */
static void make_inputs(const Graph *g, const Case *c, float *x, const void **in) {
  for (int i = 0; i < MAX_ELEMENTS; i++) x[i] = (float)(i + 1);
  in[0] = x;
  for (int i = 1; i < g->n_input; i++) in[i] = c->bounds[i - 1];
}

static void run_compiled(Context *cx, const Case *c, const void *const *in, float *y) {
  Options opt = {.name = "bounds", .max_memory = cx->max_memory, .verify = true};
  run_graph_once(make_graph(cx, &opt, c), in, (void *[]){y});
}

static void check_against_eval(const Case *c) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", c->text, cx->error);
  float x[MAX_ELEMENTS], y[MAX_ELEMENTS] = {0};
  const void *in[MAX_INPUTS];
  void *want[1];
  Graph *g = make_graph(cx, NULL, c);
  make_inputs(g, c, x, in);
  pass_shape(g);
  eval_graph(g, in, want);
  run_compiled(cx, c, in, y);
  for (int i = 0; i < shape_count(&c->declared); i++)
    if (y[i] != ((const float *)want[0])[i]) fail_msg("%s\nelement %d is %g", c->text, i, (double)y[i]);
  context_free(cx);
}

#define X "input x f32 [4,6]\n"

static void axes(void **state) {
  (void)state;
  static const Case row[] = {
    {X "input a i64 [1]\ny = ReduceSum(x, a) keepdims=0", {1, {6}}, {{0}}},
    {X "input a i64 [1]\ny = ReduceMean(x, a) keepdims=0", {1, {4}}, {{-1}}},
    {X "input a i64 [2]\ny = ReduceMin(x, a) keepdims=0", {0}, {{1, 0}}},
    {X "input a i64 [1]\nconst k f32 [] = {0.125}\nz = Mul(x, k)\ny = ReduceLogSumExp(z, a) keepdims=0", {1, {6}}, {{-2}}},
    {X "input a i64 [1]\ny = ReduceSum(x, a)", {2, {1, 6}}, {{0}}},
    {X "input a i64 [1]\ny = ReduceMax(x, a) keepdims=0", {0}, {{7}}}, /* no axis: all of them */
  };
  for (size_t i = 0; i < COUNT(row); i++) check_against_eval(&row[i]);
}

/* Elements of x come out, which are 1 to 24, or the padding, which is 0 and may be the `least`: whatever the
 * bounds say. */
static void check_inside(const Case *c, float least) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", c->text, cx->error);
  float x[MAX_ELEMENTS], y[MAX_ELEMENTS];
  const void *in[MAX_INPUTS];
  for (int i = 0; i < MAX_ELEMENTS; i++) y[i] = NAN; /* what is not written is not inside */
  make_inputs(make_graph(cx, NULL, c), c, x, in);
  run_compiled(cx, c, in, y);
  for (int k = 0; k < shape_count(&c->declared); k++) assert_true(y[k] >= least && y[k] <= 24);
  context_free(cx);
}

/* Whatever they are, what is read and written lies inside. */
static void axes_that_contradict_the_declared_result(void **state) {
  (void)state;
  static const Case row[] = {
    {X "input a i64 [1]\ny = ReduceMax(x, a) keepdims=0", {1, {6}}, {{1}}},
    {X "input a i64 [1]\ny = ReduceMax(x, a) keepdims=0", {1, {99}}, {{0}}},
    {X "input a i64 [1]\ny = ReduceMax(x, a) keepdims=0 noop_with_empty_axes=1", {0}, {{INT64_MIN}}},
  };
  for (size_t i = 0; i < COUNT(row); i++) check_inside(&row[i], 1);
}

#define PADS X "input p i64 [4]\n"

static void slices(void **state) {
  (void)state;
  static const Case row[] = {
    {X "input s i64 [2]\ninput e i64 [2]\ny = Slice(x, s, e)", {2, {3, 2}}, {{1, -3}, {99, 5}}},
    {X "input s i64 [1]\ninput e i64 [1]\ninput a i64 [1]\ny = Slice(x, s, e, a)",
     {2, {4, 2}}, {{-2}, {6}, {-1}}},
    {X "input s i64 [2]\ninput e i64 [2]\ninput a i64 [2]\ninput t i64 [2]\ny = Slice(x, s, e, a, t)",
     {2, {2, 3}}, {{9, -1}, {-99, -5}, {1, 0}, {-2, -2}}},
    {X "const s i64 [1] = {-99}\ninput e i64 [1]\nconst a i32 [1] = {1}\ny = Slice(x, s, e, a)", {2, {4, 5}},
     {{-1}}},
  };
  for (size_t i = 0; i < COUNT(row); i++) check_against_eval(&row[i]);
}

static void paddings(void **state) {
  (void)state;
  static const Case row[] = {
    {PADS "y = Pad(x, p)", {2, {7, 7}}, {{1, 0, 2, 1}}},
    {PADS "const v f32 [] = {-7}\ny = Pad(x, p, v)", {2, {5, 8}}, {{0, 3, 1, -1}}},
    {PADS "y = Pad(x, p) mode=\"edge\"", {2, {6, 9}}, {{2, 1, 0, 2}}},
    {PADS "y = Pad(x, p) mode=\"reflect\"", {2, {8, 14}}, {{3, 5, 1, 3}}},
    {PADS "y = Pad(x, p) mode=\"wrap\"", {2, {4, 27}}, {{0, 13, 0, 8}}},
    {X "input p i64 [2]\ninput a i64 [1]\ny = Pad(x, p, _, a)", {2, {4, 9}}, {{1, 2}, {-1}}},
  };
  for (size_t i = 0; i < COUNT(row); i++) check_against_eval(&row[i]);
}

static void wrong_bounds_stay_inside(void **state) {
  (void)state;
  static const Case row[] = {
    {X "input s i64 [2]\ninput e i64 [2]\ny = Slice(x, s, e)", {2, {3, 6}}, {{INT64_MAX, INT64_MIN}, {1, 1}}},
    {X "input s i64 [1]\ninput e i64 [1]\ninput a i64 [1]\ninput t i64 [1]\ny = Slice(x, s, e, a, t)",
     {2, {4, 6}}, {{2}, {3}, {77}, {INT64_MIN}}},
    {PADS "y = Pad(x, p)", {2, {5, 5}}, {{INT64_MIN, INT64_MAX, 0, 0}}},
    {PADS "y = Pad(x, p) mode=\"wrap\"", {2, {5, 5}}, {{INT64_MIN, INT64_MAX, 0, 0}}},
    {PADS "y = Pad(x, p) mode=\"reflect\"", {2, {5, 5}}, {{INT64_MIN, 1000, 0, 0}}},
  };
  for (size_t i = 0; i < COUNT(row); i++) check_inside(&row[i], 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(axes),
    cmocka_unit_test(axes_that_contradict_the_declared_result),
    cmocka_unit_test(slices),
    cmocka_unit_test(paddings),
    cmocka_unit_test(wrong_bounds_stay_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
