/* cost.c: the estimated time of a convolution's plan on one core: vector operations at the rate of the tile,
 * calls, and bytes from L2 and from beyond it.
 *
 * The constants were measured: those of AVX-512 on a server of the Sapphire Rapids class, those of AVX2 on
 * Zen 3, where the estimates of ResNet's layers are within some 10 per cent of the times. What counts is the
 * order of a layer's plans. */
#include "lower.h"

typedef struct Rates {
  int lanes;
  bool fma;
  double ghz;
  double fma_cycles;  /* of one multiply-add of a vector, when many go on at once */
  double load_share;  /* how much of it a load in the loop adds, by clock or by ports */
  double weights_l2, input_l2; /* bytes from L2 that cost a cycle more */
  double met, met_weights;     /* the same from beyond L2; weights come in many short streams */
  double fetched;     /* bytes a cycle from beyond L2 while kernels prefetch them */
} Rates;

/* The first row whose lanes and fma the target has. */
static const Rates rates[] = {
  {16, true, 3.4, 0.5, 0.27, 53, 100, 6, 3.9, 4.5},
  {8, true, 3.2, 0.5, 0.03, 400, 100, 80, 80, 6},
  {8, false, 3.2, 1, 0.03, 400, 100, 80, 80, 6},
  {4, true, 3.2, 0.5, 0.03, 400, 100, 80, 80, 6},
  {4, false, 3.2, 1, 0.03, 400, 100, 80, 80, 6},
};

enum { LATENCY = 4, LOADS_A_CYCLE = 2, CALL = 12, LOOP = 1, TURN = 120 /* of a panel */ };

typedef struct Cost {
  const Rates *r;
  const Target *t;
  const Node *n;
  const ConvPlan *p;
  const int64_t *x, *y;    /* shapes of input and result */
  int64_t images, taps;
  int64_t out_blocks;      /* of a group */
  double input_bytes, weight_bytes;
  bool sets;               /* small tiles sum in several sets, which hide the latency of each other */
} Cost;

static const Rates *rates_of(const Target *t) {
  for (size_t i = 0; i < COUNT(rates); i++) {
    if (rates[i].lanes == t->lanes && rates[i].fma == t->fma) return &rates[i];
  }
  return &rates[0];
}

static double larger(double a, double b) { return a > b ? a : b; }

/* Of two things that go on at once the shorter hides behind the longer, but for a fifth. */
static double overlap(double a, double b) { return larger(a, b) + (a + b - larger(a, b)) / 5; }

/* ==== tiles ==== */

/* One step of a tile: nb weight vectors against uw broadcast inputs. */
static double step_cycles(const Cost *c, int64_t uw, int64_t nb) {
  double products = (double)(uw * nb), loads = (double)(uw + nb);
  double busy = products * c->r->fma_cycles + loads * c->r->fma_cycles * c->r->load_share;
  return larger(larger(busy, loads / LOADS_A_CYCLE), c->sets && products <= 4 ? 1 : LATENCY);
}

/* A call: `steps` steps in groups between which a loop turns; sums begin and end in memory. */
static double tile_cycles(const Cost *c, int64_t uw, int64_t nb, double steps, double loops) {
  return CALL + loops * LOOP + steps * step_cycles(c, uw, nb) + (double)(uw * nb);
}

/* `pixels` in as few tiles as possible, all of one size or one less, for panels of nb blocks and a narrower
 * last one. */
static double pixels_cycles(const Cost *c, int64_t pixels, double steps, double loops) {
  int64_t count = size_ceiling(pixels, c->p->uw), uw = pixels / count, wider = pixels % count;
  int64_t panels = c->out_blocks / c->p->nb, rest = c->out_blocks % c->p->nb;
  double sum = 0;
  for (int i = 0; i < 2; i++) {
    double number = (double)(i ? count - wider : wider);
    sum += number * (double)panels * tile_cycles(c, uw + !i, c->p->nb, steps, loops);
    if (rest) sum += number * tile_cycles(c, uw + !i, rest, steps, loops);
  }
  return sum;
}

/* ==== memory ==== */

/* Which part of a set that is read again and again a cache of `size` bytes does not keep: nothing up to half
 * its size, everything from its size on. */
static double miss_share(double set, int64_t size) {
  double over = set / (double)size * 2 - 1;
  return over < 0 ? 0 : over > 1 ? 1 : over;
}

/* `bytes` read so many times in turn, beside what the arithmetic hides; `set` is all that is read in between,
 * `l2` their rate from there. */
static double reread_cycles(const Cost *c, double bytes, double times, double set, double l2) {
  double from_l2 = bytes * times * miss_share(bytes, 2 * c->t->l1) / l2;
  return from_l2 + bytes * (times - 1) * miss_share(set, c->t->l2) / c->r->met;
}

/* ==== direct ==== */

static double tiles(const Cost *c) { return (double)(c->images * c->y[2] * size_ceiling(c->y[3], c->p->uw)); }

/* Each tile meets all weights. */
static double row_tile_oc_cycles(const Cost *c, double arithmetic) {
  double rows_bytes = c->taps > 1 ? (double)c->n->win.kh * (double)(c->x[3] * c->x[1]) * 4 : 0;
  double again = reread_cycles(c, c->weight_bytes, tiles(c), c->weight_bytes + rows_bytes, c->r->weights_l2);
  return arithmetic + again + c->weight_bytes / c->r->met_weights + (c->p->ahead ? 0 : c->input_bytes / c->r->met);
}

/* Each tile of a block of rows meets a panel, from L2 if L1 can't hold it; each panel meets the block's
 * input. */
static double oc_row_tile_cycles(const Cost *c, double arithmetic) {
  double number = (double)size_ceiling(c->images * c->y[2], c->p->block_rows);
  double panels = (double)(size_ceiling(c->out_blocks, c->p->nb) * c->p->groups);
  double block_bytes = c->input_bytes / number;
  double not_in_l1 = miss_share(c->weight_bytes / panels, 2 * c->t->l1);
  double panel = c->weight_bytes * tiles(c) * not_in_l1 / c->r->weights_l2;
  double input = reread_cycles(c, block_bytes, panels / c->p->groups, block_bytes, c->r->input_l2) * number;
  double work = arithmetic + panel + input + c->input_bytes / c->r->met + panels * number * TURN;
  double weights = c->weight_bytes * (1 + miss_share(c->weight_bytes + block_bytes, c->t->l2) * (number - 1));
  return c->p->stream ? overlap(work, weights / c->r->fetched) : work + weights / c->r->met;
}

/* Between chunks the sums wait in scratch. */
static double oc_flat_cycles(const Cost *c, double arithmetic, double chunks) {
  double sums = (double)(c->images * c->p->groups * c->out_blocks * c->y[2] * c->y[3]) * 2 * (chunks - 1);
  double panels = (double)size_ceiling(c->out_blocks, c->p->nb);
  double input = reread_cycles(c, c->input_bytes, panels, c->input_bytes, c->r->input_l2);
  double work = arithmetic + sums + input + c->input_bytes / c->r->met;
  return overlap(work, c->weight_bytes * (double)c->images / c->r->fetched);
}

static double direct_cycles(const Cost *c) {
  int64_t lanes = c->p->planar ? 1 : c->t->lanes, in_blocks = size_ceiling(c->p->icg, lanes);
  double steps = (double)(c->p->icg * c->taps), loops = (double)(in_blocks * c->taps);
  double maps = (double)(c->images * c->p->groups);
  if (c->p->order == OC_FLAT) {
    double chunks = c->p->chunk ? (double)size_ceiling(in_blocks, c->p->chunk) : 1;
    double one = pixels_cycles(c, c->y[2] * c->y[3], steps / chunks, loops / chunks);
    return oc_flat_cycles(c, maps * chunks * one, chunks);
  }
  double arithmetic = maps * (double)c->y[2] * pixels_cycles(c, c->y[3], steps, loops);
  return c->p->order == ROW_TILE_OC ? row_tile_oc_cycles(c, arithmetic) : oc_row_tile_cycles(c, arithmetic);
}

/* ==== Winograd: see emit/conv_winograd.c ==== */

enum { TRANSFORM = 4 /* cycles of a tile's input, or output, for each frequency and block */ };

/* Transforming all weights once: what is given of them is not stored, and of two phases some serve several points. */
static double weights_transform(const Cost *c, const WinogradForm *f) {
  int side = f->points + f->stride - 1, made = side * side - f->kernel * f->kernel;
  double vectors = (double)(c->p->icg * c->out_blocks);
  return c->p->stored ? 0 : vectors * made * (c->p->fused ? 1.5 : 3) * c->r->fma_cycles;
}

/* Tiles of a group with products at point i of a dimension, where the last tile is cut. */
static int64_t tiles_at(const WinogradForm *f, int64_t tiles, int cut, int i) {
  return cut && i >= winograd_points(f, cut) ? tiles - 1 : tiles;
}

/* All products of a group of tiles: its tile of registers is full where it is fused. */
static double group_products(const Cost *c, const WinogradForm *f, const WinogradSizes *s) {
  double sum = 0, chunks = c->p->stored ? 1 : (double)size_ceiling(s->in_blocks, c->p->chunk);
  int64_t rows = c->p->tile_rows < s->tile_rows ? c->p->tile_rows : s->tile_rows;
  for (int i = 0; i < f->points; i++) {
    for (int j = 0; j < f->points; j++) {
      int64_t tiles = tiles_at(f, rows, s->cut_rows, i) * tiles_at(f, s->tile_cols, s->cut_cols, j) * c->p->group_images;
      double steps = (double)(c->p->icg * winograd_phases(f, i) * winograd_phases(f, j)) / chunks;
      if (c->p->fused) sum += (double)(tiles * c->out_blocks) * steps * chunks * c->r->fma_cycles * (1 + c->r->load_share);
      else if (tiles > 0) sum += chunks * pixels_cycles(c, tiles, steps, steps / c->t->lanes);
    }
  }
  return sum;
}

/* The weights stream by once a group of tiles, prefetched. */
static double winograd_cycles(const Cost *c) {
  const WinogradForm f = winograd_form_of(c->n, c->p);
  const WinogradSizes s = winograd_sizes(&f, c->p, &c->n->out[0]->shape, c->t->lanes);
  int64_t group = c->p->tile_rows < s.tile_rows ? c->p->tile_rows : s.tile_rows;
  double groups = (double)(size_ceiling(s.tile_rows, group) * c->images / c->p->group_images);
  double each = (double)(s.in_blocks * winograd_products(&f) + s.out_blocks * f.points * f.points) * TRANSFORM;
  double transforms = (double)(s.tile_rows * s.tile_cols * c->images) * each;
  double bytes = c->weight_bytes / (f.kernel * f.kernel) * (c->p->stored ? f.points * f.points : f.kernel * f.kernel);
  double products = group_products(c, &f, &s);
  double work = groups * (products + weights_transform(c, &f) + bytes / c->r->weights_l2);
  double weights = bytes * (1 + miss_share(bytes, c->t->l2) * (groups - 1));
  return overlap(work + transforms + c->input_bytes / c->r->met, weights / c->r->fetched);
}

/* ==== Strassen: see emit/conv_strassen.c ==== */

enum { PRODUCTS = 7, PRODUCT_CALL = 30 /* beyond CALL */ };

/* Each tile meets a quarter of its panels' weights in each product, from L2 if L1 can't hold it; for each group four
 * quarters are prepared, by two loads and a store each, most of it hidden. */
static double prepared_weights_cycles(const Cost *c, double groups, double tiles) {
  double quarters = c->weight_bytes / 4, quarter = (double)(c->p->icg / 2 * c->p->nb * c->t->lanes * 4);
  double again = PRODUCTS * quarters * tiles * miss_share(quarter, 2 * c->t->l1) / c->r->weights_l2;
  return again + groups * 4 * quarters * (1. / (c->t->lanes * 4) + 3 / c->r->weights_l2);
}

/* A quarter of the result's vectors costs 11 transfers to and from scratch, a quarter of the input's 12 cycles. */
static double strassen_scratch_cycles(const Cost *c, double pixels) {
  double results = (double)c->out_blocks / 2, inputs = (double)c->p->icg / (2. * c->t->lanes);
  return pixels * (results * 11 * c->r->fma_cycles + inputs * 12);
}

/* Input that L2 can't hold comes from beyond it for each pair of panels. */
static double strassen_cycles(const Cost *c) {
  const Shape *y = &c->n->out[0]->shape;
  int64_t line = strassen_line(c->p, y), pairs = strassen_pairs(c->p, y), half = c->p->icg / 2;
  double groups = (double)size_ceiling(pairs, c->p->group_pairs), panels = (double)c->out_blocks / (2. * c->p->nb);
  double tiles = (double)(pairs * size_ceiling(line, c->p->uw)), steps = (double)half;
  double one = (double)pairs * pixels_cycles(c, line, steps, steps / c->t->lanes) / 2 + tiles * panels * PRODUCT_CALL;
  double group_bytes = (double)(14 * c->p->group_pairs * line * c->p->icg);
  double beyond = groups * panels * group_bytes * miss_share(group_bytes, 2 * c->t->l2) + c->input_bytes;
  double work = PRODUCTS * one + strassen_scratch_cycles(c, (double)(pairs * line)) +
                prepared_weights_cycles(c, groups, tiles) + beyond / c->r->met;
  double again = miss_share(c->weight_bytes + group_bytes, c->t->l2) * (groups - 1);
  return overlap(work, c->weight_bytes * (1 + again) / c->r->fetched);
}

/* ==== one value a lane ==== */

/* Every product loads its input; each `sums` of a tap share it. A call does `pixels` of a row. */
static double lanes_cycles(const Cost *c, int64_t products, int64_t sums, int64_t pixels) {
  int64_t vectors = c->images * size_ceiling(c->y[1], c->t->lanes) * c->y[2] * c->y[3];
  double product = step_cycles(c, c->p->uw, sums) / (double)(c->p->uw * sums);
  double one = (double)products * product + (double)sums / 2, calls = (double)vectors / (double)pixels;
  return (double)vectors * one + calls * CALL + c->input_bytes / c->r->met;
}

/* ==== groups that do not fill blocks: see emit/conv_ragged.c ==== */

/* Blocks of the result that hold outputs of each group, counted for all of them. */
static int64_t pieces(const Cost *c) {
  int64_t lanes = c->t->lanes, each = c->p->ocg, sum = 0, period = lanes; /* after so many groups they lie as before */
  for (int64_t g = 0; g < period; g++) sum += (g * each + each - 1) / lanes - g * each / lanes + 1;
  return size_ceiling(sum * c->p->groups, period);
}

/* A loop turns for every channel. */
static double ragged_cycles(const Cost *c) {
  int64_t tiles = size_ceiling(c->y[3], c->p->uw), uw = size_ceiling(c->y[3], tiles), steps = c->p->icg * c->taps;
  double call = CALL + (double)steps * (LOOP + step_cycles(c, uw, 1)) + 2. * (double)uw;
  double calls = (double)(c->images * c->y[2] * tiles * pieces(c));
  return calls * call + c->input_bytes / c->r->met;
}

/* ==== many groups of few channels: see emit/conv_interleaved.c ==== */

/* Every pixel's sums are joined by shuffles, and where a group has several inputs, those of kh rows are parted by shuffles,
 * stored and loaded again. */
static double interleaved_cycles(const Cost *c) {
  double icg = c->p->icg, ocg = c->p->ocg, taps = (double)c->taps;
  int64_t tiles = size_ceiling(c->y[3], c->p->uw), uw = size_ceiling(c->y[3], tiles);
  double tile = CALL + taps * (LOOP + icg * step_cycles(c, uw, c->p->ocg)) + (double)uw * ocg * (ocg + 1);
  double parted = icg > 1 ? (double)(c->n->win.kh * c->x[3]) * icg * (icg + 1) : 0;
  double batches = (double)(c->images * c->y[2] * size_ceiling(c->p->groups, c->t->lanes));
  return batches * ((double)tiles * tile + parted) + c->input_bytes / c->r->met;
}

/* ==== few outputs: see emit/conv_narrow.c ==== */

/* Of each sum its lanes are summed at the end, by three operations, and it is put into place. */
static double narrow_cycles(const Cost *c) {
  int64_t panels = size_ceiling(c->p->ocg, c->p->nb), tiles = size_ceiling(c->y[3], c->p->uw), uw = size_ceiling(c->y[3], tiles);
  double steps = (double)(c->taps * size_ceiling(c->p->icg, c->t->lanes)), sums = (double)(uw * c->p->nb * panels);
  double tile = CALL + (double)panels * steps * (LOOP + step_cycles(c, uw, c->p->nb)) + 5 * sums;
  return (double)(c->images * c->y[2] * tiles) * tile + c->input_bytes / c->r->met;
}

/* See emit/conv_pixels.c: every pixel is put together from the sums of its outputs. */
static double pixels_across_cycles(const Cost *c) {
  int64_t vectors = size_ceiling(c->y[3], c->t->lanes), strips = size_ceiling(vectors, c->p->nb);
  int64_t nb = size_ceiling(vectors, strips);
  double steps = (double)(c->taps * c->p->icg), pixels = (double)(c->images * c->y[2] * c->y[3]);
  double strip = CALL + steps * (LOOP + step_cycles(c, nb, c->p->ocg));
  return (double)(c->images * c->y[2] * strips) * strip + pixels * (c->p->ocg + 2) + c->input_bytes / c->r->met;
}

static double cycles(const Cost *c) {
  int64_t tile = c->y[3] < c->p->uw ? c->y[3] : c->p->uw;
  switch (c->p->algorithm) {
  case CONV_WINOGRAD: return winograd_cycles(c);
  case CONV_STRASSEN: return strassen_cycles(c);
  case CONV_RAGGED: return ragged_cycles(c);
  case CONV_NARROW: return narrow_cycles(c);
  case CONV_PIXELS: return pixels_across_cycles(c);
  case CONV_INTERLEAVED: return interleaved_cycles(c);
  case CONV_GROUPED: return lanes_cycles(c, c->taps * c->p->icg, c->p->sums, c->y[3]);
  case CONV_DEPTHWISE: return lanes_cycles(c, c->taps, 1, tile);
  default: return direct_cycles(c);
  }
}

double plan_cost(const Target *t, const Node *n, const ConvPlan *p) {
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  Cost c = {.r = rates_of(t), .t = t, .n = n, .p = p, .x = x->d, .y = y->d, .images = y->d[0],
            .taps = n->win.kh * n->win.kw, .out_blocks = size_ceiling(p->ocg, t->lanes)};
  /* Rows that a window skips are not read. */
  int64_t new_rows = n->win.sh < n->win.kh ? n->win.sh : n->win.kh;
  c.input_bytes = (double)(c.images * y->d[2]) * (double)new_rows * (double)(x->d[3] * x->d[1]) * 4;
  c.sets = p->algorithm == CONV_WINOGRAD;
  c.weight_bytes = (double)p->groups * (double)p->icg * (double)(c.out_blocks * t->lanes * c.taps) * 4;
  return cycles(&c) / (c.r->ghz * 1e6);
}
