/* winograd_fused.c: weights transformed in registers. With at most four tiles they are used too seldom to be worth
 * storing: row i of the transformed weights is made in registers channel by channel, and its frequencies times the tiles are 24
 * accumulators. */
#include "winograd.h"

#include <llvm-c/Core.h>

enum { FUSED_UNROLL = 4 };

typedef struct FusedRow {
  const Winograd *w;
  int i, blocks;
  bool first;
  int n; /* sums: tile number[k] at column point j[k] */
  int j[FUSED_SUMS], number[FUSED_SUMS];
} FusedRow;

static FusedRow fused_row(const Winograd *w, int i, int blocks, bool first) {
  FusedRow r = {.w = w, .i = i, .blocks = blocks, .first = first};
  int kept_rows = w->s.cut_rows ? winograd_points(&w->f, w->s.cut_rows) : w->f.points;
  int kept_cols = w->s.cut_cols ? winograd_points(&w->f, w->s.cut_cols) : w->f.points;
  for (int j = 0; j < w->f.points; j++) {
    WinogradTiles t = winograd_tiles(w, w->s.group_images, w->s.tile_rows, i >= kept_rows, j >= kept_cols);
    for (int64_t k = 0; k < t.n; k++, r.n++) {
      r.j[r.n] = j;
      r.number[r.n] = t.number[k];
    }
  }
  return r;
}

/* One channel: the weights g [given weight][channel][V], V's elements at v. */
static void fused_channel(const FusedRow *r, Ref g, Ref v, int channel, Ref *acc) {
  const Winograd *w = r->w;
  Emit *e = w->e;
  int64_t line = e->vec_bytes, step = r->blocks * e->lanes * line;
  Ref t[WINOGRAD_KERNEL], u = NULL;
  for (int c = 0; c < w->f.taps; c++) t[c] = winograd_column(w, r->i, c, g, channel * line, step);
  for (int k = 0; k < r->n; k++) {
    if (k == 0 || r->j[k] != r->j[k - 1]) u = winograd_weight(w, r->j[k], t);
    int64_t at = (r->j[k] * w->s.v_frequency + r->number[k] * e->lanes + channel) * F32_BYTES;
    acc[k] = fma_(e, splat(e, load(e, e->f32, v, at, F32_BYTES), e->lanes), u, acc[k]);
  }
}

static int64_t fused_sum_at(const FusedRow *r, int k) {
  return (r->j[k] * r->w->s.m_frequency + r->number[k] * r->w->e->lanes) * F32_BYTES;
}

/* Row i for a chunk of whole blocks: arguments g, V, M, and what to prefetch. */
static void build_fused_row(const void *data) {
  const FusedRow *r = data;
  const Winograd *w = r->w;
  Emit *e = w->e;
  int n = r->n, points = w->f.points, taps = w->f.kernel * w->f.kernel;
  int lines = (taps * FUSED_UNROLL * e->vec_bytes / 64 + points - 1) / points;
  Ref acc[FUSED_SUMS + 2], m = LLVMGetParam(e->fn, 2);
  for (int k = 0; k < n; k++) {
    acc[k] = r->first ? LLVMConstNull(e->vec) : load(e, e->vec, m, fused_sum_at(r, k), e->vec_bytes);
  }
  acc[n] = LLVMGetParam(e->fn, 0);
  acc[n + 1] = LLVMGetParam(e->fn, 3);
  Loop block, part;
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, r->blocks), 1, n + 2, acc);
  Ref v = gep(e, LLVMGetParam(e->fn, 1), block.i, w->s.group_tiles * e->vec_bytes);
  loop_begin(e, &part, const_i64(e, 0), const_i64(e, e->lanes), FUSED_UNROLL, n + 2, acc);
  for (int k = 0; k < lines; k++) prefetch(e, acc[n + 1], k * 64, e->t->fetch_level);
  for (int k = 0; k < FUSED_UNROLL; k++) fused_channel(r, acc[n], gep(e, v, part.i, F32_BYTES), k, acc);
  acc[n] = gep_const(e, acc[n], FUSED_UNROLL * e->vec_bytes);
  acc[n + 1] = gep_const(e, acc[n + 1], lines * 64);
  loop_end(e, &part);
  loop_end(e, &block);
  for (int k = 0; k < n; k++) store(e, acc[k], m, fused_sum_at(r, k), e->vec_bytes);
}

void winograd_fused_chunk(const Winograd *w, Ref m, Ref g, Ref v, int blocks, bool first) {
  Emit *e = w->e;
  int points = w->f.points;
  int64_t bytes = (int64_t)w->f.kernel * w->f.kernel * blocks * e->lanes * e->vec_bytes;
  for (int i = 0; i < points; i++) {
    FusedRow r = fused_row(w, i, blocks, first);
    const char *key = format_text(e->g->cx, "winograd_fused_m%d_r%d_%d_b%d_%s_t%dx%lldx%lld_cut%dx%d_v%lld.%lld", w->f.m,
                                  w->f.taps, i, blocks, first ? "f" : "", (int)w->s.group_images, (long long)w->s.tile_rows,
                                  (long long)w->s.tile_cols, w->s.cut_rows, w->s.cut_cols, (long long)w->s.v_frequency,
                                  (long long)w->s.m_frequency);
    int64_t floats = i * points * F32_BYTES; /* for each float of a frequency */
    Ref args[] = {g, gep_const(e, v, floats * w->s.v_frequency), gep_const(e, m, floats * w->s.m_frequency),
                  gep_const(e, g, bytes + bytes / points * i)};
    call_kernel(e, key, 4, args, build_fused_row, &r);
  }
}
