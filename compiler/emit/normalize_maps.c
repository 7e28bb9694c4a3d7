/* normalize_maps.c: normalisation by statistics of whole maps on channel blocks, in two phases, so that
 * threads share a single image: first each chunk of pixels gives its mean and its sum of squared differences
 * from that, by channel; then every task puts the chunks together (Chan et al., "Updating formulae"), where
 * channels form groups those as well, and writes its rows. What is summed is never far from its mean. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { UNROLL = 4 };

typedef struct Maps {
  Emit *e;
  Node *n;
  const Value *x, *y;
  MapChunks c;
  int64_t images, blocks, height, width;
  Ref mean, sum;         /* scratch: of each channel, in f64 ... */
  Ref center, factor;    /* ... and what it is normalised by, in f32 */
} Maps;

static Maps maps_of(Emit *e, Node *n) {
  const int64_t *d = n->in[0]->shape.d;
  Maps m = {.e = e, .n = n, .x = n->in[0], .y = n->out[0], .c = map_chunks(&n->in[0]->shape), .images = d[0],
            .blocks = size_ceiling(d[1], e->lanes), .height = d[2], .width = d[3]};
  return m;
}

/* So many of the `size` of a chunk's rows or columns as there are from number `first` on. */
static Ref part_of(Emit *e, Ref first, int64_t size, int64_t all) {
  return min_i(e, const_i64(e, size), LLVMBuildSub(e->b, const_i64(e, all), first, ""));
}

/* Where the mean of a chunk in a block stands, the sum behind it. */
static Ref partial(const Maps *m, Ref image, Ref block, Ref chunk) {
  Emit *e = m->e;
  int64_t bytes = 2 * e->vec_bytes, chunks = m->c.down * m->c.across;
  Ref p = gep(e, value_ptr(e, m->n->plan->at.work), image, m->blocks * chunks * bytes);
  return gep(e, gep(e, p, block, chunks * bytes), chunk, bytes);
}

/* The sum over `rows` x `cols` pixels from p on: of x itself or, with `terms`, of its terms. */
static Ref sum_pixels(const Maps *m, Ref p, Ref rows, Ref cols, bool terms, Ref mean) {
  Emit *e = m->e;
  Ref acc[UNROLL], whole = LLVMBuildAnd(e->b, cols, const_i64(e, -UNROLL), "");
  for (int i = 0; i < UNROLL; i++) acc[i] = splat_const(e, 0);
  Loop row, x;
  loop_begin_some(e, &row, const_i64(e, 0), rows, 1, UNROLL, acc);
  Ref line = place_from(e, p, m->x, NULL, NULL, row.i, NULL);
  loop_begin(e, &x, const_i64(e, 0), whole, UNROLL, UNROLL, acc);
  for (int i = 0; i < UNROLL; i++) {
    Ref v = load(e, e->vec, place_from(e, line, m->x, NULL, NULL, NULL, x.i), place_offset(m->x, 0, 0, i),
                 e->vec_bytes);
    acc[i] = terms ? add_term(e, m->n, acc[i], v, mean) : add_f(e, acc[i], v);
  }
  loop_end(e, &x);
  loop_begin(e, &x, whole, cols, 1, 1, acc);
  Ref v = load(e, e->vec, place_from(e, line, m->x, NULL, NULL, NULL, x.i), 0, e->vec_bytes);
  acc[0] = terms ? add_term(e, m->n, acc[0], v, mean) : add_f(e, acc[0], v);
  loop_end(e, &x);
  loop_end(e, &row);
  return add_f(e, add_f(e, acc[0], acc[1]), add_f(e, acc[2], acc[3]));
}

static Ref float_of(Emit *e, Ref count, LLVMTypeRef type) { return LLVMBuildSIToFP(e->b, count, type, ""); }

static void build_chunk(const Maps *m, Ref image, Ref chunk, Ref block) {
  Emit *e = m->e;
  Ref across = const_i64(e, m->c.across);
  Ref row = mul_i(e, LLVMBuildUDiv(e->b, chunk, across, ""), m->c.rows);
  Ref col = mul_i(e, LLVMBuildURem(e->b, chunk, across, ""), m->c.cols);
  Ref rows = part_of(e, row, m->c.rows, m->height), cols = part_of(e, col, m->c.cols, m->width);
  Ref p = place_at(e, m->x, image, block, row, col), to = partial(m, image, block, chunk), mean = NULL;
  if (m->n->p.centered) {
    Ref count = float_of(e, LLVMBuildMul(e->b, rows, cols, ""), e->f32);
    mean = div_f(e, sum_pixels(m, p, rows, cols, false, NULL), splat(e, count, e->lanes));
    store(e, mean, to, 0, e->vec_bytes);
  }
  store(e, sum_pixels(m, p, rows, cols, true, mean), to, e->vec_bytes, e->vec_bytes);
}

static void emit_chunks(Emit *e, Node *n) {
  Maps m = maps_of(e, n);
  int64_t chunks = m.c.down * m.c.across;
  Ref lo, hi, blocks = const_i64(e, m.blocks), count = const_i64(e, chunks);
  work_range(e, m.images * chunks * m.blocks, shape_count(&m.x->shape), &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref block = LLVMBuildURem(e->b, item.i, blocks, ""), at = LLVMBuildUDiv(e->b, item.i, blocks, "");
  build_chunk(&m, LLVMBuildUDiv(e->b, at, count, ""), LLVMBuildURem(e->b, at, count, ""), block);
  loop_end(e, &item);
}

/* ---- chunks put together ---- */

/* Loops over the chunks of an image: their number, and how many pixels they have. */
typedef struct ChunkLoop {
  Loop down, across;
  Ref number, pixels;
} ChunkLoop;

static void chunks_begin(const Maps *m, ChunkLoop *l, Ref *acc) {
  Emit *e = m->e;
  loop_begin(e, &l->down, const_i64(e, 0), const_i64(e, m->c.down), 1, 1, acc);
  Ref rows = part_of(e, mul_i(e, l->down.i, m->c.rows), m->c.rows, m->height);
  loop_begin(e, &l->across, const_i64(e, 0), const_i64(e, m->c.across), 1, 1, acc);
  Ref cols = part_of(e, mul_i(e, l->across.i, m->c.cols), m->c.cols, m->width);
  l->number = add_i(e, mul_i(e, l->down.i, m->c.across), l->across.i);
  l->pixels = splat(e, float_of(e, LLVMBuildMul(e->b, rows, cols, ""), e->f64), e->lanes);
}

static void chunks_end(const Maps *m, ChunkLoop *l) {
  loop_end(m->e, &l->across);
  loop_end(m->e, &l->down);
}

/* Mean and sum of a block's channels over the map, in f64; the mean is NULL where it is not taken off. */
static void join_chunks(const Maps *m, Ref image, Ref block, Ref *mean, Ref *sum) {
  Emit *e = m->e;
  ChunkLoop l;
  Ref total = LLVMConstNull(vec_of(e->f64, e->lanes)), from = partial(m, image, block, const_i64(e, 0));
  *sum = total;
  *mean = NULL;
  if (m->n->p.centered) {
    chunks_begin(m, &l, &total);
    Ref part = widened(e, load(e, e->vec, gep(e, from, l.number, 2 * e->vec_bytes), 0, e->vec_bytes));
    total = fma_(e, part, l.pixels, total);
    chunks_end(m, &l);
    *mean = div_f(e, total, real_like(e, total, (double)(m->height * m->width)));
  }
  chunks_begin(m, &l, sum);
  Ref at = gep(e, from, l.number, 2 * e->vec_bytes);
  *sum = add_f(e, *sum, widened(e, load(e, e->vec, at, e->vec_bytes, e->vec_bytes)));
  if (*mean) {
    Ref d = sub_f(e, widened(e, load(e, e->vec, at, 0, e->vec_bytes)), *mean);
    *sum = fma_(e, mul_f(e, d, d), l.pixels, *sum);
  }
  chunks_end(m, &l);
}

static void store_result(const Maps *m, Ref channel, Ref mean, Ref sum, double count) {
  Emit *e = m->e;
  Ref factor = inverse_divisor(e, m->n, sum, real_like(e, sum, count));
  if (mean) store(e, narrowed(e, mean), gep(e, m->center, channel, F32_BYTES), 0, F32_BYTES);
  store(e, narrowed(e, factor), gep(e, m->factor, channel, F32_BYTES), 0, F32_BYTES);
}

enum { F64_BYTES = 8 };

/* Channels form groups, each of whole vectors of `lanes` channels or each a run within one; else lanes is
 * 1. */
typedef struct Groups {
  int lanes, run;        /* a vector; lanes that belong together */
  int64_t units, vectors; /* groups, or vectors where several groups share one; vectors of each */
} Groups;

static Groups groups_of(const Maps *m) {
  int64_t channels = m->x->shape.d[1], own = channels / m->n->group, lanes = m->e->lanes;
  if (own % lanes == 0) return (Groups){(int)lanes, (int)lanes, m->n->group, own / lanes};
  if (lanes % own == 0) return (Groups){(int)lanes, (int)own, m->blocks, 1};
  return (Groups){1, 1, m->n->group, own};
}

/* Statistics of a group from those of its channels, which start at number `first`. */
static void join_group(const Maps *m, const Groups *k, Ref first) {
  Emit *e = m->e;
  double map = (double)(m->height * m->width), own = (double)(m->x->shape.d[1] / m->n->group);
  LLVMTypeRef type = vec_of(e->f64, k->lanes);
  Ref total = LLVMConstNull(type), mean = NULL, sum = total;
  Ref end = add_i(e, first, const_i64(e, k->vectors * k->lanes));
  Loop c;
  if (m->n->p.centered) {
    loop_begin_some(e, &c, first, end, k->lanes, 1, &total);
    total = add_f(e, total, load(e, type, gep(e, m->mean, c.i, F64_BYTES), 0, F64_BYTES));
    loop_end(e, &c);
    mean = div_f(e, join_runs(e, total, k->run, add_f), real_like(e, total, own));
  }
  loop_begin_some(e, &c, first, end, k->lanes, 1, &sum);
  sum = add_f(e, sum, load(e, type, gep(e, m->sum, c.i, F64_BYTES), 0, F64_BYTES));
  if (mean) {
    Ref d = sub_f(e, load(e, type, gep(e, m->mean, c.i, F64_BYTES), 0, F64_BYTES), mean);
    sum = fma_(e, mul_f(e, d, d), real_like(e, d, map), sum);
  }
  loop_end(e, &c);
  sum = join_runs(e, sum, k->run, add_f);
  loop_begin_some(e, &c, first, end, k->lanes, 0, NULL);
  store_result(m, c.i, mean, sum, map * own);
  loop_end(e, &c);
}

/* What all channels of an image are normalised by, into scratch. */
static void join_image(const Maps *m, Ref image) {
  Emit *e = m->e;
  bool grouped = m->n->p.axes >> 1 & 1;
  Loop b, unit;
  loop_begin(e, &b, const_i64(e, 0), const_i64(e, m->blocks), 1, 0, NULL);
  Ref mean, sum, channel = mul_i(e, b.i, e->lanes);
  join_chunks(m, image, b.i, &mean, &sum);
  if (grouped) {
    if (mean) store(e, mean, gep(e, m->mean, channel, F64_BYTES), 0, F64_BYTES);
    store(e, sum, gep(e, m->sum, channel, F64_BYTES), 0, F64_BYTES);
  } else {
    store_result(m, channel, mean, sum, (double)(m->height * m->width));
  }
  loop_end(e, &b);
  if (!grouped) return;
  Groups k = groups_of(m);
  loop_begin(e, &unit, const_i64(e, 0), const_i64(e, k.units), 1, 0, NULL);
  join_group(m, &k, mul_i(e, unit.i, k.vectors * k.lanes));
  loop_end(e, &unit);
}

/* ---- results ---- */

static void write_pixels(const Maps *m, Ref image, Ref block, Ref row, Ref x, int pixels, Ref center,
                         Ref factor) {
  Emit *e = m->e;
  Ref *arg = alloc_n(e->g->cx, (size_t)m->n->n_step + 1, sizeof *arg);
  Ref src = place_at(e, m->x, image, block, row, x), dst = place_at(e, m->y, image, block, row, x);
  step_pointers(e, m->n, image, block, row, x, arg);
  for (int i = 0; i < pixels; i++) {
    Ref v = load(e, e->vec, src, place_offset(m->x, 0, 0, i), e->vec_bytes);
    if (center) v = sub_f(e, v, center);
    v = apply_steps(e, m->n, mul_f(e, v, factor), arg, 0, 0, i);
    store(e, v, dst, place_offset(m->y, 0, 0, i), e->vec_bytes);
  }
}

static void write_row(const Maps *m, Ref image, Ref row) {
  Emit *e = m->e;
  int64_t whole = m->width / UNROLL * UNROLL;
  Loop b, x;
  loop_begin(e, &b, const_i64(e, 0), const_i64(e, m->blocks), 1, 0, NULL);
  Ref center = m->n->p.centered ? load(e, e->vec, gep(e, m->center, b.i, e->vec_bytes), 0, e->vec_bytes)
      : NULL;
  Ref factor = load(e, e->vec, gep(e, m->factor, b.i, e->vec_bytes), 0, e->vec_bytes);
  if (whole > 0) {
    loop_begin(e, &x, const_i64(e, 0), const_i64(e, whole), UNROLL, 0, NULL);
    write_pixels(m, image, b.i, row, x.i, UNROLL, center, factor);
    loop_end(e, &x);
  }
  if (whole < m->width)
    write_pixels(m, image, b.i, row, const_i64(e, whole), (int)(m->width - whole), center, factor);
  loop_end(e, &b);
}

static void emit_results(Emit *e, Node *n) {
  Maps m = maps_of(e, n);
  int64_t channels = m.blocks * e->lanes;
  Ref lo, hi, height = const_i64(e, m.height), one = const_i64(e, 1);
  work_range(e, m.images * m.height, shape_count(&m.x->shape), &lo, &hi);
  emit_halo(e, m.y);
  m.mean = scratch_ptr(e);
  m.sum = gep_const(e, m.mean, channels * F64_BYTES);
  m.center = gep_const(e, m.sum, channels * F64_BYTES);
  m.factor = gep_const(e, m.center, channels * F32_BYTES);
  Ref first = LLVMBuildSDiv(e->b, lo, height, "");
  Ref last = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, hi, one, ""), height, "");
  last = choose(e, LLVMBuildICmp(e->b, LLVMIntSLT, lo, hi, ""), add_i(e, last, one), first);
  Loop image, row;
  loop_begin(e, &image, first, last, 1, 0, NULL);
  Ref from, to;
  join_image(&m, image.i);
  part_of_range(e, lo, hi, mul_i(e, image.i, m.height), height, &from, &to);
  loop_begin(e, &row, from, to, 1, 0, NULL);
  write_row(&m, image.i, row.i);
  loop_end(e, &row);
  loop_end(e, &image);
}

void emit_normalize_maps(Emit *e, Node *n) {
  if (e->phase == 0) emit_chunks(e, n);
  else emit_results(e, n);
}
