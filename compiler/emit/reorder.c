/* reorder.c: the same tensor in another layout. */
#include "emit.h"

#include <llvm-c/Core.h>

/* Copies `lanes` channels of each of `count` blocks from block `first` on; p are the axes of the side that is
 * not blocked, q those of the blocked one. */
static void copy_blocks(Emit *e, Node *n, const Axes *p, const Axes *q, int64_t first, int64_t count,
                        int lanes) {
  const Value *x = n->in[0], *y = n->out[0];
  int v = x->layout.block + y->layout.block;
  bool packs = y->layout.block != 0;
  Copy c = {.size = (int)type_size(x->type), .rank = 0, .pad = packs && y->place != P_OUTPUT};
  for (int k = 0; k < p->rank; k++) {
    int64_t plain = k == 1 ? v * p->stride[1] : p->stride[k], size = k == 1 ? count : p->n[k];
    c.axis[c.rank++] = packs ? (CopyAxis){size, plain, q->stride[k]} : (CopyAxis){size, q->stride[k], plain};
  }
  c.axis[c.rank++] = packs ? (CopyAxis){lanes, p->stride[1], 1} : (CopyAxis){lanes, 1, p->stride[1]};
  int64_t plain_at = first * v * p->stride[1] * c.size, block_at = first * q->stride[1] * c.size;
  c.src = gep_const(e, value_ptr(e, x), packs ? plain_at : block_at);
  c.dst = gep_const(e, value_ptr(e, y), packs ? block_at : plain_at);
  emit_copy(e, &c);
}

static void copy_same(Emit *e, Node *n, const Axes *p, const Axes *q) {
  Copy c = {.size = (int)type_size(n->in[0]->type), .rank = p->rank};
  for (int k = 0; k < p->rank; k++) c.axis[k] = (CopyAxis){p->n[k], p->stride[k], q->stride[k]};
  c.src = value_ptr(e, n->in[0]);
  c.dst = value_ptr(e, n->out[0]);
  emit_copy(e, &c);
}

void emit_reorder(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  Axes in, out;
  value_axes(x, &in);
  value_axes(y, &out);
  emit_halo(e, y);
  if (x->layout.block == y->layout.block) {
    copy_same(e, n, &in, &out);
    return;
  }
  assert(!x->layout.block || !y->layout.block);
  int v = x->layout.block + y->layout.block;
  const Axes *p = x->layout.block ? &out : &in, *q = x->layout.block ? &in : &out;
  int64_t channels = x->shape.d[1], full = channels / v;
  if (full > 0) copy_blocks(e, n, p, q, 0, full, v);
  if (channels % v) copy_blocks(e, n, p, q, full, 1, (int)(channels % v));
}
