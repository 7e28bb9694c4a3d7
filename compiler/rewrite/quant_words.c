/* quant_words.c: what all files quant_*.c ask of quantised values, and how they end. */
#include "rewrite.h"

bool is_single(const Value *v) { return v->data && !v->sym && shape_count(&v->shape) == 1; }

bool uniform_of(const Node *n, Uniform *u) {
  const Value *zero = n->n_in > 2 ? n->in[2] : NULL;
  if (!is_single(n->in[1]) || (zero && !is_single(zero))) return false;
  u->scale = (float)get_number(n->in[1]->type, n->in[1]->data, 0).f;
  u->zero = zero ? get_number(zero->type, zero->data, 0).i : 0;
  return true;
}

Node *dequantized(const Value *v) {
  Node *n = v ? v->def : NULL;
  return n && n->op == OP_DequantizeLinear ? n : NULL;
}

bool graph_is_quantized(const Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    Op op = g->node[i]->op;
    if (op_info[op].family == FAMILY_SCALE || is_integer_product(op)) return true;
    for (int k = 0; k < g->node[i]->n_step; k++)
      if (is_8_bit(g->node[i]->step[k].type)) return true;
  }
  return false;
}

bool quant_has_bounds(const QuantSite *s) { return s->lo > type_lowest(s->type) || s->hi < type_highest(s->type); }

QuantSite quant_unbounded(const QuantSite *s) {
  QuantSite bare = *s;
  bare.lo = type_lowest(s->type);
  bare.hi = type_highest(s->type);
  return bare;
}

void quant_bound(const QuantSite *s, Node *n) {
  if (quant_has_bounds(s))
    node_add_step(s->g, n, (Step){.op = OP_Clip, .type = s->type, .arg = -1, .a = (float)s->lo, .b = (float)s->hi});
}

void quant_finish(const QuantSite *s, Node *n) {
  quant_bound(s, n);
  Node *above = s->quantize;
  give_output(n, s->quantize);
  do {
    above->dead = true;
    above = above == s->op ? NULL : above->in[0]->def;
  } while (above);
  infer_node(s->g, n);
}
