/* Winograd's forms and transformed weights, against polynomials at the points. */
#include "conv.h"

#include <math.h>
#include <cmocka.h>

static Window window(int kernel, int stride, int dilation) {
  return (Window){.kh = kernel, .kw = kernel, .sh = stride, .sw = stride, .dh = dilation, .dw = dilation};
}

static void forms_of_windows(void **state) {
  (void)state;
  static const struct { int kernel, stride, dilation, m, results, products; } cases[] = {
    {3, 1, 1, 0, 4, 36}, {3, 1, 1, 2, 2, 16}, {3, 1, 1, 3, 3, 25}, {2, 1, 1, 0, 4, 25}, {4, 1, 1, 0, 3, 36},
    {5, 1, 1, 0, 2, 36}, {3, 2, 1, 0, 4, 81}, {3, 2, 1, 2, 2, 25}, {3, 1, 2, 0, 4, 36}, /* and none: */
    {3, 1, 1, 5, 0, 0},  {1, 1, 1, 0, 0, 0},  {6, 1, 1, 0, 0, 0},  {3, 2, 2, 0, 0, 0},  {3, 3, 1, 0, 0, 0},
    {5, 2, 1, 0, 0, 0},  {5, 1, 1, 3, 0, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    Window w = window(cases[i].kernel, cases[i].stride, cases[i].dilation);
    WinogradForm f;
    bool exists = winograd_form(&w, cases[i].m, &f);
    assert_int_equal(exists, cases[i].results > 0);
    if (!exists) continue;
    assert_int_equal(f.m, cases[i].results);
    assert_int_equal(winograd_products(&f), cases[i].products);
  }
}

static void transform(const WinogradForm *f, int side, const float *g, double *u) {
  const WinogradPowers p = winograd_powers(f, side);
  winograd_weights(&p, g, u);
}

/* What a weight of a kernel of `taps` is divided by at a point. */
static double divisor(int taps, int i) {
  return winograd_scale(taps, WINOGRAD_POINTS, i) / winograd_scale(WINOGRAD_POINTS, WINOGRAD_POINTS, i);
}

/* A kernel is a polynomial in each dimension: its transform are the values at the points, at infinity the last coefficient. */
static double value_at(const float *g, int side, int i, int j) {
  double sum = 0;
  for (int r = 0; r < side; r++) {
    for (int c = 0; c < side; c++) {
      double row = i ? pow(winograd_point(i), r) : r == side - 1, col = j ? pow(winograd_point(j), c) : c == side - 1;
      sum += g[r * side + c] * row * col;
    }
  }
  return sum;
}

static void weights_are_values_at_points(void **state) {
  (void)state;
  for (int side = 2; side <= WINOGRAD_KERNEL; side++) {
    float g[WINOGRAD_KERNEL * WINOGRAD_KERNEL];
    for (int i = 0; i < side * side; i++) g[i] = (float)((i * 7 + 3) % 11) - 5;
    Window w = window(side, 1, 1);
    WinogradForm f;
    assert_true(winograd_form(&w, 0, &f));
    double u[WINOGRAD_POINTS * WINOGRAD_POINTS];
    transform(&f, f.points, g, u);
    for (int i = 0; i < f.points; i++) {
      for (int j = 0; j < f.points; j++) {
        assert_float_equal(u[i * f.points + j] * divisor(side, i) * divisor(side, j), value_at(g, side, i, j), 1e-9);
      }
    }
  }
}

/* Those at the first points tell the others. */
static void weights_follow_from_the_first(void **state) {
  (void)state;
  for (int side = 2; side <= WINOGRAD_KERNEL; side++) {
    float g[WINOGRAD_KERNEL * WINOGRAD_KERNEL];
    for (int i = 0; i < side * side; i++) g[i] = (float)((i * 5 + 1) % 7) - 3;
    Window w = window(side, 1, 1);
    WinogradForm f;
    assert_true(winograd_form(&w, 0, &f));
    double u[WINOGRAD_POINTS * WINOGRAD_POINTS], first[WINOGRAD_KERNEL * WINOGRAD_KERNEL];
    transform(&f, f.points, g, u);
    transform(&f, side, g, first);
    for (int i = side; i < f.points; i++) {
      assert_float_equal(winograd_term(side, i, 1), 1, 0);
      for (int j = 0; j < side; j++) {
        double sum = 0;
        for (int k = 0; k < side; k++) sum += winograd_term(side, i, k) * first[k * side + j];
        assert_float_equal(u[i * f.points + j], sum, 1e-9);
      }
    }
  }
}

/* With two parities: those at two points, then the second parity's. */
static void weights_of_parities(void **state) {
  (void)state;
  const float g[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const double expected[9] = {9, 7, 8, 3, 1, 2, 6, 4, 5};
  double u[9];
  Window w = window(3, 2, 1);
  WinogradForm f;
  assert_true(winograd_form(&w, 0, &f));
  transform(&f, f.kernel, g, u);
  for (int i = 0; i < 9; i++) assert_float_equal(u[i], expected[i], 0);
}

/* The factor of a point is one over the product of its distances from the others, up to the sign that the transform has. */
static void factors_are_lagrange_s(void **state) {
  (void)state;
  for (int points = 2; points <= WINOGRAD_POINTS; points++) {
    for (int i = 1; i < points; i++) {
      double product = 1;
      for (int k = 1; k < points; k++) product *= k == i ? 1 : winograd_point(i) - winograd_point(k);
      assert_float_equal(fabs(winograd_scale(points, points, i) * product), 1, 1e-12);
    }
    assert_float_equal(winograd_scale(points, points, 0), 1, 0);
  }
}

/* Only a map that is one group goes without the last row's points, every map without the last column's. */
static void edges_are_cut(void **state) {
  (void)state;
  const Window w = window(3, 1, 1);
  const WinogradMap y = {.images = 1, .rows = 14, .cols = 13};
  WinogradPlan p = {.m = 4, .icg = 20, .ocg = 32, .nb = 2, .tile_rows = 4, .group_images = 1};
  WinogradForm f;
  assert_true(winograd_form(&w, 4, &f));
  WinogradSizes s = winograd_sizes(&f, &p, &y, 8);
  assert_true(s.one_group && s.tile_rows == 4 && s.tile_cols == 4 && s.in_blocks == 3 && s.out_blocks == 4);
  assert_true(s.cut_rows == 2 && s.cut_cols == 1);
  p.tile_rows = 2;
  s = winograd_sizes(&f, &p, &y, 8);
  assert_true(!s.one_group && s.group_tiles == 8 && s.cut_rows == 0 && s.cut_cols == 1);
}

/* Parities that are read together do not share sets of L1: 512 channels of four tiles are whole pages. */
static void parities_are_apart(void **state) {
  (void)state;
  const Window w = window(3, 2, 1);
  const WinogradMap y = {.images = 1, .rows = 7, .cols = 7};
  WinogradPlan p = {.m = 4, .icg = 512, .ocg = 32, .nb = 2, .tile_rows = 2, .group_images = 1, .fused = true};
  WinogradForm f;
  assert_true(winograd_form(&w, 4, &f));
  WinogradSizes s = winograd_sizes(&f, &p, &y, 16);
  assert_int_equal(s.v_parity * 4 % 4096, 4 * 64);
  assert_int_equal(s.v_frequency, 4 * s.v_parity + 16);
  p.fused = false;
  s = winograd_sizes(&f, &p, &y, 16);
  assert_int_equal(s.v_parity, 512 * 4);
}

/* Of one panel and one chunk, where both are of one size. */
static void sums_replace_the_input(void **state) {
  (void)state;
  static const struct { int64_t icg, ocg; int nb, chunk, tile_rows, kernel, stride; bool stored, replace; } cases[] = {
    {32, 32, 2, 2, 2, 3, 1, false, true},  {32, 32, 2, 1, 2, 3, 1, false, false}, {32, 32, 2, 1, 2, 3, 1, true, true},
    {32, 32, 1, 2, 2, 3, 1, false, false}, {16, 32, 2, 2, 2, 3, 1, false, false}, {64, 32, 2, 4, 2, 3, 1, false, false},
    {32, 32, 2, 2, 9, 3, 1, false, false}, {32, 32, 2, 2, 2, 3, 2, false, false}, {30, 17, 2, 2, 2, 2, 1, false, true},
  };
  const WinogradMap y = {.images = 1, .rows = 32, .cols = 32};
  for (size_t i = 0; i < COUNT(cases); i++) {
    const Window w = window(cases[i].kernel, cases[i].stride, 1);
    WinogradPlan p = {.m = 4, .icg = (int)cases[i].icg, .ocg = (int)cases[i].ocg, .nb = cases[i].nb, .chunk = cases[i].chunk,
                      .tile_rows = cases[i].tile_rows, .group_images = 1, .stored = cases[i].stored};
    WinogradForm f;
    assert_true(winograd_form(&w, 4, &f));
    if ((winograd_sizes(&f, &p, &y, 16).m_at == 0) != cases[i].replace) fail_msg("case %d", (int)i);
  }
}

static void check_map(const WinogradMap *m, int64_t images, int64_t rows, int64_t cols, int64_t first_row, int64_t first_col) {
  assert_true(m->images == images && m->rows == rows && m->cols == cols);
  assert_true(m->first_row == first_row && m->first_col == first_col);
}

/* Every pixel of the result belongs to one residue; those of one size are a map, whose groups have as many images as divide it. */
static void dilations_have_residues(void **state) {
  (void)state;
  Window w = window(3, 1, 3);
  w.dw = 4;
  const Shape y = {.rank = 4, .d = {2, 32, 14, 10}};
  WinogradForm f;
  WinogradMap map[WINOGRAD_MAPS];
  assert_true(winograd_form(&w, 0, &f));
  assert_int_equal(winograd_maps(&f, &y, map), 4);
  check_map(&map[0], 8, 5, 3, 0, 0);
  check_map(&map[1], 8, 5, 2, 0, 2);
  check_map(&map[2], 4, 4, 3, 2, 0);
  check_map(&map[3], 4, 4, 2, 2, 2);
  int64_t pixels = 0;
  for (int i = 0; i < 4; i++) pixels += map[i].images * map[i].rows * map[i].cols;
  assert_int_equal(pixels, 2 * 14 * 10);
  const WinogradPlan p = {.m = 4, .icg = 20, .ocg = 32, .nb = 2, .tile_rows = 2, .group_images = 7};
  WinogradSizes s = winograd_sizes(&f, &p, &map[0], 8);
  assert_true(s.group_images == 4 && s.group_tiles == 8 && s.cut_rows == 1 && s.cut_cols == 3);
  assert_int_equal(winograd_shared(&f, &s, &map[0]), 2 * 36 * 4 * s.v_frequency);
  w = window(3, 1, 12);
  assert_true(winograd_form(&w, 0, &f));
  assert_int_equal(winograd_maps(&f, &y, map), 2); /* no row is farther than the dilation */
  check_map(&map[1], 2 * 10 * 10, 1, 1, 2, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(forms_of_windows),
    cmocka_unit_test(weights_are_values_at_points),
    cmocka_unit_test(weights_follow_from_the_first),
    cmocka_unit_test(weights_of_parities),
    cmocka_unit_test(factors_are_lagrange_s),
    cmocka_unit_test(edges_are_cut),
    cmocka_unit_test(parities_are_apart),
    cmocka_unit_test(sums_replace_the_input),
    cmocka_unit_test(dilations_have_residues),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
