/* The kinds of strided copies: long runs cut for tasks, repeated elements, tiles of all element sizes with
 * remainders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "harness.h"

static void tiles(void **state) {
  (void)state;
  static const char *const types[] = {"u8", "i16", "f32", "f64"};
  static const int size[][2] = {{16, 32}, {17, 19}, {3, 50}, {50, 3}, {1, 9}, {5, 5}, {64, 2}};
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
      char text[256];
      snprintf(text, sizeof text, "graph copy\ninput x %s [2,%d,%d]\ny = Transpose(x) perm=[0,2,1]\n"
               "output y\n", types[t], size[i][0], size[i][1]);
      check_kernel(text, 0);
    }
  }
}

/* Pixels of three or four channels to planes, the widest case of interleaved rows, and back. */
static void interleaved(void **state) {
  (void)state;
  check_kernel("graph copy\ninput x f32 [1,9,37,3]\ny = Transpose(x) perm=[0,3,1,2]\noutput y\n", 0);
  check_kernel("graph copy\ninput x u8 [1,9,37,4]\ny = Transpose(x) perm=[0,3,1,2]\noutput y\n", 0);
  check_kernel("graph copy\ninput x f32 [1,3,9,37]\ny = Transpose(x) perm=[0,2,3,1]\noutput y\n", 0);
}

static void long_runs(void **state) {
  (void)state;
  check_kernel("graph copy\ninput x f32 [70001]\ninput z f32 [8192]\ny = Concat(x, z, x) axis=0\noutput y\n",
               0);
  check_kernel("graph copy\ninput x f32 [3]\nconst p i64 [2] = {0,40000}\ny = Pad(x, p) mode=\"edge\"\n"
               "output y\n", 0);
}

static void single_elements(void **state) {
  (void)state;
  check_kernel("graph copy\ninput x i16 [3,4,1]\ny = Transpose(x) perm=[1,2,0]\noutput y\n", 0);
  check_kernel("graph copy\ninput x f32 []\ny = Identity(x)\noutput y\n", 0);
  check_kernel("graph copy\ninput x f64 [30]\nconst s i64 [1] = {-1}\nconst e i64 [1] = {-99}\n"
               "const t i64 [1] = {-3}\n"
               "const a i64 [1] = {0}\ny = Slice(x, s, e, a, t)\noutput y\n", 0);
}

static void nothing(void **state) {
  (void)state;
  check_kernel("graph copy\ninput x f32 [3,4]\ninput e f32 [0,4]\ny = Concat(e, x, e) axis=0\noutput y\n", 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tiles), cmocka_unit_test(interleaved),
                                     cmocka_unit_test(long_runs),
                                     cmocka_unit_test(single_elements), cmocka_unit_test(nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
