/* winograd_integer_weights.c: weights of Winograd's algorithm in integers, transformed for two row points at a time, which share terms. */
#include "winograd.h"

#include <llvm-c/Core.h>

enum { TAPS = 3 };

static Ref plus(Emit *e, Ref a, Ref b) { return LLVMBuildAdd(e->b, a, b, ""); }
static Ref minus(Emit *e, Ref a, Ref b) { return LLVMBuildSub(e->b, a, b, ""); }

/* The values of g0 + g1 x + g2 x^2 at points i and i + 1: infinity and 0, 1 and -1, 2 and -2. */
static void transform_weights(Emit *e, int i, const Ref *g, Ref *t) {
  Ref even = i == 0 ? g[2] : plus(e, g[0], i == 4 ? shift_left(e, g[2], 2) : g[2]);
  Ref odd = i == 4 ? shift_left(e, g[1], 1) : g[1];
  t[0] = i == 0 ? g[2] : plus(e, even, odd);
  t[1] = i == 0 ? g[0] : minus(e, even, odd);
}

static Ref load_weights(Emit *e, Ref g, int row, int col) {
  Ref bytes = load(e, vec_of(e->i8, 2 * e->lanes), g, (row * TAPS + col) * 2 * e->lanes, 2 * e->lanes);
  return LLVMBuildSExt(e->b, bytes, vec_of(e->i16, 2 * e->lanes), "");
}

/* The columns of a vector's weights at the two row points. */
static void transform_columns(const WinogradRow *r, Ref g, Ref x[2][TAPS]) {
  Emit *e = r->w->e;
  Ref column[TAPS] = {NULL}, t[2];
  for (int c = 0; c < TAPS; c++) {
    for (int k = 0; k < TAPS; k++) {
      if (r->i > 0 || k != 1) column[k] = load_weights(e, g, k, c);
    }
    transform_weights(e, r->i, column, t);
    for (int i = 0; i < 2; i++) x[i][c] = t[i];
  }
}

/* Those of a pair of channels: vectors that share a line are stored one after the other. */
static void weights_of_pair(const WinogradRow *r, Ref g, Ref u) {
  Emit *e = r->w->e;
  int points = r->w->f.points;
  Ref x[INTEGER_VECTORS][2][TAPS], t[INTEGER_VECTORS][2];
  assert(r->nb <= INTEGER_VECTORS);
  for (int b = 0; b < r->nb; b++) transform_columns(r, gep_const(e, g, b * integer_winograd_bytes(e->t)), x[b]);
  for (int i = 0; i < 2 * points; i++) {
    for (int b = 0; b < r->nb; b++) {
      if (i % 2 == 0) transform_weights(e, i % points, x[b][i / points], t[b]);
    }
    for (int b = 0; b < r->nb; b++) store(e, t[b][i % 2], u, i * winograd_region_bytes(r->w, r->nb) + b * e->vec_bytes, e->vec_bytes);
  }
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
  const char *key = format_text(r->w->e->g->cx, "winograd_i8_weights_%d_%dx%d_%d", r->i, r->channels, r->nb, r->w->plan->chunk);
  call_kernel(r->w->e, key, 2, (Ref[]){g, u}, build_weights, r);
}
