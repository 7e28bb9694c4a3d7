/* normalize.c: normalisations become Normalize, which has no parameters but its axes, and a Mul and an Add
 * for scale and bias; those are steps of its epilogue then, or go into the weights beside it. What exporters
 * spell out becomes the same. */
#include "rewrite.h"

/* ---- operators ---- */

/* Is each element of the constant that number? */
static bool is_all(const Value *v, double number) {
  if (!v || !v->data || !type_is_float(v->type)) return false;
  for (int64_t i = 0; i < shape_count(&v->shape); i++)
    if (get_number(v->type, v->data, i).f != number) return false;
  return true;
}

/* What a group has, for each of its channels. */
static Value *by_channel(Graph *g, const Node *n, Value *v, int64_t channels) {
  int64_t groups = v->shape.d[0];
  if (groups == channels) return v;
  int64_t *index = alloc_n(g->cx, (size_t)channels, sizeof *index);
  for (int64_t c = 0; c < channels; c++) index[c] = c * groups / channels;
  Value *which = value_const(g, format_text(g->cx, "%s.groups", n->name), T_I64, shape_of(1, channels),
                             index);
  return new_result(g, walk_before(g, OP_Gather, n->name, 2, (Value *[]){v, which}, 1));
}

/* Scale or bias as it broadcasts to the input. */
static Value *parameter(Graph *g, const Node *n, int i) {
  Value *v = n->in[i];
  if (n->op == OP_LayerNormalization || n->op == OP_RMSNormalization) return v;
  const Shape *x = &n->in[0]->shape;
  Shape s = {.rank = x->rank - 1, .d = {x->d[1]}};
  for (int k = 1; k < s.rank; k++) s.d[k] = 1;
  v = by_channel(g, n, v, x->d[1]);
  return shape_equal(&v->shape, &s) ? v : view_before(g, n->name, v, &s);
}

static void set_attributes(Graph *g, Node *to, const OpParams *p, int group, int rank) {
  int64_t axis[MAX_RANK];
  int count = 0;
  for (int i = 0; i < rank; i++)
    if (p->axes >> i & 1) axis[count++] = i;
  attr_set_ints(g, to, "axes", count, axis);
  attr_set_float(g, to, "epsilon", p->epsilon);
  attr_set_int(g, to, "centered", p->centered);
  attr_set_string(g, to, "divisor", divisor_name[p->divisor]);
  if (group > 1) attr_set_int(g, to, "group", group);
}

/* x normalised. Groups of one channel are none: along axis 1 no statistics are taken. */
static Node *normalize(Graph *g, const char *name, Value *x, OpParams p, int group, int n_out) {
  if (group > 1 && group == x->shape.d[1]) p.axes &= ~2u, group = 1;
  Node *n = walk_before(g, OP_Normalize, name, 1, &x, n_out > 1 ? 3 : 1);
  set_attributes(g, n, &p, group, x->shape.rank);
  new_result(g, n);
  return n;
}

/* Results 1 and 2 of a LayerNormalization. */
static void give_statistics(Graph *g, Node *from, Node *to) {
  for (int i = 1; i < from->n_out; i++) {
    Value *old = from->out[i];
    if (!old) continue;
    to->out[i] = value_new(g, old->name, T_NONE, (Shape){0});
    to->out[i]->def = to;
    infer_node(g, to);
    graph_replace(g, old, cast_before(g, from->name, to->out[i], old->type));
  }
}

/* n, any of the normalisations of ONNX. */
static void replace(Graph *g, Node *n) {
  static const struct { Op op; double neutral; } then[] = {{OP_NONE, 0}, {OP_Mul, 1}, {OP_Add, 0}};
  Node *core = normalize(g, n->name, n->in[0], n->p, n->group, n->n_out);
  give_statistics(g, n, core);
  Value *y = cast_before(g, n->name, core->out[0], n->out[0]->type);
  for (int i = 1; i < n->n_in; i++) {
    if (!n->in[i] || is_all(n->in[i], then[i].neutral)) continue;
    Value *k = cast_before(g, n->name, parameter(g, n, i), y->type);
    y = new_result(g, walk_before(g, then[i].op, n->name, 2, (Value *[]){y, k}, 1));
  }
  graph_replace(g, n->out[0], y);
  n->dead = true;
}

/* ---- what exporters spell out ---- */

static bool has_statistics_read(const Node *n) {
  for (int i = 1; i < n->n_out; i++)
    if (n->out[i]) return true;
  return false;
}

/* Of all axes behind the second, and of images apart? */
static bool normalizes_rows(const Node *n) {
  int rank = n->in[0]->shape.rank;
  return rank > 2 && n->group == 1 && n->p.axes == (((1u << rank) - 1) & ~3u) && !has_statistics_read(n);
}

/* n computes no more than x normalised. */
static bool become_normalize(Graph *g, Node *n, const char *name, Value *x, OpParams p, int group) {
  graph_replace(g, n->out[0], normalize(g, name, x, p, group, 1)->out[0]);
  n->dead = true;
  return true;
}

/* x, seen as [N,G,...] and normalised over what is behind G, seen as x again: n is the last of these. */
static bool match_groups(Graph *g, Node *n) {
  Node *core = n->in[0]->def, *first = core && core->op == OP_Normalize ? core->in[0]->def : NULL;
  if (!first || first->op != OP_Reshape || !normalizes_rows(core)) return false;
  Value *x = first->in[0];
  const Shape *s = &x->shape, *rows = &core->in[0]->shape;
  if (s->rank < 2 || !shape_equal(s, &n->out[0]->shape) || s->d[0] != rows->d[0]) return false;
  if (rows->d[1] < 1 || rows->d[1] > INT32_MAX || s->d[1] % rows->d[1]) return false;
  OpParams p = core->p;
  p.axes = ((1u << s->rank) - 1) & ~1u;
  return become_normalize(g, n, core->name, x, p, (int)rows->d[1]);
}

/* v as the mean of something along axes that are kept; NULL: it is none. */
static Value *mean_of(const Value *v, unsigned *axes) {
  const Node *n = made_by(v, OP_ReduceMean);
  if (!n || !n->p.keepdims || n->p.axes == 0) return NULL;
  *axes = n->p.axes;
  return n->in[0];
}

/* Is v the square of x? */
static bool is_square(const Value *v, const Value *x) {
  const Node *n = made_by(v, OP_NONE);
  float power;
  if (!n || n->in[0] != x) return false;
  if (n->op == OP_Pow) return const_scalar(n->in[1], &power) && power == 2;
  return n->op == OP_Square || (n->op == OP_Mul && n->in[1] == x);
}

/* v as a sum with a constant number, which is *number then; NULL: it is none. */
static Value *plus_number(const Value *v, float *number) {
  const Node *n = made_by(v, OP_Add);
  for (int i = 0; n && i < 2; i++)
    if (const_scalar(n->in[i], number) && shape_equal(&n->in[1 - i]->shape, &v->shape)) return n->in[1 - i];
  return NULL;
}

/* Is v, whatever of x it is, sqrt(mean(d d) + epsilon) along axes? */
static bool is_deviation(const Value *v, const Value *d, OpParams *p) {
  const Node *root = made_by(v, OP_Sqrt);
  const Value *mean = root ? plus_number(root->in[0], &p->epsilon) : NULL,
      *square = mean ? mean_of(mean, &p->axes) : NULL;
  return square && p->epsilon >= 0 && is_square(square, d);
}

/* v as 1 / x; NULL: it is none. */
static const Value *inverse_of(const Value *v) {
  const Node *n = made_by(v, OP_NONE);
  float one;
  if (!n) return NULL;
  if (n->op == OP_Reciprocal) return n->in[0];
  return n->op == OP_Div && const_scalar(n->in[0], &one) && one == 1 ? n->in[1] : NULL;
}

/* x of d = x - mean(x) along these axes; else d itself. */
static Value *centered(Value *d, OpParams *p) {
  const Node *n = made_by(d, OP_Sub);
  unsigned axes = 0;
  if (!n || mean_of(n->in[1], &axes) != n->in[0] || axes != p->axes) return d;
  p->centered = true;
  return n->in[0];
}

/* d / sqrt(mean(d d) + epsilon), or d times the inverse, where d may be less its mean. */
static bool match_deviation(Graph *g, Node *n) {
  OpParams p = {.divisor = DIVISOR_VARIANCE};
  Value *d = NULL;
  for (int i = 0; i < 2 && !d; i++) {
    const Value *by = n->op == OP_Div ? (i ? n->in[1] : NULL) : inverse_of(n->in[i]);
    if (by && is_deviation(by, n->in[1 - i], &p)) d = n->in[1 - i];
  }
  if (!d || !type_is_float(d->type) || !shape_equal(&d->shape, &n->out[0]->shape)) return false;
  Value *x = centered(d, &p);
  return become_normalize(g, n, n->name, x, p, 1);
}

/* x over the sum of its magnitudes along axes, or over the root of that of its squares. */
static bool match_norm(Graph *g, Node *n) {
  const Node *by = n->op == OP_Div ? made_by(n->in[1], OP_NONE) : NULL;
  Value *x = n->in[0];
  if (!by || (by->op != OP_ReduceL1 && by->op != OP_ReduceL2) || by->in[0] != x || !by->p.keepdims ||
      by->p.axes == 0) return false;
  if (!type_is_float(x->type)) return false;
  OpParams p = {.axes = by->p.axes, .divisor = by->op == OP_ReduceL1 ? DIVISOR_L1 : DIVISOR_L2};
  return become_normalize(g, n, n->name, x, p, 1);
}

static bool rewrite(Graph *g, Node *n) {
  if (op_info[n->op].family == FAMILY_NORMALIZE) {
    replace(g, n);
    return true;
  }
  switch (n->op) {
  case OP_Reshape: return match_groups(g, n);
  case OP_Div: case OP_Mul: return match_deviation(g, n) || match_norm(g, n);
  default: return false;
  }
}

void pass_normalize(Graph *g) {
  bool any = false;
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) any |= rewrite(g, n);
  if (any) pass_fold(g);
}
