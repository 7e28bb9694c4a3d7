/* algorithm_test.c: the rows of kernels.def, and that a plan's bytes say nothing but what the plan is. */
#include "each_context.h"

static const Options options = {.name = "test", .max_memory = 1 << 30};

/* What is taken where no other row has a plan: the operator's last. */
static const Algorithm *last_row(Op op) {
  const Algorithm *last = NULL;
  for (int i = 0; i < algorithm_count; i++)
    if (algorithms[i].op == op) last = &algorithms[i];
  return last;
}

/* Those of an operator that pack weights have names of their own; behind them is one that does not. */
static void rows_are_whole(void **state) {
  (void)state;
  for (int i = 0; i < algorithm_count; i++) {
    const Algorithm *a = &algorithms[i];
    const Algorithm *last = last_row(a->op);
    assert_true(!last->pack && !last->packed);
    if (!a->pack) {
      assert_true(a == last || (a < last && a->plans && a->input != T_NONE));
      continue;
    }
    assert_true(a < last && a->plans && a->packed && a->alike);
    assert_true((a->input != T_NONE && a->weights != T_NONE) || a->op == OP_MatMulInteger); /* bytes of any sign */
    assert_true(a->sum != T_NONE);
    for (int k = 0; k < i; k++) {
      bool other = algorithms[k].op != a->op || !algorithms[k].pack;
      assert_true(other || strcmp(algorithms[k].name, a->name) != 0);
    }
  }
}

/* Leaves other bytes where the next call has its variables. */
static void dirty_the_stack(int byte) {
  volatile char garbage[1 << 15];
  for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (char)byte;
}

static const Candidates *candidates(const char *conv, const char *cpu, int garbage) {
  Graph *g = text_parse(cx, &options, conv);
  pass_shape(g);
  Build *b = build_new(g, &options, target_new(cx, &(Options){.cpu = cpu}));
  dirty_the_stack(garbage);
  pass_select(b);
  return g->node[0]->candidates;
}

static void check_conv(const char *x, const char *w, const char *attributes) {
  static const char *const cpus[] = {"x86-64", "haswell", "skylake-avx512"};
  const char *conv = format_text(cx, "graph g\ninput x f32 [%s]\nconst w f32 [%s] = splat 1\n"
                                 "y = Conv(x, w) %s\noutput y\n", x, w, attributes);
  for (size_t c = 0; c < COUNT(cpus); c++) {
    const Candidates *a = candidates(conv, cpus[c], 0), *b = candidates(conv, cpus[c], 0x5a);
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
      assert_string_equal(a->item[i].name, b->item[i].name);
      assert_memory_equal(&a->item[i].plan, &b->item[i].plan, offsetof(Plan, at));
      for (int k = 0; k < i; k++) {
        assert_memory_not_equal(&a->item[k].plan, &a->item[i].plan, offsetof(Plan, at));
      }
    }
  }
}

/* Layers that have plans of every row, most of them of several. */
static void equal_plans_have_equal_bytes(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  check_conv("1,64,14,14", "64,64,3,3", "pads=[1,1,1,1]");
  check_conv("2,64,7,7", "64,64,3,3", "pads=[1,1,1,1]");
  check_conv("1,128,28,28", "128,128,3,3", "strides=[2,2] pads=[1,1,1,1]");
  check_conv("1,256,14,14", "1024,256,1,1", "");
  check_conv("1,256,7,7", "512,256,1,1", "");
  check_conv("1,3,56,56", "2,3,3,3", "");
  check_conv("1,64,56,56", "2,64,1,1", "");
  check_conv("1,96,28,28", "96,1,3,3", "group=96");
  check_conv("1,128,28,28", "128,4,3,3", "group=32");
  check_conv("1,30,9,9", "60,3,3,3", "group=10");
  check_conv("1,48,9,9", "48,12,3,3", "group=4");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(rows_are_whole),
    cmocka_unit_test_setup_teardown(equal_plans_have_equal_bytes, context_setup, context_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
