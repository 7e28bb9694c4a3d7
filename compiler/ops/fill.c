/* fill.c: operators whose elements follow from their places and a few numbers: Range, EyeLike, OneHot, and
 * Trilu, which leaves some as they are. */
#include "ops.h"

#include <math.h>

/* ---- Range ---- */

/* Elements from `start` to before `limit`; -1: not a number of them. */
static double range_count(Type t, Number start, Number limit, Number delta) {
  if (type_is_float(t)) {
    double n = ceil((limit.f - start.f) / delta.f);
    return isnan(n) ? -1 : fmax(n, 0);
  }
  if (delta.i == 0) return -1;
  bool up = delta.i > 0;
  if (up ? start.i >= limit.i : start.i <= limit.i) return 0;
  uint64_t way = up ? (uint64_t)limit.i - (uint64_t)start.i : (uint64_t)start.i - (uint64_t)limit.i;
  uint64_t step = up ? (uint64_t)delta.i : -(uint64_t)delta.i;
  return (double)((way - 1) / step + 1);
}

void infer_range(Graph *g, Node *n) {
  Type t = n->in[0]->type;
  bool known = true;
  for (int i = 0; i < 3; i++) {
    check_same_type(g, n, i);
    if (shape_is_symbolic(&n->in[i]->shape) || shape_count(&n->in[i]->shape) != 1)
      fail_at(g, n, "input %d must be one number", i);
    if (n->in[i]->sym) fail_at(g, n, "its size depends on the symbolic batch; --batch N fixes it");
    known = known && n->in[i]->data;
  }
  if (!known) {
    Shape declared = declared_output(g, n, 0, "the size of the result");
    if (declared.rank != 1 || shape_is_symbolic(&declared))
      fail_at(g, n, "the result is declared as %s", shape_text(g->cx, &declared));
    set_output(g, n, 0, t, &declared);
    return;
  }
  Number v[3];
  for (int i = 0; i < 3; i++) v[i] = get_number(t, n->in[i]->data, 0);
  double count = range_count(t, v[0], v[1], v[2]);
  if (!(count >= 0 && count < 0x1p47)) fail_at(g, n, "the range has no end");
  Shape out = {.rank = 1, .d = {(int64_t)count}};
  set_output(g, n, 0, t, &out);
}

void eval_range(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  Number start = get_number(t, in[0], 0), delta = get_number(t, in[2], 0);
  for (int64_t i = 0; i < n->out[0]->shape.d[0]; i++) {
    Number v = {.u = start.u + (uint64_t)i * delta.u};
    if (type_is_float(t)) v.f = start.f + (double)i * delta.f;
    put_number(t, out[0], i, v);
  }
}

/* ---- EyeLike ---- */

void infer_eye_like(Graph *g, Node *n) {
  check_rank(g, n, 0, 2, 2);
  for (int i = 0; i < 2; i++) check_number(g, n, 0, i);
  n->p.to = type_attr(g, n, "dtype", n->in[0]->type);
  n->p.diagonal = size_clamp(attr_int(n, "k", 0), -n->in[0]->shape.d[0], n->in[0]->shape.d[1]);
  set_output(g, n, 0, n->p.to, &n->in[0]->shape);
}

void eval_eye_like(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  (void)in;
  const int64_t *d = n->out[0]->shape.d;
  for (int64_t i = 0; i < d[0]; i++)
    for (int64_t k = 0; k < d[1]; k++)
      put_number(n->p.to, out[0], i * d[1] + k,
                 convert_number(T_BOOL, n->p.to, (Number){.i = k - i == n->p.diagonal}));
}

/* ---- Trilu ---- */

void infer_trilu(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  check_rank(g, n, 0, 2, MAX_RANK);
  for (int i = x->rank - 2; i < x->rank; i++) check_number(g, n, 0, i);
  n->p.upper = attr_int(n, "upper", 1) != 0;
  if (has_input(n, 1) && (n->in[1]->type != T_I64 || shape_is_symbolic(&n->in[1]->shape) ||
                          shape_count(&n->in[1]->shape) != 1))
    fail_at(g, n, "input 1 must be one i64");
  infer_same(g, n);
}

void eval_trilu(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  static const char zero[8];
  const Shape *x = &n->in[0]->shape;
  int64_t cols = x->d[x->rank - 1], rows = x->d[x->rank - 2], count = shape_count(x);
  int64_t k = n->n_in > 1 && in[1] ? size_clamp(*(const int64_t *)in[1], -rows, cols) : 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t above = i % cols - i / cols % rows - k; /* the diagonal */
    bool kept = n->p.upper ? above >= 0 : above <= 0;
    copy_element(out[0], i, kept ? in[0] : zero, kept ? i : 0, type_size(n->in[0]->type));
  }
}

/* ---- OneHot ---- */

/* Without a known depth, which is the size of the new axis, the declared shape has it. */
void infer_one_hot(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  const Value *depth = n->in[1], *values = n->in[2];
  if (x->rank == MAX_RANK) fail_at(g, n, "a result of rank over %d is not supported", MAX_RANK);
  int axis = n->p.axis = check_axis(g, n, attr_int(n, "axis", -1), x->rank + 1);
  if (values->shape.rank != 1 || values->shape.d[0] != 2) fail_at(g, n, "input 2 must be the two values");
  if (shape_is_symbolic(&depth->shape) || shape_count(&depth->shape) != 1)
    fail_at(g, n, "the depth must be one number");
  if (depth->sym) fail_at(g, n, "the depth is that of the symbolic batch; --batch N fixes it");
  Shape out = {.rank = x->rank + 1};
  for (int i = 0, k = 0; i < out.rank; i++) out.d[i] = i == axis ? 0 : x->d[k++];
  if (depth->data) {
    out.d[axis] = convert_number(depth->type, T_I64, get_number(depth->type, depth->data, 0)).i;
  } else {
    Shape declared = declared_output(g, n, 0, "the depth");
    if (declared.rank != out.rank) fail_at(g, n, "the result is declared with another rank");
    out.d[axis] = declared.d[axis];
  }
  if (out.d[axis] < 0) fail_at(g, n, "the depth %lld is negative", (long long)out.d[axis]);
  set_output(g, n, 0, values->type, &out);
}

void eval_one_hot(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Value *x = n->in[0], *y = n->out[0];
  int64_t depth = y->shape.d[n->p.axis], inner = 1, count = shape_count(&y->shape);
  for (int i = n->p.axis + 1; i < y->shape.rank; i++) inner *= y->shape.d[i];
  for (int64_t i = 0; i < count; i++) {
    int64_t outer = i / inner / depth, place = i / inner % depth;
    int64_t index = convert_number(x->type, T_I64, get_number(x->type, in[0], outer * inner + i % inner)).i;
    copy_element(out[0], i, in[2], place == (index < 0 ? index + depth : index), type_size(y->type));
  }
}
