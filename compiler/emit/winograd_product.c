/* winograd_product.c: the small matrix products of Winograd's algorithm: which tiles have one at a frequency, and the
 * kernel that sums V U over channels and parities. */
#include "winograd.h"

#include <llvm-c/Core.h>

int64_t winograd_parity_at(const Winograd *w, int pr, int pc) {
  return (pr * w->f.stride + pc) * w->s.v_parity;
}

/* ==== which products ==== */

int winograd_ranges(const WinogradForm *f, int cut, WinogradRange *r) {
  int n = 0, lo = 0, kept = cut ? winograd_points(f, cut) : f->points;
  if (f->stride > 1) r[n++] = (WinogradRange){0, lo = 1, 1, false};
  if (kept > lo) r[n++] = (WinogradRange){lo, kept, f->stride, false};
  if (kept < f->points) r[n++] = (WinogradRange){kept, f->points, f->stride, true};
  return n;
}

/* Groups of several rows have few tiles, see choose_group in select.c. */
enum { MAX_LISTED = 64 };

WinogradTiles winograd_tiles(const Winograd *w, int64_t images, int64_t rows, bool cut_row, bool cut_col) {
  int64_t cols = w->s.tile_cols, all = images * rows * cols;
  WinogradTiles t = {.n = images * (rows - cut_row) * (cols - cut_col)};
  if (all > MAX_LISTED) {
    assert(images * rows == 1);
    return t;
  }
  t.number = alloc_n(w->e->g->cx, (size_t)all, sizeof *t.number);
  int n = 0;
  for (int i = 0; i < all; i++) {
    if (i / cols % rows < rows - cut_row && i % cols < cols - cut_col) t.number[n++] = i;
  }
  return t;
}

/* ==== the kernel ==== */

enum { ARG_V, ARG_M, ARG_PF, ARG_U, ARG_COUNT = ARG_U + PARITIES };

/* The accumulator's place in M. */
static int64_t sum_at(const WinogradProduct *p, int i) {
  int64_t block = p->w->s.group_tiles * p->w->e->vec_bytes;
  return i / p->tile.uw * block + p->tile.in[i % p->tile.uw];
}

/* As many sums must go on at once as an FMA takes cycles times those begun in one: small tiles have several sets. Not where the number
 * of threads decides how many tiles a group has: the order of a sum would depend on it. */
static int set_count(const WinogradProduct *p) {
  int n = p->tile.uw * p->tile.nb;
  bool any_group = !p->w->s.one_group && p->w->plan->tile_rows > 1;
  return p->tile.dot || any_group ? 1 : n > 6 ? 1 : n > 2 ? 2 : 4;
}

/* All channels of a parity; acc holds the sets of sums, the weights' and the prefetch pointer. */
static void sum_parity(const WinogradProduct *p, Ref v, Ref *acc) {
  Emit *e = p->w->e;
  int pointers = p->tile.uw * p->tile.nb * p->tile.sets;
  int64_t block_bytes = p->w->s.group_tiles * e->vec_bytes;
  if (p->blocks > 0) {
    Loop block;
    loop_begin(e, &block, const_i64(e, 0), const_i64(e, p->blocks), 1, pointers + 2, acc);
    tile_sums(e, &p->tile, gep(e, v, block.i, block_bytes), e->lanes, acc, &acc[pointers], &acc[pointers + 1]);
    loop_end(e, &block);
  }
  v = gep_const(e, v, p->blocks * block_bytes);
  if (p->rest) tile_sums(e, &p->tile, v, p->rest, acc, &acc[pointers], &acc[pointers + 1]);
}

static Ref select_parity(Emit *e, Ref parity, Ref first, Ref second) {
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, parity, const_i64(e, 0), ""), first, second, "");
}

static bool one_parity(const WinogradProduct *p) { return p->row_parities * p->col_parities == 1; }

/* U of parity (row, col); there are so many of each. */
static Ref weights_of_parity(const WinogradProduct *p, Ref row, Ref col) {
  Emit *e = p->w->e;
  Ref u[PARITIES] = {LLVMGetParam(e->fn, ARG_U)};
  for (int i = 1; !one_parity(p) && i < PARITIES; i++) u[i] = LLVMGetParam(e->fn, (unsigned)(ARG_U + i));
  Ref first = p->col_parities > 1 ? select_parity(e, col, u[0], u[1]) : u[0];
  if (p->row_parities == 1) return first;
  return select_parity(e, row, first, p->col_parities > 1 ? select_parity(e, col, u[2], u[3]) : u[2]);
}

/* All parities, in loops: unrolled the kernels of a layer would not fit the caches of instructions. */
static void sum_parities(const WinogradProduct *p, Ref *acc) {
  Emit *e = p->w->e;
  int all = p->tile.uw * p->tile.nb * p->tile.sets;
  Loop row, col;
  loop_begin(e, &row, const_i64(e, 0), const_i64(e, p->row_parities), 1, all + 2, acc);
  Ref v = gep(e, LLVMGetParam(e->fn, ARG_V), row.i, winograd_parity_at(p->w, 1, 0) * F32_BYTES);
  loop_begin(e, &col, const_i64(e, 0), const_i64(e, p->col_parities), 1, all + 2, acc);
  acc[all] = weights_of_parity(p, row.i, col.i);
  sum_parity(p, gep(e, v, col.i, winograd_parity_at(p->w, 0, 1) * F32_BYTES), acc);
  loop_end(e, &col);
  loop_end(e, &row);
}

/* M (+)= V U for `uw` tiles. */
static void build_product(const void *data) {
  const WinogradProduct *p = data;
  Emit *e = p->w->e;
  int n = p->tile.uw * p->tile.nb, all = n * p->tile.sets;
  Ref acc[64], m = LLVMGetParam(e->fn, ARG_M);
  LLVMTypeRef type = p->tile.dot ? vec_of(e->i32, e->lanes) : e->vec;
  for (int i = 0; i < all; i++) {
    acc[i] = i >= n || p->first ? LLVMConstNull(type) : load(e, type, m, sum_at(p, i), e->vec_bytes);
  }
  acc[all] = LLVMGetParam(e->fn, ARG_U);
  acc[all + 1] = LLVMGetParam(e->fn, ARG_PF);
  sum_parities(p, acc);
  for (int i = n; i < all; i++) acc[i % n] = add_f(e, acc[i % n], acc[i]);
  for (int i = 0; i < n; i++) store(e, acc[i], m, sum_at(p, i), e->vec_bytes);
}

static void product(const WinogradProduct *p, const WinogradOperands *o, Ref tile, Ref prefetched) {
  Emit *e = p->w->e;
  Buffer key = {0};
  buffer_printf(&key, "winograd_product_%dx%d_s%d_b%d+%d_%s_p%dx%d_t%lld.%lld_pf%d.%lld", p->tile.uw, p->tile.nb, p->tile.sets,
                p->blocks, p->rest, p->first ? "f" : "", p->row_parities, p->col_parities,
                (long long)p->w->s.group_tiles, (long long)p->w->s.in_blocks, p->tile.prefetch, (long long)p->tile.ahead);
  if (p->tile.dot) buffer_printf(&key, "_i32");
  for (int i = 1; i < p->tile.uw; i++) buffer_printf(&key, "_%lld", (long long)p->tile.in[i] / F32_BYTES);
  buffer_add(&key, "", 1);
  Ref args[ARG_COUNT] = {gep(e, o->v, tile, e->vec_bytes), gep(e, o->m, tile, e->vec_bytes), gep(e, o->pf, prefetched, 1),
                         o->u[0], o->u[1], o->u[2], o->u[3]};
  call_kernel(e, key.data, one_parity(p) ? ARG_U + 1 : ARG_COUNT, args, build_product, p);
  buffer_free(&key);
}

/* One product of tiles [first, first + p->tile.uw) of a list. */
static void listed_product(WinogradProduct p, const WinogradTiles *t, const WinogradOperands *o, int64_t first, int64_t fetched) {
  Emit *e = p.w->e;
  for (int k = 0; k < p.tile.uw; k++) p.tile.in[k] = (t->number[first + k] - t->number[first]) * (int64_t)e->vec_bytes;
  p.tile.sets = set_count(&p);
  product(&p, o, const_i64(e, t->number[first]), const_i64(e, fetched));
}

/* `count` products of p.tile.uw tiles each, from `first` on, in a row of many. */
static void row_of_products(WinogradProduct p, const WinogradOperands *o, int64_t first, int64_t count, int64_t fetched, int64_t step) {
  Emit *e = p.w->e;
  if (count == 0) return;
  for (int k = 0; k < p.tile.uw; k++) p.tile.in[k] = k * (int64_t)e->vec_bytes;
  p.tile.sets = set_count(&p);
  Loop i;
  loop_begin(e, &i, const_i64(e, 0), const_i64(e, count), 1, 0, NULL);
  Ref tile = add_i(e, mul_i(e, i.i, p.tile.uw), const_i64(e, first));
  product(&p, o, tile, add_i(e, mul_i(e, i.i, step), const_i64(e, fetched)));
  loop_end(e, &i);
}

/* All these tiles for one frequency; `lines` of what comes next are fetched meanwhile. The smaller products come first. */
static void products(WinogradProduct p, const WinogradTiles *t, const WinogradOperands *o, int64_t lines) {
  int64_t most = p.w->plan->uw, count = (t->n + most - 1) / most, first = 0;
  if (count == 0) return;
  int64_t sums = (p.blocks + (p.rest > 0)) * p.row_parities * p.col_parities, smaller = count - t->n % count;
  p.tile.prefetch = (int)((lines + sums * count - 1) / (sums * count));
  int64_t step = sums * p.tile.prefetch * 64;
  int size = (int)(t->n / count);
  if (!t->number) {
    p.tile.uw = size;
    row_of_products(p, o, 0, smaller, 0, step);
    p.tile.uw = size + 1;
    row_of_products(p, o, smaller * size, count - smaller, smaller * step, step);
    return;
  }
  for (int64_t i = 0; i < count; i++, first += p.tile.uw) {
    p.tile.uw = size + (i >= smaller);
    listed_product(p, t, o, first, i * step);
  }
}

/* ==== a range of column points ==== */

static Ref weights_at(Emit *e, const WinogradPlaces *r, Ref j) {
  Ref u = gep(e, r->u, j, r->step);
  if (r->n_given == 0) return u;
  Ref is_given = LLVMBuildICmp(e->b, LLVMIntSLT, j, const_i64(e, r->n_given), "");
  return LLVMBuildSelect(e->b, is_given, gep(e, r->given, j, r->given_step), u, "");
}

void winograd_range_products(WinogradProduct p, const WinogradTiles *t, Ref i, const WinogradRange *cols, WinogradOperands o,
                             const WinogradPlaces *u, int64_t fetched) {
  const Winograd *w = p.w;
  Emit *e = w->e;
  Loop j;
  p.col_parities = cols->parities;
  loop_begin(e, &j, const_i64(e, cols->lo), const_i64(e, cols->hi), 1, 0, NULL);
  Ref frequency = add_i(e, mul_i(e, i, w->f.points), j.i);
  o.v = gep(e, o.v, frequency, w->s.v_frequency * F32_BYTES);
  o.m = gep(e, o.m, frequency, w->s.m_frequency * F32_BYTES);
  o.pf = gep(e, o.pf, j.i, fetched);
  for (int parity = 0; parity < w->f.stride; parity++) {
    o.u[2 * parity] = weights_at(e, &u[parity], j.i);
    o.u[2 * parity + 1] = u[parity].second;
  }
  products(p, t, &o, (fetched + 63) / 64);
  loop_end(e, &j);
}
