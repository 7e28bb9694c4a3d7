/* lower.h: from the graph to a build of it for one target: algorithms, where elements lie, packed weights,
 * the workspace. */
#ifndef LOWER_H
#define LOWER_H

#include "ops.h"

/* ==== target.c, x86.c, aarch64.c: what the generated code may use ==== */

typedef struct Target {
  const char *triple, *cpu, *features; /* as given to LLVM */
  const char *like;   /* the CPU, or of one that is not known that which it is like; NULL: features decide alone */
  const char *least;  /* the CPU that has what all of the architecture have */
  bool tunes;         /* LLVM is to take features from `least`, and of cpu only how long instructions take */
  bool native;        /* the CPU is this machine's because no other was named */
  int lanes;          /* fp32 lanes of the vector: 16, 8, 4; also the channel block V of activations */
  int regs;           /* vector registers: 32 or 16 */
  bool by_lane;       /* products take a lane of a register for a factor: tiles keep whole vectors of their inputs, too */
  bool fma, wide_panels; /* wide: of Winograd's products, of several blocks */
  uint64_t cpu_bits;  /* what a machine must have: architecture and RCC_CPU_*, see resnetcc_rt.h */
  int64_t l1, l2;     /* data cache bytes of one core, assumed */
  int fetch_level;    /* the cache into which what the next turn reads is fetched: 1 or 2 */
} Target;

/* Fills the target from --target, -mcpu and -mattr (NULL: the host's, as LLVM finds them). Fails on an unknown name. */
Target *target_new(Context *cx, const Options *opt);

/* Has it, for its whole vectors, vpdpbusd, which adds four products of bytes to a sum, or usdot; sdot alone, so that u8 are to be s8 of
 * 128 less; pmaddubsw, which adds two, with saturation? */
bool adds_fours(const Target *t), adds_signed_fours(const Target *t), adds_pairs_of_bytes(const Target *t);
bool has_neon(const Target *t); /* as all of aarch64 */
int tile_pixels(const Target *t, int nb); /* whose sums stay in registers with what a step reads: of nb vectors each */
const char *cpu_like(uint64_t bits); /* the known CPU of the architecture that has most of these features, and no other */
/* What -mcpu= takes, and the architectures and systems that a target can be; NULL past the last. */
const char *cpu_name(int i), *architecture_name(int i), *target_system(int i);
char *feature_string(Context *cx, uint64_t bits); /* +name or -name for each */

/* host.c: this machine, as LLVM sees it. */
typedef struct Version { unsigned major, minor, patch; } Version;
Version llvm_version(void);
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
  const char *symbol;  /* of its function */
} LayerInfo;

typedef struct KernelInfo { const char *symbol, *key; } KernelInfo; /* key: all that its code depends on */
typedef struct Strips { int first, last, count; } Strips; /* nodes that run in strips, as `count` tasks each */
typedef struct StripTask { int node, task; } StripTask;

typedef struct Build {
  Graph *graph;
  const Options *options;
  const Target *target;
  Tuning *times;         /* for select: measured ones; NULL: none */
  struct Build *group;   /* that of several images, where the batch is symbolic; NULL: none */
  const struct Build *one; /* of a group: that of one image, whose weights it has */
  bool alone;            /* layers outside their network: equal weights are not shared */
  bool planes;           /* layout: channel blocks are whole planes, [N][C/V][H][W][V] */
  bool many_shapes;      /* select: of convolutions, so that code for any number of channels is worth more than a few per cent of speed */
  const uint8_t *weights; /* pack: the object's read-only data */
  int64_t weights_size;
  uint8_t weights_head[64]; /* emit: what the file with these begins with, where they are an input: see resnetcc_rt.h */
  int n_once;            /* plan: so many nodes, the first ones, run once for all images of a symbolic batch; ... */
  int n_image;           /* ... the next ones, up to this number, for an image, or some, at a time, the others then for all; ... */
  int64_t image_runs;    /* ... so often, if the batch is a number; ... */
  int64_t once_size;     /* ... bytes of workspace for what goes from some of these to others, before those of an image, ... */
  int64_t work_size;     /* ... which all threads share that work on it ... */
  int64_t scratch_size;  /* ... and that each thread has for itself, behind them */
  Strips *strips; int n_strips; /* plan: apart from each other, in the order of their nodes */
  LayerInfo *layer;      /* emit: the layer functions in the order of their calls */
  KernelInfo *kernel;    /* emit: the functions that these call */
  int n_layer, n_kernel;
} Build;

/* ==== plans ====
 *
 * A plan is one way to make a layer: an algorithm of kernels.def, and what its code depends on beside the node. It lies in zeroed
 * memory and is written field by field, so its bytes up to `at` tell whether two layers can have one function (emit/key.c). */

/* The nesting of a convolution's loops over rows, pixel tiles and output-channel groups, outermost first. */
typedef enum LoopOrder {
  ROW_TILE_OC, /* weights stay in L2, one input tile is used for all output channels */
  OC_ROW_TILE, /* one weight panel is used for a block of `block_rows` rows, the next is prefetched; then the next block */
  OC_FLAT,     /* one panel for a whole small map: tiles run over row ends, input channels go in chunks */
} LoopOrder;

/* In all of them: uw, nb: the tile, pixels x output channel blocks (vectors of sums); groups, icg, ocg: groups and the channels
 * of one, of input (of 8-bit integers: fours of channels) and result. */

typedef struct DirectPlan {
  LoopOrder order;
  int uw, nb;
  int block_rows;      /* OC_ROW_TILE: rows of the result whose input stays in L2; all images' rows count as one list */
  int chunk;           /* OC_FLAT: input channel blocks whose weights stay in L1; 0: all */
  int groups, icg, ocg;
  bool planar;         /* the input is not blocked (a stem's 1 to 4 channels) */
  bool inside;         /* planar: taps that meet padding are skipped, so that the input is read where it lies, without a border */
  bool ahead;          /* ROW_TILE_OC: the next row's input is fetched into L2 while a row is computed */
  bool stream;         /* OC_ROW_TILE: the weights come from beyond L2, so the next panel is prefetched */
  bool bounded, small; /* requantizes_bounded; integer_is_small */
  int runs;            /* AMX: of up to uw results of a row, whose sums are made at a time */
  bool whole;          /* packed weights fill up whole channel blocks and vectors: AMX */
  bool sorted, words;  /* panels are; the input of a tile is widened once for all of them: see conv_sorted.c */
  bool ones;           /* behind the weights, see conv_integer.c: panels are as many vectors as they have blocks and one */
} DirectPlan;

typedef struct DepthwisePlan { int uw; } DepthwisePlan;
typedef struct GroupedPlan {
  int uw, icg, sums;   /* sums: partial ones of a pixel; icg, or half of it where a group fills the vector */
} GroupedPlan;

typedef struct RaggedPlan { int uw, groups, icg, ocg; } RaggedPlan;
typedef struct InterleavedPlan { int uw, groups, icg, ocg; } InterleavedPlan;
typedef struct NarrowPlan { int uw, nb /* outputs */, icg, ocg; } NarrowPlan;
typedef struct PixelsPlan { int nb /* vectors of pixels */, icg, ocg; } PixelsPlan;

typedef struct WinogradPlan {
  int uw, nb, icg, ocg;
  int m;               /* results of a tile in each dimension */
  int chunk;           /* input channel blocks whose weights are transformed at a time */
  int tile_rows;       /* rows of tiles treated at a time, ... */
  int group_images;    /* ... of up to so many images, see WinogradSizes */
  bool fused, apart;   /* on the fly in registers, for maps of few tiles; each thread transforms the input that it reads */
  bool stored;         /* the weights are stored transformed; else they are transformed on the fly, in chunks */
  bool integer, bounded; /* of 8-bit integers: icg counts pairs of channels; requantizes_bounded */
} WinogradPlan;

typedef struct StrassenPlan {
  LoopOrder order;     /* OC_FLAT, or rows are lines */
  int uw, nb, icg, ocg, group_pairs; /* pairs of lines treated at a time */
} StrassenPlan;

enum { INTEGER_VECTORS = 4 /* of sums, for a channel block of 8-bit elements */ };
typedef enum CentredWidth { CENTRED_BYTES, CENTRED_TWICE, CENTRED_WORDS } CentredWidth; /* see centred.c; all but BYTES have two vectors */
/* width: of the weights; wide: they have 16 bits; bounded: requantizes_bounded; nv vectors of a block are summed at a time; a pixel has so many channels, with what fills it up. */
typedef struct IntegerDepthwisePlan { int uw, nv; CentredWidth width; bool bounded; } IntegerDepthwisePlan;
typedef struct IntegerStemPlan { int uw, nb, pixel, fours /* of a row of taps */, pairs /* likewise, if it is widened; else 0 */; bool wide, bounded; } IntegerStemPlan;
/* A step takes `rows` rows of `taps` pixels; a line of such rows beside each other has so many bytes. */
typedef struct AmxStemPlan { int64_t line; int nb, rows, taps, steps, block_rows; bool bounded; } AmxStemPlan;
typedef struct IntegerNarrowPlan { int uw; bool small; } IntegerNarrowPlan; /* small: integer_is_small */
typedef struct IntegerGroupedPlan { int uw, icg, ocg; CentredWidth width; bool bounded; } IntegerGroupedPlan;

typedef struct ProductPlan { int uw /* rows */, nb /* vectors of columns */; } ProductPlan;

/* A product of matrices known at run time only, or of 8-bit integers: panels of B, nb vectors of columns wide, are put into scratch,
 * unless they are packed or `direct`. */
typedef struct PanelsPlan {
  int uw, nb;          /* rows, vectors of columns */
  bool direct;         /* B is read where it lies */
  bool zeros;          /* of integers: as s8, elements of B have zero points other than 0 */
  bool small;          /* likewise: of any two elements of a column that are multiplied as a pair the magnitudes sum to 128 at most */
  int64_t chunk;       /* tiles of rows for which a panel is made once */
} PanelsPlan;

typedef struct Algorithm Algorithm;

struct Plan {
  const Algorithm *how;
  Type weights;        /* of the packed weights' elements: the row's, or one of 16 bits that has them exactly (halves.c) */
  union {
    DirectPlan direct;
    DepthwisePlan depthwise;
    GroupedPlan grouped;
    RaggedPlan ragged;
    InterleavedPlan interleaved;
    NarrowPlan narrow;
    PixelsPlan pixels;
    WinogradPlan winograd;
    StrassenPlan strassen;
    IntegerDepthwisePlan integer_depthwise;
    IntegerStemPlan integer_stem;
    AmxStemPlan amx_stem;
    IntegerGroupedPlan integer_grouped;
    IntegerNarrowPlan integer_narrow;
    ProductPlan product;
    PanelsPlan panels;
  };
  struct {
    int64_t weights;   /* pack: offset in bytes of the packed weights, in build->weights */
    int64_t bias;      /* pack: offset of the padded bias, of integers of the steps' numbers; -1: none */
    int64_t scratch;   /* bytes each thread needs */
    int64_t shared;    /* bytes of workspace that all threads share while the node runs; 0: it has one phase only */
    Value *work;       /* plan: what threads share; NULL: nothing */
  } at;
};

/* ==== algorithms: the rows of kernels.def ==== */

enum { MAX_CANDIDATES = 16 };

/* The plans of a layer so far. */
typedef struct Plans {
  Plan plan[MAX_CANDIDATES];
  int n;
  bool only;           /* the options ask for these: no further row has plans */
} Plans;
/* plans.c */
Plan *plans_add(Plans *list); /* zeroed; what is common to an algorithm's plans is set later */
bool is_packed(const Node *n); /* is n made from packed weights? */

typedef struct ConvCost ConvCost;

struct Algorithm {
  const char *name;    /* of candidates, unless `text` says more */
  Op op;
  Type input, weights, sum;
  uint64_t features;
  /* Adds the plans that the algorithm has for n on b's target. */
  void (*plans)(const Build *b, const Node *n, Plans *list);
  /* Bytes of the weights as packed, SIZE_OVERFLOW where they are too many; that writes them, `to` being
   * zeroed; would equal weights of two nodes be packed the same? */
  int64_t (*packed)(const Target *t, const Node *n, const Plan *p);
  void (*pack)(const Target *t, const Node *n, void *to);
  bool (*alike)(const Node *a, const Node *b);
  /* Cycles of a core; NULL: of the operator's rows the first with a plan is taken. */
  double (*cost)(const ConvCost *c, const Plan *p);
  /* What follows may be NULL or false. The candidate's name, without spaces; no other of the layer has it. */
  const char *(*text)(Context *cx, const Plan *p);
  bool (*planar)(const Plan *p);        /* does it read planes? ... */
  int (*pixel)(const Plan *p);          /* ... blocks of so few channels? Else blocks */
  bool (*inside)(const Plan *p);        /* does it read planes without a border, by whatever strides? */
  int64_t (*rows)(const Node *n);       /* rows of results that it makes, so that a halo has what they read; else those of the result */
  bool (*in_rows)(const Plan *p);       /* do tasks share out the rows of the result, from the first to the last? */
  void (*follow)(const Target *t, const Node *n, const Plan *other, Plan *p); /* p of n gets weights packed as the other's, if it can */
  bool (*grows)(const Target *t, const Plan *p); /* do the packed weights take more room than the weights, for being faster? */
  bool (*much_code)(const Plan *p, bool many_shapes); /* does every shape of a layer need a lot of code of its own? */
  bool plain;          /* is its result dense, not in blocks? */
  bool halves;         /* do its kernels read weights of 16 bits, too? */
  bool rounds;         /* otherwise than a sum of products: it has differences of activations, see assumes_finite */
};

/* algorithm.c */
extern const Algorithm algorithms[];
extern const int algorithm_count;
const Algorithm *dense_algorithm(Op op);
uint64_t needed_features(const Build *b); /* the target's, but of AMX, for which a program needs permission, only what layers use */

/* What the rows name. */
#define KERNEL(name, ...) \
  void plans_##name(const Build *b, const Node *n, Plans *list); \
  int64_t packed_##name(const Target *t, const Node *n, const Plan *p); \
  void pack_##name(const Target *t, const Node *n, void *to); \
  bool alike_##name(const Node *a, const Node *b);
#define PLANNED(name, ...) void plans_##name(const Build *b, const Node *n, Plans *list);
#define DENSE(name, op)
#include "kernels.def"
#undef KERNEL
#undef PLANNED
#undef DENSE
typedef double PlanCost(const ConvCost *c, const Plan *p);
typedef const char *PlanText(Context *cx, const Plan *p);
typedef void PlanFollows(const Target *t, const Node *n, const Plan *other, Plan *p);
typedef bool PlanIs(const Plan *p), PlanNeeds(const Plan *p, bool many_shapes);
PlanCost cost_integer_winograd, cost_depthwise, cost_grouped, cost_interleaved, cost_ragged, cost_winograd, cost_strassen, cost_direct, cost_amx, cost_narrow, cost_pixels;
PlanText winograd_text, direct_text;
PlanIs depthwise_in_rows, direct_in_rows, direct_planar, direct_inside, pixels_planar;
PlanNeeds winograd_much_code, strassen_much_code, direct_much_code;
PlanFollows winograd_follow, product_follow;
int64_t winograd_rows(const Node *n);
bool winograd_grows(const Target *t, const Plan *p);
int integer_stem_pixel(const Plan *p), amx_stem_pixel(const Plan *p);

/* ==== normalize.c ==== */

/* On blocks, are statistics those of a pixel's channels? */
bool normalizes_pixels(const Node *n);
bool normalize_fits_blocks(const Target *t, const Node *n); /* if its input is blocked */
/* Statistics of maps are put together from those of chunks of so many rows and columns, or fewer at the edges. */
enum { CHUNK_PIXELS = 256 };
typedef struct MapChunks { int64_t rows, cols, down, across; } MapChunks;
MapChunks map_chunks(const Shape *s); /* of a map that is not empty */
void plan_normalize(const Target *t, Node *n); /* the memory that it needs on blocks */

/* ==== cost.c ==== */

/* The estimated milliseconds of a convolution's plan on one core. */
double plan_cost(const Target *t, const Node *n, const Plan *p);

/* ==== select.c: the algorithm and tile of every layer that kernels.def has rows for ==== */

/* One of the plans that a layer can have. */
typedef struct Candidate {
  Plan plan;
  const char *name;
  double ms, estimate; /* milliseconds of one thread: what counts, measured or estimated; as estimated */
  bool measured;
} Candidate;

/* All of them: measured ones first, the least costly first. */
typedef struct Candidates {
  const char *shape;   /* of the layer, without spaces: layers with the same have the same candidates */
  Candidate item[MAX_CANDIDATES];
  int n, chosen;
  int promising;       /* the first so many may turn out best when they are measured */
} Candidates;

/* Sets node->plan where an operator has rows, and node->candidates of convolutions from packed weights.
 * Requires fuse. */
void pass_select(Build *b);
void pass_stacks(Build *b); /* stacks.c: before it, frames of bytes count as many channels as fill blocks, where they are stacked */
bool takes_images(const Node *n, int64_t images); /* images.c: has it so many, and makes each of its results of one of them? */
void pass_images(Build *b); /* images.c: before it, the first nodes come to be run for a few images of a batch at a time, see Image */

/* ==== group.c: images of a symbolic batch by groups ==== */

/* Before all passes: b's group; NULL: it is to have none. */
Build *group_new(const Build *b);
int64_t group_images(const Build *b); /* of a group; b has one */
/* Each node of the group gets, of its plans, the least costly that reads weights as those of one image are packed. */
void plans_as_one(const Build *group);

/* ==== halves.c: weights that are stored in 16 bits ==== */

/* With -Os, plans whose kernels widen weights as they read them take the place of all others where the weights are exact in f16 or
 * bf16, as those of a model in half precision are. */
void prefer_halves(const Build *b, const Node *n, Plans *list);
/* The weights as the plan has them, from floats in the order in which the kernels read them. */
void pack_halves(const Build *b, const Node *n, void *to);

/* ==== times.c: measured times of candidates, and their file ==== */

typedef struct TunedTime { const char *shape, *candidate; double ms; bool used /* the model has such a layer */; } TunedTime;
struct Tuning { TunedTime *item; int n, cap, foreign /* times of other targets in the file */; };

/* The file's times for the target; NULL: there is no such file. Fails naming the line that is wrong. */
Tuning *tuning_read(Context *cx, const Target *target, const char *path);
void tuning_print(Context *cx, const Tuning *t, const Target *target, Buffer *out);
/* One more; of several times of a candidate the least counts. */
void tuning_add(Context *cx, Tuning *t, const char *shape, const char *candidate, double ms);
double tuning_ms(Tuning *t, const char *shape, const char *candidate); /* milliseconds of a candidate; 0: not measured */
/* A run of the whole network, of which what was measured decides, and of which estimates do. */
void tuning_add_runs(Context *cx, Tuning *t, double measured, double estimated);
bool tuning_lost(Tuning *t); /* was the network that it made no faster? Then estimates are to decide */
void tuning_warn(const Tuning *t, const char *path); /* a line on stderr if some of the file's times were not used */

/* ==== layout.c ==== */

/* Chooses Value.layout of every value and inserts Reorder nodes where a reader wants another layout; gives
 * halos. */
void pass_layout(Build *b);
Value *whole_of(Value *v); /* in whose memory v lies */

/* ==== format.c: what is asked of layouts, and of what stands beside blocks ==== */

/* The format of a type: how many channels a block has, as many as a vector has elements. */
int channel_block(const Target *t, Type type);
/* The dense row-major layout of a shape. */
Layout layout_plain(const Shape *s);
bool layout_equal(const Layout *a, const Layout *b);
bool layout_has_halo(const Layout *l);
bool layout_is_plain(const Value *v); /* elements are dense in row-major order from the storage's start */
/* How a step's argument is addressed beside a blocked result. */
typedef enum ArgClass {
  ARG_NONE,
  ARG_SCALAR,  /* one element */
  ARG_CHANNEL, /* one value a channel: a constant (padded to whole blocks by pack), or a tensor [N,C,1,1] */
  ARG_TENSOR,  /* the result's own shape, blocked */
  ARG_PIXEL,   /* one integer a pixel, for all channels: [N,1,H,W], dense */
  ARG_TABLE,   /* of a Lookup */
  ARG_OTHER,   /* none of these: the chain can't run on blocks */
} ArgClass;
ArgClass step_arg_class(const Node *n, const Step *s);

/* ==== pack.c ==== */

/* Builds build->weights: packed convolution weights in the order of their consumption, then the other
 * constants; sets Value.place and .offset of constants and the offsets of plans. */
void pass_pack(Build *b);
int64_t packed_bytes(const Build *b, const Node *n); /* of a node's packed weights; 0: it has none */
bool packed_alike(const Node *a, const Node *b); /* would these nodes read equal weights in the same order? */
/* panel.c: what so many columns of weights (channels of results) take in a row: whole vectors, unless that is
 * more by a quarter than there are; then the last vector of a row has no padding, and reading it whole runs
 * on into the next row. */
int64_t packed_columns(int64_t columns, int lanes);
/* So many rows of weights with `columns` each, one vector or a part of it after the other; where the last
 * part of a row is no vector, what is read behind the last one is part of it. In bytes. */
int64_t packed_rows_bytes(int64_t rows, int64_t columns, int lanes);
/* Columns of the block that begins at channel `first`, as packed. */
int64_t packed_block(int64_t first, int64_t channels, int64_t lanes);
/* Where the channels [c, end) leave the block of the first one, or end. */
int64_t next_block(int64_t c, int64_t end, int64_t lanes);
/* product.c: constant B [K,N], or [K], of a Gemm or MatMul as column panels of lanes*nb, K rows each,
 * zero-padded, then the narrow columns one by one, K elements each. */
/* How many columns are narrow: the last ones, where vectors of columns would be mostly padding. Their
 * products are sums along K, which has to be the dense axis of A; where it is not, the panels have the last
 * columns without padding (packed_columns). */
int64_t narrow_columns(const Target *t, const Node *n);

/* Rows and column vectors whose accumulators, with a vector of B for each column and one of A, fit the registers. */
void product_tile(const Target *t, int64_t rows, int64_t vectors, int *uw, int *nb);

/* product_integer.c: MatMulInteger. All matrices of A are one where they have one matrix B and no list of zero points. */
typedef struct IntegerProduct { Products p; Matrices za, zb; /* as zeros_of */ } IntegerProduct;
IntegerProduct integer_product(const Node *n);
/* Factors are u8 by s8: an s8 of A counts as u8 of 128 more, a u8 of B as s8 of 128 less, with their zero points. A panel of
 * so many columns, whole vectors, is
 *     [column] i32    what the zero point of A counts: K times that of B, less all weights
 *     [column] i32    the zero point of B, if the plan says `zeros`
 *     [k/4][column][4]  s8, zeros behind the last k */
int64_t integers_panel_bytes(const PanelsPlan *p, int64_t inner, int64_t columns);
int64_t integers_head_bytes(const PanelsPlan *p, int64_t columns); /* before the elements */

/* Fewer elements are done before another thread has woken up: elementwise layers are serial then. */
enum { SERIAL_ELEMENTS = 1 << 14 };

/* ==== strips.c ==== */

int layers_before(const Build *b, int node); /* plan.c: of b->layer, so many, the first ones, are of nodes before that one */
enum { MOST_STRIPS = 1 << 10 };
/* Finds the layers that run in strips, where their nodes have their order and layouts. */
void find_strips(Build *b);
const Strips *strips_of(const Build *b, int node); /* those with that node; NULL: none */
int strips_tasks(const Strips *s); /* of all its nodes */
StripTask *strips_order(const Build *b, const Strips *s); /* these in the order in which one thread does them */

/* ==== plan.c ==== */

enum { WORK_ALIGN = 4096 }; /* of scratch, and of what threads share while a node runs, relative to the workspace: a page */
/* Lifetimes, aliases and offsets: Value.place, .offset, and build->n_once to .scratch_size, for which it sorts the nodes. */
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

/* ==== note.c: what an object says of itself, in an ELF note ==== */

#define NOTE_OWNER "resnetcc"
enum { NOTE_TYPE = 1, NOTE_MAX = 4096 };
/* One object of JSON, of at most NOTE_MAX bytes: the compiler, the model's hash, the target and the features it needs, options
 * that change the code, inputs and outputs, sizes. No path, time or machine. */
void note_print(const Build *b, Buffer *out);

/* ==== weights.c: weights that are the model's last input: a file, or memory, of this head and build->weights ==== */

/* Offsets in the head, which is little endian: the format's version, the size of all, the SHA-256 of the data. */
enum { WEIGHTS_VERSION = 4, WEIGHTS_SIZE = 8, WEIGHTS_ID = 16 };
bool weights_are_input(const Build *b);
int64_t weights_input_size(const Build *b); /* bytes, with the head */
void weights_make_head(Build *b);
void *weights_joined(const Build *b); /* the whole input */
#endif
