/* bounds_test.c: Slice and Pad with bounds known at run time only. */
#include "infer_fixture.h"

static void bounds_may_be_known_at_run_time_only(void **state) {
  (void)state;
  Context *cx = context_new();
  Graph *volatile g = NULL;
  if (setjmp(cx->unwind)) fail_msg("%s", cx->error);
  g = parse(cx, "input x f32 [2,6]\ninput s i64 [1]\ninput a i32 [1]\ninput p i64 [4]\n"
                "y = Slice(x, s, s, a)\nz = Pad(x, p)\noutput z");
  g->output[1]->shape = shape_of(2, (int64_t)2, (int64_t)3);
  g->output[0]->shape = shape_of(2, (int64_t)4, (int64_t)5);
  pass_shape(g);
  verify(g, "shape");
  assert_true(has_run_time_bounds(g->node[0]) && has_run_time_bounds(g->node[1]));
  g = parse(cx, "input x f32 [2,6]\ninput p i64 [3]\ny = Pad(x, p)");
  g->output[0]->shape = shape_of(2, (int64_t)4, (int64_t)5);
  EXPECT_FAIL(cx, pass_shape(g), "test: node \"y\" (Pad): input 1 must be a list of 4 integers");
  g = parse(cx, "input x f32 [N,6]\ninput p i64 [4]\ny = Pad(x, p)");
  g->output[0]->shape = shape_of(2, (int64_t)-1, (int64_t)5);
  EXPECT_FAIL(cx, pass_shape(g), "test: node \"y\" (Pad): axis 0 of input 0, [N,6], is the symbolic batch; "
                                 "--batch fixes it");
  context_free(cx);
}

/* As CenterCropPad is spelt out. */
static void a_length_follows_from_the_declared_result(void **state) {
  (void)state;
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s", cx->error);
  Graph *g = parse(cx, "input x f32 [2,6]\ninput l i64 [1]\nconst a i64 [1] = {-1}\nconst six i64 [1] = {6}\nconst two i64 [1] = {2}\n"
                       "d = Sub(six, l)\ns = Div(d, two)\ne = Add(s, l)\np = Concat(d, d, d, d) axis=0\nz = Pad(x, p)\n"
                       "y = Slice(x, s, e, a)");
  g->output[0]->shape = shape_of(2, (int64_t)2, (int64_t)4);
  pass_shape(g);
  assert_true(find_value(g, "s")->data && *(const int64_t *)find_value(g, "s")->data == 1);
  assert_int_equal(find_value(g, "z")->shape.d[1], 10);
  assert_int_equal(g->n_input, 2);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(bounds_may_be_known_at_run_time_only),
    cmocka_unit_test(a_length_follows_from_the_declared_result),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
