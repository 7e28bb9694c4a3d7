/* compose.c: words of operators that others make up: these are put before the node, and the node becomes the
 * identity. */
#include "ops.h"

Node *compose_node(Graph *g, const Node *n, Op op, int n_in, Value *const *in) {
  assert(g->walking);
  return walk_before(g, op, n->name, n_in, in, 1);
}

Node *compose_like(Graph *g, const Node *n, Op op, int n_in, Value *const *in) {
  Node *part = compose_node(g, n, op, n_in, in);
  attr_copy(g, part, n);
  return part;
}

Value *compose_value(Graph *g, Node *part) {
  const char *name = format_text(g->cx, "%s.%s", part->name, op_info[part->op].name);
  part->out[0] = value_new(g, name, T_NONE, (Shape){.rank = -1});
  part->out[0]->def = part;
  infer_node(g, part);
  evaluate_values(g, part);
  return part->out[0];
}

Value *compose_op(Graph *g, const Node *n, Op op, Value *a, Value *b) {
  return compose_value(g, compose_node(g, n, op, b ? 2 : 1, (Value *[]){a, b}));
}

Value *compose_cast(Graph *g, const Node *n, Value *x, Type to) {
  if (x->type == to) return x;
  Node *cast = compose_node(g, n, OP_Cast, 1, &x);
  attr_set_int(g, cast, "to", to);
  return compose_value(g, cast);
}

Value *compose_transpose(Graph *g, const Node *n, Value *x, const int64_t *perm) {
  Node *t = compose_node(g, n, OP_Transpose, 1, &x);
  attr_set_ints(g, t, "perm", x->shape.rank, perm);
  return compose_value(g, t);
}

Value *compose_channels_first(Graph *g, const Node *n, Value *x) {
  return compose_transpose(g, n, x, (const int64_t[]){0, 3, 1, 2});
}

Value *compose_channels_last(Graph *g, const Node *n, Value *x) {
  return compose_transpose(g, n, x, (const int64_t[]){0, 2, 3, 1});
}

Value *compose_reshape(Graph *g, const Node *n, Value *x, const Shape *s) {
  Node *r = compose_node(g, n, OP_Reshape, 2,
                         (Value *[]){x, shape_constant(g, format_text(g->cx, "%s.shape", n->name), s)});
  attr_set_int(g, r, "allowzero", 1);
  return compose_value(g, r);
}

Value *compose_number(Graph *g, const Node *n, Type t, double x) {
  return value_const_number(g, format_text(g->cx, "%s.number", n->name), t, convert_number(T_F64, t, (Number){.f = x}));
}

void compose_result(Graph *g, Node *n, Value *y) {
  for (int i = 1; i < n->n_out; i++)
    if (n->out[i]) fail_at(g, n, "output %d is not supported", i);
  n->op = OP_Identity;
  node_set_inputs(g, n, 1, &y);
  n->n_attr = 0;
  n->n_out = 1;
  infer_node(g, n);
}

void compose_other_result(Graph *g, Node *n, int i, Value *y) {
  if (i >= n->n_out || !n->out[i]) return;
  Node *copy = compose_node(g, n, OP_Identity, 1, &y);
  copy->out[0] = n->out[i];
  copy->out[0]->def = copy;
  n->out[i] = NULL;
  infer_node(g, copy);
}
