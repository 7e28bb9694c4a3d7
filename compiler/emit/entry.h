/* entry.h: what entry.c and interface.c share. */
#ifndef EMIT_ENTRY_H
#define EMIT_ENTRY_H
#include "emit.h"

typedef struct Entry {
  Emit *e;
  const LayerCode *layer;
  int count;
  int n_once, n_image; /* of them, the first ones run once; those up to n_image for an image, or some, at a time */
  LLVMTypeRef size_type, run_type;
  Ref workspace_size, run;
  Ref table, places;   /* of the layers */
  Ref steps;           /* of one thread, where some layers run in strips; else NULL */
  int *first_step;     /* of each layer, or, of one in strips, of all that it runs with; behind the last, their number */
  Ref image_task;      /* where there may be several images */
  const struct Entry *group; /* of a group of images; NULL: there is none */
} Entry;

/* Parameters of the table's `run`. */
enum { RUN_INPUTS, RUN_OUTPUTS, RUN_BATCH, RUN_WORK, RUN_SIZE, RUN_PAR, RUN_N };

enum { FEW = 16 }; /* more inputs, or outputs, go through loops */

/* ==== entry.c ==== */
/* The functions and tables of the interface: NAME_run, NAME_model and what they need; of a group those alone that the other entry needs.
 * y has the layers. */
void emit_entry(Entry *y, const Entry *group);

/* ==== interface.c ==== */
/* A function of the interface, to be built now. */
Ref new_function(Entry *y, const char *name, LLVMTypeRef type, bool visible);
/* int NAME_run([batch,] inputs..., outputs..., workspace, workspace_size, par); needs y->run. */
Ref build_typed_run(Entry *y);
void build_table(Entry *y);
void build_labels(Entry *y);
#endif
