/* ranges.c: which range of a value its 255 steps reach over, of what it was on samples. What lies outside is clamped, so a
 * narrower range has finer steps for the many and a larger error for the few. */
#include "tools.h"

#include <math.h>

/* The 8-bit number nearest to v, as the number that it stands for. */
static double rounded(double v, double lo, double hi) {
  double scale = (hi - lo) / 255, zero = nearbyint(-lo / scale), steps = nearbyint(v / scale) + zero;
  return (fmin(fmax(steps, 0), 255) - zero) * scale;
}

static double bin_middle(const Histogram *h, int i) { return h->lo + (h->hi - h->lo) * (i + 0.5) / HISTOGRAM_BINS; }

/* ==== percentile ==== */

static const double kept = 0.99999; /* of all elements */

static QuantRange percentile_range(const Histogram *h) {
  double all = 0, sum = 0;
  int first = 0, last = HISTOGRAM_BINS - 1;
  for (int i = 0; i < HISTOGRAM_BINS; i++) all += h->count[i];
  double outside = all * (1 - kept) / (h->lo < 0 ? 2 : 1); /* at each end that may be cut */
  for (sum = 0; last > 0 && sum + h->count[last] <= outside; last--) sum += h->count[last];
  if (h->lo < 0)
    for (sum = 0; first < last && sum + h->count[first] <= outside; first++) sum += h->count[first];
  double width = (h->hi - h->lo) / HISTOGRAM_BINS;
  return (QuantRange){(float)(h->lo + first * width), (float)(h->lo + (last + 1) * width)};
}

/* ==== the best of several narrower ranges ==== */

enum { NARROWINGS = 60 };

static QuantRange narrower(const Histogram *h, int i) {
  double factor = 1 - 0.8 * i / NARROWINGS;
  return (QuantRange){(float)(fmin(h->lo, 0) * factor), (float)(fmax(h->hi, 0) * factor)};
}

/* The sum of squares of what rounding and clamping change. */
static double square_error(const Histogram *h, QuantRange r) {
  double sum = 0;
  for (int i = 0; i < HISTOGRAM_BINS; i++) {
    double v = bin_middle(h, i), error = v - rounded(v, r.lo, r.hi);
    sum += h->count[i] * error * error;
  }
  return sum;
}

/* Elements by bin, the zeros that a Relu leaves taken for as many as their neighbours: they are exact in any range. */
static double without_zeros(const Histogram *h, double *count) {
  double all = 0, width = (h->hi - h->lo) / HISTOGRAM_BINS;
  int zero = (int)(-h->lo / width);
  for (int i = 0; i < HISTOGRAM_BINS; i++) count[i] = h->count[i];
  if (zero >= 0 && zero < HISTOGRAM_BINS) count[zero] = fmin(count[zero], count[zero ? zero - 1 : 1]);
  for (int i = 0; i < HISTOGRAM_BINS; i++) all += count[i];
  return all;
}

/* The bins whose middle is in the range: [first, last]. */
static void bins_inside(const Histogram *h, QuantRange r, int *first, int *last) {
  *first = 0, *last = HISTOGRAM_BINS - 1;
  while (*first < *last && bin_middle(h, *first) < r.lo) ++*first;
  while (*last > *first && bin_middle(h, *last) > r.hi) --*last;
}

/* The Kullback-Leibler divergence of the elements, those outside of the range counted at its ends, from what 256 steps tell of
 * them: each step spread evenly over its bins that are not empty. */
static double divergence(const Histogram *h, QuantRange r) {
  double count[HISTOGRAM_BINS], step_sum[256] = {0}, all = without_zeros(h, count), inside = 0, sum = 0;
  int step[HISTOGRAM_BINS], filled[256] = {0}, first, last;
  bins_inside(h, r, &first, &last);
  for (int i = first; i <= last; i++) {
    step[i] = (int)((double)(i - first) * 256 / (last - first + 1));
    step_sum[step[i]] += count[i];
    filled[step[i]] += count[i] > 0;
    inside += count[i];
  }
  for (int i = 0; i < first; i++) count[first] += count[i];
  for (int i = HISTOGRAM_BINS - 1; i > last; i--) count[last] += count[i];
  for (int i = first; i <= last; i++) {
    double p = count[i] / all, q = filled[step[i]] ? step_sum[step[i]] / filled[step[i]] / inside : 0;
    if (p > 0) sum += p * log(p / fmax(q, 1e-12));
  }
  return sum;
}

static QuantRange best_range(const Histogram *h, double (*loss)(const Histogram *, QuantRange)) {
  QuantRange best = narrower(h, 0);
  double least = loss(h, best);
  for (int i = 1; i < NARROWINGS; i++) {
    QuantRange r = narrower(h, i);
    double l = loss(h, r);
    if (l < least) least = l, best = r;
  }
  return best;
}

QuantRange range_of(const Histogram *h, RangeMethod method) {
  QuantRange whole = {(float)h->lo, (float)h->hi};
  if (!(h->hi > h->lo)) return whole;
  switch (method) {
    case RANGES_PERCENTILE: return percentile_range(h);
    case RANGES_MSE: return best_range(h, square_error);
    case RANGES_ENTROPY: return best_range(h, divergence);
    case RANGES_MINMAX: break;
  }
  return whole;
}
