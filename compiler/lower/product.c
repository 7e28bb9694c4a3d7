/* product.c: the constant right-hand matrix of a Gemm or MatMul, in the order in which the kernel reads
 * it. */
#include "lower.h"

/* B of the product as packed: k rows, n columns, element (i, j) at i*row + j*col; every element times
 * alpha. */
typedef struct PackedMatrix {
  const float *data;
  int64_t k, n, row, col;
  float alpha;
} PackedMatrix;

static PackedMatrix matrix_of(const Node *n) {
  const Value *b = n->in[1];
  if (b->shape.rank == 1) {
    return (PackedMatrix){.data = b->data, .k = b->shape.d[0], .n = 1, .row = 1, .col = 1, .alpha = 1};
  }
  bool turned = n->p.trans_b;
  PackedMatrix m = {.data = b->data, .k = b->shape.d[turned], .n = b->shape.d[!turned], .alpha = 1};
  m.row = turned ? 1 : b->shape.d[1];
  m.col = turned ? b->shape.d[1] : 1;
  if (n->op == OP_Gemm) m.alpha = n->p.alpha;
  return m;
}

/* A single row takes B from memory; 7 accumulators hide the latency of two FMAs a cycle. */
void product_tile(const Target *t, int64_t rows, int64_t vectors, int *uw, int *nb) {
  int spare = t->fma ? 1 : 2; /* without FMA the product needs a register */
  *uw = (int)size_min(t->regs == 32 ? 6 : 4, rows);
  *nb = *uw == 1 ? (t->regs == 32 ? 8 : 7) : (t->regs - spare) / (*uw + 1);
  *nb = (int)size_min(*nb, vectors);
}

void plans_product(const Build *build, const Node *n, Plans *list) {
  const Value *b = n->in[1];
  if (!b->data || b->shape.rank < 1 || b->shape.rank > 2 || shape_count(&b->shape) == 0) return;
  PackedMatrix m = matrix_of(n);
  int64_t rows = shape_count(&n->out[0]->shape) / m.n;
  if (rows == 0) return;
  ProductPlan *p = &plans_add(list)->product;
  product_tile(build->target, rows, size_ceiling(m.n, build->target->lanes), &p->uw, &p->nb);
}

void product_follow(const Target *t, const Node *n, const Plan *other, Plan *p) {
  (void)n;
  int spare = t->fma ? 1 : 2, nb = other->product.nb, rows = (t->regs - spare - nb) / nb;
  p->product.uw = p->product.uw < rows ? p->product.uw : (int)size_max(rows, 1);
  p->product.nb = nb;
}

int64_t narrow_columns(const Target *t, const Node *n) {
  int64_t columns = matrix_of(n).n;
  return n->p.trans_a ? 0 : packed_columns(columns, t->lanes) % t->lanes;
}

/* The last panel is as narrow as its columns, in whole vectors, allow, or narrower: then one vector more can
 * be read. */
int64_t packed_product(const Target *t, const Node *n, const Plan *p) {
  PackedMatrix m = matrix_of(n);
  int64_t columns = packed_columns(m.n, t->lanes);
  bool runs_on = columns % t->lanes != 0 && narrow_columns(t, n) == 0;
  (void)p;
  return size_mul(size_add(size_mul(columns, m.k), runs_on ? t->lanes : 0), 4);
}

bool alike_product(const Node *a, const Node *b) {
  if (a->plan->product.nb != b->plan->product.nb) return false;
  return a->op == b->op && a->p.trans_a == b->p.trans_a && a->p.trans_b == b->p.trans_b && a->p.alpha == b->p.alpha;
}

void pack_product(const Target *t, const Node *n, void *to) {
  PackedMatrix m = matrix_of(n);
  float *dst = to;
  int64_t full = n->plan->product.nb * (int64_t)t->lanes, narrow = narrow_columns(t, n);
  int64_t columns = packed_columns(m.n, t->lanes) - narrow;
  for (int64_t j0 = 0, width; j0 < columns; j0 += width) {
    width = columns - j0 < full ? columns - j0 : full;
    for (int64_t i = 0; i < m.k; i++, dst += width) {
      for (int64_t j = 0; j < width; j++) dst[j] = j0 + j < m.n ? m.alpha * m.data[i * m.row + (j0 + j) * m.col] : 0;
    }
  }
  for (int64_t j = columns; j < m.n; j++) {
    for (int64_t i = 0; i < m.k; i++) *dst++ = m.alpha * m.data[i * m.row + j * m.col];
  }
}
