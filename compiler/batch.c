/* batch.c: a symbolic batch becomes one image. The generated code runs image by image, so image i of every
 * value may follow only from image i of the inputs. That holds where each value has the symbol in axis 0 or
 * nowhere (the images then lie one behind the other, as [N,...], or k rows each, as [kN,...]) and no operator
 * works along that axis. */
#include "resnetcc.h"

#include <string.h>

static bool has_batch(const Value *v) {
  return v && shape_is_symbolic(&v->shape);
}

static bool input_has_batch(const Node *n, int i) {
  return i < n->n_in && has_batch(n->in[i]);
}

/* ---- messages ---- */

/* What to write behind --shape: the first batched input with one image. */
static const char *pin_text(Graph *g) {
  for (int i = 0; i < g->n_input; i++) {
    const Value *v = g->input[i];
    if (!has_batch(v)) continue;
    char *text = format_text(g->cx, "%s=1", v->name);
    for (int k = 1; k < v->shape.rank; k++)
      text = format_text(g->cx, "%s,%lld", text, (long long)v->shape.d[k]);
    return text;
  }
  return "NAME=1,...";
}

static _Noreturn void refuse(Graph *g, const Node *n, const char *why) {
  fail_at(g, n, "%s: pin the batch with --shape %s", why, pin_text(g));
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
    fail(g->cx, "%s \"%s\" has the shape %s, in which the batch is not the first dimension: "
         "pin the batch with --shape %s", what, v[i]->name, shape_text(g->cx, &shape[i]), pin_text(g));
  }
  return shape;
}

/* ---- which operators treat images independently ---- */

static bool is_axis_0(const Node *n, int64_t axis) {
  return axis == 0 || axis == -(int64_t)n->in[0]->shape.rank;
}

static void check_axis(Graph *g, const Node *n, int64_t otherwise) {
  if (input_has_batch(n, 0) && is_axis_0(n, attr_int(n, "axis", otherwise)))
    refuse(g, n, "works along the batch axis");
}

static void check_last_axis(Graph *g, const Node *n) {
  check_axis(g, n, -1);
}

static void check_first_axis(Graph *g, const Node *n) {
  check_axis(g, n, 0);
}

static void check_concat(Graph *g, const Node *n) {
  if (is_axis_0(n, attr_int(n, "axis", 0)) && has_batch(n->out[0])) refuse(g, n, "joins batches");
}

/* Every axis in the list, all where there is none. */
static void check_axes(Graph *g, const Node *n, int input, const char *why) {
  int64_t axis[MAX_RANK];
  int count = 0;
  if (!input_has_batch(n, 0)) return;
  bool listed = input < n->n_in && const_ints(n->in[input], MAX_RANK, axis, &count);
  for (int i = 0; i < count; i++)
    if (is_axis_0(n, axis[i])) refuse(g, n, why);
  if (!listed || count == 0) refuse(g, n, why);
}

static void check_mean(Graph *g, const Node *n) {
  bool may_be_none = attr_int(n, "noop_with_empty_axes", 0) != 0;
  if (may_be_none && shape_equal(&n->in[0]->shape, &n->out[0]->shape)) return;
  check_axes(g, n, 1, "averages over the batch");
}

/* Shape inference lets only slices of the whole batch through, and no padding beside it. */
static void check_same_batch(Graph *g, const Node *n) {
  if (input_has_batch(n, 0) && n->in[0]->shape.d[0] != n->out[0]->shape.d[0])
    refuse(g, n, "changes the number of images");
}

/* Rows of the first factor may be images; of the second only matrices of a stack. */
static void check_matmul(Graph *g, const Node *n) {
  bool sums_left = input_has_batch(n, 0) && n->in[0]->shape.rank < 2;
  bool sums_right = input_has_batch(n, 1) && n->in[1]->shape.rank < 3;
  if (sums_left || sums_right) refuse(g, n, "sums over the batch");
}

static void check_gemm(Graph *g, const Node *n) {
  if (input_has_batch(n, 1) || (input_has_batch(n, 0) && attr_int(n, "transA", 0)))
    refuse(g, n, "sums over the batch");
}

static void check_weights(Graph *g, const Node *n) {
  for (int i = 1; i < n->n_in; i++)
    if (input_has_batch(n, i)) refuse(g, n, "has weights of the size of the batch");
}

static void (*const checks[OP_COUNT])(Graph *, const Node *) = {
  [OP_Softmax] = check_last_axis,
  [OP_LogSoftmax] = check_last_axis,
  [OP_ArgMax] = check_first_axis,
  [OP_Split] = check_first_axis,
  [OP_Gather] = check_first_axis,
  [OP_Concat] = check_concat,
  [OP_ReduceMean] = check_mean,
  [OP_Slice] = check_same_batch,
  [OP_Pad] = check_same_batch,
  [OP_MatMul] = check_matmul,
  [OP_Gemm] = check_gemm,
  [OP_Conv] = check_weights,
  [OP_BatchNormalization] = check_weights,
};

/* An argument whose elements are multiples of the batch may be a shape or a bound: then it becomes that of
 * one image; as anything else its value would have to be known. */
static void check_arguments(Graph *g, const Node *n) {
  int first = n->op == OP_ConstantOfShape ? 0 : n->op == OP_Reshape || n->op == OP_Slice ? 1 : n->n_in;
  for (int i = 0; i < first; i++)
    if (n->in[i] && n->in[i]->sym) refuse(g, n, "needs the size of the batch");
}

static void check_node(Graph *g, const Node *n) {
  bool batched = false;
  for (int i = 0; i < n->n_in; i++) batched = batched || has_batch(n->in[i]);
  check_arguments(g, n);
  for (int i = 0; i < n->n_out; i++) {
    const Value *v = n->out[i];
    if (!v) continue;
    if (!batch_leads(&v->shape)) refuse(g, n, "moves the batch from the first axis");
    if (batched && !has_batch(v)) refuse(g, n, "mixes the images of a batch");
  }
  if (checks[n->op]) checks[n->op](g, n);
}

/* ---- one image: a multiple of the batch is now the factor, as shapes and constants hold it already ---- */

/* A batch of one is an axis that a Squeeze without axes would take along. */
static void name_axes(Graph *g, Node *n) {
  if (n->op != OP_Squeeze || !input_has_batch(n, 0) || (n->n_in > 1 && n->in[1])) return;
  const Shape *s = &n->in[0]->shape;
  int64_t axis[MAX_RANK];
  int count = 0;
  for (int i = 0; i < s->rank; i++)
    if (s->d[i] == 1) axis[count++] = i;
  n->n_in = 1;
  node_add_input(g, n, value_const_i64(g, n->name, count, axis));
}

static void make_one_image(Value *v) {
  for (int i = 0; i < v->shape.rank; i++)
    if (v->shape.d[i] < 0) v->shape.d[i] = -v->shape.d[i];
  v->sym = NULL;
}

void pass_batch(Graph *g) {
  g->input_shape = interface_shapes(g, g->input, g->n_input, "input");
  g->output_shape = interface_shapes(g, g->output, g->n_output, "output");
  for (int i = 0; i < g->n_node; i++) check_node(g, g->node[i]);
  for (int i = 0; i < g->n_node; i++) name_axes(g, g->node[i]);
  for (int i = 0; i < g->n_value; i++) make_one_image(g->value[i]);
}
