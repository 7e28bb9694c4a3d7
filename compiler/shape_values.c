/* shape_values.c: integers that follow from shapes, evaluated while shapes are inferred.
 *
 * An element that depends on the batch N is taken as k N or not at all. The operators that such chains are
 * made of map numbers and multiples of N to functions of N whose form three batch sizes tell: the node is
 * evaluated at each of them. */
#include "shape.h"

#include <string.h>

enum { MAX_ELEMENTS = 1024, TRIALS = 3 };
static const int64_t trial[TRIALS] = {101, 211, 307}; /* primes: no quotient is whole by accident */

static bool is_arithmetic(Op op) {
  return op == OP_Add || op == OP_Sub || op == OP_Mul || op == OP_Div || op == OP_Cast;
}

static bool is_chain_operator(const Node *n) {
  OpKind kind = op_info[n->op].kind;
  return kind == K_MOVE || kind == K_VIEW || kind == K_SHAPE || is_arithmetic(n->op);
}

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

static int64_t get(const Value *v, const void *data, int64_t i) {
  return v->type == T_I32 ? ((const int32_t *)data)[i] : ((const int64_t *)data)[i];
}

static void put(const Value *v, void *data, int64_t i, int64_t k) {
  if (v->type == T_I32) ((int32_t *)data)[i] = (int32_t)k;
  else ((int64_t *)data)[i] = k;
}

/* The value's elements when the batch is `batch`. What is so large that it wraps has no form that `fit` finds. */
static const void *at_batch(Graph *g, const Value *v, int64_t batch) {
  if (!v->sym) return v->data;
  int64_t count = shape_count(&v->shape);
  void *data = alloc_n(g->cx, (size_t)count, type_size(v->type));
  for (int64_t i = 0; i < count; i++) {
    uint64_t k = (uint64_t)get(v, v->data, i);
    put(v, data, i, (int64_t)(k * (uint64_t)(v->sym[i] ? batch : 1)));
  }
  return data;
}

static void evaluate_at(Graph *g, const Node *n, int64_t batch, void **out) {
  const void **in = alloc_n(g->cx, (size_t)n->n_in, sizeof *in);
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i]) in[i] = at_batch(g, n->in[i], batch);
  eval_node(g, n, in, out);
}

/* Finds the form of element i: *k, times the batch where *sym; false: neither. */
static bool fit(const Value *v, void *const data[TRIALS], int64_t i, int64_t *k, bool *sym) {
  bool number = true, multiple = true;
  int64_t first = get(v, data[0], i), factor = first / trial[0];
  for (int t = 0; t < TRIALS; t++) {
    int64_t e = get(v, data[t], i);
    number = number && e == first;
    int64_t product;
    multiple = multiple && mul_size(factor, trial[t], &product) && e == product;
  }
  *k = number ? first : factor;
  *sym = !number;
  return number || multiple;
}

static void fit_output(Graph *g, Value *v, void *const data[TRIALS]) {
  if (v->type != T_I32 && v->type != T_I64) return;
  int64_t count = shape_count(&v->shape);
  void *result = alloc_n(g->cx, (size_t)count, type_size(v->type));
  bool *sym = alloc_n(g->cx, (size_t)count, sizeof *sym), any = false;
  for (int64_t i = 0; i < count; i++) {
    int64_t k;
    if (!fit(v, data, i, &k, &sym[i])) return;
    put(v, result, i, k);
    any = any || sym[i];
  }
  v->data = result;
  v->sym = any ? sym : NULL;
}

static void evaluate_symbolic(Graph *g, Node *n) {
  void **out[TRIALS];
  for (int t = 0; t < TRIALS; t++) {
    out[t] = alloc_n(g->cx, (size_t)n->n_out, sizeof *out[t]);
    evaluate_at(g, n, trial[t], out[t]);
  }
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) fit_output(g, n->out[i], (void *[]){out[0][i], out[1][i], out[2][i]});
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
  int64_t start = shape_start(n), count = v->shape.d[0];
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
  else if (!is_chain_operator(n) || !has_known_inputs(n) || !has_small_outputs(n)) return;
  else if (has_symbols(n)) evaluate_symbolic(g, n);
  else evaluate_constant(g, n);
}
