/* error_test.c: every code has a text of its own. */
#include "resnetcc_rt.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void texts_differ(void **state) {
  (void)state;
  for (int a = RCC_OK; a <= RCC_ERR_WEIGHTS + 1; a++) {
    assert_true(strlen(rcc_strerror(a)) > 0);
    for (int b = RCC_OK; b < a; b++) assert_string_not_equal(rcc_strerror(a), rcc_strerror(b));
  }
}

static void unknown_codes_have_a_text(void **state) {
  (void)state;
  assert_string_equal(rcc_strerror(-1), rcc_strerror(1000));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(texts_differ),
    cmocka_unit_test(unknown_codes_have_a_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
