/* cases_test.c: the reader of cases: what it makes of a file's lines. */
#include "fixture.h"

#include <stdlib.h>
#include <unistd.h>

static char seen[1024];

static void note(OpCase *c) {
  size_t n = strlen(seen);
  snprintf(seen + n, sizeof seen - n, "%s%d given, %d wanted, within %g, [%g, %g), %d runs\n", c->text, c->n_given, c->n_wanted,
           c->tolerance, c->lo, c->hi, c->n_run);
}

static void expect(const char *file, int cases, const char *want) {
  char path[] = "/tmp/cases_test_XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0 && write(fd, file, strlen(file)) == (ssize_t)strlen(file));
  close(fd);
  *seen = '\0';
  int n = for_each_case(path, note);
  remove(path);
  assert_int_equal(n, cases);
  assert_string_equal(seen, want);
}

static void heads_are_part_of_all_cases(void **state) {
  (void)state;
  expect("# about\nwithin 1e-3\ninput x f32 [2]\n\n== one\ny = Relu(x)\noutput y\n# no line\n== two\nwithin 0\nrange -1 2\nrun strict kernel\n"
         "y = Tanh(x)\noutput y\n", 2,
         "graph t\ninput x f32 [2]\ny = Relu(x)\noutput y\n0 given, 0 wanted, within 0.001, [0, 0), 0 runs\n"
         "graph t\ninput x f32 [2]\ny = Tanh(x)\noutput y\n0 given, 0 wanted, within 0, [-1, 2), 2 runs\n");
}

static void lists_make_all_combinations(void **state) {
  (void)state;
  expect("for T: u8 | i8\n== one\nfor D; C: 2,3; Relu(x)\n  | 4; Tanh(x)\ninput x $T [$D]\n$C\n", 4,
         "graph t\ninput x u8 [2,3]\nRelu(x)\n0 given, 0 wanted, within 0, [0, 0), 0 runs\n"
         "graph t\ninput x u8 [4]\nTanh(x)\n0 given, 0 wanted, within 0, [0, 0), 0 runs\n"
         "graph t\ninput x i8 [2,3]\nRelu(x)\n0 given, 0 wanted, within 0, [0, 0), 0 runs\n"
         "graph t\ninput x i8 [4]\nTanh(x)\n0 given, 0 wanted, within 0, [0, 0), 0 runs\n");
}

static void check_elements(OpCase *c) {
  note(c);
  assert_int_equal(((const int8_t *)c->given[0])[1], -2);
  assert_int_equal(((const uint16_t *)c->given[1])[0], 0x3c00);
  assert_int_equal(c->wanted[0].n, 3);
  assert_true(c->wanted[0].v[2] == -3.5);
}

static void elements_have_their_types(void **state) {
  (void)state;
  char path[] = "/tmp/cases_test_XXXXXX";
  static const char text[] = "== one\ninput x i8 [2] = {1, -2}\ninput h f16 [1] = {1}\noutput y = {1, inf, -3.5}\n";
  int fd = mkstemp(path);
  assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
  *seen = '\0';
  assert_int_equal(for_each_case(path, check_elements), 1);
  remove(path);
  assert_string_equal(seen, "graph t\ninput x i8 [2]\ninput h f16 [1]\noutput y\n2 given, 1 wanted, within 0, [0, 0), 0 runs\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(heads_are_part_of_all_cases),
    cmocka_unit_test(lists_make_all_combinations),
    cmocka_unit_test(elements_have_their_types),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
