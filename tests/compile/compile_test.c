/* compile_test.c: the list of passes and what surrounds it. Options and files are tested by tests/cli. */
#include "each_context.h"

#include <ctype.h>

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.max_memory = 1 << 30, .cpu = "x86-64-v3"};
  return 0;
}

static void letters_name_one_pass(void **state) {
  (void)state;
  for (int i = 0; i < pass_count; i++) {
    assert_true(isalpha(pass_list[i].letter));
    for (int k = 0; k < i; k++) {
      assert_true(pass_list[i].letter != pass_list[k].letter);
      assert_string_not_equal(pass_list[i].name, pass_list[k].name);
    }
  }
}

static const char block[] = "graph block\n"
                            "input x f32 [N,8,6,6]\n"
                            "const w f32 [8,8,3,3] = random 1 -0.2 0.2\n"
                            "const s f32 [8] = random 2 0.5 1.5\n"
                            "const z f32 [8] = splat 0\n"
                            "const one f32 [8] = splat 1\n"
                            "c = Conv(x, w, _) pads=[1,1,1,1]\n"
                            "b = BatchNormalization(c, s, z, z, one)\n"
                            "a = Add(x, b)\n"
                            "r = Relu(a)\n"
                            "p = GlobalAveragePool(r)\n"
                            "f = Flatten(p)\n"
                            "output f\n";

static void a_block_becomes_one_convolution(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  options.verify = true;
  Graph *g = text_parse(cx, &options, block);
  front_run(g, NULL, NULL);
  int convs = 0, others = 0;
  for (int i = 0; i < g->n_node; i++) {
    if (g->node[i]->op == OP_Conv) convs += g->node[i]->n_step == 2;
    else others += op_info[g->node[i]->op].family <= FAMILY_BINARY && g->node[i]->op != OP_GlobalAveragePool;
  }
  assert_int_equal(convs, 1);
  assert_int_equal(others, 0);
  assert_true(g->symbolic);
  assert_int_equal(g->output_shape[0].d[0], -1);
}

static void missing_files_end_in_a_line(void **state) {
  (void)state;
  Context own = {0};
  ToolOptions asked = {.compile = options, .output = "/dev/null"};
  asked.compile.input = "no-such-file.onnx";
  assert_int_equal(compile(&own, &asked), 1);
  assert_non_null(strstr(own.error, "no-such-file.onnx: "));
  assert_null(own.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(letters_name_one_pass, setup, context_teardown),
    cmocka_unit_test_setup_teardown(a_block_becomes_one_convolution, setup, context_teardown),
    cmocka_unit_test_setup_teardown(missing_files_end_in_a_line, setup, context_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
