/* conv_integer.c: what the direct convolution of u8 activations and s8 weights has of its own. A lane of a vector holds four input
 * channels of an output channel, whose products are added to one sum:
 *
 *   x      [c0 c1 c2 c3] [c4 c5 c6 c7] ...            one pixel's bytes
 *   w[0]   [a0 a1 a2 a3  b0 b1 b2 b3  c0 ...]         channels 0 to 3 for outputs a, b, c, ...
 *   sum a = start a + c0 a0 + c1 a1 + c2 a2 + ...     start: the bias, less the zero point times all weights of a
 *
 * With zero points of the weights, of x (w - z) the part z x is the same for all outputs: behind its weights a panel has ones, for
 * the sum of the inputs. */
#include "conv.h"

#include <math.h>

/* The zero point of the activations, also in the border, goes into the sums' start. Groups have blocks of their own. */
bool integer_fits(const ConvLayer *l) {
  const Node *n = l->n;
  int64_t inputs = channel_block(l->t, n->in[0]->type), outputs = channel_block(l->t, T_U8);
  bool even = n->group == 1 || (n->in[1]->shape.d[1] % inputs == 0 && l->ocg % outputs == 0);
  return centred_known(n) && even && conv_shapes_fit(n);
}

int64_t integer_starts_bytes(const Target *t, const Node *n, const DirectPlan *p) {
  int64_t channels = size_round_up(n->in[1]->shape.d[0], t->lanes);
  return size_mul(channels, (p->ones ? 2 : 1) * (int64_t)sizeof(uint32_t));
}

bool integer_alike(const Node *a, const Node *b) {
  for (int64_t o = 0; o < a->in[1]->shape.d[0]; o++)
    if (integer_weight_zero(a, o) != integer_weight_zero(b, o)) return false;
  const Value *x = integer_bias(a), *y = integer_bias(b);
  if (integer_zero(a) != integer_zero(b) || !x != !y) return false;
  return !x || (shape_equal(&x->shape, &y->shape) && same_bytes(x->data, y->data, value_bytes(x)));
}

void integer_starts(const Target *t, const Node *n, uint32_t *start) {
  int64_t channels = n->in[1]->shape.d[0];
  for (int64_t o = 0; o < channels; o++) {
    centred_start(t, n, o, false, &start[o]);
    if (n->plan->direct.ones) start[size_round_up(channels, t->lanes) + o] = (uint32_t)integer_weight_zero(n, o);
  }
}

void integer_weights(const Node *n, int64_t oc, int64_t c, int64_t k, int8_t *to) {
  const Shape *s = &n->in[1]->shape;
  const int8_t *w = n->in[1]->data;
  int64_t taps = s->d[2] * s->d[3];
  for (int64_t i = 4 * c; i < 4 * c + 4 && i < s->d[1]; i++) to[i - 4 * c] = w[(oc * s->d[1] + i) * taps + k];
}

static int absolute(int x) { return x < 0 ? -x : x; }

/* Of 255 times both weights. */
bool integer_is_small(const Target *t, const Node *n) {
  if (adds_fours(t)) return false;
  const Shape *s = &n->in[1]->shape;
  const int8_t *w = n->in[1]->data;
  int64_t taps = s->d[2] * s->d[3];
  for (int64_t o = 0; o < s->d[0]; o++)
    for (int64_t c = 0; c + 1 < s->d[1]; c += 2)
      for (int64_t k = 0; k < taps; k++) {
        const int8_t *pair = w + (o * s->d[1] + c) * taps + k;
        if (absolute(pair[0]) + absolute(pair[taps]) > 128) return false;
      }
  return true;
}

void integer_ones(const Node *n, int64_t c, int8_t *to) {
  for (int64_t i = 4 * c; i < 4 * c + 4 && i < n->in[1]->shape.d[1]; i++) to[i - 4 * c] = 1;
}

bool requantizes_bounded(const Node *n) {
  bool any = false;
  for (int i = 0; i < n->n_step; i++) {
    const Value *m = n->step[i].op == OP_Requantize ? n->in[n->step[i].arg] : NULL;
    if (!m) continue;
    any = true;
    if (!m->data) return false;
    for (int64_t c = 0; c < shape_count(&m->shape); c++)
      if (!(fabsf(f32_data(m)[c]) <= 0.5f)) return false;
  }
  return any;
}
