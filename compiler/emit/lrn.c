/* lrn.c: local response normalisation of dense tensors: by the squares of the channels about one, for vectors
 * of pixels. */
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

/* `valid` pixels from number x on. */
static void compute_pixels(const Lrn *l, Ref x, int valid) {
  Emit *e = l->e;
  Ref sum = splat_const(e, 0);
  Loop k;
  loop_begin_some(e, &k, l->lo, l->hi, 1, 1, &sum);
  Ref v = load_lanes(e, gep(e, gep(e, l->src, k.i, l->map * F32_BYTES), x, F32_BYTES), 0, valid, F32_BYTES);
  sum = fma_(e, v, v, sum);
  loop_end(e, &k);
  Ref factor = splat_const(e, (double)l->n->p.alpha / (double)l->n->p.size);
  Ref base = fma_(e, sum, factor, splat_const(e, l->n->p.bias));
  Ref at = add_i(e, mul_i(e, l->channel, l->map), x);
  Ref own = load_lanes(e, gep(e, l->src, at, F32_BYTES), 0, valid, F32_BYTES);
  store_lanes(e, mul_f(e, own, inverse_power(e, base, l->n->p.beta)), gep(e, l->dst, at, F32_BYTES), 0, valid,
              F32_BYTES);
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

void emit_lrn(Emit *e, Node *n) {
  const Shape *s = &n->in[0]->shape;
  Lrn l = {.e = e, .n = n, .channels = s->d[1], .map = 1};
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
