/* elementary.c: whole numbers, exp, log and what is made of them, on one float or a vector of any length, of
 * f32 or f64.
 *
 * exp follows Cody and Waite, "Software Manual for the Elementary Functions" (1980): reduce the argument by a
 * multiple of ln 2 held in two parts, evaluate a polynomial, put the exponent back.
 * The operands of fmax_ and fmin_ are in the order in which a NaN among the data comes out as NaN. */
#include "emit.h"

#include "resnetcc_rt.h"
#include <llvm-c/Core.h>

static const double infinity = 1 / 0.0; /* math.h has names that emit.h has too */

/* ==== formats ==== */

/* How f32 and f64 are computed with. */
typedef struct Form {
  int fraction, bias;
  /* beside it floats are whole numbers: adding it rounds to one, which then stands in the low bits */
  double whole;
  double most, least;    /* exp is infinity or 0 past them, also in its last subnormal */
  double ln2_hi, ln2_lo; /* in two parts: k * ln2_hi is exact for every exponent k */
  const double *exp;     /* (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2 */
  int n_exp, n_log;      /* terms of exp; of the series of log */
  int64_t sqrt_half;     /* the bits of sqrt(1/2) */
  /* the least normal number; a power of two that makes numbers below it normal, of exponent ... */
  double normal, scale;
  int exponent;
  const double *logistic; /* exp's terms for the logistic function */
  int n_logistic;
  double logistic_most;  /* 1 + exp is exp from there on */
  int lift;              /* 2^lift exp is normal for all results of exp but 0; ... */
  double lifted_one;     /* ... 2^lift */
} Form;

/* Remez, for the least error of exp(r) - 1 relative to r: 2.4e-10. */
static const double exp_f32[] = {0x1p-1, 0x1.555556p-3, 0x1.5554aep-5, 0x1.11109p-7, 0x1.6d748ap-10,
                                 0x1.a1a18ep-13};

/* Likewise, for the least error of exp(r) relative to it: 3.2e-9. */
static const double logistic_f32[] = {0x1.fffffcp-2, 0x1.555492p-3, 0x1.5558bp-5, 0x1.123988p-7, 0x1.6a4ce4p-10};

/* Taylor: what is left out is 4e-18. */
static const double exp_f64[] = {1 / 2., 1 / 6., 1 / 24., 1 / 120., 1 / 720., 1 / 5040., 1 / 40320.,
                                 1 / 362880., 1 / 3628800., 1 / 39916800., 1 / 479001600., 1 / 6227020800.};

static const Form form_f32 = {23, 127, 0x1.8p23, 89, -104, 0x1.62e4p-1, 0x1.7f7d1cf79abcap-20, exp_f32,
                              COUNT(exp_f32), 5,
                              0x3f3504f3, 0x1p-126, 0x1p23, 23, logistic_f32, COUNT(logistic_f32), 20, 32, 0x1p32};
static const Form form_f64 = {52, 1023, 0x1.8p52, 710, -746, 0x1.62e42feep-1, 0x1.a39ef35793c76p-33, exp_f64,
                              COUNT(exp_f64), 10,
                              0x3fe6a09e667f3bcd, 0x1p-1022, 0x1p52, 52, exp_f64, COUNT(exp_f64), 40, 64, 0x1p64};
/* In f64, for results that become f32: a relative error of 1e-9. */
static const Form form_rough = {52, 1023, 0x1.8p52, 710, -746, 0x1.62e42feep-1, 0x1.a39ef35793c76p-33,
                                exp_f64, 8, 6,
                                0x3fe6a09e667f3bcd, 0x1p-1022, 0x1p52, 52, exp_f64, COUNT(exp_f64), 40, 64, 0x1p64};

static bool is_wide(Emit *e, Ref x) { return element_of(x) == e->f64; }
static const Form *form_of(Emit *e, Ref x) { return is_wide(e, x) ? &form_f64 : &form_f32; }
static LLVMTypeRef bits_of(Emit *e, Ref x) { return is_wide(e, x) ? e->i64 : e->i32; }
static Ref as_bits(Emit *e, Ref x) { return as_type(e, x, bits_of(e, x)); }

Ref horner(Emit *e, Ref x, int n, const double *coef) {
  Ref sum = real_like(e, x, coef[n - 1]);
  for (int i = n - 2; i >= 0; i--) sum = fma_(e, sum, x, real_like(e, x, coef[i]));
  return sum;
}

/* ==== whole numbers ==== */

static bool rounds(const Target *t) { return t->cpu_bits & RCC_CPU_SSE41 || has_neon(t); }

/* An instruction where there is one; else beside 2^23 or 2^52 floats are whole numbers, as larger ones are
 * anyway. */
Ref math_round(Emit *e, Ref x) {
  LLVMTypeRef type = LLVMTypeOf(x);
  if (rounds(e->t)) return intrinsic(e, "llvm.roundeven", 1, &type, 1, &x);
  Ref most = real_like(e, x, element_of(x) == e->f64 ? 0x1p52 : 0x1p23), shift = copysign_f(e, most, x);
  Ref y = copysign_f(e, sub_f(e, add_f(e, x, shift), shift), x);
  return choose(e, less_f(e, abs_f(e, x), most), y, x);
}

/* To -inf, or to inf where `up`. */
static Ref round_to(Emit *e, Ref x, bool up) {
  LLVMTypeRef type = LLVMTypeOf(x);
  if (rounds(e->t)) return intrinsic(e, up ? "llvm.ceil" : "llvm.floor", 1, &type, 1, &x);
  Ref y = math_round(e, x), past = up ? less_f(e, y, x) : less_f(e, x, y);
  return copysign_f(e, add_f(e, y, choose(e, past, real_like(e, x, up ? 1 : -1), real_like(e, x, 0))), x);
}

Ref math_floor(Emit *e, Ref x) { return round_to(e, x, false); }
Ref math_ceil(Emit *e, Ref x) { return round_to(e, x, true); }

/* ==== exp ==== */

/* exp(x) = 2^k exp(r): returns r, |r| <= ln(2) / 2, and k plus the bits of `whole`, beside which floats are whole numbers; |x| is
 * within the format's bounds, or NaN: then r is. */
static Ref exp_rest(Emit *e, const Form *f, Ref x, double whole, Ref *k) {
  Ref round = real_like(e, x, whole);
  Ref sum = fma_(e, x, real_like(e, x, 1 / (f->ln2_hi + f->ln2_lo)), round);
  Ref kf = sub_f(e, sum, round);
  *k = as_bits(e, sum);
  Ref r = fma_(e, kf, real_like(e, x, -f->ln2_hi), x);
  return fma_(e, kf, real_like(e, x, -f->ln2_lo), r);
}

/* exp(x) = 2^k (1 + m): returns m, in about [-0.3, 0.42]. */
static Ref exp_reduced(Emit *e, const Form *f, Ref x, Ref *k) {
  Ref r = exp_rest(e, f, x, f->whole, k);
  *k = LLVMBuildSub(e->b, *k, as_bits(e, real_like(e, x, f->whole)), "");
  return fma_(e, mul_f(e, r, r), horner(e, r, f->n_exp, f->exp), r);
}

/* y 2^k, also where that is subnormal or infinite: 2^k is multiplied in two halves, each a normal number. */
static Ref scale(Emit *e, const Form *f, Ref y, Ref k) {
  Ref half = shift_signed(e, k, 1), part[] = {half, LLVMBuildSub(e->b, k, half, "")};
  for (int i = 0; i < 2; i++)
    y = mul_f(e, y, as_type(e, shift_left(e, plus_i(e, part[i], f->bias), f->fraction), element_of(y)));
  return y;
}

static Ref within(Emit *e, Ref x, double least, double most) {
  return fmin_(e, real_like(e, x, most), fmax_(e, real_like(e, x, least), x));
}

/* Within the bounds everything is exact to the last subnormal; past them the result is 0 or infinity. */
static Ref exp_as(Emit *e, const Form *f, Ref x) {
  Ref k, m = exp_reduced(e, f, within(e, x, f->least, f->most), &k);
  return scale(e, f, add_f(e, real_like(e, x, 1), m), k);
}

Ref math_exp(Emit *e, Ref x) { return exp_as(e, form_of(e, x), x); }

/* Where x is small as well: 2^k (1 + m) - 1 = 2^k m + (2^k - 1). Past the lower bound it is -1 to the last
 * place. */
Ref math_expm1(Emit *e, Ref x) {
  const Form *f = form_of(e, x);
  Ref k, m = exp_reduced(e, f, within(e, x, f->least, MOST_EXPM1), &k);
  Ref power = scale(e, f, real_like(e, x, 1), k);
  return fma_(e, power, m, sub_f(e, power, real_like(e, x, 1)));
}

/* ==== the logistic function ==== */

/* 2^lift exp(x) for least <= x <= logistic_most, or NaN: a normal number. The exponent's bits are the low ones of `whole` plus them. */
static Ref lifted_exp(Emit *e, const Form *f, Ref x) {
  Ref one = real_like(e, x, 1), k, r = exp_rest(e, f, x, f->whole + f->bias + f->lift, &k);
  Ref y = fma_(e, fma_(e, horner(e, r, f->n_logistic, f->logistic), r, one), r, one);
  return mul_f(e, y, as_type(e, shift_left(e, k, f->fraction), element_of(x)));
}

/* As many lanes as asked for: v's from the first on, again and again. */
static Ref resized(Emit *e, Ref v, int lanes) {
  int n = lane_count(v);
  Ref index[16];
  assert(lanes <= (int)COUNT(index));
  if (n == lanes) return v;
  if (n == 1) return splat(e, v, lanes);
  if (lanes == 1) return lane_of(e, v, const_i32(e, 0));
  for (int i = 0; i < lanes; i++) index[i] = const_i32(e, i % n);
  return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(index, (unsigned)lanes), "");
}

/* 1 / d to 14 bits, of numbers of any length that the instruction has room for; NULL: there is none. */
static Ref reciprocal_guess(Emit *e, Ref d) {
  int n = lane_count(d), lanes = 16;
  if (!(e->t->cpu_bits & RCC_CPU_AVX512F) || is_wide(e, d) || n > lanes) return NULL;
  Ref whole = resized(e, d, lanes), all = LLVMConstInt(e->i16, 0xffff, 0);
  Ref r = intrinsic(e, "llvm.x86.avx512.rcp14.ps.512", 0, NULL, 3, (Ref[]){whole, zero_like(whole), all});
  return resized(e, r, n);
}

/* p / d where d is from 2^32 to 2^62 and p no larger: AVX-512 divides a vector in 16 cycles, in which it does 30 products. An
 * estimate of 14 bits is made exact to the last place by what it leaves of p. */
static Ref divide_logistic(Emit *e, Ref p, Ref d) {
  Ref guess = reciprocal_guess(e, d);
  if (!guess) return div_f(e, p, d);
  Ref q = mul_f(e, p, guess);
  return fma_(e, guess, fma_(e, LLVMBuildFNeg(e->b, d, ""), q, p), q);
}

/* exp(x) / (1 + exp(x)), both times 2^lift: past `most` that is 1, and before `least` 0, in the last place. */
Ref math_sigmoid(Emit *e, Ref x) {
  const Form *f = form_of(e, x);
  Ref p = lifted_exp(e, f, within(e, x, f->least, f->logistic_most));
  return divide_logistic(e, p, add_f(e, p, real_like(e, x, f->lifted_one)));
}

/* 1 - 2 / (1 + exp(2|x|)) cancels below 1/2; there the polynomial. Remez: (tanh(x) - x) / x^3 in powers of
 * x^2 for |x| <= 0.56, for the least error of tanh(x) relative to x: 1.2e-9. */
static Ref tanh_f32(Emit *e, Ref x) {
  static const double coef[] = {-0x1.55554ap-2, 0x1.110cb2p-3, -0x1.b913bp-5, 0x1.588444p-6, -0x1.96d7ccp-8};
  Ref a = abs_f(e, x), s = mul_f(e, x, x);
  Ref near = fma_(e, mul_f(e, x, s), horner(e, s, COUNT(coef), coef), x);
  Ref far = fma_(e, math_sigmoid(e, mul_f(e, a, real_like(e, x, -2))), real_like(e, x, -2), real_like(e, x, 1));
  return choose(e, less_f(e, a, real_like(e, x, 0.55)), near, far);
}

/* With t = exp(2|x|) - 1 it is t / (t + 2). */
static Ref tanh_f64(Emit *e, Ref x) {
  Ref a = abs_f(e, x), t = math_expm1(e, add_f(e, a, a));
  return div_f(e, t, add_f(e, t, real_like(e, t, 2)));
}

Ref math_tanh(Emit *e, Ref x) { return copysign_f(e, is_wide(e, x) ? tanh_f64(e, x) : tanh_f32(e, x), x); }

/* Of y = exp(x) it is n / (n + 2), n = y^2 + 2 y; past 20 that is 1 in the last place of f64. */
Ref math_tanh_softplus(Emit *e, Ref x) {
  Ref two = real_like(e, x, 2), y = math_exp(e, fmin_(e, real_like(e, x, 20), x));
  Ref n = mul_f(e, y, add_f(e, y, two));
  return div_f(e, n, add_f(e, n, two));
}

/* ==== log ==== */

/* log(1 + y) = y - (h - s (h + R)) with s = y / (2 + y), h = y^2 / 2 and R = 2 (s^2/3 + s^4/5 + ...): the
 * series of 2 artanh(s), of which y - h + s h is the first term. `extra` is added where it loses least. */
static Ref log_fraction(Emit *e, const Form *f, Ref y, Ref extra) {
  static const double coef[] = {2 / 3., 2 / 5., 2 / 7., 2 / 9., 2 / 11., 2 / 13., 2 / 15., 2 / 17., 2 / 19.,
                                2 / 21.};
  Ref s = div_f(e, y, add_f(e, y, real_like(e, y, 2)));
  Ref s2 = mul_f(e, s, s);
  Ref series = mul_f(e, s2, horner(e, s2, f->n_log, coef));
  Ref h = mul_f(e, mul_f(e, y, real_like(e, y, 0.5)), y);
  return sub_f(e, y, sub_f(e, h, fma_(e, s, add_f(e, h, series), extra)));
}

/* log x = k ln 2 + log m, m in [sqrt(1/2), sqrt(2)): taking the bits of sqrt(1/2) from those of x leaves k
 * above the fraction, and m once they are put back. */
static Ref log_as(Emit *e, const Form *f, Ref x) {
  Ref zero = real_like(e, x, 0), tiny = less_f(e, x, real_like(e, x, f->normal));
  Ref scaled = choose(e, tiny, mul_f(e, x, real_like(e, x, f->scale)), x);
  Ref bits = plus_i(e, as_bits(e, scaled), -f->sqrt_half);
  Ref exponent = shift_signed(e, bits, f->fraction);
  if (is_wide(e, x)) exponent = LLVMBuildTrunc(e->b, exponent, like(x, e->i32), "");
  Ref k = LLVMBuildSIToFP(e->b, exponent, LLVMTypeOf(x), "");
  k = sub_f(e, k, choose(e, tiny, real_like(e, x, f->exponent), zero));
  Ref fraction = LLVMBuildAnd(e->b, bits, whole_like(e, bits, ((int64_t)1 << f->fraction) - 1), "");
  Ref m = as_type(e, plus_i(e, fraction, f->sqrt_half), element_of(x));
  Ref rest = log_fraction(e, f, sub_f(e, m, real_like(e, x, 1)), mul_f(e, k, real_like(e, x, f->ln2_lo)));
  Ref y = fma_(e, k, real_like(e, x, f->ln2_hi), rest);
  y = choose(e, less_f(e, x, zero), real_like(e, x, infinity - infinity), y);
  y = choose(e, LLVMBuildFCmp(e->b, LLVMRealOEQ, x, zero, ""), real_like(e, x, -infinity), y);
  return choose(e, LLVMBuildFCmp(e->b, LLVMRealUEQ, x, real_like(e, x, infinity), ""), x, y);
}

Ref math_log(Emit *e, Ref x) { return log_as(e, form_of(e, x), x); }

/* Above sqrt(2) - 1, ln 2 + log((1 + y) / 2). */
Ref math_log1p_fraction(Emit *e, Ref y) {
  const Form *f = form_of(e, y);
  Ref zero = real_like(e, y, 0), one = real_like(e, y, 1), half = real_like(e, y, 0.5);
  Ref far = LLVMBuildFCmp(e->b, LLVMRealOGT, y, real_like(e, y, 0.41421356), "");
  Ref rest = choose(e, far, mul_f(e, sub_f(e, y, one), half), y);
  Ref log = log_fraction(e, f, rest, choose(e, far, real_like(e, y, f->ln2_lo), zero));
  return add_f(e, log, choose(e, far, real_like(e, y, f->ln2_hi), zero));
}

/* ==== pow ==== */

/* |x|^y, with the sign of x where y is odd; not whole powers of negative numbers are NaN. What is 1 to the
 * power of anything and anything to the power of 0 is 1, as C has it. */
static Ref pow_as(Emit *e, const Form *f, Ref x, Ref y) {
  Ref zero = real_like(e, x, 0), one = real_like(e, x, 1), half = mul_f(e, y, real_like(e, y, 0.5));
  Ref log = log_as(e, f, abs_f(e, x)), product = mul_f(e, y, log);
  product = choose(e, LLVMBuildFCmp(e->b, LLVMRealOEQ, log, zero, ""), zero, product);
  Ref r = exp_as(e, f, product);
  Ref whole = LLVMBuildFCmp(e->b, LLVMRealOEQ, math_round(e, y), y, "");
  Ref odd = LLVMBuildAnd(e->b, whole, LLVMBuildFCmp(e->b, LLVMRealUNE, math_round(e, half), half, ""), "");
  r = choose(e, odd, copysign_f(e, r, x), r);
  Ref negative = LLVMBuildAnd(e->b, less_f(e, x, zero), less_f(e, real_like(e, x, -infinity), x), "");
  r = choose(e, LLVMBuildAnd(e->b, negative, LLVMBuildNot(e->b, whole, ""), ""),
             real_like(e, x, infinity - infinity), r);
  return choose(e, LLVMBuildFCmp(e->b, LLVMRealOEQ, y, zero, ""), one, r);
}

Ref math_pow(Emit *e, Ref x, Ref y) {
  if (is_wide(e, x)) return pow_as(e, &form_f64, x, y);
  return narrowed(e, pow_as(e, &form_rough, widened(e, x), widened(e, y)));
}

/* ==== erf ==== */

/* x P(x^2) / Q(x^2), where the error is least relative to erf: 2e-8. Past the bound it is 1 in the last
 * place, and must be no less: Gelu multiplies the difference by large numbers. */
static Ref erf_f32(Emit *e, Ref x) {
  static const double p[] = {1.1283791447722618, 0.19102225606461723, 0.05281511385661925,
                             0.003788042783181273, 0.000284684929936747, 2.0359737258209976e-06};
  static const double q[] = {1, 0.5026217802027412, 0.11434999082349906, 0.015014524011871835,
                             0.0011666778340607132, 3.793563021311814e-05};
  static const double bound = 3.92;
  Ref z = within(e, x, -bound, bound), s = mul_f(e, z, z);
  Ref y = div_f(e, mul_f(e, z, horner(e, s, COUNT(p), p)), horner(e, s, COUNT(q), q));
  Ref far = less_f(e, real_like(e, x, bound), abs_f(e, x));
  return choose(e, far, copysign_f(e, real_like(e, x, 1), x), y);
}

/* Below 1.5 x P(x^2), of an error of 1e-16; above, 1 - exp(-x^2) R(t) with t = 1 / (1 + |x| / 2), where R has
 * one of 2e-14. */
static Ref erf_f64(Emit *e, Ref x) {
  static const double p[] = {1.1283791670955123, -0.3761263890318147, 0.11283791670891082,
                             -0.026866170637999426, 0.005223977583784834, -0.0008548325558890087,
                             0.0001205529946351154, -1.492512692799432e-05, 1.645638173320092e-06,
                             -1.6321238348686237e-07, 1.4560525323903427e-08, -1.1333691248642352e-09,
                             6.894261258791815e-11, -2.3858372415737283e-12};
  static const double r[] = {-6.395152880564361e-07, 0.2821162780074739, 0.28176580043525534,
                             0.24986663253570524, 0.15757016566489987, 0.1652319636235216,
                             -0.2589630727130071, 0.5134208937882287, -0.9438489567130814, 0.8955892998658946,
                             -0.42594934462846346, 0.08322867227478935};
  Ref a = fmin_(e, real_like(e, x, 6), abs_f(e, x)), s = mul_f(e, a, a), one = real_like(e, x, 1);
  Ref t = div_f(e, one, fma_(e, a, real_like(e, x, 0.5), one));
  Ref far = sub_f(e, one, mul_f(e, math_exp(e, LLVMBuildFNeg(e->b, s, "")), horner(e, t, COUNT(r), r)));
  Ref near = mul_f(e, a, horner(e, s, COUNT(p), p));
  return copysign_f(e, choose(e, less_f(e, a, real_like(e, x, 1.5)), near, far), x);
}

Ref math_erf(Emit *e, Ref x) { return is_wide(e, x) ? erf_f64(e, x) : erf_f32(e, x); }
