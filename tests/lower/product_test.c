/* The packed matrix: panels, the narrow last one, zeros, transposition and alpha. */
#include "lower.h"
#include "fixture.h"

typedef struct Packed {
  Context *cx;
  Build *build;
  Node *n;
} Packed;

static Packed open(const char *text, int lanes, int regs) {
  Packed p = {.cx = context_new()};
  Graph *g = text_parse(p.cx, NULL, text);
  pass_shape(g);
  Target *t = alloc(p.cx, sizeof *t);
  *t = (Target){.lanes = lanes, .regs = regs, .fma = true};
  static const Options options = {0};
  p.build = build_new(g, &options, t);
  p.n = g->node[0];
  pass_select(p.build);
  return p;
}

static void panels(void **state) {
  (void)state;
  Packed p = open("graph g\ninput a f32 [1,2]\nconst b f32 [2,7] = {1,2,3,4,5,6,7, 11,12,13,14,15,16,17}\n"
                  "y = MatMul(a, b)\noutput y\n", 4, 16);
  assert_int_equal(packed_bytes(p.build, p.n), 2 * 8 * 4);
  p.n->plan->product.nb = 1;
  float got[16] = {0};
  p.n->plan->how->pack(p.build->target, p.n, got);
  static const float expected[] = {1, 2, 3, 4, 11, 12, 13, 14, 5, 6, 7, 0, 15, 16, 17, 0};
  assert_memory_equal(got, expected, sizeof expected);
  context_free(p.cx);
}

static void narrow_last_panel(void **state) {
  (void)state;
  Packed p = open("graph g\ninput a f32 [1,2]\nconst b f32 [5,2] = {1,11, 2,12, 3,13, 4,14, 5,15}\n"
                  "y = Gemm(a, b) transB=1 alpha=2.0\noutput y\n", 2, 16);
  assert_int_equal(packed_bytes(p.build, p.n), 2 * 6 * 4);
  p.n->plan->product.nb = 2;
  float got[12] = {0};
  p.n->plan->how->pack(p.build->target, p.n, got);
  static const float expected[] = {2, 4, 6, 8, 22, 24, 26, 28, 10, 0, 30, 0};
  assert_memory_equal(got, expected, sizeof expected);
  context_free(p.cx);
}

/* Accumulators, a row of B and an element of A fit the registers. */
static void tiles(void **state) {
  (void)state;
  static const struct { int rows, cols, lanes, regs; } cases[] = {
    {1, 1000, 8, 16}, {1, 1000, 16, 32}, {2, 1000, 8, 16}, {49, 1000, 8, 16}, {49, 1000, 16, 32},
    {5, 8, 4, 16}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    char text[256];
    snprintf(text, sizeof text, "graph g\ninput a f32 [%d,3]\nconst b f32 [3,%d] = splat 1\n"
             "y = MatMul(a, b)\noutput y\n",
             cases[i].rows, cases[i].cols);
    Packed p = open(text, cases[i].lanes, cases[i].regs);
    const ProductPlan *plan = &p.n->plan->product;
    assert_true(plan->uw >= 1 && plan->uw <= cases[i].rows && plan->nb >= 1);
    assert_true(plan->nb * cases[i].lanes < cases[i].cols + cases[i].lanes);
    assert_true(plan->uw * plan->nb + (plan->uw > 1 ? plan->nb : 0) + 1 <= cases[i].regs);
    context_free(p.cx);
  }
}

static void not_packed(void **state) {
  (void)state;
  Packed p = open("graph g\ninput a f32 [1,2]\ninput b f32 [2,7]\ny = MatMul(a, b)\noutput y\n", 8, 16);
  assert_false(is_packed(p.n));
  assert_int_equal(packed_bytes(p.build, p.n), 0);
  context_free(p.cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(panels), cmocka_unit_test(narrow_last_panel),
                                     cmocka_unit_test(tiles), cmocka_unit_test(not_packed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
