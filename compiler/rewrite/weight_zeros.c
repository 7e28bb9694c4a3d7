/* weight_zeros.c: zero points of the weights of integer convolutions. Weights that fit 8 bits without theirs are stored so. Else one
 * zero point z of all outputs takes the same off all results of a pixel, so that this is summed once for all of them:
 *
 *   ConvInteger(x, w, zx, z)      ConvInteger(x, w, zx) | Add(ConvInteger(x, v, zx))
 *
 * v being the weights of a single output, each of them -z. */
#include "rewrite.h"

enum { FEW_CHANNELS = 4 /* kernels for these take weights of 9 bits */ };

static int64_t zero_at(const Node *n, int64_t oc) {
  const Value *z = n->in[3];
  return get_number(z->type, z->data, shape_count(&z->shape) == 1 ? 0 : oc).i;
}

static bool has_known_zeros(const Node *n) {
  return n->op == OP_ConvInteger && n->in[1]->type == T_I8 && n->in[1]->data && has_input(n, 3) && n->in[3]->data && !const_is_zero(n->in[3]);
}

static void take_weights(Graph *g, Node *n, Value *w) {
  node_set_input(g, n, 1, w);
  node_set_input(g, n, 3, NULL);
}

/* The weights less their zero points; NULL: some need 9 bits. */
static Value *centred(Graph *g, const Node *n) {
  const Value *w = n->in[1];
  int64_t count = shape_count(&w->shape), each = count / w->shape.d[0];
  int8_t *to = alloc_n(g->cx, (size_t)count, sizeof *to);
  for (int64_t i = 0; i < count; i++) {
    int64_t x = ((const int8_t *)w->data)[i] - zero_at(n, i / each);
    if (x < INT8_MIN || x > INT8_MAX) return NULL;
    to[i] = (int8_t)x;
  }
  return value_const(g, w->name, T_I8, w->shape, to);
}

static bool shares_sums(const Node *n) {
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  bool known = !has_input(n, 2) || n->in[2]->data, fits = n->group == 1 && x->rank == 4 && n->n_step < MAX_STEPS;
  if (!known || !fits || x->d[1] <= FEW_CHANNELS || y->d[1] == 1 || n->in[0]->type != T_U8 || zero_at(n, 0) == INT8_MIN) return false;
  for (int64_t oc = 1; oc < y->d[1]; oc++)
    if (zero_at(n, oc) != zero_at(n, 0)) return false;
  return true;
}

/* What the zero point takes off, of each pixel. */
static Value *sums_before(Graph *g, const Node *n) {
  Shape s = n->in[1]->shape;
  s.d[0] = 1;
  size_t count = (size_t)shape_count(&s);
  int8_t *w = alloc_n(g->cx, count, sizeof *w);
  for (size_t i = 0; i < count; i++) w[i] = (int8_t)-zero_at(n, 0);
  Value *in[] = {n->in[0], value_const(g, n->in[1]->name, T_I8, s, w), has_input(n, 2) ? n->in[2] : NULL};
  Node *sums = walk_before(g, OP_ConvInteger, n->name, COUNT(in), in, 1);
  set_window(g, sums, &n->win);
  return new_result(g, sums);
}

void pass_zeros(Graph *g) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    Value *w = has_known_zeros(n) ? centred(g, n) : NULL;
    if (w) {
      take_weights(g, n, w);
    } else if (has_known_zeros(n) && shares_sums(n)) {
      add_sum(g, n, sums_before(g, n));
      take_weights(g, n, n->in[1]);
    }
  }
  graph_compact(g);
}
