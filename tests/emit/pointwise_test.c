/* Elementwise kernels: every operator and type, broadcasting, channel blocks. */
#include "harness.h"
#include "emit.h"

#include <string.h>

static void casts_between_all_types(void **state) {
  (void)state;
  static const struct { const char *name; int number; } types[] = {
    {"f32", 1}, {"u8", 2}, {"i8", 3}, {"u16", 4}, {"i16", 5}, {"i32", 6}, {"i64", 7}, {"bool", 9},
    {"f16", 10}, {"f64", 11}, {"u32", 12}, {"u64", 13}, {"bf16", 16},
  };
  for (size_t i = 0; i < COUNT(types); i++) {
    char text[1024];
    int n = snprintf(text, sizeof text, "graph t\ninput x %s [4211]\n", types[i].name);
    for (size_t k = 0; k < COUNT(types); k++) {
      if (k == i) continue;
      n += snprintf(text + n, sizeof text - (size_t)n, "y%zu = Cast(x) to=%d\noutput y%zu\n", k,
                    types[k].number, k);
    }
    bool is_half = types[i].number == 10 || types[i].number == 16; /* its inputs are bits */
    bool is_signed = !is_half && strchr("fi", types[i].name[0]);
    check_kernel_in(text, 0, is_signed ? -70000 : 0, is_half ? 65536 : 70000);
    check_kernel_in(text, 0, is_signed ? -3 : 0, is_half ? 0x400 : 3);
  }
}

/* Bounds of Clip that are known at run time only. */
static void special_bounds(void **state) {
  (void)state;
  char text[2048];
  int n = snprintf(text, sizeof text, "graph t\ninput x f32 [83]\ninput b u8 []\nf = Cast(b) to=1\nzero = Sub(f, f)\n");
  static const char *const bounds[] = {"nan", "-0", "inf", "-inf", "0.5"};
  for (size_t i = 0; i < COUNT(bounds); i++) {
    n += snprintf(text + n, sizeof text - (size_t)n, "const k%zu f32 [] = {%s}\nb%zu = Sub(k%zu, zero)\n", i, bounds[i], i, i);
  }
  for (size_t i = 0; i < COUNT(bounds) * COUNT(bounds); i++) {
    n += snprintf(text + n, sizeof text - (size_t)n, "y%zu = Clip(x, b%zu, b%zu)\noutput y%zu\n", i, i / COUNT(bounds),
                  i % COUNT(bounds), i);
  }
  assert_true((size_t)n < sizeof text);
  check_special(text, 0, true);
}

static void casts_of_special_values(void **state) {
  (void)state;
  static const struct { const char *name; int number; } types[] = {{"f32", 1}, {"f64", 11}, {"f16", 10}, {"bf16", 16}};
  static const int to[] = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16};
  for (size_t i = 0; i < COUNT(types); i++) {
    char text[1024];
    int n = snprintf(text, sizeof text, "graph t\ninput x %s [333]\n", types[i].name);
    for (size_t k = 0; k < COUNT(to); k++) {
      if (to[k] == types[i].number) continue;
      n += snprintf(text + n, sizeof text - (size_t)n, "y%zu = Cast(x) to=%d\noutput y%zu\n", k, to[k], k);
    }
    check_special(text, 0, true);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(casts_between_all_types),
    cmocka_unit_test(special_bounds),
    cmocka_unit_test(casts_of_special_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
