/* quant.c: integers for what a graph computes of dequantised numbers and quantises again. The forms that exporters write become
 *
 *   x u8 -- DequantizeLinear --+
 *   w s8 -- DequantizeLinear --+-- Conv -- [Relu] -- QuantizeLinear -- y
 *   b i32 - DequantizeLinear --+
 *
 *       ConvInteger(x, w) | Add(b) | Requantize(sx sw / sy, zy) : u8                -- y
 *
 *   a u8 -- DequantizeLinear --+-- Add -- [Relu] -- QuantizeLinear -- y
 *   b u8 -- DequantizeLinear --+
 *
 *       Pointwise(a, b) | QLinearAdd(b, sa / sy, sb / sy, zy - za sa / sy - zb sb / sy) : u8     -- y
 *
 * What has another form stays as it is, and is computed in fp32. */
#include "rewrite.h"

#include <math.h>

/* A scale and a zero point for the whole tensor. */
typedef struct Uniform {
  float scale;
  int64_t zero;
} Uniform;

static bool is_one(const Value *v) { return v && v->data && !v->sym && shape_count(&v->shape) == 1; }

/* Those of a QuantizeLinear or DequantizeLinear; false: they are not known, or more than one. */
static bool uniform_of(const Node *n, Uniform *u) {
  const Value *zero = n->n_in > 2 ? n->in[2] : NULL;
  if (!is_one(n->in[1]) || (zero && !is_one(zero))) return false;
  u->scale = (float)get_number(n->in[1]->type, n->in[1]->data, 0).f;
  u->zero = zero ? get_number(zero->type, zero->data, 0).i : 0;
  return true;
}

/* The DequantizeLinear that makes v of integers of that type; NULL: v is made otherwise. */
static Node *dequantized(const Value *v, Type t) {
  Node *n = v ? v->def : NULL;
  return n && n->op == OP_DequantizeLinear && n->in[0]->type == t ? n : NULL;
}

/* ==== the numbers of a convolution ==== */

typedef struct QuantConv {
  Graph *g;
  const Node *conv, *x, *w; /* the node, and what makes its operands */
  Uniform in, out;
  int64_t channels;
  int32_t *bias;
  float *m;                 /* (sx sw) / sy, by channel */
} QuantConv;

/* The scale of a DequantizeLinear for channel c; it may be one for all. */
static float scale_at(const Node *n, int64_t c) {
  const Value *s = n->in[1];
  return (float)get_number(s->type, s->data, shape_count(&s->shape) == 1 ? 0 : c).f;
}

static bool is_centred(const Node *n) { return n->n_in < 3 || !n->in[2] || const_is_zero(n->in[2]); }

/* Symmetric weights, with a scale for all or one a channel of the result. */
static bool weights_fit(const QuantConv *q) {
  const Value *scale = q->w->in[1];
  if (!q->w->in[0]->data || !scale->data || !is_centred(q->w)) return false;
  return shape_count(&scale->shape) == 1 || q->w->p.axis == 0;
}

/* A bias in units of sx sw: the integers themselves where they have that scale, else the nearest. False: it does not fit. */
static bool bias_at(const QuantConv *q, int64_t c, int32_t *out) {
  const Value *v = q->conv->n_in > 2 ? q->conv->in[2] : NULL;
  float unit = q->in.scale * scale_at(q->w, c);
  *out = 0;
  if (!v) return true;
  const Node *n = dequantized(v, T_I32);
  if (n && n->in[0]->data && n->in[1]->data) {
    *out = (int32_t)get_number(T_I32, n->in[0]->data, c).i;
    return is_centred(n) && fabsf(scale_at(n, c) - unit) <= unit * 0x1p-20f;
  }
  if (!f32_data(v)) return false;
  float units = nearbyintf(f32_data(v)[c] / unit);
  if (!(fabsf(units) < 0x1p30f)) return false;
  *out = (int32_t)units;
  return true;
}

/* Kernels exist for windows of one pixel. */
static bool window_fits(const Node *n) {
  const Window *w = &n->win;
  return n->in[0]->shape.rank == 4 && w->kh * w->kw == 1 && !has_padding(n) && n->group == 1;
}

static bool read_conv(QuantConv *q, const Node *quantize) {
  const Node *n = q->conv;
  q->x = dequantized(n->in[0], T_U8);
  q->w = dequantized(n->in[1], T_I8);
  if (!q->x || !q->w || !window_fits(n) || !uniform_of(q->x, &q->in) || !uniform_of(quantize, &q->out) || !weights_fit(q)) return false;
  q->channels = n->out[0]->shape.d[1];
  q->bias = alloc_n(q->g->cx, (size_t)q->channels, sizeof *q->bias);
  q->m = alloc_n(q->g->cx, (size_t)q->channels, sizeof *q->m);
  for (int64_t c = 0; c < q->channels; c++) {
    if (!bias_at(q, c, &q->bias[c])) return false;
    q->m[c] = q->in.scale * scale_at(q->w, c) / q->out.scale;
  }
  return true;
}

/* ==== the graph ==== */

static Value *channel_constant(Graph *g, const char *name, Type t, int64_t channels, const void *data) {
  return value_const(g, name, t, shape_of(3, channels, (int64_t)1, (int64_t)1), data);
}

static Value *zero_constant(Graph *g, Type t, int64_t zero) {
  void *data = alloc(g->cx, type_size(t));
  put_number(t, data, 0, (Number){.i = zero});
  return value_const(g, "zero", t, shape_of(0), data);
}

/* Relu before a QuantizeLinear is the lower bound zero point; where that is the type's lowest it changes nothing. */
static void add_bound(Graph *g, Node *n, Type t, const Uniform *out) {
  if (out->zero > type_lowest(t))
    node_add_step(g, n, (Step){.op = OP_Clip, .type = t, .arg = -1, .a = (float)out->zero, .b = (float)type_highest(t)});
}

/* `from` and what only it reads become n. */
static void take_place(Graph *g, Node *n, Node *from, const Node *relu, const Node *first) {
  give_output(n, from);
  from->dead = true;
  if (relu) relu->out[0]->def->dead = true;
  first->out[0]->def->dead = true;
  infer_node(g, n);
}

static bool rewrite_conv(Graph *g, Node *quantize, const Node *relu, const Node *conv) {
  QuantConv q = {.g = g, .conv = conv};
  Type t = quantize->out[0]->type;
  if (!read_conv(&q, quantize)) return false;
  Value *in[] = {q.x->in[0], q.w->in[0], zero_constant(g, T_U8, q.in.zero), NULL};
  Node *n = walk_before(g, OP_ConvInteger, conv->name, 4, in, 1);
  n->attr = conv->attr;
  n->n_attr = conv->n_attr;
  node_add_step_with(g, n, (Step){.op = OP_Add, .type = T_I32}, channel_constant(g, "bias", T_I32, q.channels, q.bias));
  node_add_step_with(g, n, (Step){.op = OP_Requantize, .type = t, .a = (float)q.out.zero},
                     channel_constant(g, "m", T_F32, q.channels, q.m));
  if (relu) add_bound(g, n, t, &q.out);
  take_place(g, n, quantize, relu, conv);
  return true;
}

static bool rewrite_add(Graph *g, Node *quantize, const Node *relu, const Node *add) {
  const Node *a = dequantized(add->in[0], T_U8), *b = dequantized(add->in[1], T_U8);
  Uniform ua, ub, y;
  if (!a || !b || !uniform_of(a, &ua) || !uniform_of(b, &ub) || !uniform_of(quantize, &y)) return false;
  if (quantize->out[0]->type != T_U8 || !shape_equal(&a->in[0]->shape, &b->in[0]->shape)) return false;
  float ra = ua.scale / y.scale, rb = ub.scale / y.scale, zb = rb * (float)ub.zero;
  float k = (float)y.zero - fmaf(ra, (float)ua.zero, zb);
  Node *n = walk_before(g, OP_Pointwise, add->name, 1, (Value *[]){a->in[0]}, 1);
  node_add_step_with(g, n, (Step){.op = OP_QLinearAdd, .type = T_U8, .a = ra, .b = rb, .c = k}, b->in[0]);
  if (relu) add_bound(g, n, T_U8, &y);
  take_place(g, n, quantize, relu, add);
  return true;
}

/* The node whose result only n reads, and nobody outside; NULL: there is none. */
static Node *maker_for(const Node *n) {
  Value *x = n->in[0];
  return x->def && only_reader(x) == n ? x->def : NULL;
}

void pass_quant(Graph *g) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    if (n->op != OP_QuantizeLinear) continue;
    Node *first = maker_for(n), *relu = first && first->op == OP_Relu ? first : NULL;
    if (relu) first = maker_for(relu);
    if (first && first->op == OP_Conv) rewrite_conv(g, n, relu, first);
    if (first && first->op == OP_Add) rewrite_add(g, n, relu, first);
  }
  graph_compact(g);
}
