/* word.c: small words over LLVM's builder, so that the emitters read as the loops they make. */
#include "emit.h"

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <string.h>

/* ==== constants and types ==== */

Ref const_i64(Emit *e, int64_t v) { return LLVMConstInt(e->i64, (uint64_t)v, 1); }
Ref const_i32(Emit *e, int32_t v) { return LLVMConstInt(e->i32, (uint64_t)v, 1); }
Ref const_f32(Emit *e, double v) { return LLVMConstReal(e->f32, v); }

Ref splat(Emit *e, Ref scalar, int lanes) {
  if (lanes == 1) return scalar;
  LLVMTypeRef t = LLVMVectorType(LLVMTypeOf(scalar), (unsigned)lanes);
  Ref one = LLVMBuildInsertElement(e->b, LLVMGetPoison(t), scalar, const_i32(e, 0), "");
  Ref zeros = LLVMConstNull(LLVMVectorType(e->i32, (unsigned)lanes));
  return LLVMBuildShuffleVector(e->b, one, LLVMGetPoison(t), zeros, "");
}

Ref splat_const(Emit *e, double v) { return splat(e, const_f32(e, v), e->lanes); }

LLVMTypeRef vec_of(LLVMTypeRef elem, int lanes) { return lanes == 1 ? elem : LLVMVectorType(elem, (unsigned)lanes); }

LLVMTypeRef llvm_type(Emit *e, Type t) {
  switch (t) {
  case T_F32: return e->f32;
  case T_F64: return e->f64;
  case T_F16: case T_BF16: case T_U16: case T_I16: return e->i16;
  case T_U32: case T_I32: return e->i32;
  case T_U64: case T_I64: return e->i64;
  case T_U8: case T_I8: case T_BOOL: return e->i8;
  default: assert(!"not a stored type"); return NULL;
  }
}

static bool is_vector(LLVMTypeRef t) { return LLVMGetTypeKind(t) == LLVMVectorTypeKind; }

static int lanes_of(LLVMTypeRef t) { return is_vector(t) ? (int)LLVMGetVectorSize(t) : 1; }

int lane_count(Ref x) { return lanes_of(LLVMTypeOf(x)); }

LLVMTypeRef element_of(Ref x) {
  return is_vector(LLVMTypeOf(x)) ? LLVMGetElementType(LLVMTypeOf(x)) : LLVMTypeOf(x);
}

LLVMTypeRef like(Ref x, LLVMTypeRef element) { return vec_of(element, lane_count(x)); }

Ref real_like(Emit *e, Ref x, double v) { return splat(e, LLVMConstReal(element_of(x), v), lane_count(x)); }

Ref whole_like(Emit *e, Ref x, int64_t v) {
  return splat(e, LLVMConstInt(element_of(x), (uint64_t)v, 1), lane_count(x));
}

Ref zero_like(Ref x) { return LLVMConstNull(LLVMTypeOf(x)); }

Ref const_number(Emit *e, Type t, Number v) {
  return type_is_float(t) ? LLVMConstReal(llvm_type(e, t), v.f) : LLVMConstInt(llvm_type(e, t), v.u, 0);
}

Ref const_element(Emit *e, const Value *v) {
  if (v->type == T_F32 || v->type == T_F64) return const_number(e, v->type, get_number(v->type, v->data, 0));
  uint64_t bits = 0;
  move_bytes(&bits, v->data, type_size(v->type));
  return LLVMConstInt(llvm_type(e, v->type), bits, 0);
}

/* ==== memory ==== */

Ref gep(Emit *e, Ref p, Ref index, int64_t elem_size) {
  return LLVMBuildGEP2(e->b, e->i8, p, (Ref[]){mul_i(e, index, elem_size)}, 1, "");
}

Ref gep_const(Emit *e, Ref p, int64_t bytes) {
  return bytes == 0 ? p : LLVMBuildGEP2(e->b, e->i8, p, (Ref[]){const_i64(e, bytes)}, 1, "");
}

Ref load(Emit *e, LLVMTypeRef t, Ref p, int64_t bytes, int align) {
  Ref v = LLVMBuildLoad2(e->b, t, gep_const(e, p, bytes), "");
  LLVMSetAlignment(v, (unsigned)align);
  return v;
}

void store(Emit *e, Ref v, Ref p, int64_t bytes, int align) {
  LLVMSetAlignment(LLVMBuildStore(e->b, v, gep_const(e, p, bytes)), (unsigned)align);
}

static Ref lane_mask(Emit *e, int lanes, int n) {
  Ref bit[64];
  for (int i = 0; i < lanes; i++) bit[i] = LLVMConstInt(e->i1, i < n, 0);
  return LLVMConstVector(bit, (unsigned)lanes);
}

Ref load_lanes_of(Emit *e, LLVMTypeRef type, Ref p, int64_t bytes, int n, int align) {
  int lanes = lanes_of(type);
  if (n >= lanes) return load(e, type, p, bytes, align);
  Ref args[] = {gep_const(e, p, bytes), const_i32(e, align), lane_mask(e, lanes, n), LLVMConstNull(type)};
  return intrinsic(e, "llvm.masked.load", 2, (LLVMTypeRef[]){type, e->ptr}, 4, args);
}

Ref load_lanes(Emit *e, Ref p, int64_t bytes, int n, int align) { return load_lanes_of(e, e->vec, p, bytes, n, align); }

void store_lanes(Emit *e, Ref v, Ref p, int64_t bytes, int n, int align) {
  int lanes = lane_count(v);
  if (n >= lanes) {
    store(e, v, p, bytes, align);
    return;
  }
  Ref args[] = {v, gep_const(e, p, bytes), const_i32(e, align), lane_mask(e, lanes, n)};
  intrinsic(e, "llvm.masked.store", 2, (LLVMTypeRef[]){LLVMTypeOf(v), e->ptr}, 4, args);
}

void prefetch(Emit *e, Ref p, int64_t bytes, int level) {
  enum { READ, DATA = 1, MOST_LOCAL = 4 };
  Ref args[] = {gep_const(e, p, bytes), const_i32(e, READ), const_i32(e, MOST_LOCAL - level), const_i32(e, DATA)};
  intrinsic(e, "llvm.prefetch", 1, (LLVMTypeRef[]){e->ptr}, 4, args);
}

/* ==== arithmetic ==== */

Ref add_i(Emit *e, Ref a, Ref b) { return LLVMBuildNSWAdd(e->b, a, b, ""); }

Ref mul_i(Emit *e, Ref a, int64_t k) {
  return k == 1 ? a : LLVMBuildNSWMul(e->b, a, LLVMConstInt(LLVMTypeOf(a), (uint64_t)k, 1), "");
}

Ref min_i(Emit *e, Ref a, Ref b) { return intrinsic(e, "llvm.smin", 1, &e->i64, 2, (Ref[]){a, b}); }
Ref max_i(Emit *e, Ref a, Ref b) { return intrinsic(e, "llvm.smax", 1, &e->i64, 2, (Ref[]){a, b}); }

Ref clamp_i(Emit *e, Ref i, Ref most) {
  return min_i(e, max_i(e, i, const_i64(e, 0)), most);
}

void part_of_range(Emit *e, Ref lo, Ref hi, Ref first, Ref count, Ref *from, Ref *to) {
  *from = clamp_i(e, LLVMBuildSub(e->b, lo, first, ""), count);
  *to = clamp_i(e, LLVMBuildSub(e->b, hi, first, ""), count);
}

Ref add_f(Emit *e, Ref a, Ref b) { return LLVMBuildFAdd(e->b, a, b, ""); }
Ref mul_f(Emit *e, Ref a, Ref b) { return LLVMBuildFMul(e->b, a, b, ""); }

Ref intrinsic(Emit *e, const char *name, int n_types, LLVMTypeRef *types, int n, Ref *args) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  assert(id != 0);
  Ref fn = LLVMGetIntrinsicDeclaration(e->m, id, types, (size_t)n_types);
  LLVMTypeRef type = LLVMIntrinsicGetType(e->c, id, types, (size_t)n_types);
  return LLVMBuildCall2(e->b, type, fn, args, (unsigned)n, "");
}

Ref fma_(Emit *e, Ref a, Ref b, Ref c) {
  if (!e->t->fma) return add_f(e, mul_f(e, a, b), c);
  return intrinsic(e, "llvm.fma", 1, (LLVMTypeRef[]){LLVMTypeOf(a)}, 3, (Ref[]){a, b, c});
}

Ref sub_f(Emit *e, Ref a, Ref b) { return LLVMBuildFSub(e->b, a, b, ""); }
Ref div_f(Emit *e, Ref a, Ref b) { return LLVMBuildFDiv(e->b, a, b, ""); }
Ref less_f(Emit *e, Ref a, Ref b) { return LLVMBuildFCmp(e->b, LLVMRealOLT, a, b, ""); }
Ref abs_f(Emit *e, Ref x) { return intrinsic(e, "llvm.fabs", 1, (LLVMTypeRef[]){LLVMTypeOf(x)}, 1, &x); }
Ref sqrt_f(Emit *e, Ref x) { return intrinsic(e, "llvm.sqrt", 1, (LLVMTypeRef[]){LLVMTypeOf(x)}, 1, &x); }

Ref copysign_f(Emit *e, Ref x, Ref sign) {
  return intrinsic(e, "llvm.copysign", 1, (LLVMTypeRef[]){LLVMTypeOf(x)}, 2, (Ref[]){x, sign});
}

Ref widened(Emit *e, Ref x) { return LLVMBuildFPExt(e->b, x, like(x, e->f64), ""); }
Ref narrowed(Emit *e, Ref x) { return LLVMBuildFPTrunc(e->b, x, like(x, e->f32), ""); }
Ref as_type(Emit *e, Ref x, LLVMTypeRef element) { return LLVMBuildBitCast(e->b, x, like(x, element), ""); }
Ref shift_left(Emit *e, Ref x, int n) { return LLVMBuildShl(e->b, x, whole_like(e, x, n), ""); }
Ref shift_right(Emit *e, Ref x, int n) { return LLVMBuildLShr(e->b, x, whole_like(e, x, n), ""); }
Ref shift_signed(Emit *e, Ref x, int n) { return LLVMBuildAShr(e->b, x, whole_like(e, x, n), ""); }
Ref plus_i(Emit *e, Ref x, int64_t v) { return LLVMBuildAdd(e->b, x, whole_like(e, x, v), ""); }
Ref choose(Emit *e, Ref cond, Ref a, Ref b) { return LLVMBuildSelect(e->b, cond, a, b, ""); }

Ref from_end(Emit *e, Ref i, int64_t d) {
  return choose(e, LLVMBuildICmp(e->b, LLVMIntSLT, i, const_i64(e, 0), ""), plus_i(e, i, d), i);
}

Ref any_of(Emit *e, Ref cond) {
  return is_vector(LLVMTypeOf(cond)) ? intrinsic(e, "llvm.vector.reduce.or", 1, (LLVMTypeRef[]){LLVMTypeOf(cond)}, 1, &cond) : cond;
}

/* The comparison and select that x86's maxps and minps compute in one instruction, NaNs included. */
Ref fmax_(Emit *e, Ref a, Ref b) {
  return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, a, b, ""), a, b, "");
}

Ref fmin_(Emit *e, Ref a, Ref b) {
  return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, a, b, ""), a, b, "");
}

/* maxps and minps drop a NaN in their first operand: both orders, then, give the result twice, or a NaN and something whose bits
 * leave it one. A comparison and select would take no fewer instructions, and with AVX-512 mask registers. */
static Ref in_both_orders(Emit *e, Ref (*pick)(Emit *e, Ref a, Ref b), Ref a, Ref b) {
  LLVMTypeRef element = element_of(a), bits = element == e->f64 ? e->i64 : e->i32;
  Ref left = as_type(e, pick(e, a, b), bits), right = as_type(e, pick(e, b, a), bits);
  return as_type(e, LLVMBuildOr(e->b, left, right, ""), element);
}

Ref maximum_f(Emit *e, Ref a, Ref b) { return in_both_orders(e, fmax_, a, b); }
Ref minimum_f(Emit *e, Ref a, Ref b) { return in_both_orders(e, fmin_, a, b); }

Ref keep_lanes(Emit *e, Ref v, int valid, Ref otherwise) {
  int lanes = lane_count(v);
  if (valid >= lanes) return v;
  Ref index[64];
  for (int i = 0; i < lanes; i++) index[i] = const_i32(e, i < valid ? i : lanes + i);
  return LLVMBuildShuffleVector(e->b, v, otherwise, LLVMConstVector(index, (unsigned)lanes), "");
}

Ref take_lanes(Emit *e, Ref v, int first, int count) {
  int lanes = lane_count(v);
  if (first == 0 && count == lanes) return v;
  Ref index[64];
  for (int i = 0; i < count; i++) index[i] = first + i < lanes ? const_i32(e, first + i) : LLVMGetPoison(e->i32);
  return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(index, (unsigned)count), "");
}

Ref join_vectors(Emit *e, Ref *v, int n) {
  if (n == 1) return v[0];
  int lanes = lane_count(v[0]), half = (n + 1) / 2;
  Ref index[64], low = join_vectors(e, v, half), high = take_lanes(e, join_vectors(e, v + half, n - half), 0, half * lanes);
  for (int i = 0; i < n * lanes; i++) index[i] = const_i32(e, i);
  return LLVMBuildShuffleVector(e->b, low, high, LLVMConstVector(index, (unsigned)(n * lanes)), "");
}

Ref lane_of(Emit *e, Ref x, Ref i) { return lane_count(x) == 1 ? x : LLVMBuildExtractElement(e->b, x, i, ""); }

Ref crossed_lanes(Emit *e, Ref v, int w) {
  Ref index[64];
  int lanes = lane_count(v);
  for (int i = 0; i < lanes; i++) index[i] = const_i32(e, i ^ w);
  return LLVMBuildShuffleVector(e->b, v, v, LLVMConstVector(index, (unsigned)lanes), "");
}

Ref join_runs(Emit *e, Ref v, int run, Binary *join) {
  for (int w = run / 2; w > 0; w /= 2) v = join(e, v, crossed_lanes(e, v, w));
  return v;
}

Ref call(Emit *e, Ref fn, LLVMTypeRef type, int n, Ref *args) {
  return LLVMBuildCall2(e->b, type, fn, args, (unsigned)n, "");
}

/* ==== control flow ==== */

static LLVMBasicBlockRef new_block(Emit *e) { return LLVMAppendBasicBlockInContext(e->c, e->fn, ""); }

/* How often a loop turns; -1: not known. */
static int64_t turns(Ref lo, Ref hi, int64_t step) {
  if (!LLVMIsAConstantInt(lo) || !LLVMIsAConstantInt(hi)) return -1;
  int64_t n = LLVMConstIntGetSExtValue(hi) - LLVMConstIntGetSExtValue(lo);
  return n > 0 ? (n + step - 1) / step : 0;
}

static void begin(Emit *e, Loop *l, Ref lo, Ref hi, int64_t step, int n, Ref *acc, bool some) {
  assert(n <= (int)COUNT(l->phi));
  int64_t known = turns(lo, hi, step);
  *l = (Loop){.next_hi = hi, .step = step, .n = n, .acc = acc, .before = LLVMGetInsertBlock(e->b), .once = known == 1};
  if (l->once) {
    l->i = lo;
    return;
  }
  l->body = new_block(e);
  l->exit = new_block(e);
  l->guarded = !some && known <= 0;
  if (l->guarded) LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, lo, hi, ""), l->body, l->exit);
  else LLVMBuildBr(e->b, l->body);
  LLVMPositionBuilderAtEnd(e->b, l->body);
  l->i = LLVMBuildPhi(e->b, LLVMTypeOf(lo), "");
  LLVMAddIncoming(l->i, &lo, &l->before, 1);
  for (int k = 0; k < n; k++) {
    l->init[k] = acc[k];
    l->phi[k] = LLVMBuildPhi(e->b, LLVMTypeOf(acc[k]), "");
    LLVMAddIncoming(l->phi[k], &l->init[k], &l->before, 1);
    acc[k] = l->phi[k];
  }
}

void loop_begin(Emit *e, Loop *l, Ref lo, Ref hi, int64_t step, int n, Ref *acc) {
  begin(e, l, lo, hi, step, n, acc, false);
}

void loop_begin_some(Emit *e, Loop *l, Ref lo, Ref hi, int64_t step, int n, Ref *acc) {
  begin(e, l, lo, hi, step, n, acc, true);
}

/* LLVM must leave the loops as they are written: they are unrolled by hand where that pays. */
static void forbid_unrolling(Emit *e, Ref branch) {
  LLVMMetadataRef text = LLVMMDStringInContext2(e->c, "llvm.loop.unroll.disable", 24);
  LLVMMetadataRef disable = LLVMMDNodeInContext2(e->c, &text, 1);
  LLVMMetadataRef self = LLVMTemporaryMDNode(e->c, NULL, 0);
  LLVMMetadataRef loop = LLVMMDNodeInContext2(e->c, (LLVMMetadataRef[]){self, disable}, 2);
  LLVMMetadataReplaceAllUsesWith(self, loop);
  LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(e->c, "llvm.loop", 9), LLVMMetadataAsValue(e->c, loop));
}

void loop_end(Emit *e, Loop *l) {
  if (l->once) return;
  LLVMBasicBlockRef last = LLVMGetInsertBlock(e->b);
  Ref next = add_i(e, l->i, LLVMConstInt(LLVMTypeOf(l->i), (uint64_t)l->step, 1));
  Ref again = LLVMBuildICmp(e->b, LLVMIntSLT, next, l->next_hi, "");
  forbid_unrolling(e, LLVMBuildCondBr(e->b, again, l->body, l->exit));
  LLVMAddIncoming(l->i, &next, &last, 1);
  LLVMMoveBasicBlockAfter(l->exit, last);
  LLVMPositionBuilderAtEnd(e->b, l->exit);
  for (int k = 0; k < l->n; k++) {
    Ref end = l->acc[k];
    LLVMAddIncoming(l->phi[k], &end, &last, 1);
    if (!l->guarded) continue;
    Ref phi = LLVMBuildPhi(e->b, LLVMTypeOf(end), "");
    LLVMAddIncoming(phi, (Ref[]){end, l->init[k]}, (LLVMBasicBlockRef[]){last, l->before}, 2);
    l->acc[k] = phi;
  }
}

void if_begin(Emit *e, If *s, Ref cond) {
  LLVMBasicBlockRef then = new_block(e);
  s->join = new_block(e);
  LLVMBuildCondBr(e->b, cond, then, s->join);
  LLVMPositionBuilderAtEnd(e->b, then);
}

void if_end(Emit *e, If *s) {
  LLVMBuildBr(e->b, s->join);
  LLVMMoveBasicBlockAfter(s->join, LLVMGetInsertBlock(e->b));
  LLVMPositionBuilderAtEnd(e->b, s->join);
}

void repeat_begin(Emit *e, Repeat *r, int n, Ref *acc) {
  assert(n <= MAX_REPEATED);
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b);
  *r = (Repeat){.body = new_block(e), .exit = new_block(e), .n = n, .acc = acc};
  LLVMBuildBr(e->b, r->body);
  LLVMPositionBuilderAtEnd(e->b, r->body);
  for (int k = 0; k < n; k++) {
    r->phi[k] = LLVMBuildPhi(e->b, LLVMTypeOf(acc[k]), "");
    LLVMAddIncoming(r->phi[k], &acc[k], &before, 1);
    acc[k] = r->phi[k];
  }
}

void repeat_end(Emit *e, Repeat *r, Ref again) {
  LLVMBasicBlockRef last = LLVMGetInsertBlock(e->b);
  forbid_unrolling(e, LLVMBuildCondBr(e->b, again, r->body, r->exit));
  for (int k = 0; k < r->n; k++) LLVMAddIncoming(r->phi[k], &r->acc[k], &last, 1);
  LLVMMoveBasicBlockAfter(r->exit, last);
  LLVMPositionBuilderAtEnd(e->b, r->exit);
}
