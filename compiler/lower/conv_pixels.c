/* conv_pixels.c: few inputs, in planes, and few outputs; a vector holds pixels. */
#include "cost.h"

enum { MOST_OUTPUTS = 4, STRIP = 32 /* pixels at a time: each is code */ };

/* Pixels lie side by side with a stride of 1 only. Registers hold the sums and inputs of nb vectors, and a
 * weight. */
void plans_pixels(const Build *b, const Node *n, Plans *list) {
  const Target *t = b->target;
  ConvLayer l = conv_layer(t, n);
  if (!l.planar || n->win.sw != 1 || l.ocg > MOST_OUTPUTS || l.ocg > t->lanes / 2) return;
  PixelsPlan *p = &plans_add(list)->pixels;
  p->icg = l.icg;
  p->ocg = l.ocg;
  p->nb = (int)size_min((t->regs - 2) / (l.ocg + 1), STRIP / t->lanes);
}

bool pixels_planar(const Plan *p) {
  (void)p;
  return true;
}

/* Every pixel is put together from the sums of its outputs. */
double cost_pixels(const ConvCost *c, const Plan *p) {
  const ConvLayer *l = &c->l;
  int64_t vectors = size_ceiling(l->cols, l->t->lanes), strips = size_ceiling(vectors, p->pixels.nb);
  int64_t nb = size_ceiling(vectors, strips);
  double steps = (double)(l->taps * l->icg), pixels = (double)(l->images * l->rows * l->cols);
  double strip = CALL_CYCLES + steps * (LOOP_CYCLES + step_cycles(c, nb, l->ocg));
  return (double)(l->images * l->rows * strips) * strip + pixels * (l->ocg + 2) + c->input_bytes / c->r->met;
}

int64_t packed_pixels(const Target *t, const Node *n, const Plan *p) {
  (void)t, (void)p;
  return shape_count(&n->in[1]->shape) * 4;
}

/* [tap][channel][output]. */
void pack_pixels(const Target *t, const Node *n, void *to) {
  const PixelsPlan *p = &n->plan->pixels;
  float *dst = to;
  int64_t taps = (int64_t)n->win.kh * n->win.kw;
  (void)t;
  for (int64_t k = 0; k < taps; k++) {
    for (int64_t c = 0; c < p->icg; c++) {
      for (int64_t o = 0; o < p->ocg; o++) *dst++ = conv_weight(n, o, c, k);
    }
  }
}

bool alike_pixels(const Node *a, const Node *b) { return a->plan->pixels.nb == b->plan->pixels.nb; }
