/* reduce.c: operators along axes. */
#include "ops.h"

#include <math.h>
#include <string.h>

/* Element k of line i along `axis` is number i / inner * inner * size + k * inner + i % inner. */
typedef struct Lines {
  int64_t count, size, inner;
} Lines;

static Lines lines_of(const Shape *s, int axis) {
  Lines l = {.count = 0, .inner = 1};
  l.size = s->d[axis];
  for (int64_t i = axis + 1; i < s->rank; i++) l.inner *= s->d[i];
  if (l.size) l.count = shape_count(s) / l.size;
  return l;
}

static int64_t element_of(const Lines *l, int64_t line, int64_t k) {
  return line / l->inner * l->inner * l->size + k * l->inner + line % l->inner;
}

/* ---- Softmax, LogSoftmax ---- */

void infer_softmax(Graph *g, Node *n) {
  n->p.axis = check_axis(g, n, attr_int(n, "axis", -1), n->in[0]->shape.rank);
  infer_same(g, n);
}

/* The largest element is taken off before exp, which changes nothing but the range. */
static void softmax_line(const Node *n, const float *x, void *y, const Lines *l, int64_t line) {
  double max = -INFINITY, sum = 0;
  for (int64_t k = 0; k < l->size; k++) max = fmax(max, x[element_of(l, line, k)]);
  for (int64_t k = 0; k < l->size; k++) sum += exp(x[element_of(l, line, k)] - max);
  for (int64_t k = 0; k < l->size; k++) {
    int64_t i = element_of(l, line, k);
    double v = x[i] - max;
    put_number(n->out[0]->type, y, i, (Number){.f = n->op == OP_LogSoftmax ? v - log(sum) : exp(v) / sum});
  }
}

void eval_softmax(Graph *g, const Node *n, const void *const *in, void **out) {
  Lines l = lines_of(&n->in[0]->shape, n->p.axis);
  const float *x = f32_elements(g, n->in[0], in[0]);
  for (int64_t line = 0; line < l.count; line++) softmax_line(n, x, out[0], &l, line);
}

/* ---- reductions ---- */

/* Sets output 0: input 0 without the axes marked, or with size 1 there. */
static void set_reduced(Graph *g, Node *n, Type type, unsigned axes) {
  const Shape *s = &n->in[0]->shape;
  n->p.keepdims = attr_int(n, "keepdims", 1) != 0;
  Shape r = {0};
  for (int i = 0; i < s->rank; i++) {
    bool reduced = axes >> i & 1;
    if (!reduced || n->p.keepdims) r.d[r.rank++] = reduced ? 1 : s->d[i];
    if (reduced) check_number(g, n, 0, i);
  }
  set_output(g, n, 0, type, &r);
}

/* A bit for each axis that is reduced. */
static unsigned axes_of(Graph *g, const Node *n) {
  int rank = n->in[0]->shape.rank;
  bool named[MAX_RANK] = {false};
  unsigned axes = 0;
  if (has_input(n, 1)) axes_input(g, n, 1, rank, named);
  for (int i = 0; i < rank; i++) axes |= (unsigned)named[i] << i;
  return axes || attr_int(n, "noop_with_empty_axes", 0) ? axes : (1u << rank) - 1;
}

/* Axes known at run time show in the declared result as sizes of 1, if it keeps them. */
static void set_axes_as_declared(Graph *g, Node *n) {
  Shape declared = declared_output(g, n, 0, "the axes argument");
  int64_t axis[MAX_RANK];
  int count = 0;
  if (declared.rank != n->in[0]->shape.rank || !attr_int(n, "keepdims", 1))
    fail_at(g, n, "the axes argument must be known at compile time%s", batch_remedy(g, n));
  for (int i = 0; i < declared.rank; i++)
    if (declared.d[i] == 1) axis[count++] = i;
  node_set_input(g, n, 1, value_const_i64(g, n->in[1]->name, count, axis));
}

void infer_reduce_mean(Graph *g, Node *n) {
  if (has_input(n, 1) && !n->in[1]->data) set_axes_as_declared(g, n);
  n->p.axes = axes_of(g, n);
  set_reduced(g, n, n->in[0]->type, n->p.axes);
}

/* Strides that lead every element of the input to the element of the mean that it is part of. */
static Cursor mean_cursor(const Node *n) {
  const Shape *x = &n->in[0]->shape;
  Cursor c = {.shape = x};
  int64_t stride = 1;
  for (int i = x->rank - 1; i >= 0; i--) {
    if (n->p.axes >> i & 1) continue;
    c.stride[i] = stride;
    stride *= x->d[i];
  }
  return c;
}

void eval_reduce_mean(Graph *g, const Node *n, const void *const *in, void **out) {
  Type t = n->in[0]->type;
  int64_t count = shape_count(&n->in[0]->shape), means = shape_count(&n->out[0]->shape);
  double *sum = alloc_n(g->cx, (size_t)means, sizeof *sum);
  Cursor c = mean_cursor(n);
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) sum[c.at] += get_number(t, in[0], i).f;
  for (int64_t i = 0; i < means; i++)
    put_number(t, out[0], i, (Number){.f = sum[i] / (double)(count / means)});
}

void infer_argmax(Graph *g, Node *n) {
  n->p.axis = check_axis(g, n, attr_int(n, "axis", 0), n->in[0]->shape.rank);
  n->p.last = attr_int(n, "select_last_index", 0) != 0;
  if (n->in[0]->shape.d[n->p.axis] == 0) fail_at(g, n, "axis %d has no elements", n->p.axis);
  set_reduced(g, n, T_I64, 1u << n->p.axis);
}

void eval_argmax(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  Lines l = lines_of(&n->in[0]->shape, n->p.axis);
  for (int64_t line = 0; line < l.count; line++) {
    int64_t best = 0;
    for (int64_t k = 1; k < l.size; k++) {
      Number v = get_number(t, in[0], element_of(&l, line, k));
      Number b = get_number(t, in[0], element_of(&l, line, best));
      if (n->p.last ? !number_beats(t, b, v) : number_beats(t, v, b)) best = k;
    }
    ((int64_t *)out[0])[line] = best;
  }
}
