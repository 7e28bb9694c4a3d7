/* quant_prepare.c: quantised graphs in the one form that the pass quant looks for. Exporters put QuantizeLinear and
 * DequantizeLinear (Q and DQ) where their tool happened to cut; values do not change here.
 *
 *   constants are folded, but not DQ of constants of 8 and 32 bits: q - DQ stays readable
 *   what has parameters for blocks has them for each element
 *   x - move - Q                 x - Q - move        of an x that nobody else reads, so that the operator that makes x ends in Q,
 *                                                    or of which a Slice skips pixels
 *   Concat(a, b) - Q             Concat(Q(a), Q(b))
 *   q - DQ - move                q - move - DQ       a move being one of elements, or a MaxPool, whose order scales keep
 *   x - Q - Clip                 x - Clip - Q        bounds of integers as the numbers that they stand for
 *   q - DQ - Q                   q                   of the same scale, zero point and type
 *   s8                           u8                  see quant_sign.c
 *   q - DQ, which two read       a DQ for each */
#include "rewrite.h"

#include <math.h>

static bool is_quantize(const Node *n) { return n && n->op == OP_QuantizeLinear; }

static void walk_over(Graph *g, void (*change)(Graph *g, Node *n)) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) change(g, n);
  graph_compact(g);
}

/* ==== forms of Q and DQ ==== */

/* A constant of 4 bits, too large to be folded, is one of 8: it has a byte for each number. */
static void use_bytes(Graph *g, Node *n, int i) {
  const Value *v = i < n->n_in ? n->in[i] : NULL;
  if (!v || !v->data || (v->type != T_I4 && v->type != T_U4)) return;
  node_set_input(g, n, i, value_const(g, v->name, v->type == T_I4 ? T_I8 : T_U8, v->shape, v->data));
}

static void widen_fours(Graph *g, Node *n) {
  if (n->op != OP_DequantizeLinear) return;
  use_bytes(g, n, 0);
  use_bytes(g, n, 2);
}

/* Kernels quantise floats. */
static void quantize_floats(Graph *g, Node *n) {
  if (is_quantize(n) && n->in[0]->type == T_I32) node_set_input(g, n, 0, cast_before(g, n->name, n->in[0], T_F32));
}

/* Input i of n, of which each element is for a block, with one for each element instead. */
static void spread_input(Graph *g, Node *n, int i) {
  int64_t count = n->in[0]->shape.d[n->p.axis], *index = alloc_n(g->cx, (size_t)count, sizeof *index);
  for (int64_t k = 0; k < count; k++) index[k] = k / n->p.block;
  Node *gather = walk_before(g, OP_Gather, n->name, 2, (Value *[]){n->in[i], value_const_i64(g, "block", (int)count, index)}, 1);
  attr_set_int(g, gather, "axis", n->p.axis);
  node_set_input(g, n, i, new_result(g, gather));
}

/* Kernels know no blocks of more than one. */
static void spread_blocks(Graph *g, Node *n) {
  if (op_info[n->op].family != FAMILY_SCALE || n->p.block < 2) return;
  for (int i = 1; i < 3 && has_input(n, i); i++) spread_input(g, n, i);
  attr_set_int(g, n, "block_size", 1);
  infer_node(g, n);
}

/* ==== a DQ for each reader ==== */

static void own_dequantized(Graph *g) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));)
    for (int i = 0; i < n->n_in; i++) {
      const Node *dq = dequantized(n->in[i]);
      if (!dq || only_reader(n->in[i])) continue;
      Node *copy = walk_before(g, OP_DequantizeLinear, dq->name, dq->n_in, dq->in, 1);
      attr_copy(g, copy, dq);
      node_set_input(g, n, i, new_result(g, copy));
    }
  remove_dead(g);
}

/* ==== moves ==== */

/* Are the elements of n's one result those of its first input, so that a function that grows can stand before it as well? */
static bool picks(const Node *n) { return n->op != OP_Concat && n->op != OP_Split && data_inputs(n) == 1; }

static bool takes_type(const Node *n, Type t) { return op_info[n->op].types >> t & 1; }

/* What n, a Pad, fills with; false: it is not known. */
static bool fill_of(const Node *n, float *fill) {
  *fill = 0;
  return !has_input(n, 2) || (n->in[2]->type == T_F32 && const_scalar(n->in[2], fill));
}

/* The integer that stands for it exactly; false: there is none. */
static bool exact_integer(Type t, float f, const Uniform *u, int64_t *q) {
  *q = quantize(t, f, u->scale, u->zero);
  return dequantize(*q, u->scale, u->zero) == f;
}

/* ==== DQ down ==== */

/* n, a Pad, fills with the integer. */
static void set_fill(Graph *g, Node *n, Value *fill) {
  while (n->n_in < 3) node_add_input(g, n, NULL);
  node_set_input(g, n, 2, fill);
}

/* Has dq a list of scales along an axis that n only moves? */
static bool turns_axis(const Node *n, const Node *dq) { return n->op == OP_Transpose && !dq->p.block; }

/* Can n work on the integers of which dq, which it reads, makes numbers? Then a Pad fills with one. */
static bool sinks_into(Graph *g, Node *n, const Node *dq) {
  Uniform u;
  float fill;
  int64_t q;
  Type t = dq->in[0]->type;
  if (!takes_type(n, t)) return false;
  if (!uniform_of(dq, &u)) return turns_axis(n, dq);
  if (n->op != OP_Pad || n->p.mode != PAD_CONSTANT) return picks(n) || n->op == OP_Split;
  if (!fill_of(n, &fill) || !exact_integer(t, fill, &u, &q)) return false;
  set_fill(g, n, value_const_number(g, "q", t, (Number){.i = q}));
  return true;
}

/* The axis of dq's scales behind n, a Transpose. */
static int64_t axis_behind(const Node *dq, const Node *n) {
  int k = 0;
  while (n->p.perm[k] != dq->p.axis) k++;
  return k;
}

static void dequantize_behind(Graph *g, Node *n, int i, const Node *dq) {
  Value *y = n->out[i];
  if (!y) return;
  n->out[i] = value_new(g, y->name, T_NONE, shape_of(0));
  n->out[i]->def = n;
  Node *copy = walk_after(g, OP_DequantizeLinear, dq->name, dq->n_in, dq->in, 1);
  node_set_input(g, copy, 0, n->out[i]);
  copy->out[0] = y;
  y->def = copy;
  attr_copy(g, copy, dq);
  Uniform u;
  if (!uniform_of(dq, &u)) attr_set_int(g, copy, "axis", axis_behind(dq, n));
}

static bool same_parameters(const Node *a, const Node *b) {
  Uniform u, v;
  return uniform_of(a, &u) && uniform_of(b, &v) && u.scale == v.scale && u.zero == v.zero;
}

/* Are all inputs of n dequantised alike? */
static bool joins_alike(const Node *n) {
  const Node *first = dequantized(n->in[0]);
  if (n->op != OP_Concat || !first) return false;
  for (int i = 0; i < n->n_in; i++) {
    const Node *dq = dequantized(n->in[i]);
    if (!dq || dq->in[0]->type != first->in[0]->type || !same_parameters(dq, first)) return false;
  }
  return true;
}

/* n, the current node of a walk, works on integers, and its results are dequantised. */
static void sink(Graph *g, Node *n) {
  const Node *dq = n->n_in ? dequantized(n->in[0]) : NULL;
  if (!dq || (n->op == OP_Concat ? !joins_alike(n) : !sinks_into(g, n, dq))) return;
  for (int i = 0; i < n->n_out; i++) dequantize_behind(g, n, i, dq);
  for (int i = 0; i < (n->op == OP_Concat ? n->n_in : 1); i++) node_set_input(g, n, i, n->in[i]->def->in[0]);
  infer_node(g, n);
}

/* ==== Q up ==== */

/* A Pad fills with what q makes of its number. */
static bool rises_over_fill(Graph *g, Node *n, Type t, const Uniform *u) {
  float fill;
  if (!fill_of(n, &fill)) return false;
  set_fill(g, n, value_const_number(g, "q", t, (Number){.i = quantize(t, fill, u->scale, u->zero)}));
  return true;
}

/* Does n take some of the pixels of images? To quantise all of them costs less than a dense tensor, of which a Slice is. */
static bool subsamples(const Node *n) {
  enum { MOST_SKIPPED = 4 };
  const int64_t *x = n->in[0]->shape.d, *y = n->out[0]->shape.d;
  if (n->op != OP_Slice || n->in[0]->shape.rank != 4 || x[0] != y[0] || x[1] != y[1]) return false;
  return x[2] <= size_mul(y[2], MOST_SKIPPED) && x[3] <= size_mul(y[3], MOST_SKIPPED);
}

/* q, of one scale, stands before the move of a value that nobody else reads, or whose pixels are skipped. */
static bool rises(Graph *g, Node *q, const Uniform *u) {
  Node *n = q->in[0]->def;
  Value *x = n && n->n_in ? n->in[0] : NULL;
  Type t = q->out[0]->type;
  if (!x || !x->def || only_reader(n->out[0]) != q || !takes_type(n, t)) return false;
  if (only_reader(x) != n && !subsamples(n)) return false;
  bool fills = n->op == OP_Pad && n->p.mode == PAD_CONSTANT;
  if (!(fills ? rises_over_fill(g, n, t, u) : picks(n))) return false;
  change_places(g, n, 0, q);
  return true;
}

static void rise(Graph *g, Node *q) {
  Uniform u;
  if (!is_quantize(q) || !uniform_of(q, &u)) return;
  while (rises(g, q, &u)) continue;
}

/* What n, the current node of a walk, joins is quantised before, if nothing but that becomes of it. */
static bool rise_over_concat(Graph *g, Node *n) {
  Node *q = n->op == OP_Concat ? only_reader(n->out[0]) : NULL;
  Uniform u;
  if (!is_quantize(q) || !uniform_of(q, &u)) return false;
  for (int i = 0; i < n->n_in; i++) {
    Node *part = walk_before(g, OP_QuantizeLinear, q->name, q->n_in, q->in, 1);
    node_set_input(g, part, 0, n->in[i]);
    attr_copy(g, part, q);
    node_set_input(g, n, i, new_result(g, part));
    rise(g, part);
  }
  infer_node(g, n);
  graph_replace(g, q->out[0], n->out[0]);
  q->dead = true;
  return true;
}

/* What is joined may be joined already. */
static void rise_all(Graph *g) {
  enum { MOST_ROUNDS = 8 };
  bool any = true;
  walk_over(g, rise);
  for (int i = 0; i < MOST_ROUNDS && any; i++) {
    any = false;
    walk_begin(g);
    for (Node *n; (n = walk_next(g));) any |= rise_over_concat(g, n);
    graph_compact(g);
  }
}

/* ==== bounds, and what is nothing ==== */

static bool bound_as_float(Graph *g, Node *n, int i, const Uniform *u) {
  if (!has_input(n, i)) return true;
  const Value *v = n->in[i];
  if (!v->data || shape_count(&v->shape) != 1) return false;
  float f = dequantize(get_number(v->type, v->data, 0).i, u->scale, u->zero);
  node_set_input(g, n, i, value_const_number(g, "f", T_F32, (Number){.f = (double)f}));
  return true;
}

/* n, a Clip of integers that a Q makes, clips what that reads. */
static void clip_before(Graph *g, Node *n) {
  Node *q = n->op == OP_Clip ? n->in[0]->def : NULL;
  Uniform u;
  if (!is_quantize(q) || only_reader(n->in[0]) != n || !uniform_of(q, &u)) return;
  if (bound_as_float(g, n, 1, &u) && bound_as_float(g, n, 2, &u)) change_places(g, q, 0, n);
}

/* n, a Q, gives back the integers that a DQ made numbers of. */
static void drop_pair(Graph *g, Node *n) {
  const Node *dq = is_quantize(n) ? dequantized(n->in[0]) : NULL;
  if (!dq || dq->in[0]->type != n->out[0]->type || !same_parameters(dq, n)) return;
  graph_replace(g, n->out[0], dq->in[0]);
  n->dead = true;
}

void pass_prepare(Graph *g) {
  if (!graph_is_quantized(g)) return;
  fold_but_dequantized(g);
  walk_over(g, widen_fours);
  walk_over(g, quantize_floats);
  walk_over(g, spread_blocks);
  walk_over(g, clip_before);
  walk_over(g, sink);
  rise_all(g);
  own_dequantized(g);
  signs_of_kernels(g);
  walk_over(g, drop_pair);
  fold_but_dequantized(g);
  own_dequantized(g);
}
