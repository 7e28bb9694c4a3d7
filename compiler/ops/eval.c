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

/* Nodes between Image and Images, for those images that run number `run` is at. */
static void eval_run(Graph *g, int64_t run, void **of) {
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    if (n->dead) continue;
    char *x = n->in[0] ? of[n->in[0]->id] : NULL;
    if (n->op == OP_Images) {
      size_t bytes = value_bytes(n->in[0]);
      if (run == 0) of[n->out[0]->id] = alloc(g->cx, value_bytes(n->out[0]));
      move_bytes((char *)of[n->out[0]->id] + (size_t)run * bytes, x, bytes);
    } else if (n->op == OP_Image) {
      of[n->out[0]->id] = x + (size_t)run * value_bytes(n->out[0]);
    } else if (node_is_batched(n)) {
      eval_in_graph(g, n, of);
    }
  }
}

void eval_graph(Graph *g, const void *const *inputs, void **outputs) {
  void **of = alloc_n(g->cx, (size_t)g->n_value, sizeof *of); /* each value's elements */
  int64_t runs = image_runs(g);
  for (int i = 0; i < g->n_input; i++) of[g->input[i]->id] = (void *)(uintptr_t)inputs[i];
  for (int64_t run = 0; run < runs; run++) eval_run(g, run, of);
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    bool in_runs = runs && (node_is_batched(n) || n->op == OP_Images);
    if (!n->dead && !in_runs) eval_in_graph(g, n, of);
  }
  for (int i = 0; i < g->n_output; i++) {
    const Value *v = g->output[i];
    outputs[i] = alloc(g->cx, value_bytes(v));
    move_bytes(outputs[i], v->data ? v->data : of[v->id], value_bytes(v));
  }
}
