/* numbers.c: the numbers of the steps that quantise: zero points, scales, and what follows from them. The kernels of packed integer
 * convolutions read them when they run, from a record of so many for each of these steps, and so do for all layers that differ in
 * nothing else:
 *
 *   [a b c zero lo hi base integer] ...        see StepNumber
 *
 * What of them the code rests on stays in a step's form. */
#include "conv.h"

#include <math.h>

static bool quantises(const Step *s) { return s->op == OP_Requantize || s->op == OP_QLinearAdd; }

bool step_is_numbered(const Node *n, int i) { return n->op == OP_ConvInteger && is_packed(n) && quantises(&n->step[i]); }

float step_zero(const Step *s) { return s->op == OP_Requantize ? s->a : s->op == OP_QuantizeLinear ? s->b : s->e; }

bool step_sum_is_bounded(const Step *s) {
  double most = 256 * (fabs((double)s->a) + fabs((double)s->b)) + fabs((double)s->c);
  return most < 0x1p30;
}

Step step_form(const Node *n, int i) {
  Step s = n->step[i];
  if (!step_is_numbered(n, i)) return s;
  bool bounded = s.op == OP_Requantize || step_sum_is_bounded(&s);
  float zero = step_zero(&s) != 0 ? 1 : 0;
  if (s.op == OP_QLinearAdd) s.a = s.b = s.c = bounded ? 0 : INFINITY;
  if (s.op == OP_QLinearAdd) s.e = zero;
  else s.a = zero;
  return s;
}

/* Of the step's type, and those of the steps behind it that only clip. */
static void bounds(const Node *n, int i, double *lo, double *hi) {
  *lo = (double)type_lowest(step_type(n, i));
  *hi = (double)type_highest(step_type(n, i));
  for (i++; i < n->n_step && n->step[i].op == OP_Clip; i++) {
    *lo = fmax(*lo, (double)n->step[i].a);
    *hi = fmin(*hi, (double)n->step[i].b);
  }
}

double numbers_get(const Node *n, int i, StepNumber which) {
  const Step *s = &n->step[i];
  double zero = (double)step_zero(s), lo, hi;
  bounds(n, i, &lo, &hi);
  switch (which) {
  case NUMBER_A: return (double)s->a;
  case NUMBER_B: return (double)s->b;
  case NUMBER_C: return (double)s->c;
  case NUMBER_LO: return lo - zero;
  case NUMBER_HI: return hi - zero;
  case NUMBER_BASE: return WHOLE_BASE - zero;
  default: return zero;
  }
}

int64_t numbers_before(const Node *n, int i) {
  int64_t bytes = 0;
  for (int k = 0; k < i; k++) bytes += step_is_numbered(n, k) ? STEP_NUMBERS * (int64_t)sizeof(float) : 0;
  return bytes;
}

int64_t numbers_bytes(const Node *n) { return numbers_before(n, n->n_step); }

void numbers_write(const Node *n, void *to) {
  for (int i = 0; i < n->n_step; i++) {
    if (!step_is_numbered(n, i)) continue;
    float *number = (float *)((char *)to + numbers_before(n, i));
    for (StepNumber k = 0; k < NUMBER_INTEGER; k++) number[k] = (float)numbers_get(n, i, k);
    *(int32_t *)&number[NUMBER_INTEGER] = (int32_t)step_zero(&n->step[i]);
  }
}
