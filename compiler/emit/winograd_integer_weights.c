/* winograd_integer_weights.c: weights of Winograd's algorithm in integers, transformed for two row points at a time, which share terms:
 * for each row a region of U, [pair][nb][V], for each column point, then, with a stride of 2, one for the second parity of columns;
 * behind both rows those of the second parity of rows, which all rows share. */
#include "winograd.h"

#include <llvm-c/Core.h>

enum { TAPS = 3 };

static Ref plus(Emit *e, Ref a, Ref b) { return LLVMBuildAdd(e->b, a, b, ""); }
static Ref minus(Emit *e, Ref a, Ref b) { return LLVMBuildSub(e->b, a, b, ""); }

static int row_regions(const Winograd *w) { return w->f.points + w->f.stride - 1; }

/* The values at points i and i + 1, infinity and 0, 1 and -1, 2 and -2, of g0 + g1 x + g2 x^2; with a stride of 2 of g0 + g2 x. */
static void transform_weights(const Winograd *w, int i, const Ref *g, Ref *t) {
  Emit *e = w->e;
  if (i == 0) {
    t[0] = g[2];
    t[1] = g[0];
    return;
  }
  Ref odd = w->f.stride > 1 ? g[2] : g[1], even = g[0];
  if (w->f.stride == 1) even = plus(e, even, i == 4 ? shift_left(e, g[2], 2) : g[2]);
  if (i == 4) odd = shift_left(e, odd, 1);
  t[0] = plus(e, even, odd);
  t[1] = minus(e, even, odd);
}

static Ref load_weights(Emit *e, Ref g, int row, int col) {
  Ref bytes = load(e, vec_of(e->i8, 2 * e->lanes), g, (row * TAPS + col) * 2 * e->lanes, 2 * e->lanes);
  return LLVMBuildSExt(e->b, bytes, vec_of(e->i16, 2 * e->lanes), "");
}

/* The columns of a vector's weights at row points i and i + 1; behind them the second parity's. */
static void transform_columns(const WinogradRow *r, Ref g, Ref x[3][TAPS]) {
  const Winograd *w = r->w;
  Ref column[TAPS] = {NULL}, t[2];
  for (int c = 0; c < TAPS; c++) {
    for (int k = 0; k < TAPS; k++) {
      if (k != 1 || r->i > 0 || w->f.stride > 1) column[k] = load_weights(w->e, g, k, c);
    }
    transform_weights(w, r->i, column, t);
    for (int i = 0; i < 2; i++) x[i][c] = t[i];
    x[2][c] = column[1];
  }
}

/* A row of all vectors, to regions from number `first` on: vectors that share a line are stored one after the other. */
static void weights_of_row(const WinogradRow *r, int row, int first, Ref x[INTEGER_VECTORS][3][TAPS], Ref u) {
  const Winograd *w = r->w;
  Ref t[INTEGER_VECTORS][2];
  for (int j = 0; j < row_regions(w); j++) {
    int64_t at = (first + j) * winograd_region_bytes(w, r->nb);
    for (int b = 0; b < r->nb && j % 2 == 0; b++) transform_weights(w, j, x[b][row], t[b]);
    for (int b = 0; b < r->nb; b++) {
      Ref v = j < w->f.points ? t[b][j % 2] : x[b][row][1];
      store(w->e, v, u, at + b * w->e->vec_bytes, w->e->vec_bytes);
    }
  }
}

static void weights_of_pair(const WinogradRow *r, Ref g, Ref u) {
  const Winograd *w = r->w;
  Ref x[INTEGER_VECTORS][3][TAPS];
  assert(r->nb <= INTEGER_VECTORS);
  for (int b = 0; b < r->nb; b++) transform_columns(r, gep_const(w->e, g, b * integer_winograd_bytes(w->e->t)), x[b]);
  for (int row = 0; row < 2 && r->i + row < w->f.points; row++) weights_of_row(r, row, row * row_regions(w), x, u);
  if (w->f.stride > 1 && r->i == 0) weights_of_row(r, 2, 2 * row_regions(w), x, u);
}

static void build_weights(const void *data) {
  const WinogradRow *r = data;
  Emit *e = r->w->e;
  Loop pair;
  loop_begin(e, &pair, const_i64(e, 0), const_i64(e, r->channels), 1, 0, NULL);
  Ref g = gep(e, LLVMGetParam(e->fn, 0), pair.i, r->nb * integer_winograd_bytes(e->t));
  weights_of_pair(r, g, gep(e, LLVMGetParam(e->fn, 1), pair.i, winograd_line_bytes(r->w, r->nb)));
  loop_end(e, &pair);
}

void winograd_integer_weights(const WinogradRow *r, Ref g, Ref u) {
  const char *key = format_text(r->w->e->g->cx, "winograd_i8_weights_s%d_%d_%dx%d_%d", r->w->f.stride, r->i, r->channels, r->nb, r->w->plan->chunk);
  call_kernel(r->w->e, key, 2, (Ref[]){g, u}, build_weights, r);
}

void winograd_integer_places(const WinogradRow *r, Ref u, WinogradPlaces *of) {
  const Winograd *w = r->w;
  int64_t step = winograd_region_bytes(w, r->nb);
  for (int parity = 0; parity < w->f.stride; parity++) {
    int first = (parity == 0 ? r->i % 2 : 2) * row_regions(w);
    of[parity] = (WinogradPlaces){.u = gep_const(w->e, u, first * step), .step = step};
    of[parity].second = gep_const(w->e, u, (first + w->f.points) * step);
  }
}
