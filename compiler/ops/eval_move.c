/* eval_move.c: the reference evaluator's movement of elements, of whose type only the size matters. */
#include "ops.h"

#include <string.h>

static size_t bytes_of(const Value *v) {
  return (size_t)shape_count(&v->shape) * type_size(v->type);
}

static void copy_element(void *to, int64_t i, const void *from, int64_t k, size_t size) {
  memcpy((char *)to + (size_t)i * size, (const char *)from + (size_t)k * size, size);
}

void eval_copy(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  memcpy(out[0], in[0], bytes_of(n->out[0]));
}

void eval_dropout(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  if (out[0]) memcpy(out[0], in[0], bytes_of(n->in[0]));
  if (n->n_out > 1 && out[1]) memset(out[1], true, bytes_of(n->out[1]));
}

/* The elements that the cursor walks over, one after the other. */
static void collect(const Value *to, void *out, const void *in, Cursor c) {
  int64_t count = shape_count(&to->shape);
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) copy_element(out, i, in, c.at, type_size(to->type));
}

void eval_transpose(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *x = &n->in[0]->shape;
  const Attr *perm = attr_find(n, "perm");
  int64_t stride[MAX_RANK];
  dense_strides(x, stride);
  Cursor c = {.shape = &n->out[0]->shape};
  for (int i = 0; i < x->rank; i++) c.stride[i] = stride[perm ? perm->ints[i] : x->rank - 1 - i];
  collect(n->out[0], out[0], in[0], c);
}

void eval_space_to_depth(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  int64_t stride[MAX_RANK], b = attr_int(n, "blocksize", 1), channels = n->in[0]->shape.d[1];
  dense_strides(&n->in[0]->shape, stride);
  Cursor c = {.shape = &n->out[0]->shape};
  for (int64_t i = 0; i < shape_count(c.shape); i++, cursor_next(&c)) {
    int64_t place = c.index[1] / channels, row = c.index[2] * b + place / b, col = c.index[3] * b + place % b;
    int64_t at = c.index[0] * stride[0] + c.index[1] % channels * stride[1] + row * stride[2] + col * stride[3];
    copy_element(out[0], i, in[0], at, type_size(n->in[0]->type));
  }
}

/* The node with its inputs as constants, so that bounds known at run time only are read as all others are. */
static Node with_known_inputs(Graph *g, const Node *n, const void *const *in) {
  Node known = *n;
  known.in = alloc_n(g->cx, (size_t)n->n_in, sizeof *known.in);
  for (int i = 0; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    known.in[i] = alloc(g->cx, sizeof *known.in[i]);
    *known.in[i] = *n->in[i];
    known.in[i]->data = in[i];
  }
  return known;
}

static void check_declared(Graph *g, const Node *n, const Shape *s) {
  if (!shape_equal(s, &n->out[0]->shape))
    fail_at(g, n, "the result is %s, but declared as %s", shape_text(g->cx, s),
            shape_text(g->cx, &n->out[0]->shape));
}

void eval_slice(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t start[MAX_RANK], step[MAX_RANK], stride[MAX_RANK];
  Shape s;
  Node known = with_known_inputs(g, n, in);
  slice_ranges(g, &known, start, step, &s);
  check_declared(g, n, &s);
  dense_strides(&n->in[0]->shape, stride);
  Cursor c = {.shape = &n->out[0]->shape};
  for (int i = 0; i < s.rank; i++) {
    c.at += start[i] * stride[i];
    c.stride[i] = step[i] * stride[i];
  }
  collect(n->out[0], out[0], in[0], c);
}

/* ---- Concat and Split: pieces of a block, one for each index before the axis ---- */

static int64_t axis_of(const Node *n) {
  int64_t axis = attr_int(n, "axis", 0);
  return axis < 0 ? axis + n->in[0]->shape.rank : axis;
}

static int64_t blocks_before(const Shape *s, int64_t axis) {
  int64_t count = 1;
  for (int64_t i = 0; i < axis; i++) count *= s->d[i];
  return count;
}

static size_t block_size(const Value *v, int64_t axis) {
  size_t size = type_size(v->type);
  for (int64_t i = axis; i < v->shape.rank; i++) size *= (size_t)v->shape.d[i];
  return size;
}

void eval_concat(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  int64_t axis = axis_of(n), count = blocks_before(&n->out[0]->shape, axis);
  char *to = out[0];
  for (int64_t b = 0; b < count; b++)
    for (int i = 0; i < n->n_in; i++) {
      size_t size = block_size(n->in[i], axis);
      memcpy(to, (const char *)in[i] + (size_t)b * size, size);
      to += size;
    }
}

void eval_split(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t axis = axis_of(n), count = blocks_before(&n->in[0]->shape, axis);
  int64_t *size = alloc_n(g->cx, (size_t)n->n_out, sizeof *size);
  split_sizes(g, n, size);
  size_t one = n->in[0]->shape.d[axis] ? block_size(n->in[0], axis) / (size_t)n->in[0]->shape.d[axis] : 0;
  const char *from = in[0];
  for (int64_t b = 0; b < count; b++)
    for (int i = 0; i < n->n_out; i++) {
      size_t bytes = (size_t)size[i] * one;
      if (out[i]) memcpy((char *)out[i] + (size_t)b * bytes, from, bytes);
      from += bytes;
    }
}

/* ---- Pad ---- */

/* The element of an axis of `dim` that stands at place i, which may lie outside; -1: the padding value. */
static int64_t padding_source(PadMode mode, int64_t i, int64_t dim) {
  if (i >= 0 && i < dim) return i;
  switch (mode) {
    case PAD_CONSTANT: return -1;
    case PAD_EDGE: return i < 0 ? 0 : dim - 1;
    case PAD_REFLECT: return i < 0 ? -i : 2 * (dim - 1) - i;
    case PAD_WRAP: return (i % dim + dim) % dim;
  }
  return -1;
}

/* Offset of the input element at output index `index`, -1: the padding value. */
static int64_t pad_offset(PadMode mode, const Shape *x, const int64_t *lo, const int64_t *index) {
  int64_t offset = 0;
  for (int k = 0; k < x->rank; k++) {
    int64_t i = padding_source(mode, index[k] - lo[k], x->d[k]);
    if (i < 0) return -1;
    offset = offset * x->d[k] + i;
  }
  return offset;
}

void eval_pad(Graph *g, const Node *n, const void *const *in, void **out) {
  static const char zero[8];
  size_t size = type_size(n->in[0]->type);
  const void *value = n->n_in > 2 && in[2] ? in[2] : zero;
  PadMode mode = pad_mode(g, n);
  int64_t lo[MAX_RANK], hi[MAX_RANK], count = shape_count(&n->out[0]->shape);
  Node known = with_known_inputs(g, n, in);
  Shape s = n->in[0]->shape;
  pad_amounts(g, &known, lo, hi);
  for (int i = 0; i < s.rank; i++) s.d[i] += lo[i] + hi[i];
  check_declared(g, n, &s);
  Cursor c = {.shape = &n->out[0]->shape};
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) {
    int64_t from = pad_offset(mode, &n->in[0]->shape, lo, c.index);
    if (from < 0) copy_element(out[0], i, value, 0, size);
    else copy_element(out[0], i, in[0], from, size);
  }
}

/* ---- Gather ---- */

void eval_gather(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t axis = axis_of(n), dim = n->in[0]->shape.d[axis];
  int64_t blocks = blocks_before(&n->in[0]->shape, axis), indices = shape_count(&n->in[1]->shape);
  size_t size = block_size(n->in[0], axis + 1);
  char *to = out[0];
  for (int64_t b = 0; b < blocks; b++)
    for (int64_t i = 0; i < indices; i++, to += size) {
      int64_t k = get_number(n->in[1]->type, in[1], i).i;
      if (k < -dim || k >= dim) fail_at(g, n, "index %lld is outside an axis of %lld elements", (long long)k,
                                        (long long)dim);
      memcpy(to, (const char *)in[0] + (size_t)(b * dim + (k < 0 ? k + dim : k)) * size, size);
    }
}

/* ---- shapes as values ---- */

void eval_constant_of_shape(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  (void)in;
  const Attr *value = attr_find(n, "value");
  if (!value) return; /* zeros, which fresh memory is */
  int64_t count = shape_count(&n->out[0]->shape);
  for (int64_t i = 0; i < count; i++)
    copy_element(out[0], i, value->tensor->data, 0, type_size(n->out[0]->type));
}

void eval_shape(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  (void)in;
  memcpy(out[0], n->in[0]->shape.d + shape_start(n), bytes_of(n->out[0]));
}
