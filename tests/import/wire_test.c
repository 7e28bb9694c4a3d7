/* wire_test.c: bytes that are no model, or one made to exhaust the reader, end in one line. */
#include "onnx_writer.h"

static const Options options = {.input = "test"};

/* Imports bytes of which nothing is known; true: they were accepted. */
static bool import_any(Context *cx, const void *data, size_t size) {
  if (setjmp(cx->unwind)) return false;
  import_bytes(cx, &options, data, size, NULL);
  return true;
}

static void check_bytes(const void *data, size_t size, const char *error) {
  Context *cx = context_new();
  assert_false(import_any(cx, data, size));
  assert_string_equal(cx->error, error);
  context_free(cx);
}

#define CHECK(bytes, error) check_bytes(bytes, sizeof(bytes) - 1, "test: " error)
#define BAD "not a valid ONNX file: "

static void malformed_fields(void **state) {
  (void)state;
  CHECK("\x08", BAD "the data ends within a number at byte 1, in ModelProto");
  CHECK("\x08\xff\xff", "is cut off: it has 3 bytes, at least 4 are expected; copy or download it again");
  CHECK("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        BAD "a number is too long at byte 1, in ModelProto");
  CHECK("\x3a\x05\x0a", "is cut off: it has 3 bytes, at least 7 are expected; copy or download it again");
  CHECK("\x3a\x02\x0a\x01", BAD "a length runs past the end at byte 4, in GraphProto");
  CHECK("\x3a\xff\xff\xff\xff\x0f", BAD "a length is too large at byte 1, in ModelProto");
  CHECK("\x3a\xff\xff\xff\xff\xff\x01", BAD "a number is too long at byte 1, in ModelProto");
  CHECK("\x00\x01", BAD "there is no such field number at byte 0, in ModelProto");
  CHECK("\xff\xff\xff\xff\x7f", BAD "there is no such field number at byte 0, in ModelProto");
  CHECK("\x7d\x01\x02", BAD "a length runs past the end at byte 1, in ModelProto");
  CHECK("\x79\x01\x02", BAD "a length runs past the end at byte 1, in ModelProto");
}

static void wrong_wire_types(void **state) {
  (void)state;
  CHECK("\x0a\x01\x01", BAD "a field has the wrong wire type at byte 0, in ModelProto");
  CHECK("\x38\x01", BAD "a field has the wrong wire type at byte 0, in ModelProto");
  CHECK("\x3a\x02\x08\x01", BAD "a field has the wrong wire type at byte 2, in GraphProto");
  CHECK("\x7b\x7c", BAD "there is no such wire type at byte 0, in ModelProto");
  CHECK("\x7e", BAD "there is no such wire type at byte 0, in ModelProto");
}

/* A list of floats whose packed bytes are no whole number of floats: protobuf-c finds that. */
static void a_torn_packed_list(void **state) {
  (void)state;
  CHECK("\x3a\x07\x2a\x05\x22\x03\x01\x02\x03", "not a valid ONNX file, or too large when unpacked");
}

static void unknown_fields_are_skipped(void **state) {
  (void)state;
  Buffer graph = graph_of_text("input x 1 2\noutput y 1 2\ny = Relu(x)\n");
  put_text(&graph, 10, "documentation");
  Buffer model = model_of_graph(&graph, 8, 13);
  put_int(&model, 1000, 1);
  put_float(&model, 1001, 1);
  put_tag(&model, 1002, WIRE_64);
  buffer_add(&model, "12345678", 8);
  put_text(&model, 1003, "a");
  Context *cx = context_new();
  assert_true(import_any(cx, model.data, model.size));
  buffer_free(&model);
  context_free(cx);
}

/* ---- files made to exhaust the reader ---- */

/* A graph in an attribute of a node of a graph ... */
static Buffer nested_graphs(int depth) {
  Buffer graph = {0};
  for (int i = 0; i < depth; i++) {
    Buffer attr = {0}, node = {0};
    put_message(&attr, 6, &graph);
    put_message(&node, 5, &attr);
    graph = (Buffer){0};
    put_message(&graph, 1, &node);
  }
  return graph;
}

static void check_nested(int depth, const char *error) {
  Buffer graph = nested_graphs(depth), model = model_of_graph(&graph, 8, 13);
  Context *cx = context_new();
  assert_false(import_any(cx, model.data, model.size));
  assert_non_null(strstr(cx->error, error));
  buffer_free(&model);
  context_free(cx);
}

static void nesting_is_bounded(void **state) {
  (void)state;
  check_nested(10, "node 0 has no operator");
  check_nested(22, "messages are nested too deeply");
  check_nested(5000, "messages are nested too deeply");
}

/* Millions of empty nodes, each of which is two bytes here and two hundred when unpacked. */
static void small_messages_have_a_budget(void **state) {
  (void)state;
  Buffer graph = {0};
  for (int i = 0; i < 2000000; i++) buffer_add(&graph, "\x0a", 2);
  Buffer model = model_of_graph(&graph, 8, 13);
  Context *cx = context_new();
  assert_false(import_any(cx, model.data, model.size));
  assert_string_equal(cx->error, "test: not a valid ONNX file, or too large when unpacked");
  assert_true(arena_used(cx->arena) < 300 << 20);
  buffer_free(&model);
  context_free(cx);
}

static void fields_are_counted(void **state) {
  (void)state;
  Buffer model = {0};
  for (int i = 0; i < (1 << 24) + 1; i++) buffer_add(&model, "\x08", 2);
  Context *cx = context_new();
  assert_false(import_any(cx, model.data, model.size));
  assert_non_null(strstr(cx->error, "there are too many fields"));
  buffer_free(&model);
  context_free(cx);
}

/* ---- damage ---- */

static Buffer sample(void) {
  Buffer graph = graph_of_text("input x 1 n,1,4,4\noutput y 1 n,2\n"
                               "const w 2,1,1,1 = 0.5 -1.5\nconsti s 2 = -1 2\n"
                               "c = Conv(x, w) kernel_shape=[1,1] auto_pad=\"VALID\" name:first\n"
                               "g = GlobalAveragePool(c)\nd = Softmax(g) axis=1\ny = Reshape(d, s)\n");
  return model_of_graph(&graph, 8, 12);
}

/* The version and the graph are needed, so the beginning of a file is never a model. */
static void the_beginning_of_a_file_is_refused(void **state) {
  (void)state;
  Buffer model = sample();
  for (size_t size = 0; size < model.size; size++) {
    Context *cx = context_new();
    char *part = copy_bytes_as_text(cx, model.data, size);
    assert_false(import_any(cx, part, size));
    assert_null(strchr(cx->error, '\n'));
    context_free(cx);
  }
  buffer_free(&model);
}

/* Each byte changed in each bit: no answer is wrong, but there is one, which the sanitizers watch. */
static void damaged_files_are_answered(void **state) {
  (void)state;
  Buffer model = sample();
  int accepted = 0, refused = 0;
  for (size_t bit = 0; bit < 8 * model.size; bit++) {
    Context *cx = context_new();
    model.data[bit / 8] ^= (char)(1 << bit % 8);
    bool ok = import_any(cx, model.data, model.size);
    *(ok ? &accepted : &refused) += 1;
    if (!ok) assert_int_equal(strncmp(cx->error, "test: ", 6), 0);
    model.data[bit / 8] ^= (char)(1 << bit % 8);
    context_free(cx);
  }
  assert_true(accepted > 0 && refused > accepted);
  buffer_free(&model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(malformed_fields),
    cmocka_unit_test(wrong_wire_types),
    cmocka_unit_test(a_torn_packed_list),
    cmocka_unit_test(unknown_fields_are_skipped),
    cmocka_unit_test(nesting_is_bounded),
    cmocka_unit_test(small_messages_have_a_budget),
    cmocka_unit_test(fields_are_counted),
    cmocka_unit_test(the_beginning_of_a_file_is_refused),
    cmocka_unit_test(damaged_files_are_answered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
