/* winograd.h: what conv_winograd.c and winograd_*.c share. */
#ifndef EMIT_WINOGRAD_H
#define EMIT_WINOGRAD_H
#include "emit.h"

/* V is the transformed input [frequency][parity][channel block][tile][V], M the sums [frequency][nb][tile][V], U transformed
 * weights. Frequency (i, j) is number i * points + j. Of two parities in a dimension the second, of one tap, has no products
 * at point 0. */
typedef struct Winograd {
  Emit *e;
  Node *n;
  const WinogradPlan *plan;
  WinogradForm f; WinogradMap map; WinogradSizes s;
  const Value *in, *out;
  int64_t shared_at;   /* bytes of what threads share before the map's */
} Winograd;

/* ==== winograd_few.c ==== */
/* A dimension's inputs of up to four points, which need no products: t of d, by what adds and subtracts their elements. `infinity`: is
 * there a product at infinity? */
void winograd_input_of_few(Emit *e, int points, const Ref *d, bool infinity, Binary *add, Binary *sub, Ref *t);

/* ==== winograd_transform.c ==== */
Ref winograd_weight(const Winograd *w, int i, const Ref *u); /* the first parity's at point i from those at the first `taps` points */
/* The same over the rows of column `col` of a kernel, whose weights at the first points are `step` bytes apart, the first `at`
 * bytes behind g. */
Ref winograd_column(const Winograd *w, int i, int col, Ref g, int64_t at, int64_t step);
/* Tile row `row` of a channel block of an image of the map; at `v` is where the row's first tile goes of block 0. `last`: it
 * is the map's last row of tiles. */
void winograd_input_row(const Winograd *w, Ref image, Ref row, Ref block, bool last, Ref v);

/* Tiles of a panel whose sums wait in `m`: of `images` images of the map from `image`, `rows` rows of tiles from `first`. */
typedef struct WinogradArea { Ref image, first, m; int64_t images, rows; } WinogradArea;
void winograd_output(const Winograd *w, const WinogradArea *a, int nb, Ref panel); /* their results: M's transform, bias, epilogue */

/* ==== winograd_weights.c ==== */
int64_t winograd_line_bytes(const Winograd *w, int nb); /* bytes of the weights of one channel in a panel of nb blocks */

/* Row point i of the transformed weights of so many input channels. */
typedef struct WinogradRow { const Winograd *w; int i, channels, nb; } WinogradRow;
int64_t winograd_given_bytes(const WinogradRow *r); /* bytes of one of a chunk's given weights */
/* Makes of the row's weights what is not given by g [given weight][channel][nb][V], in u. */
void winograd_weights_row(const WinogradRow *r, Ref g, Ref u);

/* The weights of a row point and parity of rows: one for each column point, so many bytes apart, the first `n_given` of them
 * elsewhere; and those of the second parity of columns. */
typedef struct WinogradPlaces { Ref u, given, second; int64_t step, given_step; int n_given; } WinogradPlaces;
int64_t winograd_region_bytes(const Winograd *w, int nb);
/* Where the weights of a row are, that winograd_weights_row makes in u or g has: of[parity of rows]. */
void winograd_places(const WinogradRow *r, Ref g, Ref u, WinogradPlaces *of);

/* ==== winograd_integer_weights.c: the same of integers ==== */
/* At row points i and i + 1, of g as it is packed. */
void winograd_integer_weights(const WinogradRow *r, Ref g, Ref u);
void winograd_integer_places(const WinogradRow *r, Ref u, WinogradPlaces *of); /* all in u */

/* ==== winograd_integer.c: the same of 8-bit integers ==== */
/* A tile's inputs, of a vector of pairs of channels, by so many points. */
void winograd_integer_input(const Winograd *w, int row_points, int col_points, Ref in, Ref v);
/* The first height x width results of a tile by so many points, for nb vectors of outputs. */
typedef struct WinogradResults { const Winograd *w; int height, width, row_points, col_points, nb; } WinogradResults;
void build_integer_results(const void *data); /* arguments: M, result, starts, those of steps */

/* ==== winograd_product.c ==== */
int64_t winograd_parity_at(const Winograd *w, int pr, int pc); /* floats of V from a frequency's first parity to that one */
/* Points of one dimension that are treated alike. */
typedef struct WinogradRange { int lo, hi, parities; bool cut; /* tiles that the edge cuts have none of these */ } WinogradRange;
/* Returns how many; `cut` is the number of results of a cut tile, 0: none is. */
int winograd_ranges(const WinogradForm *f, int cut, WinogradRange *r);
/* The numbers of a group's tiles. */
typedef struct WinogradTiles { int *number; /* NULL: they count up from 0, being many */ int64_t n; } WinogradTiles;
/* Those of `images` x `rows` rows of tiles that have products of a range of rows and one of columns. */
WinogradTiles winograd_tiles(const Winograd *w, int64_t images, int64_t rows, bool cut_row, bool cut_col);

typedef struct WinogradProduct {
  const Winograd *w;
  Tile tile;
  int row_parities, col_parities, blocks, rest; /* to sum over in each parity: channel blocks, and channels of a last partial one */
  bool first;       /* M starts at zero */
} WinogradProduct;
/* The kernel's arguments; u are the weights of parities (0, 0), (0, 1), (1, 0), (1, 1), with one parity only the first. */
enum { PARITIES = 4 };
typedef struct WinogradOperands { Ref v, m, pf, u[PARITIES]; } WinogradOperands;
/* Products of row point i, a constant or not, at a range of column points; u are the weights of as many parities as the stride.
 * The operands are those of the column point 0; what to fetch has so many bytes for each. */
void winograd_range_products(WinogradProduct p, const WinogradTiles *t, Ref i, const WinogradRange *cols, WinogradOperands o,
                             const WinogradPlaces *u, int64_t fetched);

/* ==== winograd_fused.c ==== */
/* All row points of a chunk of input channels of whole blocks: M (+)= V U. */
void winograd_fused_chunk(const Winograd *w, const WinogradArea *a, Ref g, Ref v, int blocks, int nb, bool first);
#endif
