/* infer_nn.c: shapes of convolutions, pools, batch normalisation and matrix products. */
#include "ops.h"

#include <string.h>

/* ---- windows ---- */

enum { MAX_SPATIAL = 3 };

/* A window along one axis; the defaults of the attributes. */
typedef struct Axis {
  int64_t size, kernel, stride, dilation, lo, hi;
} Axis;
static const Axis unit_axis = {.size = 1, .kernel = 1, .stride = 1, .dilation = 1};

typedef enum AutoPad { AUTO_NOTSET, AUTO_VALID, AUTO_SAME_UPPER, AUTO_SAME_LOWER } AutoPad;

static AutoPad auto_pad(Graph *g, const Node *n) {
  static const char *const name[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
  const char *s = attr_string(n, "auto_pad", "NOTSET");
  for (size_t i = 0; i < COUNT(name); i++)
    if (strcmp(s, name[i]) == 0) return (AutoPad)i;
  fail_at(g, n, "auto_pad \"%s\" is not known", s);
}

static void check_range(Graph *g, const Node *n, const char *what, int64_t v, int64_t min, int64_t max) {
  if (v < min || v > max) fail_at(g, n, "%s %lld is out of range", what, (long long)v);
}

/* Places of a window are sums of two sizes, two paddings and one product, which these bounds keep below 2^63. Padding is as
 * large as auto_pad may make it. */
static void check_window(Graph *g, const Node *n, const Axis *a) {
  enum { MOST = INT32_MAX };
  check_range(g, n, "kernel size", a->kernel, 1, MOST);
  check_range(g, n, "stride", a->stride, 1, MOST);
  check_range(g, n, "dilation", a->dilation, 1, MOST);
  check_range(g, n, "padding", a->lo, 0, INT64_C(1) << 61);
  check_range(g, n, "padding", a->hi, 0, INT64_C(1) << 61);
  check_range(g, n, "spatial size", a->size, 0, MOST_MEMORY);
}

/* Sets the padding that auto_pad asks for and returns the number of windows (ONNX, operators Conv and
 * MaxPool). With ceil_mode a last window that is cut off counts too, if it starts before the padding
 * behind the input. */
static int64_t resolve_axis(Graph *g, const Node *n, Axis *a, AutoPad mode, bool ceil_mode) {
  check_window(g, n, a);
  if (a->kernel == 1) a->dilation = 1; /* of which there is nothing to see */
  int64_t extent = (a->kernel - 1) * a->dilation + 1;
  if (mode != AUTO_NOTSET) a->lo = a->hi = 0;
  if (mode == AUTO_SAME_UPPER || mode == AUTO_SAME_LOWER) {
    int64_t count = (a->size + a->stride - 1) / a->stride;
    int64_t total = (count - 1) * a->stride + extent - a->size;
    if (total < 0) total = 0;
    a->lo = mode == AUTO_SAME_UPPER ? total / 2 : total - total / 2;
    a->hi = total - a->lo;
  }
  int64_t room = a->size + a->lo + a->hi - extent;
  if (room < 0)
    fail_at(g, n, "a window of %lld elements does not fit into %lld padded ones", (long long)extent,
            (long long)(room + extent));
  int64_t count = room / a->stride + 1;
  if (ceil_mode && room % a->stride && count * a->stride < a->size + a->lo) count++;
  return count;
}

static void read_axes(Graph *g, const Node *n, int spatial, Axis *axis) {
  int64_t stride[MAX_SPATIAL] = {1, 1, 1}, dilation[MAX_SPATIAL] = {1, 1, 1}, pad[2 * MAX_SPATIAL] = {0};
  ints_attr(g, n, "strides", spatial, stride);
  ints_attr(g, n, "dilations", spatial, dilation);
  ints_attr(g, n, "pads", 2 * spatial, pad);
  for (int i = 0; i < spatial; i++) {
    check_number(g, n, 0, 2 + i);
    axis[i] = (Axis){.size = n->in[0]->shape.d[2 + i], .stride = stride[i], .dilation = dilation[i],
                     .lo = pad[i], .hi = pad[spatial + i]};
  }
}

/* Explicit padding takes the place of auto_pad, so that passes find and change it in one attribute. */
static void set_padding(Graph *g, Node *n, int spatial, const Axis *axis) {
  int64_t pad[2 * MAX_SPATIAL];
  for (int i = 0; i < spatial; i++) {
    pad[i] = axis[i].lo;
    pad[spatial + i] = axis[i].hi;
  }
  attr_set_ints(g, n, "pads", 2 * spatial, pad);
  attr_remove(n, "auto_pad");
}

static void set_window(Node *n, int spatial, const Axis *axis) {
  const Axis *w = spatial > 0 ? &axis[spatial - 1] : &unit_axis;
  const Axis *h = spatial > 1 ? &axis[spatial - 2] : &unit_axis;
  const Axis *d = spatial > 2 ? &axis[spatial - 3] : &unit_axis;
  n->win = (Window){
    .kh = h->kernel, .kw = w->kernel, .sh = h->stride, .sw = w->stride, .dh = h->dilation, .dw = w->dilation,
    .top = h->lo, .left = w->lo, .bottom = h->hi, .right = w->hi,
    .kd = d->kernel, .sd = d->stride, .dd = d->dilation, .front = d->lo, .back = d->hi,
  };
}

/* The output's spatial sizes behind the two dimensions it already has. */
static void slide_window(Graph *g, Node *n, int spatial, Axis *axis, bool ceil_mode, Shape *out) {
  AutoPad mode = auto_pad(g, n);
  for (int i = 0; i < spatial; i++) out->d[out->rank++] = resolve_axis(g, n, &axis[i], mode, ceil_mode);
  if (mode != AUTO_NOTSET) set_padding(g, n, spatial, axis);
  set_window(n, spatial, axis);
}

/* ---- Conv ---- */

static void check_conv_channels(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape;
  int64_t group = attr_int(n, "group", 1);
  check_range(g, n, "group", group, 1, INT32_MAX);
  for (int i = 0; i < w->rank; i++) check_number(g, n, 1, i);
  check_number(g, n, 0, 1);
  int64_t channels;
  if (!mul_size(w->d[1], group, &channels) || channels != x->d[1])
    fail_at(g, n, "%lld input channels, but weights for %lld groups of %lld", (long long)x->d[1],
            (long long)group, (long long)w->d[1]);
  if (w->d[0] < 1 || w->d[0] % group)
    fail_at(g, n, "%lld output channels do not divide into %lld groups", (long long)w->d[0],
            (long long)group);
  n->group = (int)group;
}

static void check_bias(Graph *g, const Node *n, int i, int64_t channels) {
  check_same_type(g, n, i);
  const Shape *s = &n->in[i]->shape;
  if (s->rank != 1 || s->d[0] != channels)
    fail_at(g, n, "input %d must have shape [%lld], not %s", i, (long long)channels, shape_text(g->cx, s));
}

void infer_conv(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  check_rank(g, n, 0, 3, 4);
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape;
  check_rank(g, n, 1, x->rank, x->rank);
  check_conv_channels(g, n);
  if (has_input(n, 2)) check_bias(g, n, 2, w->d[0]);
  int spatial = x->rank - 2;
  Axis axis[MAX_SPATIAL];
  int64_t kernel[MAX_SPATIAL];
  memcpy(kernel, w->d + 2, sizeof kernel);
  ints_attr(g, n, "kernel_shape", spatial, kernel);
  read_axes(g, n, spatial, axis);
  for (int i = 0; i < spatial; i++) {
    axis[i].kernel = w->d[2 + i];
    if (kernel[i] != w->d[2 + i]) fail_at(g, n, "kernel_shape contradicts the weights' shape");
  }
  Shape out = {.rank = 2, .d = {x->d[0], w->d[0]}};
  slide_window(g, n, spatial, axis, false, &out);
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- pools ---- */

/* A window in nothing but padding would have no maximum and no mean. Padding smaller than the window excludes
 * it, unless the input is so small that it fits between two elements of a dilated window. */
static void check_pool_padding(Graph *g, const Node *n, const Axis *a) {
  int64_t extent = (a->kernel - 1) * a->dilation + 1;
  if (a->lo >= extent || a->hi >= extent)
    fail_at(g, n, "padding must be smaller than the window of %lld elements", (long long)extent);
  if (a->kernel > 1 && a->size < a->dilation)
    fail_at(g, n, "a window with dilation %lld may miss an axis of %lld elements", (long long)a->dilation,
            (long long)a->size);
}

void infer_pool(Graph *g, Node *n) {
  check_rank(g, n, 0, 3, 2 + MAX_SPATIAL);
  const Shape *x = &n->in[0]->shape;
  int spatial = x->rank - 2;
  Axis axis[MAX_SPATIAL];
  int64_t kernel[MAX_SPATIAL];
  if (!attr_find(n, "kernel_shape")) fail_at(g, n, "attribute kernel_shape is missing");
  ints_attr(g, n, "kernel_shape", spatial, kernel);
  read_axes(g, n, spatial, axis);
  for (int i = 0; i < spatial; i++) axis[i].kernel = kernel[i];
  Shape out = {.rank = 2, .d = {x->d[0], x->d[1]}};
  slide_window(g, n, spatial, axis, attr_int(n, "ceil_mode", 0) != 0, &out);
  for (int i = 0; i < spatial; i++) check_pool_padding(g, n, &axis[i]);
  set_output(g, n, 0, n->in[0]->type, &out);
  set_output(g, n, 1, T_I64, &out);
}

void infer_global_pool(Graph *g, Node *n) {
  check_rank(g, n, 0, 2, MAX_RANK);
  Shape out = n->in[0]->shape;
  for (int i = 2; i < out.rank; i++) {
    check_number(g, n, 0, i);
    if (out.d[i] == 0) fail_at(g, n, "axis %d has no elements", i);
    out.d[i] = 1;
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- BatchNormalization ---- */

void infer_batch_norm(Graph *g, Node *n) {
  check_rank(g, n, 0, 1, MAX_RANK);
  bool training = attr_int(n, "training_mode", 0) != 0;
  for (int i = 1; i < n->n_out; i++) training = training || n->out[i];
  if (training) fail_at(g, n, "batch normalization in training mode is not supported");
  const Shape *x = &n->in[0]->shape;
  if (x->rank > 1) check_number(g, n, 0, 1);
  for (int i = 1; i < 5; i++) check_bias(g, n, i, x->rank > 1 ? x->d[1] : 1);
  set_output(g, n, 0, n->in[0]->type, x);
}

/* ---- matrix products ---- */

void infer_gemm(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  check_rank(g, n, 0, 2, 2);
  check_rank(g, n, 1, 2, 2);
  int ta = attr_int(n, "transA", 0) != 0, tb = attr_int(n, "transB", 0) != 0;
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
