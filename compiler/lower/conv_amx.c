/* conv_amx.c: convolutions of u8 activations and s8 weights by AMX, whose registers are tiles of 16 rows of 64 bytes: 16 pixels'
 * blocks of 64 channels, the weights of 16 outputs for these, and 16 sums for each of 16 pixels. The weights are those of the
 * direct convolution with panels of two vectors, in whole blocks and vectors. */
#include "cost.h"

enum { MOST_PIXELS = 16, FEWEST_PIXELS = 4 /* with fewer, what tiles are loaded for is hardly more than the direct one's */,
       FEW_RUNS = 8, FEW_STEPS = 4 };

/* A block of rows is one whose input stays in L2 while panels turn. */
static int block_rows(const ConvLayer *l) {
  int64_t rows = l->images * l->rows, bytes = size_mul(size_mul(size_min(l->n->win.sh, l->n->win.kh), l->x[3]), l->pixel_bytes);
  int64_t fit = l->t->l2 / 2 / (bytes ? bytes : 1), count = size_ceiling(rows, fit < 2 ? 2 : fit);
  return (int)size_ceiling(rows, count);
}

/* Few runs of pixels share the weights, which are read for each group; few products make a sum, so that results take the time, which
 * are stored best as whole blocks. */
static void set_group(const ConvLayer *l, DirectPlan *p) {
  int64_t runs = l->images * l->rows * size_ceiling(l->cols, p->uw), steps = l->in_blocks * l->taps;
  p->runs = 2;
  if (!p->ones && runs <= FEW_RUNS) p->runs = 4;
  if (!p->ones && steps <= FEW_STEPS && l->out_blocks % 4 == 0) p->runs = 1;
  p->nb = p->ones ? 1 : (int)size_min(l->out_blocks, 4 / p->runs);
}

void plans_amx(const Build *b, const Node *n, Plans *list) {
  const ConvLayer l = conv_layer(b->target, n);
  if (!integer_fits(&l) || l.groups > 1 || l.t->lanes != 16 || l.cols < FEWEST_PIXELS) return;
  DirectPlan *p = &plans_add(list)->direct;
  p->order = OC_ROW_TILE;
  p->uw = MOST_PIXELS;
  p->ones = integer_has_zeros(n); /* in place of a second vector of weights */
  set_group(&l, p);
  p->block_rows = block_rows(&l);
  p->groups = 1;
  p->icg = (int)size_round_up(l.icg, l.t->lanes);
  p->ocg = l.ocg;
  p->whole = p->stream = true;
  p->bounded = requantizes_bounded(n);
  list->plan[list->n - 1].at.scratch = AMX_SUMS;
}

/* Of four products of tiles, of a result, and of the rest that two runs of pixels take. */
enum { PRODUCTS = 64, RESULT = 3, RUNS = 250 };

double cost_amx(const ConvCost *c, const Plan *plan) {
  const ConvLayer *l = &c->l;
  double runs = (double)(l->images * l->rows * size_ceiling(l->cols, plan->direct.uw)), panels = (double)size_ceiling(l->out_blocks, plan->direct.nb);
  double results = (double)(l->images * l->rows * l->cols * l->out_blocks) * RESULT;
  double work = runs / 2 * panels * ((double)(l->in_blocks * l->taps) * PRODUCTS + RUNS) + results;
  return overlap(work, c->weight_bytes / c->r->fetched) + c->input_bytes / c->r->met;
}

int64_t packed_amx(const Target *t, const Node *n, const Plan *p) { return packed_direct(t, n, p); }
void pack_amx(const Target *t, const Node *n, void *to) { pack_direct(t, n, to); }
bool alike_amx(const Node *a, const Node *b) { return alike_direct(a, b); }
