/* line.c: one-dimensional convolutions and pools become two-dimensional ones of height 1, so that everything after knows
 * images only. [N,C,L] is [N,C,1,L]; views join the two where other operators read or write. */
#include "rewrite.h"

typedef struct Widening {
  Graph *g;
  Forms wide; /* of rank 4 */
} Widening;

static Shape widened(const Shape *s) {
  Shape w = {.rank = s->rank + 1};
  int at = s->rank - 1;
  for (int i = 0; i < w.rank; i++) w.d[i] = i < at ? s->d[i] : i == at ? 1 : s->d[i - 1];
  return w;
}

static Value *view(Widening *w, Value *v, Op op, Shape shape, const char *suffix) {
  Graph *g = w->g;
  int64_t axis = v->shape.rank - 1; /* an argument may have fewer axes */
  Value *axes = value_const_i64(g, "axis", 1, &axis);
  Node *n = walk_before(g, op, format_text(g->cx, "%s.%s", v->name, suffix), 2, (Value *[]){v, axes}, 1);
  n->out[0] = value_new(g, n->name, v->type, shape);
  n->out[0]->def = n;
  node_mark_batched(n);
  return n->out[0];
}

/* The same elements with a dimension 1 before the last; constants of rank 2 and more need no node. */
static Value *widen_value(Widening *w, Value *v) {
  Shape shape = widened(&v->shape);
  if (v->data) return value_const(w->g, v->name, v->type, shape, v->data);
  if (form_of(&w->wide, v)) return form_of(&w->wide, v);
  Value *y = view(w, v, OP_Unsqueeze, shape, "wide");
  form_set(&w->wide, v, y);
  return y;
}

static bool is_line(const Value *v) { return v && v->shape.rank == 3 && v->type == T_F32; }

static bool is_widened(const Widening *w, const Node *n) {
  if (n->op == OP_ConvInteger) return n->in[0]->shape.rank == 3;
  if (!is_line(n->out[0]) || !is_line(n->in[0])) return false;
  switch (n->op) {
  case OP_Conv: return true;
  case OP_Interleave: return true;
  case OP_MaxPool: case OP_AveragePool: case OP_LpPool: return n->n_out < 2 || !n->out[1];
  case OP_GlobalAveragePool: case OP_GlobalMaxPool: case OP_GlobalLpPool: return true;
  case OP_Pointwise: return form_of(&w->wide, n->in[0]);
  default: return false;
  }
}

static void widen_input(Widening *w, Node *n, int i) { node_set_input(w->g, n, i, widen_value(w, n->in[i])); }

static void widen_node(Widening *w, Node *n) {
  Graph *g = w->g;
  widen_input(w, n, 0);
  for (int i = 1; n->op == OP_Interleave && i < n->n_in; i++) widen_input(w, n, i);
  if (op_info[n->op].family == FAMILY_CONV) widen_input(w, n, 1);
  for (int i = 0; i < n->n_step; i++) {
    int arg = n->step[i].arg;
    if (arg > 0 && n->in[arg]->shape.rank >= 2) widen_input(w, n, arg);
  }
  Family family = op_info[n->op].family;
  if (family == FAMILY_CONV || (family == FAMILY_POOL && !is_global_pool(n))) set_window(g, n, &n->win);
  if (n->op == OP_Interleave) attr_set_ints(g, n, "strides", 2, (int64_t[]){n->win.sh, n->win.sw});
  Value *narrow = n->out[0];
  Value *y = value_new(g, format_text(g->cx, "%s.wide", narrow->name), narrow->type, widened(&narrow->shape));
  y->def = n;
  y->batched = narrow->batched;
  n->out[0] = y;
  form_set(&w->wide, narrow, y);
  int64_t axis = 2;
  Value *axes = value_const_i64(g, "axis", 1, &axis);
  Node *back = walk_after(g, OP_Squeeze, narrow->name, 2, (Value *[]){y, axes}, 1);
  back->out[0] = narrow;
  narrow->def = back;
}

void pass_rank(Graph *g) {
  Widening w = {.g = g, .wide = forms_new(g)};
  bool any = false;
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    if (!is_widened(&w, n)) continue;
    widen_node(&w, n);
    any = true;
  }
  if (any) remove_dead(g); /* views that nobody reads */
}
