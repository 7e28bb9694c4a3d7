/* peak.c: the rate that kernels are held against: multiply-adds that touch no memory, in as many independent chains
 * as the registers hold, which is more than their latency asks for. */
#include "emit.h"

#include <llvm-c/Core.h>

int peak_vectors(const Target *t) { return t->regs; }

/* void peak(float *values, int32_t task, int32_t worker), as lent threads call it. A step makes chain = chain * x + y of
 * every chain. The values of a task are the vectors of its chains, then x, then y: read at run time, so that LLVM can't
 * compute with them. */
void emit_peak(Emit *e) {
  int n = peak_vectors(e->t) - 2, bytes = e->vec_bytes;
  Ref chain[64];
  Loop step;
  e->fn = LLVMAddFunction(e->m, "peak", task_type(e));
  compute_attributes(e, e->fn);
  LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->c, e->fn, ""));
  Ref task = LLVMBuildSExt(e->b, LLVMGetParam(e->fn, 1), e->i64, "");
  Ref values = gep(e, LLVMGetParam(e->fn, 0), task, (n + 2) * bytes);
  for (int i = 0; i < n; i++) chain[i] = load(e, e->vec, values, i * bytes, 4);
  Ref x = load(e, e->vec, values, n * bytes, 4), y = load(e, e->vec, values, (n + 1) * bytes, 4);
  loop_begin(e, &step, const_i64(e, 0), const_i64(e, PEAK_STEPS), 1, n, chain);
  for (int i = 0; i < n; i++) chain[i] = fma_(e, chain[i], x, y);
  loop_end(e, &step);
  for (int i = 0; i < n; i++) store(e, chain[i], values, i * bytes, 4);
  LLVMBuildRetVoid(e->b);
}
