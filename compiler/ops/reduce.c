/* reduce.c: operators along axes. */
#include "ops.h"

#include <math.h>

/* ---- Softmax, LogSoftmax ---- */

void infer_softmax(Graph *g, Node *n) {
  n->p.axis = check_axis(g, n, attr_int(n, "axis", -1), n->in[0]->shape.rank);
  infer_same(g, n);
}

/* The largest element is taken off before exp, which changes nothing but the range. */
static void softmax_line(const Node *n, const void *x, void *y, const Lines *l, int64_t line) {
  Type t = n->in[0]->type;
  double max = -INFINITY, sum = 0;
  for (int64_t k = 0; k < l->size; k++) max = fmax(max, get_number(t, x, line_element(l, line, k)).f);
  for (int64_t k = 0; k < l->size; k++) sum += exp(get_number(t, x, line_element(l, line, k)).f - max);
  for (int64_t k = 0; k < l->size; k++) {
    int64_t i = line_element(l, line, k);
    double v = get_number(t, x, i).f - max;
    put_number(t, y, i, (Number){.f = n->op == OP_LogSoftmax ? v - log(sum) : exp(v) / sum});
  }
}

void eval_softmax(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Lines l = lines_by_axis(&n->in[0]->shape, n->p.axis);
  for (int64_t line = 0; line < l.count; line++) softmax_line(n, in[0], out[0], &l, line);
}

/* ---- reductions: shapes ---- */

/* Sets output 0: input 0 without the axes marked, or with size 1 there. */
static void set_reduced(Graph *g, Node *n, Type type, unsigned axes) {
  const Shape *s = &n->in[0]->shape;
  Shape r = {0};
  for (int i = 0; i < s->rank; i++) {
    bool reduced = axes >> i & 1;
    if (!reduced || n->p.keepdims) r.d[r.rank++] = reduced ? 1 : s->d[i];
    if (reduced) check_number(g, n, 0, i);
  }
  set_output(g, n, 0, type, &r);
}

/* A bit for each axis that is named; where none is, all are or, if noop, none. */
static unsigned axes_or_all(const bool *named, int rank, bool noop) {
  unsigned axes = 0;
  for (int i = 0; i < rank; i++) axes |= (unsigned)named[i] << i;
  return axes || noop ? axes : (1u << rank) - 1;
}

bool has_run_time_axes(const Node *n) {
  return has_input(n, 1) && !n->in[1]->data && shape_count(&n->in[1]->shape) != 0;
}

/* Axes known at run time show in the declared result as sizes of 1, if it keeps them. */
static void set_axes_as_declared(Graph *g, Node *n, const Shape *declared) {
  int64_t axis[MAX_RANK];
  int count = 0;
  if (declared->rank != n->in[0]->shape.rank)
    fail_at(g, n, "the axes argument must be known at compile time%s", batch_remedy(g, n));
  for (int i = 0; i < declared->rank; i++)
    if (declared->d[i] == 1) axis[count++] = i;
  node_set_input(g, n, 1, value_const_i64(g, n->in[1]->name, count, axis));
}

/* They stay unknown where the result does not keep them. */
static void infer_run_time_axes(Graph *g, Node *n) {
  Shape declared = declared_output(g, n, 0, "the axes argument");
  if (n->p.keepdims) {
    set_axes_as_declared(g, n, &declared);
    return;
  }
  check_rank(g, n, 1, 0, 1);
  if (n->in[1]->type != T_I64) fail_at(g, n, "the axes argument must be of type i64");
  if (shape_is_symbolic(&n->in[0]->shape) || shape_is_symbolic(&declared) || shape_is_symbolic(&n->in[1]->shape))
    fail_at(g, n, "the axes argument must be known at compile time%s", batch_remedy(g, n));
  set_output(g, n, 0, n->in[0]->type, &declared);
}

void infer_reduce(Graph *g, Node *n) {
  int rank = n->in[0]->shape.rank;
  bool named[MAX_RANK] = {false};
  n->p.keepdims = attr_int(n, "keepdims", 1) != 0;
  n->p.noop = attr_int(n, "noop_with_empty_axes", 0) != 0;
  if (has_run_time_axes(n)) infer_run_time_axes(g, n);
  if (has_run_time_axes(n)) return;
  if (has_input(n, 1) && n->in[1]->data) axes_input(g, n, 1, rank, named);
  n->p.axes = axes_or_all(named, rank, n->p.noop);
  set_reduced(g, n, n->in[0]->type, n->p.axes);
}

/* ---- reductions: the words of reduce.def ---- */

static const unsigned how_to_reduce[OP_COUNT] = {
#define SUM REDUCES_TO_SUM
#define REAL REDUCES_REALS
#define SHIFTED REDUCES_SHIFTED
#define REDUCTION(name, how, start, element, combined, result) [OP_##name] = IS_REDUCTION | (how),
#include "reduce.def"
#undef REDUCTION
};

unsigned reduction_flags(Op op) { return how_to_reduce[op]; }

Type reduction_type(Op op, Type t) { return how_to_reduce[op] & REDUCES_REALS && type_is_int(t) ? T_F64 : t; }

static Number whole(Type t, int64_t v) {
  return type_is_float(t) ? (Number){.f = (double)v} : (Number){.i = v};
}

static Number lowest(Type t) {
  if (type_is_float(t)) return (Number){.f = -INFINITY};
  return (Number){.i = type_is_signed(t) ? INT64_MIN >> (64 - 8 * type_size(t)) : 0};
}

static Number highest(Type t) {
  if (type_is_float(t)) return (Number){.f = INFINITY};
  if (t == T_BOOL) return (Number){.i = 1};
  int unused = 64 - 8 * (int)type_size(t);
  return type_is_signed(t) ? (Number){.i = INT64_MAX >> unused} : (Number){.u = UINT64_MAX >> unused};
}

static Number subtract(Type t, Number a, Number b) {
  return type_is_float(t) ? (Number){.f = a.f - b.f} : (Number){.u = a.u - b.u};
}

/* By a count. */
static Number divide(Type t, Number a, int64_t by) {
  if (type_is_float(t)) return (Number){.f = a.f / (double)by};
  if (by == 0) return (Number){0};
  return type_is_unsigned(t) ? (Number){.u = a.u / (uint64_t)by} : (Number){.i = a.i / by};
}

static Number absolute(Type t, Number a) {
  if (type_is_float(t)) return (Number){.f = fabs(a.f)};
  return type_is_signed(t) && a.i < 0 ? (Number){.u = -a.u} : a;
}

#define ZERO whole(t, 0)
#define ONE whole(t, 1)
#define LOWEST lowest(t)
#define HIGHEST highest(t)
#define ADD(p, q) number_sum(t, p, q)
#define SUB(p, q) subtract(t, p, q)
#define MUL(p, q) number_product(t, p, q)
#define DIV(p, count) divide(t, p, count)
#define MAX(p, q) (number_beats(t, q, p) ? (q) : (p))
#define MIN(p, q) (number_undercuts(t, q, p) ? (q) : (p))
#define ABS(p) absolute(t, p)
#define EXP(p) ((Number){.f = exp((p).f)})
#define LOG(p) ((Number){.f = log((p).f)})
#define SQRT(p) ((Number){.f = sqrt((p).f)})

Number reduction_start(Op op, Type t) {
  switch (op) {
#define REDUCTION(name, how, start, element, combined, result) case OP_##name: return start;
#include "reduce.def"
#undef REDUCTION
  default: assert(!"a reduction"); return (Number){0};
  }
}

/* A with the next element taken in. */
static Number take_element(Op op, Type t, Number A, Number X, Number M) {
  Number B = X;
  (void)M;
  switch (op) {
#define REDUCTION(name, how, start, element, combined, result) case OP_##name: B = element; return combined;
#include "reduce.def"
#undef REDUCTION
  default: assert(!"a reduction"); return B;
  }
}

static Number result_of(Op op, Type t, Number A, int64_t COUNT, Number M) {
  (void)M;
  switch (op) {
#define REDUCTION(name, how, start, element, combined, result) case OP_##name: return result;
#include "reduce.def"
#undef REDUCTION
  default: assert(!"a reduction"); return A;
  }
}

/* ---- reductions: evaluation ---- */

/* As they are known at run time. */
static unsigned axes_at_run_time(const Node *n, const void *const *in) {
  int rank = n->in[0]->shape.rank;
  bool named[MAX_RANK] = {false};
  if (!has_run_time_axes(n)) return n->p.axes;
  for (int64_t i = 0; i < shape_count(&n->in[1]->shape); i++) {
    int64_t axis = ((const int64_t *)in[1])[i];
    axis += axis < 0 ? rank : 0;
    if (axis >= 0 && axis < rank) named[axis] = true;
  }
  return axes_or_all(named, rank, n->p.noop);
}

/* Strides that lead every element of the input to that of the result of which it is part. */
static Cursor result_cursor(const Shape *x, unsigned axes) {
  Cursor c = {.shape = x};
  int64_t stride = 1;
  for (int i = x->rank - 1; i >= 0; i--) {
    if (axes >> i & 1) continue;
    c.stride[i] = stride;
    stride *= x->d[i];
  }
  return c;
}

/* All results of `op`, but for the last step. */
static Number *reduce_elements(Graph *g, Op op, const Node *n, const void *data, unsigned axes, const Number *shift) {
  Type given = n->in[0]->type, t = reduction_type(n->op, given);
  int64_t results = shape_count(&n->out[0]->shape);
  Number *a = alloc_n(g->cx, (size_t)results, sizeof *a);
  for (int64_t i = 0; i < results; i++) a[i] = reduction_start(op, t);
  Cursor c = result_cursor(&n->in[0]->shape, axes);
  for (int64_t i = 0, count = shape_count(&n->in[0]->shape); i < count; i++, cursor_next(&c)) {
    if (c.at >= results) continue; /* axes other than those declared */
    Number x = convert_number(given, t, get_number(given, data, i));
    a[c.at] = take_element(op, t, a[c.at], x, shift ? shift[c.at] : (Number){0});
  }
  return a;
}

void eval_reduce(Graph *g, const Node *n, const void *const *in, void **out) {
  Type type = n->out[0]->type, t = reduction_type(n->op, type);
  unsigned axes = axes_at_run_time(n, in);
  int64_t results = shape_count(&n->out[0]->shape), count = 1;
  for (int i = 0; i < n->in[0]->shape.rank; i++)
    if (axes >> i & 1) count *= n->in[0]->shape.d[i];
  Number *shift = NULL;
  if (how_to_reduce[n->op] & REDUCES_SHIFTED) {
    shift = reduce_elements(g, OP_ReduceMax, n, in[0], axes, NULL);
    for (int64_t i = 0; i < results; i++)
      if (!isfinite(shift[i].f)) shift[i].f = 0;
  }
  Number *a = reduce_elements(g, n->op, n, in[0], axes, shift);
  for (int64_t i = 0; i < results; i++) {
    Number r = result_of(n->op, t, a[i], count, shift ? shift[i] : (Number){0});
    put_number(type, out[0], i, convert_number(t, type, r));
  }
}

/* ---- ArgMax, ArgMin ---- */

void infer_argmax(Graph *g, Node *n) {
  n->p.axis = check_axis(g, n, attr_int(n, "axis", 0), n->in[0]->shape.rank);
  n->p.last = attr_int(n, "select_last_index", 0) != 0;
  n->p.keepdims = attr_int(n, "keepdims", 1) != 0;
  if (n->in[0]->shape.d[n->p.axis] == 0) fail_at(g, n, "axis %d has no elements", n->p.axis);
  set_reduced(g, n, T_I64, 1u << n->p.axis);
}

/* Is a what n looks for, b having come first? */
static bool beats(const Node *n, Number a, Number b) {
  Type t = n->in[0]->type;
  return n->op == OP_ArgMin ? number_undercuts(t, a, b) : number_beats(t, a, b);
}

static int64_t find_best(const Node *n, const void *x, const Lines *l, int64_t line) {
  Type t = n->in[0]->type;
  int64_t best = 0;
  for (int64_t k = 1; k < l->size; k++) {
    Number v = get_number(t, x, line_element(l, line, k)), b = get_number(t, x, line_element(l, line, best));
    if (n->p.last ? !beats(n, b, v) : beats(n, v, b)) best = k;
  }
  return best;
}

void eval_argmax(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Lines l = lines_by_axis(&n->in[0]->shape, n->p.axis);
  for (int64_t line = 0; line < l.count; line++) ((int64_t *)out[0])[line] = find_best(n, in[0], &l, line);
}

/* ---- Hardmax ---- */

void eval_hardmax(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Lines l = lines_by_axis(&n->in[0]->shape, n->p.axis);
  for (int64_t line = 0; line < l.count; line++) {
    int64_t best = find_best(n, in[0], &l, line);
    for (int64_t k = 0; k < l.size; k++)
      put_number(n->out[0]->type, out[0], line_element(&l, line, k), (Number){.f = k == best});
  }
}
