/* stacks.c: frames of bytes whose channels do not fill blocks. An Unfold of them needs no copy all the same if what fills the last
 * block counts as channels, whatever it holds: the weights that the convolution of integers has for these are zeros, or zero points.
 *
 *   frame 0 [c0 .. c63] [c64 c65 - ..]   frame 1 [c0 .. c63] [c64 c65 - ..]      66 channels as 128 */
#include "conv.h"

#include <string.h>

enum { MOST_MORE = 2 /* of the channels; else a copy costs less than they do */ };

/* Channels that the target's blocks have room for. */
static int64_t whole_channels(const Target *t, const Value *x) { return size_round_up(x->shape.d[1], channel_block(t, x->type)); }

/* As what it sums, and not otherwise. */
static bool sums_stack(const Node *n, const Value *stack) {
  if (n->op != OP_ConvInteger || n->group != 1 || !centred_known(n)) return false;
  for (int i = 1; i < n->n_in; i++)
    if (n->in[i] == stack) return false;
  return true;
}

static bool is_fillable(const Target *t, const Node *n) {
  const Value *x = n->in[0];
  Value *y = n->out[0];
  if (n->op != OP_Unfold || n->win.kd == 1 || n->win.dd != 1 || x->type != T_U8 || y->is_output || n->p.depth != x->shape.d[0]) return false;
  int64_t channels = x->shape.d[1], whole = whole_channels(t, x);
  if (n->p.size != channels || whole == channels || whole - channels > channels / MOST_MORE) return false;
  Use *at = NULL;
  for (const Node *r; (r = next_reader(y, &at));)
    if (!sums_stack(r, y)) return false;
  return shape_count(&x->shape) > 0;
}

/* Weights of `kernel` frames, of `whole` channels each. */
static Value *filled_weights(Graph *g, const Node *n, int64_t kernel, int64_t whole) {
  Shape s = n->in[1]->shape;
  int64_t taps = s.d[2] * s.d[3], channels = s.d[1] / kernel, outputs = s.d[0];
  const int8_t *from = n->in[1]->data;
  s.d[1] = size_mul(kernel, whole);
  int8_t *w = alloc_n(g->cx, (size_t)size_mul(outputs, s.d[1]), (size_t)taps), *to = w;
  for (int64_t o = 0; o < outputs; o++)
    for (int64_t k = 0; k < kernel; k++, to += whole * taps, from += channels * taps) {
      memset(to, (int)integer_weight_zero(n, o), (size_t)(whole * taps));
      move_bytes(to, from, (size_t)(channels * taps));
    }
  return value_const(g, n->in[1]->name, T_I8, s, w);
}

static void fill(Graph *g, const Target *t, Node *n) {
  int64_t whole = whole_channels(t, n->in[0]);
  attr_set_int(g, n, "channels", whole);
  infer_node(g, n);
  Use *at = NULL;
  for (Node *r; (r = next_reader(n->out[0], &at));) {
    node_set_input(g, r, 1, filled_weights(g, r, n->win.kd, whole));
    infer_node(g, r);
  }
}

void pass_stacks(Build *b) {
  Graph *g = b->graph;
  for (int i = 0; i < g->n_node; i++)
    if (is_fillable(b->target, g->node[i])) fill(g, b->target, g->node[i]);
  graph_compact(g);
}
