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

/* The attribute `depth`, for frames of volumes [N,C,D,H,W], which are images [N D,C,H,W]: how many volumes, the window along the
 * depth, and how many frames a volume of the result has. */
enum { VOLUMES, KERNEL, STRIDE, DILATION, FRONT, BACK, FRAMES, NUMBERS };

void attr_set_depth(Graph *g, Node *n, const Window *k, int64_t volumes, int64_t frames) {
  const int64_t d[NUMBERS] = {[VOLUMES] = volumes, [KERNEL] = k->kd, [STRIDE] = k->sd, [DILATION] = k->dd, [FRONT] = k->front,
                              [BACK] = k->back, [FRAMES] = frames};
  attr_set_ints(g, n, "depth", NUMBERS, d);
}

static void read_depth(Graph *g, Node *n, Shape *out) {
  int64_t d[NUMBERS], images = n->in[0]->shape.d[0];
  if (!attr_find(n, "depth")) return;
  check_rank(g, n, 0, 4, 4);
  check_number(g, n, 0, 0);
  if (n->n_out > 1 && n->out[1]) fail_at(g, n, "indices of frames are not supported");
  ints_attr(g, n, "depth", NUMBERS, d);
  for (int i = 0; i < NUMBERS; i++) check_range(g, n, "depth", d[i], i != FRONT && i != BACK, INT32_MAX);
  WindowAxis a = {.size = images / d[VOLUMES], .kernel = d[KERNEL], .stride = d[STRIDE], .dilation = d[DILATION],
                  .lo = d[FRONT], .hi = d[BACK]};
  if (images == 0 || images % d[VOLUMES] || (d[FRAMES] - 1) * a.stride - a.lo >= a.size)
    fail_at(g, n, "%lld images are no frames of volumes", (long long)images);
  check_pool_padding(g, n, &a);
  n->p.depth = a.size;
  n->win.kd = a.kernel;
  n->win.sd = a.stride;
  n->win.dd = a.dilation;
  n->win.front = a.lo;
  n->win.back = a.hi;
  out->d[0] = size_mul(d[VOLUMES], d[FRAMES]);
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
  n->p.count_pad = (n->op == OP_AveragePool || n->op == OP_QuantizedAveragePool) && attr_int(n, "count_include_pad", 0) != 0;
  n->p.by_column = n->op == OP_MaxPool && attr_int(n, "storage_order", 0) != 0;
  slide_window(g, n, spatial, axis, n->p.ceil, &out);
  for (int i = 0; i < spatial; i++) check_pool_padding(g, n, &axis[i]);
  read_depth(g, n, &out);
  set_output(g, n, 0, n->in[0]->type, &out);
  set_output(g, n, 1, T_I64, &out);
}

void infer_quantized_pool(Graph *g, Node *n) {
  infer_pool(g, n);
  set_output(g, n, 0, n->in[4]->type, &n->out[0]->shape);
}

void infer_global_sum_pool(Graph *g, Node *n) {
  infer_global_pool(g, n);
  set_output(g, n, 0, T_I32, &n->out[0]->shape);
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

/* A pool's input and result, whose volumes may lie frame by frame. */
typedef struct Pooling {
  Volume x, y;
  bool frames;
} Pooling;

static Pooling pooling_of(const Node *n) {
  Pooling p = {volume_of(&n->in[0]->shape), volume_of(n->out[0] ? &n->out[0]->shape : &n->out[1]->shape), n->p.depth != 0};
  if (!p.frames) return p;
  p.x.d = n->p.depth;
  p.x.n /= p.x.d;
  p.y.d = p.y.n / p.x.n;
  p.y.n = p.x.n;
  return p;
}

static int64_t map_of(const Volume *v) { return v->d * v->h * v->w; }

/* The number of element `at` of a channel's map, `channel` counting the channels of all volumes. */
static int64_t element_of(const Pooling *p, const Volume *v, int64_t channel, int64_t at) {
  int64_t plane = v->h * v->w;
  if (!p->frames) return channel * map_of(v) + at;
  return ((channel / v->c * v->d + at / plane) * v->c + channel % v->c) * plane + at % plane;
}

/* Where tap number e of those inside is, in a channel of the input. */
static int64_t offset_of(const Volume *v, const Taps3 *t, int64_t e) {
  int64_t d = t->d.at + e / (t->h.count * t->w.count) * t->d.step, h = t->h.at + e / t->w.count % t->h.count * t->h.step;
  return (d * v->h + h) * v->w + t->w.at + e % t->w.count * t->w.step;
}

/* The first of the largest elements, NaN being the largest, in the window of element o of a channel of the result. */
static int64_t find_maximum(const Node *n, const void *x, const Pooling *p, int64_t channel, int64_t o) {
  const Taps3 window = window_of(&n->win, &p->x, &p->y, o);
  Type t = n->in[0]->type;
  int64_t best = -1;
  for (int64_t e = 0; e < taps_inside(&window); e++) {
    int64_t i = element_of(p, &p->x, channel, offset_of(&p->x, &window, e));
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
  const Pooling p = pooling_of(n);
  int64_t map = map_of(&p.y);
  Type t = n->in[0]->type;
  for (int64_t i = 0; i < p.y.n * p.y.c * map; i++) {
    int64_t best = find_maximum(n, in[0], &p, i / map, i % map), at = element_of(&p, &p.y, i / map, i % map);
    if (out[0]) put_number(t, out[0], at, get_number(t, in[0], best));
    if (n->n_out > 1 && out[1]) ((int64_t *)out[1])[at] = stored_index(n, &p.x, best);
  }
}

static double window_mean(const Node *n, const void *x, const Pooling *p, int64_t channel, int64_t o) {
  const Taps3 t = window_of(&n->win, &p->x, &p->y, o);
  int64_t inside = taps_inside(&t);
  double sum = 0, count = (double)inside;
  for (int64_t e = 0; e < inside; e++)
    sum += get_number(n->in[0]->type, x, element_of(p, &p->x, channel, offset_of(&p->x, &t, e))).f;
  if (n->p.count_pad) count = (double)t.d.counted * (double)t.h.counted * (double)t.w.counted;
  return sum / count;
}

void eval_average_pool(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Pooling p = pooling_of(n);
  int64_t map = map_of(&p.y);
  for (int64_t i = 0; i < p.y.n * p.y.c * map; i++) {
    Number mean = {.f = window_mean(n, in[0], &p, i / map, i % map)};
    put_number(n->out[0]->type, out[0], element_of(&p, &p.y, i / map, i % map), mean);
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
  const Pooling p = pooling_of(n);
  int64_t map = map_of(&p.y);
  for (int64_t i = 0; i < p.y.n * p.y.c * map; i++) {
    const Taps3 t = window_of(&n->win, &p.x, &p.y, i % map);
    double sum = 0;
    for (int64_t e = 0; e < taps_inside(&t); e++)
      sum += powered(n, in[0], element_of(&p, &p.x, i / map, offset_of(&p.x, &t, e)));
    put_number(n->out[0]->type, out[0], element_of(&p, &p.y, i / map, i % map), (Number){.f = pow(sum, 1.0 / n->p.power)});
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

/* ---- of quantised numbers ---- */

void eval_global_sum_pool(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  Type t = n->in[0]->type;
  int64_t channels = shape_count(&n->out[0]->shape), map = channels ? shape_count(&n->in[0]->shape) / channels : 0;
  int64_t zero = has_input(n, 1) ? get_number(t, in[1], 0).i : 0;
  for (int64_t c = 0; c < channels; c++) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < map; i++) sum += (uint32_t)(get_number(t, in[0], c * map + i).i - zero);
    ((uint32_t *)out[0])[c] = sum;
  }
}

/* A sum in fp32, row by row from 0, of the elements that are inside. */
static float dequantized_sum(const Node *n, const void *const *in, const Pooling *p, int64_t channel, const Taps3 *t) {
  Type type = n->in[0]->type;
  float sum = 0, scale = *(const float *)in[1];
  int64_t zero = get_number(type, in[2], 0).i;
  for (int64_t e = 0; e < taps_inside(t); e++) {
    float d = dequantize(get_number(type, in[0], element_of(p, &p->x, channel, offset_of(&p->x, t, e))).i, scale, zero);
    sum += d;
  }
  return sum;
}

void eval_quantized_average_pool(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Pooling p = pooling_of(n);
  Type type = n->out[0]->type;
  float scale = *(const float *)in[3];
  int64_t map = map_of(&p.y), zero = get_number(type, in[4], 0).i;
  for (int64_t i = 0; i < p.y.n * p.y.c * map; i++) {
    const Taps3 t = window_of(&n->win, &p.x, &p.y, i % map);
    int64_t count = n->p.count_pad ? taps_of_window(&n->win) : taps_inside(&t);
    float mean = dequantized_sum(n, in, &p, i / map, &t) / (float)count;
    put_number(type, out[0], element_of(&p, &p.y, i / map, i % map), (Number){.i = quantize_inside(type, mean, scale, zero)});
  }
}
