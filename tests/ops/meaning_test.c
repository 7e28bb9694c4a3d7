/* Every operator has its functions. */
#include "fixture.h"
#include "ops.h"

static void test_functions(void **state) {
  (void)state;
  for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
    bool none = meaning[op].infer == infer_none || meaning[op].eval == eval_none;
    if (!meaning[op].infer || !meaning[op].eval) fail_msg("%s lacks a function", op_info[op].name);
    if (none != (op_info[op].family == FAMILY_IMPORT || op_info[op].family == FAMILY_STEP)) fail_msg("%s has no meaning", op_info[op].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_functions)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
