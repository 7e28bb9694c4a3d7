/* quant_test.c: quantised arithmetic in generated code, against the evaluator: every bit. */

#include "harness.h"

/* Every Conv and Add has to become one on integers. */
static void check_quantized(const char *text) {
  static const Options options = {.name = "quant"};
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, &options, text);
  pass_shape(g);
  pass_quant(g);
  assert_int_equal(count_op(g, OP_Conv) + count_op(g, OP_Add), 0);
  context_free(cx);
  check_kernel_in(text, 0, 0, 255);
}

/* On channel blocks: the first layer reads what a Reorder makes, the last leaves another. */
static void expect_blocks(const char *text, int layers) {
  static const Options options = {.name = "quant", .cpu = "x86-64", .triple = "x86_64-linux-gnu", .max_memory = 1 << 30};
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, &options, text);
  front_run(g, NULL, NULL);
  Build *b = build_new(g, &options, target_new(cx, &options));
  build_run(b, NULL, NULL);
  int packed = 0;
  for (int i = 0; i < b->graph->n_node; i++) packed += b->graph->node[i]->op == OP_ConvInteger && is_packed(b->graph->node[i]);
  assert_int_equal(packed, layers);
  assert_int_equal(count_op(b->graph, OP_Reorder), 2);
  context_free(cx);
}

static void quantize_and_dequantize(void **state) {
  (void)state;
  static const char *const types[] = {"u8", "i8", "u16", "i16"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char text[512];
    snprintf(text, sizeof text, "graph q\ninput x f32 [3,5,37]\nconst s f32 [] = {0.3}\nconst z %s [] = {7}\n"
             "q = QuantizeLinear(x, s, z)\ny = DequantizeLinear(q, s, z)\noutput q\noutput y\n", types[i]);
    check_kernel_in(text, 0, -300, 300);
    snprintf(text, sizeof text, "graph q\ninput x f32 [3,5,37]\nconst s f32 [5] = {0.3, 1, 2, 0.01, 5}\n"
             "const z %s [5] = {7, 0, 1, 2, 3}\nq = QuantizeLinear(x, s, z)\ny = DequantizeLinear(q, s, z)\noutput q\noutput y\n", types[i]);
    check_kernel_in(text, 0, -300, 300);
  }
  check_kernel_in("graph q\ninput x f32 [5,40]\ninput s f32 [5]\nq = QuantizeLinear(x, s) axis=0\noutput q\n", 0, 1, 9);
}

/* Any window, group and stride, weights at run time. */
static void integer_convolutions(void **state) {
  (void)state;
  check_kernel_in("graph c\ninput x u8 [2,6,7,5]\ninput w i8 [4,3,3,2]\nconst z u8 [] = {128}\n"
                  "y = ConvInteger(x, w, z) pads=[1,0,2,1] strides=[2,1] group=2\noutput y\n", 0, 0, 128);
  check_kernel_in("graph c\ninput x i8 [1,3,9]\ninput w u8 [4,3,3]\ninput z i8 []\ninput v u8 [4]\n"
                  "y = ConvInteger(x, w, z, v) pads=[1,1] dilations=[2]\noutput y\n", 0, 0, 128);
}

/* Of any types, batches and zero points, all at run time. */
static void integer_products(void **state) {
  (void)state;
  check_kernel_in("graph p\ninput a u8 [2,3,7]\ninput b i8 [7,5]\ninput z u8 [3]\ninput v i8 [5]\n"
                  "y = MatMulInteger(a, b, z, v)\noutput y\n", 0, 0, 128);
  check_kernel_in("graph p\ninput a i8 [3,1,2,9]\ninput b u8 [4,9,3]\ninput z i8 [3,1,2,1]\ninput v u8 [4,1,3]\n"
                  "y = MatMulInteger(a, b, z, v)\noutput y\n", 0, 0, 128);
  check_kernel_in("graph p\ninput a u8 [6]\ninput b u8 [2,6,3]\ninput z u8 []\ny = MatMulInteger(a, b, z)\noutput y\n", 0, 0, 255);
  check_kernel_in("graph p\ninput a i8 [2,6]\ninput b i8 [6]\nconst m f32 [2] = {0.1, 0.02}\n"
                  "y = MatMulInteger(a, b, _, _, m) | Requantize(@4, 7) u8\noutput y\n", 0, -128, 128);
}

static void random_convolutions(void **state) {
  (void)state;
  uint64_t seed = 1;
  for (int i = 0; i < 40; i++) {
    int c = pick(&seed, 1, 140), oc = pick(&seed, 1, 140), h = pick(&seed, 1, 9), w = pick(&seed, 1, 20), n = pick(&seed, 1, 2);
    int relu = pick(&seed, 0, 1), stride = pick(&seed, 1, 2);
    char text[2048];
    snprintf(text, sizeof text,
             "graph c\ninput x u8 [%d,%d,%d,%d]\nconst w i8 [%d,%d,1,1] = random %d -128 128\nconst b f32 [%d] = random 5 -9 9\n"
             "const sx f32 [] = {0.04}\nconst zx u8 [] = {%d}\nconst sw f32 [%d] = random 3 0.001 0.02\n"
             "const sy f32 [] = {0.2}\nconst zy u8 [] = {%d}\nxf = DequantizeLinear(x, sx, zx)\nwf = DequantizeLinear(w, sw) axis=0\n"
             "f = Conv(xf, wf, b) strides=[%d,1]\n%sy = QuantizeLinear(%s, sy, zy)\noutput y\n",
             n, c, h, w, oc, c, i + 1, oc, pick(&seed, 0, 255), oc, pick(&seed, 0, 255), stride, relu ? "g = Relu(f)\n" : "", relu ? "g" : "f");
    check_quantized(text);
  }
}

/* fp32 behind the sums, a skip connection of bytes, quantised again: dense and, where the window is a pixel, on blocks. */
static void random_values(void **state) {
  (void)state;
  uint64_t seed = 4;
  for (int i = 0; i < 4; i++) {
    int c = pick(&seed, 1, 70), oc = pick(&seed, 1, 140), h = pick(&seed, 1, 6), w = pick(&seed, 1, 9);
    int k = i % 3 ? 1 : 3, output = pick(&seed, 0, 1), first = pick(&seed, 0, 1);
    char text[2048];
    snprintf(text, sizeof text,
             "graph c\ninput x u8 [1,%d,%d,%d]\ninput r u8 [1,%d,%d,%d]\nconst w i8 [%d,%d,%d,%d] = random %d -128 128\n"
             "const b f32 [%d] = random 5 -9 9\nconst sx f32 [] = {0.04}\nconst zx u8 [] = {%d}\nconst sw f32 [%d] = random 3 0.001 0.02\n"
             "const sy f32 [] = {0.2}\nconst zy u8 [] = {%d}\nxf = DequantizeLinear(x, sx, zx)\nrf = DequantizeLinear(r, sy, zx)\n"
             "wf = DequantizeLinear(w, sw) axis=0\nf = Conv(xf, wf, b) pads=[%d,%d,%d,%d]\na = Add(%s)\nm = Relu(a)\n"
             "y = QuantizeLinear(m, sy, zy)\noutput y\n%s",
             c, h, w, oc, h, w, oc, c, k, k, i + 1, oc, pick(&seed, 0, 255), oc, pick(&seed, 0, 255), k / 2, k / 2, k / 2, k / 2,
             first ? "f, rf" : "rf, f", output ? "output m\n" : "");
    check_kernel_in(text, 0, 0, 255);
  }
}

/* Sequences and volumes: their constants a channel, skip connections and epilogues have as many axes. */
static void other_ranks(void **state) {
  (void)state;
  static const char *const shapes[][4] = {
    {"[2,20,9]", "[24,10,3]", "[2,24,9]", "pads=[1,1] group=2"},
    {"[1,6,3,5,4]", "[7,6,3,1,3]", "[1,7,3,5,4]", "pads=[1,0,1,1,0,1]"},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    char text[1024];
    const char *const *s = shapes[i], *channels = i ? "7" : "24";
    snprintf(text, sizeof text,
             "graph c\ninput x u8 %s\ninput r u8 %s\nconst w i8 %s = random 1 -128 128\nconst b f32 [%s] = random 5 -9 9\n"
             "const s f32 [] = {0.02}\nconst z u8 [] = {77}\nconst sw f32 [%s] = random 3 0.001 0.02\nxf = DequantizeLinear(x, s, z)\n"
             "rf = DequantizeLinear(r, s, z)\nwf = DequantizeLinear(w, sw) axis=0\nf = Conv(xf, wf, b) %s\na = Add(f, rf)\nm = Relu(a)\n"
             "y = QuantizeLinear(m, s, z)\noutput y\noutput m\n", s[0], s[2], s[1], channels, channels, s[3]);
    check_kernel_in(text, 0, 0, 255);
  }
}

static void random_sums(void **state) {
  (void)state;
  uint64_t seed = 2;
  for (int i = 0; i < 20; i++) {
    char text[1024];
    snprintf(text, sizeof text,
             "graph a\ninput a u8 [%d,%d,%d,%d]\nconst sa f32 [] = {0.0%d}\nconst za u8 [] = {%d}\nconst sb f32 [] = {0.0%d}\n"
             "const zb u8 [] = {%d}\nconst sy f32 [] = {0.11}\nconst zy u8 [] = {%d}\nf = DequantizeLinear(a, sa, za)\n"
             "k = DequantizeLinear(a, sb, zb)\ns = Add(f, k)\ny = QuantizeLinear(s, sy, zy)\noutput y\n",
             pick(&seed, 1, 2), pick(&seed, 1, 70), pick(&seed, 1, 5), pick(&seed, 1, 20), pick(&seed, 1, 9), pick(&seed, 0, 255),
             pick(&seed, 1, 9), pick(&seed, 0, 255), pick(&seed, 0, 255));
    check_quantized(text);
  }
}

/* A residual block: what one layer quantises the next reads as it lies. */
static void blocks(void **state) {
  (void)state;
  static const char text[] =
    "graph block\ninput x u8 [2,40,6,7]\nconst w i8 [72,40,1,1] = random 1 -128 128\nconst v i8 [40,72,1,1] = random 2 -128 128\n"
    "const s f32 [] = {0.05}\nconst z u8 [] = {100}\nconst sw f32 [] = {0.003}\nconst t f32 [] = {0.3}\n"
    "xf = DequantizeLinear(x, s, z)\nxg = DequantizeLinear(x, s, z)\nwf = DequantizeLinear(w, sw)\nvf = DequantizeLinear(v, sw)\n"
    "a = Conv(xf, wf)\nb = Relu(a)\nc = QuantizeLinear(b, t)\ncf = DequantizeLinear(c, t)\nd = Conv(cf, vf)\n"
    "e = QuantizeLinear(d, t, z)\nef = DequantizeLinear(e, t, z)\nf = Add(ef, xg)\ny = QuantizeLinear(f, t, z)\noutput y\n";
  check_quantized(text);
  expect_blocks(text, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(quantize_and_dequantize),
    cmocka_unit_test(integer_convolutions),
    cmocka_unit_test(integer_products),
    cmocka_unit_test(random_convolutions),
    cmocka_unit_test(random_values),
    cmocka_unit_test(other_ranks),
    cmocka_unit_test(random_sums),
    cmocka_unit_test(blocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
