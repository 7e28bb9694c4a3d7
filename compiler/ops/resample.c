/* resample.c: what Resize comes to once all is known: along one axis or two, tables of elements and their
 * weights. */
#include "ops.h"

/* Inputs of axis number i: the indices, the weights. */
static int index_input(int i) { return 1 + 2 * i; }
static int weight_input(int i) { return 2 + 2 * i; }

int64_t resample_taps(const Node *n, int i) {
  if (!has_input(n, index_input(i))) return 1;
  const Shape *s = &n->in[index_input(i)]->shape;
  return s->rank == 2 ? s->d[1] : 1;
}

const Value *resample_index(const Node *n, int i) {
  return has_input(n, index_input(i)) ? n->in[index_input(i)] : NULL;
}

const Value *resample_weight(const Node *n, int i) {
  return has_input(n, weight_input(i)) ? n->in[weight_input(i)] : NULL;
}

static void check_table(Graph *g, Node *n, int i, int64_t size) {
  const Value *v = n->in[index_input(i)];
  if (!v->data || v->type != T_I32 || v->shape.rank < 1 || v->shape.rank > 2)
    fail_at(g, n, "input %d must be a constant table of i32", index_input(i));
  int64_t count = shape_count(&v->shape);
  const int32_t *index = v->data;
  for (int64_t k = 0; k < count; k++) {
    if (index[k] < -1 || index[k] >= size)
      fail_at(g, n, "index %d is outside an axis of %lld elements", index[k], (long long)size);
    n->p.resample.outside = n->p.resample.outside || index[k] < 0;
  }
  const Value *w = resample_weight(n, i);
  if (!w) {
    if (resample_taps(n, i) != 1) fail_at(g, n, "several elements need weights");
    return;
  }
  if (!w->data || w->type != n->in[0]->type || !shape_equal(&w->shape, &v->shape) || !type_is_float(w->type))
    fail_at(g, n, "input %d must be constant floats, one for each index", weight_input(i));
}

static int64_t resampled(Graph *g, Node *n, int i, int64_t size) {
  int64_t out, repeat = n->p.resample.repeat[i];
  if (has_input(n, index_input(i)) == (repeat > 0))
    fail_at(g, n, "axis number %d needs indices or repeats, and not both", i);
  if (repeat == 0) {
    check_table(g, n, i, size);
    return n->in[index_input(i)]->shape.d[0];
  }
  if (has_input(n, weight_input(i))) fail_at(g, n, "axis number %d has weights but no indices", i);
  if (!mul_size(size, repeat, &out)) fail_at(g, n, "a size overflows");
  return out;
}

void infer_resample(Graph *g, Node *n) {
  const Attr *axes = attr_find(n, "axes");
  struct Resampling *r = &n->p.resample;
  Shape out = n->in[0]->shape;
  if (!axes || axes->kind != A_INTS || axes->n < 1 || axes->n > 2)
    fail_at(g, n, "attribute axes must be one or two integers");
  r->axes = axes->n;
  ints_attr(g, n, "repeats", r->axes, r->repeat);
  for (int i = 0; i < r->axes; i++) {
    r->axis[i] = check_axis(g, n, axes->ints[i], out.rank);
    check_number(g, n, 0, r->axis[i]);
    check_range(g, n, "a repetition", r->repeat[i], 0, INT32_MAX);
    if (i && r->axis[i] <= r->axis[0]) fail_at(g, n, "the axes must ascend");
    out.d[r->axis[i]] = resampled(g, n, i, out.d[r->axis[i]]);
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

bool resamples_maps(const Node *n) {
  const struct Resampling *r = &n->p.resample;
  return n->in[0]->shape.rank == 4 && r->axis[0] >= 2;
}

/* ---- the definition ---- */

typedef struct Tap {
  int64_t at;
  double weight;
} Tap;

/* Tap t of index i along axis number k. */
static Tap tap_of(const Node *n, int k, int64_t i, int64_t t) {
  if (k >= n->p.resample.axes) return (Tap){0, 1};
  if (n->p.resample.repeat[k]) return (Tap){i / n->p.resample.repeat[k], 1};
  int64_t at = i * resample_taps(n, k) + t;
  const Value *w = resample_weight(n, k);
  return (Tap){((const int32_t *)resample_index(n, k)->data)[at], w ? get_number(w->type, w->data, at).f : 1};
}

static double blend(const Node *n, const void *x, int64_t rest, const int64_t *stride, const int64_t *index) {
  double sum = 0;
  int64_t taps[2] = {resample_taps(n, 0), n->p.resample.axes > 1 ? resample_taps(n, 1) : 1};
  for (int64_t s = 0; s < taps[0]; s++) {
    Tap a = tap_of(n, 0, index[0], s);
    double line = 0;
    for (int64_t t = 0; t < taps[1]; t++) {
      Tap b = tap_of(n, 1, index[1], t);
      line += b.weight * get_number(n->in[0]->type, x, rest + a.at * stride[0] + b.at * stride[1]).f;
    }
    sum += a.weight * line;
  }
  return sum;
}

void eval_resample(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const struct Resampling *r = &n->p.resample;
  Type type = n->in[0]->type;
  bool weighted = resample_weight(n, 0) || (r->axes > 1 && resample_weight(n, 1));
  int64_t dense[MAX_RANK], stride[2] = {0}, index[2] = {0}, count = shape_count(&n->out[0]->shape);
  dense_strides(&n->in[0]->shape, dense);
  Cursor c = {.shape = &n->out[0]->shape};
  for (int k = 0; k < n->in[0]->shape.rank; k++) c.stride[k] = dense[k];
  for (int i = 0; i < r->axes; i++) {
    stride[i] = dense[r->axis[i]];
    c.stride[r->axis[i]] = 0;
  }
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) {
    for (int k = 0; k < r->axes; k++) index[k] = c.index[r->axis[k]];
    int64_t first = tap_of(n, 0, index[0], 0).at, second = tap_of(n, 1, index[1], 0).at;
    if (first < 0 || second < 0)
      put_number(type, out[0], i, convert_number(T_F32, type, (Number){.f = (double)n->p.beta}));
    else if (weighted) put_number(type, out[0], i, (Number){.f = blend(n, in[0], c.at, stride, index)});
    else copy_element(out[0], i, in[0], c.at + first * stride[0] + second * stride[1], type_size(type));
  }
}
