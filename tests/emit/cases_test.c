/* cases_test.c: the kernels of operators' cases, against the evaluator. usage: cases_test [FILE...]; all files of tests/cases else. */
#include "harness.h"

static void check_one(OpCase *c) { check_case(c); }

static void check_file(void **state) { assert_true(for_each_case(*state, check_one) > 0); }

int main(int argc, char **argv) {
  enum { MAX_FILES = 64 };
  static char path[MAX_FILES][64];
  struct CMUnitTest tests[MAX_FILES];
  int n = argc > 1 ? argc - 1 : case_files(path, MAX_FILES);
  for (int i = 0; i < n; i++) {
    char *name = argc > 1 ? argv[1 + i] : path[i];
    tests[i] = (struct CMUnitTest){.name = name, .test_func = check_file, .initial_state = name};
  }
  return _cmocka_run_group_tests("cases", tests, (size_t)n, NULL, NULL);
}
