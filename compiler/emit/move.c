/* move.c: operators that only move elements. Each is a few strided copies between the axes of its
 * tensors; on blocked tensors the axes are images, channel blocks, rows, pixels and lanes. */
#include "emit.h"

#include <string.h>

static int element(const Value *v) { return (int)type_size(v->type); }

/* Whether element `at` of x and element `to` of y are the same memory: the plan has some results
 * computed in place. */
static bool in_place(const Value *x, int64_t at, const Value *y, int64_t to) {
  int64_t from = x->alias_offset + (x->layout.origin + at) * element(x);
  bool same = x->place == y->place && x->offset == y->offset;
  return same && from == y->alias_offset + (y->layout.origin + to) * element(y);
}

/* Copies from element `at` of x to element `to` of y, along the axes given. */
static void copy_part(Emit *e, const Value *x, int64_t at, const Value *y, int64_t to, int rank,
                      const CopyAxis *axis) {
  if (in_place(x, at, y, to)) return;
  Copy c = {.size = element(y), .rank = rank};
  move_bytes(c.axis, axis, (size_t)rank * sizeof *axis);
  c.src = gep_const(e, value_ptr(e, x), at * c.size);
  c.dst = gep_const(e, value_ptr(e, y), to * c.size);
  emit_copy(e, &c);
}

/* Whether the node works on channel blocks. A blocked tensor that lies in memory as a dense one may meet
 * dense ones. */
static bool on_blocks(const Node *n) {
  for (int i = 0; i < n->n_out; i++) {
    if (n->out[i] && !layout_is_plain(n->out[i])) return true;
  }
  return !layout_is_plain(n->in[0]);
}

static void axes_of(const Node *n, const Value *v, Axes *a) {
  Value dense = {.shape = v->shape};
  dense.layout = layout_plain(&v->shape);
  value_axes(on_blocks(n) ? v : &dense, a);
}

/* Index i along ONNX's axis k as an index along that axis of axes_of: channels count in blocks there. */
static int64_t block_index(const Node *n, const Value *v, int k, int64_t i) {
  if (k != 1 || !v->layout.block || !on_blocks(n)) return i;
  assert(i % v->layout.block == 0);
  return i / v->layout.block;
}

/* ==== views, transposes ==== */

static void move_view(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  Axes in, out;
  axes_of(n, x, &in);
  axes_of(n, y, &out);
  CopyAxis axis[MAX_RANK + 1];
  if (shape_equal(&x->shape, &y->shape)) {
    assert(in.rank == out.rank);
    for (int k = 0; k < in.rank; k++) axis[k] = (CopyAxis){in.n[k], in.stride[k], out.stride[k]};
    copy_part(e, x, 0, y, 0, in.rank, axis);
    return;
  }
  assert(layout_is_plain(x) && layout_is_plain(y));
  axis[0] = (CopyAxis){shape_count(&x->shape), 1, 1};
  copy_part(e, x, 0, y, 0, 1, axis);
}

static void move_transpose(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  Axes in, out;
  axes_of(n, x, &in);
  axes_of(n, y, &out);
  assert(!on_blocks(n));
  CopyAxis axis[MAX_RANK];
  for (int k = 0; k < out.rank; k++) {
    int64_t from = n->p.perm[k];
    axis[k] = (CopyAxis){out.n[k], in.stride[from], out.stride[k]};
  }
  copy_part(e, x, 0, y, 0, out.rank, axis);
}

/* ==== Concat, Split: parts of a whole along an axis ==== */

/* Copies between the whole and the part that begins at index `at` of it. */
static void move_part(Emit *e, const Node *n, const Value *whole, const Value *part, int k, int64_t at,
                      bool split) {
  Axes w, p;
  axes_of(n, whole, &w);
  axes_of(n, part, &p);
  assert(w.rank == p.rank);
  CopyAxis axis[MAX_RANK + 1];
  for (int i = 0; i < p.rank; i++) {
    axis[i] = (CopyAxis){p.n[i], split ? w.stride[i] : p.stride[i], split ? p.stride[i] : w.stride[i]};
  }
  int64_t offset = block_index(n, whole, k, at) * w.stride[k];
  if (split) copy_part(e, whole, offset, part, 0, p.rank, axis);
  else copy_part(e, part, 0, whole, offset, p.rank, axis);
}

/* Channels of blocks from number `at` of the whole on, which need not begin one: run by run of those that lie beside each other on
 * both sides. */
static void copy_runs(Emit *e, const Value *part, const Value *whole, int64_t at) {
  const Layout *x = &part->layout, *y = &whole->layout;
  const int64_t *d = part->shape.d;
  for (int64_t c = 0, run; c < d[1]; c += run) {
    int64_t to = at + c;
    run = size_min(size_min(x->block - c % x->block, y->block - to % y->block), d[1] - c);
    CopyAxis axis[] = {{d[0], x->n, y->n}, {d[2], x->row, y->row}, {d[3], x->pix, y->pix}, {run, 1, 1}};
    copy_part(e, part, c / x->block * x->c + c % x->block, whole, to / y->block * y->c + to % y->block, COUNT(axis), axis);
  }
}

/* Axis k is the whole's; parts that nobody wants are NULL, `size` are all parts' along the axis. */
static void move_parts(Emit *e, Node *n, const Value *whole, Value *const *part, int count, int k, const int64_t *size,
                       bool split) {
  if (n->n_in + n->n_out > MAX_BOUND) {
    emit_parts(e, whole, part, count, k, size, split);
    return;
  }
  int64_t at = 0;
  for (int i = 0; i < count; i++) {
    bool runs = !split && is_8_bit(whole->type) && on_blocks(n) && whole->layout.block && part[i] && part[i]->layout.block;
    if (!part[i] || shape_count(&part[i]->shape) == 0) {}
    else if (runs) copy_runs(e, part[i], whole, at);
    else move_part(e, n, whole, part[i], k, at, split);
    at += size[i];
  }
}

static void move_concat(Emit *e, Node *n) {
  int k = n->p.axis;
  int64_t *size = alloc_n(e->g->cx, (size_t)n->n_in, sizeof *size);
  for (int i = 0; i < n->n_in; i++) size[i] = n->in[i]->shape.d[k];
  move_parts(e, n, n->out[0], n->in, n->n_in, k, size, false);
}

static void move_split(Emit *e, Node *n) {
  int64_t *size = alloc_n(e->g->cx, (size_t)n->n_out, sizeof *size);
  split_sizes(e->g, n, size);
  move_parts(e, n, n->in[0], n->out, n->n_out, n->p.axis, size, true);
}

/* ==== Slice ==== */

static void move_slice(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  int64_t start[MAX_RANK], step[MAX_RANK], at = 0;
  Shape result;
  slice_ranges(e->g, n, start, step, &result);
  Axes in, out;
  axes_of(n, x, &in);
  axes_of(n, y, &out);
  assert(in.rank == out.rank && (in.rank == x->shape.rank || step[1] == 1));
  CopyAxis axis[MAX_RANK + 1];
  for (int k = 0; k < out.rank; k++) {
    bool lanes = k == x->shape.rank;
    axis[k] = (CopyAxis){out.n[k], lanes ? 1 : step[k] * in.stride[k], out.stride[k]};
    if (!lanes) at += block_index(n, x, k, start[k]) * in.stride[k];
  }
  if (shape_count(&y->shape) > 0) copy_part(e, x, at, y, 0, out.rank, axis);
}

static void move_pad(Emit *e, Node *n) {
  Axes in, out;
  axes_of(n, n->in[0], &in);
  axes_of(n, n->out[0], &out);
  emit_pad(e, n, &in, &out);
}

/* ==== Interleave ==== */

static void move_interleave(Emit *e, Node *n) {
  const Value *y = n->out[0];
  Axes out, in;
  axes_of(n, y, &out);
  for (int i = 0; i < n->n_in; i++) {
    int64_t first[MAX_RANK], stride[MAX_RANK], at = 0;
    interleave_part(n, i, first, stride);
    axes_of(n, n->in[i], &in);
    CopyAxis axis[MAX_RANK + 1];
    for (int k = 0; k < in.rank; k++) {
      bool own = k < y->shape.rank;
      axis[k] = (CopyAxis){in.n[k], in.stride[k], out.stride[k] * (own ? stride[k] : 1)};
      if (own) at += first[k] * out.stride[k];
    }
    copy_part(e, n->in[i], 0, y, at, in.rank, axis);
  }
}

void emit_move(Emit *e, Node *n) {
  for (int i = 0; i < n->n_out; i++) {
    if (n->out[i]) emit_halo(e, n->out[i]);
  }
  switch (n->op) {
  case OP_Transpose: move_transpose(e, n); break;
  case OP_Concat: move_concat(e, n); break;
  case OP_Split: move_split(e, n); break;
  case OP_Slice: has_run_time_bounds(n) ? emit_bounds(e, n) : move_slice(e, n); break;
  case OP_Pad: has_run_time_bounds(n) ? emit_bounds(e, n) : move_pad(e, n); break;
  case OP_Interleave: move_interleave(e, n); break;
  default: assert(op_info[n->op].family == FAMILY_VIEW); move_view(e, n);
  }
}
