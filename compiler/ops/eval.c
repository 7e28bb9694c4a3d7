/* eval.c: the reference evaluator: elements of every type, elementwise operators, nodes and graphs. */
#include "ops.h"

#include <math.h>
#include <string.h>

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
  if (type_is_unsigned(t)) return (Number){.u = a.u / b.u};
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
