/* quant_why.c: which operators of a quantised network are computed in fp32 all the same, and what keeps them from integers. */
#include "rewrite.h"

/* Operators that compute. Moves and views are the same in any type, and what comes with them is read at run time or folds away. */
static bool is_computed(const Node *n) {
  switch (op_info[n->op].family) {
  case FAMILY_CONV: case FAMILY_PRODUCT: case FAMILY_POOL: case FAMILY_NORM: case FAMILY_NORMALIZE: case FAMILY_UNARY: case FAMILY_BINARY:
  case FAMILY_REDUCE: case FAMILY_RESIZE:
    return n->op != OP_Cast && n->op != OP_DynamicRange && n->n_step == 0 && n->out[0] && n->out[0]->type == T_F32;
  case FAMILY_POINTWISE: case FAMILY_CHOICE: case FAMILY_SCALE: case FAMILY_MOVE: case FAMILY_FILL: case FAMILY_VIEW: case FAMILY_SHAPE:
  case FAMILY_STEP: case FAMILY_IMPORT: case FAMILY_COMPOSED: case FAMILY_COUNT:
    break;
  }
  return false;
}

static bool is_product(const Node *n) { return op_info[n->op].family == FAMILY_CONV || op_info[n->op].family == FAMILY_PRODUCT; }

/* "the weights are", of operand i. */
static const char *operand_text(const Node *n, int i) {
  static const char *const of_products[] = {"the input is", "the weights are"}, *const of_others[] = {"the first input is", "the second input is"};
  bool only = op_info[n->op].family != FAMILY_BINARY && !is_product(n);
  return only ? "the input is" : is_product(n) ? of_products[i] : of_others[i];
}

/* What keeps operand i from being read as bytes; NULL: nothing. */
static const char *operand_reason(Graph *g, const Node *n, int i) {
  const Node *d = dequantized(n->in[i]);
  Type t = d ? d->in[0]->type : T_NONE;
  bool weights = is_product(n) && i == 1;
  Uniform u;
  if (!d) return format_text(g->cx, "%s not quantised", operand_text(n, i));
  if (!is_8_bit(t)) return format_text(g->cx, "%s quantised to %s", operand_text(n, i), type_name(t));
  if (weights && !d->in[0]->data) return "the weights are not constant";
  if (!weights && !uniform_of(d, &u)) return format_text(g->cx, "%s quantised with more than one scale", operand_text(n, i));
  return NULL;
}

/* What keeps the result from being made as bytes; NULL: nothing. Products leave integers all the same. */
static const char *result_reason(Graph *g, const Node *n) {
  Value *y = n->out[0];
  Node *reader = only_reader(y);
  Uniform u;
  while (reader && (reader->op == OP_Relu || reader->op == OP_Clip)) {
    y = reader->out[0];
    reader = only_reader(y);
  }
  if (y->is_output) return "the result is an output";
  if (!reader) return "the result is read by several nodes";
  if (reader->op != OP_QuantizeLinear) return "the result is not quantised";
  if (!is_8_bit(reader->out[0]->type)) return format_text(g->cx, "the result is quantised to %s", type_name(reader->out[0]->type));
  return uniform_of(reader, &u) ? NULL : "the result is quantised with more than one scale";
}

static const char *reason_of(Graph *g, const Node *n) {
  int operands = op_info[n->op].family == FAMILY_BINARY || is_product(n) ? 2 : 1;
  const char *reason = NULL;
  for (int i = 0; i < operands && !reason; i++) reason = operand_reason(g, n, i);
  if (!reason && !is_product(n)) reason = result_reason(g, n);
  return reason ? reason : "there is no form of it on integers";
}

void list_floats(Graph *g) {
  if (!graph_is_quantized(g)) return;
  g->in_fp32 = alloc_n(g->cx, (size_t)g->n_node + 1, sizeof *g->in_fp32);
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    if (is_computed(n)) g->in_fp32[g->n_in_fp32++] = (FloatNode){n->name, n->op, reason_of(g, n)};
  }
}
