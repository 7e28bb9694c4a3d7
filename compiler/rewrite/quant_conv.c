/* quant_conv.c: convolutions of integers.
 *
 *   x u8 -- DequantizeLinear --+
 *   w s8 -- DequantizeLinear --+-- Conv -- [Relu] -- QuantizeLinear -- y
 *   b i32 - DequantizeLinear --+
 *
 *       ConvInteger(x, w) | Add(b) | Requantize(sx sw / sy, zy) : u8                -- y */
#include "rewrite.h"

#include <math.h>

typedef struct QuantConv {
  const QuantSite *site;
  const Node *x, *w;        /* what makes the operands */
  Uniform in;
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
  const Node *conv = q->site->op;
  const Value *v = conv->n_in > 2 ? conv->in[2] : NULL;
  float unit = q->in.scale * scale_at(q->w, c);
  *out = 0;
  if (!v) return true;
  const Node *n = dequantized(v);
  if (n && n->in[0]->type == T_I32 && n->in[0]->data && n->in[1]->data) {
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

static bool read_conv(QuantConv *q, const QuantSite *s) {
  const Node *n = s->op;
  q->site = s;
  q->x = dequantized(n->in[0]);
  q->w = dequantized(n->in[1]);
  if (!q->x || !q->w || q->x->in[0]->type != T_U8 || q->w->in[0]->type != T_I8) return false;
  if (!window_fits(n) || !uniform_of(q->x, &q->in) || !weights_fit(q)) return false;
  q->channels = n->out[0]->shape.d[1];
  q->bias = alloc_n(s->g->cx, (size_t)q->channels, sizeof *q->bias);
  q->m = alloc_n(s->g->cx, (size_t)q->channels, sizeof *q->m);
  for (int64_t c = 0; c < q->channels; c++) {
    if (!bias_at(q, c, &q->bias[c])) return false;
    q->m[c] = q->in.scale * scale_at(q->w, c) / s->out.scale;
  }
  return true;
}

static Value *channel_constant(Graph *g, const char *name, Type t, int64_t channels, const void *data) {
  return value_const(g, name, t, shape_of(3, channels, (int64_t)1, (int64_t)1), data);
}

static Value *zero_constant(Graph *g, Type t, int64_t zero) {
  void *data = alloc(g->cx, type_size(t));
  put_number(t, data, 0, (Number){.i = zero});
  return value_const(g, "zero", t, shape_of(0), data);
}

bool quant_conv(const QuantSite *s) {
  QuantConv q;
  Graph *g = s->g;
  if (!read_conv(&q, s)) return false;
  Value *in[] = {q.x->in[0], q.w->in[0], zero_constant(g, T_U8, q.in.zero), NULL};
  Node *n = walk_before(g, OP_ConvInteger, s->op->name, 4, in, 1);
  n->attr = s->op->attr;
  n->n_attr = s->op->n_attr;
  node_add_step_with(g, n, (Step){.op = OP_Add, .type = T_I32}, channel_constant(g, "bias", T_I32, q.channels, q.bias));
  node_add_step_with(g, n, (Step){.op = OP_Requantize, .type = s->type, .a = (float)s->out.zero},
                     channel_constant(g, "m", T_F32, q.channels, q.m));
  quant_finish(s, n);
  return true;
}
