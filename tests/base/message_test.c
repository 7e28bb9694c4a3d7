/* message_test.c: how a compilation ends. `fail` stands in parentheses because cmocka has a macro of that name. */
#include "fixture.h"

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

static void names_are_made_printable(void **state) {
  (void)state;
  Context *cx = context_new();
  assert_string_equal(printable_text(cx, "layer1/conv \xc3\xa4"), "layer1/conv \xc3\xa4");
  assert_string_equal(printable_text(cx, "\x1b[2J\n\xff"), "\\x1b[2J\\x0a\\xff");
  assert_string_equal(printable_text(cx, ""), "");
  context_free(cx);
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

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(messages_name_file_and_node),
    cmocka_unit_test(parts_of_messages_are_known),
    cmocka_unit_test(names_are_made_printable),
    cmocka_unit_test(messages_are_escaped),
    cmocka_unit_test(long_messages_are_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
