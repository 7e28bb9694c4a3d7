/* pack_test.c: the object's read-only data: convolution weights in the order of the kernels, the other
 * constants. */
#include <string.h>

#include "conv.h"
#include "each_context.h"

enum { V = 8 }; /* lanes */

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.name = "test", .max_memory = 1 << 30};
  return 0;
}

/* Up to before pack. */
static Build *unpacked_for(const Target *t, const char *text) {
  Graph *g = text_parse(cx, &options, text);
  pass_shape(g);
  Build *b = build_new(g, &options, t);
  pass_select(b);
  return b;
}

static const Target usual = {.lanes = V, .regs = 16, .fma = true, .l1 = 32 << 10, .l2 = 512 << 10};

static Build *unpacked(const char *text) { return unpacked_for(&usual, text); }

static Build *packed_build(const char *text) {
  Build *b = unpacked(text);
  pass_layout(b);
  pass_pack(b);
  return b;
}

static Node *find_op(const Graph *g, Op op) {
  for (int i = 0; i < g->n_node; i++) {
    if (g->node[i]->op == op) return g->node[i];
  }
  fail_msg("no %s", op_info[op].name);
  return NULL;
}

static const Algorithm *algorithm_named(const char *name) {
  for (int i = 0; i < algorithm_count; i++) {
    if (strcmp(algorithms[i].name, name) == 0) return &algorithms[i];
  }
  fail_msg("no algorithm %s", name);
  return NULL;
}

/* The same with a plan of one's own for the convolution, so that no tuning of select matters here. */
static Node *pack_conv_as(const char *text, const char *algorithm, Plan plan, Build **build) {
  Build *b = *build = unpacked(text);
  Node *n = find_op(b->graph, OP_Conv);
  plan.how = algorithm_named(algorithm);
  *n->plan = plan;
  pass_layout(b);
  pass_pack(b);
  return n;
}

static const float *packed(const Build *b, int64_t offset) {
  assert_int_equal(offset % 64, 0);
  assert_true(offset >= 0 && offset < b->weights_size);
  return (const float *)(const void *)(b->weights + offset);
}

static float weight(const Node *n, int64_t oc, int64_t ic, int64_t tap) {
  const Shape *w = &n->in[1]->shape;
  int64_t taps = w->d[2] * w->d[3];
  return ((const float *)n->in[1]->data)[(oc * w->d[1] + ic) * taps + tap];
}

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* The same number, except that zeros have no sign here. */
static void assert_number(float got, float want) {
  if (got != want) fail_msg("%.9g where %.9g should be", (double)got, (double)want);
}

#define CONV(x, w, more) \
  "graph g\ninput x f32 " x "\nconst w f32 " w " = random 5 -1 1\nconst b f32 [20] = random 6 -1 1\n" \
  "y = Conv(x, w" more "\noutput y\n"

/* ==== direct ==== */

/* Where the weight of output channel oc lies: panels of nb blocks, the last one narrower; `steps` weights an
 * output channel. */
static int64_t panel_index(int nb, int64_t ocg, int64_t oc, int64_t step, int64_t steps) {
  int64_t full = nb * V, channels = round_up(ocg, V), first = oc / full * full;
  int64_t width = channels - first < full ? channels - first : full;
  return first * steps + step * width + oc - first;
}

static void panels_of_blocks(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *build;
  Node *n = pack_conv_as(CONV("[1,20,6,6]", "[20,20,3,2]", ", b)"),
                         "direct", (Plan){.direct = {.uw = 4, .nb = 2, .groups = 1, .icg = 20, .ocg = 20}}, &build);
  const float *w = packed(build, n->plan->at.weights);
  for (int64_t oc = 0; oc < 24; oc++) {
    for (int64_t ic = 0; ic < 20; ic++) {
      for (int64_t tap = 0; tap < 6; tap++) {
        int64_t block = ic / V, in_block = block == 2 ? 4 : V; /* the last block has 4 channels */
        int64_t step = block * V * 6 + tap * in_block + ic % V;
        assert_number(w[panel_index(2, 20, oc, step, 120)], oc < 20 ? weight(n, oc, ic, tap) : 0);
      }
    }
  }
  const float *b = packed(build, n->plan->at.bias), *given = n->in[2]->data;
  for (int oc = 0; oc < 24; oc++) assert_number(b[oc], oc < 20 ? given[oc] : 0);
}

static void panels_of_planes(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *build;
  Node *n = pack_conv_as(CONV("[1,3,6,6]", "[20,3,3,3]", ")"),
                         "direct", (Plan){.direct = {.uw = 4, .nb = 2, .planar = true, .groups = 1, .icg = 3, .ocg = 20}}, &build);
  const float *w = packed(build, n->plan->at.weights), *b = packed(build, n->plan->at.bias);
  for (int64_t oc = 0; oc < 24; oc++) {
    for (int64_t ic = 0; ic < 3; ic++) {
      for (int64_t tap = 0; tap < 9; tap++) {
        assert_number(w[panel_index(2, 20, oc, ic * 9 + tap, 27)], oc < 20 ? weight(n, oc, ic, tap) : 0);
      }
    }
    assert_number(b[oc], 0); /* none given */
  }
}

/* ==== groups ==== */

static void groups_of_whole_blocks_stay_apart(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *build;
  Node *n = pack_conv_as(CONV("[1,32,6,6]", "[32,16,1,1]", ") group=2"),
                         "direct", (Plan){.direct = {.uw = 4, .nb = 1, .groups = 2, .icg = 16, .ocg = 16}}, &build);
  const float *w = packed(build, n->plan->at.weights);
  for (int64_t oc = 0; oc < 32; oc++) {
    for (int64_t ic = 0; ic < 16; ic++) {
      int64_t at = oc / 16 * 256 + panel_index(1, 16, oc % 16, ic, 16);
      assert_number(w[at], weight(n, oc, ic, 0));
    }
  }
}

/* 3 groups of 4 to 6 channels: pieces of outputs in one block, runs of inputs in one block, and no padding. */
static void ragged_groups_have_their_own_weights(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *build;
  Node *n = pack_conv_as(CONV("[1,18,6,6]", "[12,6,2,1]", ") group=3"),
                         "ragged", (Plan){.ragged = {.uw = 4, .groups = 3, .icg = 6, .ocg = 4}}, &build);
  const float *w = packed(build, n->plan->at.weights);
  static const int piece[] = {0, 4, 8, 12}; /* outputs 0-3, 4-7 and 8-11: block 0, 0 and 1 */
  static const int cut[] = {6, 2, 4};       /* inputs of the group before the next block: 0-5, 6-7, 12-15 */
  for (int p = 0; p < 3; p++) {
    for (int run = 0; run < 2; run++) {
      for (int tap = 0; tap < 2; tap++) {
        for (int ic = run ? cut[p] : 0; ic < (run ? 6 : cut[p]); ic++) {
          for (int oc = piece[p]; oc < piece[p + 1]; oc++) assert_number(*w++, weight(n, oc, ic, tap));
        }
      }
    }
  }
}

/* Three channels make no vector of eight: rows of three. */
static void few_channels_have_no_padding(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *build;
  Node *n = pack_conv_as(CONV("[1,10,6,6]", "[3,10,1,1]", ")"),
                         "direct", (Plan){.direct = {.uw = 4, .nb = 1, .groups = 1, .icg = 10, .ocg = 3}}, &build);
  const float *w = packed(build, n->plan->at.weights);
  for (int ic = 0; ic < 10; ic++) {
    for (int oc = 0; oc < 3; oc++) assert_number(w[ic * 3 + oc], weight(n, oc, ic, 0));
  }
}

static void one_channel_a_group(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *build;
  Node *n = pack_conv_as(CONV("[1,20,6,6]", "[20,1,3,3]", ", b) group=20"),
                         "depthwise", (Plan){.depthwise = {.uw = 4}}, &build);
  const float *w = packed(build, n->plan->at.weights);
  for (int64_t c = 0; c < 24; c++) {
    for (int64_t tap = 0; tap < 9; tap++) {
      assert_number(w[(c / V * 9 + tap) * V + c % V], c < 20 ? weight(n, c, 0, tap) : 0);
    }
  }
}

/* As the kernel uses them: products stay in their input's lane, then lanes change places. */
static void few_channels_a_group(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *build;
  Node *n = pack_conv_as(CONV("[1,20,6,6]", "[20,4,1,1]", ", b) group=5"),
                         "grouped", (Plan){.grouped = {.uw = 2, .icg = 4, .sums = 4}}, &build);
  const float *w = packed(build, n->plan->at.weights);
  for (int block = 0; block < 3; block++) {
    for (int in = 0; in < V; in++) { /* an input that is 1 in this lane alone */
      for (int out = 0; out < V; out++) {
        int r = in ^ out, oc = block * V + out;
        float y = r < 4 ? w[(block * 4 + r) * V + in] : 0;
        bool own = in / 4 == out / 4 && oc < 20;
        assert_number(y, own ? weight(n, oc, in % 4, 0) : 0);
      }
    }
  }
}

/* ==== Winograd ==== */

static Plan winograd_plan(bool stored) {
  return (Plan){.winograd = {.uw = 4, .nb = 2, .icg = 12, .ocg = 20, .stored = stored, .chunk = 1, .m = 4, .tile_rows = 2,
                             .group_images = 1}};
}

/* Weights of a node packed as planned: at the first `side` points of each dimension, in chunks of so many channels. */
static void check_winograd(bool stored, int side, int chunk) {
  EXPECT_NO_FAIL(cx);
  Build *build;
  Node *n = pack_conv_as(CONV("[1,12,8,8]", "[20,12,3,3]", ", b) pads=[1,1,1,1]"), "winograd", winograd_plan(stored), &build);
  const float *w = packed(build, n->plan->at.weights), *given = n->in[1]->data;
  const WinogradForm form = winograd_form_of(n, &n->plan->winograd);
  const WinogradPowers powers = winograd_powers(&form, side);
  int terms = side * side;
  for (int oc = 0; oc < 24; oc++) {
    for (int ic = 0; ic < 12; ic++) {
      double u[36] = {0};
      int first = ic / chunk * chunk, count = 12 - first < chunk ? 12 - first : chunk;
      if (oc < 20) winograd_weights(&powers, given + (oc * 12 + ic) * 9, u);
      for (int k = 0; k < terms; k++) {
        int at = first * terms + k * count + ic - first;
        assert_number(w[panel_index(2, 20, oc, at, 12 * terms)], (float)u[k]);
      }
    }
  }
}

static void winograd_weights_for_the_fly(void **state) {
  (void)state;
  check_winograd(false, 3, 8);
}

static void winograd_weights_transformed(void **state) {
  (void)state;
  check_winograd(true, 6, 12);
}

/* ==== Strassen ==== */

static void odd_panels_are_differences(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *build;
  const Plan plan = {.strassen = {.uw = 4, .nb = 2, .icg = 16, .ocg = 64, .group_pairs = 4}};
  Node *n = pack_conv_as(CONV("[1,16,8,8]", "[64,16,1,1]", ")"), "strassen", plan, &build);
  const float *w = packed(build, n->plan->at.weights);
  for (int64_t oc = 0; oc < 64; oc++) {
    for (int64_t ic = 0; ic < 16; ic++) {
      bool odd = oc / 16 % 2;
      float first = weight(n, oc, ic, 0);
      if (odd) first = weight(n, oc, ic % 8, 0) - weight(n, oc - 16, ic % 8, 0);
      assert_number(w[panel_index(2, 64, oc, ic, 16)], odd && ic >= 8 ? weight(n, oc, ic, 0) - first : first);
    }
  }
}

/* ==== the other constants ==== */

static const Value *constant_named(const Graph *g, const char *name) {
  for (int i = 0; i < g->n_value; i++) {
    if (g->value[i]->data && strcmp(g->value[i]->name, name) == 0) return g->value[i];
  }
  fail_msg("no constant %s", name);
  return NULL;
}

static void constants_have_one_place(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *build = packed_build("graph g\ninput x f32 [2,5,7]\nconst c f32 [5,7] = random 1 -1 1\n"
                      "const d f32 [7] = random 2 -1 1\n"
                      "const e i64 [3] = {1, 0, 2}\na = Add(x, c)\nb = Mul(a, c)\ns = Sub(b, d)\n"
                      "t = Gather(s, e) axis=1\noutput t\n");
  const Graph *g = build->graph;
  static const struct { const char *name; int64_t bytes; } all[] = {{"c", 140}, {"d", 28}, {"e", 24}};
  int64_t sum = 0;
  for (size_t i = 0; i < COUNT(all); i++) {
    const Value *v = constant_named(g, all[i].name);
    assert_int_equal(v->place, P_CONST);
    assert_int_equal(v->offset % 64, 0);
    assert_memory_equal(build->weights + v->offset, v->data, all[i].bytes);
    for (size_t k = 0; k < i; k++) assert_int_not_equal(v->offset, constant_named(g, all[k].name)->offset);
    sum += round_up(all[i].bytes, 64);
  }
  assert_int_equal(build->weights_size, sum);
}

static void packed_weights_have_no_second_place(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *build = packed_build("graph g\ninput x f32 [1,16,4,4]\nconst w f32 [16,16,1,1] = random 1 -1 1\n"
                      "const b f32 [16] = random 2 -1 1\ny = Conv(x, w, b)\nf = Flatten(y)\n"
                      "const m f32 [256,10] = random 3 -1 1\nz = MatMul(f, m)\noutput z\n");
  const Graph *g = build->graph;
  assert_int_equal(constant_named(g, "w")->place, P_NONE);
  assert_int_equal(constant_named(g, "b")->place, P_NONE);
  assert_int_equal(constant_named(g, "m")->place, P_NONE);
  assert_int_equal(build->weights_size, 16 * 16 * 4 + 16 * 4 + 256 * 10 * 4);
}

/* A filter that an operator on dense tensors reads too, in its own order. */
static void weights_that_others_read_have_two_places(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *build = packed_build("graph g\ninput x f32 [1,16,4,4]\ninput k f32 [16,16,1,1]\n"
                      "const w f32 [16,16,1,1] = random 1 -1 1\n"
                      "y = Conv(x, w)\nz = Mul(k, w)\noutput y\noutput z\n");
  const Graph *g = build->graph;
  const Value *w = constant_named(g, "w");
  assert_int_equal(w->place, P_CONST);
  assert_memory_equal(build->weights + w->offset, w->data, 1024);
  assert_int_not_equal(w->offset, find_op(g, OP_Conv)->plan->at.weights);
}

static void run_time_weights_are_not_packed(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *build = packed_build("graph g\ninput x f32 [1,16,4,4]\ninput w f32 [16,16,1,1]\n"
                      "const b f32 [16] = random 1 -1 1\n"
                      "y = Conv(x, w, b)\noutput y\n");
  const Graph *g = build->graph;
  assert_int_equal(constant_named(g, "b")->place, P_CONST);
  assert_int_equal(build->weights_size, 64);
}

/* ==== one place for equal weights ==== */

/* Filters that are equal though they are different constants, two layers a time; biases are shared alike. */
static void equal_weights_have_one_place(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *build = packed_build("graph g\ninput x f32 [1,16,8,8]\nconst w f32 [16,16,1,1] = random 1 -1 1\n"
                      "const v f32 [16,16,1,1] = random 1 -1 1\nconst b f32 [16] = random 2 -1 1\n"
                      "const m f32 [16,16] = random 3 -1 1\nconst s i64 [2] = {64, 16}\n"
                      "y = Conv(x, w, b)\nz = Conv(y, v, b)\nf = Conv(z, w)\nh = Flatten(f) axis=3\n"
                      "i = Reshape(h, s)\n"
                      "j = Gemm(i, m)\nk = Gemm(j, m)\nl = Gemm(k, m) alpha=2.0\noutput l\n");
  const Graph *g = build->graph;
  const Plan *plan[6];
  int count = 0;
  for (int i = 0; i < g->n_node; i++) {
    if (is_packed(g->node[i])) plan[count++] = g->node[i]->plan;
  }
  assert_int_equal(count, 6);
  assert_int_equal(plan[0]->at.weights, plan[1]->at.weights);
  assert_int_equal(plan[0]->at.weights, plan[2]->at.weights);
  assert_int_equal(plan[0]->at.bias, plan[1]->at.bias);
  assert_int_not_equal(plan[0]->at.bias, plan[2]->at.bias); /* zeros */
  assert_int_equal(plan[3]->at.weights, plan[4]->at.weights);
  assert_int_not_equal(plan[3]->at.weights, plan[5]->at.weights);
}

/* ==== no more than the model holds ==== */

static uint64_t seed = 1;

static const Target targets[] = {
  {.lanes = 4, .regs = 16, .l1 = 32 << 10, .l2 = 512 << 10},
  {.lanes = 8, .regs = 16, .fma = true, .l1 = 32 << 10, .l2 = 512 << 10},
  {.lanes = 16, .regs = 32, .fma = true, .l1 = 48 << 10, .l2 = 2 << 20},
};

/* A quarter more than the weights, a vector for each output, and for Winograd's algorithm what all of them may grow. */
static void check_bytes(Build *build, const Node *n) {
  const Value *w = n->in[1];
  int64_t given = shape_count(&w->shape) * 4, outputs = shape_count(&w->shape) / w->shape.d[1];
  if (n->op == OP_Conv) outputs = w->shape.d[0];
  int64_t most = given + given / 4 + outputs * build->target->lanes * 4, got = packed_bytes(build, n);
  assert_true(got > 0);
  if (got > most) fail_msg("%lld bytes for %lld", (long long)got, (long long)given);
  pass_layout(build);
  pass_pack(build);
  assert_true(build->weights_size <= most + outputs * 8 + 256);
}

static void check_on(const Target *t, const char *text) {
  EXPECT_NO_FAIL(cx);
  Build *build = unpacked_for(t, text);
  check_bytes(build, build->graph->node[0]);
}

static void check_text(const char *text) {
  for (size_t i = 0; i < COUNT(targets); i++) check_on(&targets[i], text);
}

static void check_random_conv(void) {
  static const int groups[] = {1, 1, 2, 3, 5, 16, 32, 33}, kernels[] = {1, 3, 3, 5, 7};
  int g = groups[pick(&seed, 0, 7)], icg = pick(&seed, 0, 1) ? 1 : pick(&seed, 1, 40), ocg = pick(&seed, 0, 1) ? pick(&seed, 1, 3) : pick(&seed, 1, 40);
  int kh = kernels[pick(&seed, 0, 4)], kw = kernels[pick(&seed, 0, 4)], map = pick(&seed, 0, 2) ? pick(&seed, 1, 20) : 1, s = pick(&seed, 1, 2);
  check_text(format_text(cx, "graph g\ninput x f32 [1,%d,%d,%d]\nconst w f32 [%d,%d,%d,%d] = random 1 -1 1\n"
                         "y = Conv(x, w) group=%d pads=[3,3,3,3] strides=[%d,%d]\noutput y\n",
                         g * icg, map, map, g * ocg, icg, kh, kw, g, s, s));
}

static void convolutions_are_packed_tightly(void **state) {
  (void)state;
  for (int i = 0; i < 300; i++) {
    check_random_conv();
    context_free(cx);
    cx = context_new();
  }
}

static void matrices_are_packed_tightly(void **state) {
  (void)state;
  for (int i = 0; i < 100; i++) {
    int m = pick(&seed, 1, 9), k = pick(&seed, 1, 300), n = pick(&seed, 1, 70), turned = pick(&seed, 0, 1), b_turned = pick(&seed, 0, 1);
    check_text(format_text(cx, "graph g\ninput x f32 [%d,%d]\nconst w f32 [%d,%d] = random 1 -1 1\n"
                           "y = Gemm(x, w) transA=%d transB=%d\noutput y\n",
                           turned ? k : m, turned ? m : k, b_turned ? n : k, b_turned ? k : n, turned, b_turned));
    check_text(format_text(cx, "graph g\ninput x f32 [2,%d,%d]\nconst w f32 [%d,%d] = random 1 -1 1\n"
                           "y = MatMul(x, w)\noutput y\n", m, k, k, n));
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

static void halves_when_small(void **state) {
  (void)state;
  static const char text[] = "input x f32 [1,8,9,9]\nconst w f32 [16,8,3,3] = splat %s\ny = Conv(x, w)\noutput y\n";
  static const struct { const char *weight; bool small; Type type; } cases[] = {
    {"0.5", true, T_F16}, {"0.5", false, T_F32}, {"0.1", true, T_F32}, {"3e38", true, T_F32}, {"0x1p120", true, T_BF16}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    options.small = cases[i].small;
    Build *b = packed_build(format_text(cx, text, cases[i].weight));
    const Node *n = find_op(b->graph, OP_Conv);
    int64_t floats = n->plan->how->packed(&usual, n, n->plan);
    assert_int_equal(n->plan->weights, cases[i].type);
    assert_int_equal(packed_bytes(b, n), floats / 4 * (int64_t)type_size(cases[i].type));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(panels_of_blocks),
    TEST(panels_of_planes),
    TEST(groups_of_whole_blocks_stay_apart),
    TEST(ragged_groups_have_their_own_weights),
    TEST(few_channels_have_no_padding),
    TEST(one_channel_a_group),
    TEST(few_channels_a_group),
    TEST(winograd_weights_for_the_fly),
    TEST(winograd_weights_transformed),
    TEST(odd_panels_are_differences),
    TEST(constants_have_one_place),
    TEST(packed_weights_have_no_second_place),
    TEST(weights_that_others_read_have_two_places),
    TEST(run_time_weights_are_not_packed),
    TEST(equal_weights_have_one_place),
    TEST(convolutions_are_packed_tightly),
    TEST(matrices_are_packed_tightly),
    TEST(halves_when_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
