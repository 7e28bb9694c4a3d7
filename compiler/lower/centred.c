/* centred.c: convolutions of u8 activations: their zero points and bias, what sums start from, and the weights, each less its zero
 * point, as the kernels beside the direct convolution have them: four to a lane of a vector of sums, in 8 bits for vpdpbusd, or, where
 * the CPU lacks that, in 16 bits for pmaddwd, which adds two products. A weight of 9 bits is two of 8, which are both multiplied:
 *
 *   8 bits     [0 1 2 3] ...                      a lane each
 *   twice      [0 1 2 3] ...  [0' 1' 2' 3'] ...   two vectors: 0 + 0' is the weight
 *   16 bits    [0 2] ...      [1 3] ...           two vectors */
#include "conv.h"


static const Value *zero_point(const Node *n, int i) { return n->n_in > i ? n->in[i] : NULL; }

int64_t integer_zero(const Node *n) {
  const Value *v = zero_point(n, 2);
  return v ? get_number(v->type, v->data, 0).i : 0;
}

bool integer_has_zeros(const Node *n) { return zero_point(n, 3) && !const_is_zero(zero_point(n, 3)); }

int64_t integer_weight_zero(const Node *n, int64_t oc) {
  const Value *v = zero_point(n, 3);
  return v ? get_number(v->type, v->data, shape_count(&v->shape) == 1 ? 0 : oc).i : 0;
}

int integer_bias_input(const Node *n) {
  const Step *s = n->step;
  if (n->op != OP_ConvInteger || n->n_step == 0 || s->op != OP_Add || step_type(n, 0) != T_I32) return -1;
  ArgClass class = step_arg_class(n, s);
  return n->in[s->arg]->data && (class == ARG_CHANNEL || class == ARG_SCALAR) ? s->arg : -1;
}

const Value *integer_bias(const Node *n) {
  int i = integer_bias_input(n);
  return i < 0 ? NULL : n->in[i];
}

static int64_t weights_each(const Node *n) { return shape_count(&n->in[1]->shape) / n->in[1]->shape.d[0]; }

/* Weight i of output channel oc. */
static int weight_at(const Node *n, int64_t oc, int64_t i) {
  return ((const int8_t *)n->in[1]->data)[oc * weights_each(n) + i] - (int)integer_weight_zero(n, oc);
}

bool centred_known(const Node *n) {
  for (int i = 2; i < 4; i++)
    if (zero_point(n, i) && !zero_point(n, i)->data) return false;
  return n->in[1]->data;
}

/* Are all weights in that range? */
static bool lie_within(const Node *n, int lo, int hi) {
  for (int64_t oc = 0; oc < n->in[1]->shape.d[0]; oc++)
    for (int64_t i = 0; i < weights_each(n); i++) {
      int w = weight_at(n, oc, i);
      if (w < lo || w > hi) return false;
    }
  return true;
}

bool centred_wide(const Target *t, const Node *n) { return !adds_fours(t) || !lie_within(n, INT8_MIN, INT8_MAX); }

CentredWidth centred_width(const Target *t, const Node *n) {
  if (!centred_wide(t, n)) return CENTRED_BYTES;
  return adds_fours(t) && lie_within(n, 2 * INT8_MIN, 2 * INT8_MAX) ? CENTRED_TWICE : CENTRED_WORDS;
}

void centred_start(const Target *t, const Node *n, int64_t oc, bool wide, uint32_t *to) {
  const Value *bias = integer_bias(n);
  int64_t each = weights_each(n), x = integer_zero(n) - (!wide && adds_signed_fours(t) ? 128 : 0), zero = integer_weight_zero(n, oc);
  const int8_t *w = (const int8_t *)n->in[1]->data + oc * each;
  if (bias) *to = (uint32_t)get_number(T_I32, bias->data, shape_count(&bias->shape) == 1 ? 0 : oc).i;
  for (int64_t i = 0; i < each; i++) *to -= (uint32_t)(x * (w[i] - zero));
}

void centred_put(const Target *t, const Node *n, int64_t oc, int64_t i, CentredWidth width, char *lane, int four) {
  int w = weight_at(n, oc, i), half = width == CENTRED_TWICE ? w / 2 : 0;
  char *second = lane + t->lanes * (int64_t)sizeof(int32_t);
  if (width == CENTRED_WORDS) {
    ((int16_t *)(four % 2 ? second : lane))[four / 2] = (int16_t)w;
    return;
  }
  ((int8_t *)lane)[four] = (int8_t)(w - half);
  if (width == CENTRED_TWICE) ((int8_t *)second)[four] = (int8_t)half;
}
