/* guarded_test.c: what is written beside guarded memory is seen, and what lies behind it kills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "guarded.h"

#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void what_is_beside_is_seen(void **state) {
  (void)state;
  for (int at_end = 0; at_end < 2; at_end++) {
    Guarded m = guarded_new(100, 64, at_end);
    assert_true((uintptr_t)m.data % 64 == 0 && guarded_intact(&m));
    for (size_t i = 0; i < m.size; i++) m.data[i] = 1;
    assert_true(guarded_intact(&m));
    char *beside = at_end ? m.data - 1 : m.data + m.size;
    *beside = 1;
    assert_false(guarded_intact(&m));
    guarded_free(&m);
  }
}

static bool dies(char *p, bool write) {
  pid_t child = fork();
  int status;
  if (child == 0) {
    volatile char c = write ? 0 : *p;
    if (write) *(volatile char *)p = c;
    _exit(0);
  }
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void what_is_behind_kills(void **state) {
  (void)state;
  Guarded first = guarded_new(10, 1, false), last = guarded_new(10, 1, true);
  assert_true(dies(first.data - 1, false) && dies(last.data + 10, false));
  assert_false(dies(first.data, true) || dies(last.data + 9, true));
  guarded_protect(&last);
  assert_true(dies(last.data, true));
  assert_false(dies(last.data, false));
  guarded_free(&first);
  guarded_free(&last);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_beside_is_seen), cmocka_unit_test(what_is_behind_kills)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
