/* conv_integer_narrow.c: convolution of u8 activations and s8 weights with a single output, of which the sums are wanted as they are;
 * a vector holds input channels, four to a lane. */
#include "conv.h"

/* A tile has no more sums than a vector has lanes. */
void plans_integer_narrow(const Build *b, const Node *n, Plans *list) {
  const ConvLayer l = conv_layer(b->target, n);
  if (n->in[1]->shape.d[0] != 1 || n->n_step > 0 || !integer_fits(&l) || integer_has_zeros(n)) return;
  IntegerNarrowPlan *p = &plans_add(list)->integer_narrow;
  p->uw = b->target->lanes;
  p->small = integer_is_small(b->target, n);
  list->only = true;
}

static int64_t blocks(const Target *t, const Node *n) { return size_ceiling(n->in[1]->shape.d[1], channel_block(t, T_U8)); }

int64_t packed_integer_narrow(const Target *t, const Node *n, const Plan *p) {
  (void)p;
  return size_mul(size_add(1, size_mul(blocks(t, n), n->win.kh * n->win.kw)), channel_block(t, T_U8));
}

/* The start of the sum, i32, in a vector of its own; then [tap][channel block][channel]. */
void pack_integer_narrow(const Target *t, const Node *n, void *to) {
  int64_t channels = n->in[1]->shape.d[1], taps = n->win.kh * n->win.kw, block = channel_block(t, T_U8);
  int8_t *w = (int8_t *)to + block;
  centred_start(t, n, 0, false, to);
  for (int64_t k = 0; k < taps; k++, w += blocks(t, n) * block)
    for (int64_t c = 0; c < channels; c++) w[c] = ((const int8_t *)n->in[1]->data)[c * taps + k];
}

bool alike_integer_narrow(const Node *a, const Node *b) { return integer_alike(a, b); }
