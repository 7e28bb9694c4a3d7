/* normalize_test.c: normalisations as one operator, whoever wrote them. */
#include "fixture.h"

static void expect(const char *text, const char *ops) { expect_ops(&lax_options, pass_normalize, text, ops); }

#define HEAD \
  "input x f32 [2,6,4,5]\n" \
  "const s f32 [6] = random 1 0.5 2\nconst b f32 [6] = random 2 -1 1\n" \
  "const g f32 [3] = random 3 0.5 2\nconst one f32 [6] = splat 1\nconst zero f32 [6] = splat 0\n" \
  "const l f32 [5] = random 4 0.5 2\n"

static void operators(void **state) {
  (void)state;
  expect(HEAD "y = InstanceNormalization(x, s, b)\noutput y\n", "Normalize Mul Add");
  expect(HEAD "y = InstanceNormalization(x, one, zero)\noutput y\n", "Normalize");
  expect(HEAD "y = InstanceNormalization(x, s, zero)\noutput y\n", "Normalize Mul");
  expect(HEAD "y = GroupNormalization(x, s, b) num_groups=2\noutput y\n", "Normalize Mul Add");
  expect(HEAD "y = GroupNormalization(x, g, g) num_groups=3\noutput y\n", "Normalize Mul Add");
  expect(HEAD "y = LayerNormalization(x, l)\noutput y\n", "Normalize Mul");
  expect(HEAD "y, m, f = LayerNormalization(x, l)\noutput y\noutput m\noutput f\n", "Normalize Mul");
  expect(HEAD "y = RMSNormalization(x, l)\noutput y\n", "Normalize Mul");
  expect(HEAD "y = MeanVarianceNormalization(x)\noutput y\n", "Normalize");
  expect(HEAD "y = LpNormalization(x)\noutput y\n", "Normalize");
}

/* What is known at run time only keeps the operators that shape it. */
static void parameters_at_run_time(void **state) {
  (void)state;
  expect("input x f32 [2,6,4,5]\ninput s f32 [6]\ninput b f32 [6]\ny = InstanceNormalization(x, s, b)\noutput y\n",
         "Normalize Reshape Mul Reshape Add");
  expect("input x f32 [2,6,4]\ninput s f32 [2]\ninput b f32 [6]\ny = GroupNormalization(x, s, b) num_groups=2\noutput y\n",
         "Normalize Gather Reshape Mul Reshape Add");
}

static void groups_of_one_channel_are_instances(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, HEAD "y = GroupNormalization(x, one, zero) num_groups=6\noutput y\n", pass_normalize);
  assert_int_equal(g->node[0]->p.axes, 1 << 2 | 1 << 3);
  assert_int_equal(g->node[0]->group, 1);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(operators),
    cmocka_unit_test(parameters_at_run_time),
    cmocka_unit_test(groups_of_one_channel_are_instances),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
