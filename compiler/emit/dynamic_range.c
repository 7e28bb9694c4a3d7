/* dynamic_range.c: DynamicRange of a dense tensor, as ops/quant_range.c defines it. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { SETS = 4 }; /* of vectors, which hide the latency of each other */

/* Takes vectors from element `at` on into acc: least[0], largest[0], least[1], ... */
static void take_vectors(Emit *e, Ref x, Ref at, int sets, int valid, Ref *acc) {
  for (int i = 0; i < sets; i++) {
    Ref v = load_lanes(e, gep(e, x, at, F32_BYTES), i * e->vec_bytes, valid, F32_BYTES);
    acc[2 * i] = fmin_(e, v, acc[2 * i]);
    acc[2 * i + 1] = fmax_(e, v, acc[2 * i + 1]);
  }
}

/* The least and the largest element, or 0. */
static void find_range(Emit *e, const Value *v, Ref *lo, Ref *hi) {
  int64_t count = shape_count(&v->shape), step = SETS * e->lanes, whole = count / step * step;
  Ref x = value_ptr(e, v), acc[2 * SETS];
  for (int i = 0; i < 2 * SETS; i++) acc[i] = splat_const(e, 0);
  if (whole > 0) {
    Loop l;
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, whole), step, 2 * SETS, acc);
    take_vectors(e, x, l.i, SETS, e->lanes, acc);
    loop_end(e, &l);
  }
  for (int64_t at = whole; at < count; at += e->lanes)
    take_vectors(e, x, const_i64(e, at), 1, (int)size_min(e->lanes, count - at), acc);
  for (int i = 1; i < SETS; i++) {
    acc[0] = fmin_(e, acc[2 * i], acc[0]);
    acc[1] = fmax_(e, acc[2 * i + 1], acc[1]);
  }
  *lo = lane_of(e, join_runs(e, acc[0], e->lanes, fmin_), const_i32(e, 0));
  *hi = lane_of(e, join_runs(e, acc[1], e->lanes, fmax_), const_i32(e, 0));
}

void emit_dynamic_range(Emit *e, Node *n) {
  Ref lo, hi;
  only_task_zero(e);
  find_range(e, n->in[0], &lo, &hi);
  Ref scale = div_f(e, sub_f(e, hi, lo), const_f32(e, 255));
  scale = choose(e, LLVMBuildFCmp(e->b, LLVMRealOEQ, hi, lo, ""), const_f32(e, 1), scale);
  if (n->out[0]) store(e, scale, value_ptr(e, n->out[0]), 0, F32_BYTES);
  if (n->n_out < 2 || !n->out[1]) return;
  Ref zero = fmax_(e, sub_f(e, const_f32(e, 0), div_f(e, lo, scale)), const_f32(e, 0));
  zero = math_round(e, fmin_(e, zero, const_f32(e, 255)));
  store(e, LLVMBuildTrunc(e->b, LLVMBuildFPToSI(e->b, zero, e->i32, ""), e->i8, ""), value_ptr(e, n->out[1]), 0, 1);
}
