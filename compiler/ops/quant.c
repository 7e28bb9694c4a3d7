/* quant.c: quantised arithmetic. An integer q with a scale s and a zero point z stands for the number (q - z) s.
 *
 * Sums of integers are exact modulo 2^32. Floats are fp32, and every operation is rounded once, to nearest even, in the order in
 * which it stands here: so all processors give the same bits, which are those of ONNX Runtime where it computes in integers. */
#include "ops.h"

#include <math.h>

/* ==== single numbers ==== */

/* A float to the nearest integer, half to even, and so many more, within the type; NaN is the lowest. */
static int64_t nearest_and(Type t, float x, int64_t more) {
  double lo = (double)(type_lowest(t) - more), hi = (double)(type_highest(t) - more), v = nearbyintf(x);
  if (!(v > lo)) return type_lowest(t);
  return v >= hi ? type_highest(t) : (int64_t)v + more;
}

int64_t quantize(Type t, float x, float scale, int64_t zero) {
  return nearest_and(t, nearbyintf(x / scale) + (float)zero, 0);
}

int64_t quantize_inside(Type t, float x, float scale, int64_t zero) {
  float steps = x / scale;
  return nearest_and(t, steps + (float)zero, 0);
}

float dequantize(int64_t q, float scale, int64_t zero) {
  return (float)(int32_t)((uint32_t)q - (uint32_t)zero) * scale;
}

int64_t requantize(Type t, int32_t acc, float m, int64_t zero) {
  float lo = (float)(type_lowest(t) - zero), hi = (float)(type_highest(t) - zero), x = nearbyintf((float)acc * m);
  return (int64_t)(x < lo ? lo : x > hi ? hi : x) + zero;
}

int64_t qlinear_add(Type t, int64_t a, int64_t b, const float *r) {
  int64_t more = (int64_t)r[4];
  return nearest_and(t, fmaf((float)(a - more), r[0], fmaf((float)(b - more), r[1], r[2])), more);
}

int64_t qlinear_mul(Type t, int64_t a, int64_t b, const float *r) {
  float product = (float)((a - (int64_t)r[1]) * (b - (int64_t)r[2])), scaled = product * r[0];
  return nearest_and(t, scaled + r[3], (int64_t)r[4]);
}

/* ==== QuantizeLinear, DequantizeLinear: input 1 is the scale, input 2 the zero point ====
 * They are one for all elements, or a list along an axis, or as many as there are blocks of block_size elements along it, of which
 * the last may be short. */

static bool is_one(const Shape *s) { return s->rank == 0 || (s->rank == 1 && s->d[0] == 1); }

/* One element, or one for each index of the axis. */
static void check_list(Graph *g, const Node *n, int i, int axis) {
  const Shape *s = &n->in[i]->shape, *x = &n->in[0]->shape;
  check_rank(g, n, i, 0, 1);
  if (!is_one(s) && s->d[0] != x->d[axis])
    fail_at(g, n, "input %d has %lld elements, axis %d of input 0 has %lld", i, (long long)s->d[0], axis, (long long)x->d[axis]);
}

/* As many as there are blocks. */
static void check_blocks(Graph *g, const Node *n, int i, int axis, int64_t block) {
  Shape blocks = n->in[0]->shape;
  if (blocks.d[axis] < 0) fail_at(g, n, "blocks along the batch are not supported");
  blocks.d[axis] = size_ceiling(blocks.d[axis], block);
  if (!shape_equal(&blocks, &n->in[i]->shape))
    fail_at(g, n, "input %d is %s, blocks of %lld along axis %d need %s", i, shape_text(g->cx, &n->in[i]->shape), (long long)block, axis,
            shape_text(g->cx, &blocks));
}

static void check_scale(Graph *g, const Node *n) {
  const Value *v = n->in[1];
  if (v->type != T_F32 && !type_is_half(v->type)) fail_at(g, n, "a scale of type %s is not supported", type_name(v->type));
  int64_t count = v->data ? shape_count(&v->shape) : 0;
  for (int64_t i = 0; i < count; i++) {
    double s = get_number(v->type, v->data, i).f;
    if (!(isfinite(s) && s > 0)) fail_at(g, n, "a scale is %g: it must be positive and finite", s);
  }
}

/* The axis along which the parameters stand. */
static int quant_axis(Graph *g, const Node *n) {
  bool one = is_one(&n->in[1]->shape) && !n->p.block; /* then the axis, 1 by default, may not exist */
  return one ? 0 : check_axis(g, n, attr_int(n, "axis", 1), n->in[0]->shape.rank);
}

static void check_parameters(Graph *g, Node *n) {
  int64_t block = attr_int(n, "block_size", 0);
  check_range(g, n, "attribute block_size", block, 0, INT32_MAX);
  n->p.block = (int)block;
  n->p.axis = quant_axis(g, n);
  check_scale(g, n);
  for (int i = 1; i < 3 && has_input(n, i); i++) {
    if (block) check_blocks(g, n, i, n->p.axis, block);
    else check_list(g, n, i, n->p.axis);
  }
  if (has_input(n, 2) && shape_count(&n->in[1]->shape) != shape_count(&n->in[2]->shape))
    fail_at(g, n, "scale and zero point have different shapes");
}

static bool is_quantized(Type t) { return t == T_U8 || t == T_I8 || t == T_U16 || t == T_I16; }

void infer_quantize_linear(Graph *g, Node *n) {
  Type asked = (Type)attr_int(n, "output_dtype", T_NONE);
  Type t = has_input(n, 2) ? n->in[2]->type : asked ? asked : T_U8;
  check_parameters(g, n);
  if (!is_quantized(t)) fail_at(g, n, "quantising to %s is not supported", type_name(t));
  if (asked && asked != t) fail_at(g, n, "output_dtype contradicts the zero point's type");
  set_output(g, n, 0, t, &n->in[0]->shape);
}

void infer_dequantize_linear(Graph *g, Node *n) {
  Type asked = (Type)attr_int(n, "output_dtype", T_NONE), t = asked ? asked : n->in[1]->type;
  check_parameters(g, n);
  if (has_input(n, 2)) {
    Type z = n->in[2]->type, x = n->in[0]->type;
    if (z != x) fail_at(g, n, "input 2 is %s, input 0 is %s", type_name(z), type_name(x));
  }
  if (t != T_F32 && !type_is_half(t)) fail_at(g, n, "dequantising to %s is not supported", type_name(t));
  set_output(g, n, 0, t, &n->in[0]->shape);
}

/* Walks the elements of input 0, beside them a list of parameters. */
static Cursor parameter_cursor(const Node *n) {
  Cursor c = {.shape = &n->in[0]->shape};
  if (!is_one(&n->in[1]->shape)) c.stride[n->p.axis] = 1;
  return c;
}

/* Which of the parameters is the current element's? */
static int64_t parameter_at(const Node *n, const Cursor *c) {
  if (!n->p.block) return c->at;
  int64_t at = 0;
  for (int k = 0; k < c->shape->rank; k++)
    at = at * n->in[1]->shape.d[k] + (k == n->p.axis ? c->index[k] / n->p.block : c->index[k]);
  return at;
}

static float scale_at(const Node *n, const void *const *in, int64_t i) { return (float)get_number(n->in[1]->type, in[1], i).f; }

static int64_t zero_at(const Node *n, const void *const *in, int64_t i) {
  return has_input(n, 2) ? get_number(n->in[2]->type, in[2], i).i : 0;
}

void eval_quantize_linear(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type from = n->in[0]->type, to = n->out[0]->type;
  int64_t count = shape_count(&n->in[0]->shape);
  Cursor c = parameter_cursor(n);
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) {
    int64_t k = parameter_at(n, &c);
    float x = (float)convert_number(from, T_F32, get_number(from, in[0], i)).f;
    put_number(to, out[0], i, (Number){.i = quantize(to, x, scale_at(n, in, k), zero_at(n, in, k))});
  }
}

void eval_dequantize_linear(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type from = n->in[0]->type, to = n->out[0]->type;
  int64_t count = shape_count(&n->in[0]->shape);
  Cursor c = parameter_cursor(n);
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) {
    int64_t k = parameter_at(n, &c);
    put_number(to, out[0], i, (Number){.f = dequantize(get_number(from, in[0], i).i, scale_at(n, in, k), zero_at(n, in, k))});
  }
}
