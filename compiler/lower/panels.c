/* panels.c: plans of matrix products whose right-hand matrix is known at run time only. */
#include "lower.h"

enum {
  /* for which a panel is made once: that many rows of A stay in L2, and making it is a small part */
  CHUNK_ROWS = 128,
  DIRECT_BYTES = 1 << 14, /* B within so many bytes of memory is read there as fast */
};

/* Panels pay where many tiles of rows read them. The columns have to lie side by side for B to be read where
 * it lies. */
static bool is_direct(const Products *p, int uw) {
  return p->b.col == 1 && (p->rows <= 2 * uw || size_mul(p->inner, p->b.row * 4) <= DIRECT_BYTES);
}

/* One column alone has no vectors: that is the dense kernel's, except of a Product's. */
void plans_panels(const Build *b, const Node *n, Plans *list) {
  Products p = products_of(n);
  if (n->op != OP_Product && (n->in[1]->shape.rank == 1 || p.cols == 1)) return;
  if (shape_count(&n->out[0]->shape) == 0) return;
  int uw, nb;
  product_tile(b->target, p.rows, size_ceiling(p.cols, b->target->lanes), &uw, &nb);
  int64_t scratch = size_mul(size_mul(p.inner, nb * b->target->lanes), 4);
  Plan *plan = plans_add(list);
  plan->panels.uw = uw;
  plan->panels.nb = nb;
  plan->panels.direct = is_direct(&p, uw);
  plan->panels.chunk = CHUNK_ROWS / uw;
  plan->at.scratch = plan->panels.direct ? 0 : scratch;
}
