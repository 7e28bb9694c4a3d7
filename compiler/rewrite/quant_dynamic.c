/* quant_dynamic.c: quantised operators whose scale and zero point are known at run time only, as quantize_dynamic writes them.
 *
 *   DynamicRange(x), x never negative      zero point 0; of an image's channels the largest elements will do
 *   QuantizeLinear(x, s, z)              Pointwise(x) | Div(s) | Round | Add(z) | QuantizeLinear(1, 0): x may lie in blocks
 *   ConvInteger(x, w, z)                 ConvInteger(Pad(x, z), w) | Add(-z sum(w)) */
#include "rewrite.h"

/* ==== ranges ==== */

static void narrow_range(Graph *g, Node *n) {
  Value *x = n->in[0];
  if (!never_negative(x)) return;
  if (n->n_out > 1 && n->out[1]) graph_replace(g, n->out[1], value_const_number(g, "zero", T_U8, (Number){0}));
  if (x->shape.rank == 4 && shape_count(&x->shape) > 0)
    node_set_input(g, n, 0, new_result(g, walk_before(g, OP_GlobalMaxPool, n->name, 1, &x, 1)));
}

/* ==== QuantizeLinear ==== */

static bool is_scalar(const Value *v) { return v->shape.rank == 0; }

static void quantize_by_steps(Graph *g, Node *n) {
  Value *scale = n->in[1], *zero = has_input(n, 2) ? n->in[2] : NULL;
  Type t = n->out[0]->type;
  if (scale->data || scale->type != T_F32 || !is_scalar(scale) || (zero && !is_scalar(zero)) || !is_8_bit(t)) return;
  bool moved = zero && !(zero->data && const_is_zero(zero));
  Value *by = moved ? cast_before(g, n->name, zero, T_F32) : NULL;
  Node *p = walk_before(g, OP_Pointwise, n->name, 1, n->in, 1);
  node_add_step_with(g, p, (Step){.op = OP_Div}, scale);
  if (moved) {
    node_add_step(g, p, (Step){.op = OP_Round, .arg = -1});
    node_add_step_with(g, p, (Step){.op = OP_Add}, by);
  }
  node_add_step(g, p, (Step){.op = OP_QuantizeLinear, .type = t, .arg = -1, .a = 1});
  give_output(p, n);
  infer_node(g, p);
  n->dead = true;
}

/* ==== ConvInteger ==== */

/* Minus the sum of each output channel's weights, less their zero points, beside the result. */
static Value *weight_sums(Graph *g, const Node *n) {
  const Value *w = n->in[1], *zero = has_input(n, 3) ? n->in[3] : NULL;
  int64_t channels = w->shape.d[0], each = shape_count(&w->shape) / channels;
  int32_t *sum = alloc_n(g->cx, (size_t)channels, sizeof *sum);
  for (int64_t c = 0; c < channels; c++) {
    int64_t z = zero ? get_number(zero->type, zero->data, shape_count(&zero->shape) > 1 ? c : 0).i : 0;
    uint32_t all = 0;
    for (int64_t i = 0; i < each; i++) all -= (uint32_t)(get_number(w->type, w->data, c * each + i).i - z);
    sum[c] = (int32_t)all;
  }
  Shape s = {.rank = w->shape.rank, .d = {1, channels}};
  for (int i = 2; i < s.rank; i++) s.d[i] = 1;
  return value_const(g, "sums", T_I32, s, sum);
}

static bool pads(const Node *n) { return has_padding(n) || n->win.front || n->win.back; }

/* x with its zero point around, as the window asks for. */
static Value *padded_before(Graph *g, const Node *n) {
  const Window *w = &n->win;
  int rank = n->in[0]->shape.rank;
  const int64_t before[] = {w->front, w->top, w->left}, after[] = {w->back, w->bottom, w->right};
  int64_t list[2 * MAX_RANK] = {0};
  for (int i = 2; i < rank; i++) {
    list[i] = before[i + 3 - rank];
    list[rank + i] = after[i + 3 - rank];
  }
  Value *in[] = {n->in[0], value_const_i64(g, "pads", 2 * rank, list), n->in[2]};
  return new_result(g, walk_before(g, OP_Pad, n->name, COUNT(in), in, 1));
}

static void take_padding(Graph *g, Node *n) {
  int64_t none[2 * MAX_RANK] = {0};
  node_set_input(g, n, 0, padded_before(g, n));
  attr_set_ints(g, n, "pads", 2 * (n->in[0]->shape.rank - 2), none);
  attr_remove(n, "auto_pad");
}

static bool is_known(const Node *n, int i) { return !has_input(n, i) || n->in[i]->data; }

/* n's zero point becomes a step: what it takes off the sums. */
static void conv_by_sums(Graph *g, Node *n) {
  for (const Node *same; has_input(n, 2) && (same = made_by(n->in[2], OP_Identity));) node_set_input(g, n, 2, same->in[0]);
  Value *zero = has_input(n, 2) ? n->in[2] : NULL;
  if (!zero || zero->data || !n->in[1]->data || !is_known(n, 3) || n->n_step > 0) return;
  if (pads(n)) take_padding(g, n);
  Value *z = cast_before(g, n->name, zero, T_I32);
  Value *off = new_result(g, walk_before(g, OP_Mul, n->name, 2, (Value *[]){weight_sums(g, n), z}, 1));
  node_set_input(g, n, 2, NULL);
  node_add_step_with(g, n, (Step){.op = OP_Add}, off);
  infer_node(g, n);
}

void quant_dynamic(Graph *g) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    switch (n->op) {
    case OP_DynamicRange: narrow_range(g, n); break;
    case OP_QuantizeLinear: quantize_by_steps(g, n); break;
    case OP_ConvInteger: conv_by_sums(g, n); break;
    default: break;
    }
  }
  graph_compact(g);
}
