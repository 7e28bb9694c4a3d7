/* witness_test.c: --each-pass names the pass that changes the outputs, and no other. */
#include "each_context.h"

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){0};
  return 0;
}

static const Pass good = {'x', "good", "", NULL, NULL, true}, bad = {'y', "bad", "", NULL, NULL, true},
                  last = {'z', "last", "", NULL, NULL, false};

static Graph *model(const char *type, const char *constant) {
  Graph *g = text_parse(cx, &options, format_text(cx, "graph g\ninput x %s [2,3]\nconst k %s [3] = {%s}\n"
                                                  "y = Add(x, k)\noutput y\n", type, type, constant));
  pass_shape(g);
  return g;
}

/* A wrong pass: it changes the constant's last element by `by`. */
static void change(Graph *g, double by) {
  Value *k = g->node[0]->in[1];
  if (k->type == T_F32) f32_of(k)[2] += (float)by;
  else ((int64_t *)k->data)[2] += (int64_t)by;
}

static void assert_change(const char *type, const char *constant, double by, bool noticed) {
  Graph *g = model(type, constant);
  Witness *w = witness_new(g->cx);
  if (setjmp(cx->unwind) == 0) {
    witness_check(w, g, &good);
    witness_check(w, g, &good);
    change(g, by);
    witness_check(w, g, &last); /* what eval can't run is not looked at */
    witness_check(w, g, &bad);
    assert_false(noticed);
    return;
  }
  assert_true(noticed);
  assert_string_equal(cx->error, "test: internal error: the pass bad changed the output \"y\"");
}

static void names_the_wrong_pass(void **state) {
  (void)state;
  assert_change("f32", "1, 2, 3", 0.5, true);
  assert_change("f32", "1, 2, 3", 0.02, true);
  assert_change("i64", "1, 2, 3", 1, true);
}

/* A change that shows only in numbers of some size, or of either sign. */
static void assert_noticed(const char *text) {
  Graph *g = text_parse(cx, &options, text);
  pass_shape(g);
  Witness *w = witness_new(g->cx);
  if (setjmp(cx->unwind) == 0) {
    witness_check(w, g, &good);
    Value *k = NULL;
    for (int i = 0; i < g->n_value; i++) {
      if (strcmp(g->value[i]->name, "k") == 0) k = g->value[i];
    }
    if (k->type == T_F32) f32_of(k)[0] *= 2;
    else memset((void *)(uintptr_t)k->data, 3, type_size(k->type));
    witness_check(w, g, &bad);
    fail_msg("not noticed: %s", text);
  }
  assert_string_equal(cx->error, "test: internal error: the pass bad changed the output \"y\"");
}

static void inputs_of_every_type_are_real_numbers(void **state) {
  (void)state;
  static const char *const types[] = {"f16", "bf16", "f64", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"};
  for (size_t i = 0; i < COUNT(types); i++) {
    assert_noticed(format_text(cx, "graph g\ninput x %s [2,30]\nconst k f32 [] = {0.75}\nf = Cast(x) to=1\ny = Mul(f, k)\n"
                               "output y\n", types[i]));
    if (strchr("iu", types[i][0])) {
      assert_noticed(format_text(cx, "graph g\ninput x %s [2,30]\nconst k %s [] = {17}\ny = Clip(x, _, k)\noutput y\n",
                                 types[i], types[i]));
    }
  }
}

static void check_gather(const char *call, int size) {
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, &options,
                        format_text(cx, "graph g\ninput x i64 [40,1]\nconst one i64 [1] = {1}\ninput t f32 [4,%d]\n"
                                    "%s\ny = Gather(t, i) axis=-1\noutput y\n", size, call));
  pass_shape(g);
  Witness *w = witness_new(g->cx);
  witness_check(w, g, &good);
  witness_check(w, g, &good);
}

/* Indices, and what they are made of, stay within the axis. */
static void indices_are_in_range(void **state) {
  (void)state;
  static const char *const calls[] = {"i = Cast(x) to=7", "i = Squeeze(x, one)", "i = Mul(x, one)"};
  for (size_t i = 0; i < COUNT(calls); i++) {
    for (int size = 1; size <= 3; size++) check_gather(calls[i], size);
  }
}

/* Bounds that come at run time are no random numbers. */
static void inputs_that_do_not_fit_are_none(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, &options, "graph g\ninput x f32 [4]\ninput s i64 [1]\ninput e i64 [1]\n"
                                      "y = Slice(x, s, e)\noutput y\n");
  g->output[0]->shape = shape_of(1, (int64_t)4);
  pass_shape(g);
  Witness *w = witness_new(g->cx);
  witness_check(w, g, &good);
  witness_check(w, g, &bad);
}

static void bears_roundings(void **state) {
  (void)state;
  assert_change("f32", "1, 2, 3", 1e-5, false);
}

static void waits_for_numbers(void **state) {
  (void)state;
  Graph *g = text_parse(cx, &options, "graph g\ninput x f32 [N,3]\ny = Relu(x)\noutput y\n");
  pass_shape(g);
  EXPECT_NO_FAIL(cx);
  Witness *w = witness_new(g->cx);
  witness_check(w, g, &good);
  pass_batch(g);
  witness_check(w, g, &good);
  witness_check(w, g, &good);
}

/* Operators that round to 16 bits have other results than those in f32 that the pass precision leaves. */
static void waits_for_precision(void **state) {
  (void)state;
  Graph *g = text_parse(cx, &options, "graph g\ninput x f16 [40]\nconst a f16 [] = {3}\nm = Mul(x, a)\nd = Div(m, a)\n"
                                      "e = Sub(d, x)\ny = Cast(e) to=1\noutput y\n");
  pass_shape(g);
  EXPECT_NO_FAIL(cx);
  Witness *w = witness_new(g->cx);
  witness_check(w, g, &good);
  pass_precision(g);
  witness_check(w, g, &good);
  witness_check(w, g, &good);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(names_the_wrong_pass, setup, context_teardown),
    cmocka_unit_test_setup_teardown(inputs_of_every_type_are_real_numbers, setup, context_teardown),
    cmocka_unit_test_setup_teardown(indices_are_in_range, setup, context_teardown),
    cmocka_unit_test_setup_teardown(inputs_that_do_not_fit_are_none, setup, context_teardown),
    cmocka_unit_test_setup_teardown(bears_roundings, setup, context_teardown),
    cmocka_unit_test_setup_teardown(waits_for_numbers, setup, context_teardown),
    cmocka_unit_test_setup_teardown(waits_for_precision, setup, context_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
