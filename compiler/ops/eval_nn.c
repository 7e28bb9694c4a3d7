/* eval_nn.c: the reference evaluator's convolutions, pools, batch normalisation and matrix products. */
#include "ops.h"

#include <math.h>
#include <string.h>

/* ---- windows: every tensor is [n,c,d,h,w], with 1 for the sizes it lacks ---- */

typedef struct Volume {
  int64_t n, c, d, h, w;
} Volume;

static Volume volume_of(const Shape *s) {
  Volume v = {.n = s->d[0], .c = s->d[1], .d = 1, .h = 1, .w = 1};
  if (s->rank > 2) v.w = s->d[s->rank - 1];
  if (s->rank > 3) v.h = s->d[s->rank - 2];
  if (s->rank > 4) v.d = s->d[s->rank - 3];
  return v;
}

/* ---- Conv ---- */

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
  const float *x = in[0], *w = in[1], *bias = n->n_in > 2 ? in[2] : NULL;
  int64_t group_in = vx.c / n->group, group_out = vy.c / n->group;
  int64_t map_in = vx.h * vx.w, map_out = vy.h * vy.w, kernel = n->win.kh * n->win.kw;
  double *acc = alloc_n(g->cx, (size_t)map_out, sizeof *acc);
  float *y = out[0];
  for (int64_t i = 0; i < vy.n; i++)
    for (int64_t o = 0; o < vy.c; o++, y += map_out) {
      for (int64_t p = 0; p < map_out; p++) acc[p] = bias ? bias[o] : 0;
      for (int64_t c = 0; c < group_in; c++)
        conv_channel(&n->win, &vx, &vy, x + (i * vx.c + o / group_out * group_in + c) * map_in,
                     w + (o * group_in + c) * kernel, acc);
      for (int64_t p = 0; p < map_out; p++) y[p] = (float)acc[p];
    }
}

/* ---- pools ---- */

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
  if (!attr_int(n, "storage_order", 0)) return i;
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
  if (attr_int(n, "count_include_pad", 0)) count = (double)t.d.counted * (double)t.h.counted * (double)t.w.counted;
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

/* ---- BatchNormalization ---- */

void eval_batch_norm(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *s = &n->in[0]->shape;
  const float *x = in[0], *scale = in[1], *bias = in[2], *mean = in[3], *var = in[4];
  double epsilon = attr_float(n, "epsilon", 1e-5f);
  int64_t channels = s->rank > 1 ? s->d[1] : 1, count = shape_count(s), map = 1;
  for (int i = 2; i < s->rank; i++) map *= s->d[i];
  for (int64_t i = 0; i < count; i++) {
    int64_t c = i / map % channels;
    ((float *)out[0])[i] = (float)((x[i] - mean[c]) / sqrt(var[c] + epsilon) * scale[c] + bias[c]);
  }
}

/* ---- matrix products ---- */

/* Element (i,j) is data[at + i row + j column]. */
typedef struct Matrix {
  Type type;
  const void *data;
  int64_t at, row, column;
} Matrix;

static Number element(const Matrix *m, int64_t i, int64_t j) {
  return get_number(m->type, m->data, m->at + i * m->row + j * m->column);
}

/* Row i of a times column j of b; floats are summed in double, integers wrap. */
static Number dot(const Matrix *a, const Matrix *b, int64_t i, int64_t j, int64_t size) {
  Number sum = {0};
  if (type_is_float(a->type)) sum.f = 0;
  for (int64_t k = 0; k < size; k++) {
    Number p = element(a, i, k), q = element(b, k, j);
    if (type_is_float(a->type)) sum.f += p.f * q.f;
    else sum.u += p.u * q.u;
  }
  return sum;
}

static Matrix matrix_of(const Value *v, const void *data, bool transposed) {
  int64_t columns = v->shape.d[1];
  return transposed ? (Matrix){v->type, data, 0, 1, columns} : (Matrix){v->type, data, 0, columns, 1};
}

void eval_gemm(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  bool ta = attr_int(n, "transA", 0) != 0, tb = attr_int(n, "transB", 0) != 0;
  double alpha = attr_float(n, "alpha", 1), beta = attr_float(n, "beta", 1);
  Matrix a = matrix_of(n->in[0], in[0], ta), b = matrix_of(n->in[1], in[1], tb);
  int64_t inner = n->in[0]->shape.d[!ta];
  const Shape *s = &n->out[0]->shape;
  const Value *bias = n->n_in > 2 ? n->in[2] : NULL;
  Cursor c = bias ? broadcast_cursor(&bias->shape, s) : (Cursor){.shape = s};
  for (int64_t i = 0; i < shape_count(s); i++, cursor_next(&c)) {
    Number y = dot(&a, &b, i / s->d[1], i % s->d[1], inner);
    y.f *= alpha;
    if (bias) y.f += beta * get_number(bias->type, in[2], c.at).f;
    put_number(n->out[0]->type, out[0], i, y);
  }
}

/* Strides of the batch axes of s, whose last `matrix` axes are the matrix, broadcast to the batch `to`. */
static Cursor batch_cursor(const Shape *s, int matrix, const Shape *to) {
  Shape whole = *to;
  for (int i = s->rank - matrix; i < s->rank; i++) whole.d[whole.rank++] = s->d[i];
  Cursor c = broadcast_cursor(s, &whole);
  c.shape = to;
  return c;
}

void eval_matmul(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *sa = &n->in[0]->shape, *sb = &n->in[1]->shape, *sy = &n->out[0]->shape;
  bool rows = sa->rank > 1, columns = sb->rank > 1;
  int64_t inner = sa->d[sa->rank - 1];
  int64_t m = rows ? sa->d[sa->rank - 2] : 1, p = columns ? sb->d[sb->rank - 1] : 1;
  Matrix a = {n->in[0]->type, in[0], 0, inner, 1}, b = {n->in[1]->type, in[1], 0, p, 1};
  Shape batch = *sy;
  batch.rank -= rows + columns;
  Cursor ca = batch_cursor(sa, 1 + rows, &batch), cb = batch_cursor(sb, 1 + columns, &batch);
  int64_t count = shape_count(&batch);
  for (int64_t k = 0; k < count; k++, cursor_next(&ca), cursor_next(&cb)) {
    a.at = ca.at;
    b.at = cb.at;
    for (int64_t i = 0; i < m * p; i++)
      put_number(n->out[0]->type, out[0], k * m * p + i, dot(&a, &b, i / p, i % p, inner));
  }
}
