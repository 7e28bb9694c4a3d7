/* Epilogues beside dense results: every way in which an argument broadcasts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "harness.h"

static void check(const char *b, const char *arg) {
  char text[512];
  snprintf(text, sizeof text,
           "graph plain\ninput a f32 [3,2,5,9]\n%s\n%s\nm = MatMul(a, b)\nt = Sub(m, c)\n"
           "y = LeakyRelu(t)\noutput y\n", b, arg);
  check_kernel(text, 1e-5);
}

static void arguments(void **state) {
  (void)state;
  static const char *const args[] = {
    "const c f32 [] = {0.25}", "input c f32 []", "const c f32 [21] = random 2 -1 1", "input c f32 [1,21]",
    "input c f32 [5,21]", "input c f32 [5,1]", "input c f32 [2,1,1]", "input c f32 [3,1,5,1]",
    "input c f32 [3,1,1,21]", "input c f32 [1,2,1,21]", "input c f32 [3,2,5,21]",
  };
  for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
    check("const b f32 [9,21] = random 1 -1 1", args[i]);
    check("input b f32 [2,9,21]", args[i]);
  }
}

static void chains(void **state) {
  (void)state;
  check_kernel("graph plain\ninput a f32 [1,40]\nconst w f32 [40,30] = random 1 -1 1\n"
               "const b f32 [30] = random 2 -1 1\n"
               "g = Gemm(a, w, b)\nr = Relu(g)\ns = Sigmoid(r)\ny = Mul(s, b)\noutput y\n", 1e-5);
  check_kernel("graph plain\ninput a f32 [7,5]\ninput v f32 [5]\ninput c f32 [7]\nm = MatMul(a, v)\n"
               "t = Add(m, c)\n"
               "y = LeakyRelu(t) alpha=0.2\noutput y\n", 1e-5);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(arguments), cmocka_unit_test(chains)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
