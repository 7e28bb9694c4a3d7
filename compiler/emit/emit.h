/* emit.h: code for a planned graph. First what others call, then what the files of emit share: they alone know LLVM. */
#ifndef EMIT_H
#define EMIT_H

#include "conv.h"

/* ==== object.c, header.c: what is generated ==== */
/* What LLVM is given at most: instructions, of a layer and of all; and about the bytes that it needs for one. */
enum { MAX_LAYER_CODE = 500000, MAX_CODE = 10000000, CODE_BYTES = 512 };

/* The compiled object in memory: data, then tail, which are the build's weights as they are. */
typedef struct Object {
  char *data;
  size_t size;
  const uint8_t *tail; /* not owned */
  size_t tail_size;
  int64_t instructions; /* that LLVM was given */
} Object;

/* Sets up LLVM; to be called before several threads call object_emit. */
void object_prepare(void);
void object_targets(void);
/* Generates code for the build after plan: ELF bytes, assembly (EMIT_ASM) or LLVM IR text (EMIT_LLVM), in the arena of
 * its context. Fails where that is more than LLVM is given. */
void object_emit(Build *b, Object *out);
/* The text of model.h, and the exact C names it uses. */
void header_print(const Build *b, Buffer *out);
/* `s` as a C identifier: other characters become _, a leading digit gets one before it, C and C++ keywords one behind. */
char *c_identifier(Context *cx, const char *s);
/* The names that begin with it are those of resnetcc_rt.h. */
bool is_runtime_prefix(const char *name);

/* What a core can do at most, as an object with the function peak(values, task, worker). A task has peak_vectors
 * vectors at `values`, which stay in registers: v[0], v[1], ..., a factor f and an addend a. PEAK_STEPS times
 * every v[i] becomes v[i] f + a. */
enum { PEAK_STEPS = 1 << 19 };
int peak_vectors(const Target *t);
void object_emit_peak(Build *b, Object *out);

/* ==== jit.c ==== */
/* Loads an emitted object into this process (LLJIT); the handle keeps it alive. A name that it lacks fails, and closes it. */
typedef struct Jit Jit;
Jit *jit_load(Context *cx, const Object *o);
void *jit_symbol(Context *cx, Jit *j, const char *name);
/* The same for a model, which has a table. */
Jit *jit_open(Context *cx, const char *name, const Object *o);
const struct rcc_model *jit_model(const Jit *j);
void jit_close(Jit *j);
/* llvm_memory.c: out_of_memory() is called where LLVM gets no more memory. */
void object_watch_memory(void);

/* ==== inside emit ====
 *
 * Every node that has a result with elements, where they don't lie yet, becomes a layer function
 *     void layer(Frame *frame, i32 task, i32 worker)
 * that does task `task` of frame->tasks of the node's work. layer.c makes the function, sets up the Emit and calls the
 * operator's emitter, which splits its items with `task_range`, or lets only task 0 work (`only_task_zero`). */

/* LLVM's types, by name only: who includes this to get an object needs no header of LLVM's. */
typedef struct LLVMOpaqueContext *LLVMContextRef;
typedef struct LLVMOpaqueModule *LLVMModuleRef;
typedef struct LLVMOpaqueType *LLVMTypeRef;
typedef struct LLVMOpaqueValue *LLVMValueRef;
typedef struct LLVMOpaqueBasicBlock *LLVMBasicBlockRef;
typedef struct LLVMOpaqueBuilder *LLVMBuilderRef;

typedef LLVMValueRef Ref;
typedef struct Emit {
  Build *build;
  Graph *g;              /* build->graph */
  const Target *t;       /* build->target */
  LLVMContextRef c;
  LLVMModuleRef m;
  LLVMBuilderRef b;
  LLVMTypeRef void_, i1, i8, i16, i32, i64, f32, f64, ptr;
  LLVMTypeRef vec;       /* <lanes x float> */
  int lanes, vec_bytes;  /* t->lanes; bytes of vec */
  Ref weights;           /* the global with build->weights; NULL where they are an input: ... */
  int64_t weights_field; /* ... then the offset in the frame of where they begin */
  Ref fn;                /* the function being built */
  Ref frame, task, worker; /* its arguments, inside a layer function */
  Ref numbers;           /* of the steps of an integer convolution, where it has any; set with the steps' arguments */
  bool serial;           /* only_task_zero was called for this layer */
  const Node *node;      /* whose layer function is built: the graph's own, or if `bound` ... */
  bool bound;            /* ... one that stands for all of the same key, whose values' places come from a table */
  Map shared;            /* layer.c: functions that layers share, so far */
  Map kernels;           /* frame.c: the functions that they call, by their keys */
  Buffer key;            /* of the layer being made; here, so that a failure leaves nothing of it behind */
  struct LLVMOpaqueDIBuilder *lines; /* debug.c; NULL without -g */
  struct LLVMOpaqueMemoryBuffer *output; /* LLVM's own of the finished module; here for the same reason */
  int phase;             /* of an operator that needs a barrier inside: a layer function each */
  int64_t instructions;  /* of the functions made so far */
  const Node *too_large; /* its code goes beyond what is allowed, see emit_layers; NULL: none does */
} Emit;

/* ==== module.c ==== */
void emit_module(Emit *e); /* all layers, net_run, net_model; with e->too_large, only a part of them */

/* ==== frame.c: the words of layer functions ==== */
/* Pointer to the first element of a value's storage (inputs and outputs: the caller's memory, aligned to its element
 * only), or to pixel (0,0) of channel 0 where the layout has a halo. Inside a layer function. */
Ref value_ptr(Emit *e, const Value *v);
Ref weights_ptr(Emit *e, int64_t offset);
Ref scratch_ptr(Emit *e);  /* this worker's scratch */
void task_range(Emit *e, int64_t total, Ref *lo, Ref *hi); /* [lo, hi) of `total` items for this task, as i64 */
void only_task_zero(Emit *e); /* declares the layer serial: it is called once, as task 0 of 1. Excludes task_range */
/* The name of what is local to the object: MODEL.what. */
const char *local_name(Emit *e, const char *what);
LLVMTypeRef task_type(Emit *e); /* of a layer function, and of whatever else threads are lent for: void (ptr, i32, i32) */
/* A local function to be built now: builder at its entry, e->fn set; *saved keeps the caller's place. */
typedef struct Resume { LLVMBasicBlockRef block; struct LLVMOpaqueMetadata *line; Ref fn, frame, task, worker, numbers; } Resume;
Ref function_begin(Emit *e, const char *name, LLVMTypeRef type, Resume *saved);
void function_end(Emit *e, Resume *saved); /* adds `ret void`, counts, and returns to the caller's place */
void count_instructions(Emit *e, Ref fn); /* of a finished function */
Ref call(Emit *e, Ref fn, LLVMTypeRef type, int n, Ref *args);
/* Calls the kernel of that key, whose arguments are n pointers and integers (NULL: a pointer that it does not use), and lets
 * `build` make its code where no layer has needed it yet. Its name is MODEL.kNN. and the key's beginning. */
enum { MAX_KERNEL_ARGS = 17 + MAX_STEPS };
void call_kernel(Emit *e, const char *key, int n, Ref *args, void (*build)(const void *data), const void *data);
/* Attributes of a function that computes: full vector width; nothing that it calls throws. */
void compute_attributes(Emit *e, Ref fn);

/* The frame that every layer function gets: byte offsets of its fields. */
enum {
  FRAME_WORK = 0,     /* ptr: the workspace of this image */
  FRAME_SCRATCH = 8,  /* ptr: the first worker's scratch */
  FRAME_TASKS = 16,   /* i32: tasks a layer is split into */
  FRAME_PLACES = 24,  /* ptr: the running layer's places, i64 each */
  FRAME_IO = 32,      /* ptr each: the inputs, then the outputs, of this image; then the workspace that all images share; so far in it as ... */
};
int64_t frame_once(const Graph *g), frame_image(const Graph *g); /* ... the image is among all: the offsets of both */
int64_t frame_rest(const Build *b); /* behind those which the build has */
Ref weights_start(Emit *e); /* of a layer function: where build->weights lie */

typedef struct LayerCode { Ref fn /* void (Frame *, i32 task, i32 worker) */; bool serial; int64_t *place; int n_place; } LayerCode;

/* Makes the layer functions, and lists them in build->layer and in `layer`, in the order of their calls. Stops with e->too_large
 * at a layer of more than MAX_LAYER_CODE instructions, or where all so far are more than MAX_CODE or, by CODE_BYTES, than the
 * memory that is left. */
void emit_layers(Emit *e, LayerCode *layer);
Ref constant_global(Emit *e, Ref value, const char *name); /* which is local */
Ref load_invariant(Emit *e, LLVMTypeRef type, Ref p, int64_t bytes, int align); /* stays as it is while a layer function runs: leaves loops */

/* ==== key.c ==== */
/* Appends all that the code of a layer depends on; false: the function is the node's own, as it rests on more than a key should
 * hold. `few`: few functions are worth more than fast ones, so constants of one element are no part of it where they can be
 * read at run time. */
bool layer_key(const Node *n, int phase, bool few, Buffer *key);
/* A node of that key, which has nothing that the key lacks. Its values have their numbers for ids. */
Node *layer_node(Context *cx, Buffer *key);
/* What such a node has for the places of packed weights and bias. */
enum { BOUND_WEIGHTS = 1 << 29, BOUND_BIAS };
/* Value number i of a node: inputs, results, and what threads share meanwhile; NULL: there is none. */
const Value *layer_value(const Node *n, int i);
int layer_values(const Node *n);

/* A layer's places: the offsets of packed weights and bias, then those of inputs, results and shared work, in the memory
 * that a value's Place says; of inputs and outputs of the network the offset of their pointer in the frame. */
enum { PLACE_WEIGHTS, PLACE_BIAS, PLACE_VALUES };
int64_t inner_offset(const Value *v); /* bytes from the start of v's memory to what value_ptr points to */
/* flush.c: what to call for a layer: itself, or with --flush-denormals a function that calls it, for which the frame has so
 * many bytes more behind what all images share. */
Ref flush_denormals(Emit *e, Ref layer, Ref frame);
int64_t flush_frame_bytes(const Build *b);
/* Of a function that runs on every CPU of the architecture; the caller's code, which it calls, may throw. */
void baseline_attributes(Emit *e, Ref fn);

/* ==== debug.c: -g; the file is the model's, a line the number of a node in it ==== */
void debug_begin(Emit *e);
void debug_enter(Emit *e, Ref fn, const Node *n); /* fn, which is empty, is that node's; NULL: several nodes' */
/* What is built from now on is of that line, NULL: of none; returns what it was. */
struct LLVMOpaqueMetadata *debug_switch(Emit *e, struct LLVMOpaqueMetadata *line);
void debug_end(Emit *e);                          /* before the module is verified, or given up */

/* ==== place.c: addresses inside a value, in bytes, by its layout and type ==== */
/* From one image, channel block (channel, where it is not blocked), row, pixel to the next. */
int64_t place_image_bytes(const Value *v);
int64_t place_block_bytes(const Value *v);
int64_t place_row_bytes(const Value *v);
int64_t place_pixel_bytes(const Value *v);
/* So many blocks, rows and pixels from some place. */
int64_t place_offset(const Value *v, int64_t block, int64_t row, int64_t x);
/* The first element of that pixel in that channel block of an image; the numbers are i64, NULL stands for 0. Inside a layer
 * function, as value_ptr. They are added in the order image, row, block, x: what changes in the innermost loop comes last. */
Ref place_at(Emit *e, const Value *v, Ref image, Ref block, Ref row, Ref x);
/* So much further than p, anywhere. */
Ref place_from(Emit *e, Ref p, const Value *v, Ref image, Ref block, Ref row, Ref x);
/* The first element under the window of the result's pixel (row, x), which may be in the halo. */
Ref place_window(Emit *e, const Value *v, const Window *w, Ref image, Ref block, Ref row, Ref x);
Ref window_from(Emit *e, Ref p, const Value *v, const Window *w, Ref image, Ref block, Ref row, Ref x); /* the same from p */
/* The same where `vector` counts vectors of e->lanes channels, several of which may share a block of a type smaller than f32. */
Ref place_vector(Emit *e, Ref p, const Value *v, Ref image, Ref vector, Ref row, Ref x);
int64_t place_vector_offset(Emit *e, const Value *v, int64_t vector, int64_t row, int64_t x); /* from the first vector of a block */
/* `count` vectors of channels that lie beside each other, as one: those from number `vector` on, rows and pixels from p, where the first
 * vector of a block is. A block ends where they do, or they end in one. */
Ref load_channels(Emit *e, const Value *v, Ref p, int count, int64_t vector, int64_t row, int64_t x);
void store_channels(Emit *e, const Value *v, Ref all, Ref p, int64_t row, int64_t x); /* from number 0 on */

/* ==== halo.c ==== */
/* Fills the halo of a blocked or planar value, each task that of its share of the rows. Where a layer may be serial, to be
 * called when that is known. */
void emit_halo(Emit *e, const Value *v);

/* ==== word.c: small words of the builder ==== */
enum { F32_BYTES = 4 };
Ref const_i64(Emit *e, int64_t v);
Ref const_i32(Emit *e, int32_t v);
Ref const_f32(Emit *e, double v);
Ref const_number(Emit *e, Type t, Number v);  /* of integers and bool, f32 and f64 */
Ref const_element(Emit *e, const Value *v);   /* the first of a constant */
Ref splat_const(Emit *e, double v);           /* <lanes x float> */
Ref splat(Emit *e, Ref scalar, int lanes);    /* insertelement + shufflevector: one vbroadcastss when loaded */
LLVMTypeRef llvm_type(Emit *e, Type t);       /* bool is i8 in memory */
LLVMTypeRef vec_of(LLVMTypeRef elem, int lanes); /* elem itself for lanes 1 */
/* Of a scalar or a vector: its lanes and its element; a type of other elements, and a constant, for as many lanes. */
int lane_count(Ref x);
LLVMTypeRef element_of(Ref x);
LLVMTypeRef like(Ref x, LLVMTypeRef element);
Ref real_like(Emit *e, Ref x, double v);
Ref whole_like(Emit *e, Ref x, int64_t v);
Ref zero_like(Ref x);
Ref gep(Emit *e, Ref p, Ref index, int64_t elem_size);       /* p + index * elem_size bytes */
Ref gep_const(Emit *e, Ref p, int64_t bytes);
Ref load(Emit *e, LLVMTypeRef t, Ref p, int64_t bytes, int align);  /* at p + bytes */
void store(Emit *e, Ref v, Ref p, int64_t bytes, int align);
/* The first n lanes only: masked where there are more, which read as 0; a scalar is one lane. Of e->vec, or of any type. */
Ref load_lanes(Emit *e, Ref p, int64_t bytes, int n, int align);
Ref load_lanes_of(Emit *e, LLVMTypeRef type, Ref p, int64_t bytes, int n, int align);
void store_lanes(Emit *e, Ref v, Ref p, int64_t bytes, int n, int align);
void prefetch(Emit *e, Ref p, int64_t bytes, int level); /* of a cache line, to be read: 1: into L1, 2: L2 */
typedef Ref Unary(Emit *e, Ref x);
typedef Ref Binary(Emit *e, Ref a, Ref b);
Binary add_i, min_i, max_i;                /* of i64 */
Ref mul_i(Emit *e, Ref a, int64_t k);
Ref clamp_i(Emit *e, Ref i, Ref most);        /* i64: into [0, most] */
/* What of the range [lo, hi) lies in the `count` items from `first`, counted from there. */
void part_of_range(Emit *e, Ref lo, Ref hi, Ref first, Ref count, Ref *from, Ref *to);
Binary add_f, sub_f, mul_f, div_f;
Ref fma_(Emit *e, Ref a, Ref b, Ref c);       /* a*b+c, one rounding where the target has FMA, else two */
Binary fmax_, fmin_;                       /* b where a is NaN or not greater, or not less: one vmaxps */
Binary maximum_f, minimum_f;               /* NaN where a or b is, else the larger, or the smaller */
Binary less_f;                             /* a < b, false for NaN */
Unary abs_f, sqrt_f;
Unary widened, narrowed;                   /* f32 as f64, and back */
Ref copysign_f(Emit *e, Ref x, Ref sign);
Ref as_type(Emit *e, Ref x, LLVMTypeRef element); /* the same bits */
Ref shift_left(Emit *e, Ref x, int n);
Ref shift_right(Emit *e, Ref x, int n);       /* zeros come in */
Ref shift_signed(Emit *e, Ref x, int n);
Ref plus_i(Emit *e, Ref x, int64_t v);        /* x + v of any integers */
Ref from_end(Emit *e, Ref i, int64_t d);      /* i64: index i of d elements, counted from the end where it is negative */
Ref choose(Emit *e, Ref cond, Ref a, Ref b);  /* cond ? a : b */
Ref keep_lanes(Emit *e, Ref v, int valid, Ref otherwise); /* v's first `valid` lanes, the other's rest */
Ref take_lanes(Emit *e, Ref v, int first, int count); /* those lanes; past the last one anything */
Ref join_vectors(Emit *e, Ref *v, int n);           /* vectors of one type, one behind the other */
Ref lane_of(Emit *e, Ref x, Ref i);           /* of a scalar, itself */
Ref crossed_lanes(Emit *e, Ref v, int w);     /* lane i is v's lane i ^ w */
/* Every lane becomes what those of its run of `run` lanes, a power of two, come to. */
Ref join_runs(Emit *e, Ref v, int run, Binary *join);
Ref any_of(Emit *e, Ref cond);                /* is one of a condition's lanes true? */
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
  Ref *acc, phi[64], init[64];
  bool guarded, once;
} Loop;
void loop_begin(Emit *e, Loop *l, Ref lo, Ref hi, int64_t step, int n, Ref *acc);
void loop_begin_some(Emit *e, Loop *l, Ref lo, Ref hi, int64_t step, int n, Ref *acc); /* the same where lo < hi for sure */
void loop_end(Emit *e, Loop *l);
/* if (cond) { ... } */
typedef struct If { LLVMBasicBlockRef join; } If;
void if_begin(Emit *e, If *s, Ref cond);
void if_end(Emit *e, If *s);
enum { MAX_REPEATED = 4 }; /* do { ... } while (again); acc as for loops. */
typedef struct Repeat { LLVMBasicBlockRef body, exit; int n; Ref *acc, phi[MAX_REPEATED]; } Repeat;
void repeat_begin(Emit *e, Repeat *r, int n, Ref *acc);
void repeat_end(Emit *e, Repeat *r, Ref again);

/* ==== math.c: elementwise operators on one element or a vector of any length ==== */
/* op(acc, arg) on floats, or op(arg, acc) where s->swap; arg is NULL for unary steps. Functions of f32 have at most a few ulp of
 * error, those of f64 1e-12; all are right for NaN, infinities and the ends of the range. A predicate gives bool. */
Ref math_step(Emit *e, const Step *s, Ref acc, Ref arg);
Ref math_integers(Emit *e, const Step *s, Type t, Ref acc, Ref arg); /* the equation on integers of type t, or bool */
/* Within two bounds of any type, NULL: none; past both, the upper one; a bound that is NaN makes everything NaN. */
Ref math_clip(Emit *e, Type t, Ref x, Ref lo, Ref hi);
Ref math_less(Emit *e, Type t, Ref a, Ref b);         /* a < b, false for NaN */
Ref math_beats(Emit *e, Type t, Ref a, Ref b);        /* a is the maximum of both, b having come first: NaN is the largest */

/* ==== elementary.c: whole numbers, exp, log and what is made of them ==== */
Unary math_round; /* to the nearest whole number, half to even */
Unary math_floor, math_ceil, math_exp, math_log, math_sigmoid, math_tanh, math_erf;
enum { MOST_EXPM1 = 64 };
Unary math_expm1; /* exp x - 1 for x <= MOST_EXPM1 */
Unary math_tanh_softplus;  /* tanh(log(1 + exp x)) */
Unary math_log1p_fraction; /* log(1 + x) for x from 0 to 1 */
Ref math_pow(Emit *e, Ref x, Ref y);
Ref horner(Emit *e, Ref x, int n, const double *coef); /* coef[0] + coef[1] x + ... */

/* ==== angle.c: trigonometric and hyperbolic functions ==== */
Unary math_sin, math_cos, math_tan, math_asin, math_acos, math_atan;
Unary math_sinh, math_cosh, math_asinh, math_acosh, math_atanh;

/* ==== convert.c ==== */
/* Conversion between element types with ONNX Cast's meaning, scalar or vector. */
Ref math_cast(Emit *e, Ref x, Type from, Type to);
/* f32 of floats of 16 bits, by the CPU's instruction where it has one; f32 stay as they are. */
Ref math_widen(Emit *e, Ref x, Type from);

/* ==== quant.c: quantised arithmetic, as ops/quant.c defines it, on scalars and vectors of any length ==== */
/* Of |x| < 2^22 the nearest whole number, half to even, and so many as `base`, all lanes alike, is less than WHOLE_BASE; as floats. */
Ref whole_above(Emit *e, Ref x, Ref base);
Ref nearest_i32(Emit *e, Ref x);             /* half to even; |x| < 2^22, of vectors of fours < 2^31 */
/* Of two vectors, i32 as i16 and i16 as t, of 8 bits, with saturation, side by side in every 16 bytes. What four vectors of i32 become
 * in the end is a0-3 b0-3 c0-3 d0-3  a4-7 b4-7 c4-7 d4-7 ...; packed_in_order puts each one's bytes together. */
Ref pack_pair(Emit *e, Type t, Ref a, Ref b);
Ref packed_in_order(Emit *e, Ref bytes);
/* t: the type of the integers that are the result, or of q. zero is of that type, NULL: 0. */
Ref emit_quantize(Emit *e, Type t, Ref x, Ref scale, Ref zero);
/* x / by, rounded once, where `inverse` is 1 / by and nothing is denormal or infinite. */
Ref emit_divided(Emit *e, Ref x, Ref by, Ref inverse);
/* x / scale, rounded once, between -2^20 and 2^20; NaN is the lower bound. */
Ref emit_quotient(Emit *e, Ref x, float scale);
Ref emit_quantize_inside(Emit *e, Type t, Ref x, float scale, double zero); /* the zero point comes before the rounding */
Ref emit_dequantize(Emit *e, Type t, Ref q, Ref scale, Ref zero);
Ref scaled_sum(Emit *e, const Node *n, int i, Ref a, Ref b); /* of a QLinearAdd, step i, before it is rounded: of floats less their zero point */
/* Step i of n's epilogue on results of any type: typed as step_type says before and after it. arg: of a Lookup where its table is.
 * Results of 8 bits that another step follows may be i32, which hold them. */
Ref typed_step(Emit *e, const Node *n, int i, Ref acc, Ref arg);

/* ==== dot.c: products of 8-bit integers, u8 by s8, four added to each lane of i32 sums ==== */
/* At once, or as pairs of 16-bit numbers; SMALL: the same for weights of which such pairs fit 16 bits, see PanelsPlan. WORDS: of two
 * 16-bit numbers, which the factors' lanes are. TWICE: at once, by both parts of weights of 9 bits. */
typedef enum Dot { DOT_NONE, DOT_FOURS, DOT_TWICE, DOT_PAIRS, DOT_SMALL, DOT_WORDS } Dot;
enum { DOT_PARTS = 4 };
typedef struct Factor { Ref part[DOT_PARTS]; } Factor; /* NULL: those bytes do not count */
Dot dot_of(const Target *t, bool small), dot_of_width(CentredWidth width);
Factor dot_factor(Emit *e, Dot d, Ref fours, bool is_signed); /* fours: vector of i32, of four bytes each */
Factor dot_weights(Emit *e, Dot d, Ref p, int64_t number); /* vector `number` from p on, as centred_put leaves them ... */
int64_t dot_weights_bytes(const Emit *e, Dot d); /* ... in so many bytes */
Ref dot_add(Emit *e, Dot d, Factor x, Factor w, Ref sum);
/* With NEON, inputs of so many steps beside each other, from x + at on; step k's, everywhere. */
int dot_steps(Dot d);
Factor dot_inputs(Emit *e, Dot d, Ref x, int64_t at), dot_spread(Emit *e, Dot d, Factor inputs, int k);
/* Of sums acc[b*uw + u] the zero points of nb vectors times the sums of the inputs, which are behind them. */
void take_off_zeros(Emit *e, Ref zeros, int uw, int nb, Ref *acc);

/* ==== tile.c: the register tile that all matrix-like kernels share ==== */
enum { MAX_TILE = 32, MAX_ACC = 32, LOOP_STEPS = 4 /* between turns of a loop: caches of instructions keep such kernels */ };
/* `uw` rows (pixels) by `nb` vectors of columns (blocks of output channels). */
typedef struct Tile {
  int uw, nb;
  int width;             /* floats of a step's weights where the last vector is cut (packed_columns); 0: whole vectors */
  int sets;              /* of sums, that steps add to in turn; 0: one */
  int64_t in[MAX_TILE];  /* bytes from the first row's input to the others */
  Type weights;          /* of 16 bits, widened as they are read; T_NONE: f32 */
  Dot dot;               /* of integers: a step takes four; DOT_NONE: floats */
  Ref more, less;        /* bytes from the weights to others, which are added to them, or taken off; NULL: none are */
  Ref sums;              /* where these sums are stored for other tiles; NULL: nowhere */
  int prefetch;          /* cache lines to fetch into L2 in one call of tile_sums, spread over its steps */
  int64_t ahead;         /* bytes from each row's input to what will be read next and is fetched now; 0: nothing */
  Ref ahead_from;        /* or where that begins; NULL: it is that far behind x */
} Tile;
/* acc[b*uw + u] += x[u][k] * w[k][b] for k = 0..steps-1, x being broadcast; w and pf move past what was used. The sets of
 * acc follow each other. */
void tile_sums(Emit *e, const Tile *t, Ref x, int steps, Ref *acc, Ref *w, Ref *pf);
/* One vector whose lane i is the sum of the lanes of v[i], n of them at most a vector's lanes; the other lanes hold anything. */
Ref sum_lanes(Emit *e, Ref *v, int n);
/* Lane l of the result is lane from[l] % V of v[from[l] / V], which is one of n vectors. */
Ref gather_lanes(Emit *e, Ref *v, int n, const int *from);
/* Loads stay on their side of it: LLVM would otherwise begin a step's loads in the middle of the step before, for which
 * there are no registers. */
void end_step(Emit *e);

/* ==== conv_sorted.c ==== */
/* A panel: its counts and numbers, its weights, and the places of the layer's steps. words: NULL, or each pixel's even and odd channels,
 * so many bytes, by the steps' numbers. */
typedef struct SortedPanel { Ref list, weights, places, words; int64_t words_bytes; } SortedPanel;
void sorted_sums(Emit *e, const Tile *t, Ref x, const SortedPanel *p, Ref *acc); /* with room for three more behind the tile's */

/* ==== rows.c: the loops around tiles ==== */
/* A row of pixels in as few tiles as possible of at most `most`: those of one size, then those of one less. */
enum { TILE_SIZES = 2 * MAX_PIECES }; /* of each piece of a row two; `first` and `before`: pixels and tiles before each */
typedef struct RowTiles { int sizes; int64_t count, size[TILE_SIZES], number[TILE_SIZES], first[TILE_SIZES], before[TILE_SIZES]; } RowTiles;
RowTiles row_tiles(int64_t pixels, int64_t most);
RowTiles row_tiles_of_pieces(const RowPiece *piece, int n, int64_t most);
/* A loop, to be ended by loop_end, over the tiles of size i that are among [from, to) of the row;
 * from NULL: all. *x is a tile's first pixel. False: there are none of that size, and no loop. */
bool row_tiles_begin(Emit *e, Loop *l, const RowTiles *t, int i, Ref from, Ref to, Ref *x);
/* Tasks share out the tiles of all rows: a loop over the rows of which this task has some, the tiles [from, to). */
typedef struct RowShare { Loop loop; Ref image, row, from, to; } RowShare;
void row_share_begin(Emit *e, RowShare *s, int64_t images, int64_t rows, int64_t tiles);
void row_share_end(Emit *e, RowShare *s);
/* Or the rows of all panels, of which each turns to one of `blocks` blocks of rows at a time, of first row `first`: its rows [from, to). */
typedef struct PanelShare { Loop loop; Ref panel, first, from, to; } PanelShare;
void panel_share_begin(Emit *e, PanelShare *s, int64_t rows, int64_t blocks, int64_t panels);
void panel_share_end(Emit *e, PanelShare *s);
/* How many of a window's `count` taps, the first of which is at index `start` of an axis, lie before index `end` of it. */
Ref taps_before(Emit *e, Ref start, int64_t end, int64_t dilation, int64_t count);
/* The taps [*from, *to) of a window's `count` along an axis of `size` elements, `dilation` apart, that meet some of the elements
 * which are read for the results from `first` to `last`, before which there are `pad`. */
void taps_inside(Emit *e, Ref first, Ref last, int64_t pad, int64_t size, int64_t dilation, int64_t count, Ref *from, Ref *to);

/* ==== panel_items.c: tasks share out the panels of products, each with a chunk of A's rows in one matrix of the batch ==== */
typedef struct PanelColumns { int64_t col, count; int cols, vectors; } PanelColumns; /* `count` panels of `cols`, from `col` on */
typedef struct PanelItems {
  int64_t each, chunks, chunk;   /* items of a panel; chunks of a matrix; tiles of one */
  RowTiles tiles;                /* of one matrix of A */
  PanelColumns columns[2];       /* whole panels, and a narrower last one */
  const PanelColumns *now;       /* of the current item; its matrix, first column and chunk are batch, col and at */
  Ref lo, hi, batch, col, at, from, to;
  Loop loop;
} PanelItems;
PanelItems panel_items(Emit *e, const Products *p, const PanelsPlan *plan);
bool panel_items_begin(Emit *e, PanelItems *p, int i); /* those of columns[i]; false: there are none, and no loop */
void panel_items_end(Emit *e, PanelItems *p);
bool panel_rows_begin(Emit *e, PanelItems *p, Loop *l, int i, Ref *row); /* the chunk's tiles of size i in turn, likewise */
int panel_lanes(const Emit *e, const PanelColumns *c, int j); /* columns in vector j of a panel */

/* ==== number.c ==== */
/* A number of step i, which is read or constant, beside every lane of x: a float; the zero point as an integer of x's type. */
Ref step_real(Emit *e, const Node *n, int i, StepNumber which, Ref x);
Ref step_zero_like(Emit *e, const Node *n, int i, Ref x);

/* ==== step.c: the epilogue beside blocked results ==== */
/* Pointers to each step's argument at (image, vector of channels, row, x) given as i64 values; constants of one element have none
 * (NULL). arg[] has n->n_step entries. */
void step_pointers(Emit *e, Node *n, Ref image, Ref block, Ref row, Ref x, Ref *arg);
/* To hand them to a kernel as its arguments from number `first` on, where step_pointers put them: how many there are then, with the
 * steps' numbers. Inside it step_params takes them. */
int step_arguments(Emit *e, const Node *n, int first, Ref *args);
void step_params(Emit *e, const Node *n, int first, Ref *arg);
void steps_along_row(Emit *e, const Node *n, Ref x, Ref *arg); /* moves them by x pixels */
/* Appends to a kernel's key what makes two nodes' epilogues the same code: operators, parameters, classes and strides of arguments. */
void step_key(const Node *n, Buffer *key);
/* All steps on the vector of the result that lies `db` vectors of channels, `dy` rows and `dx` pixels from there, or on several
 * vectors as one, as load_channels has them; the first may be of any type, the result is of the last step's. */
Ref apply_steps(Emit *e, Node *n, Ref acc, Ref *arg, int db, int dy, int dx);
Ref step_operand(Emit *e, const Node *n, int i, Ref *arg, int db, int dy, int dx); /* step i's argument there; NULL: it has none */
void emit_stem_pixels(Emit *e, Node *n); /* pixels.c: see makes_pixels */

/* ==== bytes.c: epilogues of tiles, also to results of 8 bits ==== */
/* Sums acc[b*uw + u]; the steps from number `first` on; `bounded`: requantizes_bounded. From the first pixel to the others: bytes of
 * the result, rows, pixels. */
typedef struct ResultTile { int uw, nb, first; bool bounded; const int64_t *out; const int *dy, *dx; } ResultTile;
void store_results(Emit *e, Node *n, const ResultTile *t, Ref *acc, Ref *arg, Ref out); /* out: of the first pixel and vector */
/* The same for pixels beside each other. The bias is in the sums. */
void store_sums(Emit *e, Node *n, int uw, int nb, bool bounded, Ref *acc, Ref *arg, Ref out);

/* ==== amx.c: sums of 8-bit integers by AMX, for runs of up to 16 results of a row ==== */
typedef struct Amx Amx;
struct Amx {
  Emit *e;
  Node *n;
  int64_t images, rows;             /* of the result */
  int64_t steps[3], step_bytes[3];  /* of a sum, as three loops; from the inputs of one to those of the next */
  int64_t pixel_bytes;              /* from the input of a result to that of the next one in its row */
  int runs;                         /* of a group: 4, 2 or 1, where panels have 1, 2 or 4 vectors */
  Ref (*input)(const Amx *a, Ref line, Ref image, Ref row, Ref x); /* of the result at x; line: the number of its row in all images */
  bool bounded;                     /* see requantizes_bounded */
  int64_t length, number, first;    /* of runs: results of each, how many a row has, where the first begins; set by amx_begin */
  int piece, pieces;
};
/* A panel of nb vectors of outputs and the runs [lo, hi) of all rows that are made of it. A step's weights are 16 x [vector][output]
 * [64 / 16 bytes]; where they have zero points there are ones behind the vector, of which nb is 1. */
typedef struct AmxPart {
  int nb;
  Ref vector, start, weights; /* number of the first vector; what sums start from, and the weights */
  Ref zeros;                  /* of the weights; NULL: none */
  Ref lo, hi;
  Ref next, begin;            /* what is fetched meanwhile, from `next` on for run `begin`, ... */
  int lines;                  /* ... so many lines in a step of a group */
} AmxPart;
void amx_begin(Amx *a, const RowTiles *t, int i); /* for runs of size i */
void amx_part(const Amx *a, const AmxPart *p);
void amx_end(Emit *e);

/* ==== copy.c: rectangular copies ==== */
/* One axis of a copy: n elements, so far apart (in elements) in the source and in the destination. A source stride of 0
 * repeats an element, a negative one goes backwards. */
typedef struct CopyAxis { int64_t n, src, dst; } CopyAxis;
typedef struct Copy {
  Ref src, dst;
  int size, rank;        /* bytes an element: 1, 2, 4 or 8 */
  CopyAxis axis[2 * MAX_RANK + 1];
  bool pad;              /* a last destination axis shorter than a vector may be filled up to one (with zeros) */
  bool unshared;         /* the task that comes here copies everything */
} Copy;
/* Copies, the work split over the layer's tasks, unless `unshared`. Source and destination must not overlap. */
void emit_copy(Emit *e, const Copy *c);
/* A value's dimensions and strides in elements; a blocked one has channel blocks for channels and the lanes last. */
typedef struct Axes { int rank; int64_t n[MAX_RANK + 1], stride[MAX_RANK + 1]; } Axes;
void value_axes(const Value *v, Axes *a);

/* ==== plain.c: broadcasting beside dense row-major results ==== */
/* The index in a dense tensor `from` of the element that stands beside element `flat` of `to`, to which it broadcasts. */
Ref broadcast_index(Emit *e, const Shape *from, const Shape *to, Ref flat);
/* The offset of element `flat` of a tensor of that shape, whose axes have the strides. */
Ref strided_index(Emit *e, const Shape *s, const int64_t *stride, Ref flat);
Ref load_element(Emit *e, const Value *v, Ref i); /* of a dense tensor, as it is in memory */
/* What stands beside the result's `lanes` elements (1, or those of a vector, `valid` of which exist) at index `row` over all
 * axes but the last and `col` along that. */
Ref plain_arg(Emit *e, const Value *arg, const Shape *y, Ref row, Ref col, int lanes, int valid);
/* All steps on elements of n's first result there. */
Ref plain_steps(Emit *e, Node *n, Ref acc, Ref row, Ref col, int lanes, int valid);

/* ==== line.c: what operators along axes work on ====
 * A line of a dense row-major tensor is what is reduced to one element, or normalised together. Where its elements lie beside
 * each other, a vector takes several of them; where they don't, a vector takes several lines. */
enum { MAX_SUMS = 8 }; /* accumulators of a walk */

typedef struct LineGroup { int64_t n, stride; bool along; } LineGroup; /* axes beside each other that all belong to lines, or all don't */
typedef struct AxisLine {
  Emit *e;
  Type type;              /* vectors are of f32; others one element at a time */
  int lanes;
  bool beside;            /* the elements lie beside each other */
  int64_t n, stride;      /* elements of the line, and how far apart they are */
  const LineGroup *more;  /* groups around it that belong to it */
  int n_more;
  int sums;               /* accumulators: beside, of the one line; else of so many vectors of lines beside each other */
  int valid;              /* lanes of the last accumulator that exist: not beside, lines */
  Ref src, dst;           /* the first element */
} AxisLine;
typedef struct AxisLines {
  Emit *e;
  Node *n;
  AxisLine line;
  int n_kept;
  bool reduces;                 /* the result has an element for each line; else it is like the input */
  LineGroup kept[MAX_RANK], more[MAX_RANK]; /* but not the innermost of all: `inner` */
  int64_t outer, inner, count;  /* lines: outer * inner; elements of a line with its groups */
} AxisLines;

/* Lines along these axes of n's first input, of which at most so many vectors are taken beside each other. */
AxisLines lines_along(Emit *e, Node *n, unsigned axes, int vectors);
AxisLines lines_by_element(Emit *e, Node *n); /* those along its axis, of each of which a step takes one element */
void each_line(AxisLines *w, void (*body)(AxisLines *w)); /* the body for all lines of this task, with w->line set */
Ref outer_start(Emit *e, const LineGroup *group, int n, Ref i); /* the offset of number i of what n groups of axes span */
Ref line_load(const AxisLine *l, Ref at, int valid);
void line_store(const AxisLine *l, Ref v, Ref at, int valid);
Ref line_constant(const AxisLine *l, double v);
/* Takes `valid` lanes of the vector at index `at` into accumulator number k, which is acc. */
typedef Ref LineVisit(const AxisLine *l, const void *data, Ref at, int k, int valid, Ref acc);
void walk_line(const AxisLine *l, LineVisit *visit, const void *data, Ref *acc); /* all elements; l->sums accumulators, NULL: none */
/* The same for sums, which begin at zero; of many f32 in chunks that are added in double, as fp32 would lose what the last bring. */
void walk_sums(const AxisLine *l, LineVisit *visit, const void *data, int64_t elements, Ref *acc);

/* ==== pointwise.c ==== */
/* task_range where there are enough elements to share, else all items in task 0. */
void work_range(Emit *e, int64_t items, int64_t elements, Ref *lo, Ref *hi);

/* ==== the emitters: each builds the body of a layer function ==== */
/* Those that the rows of ops.def name, of which emit_planned calls the one of the plan's row in kernels.def; in two phases
 * where plan->at.shared. */
#define OP(op, infer, eval, emit, ...) void emit_##emit(Emit *e, Node *n);
#include "ops.def"
#undef OP
#define KERNEL(name, ...) void emit_##name(Emit *e, Node *n);
#define PLANNED(name, ...) void emit_##name(Emit *e, Node *n);
#define DENSE(name, op) void emit_##name(Emit *e, Node *n);
#include "kernels.def"
#undef KERNEL
#undef PLANNED
#undef DENSE
bool has_code(Op op);                  /* is there an emitter? */
/* pool_plain.c */
void emit_pool_plain(Emit *e, Node *n);         /* pools of any type and rank */
Ref pool_power(Emit *e, Ref x, int power);      /* |x|^power */
Ref pool_root(Emit *e, Ref x, int power);       /* the root of that order of what is not negative */
/* pool_bytes.c: GlobalSumPool and QuantizedAveragePool: on blocks; and what an element adds to the sum, and a mean's result. */
void emit_pool_bytes(Emit *e, Node *n);
Ref pool_term(Emit *e, const Node *n, Ref x);
Ref pool_mean(Emit *e, const Node *n, Ref sum, Ref count);
/* parts.c: the parts of a whole along axis k to their places in it, or out of it, size[i] along that axis each; NULL for a
 * part that nobody wants. For nodes of more than MAX_BOUND values. */
enum { MAX_BOUND = 48 }; /* values of a node whose function other layers may share */
void emit_parts(Emit *e, const Value *whole, Value *const *part, int n, int k, const int64_t *size, bool split);
void emit_pad(Emit *e, Node *n, const Axes *in, const Axes *out); /* pad.c: Pad beside those of emit_bounds */
/* The index inside an axis of d > 0 elements that i, up to an axis' length outside (wrapped: anywhere), stands for; a constant's is i. */
Ref pad_index(Emit *e, PadMode mode, Ref i, int64_t d);
void emit_bounds(Emit *e, Node *n);    /* bounds.c: Slice and Pad whose bounds are known at run time only */

/* ==== statistics.c: what normalisations are made of, on scalars and vectors ==== */
Ref inverse_divisor(Emit *e, const Node *n, Ref sum, Ref count); /* 1 / divisor, from the sum of the terms of `count` elements */
/* acc and the term of x, less the mean: what x adds to the sum for the divisor; mean NULL: 0. */
Ref add_term(Emit *e, const Node *n, Ref acc, Ref x, Ref mean);
void emit_normalize_maps(Emit *e, Node *n);
void emit_normalize_dense(Emit *e, Node *n);
void emit_peak(Emit *e); /* peak.c: the function `peak`, see object_emit_peak */
#endif
