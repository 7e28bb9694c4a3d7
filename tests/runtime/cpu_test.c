/* cpu_test.c: rcc_cpu_check agrees with what the compiler's own run-time library finds. */
#include "resnetcc_rt.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static void agrees_with_the_compiler(void **state) {
  (void)state;
  __builtin_cpu_init();
#define AGREES(feature, name) \
  assert_int_equal(rcc_cpu_check(feature) == RCC_OK, !!__builtin_cpu_supports(name))
  AGREES(RCC_CPU_SSE3, "sse3");
  AGREES(RCC_CPU_SSSE3, "ssse3");
  AGREES(RCC_CPU_SSE41, "sse4.1");
  AGREES(RCC_CPU_SSE42, "sse4.2");
  AGREES(RCC_CPU_POPCNT, "popcnt");
  AGREES(RCC_CPU_BMI, "bmi");
  AGREES(RCC_CPU_BMI2, "bmi2");
  AGREES(RCC_CPU_GFNI, "gfni");
  AGREES(RCC_CPU_AVX, "avx");
  AGREES(RCC_CPU_FMA, "fma");
  AGREES(RCC_CPU_AVX2, "avx2");
  AGREES(RCC_CPU_AVX512F, "avx512f");
  AGREES(RCC_CPU_AVX512DQ, "avx512dq");
  AGREES(RCC_CPU_AVX512CD, "avx512cd");
  AGREES(RCC_CPU_AVX512BW, "avx512bw");
  AGREES(RCC_CPU_AVX512VL, "avx512vl");
  AGREES(RCC_CPU_AVX512IFMA, "avx512ifma");
  AGREES(RCC_CPU_AVX512VBMI, "avx512vbmi");
  AGREES(RCC_CPU_AVX512VBMI2, "avx512vbmi2");
  AGREES(RCC_CPU_AVX512VNNI, "avx512vnni");
  AGREES(RCC_CPU_AVX512BITALG, "avx512bitalg");
  AGREES(RCC_CPU_AVX512VPOPCNTDQ, "avx512vpopcntdq");
  AGREES(RCC_CPU_AVX512BF16, "avx512bf16");
#undef AGREES
}

static void needs_all_features(void **state) {
  (void)state;
  uint64_t all = 0, found = 0;
  for (int bit = 0; bit < 56; bit++) {
    uint64_t one = UINT64_C(1) << bit;
    all |= one;
    if (rcc_cpu_check(one) == RCC_OK) found |= one;
  }
  assert_int_equal(rcc_cpu_check(0), RCC_OK);
  assert_int_equal(rcc_cpu_check(found), RCC_OK);
  assert_int_equal(rcc_cpu_check(all), RCC_ERR_CPU);
}

/* A model compiled by a newer resnetcc may ask for features that this library has never heard of. */
static void unknown_features_are_missing(void **state) {
  (void)state;
  assert_int_equal(rcc_cpu_check(UINT64_C(1) << 55), RCC_ERR_CPU);
}

/* The top byte names the architecture: another one's word is refused, whatever its features are. */
static void other_architectures_are_refused(void **state) {
  (void)state;
  assert_int_equal(RCC_ARCH(RCC_CPU_GFNI), RCC_ARCH_X86_64);
  assert_int_equal(RCC_ARCH_AARCH64, 1);
  for (uint64_t architecture = 1; architecture < 256; architecture++) {
    assert_int_equal(rcc_cpu_check(architecture << 56), RCC_ERR_CPU);
  }
  assert_int_equal(rcc_cpu_check(RCC_ARCH_X86_64 << 56), RCC_OK);
}

/* A model names its features one by one. */
static void missing_features_have_names(void **state) {
  (void)state;
  rcc_model m = {.target = "x86-64 -sse3,-avx"};
  assert_null(rcc_cpu_missing(&m));
  m.target = "x86-64-v2 +sse3,-avx512f,+ssse3";
  if (rcc_cpu_check(RCC_CPU_SSE3 | RCC_CPU_SSSE3) == RCC_OK) assert_null(rcc_cpu_missing(&m));
  m.target = "later +sse3,-avx,+no-such,+nor-this";
  assert_string_equal(rcc_cpu_missing(&m), "a feature that this resnetcc_rt does not know");
  m.target = "sapphirerapids +sse3,+amx-tile";
  const char *missing = rcc_cpu_check(RCC_CPU_AMX_TILE) ? "amx-tile" : NULL;
  if (missing) assert_string_equal(rcc_cpu_missing(&m), missing);
  else assert_null(rcc_cpu_missing(&m));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(agrees_with_the_compiler),
    cmocka_unit_test(needs_all_features),
    cmocka_unit_test(unknown_features_are_missing),
    cmocka_unit_test(other_architectures_are_refused),
    cmocka_unit_test(missing_features_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
