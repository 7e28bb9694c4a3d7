/* witness.c: --each-pass. Evaluates the graph on the same random inputs before and after each pass; the
 * first pass whose graph answers differently is wrong. */
#include "tools.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct Witness {
  const void **inputs;
  void **outputs;        /* of the first evaluation; NULL: none yet */
  const char *before;    /* the pass after which it was made */
  bool unfit;            /* the inputs are nothing that the model could be given: its bounds come at run time, say */
};

/* Of the largest expected output: passes change the order of roundings, and with it the last digits of short types. What they
 * do wrong is far more. */
static double tolerance_of(Type t) { return t == T_BF16 ? 2e-2 : t == T_F16 ? 2e-3 : 1e-3; }

/* Up to what an integer may count, by value id; -1: anything. Where an operand says which element or how many, the numbers that
 * it is made of are kept small. */
static int64_t *integer_limits(const Graph *g) {
  int64_t *limit = alloc_n(g->cx, (size_t)g->n_value, sizeof *limit);
  for (int i = 0; i < g->n_value; i++) limit[i] = -1;
  for (int i = g->n_node - 1; i >= 0; i--) {
    const Node *n = g->node[i];
    const Value *y = n->out[0] ? n->out[0] : n->out[n->n_out - 1];
    for (int k = 0; k < n->n_in; k++) {
      if (!n->in[k] || type_is_float(n->in[k]->type)) continue;
      int64_t *own = &limit[n->in[k]->id], most = y && !type_is_float(y->type) ? limit[y->id] : -1;
      if (n->op == OP_Gather && k == 1) most = n->in[0]->shape.d[n->p.axis] - 1;
      else if (is_argument(n, k)) most = 1;
      if (most >= 0 && (*own < 0 || most < *own)) *own = most;
    }
  }
  return limit;
}

/* Floats in [-1, 1); integers of all their type's numbers, or about a million to both sides, or in [0, limit]. */
static void *random_input(Context *cx, const Value *v, int64_t limit, uint64_t *state) {
  int64_t n = shape_count(&v->shape);
  void *data = alloc(cx, value_bytes(v));
  for (int64_t i = 0; i < n; i++) {
    uint64_t r = random_bits(state);
    Number x = {.i = (int64_t)r >> (type_size(v->type) < 4 ? 32 : 43)};
    if (type_is_float(v->type)) x.f = (double)(int64_t)r / 9223372036854775808.0;
    else if (v->type == T_BOOL) x.i = r & 1;
    else if (limit >= 0) x.u = limit < 127 ? r % (uint64_t)(limit + 1) : r % 128;
    put_number(v->type, data, i, x);
  }
  return data;
}

/* Do operators round to 16 bits, which the pass precision ends? */
static bool rounds_to_half(const Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    for (int k = 0; k < n->n_out && n->op != OP_Cast && !n->dead; k++) {
      if (n->out[k] && type_is_half(n->out[k]->type)) return true;
    }
  }
  return false;
}

static bool has_symbols(const Graph *g) {
  for (int i = 0; i < g->n_input; i++) {
    if (shape_is_symbolic(&g->input[i]->shape)) return true;
  }
  return false;
}

/* Evaluates in an arena of its own, for all values of the graph live at once; only the outputs are kept. NULL: the data are
 * such that a node has no result, which cx->error tells. */
static void **evaluate(Context *cx, Graph *g, const void **inputs) {
  void **out = alloc_n(cx, (size_t)g->n_output, sizeof *out);
  for (int i = 0; i < g->n_output; i++) out[i] = alloc(cx, value_bytes(g->output[i]));
  Context scratch = *cx;
  scratch.arena = arena_new(cx->max_memory);
  if (setjmp(scratch.unwind)) {
    arena_free(scratch.arena);
    g->cx = cx;
    memcpy(cx->error, scratch.error, sizeof cx->error);
    return NULL;
  }
  g->cx = &scratch;
  void **results = alloc_n(&scratch, (size_t)g->n_output, sizeof *results);
  eval_graph(g, inputs, results);
  g->cx = cx;
  for (int i = 0; i < g->n_output; i++) move_bytes(out[i], results[i], value_bytes(g->output[i]));
  arena_free(scratch.arena);
  return out;
}

static bool same_floats(Type t, const void *a, const void *b, int64_t n) {
  double largest = 0;
  for (int64_t i = 0; i < n; i++) {
    double x = fabs(get_number(t, a, i).f);
    if (isfinite(x) && x > largest) largest = x;
  }
  for (int64_t i = 0; i < n; i++) {
    double x = get_number(t, a, i).f, y = get_number(t, b, i).f;
    bool equal = x == y || (isnan(x) && isnan(y));
    if (!equal && !(fabs(x - y) <= tolerance_of(t) * largest)) return false;
  }
  return true;
}

static bool same_value(const Value *v, const void *a, const void *b) {
  if (type_is_float(v->type)) return same_floats(v->type, a, b, shape_count(&v->shape));
  return same_bytes(a, b, value_bytes(v));
}

Witness *witness_new(Context *cx) { return alloc(cx, sizeof(Witness)); }

static void first_look(Witness *w, Graph *g, const Pass *p) {
  uint64_t state = 1;
  const int64_t *limit = integer_limits(g);
  w->inputs = alloc_n(g->cx, (size_t)g->n_input, sizeof *w->inputs);
  for (int i = 0; i < g->n_input; i++) w->inputs[i] = random_input(g->cx, g->input[i], limit[g->input[i]->id], &state);
  w->outputs = evaluate(g->cx, g, w->inputs);
  w->before = p->name;
  w->unfit = !w->outputs;
  if (w->unfit) fprintf(stderr, "%s: not evaluated: %s\n", p->name, g->cx->error);
}

void witness_check(void *witness, Graph *g, const Pass *p) {
  Witness *w = witness;
  if (!p->keeps_meaning || has_symbols(g) || rounds_to_half(g) || w->unfit) return;
  if (!w->outputs) {
    first_look(w, g, p);
    return;
  }
  void **now = evaluate(g->cx, g, w->inputs);
  if (!now) fail(g->cx, "internal error: after the pass %s the graph has no results: %s", p->name, copy_text(g->cx, g->cx->error));
  for (int i = 0; i < g->n_output; i++) {
    if (!same_value(g->output[i], w->outputs[i], now[i])) {
      fail(g->cx, "internal error: the pass %s changed the output \"%s\"", p->name, g->output[i]->name);
    }
  }
  fprintf(stderr, "%s: outputs as after %s\n", p->name, w->before);
}
