/* conv.c: what the algorithms of a convolution ask of a layer. */
#include "conv.h"

ConvLayer conv_layer(const Target *t, const Node *n) {
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape, *y = &n->out[0]->shape;
  bool integer = n->op == OP_ConvInteger;
  ConvLayer l = {.t = t, .n = n, .x = x->d, .y = y->d, .groups = n->group, .icg = (int)size_ceiling(w->d[1], integer ? 4 : 1),
                 .ocg = (int)(w->d[0] / n->group), .images = y->d[0], .rows = y->d[2], .cols = y->d[3]};
  l.taps = n->win.kh * n->win.kw;
  l.in_blocks = size_ceiling(l.icg, t->lanes);
  l.out_blocks = size_ceiling(l.ocg, t->lanes);
  l.planar = n->group == 1 && x->d[1] <= 4 && !integer;
  l.pixel_bytes = size_mul(x->d[1], (int64_t)type_size(n->in[0]->type));
  return l;
}

float conv_weight(const Node *n, int64_t oc, int64_t ic, int64_t k) {
  const Shape *w = &n->in[1]->shape;
  return ((const float *)n->in[1]->data)[(oc * w->d[1] + ic) * w->d[2] * w->d[3] + k];
}

/* Up to 8x8 pixels, as each tile of it is code; but a single row gains nothing, nor do rows that fill wide
 * tiles by themselves. */
bool conv_is_flat(const ConvLayer *l) { return l->rows * l->cols <= 64 && l->rows > 1 && l->cols < 14; }

/* ==== which algorithms come into question ==== */

bool conv_is_depthwise(const Node *n) {
  return n->group > 1 && n->group == n->in[0]->shape.d[1] && n->group == n->out[0]->shape.d[1];
}

bool conv_is_uneven(const Target *t, const Node *n) {
  const int64_t *w = n->in[1]->shape.d;
  return n->group > 1 && (w[1] % t->lanes != 0 || w[0] / n->group % t->lanes != 0);
}

bool conv_on_blocks(const Node *n) { return op_info[n->op].family == FAMILY_CONV && is_packed(n); }

/* A border of zeros this much longer than the map that it surrounds is out of proportion: all kernels with a
 * use come with less. A few results of huge windows, strides and padding are cheaper, in memory above all,
 * where the window is clipped. */
enum { LONGEST_BORDER = 64, BORDER_OF_MAP = 4, MOST_SIZE = 1 << 28 };

static int64_t longest_border(int64_t in) { return LONGEST_BORDER + BORDER_OF_MAP * in; }

int64_t longest_with_border(int64_t in) { return in + 2 * longest_border(in); }

static bool border_fits(int64_t in, int64_t out, int64_t before, int64_t kernel, int64_t stride,
                        int64_t dilation) {
  int64_t after = (out - 1) * stride + (kernel - 1) * dilation - before - (in - 1);
  return before <= longest_border(in) && after <= longest_border(in);
}

static bool sizes_fit(const Shape *s) {
  for (int i = 0; i < s->rank; i++) {
    if (s->d[i] > MOST_SIZE) return false;
  }
  return true;
}

bool conv_shapes_fit(const Node *n) {
  const Shape *x = &n->in[0]->shape, *w = &n->in[1]->shape, *y = &n->out[0]->shape;
  const Window *k = &n->win;
  if (shape_count(x) == 0 || shape_count(w) == 0 || shape_count(y) == 0) return false;
  return border_fits(x->d[2], y->d[2], k->top, k->kh, k->sh, k->dh) &&
         border_fits(x->d[3], y->d[3], k->left, k->kw, k->sw, k->dw) && sizes_fit(x) && sizes_fit(y) &&
         sizes_fit(w);
}

/* A weight that is not finite would be NaN where it meets padding, which takes no part in the sum, or, in
 * Winograd's algorithm, its neighbours. */
bool conv_fits_blocks(const Node *n) {
  return is_const_conv(n) && conv_shapes_fit(n) && const_is_finite(n->in[1]);
}
