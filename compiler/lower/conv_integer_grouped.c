/* conv_integer_grouped.c: groups of few channels of u8, that lie side by side in a block; a lane takes four channels of its group:
 *
 *   4 channels a group     x    [a a a a] [b b b b] [c c c c] ...          V = 4: a vector of sums has one group
 *                          sums  a0 a1 a2 a3 | b0 b1 b2 b3 | ...           V = 16: four, so a vector of four a, four b, four c, four d
 *
 * Groups of one, two or three channels are taken together until they have fours, with weights of 0 between them. */
#include "conv.h"

enum { MOST_TAPS = 8 /* of a row: each is code */ };

/* As many groups as make one for the kernel. */
static int groups_together(const Node *n) {
  int64_t icg = n->in[1]->shape.d[1];
  int together = icg % 4 == 0 ? 1 : icg % 2 == 0 ? 2 : 4;
  return n->group % together == 0 ? together : 0;
}

/* A vector of sums has whole groups, or a group whole vectors; the channels that it reads lie in one block, or are whole ones. */
static bool groups_fit(const Target *t, int64_t icg, int64_t ocg) {
  int64_t block = (int64_t)INTEGER_VECTORS * t->lanes, read = ocg < t->lanes ? t->lanes / ocg * icg : icg;
  if (ocg < t->lanes ? t->lanes % ocg : ocg % t->lanes) return false;
  return block % read == 0 || (ocg >= t->lanes && read % block == 0);
}

/* Registers hold the sums of a vector, the weights of a row of taps and an input; in 16 bits there are two of each, and the weights
 * are read from memory. */
void plans_integer_grouped(const Build *b, const Node *n, Plans *list) {
  const Target *t = b->target;
  int together = n->group > 1 ? groups_together(n) : 0;
  if (together == 0 || !centred_known(n) || !conv_shapes_fit(n) || n->win.kw > MOST_TAPS) return;
  int64_t icg = n->in[1]->shape.d[1] * together, ocg = n->in[1]->shape.d[0] / n->group * together;
  const ConvLayer l = conv_layer(t, n);
  if (!groups_fit(t, icg, ocg) || integer_fits(&l)) return; /* that is left to the direct convolution */
  IntegerGroupedPlan *p = &plans_add(list)->integer_grouped;
  p->icg = (int)icg;
  p->ocg = (int)ocg;
  p->width = centred_width(t, n);
  p->bounded = requantizes_bounded(n);
  p->uw = (int)size_min(t->regs - (p->width ? 4 : n->win.kw + 2), 28);
  list->only = true;
}

/* Of a vector of outputs. */
int64_t integer_grouped_bytes(const Target *t, const Node *n, const Plan *p) {
  int64_t fours = size_mul(n->win.kh * n->win.kw, p->integer_grouped.icg / 4);
  return size_mul(size_add(1, size_mul(fours, p->integer_grouped.width ? 2 : 1)), t->lanes * (int64_t)sizeof(int32_t));
}

int64_t packed_integer_grouped(const Target *t, const Node *n, const Plan *p) {
  return size_mul(size_ceiling(n->in[1]->shape.d[0], t->lanes), integer_grouped_bytes(t, n, p));
}

/* The weights of an output, whose lane of the first four is at `to`. */
static void pack_output(const Target *t, const Node *n, int64_t oc, char *to) {
  const IntegerGroupedPlan *p = &n->plan->integer_grouped;
  const Window *w = &n->win;
  int64_t icg = n->in[1]->shape.d[1], ocg = n->in[1]->shape.d[0] / n->group, first = oc % p->ocg / ocg * icg;
  int64_t step = t->lanes * (int64_t)sizeof(int32_t) * (p->width ? 2 : 1);
  for (int64_t i = 0; i < icg; i++) {
    for (int64_t k = 0; k < w->kh * w->kw; k++) {
      int64_t c = first + i, four = (k / w->kw * (p->icg / 4) + c / 4) * w->kw + k % w->kw;
      centred_put(t, n, oc, i * w->kh * w->kw + k, p->width, to + four * step, (int)(c % 4));
    }
  }
}

/* For each vector of outputs: [lane] the start of the sum, i32; then [row of taps][four channels][tap][lane]. */
void pack_integer_grouped(const Target *t, const Node *n, void *to) {
  int64_t vector = t->lanes * (int64_t)sizeof(int32_t);
  for (int64_t oc = 0; oc < n->in[1]->shape.d[0]; oc++) {
    char *at = (char *)to + oc / t->lanes * integer_grouped_bytes(t, n, n->plan) + oc % t->lanes * (int64_t)sizeof(int32_t);
    centred_start(t, n, oc, n->plan->integer_grouped.width == CENTRED_WORDS, (uint32_t *)at);
    pack_output(t, n, oc, at + vector);
  }
}

bool alike_integer_grouped(const Node *a, const Node *b) { return a->group == b->group && integer_alike(a, b); }
