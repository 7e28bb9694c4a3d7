/* images.c: Image and Images, between which a graph is run for some images of a batch after the others. */
#include "ops.h"

/* x's shape with as many images as the attribute says. */
static Shape with_images(Graph *g, const Node *n) {
  Shape s = n->in[0]->shape;
  int64_t images = attr_int(n, "images", 1);
  if (s.rank < 1) fail_at(g, n, "there are no images");
  check_number(g, n, 0, 0);
  check_range(g, n, "images", images, 1, INT32_MAX);
  s.d[0] = images;
  return s;
}

void infer_image(Graph *g, Node *n) {
  Shape s = with_images(g, n), x = n->in[0]->shape;
  if (!n->in[0]->is_input || g->symbolic) fail_at(g, n, "takes images of an input that has a number of them");
  if (x.d[0] % s.d[0]) fail_at(g, n, "%lld images are no multiple of %lld", (long long)x.d[0], (long long)s.d[0]);
  set_output(g, n, 0, n->in[0]->type, &s);
  if (n->out[0]) n->out[0]->batched = true;
}

void infer_images(Graph *g, Node *n) {
  Shape s = with_images(g, n), x = n->in[0]->shape;
  if (!n->in[0]->batched || x.d[0] == 0 || s.d[0] % x.d[0]) fail_at(g, n, "joins what is no part of so many images");
  set_output(g, n, 0, n->in[0]->type, &s);
}

/* Of the first images, or of the same again. */
void eval_image(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  size_t all = value_bytes(n->out[0]), x = value_bytes(n->in[0]);
  for (size_t at = 0; at < all; at += x) move_bytes((char *)out[0] + at, in[0], all - at < x ? all - at : x);
}

int64_t image_runs(const Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    if (n->op == OP_Images && !n->dead && n->in[0]->shape.d[0]) return n->out[0]->shape.d[0] / n->in[0]->shape.d[0];
  }
  return 0;
}
