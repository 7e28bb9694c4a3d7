/* trim.c: windows without what they never meet. Taps that lie in the padding whatever the result, as most of a large kernel's
 * over a small map do, are dropped with their weights; of a single result the stride is no longer than it has to be. What is
 * left of the padding is as small as that allows. */
#include "rewrite.h"

/* A window along one axis. */
typedef struct Side {
  int64_t size, out;    /* of the image and of the result */
  int64_t kernel, stride, dilation, before, after;
  int64_t first;        /* which of the taps becomes the first */
} Side;

/* Taps that the first window has behind the image meet it in no other. A kernel so short that one more result would fit is
 * too short, unless there is one result, for which the stride can see to that. */
static void drop_last_taps(Side *s) {
  int64_t met = (s->size - 1 + s->before) / s->dilation + 1, room = s->size + s->before - s->out * s->stride;
  if (s->out > 1 && room > 0) met = size_max(met, size_ceiling(room, s->dilation) + 1);
  s->kernel = size_min(s->kernel, met);
}

/* Those that the last window has before it. The padding must not become negative. */
static void drop_first_taps(Side *s) {
  int64_t last = (s->out - 1) * s->stride - s->before;
  s->first = last < 0 ? size_ceiling(-last, s->dilation) : 0;
  s->first = size_min(s->first, size_min(s->kernel - 1, s->before / s->dilation));
  s->kernel -= s->first;
  s->before -= s->first * s->dilation;
  if (s->kernel == 1) s->dilation = 1;
}

static void fit_padding(Side *s) {
  int64_t extent = (s->kernel - 1) * s->dilation + 1;
  s->after = size_max(0, (s->out - 1) * s->stride + extent - s->before - s->size);
  if (s->out == 1) s->stride = s->size + s->before + s->after - extent + 1;
}

/* True: there was something to trim, a tap or a stride that leaps over the whole image. */
static bool trim_side(Side *s) {
  const Side old = *s;
  drop_last_taps(s);
  drop_first_taps(s);
  fit_padding(s);
  return s->kernel < old.kernel || (s->stride < old.stride && old.stride > old.size + old.before);
}

/* The taps that are left of constant weights [oc][ic][kh][kw]. */
static Value *trim_weights(Graph *g, const Value *w, const Side *rows, const Side *cols) {
  const int64_t *d = w->shape.d;
  Value *v = value_const_f32(g, format_text(g->cx, "%s.trimmed", w->name), shape_of(4, d[0], d[1], rows->kernel, cols->kernel));
  const float *from = w->data;
  float *to = f32_of(v);
  for (int64_t i = 0; i < d[0] * d[1]; i++, from += d[2] * d[3]) {
    for (int64_t y = 0; y < rows->kernel; y++, to += cols->kernel) {
      move_bytes(to, from + (rows->first + y) * d[3] + cols->first, (size_t)cols->kernel * sizeof *to);
    }
  }
  return v;
}

/* A mean that counts its padding depends on all of its taps. */
static bool is_trimmable(const Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  if (!y || x->shape.rank != 4 || shape_count(&x->shape) == 0 || shape_count(&y->shape) == 0) return false;
  if (n->op == OP_AveragePool) return !n->p.count_pad;
  return n->op == OP_MaxPool || n->op == OP_LpPool || (n->op == OP_Conv && f32_data(n->in[1]) && shape_count(&n->in[1]->shape) > 0);
}

static bool trim(Graph *g, Node *n) {
  const Window *k = &n->win;
  const int64_t *x = n->in[0]->shape.d, *y = n->out[0]->shape.d;
  Side rows = {.size = x[2], .out = y[2], .kernel = k->kh, .stride = k->sh, .dilation = k->dh, .before = k->top};
  Side cols = {.size = x[3], .out = y[3], .kernel = k->kw, .stride = k->sw, .dilation = k->dw, .before = k->left};
  bool any = trim_side(&rows);
  if (!trim_side(&cols) && !any) return false;
  if (n->op == OP_Conv) node_set_input(g, n, 1, trim_weights(g, n->in[1], &rows, &cols));
  set_window(g, n, &(Window){.kh = rows.kernel, .sh = rows.stride, .dh = rows.dilation, .top = rows.before, .bottom = rows.after,
                             .kw = cols.kernel, .sw = cols.stride, .dw = cols.dilation, .left = cols.before, .right = cols.after});
  attr_remove(n, "ceil_mode"); /* the padding behind is what it made of it */
  infer_node(g, n);
  return true;
}

void pass_trim(Graph *g) {
  bool any = false;
  for (int i = 0; i < g->n_node; i++) any |= is_trimmable(g->node[i]) && trim(g, g->node[i]);
  if (any) graph_compact(g);
}
