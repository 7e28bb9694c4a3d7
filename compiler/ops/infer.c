/* infer.c: types and shapes: the table of operators, the elementwise ones and reductions, and the checks they
 * share. */
#include "ops.h"

#include <string.h>

/* ---- elementwise operators ---- */

static void infer_same(Graph *g, Node *n) {
  set_output(g, n, 0, n->in[0]->type, &n->in[0]->shape);
}

static void infer_clip(Graph *g, Node *n) {
  for (int i = 1; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    check_same_type(g, n, i);
    const Shape *s = &n->in[i]->shape;
    if (shape_is_symbolic(s) || shape_count(s) != 1) fail_at(g, n, "input %d must be one number%s", i, batch_remedy(g, n));
  }
  infer_same(g, n);
}

static void infer_cast(Graph *g, Node *n) {
  int64_t to = attr_int(n, "to", T_NONE);
  if (to < 0 || to > T_BF16 || !type_size((Type)to))
    fail_at(g, n, "element type %lld is not supported", (long long)to);
  set_output(g, n, 0, (Type)to, &n->in[0]->shape);
}

static void infer_prelu(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  broadcast_into(g, n, 1, &n->in[0]->shape);
  infer_same(g, n);
}

static void infer_binary(Graph *g, Node *n) {
  Shape s = n->in[0]->shape;
  check_same_type(g, n, 1);
  broadcast_input(g, n, 1, &s);
  set_output(g, n, 0, n->in[0]->type, &s);
}

static void infer_pointwise(Graph *g, Node *n) {
  Shape s = n->in[0]->shape;
  for (int i = 1; i < n->n_in; i++) broadcast_input(g, n, i, &s);
  set_output(g, n, 0, T_F32, &s);
}

/* In training, a dropout would need random numbers; a ratio of 0 drops nothing. */
static void infer_dropout(Graph *g, Node *n) {
  bool training = has_input(n, 2);
  const bool *mode = training ? n->in[2]->data : NULL;
  if (mode && shape_count(&n->in[2]->shape) == 1) training = *mode;
  float ratio = 0.5f;
  if (has_input(n, 1) && !const_scalar(n->in[1], &ratio)) ratio = 1;
  if (training && ratio != 0) fail_at(g, n, "dropout in training mode is not supported");
  infer_same(g, n);
  set_output(g, n, 1, T_BOOL, &n->in[0]->shape);
}

/* ---- reductions ---- */

static void infer_softmax(Graph *g, Node *n) {
  check_axis(g, n, attr_int(n, "axis", -1), n->in[0]->shape.rank);
  infer_same(g, n);
}

/* Sets output 0: input 0 without the axes marked, or with size 1 there. */
static void set_reduced(Graph *g, Node *n, Type type, const bool *reduced) {
  const Shape *s = &n->in[0]->shape;
  bool keep = attr_int(n, "keepdims", 1) != 0;
  Shape r = {0};
  for (int i = 0; i < s->rank; i++) {
    if (!reduced[i] || keep) r.d[r.rank++] = reduced[i] ? 1 : s->d[i];
    if (!reduced[i]) continue;
    check_number(g, n, 0, i);
  }
  set_output(g, n, 0, type, &r);
}

void reduce_axes(Graph *g, const Node *n, bool *reduced) {
  int rank = n->in[0]->shape.rank;
  bool any = false;
  memset(reduced, 0, MAX_RANK * sizeof *reduced);
  if (has_input(n, 1)) axes_input(g, n, 1, rank, reduced);
  for (int i = 0; i < rank; i++) any = any || reduced[i];
  if (any || attr_int(n, "noop_with_empty_axes", 0)) return;
  for (int i = 0; i < rank; i++) reduced[i] = true;
}

/* Axes known at run time show in the declared result as sizes of 1, if it keeps them. */
static void set_axes_as_declared(Graph *g, Node *n) {
  Shape declared = declared_output(g, n, 0, "the axes argument");
  int64_t axis[MAX_RANK];
  int count = 0;
  if (declared.rank != n->in[0]->shape.rank || !attr_int(n, "keepdims", 1))
    fail_at(g, n, "the axes argument must be known at compile time%s", batch_remedy(g, n));
  for (int i = 0; i < declared.rank; i++)
    if (declared.d[i] == 1) axis[count++] = i;
  node_set_input(g, n, 1, value_const_i64(g, n->in[1]->name, count, axis));
}

static void infer_reduce_mean(Graph *g, Node *n) {
  bool reduced[MAX_RANK];
  if (has_input(n, 1) && !n->in[1]->data) set_axes_as_declared(g, n);
  reduce_axes(g, n, reduced);
  set_reduced(g, n, n->in[0]->type, reduced);
}

static void infer_argmax(Graph *g, Node *n) {
  bool reduced[MAX_RANK] = {false};
  int axis = check_axis(g, n, attr_int(n, "axis", 0), n->in[0]->shape.rank);
  if (n->in[0]->shape.d[axis] == 0) fail_at(g, n, "axis %d has no elements", axis);
  reduced[axis] = true;
  set_reduced(g, n, T_I64, reduced);
}

/* ---- the table ---- */

#define BIT(t) (1u << (t))
enum {
  F32 = BIT(T_F32),
  FLOATS = F32 | BIT(T_F64),
  INTS_32_64 = BIT(T_I32) | BIT(T_I64) | BIT(T_U32) | BIT(T_U64),
  SIGNED = BIT(T_I8) | BIT(T_I16) | BIT(T_I32) | BIT(T_I64),
  NUMBERS = FLOATS | INTS_32_64 | SIGNED | BIT(T_U8) | BIT(T_U16),
  ANY = NUMBERS | BIT(T_BOOL) | BIT(T_F16) | BIT(T_BF16),
};

/* Element types of input 0: those of the ONNX schema, without half precision (import widens it), and single
 * precision alone where kernels exist for no other. */
static const struct {
  Infer *infer;
  unsigned types;
} rule[OP_COUNT] = {
  [OP_Conv] = {infer_conv, F32},
  [OP_Gemm] = {infer_gemm, FLOATS},
  [OP_MatMul] = {infer_matmul, FLOATS | INTS_32_64},
  [OP_MaxPool] = {infer_pool, FLOATS | BIT(T_I8) | BIT(T_U8)},
  [OP_AveragePool] = {infer_pool, FLOATS},
  [OP_GlobalAveragePool] = {infer_global_pool, FLOATS},
  [OP_GlobalMaxPool] = {infer_global_pool, FLOATS},
  [OP_BatchNormalization] = {infer_batch_norm, F32},
  [OP_Relu] = {infer_same, FLOATS | SIGNED},
  [OP_LeakyRelu] = {infer_same, FLOATS},
  [OP_Clip] = {infer_clip, NUMBERS},
  [OP_Sigmoid] = {infer_same, F32},
  [OP_HardSigmoid] = {infer_same, FLOATS},
  [OP_HardSwish] = {infer_same, FLOATS},
  [OP_Tanh] = {infer_same, F32},
  [OP_Cast] = {infer_cast, ANY},
  [OP_PRelu] = {infer_prelu, FLOATS | INTS_32_64},
  [OP_Add] = {infer_binary, NUMBERS},
  [OP_Sub] = {infer_binary, NUMBERS},
  [OP_Mul] = {infer_binary, NUMBERS},
  [OP_Div] = {infer_binary, NUMBERS},
  [OP_Softmax] = {infer_softmax, F32},
  [OP_LogSoftmax] = {infer_softmax, F32},
  [OP_ReduceMean] = {infer_reduce_mean, FLOATS},
  [OP_ArgMax] = {infer_argmax, NUMBERS},
  [OP_Transpose] = {infer_transpose, ANY},
  [OP_Concat] = {infer_concat, ANY},
  [OP_Split] = {infer_split, ANY},
  [OP_Slice] = {infer_slice, ANY},
  [OP_Pad] = {infer_pad, ANY},
  [OP_Gather] = {infer_gather, ANY},
  [OP_SpaceToDepth] = {infer_space_to_depth, ANY},
  [OP_Identity] = {infer_same, ANY},
  [OP_Dropout] = {infer_dropout, FLOATS},
  [OP_Flatten] = {infer_flatten, ANY},
  [OP_Reshape] = {infer_reshape, ANY},
  [OP_Squeeze] = {infer_squeeze, ANY},
  [OP_Unsqueeze] = {infer_unsqueeze, ANY},
  [OP_ConstantOfShape] = {infer_constant_of_shape, BIT(T_I64)},
  [OP_Shape] = {infer_shape, ANY},
  [OP_Pointwise] = {infer_pointwise, F32},
  [OP_Reorder] = {infer_same, ANY},
};

static void check_inputs(Graph *g, const Node *n) {
  for (int i = 0; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    if (!type_size(n->in[i]->type)) fail_at(g, n, "the element type of input %d is not supported", i);
    if (n->in[i]->shape.rank < 0) fail_at(g, n, "the shape of input \"%s\" is not known", n->in[i]->name);
  }
  for (int i = 0; i < op_info[n->op].min_in; i++)
    if (!has_input(n, i)) fail_at(g, n, "input %d is missing", i);
  if (op_info[n->op].max_out == 1 && !n->out[0]) fail_at(g, n, "the output is missing");
  Type t = n->in[0]->type;
  if (!(rule[n->op].types & BIT(t))) fail_at(g, n, "element type %s is not supported here", type_name(t));
}

/* Arguments of an epilogue broadcast to the result, never the other way round. */
static void check_steps(Graph *g, const Node *n) {
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    if (s->arg >= 0 && !has_input(n, s->arg)) fail_at(g, n, "step %d has no input %d", i, s->arg);
    if (s->arg >= 0) broadcast_into(g, n, s->arg, &n->out[0]->shape);
  }
}

void infer_node(Graph *g, Node *n) {
  if (!rule[n->op].infer) fail_at(g, n, "the operator is for import alone");
  check_inputs(g, n);
  rule[n->op].infer(g, n);
  check_steps(g, n);
  node_mark_batched(n);
}

/* Inputs, and constants with their data. */
static void check_given_values(Graph *g) {
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = g->value[i];
    if (!v->def && v->shape.rank >= 0 && !fits_memory(g, v->type, &v->shape))
      fail(g->cx, "value \"%s\" %s alone is larger than the memory limit", v->name, shape_text(g->cx, &v->shape));
  }
}

void pass_shape(Graph *g) {
  check_given_values(g);
  for (int i = 0; i < g->n_node; i++) {
    infer_node(g, g->node[i]);
    evaluate_values(g, g->node[i]);
  }
}
