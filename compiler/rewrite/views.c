/* views.c: products read their matrices where they lie. Moves in front of a product of two matrices known at
 * run time only (heads taken out of one tensor and transposed, keys turned, heads repeated) are part of the
 * addresses, a factor in front of it becomes alpha, and a transposition behind it that leaves the columns
 * says where the result goes. */
#include "rewrite.h"

#include <math.h>

enum { MAX_BEFORE = 16 }; /* nodes that are looked through in front of an operand */

/* An operand: factor times a view of the tensor `of`. */
typedef struct Source {
  Value *of;
  View view;
  float factor;
} Source;

/* ---- views of views ---- */

static void drop_axis(View *v, int k) {
  v->shape.rank--;
  for (; k < v->shape.rank; k++) {
    v->shape.d[k] = v->shape.d[k + 1];
    v->stride[k] = v->stride[k + 1];
  }
}

/* The same elements in the same order under another shape: axes that step evenly are merged, and parted
 * again. False: no strides say that. */
static bool reshape_view(View *v, const Shape *to) {
  View r = {.shape = *to, .at = v->at};
  for (int k = v->shape.rank - 1; k >= 0; k--)
    if (v->shape.d[k] == 1) drop_axis(v, k);
  int k = v->shape.rank - 1;
  int64_t left = 1, step = 0; /* of the axis k: how much of it is not given out, how far apart that lies */
  for (int i = to->rank - 1; i >= 0; i--) {
    int64_t n = to->d[i];
    if (n == 1) continue;
    if (left == 1) {
      if (k < 0) return false;
      left = v->shape.d[k];
      step = v->stride[k--];
    }
    while (left % n != 0) { /* the axis before it has to go on where this one ends */
      if (k < 0 || v->stride[k] != step * left) return false;
      left *= v->shape.d[k--];
    }
    r.stride[i] = step;
    left /= n;
    step *= n;
  }
  *v = r;
  return left == 1 && k < 0;
}

static bool slice_view(Graph *g, const Node *n, View *v) {
  int64_t start[MAX_RANK], step[MAX_RANK];
  Shape out;
  if (has_run_time_bounds(n)) return false;
  slice_ranges(g, n, start, step, &out);
  for (int k = 0; k < v->shape.rank; k++) {
    if (step[k] < 0) return false;
    v->at += start[k] * v->stride[k];
    v->stride[k] *= step[k];
  }
  v->shape = out;
  return true;
}

static void split_view(Graph *g, const Node *n, const Value *part, View *v) {
  int64_t *size = alloc_n(g->cx, (size_t)n->n_out, sizeof *size);
  split_sizes(g, n, size);
  for (int i = 0; n->out[i] != part; i++) v->at += size[i] * v->stride[n->p.axis];
  v->shape = part->shape;
}

/* One index, or one that a tensor of one element names. */
static bool gather_view(const Node *n, View *v) {
  int64_t index;
  int count, axis = n->p.axis;
  if (n->in[1]->shape.rank > 1 || !const_ints(n->in[1], 1, &index, &count) || count != 1) return false;
  if (index < 0) index += v->shape.d[axis];
  if (index < 0 || index >= v->shape.d[axis]) return false;
  v->at += index * v->stride[axis];
  v->shape.d[axis] = 1;
  if (n->in[1]->shape.rank == 0) drop_axis(v, axis);
  return true;
}

static void transpose_view(const Node *n, View *v) {
  View old = *v;
  for (int k = 0; k < v->shape.rank; k++) {
    v->shape.d[k] = old.shape.d[n->p.perm[k]];
    v->stride[k] = old.stride[n->p.perm[k]];
  }
}

/* Mul may have its factor first. */
static int data_input(const Node *n) { return n->op == OP_Mul && n->in[0]->data; }

static bool scale_source(const Graph *g, const Node *n, const Value *v, Source *s) {
  float by;
  int data = data_input(n);
  if (!assumes_finite(g) || !shape_equal(&v->shape, &n->in[data]->shape) ||
      !const_scalar(n->in[1 - data], &by)) return false;
  s->factor = n->op == OP_Mul ? s->factor * by : s->factor / by;
  return isfinite(s->factor);
}

/* From what n moves or scales to its result `v`; false: the result is no view. */
static bool apply_move(Graph *g, const Node *n, const Value *v, Source *s) {
  switch (n->op) {
  case OP_Transpose: transpose_view(n, &s->view); return true;
  case OP_Reshape: case OP_Squeeze: case OP_Unsqueeze: case OP_Flatten: return reshape_view(&s->view,
                                                                                            &v->shape);
  case OP_Identity: return true;
  case OP_Slice: return slice_view(g, n, &s->view);
  case OP_Split: split_view(g, n, v, &s->view); return true;
  case OP_Gather: return gather_view(n, &s->view);
  case OP_Mul: case OP_Div: return scale_source(g, n, v, s);
  default: return false;
  }
}

static Source source_as_it_is(Value *v) {
  return (Source){.of = v, .view = view_whole(&v->shape), .factor = 1};
}

/* As far back as views of elements go, but no further than `most` nodes. */
static Source source_of(Graph *g, Value *v, int most) {
  const Node *n = v->def;
  if (!n || most == 0 || shape_count(&v->shape) == 0 || n->n_step > 0 || n->n_in == 0 || !n->in[0] || n->in[data_input(n)]->data)
    return source_as_it_is(v);
  Source s = source_of(g, n->in[data_input(n)], most - 1);
  return apply_move(g, n, v, &s) ? s : source_as_it_is(v);
}

/* ---- products ---- */

/* The kernel is fast where elements lie side by side along one of the matrix' axes. */
static Source operand(Graph *g, Value *v) {
  Source s = source_of(g, v, MAX_BEFORE);
  bool fast = false;
  for (int k = s.view.shape.rank - 2; k < s.view.shape.rank; k++)
    fast = fast || s.view.stride[k] == 1 || s.view.shape.d[k] == 1;
  return fast ? s : source_as_it_is(v);
}

/* Both operands are matrices known at run time only, of more than one column. */
static bool is_candidate(const Node *n) {
  if (n->op != OP_MatMul || n->in[0]->type != T_F32 || n->in[0]->data || n->in[1]->data) return false;
  const Shape *a = &n->in[0]->shape, *b = &n->in[1]->shape;
  return a->rank >= 2 && b->rank >= 2 && b->d[b->rank - 1] > 1 && shape_count(a) > 0 && shape_count(b) > 0;
}

/* The Transpose that alone reads the result and leaves its columns; NULL: there is none. */
static Node *turned_result(const Node *n) {
  Node *t = only_reader(n->out[0]);
  int last = n->out[0]->shape.rank - 1;
  return t && t->op == OP_Transpose && t->p.perm[last] == last ? t : NULL;
}

/* n becomes a Product, to be inferred. */
static void make_product(Graph *g, Node *n, const Source *a, const Source *b) {
  n->op = OP_Product;
  n->n_attr = 0;
  node_set_inputs(g, n, 2, (Value *[]){a->of, b->of});
  attr_set_view(g, n, "a_view", &a->view);
  attr_set_view(g, n, "b_view", &b->view);
  attr_set_float(g, n, "alpha", a->factor * b->factor);
}

static bool read_in_place(Graph *g, Node *n) {
  if (!is_candidate(n)) return false;
  Source a = operand(g, n->in[0]), b = operand(g, n->in[1]);
  Node *turned = turned_result(n);
  if (a.of == n->in[0] && b.of == n->in[1] && !turned) return false;
  make_product(g, n, &a, &b);
  if (turned) {
    attr_set_ints(g, n, "perm", turned->out[0]->shape.rank, turned->p.perm);
    give_output(n, turned);
    turned->dead = true;
  }
  infer_node(g, n);
  return true;
}

void pass_views(Graph *g) {
  bool changed = false;
  for (int i = 0; i < g->n_node; i++)
    if (!g->node[i]->dead) changed |= read_in_place(g, g->node[i]);
  graph_compact(g);
  if (changed) pass_fold(g); /* moves that nobody reads any more */
}
