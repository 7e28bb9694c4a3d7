/* format.c: what is asked of layouts, and of what stands beside blocks, before the pass layout and behind it. */
#include "lower.h"

Layout layout_plain(const Shape *s) {
  Layout l = {.size = shape_count(s)};
  if (s->rank == 4) {
    l.pix = 1;
    l.row = s->d[3];
    l.c = s->d[2] * l.row;
    l.n = s->d[1] * l.c;
  }
  return l;
}

int channel_block(const Target *t, Type type) { return t->lanes * (int)type_size(T_F32) / (int)type_size(type); }

bool layout_has_halo(const Layout *l) { return l->top + l->left + l->bottom + l->right + l->front + l->back > 0; }

static bool same_memory_as_plain(const Value *v) {
  const Layout *l = &v->layout;
  const int64_t *d = v->shape.d;
  return !layout_has_halo(l) && d[2] * d[3] == 1 && (d[0] == 1 || l->n == d[1]);
}

bool layout_equal(const Layout *a, const Layout *b) {
  return a->block == b->block && a->top == b->top && a->left == b->left && a->bottom == b->bottom &&
         a->right == b->right && a->front == b->front && a->back == b->back && a->n == b->n && a->c == b->c && a->row == b->row && a->pix == b->pix &&
         a->origin == b->origin && a->size == b->size && a->fill == b->fill;
}

bool layout_is_plain(const Value *v) {
  if (v->layout.block) return same_memory_as_plain(v);
  if (v->shape.rank != 4) return true;
  Layout p = layout_plain(&v->shape);
  return layout_equal(&p, &v->layout);
}

/* One element a channel: [N,C,1,1], [1,C,1,1] or [C,1,1]. */
static bool is_per_channel(const Value *v, const Shape *out) {
  const Shape *s = &v->shape;
  if (s->rank < 3 || s->rank > 4 || out->rank != 4) return false;
  const int64_t *d = s->d + s->rank - 3;
  if (d[0] != out->d[1] || d[1] != 1 || d[2] != 1) return false;
  return s->rank == 3 || s->d[0] == out->d[0] || s->d[0] == 1;
}

/* Sums that all channels of a pixel share. */
static bool is_per_pixel(const Value *v, const Shape *out) {
  const int64_t *d = v->shape.d;
  if (v->type != T_I32 || v->shape.rank != 4 || out->rank != 4) return false;
  return d[0] == out->d[0] && d[1] == 1 && d[2] == out->d[2] && d[3] == out->d[3];
}

ArgClass step_arg_class(const Node *n, const Step *s) {
  if (s->arg < 0) return ARG_NONE;
  if (s->op == OP_Lookup) return ARG_TABLE;
  const Value *v = n->in[s->arg];
  const Shape *out = &n->out[0]->shape;
  if (type_size(v->type) > type_size(T_F32)) return ARG_OTHER;
  if (shape_count(&v->shape) == 1 && (v->data || v->shape.rank < 3)) return ARG_SCALAR;
  if (v->data) return is_per_channel(v, out) && (v->shape.rank == 3 || v->shape.d[0] == 1) ? ARG_CHANNEL : ARG_OTHER;
  if (shape_equal(&v->shape, out)) return ARG_TENSOR;
  if (is_per_pixel(v, out)) return ARG_PIXEL;
  return v->shape.rank == 4 && is_per_channel(v, out) ? ARG_CHANNEL : ARG_OTHER;
}
