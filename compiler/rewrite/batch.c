/* batch.c: a symbolic batch becomes one image. The generated code runs image by image, so image i of every value may follow only
 * from image i of the inputs. At the interface the images lie one behind the other; in between the batch may be any axis, and share
 * it: [T,N,C], or [kN,C] with k rows of each image, beside each other or not. What an operator does with it says where it is in
 * the result, or that images meet. */
#include "rewrite.h"

static bool has_batch(const Value *v) {
  return v && shape_is_symbolic(&v->shape);
}

/* ---- messages ---- */

static _Noreturn void refuse(Graph *g, const Node *n, const char *why) {
  fail_at(g, n, "%s; fix the batch with --batch N", why);
}

/* ---- the interface ---- */

static bool batch_leads(const Shape *s) {
  for (int i = 1; i < s->rank; i++)
    if (s->d[i] < 0) return false;
  return true;
}

static Shape *interface_shapes(Graph *g, Value *const *v, int n, const char *what) {
  Shape *shape = alloc_n(g->cx, (size_t)n, sizeof *shape);
  for (int i = 0; i < n; i++) {
    shape[i] = v[i]->shape;
    if (batch_leads(&shape[i]) && (shape[i].rank == 0 || shape[i].d[0] >= -1)) continue;
    fail(g->cx, "%s \"%s\" has the shape %s, in which the batch is not the first dimension; fix it with --batch N",
         what, v[i]->name, shape_text(g->cx, &shape[i]));
  }
  return shape;
}

/* ---- where the batch lies in a value ---- */

/* Dimension `axis` is outer x N x inner, in row-major order. */
typedef struct Spot {
  int axis;
  int64_t outer;
} Spot;

static int batch_axis(const Shape *s) {
  for (int i = 0; i < s->rank; i++)
    if (s->d[i] < 0) return i;
  return -1;
}

/* Of one image, before the batch comes: the same in every view. */
static int64_t elements_before(const Shape *s, int axis) {
  int64_t count = 1;
  for (int i = 0; i < axis; i++) count = size_mul(count, s->d[i]);
  return count;
}

/* ---- which operators treat images independently ---- */

/* An argument whose elements are multiples of the batch may be a shape or a bound: then it becomes that of
 * one image; as anything else its value would have to be known. */
static void check_arguments(Graph *g, const Node *n) {
  unsigned sizes = op_info[n->op].sizes;
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && n->in[i]->sym && !(i < 32 && sizes >> i & 1)) refuse(g, n, "needs the size of the batch");
}

/* Shape inference refuses what cuts, reduces or sums along the symbol's axis, but not these. */
static void check_along(Graph *g, const Node *n, int axis) {
  Batching rule = op_info[n->op].batch;
  bool one_axis = n->op == OP_Softmax || n->op == OP_LogSoftmax; /* others may work along all behind it */
  if (rule == BATCH_NOT_ALONG && (one_axis ? n->p.axis == axis : n->p.axis <= axis)) refuse(g, n, "works along the batch axis");
  if (rule == BATCH_NOT_JOINED && n->p.axis == axis) refuse(g, n, "joins batches");
  bool counts = rule == BATCH_NOT_NUMBERED && n->n_out > 1 && n->out[1];
  if (counts) refuse(g, n, "numbers the elements of all images");
}

static int transposed_axis(const Node *n, int axis) {
  int k = 0;
  while (n->p.perm[k] != axis) k++;
  return k;
}

/* Of a vector, inference refuses the batch: it is summed. As a list of zero points it stands along rows or columns. */
static int product_axis(const Node *n, int i, int axis, int rank) {
  int a = n->in[0]->shape.rank, b = n->in[1]->shape.rank;
  if (i > 1 && n->in[i]->shape.rank == 1) return i == 2 && b > 1 ? rank - 2 : rank - 1;
  if (a == 1) return axis == b - 1 ? rank - 1 : axis;
  if (b == 1) return axis;
  return axis + rank - n->in[i]->shape.rank;
}

static int gathered_axis(const Node *n, int i, int axis) {
  if (i == 1) return n->p.axis + axis;
  if (axis == n->p.axis) return -1;
  return axis < n->p.axis ? axis : axis - 1 + n->in[1]->shape.rank;
}

/* Behind the axes before it that are not reduced. */
static int reduced_axis(const Node *n, int axis, int rank) {
  if (rank == n->in[0]->shape.rank) return axis;
  unsigned gone = n->p.axes ? n->p.axes : 1u << n->p.axis;
  return axis - __builtin_popcount(gone & ((1u << axis) - 1));
}

/* Where axis number `axis` of input i is in the results, of so many dimensions; -1: nowhere as such, or it is not known. */
static int result_axis(const Node *n, int i, int axis, int rank) {
  const OpInfo *info = &op_info[n->op];
  bool axes_stay = info->batch == BATCH_NOT_ALONG || info->batch == BATCH_NOT_JOINED || info->permute == PERMUTE_ARGUMENTS
                   || n->op == OP_Split;
  switch (n->op) {
  case OP_Transpose: return transposed_axis(n, axis);
  case OP_MatMul: case OP_MatMulInteger: return product_axis(n, i, axis, rank);
  case OP_Gather: return gathered_axis(n, i, axis);
  default: break;
  }
  if (info->family == FAMILY_REDUCE) return reduced_axis(n, axis, rank);
  if (axes_stay && n->in[i]->shape.rank == rank) return axis;
  if (op_is_elementwise(n->op) || info->permute == PERMUTE_FIRST || info->permute == PERMUTE_ALL)
    return axis + rank - n->in[i]->shape.rank; /* broadcast */
  return axis == 0 ? 0 : -1;
}

/* The batch of input i in the results; it has to be where their shapes say. */
static void follow_input(Graph *g, Spot *spot, const Node *n, int i) {
  const Value *x = n->in[i];
  Spot from = spot[x->id];
  for (int k = 0; k < n->n_out; k++) {
    const Value *y = n->out[k];
    if (!y) continue;
    int axis = result_axis(n, i, from.axis, y->shape.rank), there = batch_axis(&y->shape);
    if (axis < 0) refuse(g, n, "takes the batch as its first axis only");
    check_along(g, n, axis);
    if (axis != there || y->shape.d[axis] != x->shape.d[from.axis]) refuse(g, n, "mixes the images of a batch");
    if (spot[y->id].outer && spot[y->id].outer != from.outer) refuse(g, n, "meets images in different orders");
    spot[y->id] = (Spot){axis, from.outer};
  }
}

/* The same elements in the same order: so many of an image come before the batch. */
static void follow_view(Graph *g, Spot *spot, const Node *n) {
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  Spot from = spot[n->in[0]->id];
  int axis = batch_axis(y);
  if (axis < 0) refuse(g, n, "mixes the images of a batch");
  int64_t before = size_mul(elements_before(x, from.axis), from.outer), outside = elements_before(y, axis), outer = 1;
  if (before && outside) { /* else there are no elements */
    outer = before / outside;
    if (before % outside || outer == 0 || y->d[axis] % outer) refuse(g, n, "mixes the images of a batch");
  }
  spot[n->out[0]->id] = (Spot){axis, outer};
}

static void start_results(Graph *g, Spot *spot, const Node *n) {
  for (int i = 0; i < n->n_out; i++) {
    if (!n->out[i]) continue;
    const Shape *y = &n->out[i]->shape;
    int axis = batch_axis(y);
    for (int k = axis + 1; axis >= 0 && k < y->rank; k++)
      if (y->d[k] < 0) refuse(g, n, "makes two axes of the batch");
    spot[n->out[i]->id] = (Spot){axis, 0};
  }
}

/* All images of what is batched without batched inputs, as a fill, are one and the same. */
static void end_results(Spot *spot, const Node *n) {
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i] && spot[n->out[i]->id].outer == 0) spot[n->out[i]->id].outer = 1;
}

static void follow_node(Graph *g, Spot *spot, const Node *n) {
  check_arguments(g, n);
  start_results(g, spot, n);
  if (op_info[n->op].family == FAMILY_VIEW) {
    if (has_batch(n->in[0])) follow_view(g, spot, n);
  } else {
    for (int i = 0; i < n->n_in; i++)
      if (has_batch(n->in[i])) follow_input(g, spot, n, i);
  }
  end_results(spot, n);
}

static void follow_nodes(Graph *g) {
  Spot *spot = alloc_n(g->cx, (size_t)g->n_value, sizeof *spot);
  for (int i = 0; i < g->n_input; i++) spot[g->input[i]->id] = (Spot){0, 1};
  for (int i = 0; i < g->n_node; i++) follow_node(g, spot, g->node[i]);
}

/* ---- one image: a multiple of the batch is now the factor, as shapes and constants hold it already ---- */

/* A batch of one is an axis that a Squeeze without axes would take along. */
static void name_axes(Graph *g, Node *n) {
  if (n->op != OP_Squeeze || !has_batch(n->in[0]) || (n->n_in > 1 && n->in[1])) return;
  const Shape *s = &n->in[0]->shape;
  int64_t axis[MAX_RANK];
  int count = 0;
  for (int i = 0; i < s->rank; i++)
    if (s->d[i] == 1) axis[count++] = i;
  n->n_in = 1;
  node_add_input(g, n, value_const_i64(g, n->name, count, axis));
}

static void make_one_image(Value *v) {
  v->batched = has_batch(v);
  for (int i = 0; i < v->shape.rank; i++)
    if (v->shape.d[i] < 0) v->shape.d[i] = -v->shape.d[i];
  v->sym = NULL;
}

void pass_batch(Graph *g) {
  g->input_shape = interface_shapes(g, g->input, g->n_input, "input");
  g->output_shape = interface_shapes(g, g->output, g->n_output, "output");
  follow_nodes(g);
  for (int i = 0; i < g->n_node; i++) name_axes(g, g->node[i]);
  for (int i = 0; i < g->n_value; i++) make_one_image(g->value[i]);
}
