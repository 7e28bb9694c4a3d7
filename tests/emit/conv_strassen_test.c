/* Strassen's algorithm, wherever it can be, against the evaluator: rows and whole small maps, of which one pixel or row
 * may be left over, strides, padding, images, epilogues. */
#include "harness.h"

#define TOLERANCE 1e-5

static void rows(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 64, 14, 14, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 96, 10, 16, 192, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 64, 15, 17, 128, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 32, 1, 70, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 64, 40, 112, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 64, 29, 27, 64, 1, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0},
    {1, 64, 12, 11, 64, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 3},
  };
  check_convs(check_strassen, cases, COUNT(cases), "output y\n", TOLERANCE);
}

static void small_maps(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 128, 7, 7, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},   {1, 64, 8, 8, 192, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 64, 14, 14, 128, 1, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0}, {1, 64, 4, 4, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {1, 64, 3, 7, 64, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},    {1, 64, 1, 1, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  check_convs(check_strassen, cases, COUNT(cases), "output y\n", TOLERANCE);
}

/* Rows of different images are paired. */
static void images(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {2, 64, 15, 15, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {3, 64, 9, 20, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {3, 64, 7, 7, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},   {5, 32, 1, 1, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  check_convs(check_strassen, cases, COUNT(cases), "output y\n", TOLERANCE);
}

static void epilogues(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 64, 15, 14, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 64, 7, 7, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}};
  static const char *const rests[] = {
    "s = Add(y, x)\nz = Relu(s)\noutput z\n",
    "const s f32 [64,1,1] = random 5 0 1\nz = PRelu(y, s)\noutput z\n",
    "input gate f32 [1,64,1,1]\nz = Mul(y, gate)\noutput z\n",
  };
  for (size_t i = 0; i < COUNT(rests); i++) check_convs(check_strassen, cases, COUNT(cases), rests[i], TOLERANCE);
}

/* Results over residuals, halos for a 3x3 reader. The row that is paired with none must not be written twice. */
static void blocks(void **state) {
  (void)state;
  for (int size = 7; size <= 15; size += 4) {
    char text[1024];
    snprintf(text, sizeof text,
             "graph blocks\ninput x f32 [1,64,%d,%d]\nconst a f32 [64,64,1,1] = random 1 -0.2 0.2\n"
             "const b f32 [128,64,1,1] = random 2 -0.2 0.2\nconst c f32 [128,64,1,1] = random 3 -0.2 0.2\n"
             "const d f32 [64,128,1,1] = random 4 -0.2 0.2\nconst e f32 [64,64,3,3] = random 5 -0.1 0.1\n"
             "s = Conv(x, c)\nr = Conv(x, a)\nt = Relu(r)\nu = Conv(t, b)\nv = Add(u, s)\nw = Relu(v)\n"
             "y = Conv(w, d)\nz = Conv(y, e) pads=[1,1,1,1]\noutput z\n", size, size);
    check_strassen(text, 2e-5);
  }
}

static void special_values(void **state) {
  (void)state;
  static const ConvCase cases[] = {{1, 64, 14, 14, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
                               {1, 128, 7, 7, 64, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}};
  check_convs(check_spread, cases, COUNT(cases), "output y\n", TOLERANCE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(rows),      cmocka_unit_test(small_maps), cmocka_unit_test(images),
    cmocka_unit_test(epilogues), cmocka_unit_test(blocks), cmocka_unit_test(special_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
