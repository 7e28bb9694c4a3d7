/* map_test.c: hash tables. */
#include "fixture.h"

#include <string.h>

static void texts_are_found(void **state) {
  (void)state;
  enum { N = 5000 };
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Map m = {0};
  assert_null(map_get(&m, "key"));
  for (int i = 0; i < N; i++) map_put(cx, &m, format_text(cx, "key%d", i), format_text(cx, "%d", i));
  map_put(cx, &m, "key7", "seven");
  assert_int_equal(m.n, N);
  for (int i = 0; i < N; i++) {
    assert_string_equal(map_get(&m, format_text(cx, "key%d", i)), i == 7 ? "seven" : format_text(cx, "%d", i));
  }
  assert_null(map_get(&m, "key"));
  assert_null(map_get(&m, ""));
  context_free(cx);
}

static bool ints_equal(const void *a, const void *b) { return *(const int *)a == *(const int *)b; }

/* Keys whose hashes are one another's are told apart by what they are. */
static void equal_hashes_are_no_equal_keys(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  int key[100], again = 42;
  Map m = {0};
  for (int i = 0; i < 100; i++) {
    key[i] = i;
    void **value = map_at(cx, &m, 5, &key[i], ints_equal);
    assert_null(*value);
    *value = &key[i];
  }
  assert_ptr_equal(*map_at(cx, &m, 5, &again, ints_equal), &key[42]);
  assert_int_equal(m.n, 100);
  context_free(cx);
}

static void hashes_depend_on_every_byte(void **state) {
  (void)state;
  char text[19] = "a text of 18 bytes";
  uint64_t whole = hash_bytes(0, text, 18);
  for (int i = 0; i < 18; i++) {
    text[i] ^= 1;
    assert_true(hash_bytes(0, text, 18) != whole);
    text[i] ^= 1;
  }
  assert_true(hash_bytes(0, text, 17) != whole && hash_bytes(1, text, 18) != whole);
  assert_true(hash_bytes(0, "\0", 1) != hash_bytes(0, "\0", 2));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(texts_are_found),
    cmocka_unit_test(equal_hashes_are_no_equal_keys),
    cmocka_unit_test(hashes_depend_on_every_byte),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
