/* flush.c: --flush-denormals. Layers are called through a function that has the CPU take denormal numbers for zeros meanwhile,
 * in whatever thread that is. */
#include "emit.h"

#include <llvm-c/Core.h>

enum {
  MXCSR_DENORMALS_ARE_ZEROS = 1 << 6, /* Intel, Software Developer's Manual, volume 1, 10.2.3 */
  MXCSR_FLUSH_TO_ZERO = 1 << 15,
  FPCR_FLUSH_TO_ZERO = 1 << 24, /* ARM, Architecture Reference Manual, C5.2.8: operands, too */
};

int64_t flush_frame_bytes(const Build *b) { return b->options->flush_denormals ? 8 : 0; }

static void control(Emit *e, const char *name, Ref place) { intrinsic(e, name, 0, NULL, 1, &place); }

/* What is put back afterwards: on x86-64 where the register is kept, on aarch64 those of control and of exceptions. */
typedef struct Saved { Ref control, flags; } Saved;

static Saved flush_x86(Emit *e) {
  Ref old = LLVMBuildAlloca(e->b, e->i32, ""), now = LLVMBuildAlloca(e->b, e->i32, "");
  control(e, "llvm.x86.sse.stmxcsr", old);
  Ref both = const_i32(e, MXCSR_DENORMALS_ARE_ZEROS | MXCSR_FLUSH_TO_ZERO);
  store(e, LLVMBuildOr(e->b, load(e, e->i32, old, 0, 4), both, ""), now, 0, 4);
  control(e, "llvm.x86.sse.ldmxcsr", now);
  return (Saved){.control = old};
}

static Saved flush_aarch64(Emit *e) {
  Saved old = {intrinsic(e, "llvm.aarch64.get.fpcr", 0, NULL, 0, NULL), intrinsic(e, "llvm.aarch64.get.fpsr", 0, NULL, 0, NULL)};
  control(e, "llvm.aarch64.set.fpcr", LLVMBuildOr(e->b, old.control, const_i64(e, FPCR_FLUSH_TO_ZERO), ""));
  return old;
}

static void put_back(Emit *e, Saved old) {
  if (!old.flags) {
    control(e, "llvm.x86.sse.ldmxcsr", old.control);
    return;
  }
  control(e, "llvm.aarch64.set.fpcr", old.control);
  control(e, "llvm.aarch64.set.fpsr", old.flags);
}

/* void flushed(Frame *frame, i32 task, i32 worker): the layer of the frame. Its exceptions leave no flags: the registers are
 * as they were. */
static Ref flushed_function(Emit *e) {
  const char *name = local_name(e, "flushed");
  Ref fn = LLVMGetNamedFunction(e->m, name);
  if (fn) return fn;
  LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
  fn = LLVMAddFunction(e->m, name, task_type(e));
  LLVMSetLinkage(fn, LLVMInternalLinkage);
  baseline_attributes(e, fn);
  LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->c, fn, ""));
  Saved old = has_neon(e->t) ? flush_aarch64(e) : flush_x86(e);
  Ref arg[3];
  LLVMGetParams(fn, arg);
  call(e, load(e, e->ptr, arg[0], frame_rest(e->build), 8), task_type(e), 3, arg);
  put_back(e, old);
  LLVMBuildRetVoid(e->b);
  LLVMPositionBuilderAtEnd(e->b, caller);
  return fn;
}

Ref flush_denormals(Emit *e, Ref layer, Ref frame) {
  if (!e->build->options->flush_denormals) return layer;
  store(e, layer, frame, frame_rest(e->build), 8);
  return flushed_function(e);
}
