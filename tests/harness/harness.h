/* harness.h: a graph as text, compiled in this process and run, against the evaluator. */
#ifndef HARNESS_H
#define HARNESS_H

#include "fixture.h"

/* Compiles the graph for the host and for narrower vectors, runs it on random inputs, all at once and as
 * three tasks, and fails the test unless every output is what eval_graph answers for the graph as it is
 * written: integers equal, floats within `tolerance` of the output's largest magnitude. Inputs and outputs
 * end at pages that must not be touched; the workspace holds NaNs at first. Float inputs are in [-2, 2),
 * integers in [1, 10), which is safe to divide by. */
void check_kernel(const char *graph, double tolerance);

/* The same with Winograd's algorithm wherever it can be: of the largest tiles, then of 2x2. */
void check_winograd(const char *graph, double tolerance);

/* The same with weights as small as they get. */
void check_small(const char *graph, double tolerance);

/* The same with Strassen's. */
void check_strassen(const char *graph, double tolerance);

/* check_kernel with all inputs but bool in [lo, hi). */
void check_kernel_in(const char *graph, double tolerance, double lo, double hi);

/* The same, every bit, and also for CPUs that multiply 8-bit integers by other instructions. */
void check_integers(const char *graph, double lo, double hi);
void check_integer_winograd(const char *graph, double lo, double hi); /* the same, by Winograd's algorithm where it can be */

/* check_kernel with NaNs, infinities, zeros of both signs and denormals among the floats of the inputs, many and then few. NaNs
 * and infinities must come out where the evaluator has them; with `signs`, zeros with their signs as well. */
void check_special(const char *graph, double tolerance, bool signs);

/* Runs the graph on these inputs: the one output must be the n numbers, with the signs of zeros, from the evaluator and from the
 * code. */
void check_values(const char *graph, const double *const *inputs, const double *output, int n);

/* check_special with --strict and few special values, as for sums; with many, and the signs of zeros. */
void check_strict(const char *graph, double tolerance);
void check_signs(const char *graph, double tolerance);

/* With very few of them and Winograd's or Strassen's algorithm wherever they can be: what is not finite with the evaluator must not
 * be finite here, and what is finite here must be right. */
void check_spread(const char *graph, double tolerance);

/* ---- convolutions: the graph is y = Conv(x, w, b), then `rest` ---- */

typedef struct ConvCase {
  int n, c, h, w, oc, kh, kw, group;
  int sh, sw, dh, dw, top, left, bottom, right;
} ConvCase;

typedef void Check(const char *graph, double tolerance); /* one of the above */
void check_conv(Check *run, const ConvCase *k, const char *rest, double tolerance);
void check_convs(Check *run, const ConvCase *k, size_t count, const char *rest, double tolerance);

/* The graph y = ConvInteger(x, w, zx) of u8 and s8, every bit. zero: the zero points of the weights as in "[] = {7}"; NULL: none.
 * steps: an epilogue, whose inputs 4 and 5 are a bias and factors below `most`; "": none. */
void check_conv_integer(const ConvCase *k, int zx, const char *zero, const char *steps, double most);

/* A case from a file: with its elements, where it has some, and the signs of zeros; else as its lines say. */
void check_case(const OpCase *c);

#endif
