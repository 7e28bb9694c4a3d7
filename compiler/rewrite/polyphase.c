/* polyphase.c: ConvTranspose with constant weights as convolutions of stride 1. With stride s the results
 * whose place is p modulo s meet every s-th tap only, so they are a convolution of the input with these, and
 * the whole is as many parts as there are places in a rectangle of strides, interleaved. For a 4x4 kernel,
 * stride 2, padding 1, along one axis:
 *
 *     results 0 2 4 ..: taps 3 1, padded by one before       x[-1] w3 + x[0] w1, x[0] w3 + x[1] w1, ...
 *     results 1 3 5 ..: taps 2 0, padded by one behind       x[0] w2 + x[1] w0, x[1] w2 + x[2] w0, ...
 *
 * No product with the zeros between the input's elements is ever made, and whatever a convolution can have,
 * as an algorithm or an epilogue, a part can. A layout in which the parts lie in the whole needs no code to
 * interleave them. */
#include "rewrite.h"

enum { MOST_PARTS = 64 };

/* Along one axis. The taps of part number p are first, first + apart, ..., `taps` of them. */
typedef struct Axis {
  int64_t in, out;                           /* sizes */
  int64_t kernel, stride, dilation, before;
} Axis;
typedef struct AxisPart {
  int64_t first, apart, taps, dilation;
  int64_t size, before, after;               /* of the result; negative padding is cut off the input */
} AxisPart;

/* Results p, p + stride, ... of the axis; false: they would meet nothing, not even padding. */
static bool part_of_axis(const Axis *a, int64_t p, AxisPart *r) {
  int64_t g = size_common_divisor(a->stride, a->dilation), k = 0;
  *r = (AxisPart){.apart = a->stride / g, .dilation = a->dilation / g,
                  .size = size_ceiling(a->out - p, a->stride)};
  while (k < size_min(r->apart, a->kernel) && (p + a->before - k * a->dilation) % a->stride != 0) k++;
  r->first = k;
  r->taps = k < size_min(r->apart, a->kernel) ? size_ceiling(a->kernel - k, r->apart) : 0;
  /* where the first result meets tap `first` */
  int64_t at = r->taps ? (p + a->before - k * a->dilation) / a->stride : 0;
  int64_t extent = size_max(r->taps - 1, 0) * r->dilation + 1;
  r->before = extent - 1 - at;
  r->after = r->size + extent - 1 - a->in - r->before;
  if (r->taps <= 1) r->dilation = 1;
  return a->in + size_min(r->before, 0) + size_min(r->after, 0) >= 1;
}

typedef struct Polyphase {
  Graph *g;
  Node *n;
  int spatial, parts;
  Axis axis[MAX_SPATIAL];
  int steps;                                 /* of the epilogue, that are the same for all places */
} Polyphase;

/* Part number i is number index[k] along axis k. */
static void part_index(const Polyphase *p, int i, int64_t *index) {
  for (int k = p->spatial - 1; k >= 0; k--) {
    index[k] = i % p->axis[k].stride;
    i /= (int)p->axis[k].stride;
  }
}

/* A part that meets padding alone is zeros if the input is finite. */
static bool part_of(const Polyphase *p, int i, AxisPart *part) {
  int64_t index[MAX_SPATIAL];
  part_index(p, i, index);
  for (int k = 0; k < p->spatial; k++) {
    if (!part_of_axis(&p->axis[k], index[k], &part[k])) return false;
    if (part[k].taps == 0 && !assumes_finite(p->g)) return false;
  }
  return true;
}

/* One element for all places of an image. */
static bool is_same_everywhere(const Value *v, int spatial) {
  for (int i = 0; i < spatial && i < v->shape.rank; i++) {
    if (v->shape.d[v->shape.rank - 1 - i] != 1) return false;
  }
  return true;
}

static bool read_axes(Polyphase *p) {
  const Window *k = &p->n->win;
  const Shape *x = &p->n->in[0]->shape, *y = &p->n->out[0]->shape;
  const Axis axis[] = {{.kernel = k->kd, .stride = k->sd, .dilation = k->dd, .before = k->front},
                       {.kernel = k->kh, .stride = k->sh, .dilation = k->dh, .before = k->top},
                       {.kernel = k->kw, .stride = k->sw, .dilation = k->dw, .before = k->left}};
  p->spatial = x->rank - 2;
  p->parts = 1;
  for (int i = 0; i < p->spatial; i++) {
    Axis *a = &p->axis[i];
    *a = axis[MAX_SPATIAL - p->spatial + i];
    a->in = x->d[2 + i];
    a->out = y->d[2 + i];
    if (a->out < a->stride || a->stride > MOST_PARTS) return false;
    p->parts *= (int)a->stride;
  }
  return p->parts <= MOST_PARTS;
}

static bool fits(Polyphase *p) {
  const Node *n = p->n;
  AxisPart part[MAX_SPATIAL];
  if (!is_const_conv_transpose(n) || shape_count(&n->in[0]->shape) == 0 || shape_count(&n->in[1]->shape) == 0)
    return false;
  if (shape_count(&n->out[0]->shape) == 0 || !read_axes(p)) return false;
  for (int i = 0; i < p->parts; i++) {
    if (!part_of(p, i, part)) return false;
  }
  while (p->steps < n->n_step) {
    int arg = n->step[p->steps].arg;
    if (arg >= 0 && !is_same_everywhere(n->in[arg], p->spatial)) break;
    p->steps++;
  }
  return true;
}

/* ==== weights ==== */

/* The part's taps of a kernel, the last one first; none are one zero. */
static void take_taps(const Polyphase *p, const AxisPart *part, const float *from, float *to) {
  int64_t count = 1;
  for (int k = 0; k < p->spatial; k++) count *= part[k].taps;
  for (int64_t i = 0; i < count; i++) {
    int64_t at = 0, stride = 1, rest = i;
    for (int k = p->spatial - 1; k >= 0; k--) {
      at += stride * (part[k].first + (part[k].taps - 1 - rest % part[k].taps) * part[k].apart);
      rest /= part[k].taps;
      stride *= p->axis[k].kernel;
    }
    to[i] = from[at];
  }
}

/* [channel][output of its group][tap] becomes [output][channel of its group][tap of the part]. */
static Value *part_weights(const Polyphase *p, const AxisPart *part, const char *name) {
  const Shape *w = &p->n->in[1]->shape;
  int64_t channels = w->d[0] / p->n->group, outputs = w->d[1], from = 1, to = 1;
  Shape s = {.rank = w->rank, .d = {outputs * p->n->group, channels}};
  for (int k = 0; k < p->spatial; k++) {
    from *= w->d[2 + k];
    to *= s.d[2 + k] = size_max(part[k].taps, 1);
  }
  Value *v = value_const_f32(p->g, name, s);
  for (int64_t i = 0; i < s.d[0] * channels; i++) {
    int64_t output = i / channels, channel = output / outputs * channels + i % channels;
    take_taps(p, part, f32_data(p->n->in[1]) + (channel * outputs + output % outputs) * from,
              f32_of(v) + i * to);
  }
  return v;
}

/* ==== nodes ==== */

/* The input without what negative padding cuts off. */
static Value *cut_input(const Polyphase *p, const AxisPart *part, const char *name) {
  Graph *g = p->g;
  int64_t first[MAX_SPATIAL], end[MAX_SPATIAL], axes[MAX_SPATIAL];
  bool any = false;
  for (int k = 0; k < p->spatial; k++) {
    first[k] = -size_min(part[k].before, 0);
    end[k] = p->axis[k].in + size_min(part[k].after, 0);
    axes[k] = 2 + k;
    any |= first[k] > 0 || end[k] < p->axis[k].in;
  }
  if (!any) return p->n->in[0];
  Value *in[] = {p->n->in[0], value_const_i64(g, "starts", p->spatial, first),
                 value_const_i64(g, "ends", p->spatial, end),
                 value_const_i64(g, "axes", p->spatial, axes)};
  return new_result(g, walk_before(g, OP_Slice, name, 4, in, 1));
}

static void copy_steps(Graph *g, Node *to, const Node *from, int first, int end) {
  for (int i = first; i < end; i++) {
    int arg = from->step[i].arg;
    node_add_step_with(g, to, from->step[i], arg < 0 ? NULL : from->in[arg]);
  }
}

static Value *make_part(const Polyphase *p, int i) {
  Graph *g = p->g;
  const Node *n = p->n;
  AxisPart part[MAX_SPATIAL];
  part_of(p, i, part);
  const char *name = p->parts == 1 ? n->name : format_text(g->cx, "%s.%d", n->name, i);
  int64_t dilation[MAX_SPATIAL], pad[2 * MAX_SPATIAL];
  for (int k = 0; k < p->spatial; k++) {
    dilation[k] = part[k].dilation;
    pad[k] = size_max(part[k].before, 0);
    pad[p->spatial + k] = size_max(part[k].after, 0);
  }
  Value *in[] = {cut_input(p, part, name), part_weights(p, part, name), n->n_in > 2 ? n->in[2] : NULL};
  Node *conv = walk_before(g, OP_Conv, name, in[2] ? 3 : 2, in, 1);
  attr_set_ints(g, conv, "dilations", p->spatial, dilation);
  attr_set_ints(g, conv, "pads", 2 * p->spatial, pad);
  attr_set_int(g, conv, "group", n->group);
  copy_steps(g, conv, n, 0, p->steps);
  return new_result(g, conv);
}

static Value *interleave(const Polyphase *p, Value *const *part) {
  Graph *g = p->g;
  int64_t stride[MAX_SPATIAL];
  for (int k = 0; k < p->spatial; k++) stride[k] = p->axis[k].stride;
  Node *n = walk_before(g, OP_Interleave, p->n->name, p->parts, part, 1);
  attr_set_ints(g, n, "strides", p->spatial, stride);
  return new_result(g, n);
}

static void split(Polyphase *p) {
  Value *part[MOST_PARTS];
  Node *n = p->n;
  for (int i = 0; i < p->parts; i++) part[i] = make_part(p, i);
  Value *y = p->parts == 1 ? part[0] : interleave(p, part);
  if (p->steps < n->n_step) {
    Node *rest = walk_before(p->g, OP_Pointwise, n->name, 1, &y, 1);
    copy_steps(p->g, rest, n, p->steps, n->n_step);
    y = new_result(p->g, rest);
  }
  y->def->out[0] = NULL;
  give_output(y->def, n);
  n->dead = true;
}

void pass_polyphase(Graph *g) {
  bool any = false;
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    Polyphase p = {.g = g, .n = n};
    if (n->op != OP_ConvTranspose || !fits(&p)) continue;
    split(&p);
    any = true;
  }
  if (any) graph_compact(g);
}
