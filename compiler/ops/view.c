/* view.c: operators that give the same elements, in the same order, another shape; and shapes as values. */
#include "ops.h"

#include <string.h>

void eval_copy(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  move_bytes(out[0], in[0], value_bytes(n->out[0]));
}

/* In training, a dropout would need random numbers; a ratio of 0 drops nothing. */
void infer_dropout(Graph *g, Node *n) {
  bool training = has_input(n, 2);
  const bool *mode = training ? n->in[2]->data : NULL;
  if (mode && shape_count(&n->in[2]->shape) == 1) training = *mode;
  float ratio = 0.5f;
  if (has_input(n, 1) && !const_scalar(n->in[1], &ratio)) ratio = 1;
  if (training && ratio != 0)
    fail_at(g, n, "dropout in training mode is not supported; export the model for inference, in PyTorch after model.eval()");
  infer_same(g, n);
  set_output(g, n, 1, T_BOOL, &n->in[0]->shape);
}

void eval_dropout(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  if (out[0]) move_bytes(out[0], in[0], value_bytes(n->in[0]));
  if (n->n_out > 1 && out[1]) memset(out[1], true, value_bytes(n->out[1]));
}

/* ---- products of dimensions: a number, or a number times the batch symbol (negative, as in Shape) ---- */

static int64_t mul_dim(Graph *g, const Node *n, int64_t a, int64_t b) {
  if (a < 0 && b < 0) fail_at(g, n, "the symbolic batch would be multiplied by itself%s", batch_remedy(g, n));
  int64_t p;
  if (!mul_size(a < 0 ? -a : a, b < 0 ? -b : b, &p)) fail_at(g, n, "a size overflows");
  return a < 0 || b < 0 ? -p : p;
}

static int64_t product(Graph *g, const Node *n, const int64_t *d, int count) {
  int64_t p = 1;
  for (int i = 0; i < count; i++) p = mul_dim(g, n, p, d[i]);
  return p;
}

/* The batch for which a multiple of it is the other count; 0: none, or neither has the batch. */
static int64_t fitting_batch(int64_t a, int64_t b) {
  int64_t multiple = a < 0 ? -a : b < 0 ? -b : 0, number = a < 0 ? b : a;
  return multiple && number > 0 && number % multiple == 0 ? number / multiple : 0;
}

static void check_same_count(Graph *g, const Node *n, const Shape *from, const Shape *to) {
  int64_t a = product(g, n, from->d, from->rank), b = product(g, n, to->d, to->rank), batch = fitting_batch(a, b);
  if (a == b) return;
  const char *remedy = batch ? format_text(g->cx, "; with --batch %lld they do", (long long)batch) : batch_remedy(g, n);
  fail_at(g, n, "shapes %s and %s do not have the same number of elements%s", shape_text(g->cx, from),
          shape_text(g->cx, to), remedy);
}

/* A view whose argument `what` is known at run time only becomes a Reshape to the declared shape. */
static void infer_as_declared(Graph *g, Node *n, const char *what) {
  Shape declared = declared_output(g, n, 0, what);
  check_same_count(g, n, &n->in[0]->shape, &declared);
  n->op = OP_Reshape;
  node_set_input(g, n, 1, shape_constant(g, n->in[1]->name, &declared));
  attr_set_int(g, n, "allowzero", 1);
  set_output(g, n, 0, n->in[0]->type, &declared);
}

/* ---- views ---- */

void infer_flatten(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  int64_t axis = attr_int(n, "axis", 1);
  if (axis < -x->rank || axis > x->rank)
    fail_at(g, n, "axis %lld is not one of a tensor of rank %d", (long long)axis, x->rank);
  int k = n->p.axis = (int)(axis < 0 ? axis + x->rank : axis);
  Shape out = {.rank = 2, .d = {product(g, n, x->d, k), product(g, n, x->d + k, x->rank - k)}};
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* What -1 stands for: the element count over the product of the others. */
static int64_t missing_dim(Graph *g, const Node *n, int64_t count, int64_t others) {
  int64_t a = count < 0 ? -count : count, b = others < 0 ? -others : others;
  if (b == 0 || a % b || (others < 0 && count > 0))
    fail_at(g, n, "%s cannot be reshaped: its size does not fit%s", shape_text(g->cx, &n->in[0]->shape),
            batch_remedy(g, n));
  bool symbolic = (count < 0) != (others < 0);
  return symbolic ? -(a / b) : a / b;
}

/* Element i of the shape argument as a dimension; 0 copies one of the input's unless allowzero. */
static int64_t asked_dim(Graph *g, const Node *n, const Ints *want, int i) {
  const Shape *x = &n->in[0]->shape;
  int64_t d = want->v[i];
  if (d < 0) fail_at(g, n, "dimension %lld of the new shape is negative", (long long)d);
  if (want->sym[i]) return -d;
  if (d > 0 || attr_int(n, "allowzero", 0)) return d;
  if (i >= x->rank) fail_at(g, n, "dimension %d is to be copied from %s", i, shape_text(g->cx, x));
  return x->d[i];
}

void infer_reshape(Graph *g, Node *n) {
  if (!n->in[1]->data) {
    infer_as_declared(g, n, "the new shape");
    return;
  }
  Ints want = const_input(g, n, 1, "the new shape");
  const Shape *x = &n->in[0]->shape;
  if (want.n > MAX_RANK) fail_at(g, n, "a result of rank %d is not supported", want.n);
  Shape out = {.rank = want.n};
  int missing = -1;
  int64_t others = 1;
  for (int i = 0; i < want.n; i++) {
    if (want.v[i] == -1 && !want.sym[i]) {
      if (missing >= 0) fail_at(g, n, "two dimensions of the new shape are -1");
      missing = i;
      continue;
    }
    out.d[i] = asked_dim(g, n, &want, i);
    others = mul_dim(g, n, others, out.d[i]);
  }
  if (missing >= 0) out.d[missing] = missing_dim(g, n, product(g, n, x->d, x->rank), others);
  check_same_count(g, n, x, &out);
  set_output(g, n, 0, n->in[0]->type, &out);
}

void infer_squeeze(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  bool axes[MAX_RANK] = {false};
  if (!has_input(n, 1)) {
    for (int i = 0; i < x->rank; i++) axes[i] = x->d[i] == 1;
  } else if (n->in[1]->data) {
    axes_input(g, n, 1, x->rank, axes);
  } else {
    infer_as_declared(g, n, "the axes argument");
    return;
  }
  Shape out = {0};
  for (int i = 0; i < x->rank; i++) {
    if (!axes[i]) out.d[out.rank++] = x->d[i];
    else if (x->d[i] != 1) fail_at(g, n, "axis %d of %s is not 1%s", i, shape_text(g->cx, x), batch_remedy(g, n));
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

void infer_unsqueeze(Graph *g, Node *n) {
  if (!n->in[1]->data) {
    infer_as_declared(g, n, "the axes argument");
    return;
  }
  const Shape *x = &n->in[0]->shape;
  int rank = x->rank + const_input(g, n, 1, "the axes argument").n;
  if (rank > MAX_RANK) fail_at(g, n, "a result of rank %d is not supported", rank);
  bool axes[MAX_RANK];
  axes_input(g, n, 1, rank, axes);
  Shape out = {.rank = rank};
  for (int i = 0, k = 0; i < rank; i++) out.d[i] = axes[i] ? 1 : x->d[k++];
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- shapes as values ---- */

void infer_constant_of_shape(Graph *g, Node *n) {
  Shape out = shape_input(g, n, 0);
  const Attr *value = attr_find(n, "value");
  if (value && (value->kind != A_TENSOR || shape_count(&value->tensor->shape) != 1))
    fail_at(g, n, "attribute value must be a tensor of one element");
  n->p.to = value ? value->tensor->type : T_F32;
  if (value) move_bytes(&n->p.fill, value->tensor->data, type_size(n->p.to));
  set_output(g, n, 0, n->p.to, &out);
}

void eval_constant_of_shape(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  (void)in;
  int64_t count = shape_count(&n->out[0]->shape);
  for (int64_t i = 0; i < count; i++)
    copy_element(out[0], i, &n->p.fill, 0, type_size(n->out[0]->type));
}

/* Attributes start and end are clamped to the rank. */
static int clamp_axis(int64_t axis, int rank) {
  if (axis < 0) axis += rank;
  return (int)(axis < 0 ? 0 : axis > rank ? rank : axis);
}

void infer_shape(Graph *g, Node *n) {
  int rank = n->in[0]->shape.rank, start = clamp_axis(attr_int(n, "start", 0), rank), end = clamp_axis(attr_int(n, "end", rank), rank);
  n->p.axis = start;
  Shape out = {.rank = 1, .d = {end > start ? end - start : 0}};
  set_output(g, n, 0, T_I64, &out);
}

void eval_shape(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  (void)in;
  move_bytes(out[0], n->in[0]->shape.d + n->p.axis, value_bytes(n->out[0]));
}

void infer_size(Graph *g, Node *n) {
  Shape out = {0};
  set_output(g, n, 0, T_I64, &out);
}

void eval_size(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  (void)in;
  *(int64_t *)out[0] = shape_count(&n->in[0]->shape);
}
