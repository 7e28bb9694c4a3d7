/* ops.h: what operators mean: shapes and types, the reference evaluator, what must hold of a graph. */
#ifndef OPS_H
#define OPS_H

#include "graph.h"

/* ==== verify.c ==== */

/* Aborts with a message naming the broken rule if the graph is not well formed after the pass `after`: order of
 * definitions, arity, types, no dangling values, shapes as shape.c infers them. */
void verify(Graph *g, const char *after);

/* ==== shape.c ==== */

/* Infers type and shape of every value, fills Node.p, .win and .group, checks every operator's demands on its inputs.
 * Shape -> Gather -> Concat -> Reshape chains are evaluated on the way, symbolically where the batch is (Value.data, .sym). */
void pass_shape(Graph *g);
/* The same of the nodes from number `node` on, which are given values from number `value` on: for import, which may ask before all
 * is there. */
void infer_nodes(Graph *g, int node, int value);

/* ==== infer.c ==== */

/* Fails where n's inputs are none that its operator takes. */
void check_inputs(Graph *g, const Node *n);
/* One node, its inputs known: used by passes that make nodes. */
void infer_node(Graph *g, Node *n);
/* Broadcast of two shapes by ONNX's rules; false: they don't fit. */
bool shape_broadcast(const Shape *a, const Shape *b, Shape *out);
/* Slice and Pad may have bounds that are known at run time only; the declared shape is the result's then, and the functions
 * below do not apply. */
bool has_run_time_bounds(const Node *n);
/* Slice: first element and step along every axis of input 0, and the result's shape. */
void slice_ranges(Graph *g, const Node *n, int64_t *start, int64_t *step, Shape *out);
/* Where a Slice ends so many elements after its start as an input of the model says, the declared shape of its result says so too:
 * readers of the input get it as a constant. */
void lengths_as_declared(Graph *g);
/* Pad: elements before and behind every axis of input 0; negative ones are cut off. */
void pad_amounts(Graph *g, const Node *n, int64_t *lo, int64_t *hi);
/* A Slice or Pad of maps: are images and channels all there, and in their order? */
bool cuts_maps(Graph *g, const Node *n);
/* Interleave: the first element of input i along every axis of the result, and from each of its elements to the next. Returns how many
 * inputs there are. */
int64_t interleave_part(const Node *n, int i, int64_t *first, int64_t *stride);
/* Split: the sizes of its n_out parts along the axis. */
void split_sizes(Graph *g, const Node *n, int64_t *size);

/* ==== eval.c: the reference evaluator ==== */

/* Computes the outputs of one node into fresh memory of cx: in[i] and out[i] point to dense row-major elements. Short,
 * obvious, slow; sums of fp32 products are taken in double. */
void eval_node(Graph *g, const Node *n, const void *const *in, void **out);
/* The whole graph on dense inputs; outputs are allocated in cx. Dimensions must be numbers (after the pass batch). */
void eval_graph(Graph *g, const void *const *inputs, void **outputs);

/* ==== images.c ==== */

/* How often what lies between Image and Images is run; 0: nothing does. */
int64_t image_runs(const Graph *g);

/* ==== words.c: what the operators' functions are made of ==== */

bool has_input(const Node *n, int i);
/* n computes as in training, and the model was meant for inference. */
_Noreturn void fail_training(Graph *g, const Node *n);
/* For the end of a message: the remedy, where what n refuses may come from the symbolic batch; else nothing. */
const char *batch_remedy(const Graph *g, const Node *n);
/* Is v a constant, or computed from constants and shapes alone? */
bool follows_from_constants(const Graph *g, const Value *v);
/* Does a tensor of that type and shape fit in what a compilation may use? See shape_extent. */
bool fits_memory(const Graph *g, Type type, const Shape *s);
/* Sets output i if it is used; fails if the tensor's size overflows. */
void set_output(Graph *g, Node *n, int i, Type type, const Shape *s);
/* The axis counted from the front; fails outside [-rank, rank). */
int check_axis(Graph *g, const Node *n, int64_t axis, int rank);
/* Fails unless input i has the type of input 0. */
void check_same_type(Graph *g, const Node *n, int i);
/* Fails, naming v by `what`, unless it is from min to max. */
void check_range(Graph *g, const Node *n, const char *what, int64_t v, int64_t min, int64_t max);
/* Fails unless input i is one number for each of the channels. */
void check_per_channel(Graph *g, const Node *n, int i, int64_t channels);
/* The same of the four parameters of a batch normalization. */
void check_channel_inputs(Graph *g, const Node *n);
void check_rank(Graph *g, const Node *n, int i, int min, int max);
/* Fails where input i is the batch symbol times something along that axis. */
void check_number(Graph *g, const Node *n, int i, int axis);

/* An integer argument known at compile time; elements with `sym` set are multiples of the batch symbol. */
enum { MAX_INTS = 2 * MAX_RANK };
typedef struct Ints {
  int n;
  int64_t v[MAX_INTS];
  bool sym[MAX_INTS];
} Ints;

/* Input i as integers; fails, naming it by `what`, if it is only known at run time. */
Ints const_input(Graph *g, const Node *n, int i, const char *what);
/* The axes that input i names, as flags; fails on repeats. */
void axes_input(Graph *g, const Node *n, int i, int rank, bool *has);
/* The shape that the model declares for output i before it is inferred, or for what is computed of it element by element; fails,
 * naming what is missing, if there is none. A model whose run-time argument says otherwise contradicts itself, so the declaration may
 * stand for the argument. */
Shape declared_output(Graph *g, const Node *n, int i, const char *what);
/* The shape that input i names; where it is known at run time only, that of the declared result. */
Shape shape_input(Graph *g, Node *n, int i);
/* A constant with the dimensions as elements. */
Value *shape_constant(Graph *g, const char *name, const Shape *s);
/* s becomes the broadcast of both, or it fails. */
void broadcast_input(Graph *g, const Node *n, int i, Shape *s);
/* Fails where input i does not broadcast to s. */
void broadcast_into(Graph *g, const Node *n, int i, const Shape *s);
/* Attribute of `count` integers; out keeps its defaults where there is none. */
void ints_attr(Graph *g, const Node *n, const char *name, int count, int64_t *out);
/* The number of the text that an attribute is among the choices; the first where there is none. */
int choice_attr(Graph *g, const Node *n, const char *name, const char *const *choice, int count);
/* Attribute that is an element type. */
Type type_attr(Graph *g, const Node *n, const char *name, Type otherwise);
/* A float that was an attribute in older operator sets becomes input i, of the type of input 0. */
void attr_to_input(Graph *g, Node *n, const char *name, int i);
/* The elements of a float tensor in single precision: `data` itself where it is f32. */
const float *f32_elements(Graph *g, const Value *v, const void *data);
/* The elements of a float tensor as they are where that is f32 or f64; those of 16 bits become f32. */
typedef struct Elements {
  const float *f;
  const double *d;
} Elements;
Elements real_elements(Graph *g, const Value *v, const void *data);
Elements elements_from(Elements e, int64_t first);
double real_element(Elements e, int64_t i);

/* How many blocks of the axes from `axis` on a tensor has, and the bytes of one. */
int64_t blocks_before(const Shape *s, int64_t axis);
size_t block_size(const Value *v, int64_t axis);
/* The lines of elements along one axis; `inner` elements lie from one of its elements to the next. */
typedef struct Lines {
  int64_t count, size, inner;
} Lines;
Lines lines_by_axis(const Shape *s, int axis);
int64_t line_element(const Lines *l, int64_t line, int64_t k); /* the number of element k of a line */

/* ==== compose.c: operators that are made up of others ====
 * compose_X, which attention.c, einsum.c, fused.c, blocks.c, train.c, qlinear.c and quant_dynamic.c have, is called with n's inputs
 * checked in the walk of pass_shape and places nodes before n; in the end n is the identity of the last one's result. */

Node *compose_node(Graph *g, const Node *n, Op op, int n_in, Value *const *in); /* to be given attributes, then to ... */
Node *compose_like(Graph *g, const Node *n, Op op, int n_in, Value *const *in); /* the same with n's own attributes */
Value *compose_value(Graph *g, Node *part);                                     /* ... this, which infers it: its result */
Value *compose_op(Graph *g, const Node *n, Op op, Value *a, Value *b);             /* without attributes; b NULL: of one input */
Value *compose_cast(Graph *g, const Node *n, Value *x, Type to);                   /* x itself if it is of that type */
Value *compose_transpose(Graph *g, const Node *n, Value *x, const int64_t *perm);
Value *compose_channels_first(Graph *g, const Node *n, Value *x); /* [N,H,W,C] as [N,C,H,W] */
Value *compose_channels_last(Graph *g, const Node *n, Value *x);  /* and back */
Value *compose_reshape(Graph *g, const Node *n, Value *x, const Shape *s);
Value *compose_number(Graph *g, const Node *n, Type t, double x); /* a constant */
/* quant_dynamic.c: x as u8 with a scale and a zero point by its range. */
Value *quantize_by_range(Graph *g, const Node *n, Value *x, Value **scale, Value **zero);
void compose_other_result(Graph *g, Node *n, int i, Value *y);    /* y is n's result i > 0 */
void compose_result(Graph *g, Node *n, Value *y);                 /* and result 0; the others must have theirs */

/* ==== fused.c ==== */

/* n becomes the convolution of x and w, with its own bias, sum and activation. */
void compose_activated_conv(Graph *g, Node *n, Value *x, Value *w);

/* Walks the elements of `shape` in row-major order; `at` is the current one's offset under the strides. */
typedef struct Cursor {
  const Shape *shape;
  int64_t stride[MAX_RANK], index[MAX_RANK], at;
} Cursor;
void cursor_next(Cursor *c);
void dense_strides(const Shape *s, int64_t *stride);
/* Element number k of `from` becomes number i of `to`; both have `size` bytes. */
void copy_element(void *to, int64_t i, const void *from, int64_t k, size_t size);
/* All elements of `to`: those that the cursor walks over in `in`, one after the other. */
void copy_elements(const Value *to, void *out, const void *in, Cursor c);
/* A cursor over a tensor of shape s broadcast to `to`. */
Cursor broadcast_cursor(const Shape *s, const Shape *to);

/* ==== resize.c ==== */

/* Resize along one axis: the sizes, how many elements of the result an element becomes, and the part of the axis, as shares of it,
 * that is read where coordinates say so. */
typedef struct ResizeAxis {
  int64_t in, out;
  double scale, start, end;
} ResizeAxis;
/* Are the arguments known that the result depends on? */
bool resize_is_known(const Node *n);
/* All axes; the arguments' elements are in[i], or if `in` is NULL those of constants. */
void resize_axes(const Node *n, const void *const *in, ResizeAxis *axis);
/* Index i of the result is made of the elements index[i * taps] and so on; weight NULL: of one. Where the first is -1, which is so
 * only if `outside`, it is the value for what lies outside. */
typedef struct ResizeTable {
  int64_t taps, *index;
  double *weight;
  bool outside;
} ResizeTable;
ResizeTable resize_table(Graph *g, const Node *n, const ResizeAxis *a);

/* ==== resample.c: of axis number i of those of a Resample ==== */

int64_t resample_taps(const Node *n, int i);
const Value *resample_index(const Node *n, int i);  /* i32 [size] or [size,taps]; NULL: elements are repeated */
const Value *resample_weight(const Node *n, int i); /* NULL: one element is taken as it is */
bool resamples_maps(const Node *n);                 /* along H and W alone */

/* ==== window.c: for convolutions and pools ==== */

enum { MAX_SPATIAL = 3 };

/* A window along one axis. */
typedef struct WindowAxis {
  int64_t size, kernel, stride, dilation, lo, hi;
} WindowAxis;
/* The axes from the attributes, without the kernel's sizes. */
void read_window(Graph *g, const Node *n, int spatial, WindowAxis *axis);
/* The same of a convolution, with the sizes of its weights. */
void read_kernel(Graph *g, const Node *n, WindowAxis *axis);
/* Fills and returns a convolution's n->group; fails where a size of the weights, or how many channels there are, is the batch symbol
 * times something. */
int64_t read_group(Graph *g, Node *n);
/* Fails unless a convolution's bias, if it has one, is one number for each of the channels, of the type of its input. */
void check_bias(Graph *g, const Node *n, int64_t channels);
/* Fills n->win, and `out` with the spatial sizes behind the two dimensions that it already has. */
void slide_window(Graph *g, Node *n, int spatial, WindowAxis *axis, bool ceil_mode, Shape *out);
/* The same where the windows are those of the result, one for each element of the input (ConvTranspose): attributes that say
 * how large the result is become padding. */
void spread_window(Graph *g, Node *n, int spatial, WindowAxis *axis, Shape *out);

/* A tensor as [n,c,d,h,w], with 1 for the sizes that it lacks. */
typedef struct Volume {
  int64_t n, c, d, h, w;
} Volume;
Volume volume_of(const Shape *s);

/* ==== the operators: pointwise.c conv.c conv_transpose.c pool.c norm.c product.c reduce.c scan.c resize.c resample.c move.c
 * spread.c depth.c unfold.c index.c fill.c bounds.c view.c quant.c quant_range.c ====
 * Infer: checks the node's inputs and attributes, sets type and shape of its outputs. Eval: computes them, out[i], from in[i];
 * unused outputs are NULL. */

typedef void Infer(Graph *g, Node *n);
typedef void Eval(Graph *g, const Node *n, const void *const *in, void **out);
#define OP(name, infer, eval, emit, ...) \
  Infer infer_##infer;             \
  Eval eval_##eval;
#define COMPOSED(name, compose, ...) Infer compose_##compose; /* see compose.c */
#include "ops.def"
#undef OP

/* ==== pool.c ==== */

/* Makes n, whose images are frames of volumes, a pool over these: its windows lie along the depth like those of k, and its result
 * has as many volumes, of so many frames. */
void attr_set_depth(Graph *g, Node *n, const Window *k, int64_t volumes, int64_t frames);

/* ==== product.c ==== */

/* A matrix for each index of the batch: element (batch, i, j) is number at + sum(batch[k]) + i row + j col. */
typedef struct Matrices {
  int64_t at, row, col, batch[MAX_RANK];
} Matrices;
/* Once dimensions are numbers: y[batch,i,j] = sum(k) a[batch,i,k] b[batch,k,j], for Gemm, MatMul, MatMulInteger and Product. */
typedef struct Products {
  Shape batch;
  int64_t rows, cols, inner;
  Matrices a, b, y;      /* of inputs 0 and 1 and the result */
} Products;
Products products_of(const Node *n);
/* Where MatMulInteger's zero points stand: that of element (i, j) of operand 0 or 1. */
Matrices zeros_of(const Node *n, int operand);
View view_whole(const Shape *s);  /* the tensor as it is */
/* Sets the attribute of a Product that says so. */
void attr_set_view(Graph *g, Node *n, const char *name, const View *v);

/* ==== meaning.c ==== */

typedef struct Meaning {
  Infer *infer;
  Eval *eval;
} Meaning;
extern const Meaning meaning[OP_COUNT];
/* Step of an epilogue over a whole tensor of `shape`: acc[i] = step(acc[i], arg). */
void *eval_step(Graph *g, const Step *s, Type from, const Shape *shape, const void *acc, const Value *arg, const void *data);
/* The same of one element. */
Number step_number(const Step *s, Type from, Number acc, Number arg);
extern const char *const divisor_name[]; /* norm.c: of Normalize's attribute, by Divisor */

/* ==== values.c ==== */

/* Computes Value.data and .sym of the node's outputs if they are small and follow from constants and
 * shapes. */
void evaluate_values(Graph *g, Node *n);

/* ==== quant.c: the definition of quantised arithmetic ==== */

/* clamp(rne(x / scale) + zero) to the type; NaN becomes its lowest value. */
int64_t quantize(Type t, float x, float scale, int64_t zero);
/* The same with the zero point before the rounding: clamp(rne(x / scale + zero)). */
int64_t quantize_inside(Type t, float x, float scale, int64_t zero);
/* float(q - zero) * scale; the difference is taken in 32 bits. */
float dequantize(int64_t q, float scale, int64_t zero);
/* clamp(rne(float(acc) * m)) + zero, clamped to what the type leaves beside the zero point. */
int64_t requantize(Type t, int32_t acc, float m, int64_t zero);
/* The sum of two quantised numbers: clamp(rne(fma(a, r[0], fma(b, r[1], r[2])))), where r[0] and r[1] are the scales of a and b
 * divided by the result's, and r[2] is its zero point less those of a and b, scaled likewise. a, b and the result are stored r[4]
 * larger than they count there: 128 where numbers of s8 are in u8. */
int64_t qlinear_add(Type t, int64_t a, int64_t b, const float *r);
/* Their product: clamp(rne(float((a - r[1]) (b - r[2])) r[0] + r[3])), where r[0] is the scale of a times that of b divided by the
 * result's, and the others are the zero points of a, b and the result, which is stored r[4] larger than it counts. */
int64_t qlinear_mul(Type t, int64_t a, int64_t b, const float *r);
enum { LOOKUP_SIZE = 256 }; /* elements of the table that a step Lookup has */

/* ==== reduce.c: what is known of the reductions of reduce.def ==== */

/* How one is computed, see there; 0: the operator is none. */
enum { IS_REDUCTION = 1, REDUCES_TO_SUM = 2, REDUCES_REALS = 4, REDUCES_SHIFTED = 8 };
unsigned reduction_flags(Op op);
/* The type that it is computed in on elements of type t. */
Type reduction_type(Op op, Type t);
/* What it begins with where it is computed in type t. */
Number reduction_start(Op op, Type t);
/* Its axes may be known at run time only: the declared shape is the result's then, and Node.p.axes is 0. */
bool has_run_time_axes(const Node *n);

/* ==== facts.c: what is known of a node ==== */

/* May a rewrite rely on activations being finite, so that zero times one is zero? Not with --strict. */
bool assumes_finite(const Graph *g);

/* The elements of an f32 constant; NULL: v is none. */
const float *f32_data(const Value *v);
/* Linear maps whose weights and bias are constants; the bias is the third input, one number an output, or
 * absent. A Gemm also has no transpositions left, and alpha and beta of 1. A MatMul has a matrix for its
 * second operand. */
bool is_const_conv(const Node *n);
bool is_const_conv_transpose(const Node *n);
bool is_const_gemm(const Node *n);
bool is_const_matmul(const Node *n);
bool has_padding(const Node *n); /* of H or W */
int64_t taps_of_window(const Window *w);
bool is_global_pool(const Node *n);
bool is_integer_product(Op op); /* does it sum products of integers, less their zero points? */
bool is_max_pool(const Node *n); /* of a pool: its windows give their maximum, not their mean or norm */
bool is_lp_pool(const Node *n);  /* of a pool: they give their norm of order Node.p.power */
/* Products that are summed, or elements that are compared or moved, for one element of the result. A reduction's are its inputs. */
int64_t terms_of_result(const Node *n);
/* The type of the results behind step i of a node's epilogue; i -1: of its own results, before all steps. */
Type step_type(const Node *n, int i);
bool is_8_bit(Type t);
bool is_table(const Node *n, int i); /* is input i that of a Lookup? */
/* Is there such a step on results of type `from`, with an argument of that type (T_NONE: without)? */
bool step_takes(const Step *s, Type from, Type arg);
#endif
