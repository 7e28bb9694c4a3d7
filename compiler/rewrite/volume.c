/* volume.c: convolutions over volumes as convolutions over images. A volume [N,C,D,H,W] is kept as its N D
 * frames [N D,C,H,W], which transpositions join to what other operators read or write, so that everything
 * after knows images only. A kernel of depth kd meets kd frames: they are stacked by Unfold, and the
 * convolution is one over kd C channels, summed in one go, for which every algorithm serves. Groups would be
 * torn apart by that: they take the frames one by one, and add up. Pools have windows over frames of their own. */
#include "rewrite.h"

typedef struct Volumes {
  Graph *g;
  Forms frames;
} Volumes;

static Shape frames_shape(const Shape *s) {
  return shape_of(4, s->d[0] * s->d[2], s->d[1], s->d[3], s->d[4]);
}

/* ==== views ==== */

/* [N,C,D,..] to [N,D,C,..], or back. */
static const int64_t depth_first[] = {0, 2, 1, 3, 4};

static Value *frames_of(const Volumes *w, Value *v) {
  Graph *g = w->g;
  Shape s = frames_shape(&v->shape);
  if (form_of(&w->frames, v)) return form_of(&w->frames, v);
  const char *name = format_text(g->cx, "%s.frames", v->name);
  Node *transpose = walk_before(g, OP_Transpose, name, 1, &v, 1);
  attr_set_ints(g, transpose, "perm", 5, depth_first);
  Value *t = new_result(g, transpose);
  t = view_before(g, name, t, &s);
  form_set(&w->frames, v, t);
  return t;
}

/* Behind the current node y becomes `volume` again. */
static void join_frames(Graph *g, Value *y, Value *volume) {
  const int64_t *d = volume->shape.d;
  Shape s = shape_of(5, d[0], d[2], d[1], d[3], d[4]);
  Node *back = walk_after(g, OP_Transpose, volume->name, 1, &y, 1),
      *shape = walk_after(g, OP_Reshape, volume->name, 1, &y, 1);
  set_view(g, shape, y, &s);
  node_set_input(g, back, 0, new_result(g, shape));
  attr_set_ints(g, back, "perm", 5, depth_first);
  back->out[0] = volume;
  volume->def = back;
  infer_node(g, back);
}

/* ==== arguments of steps ==== */

/* One element for all depths, which a constant has for all images of a volume as well. */
static bool argument_fits(const Node *n, const Value *v) {
  const Shape *s = &v->shape, *y = &n->out[0]->shape;
  if (shape_equal(s, y)) return true;
  if (s->rank >= 3 && s->d[s->rank - 3] != 1) return false;
  return s->rank < 5 || s->d[0] == 1;
}

static bool steps_fit(const Node *n) {
  for (int i = 0; i < n->n_step; i++) {
    if (n->step[i].arg >= 0 && !argument_fits(n, n->in[n->step[i].arg])) return false;
  }
  return true;
}

/* Without the axis of depth, which has one element. */
static Value *argument_of(const Volumes *w, Value *v, const Shape *y) {
  Shape s = {.rank = v->shape.rank - 1};
  if (shape_equal(&v->shape, y)) return frames_of(w, v);
  if (v->shape.rank < 3) return v;
  for (int i = 0; i < s.rank; i++) s.d[i] = v->shape.d[i < s.rank - 2 ? i : i + 1];
  if (v->data) return value_const(w->g, v->name, v->type, s, v->data);
  return view_before(w->g, v->name, v, &s);
}

/* ==== convolutions ==== */

/* Along the depth, without the taps that meet no frame: the first result meets frame `start` first. */
typedef struct Depth {
  int64_t in, out, start, kernel, stride, dilation;
  int64_t first; /* of the taps */
} Depth;

static bool tap_meets(const Depth *d, const Window *k, int64_t tap) {
  int64_t at = tap * k->dd - k->front, z = at < 0 ? size_ceiling(-at, k->sd) : 0;
  return z < d->out && z * k->sd + at < d->in;
}

/* False: the padding is out of proportion, or all that it meets. */
static bool depth_of(const Node *n, Depth *d) {
  enum { LONGEST_PADDING = 64, PADDING_OF_DEPTH = 4 };
  const Window *k = &n->win;
  int64_t last = k->kd - 1, most;
  *d = (Depth){.in = n->in[0]->shape.d[2], .out = n->out[0]->shape.d[2], .stride = k->sd, .dilation = k->dd};
  while (d->first < k->kd && !tap_meets(d, k, d->first)) d->first++;
  while (last > d->first && !tap_meets(d, k, last)) last--;
  d->kernel = last - d->first + 1;
  d->start = d->first * k->dd - k->front;
  most = size_add(LONGEST_PADDING, size_mul(PADDING_OF_DEPTH, d->in));
  return d->first < k->kd && k->front <= most && k->back <= most;
}

static bool is_whole(const Depth *d) {
  return d->kernel == 1 && d->stride == 1 && d->start == 0 && d->in == d->out;
}

/* The frames that `kernel` taps from number `first` of d on meet. */
static Value *unfold(const Volumes *w, const Node *n, Value *x, const Depth *d, int64_t first,
                     int64_t kernel) {
  Graph *g = w->g;
  Node *u = walk_before(g, OP_Unfold, format_text(g->cx, "%s.frames", n->name), 1, &x, 1);
  attr_set_int(g, u, "volumes", n->out[0]->shape.d[0]);
  attr_set_ints(g, u, "starts", 1, (int64_t[]){d->start + first * d->dilation});
  attr_set_ints(g, u, "kernel_shape", 1, &kernel);
  attr_set_ints(g, u, "strides", 1, &d->stride);
  attr_set_ints(g, u, "dilations", 1, &d->dilation);
  attr_set_ints(g, u, "output_shape", 1, &d->out);
  if (n->win.fill) attr_set_int(g, u, "fill", (int64_t)n->win.fill);
  return new_result(g, u);
}

/* [o][c][depth][rows][columns] for taps of depth [first, first + kernel) as [o][tap, c][rows][columns],
 * `channels` of them, which may be more than there are. */
static Value *stacked_weights(Graph *g, const Node *n, int64_t first, int64_t kernel, int64_t channels) {
  const Value *w = n->in[1];
  const int64_t *d = w->shape.d;
  int64_t map = d[3] * d[4] * (int64_t)type_size(w->type);
  char *to = alloc_n(g->cx, (size_t)(d[0] * kernel * channels), (size_t)map);
  for (int64_t i = 0; i < d[0] * d[1] * kernel; i++) {
    int64_t o = i / kernel / d[1], c = i / kernel % d[1], k = i % kernel;
    move_bytes(to + ((o * kernel + k) * channels + c) * map,
               (const char *)w->data + ((o * d[1] + c) * d[2] + first + k) * map, (size_t)map);
  }
  return value_const(g, w->name, w->type, shape_of(4, d[0], kernel * channels, d[3], d[4]), to);
}

/* Frames are stacked without a copy where their channels fill blocks. A convolution that makes x for n alone
 * gets as many outputs as that takes, whatever is in them: the weights that meet it are zeros. Returns the
 * channels of x. */
enum { WHOLE_BLOCKS = 16 };

static int64_t fill_blocks(const Volumes *w, const Node *n, const Value *x) {
  Graph *g = w->g;
  Node *m = x->def;
  int64_t channels = x->shape.d[1], whole = size_round_up(channels, WHOLE_BLOCKS);
  if (channels == whole || channels < WHOLE_BLOCKS || !assumes_finite(g) || !m || m->op != OP_Conv ||
      m->group != 1) return channels;
  if (!is_const_conv(m) || !const_is_finite(m->in[1]) || only_reader(n->in[0]) != n || m->out[0] != x)
    return channels;
  for (int i = 0; i < m->n_step; i++) {
    if (m->step[i].arg >= 0) return channels;
  }
  Shape s = m->in[1]->shape;
  int64_t each = shape_count(&s) / channels;
  s.d[0] = whole;
  Value *v = value_const_f32(g, m->in[1]->name, s);
  move_bytes(f32_of(v), m->in[1]->data, (size_t)(channels * each) * sizeof(float));
  node_set_input(g, m, 1, v);
  if (m->n_in > 2 && m->in[2]) {
    Value *b = value_const_f32(g, m->in[2]->name, shape_of(1, whole));
    move_bytes(f32_of(b), m->in[2]->data, (size_t)channels * sizeof(float));
    node_set_input(g, m, 2, b);
  }
  infer_node(g, m);
  return whole;
}

/* Of a convolution of integers; NULL: 0. */
static Value *zero_point(const Node *n, int i) { return n->op == OP_ConvInteger && has_input(n, i) ? n->in[i] : NULL; }

/* The sum of all taps but the last, each a convolution of its own. */
static Value *sum_before(const Volumes *w, Node *n, Value *x, const Depth *d) {
  Graph *g = w->g;
  Value *sum = NULL;
  for (int64_t k = 0; k + 1 < d->kernel; k++) {
    Value *in[] = {unfold(w, n, x, d, k, 1), stacked_weights(g, n, d->first + k, 1, n->in[1]->shape.d[1]),
                   zero_point(n, 2), zero_point(n, 3)};
    Node *part = walk_before(g, n->op, n->name, n->op == OP_Conv ? 2 : 4, in, 1);
    set_window(g, part, &n->win);
    attr_set_int(g, part, "group", n->group);
    if (sum) node_add_step_with(g, part, (Step){.op = OP_Add}, sum);
    sum = new_result(g, part);
  }
  return sum;
}

static void fold_conv(const Volumes *w, Node *n) {
  Graph *g = w->g;
  Depth d;
  depth_of(n, &d);
  Value *x = frames_of(w, n->in[0]);
  int64_t channels = n->in[1]->shape.d[1], taps = n->group == 1 ? d.kernel : 1;
  Value *sum = n->group == 1 ? NULL : sum_before(w, n, x, &d);
  if (taps > 1) channels = fill_blocks(w, n, x);
  Value *weights = stacked_weights(g, n, d.first + d.kernel - taps, taps, channels);
  node_set_input(g, n, 0, is_whole(&d) ? x : unfold(w, n, x, &d, d.kernel - taps, taps));
  node_set_input(g, n, 1, weights);
  if (sum) add_sum(g, n, sum); /* before its own steps */
}

/* ==== one node ==== */

/* The window of a pool along the depth, whose result has that many volumes and frames. */
static void set_depth(Graph *g, Node *n, const Window *k, int64_t volumes, int64_t frames) {
  bool flat = k->kd == 1 && k->sd == 1 && k->front == 0 && k->back == 0;
  if (!flat) attr_set_depth(g, n, k, volumes, frames);
}

static bool is_volume(const Value *v) {
  return v && v->shape.rank == 5 && (v->type == T_F32 || v->type == T_I32 || is_8_bit(v->type)) && shape_count(&v->shape) > 0;
}

/* A convolution whose weights, and zero points, are known. */
static bool is_known_conv(const Node *n) {
  if (n->op == OP_Conv) return is_const_conv(n);
  for (int i = 1; i < 4; i++)
    if (has_input(n, i) && !n->in[i]->data) return false;
  return true;
}

static bool all_known(const Volumes *w, const Node *n) {
  for (int i = 0; i < n->n_in; i++) {
    if (!form_of(&w->frames, n->in[i])) return false;
  }
  return true;
}

/* Interleaved frames of several volumes must not be counted across them. */
static bool joins_whole_volumes(const Node *n) {
  const int64_t *y = n->out[0]->shape.d;
  return y[0] == 1 || y[2] % n->win.sd == 0;
}

static bool is_folded(const Volumes *w, const Node *n) {
  Depth d;
  if (!is_volume(n->out[0]) || !is_volume(n->in[0]) || !steps_fit(n)) return false;
  switch (n->op) {
  case OP_Conv: case OP_ConvInteger: return is_known_conv(n) && depth_of(n, &d) && (n->group == 1 || n->n_step < MAX_STEPS);
  case OP_MaxPool: case OP_AveragePool: case OP_LpPool: return (n->n_out < 2 || !n->out[1]) && form_of(&w->frames, n->in[0]);
  case OP_Pointwise: return form_of(&w->frames, n->in[0]);
  case OP_Concat: return n->p.axis == 1 && all_known(w, n);
  case OP_Interleave: return joins_whole_volumes(n) && all_known(w, n);
  default: return false;
  }
}

static void fold_node(const Volumes *w, Node *n) {
  Graph *g = w->g;
  const Shape y = n->out[0]->shape;
  const Window k = n->win;
  for (int i = 0; i < n->n_step; i++) {
    int arg = n->step[i].arg;
    if (arg >= 0) node_set_input(g, n, arg, argument_of(w, n->in[arg], &y));
  }
  if (op_info[n->op].family == FAMILY_CONV) fold_conv(w, n);
  else if (n->op == OP_Concat || n->op == OP_Interleave) {
    for (int i = 0; i < n->n_in; i++) node_set_input(g, n, i, frames_of(w, n->in[i]));
  } else node_set_input(g, n, 0, frames_of(w, n->in[0]));
  if (n->op == OP_Interleave) attr_set_ints(g, n, "strides", 3, (int64_t[]){k.sd, k.sh, k.sw});
  else if (n->op != OP_Pointwise && n->op != OP_Concat) set_window(g, n, &k);
  if (op_info[n->op].family == FAMILY_POOL) set_depth(g, n, &k, y.d[0], y.d[2]);
  Value *volume = n->out[0], *v = new_result(g, n);
  form_set(&w->frames, volume, v);
  join_frames(g, v, volume);
}

/* ==== pools of all of a volume ==== */

/* A pool of x like n, by that operator. */
static Node *pool_before(Graph *g, const Node *n, Op op, Value *x) {
  Node *pool = walk_before(g, op, n->name, 1, &x, 1);
  if (is_lp_pool(n)) attr_set_int(g, pool, "p", n->p.power);
  return pool;
}

/* Of every frame, then over the frames, as the rows of one image [N,1,D,C]. */
static void split_global_pool(const Volumes *w, Node *n) {
  Graph *g = w->g;
  const int64_t *d = n->in[0]->shape.d;
  Value *x = frames_of(w, n->in[0]);
  Shape rows = shape_of(4, d[0], (int64_t)1, d[2], d[1]), y = n->out[0]->shape;
  Value *v = view_before(g, n->name, new_result(g, pool_before(g, n, n->op, x)), &rows);
  Node *pool = pool_before(g, n, is_max_pool(n) ? OP_MaxPool : is_lp_pool(n) ? OP_LpPool : OP_AveragePool, v);
  attr_set_ints(g, pool, "kernel_shape", 2, (int64_t[]){d[2], 1});
  v = view_before(g, n->name, new_result(g, pool), &y);
  give_output(v->def, n);
  n->dead = true;
}

static bool is_split(const Volumes *w, const Node *n) {
  return is_global_pool(n) && n->in[0]->type == T_F32 && is_volume(n->in[0]) && form_of(&w->frames, n->in[0]) && n->n_step == 0;
}

void pass_volume(Graph *g) {
  Volumes w = {.g = g, .frames = forms_new(g)};
  bool any = false;
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    bool split = is_split(&w, n), folded = !split && is_folded(&w, n);
    if (split) split_global_pool(&w, n);
    if (folded) fold_node(&w, n);
    any |= split || folded;
  }
  if (any) remove_dead(g); /* views that nobody reads */
}
