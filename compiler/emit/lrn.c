/* lrn.c: local response normalisation: by the squares of the channels about one, of dense tensors for vectors of pixels, on channel
 * blocks for a block, whose neighbours' lanes are shifted in. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Lrn {
  Emit *e;
  const Node *n;
  int64_t channels, map; /* elements of a channel */
  Ref src, dst;          /* the image's first element */
  Ref channel, lo, hi;   /* the channel, and those that its sum is over */
} Lrn;

/* base^-beta, by square roots where they do. */
static Ref inverse_power(Emit *e, Ref base, float beta) {
  Ref one = real_like(e, base, 1), root = sqrt_f(e, base);
  if (beta == 1) return div_f(e, one, base);
  if (beta == 0.5f) return div_f(e, one, root);
  if (beta == 0.75f) return div_f(e, one, mul_f(e, root, sqrt_f(e, root)));
  return math_exp(e, mul_f(e, math_log(e, base), real_like(e, base, -beta)));
}

/* x normalised by the sum of those squares. */
static Ref normalized(const Lrn *l, Ref x, Ref sum) {
  Emit *e = l->e;
  Ref factor = splat_const(e, (double)l->n->p.alpha / (double)l->n->p.size);
  Ref base = fma_(e, sum, factor, splat_const(e, l->n->p.bias));
  return mul_f(e, x, inverse_power(e, base, l->n->p.beta));
}

/* `valid` pixels from number x on. */
static void compute_pixels(const Lrn *l, Ref x, int valid) {
  Emit *e = l->e;
  Ref sum = splat_const(e, 0);
  Loop k;
  loop_begin_some(e, &k, l->lo, l->hi, 1, 1, &sum);
  Ref v = load_lanes(e, gep(e, gep(e, l->src, k.i, l->map * F32_BYTES), x, F32_BYTES), 0, valid, F32_BYTES);
  sum = fma_(e, v, v, sum);
  loop_end(e, &k);
  Ref at = add_i(e, mul_i(e, l->channel, l->map), x);
  Ref own = load_lanes(e, gep(e, l->src, at, F32_BYTES), 0, valid, F32_BYTES);
  store_lanes(e, normalized(l, own, sum), gep(e, l->dst, at, F32_BYTES), 0, valid, F32_BYTES);
}

static void compute_channel(const Lrn *l) {
  Emit *e = l->e;
  int64_t whole = l->map / e->lanes * e->lanes;
  Loop x;
  if (whole > 0) {
    loop_begin(e, &x, const_i64(e, 0), const_i64(e, whole), e->lanes, 0, NULL);
    compute_pixels(l, x.i, e->lanes);
    loop_end(e, &x);
  }
  if (whole < l->map) compute_pixels(l, const_i64(e, whole), (int)(l->map - whole));
}

/* ==== on channel blocks ==== */

/* The lanes of `low` and `high` beside each other from number `first` on. */
static Ref lanes_from(Emit *e, Ref low, Ref high, int first) {
  Ref index[64];
  for (int i = 0; i < e->lanes; i++) index[i] = const_i32(e, first + i);
  return LLVMBuildShuffleVector(e->b, low, high, LLVMConstVector(index, (unsigned)e->lanes), "");
}

/* The squares of a pixel's block at `at`, or zeros where `outside`; lanes past the last channel hold anything. */
static Ref squares_of(const Lrn *l, Ref at, Ref outside, Ref last) {
  Emit *e = l->e;
  Ref zero = splat_const(e, 0), x = load(e, e->vec, at, 0, e->vec_bytes);
  int valid = (int)(l->channels % e->lanes);
  x = mul_f(e, x, x);
  if (valid) x = choose(e, last, keep_lanes(e, x, valid, zero), x);
  return outside ? choose(e, outside, zero, x) : x;
}

static Ref is_block(Emit *e, Ref block, int64_t number) { return LLVMBuildICmp(e->b, LLVMIntEQ, block, const_i64(e, number), ""); }

/* A row of a block: its pixels, and those of the blocks on both sides, or of itself where there is none. */
static void compute_block(const Lrn *l, Ref image, Ref block, Ref row, int64_t blocks) {
  Emit *e = l->e;
  const Value *x = l->n->in[0], *y = l->n->out[0];
  Ref one = const_i64(e, 1), first = is_block(e, block, 0), last = is_block(e, block, blocks - 1);
  Ref before = choose(e, first, block, LLVMBuildSub(e->b, block, one, "")), after = choose(e, last, block, add_i(e, block, one));
  Ref low = place_at(e, x, image, before, row, NULL), own = place_at(e, x, image, block, row, NULL);
  Ref high = place_at(e, x, image, after, row, NULL), to = place_at(e, y, image, block, row, NULL);
  Loop p;
  loop_begin(e, &p, const_i64(e, 0), const_i64(e, y->shape.d[3]), 1, 0, NULL);
  int64_t pixel = place_pixel_bytes(x);
  Ref s = squares_of(l, gep(e, own, p.i, pixel), NULL, last), sum = s;
  Ref a = squares_of(l, gep(e, low, p.i, pixel), first, is_block(e, before, blocks - 1));
  Ref b = squares_of(l, gep(e, high, p.i, pixel), last, is_block(e, after, blocks - 1));
  for (int k = 1; k <= (l->n->p.size - 1) / 2; k++) sum = add_f(e, sum, lanes_from(e, a, s, e->lanes - k));
  for (int k = 1; k <= l->n->p.size / 2; k++) sum = add_f(e, sum, lanes_from(e, s, b, k));
  Ref v = load(e, e->vec, gep(e, own, p.i, pixel), 0, e->vec_bytes);
  store(e, normalized(l, v, sum), gep(e, to, p.i, place_pixel_bytes(y)), 0, e->vec_bytes);
  loop_end(e, &p);
}

static void compute_blocked(const Lrn *l) {
  Emit *e = l->e;
  const Value *y = l->n->out[0];
  const int64_t *d = y->shape.d;
  int64_t blocks = size_ceiling(l->channels, e->lanes);
  assert(l->n->in[0]->layout.block == e->lanes && y->layout.block == e->lanes);
  emit_halo(e, y);
  Ref lo, hi, count = const_i64(e, blocks), rows = const_i64(e, d[2]);
  task_range(e, d[0] * d[2] * blocks, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref block = LLVMBuildURem(e->b, item.i, count, ""), plane = LLVMBuildUDiv(e->b, item.i, count, "");
  compute_block(l, LLVMBuildUDiv(e->b, plane, rows, ""), block, LLVMBuildURem(e->b, plane, rows, ""), blocks);
  loop_end(e, &item);
}

void emit_lrn(Emit *e, Node *n) {
  const Shape *s = &n->in[0]->shape;
  Lrn l = {.e = e, .n = n, .channels = s->d[1], .map = 1};
  if (n->out[0]->layout.block) {
    compute_blocked(&l);
    return;
  }
  for (int i = 2; i < s->rank; i++) l.map *= s->d[i];
  Ref lo, hi;
  work_range(e, s->d[0] * l.channels, shape_count(s), &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref count = const_i64(e, l.channels), image = LLVMBuildUDiv(e->b, item.i, count, "");
  l.channel = LLVMBuildURem(e->b, item.i, count, "");
  l.src = gep(e, value_ptr(e, n->in[0]), image, l.channels * l.map * F32_BYTES);
  l.dst = gep(e, value_ptr(e, n->out[0]), image, l.channels * l.map * F32_BYTES);
  l.lo = max_i(e, add_i(e, l.channel, const_i64(e, -((n->p.size - 1) / 2))), const_i64(e, 0));
  l.hi = min_i(e, add_i(e, l.channel, const_i64(e, n->p.size / 2 + 1)), count);
  compute_channel(&l);
  loop_end(e, &item);
}
