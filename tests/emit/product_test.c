/* Matrix products against the evaluator: constants as packed, run-time matrices, every type, batches,
 * vectors. */
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
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(random_gemms),
    cmocka_unit_test(classifier),
    cmocka_unit_test(narrow_columns_of_constants),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
