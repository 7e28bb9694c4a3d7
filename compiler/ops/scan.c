/* scan.c: CumSum and TopK: operators along an axis whose results lie along it too. */
#include "ops.h"

/* ---- CumSum ---- */

static void check_one(Graph *g, const Node *n, int i) {
  const Shape *s = &n->in[i]->shape;
  if (shape_is_symbolic(s) || s->rank > 1 || shape_count(s) != 1)
    fail_at(g, n, "input %d must be one number", i);
}

/* The axis may be known at run time only: then it is -1 here. */
void infer_cumsum(Graph *g, Node *n) {
  check_rank(g, n, 0, 1, MAX_RANK);
  check_one(g, n, 1);
  if (n->in[1]->type != T_I32 && n->in[1]->type != T_I64)
    fail_at(g, n, "the axis must be of type i32 or i64");
  n->p.exclusive = attr_int(n, "exclusive", 0) != 0;
  n->p.reverse = attr_int(n, "reverse", 0) != 0;
  n->p.axis = -1;
  if (n->in[1]->data)
    n->p.axis = check_axis(g, n, const_input(g, n, 1, "the axis").v[0], n->in[0]->shape.rank);
  else if (shape_is_symbolic(&n->in[0]->shape))
    fail_at(g, n, "the axis must be known at compile time%s", batch_remedy(g, n));
  infer_same(g, n);
}

static int axis_at_run_time(const Node *n, const void *data) {
  int64_t rank = n->in[0]->shape.rank, axis = get_number(n->in[1]->type, data, 0).i;
  return n->p.axis >= 0 ? n->p.axis : (int)size_clamp(axis < 0 ? axis + rank : axis, 0, rank - 1);
}

void eval_cumsum(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  Lines l = lines_by_axis(&n->in[0]->shape, axis_at_run_time(n, in[1]));
  for (int64_t line = 0; line < l.count; line++) {
    Number sum = {0};
    for (int64_t k = 0; k < l.size; k++) {
      int64_t i = line_element(&l, line, n->p.reverse ? l.size - 1 - k : k);
      Number x = get_number(t, in[0], i), before = sum;
      sum = number_sum(t, sum, x);
      put_number(t, out[0], i, n->p.exclusive ? before : sum);
    }
  }
}

/* ---- TopK ---- */

/* A number that is known at run time only shows in the declared results. */
void infer_topk(Graph *g, Node *n) {
  check_rank(g, n, 0, 1, MAX_RANK);
  check_one(g, n, 1);
  Shape s = n->in[0]->shape;
  int axis = n->p.axis = check_axis(g, n, attr_int(n, "axis", -1), s.rank);
  n->p.smallest = attr_int(n, "largest", 1) == 0;
  check_number(g, n, 0, axis);
  int64_t most = s.d[axis];
  if (n->in[1]->data) {
    Ints k = const_input(g, n, 1, "the number k");
    if (k.sym[0]) fail_at(g, n, "the number k is a multiple of the batch%s", batch_remedy(g, n));
    s.d[axis] = k.v[0];
  } else {
    int known = n->out[0] && n->out[0]->shape.rank == s.rank ? 0 : n->n_out > 1 ? 1 : 0;
    Shape declared = declared_output(g, n, known, "the number k");
    if (declared.rank != s.rank) fail_at(g, n, "the number k must be known at compile time");
    s.d[axis] = declared.d[axis];
  }
  if (s.d[axis] < 0 || s.d[axis] > most)
    fail_at(g, n, "k is %lld, but axis %d has %lld elements", (long long)s.d[axis], axis, (long long)most);
  set_output(g, n, 0, n->in[0]->type, &s);
  set_output(g, n, 1, T_I64, &s);
}

/* Does element number i of x come before number k among the results? Of equal ones the first. NaN is the
 * largest number. */
static bool comes_before(const Node *n, const void *x, int64_t i, int64_t k) {
  Type t = n->in[0]->type;
  Number a = get_number(t, x, i), b = get_number(t, x, k);
  bool wins = n->p.smallest ? number_beats(t, b, a) : number_beats(t, a, b);
  bool loses = n->p.smallest ? number_beats(t, a, b) : number_beats(t, b, a);
  return wins || (!loses && i < k);
}

void eval_topk(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  Lines from = lines_by_axis(&n->in[0]->shape, n->p.axis);
  Lines to = lines_by_axis(&n->out[n->out[0] ? 0 : 1]->shape, n->p.axis);
  for (int64_t line = 0; line < to.count; line++) {
    int64_t first = line_element(&from, line, 0), last = -1;
    for (int64_t r = 0; r < to.size; r++) { /* the first of those behind the last */
      int64_t best = -1, y = line_element(&to, line, r);
      for (int64_t i = first; i < first + from.size * from.inner; i += from.inner) {
        if (last >= 0 && !comes_before(n, in[0], last, i)) continue;
        if (best < 0 || comes_before(n, in[0], i, best)) best = i;
      }
      if (out[0]) put_number(t, out[0], y, get_number(t, in[0], best));
      if (n->n_out > 1 && out[1]) ((int64_t *)out[1])[y] = (best - first) / from.inner;
      last = best;
    }
  }
}
