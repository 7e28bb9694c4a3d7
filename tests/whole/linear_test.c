/* linear_test.c: no pass does work for every pair of nodes. The compiler is built once more so that every basic block it enters
 * calls a counter, and graphs of many shapes are compiled, up to the code, with N nodes and with ten times as many: what they
 * cost must not grow by much more than that. It is counted, not timed, so the answer is the same everywhere. */
#include "fixture.h"

#include "tools.h"

static uint64_t blocks;
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) { blocks++; }

enum { FEW = 600, TIMES = 10, MOST_GROWTH = 15 }; /* sorting grows by more than ten */

typedef void Writer(Buffer *t, int n);

/* y0 = first(x), y1 = second(y0), ...: formats of the result's number and the operand's. */
static void write_chain(Buffer *t, int n, const char *first, const char *second) {
  buffer_printf(t, "y0 = Relu(x)\n");
  for (int i = 1; i < n; i++) {
    buffer_printf(t, "y%d = ", i);
    const char *format = i % 2 ? first : second;
    for (const char *p = format; *p; p++) {
      if (*p == '#') buffer_printf(t, "y%d", i - 1);
      else if (*p == '@') buffer_printf(t, "y%d", i < 2 ? 0 : i - 2);
      else buffer_add(t, p, 1);
    }
    buffer_printf(t, "\n");
  }
  buffer_printf(t, "output y%d\n", n - 1);
}

static const char image[] = "input x f32 [1,16,4,4]\nconst w f32 [16,16,3,3] = random 1 -1 1\nconst p f32 [16] = splat 1\n"
                            "const s i64 [2] = {1,256}\nconst u i64 [4] = {1,16,4,4}\nconst k f32 [16,1,1] = splat 1.5\n";

#define CHAIN(name, first, second) \
  static void name(Buffer *t, int n) { buffer_printf(t, "%s", image), write_chain(t, n, first, second); }
CHAIN(relus, "Relu(#)", "Sigmoid(#)")
CHAIN(convolutions, "Conv(#, w) pads=[1,1,1,1]", "Conv(#, w) pads=[1,1,1,1]")
CHAIN(residuals, "Conv(#, w) pads=[1,1,1,1]", "Add(#, @)")
CHAIN(gates, "Sigmoid(#)", "Mul(#, @)")
CHAIN(norms, "BatchNormalization(#, p, p, p, p)", "Relu(#)")
CHAIN(affine, "Mul(#, k)", "Add(#, k)")
CHAIN(transposes, "Transpose(#) perm=[0,1,3,2]", "Sigmoid(#)")
CHAIN(softmaxes, "Transpose(#) perm=[0,1,3,2]", "Softmax(#) axis=1")
CHAIN(views, "Reshape(#, s)", "Reshape(#, u)")
CHAIN(pools, "MaxPool(#) kernel_shape=[3,3] pads=[1,1,1,1]", "Softmax(#) axis=1")
CHAIN(identities, "Identity(#)", "Dropout(#)")

static void lines(Buffer *t, int n) {
  buffer_printf(t, "input x f32 [1,16,8]\nconst w f32 [16,16,3] = random 1 -1 1\n");
  write_chain(t, n, "Conv(#, w) pads=[1,1]", "Softmax(#) axis=1");
}

static void constants(Buffer *t, int n) {
  buffer_printf(t, "input z f32 [4]\nconst x f32 [4] = splat 1\n");
  write_chain(t, n, "Sigmoid(#)", "Tanh(#)");
  buffer_printf(t, "o = Add(z, y%d)\noutput o\n", n - 1);
}

static void shapes(Buffer *t, int n) {
  buffer_printf(t, "input x f32 [1,16,4,4]\nconst i i64 [1] = {0}\nconst m i64 [3] = {16,4,4}\ny0 = Relu(x)\n");
  for (int i = 1; i < n; i++) {
    buffer_printf(t, "s%d = Shape(y%d)\ng%d = Gather(s%d, i)\nc%d = Concat(g%d, m) axis=0\n", i, i - 1, i, i, i, i);
    buffer_printf(t, "r%d = Reshape(y%d, c%d)\ny%d = Softmax(r%d) axis=1\n", i, i - 1, i, i, i);
  }
  buffer_printf(t, "output y%d\n", n - 1);
}

static void write_branches(Buffer *t, int n) {
  for (int i = 0; i < n; i++) {
    buffer_printf(t, "const k%d f32 [] = {%d}\na%d = Add(x, k%d)\n", i, i, i, i);
    buffer_printf(t, "b%d = Softmax(a%d) axis=1\n", i, i);
  }
}

/* All branches of one input, which one node joins. */
static void branches(Buffer *t, int n) {
  buffer_printf(t, "input x f32 [1,4,4,4]\n");
  write_branches(t, n);
  for (int i = 0; i < n; i++) buffer_printf(t, "%sb%d", i ? ", " : "y = Concat(", i);
  buffer_printf(t, ") axis=1\noutput y\n");
}

static void added_branches(Buffer *t, int n) {
  buffer_printf(t, "input x f32 [1,4,4,4]\ny0 = Relu(x)\n");
  write_branches(t, n);
  for (int i = 1; i < n; i++) buffer_printf(t, "y%d = Add(y%d, b%d)\n", i, i - 1, i);
  buffer_printf(t, "output y%d\n", n - 1);
}

/* Down and up again, all of it alive in the middle. */
static void skips(Buffer *t, int n) {
  buffer_printf(t, "input x f32 [1,4,4,4]\nd0 = Relu(x)\n");
  for (int i = 1; i < n; i++) buffer_printf(t, "d%d = Softmax(d%d) axis=1\n", i, i - 1);
  buffer_printf(t, "u%d = Relu(d%d)\n", n - 1, n - 1);
  for (int i = n - 2; i >= 0; i--) buffer_printf(t, "v%d = Softmax(u%d) axis=1\nu%d = Add(v%d, d%d)\n", i, i + 1, i, i, i);
  buffer_printf(t, "output u0\n");
}

static void outputs(Buffer *t, int n) {
  buffer_printf(t, "input x f32 [1,4]\nr = Tanh(x)\n");
  for (int i = 0; i < n; i++) buffer_printf(t, "y%d = Identity(r)\noutput y%d\n", i, i);
}

static void inputs(Buffer *t, int n) {
  for (int i = 0; i < n; i++) buffer_printf(t, "input x%d f32 [1,4]\n", i);
  buffer_printf(t, "y0 = Relu(x0)\n");
  for (int i = 1; i < n; i++) buffer_printf(t, "y%d = Add(y%d, x%d)\n", i, i - 1, i);
  buffer_printf(t, "output y%d\n", n - 1);
}

static const struct {
  const char *name;
  Writer *write;
  bool code;   /* layers of a few kinds: code is generated as well */
} shape_of_graph[] = {
  {"relus", relus, true}, {"convolutions", convolutions, true}, {"residuals", residuals, true},
  {"gates", gates, true}, {"norms", norms, true}, {"affine", affine, true},
  {"transposes", transposes, true}, {"softmaxes", softmaxes, true}, {"views", views, true},
  {"pools", pools, true}, {"identities", identities, true}, {"lines", lines, true},
  {"constants", constants, false}, {"shapes", shapes, true}, {"branches", branches, false},
  {"added branches", added_branches, false}, {"skips", skips, true}, {"outputs", outputs, false},
  {"inputs", inputs, false},
};

static void write_code(Build *b) {
  Object o;
  object_emit(b, &o);
}

static void write_header(Build *b) {
  Buffer text = {0};
  header_print(b, &text);
  buffer_free(&text);
}

static void verify_again(Build *b) { verify(b->graph, "plan"); }

/* What comes after the passes; of LLVM itself nothing is counted. */
static const struct {
  const char *name;
  void (*run)(Build *b);
} after[] = {{"verify", verify_again}, {"header", write_header}, {"emit", write_code}};

enum { PARTS = 64 };

static int parts(void) { return pass_count + (int)COUNT(after); }
static const char *part_name(int p) { return p < pass_count ? pass_list[p].name : after[p - pass_count].name; }

static void run_part(int p, Build *b) {
  if (p >= pass_count) after[p - pass_count].run(b);
  else if (pass_list[p].front) pass_list[p].front(b->graph);
  else pass_list[p].back(b);
}

/* Blocks entered by each. */
static void count(Writer *write, int n, int n_part, uint64_t *cost) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Options options = {.input = "test.onnx", .name = "test", .cpu = "x86-64-v3", .max_memory = INT64_C(1) << 32};
  Buffer text = {0};
  write(&text, n);
  Build *b = build_new(text_parse(cx, &options, text.data), &options, target_new(cx, &options));
  for (int p = 0; p < n_part; p++) {
    blocks = 0;
    run_part(p, b);
    cost[p] = blocks;
  }
  buffer_free(&text);
  context_free(cx);
}

static void passes_are_linear(void **state) {
  (void)state;
  int quadratic = 0;
  uint64_t few[PARTS], many[PARTS];
  assert_true(parts() <= PARTS);
  for (size_t i = 0; i < COUNT(shape_of_graph); i++) {
    int n_part = parts() - !shape_of_graph[i].code;
    count(shape_of_graph[i].write, FEW, n_part, few);
    count(shape_of_graph[i].write, FEW * TIMES, n_part, many);
    for (int p = 0; p < n_part; p++) {
      if (many[p] <= MOST_GROWTH * (few[p] + FEW)) continue;
      print_message("%s: %s enters %llu blocks for %d nodes, %llu for %d\n", shape_of_graph[i].name,
                    part_name(p), (unsigned long long)few[p], FEW, (unsigned long long)many[p], FEW * TIMES);
      quadratic++;
    }
  }
  assert_int_equal(quadratic, 0);
}

/* The counter would see one: two loops over the nodes. */
static void pairs_are_seen(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  uint64_t cost[2];
  for (int k = 0; k < 2; k++) {
    int n = k ? 1000 : 100;
    Buffer text = {0};
    relus(&text, n);
    Graph *g = text_parse(cx, NULL, text.data);
    blocks = 0;
    for (int i = 0; i < n; i++) graph_count_uses(g);
    cost[k] = blocks;
    buffer_free(&text);
  }
  assert_true(cost[0] > 0 && cost[1] > 50 * cost[0]);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(pairs_are_seen),
    cmocka_unit_test(passes_are_linear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
