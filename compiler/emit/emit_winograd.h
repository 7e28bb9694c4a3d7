/* emit_winograd.h: what the files that generate Winograd's algorithm share. */
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

/* ==== emit_winograd_weights.c ==== */

/* Bytes of the weights of one channel in a panel of nb blocks. */
int64_t winograd_line_bytes(const Winograd *w, int nb);

/* Row point i of the transformed weights of so many input channels. */
typedef struct WinogradRow {
  const Winograd *w;
  int i, channels, nb;
} WinogradRow;

/* Bytes of one of a chunk's given weights. */
int64_t winograd_given_bytes(const WinogradRow *r);
/* Makes of the row's weights what is not given by g [given weight][channel][nb][V], in u. */
void winograd_weights_row(const WinogradRow *r, Ref g, Ref u);

/* The weights of a row point and phase of rows: one for each column point, so many bytes apart, the first `n_given` of them
 * elsewhere; and those of the second phase of columns. */
typedef struct WinogradPlaces {
  Ref u, given, second;
  int64_t step, given_step;
  int n_given;
} WinogradPlaces;

/* Where the weights of a row are, that winograd_weights_row makes in u or g has: of[phase of rows]. */
void winograd_places(const WinogradRow *r, Ref g, Ref u, WinogradPlaces *of);

/* ==== emit_winograd_product.c ==== */

/* Floats of V from a frequency's first phase to phase (pr, pc). */
int64_t winograd_phase_at(const Winograd *w, int pr, int pc);

/* Points of one dimension that are treated alike. */
typedef struct WinogradRange {
  int lo, hi, phases;
  bool cut; /* tiles that the edge cuts have none of these */
} WinogradRange;

/* Returns how many; `cut` is the number of results of a cut tile, 0: none is. */
int winograd_ranges(const WinogradForm *f, int cut, WinogradRange *r);

/* The numbers of a group's tiles. */
typedef struct WinogradTiles {
  int *number;      /* NULL: they count up from 0, being many */
  int64_t n;
} WinogradTiles;

/* Those of `images` x `rows` rows of tiles that have products of a range of rows and one of columns. */
WinogradTiles winograd_tiles(const Winograd *w, int64_t images, int64_t rows, bool cut_row, bool cut_col);

typedef struct WinogradProduct {
  const Winograd *w;
  Tile tile;
  int row_phases, col_phases;
  int blocks, rest; /* to sum over in each phase: channel blocks, and channels of a last partial one */
  bool first;       /* M starts at zero */
} WinogradProduct;

/* The kernel's arguments; u are the weights of phases (0, 0), (0, 1), (1, 0), (1, 1), with one phase only the first. */
enum { PHASES = 4 };

typedef struct WinogradOperands {
  Ref v, m, pf, u[PHASES];
} WinogradOperands;

/* Products of row point i, a constant or not, at a range of column points; u are the weights of as many phases as the stride.
 * The operands are those of the column point 0; what to fetch has so many bytes for each. */
void winograd_range_products(WinogradProduct p, const WinogradTiles *t, Ref i, const WinogradRange *cols, WinogradOperands o,
                             const WinogradPlaces *u, int64_t fetched);

/* ==== emit_winograd_fused.c ==== */

/* All row points of a chunk of input channels of whole blocks: M (+)= V U. */
void winograd_fused_chunk(const Winograd *w, Ref m, Ref g, Ref v, int blocks, bool first);
#endif
