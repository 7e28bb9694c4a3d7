/* quant_conv.c: convolutions of integers.
 *
 *   x u8 -- DequantizeLinear --+
 *   w s8 -- DequantizeLinear --+-- Conv -- [Relu] -- QuantizeLinear -- y
 *   b i32 - DequantizeLinear --+
 *
 *       ConvInteger(x, w) | Add(b) | Requantize(sx sw / sy, zy) : u8                -- y
 *
 * Where the value itself is wanted, or the bias is no integer number of units sx sw:
 *
 *       ConvInteger(x, w) | Add(b) | Cast : f32 | Mul(sx sw) | Add(b)               -- y, one Add at most */
#include "rewrite.h"

#include <math.h>

typedef struct QuantConv {
  Graph *g;
  const Node *conv, *x, *w; /* x, w: what makes the operands */
  int64_t channels;
  float *unit;              /* sx sw, by channel */
  int32_t *bias;            /* in units; NULL: none */
} QuantConv;

/* The scale of a DequantizeLinear for channel c; it may be one for all. */
static float scale_at(const Node *n, int64_t c) {
  const Value *s = n->in[1];
  return (float)get_number(s->type, s->data, shape_count(&s->shape) == 1 ? 0 : c).f;
}

/* The constant number that a DequantizeLinear makes for channel c. */
static float number_at(const Node *n, int64_t c) {
  const Value *q = n->in[0], *zero = has_input(n, 2) ? n->in[2] : NULL;
  int64_t z = zero ? get_number(zero->type, zero->data, shape_count(&zero->shape) == 1 ? 0 : c).i : 0;
  return dequantize(get_number(q->type, q->data, c).i, scale_at(n, c), z);
}

/* Constants, with a scale and a zero point for all or one a channel of the result. */
static bool weights_fit(const Node *w) {
  const Value *scale = w->in[1], *zero = has_input(w, 2) ? w->in[2] : NULL;
  if (!is_8_bit(w->in[0]->type) || !w->in[0]->data || !scale->data || (zero && !zero->data)) return false;
  return shape_count(&scale->shape) == 1 || w->p.axis == 0;
}

static bool read_conv(QuantConv *q, Graph *g, const Node *conv) {
  Uniform in;
  *q = (QuantConv){.g = g, .conv = conv, .x = dequantized(conv->in[0]), .w = dequantized(conv->in[1])};
  if (!q->x || !q->w || !is_8_bit(q->x->in[0]->type) || !uniform_of(q->x, &in) || !weights_fit(q->w)) return false;
  q->channels = conv->out[0]->shape.d[1];
  q->unit = alloc_n(g->cx, (size_t)q->channels, sizeof *q->unit);
  for (int64_t c = 0; c < q->channels; c++) q->unit[c] = in.scale * scale_at(q->w, c);
  return true;
}

/* ==== the bias ==== */

static const Value *bias_of(const QuantConv *q) { return has_input(q->conv, 2) ? q->conv->in[2] : NULL; }

/* The bias as numbers; NULL: it is not known. */
static const float *bias_numbers(const QuantConv *q) {
  const Node *n = dequantized(bias_of(q));
  if (!n) return f32_data(bias_of(q));
  if (!n->in[0]->data || !n->in[1]->data || (has_input(n, 2) && !n->in[2]->data)) return NULL;
  float *b = alloc_n(q->g->cx, (size_t)q->channels, sizeof *b);
  for (int64_t c = 0; c < q->channels; c++) b[c] = number_at(n, c);
  return b;
}

/* Is it made of integers whose unit is that of the sums? Scales that differ by roundings are meant to be the same. */
static bool bias_in_units(const QuantConv *q) {
  const Node *n = dequantized(bias_of(q));
  if (!n || n->in[0]->type != T_I32 || !n->in[0]->data || !n->in[1]->data) return false;
  if (has_input(n, 2) && !const_is_zero(n->in[2])) return false;
  for (int64_t c = 0; c < q->channels; c++)
    if (!(fabs((double)scale_at(n, c) - (double)q->unit[c]) <= 0x1p-20 * (double)q->unit[c])) return false;
  return true;
}

/* Takes the bias as integers: those that it is made of or, where it may be `rounded`, the nearest. False: they do not fit. */
static bool take_bias(QuantConv *q, bool rounded) {
  if (!bias_of(q)) return true;
  bool in_units = bias_in_units(q);
  const float *b = in_units || !rounded ? NULL : bias_numbers(q);
  if (!in_units && !b) return false;
  int32_t *bias = alloc_n(q->g->cx, (size_t)q->channels, sizeof *bias);
  for (int64_t c = 0; c < q->channels; c++) {
    float units = in_units ? 0 : nearbyintf(b[c] / q->unit[c]);
    if (!(fabsf(units) < 0x1p30f)) return false;
    bias[c] = in_units ? (int32_t)get_number(T_I32, dequantized(bias_of(q))->in[0]->data, c).i : (int32_t)units;
  }
  q->bias = bias;
  return true;
}

/* ==== the integer node ==== */

/* A number a channel, beside the result. */
static Value *channel_constant(const QuantConv *q, const char *name, Type t, const void *data) {
  Shape s = {.rank = q->conv->out[0]->shape.rank - 1, .d = {q->channels}};
  for (int i = 1; i < s.rank; i++) s.d[i] = 1;
  return value_const(q->g, name, t, s, data);
}

/* Before the current node of the walk: the sums with the bias. */
static Node *integer_sums(const QuantConv *q) {
  Value *zx = has_input(q->x, 2) ? q->x->in[2] : NULL, *zw = has_input(q->w, 2) ? q->w->in[2] : NULL;
  Value *in[] = {q->x->in[0], q->w->in[0], zx, zw && !const_is_zero(zw) ? zw : NULL};
  Node *n = walk_before(q->g, OP_ConvInteger, q->conv->name, COUNT(in), in, 1);
  n->attr = q->conv->attr;
  n->n_attr = q->conv->n_attr;
  if (q->bias) node_add_step_with(q->g, n, (Step){.op = OP_Add}, channel_constant(q, "bias", T_I32, q->bias));
  return n;
}

bool quant_conv(const QuantSite *s) {
  QuantConv q;
  if (!read_conv(&q, s->g, s->op) || !take_bias(&q, true)) return false;
  float *m = alloc_n(s->g->cx, (size_t)q.channels, sizeof *m);
  for (int64_t c = 0; c < q.channels; c++) m[c] = q.unit[c] / s->out.scale;
  Node *n = integer_sums(&q);
  node_add_step_with(s->g, n, (Step){.op = OP_Requantize, .type = s->type, .a = (float)s->out.zero},
                     channel_constant(&q, "m", T_F32, m));
  quant_finish(s, n);
  return true;
}

bool quant_conv_value(Graph *g, Node *conv) {
  QuantConv q;
  const float *b = NULL;
  if (!read_conv(&q, g, conv)) return false;
  if (!take_bias(&q, false) && !(b = bias_numbers(&q))) return false;
  Node *n = integer_sums(&q);
  node_add_step(g, n, (Step){.op = OP_Cast, .type = T_F32, .arg = -1});
  node_add_step_with(g, n, (Step){.op = OP_Mul}, channel_constant(&q, "unit", T_F32, q.unit));
  if (b) node_add_step_with(g, n, (Step){.op = OP_Add}, channel_constant(&q, "bias", T_F32, b));
  give_output(n, conv);
  conv->dead = true;
  infer_node(g, n);
  return true;
}
