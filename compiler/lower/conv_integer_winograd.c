/* conv_integer_winograd.c: Winograd's algorithm in integers, exactly, where 16-bit products are the fastest. F(4 x 4, 3 x 3) of the
 * points infinity, 0, 1, -1, 2, -2, without fractions:
 *
 *   weights    g0, g2, g0 + g1 + g2, .., g0 + 2 g1 + 4 g2, ..     in two dimensions up to 49 * 128: 16 bits
 *   inputs     4 d0 - 5 d2 + d4, ..                               up to 68 * 255, with either sign: 16 bits
 *   sums       of their products, modulo 2^32
 *   results    A' M A is up to 24 * 24 times the convolution, modulo 2^32: times the inverse of 9, then shifted by 6 bits
 *
 * With a stride of 2, in parities as floats have it, there are no more than five points: up to 6 * 6 times the convolution.
 *
 * So the convolution itself may have 26 bits, whatever the sums between have. A lane has two channels, side by side, of weights and
 * inputs; in WinogradPlan and WinogradSizes such pairs count as channels. */
#include "cost.h"


enum { LINE = 64, MOST_SUM = 1 << 25, LARGEST = 255 };

/* Do all sums of an output channel fit, with weights less their zero point? */
static bool sums_fit(const Node *n, int64_t oc) {
  int64_t each = shape_count(&n->in[1]->shape) / n->in[1]->shape.d[0], more = 0, less = 0;
  const int8_t *w = (const int8_t *)n->in[1]->data + oc * each;
  for (int64_t i = 0; i < each; i++) {
    if (w[i] > 0) more += w[i];
    else less -= w[i];
  }
  return size_max(more, less) < MOST_SUM / LARGEST;
}

void plans_integer_winograd(const Build *b, const Node *n, Plans *list) {
  ConvLayer l = conv_layer(b->target, n);
  bool asked = b->options->winograd == WINOGRAD_AUTO || b->options->winograd == WINOGRAD_4;
  if (!asked || adds_fours(l.t) || !integer_fits(&l) || integer_has_zeros(n) || l.groups > 1) return;
  for (int64_t oc = 0; oc < l.ocg; oc++)
    if (!sums_fit(n, oc)) return;
  l.icg = (int)size_ceiling(n->in[1]->shape.d[1], 2);
  l.in_blocks = size_ceiling(l.icg, l.t->lanes);
  int before = list->n;
  plan_integer_winograd(&l, list);
  list->only = list->n > before && b->options->winograd != WINOGRAD_AUTO;
}

/* Of the time that floats of as many channels would take; the direct convolution's estimates take four channels for one. */
static const double PAIR = 0.6;

double cost_integer_winograd(const ConvCost *cost, const Plan *plan) {
  ConvCost c = *cost;
  c.l.icg = plan->winograd.icg;
  return PAIR * cost_winograd(&c, plan);
}

/* ==== packing ==== */

int64_t integer_winograd_starts(const Target *t, const WinogradPlan *p) {
  return size_round_up(size_round_up(p->ocg, t->lanes) * (int64_t)sizeof(uint32_t), LINE);
}

int64_t integer_winograd_bytes(const Target *t) { return 9 * 2 * (int64_t)t->lanes; }

int64_t packed_integer_winograd(const Target *t, const Node *n, const Plan *plan) {
  (void)n;
  const WinogradPlan *p = &plan->winograd;
  int64_t vectors = size_ceiling(p->ocg, t->lanes);
  return size_add(integer_winograd_starts(t, p), size_mul(size_mul(vectors, p->icg), integer_winograd_bytes(t)));
}

/* The weights of a pair of channels for the vector of outputs from oc on: [tap][lane][2]. */
static void pack_pair(const Target *t, const Node *n, int64_t oc, int64_t pair, int8_t *to) {
  const Shape *s = &n->in[1]->shape;
  const int8_t *w = n->in[1]->data;
  for (int64_t o = oc; o < size_min(oc + t->lanes, s->d[0]); o++) {
    for (int64_t c = 2 * pair; c < size_min(2 * pair + 2, s->d[1]); c++) {
      for (int k = 0; k < 9; k++) to[(k * t->lanes + o - oc) * 2 + c % 2] = w[(o * s->d[1] + c) * 9 + k];
    }
  }
}

/* The starts of the sums; then panels [pair][nb]. */
void pack_integer_winograd(const Target *t, const Node *n, void *to) {
  const WinogradPlan *p = &n->plan->winograd;
  for (int64_t oc = 0; oc < p->ocg; oc++) centred_start(t, n, oc, true, (uint32_t *)to + oc);
  int8_t *dst = (int8_t *)to + integer_winograd_starts(t, p);
  int64_t vectors = size_ceiling(p->ocg, t->lanes);
  for (int64_t first = 0, nb; first < vectors; first += nb) {
    nb = size_min(p->nb, vectors - first);
    for (int64_t i = 0; i < p->icg * nb; i++, dst += integer_winograd_bytes(t)) pack_pair(t, n, (first + i % nb) * t->lanes, i / nb, dst);
  }
}

bool alike_integer_winograd(const Node *a, const Node *b) { return a->plan->winograd.nb == b->plan->winograd.nb && integer_alike(a, b); }
