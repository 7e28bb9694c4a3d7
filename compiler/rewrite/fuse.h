/* fuse.h: shared by fuse*.c. */
#ifndef FUSE_H
#define FUSE_H

#include "resnetcc.h"

/* ==== fuse.c ==== */

/* May a rewrite rely on activations being finite, so that zero times one is zero? Not with --strict. */
bool assumes_finite(const Graph *g);
/* n computes from's result in its place. */
void give_output(Node *n, const Node *from);
/* By the operator that computes v; false: not known. */
bool never_negative(const Value *v);
/* n as a step on its operand `chain`, with the argument left out (arg is -1); false: no such step exists. */
bool step_of_node(const Node *n, int chain, Step *s);

/* The elements of an f32 constant; NULL: v is none. */
const float *f32_data(const Value *v);
/* Linear maps whose weights and bias are constants; the bias is the third input, one number an output, or
 * absent. A Gemm also has no transpositions left, and alpha and beta of 1. A MatMul has a matrix for its
 * second operand. */
bool is_const_conv(const Node *n);
bool is_const_gemm(const Node *n);
bool is_const_matmul(const Node *n);
bool has_padding(const Node *n); /* of H or W */
#endif
