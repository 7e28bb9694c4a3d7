/* What is neither convolution nor product, on quantised numbers, in generated code: every bit is the evaluator's. */
#include "harness.h"

#include <stdarg.h>

enum { TEXT = 4096 };

static int append(char *text, int n, const char *form, ...) PRINTF(3, 4);
static int append(char *text, int n, const char *form, ...) {
  va_list a;
  va_start(a, form);
  n += vsnprintf(text + n, (size_t)(TEXT - n), form, a);
  va_end(a);
  return n;
}

/* Bytes on channel blocks, x, or as they come, at random. */
static int begin(char *text, uint64_t *r, bool blocks, int n, int c, int h, int w) {
  static const char *const types[] = {"u8", "i8"};
  if (!blocks) return append(text, 0, "graph maps\ninput x %s [%d,%d,%d,%d]\n", types[pick(r, 0, 1)], n, c, h, w);
  return append(text, 0, "graph maps\ninput i u8 [%d,3,%d,%d]\nconst k i8 [%d,3,1,1] = random %d -128 127\nconst m f32 [%d,1,1] = random 8 0.001 0.01\n"
                "x = ConvInteger(i, k, _, _, m) | Requantize(@4, %d) u8\n", n, h, w, c, pick(r, 1, 99), c, pick(r, 0, 255));
}

static const char *type_of_x(const char *text) { return strstr(text, "x i8") ? "i8" : "u8"; }

/* A node that reads x, of which another convolution may read the result. */
static void check_node(char *text, int n, uint64_t *r, const char *node, int channels) {
  n = append(text, n, "%soutput y\n", node);
  if (!strstr(text, "input x") && pick(r, 0, 1))
    append(text, n, "const l i8 [7,%d,3,3] = random 9 -128 127\ne = ConvInteger(y, l) pads=[1,1,1,1]\noutput e\n", channels);
  check_integers(text, 0, 128);
}

static void windows(void **state) {
  (void)state;
  uint64_t r = 1;
  for (int i = 0; i < 8;) {
    char text[TEXT], node[512];
    int c = pick(&r, 1, 150), h = pick(&r, 1, 12), w = pick(&r, 1, 30), kh = pick(&r, 1, 4), kw = pick(&r, 1, 4);
    int top = pick(&r, 0, kh - 1), left = pick(&r, 0, kw - 1), bottom = pick(&r, 0, kh - 1), right = pick(&r, 0, kw - 1);
    if (h + top + bottom < kh || w + left + right < kw) continue;
    int n = begin(text, &r, i % 4 > 0, pick(&r, 1, 2), c, h, w);
    const char *type = type_of_x(text);
    int k = snprintf(node, sizeof node, i % 2 ? "y = MaxPool(x)" : "const s f32 [] = {0.03}\nconst z %s [] = {%d}\nconst t f32 [] = {0.02}\nconst v u8 [] = {%d}\n"
                     "y = QuantizedAveragePool(x, s, z, t, v)", type, pick(&r, 0, 127), pick(&r, 0, 255));
    k += snprintf(node + k, sizeof node - (size_t)k, " kernel_shape=[%d,%d] strides=[%d,%d] pads=[%d,%d,%d,%d]", kh, kw, pick(&r, 1, 3), pick(&r, 1, 3),
                  top, left, bottom, right);
    if (!(i % 2)) k += snprintf(node + k, sizeof node - (size_t)k, " count_include_pad=%d%s", pick(&r, 0, 1), pick(&r, 0, 1) ? " | Clip(3, 200)" : "");
    snprintf(node + k, sizeof node - (size_t)k, "\n");
    check_node(text, n, &r, node, c);
    i++;
  }
}

static void means_of_maps(void **state) {
  (void)state;
  uint64_t r = 2;
  for (int i = 0; i < 5; i++) {
    char text[TEXT], node[512];
    int c = pick(&r, 1, 150), h = pick(&r, 1, 9), w = i == 3 ? 700 : pick(&r, 1, 30);
    int n = begin(text, &r, i % 4 > 0, pick(&r, 1, 2), c, h, w);
    snprintf(node, sizeof node, "const z %s [] = {%d}\nconst f f32 [] = {%g}\ny = GlobalSumPool(x, z, f)%s\n", type_of_x(text), pick(&r, 0, 127),
             1.5 / (h * w), pick(&r, 0, 2) ? " | Requantize(@2, 7) u8" : " | Cast f32 | Mul(@2)");
    append(text, n, "%soutput y\n", node);
    check_integers(text, 0, 256);
  }
}

/* Beside x: a tensor, one number a channel or a pixel, for all images and for each. */
static void sums_and_products(void **state) {
  (void)state;
  uint64_t r = 3;
  for (int i = 0; i < 10; i++) {
    char text[TEXT], node[1024];
    int images = pick(&r, 1, 2), c = pick(&r, 1, 150), h = pick(&r, 1, 6), w = pick(&r, 1, 30);
    int n = begin(text, &r, i % 4 > 0, images, c, h, w);
    const char *swap = pick(&r, 0, 1) ? "~" : "";
    switch (i % 5) {
    case 0: n = append(text, n, "input a u8 [%d,%d,%d,%d]\n", images, c, h, w); break;
    case 1: n = append(text, n, "input a i8 [%d,%d,1,1]\n", images, c); break;
    case 2: n = append(text, n, "const a u8 [1,%d,1,1] = random 4 0 255\n", c); break;
    case 3: n = append(text, n, "input a u8 [%d,1,%d,%d]\n", images, h, w); break;
    default: n = append(text, n, "const a u8 [] = {200}\n");
    }
    snprintf(node, sizeof node, "y = Pointwise(x, a) | %sQLinearAdd(@1, 0.%d, 0.5, %d) u8 | %sQLinearMul(@1, 0.01, %d, %d, %d)%s\n", swap, pick(&r, 1, 9), pick(&r, -99, 99),
             swap, pick(&r, 0, 255), pick(&r, 0, 255), pick(&r, 0, 255), pick(&r, 0, 1) ? " | Clip(9, 250)" : "");
    check_node(text, n, &r, node, c);
  }
}

static void tables(void **state) {
  (void)state;
  uint64_t r = 4;
  for (int i = 0; i < 4; i++) {
    char text[TEXT];
    int c = pick(&r, 1, 150), n = begin(text, &r, i % 4 > 0, pick(&r, 1, 2), c, pick(&r, 1, 6), pick(&r, 1, 30));
    n = append(text, n, "const t u8 [256] = random %d 0 255\n", pick(&r, 1, 99));
    check_node(text, n, &r, "y = Pointwise(x, t) | Lookup(@1) u8\n", c);
  }
}

/* To and from fp32 beside each other. */
static void other_blocks(void **state) {
  (void)state;
  uint64_t r = 5;
  for (int i = 0; i < 3; i++) {
    char text[TEXT];
    int c = pick(&r, 1, 150), n = begin(text, &r, true, pick(&r, 1, 2), c, pick(&r, 1, 6), pick(&r, 1, 30));
    n = append(text, n, "const t u8 [256] = random 3 0 255\nf = Pointwise(x) | Cast f32 | Relu\n");
    check_node(text, n, &r, "y = Pointwise(f, x, t) | Cast u8 | QLinearAdd(@1, 0.5, 0.25, 3) | Lookup(@2)\n", c);
  }
}

/* Numbers half a step from two others, or as near to that as floats are. */
static void quotients(void **state) {
  (void)state;
  uint64_t r = 7;
  for (int i = 0; i < 6; i++) {
    char text[TEXT];
    float scale = i == 4 ? 0x1p-101f : i == 5 ? 0x1.fffffep-3f : (float)pick(&r, 1, 1 << 24) * 0x1p-25f;
    append(text, 0, "graph q\ninput x i32 [700]\nconst h f32 [] = {0.5}\nconst s f32 [] = {%.9g}\n"
           "y = Pointwise(x, h, s) | Cast f32 | Add(@1) | Mul(@2) | QuantizeLinear(%.9g, %d) %s\noutput y\n",
           (double)scale, (double)scale, pick(&r, 0, 127), i % 2 ? "i8" : "u8");
    check_integers(text, -300, 300);
  }
}

/* Copies in another layout, of blocks of 16 channels. */
static int count_reorders(const char *text) {
  static const Options options = {.name = "maps", .cpu = "x86-64", .triple = "x86_64-linux-gnu", .max_memory = 1 << 30};
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, &options, text);
  front_run(g, NULL, NULL);
  Build *b = build_new(g, &options, target_new(cx, &options));
  build_run(b, NULL, NULL);
  int count = count_op(b->graph, OP_Reorder);
  context_free(cx);
  return count;
}

/* Parts that fill blocks, and that fill some runs of channels; squares of pixels; elements several times. */
static void moves(void **state) {
  (void)state;
  static const struct { int c; const char *nodes; int reorders; /* but of the input and the output */ } rows[] = {
    {64, "p = MaxPool(x) kernel_shape=[1,1]\ny = Concat(p, x) axis=1\n", 0},
    {40, "p = MaxPool(x) kernel_shape=[3,3] pads=[1,1,1,1]\nq = MaxPool(x) kernel_shape=[1,1]\ny = Concat(p, x, q, x) axis=1\n", 0},
    {256, "d = DepthToSpace(x) blocksize=2\np = Pointwise(d) | Clip(10, 200)\ny = Concat(p, d) axis=1\n", 0},
    {72, "const s f32 [4] = {1, 1, 2, 3}\nr = Resize(x, _, s) mode=\"nearest\" nearest_mode=\"floor\" coordinate_transformation_mode=\"asymmetric\"\ny = Concat(r, r) axis=1\n", 0},
    {48, "const s f32 [4] = {1, 1, 1.7, 0.6}\nr = Resize(x, _, s) mode=\"nearest\"\ny = Concat(r, r) axis=1\n", 1},
    {192, "const n i64 [2] = {64, 128}\np, q = Split(x, n) axis=1\ny = Concat(q, p, q) axis=1\n", 3},
    {20, "p = MaxPool(x) kernel_shape=[1,1]\ny = Concat(p, x) axis=1\n", 1},
  };
  uint64_t r = 6;
  for (size_t i = 0; i < COUNT(rows); i++) {
    char text[TEXT];
    int n = begin(text, &r, true, 1, rows[i].c, 4, 7);
    append(text, n, "%sl = MaxPool(y) kernel_shape=[2,2]\noutput l\n", rows[i].nodes);
    int reorders = count_reorders(text) - 2;
    if (reorders != rows[i].reorders) fail_msg("%d reorders too many\n%s", reorders - rows[i].reorders, text);
    check_integers(text, 0, 128);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(windows),
    cmocka_unit_test(means_of_maps),
    cmocka_unit_test(sums_and_products),
    cmocka_unit_test(tables),
    cmocka_unit_test(other_blocks),
    cmocka_unit_test(moves),
    cmocka_unit_test(quotients),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
