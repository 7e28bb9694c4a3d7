/* Matrix products against the evaluator: constants as packed, run-time matrices, every type, batches,
 * vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "cases.h"
#include "harness.h"

#define TOLERANCE 2e-6

/* Gemm with B constant or not, any transposition, C of one of its five shapes. */
static void check_gemm(int m, int n, int k, int ta, int tb, const char *b, const char *type, int c,
                       const char *scales) {
  char text[1024], shape[64];
  if (c == 0) snprintf(shape, sizeof shape, "[]");
  else if (c == 1) snprintf(shape, sizeof shape, "[%d]", n);
  else snprintf(shape, sizeof shape, "[%d,%d]", c == 2 ? 1 : m, c == 3 ? 1 : n);
  snprintf(text, sizeof text,
           "graph gemm\ninput a %s [%d,%d]\n%s b %s [%d,%d]%s\ninput c %s %s\n"
           "y = Gemm(a, b, c) transA=%d transB=%d%s\noutput y\n",
           type, ta ? k : m, ta ? m : k, b, type, tb ? n : k, tb ? k : n,
           b[0] == 'c' ? " = random 3 -1 1" : "", type, shape, ta, tb, scales);
  check_kernel(text, TOLERANCE);
}

static void random_gemms(void **state) {
  (void)state;
  uint64_t r = 1;
  for (int i = 0; i < 40; i++) {
    int m = i % 3 ? pick(&r, 1, 14) : 1, n = pick(&r, 1, 150), k = pick(&r, 1, 70);
    const char *b = i % 4 == 3 ? "input" : "const", *type = i % 8 == 7 ? "f64" : "f32";
    check_gemm(m, n, k, pick(&r, 0, 1), pick(&r, 0, 1), b, type, i % 5, i % 2 ? " alpha=0.5 beta=2.0" : "");
  }
}

static void classifier(void **state) {
  (void)state;
  check_gemm(1, 1000, 512, 0, 1, "const", "f32", 1, "");
  check_gemm(1, 10, 64, 0, 1, "const", "f32", 1, "");
  check_kernel("graph gemm\ninput a f32 [5,33]\nconst b f32 [33,77] = random 1 -1 1\n"
               "y = Gemm(a, b) alpha=-2.0\noutput y\n",
               TOLERANCE);
  check_kernel("graph gemm\ninput a f32 [5,33]\nconst b f32 [33,77] = random 1 -1 1\ninput c f32 [77]\n"
               "y = Gemm(a, b, c) beta=0.0\noutput y\n", TOLERANCE);
}

/* Few columns, or few beyond whole vectors, are summed along K; with A transposed they are not. */
static void narrow_columns_of_constants(void **state) {
  (void)state;
  static const int columns[] = {1, 2, 3, 5, 10, 17, 19, 34}, depths[] = {1, 3, 16, 63, 64, 257}, rows[] = {1, 2, 7};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    for (size_t k = 0; k < sizeof depths / sizeof *depths; k++) {
      int m = rows[(i + k) % 3];
      check_gemm(m, columns[i], depths[k], k == 1 || k == 4, k % 2, "const", "f32", (int)(i + k) % 5, k % 2 ? " alpha=0.5" : "");
    }
  }
  check_gemm(1, 1, 5000, 0, 0, "const", "f32", 0, "");
  check_kernel("graph g\ninput a f32 [2,5,70]\nconst b f32 [70] = random 2 -1 1\ninput r f32 [2,5]\n"
               "p = MatMul(a, b)\ns = Add(p, r)\ny = Relu(s)\noutput y\n", TOLERANCE);
  check_kernel("graph g\ninput a f32 [70]\nconst b f32 [70] = random 2 -1 1\ny = MatMul(a, b)\noutput y\n",
               1e-5 /* of a single result */);
  check_kernel("graph g\ninput a f32 [3,4,40]\nconst b f32 [40,3] = random 2 -1 1\nconst c f32 [3] = random 3 -1 1\n"
               "p = MatMul(a, b)\ns = Add(p, c)\ny = Sigmoid(s)\noutput y\n", TOLERANCE);
}

static void products(void **state) {
  (void)state;
  static const char *const graphs[] = {
    "input a f32 [2,3,5,9]\nconst b f32 [9,20] = random 2 -1 1",
    "input a f32 [3,1,5,9]\ninput b f32 [2,9,20]",
    "input a f32 [2,1,1,9]\ninput b f32 [1,4,9,33]",
    "input a f32 [9]\nconst b f32 [9,20] = random 2 -1 1",
    "input a f32 [9]\ninput b f32 [4,9,20]",
    "input a f32 [2,5,9]\ninput b f32 [9]",
    "input a f32 [5,9]\ninput b f32 [9]",
    "input a f32 [9]\ninput b f32 [9]",
    "input a f64 [2,5,9]\ninput b f64 [9,3]",
    "input a i64 [5,9]\ninput b i64 [9,3]",
    "input a i32 [9]\ninput b i32 [9,3]",
    "input a u64 [2,2,9]\ninput b u64 [2,9,1]",
    "const a f32 [4,9] = random 1 -1 1\ninput b f32 [9,17]",
    "input a f32 [1,300]\ninput b f32 [300,41]",
    "input a f32 [70,31]\nconst b f32 [31,90] = random 1 -1 1",
  };
  for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
    char text[512];
    snprintf(text, sizeof text, "graph product\n%s\ny = MatMul(a, b)\noutput y\n", graphs[i]);
    check_kernel(text, TOLERANCE);
  }
}

static void special_values(void **state) {
  (void)state;
  check_strict("graph gemm\ninput a f32 [14,33]\nconst b f32 [33,77] = random 1 -1 1\ninput c f32 [77]\n"
               "y = Gemm(a, b, c)\nr = Relu(y)\noutput r\n", TOLERANCE);
  check_strict("graph gemm\ninput a f32 [5,70]\nconst b f32 [70,3] = random 1 -1 1\ny = MatMul(a, b)\noutput y\n", TOLERANCE);
  check_strict("graph gemm\ninput a f32 [2,14,9]\ninput b f32 [9,77]\ny = MatMul(a, b)\noutput y\n", TOLERANCE);
  check_strict("graph gemm\ninput a f64 [14,9]\ninput b f64 [9,7]\ny = MatMul(a, b)\noutput y\n", TOLERANCE);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_gemms), cmocka_unit_test(classifier),
                                     cmocka_unit_test(narrow_columns_of_constants),
                                     cmocka_unit_test(products), cmocka_unit_test(special_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
