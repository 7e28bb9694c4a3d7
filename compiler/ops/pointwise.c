/* pointwise.c: elementwise operators, and the steps of epilogues. Their equations are in pointwise.def. */
#include "ops.h"

#include <math.h>

void infer_clip(Graph *g, Node *n) {
  attr_to_input(g, n, "min", 1);
  attr_to_input(g, n, "max", 2);
  for (int i = 1; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    check_same_type(g, n, i);
    const Shape *s = &n->in[i]->shape;
    if (shape_is_symbolic(s) || shape_count(s) != 1) fail_at(g, n, "input %d must be one number%s", i, batch_remedy(g, n));
  }
  infer_same(g, n);
}

void infer_cast(Graph *g, Node *n) {
  int64_t to = attr_int(n, "to", T_NONE);
  if (to < 0 || to > T_BF16 || !type_size((Type)to))
    fail_at(g, n, "element type %lld is not supported", (long long)to);
  n->p.to = (Type)to;
  set_output(g, n, 0, (Type)to, &n->in[0]->shape);
}

void infer_prelu(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  broadcast_into(g, n, 1, &n->in[0]->shape);
  infer_same(g, n);
}

void infer_binary(Graph *g, Node *n) {
  Shape s = n->in[0]->shape;
  check_same_type(g, n, 1);
  broadcast_input(g, n, 1, &s);
  set_output(g, n, 0, n->in[0]->type, &s);
}

void infer_pointwise(Graph *g, Node *n) {
  Shape s = n->in[0]->shape;
  for (int i = 1; i < n->n_in; i++) broadcast_input(g, n, i, &s);
  set_output(g, n, 0, n->in[0]->type, &s);
}

/* ---- one element ---- */

/* Past both bounds, the upper one; a bound that is NaN makes everything NaN. */
static Number clip_number(Type t, Number x, const Number *lo, const Number *hi) {
  if (lo && number_less(t, x, *lo)) x = *lo;
  if (hi && number_less(t, *hi, x)) x = *hi;
  if (type_is_float(t) && lo && isnan(lo->f)) x = *lo;
  if (type_is_float(t) && hi && isnan(hi->f)) x = *hi;
  return x;
}

static double clamp(double x, double lo, double hi) {
  return clip_number(T_F64, (Number){x}, &(Number){lo}, &(Number){hi}).f;
}

/* ---- the words of pointwise.def, for doubles ---- */

#define ADD(p, q) ((p) + (q))
#define SUB(p, q) ((p) - (q))
#define MUL(p, q) ((p) * (q))
#define DIV(p, q) ((p) / (q))
#define FMA(p, q, r) ((p) * (q) + (r))
#define C(number) (number)
#define NEGATIVE(p) ((p) < 0)
#define SELECT(c, p, q) ((c) ? (p) : (q))
#define CLAMP(p, lo, hi) clamp(p, lo, hi)
#define INF INFINITY
#define SIGMOID(p) (1 / (1 + exp(-(p))))
#define TANH(p) tanh(p)
#define EXPM1(p) expm1(p)

static double float_value(Op op, double X, double Y, double alpha, double beta) {
  switch (op) {
#define POINTWISE(name, on_floats, on_integers) case OP_##name: return on_floats;
#include "pointwise.def"
#undef POINTWISE
  default: assert(!"an operator with an equation"); return 0;
  }
}

#undef ADD
#undef SUB
#undef MUL
#undef DIV
#undef NEGATIVE

/* ---- for integers ---- */

/* Quotients go towards zero; the one that overflows wraps, and by zero they are 0. */
static Number divide_int(Type t, Number a, Number b) {
  if (b.u == 0) return b;
  if (type_is_unsigned(t)) return (Number){.u = a.u / b.u};
  if (b.i == -1) return (Number){.u = -a.u};
  return (Number){.i = a.i / b.i};
}

#define ADD(p, q) ((Number){.u = (p).u + (q).u})
#define SUB(p, q) ((Number){.u = (p).u - (q).u})
#define MUL(p, q) ((Number){.u = (p).u * (q).u})
#define DIV(p, q) divide_int(t, p, q)
#define ZERO ((Number){0})
#define NEGATIVE(p) number_less(t, p, ZERO)
#define NO_INTEGERS (assert(!"an operator on integers"), X)

static Number integer_value(Op op, Type t, Number X, Number Y) {
  switch (op) {
#define POINTWISE(name, on_floats, on_integers) case OP_##name: return on_integers;
#include "pointwise.def"
#undef POINTWISE
  default: assert(!"an operator with an equation"); return X;
  }
}

/* ---- whole tensors ---- */

void eval_unary(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  int64_t count = shape_count(&n->in[0]->shape);
  for (int64_t i = 0; i < count; i++) {
    Number x = get_number(t, in[0], i);
    if (type_is_float(t)) x.f = float_value(n->op, x.f, 0, n->p.alpha, n->p.beta);
    else x = integer_value(n->op, t, x, (Number){0});
    put_number(t, out[0], i, x);
  }
}

void eval_clip(Graph *g, const Node *n, const void *const *in, void **out) {
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

void eval_cast(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type from = n->in[0]->type, to = n->out[0]->type;
  int64_t count = shape_count(&n->in[0]->shape);
  for (int64_t i = 0; i < count; i++)
    put_number(to, out[0], i, convert_number(from, to, get_number(from, in[0], i)));
}

void eval_binary(Graph *g, const Node *n, const void *const *in, void **out) {
  Type t = n->in[0]->type;
  const Shape *s = &n->out[0]->shape;
  Cursor a = broadcast_cursor(&n->in[0]->shape, s), b = broadcast_cursor(&n->in[1]->shape, s);
  int64_t count = shape_count(s);
  for (int64_t i = 0; i < count; i++, cursor_next(&a), cursor_next(&b)) {
    Number x = get_number(t, in[0], a.at), y = get_number(t, in[1], b.at);
    if (n->op == OP_Div && !type_is_float(t) && y.u == 0 && n->in[1]->data) fail_at(g, n, "an integer is divided by zero");
    if (type_is_float(t)) x.f = float_value(n->op, x.f, y.f, n->p.alpha, n->p.beta);
    else x = integer_value(n->op, t, x, y);
    put_number(t, out[0], i, x);
  }
}

/* The first input broadcast to the result's shape; the steps do the rest. */
void eval_pointwise(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *s = &n->out[0]->shape;
  Cursor x = broadcast_cursor(&n->in[0]->shape, s);
  int64_t count = shape_count(s);
  Type t = n->in[0]->type;
  for (int64_t i = 0; i < count; i++, cursor_next(&x)) put_number(t, out[0], i, get_number(t, in[0], x.at));
}

/* ---- steps ---- */

Number step_number(const Step *s, Type from, Number acc, Number arg) {
  Type to = s->type ? s->type : from;
  switch (s->op) {
  case OP_Cast: return convert_number(from, to, acc);
  case OP_Requantize: return (Number){.i = requantize(to, (int32_t)acc.i, (float)arg.f, (int64_t)s->a)};
  case OP_QLinearAdd: return (Number){.i = qlinear_add(to, acc.i, arg.i, (float[]){s->a, s->b, s->c})};
  default: break;
  }
  if (!type_is_float(from) && s->op == OP_Clip)
    return clip_number(from, acc, &(Number){.i = (int64_t)s->a}, &(Number){.i = (int64_t)s->b});
  Number x = s->swap ? arg : acc, y = s->swap ? acc : arg;
  if (!type_is_float(from)) return integer_value(s->op, from, x, y);
  return (Number){.f = (float)float_value(s->op, x.f, y.f, s->a, s->b)};
}

void *eval_step(Graph *g, const Step *s, Type from, const Shape *shape, const void *acc, const Value *arg, const void *data) {
  int64_t count = shape_count(shape);
  Type to = s->type ? s->type : from;
  void *out = alloc_n(g->cx, (size_t)count, type_size(to));
  Cursor c = {.shape = shape};
  if (arg) c = broadcast_cursor(&arg->shape, shape);
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) {
    Number y = arg ? get_number(arg->type, data, c.at) : (Number){0};
    put_number(to, out, i, step_number(s, from, get_number(from, acc, i), y));
  }
  return out;
}
