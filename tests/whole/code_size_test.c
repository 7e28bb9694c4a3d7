/* The number of instructions that LLVM is given does not follow the numbers in a model: no emitter makes code for each row,
 * tap, segment, part, input or output. Every template is compiled with its `#`s replaced by 10, 100, 1,000, 10,000. */
#include "tools.h"
#include "fixture.h"
#include "loaded.h"

typedef struct Template {
  const char *name, *text;
} Template;

/* On channel blocks between two convolutions. */
#define BLOCKS(shape, node) \
  "graph t\ninput x f32 " shape "\nconst v f32 [8,3,1,1] = random 1 -1 1\nb = Conv(x, v)\n" node "\noutput y\n"
#define PLAIN(shape, nodes) "graph t\ninput x f32 " shape "\n" nodes "\noutput y\n"
#define CONV(shape, weights, attributes) \
  "graph t\ninput x f32 " shape "\nconst w f32 " weights " = splat 0.5\ny = Conv(x, w) " attributes "\noutput y\n"

static const Template templates[] = {
  {"conv, width", CONV("[1,8,3,#]", "[8,8,3,3]", "pads=[1,1,1,1]")},
  {"conv, height", CONV("[1,8,#,3]", "[8,8,3,3]", "pads=[1,1,1,1]")},
  {"conv 1x1, width", CONV("[1,64,2,#]", "[64,64,1,1]", "")},
  {"conv of an image, width", CONV("[1,3,8,#]", "[8,3,7,7]", "strides=[2,2] pads=[3,3,3,3]")},
  {"conv of a strip, width", CONV("[1,16,9,#]", "[16,16,3,3]", "pads=[1,1,1,1]")},
  {"conv of a strip, stride 2", CONV("[1,16,9,#]", "[16,16,3,3]", "strides=[2,2] pads=[1,1,1,1]")},
  {"conv, channels", CONV("[1,#,4,4]", "[8,#,3,3]", "pads=[1,1,1,1]")},
  {"conv, output channels", CONV("[1,8,4,4]", "[#,8,3,3]", "pads=[1,1,1,1]")},
  {"conv, a wide kernel", CONV("[1,8,1,#]", "[8,8,1,#]", "pads=[0,3,0,3]")},
  {"conv, a high kernel", CONV("[1,8,#,1]", "[8,8,#,1]", "pads=[3,0,3,0]")},
  {"conv, padding", CONV("[1,8,4,4]", "[8,8,3,3]", "pads=[#,1,1,1]")},
  {"conv, stride", CONV("[1,8,20000,1]", "[8,8,1,1]", "strides=[#,1]")},
  {"conv, dilation", CONV("[1,8,20003,1]", "[8,8,2,1]", "dilations=[#,1]")},
  {"conv, one dimension", CONV("[1,8,#]", "[8,8,3]", "pads=[1,1]")},
  {"depthwise, a wide kernel", CONV("[1,8,1,#]", "[8,1,1,#]", "group=8 pads=[0,3,0,3]")},
  {"depthwise, width", CONV("[1,8,3,#]", "[8,1,3,3]", "group=8 pads=[1,1,1,1]")},
  {"depthwise, channels", CONV("[1,#,3,3]", "[#,1,3,3]", "group=# pads=[1,1,1,1]")},
  {"grouped, a wide kernel", CONV("[1,16,1,#]", "[16,4,1,#]", "group=4 pads=[0,3,0,3]")},
  {"grouped, width", CONV("[1,16,3,#]", "[16,4,3,3]", "group=4 pads=[1,1,1,1]")},
  {"global mean, width", BLOCKS("[1,3,1,#]", "y = GlobalAveragePool(b)")},
  {"global mean, height", BLOCKS("[1,3,#,1]", "y = GlobalAveragePool(b)")},
  {"global maximum, plain", PLAIN("[1,3,#,2]", "y = GlobalMaxPool(x)")},
  {"max pool, a wide kernel", BLOCKS("[1,3,2,#]", "y = MaxPool(b) kernel_shape=[2,#] pads=[0,9,0,9]")},
  {"max pool, a high kernel", BLOCKS("[1,3,#,2]", "y = MaxPool(b) kernel_shape=[#,2] pads=[9,0,9,0]")},
  {"mean pool, width", BLOCKS("[1,3,2,#]", "y = AveragePool(b) kernel_shape=[2,3] pads=[0,1,0,1]")},
  {"mean pool, clipped", BLOCKS("[1,3,2,#]", "y = AveragePool(b) kernel_shape=[1,#] pads=[0,9,0,9] count_include_pad=1")},
  {"max pool, stride", BLOCKS("[1,3,2,20000]", "y = MaxPool(b) kernel_shape=[1,3] strides=[1,#]")},
  {"max pool, dilation", BLOCKS("[1,3,2,20009]", "y = MaxPool(b) kernel_shape=[1,3] dilations=[1,#]")},
  {"mean pool, plain", PLAIN("[1,3,#]", "y = AveragePool(x) kernel_shape=[3] pads=[1,1]")},
  {"pad by a constant", PLAIN("[2,3]", "const p i64 [4] = {0,#,#,0}\ny = Pad(x, p)")},
  {"pad by wrap", PLAIN("[2,3]", "const p i64 [4] = {9,#,9,0}\ny = Pad(x, p) mode=\"wrap\"")},
  {"pad by the edge", PLAIN("[2,3,2]", "const p i64 [6] = {1,#,1,1,1,1}\ny = Pad(x, p) mode=\"edge\"")},
  {"pad by reflection", PLAIN("[2,#,3]", "const p i64 [6] = {1,9,1,1,9,1}\ny = Pad(x, p) mode=\"reflect\"")},
  {"slice", PLAIN("[20009,3]", "const s i64 [1] = {3}\nconst e i64 [1] = {20000}\nconst a i64 [1] = {0}\n"
                               "const k i64 [1] = {#}\ny = Slice(x, s, e, a, k)")},
  {"gather", PLAIN("[#,3]", "input i i64 [#]\ny = Gather(x, i)")},
  {"transpose", PLAIN("[#,3,5]", "y = Transpose(x) perm=[2,0,1]")},
  {"space to depth", PLAIN("[1,1,#,#]", "y = SpaceToDepth(x) blocksize=10")},
  {"concat", PLAIN("[3,#]", "z = Relu(x)\ny = Concat(x, z, x) axis=1")},
  {"softmax", PLAIN("[3,#]", "y = Softmax(x)")},
  {"softmax of columns", PLAIN("[#,3]", "y = Softmax(x) axis=0")},
  {"mean", PLAIN("[3,#,3]", "const a i64 [1] = {1}\ny = ReduceMean(x, a)")},
  {"argmax", PLAIN("[3,#]", "y = ArgMax(x) axis=1")},
  {"gemm, depth", PLAIN("[3,#]", "const w f32 [#,5] = splat 0.5\ny = Gemm(x, w)")},
  {"gemm, rows", PLAIN("[#,7]", "const w f32 [7,5] = splat 0.5\ny = Gemm(x, w)")},
  {"gemm, columns", PLAIN("[3,7]", "const w f32 [7,#] = splat 0.5\ny = Gemm(x, w)")},
  {"matmul at run time", PLAIN("[#,3]", "input w f32 [3,#]\ny = MatMul(w, x)")},
  {"elementwise", PLAIN("[3,#]", "input s f32 [#]\na = Mul(x, s)\ny = Tanh(a)")},
};

/* The text with each # replaced. */
static char *scaled(Context *cx, const char *text, int n) {
  Buffer b = {0};
  for (; *text; text++) {
    if (*text == '#') buffer_printf(&b, "%d", n);
    else buffer_add(&b, text, 1);
  }
  buffer_add(&b, "", 1);
  char *copy = copy_text(cx, b.data);
  buffer_free(&b);
  return copy;
}

static int64_t instructions(const Template *t, const char *cpu, int scale) {
  Context *cx = context_new();
  Options options = {.name = "t", .cpu = cpu, .max_memory = cx->max_memory, .emit = EMIT_LLVM};
  if (setjmp(cx->unwind)) fail_msg("%s, %d: %s", t->name, scale, cx->error);
  Graph *g = text_parse(cx, &options, scaled(cx, t->text, scale));
  g->name = "t";
  Object o = {0};
  object_emit(build_of(g, NULL), &o);
  int64_t n = o.instructions;
  context_free(cx);
  return n;
}

enum { MOST = 40000 };

static void check(const Template *t, const char *cpu) {
  static const int scale[] = {10, 100, 1000, 10000};
  int64_t n[COUNT(scale)];
  for (size_t i = 0; i < COUNT(scale); i++) {
    n[i] = instructions(t, cpu, scale[i]);
    if (n[i] > MOST) fail_msg("%s, %d: %lld instructions for %s", t->name, scale[i], (long long)n[i], cpu);
  }
  int64_t most = n[0] > n[1] ? n[0] : n[1];
  if (n[3] > 3 * (n[2] > most ? n[2] : most)) { /* another algorithm may be chosen */
    fail_msg("%s: %lld, %lld, %lld, %lld instructions for %s", t->name, (long long)n[0], (long long)n[1], (long long)n[2],
             (long long)n[3], cpu);
  }
}

static void code_does_not_follow_sizes(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(templates); i++) {
    check(&templates[i], "x86-64-v3");
    check(&templates[i], "x86-64-v4");
  }
}

/* Of n inputs, outputs, parts or nodes. */
static int64_t instructions_of_many(int n, const char *before, const char *each, const char *after) {
  Context *cx = context_new();
  Buffer text = {0};
  buffer_printf(&text, "%s", before);
  for (int i = 0; i < n; i++) buffer_printf(&text, each, i, i, i, i);
  buffer_printf(&text, "%s", after);
  buffer_add(&text, "", 1);
  int64_t count = instructions(&(Template){each, copy_text(cx, text.data)}, "x86-64-v3", 1);
  buffer_free(&text);
  context_free(cx);
  return count;
}

static void many_inputs_outputs_and_parts(void **state) {
  (void)state;
  static const char *const shapes[][3] = {
    {"graph t\n", "input x%d f32 [3]\ny%d = Relu(x%d)\noutput y%d\n", ""},
    {"graph t\ninput x f32 [2]\ny = Concat(x", ", x", ") axis=0\noutput y\n"},
    {"graph t\ninput x f32 [2,64]\nz = Relu(x)\ny = Concat(x", ", z", ") axis=1\noutput y\n"},
  };
  for (size_t i = 0; i < COUNT(shapes); i++) {
    int64_t few = instructions_of_many(100, shapes[i][0], shapes[i][1], shapes[i][2]);
    int64_t many = instructions_of_many(1000, shapes[i][0], shapes[i][1], shapes[i][2]);
    if (many > few + few / 4) fail_msg("%s: %lld, then %lld instructions", shapes[i][1], (long long)few, (long long)many);
  }
}

/* Residual blocks of a quantised network, of 7x7 pixels, each with scales, zero points and weights of its own. */
#define QUANTISED \
  "graph t\ninput q0 u8 [1,256,7,7]\nconst zx u8 [] = {3}\nconst m f32 [64,1,1] = splat 0.01\n" \
  "const k f32 [256,1,1] = splat 0.01\n"
#define QUANTISED_BLOCK \
  "const u%d i8 [64,256,1,1] = random 1 -128 128\nconst v%d i8 [64,64,3,3] = random 1 -128 128\nconst w%d i8 [256,64,1,1] = random 1 -128 128\n"

/* The numbers of a layer are data: its like take no code of their own. */
static int64_t instructions_of_blocks(const char *cpu, int n) {
  Context *cx = context_new();
  Buffer text = {0};
  buffer_printf(&text, QUANTISED);
  for (int i = 0; i < n; i++) {
    buffer_printf(&text, QUANTISED_BLOCK, i, i, i);
    buffer_printf(&text, "a%d = ConvInteger(q%d, u%d, zx, _, m) | Requantize(@4, %d) u8\n", i, i, i, i + 5);
    buffer_printf(&text, "b%d = ConvInteger(a%d, v%d, zx, _, m) pads=[1,1,1,1] | Requantize(@4, %d) u8\n", i, i, i, i + 7);
    buffer_printf(&text, "q%d = ConvInteger(b%d, w%d, zx, _, k, q%d) | Requantize(@4, %d) u8 | QLinearAdd(@5, 0.%d, 0.5, %d, 0, %d) u8\n",
                  i + 1, i, i, i, i + 9, i + 3, i, i + 1);
  }
  buffer_printf(&text, "output q%d\n", n);
  buffer_add(&text, "", 1);
  int64_t count = instructions(&(Template){"quantised blocks", copy_text(cx, text.data)}, cpu, 1);
  buffer_free(&text);
  context_free(cx);
  return count;
}

static void layers_of_integers_share_code(void **state) {
  (void)state;
  static const char *const cpus[] = {"x86-64", "haswell", "icelake-server", "sapphirerapids"};
  for (size_t i = 0; i < COUNT(cpus); i++) {
    int64_t few = instructions_of_blocks(cpus[i], 2), many = instructions_of_blocks(cpus[i], 6);
    if (many > few + few / 10) fail_msg("%lld, then %lld instructions for %s", (long long)few, (long long)many, cpus[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(code_does_not_follow_sizes),
                                     cmocka_unit_test(many_inputs_outputs_and_parts),
                                     cmocka_unit_test(layers_of_integers_share_code)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
