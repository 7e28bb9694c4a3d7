/* product_integer.c: products of matrices of 8-bit integers. */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== any types and strides: the equation as it stands, one element at a time ==== */

typedef struct Integers {
  Emit *e;
  Node *n;
  Products p;
} Integers;

/* An element of input i as i32. */
static Ref widened_element(const Integers *s, int i, Ref at) {
  Type t = s->n->in[i]->type;
  return math_cast(s->e, load(s->e, s->e->i8, gep(s->e, value_ptr(s->e, s->n->in[i]), at, 1), 0, 1), t, T_I32);
}

static Ref place_in(const Integers *s, const Matrices *m, Ref batch, Ref row, Ref col) {
  Ref at = strided_index(s->e, &s->p.batch, m->batch, batch);
  if (row) at = add_i(s->e, at, mul_i(s->e, row, m->row));
  return col ? add_i(s->e, at, mul_i(s->e, col, m->col)) : at;
}

/* The zero point of an operand's row or column; NULL: 0. */
static Ref zero_of(const Integers *s, int operand, Ref batch, Ref row, Ref col) {
  if (!has_input(s->n, operand + 2)) return NULL;
  Matrices m = zeros_of(s->n, operand);
  return widened_element(s, operand + 2, place_in(s, &m, batch, row, col));
}

static Ref less(Emit *e, Ref x, Ref zero) { return zero ? LLVMBuildSub(e->b, x, zero, "") : x; }

static Ref dot(const Integers *s, Ref batch, Ref row, Ref col) {
  Emit *e = s->e;
  Ref za = zero_of(s, 0, batch, row, NULL), zb = zero_of(s, 1, batch, NULL, col), acc[1] = {const_i32(e, 0)};
  Ref a = place_in(s, &s->p.a, batch, row, NULL), b = place_in(s, &s->p.b, batch, NULL, col);
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), const_i64(e, s->p.inner), 1, 1, acc);
  Ref x = less(e, widened_element(s, 0, add_i(e, a, mul_i(e, l.i, s->p.a.col))), za);
  Ref y = less(e, widened_element(s, 1, add_i(e, b, mul_i(e, l.i, s->p.b.row))), zb);
  acc[0] = LLVMBuildAdd(e->b, acc[0], LLVMBuildMul(e->b, x, y, ""), "");
  loop_end(e, &l);
  return acc[0];
}

void emit_integers(Emit *e, Node *n) {
  Integers s = {.e = e, .n = n, .p = products_of(n)};
  const Value *y = n->out[0];
  int64_t last = y->shape.rank > 0 ? y->shape.d[y->shape.rank - 1] : 1;
  int size = (int)type_size(y->type);
  Ref lo, hi;
  task_range(e, shape_count(&y->shape), &lo, &hi);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  Ref all = LLVMBuildUDiv(e->b, l.i, const_i64(e, s.p.cols), ""), col = LLVMBuildURem(e->b, l.i, const_i64(e, s.p.cols), "");
  Ref rows = const_i64(e, s.p.rows);
  Ref sum = dot(&s, LLVMBuildUDiv(e->b, all, rows, ""), LLVMBuildURem(e->b, all, rows, ""), col);
  Ref at = LLVMBuildUDiv(e->b, l.i, const_i64(e, last), "");
  sum = plain_steps(e, n, sum, at, LLVMBuildURem(e->b, l.i, const_i64(e, last), ""), 1, 1);
  store(e, sum, gep(e, value_ptr(e, y), l.i, size), 0, size);
  loop_end(e, &l);
}
