/* conv_interleaved.c: convolution in many groups of few channels: a vector holds one channel of each of V groups.
 *
 * With V = 4 and groups of 2 inputs and 3 outputs, four groups have the inputs a0 a1 b0 b1 c0 c1 d0 d1, which lie in two
 * blocks. They are parted into a0 b0 c0 d0 and a1 b1 c1 d1, each product is one of whole vectors, and the three vectors of
 * sums are joined into the three blocks of the result, A0 A1 A2 B0, B1 B2 C0 C1, C2 D0 D1 D2. Such a batch of V groups
 * begins and ends at blocks whatever the groups' widths are, so all batches have the same code, but for a last one of fewer
 * groups. Where a group has one input (a depthwise convolution with a multiplier) nothing has to be parted; else the rows that
 * a row of the result needs are parted into scratch. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Interleaved {
  Emit *e;
  Node *n;
  const InterleavedPlan *plan;
  const Window *win;
  const Value *in, *out;
  int64_t rows, cols, span; /* of the result; pixels of an input row that a row of the result reads */
  int groups;               /* of the batch at hand */
  int width;                /* lanes of its weights (packed_columns) */
} Interleaved;

/* Where a batch finds its inputs. */
typedef struct Source {
  Ref first;                /* the first pixel's window, channel 0 of each group */
  int64_t row, channel;     /* bytes from one to the next */
} Source;

typedef struct InterleavedSite { Ref image, row, batch; } InterleavedSite;

static int blocks_of(const Interleaved *t, int channels) {
  return (t->groups * channels + t->e->lanes - 1) / t->e->lanes;
}

/* ==== parting the input ==== */

static void part_pixel(const Interleaved *t, Ref in, Ref to, int64_t channel) {
  Emit *e = t->e;
  int icg = t->plan->icg, blocks = blocks_of(t, icg), from[64];
  Ref v[64];
  for (int b = 0; b < blocks; b++) v[b] = load(e, e->vec, in, b * place_block_bytes(t->in), e->vec_bytes);
  for (int i = 0; i < icg; i++) {
    for (int l = 0; l < e->lanes; l++) from[l] = l < t->groups ? l * icg + i : i;
    store(e, gather_lanes(e, v, blocks, from), to, i * channel, e->vec_bytes);
  }
}

/* `in` is at the first pixel's window. */
static Source part_rows(const Interleaved *t, Ref in) {
  Emit *e = t->e;
  Source s = {.first = scratch_ptr(e), .channel = t->span * e->vec_bytes};
  s.row = s.channel * t->plan->icg;
  Loop kh, x;
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, t->win->kh), 1, 0, NULL);
  Ref line = gep(e, in, kh.i, t->win->dh * place_row_bytes(t->in)), to = gep(e, s.first, kh.i, s.row);
  loop_begin(e, &x, const_i64(e, 0), const_i64(e, t->span), 1, 0, NULL);
  part_pixel(t, gep(e, line, x.i, place_pixel_bytes(t->in)), gep(e, to, x.i, e->vec_bytes), s.channel);
  loop_end(e, &x);
  loop_end(e, &kh);
  return s;
}

/* ==== a tile ==== */

/* One tap: acc[u*ocg + j] += x[u] * w[j], for every input of a group. */
static void sum_tap(const Interleaved *t, const Source *s, int uw, Ref in, Ref weights, Ref *acc) {
  Emit *e = t->e;
  int ocg = t->plan->ocg, align = t->width < e->lanes ? F32_BYTES : e->vec_bytes;
  for (int i = 0; i < t->plan->icg; i++) {
    Ref x[MAX_TILE];
    for (int u = 0; u < uw; u++) x[u] = load(e, e->vec, in, i * s->channel + u * t->win->sw * e->vec_bytes, e->vec_bytes);
    for (int j = 0; j < ocg; j++) {
      Ref w = load(e, e->vec, weights, (i * ocg + j) * t->width * F32_BYTES, align);
      for (int u = 0; u < uw; u++) acc[u * ocg + j] = fma_(e, x[u], w, acc[u * ocg + j]);
    }
    end_step(e);
  }
}

static void sum_taps(const Interleaved *t, const Source *s, int uw, Ref in, Ref weights, Ref *acc) {
  Emit *e = t->e;
  int n = uw * t->plan->ocg, tap = t->plan->icg * t->plan->ocg * t->width * F32_BYTES;
  Loop kh, kw;
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, t->win->kh), 1, n, acc);
  Ref line = gep(e, in, kh.i, (t->plan->icg > 1 ? 1 : t->win->dh) * s->row);
  Ref filter = gep(e, weights, kh.i, t->win->kw * tap);
  loop_begin(e, &kw, const_i64(e, 0), const_i64(e, t->win->kw), 1, n, acc);
  sum_tap(t, s, uw, gep(e, line, kw.i, t->win->dw * e->vec_bytes), gep(e, filter, kw.i, tap), acc);
  loop_end(e, &kw);
  loop_end(e, &kh);
}

/* The pixels x .. x+uw; the sums are joined into blocks, which get the bias and the epilogue. */
static void build_tile(const Interleaved *t, const Source *s, const InterleavedSite *p, Ref weights, int uw, Ref x) {
  Emit *e = t->e;
  int ocg = t->plan->ocg, from[64];
  Ref acc[64], arg[MAX_STEPS], block = mul_i(e, p->batch, ocg);
  for (int i = 0; i < uw * ocg; i++) acc[i] = LLVMConstNull(e->vec);
  sum_taps(t, s, uw, gep(e, s->first, x, t->win->sw * e->vec_bytes), weights, acc);
  Ref out = place_at(e, t->out, p->image, block, p->row, x);
  Ref bias = gep(e, weights_ptr(e, t->n->plan->at.bias), block, e->vec_bytes);
  step_pointers(e, t->n, p->image, block, p->row, x, arg);
  for (int b = 0; b < blocks_of(t, ocg); b++) {
    Ref offset = load(e, e->vec, bias, b * e->vec_bytes, e->vec_bytes);
    for (int l = 0; l < e->lanes; l++) from[l] = (b * e->lanes + l) % ocg * e->lanes + (b * e->lanes + l) / ocg;
    for (int u = 0; u < uw; u++) {
      Ref y = apply_steps(e, t->n, add_f(e, gather_lanes(e, acc + u * ocg, ocg, from), offset), arg, b, 0, u);
      store(e, y, out, place_offset(t->out, b, 0, u), e->vec_bytes);
    }
  }
}

/* ==== the loops ==== */

/* A row of a batch. */
static void build_row(const Interleaved *t, const InterleavedSite *p) {
  Emit *e = t->e;
  int64_t filter = (int64_t)t->win->kh * t->win->kw * t->plan->icg * t->plan->ocg * e->vec_bytes;
  Ref weights = gep(e, weights_ptr(e, t->n->plan->at.weights), p->batch, filter);
  Ref in = place_window(e, t->in, t->win, p->image, mul_i(e, p->batch, t->plan->icg), p->row, NULL);
  Source s = {.first = in, .row = place_row_bytes(t->in)};
  if (t->plan->icg > 1) s = part_rows(t, in);
  const RowTiles tiles = row_tiles(t->cols, t->plan->uw);
  for (int i = 0; i < 2; i++) {
    Loop tile;
    Ref x;
    if (!row_tiles_begin(e, &tile, &tiles, i, NULL, NULL, &x)) continue;
    build_tile(t, &s, p, weights, (int)tiles.size[i], x);
    loop_end(e, &tile);
  }
}

/* Batches of V groups; the last one, if it has fewer, is code of its own. */
static void build_batch(Interleaved *t, const InterleavedSite *p) {
  Emit *e = t->e;
  int groups = t->plan->groups, rest = groups % e->lanes;
  int64_t whole = groups / e->lanes;
  for (int last = 0; last < 2; last++) {
    If branch;
    bool alone = rest == 0 || whole == 0;
    if (last ? rest == 0 : whole == 0) continue;
    t->groups = last ? rest : e->lanes;
    t->width = last && packed_columns(groups, e->lanes) % e->lanes ? rest : e->lanes;
    LLVMIntPredicate is = last ? LLVMIntEQ : LLVMIntSLT;
    if (!alone) if_begin(e, &branch, LLVMBuildICmp(e->b, is, p->batch, const_i64(e, whole), ""));
    build_row(t, p);
    if (!alone) if_end(e, &branch);
  }
}

void emit_interleaved(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Interleaved t = {.e = e, .n = n, .plan = &n->plan->interleaved, .win = &n->win, .in = n->in[0], .out = n->out[0],
                   .rows = y->d[2], .cols = y->d[3]};
  t.span = (t.cols - 1) * t.win->sw + (t.win->kw - 1) * t.win->dw + 1;
  int64_t batches = (t.plan->groups + e->lanes - 1) / e->lanes;
  emit_halo(e, n->out[0]);
  Ref lo, hi, rows = const_i64(e, t.rows), count = const_i64(e, batches);
  task_range(e, y->d[0] * t.rows * batches, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref line = LLVMBuildSDiv(e->b, item.i, count, "");
  InterleavedSite p = {.image = LLVMBuildSDiv(e->b, line, rows, ""), .row = LLVMBuildSRem(e->b, line, rows, ""),
             .batch = LLVMBuildSRem(e->b, item.i, count, "")};
  build_batch(&t, &p);
  loop_end(e, &item);
}
