/* spread.c: Expand and Tile: elements that come several times. */
#include "ops.h"

/* ---- Expand: to the broadcast of the input and a shape ---- */

void infer_expand(Graph *g, Node *n) {
  Shape out = shape_input(g, n, 1);
  broadcast_input(g, n, 0, &out);
  set_output(g, n, 0, n->in[0]->type, &out);
}

void eval_expand(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  copy_elements(n->out[0], out[0], in[0], broadcast_cursor(&n->in[0]->shape, &n->out[0]->shape));
}

/* ---- Tile: the whole several times along each axis ---- */

/* Repeats that are known at run time only follow from the declared result, where the input is not empty. */
static void set_repeats_as_declared(Graph *g, Node *n) {
  Shape declared = declared_output(g, n, 0, "the repeats"), times = {.rank = declared.rank};
  const Shape *x = &n->in[0]->shape;
  if (declared.rank != x->rank) fail_at(g, n, "the result is declared with another rank");
  for (int k = 0; k < x->rank; k++) {
    if (x->d[k] == 0 || declared.d[k] % x->d[k])
      fail_at(g, n, "the repeats must be known at compile time%s", batch_remedy(g, n));
    times.d[k] = declared.d[k] == x->d[k] ? 1 : x->d[k] < 0 ? -1 : declared.d[k] / x->d[k];
    if (x->d[k] < 0 && declared.d[k] != x->d[k]) fail_at(g, n, "the batch is repeated; --batch N fixes it");
  }
  node_set_input(g, n, 1, shape_constant(g, n->in[1]->name, &times));
}

void infer_tile(Graph *g, Node *n) {
  Shape out = n->in[0]->shape;
  if (!n->in[1]->data) set_repeats_as_declared(g, n);
  Ints times = const_input(g, n, 1, "the repeats");
  if (times.n != out.rank) fail_at(g, n, "%d repeats for %d axes", times.n, out.rank);
  for (int k = 0; k < out.rank; k++) {
    if (times.v[k] < 0) fail_at(g, n, "a repeat of %lld", (long long)times.v[k]);
    if (out.d[k] < 0 ? times.sym[k] || times.v[k] != 1 : times.sym[k] && out.d[k] != 1)
      fail_at(g, n, "axis %d is repeated with the symbolic batch; --batch N fixes it", k);
    if (!mul_size(out.d[k] < 0 ? -out.d[k] : out.d[k], times.v[k], &out.d[k]))
      fail_at(g, n, "a size overflows");
    if (n->in[0]->shape.d[k] < 0 || times.sym[k]) out.d[k] = -out.d[k];
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

void eval_tile(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *x = &n->in[0]->shape;
  int64_t stride[MAX_RANK];
  dense_strides(x, stride);
  Cursor c = {.shape = &n->out[0]->shape};
  for (int64_t i = 0; i < shape_count(c.shape); i++, cursor_next(&c)) {
    int64_t at = 0;
    for (int k = 0; k < x->rank; k++) at += c.index[k] % x->d[k] * stride[k];
    copy_element(out[0], i, in[0], at, type_size(n->in[0]->type));
  }
}
