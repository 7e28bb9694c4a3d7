/* stem.c: the first convolution of a network, of stride 2 over the 3 channels of an image, becomes one of stride 1 over 12:
 * SpaceToDepth makes channels of the four parities of its input, and each parity meets the taps of its parity. That is the same
 * sum, and one for which Winograd's algorithm fits: 48 products an output and channel for the 147 of a 7x7 kernel. */
#include "rewrite.h"

/* Padded by `blocks` blocks of 2, of which `shift` (0 or 1) is more than the padding was: tap t becomes tap t + shift. */
typedef struct Side {
  int64_t blocks, shift, after;
  int64_t taps; /* in blocks */
} Side;

/* False: the blocks would have to be cut at the end. */
static bool side_of(int64_t kernel, int64_t padding, int64_t in, int64_t out, Side *s) {
  s->blocks = (padding + 1) / 2;
  s->shift = padding % 2;
  s->taps = (kernel + s->shift + 1) / 2;
  s->after = out - s->blocks + s->taps - 1 - in / 2;
  return in % 2 == 0 && s->after >= 0;
}

/* With fewer results a channel there is too little to save, or a vector is not filled. */
enum { LEAST_KERNEL = 5, LEAST_CHANNELS = 8 };

static bool is_stem(const Node *n) {
  if (n->op != OP_Conv || n->in[0]->shape.rank != 4 || n->in[0]->type != T_F32 || !n->in[1]->data) return false;
  const Window *k = &n->win;
  int64_t channels = n->in[0]->shape.d[1];
  bool strided = k->sh == 2 && k->sw == 2 && k->dh == 1 && k->dw == 1 && n->group == 1;
  bool large = k->kh == k->kw && k->kh >= LEAST_KERNEL && n->out[0]->shape.d[1] >= LEAST_CHANNELS;
  return strided && large && channels >= 2 && channels <= 4 && !n->in[0]->data;
}

/* w[oc][c][kh][kw] as [oc][(i 2 + j) C + c][rows][cols], taps that the kernel has not being zero. */
static Value *parity_weights(Graph *g, const Node *n, const Side *rows, const Side *cols) {
  const Shape *w = &n->in[1]->shape;
  const float *from = n->in[1]->data;
  int64_t channels = w->d[1];
  Value *v = value_const_f32(g, format_text(g->cx, "%s.parities", n->in[1]->name),
                             shape_of(4, w->d[0], 4 * channels, rows->taps, cols->taps));
  float *to = f32_of(v);
  for (int64_t oc = 0; oc < w->d[0]; oc++) {
    for (int64_t c = 0; c < channels; c++) {
      for (int64_t y = rows->shift; y < w->d[2] + rows->shift; y++) {
        for (int64_t x = cols->shift; x < w->d[3] + cols->shift; x++) {
          int64_t channel = (y % 2 * 2 + x % 2) * channels + c;
          to[((oc * 4 * channels + channel) * rows->taps + y / 2) * cols->taps + x / 2] = *from++;
        }
      }
    }
  }
  return v;
}

/* ---- what prepares the image, element by element, is done in the same pass ---- */

/* One number, or one for each channel. */
static bool is_by_channel(const Value *v, const Shape *image) {
  int lead = v->shape.rank - 3;
  if (!v->data || v->type != T_F32) return false;
  if (shape_count(&v->shape) == 1) return true;
  bool image_shaped = lead == 0 || (lead == 1 && v->shape.d[0] == 1);
  return image_shaped && v->shape.d[lead] == image->d[1] && v->shape.d[lead + 1] == 1 && v->shape.d[lead + 2] == 1;
}

/* For each parity the channels again. */
static Value *repeated(Graph *g, const Value *v, int64_t channels) {
  Value *all = value_const_f32(g, format_text(g->cx, "%s.parities", v->name), shape_of(3, 4 * channels, (int64_t)1, (int64_t)1));
  for (int64_t i = 0; i < 4 * channels; i++) f32_of(all)[i] = f32_data(v)[shape_count(&v->shape) == 1 ? 0 : i % channels];
  return all;
}

static bool takes_steps(const Node *n) {
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    if (s->type || (s->arg >= 0 && !is_by_channel(n->in[s->arg], &n->out[0]->shape))) return false;
  }
  return true;
}

/* The epilogue of its own that computes v. */
static Node *made_by_steps(const Value *v) { return v->def && v->def->op == OP_Pointwise ? v->def : NULL; }

/* Where bytes become floats before `parities`, and only for it, it reads the bytes and has all that follows as steps. */
static void take_conversion(Graph *g, Node *parities) {
  Node *chain = made_by_steps(parities->in[0]), *cast = made_by(chain ? chain->in[0] : parities->in[0], OP_Cast);
  if (!cast || cast->in[0]->type != T_U8 || (chain && !takes_steps(chain)) || only_reader(parities->in[0]) != parities) return;
  if (chain && only_reader(cast->out[0]) != chain) return;
  int64_t channels = parities->in[0]->shape.d[1];
  node_set_input(g, parities, 0, cast->in[0]);
  node_add_step(g, parities, (Step){.op = OP_Cast, .type = T_F32, .arg = -1});
  for (int i = 0; chain && i < chain->n_step; i++) {
    int arg = chain->step[i].arg;
    node_add_step_with(g, parities, chain->step[i], arg < 0 ? NULL : repeated(g, chain->in[arg], channels));
  }
  if (chain) chain->dead = true;
  cast->dead = true;
  infer_node(g, parities);
}

static void split_stem(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  Side rows, cols;
  if (!side_of(n->win.kh, n->win.top, x->d[2], y->d[2], &rows)) return;
  if (!side_of(n->win.kw, n->win.left, x->d[3], y->d[3], &cols) || rows.taps != cols.taps) return;
  node_set_input(g, n, 1, parity_weights(g, n, &rows, &cols));
  set_window(g, n, &(Window){.kh = rows.taps, .sh = 1, .dh = 1, .top = rows.blocks, .bottom = rows.after,
                             .kw = cols.taps, .sw = 1, .dw = 1, .left = cols.blocks, .right = cols.after});
  Node *parities = walk_before(g, OP_SpaceToDepth, format_text(g->cx, "%s.parities", n->name), 1, n->in, 1);
  attr_set_int(g, parities, "blocksize", 2);
  node_set_input(g, n, 0, new_result(g, parities));
  take_conversion(g, parities);
  infer_node(g, n);
}

void pass_stem(Graph *g) {
  if (g->opt->winograd == WINOGRAD_OFF || (g->opt->strict && g->opt->winograd == WINOGRAD_AUTO)) return;
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    if (is_stem(n)) split_stem(g, n);
  }
  graph_compact(g);
}
