/* activation.c: what exporters spell out becomes the operator that it stands for, which is one step of an
 * epilogue: activations made of Sigmoid, Erf, Tanh, Exp or Clip, powers, and bounds that are numbers.
 *
 * Most activations are a product k x (a + b F(p(x))), where p is a polynomial. How factors and terms are
 * grouped differs among exporters, so the product is read whole: x is one factor, the other is brought to the
 * form a + b F, and F's operand to a polynomial in x. Then numbers are compared. */
#include "rewrite.h"

#include <math.h>

enum { MAX_DEPTH = 8, MAX_DEGREE = 3 };

typedef struct Match {
  Graph *g;
  /* a constant that was read is not one of 16 bits: numbers are as they should be to the last places of
   * f32 */
  bool exact;
} Match;

/* ---- numbers ---- */

/* Constants of a model in half precision were rounded to that. */
static bool is_half(float c) {
  uint16_t bits;
  put_number(T_F16, &bits, 0, (Number){.f = (double)c});
  return get_number(T_F16, &bits, 0).f == (double)c;
}

static bool number_of(Match *m, const Value *v, double *c) {
  float f;
  if (!v || v->type != T_F32 || !const_scalar(v, &f) || !isfinite(f)) return false;
  m->exact = m->exact || !is_half(f);
  *c = (double)f;
  return true;
}

static bool is_about(const Match *m, double c, double want) {
  return fabs(c - want) <= (m->exact ? 1e-6 : 5e-3) * fabs(want);
}

/* ---- nodes ---- */

/* Which operand of n is a number: *c; -1: none. */
static int number_operand(Match *m, const Node *n, double *c) {
  for (int i = 1; i >= 0; i--)
    if (number_of(m, n->in[i], c)) return i;
  return -1;
}

/* w + 1: w; NULL: v is none. */
static Value *one_less(Match *m, const Value *v) {
  const Node *n = made_by(v, OP_Add);
  double c;
  int i = n ? number_operand(m, n, &c) : -1;
  return i >= 0 && c == 1 ? n->in[1 - i] : NULL;
}

static void become(Graph *g, Node *n, Op op, Value *x) {
  n->op = op;
  n->n_attr = 0;
  node_set_inputs(g, n, 1, &x);
}

/* ---- polynomials in x ---- */

typedef struct Polynomial {
  double c[MAX_DEGREE + 1];
} Polynomial;

static bool multiply(const Polynomial *p, const Polynomial *q, Polynomial *r) {
  Polynomial product = {{0}};
  for (int i = 0; i <= MAX_DEGREE; i++)
    for (int k = 0; k <= MAX_DEGREE; k++) {
      if (p->c[i] * q->c[k] != 0 && i + k > MAX_DEGREE) return false;
      if (i + k <= MAX_DEGREE) product.c[i + k] += p->c[i] * q->c[k];
    }
  *r = product;
  return true;
}

static bool polynomial(Match *m, const Value *v, const Value *x, int depth, Polynomial *p);

static bool polynomial_of_two(Match *m, const Node *n, const Value *x, int depth, Polynomial *p) {
  Polynomial q;
  if (!polynomial(m, n->in[0], x, depth - 1, p) || !polynomial(m, n->in[1], x, depth - 1, &q)) return false;
  if (n->op == OP_Mul) return multiply(p, &q, p);
  for (int i = 0; i <= MAX_DEGREE; i++) p->c[i] += n->op == OP_Sub ? -q.c[i] : q.c[i];
  return true;
}

static bool power_of(Match *m, const Node *n, const Value *x, int depth, Polynomial *p) {
  double power = 2;
  Polynomial base;
  if (!polynomial(m, n->in[0], x, depth - 1, &base) || (n->op == OP_Pow && !number_of(m, n->in[1], &power)))
    return false;
  if (power != 2 && power != 3) return false;
  return multiply(&base, &base, p) && (power == 2 || multiply(p, &base, p));
}

static bool polynomial(Match *m, const Value *v, const Value *x, int depth, Polynomial *p) {
  const Node *n = made_by(v, OP_NONE);
  double c;
  *p = (Polynomial){{0}};
  if (v == x) return p->c[1] = 1, true;
  if (number_of(m, v, &p->c[0])) return true;
  if (!n || depth == 0) return false;
  switch (n->op) {
  case OP_Add: case OP_Sub: case OP_Mul: return polynomial_of_two(m, n, x, depth, p);
  case OP_Pow: case OP_Square: return power_of(m, n, x, depth, p);
  case OP_Neg: c = -1; break;
  case OP_Div:
    if (!number_of(m, n->in[1], &c) || c == 0) return false;
    c = 1 / c;
    break;
  default: return false;
  }
  return polynomial(m, n->in[0], x, depth - 1, p) && multiply(p, &(Polynomial){{c}}, p);
}

static bool polynomial_is(const Match *m, const Polynomial *p, const Polynomial *want) {
  for (int i = 0; i <= MAX_DEGREE; i++)
    if (!is_about(m, p->c[i], want->c[i])) return false;
  return true;
}

/* ---- a + b F ---- */

typedef struct Gate {
  double a, b;
  const Node *f; /* of whatever operator */
} Gate;

/* v is w with a number: the gate that was to be of v is one of w. NULL: v is nothing such. */
static const Value *take_number(Match *m, const Value *v, Gate *gate) {
  const Node *n = made_by(v, OP_NONE);
  double c;
  if (!n || (n->op != OP_Add && n->op != OP_Sub && n->op != OP_Mul && n->op != OP_Div)) return NULL;
  int i = number_operand(m, n, &c);
  if (i < 0 || (n->op == OP_Div && (i == 0 || c == 0))) return NULL;
  if (n->op == OP_Mul) gate->b *= c;
  else if (n->op == OP_Div) gate->b /= c;
  else gate->a += gate->b * (n->op == OP_Sub && i == 1 ? -c : c);
  if (n->op == OP_Sub && i == 0) gate->b = -gate->b;
  return n->in[1 - i];
}

static bool read_gate(Match *m, const Value *v, Gate *gate) {
  *gate = (Gate){.b = 1};
  const Value *w;
  for (int i = 0; i < MAX_DEPTH && (w = take_number(m, v, gate)); i++) v = w;
  gate->f = made_by(v, OP_NONE);
  return gate->f;
}

/* ---- products ---- */

typedef struct Product {
  double k;
  Value *factor[2];
  int n;
} Product;

/* What only this product reads is part of it. */
static bool collect_factors(Match *m, Value *v, bool root, int depth, Product *p) {
  Node *n = made_by(v, OP_NONE);
  double c;
  if (number_of(m, v, &c)) return p->k *= c, true;
  bool inside = n && depth > 0 && (root || only_reader(v));
  if (inside && n->op == OP_Mul && n->in[0] != n->in[1])
    return collect_factors(m, n->in[0], false, depth - 1, p) &&
           collect_factors(m, n->in[1], false, depth - 1, p);
  if (inside && n->op == OP_Div && number_of(m, n->in[1], &c) && c != 0) {
    p->k /= c;
    return collect_factors(m, n->in[0], false, depth - 1, p);
  }
  if (p->n == 2) return false;
  p->factor[p->n++] = v;
  return true;
}

/* Clip to bounds that are numbers? */
static bool is_clip(const Node *n, float *lo, float *hi) {
  return n->op == OP_Clip && n->n_in == 3 && const_scalar(n->in[1], lo) && const_scalar(n->in[2], hi);
}

/* The activation x (a + b F(p(x))), and its parameter; OP_NONE: none. */
static Op activation_of(const Match *m, const Gate *gate, const Polynomial *p, double *alpha) {
  const Node *f = gate->f;
  const Polynomial just_x = {{0, 1}}, plus_3 = {{3, 1}}, normal = {{0, M_SQRT1_2}};
  const Polynomial cubic = {{0, M_2_SQRTPI * M_SQRT1_2, 0, M_2_SQRTPI * M_SQRT1_2 * 0.044715}};
  bool half = is_about(m, gate->a, 0.5) && is_about(m, gate->b, 0.5), pure = gate->a == 0;
  bool plain = pure && is_about(m, gate->b, 1);
  if (f->op == OP_Erf && half && polynomial_is(m, p, &normal)) return OP_Gelu;
  if (f->op == OP_Tanh && half && polynomial_is(m, p, &cubic)) return OP_FastGelu;
  if (f->op == OP_Sigmoid && plain && p->c[0] == 0 && p->c[2] == 0 && p->c[3] == 0)
    return *alpha = p->c[1], OP_Swish;
  bool sixth = is_about(m, (double)f->p.alpha, 1. / 6) && is_about(m, (double)f->p.beta, 0.5);
  if (f->op == OP_HardSigmoid && plain && sixth && polynomial_is(m, p, &just_x)) return OP_HardSwish;
  float lo, hi;
  bool clip_6 = is_clip(f, &lo, &hi) && lo == 0 && hi == 6;
  if (clip_6 && pure && is_about(m, gate->b, 1. / 6) && polynomial_is(m, p, &plus_3)) return OP_HardSwish;
  return OP_NONE;
}

static bool is_mish_gate(const Match *m, const Gate *gate, const Value *x) {
  const Node *softplus = gate->f->op == OP_Tanh ? made_by(gate->f->in[0], OP_Softplus) : NULL;
  return softplus && softplus->in[0] == x && gate->a == 0 && is_about(m, gate->b, 1);
}

/* n is k x times the other factor. */
static bool match_gated(Match *m, Node *n, double k, Value *x, Value *other) {
  Gate gate;
  Polynomial p;
  double alpha = 1;
  if (!shape_equal(&x->shape, &n->out[0]->shape) || !read_gate(m, other, &gate)) return false;
  gate.a *= k;
  gate.b *= k;
  Op op = is_mish_gate(m, &gate, x) ? OP_Mish : OP_NONE;
  if (op == OP_NONE && polynomial(m, gate.f->in[0], x, MAX_DEPTH, &p))
    op = activation_of(m, &gate, &p, &alpha);
  if (op == OP_NONE) return false;
  become(m->g, n, op, x);
  if (op == OP_Swish) attr_set_float(m->g, n, "alpha", (float)alpha);
  return true;
}

/* Clip(x + c, 0, h) / h */
static bool match_hard_sigmoid(Match *m, Node *n, double k, const Value *v) {
  const Node *clip = made_by(v, OP_Clip), *add = clip ? made_by(clip->in[0], OP_Add) : NULL;
  float lo, hi;
  double c;
  if (!add || !is_clip(clip, &lo, &hi) || lo != 0) return false;
  int i = number_operand(m, add, &c);
  if (i < 0 || !is_about(m, k * (double)hi, 1)) return false;
  become(m->g, n, OP_HardSigmoid, add->in[1 - i]);
  attr_set_float(m->g, n, "alpha", 1 / hi);
  attr_set_float(m->g, n, "beta", (float)(c / (double)hi));
  return true;
}

static bool match_product(Graph *g, Node *n) {
  Match m = {.g = g};
  Product p = {.k = 1};
  if (!collect_factors(&m, n->out[0], true, MAX_DEPTH, &p)) return false;
  if (p.n == 1) return match_hard_sigmoid(&m, n, p.k, p.factor[0]);
  for (int i = 0; i < p.n; i++) {
    Match own = m;
    if (match_gated(&own, n, p.k, p.factor[i], p.factor[1 - i])) return true;
  }
  return false;
}

/* ---- what is no product ---- */

/* Log(1 + Exp(x)), which would be infinite where Softplus is not. */
static bool match_softplus(Graph *g, Node *n) {
  const Node *exp = made_by(one_less(&(Match){.g = g}, n->in[0]), OP_Exp);
  if (!exp || !assumes_finite(g)) return false;
  become(g, n, OP_Softplus, exp->in[0]);
  return true;
}

static bool is_negated(Match *m, const Value *v, Value **x) {
  const Node *n = made_by(v, OP_NONE);
  double c;
  if (!n || (n->op != OP_Neg && n->op != OP_Mul)) return false;
  int i = n->op == OP_Mul ? number_operand(m, n, &c) : 1;
  if (i < 0 || (n->op == OP_Mul && c != -1)) return false;
  *x = n->in[1 - i];
  return true;
}

/* 1 / (1 + Exp(-x)) */
static bool match_sigmoid(Graph *g, Node *n, const Value *divisor) {
  Match m = {.g = g};
  const Node *exp = made_by(one_less(&m, divisor), OP_Exp);
  Value *x;
  if (!exp || !is_negated(&m, exp->in[0], &x)) return false;
  become(g, n, OP_Sigmoid, x);
  return true;
}

/* x / (1 + |x|) */
static bool match_softsign(Graph *g, Node *n) {
  const Node *abs = made_by(one_less(&(Match){.g = g}, n->in[1]), OP_Abs);
  if (!abs || abs->in[0] != n->in[0]) return false;
  become(g, n, OP_Softsign, n->in[0]);
  return true;
}

static bool match_quotient(Graph *g, Node *n) {
  double c;
  bool inverse = number_of(&(Match){.g = g}, n->in[0], &c) && c == 1;
  if (inverse && shape_equal(&n->in[1]->shape, &n->out[0]->shape) && match_sigmoid(g, n, n->in[1]))
    return true;
  return match_softsign(g, n) || match_product(g, n);
}

/* ---- powers ---- */

static Value *unary_before(Graph *g, const Node *n, Op op, Value *x) {
  return new_result(g, walk_before(g, op, n->name, 1, &x, 1));
}

/* An exponent of another type would keep the power from being a step. */
static bool convert_exponent(Graph *g, Node *n) {
  const Value *v = n->in[1];
  if (v->type == T_F32) return false;
  Value *f = value_const_f32(g, format_text(g->cx, "%s.f32", v->name), v->shape);
  for (int64_t i = 0; i < shape_count(&v->shape); i++)
    f32_of(f)[i] = (float)convert_number(v->type, T_F64, get_number(v->type, v->data, i)).f;
  node_set_input(g, n, 1, f);
  return true;
}

/* Of infinities and -0 the root is another than the power: that one may not matter. */
static bool match_power(Graph *g, Node *n) {
  Value *x = n->in[0];
  if (!n->in[1]->data) return false;
  if (shape_count(&n->in[1]->shape) != 1 || !shape_equal(&x->shape, &n->out[0]->shape))
    return convert_exponent(g, n);
  double power = convert_number(n->in[1]->type, T_F64, get_number(n->in[1]->type, n->in[1]->data, 0)).f;
  if (power == 2) become(g, n, OP_Square, x);
  else if (power == 4) become(g, n, OP_Square, unary_before(g, n, OP_Square, x));
  else if (power == -1) become(g, n, OP_Reciprocal, x);
  else if (power == 0.5 && assumes_finite(g)) become(g, n, OP_Sqrt, x);
  else if (power == -0.5 && assumes_finite(g)) become(g, n, OP_Reciprocal, unary_before(g, n, OP_Sqrt, x));
  else if (power == 3) {
    node_set_input(g, n, 1, unary_before(g, n, OP_Square, x));
    n->op = OP_Mul;
  } else return convert_exponent(g, n);
  return true;
}

/* ---- bounds ---- */

static bool match_bound(Graph *g, Node *n) {
  double c;
  int i = number_operand(&(Match){.g = g}, n, &c);
  if (i < 0 || !shape_equal(&n->in[1 - i]->shape, &n->out[0]->shape)) return false;
  Value *x = n->in[1 - i], *bound = n->in[i];
  bool lower = n->op == OP_Max;
  become(g, n, lower && c == 0 ? OP_Relu : OP_Clip, x);
  if (n->op == OP_Clip && !lower) node_add_input(g, n, NULL);
  if (n->op == OP_Clip) node_add_input(g, n, bound);
  return true;
}

/* ---- divisors ---- */

/* A factor is exact where the divisor is a power of two; else it may change the last place. */
static bool divisor_as_factor(Graph *g, Node *n, bool exact) {
  const float *d = n->op == OP_Div && !n->in[0]->data ? f32_data(n->in[1]) : NULL;
  int64_t count = d ? shape_count(&n->in[1]->shape) : 0;
  int exponent;
  if (!d) return false;
  for (int64_t i = 0; i < count; i++) {
    if (!isnormal(d[i]) || !isnormal(1 / d[i]) ||
        (exact && fabsf(frexpf(d[i], &exponent)) != 0.5f)) return false;
  }
  Value *factor = value_const_f32(g, format_text(g->cx, "%s.inverse", n->in[1]->name), n->in[1]->shape);
  for (int64_t i = 0; i < count; i++) f32_of(factor)[i] = 1 / d[i];
  n->op = OP_Mul;
  node_set_input(g, n, 1, factor);
  return true;
}

static bool divisor_to_factor(Graph *g, Node *n) { return divisor_as_factor(g, n, !assumes_finite(g)); }
static bool divisor_to_exact_factor(Graph *g, Node *n) { return divisor_as_factor(g, n, true); }

/* ---- the pass ---- */

static bool match(Graph *g, Node *n) {
  switch (n->op) {
  case OP_Mul:
    if (n->in[0] != n->in[1]) return match_product(g, n);
    become(g, n, OP_Square, n->in[0]);
    return true;
  case OP_Div: return match_quotient(g, n);
  case OP_Reciprocal: return match_sigmoid(g, n, n->in[0]);
  case OP_Log: return match_softplus(g, n);
  case OP_Pow: return match_power(g, n);
  case OP_Min: case OP_Max: return match_bound(g, n);
  default: return false;
  }
}

static bool walk(Graph *g, bool (*rewrite)(Graph *g, Node *n)) {
  bool any = false;
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    if (n->dead || n->n_step > 0 || n->n_out != 1 || !n->out[0] || n->out[0]->type != T_F32 ||
        !rewrite(g, n)) continue;
    infer_node(g, n);
    any = true;
  }
  return any;
}

/* Divisors last: they are as the model has them while numbers are compared. */
void pass_activations(Graph *g) {
  bool matched = walk(g, match);
  bool inverted = walk(g, graph_is_quantized(g) ? divisor_to_exact_factor : divisor_to_factor);
  if (matched || inverted) pass_fold(g);
}
