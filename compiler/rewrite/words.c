/* words.c: what passes make of nodes and values. */
#include "rewrite.h"

Node *made_by(const Value *v, Op op) {
  Node *n = v ? v->def : NULL;
  return n && n->n_step == 0 && (op == OP_NONE || n->op == op) ? n : NULL;
}

void give_output(Node *n, const Node *from) {
  n->out[0] = from->out[0];
  n->out[0]->def = n;
}

void change_places(Graph *g, Node *first, int i, Node *second) {
  Value *between = first->out[0];
  node_set_input(g, second, 0, first->in[i]);
  node_set_input(g, first, i, between);
  give_output(first, second);
  second->out[0] = between;
  between->def = second;
  node_swap(g, node_index(g, first), node_index(g, second));
  infer_node(g, second);
  infer_node(g, first);
}

Value *new_result(Graph *g, Node *n) {
  n->out[0] = value_new(g, n->name, T_NONE, shape_of(0));
  n->out[0]->def = n;
  infer_node(g, n);
  return n->out[0];
}

void add_sum(Graph *g, Node *n, Value *sum) {
  Step all[MAX_STEPS];
  bool biased = n->op == OP_ConvInteger && n->n_step > 0 && n->step[0].op == OP_Add && n->in[n->step[0].arg]->data;
  int first = biased ? 1 : 0, count = n->n_step - first;
  assert(n->n_step < MAX_STEPS);
  move_bytes(all, n->step + first, (size_t)count * sizeof *all);
  n->n_step = first;
  node_add_step_with(g, n, (Step){.op = OP_Add}, sum);
  for (int i = 0; i < count; i++) node_add_step(g, n, all[i]);
}

void set_view(Graph *g, Node *n, Value *x, const Shape *s) {
  Value *shape = shape_constant(g, format_text(g->cx, "%s.shape", n->name), s);
  node_set_inputs(g, n, 2, (Value *[]){x, shape});
  attr_set_int(g, n, "allowzero", 1);
}

Value *view_before(Graph *g, const char *name, Value *x, const Shape *s) {
  Node *n = walk_before(g, OP_Reshape, name, 1, &x, 1);
  set_view(g, n, x, s);
  return new_result(g, n);
}

Value *cast_before(Graph *g, const char *name, Value *x, Type to) {
  if (x->type == to) return x;
  Node *n = walk_before(g, OP_Cast, name, 1, &x, 1);
  attr_set_int(g, n, "to", to);
  return new_result(g, n);
}

Forms forms_new(const Graph *g) {
  return (Forms){g->n_value, alloc_n(g->cx, (size_t)g->n_value + 1, sizeof(Value *))};
}

Value *form_of(const Forms *f, const Value *v) { return v->id < f->n ? f->form[v->id] : NULL; }

void form_set(const Forms *f, const Value *v, Value *form) {
  if (v->id < f->n) f->form[v->id] = form;
}

void set_window(Graph *g, Node *n, const Window *k) {
  attr_set_ints(g, n, "kernel_shape", 2, (int64_t[]){k->kh, k->kw});
  attr_set_ints(g, n, "strides", 2, (int64_t[]){k->sh, k->sw});
  attr_set_ints(g, n, "dilations", 2, (int64_t[]){k->dh, k->dw});
  attr_set_ints(g, n, "pads", 4, (int64_t[]){k->top, k->left, k->bottom, k->right});
  attr_remove(n, "auto_pad");
}

unsigned data_inputs(const Node *n) {
  switch (n->op) {
  case OP_Identity: case OP_Transpose: case OP_Reshape: case OP_Flatten: case OP_Squeeze: case OP_Unsqueeze: case OP_Slice:
  case OP_Split: case OP_Expand: case OP_Tile: case OP_Gather: case OP_GatherElements: case OP_GatherND:
  case OP_ReverseSequence: case OP_Compress: case OP_SpaceToDepth: case OP_DepthToSpace: return 1;
  case OP_MaxPool: return n->n_out == 1 || !n->out[1];
  case OP_Resize: return n->p.resize.interpolation == INTERPOLATE_NEAREST && n->p.resize.coordinates != COORDINATES_TF_CROP_AND_RESIZE;
  case OP_Pad: return n->p.mode == PAD_CONSTANT ? 1 | 1 << 2 : 1;
  case OP_Clip: return 1 | 1 << 1 | 1 << 2;
  case OP_Concat: return n->n_in < 32 ? (1u << n->n_in) - 1 : UINT32_MAX;
  default: return 0;
  }
}
