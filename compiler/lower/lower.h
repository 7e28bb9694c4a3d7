/* lower.h: from the graph to a build of it for one target: algorithms, where elements lie, packed weights, the workspace. */
#ifndef LOWER_H
#define LOWER_H

#include "ops.h"

/* ==== target.c: what the generated code may use ==== */

typedef struct Target {
  const char *triple, *cpu, *features; /* as given to LLVM */
  int lanes;          /* fp32 lanes of the vector: 16, 8, 4; also the channel block V of activations */
  int regs;           /* vector registers: 32 or 16 */
  bool fma;
  uint64_t cpu_bits;  /* RCC_CPU_* of resnetcc_rt.h that a machine must have */
  int64_t l1, l2;     /* data cache bytes of one core, assumed */
} Target;

/* Fills the target from --target, -mcpu and -mattr (NULL: the host's, name and features as LLVM finds them). Fails on an
 * unknown name. */
Target *target_new(Context *cx, const Options *opt);

/* host.c: this machine, as LLVM sees it. */
char *host_triple(Context *cx);
char *host_cpu(Context *cx);
char *host_features(Context *cx);
/* The triple with all its parts: ARCHITECTURE-VENDOR-SYSTEM, and -ENVIRONMENT where it has one. */
char *normal_triple(Context *cx, const char *triple);

/* ==== a build: one compilation of one graph for one target ====
 *
 * The passes of this folder fill it, in their order, and change its graph: another target takes a copy (graph_copy). */

typedef struct Tuning Tuning;

typedef struct LayerInfo {
  Node *node;
  int phase;
} LayerInfo;

typedef struct Build {
  Graph *graph;
  const Options *options;
  const Target *target;
  Tuning *times;         /* for select: measured ones; NULL: none */
  bool alone;            /* layers outside their network: equal weights are not shared */
  bool many_shapes;      /* select: there are so many of convolutions that code which serves any number of channels is worth
                            more than a few per cent of speed */
  const uint8_t *weights; /* pack: the object's read-only data */
  int64_t weights_size;
  int n_once;            /* plan: so many nodes, the first ones, run once for all images of a symbolic batch; ... */
  int64_t once_size;     /* ... bytes of workspace for what they leave to the images, before those of an image, ... */
  int64_t work_size;     /* ... which all threads share that work on it ... */
  int64_t scratch_size;  /* ... and that each thread has for itself, behind them */
  LayerInfo *layer;      /* emit: the layer functions in the order of their calls */
  int n_layer;
} Build;

/* ==== select.c: the algorithm and tile of every Conv, Gemm and MatMul ==== */

typedef enum ConvAlgorithm {
  CONV_DIRECT,
  CONV_DEPTHWISE,
  CONV_GROUPED,        /* several groups of few channels share a vector */
  CONV_RAGGED,         /* groups that begin and end inside of blocks */
  CONV_INTERLEAVED,    /* a vector holds one channel each of many groups */
  CONV_NARROW,         /* few outputs: a vector holds input channels */
  CONV_PIXELS,         /* few inputs, in planes, and few outputs: a vector holds pixels */
  CONV_WINOGRAD,       /* F(4x4,3x3) and its like: winograd.c */
  CONV_STRASSEN,       /* 1x1 by one level of Strassen's algorithm */
  CONV_PLAIN,          /* weights known at run time only, or not finite, or windows mostly in the padding: dense row-major tensors */
} ConvAlgorithm;

/* The nesting of a direct convolution's loops over rows, pixel tiles and output-channel groups, outermost first. */
typedef enum LoopOrder {
  ROW_TILE_OC, /* weights stay in L2, one input tile is used for all output channels */
  OC_ROW_TILE, /* one weight panel is used for a block of `block_rows` rows, the next is prefetched; then the next block */
  OC_FLAT,     /* one panel for a whole small map: tiles run over row ends, input channels go in chunks */
} LoopOrder;

/* All up to the weights is what the code depends on; emit/key.c compares its bytes, so there is no padding: what is largest
 * comes first. */
struct ConvPlan {
  int64_t scratch;     /* bytes each thread needs */
  int64_t shared;      /* bytes of workspace that all threads share while the node runs */
  ConvAlgorithm algorithm;
  LoopOrder order;
  int uw, nb;          /* tile: pixels x output channel blocks; CONV_NARROW: x outputs; CONV_PIXELS:
                          nb vectors of pixels */
  int block_rows;      /* OC_ROW_TILE: rows of the result whose input stays in L2; all images' rows count as one list */
  int group_pairs;     /* Strassen: pairs of lines treated at a time */
  int chunk;           /* OC_FLAT: input channel blocks whose weights stay in L1; 0: all */
  int groups;          /* independent groups left after packing; 1: dense */
  int icg, ocg;        /* channels per group as packed */
  int sums;            /* grouped: partial sums of a pixel; icg, or half of it where a group fills the vector */
  int m;               /* Winograd: results of a tile in each dimension */
  int tile_rows;       /* Winograd: rows of tiles treated at a time, ... */
  int group_images;    /* ... of so many images, which divide the batch */
  bool ahead;          /* ROW_TILE_OC: the next row's input is fetched into L2 while a row is computed */
  bool stream;         /* OC_ROW_TILE: the weights come from beyond L2, so the next panel is prefetched */
  bool planar;         /* the input is not blocked (a stem's 1 to 4 channels) */
  bool fused;          /* Winograd: on the fly in registers, for maps of few tiles */
  bool stored;         /* Winograd: the weights are stored transformed; else they are transformed on the fly, in chunks */
  bool unused[3];      /* in place of padding */
  int64_t weights;     /* offset in bytes of the packed weights, in build->weights */
  int64_t bias;        /* offset of the padded bias; -1: none */
  Value *work;         /* what threads share, set by plan; NULL: nothing */
};
static_assert(offsetof(ConvPlan, weights) == offsetof(ConvPlan, unused) + 3, "a plan has no padding");

/* One of the plans that a convolution can have. */
typedef struct Candidate {
  ConvPlan plan;
  const char *name;    /* without spaces; no other candidate of the layer has it */
  double ms;           /* of one thread, measured or estimated */
  bool measured;
} Candidate;

enum { MAX_CANDIDATES = 16 };

/* All of them: measured ones first, the least costly first. */
typedef struct Candidates {
  const char *shape;   /* of the layer, without spaces: layers with the same have the same candidates */
  Candidate item[MAX_CANDIDATES];
  int n, chosen;
  int promising;       /* the first so many may turn out best when they are measured */
} Candidates;

/* Sets node->plan where an operator has one, and node->candidates. Requires fuse. */
void pass_select(Build *b);
void select_gemm(const Build *b, Node *n); /* product.c */

/* ==== winograd.c ==== */

enum { WORK_ALIGN = 4096 }; /* of scratch, and of what threads share while a node runs, relative to the workspace: a page */

enum { WINOGRAD_POINTS = 6, WINOGRAD_KERNEL = 5 /* the largest side of a kernel */ };

/* F(m x m, taps x taps). A kernel 3x3 of stride 2 has two phases in each dimension: of its taps 0 and 2, and of tap 1. */
typedef struct WinogradForm {
  int m;               /* results of a whole tile, in each dimension */
  int kernel, stride;  /* of the convolution; as many phases as the stride */
  int taps;            /* of phase 0 */
  int points;          /* of a whole tile: m + taps - 1; point 0 is infinity */
} WinogradForm;

/* The form of a window for tiles of m results, 0: for the largest; false: there is none. */
bool winograd_form(const Window *k, int m, WinogradForm *f);
/* That of a plan for the node which is CONV_WINOGRAD. */
WinogradForm winograd_form_of(const Node *n, const ConvPlan *p);
/* Points of a tile that is cut to so many results: the first ones. */
int winograd_points(const WinogradForm *f, int results);
int winograd_phases(const WinogradForm *f, int i); /* with a product at point i, in one dimension */
int winograd_products(const WinogradForm *f);      /* of a whole tile and one channel */
double winograd_point(int i);                      /* i > 0 */
/* A weight at point i >= taps is the sum of these times the weights at points k < taps; that at point 0 has the factor 1. */
double winograd_term(int taps, int i, int k);
/* The factor of row i of the input's transform for so many points, which emit_winograd leaves out until the end. */
double winograd_scale(int taps, int points, int i);
/* What transforms weights: at the first `side` points of each dimension, where side may be all or, as needed for the others,
 * the kernel's. With two phases the latter are at two points of the first phase and the tap of the second. */
typedef struct WinogradPowers {
  int side, kernel;
  double power[WINOGRAD_POINTS][WINOGRAD_KERNEL];
} WinogradPowers;
WinogradPowers winograd_powers(const WinogradForm *f, int side);
/* The transformed weights u[side][side] of a kernel g, without the factors of winograd_scale. */
void winograd_weights(const WinogradPowers *p, const float *g, double *u);
/* Transformed on the fly: how many numbers of a channel there are room for, see emit/winograd_weights.c. */
int winograd_regions(const WinogradForm *f);
/* Floats of a region of `chunk` channel blocks: a few more than it holds, lest all begin at the same place of the L1 cache. */
int64_t winograd_region(int chunk, int nb, int lanes);

typedef struct WinogradSizes {
  int64_t tile_rows, tile_cols;     /* of the map */
  int64_t in_blocks, out_blocks;    /* channel blocks */
  int64_t group_tiles;              /* treated at a time */
  bool one_group;                   /* the map is one: its transformed input is shared by all threads */
  int cut_rows, cut_cols;           /* results of the last row and column of tiles where these go without the last points;
                                       0: they are whole */
  int64_t v_frequency, m_frequency; /* floats from one frequency to the next, of transformed input V and of sums M */
  int64_t m_at;                     /* bytes of a thread's scratch before M; V is there unless the map is one group */
} WinogradSizes;

/* Sizes of a plan whose icg, ocg, nb, tile_rows and group_images are set; y is the result's shape. */
WinogradSizes winograd_sizes(const WinogradForm *f, const ConvPlan *p, const Shape *y, int lanes);
/* Rows of results that the node's tiles make, those past the last included. */
int64_t winograd_rows(const Node *n);
/* Fills scratch and shared; chunk and stored are set as well. */
void winograd_memory(const WinogradForm *f, ConvPlan *p, const Shape *y, int lanes);
enum { FUSED_SUMS = 24 }; /* vectors of sums that stay in registers */
/* May the plan be `fused`? */
bool winograd_fuses(const WinogradForm *f, const ConvPlan *p, const Shape *y, const Target *t);

/* ==== strassen.c ==== */

/* Pixels of a line, which is a row of the result y, or with OC_FLAT half of a map; pairs of lines. */
int64_t strassen_line(const ConvPlan *p, const Shape *y);
int64_t strassen_pairs(const ConvPlan *p, const Shape *y);
/* Kept for all tiles of a group: sums of inputs, sums of products; and buffers for sums of weights. */
enum { STRASSEN_SUMS = 4, STRASSEN_KEPT = 4, STRASSEN_BUFFERS = 3 };
/* Fills scratch and shared of a plan whose icg, nb, order and group_pairs are set. */
void strassen_memory(ConvPlan *p, const Shape *y, int lanes);

/* cost.c: the estimated milliseconds of a convolution's plan on one core. */
double plan_cost(const Target *t, const Node *n, const ConvPlan *p);

/* ==== times.c: measured times of candidates, and their file ==== */

typedef struct TunedTime {
  const char *shape, *candidate;
  double ms;
  bool used;           /* the model has such a layer */
} TunedTime;

struct Tuning {
  TunedTime *item;
  int n, cap;
  int foreign;         /* times of other targets in the file */
};

/* The file's times for the target; NULL: there is no such file. Fails naming the line that is wrong. */
Tuning *tuning_read(Context *cx, const Target *target, const char *path);
void tuning_print(Context *cx, const Tuning *t, const Target *target, Buffer *out);
/* One more; of several times of a candidate the least counts. */
void tuning_add(Context *cx, Tuning *t, const char *shape, const char *candidate, double ms);
/* Milliseconds of a candidate; 0: not measured. */
double tuning_ms(Tuning *t, const char *shape, const char *candidate);
/* A line on stderr if some of the file's times were not used. */
void tuning_warn(const Tuning *t, const char *path);

/* ==== layout.c ==== */

/* Chooses Value.layout of every value and inserts Reorder nodes where a reader wants another layout; gives halos. */
void pass_layout(Build *b);
/* The format of a type: how many channels a block has, as many as a vector has elements. */
int channel_block(const Target *t, Type type);
/* The dense row-major layout of a shape. */
Layout layout_plain(const Shape *s);
bool layout_equal(const Layout *a, const Layout *b);
bool layout_is_plain(const Value *v); /* elements are dense in row-major order from the storage's start */
/* How a step's argument is addressed beside a blocked result. */
typedef enum ArgClass {
  ARG_NONE,
  ARG_SCALAR,  /* a constant of one element */
  ARG_CHANNEL, /* one value a channel: a constant (padded to whole blocks by pack), or a tensor [N,C,1,1] */
  ARG_TENSOR,  /* the result's own shape, blocked */
  ARG_OTHER,   /* none of these: the chain can't run on blocks */
} ArgClass;
ArgClass step_arg_class(const Node *n, const Step *s);

/* ==== pack.c ==== */

/* Builds build->weights: packed convolution weights in the order of their consumption, then the other constants; sets
 * Value.place and .offset of constants and the offsets of plans. */
void pass_pack(Build *b);
int64_t packed_bytes(const Build *b, const Node *n); /* of a node's packed weights; 0: it has none */
int64_t plan_bytes(const Target *t, const Node *n, const ConvPlan *p); /* the same of a convolution that had this plan */
/* panel.c: what so many columns of weights (channels of results) take in a row: whole vectors, unless that is more by a quarter than
 * there are; then the last vector of a row has no padding, and reading it whole runs on into the next row. */
int64_t packed_columns(int64_t columns, int lanes);
/* product.c: constant B [K,N], or [K], of a Gemm or MatMul as column panels of lanes*nb, K rows each, zero-padded, then the
 * narrow columns one by one, K elements each; the size in bytes, 0 where B is not packed. */
int64_t pack_gemm_size(const Build *b, const Node *n);
void pack_gemm(const Target *t, const Node *n, float *dst);
bool pack_gemm_alike(const Node *a, const Node *b); /* would equal matrices be packed the same, with the same nb? */
/* How many columns are narrow: the last ones, where vectors of columns would be mostly padding. Their products are sums along
 * K, which has to be the dense axis of A; where it is not, the panels have the last columns without padding (packed_columns). */
int64_t narrow_columns(const Target *t, const Node *n);

/* ==== plan.c ==== */

/* Lifetimes, aliases and offsets: Value.place, .offset, build->n_once, .once_size, .work_size, .scratch_size. Moves the nodes
 * that do not depend on the image before the others. */
void pass_plan(Build *b);
int64_t workspace_bytes(const Build *b); /* for one thread and one image */

/* ==== place.c ==== */

typedef struct Span {
  int first, last;     /* node numbers between which storage is in use */
  int64_t bytes, align;
  int64_t offset;      /* set by place_spans */
  int rank;            /* its own */
} Span;

/* Pairs of spans alive together that are looked at one by one. */
enum { PLACE_MOST = 1 << 22 };
/* Gives every span an offset, so that those which are in use at one time lie apart. The bytes that takes. */
int64_t place_spans(Context *cx, Span *s, int n);
#endif
