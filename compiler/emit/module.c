/* module.c: all of a graph's code. */
#include "entry.h"

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

/* The layers of e's build, unless they are too large, for an entry to be made. */
static Entry *emit_build(Emit *e) {
  Entry *y = alloc(e->g->cx, sizeof *y);
  LayerCode *layer = alloc_n(e->g->cx, 2 * (size_t)e->g->n_node + 1, sizeof *layer);
  emit_layers(e, layer);
  *y = (Entry){.e = e, .layer = layer, .count = e->build->n_layer};
  return y;
}

static void use_build(Emit *e, Build *b) {
  assert(b->graph->cx == e->g->cx);
  e->build = b;
  e->g = b->graph;
}

/* NULL: its code would be too much, and images go one by one. */
static Entry *emit_group(Emit *e, Build *group) {
  Build *b = e->build;
  use_build(e, group);
  Entry *y = emit_build(e);
  if (!e->too_large) emit_entry(y, NULL);
  use_build(e, b);
  if (!e->too_large) return y;
  e->too_large = NULL;
  return NULL;
}

/* A group shares the functions of one image, which come first. */
void emit_module(Emit *e) {
  declare_weights(e);
  Entry *one = emit_build(e);
  if (!e->too_large) emit_entry(one, e->build->group ? emit_group(e, e->build->group) : NULL);
}
