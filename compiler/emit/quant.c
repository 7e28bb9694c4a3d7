/* quant.c: quantised arithmetic, as ops/quant.c defines it, on scalars and vectors of any length. */
#include "emit.h"

#include "resnetcc_rt.h"
#include <llvm-c/Core.h>

/* ==== floats, integers, bytes ==== */

/* A quantised number of the type as i32, which it may be already. */
static Ref as_int(Emit *e, Type t, Ref x) { return element_of(x) == e->i32 ? x : math_cast(e, x, t, T_I32); }

static Ref as_float(Emit *e, Type t, Ref x) { return LLVMBuildSIToFP(e->b, as_int(e, t, x), like(x, e->f32), ""); }

Ref whole_above(Emit *e, Ref x, Ref base) { return sub_f(e, add_f(e, x, real_like(e, x, WHOLE_BASE)), base); }

/* Floats that one instruction takes. */
static int native_lanes(const Emit *e) { return e->t->cpu_bits & RCC_CPU_AVX512F ? 16 : e->t->cpu_bits & RCC_CPU_AVX ? 8 : 4; }

/* One cvtps2dq, in the rounding mode that programs begin with, or fcvtns. */
static Ref rounded_vector(Emit *e, Ref x) {
  if (has_neon(e->t)) return intrinsic(e, "llvm.aarch64.neon.fcvtns", 2, (LLVMTypeRef[]){like(x, e->i32), LLVMTypeOf(x)}, 1, &x);
  Ref none = LLVMConstNull(like(x, e->i32)), all = LLVMConstAllOnes(LLVMInt16TypeInContext(e->c));
  if (lane_count(x) == 16) return intrinsic(e, "llvm.x86.avx512.mask.cvtps2dq.512", 0, NULL, 4, (Ref[]){x, none, all, const_i32(e, 4)});
  return intrinsic(e, lane_count(x) == 8 ? "llvm.x86.avx.cvt.ps2dq.256" : "llvm.x86.sse2.cvtps2dq", 0, NULL, 1, &x);
}

Ref nearest_i32(Emit *e, Ref x) {
  int lanes = lane_count(x), width = native_lanes(e), n = 0;
  if (lanes % 4) return LLVMBuildFPToSI(e->b, whole_above(e, x, real_like(e, x, WHOLE_BASE)), like(x, e->i32), "");
  while (lanes % width) width /= 2;
  Ref part[16];
  for (int i = 0; i < lanes; i += width) part[n++] = rounded_vector(e, take_lanes(e, x, i, width));
  return join_vectors(e, part, n);
}

/* A float in [lo, hi], two integers of few bits; NaN becomes lo. */
static Ref round_between(Emit *e, Ref x, Ref lo, Ref hi) { return nearest_i32(e, fmin_(e, fmax_(e, x, lo), hi)); }

static Ref pack_neon(Emit *e, const char *name, Ref a, Ref b) {
  LLVMTypeRef half = like(a, element_of(a) == e->i32 ? e->i16 : e->i8);
  Ref part[] = {intrinsic(e, name, 1, &half, 1, &a), intrinsic(e, name, 1, &half, 1, &b)};
  return join_vectors(e, part, 2);
}

/* One instruction, two with NEON, or several where the CPU has none so wide. */
Ref pack_pair(Emit *e, Type t, Ref a, Ref b) {
  static const char *const name[3][3] = {
    {"llvm.x86.sse2.packssdw.128", "llvm.x86.sse2.packsswb.128", "llvm.x86.sse2.packuswb.128"},
    {"llvm.x86.avx2.packssdw", "llvm.x86.avx2.packsswb", "llvm.x86.avx2.packuswb"},
    {"llvm.x86.avx512.packssdw.512", "llvm.x86.avx512.packsswb.512", "llvm.x86.avx512.packuswb.512"},
  };
  bool words = element_of(a) == e->i32;
  int half = lane_count(a) / 2, lanes = words ? 2 * half : half; /* lanes of i32 in as many bytes */
  uint64_t wide = lanes == 16 ? RCC_CPU_AVX512BW : RCC_CPU_AVX2;
  if (lanes == 4 && has_neon(e->t)) return pack_neon(e, words || t == T_I8 ? "llvm.aarch64.neon.sqxtn" : "llvm.aarch64.neon.sqxtun", a, b);
  if (lanes == 4 || e->t->cpu_bits & wide) return intrinsic(e, name[lanes / 8][words ? 0 : t == T_U8 ? 2 : 1], 0, NULL, 2, (Ref[]){a, b});
  Ref part[2];
  for (int k = 0; k < 2; k++) part[k] = pack_pair(e, t, take_lanes(e, a, k * half, half), take_lanes(e, b, k * half, half));
  return join_vectors(e, part, 2);
}

Ref packed_in_order(Emit *e, Ref v) {
  int lanes = lane_count(v) / 4, runs = lanes / 4;
  if (runs == 1) return v;
  Ref index[16], fours = LLVMBuildBitCast(e->b, v, vec_of(e->i32, lanes), "");
  for (int i = 0; i < lanes; i++) index[i] = const_i32(e, i % runs * 4 + i / runs);
  fours = LLVMBuildShuffleVector(e->b, fours, LLVMGetPoison(LLVMTypeOf(fours)), LLVMConstVector(index, (unsigned)lanes), "");
  return LLVMBuildBitCast(e->b, fours, LLVMTypeOf(v), "");
}

/* The bytes of four vectors of i32. */
static Ref packed(Emit *e, Type t, Ref *v) {
  Ref low = pack_pair(e, t, v[0], v[1]), high = pack_pair(e, t, v[2], v[3]);
  return packed_in_order(e, pack_pair(e, t, low, high));
}

/* Lanes of a vector of i32 that packing takes four of; 0: there is no such instruction. */
static int pack_lanes(const Emit *e) {
  uint64_t bits = e->t->cpu_bits;
  return bits & RCC_CPU_AVX512BW ? 16 : bits & RCC_CPU_AVX2 ? 8 : bits & RCC_CPU_AVX ? 0 : 4;
}

/* Integers that the type holds. */
static Ref to_type(Emit *e, Type t, Ref i) {
  int lanes = pack_lanes(e);
  if (!is_8_bit(t) || lanes == 0 || lane_count(i) != 4 * lanes) return LLVMBuildTrunc(e->b, i, like(i, llvm_type(e, t)), "");
  Ref v[4];
  for (int k = 0; k < 4; k++) v[k] = take_lanes(e, i, k * lanes, lanes);
  return packed(e, t, v);
}

/* A result of 8 bits that is i32, as bytes. */
static Ref as_bytes(Emit *e, Type t, Ref x) { return is_8_bit(t) && element_of(x) == e->i32 ? to_type(e, t, x) : x; }

/* The nearest integer and so many more, within the type, of 8 bits, as i32. */
static Ref saturated(Emit *e, Type t, Ref x, int64_t more) {
  Ref lo = real_like(e, x, (double)(type_lowest(t) - more)), hi = real_like(e, x, (double)(type_highest(t) - more));
  Ref i = round_between(e, x, lo, hi);
  return more ? plus_i(e, i, more) : i;
}

/* With FMA no division is needed: what the product with the inverse leaves over is taken off twice, and what it leaves then is exact
 * (P. Markstein, IBM J. Res. Dev. 34, 1990), unless the numbers are so small that this is no normal one. */
Ref emit_divided(Emit *e, Ref x, Ref by, Ref inverse) {
  if (!e->t->fma) return div_f(e, x, by);
  Ref back = LLVMBuildFNeg(e->b, by, ""), quotient = mul_f(e, x, inverse);
  for (int i = 0; i < 2; i++) quotient = fma_(e, fma_(e, quotient, back, x), inverse, quotient);
  return quotient;
}

Ref emit_quotient(Emit *e, Ref x, float scale) {
  const float most = 0x1p20f;
  bool normal = scale > 0x1p-100f && scale < 0x1p100f;
  Ref by = real_like(e, x, (double)scale), bound = real_like(e, x, (double)(normal ? most * scale : most));
  if (!normal) x = div_f(e, x, by);
  x = fmin_(e, fmax_(e, x, LLVMBuildFNeg(e->b, bound, "")), bound);
  return normal ? emit_divided(e, x, by, real_like(e, x, (double)(1 / scale))) : x;
}

Ref emit_quantize_inside(Emit *e, Type t, Ref x, float scale, double zero) {
  return to_type(e, t, saturated(e, t, add_f(e, emit_quotient(e, x, scale), real_like(e, x, zero)), 0));
}

/* As i32. */
static Ref quantized_int(Emit *e, Type t, Ref x, Ref scale, Ref zero) {
  Ref z = zero ? as_float(e, t, zero) : real_like(e, x, 0);
  Ref lo = sub_f(e, real_like(e, x, (double)type_lowest(t)), z);
  Ref hi = sub_f(e, real_like(e, x, (double)type_highest(t)), z);
  Ref steps = round_between(e, div_f(e, x, scale), lo, hi);
  return zero ? LLVMBuildAdd(e->b, steps, as_int(e, t, zero), "") : steps;
}

Ref emit_quantize(Emit *e, Type t, Ref x, Ref scale, Ref zero) { return to_type(e, t, quantized_int(e, t, x, scale, zero)); }

Ref emit_dequantize(Emit *e, Type t, Ref q, Ref scale, Ref zero) {
  Ref d = as_int(e, t, q);
  if (zero) d = LLVMBuildSub(e->b, d, as_int(e, t, zero), "");
  return mul_f(e, LLVMBuildSIToFP(e->b, d, like(d, e->f32), ""), scale);
}

/* What step i has come to, rounded, with its zero point, within its bounds, as i32. */
static Ref quantized_step(Emit *e, const Node *n, int i, Ref x) {
  Ref whole = round_between(e, x, step_real(e, n, i, NUMBER_LO, x), step_real(e, n, i, NUMBER_HI, x));
  return step_zero(&n->step[i]) != 0 ? LLVMBuildAdd(e->b, whole, step_zero_like(e, n, i, whole), "") : whole;
}

static Ref requantized(Emit *e, const Node *n, int i, Ref acc, Ref m) {
  return quantized_step(e, n, i, mul_f(e, as_float(e, T_I32, acc), m));
}

/* llvm.fma gives one rounding on every target: without the instruction it would call a library, so the product is taken in
 * double there, in which that of an 8-bit integer and a float is exact. */
static Ref fma_exact(Emit *e, Ref a, Ref b, Ref c) {
  if (e->t->fma) return fma_(e, a, b, c);
  Ref product = mul_f(e, widened(e, a), widened(e, b));
  return narrowed(e, add_f(e, product, widened(e, c)));
}

/* A quantised number of the type less its zero point; the product of two is exact. */
static Ref centred(Emit *e, Type t, Ref x, float zero) { return as_float(e, T_I32, plus_i(e, as_int(e, t, x), -(int64_t)zero)); }

Ref scaled_sum(Emit *e, const Node *n, int i, Ref a, Ref b) {
  Ref rest = fma_exact(e, b, step_real(e, n, i, NUMBER_B, b), step_real(e, n, i, NUMBER_C, b));
  return fma_exact(e, a, step_real(e, n, i, NUMBER_A, a), rest);
}

/* The same less the zero point of step i, which both operands of a sum have. */
static Ref centred_operand(Emit *e, const Node *n, int i, Type t, Ref x) {
  x = as_int(e, t, x);
  return as_float(e, T_I32, step_zero(&n->step[i]) != 0 ? LLVMBuildSub(e->b, x, step_zero_like(e, n, i, x), "") : x);
}

static Ref qlinear_sum(Emit *e, const Node *n, int i, Type type_a, Ref a, Type type_b, Ref b) {
  Ref x = centred_operand(e, n, i, type_a, a), y = centred_operand(e, n, i, type_b, b);
  return quantized_step(e, n, i, scaled_sum(e, n, i, x, y));
}

static Ref qlinear_product(Emit *e, const Step *s, Type t, Type type_a, Ref a, Type type_b, Ref b) {
  Ref y = centred(e, type_b, b, s->c), x = centred(e, type_a, a, s->b), product = mul_f(e, x, y);
  return saturated(e, t, add_f(e, mul_f(e, product, real_like(e, product, s->a)), real_like(e, product, s->d)), (int64_t)s->e);
}

/* The result of the step QLinearAdd or QLinearMul. */
static Ref qlinear(Emit *e, const Node *n, int i, Ref acc, Ref arg) {
  const Step *s = &n->step[i];
  Type type_acc = step_type(n, i - 1), type_arg = n->in[s->arg]->type;
  Type type_a = s->swap ? type_arg : type_acc, type_b = s->swap ? type_acc : type_arg;
  Ref a = s->swap ? arg : acc, b = s->swap ? acc : arg;
  if (s->op == OP_QLinearAdd) return qlinear_sum(e, n, i, type_a, a, type_b, b);
  return qlinear_product(e, s, step_type(n, i), type_a, a, type_b, b);
}

/* ==== tables of 256 bytes ==== */

/* Bytes that one instruction looks up in a table of 16; 0: there is none. */
static int shuffle_width(const Emit *e) {
  uint64_t bits = e->t->cpu_bits;
  if (bits & RCC_CPU_AVX512BW) return 64;
  return bits & RCC_CPU_AVX2 ? 32 : bits & RCC_CPU_SSSE3 || has_neon(e->t) ? 16 : 0;
}

static Ref shuffle_bytes(Emit *e, Ref table, Ref x) {
  int width = lane_count(x);
  const char *name = width == 64 ? "llvm.x86.avx512.pshuf.b.512" : width == 32 ? "llvm.x86.avx2.pshuf.b" : "llvm.x86.ssse3.pshuf.b.128";
  return intrinsic(e, name, 0, NULL, 2, (Ref[]){table, x});
}

/* Element x of half the table, of whose number the low 7 bits count. */
static Ref half_table(Emit *e, Ref table, int half, Ref x) {
  LLVMTypeRef type = LLVMTypeOf(x);
  Ref low = load_invariant(e, type, table, half * 128, 1), high = load_invariant(e, type, table, half * 128 + 64, 1);
  return intrinsic(e, "llvm.x86.avx512.vpermi2var.qi.512", 0, NULL, 3, (Ref[]){low, x, high});
}

/* Of each sixteenth of the table, 0 for all numbers that are not its own: these have the top bit set, see the sum. */
static Ref sixteenth(Emit *e, Ref table, int i, Ref x) {
  int width = lane_count(x);
  Ref part = load_invariant(e, vec_of(e->i8, 16), table, i * 16, 1), all[] = {part, part, part, part};
  Ref own = LLVMBuildXor(e->b, x, whole_like(e, x, i * 16), "");
  LLVMTypeRef type = LLVMTypeOf(x);
  own = intrinsic(e, "llvm.uadd.sat", 1, &type, 2, (Ref[]){own, whole_like(e, x, 0x70)});
  return shuffle_bytes(e, join_vectors(e, all, width / 16), own);
}

/* Of each quarter of the table, 0 for all numbers that are not its own. */
static Ref quarter(Emit *e, Ref table, int i, Ref x) {
  LLVMTypeRef type = LLVMTypeOf(x);
  Ref arg[5];
  for (int k = 0; k < 4; k++) arg[k] = load_invariant(e, type, table, i * 64 + k * 16, 1);
  arg[4] = LLVMBuildXor(e->b, x, whole_like(e, x, i * 64), "");
  return intrinsic(e, "llvm.aarch64.neon.tbl4", 1, &type, 5, arg);
}

/* x is as wide as the instructions are. */
static Ref lookup_vector(Emit *e, Ref table, Ref x) {
  Ref (*const part)(Emit *e, Ref table, int i, Ref x) = has_neon(e->t) ? quarter : sixteenth;
  if (lane_count(x) == 64 && e->t->cpu_bits & RCC_CPU_AVX512VBMI) {
    Ref upper = LLVMBuildICmp(e->b, LLVMIntSLT, x, zero_like(x), "");
    return choose(e, upper, half_table(e, table, 1, x), half_table(e, table, 0, x));
  }
  Ref all = part(e, table, 0, x);
  for (int i = 1; i < (has_neon(e->t) ? 4 : 16); i++) all = LLVMBuildOr(e->b, all, part(e, table, i, x), "");
  return all;
}

static Ref lookup_each(Emit *e, Ref table, Ref x) {
  Ref all = LLVMGetPoison(LLVMTypeOf(x));
  for (int i = 0; i < lane_count(x); i++) {
    Ref lane = lane_of(e, x, const_i32(e, i)), y = load(e, e->i8, gep(e, table, LLVMBuildZExt(e->b, lane, e->i64, ""), 1), 0, 1);
    if (lane_count(x) == 1) return y;
    all = LLVMBuildInsertElement(e->b, all, y, const_i32(e, i), "");
  }
  return all;
}

static Ref lookup(Emit *e, Ref table, Ref x) {
  int lanes = lane_count(x), width = shuffle_width(e), n = 0;
  if (lanes == 1 || width == 0) return lookup_each(e, table, x);
  Ref part[8];
  for (int i = 0; i < lanes; i += width) part[n++] = lookup_vector(e, table, take_lanes(e, x, i, width));
  return take_lanes(e, join_vectors(e, part, n), 0, lanes);
}

/* ==== steps ==== */

static Ref zero_point(Emit *e, const Step *s, Type t, Ref x) {
  return splat(e, LLVMConstInt(llvm_type(e, t), (uint64_t)(int64_t)s->b, 1), lane_count(x));
}

static Ref dequantized(Emit *e, const Step *s, Type t, Ref q) {
  return emit_dequantize(e, t, q, splat(e, const_f32(e, (double)s->a), lane_count(q)), zero_point(e, s, t, q));
}

static Ref int_step(Emit *e, const Step *s, Type t, Ref acc, Ref arg) {
  if (s->op != OP_Clip) return math_integers(e, s, t, acc, arg);
  if (element_of(acc) == e->i32) t = T_I32;
  return math_clip(e, t, acc, whole_like(e, acc, (int64_t)s->a), whole_like(e, acc, (int64_t)s->b));
}

static Ref one_step(Emit *e, const Node *n, int i, Ref acc, Ref arg) {
  const Step *s = &n->step[i];
  Type from = step_type(n, i - 1), to = step_type(n, i);
  switch (s->op) {
  case OP_Cast: return math_cast(e, acc, is_8_bit(from) && element_of(acc) == e->i32 ? T_I32 : from, to);
  case OP_Requantize: return requantized(e, n, i, acc, arg);
  case OP_QLinearAdd: case OP_QLinearMul: return qlinear(e, n, i, acc, arg);
  case OP_Lookup: return lookup(e, arg, as_bytes(e, from, acc));
  case OP_QuantizeLinear: return saturated(e, to, emit_quotient(e, acc, s->a), (int64_t)s->b);
  case OP_DequantizeLinear: return dequantized(e, s, from, as_bytes(e, from, acc));
  case OP_AddDequantized: return add_f(e, acc, dequantized(e, s, n->in[s->arg]->type, arg));
  default: return type_is_float(from) ? math_step(e, s, acc, arg) : int_step(e, s, from, acc, arg);
  }
}

Ref typed_step(Emit *e, const Node *n, int i, Ref acc, Ref arg) {
  Ref result = one_step(e, n, i, acc, arg);
  return i == n->n_step - 1 ? as_bytes(e, step_type(n, i), result) : result;
}
