/* quant_range.c: the scale and zero point of quantisation by the range of the elements themselves.
 *
 * lo and hi are the least and the largest element, or 0; NaN counts as none. (hi - lo) / 255 is the scale, 1 where there are only
 * zeros, and the zero point is where 0 comes to lie, rounded half to even. */
#include "ops.h"

#include <math.h>

void infer_dynamic_range(Graph *g, Node *n) {
  Shape scalar = shape_of(0);
  for (int k = 0; k < n->in[0]->shape.rank; k++) check_number(g, n, 0, k);
  set_output(g, n, 0, T_F32, &scalar);
  if (n->n_out > 1) set_output(g, n, 1, T_U8, &scalar);
}

void eval_dynamic_range(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const float *x = in[0];
  float lo = 0, hi = 0;
  for (int64_t i = 0; i < shape_count(&n->in[0]->shape); i++) {
    lo = x[i] < lo ? x[i] : lo;
    hi = x[i] > hi ? x[i] : hi;
  }
  float scale = hi == lo ? 1 : (hi - lo) / 255, zero = 0 - lo / scale;
  zero = zero > 0 ? zero : 0;
  if (out[0]) *(float *)out[0] = scale;
  if (n->n_out > 1 && out[1]) *(uint8_t *)out[1] = (uint8_t)nearbyintf(zero < 255 ? zero : 255);
}
