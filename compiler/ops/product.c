/* product.c: matrix products. */
#include "ops.h"

/* Element (i,j) is data[at + i row + j column]. */
typedef struct Matrix {
  Type type;
  const void *data;
  int64_t at, row, column;
} Matrix;

static Number element(const Matrix *m, int64_t i, int64_t j) {
  return get_number(m->type, m->data, m->at + i * m->row + j * m->column);
}

/* Row i of a times column j of b; floats are summed in double, integers wrap. */
static Number dot(const Matrix *a, const Matrix *b, int64_t i, int64_t j, int64_t size) {
  Number sum = {0};
  if (type_is_float(a->type)) sum.f = 0;
  for (int64_t k = 0; k < size; k++) {
    Number p = element(a, i, k), q = element(b, k, j);
    if (type_is_float(a->type)) sum.f += p.f * q.f;
    else sum.u += p.u * q.u;
  }
  return sum;
}

/* ---- Gemm ---- */

void infer_gemm(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  check_rank(g, n, 0, 2, 2);
  check_rank(g, n, 1, 2, 2);
  int ta = attr_int(n, "transA", 0) != 0, tb = attr_int(n, "transB", 0) != 0;
  n->p.trans_a = ta;
  n->p.trans_b = tb;
  const int64_t *a = n->in[0]->shape.d, *b = n->in[1]->shape.d;
  check_number(g, n, 0, !ta);
  check_number(g, n, 1, tb);
  if (a[!ta] != b[tb])
    fail_at(g, n, "the product's inner sizes differ: %lld and %lld%s", (long long)a[!ta], (long long)b[tb], batch_remedy(g, n));
  Shape out = {.rank = 2, .d = {a[ta], b[!tb]}};
  Shape both;
  if (has_input(n, 2)) {
    check_same_type(g, n, 2);
    const Shape *c = &n->in[2]->shape;
    if (!shape_broadcast(&out, c, &both) || !shape_equal(&both, &out))
      fail_at(g, n, "input 2 of shape %s does not broadcast to %s", shape_text(g->cx, c),
              shape_text(g->cx, &out));
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

static Matrix matrix_of(const Value *v, const void *data, bool transposed) {
  int64_t columns = v->shape.d[1];
  return transposed ? (Matrix){v->type, data, 0, 1, columns} : (Matrix){v->type, data, 0, columns, 1};
}

void eval_gemm(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Matrix a = matrix_of(n->in[0], in[0], n->p.trans_a), b = matrix_of(n->in[1], in[1], n->p.trans_b);
  int64_t inner = n->in[0]->shape.d[!n->p.trans_a];
  const Shape *s = &n->out[0]->shape;
  const Value *bias = n->n_in > 2 ? n->in[2] : NULL;
  Cursor c = bias ? broadcast_cursor(&bias->shape, s) : (Cursor){.shape = s};
  for (int64_t i = 0; i < shape_count(s); i++, cursor_next(&c)) {
    Number y = dot(&a, &b, i / s->d[1], i % s->d[1], inner);
    y.f *= n->p.alpha;
    if (bias) y.f += (double)n->p.beta * get_number(bias->type, in[2], c.at).f;
    put_number(n->out[0]->type, out[0], i, y);
  }
}

/* ---- MatMul ---- */

/* numpy.matmul: vectors are matrices of one row (left) or column (right), which the result does not have. */
void infer_matmul(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  check_rank(g, n, 0, 1, MAX_RANK);
  check_rank(g, n, 1, 1, MAX_RANK);
  Shape a = n->in[0]->shape, b = n->in[1]->shape, out;
  int ka = a.rank - 1, kb = b.rank > 1 ? b.rank - 2 : 0;
  check_number(g, n, 0, ka);
  check_number(g, n, 1, kb);
  if (a.d[ka] != b.d[kb])
    fail_at(g, n, "the product's inner sizes differ: %lld and %lld%s", (long long)a.d[ka], (long long)b.d[kb],
            batch_remedy(g, n));
  bool rows = a.rank > 1, columns = b.rank > 1;
  int64_t m = rows ? a.d[a.rank - 2] : 1, p = b.d[b.rank - 1];
  a.rank = rows ? a.rank - 2 : 0;
  b.rank = columns ? b.rank - 2 : 0;
  if (!shape_broadcast(&a, &b, &out))
    fail_at(g, n, "batches %s and %s do not broadcast%s", shape_text(g->cx, &a), shape_text(g->cx, &b), batch_remedy(g, n));
  if (rows) out.d[out.rank++] = m;
  if (columns) out.d[out.rank++] = p;
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* Strides of the batch axes of s, whose last `matrix` axes are the matrix, broadcast to the batch `to`. */
static Cursor batch_cursor(const Shape *s, int matrix, const Shape *to) {
  Shape whole = *to;
  for (int i = s->rank - matrix; i < s->rank; i++) whole.d[whole.rank++] = s->d[i];
  Cursor c = broadcast_cursor(s, &whole);
  c.shape = to;
  return c;
}

void eval_matmul(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *sa = &n->in[0]->shape, *sb = &n->in[1]->shape, *sy = &n->out[0]->shape;
  bool rows = sa->rank > 1, columns = sb->rank > 1;
  int64_t inner = sa->d[sa->rank - 1];
  int64_t m = rows ? sa->d[sa->rank - 2] : 1, p = columns ? sb->d[sb->rank - 1] : 1;
  Matrix a = {n->in[0]->type, in[0], 0, inner, 1}, b = {n->in[1]->type, in[1], 0, p, 1};
  Shape batch = *sy;
  batch.rank -= rows + columns;
  Cursor ca = batch_cursor(sa, 1 + rows, &batch), cb = batch_cursor(sb, 1 + columns, &batch);
  int64_t count = shape_count(&batch);
  for (int64_t k = 0; k < count; k++, cursor_next(&ca), cursor_next(&cb)) {
    a.at = ca.at;
    b.at = cb.at;
    for (int64_t i = 0; i < m * p; i++)
      put_number(n->out[0]->type, out[0], k * m * p + i, dot(&a, &b, i / p, i % p, inner));
  }
}
