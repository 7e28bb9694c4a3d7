/* witness_test.c: --each-pass names the pass that changes the outputs, and no other. */
#include "fixture.h"

static Context *cx;
static Options options;

static int setup(void **state) {
  (void)state;
  cx = context_new();
  options = (Options){.each_pass = true};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  context_free(cx);
  return 0;
}

static const Pass good = {'x', "good", "", NULL, true}, bad = {'y', "bad", "", NULL, true},
                  last = {'z', "last", "", NULL, false};

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
  Witness *w = witness_new(g);
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

static void bears_roundings(void **state) {
  (void)state;
  assert_change("f32", "1, 2, 3", 1e-5, false);
}

static void waits_for_numbers(void **state) {
  (void)state;
  Graph *g = text_parse(cx, &options, "graph g\ninput x f32 [N,3]\ny = Relu(x)\noutput y\n");
  pass_shape(g);
  EXPECT_NO_FAIL(cx);
  Witness *w = witness_new(g);
  witness_check(w, g, &good);
  pass_batch(g);
  witness_check(w, g, &good);
  witness_check(w, g, &good);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(names_the_wrong_pass, setup, teardown),
    cmocka_unit_test_setup_teardown(bears_roundings, setup, teardown),
    cmocka_unit_test_setup_teardown(waits_for_numbers, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
