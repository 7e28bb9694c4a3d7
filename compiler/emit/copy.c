/* copy.c: rectangular copies between any two strided tensors, the one engine behind reorders,
 * transposes, slices, pads and the like. Where source and destination run along different axes, tiles of
 * one vector a side are transposed in registers. Every element is read and written within its tensor: the
 * last tile of an axis that is no multiple of the vector moves back over the one before it. */
#include "emit.h"

#include <llvm-c/Core.h>
#include <stdlib.h>

enum {
  CUT = 4096,      /* elements of a piece of a long run */
  FEW_TRIPS = 16,  /* loops shorter than this can't be shared evenly among tasks */
  WIDE_LOAD = 64,  /* elements read at once from interleaved rows */
};

typedef enum Inner {
  RUN,    /* contiguous on both sides */
  SPREAD, /* one source element repeated over a contiguous run */
  TILE,   /* contiguous along different axes */
  SINGLE, /* element by element */
} Inner;

typedef struct Nest {
  Emit *e;
  Copy c;
  Inner inner;
  int a, b;          /* the axes contiguous in the source (TILE) and in the destination */
  int lanes;         /* elements a vector */
  int split;         /* the axis whose loop is shared among tasks, -1: none */
  LLVMTypeRef elem;
} Nest;

/* ==== the shape of the nest ==== */

static void drop_axis(Copy *c, int k) {
  c->rank--;
  for (; k < c->rank; k++) c->axis[k] = c->axis[k + 1];
}

static void sort_by_destination(Copy *c) {
  for (int i = 1; i < c->rank; i++) {
    CopyAxis x = c->axis[i];
    int k = i;
    for (; k > 0 && llabs(c->axis[k - 1].dst) < llabs(x.dst); k--) c->axis[k] = c->axis[k - 1];
    c->axis[k] = x;
  }
}

static void simplify(Copy *c) {
  for (int k = c->rank - 1; k >= 0; k--) {
    if (c->axis[k].n == 1) drop_axis(c, k);
  }
  sort_by_destination(c);
  for (int k = c->rank - 2; k >= 0; k--) {
    CopyAxis *outer = &c->axis[k], *in = &c->axis[k + 1];
    if (outer->src != in->src * in->n || outer->dst != in->dst * in->n) continue;
    *outer = (CopyAxis){outer->n * in->n, in->src, in->dst};
    drop_axis(c, k + 1);
  }
  if (c->rank == 0) c->axis[c->rank++] = (CopyAxis){1, 1, 1};
}

static Inner choose_inner(const Copy *c, int *a) {
  const CopyAxis *last = &c->axis[c->rank - 1];
  *a = -1;
  if (last->dst != 1) return SINGLE;
  if (last->src == 1) return RUN;
  if (last->src == 0) return SPREAD;
  for (int k = 0; k < c->rank - 1; k++) {
    if (c->axis[k].src == 1) *a = k;
  }
  return *a < 0 ? SINGLE : TILE;
}

static int step_of(const Nest *t, int k) {
  return t->inner == TILE && (k == t->a || k == t->b) ? t->lanes : 1;
}

/* Turns of the loop over axis k; the innermost run is no loop. */
static int64_t trips(const Nest *t, int k) {
  if (k == t->b && (t->inner == RUN || t->inner == SPREAD)) return 1;
  int step = step_of(t, k);
  return (t->c.axis[k].n + step - 1) / step;
}

static int longest_loop(const Nest *t) {
  int best = 0;
  for (int k = 1; k < t->c.rank; k++) {
    if (trips(t, k) > trips(t, best)) best = k;
  }
  return best;
}

/* ==== the innermost part ==== */

static Ref widen(const Nest *t, Ref v, int n) {
  if (n == t->lanes) return v;
  Ref index[64];
  for (int i = 0; i < t->lanes; i++) index[i] = const_i32(t->e, i < n ? i : n);
  Ref mask = LLVMConstVector(index, (unsigned)t->lanes);
  return LLVMBuildShuffleVector(t->e->b, v, LLVMConstNull(LLVMTypeOf(v)), mask, "");
}

/* The first n elements at p, zeros behind them. */
static Ref load_part(const Nest *t, Ref p, int n) {
  if (t->c.size == 4) return load_lanes(t->e, p, 0, n, 4);
  if (n > 1) return widen(t, load(t->e, vec_of(t->elem, n), p, 0, t->c.size), n);
  Ref one = load(t->e, t->elem, p, 0, t->c.size);
  Ref zero = LLVMConstNull(vec_of(t->elem, t->lanes));
  return LLVMBuildInsertElement(t->e->b, zero, one, const_i32(t->e, 0), "");
}

static void store_part(const Nest *t, Ref v, Ref p, int n) {
  if (t->c.size == 4) {
    store_lanes(t->e, v, p, 0, n, 4);
    return;
  }
  Ref index[64];
  for (int i = 0; i < n; i++) index[i] = const_i32(t->e, i);
  if (n < t->lanes) {
    Ref poison = LLVMGetPoison(LLVMTypeOf(v));
    v = LLVMBuildShuffleVector(t->e->b, v, poison, LLVMConstVector(index, (unsigned)n), "");
  }
  store(t->e, v, p, 0, t->c.size);
}

/* Rows of n < lanes elements that touch each other are read as one wide vector and taken apart. */
static void load_interleaved(const Nest *t, Ref src, int n, Ref *column) {
  Emit *e = t->e;
  Ref all = load(e, vec_of(t->elem, n * t->lanes), src, 0, t->c.size), index[64];
  for (int k = 0; k < n; k++) {
    for (int i = 0; i < t->lanes; i++) index[i] = const_i32(e, i * n + k);
    Ref mask = LLVMConstVector(index, (unsigned)t->lanes);
    column[k] = LLVMBuildShuffleVector(e->b, all, LLVMGetPoison(LLVMTypeOf(all)), mask, "");
  }
}

/* Exchanges the blocks of d columns off the diagonal between rows r and r + d: one level of Eklundh's matrix
 * transposition (IEEE Trans. Comput. C-21, 1972). */
static void exchange(const Nest *t, Ref *row, int r, int d) {
  Ref upper[64], lower[64];
  for (int i = 0; i < t->lanes; i++) {
    upper[i] = const_i32(t->e, i & d ? t->lanes + i - d : i);
    lower[i] = const_i32(t->e, i & d ? t->lanes + i : i + d);
  }
  Ref x = row[r], y = row[r + d];
  row[r] = LLVMBuildShuffleVector(t->e->b, x, y, LLVMConstVector(upper, (unsigned)t->lanes), "");
  row[r + d] = LLVMBuildShuffleVector(t->e->b, x, y, LLVMConstVector(lower, (unsigned)t->lanes), "");
}

static void transpose(const Nest *t, Ref *row) {
  for (int d = t->lanes / 2; d > 0; d /= 2) {
    for (int r = 0; r < t->lanes; r++) {
      if (!(r & d)) exchange(t, row, r, d);
    }
  }
}

static int tile_side(const Nest *t, int axis) { return (int)size_min(t->c.axis[axis].n, t->lanes); }

static void build_tile(const void *data) {
  const Nest *t = data;
  const CopyAxis *a = &t->c.axis[t->a], *b = &t->c.axis[t->b];
  int na = tile_side(t, t->a), nb = tile_side(t, t->b);
  Ref v[64], src = LLVMGetParam(t->e->fn, 0), dst = LLVMGetParam(t->e->fn, 1);
  if (b->src == na && nb == t->lanes && na < t->lanes && na * nb <= WIDE_LOAD) {
    load_interleaved(t, src, na, v);
  } else {
    for (int r = 0; r < t->lanes; r++) {
      if (r < nb) v[r] = load_part(t, gep_const(t->e, src, r * b->src * t->c.size), na);
      else v[r] = LLVMConstNull(vec_of(t->elem, t->lanes));
    }
    transpose(t, v);
  }
  for (int r = 0; r < na; r++) {
    store_part(t, v[r], gep_const(t->e, dst, r * a->dst * t->c.size), t->c.pad ? t->lanes : nb);
  }
}

static void copy_tile(const Nest *t, Ref src, Ref dst) {
  const CopyAxis *a = &t->c.axis[t->a], *b = &t->c.axis[t->b];
  const char *key = format_text(t->e->g->cx, "transpose_%dx%d_of%d_from%" PRId64 "_to%" PRId64 "%s", tile_side(t, t->a),
                                tile_side(t, t->b), t->c.size, b->src, a->dst, t->c.pad ? "_pad" : "");
  call_kernel(t->e, key, 2, (Ref[]){src, dst}, build_tile, t);
}

static void copy_run(const Nest *t, Ref src, Ref dst) {
  int64_t n = t->c.axis[t->b].n;
  if (t->c.pad && n < t->lanes) {
    store_part(t, load_part(t, src, (int)n), dst, t->lanes);
    return;
  }
  unsigned align = (unsigned)t->c.size;
  LLVMBuildMemCpy(t->e->b, dst, align, src, align, const_i64(t->e, n * t->c.size));
}

static void spread(const Nest *t, Ref src, Ref dst) {
  Emit *e = t->e;
  int size = t->c.size;
  int64_t n = t->c.axis[t->b].n, whole = n / t->lanes * t->lanes;
  Ref one = load(e, t->elem, src, 0, size);
  if (whole > 0) {
    Ref all = splat(e, one, t->lanes);
    Loop l;
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, whole), t->lanes, 0, NULL);
    store(e, all, gep(e, dst, l.i, size), 0, size);
    loop_end(e, &l);
  }
  for (int64_t i = whole; i < n; i++) store(e, one, dst, i * size, size);
}

static void copy_inner(const Nest *t, Ref src, Ref dst) {
  switch (t->inner) {
  case RUN: copy_run(t, src, dst); break;
  case SPREAD: spread(t, src, dst); break;
  case TILE: copy_tile(t, src, dst); break;
  case SINGLE: store(t->e, load(t->e, t->elem, src, 0, t->c.size), dst, 0, t->c.size); break;
  }
}

/* ==== the loops ==== */

/* Where turn i starts: the last tile ends with the axis. */
static Ref position(const Nest *t, int k, Ref i) {
  int step = step_of(t, k);
  int64_t n = t->c.axis[k].n;
  Ref at = mul_i(t->e, i, step);
  if (n <= step || n % step == 0) return at;
  Ref last = const_i64(t->e, n - step);
  return LLVMBuildSelect(t->e->b, LLVMBuildICmp(t->e->b, LLVMIntSLT, at, last, ""), at, last, "");
}

static void build_loops(const Nest *t, int k, Ref src, Ref dst) {
  if (k == t->c.rank) {
    copy_inner(t, src, dst);
    return;
  }
  if (trips(t, k) == 1 && k != t->split) {
    build_loops(t, k + 1, src, dst);
    return;
  }
  const CopyAxis *x = &t->c.axis[k];
  Ref lo = const_i64(t->e, 0), hi = const_i64(t->e, trips(t, k));
  if (k == t->split) task_range(t->e, trips(t, k), &lo, &hi);
  Loop l;
  loop_begin(t->e, &l, lo, hi, 1, 0, NULL);
  Ref at = position(t, k, l.i);
  build_loops(t, k + 1, gep(t->e, src, at, x->src * t->c.size), gep(t->e, dst, at, x->dst * t->c.size));
  loop_end(t->e, &l);
}

static void add_axis(Copy *c, int at, CopyAxis x) {
  for (int k = c->rank++; k > at; k--) c->axis[k] = c->axis[k - 1];
  c->axis[at] = x;
}

static Nest nest_of(Emit *e, const Copy *c) {
  Nest t = {.e = e, .c = *c, .b = c->rank - 1};
  t.lanes = c->size == 8 ? e->lanes / 2 : e->lanes;
  t.elem = c->size == 4 ? e->f32 : LLVMIntTypeInContext(e->c, (unsigned)c->size * 8);
  t.inner = choose_inner(c, &t.a);
  t.split = longest_loop(&t);
  return t;
}

static void build_nest(Emit *e, const Copy *c) {
  Nest t = nest_of(e, c);
  if (c->unshared) {
    t.split = -1;
  } else if (trips(&t, t.split) == 1) { /* nothing to share: one task does it all */
    Copy one = *c;
    add_axis(&one, 0, (CopyAxis){1, 0, 0});
    t = nest_of(e, &one);
  }
  build_loops(&t, 0, t.c.src, t.c.dst);
}

/* A run too long for one task becomes pieces; what is left over is copied by itself. */
static void cut_run(Emit *e, Copy *c) {
  CopyAxis *x = &c->axis[c->rank - 1];
  int64_t whole = x->n / CUT * CUT;
  if (whole < x->n) {
    Copy rest = *c;
    rest.axis[c->rank - 1].n = x->n - whole;
    rest.src = gep_const(e, c->src, whole * x->src * c->size);
    rest.dst = gep_const(e, c->dst, whole * x->dst * c->size);
    build_nest(e, &rest);
  }
  CopyAxis pieces = {whole / CUT, x->src * CUT, x->dst * CUT};
  x->n = CUT;
  add_axis(c, c->rank - 1, pieces);
}

void emit_copy(Emit *e, const Copy *copy) {
  Copy c = *copy;
  for (int k = 0; k < c.rank; k++) {
    if (c.axis[k].n == 0) return;
  }
  simplify(&c);
  Nest t = nest_of(e, &c);
  bool run = t.inner == RUN || t.inner == SPREAD;
  if (run && !c.unshared && trips(&t, t.split) < FEW_TRIPS && c.axis[t.b].n >= 2 * CUT) cut_run(e, &c);
  build_nest(e, &c);
}

/* ==== tensors ==== */

void value_axes(const Value *v, Axes *a) {
  const Shape *s = &v->shape;
  const Layout *l = &v->layout;
  int64_t stride = 1;
  *a = (Axes){.rank = s->rank};
  for (int k = s->rank - 1; k >= 0; k--) {
    a->n[k] = s->d[k];
    a->stride[k] = stride;
    stride *= s->d[k];
  }
  if (!l->block && s->rank != 4) return;
  assert(s->rank >= 2 && s->rank <= 4);
  a->stride[0] = l->n;
  a->stride[1] = l->c;
  if (s->rank > 2) a->stride[s->rank - 1] = l->pix;
  if (s->rank > 3) a->stride[2] = l->row;
  if (!l->block) return;
  a->n[1] = (s->d[1] + l->block - 1) / l->block;
  a->n[a->rank] = l->block;
  a->stride[a->rank++] = 1;
}
