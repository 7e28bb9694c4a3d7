/* select.c: the algorithm, tile and loop order of every convolution and matrix product. */
#include "codegen.h"
#include "fuse.h"

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

static bool always(const Layer *l) { return l != NULL; }
static bool one_block(const Layer *l) { return l->out_blocks == 1; }
static bool small_map(const Layer *l) { return l->rows * l->cols <= 64 && l->rows > 1 && l->cols < 14; }
static bool short_sum(const Layer *l) { return l->depth <= 128 && l->out_blocks >= 16; }
/* All weights stay in L2 while pixels stream by; those of larger windows leave room for the rows they overlap. */
static bool light_weights(const Layer *l) {
  int64_t room = l->depth > l->in_blocks * l->t->lanes ? l->t->l2 / 4 : l->t->l2 / 2;
  return l->weight_bytes <= room || l->images * l->rows * l->cols == 1;
}

typedef struct KernelRow {
  int regs, uw, nb;
  LoopOrder order;
  bool (*when)(const Layer *l);
} KernelRow;

static const KernelRow kernels[] = {
#define KERNEL(regs, uw, nb, order, when) {regs, uw, nb, order, when},
#include "kernels.def"
#undef KERNEL
};

static const KernelRow *choose_kernel(const Layer *l) {
  for (size_t i = 0; i < COUNT(kernels); i++) {
    if (kernels[i].regs == l->t->regs && kernels[i].when(l)) return &kernels[i];
  }
  assert(!"kernels.def has no last row for the target");
  return NULL;
}

/* How the groups are packed: each alone where its channels fill whole blocks; else as one dense convolution, with
 * zero weights between groups. */
static void choose_groups(ConvPlan *p, int groups, int icg, int ocg, int lanes) {
  *p = (ConvPlan){.groups = groups, .icg = icg, .ocg = ocg, .bias = -1};
  if (groups == 1 || (icg % lanes == 0 && ocg % lanes == 0)) return;
  p->groups = 1;
  p->icg = groups * icg;
  p->ocg = groups * ocg;
}

static int64_t blocks(int64_t channels, int lanes) { return (channels + lanes - 1) / lanes; }

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

/* A panel's turn takes the rows whose input fits in half of L2, in blocks of about the same size; with a short sum a
 * single row, whose results are many. */
static void choose_block(ConvPlan *p, const Layer *l) {
  int64_t rows = l->images * l->rows, fit = l->t->l2 / 2 / (l->row_bytes ? l->row_bytes : 1);
  if (fit < 1 || short_sum(l)) fit = 1;
  int64_t count = (rows + fit - 1) / fit;
  p->block_rows = (int)((rows + count - 1) / count);
  p->stream = l->weight_bytes > l->t->l2 / 2;
}

/* ==== Winograd ==== */

static bool winograd_fits(const Node *n, const ConvPlan *p) {
  const Window *k = &n->win;
  const Shape *y = &n->out[0]->shape;
  bool square = k->kh == 3 && k->kw == 3 && k->sh == 1 && k->sw == 1 && k->dh == 1 && k->dw == 1;
  return square && n->group == 1 && !p->planar && y->d[2] >= 4 && y->d[3] >= 4;
}

/* Do the products saved outweigh the transforms? A map of 5x5 needs four tiles, and 0.64 of the products. */
static bool winograd_pays(const Node *n) {
  const int64_t *y = n->out[0]->shape.d;
  return ((y[2] + 3) / 4) * ((y[3] + 3) / 4) * 36 * 5 <= y[2] * y[3] * 9 * 3;
}

enum { ONE_GROUP_TILES = 49, GROUP_TILES = 28 };

/* Rows of tiles in a group: all where the map is small; else some 28 tiles, whose transformed input is to take no more
 * than half of L2. */
static int group_rows(const Node *n, const ConvPlan *p, const Target *t) {
  const Shape *y = &n->out[0]->shape;
  int64_t rows = (y->d[2] + 3) / 4, cols = (y->d[3] + 3) / 4, row_bytes = 36 * p->icg * cols * 4;
  if (rows * cols <= ONE_GROUP_TILES) return (int)rows;
  int64_t fit = t->l2 / 2 / row_bytes, few = GROUP_TILES / cols;
  if (fit > few) fit = few;
  return (int)(fit < 1 ? 1 : fit);
}

static void plan_winograd(const Target *t, const Node *n, ConvPlan *p) {
  p->algorithm = CONV_WINOGRAD;
  p->stored = false;
  p->fused = winograd_fuses(p, &n->out[0]->shape, t);
  p->nb = t->regs == 32 ? 1 : 2;
  p->uw = (t->regs - 1 - p->nb) / p->nb;
  p->chunk = 32 / t->lanes;
  p->tile_rows = group_rows(n, p, t);
  winograd_sizes(p, &n->out[0]->shape, t->lanes);
}

/* The same with weights stored transformed: 36 numbers for 9. */
static void store_transformed(const Target *t, const Node *n, ConvPlan *p) {
  p->stored = true;
  p->fused = false;
  p->nb = p->ocg > t->lanes ? 2 : 1;
  p->uw = (t->regs - 1 - p->nb) / p->nb;
  winograd_sizes(p, &n->out[0]->shape, t->lanes);
}

/* Stored weights save time where the map is large beside them, and cost three times their size. The largest maps get
 * them as long as all weights together grow by no more than this. */
enum { MOST_GROWTH_PERCENT = 18, SMALLEST_MAP = 28 };

static int64_t weight_bytes(const Node *n) {
  bool has_weights = n->op == OP_Conv || n->op == OP_Gemm || n->op == OP_MatMul;
  return has_weights && n->in[1]->data ? shape_count(&n->in[1]->shape) * 4 : 0;
}

static void choose_stored(Graph *g) {
  int64_t all = 0, used = 0;
  for (int i = 0; i < g->n_node; i++) all += weight_bytes(g->node[i]);
  for (int64_t width = INT64_MAX; !g->opt->small;) {
    int64_t next = 0; /* maps from the widest to the narrowest */
    for (int i = 0; i < g->n_node; i++) {
      Node *n = g->node[i];
      if (!n->plan || n->op != OP_Conv || n->plan->algorithm != CONV_WINOGRAD) continue;
      int64_t w = n->out[0]->shape.d[3], grows = 3 * weight_bytes(n);
      if (w < width && w > next) next = w;
      if (w != width || used + grows > all / 100 * MOST_GROWTH_PERCENT) continue;
      used += grows;
      store_transformed(g->target, n, n->plan);
    }
    if (next < SMALLEST_MAP) return;
    width = next;
  }
}

/* ==== few channels a group ==== */

/* Does a vector hold whole groups of 2 to 8 channels? Larger ones are left to the direct convolution, see
 * emit_grouped.c. Registers hold the sums and inputs of `uw` pixels, a weight vector, and without FMA a product. */
static bool plan_grouped(const Target *t, const Node *n, ConvPlan *p) {
  int icg = (int)n->in[1]->shape.d[1], ocg = (int)(n->in[1]->shape.d[0] / n->group);
  if (n->group == 1 || icg != ocg || icg < 2 || icg > 8 || t->lanes % icg != 0) return false;
  *p = (ConvPlan){.algorithm = CONV_GROUPED, .groups = n->group, .icg = icg, .ocg = ocg, .bias = -1};
  p->sums = icg == 8 && t->regs == 16 ? 4 : icg;
  p->uw = (t->regs - (t->fma ? 1 : 2)) / (p->sums + 1);
  return true;
}

/* ==== all ==== */

static ConvPlan *plan_conv(Graph *g, const Node *n) {
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape, *y = &n->out[0]->shape;
  int lanes = g->target->lanes;
  ConvPlan *p = alloc(g->cx, sizeof *p);
  if (plan_grouped(g->target, n, p)) return p;
  choose_groups(p, n->group, (int)w->d[1], (int)(w->d[0] / n->group), lanes);
  if (n->group > 1 && n->group == x->d[1] && n->group == y->d[1]) {
    p->algorithm = CONV_DEPTHWISE;
    p->uw = g->target->regs - 4;
    return p;
  }
  Layer l = {.rows = y->d[2], .cols = y->d[3], .out_blocks = blocks(p->ocg, lanes), .in_blocks = blocks(p->icg, lanes),
             .t = g->target};
  l.depth = p->icg * w->d[2] * w->d[3];
  l.weight_bytes = l.depth * p->ocg * p->groups * 4;
  int64_t new_rows = n->win.sh < n->win.kh ? n->win.sh : n->win.kh; /* rows that a window skips are not read */
  l.row_bytes = new_rows * x->d[3] * x->d[1] * 4;
  l.images = y->d[0];
  p->planar = p->groups == 1 && x->d[1] <= 4;
  const KernelRow *k = choose_kernel(&l);
  p->uw = k->uw;
  p->nb = k->nb;
  p->order = k->order;
  if (l.rows * l.cols == 1) p->nb = (g->target->regs - 1) / 2 - 1;
  if (p->nb > l.out_blocks) p->nb = (int)l.out_blocks;
  while (l.out_blocks % p->nb != 0 && p->groups > 1) p->nb--;
  if (p->order == OC_FLAT && !p->planar) choose_chunk(p, &l);
  if (p->order == OC_FLAT && p->planar) p->order = OC_ROW_TILE;
  if (p->order == OC_ROW_TILE) choose_block(p, &l);
  bool wanted = g->opt->winograd == WINOGRAD_4 || (g->opt->winograd == WINOGRAD_AUTO && winograd_pays(n));
  if (wanted && winograd_fits(n, p)) plan_winograd(g->target, n, p);
  return p;
}

static ConvPlan *plan_plain_conv(Graph *g) {
  ConvPlan *p = alloc(g->cx, sizeof *p);
  p->algorithm = CONV_PLAIN;
  return p;
}

void pass_select(Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    if (n->op == OP_Conv) n->plan = is_const_conv(n) ? plan_conv(g, n) : plan_plain_conv(g);
    if (n->op == OP_Gemm || n->op == OP_MatMul) select_gemm(g, n);
  }
  choose_stored(g);
}
