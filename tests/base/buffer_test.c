/* buffer_test.c: growing byte buffers. */
#include "fixture.h"

static void buffers_grow(void **state) {
  (void)state;
  Buffer b = {0};
  for (int i = 0; i < 1000; i++) buffer_printf(&b, "%03d,", i);
  buffer_add(&b, "end", 3);
  assert_int_equal(b.size, 4003);
  assert_memory_equal(b.data, "000,001,", 8);
  assert_string_equal(b.data + 3996, "999,end");
  buffer_free(&b);
  assert_null(b.data);
  assert_int_equal(b.size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(buffers_grow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
