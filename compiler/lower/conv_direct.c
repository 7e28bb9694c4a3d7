/* conv_direct.c: a sum of products for each result, in tiles of registers: what most layers can have, with
 * the tiles of direct_tiles.def. Of 8-bit integers a step takes four channels (conv_integer.c), so `channel` stands for those. */
#include "cost.h"

typedef struct DirectTile {
  int regs;
  bool by_lane;
  int uw, nb;
  LoopOrder order;
} DirectTile;

static const DirectTile tiles[] = {
#define TILE(regs, by_lane, uw, nb, order) {regs, by_lane, uw, nb, order},
#include "direct_tiles.def"
#undef TILE
};

/* ==== taps that meet only padding ==== */

/* Of one axis: places of results, of the input before them, between taps. */
typedef struct Axis { int64_t results, size, pad, stride, dilation, taps; } Axis;

/* From which result on does tap k read element `from` of the input or one behind it? */
static int64_t first_result(const Axis *a, int64_t k, int64_t from) {
  int64_t at = from + a->pad - k * a->dilation;
  return at <= 0 ? 0 : size_min(size_ceiling(at, a->stride), a->results);
}

/* Taps that meet the input for some of the results [lo, hi). */
static int64_t taps_of(const Axis *a, int64_t lo, int64_t hi) {
  int64_t count = 0;
  for (int64_t k = 0; k < a->taps; k++) count += first_result(a, k, 0) < hi && lo < first_result(a, k, a->size);
  return count;
}

/* The least place behind `x` where the taps of results change. */
static int64_t next_change(const Axis *a, int64_t x) {
  int64_t next = a->results;
  for (int64_t k = 0; k < a->taps; k++) {
    int64_t in = first_result(a, k, 0), out = first_result(a, k, a->size);
    if (in > x) next = size_min(next, in);
    if (out > x) next = size_min(next, out);
  }
  return next;
}

/* Pieces of fewer pixels keep an FMA waiting for itself. */
enum { LEAST_PIECE = 4 };

static Axis columns_of(const Node *n) {
  const Window *w = &n->win;
  return (Axis){n->out[0]->shape.d[3], n->in[0]->shape.d[3], w->left, w->sw, w->dw, w->kw};
}

int direct_pieces(const Node *n, bool inside, RowPiece *piece) {
  const Axis a = columns_of(n);
  int count = 0;
  int64_t least = inside ? 1 : LEAST_PIECE;
  bool narrow = (n->win.dw == 1 && !inside) || n->win.fill || a.taps > MAX_PIECES / 2;
  for (int64_t x = 0, end; x < a.results && !narrow; x = end) {
    end = next_change(&a, x);
    narrow = end - x < least || count == MAX_PIECES;
    if (!narrow) piece[count++] = (RowPiece){x, end - x, taps_of(&a, x, end)};
  }
  if (!narrow && count > 0) return count;
  piece[0] = (RowPiece){0, a.results, a.taps};
  return 1;
}

/* A copy of the input with a border takes a cycle for so many bytes; at the edges of a row a tile may be a pixel, whose sums wait so
 * long for each other. */
enum { COPIED_A_CYCLE = 32, WAITS = 4 };

/* Can a planar input be read where it lies, its edges by themselves, and is that less work than a copy? */
static bool reads_inside(const ConvLayer *l) {
  const Node *n = l->n;
  const Axis a = columns_of(n);
  RowPiece piece[MAX_PIECES];
  if (!l->planar || n->win.fill || (l->taps == 1 && has_padding(n))) return false;
  int count = direct_pieces(n, true, piece);
  if (count == 1 && (next_change(&a, 0) < a.results || taps_of(&a, 0, a.results) < a.taps)) return false;
  int64_t edges = l->cols;
  for (int i = 0; i < count; i++) edges -= piece[i].taps == a.taps ? piece[i].width : 0;
  int64_t waits = size_mul(size_mul(l->images * l->rows, edges), l->icg * l->taps * WAITS);
  return waits <= size_mul(shape_count(&n->in[0]->shape), 4) / COPIED_A_CYCLE;
}

/* ==== plans ==== */

/* Products summed for one result. */
static int64_t depth(const ConvLayer *l) { return size_mul(l->icg, l->taps); }

/* With so few products for each of so many results, writing these weighs as much as what is read. */
static bool short_sum(const ConvLayer *l) { return depth(l) <= 128 && l->out_blocks >= 16; }

/* Chunks of input channels whose weights for one output group take about half of L1. Partial sums of one
 * group of output blocks over the whole map wait in scratch between chunks. */
static void choose_chunk(Plan *plan, const ConvLayer *l) {
  DirectPlan *p = &plan->direct;
  int64_t vectors = p->nb + p->ones, block_bytes = depth(l) / l->in_blocks * vectors * l->t->lanes * 4;
  int64_t chunk = l->t->l1 / 2 / (block_bytes ? block_bytes : 1);
  if (chunk < 1) chunk = 1;
  if (chunk >= l->in_blocks) return;
  p->chunk = (int)chunk;
  plan->at.scratch = l->rows * l->cols * vectors * l->t->lanes * 4;
}

/* Of input that one row of the result needs anew, in whole cache lines. Rows that a window skips are not
 * read. */
static int64_t row_bytes(const ConvLayer *l) {
  int64_t new_rows = size_min(l->n->win.sh, l->n->win.kh);
  return size_mul(size_mul(new_rows, l->x[3]), l->pixel_bytes);
}

/* A panel's turn takes the rows whose input fits in half of L2, in blocks of about the same size; with a
 * short sum a single row, whose results are many. */
static void choose_block(DirectPlan *p, const ConvLayer *l) {
  int64_t weights = size_mul(size_mul(size_mul(depth(l), p->ocg), p->groups), 4);
  int64_t rows = l->images * l->rows, each = row_bytes(l), fit = l->t->l2 / 2 / (each ? each : 1);
  if (fit < 1 || short_sum(l)) fit = 1;
  int64_t count = (rows + fit - 1) / fit;
  p->block_rows = (int)((rows + count - 1) / count);
  p->stream = weights > (l->n->op == OP_ConvInteger ? l->t->l1 : l->t->l2 / 2);
}

/* The next row's input is fetched ahead where the hardware does not do it in time: large maps (rows of 28
 * pixels, seven cache lines and more for each channel block), on the CPUs with 512-bit vectors, which are
 * Intel's for the most part. */
static bool reads_ahead(const ConvLayer *l) {
  const Window *k = &l->n->win;
  return k->kh * k->kw == 1 && k->sh == 1 && l->cols >= 28 && !l->planar && l->t->lanes == 16;
}

static bool tile_fits(const ConvLayer *l, const DirectTile *k) {
  return k->regs == l->t->regs && k->by_lane == l->t->by_lane && (k->order != OC_FLAT || (!l->planar && conv_is_flat(l)));
}

/* A single pixel leaves the registers to two sums a weight vector. Groups have whole panels, and panels of many vectors of 8-bit
 * results whole blocks. */
static int panel_blocks(const ConvLayer *l, const DirectTile *k) {
  int nb = l->rows * l->cols == 1 ? (k->regs - 1) / 2 - 1 : k->nb;
  nb = (int)size_min(nb, l->out_blocks);
  if (l->n->op == OP_ConvInteger && nb > 4) nb = 4;
  while (l->out_blocks % nb != 0 && l->groups > 1) nb--;
  return nb;
}

/* With sums of ones beside the others there is room for fewer pixels; where bytes become factors of 16 bits, for one less. */
static int tile_width(const ConvLayer *l, const DirectTile *k, const DirectPlan *p) {
  if (p->ones) return (k->regs - 1) / (p->nb + 1) - 1;
  return k->uw - (l->n->op == OP_ConvInteger && k->by_lane && !adds_fours(l->t));
}

static void add_plan(const ConvLayer *l, const DirectTile *k, double wide, Plans *list) {
  Plan *plan = plans_add(list);
  DirectPlan *p = &plan->direct;
  p->order = k->order;
  p->nb = panel_blocks(l, k);
  p->small = l->n->op == OP_ConvInteger && integer_is_small(l->t, l->n);
  p->ones = l->n->op == OP_ConvInteger && integer_has_zeros(l->n);
  p->uw = tile_width(l, k, p);
  p->groups = l->groups;
  p->icg = l->icg;
  p->ocg = l->ocg;
  p->planar = l->planar;
  p->inside = reads_inside(l);
  plan_sorted(l, wide, plan);
  p->bounded = requantizes_bounded(l->n);
  if (p->order == OC_FLAT && !p->sorted) choose_chunk(plan, l);
  if (p->order == OC_ROW_TILE) choose_block(p, l);
  if (p->order == ROW_TILE_OC) p->ahead = reads_ahead(l);
}

void plans_direct(const Build *b, const Node *n, Plans *list) {
  const ConvLayer l = conv_layer(b->target, n);
  if (n->op == OP_ConvInteger ? !integer_fits(&l) : conv_is_uneven(b->target, n)) return;
  double wide = n->op == OP_ConvInteger ? sorted_share(&l) : -1;
  for (size_t i = 0; i < COUNT(tiles); i++) {
    if (tile_fits(&l, &tiles[i])) add_plan(&l, &tiles[i], wide, list);
  }
}

/* Of the taps of a column, how many does a row of results have on average? */
static double row_taps(const ConvLayer *l) {
  const Window *w = &l->n->win;
  const Axis a = {l->rows, l->x[2], w->top, w->sh, w->dh, w->kh};
  if (w->fill || (w->dh == 1 && w->dw == 1)) return (double)a.taps;
  double sum = 0;
  for (int64_t k = 0; k < a.taps; k++) sum += (double)(first_result(&a, k, a.size) - first_result(&a, k, 0));
  return sum / (double)l->rows;
}

const char *direct_text(Context *cx, const Plan *p) {
  static const char *const orders[] = {
    [ROW_TILE_OC] = "row_tile_oc", [OC_ROW_TILE] = "oc_row_tile", [OC_FLAT] = "oc_flat"};
  return format_text(cx, "direct.%dx%d.%s", p->direct.uw, p->direct.nb, orders[p->direct.order]);
}

bool direct_in_rows(const Plan *p) { return p->direct.order == ROW_TILE_OC; }
bool direct_planar(const Plan *p) { return p->direct.planar; }
bool direct_inside(const Plan *p) { return p->direct.inside; }

/* The tiles of a flat map are made anew for each shape unless the layout lets layers of all numbers of
 * channels share them. */
bool direct_much_code(const Plan *p, bool many_shapes) { return p->direct.order == OC_FLAT && !many_shapes; }

/* ==== cost ==== */

enum { TURN = 120 /* cycles of a panel's turn at a block of rows */ };

static double count_tiles(const ConvCost *c, const DirectPlan *p) {
  return (double)(c->l.images * c->l.rows * size_ceiling(c->l.cols, p->uw));
}

static double count_panels(const ConvCost *c, const DirectPlan *p) {
  return (double)(size_ceiling(c->l.out_blocks, p->nb) * p->groups);
}

/* Each tile meets all weights. */
static double row_tile_oc_cycles(const ConvCost *c, const DirectPlan *p, double arithmetic) {
  double rows_bytes = c->l.taps > 1 ? (double)c->l.n->win.kh * (double)(c->l.x[3] * c->l.x[1]) * 4 : 0;
  double between = c->weight_bytes + rows_bytes;
  double again = reread_cycles(c, c->weight_bytes, count_tiles(c, p), between, c->r->weights_l2);
  return arithmetic + again + c->weight_bytes / c->r->met_weights + (p->ahead ? 0 : c->input_bytes / c->r->met);
}

/* Each tile of a block of rows meets a panel, from L2 if L1 can't hold it; each panel meets the block's
 * input. */
static double oc_row_tile_cycles(const ConvCost *c, const DirectPlan *p, double arithmetic) {
  double number = (double)size_ceiling(c->l.images * c->l.rows, p->block_rows), panels = count_panels(c, p);
  double block_bytes = c->input_bytes / number;
  double panel = c->weight_bytes * count_tiles(c, p) * c->not_in_l1 / c->r->weights_l2;
  double input = reread_cycles(c, block_bytes, panels / p->groups, block_bytes, c->r->input_l2) * number;
  double work = arithmetic + panel + input + c->input_bytes / c->r->met + panels * number * TURN;
  double weights = c->weight_bytes * (1 + miss_share(c->weight_bytes + block_bytes, c->l.t->l2) * (number - 1));
  return p->stream ? overlap(work, weights / c->r->fetched) : work + weights / c->r->met;
}

/* Between chunks the sums wait in scratch. */
static double oc_flat_cycles(const ConvCost *c, const DirectPlan *p, double arithmetic, double chunks) {
  const ConvLayer *l = &c->l;
  double sums = (double)(l->images * p->groups * l->out_blocks * l->rows * l->cols) * 2 * (chunks - 1);
  double panels = (double)size_ceiling(l->out_blocks, p->nb);
  double input = reread_cycles(c, c->input_bytes, panels, c->input_bytes, c->r->input_l2);
  double work = arithmetic + sums + input + c->input_bytes / c->r->met;
  return overlap(work, c->weight_bytes * (double)l->images / c->r->fetched) + c->r->code;
}

double cost_direct(const ConvCost *cost, const Plan *plan) {
  const DirectPlan *p = &plan->direct;
  ConvCost c = *cost;
  const ConvLayer *l = &c.l;
  if (l->n->op == OP_ConvInteger && !adds_fours(l->t) && !p->small && l->t->regs == 16) c.pairs = p;
  int64_t in_blocks = size_ceiling(p->icg, p->planar ? 1 : l->t->lanes);
  double steps = (double)(p->icg * l->taps), loops = (double)(in_blocks * l->taps);
  double maps = (double)(l->images * p->groups);
  if (p->order == OC_FLAT) {
    double chunks = p->chunk ? (double)size_ceiling(in_blocks, p->chunk) : 1;
    double one = pixels_cycles(&c, l->rows * l->cols, p->uw, p->nb, steps / chunks, loops / chunks);
    return oc_flat_cycles(&c, p, maps * chunks * one, chunks);
  }
  c.not_in_l1 = miss_share(c.weight_bytes / (p->order == OC_ROW_TILE ? count_panels(&c, p) : 1), 2 * l->t->l1);
  RowPiece piece[MAX_PIECES];
  double row = 0;
  for (int i = 0, count = direct_pieces(l->n, p->inside, piece); i < count; i++) {
    double share = (double)piece[i].taps * row_taps(l) / (double)l->taps;
    row += pixels_cycles(&c, piece[i].width, p->uw, p->nb, steps * share, loops * share);
  }
  double arithmetic = maps * (double)l->rows * row;
  return p->order == ROW_TILE_OC ? row_tile_oc_cycles(&c, p, arithmetic) : oc_row_tile_cycles(&c, p, arithmetic);
}

/* ==== packing ==== */

int64_t direct_columns(const Target *t, const DirectPlan *p) {
  if (!p->ones) return p->whole ? size_round_up(p->ocg, t->lanes) : packed_columns(p->ocg, t->lanes);
  return size_round_up(p->ocg, t->lanes) + size_ceiling(p->ocg, (int64_t)p->nb * t->lanes) * t->lanes;
}

int64_t packed_direct(const Target *t, const Node *n, const Plan *plan) {
  const DirectPlan *p = &plan->direct;
  int64_t rows = size_mul(size_mul(p->groups, p->icg), n->win.kh * n->win.kw);
  if (n->op != OP_ConvInteger) return packed_rows_bytes(rows, p->ocg, t->lanes);
  int64_t before = size_add(integer_starts_bytes(t, n, p), p->sorted ? sorted_bytes(t, p, &n->win) : 0);
  return size_add(packed_rows_bytes(rows, p->ones || p->whole ? direct_columns(t, p) : p->ocg, t->lanes), before);
}

static void put_weight(const Node *n, int64_t oc, int64_t c, int64_t k, float *to) {
  if (n->op == OP_ConvInteger) integer_weights(n, oc, c, k, (int8_t *)to);
  else *to = conv_weight(n, oc, c, k);
}

/* One panel: [channel block][tap][channel in the block][nb][lane]; the last channel block holds what is left. */
static float *pack_panel(const ConvLayer *l, bool ones, int64_t oc, int64_t width, int64_t used, float *dst) {
  for (int64_t c0 = 0, c1; c0 < l->icg; c0 = c1) {
    c1 = next_block(c0, l->icg, l->t->lanes);
    for (int64_t k = 0; k < l->taps; k++) {
      for (int64_t c = c0; c < c1; c++, dst += width) {
        for (int64_t o = 0; o < used; o++) put_weight(l->n, oc + o, c, k, dst + o);
        for (int64_t o = width - l->t->lanes; ones && o < width; o++) integer_ones(l->n, c, (int8_t *)(dst + o));
      }
    }
  }
  return dst;
}

/* The same, [channel][tap][nb][lane]. */
static float *pack_planar_panel(const Node *n, int64_t oc, int64_t width, int64_t used, float *dst) {
  const Shape *w = &n->in[1]->shape;
  int64_t taps = w->d[2] * w->d[3];
  for (int64_t c = 0; c < w->d[1]; c++) {
    for (int64_t k = 0; k < taps; k++, dst += width) {
      for (int64_t o = 0; o < used; o++) dst[o] = conv_weight(n, oc + o, c, k);
    }
  }
  return dst;
}

void pack_panels(const Target *t, const Node *n, const DirectPlan *p, float *dst) {
  ConvLayer l = conv_layer(t, n);
  int64_t ocg = l.ocg, full = (int64_t)p->nb * t->lanes, behind = p->ones ? t->lanes : 0;
  int64_t channels = p->ones || p->whole ? size_round_up(ocg, t->lanes) : packed_columns(ocg, t->lanes);
  if (p->whole) l.icg = p->icg;
  for (int64_t group = 0; group < n->group; group++) {
    for (int64_t oc0 = 0; oc0 < channels; oc0 += full) {
      int64_t width = size_min(channels - oc0, full), used = size_min(width, ocg - oc0), oc = group * ocg + oc0;
      dst = p->planar ? pack_planar_panel(n, oc, width, used, dst) : pack_panel(&l, p->ones, oc, width + behind, used, dst);
    }
  }
}

void pack_direct(const Target *t, const Node *n, void *to) {
  char *dst = to;
  if (n->op == OP_ConvInteger) {
    integer_starts(t, n, to);
    dst += integer_starts_bytes(t, n, &n->plan->direct);
  }
  if (n->plan->direct.sorted) pack_sorted(t, n, dst);
  else pack_panels(t, n, &n->plan->direct, (float *)dst);
}

bool alike_direct(const Node *a, const Node *b) {
  const DirectPlan *p = &a->plan->direct, *q = &b->plan->direct;
  bool starts = a->op != OP_ConvInteger || (integer_alike(a, b) && sorted_alike(a, b));
  return starts && p->nb == q->nb && p->planar == q->planar && p->groups == q->groups;
}
