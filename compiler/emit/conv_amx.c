/* conv_amx.c: convolution of 8-bit integers by AMX, on channel blocks of 64: a step is a block and a tap. Tasks share out the rows of
 * all panels, as for OC_ROW_TILE. A row whose runs have two lengths is done in two passes. */
#include "emit.h"

#include <llvm-c/Core.h>

static Ref input(const Amx *a, Ref line, Ref image, Ref row, Ref x) {
  (void)line;
  return place_window(a->e, a->n->in[0], &a->n->win, image, NULL, row, x);
}

static int64_t row_blocks(const Amx *a) { return size_ceiling(a->images * a->rows, a->n->plan->direct.block_rows); }

/* nb: vectors of outputs. */
static void do_panel(const Amx *a, const PanelShare *s, int nb) {
  Emit *e = a->e;
  const DirectPlan *plan = &a->n->plan->direct;
  int64_t starts = integer_starts_bytes(e->t, a->n, plan), panel = (plan->nb + plan->ones) * AMX_TILE * a->steps[0] * a->steps[1] * a->steps[2];
  AmxPart p = {.nb = nb, .vector = mul_i(e, s->panel, plan->nb)};
  Ref first = weights_ptr(e, a->n->plan->at.weights);
  p.start = gep(e, first, p.vector, e->vec_bytes);
  p.zeros = plan->ones ? gep_const(e, p.start, starts / 2) : NULL;
  p.weights = gep(e, gep_const(e, first, starts), s->panel, panel);
  p.next = gep_const(e, p.weights, panel);
  p.lines = (int)size_ceiling((plan->nb + plan->ones) * AMX_TILE / 64, size_ceiling(a->images * a->rows / row_blocks(a) * a->number, a->runs));
  p.lo = mul_i(e, s->from, a->number);
  p.hi = mul_i(e, s->to, a->number);
  p.begin = mul_i(e, s->first, a->number);
  amx_part(a, &p);
}

/* All panels for the runs of one length; the last one may be of one vector. */
static void do_pass(const Amx *a) {
  Emit *e = a->e;
  const DirectPlan *plan = &a->n->plan->direct;
  PanelShare share;
  int64_t vectors = size_ceiling(plan->ocg, e->lanes), panels = size_ceiling(vectors, plan->nb), whole = vectors / plan->nb;
  panel_share_begin(e, &share, a->images * a->rows, row_blocks(a), panels);
  if (whole == panels) {
    do_panel(a, &share, plan->nb);
  } else {
    If full, narrow;
    if_begin(e, &full, LLVMBuildICmp(e->b, LLVMIntSLT, share.panel, const_i64(e, whole), ""));
    do_panel(a, &share, plan->nb);
    if_end(e, &full);
    if_begin(e, &narrow, LLVMBuildICmp(e->b, LLVMIntEQ, share.panel, const_i64(e, whole), ""));
    do_panel(a, &share, 1);
    if_end(e, &narrow);
  }
  panel_share_end(e, &share);
}

void emit_amx(Emit *e, Node *n) {
  const int64_t *y = n->out[0]->shape.d;
  const Value *x = n->in[0];
  const Window *w = &n->win;
  Amx a = {.e = e, .n = n, .images = y[0], .rows = y[2], .steps = {n->plan->direct.icg / e->lanes, w->kh, w->kw}, .input = input,
           .step_bytes = {place_block_bytes(x), w->dh * place_row_bytes(x), w->dw * place_pixel_bytes(x)},
           .pixel_bytes = w->sw * place_pixel_bytes(x), .bounded = n->plan->direct.bounded, .runs = n->plan->direct.runs};
  emit_halo(e, n->out[0]);
  const RowTiles t = row_tiles(y[3], n->plan->direct.uw);
  for (int i = 0; i < t.sizes; i++) {
    if (t.number[i] == 0) continue;
    amx_begin(&a, &t, i);
    do_pass(&a);
  }
  amx_end(e);
}
