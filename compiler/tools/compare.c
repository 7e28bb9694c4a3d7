/* compare.c: how far an output is from what it should be. */
#include "tools.h"

#include <math.h>
#include <stdlib.h>

static bool is_same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

/* Steps between neighbouring numbers of the type that lie between both: the bits of floats of one sign count in their order. */
static double steps_between(const Tensor *a, const Tensor *b, int64_t i) {
  if (!type_is_float(a->type)) return fabs(tensor_element(a, i) - tensor_element(b, i));
  int bits = 8 * (int)type_size(a->type);
  double place[2];
  for (int k = 0; k < 2; k++) {
    const uint8_t *at = (const uint8_t *)(k ? b : a)->data + (size_t)i * type_size(a->type);
    uint64_t raw = 0, sign = UINT64_C(1) << (bits - 1);
    move_bytes(&raw, at, type_size(a->type));
    place[k] = raw & sign ? -(double)(raw & ~sign) : (double)raw;
  }
  return fabs(place[0] - place[1]);
}

/* ==== the best classes ==== */

enum { BEST = 5 };

/* Numbers of the largest elements of n, the largest first; of equals the first. */
static void find_best(const Tensor *t, int64_t first, int64_t n, int count, int64_t *best) {
  for (int k = 0; k < count; k++) {
    best[k] = -1;
    for (int64_t i = 0; i < n; i++) {
      bool taken = false;
      for (int j = 0; j < k; j++) taken |= best[j] == i;
      if (!taken && (best[k] < 0 || tensor_element(t, first + i) > tensor_element(t, first + best[k]))) best[k] = i;
    }
  }
}

static bool same_set(const int64_t *a, const int64_t *b, int n) {
  for (int i = 0; i < n; i++) {
    bool found = false;
    for (int k = 0; k < n; k++) found |= a[i] == b[k];
    if (!found) return false;
  }
  return true;
}

/* Of a vector of scores for each image. */
static void compare_best(const Tensor *got, const Tensor *want, ReportOutput *o) {
  const Shape *s = &got->shape;
  int axis = s->rank == 1 ? 0 : 1;
  int64_t n = s->rank > 0 ? s->d[axis] : 0;
  if (n < 2 || shape_count(s) % n || !type_is_float(got->type)) return;
  for (int i = axis + 1; i < s->rank; i++) {
    if (s->d[i] != 1) return;
  }
  int count = n < BEST ? (int)n : BEST;
  o->rows = shape_count(s) / n;
  for (int64_t row = 0; row < o->rows; row++) {
    int64_t a[BEST], b[BEST];
    find_best(got, row * n, n, count, a);
    find_best(want, row * n, n, count, b);
    o->top1 += a[0] == b[0];
    o->top5 += same_set(a, b, count);
  }
}

/* ==== all elements ==== */

static double largest_of(const Tensor *t) {
  double largest = 0;
  for (int64_t i = 0; i < shape_count(&t->shape); i++) {
    double v = fabs(tensor_element(t, i));
    if (isfinite(v) && v > largest) largest = v;
  }
  return largest;
}

/* What rounding to the type itself takes. */
static double least_tolerance(Type t) { return t == T_BF16 ? 2e-2 : t == T_F16 ? 2e-3 : 0; }

ReportOutput compare_output(const Tensor *got, const Tensor *want, double rtol) {
  ReportOutput o = {.name = want->name, .type = type_name(got->type), .shape = got->shape, .at = -1};
  double largest = largest_of(want), unit = largest > 0 ? largest : 1, worst = 0;
  o.rtol = fmax(rtol, least_tolerance(got->type));
  for (int64_t i = 0; i < shape_count(&got->shape); i++) {
    double a = tensor_element(got, i), b = tensor_element(want, i);
    if (is_same(a, b)) continue;
    double difference = fabs(a - b), steps = isnan(a) || isnan(b) ? INFINITY : steps_between(got, want, i);
    if (!isfinite(difference)) difference = INFINITY;
    if (difference > worst || o.at < 0) worst = difference, o.at = i, o.got = a, o.want = b;
    o.ulp = fmax(o.ulp, steps);
  }
  o.error = worst / unit;
  o.agrees = o.error <= o.rtol;
  compare_best(got, want, &o);
  return o;
}

bool layers_round_otherwise(const Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    if (g->node[i]->candidates && g->node[i]->plan->how->rounds) return true;
  }
  return false;
}
