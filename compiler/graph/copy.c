/* copy.c: a graph once more, so that what is made for one target leaves it as it was for the next. */
#include "graph.h"

/* The copy of a value of g, which has the same number in `to`. */
static Value *copied(const Graph *to, const Graph *g, const Value *v) {
  if (!v) return NULL;
  assert(g->value[v->id] == v);
  return to->value[v->id];
}

static Value **copy_values(const Graph *to, const Graph *g, Value *const *v, int n) {
  Value **copy = alloc_n(to->cx, (size_t)n + 1, sizeof *copy);
  for (int i = 0; i < n; i++) copy[i] = copied(to, g, v[i]);
  return copy;
}

static Value *copy_value(Context *cx, const Value *v) {
  assert(!v->alias && v->place == P_NONE);
  Value *copy = alloc(cx, sizeof *copy);
  *copy = *v;
  copy->def = NULL;
  copy->use = NULL;
  return copy;
}

static Node *copy_node(Graph *to, const Graph *g, const Node *n) {
  assert(!n->plan);
  Node *copy = alloc(to->cx, sizeof *copy);
  *copy = *n;
  node_set_inputs(to, copy, n->n_in, copy_values(to, g, n->in, n->n_in));
  copy->out = copy_values(to, g, n->out, n->n_out);
  for (int i = 0; i < n->n_out; i++) {
    if (n->out[i] && n->out[i]->def == n) copy->out[i]->def = copy;
  }
  copy->step = alloc_extended(to->cx, n->step, n->n_step, sizeof *n->step);
  copy->attr = alloc_extended(to->cx, n->attr, n->n_attr, sizeof *n->attr);
  for (int i = 0; i < n->n_attr; i++) copy->attr[i].tensor = copied(to, g, n->attr[i].tensor);
  return copy;
}

Graph *graph_copy(Context *cx, const Graph *g) {
  assert(!g->walking);
  Graph *to = alloc(cx, sizeof *to);
  *to = *g;
  to->cx = cx;
  to->free_use = NULL;
  to->n_free_use = 0;
  to->cap_value = g->n_value;
  to->cap_node = g->n_node;
  to->value = alloc_n(cx, (size_t)g->n_value + 1, sizeof *to->value);
  to->node = alloc_n(cx, (size_t)g->n_node + 1, sizeof *to->node);
  for (int i = 0; i < g->n_value; i++) to->value[i] = copy_value(cx, g->value[i]);
  for (int i = 0; i < g->n_node; i++) to->node[i] = copy_node(to, g, g->node[i]);
  to->input = copy_values(to, g, g->input, g->n_input);
  to->output = copy_values(to, g, g->output, g->n_output);
  return to;
}
