/* alone.c: layers outside their network, to be measured: each has inputs of its own. */
#include "tools.h"

#include <string.h>

/* The same constant, or an input of that shape; one for both where n reads v twice. */
static Value *copy_input(Graph *to, const Node *n, int i, Value *const *made) {
  const Value *v = n->in[i];
  if (!v) return NULL;
  for (int k = 0; k < i; k++) {
    if (n->in[k] == v) return made[k];
  }
  if (v->data) return value_const(to, v->name, v->type, v->shape, v->data);
  Value *copy = value_new(to, v->name, v->type, v->shape);
  copy->is_input = true;
  to->input[to->n_input++] = copy;
  return copy;
}

static Node *copy_node(Graph *to, const Alone *layer) {
  const Node *n = layer->node;
  int n_in = layer->bare && n->n_in > op_info[n->op].max_in ? op_info[n->op].max_in : n->n_in;
  Value **in = alloc_n(to->cx, (size_t)n_in, sizeof *in);
  for (int i = 0; i < n_in; i++) in[i] = copy_input(to, n, i, in);
  Node *copy = node_new(to, n->op, n->name, n_in, in, 1);
  attr_copy(to, copy, n);
  copy->p = n->p;
  copy->win = n->win;
  copy->group = n->group;
  copy->plan = alloc(to->cx, sizeof *copy->plan);
  *copy->plan = n->candidates->item[layer->candidate].plan;
  for (int i = 0; i < n->n_step && !layer->bare; i++) node_add_step(to, copy, n->step[i]);
  Type type = layer->bare ? step_type(n, -1) : n->out[0]->type;
  copy->out[0] = value_new(to, n->out[0]->name, type, n->out[0]->shape);
  copy->out[0]->def = copy;
  return copy;
}

Build *build_alone(const Build *b, const Options *opt, Alone *layer, int n) {
  Context *cx = b->graph->cx;
  Graph *to = graph_new(cx, opt);
  int inputs = 0;
  for (int i = 0; i < n; i++) inputs += layer[i].node->n_in;
  to->name = "alone";
  to->input = alloc_n(cx, (size_t)inputs, sizeof *to->input);
  to->output = alloc_n(cx, (size_t)n, sizeof *to->output);
  for (int i = 0; i < n; i++) {
    Node *copy = layer[i].copy = copy_node(to, &layer[i]);
    if (!layer[i].bare) continue;
    output_set(to, to->n_output++, copy->out[0]);
  }
  pass_batch(to);
  Build *alone = build_new(to, opt, b->target);
  alone->alone = true;
  alone->many_shapes = b->many_shapes;
  pass_layout(alone);
  pass_pack(alone);
  pass_plan(alone);
  return alone;
}
