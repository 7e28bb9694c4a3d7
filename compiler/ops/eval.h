/* eval.h: shared by eval*.c; witness.c has elements from here. */
#ifndef EVAL_H
#define EVAL_H

#include "resnetcc.h"

/* ==== eval.c: single elements, and places in tensors ==== */

/* An element of any type, widened: floats are f, the signed integers and bool i, the unsigned integers u. */
typedef union Number {
  double f;
  int64_t i;
  uint64_t u;
} Number;
Number get_number(Type t, const void *data, int64_t i);
void put_number(Type t, void *data, int64_t i, Number v); /* floats round to nearest even, integers wrap */
Number convert_number(Type from, Type to, Number v);      /* ONNX Cast */
bool number_less(Type t, Number a, Number b);
bool number_beats(Type t, Number a, Number b); /* a is the maximum of both, b having come first: NaN is the largest */

/* Walks the elements of `shape` in row-major order; `at` is the current one's offset under the strides. */
typedef struct Cursor {
  const Shape *shape;
  int64_t stride[MAX_RANK], index[MAX_RANK], at;
} Cursor;
void cursor_next(Cursor *c);
void dense_strides(const Shape *s, int64_t *stride);
/* A cursor over a tensor of shape s broadcast to `to`. */
Cursor broadcast_cursor(const Shape *s, const Shape *to);

/* ==== the operators ==== */

/* Computes n's outputs, out[i], from in[i]; unused outputs are NULL. */
typedef void Eval(Graph *g, const Node *n, const void *const *in, void **out);
/* eval_nn.c */
Eval eval_conv, eval_max_pool, eval_average_pool, eval_global_average_pool, eval_global_max_pool,
    eval_batch_norm, eval_gemm, eval_matmul;
/* eval_reduce.c */
Eval eval_softmax, eval_reduce_mean, eval_argmax;
/* eval_move.c */
Eval eval_copy, eval_dropout, eval_transpose, eval_concat, eval_split, eval_slice, eval_pad, eval_gather, eval_space_to_depth,
    eval_constant_of_shape, eval_shape;
#endif
