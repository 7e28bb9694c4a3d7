/* infer.c: types and shapes of one node and of all: the table of the families' functions, and what holds for every operator. */
#include "ops.h"

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
