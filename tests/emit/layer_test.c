/* layer_test.c: every operator that is left when code is made has an emitter, and no other. */
#include "fixture.h"

static void operators_have_code_unless_they_end_before(void **state) {
  (void)state;
  for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
    Family f = op_info[op].family;
    bool ends = f == FAMILY_IMPORT || f == FAMILY_SHAPE || f == FAMILY_STEP || f == FAMILY_COMPOSED ||
                f == FAMILY_NORMALIZE;
    if (has_code(op) == ends) fail_msg("%s: family and emitter contradict each other", op_info[op].name);
    if (op_info[op].blocks != BLOCKS_NO && !has_code(op)) fail_msg("%s works on blocks, but has no code", op_info[op].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(operators_have_code_unless_they_end_before)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
