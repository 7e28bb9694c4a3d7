/* facts.c: what is known of a node. */
#include "ops.h"

bool assumes_finite(const Graph *g) {
  return !g->opt || !g->opt->strict;
}

const float *f32_data(const Value *v) {
  return v && v->type == T_F32 ? v->data : NULL;
}

/* Is the third input absent, or a constant of that many elements in one row? */
static bool has_const_bias(const Node *n, int64_t count) {
  if (n->n_in < 3 || !n->in[2]) return true;
  const Shape *s = &n->in[2]->shape;
  return f32_data(n->in[2]) && s->rank == 1 && s->d[0] == count;
}

bool is_const_conv(const Node *n) {
  return n->op == OP_Conv && f32_data(n->in[1]) && has_const_bias(n, n->in[1]->shape.d[0]);
}

bool is_const_gemm(const Node *n) {
  return n->op == OP_Gemm && f32_data(n->in[1]) && !attr_int(n, "transA", 0) && !attr_int(n, "transB", 0) &&
         attr_float(n, "alpha", 1) == 1 && attr_float(n, "beta", 1) == 1 &&
         has_const_bias(n, n->in[1]->shape.d[1]);
}

bool is_const_matmul(const Node *n) {
  return n->op == OP_MatMul && f32_data(n->in[1]) && n->in[1]->shape.rank == 2 && !n->in[0]->data;
}

bool has_padding(const Node *n) {
  return n->win.top || n->win.left || n->win.bottom || n->win.right;
}
