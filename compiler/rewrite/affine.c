/* affine.c: y = scale x + shift by channel, however a model spells it (batch normalisation, or
 * additions and multiplications by constants), becomes part of the weights beside it; what is left is one
 * Mul and one Add. */
#include "rewrite.h"

#include <math.h>

/* y = scale[c] x + shift[c] where c is the index along `axis`; with n = 1, one pair for every element. A shift of -0 is none:
 * one of +0 makes a zero of -0, which only --strict asks for. */
typedef struct Affine {
  int axis;
  int64_t n;
  double *scale, *shift;
} Affine;

static Affine affine_new(Graph *g, int axis, int64_t n) {
  Affine a = {.axis = axis, .n = n};
  a.scale = alloc_n(g->cx, (size_t)n, sizeof *a.scale);
  a.shift = alloc_n(g->cx, (size_t)n, sizeof *a.shift);
  return a;
}

static double scale_at(const Affine *a, int64_t c) {
  return a->scale[a->n == 1 ? 0 : c];
}

static double shift_at(const Affine *a, int64_t c) {
  return a->shift[a->n == 1 ? 0 : c];
}

static bool has_scale(const Affine *a) {
  for (int64_t i = 0; i < a->n; i++)
    if (a->scale[i] != 1) return true;
  return false;
}

static bool is_shift(double v) {
  return v != 0 || !signbit(v);
}

static bool has_shift(const Affine *a) {
  for (int64_t i = 0; i < a->n; i++)
    if (is_shift(a->shift[i])) return true;
  return false;
}

/* As the constants that it becomes. */
static bool is_finite(const Affine *a) {
  for (int64_t i = 0; i < a->n; i++)
    if (!isfinite((float)a->scale[i]) || !isfinite((float)a->shift[i])) return false;
  return true;
}

static void drop_zero_shifts(const Graph *g, Affine *a) {
  for (int64_t i = 0; i < a->n; i++)
    if (a->shift[i] == 0 && !(g->opt && g->opt->strict)) a->shift[i] = -0.0;
}

/* Does the affine map go by this axis of this size? */
static bool goes_by(const Affine *a, int axis, int64_t size) {
  return a->n == 1 || (a->axis == axis && a->n == size);
}

/* ---- reading nodes ---- */

static bool affine_of_batch_norm(Graph *g, const Node *n, Affine *a) {
  const float *p[4];
  for (int i = 0; i < 4; i++)
    if (!(p[i] = f32_data(n->in[i + 1]))) return false;
  if (n->in[0]->shape.rank < 2) return false;
  double epsilon = n->p.epsilon;
  *a = affine_new(g, 1, n->in[0]->shape.d[1]);
  for (int64_t c = 0; c < a->n; c++) {
    a->scale[c] = p[0][c] / sqrt(p[3][c] + epsilon);
    a->shift[c] = p[1][c] - p[2][c] * a->scale[c];
  }
  return true;
}

/* The axis of a tensor of `rank` along which the constant k varies, all other sizes being 1 (axis 0 where
 * it does not vary); -1: it varies along more than one. */
static int axis_of_constant(const Value *k, int rank) {
  int axis = -1;
  for (int i = 0; i < k->shape.rank; i++) {
    if (k->shape.d[i] == 1) continue;
    if (axis >= 0) return -1;
    axis = i + rank - k->shape.rank;
  }
  return axis < 0 ? 0 : axis;
}

static bool set_binary(Op op, bool constant_first, double k, double *scale, double *shift) {
  *scale = 1, *shift = -0.0;
  switch (op) {
    case OP_Add: *shift = k; return true;
    case OP_Mul: *scale = k; return true;
    case OP_Sub:
      *scale = constant_first ? -1 : 1;
      *shift = constant_first ? k : -k;
      return true;
    case OP_Div: *scale = 1 / k; return !constant_first;
    default: return false;
  }
}

static bool affine_of_binary(Graph *g, const Node *n, int chain, Affine *a) {
  const Value *x = n->in[chain], *k = n->in[1 - chain];
  const float *data = f32_data(k);
  if (!data || x->data || !shape_equal(&x->shape, &n->out[0]->shape)) return false;
  int axis = axis_of_constant(k, x->shape.rank);
  if (axis < 0) return false;
  *a = affine_new(g, axis, shape_count(&k->shape));
  for (int64_t c = 0; c < a->n; c++)
    if (!set_binary(n->op, chain == 1, data[c], &a->scale[c], &a->shift[c])) return false;
  return true;
}

/* Reads n as an affine map of its input `*x`; false: it is none. */
static bool affine_of(Graph *g, const Node *n, Affine *a, Value **x) {
  int chain = 0;
  bool found = false;
  if (n->dead || n->n_out < 1 || !n->out[0] || n->out[0]->type != T_F32) return false;
  if (n->op == OP_BatchNormalization) found = affine_of_batch_norm(g, n, a);
  else if (op_info[n->op].family == FAMILY_BINARY) {
    chain = n->in[0]->data ? 1 : 0;
    found = affine_of_binary(g, n, chain, a);
  }
  *x = n->in[chain];
  if (found) drop_zero_shifts(g, a);
  return found && a->n > 0 && is_finite(a);
}

/* a becomes b after a; false: they go by different axes. */
static bool compose(Graph *g, Affine *a, const Affine *b) {
  if (a->n > 1 && b->n > 1 && !goes_by(a, b->axis, b->n)) return false;
  const Affine *wide = a->n > 1 ? a : b;
  Affine r = affine_new(g, wide->axis, wide->n);
  for (int64_t c = 0; c < r.n; c++) {
    r.scale[c] = scale_at(b, c) * scale_at(a, c);
    double shift = shift_at(a, c);
    r.shift[c] = is_shift(shift) ? scale_at(b, c) * shift + shift_at(b, c) : shift_at(b, c);
  }
  drop_zero_shifts(g, &r);
  if (!is_finite(&r)) return false;
  *a = r;
  return true;
}

/* ---- weights ---- */

/* Input i as a fresh constant of that shape, to be filled: others may read the old one. */
static float *renew(Graph *g, Node *n, int i, const Shape *shape) {
  Value *v = value_const_f32(g, n->in[i]->name, *shape);
  node_set_input(g, n, i, v);
  return f32_of(v);
}

/* The bias, zeros where it is absent, as a fresh constant. */
static float *renew_bias(Graph *g, Node *n, int64_t count) {
  const Value *old = n->n_in > 2 ? n->in[2] : NULL;
  if (n->n_in < 3) node_add_input(g, n, NULL);
  const char *name = old ? old->name : format_text(g->cx, "%s.bias", n->name);
  Value *bias = value_const_f32(g, name, shape_of(1, count));
  if (old) move_bytes(f32_of(bias), old->data, (size_t)count * sizeof(float));
  node_set_input(g, n, 2, bias);
  return f32_of(bias);
}

static void scale_bias(Graph *g, Node *n, const Affine *a, int64_t count) {
  if (!has_shift(a) && (n->n_in < 3 || !n->in[2])) return;
  float *b = renew_bias(g, n, count);
  for (int64_t c = 0; c < count; c++) b[c] = (float)(b[c] * scale_at(a, c) + shift_at(a, c));
}

/* The weights and bias that a node had before it was scaled. */
typedef struct Unscaled { Value *weights, *bias; } Unscaled;

static Unscaled unscaled(const Node *n) {
  return (Unscaled){n->n_in > 1 ? n->in[1] : NULL, n->n_in > 2 ? n->in[2] : NULL};
}

static bool is_finite_or(const Value *v, const Value *old) { return !v || v == old || const_is_finite(v); }

/* False: a number has come to be that is not finite, which a result may be all the same, and n is as before. */
static bool keep_if_finite(Graph *g, Node *n, const Unscaled *old) {
  if (is_finite_or(n->in[1], old->weights) && (n->n_in < 3 || is_finite_or(n->in[2], old->bias))) return true;
  node_set_input(g, n, 1, old->weights);
  if (n->n_in > 2) node_set_input(g, n, 2, old->bias);
  return false;
}

/* ---- Gemm's plainest form: what alpha, beta and the transpositions ask of constants is done to them ---- */

static void scale_constant(Graph *g, Node *n, int i, double k) {
  const float *old = n->in[i]->data;
  Shape s = n->in[i]->shape;
  float *w = renew(g, n, i, &s);
  for (int64_t j = 0; j < shape_count(&s); j++) w[j] = (float)(k * old[j]);
}

static void transpose_constant(Graph *g, Node *n, int i, const char *attr) {
  if (!f32_data(n->in[i])) return;
  const float *old = n->in[i]->data;
  int64_t rows = n->in[i]->shape.d[1], columns = n->in[i]->shape.d[0];
  Shape s = shape_of(2, rows, columns);
  float *w = renew(g, n, i, &s);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) w[r * columns + c] = old[c * rows + r];
  attr_remove(n, attr);
}

/* A constant third input that is the same for all rows becomes one of rank 1 with a number a column. */
static void flatten_gemm_bias(Graph *g, Node *n) {
  const Shape *s = &n->in[2]->shape;
  int64_t columns = n->out[0]->shape.d[1], count = shape_count(s);
  if (s->rank == 2 && s->d[0] != 1) return;
  const float *old = n->in[2]->data;
  Shape row = shape_of(1, columns);
  float *b = renew(g, n, 2, &row);
  for (int64_t c = 0; c < columns; c++) b[c] = old[count == 1 ? 0 : c];
}

static void normalise_gemm(Graph *g, Node *n) {
  if (n->out[0]->type != T_F32) return;
  if (n->p.trans_a) transpose_constant(g, n, 0, "transA");
  if (n->p.trans_b) transpose_constant(g, n, 1, "transB");
  int constant = f32_data(n->in[1]) ? 1 : f32_data(n->in[0]) ? 0 : -1;
  if (constant >= 0) {
    if (n->p.alpha != 1) scale_constant(g, n, constant, n->p.alpha);
    attr_remove(n, "alpha");
  }
  bool bias = n->n_in > 2 && n->in[2];
  if (!bias || f32_data(n->in[2])) {
    if (bias && n->p.beta != 1) scale_constant(g, n, 2, n->p.beta);
    attr_remove(n, "beta");
    if (bias) flatten_gemm_bias(g, n);
  }
  infer_node(g, n);
}

/* ---- into the node before ---- */

static void scale_conv_outputs(Graph *g, Node *n, const Affine *a) {
  const float *old = n->in[1]->data;
  Shape s = n->in[1]->shape;
  int64_t outputs = s.d[0], size = outputs ? shape_count(&s) / outputs : 0;
  if (has_scale(a)) {
    float *w = renew(g, n, 1, &s);
    for (int64_t o = 0; o < outputs; o++) {
      double k = scale_at(a, o);
      for (int64_t i = o * size; i < (o + 1) * size; i++) w[i] = (float)(old[i] * k);
    }
  }
  scale_bias(g, n, a, outputs);
}

/* The weights are [channel][output of its group][tap]. */
static void scale_transposed_outputs(Graph *g, Node *n, const Affine *a) {
  const float *old = n->in[1]->data;
  Shape s = n->in[1]->shape;
  int64_t inputs = s.d[0], outputs = s.d[1], pairs = inputs * outputs, size = pairs ? shape_count(&s) / pairs : 0;
  if (has_scale(a)) {
    float *w = renew(g, n, 1, &s);
    for (int64_t i = 0; i < pairs * size; i++) {
      int64_t channel = i / size / outputs, group = channel / (inputs / n->group);
      w[i] = (float)(old[i] * scale_at(a, group * outputs + i / size % outputs));
    }
  }
  scale_bias(g, n, a, outputs * n->group);
}

static void scale_columns(Graph *g, Node *n, const Affine *a) {
  const float *old = n->in[1]->data;
  Shape s = n->in[1]->shape;
  int64_t columns = s.d[1];
  if (!has_scale(a)) return;
  float *w = renew(g, n, 1, &s);
  for (int64_t k = 0; k < s.d[0]; k++)
    for (int64_t c = 0; c < columns; c++) w[k * columns + c] = (float)(old[k * columns + c] * scale_at(a, c));
}

/* Folds what it can of the map into n, whose result nobody else reads; true: all of it. */
static bool fold_before(Graph *g, Node *n, Affine *a) {
  if (!n || n->n_in < 2) return false;
  const Unscaled old = unscaled(n);
  if (is_const_conv(n) && goes_by(a, 1, n->in[1]->shape.d[0])) {
    scale_conv_outputs(g, n, a);
    return keep_if_finite(g, n, &old);
  }
  if (is_const_conv_transpose(n) && goes_by(a, 1, n->in[1]->shape.d[1] * n->group)) {
    scale_transposed_outputs(g, n, a);
    return keep_if_finite(g, n, &old);
  }
  if (is_const_gemm(n) && goes_by(a, 1, n->in[1]->shape.d[1])) {
    scale_columns(g, n, a);
    scale_bias(g, n, a, n->in[1]->shape.d[1]);
    return keep_if_finite(g, n, &old);
  }
  if (is_const_matmul(n) && goes_by(a, n->out[0]->shape.rank - 1, n->in[1]->shape.d[1])) {
    scale_columns(g, n, a);
    if (!keep_if_finite(g, n, &old)) return false;
    for (int64_t c = 0; c < a->n; c++) a->scale[c] = 1; /* a MatMul has no bias: the shift stays an Add */
  }
  return false;
}

/* ---- into the node after ---- */

/* W (scale x + shift) = (W scale) x + W shift. Zeros of a border would not be shifted. */
static void scale_conv_inputs(Graph *g, Node *n, const Affine *a) {
  const float *old = n->in[1]->data;
  Shape s = n->in[1]->shape;
  int64_t outputs = s.d[0], inputs = s.d[1], pairs = outputs * inputs, taps = pairs ? shape_count(&s) / pairs : 0;
  int64_t per_group = outputs / n->group;
  float *w = renew(g, n, 1, &s), *bias = has_shift(a) ? renew_bias(g, n, outputs) : NULL;
  for (int64_t o = 0; o < outputs; o++) {
    double sum = 0;
    for (int64_t i = 0; i < inputs * taps; i++) {
      int64_t c = o / per_group * inputs + i / taps, at = o * inputs * taps + i;
      w[at] = (float)(old[at] * scale_at(a, c));
      sum += old[at] * shift_at(a, c);
    }
    if (bias) bias[o] = (float)(bias[o] + sum);
  }
}

static void scale_rows(Graph *g, Node *n, const Affine *a) {
  const float *old = n->in[1]->data;
  Shape s = n->in[1]->shape;
  float *w = renew(g, n, 1, &s), *bias = has_shift(a) ? renew_bias(g, n, s.d[1]) : NULL;
  for (int64_t c = 0; c < s.d[1]; c++) {
    double sum = 0;
    for (int64_t k = 0; k < s.d[0]; k++) {
      w[k * s.d[1] + c] = (float)(old[k * s.d[1] + c] * scale_at(a, k));
      sum += old[k * s.d[1] + c] * shift_at(a, k);
    }
    if (bias) bias[c] = (float)(bias[c] + sum);
  }
}

/* Folds the map from x to y into the one node that reads y, so that it reads x; false: it can't take it. */
static bool fold_after(Graph *g, Value *y, Value *x, const Affine *a) {
  Node *n = only_reader(y);
  if (!n || n->in[0] != y) return false;
  int64_t channels = y->shape.rank > 1 ? y->shape.d[1] : 0;
  const Unscaled old = unscaled(n);
  if (is_const_conv(n) && goes_by(a, 1, channels)) {
    if ((has_shift(a) && has_padding(n)) || shape_count(&n->in[1]->shape) == 0) return false;
    scale_conv_inputs(g, n, a);
  } else if (is_const_gemm(n) && goes_by(a, 1, channels)) scale_rows(g, n, a);
  else if (is_const_matmul(n) && !has_shift(a) && goes_by(a, y->shape.rank - 1, n->in[1]->shape.d[0]))
    scale_rows(g, n, a);
  else return false;
  if (!keep_if_finite(g, n, &old)) return false;
  node_set_input(g, n, 0, x);
  return true;
}

/* ---- what is left ---- */

/* The scales or shifts along their axis of a tensor of `rank`, with no more dimensions than that takes. */
static Value *channel_constant(Graph *g, const char *name, const Affine *a, int rank, const double *data) {
  Shape s = {.rank = a->n == 1 ? 0 : rank - a->axis};
  for (int i = 0; i < s.rank; i++) s.d[i] = i ? 1 : a->n;
  Value *v = value_const_f32(g, name, s);
  for (int64_t c = 0; c < a->n; c++) f32_of(v)[c] = (float)data[c];
  return v;
}

/* op(x, constant) before the current node, with the result `y`, or a fresh one where that is NULL. */
static Value *insert_binary(Graph *g, Op op, const char *name, Value *x, Value *k, Value *y) {
  Node *n = walk_before(g, op, name, 2, (Value *[]){x, k}, 1);
  n->out[0] = y ? y : value_new(g, name, x->type, x->shape);
  n->out[0]->def = n;
  infer_node(g, n);
  return n->out[0];
}

static void write_affine(Graph *g, const char *name, Value *x, Value *y, const Affine *a) {
  bool scale = has_scale(a), shift = has_shift(a);
  int rank = x->shape.rank;
  Value *v = x;
  if (scale) {
    Value *k = channel_constant(g, format_text(g->cx, "%s.scale", name), a, rank, a->scale);
    v = insert_binary(g, OP_Mul, name, v, k, shift ? NULL : y);
  }
  if (shift) {
    Value *k = channel_constant(g, format_text(g->cx, "%s.shift", name), a, rank, a->shift);
    insert_binary(g, OP_Add, name, v, k, y);
  }
  if (!scale && !shift) graph_replace(g, y, x);
}

/* ---- the pass ---- */

/* Composes the maps that follow `first`, which *a holds, each the only reader of the one before, into *a; all
 * but the last die. */
static Node *follow_chain(Graph *g, Node *first, Affine *a) {
  Node *last = first;
  for (;;) {
    Node *next = only_reader(last->out[0]);
    Affine b;
    Value *x;
    if (!next || !affine_of(g, next, &b, &x) || x != last->out[0] || !compose(g, a, &b)) return last;
    last->dead = true;
    last = next;
  }
}

static bool has_const_weights(const Node *n) {
  return n && n->n_in > 1 && (is_const_conv(n) || is_const_conv_transpose(n) || is_const_gemm(n) || is_const_matmul(n));
}

/* With `exact` what is not put into weights is rounded as it stands, operator by operator. */
static void fold_chain(Graph *g, Node *first, bool exact) {
  Affine a;
  Value *x;
  if (!affine_of(g, first, &a, &x)) return;
  bool alone = only_reader(x) == first, kept = exact && !(alone && has_const_weights(x->def));
  if (kept && first->op != OP_BatchNormalization) return;
  Node *last = kept ? first : follow_chain(g, first, &a);
  last->dead = true;
  if (alone && fold_before(g, x->def, &a)) give_output(x->def, last);
  else if (!fold_after(g, last->out[0], x, &a)) write_affine(g, last->name, x, last->out[0], &a);
}

void pass_affine(Graph *g) {
  for (int i = 0; i < g->n_node; i++)
    if (g->node[i]->op == OP_Gemm) normalise_gemm(g, g->node[i]);
  bool exact = graph_is_quantized(g);
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) fold_chain(g, n, exact);
  graph_compact(g);
}
