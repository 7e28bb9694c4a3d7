/* winograd_weights.c: weights transformed on the fly, for a chunk of input channels and one row point i. The
 * products read a region U[channel][nb][V] for each column point. F(4,3), stride 1:
 *
 *     column point      inf   0   1    -1   1/2   -2
 *     i = inf, 0, 1     read in place, from g  |  made here, in u       g: what the object stores, 3 x 3 numbers
 *     i = -1, 1/2, -2   made here, in u                                    of a kernel (WinogradPowers)
 *
 * With a stride of 2 a kernel has four parts, by the parity of row and column. A parity of one tap has the same weight
 * at every point, so u holds
 *
 *     part (0,0): a region for each column point | (0,1): one | (1,0): a region for each column point
 *
 * of which (1,0) is the same for all row points and made only once; (1,1), one number, is read from g. */
#include "winograd.h"

#include <llvm-c/Core.h>

int64_t winograd_line_bytes(const Winograd *w, int nb) { return (int64_t)nb * w->e->vec_bytes; }

int64_t winograd_region_bytes(const Winograd *w, int nb) {
  return winograd_region(w->plan->chunk, nb, w->e->lanes) * F32_BYTES;
}

/* At how many column points are the weights of row point i given? */
static int given_points(const Winograd *w, int i) { return i < w->f.taps ? w->f.taps : 0; }

int64_t winograd_given_bytes(const WinogradRow *r) { return r->channels * winograd_line_bytes(r->w, r->nb); }

/* Where in g the given weights in row i and column j are: those of the second parity follow those at points of the first. */
static int64_t given_at(const WinogradRow *r, int i, int j) { return (i * r->w->f.kernel + j) * winograd_given_bytes(r); }

/* Where in U the first region of a parity is. */
static int64_t parity_at(const WinogradRow *r, int pr, int pc) {
  const Winograd *w = r->w;
  return (pr * (w->f.points + 1) + pc * w->f.points) * winograd_region_bytes(w, r->nb);
}

/* Column points with products: a map of one column of tiles has none at the last ones where these are cut. */
static int column_points(const Winograd *w) {
  bool fewer = w->s.tile_cols == 1 && w->s.cut_cols;
  return fewer ? winograd_points(&w->f, w->s.cut_cols) : w->f.points;
}

/* One block of a channel at all column points but the first ones: t are its columns at the row point. */
static void weights_of_points(const WinogradRow *r, int first, const Ref *t, Ref u, int64_t at) {
  const Winograd *w = r->w;
  for (int j = first; j < column_points(w); j++) {
    store(w->e, winograd_weight(w, j, t), u, j * winograd_region_bytes(w, r->nb) + at, w->e->vec_bytes);
  }
}

static void weights_of_block(const WinogradRow *r, Ref g, Ref u, int64_t at) {
  const Winograd *w = r->w;
  Emit *e = w->e;
  int taps = w->f.taps, align = e->vec_bytes;
  int64_t step = winograd_given_bytes(r);
  Ref t[WINOGRAD_KERNEL];
  for (int c = 0; c < taps; c++) t[c] = winograd_column(w, r->i, c, g, at, step);
  weights_of_points(r, given_points(w, r->i), t, u, at);
  if (w->f.stride == 1) return;
  if (r->i >= taps) store(e, winograd_column(w, r->i, taps, g, at, step), u, parity_at(r, 0, 1) + at, align);
  if (r->i != 1) return;
  for (int c = 0; c < taps; c++) t[c] = load(e, e->vec, g, given_at(r, taps, c) + at, align);
  weights_of_points(r, taps, t, u, parity_at(r, 1, 0) + at);
}

/* Row point i of the transformed weights of `channels` input channels, from g [given weight][channel][nb][V]. */
static void build_weights_row(const void *data) {
  const WinogradRow *r = data;
  Emit *e = r->w->e;
  int64_t line = winograd_line_bytes(r->w, r->nb);
  Loop k;
  loop_begin(e, &k, const_i64(e, 0), const_i64(e, r->channels), 1, 0, NULL);
  Ref g = gep(e, LLVMGetParam(e->fn, 0), k.i, line), u = gep(e, LLVMGetParam(e->fn, 1), k.i, line);
  for (int b = 0; b < r->nb; b++) weights_of_block(r, g, u, b * e->vec_bytes);
  loop_end(e, &k);
}

void winograd_weights_row(const WinogradRow *r, Ref g, Ref u) {
  const WinogradForm *f = &r->w->f;
  int points = column_points(r->w);
  const char *cut = points < f->points ? format_text(r->w->e->g->cx, "_to%d", points) : "";
  const char *key = format_text(r->w->e->g->cx, "winograd_weights_m%d_k%d_s%d_%d_%dx%d_%d%s", f->m, f->kernel, f->stride, r->i,
                                r->channels, r->nb, r->w->plan->chunk, cut);
  call_kernel(r->w->e, key, 2, (Ref[]){g, u}, build_weights_row, r);
}

/* The second parity of rows has given weights only at points of columns. */
void winograd_places(const WinogradRow *r, Ref g, Ref u, WinogradPlaces *of) {
  Emit *e = r->w->e;
  int taps = r->w->f.taps;
  WinogradPlaces one = {.u = u, .n_given = given_points(r->w, r->i)};
  one.step = winograd_region_bytes(r->w, r->nb);
  one.given_step = winograd_given_bytes(r);
  one.given = gep_const(e, g, given_at(r, r->i, 0));
  one.second = r->i < taps ? gep_const(e, g, given_at(r, r->i, taps)) : gep_const(e, u, parity_at(r, 0, 1));
  of[0] = one;
  if (r->w->f.stride == 1) return;
  of[1] = one;
  of[1].u = gep_const(e, u, parity_at(r, 1, 0));
  of[1].n_given = taps;
  of[1].given = gep_const(e, g, given_at(r, taps, 0));
  of[1].second = gep_const(e, g, given_at(r, taps, taps));
}
