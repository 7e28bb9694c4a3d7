/* scan.c: CumSum. */
#include "emit.h"

#include <llvm-c/Core.h>

/* Sums of f32 are kept in double. */
static Type type_of_sum(Type t) { return t == T_F32 ? T_F64 : t; }

/* One element, or a vector of lines, at index `at`: returns the sum with it. */
static Ref take(const AxisLine *l, const Node *n, Ref at, Ref sum) {
  Emit *e = l->e;
  Type wide = type_of_sum(l->type);
  Ref x = math_cast(e, line_load(l, at, l->valid), l->type, wide);
  Ref with = type_is_float(wide) ? add_f(e, sum, x) : LLVMBuildAdd(e->b, sum, x, "");
  line_store(l, math_cast(e, n->p.exclusive ? sum : with, wide, l->type), at, l->valid);
  return with;
}

static void scan(const AxisLine *l, const Node *n, Ref size, Ref stride) {
  Emit *e = l->e;
  Ref sum = LLVMConstNull(vec_of(llvm_type(e, type_of_sum(l->type)), l->lanes));
  Loop k;
  loop_begin(e, &k, const_i64(e, 0), size, 1, 1, &sum);
  Ref i = k.i;
  if (n->p.reverse) i = LLVMBuildSub(e->b, add_i(e, size, const_i64(e, -1)), i, "");
  sum = take(l, n, LLVMBuildMul(e->b, i, stride, ""), sum);
  loop_end(e, &k);
}

static void scan_line(AxisLines *w) {
  const AxisLine *l = &w->line;
  scan(l, w->n, const_i64(l->e, l->n), const_i64(l->e, l->stride));
}

/* Its size and stride of an axis that is known at run time only. */
static void find_axis(Emit *e, const Node *n, Ref *size, Ref *stride) {
  const Shape *s = &n->in[0]->shape;
  int64_t strides[MAX_RANK];
  dense_strides(s, strides);
  Ref axis = math_cast(e, load_element(e, n->in[1], const_i64(e, 0)), n->in[1]->type, T_I64);
  axis = clamp_i(e, from_end(e, axis, s->rank), const_i64(e, s->rank - 1));
  *size = *stride = const_i64(e, 1);
  for (int i = 0; i < s->rank; i++) {
    Ref here = LLVMBuildICmp(e->b, LLVMIntEQ, axis, const_i64(e, i), "");
    *size = choose(e, here, const_i64(e, s->d[i]), *size);
    *stride = choose(e, here, const_i64(e, strides[i]), *stride);
  }
}

/* Line by line, one element at a time. */
static void scan_late_axis(Emit *e, const Node *n) {
  const Value *x = n->in[0];
  int64_t bytes = (int64_t)type_size(x->type);
  Ref size, stride;
  only_task_zero(e);
  find_axis(e, n, &size, &stride);
  Loop k;
  loop_begin(e, &k, const_i64(e, 0), LLVMBuildUDiv(e->b, const_i64(e, shape_count(&x->shape)), size, ""), 1,
             0, NULL);
  Ref first = LLVMBuildMul(e->b, LLVMBuildMul(e->b, LLVMBuildUDiv(e->b, k.i, stride, ""), stride, ""), size,
                           "");
  first = add_i(e, first, LLVMBuildURem(e->b, k.i, stride, ""));
  AxisLine l = {.e = e, .type = x->type, .lanes = 1, .valid = 1, .src = gep(e, value_ptr(e, x), first, bytes),
            .dst = gep(e, value_ptr(e, n->out[0]), first, bytes)};
  scan(&l, n, size, stride);
  loop_end(e, &k);
}

void emit_cumsum(Emit *e, Node *n) {
  if (n->p.axis < 0) {
    scan_late_axis(e, n);
    return;
  }
  AxisLines w = lines_by_element(e, n);
  each_line(&w, scan_line);
}
