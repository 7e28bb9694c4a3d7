/* check_test.c: attributes and names that contradict themselves. */
#include "onnx_writer.h"

enum { NAME = 1, FLOAT = 2, INT = 3, STRING = 4, FLOATS = 7, INTS = 8, TYPE = 20 };

/* `attribute` of a Relu behind x, with its memory. */
static Buffer model_of(Buffer *attribute, int n, const char *op) {
  Buffer node = {0}, graph = graph_of_text("input x 1 1,1,4,4\nconst w 1,1,1,1 = 1\noutput y 0 -\n");
  put_text(&node, 1, "x");
  if (strcmp(op, "Conv") == 0) put_text(&node, 1, "w");
  put_text(&node, 2, "y");
  put_text(&node, 4, op);
  for (int i = 0; i < n; i++) put_message(&node, 5, &attribute[i]);
  put_message(&graph, 1, &node);
  return model_of_graph(&graph, 8, 9);
}

static void check(Buffer *attribute, int n, const char *op, const char *reason) {
  Context *cx = context_new();
  Options opt = {.input = "test"};
  Buffer model = model_of(attribute, n, op);
  bool refused = setjmp(cx->unwind);
  if (!refused) import_buffer(cx, &opt, &model);
  if (!reason && refused) fail_msg("refused: %s", cx->error);
  if (reason && !refused) fail_msg("accepted, but expected: %s", reason);
  if (reason) assert_string_equal(cx->error, format_text(cx, "test: node \"y\" (%s): %s", op, reason));
  context_free(cx);
}

static Buffer named(const char *name, int type) {
  Buffer a = {0};
  put_text(&a, NAME, name);
  if (type) put_int(&a, TYPE, type);
  return a;
}

static void a_kind_that_the_operator_does_not_take(void **state) {
  (void)state;
  Buffer a = named("group", 1);
  put_float(&a, FLOAT, 1.5f);
  check(&a, 1, "Conv", "attribute \"group\" is a float, the operator takes an integer");
  a = named("group", 0);
  put_float(&a, FLOAT, 1.5f);
  check(&a, 1, "Conv", "attribute \"group\" is a float, the operator takes an integer");
  a = named("alpha", 2);
  put_int(&a, INT, 1);
  check(&a, 1, "LeakyRelu", "attribute \"alpha\" is an integer, the operator takes a float");
  a = named("pads", 6);
  put_float(&a, FLOATS, 1);
  check(&a, 1, "Conv", "attribute \"pads\" is a list of floats, the operator takes a list of integers");
  a = named("auto_pad", 2);
  put_int(&a, INT, 1);
  check(&a, 1, "Conv", "attribute \"auto_pad\" is an integer, the operator takes a string");
  a = named("group", 13);
  check(&a, 1, "Conv", "attribute \"group\" is of a type that is not supported");
  a = named("group", 99);
  check(&a, 1, "Conv", "attribute \"group\" is of a type that is not supported");
}

static void values_of_two_types(void **state) {
  (void)state;
  Buffer a = named("group", 2);
  put_int(&a, INT, 1);
  put_float(&a, FLOAT, 1.5f);
  check(&a, 1, "Conv", "attribute \"group\" is of type INT, but also has a value of type FLOAT");
  a = named("group", 2);
  put_int(&a, INTS, 1);
  check(&a, 1, "Conv", "attribute \"group\" is of type INT, but also has a value of type INTS");
}

/* Some writers put all fields into the file, and others leave out those that are 0. */
static void defaults_are_no_values(void **state) {
  (void)state;
  Buffer a = named("group", 2);
  put_int(&a, INT, 1);
  put_float(&a, FLOAT, 0);
  put_text(&a, STRING, "");
  check(&a, 1, "Conv", NULL);
  a = named("alpha", 1);
  check(&a, 1, "LeakyRelu", NULL);
  a = named("alpha", 0);
  put_float(&a, FLOAT, 0);
  check(&a, 1, "LeakyRelu", NULL);
}

static void an_attribute_given_twice(void **state) {
  (void)state;
  Buffer a[2] = {named("group", 2), named("group", 2)};
  put_int(&a[0], INT, 1);
  put_int(&a[1], INT, 1);
  check(a, 2, "Conv", "attribute \"group\" is given twice");
  Buffer many[257];
  for (int i = 0; i < 257; i++) {
    char name[16];
    snprintf(name, sizeof name, "a%d", i);
    many[i] = named(name, 2);
  }
  check(many, 257, "Conv", "has too many attributes");
}

static void attributes_without_a_name(void **state) {
  (void)state;
  Buffer a = {0};
  put_int(&a, INT, 1);
  check(&a, 1, "Conv", "an attribute has no name");
}

static void zero_bytes_in_strings(void **state) {
  (void)state;
  Buffer a = named("auto_pad", 3);
  put_bytes(&a, STRING, "VALID\0x", 7);
  check(&a, 1, "Conv", "attribute \"auto_pad\" holds a zero byte");
}

static void zero_bytes_in_names(void **state) {
  (void)state;
  Context *cx = context_new();
  Options opt = {.input = "test"};
  Buffer graph = graph_of_text("input x 1 2\noutput y 0 -\ny = Relu(x)\n"), info = {0}, type = {0}, model;
  put_bytes(&info, 1, "x\0y", 3);
  put_message(&info, 2, &type);
  put_message(&graph, 13, &info);
  model = model_of_graph(&graph, 8, 13);
  EXPECT_FAIL(cx, import_buffer(cx, &opt, &model),
              "test: not a valid ONNX file: a text holds a zero byte at byte 54, in ValueInfoProto");
  context_free(cx);
}

static void import_two_sets(int second) {
  Context *cx = context_new();
  Options opt = {.input = "test"};
  Buffer model = model_of_text("input x 1 2\noutput y 0 -\ny = Relu(x)\n", 8, 13), set = {0};
  put_text(&set, 1, "ai.onnx");
  put_int(&set, 2, second);
  put_message(&model, 8, &set);
  if (setjmp(cx->unwind) == 0) {
    import_buffer(cx, &opt, &model);
    assert_int_equal(second, 13);
  } else {
    assert_string_equal(cx->error, "test: the model says operator set 13 and operator set 14");
  }
  context_free(cx);
}

static void operator_sets_that_differ(void **state) {
  (void)state;
  import_two_sets(13);
  import_two_sets(14);
}

/* An operator that says which of several functions of its name is meant is none of ONNX's. */
static void overloads_are_functions(void **state) {
  (void)state;
  Context *cx = context_new();
  Options opt = {.input = "test"};
  Buffer graph = graph_of_text("input x 1 2\noutput y 0 -\n"), node = {0}, model;
  put_text(&node, 1, "x");
  put_text(&node, 2, "y");
  put_text(&node, 4, "Relu");
  put_text(&node, 8, "mine");
  put_message(&graph, 1, &node);
  model = model_of_graph(&graph, 10, 13);
  EXPECT_FAIL(cx, import_buffer(cx, &opt, &model), "test: node \"y\" (Relu): unsupported operator");
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_kind_that_the_operator_does_not_take),
    cmocka_unit_test(values_of_two_types),
    cmocka_unit_test(defaults_are_no_values),
    cmocka_unit_test(an_attribute_given_twice),
    cmocka_unit_test(attributes_without_a_name),
    cmocka_unit_test(zero_bytes_in_strings),
    cmocka_unit_test(zero_bytes_in_names),
    cmocka_unit_test(operator_sets_that_differ),
    cmocka_unit_test(overloads_are_functions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
