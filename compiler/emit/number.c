/* number.c: the numbers of steps that quantise, which code reads or has in it (lower/numbers.c). */
#include "emit.h"

#include <llvm-c/Core.h>

static Ref load_number(Emit *e, const Node *n, int i, StepNumber which, LLVMTypeRef type) {
  return load_invariant(e, type, e->numbers, numbers_before(n, i) + which * (int64_t)sizeof(float), 4);
}

Ref step_real(Emit *e, const Node *n, int i, StepNumber which, Ref x) {
  if (!step_is_numbered(n, i)) return real_like(e, x, numbers_get(n, i, which));
  return splat(e, load_number(e, n, i, which, e->f32), lane_count(x));
}

Ref step_zero_like(Emit *e, const Node *n, int i, Ref x) {
  if (!step_is_numbered(n, i)) return whole_like(e, x, (int64_t)step_zero(&n->step[i]));
  return splat(e, load_number(e, n, i, NUMBER_INTEGER, element_of(x)), lane_count(x));
}
