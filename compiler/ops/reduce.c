/* reduce.c: operators along axes. */
#include "ops.h"

#include <math.h>
#include <string.h>

/* Element k of line i along `axis` is number i / inner * inner * size + k * inner + i % inner. */
typedef struct Lines {
  int64_t count, size, inner;
} Lines;

static Lines lines_of(const Shape *s, int64_t axis) {
  Lines l = {.count = 0, .inner = 1};
  if (axis < 0) axis += s->rank;
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
  check_axis(g, n, attr_int(n, "axis", -1), n->in[0]->shape.rank);
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
  Lines l = lines_of(&n->in[0]->shape, attr_int(n, "axis", -1));
  const float *x = f32_elements(g, n->in[0], in[0]);
  for (int64_t line = 0; line < l.count; line++) softmax_line(n, x, out[0], &l, line);
}

/* ---- reductions ---- */

/* Sets output 0: input 0 without the axes marked, or with size 1 there. */
static void set_reduced(Graph *g, Node *n, Type type, const bool *reduced) {
  const Shape *s = &n->in[0]->shape;
  bool keep = attr_int(n, "keepdims", 1) != 0;
  Shape r = {0};
  for (int i = 0; i < s->rank; i++) {
    if (!reduced[i] || keep) r.d[r.rank++] = reduced[i] ? 1 : s->d[i];
    if (!reduced[i]) continue;
    check_number(g, n, 0, i);
  }
  set_output(g, n, 0, type, &r);
}

void reduce_axes(Graph *g, const Node *n, bool *reduced) {
  int rank = n->in[0]->shape.rank;
  bool any = false;
  memset(reduced, 0, MAX_RANK * sizeof *reduced);
  if (has_input(n, 1)) axes_input(g, n, 1, rank, reduced);
  for (int i = 0; i < rank; i++) any = any || reduced[i];
  if (any || attr_int(n, "noop_with_empty_axes", 0)) return;
  for (int i = 0; i < rank; i++) reduced[i] = true;
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
  bool reduced[MAX_RANK];
  if (has_input(n, 1) && !n->in[1]->data) set_axes_as_declared(g, n);
  reduce_axes(g, n, reduced);
  set_reduced(g, n, n->in[0]->type, reduced);
}

/* Strides that lead every element of the input to the element of the mean that it is part of. */
static Cursor mean_cursor(Graph *g, const Node *n) {
  const Shape *x = &n->in[0]->shape;
  bool reduced[MAX_RANK];
  reduce_axes(g, n, reduced);
  Cursor c = {.shape = x};
  int64_t stride = 1;
  for (int i = x->rank - 1; i >= 0; i--) {
    if (reduced[i]) continue;
    c.stride[i] = stride;
    stride *= x->d[i];
  }
  return c;
}

void eval_reduce_mean(Graph *g, const Node *n, const void *const *in, void **out) {
  Type t = n->in[0]->type;
  int64_t count = shape_count(&n->in[0]->shape), means = shape_count(&n->out[0]->shape);
  double *sum = alloc_n(g->cx, (size_t)means, sizeof *sum);
  Cursor c = mean_cursor(g, n);
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) sum[c.at] += get_number(t, in[0], i).f;
  for (int64_t i = 0; i < means; i++)
    put_number(t, out[0], i, (Number){.f = sum[i] / (double)(count / means)});
}

void infer_argmax(Graph *g, Node *n) {
  bool reduced[MAX_RANK] = {false};
  int axis = check_axis(g, n, attr_int(n, "axis", 0), n->in[0]->shape.rank);
  if (n->in[0]->shape.d[axis] == 0) fail_at(g, n, "axis %d has no elements", axis);
  reduced[axis] = true;
  set_reduced(g, n, T_I64, reduced);
}

void eval_argmax(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  Lines l = lines_of(&n->in[0]->shape, attr_int(n, "axis", 0));
  bool last = attr_int(n, "select_last_index", 0) != 0;
  for (int64_t line = 0; line < l.count; line++) {
    int64_t best = 0;
    for (int64_t k = 1; k < l.size; k++) {
      Number v = get_number(t, in[0], element_of(&l, line, k));
      Number b = get_number(t, in[0], element_of(&l, line, best));
      if (last ? !number_beats(t, b, v) : number_beats(t, v, b)) best = k;
    }
    ((int64_t *)out[0])[line] = best;
  }
}
