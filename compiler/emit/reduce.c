/* reduce.c: the reductions of reduce.def on dense row-major tensors, and over the channels of blocks. */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== the words of reduce.def, for elements of type t ==== */

static Ref sum(Emit *e, Type t, Ref a, Ref b) { return type_is_float(t) ? add_f(e, a, b) : LLVMBuildAdd(e->b, a, b, ""); }
static Ref product(Emit *e, Type t, Ref a, Ref b) { return type_is_float(t) ? mul_f(e, a, b) : LLVMBuildMul(e->b, a, b, ""); }

static Ref difference(Emit *e, Type t, Ref a, Ref b) {
  return type_is_float(t) ? sub_f(e, a, b) : LLVMBuildSub(e->b, a, b, "");
}

static Ref largest(Emit *e, Type t, Ref a, Ref b) {
  return type_is_float(t) ? maximum_f(e, a, b) : choose(e, math_less(e, t, a, b), b, a);
}

static Ref smallest(Emit *e, Type t, Ref a, Ref b) {
  return type_is_float(t) ? minimum_f(e, a, b) : choose(e, math_less(e, t, b, a), b, a);
}

/* By the number of elements, an i64; integers by 0 are 0. */
static Ref quotient(Emit *e, Type t, Ref a, Ref by) {
  if (type_is_float(t)) return div_f(e, a, splat(e, LLVMBuildSIToFP(e->b, by, element_of(a), ""), lane_count(a)));
  Type wide = type_is_signed(t) ? T_I64 : T_U64;
  Ref zero = const_i64(e, 0), none = LLVMBuildICmp(e->b, LLVMIntEQ, by, zero, "");
  by = splat(e, choose(e, none, const_i64(e, 1), by), lane_count(a));
  a = math_cast(e, a, t, wide);
  Ref q = type_is_signed(t) ? LLVMBuildSDiv(e->b, a, by, "") : LLVMBuildUDiv(e->b, a, by, "");
  return math_cast(e, choose(e, none, whole_like(e, q, 0), q), wide, t);
}

static Ref absolute(Emit *e, Type t, Ref a) {
  if (type_is_float(t)) return abs_f(e, a);
  return type_is_signed(t) ? choose(e, math_less(e, t, a, whole_like(e, a, 0)), LLVMBuildNeg(e->b, a, ""), a) : a;
}

#define ADD(p, q) sum(e, t, p, q)
#define SUB(p, q) difference(e, t, p, q)
#define MUL(p, q) product(e, t, p, q)
#define DIV(p, count) quotient(e, t, p, count)
#define MAX(p, q) largest(e, t, p, q)
#define MIN(p, q) smallest(e, t, p, q)
#define ABS(p) absolute(e, t, p)
#define EXP(p) math_exp(e, p)
#define LOG(p) math_log(e, p)
#define SQRT(p) sqrt_f(e, p)

static Ref start_value(Emit *e, Op op, Type t, int lanes) {
  return splat(e, const_number(e, t, reduction_start(op, t)), lanes);
}

static Ref of_element(Emit *e, Op op, Type t, Ref X, Ref M) {
  (void)M;
  switch (op) {
#define REDUCTION(name, how, start, element, combined, result) case OP_##name: return element;
#include "reduce.def"
#undef REDUCTION
  default: assert(!"a reduction"); return X;
  }
}

static Ref combine(Emit *e, Op op, Type t, Ref A, Ref B) {
  switch (op) {
#define REDUCTION(name, how, start, element, combined, result) case OP_##name: return combined;
#include "reduce.def"
#undef REDUCTION
  default: assert(!"a reduction"); return A;
  }
}

static Ref result_of(Emit *e, Op op, Type t, Ref A, Ref COUNT, Ref M) {
  (void)M;
  switch (op) {
#define REDUCTION(name, how, start, element, combined, result) case OP_##name: return result;
#include "reduce.def"
#undef REDUCTION
  default: assert(!"a reduction"); return A;
  }
}

/* ==== a line ==== */

typedef struct Fold {
  Op op;
  Type type;            /* computed in */
  Ref shift[MAX_SUMS];  /* M of each accumulator */
} Fold;

static Ref visit(const AxisLine *l, const void *data, Ref at, int k, int valid, Ref acc) {
  const Fold *f = data;
  Emit *e = l->e;
  Ref x = math_cast(e, line_load(l, at, valid), l->type, f->type);
  Ref y = combine(e, f->op, f->type, acc, of_element(e, f->op, f->type, x, f->shift[k]));
  return l->beside ? keep_lanes(l->e, y, valid, acc) : y;
}

/* All lanes become what they come to together. */
static Ref join_lanes(Emit *e, Op op, Type t, Ref acc) {
  for (int w = lane_count(acc) / 2; w > 0; w /= 2) acc = combine(e, op, t, acc, crossed_lanes(e, acc, w));
  return acc;
}

/* Makes one accumulator of those of a line: all its lanes in acc[0]. Of lines beside each other they are as they should be. */
static void join(const AxisLine *l, const Fold *f, Ref *acc) {
  Emit *e = l->e;
  if (!l->beside) return;
  for (int n = l->sums; n > 1; n = (n + 1) / 2) {
    for (int k = 0; k < n / 2; k++) acc[k] = combine(e, f->op, f->type, acc[k], acc[(n + 1) / 2 + k]);
  }
  acc[0] = join_lanes(e, f->op, f->type, acc[0]);
}

/* What the accumulators come to. */
static void fold_line(const AxisLines *w, const Fold *f, Ref *acc) {
  const AxisLine *l = &w->line;
  for (int k = 0; k < l->sums; k++) acc[k] = start_value(l->e, f->op, f->type, l->lanes);
  if (reduction_flags(f->op) & REDUCES_TO_SUM) walk_sums(l, visit, f, w->count, acc);
  else walk_line(l, visit, f, acc);
  join(l, f, acc);
}

static Ref finite_or_zero(Emit *e, Ref m) {
  return choose(e, less_f(e, abs_f(e, m), real_like(e, m, 1 / 0.0)), m, real_like(e, m, 0));
}

/* M: the largest elements. */
static void find_shift(const AxisLines *w, Fold *f) {
  const AxisLine *l = &w->line;
  Fold most = {.op = OP_ReduceMax, .type = f->type};
  fold_line(w, &most, f->shift);
  for (int k = 0; k < l->sums; k++) {
    bool own = k == 0 || !l->beside;
    f->shift[k] = own ? finite_or_zero(l->e, f->shift[k]) : f->shift[0];
  }
}

static void reduce_line(AxisLines *w) {
  const AxisLine *l = &w->line;
  Emit *e = l->e;
  Fold f = {.op = w->n->op, .type = reduction_type(w->n->op, l->type)};
  Ref acc[MAX_SUMS];
  if (reduction_flags(f.op) & REDUCES_SHIFTED) find_shift(w, &f);
  fold_line(w, &f, acc);
  for (int k = 0; k < (l->beside ? 1 : l->sums); k++) {
    Ref r = math_cast(e, result_of(e, f.op, f.type, acc[k], const_i64(e, w->count), f.shift[k]), f.type, l->type);
    if (l->beside) r = lane_of(e, r, const_i32(e, 0));
    line_store(l, r, const_i64(e, (int64_t)k * l->lanes), k == l->sums - 1 ? l->valid : l->lanes);
  }
}

/* Of nothing. */
static void store_starts(Emit *e, const Node *n) {
  const Value *y = n->out[0];
  Type t = reduction_type(n->op, y->type);
  int size = (int)type_size(y->type);
  Ref lo, hi;
  work_range(e, shape_count(&y->shape), shape_count(&y->shape), &lo, &hi);
  Ref none = result_of(e, n->op, t, start_value(e, n->op, t, 1), const_i64(e, 0), LLVMConstNull(llvm_type(e, t)));
  none = math_cast(e, none, t, y->type);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  store(e, none, gep(e, value_ptr(e, y), l.i, size), 0, size);
  loop_end(e, &l);
}

/* ==== axes that are known at run time only: one element at a time, wherever they lead ==== */

typedef struct LateAxes {
  Emit *e;
  const Node *n;
  Ref kept[MAX_RANK], along[MAX_RANK]; /* elements of each axis; 1 where it is reduced, or where it is kept */
  Ref count;                           /* of the elements that become one */
} LateAxes;

/* A bit for each axis that is named and exists. */
static Ref read_axes(Emit *e, const Node *n) {
  const Value *v = n->in[1];
  int rank = n->in[0]->shape.rank;
  Ref mask = const_i64(e, 0), all = const_i64(e, (INT64_C(1) << rank) - 1);
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), const_i64(e, shape_count(&v->shape)), 1, 1, &mask);
  Ref axis = load(e, e->i64, gep(e, value_ptr(e, v), l.i, 8), 0, 8), zero = const_i64(e, 0);
  axis = choose(e, LLVMBuildICmp(e->b, LLVMIntSLT, axis, zero, ""), add_i(e, axis, const_i64(e, rank)), axis);
  Ref exists = LLVMBuildICmp(e->b, LLVMIntULT, axis, const_i64(e, rank), "");
  Ref bit = LLVMBuildShl(e->b, const_i64(e, 1), choose(e, exists, axis, zero), "");
  mask = LLVMBuildOr(e->b, mask, choose(e, exists, bit, zero), "");
  loop_end(e, &l);
  return n->p.noop ? mask : choose(e, LLVMBuildICmp(e->b, LLVMIntEQ, mask, const_i64(e, 0), ""), all, mask);
}

static LateAxes late_axes(Emit *e, const Node *n) {
  LateAxes a = {.e = e, .n = n, .count = const_i64(e, 1)};
  Ref mask = read_axes(e, n), one = const_i64(e, 1);
  for (int i = 0; i < n->in[0]->shape.rank; i++) {
    Ref size = const_i64(e, n->in[0]->shape.d[i]);
    Ref along = LLVMBuildAnd(e->b, LLVMBuildLShr(e->b, mask, const_i64(e, i), ""), one, "");
    along = LLVMBuildICmp(e->b, LLVMIntEQ, along, one, "");
    a.kept[i] = choose(e, along, one, size);
    a.along[i] = choose(e, along, size, one);
    a.count = LLVMBuildMul(e->b, a.count, a.along[i], "");
  }
  return a;
}

/* Where the first element of result number `o` lies; past the last they begin again. */
static Ref first_element(const LateAxes *a, Ref o) {
  Emit *e = a->e;
  Ref at = const_i64(e, 0);
  int64_t stride[MAX_RANK];
  dense_strides(&a->n->in[0]->shape, stride);
  for (int i = a->n->in[0]->shape.rank - 1; i >= 0; i--) {
    at = add_i(e, at, mul_i(e, LLVMBuildURem(e->b, o, a->kept[i], ""), stride[i]));
    o = LLVMBuildUDiv(e->b, o, a->kept[i], "");
  }
  return at;
}

/* The elements from index `at` on, along axis i and those behind it. */
static Ref fold_axes(const LateAxes *a, const Fold *f, int i, Ref at, Ref acc) {
  Emit *e = a->e;
  const Value *x = a->n->in[0];
  if (i == x->shape.rank) {
    Ref v = math_cast(e, load_element(e, x, at), x->type, f->type);
    return combine(e, f->op, f->type, acc, of_element(e, f->op, f->type, v, f->shift[0]));
  }
  int64_t stride[MAX_RANK];
  dense_strides(&x->shape, stride);
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), a->along[i], 1, 1, &acc);
  acc = fold_axes(a, f, i + 1, add_i(e, at, mul_i(e, l.i, stride[i])), acc);
  loop_end(e, &l);
  return acc;
}

static void reduce_late_axes(Emit *e, const Node *n) {
  const Value *y = n->out[0];
  LateAxes a = late_axes(e, n);
  Fold f = {.op = n->op, .type = reduction_type(n->op, y->type)}, most = {.op = OP_ReduceMax, .type = f.type};
  int size = (int)type_size(y->type);
  Ref lo, hi;
  work_range(e, shape_count(&y->shape), shape_count(&n->in[0]->shape), &lo, &hi);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  Ref at = first_element(&a, l.i);
  if (reduction_flags(n->op) & REDUCES_SHIFTED)
    f.shift[0] = finite_or_zero(e, fold_axes(&a, &most, 0, at, start_value(e, most.op, f.type, 1)));
  Ref acc = fold_axes(&a, &f, 0, at, start_value(e, f.op, f.type, 1));
  Ref r = math_cast(e, result_of(e, f.op, f.type, acc, a.count, f.shift[0]), f.type, y->type);
  store(e, r, gep(e, value_ptr(e, y), l.i, size), 0, size);
  loop_end(e, &l);
}

/* ==== over the channels of blocks, to dense maps ==== */

/* All channels of the pixel at `at`. */
static Ref fold_pixel(Emit *e, const Node *n, Ref at) {
  const Value *x = n->in[0];
  int64_t whole = x->shape.d[1] / e->lanes;
  int rest = (int)(x->shape.d[1] % e->lanes);
  Ref acc = start_value(e, n->op, T_F32, e->lanes);
  Loop block;
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, whole), 1, 1, &acc);
  Ref v = load(e, e->vec, gep(e, at, block.i, place_block_bytes(x)), 0, e->vec_bytes);
  acc = combine(e, n->op, T_F32, acc, of_element(e, n->op, T_F32, v, NULL));
  loop_end(e, &block);
  if (rest) {
    v = of_element(e, n->op, T_F32, load(e, e->vec, at, place_offset(x, whole, 0, 0), e->vec_bytes), NULL);
    acc = keep_lanes(e, combine(e, n->op, T_F32, acc, v), rest, acc);
  }
  acc = join_lanes(e, n->op, T_F32, acc);
  return lane_of(e, result_of(e, n->op, T_F32, acc, const_i64(e, x->shape.d[1]), NULL), const_i32(e, 0));
}

static void reduce_channels(Emit *e, const Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  const int64_t *d = x->shape.d;
  assert(x->layout.block == e->lanes && layout_is_plain(y));
  Ref lo, hi, rows = const_i64(e, d[2]);
  work_range(e, d[0] * d[2], shape_count(&x->shape), &lo, &hi);
  Loop item, p;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref from = place_at(e, x, LLVMBuildUDiv(e->b, item.i, rows, ""), NULL, LLVMBuildURem(e->b, item.i, rows, ""), NULL);
  Ref to = gep(e, value_ptr(e, y), item.i, d[3] * F32_BYTES);
  loop_begin(e, &p, const_i64(e, 0), const_i64(e, d[3]), 1, 0, NULL);
  store(e, fold_pixel(e, n, gep(e, from, p.i, place_pixel_bytes(x))), gep(e, to, p.i, F32_BYTES), 0, F32_BYTES);
  loop_end(e, &p);
  loop_end(e, &item);
}

void emit_reduce(Emit *e, Node *n) {
  if (n->in[0]->layout.block) {
    reduce_channels(e, n);
    return;
  }
  if (shape_count(&n->in[0]->shape) == 0) {
    store_starts(e, n);
    return;
  }
  if (has_run_time_axes(n)) {
    reduce_late_axes(e, n);
    return;
  }
  AxisLines w = lines_along(e, n, n->p.axes, MAX_SUMS);
  w.reduces = true;
  each_line(&w, reduce_line);
}
