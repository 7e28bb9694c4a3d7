/* norm.c: normalisation: by what is known of a whole channel, or by statistics of the elements themselves. */
#include "ops.h"

#include <math.h>
#include <string.h>

/* ==== BatchNormalization ==== */

void infer_batch_norm(Graph *g, Node *n) {
  check_rank(g, n, 0, 1, MAX_RANK);
  n->p.epsilon = attr_float(n, "epsilon", 1e-5f);
  check_channel_inputs(g, n);
  infer_same(g, n);
}

void eval_batch_norm(Graph *g, const Node *n, const void *const *in, void **out) {
  const Shape *s = &n->in[0]->shape;
  const float *of[5];
  for (int i = 0; i < 5; i++) of[i] = f32_elements(g, n->in[i], in[i]);
  const float *x = of[0], *scale = of[1], *bias = of[2];
  double epsilon = n->p.epsilon;
  int64_t channels = s->rank > 1 ? s->d[1] : 1, count = shape_count(s), map = 1;
  for (int i = 2; i < s->rank; i++) map *= s->d[i];
  double *mean = alloc_n(g->cx, (size_t)channels, sizeof *mean), *var = alloc_n(g->cx, (size_t)channels, sizeof *var);
  for (int64_t c = 0; c < channels; c++) {
    mean[c] = of[3][c];
    var[c] = of[4][c];
  }
  for (int64_t i = 0; i < count; i++) {
    int64_t c = i / map % channels;
    Number y = {.f = (x[i] - mean[c]) / sqrt(var[c] + epsilon) * scale[c] + bias[c]};
    put_number(n->out[0]->type, out[0], i, y);
  }
}

/* ==== by statistics of the elements themselves: along Node.p.axes, within Node.group groups of channels ==== */

static unsigned axes_from(int axis, int rank) { return ((1u << rank) - 1) & ~((1u << axis) - 1); }

/* The statistics that a normalisation has of its input: their shape, with the axes kept as those of one element. */
static Shape statistics_shape(const Node *n) {
  Shape s = n->in[0]->shape;
  for (int i = 0; i < s.rank; i++)
    if (n->p.axes >> i & 1) s.d[i] = i == 1 ? n->group : 1;
  return s;
}

static void set_statistics(Graph *g, Node *n, unsigned axes, Divisor divisor, bool centered) {
  n->p.axes = axes;
  n->p.divisor = divisor;
  n->p.centered = centered;
  n->group = 1;
  for (int i = 0; i < n->in[0]->shape.rank; i++)
    if (axes >> i & 1) check_number(g, n, 0, i);
}

static int64_t channels_of(Graph *g, const Node *n) {
  check_rank(g, n, 0, 2, MAX_RANK);
  check_number(g, n, 0, 1);
  return n->in[0]->shape.d[1];
}

static void set_groups(Graph *g, Node *n, int64_t groups, int64_t channels) {
  check_range(g, n, "the number of groups", groups, 1, INT32_MAX);
  if (channels % groups) fail_at(g, n, "%lld channels are not %lld groups", (long long)channels, (long long)groups);
  n->group = (int)groups;
}

void infer_instance_norm(Graph *g, Node *n) {
  int64_t channels = channels_of(g, n);
  n->p.epsilon = attr_float(n, "epsilon", 1e-5f);
  set_statistics(g, n, axes_from(2, n->in[0]->shape.rank), DIVISOR_VARIANCE, true);
  for (int i = 1; i < 3; i++) {
    check_same_type(g, n, i);
    check_per_channel(g, n, i, channels);
  }
  infer_same(g, n);
}

void infer_group_norm(Graph *g, Node *n) {
  int64_t channels = channels_of(g, n), groups = attr_int(n, "num_groups", 0);
  n->p.epsilon = attr_float(n, "epsilon", 1e-5f);
  set_statistics(g, n, axes_from(1, n->in[0]->shape.rank), DIVISOR_VARIANCE, true);
  set_groups(g, n, groups, channels);
  for (int i = 1; i < 3; i++) {
    const Shape *s = &n->in[i]->shape;
    check_same_type(g, n, i);
    check_per_channel(g, n, i, s->rank == 1 && s->d[0] == groups ? groups : channels);
  }
  infer_same(g, n);
}

static unsigned last_axes(Graph *g, const Node *n) {
  int rank = n->in[0]->shape.rank;
  check_rank(g, n, 0, 1, MAX_RANK);
  return axes_from(check_axis(g, n, attr_int(n, "axis", -1), rank), rank);
}

static void check_parameters(Graph *g, const Node *n) {
  for (int i = 1; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    if (!type_is_float(n->in[i]->type)) fail_at(g, n, "input %d must be of a floating-point type", i);
    broadcast_into(g, n, i, &n->in[0]->shape);
  }
}

/* The type of the statistics as results: f32, as a rule, or the input's. */
static Type stash_type(Graph *g, const Node *n) {
  int64_t t = attr_int(n, "stash_type", T_F32);
  if (t == T_F32 || t == T_F64) return (Type)t;
  if (t != T_BF16 && t != T_F16) fail_at(g, n, "stash_type %lld is no floating-point type", (long long)t);
  return n->in[0]->type;
}

/* The result has the type of the scale, which in newer operator sets is the input's. */
static void normalize_last_axes(Graph *g, Node *n, bool centered) {
  n->p.epsilon = attr_float(n, "epsilon", 1e-5f);
  set_statistics(g, n, last_axes(g, n), DIVISOR_VARIANCE, centered);
  check_parameters(g, n);
  set_output(g, n, 0, n->in[1]->type, &n->in[0]->shape);
}

void infer_layer_norm(Graph *g, Node *n) {
  normalize_last_axes(g, n, true);
  Shape s = statistics_shape(n);
  for (int i = 1; i < 3; i++) set_output(g, n, i, stash_type(g, n), &s);
}

void infer_rms_norm(Graph *g, Node *n) { normalize_last_axes(g, n, false); }

/* The axes that an attribute lists. */
static unsigned listed_axes(Graph *g, const Node *n, unsigned otherwise) {
  const Attr *a = attr_find(n, "axes");
  unsigned axes = 0;
  if (!a) return otherwise;
  for (int i = 0; i < a->n; i++) axes |= 1u << check_axis(g, n, a->ints[i], n->in[0]->shape.rank);
  return axes;
}

void infer_mean_variance_norm(Graph *g, Node *n) {
  n->p.epsilon = 1e-9f;
  unsigned usual = 1 | axes_from(2, MAX_RANK); /* N, H and W */
  set_statistics(g, n, listed_axes(g, n, usual & axes_from(0, n->in[0]->shape.rank)), DIVISOR_DEVIATION, true);
  infer_same(g, n);
}

void infer_lp_norm(Graph *g, Node *n) {
  check_rank(g, n, 0, 1, MAX_RANK);
  int64_t p = attr_int(n, "p", 2);
  check_range(g, n, "the order p", p, 1, 2);
  unsigned axis = 1u << check_axis(g, n, attr_int(n, "axis", -1), n->in[0]->shape.rank);
  set_statistics(g, n, axis, p == 1 ? DIVISOR_L1 : DIVISOR_L2, false);
  infer_same(g, n);
}

const char *const divisor_name[] = {[DIVISOR_VARIANCE] = "variance", [DIVISOR_DEVIATION] = "deviation", [DIVISOR_L1] = "l1", [DIVISOR_L2] = "l2"};

void infer_normalize(Graph *g, Node *n) {
  const char *name = attr_string(n, "divisor", "variance");
  int divisor = 0;
  while (divisor <= DIVISOR_L2 && strcmp(divisor_name[divisor], name) != 0) divisor++;
  if (divisor > DIVISOR_L2) fail_at(g, n, "the divisor \"%s\" is not known", name);
  n->p.epsilon = attr_float(n, "epsilon", 0);
  unsigned axes = listed_axes(g, n, 0);
  set_statistics(g, n, axes, (Divisor)divisor, attr_int(n, "centered", 1) != 0);
  int64_t groups = attr_int(n, "group", 1);
  if (groups != 1 && !(axes >> 1 & 1)) fail_at(g, n, "groups are of channels, along which no statistics are taken");
  if (groups != 1) set_groups(g, n, groups, channels_of(g, n));
  Shape s = statistics_shape(n);
  infer_same(g, n);
  for (int i = 1; i < 3; i++) set_output(g, n, i, n->in[0]->type, &s);
}

/* The number of the statistics that element i belongs to. */
static int64_t statistics_of(const Node *n, int64_t i) {
  const Shape *s = &n->in[0]->shape, sets = statistics_shape(n);
  int64_t at = 0, stride = 1;
  for (int k = s->rank - 1; k >= 0; k--) {
    at += i % s->d[k] * sets.d[k] / s->d[k] * stride;
    i /= s->d[k];
    stride *= sets.d[k];
  }
  return at;
}

/* The element of input k, scale or bias, that stands beside element i. */
static double parameter_at(const Node *n, int k, const void *data, int64_t i, const Cursor *c) {
  const Value *v = n->in[k];
  bool by_channel = n->op == OP_InstanceNormalization || n->op == OP_GroupNormalization;
  int64_t at = c[k].at;
  if (by_channel) {
    const Shape *s = &n->in[0]->shape;
    for (int axis = s->rank - 1; axis > 1; axis--) i /= s->d[axis];
    at = i % s->d[1] * v->shape.d[0] / s->d[1];
  }
  return get_number(v->type, data, at).f;
}

static double inverse_divisor(const Node *n, double sum, double count) {
  double epsilon = n->p.epsilon;
  switch (n->p.divisor) {
  case DIVISOR_VARIANCE: return 1 / sqrt(sum / count + epsilon);
  case DIVISOR_DEVIATION: return 1 / (sqrt(sum / count) + epsilon);
  case DIVISOR_L1: return 1 / sum;
  case DIVISOR_L2: return 1 / sqrt(sum);
  }
  return 0;
}

/* Scale and bias; inputs behind them are arguments of steps. */
static bool has_parameter(const Node *n, int k) { return k < op_info[n->op].max_in && has_input(n, k); }

static void write_statistics(const Node *n, int64_t sets, const double *mean, const double *factor, void **out) {
  for (int64_t i = 0; i < sets; i++) {
    if (n->n_out > 1 && n->out[1]) put_number(n->out[1]->type, out[1], i, (Number){.f = mean[i]});
    if (n->n_out > 2 && n->out[2]) put_number(n->out[2]->type, out[2], i, (Number){.f = factor[i]});
  }
}

static void write_normalized(const Node *n, const void *const *in, void *out, const double *mean, const double *factor) {
  Cursor c[3];
  for (int k = 1; k < 3; k++)
    if (has_parameter(n, k)) c[k] = broadcast_cursor(&n->in[k]->shape, &n->in[0]->shape);
  for (int64_t i = 0; i < shape_count(&n->in[0]->shape); i++) {
    int64_t k = statistics_of(n, i);
    double y = (get_number(n->in[0]->type, in[0], i).f - mean[k]) * factor[k];
    if (has_parameter(n, 1)) y *= parameter_at(n, 1, in[1], i, c);
    if (has_parameter(n, 2)) y += parameter_at(n, 2, in[2], i, c);
    put_number(n->out[0]->type, out, i, (Number){.f = y});
    for (int j = 1; j < 3; j++)
      if (has_parameter(n, j)) cursor_next(&c[j]);
  }
}

void eval_norm(Graph *g, const Node *n, const void *const *in, void **out) {
  Type t = n->in[0]->type;
  Shape s = statistics_shape(n);
  int64_t count = shape_count(&n->in[0]->shape), sets = shape_count(&s);
  double *mean = alloc_n(g->cx, (size_t)sets + 1, sizeof *mean), *factor = alloc_n(g->cx, (size_t)sets + 1, sizeof *factor);
  double size = sets ? (double)count / (double)sets : 0;
  for (int64_t i = 0; i < count && n->p.centered; i++) mean[statistics_of(n, i)] += get_number(t, in[0], i).f;
  for (int64_t i = 0; i < sets && n->p.centered; i++) mean[i] /= size;
  for (int64_t i = 0; i < count; i++) {
    double d = get_number(t, in[0], i).f - mean[statistics_of(n, i)];
    factor[statistics_of(n, i)] += n->p.divisor == DIVISOR_L1 ? fabs(d) : d * d;
  }
  for (int64_t i = 0; i < sets; i++) factor[i] = inverse_divisor(n, factor[i], size);
  write_statistics(n, sets, mean, factor, out);
  write_normalized(n, in, out[0], mean, factor);
}

/* ==== LRN: by the channels about one ==== */

void infer_lrn(Graph *g, Node *n) {
  channels_of(g, n);
  n->p.bias = attr_float(n, "bias", 1);
  n->p.size = attr_int(n, "size", 0);
  check_range(g, n, "the size", n->p.size, 1, INT32_MAX);
  infer_same(g, n);
}

void eval_lrn(Graph *g, const Node *n, const void *const *in, void **out) {
  const Shape *s = &n->in[0]->shape;
  Type t = n->in[0]->type;
  int64_t channels = s->d[1], count = shape_count(s), map = 1;
  (void)g;
  for (int i = 2; i < s->rank; i++) map *= s->d[i];
  for (int64_t i = 0; i < count; i++) {
    int64_t c = i / map % channels, lo = size_max(0, c - (n->p.size - 1) / 2), hi = size_min(channels, c + n->p.size / 2 + 1);
    double sum = 0;
    for (int64_t k = lo; k < hi; k++) sum += pow(get_number(t, in[0], i + (k - c) * map).f, 2);
    double base = n->p.bias + (double)n->p.alpha / (double)n->p.size * sum;
    put_number(t, out[0], i, (Number){.f = get_number(t, in[0], i).f / pow(base, n->p.beta)});
  }
}
