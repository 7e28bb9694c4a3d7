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

bool is_const_conv_transpose(const Node *n) {
  return n->op == OP_ConvTranspose && f32_data(n->in[1]) && has_const_bias(n, n->in[1]->shape.d[1] * n->group);
}

bool is_const_gemm(const Node *n) {
  return n->op == OP_Gemm && f32_data(n->in[1]) && !n->p.trans_a && !n->p.trans_b && n->p.alpha == 1 &&
         n->p.beta == 1 && has_const_bias(n, n->in[1]->shape.d[1]);
}

bool is_const_matmul(const Node *n) {
  return n->op == OP_MatMul && f32_data(n->in[1]) && n->in[1]->shape.rank == 2 && !n->in[0]->data;
}

bool is_max_pool(const Node *n) {
  assert(op_info[n->op].family == FAMILY_POOL);
  return n->op == OP_MaxPool || n->op == OP_GlobalMaxPool;
}

bool is_lp_pool(const Node *n) { return n->op == OP_LpPool || n->op == OP_GlobalLpPool; }

bool is_global_pool(const Node *n) {
  return n->op == OP_GlobalAveragePool || n->op == OP_GlobalMaxPool || n->op == OP_GlobalLpPool || n->op == OP_GlobalSumPool;
}

/* A transposed convolution's taps are shared out among the places between two elements of its input. */
static int64_t conv_terms(const Node *n) {
  const Shape *w = &n->in[1]->shape;
  if (n->op != OP_ConvTranspose) return shape_count(w) / size_max(w->d[0], 1);
  int64_t places = size_mul(size_mul(n->win.sd, n->win.sh), n->win.sw);
  return size_ceiling(shape_count(w) / size_max(size_mul(w->d[1], n->group), 1), places);
}

int64_t terms_of_result(const Node *n) {
  const Shape *a = &n->in[0]->shape;
  switch (op_info[n->op].family) {
  case FAMILY_CONV: return conv_terms(n);
  case FAMILY_PRODUCT:
    if (n->op == OP_Product) return n->p.a.shape.d[n->p.a.shape.rank - 1];
    return a->d[n->p.trans_a ? 0 : a->rank - 1];
  case FAMILY_POOL:
    if (is_global_pool(n)) return shape_count(a) / size_max(shape_count(&n->out[0]->shape), 1);
    return size_min(size_mul(size_mul(n->win.kd, n->win.kh), n->win.kw), shape_count(a));
  case FAMILY_NORMALIZE: case FAMILY_NORM: case FAMILY_POINTWISE: case FAMILY_UNARY: case FAMILY_BINARY: case FAMILY_CHOICE: case FAMILY_REDUCE:
  case FAMILY_MOVE: case FAMILY_RESIZE: case FAMILY_FILL: case FAMILY_VIEW: case FAMILY_SHAPE: case FAMILY_SCALE: case FAMILY_STEP:
  case FAMILY_IMPORT: case FAMILY_COMPOSED: case FAMILY_COUNT:
    break;
  }
  return 1;
}

bool has_padding(const Node *n) {
  return n->win.top || n->win.left || n->win.bottom || n->win.right;
}

int64_t taps_of_window(const Window *w) { return w->kd * w->kh * w->kw; }

bool is_integer_product(Op op) { return op == OP_ConvInteger || op == OP_MatMulInteger; }

Type step_type(const Node *n, int i) {
  for (; i >= 0; i--)
    if (n->step[i].type) return n->step[i].type;
  if (n->op == OP_QuantizedAveragePool) return n->in[4]->type;
  return is_integer_product(n->op) || n->op == OP_GlobalSumPool ? T_I32 : n->in[0]->type;
}

bool is_8_bit(Type t) { return t == T_U8 || t == T_I8; }

bool is_table(const Node *n, int i) {
  for (const Step *s = n->step; s < n->step + n->n_step; s++)
    if (s->op == OP_Lookup && s->arg == i) return true;
  return false;
}

bool step_takes(const Step *s, Type from, Type arg) {
  Type to = s->type ? s->type : from;
  switch (s->op) {
  case OP_Cast: return type_size(from) > 0 && s->type;
  case OP_Requantize: return from == T_I32 && arg == T_F32 && is_8_bit(to);
  case OP_QLinearAdd: case OP_QLinearMul: return is_8_bit(from) && is_8_bit(arg) && is_8_bit(to);
  case OP_Lookup: return is_8_bit(from) && arg == to && is_8_bit(to);
  case OP_QuantizeLinear: return from == T_F32 && is_8_bit(to);
  case OP_DequantizeLinear: return is_8_bit(from) && to == T_F32;
  case OP_AddDequantized: return from == T_F32 && is_8_bit(arg) && to == T_F32;
  case OP_Clip: return to == from && (from == T_F32 || is_8_bit(from));
  case OP_Add: return to == from && (arg == from || arg == T_NONE) && (from == T_F32 || from == T_I32);
  default: return from == T_F32 && to == from && (arg == T_NONE || arg == T_F32);
  }
}
