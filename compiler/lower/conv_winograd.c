/* conv_winograd.c: Winograd's minimal filtering in numbers (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2016): which form a layer can have, its points, its transformed weights, its sizes. The code is emit/conv_winograd.c's.
 *
 * F(m x m, r x r) makes m x m results of a tile of n x n inputs, n = m + r - 1, by n x n products a channel:
 *
 *   Y = A' [ (G g G') * (B' d B) ] A
 *
 * for the interpolation points infinity, 0, 1, -1, 1/2, -2, of which the first n are taken. These have up to 3 times less
 * error in fp32 than 0, 1, -1, 2, -2 for the same work (Barabasz et al., "Error Analysis and Improving the Accuracy of
 * Winograd Convolution for Deep Neural Networks", 2018). The divisions in G are moved into the input's transform: then a
 * weight's transform at a point does not depend on m, and a tile at the edge that holds fewer results goes without the last
 * points.
 *
 * A kernel of r taps is a polynomial of which r values tell all others. So what is stored of a kernel that is transformed on
 * the fly are its values at the first r points, which need no transform, and take no more room than the kernel.
 *
 * A convolution 3x3 of stride 2 is the sum of four of stride 1, each over the pixels of one parity of rows and columns and
 * with the taps that meet them: 2x2, 2x1, 1x2 and 1x1, the parities. Their products are summed at the same points, so that one
 * output transform serves all. A parity of one tap has no product at infinity and the same weight at all other points.
 *
 * A dilation splits the image into residues, which do not meet: each is a convolution of its own, whose pixels lie apart. */
#include "cost.h"


static const double point[WINOGRAD_POINTS] = {0 /* infinity */, 0, 1, -1, 0.5, -2};

/* Of B', by the number of points: what divides G elsewhere. */
static const double scales[WINOGRAD_POINTS + 1][WINOGRAD_POINTS] = {
  [2] = {1, 1}, [3] = {1, 1, 1}, [4] = {1, 1, 0.5, 0.5}, [5] = {1, 2, 1, -1. / 3, -8. / 3},
  [6] = {1, 1, 1. / 3, -1. / 3, -16. / 15, 1. / 15},
};

double winograd_point(int i) { return point[i]; }

/* Of the polynomial that is 1 at basis point k of `taps` and 0 at the others: its value at point i. That of
 * infinity has the leading coefficient 1. */
static double basis_value(int taps, int i, int k) {
  double value = 1;
  for (int t = 1; t < taps; t++) {
    if (t != k) value *= point[i] - point[t];
    if (t != k && k > 0) value /= point[k] - point[t];
  }
  return value;
}

double winograd_term(int taps, int i, int k) { return basis_value(taps, i, k) / basis_value(taps, i, 1); }

/* What weights at point i are divided by. */
static double divisor(int taps, int i) { return i < taps ? 1 : basis_value(taps, i, 1); }

double winograd_scale(int taps, int points, int i) { return scales[points][i] * divisor(taps, i); }

/* ==== forms ==== */

/* Six points where the taps are many; with two taps a sixth would save little and cost accuracy. */
static int most_results(int taps) { return taps == 2 ? 4 : WINOGRAD_POINTS - taps + 1; }

bool winograd_form(const Window *k, int m, WinogradForm *f) {
  if (k->kh != k->kw || k->sh != k->sw) return false;
  if (k->sh != 1 && (k->sh != 2 || k->kh != 3 || k->dh != 1 || k->dw != 1)) return false;
  if (k->kh > WINOGRAD_KERNEL) return false;
  *f = (WinogradForm){.kernel = (int)k->kh, .stride = (int)k->sh, .taps = (int)((k->kh + k->sh - 1) / k->sh)};
  f->m = m ? m : most_results(f->taps);
  f->points = winograd_points(f, f->m);
  f->dh = k->dh;
  f->dw = k->dw;
  return f->taps >= 2 && f->m >= 2 && f->points <= WINOGRAD_POINTS;
}

WinogradForm winograd_form_of(const Node *n, const WinogradPlan *p) {
  WinogradForm f;
  bool exists = winograd_form(&n->win, p->m, &f);
  assert(exists);
  (void)exists;
  return f;
}

int winograd_points(const WinogradForm *f, int results) { return results + f->taps - 1; }
int winograd_products(const WinogradForm *f) {
  int one = 1 + (f->points - 1) * f->stride;
  return one * one;
}

/* Transformed on the fly: how many numbers of a channel there are room for, see emit/winograd_weights.c. */
static int regions(const WinogradForm *f) { return f->stride == 1 ? f->points : 2 * f->points + 1; }

/* The same of integers: for two row points, and what all row points share. */
static int integer_regions(const WinogradForm *f) {
  return 2 * (f->points + f->stride - 1) + (f->stride > 1 ? f->points + 1 : 0);
}

/* With a product at point i, in one dimension. */
static int parities(const WinogradForm *f, int i) { return i == 0 ? 1 : f->stride; }

/* ==== weights ==== */

/* Row i of WinogradPowers.power. */
static void powers(const WinogradForm *f, int i, double *power) {
  static const int tap_of_parities[] = {2, 0, 1};
  double p = 1 / divisor(f->taps, i);
  for (int t = 0; t < f->kernel; t++, p *= point[i]) {
    if (f->stride > 1) power[t] = t == tap_of_parities[i];
    else power[t] = i > 0 ? p : t == f->kernel - 1;
  }
}

/* The taps, `step` apart, with the powers of number i. */
static double weight_at(const WinogradPowers *p, int i, const double *g, int step) {
  double sum = 0;
  for (int t = 0; t < p->kernel; t++) sum += p->power[i][t] * g[t * step];
  return sum;
}

/* How weights are transformed, in one dimension: number i of a transformed kernel is sum(t) power[i][t] g[t].
 * For a stride of 1 that is the kernel's value at point i. F(4,3), without the divisors:
 *
 *     point    g0   g1   g2
 *     inf       0    0    1
 *     0         1    0    0
 *     1         1    1    1     three values tell all others: these the object stores where weights are
 *     -1        1   -1    1     transformed on the fly (side = kernel)
 *     1/2       1   1/2  1/4
 *     -2        1   -2    4     all of them: side = points
 *
 * A kernel of three taps and stride 2 has three numbers: taps 2 and 0, which are the values of one parity at
 * infinity and 0, and tap 1, which is all of the other parity. */
WinogradPowers winograd_powers(const WinogradForm *f, int side) {
  WinogradPowers p = {.side = side, .kernel = f->kernel};
  for (int i = 0; i < side; i++) powers(f, i, p.power[i]);
  return p;
}

void winograd_weights(const WinogradPowers *p, const float *g, double *u) {
  double given[WINOGRAD_KERNEL * WINOGRAD_KERNEL], column[WINOGRAD_KERNEL];
  for (int i = 0; i < p->kernel * p->kernel; i++) given[i] = g[i];
  for (int i = 0; i < p->side; i++) {
    for (int c = 0; c < p->kernel; c++) column[c] = weight_at(p, i, given + c, p->kernel);
    for (int j = 0; j < p->side; j++) *u++ = weight_at(p, j, column, 1);
  }
}

/* ==== maps ==== */

/* Residues of one size along an axis. */
typedef struct Residues { int64_t first, count, size; } Residues;

static int residues_of(int64_t size, int64_t dilation, Residues *p) {
  int n = 0;
  int64_t longer = size % dilation;
  if (longer > 0) p[n++] = (Residues){0, longer, size / dilation + 1};
  if (size >= dilation) p[n++] = (Residues){longer, dilation - longer, size / dilation};
  return n;
}

int winograd_maps(const WinogradForm *f, const Shape *y, WinogradMap *maps) {
  Residues rows[2], cols[2];
  int n = 0, n_rows = residues_of(y->d[2], f->dh, rows), n_cols = residues_of(y->d[3], f->dw, cols);
  for (int i = 0; i < n_rows; i++) {
    for (int j = 0; j < n_cols; j++) {
      const Residues *r = &rows[i], *c = &cols[j];
      maps[n++] = (WinogradMap){size_mul(y->d[0], r->count * c->count), r->size, c->size, r->first, c->first, r->count, c->count};
    }
  }
  return n;
}

/* ==== sizes ==== */

/* V and M begin half a page apart, as far as two addresses can be of which a CPU at first compares no more
 * than the place in the page: where these agree, loads of V wait for the stores to M before them. */
static int64_t place_of_sums(const WinogradForm *f, const WinogradSizes *s) {
  int64_t v = s->one_group ? 0 : size_mul(f->points * f->points * 4, s->v_frequency);
  return size_add(size_round_up(v, WORK_ALIGN), WORK_ALIGN / 2);
}

/* May M lie where V does? A product's sums then take the place of what it has read, which nobody needs any more where one panel has all
 * outputs and one chunk all inputs; and more of both stays in L1. */
static bool sums_replace_input(const WinogradForm *f, const WinogradPlan *p, const WinogradSizes *s) {
  bool once = s->out_blocks <= p->nb && (p->stored || s->in_blocks <= p->chunk);
  return once && !s->one_group && !p->integer && f->stride == 1 && s->v_frequency == s->m_frequency;
}

/* A fused plan reads all parities of a row of frequencies at a time. Without room for another block between them
 * they would often be a multiple of 4 KB apart, so that all had to share the same few sets of L1. */
WinogradSizes winograd_sizes(const WinogradForm *f, const WinogradPlan *p, const WinogradMap *map, int lanes) {
  WinogradSizes s = {.tile_rows = (map->rows + f->m - 1) / f->m, .tile_cols = (map->cols + f->m - 1) / f->m};
  s.group_images = size_min(p->group_images, map->images);
  while (map->images % s.group_images != 0) s.group_images--;
  s.in_blocks = (p->icg + lanes - 1) / lanes;
  s.out_blocks = (p->ocg + lanes - 1) / lanes;
  s.one_group = !p->apart && p->tile_rows >= s.tile_rows;
  s.group_tiles = size_mul(s.group_images * size_min(p->tile_rows, s.tile_rows), s.tile_cols);
  s.cut_cols = (int)(map->cols % f->m);
  s.cut_rows = s.one_group ? (int)(map->rows % f->m) : 0;
  s.v_parity = size_mul((s.in_blocks + (p->fused && f->stride > 1)) * lanes, s.group_tiles);
  s.v_frequency = size_add(size_mul(f->stride * f->stride, s.v_parity), lanes);
  s.m_frequency = size_add(size_mul(p->nb * lanes, s.group_tiles), lanes);
  s.m_at = sums_replace_input(f, p, &s) ? 0 : place_of_sums(f, &s);
  return s;
}

int64_t winograd_region(int chunk, int nb, int lanes) {
  enum { SHIFT = 48 }; /* three cache lines */
  return (int64_t)chunk * lanes * nb * lanes + SHIFT;
}

int64_t winograd_rows(const Node *n) {
  const WinogradPlan *p = &n->plan->winograd;
  const WinogradForm f = winograd_form_of(n, p);
  WinogradMap map[WINOGRAD_MAPS];
  int64_t most = 0;
  for (int i = 0, count = winograd_maps(&f, &n->out[0]->shape, map); i < count; i++) {
    const WinogradMap *k = &map[i];
    WinogradSizes s = winograd_sizes(&f, p, k, 1);
    int64_t rows = s.cut_rows ? k->rows : s.tile_rows * f.m;
    most = size_max(most, (rows - 1) * f.dh + k->first_row + k->row_residues);
  }
  return most;
}

int64_t winograd_shared(const WinogradForm *f, const WinogradSizes *s, const WinogradMap *map) {
  if (!s->one_group) return 0;
  return size_mul(map->images / s->group_images, size_mul(f->points * f->points * 4, s->v_frequency));
}

/* Scratch and what is shared, of a plan that is otherwise whole. */
static void set_memory(const WinogradForm *f, Plan *plan, const Shape *y, int lanes) {
  const WinogradPlan *p = &plan->winograd;
  WinogradMap map[WINOGRAD_MAPS];
  int64_t u = (p->integer ? integer_regions(f) : regions(f)) * winograd_region(p->chunk, p->nb, lanes) * 4;
  plan->at.shared = plan->at.scratch = 0;
  for (int i = 0, count = winograd_maps(f, y, map); i < count; i++) {
    WinogradSizes s = winograd_sizes(f, p, &map[i], lanes);
    int64_t m = size_mul((int64_t)f->points * f->points * 4, s.m_frequency);
    plan->at.shared = size_add(plan->at.shared, winograd_shared(f, &s, &map[i]));
    plan->at.scratch = size_max(plan->at.scratch, size_add(size_add(s.m_at, m), p->stored ? 0 : u));
  }
}

/* ==== plans ==== */

static WinogradMap largest_map(const ConvLayer *l, const WinogradForm *f) {
  WinogradMap map[WINOGRAD_MAPS];
  winograd_maps(f, &l->n->out[0]->shape, map);
  return map[0];
}

/* Is it larger than a tile's results, or, of several residues, which may be small, than one pixel? */
static bool map_fits(const ConvLayer *l, const WinogradForm *f) {
  WinogradMap map = largest_map(l, f);
  int64_t least = f->dh * f->dw > 1 ? 2 : f->m;
  return map.rows >= least && map.cols >= least;
}

/* The form for tiles of m results, 0: the largest; false: Winograd's algorithm does not fit the layer. */
static bool fits(const ConvLayer *l, int m, WinogradForm *f) {
  return l->groups == 1 && !l->planar && winograd_form(&l->n->win, m, f) && map_fits(l, f);
}

/* Tiles treated at a time, as measured: the map where it has no more than the first; else with so many
 * registers. */
enum { ONE_GROUP_TILES = 49, GROUP_TILES_32 = 28, GROUP_TILES_16 = 16, GROUP_TILES_INTEGER = 42 };

static int64_t tile_cols(const ConvLayer *l, const WinogradForm *f) { return size_ceiling(largest_map(l, f).cols, f->m); }

/* Transformed input of a row of tiles. */
static int64_t row_bytes(const ConvLayer *l, const WinogradForm *f) {
  return winograd_products(f) * l->icg * tile_cols(l, f) * 4;
}

/* Rows of tiles in a group: all where the map is small, then of as many images as fill a group; else a few
 * tiles, whose transformed input is to take no more than half of L2. */
static void choose_group(const ConvLayer *l, const WinogradForm *f, WinogradPlan *p) {
  WinogradMap map = largest_map(l, f);
  int64_t rows = size_ceiling(map.rows, f->m), cols = tile_cols(l, f);
  int64_t few = (p->integer ? GROUP_TILES_INTEGER : l->t->regs == 32 ? GROUP_TILES_32 : GROUP_TILES_16) / cols;
  p->group_images = 1;
  p->tile_rows = (int)rows;
  if (rows * cols <= ONE_GROUP_TILES) {
    p->group_images = (int)(ONE_GROUP_TILES / (rows * cols));
    return;
  }
  int64_t fit = size_max(size_min(l->t->l2 / 2 / row_bytes(l, f), few), 1);
  bool even = !p->integer && fit > 2 && rows % fit != 0 && rows % (fit - 1) == 0; /* single rows are dear */
  p->tile_rows = (int)(even ? fit - 1 : fit);
}

static WinogradSizes sizes_of(const ConvLayer *l, const WinogradForm *f, const WinogradPlan *p) {
  WinogradMap map = largest_map(l, f);
  return winograd_sizes(f, p, &map, l->t->lanes);
}

static int64_t group_tiles(const ConvLayer *l, const WinogradForm *f, const WinogradPlan *p) {
  return sizes_of(l, f, p).group_tiles;
}

/* With one block a product loads about an input for each multiply-add. Where loads are no faster, and V comes from
 * beyond L1, wider panels win: on Zen 5, where this was measured, of all but dilated convolutions. */
static bool takes_wide_panels(const ConvLayer *l, const WinogradForm *f) {
  return l->t->wide_panels && f->dh * f->dw == 1;
}

/* Are there so few tiles that loading and storing what weights become takes much of the time? For wide panels that
 * is more than stays in L1. */
static bool few_tiles(const ConvLayer *l, const WinogradForm *f, const WinogradPlan *p) {
  return f->stride * group_tiles(l, f, p) <= 16;
}

/* Up to four blocks, about as many in all panels, of which there are four for threads to share where a group is the
 * whole map. */
static int wide_panel(const ConvLayer *l, const WinogradForm *f, const WinogradPlan *p) {
  int64_t most = few_tiles(l, f, p) ? 2 : 4;
  if (sizes_of(l, f, p).one_group) most = size_min(most, size_max(l->out_blocks / 4, 2));
  return (int)size_ceiling(l->out_blocks, size_ceiling(l->out_blocks, most));
}

/* Blocks of a panel. Of two parities the transformed input is twice as large for its tiles: wider panels read
 * it less often, where there are so many that a narrow last one does not count. Residues fill groups whose
 * transformed input L2 often does not hold. Two blocks of outputs of two of inputs let sums_replace_input. */
static int panel_blocks(const ConvLayer *l, const WinogradForm *f, const WinogradPlan *p) {
  int64_t input = (int64_t)f->points * f->points * l->icg * group_tiles(l, f, p) * 4;
  if (l->t->by_lane) return (int)size_min(4, l->out_blocks);
  if (p->fused) return (int)size_min(f->stride == 1 ? 1 : FUSED_BLOCKS, l->out_blocks);
  if (takes_wide_panels(l, f)) return wide_panel(l, f, p);
  if (l->t->regs == 32 && f->dh * f->dw > 1) return (int)size_min(input > 2 * l->t->l2 ? 4 : 2, l->out_blocks);
  bool two = p->apart && !p->fused && f->stride == 1 && l->out_blocks == 2 && p->icg == 2 * l->t->lanes;
  if (l->t->regs == 32) return two ? 2 : 1;
  return f->stride > 1 && group_tiles(l, f, p) <= 16 && l->out_blocks >= 16 ? 3 : 2;
}

/* Channels whose weights are transformed at a time. Fewer than 32 cost more loading and storing of sums, more
 * do not stay in L1; with few tiles that weighs more, unless the weights are transformed in registers. */
static int chunk_channels(const ConvLayer *l, const WinogradForm *f, const WinogradPlan *p) {
  if (p->fused) return 32;
  if (takes_wide_panels(l, f)) return p->nb > 2 || (f->stride == 1 && !few_tiles(l, f, p)) ? 32 : 16;
  return f->stride > 1 || group_tiles(l, f, p) <= 8 ? 16 : 32;
}

/* Do its sums stay in registers, of a map of few tiles? */
static bool fuses(const ConvLayer *l, const WinogradForm *f) {
  WinogradPlan p = {.icg = l->icg, .ocg = l->ocg, .nb = 1};
  choose_group(l, f, &p);
  bool one_group = p.tile_rows >= size_ceiling(l->rows, f->m);
  bool few = one_group && f->points * group_tiles(l, f, &p) <= FUSED_SUMS;
  return l->t->lanes == 16 && f->dh * f->dw == 1 && few && l->icg % l->t->lanes == 0;
}

/* A line of transformed input that another thread has made comes so many cycles late. Where that is a tenth of the time of its
 * products and more, each thread transforms for itself, and has rows of tiles of its own rather than panels. */
enum { LINE_CHANNELS = 16, LINE_LATE = 4 };

static bool stays_apart(const ConvLayer *l, const WinogradForm *f, const WinogradPlan *p) {
  bool whole = l->images * f->dh * f->dw == 1 && l->rows % f->m == 0 && p->tile_rows >= l->rows / f->m;
  return whole && LINE_CHANNELS * l->out_blocks / 2 <= 10 * LINE_LATE;
}

static void choose_tile(const Target *t, WinogradPlan *p, int nb) {
  p->nb = nb;
  p->uw = tile_pixels(t, nb);
}

static Plan *add_plan(const ConvLayer *l, const WinogradForm *f, bool fused, Plans *list) {
  Plan *plan = plans_add(list);
  WinogradPlan *p = &plan->winograd;
  p->icg = l->icg;
  p->ocg = l->ocg;
  p->m = f->m;
  p->fused = fused;
  choose_group(l, f, p);
  p->apart = stays_apart(l, f, p);
  choose_tile(l->t, p, panel_blocks(l, f, p));
  p->chunk = chunk_channels(l, f, p) / l->t->lanes;
  set_memory(f, plan, &l->n->out[0]->shape, l->t->lanes);
  return plan;
}

void winograd_follow(const Target *t, const Node *n, const Plan *other, Plan *p) {
  const WinogradForm f = winograd_form_of(n, &p->winograd);
  if (p->winograd.fused) return;
  p->winograd.chunk = other->winograd.chunk;
  choose_tile(t, &p->winograd, other->winograd.nb);
  set_memory(&f, p, &n->out[0]->shape, t->lanes);
}

static int64_t stored_bytes(const WinogradForm *f, const WinogradPlan *p) {
  return (int64_t)f->points * f->points * p->icg * p->ocg * 4;
}

/* Of few tiles that L2 does not hold come from memory no sooner than they are transformed. */
static bool stores(const ConvLayer *l, const WinogradForm *f, const WinogradPlan *p) {
  bool late = takes_wide_panels(l, f) && few_tiles(l, f, p) && stored_bytes(f, p) > l->t->l2;
  return f->stride == 1 && !late;
}

/* Stored weights that L2 holds are cheap to read again for each group: rows of tiles beyond one only as long
 * as their input stays in L1. Measured with 16 registers. */
static void fit_group_to_l1(const ConvLayer *l, const WinogradForm *f, WinogradPlan *p) {
  const Target *t = l->t;
  bool one_group = p->apart || sizes_of(l, f, p).one_group;
  if (t->regs != 16 || one_group || stored_bytes(f, p) > t->l2 / 2) return;
  int64_t fit = t->l1 / row_bytes(l, f);
  if (p->tile_rows > fit) p->tile_rows = (int)(fit < 1 ? 1 : fit);
}

/* The same with weights stored transformed. */
static void add_stored(const ConvLayer *l, const WinogradForm *f, const Plan *on_the_fly, Plans *list) {
  Plan *plan = plans_add(list);
  WinogradPlan *p = &plan->winograd;
  *plan = *on_the_fly;
  p->stored = true;
  fit_group_to_l1(l, f, p);
  choose_tile(l->t, p, takes_wide_panels(l, f) ? p->nb : (int)size_min(2, l->out_blocks));
  set_memory(f, plan, &l->n->out[0]->shape, l->t->lanes);
}

static void add_form(const Build *b, const ConvLayer *l, const WinogradForm *f, Plans *list) {
  if (fuses(l, f)) add_plan(l, f, true, list);
  const Plan *plan = add_plan(l, f, false, list);
  if (!b->options->small && stores(l, f, &plan->winograd)) add_stored(l, f, plan, list);
}

/* In the forms that --winograd leaves to choose from. Its differences of activations are NaN where two are
 * infinite, and reach all results of a tile. */
void plans_winograd(const Build *b, const Node *n, Plans *list) {
  static const int results[] = {[WINOGRAD_AUTO] = 0, [WINOGRAD_4] = 0, [WINOGRAD_2] = 2};
  const ConvLayer l = conv_layer(b->target, n);
  bool automatic = b->options->winograd == WINOGRAD_AUTO;
  WinogradForm f;
  if (automatic && !assumes_finite(b->graph)) return;
  if (b->options->winograd == WINOGRAD_OFF || !fits(&l, results[b->options->winograd], &f)) return;
  add_form(b, &l, &f, list);
  if (automatic && f.m > 2 && fits(&l, 2, &f)) add_form(b, &l, &f, list);
  list->only = !automatic;
}

/* Pairs of channels whose weights are transformed at a time, for two row points: these stay in L1. */
enum { INTEGER_CHUNK = 32, INTEGER_BLOCKS = 2 };

void plan_integer_winograd(const ConvLayer *l, Plans *list) {
  WinogradForm f;
  if (l->n->win.dh * l->n->win.dw != 1 || l->n->win.kh != 3 || !fits(l, 0, &f)) return;
  Plan *plan = plans_add(list);
  WinogradPlan *p = &plan->winograd;
  *p = (WinogradPlan){.icg = l->icg, .ocg = l->ocg, .m = f.m, .integer = true, .bounded = requantizes_bounded(l->n)};
  choose_group(l, &f, p);
  choose_tile(l->t, p, (int)size_min(INTEGER_BLOCKS, l->out_blocks));
  p->chunk = INTEGER_CHUNK / l->t->lanes;
  set_memory(&f, plan, &l->n->out[0]->shape, l->t->lanes);
}

const char *winograd_text(Context *cx, const Plan *plan) {
  const WinogradPlan *p = &plan->winograd;
  return format_text(cx, "winograd%d%s", p->m, p->stored ? ".stored" : p->fused ? ".fused" : "");
}

/* Transformed weights do, and whole vectors of channels where there are few channels. */
bool winograd_grows(const Target *t, const Plan *p) {
  return p->winograd.stored || packed_columns(p->winograd.ocg, t->lanes) % t->lanes != 0;
}

/* Only where there are many shapes does it come to more than the code of other algorithms for them. */
bool winograd_much_code(const Plan *p, bool many_shapes) {
  (void)p;
  return many_shapes;
}

/* ==== cost ==== */

/* Numbers that are stored of a kernel. */
static int64_t stored_terms(const WinogradForm *f, const WinogradPlan *p) {
  int side = p->stored ? f->points : f->kernel;
  return (int64_t)side * side;
}

enum { TRANSFORM = 4 /* cycles of a tile's input, or output, for each frequency and block */ };

/* Transforming all weights once: what is given of them is not stored, and of two parities some serve several
 * points. */
static double transform_cycles(const ConvCost *c, const WinogradForm *f, const WinogradPlan *p) {
  int side = f->points + f->stride - 1, made = side * side - f->kernel * f->kernel;
  double vectors = (double)(p->icg * c->l.out_blocks);
  return p->stored ? 0 : vectors * made * (p->fused ? 1.5 : 3) * c->r->fma_cycles;
}

/* Tiles of a group with products at point i of a dimension, where the last tile is cut. */
static int64_t tiles_at(const WinogradForm *f, int64_t tiles, int cut, int i) {
  return cut && i >= winograd_points(f, cut) ? tiles - 1 : tiles;
}

/* All products of a group of tiles: its tile of registers is full where it is fused. */
static double products_cycles(const ConvCost *c, const WinogradForm *f, const WinogradSizes *s,
                              const WinogradPlan *p) {
  double sum = 0, chunks = p->stored ? 1 : (double)size_ceiling(s->in_blocks, p->chunk);
  int64_t rows = size_min(p->tile_rows, s->tile_rows);
  for (int i = 0; i < f->points; i++) {
    for (int j = 0; j < f->points; j++) {
      int64_t down = tiles_at(f, rows, s->cut_rows, i), across = tiles_at(f, s->tile_cols, s->cut_cols, j);
      int64_t tiles = down * across * s->group_images;
      double steps = (double)(p->icg * parities(f, i) * parities(f, j)) / chunks;
      double vectors = (double)(tiles * c->l.out_blocks);
      if (p->fused) sum += vectors * steps * chunks * c->r->fma_cycles * (1 + c->r->load_share);
      else if (tiles > 0) sum += chunks * pixels_cycles(c, tiles, p->uw, p->nb, steps, steps / c->l.t->lanes);
    }
  }
  return sum;
}

/* Of a map: its work, and groups of tiles. */
typedef struct MapCost { double work, transforms, groups; } MapCost;

static MapCost map_cost(const ConvCost *c, const WinogradForm *f, const WinogradPlan *p, const WinogradMap *map,
                        double weight_bytes) {
  const WinogradSizes s = winograd_sizes(f, p, map, c->l.t->lanes);
  int64_t group = size_min(p->tile_rows, s.tile_rows);
  double groups = (double)(size_ceiling(s.tile_rows, group) * map->images / s.group_images);
  double each = (double)(s.in_blocks * winograd_products(f) + s.out_blocks * f->points * f->points) * TRANSFORM;
  double products = products_cycles(c, f, &s, p);
  return (MapCost){.work = groups * (products + transform_cycles(c, f, p) + weight_bytes / c->r->weights_l2),
                   .transforms = (double)(s.tile_rows * s.tile_cols * map->images) * each, .groups = groups};
}

/* The weights stream by once a group of tiles, prefetched. */
double cost_winograd(const ConvCost *cost, const Plan *plan) {
  const WinogradPlan *p = &plan->winograd;
  ConvCost sums_in_sets = *cost, *c = &sums_in_sets;
  c->sets = true;
  const WinogradForm f = winograd_form_of(c->l.n, p);
  WinogradMap map[WINOGRAD_MAPS];
  double bytes = c->weight_bytes / (f.kernel * f.kernel) * (double)stored_terms(&f, p);
  MapCost all = {0};
  for (int i = 0, count = winograd_maps(&f, &c->l.n->out[0]->shape, map); i < count; i++) {
    MapCost one = map_cost(c, &f, p, &map[i], bytes);
    all = (MapCost){all.work + one.work, all.transforms + one.transforms, all.groups + one.groups};
  }
  double weights = bytes * (1 + miss_share(bytes, c->l.t->l2) * (all.groups - 1));
  return overlap(all.work + all.transforms + c->input_bytes / c->r->met, weights / c->r->fetched);
}

/* ==== packing ==== */

int64_t packed_winograd(const Target *t, const Node *n, const Plan *plan) {
  const WinogradPlan *p = &plan->winograd;
  const WinogradForm f = winograd_form_of(n, p);
  return size_mul(size_mul(size_mul(size_round_up(p->ocg, t->lanes), p->icg), stored_terms(&f, p)), 4);
}

/* One panel: [chunk][transformed weight][channel][nb][lane], where a chunk are all channels if all points are
 * stored. */
static void pack_panel(const Target *t, const Node *n, const WinogradForm *f, int64_t oc0, int64_t width,
                       float *dst) {
  const WinogradPlan *p = &n->plan->winograd;
  int side = p->stored ? f->points : f->kernel;
  const WinogradPowers powers = winograd_powers(f, side);
  int64_t taps = (int64_t)f->kernel * f->kernel, used = size_min(width, p->ocg - oc0);
  int64_t most = p->stored ? p->icg : (int64_t)p->chunk * t->lanes;
  for (int64_t first = 0, count; first < p->icg; first += count, dst += side * side * count * width) {
    count = size_min(p->icg - first, most);
    for (int64_t c = 0; c < count; c++) {
      for (int64_t o = 0; o < used; o++) {
        double u[WINOGRAD_POINTS * WINOGRAD_POINTS];
        winograd_weights(&powers, (const float *)n->in[1]->data + ((oc0 + o) * p->icg + first + c) * taps, u);
        for (int k = 0; k < side * side; k++) dst[(k * count + c) * width + o] = (float)u[k];
      }
    }
  }
}

void pack_winograd(const Target *t, const Node *n, void *to) {
  const WinogradPlan *p = &n->plan->winograd;
  const WinogradForm f = winograd_form_of(n, p);
  float *dst = to;
  int64_t channels = size_round_up(p->ocg, t->lanes), full = (int64_t)p->nb * t->lanes;
  for (int64_t oc0 = 0, width; oc0 < channels; oc0 += width) {
    width = size_min(channels - oc0, full);
    pack_panel(t, n, &f, oc0, width, dst);
    dst += p->icg * width * stored_terms(&f, p);
  }
}

bool alike_winograd(const Node *a, const Node *b) {
  const WinogradPlan *p = &a->plan->winograd, *q = &b->plan->winograd;
  bool form = p->m == q->m && a->win.sh == b->win.sh;
  return form && p->nb == q->nb && p->stored == q->stored && p->chunk == q->chunk;
}
