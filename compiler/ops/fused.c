/* fused.c: the domain com.microsoft: what ONNX Runtime's optimizer fuses, taken apart again. */
#include "ops.h"

#include <string.h>

/* ---- activations ---- */

static const struct Activation {
  const char *name;
  Op op;
  const char *parameter[2];
} activations[] = {
  {"Relu", OP_Relu, {0}}, {"Sigmoid", OP_Sigmoid, {0}}, {"Tanh", OP_Tanh, {0}}, {"HardSwish", OP_HardSwish, {0}},
  {"LeakyRelu", OP_LeakyRelu, {"alpha"}}, {"Elu", OP_Elu, {"alpha"}}, {"HardSigmoid", OP_HardSigmoid, {"alpha", "beta"}},
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
  const Attr *list = attr_find(n, "activation_params"), *own = attr_find(n, i ? "activation_beta" : "activation_alpha");
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
  static const char *const names[] = {"activation", "activation_params", "activation_alpha", "activation_beta", "activation_gamma"};
  for (size_t i = 0; i < COUNT(names); i++) attr_remove(part, names[i]);
}

/* ---- convolutions ---- */

static const int64_t to_nchw[] = {0, 3, 1, 2}, to_nhwc[] = {0, 2, 3, 1};

/* The convolution of x and the node's weights, and its bias. */
static Value *convolve(Graph *g, const Node *n, Value *x, Value *w) {
  Node *conv = compose_like(g, n, OP_Conv, has_input(n, 2) ? 3 : 2, (Value *[]){x, w, has_input(n, 2) ? n->in[2] : NULL});
  drop_activation(conv);
  return compose_value(g, conv);
}

/* y plus input 3, then the activation. */
static void finish_conv(Graph *g, Node *n, Value *y) {
  if (has_input(n, 3)) y = compose_op(g, n, OP_Add, y, n->in[3]);
  compose_result(g, n, activate(g, n, y));
}

void infer_fused_conv(Graph *g, Node *n) { finish_conv(g, n, convolve(g, n, n->in[0], n->in[1])); }

void infer_nhwc_conv(Graph *g, Node *n) {
  check_rank(g, n, 0, 4, 4);
  Value *y = convolve(g, n, compose_transpose(g, n, n->in[0], to_nchw), n->in[1]);
  finish_conv(g, n, compose_transpose(g, n, y, to_nhwc));
}

void infer_nhwc_max_pool(Graph *g, Node *n) {
  check_rank(g, n, 0, 4, 4);
  Value *x = compose_transpose(g, n, n->in[0], to_nchw);
  compose_result(g, n, compose_transpose(g, n, compose_value(g, compose_like(g, n, OP_MaxPool, 1, &x)), to_nhwc));
}

/* ---- products ---- */

void infer_fused_gemm(Graph *g, Node *n) {
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

void infer_fused_matmul(Graph *g, Node *n) {
  Value *a = matmul_operand(g, n, n->in[0], attr_int(n, "transBatchA", 0) != 0, attr_int(n, "transA", 0) != 0);
  Value *b = matmul_operand(g, n, n->in[1], attr_int(n, "transBatchB", 0) != 0, attr_int(n, "transB", 0) != 0);
  Value *y = compose_op(g, n, OP_MatMul, a, b);
  float alpha = attr_float(n, "alpha", 1);
  if (alpha != 1) y = compose_op(g, n, OP_Mul, y, compose_number(g, n, y->type, (double)alpha));
  compose_result(g, n, activate(g, n, y));
}

/* ---- normalizations of a sum ---- */

/* Along the last axis, with gamma and for a LayerNormalization beta, of the sum of inputs 0, 1 and, if there is one, `bias`. */
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

void infer_skip_layer_norm(Graph *g, Node *n) { normalize_sum(g, n, OP_LayerNormalization, 4); }
void infer_skip_rms_norm(Graph *g, Node *n) { normalize_sum(g, n, OP_RMSNormalization, 3); }

void infer_simplified_layer_norm(Graph *g, Node *n) {
  compose_result(g, n, compose_value(g, compose_like(g, n, OP_RMSNormalization, 2, n->in)));
}

/* ---- com.microsoft.nchwc: tensors [N,C,H,W] whose channels lie in blocks, which is a matter of layout alone here ---- */

/* Of 8 or 16 channels, as the CPU had it on which ONNX Runtime optimised the model; the weights' outputs are filled up to whole
 * blocks. */
static int64_t nchwc_block(const Graph *g, int64_t outputs) {
  return g->opt && g->opt->nchwc_block == 16 && outputs % 16 == 0 ? 16 : 8;
}

static Value *unblocked_weights(Graph *g, const Node *n) {
  const Value *v = n->in[1];
  const float *from = f32_data(v);
  check_rank(g, n, 1, 4, 4);
  if (!from) fail_at(g, n, "weights in blocks must be constants of fp32");
  int64_t outputs = v->shape.d[0], inputs = v->shape.d[1], taps = v->shape.d[2] * v->shape.d[3], b = nchwc_block(g, outputs);
  bool planes = inputs < b; /* the inputs are not in blocks: a stem's, or one a group */
  if (outputs % b || (!planes && inputs % b)) fail_at(g, n, "weights %s are no whole blocks", shape_text(g->cx, &v->shape));
  Value *w = value_const_f32(g, format_text(g->cx, "%s.weights", n->name), v->shape);
  for (int64_t o = 0; o < outputs; o++) {
    for (int64_t i = 0; i < inputs; i++) {
      for (int64_t p = 0; p < taps; p++) {
        int64_t block = planes ? (o / b * inputs + i) * taps + p : ((o / b * (inputs / b) + i / b) * taps + p) * b + i % b;
        f32_of(w)[(o * inputs + i) * taps + p] = from[block * b + o % b];
      }
    }
  }
  return w;
}

void infer_nchwc_conv(Graph *g, Node *n) {
  if (n->in[0]->type != T_F32) fail_at(g, n, "channels in blocks must be fp32");
  finish_conv(g, n, convolve(g, n, n->in[0], unblocked_weights(g, n)));
}

static void same_operator(Graph *g, Node *n, Op op) { compose_result(g, n, compose_value(g, compose_like(g, n, op, 1, n->in))); }

void infer_nchwc_max_pool(Graph *g, Node *n) { same_operator(g, n, OP_MaxPool); }
void infer_nchwc_average_pool(Graph *g, Node *n) { same_operator(g, n, OP_AveragePool); }
void infer_nchwc_global_average_pool(Graph *g, Node *n) { same_operator(g, n, OP_GlobalAveragePool); }
void infer_nchwc_global_max_pool(Graph *g, Node *n) { same_operator(g, n, OP_GlobalMaxPool); }

void infer_nchwc_reorder_input(Graph *g, Node *n) {
  check_rank(g, n, 0, 4, 4);
  Value *x = n->in[0];
  if (attr_int(n, "channels_last", 0) != 0) x = compose_transpose(g, n, x, to_nchw);
  int64_t over = x->shape.d[1] % 8;
  if (over) fail_at(g, n, "%lld channels are no whole blocks", (long long)x->shape.d[1]);
  compose_result(g, n, x);
}

void infer_nchwc_upsample(Graph *g, Node *n) {
  const Attr *a = attr_find(n, "scales");
  if (!a || a->kind != A_INTS || a->n != 4) fail_at(g, n, "attribute scales is not four integers");
  Value *scales = value_const_f32(g, format_text(g->cx, "%s.scales", n->name), shape_of(1, (int64_t)4));
  for (int k = 0; k < 4; k++) f32_of(scales)[k] = (float)a->ints[k];
  Node *resize = compose_like(g, n, OP_Resize, 3, (Value *[]){n->in[0], NULL, scales});
  attr_remove(resize, "scales");
  attr_set_string(g, resize, "nearest_mode", "floor");
  if (!attr_find(n, "coordinate_transformation_mode")) attr_set_string(g, resize, "coordinate_transformation_mode", "asymmetric");
  compose_result(g, n, compose_value(g, resize));
}

/* The channels that filled up the last block go. */
void infer_nchwc_reorder_output(Graph *g, Node *n) {
  check_rank(g, n, 0, 4, 4);
  Value *x = n->in[0];
  int64_t channels = attr_int(n, "channels", 0);
  check_range(g, n, "attribute channels", channels, 1, x->shape.d[1]);
  if (channels < x->shape.d[1]) {
    Value *in[] = {x, value_const_i64(g, "0", 1, (int64_t[]){0}), value_const_i64(g, "channels", 1, &channels),
                   value_const_i64(g, "axis", 1, (int64_t[]){1})};
    x = compose_value(g, compose_node(g, n, OP_Slice, 4, in));
  }
  if (attr_int(n, "channels_last", 0) != 0) x = compose_transpose(g, n, x, to_nhwc);
  compose_result(g, n, x);
}
