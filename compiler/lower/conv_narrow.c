/* conv_narrow.c: few outputs; a vector holds input channels. */
#include "cost.h"

enum { MOST_OUTPUTS = 4 /* of a panel, of which there are two at most */ };

/* No more than half a vector of outputs. A tile has no more sums than a vector has lanes; registers hold
 * them, a vector of weights for each output, one of inputs, and without FMA a product. */
void plans_narrow(const Build *b, const Node *n, Plans *list) {
  const Target *t = b->target;
  ConvLayer l = conv_layer(t, n);
  if (l.groups > 1 || l.planar || l.ocg > t->lanes / 2 || l.ocg > 2 * MOST_OUTPUTS) return;
  NarrowPlan *p = &plans_add(list)->narrow;
  p->icg = l.icg;
  p->ocg = l.ocg;
  p->nb = l.ocg > MOST_OUTPUTS ? (l.ocg + 1) / 2 : l.ocg;
  p->uw = (int)size_min((t->regs - p->nb - (t->fma ? 1 : 2)) / p->nb, t->lanes / p->nb);
}

/* Of each sum its lanes are summed at the end, by three operations, and it is put into place by two. */
double cost_narrow(const ConvCost *c, const Plan *plan) {
  const ConvLayer *l = &c->l;
  int nb = plan->narrow.nb;
  int64_t panels = size_ceiling(l->ocg, nb);
  int64_t tiles = size_ceiling(l->cols, plan->narrow.uw), uw = size_ceiling(l->cols, tiles);
  double steps = (double)(l->taps * l->in_blocks), sums = (double)(uw * nb * panels);
  double tile = CALL_CYCLES + (double)panels * steps * (LOOP_CYCLES + step_cycles(c, uw, nb)) + 5 * sums;
  return (double)(l->images * l->rows * tiles) * tile + c->input_bytes / c->r->met;
}

int64_t packed_narrow(const Target *t, const Node *n, const Plan *p) {
  (void)t, (void)p;
  return shape_count(&n->in[1]->shape) * 4;
}

/* [panel][tap][channel block][output][channel in the block]; the last block holds what is left. */
void pack_narrow(const Target *t, const Node *n, void *to) {
  const NarrowPlan *p = &n->plan->narrow;
  float *dst = to;
  int64_t taps = (int64_t)n->win.kh * n->win.kw;
  for (int64_t first = 0; first < p->ocg; first += p->nb) {
    int64_t end = size_min(first + p->nb, p->ocg);
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t c = 0, c1; c < p->icg; c = c1) {
        c1 = next_block(c, p->icg, t->lanes);
        for (int64_t o = first; o < end; o++) {
          for (int64_t i = c; i < c1; i++) *dst++ = conv_weight(n, o, i, k);
        }
      }
    }
  }
}

bool alike_narrow(const Node *a, const Node *b) { return a->plan->narrow.nb == b->plan->narrow.nb; }
