/* move.c: operators that move elements, of whose type only the size matters; a Reorder may convert them. */
#include "ops.h"

/* ---- Reorder ---- */

/* Who makes one gives its result the type; else it is the input's. */
void infer_reorder(Graph *g, Node *n) {
  Type t = n->out[0]->type;
  set_output(g, n, 0, t == T_NONE ? n->in[0]->type : t, &n->in[0]->shape);
}

void eval_reorder(Graph *g, const Node *n, const void *const *in, void **out) {
  if (n->in[0]->type == n->out[0]->type) eval_copy(g, n, in, out);
  else eval_cast(g, n, in, out);
}

/* ---- Transpose ---- */

void infer_transpose(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  int64_t *perm = n->p.perm;
  for (int i = 0; i < x->rank; i++) perm[i] = x->rank - 1 - i;
  ints_attr(g, n, "perm", x->rank, perm);
  bool seen[MAX_RANK] = {false};
  Shape out = {.rank = x->rank};
  for (int i = 0; i < x->rank; i++) {
    if (perm[i] < 0 || perm[i] >= x->rank || seen[perm[i]])
      fail_at(g, n, "attribute perm is not a permutation");
    seen[perm[i]] = true;
    out.d[i] = x->d[perm[i]];
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

void eval_transpose(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *x = &n->in[0]->shape;
  int64_t stride[MAX_RANK];
  dense_strides(x, stride);
  Cursor c = {.shape = &n->out[0]->shape};
  for (int i = 0; i < x->rank; i++) c.stride[i] = stride[n->p.perm[i]];
  copy_elements(n->out[0], out[0], in[0], c);
}

/* ---- Interleave ---- */

/* The axis of number k of D, H and W: the last ones; of frames, which are images, the first is that of the depth. */
static int interleaved_axis(int rank, int k) { return rank == 4 && k == 0 ? 0 : rank - MAX_SPATIAL + k; }

int64_t interleave_part(const Node *n, int i, int64_t *first, int64_t *stride) {
  const int64_t all[] = {n->win.sd, n->win.sh, n->win.sw};
  int rank = n->in[0]->shape.rank;
  int64_t step = 1;
  for (int k = 0; k < rank; k++) first[k] = 0, stride[k] = 1;
  for (int k = MAX_SPATIAL - 1; k >= 0; k--) {
    int axis = interleaved_axis(rank, k);
    first[axis] = i / step % all[k];
    stride[axis] = all[k];
    step *= all[k];
  }
  return step;
}

static void check_part(Graph *g, const Node *n, int i, const Shape *out) {
  int64_t first[MAX_RANK], stride[MAX_RANK];
  Shape want = *out;
  interleave_part(n, i, first, stride);
  for (int k = 0; k < out->rank; k++)
    if (stride[k] > 1) want.d[k] = size_ceiling(size_max(out->d[k] - first[k], 0), stride[k]);
  if (!shape_equal(&want, &n->in[i]->shape))
    fail_at(g, n, "input %d must have shape %s, not %s", i, shape_text(g->cx, &want), shape_text(g->cx, &n->in[i]->shape));
}

/* Those of D, H and W; returns how many places there are. */
static int64_t read_strides(Graph *g, const Node *n, int64_t *stride) {
  int spatial = n->in[0]->shape.rank - 2;
  const Attr *a = attr_find(n, "strides");
  int given = spatial == 2 && a && a->n == MAX_SPATIAL ? MAX_SPATIAL : spatial;
  int64_t parts = 1;
  ints_attr(g, n, "strides", given, stride + MAX_SPATIAL - given);
  for (int k = 0; k < MAX_SPATIAL; k++) {
    check_range(g, n, "stride", stride[k], 1, n->n_in);
    parts = size_mul(parts, stride[k]);
  }
  return parts;
}

void infer_interleave(Graph *g, Node *n) {
  check_rank(g, n, 0, 3, 5);
  Shape out = n->in[0]->shape;
  int64_t stride[MAX_SPATIAL] = {1, 1, 1}, parts = read_strides(g, n, stride), step = 1;
  if (parts != n->n_in) fail_at(g, n, "%d inputs, but %lld places", n->n_in, (long long)parts);
  n->win.sd = stride[0], n->win.sh = stride[1], n->win.sw = stride[2];
  for (int k = MAX_SPATIAL - 1; k >= 0; step *= stride[k--]) { /* the parts that differ along that axis alone */
    int axis = interleaved_axis(out.rank, k);
    if (stride[k] == 1) continue;
    out.d[axis] = 0;
    for (int64_t i = 0; i < stride[k]; i++) {
      check_rank(g, n, (int)(i * step), out.rank, out.rank);
      check_number(g, n, (int)(i * step), axis);
      out.d[axis] = size_add(out.d[axis], n->in[i * step]->shape.d[axis]);
    }
  }
  for (int i = 0; i < n->n_in; i++) {
    check_same_type(g, n, i);
    check_part(g, n, i, &out);
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

void eval_interleave(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *y = &n->out[0]->shape;
  int64_t first[MAX_RANK], stride[MAX_RANK], step[MAX_RANK];
  dense_strides(y, step);
  for (int i = 0; i < n->n_in; i++) {
    Cursor c = {.shape = &n->in[i]->shape};
    interleave_part(n, i, first, stride);
    for (int k = 0; k < y->rank; k++) {
      c.at += first[k] * step[k];
      c.stride[k] = step[k] * stride[k];
    }
    for (int64_t from = 0; from < shape_count(c.shape); from++, cursor_next(&c))
      copy_element(out[0], c.at, in[i], from, type_size(n->out[0]->type));
  }
}

/* ---- Concat ---- */

static void add_dim(Graph *g, const Node *n, int64_t *sum, int64_t d) {
  if (*sum && d && (*sum < 0) != (d < 0)) fail_at(g, n, "the symbolic batch is joined with a number%s", batch_remedy(g, n));
  int64_t s;
  if (!add_size(*sum < 0 ? -*sum : *sum, d < 0 ? -d : d, &s)) fail_at(g, n, "a size overflows");
  *sum = *sum < 0 || d < 0 ? -s : s;
}

void infer_concat(Graph *g, Node *n) {
  Shape out = n->in[0]->shape;
  if (!attr_find(n, "axis")) fail_at(g, n, "attribute axis is missing");
  int axis = n->p.axis = check_axis(g, n, attr_int(n, "axis", 0), out.rank);
  for (int i = 1; i < n->n_in; i++) {
    if (!n->in[i]) fail_at(g, n, "input %d is missing", i);
    check_same_type(g, n, i);
    const Shape *s = &n->in[i]->shape;
    Shape rest = *s;
    if (s->rank == out.rank) rest.d[axis] = out.d[axis];
    if (!shape_equal(&rest, &out))
      fail_at(g, n, "input %d of shape %s does not join %s along axis %d%s", i, shape_text(g->cx, s),
              shape_text(g->cx, &out), axis, batch_remedy(g, n));
    add_dim(g, n, &out.d[axis], s->d[axis]);
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

void eval_concat(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  int64_t axis = n->p.axis, count = blocks_before(&n->out[0]->shape, axis);
  char *to = out[0];
  for (int64_t b = 0; b < count; b++)
    for (int i = 0; i < n->n_in; i++) {
      size_t size = block_size(n->in[i], axis);
      move_bytes(to, (const char *)in[i] + (size_t)b * size, size);
      to += size;
    }
}

/* ---- Split ---- */

/* Equal parts, of which the last may be smaller. */
static void equal_sizes(int64_t dim, int parts, int64_t *size) {
  int64_t each = dim / parts + (dim % parts != 0);
  for (int i = 0; i < parts; i++) {
    size[i] = dim < each ? dim : each;
    dim -= size[i];
  }
}

void split_sizes(Graph *g, const Node *n, int64_t *size) {
  const Shape *x = &n->in[0]->shape;
  int64_t dim = x->d[n->p.axis], sum = 0;
  if (!has_input(n, 1)) {
    equal_sizes(dim, n->n_out, size);
    return;
  }
  const Value *v = n->in[1];
  int count;
  if (v->sym || !const_ints(v, n->n_out, size, &count) || count != n->n_out)
    fail_at(g, n, "the sizes must be %d integers%s", n->n_out, batch_remedy(g, n));
  for (int i = 0; i < count; i++)
    if (size[i] < 0 || !add_size(sum, size[i], &sum))
      fail_at(g, n, "size %lld is out of range", (long long)size[i]);
  if (sum != dim) fail_at(g, n, "the sizes sum to %lld, the axis has %lld", (long long)sum, (long long)dim);
}

static void set_sizes_as_declared(Graph *g, Node *n, int axis) {
  int64_t *size = alloc_n(g->cx, (size_t)n->n_out, sizeof *size);
  for (int i = 0; i < n->n_out; i++) {
    Shape declared = declared_output(g, n, i, "the sizes");
    if (declared.rank <= axis) fail_at(g, n, "output %d is declared as %s", i, shape_text(g->cx, &declared));
    size[i] = declared.d[axis];
  }
  node_set_input(g, n, 1, value_const_i64(g, n->in[1]->name, n->n_out, size));
}

void infer_split(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  int axis = n->p.axis = check_axis(g, n, attr_int(n, "axis", 0), x->rank);
  check_number(g, n, 0, axis);
  if (attr_int(n, "num_outputs", n->n_out) != n->n_out)
    fail_at(g, n, "attribute num_outputs does not say %d", n->n_out);
  if (has_input(n, 1) && !n->in[1]->data) set_sizes_as_declared(g, n, axis);
  int64_t *size = alloc_n(g->cx, (size_t)n->n_out, sizeof *size);
  split_sizes(g, n, size);
  for (int i = 0; i < n->n_out; i++) {
    Shape out = *x;
    out.d[axis] = size[i];
    set_output(g, n, i, n->in[0]->type, &out);
  }
}

void eval_split(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t axis = n->p.axis, count = blocks_before(&n->in[0]->shape, axis);
  int64_t *size = alloc_n(g->cx, (size_t)n->n_out, sizeof *size);
  split_sizes(g, n, size);
  size_t one = n->in[0]->shape.d[axis] ? block_size(n->in[0], axis) / (size_t)n->in[0]->shape.d[axis] : 0;
  const char *from = in[0];
  for (int64_t b = 0; b < count; b++)
    for (int i = 0; i < n->n_out; i++) {
      size_t bytes = (size_t)size[i] * one;
      if (out[i]) move_bytes((char *)out[i] + (size_t)b * bytes, from, bytes);
      from += bytes;
    }
}
