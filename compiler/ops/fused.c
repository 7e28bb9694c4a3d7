/* fused.c: the domain com.microsoft: what ONNX Runtime's optimizer fuses, taken apart again. */
#include "ops.h"

#include <string.h>

/* ---- activations ---- */

static const struct Activation {
  const char *name;
  Op op;
  const char *parameter[2];
} activations[] = {
  {"Relu", OP_Relu, {0}}, {"Sigmoid", OP_Sigmoid, {0}}, {"Tanh", OP_Tanh, {0}},
  {"HardSwish", OP_HardSwish, {0}},
  {"LeakyRelu", OP_LeakyRelu, {"alpha"}}, {"Elu", OP_Elu, {"alpha"}},
  {"HardSigmoid", OP_HardSigmoid, {"alpha", "beta"}},
  {"Clip", OP_Clip, {"min", "max"}},
};

static const struct Activation *activation_of(Graph *g, const Node *n) {
  const char *name = attr_string(n, "activation", NULL);
  if (!name || !*name) return NULL;
  for (size_t i = 0; i < COUNT(activations); i++)
    if (strcmp(activations[i].name, name) == 0) return &activations[i];
  fail_at(g, n, "activation \"%s\" is not supported", name);
}

/* They are one list, or attributes of their own. */
static const float *read_parameter(const Node *n, int i) {
  const Attr *list = attr_find(n, "activation_params"),
      *own = attr_find(n, i ? "activation_beta" : "activation_alpha");
  if (list && list->kind == A_FLOATS && i < list->n) return &list->floats[i];
  return own && own->kind == A_FLOAT ? &own->f : NULL;
}

static Value *activate(Graph *g, const Node *n, Value *x) {
  const struct Activation *a = activation_of(g, n);
  if (!a) return x;
  Node *part = compose_node(g, n, a->op, 1, &x);
  for (int i = 0; i < 2 && a->parameter[i]; i++) {
    const float *p = read_parameter(n, i);
    if (p) attr_set_float(g, part, a->parameter[i], *p);
  }
  return compose_value(g, part);
}

static void drop_activation(Node *part) {
  static const char *const names[] = {"activation", "activation_params", "activation_alpha",
                                      "activation_beta", "activation_gamma"};
  for (size_t i = 0; i < COUNT(names); i++) attr_remove(part, names[i]);
}

/* ---- convolutions ---- */

/* The convolution of x and the node's weights, and its bias. */
static Value *convolve(Graph *g, const Node *n, Value *x, Value *w) {
  Node *conv = compose_like(g, n, OP_Conv, has_input(n, 2) ? 3 : 2,
                            (Value *[]){x, w, has_input(n, 2) ? n->in[2] : NULL});
  drop_activation(conv);
  return compose_value(g, conv);
}

/* y plus input 3, then the activation. */
static void finish_conv(Graph *g, Node *n, Value *y) {
  if (has_input(n, 3)) y = compose_op(g, n, OP_Add, y, n->in[3]);
  compose_result(g, n, activate(g, n, y));
}

void compose_activated_conv(Graph *g, Node *n, Value *x, Value *w) {
  finish_conv(g, n, convolve(g, n, x, w));
}

void compose_fused_conv(Graph *g, Node *n) { compose_activated_conv(g, n, n->in[0], n->in[1]); }

void compose_nhwc_conv(Graph *g, Node *n) {
  check_rank(g, n, 0, 4, 4);
  Value *y = convolve(g, n, compose_channels_first(g, n, n->in[0]), n->in[1]);
  finish_conv(g, n, compose_channels_last(g, n, y));
}

void compose_nhwc_max_pool(Graph *g, Node *n) {
  check_rank(g, n, 0, 4, 4);
  Value *x = compose_channels_first(g, n, n->in[0]);
  compose_result(g, n, compose_channels_last(g, n, compose_value(g, compose_like(g, n, OP_MaxPool, 1, &x))));
}

/* ---- products ---- */

void compose_fused_gemm(Graph *g, Node *n) {
  Node *gemm = compose_like(g, n, OP_Gemm, n->n_in, n->in);
  drop_activation(gemm);
  compose_result(g, n, activate(g, n, compose_value(g, gemm)));
}

/* With `batch` the rows come before the batch; with `turned` the matrix is transposed. */
static Value *matmul_operand(Graph *g, const Node *n, Value *x, bool batch, bool turned) {
  int rank = x->shape.rank;
  int64_t perm[MAX_RANK];
  if (rank < 2 || !(turned || (batch && rank > 2))) return x;
  for (int k = 0; k < rank; k++) perm[k] = k;
  for (int k = 0; batch && k < rank - 1; k++) perm[k] = k + 1 < rank - 1 ? k + 1 : 0;
  if (turned) {
    int64_t row = perm[rank - 2];
    perm[rank - 2] = perm[rank - 1];
    perm[rank - 1] = row;
  }
  return compose_transpose(g, n, x, perm);
}

void compose_fused_matmul(Graph *g, Node *n) {
  Value *a = matmul_operand(g, n, n->in[0], attr_int(n, "transBatchA", 0) != 0,
                            attr_int(n, "transA", 0) != 0);
  Value *b = matmul_operand(g, n, n->in[1], attr_int(n, "transBatchB", 0) != 0,
                            attr_int(n, "transB", 0) != 0);
  Value *y = compose_op(g, n, OP_MatMul, a, b);
  float alpha = attr_float(n, "alpha", 1);
  if (alpha != 1) y = compose_op(g, n, OP_Mul, y, compose_number(g, n, y->type, (double)alpha));
  compose_result(g, n, activate(g, n, y));
}

/* ---- normalizations of a sum ---- */

/* Along the last axis, with gamma and for a LayerNormalization beta, of the sum of inputs 0, 1 and, if there
 * is one, `bias`. */
static void normalize_sum(Graph *g, Node *n, Op op, int bias) {
  Value *x = compose_op(g, n, OP_Add, n->in[0], n->in[1]);
  if (has_input(n, bias)) x = compose_op(g, n, OP_Add, x, n->in[bias]);
  bool beta = op == OP_LayerNormalization && has_input(n, 3);
  Node *norm = compose_node(g, n, op, beta ? 3 : 2, (Value *[]){x, n->in[2], beta ? n->in[3] : NULL});
  attr_set_float(g, norm, "epsilon", attr_float(n, "epsilon", 1e-12f));
  attr_set_int(g, norm, "axis", -1);
  compose_other_result(g, n, 3, x);
  compose_result(g, n, compose_value(g, norm));
}

void compose_skip_layer_norm(Graph *g, Node *n) { normalize_sum(g, n, OP_LayerNormalization, 4); }
void compose_skip_rms_norm(Graph *g, Node *n) { normalize_sum(g, n, OP_RMSNormalization, 3); }

void compose_simplified_layer_norm(Graph *g, Node *n) {
  compose_result(g, n, compose_value(g, compose_like(g, n, OP_RMSNormalization, 2, n->in)));
}
