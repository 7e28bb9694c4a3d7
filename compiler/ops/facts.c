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
  return n->op == OP_Gemm && f32_data(n->in[1]) && !n->p.trans_a && !n->p.trans_b && n->p.alpha == 1 &&
         n->p.beta == 1 && has_const_bias(n, n->in[1]->shape.d[1]);
}

bool is_const_matmul(const Node *n) {
  return n->op == OP_MatMul && f32_data(n->in[1]) && n->in[1]->shape.rank == 2 && !n->in[0]->data;
}

bool has_padding(const Node *n) {
  return n->win.top || n->win.left || n->win.bottom || n->win.right;
}

Type step_type(const Node *n, int i) {
  for (; i >= 0; i--)
    if (n->step[i].type) return n->step[i].type;
  return n->op == OP_ConvInteger ? T_I32 : n->in[0]->type;
}

static bool is_8_bit(Type t) { return t == T_U8 || t == T_I8; }

bool step_takes(const Step *s, Type from, Type arg) {
  Type to = s->type ? s->type : from;
  switch (s->op) {
  case OP_Cast: return type_size(from) > 0 && s->type;
  case OP_Requantize: return from == T_I32 && arg == T_F32 && is_8_bit(to);
  case OP_QLinearAdd: return is_8_bit(from) && is_8_bit(arg) && is_8_bit(to);
  case OP_Clip: return to == from && (from == T_F32 || is_8_bit(from));
  case OP_Add: return to == from && (arg == from || arg == T_NONE) && (from == T_F32 || from == T_I32);
  default: return from == T_F32 && to == from && (arg == T_NONE || arg == T_F32);
  }
}
