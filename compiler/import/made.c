/* made.c: nodes and constants that the model does not have, for what it has and no graph does. */
#include "onnx.pb-c.h"
#include "import.h"

Value *made_result(Graph *g, Node *n, int i, const char *name) {
  Value *v = value_new(g, name, T_NONE, (Shape){.rank = -1});
  v->def = n;
  return n->out[i] = v;
}

Value *made_node(Import *im, const Onnx__NodeProto *p, Op op, const char *suffix, int n_in, Value *const *in,
                 Node **made) {
  const char *name = scoped_node(im, node_name(p));
  Node *n = node_new(im->g, op, name, n_in, in, 1);
  if (made) *made = n;
  return made_result(im->g, n, 0, fresh_name(im, name, suffix));
}

Value *made_ints(Import *im, const Onnx__NodeProto *p, const char *suffix, int n, const int64_t *v) {
  return value_const_i64(im->g, fresh_name(im, scoped_node(im, node_name(p)), suffix), n, v);
}

Value *made_number(Import *im, const char *name, Type type, int64_t v) {
  return value_const_number(im->g, name, type, (Number){.i = v});
}

Value *made_row(Import *im, const Onnx__NodeProto *p, Value *v, int64_t axis) {
  Value *in[] = {v, made_ints(im, p, "axis", 1, &axis)};
  return made_node(im, p, OP_Unsqueeze, "row", 2, in, NULL);
}

Value *made_whole(Import *im, const Onnx__NodeProto *p, const char *suffix, int n, Value *const *part,
                  int64_t axis) {
  Node *concat;
  Value *v = made_node(im, p, OP_Concat, suffix, n, part, &concat);
  attr_set_int(im->g, concat, "axis", axis);
  return v;
}
