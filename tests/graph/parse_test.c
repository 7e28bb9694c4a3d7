/* parse_test.c: graphs from text; every error names its line. */
#include "fixture.h"

#include <math.h>

static void comments_and_blank_lines_are_skipped(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "# head\n\n  input x f32 [4] # a comment\r\n\n"
                                  "\ty = Relu(x)#no space\noutput y");
  assert_int_equal(g->n_node, 1);
  assert_int_equal(g->n_output, 1);
  assert_int_equal(g->output[0]->shape.rank, -1);
  assert_false(g->symbolic);
  assert_true(g->input[0]->is_input && g->output[0]->is_output);
  assert_string_equal(g->node[0]->name, "y");
  assert_ptr_equal(g->output[0]->def, g->node[0]);
  context_free(cx);
}

static void symbols_are_marked(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f32 [N,2N,3]\nconst s i64 [3] = {2N, 7, N}\n");
  assert_true(g->symbolic);
  assert_int_equal(g->input[0]->shape.d[0], -1);
  assert_int_equal(g->input[0]->shape.d[1], -2);
  const Value *s = g->value[1];
  assert_true(s->sym[0] && !s->sym[1] && s->sym[2]);
  assert_int_equal(((const int64_t *)s->data)[0], 2);
  context_free(cx);
}

static void random_constants_repeat(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "const a f32 [1000] = random 7 -0.5 1.5\n"
                                  "const b f32 [1000] = random 7 -0.5 1.5\n"
                                  "const c f32 [1000] = random 8 -0.5 1.5\n"
                                  "const k i64 [1000] = random 1 -2 3\n"
                                  "const s f32 [3] = splat 0.25\n");
  const float *a = g->value[0]->data, *s = g->value[4]->data;
  const int64_t *k = g->value[3]->data;
  double sum = 0;
  assert_memory_equal(a, g->value[1]->data, 4000);
  assert_memory_not_equal(a, g->value[2]->data, 4000);
  int seen = 0;
  for (int i = 0; i < 1000; i++) {
    assert_true(a[i] >= -0.5f && a[i] <= 1.5f && k[i] >= -2 && k[i] < 3);
    sum += a[i];
    seen |= 1 << (k[i] + 2);
  }
  assert_true(fabs(sum / 1000 - 0.5) < 0.1);
  assert_int_equal(seen, 31);
  for (int i = 0; i < 3; i++) assert_true(s[i] == 0.25f);
  context_free(cx);
}

static void errors_name_the_line(void **state) {
  (void)state;
  static const struct { const char *text, *error; } bad[] = {
    {"\nfoo x\n", "test: line 2: \"foo\" begins no statement"},
    {"input x f33 [4]", "test: line 1: \"f33\" is no type"},
    {"input x string [4]", "test: line 1: \"string\" is no type"},
    {"input x f32 4", "test: line 1: '[' expected at \"4\""},
    {"input x f32 [4", "test: line 1: ',' expected at the end of the line"},
    {"input x f32 [-4]", "test: line 1: a dimension is expected"},
    {"input x f32 [1,1,1,1,1,1,1,1,1,1,1,1,1]", "test: line 1: too many dimensions at \"1\""},
    {"input x f32 [99999999999999999999]", "test: line 1: a number is expected at \"99999999999999999999\""},
    {"input x f32 [4] y", "test: line 1: the line must end at \"y\""},
    {"input x f32 [4]\ninput x f32 [4]", "test: line 2: \"x\" is defined twice"},
    {"y = Relu(x)", "test: line 1: \"x\" is not defined"},
    {"y = Relu(y)", "test: line 1: \"y\" is not defined"},
    {"input x f32 [4]\ny = Rel(x)", "test: line 2: \"Rel\" is no operator"},
    {"input x f32 [4]\ny = Relu(x, x)", "test: line 2: Relu can't have 2 inputs"},
    {"input x f32 [4]\ny, z = Relu(x)", "test: line 2: Relu can't have 2 outputs"},
    {"input x f32 [4]\nx = Relu(x)", "test: line 2: \"x\" is defined twice"},
    {"input x f32 [4]\ny = Pointwise(x) | Add(@1)", "test: line 2: the step's argument is no input"},
    {"input x f32 [4]\ny = Pointwise(x) | Add", "test: line 2: the step has the wrong argument"},
    {"input x f32 [4]\ny = Pointwise(x) | Relu(@0)", "test: line 2: the step has the wrong argument"},
    {"input x f32 [4]\ny = Pointwise(x) | Concat", "test: line 2: only elementwise operators can be steps"},
    {"input x f32 [4]\ny = Relu(x) a=&x", "test: line 2: a constant is expected"},
    {"input x f32 [4]\ny = Concat(x) axis=1.5", "test: line 2: the attribute axis is a float; Concat takes an integer"},
    {"input x f32 [4]\ny = Concat(x) axis=1 axis=1", "test: line 2: the attribute axis is given twice"},
    {"input x f32 [4]\noutput x\noutput x", "test: line 3: an output must be a value, and only once"},
    {"output \"x", "test: line 1: a quote is not closed"},
    {"const w f32 [2] = {1}", "test: line 1: ',' expected at \"}\""},
    {"const w f32 [2] = {1, x}", "test: line 1: a number is expected at \"x\""},
    {"const w f32 [1] = ...", "test: line 1: '{' expected at \"...\""},
    {"const w f32 [N] = splat 1", "test: line 1: a constant's shape must be known"},
    {"const w f32 [1] = random 1.5 0 1", "test: line 1: a whole number is expected"},
    {"const w f32 [9223372036854775807] = splat 1", "test: needs more than the memory limit of 1 GiB"},
  };
  Context *cx = context_new();
  for (size_t i = 0; i < COUNT(bad); i++) EXPECT_FAIL(cx, text_parse(cx, NULL, bad[i].text), bad[i].error);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(comments_and_blank_lines_are_skipped),
    cmocka_unit_test(symbols_are_marked),
    cmocka_unit_test(random_constants_repeat),
    cmocka_unit_test(errors_name_the_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
