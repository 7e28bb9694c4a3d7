/* shape.h: shared by shape*.c. Every operator has a function that checks its inputs and sets its outputs. */
#ifndef SHAPE_H
#define SHAPE_H

#include "resnetcc.h"

/* ==== shape.c: what the operators' functions are made of ==== */

bool has_input(const Node *n, int i);
/* Sets output i if it is used; fails if the tensor's size overflows. */
/* For the end of a message: the remedy, where what n refuses may come from the symbolic batch; else nothing. */
const char *batch_remedy(const Graph *g, const Node *n);
void set_output(Graph *g, Node *n, int i, Type type, const Shape *s);
/* The axis counted from the front; fails outside [-rank, rank). */
int check_axis(Graph *g, const Node *n, int64_t axis, int rank);
/* Fails unless input i has the type of input 0. */
void check_same_type(Graph *g, const Node *n, int i);
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
/* The shape that the model declares for output i before it is inferred; fails, naming what is missing, if
 * there is none. A model whose run-time argument says otherwise contradicts itself, so the declaration may
 * stand for the argument. */
Shape declared_output(Graph *g, const Node *n, int i, const char *what);
/* A constant with the dimensions as elements. */
Value *shape_constant(Graph *g, const char *name, const Shape *s);
/* Attribute of `count` integers; out keeps its defaults where there is none. */
void ints_attr(Graph *g, const Node *n, const char *name, int count, int64_t *out);

/* ==== the operators ==== */

typedef void Infer(Graph *g, Node *n);
/* shape_nn.c */
Infer infer_conv, infer_pool, infer_global_pool, infer_batch_norm, infer_gemm, infer_matmul;
/* shape_move.c */
Infer infer_transpose, infer_concat, infer_split, infer_slice, infer_pad, infer_gather,
    infer_space_to_depth;
/* shape_view.c */
int shape_start(const Node *n); /* Shape: the first axis it takes */
Infer infer_flatten, infer_reshape, infer_squeeze, infer_unsqueeze, infer_constant_of_shape, infer_shape;

/* ==== shape_values.c ==== */

/* Computes Value.data and .sym of the node's outputs if they are small and follow from constants and
 * shapes. */
void evaluate_values(Graph *g, Node *n);
#endif
