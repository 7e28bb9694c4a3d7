/* conv_ragged.c: convolution in groups that begin and end inside of channel blocks, of any number and width.
 *
 * A block of the result holds outputs of one group or of several. The part that belongs to one group is a piece: a range of
 * lanes, whose weights alone are stored. A vector of weights is read as if all lanes had some, so that the piece's own lie
 * where they belong and the others hold a neighbour's; the sums there mean nothing, and are not stored. With V = 8, three
 * groups of 5 outputs:
 *
 *     block 0: 0 0 0 0 0 1 1 1     pieces: lanes 0-4 of block 0, lanes 5-7 of block 0,
 *     block 1: 1 1 2 2 2 2 2 .             lanes 0-1 of block 1, lanes 2-7 of block 1
 *
 * Everything that differs between groups is known at run time only: the code is one tile for all. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Ragged {
  Emit *e;
  Node *n;
  const RaggedPlan *plan;
  const Window *win;
  const Value *in, *out;
  int64_t cols, taps, channels; /* of the result */
} Ragged;

typedef struct Piece {
  Ref image, row;
  Ref group;
  Ref block, lo, hi;  /* of the result's lanes */
  Ref weights, width; /* the first vector of weights, whose lane lo is the piece's first; floats from one to the next */
} Piece;

static Ref sub_i(Emit *e, Ref a, Ref b) { return LLVMBuildNSWSub(e->b, a, b, ""); }

static Ref block_of(Emit *e, Ref channel) { return LLVMBuildSDiv(e->b, channel, const_i64(e, e->lanes), ""); }

/* The lanes of `block` that the channels [first, end) take. */
static void lanes_of(Emit *e, Ref first, Ref end, Ref block, Ref *lo, Ref *hi) {
  Ref start = mul_i(e, block, e->lanes);
  *lo = max_i(e, sub_i(e, first, start), const_i64(e, 0));
  *hi = min_i(e, sub_i(e, end, start), const_i64(e, e->lanes));
}

/* One channel of the input and one tap; acc[uw] is the pointer to the weights. */
static void sum_channel(const Ragged *r, const Piece *p, int uw, Ref x, Ref *acc) {
  Emit *e = r->e;
  Ref w = load(e, e->vec, acc[uw], 0, F32_BYTES);
  for (int u = 0; u < uw; u++) {
    Ref value = splat(e, load(e, e->f32, x, u * r->win->sw * place_pixel_bytes(r->in), F32_BYTES), e->lanes);
    acc[u] = fma_(e, value, w, acc[u]);
  }
  acc[uw] = gep(e, acc[uw], p->width, F32_BYTES);
}

/* `in` is at the first pixel's window, in channel 0. */
static void sum_group(const Ragged *r, const Piece *p, int uw, Ref in, Ref *acc) {
  Emit *e = r->e;
  Ref first = mul_i(e, p->group, r->plan->icg), end = add_i(e, first, const_i64(e, r->plan->icg)), lo, hi;
  Loop run, kh, kw, channel;
  Ref last = block_of(e, add_i(e, end, const_i64(e, -1)));
  loop_begin(e, &run, block_of(e, first), add_i(e, last, const_i64(e, 1)), 1, uw + 1, acc);
  lanes_of(e, first, end, run.i, &lo, &hi);
  Ref block = gep(e, in, run.i, place_block_bytes(r->in));
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, r->win->kh), 1, uw + 1, acc);
  Ref line = gep(e, block, kh.i, r->win->dh * place_row_bytes(r->in));
  loop_begin(e, &kw, const_i64(e, 0), const_i64(e, r->win->kw), 1, uw + 1, acc);
  Ref pixel = gep(e, line, kw.i, r->win->dw * place_pixel_bytes(r->in));
  loop_begin(e, &channel, lo, hi, 1, uw + 1, acc);
  sum_channel(r, p, uw, gep(e, pixel, channel.i, F32_BYTES), acc);
  loop_end(e, &channel);
  loop_end(e, &kw);
  loop_end(e, &kh);
  loop_end(e, &run);
}

/* Which lanes the piece stores. Behind the last channel of all it fills its block, lest the rest be never written. */
static Ref own_lanes(const Ragged *r, const Piece *p) {
  Emit *e = r->e;
  Ref lane[64], vector = add_i(e, mul_i(e, p->block, e->lanes), p->hi);
  for (int l = 0; l < e->lanes; l++) lane[l] = const_i32(e, l);
  Ref index = LLVMConstVector(lane, (unsigned)e->lanes);
  Ref all = LLVMBuildICmp(e->b, LLVMIntEQ, vector, const_i64(e, r->channels), "");
  Ref hi = LLVMBuildSelect(e->b, all, const_i64(e, e->lanes), p->hi, "");
  Ref from = splat(e, LLVMBuildTrunc(e->b, p->lo, e->i32, ""), e->lanes);
  Ref to = splat(e, LLVMBuildTrunc(e->b, hi, e->i32, ""), e->lanes);
  return LLVMBuildAnd(e->b, LLVMBuildICmp(e->b, LLVMIntSGE, index, from, ""), LLVMBuildICmp(e->b, LLVMIntSLT, index, to, ""), "");
}

/* The pixels x .. x+uw. */
static void build_tile(const Ragged *r, const Piece *p, int uw, Ref x) {
  Emit *e = r->e;
  Ref acc[64], arg[MAX_STEPS], mask = own_lanes(r, p);
  Ref bias = load(e, e->vec, gep(e, weights_ptr(e, r->n->plan->at.bias), p->block, e->vec_bytes), 0, e->vec_bytes);
  for (int u = 0; u < uw; u++) acc[u] = bias;
  acc[uw] = p->weights;
  sum_group(r, p, uw, place_window(e, r->in, r->win, p->image, NULL, p->row, x), acc);
  Ref out = place_at(e, r->out, p->image, p->block, p->row, x);
  step_pointers(e, r->n, p->image, p->block, p->row, x, arg);
  for (int u = 0; u < uw; u++) {
    int64_t at = place_offset(r->out, 0, 0, u);
    Ref y = apply_steps(e, r->n, acc[u], arg, 0, 0, u), old = load(e, e->vec, out, at, e->vec_bytes);
    store(e, LLVMBuildSelect(e->b, mask, y, old, ""), out, at, e->vec_bytes);
  }
}

/* The tiles [from, to) of the row. */
static void tiles_of_piece(const Ragged *r, const Piece *p, Ref from, Ref to) {
  Emit *e = r->e;
  const RowTiles t = row_tiles(r->cols, r->plan->uw);
  for (int i = 0; i < 2; i++) {
    Loop tile;
    Ref x;
    if (!row_tiles_begin(e, &tile, &t, i, from, to, &x)) continue;
    build_tile(r, p, (int)t.size[i], x);
    loop_end(e, &tile);
  }
}

static void pieces_of_row(const Ragged *r, Piece *p, Ref from, Ref to) {
  Emit *e = r->e;
  Ref weights = weights_ptr(e, r->n->plan->at.weights), one = const_i64(e, 1);
  int64_t each = r->plan->icg * r->taps; /* weights of an output */
  Loop group, block;
  loop_begin(e, &group, const_i64(e, 0), const_i64(e, r->plan->groups), 1, 0, NULL);
  Ref first = mul_i(e, group.i, r->plan->ocg), end = add_i(e, first, const_i64(e, r->plan->ocg));
  loop_begin(e, &block, block_of(e, first), add_i(e, block_of(e, sub_i(e, end, one)), one), 1, 0, NULL);
  p->group = group.i;
  p->block = block.i;
  lanes_of(e, first, end, block.i, &p->lo, &p->hi);
  p->width = sub_i(e, p->hi, p->lo);
  Ref output = add_i(e, mul_i(e, block.i, e->lanes), p->lo);
  p->weights = gep(e, gep(e, weights, output, each * F32_BYTES), p->lo, -F32_BYTES);
  tiles_of_piece(r, p, from, to);
  loop_end(e, &block);
  loop_end(e, &group);
}

/* Tasks share out the tiles of all rows: a block's lanes are written by one task, whichever groups they belong to. */
void emit_ragged(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Ragged r = {.e = e, .n = n, .plan = &n->plan->ragged, .win = &n->win, .in = n->in[0], .out = n->out[0],
              .cols = y->d[3], .taps = (int64_t)n->win.kh * n->win.kw, .channels = y->d[1]};
  emit_halo(e, n->out[0]);
  RowShare share;
  row_share_begin(e, &share, y->d[0], y->d[2], row_tiles(r.cols, r.plan->uw).count);
  Piece p = {.image = share.image, .row = share.row};
  pieces_of_row(&r, &p, share.from, share.to);
  row_share_end(e, &share);
}
