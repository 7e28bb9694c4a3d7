/* math.c: elementwise operators and conversions, on one element or a vector of any length.
 *
 * exp and what is made of it follow Cody and Waite, "Software Manual for the Elementary Functions" (1980):
 * reduce the argument by a multiple of ln 2 held in two parts, evaluate a polynomial, put the exponent back.
 * The operands of fmax_ and fmin_ are in the order in which a NaN among the data comes out as NaN. */
#include "emit.h"

#include "resnetcc_rt.h"
#include <llvm-c/Core.h>

static const double infinity = 1 / 0.0; /* math.h has names that emit.h has too */

/* ==== words for vectors of any length ==== */

static Ref as_type(Emit *e, Ref x, LLVMTypeRef element) {
  return LLVMBuildBitCast(e->b, x, like(x, element), "");
}

static Ref fsub(Emit *e, Ref a, Ref b) { return LLVMBuildFSub(e->b, a, b, ""); }
static Ref fdiv(Emit *e, Ref a, Ref b) { return LLVMBuildFDiv(e->b, a, b, ""); }
static Ref negative(Emit *e, Ref x) { return LLVMBuildFCmp(e->b, LLVMRealOLT, x, real_like(e, x, 0), ""); }
Ref choose(Emit *e, Ref cond, Ref a, Ref b) { return LLVMBuildSelect(e->b, cond, a, b, ""); }
static Ref shift_left(Emit *e, Ref x, int n) { return LLVMBuildShl(e->b, x, whole_like(e, x, n), ""); }
static Ref shift_right(Emit *e, Ref x, int n) { return LLVMBuildLShr(e->b, x, whole_like(e, x, n), ""); }
static Ref shift_signed(Emit *e, Ref x, int n) { return LLVMBuildAShr(e->b, x, whole_like(e, x, n), ""); }
static Ref plus(Emit *e, Ref x, int64_t v) { return LLVMBuildAdd(e->b, x, whole_like(e, x, v), ""); }

static Ref absolute(Emit *e, Ref x) {
  return intrinsic(e, "llvm.fabs", 1, (LLVMTypeRef[]){LLVMTypeOf(x)}, 1, &x);
}

/* ==== comparison ==== */

Ref math_less(Emit *e, Type t, Ref a, Ref b) {
  if (type_is_float(t)) return LLVMBuildFCmp(e->b, LLVMRealOLT, a, b, "");
  return LLVMBuildICmp(e->b, type_is_signed(t) ? LLVMIntSLT : LLVMIntULT, a, b, "");
}

Ref math_beats(Emit *e, Type t, Ref a, Ref b) {
  if (!type_is_float(t)) return math_less(e, t, b, a);
  Ref greater = LLVMBuildFCmp(e->b, LLVMRealUGT, a, b, "");
  return LLVMBuildAnd(e->b, greater, LLVMBuildFCmp(e->b, LLVMRealORD, b, b, ""), "");
}

/* ==== exp, sigmoid, tanh, log: f32 only ==== */

/* In two parts: k * ln2_hi is exact for every exponent k. */
static const double ln2_hi = 0x1.62e4p-1, ln2_lo = 0x1.7f7d1cf79abcap-20;

/* Remez: (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2, for the least error of exp(r) - 1 relative to r:
 * 2.4e-10. */
static const double exp_poly[] = {0x1p-1, 0x1.555556p-3, 0x1.5554aep-5, 0x1.11109p-7, 0x1.6d748ap-10,
                                  0x1.a1a18ep-13};

/* Remez: (tanh(x) - x) / x^3 in powers of x^2 for |x| <= 0.56, for the least error of tanh(x) relative to x:
 * 1.2e-9. */
static const double tanh_poly[] = {-0x1.55554ap-2, 0x1.110cb2p-3, -0x1.b913bp-5, 0x1.588444p-6,
                                   -0x1.96d7ccp-8};

static Ref horner(Emit *e, Ref x, int n, const double *coef) {
  Ref sum = real_like(e, x, coef[n - 1]);
  for (int i = n - 2; i >= 0; i--) sum = fma_(e, sum, x, real_like(e, x, coef[i]));
  return sum;
}

/* exp(x) = 2^k (1 + m): returns m, in about [-0.3, 0.42], and k as an integer; |x| < 2^15, or NaN: then m
 * is. Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits. */
static Ref exp_reduced(Emit *e, Ref x, Ref *k) {
  Ref round = real_like(e, x, 0x1.8p23);
  Ref sum = fma_(e, x, real_like(e, x, 1 / (ln2_hi + ln2_lo)), round);
  Ref kf = fsub(e, sum, round);
  *k = LLVMBuildSub(e->b, as_type(e, sum, e->i32), as_type(e, round, e->i32), "");
  Ref r = fma_(e, kf, real_like(e, x, -ln2_hi), x);
  r = fma_(e, kf, real_like(e, x, -ln2_lo), r);
  return fma_(e, mul_f(e, r, r), horner(e, r, COUNT(exp_poly), exp_poly), r);
}

/* y 2^k, also where that is subnormal or infinite: 2^k is multiplied in two halves, each a normal number. */
static Ref scale(Emit *e, Ref y, Ref k) {
  Ref half = shift_signed(e, k, 1), part[] = {half, LLVMBuildSub(e->b, k, half, "")};
  for (int i = 0; i < 2; i++) y = mul_f(e, y, as_type(e, shift_left(e, plus(e, part[i], 127), 23), e->f32));
  return y;
}

/* Within the bounds everything is exact to the last subnormal; past them the result is 0 or infinity. */
Ref math_exp(Emit *e, Ref x) {
  Ref k, bounded = fmin_(e, real_like(e, x, 89), fmax_(e, real_like(e, x, -104), x));
  Ref m = exp_reduced(e, bounded, &k);
  return scale(e, add_f(e, real_like(e, x, 1), m), k);
}

/* exp x - 1 for x < 0, where x is small as well: 2^k (1 + m) - 1 = 2^k m + (2^k - 1). Past the bound it is -1 to the last place. */
static Ref expm1_negative(Emit *e, Ref x) {
  Ref k, m = exp_reduced(e, fmin_(e, real_like(e, x, 0), fmax_(e, real_like(e, x, -104), x)), &k);
  Ref power = scale(e, real_like(e, x, 1), k);
  return fma_(e, power, m, fsub(e, power, real_like(e, x, 1)));
}

/* 1 / (1 + exp(a)) for a >= 0, as 2^-k / (1 + 2^-k + m): that cannot overflow. What the first sum loses goes
 * into the second. */
static Ref logistic_tail(Emit *e, Ref a) {
  Ref k, one = real_like(e, a, 1);
  Ref m = exp_reduced(e, fmin_(e, real_like(e, a, 104), a), &k);
  Ref power = scale(e, one, LLVMBuildNeg(e->b, k, ""));
  Ref sum = add_f(e, one, power), lost = fsub(e, power, fsub(e, sum, one));
  return fdiv(e, power, add_f(e, sum, add_f(e, m, lost)));
}

static Ref math_sigmoid(Emit *e, Ref x) {
  Ref w = logistic_tail(e, absolute(e, x));
  return choose(e, negative(e, x), w, fsub(e, real_like(e, x, 1), w));
}

/* 1 - 2 / (1 + exp(2|x|)) cancels below 1/2; there the polynomial. */
static Ref math_tanh(Emit *e, Ref x) {
  Ref a = absolute(e, x), s = mul_f(e, x, x);
  Ref near = fma_(e, mul_f(e, x, s), horner(e, s, COUNT(tanh_poly), tanh_poly), x);
  Ref far = fma_(e, logistic_tail(e, add_f(e, a, a)), real_like(e, x, -2), real_like(e, x, 1));
  Ref y = choose(e, LLVMBuildFCmp(e->b, LLVMRealOLT, a, real_like(e, x, 0.55), ""), near, far);
  return intrinsic(e, "llvm.copysign", 1, (LLVMTypeRef[]){LLVMTypeOf(x)}, 2, (Ref[]){y, x});
}

/* log(1 + y) = y - (h - s (h + R)) with s = y / (2 + y), h = y^2 / 2 and R = 2 (s^2/3 + s^4/5 + ...): the
 * series of 2 artanh(s), of which y - h + s h is the first term. `extra` is added where it loses least. */
static Ref log_fraction(Emit *e, Ref y, Ref extra) {
  static const double coef[] = {2 / 3., 2 / 5., 2 / 7., 2 / 9., 2 / 11.};
  Ref s = fdiv(e, y, add_f(e, y, real_like(e, y, 2)));
  Ref s2 = mul_f(e, s, s);
  Ref series = mul_f(e, s2, horner(e, s2, COUNT(coef), coef));
  Ref h = mul_f(e, mul_f(e, y, real_like(e, y, 0.5)), y);
  return fsub(e, y, fsub(e, h, fma_(e, s, add_f(e, h, series), extra)));
}

/* log x = k ln 2 + log m, m in [sqrt(1/2), sqrt(2)): taking the bits of sqrt(1/2) from those of x leaves k
 * above the fraction, and m once they are put back. */
Ref math_log(Emit *e, Ref x) {
  const int32_t sqrt_half = 0x3f3504f3;
  Ref tiny = LLVMBuildFCmp(e->b, LLVMRealOLT, x, real_like(e, x, 0x1p-126), "");
  Ref scaled = choose(e, tiny, mul_f(e, x, real_like(e, x, 0x1p23)), x);
  Ref bits = plus(e, as_type(e, scaled, e->i32), -sqrt_half);
  Ref k = LLVMBuildSIToFP(e->b, shift_signed(e, bits, 23), LLVMTypeOf(x), "");
  k = fsub(e, k, choose(e, tiny, real_like(e, x, 23), real_like(e, x, 0)));
  Ref m = as_type(e, plus(e, LLVMBuildAnd(e->b, bits, whole_like(e, bits, 0x7fffff), ""), sqrt_half), e->f32);
  Ref rest = log_fraction(e, fsub(e, m, real_like(e, x, 1)), mul_f(e, k, real_like(e, x, ln2_lo)));
  Ref y = fma_(e, k, real_like(e, x, ln2_hi), rest);
  y = choose(e, negative(e, x), real_like(e, x, infinity - infinity), y);
  y = choose(e, LLVMBuildFCmp(e->b, LLVMRealOEQ, x, real_like(e, x, 0), ""), real_like(e, x, -infinity), y);
  return choose(e, LLVMBuildFCmp(e->b, LLVMRealUEQ, x, real_like(e, x, infinity), ""), x, y);
}

/* ==== operators ==== */

static Ref clip(Emit *e, Ref x, double lo, double hi) {
  if (lo != lo || hi != hi) return real_like(e, x, infinity - infinity);
  Ref y = lo == -infinity ? x : fmax_(e, real_like(e, x, lo), x);
  return hi == infinity ? y : fmin_(e, real_like(e, x, hi), y);
}

/* The words of pointwise.def. */
#define ADD(p, q) add_f(e, p, q)
#define SUB(p, q) fsub(e, p, q)
#define MUL(p, q) mul_f(e, p, q)
#define DIV(p, q) fdiv(e, p, q)
#define FMA(p, q, r) fma_(e, p, q, r)
#define C(number) real_like(e, X, number)
#define NEGATIVE(p) negative(e, p)
#define SELECT(c, p, q) choose(e, c, p, q)
#define CLAMP(p, lo, hi) clip(e, p, lo, hi)
#define INF infinity
#define SIGMOID(p) math_sigmoid(e, p)
#define TANH(p) math_tanh(e, p)
#define EXPM1(p) expm1_negative(e, p)

Ref math_step(Emit *e, const Step *s, Ref acc, Ref arg) {
  Ref X = s->swap ? arg : acc, Y = s->swap ? acc : arg;
  double alpha = s->a, beta = s->b;
  switch (s->op) {
#define POINTWISE(name, on_floats, on_integers) case OP_##name: return on_floats;
#include "pointwise.def"
#undef POINTWISE
  default: assert(!"an operator with an equation"); return NULL;
  }
}

#undef ADD
#undef SUB
#undef MUL
#undef DIV
#undef NEGATIVE

/* ==== operators on integers, and bounds of any type ==== */

/* The divisors 0 and -1 can trap: quotients by the one are 0, by the other they wrap. */
static Ref divide_int(Emit *e, Type t, Ref a, Ref b) {
  Ref zero = LLVMConstNull(LLVMTypeOf(a)), ones = LLVMConstAllOnes(LLVMTypeOf(a));
  Ref one = LLVMConstSub(zero, ones), bad = LLVMBuildICmp(e->b, LLVMIntEQ, b, zero, "");
  a = choose(e, bad, zero, a);
  if (!type_is_signed(t)) return LLVMBuildUDiv(e->b, a, choose(e, bad, one, b), "");
  Ref minus = LLVMBuildICmp(e->b, LLVMIntEQ, b, ones, "");
  Ref safe = choose(e, LLVMBuildOr(e->b, bad, minus, ""), one, b);
  return choose(e, minus, LLVMBuildNeg(e->b, a, ""), LLVMBuildSDiv(e->b, a, safe, ""));
}

/* The words of pointwise.def, on integers of type t. */
#define ADD(p, q) LLVMBuildAdd(e->b, p, q, "")
#define SUB(p, q) LLVMBuildSub(e->b, p, q, "")
#define MUL(p, q) LLVMBuildMul(e->b, p, q, "")
#define DIV(p, q) divide_int(e, t, p, q)
#define ZERO LLVMConstNull(LLVMTypeOf(X))
#define NEGATIVE(p) math_less(e, t, p, ZERO)
#define NO_INTEGERS (assert(!"an operator on integers"), NULL)

Ref math_integers(Emit *e, Op op, Type t, Ref X, Ref Y) {
  switch (op) {
#define POINTWISE(name, on_floats, on_integers) case OP_##name: return on_integers;
#include "pointwise.def"
#undef POINTWISE
  default: assert(!"an operator with an equation"); return NULL;
  }
}

/* x, or the bound where `past` or where that is NaN. */
static Ref bounded(Emit *e, Type t, Ref x, Ref bound, Ref past) {
  if (type_is_float(t)) past = LLVMBuildOr(e->b, past, LLVMBuildFCmp(e->b, LLVMRealUNO, bound, bound, ""), "");
  return choose(e, past, bound, x);
}

Ref math_clip(Emit *e, Type t, Ref x, Ref lo, Ref hi) {
  if (lo) x = bounded(e, t, x, lo, math_less(e, t, x, lo));
  if (hi) x = bounded(e, t, x, hi, math_less(e, t, hi, x));
  return x;
}

/* ==== conversions ====
 * Half precision is done in integers: without F16C LLVM would call a library. */

/* f32 or f64 to half, rounded to nearest even. Normal results: round the bits away, rebias. Below 2^-14:
 * adding the power of two that ends where half's subnormals end leaves the result in the low bits. */
static Ref half_from(Emit *e, Ref x) {
  bool wide = element_of(x) == e->f64;
  int drop = wide ? 42 : 13, rebias = wide ? 1008 : 112, size = wide ? 64 : 32;
  LLVMTypeRef bits = wide ? e->i64 : e->i32;
  Ref a = absolute(e, x), n = as_type(e, a, bits), magic = real_like(e, x, wide ? 0x1p28 : 0x1p-1);
  Ref odd = LLVMBuildAnd(e->b, shift_right(e, n, drop), whole_like(e, n, 1), "");
  Ref rounded = LLVMBuildAdd(e->b, plus(e, n, ((int64_t)1 << (drop - 1)) - 1), odd, "");
  Ref y = plus(e, shift_right(e, rounded, drop), -(rebias << 10));
  Ref low = LLVMBuildSub(e->b, as_type(e, add_f(e, a, magic), bits), as_type(e, magic, bits), "");
  y = choose(e, LLVMBuildFCmp(e->b, LLVMRealOLT, a, real_like(e, x, 0x1p-14), ""), low, y);
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
  Ref y = shift_right(e, LLVMBuildAdd(e->b, plus(e, n, 0x7fff), odd, ""), 16);
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
  Ref zero = LLVMConstNull(LLVMTypeOf(x));
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
  if (from != T_F16 || !(e->t->cpu_bits & RCC_CPU_F16C)) return math_cast(e, x, from, T_F32);
  Ref half = LLVMBuildBitCast(e->b, x, like(x, LLVMHalfTypeInContext(e->c)), "");
  return LLVMBuildFPExt(e->b, half, like(x, e->f32), "");
}
