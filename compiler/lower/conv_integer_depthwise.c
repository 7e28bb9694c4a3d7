/* conv_integer_depthwise.c: depthwise convolution of u8 activations and s8 weights; a vector of sums holds channels, and each
 * of its lanes takes in up to four taps of a column of the window at a time. */
#include "conv.h"

enum { MOST_TAPS = 7 /* in each dimension: all are code */, LONG_TILE = 14, SHORT_TILE = 7, FEW_TAPS = 9 };

/* As many vectors of a block at a time as registers hold sums for, of all pixels that a column is part of, beside what is made of
 * a column. */
static int vectors_at_a_time(const Target *t, const Window *w) {
  int64_t pixels = (w->kw - 1) * w->dw / w->sw + 1;
  int nv = INTEGER_VECTORS;
  while (nv > 1 && pixels * nv + nv + 4 > t->regs) nv /= 2;
  return nv;
}

void plans_integer_depthwise(const Build *b, const Node *n, Plans *list) {
  if (!conv_is_depthwise(n) || !centred_known(n) || !conv_shapes_fit(n)) return;
  if (n->win.kh > MOST_TAPS || n->win.kw > MOST_TAPS) return;
  IntegerDepthwisePlan *p = &plans_add(list)->integer_depthwise;
  p->uw = n->win.kh * n->win.kw <= FEW_TAPS ? LONG_TILE : SHORT_TILE;
  p->nv = vectors_at_a_time(b->target, &n->win);
  p->width = centred_width(b->target, n);
  p->bounded = requantizes_bounded(n);
  list->only = true;
}

static int64_t fours(const Node *n) { return n->win.kw * size_ceiling(n->win.kh, 4); }

static int64_t block_bytes(const Target *t, const Node *n, CentredWidth width) {
  return INTEGER_VECTORS * t->lanes * (int64_t)sizeof(int32_t) * (1 + fours(n) * (width ? 2 : 1));
}

int64_t integer_depthwise_bytes(const Target *t, const Node *n) { return block_bytes(t, n, n->plan->integer_depthwise.width); }

int64_t packed_integer_depthwise(const Target *t, const Node *n, const Plan *p) {
  return size_mul(size_ceiling(n->group, (int64_t)INTEGER_VECTORS * t->lanes), block_bytes(t, n, p->integer_depthwise.width));
}

/* The weights of a channel, whose lane of the first four is at `to`. */
static void pack_channel(const Target *t, const Node *n, int64_t c, char *to) {
  int64_t vector = t->lanes * (int64_t)sizeof(int32_t);
  CentredWidth width = n->plan->integer_depthwise.width;
  const Window *w = &n->win;
  for (int64_t x = 0; x < w->kw; x++) {
    for (int64_t y = 0; y < w->kh; y++) {
      int64_t four = x * size_ceiling(w->kh, 4) + y / 4;
      centred_put(t, n, c, y * w->kw + x, width, to + four * INTEGER_VECTORS * vector * (width ? 2 : 1), (int)(y % 4));
    }
  }
}

/* For each block of channels: [vector][lane] the start of its sum, i32; then of each four taps of a column [vector][lane]. */
void pack_integer_depthwise(const Target *t, const Node *n, void *to) {
  int64_t vector = t->lanes * (int64_t)sizeof(int32_t), block = INTEGER_VECTORS * (int64_t)t->lanes;
  CentredWidth width = n->plan->integer_depthwise.width;
  for (int64_t c = 0; c < n->group; c++) {
    char *at = (char *)to + c / block * integer_depthwise_bytes(t, n);
    int64_t v = c % block / t->lanes, lane = c % t->lanes * (int64_t)sizeof(int32_t);
    centred_start(t, n, c, width == CENTRED_WORDS, (uint32_t *)(at + v * vector + lane));
    pack_channel(t, n, c, at + INTEGER_VECTORS * vector + v * vector * (width ? 2 : 1) + lane);
  }
}

bool alike_integer_depthwise(const Node *a, const Node *b) { return integer_alike(a, b); }
