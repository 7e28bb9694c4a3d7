/* json_test.c: what is an object of JSON, what lies in it, and texts that must be escaped. */
#include "fixture.h"

#include <string.h>

static void objects_are_told_from_what_is_none(void **state) {
  (void)state;
  static const char *const right[] = {"{}", " { \"a\" : [1, -0.5e+3, true, null, {\"b\": \"\\u00e4\\\"\"}] } ", "{\"\": []}"};
  static const char *const wrong[] = {"", "[]", "{", "{\"a\"}", "{\"a\": }", "{\"a\": 1,}", "{\"a\": 01}", "{\"a\": \"\x01\"}",
                                      "{\"a\": \"\xff\"}", "{\"a\": \"\\x\"}", "{\"a\": 1} x", "{\"a\": \"\\u12\"}", "{\"a\": .5}",
                                      "{\"a\": tru}", "{\"a\": \"", "{\"a\": \"\\"};
  for (size_t i = 0; i < COUNT(right); i++) assert_true(json_is_object(right[i], strlen(right[i])));
  for (size_t i = 0; i < COUNT(wrong); i++) {
    if (json_is_object(wrong[i], strlen(wrong[i]))) fail_msg("an object: %s", wrong[i]);
  }
}

static void members_come_in_turn(void **state) {
  (void)state;
  static const char text[] = "{\"a\": \"x, y\", \"b\" : [1, 2]}";
  JsonText t = json_inside(text, strlen(text)), name, value;
  assert_true(json_next(&t, &name, &value));
  assert_memory_equal(name.at, "\"a\"", 3);
  assert_int_equal(value.end - value.at, 6);
  assert_true(json_next(&t, &name, &value));
  JsonText list = json_inside(value.at, (size_t)(value.end - value.at)), item;
  assert_true(json_next(&list, NULL, &item) && *item.at == '1');
  assert_true(json_next(&list, NULL, &item) && *item.at == '2');
  assert_false(json_next(&list, NULL, &item));
  assert_false(json_next(&t, &name, &value));
}

static void texts_are_objects_again(void **state) {
  (void)state;
  static const char bytes[] = "\"\\\n\t\x01\x7f\xff\xc3\xa4\xf0\x9f";
  Buffer b = {0};
  buffer_printf(&b, "{\"a\": ");
  json_add_text(&b, bytes, strlen(bytes));
  buffer_printf(&b, "}");
  assert_true(json_is_object(b.data, b.size));
  assert_non_null(strstr(b.data, "\\\"\\\\\\n\\t\\u0001\\u007f\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd"));
  buffer_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(objects_are_told_from_what_is_none), cmocka_unit_test(members_come_in_turn),
                                     cmocka_unit_test(texts_are_objects_again)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
