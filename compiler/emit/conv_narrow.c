/* conv_narrow.c: convolution with so few outputs that they fill no vector: a vector holds input channels.
 *
 * Every lane adds up the products of its own channels; sums[u][j] of pixel u and output j are then summed over their lanes, as
 * many of them at a time as a vector has lanes (sum_lanes), and each pixel takes its own out of the vector that results. For
 * a single output that is V times fewer products than broadcasting every input against a vector of outputs. The order of
 * the additions does not depend on the tasks. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Narrow {
  Emit *e;
  Node *n;
  const NarrowPlan *plan;
  const Window *win;
  const Value *in, *out;
  int64_t cols;
  int64_t whole;       /* input blocks that are full */
  int rest;            /* channels of the last one, if it is not */
} Narrow;

/* A panel of outputs. */
typedef struct Panel { int uw, nb; } Panel;

/* `lanes` channels of a block; acc[uw*nb] is the pointer to the weights. */
static void sum_block(const Narrow *t, const Panel *p, Ref x, int lanes, Ref *acc) {
  Emit *e = t->e;
  int n = p->uw * p->nb;
  Ref w[MAX_TILE];
  for (int j = 0; j < p->nb; j++) w[j] = load_lanes(e, acc[n], j * lanes * F32_BYTES, lanes, F32_BYTES);
  for (int u = 0; u < p->uw; u++) {
    Ref value = load_lanes(e, x, u * t->win->sw * place_pixel_bytes(t->in), lanes, e->vec_bytes);
    for (int j = 0; j < p->nb; j++) acc[u * p->nb + j] = fma_(e, value, w[j], acc[u * p->nb + j]);
  }
  acc[n] = gep_const(e, acc[n], p->nb * lanes * F32_BYTES);
}

/* The sums of a tile, pixel by pixel in the lanes of one vector; *weights moves past what was used. */
static Ref sum_tile(const Narrow *t, const Panel *p, Ref in, Ref *weights) {
  Emit *e = t->e;
  int n = p->uw * p->nb;
  Ref acc[64];
  for (int i = 0; i < n; i++) acc[i] = LLVMConstNull(e->vec);
  acc[n] = *weights;
  Loop kh, kw, block;
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, t->win->kh), 1, n + 1, acc);
  Ref line = gep(e, in, kh.i, t->win->dh * place_row_bytes(t->in));
  loop_begin(e, &kw, const_i64(e, 0), const_i64(e, t->win->kw), 1, n + 1, acc);
  Ref pixel = gep(e, line, kw.i, t->win->dw * place_pixel_bytes(t->in));
  if (t->whole > 0) {
    loop_begin(e, &block, const_i64(e, 0), const_i64(e, t->whole), 1, n + 1, acc);
    sum_block(t, p, gep(e, pixel, block.i, place_block_bytes(t->in)), e->lanes, acc);
    loop_end(e, &block);
  }
  if (t->rest > 0) sum_block(t, p, gep_const(e, pixel, t->whole * place_block_bytes(t->in)), t->rest, acc);
  loop_end(e, &kw);
  loop_end(e, &kh);
  *weights = acc[n];
  return sum_lanes(e, acc, n);
}

/* Outputs of pixel u in the first lanes, the others repeat one; panels of nb outputs each, the last one perhaps fewer. */
static Ref outputs_of(const Narrow *t, Ref *sums, int panels, int u) {
  Emit *e = t->e;
  int nb = t->plan->nb, last = t->plan->ocg - (panels - 1) * nb;
  Ref lane[64];
  for (int l = 0; l < e->lanes; l++) {
    int j = l < t->plan->ocg ? l : 0, panel = j / nb;
    lane[l] = const_i32(e, panel * e->lanes + u * (panel == panels - 1 ? last : nb) + j % nb);
  }
  Ref mask = LLVMConstVector(lane, (unsigned)e->lanes);
  return LLVMBuildShuffleVector(e->b, sums[0], panels > 1 ? sums[1] : LLVMGetPoison(e->vec), mask, "");
}

/* The pixels x .. x+uw. */
static void build_tile(const Narrow *t, Ref image, Ref row, int uw, Ref x) {
  Emit *e = t->e;
  int nb = t->plan->nb, panels = (t->plan->ocg + nb - 1) / nb;
  Ref sums[2], arg[MAX_STEPS], weights = weights_ptr(e, t->n->plan->at.weights), none = const_i64(e, 0);
  Ref in = place_window(e, t->in, t->win, image, NULL, row, x);
  assert(panels <= 2);
  for (int i = 0; i < panels; i++) {
    const Panel p = {uw, i < panels - 1 ? nb : t->plan->ocg - i * nb};
    sums[i] = sum_tile(t, &p, in, &weights);
  }
  Ref out = place_at(e, t->out, image, NULL, row, x);
  Ref bias = load(e, e->vec, weights_ptr(e, t->n->plan->at.bias), 0, e->vec_bytes);
  step_pointers(e, t->n, image, none, row, x, arg);
  for (int u = 0; u < uw; u++) {
    Ref y = apply_steps(e, t->n, add_f(e, outputs_of(t, sums, panels, u), bias), arg, 0, 0, u);
    store(e, y, out, u * place_pixel_bytes(t->out), e->vec_bytes);
  }
}

/* The tiles [from, to) of a row. */
static void build_row(const Narrow *t, Ref image, Ref row, Ref from, Ref to) {
  Emit *e = t->e;
  const RowTiles tiles = row_tiles(t->cols, t->plan->uw);
  for (int i = 0; i < 2; i++) {
    Loop tile;
    Ref x;
    if (!row_tiles_begin(e, &tile, &tiles, i, from, to, &x)) continue;
    build_tile(t, image, row, (int)tiles.size[i], x);
    loop_end(e, &tile);
  }
}

/* Tasks share out the tiles of all rows. */
void emit_narrow(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Narrow t = {.e = e, .n = n, .plan = &n->plan->narrow, .win = &n->win, .in = n->in[0], .out = n->out[0],
              .cols = y->d[3], .whole = n->plan->narrow.icg / e->lanes, .rest = n->plan->narrow.icg % e->lanes};
  emit_halo(e, n->out[0]);
  RowShare share;
  row_share_begin(e, &share, y->d[0], y->d[2], row_tiles(t.cols, t.plan->uw).count);
  build_row(&t, share.image, share.row, share.from, share.to);
  row_share_end(e, &share);
}
