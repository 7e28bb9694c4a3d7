/* target_test.c: -mcpu, -mattr and --target: vector lengths, features with all they rest on, refusals. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"
#include "each_context.h"
#include "resnetcc_rt.h"

static int setup(void **state) {
  context_setup(state);
  cx->file = NULL;
  return 0;
}

static Target *target(const char *cpu, const char *attr) {
  Options o = {.cpu = cpu, .attr = attr};
  return target_new(cx, &o);
}

static Target *target_of_triple(const char *triple, const char *cpu) {
  Options o = {.triple = triple, .cpu = cpu};
  return target_new(cx, &o);
}

/* Every feature stands once in the string, on or off: "+name" or "-name" between commas. */
static char sign_of(const Target *t, const char *feature) {
  const char *item = format_text(cx, "%s,", feature), *list = format_text(cx, ",%s,", t->features);
  char sign = 0;
  for (const char *s = strstr(list, item); s; s = strstr(s + 1, item)) {
    if ((s[-1] != '+' && s[-1] != '-') || s[-2] != ',') continue;
    if (sign) fail_msg("%s stands twice in %s", feature, t->features);
    sign = s[-1];
  }
  return sign;
}

/* ==== vectors ==== */

static void vectors_are_what_the_features_allow(void **state) {
  (void)state;
  static const struct { const char *cpu, *attr; int lanes, regs; bool fma; } cases[] = {
    {"x86-64", NULL, 4, 16, false},
    {"x86-64-v2", NULL, 4, 16, false},
    {"sandybridge", NULL, 8, 16, false},
    {"x86-64-v3", NULL, 8, 16, true},
    {"znver3", NULL, 8, 16, true},
    {"alderlake", NULL, 8, 16, true},
    {"x86-64-v4", NULL, 16, 32, true},
    {"skylake-avx512", NULL, 16, 32, true},
    {"znver4", NULL, 16, 32, true},
    {"sapphirerapids", NULL, 16, 32, true},
    {"sapphirerapids", "-avx512f", 8, 16, true},
    {"sapphirerapids", "-avx512vl", 8, 16, true}, /* code uses 256-bit forms of AVX-512 */
    {"sapphirerapids", "-avx", 4, 16, false},
    {"skylake-avx512", "-fma", 8, 16, false},
    {"x86-64", "+avx2", 8, 16, false},
    {"x86-64", "+avx2,+fma", 8, 16, true},
    {"x86-64", "+avx512f", 8, 16, true},
    {"x86-64", "+avx512bw,+avx512dq,+avx512vl", 16, 32, true},
    {"x86-64-v3", "", 8, 16, true},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    const Target *t = target(cases[i].cpu, cases[i].attr);
    if (t->lanes != cases[i].lanes || t->regs != cases[i].regs || t->fma != cases[i].fma) {
      fail_msg("%s %s: %d lanes, %d registers, fma %d", cases[i].cpu, cases[i].attr, t->lanes, t->regs,
               t->fma);
    }
    assert_string_equal(t->cpu, cases[i].cpu);
    assert_true(t->l1 >= 16 << 10 && t->l2 >= 128 << 10);
  }
}

/* Every CPU is like itself; of one that is not known, features make it. */
static void unknown_cpus_are_like_known_ones(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *triple = "x86_64-linux-gnu";
  for (int i = 0; cpu_name(i); i++) {
    if (strcmp(cpu_name(i), "generic") == 0) triple = "aarch64-linux-gnu"; /* the first of these */
    const Target *t = target_of_triple(triple, cpu_name(i));
    assert_string_equal(t->like, t->cpu);
    assert_true(target_of_triple(triple, cpu_like(t->cpu_bits))->cpu_bits == t->cpu_bits);
  }
  assert_string_equal(triple, "aarch64-linux-gnu");
  assert_string_equal(cpu_like(target("znver5", "+avx512fp16")->cpu_bits), "znver5");
  assert_string_equal(cpu_like(target("znver4", NULL)->cpu_bits), "znver4");
  assert_string_equal(cpu_like(0), "x86-64");
}

/* ==== features ==== */

static void features_bring_what_they_rest_on(void **state) {
  (void)state;
  static const struct { const char *cpu, *attr, *on, *off; } cases[] = {
    {"x86-64", "+sse4.2", "sse3,ssse3,sse4.1,sse4.2", "avx,popcnt"},
    {"x86-64", "+avx", "sse3,ssse3,sse4.1,sse4.2,avx", "avx2,fma,f16c"},
    {"x86-64", "+fma", "avx,sse4.2,fma", "avx2"},
    {"x86-64", "+avx512vl", "avx,avx2,fma,f16c,avx512f,avx512vl", "avx512bw,avx512dq"},
    {"x86-64", "+avx512fp16", "avx512f,avx512bw,avx512dq,avx512vl,avx512fp16,f16c", "avx512vnni,amx-tile"},
    {"x86-64", "+amx-int8", "amx-int8,amx-tile", "amx-bf16,avx"},
    {"sapphirerapids", NULL, "avx512fp16,amx-tile,amx-int8,amx-bf16,avxvnni,gfni,avx512bf16", ""},
    {"sapphirerapids", "-avx512f", "avx2,fma,f16c,avxvnni,gfni,amx-tile",
     "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vnni,avx512bf16,avx512fp16,avx512vbmi"},
    {"sapphirerapids", "-avx512bw", "avx512f,avx512vl,avx512dq", "avx512bw,avx512fp16,avx512vbmi,avx512bf16"},
    {"sapphirerapids", "-amx-tile", "avx512fp16", "amx-tile,amx-int8,amx-bf16"},
    {"x86-64-v3", "-avx2", "avx,fma,f16c,bmi2", "avx2"},
    {"x86-64-v3", "-sse3", "popcnt,bmi,lzcnt", "sse3,ssse3,sse4.1,sse4.2,avx,avx2,fma,f16c"},
    {"x86-64-v3", "-avx,+avx", "avx,sse4.2", "avx2,fma"}, /* in the order given */
    {"x86-64-v3", "+avx512f,-avx512f", "avx2,fma", "avx512f"},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    const Target *t = target(cases[i].cpu, cases[i].attr);
    for (int on = 0; on < 2; on++) {
      char list[256], *rest = list;
      snprintf(list, sizeof list, "%s", on ? cases[i].on : cases[i].off);
      for (char *f = strtok_r(list, ",", &rest); f; f = strtok_r(NULL, ",", &rest)) {
        char sign = sign_of(t, f);
        if (sign != (on ? '+' : '-')) fail_msg("%s %s: %s is %c", t->cpu, cases[i].attr, f, sign);
      }
    }
  }
}

/* What LLVM may use is what the machine is asked for. */
static void the_check_asks_for_every_feature(void **state) {
  (void)state;
  static const struct { const char *name; uint64_t bit; } all[] = {
    {"sse3", RCC_CPU_SSE3}, {"ssse3", RCC_CPU_SSSE3}, {"sse4.1", RCC_CPU_SSE41}, {"sse4.2", RCC_CPU_SSE42},
    {"popcnt", RCC_CPU_POPCNT}, {"movbe", RCC_CPU_MOVBE}, {"lzcnt", RCC_CPU_LZCNT}, {"bmi", RCC_CPU_BMI},
    {"bmi2", RCC_CPU_BMI2}, {"avx", RCC_CPU_AVX}, {"f16c", RCC_CPU_F16C}, {"fma", RCC_CPU_FMA},
    {"avx2", RCC_CPU_AVX2}, {"avxvnni", RCC_CPU_AVXVNNI}, {"avx512f", RCC_CPU_AVX512F},
    {"avx512cd", RCC_CPU_AVX512CD}, {"avx512bw", RCC_CPU_AVX512BW}, {"avx512dq", RCC_CPU_AVX512DQ},
    {"avx512vl", RCC_CPU_AVX512VL}, {"avx512vnni", RCC_CPU_AVX512VNNI}, {"avx512vbmi", RCC_CPU_AVX512VBMI},
    {"avx512vbmi2", RCC_CPU_AVX512VBMI2}, {"avx512bitalg", RCC_CPU_AVX512BITALG},
    {"avx512vpopcntdq", RCC_CPU_AVX512VPOPCNTDQ}, {"avx512ifma", RCC_CPU_AVX512IFMA},
    {"avx512bf16", RCC_CPU_AVX512BF16}, {"avx512fp16", RCC_CPU_AVX512FP16}, {"amx-tile", RCC_CPU_AMX_TILE},
    {"amx-int8", RCC_CPU_AMX_INT8}, {"amx-bf16", RCC_CPU_AMX_BF16}, {"gfni", RCC_CPU_GFNI},
  };
  static const char *const cpus[] = {"x86-64", "x86-64-v2", "haswell", "znver4", "sapphirerapids", NULL,
                                     "native"};
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cpus); i++) {
    const Target *t = target(cpus[i], NULL);
    uint64_t bits = 0;
    for (size_t k = 0; k < COUNT(all); k++) {
      char sign = sign_of(t, all[k].name);
      if (sign != '+' && sign != '-') fail_msg("%s: no %s in %s", t->cpu, all[k].name, t->features);
      if (sign == '+') bits |= all[k].bit;
    }
    if (bits != t->cpu_bits) {
      fail_msg("%s: %#llx differs from %s", t->cpu, (long long)t->cpu_bits, t->features);
    }
  }
}

static void nothing_unchecked_is_used(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Target *t = target("bdver2", NULL);
  static const char *const off[] = {"fma4", "sse4a", "tbm", "xop"};
  for (size_t i = 0; i < COUNT(off); i++) assert_int_equal(sign_of(t, off[i]), '-');
}

/* ==== the host ==== */

static void the_host_runs_what_is_made_for_it(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Target *t = target(NULL, NULL), *native = target("native", NULL);
  assert_int_equal(rcc_cpu_check(t->cpu_bits), RCC_OK);
  assert_string_equal(t->cpu, host_cpu(cx));
  assert_string_equal(t->triple, host_triple(cx));
  assert_string_equal(native->cpu, t->cpu);
  assert_string_equal(native->features, t->features);
}

static void another_system_gets_the_baseline(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Target *t = target_of_triple("x86_64-unknown-freebsd", NULL);
  assert_string_equal(t->cpu, "x86-64");
  assert_string_equal(t->triple, "x86_64-unknown-freebsd");
  assert_int_equal(t->lanes, 4);
  assert_int_equal(t->cpu_bits, 0);
  assert_int_equal(target_of_triple("x86_64-linux-gnu", "x86-64-v3")->lanes, 8);
  assert_string_equal(target_of_triple("x86_64-linux-gnu", "native")->cpu, host_cpu(cx));
}

static void triples_are_completed(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char *const all[][2] = {
    {"x86_64-linux-gnu", "x86_64-unknown-linux-gnu"},        {"x86_64-linux", "x86_64-unknown-linux"},
    {"x86_64-pc-linux-musl", "x86_64-pc-linux-musl"},        {"x86_64-linux-android21", "x86_64-unknown-linux-android21"},
    {"x86_64-unknown-freebsd14.0", "x86_64-unknown-freebsd14.0"}, {"x86_64-none-elf", "x86_64-unknown-none-elf"},
    {"x86_64-none", "x86_64-unknown-none"}, {"aarch64-none", "aarch64-unknown-none"}, {"aarch64-linux-gnu", "aarch64-unknown-linux-gnu"},
  };
  for (size_t i = 0; i < COUNT(all); i++) assert_string_equal(target_of_triple(all[i][0], NULL)->triple, all[i][1]);
}

static void every_listed_system_is_a_target(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  char triple[64];
  for (int i = 0; target_system(i); i++) {
    for (int a = 0; architecture_name(a); a++) {
      snprintf(triple, sizeof triple, "%s-%s", architecture_name(a), target_system(i));
      assert_int_equal(target_of_triple(triple, NULL)->lanes, 4);
    }
  }
}

/* All have the same vectors; LLVM gets the features that are checked, and no more. */
static void aarch64_differs_in_products_of_bytes(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const struct { const char *cpu; uint64_t bits; const char *features; } cases[] = {
    {NULL, 0, "-dotprod,-i8mm"},
    {"cortex-a53", 0, "-dotprod,-i8mm"},
    {"cortex-a76", RCC_CPU_DOTPROD, "+dotprod,-i8mm"},
    {"neoverse-v1", RCC_CPU_DOTPROD | RCC_CPU_I8MM, "+dotprod,+i8mm"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const Target *t = target_of_triple("aarch64-linux-gnu", cases[i].cpu);
    assert_string_equal(t->cpu, cases[i].cpu ? cases[i].cpu : "generic");
    assert_string_equal(t->least, "generic");
    assert_string_equal(t->features, cases[i].features);
    assert_int_equal(t->cpu_bits, RCC_ARCH_AARCH64 << 56 | cases[i].bits);
    assert_true(t->lanes == 4 && t->regs == 32 && t->fma && has_neon(t));
    assert_int_equal(rcc_cpu_check(t->cpu_bits), RCC_ERR_CPU);
  }
  assert_string_equal(target_of_triple("x86_64-linux-gnu", NULL)->least, "x86-64");
}

/* ==== refusals ==== */

static void unknown_names_are_refused(void **state) {
  (void)state;
  EXPECT_FAIL(cx, target("pentium", NULL), "unknown CPU 'pentium' in -mcpu=; --help=-mcpu lists them");
  EXPECT_FAIL(cx, target("", NULL), "unknown CPU '' in -mcpu=; --help=-mcpu lists them");
  EXPECT_FAIL(cx, target("x86-64", "+avx9"), "unknown feature '+avx9' in -mattr=");
  EXPECT_FAIL(cx, target("x86-64", "avx"), "unknown feature 'avx' in -mattr=");
  EXPECT_FAIL(cx, target("x86-64", "+avx,,+fma"), "unknown feature '' in -mattr=");
  EXPECT_FAIL(cx, target("x86-64", "+avx,+"), "unknown feature '+' in -mattr=");
  EXPECT_FAIL(cx, target("x86-64", "+avx,-sse4.2x,+fma"), "unknown feature '-sse4.2x' in -mattr=");
  EXPECT_FAIL(cx, target("cortex-a53", NULL), "-mcpu=cortex-a53 is no CPU of x86_64 targets: --target=aarch64-linux-gnu has it");
  EXPECT_FAIL(cx, target_of_triple("aarch64-linux-gnu", "native"), "-mcpu=native: this machine is not of aarch64");
  EXPECT_FAIL(cx, target("x86-64", "~avx"), "unknown feature '~avx' in -mattr=");
}

static void other_machines_are_refused(void **state) {
  (void)state;
  EXPECT_FAIL(cx, target_of_triple("riscv64-linux-gnu", NULL),
              "--target=riscv64-linux-gnu: only x86_64 and aarch64 targets are supported");
  EXPECT_FAIL(cx, target_of_triple("", NULL), "--target=: only x86_64 and aarch64 targets are supported");
  EXPECT_FAIL(cx, target_of_triple("x86_64", NULL), "--target=x86_64: only x86_64 and aarch64 targets are supported");
  EXPECT_FAIL(cx, target_of_triple("x86_64-pc-windows-msvc", NULL),
              "--target=x86_64-pc-windows-msvc: only 64-bit systems with ELF objects are supported, such as x86_64-linux-gnu");
  EXPECT_FAIL(cx, target_of_triple("x86_64-apple-macosx12", NULL),
              "--target=x86_64-apple-macosx12: only 64-bit systems with ELF objects are supported, such as x86_64-linux-gnu");
  EXPECT_FAIL(cx, target_of_triple("x86_64-w64-mingw32", NULL),
              "--target=x86_64-w64-mingw32: only 64-bit systems with ELF objects are supported, such as x86_64-linux-gnu");
  EXPECT_FAIL(cx, target_of_triple("x86_64-apple-darwin", NULL),
              "--target=x86_64-apple-darwin: only 64-bit systems with ELF objects are supported, such as x86_64-linux-gnu");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(vectors_are_what_the_features_allow),
    TEST(unknown_cpus_are_like_known_ones),
    TEST(features_bring_what_they_rest_on),
    TEST(the_check_asks_for_every_feature),
    TEST(nothing_unchecked_is_used),
    TEST(the_host_runs_what_is_made_for_it),
    TEST(another_system_gets_the_baseline),
    TEST(triples_are_completed),
    TEST(every_listed_system_is_a_target),
    TEST(aarch64_differs_in_products_of_bytes),
    TEST(unknown_names_are_refused),
    TEST(other_machines_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
