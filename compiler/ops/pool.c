/* pool.c: pools. */
#include "ops.h"

#include <math.h>

/* A window in nothing but padding would have no maximum and no mean. Padding smaller than the window excludes
 * it, unless the input is so small that it fits between two elements of a dilated window. */
static void check_pool_padding(Graph *g, const Node *n, const WindowAxis *a) {
  int64_t extent = (a->kernel - 1) * a->dilation + 1;
  if (a->lo >= extent || a->hi >= extent)
    fail_at(g, n, "padding must be smaller than the window of %lld elements", (long long)extent);
  if (a->kernel > 1 && a->size < a->dilation)
    fail_at(g, n, "a window with dilation %lld may miss an axis of %lld elements", (long long)a->dilation,
            (long long)a->size);
}

/* The exponent of LpPool and GlobalLpPool. */
static void set_power(Graph *g, Node *n) {
  if (!is_lp_pool(n)) return;
  int64_t power = attr_int(n, "p", 2);
  check_range(g, n, "p", power, 1, INT32_MAX);
  n->p.power = (int)power;
}

void infer_pool(Graph *g, Node *n) {
  set_power(g, n);
  check_rank(g, n, 0, 3, 2 + MAX_SPATIAL);
  const Shape *x = &n->in[0]->shape;
  int spatial = x->rank - 2;
  WindowAxis axis[MAX_SPATIAL];
  int64_t kernel[MAX_SPATIAL];
  if (!attr_find(n, "kernel_shape")) fail_at(g, n, "attribute kernel_shape is missing");
  ints_attr(g, n, "kernel_shape", spatial, kernel);
  read_window(g, n, spatial, axis);
  for (int i = 0; i < spatial; i++) axis[i].kernel = kernel[i];
  Shape out = {.rank = 2, .d = {x->d[0], x->d[1]}};
  n->p.ceil = attr_int(n, "ceil_mode", 0) != 0;
  n->p.count_pad = n->op == OP_AveragePool && attr_int(n, "count_include_pad", 0) != 0;
  n->p.by_column = n->op == OP_MaxPool && attr_int(n, "storage_order", 0) != 0;
  slide_window(g, n, spatial, axis, n->p.ceil, &out);
  for (int i = 0; i < spatial; i++) check_pool_padding(g, n, &axis[i]);
  set_output(g, n, 0, n->in[0]->type, &out);
  set_output(g, n, 1, T_I64, &out);
}

void infer_global_pool(Graph *g, Node *n) {
  set_power(g, n);
  check_rank(g, n, 0, 2, MAX_RANK);
  Shape out = n->in[0]->shape;
  for (int i = 2; i < out.rank; i++) {
    check_number(g, n, 0, i);
    if (out.d[i] == 0) fail_at(g, n, "axis %d has no elements", i);
    out.d[i] = 1;
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- evaluation ---- */

/* The taps of a window along one axis that lie inside: `count` from `at` on, `step` apart. */
typedef struct Taps {
  int64_t at, step, count;
  int64_t counted; /* all before the end of the padding */
} Taps;

/* How many taps of a window that begins at `start` come before `limit`. */
static int64_t taps_before(int64_t start, int64_t step, int64_t kernel, int64_t limit) {
  int64_t n = start < limit ? (limit - start - 1) / step + 1 : 0;
  return n < kernel ? n : kernel;
}

/* Windows begin in the padding at the earliest; with ceil_mode they may end behind it. */
static Taps taps_of(int64_t start, int64_t step, int64_t kernel, int64_t size, int64_t after) {
  int64_t first = taps_before(start, step, kernel, 0);
  return (Taps){start + first * step, step, taps_before(start, step, kernel, size) - first,
                taps_before(start, step, kernel, size + after)};
}

typedef struct Taps3 {
  Taps d, h, w;
} Taps3;

/* Those of output element o. */
static Taps3 window_of(const Window *k, const Volume *in, const Volume *out, int64_t o) {
  return (Taps3){
    .d = taps_of(o / (out->h * out->w) * k->sd - k->front, k->dd, k->kd, in->d, k->back),
    .h = taps_of(o / out->w % out->h * k->sh - k->top, k->dh, k->kh, in->h, k->bottom),
    .w = taps_of(o % out->w * k->sw - k->left, k->dw, k->kw, in->w, k->right),
  };
}

static int64_t taps_inside(const Taps3 *t) { return t->d.count * t->h.count * t->w.count; }

/* Where tap number e of those inside is, in a channel of the input. */
static int64_t offset_of(const Volume *v, const Taps3 *t, int64_t e) {
  int64_t d = t->d.at + e / (t->h.count * t->w.count) * t->d.step, h = t->h.at + e / t->w.count % t->h.count * t->h.step;
  return (d * v->h + h) * v->w + t->w.at + e % t->w.count * t->w.step;
}

/* The first of the largest elements, NaN being the largest, in the window of output element o, whose input channel begins at
 * `channel`. */
static int64_t find_maximum(const Node *n, const void *x, const Volume *vx, const Volume *vy, int64_t channel,
                            int64_t o) {
  const Taps3 window = window_of(&n->win, vx, vy, o);
  Type t = n->in[0]->type;
  int64_t best = -1;
  for (int64_t e = 0; e < taps_inside(&window); e++) {
    int64_t i = channel + offset_of(vx, &window, e);
    if (best < 0 || number_beats(t, get_number(t, x, i), get_number(t, x, best))) best = i;
  }
  assert(best >= 0);
  return best;
}

/* An index for output Indices: with storage_order 1 the last two axes count column by column. */
static int64_t stored_index(const Node *n, const Volume *v, int64_t i) {
  if (!n->p.by_column) return i;
  int64_t plane = v->h * v->w, p = i % plane;
  return i - p + p % v->w * v->h + p / v->w;
}

void eval_max_pool(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Volume vx = volume_of(&n->in[0]->shape), vy = volume_of(n->out[0] ? &n->out[0]->shape : &n->out[1]->shape);
  int64_t map_in = vx.d * vx.h * vx.w, map_out = vy.d * vy.h * vy.w;
  Type t = n->in[0]->type;
  for (int64_t i = 0; i < vy.n * vy.c * map_out; i++) {
    int64_t best = find_maximum(n, in[0], &vx, &vy, i / map_out * map_in, i % map_out);
    if (out[0]) put_number(t, out[0], i, get_number(t, in[0], best));
    if (n->n_out > 1 && out[1]) ((int64_t *)out[1])[i] = stored_index(n, &vx, best);
  }
}

static double window_mean(const Node *n, const void *x, const Volume *vx, const Volume *vy, int64_t channel,
                          int64_t o) {
  const Taps3 t = window_of(&n->win, vx, vy, o);
  int64_t inside = taps_inside(&t);
  double sum = 0, count = (double)inside;
  for (int64_t e = 0; e < inside; e++) sum += get_number(n->in[0]->type, x, channel + offset_of(vx, &t, e)).f;
  if (n->p.count_pad) count = (double)t.d.counted * (double)t.h.counted * (double)t.w.counted;
  return sum / count;
}

void eval_average_pool(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Volume vx = volume_of(&n->in[0]->shape), vy = volume_of(&n->out[0]->shape);
  int64_t map_in = vx.d * vx.h * vx.w, map_out = vy.d * vy.h * vy.w;
  for (int64_t i = 0; i < vy.n * vy.c * map_out; i++) {
    Number mean = {.f = window_mean(n, in[0], &vx, &vy, i / map_out * map_in, i % map_out)};
    put_number(n->out[0]->type, out[0], i, mean);
  }
}

void eval_global_average_pool(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  int64_t channels = shape_count(&n->out[0]->shape);
  int64_t map = channels ? shape_count(&n->in[0]->shape) / channels : 0;
  for (int64_t c = 0; c < channels; c++) {
    Number sum = {.f = 0};
    for (int64_t i = 0; i < map; i++) sum.f += get_number(t, in[0], c * map + i).f;
    sum.f /= (double)map;
    put_number(t, out[0], c, sum);
  }
}

void eval_global_max_pool(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  int64_t channels = shape_count(&n->out[0]->shape);
  int64_t map = channels ? shape_count(&n->in[0]->shape) / channels : 0;
  for (int64_t c = 0; c < channels; c++) {
    Number best = get_number(t, in[0], c * map);
    for (int64_t i = 1; i < map; i++) {
      Number v = get_number(t, in[0], c * map + i);
      if (number_beats(t, v, best)) best = v;
    }
    put_number(t, out[0], c, best);
  }
}

/* ---- (sum |x|^p)^(1/p) ---- */

static double powered(const Node *n, const void *x, int64_t i) {
  return pow(fabs(get_number(n->in[0]->type, x, i).f), n->p.power);
}

void eval_lp_pool(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Volume vx = volume_of(&n->in[0]->shape), vy = volume_of(&n->out[0]->shape);
  int64_t map_in = vx.d * vx.h * vx.w, map_out = vy.d * vy.h * vy.w;
  for (int64_t i = 0; i < vy.n * vy.c * map_out; i++) {
    const Taps3 t = window_of(&n->win, &vx, &vy, i % map_out);
    double sum = 0;
    for (int64_t e = 0; e < taps_inside(&t); e++) sum += powered(n, in[0], i / map_out * map_in + offset_of(&vx, &t, e));
    put_number(n->out[0]->type, out[0], i, (Number){.f = pow(sum, 1.0 / n->p.power)});
  }
}

void eval_global_lp_pool(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  int64_t channels = shape_count(&n->out[0]->shape);
  int64_t map = channels ? shape_count(&n->in[0]->shape) / channels : 0;
  for (int64_t c = 0; c < channels; c++) {
    double sum = 0;
    for (int64_t i = 0; i < map; i++) sum += powered(n, in[0], c * map + i);
    put_number(n->out[0]->type, out[0], c, (Number){.f = pow(sum, 1.0 / n->p.power)});
  }
}
