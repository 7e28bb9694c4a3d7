/* conv_ragged.c: groups that do not fill whole blocks, and that no vector holds several of. */
#include "cost.h"

/* Registers hold the sums, a vector of weights, one of inputs, and without FMA a product. */
void plans_ragged(const Build *b, const Node *n, Plans *list) {
  const Target *t = b->target;
  if (!conv_is_uneven(t, n) || grouped_fits(t, n)) return;
  ConvLayer l = conv_layer(t, n);
  RaggedPlan *p = &plans_add(list)->ragged;
  p->groups = l.groups;
  p->icg = l.icg;
  p->ocg = l.ocg;
  p->uw = t->regs - (t->fma ? 2 : 3);
}

/* Blocks of the result that hold outputs of each group, counted for all of them. */
static int64_t pieces(const ConvLayer *l) {
  int64_t lanes = l->t->lanes, each = l->ocg, sum = 0;
  int64_t period = lanes; /* after so many groups they lie as before */
  for (int64_t g = 0; g < period; g++) sum += (g * each + each - 1) / lanes - g * each / lanes + 1;
  return size_ceiling(sum * l->groups, period);
}

/* A loop turns for every channel. */
double cost_ragged(const ConvCost *c, const Plan *p) {
  const ConvLayer *l = &c->l;
  int64_t tiles = size_ceiling(l->cols, p->ragged.uw), uw = size_ceiling(l->cols, tiles);
  int64_t steps = l->icg * l->taps;
  double call = CALL_CYCLES + (double)steps * (LOOP_CYCLES + step_cycles(c, uw, 1)) + 2. * (double)uw;
  double calls = (double)(l->images * l->rows * tiles * pieces(l));
  return calls * call + c->input_bytes / c->r->met;
}

/* The last vector, wherever it begins, is read whole. */
int64_t packed_ragged(const Target *t, const Node *n, const Plan *p) {
  (void)p;
  return (shape_count(&n->in[1]->shape) + t->lanes) * 4;
}

/* [piece][run][tap][channel of the run][output of the piece]: pieces are the parts of a group's outputs that
 * lie in one block each, runs those of its inputs. */
void pack_ragged(const Target *t, const Node *n, void *to) {
  const RaggedPlan *p = &n->plan->ragged;
  const float *src = n->in[1]->data;
  float *dst = to;
  int64_t taps = (int64_t)n->win.kh * n->win.kw, lanes = t->lanes, icg = p->icg;
  for (int64_t o = 0, o1; o < (int64_t)p->groups * p->ocg; o = o1) {
    int64_t group = o / p->ocg, c0 = group * icg;
    o1 = next_block(o, (group + 1) * p->ocg, lanes);
    for (int64_t c = c0, c1; c < c0 + icg; c = c1) {
      c1 = next_block(c, c0 + icg, lanes);
      for (int64_t k = 0; k < taps; k++) {
        for (int64_t i = c - c0; i < c1 - c0; i++) {
          for (int64_t out = o; out < o1; out++) *dst++ = src[(out * icg + i) * taps + k];
        }
      }
    }
  }
}

bool alike_ragged(const Node *a, const Node *b) { return a->group == b->group; }
