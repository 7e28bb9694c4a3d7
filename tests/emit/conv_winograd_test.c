/* Winograd's algorithm, wherever it can be, against the evaluator: maps that are no whole tiles,
 * channels that are no whole blocks, padding, epilogues, weights as given and transformed. */
#include "harness.h"

#define TOLERANCE 1e-5

static void shapes(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 20, 5, 301, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, /* a row of more tiles than are listed */
    {1, 16, 8, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 32, 16, 16, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, /* sums replace the input */
    {1, 32, 16, 8, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},  /* ... which other chunks still need */
    {1, 32, 8, 8, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 64, 14, 14, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 24, 9, 13, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 100, 7, 7, 72, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 32, 57, 50, 48, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 17, 30, 31, 19, 3, 3, 1, 1, 1, 1, 1, 0, 0, 0, 0},
    {2, 128, 40, 40, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 40, 10, 6, 30, 3, 3, 1, 1, 1, 1, 1, 2, 0, 1, 2},
    {1, 33, 5, 70, 65, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 300, 5, 4, 9, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_winograd, cases, COUNT(cases), "output y\n", TOLERANCE);
}

/* Kernels of other sides. */
static void sides(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 16, 15, 14, 24, 2, 2, 1, 1, 1, 1, 1, 0, 0, 1, 1},
    {1, 20, 11, 16, 16, 4, 4, 1, 1, 1, 1, 1, 2, 1, 1, 2},
    {2, 24, 13, 12, 9, 5, 5, 1, 1, 1, 1, 1, 2, 2, 2, 2},
    {1, 12, 115, 114, 16, 4, 4, 1, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  check_convs(check_winograd, cases, COUNT(cases), "output y\n", TOLERANCE);
}

/* Stride 2: the four parities, at every edge, with padding that shifts them. */
static void parities(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 16, 16, 16, 16, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 64, 28, 28, 40, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {2, 24, 19, 25, 40, 3, 3, 1, 2, 2, 1, 1, 0, 0, 1, 1},
    {1, 100, 14, 14, 72, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 17, 59, 61, 19, 3, 3, 1, 2, 2, 1, 1, 0, 1, 0, 2},
    {1, 33, 9, 130, 65, 3, 3, 1, 2, 2, 1, 1, 2, 0, 1, 1},
    {1, 9, 9, 601, 17, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_winograd, cases, COUNT(cases), "output y\n", TOLERANCE);
  for (int rest = 0; rest < 8; rest++) {
    const ConvCase k = {1, 8, 8 + rest, 16 - rest, 8, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1};
    check_conv(check_winograd, &k, "output y\n", TOLERANCE);
  }
}

/* Stride 2 with up to four tiles, of which vectors of 16 lanes keep the sums in registers: a last narrow panel, several chunks of
 * channels, a single tile, tiles that either edge cuts. */
static void parities_in_registers(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 64, 14, 14, 72, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 48, 16, 13, 32, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 16, 8, 14, 16, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {1, 80, 11, 8, 9, 3, 3, 1, 2, 2, 1, 1, 1, 0, 1, 1},
    {4, 16, 8, 8, 40, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_winograd, cases, COUNT(cases), "z = Relu(y)\noutput z\n", TOLERANCE);
}

/* Residues of one size and of two, of a pixel, a tile, many and several groups; other padding than the dilation. */
static void dilations(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 32, 14, 14, 24, 3, 3, 1, 1, 1, 2, 2, 2, 2, 2, 2},
    {1, 40, 28, 28, 20, 3, 3, 1, 1, 1, 4, 4, 4, 4, 4, 4},
    {2, 24, 13, 17, 40, 3, 3, 1, 1, 1, 2, 3, 2, 3, 2, 3},
    {1, 40, 28, 28, 20, 3, 3, 1, 1, 1, 12, 12, 12, 12, 12, 12},
    {1, 17, 20, 9, 16, 3, 3, 1, 1, 1, 12, 1, 12, 1, 12, 1},
    {1, 16, 65, 66, 33, 3, 3, 1, 1, 1, 2, 2, 1, 0, 3, 2},
    {1, 20, 9, 21, 24, 5, 5, 1, 1, 1, 2, 2, 4, 4, 4, 4},
    {3, 20, 12, 11, 24, 2, 2, 1, 1, 1, 4, 3, 0, 0, 4, 3},
  };
  check_convs(check_winograd, cases, COUNT(cases), "output y\n", TOLERANCE);
  const ConvCase residual = {2, 24, 11, 9, 24, 3, 3, 1, 1, 1, 2, 3, 2, 3, 2, 3};
  check_conv(check_winograd, &residual, "const k f32 [24,1,1] = random 5 0 1\ns = Add(y, x)\nz = PRelu(s, k)\noutput z\n", TOLERANCE);
}

/* Images whose tiles make one group. */
static void batches(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {8, 40, 7, 7, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {6, 16, 14, 14, 16, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
    {5, 16, 14, 13, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  check_convs(check_winograd, cases, COUNT(cases), "z = Relu(y)\noutput z\n", TOLERANCE);
}

/* Every number of rows and of columns past the last whole tile. */
static void edges(void **state) {
  (void)state;
  for (int rest = 0; rest < 4; rest++) {
    const ConvCase k = {1, 8, 4 + rest, 11 - rest, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    check_conv(check_winograd, &k, "output y\n", TOLERANCE);
  }
}

static void epilogues(void **state) {
  (void)state;
  static const ConvCase k = {1, 24, 11, 9, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  static const char *const rests[] = {
    "s = Add(y, x)\nz = Relu(s)\noutput z\n",
    "r = Relu(y)\nz = Add(x, r)\noutput z\n",
    "const s f32 [24,1,1] = random 5 0 1\nz = PRelu(y, s)\noutput z\n",
    "input gate f32 [1,24,1,1]\nz = Mul(y, gate)\noutput z\n",
  };
  for (size_t i = 0; i < COUNT(rests); i++) check_conv(check_winograd, &k, rests[i], TOLERANCE);
}

/* Large maps beside so many other weights that these may be stored transformed. */
static void heavy_models(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 16, 32, 33, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 20, 56, 56, 16, 3, 3, 1, 1, 1, 1, 1, 0, 0, 2, 2},
  };
  check_convs(check_winograd, cases, COUNT(cases),
              "const m f32 [16,8000] = random 9 -0.5 0.5\np = GlobalAveragePool(y)\nf = Flatten(p)\n"
              "q = MatMul(f, m)\noutput y\noutput q\n", TOLERANCE);
}

/* Residual blocks: halos of several readers, results over residuals. */
static void blocks(void **state) {
  (void)state;
  check_winograd("graph blocks\ninput x f32 [1,32,15,13]\nconst a f32 [32,32,3,3] = random 1 -0.1 0.1\n"
                 "const b f32 [32,32,3,3] = random 2 -0.1 0.1\nconst c f32 [48,32,1,1] = random 3 -0.2 0.2\n"
                 "r = Conv(x, a) pads=[1,1,1,1]\ns = Relu(r)\nt = Conv(s, b) pads=[1,1,1,1]\nu = Add(t, s)\n"
                 "v = Relu(u)\nw = Conv(v, a) pads=[1,1,1,1]\ny = Conv(w, b) pads=[1,1,1,1]\nz = Add(v, y)\n"
                 "e = Conv(z, c) strides=[2,2]\noutput e\noutput z\n", 2e-5);
}

static void special_values(void **state) {
  (void)state;
  static const ConvCase cases[] = {{1, 24, 30, 31, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                               {1, 16, 29, 28, 24, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1},
                               {1, 16, 29, 28, 24, 5, 5, 1, 1, 1, 1, 1, 2, 2, 2, 2}};
  check_convs(check_spread, cases, COUNT(cases), "output y\n", TOLERANCE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(shapes),       cmocka_unit_test(edges),   cmocka_unit_test(epilogues),
    cmocka_unit_test(sides),        cmocka_unit_test(parities),  cmocka_unit_test(batches),
    cmocka_unit_test(dilations),    cmocka_unit_test(parities_in_registers),
    cmocka_unit_test(heavy_models), cmocka_unit_test(blocks), cmocka_unit_test(special_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
