/* tile.c: the inner loop of every matrix-like kernel: a tile of accumulators in registers, one broadcast input value
 * against `nb` weight vectors a step. */
#include "emit.h"

#include <llvm-c/Core.h>

void end_step(Emit *e) {
  static char clobber[] = "~{memory}";
  LLVMTypeRef type = LLVMFunctionType(e->void_, NULL, 0, 0);
  call(e, LLVMGetInlineAsm(type, "", 0, clobber, sizeof clobber - 1, 1, 0, LLVMInlineAsmDialectATT, 0), type, 0, NULL);
}

/* `count` runs of `half` lanes, the first of them at lane `from` and each `step` behind the one before, from a and then from b;
 * the lanes that are left hold anything. */
static Ref gather_runs(Emit *e, Ref a, Ref b, int count, int half, int step, int from) {
  Ref lane[64], none = LLVMGetPoison(e->i32), nothing = LLVMGetPoison(LLVMTypeOf(a));
  int n = 0;
  for (int source = 0; source < (b ? 2 : 1); source++) {
    for (int run = 0; run < count; run++) {
      for (int k = 0; k < half; k++) lane[n++] = const_i32(e, source * e->lanes + run * step + from + k);
    }
  }
  while (n < e->lanes) lane[n++] = none;
  return LLVMBuildShuffleVector(e->b, a, b ? b : nothing, LLVMConstVector(lane, (unsigned)e->lanes), "");
}

/* Each vector holds `runs` runs of lanes that are yet to be summed: the lower half of each meets the upper half, two vectors
 * become one with twice as many runs of half the length. */
Ref sum_lanes(Emit *e, Ref *v, int n) {
  Ref sum[64];
  assert(n >= 1 && n <= e->lanes && n <= 64);
  for (int i = 0; i < n; i++) sum[i] = v[i];
  for (int length = e->lanes, runs = 1; length > 1; length /= 2) {
    int pairs = (n + 1) / 2;
    for (int i = 0; i < pairs; i++) {
      Ref a = sum[2 * i], b = 2 * i + 1 < n ? sum[2 * i + 1] : NULL;
      Ref lower = gather_runs(e, a, b, runs, length / 2, length, 0);
      Ref upper = gather_runs(e, a, b, runs, length / 2, length, length / 2);
      sum[i] = element_of(a) == e->i32 ? LLVMBuildAdd(e->b, lower, upper, "") : add_f(e, lower, upper);
    }
    if (n > 1) runs *= 2;
    n = pairs;
  }
  return sum[0];
}

Ref gather_lanes(Emit *e, Ref *v, int n, const int *from) {
  Ref all = NULL, lane[64];
  for (int s = 0; s < n; s++) {
    bool used = false;
    for (int l = 0; l < e->lanes; l++) {
      bool own = from[l] / e->lanes == s;
      used |= own;
      lane[l] = const_i32(e, own ? (all ? e->lanes : 0) + from[l] % e->lanes : l);
    }
    if (!used) continue;
    Ref mask = LLVMConstVector(lane, (unsigned)e->lanes);
    all = LLVMBuildShuffleVector(e->b, all ? all : v[s], all ? v[s] : LLVMGetPoison(e->vec), mask, "");
  }
  return all;
}

static int64_t weight_size(const Tile *t) { return t->weights ? (int64_t)type_size(t->weights) : F32_BYTES; }

/* The vector of weights that begins with number `at`; in rows of whole vectors it is aligned. */
static Factor load_weights(Emit *e, const Tile *t, Ref w, int64_t at, bool aligned) {
  int size = (int)weight_size(t);
  LLVMTypeRef type = t->dot ? vec_of(e->i32, e->lanes) : t->weights ? vec_of(llvm_type(e, t->weights), e->lanes) : e->vec;
  int align = aligned ? e->lanes * size : size;
  Ref v = load(e, type, w, at * size, align);
  if (t->more) v = add_f(e, v, load(e, type, gep(e, w, t->more, 1), at * size, align));
  if (t->less) v = sub_f(e, v, load(e, type, gep(e, w, t->less, 1), at * size, align));
  if (t->sums) store(e, v, t->sums, at * size, align);
  if (t->dot) return dot_factor(e, t->dot, v, true);
  return (Factor){{t->weights ? math_widen(e, v, t->weights) : v}};
}

static Factor load_input(Emit *e, const Tile *t, Ref x, int64_t at) {
  Ref v = splat(e, load(e, t->dot ? e->i32 : e->f32, x, at, F32_BYTES), e->lanes);
  return t->dot ? dot_factor(e, t->dot, v, false) : (Factor){{v}};
}

/* Does a tile take its inputs by vectors, each for several steps, where there are so many? */
static bool takes_vectors(const Emit *e, const Tile *t) { return e->t->by_lane && t->uw * t->nb + t->uw + 2 <= e->t->regs; }

static Ref add_product(Emit *e, const Tile *t, Factor x, Factor w, Ref sum) {
  return t->dot ? dot_add(e, t->dot, x, w, sum) : fma_(e, x.part[0], w.part[0], sum);
}

/* Step k of inputs in vectors: each part of a vector of weights is used up before the next one is made. */
static void add_by_lane(Emit *e, const Tile *t, const Factor *inputs, int k, Ref w, int64_t at, bool aligned, Ref *sum) {
  for (int b = 0; b < t->nb; b++) {
    Factor weight = load_weights(e, t, w, at + b * e->lanes, aligned);
    for (int i = 0; i < DOT_PARTS; i++) {
      for (int u = 0; u < t->uw && weight.part[i]; u++) {
        Factor value = {{dot_spread(e, t->dot, inputs[u], k).part[i]}};
        sum[b * t->uw + u] = add_product(e, t, value, (Factor){{weight.part[i]}}, sum[b * t->uw + u]);
      }
    }
  }
}

/* While step k of so many goes on. */
static void fetch_beside(Emit *e, const Tile *t, Ref x, int k, int steps, Ref pf) {
  int from = t->prefetch * k / steps, to = t->prefetch * (k + 1) / steps;
  for (int i = from; i < to; i++) prefetch(e, pf, i * 64, e->t->fetch_level);
  if (t->ahead && k < t->uw) {
    prefetch(e, t->ahead_from ? t->ahead_from : x, t->in[k] + (t->ahead_from ? 0 : t->ahead), e->t->fetch_level);
  }
}

void tile_sums(Emit *e, const Tile *t, Ref x, int steps, Ref *acc, Ref *w, Ref *pf) {
  int lanes = e->lanes, width = t->width ? t->width : t->nb * lanes, each = dot_steps(t->dot);
  int by_lane = takes_vectors(e, t) ? steps / each * each : 0;
  Factor input[MAX_TILE];
  assert(t->uw <= MAX_TILE && t->nb <= MAX_ACC);
  for (int k = 0; k < steps; k++) {
    Factor weight[MAX_ACC];
    Ref *sum = acc + (t->sets ? k % t->sets : 0) * t->uw * t->nb;
    for (int b = 0; b < t->nb && k >= by_lane; b++) weight[b] = load_weights(e, t, *w, k * width + b * lanes, width % lanes == 0);
    fetch_beside(e, t, x, k, steps, *pf);
    for (int u = 0; u < t->uw && k < by_lane && k % each == 0; u++) input[u] = dot_inputs(e, t->dot, x, t->in[u] + k * F32_BYTES);
    if (k < by_lane) add_by_lane(e, t, input, k % each, *w, k * width, width % lanes == 0, sum);
    for (int u = 0; u < t->uw && k >= by_lane; u++) {
      Factor value = load_input(e, t, x, t->in[u] + k * F32_BYTES);
      for (int b = 0; b < t->nb; b++) sum[b * t->uw + u] = add_product(e, t, value, weight[b], sum[b * t->uw + u]);
    }
    end_step(e);
  }
  *w = gep_const(e, *w, steps * width * weight_size(t));
  if (t->prefetch) *pf = gep_const(e, *pf, t->prefetch * 64);
}
