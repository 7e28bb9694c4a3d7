/* Direct convolutions of u8 activations and s8 weights against the evaluator, every bit: windows, zero points, groups,
 * epilogues; for all instructions that multiply 8-bit integers. */
#include "harness.h"

#include "resnetcc_rt.h"

#include <stdio.h>

enum { SIZE = 4096 };

/* The graph y = ConvInteger(x, w, zero), which `rest` continues. */
static void graph_of(char *text, const ConvCase *k, int zero, const char *rest) {
  snprintf(text, SIZE, "graph c\ninput x u8 [%d,%d,%d,%d]\nconst w i8 [%d,%d,%d,%d] = random 1 -128 128\nconst z u8 [] = {%d}\n"
           "y = ConvInteger(x, w, z) strides=[%d,%d] dilations=[%d,%d] pads=[%d,%d,%d,%d] group=%d\n%s",
           k->n, k->c, k->h, k->w, k->oc, k->c / k->group, k->kh, k->kw, zero, k->sh, k->sw, k->dh, k->dw,
           k->top, k->left, k->bottom, k->right, k->group, rest);
}

static void check_sums(const ConvCase *k, int zero) {
  char text[SIZE];
  graph_of(text, k, zero, "output y\n");
  check_kernel_in(text, 0, 0, 256);
}

static void check_all(const ConvCase *k, size_t count) {
  static const int zeros[] = {0, 128, 255, 3};
  for (size_t i = 0; i < count; i++) check_sums(&k[i], zeros[i % COUNT(zeros)]);
}

static void pointwise(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {2, 99, 5, 30, 40, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 33, 14, 14, 17, 1, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0},
    {3, 8, 1, 1, 20, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},   {1, 1030, 7, 7, 24, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  check_all(cases, COUNT(cases));
}

/* Rows of 17 pixels are two tiles of AMX, of 9 and 8; results of three vectors a panel of two and one. */
static void windows(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 64, 12, 13, 64, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1}, {2, 130, 9, 17, 48, 2, 3, 1, 1, 1, 1, 1, 0, 1, 1, 1},
    {1, 48, 6, 40, 16, 1, 7, 1, 1, 1, 1, 1, 0, 3, 0, 3},  {1, 3, 17, 19, 40, 7, 7, 1, 2, 2, 1, 1, 3, 3, 3, 3},
  };
  check_all(cases, COUNT(cases));
}

/* With a zero point of 0 taps that meet only padding are skipped. */
static void dilated(void **state) {
  (void)state;
  static const ConvCase wide = {1, 40, 28, 28, 17, 3, 3, 1, 1, 1, 12, 12, 12, 12, 12, 12};
  check_sums(&wide, 0);
  check_sums(&wide, 77);
}

static void groups(void **state) {
  (void)state;
  static const ConvCase cases[] = {{1, 256, 7, 7, 64, 1, 1, 4, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 12, 8, 8, 18, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}};
  check_all(cases, COUNT(cases));
}

/* Bias, requantisation within every kind of bounds, a residual that is added before or behind it, floats. The constants that a step
 * may have: inputs 4 to 6. */
static void check_epilogue(const ConvCase *k, int zero, const char *steps) {
  char text[SIZE];
  int h = (k->h + k->top + k->bottom - k->kh) / k->sh + 1, w = (k->w + k->left + k->right - k->kw) / k->sw + 1;
  snprintf(text, SIZE, "graph c\ninput x u8 [%d,%d,%d,%d]\ninput r u8 [%d,%d,%d,%d]\nconst w i8 [%d,%d,%d,%d] = random 1 -128 128\n"
           "const z u8 [] = {%d}\nconst b i32 [%d,1,1] = random 5 -90000 90000\nconst m f32 [%d,1,1] = random 6 0.0001 0.004\n"
           "y = ConvInteger(x, w, z, _, b, m, r) strides=[%d,%d] pads=[%d,%d,%d,%d] group=%d %s\noutput y\n",
           k->n, k->c, k->h, k->w, k->n, k->oc, h, w, k->oc, k->c / k->group, k->kh, k->kw, zero, k->oc, k->oc,
           k->sh, k->sw, k->top, k->left, k->bottom, k->right, k->group, steps);
  check_integers(text, 0, 256);
}

static void epilogues(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 70, 5, 29, 80, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 64, 7, 7, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 64, 3, 28, 256, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 256, 8, 8, 128, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1},
  };
  static const char *const steps[] = {
    "| Add(@4) | Requantize(@5, 3) u8",
    "| Add(@4) | Requantize(@5, 200) u8 | Clip(100, 220)",
    "| Requantize(@5, -5) i8 | Clip(-20, 127)",
    "| Add(@4) | Requantize(@5, 5) u8 | Clip(5, 255) | QLinearAdd(@6, 0.75, 0.3125, 2.5) u8 | Clip(9, 255)",
    "| Requantize(@5, 140) u8 | QLinearAdd(@6, 0.75, 0.3125, 2.5, 0, 128) u8 | Clip(9, 255)",
    "| Add(@4) | Cast f32 | Mul(@5) | Relu",
  };
  for (size_t j = 0; j < COUNT(steps); j++) check_epilogue(&cases[j % COUNT(cases)], (int)(50 * j), steps[j]);
}

/* One zero point of the weights, or one a channel, also where a four of channels is cut. */
static void zero_points_of_weights(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 70, 5, 29, 80, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 256, 8, 8, 128, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const ConvCase *k = &cases[i];
    char text[SIZE], zeros[100] = "[] = {-7}";
    if (i % 2) snprintf(zeros, sizeof zeros, "[%d] = random 9 -128 128", k->oc);
    snprintf(text, SIZE, "graph c\ninput x u8 [%d,%d,%d,%d]\nconst w i8 [%d,%d,%d,%d] = random 1 -128 128\nconst z u8 [] = {%d}\n"
             "const v i8 %s\nconst m f32 [%d,1,1] = random 6 0.0001 0.004\ny = ConvInteger(x, w, z, v, m) strides=[%d,%d] "
             "pads=[%d,%d,%d,%d] group=%d %s\noutput y\n",
             k->n, k->c, k->h, k->w, k->oc, k->c / k->group, k->kh, k->kw, 99, zeros, k->oc, k->sh, k->sw,
             k->top, k->left, k->bottom, k->right, k->group, i % 2 ? "| Requantize(@4, 3) u8" : "| Cast f32 | Mul(@4)");
    check_integers(text, 0, 256);
  }
}

/* Two products of weights up to 64 fit 16 bits, of 64 and 65 they don't. */
static void small_weights(void **state) {
  (void)state;
  for (int highest = 64; highest <= 65; highest++) {
    char text[SIZE];
    snprintf(text, SIZE, "graph c\ninput x u8 [1,70,6,9]\nconst w i8 [40,70,1,3] = splat %d\nconst z u8 [] = {7}\nconst v i8 [] = {3}\n"
             "a = ConvInteger(x, w, z) pads=[0,1,0,1]\nb = ConvInteger(x, w, z, v)\noutput a\noutput b\n", highest);
    check_integers(text, 250, 256);
  }
}

/* Weights of which most pairs fit 16 bits, so that every class has steps. */
static void sorted_weights(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 70, 5, 29, 37, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {2, 64, 7, 7, 80, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 130, 12, 13, 64, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1}, {1, 600, 1, 1, 24, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const ConvCase *k = &cases[i];
    char text[SIZE];
    snprintf(text, SIZE, "graph c\ninput x u8 [%d,%d,%d,%d]\nconst w i8 [%d,%d,%d,%d] = random 1 -60 75\nconst z u8 [] = {%d}\n"
             "y = ConvInteger(x, w, z) strides=[%d,%d] pads=[%d,%d,%d,%d]\noutput y\n",
             k->n, k->c, k->h, k->w, k->oc, k->c, k->kh, k->kw, (int)(80 * i), k->sh, k->sw, k->top, k->left, k->bottom, k->right);
    check_integers(text, i % 2 ? 250 : 0, 256);
  }
}

/* So many steps that of one class some would be further behind each other than a byte says: hardly one fits, hardly one does not. */
static void rare_steps(void **state) {
  (void)state;
  static const char *const bounds[] = {"-128 128", "-60 67"};
  for (size_t i = 0; i < 2 * COUNT(bounds); i++) {
    char text[SIZE];
    snprintf(text, SIZE, "graph c\ninput x u8 [1,2400,%d,2]\nconst w i8 [40,2400,1,1] = random 1 %s\nconst z u8 [] = {7}\n"
             "y = ConvInteger(x, w, z)\noutput y\n", i < COUNT(bounds) ? 2 : 7, bounds[i % COUNT(bounds)]);
    check_integers(text, 200, 256);
  }
}

/* A factor so large that what it scales is no integer of 32 bits. */
static void large_factors(void **state) {
  (void)state;
  check_integers("graph c\ninput x u8 [1,64,3,5]\nconst w i8 [32,64,1,1] = random 1 -128 128\nconst m f32 [32,1,1] = random 6 1 90000\n"
                 "y = ConvInteger(x, w, _, _, m) | Requantize(@4, 100) u8\noutput y\n", 0, 256);
}

/* Of frames: zero points before the first and behind the last; channels that fill blocks, and others; groups, whose taps add up. */
static void volumes(void **state) {
  (void)state;
  static const struct { int n, c, group, zero, depth; const char *weights, *window; } cases[] = {
    {1, 64, 1, 7, 4, "64,3,3,3", "pads=[1,1,1,1,1,1]"},         {1, 64, 1, 255, 4, "64,3,1,1", "pads=[2,0,0,1,0,0] strides=[2,1,1]"},
    {2, 70, 1, 128, 4, "70,3,3,3", "pads=[1,1,1,1,1,1]"},       {1, 70, 1, 9, 1, "70,3,3,3", "pads=[1,1,1,1,1,1]"},
    {1, 128, 2, 33, 3, "64,3,3,3", "pads=[1,1,1,1,1,1] group=2"}, {1, 70, 70, 5, 3, "1,3,3,3", "pads=[1,1,1,1,1,1] group=70"},
    {1, 64, 1, 200, 5, "64,3,3,3", "pads=[2,1,1,2,1,1] dilations=[2,1,1]"}, {1, 100, 1, 77, 4, "100,3,3,3", "pads=[1,1,1,1,1,1]"},
    {1, 100, 1, 0, 6, "100,3,1,1", "pads=[1,0,0,1,0,0] strides=[2,1,1]"},   {1, 100, 1, 5, 3, "100,2,2,2", ""},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char text[SIZE], zeros[100] = "[] = {-3}";
    int n = cases[i].n, c = cases[i].c, depth = cases[i].depth;
    if (i % 3 == 0) snprintf(zeros, sizeof zeros, "[%d] = random 9 -128 128", c);
    snprintf(text, SIZE, "graph c\ninput x u8 [%d,%d,%d,5,6]\nconst w i8 [%d,%d,1,1,1] = random 1 -128 128\nconst z u8 [] = {%d}\n"
             "const m f32 [%d,1,1,1] = random 6 0.0001 0.004\nconst k i8 [%d,%s] = random 2 -128 128\nconst v i8 %s\n"
             "a = ConvInteger(x, w, z, _, m) | Requantize(@4, %d) u8\n"
             "b = ConvInteger(a, k, z, %s, m) %s | Requantize(@4, 3) u8\noutput a\noutput b\n",
             n, c, depth, c, c, cases[i].zero, c, c, cases[i].weights, zeros, cases[i].zero, i % 2 ? "v" : "_", cases[i].window);
    check_integers(text, 0, 256);
  }
}

/* What stands between them: skip connections, pools and joined channels are frames as well. */
static void blocks_of_volumes(void **state) {
  (void)state;
  static const struct { int n, depth; } cases[] = {{1, 4}, {2, 3}, {1, 1}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    char text[SIZE];
    snprintf(text, SIZE, "graph c\ninput x u8 [%d,64,%d,6,5]\nconst w i8 [64,64,3,3,3] = random 3 -128 128\n"
             "const d i8 [64,1,3,3,3] = random 4 -128 128\nconst z u8 [] = {9}\nconst m f32 [64,1,1,1] = random 6 0.0001 0.004\n"
             "a = ConvInteger(x, w, z, _, m, x) pads=[1,1,1,1,1,1] | Requantize(@4, 9) u8 | QLinearAdd(@5, 0.5, 0.25, 2) u8\n"
             "b = ConvInteger(a, d, z, _, m, x) pads=[1,1,1,1,1,1] group=64 | Requantize(@4, 90) u8 | QLinearAdd(@5, 0.5, 0.25, 2) u8\n"
             "p = MaxPool(b) kernel_shape=[2,3,3] pads=[1,1,1,0,1,1] strides=[1,2,2]\nc = Concat(p, p) axis=1\n"
             "q = Pointwise(c) | Clip(90, 200)\ns = GlobalSumPool(q, z)\noutput b\noutput c\noutput s\n", cases[i].n, cases[i].depth);
    check_integers(text, 0, 256);
  }
}

/* The algorithm of the graph's convolution, and the features that a model of it needs. */
static const char *algorithm_for(Context *cx, const char *cpu, const char *text, uint64_t *needed) {
  Options *options = alloc(cx, sizeof *options);
  *options = (Options){.name = "c", .cpu = cpu, .triple = "x86_64-linux-gnu", .max_memory = 1 << 30};
  Graph *g = text_parse(cx, options, text);
  front_run(g, NULL, NULL);
  Build *b = build_new(g, options, target_new(cx, options));
  build_run(b, NULL, NULL);
  *needed = needed_features(b);
  for (int i = 0; i < b->graph->n_node; i++)
    if (is_packed(b->graph->node[i])) return b->graph->node[i]->plan->how->name;
  return NULL;
}

static void check_algorithm(const char *cpu, const char *text, const char *name, bool asks) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  uint64_t needed;
  assert_string_equal(algorithm_for(cx, cpu, text, &needed), name);
  assert_int_equal((needed & RCC_CPU_AMX_TILE) != 0, asks);
  context_free(cx);
}

/* AMX where the CPU has it, which only models that use it ask for. */
static void algorithms_of_cpus(void **state) {
  (void)state;
  static const char integer[] = "graph c\ninput x u8 [1,64,14,14]\nconst w i8 [64,64,3,3] = random 1 -128 128\ny = ConvInteger(x, w) pads=[1,1,1,1]\noutput y\n";
  static const char strided[] = "graph c\ninput x u8 [1,64,14,14]\nconst w i8 [64,64,3,3] = random 1 -128 128\ny = ConvInteger(x, w) strides=[3,3]\noutput y\n";
  static const char real[] = "graph c\ninput x f32 [1,64,14,14]\nconst w f32 [64,64,1,1] = random 1 -1 1\ny = Conv(x, w)\noutput y\n";
  check_algorithm("sapphirerapids", integer, "amx", true);
  check_algorithm("icelake-server", integer, "direct", false);
  check_algorithm("haswell", integer, "integer_winograd", false);
  check_algorithm("haswell", strided, "direct", false);
  check_algorithm("sapphirerapids", real, "direct", false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(pointwise),
    cmocka_unit_test(windows),
    cmocka_unit_test(dilated),
    cmocka_unit_test(groups),
    cmocka_unit_test(epilogues),
    cmocka_unit_test(zero_points_of_weights),
    cmocka_unit_test(small_weights),
    cmocka_unit_test(sorted_weights),
    cmocka_unit_test(rare_steps),
    cmocka_unit_test(large_factors),
    cmocka_unit_test(volumes),
    cmocka_unit_test(blocks_of_volumes),
    cmocka_unit_test(algorithms_of_cpus),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
