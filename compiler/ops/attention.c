/* attention.c: Attention as products, a scale, masks and a Softmax, which are what is made fast. */
#include "ops.h"

#include <math.h>

typedef struct Attention {
  Graph *g;
  Node *n;
  Value *q, *k, *v;      /* [batch, heads, sequence, size of a head] */
  bool flat;             /* the inputs are [batch, sequence, heads times size] */
  int64_t q_heads, kv_heads, past;
  int mode;              /* which state of the scores is the fourth result */
} Attention;

/* ---- heads ---- */

static const int64_t heads_first[] = {0, 2, 1, 3}; /* and back */

static Value *heads_of(const Attention *a, int input, int64_t heads) {
  Value *x = a->n->in[input];
  if (!a->flat) return x;
  Shape s = x->shape;
  if (heads < 1 || s.d[2] % heads)
    fail_at(a->g, a->n, "input %d of shape %s does not have %lld heads", input, shape_text(a->g->cx, &s),
            (long long)heads);
  s.rank = 4;
  s.d[3] = s.d[2] / heads;
  s.d[2] = heads;
  return compose_transpose(a->g, a->n, compose_reshape(a->g, a->n, x, &s), heads_first);
}

static Value *joined(const Attention *a, int past, Value *x) {
  if (!has_input(a->n, past)) return x;
  check_same_type(a->g, a->n, past);
  check_rank(a->g, a->n, past, 4, 4);
  Node *c = compose_node(a->g, a->n, OP_Concat, 2, (Value *[]){a->n->in[past], x});
  attr_set_int(a->g, c, "axis", 2);
  return compose_value(a->g, c);
}

/* Axis 1 as groups of heads that share a key, [.., count, of, ..], or the other way. */
static Value *part_heads(const Attention *a, Value *x, int64_t count, int64_t of) {
  Shape s = {.rank = 5, .d = {x->shape.d[0], count, of, x->shape.d[2], x->shape.d[3]}};
  return compose_reshape(a->g, a->n, x, &s);
}

static Value *unpart_heads(const Attention *a, Value *x) {
  const int64_t *d = x->shape.d;
  Shape s = {.rank = 4, .d = {d[0], a->q_heads, d[3], d[4]}};
  return compose_reshape(a->g, a->n, x, &s);
}

/* x y, of as many heads as queries have; those of y may be fewer. */
static Value *product(const Attention *a, Value *x, Value *y) {
  if (a->q_heads == a->kv_heads) return compose_op(a->g, a->n, OP_MatMul, x, y);
  Value *parted = part_heads(a, x, a->kv_heads, a->q_heads / a->kv_heads);
  return unpart_heads(a, compose_op(a->g, a->n, OP_MatMul, parted, part_heads(a, y, a->kv_heads, 1)));
}

/* ---- masks ---- */

static Value *scaled(const Attention *a, Value *x, double by) {
  return compose_op(a->g, a->n, OP_Mul, x, compose_number(a->g, a->n, x->type, by));
}

/* What to add to scores of type t: 0 where the mask is true, else a number so low that nothing is left of the
 * score. */
static Value *added_mask(const Attention *a, Value *mask, Type t) {
  double lowest = t == T_F16 ? -65504 : -3.38953139e38; /* that bf16 has as well */
  if (mask->type != T_BOOL) return mask;
  Value *off = compose_op(a->g, a->n, OP_Sub, compose_number(a->g, a->n, t, 1), compose_cast(a->g, a->n, mask, t));
  return scaled(a, off, lowest);
}

/* A query sees the keys before it and its own. */
static Value *causal_mask(const Attention *a, const Value *scores) {
  Graph *g = a->g;
  Shape s = {.rank = 2, .d = {scores->shape.d[2], scores->shape.d[3]}};
  int64_t size = (int64_t)type_size(scores->type);
  char *data = alloc_n(g->cx, (size_t)shape_count(&s), (size_t)size);
  for (int64_t i = 0; i < s.d[0]; i++)
    for (int64_t j = 0; j < s.d[1]; j++)
      put_number(scores->type, data, i * s.d[1] + j, (Number){.f = j <= i + a->past ? 0 : (double)-INFINITY});
  return value_const(g, format_text(g->cx, "%s.causal", a->n->name), scores->type, s, data);
}

static Value *masked(const Attention *a, Value *scores) {
  Graph *g = a->g;
  if (has_input(a->n, 3)) {
    const Shape *m = &a->n->in[3]->shape;
    int64_t keys = scores->shape.d[3];
    if (m->rank < 1 || (m->d[m->rank - 1] != keys && m->d[m->rank - 1] != 1))
      fail_at(g, a->n, "a mask of shape %s for %lld keys is not supported", shape_text(g->cx, m),
              (long long)keys);
    if (a->n->in[3]->type != T_BOOL) check_same_type(g, a->n, 3);
    scores = compose_op(g, a->n, OP_Add, scores, added_mask(a, a->n->in[3], scores->type));
  }
  if (attr_int(a->n, "is_causal", 0)) scores = compose_op(g, a->n, OP_Add, scores, causal_mask(a, scores));
  return scores;
}

static Value *capped(const Attention *a, Value *scores) {
  float cap = attr_float(a->n, "softcap", 0);
  if (!(cap > 0)) return scores;
  return scaled(a, compose_op(a->g, a->n, OP_Tanh, scaled(a, scores, 1 / (double)cap), NULL), (double)cap);
}

/* ---- the operator ---- */

static Value *softmax(const Attention *a, Value *x) {
  Type own = x->type;
  x = compose_cast(a->g, a->n, x, (Type)attr_int(a->n, "softmax_precision", own));
  Node *part = compose_node(a->g, a->n, OP_Softmax, 1, &x);
  attr_set_int(a->g, part, "axis", -1);
  return compose_cast(a->g, a->n, compose_value(a->g, part), own);
}

/* If the scores in this state are asked for, they are the fourth result. */
static void show(const Attention *a, int mode, Value *scores) {
  if (a->mode == mode) compose_other_result(a->g, a->n, 3, scores);
}

static Value *probabilities(const Attention *a) {
  static const int64_t turned[] = {0, 1, 3, 2};
  int64_t size = a->q->shape.d[3];
  double scale = (double)attr_float(a->n, "scale", (float)(1 / sqrt((double)size)));
  Value *s = scaled(a, product(a, a->q, compose_transpose(a->g, a->n, a->k, turned)), scale);
  show(a, 0, s);
  s = capped(a, s);
  show(a, 1, s);
  s = masked(a, s);
  show(a, 2, s);
  s = softmax(a, s);
  show(a, 3, s);
  return s;
}

static void read_inputs(Attention *a) {
  Graph *g = a->g;
  Node *n = a->n;
  a->flat = n->in[0]->shape.rank == 3;
  for (int i = 0; i < 3; i++) {
    check_rank(g, n, i, a->flat ? 3 : 4, a->flat ? 3 : 4);
    for (int k = 1; k < n->in[i]->shape.rank; k++) check_number(g, n, i, k);
    check_same_type(g, n, i);
  }
  if (has_input(n, 6)) fail_at(g, n, "input nonpad_kv_seqlen is not supported");
  a->q_heads = a->flat ? attr_int(n, "q_num_heads", 0) : n->in[0]->shape.d[1];
  a->kv_heads = a->flat ? attr_int(n, "kv_num_heads", 0) : n->in[1]->shape.d[1];
  if (a->kv_heads < 1 || a->q_heads < 1 || a->q_heads % a->kv_heads)
    fail_at(g, n, "%lld heads of queries and %lld of keys", (long long)a->q_heads, (long long)a->kv_heads);
  if (has_input(n, 4) != has_input(n, 5)) fail_at(g, n, "past keys and values come together");
  a->past = has_input(n, 4) && n->in[4]->shape.rank == 4 ? n->in[4]->shape.d[2] : 0;
  a->mode = (int)attr_int(n, "qk_matmul_output_mode", 0);
  check_range(g, n, "attribute qk_matmul_output_mode", a->mode, 0, 3);
}

void compose_attention(Graph *g, Node *n) {
  Attention a = {.g = g, .n = n};
  read_inputs(&a);
  a.q = heads_of(&a, 0, a.q_heads);
  a.k = joined(&a, 4, heads_of(&a, 1, a.kv_heads));
  a.v = joined(&a, 5, heads_of(&a, 2, a.kv_heads));
  compose_other_result(g, n, 1, a.k);
  compose_other_result(g, n, 2, a.v);
  Value *y = product(&a, probabilities(&a), a.v);
  if (a.flat) {
    y = compose_transpose(g, n, y, heads_first);
    Shape s = {.rank = 3, .d = {y->shape.d[0], y->shape.d[1], y->shape.d[2] * y->shape.d[3]}};
    y = compose_reshape(g, n, y, &s);
  }
  compose_result(g, n, y);
}
