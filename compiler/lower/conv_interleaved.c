/* conv_interleaved.c: many groups of few channels; a vector holds one channel each of as many groups. */
#include "cost.h"

enum {
  MOST_CHANNELS = 8,      /* of a group: a pixel's sums, and their inputs, are in registers at a time */
  MOST_TAPS = 1 << 20,    /* in each dimension: the sizes below are counted in ints */
  MOST_PARTED = 1 << 20,  /* bytes of scratch: what L2 holds */
};

/* Registers hold the sums and inputs of `uw` pixels, a vector of weights, and without FMA a product. Where
 * groups have several inputs, the rows that a row of the result reads are parted into vectors of one channel
 * each first. */
void plans_interleaved(const Build *b, const Node *n, Plans *list) {
  const Target *t = b->target;
  ConvLayer l = conv_layer(t, n);
  if (!conv_is_uneven(t, n) || grouped_fits(t, n)) return;
  if (l.icg > MOST_CHANNELS || l.ocg > MOST_CHANNELS || n->win.kw > MOST_TAPS || n->win.kh > MOST_TAPS) return;
  int64_t span = size_add(size_mul(l.cols, n->win.sw), size_mul(n->win.kw, n->win.dw));
  int64_t parted = l.icg == 1 ? 0 : size_mul(size_mul(span, n->win.kh), l.icg * t->lanes * 4);
  if (parted > MOST_PARTED) return;
  Plan *plan = plans_add(list);
  InterleavedPlan *p = &plan->interleaved;
  p->groups = l.groups;
  p->icg = l.icg;
  p->ocg = l.ocg;
  p->uw = (t->regs - (t->fma ? 1 : 2)) / (p->ocg + 1);
  plan->at.scratch = parted;
}

/* Every pixel's sums are joined by shuffles, and where a group has several inputs, those of kh rows are
 * parted by shuffles, stored and loaded again. */
double cost_interleaved(const ConvCost *c, const Plan *plan) {
  const ConvLayer *l = &c->l;
  double icg = l->icg, ocg = l->ocg, taps = (double)l->taps;
  int64_t tiles = size_ceiling(l->cols, plan->interleaved.uw), uw = size_ceiling(l->cols, tiles);
  double tap = LOOP_CYCLES + icg * step_cycles(c, uw, l->ocg);
  double tile = CALL_CYCLES + taps * tap + (double)uw * ocg * (ocg + 1);
  double parted = icg > 1 ? (double)(l->n->win.kh * l->x[3]) * icg * (icg + 1) : 0;
  double batches = (double)(l->images * l->rows * size_ceiling(l->groups, l->t->lanes));
  return batches * ((double)tiles * tile + parted) + c->input_bytes / c->r->met;
}

int64_t packed_interleaved(const Target *t, const Node *n, const Plan *plan) {
  const InterleavedPlan *p = &plan->interleaved;
  return packed_rows_bytes(n->win.kh * n->win.kw * p->icg * p->ocg, p->groups, t->lanes);
}

/* [batch][tap][input of the group][output of the group][group of the batch]. */
void pack_interleaved(const Target *t, const Node *n, void *to) {
  const InterleavedPlan *p = &n->plan->interleaved;
  const float *src = n->in[1]->data;
  float *dst = to;
  int64_t taps = (int64_t)n->win.kh * n->win.kw, lanes = t->lanes, groups = p->groups;
  for (int64_t first = 0, width; first < groups; first += width) {
    width = packed_block(first, groups, lanes);
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t i = 0; i < p->icg; i++) {
        for (int64_t j = 0; j < p->ocg; j++, dst += width) {
          for (int64_t g = 0; g < width && first + g < groups; g++) {
            dst[g] = src[(((first + g) * p->ocg + j) * p->icg + i) * taps + k];
          }
        }
      }
    }
  }
}

bool alike_interleaved(const Node *a, const Node *b) { return a->group == b->group; }
