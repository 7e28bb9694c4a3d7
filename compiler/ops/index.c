/* index.c: operators that move elements by index. Indices that are constants must be inside; what comes at
 * run time is brought inside, as the code does. */
#include "ops.h"

/* ---- indices ---- */

static void check_index_type(Graph *g, const Node *n) {
  Type t = n->in[1]->type;
  if (t != T_I32 && t != T_I64) fail_at(g, n, "indices must be i32 or i64, not %s", type_name(t));
}

static _Noreturn void fail_index(Graph *g, const Node *n, int64_t k, int64_t dim) {
  fail_at(g, n, "index %lld is outside an axis of %lld elements", (long long)k, (long long)dim);
}

/* Element i of input 1 as an index into an axis of `dim` elements. */
static int64_t index_at(Graph *g, const Node *n, const void *data, int64_t i, int64_t dim) {
  int64_t k = get_number(n->in[1]->type, data, i).i;
  if (n->in[1]->data && (k < -dim || k >= dim)) fail_index(g, n, k, dim);
  return size_clamp(k < 0 ? k + dim : k, 0, dim - 1);
}

/* Every index, of which the one at i says where along an axis of dim[i % period] elements. */
static void check_indices(Graph *g, const Node *n, const int64_t *dim, int64_t period) {
  const Value *v = n->in[1];
  int64_t count = shape_is_symbolic(&v->shape) ? 1 : shape_count(&v->shape);
  for (int64_t i = 0; i < period && count > 0; i++)
    if (dim[i] == 0) fail_at(g, n, "elements are taken from an axis that has none");
  for (int64_t i = 0; v->data && !v->sym && i < count; i++) index_at(g, n, v->data, i, dim[i % period]);
}

/* ---- Gather ---- */

void infer_gather(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *index = &n->in[1]->shape;
  int axis = n->p.axis = check_axis(g, n, attr_int(n, "axis", 0), x->rank);
  check_number(g, n, 0, axis);
  check_index_type(g, n);
  check_indices(g, n, &x->d[axis], 1);
  if (x->rank - 1 + index->rank > MAX_RANK)
    fail_at(g, n, "a result of rank over %d is not supported", MAX_RANK);
  Shape out = {.rank = 0};
  for (int i = 0; i < axis; i++) out.d[out.rank++] = x->d[i];
  for (int i = 0; i < index->rank; i++) out.d[out.rank++] = index->d[i];
  for (int i = axis + 1; i < x->rank; i++) out.d[out.rank++] = x->d[i];
  set_output(g, n, 0, n->in[0]->type, &out);
}

void eval_gather(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t axis = n->p.axis, dim = n->in[0]->shape.d[axis];
  int64_t blocks = blocks_before(&n->in[0]->shape, axis), indices = shape_count(&n->in[1]->shape);
  size_t size = block_size(n->in[0], axis + 1);
  char *to = out[0];
  for (int64_t b = 0; b < blocks; b++)
    for (int64_t i = 0; i < indices; i++, to += size)
      move_bytes(to, (const char *)in[0] + (size_t)(b * dim + index_at(g, n, in[1], i, dim)) * size, size);
}

/* ---- GatherElements, ScatterElements: an index for each element ---- */

/* Input 1 has the rank of input 0 and no more elements along any axis but that of the indices. A symbolic
 * batch is in both, or some images would be left out. */
static void check_beside(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *index = &n->in[1]->shape;
  int axis = n->p.axis = check_axis(g, n, attr_int(n, "axis", 0), x->rank);
  check_number(g, n, 0, axis);
  check_number(g, n, 1, axis);
  check_index_type(g, n);
  bool fits = index->rank == x->rank;
  for (int i = 0; fits && i < x->rank; i++) {
    bool symbolic = x->d[i] < 0 || index->d[i] < 0;
    fits = i == axis || (symbolic ? index->d[i] == x->d[i] : index->d[i] <= x->d[i]);
  }
  if (!fits)
    fail_at(g, n, "indices of shape %s do not fit beside %s%s", shape_text(g->cx, index),
            shape_text(g->cx, x), batch_remedy(g, n));
  check_indices(g, n, &x->d[axis], 1);
}

/* Over the indices: the element of input 0 that stands where each does, but for the axis. */
static Cursor beside_cursor(const Node *n, int64_t *step) {
  Cursor c = {.shape = &n->in[1]->shape};
  dense_strides(&n->in[0]->shape, c.stride);
  *step = c.stride[n->p.axis];
  c.stride[n->p.axis] = 0;
  return c;
}

void infer_gather_elements(Graph *g, Node *n) {
  check_beside(g, n);
  set_output(g, n, 0, n->in[0]->type, &n->in[1]->shape);
}

void eval_gather_elements(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t step, count = shape_count(&n->in[1]->shape), dim = n->in[0]->shape.d[n->p.axis];
  Cursor c = beside_cursor(n, &step);
  for (int64_t i = 0; i < count; i++, cursor_next(&c))
    copy_element(out[0], i, in[0], c.at + index_at(g, n, in[1], i, dim) * step, type_size(n->in[0]->type));
}

/* ---- what becomes of an element that something is scattered to ---- */

static Combine read_combine(Graph *g, const Node *n) {
  static const char *const name[] = {"none", "add", "mul", "min", "max"};
  return (Combine)choice_attr(g, n, "reduction", name, COUNT(name));
}

static Number combined(Combine how, Type t, Number a, Number b) {
  switch (how) {
  case COMBINE_NONE: return b;
  case COMBINE_MIN: return number_undercuts(t, b, a) ? b : a;
  case COMBINE_MAX: return number_beats(t, b, a) ? b : a;
  case COMBINE_ADD: return t == T_BOOL ? (Number){.i = a.i | b.i} : number_sum(t, a, b);
  case COMBINE_MUL: break;
  }
  return number_product(t, a, b);
}

/* `count` elements of the updates from number i on, to those of the result from number `at` on. */
static void scatter(const Node *n, void *out, int64_t at, const void *updates, int64_t i, int64_t count) {
  Type t = n->in[0]->type;
  for (int64_t k = 0; k < count; k++)
    put_number(t, out, at + k, combined(n->p.combine, t, get_number(t, out, at + k),
                                        get_number(t, updates, i + k)));
}

static void check_updates(Graph *g, Node *n, const Shape *want) {
  check_same_type(g, n, 2);
  if (!shape_equal(&n->in[2]->shape, want))
    fail_at(g, n, "the updates are %s, not %s", shape_text(g->cx, &n->in[2]->shape), shape_text(g->cx, want));
  n->p.combine = read_combine(g, n);
  infer_same(g, n);
}

void infer_scatter_elements(Graph *g, Node *n) {
  check_beside(g, n);
  check_updates(g, n, &n->in[1]->shape);
}

void eval_scatter_elements(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t step, count = shape_count(&n->in[1]->shape), dim = n->in[0]->shape.d[n->p.axis];
  Cursor c = beside_cursor(n, &step);
  move_bytes(out[0], in[0], value_bytes(n->in[0]));
  for (int64_t i = 0; i < count; i++, cursor_next(&c))
    scatter(n, out[0], c.at + index_at(g, n, in[1], i, dim) * step, in[2], i, 1);
}

/* ---- GatherND, ScatterND: rows of indices, one for each of the first axes ---- */

/* The result of gathering: what the indices have before the last axis, then the axes of input 0 behind those
 * that a row names. The first p.axis axes are the same in both. */
static Shape rows_result(Graph *g, Node *n, int batch) {
  const Shape *x = &n->in[0]->shape, *index = &n->in[1]->shape;
  check_index_type(g, n);
  if (x->rank < 1 || index->rank < 1) fail_at(g, n, "a number has no axes to index");
  check_range(g, n, "attribute batch_dims", batch, 0, size_min(x->rank, index->rank) - 1);
  int64_t width = index->d[index->rank - 1];
  if (width < 0 || width > x->rank - batch)
    fail_at(g, n, "rows of %lld indices do not fit %s%s", (long long)width, shape_text(g->cx, x),
            batch_remedy(g, n));
  Shape out = *index;
  out.rank--;
  for (int i = 0; i < batch; i++)
    if (x->d[i] != index->d[i])
      fail_at(g, n, "axis %d of %s and %s differs", i, shape_text(g->cx, x), shape_text(g->cx, index));
  for (int64_t i = batch; i < batch + width; i++) check_number(g, n, 0, (int)i);
  if (width > 0) check_indices(g, n, x->d + batch, width);
  for (int64_t i = batch + width; i < x->rank; i++) {
    if (out.rank == MAX_RANK) fail_at(g, n, "a result of rank over %d is not supported", MAX_RANK);
    out.d[out.rank++] = x->d[i];
  }
  n->p.axis = batch;
  return out;
}

/* The first element of input 0 at the indices of row i, of `rows` rows in all. */
static int64_t row_place(Graph *g, const Node *n, const void *indices, int64_t i, int64_t rows) {
  const Shape *x = &n->in[0]->shape;
  int64_t width = n->in[1]->shape.d[n->in[1]->shape.rank - 1], stride[MAX_RANK], batch = n->p.axis;
  int64_t batches = blocks_before(x, batch);
  dense_strides(x, stride);
  int64_t at = i / (rows / batches) * (shape_count(x) / batches);
  for (int64_t k = 0; k < width; k++)
    at += index_at(g, n, indices, i * width + k, x->d[batch + k]) * stride[batch + k];
  return at;
}

static int64_t elements_behind(const Node *n) {
  const Shape *x = &n->in[0]->shape;
  int64_t count = 1;
  for (int64_t i = n->p.axis + n->in[1]->shape.d[n->in[1]->shape.rank - 1]; i < x->rank; i++)
    count *= x->d[i];
  return count;
}

void infer_gather_nd(Graph *g, Node *n) {
  Shape out = rows_result(g, n, (int)size_clamp(attr_int(n, "batch_dims", 0), -1, MAX_RANK));
  set_output(g, n, 0, n->in[0]->type, &out);
}

void eval_gather_nd(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t rows = blocks_before(&n->in[1]->shape, n->in[1]->shape.rank - 1), count = elements_behind(n);
  size_t size = (size_t)count * type_size(n->in[0]->type);
  if (count == 0) return;
  for (int64_t i = 0; i < rows; i++)
    move_bytes((char *)out[0] + (size_t)i * size,
           (const char *)in[0] + (size_t)row_place(g, n, in[1], i, rows) * type_size(n->in[0]->type), size);
}

void infer_scatter_nd(Graph *g, Node *n) {
  Shape want = rows_result(g, n, 0);
  check_updates(g, n, &want);
}

void eval_scatter_nd(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t rows = blocks_before(&n->in[1]->shape, n->in[1]->shape.rank - 1), count = elements_behind(n);
  move_bytes(out[0], in[0], value_bytes(n->in[0]));
  for (int64_t i = 0; i < rows && count > 0; i++)
    scatter(n, out[0], row_place(g, n, in[1], i, rows), in[2], i * count, count);
}

/* ---- ReverseSequence ---- */

void infer_reverse_sequence(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *length = &n->in[1]->shape;
  check_rank(g, n, 0, 2, MAX_RANK);
  int64_t batch = attr_int(n, "batch_axis", 1), time = attr_int(n, "time_axis", 0);
  if (batch + time != 1 || batch * time != 0) fail_at(g, n, "the axes of time and batch are not 0 and 1");
  n->p.axis = (int)time;
  check_index_type(g, n);
  check_number(g, n, 0, n->p.axis);
  if (length->rank != 1 || length->d[0] != x->d[batch])
    fail_at(g, n, "the lengths are %s, not one for each of %s%s", shape_text(g->cx, length),
            shape_text(g->cx, x), batch_remedy(g, n));
  infer_same(g, n);
}

void eval_reverse_sequence(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const int64_t *d = n->in[0]->shape.d, time = n->p.axis;
  size_t size = block_size(n->in[0], 2);
  for (int64_t i = 0; i < d[0]; i++)
    for (int64_t k = 0; k < d[1]; k++) {
      int64_t t = time == 0 ? i : k, b = time == 0 ? k : i;
      int64_t length = size_clamp(get_number(n->in[1]->type, in[1], b).i, 0, d[time]);
      if (t < length) t = length - 1 - t;
      int64_t from = time == 0 ? t * d[1] + b : b * d[1] + t;
      move_bytes((char *)out[0] + (size_t)(i * d[1] + k) * size, (const char *)in[0] + (size_t)from * size, size);
    }
}

/* ---- Compress, NonZero: the size of the result is known with their elements alone ---- */

static _Noreturn void fail_size(Graph *g, const Node *n) {
  fail_at(g, n, "the size of its result depends on data; export the network without its post-processing");
}

/* Axis -1: of all elements in a row. */
void infer_compress(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *flags = &n->in[1]->shape;
  n->p.axis = attr_find(n, "axis") ? check_axis(g, n, attr_int(n, "axis", 0), x->rank) : -1;
  if (n->in[1]->type != T_BOOL || flags->rank != 1) fail_at(g, n, "the condition must be a list of bool");
  if (!n->in[1]->data) fail_size(g, n);
  for (int i = 0; i < x->rank; i++)
    if (n->p.axis < 0 || i == n->p.axis) check_number(g, n, 0, i);
  int64_t most = n->p.axis < 0 ? shape_count(x) : x->d[n->p.axis], kept = 0;
  if (flags->d[0] > most)
    fail_at(g, n, "the condition has %lld elements for %lld", (long long)flags->d[0], (long long)most);
  for (int64_t i = 0; i < flags->d[0]; i++) kept += ((const bool *)n->in[1]->data)[i];
  Shape out = n->p.axis < 0 ? (Shape){.rank = 1} : *x;
  out.d[n->p.axis < 0 ? 0 : n->p.axis] = kept;
  set_output(g, n, 0, n->in[0]->type, &out);
}

void eval_compress(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  int axis = n->p.axis;
  int64_t dim = axis < 0 ? shape_count(&n->in[0]->shape) : n->in[0]->shape.d[axis];
  int64_t blocks = axis < 0 ? 1 : blocks_before(&n->in[0]->shape, axis), flags = n->in[1]->shape.d[0];
  size_t size = axis < 0 ? type_size(n->in[0]->type) : block_size(n->in[0], axis + 1);
  char *to = out[0];
  for (int64_t b = 0; b < blocks; b++)
    for (int64_t i = 0; i < flags; i++) {
      if (!((const bool *)in[1])[i]) continue;
      move_bytes(to, (const char *)in[0] + (size_t)(b * dim + i) * size, size);
      to += size;
    }
}

static bool is_zero(Type t, const void *data, int64_t i) {
  Number v = get_number(t, data, i);
  return type_is_float(t) ? v.f == 0 : v.u == 0;
}

void infer_nonzero(Graph *g, Node *n) {
  const Value *x = n->in[0];
  if (!x->data || x->sym) fail_size(g, n);
  Shape out = {.rank = 2, .d = {x->shape.rank, 0}};
  int64_t count = shape_count(&x->shape);
  for (int64_t i = 0; i < count; i++) out.d[1] += !is_zero(x->type, x->data, i);
  set_output(g, n, 0, T_I64, &out);
}

void eval_nonzero(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Cursor c = {.shape = &n->in[0]->shape};
  int64_t count = shape_count(c.shape), found = n->out[0]->shape.d[1], k = 0;
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) {
    if (is_zero(n->in[0]->type, in[0], i)) continue;
    for (int a = 0; a < c.shape->rank; a++) ((int64_t *)out[0])[a * found + k] = c.index[a];
    k++;
  }
}
