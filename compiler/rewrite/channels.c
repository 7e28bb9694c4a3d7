/* channels.c: channels that hold the same number whatever the input is, or that nobody needs.
 *
 * A batch norm whose gamma is zero makes them: where a block starts as the identity (Goyal et al.,
 * "Accurate, large minibatch SGD", 5.1) and never learns, x + block(x) becomes x again; where single
 * channels are off, they are dropped from the weights that make them and from those that read them. All
 * this takes zero times an activation to be zero, so activations to be finite. Requires constants folded
 * and affine maps in the weights. */
#include "rewrite.h"

#include <math.h>

/* What is known of a tensor's channels, axis 1. */
typedef struct Channels {
  int64_t n;   /* 0: a tensor that is not looked at */
  bool *known; /* every element is k */
  bool *keep;  /* not to be dropped */
  float *k;
} Channels;

typedef struct Study {
  Graph *g;
  Channels *of; /* by value id */
  int64_t looked_at; /* channels */
  bool changed;
} Study;

static Channels *channels_of(const Study *s, const Value *v) {
  return &s->of[v->id];
}

static void learn(Channels *c, int64_t i, double k) {
  c->known[i] = isfinite((float)k);
  c->k[i] = (float)k;
}

/* ---- Conv, Gemm and MatMul as one linear map: weight of output o, input i (of its group), tap t is at
 * w[o * by_output + i * by_input + t] ---- */

typedef struct Linear {
  const float *w, *bias; /* bias NULL: none */
  int64_t outputs, inputs, taps, by_output, by_input, per_group;
  bool padded;
} Linear;

static Linear linear_of(const Node *n) {
  const Shape *s = &n->in[1]->shape;
  Linear m = {.w = n->in[1]->data, .padded = n->op == OP_Conv && has_padding(n)};
  m.bias = n->op != OP_MatMul && n->n_in > 2 && n->in[2] ? n->in[2]->data : NULL;
  if (n->op == OP_Conv) {
    m.outputs = s->d[0], m.inputs = s->d[1], m.taps = 1;
    for (int k = 2; k < s->rank; k++) m.taps *= s->d[k];
    m.by_input = m.taps, m.by_output = m.inputs * m.taps, m.per_group = m.outputs / n->group;
  } else {
    m.outputs = s->d[1], m.inputs = s->d[0], m.taps = 1;
    m.by_output = 1, m.by_input = m.outputs, m.per_group = m.outputs;
  }
  return m;
}

static bool all_zero(const float *w, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (w[i] != 0) return false;
  return true;
}

static double sum_of(const float *w, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += w[i];
  return sum;
}

/* Output o is constant if each input it weighs is, and no border of zeros stands in for one that is not
 * zero. */
static void know_output(const Linear *m, const Channels *x, Channels *y, int64_t o) {
  double sum = m->bias ? m->bias[o] : 0;
  const float *w = m->w + o * m->by_output;
  int64_t first = o / m->per_group * m->inputs;
  for (int64_t i = 0; i < m->inputs; i++, w += m->by_input) {
    if (all_zero(w, m->taps)) continue;
    if (!x->known[first + i] || (x->k[first + i] != 0 && m->padded)) return;
    sum += x->k[first + i] * sum_of(w, m->taps);
  }
  learn(y, o, sum);
}

static void know_linear(Study *s, const Node *n) {
  Linear m = linear_of(n);
  const Channels *x = channels_of(s, n->in[0]);
  for (int64_t o = 0; o < m.outputs; o++) know_output(&m, x, channels_of(s, n->out[0]), o);
}

/* ---- what is known of the other results ---- */

static void know_unary(Study *s, const Node *n) {
  const Channels *x = channels_of(s, n->in[0]);
  Step step;
  bool ok = step_of_node(n, 0, &step);
  assert(ok), (void)ok;
  for (int64_t c = 0; c < x->n; c++) {
    float k = x->k[c];
    if (!x->known[c]) continue;
    learn(channels_of(s, n->out[0]), c, (float)step_number(&step, T_F32, (Number){k}, (Number){0}).f);
  }
}

/* Does every window hold an element that is no padding? Sure only without dilation. */
static bool windows_hold_elements(const Node *n) {
  const Window *w = &n->win;
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  int64_t height = x->rank == 4 ? x->d[2] : 1, rows = x->rank == 4 ? y->d[2] : 1;
  int64_t width = x->d[x->rank - 1], columns = y->d[y->rank - 1];
  if (w->dh != 1 || w->dw != 1 || w->top >= w->kh || w->left >= w->kw) return false;
  return (rows - 1) * w->sh - w->top < height && (columns - 1) * w->sw - w->left < width;
}

/* A mean that counts zeros of a border, or elements cut off there, differs from k. */
static bool pool_keeps(const Node *n, float k) {
  if (is_global_pool(n)) return true;
  if (!windows_hold_elements(n)) return false;
  return n->op == OP_MaxPool || k == 0 ||
         (!n->p.ceil && (!has_padding(n) || !n->p.count_pad));
}

static void know_pool(Study *s, const Node *n) {
  const Channels *x = channels_of(s, n->in[0]);
  for (int64_t c = 0; c < x->n; c++)
    if (x->known[c] && pool_keeps(n, x->k[c])) learn(channels_of(s, n->out[0]), c, x->k[c]);
}

/* The axis of v that meets axis 1 of a tensor of `rank`; -1: v has none. */
static int channel_axis(const Value *v, int rank) {
  return v->shape.rank < rank - 1 ? -1 : 1 - (rank - v->shape.rank);
}

static bool spans_channels(const Value *v, int rank) {
  int axis = channel_axis(v, rank);
  return axis >= 0 && v->shape.d[axis] > 1;
}

/* Is v the number *k wherever it meets channel c of a tensor of `rank`? */
static bool operand_known(const Study *s, const Value *v, int rank, int64_t c, float *k) {
  int axis = channel_axis(v, rank);
  int64_t at = spans_channels(v, rank) ? c : 0;
  if (!v->data) {
    const Channels *x = channels_of(s, v);
    if (v->shape.rank != rank || !x->n || !x->known[at]) return false;
    *k = x->k[at];
    return true;
  }
  for (int i = 0; i < v->shape.rank; i++)
    if (i != axis && v->shape.d[i] != 1) return false;
  *k = f32_data(v)[at];
  return true;
}

static void know_binary(Study *s, const Node *n) {
  Channels *y = channels_of(s, n->out[0]);
  Step step;
  bool ok = step_of_node(n, 0, &step);
  assert(ok), (void)ok;
  for (int64_t c = 0; c < y->n; c++) {
    float k[2] = {1, 1};
    int rank = n->out[0]->shape.rank;
    bool a = operand_known(s, n->in[0], rank, c, &k[0]), b = operand_known(s, n->in[1], rank, c, &k[1]);
    if (n->op == OP_Mul && (k[0] == 0 || k[1] == 0)) learn(y, c, 0);
    if (!a || !b) continue;
    learn(y, c, (float)step_number(&step, T_F32, (Number){k[0]}, (Number){k[1]}).f);
  }
}

static void know_concat(Study *s, const Node *n) {
  Channels *y = channels_of(s, n->out[0]);
  int64_t at = 0;
  for (int i = 0; i < n->n_in; i++) {
    const Channels *x = channels_of(s, n->in[i]);
    for (int64_t c = 0; c < x->n; c++, at++)
      if (x->known[c]) learn(y, at, x->k[c]);
  }
}

/* A view that makes so many channels of each; 0: it mixes them. */
static int64_t view_parts(const Node *n) {
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  if (x->rank < 2 || y->rank < 2 || x->d[0] != y->d[0] || shape_count(x) == 0 || y->d[1] % x->d[1]) return 0;
  return y->d[1] / x->d[1];
}

static void know_view(Study *s, const Node *n) {
  const Channels *x = channels_of(s, n->in[0]);
  int64_t parts = view_parts(n);
  for (int64_t c = 0; c < x->n * parts; c++)
    if (x->known[c / parts]) learn(channels_of(s, n->out[0]), c, x->k[c / parts]);
}

/* ---- which channels must be kept, from one node's point of view ---- */

static void keep(Study *s, bool *flag) {
  if (!*flag) *flag = s->changed = true;
}

static void keep_all(Study *s, const Value *v) {
  Channels *c = v ? channels_of(s, v) : NULL;
  for (int64_t i = 0; c && i < c->n; i++) keep(s, &c->keep[i]);
}

/* Channel a of x and b of y are kept or dropped together. */
static void tie(Study *s, Channels *x, int64_t a, Channels *y, int64_t b) {
  if (x->keep[a]) keep(s, &y->keep[b]);
  if (y->keep[b]) keep(s, &x->keep[a]);
}

/* Does an output that is kept depend on input c? */
static bool weighs(const Linear *m, const Channels *y, int64_t c) {
  for (int64_t o = 0; o < m->outputs; o++)
    if (y->keep[o] && !all_zero(m->w + o * m->by_output + c * m->by_input, m->taps)) return true;
  return false;
}

/* A number known goes into the bias, if there can be one and no border interferes. */
static void keep_linear(Study *s, const Node *n) {
  Channels *x = channels_of(s, n->in[0]), *y = channels_of(s, n->out[0]);
  Linear m = linear_of(n);
  if (m.per_group != m.outputs) {
    keep_all(s, n->in[0]);
    keep_all(s, n->out[0]);
  }
  for (int64_t c = 0; c < x->n; c++) {
    bool vanishes = x->known[c] && (x->k[c] == 0 || (!m.padded && n->op != OP_MatMul));
    if (!x->keep[c] && !vanishes && weighs(&m, y, c)) keep(s, &x->keep[c]);
  }
}

static void keep_same(Study *s, const Node *n) {
  Channels *x = channels_of(s, n->in[0]);
  for (int64_t c = 0; c < x->n; c++) tie(s, x, c, channels_of(s, n->out[0]), c);
}

static void keep_binary(Study *s, const Node *n) {
  Channels *y = channels_of(s, n->out[0]);
  for (int i = 0; i < 2; i++) {
    const Value *v = n->in[i];
    Channels *x = channels_of(s, v);
    int rank = n->out[0]->shape.rank;
    if (v->data) continue;
    if (v->shape.rank == rank && x->n == y->n) {
      for (int64_t c = 0; c < y->n; c++) tie(s, x, c, y, c);
    } else {
      keep_all(s, v);
      if (spans_channels(v, rank)) keep_all(s, n->out[0]);
    }
  }
}

static void keep_concat(Study *s, const Node *n) {
  int64_t at = 0;
  for (int i = 0; i < n->n_in; i++) {
    Channels *x = channels_of(s, n->in[i]);
    for (int64_t c = 0; c < x->n; c++, at++) tie(s, x, c, channels_of(s, n->out[0]), at);
  }
}

static void keep_view(Study *s, const Node *n) {
  Channels *x = channels_of(s, n->in[0]);
  int64_t parts = view_parts(n);
  for (int64_t c = 0; c < x->n * parts; c++) tie(s, x, c / parts, channels_of(s, n->out[0]), c);
}

/* ---- dropping ---- */

static int64_t count_kept(const Channels *c) {
  int64_t n = 0;
  for (int64_t i = 0; i < c->n; i++) n += c->keep[i];
  return n;
}

/* The elements of v at the kept indices along an axis. */
static Value *slice_constant(Graph *g, Value *v, int axis, const Channels *c) {
  Shape s = v->shape;
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < s.rank; i++) *(i < axis ? &outer : &inner) *= i == axis ? 1 : s.d[i];
  s.d[axis] = count_kept(c);
  Value *r = value_const_f32(g, v->name, s);
  float *to = f32_of(r);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < c->n; i++) {
      if (!c->keep[i]) continue;
      move_bytes(to, f32_data(v) + (o * c->n + i) * inner, (size_t)inner * sizeof *to);
      to += inner;
    }
  return r;
}

static void slice_input(Graph *g, Node *n, int i, int axis, const Channels *c) {
  node_set_input(g, n, i, slice_constant(g, n->in[i], axis, c));
}

/* What the dropped inputs add to every output. */
static void add_to_bias(Graph *g, Node *n, const Channels *x) {
  Linear m = linear_of(n);
  Value *bias = value_const_f32(g, format_text(g->cx, "%s.bias", n->name), shape_of(1, m.outputs));
  for (int64_t o = 0; o < m.outputs; o++) {
    double sum = m.bias ? m.bias[o] : 0;
    for (int64_t i = 0; i < x->n; i++)
      if (!x->keep[i] && x->known[i]) sum += x->k[i] * sum_of(m.w + o * m.by_output + i * m.by_input, m.taps);
    f32_of(bias)[o] = (float)sum;
  }
  if (n->n_in < 3) node_add_input(g, n, NULL);
  node_set_input(g, n, 2, bias);
}

static void drop_linear(Study *s, Node *n) {
  const Channels *x = channels_of(s, n->in[0]), *y = channels_of(s, n->out[0]);
  int input_axis = n->op == OP_Conv ? 1 : 0;
  Linear m = linear_of(n);
  bool shifts = false;
  for (int64_t c = 0; c < x->n; c++)
    shifts = shifts || (!x->keep[c] && x->known[c] && x->k[c] != 0 && weighs(&m, y, c));
  if (shifts) add_to_bias(s->g, n, x);
  if (count_kept(x) < x->n) slice_input(s->g, n, 1, input_axis, x);
  if (count_kept(y) == y->n) return;
  slice_input(s->g, n, 1, 1 - input_axis, y);
  if (n->op != OP_MatMul && n->n_in > 2 && n->in[2]) slice_input(s->g, n, 2, 0, y);
}

static void drop_binary(Study *s, Node *n) {
  const Channels *y = channels_of(s, n->out[0]);
  if (count_kept(y) == y->n) return;
  for (int i = 0; i < 2; i++) {
    int rank = n->out[0]->shape.rank;
    if (n->in[i]->data && spans_channels(n->in[i], rank))
      slice_input(s->g, n, i, channel_axis(n->in[i], rank), y);
  }
}

static void drop_view(Study *s, Node *n) {
  const Channels *y = channels_of(s, n->out[0]);
  Shape shape = n->out[0]->shape;
  if (count_kept(y) == y->n) return;
  shape.d[1] = count_kept(y);
  Value *target = value_const_i64(s->g, format_text(s->g->cx, "%s.shape", n->name), shape.rank, shape.d);
  if (n->n_in < 2) node_add_input(s->g, n, NULL);
  n->op = OP_Reshape;
  node_set_input(s->g, n, 1, target);
  n->n_attr = 0;
}

/* ---- the operators ---- */

typedef struct Rule {
  void (*know)(Study *s, const Node *n); /* what is known of the result */
  void (*keep)(Study *s, const Node *n); /* adds to the kept channels, until all nodes agree */
  void (*drop)(Study *s, Node *n);       /* fits the constants to what is kept; NULL: there are none */
} Rule;

static const Rule linear_rule = {know_linear, keep_linear, drop_linear};
static const Rule unary_rule = {know_unary, keep_same, NULL};
static const Rule pool_rule = {know_pool, keep_same, NULL};
static const Rule binary_rule = {know_binary, keep_binary, drop_binary};
static const Rule concat_rule = {know_concat, keep_concat, NULL};
static const Rule view_rule = {know_view, keep_view, drop_view};

static bool joins_channels(const Study *s, const Node *n) {
  if (n->p.axis != 1) return false;
  for (int i = 0; i < n->n_in; i++)
    if (!channels_of(s, n->in[i])->n) return false;
  return true;
}

/* NULL: n's channels can't be followed. */
static const Rule *rule_of(const Study *s, const Node *n) {
  Step step;
  if (!n->out[0] || !channels_of(s, n->out[0])->n || (n->n_out > 1 && n->out[1])) return NULL;
  if (op_info[n->op].family == FAMILY_BINARY) return step_of_node(n, 0, &step) ? &binary_rule : NULL;
  if (!channels_of(s, n->in[0])->n) return NULL;
  switch (n->op) {
    case OP_Conv: return is_const_conv(n) ? &linear_rule : NULL;
    case OP_Gemm: return is_const_gemm(n) ? &linear_rule : NULL;
    case OP_MatMul: return is_const_matmul(n) && n->in[0]->shape.rank == 2 ? &linear_rule : NULL;
    case OP_MaxPool: case OP_AveragePool: return n->in[0]->shape.rank <= 4 ? &pool_rule : NULL;
    case OP_GlobalAveragePool: case OP_GlobalMaxPool: return &pool_rule;
    case OP_Concat: return joins_channels(s, n) ? &concat_rule : NULL;
    default: break;
  }
  if (op_info[n->op].family == FAMILY_VIEW) return view_parts(n) ? &view_rule : NULL;
  return op_info[n->op].family == FAMILY_UNARY && step_of_node(n, 0, &step) ? &unary_rule : NULL;
}

/* ---- simpler nodes ---- */

static bool all_known(const Channels *c) {
  for (int64_t i = 0; i < c->n; i++)
    if (!c->known[i]) return false;
  return c->n > 0;
}

static Value *known_constant(Graph *g, const Value *v, const Channels *c) {
  Shape s = {.rank = v->shape.rank - 1, .d = {c->n}};
  for (int i = 1; i < s.rank; i++) s.d[i] = 1;
  Value *r = value_const_f32(g, v->name, s);
  move_bytes(f32_of(r), c->k, (size_t)c->n * sizeof *c->k);
  return r;
}

static void replace_result(Graph *g, Node *n, Value *with) {
  n->dead = true;
  graph_replace(g, n->out[0], with);
}

/* An operand known in all channels becomes a constant; one that is zero goes with its addition. */
static bool simplify_binary(Study *s, Node *n, int i) {
  Value *v = n->in[i], *other = n->in[1 - i];
  const Channels *c = channels_of(s, v);
  if (n->op != OP_Add && n->op != OP_Sub && n->op != OP_Mul && n->op != OP_Div) return false;
  if (v->data || other->data || !shape_equal(&other->shape, &n->out[0]->shape) || !all_known(c)) return false;
  bool adds = n->op == OP_Add || (n->op == OP_Sub && i == 1);
  if (adds && all_zero(c->k, c->n)) replace_result(s->g, n, other);
  else node_set_input(s->g, n, i, known_constant(s->g, v, c));
  return true;
}

static bool simplify(Study *s) {
  bool changed = false;
  int n_node = s->g->n_node; /* nodes that this makes have not been studied */
  for (int i = 0; i < n_node; i++) {
    Node *n = s->g->node[i];
    if (n->op == OP_Relu && never_negative(n->in[0])) {
      replace_result(s->g, n, n->in[0]);
      changed = true;
    } else if (rule_of(s, n) == &binary_rule) {
      changed = simplify_binary(s, n, 0) || simplify_binary(s, n, 1) || changed;
    }
  }
  return changed;
}

/* ---- the pass ---- */

/* In a large graph this pass must not take long. Channels beyond so many are not looked at, which keeps them; constants found
 * may lead to others so many times; and a graph that has not settled after so many rounds keeps everything. */
enum { MAX_CHANNELS = 1 << 25, MAX_ROUNDS = 16 };

static void look_at(Study *s, const Value *v) {
  Channels *c = channels_of(s, v);
  if (v->type != T_F32 || v->data || v->shape.rank < 2 || shape_count(&v->shape) == 0) return;
  if (size_add(s->looked_at, v->shape.d[1]) > MAX_CHANNELS) return;
  s->looked_at += v->shape.d[1];
  c->n = v->shape.d[1];
  c->known = alloc_n(s->g->cx, (size_t)c->n, sizeof *c->known);
  c->keep = alloc_n(s->g->cx, (size_t)c->n, sizeof *c->keep);
  c->k = alloc_n(s->g->cx, (size_t)c->n, sizeof *c->k);
}

static Study study(Graph *g) {
  Study s = {.g = g, .of = alloc_n(g->cx, (size_t)g->n_value, sizeof *s.of)};
  for (int i = 0; i < g->n_value; i++) look_at(&s, g->value[i]);
  for (int i = 0; i < g->n_node; i++) {
    const Rule *rule = rule_of(&s, g->node[i]);
    if (rule) rule->know(&s, g->node[i]);
  }
  return s;
}

/* A tensor keeps a channel at least. */
static void keep_first_or_more(Study *s, const Value *v) {
  Channels *c = channels_of(s, v);
  if (c->n && count_kept(c) == 0) keep(s, &c->keep[0]);
}

static void keep_for_node(Study *s, const Node *n) {
  const Rule *rule = rule_of(s, n);
  for (int i = 0; i < n->n_in && !rule; i++) keep_all(s, n->in[i]);
  for (int i = 0; i < n->n_out && !rule; i++) keep_all(s, n->out[i]);
  if (rule) rule->keep(s, n);
}

/* Starts from what the interface demands and adds what nodes need for it, to a fixed point. */
static void choose_kept(Study *s) {
  Graph *g = s->g;
  for (int i = 0; i < g->n_value; i++)
    if (g->value[i]->is_input || g->value[i]->is_output) keep_all(s, g->value[i]);
  s->changed = true;
  for (int round = 0; s->changed && round < MAX_ROUNDS; round++) { /* from the outputs to the inputs and back */
    s->changed = false;
    for (int i = g->n_node - 1; i >= 0; i--) keep_for_node(s, g->node[i]);
    for (int i = 0; i < g->n_value; i++) keep_first_or_more(s, g->value[i]);
    for (int i = 0; i < g->n_node && s->changed; i++) keep_for_node(s, g->node[i]);
  }
  for (int i = 0; i < g->n_value && s->changed; i++) keep_all(s, g->value[i]);
}

static bool drops_any(const Study *s) {
  for (int i = 0; i < s->g->n_value; i++)
    if (count_kept(&s->of[i]) < s->of[i].n) return true;
  return false;
}

static void drop_channels(Study *s) {
  int n_node = s->g->n_node;
  const Rule **rule = alloc_n(s->g->cx, (size_t)n_node, sizeof *rule);
  for (int i = 0; i < n_node; i++) rule[i] = rule_of(s, s->g->node[i]);
  for (int i = 0; i < n_node; i++) {
    if (rule[i] && rule[i]->drop) rule[i]->drop(s, s->g->node[i]);
    infer_node(s->g, s->g->node[i]);
  }
}

void pass_channels(Graph *g) {
  if (!assumes_finite(g)) return;
  graph_compact(g);
  Study s = study(g);
  for (int round = 0; round < MAX_ROUNDS && simplify(&s); round++) {
    pass_fold(g);
    s = study(g);
  }
  choose_kept(&s);
  if (drops_any(&s)) drop_channels(&s);
  graph_compact(g);
}
