/* shuffle.c: moves between channels and squares of pixels under their own name, and in the order in which
 * blocks of channels can be moved as they are; elements that come several times and need not. */
#include "rewrite.h"

#include <string.h>

/* ---- DepthToSpace and SpaceToDepth, spelt out as a Transpose between two views of rank 6 ---- */

static bool is_between_views(const Node *n, const Node **t, const Node **first) {
  *t = n->in[0]->def;
  if (!*t || (*t)->op != OP_Transpose || only_reader((*t)->out[0]) != n || (*t)->in[0]->shape.rank != 6)
    return false;
  *first = (*t)->in[0]->def;
  return *first && (*first)->op == OP_Reshape && (*first)->in[0]->shape.rank == 4 &&
         n->out[0]->shape.rank == 4;
}

typedef struct Spelling {
  Op op;
  const char *mode;
  int64_t perm[6];
  int square[2], channels, rows, columns; /* axes of the first view */
} Spelling;

static bool is_spelt(const Spelling *s, const Node *t, const Node *first, const Node *n) {
  const int64_t *d = t->in[0]->shape.d, *x = first->in[0]->shape.d, *y = n->out[0]->shape.d,
      b = d[s->square[0]];
  const int64_t *deep = s->op == OP_DepthToSpace ? x : y, *wide = s->op == OP_DepthToSpace ? y : x;
  if (memcmp(t->p.perm, s->perm, sizeof s->perm) || d[s->square[1]] != b || b < 2) return false;
  int64_t channels = d[s->channels], rows = d[s->rows], columns = d[s->columns];
  return x[0] == d[0] && y[0] == d[0] && deep[2] == rows && deep[3] == columns && wide[1] == channels &&
         wide[2] == rows * b &&
         wide[3] == columns * b;
}

bool squares_by_name(Graph *g, Node *n) {
  static const Spelling spelling[] = {
    {OP_DepthToSpace, "CRD", {0, 1, 4, 2, 5, 3}, {2, 3}, 1, 4, 5},
    {OP_DepthToSpace, "DCR", {0, 3, 4, 1, 5, 2}, {1, 2}, 3, 4, 5},
    {OP_SpaceToDepth, "CRD", {0, 1, 3, 5, 2, 4}, {3, 5}, 1, 2, 4},
    {OP_SpaceToDepth, "DCR", {0, 3, 5, 1, 2, 4}, {3, 5}, 1, 2, 4},
  };
  const Node *t, *first;
  if (!is_between_views(n, &t, &first)) return false;
  for (size_t i = 0; i < COUNT(spelling); i++) {
    if (!is_spelt(&spelling[i], t, first, n)) continue;
    int64_t b = t->in[0]->shape.d[spelling[i].square[0]];
    n->op = spelling[i].op;
    n->n_attr = 0;
    node_set_inputs(g, n, 1, &first->in[0]);
    attr_set_int(g, n, "blocksize", b);
    attr_set_string(g, n, "mode", spelling[i].mode);
    infer_node(g, n);
    return true;
  }
  return false;
}

/* ---- channels in the order in which each place's lie beside each other ----
 *
 * Channel c b b + p, p being the place in a square, becomes channel p C + c: a convolution beside it permutes
 * its weights. */

static bool is_permutable_conv(const Node *n) {
  return n && n->op == OP_Conv && is_const_conv(n) && n->group == 1 && n->n_step == 0;
}

/* v, a constant [outer, channels, inner], with its channels in that order. */
static Value *by_place(Graph *g, const Value *v, int64_t outer, int64_t channels, int64_t places) {
  Value *w = value_const_f32(g, format_text(g->cx, "%s.by_place", v->name), v->shape);
  int64_t inner = shape_count(&v->shape) / size_max(outer * channels, 1), own = channels / places;
  const float *from = v->data;
  for (int64_t o = 0; o < outer; o++) {
    for (int64_t c = 0; c < channels; c++) {
      int64_t to = c % places * own + c / places;
      move_bytes(f32_of(w) + (o * channels + to) * inner, from + (o * channels + c) * inner,
             (size_t)inner * sizeof *from);
    }
  }
  return w;
}

static void set_by_place(Graph *g, Node *n) {
  attr_remove(n, "mode");
  infer_node(g, n);
}

bool depth_by_place(Graph *g, Node *n) {
  Node *conv = n->in[0]->def;
  if (!n->p.by_channel || !is_permutable_conv(conv) || only_reader(n->in[0]) != n) return false;
  int64_t channels = n->in[0]->shape.d[1], places = (int64_t)n->p.block * n->p.block;
  node_set_input(g, conv, 1, by_place(g, conv->in[1], 1, channels, places));
  if (conv->n_in > 2 && conv->in[2])
    node_set_input(g, conv, 2, by_place(g, conv->in[2], 1, channels, places));
  set_by_place(g, n);
  return true;
}

bool space_by_place(Graph *g, Node *n) {
  Node *conv = only_reader(n->out[0]);
  if (!n->p.by_channel || !is_permutable_conv(conv) || conv->in[0] != n->out[0]) return false;
  const Shape *w = &conv->in[1]->shape;
  node_set_input(g, conv, 1, by_place(g, conv->in[1], w->d[0], w->d[1], (int64_t)n->p.block * n->p.block));
  set_by_place(g, n);
  return true;
}

/* ---- elementwise operators behind a shuffle: in front of it they become part of the convolution that is
 * there ---- */

/* Has n one operand, and beside it constants of one element at most? */
static bool is_of_each(const Node *n) {
  if (n->n_step > 0 || !op_is_elementwise(n->op)) return false;
  for (int i = 1; i < n->n_in; i++) {
    const Value *v = n->in[i];
    if (v && (!v->data || shape_count(&v->shape) != 1 || v->shape.rank > 4)) return false;
  }
  return shape_equal(&n->in[0]->shape, &n->out[0]->shape);
}

bool before_shuffle(Graph *g, Node *n) {
  if (!is_of_each(n)) return false;
  Node *move = n->in[0]->def;
  if (!move || move->op != OP_DepthToSpace || only_reader(n->in[0]) != n) return false;
  change_places(g, move, 0, n);
  return true;
}

/* ---- Expand and Tile ---- */

/* Of axes that have one element each. */
bool tile_as_expand(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  for (int k = 0; k < x->rank; k++)
    if (x->d[k] != 1 && x->d[k] != y->d[k]) return false;
  n->op = OP_Expand;
  node_set_input(g, n, 1, shape_constant(g, format_text(g->cx, "%s.shape", n->name), y));
  infer_node(g, n);
  return true;
}

/* Elementwise readers of two operands broadcast by themselves, where the other has the result's shape. */
bool readers_expand(Graph *g, Node *n) {
  Value *x = n->in[0], *y = n->out[0];
  Use *at = NULL;
  bool changed = false;
  for (Node *r; (r = next_reader(y, &at));) {
    Shape s;
    if (op_info[r->op].family != FAMILY_BINARY || r->n_step > 0 || r->in[0] == r->in[1]) continue;
    int own = r->in[1] == y;
    if (r->op == OP_PRelu && own == 0) continue; /* its slopes do not make the result larger */
    if (!shape_broadcast(&x->shape, &r->in[1 - own]->shape, &s) ||
        !shape_equal(&s, &r->out[0]->shape)) continue;
    node_set_input(g, r, own, x);
    changed = true;
  }
  return changed;
}
