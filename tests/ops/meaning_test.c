/* Every operator has its functions, and what may be a step its equation. */
#include "fixture.h"
#include "ops.h"

static void operators_have_functions(void **state) {
  (void)state;
  for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
    bool none = meaning[op].infer == infer_none || meaning[op].eval == eval_none;
    if (!meaning[op].infer || !meaning[op].eval) fail_msg("%s lacks a function", op_info[op].name);
    Family f = op_info[op].family;
    if (none != (f == FAMILY_IMPORT || f == FAMILY_STEP || f == FAMILY_COMPOSED)) fail_msg("%s has no meaning", op_info[op].name);
  }
}

static void steps_have_equations(void **state) {
  (void)state;
  static const bool has_equation[OP_COUNT] = {
#define POINTWISE(name, on_floats, on_integers) [OP_##name] = true,
#define PREDICATE(name, on_floats, on_integers) [OP_##name] = true,
#include "pointwise.def"
#undef POINTWISE
#undef PREDICATE
  };
  for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
    bool needed = op_info[op].step != STEP_NEVER || meaning[op].eval == eval_unary || meaning[op].eval == eval_binary;
    if (needed != has_equation[op]) fail_msg("%s %s an equation", op_info[op].name, needed ? "lacks" : "does not need");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(operators_have_functions),
    cmocka_unit_test(steps_have_equations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
