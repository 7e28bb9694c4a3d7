/* module.c: all of a graph's code. */
#include "emit.h"

#include <llvm-c/Core.h>

/* Without their bytes, which object.c attaches: LLVM must neither carry nor fold them. */
static void declare_weights(Emit *e) {
  const Build *b = e->build;
  e->weights_field = frame_rest(b) + flush_frame_bytes(b);
  if (weights_are_input(b)) return;
  LLVMTypeRef type = LLVMArrayType2(e->i8, (uint64_t)e->build->weights_size);
  e->weights = LLVMAddGlobal(e->m, type, local_name(e, "weights"));
  LLVMSetGlobalConstant(e->weights, 1);
  LLVMSetVisibility(e->weights, LLVMHiddenVisibility);
  LLVMSetAlignment(e->weights, 64);
}

void emit_module(Emit *e) {
  declare_weights(e);
  LayerCode *layer = alloc_n(e->g->cx, 2 * (size_t)e->g->n_node + 1, sizeof *layer);
  emit_layers(e, layer);
  if (!e->too_large) emit_entry(e, layer, e->build->n_layer);
}
