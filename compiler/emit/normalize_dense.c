/* normalize_dense.c: normalisation of dense tensors, along any axes. A line is what lies along the last of
 * these axes, beside each other or not; in the one case a vector goes along it, in the other over several
 * lines. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { UNROLL = 4 /* sums of a line */ };
enum { CHUNK = 256 /* vectors that are summed in f32 */ };

typedef struct Dense {
  Emit *e;
  Node *n;
  Type type;
  int lanes, unroll;
  bool beside;
  bool wide;             /* sums are doubles, of f32 */
  bool runs;             /* what stands beside a vector is one row of the last axis */
  int n_kept, n_taken;
  /* without the line, and the innermost where that is kept: `inner` */
  LineGroup kept[MAX_RANK + 1], taken[MAX_RANK + 1];
  LineGroup line;
  int64_t outer, inner, count; /* lines: outer * inner; elements of one set of statistics */
  int valid;             /* lines of a vector over several */
  Ref mean, factor;
} Dense;

/* Does an argument of the epilogue vary along axes `from` to the last? */
static bool argument_varies(const Node *n, int from) {
  int rank = n->in[0]->shape.rank;
  for (int i = 0; i < n->n_step; i++) {
    const Shape *s = n->step[i].arg < 0 ? NULL : &n->in[n->step[i].arg]->shape;
    for (int k = from; s && k < rank; k++) {
      int own = k - rank + s->rank;
      if (own >= 0 && s->d[own] != 1) return true;
    }
  }
  return false;
}

typedef struct DenseAxes {
  int n;
  LineGroup axis[MAX_RANK + 1];
  int first[MAX_RANK + 1]; /* of the tensor's axes */
} DenseAxes;

/* Axes of one element are left out; neighbours of one kind are one. The last is by itself where arguments
 * vary beside it. */
static void add_axis(const Node *n, DenseAxes *a, int k, int64_t size, int64_t stride, bool taken) {
  int last = a->n - 1;
  bool alone = k == n->in[0]->shape.rank - 1 && argument_varies(n, last >= 0 ? a->first[last] : k);
  if (size == 1 && !alone) return;
  if (last >= 0 && a->axis[last].along == taken && !alone) {
    a->axis[last] = (LineGroup){a->axis[last].n * size, stride, taken};
    return;
  }
  a->axis[a->n] = (LineGroup){size, stride, taken};
  a->first[a->n++] = k;
}

static DenseAxes axes_of_dense(const Node *n) {
  const Shape *s = &n->in[0]->shape;
  DenseAxes a = {.n = 0};
  int64_t stride[MAX_RANK];
  dense_strides(s, stride);
  for (int k = 0; k < s->rank; k++) {
    bool taken = n->p.axes >> k & 1;
    int64_t groups = taken && k == 1 ? n->group : 1, own = s->d[k] / groups;
    if (groups > 1) add_axis(n, &a, k, groups, own * stride[k], false);
    add_axis(n, &a, k, own, stride[k], taken);
  }
  return a;
}

static Dense dense_of(Emit *e, Node *n) {
  DenseAxes a = axes_of_dense(n);
  Dense d = {.e = e, .n = n, .type = n->in[0]->type, .outer = 1, .inner = 1, .count = 1, .unroll = 1,
             .line = {1, 0}};
  d.lanes = d.type == T_F32 ? e->lanes : 1;
  d.runs = argument_varies(n, 0);
  d.beside = a.n > 0 && a.axis[a.n - 1].along;
  if (a.n > 0 && !d.beside) d.inner = a.axis[--a.n].n;
  for (int i = 0; i < a.n; i++) {
    if (a.axis[i].along) d.taken[d.n_taken++] = a.axis[i], d.count *= a.axis[i].n;
    else d.kept[d.n_kept++] = a.axis[i], d.outer *= a.axis[i].n;
  }
  if (d.n_taken > 0) d.line = d.taken[--d.n_taken];
  if (d.beside && d.line.n >= UNROLL * d.lanes) d.unroll = UNROLL;
  d.wide = d.type == T_F32 && d.count / (d.beside ? d.lanes : 1) > CHUNK;
  d.valid = d.lanes;
  return d;
}

static LLVMTypeRef sum_type(const Dense *d) {
  return vec_of(d->wide ? d->e->f64 : llvm_type(d->e, d->type), d->lanes);
}

static Ref load_dense(const Dense *d, Ref at, int valid) {
  Emit *e = d->e;
  int size = (int)type_size(d->type);
  Ref p = gep(e, value_ptr(e, d->n->in[0]), at, size);
  return load_lanes_of(e, vec_of(llvm_type(e, d->type), d->lanes), p, 0, valid, size);
}

/* ---- sums ---- */

static Ref add_dense(const Dense *d, Ref acc, Ref at, int valid, bool terms) {
  Emit *e = d->e;
  Ref x = load_dense(d, at, valid);
  if (!terms) return add_f(e, acc, x);
  if (!d->beside || valid == d->lanes) return add_term(e, d->n, acc, x, d->n->p.centered ? d->mean : NULL);
  Ref term = add_term(e, d->n, zero_like(x), x, d->n->p.centered ? d->mean : NULL);
  return add_f(e, acc, keep_lanes(e, term, valid, zero_like(term)));
}

static Ref add_part(const Dense *d, Ref total, Ref part) {
  return add_f(d->e, total, d->wide ? widened(d->e, part) : part);
}

/* The line's steps [from, to), a whole number of turns of `unroll`. */
static Ref sum_steps(const Dense *d, Ref at, Ref from, Ref to, bool terms) {
  Emit *e = d->e;
  int64_t step = d->beside ? d->lanes : 1;
  Ref acc[UNROLL];
  for (int i = 0; i < d->unroll; i++) acc[i] = LLVMConstNull(vec_of(llvm_type(e, d->type), d->lanes));
  Loop k;
  loop_begin_some(e, &k, from, to, step * d->unroll, d->unroll, acc);
  for (int i = 0; i < d->unroll; i++) {
    Ref own = add_i(e, k.i, const_i64(e, i * step));
    acc[i] = add_dense(d, acc[i], add_i(e, at, mul_i(e, own, d->line.stride)), d->valid, terms);
  }
  loop_end(e, &k);
  for (int i = 1; i < d->unroll; i++) acc[0] = add_f(e, acc[0], acc[i]);
  return acc[0];
}

static Ref sum_line(const Dense *d, Ref at, bool terms, Ref total) {
  Emit *e = d->e;
  int64_t step = d->beside ? d->lanes : 1, turn = step * d->unroll, whole = d->line.n / turn * turn;
  Ref end = const_i64(e, whole);
  if (whole > CHUNK * turn) {
    Loop chunk;
    loop_begin(e, &chunk, const_i64(e, 0), end, CHUNK * turn, 1, &total);
    Ref to = min_i(e, add_i(e, chunk.i, const_i64(e, CHUNK * turn)), end);
    total = add_part(d, total, sum_steps(d, at, chunk.i, to, terms));
    loop_end(e, &chunk);
  } else if (whole > 0) {
    total = add_part(d, total, sum_steps(d, at, const_i64(e, 0), end, terms));
  }
  for (int64_t k = whole; k < d->line.n; k += step) {
    int valid = d->beside ? (int)size_min(step, d->line.n - k) : d->valid;
    Ref zero = LLVMConstNull(vec_of(llvm_type(e, d->type), d->lanes));
    total = add_part(d, total, add_dense(d, zero, add_i(e, at, const_i64(e, k * d->line.stride)), valid,
                                         terms));
  }
  return total;
}

/* Over the lines of the axes from number k on that surround them. */
static Ref sum_lines(const Dense *d, int k, Ref at, bool terms, Ref total) {
  if (k == d->n_taken) return sum_line(d, at, terms, total);
  Emit *e = d->e;
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), const_i64(e, d->taken[k].n), 1, 1, &total);
  total = sum_lines(d, k + 1, add_i(e, at, mul_i(e, l.i, d->taken[k].stride)), terms, total);
  loop_end(e, &l);
  return total;
}

static Ref sum_of_all(const Dense *d, Ref at, bool terms) {
  Ref total = sum_lines(d, 0, at, terms, LLVMConstNull(sum_type(d)));
  return d->beside ? join_runs(d->e, total, d->lanes, add_f) : total;
}

/* A statistic in the tensor's type. */
static Ref as_given(const Dense *d, Ref x) { return d->wide ? narrowed(d->e, x) : x; }

/* ---- results ---- */

static void write_dense(const Dense *d, Ref at, int valid) {
  Emit *e = d->e;
  const Value *y = d->n->out[0];
  int size = (int)type_size(y->type);
  Ref v = load_dense(d, at, valid), row = const_i64(e, 0), col = row;
  if (d->n->p.centered) v = sub_f(e, v, d->mean);
  if (d->runs) {
    Ref last = const_i64(e, y->shape.d[y->shape.rank - 1]);
    row = LLVMBuildUDiv(e->b, at, last, "");
    col = LLVMBuildURem(e->b, at, last, "");
  }
  v = plain_steps(e, d->n, mul_f(e, v, d->factor), row, col, d->lanes, valid);
  store_lanes(e, v, gep(e, value_ptr(e, y), at, size), 0, valid, size);
}

static void write_lines(const Dense *d, int k, Ref at) {
  Emit *e = d->e;
  Loop l;
  if (k < d->n_taken) {
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, d->taken[k].n), 1, 0, NULL);
    write_lines(d, k + 1, add_i(e, at, mul_i(e, l.i, d->taken[k].stride)));
    loop_end(e, &l);
    return;
  }
  int64_t step = d->beside ? d->lanes : 1, whole = d->line.n / step * step;
  if (whole > 0) {
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, whole), step, 0, NULL);
    write_dense(d, add_i(e, at, mul_i(e, l.i, d->line.stride)), d->valid);
    loop_end(e, &l);
  }
  if (whole < d->line.n) write_dense(d, add_i(e, at, const_i64(e, whole)), (int)(d->line.n - whole));
}

/* The statistic as a result, from its number `index` on. */
static void store_statistic(const Dense *d, int i, Ref v, Ref index) {
  if (i >= d->n->n_out || !d->n->out[i]) return;
  Emit *e = d->e;
  int size = (int)type_size(d->type);
  Ref p = gep(e, value_ptr(e, d->n->out[i]), index, size);
  if (d->beside) v = lane_of(e, v, const_i32(e, 0));
  store_lanes(e, v, p, 0, d->valid, size);
}

/* The `valid` sets of statistics from number (i, j) on. */
static void build_dense(Dense *d, Ref i, Ref j, int valid) {
  Emit *e = d->e;
  Ref at = add_i(e, outer_start(e, d->kept, d->n_kept, i), j), index = add_i(e, mul_i(e, i, d->inner), j);
  d->valid = valid;
  d->mean = LLVMConstNull(vec_of(llvm_type(e, d->type), d->lanes));
  if (d->n->p.centered) {
    Ref sum = sum_of_all(d, at, false);
    d->mean = as_given(d, div_f(e, sum, real_like(e, sum, (double)d->count)));
  }
  Ref sum = sum_of_all(d, at, true);
  d->factor = as_given(d, inverse_divisor(e, d->n, sum, real_like(e, sum, (double)d->count)));
  store_statistic(d, 1, d->mean, index);
  store_statistic(d, 2, d->factor, index);
  write_lines(d, 0, at);
}

void emit_normalize_dense(Emit *e, Node *n) {
  Dense d = dense_of(e, n);
  int64_t lanes = d.beside ? 1 : d.lanes, whole = d.inner / lanes, vectors = size_ceiling(d.inner, lanes);
  int rest = (int)(d.inner % lanes);
  Ref lo, hi;
  work_range(e, d.outer * vectors, shape_count(&n->in[0]->shape), &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref count = const_i64(e, vectors), i = LLVMBuildUDiv(e->b, item.i, count, "");
  Ref j = LLVMBuildURem(e->b, item.i, count, ""), first = mul_i(e, j, lanes);
  Ref is_whole = LLVMBuildICmp(e->b, LLVMIntSLT, j, const_i64(e, whole), "");
  If part;
  if (whole > 0) {
    if_begin(e, &part, is_whole);
    build_dense(&d, i, first, d.lanes);
    if_end(e, &part);
  }
  if (rest > 0) {
    if_begin(e, &part, LLVMBuildNot(e->b, is_whole, ""));
    build_dense(&d, i, first, rest);
    if_end(e, &part);
  }
  loop_end(e, &item);
}
