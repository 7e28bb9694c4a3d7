/* pool_bytes.c: means of quantised numbers, of 8 bits, on channel blocks and element by element. Sums over the whole map are of
 * integers: 16 bits hold those of as many bytes as a chunk has. Means over windows are of fp32, whose order is defined. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { CHUNK = 256 }; /* bytes whose sum 16 bits hold */

/* ==== words for both ==== */

static int64_t zero_of(const Node *n, int i) {
  return has_input(n, i) ? get_number(n->in[i]->type, n->in[i]->data, 0).i : 0;
}

Ref pool_term(Emit *e, const Node *n, Ref x) {
  Type t = n->in[0]->type;
  if (n->op == OP_GlobalSumPool) return plus_i(e, math_cast(e, x, t, T_I32), -zero_of(n, 1));
  Ref scale = splat(e, const_element(e, n->in[1]), lane_count(x)), zero = splat(e, const_element(e, n->in[2]), lane_count(x));
  return emit_dequantize(e, t, x, scale, zero);
}

Ref pool_mean(Emit *e, const Node *n, Ref sum, Ref count) {
  int lanes = lane_count(sum);
  float scale = *(const float *)n->in[1]->data, to = *(const float *)n->in[3]->data;
  bool normal = scale > 0x1p-60f && scale < 0x1p60f;
  Ref inverse = div_f(e, const_f32(e, 1), count), by = splat(e, count, lanes);
  Ref mean = normal ? emit_divided(e, sum, by, splat(e, inverse, lanes)) : div_f(e, sum, by);
  return emit_quantize_inside(e, n->in[4]->type, mean, to, (double)zero_of(n, 4));
}

/* ==== on blocks ==== */

typedef struct BytePool {
  Emit *e;
  Node *n;
  const Value *x, *y;
  Ref image, block, row; /* of the result */
  int vectors;           /* of the block that exist */
} BytePool;

static int block_lanes(const BytePool *p) { return p->x->layout.block; }

/* Channels that exist, in whole vectors. */
static int lanes_of(const BytePool *p) { return p->vectors * p->e->lanes; }

static Ref load_bytes(const BytePool *p, Ref at) {
  Emit *e = p->e;
  return load(e, vec_of(e->i8, lanes_of(p)), at, 0, e->lanes);
}

static Ref extended(const BytePool *p, Ref x, LLVMTypeRef element) {
  LLVMTypeRef type = like(x, element);
  return type_is_signed(p->x->type) ? LLVMBuildSExt(p->e->b, x, type, "") : LLVMBuildZExt(p->e->b, x, type, "");
}

/* The result of the block's channels at pixel x. */
static void finish(const BytePool *p, Ref x, Ref result) {
  Emit *e = p->e;
  Ref arg[MAX_STEPS], vector = mul_i(e, p->block, block_lanes(p) / e->lanes);
  step_pointers(e, p->n, p->image, vector, p->row, x, arg);
  Ref to = place_vector(e, value_ptr(e, p->y), p->y, p->image, vector, p->row, x);
  store_channels(e, p->y, apply_steps(e, p->n, result, arg, 0, 0, 0), to, 0, 0);
}

/* The pixels [lo, hi) of the row at `row`, CHUNK at most, added to the sums. */
static Ref add_chunk(const BytePool *p, Ref row, Ref lo, Ref hi, Ref sums) {
  Emit *e = p->e;
  Ref part = LLVMConstNull(vec_of(e->i16, lanes_of(p)));
  Loop pixel;
  loop_begin(e, &pixel, lo, hi, 1, 1, &part);
  Ref at = place_from(e, row, p->x, NULL, NULL, NULL, pixel.i);
  part = LLVMBuildAdd(e->b, part, extended(p, load_bytes(p, at), e->i16), "");
  loop_end(e, &pixel);
  return LLVMBuildAdd(e->b, sums, extended(p, part, e->i32), "");
}

static void sum_map(const BytePool *p) {
  Emit *e = p->e;
  int64_t height = p->x->shape.d[2], width = p->x->shape.d[3];
  Ref from = place_at(e, p->x, p->image, p->block, NULL, NULL), sums = LLVMConstNull(vec_of(e->i32, lanes_of(p)));
  Loop row, chunk;
  loop_begin(e, &row, const_i64(e, 0), const_i64(e, height), 1, 1, &sums);
  loop_begin(e, &chunk, const_i64(e, 0), const_i64(e, width), CHUNK, 1, &sums);
  Ref end = width <= CHUNK ? const_i64(e, width) : min_i(e, plus_i(e, chunk.i, CHUNK), const_i64(e, width));
  sums = add_chunk(p, place_from(e, from, p->x, NULL, NULL, row.i, NULL), chunk.i, end, sums);
  loop_end(e, &chunk);
  loop_end(e, &row);
  finish(p, const_i64(e, 0), plus_i(e, sums, -zero_of(p->n, 1) * height * width));
}

/* The taps of a window along one axis, which begins at `start`, that lie inside. */
typedef struct Inside {
  Ref lo, hi;
} Inside;

static Inside inside(Emit *e, Ref start, int64_t size, int64_t dilation, int64_t kernel) {
  return (Inside){taps_before(e, start, 0, dilation, kernel), taps_before(e, start, size, dilation, kernel)};
}

static Ref window_start(Emit *e, Ref i, int64_t stride, int64_t before) { return plus_i(e, mul_i(e, i, stride), -before); }

static void average_window(const BytePool *p, Ref x) {
  Emit *e = p->e;
  const Window *w = &p->n->win;
  const int64_t *d = p->x->shape.d;
  Ref top = window_start(e, p->row, w->sh, w->top), left = window_start(e, x, w->sw, w->left);
  Inside rows = inside(e, top, d[2], w->dh, w->kh), cols = inside(e, left, d[3], w->dw, w->kw);
  Ref from = place_at(e, p->x, p->image, p->block, top, left), sum = LLVMConstNull(vec_of(e->f32, lanes_of(p)));
  Loop row, col;
  loop_begin(e, &row, rows.lo, rows.hi, 1, 1, &sum);
  Ref line = gep(e, from, row.i, w->dh * place_row_bytes(p->x));
  loop_begin(e, &col, cols.lo, cols.hi, 1, 1, &sum);
  sum = add_f(e, sum, pool_term(e, p->n, load_bytes(p, gep(e, line, col.i, w->dw * place_pixel_bytes(p->x)))));
  loop_end(e, &col);
  loop_end(e, &row);
  Ref count = const_f32(e, (double)(w->kh * w->kw));
  if (!p->n->p.count_pad) {
    Ref taps = LLVMBuildMul(e->b, LLVMBuildSub(e->b, rows.hi, rows.lo, ""), LLVMBuildSub(e->b, cols.hi, cols.lo, ""), "");
    count = LLVMBuildSIToFP(e->b, taps, e->f32, "");
  }
  finish(p, x, pool_mean(e, p->n, sum, count));
}

static void build_row(const BytePool *p) {
  Emit *e = p->e;
  Loop x;
  if (is_global_pool(p->n)) {
    sum_map(p);
    return;
  }
  loop_begin(e, &x, const_i64(e, 0), const_i64(e, p->y->shape.d[3]), 1, 0, NULL);
  average_window(p, x.i);
  loop_end(e, &x);
}

/* Rows of those blocks of the images that have so many vectors, from number `first` on. */
static void build_blocks(BytePool *p, int64_t first, int64_t count, int vectors) {
  Emit *e = p->e;
  const int64_t *d = p->y->shape.d;
  if (count == 0) return;
  Ref lo, hi, blocks = const_i64(e, count), rows = const_i64(e, d[2]);
  task_range(e, d[0] * d[2] * count, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref line = LLVMBuildUDiv(e->b, item.i, blocks, "");
  p->block = plus_i(e, LLVMBuildURem(e->b, item.i, blocks, ""), first);
  p->row = LLVMBuildURem(e->b, line, rows, "");
  p->image = LLVMBuildUDiv(e->b, line, rows, "");
  p->vectors = vectors;
  build_row(p);
  loop_end(e, &item);
}

void emit_pool_bytes(Emit *e, Node *n) {
  BytePool p = {.e = e, .n = n, .x = n->in[0], .y = n->out[0]};
  int per = block_lanes(&p) / e->lanes;
  int64_t vectors = size_ceiling(p.y->shape.d[1], e->lanes);
  emit_halo(e, p.y);
  build_blocks(&p, 0, vectors / per, per);
  build_blocks(&p, vectors / per, vectors % per != 0, (int)(vectors % per));
}
