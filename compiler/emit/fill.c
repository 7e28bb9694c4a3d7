/* fill.c: operators whose elements follow from their places and a few numbers. */
#include "emit.h"

#include <llvm-c/Core.h>

static int size_of(const Value *v) { return (int)type_size(v->type); }

static void clear(Emit *e, Ref p, Ref bytes) { LLVMBuildMemSet(e->b, p, LLVMConstNull(e->i8), bytes, 1); }

/* Floats are computed in double precision, integers wrap. */
static void fill_range(Emit *e, const Node *n) {
  const Value *y = n->out[0];
  bool is_float = type_is_float(y->type);
  Type wide = is_float ? T_F64 : T_I64;
  Ref start = math_cast(e, load_element(e, n->in[0], const_i64(e, 0)), y->type, wide);
  Ref delta = math_cast(e, load_element(e, n->in[2], const_i64(e, 0)), y->type, wide);
  Ref lo, hi, dst = value_ptr(e, y);
  work_range(e, y->shape.d[0], y->shape.d[0], &lo, &hi);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  Ref v;
  if (is_float) v = add_f(e, start, mul_f(e, LLVMBuildSIToFP(e->b, l.i, e->f64, ""), delta));
  else v = LLVMBuildAdd(e->b, start, LLVMBuildMul(e->b, l.i, delta, ""), "");
  store(e, math_cast(e, v, wide, y->type), gep(e, dst, l.i, size_of(y)), 0, size_of(y));
  loop_end(e, &l);
}

static void fill_eye(Emit *e, const Node *n) {
  const Value *y = n->out[0];
  int64_t cols = y->shape.d[1], k = n->p.diagonal;
  Ref dst = value_ptr(e, y), lo, hi;
  task_range(e, y->shape.d[0], &lo, &hi);
  Ref one = math_cast(e, LLVMConstInt(e->i8, 1, 0), T_BOOL, y->type);
  Loop row;
  loop_begin(e, &row, lo, hi, 1, 0, NULL);
  Ref to = gep(e, dst, row.i, cols * size_of(y)), col = add_i(e, row.i, const_i64(e, k));
  clear(e, to, const_i64(e, cols * size_of(y)));
  If inside;
  /* as unsigned, what is negative is large */
  if_begin(e, &inside, LLVMBuildICmp(e->b, LLVMIntULT, col, const_i64(e, cols), ""));
  store(e, one, gep(e, to, col, size_of(y)), 0, size_of(y));
  if_end(e, &inside);
  loop_end(e, &row);
}

/* Of each row, the first elements are cleared and the others copied, or the other way round. */
static void fill_trilu(Emit *e, const Node *n) {
  const Value *x = n->in[0];
  int size = size_of(x);
  int64_t cols = x->shape.d[x->shape.rank - 1], rows = x->shape.d[x->shape.rank - 2];
  int64_t all = shape_count(&x->shape) / cols;
  Ref k = const_i64(e, 0), src = value_ptr(e, x), dst = value_ptr(e, n->out[0]), lo, hi;
  if (n->n_in > 1 && n->in[1]) k = load_element(e, n->in[1], const_i64(e, 0));
  k = min_i(e, max_i(e, k, const_i64(e, -rows)), const_i64(e, cols));
  if (!n->p.upper) k = add_i(e, k, const_i64(e, 1));
  task_range(e, all, &lo, &hi);
  Loop row;
  loop_begin(e, &row, lo, hi, 1, 0, NULL);
  Ref i = LLVMBuildURem(e->b, row.i, const_i64(e, rows), "");
  Ref before = mul_i(e, clamp_i(e, add_i(e, i, k), const_i64(e, cols)), size);
  Ref behind = LLVMBuildSub(e->b, const_i64(e, cols * size), before, "");
  Ref from = gep(e, src, row.i, cols * size), to = gep(e, dst, row.i, cols * size);
  Ref zeros = n->p.upper ? to : gep(e, to, before, 1), at = n->p.upper ? before : const_i64(e, 0);
  clear(e, zeros, n->p.upper ? before : behind);
  LLVMBuildMemCpy(e->b, gep(e, to, at, 1), 1, gep(e, from, at, 1), 1, n->p.upper ? behind : before);
  loop_end(e, &row);
}

/* The values along the new axis of every index. */
static void fill_one_hot(Emit *e, const Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  int size = size_of(y);
  int64_t depth = y->shape.d[n->p.axis], inner = 1, count = shape_count(&x->shape);
  for (int k = n->p.axis + 1; k < y->shape.rank; k++) inner *= y->shape.d[k];
  Ref off = load_element(e, n->in[2], const_i64(e, 0)), on = load_element(e, n->in[2], const_i64(e, 1)), lo, hi;
  Ref src = value_ptr(e, x), dst = value_ptr(e, y), width = const_i64(e, inner);
  task_range(e, count, &lo, &hi);
  Loop item, place;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref index = math_cast(e, load(e, llvm_type(e, x->type), gep(e, src, item.i, size_of(x)), 0, size_of(x)),
                        x->type, T_I64);
  index = from_end(e, index, depth);
  Ref outer = LLVMBuildUDiv(e->b, item.i, width, ""), column = LLVMBuildURem(e->b, item.i, width, "");
  Ref to = gep(e, dst, add_i(e, mul_i(e, outer, depth * inner), column), size);
  loop_begin(e, &place, const_i64(e, 0), const_i64(e, depth), 1, 0, NULL);
  Ref hit = LLVMBuildICmp(e->b, LLVMIntEQ, index, place.i, "");
  store(e, choose(e, hit, on, off), gep(e, to, place.i, inner * size), 0, size);
  loop_end(e, &place);
  loop_end(e, &item);
}

void emit_fill(Emit *e, Node *n) {
  switch (n->op) {
  case OP_Range: fill_range(e, n); break;
  case OP_EyeLike: fill_eye(e, n); break;
  case OP_Trilu: fill_trilu(e, n); break;
  default: assert(n->op == OP_OneHot); fill_one_hot(e, n);
  }
}
