/* print_test.c: what is printed reads back as the same graph. */
#include "fixture.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_printed_can_be_parsed),
    cmocka_unit_test(keywords_and_odd_names_are_names),
    cmocka_unit_test(large_constants_show_a_checksum),
    cmocka_unit_test(equal_names_are_told_apart),
    cmocka_unit_test(shapes_and_layouts_are_comments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
