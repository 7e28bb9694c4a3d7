/* quant_conv.c: convolutions of integers.
 *
 *   x u8 -- DequantizeLinear --+
 *   w s8 -- DequantizeLinear --+-- Conv -- [Relu] -- QuantizeLinear -- y
 *   b i32 - DequantizeLinear --+
 *
 *       ConvInteger(x, w) | Add(b) | Requantize(sx sw / sy, zy) : u8                -- y */
#include "rewrite.h"

static bool read_conv(QuantSums *s, Graph *g, const Node *conv) {
  *s = (QuantSums){.g = g, .op = conv, .channels = conv->out[0]->shape.d[1]};
  s->beside = (Shape){.rank = conv->out[0]->shape.rank - 1, .d = {s->channels}};
  for (int i = 1; i < s->beside.rank; i++) s->beside.d[i] = 1;
  return sums_read(s, 0, 1) && s->w->in[0]->data;
}

static Node *integer_conv(const QuantSums *s) {
  Node *n = sums_node(s, OP_ConvInteger, s->x->in[0], s->w->in[0]);
  attr_copy(s->g, n, s->op);
  return n;
}

bool quant_conv(const QuantSite *site) {
  QuantSums s;
  if (!read_conv(&s, site->g, site->op) || !sums_take_bias(&s, true)) return false;
  sums_requantize(&s, site, integer_conv(&s));
  return true;
}

bool quant_conv_value(Graph *g, Node *conv) {
  QuantSums s;
  Value *b = NULL;
  if (!read_conv(&s, g, conv)) return false;
  if (!sums_take_bias(&s, false) && !(b = sums_plain_bias(&s))) return false;
  sums_leave(&s, integer_conv(&s), b);
  conv->dead = true;
  return true;
}
