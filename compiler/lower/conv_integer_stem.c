/* conv_integer_stem.c: convolution of up to four channels of u8 with s8 weights. A pixel's channels lie beside each other, so the
 * taps of a row of the window are bytes in a row, of which a lane takes four at a time:
 *
 *   3 or 4 channels   [c0 c1 c2 .] [c0 c1 c2 .] ...          a tap each
 *   1 channel         [x0 x1 x2 x3] [x4 x5 x6 .]             taps beside each other, where they are not dilated
 *
 * Where 16-bit numbers are multiplied, the rows that a row of results reads are widened in scratch, of three channels without the
 * fourth byte, and a lane takes two:
 *
 *   [c0 c1] [c2 c0] [c1 c2] [c0 c1] ... */
#include "conv.h"

enum { CHANNELS = 3 /* of a pixel in a row that is widened */, SLACK = 32, LINE = 64 };
enum { MOST_CHANNELS = 4, MOST_FOURS = 16 /* of a row of taps: each is code */, LONGEST_TILE = 14 };
enum { FEW_VECTORS = 2 }; /* of 12 sums in 16 registers: 8 loads for 12 products, where four vectors of three pixels have 15 */

/* Channels of a pixel, with what fills it up. */
static int stem_pixel(const Node *n) {
  int64_t channels = n->in[1]->shape.d[1];
  return channels == 3 || n->win.dw > 1 ? 4 : (int)channels;
}

static int64_t fours_of_row(const Node *n) {
  return n->win.dw > 1 ? n->win.kw : size_ceiling(n->win.kw * stem_pixel(n), 4);
}

int64_t integer_stem_line(const Node *n) { return (n->out[0]->shape.d[3] - 1) * n->win.sw + n->win.kw; }
int64_t integer_stem_words(const Node *n) { return size_round_up(integer_stem_line(n) * CHANNELS * 2 + SLACK, LINE); }

static void widen_rows(const Node *n, Plan *plan) {
  IntegerStemPlan *p = &plan->integer_stem;
  if (!p->wide || n->in[1]->shape.d[1] != CHANNELS || n->win.dw > 1 || integer_stem_line(n) < 4) return;
  p->pairs = (int)size_ceiling(n->win.kw * CHANNELS, 2);
  plan->at.scratch = size_mul(n->win.kh, integer_stem_words(n));
}

/* Registers hold the sums, a vector of weights for each vector of outputs and a broadcast input; in 16 bits there are two of each, of
 * which the weights are read from memory. */
void plans_integer_stem(const Build *b, const Node *n, Plans *list) {
  const Target *t = b->target;
  if (n->group > 1 || n->in[1]->shape.d[1] > MOST_CHANNELS || !centred_known(n) || !conv_shapes_fit(n)) return;
  if (fours_of_row(n) > MOST_FOURS) return;
  IntegerStemPlan *p = &plans_add(list)->integer_stem;
  p->wide = centred_wide(t, n);
  p->bounded = requantizes_bounded(n);
  p->pixel = stem_pixel(n);
  p->fours = (int)fours_of_row(n);
  widen_rows(n, &list->plan[list->n - 1]);
  p->nb = (int)size_min(size_ceiling(n->in[1]->shape.d[0], t->lanes), p->pairs && t->regs == 16 ? FEW_VECTORS : INTEGER_VECTORS);
  p->uw = (int)size_min((t->regs - (p->wide ? 4 : p->nb + 2)) / p->nb, LONGEST_TILE);
  list->only = true;
}

int integer_stem_pixel(const Plan *p) { return p->integer_stem.pixel; }

int64_t integer_stem_bytes(const Target *t, const Node *n, const Plan *p) {
  const IntegerStemPlan *s = &p->integer_stem;
  int64_t vector = t->lanes * (int64_t)sizeof(int32_t), row = s->pairs ? s->pairs : s->fours * (s->wide ? 2 : 1);
  return s->nb * vector * (1 + n->win.kh * row);
}

int64_t packed_integer_stem(const Target *t, const Node *n, const Plan *p) {
  int64_t panels = size_ceiling(n->in[1]->shape.d[0], (int64_t)p->integer_stem.nb * t->lanes);
  return size_mul(panels, integer_stem_bytes(t, n, p));
}

/* The weights of an output, whose lane of the first four is at `to`; from four to four it is so many bytes. */
static void pack_output(const Target *t, const Node *n, int64_t oc, char *to, int64_t step) {
  const Window *w = &n->win;
  int64_t channels = n->in[1]->shape.d[1];
  for (int64_t c = 0; c < channels; c++) {
    for (int64_t k = 0; k < w->kh * w->kw; k++) {
      int64_t byte = w->dw > 1 ? k % w->kw * 4 + c : k % w->kw * stem_pixel(n) + c, four = k / w->kw * n->plan->integer_stem.fours + byte / 4;
      centred_put(t, n, oc, c * w->kh * w->kw + k, n->plan->integer_stem.wide ? CENTRED_WORDS : CENTRED_BYTES, to + four * step, (int)(byte % 4));
    }
  }
}

/* The same of pairs. */
static void pack_pairs(const Node *n, int64_t oc, char *to, int64_t step) {
  const Window *w = &n->win;
  const int8_t *from = (const int8_t *)n->in[1]->data + oc * CHANNELS * w->kh * w->kw;
  int zero = (int)integer_weight_zero(n, oc);
  for (int64_t k = 0; k < w->kh * w->kw; k++) {
    for (int64_t c = 0; c < CHANNELS; c++) {
      int64_t word = k % w->kw * CHANNELS + c, pair = k / w->kw * n->plan->integer_stem.pairs + word / 2;
      ((int16_t *)(to + pair * step))[word % 2] = (int16_t)(from[c * w->kh * w->kw + k] - zero);
    }
  }
}

/* For each nb vectors of outputs: [vector][lane] the start of the sum, i32; then [row of taps][four or pair][vector][lane]. */
void pack_integer_stem(const Target *t, const Node *n, void *to) {
  const IntegerStemPlan *p = &n->plan->integer_stem;
  int64_t vector = t->lanes * (int64_t)sizeof(int32_t), panel = (int64_t)p->nb * t->lanes, each = vector * (p->wide && !p->pairs ? 2 : 1);
  for (int64_t oc = 0; oc < n->in[1]->shape.d[0]; oc++) {
    char *at = (char *)to + oc / panel * integer_stem_bytes(t, n, n->plan);
    int64_t v = oc % panel / t->lanes, lane = oc % t->lanes * (int64_t)sizeof(int32_t);
    centred_start(t, n, oc, p->wide, (uint32_t *)(at + v * vector + lane));
    char *first = at + p->nb * vector + v * each + lane;
    if (p->pairs) pack_pairs(n, oc, first, p->nb * each);
    else pack_output(t, n, oc, first, p->nb * each);
  }
}

/* What a Pointwise makes of planes, element by element, for one reader. */
bool makes_pixels(Value *x) {
  const Node *n = x->def;
  if (!n || n->op != OP_Pointwise || !only_reader(x) || x->type != T_U8 || x->layout.block) return false;
  return layout_is_plain(n->in[0]) && shape_equal(&n->in[0]->shape, &x->shape) && type_size(n->in[0]->type) <= type_size(T_F32);
}

bool alike_integer_stem(const Node *a, const Node *b) {
  return a->win.dw == b->win.dw && a->plan->integer_stem.nb == b->plan->integer_stem.nb && integer_alike(a, b);
}
