/* inspect_test.c: what a model file holds is told right, of models as well that cannot be compiled. */
#include "onnx_writer.h"

#include <unistd.h>

static Context *cx;
static char path[64];

static int setup(void **state) {
  (void)state;
  cx = context_new();
  strcpy(path, "/tmp/inspect_test.XXXXXX");
  int fd = mkstemp(path);
  return fd < 0 || close(fd);
}

static int teardown(void **state) {
  (void)state;
  context_free(cx);
  return unlink(path);
}

/* Takes the model's memory. */
static ModelSummary inspected(Buffer *model) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(model->data, 1, model->size, f), model->size);
  fclose(f);
  buffer_free(model);
  return inspect_model(cx, path);
}

static ModelSummary inspected_text(int opset, const char *text) {
  Buffer model = model_of_text(text, 8, opset);
  return inspected(&model);
}

static void inputs_and_outputs_are_as_declared(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  ModelSummary m = inspected_text(13, "input w 1 2\ninput x 10 batch,3,?,0\ninput k 17 2\noutput y 1 -\n"
                                      "const w 2 = 1 2\ny = Relu(x)\n");
  assert_int_equal(m.ir, 8);
  assert_int_equal(m.opset, 13);
  assert_string_equal(m.producer, "");
  assert_int_equal(m.n_input, 2); /* an initializer is none */
  assert_string_equal(m.input[0].name, "x");
  assert_string_equal(m.input[0].type, "f16");
  assert_int_equal(m.input[0].rank, 4);
  const char *const dims[] = {"batch", "3", "?", "0"};
  for (int i = 0; i < 4; i++) assert_string_equal(m.input[0].dim[i], dims[i]);
  assert_string_equal(m.input[1].type, "f8e4m3fn");
  assert_int_equal(m.n_output, 1);
  assert_int_equal(m.output[0].rank, -1);
}

static void constants_are_counted_where_they_are(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  ModelSummary m = inspected_text(13, "input x 1 2\noutput y 1 -\nconst w 2,3 = 1 2 3 4 5 6\nconsti s 2 = -1 2\n"
                                      "const c = 1\ny = Relu(x)\n");
  assert_int_equal(m.parameters, 6 + 2 + 1);
  assert_int_equal(m.bytes, 4 * 6 + 8 * 2 + 4);
  Buffer tensor = {0}, graph = graph_of_text("input x 1 2\noutput y 1 -\n"), model;
  put_int(&tensor, 1, 5); /* five elements of four bits */
  put_int(&tensor, 2, 22);
  put_constant(&graph, 1, &tensor);
  model = model_of_graph(&graph, 8, 13);
  m = inspected(&model);
  assert_int_equal(m.parameters, 5);
  assert_int_equal(m.bytes, 3);
}

static void sizes_that_do_not_fit_stay_large(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  ModelSummary m = inspected_text(13, "input x 1 2\noutput y 1 -\nconst w 4611686018427387904,4611686018427387904 =\n"
                                      "y = Relu(x)\n");
  assert_true(m.parameters == INT64_MAX && m.bytes > 0);
}

static const ModelOperator *operator_named(const ModelSummary *m, const char *name) {
  for (int i = 0; i < m->n_op; i++)
    if (strcmp(m->op[i].name, name) == 0) return &m->op[i];
  fail_msg("no %s", name);
  return NULL;
}

static void operators_are_counted(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  ModelSummary m = inspected_text(13, "input x 1 2\noutput y 1 -\na = Tanh(x)\nb = Relu(a) name:first\nc = Relu(b)\n"
                                      "y = Abacus(c)\n");
  assert_int_equal(m.n_node, 4);
  assert_int_equal(m.n_op, 3);
  assert_string_equal(m.op[0].name, "Relu"); /* the most frequent first, the others by name */
  assert_int_equal(m.op[0].count, 2);
  assert_string_equal(m.op[0].node, "first");
  assert_null(m.op[0].refused);
  assert_string_equal(m.op[1].name, "Abacus");
}

static void refusals_have_reasons(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  ModelSummary m = inspected_text(13, "input x 1 2\noutput y 1 -\na = HardSwish(x)\nb = Relu(a) domain:com.example\n"
                                      "c = Abacus(b)\ny = Rechner(c) domain:com.microsoft\n");
  assert_string_equal(operator_named(&m, "HardSwish")->refused, "is supported from operator set 14 on");
  assert_string_equal(operator_named(&m, "com.example.Relu")->refused, "is of a domain that resnetcc does not know");
  assert_string_equal(operator_named(&m, "Abacus")->refused, "is an operator that resnetcc does not have");
  assert_string_equal(operator_named(&m, "com.microsoft.Rechner")->refused, "is an operator that resnetcc does not have");
  assert_null(operator_named((m = inspected_text(14, "input x 1 2\noutput y 1 -\ny = HardSwish(x)\n"), &m),
                             "HardSwish")->refused);
}

static void bodies_of_functions_and_subgraphs_are_counted(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  ModelSummary m = inspected_text(13, "function f(x) -> y\ny = Abacus(x)\nend\ninput x 1 2\noutput y 1 -\nconsti c = 1\n"
                                      "u = f(x)\ny = If(c) then_branch={\noutput t 1 -\nconst k = 1\nt = Relu(k)\n} else_branch={\n"
                                      "output e 1 -\ne = Relu(u)\n}\n");
  assert_null(operator_named(&m, "f")->refused);
  assert_string_equal(operator_named(&m, "Abacus")->refused, "is an operator that resnetcc does not have");
  assert_int_equal(operator_named(&m, "Relu")->count, 2);
  assert_int_equal(m.n_node, 5);
  assert_int_equal(m.parameters, 2);
}

static void what_is_no_model_is_refused(void **state) {
  (void)state;
  Buffer model = {0};
  put_int(&model, 1, 8);
  EXPECT_FAIL(cx, inspected(&model), "test: not an ONNX model: it has no graph");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(inputs_and_outputs_are_as_declared), TEST(constants_are_counted_where_they_are),
    TEST(sizes_that_do_not_fit_stay_large), TEST(operators_are_counted), TEST(refusals_have_reasons),
    TEST(bodies_of_functions_and_subgraphs_are_counted), TEST(what_is_no_model_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
