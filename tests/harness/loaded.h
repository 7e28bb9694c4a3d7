/* loaded.h: a graph as an object that runs in this process. */
#ifndef LOADED_H
#define LOADED_H

#include "compile.h"
#include "guarded.h"
#include "resnetcc_rt.h"

typedef struct Loaded {
  Object object;
  Jit *jit;
  const rcc_model *model;
} Loaded;

/* All passes on g, for t; NULL: for the target of g's options. */
Build *build_of(Graph *g, const Target *t);
/* The object of that. */
Loaded load_graph(Graph *g, const Target *t);
void unload(Loaded *l);
/* Makes the object of g for its options' target and runs it once: one image, on the caller's thread. */
void run_graph_once(Graph *g, const void *const *in, void *const *out);

/* An rcc_parallel's run: the tasks one after the other, the last first: none may wait for another. */
void run_backwards(const rcc_parallel *self, void (*task)(void *arg, int32_t index, int32_t worker), void *arg, int32_t count);

/* Fails the test where bytes beside the data have changed. */
void free_intact(Guarded *m);

#endif
