/* product_integer.c: products of matrices of 8-bit integers: their plans, and the order of a constant right-hand matrix. */
#include "lower.h"

#include <stdlib.h>

enum { CHUNK_ROWS = 128 }; /* of A stay in L2 beside a panel */

static bool has_list(const Node *n, int i) { return has_input(n, i) && shape_count(&n->in[i]->shape) > 1; }

IntegerProduct integer_product(const Node *n) {
  IntegerProduct s = {products_of(n), zeros_of(n, 0), zeros_of(n, 1)};
  int64_t matrices = shape_count(&s.p.batch);
  bool joins = n->in[0]->shape.rank > 2 && n->in[1]->shape.rank <= 2 && !(has_list(n, 2) && n->in[2]->shape.rank == 1);
  if (!joins) return s;
  s.p.rows *= matrices;
  s.p.batch.rank = 0;
  s.za.row = has_list(n, 2);
  return s;
}

/* ==== plans ==== */

/* An element of B or its zero point as s8. */
static int32_t as_signed(const Value *v, int64_t i) {
  return (int32_t)get_number(v->type, v->data, i).i - (v->type == T_U8 ? 128 : 0);
}

/* Is every zero point of B, as s8, 0? */
static bool is_centred(const Node *n) {
  const Value *z = has_input(n, 3) ? n->in[3] : NULL;
  int64_t centre = n->in[1]->type == T_U8 ? 128 : 0;
  if (!z) return centre == 0;
  for (int64_t i = 0; i < (z->data ? shape_count(&z->shape) : 0); i++)
    if (get_number(z->type, z->data, i).i != centre) return false;
  return z->data;
}

/* As s8, do the magnitudes of elements 0 and 1, 2 and 3 ... of each column sum to 128 at most? */
static bool has_small_pairs(const Node *n, const IntegerProduct *s) {
  for (int64_t j = 0; j < s->p.cols; j++)
    for (int64_t k = 0; k < s->p.inner; k += 2) {
      int64_t at = k * s->p.b.row + j * s->p.b.col;
      int32_t a = as_signed(n->in[1], at), b = k + 1 < s->p.inner ? as_signed(n->in[1], at + s->p.b.row) : 0;
      if (abs(a) + abs(b) > 128) return false;
    }
  return true;
}

/* The sums stay in registers with the factors of a step: a vector of B for each vector of columns and one of A, or two of each
 * in 16 bits and what pmaddwd leaves; and, for zero points of B, the sums of A's rows. A single row hides the latency of sums. */
static void choose_tile(const Target *t, const IntegerProduct *s, PanelsPlan *p) {
  bool fours = adds_fours(t);
  int uw = (int)size_min(t->regs == 32 ? 6 : 4, size_max(s->p.rows, 1)), own = fours || p->small ? 1 : 2;
  int spare = fours ? 1 : p->small ? 3 : 4;
  int nb = (t->regs - spare - (p->zeros ? uw : 0)) / (uw + own);
  if (uw == 1) nb = t->regs == 32 ? 8 : 4;
  p->uw = uw;
  p->nb = (int)size_max(size_min(nb, size_ceiling(s->p.cols, t->lanes)), 1);
  p->chunk = CHUNK_ROWS / uw;
}

void plans_integers(const Build *b, const Node *n, Plans *list) {
  const Value *zero = has_input(n, 3) ? n->in[3] : NULL;
  if (!n->in[1]->data || n->in[1]->shape.rank > 2 || shape_count(&n->out[0]->shape) == 0 || (zero && !zero->data)) return;
  IntegerProduct s = integer_product(n);
  PanelsPlan *p = &plans_add(list)->panels;
  p->zeros = !is_centred(n);
  p->small = has_small_pairs(n, &s);
  choose_tile(b->target, &s, p);
}

void plans_integer_panels(const Build *b, const Node *n, Plans *list) {
  IntegerProduct s = integer_product(n);
  Plan *plan = plans_add(list);
  plan->panels.zeros = !is_centred(n);
  choose_tile(b->target, &s, &plan->panels);
  plan->at.scratch = integers_panel_bytes(&plan->panels, s.p.inner, plan->panels.nb * (int64_t)b->target->lanes);
}

/* ==== panels ==== */

int64_t integers_head_bytes(const PanelsPlan *p, int64_t columns) { return (p->zeros ? 2 : 1) * columns * (int64_t)sizeof(int32_t); }

int64_t integers_panel_bytes(const PanelsPlan *p, int64_t inner, int64_t columns) {
  return size_add(integers_head_bytes(p, columns), size_mul(size_ceiling(inner, 4), 4 * columns));
}

int64_t packed_integers(const Target *t, const Node *n, const Plan *plan) {
  IntegerProduct s = integer_product(n);
  return integers_panel_bytes(&plan->panels, s.p.inner, size_ceiling(s.p.cols, t->lanes) * (int64_t)t->lanes);
}

bool alike_integers(const Node *a, const Node *b) {
  const Value *x = has_input(a, 3) ? a->in[3] : NULL, *y = has_input(b, 3) ? b->in[3] : NULL;
  if (a->in[1]->type != b->in[1]->type || a->plan->panels.nb != b->plan->panels.nb || !x != !y) return false;
  return !x || (value_bytes(x) == value_bytes(y) && same_bytes(x->data, y->data, value_bytes(x)));
}

/* Column j of B, the c-th of a panel of so many. */
static void pack_column(const Node *n, const IntegerProduct *s, int64_t j, char *panel, int64_t columns, int64_t c) {
  const PanelsPlan *p = &n->plan->panels;
  int32_t *head = (int32_t *)panel + c, zero = has_input(n, 3) ? as_signed(n->in[3], j * s->zb.col) : n->in[1]->type == T_U8 ? -128 : 0;
  int8_t *fours = (int8_t *)panel + integers_head_bytes(p, columns);
  uint32_t sum = (uint32_t)s->p.inner * (uint32_t)zero;
  for (int64_t k = 0; k < s->p.inner; k++) {
    int32_t w = as_signed(n->in[1], k * s->p.b.row + j * s->p.b.col);
    fours[(k / 4 * columns + c) * 4 + k % 4] = (int8_t)w;
    sum -= (uint32_t)w;
  }
  head[0] = (int32_t)sum;
  if (p->zeros) head[columns] = zero;
}

void pack_integers(const Target *t, const Node *n, void *to) {
  const PanelsPlan *p = &n->plan->panels;
  IntegerProduct s = integer_product(n);
  int64_t full = p->nb * (int64_t)t->lanes, all = size_ceiling(s.p.cols, t->lanes) * t->lanes;
  for (int64_t j = 0; j < s.p.cols; j++) {
    int64_t first = j / full * full, columns = size_min(full, all - first);
    pack_column(n, &s, j, (char *)to + integers_panel_bytes(p, s.p.inner, first), columns, j - first);
  }
}
