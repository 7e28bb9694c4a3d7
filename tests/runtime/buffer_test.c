/* buffer_test.c: workspaces are aligned, whole and returned. */
#include "resnetcc_rt.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static void is_aligned_and_whole(void **state) {
  (void)state;
  static const size_t sizes[] = { 0, 1, 64, 65, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 9000000 };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    void *p = rcc_workspace_alloc(sizes[i]);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    if (sizes[i] >= 2 << 20) assert_int_equal((uintptr_t)p % (2 << 20), 0);
    memset(p, 0x5a, sizes[i]);
    rcc_workspace_free(p, sizes[i]);
  }
}

static void refuses_what_no_machine_has(void **state) {
  (void)state;
  assert_null(rcc_workspace_alloc(SIZE_MAX));
  assert_null(rcc_workspace_alloc(SIZE_MAX - (2 << 20)));
  rcc_workspace_free(NULL, 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(is_aligned_and_whole),
    cmocka_unit_test(refuses_what_no_machine_has),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
