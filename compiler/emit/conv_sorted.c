/* conv_sorted.c: the sums of a tile of the direct convolution of 8-bit integers over a panel whose steps are sorted, see
 * lower/conv_sorted.c. */
#include "emit.h"

#include <llvm-c/Core.h>

/* One step of a class: where its inputs and its weights are. */
typedef struct SortedStep { int class; Ref x, words, w; } SortedStep;

static Factor wide_input(Emit *e, const SortedStep *s, const SortedPanel *p, int u, Ref bytes) {
  if (!p->words) return dot_factor(e, DOT_PAIRS, bytes, false);
  Factor x;
  for (int i = 0; i < 2; i++) {
    Ref two = load(e, e->i32, s->words, (2 * u + i) * p->words_bytes, 4);
    x.part[i] = LLVMBuildBitCast(e->b, splat(e, two, e->lanes), vec_of(e->i16, 2 * e->lanes), "");
  }
  return x;
}

static void sum_step(Emit *e, const Tile *t, const SortedStep *s, const SortedPanel *p, Ref *acc) {
  int class = s->class;
  Factor weight[SORTED_VECTORS];
  for (int b = 0; b < t->nb; b++) {
    Ref v = load(e, vec_of(e->i32, e->lanes), s->w, b * e->vec_bytes, e->vec_bytes);
    weight[b] = dot_factor(e, class >> b & 1 ? DOT_PAIRS : DOT_SMALL, v, true);
  }
  for (int u = 0; u < t->uw; u++) {
    Ref v = splat(e, load(e, e->i32, s->x, t->in[u], F32_BYTES), e->lanes);
    Factor small = {{v}}, pairs = class ? wide_input(e, s, p, u, v) : small;
    for (int i = 0; i < t->nb; i++) {
      int b = class == 2 ? t->nb - 1 - i : i; /* the wide one first: there are no registers for its inputs of several pixels */
      bool wide = class >> b & 1;
      Ref *sum = &acc[b * t->uw + u];
      *sum = dot_add(e, wide ? DOT_PAIRS : DOT_SMALL, wide ? pairs : small, weight[b], *sum);
    }
  }
  end_step(e);
}

void sorted_sums(Emit *e, const Tile *t, Ref x, const SortedPanel *p, Ref *acc) {
  int n = t->uw * t->nb;
  assert(t->nb <= SORTED_VECTORS);
  acc[n] = p->weights;
  acc[n + 1] = gep_const(e, p->list, SORTED_COUNTS);
  for (int class = 0; class < 1 << t->nb; class++) {
    Loop step;
    Ref count = LLVMBuildSExt(e->b, load(e, e->i32, p->list, class * 4, 4), e->i64, "");
    acc[n + 2] = const_i64(e, -1);
    loop_begin(e, &step, const_i64(e, 0), count, 1, n + 3, acc);
    Ref number = acc[n + 2] = add_i(e, acc[n + 2], LLVMBuildZExt(e->b, load(e, e->i8, acc[n + 1], 0, 1), e->i64, ""));
    Ref at = LLVMBuildSExt(e->b, load(e, e->i32, gep(e, p->places, number, 4), 0, 4), e->i64, "");
    SortedStep s = {class, gep(e, x, at, 1), p->words ? gep(e, p->words, number, 4) : NULL, acc[n]};
    sum_step(e, t, &s, p, acc);
    acc[n] = gep_const(e, acc[n], t->nb * e->vec_bytes);
    acc[n + 1] = gep_const(e, acc[n + 1], 1);
    loop_end(e, &step);
  }
}
