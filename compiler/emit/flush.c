/* flush.c: --flush-denormals. Layers are called through a function that has the CPU take denormal numbers for zeros meanwhile,
 * in whatever thread that is. */
#include "emit.h"

#include <llvm-c/Core.h>

enum {
  MXCSR_DENORMALS_ARE_ZEROS = 1 << 6, /* Intel, Software Developer's Manual, volume 1, 10.2.3 */
  MXCSR_FLUSH_TO_ZERO = 1 << 15,
};

static int64_t layer_field(const Build *b) { return frame_once(b->graph) + (b->once_size ? 8 : 0); }

int64_t flush_frame_bytes(const Build *b) { return b->options->flush_denormals ? 8 : 0; }

static void control(Emit *e, const char *name, Ref place) { intrinsic(e, name, 0, NULL, 1, &place); }

/* void flushed(Frame *frame, i32 task, i32 worker): the layer of the frame. Its exceptions leave no flags: the register is as
 * it was. */
static Ref flushed_function(Emit *e) {
  const char *name = local_name(e, "flushed");
  Ref fn = LLVMGetNamedFunction(e->m, name);
  if (fn) return fn;
  LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
  fn = LLVMAddFunction(e->m, name, task_type(e));
  LLVMSetLinkage(fn, LLVMInternalLinkage);
  baseline_attributes(e, fn);
  LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->c, fn, ""));
  Ref old = LLVMBuildAlloca(e->b, e->i32, ""), now = LLVMBuildAlloca(e->b, e->i32, ""), arg[3];
  LLVMGetParams(fn, arg);
  control(e, "llvm.x86.sse.stmxcsr", old);
  Ref both = const_i32(e, MXCSR_DENORMALS_ARE_ZEROS | MXCSR_FLUSH_TO_ZERO);
  store(e, LLVMBuildOr(e->b, load(e, e->i32, old, 0, 4), both, ""), now, 0, 4);
  control(e, "llvm.x86.sse.ldmxcsr", now);
  call(e, load(e, e->ptr, arg[0], layer_field(e->build), 8), task_type(e), 3, arg);
  control(e, "llvm.x86.sse.ldmxcsr", old);
  LLVMBuildRetVoid(e->b);
  LLVMPositionBuilderAtEnd(e->b, caller);
  return fn;
}

Ref flush_denormals(Emit *e, Ref layer, Ref frame) {
  if (!e->build->options->flush_denormals) return layer;
  store(e, layer, frame, layer_field(e->build), 8);
  return flushed_function(e);
}
