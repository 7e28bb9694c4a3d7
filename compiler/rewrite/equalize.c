/* equalize.c: channels between two convolutions made as large as each other, where one scale has to do for all of them.
 *
 *     Conv w1, b1 -- [Relu] -- Conv w2          y = Relu(s x) / s for any s > 0
 *
 * Channel c of the result of the first is divided by s[c], in its weights, and the second's weights for it are multiplied. Even
 * channels spread the steps of a value well, even weights those of a channel of the second's result: with a, the largest element
 * of a channel, and r, the largest weight that reads it, s = sqrt(a / r) makes both sqrt(a r). A depthwise convolution has a scale
 * for each channel's weights, so there a alone counts. The method: Nagel et al., Data-Free Quantization Through Weight Equalization
 * and Bias Correction, 2019, section 4.1, with measured activations in place of the first weights. */
#include "rewrite.h"

#include <math.h>

/* Channels are left as they are where the largest is no more than this times the smallest of those that count. */
static const float even = 8;
/* A channel smaller than this share of the largest counts as nothing. */
static const float least = 0x1p-10f;

typedef struct Pair {
  Node *first, *second;
  int64_t channels;
  const float *largest;  /* of each channel between them */
  float *s;
} Pair;

static bool is_plain_conv(const Node *n) {
  return n->op == OP_Conv && n->n_step == 0 && f32_data(n->in[1]) && (!has_input(n, 2) || f32_data(n->in[2]));
}

/* The convolution before n, with a Relu between them or nothing, if nobody else reads what it makes. */
static bool find_pair(Node *n, const float *const *largest, Pair *p) {
  if (!is_plain_conv(n)) return false;
  Value *x = n->in[0];
  if (!x->def || only_reader(x) != n || !largest[x->id]) return false;
  Node *first = x->def;
  if (first->op == OP_Relu) {
    Value *before = first->in[0];
    if (only_reader(before) != first || !before->def) return false;
    first = before->def;
  }
  if (!is_plain_conv(first) || first->out[0]->shape.d[1] != x->shape.d[1]) return false;
  *p = (Pair){.first = first, .second = n, .channels = x->shape.d[1], .largest = largest[x->id]};
  return true;
}

static bool is_depthwise(const Node *n, int64_t channels) { return n->group == channels && n->in[1]->shape.d[0] == channels; }

/* Input channel c of the second is read by `outputs` channels of the result from `first` on, as their input `at`. */
typedef struct Readers {
  int64_t first, outputs, at;
} Readers;

static Readers readers_of(const Node *n, int64_t c) {
  int64_t each = n->in[1]->shape.d[1], outputs = n->in[1]->shape.d[0] / n->group;
  return (Readers){c / each * outputs, outputs, c % each};
}

static float largest_weight(const Node *n, int64_t c) {
  Readers r = readers_of(n, c);
  int64_t taps = taps_of_window(&n->win), row = n->in[1]->shape.d[1] * taps;
  const float *w = f32_data(n->in[1]);
  float most = 0;
  for (int64_t o = r.first; o < r.first + r.outputs; o++)
    for (int64_t k = 0; k < taps; k++) most = fmaxf(most, fabsf(w[o * row + r.at * taps + k]));
  return most;
}

/* False: the channels are even, or there is nothing to measure them by. */
static bool find_scales(Graph *g, Pair *p) {
  float most = 0, fewest = INFINITY;
  p->s = alloc_n(g->cx, (size_t)p->channels + 1, sizeof *p->s);
  for (int64_t c = 0; c < p->channels; c++) most = fmaxf(most, p->largest[c]);
  for (int64_t c = 0; c < p->channels; c++) {
    float a = p->largest[c], r = is_depthwise(p->second, p->channels) ? 1 / fmaxf(a, most * least) : largest_weight(p->second, c);
    bool counts = a > most * least && r > 0;
    p->s[c] = counts ? sqrtf(a / r) : 1;
    if (counts) fewest = fminf(fewest, a);
  }
  return most > even * fewest;
}

static Value *scaled(Graph *g, const Value *v, int64_t channels, int64_t each, const float *s) {
  Value *to = value_const_f32(g, v->name, v->shape);
  const float *x = f32_data(v);
  float *y = f32_of(to);
  for (int64_t c = 0; c < channels; c++)
    for (int64_t i = c * each; i < (c + 1) * each; i++) y[i] = x[i] / s[c];
  return to;
}

static void divide_first(Graph *g, const Pair *p) {
  Node *n = p->first;
  node_set_input(g, n, 1, scaled(g, n->in[1], p->channels, n->in[1]->shape.d[1] * taps_of_window(&n->win), p->s));
  if (has_input(n, 2)) node_set_input(g, n, 2, scaled(g, n->in[2], p->channels, 1, p->s));
}

static void multiply_second(Graph *g, const Pair *p) {
  Node *n = p->second;
  int64_t taps = taps_of_window(&n->win), row = n->in[1]->shape.d[1] * taps;
  Value *to = value_const_f32(g, n->in[1]->name, n->in[1]->shape);
  const float *x = f32_data(n->in[1]);
  float *y = f32_of(to);
  for (int64_t c = 0; c < p->channels; c++) {
    Readers r = readers_of(n, c);
    for (int64_t o = r.first; o < r.first + r.outputs; o++)
      for (int64_t i = o * row + r.at * taps; i < o * row + (r.at + 1) * taps; i++) y[i] = x[i] * p->s[c];
  }
  node_set_input(g, n, 1, to);
}

int equalize_channels(Graph *g, const bool *keep, const float *const *largest) {
  int changed = 0;
  for (int i = 0; i < g->n_node; i++) {
    Pair p;
    if (keep[i] || !find_pair(g->node[i], largest, &p) || keep[node_index(g, p.first)] || !find_scales(g, &p)) continue;
    divide_first(g, &p);
    multiply_second(g, &p);
    changed++;
  }
  return changed;
}
