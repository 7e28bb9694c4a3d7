/* quant_sums.c: what convolutions and products of dequantised operands have in common: sums of integers in units of sx sw, a unit
 * for each channel of the result, and a bias.
 *
 *   ConvInteger(x, w) | Add(b) | Requantize(sx sw / sy, zy) : u8                  -- where the result is quantised
 *   ConvInteger(x, w) | Add(b) | Cast : f32 | Mul(sx sw) | Add(b)                 -- where the value itself is wanted, or the bias
 *                                                                                    is no integer number of units; one Add at most */
#include "rewrite.h"

#include <math.h>

/* Number c of a DequantizeLinear's scales; it may be one for all. */
static float scale_at(const Node *n, int64_t c) {
  const Value *s = n->in[1];
  return (float)get_number(s->type, s->data, shape_count(&s->shape) == 1 ? 0 : c).f;
}

static int64_t zero_at(const Node *n, int64_t c) {
  const Value *z = has_input(n, 2) ? n->in[2] : NULL;
  return z ? get_number(z->type, z->data, shape_count(&z->shape) == 1 ? 0 : c).i : 0;
}

static bool has_known_scale(const Node *n) { return n->in[1]->data && (!has_input(n, 2) || n->in[2]->data); }

static bool is_uniform(const Node *n) { return shape_count(&n->in[1]->shape) == 1; }

/* One for all or one for each channel; those in blocks along an axis have more axes. */
static bool has_channel_scales(const Node *w, int axis) { return is_uniform(w) || (w->in[1]->shape.rank == 1 && w->p.axis == axis); }

bool sums_read(QuantSums *s, int w_axis, float alpha) {
  Uniform in;
  s->x = dequantized(s->op->in[0]);
  s->w = dequantized(s->op->in[1]);
  if (!s->x || !s->w || !is_8_bit(s->x->in[0]->type) || !is_8_bit(s->w->in[0]->type)) return false;
  if (!uniform_of(s->x, &in) || !has_known_scale(s->w) || !has_channel_scales(s->w, w_axis)) return false;
  s->unit = alloc_n(s->g->cx, (size_t)s->channels, sizeof *s->unit);
  for (int64_t c = 0; c < s->channels; c++) s->unit[c] = alpha * in.scale * scale_at(s->w, c);
  return true;
}

/* ==== the bias: rows x channels, either of which may be one for all ==== */

static Value *bias_of(const QuantSums *s) { return has_input(s->op, 2) ? s->op->in[2] : NULL; }

static int64_t bias_columns(const QuantSums *s) {
  const Shape *b = &bias_of(s)->shape;
  return b->rank > 0 ? b->d[b->rank - 1] : 1;
}

static int64_t bias_element(const QuantSums *s, int64_t row, int64_t c) {
  int64_t columns = bias_columns(s);
  return row * columns + (columns > 1 ? c : 0);
}

/* Which of a DequantizeLinear's scales is that of an element. */
static int64_t bias_scale(const QuantSums *s, const Node *n, int64_t row, int64_t c) {
  return n->p.axis == n->in[0]->shape.rank - 1 ? bias_columns(s) > 1 ? c : 0 : row;
}

/* Its constants; NULL: it is made otherwise, or its scales are those of blocks. */
static const Node *bias_integers(const QuantSums *s) {
  const Node *n = dequantized(bias_of(s));
  return n && n->in[0]->data && has_known_scale(n) && n->in[1]->shape.rank <= 1 ? n : NULL;
}

static bool bias_is_known(const QuantSums *s) { return bias_integers(s) || f32_data(bias_of(s)); }

static float bias_number(const QuantSums *s, int64_t row, int64_t c) {
  const Node *n = bias_integers(s);
  int64_t i = bias_element(s, row, c), k = n ? bias_scale(s, n, row, c) : 0;
  return n ? dequantize(get_number(n->in[0]->type, n->in[0]->data, i).i, scale_at(n, k), zero_at(n, k)) : f32_data(bias_of(s))[i];
}

/* Is it made of integers whose unit is that of the sums? Scales that differ by roundings are meant to be the same. */
static bool bias_in_units(const QuantSums *s, int64_t rows) {
  const Node *n = bias_integers(s);
  if (!n || n->in[0]->type != T_I32 || (has_input(n, 2) && !const_is_zero(n->in[2]))) return false;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < s->channels; c++) {
      double unit = (double)s->unit[c], scale = (double)scale_at(n, bias_scale(s, n, r, c));
      if (!(fabs(scale - unit) <= 0x1p-20 * unit)) return false;
    }
  return true;
}

bool sums_take_bias(QuantSums *s, bool rounded) {
  if (!bias_of(s)) return true;
  int64_t rows = shape_count(&bias_of(s)->shape) / size_max(bias_columns(s), 1);
  bool in_units = bias_in_units(s, rows);
  if (!in_units && !(rounded && bias_is_known(s))) return false;
  int32_t *bias = alloc_n(s->g->cx, (size_t)size_mul(rows, s->channels), sizeof *bias);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < s->channels; c++) {
      float units = in_units ? 0 : nearbyintf(bias_number(s, r, c) / s->unit[c]);
      if (!(fabsf(units) < 0x1p30f)) return false;
      const Node *n = bias_integers(s);
      bias[r * s->channels + c] = in_units ? (int32_t)get_number(T_I32, n->in[0]->data, bias_element(s, r, c)).i : (int32_t)units;
    }
  s->bias = bias;
  s->bias_rows = rows;
  return true;
}

Value *sums_plain_bias(const QuantSums *s) {
  if (!bias_of(s) || !bias_is_known(s)) return NULL;
  float *b = alloc_n(s->g->cx, (size_t)s->channels, sizeof *b);
  for (int64_t c = 0; c < s->channels; c++) b[c] = bias_number(s, 0, c);
  return value_const(s->g, "bias", T_F32, s->beside, b);
}

/* ==== the integer node ==== */

/* The zero point of an operand; NULL: 0. */
static Value *zero_of(const Node *n) { return has_input(n, 2) && !(n->in[2]->data && const_is_zero(n->in[2])) ? n->in[2] : NULL; }

Node *sums_node(const QuantSums *s, Op op, Value *x, Value *w) {
  Value *in[] = {x, w, has_input(s->x, 2) ? s->x->in[2] : NULL, zero_of(s->w)};
  Node *n = walk_before(s->g, op, s->op->name, COUNT(in), in, 1);
  if (!s->bias) return n;
  Shape shape = s->beside;
  if (s->op->op != OP_Conv) shape = s->bias_rows > 1 ? shape_of(2, s->bias_rows, s->channels) : shape_of(1, s->channels);
  node_add_step_with(s->g, n, (Step){.op = OP_Add}, value_const(s->g, "bias", T_I32, shape, s->bias));
  return n;
}

void sums_requantize(const QuantSums *s, const QuantSite *site, Node *n) {
  float *m = alloc_n(s->g->cx, (size_t)s->channels, sizeof *m);
  for (int64_t c = 0; c < s->channels; c++) m[c] = s->unit[c] / site->out.scale;
  node_add_step_with(s->g, n, (Step){.op = OP_Requantize, .type = site->type, .a = (float)site->out.zero},
                     value_const(s->g, "m", T_F32, s->beside, m));
  quant_finish(site, n);
}

void sums_leave(const QuantSums *s, Node *n, Value *bias) {
  node_add_step(s->g, n, (Step){.op = OP_Cast, .type = T_F32, .arg = -1});
  node_add_step_with(s->g, n, (Step){.op = OP_Mul}, value_const(s->g, "unit", T_F32, s->beside, s->unit));
  if (bias) node_add_step_with(s->g, n, (Step){.op = OP_Add}, bias);
  give_output(n, s->op);
  infer_node(s->g, n);
}
