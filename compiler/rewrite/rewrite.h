/* rewrite.h: passes over the graph that know no target. */
#ifndef REWRITE_H
#define REWRITE_H

#include "ops.h"

/* ==== the passes, in their order; the table of compiler/README.md says what each needs ==== */

void pass_precision(Graph *g);   /* precision.c: floats of 16 bits at the interface alone */
void pass_prepare(Graph *g);     /* quant_prepare.c: quantised graphs in the form that quant looks for */
void pass_quant(Graph *g);       /* quant.c: operators between DequantizeLinear and QuantizeLinear work on integers */
void pass_fold(Graph *g);        /* fold.c: constants, identities, common subexpressions, dead code; also after others */
void pass_batch(Graph *g);       /* batch.c: checks that images are independent, puts 1 for the batch symbol */
void pass_activations(Graph *g); /* activation.c: activations, powers and bounds that are spelt out, as the operator that they are */
void pass_normalize(Graph *g);   /* normalize.c: normalisations, spelt out or not, as Normalize, Mul and Add */
void pass_moves(Graph *g);       /* moves.c: Pad into Conv and pools; transposes cancelled or sunk; reductions over the map as pools */
void pass_affine(Graph *g);      /* affine.c: batch norm, scale and shift chains merged and folded into convolutions */
void pass_channels(Graph *g);    /* channels.c: constant channels dropped, BatchZero blocks to their identity */
void pass_views(Graph *g);       /* views.c: products read their matrices where they lie */
void pass_fuse(Graph *g);        /* fuse.c: elementwise operators become epilogues of anchors */
void pass_polyphase(Graph *g);   /* polyphase.c: transposed convolutions as interleaved ones of stride 1 */
void pass_rank(Graph *g);        /* line.c: one-dimensional convolutions and pools as two-dimensional of height 1 */
void pass_volume(Graph *g);      /* volume.c: volumes as images, their frames, and convolutions over them likewise */
void pass_trim(Graph *g);        /* trim.c: windows without taps that never meet the image */
void pass_stem(Graph *g);        /* stem.c: convolutions of few channels and stride 2 as SpaceToDepth and one of stride 1 */
void pass_zeros(Graph *g);       /* weight_zeros.c: what zero points of weights take off is summed once a pixel */

/* ==== parts of passes ==== */

void remove_dead(Graph *g); /* fold.c: dead code alone */
/* The same as pass_fold, but a DequantizeLinear of constants of 8 or 32 bits stays, if not by blocks, and nothing is merged: two
 * QuantizeLinear of one result are two readers, of what is computed in fp32 then. */
void fold_but_dequantized(Graph *g);

/* resample.c: a Resize, the current node of a walk, becomes Resamples; false: what it needs is not known. */
bool resize_as_resamples(Graph *g, Node *n);

/* shuffle.c, each true if something changed: a Reshape behind a Transpose is a DepthToSpace or SpaceToDepth; these have a place's
 * channels beside each other; an elementwise operator stands before a DepthToSpace; a Tile is an Expand; an Expand is left to its readers. */
bool squares_by_name(Graph *g, Node *n);
bool depth_by_place(Graph *g, Node *n);
bool space_by_place(Graph *g, Node *n);
bool before_shuffle(Graph *g, Node *n);
bool tile_as_expand(Graph *g, Node *n);
bool readers_expand(Graph *g, Node *n);

/* ==== quant.c: a rule for each kind of operator in a file quant_*.c; quant_words.c: what these share ==== */

/* A scale and a zero point for the whole tensor. */
typedef struct Uniform {
  float scale;
  int64_t zero;
} Uniform;

/* An operator whose result is quantised, and read by nobody else. */
typedef struct QuantSite {
  Graph *g;
  Node *op, *quantize;
  Type type;             /* of 8 bits */
  Uniform out;
  int64_t lo, hi;        /* bounds of the quantised result, which a Relu or Clip between them may narrow */
} QuantSite;

/* Is it a constant of one element? */
bool is_single(const Value *v);
/* Those of a QuantizeLinear or DequantizeLinear; false: they are not known, or more than one. */
bool uniform_of(const Node *n, Uniform *u);
/* Does it compute of quantised numbers? What it computes of floats beside them is rounded as it stands there, operator by operator. */
bool graph_is_quantized(const Graph *g);
/* The DequantizeLinear that makes v; NULL: it is made otherwise. v may be NULL. */
Node *dequantized(const Value *v);
/* Is the result bounded within its type? */
bool quant_has_bounds(const QuantSite *s);
/* It without bounds, which are met otherwise. */
QuantSite quant_unbounded(const QuantSite *s);
/* The bounds, if there are any, as n's last step. */
void quant_bound(const QuantSite *s, Node *n);
/* n, of integers, with the bounds as its last step, takes the place of all from the operator to the QuantizeLinear. */
void quant_finish(const QuantSite *s, Node *n);

void signs_of_kernels(Graph *g); /* quant_sign.c: activations of u8, weights of s8; each DequantizeLinear has one reader */
/* quant_why.c: lists in g->in_fp32 the operators of a quantised network that no rewrite took, and why. */
void list_floats(Graph *g);

/* quant_sums.c: a Conv, Gemm or MatMul of dequantised operands as sums of integers. */
typedef struct QuantSums {
  Graph *g;
  const Node *op, *x, *w;   /* x, w: what makes its operands */
  int64_t channels;         /* of the result: that may have scales of their own */
  Shape beside;             /* of a constant with a number for each of them, beside the result; or of one for all */
  float *unit;              /* alpha sx sw, by channel */
  int32_t *bias;            /* in units, [row][channel]; NULL: none */
  int64_t bias_rows;
} QuantSums;
/* Sets x, w and unit; op, channels and alpha are given, and the axis of w along which its scales may stand. False: they are not
 * known, or stand otherwise. */
bool sums_read(QuantSums *s, int w_axis, float alpha);
/* Takes the bias as integers: those that it is made of or, where it may be `rounded`, the nearest. False: they do not fit. */
bool sums_take_bias(QuantSums *s, bool rounded);
/* The bias as numbers, one a channel; NULL: it is not known. */
Value *sums_plain_bias(const QuantSums *s);
/* Before the current node of the walk: the sums with the bias; ended by one of the others, with a bias of numbers or NULL. */
Node *sums_node(const QuantSums *s, Op op, Value *x, Value *w);
void sums_requantize(const QuantSums *s, const QuantSite *site, Node *n);
void sums_leave(const QuantSums *s, Node *n, Value *bias);

/* Each makes an integer node before the current one of a walk; false: the operands have another form. */
bool quant_conv(const QuantSite *s);
bool quant_product(const QuantSite *s);
bool quant_add(const QuantSite *s);
bool quant_mul(const QuantSite *s);
bool quant_global_pool(const QuantSite *s);
bool quant_reduce_mean(const QuantSite *s);
bool quant_average_pool(const QuantSite *s);
bool quant_move(const QuantSite *s); /* of any operator that only moves or compares elements */
bool quant_function(const QuantSite *s); /* quant_table.c: of any operators on one number, whoever else reads them */
/* The same for an operator whose result is wanted in fp32: integer sums times a scale take n's place. */
bool quant_conv_value(Graph *g, Node *n);
bool quant_product_value(Graph *g, Node *n);

/* quant_table.c: before the current node, v, an 8-bit number dequantised, quantised as the site says. */
Value *lookup_before(const QuantSite *s, const Value *v);
/* n, a Pointwise made for a site, becomes a table where all that it reads follows from one number. */
void compose_table(Graph *g, Node *n);

/* quant_dynamic.c: QuantizeLinear and ConvInteger whose parameters are known at run time only. */
void quant_dynamic(Graph *g);

/* ==== quantize.c: a graph of floats as one that pass_quant makes integers of ==== */

typedef struct QuantRange { float lo, hi; } QuantRange;

/* What is quantised, and how. */
typedef struct Quantizing {
  bool *works;           /* by node: it is to work on integers */
  int n_value;
  bool *wanted;          /* by value id: it is quantised */
  Value **same;          /* likewise: that has the numbers; NULL: it has its own */
  QuantRange *range;     /* likewise, of those: filled by the caller */
  float **mean;          /* likewise: the mean of each channel, from which the error of rounded weights is known; NULL: it is not */
  Value **result;        /* likewise: it dequantised; set by quantize_graph */
} Quantizing;

/* Of a graph of ONNX's operators, as the pass channels leaves it. keep: by node, those that stay in floats. */
Quantizing quantizing_new(Graph *g, const bool *keep);
void quantize_graph(Graph *g, const Quantizing *q);

/* equalize.c: uneven channels between two convolutions are made even, of a graph that is to be quantised; returns how many pairs.
 * largest: by value id, the largest magnitude in each channel; NULL: not known. */
int equalize_channels(Graph *g, const bool *keep, const float *const *largest);

/* ==== words.c ==== */

/* The node without an epilogue that computes v, if it is of that operator; OP_NONE: any. v may be NULL. */
Node *made_by(const Value *v, Op op);
/* n computes from's result in its place. */
void give_output(Node *n, const Node *from);
/* `second`, which alone reads first's result, as its input 0, comes before it: it reads input i of `first`, and that reads its
 * result instead. */
void change_places(Graph *g, Node *first, int i, Node *second);
/* A fresh value for n's result, inferred. */
Value *new_result(Graph *g, Node *n);
/* n, a convolution, adds the other part of its sum before its steps, but for a bias of integers. */
void add_sum(Graph *g, Node *n, Value *sum);
/* n, a Reshape to be inferred, reads x in that shape. */
void set_view(Graph *g, Node *n, Value *x, const Shape *s);
/* The same before the current node of a walk: its result. */
Value *view_before(Graph *g, const char *name, Value *x, const Shape *s);
/* x as that type, likewise; x itself if it is. */
Value *cast_before(Graph *g, const char *name, Value *x, Type to);
/* The values that stand for others in another form, of those that a graph has when a pass begins. */
typedef struct Forms {
  int n;
  Value **form; /* by id */
} Forms;
Forms forms_new(const Graph *g);
Value *form_of(const Forms *f, const Value *v); /* NULL: there is none yet */
void form_set(const Forms *f, const Value *v, Value *form);
/* Which inputs of n hold what its results are made of, a bit each (UINT32_MAX: all), if n does nothing but move elements, or choose
 * by their order; else 0. */
unsigned data_inputs(const Node *n);
/* n's window over H and W as attributes, from which it can be inferred. */
void set_window(Graph *g, Node *n, const Window *k);

/* ==== fuse.c, for the others ==== */

/* By the operator that computes v; false: not known. */
bool never_negative(const Value *v);
/* n as a step on its operand `chain`, with the argument left out (arg is -1); false: no such step exists. */
bool step_of_node(const Node *n, int chain, Step *s);
#endif
