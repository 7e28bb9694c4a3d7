/* constant.c: Constant nodes. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

static Value *constant_of(Import *im, const Onnx__NodeProto *n, const char *name) {
  const Onnx__AttributeProto *p = n->attribute[0];
  Graph *g = im->g;
  const char *kind = p->name ? p->name : "";
  int n_floats = (int)p->n_floats, n_ints = (int)p->n_ints;
  static const float none[1];
  if (strcmp(kind, "value") == 0 && p->t) return constant_in(im, p->t, name);
  if (strcmp(kind, "sparse_value") == 0 && p->sparse_tensor)
    return constant_in_sparse(im, p->sparse_tensor, name);
  if (strcmp(kind, "value_float") == 0) return value_const(g, name, T_F32, shape_of(0), &p->f);
  if (strcmp(kind, "value_int") == 0) return value_const(g, name, T_I64, shape_of(0), &p->i);
  if (strcmp(kind, "value_floats") == 0)
    return value_const(g, name, T_F32, shape_of(1, (int64_t)n_floats), n_floats ? p->floats : none);
  if (strcmp(kind, "value_ints") == 0) return value_const_i64(g, name, n_ints, p->ints);
  fail_proto(im, n, "its value \"%s\" is not of a supported kind", kind);
}

void solve_constant(Import *im, const Onnx__NodeProto *p) {
  if (p->n_output != 1 || !*p->output[0] || p->n_attribute != 1)
    fail_proto(im, p, "must have one value and one output");
  Value *v = constant_of(im, p, scoped_value(im, p->output[0]));
  name_define(im, p->output[0], (Bound){.tensor = v});
}
