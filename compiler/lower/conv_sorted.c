/* conv_sorted.c: the direct convolution of 8-bit integers by pmaddubsw, without saturation, of weights too large for it here and
 * there. It adds the products of two channels as a 16-bit number, which holds them where the weights of one sign sum to 128 at
 * most. Of a panel the steps, a tap's four channels each, are sorted by which of its vectors have only such pairs; the others'
 * are multiplied as 16-bit numbers, which takes longer:
 *
 *     class      0       1       2       3
 *     vector 0   fits    wide    fits    wide
 *     vector 1   fits    fits    wide    wide
 *
 * Before its weights, in the order of the classes, a panel has their numbers of steps, and for each step, in a byte, by how much its
 * number in the layer is above that of the step before in its class, the first one's above -1. Under the number a list that all
 * panels share has the place of its input. As any step may be multiplied as 16-bit numbers, the class of those that are in all vectors
 * takes steps so that none is more than 255 above the one before. */
#include "conv.h"


enum { LINE = 64, MOST_STEPS = 1 << 16, MOST_AHEAD = UINT8_MAX };

static int64_t steps_of(const DirectPlan *p, const Window *w) { return (int64_t)p->icg * w->kh * w->kw; }

/* Do both pairs of a step's weights of an output channel fit? */
static bool fits(const int8_t *w) {
  for (int i = 0; i < 4; i += 2) {
    int a = w[i], b = w[i + 1];
    int more = (a > 0 ? a : 0) + (b > 0 ? b : 0), less = (a < 0 ? a : 0) + (b < 0 ? b : 0);
    if (more > 128 || less < -128) return false;
  }
  return true;
}

/* Which of the vectors of outputs from oc on are wide? */
static int class_of(const ConvLayer *l, int64_t oc, int vectors, int64_t c, int64_t k) {
  int class = 0, lanes = l->t->lanes;
  for (int i = 0; i < vectors * lanes && oc + i < l->ocg; i++) {
    int8_t w[4] = {0};
    integer_weights(l->n, oc + i, c, k, w);
    if (!fits(w)) class |= 1 << i / lanes;
  }
  return class;
}

/* Of all vectors' steps. */
static double wide_share(const ConvLayer *l) {
  double wide = 0, all = (double)(l->out_blocks * l->icg * l->taps);
  for (int64_t block = 0; block < l->out_blocks; block++) {
    for (int64_t c = 0; c < l->icg; c++) {
      for (int64_t k = 0; k < l->taps; k++) wide += class_of(l, block * l->t->lanes, 1, c, k);
    }
  }
  return wide / all;
}

static const double MOST_WIDE = 0.5; /* where each panel widens the input for itself */

/* Are places in 32 bits, whatever border conv_shapes_fit lets the input's readers ask for? */
static bool places_fit(const ConvLayer *l) {
  const int64_t *x = l->x;
  int64_t map = size_mul(longest_with_border(x[2]), longest_with_border(x[3]));
  return size_mul(map, size_round_up(x[1], channel_block(l->t, T_U8))) <= INT32_MAX;
}

static bool can_be_sorted(const ConvLayer *l) {
  const Window *w = &l->n->win;
  if (adds_fours(l->t) || !adds_pairs_of_bytes(l->t) || l->groups > 1 || integer_has_zeros(l->n) || integer_is_small(l->t, l->n)) return false;
  return w->dh == 1 && w->dw == 1 && l->icg * l->taps <= MOST_STEPS && places_fit(l);
}

double sorted_share(const ConvLayer *l) { return can_be_sorted(l) ? wide_share(l) : -1; }

/* Pixels begin a line apart, lest all be in one set of L1. */
int64_t sorted_words(const Target *t, const DirectPlan *p) { return size_round_up(p->icg, t->lanes) * (int64_t)sizeof(int32_t) + LINE; }

/* A tile that meets several panels is widened once for them, where that is not done over and over for the taps of a window and stays
 * in L1. */
static bool widens_tile(const ConvLayer *l, const DirectPlan *p) {
  int64_t bytes = size_mul(size_min(p->uw, l->cols), 2 * sorted_words(l->t, p));
  return p->order == ROW_TILE_OC && l->taps == 1 && l->out_blocks > p->nb && bytes <= l->t->l1 / 2;
}

void plan_sorted(const ConvLayer *l, double share, Plan *plan) {
  DirectPlan *p = &plan->direct;
  if (share < 0 || p->nb > SORTED_VECTORS) return;
  p->words = widens_tile(l, p);
  p->sorted = p->whole = p->words || share <= MOST_WIDE;
  if (p->words) plan->at.scratch = size_mul(p->uw, 2 * sorted_words(l->t, p));
}

int64_t sorted_head(const Target *t, const DirectPlan *p, const Window *w) {
  return size_round_up(SORTED_COUNTS + steps_of(p, w), t->lanes * (int64_t)sizeof(int32_t));
}

int64_t sorted_places(const DirectPlan *p, const Window *w) { return size_round_up(4 * steps_of(p, w), LINE); }

int64_t sorted_bytes(const Target *t, const DirectPlan *p, const Window *w) {
  int64_t panels = size_ceiling(p->ocg, (int64_t)p->nb * t->lanes);
  return sorted_places(p, w) + panels * sorted_head(t, p, w);
}

/* Step c * taps + k. */
static void pack_places(const ConvLayer *l, int32_t *place) {
  const Layout *x = &l->n->in[0]->layout;
  const Window *w = &l->n->win;
  for (int64_t c = 0; c < l->icg; c++) {
    for (int64_t k = 0; k < l->taps; k++) {
      int64_t at = 4 * c / x->block * x->c + 4 * c % x->block + k / w->kw * x->row + k % w->kw * x->pix;
      assert(at <= INT32_MAX);
      *place++ = (int32_t)at;
    }
  }
}

/* The last step of each class so far, of a panel of so many vectors. */
typedef struct Sorting { int64_t last[1 << SORTED_VECTORS]; } Sorting;

static const Sorting unsorted = {{-1, -1, -1, -1}};

/* The class of step i, which comes next. */
static int sort_step(const ConvLayer *l, Sorting *s, int64_t oc, int vectors, int64_t i) {
  int widest = (1 << vectors) - 1, class = class_of(l, oc, vectors, i / l->taps, i % l->taps);
  if (i - s->last[class] > MOST_AHEAD || i - s->last[widest] == MOST_AHEAD) class = widest;
  s->last[class] = i;
  return class;
}

/* The panel of `vectors` from oc on; returns its end. */
static char *pack_panel(const ConvLayer *l, int64_t oc, int vectors, char *to) {
  const DirectPlan *p = &l->n->plan->direct;
  int64_t step = vectors * (int64_t)l->t->lanes * 4, steps = steps_of(p, &l->n->win), next[1 << SORTED_VECTORS] = {0};
  int32_t *count = (int32_t *)to;
  uint8_t *ahead = (uint8_t *)(to + SORTED_COUNTS);
  char *w = to + sorted_head(l->t, p, &l->n->win);

  Sorting s = unsorted;
  for (int64_t i = 0; i < steps; i++) count[sort_step(l, &s, oc, vectors, i)]++;
  for (int class = 1; class < 1 << vectors; class++) next[class] = next[class - 1] + count[class - 1];
  s = unsorted;
  for (int64_t i = 0; i < steps; i++) {
    const Sorting before = s;
    int class = sort_step(l, &s, oc, vectors, i);
    int64_t at = next[class]++;
    assert(i - before.last[class] <= MOST_AHEAD);
    ahead[at] = (uint8_t)(i - before.last[class]);
    for (int64_t o = 0; o < step / 4 && oc + o < l->ocg; o++) {
      integer_weights(l->n, oc + o, i / l->taps, i % l->taps, (int8_t *)w + at * step + 4 * o);
    }
  }
  return w + steps * step;
}

void pack_sorted(const Target *t, const Node *n, char *to) {
  const DirectPlan *p = &n->plan->direct;
  const ConvLayer l = conv_layer(t, n);
  pack_places(&l, (int32_t *)to);
  to += sorted_places(p, &n->win);
  for (int64_t oc = 0; oc < l.ocg; oc += (int64_t)p->nb * t->lanes) {
    int64_t vectors = size_min(size_ceiling(l.ocg - oc, t->lanes), p->nb);
    to = pack_panel(&l, oc, (int)vectors, to);
  }
}

bool sorted_alike(const Node *a, const Node *b) {
  const Layout *x = &a->in[0]->layout, *y = &b->in[0]->layout;
  return a->plan->direct.sorted == b->plan->direct.sorted && x->block == y->block && x->c == y->c && x->row == y->row && x->pix == y->pix;
}
