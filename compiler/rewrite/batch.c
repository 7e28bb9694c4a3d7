/* batch.c: a symbolic batch becomes one image. The generated code runs image by image, so image i of every
 * value may follow only from image i of the inputs. That holds where each value has the symbol in axis 0 or
 * nowhere (the images then lie one behind the other, as [N,...], or k rows each, as [kN,...]) and no operator
 * works along that axis. */
#include "rewrite.h"

#include <string.h>

static bool has_batch(const Value *v) {
  return v && shape_is_symbolic(&v->shape);
}

/* ---- messages ---- */

static _Noreturn void refuse(Graph *g, const Node *n, const char *why) {
  fail_at(g, n, "%s: fix the batch with --batch N", why);
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
    fail(g->cx, "%s \"%s\" has the shape %s, in which the batch is not the first dimension: fix it with --batch N",
         what, v[i]->name, shape_text(g->cx, &shape[i]));
  }
  return shape;
}

/* ---- which operators treat images independently ---- */

/* Shape inference refuses what cuts, reduces or sums along the symbol's axis, but not these. */
static void check_batch_axis(Graph *g, const Node *n) {
  Batching rule = op_info[n->op].batch;
  if (rule != BATCH_NOT_ALONG && rule != BATCH_NOT_JOINED) return;
  if (n->p.axis != 0) return;
  if (has_batch(n->out[0])) refuse(g, n, rule == BATCH_NOT_ALONG ? "works along the batch axis" : "joins batches");
}

/* An argument whose elements are multiples of the batch may be a shape or a bound: then it becomes that of
 * one image; as anything else its value would have to be known. */
static void check_arguments(Graph *g, const Node *n) {
  unsigned sizes = op_info[n->op].sizes;
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && n->in[i]->sym && !(i < 32 && sizes >> i & 1)) refuse(g, n, "needs the size of the batch");
}

static void check_node(Graph *g, const Node *n) {
  bool batched = false;
  for (int i = 0; i < n->n_in; i++) batched = batched || has_batch(n->in[i]);
  check_arguments(g, n);
  check_batch_axis(g, n);
  bool counts = op_info[n->op].batch == BATCH_NOT_NUMBERED && n->n_out > 1 && n->out[1];
  if (counts && batched) refuse(g, n, "numbers the elements of all images");
  for (int i = 0; i < n->n_out; i++) {
    const Value *v = n->out[i];
    if (!v) continue;
    if (!batch_leads(&v->shape)) refuse(g, n, "moves the batch from the first axis");
    if (batched && !has_batch(v)) refuse(g, n, "mixes the images of a batch");
  }
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
  for (int i = 0; i < g->n_node; i++) check_node(g, g->node[i]);
  for (int i = 0; i < g->n_node; i++) name_axes(g, g->node[i]);
  for (int i = 0; i < g->n_value; i++) make_one_image(g->value[i]);
}
