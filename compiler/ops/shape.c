/* shape.c: types and shapes of all nodes, in place of some of which stand those that they are made up of. */
#include "ops.h"

static Infer *const composition[OP_COUNT] = {
#define OP(name, ...)
#define COMPOSED(name, compose, ...) [OP_##name] = compose_##compose,
#include "ops.def"
#undef OP
};

static void compose(Graph *g, Node *n) {
  check_inputs(g, n);
  composition[n->op](g, n);
}

/* Inputs, and constants with their data. */
static void check_given_values(Graph *g, int from) {
  for (int i = from; i < g->n_value; i++) {
    const Value *v = g->value[i];
    if (!v->def && v->shape.rank >= 0 && !fits_memory(g, v->type, &v->shape))
      fail(g->cx, "value \"%s\" %s alone is larger than the memory limit", v->name,
           shape_text(g->cx, &v->shape));
  }
}

void infer_nodes(Graph *g, int node, int value) {
  check_given_values(g, value);
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    if (node-- > 0) continue;
    if (composition[n->op]) compose(g, n);
    else infer_node(g, n);
    evaluate_values(g, n);
  }
}

void pass_shape(Graph *g) {
  lengths_as_declared(g);
  infer_nodes(g, 0, 0);
}
