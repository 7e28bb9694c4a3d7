/* fold.c: what is known at compile time leaves the graph. One walk in the order of the nodes folds constants,
 * sees through operators that change nothing and merges equal computations; then the outputs are put in order
 * and what nobody reads is removed. Requires shapes; keeps every output's name. */
#include "rewrite.h"

#include <string.h>

enum { HASHED_BYTES = 1 << 16 };

/* Evaluating must neither take long nor fill the memory or the object. So much of each for all that is folded, and more by the
 * size of the model's own constants: a large model may have every weight changed a few times. What is left is computed at run
 * time. */
enum {
  FOLD_WORK = 1 << 28,  /* elements and products of the evaluator, a few ns each */
  FOLD_BYTES = 1 << 27, /* of results */
  FOLD_GROWN = 1 << 24, /* bytes of results that are more than FOLD_RATIO times as large as what they are computed from ... */
  FOLD_GROWN_ONE = 1 << 22, /* ... and of one of these */
  FOLD_RATIO = 4,
};

typedef struct Fold {
  Graph *g;
  bool before_quant; /* what a DequantizeLinear makes of constants is not computed, and each result keeps its readers */
  Value **forward; /* by id: the value that stands for it; NULL: not looked at yet */
  int n_forward;
  Map nodes, constants;
} Fold;

/* ---- equal constants ---- */

/* The equal item that is there already, or `item`, now in the table. */
static void *find_or_add(Fold *f, Map *table, uint64_t hash, void *item, bool (*equal)(const void *, const void *)) {
  void **found = map_at(f->g->cx, table, hash, item, equal);
  return *found ? *found : (*found = item);
}

static bool consts_equal(const void *a, const void *b) {
  const Value *x = a, *y = b;
  if (x->type != y->type || !shape_equal(&x->shape, &y->shape) || !x->sym != !y->sym) return false;
  if (x->sym && !same_bytes(x->sym, y->sym, (size_t)shape_count(&x->shape) * sizeof *x->sym)) return false;
  return same_bytes(x->data, y->data, value_bytes(x));
}

static Value *unique_const(Fold *f, Value *v) {
  size_t bytes = value_bytes(v);
  if (bytes > HASHED_BYTES) return v;
  uint64_t hash = hash_bytes(hash_bytes(v->type, v->shape.d, sizeof v->shape.d), v->data, bytes);
  return find_or_add(f, &f->constants, hash, v, consts_equal);
}

/* The value to read instead of v. */
static Value *resolve(Fold *f, Value *v) {
  if (!v) return NULL;
  assert(v->id < f->n_forward);
  Value **to = &f->forward[v->id];
  if (!*to) *to = v->data && !v->def ? unique_const(f, v) : v;
  return *to;
}

/* ---- equal nodes ---- */

static bool steps_equal(const Step *a, const Step *b) {
  return a->op == b->op && a->type == b->type && a->arg == b->arg && a->swap == b->swap &&
         memcmp(&a->a, &b->a, sizeof a->a) == 0 && memcmp(&a->b, &b->b, sizeof a->b) == 0 &&
         memcmp(&a->c, &b->c, sizeof a->c) == 0 && memcmp(&a->d, &b->d, sizeof a->d) == 0 && memcmp(&a->e, &b->e, sizeof a->e) == 0;
}

static bool nodes_equal(const void *a, const void *b) {
  const Node *x = a, *y = b;
  if (x->op != y->op || x->n_in != y->n_in || x->n_out != y->n_out) return false;
  if (x->n_step != y->n_step || node_is_batched(x) != node_is_batched(y)) return false;
  for (int i = 0; i < x->n_in; i++)
    if (x->in[i] != y->in[i]) return false;
  if (memcmp(&x->p, &y->p, sizeof x->p) != 0 || memcmp(&x->win, &y->win, sizeof x->win) != 0) return false;
  if (x->group != y->group) return false;
  for (int i = 0; i < x->n_step; i++)
    if (!steps_equal(&x->step[i], &y->step[i])) return false;
  return true;
}

static uint64_t node_hash(const Node *n) {
  uint64_t h = hash_word((uint64_t)n->op, (uint64_t)n->n_out);
  for (int i = 0; i < n->n_in; i++) h = hash_word(h, n->in[i] ? (uint64_t)n->in[i]->id + 1 : 0);
  h = hash_bytes(h, &n->p, sizeof n->p);
  h = hash_bytes(h, &n->win, sizeof n->win);
  return h;
}

static void merge_equal(Fold *f, Node *n) {
  Node *first = find_or_add(f, &f->nodes, node_hash(n), n, nodes_equal);
  if (first == n) return;
  n->dead = true;
  for (int i = 0; i < n->n_out; i++) {
    if (!n->out[i]) continue;
    if (first->out[i]) {
      f->forward[n->out[i]->id] = first->out[i];
    } else { /* only the later one's is read */
      first->out[i] = n->out[i];
      first->out[i]->def = first;
    }
  }
}

/* ---- constants ---- */

static void make_const(Value *v, const void *data) {
  v->data = data;
  v->def = NULL;
  v->batched = false;
}

/* Shape inference knows the elements of some results. */
static bool results_known(const Node *n) {
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i] && !n->out[i]->data) return false;
  return true;
}

typedef struct Cost {
  int64_t work, in_bytes, out_bytes;
} Cost;

/* False: the node can't be evaluated now. */
static bool cost_of(const Node *n, Cost *c) {
  int64_t products = n->n_in ? terms_of_result(n) : 1;
  *c = (Cost){0};
  for (int i = 0; i < n->n_in; i++) {
    const Value *v = n->in[i];
    if (!v || op_info[n->op].by_shape) continue;
    if (!v->data || v->sym) return false;
    c->in_bytes = size_add(c->in_bytes, (int64_t)value_bytes(v));
    c->work = size_add(c->work, shape_count(&v->shape));
  }
  for (int i = 0; i < n->n_out; i++) {
    const Value *v = n->out[i];
    if (!v) continue;
    int64_t count = shape_count(&v->shape), size = (int64_t)type_size(v->type);
    if (shape_is_symbolic(&v->shape) || size == 0) return false;
    c->out_bytes = size_add(c->out_bytes, size_mul(count, size));
    c->work = size_add(c->work, size_mul(count, products));
  }
  return true;
}

/* Is there enough left for it? Then it is taken. */
static bool can_afford(Graph *g, const Cost *c) {
  int64_t model = g->folded.model_bytes, grown = c->out_bytes / FOLD_RATIO > c->in_bytes ? c->out_bytes : 0;
  if (grown > FOLD_GROWN_ONE || size_add(g->folded.grown, grown) > FOLD_GROWN) return false;
  if (size_add(g->folded.work, c->work) > size_add(FOLD_WORK, size_mul(model, 4))) return false;
  if (size_add(g->folded.bytes, c->out_bytes) > size_add(FOLD_BYTES, size_mul(model, 4))) return false;
  g->folded.work += c->work;
  g->folded.bytes += c->out_bytes;
  g->folded.grown += grown;
  return true;
}

static bool can_evaluate(Graph *g, const Node *n) {
  Cost c;
  return cost_of(n, &c) && can_afford(g, &c);
}

/* Before the first folding. */
static void measure_model(Graph *g) {
  if (g->folded.measured) return;
  g->folded.measured = true;
  for (int i = 0; i < g->n_value; i++) {
    if (g->value[i]->data) g->folded.model_bytes = size_add(g->folded.model_bytes, (int64_t)value_bytes(g->value[i]));
  }
}

/* Axes that were to be known at run time only are known now. */
static void settle_axes(Graph *g, Value *v) {
  Use *at = NULL;
  for (Node *n; (n = next_reader(v, &at));) {
    bool has_axes = reduction_flags(n->op) || n->op == OP_CumSum;
    if (!has_axes || n->n_in < 2 || n->in[1] != v) continue;
    Shape declared = n->out[0]->shape;
    infer_node(g, n);
    if (!shape_equal(&declared, &n->out[0]->shape))
      fail_at(g, n, "the axes argument contradicts the declared result %s", shape_text(g->cx, &declared));
  }
}

static void evaluate(Graph *g, Node *n) {
  const void **in = alloc_n(g->cx, (size_t)n->n_in, sizeof *in);
  void **out = alloc_n(g->cx, (size_t)n->n_out, sizeof *out);
  for (int i = 0; i < n->n_in; i++) in[i] = n->in[i] ? n->in[i]->data : NULL;
  eval_node(g, n, in, out);
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) {
      make_const(n->out[i], out[i]);
      settle_axes(g, n->out[i]);
    }
}

/* What is too large to be kept is filled at run time: the one element with a padding of itself. */
static void fill_by_padding(Graph *g, Node *n) {
  const Shape *s = &n->out[0]->shape;
  uint64_t *data = alloc(g->cx, sizeof *data);
  Shape one = {.rank = s->rank};
  int64_t pads[2 * MAX_RANK] = {0};
  for (int i = 0; i < s->rank; i++) {
    one.d[i] = 1;
    pads[s->rank + i] = s->d[i] - 1;
  }
  *data = n->p.fill;
  Value *in[] = {value_const(g, n->name, n->out[0]->type, one, data), value_const_i64(g, n->name, 2 * s->rank, pads),
                 value_const(g, n->name, n->out[0]->type, shape_of(0), data)};
  n->op = OP_Pad;
  n->n_attr = 0;
  node_set_inputs(g, n, 3, in);
  infer_node(g, n);
}

/* ---- operators that change nothing: each rule gives the value that the first result equals, or NULL ---- */

static Value *never_same(Graph *g, Node *n) {
  (void)g, (void)n;
  return NULL;
}

static Value *same_value(Graph *g, Node *n) {
  (void)g;
  return n->n_out > 1 && n->out[1] && n->out[1]->n_uses ? NULL : n->in[0];
}

/* Has `to` every number of `from`? */
static bool keeps_numbers(Type from, Type to) {
  return (type_is_half(from) && (to == T_F32 || to == T_F64)) || (from == T_F32 && to == T_F64);
}

/* A Cast of one that keeps every number reads what that one reads. */
static Value *same_numbers(Graph *g, Node *n) {
  const Node *before = n->in[0]->def;
  bool passes = before && before->op == OP_Cast && keeps_numbers(before->in[0]->type, before->out[0]->type);
  if (passes) node_set_input(g, n, 0, before->in[0]);
  return n->in[0]->type == n->out[0]->type ? n->in[0] : NULL;
}

static bool same_shape(const Node *n) {
  return shape_equal(&n->in[0]->shape, &n->out[0]->shape);
}

static bool is_view(const Node *n) {
  return n && op_info[n->op].family == FAMILY_VIEW && n->n_step == 0 && n->n_out == 1;
}

/* A view of a view is one Reshape of what the first looks at. Empty tensors stay: a 0 means "as before". */
static Value *same_view(Graph *g, Node *n) {
  if (same_shape(n)) return n->in[0];
  const Node *before = n->in[0]->def;
  if (!is_view(before) || shape_count(&n->out[0]->shape) == 0) return NULL;
  Value *x = before->in[0];
  if (shape_equal(&x->shape, &n->out[0]->shape)) return x;
  n->op = OP_Reshape;
  n->n_attr = 0;
  node_set_inputs(g, n, 2, (Value *[]){x, shape_constant(g, n->out[0]->name, &n->out[0]->shape)});
  infer_node(g, n);
  return NULL;
}

/* Dimensions of 1 may move: the elements don't. */
static Value *same_order(Graph *g, Node *n) {
  (void)g;
  const Shape *s = &n->in[0]->shape;
  int64_t last = -1;
  if (!same_shape(n)) return NULL;
  for (int i = 0; i < s->rank; i++) {
    int64_t from = n->p.perm[i];
    if (s->d[from] == 1) continue;
    if (from < last) return NULL;
    last = from;
  }
  return n->in[0];
}

/* Whether all elements are f, bit for bit; for integers, f is a whole number. */
static bool is_splat(const Value *v, float f) {
  if (!v->data || v->sym) return false;
  int64_t count = shape_count(&v->shape), i = 0;
  switch (v->type) {
  case T_F32:
    while (i < count && memcmp((const float *)v->data + i, &f, sizeof f) == 0) i++;
    break;
  case T_I64:
    while (i < count && ((const int64_t *)v->data)[i] == (int64_t)f) i++;
    break;
  case T_I32:
    while (i < count && ((const int32_t *)v->data)[i] == (int32_t)f) i++;
    break;
  default: return false;
  }
  return count > 0 && i == count;
}

static Value *other_if(Node *n, int i, float f) {
  Value *other = n->in[1 - i];
  return shape_equal(&other->shape, &n->out[0]->shape) && is_splat(n->in[i], f) ? other : NULL;
}

/* -0 + 0 is +0: only where the sign of a zero is not asked for. */
static bool signed_zeros(const Graph *g) {
  return g->opt && g->opt->strict;
}

static Value *plus_zero(Graph *g, Node *n) {
  for (int i = 0; i < 2; i++) {
    Value *v = other_if(n, i, -0.0f);
    if (!v && !signed_zeros(g)) v = other_if(n, i, 0);
    if (v) return v;
  }
  return NULL;
}

static Value *minus_zero(Graph *g, Node *n) {
  (void)g;
  return other_if(n, 1, 0);
}

static Value *times_one(Graph *g, Node *n) {
  (void)g;
  Value *v = other_if(n, 1, 1);
  return v ? v : other_if(n, 0, 1);
}

static Value *over_one(Graph *g, Node *n) {
  (void)g;
  return other_if(n, 1, 1);
}

static Value *only_part(Graph *g, Node *n) {
  (void)g;
  return n->n_in == 1 ? n->in[0] : NULL;
}

static Value *only_split(Graph *g, Node *n) {
  (void)g;
  return n->n_out == 1 ? n->in[0] : NULL;
}

static bool all_ints(const Value *v, bool (*test)(int64_t)) {
  int64_t k[2 * MAX_RANK];
  int count;
  if (!const_ints(v, COUNT(k), k, &count) || v->sym) return false;
  for (int i = 0; i < count; i++)
    if (!test(k[i])) return false;
  return true;
}

static bool is_positive(int64_t v) {
  return v > 0;
}

static bool is_zero(int64_t v) {
  return v == 0;
}

/* A negative step could reverse an axis and keep the shape. */
static Value *whole_slice(Graph *g, Node *n) {
  (void)g;
  bool forward = n->n_in < 5 || !n->in[4] || all_ints(n->in[4], is_positive);
  return forward && same_shape(n) ? n->in[0] : NULL;
}

static Value *no_padding(Graph *g, Node *n) {
  (void)g;
  return all_ints(n->in[1], is_zero) ? n->in[0] : NULL;
}

static Value *(*const rules[SAME_COUNT])(Graph *, Node *) = {
  [SAME_NEVER] = never_same,
  [SAME_ALWAYS] = same_value,
  [SAME_IF_TYPE] = same_numbers,
  [SAME_IF_SHAPE] = same_view,
  [SAME_IF_ORDER] = same_order,
  [SAME_IF_ONE_INPUT] = only_part,
  [SAME_IF_ONE_RESULT] = only_split,
  [SAME_IF_WHOLE] = whole_slice,
  [SAME_IF_NO_PADDING] = no_padding,
  [SAME_PLUS_ZERO] = plus_zero,
  [SAME_MINUS_ZERO] = minus_zero,
  [SAME_TIMES_ONE] = times_one,
  [SAME_OVER_ONE] = over_one,
};

/* ---- the walk ---- */

/* Numbers that may become operands of integer kernels. */
static bool is_dequantized(const Node *n) {
  Type t = n->op == OP_DequantizeLinear && !n->p.block ? n->in[0]->type : T_NONE;
  return is_8_bit(t) || t == T_I32;
}

static void fold_node(Fold *f, Node *n) {
  for (int i = 0; i < n->n_in; i++) {
    Value *v = resolve(f, n->in[i]);
    if (v != n->in[i]) node_set_input(f->g, n, i, v);
  }
  if (results_known(n)) {
    for (int i = 0; i < n->n_out; i++)
      if (n->out[i]) make_const(n->out[i], n->out[i]->data);
    n->dead = true;
    return;
  }
  bool kept = f->before_quant && is_dequantized(n);
  if (n->n_step == 0 && !kept && can_evaluate(f->g, n)) {
    evaluate(f->g, n);
    n->dead = true;
    return;
  }
  bool fills = n->op == OP_ConstantOfShape && !n->in[0]->sym && !shape_is_symbolic(&n->out[0]->shape);
  if (fills) fill_by_padding(f->g, n);
  Value *same = n->n_step == 0 && n->out[0] ? rules[op_info[n->op].same](f->g, n) : NULL;
  if (same) {
    f->forward[n->out[0]->id] = same;
    n->dead = true;
    return;
  }
  if (!f->before_quant) merge_equal(f, n);
}

/* An output has memory of its own: what is an input, a constant or another output is copied. */
static void fix_output(Fold *f, int i) {
  Graph *g = f->g;
  Value *old = g->output[i], *v = resolve(f, old);
  if (v == old && !v->is_input && !v->data) return;
  if (v == old) { /* a stand-in for graph_replace to replace */
    old = value_new(g, v->name, v->type, v->shape);
    if (v->data) v->name = format_text(g->cx, "%s.value", v->name);
    v->is_output = false;
    output_set(g, i, old);
  }
  old->batched = g->output_shape && shape_is_symbolic(&g->output_shape[i]); /* which it lost if it was evaluated */
  graph_replace(g, old, v);
}

/* Backwards from the outputs. Results that nobody reads get empty slots, and trailing ones go where the
 * number of results carries no meaning. */
void remove_dead(Graph *g) {
  graph_count_uses(g);
  for (int i = g->n_node - 1; i >= 0; i--) {
    Node *n = g->node[i];
    if (n->dead) continue;
    bool used = false;
    for (int j = 0; j < n->n_out; j++) {
      if (n->out[j] && n->out[j]->n_uses == 0) n->out[j] = NULL;
      used = used || n->out[j];
    }
    while (op_info[n->op].max_out >= 0 && n->n_out > 1 && !n->out[n->n_out - 1]) n->n_out--;
    if (used) continue;
    n->dead = true;
    for (int j = 0; j < n->n_in; j++)
      if (n->in[j]) n->in[j]->n_uses--;
  }
  graph_compact(g);
}

static void fold_graph(Graph *g, bool before_quant) {
  graph_compact(g);
  graph_count_uses(g);
  measure_model(g);
  int room = g->n_value + 3 * g->n_node; /* a rule makes at most three constants */
  Fold f = {.g = g, .before_quant = before_quant, .n_forward = room + g->n_output};
  f.forward = alloc_n(g->cx, (size_t)f.n_forward, sizeof *f.forward);
  int n_node = g->n_node;
  for (int i = 0; i < n_node; i++) fold_node(&f, g->node[i]);
  for (int i = 0; i < g->n_output; i++) fix_output(&f, i);
  remove_dead(g);
}

void pass_fold(Graph *g) { fold_graph(g, false); }
void fold_but_dequantized(Graph *g) { fold_graph(g, true); }
