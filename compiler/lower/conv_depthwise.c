/* conv_depthwise.c: a filter for each channel; a vector holds a block of them. */
#include "cost.h"

/* Sums of a tile: registers hold them, the weights of a row of taps, and two inputs; of long rows, the sums alone. */
static int tile_width(const Target *t, const Node *n) {
  return (int)size_max(t->regs - 2 - n->win.kw, t->regs / 2);
}

/* Nothing else can do it as well: it stands alone. */
void plans_depthwise(const Build *b, const Node *n, Plans *list) {
  if (!conv_is_depthwise(n)) return;
  plans_add(list)->depthwise.uw = tile_width(b->target, n);
  list->only = true;
}

double cost_depthwise(const ConvCost *c, const Plan *p) {
  int uw = p->depthwise.uw;
  return lanes_cycles(c, c->l.taps, 1, uw, size_min(c->l.cols, uw));
}

int64_t packed_depthwise(const Target *t, const Node *n, const Plan *p) {
  const Shape *w = &n->in[1]->shape;
  (void)p;
  return packed_rows_bytes(w->d[2] * w->d[3], w->d[0], t->lanes);
}

/* [block][tap][lane]. */
void pack_depthwise(const Target *t, const Node *n, void *to) {
  const Shape *w = &n->in[1]->shape;
  float *dst = to;
  int64_t taps = w->d[2] * w->d[3], lanes = t->lanes;
  for (int64_t c = 0; c < w->d[0]; c++) {
    int64_t first = c / lanes * lanes, width = packed_block(first, w->d[0], lanes);
    for (int64_t k = 0; k < taps; k++) dst[first * taps + k * width + c % lanes] = conv_weight(n, c, 0, k);
  }
}

bool alike_depthwise(const Node *a, const Node *b) { return a->group == b->group; }

bool depthwise_in_rows(const Plan *p) {
  (void)p;
  return true;
}
