/* random_nodes.h: between random_graph.c, which has the words and the state, and random_nodes.c, which makes nodes of them. */
#ifndef RANDOM_NODES_H
#define RANDOM_NODES_H

#include "random_graph.h"

typedef RandomGraph R;
typedef RandomValue V;

enum { MOST_WORK = 1 << 21 /* of a node, in products or elements */ };

static inline int below(R *r, int n) { return (int)random_below(&r->state, (uint64_t)n); }
static inline bool one_in(R *r, int n) { return below(r, n) == 0; }
static inline bool batched(const V *v) { return v->shape.rank > 0 && v->shape.d[0] < 0; }

/* A size of an axis: small ones, those around a vector's, seldom an empty one. */
int64_t random_size(R *r);
/* A stride, a dilation or an amount of padding of a window. */
int64_t random_extent(R *r, int usual);
void random_input(R *r, Type type, Shape s); /* a value and its statement */

void random_say(R *r, const char *fmt, ...) PRINTF(2, 3); /* a statement more */
const char *random_ints(R *r, const char *brackets, int n, const int64_t *v);
/* Names for the next statement's constant or value. */
const char *random_new_constant(R *r);
const char *random_new_value(R *r);
/* Statements of a new constant, whose name they return: floats in [-most, most), in [lo, hi), an integer, integers. */
const char *random_constant(R *r, const Shape *s, double most);
const char *random_constant_between(R *r, const Shape *s, double lo, double hi);
const char *random_int(R *r, int64_t v);
const char *random_int_list(R *r, int n, const int64_t *v);

/* A value of a type (T_NONE: any) and rank; the newest are taken most often. NULL: found none. */
const V *random_any(R *r, Type type, int lo, int hi);
int random_axis(R *r, const V *v);                   /* that is no batch; -1: there is none */
Shape random_smaller_shape(R *r, const Shape *s);    /* one that broadcasts to s */
/* Keeps the statements from line `first` on, the last of which is a node, if shape inference takes them. */
bool random_keep(R *r, int first, Op op, bool exact, double magnitude);
/* The same; the result has all but name, type and shape from `facts`. NULL: they are not kept. */
V *random_keep_as(R *r, int first, Op op, V facts);

typedef struct RandomWindow {
  int64_t kernel[3], stride[3], dilation[3], pad[6];
} RandomWindow;

/* Over `rank` axes; a pool's padding is smaller than its kernel. */
RandomWindow random_window(R *r, int rank, bool pool);
const char *random_window_text(R *r, const RandomWindow *w, int rank, bool dilated);
int64_t random_group(R *r, int64_t channels); /* a divisor */

/* random_nodes.c: proposes a node of a random operator; false: it came to nothing. */
bool random_node(R *r);

/* random_index.c: the same of those that move elements by index, or make them by place. */
bool random_index_node(R *r);

/* random_quantized.c: quantised graphs, as exporters write them. */
void random_quantized_inputs(R *r);
bool random_quantized_node(R *r);
/* A quantised value, the newest most often; NULL: found none. */
V *random_bytes(R *r, int lo, int hi);
/* Statements of a scale, of one element; of a zero point, `_` where it may be left out. */
const char *random_scale_text(R *r, float scale);
const char *random_zero_text(R *r, Type t, int zero);
float random_scale(R *r, double about);
const char *random_floats(R *r, int n, const float *v); /* a constant of a list */
V *random_dequantized(R *r, V *q);           /* its numbers; NULL: there is no room */
/* What quantises numbers of that spread: of type, scale and zero. */
V random_parameters(R *r, double spread, bool positive);
double random_spread(const V *p);            /* the usual size of what integers of these parameters stand for */
V *random_quantize(R *r, const V *x, const V *to);
/* x, which an operator made, is left as it is, or goes through an activation, or is quantised. */
bool random_finish(R *r, const V *x);

/* random_moves.c: what only moves quantised values. */
bool random_turn(R *r), random_view(R *r), random_split(R *r), random_axes(R *r), random_pick(R *r), random_slice(R *r), random_pad(R *r),
  random_resize(R *r);

/* random_sums.c: products and convolutions of quantised numbers. */
bool random_sums(R *r);

/* random_qlinear.c: operators that have the scales of their operands as inputs. */
bool random_quantized_operator(R *r);
/* A scale and a zero point as two arguments, whose statements come before. */
const char *random_pair(R *r, const V *q);
/* Facts of what is made like `from` and quantised by `to`. */
V random_bytes_facts(V from, const V *to);

/* random_pointwise.c */
bool random_function(R *r);
bool random_extremum(R *r);
bool random_condition(R *r);
bool random_logic(R *r);
bool random_choice(R *r);

#endif
