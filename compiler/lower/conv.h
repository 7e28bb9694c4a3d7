/* conv.h: the algorithms of convolutions in numbers: what lower/ chooses by and packs, and what emit/ makes code of. */
#ifndef LOWER_CONV_H
#define LOWER_CONV_H
#include "lower.h"

/* ==== conv.c: what the algorithms of a convolution ask of a layer ==== */

typedef struct ConvLayer {
  const Target *t;
  const Node *n;
  const int64_t *x, *y;     /* shapes of input and result */
  int groups, icg, ocg;     /* channels of a group, as in plans */
  int64_t images, rows, cols; /* of the result */
  int64_t taps;
  int64_t in_blocks, out_blocks; /* of a group */
  int64_t pixel_bytes;      /* of the input */
  bool planar;              /* so few input channels that blocks would be mostly empty */
} ConvLayer;
ConvLayer conv_layer(const Target *t, const Node *n);
bool conv_is_flat(const ConvLayer *l); /* is the map so small that it is worked on as one line of pixels? */
bool conv_fits_blocks(const Node *n); /* can the layer work on channel blocks, whatever the algorithm? */
/* Are its sizes such that plans can count channels and pixels of a row in ints, and its border in proportion? */
bool conv_shapes_fit(const Node *n);
int64_t longest_with_border(int64_t in); /* rows or columns of a map of `in` with the largest border on both sides that is in proportion */
bool conv_on_blocks(const Node *n);   /* does it, as planned? */
bool conv_is_depthwise(const Node *n);
bool conv_is_uneven(const Target *t, const Node *n); /* has it groups that begin or end inside of a block? */
/* w[oc][ic][k], where ic counts the channels of the group. */
float conv_weight(const Node *n, int64_t oc, int64_t ic, int64_t k);
bool grouped_fits(const Target *t, const Node *n); /* conv_grouped.c */
/* conv_integer.c: can the direct convolution make the layer? What its sums start from, one for each channel of the result, before
 * the panels; the weights of the c-th four of channels, zeros behind the last. */
bool integer_fits(const ConvLayer *l);
bool integer_alike(const Node *a, const Node *b); /* do equal weights start from the same? */
/* Without an instruction for four products, do those of two channels beside each other, added, fit 16 bits? */
bool integer_is_small(const Target *t, const Node *n);
/* conv_sorted.c: the share of vectors that are multiplied as 16-bit numbers, below 0 where panels cannot be sorted; a plan of those. Bytes:
 * of a widened pixel's even channels, or odd ones; before a panel's weights; of the places before all panels; of both together. */
enum { SORTED_VECTORS = 2, SORTED_COUNTS = 4 << SORTED_VECTORS /* bytes: an i32 for each class */ };
double sorted_share(const ConvLayer *l);
void plan_sorted(const ConvLayer *l, double share, Plan *plan), pack_sorted(const Target *t, const Node *n, char *to);
int64_t sorted_words(const Target *t, const DirectPlan *p), sorted_bytes(const Target *t, const DirectPlan *p, const Window *w);
int64_t sorted_head(const Target *t, const DirectPlan *p, const Window *w), sorted_places(const DirectPlan *p, const Window *w);
bool sorted_alike(const Node *a, const Node *b);
int64_t integer_starts_bytes(const Target *t, const Node *n, const DirectPlan *p);
void integer_starts(const Target *t, const Node *n, uint32_t *start); /* zeroed; with ones, the zero points behind */
void integer_ones(const Node *n, int64_t c, int8_t *to);
bool requantizes_bounded(const Node *n); /* are sums, as they are scaled, below 2^31? */
void integer_weights(const Node *n, int64_t oc, int64_t c, int64_t k, int8_t *to);
/* centred.c: the zero point of x and of a channel's weights. */
int64_t integer_zero(const Node *n), integer_weight_zero(const Node *n, int64_t oc);
bool integer_has_zeros(const Node *n); /* of the weights */
const Value *integer_bias(const Node *n); /* of the first step, which is done by that and reads nothing; NULL: none is */
int integer_bias_input(const Node *n);    /* the number of that input; -1: none */
/* Weights of 8-bit integers less their zero points. Are they constant, and the zero points? Do they take 16 bits on that
 * target? What the sum of an output channel starts from, `to` being 0, where they do (`wide`) or do not; weight i of it as one of
 * four of a lane. */
bool centred_known(const Node *n), centred_wide(const Target *t, const Node *n);
CentredWidth centred_width(const Target *t, const Node *n); /* wide ones as two numbers of 8 bits, where vpdpbusd takes both */
void centred_start(const Target *t, const Node *n, int64_t oc, bool wide, uint32_t *to);
void centred_put(const Target *t, const Node *n, int64_t oc, int64_t i, CentredWidth width, char *lane, int four);
/* numbers.c: what kernels of packed integer convolutions read of a step that quantises when they run: Step's a, b, c; the zero point;
 * the bounds of the result, also those of the Clips behind it, and WHOLE_BASE, each less the zero point; the zero point as i32. */
typedef enum { NUMBER_A, NUMBER_B, NUMBER_C, NUMBER_ZERO, NUMBER_LO, NUMBER_HI, NUMBER_BASE, NUMBER_INTEGER, STEP_NUMBERS } StepNumber;
#define WHOLE_BASE 0x1.8p23 /* beside it floats are whole numbers */
bool step_is_numbered(const Node *n, int i); /* of a Requantize or QLinearAdd: are its numbers read there? */
double numbers_get(const Node *n, int i, StepNumber which);
float step_zero(const Step *s); /* of one of these, or a QuantizeLinear, whose numbers are constants */
bool step_sum_is_bounded(const Step *s);     /* of a QLinearAdd: below 2^30 before it is rounded? */
/* The step, in place of its numbers only what of them code rests on: is the zero point 0, is the sum bounded. */
Step step_form(const Node *n, int i);
int64_t numbers_bytes(const Node *n), numbers_before(const Node *n, int i); /* of all steps, of those before number i */
void numbers_write(const Node *n, void *to);
/* Bytes of the packed weights of a block, of nb vectors of outputs, of a vector. */
int64_t integer_depthwise_bytes(const Target *t, const Node *n), integer_stem_bytes(const Target *t, const Node *n, const Plan *p);
int64_t integer_stem_line(const Node *n), integer_stem_words(const Node *n); /* a row that is widened: pixels; bytes */
bool makes_pixels(Value *x); /* can x be made as the pixels that its reader wants, a stem? */
int64_t integer_grouped_bytes(const Target *t, const Node *n, const Plan *p);
/* conv_direct.c: pieces of the result's rows, for all results of which the same taps of a row meet more than padding; or the row,
 * where that is less work. A window that skips none has one piece with all taps. Of a plan that is `inside` pieces are as narrow as
 * the edges are. */
enum { MAX_PIECES = 9 };
typedef struct RowPiece { int64_t first, width, taps; } RowPiece;
int direct_pieces(const Node *n, bool inside, RowPiece *piece);
/* conv_direct.c: panels of nb blocks of output channels, group by group. */
enum { AMX_TILE = 1024, AMX_SUMS = 8 * AMX_TILE }; /* bytes: of a tile; of scratch for tiles of sums, of two groups in turn */
int64_t direct_columns(const Target *t, const DirectPlan *p); /* of a row of a group's panels, beside each other: vectors of ones, too */
void pack_panels(const Target *t, const Node *n, const DirectPlan *p, float *dst);

/* ==== conv_winograd.c: Winograd's algorithm in numbers ==== */

enum { WINOGRAD_POINTS = 6, WINOGRAD_KERNEL = 5 /* the largest side of a kernel */ };

/* F(m x m, taps x taps). A kernel 3x3 of stride 2 has two parities in each dimension: of its taps 0 and 2, and of tap 1. */
typedef struct WinogradForm {
  int m;               /* results of a whole tile, in each dimension */
  int kernel, stride;  /* of the convolution; as many parities as the stride */
  int taps;            /* of parity 0 */
  int points;          /* of a whole tile: m + taps - 1; point 0 is infinity */
  int64_t dh, dw;      /* dilation, with a stride of 1 */
} WinogradForm;

/* The form of a window for tiles of m results, 0: for the largest; false: there is none. */
bool winograd_form(const Window *k, int m, WinogradForm *f);
WinogradForm winograd_form_of(const Node *n, const WinogradPlan *p); /* that of a plan for the node */
int winograd_points(const WinogradForm *f, int results); /* of a tile that is cut to so many results: the first ones */
int winograd_products(const WinogradForm *f);      /* of a whole tile and one channel */
double winograd_point(int i);                      /* i > 0 */
/* A weight at point i >= taps is the sum of these times the weights at points k < taps; that at point 0 has the factor 1. */
double winograd_term(int taps, int i, int k);
/* The factor of row i of the input's transform for so many points, which emit_winograd leaves out until the end. */
double winograd_scale(int taps, int points, int i);
/* How weights are transformed, in one dimension: number i of a transformed kernel is sum(t) power[i][t] g[t]; see conv_winograd.c. */
typedef struct WinogradPowers { int side, kernel; double power[WINOGRAD_POINTS][WINOGRAD_KERNEL]; } WinogradPowers;
WinogradPowers winograd_powers(const WinogradForm *f, int side);
/* The transformed weights u[side][side] of a kernel g, without the factors of winograd_scale. */
void winograd_weights(const WinogradPowers *p, const float *g, double *u);
/* Floats of a region of `chunk` channel blocks: a few more than it holds, lest all begin at the same place of the L1 cache. */
int64_t winograd_region(int chunk, int nb, int lanes);

/* A dilated convolution is one of dilation 1 for each residue: the pixels whose row and column leave the same remainder modulo
 * the dilation. Residues of one size are the images of a map; an undilated convolution has a single map, of the images themselves. */
typedef struct WinogradMap {
  int64_t images, rows, cols;          /* of the result */
  int64_t first_row, first_col;        /* the first residue */
  int64_t row_residues, col_residues;  /* of each image */
} WinogradMap;
enum { WINOGRAD_MAPS = 4 }; /* residues have two sizes in each dimension */
/* Of the result y; returns how many. The first has the largest residues. */
int winograd_maps(const WinogradForm *f, const Shape *y, WinogradMap *maps);

typedef struct WinogradSizes {
  int64_t tile_rows, tile_cols;     /* of the map */
  int64_t group_images;             /* treated at a time: the most that divide the map's and are no more than the plan's */
  int64_t in_blocks, out_blocks;    /* channel blocks */
  int64_t group_tiles;              /* treated at a time */
  bool one_group;                   /* the map is one, whose transformed input all threads share */
  int cut_rows, cut_cols;           /* results of the last row and column of tiles that go without the last points; 0: all have them */
  int64_t v_frequency, m_frequency, v_parity; /* floats of V, the transformed input, and of M, the sums, to the next one */
  int64_t m_at;                     /* bytes of a thread's scratch before M; V begins it unless the map is one group */
} WinogradSizes;

/* Sizes of a plan whose icg, ocg, nb, tile_rows and group_images are set. */
WinogradSizes winograd_sizes(const WinogradForm *f, const WinogradPlan *p, const WinogradMap *map, int lanes);
int64_t winograd_shared(const WinogradForm *f, const WinogradSizes *s, const WinogradMap *map); /* bytes of V, if threads share it */
void plan_integer_winograd(const ConvLayer *l, Plans *list); /* l counts pairs of channels. Bytes before the weights; of a pair's of a vector: */
int64_t integer_winograd_starts(const Target *t, const WinogradPlan *p), integer_winograd_bytes(const Target *t);
enum { FUSED_SUMS = 24, FUSED_BLOCKS = 2 }; /* of a plan that is `fused`: vectors of sums that stay in registers; most blocks of a panel */

/* ==== conv_strassen.c: the sizes of Strassen's algorithm ==== */

/* Pixels of a line, which is a row of the result y, or with OC_FLAT half of a map; pairs of lines. */
int64_t strassen_line(const StrassenPlan *p, const Shape *y);
int64_t strassen_pairs(const StrassenPlan *p, const Shape *y);
enum { STRASSEN_SUMS = 4, STRASSEN_KEPT = 3 }; /* for all tiles of a group: sums of inputs, sums of products */
bool strassen_stores_sums(const StrassenPlan *p); /* of weights: a quarter's at a time, in scratch behind what is kept */
#endif
