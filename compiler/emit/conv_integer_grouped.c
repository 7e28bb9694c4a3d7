/* conv_integer_grouped.c: groups of few channels of u8 and s8 on channel blocks: a vector of sums has several groups, or a part of
 * one. Of each pixel a lane gets four channels of its group, by one permutation, or, where a vector has one group, by a broadcast;
 * the pixels of a row are read once for all taps of a row that meet them. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct IntegerGrouped {
  Emit *e;
  Node *n;
  const IntegerGroupedPlan *plan;
  const Window *win;
  const Value *in, *out;
  Dot dot;
  int64_t rows, cols, bytes; /* bytes of the weights of a vector */
  int groups;          /* of a vector; 1: or a part of one */
} IntegerGrouped;

enum { ARG_IN, ARG_W, ARG_OUT, ARG_STEPS };

/* ==== a tile ==== */

/* Channels 4 four .. of each group of the vector, at a pixel, in all of the group's lanes. */
static Factor load_four(const IntegerGrouped *g, Ref pixel, int64_t at) {
  Emit *e = g->e;
  int icg = g->plan->icg, fours = g->groups * icg / 4, each = e->lanes / g->groups;
  if (g->groups == 1) return dot_factor(e, g->dot, splat(e, load(e, e->i32, pixel, at, 4), e->lanes), false);
  Ref all = load(e, vec_of(e->i32, fours), pixel, 0, g->groups * icg), index[64];
  for (int i = 0; i < e->lanes; i++) index[i] = const_i32(e, i / each * (icg / 4) + (int)(at / 4));
  all = LLVMBuildShuffleVector(e->b, all, all, LLVMConstVector(index, (unsigned)e->lanes), "");
  return dot_factor(e, g->dot, all, false);
}

/* A row of taps of four channels, of which the first pixel's are at `line`. */
static void sum_taps(const IntegerGrouped *g, int uw, Ref line, int64_t at, Ref weights, Ref *acc) {
  const Window *w = g->win;
  Factor weight[64];
  for (int64_t k = 0; k < w->kw; k++) weight[k] = dot_weights(g->e, g->dot, weights, k);
  for (int64_t x = 0; x <= (uw - 1) * w->sw + (w->kw - 1) * w->dw; x++) {
    Factor in;
    bool loaded = false;
    for (int64_t k = 0; k < w->kw; k++) {
      int64_t u = (x - k * w->dw) / w->sw;
      if (x < k * w->dw || (x - k * w->dw) % w->sw != 0 || u >= uw) continue;
      if (!loaded) in = load_four(g, gep_const(g->e, line, place_offset(g->in, 0, 0, x)), at);
      loaded = true;
      acc[u] = dot_add(g->e, g->dot, in, weight[k], acc[u]);
    }
  }
  end_step(g->e);
}

/* All channels of the groups: fours that permutations tell apart are code, blocks and others a loop. */
static void sum_channels(const IntegerGrouped *g, int uw, Ref line, Ref weights, Ref *acc) {
  Emit *e = g->e;
  int64_t four = g->win->kw * dot_weights_bytes(e, g->dot), block = g->in->layout.block, icg = g->plan->icg;
  if (g->groups > 1) {
    for (int64_t c = 0; c < icg; c += 4) sum_taps(g, uw, line, c, gep_const(e, weights, c / 4 * four), acc);
    return;
  }
  Loop blocks, c;
  int64_t inside = size_min(icg, block);
  loop_begin(e, &blocks, const_i64(e, 0), const_i64(e, size_ceiling(icg, block)), 1, uw, acc);
  Ref first = place_from(e, line, g->in, NULL, blocks.i, NULL, NULL), w = gep(e, weights, blocks.i, block / 4 * four);
  loop_begin(e, &c, const_i64(e, 0), const_i64(e, inside / 4), 1, uw, acc);
  sum_taps(g, uw, gep(e, first, c.i, 4), 0, gep(e, w, c.i, four), acc);
  loop_end(e, &c);
  loop_end(e, &blocks);
}

/* The pixels x .. x + uw of the row. */
static void build_tile(const IntegerGrouped *g, int uw, Ref x) {
  Emit *e = g->e;
  Ref acc[64], arg[MAX_STEPS], weights = LLVMGetParam(e->fn, ARG_W), start = load(e, vec_of(e->i32, e->lanes), weights, 0, e->vec_bytes);
  for (int u = 0; u < uw; u++) acc[u] = start;
  Ref in = gep(e, LLVMGetParam(e->fn, ARG_IN), x, g->win->sw * place_pixel_bytes(g->in));
  Loop kh;
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, g->win->kh), 1, uw, acc);
  Ref line = gep(e, in, kh.i, g->win->dh * place_row_bytes(g->in));
  sum_channels(g, uw, line, gep(e, gep_const(e, weights, e->vec_bytes), kh.i, (g->bytes - e->vec_bytes) / g->win->kh), acc);
  loop_end(e, &kh);
  Ref out = gep(e, LLVMGetParam(e->fn, ARG_OUT), x, place_pixel_bytes(g->out));
  step_params(e, g->n, ARG_STEPS, arg);
  steps_along_row(e, g->n, x, arg);
  store_sums(e, g->n, uw, 1, g->plan->bounded, acc, arg, out);
}

/* ==== a row of a vector ==== */

static void kernel_key(const IntegerGrouped *g, Buffer *key) {
  const Window *w = g->win;
  buffer_printf(key, "integer_grouped%d%s_%d.%d_%lldx%d_k%lldx%lld_s%lld_d%lldx%lld", g->dot,
                g->plan->bounded ? "b" : "", g->plan->icg, g->plan->ocg,
                (long long)g->cols, g->plan->uw, (long long)w->kh, (long long)w->kw, (long long)w->sw, (long long)w->dh, (long long)w->dw);
  buffer_printf(key, "_in%lld.%lld.%lld_out%lld", (long long)g->in->layout.c, (long long)g->in->layout.row, (long long)g->in->layout.pix,
                (long long)g->out->layout.pix);
  step_key(g->n, key);
  buffer_add(key, "", 1);
}

static void build_kernel(const void *data) {
  const IntegerGrouped *g = data;
  const RowTiles tiles = row_tiles(g->cols, g->plan->uw);
  for (int i = 0; i < 2; i++) {
    Loop tile;
    Ref x;
    if (!row_tiles_begin(g->e, &tile, &tiles, i, NULL, NULL, &x)) continue;
    build_tile(g, (int)tiles.size[i], x);
    loop_end(g->e, &tile);
  }
}

/* The first channel of the vector's first group, at the row's first window. */
static Ref first_input(const IntegerGrouped *g, Ref image, Ref row, Ref vector) {
  Emit *e = g->e;
  int64_t block = g->in->layout.block, parts = g->plan->ocg / e->lanes;
  Ref channel = g->groups > 1 ? mul_i(e, vector, (int64_t)g->groups * g->plan->icg)
                              : mul_i(e, LLVMBuildUDiv(e->b, vector, const_i64(e, parts), ""), g->plan->icg);
  Ref in = place_window(e, g->in, g->win, image, LLVMBuildUDiv(e->b, channel, const_i64(e, block), ""), row, NULL);
  return gep(e, in, LLVMBuildURem(e->b, channel, const_i64(e, block), ""), 1);
}

static void call_row(const IntegerGrouped *g, Ref image, Ref row, Ref vector) {
  Emit *e = g->e;
  Ref args[MAX_KERNEL_ARGS] = {first_input(g, image, row, vector), gep(e, weights_ptr(e, g->n->plan->at.weights), vector, g->bytes),
                               place_vector(e, value_ptr(e, g->out), g->out, image, vector, row, NULL)};
  step_pointers(e, g->n, image, vector, row, const_i64(e, 0), args + ARG_STEPS);
  Buffer key = {0};
  kernel_key(g, &key);
  call_kernel(e, key.data, step_arguments(e, g->n, ARG_STEPS, args), args, build_kernel, g);
  buffer_free(&key);
}

/* All vectors of a row one after the other, as they lie in memory. */
void emit_integer_grouped(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  IntegerGrouped g = {.e = e, .n = n, .plan = &n->plan->integer_grouped, .win = &n->win, .in = n->in[0], .out = n->out[0],
                      .rows = y->d[2], .cols = y->d[3], .bytes = integer_grouped_bytes(e->t, n, n->plan)};
  g.dot = dot_of_width(g.plan->width);
  g.groups = g.plan->ocg < e->lanes ? e->lanes / g.plan->ocg : 1;
  emit_halo(e, n->out[0]);
  Ref lo, hi, rows = const_i64(e, g.rows), vectors = const_i64(e, size_ceiling(y->d[1], e->lanes));
  task_range(e, y->d[0] * g.rows * size_ceiling(y->d[1], e->lanes), &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref line = LLVMBuildSDiv(e->b, item.i, vectors, "");
  call_row(&g, LLVMBuildSDiv(e->b, line, rows, ""), LLVMBuildSRem(e->b, line, rows, ""), LLVMBuildSRem(e->b, item.i, vectors, ""));
  loop_end(e, &item);
}
