/* emit_entry.h: between emit.c, emit_layer.c and emit_entry.c. */
#ifndef EMIT_ENTRY_H
#define EMIT_ENTRY_H

#include "emit.h"

/* The frame that every layer function gets: byte offsets of its fields. */
enum {
  FRAME_WORK = 0,     /* ptr: the workspace of this image */
  FRAME_SCRATCH = 8,  /* ptr: the first worker's scratch */
  FRAME_TASKS = 16,   /* i32: tasks a layer is split into */
  FRAME_PLACES = 24,  /* ptr: the running layer's places, i64 each */
  FRAME_IO = 32,      /* ptr each: the inputs, then the outputs, of this image; then the workspace that all images share */
};
/* Into more tasks no layer is split, however many threads there are: then items times tasks do not overflow. */
enum { MOST_TASKS = 1 << 16 };
int64_t frame_once(const Graph *g); /* the offset of the latter */

typedef struct Layer {
  Ref fn;      /* void (Frame *, i32 task, i32 worker) */
  bool serial;
  int64_t *place;
  int n_place;
} Layer;

/* Makes the layer functions, and lists them in e->g->layer and in `layer`, in the order of their calls. Stops with e->too_large
 * at a layer of more than MAX_LAYER_CODE instructions, or where all so far are more than MAX_CODE or, by CODE_BYTES, than the
 * memory that is left. */
void emit_layers(Emit *e, Layer *layer);
Ref constant_global(Emit *e, Ref value, const char *name);
/* A load of what stays as it is while a layer function runs, so that LLVM takes it out of loops, past stores and calls. */
Ref load_invariant(Emit *e, LLVMTypeRef type, Ref p, int64_t bytes, int align);

/* ==== emit_key.c ==== */

/* Appends all that the code of a layer depends on; false: the function is the node's own, as it rests on more than a key should
 * hold. `few`: few functions are worth more than fast ones, so constants of one element are no part of it where they can be
 * read at run time. */
bool layer_key(const Node *n, int phase, bool few, Buffer *key);
/* A node of that key, which has nothing that the key lacks. Its values have their numbers for ids. */
Node *layer_node(Context *cx, Buffer *key);
/* What such a node has for the places of packed weights and bias. */
enum { BOUND_WEIGHTS = 1 << 29, BOUND_BIAS };
/* Value number i of a node: inputs, results, and what threads share meanwhile; NULL: there is none. */
const Value *layer_value(const Node *n, int i);
int layer_values(const Node *n);

/* value_ptr and weights_ptr in a function that layers share: the places come from the frame's table. */
Ref bound_value(Emit *e, const Value *v);
Ref bound_weights(Emit *e, int64_t offset);
/* emit_flush.c: what to call for a layer: itself, or with --flush-denormals a function that calls it, for which the frame has so
 * many bytes more at its end. */
Ref flush_denormals(Emit *e, Ref layer, LLVMTypeRef layer_type, Ref frame);
int64_t flush_frame_bytes(const Graph *g);
/* Of a function that runs on every CPU of the architecture. */
void baseline_attributes(Emit *e, Ref fn);
/* The functions and tables of the interface: NAME_run, NAME_model and what they need. */
void emit_entry(Emit *e, const Layer *layer, int count);
#endif
