/* quant_product.c: products of matrices of integers.
 *
 *   a u8 -- DequantizeLinear --+
 *   b s8 -- DequantizeLinear --+-- Gemm, MatMul -- [Relu] -- QuantizeLinear -- y
 *   c i32 - DequantizeLinear --+
 *
 *       MatMulInteger(a, b) | Add(c) | Requantize(alpha sa sb / sy, zy) : u8                -- y */
#include "rewrite.h"

/* A scale and a zero point for all, or of constants one for each column. */
static bool read_product(QuantSums *s, Graph *g, const Node *n) {
  const Shape *b = &n->in[1]->shape, *y = &n->out[0]->shape;
  bool gemm = n->op == OP_Gemm, columns = b->rank > 1;
  if (gemm && has_input(n, 2) && n->p.beta != 1) return false;
  *s = (QuantSums){.g = g, .op = n, .channels = columns ? y->d[y->rank - 1] : 1};
  if (s->channels < 1 || !sums_read(s, columns ? gemm && n->p.trans_b ? 0 : b->rank - 1 : -1, gemm ? n->p.alpha : 1)) return false;
  if (shape_count(&s->w->in[1]->shape) > 1) s->beside = shape_of(1, s->channels);
  return true;
}

static Value *transposed_before(Graph *g, const char *name, Value *x) {
  return new_result(g, walk_before(g, OP_Transpose, name, 1, &x, 1));
}

static Node *integer_product(const QuantSums *s) {
  const Node *n = s->op;
  Value *a = s->x->in[0], *b = s->w->in[0];
  if (n->p.trans_a) a = transposed_before(s->g, n->name, a);
  if (n->p.trans_b) b = transposed_before(s->g, n->name, b);
  return sums_node(s, OP_MatMulInteger, a, b);
}

bool quant_product(const QuantSite *site) {
  QuantSums s;
  if (!read_product(&s, site->g, site->op) || !sums_take_bias(&s, true)) return false;
  sums_requantize(&s, site, integer_product(&s));
  return true;
}

bool quant_product_value(Graph *g, Node *n) {
  QuantSums s;
  if (!read_product(&s, g, n)) return false;
  Value *b = sums_take_bias(&s, false) ? NULL : n->in[2];
  sums_leave(&s, integer_product(&s), b);
  n->dead = true;
  return true;
}
