/* statistics.c: what normalisations are made of. */
#include "emit.h"

#include <llvm-c/Core.h>

Ref widened(Emit *e, Ref x) { return LLVMBuildFPExt(e->b, x, like(x, e->f64), ""); }

static Ref root(Emit *e, Ref x) {
  LLVMTypeRef t = LLVMTypeOf(x);
  return intrinsic(e, "llvm.sqrt", 1, &t, 1, &x);
}

Ref zero_like(Ref x) { return LLVMConstNull(LLVMTypeOf(x)); }

Ref divide(Emit *e, Ref a, Ref b) { return LLVMBuildFDiv(e->b, a, b, ""); }

Ref inverse_divisor(Emit *e, const Node *n, Ref sum, Ref count) {
  Ref one = real_like(e, sum, 1), epsilon = real_like(e, sum, n->p.epsilon);
  switch (n->p.divisor) {
  case DIVISOR_VARIANCE: return divide(e, one, root(e, add_f(e, divide(e, sum, count), epsilon)));
  case DIVISOR_DEVIATION: return divide(e, one, add_f(e, root(e, divide(e, sum, count)), epsilon));
  case DIVISOR_L1: return divide(e, one, sum);
  case DIVISOR_L2: return divide(e, one, root(e, sum));
  }
  return NULL;
}

Ref add_term(Emit *e, const Node *n, Ref acc, Ref x, Ref mean) {
  if (mean) x = LLVMBuildFSub(e->b, x, mean, "");
  if (n->p.divisor != DIVISOR_L1) return fma_(e, x, x, acc);
  LLVMTypeRef t = LLVMTypeOf(x);
  return add_f(e, acc, intrinsic(e, "llvm.fabs", 1, &t, 1, &x));
}

Ref keep_lanes(Emit *e, Ref v, int valid) {
  int lanes = lane_count(v);
  if (valid >= lanes) return v;
  Ref index[64];
  for (int i = 0; i < lanes; i++) index[i] = const_i32(e, i < valid ? i : lanes + i);
  return LLVMBuildShuffleVector(e->b, v, zero_like(v), LLVMConstVector(index, (unsigned)lanes), "");
}

Ref sum_runs(Emit *e, Ref v, int run) {
  int lanes = lane_count(v);
  for (int w = run / 2; w > 0; w /= 2) {
    Ref index[64];
    for (int i = 0; i < lanes; i++) index[i] = const_i32(e, i ^ w);
    v = add_f(e, v, LLVMBuildShuffleVector(e->b, v, v, LLVMConstVector(index, (unsigned)lanes), ""));
  }
  return v;
}
