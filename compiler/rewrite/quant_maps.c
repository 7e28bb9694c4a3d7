/* quant_maps.c: elementwise operators on integers.
 *
 *   a u8 -- DequantizeLinear --+-- Add -- [Relu] -- QuantizeLinear -- y
 *   b u8 -- DequantizeLinear --+
 *
 *       Pointwise(a, b) | QLinearAdd(b, sa / sy, sb / sy, zy - za sa / sy - zb sb / sy) : u8     -- y */
#include "rewrite.h"

#include <math.h>

bool quant_add(const QuantSite *s) {
  Graph *g = s->g;
  const Node *a = dequantized(s->op->in[0]), *b = dequantized(s->op->in[1]);
  Uniform ua, ub;
  if (!a || !b || !uniform_of(a, &ua) || !uniform_of(b, &ub)) return false;
  if (a->in[0]->type != T_U8 || b->in[0]->type != T_U8 || s->type != T_U8) return false;
  if (!shape_equal(&a->in[0]->shape, &b->in[0]->shape)) return false;
  float ra = ua.scale / s->out.scale, rb = ub.scale / s->out.scale, zb = rb * (float)ub.zero;
  float k = (float)s->out.zero - fmaf(ra, (float)ua.zero, zb);
  Node *n = walk_before(g, OP_Pointwise, s->op->name, 1, (Value *[]){a->in[0]}, 1);
  node_add_step_with(g, n, (Step){.op = OP_QLinearAdd, .type = T_U8, .a = ra, .b = rb, .c = k}, b->in[0]);
  quant_finish(s, n);
  return true;
}
