/* eval.c: the reference evaluator, of nodes and graphs. */
#include "ops.h"

/* ---- nodes ---- */

/* The operator alone, whose result has its own type, which the steps may change. */
static void eval_bare(Graph *g, const Node *n, const void *const *in, void **out) {
  Value own = *n->out[0];
  Node bare = *n;
  own.type = step_type(n, -1);
  bare.n_step = 0;
  bare.out = alloc_n(g->cx, (size_t)n->n_out, sizeof *bare.out);
  move_bytes(bare.out, n->out, (size_t)n->n_out * sizeof *bare.out);
  bare.out[0] = &own;
  eval_node(g, &bare, in, out);
}

void eval_node(Graph *g, const Node *n, const void *const *in, void **out) {
  for (int i = 0; n->n_step == 0 && i < n->n_out; i++) {
    const Value *v = n->out[i];
    assert(!v || !shape_is_symbolic(&v->shape));
    out[i] = v ? alloc_n(g->cx, (size_t)shape_count(&v->shape), type_size(v->type)) : NULL;
  }
  if (n->n_step == 0) meaning[n->op].eval(g, n, in, out);
  else eval_bare(g, n, in, out);
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    const Value *arg = s->arg < 0 ? NULL : n->in[s->arg];
    out[0] = eval_step(g, s, step_type(n, i - 1), &n->out[0]->shape, out[0], arg, arg ? in[s->arg] : NULL);
  }
}

/* ---- graphs ---- */

static void eval_in_graph(Graph *g, const Node *n, void **of) {
  const void **in = alloc_n(g->cx, (size_t)n->n_in, sizeof *in);
  void **out = alloc_n(g->cx, (size_t)n->n_out, sizeof *out);
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i]) in[i] = n->in[i]->data ? n->in[i]->data : of[n->in[i]->id];
  eval_node(g, n, in, out);
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) of[n->out[i]->id] = out[i];
}

void eval_graph(Graph *g, const void *const *inputs, void **outputs) {
  void **of = alloc_n(g->cx, (size_t)g->n_value, sizeof *of); /* each value's elements */
  for (int i = 0; i < g->n_input; i++) of[g->input[i]->id] = (void *)(uintptr_t)inputs[i];
  for (int i = 0; i < g->n_node; i++)
    if (!g->node[i]->dead) eval_in_graph(g, g->node[i], of);
  for (int i = 0; i < g->n_output; i++) {
    const Value *v = g->output[i];
    outputs[i] = alloc(g->cx, value_bytes(v));
    move_bytes(outputs[i], v->data ? v->data : of[v->id], value_bytes(v));
  }
}
