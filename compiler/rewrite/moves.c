/* moves.c: moves of data that need not happen: padding done by the reader's window, transpositions that
 * cancel once they have been sunk below what does not care about the order of axes, reductions over the map
 * as pools. */
#include "rewrite.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- permutations of axes: axis k of the result is axis perm[k] of the operand ---- */

typedef struct Perm {
  int rank;
  int64_t axis[MAX_RANK];
} Perm;

static Perm perm_inverse(const Perm *p) {
  Perm r = {.rank = p->rank};
  for (int k = 0; k < p->rank; k++) r.axis[p->axis[k]] = k;
  return r;
}

static bool perm_equal(const Perm *a, const Perm *b) {
  if (a->rank != b->rank) return false;
  for (int k = 0; k < a->rank; k++)
    if (a->axis[k] != b->axis[k]) return false;
  return true;
}

static bool perm_is_identity(const Perm *p) {
  for (int k = 0; k < p->rank; k++)
    if (p->axis[k] != k) return false;
  return true;
}

/* What a Transpose does. */
static Perm perm_of(const Node *n) {
  Perm p = {.rank = n->in[0]->shape.rank};
  memcpy(p.axis, n->p.perm, sizeof p.axis);
  return p;
}

static bool is_transpose(const Value *v) {
  return v->def && v->def->op == OP_Transpose;
}

/* ---- changing nodes in place ---- */

static void become(Graph *g, Node *n, Op op, int n_in, Value *const *in) {
  n->op = op;
  node_set_inputs(g, n, n_in, in);
  n->n_out = 1;
  n->n_attr = 0;
}

/* n becomes a view of x in the shape it has. */
static void become_view(Graph *g, Node *n, Value *x) {
  become(g, n, OP_Reshape, 1, &x);
  set_view(g, n, x, &n->out[0]->shape);
  infer_node(g, n);
}

/* A fresh value of unknown type and shape between n and its former result, which is returned. */
static Value *detach_result(Graph *g, Node *n) {
  Value *old = n->out[0];
  n->out[0] = value_new(g, old->name, T_NONE, (Shape){0});
  n->out[0]->def = n;
  return old;
}

static void transpose_after(Graph *g, const char *name, Value *x, const Perm *p, Value *result) {
  Node *t = walk_after(g, OP_Transpose, name, 1, &x, 1);
  attr_set_ints(g, t, "perm", p->rank, p->axis);
  t->out[0] = result;
  result->def = t;
  infer_node(g, t);
}

/* ---- arguments of Pad ---- */

typedef struct Padding {
  int64_t lo[MAX_RANK], hi[MAX_RANK];
  float value;
} Padding;

static bool read_axes(const Node *n, int i, int rank, int max, int64_t *axis, int *count) {
  *count = max;
  for (int k = 0; k < max; k++) axis[k] = k;
  if (i < n->n_in && n->in[i] && !const_ints(n->in[i], MAX_RANK, axis, count)) return false;
  for (int k = 0; k < *count; k++) axis[k] += axis[k] < 0 ? rank : 0;
  return true;
}

/* Input i as a number, 0 where it is left out. */
static bool read_fill(const Node *n, int i, float *value) {
  const Value *v = has_input(n, i) ? n->in[i] : NULL;
  if (!v || !is_8_bit(v->type)) return !v || const_scalar(v, value);
  if (!v->data || shape_count(&v->shape) != 1) return false;
  *value = (float)get_number(v->type, v->data, 0).i;
  return true;
}

static bool read_padding(const Node *n, Padding *p) {
  int64_t pads[2 * MAX_RANK], axis[MAX_RANK];
  int count, axes, rank = n->in[0]->shape.rank;
  *p = (Padding){.value = 0};
  if (!const_ints(n->in[1], 2 * MAX_RANK, pads, &count)) return false;
  if (!read_axes(n, 3, rank, count / 2, axis, &axes) || 2 * axes != count) return false;
  for (int k = 0; k < axes; k++) {
    p->lo[axis[k]] = pads[k];
    p->hi[axis[k]] = pads[axes + k];
  }
  return read_fill(n, 2, &p->value);
}

static bool pads_with_constant(const Node *n) {
  return (n->out[0]->type == T_F32 || is_8_bit(n->out[0]->type)) && n->p.mode == PAD_CONSTANT;
}

/* Nothing but axes from..to (excluded) is padded, and nothing is cut off. */
static bool pads_only(const Padding *p, int rank, int from, int to) {
  for (int k = 0; k < rank; k++) {
    if (p->lo[k] < 0 || p->hi[k] < 0) return false;
    if ((k < from || k >= to) && (p->lo[k] || p->hi[k])) return false;
  }
  return true;
}

/* ---- transpositions ----
 * A node that treats all axes alike gives the same result, transposed, on operands that were not:
 * op(T(x)) = T(op'(x)), where op' has its axes and constants permuted. */

/* The input that names axes. */
static int axes_argument(const Node *n) {
  assert(n->op == OP_Slice || reduction_flags(n->op));
  return n->op == OP_Slice ? 3 : 1;
}

/* Those of a Pointwise that have the axes of its result: all but a table, which must be the last. */
static int operands_of_steps(const Node *n) {
  int count = n->n_in;
  for (int i = 0; i < n->n_step; i++)
    if (n->step[i].op == OP_Lookup) count = n->step[i].arg == n->n_in - 1 ? n->n_in - 1 : 0;
  return count;
}

/* The number of inputs that are operands with the result's axes; 0: n can't be permuted. */
static int permutable_operands(const Node *n) {
  Padding p;
  int64_t axis[MAX_RANK];
  int count;
  switch (op_info[n->op].permute) {
  case PERMUTE_NO: return n->op == OP_Pointwise ? operands_of_steps(n) : 0;
  case PERMUTE_FIRST: return 1;
  case PERMUTE_ALL: return n->n_in;
  case PERMUTE_ARGUMENTS: break;
  }
  if (n->op == OP_Pad) return read_padding(n, &p) ? 1 : 0;
  if (n->op == OP_Normalize) return n->group == 1 && (n->n_out < 2 || (!n->out[1] && !n->out[2]));
  if (reduction_flags(n->op) && !n->p.keepdims) return 0;
  int i = axes_argument(n);
  return i < n->n_in && const_ints(n->in[i], MAX_RANK, axis, &count) && count > 0;
}

/* Constant c, broadcast to p's rank, transposed. */
static Value *transposed_constant(Graph *g, const Value *c, const Perm *p) {
  Value wide = *c;
  int lead = p->rank - c->shape.rank;
  wide.shape.rank = p->rank;
  for (int k = 0; k < p->rank; k++) wide.shape.d[k] = k < lead ? 1 : c->shape.d[k - lead];
  Value *in = &wide, *out = value_new(g, c->name, T_NONE, (Shape){0});
  Attr perm = {.name = "perm", .kind = A_INTS, .n = p->rank, .ints = p->axis};
  Node t = {.op = OP_Transpose, .name = c->name, .in = &in, .out = &out, .n_in = 1, .n_out = 1};
  t.attr = &perm;
  t.n_attr = 1;
  infer_node(g, &t);
  void *data;
  eval_node(g, &t, &c->data, &data);
  out->data = data;
  return out;
}

static void permute_axes_input(Graph *g, Node *n, int i, const Perm *inverse) {
  int64_t axis[MAX_RANK];
  int count;
  bool ok = read_axes(n, i, inverse->rank, 0, axis, &count);
  assert(ok), (void)ok;
  for (int k = 0; k < count; k++) axis[k] = inverse->axis[axis[k]];
  node_set_input(g, n, i, value_const_i64(g, n->in[i]->name, count, axis));
}

static void permute_axes_attribute(Graph *g, Node *n, const Perm *inverse) {
  int64_t axis[MAX_RANK];
  int count = 0;
  for (int k = 0; k < inverse->rank; k++)
    if (n->p.axes >> k & 1) axis[count++] = inverse->axis[k];
  attr_set_ints(g, n, "axes", count, axis);
}

static void permute_padding(Graph *g, Node *n, const Perm *p) {
  Padding old;
  int64_t pads[2 * MAX_RANK];
  bool ok = read_padding(n, &old);
  assert(ok), (void)ok;
  for (int k = 0; k < p->rank; k++) {
    pads[k] = old.lo[p->axis[k]];
    pads[p->rank + k] = old.hi[p->axis[k]];
  }
  node_set_input(g, n, 1, value_const_i64(g, n->in[1]->name, 2 * p->rank, pads));
  if (n->n_in > 3) n->n_in = 3;
}

/* Makes n the operator for operands transposed by p: its axes, padding and constant operands. */
static void permute_arguments(Graph *g, Node *n, const Perm *p) {
  Perm inverse = perm_inverse(p);
  int operands = permutable_operands(n);
  for (int i = 0; i < operands; i++)
    if (n->in[i]->data && shape_count(&n->in[i]->shape) != 1)
      node_set_input(g, n, i, transposed_constant(g, n->in[i], p));
  if (n->op == OP_Pad) permute_padding(g, n, p);
  else if (n->op == OP_Normalize) permute_axes_attribute(g, n, &inverse);
  else if (op_info[n->op].permute == PERMUTE_ARGUMENTS) permute_axes_input(g, n, axes_argument(n), &inverse);
  if (n->op == OP_Concat) attr_set_int(g, n, "axis", inverse.axis[n->p.axis]);
}

/* Are all operands constants or transposed alike, by *p? */
static bool operands_transposed(const Node *n, Perm *p) {
  int operands = permutable_operands(n);
  p->rank = -1;
  for (int i = 0; i < operands; i++) {
    const Value *v = n->in[i];
    if (v->data) continue;
    if (!is_transpose(v)) return false;
    Perm q = perm_of(v->def);
    if (p->rank >= 0 && !perm_equal(p, &q)) return false;
    *p = q;
  }
  return p->rank >= 0 && p->rank == n->out[0]->shape.rank;
}

/* A Transpose of a Transpose becomes one, or none. */
static void merge_transposes(Graph *g, Node *n) {
  const Node *first = n->in[0]->def;
  Perm p = perm_of(first), q = perm_of(n), r = {.rank = p.rank};
  for (int k = 0; k < r.rank; k++) r.axis[k] = p.axis[q.axis[k]];
  node_set_input(g, n, 0, first->in[0]);
  attr_set_ints(g, n, "perm", r.rank, r.axis);
  infer_node(g, n);
  if (!perm_is_identity(&r)) return;
  n->dead = true;
  graph_replace(g, n->out[0], n->in[0]);
}

/* Weights [C,O] of a product as those of a convolution, [O,C,1,1]. */
static Value *weights_of_conv(Graph *g, const Value *w) {
  int64_t inputs = w->shape.d[0], outputs = w->shape.d[1];
  Value *v = value_const_f32(g, w->name, shape_of(4, outputs, inputs, (int64_t)1, (int64_t)1));
  for (int64_t o = 0; o < outputs; o++)
    for (int64_t c = 0; c < inputs; c++) f32_of(v)[o * inputs + c] = f32_data(w)[c * outputs + o];
  return v;
}

/* A product over the channels of an image that was transposed to have them last is a convolution 1x1 of the image. */
static bool product_as_conv(Graph *g, Node *n) {
  static const Perm channels_last = {4, {0, 2, 3, 1}};
  if (!is_const_matmul(n) || !is_transpose(n->in[0])) return false;
  Perm p = perm_of(n->in[0]->def);
  if (!perm_equal(&p, &channels_last)) return false;
  become(g, n, OP_Conv, 2, (Value *[]){n->in[0]->def->in[0], weights_of_conv(g, n->in[1])});
  Value *result = detach_result(g, n);
  infer_node(g, n);
  transpose_after(g, n->name, n->out[0], &p, result);
  return true;
}

/* n reads its operands as they were before their Transposes; one comes behind it instead. */
static void sink_transposes(Graph *g, Node *n) {
  Perm p;
  if (product_as_conv(g, n) || !operands_transposed(n, &p)) return;
  Perm inverse = perm_inverse(&p);
  permute_arguments(g, n, &inverse);
  for (int i = 0; i < permutable_operands(n); i++)
    if (!n->in[i]->data) node_set_input(g, n, i, n->in[i]->def->in[0]);
  Value *result = detach_result(g, n);
  infer_node(g, n);
  transpose_after(g, n->name, n->out[0], &p, result);
}

/* The input that is not a constant, or the first of two. */
static int data_input(const Node *n) { return op_info[n->op].family == FAMILY_BINARY && n->in[0]->data; }

/* Is v computed from a graph input by nodes that have one operand and one reader each? */
static bool only_prepares_input(Value *v) {
  for (; !v->is_input; v = v->def->in[data_input(v->def)]) {
    const Node *n = v->def;
    if (!n || n->op == OP_Concat || !permutable_operands(n) || !only_reader(v)) return false;
    if (op_info[n->op].family == FAMILY_BINARY && !n->in[0]->data && !n->in[1]->data) return false;
    if (op_info[n->op].family == FAMILY_POINTWISE && permutable_operands(n) > 1) return false;
    if (n->in[data_input(n)]->shape.rank != v->shape.rank) return false;
  }
  return true;
}

/* T(op(x)) becomes op'(T(x)) until T reads the graph's input: what prepares an image then works on channels
 * where the network expects them. */
static void hoist_transpose(Graph *g, Node *t) {
  if (!only_prepares_input(t->in[0])) return;
  Perm p = perm_of(t);
  while (!t->in[0]->is_input) {
    Node *n = t->in[0]->def;
    permute_arguments(g, n, &p);
    change_places(g, n, data_input(n), t);
  }
}

/* ---- rewrites of one node; true: something changed ---- */

/* Elements stay in order if the axes that move have one element. */
static bool transpose_as_view(Graph *g, Node *n) {
  Perm p = perm_of(n);
  int64_t last = -1;
  for (int k = 0; k < p.rank; k++) {
    if (n->out[0]->shape.d[k] == 1) continue;
    if (p.axis[k] < last) return false;
    last = p.axis[k];
  }
  become_view(g, n, n->in[0]);
  return true;
}

/* Without kept axes, a reduction is one that keeps them and a view. */
static bool keep_axes(Graph *g, Node *n) {
  if (n->p.keepdims || has_run_time_axes(n)) return false;
  attr_remove(n, "keepdims");
  Value *result = detach_result(g, n);
  infer_node(g, n);
  Node *view = walk_after(g, OP_Reshape, n->name, 1, &n->out[0], 1);
  view->out[0] = result;
  result->def = view;
  become_view(g, view, n->out[0]);
  return true;
}

/* A sum is a mean times the count. */
static void count_in(Graph *g, Node *n, int64_t count) {
  Value *result = detach_result(g, n);
  infer_node(g, n);
  Value *times = value_const_number(g, format_text(g->cx, "%s.count", n->name), T_F32, (Number){.f = (double)count});
  Node *product = walk_after(g, OP_Mul, n->name, 2, (Value *[]){n->out[0], times}, 1);
  product->out[0] = result;
  result->def = product;
  infer_node(g, product);
}

static Op global_pool_of(Op reduction) {
  switch (reduction) {
  case OP_ReduceMean: case OP_ReduceSum: return OP_GlobalAveragePool;
  case OP_ReduceMax: return OP_GlobalMaxPool;
  case OP_ReduceL1: case OP_ReduceL2: return OP_GlobalLpPool;
  default: return OP_NONE;
  }
}

/* Over the whole map, on channel blocks. */
static bool reduction_as_pool(Graph *g, Node *n) {
  const Shape *s = &n->in[0]->shape;
  Op pool = global_pool_of(n->op);
  bool sum = n->op == OP_ReduceSum, l1 = n->op == OP_ReduceL1;
  if (n->out[0]->type != T_F32 || s->rank != 4 || !n->p.keepdims || n->p.axes != 0xc || shape_count(s) == 0) return false;
  become(g, n, pool, 1, n->in);
  if (pool == OP_GlobalLpPool) attr_set_int(g, n, "p", l1 ? 1 : 2);
  if (sum) count_in(g, n, s->d[2] * s->d[3]);
  else infer_node(g, n);
  return true;
}

/* A window that is the whole map. */
static bool pool_as_global(Graph *g, Node *n) {
  const Shape *s = &n->in[0]->shape;
  const Window *w = &n->win;
  bool indices = n->n_out > 1 && n->out[1];
  if (n->in[0]->type != T_F32 || s->rank < 3 || s->rank > 4 || has_padding(n) || indices) return false;
  int64_t height = s->rank == 4 ? s->d[2] : 1;
  if (w->kh != height || w->kw != s->d[s->rank - 1]) return false;
  become(g, n, n->op == OP_MaxPool ? OP_GlobalMaxPool : OP_GlobalAveragePool, 1, n->in);
  infer_node(g, n);
  return true;
}

/* ---- padding ---- */

/* With less padding than the window is long, every window of a pool holds an element. */
static bool windows_hold_elements(const Node *n, const int64_t *pads, int spatial) {
  const Window *w = &n->win;
  const int64_t kernel[] = {w->kd, w->kh, w->kw}, dilation[] = {w->dd, w->dh, w->dw};
  for (int i = 0; i < spatial; i++) {
    int axis = 3 - spatial + i;
    if (dilation[axis] != 1 || pads[i] >= kernel[axis] || pads[spatial + i] >= kernel[axis]) return false;
  }
  return !n->p.ceil;
}

/* Up to what is a value never greater than an element? */
static float least_padding(const Graph *g) { return assumes_finite(g) ? -FLT_MAX : -INFINITY; }

/* May the node's own padding, `pads` in all, stand for Pad's? That of a maximum is minus infinity: any
 * value that is never the greatest is as good. */
static bool may_pad(const Graph *g, const Node *n, const Value *x, float value, const int64_t *pads, int spatial) {
  float zero = 0;
  switch (n->op) {
  case OP_Conv: return value == 0;
  case OP_ConvInteger: return read_fill(n, 2, &zero) && value == zero; /* its zero point */
  case OP_AveragePool:
    return value == 0 && windows_hold_elements(n, pads, spatial) && (n->p.count_pad || !has_padding(n)) && spatial <= 2;
  case OP_MaxPool:
    if (n->n_out > 1 && n->out[1]) return false;
    if (!(value <= least_padding(g)) && !(value == 0 && never_negative(x))) return false;
    return windows_hold_elements(n, pads, spatial);
  default: return false;
  }
}

static bool take_padding(Graph *g, Node *n) {
  const Node *pad = n->in[0]->def;
  Padding p;
  int spatial = n->in[0]->shape.rank - 2;
  if (!pad || pad->op != OP_Pad || !pads_with_constant(pad) || !read_padding(pad, &p)) return false;
  if (!pads_only(&p, spatial + 2, 2, spatial + 2)) return false;
  const Window *w = &n->win;
  const int64_t before[] = {w->front, w->top, w->left}, behind[] = {w->back, w->bottom, w->right};
  int64_t pads[2 * MAX_RANK];
  for (int i = 0; i < spatial; i++) {
    pads[i] = before[3 - spatial + i] + p.lo[2 + i];
    pads[spatial + i] = behind[3 - spatial + i] + p.hi[2 + i];
  }
  if (!may_pad(g, n, pad->in[0], p.value, pads, spatial)) return false;
  attr_set_ints(g, n, "pads", 2 * spatial, pads);
  if (n->op == OP_AveragePool) attr_set_int(g, n, "count_include_pad", 1);
  node_set_input(g, n, 0, pad->in[0]);
  infer_node(g, n);
  return true;
}

/* ---- subsampled and padded shortcuts ---- */

/* The steps of a Slice that takes every step-th element of whole axes; false: it is no such Slice. */
static bool read_steps(const Node *n, int64_t *step) {
  const Shape *s = &n->in[0]->shape;
  int64_t start[MAX_RANK], end[MAX_RANK], axis[MAX_RANK], by[MAX_RANK];
  int count, ends, axes, steps;
  if (!const_ints(n->in[1], MAX_RANK, start, &count)) return false;
  if (!const_ints(n->in[2], MAX_RANK, end, &ends)) return false;
  if (!read_axes(n, 3, s->rank, count, axis, &axes)) return false;
  if (n->n_in < 5 || !const_ints(n->in[4], MAX_RANK, by, &steps) || steps != count) return false;
  for (int k = 0; k < count; k++)
    if (start[k] != 0 || end[k] < s->d[axis[k]] || by[k] < 1 || by[k] > s->d[axis[k]]) return false;
  for (int k = 0; k < count; k++) step[axis[k]] *= by[k];
  return true;
}

/* Multiplies `step`, a number an axis, by what n, a Slice or a pool of windows of one element, skips. */
static bool subsamples(const Node *n, int64_t *step) {
  const Window *w = &n->win;
  if (n->op == OP_Slice) return read_steps(n, step);
  if (n->op != OP_AveragePool && n->op != OP_MaxPool) return false;
  if (w->kh != 1 || w->kw != 1 || has_padding(n) || (n->n_out > 1 && n->out[1])) return false;
  step[2] *= w->sh;
  step[3] *= w->sw;
  return true;
}

enum {
  MAX_SHORTCUT = 8,                  /* nodes that subsample, one after the other */
  MAX_SHORTCUT_WEIGHTS = 1 << 22,    /* with more channels the zeros would take too much room */
};

/* Of bytes the sums are what they are made of, and channels that are added begin with their number. */
static void select_bytes(Graph *g, Node *n, Value *x, const Padding *p, int64_t channels, int64_t outputs) {
  int8_t *w = alloc_n(g->cx, (size_t)(outputs * channels), 1);
  int32_t *fill = alloc_n(g->cx, (size_t)outputs, sizeof *fill);
  const Shape shape = shape_of(4, outputs, channels, (int64_t)1, (int64_t)1), beside = shape_of(3, outputs, (int64_t)1, (int64_t)1);
  Value *one = value_const_f32(g, "one", beside);
  for (int64_t c = 0; c < channels; c++) w[(p->lo[1] + c) * channels + c] = 1;
  for (int64_t c = 0; c < outputs; c++) {
    fill[c] = c < p->lo[1] || c >= p->lo[1] + channels ? (int32_t)p->value : 0;
    f32_of(one)[c] = 1;
  }
  become(g, n, OP_ConvInteger, 2, (Value *[]){x, value_const(g, format_text(g->cx, "%s.select", n->name), T_I8, shape, w)});
  if (p->value != 0) node_add_step_with(g, n, (Step){.op = OP_Add}, value_const(g, "fill", T_I32, beside, fill));
  node_add_step_with(g, n, (Step){.op = OP_Requantize, .type = n->out[0]->type}, one);
}

static void select_floats(Graph *g, Node *n, Value *x, const Padding *p, int64_t channels, int64_t outputs) {
  Value *w = value_const_f32(g, format_text(g->cx, "%s.select", n->name), shape_of(4, outputs, channels, (int64_t)1, (int64_t)1));
  for (int64_t c = 0; c < channels; c++) f32_of(w)[(p->lo[1] + c) * channels + c] = 1;
  become(g, n, OP_Conv, 2, (Value *[]){x, w});
}

/* Every other pixel, and channels of zeros added: option A of He et al., "Deep residual learning", 3.3, for
 * shortcuts, as a convolution 1x1 with weights 0 and 1. Zero times an infinity would be NaN. */
static bool shortcut_as_conv(Graph *g, Node *n) {
  Padding p;
  const Shape *s = &n->in[0]->shape;
  bool bytes = n->out[0]->type == T_U8;
  if (s->rank != 4 || !pads_with_constant(n) || !read_padding(n, &p) || !pads_only(&p, 4, 1, 2)) return false;
  if (!bytes && (!assumes_finite(g) || p.value != 0 || n->out[0]->type != T_F32)) return false;
  int64_t step[MAX_RANK] = {1, 1, 1, 1}, channels = s->d[1];
  Value *x = n->in[0];
  for (int i = 0; i < MAX_SHORTCUT && x->def && x->shape.rank == 4 && subsamples(x->def, step); i++) x = x->def->in[0];
  if (step[0] != 1 || step[1] != 1 || step[2] * step[3] == 1) return false;
  int64_t outputs = size_add(size_add(p.lo[1], channels), p.hi[1]);
  if (size_mul(outputs, channels) > MAX_SHORTCUT_WEIGHTS) return false;
  (bytes ? select_bytes : select_floats)(g, n, x, &p, channels, outputs);
  attr_set_ints(g, n, "strides", 2, step + 2);
  infer_node(g, n);
  return true;
}

/* ---- the pass ---- */

typedef struct Rewrite {
  Op op;                 /* OP_NONE: any */
  bool (*rewrite)(Graph *g, Node *n);
} Rewrite;

/* Padding and kept axes come first, since transpositions sunk between would hide them. */
static const Rewrite before_sinking[] = {
  {OP_Reshape, squares_by_name},
#define REDUCTION(name, ...) {OP_##name, keep_axes},
#include "reduce.def"
#undef REDUCTION
  {OP_Conv, take_padding},
  {OP_ConvInteger, take_padding},
  {OP_AveragePool, take_padding},
  {OP_MaxPool, take_padding},
};
static const Rewrite after_sinking[] = {
  {OP_Resize, resize_as_resamples},
  {OP_DepthToSpace, depth_by_place},
  {OP_NONE, before_shuffle},
  {OP_SpaceToDepth, space_by_place},
  {OP_Tile, tile_as_expand},
  {OP_Expand, readers_expand},
  {OP_Pad, shortcut_as_conv},
  {OP_Conv, take_padding},
  {OP_ConvInteger, take_padding},
  {OP_AveragePool, take_padding},
  {OP_MaxPool, take_padding},
  {OP_ReduceMean, reduction_as_pool},
  {OP_ReduceSum, reduction_as_pool},
  {OP_ReduceMax, reduction_as_pool},
  {OP_ReduceL1, reduction_as_pool},
  {OP_ReduceL2, reduction_as_pool},
  {OP_AveragePool, pool_as_global},
  {OP_MaxPool, pool_as_global},
  {OP_Transpose, transpose_as_view},
};

static bool rewrite_node(Graph *g, Node *n, const Rewrite *rule, size_t rules) {
  for (size_t i = 0; i < rules; i++)
    if (!n->dead && (n->op == rule[i].op || rule[i].op == OP_NONE) && rule[i].rewrite(g, n)) return true;
  return false;
}

static void rewrite_all(Graph *g, const Rewrite *rule, size_t rules) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));)
    while (rewrite_node(g, n, rule, rules)) {}
}

void pass_moves(Graph *g) {
  rewrite_all(g, before_sinking, COUNT(before_sinking));
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    if (n->op != OP_Transpose) sink_transposes(g, n);
    else if (is_transpose(n->in[0])) merge_transposes(g, n);
  }
  pass_fold(g); /* transpositions that nobody reads any more would be readers themselves */
  for (int i = 0; i < g->n_node; i++)
    if (g->node[i]->op == OP_Transpose) hoist_transpose(g, g->node[i]);
  rewrite_all(g, after_sinking, COUNT(after_sinking));
  graph_compact(g);
}
