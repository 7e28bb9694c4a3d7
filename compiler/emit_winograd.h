/* emit_winograd.h: what the two files that generate Winograd's algorithm share. */
#ifndef EMIT_WINOGRAD_H
#define EMIT_WINOGRAD_H

#include "emit.h"

/* V is the transformed input [frequency][phase][channel block][tile][V], M the sums [frequency][nb][tile][V], U transformed
 * weights. Frequency (i, j) is number i * points + j. Of two phases in a dimension the second, of one tap, has no products
 * at point 0. */
typedef struct Winograd {
  Emit *e;
  Node *n;
  const ConvPlan *plan;
  WinogradForm f;
  WinogradSizes s;
  const Layout *in, *out;
  int64_t images, rows, cols; /* of the result */
} Winograd;

/* ==== emit_winograd_transform.c ==== */

/* Floats from a frequency's first phase to phase (pr, pc). */
int64_t winograd_phase_at(const Winograd *w, int pr, int pc);
/* The first phase's weight at point i from those at the first `taps` points. */
Ref winograd_weight(const Winograd *w, int i, const Ref *u);
/* The same over the rows of column `col` of a kernel, whose weights at the first points are `step` bytes apart, the first `at`
 * bytes behind g. */
Ref winograd_column(const Winograd *w, int i, int col, Ref g, int64_t at, int64_t step);
/* Tile row `row` of a channel block of an image; at `v` is where the row's first tile goes of block 0. `last`: it is the map's
 * last row of tiles. */
void winograd_input_row(const Winograd *w, Ref image, Ref row, Ref block, bool last, Ref v);

/* Tiles of a panel whose sums wait in `m`: `images` images from `image`, of each `rows` rows of tiles from `first`. */
typedef struct WinogradArea {
  Ref image, first;
  int64_t images, rows;
  Ref m;
} WinogradArea;
/* Their results: M's transform, bias, epilogue. */
void winograd_output(const Winograd *w, const WinogradArea *a, int nb, Ref panel);
#endif
