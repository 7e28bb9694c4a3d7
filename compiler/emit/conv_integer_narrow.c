/* conv_integer_narrow.c: convolution of 8-bit integers with a single output, whose sums go to a dense map. As in conv_narrow.c every
 * lane of a pixel's vector adds up the products of its own channels, and those of all pixels of a tile are summed at the end. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct IntegerNarrow {
  Emit *e;
  Node *n;
  const Window *win;
  const Value *in, *out;
  Dot dot;
} IntegerNarrow;

/* A block of channels of one tap; acc[uw] is the pointer to its weights. */
static void sum_block(const IntegerNarrow *t, int uw, Ref x, Ref *acc) {
  Emit *e = t->e;
  LLVMTypeRef fours = vec_of(e->i32, e->lanes);
  Factor w = dot_factor(e, t->dot, load(e, fours, acc[uw], 0, e->vec_bytes), true);
  for (int u = 0; u < uw; u++) {
    Ref bytes = load(e, fours, x, u * t->win->sw * place_pixel_bytes(t->in), e->vec_bytes);
    acc[u] = dot_add(e, t->dot, dot_factor(e, t->dot, bytes, false), w, acc[u]);
  }
  acc[uw] = gep_const(e, acc[uw], e->vec_bytes);
  end_step(e);
}

/* The pixels x .. x + uw of a row. */
static void build_tile(const IntegerNarrow *t, Ref image, Ref row, int uw, Ref x) {
  Emit *e = t->e;
  LLVMTypeRef sums = vec_of(e->i32, e->lanes);
  Ref acc[64], weights = weights_ptr(e, t->n->plan->at.weights), in = place_window(e, t->in, t->win, image, NULL, row, x);
  int64_t blocks = size_ceiling(t->in->shape.d[1], t->in->layout.block);
  for (int u = 0; u < uw; u++) acc[u] = LLVMConstNull(sums);
  acc[uw] = gep_const(e, weights, e->vec_bytes);
  Loop kh, kw, block;
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, t->win->kh), 1, uw + 1, acc);
  Ref line = gep(e, in, kh.i, t->win->dh * place_row_bytes(t->in));
  loop_begin(e, &kw, const_i64(e, 0), const_i64(e, t->win->kw), 1, uw + 1, acc);
  Ref pixel = gep(e, line, kw.i, t->win->dw * place_pixel_bytes(t->in));
  loop_begin_some(e, &block, const_i64(e, 0), const_i64(e, blocks), 1, uw + 1, acc);
  sum_block(t, uw, gep(e, pixel, block.i, place_block_bytes(t->in)), acc);
  loop_end(e, &block);
  loop_end(e, &kw);
  loop_end(e, &kh);
  Ref start = splat(e, load(e, e->i32, weights, 0, e->vec_bytes), e->lanes);
  Ref all = LLVMBuildAdd(e->b, sum_lanes(e, acc, uw), start, "");
  store_lanes(e, all, place_at(e, t->out, image, NULL, row, x), 0, uw, (int)sizeof(int32_t));
}

/* Tasks share out the tiles of all rows. */
void emit_integer_narrow(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  const IntegerNarrowPlan *p = &n->plan->integer_narrow;
  IntegerNarrow t = {.e = e, .n = n, .win = &n->win, .in = n->in[0], .out = n->out[0], .dot = dot_of(e->t, p->small)};
  const RowTiles tiles = row_tiles(y->d[3], p->uw);
  RowShare share;
  row_share_begin(e, &share, y->d[0], y->d[2], tiles.count);
  for (int i = 0; i < tiles.sizes; i++) {
    Loop tile;
    Ref x;
    if (!row_tiles_begin(e, &tile, &tiles, i, share.from, share.to, &x)) continue;
    build_tile(&t, share.image, share.row, (int)tiles.size[i], x);
    loop_end(e, &tile);
  }
  row_share_end(e, &share);
}
