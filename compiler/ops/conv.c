/* conv.c: convolutions. */
#include "ops.h"

static void check_conv_channels(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape;
  int64_t group = read_group(g, n), channels;
  if (!mul_size(w->d[1], group, &channels) || channels != x->d[1])
    fail_at(g, n, "%lld input channels, but weights for %lld groups of %lld", (long long)x->d[1],
            (long long)group, (long long)w->d[1]);
  if (w->d[0] < 1 || w->d[0] % group)
    fail_at(g, n, "%lld output channels do not divide into %lld groups", (long long)w->d[0],
            (long long)group);
}

static Shape conv_shape(Graph *g, Node *n) {
  check_rank(g, n, 0, 3, 5);
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape;
  check_rank(g, n, 1, x->rank, x->rank);
  check_conv_channels(g, n);
  WindowAxis axis[MAX_SPATIAL];
  read_kernel(g, n, axis);
  Shape out = {.rank = 2, .d = {x->d[0], w->d[0]}};
  slide_window(g, n, x->rank - 2, axis, false, &out);
  return out;
}

void infer_conv(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  Shape out = conv_shape(g, n);
  check_bias(g, n, out.d[1]);
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
  if (has_input(n, 2) && n->in[2]->data) n->win.fill = (uint8_t)get_number(n->in[2]->type, n->in[2]->data, 0).i;
  set_output(g, n, 0, T_I32, &out);
}

/* ---- evaluation ---- */

/* acc[o] += w x[o stride + from] for all o at which that lies in the row of `size` elements. */
static void conv_row(double *acc, int64_t count, double w, Elements x, int64_t size, int64_t stride, int64_t from) {
  int64_t o = from < 0 ? (-from + stride - 1) / stride : 0;
  for (; o < count && o * stride + from < size; o++) acc[o] += w * real_element(x, o * stride + from);
}

/* One tap's part in one output channel: the tap (kd, kh, kw) of weight w, of the input channel whose map is x. */
static void conv_tap(const Window *k, const Volume *in, const Volume *out, Elements x, const int64_t *tap, double w, double *acc) {
  for (int64_t z = 0; z < out->d; z++) {
    for (int64_t y = 0; y < out->h; y++, acc += out->w) {
      int64_t iz = z * k->sd - k->front + tap[0] * k->dd, iy = y * k->sh - k->top + tap[1] * k->dh;
      if (iz < 0 || iz >= in->d || iy < 0 || iy >= in->h) continue;
      conv_row(acc, out->w, w, elements_from(x, (iz * in->h + iy) * in->w), in->w, k->sw, tap[2] * k->dw - k->left);
    }
  }
}

/* One input channel's part in one output channel. */
static void conv_channel(const Window *k, const Volume *in, const Volume *out, Elements x, Elements w, double *acc) {
  for (int64_t i = 0; i < taps_of_window(k); i++) {
    const int64_t tap[] = {i / k->kw / k->kh, i / k->kw % k->kh, i % k->kw};
    conv_tap(k, in, out, x, tap, real_element(w, i), acc);
  }
}

void eval_conv(Graph *g, const Node *n, const void *const *in, void **out) {
  Volume vx = volume_of(&n->in[0]->shape), vy = volume_of(&n->out[0]->shape);
  Elements x = real_elements(g, n->in[0], in[0]), w = real_elements(g, n->in[1], in[1]), bias = {0};
  if (has_input(n, 2)) bias = real_elements(g, n->in[2], in[2]);
  int64_t group_in = vx.c / n->group, group_out = vy.c / n->group;
  int64_t map_in = vx.d * vx.h * vx.w, map_out = vy.d * vy.h * vy.w, kernel = taps_of_window(&n->win);
  double *acc = alloc_n(g->cx, (size_t)map_out, sizeof *acc);
  int64_t y = 0;
  for (int64_t i = 0; i < vy.n; i++)
    for (int64_t o = 0; o < vy.c; o++, y += map_out) {
      for (int64_t p = 0; p < map_out; p++) acc[p] = has_input(n, 2) ? real_element(bias, o) : 0;
      for (int64_t c = 0; c < group_in; c++)
        conv_channel(&n->win, &vx, &vy, elements_from(x, (i * vx.c + o / group_out * group_in + c) * map_in),
                     elements_from(w, (o * group_in + c) * kernel), acc);
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

/* Output channel o at (oz, oy, ox) of an image; padding counts as the zero point, so as nothing. */
static int32_t int_sum(const IntConv *k, int64_t image, int64_t o, int64_t oz, int64_t oy, int64_t ox) {
  const Window *w = &k->n->win;
  int64_t taps = taps_of_window(w);
  int64_t group_in = k->x.c / k->n->group, first = o / (k->y.c / k->n->group) * group_in;
  uint32_t sum = 0;
  for (int64_t c = 0; c < group_in; c++)
    for (int64_t i = 0; i < taps; i++) {
      int64_t iz = oz * w->sd - w->front + i / w->kw / w->kh * w->dd, iy = oy * w->sh - w->top + i / w->kw % w->kh * w->dh;
      int64_t ix = ox * w->sw - w->left + i % w->kw * w->dw;
      if (iz < 0 || iz >= k->x.d || iy < 0 || iy >= k->x.h || ix < 0 || ix >= k->x.w) continue;
      int64_t x = (((image * k->x.c + first + c) * k->x.d + iz) * k->x.h + iy) * k->x.w + ix;
      sum += (uint32_t)(centred(k, 0, x, 0) * centred(k, 1, (o * group_in + c) * taps + i, o));
    }
  return (int32_t)sum;
}

void eval_conv_integer(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  IntConv k = {n, in, volume_of(&n->in[0]->shape), volume_of(&n->out[0]->shape)};
  int32_t *y = out[0];
  for (int64_t i = 0; i < k.y.n; i++)
    for (int64_t o = 0; o < k.y.c; o++)
      for (int64_t oz = 0; oz < k.y.d; oz++)
        for (int64_t oy = 0; oy < k.y.h; oy++)
          for (int64_t ox = 0; ox < k.y.w; ox++) *y++ = int_sum(&k, i, o, oz, oy, ox);
}
