/* infer_test.c: what holds for results of every operator: declared shapes, broadcasting, the memory limit. */
#include "infer_fixture.h"

/* The declaration is what import found in the model. */
static void declared_shapes_stand_for_run_time_arguments(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = parse(cx, "input x f32 [2,6]\ninput s i64 [2]\ninput a i64 [1]\ninput p i64 [2]\n"
                       "r = Reshape(x, s)\n"
                       "m = ReduceMean(x, a)\nc = ConstantOfShape(s)\nb, y = Split(x, p) axis=1\noutput b");
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    bool whole = strcmp(v->name, "r") == 0 || strcmp(v->name, "c") == 0;
    if (whole) v->shape = shape_of(2, (int64_t)3, (int64_t)4);
    if (strcmp(v->name, "m") == 0) v->shape = shape_of(2, (int64_t)1, (int64_t)6);
    if (strcmp(v->name, "b") == 0) v->shape = shape_of(2, (int64_t)2, (int64_t)5);
    if (strcmp(v->name, "y") == 0) v->shape = shape_of(2, (int64_t)2, (int64_t)1);
  }
  pass_shape(g);
  verify(g, "shape");
  assert_int_equal(g->node[1]->p.axes, 1);
  assert_non_null(g->node[2]->out[0]->data);
  assert_int_equal(g->node[3]->out[0]->shape.d[1], 5);
  context_free(cx);
}

static void broadcast_fails_where_sizes_differ(void **state) {
  (void)state;
  Shape a = shape_of(2, (int64_t)-1, (int64_t)3), b = shape_of(1, (int64_t)2), out;
  assert_false(shape_broadcast(&a, &b, &out));
  b = shape_of(3, (int64_t)4, (int64_t)1, (int64_t)1);
  assert_true(shape_broadcast(&a, &b, &out));
  Shape want = shape_of(3, (int64_t)4, (int64_t)-1, (int64_t)3);
  assert_true(shape_equal(&out, &want));
}

/* With the limit of 1 GiB that tests have. Dimensions beside an empty one are bounded too, as strides are their products. */
static void results_beyond_the_memory_limit_are_refused(void **state) {
  (void)state;
  static const Row wrong[] = {
    {"input x f32 [1,1,4,4]\nconst w f32 [1,1,1,1] = splat 1\ny = Conv(x, w) pads=[2147483647,2147483647,2147483647,2147483647]",
     "Conv): the result [1,1,4294967298,4294967298] alone is larger than the memory limit"},
    {"input x f32 [65536]\ninput z f32 [65536,1]\ny = Add(x, z)",
     "Add): the result [65536,65536] alone is larger than the memory limit"},
    {"input x f32 [N,65536]\ninput z f32 [65536,1,1]\ny = Add(x, z)",
     "Add): the result [65536,N,65536] alone is larger than the memory limit"},
    {"const s i64 [3] = {0, 65536, 65536}\ny = ConstantOfShape(s)",
     "ConstantOfShape): the result [0,65536,65536] alone is larger than the memory limit"},
    {"const s i64 [2] = {9223372036854775807, 9223372036854775807}\ny = ConstantOfShape(s)",
     "ConstantOfShape): the result [9223372036854775807,9223372036854775807] alone is larger than the memory limit"},
  };
  EXPECT_ERRORS(wrong);
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = parse(cx, "input x f32 [4000000000,4000000000]\ny = Relu(x)");
  EXPECT_FAIL(cx, pass_shape(g), "test: value \"x\" [4000000000,4000000000] alone is larger than the memory limit");
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(declared_shapes_stand_for_run_time_arguments),
    cmocka_unit_test(broadcast_fails_where_sizes_differ),
    cmocka_unit_test(results_beyond_the_memory_limit_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
