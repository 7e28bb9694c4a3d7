/* winograd.c: Winograd's minimal filtering in numbers (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
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
 * with the taps that meet them: 2x2, 2x1, 1x2 and 1x1, the phases. Their products are summed at the same points, so that one
 * output transform serves all. A phase of one tap has no product at infinity and the same weight at all other points. */
#include "lower.h"

static const double point[WINOGRAD_POINTS] = {0 /* infinity */, 0, 1, -1, 0.5, -2};

/* Of B', by the number of points: what divides G elsewhere. */
static const double scales[WINOGRAD_POINTS + 1][WINOGRAD_POINTS] = {
  [2] = {1, 1}, [3] = {1, 1, 1}, [4] = {1, 1, 0.5, 0.5}, [5] = {1, 2, 1, -1. / 3, -8. / 3},
  [6] = {1, 1, 1. / 3, -1. / 3, -16. / 15, 1. / 15},
};

double winograd_point(int i) { return point[i]; }

/* Of the polynomial that is 1 at basis point k of `taps` and 0 at the others: its value at point i. That of infinity has the
 * leading coefficient 1. */
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
  if (k->kh != k->kw || k->sh != k->sw || k->dh != 1 || k->dw != 1) return false;
  if (k->sh != 1 && (k->sh != 2 || k->kh != 3)) return false;
  if (k->kh > WINOGRAD_KERNEL) return false;
  *f = (WinogradForm){.kernel = (int)k->kh, .stride = (int)k->sh, .taps = (int)((k->kh + k->sh - 1) / k->sh)};
  f->m = m ? m : most_results(f->taps);
  f->points = winograd_points(f, f->m);
  return f->taps >= 2 && f->m >= 2 && f->points <= WINOGRAD_POINTS;
}

WinogradForm winograd_form_of(const Node *n, const ConvPlan *p) {
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

int winograd_regions(const WinogradForm *f) { return f->stride == 1 ? f->points : 2 * f->points + 1; }
int winograd_phases(const WinogradForm *f, int i) { return i == 0 ? 1 : f->stride; }

/* ==== weights ==== */

/* What the taps of a kernel count in number i of a dimension: at point i, or of two phases in those of the first, then the tap
 * of the second. */
static void powers(const WinogradForm *f, int i, double *power) {
  static const int tap_of_phases[] = {2, 0, 1};
  double p = 1 / divisor(f->taps, i);
  for (int t = 0; t < f->kernel; t++, p *= point[i]) {
    if (f->stride > 1) power[t] = t == tap_of_phases[i];
    else power[t] = i > 0 ? p : t == f->kernel - 1;
  }
}

/* The taps, `step` apart, with the powers of number i. */
static double weight_at(const WinogradPowers *p, int i, const double *g, int step) {
  double sum = 0;
  for (int t = 0; t < p->kernel; t++) sum += p->power[i][t] * g[t * step];
  return sum;
}

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

/* ==== sizes ==== */

/* V and M begin half a page apart, as far as two addresses can be of which a CPU at first compares no more than the place in
 * the page: where these agree, loads of V wait for the stores to M before them. */
static int64_t place_of_sums(const WinogradForm *f, const WinogradSizes *s) {
  int64_t v = s->one_group ? 0 : size_mul(f->points * f->points * 4, s->v_frequency);
  return size_add(size_round_up(v, WORK_ALIGN), WORK_ALIGN / 2);
}

WinogradSizes winograd_sizes(const WinogradForm *f, const ConvPlan *p, const Shape *y, int lanes) {
  WinogradSizes s = {.tile_rows = (y->d[2] + f->m - 1) / f->m, .tile_cols = (y->d[3] + f->m - 1) / f->m};
  s.in_blocks = (p->icg + lanes - 1) / lanes;
  s.out_blocks = (p->ocg + lanes - 1) / lanes;
  s.one_group = p->tile_rows >= s.tile_rows;
  s.group_tiles = size_mul((int64_t)p->group_images * p->tile_rows, s.tile_cols);
  s.cut_cols = (int)(y->d[3] % f->m);
  s.cut_rows = s.one_group ? (int)(y->d[2] % f->m) : 0;
  s.v_frequency = size_add(size_mul(s.in_blocks * f->stride * f->stride * lanes, s.group_tiles), lanes);
  s.m_frequency = size_add(size_mul(p->nb * lanes, s.group_tiles), lanes);
  s.m_at = place_of_sums(f, &s);
  return s;
}

int64_t winograd_region(int chunk, int nb, int lanes) {
  enum { SHIFT = 48 }; /* three cache lines */
  return (int64_t)chunk * lanes * nb * lanes + SHIFT;
}

int64_t winograd_rows(const Node *n) {
  const Shape *y = &n->out[0]->shape;
  const WinogradForm f = winograd_form_of(n, n->plan);
  WinogradSizes s = winograd_sizes(&f, n->plan, y, 1);
  return s.cut_rows ? y->d[2] : s.tile_rows * f.m;
}

void winograd_memory(const WinogradForm *f, ConvPlan *p, const Shape *y, int lanes) {
  WinogradSizes s = winograd_sizes(f, p, y, lanes);
  int64_t frequencies = (int64_t)f->points * f->points;
  int64_t v = size_mul(frequencies * 4, s.v_frequency), m = size_mul(frequencies * 4, s.m_frequency);
  int64_t u = winograd_regions(f) * winograd_region(p->chunk, p->nb, lanes) * 4;
  p->shared = s.one_group ? size_mul(y->d[0] / p->group_images, v) : 0;
  p->scratch = size_add(size_add(s.m_at, m), p->stored ? 0 : u);
}

bool winograd_fuses(const WinogradForm *f, const ConvPlan *p, const Shape *y, const Target *t) {
  WinogradSizes s = winograd_sizes(f, p, y, t->lanes);
  bool few = s.one_group && f->points * s.group_tiles <= FUSED_SUMS;
  return t->regs == 32 && f->stride == 1 && few && p->icg % t->lanes == 0;
}
