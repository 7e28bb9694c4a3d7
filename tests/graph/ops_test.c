/* Every row of ops.def is complete: what has no answer that is always right must be said. */
#include "fixture.h"

static const OpInfo *row_of(int op) { return &op_info[op]; }

static void fails(int op, const char *what) { fail_msg("%s: %s", op_info[op].name, what); }

static void test_required(void **state) {
  (void)state;
  for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
    const OpInfo *r = row_of(op);
    if (!r->name || !*r->name || !r->domain) fails(op, "no name or domain");
    if (r->since < 1 || (r->until && r->until < r->since)) fails(op, "no operator set");
    if (r->max_in >= 0 && r->min_in > r->max_in) fails(op, "more inputs at least than at most");
    if (r->min_out < 1 || (r->max_out >= 0 && r->min_out > r->max_out)) fails(op, "no results");
    if (!r->types) fails(op, "no element type");
    if (r->family < 1 || r->family >= FAMILY_COUNT) fails(op, "no family");
    if (r->batch < BATCH_EACH || r->batch > BATCH_NOT_NUMBERED) fails(op, "nothing about the batch");
    if (r->same < 0 || r->same >= SAME_COUNT) fails(op, "an unknown rule for when it changes nothing");
  }
}

/* Columns that contradict each other. */
static void test_consistent(void **state) {
  (void)state;
  for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
    const OpInfo *r = row_of(op);
    bool binary = r->family == FAMILY_BINARY;
    if (r->max_in >= 0 && r->arguments >> r->max_in) fails(op, "an argument behind its inputs");
    if (r->sizes & ~r->arguments) fails(op, "sizes that are no arguments");
    if (r->step != STEP_NEVER && !op_is_elementwise(op)) fails(op, "a step that is not elementwise");
    if (r->step == STEP_SWAPPED && !binary) fails(op, "nothing to swap");
    if (binary && r->min_in != 2) fails(op, "not two operands");
    if (r->epilogue != EPILOGUE_NONE && r->max_in < 0) fails(op, "no place for the arguments of steps");
    if (r->batch == BATCH_NOT_NUMBERED && r->max_out < 2) fails(op, "no second result that could number elements");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_required), cmocka_unit_test(test_consistent)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
