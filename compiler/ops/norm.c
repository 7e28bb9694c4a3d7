/* norm.c: normalisation by what is known of a whole channel. */
#include "ops.h"

#include <math.h>

void infer_batch_norm(Graph *g, Node *n) {
  check_rank(g, n, 0, 1, MAX_RANK);
  bool training = attr_int(n, "training_mode", 0) != 0;
  for (int i = 1; i < n->n_out; i++) training = training || n->out[i];
  if (training) fail_at(g, n, "batch normalization in training mode is not supported");
  n->p.epsilon = attr_float(n, "epsilon", 1e-5f);
  const Shape *x = &n->in[0]->shape;
  if (x->rank > 1) check_number(g, n, 0, 1);
  for (int i = 1; i < 5; i++) {
    Type t = n->in[i]->type;
    if (t != T_F32 && !type_is_half(t)) check_same_type(g, n, i); /* statistics may be more precise than data */
    check_per_channel(g, n, i, x->rank > 1 ? x->d[1] : 1);
  }
  set_output(g, n, 0, n->in[0]->type, x);
}

void eval_batch_norm(Graph *g, const Node *n, const void *const *in, void **out) {
  const Shape *s = &n->in[0]->shape;
  const float *of[5];
  for (int i = 0; i < 5; i++) of[i] = f32_elements(g, n->in[i], in[i]);
  const float *x = of[0], *scale = of[1], *bias = of[2], *mean = of[3], *var = of[4];
  double epsilon = n->p.epsilon;
  int64_t channels = s->rank > 1 ? s->d[1] : 1, count = shape_count(s), map = 1;
  for (int i = 2; i < s->rank; i++) map *= s->d[i];
  for (int64_t i = 0; i < count; i++) {
    int64_t c = i / map % channels;
    Number y = {.f = (x[i] - mean[c]) / sqrt(var[c] + epsilon) * scale[c] + bias[c]};
    put_number(n->out[0]->type, out[0], i, y);
  }
}
