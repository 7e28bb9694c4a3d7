/* arena_test.c: memory's alignment, zeroes and limit. */
#include "fixture.h"

static void memory_is_zeroed_and_aligned(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  for (size_t size = 0; size < 300000; size = size * 3 + 1) {
    unsigned char *p = alloc(cx, size);
    assert_int_equal((uintptr_t)p % 64, 0);
    for (size_t i = 0; i < size; i++) assert_int_equal(p[i], 0);
    memset(p, 0xff, size);
  }
  context_free(cx);
}

static void pieces_do_not_overlap(void **state) {
  (void)state;
  enum { PIECES = 5000, SIZE = 100 };
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  static unsigned char *piece[PIECES];
  for (int i = 0; i < PIECES; i++) {
    piece[i] = alloc(cx, SIZE);
    memset(piece[i], i & 0xff, SIZE);
  }
  for (int i = 0; i < PIECES; i++)
    for (int k = 0; k < SIZE; k++) assert_int_equal(piece[i][k], i & 0xff);
  assert_true(arena_used(cx->arena) >= PIECES * SIZE);
  context_free(cx);
}

static void note(void *of) { strcat(of, "e"); }
static void note_first(void *of) { strcat(of, "f"); }

static void what_is_not_its_memory_ends_before_it(void **state) {
  (void)state;
  char seen[8] = "";
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  arena_at_end(cx, note, seen);
  arena_at_end(cx, note_first, seen);
  assert_string_equal(seen, "");
  context_free(cx);
  assert_string_equal(seen, "fe");
}

static void the_limit_holds(void **state) {
  (void)state;
  Context *cx = context_new();
  arena_free(cx->arena);
  cx->arena = arena_new(8 << 20);
  EXPECT_FAIL(cx, alloc(cx, (8 << 20) + 1), "test: needs more than the memory limit of 8 MiB");
  EXPECT_FAIL(cx, alloc(cx, SIZE_MAX), "test: needs more than the memory limit of 8 MiB");
  EXPECT_FAIL(cx, alloc_n(cx, SIZE_MAX / 2, 3), "test: needs more than the memory limit of 8 MiB");
  EXPECT_FAIL(cx, for (;;) alloc(cx, 1000), "test: needs more than the memory limit of 8 MiB");
  assert_true(arena_used(cx->arena) <= 8 << 20);
  assert_true(arena_used(cx->arena) > 7 << 20);
  arena_free(cx->arena);
  cx->arena = arena_new((int64_t)3 << 30);
  EXPECT_FAIL(cx, alloc(cx, (size_t)4 << 30), "test: needs more than the memory limit of 3 GiB");
  context_free(cx);
}

static void what_grows_keeps_its_elements(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  int *list = NULL, moves = 0;
  for (int n = 0; n < 100; n++) {
    int *more = alloc_grown(cx, list, n, sizeof *more);
    moves += more != list;
    list = more;
    list[n] = n;
  }
  for (int n = 0; n < 100; n++) assert_int_equal(list[n], n);
  assert_int_equal(moves, 8); /* at 0, 1, 2, 4, ..., 64 */
  context_free(cx);
}

static void text_is_copied(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  char original[] = "abc";
  char *copy = copy_text(cx, original);
  original[0] = 'x';
  assert_string_equal(copy, "abc");
  assert_string_equal(copy_bytes_as_text(cx, "abcdef", 4), "abcd");
  assert_string_equal(copy_bytes_as_text(cx, NULL, 0), "");
  assert_string_equal(format_text(cx, "%d-%s", 42, "z"), "42-z");
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(memory_is_zeroed_and_aligned),
    cmocka_unit_test(pieces_do_not_overlap),
    cmocka_unit_test(what_is_not_its_memory_ends_before_it),
    cmocka_unit_test(the_limit_holds),
    cmocka_unit_test(what_grows_keeps_its_elements),
    cmocka_unit_test(text_is_copied),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
