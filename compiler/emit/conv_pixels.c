/* conv_pixels.c: convolution of few input channels, which lie in planes, to few outputs: a vector holds the pixels of a row.
 *
 * A vector of pixels is as dense in a plane as the weights are in a row of outputs elsewhere, so that one output costs a V-th
 * of what it would as a vector of outputs. In the end every pixel takes its outputs out of the vectors of sums. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Pixels {
  Emit *e;
  Node *n;
  const PixelsPlan *plan;
  const Window *win;
  const Value *in, *out;
  int64_t whole;       /* vectors of a row of the result that are full */
  int rest;            /* pixels of the last one, if it is not */
} Pixels;

/* So many vectors, each of so many pixels. */
typedef struct Strip { int vectors, pixels; } Strip;

/* One tap: acc[j*vectors + v] += x[v] * w[j], for every channel. */
static void sum_tap(const Pixels *t, const Strip *s, Ref in, Ref weights, Ref *acc) {
  Emit *e = t->e;
  int ocg = t->plan->ocg;
  for (int c = 0; c < t->plan->icg; c++) {
    Ref x[MAX_TILE];
    for (int v = 0; v < s->vectors; v++) {
      x[v] = load_lanes(e, in, place_offset(t->in, c, 0, v * e->lanes), s->pixels, F32_BYTES);
    }
    for (int j = 0; j < ocg; j++) {
      Ref w = splat(e, load(e, e->f32, weights, (c * ocg + j) * F32_BYTES, F32_BYTES), e->lanes);
      for (int v = 0; v < s->vectors; v++) acc[j * s->vectors + v] = fma_(e, x[v], w, acc[j * s->vectors + v]);
    }
  }
}

static void sum_taps(const Pixels *t, const Strip *s, Ref in, Ref *acc) {
  Emit *e = t->e;
  int n = s->vectors * t->plan->ocg, tap = t->plan->icg * t->plan->ocg * F32_BYTES;
  Loop kh, kw;
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, t->win->kh), 1, n, acc);
  Ref line = gep(e, in, kh.i, t->win->dh * place_row_bytes(t->in));
  Ref filter = gep(e, weights_ptr(e, t->n->plan->at.weights), kh.i, t->win->kw * tap);
  loop_begin(e, &kw, const_i64(e, 0), const_i64(e, t->win->kw), 1, n, acc);
  sum_tap(t, s, gep(e, line, kw.i, t->win->dw * place_pixel_bytes(t->in)), gep(e, filter, kw.i, tap), acc);
  loop_end(e, &kw);
  loop_end(e, &kh);
}

/* Pixel p of the vectors v[0], v[step], ..., one for each output; the lanes past the last output repeat the first. */
static Ref outputs_of(const Pixels *t, Ref *v, int step, int p) {
  Emit *e = t->e;
  Ref output[MAX_TILE];
  int from[64];
  for (int j = 0; j < t->plan->ocg; j++) output[j] = v[j * step];
  for (int l = 0; l < e->lanes; l++) from[l] = (l < t->plan->ocg ? l : 0) * e->lanes + p;
  return gather_lanes(e, output, t->plan->ocg, from);
}

/* The pixels from x on. */
static void build_strip(const Pixels *t, Ref image, Ref row, const Strip *s, Ref x) {
  Emit *e = t->e;
  Ref acc[64], arg[MAX_STEPS];
  for (int i = 0; i < s->vectors * t->plan->ocg; i++) acc[i] = LLVMConstNull(e->vec);
  sum_taps(t, s, place_window(e, t->in, t->win, image, NULL, row, x), acc);
  Ref out = place_at(e, t->out, image, NULL, row, x);
  Ref bias = load(e, e->vec, weights_ptr(e, t->n->plan->at.bias), 0, e->vec_bytes);
  step_pointers(e, t->n, image, const_i64(e, 0), row, x, arg);
  for (int v = 0; v < s->vectors; v++) {
    for (int p = 0; p < s->pixels; p++) {
      int at = v * e->lanes + p;
      Ref y = apply_steps(e, t->n, add_f(e, outputs_of(t, acc + v, s->vectors, p), bias), arg, 0, 0, at);
      store(e, y, out, at * place_pixel_bytes(t->out), e->vec_bytes);
    }
  }
}

static int64_t strips(const Pixels *t) {
  return (t->whole ? row_tiles(t->whole, t->plan->nb).count : 0) + (t->rest > 0);
}

/* The strips [from, to) of a row. */
static void build_row(const Pixels *t, Ref image, Ref row, Ref from, Ref to) {
  Emit *e = t->e;
  RowTiles tiles = {0};
  If last;
  if (t->whole > 0) tiles = row_tiles(t->whole, t->plan->nb);
  for (int i = 0; i < 2; i++) {
    Loop tile;
    Ref first; /* vector */
    if (!row_tiles_begin(e, &tile, &tiles, i, from, to, &first)) continue;
    build_strip(t, image, row, &(Strip){(int)tiles.size[i], e->lanes}, mul_i(e, first, e->lanes));
    loop_end(e, &tile);
  }
  if (t->rest == 0) return;
  Ref reached = LLVMBuildICmp(e->b, LLVMIntEQ, to, const_i64(e, strips(t)), "");
  Ref any = LLVMBuildICmp(e->b, LLVMIntSLT, from, to, "");
  if_begin(e, &last, LLVMBuildAnd(e->b, reached, any, ""));
  build_strip(t, image, row, &(Strip){1, t->rest}, const_i64(e, t->whole * e->lanes));
  if_end(e, &last);
}

/* Tasks share out the strips of all rows. */
void emit_pixels(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Pixels t = {.e = e, .n = n, .plan = &n->plan->pixels, .win = &n->win, .in = n->in[0], .out = n->out[0],
              .whole = y->d[3] / e->lanes, .rest = (int)(y->d[3] % e->lanes)};
  assert(n->win.sw == 1);
  emit_halo(e, n->out[0]);
  RowShare share;
  row_share_begin(e, &share, y->d[0], y->d[2], strips(&t));
  build_row(&t, share.image, share.row, share.from, share.to);
  row_share_end(e, &share);
}
