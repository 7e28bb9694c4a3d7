/* values.c: integers that follow from shapes, evaluated while shapes are inferred.
 *
 * An element that depends on the batch N is taken as k N or not at all. The operators that such chains are
 * made of map numbers and multiples of N to functions of N whose form a few batch sizes tell: the node is
 * evaluated at each of them. Some exporters compute in floats; these count while they are whole. */
#include "ops.h"

#include <math.h>
#include <string.h>

enum { MAX_ELEMENTS = 1024, TRIALS = 4 };
/* 1 tells what is divided by the batch from a 0; the others are primes: no quotient is whole by accident. */
static const int64_t trial[TRIALS] = {1, 101, 211, 307};

static bool is_small(const Value *v) {
  return !shape_is_symbolic(&v->shape) && shape_count(&v->shape) <= MAX_ELEMENTS;
}

static bool has_known_inputs(const Node *n) {
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && (!n->in[i]->data || !is_small(n->in[i]))) return false;
  return true;
}

static bool has_small_outputs(const Node *n) {
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i] && !is_small(n->out[i])) return false;
  return true;
}

static bool has_symbols(const Node *n) {
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && n->in[i]->sym) return true;
  return false;
}

/* What is computed of constants alone waits for the pass precision, which may ask for more than half precision. */
static bool waits_for_precision(const Node *n) {
  if (!op_is_elementwise(n->op) || !type_is_half(n->out[0]->type)) return false;
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && n->in[i]->def) return false;
  return true;
}

static bool is_number_type(Type t) { return t == T_I32 || t == T_I64 || type_is_float(t); }

/* Whole numbers from here on may have been rounded. */
static double first_inexact(Type t) {
  return t == T_BF16 ? 0x1p8 : t == T_F16 ? 0x1p11 : t == T_F32 ? 0x1p24 : 0x1p53;
}

/* False: it is not whole, or not exact. */
static bool get(const Value *v, const void *data, int64_t i, int64_t *k) {
  if (v->type == T_I32 || v->type == T_I64) {
    *k = v->type == T_I32 ? ((const int32_t *)data)[i] : ((const int64_t *)data)[i];
    return true;
  }
  double f = get_number(v->type, data, i).f;
  if (!(fabs(f) < first_inexact(v->type)) || f != trunc(f)) return false;
  *k = (int64_t)f;
  return true;
}

/* False: it does not fit. */
static bool put(const Value *v, void *data, int64_t i, int64_t k) {
  put_number(v->type, data, i, convert_number(T_I64, v->type, (Number){.i = k}));
  if (type_is_float(v->type)) return fabs((double)k) < first_inexact(v->type);
  return v->type == T_I64 || k == (int32_t)k;
}

/* The value's elements when the batch is `batch`; NULL: one of them does not fit. */
static const void *at_batch(Graph *g, const Value *v, int64_t batch) {
  if (!v->sym) return v->data;
  int64_t count = shape_count(&v->shape), k;
  void *data = alloc_n(g->cx, (size_t)count, type_size(v->type));
  memcpy(data, v->data, (size_t)count * type_size(v->type));
  for (int64_t i = 0; i < count; i++) {
    if (!v->sym[i]) continue;
    if (!get(v, v->data, i, &k) || __builtin_mul_overflow(k, batch, &k) || !put(v, data, i, k)) return NULL;
  }
  return data;
}

static bool evaluate_at(Graph *g, const Node *n, int64_t batch, void **out) {
  const void **in = alloc_n(g->cx, (size_t)n->n_in, sizeof *in);
  for (int i = 0; i < n->n_in; i++) {
    if (n->in[i]) in[i] = at_batch(g, n->in[i], batch);
    if (n->in[i] && !in[i]) return false;
  }
  eval_node(g, n, in, out);
  return true;
}

/* Finds the form of element i: *k, times the batch where *sym; false: neither. */
static bool fit(const Value *v, void *const data[TRIALS], int64_t i, int64_t *k, bool *sym) {
  bool number = true, multiple = true;
  int64_t first;
  if (!get(v, data[0], i, &first)) return false;
  for (int t = 1; t < TRIALS; t++) {
    int64_t e, expected;
    if (!get(v, data[t], i, &e)) return false;
    number = number && e == first;
    multiple = multiple && !__builtin_mul_overflow(first, trial[t], &expected) && e == expected;
  }
  *k = first; /* the first trial is a batch of 1 */
  *sym = !number;
  return number || multiple;
}

static void fit_output(Graph *g, Value *v, void *const data[TRIALS]) {
  if (!is_number_type(v->type)) return;
  int64_t count = shape_count(&v->shape);
  void *result = alloc_n(g->cx, (size_t)count, type_size(v->type));
  bool *sym = alloc_n(g->cx, (size_t)count, sizeof *sym), any = false;
  for (int64_t i = 0; i < count; i++) {
    int64_t k;
    if (!fit(v, data, i, &k, &sym[i]) || !put(v, result, i, k)) return;
    any = any || sym[i];
  }
  v->data = result;
  v->sym = any ? sym : NULL;
}

static void evaluate_symbolic(Graph *g, Node *n) {
  void **out[TRIALS];
  for (int t = 0; t < TRIALS; t++) {
    out[t] = alloc_n(g->cx, (size_t)n->n_out, sizeof *out[t]);
    if (!evaluate_at(g, n, trial[t], out[t])) return;
  }
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) fit_output(g, n->out[i], (void *[]){out[0][i], out[1][i], out[2][i], out[3][i]});
}

static void evaluate_constant(Graph *g, Node *n) {
  void **out = alloc_n(g->cx, (size_t)n->n_out, sizeof *out);
  evaluate_at(g, n, 1, out);
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) n->out[i]->data = out[i];
}

/* The operator Shape needs no input but the shape. */
static void evaluate_shape(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  Value *v = n->out[0];
  int64_t start = n->p.axis, count = v->shape.d[0];
  int64_t *data = alloc_n(g->cx, (size_t)count, sizeof *data);
  bool *sym = alloc_n(g->cx, (size_t)count, sizeof *sym), any = false;
  for (int64_t i = 0; i < count; i++) {
    int64_t d = x->d[start + i];
    data[i] = d < 0 ? -d : d;
    sym[i] = d < 0;
    any = any || sym[i];
  }
  v->data = data;
  v->sym = any ? sym : NULL;
}

void evaluate_values(Graph *g, Node *n) {
  if (n->op == OP_Shape) evaluate_shape(g, n);
  else if (!op_info[n->op].chain || !has_known_inputs(n) || !has_small_outputs(n) || waits_for_precision(n)) return;
  else if (has_symbols(n)) evaluate_symbolic(g, n);
  else evaluate_constant(g, n);
}
