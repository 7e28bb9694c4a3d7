/* model_test.c: whole models in, graphs or one-line errors out. */
#include "onnx_writer.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_small_network(void **state) {
  (void)state;
  check_import(13,
               "input x 1 n,1,4,4\noutput y 1 n,2\n"
               "const w 2,1,1,1 = 0.5 -1.5\nconsti s 2 = -1 2\n"
               "c = Conv(x, w) kernel_shape=[1,1] auto_pad=\"VALID\" name:first\n"
               "g = GlobalAveragePool(c)\ny = Reshape(g, s)\n",
               "input x f32 [N,1,4,4]\nconst w f32 [2,1,1,1] = {0.5, -1.5}\nconst s i64 [2] = {-1, 2}\n"
               "c = Conv(x, w) kernel_shape=[1,1] auto_pad=\"VALID\"\ng = GlobalAveragePool(c)\n"
               "y = Reshape(g, s) # f32 [N,2]\noutput y\n");
}

static void names_are_kept_or_made(void **state) {
  (void)state;
  Context *cx = context_new();
  Options opt = {.input = "test"};
  EXPECT_NO_FAIL(cx);
  Graph *g = import_text(cx, &opt, 13, "input x 1 4\noutput z 1 4\ny = Relu(x) name:first\nz = Relu(y)\n");
  assert_string_equal(g->node[0]->name, "first");
  assert_string_equal(g->node[1]->name, "z");
  assert_int_equal(g->opset, 13);
  context_free(cx);
}

static void an_initializer_is_not_an_input(void **state) {
  (void)state;
  check_import(8, "input w 1 2\ninput x 1 2\nconst w 2 = 1 2\noutput y 0 -\ny = Add(x, w)\n",
               "input x f32 [2]\nconst w f32 [2] = {1, 2}\ny = Add(x, w)\noutput y\n");
}

static void inputs_left_out(void **state) {
  (void)state;
  check_import(13, "input x 1 2\nconst m = 1\noutput y 0 -\ny = Clip(x, _, m)\n",
               "input x f32 [2]\nconst m f32 [] = {1}\ny = Clip(x, _, m)\noutput y\n");
  check_import(13, "input x 1 2\noutput y 0 -\ny = Clip(x, _, _)\n",
               "input x f32 [2]\ny = Clip(x)\noutput y\n");
  check_refused(13, "input x 1 2\noutput y 0 -\ny = Add(x, _)\n",
                "test: node \"y\" (Add): input 1 is missing");
  check_refused(13, "input x 1 2\noutput y 0 -\ny = Relu(_)\n",
                "test: node \"y\" (Relu): input 0 is missing");
  check_refused(13, "input x 1 2\noutput y 0 -\ny = Relu(x, x)\n",
                "test: node \"y\" (Relu): has 2 inputs, at most 1 are allowed");
}

static void outputs_left_out(void **state) {
  (void)state;
  check_import(13, "input x 1 4\noutput y 0 -\n_, y = Split(x)\n",
               "input x f32 [4]\ny.unused, y = Split(x) num_outputs=2\noutput y\n");
  check_refused(13, "input x 1 4\noutput y 0 -\ny, z = Relu(x)\n",
                "test: node \"y\" (Relu): has 2 outputs, a number that is not allowed");
}

static void nodes_out_of_order_are_sorted(void **state) {
  (void)state;
  check_import(13, "input x 1 4\noutput y 0 -\ny = Add(b, a)\nb = Relu(a)\na = Tanh(x)\n",
               "input x f32 [4]\na = Tanh(x)\nb = Relu(a)\ny = Add(b, a)\noutput y\n");
}

static void values_without_a_definition(void **state) {
  (void)state;
  check_refused(13, "input x 1 2\noutput y 0 -\ny = Add(x, z)\n",
                "test: node \"y\" (Add): its input \"z\" does not exist");
  check_refused(13, "input x 1 2\noutput y 0 -\na = Add(x, b)\nb = Relu(a)\ny = Relu(b)\n",
                "test: node \"a\" (Add): one of its inputs is computed by no node, or from its own output");
  check_refused(13, "input x 1 2\noutput z 0 -\ny = Relu(x)\n",
                "test: output \"z\" is not computed by any node");
}

static void values_with_two(void **state) {
  (void)state;
  const char *error = "test: the value \"y\" is defined twice";
  check_refused(13, "input x 1 2\noutput y 0 -\ny = Relu(x)\ny = Tanh(x)\n", error);
  check_refused(13, "input x 1 2\nconst y 1 = 1\noutput y 0 -\ny = Relu(x)\n", error);
  check_refused(13, "input y 1 2\ninput y 1 2\noutput y 0 -\n", error);
  check_refused(13, "const y 1 = 1\nconst y 1 = 1\noutput y 0 -\n", error);
}

/* ---- Constant nodes ---- */

static void constants(void **state) {
  (void)state;
  check_import(13, "input x 1 2\noutput y 0 -\nc = Constant() value_float=0.5\ny = Add(x, c)\n",
               "input x f32 [2]\nconst c f32 [] = {0.5}\ny = Add(x, c)\noutput y\n");
  check_import(13, "input x 1 2\noutput y 0 -\nc = Constant() value_ints=[1,-2]\ny = Reshape(x, c)\n",
               "input x f32 [2]\nconst c i64 [2] = {1, -2}\ny = Reshape(x, c)\noutput y\n");
  check_import(13, "input x 1 2\noutput y 0 -\nc = Constant() value_int=1\ny = Gather(x, c)\n",
               "input x f32 [2]\nconst c i64 [] = {1}\ny = Gather(x, c)\noutput y\n");
  check_refused(13, "output y 0 -\ny = Constant() value_string=\"a\"\n",
                "test: node \"y\" (Constant): its value \"value_string\" is not of a supported kind");
  check_refused(13, "output y 0 -\ny = Constant()\n",
                "test: node \"y\" (Constant): must have one value and one output");
}

/* ---- operators ---- */

static void every_missing_operator_is_named_once(void **state) {
  (void)state;
  check_refused(13,
                "input x 1 2\noutput y 0 -\na = Foo(x) name:n1\nb = Relu(a)\nc = Foo(b)\n"
                "d = Relu(c) domain:com.example\ny = Bar(d)\n",
                "test: node \"n1\" (Foo): unsupported operator, also com.example.Relu (\"d\"), Bar (\"y\")");
  check_refused(13, "input x 1 2\noutput y 0 -\ny = Pointwise(x) domain:rcc\n",
                "test: node \"y\" (rcc.Pointwise): unsupported operator");
  check_refused(13, "input x 1 2\noutput y 0 -\ny = HardSwish(x)\n",
                "test: node \"y\" (HardSwish): unsupported operator");
}

static void what_is_refused_on_purpose_says_what_to_do(void **state) {
  (void)state;
  check_refused(13, "input x 1 2\noutput y 0 -\na = LSTM(x)\ny = Foo(a)\n",
                "test: node \"a\" (LSTM): unsupported operator, which is recurrent: resnetcc compiles networks that only feed forward, "
                "also Foo (\"y\")");
  check_refused(13, "input x 1 2\noutput y 0 -\ny = NonMaxSuppression(x)\n",
                "test: node \"y\" (NonMaxSuppression): unsupported operator, which makes a result whose size depends on data; export "
                "the network without its post-processing");
  check_refused(13, "input x 1 2\noutput y 0 -\ny = LSTM(x) domain:com.example\n",
                "test: node \"y\" (com.example.LSTM): unsupported operator");
}

static void many_missing_operators_are_counted(void **state) {
  (void)state;
  Buffer text = {0};
  buffer_printf(&text, "input x 1 2\noutput y 0 -\n");
  for (int i = 0; i < 100; i++) buffer_printf(&text, "y%d = Operator%d(x)\n", i, i);
  Context *cx = context_new();
  Options opt = {.input = "test"};
  if (setjmp(cx->unwind) == 0) {
    import_text(cx, &opt, 13, text.data);
    fail_msg("no error");
  }
  assert_non_null(strstr(cx->error, "(Operator0): unsupported operator, also Operator1 (\"y1\"),"));
  assert_string_equal(strrchr(cx->error, 'a'), "and 88 more");
  buffer_free(&text);
  context_free(cx);
}

/* An operator that was another then is refused by its row. */
static void the_oldest_sets_have_what_did_not_change(void **state) {
  (void)state;
  check_import(1, "input x 9 2\noutput y 0 -\ny = Not(x)\n", "input x bool [2]\ny = Not(x)\noutput y\n");
  check_refused(5, "input x 1 2\noutput y 0 -\ny = Relu(x)\n", "test: node \"y\" (Relu): unsupported operator");
}

static void the_domain_has_two_names(void **state) {
  (void)state;
  check_import(14, "input x 1 2\noutput y 0 -\ny = HardSwish(x) domain:ai.onnx\n",
               "input x f32 [2]\ny = HardSwish(x)\noutput y\n");
}

/* ---- versions and parts that are missing ---- */

static void check_model(int ir, int opset, const char *text, const char *error) {
  Context *cx = context_new();
  Options opt = {.input = "test"};
  Buffer model = model_of_text(text, ir, opset);
  EXPECT_FAIL(cx, import_buffer(cx, &opt, &model), error);
  context_free(cx);
}

static void versions(void **state) {
  (void)state;
  const char *text = "input x 1 2\noutput y 0 -\ny = Relu(x)\n";
  check_model(2, 13, text, "test: not an ONNX model, or one of an IR version before 3");
  check_model(8, 29, text, "test: operator set 29 is not supported, sets 1 to 28 are");
  check_model(8, 0, text, "test: the model does not say which operator set it uses");
  check_model(8, 13, "input x 1 2\ny = Relu(x)\n", "test: the graph has no outputs");
}

static void a_model_without_a_graph(void **state) {
  (void)state;
  Context *cx = context_new();
  Options opt = {.input = "test"};
  Buffer model = {0};
  put_int(&model, 1, 8);
  EXPECT_FAIL(cx, import_buffer(cx, &opt, &model), "test: the model has no graph");
  context_free(cx);
}

static void names_that_are_missing(void **state) {
  (void)state;
  Context *cx = context_new();
  Options opt = {.input = "test"};
  Buffer graph = {0}, model, nothing = {0};
  put_message(&graph, 11, &nothing);
  model = model_of_graph(&graph, 8, 13);
  EXPECT_FAIL(cx, import_buffer(cx, &opt, &model), "test: input 0 has no name");
  context_free(cx);
}

/* ---- the interface ---- */

static void floats_of_16_bits_stay(void **state) {
  (void)state;
  check_import(13, "input x 10 2\noutput y 10 2\ny = Relu(x)\n",
               "input x f16 [2]\ny = Relu(x) # f16 [2]\noutput y\n");
  check_import(13, "input x 16 2\noutput z 16 2\ny = Cast(x) to=10\nz = Cast(y) to=16\n",
               "input x bf16 [2]\ny = Cast(x) to=10\nz = Cast(y) to=16 # bf16 [2]\noutput z\n");
}

static void outputs_that_nothing_computes_are_copied(void **state) {
  (void)state;
  check_import(13, "input x 1 2\noutput x 1 2\n",
               "input x f32 [2]\nx.output = Identity(x) # f32 [2]\noutput x.output\n");
  check_import(13, "const w 1 = 2\noutput w 1 1\n",
               "const w.value f32 [1] = {2}\nw = Identity(w.value) # f32 [1]\noutput w\n");
  check_import(13, "input x 1 2\noutput y 1 2\noutput y 1 2\ny = Relu(x)\n",
               "input x f32 [2]\ny = Relu(x) # f32 [2]\ny.output = Identity(y) # f32 [2]\n"
               "output y\noutput y.output\n");
}

static void inputs_that_are_no_tensors_of_a_known_type(void **state) {
  (void)state;
  check_refused(13, "input x 8 2\noutput y 0 -\ny = Identity(x)\n",
                "test: input \"x\" has elements of an unsupported type, 8 (STRING)");
  check_refused(13, "input x 99 2\noutput y 0 -\ny = Identity(x)\n",
                "test: input \"x\" has elements of an unsupported type, 99 (unknown)");
  Context *cx = context_new();
  Options opt = {.input = "test"};
  Buffer graph = graph_of_text("output y 0 -\ny = Relu(x)\n"), info = {0}, model;
  put_text(&info, 1, "x");
  put_message(&graph, 11, &info);
  model = model_of_graph(&graph, 8, 13);
  EXPECT_FAIL(cx, import_buffer(cx, &opt, &model), "test: input \"x\" is not a tensor");
  context_free(cx);
}

/* ---- files ---- */

static void check_file(const char *path, const char *error) {
  Context *cx = context_new();
  Options opt = {.input = path};
  EXPECT_FAIL(cx, import_model(cx, &opt), error);
  context_free(cx);
}

static void files_that_are_no_models(void **state) {
  (void)state;
  check_file("/nonexistent/model.onnx", "test: No such file or directory");
  check_file("/", "test: is not a regular file");
  check_file("/dev/null", "test: is not a regular file");
  char empty[] = "/tmp/import_test_XXXXXX";
  close(mkstemp(empty));
  check_file(empty, "test: is empty; copy, download or export it again");
  unlink(empty);
}

static void a_model_file(void **state) {
  (void)state;
  char path[] = "/tmp/import_test_XXXXXX";
  int fd = mkstemp(path);
  Buffer model = model_of_text("input x 1 2\noutput y 1 2\ny = Relu(x)\n", 8, 13);
  assert_int_equal(write(fd, model.data, model.size), model.size);
  close(fd);
  buffer_free(&model);
  Context *cx = context_new();
  Options opt = {.input = path};
  EXPECT_NO_FAIL(cx);
  assert_int_equal(import_model(cx, &opt)->n_node, 1);
  context_free(cx);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_small_network),
    cmocka_unit_test(names_are_kept_or_made),
    cmocka_unit_test(an_initializer_is_not_an_input),
    cmocka_unit_test(inputs_left_out),
    cmocka_unit_test(outputs_left_out),
    cmocka_unit_test(nodes_out_of_order_are_sorted),
    cmocka_unit_test(values_without_a_definition),
    cmocka_unit_test(values_with_two),
    cmocka_unit_test(constants),
    cmocka_unit_test(every_missing_operator_is_named_once),
    cmocka_unit_test(what_is_refused_on_purpose_says_what_to_do),
    cmocka_unit_test(many_missing_operators_are_counted),
    cmocka_unit_test(the_oldest_sets_have_what_did_not_change),
    cmocka_unit_test(the_domain_has_two_names),
    cmocka_unit_test(versions),
    cmocka_unit_test(a_model_without_a_graph),
    cmocka_unit_test(names_that_are_missing),
    cmocka_unit_test(floats_of_16_bits_stay),
    cmocka_unit_test(outputs_that_nothing_computes_are_copied),
    cmocka_unit_test(inputs_that_are_no_tensors_of_a_known_type),
    cmocka_unit_test(files_that_are_no_models),
    cmocka_unit_test(a_model_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
