/* plain.c: elements of dense row-major tensors, and broadcasting beside such results: arguments of
 * epilogues, batches of matrix products. */
#include "emit.h"

#include <llvm-c/Core.h>

Ref strided_index(Emit *e, const Shape *s, const int64_t *stride, Ref flat) {
  CopyAxis group[MAX_RANK]; /* axes that step evenly, innermost first */
  int count = 0;
  for (int k = s->rank - 1; k >= 0; k--) {
    if (s->d[k] == 1) continue;
    CopyAxis *last = count > 0 ? &group[count - 1] : NULL;
    if (last && stride[k] == last->src * last->n) last->n *= s->d[k];
    else group[count++] = (CopyAxis){s->d[k], stride[k], 0};
  }
  Ref index = const_i64(e, 0);
  for (int k = 0; k < count; k++) {
    bool outermost = k == count - 1;
    Ref size = const_i64(e, group[k].n), i = outermost ? flat : LLVMBuildURem(e->b, flat, size, "");
    if (group[k].src) index = add_i(e, index, mul_i(e, i, group[k].src));
    if (!outermost) flat = LLVMBuildUDiv(e->b, flat, size, "");
  }
  return index;
}

Ref load_element(Emit *e, const Value *v, Ref i) {
  int size = (int)type_size(v->type);
  return load(e, llvm_type(e, v->type), gep(e, value_ptr(e, v), i, size), 0, size);
}

/* ONNX's broadcasting: axes are aligned at the end, an axis of one element repeats. */
Ref broadcast_index(Emit *e, const Shape *from, const Shape *to, Ref flat) {
  return strided_index(e, to, broadcast_cursor(from, to).stride, flat);
}

static Shape leading(const Shape *s) {
  Shape lead = *s;
  if (lead.rank > 0) lead.rank--;
  return lead;
}

Ref plain_arg(Emit *e, const Value *arg, const Shape *y, Ref row, Ref col, int lanes, int valid) {
  if (arg->data && shape_count(&arg->shape) == 1) return splat(e, const_element(e, arg), lanes);
  Shape from = leading(&arg->shape), to = leading(y);
  int64_t width = arg->shape.rank > 0 ? arg->shape.d[arg->shape.rank - 1] : 1;
  int size = (int)type_size(arg->type);
  Ref index = mul_i(e, broadcast_index(e, &from, &to, row), width);
  if (width > 1) index = add_i(e, index, col);
  Ref p = gep(e, value_ptr(e, arg), index, size);
  if (lanes == 1 || width == 1) return splat(e, load(e, llvm_type(e, arg->type), p, 0, size), lanes);
  return load_lanes_of(e, vec_of(llvm_type(e, arg->type), lanes), p, 0, valid, size);
}

Ref plain_steps(Emit *e, Node *n, Ref acc, Ref row, Ref col, int lanes, int valid) {
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    const Value *v = s->arg < 0 ? NULL : n->in[s->arg];
    Ref arg = s->op == OP_Lookup ? value_ptr(e, v) : v ? plain_arg(e, v, &n->out[0]->shape, row, col, lanes, valid) : NULL;
    acc = typed_step(e, n, i, acc, arg);
  }
  return acc;
}
