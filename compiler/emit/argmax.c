/* argmax.c: ArgMax, ArgMin and Hardmax. */
#include "emit.h"

#include <llvm-c/Core.h>

static void store_indices(const AxisLine *l, Ref best) {
  Emit *e = l->e;
  for (int i = 0; i < l->valid; i++) store(e, lane_of(e, best, const_i32(e, i)), l->dst, 8 * i, 8);
}

/* Is a what n looks for, b having come first? NaN is the largest number for one, the smallest for the
 * other. */
static Ref beats(Emit *e, const Node *n, Type t, Ref a, Ref b) {
  if (n->op != OP_ArgMin) return math_beats(e, t, a, b);
  if (!type_is_float(t)) return math_less(e, t, a, b);
  Ref less = LLVMBuildFCmp(e->b, LLVMRealULT, a, b, "");
  return LLVMBuildAnd(e->b, less, LLVMBuildFCmp(e->b, LLVMRealORD, b, b, ""), "");
}

/* The index along the line. */
static Ref find_best(const AxisLines *w) {
  const AxisLine *l = &w->line;
  Emit *e = l->e;
  Ref zero = const_i64(e, 0), best[] = {line_load(l, zero, l->valid), splat(e, zero, l->lanes)};
  Loop k;
  loop_begin(e, &k, const_i64(e, 1), const_i64(e, l->n), 1, 2, best);
  Ref v = line_load(l, mul_i(e, k.i, l->stride), l->valid);
  Ref better = w->n->p.last ? LLVMBuildNot(e->b, beats(e, w->n, l->type, best[0], v), "")
      : beats(e, w->n, l->type, v, best[0]);
  best[0] = choose(e, better, v, best[0]);
  best[1] = choose(e, better, splat(e, k.i, l->lanes), best[1]);
  loop_end(e, &k);
  return best[1];
}

static void argmax_line(AxisLines *w) { store_indices(&w->line, find_best(w)); }

static void hardmax_line(AxisLines *w) {
  const AxisLine *l = &w->line;
  Emit *e = l->e;
  Ref best = find_best(w);
  Loop k;
  loop_begin(e, &k, const_i64(e, 0), const_i64(e, l->n), 1, 0, NULL);
  Ref is_best = LLVMBuildICmp(e->b, LLVMIntEQ, best, splat(e, k.i, l->lanes), "");
  Ref v = choose(e, is_best, line_constant(l, 1), line_constant(l, 0));
  line_store(l, v, mul_i(e, k.i, l->stride), l->valid);
  loop_end(e, &k);
}

void emit_argmax(Emit *e, Node *n) {
  AxisLines w = lines_by_element(e, n);
  w.reduces = true;
  each_line(&w, argmax_line);
}

void emit_hardmax(Emit *e, Node *n) {
  AxisLines w = lines_by_element(e, n);
  each_line(&w, hardmax_line);
}
