/* depth.c: SpaceToDepth and DepthToSpace: squares of b x b pixels against b b times the channels. Each is one
 * strided copy, on channel blocks too where a square's places hold whole blocks; for the stem the blocks are
 * made of few channels. */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== of few channels, to channel blocks ==== */

enum { PIXELS = 4 }; /* moved in one turn of the loop */

static void move_pixel(Emit *e, Ref from, Ref to, int64_t src, int64_t dst) {
  store(e, load(e, e->f32, from, src, F32_BYTES), to, dst, F32_BYTES);
}

/* `count` pixels of one channel, so many bytes apart in the source and in the result. */
static void move_pixels(Emit *e, Ref from, int64_t apart, Ref to, int64_t step, int64_t count) {
  int64_t whole = count / PIXELS * PIXELS;
  Loop l;
  if (whole > 0) {
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, whole), PIXELS, 0, NULL);
    Ref src = gep(e, from, l.i, apart), dst = gep(e, to, l.i, step);
    for (int k = 0; k < PIXELS; k++) move_pixel(e, src, dst, k * apart, k * step);
    loop_end(e, &l);
  }
  for (int64_t k = whole; k < count; k++) move_pixel(e, from, to, k * apart, k * step);
}

/* To channel blocks, row by row, lest every channel's pass fetch the result anew. The lanes past the last
 * channel are written too, with zeros. */
static void space_to_blocks(Emit *e, const Value *x, const Value *y, int64_t b) {
  int64_t rows = y->shape.d[2], channels = x->shape.d[1], lanes = y->layout.block;
  int64_t blocks = (y->shape.d[1] + lanes - 1) / lanes;
  Ref lo, hi;
  task_range(e, y->shape.d[0] * rows, &lo, &hi);
  Loop item, pixel;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref image = LLVMBuildSDiv(e->b, item.i, const_i64(e, rows), "");
  Ref row = LLVMBuildSRem(e->b, item.i, const_i64(e, rows), "");
  Ref from = place_at(e, x, image, NULL, mul_i(e, row, b), NULL), to = place_at(e, y, image, NULL, row, NULL);
  if (y->shape.d[1] % lanes) {
    Ref last = gep_const(e, to, place_offset(y, blocks - 1, 0, 0));
    loop_begin(e, &pixel, const_i64(e, 0), const_i64(e, y->shape.d[3]), 1, 0, NULL);
    store(e, LLVMConstNull(e->vec), place_from(e, last, y, NULL, NULL, NULL, pixel.i), 0, e->vec_bytes);
    loop_end(e, &pixel);
  }
  for (int64_t k = 0; k < y->shape.d[1]; k++) {
    int64_t i = k / channels / b, j = k / channels % b, c = k % channels;
    Ref src = gep_const(e, from, place_offset(x, c, i, j));
    Ref dst = gep_const(e, to, place_offset(y, k / lanes, 0, 0) + k % lanes * F32_BYTES);
    move_pixels(e, src, b * place_pixel_bytes(x), dst, place_pixel_bytes(y), y->shape.d[3]);
  }
  loop_end(e, &item);
}

/* ==== strided copies ==== */

/* Axes of the deep tensor, which has the places (i, j) of a square among its channels, and of the wide one.
 * Channels count in blocks of `unit` where both have blocks. */
static void copy_squares(Emit *e, const Node *n, const Value *deep, const Value *wide, bool to_deep) {
  const Layout *d = &deep->layout, *w = &wide->layout;
  int64_t b = n->p.block, unit = d->block ? d->block : 1, channels = wide->shape.d[1] / unit;
  int64_t column = w->block ? w->pix : 1;
  int64_t place = n->p.by_channel ? d->c : channels * d->c, channel = n->p.by_channel ? b * b * d->c : d->c;
  const struct { int64_t n, deep, wide; } axis[] = {
    {deep->shape.d[0], d->n, w->n}, {b, b * place, w->row}, {b, place, column}, {channels, channel, w->c},
    {deep->shape.d[2], d->row, b * w->row}, {deep->shape.d[3], d->block ? d->pix : 1, b * column},
    {unit, 1, 1},
  };
  Copy c = {.size = (int)type_size(deep->type), .rank = COUNT(axis)};
  for (int k = 0; k < c.rank; k++) {
    c.axis[k] = to_deep ? (CopyAxis){axis[k].n, axis[k].wide, axis[k].deep}
        : (CopyAxis){axis[k].n, axis[k].deep, axis[k].wide};
  }
  c.src = value_ptr(e, to_deep ? wide : deep);
  c.dst = value_ptr(e, to_deep ? deep : wide);
  emit_copy(e, &c);
}

void emit_depth(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  emit_halo(e, y);
  if (y->layout.block && !x->layout.block) space_to_blocks(e, x, y, n->p.block);
  else if (n->op == OP_SpaceToDepth) copy_squares(e, n, y, x, true);
  else copy_squares(e, n, x, y, false);
}
