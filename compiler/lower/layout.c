/* layout.c: where every tensor's elements lie. Convolutions and what hangs on them work on channel blocks
 * [N][H][C/V][W][V] (Build.planes: [N][C/V][H][W][V]), V being the format of the type (channel_block), everything else on
 * dense row-major tensors; a Reorder stands where the two meet. The halo of a blocked tensor is the border that its readers'
 * padding needs, so that no inner loop tests bounds; readers whose borders hold different elements have one each, and those that
 * read inside none. */
#include "conv.h"

#include <string.h>

typedef struct Layouter {
  const Build *build;
  Graph *g;
  int n_copy;         /* entries of the tables below, by value id */
  Value **blocked, **plain, **planar; /* the copy of a value in another layout, once made */
} Layouter;

/* Channel blocks, of v's type or as `l` has them, with the halo that `l` asks for. */
static Layout layout_blocked(const Build *b, const Value *v, Layout l) {
  const Shape *s = &v->shape;
  if (!l.block) l.block = channel_block(b->target, v->type);
  l.pix = l.block;
  int64_t blocks = size_ceiling(s->d[1], l.block), height = size_add(size_add(l.top, s->d[2]), l.bottom);
  int64_t width = size_mul(size_add(size_add(l.left, s->d[3]), l.right), l.pix);
  l.c = b->planes ? size_mul(height, width) : width;
  l.row = b->planes ? width : size_mul(blocks, width);
  l.n = size_mul(blocks, size_mul(height, width));
  l.origin = size_add(size_mul(l.front, l.n), size_add(size_mul(l.top, l.row), size_mul(l.left, l.pix)));
  l.size = size_mul(size_add(size_add(l.front, s->d[0]), l.back), l.n);
  return l;
}

/* [N][C][H][W] with a halo: the input of a convolution with so few channels that blocks would be mostly empty. */
static Layout layout_planar(const Shape *s, Layout l) {
  l.pix = 1;
  l.row = size_add(size_add(l.left, s->d[3]), l.right);
  l.c = size_mul(size_add(size_add(l.top, s->d[2]), l.bottom), l.row);
  l.n = size_mul(s->d[1], l.c);
  l.origin = size_add(size_mul(l.top, l.row), l.left);
  l.size = size_mul(s->d[0], l.n);
  return l;
}

/* ==== steps beside a blocked result ==== */
/* Can step i run on blocks? Behind convolutions and pools of f32 it makes f32, else what has as many elements in a block as there are
 * floats in a vector, or more. */
static bool step_fits_blocks(const Node *n, int i) {
  Type t = step_type(n, i);
  bool any = n->op == OP_Pointwise || n->in[0]->type != T_F32, type_fits = any ? type_size(t) <= type_size(T_F32) : t == T_F32;
  return type_fits && step_arg_class(n, &n->step[i]) != ARG_OTHER;
}

static bool steps_fit_blocks(const Node *n) {
  for (int i = 0; i < n->n_step; i++) {
    if (!step_fits_blocks(n, i)) return false;
  }
  return true;
}

/* Steps from number `first` on become a Pointwise of their own. */
static void split_epilogue(Graph *g, Node *n, int first) {
  if (first == n->n_step) return;
  Value *y = n->out[0], *x = value_new(g, format_text(g->cx, "%s.blocks", y->name), step_type(n, first - 1), y->shape);
  Node *rest = walk_after(g, OP_Pointwise, n->name, 1, &x, 1);
  for (int i = first; i < n->n_step; i++) {
    int arg = n->step[i].arg;
    node_add_step_with(g, rest, n->step[i], arg < 0 ? NULL : n->in[arg]);
  }
  n->n_step = first;
  n->n_in = op_info[n->op].max_in; /* arguments stand in the order of their steps */
  for (int i = 0; i < first; i++) {
    if (n->step[i].arg >= n->n_in) n->n_in = n->step[i].arg + 1;
  }
  n->out[0] = x;
  x->def = n;
  x->batched = y->batched;
  rest->out[0] = y;
  y->def = rest;
}

/* Convolutions leave what can't run on blocks, and pools and normalisations what is no f32. */
static void split_epilogues(Graph *g) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    bool conv = conv_on_blocks(n), image = op_info[n->op].blocks == BLOCKS_IMAGES && n->op != OP_Pointwise && n->in[0]->type == T_F32;
    int first = 0;
    while (first < n->n_step && (conv ? step_fits_blocks(n, first) : step_type(n, first) == T_F32)) first++;
    if (conv || image) split_epilogue(g, n, first);
  }
}

/* ==== copies in another layout ==== */
/* Before the current node; where there is none, behind all. */
static Value *reorder(Layouter *w, Value *v, const char *suffix, Layout l) {
  Graph *g = w->g;
  const char *name = format_text(g->cx, "%s.%s", v->name, suffix);
  Node *n = g->walking ? walk_before(g, OP_Reorder, name, 1, &v, 1) : node_new(g, OP_Reorder, name, 1, &v, 1);
  Value *out = value_new(g, n->name, v->type, v->shape);
  out->def = n;
  out->batched = v->batched;
  out->layout = l;
  n->out[0] = out;
  return out;
}

/* The copy of v, made once; the tables know the values that were there at first. */
static Value *copy_of(Layouter *w, Value *v, Value **copies, const char *suffix, Layout l) {
  if (v->id >= w->n_copy) return reorder(w, v, suffix, l);
  if (!copies[v->id]) copies[v->id] = reorder(w, v, suffix, l);
  return copies[v->id];
}

static Value *as_blocked(Layouter *w, Value *v) {
  return v->layout.block ? v : copy_of(w, v, w->blocked, "blocked", layout_blocked(w->build, v, (Layout){0}));
}

/* Blocks of one pixel are dense too, but only until a halo or a Concat in place parts them: plan sees which stay so and
 * makes their Reorder a view. */
static Value *as_plain(Layouter *w, Value *v) {
  return v->layout.block ? copy_of(w, v, w->plain, "plain", layout_plain(&v->shape)) : v;
}

static Value *as_planar(Layouter *w, Value *v) { return copy_of(w, v, w->planar, "planar", layout_plain(&v->shape)); }

/* ==== the border that a convolution reads ==== */

static void widen(int64_t *side, int64_t need) {
  if (need > *side) *side = need;
}

static void share_halo(Layout *a, const Layout *b) {
  if (layout_has_halo(b)) a->fill = b->fill;
  widen(&a->top, b->top);
  widen(&a->left, b->left);
  widen(&a->bottom, b->bottom);
  widen(&a->right, b->right);
  widen(&a->front, b->front);
  widen(&a->back, b->back);
}

/* Can there be one border for both? */
static bool halos_agree(const Layout *a, const Layout *b) { return !layout_has_halo(a) || !layout_has_halo(b) || a->fill == b->fill; }

static Layout halo_of(const Node *n) {
  const Window *win = &n->win;
  const int64_t *out = n->out[0]->shape.d, *in = n->in[0]->shape.d;
  Layout l = {.fill = win->fill};
  widen(&l.top, win->top);
  widen(&l.left, win->left);
  int64_t rows = n->plan->how->rows ? n->plan->how->rows(n) : out[2];
  widen(&l.bottom, (rows - 1) * win->sh + (win->kh - 1) * win->dh - win->top - (in[2] - 1));
  int64_t behind = n->plan->how->pixel ? 3 : 0; /* four bytes are read where the last one is wanted */
  widen(&l.right, (out[3] - 1) * win->sw + (win->kw - 1) * win->dw - win->left - (in[3] - 1) + behind);
  return l;
}

Value *whole_of(Value *v) {
  while (v->alias) v = v->alias;
  return v;
}

/* n's input gets that halo, which n needs; where another reader's border holds something else, n reads a copy. */
static void need_halo(Layouter *w, Node *n, Layout halo) {
  Value *x = n->in[0];
  if (!halos_agree(&whole_of(x)->layout, &halo)) {
    x = reorder(w, x, "border", x->layout.block ? layout_blocked(w->build, x, (Layout){0}) : layout_plain(&x->shape));
    node_set_input(w->g, n, 0, x);
  }
  share_halo(&whole_of(x)->layout, &halo);
}

/* ==== one node ==== */

static bool is_image(const Value *v) { return v->type == T_F32 && v->shape.rank == 4; }

/* The same of 8 bits. */
static bool is_byte_image(const Value *v) { return is_8_bit(v->type) && v->shape.rank == 4; }

/* Does a Resample take elements as they are? */
static bool takes_elements(const Node *n) {
  for (int i = 0; i < n->p.resample.axes; i++)
    if (resample_weight(n, i) || resample_taps(n, i) != 1) return false;
  return true;
}

/* Pools have code for such, and what takes elements of its input; where these are bytes, without steps. */
static bool has_byte_code(const Node *n) {
  if (n->op == OP_Resample) return takes_elements(n) && n->n_step == 0;
  return (n->op == OP_MaxPool && n->n_step == 0) || n->op == OP_GlobalSumPool || n->op == OP_QuantizedAveragePool;
}

/* Can places in the window of a pool, in bytes from the map, be computed in 64 bits, wherever it lies? */
static bool window_fits(const Node *n) {
  const Window *w = &n->win;
  const int64_t part[] = {w->kd, w->kh, w->kw, w->sd, w->sh, w->sw, w->dd, w->dh, w->dw,
                          w->front, w->top, w->left, w->back, w->bottom, w->right};
  int64_t largest = 1;
  for (size_t i = 0; i < COUNT(part); i++) largest = size_max(largest, part[i]);
  return size_mul(size_mul(largest, 64), n->in[0]->layout.n) < SIZE_OVERFLOW;
}

/* Do the places of a square hold whole blocks of channels? */
static bool moves_blocks(const Node *n) {
  const Value *x = n->in[0];
  int64_t channels = n->op == OP_SpaceToDepth ? x->shape.d[1] : n->out[0]->shape.d[1];
  return (is_image(x) || is_byte_image(x)) && x->layout.block && !n->p.by_channel && channels % x->layout.block == 0;
}

static bool cuts_blocks(const Layouter *w, const Node *n) {
  const Value *x = n->in[0];
  return (is_image(x) || is_byte_image(x)) && x->layout.block == channel_block(w->build->target, x->type) && cuts_maps(w->g, n);
}

static bool runs_on_blocks(const Layouter *w, const Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  switch (op_info[n->op].blocks) {
  case BLOCKS_IF_PLANNED: return conv_on_blocks(n);
  case BLOCKS_IMAGES:
    if (n->op == OP_Normalize && !normalize_fits_blocks(w->build->target, n)) return false;
    if (n->op == OP_Pointwise) return x->layout.block && shape_equal(&x->shape, &y->shape) && steps_fit_blocks(n);
    if (n->op == OP_Resample && !resamples_maps(n)) return false;
    if (n->op == OP_LRN && n->p.size / 2 > x->layout.block) return false; /* over more than the neighbours */
    return (is_image(x) || (is_byte_image(x) && has_byte_code(n))) && x->layout.block && (n->n_out < 2 || !n->out[1]) && steps_fit_blocks(n) && window_fits(n);
  case BLOCKS_MOVED: case BLOCKS_MADE: return moves_blocks(n);
  case BLOCKS_CUT: return cuts_blocks(w, n);
  case BLOCKS_NO: case BLOCKS_JOINED: case BLOCKS_INTERLEAVED: case BLOCKS_STACKED: break;
  }
  return false;
}

static void arguments_on_blocks(Layouter *w, Node *n) {
  for (int i = 0; i < n->n_step; i++) {
    int arg = n->step[i].arg;
    ArgClass class = step_arg_class(n, &n->step[i]);
    if (class == ARG_PIXEL) node_set_input(w->g, n, arg, as_plain(w, n->in[arg]));
    if (class == ARG_TENSOR || (class == ARG_CHANNEL && !n->in[arg]->data)) node_set_input(w->g, n, arg, as_blocked(w, n->in[arg]));
  }
}

static bool reads_in_place(const Node *n) { return n->plan && n->plan->how->inside && n->plan->how->inside(n->plan); }

static void place_on_blocks(Layouter *w, Node *n) {
  bool planar = n->plan && n->plan->how->planar && n->plan->how->planar(n->plan), in_place = reads_in_place(n);
  const Layout pixels = {.block = n->plan && n->plan->how->pixel ? n->plan->how->pixel(n->plan) : 0};
  Value *x = n->in[0];
  if (pixels.block && !makes_pixels(x)) x = reorder(w, x, "pixels", pixels);
  if (pixels.block) x->layout = layout_blocked(w->build, x, pixels);
  if (!in_place || x->layout.block) node_set_input(w->g, n, 0, planar ? as_planar(w, x) : as_blocked(w, x));
  if (op_info[n->op].family == FAMILY_CONV && !in_place) need_halo(w, n, halo_of(n));
  if (n->op == OP_Normalize) plan_normalize(w->build->target, n);
  arguments_on_blocks(w, n);
  if (!n->plan || !n->plan->how->plain) n->out[0]->layout = layout_blocked(w->build, n->out[0], (Layout){0});
}

/* Do frames of v lie stacked as they are, or images of several runs in it? Then v lies by itself. */
static bool is_stacked(Value *v) {
  Use *at = NULL;
  if (v->def && v->def->op == OP_Images) return true;
  for (const Node *r; (r = next_reader(v, &at));) {
    if (op_info[r->op].blocks == BLOCKS_STACKED && r->out[0]->alias == v) return true;
  }
  return false;
}

/* `whole` has the halos of the parts so far. */
static bool part_joins(const Layouter *w, const Node *n, Value *part, Layout *whole) {
  if (!part || part->shape.d[1] % channel_block(w->build->target, part->type) != 0) return false;
  if (part->batched != node_is_batched(n)) return false; /* it outlives the image's whole */
  if (n->op == OP_Split) return true;
  if (!part->layout.block || part->alias || part->is_output || is_stacked(part) || !halos_agree(whole, &part->layout)) return false;
  share_halo(whole, &part->layout);
  return true;
}

/* A part of a Concat that lies in another whole on whole blocks, as the features of a dense block do, or twice in this one, can be
 * copied; that moves less than a Concat of dense tensors, which would be copied there and back. */
static bool part_copies(const Layouter *w, const Node *n, Value *part) {
  if (n->op != OP_Concat || n->out[0]->is_output || !part || !part->layout.block) return false;
  bool whole_blocks = part->shape.d[1] % channel_block(w->build->target, part->type) == 0;
  return whole_blocks && part->batched == node_is_batched(n) && (part->alias || is_stacked(part));
}

/* Whole blocks beside each other: the parts of a Concat, or of a Split, lie inside the whole. */
static bool joins_blocks(const Layouter *w, const Node *n) {
  if (op_info[n->op].blocks != BLOCKS_JOINED || !(is_image(n->in[0]) || is_byte_image(n->in[0]))) return false;
  if (n->p.axis != 1) return false;
  if (n->op == OP_Split && !n->in[0]->layout.block) return false;
  int parts = n->op == OP_Concat ? n->n_in : n->n_out, i = 0;
  Value **part = n->op == OP_Concat ? n->in : n->out;
  Layout whole = {0};
  for (; i < parts; i++) {
    if (part_joins(w, n, part[i], &whole)) part[i]->alias = part[i]; /* the same part again does not join */
    else if (!part_copies(w, n, part[i])) break;
  }
  for (int k = 0; k < i; k++)
    if (part[k]->alias == part[k]) part[k]->alias = NULL;
  return i == parts;
}

/* Bytes on blocks that the parts of a Concat do not fill, but run by run of some channels: these are copied, pixel by pixel. */
static bool copies_runs(const Layouter *w, const Node *n) {
  enum { LEAST_RUN = 8 };
  if (n->op != OP_Concat || n->p.axis != 1 || !is_byte_image(n->in[0])) return false;
  int64_t run = channel_block(w->build->target, n->in[0]->type);
  for (int i = 0; i < n->n_in; i++) {
    if (!n->in[i]->layout.block) return false;
    run = size_common_divisor(run, n->in[i]->shape.d[1]);
  }
  return run >= LEAST_RUN;
}

/* Parts that can't lie in the whole become copies that can. */
static void copy_parts(Layouter *w, Node *n) {
  Layout whole = {0};
  for (int i = 0; i < n->n_in; i++) {
    Value *part = n->in[i];
    if (part_joins(w, n, part, &whole)) part->alias = part;
    else node_set_input(w->g, n, i, reorder(w, part, "part", layout_blocked(w->build, part, (Layout){0})));
  }
}

static void join_blocks(Layouter *w, Node *n) {
  if (n->op == OP_Concat) copy_parts(w, n);
  Value *whole = n->op == OP_Concat ? n->out[0] : n->in[0];
  whole->layout = layout_blocked(w->build, whole, n->op == OP_Concat ? (Layout){0} : whole->layout);
  int parts = n->op == OP_Concat ? n->n_in : n->n_out;
  for (int i = 0; i < parts; i++) {
    Value *part = n->op == OP_Concat ? n->in[i] : n->out[i];
    part->layout = layout_blocked(w->build, part, n->op == OP_Concat ? part->layout : (Layout){0});
    share_halo(&whole_of(whole)->layout, &part->layout);
    part->alias = whole;
  }
}

/* Images on blocks that nobody else reads lie in the whole, every so many rows and pixels. */
static bool interleaves_blocks(const Node *n) {
  if (op_info[n->op].blocks != BLOCKS_INTERLEAVED || !is_image(n->in[0])) return false;
  for (int i = 0; i < n->n_in; i++) {
    Value *part = n->in[i];
    if (!part->layout.block || part->alias || is_stacked(part) || only_reader(part) != n || part->batched != node_is_batched(n)) return false;
  }
  return true;
}

static void interleave_blocks(Layouter *w, Node *n) {
  n->out[0]->layout = layout_blocked(w->build, n->out[0], (Layout){0});
  for (int i = 0; i < n->n_in; i++) n->in[i]->alias = n->out[0];
}

static bool is_interleaved(const Value *v) { return v->alias && v->alias->def && v->alias->def->op == OP_Interleave; }

/* The images of one volume whose channels fill blocks lie behind each other, and between others that hold the fill where the windows
 * begin before the first and end behind the last. */
static bool stacks_blocks(const Layouter *w, const Node *n) {
  const Value *x = n->in[0];
  if (op_info[n->op].blocks != BLOCKS_STACKED || !(is_image(x) || is_byte_image(x)) || n->p.depth != x->shape.d[0]) return false;
  int64_t block = channel_block(w->build->target, x->type), whole = size_round_up(x->shape.d[1], block);
  if (n->win.kd > 1 && (n->win.dd != 1 || n->p.size != whole)) return false;
  return !x->alias && !x->data && x->batched == n->out[0]->batched && (x->layout.block || n->p.size == whole);
}

static void stack_blocks(Layouter *w, Node *n) {
  const Window *k = &n->win;
  Value *y = n->out[0];
  Layout frames = {.fill = k->fill};
  node_set_input(w->g, n, 0, as_blocked(w, n->in[0]));
  widen(&frames.front, k->front);
  widen(&frames.back, (y->shape.d[0] - 1) * k->sd - k->front + (k->kd - 1) * k->dd - (n->in[0]->shape.d[0] - 1));
  need_halo(w, n, frames);
  y->layout = layout_blocked(w->build, y, (Layout){0});
  y->alias = n->in[0];
}

/* The parities of an image of few channels are made in blocks at once. */
static bool makes_blocks(const Node *n) {
  return op_info[n->op].blocks == BLOCKS_MADE && is_image(n->out[0]) && n->in[0]->shape.d[1] <= 4 && n->p.block == 2 && !n->p.by_channel;
}

/* ==== transposed and cut inputs of which only those read who step by strides: the same memory under others ==== */
static bool steps_by_strides(Value *v) {
  Use *at = NULL;
  for (const Node *r; (r = next_reader(v, &at));) {
    bool is_view = r->out[0]->alias == v && (r->op == OP_Transpose || r->op == OP_Slice);
    bool in_place = reads_in_place(r) && r->n_in <= op_info[r->op].max_in; /* v is no argument of a step */
    if (r->op != OP_Reorder && !makes_blocks(r) && !is_view && !in_place) return false;
  }
  return true;
}

static bool is_moved_input(const Node *n) {
  if (n->op != OP_Transpose && n->op != OP_Slice) return false;
  const Value *x = n->in[0], *y = n->out[0];
  if (x->shape.rank != 4 || y->is_output || x->data || shape_count(&y->shape) == 0) return false;
  return !x->layout.block && !layout_has_halo(&x->layout) && (n->op == OP_Transpose || (x->type == T_U8 && !has_run_time_bounds(n)));
}

/* At the end, when the readers are known, and from them back. */
static void find_views(Graph *g) {
  for (int i = g->n_node - 1; i >= 0; i--) {
    const Node *n = g->node[i];
    if (is_moved_input(n) && steps_by_strides(n->out[0])) n->out[0]->alias = n->in[0];
  }
}

static void set_view_strides(Graph *g, const Node *n) {
  Value *x = n->in[0], *y = n->out[0];
  if ((n->op != OP_Transpose && n->op != OP_Slice) || y->alias != x) return;
  const int64_t from[] = {x->layout.n, x->layout.c, x->layout.row, x->layout.pix};
  int64_t start[MAX_RANK] = {0}, step[MAX_RANK] = {1, 1, 1, 1}, axis[] = {0, 1, 2, 3}, stride[4], at = 0;
  Shape result;
  if (n->op == OP_Slice) slice_ranges(g, n, start, step, &result);
  else move_bytes(axis, n->p.perm, sizeof axis);
  for (int k = 0; k < 4; k++) {
    stride[k] = from[axis[k]] * step[axis[k]];
    at += start[k] * from[k];
  }
  y->layout = (Layout){.n = stride[0], .c = stride[1], .row = stride[2], .pix = stride[3], .size = shape_count(&y->shape)};
  y->alias_offset = at * (int64_t)type_size(y->type);
}

static void place_blocks(Layouter *w, Node *n) {
  node_set_input(w->g, n, 0, as_plain(w, n->in[0]));
  n->out[0]->layout = layout_blocked(w->build, n->out[0], (Layout){0});
}

/* The images of a run lie where they are in the input, and what comes of them in that of all images. */
static void place_images(Layouter *w, Node *n) {
  Value *x = n->in[0], *y = n->out[0];
  y->layout = x->layout.block ? layout_blocked(w->build, y, x->layout) : layout_plain(&y->shape);
  if (n->op == OP_Image) y->alias = x;
  else x->alias = y;
}

/* Over all channels of every pixel, so few that fp32 sums do: blocks are read as they are. */
static bool reduces_blocks(const Node *n) {
  enum { MOST_BLOCKS = 256 };
  const Value *x = n->in[0];
  unsigned flags = reduction_flags(n->op);
  if (!flags || flags & REDUCES_SHIFTED || has_run_time_axes(n) || n->p.axes != 0x2 || !is_image(x) || !x->layout.block) return false;
  return x->shape.d[1] <= (int64_t)MOST_BLOCKS * x->layout.block && shape_count(&x->shape) > 0;
}

static void place_plain(Layouter *w, Node *n) {
  for (int i = reduces_blocks(n); i < n->n_in; i++) {
    Value *v = n->in[i] ? as_plain(w, n->in[i]) : NULL;
    if (v != n->in[i]) node_set_input(w->g, n, i, v);
  }
  for (int i = 0; i < n->n_out; i++) {
    if (n->out[i]) n->out[i]->layout = layout_plain(&n->out[i]->shape);
  }
}

/* ==== halos ==== */

/* Where both borders hold the same they become one set, known by a value that has the halo of all. */
static void join_halos(Graph *g, int *set, const Value *a, const Value *b) {
  Layout *x = &g->value[set_of(set, a->id)]->layout, *y = &g->value[set_of(set, b->id)]->layout;
  if (!halos_agree(x, y)) return;
  share_halo(y, x);
  set_join(set, a->id, b->id);
}

/* A result can take the place of its residual only if both have one halo; parts of a Concat have the whole's. All that are joined
 * so, in however many steps, get the widest halo among them. A dense residual, of which pixels are made, stays as it is. */
static void share_halos(Graph *g) {
  int *set = sets_new(g->cx, g->n_value);
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = g->value[i];
    if (v->alias && v->layout.block && !is_interleaved(v)) join_halos(g, set, v, v->alias);
  }
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    for (int k = 0; k < n->n_step && n->out[0]->layout.block; k++) {
      const Value *arg = n->step[k].arg < 0 ? NULL : n->in[n->step[k].arg];
      bool tensor = step_arg_class(n, &n->step[k]) == ARG_TENSOR;
      if (tensor && arg->layout.block && arg->type == n->out[0]->type) join_halos(g, set, arg, n->out[0]);
    }
  }
  for (int i = 0; i < g->n_value; i++) share_halo(&g->value[i]->layout, &g->value[set_of(set, i)]->layout);
}

/* Strides too, lest the addresses of an empty tensor's border overflow. */
static void check_size(const Build *b, const Value *v) {
  int64_t extent = v->layout.n > v->layout.size ? v->layout.n : v->layout.size, bytes;
  if (!v->layout.block && !layout_has_halo(&v->layout)) return;
  if (mul_size(extent, (int64_t)type_size(v->type), &bytes) && bytes <= b->options->max_memory) return;
  fail(b->graph->cx, "value \"%s\" with the border of zeros around it is larger than the memory limit", v->name);
}

static void set_strides(const Build *b) {
  Graph *g = b->graph;
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    if (v->layout.block) v->layout = layout_blocked(b, v, v->layout);
    else if (layout_has_halo(&v->layout)) v->layout = layout_planar(&v->shape, v->layout);
    check_size(b, v);
  }
}

/* Parts keep their own shape but step by the whole's strides. */
static void set_part_strides(Node *n) {
  Value *whole = n->op == OP_Concat ? n->out[0] : n->in[0];
  int parts = n->op == OP_Concat ? n->n_in : n->n_out;
  int64_t offset = 0;
  for (int i = 0; i < parts; i++) {
    Value *part = n->op == OP_Concat ? n->in[i] : n->out[i];
    if (!part || part->alias != whole) return;
    int64_t channels = part->shape.d[1];
    part->layout = whole->layout;
    part->alias_offset = offset * (int64_t)type_size(whole->type);
    offset += channels / whole->layout.block * whole->layout.c;
  }
}

/* Parts have no border: the node fills the whole's. */
static void set_interleaved_strides(Node *n) {
  const Layout *whole = &n->out[0]->layout;
  for (int i = 0; i < n->n_in && n->in[i]->alias == n->out[0]; i++) {
    int64_t first[MAX_RANK], stride[MAX_RANK];
    interleave_part(n, i, first, stride);
    n->in[i]->layout = (Layout){.block = whole->block, .n = size_mul(whole->n, stride[0]), .c = whole->c,
                                .row = size_mul(whole->row, stride[2]), .pix = size_mul(whole->pix, stride[3]), .origin = whole->origin,
                                .size = whole->size};
    int64_t at = size_add(size_mul(first[0], whole->n), size_add(size_mul(first[2], whole->row), size_mul(first[3], whole->pix)));
    n->in[i]->alias_offset = size_mul(at, (int64_t)type_size(n->in[i]->type));
  }
}

/* Each image is a view of as many as it stacks, over which the next one's lies. */
static void set_stacked_strides(Node *n) {
  const Value *x = n->in[0];
  Value *y = n->out[0];
  if (y->alias != x) return;
  y->layout = x->layout;
  y->layout.n = size_mul(x->layout.n, n->win.sd);
  y->alias_offset = -n->win.front * x->layout.n * (int64_t)type_size(x->type);
}

static void plan_halos(const Build *b) {
  Graph *g = b->graph;
  share_halos(g);
  set_strides(b);
  for (int i = g->n_node - 1; i >= 0; i--) { /* a whole before its parts, which may be wholes too */
    if (g->node[i]->op == OP_Concat) set_part_strides(g->node[i]);
    if (g->node[i]->op == OP_Interleave) set_interleaved_strides(g->node[i]);
  }
  for (int i = 0; i < g->n_node; i++) {
    if (g->node[i]->op == OP_Split) set_part_strides(g->node[i]);
    if (op_info[g->node[i]->op].blocks == BLOCKS_STACKED) set_stacked_strides(g->node[i]);
  }
}

static void outputs_plain(Layouter *w) {
  Graph *g = w->g;
  for (int i = 0; i < g->n_output; i++) {
    Value *v = g->output[i];
    if (!v->layout.block) continue;
    Value *out = reorder(w, v, "output", layout_plain(&v->shape));
    const char *name = v->name;
    v->name = out->name;
    out->name = name;
    v->is_output = false;
    output_set(g, i, out);
  }
}

/* Only planes of channel blocks lie behind each other over several images; emit/halo.c rests on that too. */
static bool stacks_images(const Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    if (op_info[g->node[i]->op].blocks == BLOCKS_STACKED) return true;
  }
  return false;
}

void pass_layout(Build *b) {
  Graph *g = b->graph;
  split_epilogues(g);
  Layouter w = {.build = b, .g = g, .n_copy = g->n_value};
  b->planes = b->many_shapes || stacks_images(g);
  for (int i = 0; i < g->n_value; i++) g->value[i]->layout = layout_plain(&g->value[i]->shape);
  w.blocked = alloc_n(g->cx, (size_t)g->n_value, sizeof *w.blocked);
  w.plain = alloc_n(g->cx, (size_t)g->n_value, sizeof *w.plain);
  w.planar = alloc_n(g->cx, (size_t)g->n_value, sizeof *w.planar);
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    if (runs_on_blocks(&w, n)) place_on_blocks(&w, n);
    else if (joins_blocks(&w, n)) join_blocks(&w, n);
    else if (copies_runs(&w, n)) n->out[0]->layout = layout_blocked(b, n->out[0], (Layout){0});
    else if (interleaves_blocks(n)) interleave_blocks(&w, n);
    else if (stacks_blocks(&w, n)) stack_blocks(&w, n);
    else if (makes_blocks(n)) place_blocks(&w, n);
    else if (n->op == OP_Image || n->op == OP_Images) place_images(&w, n);
    else place_plain(&w, n);
  }
  outputs_plain(&w);
  find_views(g);
  for (int i = 0; i < g->n_node; i++) set_view_strides(g, g->node[i]);
  plan_halos(b);
}
