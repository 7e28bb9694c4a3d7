/* quant_maps.c: what is neither convolution nor product, on integers.
 *
 *   a u8 -- DequantizeLinear --+-- Add, Mul -- [Relu] -- QuantizeLinear -- y
 *   b u8 -- DequantizeLinear --+
 *
 *       Pointwise(a, b) | QLinearAdd(b, sa / sy, sb / sy, zy - za sa / sy - zb sb / sy) : u8       -- y
 *       Pointwise(a, b) | QLinearMul(b, sa sb / sy, za, zb, zy) : u8
 *
 *   x u8 -- DequantizeLinear -- mean over the map -- QuantizeLinear -- y
 *
 *       GlobalSumPool(x, zx) | Requantize(sx / (sy n), zy) : u8                                    -- y */
#include "rewrite.h"

#include <math.h>

/* ==== two operands ==== */

typedef struct Operand {
  Value *bytes;
  Uniform of;
} Operand;

static bool read_operand(const Value *v, Operand *o) {
  const Node *n = dequantized(v);
  if (!n || n->in[0]->type != T_U8 || !uniform_of(n, &o->of)) return false;
  o->bytes = n->in[0];
  return true;
}

static int64_t from_end(const Shape *s, int k) { return k < s->rank ? s->d[s->rank - 1 - k] : 1; }

/* Does a stay the same along the innermost axis that a or b has? */
static bool is_repeated(const Shape *a, const Shape *b) {
  for (int k = 0; k < a->rank || k < b->rank; k++)
    if (from_end(a, k) != 1 || from_end(b, k) != 1) return from_end(a, k) == 1;
  return false;
}

/* Reads both; a is the one that counts as the first: sums and products are not quite symmetric. */
static bool read_operands(const QuantSite *s, Operand *a, Operand *b) {
  const Shape *first = &s->op->in[0]->shape, *second = &s->op->in[1]->shape;
  bool turned = is_repeated(first, second);
  return s->type == T_U8 && read_operand(s->op->in[turned], a) && read_operand(s->op->in[!turned], b);
}

/* A step on one of them, whose argument is the other; that may have more axes of one element than the result is to have. */
static bool join_operands(const QuantSite *s, Step step, const Operand *a, const Operand *b) {
  const Shape *y = &s->op->out[0]->shape;
  step.swap = !shape_equal(&a->bytes->shape, y);
  if (step.swap && !shape_equal(&b->bytes->shape, y)) return false;
  step.type = s->type;
  Node *n = walk_before(s->g, OP_Pointwise, s->op->name, 1, step.swap ? (Value **)&b->bytes : (Value **)&a->bytes, 1);
  node_add_step_with(s->g, n, step, step.swap ? a->bytes : b->bytes);
  quant_finish(s, n);
  compose_table(s->g, n);
  return true;
}

/* By how much the integers are stored larger than they count. */
static int64_t stored_more(const QuantSite *s) { return attr_int(s->op, "signed", 0) ? 128 : 0; }

bool quant_add(const QuantSite *s) {
  int64_t more = stored_more(s);
  Operand a, b;
  if (!read_operands(s, &a, &b)) return false;
  float ra = a.of.scale / s->out.scale, rb = b.of.scale / s->out.scale, zb = rb * (float)(b.of.zero - more);
  float k = (float)(s->out.zero - more) - fmaf(ra, (float)(a.of.zero - more), zb);
  return join_operands(s, (Step){.op = OP_QLinearAdd, .a = ra, .b = rb, .c = k, .e = (float)more}, &a, &b);
}

bool quant_mul(const QuantSite *s) {
  int64_t more = stored_more(s);
  Operand a, b;
  if (!read_operands(s, &a, &b)) return false;
  float scale = a.of.scale * b.of.scale, r = scale / s->out.scale;
  Step step = {.op = OP_QLinearMul, .a = r, .b = (float)a.of.zero, .c = (float)b.of.zero,
               .d = (float)(s->out.zero - more), .e = (float)more};
  return join_operands(s, step, &a, &b);
}

/* ==== means ==== */

static Value *scalar_f32(Graph *g, const char *name, float x) { return value_const_number(g, name, T_F32, (Number){.f = (double)x}); }

static Value *zero_point(Graph *g, Type t, int64_t zero) { return value_const_number(g, "zero", t, (Number){.i = zero}); }

/* Before the current node: the mean over the map of all images, without what is behind it. */
static Node *mean_of_map(const QuantSite *s, const Operand *x) {
  Graph *g = s->g;
  const Shape *d = &x->bytes->shape;
  int64_t n = 1;
  for (int k = 2; k < d->rank; k++) n *= d->d[k];
  float count = s->out.scale * (float)n, m = x->of.scale / count;
  Node *sum = walk_before(g, OP_GlobalSumPool, s->op->name, 2, (Value *[]){x->bytes, zero_point(g, T_U8, x->of.zero)}, 1);
  Step r = {.op = OP_Requantize, .type = s->type, .a = (float)s->out.zero};
  node_add_step_with(g, sum, r, scalar_f32(g, "m", m));
  return sum;
}

static bool has_map(const Value *x) { return x->shape.rank >= 3; }

bool quant_global_pool(const QuantSite *s) {
  Operand x;
  if (!is_8_bit(s->type) || !read_operand(s->op->in[0], &x) || !has_map(x.bytes)) return false;
  quant_finish(s, mean_of_map(s, &x));
  return true;
}

/* A mean over all axes but the first two; without these axes it is a view of the pool's. */
bool quant_reduce_mean(const QuantSite *s) {
  Graph *g = s->g;
  const Node *op = s->op;
  Operand x;
  if (has_run_time_axes(op) || !read_operand(op->in[0], &x) || !has_map(x.bytes)) return false;
  if (op->p.axes != (1u << x.bytes->shape.rank) - 4) return false;
  if (op->p.keepdims) return quant_global_pool(s);
  Node *mean = mean_of_map(s, &x);
  quant_bound(s, mean);
  Value *y = new_result(g, mean);
  QuantSite bare = quant_unbounded(s);
  Node *view = walk_before(g, OP_Reshape, op->name, 1, &y, 1);
  set_view(g, view, y, &op->out[0]->shape);
  quant_finish(&bare, view);
  return true;
}

static bool is_whole_map(const Node *pool) {
  const Window *w = &pool->win;
  const Shape *x = &pool->in[0]->shape;
  if (has_padding(pool) || w->front || w->back || x->rank < 3 || x->rank > 5) return false;
  const int64_t kernel[] = {w->kd, w->kh, w->kw};
  for (int k = 2; k < x->rank; k++)
    if (x->d[k] != kernel[3 - x->rank + k]) return false;
  return true;
}

bool quant_average_pool(const QuantSite *s) {
  Graph *g = s->g;
  Operand x;
  if (!read_operand(s->op->in[0], &x)) return false;
  if (is_whole_map(s->op)) return quant_global_pool(s);
  Value *in[] = {x.bytes, scalar_f32(g, "sx", x.of.scale), zero_point(g, T_U8, x.of.zero), scalar_f32(g, "sy", s->out.scale),
                 zero_point(g, s->type, s->out.zero)};
  Node *n = walk_before(g, OP_QuantizedAveragePool, s->op->name, COUNT(in), in, 1);
  attr_copy(g, n, s->op);
  quant_finish(s, n);
  return true;
}

/* ==== what compares and places ==== */

/* x as the numbers that the site's result is made of: itself, or by a table. */
static Value *as_result(const QuantSite *s, const Node *dequantize) {
  Uniform u;
  Value *x = dequantize->in[0];
  bool same = uniform_of(dequantize, &u) && u.scale == s->out.scale && u.zero == s->out.zero && x->type == s->type;
  return same && !quant_has_bounds(s) ? x : lookup_before(s, dequantize->out[0]);
}

/* Every operand is of 8 bits, with one scale. */
static bool all_bytes(const Node *n) {
  Uniform u;
  for (int i = 0; i < n->n_in; i++) {
    const Node *d = dequantized(n->in[i]);
    if (!d || !is_8_bit(d->in[0]->type) || !uniform_of(d, &u)) return false;
  }
  return true;
}

/* The operator on numbers that are the result's already. */
bool quant_move(const QuantSite *s) {
  Graph *g = s->g;
  Node *op = s->op;
  if (op->n_out > 1 && op->out[1]) return false;
  if (!all_bytes(op)) return false;
  Value **in = alloc_n(g->cx, (size_t)op->n_in, sizeof *in);
  for (int i = 0; i < op->n_in; i++) in[i] = as_result(s, dequantized(op->in[i]));
  Node *n = walk_before(g, op->op, op->name, op->n_in, in, 1);
  attr_copy(g, n, op);
  QuantSite bare = quant_unbounded(s);
  quant_finish(&bare, n);
  return true;
}
