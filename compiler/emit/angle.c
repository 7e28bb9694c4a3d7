/* angle.c: trigonometric and hyperbolic functions and their inverses, on one float or a vector of any length.
 * They are computed in f64, and rounded where f32 is asked for. */
#include "emit.h"

#include <llvm-c/Core.h>

static const double infinity = 1 / 0.0;
static const double half_pi = 1.57079632679489661923, ln2 = 0.69314718055994530942;

static Ref greater(Emit *e, Ref x, double bound) { return less_f(e, real_like(e, x, bound), x); }

/* ==== reduction to a quarter of the circle ====
 *
 * x = q pi/2 + r. Up to some size pi/2 in three parts does, of which q times the first two is exact. For
 * larger numbers see Payne and Hanek, "Radian Reduction for Trigonometric Functions" (1983): x = m 2^k, m of
 * 53 bits; in the product of m and the digits of 2/pi times 2^k, those of 4 and more are multiples of the
 * whole circle and need not be there at all, and behind 192 digits nothing changes the result. */

enum { PI_LIMBS = 21, DIGITS_BEFORE = 64 };

/* The digits of 2/pi, with zeros before them. */
static const uint64_t two_over_pi[PI_LIMBS] = {
  0, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0,
  0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4,
  0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
  0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab, 0xf0cfbc209af4361d,
};

static Ref digits_table(Emit *e) {
  static const char name[] = "two_over_pi";
  Ref limb[PI_LIMBS], table = LLVMGetNamedGlobal(e->m, local_name(e, name));
  for (int i = 0; i < PI_LIMBS; i++) limb[i] = LLVMConstInt(e->i64, two_over_pi[i], 0);
  return table ? table : constant_global(e, LLVMConstArray2(e->i64, limb, PI_LIMBS), name);
}

/* a << n | b >> (64 - n) */
static Ref funnel(Emit *e, Ref a, Ref b, Ref n) {
  return intrinsic(e, "llvm.fshl", 1, &e->i64, 3, (Ref[]){a, b, n});
}

static Ref product_128(Emit *e, Ref a, Ref b, Ref *high) {
  LLVMTypeRef twice = LLVMIntTypeInContext(e->c, 128);
  Ref p = LLVMBuildMul(e->b, LLVMBuildZExt(e->b, a, twice, ""), LLVMBuildZExt(e->b, b, twice, ""), "");
  *high = LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, p, LLVMConstInt(twice, 64, 0), ""), e->i64, "");
  return LLVMBuildTrunc(e->b, p, e->i64, "");
}

/* m times the digits from number `at` on, as three limbs of which the first has the highest; what is above
 * them is gone. */
static void digits_product(Emit *e, Ref m, Ref at, Ref product[3]) {
  Ref first = gep(e, digits_table(e), LLVMBuildLShr(e->b, at, const_i64(e, 6), ""), 8);
  Ref shift = LLVMBuildAnd(e->b, at, const_i64(e, 63), ""), window[3], carry, high;
  for (int i = 0; i < 3; i++)
    window[i] = funnel(e, load(e, e->i64, first, 8 * i, 8), load(e, e->i64, first, 8 * i + 8, 8), shift);
  product[2] = product_128(e, m, window[2], &carry);
  Ref middle = product_128(e, m, window[1], &high);
  product[1] = LLVMBuildAdd(e->b, middle, carry, "");
  Ref over = LLVMBuildZExt(e->b, LLVMBuildICmp(e->b, LLVMIntULT, product[1], middle, ""), e->i64, "");
  product[0] = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, m, window[0], ""), LLVMBuildAdd(e->b, high, over, ""),
                            "");
}

/* Of one large finite x >= 0; others give anything. The fraction of the quotient is read as one of -1/2 to
 * 1/2, and q rounded. */
static Ref reduce_large(Emit *e, Ref x, Ref *q) {
  Ref bits = as_type(e, x, e->i64), exponent = LLVMBuildLShr(e->b, bits, const_i64(e, 52), ""), product[3];
  Ref hidden = const_i64(e, (int64_t)1 << 52);
  Ref fraction = LLVMBuildAnd(e->b, bits, const_i64(e, ((int64_t)1 << 52) - 1), "");
  Ref at = LLVMBuildSub(e->b, exponent, const_i64(e, 1075 + 2 - DIGITS_BEFORE), "");
  digits_product(e, LLVMBuildOr(e->b, fraction, hidden, ""),
                 clamp_i(e, at, const_i64(e, 64 * (PI_LIMBS - 4) - 1)), product);
  Ref high = funnel(e, product[0], product[1], const_i64(e, 2));
  Ref low = funnel(e, product[1], product[2], const_i64(e, 2));
  Ref up = LLVMBuildLShr(e->b, high, const_i64(e, 63), "");
  *q = LLVMBuildAdd(e->b, LLVMBuildLShr(e->b, product[0], const_i64(e, 62), ""), up, "");
  Ref sum = mul_f(e, LLVMBuildSIToFP(e->b, high, e->f64, ""), real_like(e, x, 0x1p-64));
  sum = fma_(e, LLVMBuildUIToFP(e->b, low, e->f64, ""), real_like(e, x, 0x1p-128), sum);
  return mul_f(e, sum, real_like(e, x, half_pi));
}

static Ref with_lane(Emit *e, Ref x, Ref i, Ref lane) {
  return lane_count(x) == 1 ? lane : LLVMBuildInsertElement(e->b, x, lane, i, "");
}

/* Replaces r and q where x is large, one lane after the other, if there are any. */
static void reduce_lanes(Emit *e, Ref x, Ref large, Ref rq[2]) {
  Ref zero = const_i64(e, 0), a = abs_f(e, x);
  Ref lanes = choose(e, any_of(e, large), const_i64(e, lane_count(x)), zero);
  Loop l;
  loop_begin(e, &l, zero, lanes, 1, 2, rq);
  Ref q, r = reduce_large(e, lane_of(e, a, l.i), &q), is_large = lane_of(e, large, l.i);
  Ref negative = less_f(e, lane_of(e, x, l.i), real_like(e, r, 0));
  r = choose(e, negative, LLVMBuildFNeg(e->b, r, ""), r);
  q = choose(e, negative, LLVMBuildNeg(e->b, q, ""), q);
  rq[0] = with_lane(e, rq[0], l.i, choose(e, is_large, r, lane_of(e, rq[0], l.i)));
  rq[1] = with_lane(e, rq[1], l.i, choose(e, is_large, q, lane_of(e, rq[1], l.i)));
  loop_end(e, &l);
}

/* |r| <= pi/4; of q only the last two digits matter. */
static Ref reduced_angle(Emit *e, Ref x, Ref *q) {
  static const double part[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69};
  Ref whole = real_like(e, x, 0x1.8p52), sum = fma_(e, x, real_like(e, x, 1 / half_pi), whole);
  Ref k = sub_f(e, sum, whole), rq[] = {x, as_type(e, sum, e->i64)}, a = abs_f(e, x);
  for (size_t i = 0; i < COUNT(part); i++) rq[0] = fma_(e, k, real_like(e, x, -part[i]), rq[0]);
  reduce_lanes(e, x, LLVMBuildAnd(e->b, greater(e, a, 0x1p20), less_f(e, a, real_like(e, x, infinity)), ""),
               rq);
  *q = rq[1];
  return rq[0];
}

/* ==== sine and cosine ==== Taylor: what is left out is below 1e-17 of the result. */

static Ref sine_of_reduced(Emit *e, Ref r) {
  static const double coef[] = {-1 / 6., 1 / 120., -1 / 5040., 1 / 362880., -1 / 39916800., 1 / 6227020800.,
                                -1 / 1307674368000., 1 / 355687428096000.};
  Ref s = mul_f(e, r, r);
  /* where it is 0, too */
  return copysign_f(e, fma_(e, mul_f(e, r, s), horner(e, s, COUNT(coef), coef), r), r);
}

static Ref cosine_of_reduced(Emit *e, Ref r) {
  static const double coef[] = {1, -1 / 2., 1 / 24., -1 / 720., 1 / 40320., -1 / 3628800., 1 / 479001600.,
                                -1 / 87178291200., 1 / 20922789888000.};
  return horner(e, mul_f(e, r, r), COUNT(coef), coef);
}

static Ref has_bit(Emit *e, Ref q, int64_t bit) {
  return LLVMBuildICmp(e->b, LLVMIntNE, LLVMBuildAnd(e->b, q, whole_like(e, q, bit), ""), whole_like(e, q, 0),
                       "");
}

/* The sine `quarters` further. */
static Ref sine(Emit *e, Ref x, int quarters) {
  Ref q, r = reduced_angle(e, x, &q);
  q = plus_i(e, q, quarters);
  Ref y = choose(e, has_bit(e, q, 1), cosine_of_reduced(e, r), sine_of_reduced(e, r));
  return choose(e, has_bit(e, q, 2), LLVMBuildFNeg(e->b, y, ""), y);
}

static Ref sin_f64(Emit *e, Ref x) { return sine(e, x, 0); }
static Ref cos_f64(Emit *e, Ref x) { return sine(e, x, 1); }

static Ref tan_f64(Emit *e, Ref x) {
  Ref q, r = reduced_angle(e, x, &q), s = sine_of_reduced(e, r), c = cosine_of_reduced(e, r);
  Ref odd = has_bit(e, q, 1);
  return div_f(e, choose(e, odd, LLVMBuildFNeg(e->b, c, ""), s), choose(e, odd, s, c));
}

/* ==== their inverses ==== */

/* |x| is made less than tan(pi/8): its arc is that of (|x| - 1) / (|x| + 1) and pi/4, or that of -1/|x| and
 * pi/2. There x P(x^2), of an error of 1e-18. */
static Ref atan_f64(Emit *e, Ref x) {
  static const double coef[] = {1.0, -0.33333333333333126, 0.19999999999942653, -0.14285714279409592,
                                0.11111110752318158, -0.09090897009533434, 0.076920487182283,
                                -0.06662988579287991, 0.05847134690335044, -0.05036212883707134,
                                0.03799243882468438, -0.017834132601776367};
  Ref a = abs_f(e, x), one = real_like(e, x, 1), zero = real_like(e, x, 0);
  Ref middle = greater(e, a, 0.41421356237309503), far = greater(e, a, 2.4142135623730951);
  Ref above = choose(e, far, real_like(e, x, -1), choose(e, middle, sub_f(e, a, one), a));
  Ref below = choose(e, far, a, choose(e, middle, add_f(e, a, one), one));
  Ref base = choose(e, far, real_like(e, x, half_pi), choose(e, middle, real_like(e, x, half_pi / 2), zero));
  Ref t = div_f(e, above, below);
  return copysign_f(e, fma_(e, t, horner(e, mul_f(e, t, t), COUNT(coef), coef), base), x);
}

/* Through arcs of a tangent, infinite ones too: asin x = atan(x / sqrt(1 - x^2)), acos x = 2 atan(sqrt((1 -
 * x) / (1 + x))). */
static Ref asin_f64(Emit *e, Ref x) {
  Ref one = real_like(e, x, 1);
  return atan_f64(e, div_f(e, x, sqrt_f(e, mul_f(e, sub_f(e, one, x), add_f(e, one, x)))));
}

static Ref acos_f64(Emit *e, Ref x) {
  Ref one = real_like(e, x, 1), half = atan_f64(e, sqrt_f(e, div_f(e, sub_f(e, one, x), add_f(e, one, x))));
  return add_f(e, half, half);
}

/* ==== hyperbolic functions ==== In two factors of exp(|x| / 2), which overflow no sooner than the result. */

static Ref half_exp(Emit *e, Ref a, Ref *root) {
  *root = math_exp(e, mul_f(e, a, real_like(e, a, 0.5)));
  return mul_f(e, mul_f(e, *root, real_like(e, a, 0.5)), *root);
}

static Ref sinh_f64(Emit *e, Ref x) {
  Ref a = abs_f(e, x), t = math_expm1(e, a), root;
  Ref near = mul_f(e, add_f(e, t, div_f(e, t, add_f(e, t, real_like(e, x, 1)))), real_like(e, x, 0.5));
  return copysign_f(e, choose(e, greater(e, a, 22), half_exp(e, a, &root), near), x);
}

static Ref cosh_f64(Emit *e, Ref x) {
  Ref root, half = half_exp(e, abs_f(e, x), &root);
  return add_f(e, half, div_f(e, real_like(e, x, 0.5), mul_f(e, root, root)));
}

/* log(1 + y): what 1 + y loses, divided by it, is added. */
static Ref log1p_f64(Emit *e, Ref y) {
  Ref one = real_like(e, y, 1), sum = add_f(e, one, y), lost = sub_f(e, y, sub_f(e, sum, one));
  Ref infinite = LLVMBuildFCmp(e->b, LLVMRealOEQ, y, real_like(e, y, infinity), "");
  return add_f(e, math_log(e, sum), choose(e, infinite, real_like(e, y, 0), div_f(e, lost, sum)));
}

/* log 2x for large ones, whose square overflows; else of x + sqrt(x^2 + 1) = 1 + x + x^2 / (1 + sqrt(x^2 +
 * 1)). */
static Ref asinh_f64(Emit *e, Ref x) {
  Ref a = abs_f(e, x), s = mul_f(e, a, a), one = real_like(e, x, 1);
  Ref root = sqrt_f(e, add_f(e, s, one));
  Ref near = log1p_f64(e, add_f(e, a, div_f(e, s, add_f(e, one, root))));
  Ref far = add_f(e, math_log(e, a), real_like(e, x, ln2));
  return copysign_f(e, choose(e, greater(e, a, 0x1p28), far, near), x);
}

static Ref acosh_f64(Emit *e, Ref x) {
  Ref one = real_like(e, x, 1), t = sub_f(e, x, one);
  Ref near = log1p_f64(e, add_f(e, t, sqrt_f(e, fma_(e, t, t, add_f(e, t, t)))));
  Ref y = choose(e, greater(e, x, 0x1p28), add_f(e, math_log(e, x), real_like(e, x, ln2)), near);
  return choose(e, less_f(e, x, one), real_like(e, x, infinity - infinity), y);
}

/* log((1 + x) / (1 - x)) / 2 */
static Ref atanh_f64(Emit *e, Ref x) {
  Ref a = abs_f(e, x), quotient = div_f(e, add_f(e, a, a), sub_f(e, real_like(e, x, 1), a));
  return copysign_f(e, mul_f(e, log1p_f64(e, quotient), real_like(e, x, 0.5)), x);
}

/* ==== in either type ==== */

static Ref through_f64(Emit *e, Ref x, Unary *function) {
  if (element_of(x) == e->f64) return function(e, x);
  return narrowed(e, function(e, widened(e, x)));
}

Ref math_sin(Emit *e, Ref x) { return through_f64(e, x, sin_f64); }
Ref math_cos(Emit *e, Ref x) { return through_f64(e, x, cos_f64); }
Ref math_tan(Emit *e, Ref x) { return through_f64(e, x, tan_f64); }
Ref math_asin(Emit *e, Ref x) { return through_f64(e, x, asin_f64); }
Ref math_acos(Emit *e, Ref x) { return through_f64(e, x, acos_f64); }
Ref math_atan(Emit *e, Ref x) { return through_f64(e, x, atan_f64); }
Ref math_sinh(Emit *e, Ref x) { return through_f64(e, x, sinh_f64); }
Ref math_cosh(Emit *e, Ref x) { return through_f64(e, x, cosh_f64); }
Ref math_asinh(Emit *e, Ref x) { return through_f64(e, x, asinh_f64); }
Ref math_acosh(Emit *e, Ref x) { return through_f64(e, x, acosh_f64); }
Ref math_atanh(Emit *e, Ref x) { return through_f64(e, x, atanh_f64); }
