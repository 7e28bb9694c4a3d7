/* emit.h: shared by the files that generate code (emit*.c, object.c); the only header with LLVM types.
 *
 * Every node becomes a layer function
 *     void layer(Frame *frame, i32 task, i32 worker)
 * that does task `task` of frame->tasks of the node's work. emit.c makes the function, sets up the Emit and calls the
 * operator's emitter, which splits its items with `task_range`, or lets only task 0 work (`only_task_zero`). */
#ifndef EMIT_H
#define EMIT_H

#include "codegen.h"
#include <llvm-c/Core.h>

typedef LLVMValueRef Ref;

typedef struct Emit {
  Graph *g;
  const Target *t;
  LLVMContextRef c;
  LLVMModuleRef m;
  LLVMBuilderRef b;
  LLVMTypeRef void_, i1, i8, i16, i32, i64, f32, f64, ptr;
  LLVMTypeRef vec;       /* <lanes x float> */
  int lanes;             /* t->lanes */
  Ref weights;           /* the global with graph->weights */
  Ref fn;                /* the function being built */
  Ref frame, task, worker; /* its arguments, inside a layer function */
  bool serial;           /* only_task_zero was called for this layer */
  const Node *node;      /* whose layer function is built: the graph's own, or if `bound` ... */
  bool bound;            /* ... one that stands for all of the same key, whose values' places come from a table */
  Map shared;            /* emit_layer.c: functions that layers share, so far */
  int n_kernels;         /* so far */
  Buffer key;            /* of the layer being made; here, so that a failure leaves nothing of it behind */
  int phase;             /* of an operator that needs a barrier inside: a layer function each */
  int64_t instructions;  /* of the functions made so far */
  const Node *too_large; /* its code goes beyond what is allowed, see emit_layers; NULL: none does */
} Emit;

/* ==== emit.c: layers ==== */
void emit_module(Emit *e); /* all layers, net_run, net_model; with e->too_large, only a part of them */
/* Pointer to the first element of a value's storage (inputs and outputs: the caller's memory, aligned to its element
 * only), or to pixel (0,0) of channel 0 where the layout has a halo. Inside a layer function. */
Ref value_ptr(Emit *e, const Value *v);
Ref weights_ptr(Emit *e, int64_t offset);
Ref scratch_ptr(Emit *e);  /* this worker's scratch */
/* [lo, hi) of `total` items for this task, as i64. */
void task_range(Emit *e, int64_t total, Ref *lo, Ref *hi);
/* Declares the layer serial: it is called once, as task 0 of 1. Excludes task_range. */
void only_task_zero(Emit *e);
/* An internal function of that key, made once a module: returns true if it must be built now (builder at its entry,
 * e->fn set; *saved keeps the caller's place), false if it exists. Layers of one shape so share one kernel. */
typedef struct Resume { LLVMBasicBlockRef block; Ref fn, frame, task, worker; } Resume;
bool kernel_begin(Emit *e, const char *key, LLVMTypeRef type, Ref *fn, Resume *saved);
void kernel_end(Emit *e, Resume *saved); /* adds `ret void`, counts, and returns to the caller's place */
void count_instructions(Emit *e, Ref fn); /* of a finished function */
Ref call(Emit *e, Ref fn, LLVMTypeRef type, int n, Ref *args);
/* Calls the kernel of that key, whose arguments are n pointers and integers (NULL: a pointer that it does not use), and lets
 * `build` make its code where no layer has needed it yet. */
enum { MAX_KERNEL_ARGS = 9 + MAX_STEPS };
void call_kernel(Emit *e, const char *key, int n, Ref *args, void (*build)(const void *data), const void *data);
/* Zeroes the halo of a blocked or planar value, each task that of its share of the rows. Where a layer may be serial, to be
 * called when that is known. */
void emit_halo(Emit *e, const Value *v);
/* Attributes of a function that computes: full vector width, no unwinding. */
void compute_attributes(Emit *e, Ref fn);
void add_attribute(Emit *e, Ref fn, const char *name, const char *value); /* value NULL: an enum attribute */

/* ==== emit_util.c: small words of the builder ==== */
Ref const_i64(Emit *e, int64_t v);
Ref const_i32(Emit *e, int32_t v);
Ref const_f32(Emit *e, double v);
Ref splat_const(Emit *e, double v);           /* <lanes x float> */
Ref splat(Emit *e, Ref scalar, int lanes);    /* insertelement + shufflevector: one vbroadcastss when loaded */
LLVMTypeRef llvm_type(Emit *e, Type t);       /* bool is i8 in memory */
LLVMTypeRef vec_of(LLVMTypeRef elem, int lanes); /* elem itself for lanes 1 */
Ref gep(Emit *e, Ref p, Ref index, int64_t elem_size);       /* p + index * elem_size bytes */
Ref gep_const(Emit *e, Ref p, int64_t bytes);
Ref load(Emit *e, LLVMTypeRef t, Ref p, int64_t bytes, int align);  /* at p + bytes */
void store(Emit *e, Ref v, Ref p, int64_t bytes, int align);
/* The first n lanes only (n <= lanes): masked where n < lanes; the other lanes read as 0. f32 vectors. */
Ref load_lanes(Emit *e, Ref p, int64_t bytes, int n, int align);
void store_lanes(Emit *e, Ref v, Ref p, int64_t bytes, int n, int align);
void prefetch(Emit *e, Ref p, int64_t bytes, bool write, int locality); /* 3: L1, 2: L2, 1: L3 */
Ref add_i(Emit *e, Ref a, Ref b);
Ref mul_i(Emit *e, Ref a, int64_t k);
Ref min_i(Emit *e, Ref a, Ref b);             /* i64, as max_i */
Ref max_i(Emit *e, Ref a, Ref b);
Ref clamp_i(Emit *e, Ref i, Ref most);        /* i64: into [0, most] */
/* What of the range [lo, hi) lies in the `count` items from `first`, counted from there. */
void part_of_range(Emit *e, Ref lo, Ref hi, Ref first, Ref count, Ref *from, Ref *to);
Ref fadd(Emit *e, Ref a, Ref b);
Ref fmul(Emit *e, Ref a, Ref b);
Ref fma_(Emit *e, Ref a, Ref b, Ref c);       /* a*b+c, one rounding where the target has FMA, else two */
Ref fmax_(Emit *e, Ref a, Ref b);             /* b where a is NaN or not greater: one vmaxps */
Ref fmin_(Emit *e, Ref a, Ref b);
Ref fmaximum(Emit *e, Ref a, Ref b);          /* vectors of floats: NaN where a or b is, else the larger */
Ref intrinsic(Emit *e, const char *name, int n_types, LLVMTypeRef *types, int n, Ref *args);

/* for (i = lo; i < hi; i += step). With n > 0, acc[0..n) are carried round the loop: loop_begin replaces them by the phis,
 * loop_end takes what they hold then and leaves the final values in them. Bounds that are constants and not empty give a
 * loop without a guard; with a single turn no loop at all, else LLVM would sink sums out of its block, away from their loads,
 * and spill. */
typedef struct Loop {
  Ref i, next_hi;
  LLVMBasicBlockRef before, body, exit;
  int64_t step;
  int n;
  Ref *acc;
  Ref phi[64], init[64];
  bool guarded, once;
} Loop;
void loop_begin(Emit *e, Loop *l, Ref lo, Ref hi, int64_t step, int n, Ref *acc);
void loop_begin_some(Emit *e, Loop *l, Ref lo, Ref hi, int64_t step, int n, Ref *acc); /* the same where lo < hi for sure */
void loop_end(Emit *e, Loop *l);
/* if (cond) { ... } */
typedef struct If { LLVMBasicBlockRef join; } If;
void if_begin(Emit *e, If *s, Ref cond);
void if_end(Emit *e, If *s);

/* ==== emit_math.c: elementwise operators on a float or a vector of floats of any length ==== */
/* op(acc, arg), or op(arg, acc) where s->swap; arg is NULL for unary steps. exp, tanh and the like are polynomials with at
 * most 2 ulp of error, correct for NaN, infinities and the ends of the range. */
Ref math_step(Emit *e, const Step *s, Ref acc, Ref arg);
Ref math_exp(Emit *e, Ref x);
Ref math_log(Emit *e, Ref x);
Ref choose(Emit *e, Ref cond, Ref a, Ref b);          /* cond ? a : b */
bool type_is_signed(Type t);                          /* a signed integer */
Ref math_less(Emit *e, Type t, Ref a, Ref b);         /* a < b, false for NaN */
Ref math_beats(Emit *e, Type t, Ref a, Ref b);        /* a is the maximum of both, b having come first: NaN is the largest */
/* Conversion between element types with ONNX Cast's meaning, scalar or vector. */
Ref math_cast(Emit *e, Ref x, Type from, Type to);

/* ==== emit_tile.c: the register tile that all matrix-like kernels share ==== */
enum { MAX_TILE = 32, MAX_ACC = 32 };
/* n vectors of a minus those of b, to be computed beside something else. */
typedef struct Differences {
  int n;
  Ref a, b, to;
} Differences;
/* `uw` rows (pixels) by `nb` vectors of columns (blocks of output channels). */
typedef struct Tile {
  int uw, nb;
  int width;             /* floats of a step's weights where the last vector is cut (packed_columns); 0: whole vectors */
  int sets;              /* of sums, that steps add to in turn; 0: one */
  int64_t in[MAX_TILE];  /* element offsets of the rows' inputs from the first */
  int prefetch;          /* cache lines to fetch into L2 in one call of tile_sums, spread over its steps */
  Differences meanwhile; /* in one call of tile_sums, spread over its steps */
  int64_t ahead;         /* bytes from each row's input to what will be read next and is fetched now; 0: nothing */
} Tile;
/* acc[b*uw + u] += x[in[u] + k] * w[k][b] for k = 0..steps-1, x being broadcast; w and pf move past what was used. The sets of
 * acc follow each other. */
void tile_sums(Emit *e, const Tile *t, Ref x, int steps, Ref *acc, Ref *w, Ref *pf);
/* One vector whose lane i is the sum of the lanes of v[i], n of them at most a vector's lanes; the other lanes hold anything. */
Ref sum_lanes(Emit *e, Ref *v, int n);
/* Lane l of the result is lane from[l] % V of v[from[l] / V], which is one of n vectors. */
Ref gather_lanes(Emit *e, Ref *v, int n, const int *from);
/* Loads stay on their side of it: LLVM would otherwise begin a step's loads in the middle of the step before, for which
 * there are no registers. */
void end_step(Emit *e);

/* ==== emit_rows.c: the loops around tiles ==== */
/* A row of pixels in as few tiles as possible of at most `most`: those of one size, then those of one less. */
typedef struct RowTiles { int64_t count, size[2], number[2], first[2] /* pixel */; } RowTiles;
RowTiles row_tiles(int64_t pixels, int64_t most);
/* A loop, to be ended by loop_end, over the tiles of the larger size (i 0) or the smaller (1) that are among [from, to) of the row;
 * from NULL: all. *x is a tile's first pixel. False: there are none of that size, and no loop. */
bool row_tiles_begin(Emit *e, Loop *l, const RowTiles *t, int i, Ref from, Ref to, Ref *x);
/* Tasks share out the tiles of all rows: a loop over the rows of which this task has some, the tiles [from, to). */
typedef struct RowShare {
  Loop loop;
  Ref image, row, from, to;
} RowShare;
void row_share_begin(Emit *e, RowShare *s, int64_t images, int64_t rows, int64_t tiles);
void row_share_end(Emit *e, RowShare *s);

/* ==== emit_step.c: the epilogue beside blocked results ==== */
/* Pointers to each step's argument at (image, channel block, row, x) given as i64 values; constants of one element have none
 * (NULL). arg[] has n->n_step entries. */
void step_pointers(Emit *e, Node *n, Ref image, Ref block, Ref row, Ref x, Ref *arg);
/* What makes two nodes' epilogues the same code: operators, parameters, classes and strides of the arguments; appended to
 * a kernel's key. */
void step_key(const Node *n, Buffer *key);
/* All steps on the vector of the result that lies `db` blocks, `dy` rows and `dx` pixels from there. */
Ref apply_steps(Emit *e, Node *n, Ref acc, Ref *arg, int db, int dy, int dx);

/* ==== emit_copy.c: rectangular copies ==== */
/* One axis of a copy: n elements, so far apart (in elements) in the source and in the destination. A source stride of 0
 * repeats an element, a negative one goes backwards. */
typedef struct CopyAxis { int64_t n, src, dst; } CopyAxis;
typedef struct Copy {
  Ref src, dst;
  int size;              /* bytes an element: 1, 2, 4 or 8 */
  int rank;
  CopyAxis axis[MAX_RANK + 3];
  bool pad;              /* a last destination axis shorter than a vector may be filled up to one (with zeros) */
} Copy;
/* Copies, the work split over the layer's tasks. Source and destination must not overlap. */
void emit_copy(Emit *e, const Copy *c);
/* A value's dimensions and strides in elements; a blocked one has channel blocks for channels and the lanes last. */
typedef struct Axes { int rank; int64_t n[MAX_RANK + 1], stride[MAX_RANK + 1]; } Axes;
void value_axes(const Value *v, Axes *a);

/* ==== emit_plain.c: broadcasting beside dense row-major results ==== */
/* The index in a dense tensor `from` of the element that stands beside element `flat` of `to`, to which it broadcasts. */
Ref broadcast_index(Emit *e, const Shape *from, const Shape *to, Ref flat);
/* What stands beside the result's `lanes` elements (1, or those of a vector, `valid` of which exist) at index `row` over all
 * axes but the last and `col` along that; the argument is of any type for one lane, f32 for more. */
Ref plain_arg(Emit *e, const Value *arg, const Shape *y, Ref row, Ref col, int lanes, int valid);
/* All steps on elements of n's first result there. */
Ref plain_steps(Emit *e, Node *n, Ref acc, Ref row, Ref col, int lanes, int valid);

/* ==== emit_elt.c ==== */
/* task_range where there are enough elements to share, else all items in task 0. */
void work_range(Emit *e, int64_t items, int64_t elements, Ref *lo, Ref *hi);

/* ==== one emitter an operator family; each builds the body of a layer function ==== */
void emit_conv(Emit *e, Node *n);      /* emit_conv.c: Conv on blocks */
void emit_depthwise(Emit *e, Node *n); /* emit_depthwise.c */
void emit_grouped(Emit *e, Node *n);   /* emit_grouped.c */
void emit_ragged(Emit *e, Node *n);    /* emit_ragged.c */
void emit_interleaved(Emit *e, Node *n); /* emit_interleaved.c */
void emit_narrow(Emit *e, Node *n);    /* emit_narrow.c */
void emit_pixels(Emit *e, Node *n);    /* emit_pixels.c */
void emit_winograd(Emit *e, Node *n);  /* emit_winograd.c: F(4x4,3x3); in two phases where plan->shared */
void emit_strassen(Emit *e, Node *n);  /* emit_strassen.c: 1x1; in two phases where plan->shared */
void emit_conv_plain(Emit *e, Node *n); /* emit_conv_plain.c: run-time weights, dense row-major */
void emit_gemm(Emit *e, Node *n);      /* emit_gemm.c: Gemm, MatMul; any type */
void emit_pool(Emit *e, Node *n);      /* emit_pool.c: MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool; blocked f32, or plain any type and rank */
void emit_pool_plain(Emit *e, Node *n); /* emit_pool_plain.c: that part of it */
void emit_pointwise(Emit *e, Node *n); /* emit_elt.c: Pointwise, every K_UNARY and K_BINARY of any type, BatchNormalization; plain or blocked */
void emit_reduce(Emit *e, Node *n);    /* emit_reduce.c: Softmax, LogSoftmax, ReduceMean, ArgMax on plain tensors */
void emit_move(Emit *e, Node *n);      /* emit_move.c: Transpose, Concat, Split, Slice, Pad, Gather, views that need a copy, ConstantOfShape */
/* emit_parts.c: the parts of a whole along axis k to their places in it, or out of it, size[i] along that axis each; NULL for a
 * part that nobody wants. For nodes of more than MAX_BOUND values. */
enum { MAX_BOUND = 48 }; /* values of a node whose function other layers may share */
void emit_parts(Emit *e, const Value *whole, Value *const *part, int n, int k, const int64_t *size, bool split);
void emit_pad(Emit *e, Node *n, const Axes *in, const Axes *out); /* emit_pad.c: Pad beside those of emit_bounds */
/* The index inside an axis of d > 0 elements that index i, up to an axis' length outside (wrapped: anywhere), stands for; a constant's
 * is i. */
Ref pad_index(Emit *e, PadMode mode, Ref i, int64_t d);
void emit_bounds(Emit *e, Node *n);    /* emit_bounds.c: Slice and Pad whose bounds are known at run time only */
void emit_reorder(Emit *e, Node *n);   /* emit_reorder.c: between any two layouts of one shape */

void emit_peak(Emit *e); /* emit_peak.c: the function `peak`, see object_emit_peak */
#endif
