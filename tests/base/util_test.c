/* util_test.c: the arena's alignment, zeroes and limit; messages; buffers. `fail` stands in
 * parentheses because cmocka has a macro of that name. */
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

static void messages_name_file_and_node(void **state) {
  (void)state;
  Context *cx = context_new();
  Node n = {.op = OP_Conv, .name = "layer1/conv"};
  Graph g = {.cx = cx};
  EXPECT_FAIL(cx, (fail)(cx, "%d is too many", 7), "test: 7 is too many");
  EXPECT_FAIL(cx, fail_at(&g, &n, "no %s", "weights"), "test: node \"layer1/conv\" (Conv): no weights");
  cx->file = NULL;
  EXPECT_FAIL(cx, (fail)(cx, "reason"), "reason");
  context_free(cx);
}

static void names_are_made_printable(void **state) {
  (void)state;
  Context *cx = context_new();
  assert_string_equal(printable_text(cx, "layer1/conv \xc3\xa4"), "layer1/conv \xc3\xa4");
  assert_string_equal(printable_text(cx, "\x1b[2J\n\xff"), "\\x1b[2J\\x0a\\xff");
  assert_string_equal(printable_text(cx, ""), "");
  context_free(cx);
}

static void assert_part(const Context *cx, ErrorPart part, const char *text) {
  assert_int_equal(part.n, strlen(text));
  assert_memory_equal(cx->error + part.at, text, strlen(text));
}

/* For those who print them one by one; another context's error is passed on with them. */
static void parts_of_messages_are_known(void **state) {
  (void)state;
  Context *cx = context_new(), *other = context_new();
  Node n = {.op = OP_Conv, .name = "a\nb"};
  Graph g = {.cx = other};
  if (setjmp(other->unwind) == 0) fail_at(&g, &n, "no %s", "weights");
  EXPECT_FAIL(cx, fail_as(cx, other), "test: node \"a\\x0ab\" (Conv): no weights");
  assert_part(cx, cx->error_file, "test");
  assert_part(cx, cx->error_node, "a\\x0ab");
  assert_part(cx, cx->error_op, "Conv");
  assert_part(cx, cx->error_reason, "no weights");
  cx->file = NULL;
  EXPECT_FAIL(cx, (fail)(cx, "reason"), "reason");
  assert_int_equal(cx->error_file.n + cx->error_node.n + cx->error_op.n, 0);
  assert_part(cx, cx->error_reason, "reason");
  context_free(cx);
  context_free(other);
}

/* A message is for a terminal: nothing in a model may command it. */
static void messages_are_escaped(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_FAIL(cx, (fail)(cx, "a\x1b[31m\n\r\t\x7f"), "test: a\\x1b[31m\\x0a\\x0d\\x09\\x7f");
  EXPECT_FAIL(cx, (fail)(cx, "%s", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
              "test: \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_FAIL(cx, (fail)(cx, "%s", "\xc3 \x80 \xff"), "test: \\xc3 \\x80 \\xff");
  EXPECT_FAIL(cx, (fail)(cx, "%s", "\xc0\xaf"), "test: \\xc0\\xaf");             /* overlong */
  EXPECT_FAIL(cx, (fail)(cx, "%s", "\xed\xa0\x80"), "test: \\xed\\xa0\\x80");     /* a surrogate */
  EXPECT_FAIL(cx, (fail)(cx, "%s", "\xf4\x90\x80\x80"), "test: \\xf4\\x90\\x80\\x80"); /* past U+10FFFF */
  EXPECT_FAIL(cx, (fail)(cx, "%s", "\xc2\x9b"), "test: \\xc2\\x9b");             /* CSI, a control code */
  EXPECT_FAIL(cx, (fail)(cx, "%s", "\xe2\x82"), "test: \\xe2\\x82");             /* cut off */
  context_free(cx);
}

static void long_messages_are_cut(void **state) {
  (void)state;
  Context *cx = context_new();
  char name[2000];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  if (setjmp(cx->unwind) == 0) (fail)(cx, "%s", name);
  assert_int_equal(strlen(cx->error), 380); /* 400 as a line of the program */
  assert_string_equal(cx->error + 377, "...");
  memset(name, 1, sizeof name - 1);
  if (setjmp(cx->unwind) == 0) (fail)(cx, "%s", name);
  assert_true(strlen(cx->error) <= 380 && strlen(cx->error) > 370);
  /* A long name does not hide the reason. */
  memset(name, 'n', sizeof name - 1);
  Node n = {.op = OP_Relu, .name = name};
  Graph g = {.cx = cx};
  cx->file = name;
  if (setjmp(cx->unwind) == 0) fail_at(&g, &n, "the reason");
  assert_non_null(strstr(cx->error, "...\" (Relu): the reason"));
  context_free(cx);
}

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
    cmocka_unit_test(memory_is_zeroed_and_aligned),
    cmocka_unit_test(pieces_do_not_overlap),
    cmocka_unit_test(the_limit_holds),
    cmocka_unit_test(text_is_copied),
    cmocka_unit_test(messages_name_file_and_node),
    cmocka_unit_test(parts_of_messages_are_known),
    cmocka_unit_test(names_are_made_printable),
    cmocka_unit_test(messages_are_escaped),
    cmocka_unit_test(long_messages_are_cut),
    cmocka_unit_test(buffers_grow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
