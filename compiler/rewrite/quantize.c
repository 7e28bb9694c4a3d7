/* quantize.c: QuantizeLinear and DequantizeLinear put into a graph of floats, so that its operators can work on integers.
 *
 *     x -- Conv -- Relu -- y            x -- Q DQ -- Conv -- Relu -- Q DQ -- y
 *          w, b                                w s8 DQ, b i32 DQ
 *
 * Activations are u8 with one scale and zero point, weights s8 with a scale for each channel of the result and no zero point, a
 * bias i32 in units of both scales. Every value that such an operator makes or reads has one pair, behind which all readers read;
 * there is none between an operator and the Relu or Clip that alone reads it, nor behind a product that is an output. */
#include "rewrite.h"

#include <math.h>

/* ==== which operators, which values ==== */

static bool has_one_result(const Node *n) {
  for (int i = 1; i < n->n_out; i++)
    if (n->out[i]) return false;
  return n->out[0] && n->out[0]->type == T_F32;
}

static bool is_activation(const Value *v) { return v && v->type == T_F32 && !v->data; }

static bool is_optional_constant(const Node *n, int i) { return !has_input(n, i) || f32_data(n->in[i]); }

static bool is_product(const Node *n) {
  switch (n->op) {
    case OP_Conv: return f32_data(n->in[1]) && is_optional_constant(n, 2);
    case OP_Gemm: return is_const_gemm(n);
    case OP_MatMul: return is_activation(n->in[0]) && (is_activation(n->in[1]) || is_const_matmul(n));
    default: return false;
  }
}

static bool is_bound(const Node *n) {
  return n->op == OP_Relu || (n->op == OP_Clip && is_optional_constant(n, 1) && is_optional_constant(n, 2));
}

/* Elements change place, or are left out. */
static bool is_move(const Node *n) {
  switch (n->op) {
    case OP_Reshape: case OP_Flatten: case OP_Transpose: case OP_Squeeze: case OP_Unsqueeze: case OP_Slice:
    case OP_DepthToSpace: case OP_SpaceToDepth: case OP_MaxPool: return true;
    default: return false;
  }
}

static bool can_quantize(const Node *n) {
  if (n->n_step || !has_one_result(n) || !is_activation(n->in[0])) return false;
  switch (n->op) {
    case OP_Add: case OP_Mul: return is_activation(n->in[1]);
    case OP_AveragePool: case OP_GlobalAveragePool: case OP_Concat: return true;
    case OP_Sigmoid: case OP_HardSigmoid: case OP_HardSwish: case OP_LeakyRelu: case OP_Tanh: return true;
    default: return is_product(n) || is_bound(n);
  }
}

static bool works_on_integers(const Quantizing *q, const Graph *g, const Node *n) { return q->works[node_index(g, n)]; }

/* Is v between an operator and the bounds that alone read it? */
static bool is_inside(const Quantizing *q, const Graph *g, Value *v) {
  const Node *reader = only_reader(v);
  if (!reader || !is_bound(reader) || !v->def || !works_on_integers(q, g, reader)) return false;
  return works_on_integers(q, g, v->def) && (is_product(v->def) || v->def->op == OP_Add || v->def->op == OP_Mul);
}

static bool is_wanted(const Quantizing *q, const Graph *g, Value *v) {
  if (!is_activation(v) || is_inside(q, g, v)) return false;
  bool made = v->def && works_on_integers(q, g, v->def);
  if (v->is_output && made && (v->def->op == OP_Gemm || v->def->op == OP_MatMul)) return false;
  Use *at = NULL;
  for (Node *n; !made && (n = next_reader(v, &at));) made = works_on_integers(q, g, n);
  return made;
}

Quantizing quantizing_new(Graph *g, const bool *keep) {
  Quantizing q = {.n_value = g->n_value};
  q.works = alloc_n(g->cx, (size_t)g->n_node + 1, sizeof *q.works);
  q.wanted = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *q.wanted);
  q.same = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *q.same);
  q.range = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *q.range);
  q.mean = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *q.mean);
  q.result = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *q.result);
  for (int i = 0; i < g->n_node; i++) q.works[i] = !keep[i] && can_quantize(g->node[i]);
  for (int i = 0; i < g->n_value; i++) q.wanted[i] = is_wanted(&q, g, g->value[i]);
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    if (keep[i] || !is_move(n) || !is_activation(n->in[0]) || !q.wanted[n->in[0]->id] || !has_one_result(n)) continue;
    q.wanted[n->out[0]->id] = true;
    q.same[n->out[0]->id] = n->in[0];
  }
  return q;
}

/* ==== numbers ==== */

/* The 255 steps reach over the range, which 0 is part of. */
static Uniform uniform_for(QuantRange r) {
  float lo = fminf(r.lo, 0), hi = fmaxf(r.hi, 0), scale = (hi - lo) / 255;
  if (!(scale >= 0x1p-100f)) return (Uniform){.scale = 1};
  return (Uniform){scale, (int64_t)nearbyintf(fminf(fmaxf(-lo / scale, 0), 255))};
}

static Uniform uniform_at(const Quantizing *q, const Value *v) {
  while (q->same[v->id]) v = q->same[v->id];
  return uniform_for(q->range[v->id]);
}

/* ==== nodes ==== */

static Value *scale_constant(Graph *g, const char *name, int64_t n, const float *s) {
  return value_const(g, format_text(g->cx, "%s_scale", name), T_F32, n ? shape_of(1, n) : shape_of(0), s);
}

static Value *zero_constant(Graph *g, const char *name, Type t, int64_t n, int64_t zero) {
  int64_t count = size_max(n, 1);
  void *data = alloc_n(g->cx, (size_t)count, type_size(t));
  for (int64_t i = 0; i < count; i++) put_number(t, data, i, (Number){.i = zero});
  return value_const(g, format_text(g->cx, "%s_zero_point", name), t, n ? shape_of(1, n) : shape_of(0), data);
}

static Node *pair_node(Graph *g, Op op, const char *name, Value *const *in, bool before) {
  return (before ? walk_before : walk_after)(g, op, format_text(g->cx, "%s_%s", name, op_info[op].name), 3, in, 1);
}

static void set_result(Graph *g, Node *n, Value *v) {
  n->out[0] = v;
  v->def = n;
  infer_node(g, n);
}

static Value *value_like(Graph *g, const Value *v, const char *suffix, Type t) {
  Value *like = value_new(g, format_text(g->cx, "%s_%s", v->name, suffix), t, v->shape);
  like->batched = v->batched;
  return like;
}

/* All that read v read it dequantised; the pair stands before the current node of the walk, or behind it, which makes v. */
static void add_pair(Graph *g, const Quantizing *q, Value *v, bool before) {
  const char *name = v->name;
  Uniform u = uniform_at(q, v);
  float *number = alloc(g->cx, sizeof *number);
  *number = u.scale;
  Value *scale = scale_constant(g, name, 0, number), *zero = zero_constant(g, name, T_U8, 0, u.zero);
  Value *integers = value_like(g, v, "quantized", T_U8), *data = value_like(g, v, "dequantized", T_F32);
  Value *in[][3] = {{v, scale, zero}, {integers, scale, zero}};
  graph_replace(g, v, data);
  Node *second = before ? NULL : pair_node(g, OP_DequantizeLinear, name, in[1], false);
  Node *first = pair_node(g, OP_QuantizeLinear, name, in[0], before);
  if (before) second = pair_node(g, OP_DequantizeLinear, name, in[1], true);
  set_result(g, first, integers);
  set_result(g, second, data);
  q->result[v->id] = data;
}

/* ==== weights ==== */

/* Constant weights as channels of the result, each with so many elements: element (c, i) is number c * by_channel + i * by_element. */
typedef struct Weights {
  Node *n;
  const float *data;
  int64_t channels, elements, by_channel, by_element;
  int axis;
  float *scale;
  int8_t *integers;
} Weights;

static Weights weights_of(Graph *g, Node *n) {
  const Value *w = n->in[1];
  int64_t count = shape_count(&w->shape);
  int axis = n->op == OP_Conv || n->p.trans_b ? 0 : 1;
  Weights k = {.n = n, .data = f32_data(w), .channels = w->shape.d[axis], .axis = axis};
  k.elements = count / size_max(k.channels, 1);
  k.by_channel = axis == 0 ? k.elements : 1;
  k.by_element = axis == 0 ? 1 : k.channels;
  k.scale = alloc_n(g->cx, (size_t)k.channels + 1, sizeof *k.scale);
  k.integers = alloc_n(g->cx, (size_t)count + 1, 1);
  return k;
}

/* A scale so large that a bias in its units fits 31 bits. */
static void choose_scale(const Weights *k, int64_t c, float bias, float input_scale) {
  float most = 0;
  for (int64_t i = 0; i < k->elements; i++) most = fmaxf(most, fabsf(k->data[c * k->by_channel + i * k->by_element]));
  k->scale[c] = fmaxf(most / 127, fabsf(bias) / input_scale * 0x1p-30f);
  if (!(k->scale[c] >= 0x1p-100f)) k->scale[c] = 1;
}

static void round_channel(const Weights *k, int64_t c) {
  for (int64_t i = 0; i < k->elements; i++) {
    int64_t at = c * k->by_channel + i * k->by_element;
    k->integers[at] = (int8_t)fminf(fmaxf(nearbyintf(k->data[at] / k->scale[c]), -127), 127);
  }
}

/* What rounding the weights adds to the mean of a channel of the result, of the means of the input's channels. */
static double mean_error(const Weights *k, int64_t c, const float *mean) {
  const Node *n = k->n;
  int64_t taps = n->op == OP_Conv ? taps_of_window(&n->win) : 1, inputs = k->elements / size_max(taps, 1);
  int64_t first = n->op == OP_Conv ? c / (k->channels / n->group) * inputs : 0;
  double error = 0;
  for (int64_t i = 0; i < k->elements; i++) {
    int64_t at = c * k->by_channel + i * k->by_element;
    error += ((double)k->integers[at] * (double)k->scale[c] - (double)k->data[at]) * (double)mean[first + i / taps];
  }
  return error;
}

static void dequantize_constant(Graph *g, Node *n, int i, Type t, const Shape *shape, const void *data, int axis, int64_t channels,
                                const float *scale) {
  const char *name = n->in[i] ? n->in[i]->name : format_text(g->cx, "%s_bias", n->name);
  Value *in[] = {value_const(g, format_text(g->cx, "%s_quantized", name), t, *shape, data), scale_constant(g, name, channels, scale),
                 zero_constant(g, name, t, channels, 0)};
  Node *dequantize = walk_before(g, OP_DequantizeLinear, format_text(g->cx, "%s_DequantizeLinear", name), 3, in, 1);
  attr_set_int(g, dequantize, "axis", axis);
  node_set_input(g, n, i, new_result(g, dequantize));
}

static void quantize_bias(Graph *g, const Weights *k, const float *bias, float input_scale) {
  int32_t *integers = alloc_n(g->cx, (size_t)k->channels + 1, sizeof *integers);
  float *scale = alloc_n(g->cx, (size_t)k->channels + 1, sizeof *scale);
  for (int64_t c = 0; c < k->channels; c++) {
    scale[c] = input_scale * k->scale[c];
    integers[c] = (int32_t)fminf(fmaxf(nearbyintf(bias[c] / scale[c]), -0x1p30f), 0x1p30f);
  }
  while (k->n->n_in < 3) node_add_input(g, k->n, NULL);
  Shape shape = shape_of(1, k->channels);
  dequantize_constant(g, k->n, 2, T_I32, &shape, integers, 0, k->channels, scale);
}

/* The weights and bias of a product with that input; mean: of its channels, NULL where they are not known. */
static void quantize_weights(Graph *g, Node *n, float input_scale, const float *mean) {
  Weights k = weights_of(g, n);
  const float *given = n->n_in > 2 ? f32_data(n->in[2]) : NULL;
  int64_t given_count = given ? shape_count(&n->in[2]->shape) : 0;
  float *bias = alloc_n(g->cx, (size_t)k.channels + 1, sizeof *bias);
  for (int64_t c = 0; c < k.channels; c++) {
    if (given) bias[c] = given[given_count == 1 ? 0 : c];
    choose_scale(&k, c, bias[c], input_scale);
    round_channel(&k, c);
    if (mean && n->op != OP_MatMul) bias[c] -= (float)mean_error(&k, c, mean);
  }
  dequantize_constant(g, n, 1, T_I8, &n->in[1]->shape, k.integers, k.axis, k.channels, k.scale);
  if (n->op != OP_MatMul) quantize_bias(g, &k, bias, input_scale);
}

/* ==== the graph ==== */

static void quantize_node(Graph *g, const Quantizing *q, Node *n) {
  const Node *dequantize = dequantized(n->in[0]);
  Uniform u;
  if (!is_product(n) || is_activation(n->in[1]) || !dequantize || !uniform_of(dequantize, &u)) return;
  const Value *x = dequantize->in[0]->def->in[0];
  quantize_weights(g, n, u.scale, q->mean[x->id]);
}

static void add_pairs(Graph *g, const Quantizing *q, Value *const *v, int n, bool before) {
  for (int i = 0; i < n; i++)
    if (v[i] && v[i]->id < q->n_value && q->wanted[v[i]->id]) add_pair(g, q, v[i], before);
}

void quantize_graph(Graph *g, const Quantizing *q) {
  int number = 0;
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    if (n->op == OP_QuantizeLinear || n->op == OP_DequantizeLinear) continue; /* of a pair behind a node */
    if (number == 0) add_pairs(g, q, g->input, g->n_input, true);
    if (q->works[number++]) quantize_node(g, q, n);
    add_pairs(g, q, n->out, n->n_out, false);
  }
  graph_compact(g);
}
