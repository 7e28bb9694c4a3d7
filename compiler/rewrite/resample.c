/* resample.c: a Resize whose arguments are known as Resamples along an axis or two each, with tables for
 * constants. */
#include "rewrite.h"

enum { FEW_TAPS = 4 }; /* of two axes at once, at most; more along one axis after the other */

typedef struct Line {
  int axis;
  ResizeAxis of;
  ResizeTable table;
} Line;

/* ---- tables ---- */

static bool changes_nothing(const Line *l) {
  const ResizeTable *t = &l->table;
  if (l->of.in != l->of.out) return false;
  for (int64_t i = 0; i < l->of.out; i++) {
    double own = 0;
    for (int64_t k = i * t->taps; k < (i + 1) * t->taps; k++) {
      double weight = t->weight ? t->weight[k] : 1;
      if (t->index[k] == i) own += weight;
      else if (weight != 0) return false;
    }
    if (own != 1) return false;
  }
  return true;
}

/* How often each element is repeated; 0: not all equally often. */
static int64_t repetition(const Line *l) {
  const ResizeTable *t = &l->table;
  if (t->weight || l->of.in == 0 || l->of.out % l->of.in) return 0;
  int64_t k = l->of.out / l->of.in;
  for (int64_t i = 0; i < l->of.out; i++)
    if (t->index[i] != i / k) return 0;
  return k;
}

static Value *index_constant(Graph *g, const Node *n, const Line *l) {
  int64_t count = l->table.taps * l->of.out;
  int32_t *index = alloc_n(g->cx, (size_t)count + 1, sizeof *index);
  for (int64_t i = 0; i < count; i++) index[i] = (int32_t)l->table.index[i];
  const char *name = format_text(g->cx, "%s.index%d", n->name, l->axis);
  return value_const(g, name, T_I32, shape_of(2, l->of.out, l->table.taps), index);
}

static Value *weight_constant(Graph *g, const Node *n, const Line *l, Type type) {
  int64_t count = l->table.taps * l->of.out;
  if (!l->table.weight) return NULL;
  void *weight = alloc_n(g->cx, (size_t)count + 1, type_size(type));
  for (int64_t i = 0; i < count; i++) put_number(type, weight, i, (Number){.f = l->table.weight[i]});
  const char *name = format_text(g->cx, "%s.weight%d", n->name, l->axis);
  return value_const(g, name, type, shape_of(2, l->of.out, l->table.taps), weight);
}

/* ---- which axes are done together ---- */

/* The axes that change, those that shrink most first. */
static int list_lines(Graph *g, const Node *n, Line *line) {
  ResizeAxis axis[MAX_RANK];
  int count = 0;
  resize_axes(n, NULL, axis);
  for (int k = 0; k < n->in[0]->shape.rank; k++) {
    Line l = {k, axis[k], resize_table(g, n, &axis[k])};
    if (changes_nothing(&l)) continue;
    int at = count++;
    for (; at > 0 && l.of.scale < line[at - 1].of.scale; at--) line[at] = line[at - 1];
    line[at] = l;
  }
  return count;
}

/* Numbers i and i + 1, in the order of their axes. */
static bool go_together(Line *l) {
  if (l[0].table.taps > FEW_TAPS || l[1].table.taps > FEW_TAPS) return false;
  if (l[0].axis < l[1].axis) return true;
  Line first = l[1];
  l[1] = l[0];
  l[0] = first;
  return true;
}

/* ---- nodes ---- */

/* n, to be inferred, becomes one that reads x along `axes` lines. */
static void become_resample(Graph *g, Node *n, Value *x, const Line *l, int axes, float outside) {
  Value *in[5] = {x};
  int64_t axis[2] = {0}, repeat[2] = {0};
  for (int i = 0; i < axes; i++) {
    axis[i] = l[i].axis;
    repeat[i] = repetition(&l[i]);
    if (repeat[i]) continue;
    in[1 + 2 * i] = index_constant(g, n, &l[i]);
    in[2 + 2 * i] = weight_constant(g, n, &l[i], x->type);
  }
  n->op = OP_Resample;
  n->n_attr = 0;
  node_set_inputs(g, n, 1 + 2 * axes, in);
  attr_set_ints(g, n, "axes", axes, axis);
  attr_set_ints(g, n, "repeats", axes, repeat);
  if (outside != 0) attr_set_float(g, n, "extrapolation_value", outside);
}

static void become_cast(Graph *g, Node *n, Value *x, Type to) {
  n->op = OP_Cast;
  n->n_attr = 0;
  node_set_inputs(g, n, 1, &x);
  attr_set_int(g, n, "to", to);
  infer_node(g, n);
}

/* Integers are weighed as numbers of double precision. */
static Type weighing_type(const Node *n) {
  Type t = n->in[0]->type;
  return n->p.resize.interpolation == INTERPOLATE_NEAREST || type_is_float(t) ? t : T_F64;
}

bool resize_as_resamples(Graph *g, Node *n) {
  Line line[MAX_RANK];
  if (!resize_is_known(n) || shape_count(&n->out[0]->shape) == 0) return false;
  Type own = n->in[0]->type, type = weighing_type(n);
  float outside = n->p.beta;
  int count = list_lines(g, n, line);
  Value *x = count == 0 ? n->in[0] : cast_before(g, n->name, n->in[0], type);
  for (int i = 0, axes; i < count; i += axes) {
    axes = i + 1 < count && go_together(&line[i]) ? 2 : 1;
    if (i + axes == count && type == own) {
      become_resample(g, n, x, &line[i], axes, outside);
      infer_node(g, n);
      return true;
    }
    Node *part = walk_before(g, OP_Resample, n->name, 1, &x, 1);
    become_resample(g, part, x, &line[i], axes, outside);
    x = new_result(g, part);
  }
  if (type != own && type_size(own) <= 2) x = cast_before(g, n->name, x, T_F32); /* see ops/resize.c */
  become_cast(g, n, x, own); /* which is the identity where no axis changes */
  return true;
}
