/* conv_integer_stem.c: convolution of up to four channels of u8, which lie beside each other in a pixel, on tiles of pixels and
 * vectors of output channels: four bytes of a row of taps are broadcast against a vector of weights for each vector of outputs. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct IntegerStem {
  Emit *e;
  Node *n;
  const IntegerStemPlan *plan;
  const Value *in, *out;
  Dot dot;
  int64_t cols;
  int64_t panel;       /* bytes of the weights for nb vectors of outputs */
} IntegerStem;

/* Pixels x .. x + uw of a row, nb vectors of outputs. */
typedef struct StemTile {
  int uw, nb;
  Ref panel;           /* its number */
} StemTile;

/* ==== rows that are widened ==== */

enum { CHANNELS = 3, GROUP = 4 /* pixels widened at a time */ };

static void widen_group(const IntegerStem *k, Ref from, Ref to) {
  Emit *e = k->e;
  Ref lane[16];
  for (int i = 0; i < 16; i++) lane[i] = const_i32(e, i < GROUP * CHANNELS ? i / CHANNELS * 4 + i % CHANNELS : 0);
  Ref bytes = load(e, vec_of(e->i8, 16), from, 0, 4);
  bytes = LLVMBuildShuffleVector(e->b, bytes, LLVMGetPoison(vec_of(e->i8, 16)), LLVMConstVector(lane, 16), "");
  store(e, LLVMBuildZExt(e->b, bytes, vec_of(e->i16, 16), ""), to, 0, 2);
}

/* The rows that a row of results reads, without the last byte of a pixel, in scratch; the last group of pixels overlaps the one before. */
static void widen_rows(const IntegerStem *k, const RowShare *s) {
  Emit *e = k->e;
  int64_t pixels = integer_stem_line(k->n), words = integer_stem_words(k->n);
  Loop kh, group;
  Ref in = place_window(e, k->in, &k->n->win, s->image, NULL, s->row, NULL);
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, k->n->win.kh), 1, 0, NULL);
  Ref from = gep(e, in, kh.i, k->n->win.dh * place_row_bytes(k->in)), to = gep(e, scratch_ptr(e), kh.i, words);
  loop_begin(e, &group, const_i64(e, 0), const_i64(e, pixels / GROUP), 1, 0, NULL);
  widen_group(k, gep(e, from, group.i, GROUP * 4), gep(e, to, group.i, GROUP * CHANNELS * 2));
  loop_end(e, &group);
  widen_group(k, gep_const(e, from, (pixels - GROUP) * 4), gep_const(e, to, (pixels - GROUP) * CHANNELS * 2));
  loop_end(e, &kh);
}

/* ==== sums ==== */

/* Bytes from the first input of a row of taps to that of step number `step`: a four, or a pair of what is widened. */
static int64_t step_offset(const IntegerStem *k, int64_t step) {
  if (k->plan->pairs) return step * 4;
  return step * (k->n->win.dw > 1 ? k->n->win.dw * place_pixel_bytes(k->in) : 4);
}

static int64_t pixel_step(const IntegerStem *k) { return k->n->win.sw * (k->plan->pairs ? CHANNELS * 2 : place_pixel_bytes(k->in)); }

/* A row of taps; acc: the sums [vector][pixel]. */
static void sum_row(const IntegerStem *k, const StemTile *t, Ref line, Ref weights, Ref *acc) {
  Emit *e = k->e;
  int steps = k->plan->pairs ? k->plan->pairs : k->plan->fours;
  for (int64_t step = 0; step < steps; step++) {
    Factor w[INTEGER_VECTORS];
    for (int b = 0; b < t->nb; b++) w[b] = dot_weights(e, k->dot, weights, step * k->plan->nb + b);
    for (int u = 0; u < t->uw; u++) {
      Ref bytes = load(e, e->i32, line, u * pixel_step(k) + step_offset(k, step), 1);
      Factor x = dot_factor(e, k->dot, splat(e, bytes, e->lanes), false);
      for (int b = 0; b < t->nb; b++) acc[b * t->uw + u] = dot_add(e, k->dot, x, w[b], acc[b * t->uw + u]);
    }
    end_step(e);
  }
}

/* in: of the first pixel's window, or of its first row as it is widened. */
static void sum_tile(const IntegerStem *k, const StemTile *t, Ref in, Ref *acc) {
  Emit *e = k->e;
  int64_t starts = k->plan->nb * (int64_t)e->vec_bytes, row = (k->panel - starts) / k->n->win.kh;
  Ref weights = gep(e, weights_ptr(e, k->n->plan->at.weights), t->panel, k->panel);
  for (int b = 0; b < t->nb; b++) {
    Ref start = load(e, vec_of(e->i32, e->lanes), weights, b * e->vec_bytes, e->vec_bytes);
    for (int u = 0; u < t->uw; u++) acc[b * t->uw + u] = start;
  }
  Loop kh;
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, k->n->win.kh), 1, t->uw * t->nb, acc);
  Ref line = gep(e, in, kh.i, k->plan->pairs ? integer_stem_words(k->n) : k->n->win.dh * place_row_bytes(k->in));
  Ref w = gep(e, gep_const(e, weights, starts), kh.i, row);
  sum_row(k, t, line, w, acc);
  loop_end(e, &kh);
}

static void build_tile(const IntegerStem *k, const StemTile *t, Ref image, Ref row, Ref x) {
  Emit *e = k->e;
  Ref acc[64], arg[MAX_STEPS], vector = mul_i(e, t->panel, k->plan->nb);
  Ref in = k->plan->pairs ? gep(e, scratch_ptr(e), x, pixel_step(k)) : place_window(e, k->in, &k->n->win, image, NULL, row, x);
  sum_tile(k, t, in, acc);
  Ref out = place_vector(e, value_ptr(e, k->out), k->out, image, vector, row, x);
  step_pointers(e, k->n, image, vector, row, x, arg);
  store_sums(e, k->n, t->uw, t->nb, k->plan->bounded, acc, arg, out);
}

/* ==== loops ==== */

/* The tiles [from, to) of a row. */
static void build_row(const IntegerStem *k, StemTile t, const RowShare *s) {
  const RowTiles tiles = row_tiles(k->cols, k->plan->uw);
  for (int i = 0; i < 2; i++) {
    Loop tile;
    Ref x;
    if (!row_tiles_begin(k->e, &tile, &tiles, i, s->from, s->to, &x)) continue;
    t.uw = (int)tiles.size[i];
    build_tile(k, &t, s->image, s->row, x);
    loop_end(k->e, &tile);
  }
}

/* Panels of nb vectors of outputs, the last one perhaps of fewer. */
static void build_panels(const IntegerStem *k, const RowShare *s) {
  Emit *e = k->e;
  int64_t vectors = size_ceiling(k->out->shape.d[1], e->lanes), whole = vectors / k->plan->nb, rest = vectors % k->plan->nb;
  if (whole > 0) {
    Loop panel;
    loop_begin(e, &panel, const_i64(e, 0), const_i64(e, whole), 1, 0, NULL);
    build_row(k, (StemTile){.nb = k->plan->nb, .panel = panel.i}, s);
    loop_end(e, &panel);
  }
  if (rest > 0) build_row(k, (StemTile){.nb = (int)rest, .panel = const_i64(e, whole)}, s);
}

/* Tasks share out the tiles of all rows. */
void emit_integer_stem(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  IntegerStem k = {.e = e, .n = n, .plan = &n->plan->integer_stem, .in = n->in[0], .out = n->out[0], .cols = y->d[3],
                   .panel = integer_stem_bytes(e->t, n, n->plan)};
  k.dot = k.plan->pairs ? DOT_WORDS : k.plan->wide ? DOT_PAIRS : DOT_FOURS;
  emit_halo(e, n->out[0]);
  RowShare share;
  row_share_begin(e, &share, y->d[0], y->d[2], row_tiles(k.cols, k.plan->uw).count);
  if (k.plan->pairs) widen_rows(&k, &share);
  build_panels(&k, &share);
  row_share_end(e, &share);
}
