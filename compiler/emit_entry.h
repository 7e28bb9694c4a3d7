/* emit_entry.h: between emit.c, emit_layer.c and emit_entry.c. */
#ifndef EMIT_ENTRY_H
#define EMIT_ENTRY_H

#include "emit.h"

/* The frame that every layer function gets: byte offsets of its fields. */
enum {
  FRAME_WORK = 0,     /* ptr: the workspace */
  FRAME_SCRATCH = 8,  /* ptr: the first worker's scratch */
  FRAME_TASKS = 16,   /* i32: tasks a layer is split into */
  FRAME_IO = 24,      /* ptr each: the inputs, then the outputs, of this image */
};

typedef struct Layer {
  Ref fn;      /* void (Frame *, i32 task, i32 worker) */
  bool serial;
} Layer;

/* Makes the layer functions, and lists them in e->g->layer and in `layer`, in the order of their calls. */
void emit_layers(Emit *e, Layer *layer);
/* The argument that stands for v; NULL: v is no value of the body's node. */
Ref bound_value(const Bound *b, const Value *v);
/* The functions and tables of the interface: NAME_run, NAME_model and what they need. */
void emit_entry(Emit *e, const Layer *layer, int count);
#endif
