/* quant_fixture.h: what a graph between DequantizeLinear and QuantizeLinear becomes. */
#ifndef QUANT_FIXTURE_H
#define QUANT_FIXTURE_H

#include "fixture.h"

#include <math.h>

#define ACTIVATIONS "graph q\ninput x u8 [2,5,4,3]\ninput r u8 [2,6,4,3]\n" \
  "const sx f32 [] = {0.05}\nconst zx u8 [] = {120}\nconst sr f32 [] = {0.07}\nconst zr u8 [] = {3}\n" \
  "const sy f32 [] = {0.11}\nconst zy u8 [] = {131}\n"

static inline const void **byte_inputs(Graph *g) {
  uint64_t state = 7;
  const void **in = alloc_n(g->cx, (size_t)g->n_input, sizeof *in);
  for (int i = 0; i < g->n_input; i++) {
    int64_t n = shape_count(&g->input[i]->shape);
    uint8_t *x = alloc_n(g->cx, (size_t)n, 1);
    for (int64_t k = 0; k < n; k++) x[k] = (uint8_t)random_bits(&state);
    in[i] = x;
  }
  return in;
}

/* Integers differ by so many steps at most, numbers by roundings. */
static inline void compare(const Value *y, const void *want, const void *got, int steps) {
  for (int64_t i = 0; i < shape_count(&y->shape); i++) {
    Number p = get_number(y->type, want, i), q = get_number(y->type, got, i);
    double a = type_is_float(y->type) ? p.f : (double)p.i, b = type_is_float(y->type) ? q.f : (double)q.i;
    double limit = type_is_float(y->type) ? 1e-5 * (fabs(a) + 1) : steps;
    if (!(fabs(a - b) <= limit)) fail_msg("element %lld is %g, not %g", (long long)i, b, a);
  }
}

/* The operators that the pass leaves, folded, and with `fused` their epilogues. */
static inline void expect_after(const char *text, const char *ops, int steps, bool fused) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *before = shaped(cx, text), *g = shaped(cx, text);
  pass_quant(g);
  verify(g, "quant");
  pass_fold(g);
  verify(g, "fold");
  if (fused) {
    pass_fuse(g);
    verify(g, "fuse");
  }
  assert_string_equal(ops_text(g), ops);
  void *want[2], *got[2];
  eval_graph(before, byte_inputs(before), want);
  eval_graph(g, byte_inputs(g), got);
  for (int i = 0; i < g->n_output; i++) compare(g->output[i], want[i], got[i], steps);
  context_free(cx);
}

static inline void expect(const char *text, const char *ops, int steps) { expect_after(text, ops, steps, false); }

#endif
