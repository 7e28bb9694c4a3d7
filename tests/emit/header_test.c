/* header_test.c: the text of a header, and names of a model that try to be more than names. */
#include "compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static Context cx;
static Options options;

static int setup(void **state) {
  (void)state;
  cx = (Context){.max_memory = 1 << 28, .arena = arena_new(1 << 28)};
  options = (Options){.input = "dir/tiny.onnx", .cpu = "x86-64", .triple = "x86_64-linux-gnu"};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_free(cx.arena);
  return 0;
}

static Build *model(const char *text) {
  Graph *g = text_parse(&cx, &options, text);
  pass_shape(g);
  pass_batch(g);
  g->name = "net";
  Build *b = build_new(g, &options, target_new(&cx, &options));
  b->work_size = 1000;
  b->scratch_size = 24;
  return b;
}

static char *header_of(const Build *b) {
  Buffer out = {0};
  header_print(b, &out);
  char *text = copy_bytes_as_text(&cx, out.data, out.size);
  buffer_free(&out);
  return text;
}

static const char designed[] =
  "/* net.h: made by resnetcc " RESNETCC_VERSION " from tiny.onnx.\n"
  " *\n"
  " * Compiled for x86_64-unknown-linux-gnu, x86-64.\n"
  " *\n"
  " * Inputs:\n"
  " *   image: float [batch, 3, 8, 8]\n"
  " *   half: uint16_t [4], the bits of IEEE half precision\n"
  " * Outputs:\n"
  " *   logits: float [batch, 3, 8, 8]\n"
  " *   h: uint16_t [4], the bits of IEEE half precision\n"
  " * The batch is any number of images, from 0 on. Tensors without it are read or written once for all.\n"
  " * All are dense and row-major. The workspace is aligned to 64 bytes; 1024 bytes serve one\n"
  " * thread, net_model.workspace_size(batch, threads) tells for more. Link with resnetcc_rt.\n"
  " *\n"
  " * Example with a batch of 1:\n"
  " *   static float image[192];\n"
  " *   static uint16_t half[4];\n"
  " *   static float logits[192];\n"
  " *   static uint16_t h[4];\n"
  " *   void *work = rcc_workspace_alloc(NET_WORKSPACE_SIZE);\n"
  " *   int error = net_run(1, image, half, logits, h, work, NET_WORKSPACE_SIZE, NULL);\n"
  " *   if (error) printf(\"%s\\n\", rcc_strerror(error));\n"
  " *   rcc_workspace_free(work, NET_WORKSPACE_SIZE);\n"
  " */\n"
  "#ifndef RESNETCC_MODEL_NET_H\n"
  "#define RESNETCC_MODEL_NET_H\n"
  "\n"
  "#include \"resnetcc_rt.h\"\n"
  "\n"
  "#ifdef __cplusplus\n"
  "extern \"C\" {\n"
  "#endif\n"
  "\n"
  "extern const rcc_model net_model;\n"
  "\n"
  "/* Bytes, for one thread and a batch of 1. */\n"
  "#define NET_WORKSPACE_SIZE 1024\n"
  "\n"
  "/* Returns RCC_OK or an error code of resnetcc_rt.h. par lends threads. */\n"
  "int net_run(int64_t batch, const float *image, const uint16_t *half, float *logits, uint16_t *h, "
  "void *workspace, size_t workspace_size, const rcc_parallel *par);\n"
  "\n"
  "#ifdef __cplusplus\n"
  "}\n"
  "#endif\n"
  "#endif\n";

static void text_is_as_designed(void **state) {
  (void)state;
  Build *b = model("graph tiny\ninput image f32 [N,3,8,8]\ninput half f16 [4]\n"
                   "logits = Relu(image)\nh = Identity(half)\noutput logits\noutput h\n");
  assert_string_equal(header_of(b), designed);
}

static void has_no_batch_without_a_symbol(void **state) {
  (void)state;
  Build *b = model("graph tiny\ninput x f32 [2,3]\ny = Relu(x)\noutput y\n");
  const char *header = header_of(b);
  assert_non_null(strstr(header, "int net_run(const float *x, float *y, void *workspace"));
  assert_non_null(strstr(header, "net_model.workspace_size(1, threads)"));
  assert_non_null(strstr(header, "/* Bytes, for one thread. */"));
  assert_non_null(strstr(header, "Example:"));
}

static void parameters_are_unique(void **state) {
  (void)state;
  Build *b = model("graph tiny\ninput a f32 [2]\ninput b f32 [2]\ninput c f32 [2]\n"
                   "y = Add(a, b)\nz = Add(y, c)\noutput y\noutput z\n");
  Graph *g = b->graph;
  g->input[0]->name = "x.1";
  g->input[1]->name = "x/1";
  g->input[2]->name = "workspace";
  g->output[0]->name = "x_1_2";
  g->output[1]->name = "int";
  assert_non_null(strstr(header_of(b), "net_run(const float *x_1, const float *x_1_2, "
                                       "const float *workspace_2, float *x_1_2_2, float *int_, void *work"));
}

static int occurrences(const char *text, const char *of) {
  int n = 0;
  while ((text = strstr(text, of)) != NULL) {
    n++;
    text += strlen(of);
  }
  return n;
}

static void names_stay_inside_comments(void **state) {
  (void)state;
  Build *b = model("graph tiny\ninput x f32 [2]\ny = Relu(x)\noutput y\n");
  const char *plain = header_of(b);
  b->graph->input[0]->name = "x */ #include <evil.h>\n#define y \\";
  b->graph->output[0]->name = "\xe2\x80\xae?\?/\r\n/*";
  options.input = "a*/\nb.onnx";
  const char *text = header_of(b);
  assert_int_equal(occurrences(text, "\n"), occurrences(plain, "\n"));
  assert_int_equal(occurrences(text, "*/"), occurrences(plain, "*/"));
  assert_int_equal(occurrences(text, "/*"), occurrences(plain, "/*"));
  assert_int_equal(occurrences(text, "?\?"), 0);
  assert_null(strchr(text, '\r'));
  assert_null(strchr(text, '\xe2'));
}

static void identifiers(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
    {"plain", "plain"}, {"A1_b", "A1_b"}, {"a.b/c:0", "a_b_c_0"}, {"3d", "_3d"}, {"", "_"}, {"int", "int_"},
    {"class", "class_"}, {"_Bool", "_Bool_"}, {"__LINE__", "__LINE___"}, {"size_t", "size_t_"},
    {"errno", "errno_"}, {"_x", "_x"}, {"\xc3\xa9", "___"},
  };
  for (size_t i = 0; i < COUNT(pairs); i++) {
    assert_string_equal(c_identifier(&cx, pairs[i][0]), pairs[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(text_is_as_designed, setup, teardown),
    cmocka_unit_test_setup_teardown(has_no_batch_without_a_symbol, setup, teardown),
    cmocka_unit_test_setup_teardown(parameters_are_unique, setup, teardown),
    cmocka_unit_test_setup_teardown(names_stay_inside_comments, setup, teardown),
    cmocka_unit_test_setup_teardown(identifiers, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
