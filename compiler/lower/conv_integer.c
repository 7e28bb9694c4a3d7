/* conv_integer.c: 1x1 convolutions of u8 activations and s8 weights. A vector holds pairs of input channels for its output
 * channels, as 16-bit numbers, whose products are added in pairs. */
#include "lower.h"

enum { BLOCK_VECTORS = 4 /* of sums, for a block of 8-bit results */ };

static int64_t pairs_of(const Node *n) { return size_ceiling(n->in[1]->shape.d[1], 2); }
static int64_t group_channels(const Target *t) { return (int64_t)BLOCK_VECTORS * t->lanes; }

static int64_t zero_of(const Node *n) {
  const Value *v = n->n_in > 2 ? n->in[2] : NULL;
  return v ? get_number(v->type, v->data, 0).i : 0;
}

/* Zero points of the weights, if any, are 0; that of the activations goes into the sums' start. */
static bool zeros_fit(const Node *n) {
  const Value *x = n->n_in > 2 ? n->in[2] : NULL, *w = n->n_in > 3 ? n->in[3] : NULL;
  return (!x || x->data) && (!w || const_is_zero(w));
}

/* Registers hold the sums, a vector of weights for each vector of outputs and a pair of inputs. */
void plans_integer(const Build *b, const Node *n, Plans *list) {
  const Target *t = b->target;
  if (!n->in[1]->data || !zeros_fit(n) || n->win.kh * n->win.kw != 1 || has_padding(n) || n->group != 1 || !conv_shapes_fit(n)) return;
  IntegerPlan *p = &plans_add(list)->integer;
  p->uw = (t->regs - 1 - BLOCK_VECTORS) / BLOCK_VECTORS;
  p->nb = BLOCK_VECTORS;
  p->pairs = (int)pairs_of(n);
}

int64_t packed_integer(const Target *t, const Node *n, const Plan *p) {
  int64_t groups = size_ceiling(n->in[1]->shape.d[0], group_channels(t));
  return size_mul(size_mul(groups, size_add(p->integer.pairs, 1)), group_channels(t) * (int64_t)sizeof(int32_t));
}

/* For each group of as many output channels as a block has: [channel] the start of its sum, i32; [pair][channel][2] i16. */
void pack_integer(const Target *t, const Node *n, void *to) {
  const int64_t *d = n->in[1]->shape.d;
  const int8_t *w = n->in[1]->data;
  int64_t size = group_channels(t), pairs = pairs_of(n), zero = zero_of(n);
  for (int64_t o = 0; o < d[0]; o++) {
    char *group = (char *)to + o / size * size * (pairs + 1) * (int64_t)sizeof(int32_t);
    uint32_t *start = (uint32_t *)group + o % size;
    int16_t *pair = (int16_t *)(group + size * (int64_t)sizeof(int32_t)) + o % size * 2;
    for (int64_t c = 0; c < d[1]; c++) {
      *start -= (uint32_t)(zero * w[o * d[1] + c]);
      pair[c / 2 * 2 * size + c % 2] = w[o * d[1] + c];
    }
  }
}

bool alike_integer(const Node *a, const Node *b) { return zero_of(a) == zero_of(b); }
