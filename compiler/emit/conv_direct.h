/* conv_direct.h: what conv_direct.c and its kernel share. */
#ifndef EMIT_CONV_DIRECT_H
#define EMIT_CONV_DIRECT_H
#include "emit.h"

/* One kernel: everything that its code depends on besides the node's epilogue. */
typedef struct Kernel {
  Tile tile;
  int64_t out[MAX_TILE];                /* bytes from the result's first pixel to the others */
  int dy[MAX_TILE], dx[MAX_TILE];       /* the same in rows and pixels */
  int blocks, rest;                     /* whole channel blocks to sum over, more than one given to the kernel when it runs, and
                                           channels in a last partial one */
  bool first, last;                     /* chunk: starts from the bias; applies the epilogue and writes the result */
  bool chunked;                         /* or is told when it runs which of both it is */
  bool skips;                           /* taps that read nothing but padding, when it runs */
} Kernel;

typedef struct Conv {
  Emit *e;
  Node *n;
  const DirectPlan *plan;
  const Window *win;
  const Value *in, *out;
  int64_t images, rows, cols;           /* of the result */
  int64_t taps;
  int64_t groups_of_blocks;             /* panels of one group: nb output blocks each, the last one perhaps fewer */
  int64_t whole_panels;                 /* those with weights for nb whole vectors, */
  int rest;                             /* floats of a step's weights in the last one if it is no such, else 0 */
  int64_t out_blocks;                   /* of one group */
  int64_t panel;                        /* weights of a full panel */
  int weight_size;                      /* bytes of one, of four where they are integers */
  Dot dot;
  int64_t starts;                       /* bytes before the panels: the sums' starts, instead of a bias, ... */
  int64_t places;                       /* ... and of sorted panels the places of their inputs; */
  int64_t head;                         /* before the weights of one; */
  int64_t words;                        /* of a pixel that is widened for them, half of the bytes; 0: none is */
} Conv;

enum { KH_FROM, KH_TO, KW_FROM, KW_TO, TAP_ARGS };

/* What a call of the kernel needs besides the tile. */
typedef struct Site {
  Ref image, row, x;                    /* first pixel of the result */
  Ref from, to;                         /* ROW_TILE_OC: tiles of the row */
  Ref tile;                             /* number in the row */
  Ref panel_index;                      /* output panel within its group */
  Ref group;
  Ref in, weights, out, bias, partial, prefetch; /* pointers */
  Ref blocks, begins, ends;             /* of a chunk whose kernel is told: channel blocks; is it the first, the last? 1 or 0 */
  Ref taps[TAP_ARGS];                   /* where the kernel skips: the first and the last but one, by rows and by columns */
} Site;

/* ==== conv_direct_kernel.c ==== */
void call_direct_kernel(const Conv *c, const Kernel *t, const Site *s); /* for the tile at the site */

#endif
