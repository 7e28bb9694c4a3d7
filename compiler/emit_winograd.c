/* emit_winograd.c: convolution by Winograd's algorithm, whose forms and points are winograd.c's.
 *
 * A group of tiles is transformed to V; then for each panel of output channels one small matrix product a frequency gives M,
 * and M is transformed back with the epilogue. V is each worker's own, or, where the map is one group, shared and made in a
 * phase of its own. Tiles that the edge cuts have no products at the last points. */
#include "emit_winograd.h"

/* Bytes of weights of one channel, and of a region of a chunk's transformed weights, see below. */
static int64_t line_bytes(const Winograd *w, int nb) { return (int64_t)nb * w->e->lanes * 4; }
static int64_t region_bytes(const Winograd *w, int nb) { return winograd_region(w->plan->chunk, nb, w->e->lanes) * 4; }

static int64_t frequencies(const Winograd *w) { return (int64_t)w->f.points * w->f.points; }

int64_t winograd_phase_at(const Winograd *w, int pr, int pc) {
  return (pr * w->f.stride + pc) * w->s.in_blocks * w->s.group_tiles * w->e->lanes;
}

/* ==== which products ==== */

/* Points of one dimension that are treated alike. */
typedef struct Range {
  int lo, hi, phases;
  bool cut; /* tiles that the edge cuts have none of these */
} Range;

/* Returns how many; `cut` is the number of results of a cut tile, 0: none is. */
static int ranges_of(const WinogradForm *f, int cut, Range *r) {
  int n = 0, lo = 0, kept = cut ? winograd_points(f, cut) : f->points;
  if (f->stride > 1) r[n++] = (Range){0, lo = 1, 1, false};
  if (kept > lo) r[n++] = (Range){lo, kept, f->stride, false};
  if (kept < f->points) r[n++] = (Range){kept, f->points, f->stride, true};
  return n;
}

/* The numbers of a group's tiles. */
typedef struct Tiles {
  int *number;
  int64_t n;
} Tiles;

/* Those of `images` x `rows` rows of tiles that have products of a range of rows and one of columns. */
static Tiles tiles_with(const Winograd *w, int64_t images, int64_t rows, bool cut_row, bool cut_col) {
  int64_t cols = w->s.tile_cols;
  Tiles t = {.number = alloc_n(w->e->g->cx, (size_t)(images * rows * cols), sizeof *t.number)};
  for (int64_t i = 0; i < images; i++) {
    for (int64_t r = 0; r < rows - cut_row; r++) {
      for (int64_t c = 0; c < cols - cut_col; c++) t.number[t.n++] = (int)((i * rows + r) * cols + c);
    }
  }
  return t;
}

/* ==== products ==== */

typedef struct Product {
  const Winograd *w;
  Tile tile;
  int row_phases, col_phases;
  int blocks, rest; /* to sum over in each phase: channel blocks, and channels of a last partial one */
  bool first;       /* M starts at zero */
} Product;

/* The kernel's arguments; u are the weights of phases (0, 0), (0, 1), (1, 0), (1, 1), with stride 1 only the first. */
enum { PHASES = 4 };

typedef struct Operands {
  Ref v, m, pf, u[PHASES];
} Operands;

enum { ARG_V, ARG_M, ARG_PF, ARG_U, ARG_COUNT = ARG_U + PHASES };

/* The accumulator's place in M. */
static int64_t sum_at(const Product *p, int i) {
  int64_t block = p->w->s.group_tiles * p->w->e->lanes;
  return (i / p->tile.uw * block + p->tile.in[i % p->tile.uw]) * 4;
}

/* As many sums must go on at once as an FMA takes cycles times those begun in one: small tiles have several sets. */
static int set_count(const Tile *t) {
  int n = t->uw * t->nb;
  return n > 6 ? 1 : n > 2 ? 2 : 4;
}

/* All channels of a phase; acc holds the sets of sums, the weights' and the prefetch pointer. */
static void sum_phase(const Product *p, Ref v, Ref *acc) {
  Emit *e = p->w->e;
  int pointers = p->tile.uw * p->tile.nb * p->tile.sets;
  int64_t block_bytes = p->w->s.group_tiles * e->lanes * 4;
  if (p->blocks > 0) {
    Loop block;
    loop_begin(e, &block, const_i64(e, 0), const_i64(e, p->blocks), 1, pointers + 2, acc);
    tile_sums(e, &p->tile, gep(e, v, block.i, block_bytes), e->lanes, acc, &acc[pointers], &acc[pointers + 1]);
    loop_end(e, &block);
  }
  v = gep_const(e, v, p->blocks * block_bytes);
  if (p->rest) tile_sums(e, &p->tile, v, p->rest, acc, &acc[pointers], &acc[pointers + 1]);
}

static Ref select_phase(Emit *e, Ref phase, Ref first, Ref second) {
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, phase, const_i64(e, 0), ""), first, second, "");
}

/* U of phase (row, col); there are so many of each. */
static Ref weights_of_phase(const Product *p, Ref row, Ref col) {
  Emit *e = p->w->e;
  Ref u[PHASES] = {LLVMGetParam(e->fn, ARG_U)};
  for (int i = 1; p->w->f.stride > 1 && i < PHASES; i++) u[i] = LLVMGetParam(e->fn, (unsigned)(ARG_U + i));
  Ref first = p->col_phases > 1 ? select_phase(e, col, u[0], u[1]) : u[0];
  if (p->row_phases == 1) return first;
  return select_phase(e, row, first, p->col_phases > 1 ? select_phase(e, col, u[2], u[3]) : u[2]);
}

/* All phases, in loops: unrolled the kernels of a layer would not fit the caches of instructions. */
static void sum_phases(const Product *p, Ref *acc) {
  Emit *e = p->w->e;
  int all = p->tile.uw * p->tile.nb * p->tile.sets;
  Loop row, col;
  loop_begin(e, &row, const_i64(e, 0), const_i64(e, p->row_phases), 1, all + 2, acc);
  Ref v = gep(e, LLVMGetParam(e->fn, ARG_V), row.i, winograd_phase_at(p->w, 1, 0) * 4);
  loop_begin(e, &col, const_i64(e, 0), const_i64(e, p->col_phases), 1, all + 2, acc);
  acc[all] = weights_of_phase(p, row.i, col.i);
  sum_phase(p, gep(e, v, col.i, winograd_phase_at(p->w, 0, 1) * 4), acc);
  loop_end(e, &col);
  loop_end(e, &row);
}

/* M (+)= V U for `uw` tiles. */
static void build_product(const void *data) {
  const Product *p = data;
  Emit *e = p->w->e;
  int n = p->tile.uw * p->tile.nb, all = n * p->tile.sets;
  Ref acc[64], m = LLVMGetParam(e->fn, ARG_M);
  for (int i = 0; i < all; i++) {
    acc[i] = i >= n || p->first ? LLVMConstNull(e->vec) : load(e, e->vec, m, sum_at(p, i), e->lanes * 4);
  }
  acc[all] = LLVMGetParam(e->fn, ARG_U);
  acc[all + 1] = LLVMGetParam(e->fn, ARG_PF);
  sum_phases(p, acc);
  for (int i = n; i < all; i++) acc[i % n] = fadd(e, acc[i % n], acc[i]);
  for (int i = 0; i < n; i++) store(e, acc[i], m, sum_at(p, i), e->lanes * 4);
}

static void product(const Product *p, const Operands *o, int64_t tile, int64_t prefetched) {
  Emit *e = p->w->e;
  Buffer key = {0};
  buffer_printf(&key, "winograd_product_%dx%d_b%d+%d_%s_p%dx%d_t%lld.%lld_pf%d.%lld", p->tile.uw, p->tile.nb, p->blocks, p->rest,
                p->first ? "f" : "", p->row_phases, p->col_phases, (long long)p->w->s.group_tiles,
                (long long)p->w->s.in_blocks, p->tile.prefetch, (long long)p->tile.ahead);
  for (int i = 1; i < p->tile.uw; i++) buffer_printf(&key, "_%lld", (long long)p->tile.in[i]);
  buffer_add(&key, "", 1);
  Ref args[ARG_COUNT] = {gep_const(e, o->v, tile * e->lanes * 4), gep_const(e, o->m, tile * e->lanes * 4),
                         gep_const(e, o->pf, prefetched), o->u[0], o->u[1], o->u[2], o->u[3]};
  call_kernel(e, key.data, p->w->f.stride == 1 ? ARG_U + 1 : ARG_COUNT, args, build_product, p);
  buffer_free(&key);
}

/* All these tiles for one frequency; `lines` of what comes next are fetched meanwhile. */
static void products(Product p, const Tiles *t, const Operands *o, int64_t lines) {
  int64_t most = p.w->plan->uw, count = (t->n + most - 1) / most, first = 0;
  int64_t sums = (p.blocks + (p.rest > 0)) * p.row_phases * p.col_phases;
  p.tile.prefetch = count ? (int)((lines + sums * count - 1) / (sums * count)) : 0;
  for (int64_t i = 0; i < count; i++) {
    p.tile.uw = (int)(t->n / count + (i >= count - t->n % count));
    for (int k = 0; k < p.tile.uw; k++) p.tile.in[k] = (t->number[first + k] - t->number[first]) * (int64_t)p.w->e->lanes;
    p.tile.sets = set_count(&p.tile);
    product(&p, o, t->number[first], i * sums * p.tile.prefetch * 64);
    first += p.tile.uw;
  }
}

/* ==== weights on the fly ====
 * U of a chunk of channels and one row point, in regions [channel][nb][V]: one for each column point. With two phases follow
 * one for phase (0, 1), whose weights are the same at all column points, and as many for (1, 0), the same at all row points
 * and so made only once. What is given of all these, and with it phase (1, 1), has no need to be there. */

typedef struct WeightsRow {
  const Winograd *w;
  int i, channels, nb;
} WeightsRow;

/* At how many column points are the weights of row point i given? */
static int given_points(const Winograd *w, int i) { return i < w->f.taps ? w->f.taps : 0; }

/* Bytes of one of a chunk's given weights. */
static int64_t given_bytes(const WeightsRow *r) { return r->channels * line_bytes(r->w, r->nb); }

/* Where in g the given weights in row i and column j are: those of the second phase follow those at points of the first. */
static int64_t given_at(const WeightsRow *r, int i, int j) { return (i * r->w->f.kernel + j) * given_bytes(r); }

/* Where in U the first region of a phase is. */
static int64_t phase_at(const WeightsRow *r, int pr, int pc) {
  const Winograd *w = r->w;
  return (pr * (w->f.points + 1) + pc * w->f.points) * region_bytes(w, r->nb);
}

/* One block of a channel at all column points but the first ones: t are its columns at the row point. */
static void weights_of_points(const WeightsRow *r, int first, const Ref *t, Ref u, int64_t at) {
  const Winograd *w = r->w;
  for (int j = first; j < w->f.points; j++) {
    store(w->e, winograd_weight(w, j, t), u, j * region_bytes(w, r->nb) + at, w->e->lanes * 4);
  }
}

static void weights_of_block(const WeightsRow *r, Ref g, Ref u, int64_t at) {
  const Winograd *w = r->w;
  Emit *e = w->e;
  int taps = w->f.taps, align = e->lanes * 4;
  int64_t step = given_bytes(r);
  Ref t[WINOGRAD_KERNEL];
  for (int c = 0; c < taps; c++) t[c] = winograd_column(w, r->i, c, g, at, step);
  weights_of_points(r, given_points(w, r->i), t, u, at);
  if (w->f.stride == 1) return;
  if (r->i >= taps) store(e, winograd_column(w, r->i, taps, g, at, step), u, phase_at(r, 0, 1) + at, align);
  if (r->i != 1) return;
  for (int c = 0; c < taps; c++) t[c] = load(e, e->vec, g, given_at(r, taps, c) + at, align);
  weights_of_points(r, taps, t, u, phase_at(r, 1, 0) + at);
}

/* Row point i of the transformed weights of `channels` input channels, from g [given weight][channel][nb][V]. */
static void build_weights_row(const void *data) {
  const WeightsRow *r = data;
  Emit *e = r->w->e;
  int64_t line = line_bytes(r->w, r->nb);
  Loop k;
  loop_begin(e, &k, const_i64(e, 0), const_i64(e, r->channels), 1, 0, NULL);
  Ref g = gep(e, LLVMGetParam(e->fn, 0), k.i, line), u = gep(e, LLVMGetParam(e->fn, 1), k.i, line);
  for (int b = 0; b < r->nb; b++) weights_of_block(r, g, u, b * e->lanes * 4);
  loop_end(e, &k);
}

static void weights_row(const WeightsRow *r, Ref g, Ref u) {
  const WinogradForm *f = &r->w->f;
  char key[128];
  snprintf(key, sizeof key, "winograd_weights_m%d_k%d_s%d_%d_%dx%d_%d", f->m, f->kernel, f->stride, r->i, r->channels, r->nb,
           r->w->plan->chunk);
  call_kernel(r->w->e, key, 2, (Ref[]){g, u}, build_weights_row, r);
}

/* ==== weights transformed in registers ====
 * With at most four tiles the weights are used too seldom to be worth storing: row i of the transformed weights is made in
 * registers channel by channel, and its frequencies times the tiles are 24 accumulators. */

enum { FUSED_SUMS = 24, FUSED_UNROLL = 4 };

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
    Tiles t = tiles_with(w, w->plan->group_images, w->s.tile_rows, i >= kept_rows, j >= kept_cols);
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
  int64_t line = e->lanes * 4, step = r->blocks * e->lanes * line;
  Ref t[WINOGRAD_KERNEL], u = NULL;
  for (int c = 0; c < w->f.taps; c++) t[c] = winograd_column(w, r->i, c, g, channel * line, step);
  for (int k = 0; k < r->n; k++) {
    if (k == 0 || r->j[k] != r->j[k - 1]) u = winograd_weight(w, r->j[k], t);
    int64_t at = (r->j[k] * w->s.v_frequency + r->number[k] * e->lanes + channel) * 4;
    acc[k] = fma_(e, splat(e, load(e, e->f32, v, at, 4), e->lanes), u, acc[k]);
  }
}

static int64_t fused_sum_at(const FusedRow *r, int k) {
  return (r->j[k] * r->w->s.m_frequency + r->number[k] * r->w->e->lanes) * 4;
}

/* Row i for a chunk of whole blocks: arguments g, V, M, and what to prefetch. */
static void build_fused_row(const void *data) {
  const FusedRow *r = data;
  const Winograd *w = r->w;
  Emit *e = w->e;
  int n = r->n, points = w->f.points, taps = w->f.kernel * w->f.kernel;
  int lines = (taps * FUSED_UNROLL * e->lanes * 4 / 64 + points - 1) / points;
  Ref acc[FUSED_SUMS + 2], m = LLVMGetParam(e->fn, 2);
  for (int k = 0; k < n; k++) {
    acc[k] = r->first ? LLVMConstNull(e->vec) : load(e, e->vec, m, fused_sum_at(r, k), e->lanes * 4);
  }
  acc[n] = LLVMGetParam(e->fn, 0);
  acc[n + 1] = LLVMGetParam(e->fn, 3);
  Loop block, part;
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, r->blocks), 1, n + 2, acc);
  Ref v = gep(e, LLVMGetParam(e->fn, 1), block.i, w->s.group_tiles * e->lanes * 4);
  loop_begin(e, &part, const_i64(e, 0), const_i64(e, e->lanes), FUSED_UNROLL, n + 2, acc);
  for (int k = 0; k < lines; k++) prefetch(e, acc[n + 1], k * 64, false, 2);
  for (int k = 0; k < FUSED_UNROLL; k++) fused_channel(r, acc[n], gep(e, v, part.i, 4), k, acc);
  acc[n] = gep_const(e, acc[n], FUSED_UNROLL * e->lanes * 4);
  acc[n + 1] = gep_const(e, acc[n + 1], lines * 64);
  loop_end(e, &part);
  loop_end(e, &block);
  for (int k = 0; k < n; k++) store(e, acc[k], m, fused_sum_at(r, k), e->lanes * 4);
}

/* A chunk of input channels, as chunk_on_the_fly. */
static void chunk_fused(const Winograd *w, Ref m, Ref g, Ref v, int blocks, bool first) {
  Emit *e = w->e;
  int points = w->f.points;
  int64_t bytes = (int64_t)w->f.kernel * w->f.kernel * blocks * e->lanes * e->lanes * 4;
  for (int i = 0; i < points; i++) {
    FusedRow r = fused_row(w, i, blocks, first);
    char key[128];
    snprintf(key, sizeof key, "winograd_fused_m%d_r%d_%d_b%d_%s_t%lld_cut%dx%d_v%lld", w->f.m, w->f.taps, i, blocks,
             first ? "f" : "", (long long)w->s.group_tiles, w->s.cut_rows, w->s.cut_cols, (long long)w->s.v_frequency);
    Ref args[] = {g, gep_const(e, v, i * points * w->s.v_frequency * 4), gep_const(e, m, i * points * w->s.m_frequency * 4),
                  gep_const(e, g, bytes + bytes / points * i)};
    call_kernel(e, key, 4, args, build_fused_row, &r);
  }
}

bool winograd_fuses(const WinogradForm *f, const ConvPlan *p, const Shape *y, const Target *t) {
  WinogradSizes s = winograd_sizes(f, p, y, t->lanes);
  bool few = s.one_group && f->points * s.group_tiles <= FUSED_SUMS;
  return t->regs == 32 && f->stride == 1 && few && p->icg % t->lanes == 0;
}

/* ==== one panel of output channels over one group ==== */

typedef struct Group {
  WinogradArea area;
  Ref v, u;         /* transformed input, transformed weights of a chunk */
} Group;

/* The weights of a row point and phase of rows: one for each column point, so many bytes apart, the first `n_given` of them
 * elsewhere; and those of the second phase of columns. */
typedef struct RowWeights {
  Ref u, given, second;
  int64_t step, given_step;
  int n_given;
} RowWeights;

static Ref weights_at(Emit *e, const RowWeights *r, Ref j) {
  Ref u = gep(e, r->u, j, r->step);
  if (r->n_given == 0) return u;
  Ref is_given = LLVMBuildICmp(e->b, LLVMIntSLT, j, const_i64(e, r->n_given), "");
  return LLVMBuildSelect(e->b, is_given, gep(e, r->given, j, r->given_step), u, "");
}

/* Products of row point i, a constant or not, at a range of column points; u are the weights of as many phases as the stride.
 * The operands are those of the column point 0; what to fetch has so many bytes for each. */
static void range_products(Product p, const Tiles *t, Ref i, const Range *cols, Operands o, const RowWeights *u,
                           int64_t fetched) {
  const Winograd *w = p.w;
  Emit *e = w->e;
  Loop j;
  p.col_phases = cols->phases;
  loop_begin(e, &j, const_i64(e, cols->lo), const_i64(e, cols->hi), 1, 0, NULL);
  Ref frequency = add_i(e, mul_i(e, i, w->f.points), j.i);
  o.v = gep(e, o.v, frequency, w->s.v_frequency * 4);
  o.m = gep(e, o.m, frequency, w->s.m_frequency * 4);
  o.pf = gep(e, o.pf, j.i, fetched);
  for (int phase = 0; phase < w->f.stride; phase++) {
    o.u[2 * phase] = weights_at(e, &u[phase], j.i);
    o.u[2 * phase + 1] = u[phase].second;
  }
  products(p, t, &o, (fetched + 63) / 64);
  loop_end(e, &j);
}

/* Weights stored transformed, of one phase. */
static void stored_range(const Winograd *w, const Group *k, const Range *rows, const Range *cols, Ref weights, int nb) {
  Emit *e = w->e;
  int64_t bytes = w->plan->icg * line_bytes(w, nb);
  Product p = {.w = w, .tile = {.nb = nb}, .row_phases = 1, .first = true};
  p.blocks = w->plan->icg / e->lanes;
  p.rest = w->plan->icg % e->lanes;
  Tiles t = tiles_with(w, k->area.images, k->area.rows, rows->cut, cols->cut);
  Loop i;
  loop_begin(e, &i, const_i64(e, rows->lo), const_i64(e, rows->hi), 1, 0, NULL);
  RowWeights u = {.u = gep(e, weights, i.i, w->f.points * bytes), .step = bytes};
  Operands o = {.v = k->v, .m = k->area.m, .pf = gep_const(e, u.u, bytes)};
  range_products(p, &t, i.i, cols, o, &u, bytes);
  loop_end(e, &i);
}

static void panel_stored(const Winograd *w, const Group *k, Ref weights, int nb) {
  Range rows[3], cols[3];
  int n_rows = ranges_of(&w->f, w->s.cut_rows, rows), n_cols = ranges_of(&w->f, w->s.cut_cols, cols);
  for (int i = 0; i < n_rows; i++) {
    for (int j = 0; j < n_cols; j++) stored_range(w, k, &rows[i], &cols[j], weights, nb);
  }
}

/* One chunk of input channels: `g` its given weights, `v` its part of the transformed input. */
typedef struct Chunk {
  int channels, nb;
  bool first;
  Ref g, v;
} Chunk;

/* The weights of a row in both phases: that of rows has given ones only at points of the second. */
static void row_weights(const WeightsRow *r, Ref g, Ref u, RowWeights *of) {
  Emit *e = r->w->e;
  int taps = r->w->f.taps;
  RowWeights one = {.u = u, .step = region_bytes(r->w, r->nb), .n_given = given_points(r->w, r->i), .given_step = given_bytes(r)};
  one.given = gep_const(e, g, given_at(r, r->i, 0));
  one.second = r->i < taps ? gep_const(e, g, given_at(r, r->i, taps)) : gep_const(e, u, phase_at(r, 0, 1));
  of[0] = of[1] = one;
  of[1].u = gep_const(e, u, phase_at(r, 1, 0));
  of[1].n_given = taps;
  of[1].given = gep_const(e, g, given_at(r, taps, 0));
  of[1].second = gep_const(e, g, given_at(r, taps, taps));
}

/* While a frequency is treated, the next one's input comes nearer: all of it, used once a panel, has not the room in L2 that it
 * takes there. */
static void chunk_row(const Winograd *w, const Group *k, const Chunk *c, const Range *rows, int i) {
  Emit *e = w->e;
  Range cols[3];
  RowWeights u[2];
  WeightsRow row = {w, i, c->channels, c->nb};
  int n = ranges_of(&w->f, w->s.cut_cols, cols);
  int64_t bytes = w->f.kernel * w->f.kernel * given_bytes(&row), fetched = bytes / frequencies(w);
  Product p = {.w = w, .tile = {.nb = c->nb}, .row_phases = rows->phases, .first = c->first};
  p.tile.ahead = w->s.v_frequency * 4;
  p.blocks = c->channels / e->lanes;
  p.rest = c->channels % e->lanes;
  row_weights(&row, c->g, k->u, u);
  weights_row(&row, c->g, k->u);
  Operands o = {.v = c->v, .m = k->area.m, .pf = gep_const(e, c->g, bytes + i * w->f.points * fetched)};
  for (int r = 0; r < n; r++) {
    Tiles t = tiles_with(w, k->area.images, k->area.rows, rows->cut, cols[r].cut);
    range_products(p, &t, const_i64(e, i), &cols[r], o, u, fetched);
  }
}

static void chunk_on_the_fly(const Winograd *w, const Group *k, const Chunk *c) {
  Range rows[3];
  int n = ranges_of(&w->f, w->s.cut_rows, rows);
  for (int r = 0; r < n; r++) {
    for (int i = rows[r].lo; i < rows[r].hi; i++) chunk_row(w, k, c, &rows[r], i);
  }
}

static void panel_fused(const Winograd *w, const Group *k, Ref weights) {
  Emit *e = w->e;
  int blocks = w->plan->chunk, chunks = (int)(w->s.in_blocks / blocks), rest = (int)(w->s.in_blocks % blocks);
  int64_t g_step = (int64_t)w->f.kernel * w->f.kernel * blocks * e->lanes * e->lanes * 4;
  int64_t v_step = blocks * w->s.group_tiles * e->lanes * 4;
  if (chunks > 0) chunk_fused(w, k->area.m, weights, k->v, blocks, true);
  if (chunks > 1) {
    Loop c;
    loop_begin(e, &c, const_i64(e, 1), const_i64(e, chunks), 1, 0, NULL);
    chunk_fused(w, k->area.m, gep(e, weights, c.i, g_step), gep(e, k->v, c.i, v_step), blocks, false);
    loop_end(e, &c);
  }
  if (rest == 0) return;
  Ref g = gep_const(e, weights, chunks * g_step), v = gep_const(e, k->v, chunks * v_step);
  chunk_fused(w, k->area.m, g, v, rest, chunks == 0);
}

/* Chunk number `number` of a panel. */
static Chunk chunk_at(const Winograd *w, const Group *k, Ref weights, Ref number, int channels, int nb) {
  int64_t whole = (int64_t)w->plan->chunk * w->e->lanes, taps = w->f.kernel * w->f.kernel;
  return (Chunk){.channels = channels, .nb = nb, .g = gep(w->e, weights, number, taps * whole * line_bytes(w, nb)),
                 .v = gep(w->e, k->v, number, whole * w->s.group_tiles * 4)};
}

static void panel_on_the_fly(const Winograd *w, const Group *k, Ref weights, int nb) {
  Emit *e = w->e;
  int whole = w->plan->chunk * e->lanes, chunks = w->plan->icg / whole, rest = w->plan->icg % whole;
  if (chunks > 0) {
    Chunk c = chunk_at(w, k, weights, const_i64(e, 0), whole, nb);
    c.first = true;
    chunk_on_the_fly(w, k, &c);
  }
  if (chunks > 1) {
    Loop number;
    loop_begin(e, &number, const_i64(e, 1), const_i64(e, chunks), 1, 0, NULL);
    Chunk c = chunk_at(w, k, weights, number.i, whole, nb);
    chunk_on_the_fly(w, k, &c);
    loop_end(e, &number);
  }
  if (rest == 0) return;
  Chunk c = chunk_at(w, k, weights, const_i64(e, chunks), rest, nb);
  c.first = chunks == 0;
  chunk_on_the_fly(w, k, &c);
}

static void panel_of_group(const Winograd *w, const Group *k, Ref panel, int nb) {
  Emit *e = w->e;
  int64_t terms = w->plan->stored ? frequencies(w) : w->f.kernel * w->f.kernel;
  Ref weights = gep(e, weights_ptr(e, w->plan->weights), panel, terms * w->plan->icg * line_bytes(w, w->plan->nb));
  if (w->plan->stored) panel_stored(w, k, weights, nb);
  else if (w->plan->fused) panel_fused(w, k, weights);
  else panel_on_the_fly(w, k, weights, nb);
  winograd_output(w, &k->area, nb, panel);
}

/* Panels [lo, hi) of a group; the last of all may be narrower. */
static void panels_of_group(const Winograd *w, const Group *k, Ref lo, Ref hi) {
  Emit *e = w->e;
  int64_t full = w->s.out_blocks / w->plan->nb;
  int rest = (int)(w->s.out_blocks % w->plan->nb);
  Loop panel;
  loop_begin(e, &panel, lo, hi, 1, 0, NULL);
  if (rest == 0) {
    panel_of_group(w, k, panel.i, w->plan->nb);
  } else {
    If branch;
    if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntSLT, panel.i, const_i64(e, full), ""));
    panel_of_group(w, k, panel.i, w->plan->nb);
    if_end(e, &branch);
    if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntEQ, panel.i, const_i64(e, full), ""));
    panel_of_group(w, k, panel.i, rest);
    if_end(e, &branch);
  }
  loop_end(e, &panel);
}

/* ==== layers ==== */

static int64_t panel_count(const Winograd *w) { return (w->s.out_blocks + w->plan->nb - 1) / w->plan->nb; }

static Ref shared_v(const Winograd *w, Ref group) {
  return gep(w->e, value_ptr(w->e, w->plan->work), group, frequencies(w) * w->s.v_frequency * 4);
}

/* Row `row` of an image, which may be the map's last. */
static void any_input_row(const Winograd *w, Ref image, Ref row, Ref block, Ref v) {
  Emit *e = w->e;
  if (!w->s.cut_rows) {
    winograd_input_row(w, image, row, block, false, v);
    return;
  }
  If branch;
  Ref last = const_i64(e, w->s.tile_rows - 1);
  if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntNE, row, last, ""));
  winograd_input_row(w, image, row, block, false, v);
  if_end(e, &branch);
  if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntEQ, row, last, ""));
  winograd_input_row(w, image, row, block, true, v);
  if_end(e, &branch);
}

/* First phase with a shared V: rows of tiles of each channel block. */
static void phase_input(const Winograd *w) {
  Emit *e = w->e;
  Ref lo, hi, rows = const_i64(e, w->s.tile_rows), blocks = const_i64(e, w->s.in_blocks);
  Ref images = const_i64(e, w->plan->group_images);
  emit_halo(e, w->n->out[0]);
  task_range(e, w->images * w->s.tile_rows * w->s.in_blocks, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref line = LLVMBuildSDiv(e->b, item.i, blocks, ""), block = LLVMBuildSRem(e->b, item.i, blocks, "");
  Ref image = LLVMBuildSDiv(e->b, line, rows, ""), row = LLVMBuildSRem(e->b, line, rows, "");
  Ref group = LLVMBuildSDiv(e->b, image, images, ""), place = LLVMBuildSRem(e->b, image, images, "");
  Ref v = gep(e, shared_v(w, group), add_i(e, mul_i(e, place, w->s.tile_rows), row), w->s.tile_cols * e->lanes * 4);
  any_input_row(w, image, row, block, v);
  loop_end(e, &item);
}

/* Second phase: panels of output channels. */
static void phase_panels(const Winograd *w) {
  Emit *e = w->e;
  Ref lo, hi;
  int64_t panels = panel_count(w), images = w->plan->group_images;
  task_range(e, w->images / images * panels, &lo, &hi);
  Group k = {.area = {.first = const_i64(e, 0), .images = images, .rows = w->s.tile_rows}};
  k.area.m = gep_const(e, scratch_ptr(e), w->s.m_at);
  k.u = gep_const(e, k.area.m, frequencies(w) * w->s.m_frequency * 4);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref group = LLVMBuildSDiv(e->b, item.i, const_i64(e, panels), "");
  k.area.image = mul_i(e, group, images);
  k.v = shared_v(w, group);
  Ref panel = LLVMBuildSRem(e->b, item.i, const_i64(e, panels), "");
  panels_of_group(w, &k, panel, add_i(e, panel, const_i64(e, 1)));
  loop_end(e, &item);
}

static void whole_group(const Winograd *w, Group *k) {
  Emit *e = w->e;
  Loop row, block;
  loop_begin(e, &row, const_i64(e, 0), const_i64(e, k->area.rows), 1, 0, NULL);
  Ref v = gep(e, k->v, row.i, w->s.tile_cols * e->lanes * 4);
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, w->s.in_blocks), 1, 0, NULL);
  winograd_input_row(w, k->area.image, add_i(e, k->area.first, row.i), block.i, false, v);
  loop_end(e, &block);
  loop_end(e, &row);
  panels_of_group(w, k, const_i64(e, 0), const_i64(e, panel_count(w)));
}

/* Rows [lo, hi) of tiles of one image: whole groups, then what is left row by row. */
static void rows_by_groups(const Winograd *w, Group *k, Ref lo, Ref hi) {
  Emit *e = w->e;
  int64_t rows[] = {w->plan->tile_rows, 1};
  for (int i = 0; i < (rows[0] > 1 ? 2 : 1); i++) {
    Ref count = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, hi, lo, ""), const_i64(e, rows[i]), "");
    Loop group;
    k->area.rows = rows[i];
    loop_begin(e, &group, const_i64(e, 0), count, 1, 0, NULL);
    k->area.first = add_i(e, lo, mul_i(e, group.i, rows[i]));
    whole_group(w, k);
    loop_end(e, &group);
    lo = add_i(e, lo, mul_i(e, count, rows[i]));
  }
}

/* One phase: each worker transforms for itself. The tasks share out rows of tiles, so that any number of them has about
 * the same to do, and cut their rows into groups. */
static void by_groups(const Winograd *w) {
  Emit *e = w->e;
  Ref lo, hi, all = const_i64(e, w->s.tile_rows);
  emit_halo(e, w->n->out[0]);
  task_range(e, w->images * w->s.tile_rows, &lo, &hi);
  Group k = {.area.images = 1, .v = scratch_ptr(e)};
  k.area.m = gep_const(e, k.v, w->s.m_at);
  k.u = gep_const(e, k.area.m, frequencies(w) * w->s.m_frequency * 4);
  Loop image;
  loop_begin(e, &image, const_i64(e, 0), const_i64(e, w->images), 1, 0, NULL);
  k.area.image = image.i;
  Ref first = mul_i(e, image.i, w->s.tile_rows);
  Ref from, to;
  part_of_range(e, lo, hi, first, all, &from, &to);
  If some;
  if_begin(e, &some, LLVMBuildICmp(e->b, LLVMIntSLT, from, to, ""));
  rows_by_groups(w, &k, from, to);
  if_end(e, &some);
  loop_end(e, &image);
}

void emit_winograd(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Winograd w = {.e = e, .n = n, .plan = n->plan, .in = &n->in[0]->layout, .out = &n->out[0]->layout, .images = y->d[0],
                .rows = y->d[2], .cols = y->d[3]};
  w.f = winograd_form_of(n, n->plan);
  w.s = winograd_sizes(&w.f, n->plan, y, e->lanes);
  if (!w.plan->shared) by_groups(&w);
  else if (e->phase == 0) phase_input(&w);
  else phase_panels(&w);
}
