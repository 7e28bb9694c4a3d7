/* depth.c: SpaceToDepth and DepthToSpace: squares of b x b pixels against b b times the channels. */
#include "ops.h"

static void read_square(Graph *g, Node *n) {
  const Shape *s = &n->in[0]->shape;
  int64_t b = attr_int(n, "blocksize", 0);
  if (s->rank != 4) fail_at(g, n, "the input has %d dimensions, not 4", s->rank);
  if (b < 1 || b > INT32_MAX) fail_at(g, n, "attribute blocksize is not a positive number");
  n->p.block = (int)b;
  n->p.by_channel = choice_attr(g, n, "mode", (const char *const[]){"DCR", "CRD"}, 2) == 1;
  if (s->d[1] < 0 || s->d[2] < 0 || s->d[3] < 0)
    fail_at(g, n, "the batch is not the first dimension%s", batch_remedy(g, n));
}

void infer_space_to_depth(Graph *g, Node *n) {
  read_square(g, n);
  Shape out = n->in[0]->shape;
  int64_t b = n->p.block;
  if (out.d[2] % b || out.d[3] % b) fail_at(g, n, "%s is no whole number of blocks", shape_text(g->cx, &out));
  if (!mul_size(out.d[1], b, &out.d[1]) || !mul_size(out.d[1], b, &out.d[1]))
    fail_at(g, n, "a size overflows");
  out.d[2] /= b;
  out.d[3] /= b;
  set_output(g, n, 0, n->in[0]->type, &out);
}

void infer_depth_to_space(Graph *g, Node *n) {
  read_square(g, n);
  Shape out = n->in[0]->shape;
  int64_t b = n->p.block;
  if (out.d[1] % (b * b))
    fail_at(g, n, "%s has no whole number of channels for each place of a block", shape_text(g->cx, &out));
  out.d[1] /= b * b;
  if (!mul_size(out.d[2], b, &out.d[2]) || !mul_size(out.d[3], b, &out.d[3]))
    fail_at(g, n, "a size overflows");
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* The element of the deep tensor for one of the wide one. */
static int64_t deep_element(const Node *n, const Shape *deep, const Shape *wide, const int64_t *index) {
  int64_t b = n->p.block, place = index[2] % b * b + index[3] % b;
  int64_t channel = n->p.by_channel ? index[1] * b * b + place : place * wide->d[1] + index[1];
  return ((index[0] * deep->d[1] + channel) * deep->d[2] + index[2] / b) * deep->d[3] + index[3] / b;
}

void eval_space_to_depth(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Cursor c = {.shape = &n->in[0]->shape};
  for (int64_t i = 0; i < shape_count(c.shape); i++, cursor_next(&c))
    copy_element(out[0], deep_element(n, &n->out[0]->shape, c.shape, c.index), in[0], i,
                 type_size(n->in[0]->type));
}

void eval_depth_to_space(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Cursor c = {.shape = &n->out[0]->shape};
  for (int64_t i = 0; i < shape_count(c.shape); i++, cursor_next(&c))
    copy_element(out[0], i, in[0], deep_element(n, &n->in[0]->shape, c.shape, c.index),
                 type_size(n->in[0]->type));
}
