/* conv_grouped.c: few channels a group; a vector holds several groups. Larger ones are left to the direct
 * convolution, see emit/conv_grouped.c. */
#include "cost.h"

enum { FEWEST = 2, MOST = 8 /* channels of a group: with fewer it is depthwise */ };

/* Does a vector hold whole groups? */
bool grouped_fits(const Target *t, const Node *n) {
  const int64_t *w = n->in[1]->shape.d;
  return n->group > 1 && w[1] == w[0] / n->group && w[1] >= FEWEST && w[1] <= MOST && t->lanes % w[1] == 0;
}

/* Registers hold the sums and inputs of `uw` pixels, a weight vector, and without FMA a product. Of 16
 * registers 8 sums a pixel would leave room for one pixel: they are made in two halves. */
void plans_grouped(const Build *b, const Node *n, Plans *list) {
  const Target *t = b->target;
  if (!grouped_fits(t, n)) return;
  GroupedPlan *p = &plans_add(list)->grouped;
  p->icg = (int)n->in[1]->shape.d[1];
  p->sums = p->icg == 8 && t->regs == 16 ? 4 : p->icg;
  p->uw = (t->regs - (t->fma ? 1 : 2)) / (p->sums + 1);
}

double cost_grouped(const ConvCost *c, const Plan *plan) {
  const GroupedPlan *p = &plan->grouped;
  return lanes_cycles(c, c->l.taps * p->icg, p->sums, p->uw, c->l.cols);
}

int64_t packed_grouped(const Target *t, const Node *n, const Plan *p) {
  const Shape *w = &n->in[1]->shape;
  return packed_rows_bytes(size_mul(w->d[2] * w->d[3], p->grouped.icg), w->d[0], t->lanes);
}

/* [block][tap][part][r][lane]: lane l holds the weight of output l ^ r for input l, or where the group has
 * parts of `sums` channels, for input l % sums of the part. */
void pack_grouped(const Target *t, const Node *n, void *to) {
  const Shape *w = &n->in[1]->shape;
  const float *src = n->in[1]->data;
  float *dst = to;
  int64_t taps = w->d[2] * w->d[3], lanes = t->lanes, icg = n->plan->grouped.icg, sums = n->plan->grouped.sums;
  for (int64_t first = 0; first < w->d[0]; first += lanes) {
    int64_t width = packed_block(first, w->d[0], lanes);
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t i = 0; i < icg * width; i++, dst++) {
        int64_t lane = i % width, r = i / width % sums, part = i / width / sums, out = first + (lane ^ r);
        int64_t in = sums == icg ? lane % icg : part * sums + lane % sums;
        if (out < w->d[0]) *dst = src[(out * icg + in) * taps + k];
      }
    }
  }
}

bool alike_grouped(const Node *a, const Node *b) {
  return a->group == b->group && a->plan->grouped.sums == b->plan->grouped.sums;
}
