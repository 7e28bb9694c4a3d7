/* conv_transpose.c: transposed convolutions: every element of the input adds its products with a window of
 * weights to the result. */
#include "ops.h"

static void check_channels(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape;
  int64_t group = read_group(g, n), outputs;
  if (w->d[0] != x->d[1])
    fail_at(g, n, "%lld input channels, but weights for %lld", (long long)x->d[1], (long long)w->d[0]);
  if (x->d[1] % group)
    fail_at(g, n, "%lld input channels do not divide into %lld groups", (long long)x->d[1], (long long)group);
  if (w->d[1] < 1 || !mul_size(w->d[1], group, &outputs))
    fail_at(g, n, "%lld output channels a group", (long long)w->d[1]);
}

void infer_conv_transpose(Graph *g, Node *n) {
  check_same_type(g, n, 1);
  check_rank(g, n, 0, 3, 5);
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape;
  check_rank(g, n, 1, x->rank, x->rank);
  check_channels(g, n);
  WindowAxis axis[MAX_SPATIAL];
  read_kernel(g, n, axis);
  Shape out = {.rank = 2, .d = {x->d[0], w->d[1] * n->group}};
  spread_window(g, n, x->rank - 2, axis, &out);
  check_bias(g, n, out.d[1]);
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- evaluation ---- */

/* Adds one element's product with the weight of tap number k, where that meets the map. */
static void spread_tap(const Window *w, const Volume *out, const int64_t *at, int64_t k, double product,
                       double *acc) {
  int64_t z = at[0] * w->sd - w->front + k / w->kw / w->kh * w->dd;
  int64_t y = at[1] * w->sh - w->top + k / w->kw % w->kh * w->dh;
  int64_t x = at[2] * w->sw - w->left + k % w->kw * w->dw;
  bool inside = z >= 0 && z < out->d && y >= 0 && y < out->h && x >= 0 && x < out->w;
  if (inside) acc[(z * out->h + y) * out->w + x] += product;
}

/* One input channel's part in one output channel. */
static void spread_channel(const Window *k, const Volume *in, const Volume *out, Elements x, Elements w,
                           double *acc) {
  for (int64_t i = 0; i < in->d * in->h * in->w; i++) {
    const int64_t at[] = {i / in->w / in->h, i / in->w % in->h, i % in->w};
    for (int64_t t = 0; t < taps_of_window(k); t++)
      spread_tap(k, out, at, t, real_element(x, i) * real_element(w, t), acc);
  }
}

void eval_conv_transpose(Graph *g, const Node *n, const void *const *in, void **out) {
  Volume vx = volume_of(&n->in[0]->shape), vy = volume_of(&n->out[0]->shape);
  Elements x = real_elements(g, n->in[0], in[0]), w = real_elements(g, n->in[1], in[1]), bias = {0};
  if (has_input(n, 2)) bias = real_elements(g, n->in[2], in[2]);
  int64_t group_in = vx.c / n->group, group_out = vy.c / n->group;
  int64_t map_in = vx.d * vx.h * vx.w, map_out = vy.d * vy.h * vy.w;
  int64_t kernel = taps_of_window(&n->win);
  double *acc = alloc_n(g->cx, (size_t)map_out + 1, sizeof *acc);
  int64_t y = 0;
  for (int64_t i = 0; i < vy.n; i++)
    for (int64_t o = 0; o < vy.c; o++, y += map_out) {
      for (int64_t p = 0; p < map_out; p++) acc[p] = has_input(n, 2) ? real_element(bias, o) : 0;
      for (int64_t c = o / group_out * group_in, end = c + group_in; c < end; c++)
        spread_channel(&n->win, &vx, &vy, elements_from(x, (i * vx.c + c) * map_in),
                       elements_from(w, (c * group_out + o % group_out) * kernel), acc);
      for (int64_t p = 0; p < map_out; p++) put_number(n->out[0]->type, out[0], y + p, (Number){.f = acc[p]});
    }
}
