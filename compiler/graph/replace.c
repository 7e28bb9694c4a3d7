/* replace.c: one value in another's place. */
#include "graph.h"

void output_set(Graph *g, int i, Value *v) {
  g->output[i] = v;
  v->is_output = true;
  v->output = i;
}

void outputs_add(Graph *g, Value *const *v, int n) {
  size_t most = (size_t)(g->n_output + n), had = (size_t)g->n_output;
  Value **output = alloc_n(g->cx, most + 1, sizeof *output);
  Shape *shape = g->output_shape ? alloc_n(g->cx, most + 1, sizeof *shape) : NULL;
  move_bytes(output, g->output, had * sizeof *output);
  if (shape) move_bytes(shape, g->output_shape, had * sizeof *shape);
  g->output = output;
  g->output_shape = shape;
  for (int i = 0; i < n; i++) {
    if (v[i]->is_input || v[i]->is_output) continue;
    if (shape) shape[g->n_output] = v[i]->shape;
    output_set(g, g->n_output++, v[i]);
  }
}

/* `with` becomes the output that `old` was, under the name by which the interface knows it. */
static void output_replace(Graph *g, Value *old, Value *with) {
  bool outside = with->is_input || with->is_output || with->data;
  if (outside || with->batched != old->batched) { /* needs memory of its own */
    Node *copy = node_new(g, OP_Identity, old->name, 1, &with, 1);
    copy->out[0] = value_new(g, with->name, with->type, with->shape);
    copy->out[0]->def = copy;
    copy->out[0]->batched = old->batched;
    with = copy->out[0];
  }
  const char *name = old->name;
  old->name = with->name;
  with->name = name;
  assert(g->output[old->output] == old);
  old->is_output = false;
  output_set(g, old->output, with);
}

void graph_replace(Graph *g, Value *old, Value *with) {
  assert(old != with);
  readers_move(old, with);
  if (old->is_output) output_replace(g, old, with);
}
