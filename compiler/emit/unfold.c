/* unfold.c: frames copied behind each other, where the layout does not let them lie so by themselves. All
 * tensors are dense. */
#include "emit.h"

#include <llvm-c/Core.h>

void emit_unfold(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  const Window *k = &n->win;
  int64_t depth = n->p.depth, out = y->shape.d[0] / (x->shape.d[0] / depth);
  int64_t bytes = shape_count(&x->shape) / x->shape.d[0] * (int64_t)type_size(x->type), each = bytes / x->shape.d[1] * n->p.size;
  assert(layout_is_plain(x) && layout_is_plain(y));
  Ref lo, hi, taps = const_i64(e, k->kd), frames = const_i64(e, out);
  task_range(e, y->shape.d[0] * k->kd, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref tap = LLVMBuildURem(e->b, item.i, taps, ""), image = LLVMBuildUDiv(e->b, item.i, taps, "");
  Ref z = LLVMBuildURem(e->b, image, frames, ""), volume = LLVMBuildUDiv(e->b, image, frames, "");
  Ref at = add_i(e, add_i(e, mul_i(e, z, k->sd), mul_i(e, tap, k->dd)), const_i64(e, -k->front));
  Ref inside = LLVMBuildICmp(e->b, LLVMIntULT, at, const_i64(e, depth), "");
  Ref to = gep(e, value_ptr(e, y), item.i, each), from = clamp_i(e, at, const_i64(e, depth - 1));
  from = gep(e, value_ptr(e, x), add_i(e, mul_i(e, volume, depth), from), bytes);
  If there, nothing;
  unsigned align = (unsigned)type_size(x->type);
  if_begin(e, &there, inside);
  LLVMBuildMemCpy(e->b, to, align, from, align, const_i64(e, bytes));
  LLVMBuildMemSet(e->b, gep_const(e, to, bytes), LLVMConstInt(e->i8, k->fill, 0), const_i64(e, each - bytes), align);
  if_end(e, &there);
  if_begin(e, &nothing, LLVMBuildNot(e->b, inside, ""));
  LLVMBuildMemSet(e->b, to, LLVMConstInt(e->i8, k->fill, 0), const_i64(e, each), align);
  if_end(e, &nothing);
  loop_end(e, &item);
}
