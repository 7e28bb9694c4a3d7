/* dot.c: products of 8-bit integers, u8 by s8, four added to each lane of i32 sums. None saturates.
 *
 * Without an instruction for that both factors are parted in 16-bit numbers, of bytes 0 and 2 and of bytes 1 and 3, as pmaddwd
 * adds two products of such:
 *
 *   [x3 x2 x1 x0]  ->  [x2, x0], [x3, x1]      sum + (x0 w0 + x2 w2) + (x1 w1 + x3 w3)
 *
 * With NEON each byte is a part of its own, as smlal adds one product of 16-bit numbers to a sum. */
#include "emit.h"

#include "resnetcc_rt.h"
#include <llvm-c/Core.h>

Dot dot_of(const Target *t, bool small) { return adds_fours(t) ? DOT_FOURS : small && adds_pairs_of_bytes(t) ? DOT_SMALL : DOT_PAIRS; }

Dot dot_of_width(CentredWidth width) {
  static const Dot dot[] = {[CENTRED_BYTES] = DOT_FOURS, [CENTRED_TWICE] = DOT_TWICE, [CENTRED_WORDS] = DOT_PAIRS};
  return dot[width];
}

/* ==== 16-bit numbers ==== */

/* a[2i] b[2i] + a[2i+1] b[2i+1] of 16-bit numbers, for so many lanes of i32: one pmaddwd of the widest that the CPU has. */
static Ref add_pairs(Emit *e, Ref a, Ref b, int lanes) {
  uint64_t bits = e->t->cpu_bits;
  if (lanes == 16 && bits & RCC_CPU_AVX512BW) return intrinsic(e, "llvm.x86.avx512.pmaddw.d.512", 0, NULL, 2, (Ref[]){a, b});
  if (lanes == 8 && bits & RCC_CPU_AVX2) return intrinsic(e, "llvm.x86.avx2.pmadd.wd", 0, NULL, 2, (Ref[]){a, b});
  if (lanes == 4) return intrinsic(e, "llvm.x86.sse2.pmadd.wd", 0, NULL, 2, (Ref[]){a, b});
  Ref half[2];
  for (int i = 0; i < 2; i++) half[i] = add_pairs(e, take_lanes(e, a, i * lanes, lanes), take_lanes(e, b, i * lanes, lanes), lanes / 2);
  return join_vectors(e, half, 2);
}

/* The low or the high halves of numbers of 32 bits. */
static Ref half_words(Emit *e, Ref v, bool high) { return LLVMBuildTrunc(e->b, high ? shift_right(e, v, 16) : v, like(v, e->i16), ""); }

/* Byte i of the four in part i; of words, the lower is part 0 and the higher part 2, behind which parts 1 and 3 are the next vector's. */
static Factor factor_neon(Emit *e, Dot d, Ref v, bool is_signed) {
  Factor f = {{NULL}};
  for (int i = 0; i < DOT_PARTS; i++) {
    if (d == DOT_WORDS && i % 2) continue;
    Ref byte = is_signed ? shift_signed(e, shift_left(e, v, 24 - 8 * i), 24) : LLVMBuildAnd(e->b, shift_right(e, v, 8 * i), whole_like(e, v, 0xff), "");
    f.part[i] = half_words(e, d == DOT_WORDS ? v : byte, d == DOT_WORDS && i == 2);
  }
  return f;
}

Factor dot_factor(Emit *e, Dot d, Ref v, bool is_signed) {
  if ((d == DOT_FOURS || d == DOT_TWICE) && !is_signed && adds_signed_fours(e->t))
    return (Factor){{LLVMBuildXor(e->b, v, whole_like(e, v, 0x80808080), "")}};
  if (d != DOT_PAIRS && d != DOT_WORDS) return (Factor){{v}};
  if (has_neon(e->t)) return factor_neon(e, d, v, is_signed);
  Ref words = LLVMBuildBitCast(e->b, v, vec_of(e->i16, 2 * lane_count(v)), "");
  if (d == DOT_WORDS) return (Factor){{words}};
  if (is_signed) return (Factor){{shift_signed(e, shift_left(e, words, 8), 8), shift_signed(e, words, 8)}};
  return (Factor){{LLVMBuildAnd(e->b, words, whole_like(e, words, 0xff), ""), shift_right(e, words, 8)}};
}

/* ==== sums ==== */

/* usdot, or sdot where dot_factor has made x signed */
static Ref add_fours_neon(Emit *e, Ref x, Ref w, Ref sum) {
  LLVMTypeRef types[] = {LLVMTypeOf(sum), vec_of(e->i8, 4 * lane_count(sum))};
  Ref args[] = {sum, LLVMBuildBitCast(e->b, x, types[1], ""), LLVMBuildBitCast(e->b, w, types[1], "")};
  return intrinsic(e, adds_signed_fours(e->t) ? "llvm.aarch64.neon.sdot" : "llvm.aarch64.neon.usdot", 2, types, 3, args);
}

/* vpdpbusd */
static Ref add_fours(Emit *e, Ref x, Ref w, Ref sum) {
  if (has_neon(e->t)) return add_fours_neon(e, x, w, sum);
  int lanes = lane_count(sum);
  const char *name = lanes == 16 ? "llvm.x86.avx512.vpdpbusd.512" : lanes == 8 ? "llvm.x86.avx512.vpdpbusd.256" : "llvm.x86.avx512.vpdpbusd.128";
  return intrinsic(e, name, 0, NULL, 3, (Ref[]){sum, x, w});
}

/* pmaddubsw adds pairs of products as 16-bit numbers, which would saturate where they don't fit. */
static Ref add_small(Emit *e, Ref x, Ref w, int lanes) {
  LLVMTypeRef bytes = vec_of(e->i8, 4 * lanes), words = vec_of(e->i16, 2 * lanes);
  const char *name = lanes == 16 ? "llvm.x86.avx512.pmaddubs.w.512" : lanes == 8 ? "llvm.x86.avx2.pmadd.ub.sw" : "llvm.x86.ssse3.pmadd.ub.sw.128";
  Ref args[] = {LLVMBuildBitCast(e->b, x, bytes, ""), LLVMBuildBitCast(e->b, w, bytes, "")};
  Ref pairs = intrinsic(e, name, 0, NULL, 2, args), ones = splat(e, LLVMConstInt(e->i16, 1, 0), 2 * lanes);
  return add_pairs(e, LLVMBuildBitCast(e->b, pairs, words, ""), ones, lanes);
}

/* v, of which LLVM does not know what it was made of: it would add what several steps bring before it adds that to the sums, for
 * which there are no registers. */
static Ref opaque(Emit *e, Ref v) {
  char text[] = "=x,0";
  if (e->t->lanes == 16) text[1] = 'v';
  if (has_neon(e->t)) text[1] = 'w';
  LLVMTypeRef t = LLVMTypeOf(v), type = LLVMFunctionType(t, &t, 1, 0);
  return call(e, LLVMGetInlineAsm(type, "", 0, text, sizeof text - 1, 0, 0, LLVMInlineAsmDialectATT, 0), type, 1, &v);
}

/* smlal, once for each part */
static Ref add_each(Emit *e, Factor x, Factor w, Ref sum) {
  for (int i = 0; i < DOT_PARTS; i++) {
    if (!x.part[i] || !w.part[i]) continue;
    LLVMTypeRef type = LLVMTypeOf(sum);
    Ref product = intrinsic(e, "llvm.aarch64.neon.smull", 1, &type, 2, (Ref[]){w.part[i], x.part[i]});
    sum = opaque(e, LLVMBuildAdd(e->b, sum, product, ""));
  }
  return sum;
}

int64_t dot_weights_bytes(const Emit *e, Dot d) { return (d == DOT_PAIRS || d == DOT_TWICE ? 2 : 1) * (int64_t)e->vec_bytes; }

/* The same as factor_neon has it, from vectors of two words a lane. */
static Factor weights_neon(Emit *e, Dot d, Ref p, int64_t at) {
  LLVMTypeRef lanes = vec_of(e->i32, e->lanes);
  Factor f = factor_neon(e, DOT_WORDS, load(e, lanes, p, at, e->vec_bytes), true);
  if (d == DOT_WORDS) return f;
  Factor odd = factor_neon(e, DOT_WORDS, load(e, lanes, p, at + e->vec_bytes, e->vec_bytes), true);
  return (Factor){{f.part[0], odd.part[0], f.part[2], odd.part[2]}};
}

Factor dot_weights(Emit *e, Dot d, Ref p, int64_t number) {
  int64_t at = number * dot_weights_bytes(e, d);
  int bytes = e->vec_bytes;
  bool words = d == DOT_PAIRS || d == DOT_WORDS;
  if (words && has_neon(e->t)) return weights_neon(e, d, p, at);
  LLVMTypeRef type = words ? vec_of(e->i16, 2 * e->lanes) : vec_of(e->i32, e->lanes);
  Factor f = {{load(e, type, p, at, bytes)}};
  if (dot_weights_bytes(e, d) > bytes) f.part[1] = load(e, type, p, at + bytes, bytes);
  return f;
}

Ref dot_add(Emit *e, Dot d, Factor x, Factor w, Ref sum) {
  if (d == DOT_FOURS) return add_fours(e, x.part[0], w.part[0], sum);
  if (d == DOT_TWICE) return add_fours(e, x.part[0], w.part[1], add_fours(e, x.part[0], w.part[0], sum));
  if (has_neon(e->t)) return add_each(e, x, w, sum);
  int lanes = lane_count(sum);
  if (d == DOT_SMALL) return opaque(e, LLVMBuildAdd(e->b, sum, add_small(e, x.part[0], w.part[0], lanes), ""));
  Ref even = add_pairs(e, x.part[0], w.part[0], lanes);
  if (!x.part[1]) return opaque(e, LLVMBuildAdd(e->b, sum, even, ""));
  Ref odd = add_pairs(e, x.part[1], w.part[1], lanes);
  return opaque(e, LLVMBuildAdd(e->b, sum, LLVMBuildAdd(e->b, even, odd, ""), ""));
}

void take_off_zeros(Emit *e, Ref zeros, int uw, int nb, Ref *acc) {
  for (int b = 0; b < nb; b++) {
    Ref zero = load(e, vec_of(e->i32, e->lanes), zeros, b * e->vec_bytes, e->vec_bytes);
    for (int u = 0; u < uw; u++) acc[b * uw + u] = LLVMBuildSub(e->b, acc[b * uw + u], LLVMBuildMul(e->b, zero, acc[nb * uw + u], ""), "");
  }
}

/* ==== lanes of a vector of inputs ==== */

int dot_steps(Dot d) { return d == DOT_FOURS || d == DOT_NONE ? 4 : 2; }

/* Of words, the four of two steps' fours, of fours and floats, one of each. */
Factor dot_inputs(Emit *e, Dot d, Ref x, int64_t at) {
  if (d == DOT_NONE) return (Factor){{load(e, vec_of(e->f32, 4), x, at, F32_BYTES)}};
  if (d == DOT_FOURS) return dot_factor(e, d, load(e, vec_of(e->i32, 4), x, at, F32_BYTES), false);
  if (d == DOT_WORDS) return (Factor){{load(e, vec_of(e->i16, 4), x, at, F32_BYTES)}};
  Ref bytes = load(e, vec_of(e->i8, 8), x, at, F32_BYTES);
  return (Factor){{LLVMBuildZExt(e->b, bytes, vec_of(e->i16, 8), "")}};
}

static Ref spread(Emit *e, Ref v, int lane) {
  Ref index[4];
  for (int i = 0; i < 4; i++) index[i] = const_i32(e, lane);
  return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(index, 4), "");
}

Factor dot_spread(Emit *e, Dot d, Factor inputs, int k) {
  Ref v = inputs.part[0];
  if (d == DOT_NONE || d == DOT_FOURS) return (Factor){{spread(e, v, k)}};
  if (d == DOT_WORDS) return (Factor){{spread(e, v, 2 * k), NULL, spread(e, v, 2 * k + 1)}};
  return (Factor){{spread(e, v, 4 * k), spread(e, v, 4 * k + 1), spread(e, v, 4 * k + 2), spread(e, v, 4 * k + 3)}};
}
