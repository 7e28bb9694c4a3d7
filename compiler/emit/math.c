/* math.c: the equations of elementwise operators as instructions, on one element or a vector of any length.
 * The operands of fmax_ and fmin_ are in the order in which a NaN among the data comes out as NaN. */
#include "emit.h"

#include <llvm-c/Core.h>

static const double infinity = 1 / 0.0; /* math.h has names that emit.h has too */

/* ==== comparison ==== */

Ref math_less(Emit *e, Type t, Ref a, Ref b) {
  if (type_is_float(t)) return less_f(e, a, b);
  return LLVMBuildICmp(e->b, type_is_signed(t) ? LLVMIntSLT : LLVMIntULT, a, b, "");
}

Ref math_beats(Emit *e, Type t, Ref a, Ref b) {
  if (!type_is_float(t)) return math_less(e, t, b, a);
  Ref greater = LLVMBuildFCmp(e->b, LLVMRealUGT, a, b, "");
  return LLVMBuildAnd(e->b, greater, LLVMBuildFCmp(e->b, LLVMRealORD, b, b, ""), "");
}

/* ==== operators ==== */

static Ref clip(Emit *e, Ref x, double lo, double hi) {
  if (lo != lo || hi != hi) return real_like(e, x, infinity - infinity);
  Ref y = lo == -infinity ? x : fmax_(e, real_like(e, x, lo), x);
  return hi == infinity ? y : fmin_(e, real_like(e, x, hi), y);
}

/* NaN where one of both is. */
static Ref larger(Emit *e, Ref p, Ref q) {
  if (element_of(p) == e->f32 && lane_count(p) > 1) return maximum_f(e, p, q);
  return choose(e, LLVMBuildFCmp(e->b, LLVMRealUNO, p, p, ""), p, fmax_(e, p, q));
}

static Ref smaller(Emit *e, Ref p, Ref q) {
  if (element_of(p) == e->f32 && lane_count(p) > 1) return minimum_f(e, p, q);
  return choose(e, LLVMBuildFCmp(e->b, LLVMRealUNO, p, p, ""), p, fmin_(e, p, q));
}

/* The remainder of x / y, exact: multiples of |y| by powers of two, from the largest below |x| down to |y| itself, are taken off
 * where they fit in. */
static Ref math_fmod(Emit *e, Ref x, Ref y) {
  Ref zero = real_like(e, x, 0), half = real_like(e, x, 0.5), a = abs_f(e, x), b = abs_f(e, y);
  Ref valid = LLVMBuildAnd(e->b, less_f(e, a, real_like(e, x, infinity)), less_f(e, zero, b), "");
  Ref rest = choose(e, valid, a, zero), least = choose(e, valid, b, real_like(e, x, 1));
  Repeat up, down;
  Ref step[] = {least, rest};
  repeat_begin(e, &up, 1, step);
  Ref fits = LLVMBuildFCmp(e->b, LLVMRealOLE, step[0], mul_f(e, rest, half), "");
  step[0] = choose(e, fits, add_f(e, step[0], step[0]), step[0]);
  repeat_end(e, &up, any_of(e, LLVMBuildFCmp(e->b, LLVMRealOLE, step[0], mul_f(e, rest, half), "")));
  repeat_begin(e, &down, 2, step);
  fits = LLVMBuildFCmp(e->b, LLVMRealOLE, step[0], step[1], "");
  step[1] = choose(e, fits, sub_f(e, step[1], step[0]), step[1]);
  Ref more = less_f(e, least, step[0]);
  step[0] = choose(e, more, mul_f(e, step[0], half), step[0]);
  repeat_end(e, &down, any_of(e, more));
  return copysign_f(e, choose(e, valid, step[1], real_like(e, x, infinity - infinity)), x);
}

/* A condition as bool. */
static Ref as_bool(Emit *e, Ref cond) { return LLVMBuildZExt(e->b, cond, like(cond, e->i8), ""); }

/* The words of pointwise.def. */
#define ADD(p, q) add_f(e, p, q)
#define SUB(p, q) sub_f(e, p, q)
#define MUL(p, q) mul_f(e, p, q)
#define DIV(p, q) div_f(e, p, q)
#define NEG(p) LLVMBuildFNeg(e->b, p, "")
#define ABS(p) abs_f(e, p)
#define MIN(p, q) smaller(e, p, q)
#define MAX(p, q) larger(e, p, q)
#define FMA(p, q, r) fma_(e, p, q, r)
#define C(number) real_like(e, X, number)
#define ZERO real_like(e, X, 0)
#define LESS(p, q) less_f(e, p, q)
#define EQUAL(p, q) LLVMBuildFCmp(e->b, LLVMRealOEQ, p, q, "")
#define NEGATIVE(p) less_f(e, p, ZERO)
#define NOT(c) LLVMBuildNot(e->b, c, "")
#define AND(c, d) LLVMBuildAnd(e->b, c, d, "")
#define OR(c, d) LLVMBuildOr(e->b, c, d, "")
#define XOR(c, d) LLVMBuildXor(e->b, c, d, "")
#define SELECT(c, p, q) choose(e, c, p, q)
#define CLAMP(p, lo, hi) clip(e, p, lo, hi)
#define INF infinity
#define FLOOR(p) math_floor(e, p)
#define CEIL(p) math_ceil(e, p)
#define ROUND(p) math_round(e, p)
#define SQRT(p) sqrt_f(e, p)
#define EXP(p) math_exp(e, p)
#define EXPM1(p) math_expm1(e, p)
#define LOG(p) math_log(e, p)
#define LOG1P(p) math_log1p_fraction(e, p)
#define POW(p, q) math_pow(e, p, q)
#define FMOD(p, q) math_fmod(e, p, q)
#define SIN(p) math_sin(e, p)
#define COS(p) math_cos(e, p)
#define TAN(p) math_tan(e, p)
#define ASIN(p) math_asin(e, p)
#define ACOS(p) math_acos(e, p)
#define ATAN(p) math_atan(e, p)
#define SINH(p) math_sinh(e, p)
#define COSH(p) math_cosh(e, p)
#define TANH(p) math_tanh(e, p)
#define ASINH(p) math_asinh(e, p)
#define ACOSH(p) math_acosh(e, p)
#define ATANH(p) math_atanh(e, p)
#define ERF(p) math_erf(e, p)
#define SIGMOID(p) math_sigmoid(e, p)
#define TANH_SOFTPLUS(p) math_tanh_softplus(e, p)
#define NO_FLOATS (assert(!"an operator on floats"), NULL)

Ref math_step(Emit *e, const Step *s, Ref acc, Ref arg) {
  Ref X = s->swap ? arg : acc, Y = s->swap ? acc : arg;
  double alpha = s->a, beta = s->b;
  switch (s->op) {
#define POINTWISE(name, on_floats, on_integers) case OP_##name: return on_floats;
#define PREDICATE(name, on_floats, on_integers) case OP_##name: return as_bool(e, on_floats);
#include "pointwise.def"
#undef POINTWISE
#undef PREDICATE
  default: assert(!"an operator with an equation"); return NULL;
  }
}

/* ==== operators on integers, and bounds of any type ==== */

/* The divisors 0 and -1 can trap: quotients by the one are 0, by the other they wrap. */
static Ref divide_int(Emit *e, Type t, Ref a, Ref b) {
  Ref zero = zero_like(a), ones = LLVMConstAllOnes(LLVMTypeOf(a));
  Ref one = LLVMConstSub(zero, ones), bad = LLVMBuildICmp(e->b, LLVMIntEQ, b, zero, "");
  a = choose(e, bad, zero, a);
  if (!type_is_signed(t)) return LLVMBuildUDiv(e->b, a, choose(e, bad, one, b), "");
  Ref minus = LLVMBuildICmp(e->b, LLVMIntEQ, b, ones, "");
  Ref safe = choose(e, LLVMBuildOr(e->b, bad, minus, ""), one, b);
  return choose(e, minus, LLVMBuildNeg(e->b, a, ""), LLVMBuildSDiv(e->b, a, safe, ""));
}

static Ref remainder_int(Emit *e, Type t, Ref a, Ref b) {
  Ref zero = zero_like(a), rest = LLVMBuildSub(e->b, a, LLVMBuildMul(e->b, divide_int(e, t, a, b), b, ""), "");
  return choose(e, LLVMBuildICmp(e->b, LLVMIntEQ, b, zero, ""), zero, rest);
}

static Ref modulo_int(Emit *e, Type t, Ref a, Ref b) {
  Ref zero = zero_like(a), rest = remainder_int(e, t, a, b);
  if (!type_is_signed(t)) return rest;
  Ref apart = LLVMBuildICmp(e->b, LLVMIntSLT, LLVMBuildXor(e->b, rest, b, ""), zero, "");
  Ref some = LLVMBuildICmp(e->b, LLVMIntNE, rest, zero, "");
  return choose(e, LLVMBuildAnd(e->b, some, apart, ""), LLVMBuildAdd(e->b, rest, b, ""), rest);
}

/* By squares; exponents are i64. Negative ones leave 1 and -1 only. */
static Ref power_int(Emit *e, Ref base, Ref exponent) {
  Ref zero = zero_like(base), one = whole_like(e, base, 1), none = whole_like(e, exponent, 0);
  Ref unit = LLVMBuildOr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, base, one, ""),
                         LLVMBuildICmp(e->b, LLVMIntEQ, base, whole_like(e, base, -1), ""), "");
  Ref fraction = LLVMBuildAnd(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, exponent, none, ""), LLVMBuildNot(e->b, unit, ""), "");
  Repeat r;
  Ref s[] = {choose(e, fraction, zero, one), base, exponent};
  repeat_begin(e, &r, COUNT(s), s);
  Ref bit = LLVMBuildTrunc(e->b, s[2], like(s[2], e->i1), "");
  s[0] = choose(e, bit, LLVMBuildMul(e->b, s[0], s[1], ""), s[0]);
  s[1] = LLVMBuildMul(e->b, s[1], s[1], "");
  s[2] = shift_right(e, s[2], 1);
  repeat_end(e, &r, any_of(e, LLVMBuildICmp(e->b, LLVMIntNE, s[2], none, "")));
  return s[0];
}

static Ref shift_int(Emit *e, Ref x, Ref by, bool right) {
  Ref width = whole_like(e, by, (int64_t)LLVMGetIntTypeWidth(element_of(by)));
  Ref fits = LLVMBuildICmp(e->b, LLVMIntULT, by, width, ""), zero = zero_like(x);
  Ref safe = choose(e, fits, by, zero);
  return choose(e, fits, right ? LLVMBuildLShr(e->b, x, safe, "") : LLVMBuildShl(e->b, x, safe, ""), zero);
}

static Ref integers_as_floats(Emit *e, const Step *s, Type t, Ref x, Ref y) {
  Step own = *s;
  own.swap = false;
  Ref r = math_step(e, &own, math_cast(e, x, t, T_F64), y ? math_cast(e, y, t, T_F64) : NULL);
  return math_cast(e, r, T_F64, t);
}

/* The words of pointwise.def, on integers of type t. */
#define ADD(p, q) LLVMBuildAdd(e->b, p, q, "")
#define SUB(p, q) LLVMBuildSub(e->b, p, q, "")
#define MUL(p, q) LLVMBuildMul(e->b, p, q, "")
#define DIV(p, q) divide_int(e, t, p, q)
#define NEG(p) LLVMBuildNeg(e->b, p, "")
#define ABS(p) choose(e, NEGATIVE(p), NEG(p), p)
#define MIN(p, q) choose(e, LESS(p, q), p, q)
#define MAX(p, q) choose(e, LESS(p, q), q, p)
#define C(number) whole_like(e, X, (int64_t)(number))
#define ZERO zero_like(X)
#define LESS(p, q) math_less(e, t, p, q)
#define EQUAL(p, q) LLVMBuildICmp(e->b, LLVMIntEQ, p, q, "")
#define NEGATIVE(p) LESS(p, ZERO)
#define TRUTH(p) LLVMBuildICmp(e->b, LLVMIntNE, p, ZERO, "")
#define POWER(p, q) power_int(e, p, q)
#define REMAINDER(p, q) remainder_int(e, t, p, q)
#define MODULO(p, q) modulo_int(e, t, p, q)
#define BIT_AND(p, q) LLVMBuildAnd(e->b, p, q, "")
#define BIT_OR(p, q) LLVMBuildOr(e->b, p, q, "")
#define BIT_XOR(p, q) LLVMBuildXor(e->b, p, q, "")
#define BIT_NOT(p) LLVMBuildNot(e->b, p, "")
#define SHIFT_LEFT(p, q) shift_int(e, p, q, false)
#define SHIFT_RIGHT(p, q) shift_int(e, p, q, true)
#define AS_FLOATS integers_as_floats(e, s, t, X, Y)
#define NO_INTEGERS (assert(!"an operator on integers"), NULL)

Ref math_integers(Emit *e, const Step *s, Type t, Ref acc, Ref arg) {
  Ref X = s->swap ? arg : acc, Y = s->swap ? acc : arg;
  double alpha = s->a;
  switch (s->op) {
#define POINTWISE(name, on_floats, on_integers) case OP_##name: return on_integers;
#define PREDICATE(name, on_floats, on_integers) case OP_##name: return as_bool(e, on_integers);
#include "pointwise.def"
#undef POINTWISE
#undef PREDICATE
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
