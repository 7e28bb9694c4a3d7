/* conv_amx.c: convolution of 8-bit integers by AMX, on channel blocks of 64.
 *
 * A run is up to 16 pixels of a row of the result. Tiles 0 to 3 hold the sums of two runs and two vectors of output channels, 4 and
 * 5 their inputs for a block and a tap, 6 and 7 the weights for these:
 *
 *              6: 16 outputs   7: 16 outputs
 *     4: run   0               1
 *     5: run   2               3               tile 0 += tile 4 x tile 6
 *
 * Where weights have zero points tile 7 holds ones, and tiles 1 and 3 become the sums of the inputs, in all columns.
 *
 * Tasks share out the rows of all panels, as for OC_ROW_TILE. A row whose runs have two lengths is done in two passes. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { RUNS = 2, INPUT = 4, WEIGHTS = 6, TILES = 8, TILE_ROW = 64, TILE_BYTES = 1024 };

typedef struct Amx {
  Emit *e;
  Node *n;
  const DirectPlan *plan;
  const Window *win;
  const Value *in, *out;
  int64_t images, rows, blocks, taps;
  int64_t starts, step;    /* bytes before the panels; of a full panel for a block and a tap */
  int64_t vectors, panels;
  int64_t length, number, first; /* of the runs of a pass: pixels of each, how many a row has, the pixel where they begin */
} Amx;

/* What is done at a time. */
typedef struct Group {
  int runs, nb;            /* nb: tiles of weights, and of ones */
  int lines;               /* to fetch for each block and tap */
  Ref image[RUNS], row[RUNS], x[RUNS], in[RUNS];
  Ref vector, weights, start, prefetch;
} Group;

/* ==== instructions ==== */

static Ref tile_number(Emit *e, int i) { return LLVMConstInt(e->i8, (unsigned)i, 0); }

static void load_tile(Emit *e, int tile, Ref p, int64_t stride) {
  intrinsic(e, "llvm.x86.tileloadd64", 0, NULL, 3, (Ref[]){tile_number(e, tile), p, const_i64(e, stride)});
}

static void store_tile(Emit *e, int tile, Ref p) {
  intrinsic(e, "llvm.x86.tilestored64", 0, NULL, 3, (Ref[]){tile_number(e, tile), p, const_i64(e, TILE_ROW)});
}

/* 64 bytes: the palette, the bytes of a row of each tile from byte 16 on, the rows of each from byte 48 on. */
static void configure(const Amx *a) {
  Emit *e = a->e;
  Ref byte[64];
  uint8_t config[64] = {1};
  for (int i = 0; i < TILES; i++) {
    config[16 + 2 * i] = TILE_ROW;
    config[48 + i] = i < WEIGHTS ? (uint8_t)a->length : 16;
  }
  for (int i = 0; i < 64; i++) byte[i] = LLVMConstInt(e->i8, config[i], 0);
  Ref p = constant_global(e, LLVMConstArray2(e->i8, byte, 64), "tiles");
  intrinsic(e, "llvm.x86.ldtilecfg", 0, NULL, 1, &p);
}

/* ==== sums ==== */

/* All rows of a tile of sums start from the same. */
static void start_tile(const Amx *a, const Group *g, int tile, int b) {
  Emit *e = a->e;
  Ref number = tile_number(e, tile);
  if (b == g->nb - a->plan->ones) intrinsic(e, "llvm.x86.tilezero", 0, NULL, 1, &number);
  else load_tile(e, tile, gep_const(e, g->start, b * e->vec_bytes), 0);
}

/* carry: pointers to the weights and to what is to be fetched. */
static void add_products(const Amx *a, const Group *g, const Ref *x, Ref *carry) {
  Emit *e = a->e;
  for (int j = 0; j < g->runs; j++) load_tile(e, INPUT + j, x[j], a->win->sw * place_pixel_bytes(a->in));
  for (int b = 0; b < g->nb; b++) load_tile(e, WEIGHTS + b, gep_const(e, carry[0], b * TILE_ROW), g->nb * TILE_ROW);
  for (int i = 0; i < g->lines; i++) prefetch(e, carry[1], i * 64, false, 2);
  for (int j = 0; j < g->runs; j++)
    for (int b = 0; b < g->nb; b++)
      intrinsic(e, "llvm.x86.tdpbusd", 0, NULL, 3, (Ref[]){tile_number(e, j * 2 + b), tile_number(e, INPUT + j), tile_number(e, WEIGHTS + b)});
  carry[0] = gep_const(e, carry[0], g->nb * TILE_BYTES);
  carry[1] = gep_const(e, carry[1], g->lines * 64);
}

static void sum_runs(const Amx *a, const Group *g) {
  Emit *e = a->e;
  Ref carry[] = {g->weights, g->prefetch}, x[RUNS];
  Loop block, kh, kw;
  for (int j = 0; j < g->runs; j++)
    for (int b = 0; b < g->nb; b++) start_tile(a, g, j * 2 + b, b);
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, a->blocks), 1, 2, carry);
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, a->win->kh), 1, 2, carry);
  loop_begin(e, &kw, const_i64(e, 0), const_i64(e, a->win->kw), 1, 2, carry);
  for (int j = 0; j < g->runs; j++) {
    x[j] = gep(e, gep(e, g->in[j], block.i, place_block_bytes(a->in)), kh.i, a->win->dh * place_row_bytes(a->in));
    x[j] = gep(e, x[j], kw.i, a->win->dw * place_pixel_bytes(a->in));
  }
  add_products(a, g, x, carry);
  loop_end(e, &kw);
  loop_end(e, &kh);
  loop_end(e, &block);
  for (int j = 0; j < g->runs; j++)
    for (int b = 0; b < g->nb; b++) store_tile(e, j * 2 + b, gep_const(e, scratch_ptr(e), (j * 2 + b) * TILE_BYTES));
}

/* ==== results ==== */

static void finish_run(const Amx *a, const Group *g, int j) {
  Emit *e = a->e;
  Ref acc[2 * MAX_TILE], arg[MAX_STEPS];
  int uw = (int)a->length, nb = g->nb - a->plan->ones;
  for (int u = 0; u < uw; u++)
    for (int b = 0; b < g->nb; b++)
      acc[b * uw + u] = load(e, vec_of(e->i32, e->lanes), scratch_ptr(e), (j * 2 + b) * TILE_BYTES + u * TILE_ROW, e->vec_bytes);
  if (a->plan->ones) take_off_zeros(e, gep_const(e, g->start, a->starts / 2), uw, nb, acc);
  step_pointers(e, a->n, g->image[j], g->vector, g->row[j], g->x[j], arg);
  Ref out = place_vector(e, value_ptr(e, a->out), a->out, g->image[j], g->vector, g->row[j], g->x[j]);
  store_sums(e, a->n, uw, nb, a->plan->bounded, acc, arg, out);
}

/* ==== loops ==== */

/* The runs from number `first` of all rows on; `behind`: what is fetched meanwhile, evenly over the pairs of a block of rows that
 * begins with run `begin`. */
static void do_runs(const Amx *a, Group g, Ref first, Ref begin, Ref behind) {
  Emit *e = a->e;
  Ref number = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, first, begin, ""), const_i64(e, RUNS), "");
  g.prefetch = gep(e, behind, number, g.lines * a->blocks * a->taps * 64);
  for (int j = 0; j < g.runs; j++) {
    Ref run = add_i(e, first, const_i64(e, j)), line = LLVMBuildSDiv(e->b, run, const_i64(e, a->number), "");
    Ref tile = LLVMBuildSRem(e->b, run, const_i64(e, a->number), "");
    g.image[j] = LLVMBuildSDiv(e->b, line, const_i64(e, a->rows), "");
    g.row[j] = LLVMBuildSRem(e->b, line, const_i64(e, a->rows), "");
    g.x[j] = add_i(e, mul_i(e, tile, a->length), const_i64(e, a->first));
    g.in[j] = place_window(e, a->in, a->win, g.image[j], NULL, g.row[j], g.x[j]);
  }
  sum_runs(a, &g);
  for (int j = 0; j < g.runs; j++) finish_run(a, &g, j);
}

static int64_t row_blocks(const Amx *a) { return size_ceiling(a->images * a->rows, a->plan->block_rows); }

static void do_panel(const Amx *a, const PanelShare *s, int nb) {
  Emit *e = a->e;
  int64_t steps = a->blocks * a->taps, pairs = size_ceiling(a->images * a->rows / row_blocks(a) * a->number, RUNS);
  Group g = {.runs = RUNS, .nb = nb, .lines = (int)size_ceiling(a->step / 64, pairs)};
  Ref first = weights_ptr(e, a->n->plan->at.weights), one = const_i64(e, 1);
  g.vector = mul_i(e, s->panel, a->plan->nb);
  g.start = gep(e, first, g.vector, e->vec_bytes);
  g.weights = gep(e, gep_const(e, first, a->starts), s->panel, a->step * steps);
  Ref lo = mul_i(e, s->from, a->number), hi = mul_i(e, s->to, a->number), last = LLVMBuildSub(e->b, hi, one, "");
  Ref next = gep_const(e, g.weights, a->step * steps), begin = mul_i(e, s->first, a->number);
  Loop pair;
  loop_begin(e, &pair, lo, last, RUNS, 0, NULL);
  do_runs(a, g, pair.i, begin, next);
  loop_end(e, &pair);
  If odd;
  Ref rest = LLVMBuildAnd(e->b, LLVMBuildSub(e->b, hi, lo, ""), one, "");
  if_begin(e, &odd, LLVMBuildICmp(e->b, LLVMIntNE, rest, const_i64(e, 0), ""));
  g.runs = 1;
  do_runs(a, g, last, begin, next);
  if_end(e, &odd);
}

/* All panels for the runs of one length; the last one may be of one vector. */
static void do_pass(const Amx *a) {
  Emit *e = a->e;
  PanelShare share;
  configure(a);
  panel_share_begin(e, &share, a->images * a->rows, row_blocks(a), a->panels);
  int64_t whole = a->vectors / a->plan->nb;
  if (whole == a->panels) {
    do_panel(a, &share, a->plan->nb + a->plan->ones);
  } else {
    If full, narrow;
    if_begin(e, &full, LLVMBuildICmp(e->b, LLVMIntSLT, share.panel, const_i64(e, whole), ""));
    do_panel(a, &share, a->plan->nb + a->plan->ones);
    if_end(e, &full);
    if_begin(e, &narrow, LLVMBuildICmp(e->b, LLVMIntEQ, share.panel, const_i64(e, whole), ""));
    do_panel(a, &share, 1);
    if_end(e, &narrow);
  }
  panel_share_end(e, &share);
}

void emit_amx(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Amx a = {.e = e, .n = n, .plan = &n->plan->direct, .win = &n->win, .in = n->in[0], .out = n->out[0], .images = y->d[0], .rows = y->d[2],
           .blocks = n->plan->direct.icg / e->lanes, .taps = (int64_t)n->win.kh * n->win.kw};
  a.starts = integer_starts_bytes(e->t, n, a.plan);
  a.step = (a.plan->nb + a.plan->ones) * TILE_BYTES;
  a.vectors = size_ceiling(a.plan->ocg, e->lanes);
  a.panels = size_ceiling(a.vectors, a.plan->nb);
  emit_halo(e, n->out[0]);
  const RowTiles t = row_tiles(y->d[3], a.plan->uw);
  for (int i = 0; i < t.sizes; i++) {
    if (t.number[i] == 0) continue;
    a.length = t.size[i];
    a.number = t.number[i];
    a.first = t.first[i];
    do_pass(&a);
  }
  intrinsic(e, "llvm.x86.tilerelease", 0, NULL, 0, NULL);
}
