/* conv.c: convolutions. */
#include "ops.h"

#include <string.h>

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

static Shape conv_shape(Graph *g, Node *n) {
  check_rank(g, n, 0, 3, 4);
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape;
  check_rank(g, n, 1, x->rank, x->rank);
  check_conv_channels(g, n);
  int spatial = x->rank - 2;
  WindowAxis axis[MAX_SPATIAL];
  int64_t kernel[MAX_SPATIAL];
  memcpy(kernel, w->d + 2, sizeof kernel);
  ints_attr(g, n, "kernel_shape", spatial, kernel);
  read_window(g, n, spatial, axis);
  for (int i = 0; i < spatial; i++) {
    axis[i].kernel = w->d[2 + i];
    if (kernel[i] != w->d[2 + i]) fail_at(g, n, "kernel_shape contradicts the weights' shape");
  }
  Shape out = {.rank = 2, .d = {x->d[0], w->d[0]}};
  slide_window(g, n, spatial, axis, false, &out);
  return out;
}

void infer_conv(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  Shape out = conv_shape(g, n);
  if (has_input(n, 2)) {
    check_same_type(g, n, 2);
    check_per_channel(g, n, 2, out.d[1]);
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* A zero point: of input i's type, and one number, or for weights one for each output channel. */
static void check_zero_point(Graph *g, const Node *n, int i, int64_t channels) {
  const Shape *s = &n->in[i]->shape;
  if (n->in[i]->type != n->in[i - 2]->type) fail_at(g, n, "input %d is %s, not %s", i, type_name(n->in[i]->type), type_name(n->in[i - 2]->type));
  if (shape_count(s) != 1 && (i == 2 || s->rank != 1 || s->d[0] != channels))
    fail_at(g, n, "input %d of shape %s is no zero point", i, shape_text(g->cx, s));
}

void infer_conv_integer(Graph *g, Node *n) {
  Type w = n->in[1]->type;
  if (w != T_U8 && w != T_I8) fail_at(g, n, "weights of type %s are not supported here", type_name(w));
  Shape out = conv_shape(g, n);
  for (int i = 2; i < 4; i++)
    if (has_input(n, i)) check_zero_point(g, n, i, out.d[1]);
  set_output(g, n, 0, T_I32, &out);
}

/* ---- evaluation ---- */

/* acc[o] += w x[o stride + from] for all o at which that lies in the row of `size` elements. */
static void conv_row(double *acc, int64_t count, double w, const float *x, int64_t size, int64_t stride,
                     int64_t from) {
  int64_t o = from < 0 ? (-from + stride - 1) / stride : 0;
  for (; o < count && o * stride + from < size; o++) acc[o] += w * x[o * stride + from];
}

/* One input channel's part in one output channel. */
static void conv_channel(const Window *k, const Volume *in, const Volume *out, const float *x, const float *w,
                         double *acc) {
  for (int64_t ky = 0; ky < k->kh; ky++)
    for (int64_t oy = 0; oy < out->h; oy++) {
      int64_t iy = oy * k->sh - k->top + ky * k->dh;
      if (iy < 0 || iy >= in->h) continue;
      for (int64_t kx = 0; kx < k->kw; kx++)
        conv_row(acc + oy * out->w, out->w, w[ky * k->kw + kx], x + iy * in->w, in->w, k->sw,
                 kx * k->dw - k->left);
    }
}

void eval_conv(Graph *g, const Node *n, const void *const *in, void **out) {
  Volume vx = volume_of(&n->in[0]->shape), vy = volume_of(&n->out[0]->shape);
  const float *x = f32_elements(g, n->in[0], in[0]), *w = f32_elements(g, n->in[1], in[1]);
  const float *bias = has_input(n, 2) ? f32_elements(g, n->in[2], in[2]) : NULL;
  int64_t group_in = vx.c / n->group, group_out = vy.c / n->group;
  int64_t map_in = vx.h * vx.w, map_out = vy.h * vy.w, kernel = n->win.kh * n->win.kw;
  double *acc = alloc_n(g->cx, (size_t)map_out, sizeof *acc);
  int64_t y = 0;
  for (int64_t i = 0; i < vy.n; i++)
    for (int64_t o = 0; o < vy.c; o++, y += map_out) {
      for (int64_t p = 0; p < map_out; p++) acc[p] = bias ? bias[o] : 0;
      for (int64_t c = 0; c < group_in; c++)
        conv_channel(&n->win, &vx, &vy, x + (i * vx.c + o / group_out * group_in + c) * map_in,
                     w + (o * group_in + c) * kernel, acc);
      for (int64_t p = 0; p < map_out; p++) put_number(n->out[0]->type, out[0], y + p, (Number){.f = acc[p]});
    }
}

/* ---- integers ---- */

typedef struct IntConv {
  const Node *n;
  const void *const *in;
  Volume x, y;
} IntConv;

/* Element i of an operand as it counts: less its zero point, which is number c of as many as there are. */
static int64_t centred(const IntConv *k, int operand, int64_t i, int64_t c) {
  const Node *n = k->n;
  int64_t q = get_number(n->in[operand]->type, k->in[operand], i).i;
  if (!has_input(n, operand + 2)) return q;
  const Value *z = n->in[operand + 2];
  return q - get_number(z->type, k->in[operand + 2], shape_count(&z->shape) > 1 ? c : 0).i;
}

/* Output channel o at (oy, ox) of an image; padding counts as the zero point, so as nothing. */
static int32_t int_sum(const IntConv *k, int64_t image, int64_t o, int64_t oy, int64_t ox) {
  const Window *w = &k->n->win;
  int64_t group_in = k->x.c / k->n->group, first = o / (k->y.c / k->n->group) * group_in;
  uint32_t sum = 0;
  for (int64_t c = 0; c < group_in; c++)
    for (int64_t ky = 0; ky < w->kh; ky++)
      for (int64_t kx = 0; kx < w->kw; kx++) {
        int64_t iy = oy * w->sh - w->top + ky * w->dh, ix = ox * w->sw - w->left + kx * w->dw;
        if (iy < 0 || iy >= k->x.h || ix < 0 || ix >= k->x.w) continue;
        int64_t x = ((image * k->x.c + first + c) * k->x.h + iy) * k->x.w + ix;
        sum += (uint32_t)(centred(k, 0, x, 0) * centred(k, 1, ((o * group_in + c) * w->kh + ky) * w->kw + kx, o));
      }
  return (int32_t)sum;
}

void eval_conv_integer(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  IntConv k = {n, in, volume_of(&n->in[0]->shape), volume_of(&n->out[0]->shape)};
  int32_t *y = out[0];
  for (int64_t i = 0; i < k.y.n; i++)
    for (int64_t o = 0; o < k.y.c; o++)
      for (int64_t oy = 0; oy < k.y.h; oy++)
        for (int64_t ox = 0; ox < k.y.w; ox++) *y++ = int_sum(&k, i, o, oy, ox);
}
