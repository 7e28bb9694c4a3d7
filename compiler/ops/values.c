/* values.c: small values that follow from constants and shapes, evaluated while shapes are inferred.
 *
 * An element that depends on the batch N is taken as k N or not at all. What such chains are made of maps numbers and multiples
 * of N to functions of N whose form a few batch sizes tell: the node is evaluated at each of them. Some exporters compute in
 * floats; these count while they are whole. */
#include "ops.h"

#include <math.h>
#include <string.h>

enum { MAX_ELEMENTS = 1024, TRIALS = 5, LARGEST = TRIALS - 1 };
/* 1 tells what is divided by the batch from a 0; primes: no quotient is whole by accident; the last is larger than what a batch
 * may be compared with, or be divided by. */
static const int64_t trial[TRIALS] = {1, 101, 211, 307, 16777213};

static bool is_small(const Value *v) {
  return !shape_is_symbolic(&v->shape) && shape_count(&v->shape) <= MAX_ELEMENTS;
}

static bool has_known_inputs(const Node *n) {
  if (op_info[n->op].by_shape) return true;
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

static bool only_moves(const Node *n) {
  Family f = op_info[n->op].family;
  return f == FAMILY_MOVE || f == FAMILY_VIEW || f == FAMILY_SHAPE;
}

/* What is computed of constants alone waits for the pass precision, which may ask for more than half precision. */
static bool waits_for_precision(const Node *n) {
  if (only_moves(n) || !n->out[0] || !type_is_half(n->out[0]->type)) return false;
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && n->in[i]->def) return false;
  return true;
}

/* The pass quant looks for these, of constants as well. */
static bool waits_for_quant(const Node *n) { return op_info[n->op].family == FAMILY_SCALE; }

/* Whole numbers from here on may have been rounded. */
static double first_inexact(Type t) {
  return t == T_BF16 ? 0x1p8 : t == T_F16 ? 0x1p11 : t == T_F32 ? 0x1p24 : 0x1p53;
}

/* False: it is not whole, or not exact. */
static bool get(const Value *v, const void *data, int64_t i, int64_t *k) {
  Number e = get_number(v->type, data, i);
  if (!type_is_float(v->type)) {
    *k = e.i;
    return !type_is_unsigned(v->type) || e.u <= INT64_MAX;
  }
  if (!(fabs(e.f) < first_inexact(v->type)) || e.f != trunc(e.f)) return false;
  *k = (int64_t)e.f;
  return true;
}

/* False: it does not fit. */
static bool put(const Value *v, void *data, int64_t i, int64_t k) {
  int64_t back;
  put_number(v->type, data, i, convert_number(T_I64, v->type, (Number){.i = k}));
  return get(v, data, i, &back) && back == k;
}

/* The value's elements when the batch is `batch`; NULL: one of them does not fit. */
static const void *at_batch(Graph *g, const Value *v, int64_t batch) {
  if (!v->sym) return v->data;
  int64_t count = shape_count(&v->shape), k;
  void *data = alloc_n(g->cx, (size_t)count, type_size(v->type));
  move_bytes(data, v->data, (size_t)count * type_size(v->type));
  for (int64_t i = 0; i < count; i++) {
    if (!v->sym[i]) continue;
    if (!get(v, v->data, i, &k) || __builtin_mul_overflow(k, batch, &k) || !put(v, data, i, k)) return NULL;
  }
  return data;
}

static bool evaluate_at(Graph *g, const Node *n, int64_t batch, void **out) {
  const void **in = alloc_n(g->cx, (size_t)n->n_in, sizeof *in);
  for (int i = 0; i < n->n_in; i++) {
    bool is_read = n->in[i] && !op_info[n->op].by_shape;
    if (is_read) in[i] = at_batch(g, n->in[i], batch);
    if (is_read && !in[i]) return false;
  }
  eval_node(g, n, in, out);
  return true;
}

/* Is element i the same for every batch? data[LARGEST] is NULL where something did not fit. */
static bool is_number(const Value *v, void *const data[TRIALS], int64_t i) {
  size_t size = type_size(v->type);
  for (int t = 1; t < TRIALS; t++)
    if (data[t] && !same_bytes((char *)data[t] + (size_t)i * size, (char *)data[0] + (size_t)i * size, size)) return false;
  return true;
}

/* Is it *k times the batch? */
static bool is_multiple(const Value *v, void *const data[TRIALS], int64_t i, int64_t *k) {
  if (!get(v, data[0], i, k)) return false; /* a batch of 1 */
  for (int t = 1; t < TRIALS; t++) {
    int64_t e, expected;
    bool fits = data[t] && get(v, data[t], i, &e) && !__builtin_mul_overflow(*k, trial[t], &expected);
    if (fits ? e != expected : t < LARGEST) return false;
  }
  return true;
}

static void fit_output(Graph *g, Value *v, void *const data[TRIALS]) {
  if (v->type == T_BOOL && !data[LARGEST]) return; /* a comparison may have another answer there */
  int64_t count = shape_count(&v->shape);
  void *result = alloc_n(g->cx, (size_t)count, type_size(v->type));
  bool *sym = alloc_n(g->cx, (size_t)count, sizeof *sym), any = false;
  for (int64_t i = 0; i < count; i++) {
    int64_t k;
    sym[i] = !is_number(v, data, i);
    if (!sym[i]) copy_element(result, i, data[0], i, type_size(v->type));
    else if (!is_multiple(v, data, i, &k) || !put(v, result, i, k)) return;
    any = any || sym[i];
  }
  v->data = result;
  v->sym = any ? sym : NULL;
}

/* Are the results those of `first` for that batch as well? */
static bool same_results(Graph *g, const Node *n, int64_t batch, void *const *first) {
  void **out = alloc_n(g->cx, (size_t)n->n_out, sizeof *out);
  if (!evaluate_at(g, n, batch, out)) return false;
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i] && !same_bytes(out[i], first[i], value_bytes(n->out[i]))) return false;
  return true;
}

/* The same for every batch of which an element of `a`, a multiple, is one of `b`, a number. */
static bool same_where_equal(Graph *g, const Node *n, const Value *a, const Value *b, void *const *first, int *left) {
  enum { MOST_PAIRS = 4096 };
  int64_t k, c;
  if (a->sym && shape_count(&a->shape) * shape_count(&b->shape) > MOST_PAIRS) return false;
  for (int64_t i = 0; a->sym && i < shape_count(&a->shape); i++)
    for (int64_t j = 0; a->sym[i] && j < shape_count(&b->shape); j++) {
      bool meets = !(b->sym && b->sym[j]) && get(a, a->data, i, &k) && get(b, b->data, j, &c) && k > 0 && c >= k && c % k == 0;
      if (meets && (--*left < 0 || !same_results(g, n, c / k, first))) return false;
    }
  return true;
}

/* A comparison has another answer where a multiple of the batch is the number that it is compared with. */
static bool compares_alike(Graph *g, const Node *n, void *const *first) {
  int left = 64;
  if (!n->out[0] || n->out[0]->type != T_BOOL) return true;
  for (int i = 0; i < n->n_in; i++)
    for (int j = 0; j < n->n_in; j++)
      if (n->in[i] && n->in[j] && !same_where_equal(g, n, n->in[i], n->in[j], first, &left)) return false;
  return true;
}

static void fit_outputs(Graph *g, Node *n) {
  void **out[TRIALS];
  for (int t = 0; t < TRIALS; t++) {
    out[t] = alloc_n(g->cx, (size_t)n->n_out, sizeof *out[t]);
    if (evaluate_at(g, n, trial[t], out[t])) continue;
    if (t < LARGEST) return;
    memset(out[t], 0, (size_t)n->n_out * sizeof *out[t]);
  }
  if (!compares_alike(g, n, out[0])) return;
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) fit_output(g, n->out[i], (void *[]){out[0][i], out[1][i], out[2][i], out[3][i], out[LARGEST][i]});
}

/* What fails for one batch is not known. */
static void evaluate_symbolic(Graph *g, Node *n) {
  jmp_buf outer;
  memcpy(outer, g->cx->unwind, sizeof outer);
  if (setjmp(g->cx->unwind) == 0) fit_outputs(g, n);
  memcpy(g->cx->unwind, outer, sizeof outer);
}

static void evaluate_constant(Graph *g, Node *n) {
  void **out = alloc_n(g->cx, (size_t)n->n_out, sizeof *out);
  evaluate_at(g, n, 1, out);
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) n->out[i]->data = out[i];
}

/* ---- sizes ---- */

static void set_sizes(Graph *g, Value *v, const int64_t *d) {
  int64_t count = shape_count(&v->shape), *data = alloc_n(g->cx, (size_t)count, sizeof *data);
  bool *sym = alloc_n(g->cx, (size_t)count, sizeof *sym), any = false;
  for (int64_t i = 0; i < count; i++) {
    data[i] = d[i] < 0 ? -d[i] : d[i];
    sym[i] = d[i] < 0;
    any = any || sym[i];
  }
  v->data = data;
  v->sym = any ? sym : NULL;
}

/* Of one axis at most, which inference sees to elsewhere, the batch is part of a size. */
static void evaluate_size(Graph *g, Node *n) {
  const Shape *s = &n->in[0]->shape;
  int64_t count = shape_count(s);
  int symbols = 0;
  for (int i = 0; i < s->rank; i++) symbols += s->d[i] < 0;
  if (symbols > 1) return;
  count = symbols ? -count : count;
  set_sizes(g, n->out[0], &count);
}

void evaluate_values(Graph *g, Node *n) {
  if (n->op == OP_Shape) set_sizes(g, n->out[0], n->in[0]->shape.d + n->p.axis);
  else if (n->op == OP_Size) evaluate_size(g, n);
  else if (!has_known_inputs(n) || !has_small_outputs(n) || waits_for_precision(n) || waits_for_quant(n)) return;
  else if (has_symbols(n)) evaluate_symbolic(g, n);
  else evaluate_constant(g, n);
}
