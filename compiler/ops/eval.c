/* eval.c: the reference evaluator: elements of every type, elementwise operators, nodes and graphs. */
#include "eval.h"

#include <math.h>
#include <string.h>

/* ---- half precision: 1 sign bit, e exponent bits, m mantissa bits (IEEE 754, 3.4) ---- */

static double decode_float(uint16_t bits, int e, int m) {
  int exponent = bits >> m & ((1 << e) - 1), bias = (1 << (e - 1)) - 1, mantissa = bits & ((1 << m) - 1);
  double v;
  if (exponent == (1 << e) - 1) v = mantissa ? NAN : INFINITY;
  else if (exponent == 0) v = ldexp(mantissa, 1 - bias - m);
  else v = ldexp(mantissa + (1 << m), exponent - bias - m);
  return bits >> (e + m) ? -v : v;
}

/* The significand is counted in units of its last place: a carry of its rounding runs into the exponent. */
static uint16_t encode_float(double v, int e, int m) {
  int bias = (1 << (e - 1)) - 1, infinity = ((1 << e) - 1) << m, exponent;
  int sign = (signbit(v) != 0) << (e + m);
  if (isnan(v)) return (uint16_t)(sign | infinity | 1 << (m - 1));
  if (isinf(v)) return (uint16_t)(sign | infinity);
  frexp(v, &exponent);
  int biased = exponent - 1 + bias;
  if (biased < 1 || v == 0) biased = 1;
  if (biased > 2 * bias) return (uint16_t)(sign | infinity);
  int units = (int)nearbyint(ldexp(fabs(v), m - (biased - bias)));
  return (uint16_t)(sign | (((biased - 1) << m) + units));
}

/* ---- elements ---- */

Number get_number(Type t, const void *data, int64_t i) {
  switch (t) {
    case T_F32: return (Number){.f = ((const float *)data)[i]};
    case T_F64: return (Number){.f = ((const double *)data)[i]};
    case T_F16: return (Number){.f = decode_float(((const uint16_t *)data)[i], 5, 10)};
    case T_BF16: return (Number){.f = decode_float(((const uint16_t *)data)[i], 8, 7)};
    case T_I8: return (Number){.i = ((const int8_t *)data)[i]};
    case T_I16: return (Number){.i = ((const int16_t *)data)[i]};
    case T_I32: return (Number){.i = ((const int32_t *)data)[i]};
    case T_I64: return (Number){.i = ((const int64_t *)data)[i]};
    case T_BOOL: return (Number){.i = ((const uint8_t *)data)[i] != 0};
    case T_U8: return (Number){.u = ((const uint8_t *)data)[i]};
    case T_U16: return (Number){.u = ((const uint16_t *)data)[i]};
    case T_U32: return (Number){.u = ((const uint32_t *)data)[i]};
    case T_U64: return (Number){.u = ((const uint64_t *)data)[i]};
    case T_NONE: case T_STRING: break;
  }
  assert(!"a type that is stored");
  return (Number){0};
}

void put_number(Type t, void *data, int64_t i, Number v) {
  switch (t) {
    case T_F32: ((float *)data)[i] = (float)v.f; return;
    case T_F64: ((double *)data)[i] = v.f; return;
    case T_F16: ((uint16_t *)data)[i] = encode_float(v.f, 5, 10); return;
    case T_BF16: ((uint16_t *)data)[i] = encode_float(v.f, 8, 7); return;
    case T_U8: case T_I8: case T_BOOL: ((uint8_t *)data)[i] = (uint8_t)v.u; return;
    case T_U16: case T_I16: ((uint16_t *)data)[i] = (uint16_t)v.u; return;
    case T_U32: case T_I32: ((uint32_t *)data)[i] = (uint32_t)v.u; return;
    case T_U64: case T_I64: ((uint64_t *)data)[i] = v.u; return;
    case T_NONE: case T_STRING: break;
  }
  assert(!"a type that is stored");
}

static bool is_unsigned(Type t) {
  return t == T_U8 || t == T_U16 || t == T_U32 || t == T_U64;
}

bool number_less(Type t, Number a, Number b) {
  if (type_is_float(t)) return a.f < b.f;
  return is_unsigned(t) ? a.u < b.u : a.i < b.i;
}

bool number_beats(Type t, Number a, Number b) {
  if (type_is_float(t) && isnan(a.f)) return !isnan(b.f);
  return number_less(t, b, a);
}

/* ONNX leaves values outside the integer type's range open; here they stop at its ends, and NaN becomes 0. */
static Number float_to_int(double v, Type to) {
  int bits = 8 * (int)type_size(to);
  double hi = is_unsigned(to) ? ldexp(1, bits) : ldexp(1, bits - 1), lo = is_unsigned(to) ? 0 : -hi;
  if (isnan(v)) return (Number){.i = 0};
  v = trunc(v);
  if (is_unsigned(to)) return (Number){.u = v <= lo ? 0 : v >= hi ? UINT64_MAX >> (64 - bits) : (uint64_t)v};
  return (Number){.i = v <= lo ? INT64_MIN >> (64 - bits) : v >= hi ? INT64_MAX >> (64 - bits) : (int64_t)v};
}

/* To f32 in one rounding, which the way through double would not be. */
static double int_to_float(Number v, Type from, Type to) {
  if (to == T_F32) return is_unsigned(from) ? (float)v.u : (float)v.i;
  return is_unsigned(from) ? (double)v.u : (double)v.i;
}

Number convert_number(Type from, Type to, Number v) {
  bool is_float = type_is_float(from);
  if (to == T_BOOL) return (Number){.i = is_float ? v.f != 0 : v.i != 0};
  if (is_float && !type_is_float(to)) return float_to_int(v.f, to);
  if (!is_float && type_is_float(to)) return (Number){.f = int_to_float(v, from, to)};
  return v;
}

/* ---- places ---- */

void cursor_next(Cursor *c) {
  for (int k = c->shape->rank - 1; k >= 0; k--) {
    c->at += c->stride[k];
    if (++c->index[k] < c->shape->d[k]) return;
    c->at -= c->stride[k] * c->shape->d[k];
    c->index[k] = 0;
  }
}

void dense_strides(const Shape *s, int64_t *stride) {
  int64_t n = 1;
  for (int k = s->rank - 1; k >= 0; k--) {
    stride[k] = n;
    n *= s->d[k];
  }
}

Cursor broadcast_cursor(const Shape *s, const Shape *to) {
  Cursor c = {.shape = to};
  int64_t stride[MAX_RANK];
  dense_strides(s, stride);
  for (int k = 0; k < s->rank; k++) c.stride[to->rank - s->rank + k] = s->d[k] == 1 ? 0 : stride[k];
  return c;
}

/* ---- elementwise operators ---- */

/* Past both bounds, the upper one; a bound that is NaN makes everything NaN. */
static Number clip_number(Type t, Number x, const Number *lo, const Number *hi) {
  if (lo && number_less(t, x, *lo)) x = *lo;
  if (hi && number_less(t, *hi, x)) x = *hi;
  if (type_is_float(t) && lo && isnan(lo->f)) x = *lo;
  if (type_is_float(t) && hi && isnan(hi->f)) x = *hi;
  return x;
}

/* Parameters a and b as in Step. */
static double unary_float(Op op, double x, double a, double b) {
  switch (op) {
    case OP_Relu: return x < 0 ? 0 : x;
    case OP_LeakyRelu: return x < 0 ? a * x : x;
    case OP_Clip: return clip_number(T_F64, (Number){x}, &(Number){a}, &(Number){b}).f;
    case OP_Sigmoid: return 1 / (1 + exp(-x));
    case OP_HardSigmoid: x = a * x + b; return x < 0 ? 0 : x > 1 ? 1 : x;
    case OP_HardSwish: return x * unary_float(OP_HardSigmoid, x, 1.0 / 6, 0.5);
    case OP_Tanh: return tanh(x);
    default: break;
  }
  assert(!"a unary operator");
  return 0;
}

static double binary_float(Op op, double a, double b) {
  switch (op) {
    case OP_Add: return a + b;
    case OP_Sub: return a - b;
    case OP_Mul: return a * b;
    case OP_Div: return a / b;
    case OP_PRelu: return a < 0 ? b * a : a;
    default: break;
  }
  assert(!"a binary operator");
  return 0;
}

/* Quotients go towards zero; the one that overflows wraps, and by zero they are 0. */
static Number divide_int(Type t, Number a, Number b) {
  if (b.u == 0) return b;
  if (is_unsigned(t)) return (Number){.u = a.u / b.u};
  if (b.i == -1) return (Number){.u = -a.u};
  return (Number){.i = a.i / b.i};
}

static Number binary_int(Graph *g, const Node *n, Type t, Number a, Number b) {
  switch (n->op) {
    case OP_Add: return (Number){.u = a.u + b.u};
    case OP_Sub: return (Number){.u = a.u - b.u};
    case OP_Mul: return (Number){.u = a.u * b.u};
    case OP_Div:
      if (b.u == 0 && n->in[1]->data) fail_at(g, n, "an integer is divided by zero");
      return divide_int(t, a, b);
    case OP_PRelu: return number_less(t, a, (Number){0}) ? (Number){.u = a.u * b.u} : a;
    default: break;
  }
  assert(!"a binary operator");
  return a;
}

static void eval_unary(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  int64_t count = shape_count(&n->in[0]->shape);
  double a = attr_float(n, "alpha", n->op == OP_HardSigmoid ? 0.2f : 0.01f), b = attr_float(n, "beta", 0.5f);
  for (int64_t i = 0; i < count; i++) {
    Number x = get_number(t, in[0], i);
    if (type_is_float(t)) x.f = unary_float(n->op, x.f, a, b);
    else if (x.i < 0) x.i = 0; /* Relu, the only one on integers */
    put_number(t, out[0], i, x);
  }
}

static void eval_clip(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  int64_t count = shape_count(&n->in[0]->shape);
  bool has_lo = n->n_in > 1 && in[1], has_hi = n->n_in > 2 && in[2];
  Number lo = has_lo ? get_number(t, in[1], 0) : (Number){0}, hi = has_hi ? get_number(t, in[2], 0) : (Number){0};
  for (int64_t i = 0; i < count; i++) {
    Number x = get_number(t, in[0], i);
    put_number(t, out[0], i, clip_number(t, x, has_lo ? &lo : NULL, has_hi ? &hi : NULL));
  }
}

static void eval_cast(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type from = n->in[0]->type, to = n->out[0]->type;
  int64_t count = shape_count(&n->in[0]->shape);
  for (int64_t i = 0; i < count; i++)
    put_number(to, out[0], i, convert_number(from, to, get_number(from, in[0], i)));
}

static void eval_binary(Graph *g, const Node *n, const void *const *in, void **out) {
  Type t = n->in[0]->type;
  const Shape *s = &n->out[0]->shape;
  Cursor a = broadcast_cursor(&n->in[0]->shape, s), b = broadcast_cursor(&n->in[1]->shape, s);
  int64_t count = shape_count(s);
  for (int64_t i = 0; i < count; i++, cursor_next(&a), cursor_next(&b)) {
    Number x = get_number(t, in[0], a.at), y = get_number(t, in[1], b.at);
    if (type_is_float(t)) x.f = binary_float(n->op, x.f, y.f);
    else x = binary_int(g, n, t, x, y);
    put_number(t, out[0], i, x);
  }
}

/* The first input broadcast to the result's shape; the steps do the rest. */
static void eval_pointwise(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *s = &n->out[0]->shape;
  Cursor x = broadcast_cursor(&n->in[0]->shape, s);
  int64_t count = shape_count(s);
  for (int64_t i = 0; i < count; i++, cursor_next(&x)) ((float *)out[0])[i] = ((const float *)in[0])[x.at];
}

void eval_step(const Step *s, const Shape *shape, float *acc, const Shape *arg_shape, const float *arg) {
  int64_t count = shape_count(shape);
  if (!arg) {
    for (int64_t i = 0; i < count; i++) acc[i] = (float)unary_float(s->op, acc[i], s->a, s->b);
    return;
  }
  Cursor c = broadcast_cursor(arg_shape, shape);
  for (int64_t i = 0; i < count; i++, cursor_next(&c))
    acc[i] = s->swap ? (float)binary_float(s->op, arg[c.at], acc[i])
                     : (float)binary_float(s->op, acc[i], arg[c.at]);
}

/* ---- nodes ---- */

static Eval *const evaluator[OP_COUNT] = {
  [OP_Conv] = eval_conv,
  [OP_Gemm] = eval_gemm,
  [OP_MatMul] = eval_matmul,
  [OP_MaxPool] = eval_max_pool,
  [OP_AveragePool] = eval_average_pool,
  [OP_GlobalAveragePool] = eval_global_average_pool,
  [OP_GlobalMaxPool] = eval_global_max_pool,
  [OP_BatchNormalization] = eval_batch_norm,
  [OP_Relu] = eval_unary,
  [OP_LeakyRelu] = eval_unary,
  [OP_Clip] = eval_clip,
  [OP_Sigmoid] = eval_unary,
  [OP_HardSigmoid] = eval_unary,
  [OP_HardSwish] = eval_unary,
  [OP_Tanh] = eval_unary,
  [OP_Cast] = eval_cast,
  [OP_PRelu] = eval_binary,
  [OP_Add] = eval_binary,
  [OP_Sub] = eval_binary,
  [OP_Mul] = eval_binary,
  [OP_Div] = eval_binary,
  [OP_Softmax] = eval_softmax,
  [OP_LogSoftmax] = eval_softmax,
  [OP_ReduceMean] = eval_reduce_mean,
  [OP_ArgMax] = eval_argmax,
  [OP_Transpose] = eval_transpose,
  [OP_Concat] = eval_concat,
  [OP_Split] = eval_split,
  [OP_Slice] = eval_slice,
  [OP_Pad] = eval_pad,
  [OP_Gather] = eval_gather,
  [OP_SpaceToDepth] = eval_space_to_depth,
  [OP_Identity] = eval_copy,
  [OP_Dropout] = eval_dropout,
  [OP_Flatten] = eval_copy,
  [OP_Reshape] = eval_copy,
  [OP_Squeeze] = eval_copy,
  [OP_Unsqueeze] = eval_copy,
  [OP_ConstantOfShape] = eval_constant_of_shape,
  [OP_Shape] = eval_shape,
  [OP_Pointwise] = eval_pointwise,
  [OP_Reorder] = eval_copy,
};

void eval_node(Graph *g, const Node *n, const void *const *in, void **out) {
  assert(evaluator[n->op]);
  for (int i = 0; i < n->n_out; i++) {
    const Value *v = n->out[i];
    assert(!v || !shape_is_symbolic(&v->shape));
    out[i] = v ? alloc_n(g->cx, (size_t)shape_count(&v->shape), type_size(v->type)) : NULL;
  }
  evaluator[n->op](g, n, in, out);
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    eval_step(s, &n->out[0]->shape, out[0], s->arg < 0 ? NULL : &n->in[s->arg]->shape,
              s->arg < 0 ? NULL : in[s->arg]);
  }
}

/* ---- graphs ---- */

static void eval_in_graph(Graph *g, const Node *n, void **of) {
  const void **in = alloc_n(g->cx, (size_t)n->n_in, sizeof *in);
  void **out = alloc_n(g->cx, (size_t)n->n_out, sizeof *out);
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i]) in[i] = n->in[i]->data ? n->in[i]->data : of[n->in[i]->id];
  eval_node(g, n, in, out);
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) of[n->out[i]->id] = out[i];
}

void eval_graph(Graph *g, const void *const *inputs, void **outputs) {
  void **of = alloc_n(g->cx, (size_t)g->n_value, sizeof *of); /* each value's elements */
  for (int i = 0; i < g->n_input; i++) of[g->input[i]->id] = (void *)(uintptr_t)inputs[i];
  for (int i = 0; i < g->n_node; i++)
    if (!g->node[i]->dead) eval_in_graph(g, g->node[i], of);
  for (int i = 0; i < g->n_output; i++) {
    const Value *v = g->output[i];
    size_t size = (size_t)shape_count(&v->shape) * type_size(v->type);
    outputs[i] = alloc(g->cx, size);
    memcpy(outputs[i], v->data ? v->data : of[v->id], size);
  }
}
