/* einsum.c: Einsum as products of two operands at a time: axes that only one of them has and nobody needs are
 * summed, those that both have and nobody needs are the inner axis of a MatMul, or where there are none the
 * operands are multiplied. */
#include "ops.h"

#include <ctype.h>
#include <string.h>

/* A label stands for an axis: a letter for itself, the axes of an ellipsis for numbers from 128 on, the last
 * one first. */
enum { LABELS = 128 + MAX_RANK, ELLIPSIS = 128, MAX_TERM = 2 * MAX_RANK };

typedef struct Term {
  int n;
  int label[MAX_TERM];
} Term;

/* A tensor whose axes have these labels, each once. */
typedef struct Operand {
  Value *v;
  Term axes;
} Operand;

typedef struct Einsum {
  Graph *g;
  Node *n;
  int64_t size[LABELS];
  bool met[LABELS];
  int needed[LABELS];    /* by how many of the operands that are left, and the result */
  int ellipsis;          /* axes of the longest one */
} Einsum;

/* ---- the equation ---- */

static void add_label(const Einsum *e, Term *t, int label) {
  if (t->n == MAX_RANK) fail_at(e->g, e->n, "a term has more than %d axes", MAX_RANK);
  t->label[t->n++] = label;
}

/* The term at *s, of a tensor of that rank, -1: the result. Behind it *s is at its end. */
static Term read_term(const Einsum *e, const char **s, int rank) {
  Term t = {0};
  int letters = 0;
  for (const char *p = *s; *p && *p != ',' && *p != '-'; p++) letters += isalpha((unsigned char)*p) != 0;
  for (; **s && **s != ',' && **s != '-'; ++*s) {
    int axes = rank < 0 ? e->ellipsis : rank - letters;
    if (isalpha((unsigned char)**s)) add_label(e, &t, **s);
    else if (strncmp(*s, "...", 3) == 0 && axes >= 0) {
      for (int k = axes; k > 0; k--) add_label(e, &t, ELLIPSIS + k - 1);
      *s += 2;
    } else if (**s != ' ') fail_at(e->g, e->n, "the equation is not one of Einsum, or not for these inputs");
  }
  if (rank >= 0 && t.n != rank)
    fail_at(e->g, e->n, "a term of the equation has %d axes, the input %d", t.n, rank);
  return t;
}

static bool has_label(const Term *t, int label) {
  for (int k = 0; k < t->n; k++)
    if (t->label[k] == label) return true;
  return false;
}

/* An axis of an ellipsis may have one element, which repeats. */
static void note_size(Einsum *e, int label, int64_t d) {
  int64_t *size = &e->size[label];
  if (!e->met[label] || (label >= ELLIPSIS && *size == 1)) *size = d;
  else if (*size != d && !(label >= ELLIPSIS && d == 1))
    fail_at(e->g, e->n, "an axis of the equation has %lld and %lld elements", (long long)*size, (long long)d);
  e->met[label] = true;
}

static Operand read_operand(Einsum *e, const char **s, int i) {
  Operand o = {.v = e->n->in[i]};
  const Shape *shape = &o.v->shape;
  o.axes = read_term(e, s, shape->rank);
  for (int k = 0; k < o.axes.n; k++) {
    int label = o.axes.label[k];
    note_size(e, label, shape->d[k]);
    if (label >= ELLIPSIS && label - ELLIPSIS >= e->ellipsis) e->ellipsis = label - ELLIPSIS + 1;
  }
  return o;
}

/* Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order. */
static Term implied_result(const Einsum *e, const char *equation) {
  Term t = {0};
  for (int k = e->ellipsis; k > 0; k--) add_label(e, &t, ELLIPSIS + k - 1);
  for (int c = 'A'; c <= 'z'; c++) {
    const char *first = isalpha(c) ? strchr(equation, c) : NULL;
    if (first && !strchr(first + 1, c)) add_label(e, &t, c);
  }
  return t;
}

static Term read_result(const Einsum *e, const char *equation, const char *s) {
  if (!*s) return implied_result(e, equation);
  if (strncmp(s, "->", 2) != 0)
    fail_at(e->g, e->n, "the equation has more terms than there are inputs, or fewer");
  s += 2;
  Term t = read_term(e, &s, -1);
  if (*s) fail_at(e->g, e->n, "the equation does not end with the result's term");
  for (int k = 0; k < t.n; k++) {
    int label = t.label[k];
    bool twice = false;
    for (int i = 0; i < k; i++) twice = twice || t.label[i] == label;
    if (twice || !e->met[label]) fail_at(e->g, e->n, "an axis of the result is there twice, or in no input");
  }
  return t;
}

/* ---- operands ---- */

static void permute(const Einsum *e, Operand *o, const Term *to) {
  int64_t perm[MAX_RANK];
  bool moves = false;
  for (int k = 0; k < to->n; k++) {
    int from = 0;
    while (o->axes.label[from] != to->label[k]) from++;
    perm[k] = from;
    moves = moves || from != k;
  }
  if (moves) o->v = compose_transpose(e->g, e->n, o->v, perm);
  o->axes = *to;
}

/* Axes i and k > i, of the same label, become one: every size + 1-st element of both as one axis. */
static void take_diagonal(const Einsum *e, Operand *o, int i, int k) {
  Graph *g = e->g;
  Shape s = o->v->shape;
  int64_t perm[MAX_RANK], size = s.d[i], step = size + 1;
  int n = 0, last = s.rank - 1;
  if (size < 0)
    fail_at(g, e->n, "a diagonal of the symbolic batch is not supported%s", batch_remedy(g, e->n));
  Term rest = {0};
  for (int a = 0; a <= last; a++)
    if (a != i && a != k) perm[n++] = a, add_label(e, &rest, o->axes.label[a]);
  perm[n++] = i;
  perm[n++] = k;
  Value *x = compose_transpose(g, e->n, o->v, perm);
  Shape flat = x->shape;
  flat.d[--flat.rank - 1] = size_mul(size, size);
  x = compose_reshape(g, e->n, x, &flat);
  Value *in[] = {x, value_const_i64(g, "start", 1, (int64_t[]){0}),
                 value_const_i64(g, "end", 1, &flat.d[flat.rank - 1]),
                 value_const_i64(g, "axis", 1, (int64_t[]){flat.rank - 1}),
                     value_const_i64(g, "step", 1, &step)};
  o->v = compose_value(g, compose_node(g, e->n, OP_Slice, 5, in));
  add_label(e, &rest, o->axes.label[i]);
  o->axes = rest;
}

static bool take_first_diagonal(const Einsum *e, Operand *o) {
  for (int k = 1; k < o->axes.n; k++) {
    for (int i = 0; i < k; i++) {
      if (o->axes.label[i] != o->axes.label[k]) continue;
      take_diagonal(e, o, i, k);
      return true;
    }
  }
  return false;
}

static void append(const Einsum *e, Term *t, const Term *more) {
  for (int k = 0; k < more->n; k++) add_label(e, t, more->label[k]);
}

/* The product of the sizes of axes; one of them may be a multiple of the batch. */
static int64_t extent(const Einsum *e, const Value *v, int from, int count) {
  int64_t n = 1;
  for (int k = from; k < from + count; k++) {
    int64_t d = v->shape.d[k];
    int64_t size = size_mul(n < 0 ? -n : n, d < 0 ? -d : d);
    if ((n < 0 && d < 0) || size == SIZE_OVERFLOW)
      fail_at(e->g, e->n, "axes that are taken together are too large%s", batch_remedy(e->g, e->n));
    n = (n < 0) != (d < 0) ? -size : size;
  }
  return n;
}

static Value *ones(const Einsum *e, Type t, int64_t n) {
  Shape s = {.rank = 1, .d = {n}};
  if (n < 0 || !fits_memory(e->g, t, &s))
    fail_at(e->g, e->n, "sums over an axis that is too long%s", batch_remedy(e->g, e->n));
  void *data = alloc_n(e->g->cx, (size_t)n, type_size(t));
  for (int64_t i = 0; i < n; i++) put_number(t, data, i, convert_number(T_F64, t, (Number){.f = 1}));
  return value_const(e->g, format_text(e->g->cx, "%s.ones", e->n->name), t, s, data);
}

/* Sums the axes that neither the other operand has, NULL: there is none, nor anybody needs later: times a
 * vector of ones. */
static void sum_axes(const Einsum *e, Operand *o, const Term *other) {
  Term rest = {0}, summed = {0};
  for (int k = 0; k < o->axes.n; k++) {
    int label = o->axes.label[k];
    bool goes = e->needed[label] == 0 && !(other && has_label(other, label));
    add_label(e, goes ? &summed : &rest, label);
  }
  if (summed.n == 0) return;
  Term order = rest;
  append(e, &order, &summed);
  permute(e, o, &order);
  Shape s = o->v->shape;
  s.rank = rest.n + 1;
  s.d[rest.n] = extent(e, o->v, rest.n, summed.n);
  Value *x = compose_reshape(e->g, e->n, o->v, &s);
  o->v = compose_op(e->g, e->n, OP_MatMul, x, ones(e, x->type, s.d[rest.n]));
  o->axes = rest;
}

/* ---- two operands ---- */

/* Axes of both that are needed, of both that are not, and of one alone. */
typedef struct Classes {
  Term batch, inner, a, b;
} Classes;

static Classes classify(const Einsum *e, const Operand *a, const Operand *b) {
  Classes c = {0};
  for (int k = 0; k < a->axes.n; k++) {
    int label = a->axes.label[k];
    bool both = has_label(&b->axes, label);
    add_label(e, !both ? &c.a : e->needed[label] ? &c.batch : &c.inner, label);
  }
  for (int k = 0; k < b->axes.n; k++)
    if (!has_label(&a->axes, b->axes.label[k])) add_label(e, &c.b, b->axes.label[k]);
  return c;
}

/* The operand with its axes in the order batch, first, second, each of the latter two as one. */
static Value *as_matrices(const Einsum *e, Operand *o, const Term *batch, const Term *first,
                          const Term *second) {
  Term order = *batch;
  append(e, &order, first);
  append(e, &order, second);
  permute(e, o, &order);
  Shape s = o->v->shape;
  if (batch->n + 2 > MAX_RANK) fail_at(e->g, e->n, "has too many axes");
  s.d[batch->n + 1] = extent(e, o->v, batch->n + first->n, second->n);
  s.d[batch->n] = extent(e, o->v, batch->n, first->n);
  s.rank = batch->n + 2;
  return compose_reshape(e->g, e->n, o->v, &s);
}

/* The axes of both side by side, each operand with ones for those that it lacks. */
static Operand multiply(const Einsum *e, Operand *a, Operand *b, const Classes *c) {
  Term order = c->batch, left = c->batch, right = c->batch;
  append(e, &left, &c->a);
  append(e, &right, &c->b);
  append(e, &order, &c->a);
  append(e, &order, &c->b);
  permute(e, a, &left);
  permute(e, b, &right);
  Shape s = a->v->shape, t = b->v->shape;
  for (int k = 0; k < c->b.n; k++) s.d[s.rank++] = 1;
  t.rank = order.n;
  for (int k = 0; k < c->b.n; k++) t.d[c->batch.n + c->a.n + k] = b->v->shape.d[c->batch.n + k];
  for (int k = 0; k < c->a.n; k++) t.d[c->batch.n + k] = 1;
  Value *x = compose_reshape(e->g, e->n, a->v, &s), *y = compose_reshape(e->g, e->n, b->v, &t);
  return (Operand){compose_op(e->g, e->n, OP_Mul, x, y), order};
}

static Operand contract(const Einsum *e, Operand *a, Operand *b) {
  sum_axes(e, a, &b->axes);
  sum_axes(e, b, &a->axes);
  Classes c = classify(e, a, b);
  if (c.inner.n == 0) return multiply(e, a, b, &c);
  Value *x = as_matrices(e, a, &c.batch, &c.a, &c.inner), *y = as_matrices(e, b, &c.batch, &c.inner, &c.b);
  Operand p = {compose_op(e->g, e->n, OP_MatMul, x, y), c.batch};
  Shape s = p.v->shape;
  append(e, &p.axes, &c.a);
  append(e, &p.axes, &c.b);
  for (int k = 0; k < c.a.n; k++) s.d[c.batch.n + k] = a->v->shape.d[c.batch.n + k];
  for (int k = 0; k < c.b.n; k++) s.d[c.batch.n + c.a.n + k] = b->v->shape.d[c.batch.n + c.inner.n + k];
  s.rank = p.axes.n;
  p.v = compose_reshape(e->g, e->n, p.v, &s);
  return p;
}

/* ---- the operator ---- */

static void count_needs(Einsum *e, const Term *t, int by) {
  for (int k = 0; k < t->n; k++) e->needed[t->label[k]] += by;
}

void compose_einsum(Graph *g, Node *n) {
  Einsum e = {.g = g, .n = n};
  const char *equation = attr_string(n, "equation", NULL), *s = equation;
  if (!equation) fail_at(g, n, "attribute equation is missing");
  Operand *o = alloc_n(g->cx, (size_t)n->n_in, sizeof *o);
  for (int i = 0; i < n->n_in; i++) {
    if (!n->in[i]) fail_at(g, n, "input %d is missing", i);
    check_same_type(g, n, i);
    if (i > 0 && *s++ != ',') fail_at(g, n, "the equation has fewer terms than there are inputs");
    o[i] = read_operand(&e, &s, i);
    while (take_first_diagonal(&e, &o[i])) {}
    count_needs(&e, &o[i].axes, 1);
  }
  Term result = read_result(&e, equation, s);
  count_needs(&e, &result, 1);
  Operand y = o[0];
  count_needs(&e, &y.axes, -1);
  for (int i = 1; i < n->n_in; i++) {
    count_needs(&e, &o[i].axes, -1);
    y = contract(&e, &y, &o[i]);
  }
  sum_axes(&e, &y, NULL);
  permute(&e, &y, &result);
  compose_result(g, n, y.v);
}
