/* select.c: the algorithm, tile and loop order of every convolution and matrix product: all plans that a
 * layer can have, and of these the one that costs least, by cost.c's estimate or by measurement (tune.c). */
#include "lower.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct Layer {
  int64_t rows, cols;       /* the output map */
  int64_t out_blocks;       /* of one group */
  int64_t depth;            /* products summed for one output: input channels x window */
  int64_t in_blocks;
  int64_t weight_bytes;
  int64_t row_bytes;        /* of input that one row of the result needs anew, in whole cache lines */
  int64_t images;
  const Target *t;
} Layer;

typedef struct KernelRow {
  int regs, uw, nb;
  LoopOrder order;
} KernelRow;

static const KernelRow kernels[] = {
#define KERNEL(regs, uw, nb, order) {regs, uw, nb, order},
#include "kernels.def"
#undef KERNEL
};

static int64_t blocks(int64_t channels, int lanes) { return (channels + lanes - 1) / lanes; }

/* ==== direct ==== */

/* A flat map's tiles are code each. */
static bool small_map(const Layer *l) { return l->rows * l->cols <= 64 && l->rows > 1 && l->cols < 14; }
static bool short_sum(const Layer *l) { return l->depth <= 128 && l->out_blocks >= 16; }

/* Partial sums of one output block group over the whole map, between chunks. */
static int64_t chunk_scratch(const Layer *l, int nb) { return l->rows * l->cols * nb * l->t->lanes * 4; }

/* Chunks of input channels whose weights for one output group take about half of L1. */
static void choose_chunk(ConvPlan *p, const Layer *l) {
  int64_t block_bytes = l->depth / l->in_blocks * p->nb * l->t->lanes * 4;
  int64_t chunk = l->t->l1 / 2 / (block_bytes ? block_bytes : 1);
  if (chunk < 1) chunk = 1;
  if (chunk >= l->in_blocks) return;
  p->chunk = (int)chunk;
  p->scratch = chunk_scratch(l, p->nb);
}

/* A panel's turn takes the rows whose input fits in half of L2, in blocks of about the same size; with a
 * short sum a single row, whose results are many. */
static void choose_block(ConvPlan *p, const Layer *l) {
  int64_t rows = l->images * l->rows, fit = l->t->l2 / 2 / (l->row_bytes ? l->row_bytes : 1);
  if (fit < 1 || short_sum(l)) fit = 1;
  int64_t count = (rows + fit - 1) / fit;
  p->block_rows = (int)((rows + count - 1) / count);
  p->stream = l->weight_bytes > l->t->l2 / 2;
}

static Layer layer_of(const Target *t, const Node *n, const ConvPlan *p) {
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape, *y = &n->out[0]->shape;
  int lanes = t->lanes;
  Layer l = {.rows = y->d[2], .cols = y->d[3], .images = y->d[0], .depth = size_mul(p->icg, w->d[2] * w->d[3]),
             .out_blocks = blocks(p->ocg, lanes), .in_blocks = blocks(p->icg, lanes), .t = t};
  l.weight_bytes = size_mul(size_mul(size_mul(l.depth, p->ocg), p->groups), 4);
  /* Rows that a window skips are not read. */
  int64_t new_rows = n->win.sh < n->win.kh ? n->win.sh : n->win.kh;
  l.row_bytes = size_mul(size_mul(new_rows, x->d[3] * x->d[1]), 4);
  return l;
}

/* The plan of one kernel; false: it does not fit the layer. */
static bool plan_direct(const Layer *l, const KernelRow *k, ConvPlan *p) {
  if (k->regs != l->t->regs || (k->order == OC_FLAT && (p->planar || !small_map(l)))) return false;
  p->uw = k->uw;
  p->nb = k->nb;
  p->order = k->order;
  if (l->rows * l->cols == 1) p->nb = (k->regs - 1) / 2 - 1;
  if (p->nb > l->out_blocks) p->nb = (int)l->out_blocks;
  while (l->out_blocks % p->nb != 0 && p->groups > 1) p->nb--;
  if (p->order == OC_FLAT) choose_chunk(p, l);
  if (p->order == OC_ROW_TILE) choose_block(p, l);
  return true;
}

/* ==== Winograd ==== */

/* The plan's form for tiles of m results, 0: the largest; false: Winograd's algorithm does not fit the layer. */
static bool winograd_fits(const Node *n, const ConvPlan *p, int m, WinogradForm *f) {
  const Shape *y = &n->out[0]->shape;
  return n->group == 1 && !p->planar && winograd_form(&n->win, m, f) && y->d[2] >= f->m && y->d[3] >= f->m;
}

enum { ONE_GROUP_TILES = 49, GROUP_TILES_32 = 28, GROUP_TILES_16 = 16 /* with so many registers, as measured */ };

static int64_t tile_cols(const Node *n, const WinogradForm *f) { return (n->out[0]->shape.d[3] + f->m - 1) / f->m; }

/* Transformed input of a row of tiles. */
static int64_t row_bytes(const Node *n, const WinogradForm *f, const ConvPlan *p) {
  return winograd_products(f) * p->icg * tile_cols(n, f) * 4;
}

/* Rows of tiles in a group: all where the map is small, then of as many images as fill a group; else a few tiles, whose
 * transformed input is to take no more than half of L2. */
static void choose_group(const Node *n, const WinogradForm *f, const Target *t, ConvPlan *p) {
  const Shape *y = &n->out[0]->shape;
  int64_t rows = (y->d[2] + f->m - 1) / f->m, cols = tile_cols(n, f);
  int64_t few = (t->regs == 32 ? GROUP_TILES_32 : GROUP_TILES_16) / cols;
  p->group_images = 1;
  p->tile_rows = (int)rows;
  if (rows * cols <= ONE_GROUP_TILES) {
    for (int k = 2; k <= y->d[0] && k * rows * cols <= ONE_GROUP_TILES; k++) {
      if (y->d[0] % k == 0) p->group_images = k;
    }
    return;
  }
  int64_t fit = t->l2 / 2 / row_bytes(n, f, p);
  if (fit > few) fit = few;
  p->tile_rows = (int)(fit < 1 ? 1 : fit);
}

static int64_t group_tiles(const Node *n, const WinogradForm *f, const ConvPlan *p) {
  return p->group_images * p->tile_rows * tile_cols(n, f);
}

/* Channels whose weights are transformed at a time. Fewer than 32 cost more loading and storing of sums, more do not stay in
 * L1; with few tiles that weighs more, unless the weights are transformed in registers. */
static int chunk_channels(const Node *n, const WinogradForm *f, const ConvPlan *p) {
  return f->stride > 1 || (group_tiles(n, f, p) <= 8 && !p->fused) ? 16 : 32;
}

/* Blocks of a panel. Of two phases the transformed input is twice as large for its tiles: wider panels read it less often,
 * where there are so many that a narrow last one does not count. */
static int panel_blocks(const Target *t, const Node *n, const WinogradForm *f, const ConvPlan *p) {
  if (t->regs == 32) return 1;
  return f->stride > 1 && group_tiles(n, f, p) <= 16 && blocks(p->ocg, t->lanes) >= 16 ? 3 : 2;
}

static void plan_winograd(const Target *t, const Node *n, const WinogradForm *f, bool fused, ConvPlan *p) {
  p->algorithm = CONV_WINOGRAD;
  p->m = f->m;
  p->stored = false;
  p->fused = fused;
  choose_group(n, f, t, p);
  p->nb = panel_blocks(t, n, f, p);
  p->uw = (t->regs - 1 - p->nb) / p->nb;
  p->chunk = chunk_channels(n, f, p) / t->lanes;
  winograd_memory(f, p, &n->out[0]->shape, t->lanes);
}

/* Stored weights that L2 holds are cheap to read again for each group: rows of tiles beyond one only as long as their input
 * stays in L1. Measured with 16 registers. */
static void fit_group_to_l1(const Target *t, const Node *n, const WinogradForm *f, ConvPlan *p) {
  bool one_group = winograd_sizes(f, p, &n->out[0]->shape, t->lanes).one_group;
  int64_t weights = (int64_t)f->points * f->points * p->icg * p->ocg * 4;
  if (t->regs != 16 || one_group || weights > t->l2 / 2) return;
  int64_t fit = t->l1 / row_bytes(n, f, p);
  if (p->tile_rows > fit) p->tile_rows = (int)(fit < 1 ? 1 : fit);
}

/* The same with weights stored transformed. */
static void store_transformed(const Target *t, const Node *n, const WinogradForm *f, ConvPlan *p) {
  p->stored = true;
  fit_group_to_l1(t, n, f, p);
  p->nb = p->ocg > t->lanes ? 2 : 1;
  p->uw = (t->regs - 1 - p->nb) / p->nb;
  winograd_memory(f, p, &n->out[0]->shape, t->lanes);
}

/* ==== Strassen ==== */

static bool strassen_fits(const Target *t, const Node *n, const ConvPlan *p, int nb) {
  bool halves = p->icg % (2 * t->lanes) == 0 && p->ocg % (2 * nb * t->lanes) == 0;
  return n->win.kh * n->win.kw == 1 && n->group == 1 && !p->planar && halves;
}

enum { FEW_PIXELS = 56, MAX_LINE = 512 /* pixels: its tiles are code each */ };

/* A group has the pairs of lines whose input, three quarters of it read in place and four sums of quarters, take no
 * more than half of L2, but not so few pixels in one line of each pair that preparing the weights weighs. */
static int strassen_group(const Target *t, const Node *n, const ConvPlan *p) {
  const Shape *y = &n->out[0]->shape;
  int64_t line = strassen_line(p, y), pairs = strassen_pairs(p, y);
  if (p->order == OC_FLAT) return 1;
  int64_t fit = t->l2 / 2 / (14 * p->icg * line), few = (FEW_PIXELS + line - 1) / line;
  int64_t groups = pairs / (fit > few ? fit : few);
  return (int)(groups > 1 ? (pairs + groups - 1) / groups : pairs);
}

static bool plan_strassen(const Target *t, const Node *n, ConvPlan *p) {
  const Shape *y = &n->out[0]->shape;
  Layer l = {.rows = y->d[2], .cols = y->d[3]};
  p->nb = 2;
  if (!strassen_fits(t, n, p, p->nb)) return false;
  p->algorithm = CONV_STRASSEN;
  p->order = small_map(&l) ? OC_FLAT : OC_ROW_TILE;
  if (strassen_line(p, y) > MAX_LINE) return false;
  p->uw = (t->regs - 1 - p->nb) / p->nb;
  p->group_pairs = strassen_group(t, n, p);
  strassen_memory(p, y, t->lanes);
  return true;
}

/* ==== few channels a group ==== */

/* Does a vector hold whole groups of 2 to 8 channels? Larger ones are left to the direct convolution, see
 * emit/conv_grouped.c. Registers hold the sums and inputs of `uw` pixels, a weight vector, and without FMA a
 * product. */
static bool plan_grouped(const Target *t, const Node *n, ConvPlan *p) {
  int icg = (int)n->in[1]->shape.d[1], ocg = (int)(n->in[1]->shape.d[0] / n->group);
  if (n->group == 1 || icg != ocg || icg < 2 || icg > 8 || t->lanes % icg != 0) return false;
  *p = (ConvPlan){.algorithm = CONV_GROUPED, .groups = n->group, .icg = icg, .ocg = ocg, .bias = -1};
  p->sums = icg == 8 && t->regs == 16 ? 4 : icg;
  p->uw = (t->regs - (t->fma ? 1 : 2)) / (p->sums + 1);
  return true;
}

/* Groups that do not fill whole blocks. Registers hold the sums, a vector of weights, and without FMA a product. */
static void plan_ragged(const Target *t, ConvPlan *p) {
  p->algorithm = CONV_RAGGED;
  p->uw = t->regs - (t->fma ? 2 : 3);
}

enum { MOST_INTERLEAVED = 8, MOST_PARTED = 1 << 20 /* bytes of scratch */ };

/* Groups of few channels, a vector of which are treated at a time. Registers hold the sums and inputs of `uw` pixels, a vector
 * of weights, and without FMA a product. */
static bool plan_interleaved(const Target *t, const Node *n, ConvPlan *p) {
  int64_t cols = n->out[0]->shape.d[3];
  if (p->icg > MOST_INTERLEAVED || p->ocg > MOST_INTERLEAVED || n->win.kw > MOST_PARTED || n->win.kh > MOST_PARTED) return false;
  p->algorithm = CONV_INTERLEAVED;
  p->uw = (t->regs - (t->fma ? 1 : 2)) / (p->ocg + 1);
  if (p->icg == 1) return true;
  int64_t span = size_add(size_mul(cols, n->win.sw), size_mul(n->win.kw, n->win.dw));
  p->scratch = size_mul(size_mul(span, n->win.kh), p->icg * t->lanes * 4);
  return p->scratch <= MOST_PARTED;
}

/* ==== few outputs ==== */

enum { MOST_NARROW = 4 /* outputs of a panel, of which there are two at most */ };

/* No more than half a vector of outputs. A tile has no more sums than a vector has lanes; registers hold them, a vector of
 * weights for each output, one of inputs, and without FMA a product. */
static bool plan_narrow(const Target *t, const Node *n, ConvPlan *p) {
  if (n->group > 1 || p->planar || p->ocg > t->lanes / 2 || p->ocg > 2 * MOST_NARROW) return false;
  p->algorithm = CONV_NARROW;
  p->nb = p->ocg > MOST_NARROW ? (p->ocg + 1) / 2 : p->ocg;
  int fit = (t->regs - p->nb - (t->fma ? 1 : 2)) / p->nb;
  p->uw = fit < t->lanes / p->nb ? fit : t->lanes / p->nb;
  return true;
}

enum { STRIP = 32 /* pixels at a time: each is code */ };

/* Few inputs, in planes: vectors of pixels, which lie side by side with a stride of 1 only. Registers hold the sums and inputs
 * of nb vectors, and a weight. */
static bool plan_pixels(const Target *t, const Node *n, ConvPlan *p) {
  if (!p->planar || n->win.sw != 1 || p->ocg > MOST_NARROW || p->ocg > t->lanes / 2) return false;
  p->algorithm = CONV_PIXELS;
  p->uw = 1;
  p->nb = (t->regs - 2) / (p->ocg + 1);
  if (p->nb > STRIP / t->lanes) p->nb = STRIP / t->lanes;
  return true;
}

/* ==== candidates ==== */

static const char *candidate_name(Context *cx, const ConvPlan *p) {
  static const char *const orders[] = {
    [ROW_TILE_OC] = "row_tile_oc", [OC_ROW_TILE] = "oc_row_tile", [OC_FLAT] = "oc_flat"};
  switch (p->algorithm) {
  case CONV_GROUPED: return "grouped";
  case CONV_RAGGED: return "ragged";
  case CONV_NARROW: return "narrow";
  case CONV_PIXELS: return "pixels";
  case CONV_INTERLEAVED: return "interleaved";
  case CONV_DEPTHWISE: return "depthwise";
  case CONV_WINOGRAD: return format_text(cx, "winograd%d%s", p->m, p->stored ? ".stored" : p->fused ? ".fused" : "");
  case CONV_STRASSEN: return "strassen";
  default: return format_text(cx, "direct.%dx%d.%s", p->uw, p->nb, orders[p->order]);
  }
}

static void add_candidate(const Build *b, const Node *n, Candidates *list, const ConvPlan *p) {
  const char *name = candidate_name(b->graph->cx, p);
  for (int i = 0; i < list->n; i++) {
    if (strcmp(list->item[i].name, name) == 0) return; /* narrow layers make one of two kernels */
  }
  assert(list->n < MAX_CANDIDATES);
  double measured = b->times ? tuning_ms(b->times, list->shape, name) : 0;
  double ms = measured > 0 ? measured : plan_cost(b->target, n, p);
  list->item[list->n++] = (Candidate){.plan = *p, .name = name, .ms = ms, .measured = measured > 0};
}

/* The next row's input is fetched ahead where the hardware does not do it in time: large maps, on the CPUs with 512-bit
 * vectors, which are Intel's for the most part. */
static bool reads_ahead(const Target *t, const Node *n, const ConvPlan *p) {
  const Window *k = &n->win;
  bool streams = k->kh * k->kw == 1 && k->sh == 1 && n->out[0]->shape.d[3] >= 28 && !p->planar;
  return p->order == ROW_TILE_OC && streams && t->regs == 32;
}

static void add_direct(const Build *b, const Node *n, Candidates *list, const ConvPlan *p) {
  Layer l = layer_of(b->target, n, p);
  for (size_t i = 0; i < COUNT(kernels); i++) {
    ConvPlan direct = *p;
    if (!plan_direct(&l, &kernels[i], &direct)) continue;
    direct.ahead = reads_ahead(b->target, n, &direct);
    add_candidate(b, n, list, &direct);
  }
}

static void add_winograd(const Build *b, const Node *n, Candidates *list, const ConvPlan *p, const WinogradForm *f) {
  ConvPlan w = *p;
  plan_winograd(b->target, n, f, false, &w);
  if (winograd_fuses(f, &w, &n->out[0]->shape, b->target)) {
    ConvPlan fused = *p;
    plan_winograd(b->target, n, f, true, &fused);
    add_candidate(b, n, list, &fused);
  }
  add_candidate(b, n, list, &w);
  store_transformed(b->target, n, f, &w);
  if (!b->options->small && f->stride == 1) add_candidate(b, n, list, &w);
}

/* Winograd's algorithm in the forms that --winograd leaves to choose from. Its differences of activations are NaN where two are
 * infinite, and reach all results of a tile. */
static bool add_winograds(const Build *b, const Node *n, Candidates *list, const ConvPlan *p) {
  static const int results[] = {[WINOGRAD_AUTO] = 0, [WINOGRAD_4] = 0, [WINOGRAD_2] = 2};
  WinogradForm f;
  if (!assumes_finite(b->graph) && b->options->winograd == WINOGRAD_AUTO) return false;
  if (b->options->winograd == WINOGRAD_OFF || !winograd_fits(n, p, results[b->options->winograd], &f)) return false;
  add_winograd(b, n, list, p, &f);
  if (b->options->winograd == WINOGRAD_AUTO && f.m > 2 && winograd_fits(n, p, 2, &f)) add_winograd(b, n, list, p, &f);
  return true;
}

/* False: it is no candidate. It has differences of activations, too. */
static bool add_strassen(const Build *b, const Node *n, Candidates *list, const ConvPlan *p) {
  ConvPlan s = *p;
  if (!assumes_finite(b->graph) && b->options->strassen == STRASSEN_AUTO) return false;
  if (b->options->strassen == STRASSEN_OFF || !plan_strassen(b->target, n, &s)) return false;
  add_candidate(b, n, list, &s);
  return true;
}

/* Which layers are alike: all that their plans depend on. */
static const char *shape_key(Context *cx, const Node *n) {
  const Window *k = &n->win;
  const int64_t *x = n->in[0]->shape.d, *y = n->out[0]->shape.d;
  return format_text(cx, "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 "-%" PRId64 "x%" PRId64 "x%" PRId64
                     "-k%" PRId64 "x%" PRId64 "-s%" PRId64 "x%" PRId64 "-d%" PRId64 "x%" PRId64 "-g%d",
                     x[0], x[1], x[2], x[3], y[1], y[2], y[3], k->kh, k->kw, k->sh, k->sw, k->dh, k->dw, n->group);
}

/* What was measured comes before what was not, then what costs less. */
static int by_cost(const void *a, const void *b) {
  const Candidate *x = a, *y = b;
  if (x->measured != y->measured) return y->measured - x->measured;
  return (x->ms > y->ms) - (x->ms < y->ms);
}

static Candidates *list_candidates(const Build *b, const Node *n) {
  const int64_t *x = n->in[0]->shape.d, *w = n->in[1]->shape.d, *y = n->out[0]->shape.d;
  int lanes = b->target->lanes;
  Candidates *list = alloc(b->graph->cx, sizeof *list);
  ConvPlan p = {.groups = n->group, .icg = (int)w[1], .ocg = (int)(w[0] / n->group), .bias = -1}, grouped;
  list->shape = shape_key(b->graph->cx, n);
  p.planar = n->group == 1 && x[1] <= 4;
  if (n->group > 1 && n->group == x[1] && n->group == y[1]) {
    p.algorithm = CONV_DEPTHWISE;
    p.planar = false;
    p.uw = b->target->regs - 4;
    add_candidate(b, n, list, &p);
    return list;
  }
  if (plan_grouped(b->target, n, &grouped)) add_candidate(b, n, list, &grouped);
  if (n->group > 1 && (p.icg % lanes != 0 || p.ocg % lanes != 0)) {
    if (list->n > 0) return list;
    ConvPlan interleaved = p;
    if (plan_interleaved(b->target, n, &interleaved)) add_candidate(b, n, list, &interleaved);
    plan_ragged(b->target, &p);
    add_candidate(b, n, list, &p);
    return list;
  }
  bool winograd = add_winograds(b, n, list, &p);
  if (add_strassen(b, n, list, &p) && b->options->strassen == STRASSEN_ON) return list;
  if (winograd && b->options->winograd != WINOGRAD_AUTO) return list;
  add_direct(b, n, list, &p);
  if (plan_narrow(b->target, n, &p) || plan_pixels(b->target, n, &p)) add_candidate(b, n, list, &p);
  return list;
}

/* An estimate of this many times the least one is never the best plan. */
enum { MOST_MISJUDGED = 2 };

static void sort_candidates(Candidates *list) {
  qsort(list->item, (size_t)list->n, sizeof *list->item, by_cost);
  double limit = MOST_MISJUDGED * list->item[0].ms;
  while (list->promising < list->n && list->item[list->promising].ms < limit) list->promising++;
}

/* ==== choice ==== */

static void choose(Node *n, int i) {
  n->candidates->chosen = i;
  n->plan = &n->candidates->item[i].plan;
}

/* Does the plan take more room than the weights, for being faster? Transformed ones do, and whole vectors of channels for
 * Winograd's algorithm where there are few channels. */
static bool grows(const Build *b, const ConvPlan *p) {
  int lanes = b->target->lanes;
  return p->algorithm == CONV_WINOGRAD && (p->stored || packed_columns(p->ocg, lanes) % lanes != 0);
}

/* The least costly that does not grow, or if all do, does not store transformed weights; room is given out later. */
static void choose_least(const Build *b, Node *n) {
  const Candidates *list = n->candidates;
  int i = 0;
  while (i < list->n && grows(b, &list->item[i].plan)) i++;
  if (i == list->n) i = 0;
  while (list->item[i].plan.stored) i++;
  choose(n, i);
}

static int64_t weight_bytes(const Node *n) {
  bool has_weights = n->op == OP_Conv || n->op == OP_Gemm || n->op == OP_MatMul;
  return has_weights && n->in[1]->data ? shape_count(&n->in[1]->shape) * 4 : 0;
}

/* Weights that grow save time. Those that save most for their size may, as long as all weights together grow by no more than
 * this. */
enum { MOST_GROWTH_PERCENT = 18 };

/* Bytes that the candidate's weights take more. */
static int64_t growth(const Build *b, const Node *n, int i) {
  return plan_bytes(b->target, n, &n->candidates->item[i].plan) - weight_bytes(n);
}

/* Which candidate with weights that grow by no more than `room` beats the chosen one? -1: none. */
static int better_larger(const Build *b, const Node *n, int64_t room) {
  const Candidates *list = n->candidates;
  for (int i = 0; list && i < list->chosen; i++) {
    bool comparable = list->item[i].measured == list->item[list->chosen].measured;
    if (comparable && grows(b, &list->item[i].plan) && growth(b, n, i) <= room) return i;
  }
  return -1;
}

/* Milliseconds saved a byte. */
static double saving(const Build *b, const Node *n, int i) {
  const Candidates *list = n->candidates;
  int64_t more = growth(b, n, i) - growth(b, n, list->chosen);
  return (list->item[list->chosen].ms - list->item[i].ms) / (double)(more > 1 ? more : 1);
}

static void choose_larger(const Build *b) {
  const Graph *g = b->graph;
  if (b->many_shapes) return; /* these are Winograd's, see is_much_code */
  int64_t room = 0;
  if (b->options->small) return;
  for (int i = 0; i < g->n_node; i++) room += weight_bytes(g->node[i]);
  room = room / 100 * MOST_GROWTH_PERCENT;
  for (;;) {
    Node *best = NULL;
    double most = 0;
    for (int i = 0; i < g->n_node; i++) {
      Node *n = g->node[i];
      int larger = better_larger(b, n, room);
      if (larger < 0 || (best && saving(b, n, larger) <= most)) continue;
      best = n;
      most = saving(b, n, larger);
    }
    if (!best) return;
    int larger = better_larger(b, best, room);
    room -= growth(b, best, larger) - growth(b, best, best->candidates->chosen);
    choose(best, larger);
  }
}

/* Some algorithms take ten thousand instructions and more for each shape of a layer. Networks in which every layer has another
 * (DenseNet) have them for the first so many shapes; ResNets have a dozen. */
enum { MOST_LARGE_SHAPES = 24, MANY_SHAPES = 96 };

static bool has_many_shapes(Graph *g) {
  Map shapes = {0};
  for (int i = 0; i < g->n_node; i++) {
    Candidates *list = g->node[i]->candidates;
    if (list) map_put(g->cx, &shapes, list->shape, list);
  }
  return shapes.n > MANY_SHAPES;
}

/* The tiles of a flat map are made anew for each shape unless the layout lets layers of all numbers of channels share them; for
 * Winograd's algorithm that is so much only where there are many shapes. */
static bool is_much_code(const Build *b, const ConvPlan *p) {
  if (p->algorithm == CONV_STRASSEN) return true;
  if (b->many_shapes) return p->algorithm == CONV_WINOGRAD;
  return p->algorithm == CONV_DIRECT && p->order == OC_FLAT;
}

static void choose_less_code(const Build *b, Node *n) {
  const Candidates *list = n->candidates;
  for (int i = 0; i < list->n; i++) {
    const ConvPlan *p = &list->item[i].plan;
    if (is_much_code(b, p) || grows(b, p)) continue;
    choose(n, i);
    return;
  }
}

static void limit_code(const Build *b) {
  const Graph *g = b->graph;
  const char *shape[MOST_LARGE_SHAPES];
  int count = 0;
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    if (!n->candidates || !is_much_code(b, n->plan)) continue;
    int k = 0;
    while (k < count && strcmp(shape[k], n->candidates->shape) != 0) k++;
    if (k < count) continue;
    if (count < MOST_LARGE_SHAPES) shape[count++] = n->candidates->shape;
    else choose_less_code(b, n);
  }
}

static ConvPlan *plan_plain_conv(Context *cx) {
  ConvPlan *p = alloc(cx, sizeof *p);
  p->algorithm = CONV_PLAIN;
  return p;
}

/* A border of zeros this much longer than the map that it surrounds is out of proportion: all kernels with a use come with
 * less. A few results of huge windows, strides and padding are cheaper, in memory above all, where the window is clipped. */
enum { LONGEST_BORDER = 64, BORDER_OF_MAP = 4, MOST_SIZE = 1 << 28 };

static bool border_fits(int64_t in, int64_t out, int64_t before, int64_t kernel, int64_t stride, int64_t dilation) {
  int64_t after = (out - 1) * stride + (kernel - 1) * dilation - before - (in - 1), most = LONGEST_BORDER + BORDER_OF_MAP * in;
  return before <= most && after <= most;
}

static bool sizes_fit(const Shape *s) {
  for (int i = 0; i < s->rank; i++) {
    if (s->d[i] > MOST_SIZE) return false;
  }
  return true;
}

/* Can the layer work on channel blocks? Plans count channels and pixels of a row in ints. */
static bool fits_blocks(const Node *n) {
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape, *y = &n->out[0]->shape;
  const Window *k = &n->win;
  if (shape_count(x) == 0 || shape_count(w) == 0 || shape_count(y) == 0) return false;
  return border_fits(x->d[2], y->d[2], k->top, k->kh, k->sh, k->dh) &&
         border_fits(x->d[3], y->d[3], k->left, k->kw, k->sw, k->dw) && sizes_fit(x) && sizes_fit(y) && sizes_fit(w);
}

/* A weight that is not finite would be NaN where it meets padding, which takes no part in the sum, or, in Winograd's
 * algorithm, its neighbours. */
static bool weights_finite(const Node *n) { return const_is_finite(n->in[1]); }

static void select_conv(const Build *b, Node *n) {
  if (!is_const_conv(n) || !fits_blocks(n) || !weights_finite(n)) {
    n->plan = plan_plain_conv(b->graph->cx);
    return;
  }
  n->candidates = list_candidates(b, n);
  sort_candidates(n->candidates);
  choose_least(b, n);
}

void pass_select(Build *b) {
  Graph *g = b->graph;
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    if (n->op == OP_Conv) select_conv(b, n);
    if (n->op == OP_ConvInteger) n->plan = plan_plain_conv(b->graph->cx);
    if (n->op == OP_Gemm || n->op == OP_MatMul) select_gemm(b, n);
  }
  b->many_shapes = b->options->many_shapes || has_many_shapes(g);
  limit_code(b);
  choose_larger(b);
}
