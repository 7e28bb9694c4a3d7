/* reorder.c: the same tensor in another layout, and of another type where it has one. */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== copies between a layout with blocks and one without, or between two of the same block ==== */

/* Copies `lanes` channels of each of `count` blocks from block `first` on; p are the axes of the side that is
 * not blocked, q those of the blocked one. */
static void copy_blocks(Emit *e, Node *n, const Axes *p, const Axes *q, int64_t first, int64_t count,
                        int lanes) {
  const Value *x = n->in[0], *y = n->out[0];
  int v = x->layout.block + y->layout.block;
  bool packs = y->layout.block != 0;
  Copy c = {.size = (int)type_size(x->type), .rank = 0};
  c.pad = packs && y->place != P_OUTPUT && v * c.size >= e->vec_bytes;
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

static void copy(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  Axes in, out;
  value_axes(x, &in);
  value_axes(y, &out);
  if (x->layout.block == y->layout.block) {
    copy_same(e, n, &in, &out);
    return;
  }
  int v = x->layout.block + y->layout.block;
  const Axes *p = x->layout.block ? &out : &in, *q = x->layout.block ? &in : &out;
  int64_t channels = x->shape.d[1], full = channels / v;
  if (full > 0) copy_blocks(e, n, p, q, 0, full, v);
  if (channels % v) copy_blocks(e, n, p, q, full, 1, (int)(channels % v));
}

/* ==== other types and other blocks ====
 *
 * A run are as many channels of a pixel as lie beside each other on both sides, or on the one that has blocks; it is converted
 * as one vector. From f32 to u8 on AVX-512, runs 0 to 3 of 16 channels each go from blocks 0 to 3 to parts 0 to 3 of block 0. */

typedef struct Runs {
  Emit *e;
  const Value *x, *y;
  int run;
} Runs;

static int run_of(const Layout *x, const Layout *y) {
  int a = x->block ? x->block : y->block, b = y->block ? y->block : x->block;
  return a == 0 ? 1 : a < b ? a : b;
}

/* From channel 0 at p to run k. */
static Ref run_at(const Runs *r, const Value *v, Ref p, Ref k) {
  Emit *e = r->e;
  if (!v->layout.block) return place_from(e, p, v, NULL, mul_i(e, k, r->run), NULL, NULL);
  Ref parts = const_i64(e, v->layout.block / r->run);
  p = place_from(e, p, v, NULL, LLVMBuildUDiv(e->b, k, parts, ""), NULL, NULL);
  return gep(e, p, LLVMBuildURem(e->b, k, parts, ""), r->run * (int64_t)type_size(v->type));
}

/* The first `valid` channels of a run at p, the others 0, or of a block's run anything. */
static Ref load_run(const Runs *r, Ref p, int valid) {
  Emit *e = r->e;
  const Value *v = r->x;
  int size = (int)type_size(v->type);
  LLVMTypeRef element = llvm_type(e, v->type), type = vec_of(element, r->run);
  if (v->layout.block || r->run == 1) return load(e, type, p, 0, r->run * size);
  Ref all = LLVMConstNull(type);
  for (int i = 0; i < valid; i++) {
    Ref one = load(e, element, p, place_offset(v, i, 0, 0), size);
    all = LLVMBuildInsertElement(e->b, all, one, const_i32(e, i), "");
  }
  return all;
}

static void store_run(const Runs *r, Ref all, Ref p, int valid) {
  Emit *e = r->e;
  const Value *v = r->y;
  int size = (int)type_size(v->type);
  if (v->layout.block || r->run == 1) {
    store(e, all, p, 0, r->run * size);
    return;
  }
  for (int i = 0; i < valid; i++) {
    store(e, LLVMBuildExtractElement(e->b, all, const_i32(e, i), ""), p, place_offset(v, i, 0, 0), size);
  }
}

/* Run k of the rows that begin at `from` and `to`. */
static void convert_row(const Runs *r, Ref from, Ref to, Ref k, int valid) {
  Emit *e = r->e;
  Loop x;
  from = run_at(r, r->x, from, k);
  to = run_at(r, r->y, to, k);
  loop_begin(e, &x, const_i64(e, 0), const_i64(e, r->x->shape.d[3]), 1, 0, NULL);
  Ref all = load_run(r, place_from(e, from, r->x, NULL, NULL, NULL, x.i), valid);
  all = math_cast(e, all, r->x->type, r->y->type);
  store_run(r, all, place_from(e, to, r->y, NULL, NULL, NULL, x.i), valid);
  loop_end(e, &x);
}

static void convert_runs(Emit *e, const Value *x, const Value *y) {
  const int64_t *d = x->shape.d;
  Runs r = {e, x, y, run_of(&x->layout, &y->layout)};
  Ref lo, hi, height = const_i64(e, d[2]);
  Loop row, k;
  task_range(e, d[0] * d[2], &lo, &hi);
  loop_begin(e, &row, lo, hi, 1, 0, NULL);
  Ref image = LLVMBuildUDiv(e->b, row.i, height, ""), line = LLVMBuildURem(e->b, row.i, height, "");
  Ref from = place_at(e, x, image, NULL, line, NULL), to = place_at(e, y, image, NULL, line, NULL);
  if (d[1] >= r.run) {
    loop_begin(e, &k, const_i64(e, 0), const_i64(e, d[1] / r.run), 1, 0, NULL);
    convert_row(&r, from, to, k.i, r.run);
    loop_end(e, &k);
  }
  if (d[1] % r.run) convert_row(&r, from, to, const_i64(e, d[1] / r.run), (int)(d[1] % r.run));
  loop_end(e, &row);
}

/* Elements [i, i + lanes) of dense tensors, for i in [lo, hi). */
static void convert_flat(const Runs *r, Ref lo, Ref hi, int lanes) {
  Emit *e = r->e;
  int in = (int)type_size(r->x->type), out = (int)type_size(r->y->type);
  Loop l;
  loop_begin(e, &l, lo, hi, lanes, 0, NULL);
  Ref v = load(e, vec_of(llvm_type(e, r->x->type), lanes), gep(e, value_ptr(e, r->x), l.i, in), 0, in);
  store(e, math_cast(e, v, r->x->type, r->y->type), gep(e, value_ptr(e, r->y), l.i, out), 0, out);
  loop_end(e, &l);
}

static void convert_dense(Emit *e, const Value *x, const Value *y) {
  Runs r = {.e = e, .x = x, .y = y};
  int64_t count = shape_count(&x->shape), vectors = count / e->lanes;
  Ref lo, hi;
  task_range(e, vectors + 1, &lo, &hi); /* the last item is what is left */
  Ref whole = const_i64(e, vectors * e->lanes), from = mul_i(e, lo, e->lanes), to = min_i(e, mul_i(e, hi, e->lanes), whole);
  convert_flat(&r, from, to, e->lanes);
  If last;
  if_begin(e, &last, LLVMBuildICmp(e->b, LLVMIntEQ, hi, const_i64(e, vectors + 1), ""));
  convert_flat(&r, whole, const_i64(e, count), 1);
  if_end(e, &last);
}

void emit_reorder(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  emit_halo(e, y);
  bool both = x->layout.block && y->layout.block && x->layout.block != y->layout.block;
  if (x->type == y->type && !both) copy(e, n);
  else if (layout_is_plain(x) && layout_is_plain(y)) convert_dense(e, x, y);
  else convert_runs(e, x, y);
}
