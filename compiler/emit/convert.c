/* convert.c: conversions between element types, of one element or a vector of any length.
 * Half precision is done in integers: without F16C LLVM would call a library. */
#include "emit.h"

#include "resnetcc_rt.h"
#include <llvm-c/Core.h>

/* f32 or f64 to half, rounded to nearest even. Normal results: round the bits away, rebias. Below 2^-14:
 * adding the power of two that ends where half's subnormals end leaves the result in the low bits. */
static Ref half_from(Emit *e, Ref x) {
  bool wide = element_of(x) == e->f64;
  int drop = wide ? 42 : 13, rebias = wide ? 1008 : 112, size = wide ? 64 : 32;
  LLVMTypeRef bits = wide ? e->i64 : e->i32;
  Ref a = abs_f(e, x), n = as_type(e, a, bits), magic = real_like(e, x, wide ? 0x1p28 : 0x1p-1);
  Ref odd = LLVMBuildAnd(e->b, shift_right(e, n, drop), whole_like(e, n, 1), "");
  Ref rounded = LLVMBuildAdd(e->b, plus_i(e, n, ((int64_t)1 << (drop - 1)) - 1), odd, "");
  Ref y = plus_i(e, shift_right(e, rounded, drop), -(rebias << 10));
  Ref low = LLVMBuildSub(e->b, as_type(e, add_f(e, a, magic), bits), as_type(e, magic, bits), "");
  y = choose(e, less_f(e, a, real_like(e, x, 0x1p-14)), low, y);
  y = choose(e, LLVMBuildFCmp(e->b, LLVMRealOGE, a, real_like(e, x, 65520), ""), whole_like(e, y, 0x7c00), y);
  y = choose(e, LLVMBuildFCmp(e->b, LLVMRealUNO, a, a, ""), whole_like(e, y, 0x7e00), y);
  Ref sign = LLVMBuildAnd(e->b, shift_right(e, as_type(e, x, bits), size - 16), whole_like(e, y, 0x8000), "");
  return LLVMBuildTrunc(e->b, LLVMBuildOr(e->b, y, sign, ""), like(x, e->i16), "");
}

/* Half's bits, moved to where float has them, are the number times 2^-112: exact, also where subnormal. */
static Ref float_from_half(Emit *e, Ref h) {
  Ref wide = LLVMBuildZExt(e->b, h, like(h, e->i32), "");
  Ref n = shift_left(e, LLVMBuildAnd(e->b, wide, whole_like(e, wide, 0x7fff), ""), 13);
  Ref y = as_type(e, n, e->f32);
  y = as_type(e, mul_f(e, y, real_like(e, y, 0x1p112)), e->i32);
  Ref special = LLVMBuildICmp(e->b, LLVMIntUGE, n, whole_like(e, n, 0x7c00 << 13), "");
  y = choose(e, special, LLVMBuildOr(e->b, n, whole_like(e, n, 0x7f800000), ""), y);
  Ref sign = shift_left(e, LLVMBuildAnd(e->b, wide, whole_like(e, wide, 0x8000), ""), 16);
  return as_type(e, LLVMBuildOr(e->b, y, sign, ""), e->f32);
}

static Ref bfloat_from_float(Emit *e, Ref x) {
  Ref n = as_type(e, x, e->i32);
  Ref odd = LLVMBuildAnd(e->b, shift_right(e, n, 16), whole_like(e, n, 1), "");
  Ref y = shift_right(e, LLVMBuildAdd(e->b, plus_i(e, n, 0x7fff), odd, ""), 16);
  Ref sign = LLVMBuildAnd(e->b, shift_right(e, n, 16), whole_like(e, n, 0x8000), "");
  Ref nan = LLVMBuildOr(e->b, sign, whole_like(e, n, 0x7fc0), "");
  y = choose(e, LLVMBuildFCmp(e->b, LLVMRealUNO, x, x, ""), nan, y);
  return LLVMBuildTrunc(e->b, y, like(x, e->i16), "");
}

static Ref float_from_bfloat(Emit *e, Ref h) {
  Ref wide = LLVMBuildZExt(e->b, h, like(h, e->i32), "");
  return as_type(e, shift_left(e, wide, 16), e->f32);
}

static Ref bool_from(Emit *e, Ref x, Type from) {
  Ref zero = zero_like(x);
  Ref set = type_is_float(from) ? LLVMBuildFCmp(e->b, LLVMRealUNE, x, zero, "")
                                : LLVMBuildICmp(e->b, LLVMIntNE, x, zero, "");
  return LLVMBuildZExt(e->b, set, like(x, e->i8), "");
}

/* Out of the integer's range: its nearest end; NaN: 0. */
static Ref integer_from_float(Emit *e, Ref x, Type to) {
  const char *name = type_is_signed(to) ? "llvm.fptosi.sat" : "llvm.fptoui.sat";
  LLVMTypeRef type = like(x, llvm_type(e, to));
  return intrinsic(e, name, 2, (LLVMTypeRef[]){type, LLVMTypeOf(x)}, 1, &x);
}

static Ref number_from(Emit *e, Ref x, Type from, Type to) {
  LLVMTypeRef type = like(x, llvm_type(e, to));
  if (type_is_float(from) && !type_is_float(to)) return integer_from_float(e, x, to);
  if (type_is_float(from)) return LLVMBuildFPCast(e->b, x, type, "");
  if (!type_is_float(to)) return LLVMBuildIntCast2(e->b, x, type, type_is_signed(from), "");
  return type_is_signed(from) ? LLVMBuildSIToFP(e->b, x, type, "") : LLVMBuildUIToFP(e->b, x, type, "");
}

Ref math_cast(Emit *e, Ref x, Type from, Type to) {
  if (from == to) return x;
  if (from == T_F16) return math_cast(e, float_from_half(e, x), T_F32, to);
  if (from == T_BF16) return math_cast(e, float_from_bfloat(e, x), T_F32, to);
  if (to == T_F16) return half_from(e, from == T_F64 ? x : math_cast(e, x, from, T_F32));
  if (to == T_BF16) return bfloat_from_float(e, math_cast(e, x, from, T_F32));
  return to == T_BOOL ? bool_from(e, x, from) : number_from(e, x, from, to);
}

Ref math_widen(Emit *e, Ref x, Type from) {
  if (from != T_F16 || !(e->t->cpu_bits & RCC_CPU_F16C || has_neon(e->t))) return math_cast(e, x, from, T_F32);
  Ref half = LLVMBuildBitCast(e->b, x, like(x, LLVMHalfTypeInContext(e->c)), "");
  return LLVMBuildFPExt(e->b, half, like(x, e->f32), "");
}
