/* pointwise.c: elementwise operators, and the steps of epilogues. Their equations are in pointwise.def. */
#include "ops.h"

#include <math.h>
#include <string.h>

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
  n->p.to = type_attr(g, n, "to", T_NONE);
  set_output(g, n, 0, n->p.to, &n->in[0]->shape);
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

void infer_predicate(Graph *g, Node *n) {
  Shape s = n->in[0]->shape;
  for (int i = 1; i < n->n_in; i++) {
    check_same_type(g, n, i);
    broadcast_input(g, n, i, &s);
  }
  set_output(g, n, 0, T_BOOL, &s);
}

/* What is to be told from others are the infinities that count; nothing equals NaN. */
void infer_is_inf(Graph *g, Node *n) {
  n->p.alpha = attr_int(n, "detect_positive", 1) ? INFINITY : NAN;
  n->p.beta = attr_int(n, "detect_negative", 1) ? -INFINITY : NAN;
  infer_predicate(g, n);
}

void infer_pow(Graph *g, Node *n) {
  Shape s = n->in[0]->shape;
  Type t = n->in[1]->type;
  if (!type_is_float(t) && !type_is_int(t)) fail_at(g, n, "an exponent of type %s is not supported", type_name(t));
  broadcast_input(g, n, 1, &s);
  set_output(g, n, 0, n->in[0]->type, &s);
}

void infer_mod(Graph *g, Node *n) {
  n->p.alpha = attr_int(n, "fmod", 0) != 0;
  if (type_is_float(n->in[0]->type) && n->p.alpha == 0) fail_at(g, n, "floats need the attribute fmod=1");
  infer_binary(g, n);
}

void infer_bit_shift(Graph *g, Node *n) {
  const char *direction = attr_string(n, "direction", "");
  n->p.alpha = strcmp(direction, "RIGHT") == 0;
  if (n->p.alpha == 0 && strcmp(direction, "LEFT") != 0) fail_at(g, n, "direction is LEFT or RIGHT, not \"%s\"", direction);
  infer_binary(g, n);
}

/* Now that the type is known, it is a Cast. */
void infer_cast_like(Graph *g, Node *n) {
  n->op = OP_Cast;
  attr_set_int(g, n, "to", n->in[1]->type);
  node_set_inputs(g, n, 1, n->in);
  infer_cast(g, n);
}

void infer_where(Graph *g, Node *n) {
  Shape s = n->in[0]->shape;
  Type t = n->in[1]->type;
  if (n->in[2]->type != t) fail_at(g, n, "input 2 is %s, input 1 is %s", type_name(n->in[2]->type), type_name(t));
  for (int i = 1; i < 3; i++) broadcast_input(g, n, i, &s);
  set_output(g, n, 0, t, &s);
}

void infer_pointwise(Graph *g, Node *n) {
  Shape s = n->in[0]->shape;
  for (int i = 1; i < n->n_in; i++)
    if (!is_table(n, i)) broadcast_input(g, n, i, &s);
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

static double smaller(double p, double q) { return isnan(p) || p < q ? p : q; }
static double larger(double p, double q) { return isnan(p) || p > q ? p : q; }

#define ADD(p, q) ((p) + (q))
#define SUB(p, q) ((p) - (q))
#define MUL(p, q) ((p) * (q))
#define DIV(p, q) ((p) / (q))
#define NEG(p) (-(p))
#define ABS(p) fabs(p)
#define MIN(p, q) smaller(p, q)
#define MAX(p, q) larger(p, q)
#define FMA(p, q, r) ((p) * (q) + (r))
#define C(number) (number)
#define ZERO 0.0
#define LESS(p, q) ((p) < (q))
#define EQUAL(p, q) ((p) == (q))
#define NEGATIVE(p) ((p) < 0)
#define NOT(c) (!(c))
#define AND(c, d) ((c) && (d))
#define OR(c, d) ((c) || (d))
#define XOR(c, d) ((c) != (d))
#define SELECT(c, p, q) ((c) ? (p) : (q))
#define CLAMP(p, lo, hi) clamp(p, lo, hi)
#define INF INFINITY
#define FLOOR(p) floor(p)
#define CEIL(p) ceil(p)
#define ROUND(p) nearbyint(p)
#define SQRT(p) sqrt(p)
#define EXP(p) exp(p)
#define EXPM1(p) expm1(p)
#define LOG(p) log(p)
#define LOG1P(p) log1p(p)
#define POW(p, q) pow(p, q)
#define FMOD(p, q) fmod(p, q)
#define SIN(p) sin(p)
#define COS(p) cos(p)
#define TAN(p) tan(p)
#define ASIN(p) asin(p)
#define ACOS(p) acos(p)
#define ATAN(p) atan(p)
#define SINH(p) sinh(p)
#define COSH(p) cosh(p)
#define TANH(p) tanh(p)
#define ASINH(p) asinh(p)
#define ACOSH(p) acosh(p)
#define ATANH(p) atanh(p)
#define ERF(p) erf(p)
#define SIGMOID(p) (1 / (1 + exp(-(p))))
#define TANH_SOFTPLUS(p) tanh((p) > 40 ? (p) : log1p(exp(p)))
#define NO_FLOATS (assert(!"an operator on floats"), 0)

static Number float_value(Op op, double X, double Y, double alpha, double beta) {
  switch (op) {
#define POINTWISE(name, on_floats, on_integers) case OP_##name: return (Number){.f = on_floats};
#define PREDICATE(name, on_floats, on_integers) case OP_##name: return (Number){.i = on_floats};
#include "pointwise.def"
#undef POINTWISE
#undef PREDICATE
  default: assert(!"an operator with an equation"); return (Number){0};
  }
}

/* ---- for integers ---- */

/* Quotients go towards zero; the one that overflows wraps, and by zero they are 0. */
static Number divide_int(Type t, Number a, Number b) {
  if (b.u == 0) return b;
  if (type_is_unsigned(t)) return (Number){.u = a.u / b.u};
  if (b.i == -1) return (Number){.u = -a.u};
  return (Number){.i = a.i / b.i};
}

static Number remainder_int(Type t, Number a, Number b) {
  if (b.u == 0) return b;
  return (Number){.u = a.u - divide_int(t, a, b).u * b.u};
}

static Number modulo_int(Type t, Number a, Number b) {
  Number r = remainder_int(t, a, b);
  if (type_is_signed(t) && r.i != 0 && (r.i < 0) != (b.i < 0)) r.i += b.i;
  return r;
}

/* The exponent is an i64 whatever the base is. */
static Number power_int(Number base, Number exponent) {
  uint64_t result = 1;
  if (exponent.i < 0 && base.i != 1 && base.i != -1) return (Number){0};
  for (uint64_t q = exponent.u; q; q >>= 1) {
    if (q & 1) result *= base.u;
    base.u *= base.u;
  }
  return (Number){.u = result};
}

static Number shift_int(Type t, Number x, Number by, bool right) {
  if (by.u >= 8 * type_size(t)) return (Number){0};
  return (Number){.u = right ? x.u >> by.u : x.u << by.u};
}

static double as_double(Type t, Number x) { return convert_number(t, T_F64, x).f; }

#define NUMBER(value) ((Number){.u = (uint64_t)(value)})
#define ADD(p, q) NUMBER((p).u + (q).u)
#define SUB(p, q) NUMBER((p).u - (q).u)
#define MUL(p, q) NUMBER((p).u * (q).u)
#define DIV(p, q) divide_int(t, p, q)
#define NEG(p) NUMBER(-(p).u)
#define ABS(p) (NEGATIVE(p) ? NEG(p) : (p))
#define MIN(p, q) (LESS(p, q) ? (p) : (q))
#define MAX(p, q) (LESS(p, q) ? (q) : (p))
#define C(number) NUMBER((int64_t)(number))
#define ZERO NUMBER(0)
#define LESS(p, q) number_less(t, p, q)
#define EQUAL(p, q) ((p).u == (q).u)
#define NEGATIVE(p) number_less(t, p, ZERO)
#define TRUTH(p) ((p).u != 0)
#define POWER(p, q) power_int(p, q)
#define REMAINDER(p, q) remainder_int(t, p, q)
#define MODULO(p, q) modulo_int(t, p, q)
#define BIT_AND(p, q) NUMBER((p).u & (q).u)
#define BIT_OR(p, q) NUMBER((p).u | (q).u)
#define BIT_XOR(p, q) NUMBER((p).u ^ (q).u)
#define BIT_NOT(p) NUMBER(~(p).u)
#define SHIFT_LEFT(p, q) shift_int(t, p, q, false)
#define SHIFT_RIGHT(p, q) shift_int(t, p, q, true)
#define AS_FLOATS convert_number(T_F64, t, float_value(op, as_double(t, X), as_double(t, Y), alpha, beta))
#define NO_INTEGERS (assert(!"an operator on integers"), X)

static Number integer_value(Op op, Type t, Number X, Number Y, double alpha, double beta) {
  switch (op) {
#define POINTWISE(name, on_floats, on_integers) case OP_##name: return on_integers;
#define PREDICATE(name, on_floats, on_integers) case OP_##name: return NUMBER(on_integers);
#include "pointwise.def"
#undef POINTWISE
#undef PREDICATE
  default: assert(!"an operator with an equation"); return X;
  }
}

static Number value_of(Op op, Type t, Number x, Number y, double alpha, double beta) {
  return type_is_float(t) ? float_value(op, x.f, y.f, alpha, beta) : integer_value(op, t, x, y, alpha, beta);
}

/* ---- whole tensors ---- */

void eval_unary(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type from = n->in[0]->type, to = n->out[0]->type;
  int64_t count = shape_count(&n->in[0]->shape);
  for (int64_t i = 0; i < count; i++)
    put_number(to, out[0], i, value_of(n->op, from, get_number(from, in[0], i), (Number){0}, n->p.alpha, n->p.beta));
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

/* Powers may have an exponent of another type. */
static Number power_of(Type t, Number x, Type type_y, Number y) {
  bool whole = !type_is_float(t) && !type_is_float(type_y);
  if (whole) return value_of(OP_Pow, t, x, y, 0, 0);
  Number r = float_value(OP_Pow, as_double(t, x), as_double(type_y, y), 0, 0);
  return type_is_float(t) ? r : convert_number(T_F64, t, r);
}

static Number binary_value(Graph *g, const Node *n, Number x, Number y) {
  Type t = n->in[0]->type;
  bool divides = (n->op == OP_Div || n->op == OP_Mod) && !type_is_float(t);
  if (divides && y.u == 0 && n->in[1]->data) fail_at(g, n, "an integer is divided by zero");
  if (n->op == OP_Pow) return power_of(t, x, n->in[1]->type, y);
  return value_of(n->op, t, x, y, n->p.alpha, n->p.beta);
}

void eval_binary(Graph *g, const Node *n, const void *const *in, void **out) {
  const Shape *s = &n->out[0]->shape;
  Cursor a = broadcast_cursor(&n->in[0]->shape, s), b = broadcast_cursor(&n->in[1]->shape, s);
  int64_t count = shape_count(s);
  for (int64_t i = 0; i < count; i++, cursor_next(&a), cursor_next(&b)) {
    Number x = get_number(n->in[0]->type, in[0], a.at), y = get_number(n->in[1]->type, in[1], b.at);
    put_number(n->out[0]->type, out[0], i, binary_value(g, n, x, y));
  }
}

void eval_where(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *s = &n->out[0]->shape;
  Cursor at[3];
  Type t = n->out[0]->type;
  int64_t count = shape_count(s);
  for (int k = 0; k < 3; k++) at[k] = broadcast_cursor(&n->in[k]->shape, s);
  for (int64_t i = 0; i < count; i++) {
    int k = get_number(T_BOOL, in[0], at[0].at).i ? 1 : 2;
    put_number(t, out[0], i, get_number(t, in[k], at[k].at));
    for (k = 0; k < 3; k++) cursor_next(&at[k]);
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

static int64_t qlinear_value(const Step *s, Type to, Number a, Number b) {
  const float r[] = {s->a, s->b, s->c, s->d, s->e};
  return s->op == OP_QLinearAdd ? qlinear_add(to, a.i, b.i, r) : qlinear_mul(to, a.i, b.i, r);
}

Number step_number(const Step *s, Type from, Number acc, Number arg) {
  Type to = s->type ? s->type : from;
  switch (s->op) {
  case OP_Cast: return convert_number(from, to, acc);
  case OP_Requantize: return (Number){.i = requantize(to, (int32_t)acc.i, (float)arg.f, (int64_t)s->a)};
  case OP_QLinearAdd: case OP_QLinearMul: return (Number){.i = qlinear_value(s, to, s->swap ? arg : acc, s->swap ? acc : arg)};
  case OP_Lookup: return arg;
  case OP_QuantizeLinear: return (Number){.i = quantize(to, (float)acc.f, s->a, (int64_t)s->b)};
  case OP_DequantizeLinear: return (Number){.f = dequantize(acc.i, s->a, (int64_t)s->b)};
  case OP_AddDequantized: return (Number){.f = (float)acc.f + dequantize(arg.i, s->a, (int64_t)s->b)};
  default: break;
  }
  if (!type_is_float(from) && s->op == OP_Clip)
    return clip_number(from, acc, &(Number){.i = (int64_t)s->a}, &(Number){.i = (int64_t)s->b});
  Number x = s->swap ? arg : acc, y = s->swap ? acc : arg;
  Number r = value_of(s->op, from, x, y, s->a, s->b);
  return type_is_float(from) ? (Number){.f = (float)r.f} : r;
}

void *eval_step(Graph *g, const Step *s, Type from, const Shape *shape, const void *acc, const Value *arg, const void *data) {
  int64_t count = shape_count(shape);
  Type to = s->type ? s->type : from;
  void *out = alloc_n(g->cx, (size_t)count, type_size(to));
  Cursor c = {.shape = shape};
  if (arg && s->op != OP_Lookup) c = broadcast_cursor(&arg->shape, shape);
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) {
    Number x = get_number(from, acc, i);
    int64_t at = s->op == OP_Lookup ? x.i & (LOOKUP_SIZE - 1) : c.at;
    Number y = arg ? get_number(arg->type, data, at) : (Number){0};
    put_number(to, out, i, step_number(s, from, x, y));
  }
  return out;
}
