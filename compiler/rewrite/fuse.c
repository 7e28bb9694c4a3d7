/* fuse.c: elementwise operators, and the steps of what is nothing else, become steps of the epilogue of the node that computes their
 * operand. */
#include "rewrite.h"

#include <math.h>

/* ---- words that other passes have as well ---- */

/* What an operator that keeps the sign computes with is looked for so many nodes before; beyond that nothing is known. */
enum { MAX_BEFORE = 16 };

bool never_negative(const Value *v) {
  if (v->type != T_F32) return false;
  for (int i = 0; i < MAX_BEFORE && v->def && op_info[v->def->op].sign == SIGN_KEPT; i++) v = v->def->in[0];
  const Node *n = v->def;
  float lo;
  if (!n) return false;
  if (n->op == OP_Clip) return n->n_in > 1 && const_scalar(n->in[1], &lo) && lo >= 0;
  return op_info[n->op].sign == SIGN_NONE;
}

/* A bound of Clip: absent is `otherwise`; false: not known now. */
static bool clip_bound(const Node *n, int i, float otherwise, float *out) {
  *out = otherwise;
  return i >= n->n_in || !n->in[i] || const_scalar(n->in[i], out);
}

static bool is_float(const Value *v) {
  return v->type == T_F32;
}

bool step_of_node(const Node *n, int chain, Step *s) {
  Stepping may = op_info[n->op].step;
  *s = (Step){.op = n->op, .arg = -1, .swap = may == STEP_SWAPPED && chain == 1};
  if (may == STEP_NEVER || (may == STEP_FIRST && chain != 0)) return false;
  if (!is_float(n->out[0]) || !is_float(n->in[chain])) return false;
  if (op_info[n->op].family == FAMILY_BINARY && !is_float(n->in[1 - chain])) return false;
  s->a = n->p.alpha;
  s->b = n->p.beta;
  return n->op != OP_Clip || (clip_bound(n, 1, -INFINITY, &s->a) && clip_bound(n, 2, INFINITY, &s->b));
}

/* ---- quantised numbers ---- */

/* A QuantizeLinear or DequantizeLinear, of one scale that is known, as a step. */
static bool step_of_scale(const Node *n, int chain, Step *s) {
  Uniform u;
  bool bytes = is_8_bit(n->op == OP_QuantizeLinear ? n->out[0]->type : n->in[0]->type);
  if (chain != 0 || !bytes || !uniform_of(n, &u)) return false;
  *s = (Step){.op = n->op, .type = n->out[0]->type, .arg = -1, .a = u.scale, .b = (float)u.zero};
  return true;
}

/* Is v nothing but 8-bit numbers dequantised? Their scale and zero point are those of *s then. */
static Value *bytes_behind(const Value *v, Step *s) {
  const Node *n = v->def;
  if (n && n->op == OP_DequantizeLinear && step_of_scale(n, 0, s)) return n->in[0];
  if (!n || n->op != OP_Pointwise || n->n_step != 1 || n->step[0].op != OP_DequantizeLinear) return NULL;
  *s = n->step[0];
  return n->in[0];
}

/* ---- the pass ---- */

/* Is v what an operator sums of integers, which may go on in f32? */
static bool is_integer_sum(const Value *v) {
  return v->def && is_integer_product(v->def->op) && v->type == T_I32;
}

/* A Cast begins the f32 part of an epilogue, or ends it as a QuantizeLinear does. */
static bool becomes_step(const Node *n, int chain, Step *s) {
  if (op_info[n->op].family == FAMILY_SCALE) return step_of_scale(n, chain, s);
  bool begins = n->op == OP_Cast && is_float(n->out[0]) && is_integer_sum(n->in[0]);
  if (!begins && (n->op != OP_Cast || !is_float(n->in[0]))) return step_of_node(n, chain, s);
  *s = (Step){.op = OP_Cast, .type = n->out[0]->type, .arg = -1};
  return true;
}

/* A convolution whose weights come at run time has no epilogue. */
static bool is_anchor(const Node *n) {
  if (n->op == OP_Conv || n->op == OP_ConvTranspose) return is_const_conv(n) || is_const_conv_transpose(n);
  return op_info[n->op].epilogue != EPILOGUE_NONE;
}

/* Can n be a step on its operand `chain`? Each element of the result must need just the one in its place. */
static bool can_chain(const Node *n, int chain) {
  Step s;
  const Value *x = n->in[chain];
  return !x->data && becomes_step(n, chain, &s) && shape_equal(&x->shape, &n->out[0]->shape);
}

/* The anchor whose result is n's input i, read by nobody else, and which has room for so many more steps; NULL: none. */
static Node *anchor_with_room(const Node *n, int i, int steps) {
  Node *a = n->in[i]->def;
  if (!a || !is_anchor(a) || only_reader(n->in[i]) != n || a->n_step + steps > MAX_STEPS) return NULL;
  if (node_is_batched(a) != node_is_batched(n)) return NULL; /* it would be computed for every image */
  if (a->n_out > 1 && a->out[1]) return NULL; /* MaxPool's indices are those of the values before any step */
  return a;
}

/* That which can take n as one more step, on its operand `chain`. */
static Node *anchor_for(const Node *n, int chain) {
  Node *a = can_chain(n, chain) ? anchor_with_room(n, chain, 1) : NULL;
  bool as_read = a && n->op == OP_DequantizeLinear && a->n_step == 0; /* bytes as they were read */
  return as_read ? NULL : a;
}

/* Is there a node `a`, and is it behind b, if there is that? */
static bool is_later(const Graph *g, const Node *a, const Node *b) {
  return a && (!b || node_index(g, a) > node_index(g, b));
}

static int operand_count(const Node *n) {
  return op_info[n->op].family == FAMILY_BINARY ? 2 : 1;
}

static void add_step(Graph *g, Node *anchor, const Node *n, int chain) {
  Step s, scale;
  bool ok = becomes_step(n, chain, &s);
  assert(ok), (void)ok;
  Value *arg = operand_count(n) == 2 ? n->in[1 - chain] : NULL, *bytes = n->op == OP_Add ? bytes_behind(arg, &scale) : NULL;
  if (bytes) s = (Step){.op = OP_AddDequantized, .type = T_F32, .a = scale.a, .b = scale.b};
  node_add_step_with(g, anchor, s, bytes ? bytes : arg);
}

/* The anchor `a`, which has taken n's steps, makes its result; it moves to n's place if what the steps read is computed after it.
 * That is late enough, and nobody but n reads it before. */
static void take_place(Graph *g, Node *a, Node *n, bool moves) {
  give_output(a, n);
  n->dead = true;
  if (moves) node_swap(g, node_index(g, n), node_index(g, a));
}

/* The anchor `a` takes n as a step. */
static void absorb(Graph *g, Node *a, Node *n, int chain) {
  const Node *other = operand_count(n) == 2 ? n->in[1 - chain]->def : NULL;
  bool moves = is_later(g, other, a);
  add_step(g, a, n, chain);
  take_place(g, a, n, moves);
}

/* What no anchor takes starts an epilogue of its own, unless no operand has the result's shape. */
static void start_pointwise(Graph *g, Node *n) {
  Step scale;
  int chain = can_chain(n, 0) ? 0 : operand_count(n) == 2 && can_chain(n, 1) ? 1 : -1;
  if (chain < 0) return;
  if (chain == 0 && n->op == OP_Add && can_chain(n, 1) && bytes_behind(n->in[0], &scale)) chain = 1;
  Node *p = walk_before(g, OP_Pointwise, n->name, 1, &n->in[chain], 1);
  add_step(g, p, n, chain);
  give_output(p, n);
  n->dead = true;
}

/* Is operand i of a sum better read as the bytes that it is made of, beside the other one? */
static bool is_byte_argument(const Node *n, int i) {
  Step scale;
  if (n->op != OP_Add || !bytes_behind(n->in[i], &scale) || !anchor_for(n, 1 - i)) return false;
  return i == 1 || !bytes_behind(n->in[1], &scale);
}

/* Does n, a DequantizeLinear, only go to a sum with what a convolution makes of floats? That reads the bytes. */
static bool is_left_to_sum(const Node *n) {
  const Node *sum = n->op == OP_DequantizeLinear ? only_reader(n->out[0]) : NULL;
  if (!sum || sum->op != OP_Add) return false;
  Value *other = sum->in[sum->in[0] == n->out[0]];
  if (!other->def || !is_integer_product(other->def->op) || !is_float(other)) return false;
  return only_reader(other) == sum && shape_equal(&other->shape, &sum->out[0]->shape);
}

static void fuse_node(Graph *g, Node *n) {
  if (is_left_to_sum(n)) return;
  Node *best = NULL;
  int chain = 0;
  for (int i = 0; i < operand_count(n); i++) {
    Node *a = anchor_for(n, i);
    if (is_later(g, a, best) && !is_byte_argument(n, i)) best = a, chain = i;
  }
  if (best) absorb(g, best, n, chain);
  else start_pointwise(g, n);
}

/* ---- a Pointwise that was there before, as the pass quant makes them ---- */

/* The step's operands change places where `swaps`. */
static Step step_on(const Step *s, bool swaps) {
  Step r = *s;
  r.swap ^= swaps;
  return r;
}

/* Its first step may be on its argument instead, number `arg` of its inputs. */
static bool may_swap(const Node *n) {
  const Step *s = &n->step[0];
  return n->n_step > 0 && (s->op == OP_QLinearAdd || s->op == OP_QLinearMul);
}

/* Does a step but the first, which may have it for its argument, read input i? */
static bool reads_again(const Node *n, int i) {
  for (int k = 0; k < n->n_step; k++)
    if (n->step[k].arg == i && (k > 0 || i == 0)) return true;
  return false;
}

/* The anchor that makes input i of n and can take n's steps; those that compare bytes keep to bytes. */
static Node *anchor_of_steps(const Node *n, int i) {
  const Value *x = n->in[i];
  Node *a = x->data || reads_again(n, i) ? NULL : anchor_with_room(n, i, n->n_step);
  if (!a || !shape_equal(&x->shape, &n->out[0]->shape)) return NULL;
  bool compares = is_8_bit(a->in[0]->type) && (a->op == OP_MaxPool || a->op == OP_Resample);
  return compares ? NULL : a;
}

/* The anchor takes n's steps, on its input i. */
static void absorb_steps(Graph *g, Node *a, Node *n, int i) {
  bool moves = false;
  for (int k = 0; k < n->n_step; k++) {
    int arg = n->step[k].arg;
    bool swaps = k == 0 && i > 0;
    Value *other = arg < 0 ? NULL : swaps ? n->in[0] : n->in[arg];
    node_add_step_with(g, a, step_on(&n->step[k], swaps), other);
    moves |= other && is_later(g, other->def, a);
  }
  take_place(g, a, n, moves);
}

static void join_steps(Graph *g, Node *n) {
  Node *best = NULL;
  int chain = 0, second = may_swap(n) ? n->step[0].arg : 0;
  for (int k = 0; k < 2; k++) {
    int i = k ? second : 0;
    Node *a = anchor_of_steps(n, i);
    if (is_later(g, a, best)) best = a, chain = i;
  }
  if (best) absorb_steps(g, best, n, chain);
}

void pass_fuse(Graph *g) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    if (!n->dead && n->op == OP_Pointwise) join_steps(g, n);
    if (!n->dead && op_is_step(n->op)) fuse_node(g, n);
  }
  graph_compact(g);
  remove_dead(g); /* numbers that are read as bytes */
}
