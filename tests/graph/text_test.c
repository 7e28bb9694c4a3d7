/* text_test.c: the printer's output reads back as the same graph; every error names its line. */
#include "fixture.h"

#include <math.h>

static void expect_same_print(const char *text) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  assert_string_equal(graph_text(text_parse(cx, NULL, text)), text);
  context_free(cx);
}

static void what_is_printed_can_be_parsed(void **state) {
  (void)state;
  expect_same_print("graph tiny\n"
                    "input x f32 [N,3,8,8]\n"
                    "input n i64 []\n"
                    "const w f32 [2,3,1,1] = {1, -0.5, 0.1, 1e-30, inf, -inf}\n"
                    "const s i64 [3] = {N, 2N, -9223372036854775807}\n"
                    "const none f32 [0] = {}\n"
                    "const big f64 [] = {0.10000000000000001}\n"
                    "const bytes u8 [2] = {0, 255}\n"
                    "const half f16 [4] = {0.333251953, 65504, inf, -5.96046448e-08}\n"
                    "const bfloat bf16 [2] = {0.333984375, 1.00025555e+30}\n"
                    "y = Conv(x, w, _) pads=[1,1,1,1] auto_pad=\"NOTSET\" alpha=1.0 f=[1.0,2.5] v=&big k=-3\n"
                    "z = Pointwise(y, x) | Add(@1) | Relu | Clip(0, 6) | ~Sub(@1) | LeakyRelu(0.1, 0)\n"
                    "a, _, c = Split(z) axis=1\n"
                    "output a\n"
                    "output c\n");
}

static void keywords_and_odd_names_are_names(void **state) {
  (void)state;
  expect_same_print("graph \"a graph\"\n"
                    "input input f32 [4]\n"
                    "output = Relu(input)\n"
                    "\"_\" = Relu(output)\n"
                    "\"a b\\x0a\\\"\\\\\" = Relu(\"_\")\n"
                    "/layer1/conv.0:1 = Relu(\"a b\\x0a\\\"\\\\\")\n"
                    "output output\n"
                    "output /layer1/conv.0:1\n");
}

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

static void large_constants_show_a_checksum(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  char *a = graph_text(text_parse(cx, NULL, "const w f32 [17] = random 1 0 1\n"));
  char *b = graph_text(text_parse(cx, NULL, "const w f32 [17] = random 2 0 1\n"));
  assert_non_null(strstr(a, "const w f32 [17] = ... # "));
  assert_string_not_equal(a, b);
  context_free(cx);
}

/* Passes give what they make the names of what they replace. */
static void equal_names_are_told_apart(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f32 [4]\ny = Relu(x)\nz = Tanh(y)\noutput z\n");
  g->value[1]->name = "x";
  assert_string_equal(graph_text(g), "graph model\ninput x f32 [4]\n"
                                     "x.2 = Relu(x)\nz = Tanh(x.2)\noutput z\n");
  context_free(cx);
}

static void shapes_and_layouts_are_comments(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f32 [N,4]\ny = Relu(x)\noutput y\n");
  g->output[0]->type = T_F32;
  g->output[0]->shape = g->input[0]->shape;
  g->output[0]->layout = (Layout){.block = 8, .top = 1, .right = 2};
  assert_non_null(strstr(graph_text(g), "y = Relu(x) # f32 [N,4] block 8 halo 1,0,0,2\n"));
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
    {"input x f32 [1,1,1,1,1,1,1,1,1]", "test: line 1: too many dimensions at \"1\""},
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
    cmocka_unit_test(what_is_printed_can_be_parsed),
    cmocka_unit_test(keywords_and_odd_names_are_names),
    cmocka_unit_test(comments_and_blank_lines_are_skipped),
    cmocka_unit_test(symbols_are_marked),
    cmocka_unit_test(random_constants_repeat),
    cmocka_unit_test(large_constants_show_a_checksum),
    cmocka_unit_test(equal_names_are_told_apart),
    cmocka_unit_test(shapes_and_layouts_are_comments),
    cmocka_unit_test(errors_name_the_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
