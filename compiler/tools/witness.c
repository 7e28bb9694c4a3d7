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

/* Fresh outputs. NULL: the data are such that a node has no result, which cx->error tells. */
static void **outputs_of(Context *cx, Graph *g, const void **inputs) {
  void **out = alloc_n(cx, (size_t)g->n_output, sizeof *out);
  for (int i = 0; i < g->n_output; i++) out[i] = alloc(cx, value_bytes(g->output[i]));
  return reference_run(cx, g, inputs, out) ? out : NULL;
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
  w->inputs = reference_inputs(g, 1);
  w->outputs = outputs_of(g->cx, g, w->inputs);
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
  void **now = outputs_of(g->cx, g, w->inputs);
  if (!now) fail(g->cx, "internal error: after the pass %s the graph has no results: %s", p->name, copy_text(g->cx, g->cx->error));
  for (int i = 0; i < g->n_output; i++) {
    if (!same_value(g->output[i], w->outputs[i], now[i])) {
      fail(g->cx, "internal error: the pass %s changed the output \"%s\"", p->name, g->output[i]->name);
    }
  }
  fprintf(stderr, "%s: outputs as after %s\n", p->name, w->before);
}
