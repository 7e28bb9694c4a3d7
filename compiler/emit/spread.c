/* spread.c: Expand and Tile are strided copies in which some axes of the source do not move. */
#include "emit.h"

/* Axes are aligned at the end; each of the result is so many times the input's. */
void emit_spread(Emit *e, Node *n) {
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  Copy c = {.size = (int)type_size(n->out[0]->type)};
  int64_t src = 1, dst = 1;
  for (int k = 1; k <= y->rank; k++) {
    int64_t own = k <= x->rank ? x->d[x->rank - k] : 1, all = y->d[y->rank - k];
    c.axis[c.rank++] = (CopyAxis){own, src, dst};
    c.axis[c.rank++] = (CopyAxis){all / own, 0, dst * own};
    src *= own;
    dst *= all;
  }
  c.src = value_ptr(e, n->in[0]);
  c.dst = value_ptr(e, n->out[0]);
  emit_copy(e, &c);
}
