/* graph.h: the graph: types first, then what builds, reads and prints it. */
#ifndef GRAPH_H
#define GRAPH_H

#include "base.h"

enum { MAX_RANK = 12, MAX_STEPS = 32 /* of one epilogue */ };

typedef struct Graph Graph;
typedef struct Node Node;
typedef struct Value Value;
typedef struct Use Use;

/* ---- shapes ----
 * A dimension is a number >= 0, or, until the pass `batch` has run, -k for k times the batch symbol. */

typedef struct Shape {
  int rank;
  int64_t d[MAX_RANK];
} Shape;

/* A tensor read in another order: element (i0, i1, ...) is number at + sum(ik stride[k]) of its row-major elements. */
typedef struct View {
  Shape shape;
  int64_t at, stride[MAX_RANK];
} View;

/* ---- operators: one row each in ops.def, which says all that is asked of an operator as such ----
 * The columns that must be given have enumerators that are not 0; tests/graph/ops_test.c sees to it. Of the others, 0 is the answer
 * that is always right, if not fast. */

typedef enum Op {
  OP_NONE,
#define OP(name, infer, eval, emit, ...) OP_##name,
#include "ops.def"
#undef OP
  OP_COUNT
} Op;

typedef enum Family { /* how an operator is treated where only its family matters */
  FAMILY_IMPORT = 1,   /* import makes others of it: it is in no graph */
  FAMILY_CONV,         /* windows of weights: Conv, ConvTranspose, ConvInteger */
  FAMILY_PRODUCT,      /* of matrices */
  FAMILY_POOL,         /* windows, or the whole map, to one number */
  FAMILY_NORM,         /* y = a[c] x + b[c] by channel */
  FAMILY_NORMALIZE,    /* by statistics of the elements themselves along axes: becomes Normalize */
  FAMILY_POINTWISE,    /* resnetcc's own: nothing but an epilogue */
  FAMILY_UNARY,        /* y[i] = f(x[i]) */
  FAMILY_BINARY,       /* y[i] = f(a[i], b[i]) with broadcasting */
  FAMILY_CHOICE,       /* y[i] = c[i] ? a[i] : b[i] with broadcasting */
  FAMILY_SCALE,        /* y[i] = f(x[i]) with parameters along an axis */
  FAMILY_REDUCE,       /* sums, maxima, softmax, argmax along axes */
  FAMILY_RESIZE,       /* an element is a weighted sum of a few that lie around its place */
  FAMILY_MOVE,         /* elements change place only */
  FAMILY_FILL,         /* elements follow from their places and a few numbers */
  FAMILY_VIEW,         /* the same elements in the same order under another shape */
  FAMILY_SHAPE,        /* known once shapes are: folds away */
  FAMILY_STEP,         /* a step of an epilogue alone, with an argument */
  FAMILY_COMPOSED,     /* made up of others, which take its place in the pass shape: ops/compose.c */
  FAMILY_COUNT
} Family;

typedef enum Batching { /* how it treats a symbolic batch, beside what inference refuses: to cut, reduce or sum along that axis */
  BATCH_EACH = 1,      /* every image by itself */
  BATCH_NOT_ALONG,     /* unless it works along the batch axis */
  BATCH_NOT_JOINED,    /* unless it joins batches, one behind the other */
  BATCH_NOT_NUMBERED,  /* unless its second result, which numbers the elements of all images, is used */
} Batching;

typedef enum Sign { /* of its first result's elements, on f32 */
  SIGN_ANY,
  SIGN_KEPT,           /* never negative where its first input never is */
  SIGN_NONE,           /* never negative */
} Sign;

typedef enum Same { /* when its first result is its first input (or the operand that is not neutral) */
  SAME_NEVER,
  SAME_ALWAYS, SAME_IF_TYPE, SAME_IF_SHAPE, SAME_IF_ORDER,
  SAME_IF_ONE_INPUT, SAME_IF_ONE_RESULT, SAME_IF_WHOLE, SAME_IF_NO_PADDING,
  SAME_PLUS_ZERO, SAME_MINUS_ZERO, SAME_TIMES_ONE, SAME_OVER_ONE,
  SAME_COUNT
} Same;

typedef enum Stepping { /* may it be a step of an epilogue, on its first operand, or the second? */
  STEP_NEVER,
  STEP_FIRST,          /* on the first alone */
  STEP_EITHER,         /* on either: it commutes */
  STEP_SWAPPED,        /* on either, swapped on the second */
} Stepping;

typedef enum Epilogue { /* does it take steps? */
  EPILOGUE_NONE,
  EPILOGUE_AFTER,      /* but their arguments may still be read when the first results have been written */
  EPILOGUE_IN_PLACE,   /* and the result may lie where an argument does: each element is read before it is written */
} Epilogue;

typedef enum Permuting { /* op(T(x)) = T(op'(x)) for a transposition T? */
  PERMUTE_NO,
  PERMUTE_FIRST,       /* with one operand: what else it reads has no axes */
  PERMUTE_ALL,         /* with all its inputs */
  PERMUTE_ARGUMENTS,   /* with the first, if the axes that its arguments name are permuted too: rewrite/moves.c knows how */
} Permuting;

typedef enum Blocks { /* does it work on channels in blocks? */
  BLOCKS_NO,
  BLOCKS_IF_PLANNED,   /* if its plan says so */
  BLOCKS_IMAGES,       /* on images that lie so */
  BLOCKS_JOINED,       /* on whole blocks beside each other, without code */
  BLOCKS_INTERLEAVED,  /* on blocks that are every so many of the result's, without code but for the border */
  BLOCKS_STACKED,      /* on whole blocks of images that lie behind each other, without code */
  BLOCKS_MOVED,        /* on images of which the places of a square hold whole blocks */
  BLOCKS_MADE,         /* the same; or it makes them of a dense image of few channels */
  BLOCKS_CUT,          /* on images of which it cuts rows and pixels, or adds some */
} Blocks;

typedef struct OpInfo {
  const char *name, *domain;
  const char *called;    /* by models of its domain; NULL: as here */
  const char *also;      /* another domain that has an operator of that name and meaning; NULL: none */
  int since, until;      /* versions of its domain's operator set in which import accepts it; until 0: newest */
  int min_in, max_in, min_out, max_out; /* -1: any number; arguments of steps come behind max_in */
  unsigned types;        /* of input 0: a bit for each Type */
  Family family;
  Batching batch;
  /* These may be left out. */
  struct Parameter {     /* of an attribute: the default of OpParams.alpha or .beta */
    const char *attr;
    float otherwise;
  } alpha, beta;
  unsigned arguments;    /* a bit for each input that is no data but says how: shapes, axes, bounds, known at compile time as a rule */
  unsigned sizes;        /* those of them that may be multiples of the batch */
  bool by_shape;         /* its results follow from the shape of its input, whose elements it does not read */
  Sign sign;
  Same same;
  Stepping step;
  Epilogue epilogue;
  Permuting permute;
  Blocks blocks;
} OpInfo;
extern const OpInfo op_info[OP_COUNT];
bool op_is_elementwise(Op op); /* unary or binary */
bool op_is_step(Op op);        /* can it be one, of an epilogue? */
bool op_takes_argument(Op op); /* as a step */

/* ---- attributes, as the model gives them; a table of (name, value) ---- */

typedef enum AttrKind { A_INT, A_FLOAT, A_INTS, A_FLOATS, A_STRING, A_TENSOR } AttrKind;
typedef struct Attr {
  const char *name;
  AttrKind kind;
  int n;                 /* elements of ints and floats */
  int64_t i;
  float f;
  const int64_t *ints;
  const float *floats;
  const char *s;
  Value *tensor;         /* a constant */
} Attr;

/* ---- where a tensor's elements lie ----
 * block 0: the dense row-major order of the shape, except that the rows of a rank-4 tensor may have a halo
 * (a stem's input). block V: channels in blocks of V, [N][H][C/V][W][V] or [N][C/V][H][W][V], by the strides alone.
 * Strides and sizes count elements; the halo is the border that readers with padding rely on. The lanes
 * past C in the last block hold anything, NaN as well: what is computed of them stays in such lanes. `origin` is the offset of pixel (0,0) of channel 0. */

typedef struct Layout {
  int block;
  int64_t top, left, bottom, right;
  int64_t front, back;     /* a volume's halo: images of zeros before and behind */
  int64_t n, c, row, pix; /* strides: image, channel block (channel where block is 0), row, pixel */
  int64_t origin, size;
  uint64_t fill;           /* what the halo holds: the bits of an element, of 0 or of a quantised tensor's zero point */
} Layout;

typedef enum Place {
  P_NONE, P_INPUT, P_OUTPUT, P_WORK, P_CONST,
  P_ONCE, /* the first part of the workspace, which all images share that run one after the other */
  P_IMAGE, /* there, where the images are that the run is at: the input of an Images */
} Place;

/* ---- values and nodes ---- */

struct Value {
  const char *name;
  int id;                /* index in graph->values, renumbered by graph_compact */
  Type type;
  Shape shape;
  Node *def;             /* who computes it; NULL: input or constant */
  int n_uses;            /* readers (epilogue arguments and graph outputs included); kept by graph_count_uses */
  Use *use;              /* who reads it: uses.c */
  bool is_input, is_output;
  int output;            /* of an output: its number */
  const void *data;      /* a constant's elements, dense row-major; NULL: not a constant */
  const bool *sym;       /* of an integer constant: which elements are multiples of the batch symbol; NULL: none */
  bool batched;          /* from the pass batch on: every image of a symbolic batch has its own; of a number of images, every run between
                            Image and Images has */

  Layout layout;         /* from the pass layout on */
  Place place;           /* from the pass plan on */
  int64_t offset;        /* bytes, in the workspace or the weights; the index of an input or output */
  Value *alias;          /* shares the storage of that value (views, in-place results, concatenated parts) */
  int64_t alias_offset;  /* bytes into it */
};

/* A step of an epilogue: acc = op(acc, arg), or op(arg, acc) where `swap`. The argument broadcasts against the
 * node's result by ONNX's rules; that of Lookup is a table. */
typedef struct Step {
  Op op;                 /* an elementwise operator, or one to or from quantised integers */
  Type type;             /* of acc after it; T_NONE: as before it */
  int arg;               /* index into node->in, -1: none */
  bool swap;
  float a, b, c, d, e;   /* parameters: LeakyRelu a=alpha; Clip a=min b=max; HardSigmoid a=alpha b=beta; Requantize a=zero point;
                            QLinearAdd, QLinearMul as in ops/quant.c;
                            QuantizeLinear, DequantizeLinear, AddDequantized a=scale b=zero point */
} Step;

/* Sizes of a convolution or pooling window over H and W; one-dimensional operators have height 1. Pools also work on
 * D,H,W; depth is 1 elsewhere. */
typedef struct Window {
  int64_t kh, kw, sh, sw, dh, dw;        /* kernel, stride, dilation */
  int64_t top, left, bottom, right;      /* padding */
  int64_t kd, sd, dd, front, back;       /* the same along D */
  uint64_t fill;                         /* what a convolution or Unfold reads there, as the bits of an element: 0, or a zero point */
} Window;

/* What becomes of an element where another is scattered to it. */
typedef enum Combine { COMBINE_NONE, COMBINE_ADD, COMBINE_MUL, COMBINE_MIN, COMBINE_MAX } Combine;

/* What a normalisation divides by, of the elements along its axes, less their mean where that is taken off. */
typedef enum Divisor {
  DIVISOR_VARIANCE,     /* sqrt(mean(x x) + epsilon) */
  DIVISOR_DEVIATION,    /* sqrt(mean(x x)) + epsilon */
  DIVISOR_L1, DIVISOR_L2 /* sum(|x|), sqrt(sum(x x)) */
} Divisor;

typedef enum PadMode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } PadMode;

/* Resize: how a place between elements is read, and which place of the input is meant by an index of the result. */
typedef enum Interpolation { INTERPOLATE_NEAREST, INTERPOLATE_LINEAR, INTERPOLATE_CUBIC } Interpolation;
typedef enum Coordinates {
  COORDINATES_HALF_PIXEL, COORDINATES_HALF_PIXEL_SYMMETRIC, COORDINATES_PYTORCH_HALF_PIXEL, COORDINATES_ALIGN_CORNERS,
  COORDINATES_ASYMMETRIC, COORDINATES_TF_HALF_PIXEL_FOR_NN, COORDINATES_TF_CROP_AND_RESIZE
} Coordinates;
typedef enum Nearest { NEAREST_PREFER_FLOOR, NEAREST_PREFER_CEIL, NEAREST_FLOOR, NEAREST_CEIL, NEAREST_BY_SCALE } Nearest;
typedef enum AspectRatio { ASPECT_STRETCH, ASPECT_NOT_LARGER, ASPECT_NOT_SMALLER } AspectRatio;

/* What an operator's attributes come to, with their defaults; what it has none of is 0. infer_node fills it, Node.win and Node.group
 * from zeros, and nobody else reads attributes or writes these: a pass that changes a parameter sets the attribute and infers the
 * node again, which verify checks. So nodes of one operator that do the same with the same inputs have the same bytes here. */
typedef struct OpParams {
  int64_t perm[MAX_RANK]; /* Transpose: axis k of the result is axis perm[k] of the input; Product: of what it computes; Resize: axis k
                             is number perm[k] of those that the arguments speak of, -1: none */
  View a, b;             /* Product: its matrices, of inputs 0 and 1 */
  uint64_t fill;         /* ConstantOfShape: the element, in the first bytes */
  float alpha, beta;     /* LeakyRelu, HardSigmoid, Gemm, ...; Resize: the cubic's coefficient, what lies outside */
  float epsilon;         /* of normalisations */
  int axis;              /* counted from the front, of operators along one; Shape: where it begins; QuantizeLinear, DequantizeLinear:
                            that of a list of scales; ReverseSequence: time; Compress: -1 for all in a row; GatherND: how many are batches */
  unsigned axes;         /* reductions: a bit for each axis that goes; normalisations: for each that statistics are taken along */
  int64_t depth;         /* Unfold, pools over frames: images of a volume; other pools: 0 */
  int block;             /* SpaceToDepth, DepthToSpace; QuantizeLinear, DequantizeLinear: elements of one scale along the axis, 0: all */
  bool by_channel;       /* these: a channel's places lie beside each other, not a place's channels */
  PadMode mode;          /* Pad */
  Combine combine;       /* ScatterElements, ScatterND */
  int64_t diagonal;      /* EyeLike: the column of the first row's 1 */
  Type to;               /* Cast, ConstantOfShape, EyeLike */
  bool keepdims;         /* reductions, ArgMax, ArgMin */
  bool noop;             /* reductions: without axes none goes */
  bool last;             /* ArgMax, ArgMin: the last of equals */
  bool exclusive, reverse; /* CumSum */
  bool smallest;         /* TopK */
  int power;             /* LpPool, GlobalLpPool */
  bool trans_a, trans_b; /* Gemm */
  bool ceil, count_pad;  /* pools: windows cut off at the end count; the mean counts the padding */
  bool by_column;        /* MaxPool: its indices do */
  struct Resizing {      /* Resize */
    Interpolation interpolation;
    Coordinates coordinates;
    Nearest nearest;
    AspectRatio aspect;
    bool antialias, exclude_outside;
  } resize;
  struct Resampling {    /* Resample: along which one or two axes */
    int axes;
    int axis[2];
    int64_t repeat[2];   /* each element so many times; 0: by a table */
    bool outside;        /* a table has places outside */
  } resample;
  bool upper;            /* Trilu: the triangle that is kept */
  Divisor divisor;       /* normalisations */
  bool centered;         /* these: the mean is taken off first */
  float bias;            /* LRN */
  int64_t size;          /* LRN: channels that a sum is over; Unfold: of a frame in the result */
} OpParams;

typedef struct Plan Plan; /* select.c's choice; the struct is in lower.h */

struct Node {
  Op op;
  const char *name;      /* as in the model; never NULL */
  Value **in;            /* NULL: an optional input left out */
  Value **out;           /* NULL: an unused output */
  int n_in, n_out;
  Attr *attr;
  int n_attr;
  Step *step;            /* the epilogue */
  int n_step;
  OpParams p;
  Window win;            /* of convolutions and pools; of Interleave the strides alone,
                            of Unfold what is along D, where `front` may be negative */
  int group;             /* of convolutions; normalisations along axis 1: as many sets of channels have statistics of their own */
  Plan *plan;            /* of operators whose code is `planned`: filled by select */
  struct Candidates *candidates; /* Conv: what select chose from */
  bool dead;             /* removed; graph_compact drops it */
  int at;                /* its number in graph->node */
};

/* --input=[NAME=]word,... or --output, which change the interface: import/frame.c and result.c. */
typedef struct WordsOption {
  const char *option, *text;
} WordsOption;

/* What passes may read. What only the tools need is in tools.h. */
typedef struct Options {
  const char *input, *name;              /* the model's file; its prefix */
  Buffer model;                          /* the model, where it is not what the file holds: of size 0, it is */
  const char *cpu, *attr, *triple;       /* -mcpu, -mattr, --target; NULL: the host */
  enum { EMIT_OBJ, EMIT_ASM, EMIT_LLVM, EMIT_GRAPH, EMIT_SHARED, EMIT_AUTO /* as the output's ending says */ } emit;
  bool strict, flush_denormals, small;
  bool debug;                            /* -g: line tables that tell the node of every instruction */
  bool verify;                           /* the graph is checked after each pass */
  enum { WINOGRAD_AUTO, WINOGRAD_OFF, WINOGRAD_2, WINOGRAD_4 } winograd;
  enum { STRASSEN_AUTO, STRASSEN_OFF, STRASSEN_ON } strassen;
  enum { WEIGHTS_EMBED, WEIGHTS_FILE, WEIGHTS_EXTERN } weights; /* in the object, or its last input */
  const char *weights_section;           /* of the object; NULL: .rodata.rcc_weights */
  bool unshared;                         /* for tests: every layer and kernel is a function of its own */
  bool many_shapes;                      /* for tests: as for a graph that has many, see Build */
  int image_nodes;                       /* for tests: so many nodes, the first ones, or fewer, are run for a few images ... */
  int64_t images_together;               /* ... at a time, for so many; 0 nodes: as estimates say */
  enum { NCHWC_AUTO, NCHWC_8, NCHWC_16 } nchwc_block; /* channels of a block where ONNX Runtime's optimizer made such */
  int64_t max_memory;                    /* bytes */
  int n_shape;
  struct ShapePin { const char *input; Shape shape; } *shape; /* --shape NAME=1,3,224,224 */
  int n_words;
  WordsOption *words;
  const char *labels;                    /* --labels: a file with the classes' names; NULL: none */
  int64_t batch;                         /* --batch: what a symbolic batch becomes; 0: it stays symbolic */
} Options;
const char *input_name(const Options *opt); /* the model's file, for people: "-" is standard input */

/* An operator of a quantised network that is computed in fp32 all the same. */
typedef struct FloatNode {
  const char *node;
  Op op;
  const char *reason;
} FloatNode;

struct Graph {
  Context *cx;
  const Options *opt;
  const char *name;
  int opset;             /* of the default domain */
  bool symbolic;         /* the batch is symbolic: dims -k; the pass batch puts 1 for the symbol and keeps this */
  int64_t nchwc_block;   /* for blocks.c: what the model shows; 0: not known */
  Node **node;           /* in an order in which every value is defined before its use */
  int n_node, cap_node;
  bool walking;          /* between walk_begin and the end of the walk; what follows is for graph.c and uses.c */
  int walk_next, walk_end;
  Use *free_use;
  int n_free_use;
  struct Folded {         /* for fold.c: what has been evaluated so far */
    bool measured;
    int64_t model_bytes;   /* of the constants that the model has */
    int64_t work, bytes, grown;
  } folded;
  Value **value;
  int n_value, cap_value;
  Value **input, **output;
  int n_input, n_output;
  Shape *input_shape, *output_shape;     /* as the interface shows them, -1 for the batch: kept by the pass batch */
  const char **label;    /* --labels: the classes' names, UTF-8 */
  int n_label;
  Map node_number;       /* import, with -g: by its name, where a node stands in the model's file, an int from 1 on */
  FloatNode *in_fp32;    /* the pass quant: of a quantised network */
  int n_in_fp32;
  const uint8_t *sha256, *external_sha256; /* import_hashes: of the model's file, and of those below, one behind the other; NULL: none */
  const char **external; /* import: the files that hold data of the model */
  int n_external;
};

/* ==== shape.c ==== */

bool shape_equal(const Shape *a, const Shape *b);
int64_t shape_count(const Shape *s);             /* product, INT64_MAX on overflow; with a symbol, the count of one image */
bool shape_is_symbolic(const Shape *s);
Shape shape_of(int rank, ...);                   /* int64_t each */
char *shape_text(Context *cx, const Shape *s);   /* "[N,3,224,224]" */

/* The product of the dimensions that are not 0, k standing for k times the batch: shape inference keeps it within the memory
 * limit, and MOST_MEMORY, for every value, so strides and products of a few sizes fit in 64 bits even where a tensor is empty. */
int64_t shape_extent(const Shape *s);

/* ==== graph.c: construction and navigation ==== */

/* Ends the compilation with "FILE: node "NAME" (Op): reason". Never returns. */
_Noreturn void fail_at(Graph *g, const Node *n, const char *fmt, ...) PRINTF(3, 4);
Graph *graph_new(Context *cx, const Options *opt);
Value *value_new(Graph *g, const char *name, Type type, Shape shape);
Value *value_const(Graph *g, const char *name, Type type, Shape shape, const void *data); /* data is not copied */
Value *value_const_i64(Graph *g, const char *name, int n, const int64_t *v);              /* rank 1, copied */
Value *value_const_f32(Graph *g, const char *name, Shape shape);                          /* zeroed; fill through f32_of */
Value *value_const_number(Graph *g, const char *name, Type type, Number x);               /* a scalar */
float *f32_of(Value *v);                         /* a constant's elements, to be written by its maker */
/* Appended to the node list; inputs are copied; out has n_out fresh slots set to NULL. */
Node *node_new(Graph *g, Op op, const char *name, int n_in, Value *const *in, int n_out);
/* The same, placed before node number `at`, which takes time for every node behind it: a pass makes nodes in a walk. */
Node *node_insert(Graph *g, int at, Op op, const char *name, int n_in, Value *const *in, int n_out);
/* A walk meets every node in order; walk_next gives the current one, NULL at the end. Until then g->node has the nodes that it
 * has met, the current one last. walk_before places a node before it, which is not met, walk_after one that is met next, and
 * node_new one behind all. A walk that is left early leaves no graph. */
void walk_begin(Graph *g);
Node *walk_next(Graph *g);
Node *walk_before(Graph *g, Op op, const char *name, int n_in, Value *const *in, int n_out);
Node *walk_after(Graph *g, Op op, const char *name, int n_in, Value *const *in, int n_out);
void node_swap(Graph *g, int i, int k); /* the places of nodes number i and k */
void node_add_input(Graph *g, Node *n, Value *v);
void node_add_step(Graph *g, Node *n, Step s);
/* The same with that argument, which comes behind the inputs that n's operator may have and those of other steps; NULL: without. */
void node_add_step_with(Graph *g, Node *n, Step s, Value *arg);
bool is_argument(const Node *n, int i); /* does input i say how, see OpInfo.arguments? */
bool node_is_batched(const Node *n);    /* are its results, see Value.batched? All are or none is */
void node_mark_batched(Node *n);        /* they are if an input is; infer_node does it */
/* Drops dead nodes, values that nobody reads or defines; renumbers value ids. */
void graph_compact(Graph *g);
int node_index(const Graph *g, const Node *n); /* during a walk, of a node that it has met */
const char *op_called(const OpInfo *op); /* the operator's name in models */
Op op_find(const char *domain, const char *name); /* NULL: in any domain, names being unique; OP_NONE: unknown */

/* ==== copy.c ==== */

/* A graph in cx that can be changed without the other, which must have no plans or layouts yet. Names and the elements of
 * constants are not copied: the memory of g has to last as long. */
Graph *graph_copy(Context *cx, const Graph *g);

/* ==== attr.c ==== */

const Attr *attr_find(const Node *n, const char *name);
/* The kind of value that an operator's attribute must have; false: it is not known. */
bool attr_expected(Op op, const char *name, AttrKind *kind);
const char *attr_kind_name(AttrKind kind); /* "an integer" */
int64_t attr_int(const Node *n, const char *name, int64_t otherwise);
float attr_float(const Node *n, const char *name, float otherwise);
const char *attr_string(const Node *n, const char *name, const char *otherwise);
void attr_set_int(Graph *g, Node *n, const char *name, int64_t v);
void attr_set_float(Graph *g, Node *n, const char *name, float v);
void attr_set_ints(Graph *g, Node *n, const char *name, int count, const int64_t *v);
void attr_set_string(Graph *g, Node *n, const char *name, const char *s); /* s is not copied */
void attr_remove(Node *n, const char *name);
void attr_copy(Graph *g, Node *to, const Node *from); /* all of them, in place of its own */

/* ==== constant.c: a value's elements ==== */

size_t value_bytes(const Value *v); /* in dense row-major order */
/* Elements of an integer constant (i32 or i64, rank <= 1); false: v is no such constant. */
bool const_ints(const Value *v, int max, int64_t *out, int *count);
/* The one element of a constant float of any rank with one element. */
bool const_scalar(const Value *v, float *out);
bool const_is_finite(const Value *v); /* a constant's floats, all of them */
bool const_is_zero(const Value *v);   /* a constant of integers, all of them 0 */

/* ==== uses.c: readers ==== */

/* An input of a node is set by these alone. */
void node_set_input(Graph *g, Node *n, int i, Value *v);
void node_set_inputs(Graph *g, Node *n, int n_in, Value *const *in); /* all of them, in a new array */
Node *only_reader(Value *v);             /* the single node that reads v once, if v is no graph output */
/* The readers in turn, once for every input that is v; *at is NULL at first. NULL: no more. */
Node *next_reader(Value *v, Use **at);
void readers_move(Value *old, Value *with); /* they read `with`; graph outputs stay */
void graph_count_uses(Graph *g);
/* For verify: a node with an input that is not among its value's uses; NULL: there is none. */
const Node *find_unlisted(const Graph *g);

/* ==== replace.c ==== */

/* v becomes output number i of the graph; what was that is no output any more. */
void output_set(Graph *g, int i, Value *v);
/* Those of n values that are no inputs and no outputs yet become the last outputs. */
void outputs_add(Graph *g, Value *const *v, int n);
/* Every reader of `old` (graph outputs too: the new value takes the output's place and name, through an appended
 * Identity node where it is an input, a constant or an output already) reads `with`. */
void graph_replace(Graph *g, Value *old, Value *with);

/* ==== parse.c, print.c: the graph as text, for -d, --emit=graph and the tests ====
 *   graph tiny
 *   input x f32 [N,3,8,8]
 *   const w f32 [16,3,3,3] = random 7 -0.5 0.5      (also: = splat 0.5, = {1, 2, 3}; --dumps print "= ..." for large ones)
 *   y = Conv(x, w, _) pads=[1,1,1,1] strides=[1,1] mode="x" alpha=0.5
 *   z = Pointwise(y, x) | Add(@1) | Relu | Clip(0, 6)   (an epilogue: @k is input k, numbers are a to e; ~ before an operator swaps)
 *   q = Pointwise(z) | Cast i32       (a type behind a step: what it changes the result to)
 *   a, b = Split(z) axis=1
 *   output z */
bool is_word_char(char c); /* of a name that needs no quotes */
void text_print(Graph *g, Buffer *out);
Graph *text_parse(Context *cx, const Options *opt, const char *text);
#endif
