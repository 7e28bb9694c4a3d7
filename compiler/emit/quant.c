/* quant.c: quantised arithmetic, as ops/quant.c defines it, on scalars and vectors of any length. */
#include "emit.h"

#include <llvm-c/Core.h>

static Ref as_float(Emit *e, Type t, Ref x) { return LLVMBuildSIToFP(e->b, math_cast(e, x, t, T_I32), like(x, e->f32), ""); }

/* Of |x| < 2^22, half to even: beside 3 * 2^22 floats are whole numbers. */
static Ref round_f(Emit *e, Ref x) {
  Ref whole = real_like(e, x, 0x1.8p23);
  return sub_f(e, add_f(e, x, whole), whole);
}

/* A float in [lo, hi], two integers of few bits; NaN becomes lo. */
static Ref round_between(Emit *e, Ref x, Ref lo, Ref hi) { return round_f(e, fmin_(e, fmax_(e, x, lo), hi)); }

/* Whole numbers that the type holds. */
static Ref to_type(Emit *e, Type t, Ref x) {
  Ref i = LLVMBuildFPToSI(e->b, x, like(x, e->i32), "");
  return LLVMBuildTrunc(e->b, i, like(x, llvm_type(e, t)), "");
}

Ref emit_quantize(Emit *e, Type t, Ref x, Ref scale, Ref zero) {
  Ref z = zero ? as_float(e, t, zero) : real_like(e, x, 0);
  Ref lo = sub_f(e, real_like(e, x, (double)type_lowest(t)), z);
  Ref hi = sub_f(e, real_like(e, x, (double)type_highest(t)), z);
  return to_type(e, t, add_f(e, round_between(e, div_f(e, x, scale), lo, hi), z));
}

Ref emit_dequantize(Emit *e, Type t, Ref q, Ref scale, Ref zero) {
  Ref d = math_cast(e, q, t, T_I32);
  if (zero) d = LLVMBuildSub(e->b, d, math_cast(e, zero, t, T_I32), "");
  return mul_f(e, LLVMBuildSIToFP(e->b, d, like(d, e->f32), ""), scale);
}

static Ref requantized(Emit *e, Type t, Ref acc, Ref m, double zero) {
  Ref x = mul_f(e, LLVMBuildSIToFP(e->b, acc, like(acc, e->f32), ""), m);
  Ref lo = real_like(e, x, (double)type_lowest(t) - zero), hi = real_like(e, x, (double)type_highest(t) - zero);
  return to_type(e, t, add_f(e, round_between(e, x, lo, hi), real_like(e, x, zero)));
}

/* llvm.fma gives one rounding on every target: without the instruction it would call a library, so the product is taken in
 * double there, in which that of an 8-bit integer and a float is exact. */
static Ref fma_exact(Emit *e, Ref a, Ref b, Ref c) {
  if (e->t->fma) return fma_(e, a, b, c);
  Ref product = mul_f(e, widened(e, a), widened(e, b));
  return narrowed(e, add_f(e, product, widened(e, c)));
}

/* Of two numbers of 8 bits as floats. */
static Ref qlinear_sum(Emit *e, const Step *s, Type t, Ref acc, Ref arg) {
  Ref x = s->swap ? arg : acc, y = s->swap ? acc : arg;
  Ref sum = fma_exact(e, x, real_like(e, x, (double)s->a), fma_exact(e, y, real_like(e, y, (double)s->b), real_like(e, y, (double)s->c)));
  Ref lo = real_like(e, sum, (double)type_lowest(t)), hi = real_like(e, sum, (double)type_highest(t));
  return to_type(e, t, round_between(e, sum, lo, hi));
}

/* ==== steps ==== */

static Ref zero_point(Emit *e, const Step *s, Type t, Ref x) {
  return splat(e, LLVMConstInt(llvm_type(e, t), (uint64_t)(int64_t)s->b, 1), lane_count(x));
}

static Ref quantized(Emit *e, const Step *s, Type t, Ref x) {
  return emit_quantize(e, t, x, real_like(e, x, (double)s->a), zero_point(e, s, t, x));
}

static Ref dequantized(Emit *e, const Step *s, Type t, Ref q) {
  return emit_dequantize(e, t, q, splat(e, const_f32(e, (double)s->a), lane_count(q)), zero_point(e, s, t, q));
}

static Ref int_step(Emit *e, const Step *s, Type t, Ref acc, Ref arg) {
  if (s->op != OP_Clip) return math_integers(e, s, t, acc, arg);
  return math_clip(e, t, acc, whole_like(e, acc, (int64_t)s->a), whole_like(e, acc, (int64_t)s->b));
}

Ref typed_step(Emit *e, const Node *n, int i, Ref acc, Ref arg) {
  const Step *s = &n->step[i];
  Type from = step_type(n, i - 1), to = step_type(n, i);
  switch (s->op) {
  case OP_Cast: return math_cast(e, acc, from, to);
  case OP_Requantize: return requantized(e, to, acc, arg, s->a);
  case OP_QLinearAdd: return qlinear_sum(e, s, to, as_float(e, from, acc), as_float(e, n->in[s->arg]->type, arg));
  case OP_QuantizeLinear: return quantized(e, s, to, acc);
  case OP_DequantizeLinear: return dequantized(e, s, from, acc);
  case OP_AddDequantized: return add_f(e, acc, dequantized(e, s, n->in[s->arg]->type, arg));
  default: return type_is_float(from) ? math_step(e, s, acc, arg) : int_step(e, s, from, acc, arg);
  }
}
