/* window.c: the windows that convolutions and pools slide over a map. */
#include "ops.h"

#include <string.h>

static const WindowAxis unit_axis = {.size = 1, .kernel = 1, .stride = 1, .dilation = 1};

typedef enum AutoPad { AUTO_NOTSET, AUTO_VALID, AUTO_SAME_UPPER, AUTO_SAME_LOWER } AutoPad;

static AutoPad auto_pad(Graph *g, const Node *n) {
  static const char *const name[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
  return (AutoPad)choice_attr(g, n, "auto_pad", name, COUNT(name));
}

/* Places of a window are sums of two sizes, two paddings and one product, which these bounds keep below 2^63. Padding is as
 * large as auto_pad may make it. */
static void check_window(Graph *g, const Node *n, const WindowAxis *a) {
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
static int64_t resolve_axis(Graph *g, const Node *n, WindowAxis *a, AutoPad mode, bool ceil_mode) {
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

void read_window(Graph *g, const Node *n, int spatial, WindowAxis *axis) {
  int64_t stride[MAX_SPATIAL] = {1, 1, 1}, dilation[MAX_SPATIAL] = {1, 1, 1}, pad[2 * MAX_SPATIAL] = {0};
  ints_attr(g, n, "strides", spatial, stride);
  ints_attr(g, n, "dilations", spatial, dilation);
  ints_attr(g, n, "pads", 2 * spatial, pad);
  for (int i = 0; i < spatial; i++) {
    check_number(g, n, 0, 2 + i);
    axis[i] = (WindowAxis){.size = n->in[0]->shape.d[2 + i], .stride = stride[i], .dilation = dilation[i],
                     .lo = pad[i], .hi = pad[spatial + i]};
  }
}

int64_t read_group(Graph *g, Node *n) {
  int64_t group = attr_int(n, "group", 1);
  check_range(g, n, "group", group, 1, INT32_MAX);
  for (int i = 0; i < n->in[1]->shape.rank; i++) check_number(g, n, 1, i);
  check_number(g, n, 0, 1);
  n->group = (int)group;
  return group;
}

void check_bias(Graph *g, const Node *n, int64_t channels) {
  if (!has_input(n, 2)) return;
  check_same_type(g, n, 2);
  check_per_channel(g, n, 2, channels);
}

void read_kernel(Graph *g, const Node *n, WindowAxis *axis) {
  const Shape *w = &n->in[1]->shape;
  int spatial = w->rank - 2;
  int64_t kernel[MAX_SPATIAL];
  memcpy(kernel, w->d + 2, sizeof kernel);
  ints_attr(g, n, "kernel_shape", spatial, kernel);
  read_window(g, n, spatial, axis);
  for (int i = 0; i < spatial; i++) {
    axis[i].kernel = w->d[2 + i];
    if (kernel[i] != w->d[2 + i]) fail_at(g, n, "kernel_shape contradicts the weights' shape");
  }
}

/* Explicit padding takes the place of auto_pad, so that passes find and change it in one attribute. */
static void set_padding(Graph *g, Node *n, int spatial, const WindowAxis *axis) {
  int64_t pad[2 * MAX_SPATIAL];
  for (int i = 0; i < spatial; i++) {
    pad[i] = axis[i].lo;
    pad[spatial + i] = axis[i].hi;
  }
  attr_set_ints(g, n, "pads", 2 * spatial, pad);
  attr_remove(n, "auto_pad");
}

static void set_window(Node *n, int spatial, const WindowAxis *axis) {
  const WindowAxis *w = spatial > 0 ? &axis[spatial - 1] : &unit_axis;
  const WindowAxis *h = spatial > 1 ? &axis[spatial - 2] : &unit_axis;
  const WindowAxis *d = spatial > 2 ? &axis[spatial - 3] : &unit_axis;
  n->win = (Window){
    .kh = h->kernel, .kw = w->kernel, .sh = h->stride, .sw = w->stride, .dh = h->dilation, .dw = w->dilation,
    .top = h->lo, .left = w->lo, .bottom = h->hi, .right = w->hi,
    .kd = d->kernel, .sd = d->stride, .dd = d->dilation, .front = d->lo, .back = d->hi,
  };
}

void slide_window(Graph *g, Node *n, int spatial, WindowAxis *axis, bool ceil_mode, Shape *out) {
  AutoPad mode = auto_pad(g, n);
  for (int i = 0; i < spatial; i++) out->d[out->rank++] = resolve_axis(g, n, &axis[i], mode, ceil_mode);
  if (mode != AUTO_NOTSET) set_padding(g, n, spatial, axis);
  set_window(n, spatial, axis);
}

/* How the result of ConvTranspose ends: rows more than its windows reach, and its size, -1 where that follows. */
typedef struct Spread { int64_t more, size; } Spread;

/* ONNX, ConvTranspose: what is too much of a result whose size is given is cut off on both sides; where it is too little, it ends
 * with rows that no window reaches. */
static int64_t fit_result(WindowAxis *a, AutoPad mode, int64_t full, Spread *s) {
  int64_t total = size_max(full - s->size, 0);
  a->lo = mode == AUTO_SAME_UPPER ? total / 2 : total - total / 2;
  a->hi = total - a->lo;
  s->more += s->size - (full - total);
  return s->size;
}

/* The size of the result; s->more becomes what leads to it with the padding that is set. */
static int64_t spread_axis(Graph *g, const Node *n, WindowAxis *a, AutoPad mode, Spread *s) {
  check_window(g, n, a);
  check_range(g, n, "output padding", s->more, 0, INT32_MAX);
  if (a->kernel == 1) a->dilation = 1;
  int64_t extent = (a->kernel - 1) * a->dilation + 1;
  int64_t full = size_add(s->more, a->size ? size_add(size_mul(a->size - 1, a->stride), extent) : 0);
  if (full > INT64_C(1) << 61) fail_at(g, n, "the result is larger than the memory limit");
  if (mode != AUTO_NOTSET) a->lo = a->hi = 0;
  if (s->size < 0 && (mode == AUTO_SAME_UPPER || mode == AUTO_SAME_LOWER)) s->size = size_mul(a->size, a->stride);
  if (s->size >= 0) return fit_result(a, mode, full, s);
  int64_t count = full - a->lo - a->hi;
  if (count < 0) fail_at(g, n, "padding of %lld elements leaves nothing of %lld", (long long)(full - count), (long long)full);
  return count;
}

/* Older models give all sizes of the result, others those behind the channels. */
static void read_spread(Graph *g, const Node *n, int spatial, Spread *s) {
  int64_t more[MAX_SPATIAL] = {0};
  ints_attr(g, n, "output_padding", spatial, more);
  const Attr *a = attr_find(n, "output_shape");
  bool given = a && a->kind == A_INTS && a->n > 0, all = given && a->n == spatial + 2;
  if (given && a->n != spatial && !all) fail_at(g, n, "attribute output_shape must be %d integers", spatial);
  for (int i = 0; i < spatial; i++) {
    s[i] = (Spread){more[i], given ? a->ints[all ? i + 2 : i] : -1};
    if (given) check_range(g, n, "output_shape", s[i].size, 0, MOST_MEMORY);
  }
}

void spread_window(Graph *g, Node *n, int spatial, WindowAxis *axis, Shape *out) {
  AutoPad mode = auto_pad(g, n);
  Spread s[MAX_SPATIAL];
  int64_t more[MAX_SPATIAL];
  read_spread(g, n, spatial, s);
  for (int i = 0; i < spatial; i++) {
    out->d[out->rank++] = spread_axis(g, n, &axis[i], mode, &s[i]);
    more[i] = s[i].more;
  }
  if (mode != AUTO_NOTSET || attr_find(n, "output_shape")) {
    set_padding(g, n, spatial, axis);
    attr_set_ints(g, n, "output_padding", spatial, more);
    attr_remove(n, "output_shape");
  }
  set_window(n, spatial, axis);
}

Volume volume_of(const Shape *s) {
  Volume v = {.n = s->d[0], .c = s->d[1], .d = 1, .h = 1, .w = 1};
  if (s->rank > 2) v.w = s->d[s->rank - 1];
  if (s->rank > 3) v.h = s->d[s->rank - 2];
  if (s->rank > 4) v.d = s->d[s->rank - 3];
  return v;
}
