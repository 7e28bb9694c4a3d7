/* conv_amx_stem.c: convolutions of u8 pixels of four bytes, three or four channels of them, by AMX. A row of a tile of inputs is 16
 * pixels for a result: of so many rows of taps that most of them count, which lie in scratch pixel by pixel:
 *
 *   7 x 7 taps   [row 0 tap 0] [row 1 tap 0] [row 0 tap 1] [row 1 tap 1] ... [row 1 tap 7]     two rows, four steps
 *   3 x 3 taps   [row 0 tap 0] [row 1 tap 0] [row 2 tap 0] [row 3 tap 0] ... [row 3 tap 3]     four rows, one step
 *
 * Weights of what the window does not have are 0. */
#include "conv.h"

enum { STEP_PIXELS = 16, FEWEST_TAPS = 4, FEWEST_CHANNELS = 3, MOST_STEPS = 16, LINES_BYTES = 24 << 10 /* half of L1 */ };

void plans_amx_stem(const Build *b, const Node *n, Plans *list) {
  const Window *w = &n->win;
  int64_t channels = n->in[1]->shape.d[1];
  const ConvLayer l = conv_layer(b->target, n);
  if (n->group > 1 || channels < FEWEST_CHANNELS || channels > 4 || w->dw > 1 || w->kw > STEP_PIXELS || l.t->lanes != 16) return;
  if (!centred_known(n) || centred_wide(b->target, n) || !conv_shapes_fit(n)) return;
  AmxStemPlan p = {.bounded = requantizes_bounded(n), .nb = l.out_blocks % 4 == 0 ? 4 : l.out_blocks % 2 == 0 ? 2 : 1, .taps = FEWEST_TAPS};
  while (p.taps < w->kw) p.taps *= 2;
  p.rows = STEP_PIXELS / p.taps;
  int64_t steps = size_ceiling(w->kh, p.rows);
  if (steps > MOST_STEPS) return;
  p.steps = (int)steps;
  p.line = size_mul(size_round_up((l.cols - 1) * w->sw + p.taps, STEP_PIXELS), p.rows * 4);
  p.block_rows = (int)size_max(1, LINES_BYTES / size_mul(p.line, steps));
  Plan *plan = plans_add(list);
  plan->amx_stem = p;
  plan->at.scratch = size_add(AMX_SUMS, size_mul(size_mul(p.line, steps), p.block_rows));
  list->only = true;
}

int amx_stem_pixel(const Plan *p) {
  (void)p;
  return 4;
}

int64_t packed_amx_stem(const Target *t, const Node *n, const Plan *p) {
  int64_t vectors = size_ceiling(n->in[1]->shape.d[0], t->lanes);
  return vectors * (t->lanes * (int64_t)sizeof(uint32_t) + p->amx_stem.steps * (int64_t)AMX_TILE);
}

/* The weights of an output, whose first four are at `to`; from four to four of a step it is so many bytes. */
static void pack_output(const Target *t, const Node *n, int64_t oc, char *to, int64_t four) {
  const AmxStemPlan *p = &n->plan->amx_stem;
  int64_t taps = n->win.kh * n->win.kw;
  for (int64_t i = 0; i < n->in[1]->shape.d[1] * taps; i++) {
    int64_t row = i % taps / n->win.kw, tap = i % n->win.kw;
    int64_t pixel = row / p->rows * STEP_PIXELS + tap * p->rows + row % p->rows;
    centred_put(t, n, oc, i, CENTRED_BYTES, to + pixel * four, (int)(i / taps));
  }
}

/* What the sums of all outputs start from; then panels of nb vectors: [step][pixel][vector][output] four weights. */
void pack_amx_stem(const Target *t, const Node *n, void *to) {
  const AmxStemPlan *p = &n->plan->amx_stem;
  int64_t each = p->nb * (int64_t)t->lanes, four = each * 4, outputs = n->in[1]->shape.d[0];
  char *panels = (char *)to + size_round_up(outputs, t->lanes) * (int64_t)sizeof(uint32_t);
  for (int64_t oc = 0; oc < outputs; oc++) {
    centred_start(t, n, oc, false, (uint32_t *)to + oc);
    pack_output(t, n, oc, panels + oc / each * p->steps * p->nb * AMX_TILE + oc % each * 4, four);
  }
}

bool alike_amx_stem(const Node *a, const Node *b) { return integer_alike(a, b); }
