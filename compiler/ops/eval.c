/* eval.c: the reference evaluator, of nodes and graphs. */
#include "ops.h"

#include <string.h>

/* ---- nodes ---- */

static Eval *const evaluator[OP_COUNT] = {
  [OP_Conv] = eval_conv,
  [OP_Gemm] = eval_gemm,
  [OP_MatMul] = eval_matmul,
  [OP_MaxPool] = eval_max_pool,
  [OP_AveragePool] = eval_average_pool,
  [OP_GlobalAveragePool] = eval_global_average_pool,
  [OP_GlobalMaxPool] = eval_global_max_pool,
  [OP_BatchNormalization] = eval_batch_norm,
  [OP_Relu] = eval_unary,
  [OP_LeakyRelu] = eval_unary,
  [OP_Clip] = eval_clip,
  [OP_Sigmoid] = eval_unary,
  [OP_HardSigmoid] = eval_unary,
  [OP_HardSwish] = eval_unary,
  [OP_Tanh] = eval_unary,
  [OP_Cast] = eval_cast,
  [OP_PRelu] = eval_binary,
  [OP_Add] = eval_binary,
  [OP_Sub] = eval_binary,
  [OP_Mul] = eval_binary,
  [OP_Div] = eval_binary,
  [OP_Softmax] = eval_softmax,
  [OP_LogSoftmax] = eval_softmax,
  [OP_ReduceMean] = eval_reduce_mean,
  [OP_ArgMax] = eval_argmax,
  [OP_Transpose] = eval_transpose,
  [OP_Concat] = eval_concat,
  [OP_Split] = eval_split,
  [OP_Slice] = eval_slice,
  [OP_Pad] = eval_pad,
  [OP_Gather] = eval_gather,
  [OP_SpaceToDepth] = eval_space_to_depth,
  [OP_Identity] = eval_copy,
  [OP_Dropout] = eval_dropout,
  [OP_Flatten] = eval_copy,
  [OP_Reshape] = eval_copy,
  [OP_Squeeze] = eval_copy,
  [OP_Unsqueeze] = eval_copy,
  [OP_ConstantOfShape] = eval_constant_of_shape,
  [OP_Shape] = eval_shape,
  [OP_Pointwise] = eval_pointwise,
  [OP_Reorder] = eval_copy,
};

void eval_node(Graph *g, const Node *n, const void *const *in, void **out) {
  assert(evaluator[n->op]);
  for (int i = 0; i < n->n_out; i++) {
    const Value *v = n->out[i];
    assert(!v || !shape_is_symbolic(&v->shape));
    out[i] = v ? alloc_n(g->cx, (size_t)shape_count(&v->shape), type_size(v->type)) : NULL;
  }
  evaluator[n->op](g, n, in, out);
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    eval_step(s, &n->out[0]->shape, out[0], s->arg < 0 ? NULL : &n->in[s->arg]->shape,
              s->arg < 0 ? NULL : in[s->arg]);
  }
}

/* ---- graphs ---- */

static void eval_in_graph(Graph *g, const Node *n, void **of) {
  const void **in = alloc_n(g->cx, (size_t)n->n_in, sizeof *in);
  void **out = alloc_n(g->cx, (size_t)n->n_out, sizeof *out);
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i]) in[i] = n->in[i]->data ? n->in[i]->data : of[n->in[i]->id];
  eval_node(g, n, in, out);
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) of[n->out[i]->id] = out[i];
}

void eval_graph(Graph *g, const void *const *inputs, void **outputs) {
  void **of = alloc_n(g->cx, (size_t)g->n_value, sizeof *of); /* each value's elements */
  for (int i = 0; i < g->n_input; i++) of[g->input[i]->id] = (void *)(uintptr_t)inputs[i];
  for (int i = 0; i < g->n_node; i++)
    if (!g->node[i]->dead) eval_in_graph(g, g->node[i], of);
  for (int i = 0; i < g->n_output; i++) {
    const Value *v = g->output[i];
    outputs[i] = alloc(g->cx, value_bytes(v));
    memcpy(outputs[i], v->data ? v->data : of[v->id], value_bytes(v));
  }
}
