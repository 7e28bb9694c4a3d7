/* conv_strassen.c: 1x1 by one level of Strassen's algorithm, in Winograd's form: 7 products of quarters
 * instead of 8. emit/conv_strassen.c has the algorithm. */
#include "cost.h"

/* ==== plans ==== */

enum {
  FEW_PIXELS = 56, /* in one line of each pair: with fewer, fetching the weights weighs */
  MAX_LINE = 512,  /* pixels: its tiles are code each */
};

int64_t strassen_line(const StrassenPlan *p, const Shape *y) {
  return p->order == OC_FLAT ? (y->d[2] * y->d[3] + 1) / 2 : y->d[3];
}

int64_t strassen_pairs(const StrassenPlan *p, const Shape *y) {
  return p->order == OC_FLAT ? y->d[0] : (y->d[0] * y->d[2] + 1) / 2;
}

/* Halves of input channels are whole blocks, halves of output channels whole panels. */
static bool fits(const ConvLayer *l, int nb) {
  bool halves = l->icg % (2 * l->t->lanes) == 0 && l->ocg % (2 * nb * l->t->lanes) == 0;
  return l->taps == 1 && l->groups == 1 && !l->planar && halves;
}

/* Bytes of a group's input for each channel and pixel of a line: 2 lines of 4 bytes, of which three quarters
 * are read in place, and four sums of quarters of the pair. */
enum { GROUP_BYTES = 14 };

/* A group has the pairs of lines whose input takes no more than half of L2, but not so few pixels that
 * fetching the weights weighs. */
static int group_of(const Target *t, const StrassenPlan *p, const Shape *y) {
  int64_t line = strassen_line(p, y), pairs = strassen_pairs(p, y);
  if (p->order == OC_FLAT) return 1;
  int64_t fit = t->l2 / 2 / (GROUP_BYTES * p->icg * line), few = (FEW_PIXELS + line - 1) / line;
  int64_t groups = pairs / size_max(fit, few);
  return (int)(groups > 1 ? (pairs + groups - 1) / groups : pairs);
}

/* Additions and loads beside the multiply-adds of a step take time where those are few. */
bool strassen_stores_sums(const StrassenPlan *p) { return p->uw * p->nb < 16; }

/* Where all is one group, the sums of inputs are shared. */
static void set_memory(Plan *plan, const Shape *y, int lanes) {
  const StrassenPlan *p = &plan->strassen;
  int64_t pixels = size_mul(p->group_pairs, strassen_line(p, y)), half = p->icg / 2;
  int64_t sums = size_mul(pixels, STRASSEN_SUMS * half * 4);
  bool one_group = strassen_pairs(p, y) <= p->group_pairs;
  plan->at.shared = one_group ? sums : 0;
  int64_t vectors = size_add(size_mul(STRASSEN_KEPT, pixels), strassen_stores_sums(p) ? half : 0);
  int64_t kept = size_mul(vectors, p->nb * lanes * 4);
  plan->at.scratch = size_add(kept, one_group ? 0 : sums);
}

/* It has differences of activations, which are NaN where two are infinite. */
void plans_strassen(const Build *b, const Node *n, Plans *list) {
  enum { BLOCKS = 2 };
  const Target *t = b->target;
  const ConvLayer l = conv_layer(t, n);
  const Shape *y = &n->out[0]->shape;
  if (b->options->strassen == STRASSEN_OFF || !fits(&l, BLOCKS)) return;
  if (b->options->strassen == STRASSEN_AUTO && !assumes_finite(b->graph)) return;
  if ((conv_is_flat(&l) ? (l.rows * l.cols + 1) / 2 : l.cols) > MAX_LINE) return;
  Plan *plan = plans_add(list);
  StrassenPlan *p = &plan->strassen;
  p->order = conv_is_flat(&l) ? OC_FLAT : OC_ROW_TILE;
  p->nb = BLOCKS;
  p->uw = tile_pixels(t, p->nb);
  p->icg = l.icg;
  p->ocg = l.ocg;
  p->group_pairs = group_of(t, p, y);
  set_memory(plan, y, t->lanes);
  list->only = b->options->strassen == STRASSEN_ON;
}

bool strassen_much_code(const Plan *p, bool many_shapes) {
  (void)p, (void)many_shapes;
  return true;
}

/* ==== cost ==== */

enum {
  PRODUCTS = 7,
  SUMS = 3,          /* of them multiply sums of weights */
  PRODUCT_CALL = 30, /* cycles, beyond CALL_CYCLES */
  PRODUCT_TURN = 120 /* cycles of a product's turn at a pair of panels and a group: its code is not in L1 */
};

/* Each tile meets a quarter of its panels' weights in each product, and for a sum another one, from L2 if L1 can't hold it; there
 * an addition costs as much as a load. Sums that are stored are made once for each group. */
static double weights_cycles(const ConvCost *c, const StrassenPlan *p, double groups, double tiles) {
  const Target *t = c->l.t;
  double quarters = c->weight_bytes / 4, quarter = (double)(p->icg / 2 * p->nb * t->lanes * 4);
  double times = strassen_stores_sums(p) ? groups : tiles; /* that sums are made */
  double again = (PRODUCTS * tiles + SUMS * times) * quarters * miss_share(quarter, 2 * t->l1) / c->r->weights_l2;
  return again + 2 * SUMS * quarters / (t->lanes * 4) * times * c->r->fma_cycles * c->r->load_share;
}

/* A quarter of the result's vectors costs 11 transfers to and from scratch, a quarter of the input's 12
 * cycles. */
static double scratch_cycles(const ConvCost *c, double pixels) {
  double results = (double)c->l.out_blocks / 2, inputs = (double)c->l.icg / (2. * c->l.t->lanes);
  return pixels * (results * 11 * c->r->fma_cycles + inputs * 12);
}

/* Input that L2 can't hold comes from beyond it for each pair of panels. */
double cost_strassen(const ConvCost *c, const Plan *plan) {
  const StrassenPlan *p = &plan->strassen;
  const Target *t = c->l.t;
  const Shape *y = &c->l.n->out[0]->shape;
  int64_t line = strassen_line(p, y), pairs = strassen_pairs(p, y), half = p->icg / 2;
  double groups = (double)size_ceiling(pairs, p->group_pairs), panels = (double)c->l.out_blocks / (2. * p->nb);
  double tiles = (double)(pairs * size_ceiling(line, p->uw)), steps = (double)half;
  double products = pixels_cycles(c, line, p->uw, p->nb, steps, steps / t->lanes);
  double one = (double)pairs * products / 2 + tiles * panels * PRODUCT_CALL;
  double group_bytes = (double)(GROUP_BYTES * p->group_pairs * line * p->icg);
  double beyond = groups * panels * group_bytes * miss_share(group_bytes, 2 * t->l2) + c->input_bytes;
  double work = PRODUCTS * (one + panels * groups * PRODUCT_TURN) + scratch_cycles(c, (double)(pairs * line)) +
                weights_cycles(c, p, groups, tiles) + beyond / c->r->met;
  double again = miss_share(c->weight_bytes + group_bytes, t->l2) * (groups - 1);
  return overlap(work, c->weight_bytes * (1 + again) / c->r->fetched) + c->r->code;
}

/* ==== packing ==== */

int64_t packed_strassen(const Target *t, const Node *n, const Plan *p) {
  (void)n;
  return packed_rows_bytes(p->strassen.icg, p->strassen.ocg, t->lanes);
}

/* As for direct convolution, but odd panels have differences from what was packed before: those of the first half of the input
 * channels from the panel before, T1 of emit/conv_strassen.c, those of the second half from the first, T2. */
void pack_strassen(const Target *t, const Node *n, void *to) {
  const StrassenPlan *p = &n->plan->strassen;
  int64_t panel = (int64_t)p->icg * p->nb * t->lanes, half = panel / 2;
  pack_panels(t, n, &(DirectPlan){.nb = p->nb}, to);
  for (float *odd = (float *)to + panel, *end = odd + (int64_t)p->icg * p->ocg; odd < end; odd += 2 * panel) {
    for (int64_t i = 0; i < half; i++) odd[i] -= odd[i - panel];
    for (int64_t i = half; i < panel; i++) odd[i] -= odd[i - half];
  }
}

bool alike_strassen(const Node *a, const Node *b) { return a->plan->strassen.nb == b->plan->strassen.nb; }
