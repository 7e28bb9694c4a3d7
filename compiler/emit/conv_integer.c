/* conv_integer.c: 1x1 convolutions of u8 activations and s8 weights on channel blocks, for any x86-64.
 *
 * A tile is uw pixels x nb vectors of output channels. For two input channels at a time their values, a pair of 16-bit numbers, are
 * broadcast, and a vector of weights has such a pair for each output channel: pmaddwd multiplies and adds both products.
 *
 *   x      [c0 c1] [c2 c3] ...                        one pixel's bytes
 *   w[0]   [a0 a1  b0 b1  c0 c1 ...]                  channels 0 and 1 for outputs a, b, c, ...
 *   w[1]   [a2 a3  b2 b3  c2 c3 ...]
 *   sum a = start a + c0 a0 + c1 a1 + c2 a2 + ...     start: minus the zero point times all weights of a
 *
 * No sum saturates: a product of 8-bit numbers fits 16 bits, two of them 17, and the sums have 32. */
#include "emit.h"

#include "resnetcc_rt.h"
#include <llvm-c/Core.h>

typedef struct IntegerConv {
  Emit *e;
  Node *n;
  const IntegerPlan *plan;
  const Value *in, *out;
  int64_t cols;
  int64_t in_pairs;    /* of a whole block of the input */
  int64_t group;       /* bytes of the weights for nb vectors of outputs */
} IntegerConv;

/* The outputs of a group that exist, of pixels x .. x + uw. */
typedef struct IntegerTile {
  int uw, nb;
  Ref group;           /* its number */
} IntegerTile;

static int64_t vector_bytes(const IntegerConv *k) { return k->e->lanes * (int64_t)sizeof(int32_t); }

/* ==== pairs ==== */

static Ref part(Emit *e, Ref v, int first, int count) {
  Ref index[64];
  for (int i = 0; i < count; i++) index[i] = const_i32(e, first + i);
  return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(index, (unsigned)count), "");
}

static Ref join(Emit *e, Ref a, Ref b, int each) {
  Ref index[64];
  for (int i = 0; i < 2 * each; i++) index[i] = const_i32(e, i);
  return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(index, (unsigned)(2 * each)), "");
}

/* a[2i] b[2i] + a[2i+1] b[2i+1] of 16-bit numbers, for so many lanes of i32: one pmaddwd of the widest that the CPU has. */
static Ref add_pairs(Emit *e, Ref a, Ref b, int lanes) {
  uint64_t bits = e->t->cpu_bits;
  if (lanes == 16 && bits & RCC_CPU_AVX512BW) return intrinsic(e, "llvm.x86.avx512.pmaddw.d.512", 0, NULL, 2, (Ref[]){a, b});
  if (lanes == 8 && bits & RCC_CPU_AVX2) return intrinsic(e, "llvm.x86.avx2.pmadd.wd", 0, NULL, 2, (Ref[]){a, b});
  if (lanes == 4) return intrinsic(e, "llvm.x86.sse2.pmadd.wd", 0, NULL, 2, (Ref[]){a, b});
  Ref low = add_pairs(e, part(e, a, 0, lanes), part(e, b, 0, lanes), lanes / 2);
  Ref high = add_pairs(e, part(e, a, lanes, lanes), part(e, b, lanes, lanes), lanes / 2);
  return join(e, low, high, lanes / 2);
}

/* Two bytes at p, as 16-bit numbers, in every lane. */
static Ref pair_at(const IntegerConv *k, Ref p, int64_t at) {
  Emit *e = k->e;
  Ref both = LLVMBuildZExt(e->b, load(e, e->i16, p, at, 1), e->i32, "");
  Ref apart = LLVMBuildOr(e->b, both, LLVMBuildShl(e->b, both, const_i32(e, 8), ""), "");
  Ref pair = LLVMBuildAnd(e->b, apart, const_i32(e, 0x00ff00ff), "");
  return LLVMBuildBitCast(e->b, splat(e, pair, e->lanes), vec_of(e->i16, 2 * e->lanes), "");
}

/* ==== a tile ==== */

/* acc: the sums [vector][pixel], then the pointer to the pair's weights. */
static void sum_pair(const IntegerConv *k, const IntegerTile *t, Ref x, Ref *acc) {
  Emit *e = k->e;
  int n = t->uw * t->nb;
  Ref w[MAX_TILE];
  for (int b = 0; b < t->nb; b++) w[b] = load(e, vec_of(e->i16, 2 * e->lanes), acc[n], b * vector_bytes(k), e->vec_bytes);
  for (int u = 0; u < t->uw; u++) {
    Ref pair = pair_at(k, x, u * k->n->win.sw * place_pixel_bytes(k->in));
    for (int b = 0; b < t->nb; b++) {
      Ref *sum = &acc[b * t->uw + u];
      *sum = LLVMBuildAdd(e->b, *sum, add_pairs(e, pair, w[b], e->lanes), "");
    }
  }
  acc[n] = gep_const(e, acc[n], k->plan->nb * vector_bytes(k));
}

static void sum_pairs(const IntegerConv *k, const IntegerTile *t, Ref block, int64_t pairs, Ref *acc) {
  Emit *e = k->e;
  Loop pair;
  loop_begin(e, &pair, const_i64(e, 0), const_i64(e, pairs), 1, t->uw * t->nb + 1, acc);
  sum_pair(k, t, gep(e, block, pair.i, 2), acc);
  loop_end(e, &pair);
}

static void sum_tile(const IntegerConv *k, const IntegerTile *t, Ref in, Ref *acc) {
  Emit *e = k->e;
  int n = t->uw * t->nb;
  Ref weights = gep(e, weights_ptr(e, k->n->plan->at.weights), t->group, k->group);
  int64_t whole = k->plan->pairs / k->in_pairs, rest = k->plan->pairs % k->in_pairs;
  for (int b = 0; b < t->nb; b++) {
    Ref start = load(e, vec_of(e->i32, e->lanes), weights, b * vector_bytes(k), e->vec_bytes);
    for (int u = 0; u < t->uw; u++) acc[b * t->uw + u] = start;
  }
  acc[n] = gep_const(e, weights, k->plan->nb * vector_bytes(k));
  if (whole > 0) {
    Loop block;
    loop_begin(e, &block, const_i64(e, 0), const_i64(e, whole), 1, n + 1, acc);
    sum_pairs(k, t, place_from(e, in, k->in, NULL, block.i, NULL, NULL), k->in_pairs, acc);
    loop_end(e, &block);
  }
  if (rest > 0) sum_pairs(k, t, place_from(e, in, k->in, NULL, const_i64(e, whole), NULL, NULL), rest, acc);
}

static void build_tile(const IntegerConv *k, const IntegerTile *t, Ref image, Ref row, Ref x) {
  Emit *e = k->e;
  Ref acc[64], arg[MAX_STEPS], vector = mul_i(e, t->group, k->plan->nb);
  sum_tile(k, t, place_window(e, k->in, &k->n->win, image, NULL, row, x), acc);
  Ref out = place_vector(e, value_ptr(e, k->out), k->out, image, vector, row, x);
  int size = (int)type_size(k->out->type) * e->lanes;
  step_pointers(e, k->n, image, vector, row, x, arg);
  for (int b = 0; b < t->nb; b++) {
    for (int u = 0; u < t->uw; u++) {
      Ref y = apply_steps(e, k->n, acc[b * t->uw + u], arg, b, 0, u);
      store(e, y, out, place_vector_offset(e, k->out, b, 0, u), size);
    }
  }
}

/* ==== loops ==== */

/* The tiles [from, to) of a row. */
static void build_row(const IntegerConv *k, IntegerTile t, Ref image, Ref row, Ref from, Ref to) {
  const RowTiles tiles = row_tiles(k->cols, k->plan->uw);
  for (int i = 0; i < 2; i++) {
    Loop tile;
    Ref x;
    if (!row_tiles_begin(k->e, &tile, &tiles, i, from, to, &x)) continue;
    t.uw = (int)tiles.size[i];
    build_tile(k, &t, image, row, x);
    loop_end(k->e, &tile);
  }
}

/* Groups of nb vectors of outputs, the last one perhaps of fewer. */
static void build_groups(const IntegerConv *k, const RowShare *s) {
  Emit *e = k->e;
  int64_t vectors = size_ceiling(k->out->shape.d[1], e->lanes), whole = vectors / k->plan->nb, rest = vectors % k->plan->nb;
  if (whole > 0) {
    Loop group;
    loop_begin(e, &group, const_i64(e, 0), const_i64(e, whole), 1, 0, NULL);
    build_row(k, (IntegerTile){.nb = k->plan->nb, .group = group.i}, s->image, s->row, s->from, s->to);
    loop_end(e, &group);
  }
  if (rest > 0) build_row(k, (IntegerTile){.nb = (int)rest, .group = const_i64(e, whole)}, s->image, s->row, s->from, s->to);
}

/* Tasks share out the tiles of all rows. */
void emit_integer(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  IntegerConv k = {.e = e, .n = n, .plan = &n->plan->integer, .in = n->in[0], .out = n->out[0], .cols = y->d[3],
                   .in_pairs = n->in[0]->layout.block / 2};
  k.group = (k.plan->pairs + 1) * k.plan->nb * vector_bytes(&k);
  emit_halo(e, n->out[0]);
  RowShare share;
  row_share_begin(e, &share, y->d[0], y->d[2], row_tiles(k.cols, k.plan->uw).count);
  build_groups(&k, &share);
  row_share_end(e, &share);
}
