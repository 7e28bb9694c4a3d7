/* qlinear.c: operators on quantised tensors, taken apart into DequantizeLinear, the operator on numbers and QuantizeLinear: the
 * form that exporters write as well, of which the pass quant makes integers again. See ops/quant.c for the arithmetic.
 *
 * A quantised tensor is three inputs, its integers, scale and zero point; the last may be left out. */
#include "ops.h"

#include <string.h>

/* ==== parameters ==== */

/* Parameters by row or column that have all axes of their tensor are a list: the one axis that is not 1. */
static Value *as_list(Graph *g, const Node *n, Value *v) {
  const Shape *s = &v->shape;
  int64_t count = shape_count(s);
  if (s->rank <= 1) return v;
  for (int k = 0; k < s->rank; k++)
    if (s->d[k] != 1 && s->d[k] != count) fail_at(g, n, "parameters of shape %s stand along several axes", shape_text(g->cx, s));
  Shape list = shape_of(1, count);
  return compose_reshape(g, n, v, &list);
}

/* Zeros for the zero points that were left out. */
static Value *zeros_like(Graph *g, const Node *n, Type t, const Value *scale) {
  size_t count = (size_t)shape_count(&scale->shape);
  return value_const(g, format_text(g->cx, "%s.zero", n->name), t, scale->shape, alloc_n(g->cx, count, type_size(t)));
}

static Value *dequantize_by(Graph *g, const Node *n, Value *x, Value *scale, Value *zero, int64_t axis) {
  Node *dq = compose_node(g, n, OP_DequantizeLinear, zero ? 3 : 2,
                          (Value *[]){x, as_list(g, n, scale), zero ? as_list(g, n, zero) : NULL});
  attr_set_int(g, dq, "axis", axis);
  return compose_value(g, dq);
}

/* Inputs x, scale and zero as numbers; lists stand along the axis. */
static Value *numbers(Graph *g, const Node *n, Value *x, int scale, int zero, int64_t axis) {
  if (!has_input(n, scale)) fail_at(g, n, "input %d is missing", scale);
  return dequantize_by(g, n, x, n->in[scale], has_input(n, zero) ? n->in[zero] : NULL, axis);
}

/* The tensor in inputs x, x + 1 and x + 2, of one scale. */
static Value *tensor_at(Graph *g, const Node *n, int x) {
  if (!has_input(n, x)) fail_at(g, n, "input %d is missing", x);
  return numbers(g, n, n->in[x], x + 1, x + 2, 0);
}

/* y by the scale and zero point in inputs `scale` and the one behind it, of type t if that is left out. */
static Value *integers(Graph *g, const Node *n, Value *y, int scale, Type t) {
  if (!has_input(n, scale)) fail_at(g, n, "input %d is missing", scale);
  Value *s = as_list(g, n, n->in[scale]);
  Value *zero = has_input(n, scale + 1) ? as_list(g, n, n->in[scale + 1]) : zeros_like(g, n, t, s);
  return compose_value(g, compose_node(g, n, OP_QuantizeLinear, 3, (Value *[]){y, s, zero}));
}

/* The same as n's result. */
static void finish(Graph *g, Node *n, Value *y, int scale, Type t) { compose_result(g, n, integers(g, n, y, scale, t)); }

/* ==== channels last ==== */

static bool channels_last(const Node *n) { return attr_int(n, "channels_last", 0) != 0; }

/* Between the first axis and the channels. */
static Value *turned(Graph *g, const Node *n, Value *x, bool to_last) {
  int rank = x->shape.rank;
  int64_t perm[MAX_RANK] = {0};
  if (!channels_last(n) || rank < 3) return x;
  for (int k = 1; k < rank; k++) perm[k] = to_last ? (k + 1 < rank ? k + 1 : 1) : (k > 1 ? k - 1 : rank - 1);
  return compose_transpose(g, n, x, perm);
}

static Value *as_numbers_first(Graph *g, const Node *n) { return numbers(g, n, turned(g, n, n->in[0], false), 1, 2, 0); }

static void finish_turned(Graph *g, Node *n, Value *y, int scale) {
  compose_result(g, n, turned(g, n, integers(g, n, y, scale, n->in[0]->type), true));
}

/* An operator of one input with n's attributes. */
static Value *apply(Graph *g, const Node *n, Op op, Value *x) {
  Node *part = compose_like(g, n, op, 1, &x);
  attr_remove(part, "channels_last");
  return compose_value(g, part);
}

/* ==== convolutions and products ==== */

/* Integers of scale a b, which are added to sums of products; lists stand along the axis. */
static Value *bias_numbers(Graph *g, const Node *n, Value *bias, Value *a, Value *b, int64_t axis) {
  return dequantize_by(g, n, bias, compose_op(g, n, OP_Mul, a, b), NULL, axis);
}

/* Inputs: x, its scale and zero point, the same of w and y, then the bias. */
void compose_qlinear_conv(Graph *g, Node *n) {
  Value *x = as_numbers_first(g, n), *w = numbers(g, n, n->in[3], 4, 5, 0);
  bool biased = has_input(n, 8);
  Value *b = biased ? bias_numbers(g, n, n->in[8], n->in[1], n->in[4], 0) : NULL;
  Node *conv = compose_like(g, n, OP_Conv, biased ? 3 : 2, (Value *[]){x, w, b});
  attr_remove(conv, "channels_last");
  finish_turned(g, n, compose_value(g, conv), 6);
}

/* Inputs: a, its scale and zero point, the same of b and y. */
void compose_qlinear_matmul(Graph *g, Node *n) {
  int a = n->in[0]->shape.rank, b = n->in[3]->shape.rank;
  Value *x = numbers(g, n, n->in[0], 1, 2, a > 1 ? a - 2 : 0), *y = numbers(g, n, n->in[3], 4, 5, b - 1);
  finish(g, n, compose_op(g, n, OP_MatMul, x, y), 6, n->in[0]->type);
}

/* The sums are integers, and their scale is a number: float(sum) (sa sb), and a bias. */
static void scale_sums(Graph *g, Node *n, Value *sums, Value *a, Value *b, int bias) {
  Value *y = compose_op(g, n, OP_Mul, compose_cast(g, n, sums, a->type), compose_op(g, n, OP_Mul, a, b));
  if (has_input(n, bias)) y = compose_op(g, n, OP_Add, y, n->in[bias]);
  compose_result(g, n, y);
}

static Value *sums_of_products(Graph *g, const Node *n, Value *a, Value *b, Value *za, int zb) {
  Value *in[] = {a, b, za, has_input(n, zb) ? n->in[zb] : NULL};
  return compose_value(g, compose_node(g, n, OP_MatMulInteger, in[3] ? 4 : za ? 3 : 2, in));
}

/* Inputs: a, b, their scales, their zero points, a bias. */
void compose_matmul_integer_to_float(Graph *g, Node *n) {
  scale_sums(g, n, sums_of_products(g, n, n->in[0], n->in[1], has_input(n, 4) ? n->in[4] : NULL, 5), n->in[2], n->in[3], 6);
}

/* C of a Gemm has the shape that lists along its last axis need. */
static Value *spread_bias(Graph *g, const Node *n, Value *c, const Value *scale, int64_t columns) {
  int64_t count = shape_count(&scale->shape);
  if (count == 1 || (c->shape.rank && c->shape.d[c->shape.rank - 1] == columns)) return c;
  return compose_op(g, n, OP_Expand, c, value_const_i64(g, format_text(g->cx, "%s.columns", n->name), 1, &columns));
}

/* Inputs: A, its scale and zero point, the same of B, C, scale and zero point of the result, which is numbers without. */
void compose_qgemm(Graph *g, Node *n) {
  bool turned_b = attr_int(n, "transB", 0) != 0;
  check_rank(g, n, 3, 2, 2);
  Value *a = tensor_at(g, n, 0), *b = numbers(g, n, n->in[3], 4, 5, turned_b ? 0 : 1), *c = NULL;
  if (has_input(n, 6)) {
    Value *alpha = compose_number(g, n, n->in[1]->type, (double)attr_float(n, "alpha", 1));
    Value *scale = as_list(g, n, n->in[4]), *of_a = compose_op(g, n, OP_Mul, alpha, n->in[1]);
    c = spread_bias(g, n, n->in[6], scale, n->in[3]->shape.d[turned_b ? 0 : 1]);
    c = bias_numbers(g, n, c, of_a, scale, c->shape.rank ? c->shape.rank - 1 : 0);
  }
  Value *y = compose_value(g, compose_like(g, n, OP_Gemm, c ? 3 : 2, (Value *[]){a, b, c}));
  if (has_input(n, 7)) finish(g, n, y, 7, n->in[0]->type);
  else compose_result(g, n, y);
}

/* ==== elementwise ==== */

/* Inputs: a, its scale and zero point, the same of b, scale and zero point of the result. The attribute says to the pass quant that
 * integers of s8 count as they are, not as those of u8 that are stored for them: the fp32 sums notice. */
static void compose_binary(Graph *g, Node *n, Op op) {
  Node *part = compose_node(g, n, op, 2, (Value *[]){tensor_at(g, n, 0), tensor_at(g, n, 3)});
  if (n->in[0]->type == T_I8) attr_set_int(g, part, "signed", 1);
  finish(g, n, compose_value(g, part), 6, n->in[0]->type);
}

void compose_qlinear_add(Graph *g, Node *n) { compose_binary(g, n, OP_Add); }
void compose_qlinear_mul(Graph *g, Node *n) { compose_binary(g, n, OP_Mul); }

/* Inputs: x, its scale and zero point, those of the result. */
static void compose_unary(Graph *g, Node *n, Op op) {
  finish_turned(g, n, apply(g, n, op, as_numbers_first(g, n)), 3);
}

void compose_qlinear_sigmoid(Graph *g, Node *n) { compose_unary(g, n, OP_Sigmoid); }
void compose_qlinear_leaky_relu(Graph *g, Node *n) { compose_unary(g, n, OP_LeakyRelu); }
void compose_qlinear_average_pool(Graph *g, Node *n) { compose_unary(g, n, OP_AveragePool); }
void compose_qlinear_global_average_pool(Graph *g, Node *n) { compose_unary(g, n, OP_GlobalAveragePool); }

/* Before set 13 of ONNX the tensor was seen as a matrix, the dimensions before `axis` by those from it on. */
void compose_qlinear_softmax(Graph *g, Node *n) {
  Value *x = tensor_at(g, n, 0), *y;
  bool newest = attr_int(n, "opset", 13) >= 13;
  int64_t axis = attr_int(n, "axis", newest ? -1 : 1);
  Node *flatten = newest ? NULL : compose_node(g, n, OP_Flatten, 1, &x);
  if (flatten) attr_set_int(g, flatten, "axis", axis);
  Value *matrix = flatten ? compose_value(g, flatten) : x;
  Node *softmax = compose_node(g, n, OP_Softmax, 1, &matrix);
  attr_set_int(g, softmax, "axis", newest ? axis : -1);
  y = compose_value(g, softmax);
  finish(g, n, newest ? y : compose_reshape(g, n, y, &x->shape), 3, n->in[0]->type);
}

/* Inputs: scale and zero point of the result, then three for each part. */
void compose_qlinear_concat(Graph *g, Node *n) {
  int parts = (n->n_in - 2) / 3;
  if (n->n_in < 5 || n->n_in % 3 != 2) fail_at(g, n, "its inputs are not three for each tensor that is joined");
  Value **part = alloc_n(g->cx, (size_t)parts, sizeof *part);
  for (int i = 0; i < parts; i++) part[i] = tensor_at(g, n, 2 + 3 * i);
  Type t = n->in[2]->type;
  finish(g, n, compose_value(g, compose_like(g, n, OP_Concat, parts, part)), 0, t);
}

/* ==== scales that depend on data ==== */

/* Inputs: A, of numbers; B, its scale and zero point; a bias. */
void compose_dynamic_quantize_matmul(Graph *g, Node *n) {
  Value *scale, *zero, *a = quantize_by_range(g, n, n->in[0], &scale, &zero);
  scale_sums(g, n, sums_of_products(g, n, a, n->in[1], zero, 3), scale, n->in[2], 4);
}
