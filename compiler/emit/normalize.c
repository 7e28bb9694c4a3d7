/* normalize.c: y = (x - mean) / divisor, by statistics of the elements along axes, and the epilogue. Here: of
 * each pixel's channels, on blocks, which are read three times, from L1. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { MAX_PIXELS = 8 };

typedef struct Pixels {
  Emit *e;
  Node *n;
  const Value *x, *y;
  int pixels;            /* of a tile */
  Ref src, dst;          /* its first pixel in block 0 */
  Ref mean[MAX_PIXELS], factor[MAX_PIXELS];
} Pixels;

static Ref load_pixel(const Pixels *p, Ref block, int i) {
  Emit *e = p->e;
  return load(e, e->vec, place_from(e, p->src, p->x, NULL, block, NULL, NULL), place_offset(p->x, 0, 0, i),
              e->vec_bytes);
}

/* acc[i] of each pixel of the tile, over all channels: x itself or, with `terms`, its term of that. */
static void sum_channels(const Pixels *p, bool terms, Ref *acc) {
  Emit *e = p->e;
  int64_t channels = p->x->shape.d[1], whole = channels / e->lanes;
  int rest = (int)(channels % e->lanes);
  bool centered = p->n->p.centered;
  for (int i = 0; i < p->pixels; i++) acc[i] = splat_const(e, 0);
  if (whole > 0) {
    Loop b;
    loop_begin(e, &b, const_i64(e, 0), const_i64(e, whole), 1, p->pixels, acc);
    for (int i = 0; i < p->pixels; i++) {
      Ref x = load_pixel(p, b.i, i);
      acc[i] = terms ? add_term(e, p->n, acc[i], x, centered ? p->mean[i] : NULL) : add_f(e, acc[i], x);
    }
    loop_end(e, &b);
  }
  for (int i = 0; i < p->pixels && rest > 0; i++) {
    Ref x = load_pixel(p, const_i64(e, whole), i);
    if (terms) x = add_term(e, p->n, splat_const(e, 0), x, centered ? p->mean[i] : NULL);
    acc[i] = add_f(e, acc[i], keep_lanes(e, x, rest, zero_like(x)));
  }
}

/* What lane i of v holds, for each pixel i, in all lanes. */
static void splat_lanes(const Pixels *p, Ref v, Ref *to) {
  Emit *e = p->e;
  for (int i = 0; i < p->pixels; i++)
    to[i] = splat(e, lane_of(e, v, const_i32(e, i)), e->lanes);
}

static void build_pixels(Pixels *p, Ref image, Ref row, Ref x) {
  Emit *e = p->e;
  Ref acc[MAX_PIXELS], count = splat_const(e, (double)p->x->shape.d[1]);
  Ref *arg = alloc_n(e->g->cx, (size_t)p->n->n_step + 1, sizeof *arg);
  p->src = place_at(e, p->x, image, NULL, row, x);
  p->dst = place_at(e, p->y, image, NULL, row, x);
  if (p->n->p.centered) {
    sum_channels(p, false, acc);
    splat_lanes(p, div_f(e, sum_lanes(e, acc, p->pixels), count), p->mean);
  }
  sum_channels(p, true, acc);
  splat_lanes(p, inverse_divisor(e, p->n, sum_lanes(e, acc, p->pixels), count), p->factor);
  Loop b;
  loop_begin(e, &b, const_i64(e, 0), const_i64(e, size_ceiling(p->x->shape.d[1], e->lanes)), 1, 0, NULL);
  step_pointers(e, p->n, image, b.i, row, x, arg);
  for (int i = 0; i < p->pixels; i++) {
    Ref v = load_pixel(p, b.i, i);
    if (p->n->p.centered) v = sub_f(e, v, p->mean[i]);
    v = apply_steps(e, p->n, mul_f(e, v, p->factor[i]), arg, 0, 0, i);
    store(e, v, place_from(e, p->dst, p->y, NULL, b.i, NULL, NULL), place_offset(p->y, 0, 0, i),
          e->vec_bytes);
  }
  loop_end(e, &b);
}

static void emit_by_pixel(Emit *e, Node *n) {
  const int64_t *d = n->in[0]->shape.d;
  Pixels p = {.e = e, .n = n, .x = n->in[0], .y = n->out[0]};
  RowTiles tiles = row_tiles(d[3], size_min(e->t->regs / 4, e->lanes));
  RowShare share;
  emit_halo(e, p.y);
  row_share_begin(e, &share, d[0], d[2], tiles.count);
  for (int i = 0; i < 2; i++) {
    Loop l;
    Ref x;
    if (!row_tiles_begin(e, &l, &tiles, i, share.from, share.to, &x)) continue;
    p.pixels = (int)tiles.size[i];
    build_pixels(&p, share.image, share.row, x);
    loop_end(e, &l);
  }
  row_share_end(e, &share);
}

void emit_normalize(Emit *e, Node *n) {
  if (!n->out[0]->layout.block) emit_normalize_dense(e, n);
  else if (normalizes_pixels(n)) emit_by_pixel(e, n);
  else emit_normalize_maps(e, n);
}
