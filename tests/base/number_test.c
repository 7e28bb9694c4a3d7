/* number_test.c: single elements of the types, which tests of operators do not meet. */
#include "fixture.h"

#include <math.h>

static double half(uint16_t bits) { return get_number(T_F16, &bits, 0).f; }
static double bfloat(uint16_t bits) { return get_number(T_BF16, &bits, 0).f; }

static void halves_are_read(void **state) {
  (void)state;
  assert_true(half(0x3c00) == 1);
  assert_true(half(0xc500) == -5);
  assert_true(half(0x7bff) == 65504);
  assert_true(half(0x0400) == 0x1p-14);
  assert_true(half(0x03ff) == 0x1.ff8p-15);
  assert_true(half(0x8001) == -0x1p-24);
  assert_true(half(0x7c00) == INFINITY);
  assert_true(isnan(half(0x7e00)));
  assert_true(half(0x8000) == 0 && signbit(half(0x8000)));
  assert_true(bfloat(0x3f80) == 1);
  assert_true(bfloat(0xc040) == -3);
  assert_true(bfloat(0x0001) == 0x1p-133);
  assert_true(bfloat(0xff80) == -INFINITY);
  assert_true(isnan(bfloat(0x7fc0)));
}

/* Of v as a float of 16 bits. */
static int bits_of(Type t, double v) {
  uint16_t bits;
  put_number(t, &bits, 0, (Number){.f = v});
  return bits;
}

static void halves_round_to_nearest_even(void **state) {
  (void)state;
  assert_int_equal(bits_of(T_F16, 1), 0x3c00);
  assert_int_equal(bits_of(T_F16, -2), 0xc000);
  assert_int_equal(bits_of(T_F16, 1 + 0x1p-11), 0x3c00);     /* a tie, to even */
  assert_int_equal(bits_of(T_F16, 1 + 0x3p-11), 0x3c02);     /* a tie, to even */
  assert_int_equal(bits_of(T_F16, 1 + 0x1.001p-11), 0x3c01); /* more than a tie */
  assert_int_equal(bits_of(T_F16, 65519), 0x7bff);
  assert_int_equal(bits_of(T_F16, 65520), 0x7c00);
  assert_int_equal(bits_of(T_F16, 0x1p-14), 0x0400);
  assert_int_equal(bits_of(T_F16, 0x1p-24), 0x0001);
  assert_int_equal(bits_of(T_F16, 0x1p-25), 0x0000);
  assert_int_equal(bits_of(T_F16, 0x1.8p-25), 0x0001);
  assert_int_equal(bits_of(T_F16, 0x1.ffcp-15), 0x0400); /* up to the smallest normal one */
  assert_int_equal(bits_of(T_F16, -0.0), 0x8000);
  assert_int_equal(bits_of(T_F16, -INFINITY), 0xfc00);
  assert_int_equal(bits_of(T_BF16, 1 + 0x1p-8), 0x3f80);
  assert_int_equal(bits_of(T_BF16, 3.4e38), 0x7f80);
  assert_int_equal(bits_of(T_BF16, 0x1p-133), 0x0001);
}

static void halves_survive_the_round_trip(void **state) {
  (void)state;
  static const Type type[] = {T_F16, T_BF16};
  for (int t = 0; t < 2; t++)
    for (int i = 0; i < 65536; i++) {
      uint16_t bits = (uint16_t)i;
      double v = get_number(type[t], &bits, 0).f;
      if (!isnan(v) && bits_of(type[t], v) != i) fail_msg("%s %04x", type_name(type[t]), i);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(halves_are_read),
    cmocka_unit_test(halves_round_to_nearest_even),
    cmocka_unit_test(halves_survive_the_round_trip),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
