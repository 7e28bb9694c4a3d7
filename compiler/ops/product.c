/* product.c: matrix products. */
#include "ops.h"

#include <string.h>

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

/* ---- MatMul ---- */

/* numpy.matmul: vectors are matrices of one row (left) or column (right), which the result does not have. */
static Shape matmul_shape(Graph *g, const Node *n, Shape a, Shape b) {
  Shape out;
  int ka = a.rank - 1, kb = b.rank > 1 ? b.rank - 2 : 0;
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
  return out;
}

static Shape checked_matmul_shape(Graph *g, const Node *n) {
  check_rank(g, n, 0, 1, MAX_RANK);
  check_rank(g, n, 1, 1, MAX_RANK);
  const Shape *a = &n->in[0]->shape, *b = &n->in[1]->shape;
  check_number(g, n, 0, a->rank - 1);
  check_number(g, n, 1, b->rank > 1 ? b->rank - 2 : 0);
  return matmul_shape(g, n, *a, *b);
}

void infer_matmul(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  Shape out = checked_matmul_shape(g, n);
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- MatMulInteger ---- */

/* One number; or one for each row of A or column of B, as a list or as the operand without its other axis. */
static void check_zero_points(Graph *g, const Node *n, int operand) {
  const Value *z = n->in[operand + 2], *x = n->in[operand];
  Shape each = x->shape;
  int rank = each.rank, own = operand == 0 ? rank - 2 : rank - 1;
  if (z->type != x->type) fail_at(g, n, "input %d is %s, not %s", operand + 2, type_name(z->type), type_name(x->type));
  if (z->shape.rank <= 1 && shape_count(&z->shape) == 1 && !shape_is_symbolic(&z->shape)) return;
  if (rank > 1) each.d[operand == 0 ? rank - 1 : rank - 2] = 1;
  bool listed = rank > 1 && z->shape.rank == 1 && z->shape.d[0] == each.d[own];
  if (!listed && (rank == 1 || !shape_equal(&z->shape, &each)))
    fail_at(g, n, "input %d of shape %s is no zero point", operand + 2, shape_text(g->cx, &z->shape));
}

void infer_matmul_integer(Graph *g, Node *n) {
  Type b = n->in[1]->type;
  if (b != T_U8 && b != T_I8) fail_at(g, n, "input 1 of type %s is not supported here", type_name(b));
  Shape out = checked_matmul_shape(g, n);
  for (int i = 0; i < 2; i++)
    if (has_input(n, i + 2)) check_zero_points(g, n, i);
  set_output(g, n, 0, T_I32, &out);
}

/* ---- Product ---- */

View view_whole(const Shape *s) {
  View v = {.shape = *s};
  dense_strides(s, v.stride);
  return v;
}

void attr_set_view(Graph *g, Node *n, const char *name, const View *v) {
  int64_t list[1 + 2 * MAX_RANK] = {v->at};
  for (int k = 0; k < v->shape.rank; k++) {
    list[1 + 2 * k] = v->shape.d[k];
    list[2 + 2 * k] = v->stride[k];
  }
  attr_set_ints(g, n, name, 1 + 2 * v->shape.rank, list);
}

/* Every element of the view is one of the tensor's. */
static void check_view(Graph *g, const Node *n, const char *name, const View *v, const Value *of) {
  int64_t last = v->at;
  for (int k = 0; k < v->shape.rank; k++) {
    if (v->shape.d[k] < 1 || v->stride[k] < 0) fail_at(g, n, "attribute %s has a size or stride out of range", name);
    last = size_add(last, size_mul(v->shape.d[k] - 1, v->stride[k]));
  }
  if (v->at < 0 || last >= shape_count(&of->shape)) fail_at(g, n, "attribute %s reaches beyond the input", name);
  if (!fits_memory(g, of->type, &v->shape)) fail_at(g, n, "attribute %s is larger than the memory limit", name);
}

static View read_view(Graph *g, const Node *n, const char *name, int i) {
  const Attr *a = attr_find(n, name);
  View v = view_whole(&n->in[i]->shape);
  if (a) {
    if (a->kind != A_INTS || a->n % 2 == 0 || a->n > 1 + 2 * MAX_RANK) fail_at(g, n, "attribute %s is no view", name);
    v = (View){.shape.rank = a->n / 2, .at = a->ints[0]};
    for (int k = 0; k < v.shape.rank; k++) {
      v.shape.d[k] = a->ints[1 + 2 * k];
      v.stride[k] = a->ints[2 + 2 * k];
    }
  }
  if (v.shape.rank < 2) fail_at(g, n, "input %d is no matrix", i);
  check_view(g, n, name, &v, n->in[i]);
  return v;
}

static void read_perm(Graph *g, Node *n, int rank) {
  bool seen[MAX_RANK] = {false};
  for (int k = 0; k < rank; k++) n->p.perm[k] = k;
  ints_attr(g, n, "perm", rank, n->p.perm);
  for (int k = 0; k < rank; k++) {
    int64_t axis = n->p.perm[k];
    if (axis < 0 || axis >= rank || seen[axis] || (k == rank - 1 && axis != k))
      fail_at(g, n, "attribute perm is not a permutation that leaves the last axis");
    seen[axis] = true;
  }
}

void infer_product(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  if (shape_is_symbolic(&n->in[0]->shape) || shape_is_symbolic(&n->in[1]->shape))
    fail_at(g, n, "the operator is for images without a batch symbol");
  n->p.a = read_view(g, n, "a_view", 0);
  n->p.b = read_view(g, n, "b_view", 1);
  Shape whole = matmul_shape(g, n, n->p.a.shape, n->p.b.shape), out = whole;
  read_perm(g, n, whole.rank);
  for (int k = 0; k < whole.rank; k++) out.d[k] = whole.d[n->p.perm[k]];
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- all of them as one ---- */

/* The matrix is the last two axes of a view, or of a vector the one that it has; the others broadcast to the batch. */
static Matrices matrices_of(const View *v, bool is_row, const Shape *batch) {
  int rank = v->shape.rank, lead = rank > 2 ? rank - 2 : 0;
  Matrices m = {.at = v->at};
  if (rank > 1) m.row = v->stride[rank - 2], m.col = v->stride[rank - 1];
  else *(is_row ? &m.col : &m.row) = 1;
  for (int k = 0; k < lead; k++)
    m.batch[batch->rank - lead + k] = v->shape.d[k] == 1 ? 0 : v->stride[k];
  return m;
}

static void turn(Matrices *m) {
  int64_t row = m->row;
  m->row = m->col;
  m->col = row;
}

static Shape batch_of(const Shape *s) {
  Shape batch = *s;
  batch.rank = s->rank > 2 ? s->rank - 2 : 0;
  return batch;
}

/* The result's axes are the batch, then the rows, if any, then the columns, if any, in the order perm. */
static Matrices result_of(const Node *n, int batch_rank, bool has_rows) {
  Matrices m = {0};
  int64_t stride[MAX_RANK];
  const Shape *s = &n->out[0]->shape;
  dense_strides(s, stride);
  for (int k = 0; k < s->rank; k++) {
    int axis = n->op == OP_Product ? (int)n->p.perm[k] : k;
    if (axis < batch_rank) m.batch[axis] = stride[k];
    else *(axis == batch_rank && has_rows ? &m.row : &m.col) = stride[k];
  }
  return m;
}

Products products_of(const Node *n) {
  bool own = n->op == OP_Product;
  View a = own ? n->p.a : view_whole(&n->in[0]->shape), b = own ? n->p.b : view_whole(&n->in[1]->shape);
  Shape batch_a = batch_of(&a.shape), batch_b = batch_of(&b.shape);
  Products p = {0};
  bool fits = shape_broadcast(&batch_a, &batch_b, &p.batch);
  assert(fits), (void)fits;
  p.a = matrices_of(&a, true, &p.batch);
  p.b = matrices_of(&b, false, &p.batch);
  if (n->p.trans_a) turn(&p.a);
  if (n->p.trans_b) turn(&p.b);
  const int64_t *da = a.shape.d + a.shape.rank, *db = b.shape.d + b.shape.rank;
  p.inner = n->p.trans_a ? da[-2] : da[-1];
  p.rows = a.shape.rank == 1 ? 1 : n->p.trans_a ? da[-1] : da[-2];
  p.cols = b.shape.rank == 1 ? 1 : n->p.trans_b ? db[-2] : db[-1];
  p.y = result_of(n, p.batch.rank, a.shape.rank > 1);
  return p;
}

Matrices zeros_of(const Node *n, int operand) {
  const Value *z = has_input(n, operand + 2) ? n->in[operand + 2] : NULL;
  if (!z || shape_count(&z->shape) == 1) return (Matrices){0};
  Shape s = z->shape, batch = products_of(n).batch;
  if (s.rank == 1) s = operand == 0 ? shape_of(2, s.d[0], (int64_t)1) : shape_of(2, (int64_t)1, s.d[0]);
  View v = view_whole(&s);
  Matrices m = matrices_of(&v, operand == 0, &batch);
  *(operand == 0 ? &m.col : &m.row) = 0;
  return m;
}

/* ---- evaluation ---- */

/* Row i of a times column j of b; floats are summed in double, integers wrap. */
static Number dot(Type t, const Products *p, const void *const *in, int64_t a, int64_t b) {
  Number sum = {0};
  for (int64_t k = 0; k < p->inner; k++) {
    Number x = get_number(t, in[0], a + k * p->a.col), y = get_number(t, in[1], b + k * p->b.row);
    sum = number_sum(t, sum, number_product(t, x, y));
  }
  return sum;
}

static Cursor batch_cursor(const Products *p, const Matrices *m) {
  Cursor c = {.shape = &p->batch, .at = m->at};
  memcpy(c.stride, m->batch, sizeof c.stride);
  return c;
}

void eval_product(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Products p = products_of(n);
  Cursor a = batch_cursor(&p, &p.a), b = batch_cursor(&p, &p.b), y = batch_cursor(&p, &p.y);
  Type t = n->in[0]->type;
  for (int64_t k = 0; k < shape_count(&p.batch); k++, cursor_next(&a), cursor_next(&b), cursor_next(&y)) {
    for (int64_t i = 0; i < p.rows; i++) {
      for (int64_t j = 0; j < p.cols; j++) {
        Number sum = dot(t, &p, in, a.at + i * p.a.row, b.at + j * p.b.col);
        if (n->op == OP_Product) sum.f *= n->p.alpha;
        put_number(n->out[0]->type, out[0], y.at + i * p.y.row + j * p.y.col, sum);
      }
    }
  }
}

void eval_gemm(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Products p = products_of(n);
  const Shape *s = &n->out[0]->shape;
  const Value *bias = n->n_in > 2 ? n->in[2] : NULL;
  Cursor c = bias ? broadcast_cursor(&bias->shape, s) : (Cursor){.shape = s};
  for (int64_t i = 0; i < shape_count(s); i++, cursor_next(&c)) {
    Number y = dot(n->in[0]->type, &p, in, i / s->d[1] * p.a.row, i % s->d[1] * p.b.col);
    y.f *= n->p.alpha;
    if (bias) y.f += (double)n->p.beta * get_number(bias->type, in[2], c.at).f;
    put_number(n->out[0]->type, out[0], i, y);
  }
}

/* ---- evaluation of integers ---- */

static int64_t zero_at(const Node *n, const void *const *in, int operand, int64_t i) {
  return has_input(n, operand + 2) ? get_number(n->in[operand + 2]->type, in[operand + 2], i).i : 0;
}

/* Row a of A times column b of B, less their zero points. */
static int32_t int_dot(const Node *n, const Products *p, const void *const *in, int64_t a, int64_t b, int64_t za, int64_t zb) {
  uint32_t sum = 0;
  for (int64_t k = 0; k < p->inner; k++) {
    int64_t x = get_number(n->in[0]->type, in[0], a + k * p->a.col).i, y = get_number(n->in[1]->type, in[1], b + k * p->b.row).i;
    sum += (uint32_t)((x - za) * (y - zb));
  }
  return (int32_t)sum;
}

void eval_matmul_integer(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Products p = products_of(n);
  Matrices za = zeros_of(n, 0), zb = zeros_of(n, 1);
  const Matrices *walked[] = {&p.a, &p.b, &za, &zb};
  Cursor c[COUNT(walked)];
  for (size_t i = 0; i < COUNT(c); i++) c[i] = batch_cursor(&p, walked[i]);
  int32_t *y = out[0];
  for (int64_t k = 0; k < shape_count(&p.batch); k++) {
    for (int64_t i = 0; i < p.rows; i++) {
      for (int64_t j = 0; j < p.cols; j++) {
        int64_t a = zero_at(n, in, 0, c[2].at + i * za.row), b = zero_at(n, in, 1, c[3].at + j * zb.col);
        *y++ = int_dot(n, &p, in, c[0].at + i * p.a.row, c[1].at + j * p.b.col, a, b);
      }
    }
    for (size_t i = 0; i < COUNT(c); i++) cursor_next(&c[i]);
  }
}
