/* statistics.c: what normalisations are made of. */
#include "emit.h"

Ref inverse_divisor(Emit *e, const Node *n, Ref sum, Ref count) {
  Ref one = real_like(e, sum, 1), epsilon = real_like(e, sum, n->p.epsilon);
  switch (n->p.divisor) {
  case DIVISOR_VARIANCE: return div_f(e, one, sqrt_f(e, add_f(e, div_f(e, sum, count), epsilon)));
  case DIVISOR_DEVIATION: return div_f(e, one, add_f(e, sqrt_f(e, div_f(e, sum, count)), epsilon));
  case DIVISOR_L1: return div_f(e, one, sum);
  case DIVISOR_L2: return div_f(e, one, sqrt_f(e, sum));
  }
  return NULL;
}

Ref add_term(Emit *e, const Node *n, Ref acc, Ref x, Ref mean) {
  if (mean) x = sub_f(e, x, mean);
  if (n->p.divisor != DIVISOR_L1) return fma_(e, x, x, acc);
  return add_f(e, acc, abs_f(e, x));
}
