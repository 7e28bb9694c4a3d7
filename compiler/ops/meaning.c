/* meaning.c: each operator's functions, from its row. */
#include "ops.h"

/* Of operators that import makes others of. */
void infer_none(Graph *g, Node *n) {
  (void)g, (void)n;
  assert(!"an operator that infers");
}

void eval_none(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g, (void)n, (void)in, (void)out;
  assert(!"an operator that can be evaluated");
}

const Meaning meaning[OP_COUNT] = {
#define OP(name, infer, eval, emit, ...) [OP_##name] = {infer_##infer, eval_##eval},
#include "ops.def"
#undef OP
};
