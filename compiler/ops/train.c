/* train.c: batch normalization in training mode, by the statistics of the input itself. */
#include "ops.h"

static int64_t channels_of(const Value *x) { return x->shape.rank > 1 ? x->shape.d[1] : 1; }

/* Who asks for the running statistics means training; who does not has exported the model in the wrong mode, unless the
 * statistics are those of weights, which are standardised so. */
static bool is_meant(const Graph *g, const Node *n) {
  for (int i = 1; i < n->n_out; i++)
    if (n->out[i] && n->out[i]->is_output) return true;
  return follows_from_constants(g, n->in[0]);
}

static void check_training(Graph *g, const Node *n) {
  check_rank(g, n, 0, 1, MAX_RANK);
  if (!is_meant(g, n)) fail_training(g, n);
  if (shape_is_symbolic(&n->in[0]->shape))
    fail_at(g, n, "takes statistics of the whole batch, which is symbolic; --batch N fixes it");
  check_channel_inputs(g, n);
}

/* The mean of each channel, with the other axes as those of one element. */
static Value *mean_by_channel(Graph *g, const Node *n, Value *x) {
  int64_t axes[MAX_RANK];
  int count = 0;
  for (int i = 0; i < x->shape.rank; i++)
    if (i != 1) axes[count++] = i;
  Value *list = value_const_i64(g, format_text(g->cx, "%s.axes", n->name), count, axes);
  Node *mean = compose_node(g, n, OP_ReduceMean, 2, (Value *[]){x, list});
  attr_set_int(g, mean, "keepdims", 1);
  return compose_value(g, mean);
}

/* Input i, one number a channel, beside elements of x. */
static Value *beside_channels(Graph *g, const Node *n, int i, const Value *x) {
  Shape s = {.rank = (int)size_max(x->shape.rank - 1, 1)};
  for (int k = 0; k < s.rank; k++) s.d[k] = k == 0 ? channels_of(x) : 1;
  return compose_reshape(g, n, compose_cast(g, n, n->in[i], x->type), &s);
}

/* Result i: what input i + 2 becomes after a batch whose mean or variance is `now`. */
static void keep_running(Graph *g, Node *n, int i, Value *now) {
  if (i >= n->n_out || !n->out[i]) return;
  double momentum = (double)attr_float(n, "momentum", 0.9f);
  Value *before = n->in[i + 2], *old = compose_cast(g, n, before, now->type);
  old = compose_op(g, n, OP_Mul, old, compose_number(g, n, now->type, momentum));
  now = compose_op(g, n, OP_Mul, compose_reshape(g, n, now, &before->shape), compose_number(g, n, now->type, 1 - momentum));
  compose_other_result(g, n, i, compose_cast(g, n, compose_op(g, n, OP_Add, old, now), before->type));
}

void compose_batch_norm_training(Graph *g, Node *n) {
  Type type = n->in[0]->type;
  double epsilon = (double)attr_float(n, "epsilon", 1e-5f);
  check_training(g, n);
  Value *x = compose_cast(g, n, n->in[0], type_is_half(type) ? T_F32 : type);
  Value *mean = mean_by_channel(g, n, x), *apart = compose_op(g, n, OP_Sub, x, mean);
  Value *variance = mean_by_channel(g, n, compose_op(g, n, OP_Mul, apart, apart));
  Value *divisor = compose_op(g, n, OP_Sqrt, compose_op(g, n, OP_Add, variance, compose_number(g, n, x->type, epsilon)), NULL);
  Value *y = compose_op(g, n, OP_Mul, compose_op(g, n, OP_Div, apart, divisor), beside_channels(g, n, 1, x));
  y = compose_op(g, n, OP_Add, y, beside_channels(g, n, 2, x));
  keep_running(g, n, 1, mean);
  keep_running(g, n, 2, variance);
  compose_result(g, n, compose_cast(g, n, y, type));
}
