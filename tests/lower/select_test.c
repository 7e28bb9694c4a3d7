/* select_test.c: what every plan must keep to whatever is tuned: registers, whole groups, which algorithm a
 * convolution may have at all. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"
#include "each_context.h"

static Options options;
static const char *const cpus[] = {"x86-64", "x86-64-v3", "skylake-avx512"};

static int setup(void **state) {
  context_setup(state);
  options = (Options){.name = "test", .max_memory = 1 << 30};
  return 0;
}

/* ==== direct_tiles.def ==== */

static const struct Row { int regs; bool by_lane; int uw, nb; } rows[] = {
#define TILE(regs, by_lane, uw, nb, ...) {regs, by_lane, uw, nb},
#include "direct_tiles.def"
#undef TILE
};

static void rows_fit_their_registers(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    const struct Row *r = &rows[i];
    assert_true(r->regs == 16 || r->regs == 32);
    assert_true(r->uw >= 1 && r->nb >= 1);
    int more = r->by_lane ? r->uw + 2 : r->nb + 1;
    if (r->uw * r->nb + more > r->regs) fail_msg("%d x %d in %d registers", r->uw, r->nb, r->regs);
  }
}

/* ==== plans ==== */

typedef struct Conv {
  int n, c, h, w, oc, kh, kw, group, stride, dilation, pad;
} Conv;

static const char *text_of(const Conv *k) {
  return format_text(cx, "graph g\ninput x f32 [%d,%d,%d,%d]\nconst w f32 [%d,%d,%d,%d] = splat 1\n"
                         "y = Conv(x, w) strides=[%d,%d] dilations=[%d,%d] pads=[%d,%d,%d,%d] group=%d\n"
                         "output y\n",
                     k->n, k->c, k->h, k->w, k->oc, k->c / k->group, k->kh, k->kw, k->stride, k->stride,
                     k->dilation, k->dilation, k->pad, k->pad, k->pad, k->pad, k->group);
}

static Build *select_for(const char *text, const Options *target) {
  Graph *g = text_parse(cx, &options, text);
  pass_shape(g);
  Build *b = build_new(g, &options, target_new(cx, target));
  pass_select(b);
  return b;
}

static Graph *selected(const char *text, const char *cpu) { return select_for(text, &(Options){.cpu = cpu})->graph; }

static const Plan *plan_of(const Conv *k, const char *cpu) {
  return selected(text_of(k), cpu)->node[0]->plan;
}

static bool is(const Plan *p, const char *algorithm) { return strcmp(p->how->name, algorithm) == 0; }

/* Groups as packed hold all channels, and where there are several, whole blocks of whole panels. */
static void check_groups(const Conv *k, const DirectPlan *p, int lanes) {
  assert_true(p->groups >= 1 && p->icg >= 1 && p->ocg >= 1);
  assert_int_equal(p->groups * p->icg, k->c);
  assert_int_equal(p->groups * p->ocg, k->oc);
  if (p->groups == 1) return;
  assert_int_equal(p->icg % lanes, 0);
  assert_int_equal(p->ocg % lanes, 0);
  assert_int_equal(p->ocg / lanes % p->nb, 0);
  assert_int_equal(k->group % p->groups, 0); /* no group is cut */
}

static void check_direct(const Conv *k, const Plan *plan, const Target *t, const Shape *y) {
  const DirectPlan *p = &plan->direct;
  int64_t run = p->order == OC_FLAT ? y->d[2] * y->d[3] : y->d[3];
  int64_t blocks = (p->ocg + t->lanes - 1) / t->lanes;
  int64_t pixels = p->uw < run ? p->uw : run;
  assert_true(p->uw >= 1 && p->nb >= 1 && p->nb <= blocks);
  assert_true(pixels * p->nb + p->nb + 1 <= t->regs);
  check_groups(k, p, t->lanes);
  if (p->planar) assert_true(p->groups == 1 && p->order != OC_FLAT && p->chunk == 0);
  if (p->chunk == 0) return;
  assert_int_equal(p->order, OC_FLAT);
  assert_true(p->chunk > 0 && p->chunk < (p->icg + t->lanes - 1) / t->lanes);
  assert_true(plan->at.scratch >= y->d[2] * y->d[3] * p->nb * t->lanes * 4); /* sums wait between chunks */
}

static void check_winograd(const Conv *k, const Plan *plan, const Target *t, const Shape *y) {
  const WinogradPlan *p = &plan->winograd;
  bool parities = k->stride == 2 && k->kh == 3, dense = k->group == 1 && k->c > 4;
  (void)y;
  assert_true(dense && k->kh == k->kw && k->kh >= 2 && k->kh <= 5 && (k->stride == 1 || (parities && k->dilation == 1)));
  assert_true(!p->stored || !parities);
  assert_true(p->m >= 2 && p->group_images >= 1);
  assert_true(p->uw >= 1 && p->nb >= 1 && p->uw * p->nb + p->nb + 1 <= t->regs);
  assert_true(p->chunk >= 1 && p->tile_rows >= 1 && plan->at.scratch >= 0 && plan->at.shared >= 0);
}

static void check_strassen(const Conv *k, const Plan *plan, const Target *t, const Shape *y) {
  const StrassenPlan *p = &plan->strassen;
  (void)y;
  assert_true(k->kh == 1 && k->kw == 1 && k->group == 1 && k->c > 4);
  assert_true(p->uw >= 1 && p->nb >= 1 && p->uw * p->nb + p->nb + 1 <= t->regs);
  assert_int_equal(k->c % (2 * t->lanes), 0);
  assert_int_equal(k->oc % (2 * p->nb * t->lanes), 0);
  assert_true(p->group_pairs >= 1 && plan->at.scratch > 0 && plan->at.shared >= 0);
}

static void check_depthwise(const Conv *k, const Plan *plan, const Target *t, const Shape *y) {
  (void)y;
  assert_true(k->group > 1 && k->group == k->c && k->group == k->oc);
  assert_true(plan->depthwise.uw >= 1 && plan->depthwise.uw + 2 <= t->regs);
}

static void check_grouped(const Conv *k, const Plan *plan, const Target *t, const Shape *y) {
  const GroupedPlan *p = &plan->grouped;
  (void)y;
  assert_true(k->group > 1 && k->c == k->oc && k->c / k->group == p->icg && t->lanes % p->icg == 0);
  assert_true(p->uw >= 1 && p->sums >= 1 && p->uw * (p->sums + 1) + 1 <= t->regs);
}

static void check_interleaved(const Conv *k, const Plan *plan, const Target *t, const Shape *y) {
  const InterleavedPlan *p = &plan->interleaved;
  (void)y;
  assert_true(p->groups == k->group && p->groups * p->icg == k->c && p->groups * p->ocg == k->oc);
  assert_true(p->uw >= 1 && p->uw * (p->ocg + 1) + 1 <= t->regs && plan->at.scratch >= 0);
}

static void check_pixels(const Conv *k, const Plan *plan, const Target *t, const Shape *y) {
  const PixelsPlan *p = &plan->pixels;
  (void)y;
  assert_true(k->group == 1 && k->c <= 4 && k->stride == 1 && p->ocg <= t->lanes / 2);
  assert_true(p->nb >= 1 && p->nb * (p->ocg + 1) + 1 <= t->regs);
}

static void check_narrow(const Conv *k, const Plan *plan, const Target *t, const Shape *y) {
  const NarrowPlan *p = &plan->narrow;
  (void)y;
  assert_true(k->group == 1 && k->c > 4 && p->ocg <= t->lanes / 2 && p->nb >= 1 && 2 * p->nb >= p->ocg);
  assert_true(p->uw >= 1 && p->uw * p->nb <= t->lanes && p->uw * p->nb + p->nb + 1 <= t->regs);
}

static void check_ragged(const Conv *k, const Plan *plan, const Target *t, const Shape *y) {
  const RaggedPlan *p = &plan->ragged;
  (void)y;
  assert_true(p->groups == k->group && (p->icg % t->lanes != 0 || p->ocg % t->lanes != 0));
  assert_true(p->uw >= 1 && p->uw + 2 <= t->regs);
}

/* Every row that a convolution can have. */
static const struct {
  const char *name;
  void (*check)(const Conv *k, const Plan *plan, const Target *t, const Shape *y);
} checks[] = {
  {"direct", check_direct}, {"winograd", check_winograd}, {"strassen", check_strassen}, {"depthwise", check_depthwise},
  {"grouped", check_grouped}, {"interleaved", check_interleaved}, {"pixels", check_pixels}, {"narrow", check_narrow},
  {"ragged", check_ragged},
};

static void check_plan(const Conv *k, const Plan *p, const Target *t, const Shape *y) {
  for (size_t i = 0; i < COUNT(checks); i++) {
    if (!is(p, checks[i].name)) continue;
    checks[i].check(k, p, t, y);
    return;
  }
  fail_msg("constant weights are not packed, or nobody checks %s", p->how->name);
}

static Conv random_conv(uint64_t *random) {
  static const int groups[] = {1, 1, 1, 1, 2, 3, 4, 8, 16, 32}, maps[] = {1, 2, 4, 7, 8, 13, 14, 28, 56, 112};
  Conv k = {.n = pick(random, 1, 3), .group = groups[pick(random, 0, 9)], .stride = pick(random, 1, 2)};
  k.c = k.group * (pick(random, 0, 1) ? 1 << pick(random, 0, 7) : pick(random, 1, 70));
  k.oc = pick(random, 0, 2) ? k.c : k.group * pick(random, 1, 300);
  k.h = maps[pick(random, 0, 9)];
  k.w = pick(random, 0, 3) ? k.h : maps[pick(random, 0, 9)];
  k.kh = pick(random, 0, 1) ? 3 : pick(random, 1, 5);
  k.kw = pick(random, 0, 3) ? k.kh : pick(random, 1, 5);
  k.dilation = pick(random, 0, 3) ? 1 : 2;
  k.pad = 4; /* windows of up to 9 fit any map */
  return k;
}

static void check_random(uint64_t *random, int winograd) {
  context_free(cx);
  cx = context_new();
  EXPECT_NO_FAIL(cx);
  const Conv k = random_conv(random);
  const char *text = text_of(&k);
  options.winograd = winograd;
  for (size_t i = 0; i < COUNT(cpus); i++) {
    const Build *b = select_for(text, &(Options){.cpu = cpus[i]});
    const Graph *g = b->graph;
    const Candidates *list = g->node[0]->candidates;
    for (int c = 0; c < list->n; c++) check_plan(&k, &list->item[c].plan, b->target, &g->node[0]->out[0]->shape);
    if (winograd == WINOGRAD_OFF) assert_false(is(g->node[0]->plan, "winograd"));
  }
}

static void check_many(int winograd) {
  uint64_t random = 7;
  for (int i = 0; i < 300; i++) check_random(&random, winograd);
}

static void random_layers_keep_to_the_rules(void **state) {
  (void)state;
  check_many(WINOGRAD_AUTO);
}

static void winograd_off_is_off(void **state) {
  (void)state;
  check_many(WINOGRAD_OFF);
}

static void winograd_on_is_wherever_it_can(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const struct { Conv k; bool fits; } cases[] = {
    {{1, 32, 14, 14, 32, 3, 3, 1, 1, 1, 1}, true},   {{1, 17, 9, 30, 5, 3, 3, 1, 1, 1, 1}, true},
    {{1, 32, 14, 14, 32, 3, 3, 1, 2, 1, 1}, true},  {{1, 32, 14, 14, 32, 3, 3, 1, 1, 2, 2}, true},
    {{1, 32, 14, 14, 32, 3, 3, 1, 2, 2, 2}, false},  {{1, 32, 3, 3, 32, 3, 3, 1, 1, 3, 3}, false},
    {{1, 32, 14, 14, 32, 3, 3, 2, 1, 1, 1}, false},  {{1, 32, 14, 14, 32, 1, 1, 1, 1, 1, 0}, false},
    {{1, 32, 14, 14, 32, 5, 5, 1, 1, 1, 2}, true},    {{1, 32, 14, 14, 32, 3, 1, 1, 1, 1, 1}, false},
    {{1, 32, 14, 14, 32, 5, 5, 1, 2, 1, 2}, false},
    {{1, 3, 14, 14, 32, 3, 3, 1, 1, 1, 1}, false},   {{1, 32, 3, 3, 32, 3, 3, 1, 1, 1, 1}, false},
  };
  options.winograd = WINOGRAD_4;
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t c = 0; c < COUNT(cpus); c++) {
      bool used = is(plan_of(&cases[i].k, cpus[c]), "winograd");
      if (used != cases[i].fits) fail_msg("case %d on %s: %d", (int)i, cpus[c], used);
    }
  }
}

/* 8 rows of tiles are four groups of two, where three would fit. */
static void groups_are_even(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const struct { Conv k; int tile_rows; } cases[] = {
    {{1, 16, 32, 32, 16, 3, 3, 1, 1, 1, 1}, 2},  {{1, 16, 36, 36, 16, 3, 3, 1, 1, 1, 1}, 3},
    {{1, 16, 44, 32, 16, 3, 3, 1, 1, 1, 1}, 3},  {{1, 16, 56, 56, 16, 3, 3, 1, 1, 1, 1}, 2},
  };
  options.winograd = WINOGRAD_4;
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_int_equal(plan_of(&cases[i].k, "skylake-avx512")->winograd.tile_rows, cases[i].tile_rows);
  }
}

/* Maps of whole tiles that are one group, of one image and few channels. */
static void threads_stay_apart_on_small_maps(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const struct { Conv k; bool apart; } cases[] = {
    {{1, 32, 16, 16, 32, 3, 3, 1, 1, 1, 1}, true},   {{1, 64, 8, 8, 64, 3, 3, 1, 1, 1, 1}, true},
    {{1, 32, 16, 16, 64, 3, 3, 1, 2, 1, 1}, true},   {{1, 256, 20, 20, 32, 3, 3, 1, 1, 1, 1}, true},
    {{1, 256, 16, 16, 256, 3, 3, 1, 1, 1, 1}, false}, {{1, 32, 14, 16, 32, 3, 3, 1, 1, 1, 1}, false},
    {{2, 32, 16, 16, 32, 3, 3, 1, 1, 1, 1}, false},  {{1, 32, 16, 16, 32, 3, 3, 1, 1, 2, 2}, false},
  };
  options.winograd = WINOGRAD_4;
  for (size_t i = 0; i < COUNT(cases); i++) {
    const Plan *p = plan_of(&cases[i].k, "skylake-avx512");
    if (p->winograd.apart != cases[i].apart || (p->at.shared == 0) != cases[i].apart) fail_msg("case %d", (int)i);
  }
}

static void strassen_on_is_wherever_it_can(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const struct { Conv k; bool fits; } cases[] = {
    {{1, 64, 14, 14, 64, 1, 1, 1, 1, 1, 0}, true},   {{3, 32, 7, 7, 192, 1, 1, 1, 2, 1, 1}, true},
    {{1, 64, 14, 14, 64, 3, 3, 1, 1, 1, 1}, false},  {{1, 64, 14, 14, 64, 1, 1, 2, 1, 1, 0}, false},
    {{1, 64, 14, 14, 96, 1, 3, 1, 1, 1, 1}, false},  {{1, 60, 14, 14, 64, 1, 1, 1, 1, 1, 0}, false},
    {{1, 64, 14, 14, 72, 1, 1, 1, 1, 1, 0}, false},  {{1, 4, 14, 14, 64, 1, 1, 1, 1, 1, 0}, false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t c = 0; c < COUNT(cpus); c++) {
      options.strassen = STRASSEN_ON;
      bool used = is(plan_of(&cases[i].k, cpus[c]), "strassen");
      if (used != cases[i].fits) fail_msg("case %d on %s: %d", (int)i, cpus[c], used);
      options.strassen = STRASSEN_OFF;
      assert_false(is(plan_of(&cases[i].k, cpus[c]), "strassen"));
    }
  }
}

/* ==== typical layers ==== */

static void layers_of_networks(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const struct { Conv k; const char *algorithm; bool planar; } cases[] = {
    {{1, 3, 224, 224, 64, 7, 7, 1, 2, 1, 3}, "direct", true},
    {{1, 1, 28, 28, 16, 3, 3, 1, 1, 1, 1}, "direct", true},
    {{1, 64, 56, 56, 256, 1, 1, 1, 1, 1, 0}, "direct", false},
    {{1, 256, 14, 14, 1024, 1, 1, 1, 1, 1, 0}, "strassen", false},
    {{1, 128, 56, 56, 128, 3, 3, 1, 2, 1, 1}, "winograd", false},
    {{1, 256, 1, 1, 64, 1, 1, 1, 1, 1, 0}, "direct", false},
    {{1, 96, 28, 28, 96, 3, 3, 96, 1, 1, 1}, "depthwise", false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t c = 0; c < COUNT(cpus); c++) {
      const Plan *p = plan_of(&cases[i].k, cpus[c]);
      if (!is(p, cases[i].algorithm)) fail_msg("case %d on %s: %s", (int)i, cpus[c], p->how->name);
      assert_int_equal(p->how->planar && p->how->planar(p), cases[i].planar);
    }
  }
}

/* Zen 5 takes wide panels: of two blocks with few tiles, else of four where there are so many that several threads have some. */
static void panels_of_winograd(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const struct { Conv k; int blocks, chunk, blocks_elsewhere, chunk_elsewhere; } cases[] = {
    {{1, 256, 14, 14, 256, 3, 3, 1, 1, 1, 1}, 2, 1, 1, 2}, {{1, 256, 20, 20, 256, 3, 3, 1, 1, 1, 1}, 4, 2, 1, 2},
    {{1, 256, 20, 20, 320, 3, 3, 1, 1, 1, 1}, 4, 2, 1, 2}, {{1, 256, 20, 20, 336, 3, 3, 1, 1, 1, 1}, 4, 2, 1, 2},
    {{1, 64, 56, 56, 80, 3, 3, 1, 1, 1, 1}, 3, 2, 1, 2},   {{1, 128, 56, 56, 128, 3, 3, 1, 2, 1, 1}, 2, 1, 1, 1},
    {{1, 256, 28, 28, 256, 3, 3, 1, 2, 1, 1}, 4, 2, 1, 1}, {{1, 64, 28, 28, 64, 3, 3, 1, 1, 2, 2}, 2, 2, 2, 2},
    {{1, 512, 14, 14, 512, 3, 3, 1, 2, 1, 1}, 2, 2, 2, 2}, {{1, 512, 7, 7, 512, 3, 3, 1, 1, 1, 1}, 1, 2, 1, 2}, /* in registers */
  };
  options.winograd = WINOGRAD_4;
  options.small = true;
  for (size_t i = 0; i < COUNT(cases); i++) {
    const WinogradPlan *zen5 = &plan_of(&cases[i].k, "znver5")->winograd, *other = &plan_of(&cases[i].k, "skylake-avx512")->winograd;
    bool right = zen5->nb == cases[i].blocks && zen5->chunk == cases[i].chunk;
    if (!right) fail_msg("case %d on Zen 5: %d blocks, chunks of %d", (int)i, zen5->nb, zen5->chunk);
    right = other->nb == cases[i].blocks_elsewhere && other->chunk == cases[i].chunk_elsewhere;
    if (!right) fail_msg("case %d elsewhere: %d blocks, chunks of %d", (int)i, other->nb, other->chunk);
  }
}

/* 32 groups of 16 channels: a group is a block, 2 or 4. Groups of 12 fill no block of 8. Several groups of 4 share a vector,
 * if it is longer. */
/* A shape for every layer, as in DenseNet: kernels that take much code are for the first shapes alone, and for their repetitions. */
static void many_shapes_have_less_code(void **state) {
  (void)state;
  enum { SHAPES = 40, MOST = 24 };
  for (size_t c = 0; c < COUNT(cpus); c++) {
    Buffer t = {0};
    buffer_printf(&t, "graph g\ninput x f32 [1,64,7,7]\n");
    for (int i = 0; i < SHAPES + 2; i++) {
      int channels = 32 * (i % SHAPES + 2);
      buffer_printf(&t, "const v%d f32 [%d,64,1,1] = splat 1\nconst w%d f32 [64,%d,1,1] = splat 1\na%d = Conv(x, v%d)\n"
                        "y%d = Conv(a%d, w%d)\noutput y%d\n", i, channels, i, channels, i, i, i, i, i, i);
    }
    Graph *g = selected(t.data, cpus[c]);
    buffer_free(&t);
    int large = 0;
    for (int i = 0; i < 2 * SHAPES; i++) {
      const Plan *p = g->node[i]->plan;
      large += is(p, "strassen") || p->direct.order == OC_FLAT;
    }
    if (large == 0 || large > MOST + 1) fail_msg("%d layers for %s", large, cpus[c]); /* the first shape is there twice */
    for (int i = 0; i < 4; i++) assert_memory_equal(g->node[2 * SHAPES + i]->plan, g->node[i]->plan, offsetof(Plan, at));
  }
}

static void layouts_for_many_shapes(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  for (int shapes = 96; shapes <= 97; shapes++) {
    Buffer t = {0};
    buffer_printf(&t, "graph g\ninput x f32 [1,8,7,7]\n");
    for (int i = 1; i <= shapes; i++) {
      buffer_printf(&t, "const w%d f32 [%d,8,1,1] = splat 1\ny%d = Conv(x, w%d)\noutput y%d\n", i, i, i, i, i);
    }
    const Build *b = select_for(t.data, &(Options){.cpu = "x86-64-v3"});
    buffer_free(&t);
    assert_int_equal(b->many_shapes, shapes > 96);
  }
}

static void groups_of_blocks(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Conv blocks = {1, 512, 14, 14, 512, 3, 3, 32, 1, 1, 1}, odd = {1, 48, 14, 14, 48, 3, 3, 4, 1, 1, 1};
  const Conv wider = {1, 64, 14, 14, 128, 3, 3, 2, 1, 1, 1};
  for (size_t c = 0; c < COUNT(cpus); c++) {
    const DirectPlan *p = &plan_of(&blocks, cpus[c])->direct;
    assert_true(p->groups == 32 && p->icg == 16 && p->ocg == 16);
    p = &plan_of(&wider, cpus[c])->direct;
    assert_true(p->groups == 2 && p->icg == 32 && p->ocg == 64);
  }
  const Conv few = {1, 128, 56, 56, 128, 3, 3, 32, 1, 1, 1};
  for (size_t c = 1; c < COUNT(cpus); c++) assert_true(is(plan_of(&few, cpus[c]), "grouped"));
  const Plan *p = plan_of(&odd, "x86-64-v3");
  assert_true(is(p, "ragged") && p->ragged.groups == 4 && p->ragged.icg == 12 && p->ragged.ocg == 12);
}

static void run_time_weights_are_plain(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = selected("graph g\ninput x f32 [1,16,8,8]\ninput w f32 [16,16,3,3]\n"
                      "const c f32 [16,16,3,3] = splat 1\ninput b f32 [16]\n"
                      "y = Conv(x, w)\nz = Conv(x, c, b)\noutput y\noutput z\n", "x86-64-v3");
  assert_true(is(g->node[0]->plan, "plain"));
  assert_true(is(g->node[1]->plan, "plain"));
}

static Graph *with_plans(const char *text) { return select_for(text, &options)->graph; }

/* Padding takes no part in a sum: zero times such a weight would. */
static void weights_that_are_not_finite_are_plain(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char *const weights[] = {"1", "inf", "-inf", "nan"};
  for (size_t i = 0; i < COUNT(weights); i++) {
    Graph *g = with_plans(format_text(cx, "graph g\ninput x f32 [1,1,8,8]\nconst w f32 [1,1,1,2] = {3, %s}\n"
                                    "y = Conv(x, w) pads=[0,1,0,1]\noutput y\n", weights[i]));
    assert_int_equal(is(g->node[0]->plan, "plain"), i > 0);
  }
}

/* Differences of activations are for finite ones; what is asked for by name is done. */
static void strict_is_direct(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char text[] = "graph g\ninput x f32 [1,256,56,56]\nconst w f32 [256,256,3,3] = splat 1\n"
                             "const v f32 [256,256,1,1] = splat 1\na = Conv(x, w) pads=[1,1,1,1]\ny = Conv(a, v)\noutput y\n";
  options.cpu = "x86-64-v3";
  assert_true(is(with_plans(text)->node[0]->plan, "winograd"));
  options.strict = true;
  Graph *g = with_plans(text);
  for (int i = 0; i < 2; i++) {
    const Candidates *list = g->node[i]->candidates;
    for (int k = 0; k < list->n; k++) assert_true(is(&list->item[k].plan, "direct"));
  }
  options.winograd = WINOGRAD_4;
  options.strassen = STRASSEN_ON;
  g = with_plans(text);
  assert_true(is(g->node[0]->plan, "winograd"));
  assert_true(is(g->node[1]->plan, "strassen"));
}

static void others_have_no_plan(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = selected("graph g\ninput x f32 [1,16,8,8]\ny = MaxPool(x) kernel_shape=[2,2] strides=[2,2]\n"
                      "z = Relu(y)\nf = Flatten(z)\n"
                      "const m f32 [256,10] = splat 1\nq = MatMul(f, m)\noutput q\n", "x86-64-v3");
  for (int i = 0; i < 3; i++) assert_null(g->node[i]->plan);
  assert_non_null(g->node[3]->plan);
}

static const Plan *integer_plan(const char *x, const char *w, const char *attributes) {
  return selected(format_text(cx, "graph g\ninput x u8 [%s]\nconst w i8 [%s] = random 1 -128 128\ny = ConvInteger(x, w) %s\noutput y\n",
                              x, w, attributes), "haswell")->node[0]->plan;
}

/* With panels of one vector all sums stay in 16 registers; the input is widened for all panels where that stays in L1. */
static void panels_of_integers_in_sixteen_registers(void **state) {
  (void)state;
  static const struct { const char *x, *w, *text; bool words; } cases[] = {
    {"1,64,56,56", "256,64,1,1", "direct.12x1.row_tile_oc", true},
    {"1,512,28,28", "128,512,1,1", "direct.12x1.row_tile_oc", true},
    {"1,512,7,7", "2048,512,1,1", "direct.12x1.row_tile_oc", true},
    {"1,2048,7,7", "512,2048,1,1", "direct.6x2.oc_row_tile", false},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    const Plan *p = integer_plan(cases[i].x, cases[i].w, "");
    assert_string_equal(p->how->text(cx, p), cases[i].text);
    assert_int_equal(p->direct.words, cases[i].words);
  }
}

/* 8 loads for 12 products. */
static void stems_of_integers_in_sixteen_registers(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const IntegerStemPlan *p = &integer_plan("1,3,224,224", "64,3,7,7", "pads=[3,3,3,3] strides=[2,2]")->integer_stem;
  assert_int_equal(p->nb, 2);
  assert_int_equal(p->uw, 6);
}

/* Borders in proportion to the map, and what has no elements, decide whether blocks are worked on. */
static void windows_in_the_padding_are_plain(void **state) {
  (void)state;
  static const struct { const char *x, *w, *attributes; bool plain; } cases[] = {
    {"1,8,7,7", "8,8,31,31", "pads=[15,15,15,15]", false},
    {"1,8,1,1", "8,8,3,3", "pads=[1,1,1,1]", false},
    {"1,8,1,1000", "8,8,1,3", "pads=[0,4000,0,4000]", false},
    {"1,8,1,1000", "8,8,1,3", "pads=[0,100000,0,0]", true},
    {"1,8,1,1", "8,8,1,1", "pads=[2147483647,0,0,0] strides=[2147483647,1]", true},
    {"1,8,1,1", "8,1,1,1", "pads=[0,0,0,2147483647] strides=[1,2147483647] group=8", true},
    {"1,8,4,4", "8,8,2,1", "pads=[0,0,1073741824,0] dilations=[1073741824,1]", true},
    {"1,8,0,4", "8,8,1,1", "pads=[1,0,0,0]", true},
    {"1,0,4,4", "8,0,1,1", "", true},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *text = format_text(cx, "graph g\ninput x f32 [%s]\nconst w f32 [%s] = splat 1\ny = Conv(x, w) %s\noutput y\n",
                                   cases[i].x, cases[i].w, cases[i].attributes);
    Graph *g = selected(text, "x86-64-v3");
    if (is(g->node[0]->plan, "plain") != cases[i].plain) fail_msg("%s", text);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(rows_fit_their_registers),
    TEST(random_layers_keep_to_the_rules),
    TEST(winograd_off_is_off),
    TEST(winograd_on_is_wherever_it_can),
    TEST(groups_are_even),
    TEST(threads_stay_apart_on_small_maps),
    TEST(strassen_on_is_wherever_it_can),
    TEST(layers_of_networks),
    TEST(panels_of_winograd),
    TEST(many_shapes_have_less_code),
    TEST(layouts_for_many_shapes),
    TEST(groups_of_blocks),
    TEST(run_time_weights_are_plain),
    TEST(weights_that_are_not_finite_are_plain),
    TEST(strict_is_direct),
    TEST(others_have_no_plan),
    TEST(windows_in_the_padding_are_plain),
    TEST(panels_of_integers_in_sixteen_registers),
    TEST(stems_of_integers_in_sixteen_registers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
