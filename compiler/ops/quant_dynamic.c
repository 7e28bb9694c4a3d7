/* quant_dynamic.c: operators that quantise by the range of the elements themselves, as DynamicRange and QuantizeLinear. */
#include "ops.h"

Value *quantize_by_range(Graph *g, const Node *n, Value *x, Value **scale, Value **zero) {
  if (shape_count(&x->shape) == 0) fail_at(g, n, "an empty tensor has no range");
  if (shape_is_symbolic(&x->shape)) fail_at(g, n, "takes statistics of the whole batch, which is symbolic; --batch N fixes it");
  Node *range = walk_before(g, OP_DynamicRange, n->name, 1, &x, 2);
  *zero = value_new(g, format_text(g->cx, "%s.zero", n->name), T_NONE, (Shape){.rank = -1});
  range->out[1] = *zero;
  range->out[1]->def = range;
  *scale = compose_value(g, range);
  return compose_value(g, compose_node(g, n, OP_QuantizeLinear, 3, (Value *[]){x, *scale, *zero}));
}

void compose_dynamic_quantize_linear(Graph *g, Node *n) {
  Value *scale, *zero, *y = quantize_by_range(g, n, n->in[0], &scale, &zero);
  compose_other_result(g, n, 1, scale);
  compose_other_result(g, n, 2, zero);
  compose_result(g, n, y);
}
