/* winograd_fused.c: weights transformed in registers. With at most four tiles they are used too seldom to be worth
 * storing: row i of the transformed weights is made in registers channel by channel, and its frequencies times the tiles are 24
 * accumulators. A panel of two blocks has as many of half the frequencies at a time. */
#include "winograd.h"

#include <llvm-c/Core.h>

enum { FUSED_UNROLL = 4 };

/* Of row i the column points from `lo`. */
typedef struct FusedRow {
  const Winograd *w;
  const WinogradArea *area;
  int i, lo, blocks, nb;
  bool first;
  int lines; /* to fetch in a turn of the loop */
  int n;     /* sums of a block of the panel: tile number[k] at column point j[k] */
  int j[FUSED_SUMS], number[FUSED_SUMS];
} FusedRow;

/* Column points whose sums there are registers for. */
static int points_at_once(const Winograd *w, int nb) {
  return (int)size_min(w->f.points, FUSED_SUMS / (nb * w->s.group_tiles));
}

static void add_sums(FusedRow *r) {
  const Winograd *w = r->w;
  int kept_rows = w->s.cut_rows ? winograd_points(&w->f, w->s.cut_rows) : w->f.points;
  int kept_cols = w->s.cut_cols ? winograd_points(&w->f, w->s.cut_cols) : w->f.points;
  int hi = (int)size_min(r->lo + points_at_once(w, r->nb), w->f.points);
  for (int j = r->lo; j < hi; j++) {
    WinogradTiles t = winograd_tiles(w, r->area->images, r->area->rows, r->i >= kept_rows, j >= kept_cols);
    for (int64_t k = 0; k < t.n; k++, r->n++) {
      r->j[r->n] = j;
      r->number[r->n] = t.number[k];
    }
  }
}

/* Column `col` of the weights of a parity of rows, at the row point: the second parity, of one tap, has given weights alone. */
static Ref fused_column(const FusedRow *r, int pr, int col, Ref g, int64_t at, int64_t step) {
  const Winograd *w = r->w;
  if (pr == 0) return winograd_column(w, r->i, col, g, at, step);
  return load(w->e, w->e->vec, g, at + (w->f.taps * w->f.kernel + col) * step, w->e->vec_bytes);
}

/* Its columns in each block of the panel, for one channel of g. */
static void fused_columns(const FusedRow *r, int pr, int pc, Ref g, int channel, Ref t[][WINOGRAD_KERNEL]) {
  const Winograd *w = r->w;
  int64_t line = winograd_line_bytes(w, r->nb), step = r->blocks * w->e->lanes * line;
  int columns = pc ? 1 : w->f.taps;
  for (int b = 0; b < r->nb; b++) {
    int64_t at = channel * line + b * w->e->vec_bytes;
    for (int c = 0; c < columns; c++) t[b][c] = fused_column(r, pr, pc * w->f.taps + c, g, at, step);
  }
}

/* One channel of a parity: the weights g [given weight][channel][nb][V], V's elements at v. */
static void fused_parity(const FusedRow *r, int pr, int pc, Ref g, Ref v, int channel, Ref *acc) {
  const Winograd *w = r->w;
  Emit *e = w->e;
  Ref t[FUSED_BLOCKS][WINOGRAD_KERNEL], u[FUSED_BLOCKS] = {NULL};
  fused_columns(r, pr, pc, g, channel, t);
  for (int k = 0; k < r->n; k++) {
    int j = r->j[k];
    if (j < pc) continue;
    for (int b = 0; b < r->nb && (k == 0 || j != r->j[k - 1]); b++) u[b] = pc ? t[b][0] : winograd_weight(w, j, t[b]);
    int64_t at = j * w->s.v_frequency + winograd_parity_at(w, pr, pc) + r->number[k] * e->lanes + channel;
    Ref value = splat(e, load(e, e->f32, v, at * F32_BYTES, F32_BYTES), e->lanes);
    for (int b = 0; b < r->nb; b++) acc[b * r->n + k] = fma_(e, value, u[b], acc[b * r->n + k]);
  }
}

static void fused_channel(const FusedRow *r, Ref g, Ref v, int channel, Ref *acc) {
  for (int pr = 0; pr < (r->i > 0 ? r->w->f.stride : 1); pr++) {
    for (int pc = 0; pc < r->w->f.stride; pc++) fused_parity(r, pr, pc, g, v, channel, acc);
  }
}

static int64_t fused_sum_at(const FusedRow *r, int sum) {
  const Winograd *w = r->w;
  int b = sum / r->n, k = sum % r->n;
  return (r->j[k] * w->s.m_frequency + (b * w->s.group_tiles + r->number[k]) * w->e->lanes) * F32_BYTES;
}

/* Row i for a chunk of whole blocks: arguments g, V, M, and what to prefetch. */
static void build_fused_row(const void *data) {
  const FusedRow *r = data;
  const Winograd *w = r->w;
  Emit *e = w->e;
  int n = r->n * r->nb;
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
  for (int k = 0; k < r->lines; k++) prefetch(e, acc[n + 1], k * 64, e->t->fetch_level);
  for (int k = 0; k < FUSED_UNROLL; k++) fused_channel(r, acc[n], gep(e, v, part.i, F32_BYTES), k, acc);
  acc[n] = gep_const(e, acc[n], FUSED_UNROLL * winograd_line_bytes(w, r->nb));
  acc[n + 1] = gep_const(e, acc[n + 1], r->lines * 64);
  loop_end(e, &part);
  loop_end(e, &block);
  for (int k = 0; k < n; k++) store(e, acc[k], m, fused_sum_at(r, k), e->vec_bytes);
}

/* A row's column points from r.lo; `part` of so many is how much of the next chunk's weights is fetched meanwhile. */
static void fused_part(FusedRow r, Ref g, Ref v, int part, int parts) {
  const Winograd *w = r.w;
  Emit *e = w->e;
  int taps = w->f.kernel * w->f.kernel;
  int64_t bytes = taps * r.blocks * e->lanes * winograd_line_bytes(w, r.nb);
  add_sums(&r);
  r.lines = (int)((taps * FUSED_UNROLL * winograd_line_bytes(w, r.nb) / 64 + parts - 1) / parts);
  const char *key = format_text(e->g->cx, "winograd_fused_m%d_k%d_s%d_%d.%d_b%dx%d_%s_t%dx%lldx%lld_cut%dx%d_v%lld.%lld_m%lld",
                                w->f.m, w->f.kernel, w->f.stride, r.i, r.lo, r.blocks, r.nb, r.first ? "f" : "",
                                (int)r.area->images, (long long)r.area->rows, (long long)w->s.tile_cols, w->s.cut_rows,
                                w->s.cut_cols, (long long)w->s.v_frequency, (long long)w->s.v_parity,
                                (long long)w->s.m_frequency);
  int64_t floats = r.i * w->f.points * F32_BYTES; /* for each float of a frequency */
  Ref args[] = {g, gep_const(e, v, floats * w->s.v_frequency), gep_const(e, r.area->m, floats * w->s.m_frequency),
                gep_const(e, g, bytes + bytes / parts * part)};
  call_kernel(e, key, 4, args, build_fused_row, &r);
}

void winograd_fused_chunk(const Winograd *w, const WinogradArea *a, Ref g, Ref v, int blocks, int nb, bool first) {
  int points = w->f.points, width = points_at_once(w, nb), each = (points + width - 1) / width;
  for (int i = 0; i < points; i++) {
    for (int part = 0; part < each; part++) {
      FusedRow r = {.w = w, .area = a, .i = i, .lo = part * width, .blocks = blocks, .nb = nb, .first = first};
      fused_part(r, g, v, i * each + part, points * each);
    }
  }
}
