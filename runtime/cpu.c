/* cpu.c: which instructions may be used: those that the CPU has and whose registers the system saves. */
#include "resnetcc_rt.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#elif defined __linux__
#include <sys/auxv.h>
#endif

#ifdef __x86_64__

#define OWN_ARCH RCC_ARCH_X86_64

/* Where CPUID reports a feature, and the bits of XCR0 that the system must have set for its registers
 * (Intel SDM, volume 1, chapter 13). */
enum { EAX, EBX, ECX, EDX };
enum { X_NONE = 0, X_AVX = 0x6, X_AVX512 = 0xe6, X_AMX = 0x60000 };

static const struct Feature {
  const char *name; /* LLVM's */
  uint64_t feature;
  uint32_t leaf;
  uint8_t subleaf, reg, bit;
  uint32_t state;
} all_features[] = {
  {"sse3", RCC_CPU_SSE3, 1, 0, ECX, 0, X_NONE},
  {"ssse3", RCC_CPU_SSSE3, 1, 0, ECX, 9, X_NONE},
  {"sse4.1", RCC_CPU_SSE41, 1, 0, ECX, 19, X_NONE},
  {"sse4.2", RCC_CPU_SSE42, 1, 0, ECX, 20, X_NONE},
  {"popcnt", RCC_CPU_POPCNT, 1, 0, ECX, 23, X_NONE},
  {"movbe", RCC_CPU_MOVBE, 1, 0, ECX, 22, X_NONE},
  {"lzcnt", RCC_CPU_LZCNT, 0x80000001, 0, ECX, 5, X_NONE},
  {"bmi", RCC_CPU_BMI, 7, 0, EBX, 3, X_NONE},
  {"bmi2", RCC_CPU_BMI2, 7, 0, EBX, 8, X_NONE},
  {"gfni", RCC_CPU_GFNI, 7, 0, ECX, 8, X_NONE},
  {"avx", RCC_CPU_AVX, 1, 0, ECX, 28, X_AVX},
  {"f16c", RCC_CPU_F16C, 1, 0, ECX, 29, X_AVX},
  {"fma", RCC_CPU_FMA, 1, 0, ECX, 12, X_AVX},
  {"avx2", RCC_CPU_AVX2, 7, 0, EBX, 5, X_AVX},
  {"avxvnni", RCC_CPU_AVXVNNI, 7, 1, EAX, 4, X_AVX},
  {"avx512f", RCC_CPU_AVX512F, 7, 0, EBX, 16, X_AVX512},
  {"avx512dq", RCC_CPU_AVX512DQ, 7, 0, EBX, 17, X_AVX512},
  {"avx512ifma", RCC_CPU_AVX512IFMA, 7, 0, EBX, 21, X_AVX512},
  {"avx512cd", RCC_CPU_AVX512CD, 7, 0, EBX, 28, X_AVX512},
  {"avx512bw", RCC_CPU_AVX512BW, 7, 0, EBX, 30, X_AVX512},
  {"avx512vl", RCC_CPU_AVX512VL, 7, 0, EBX, 31, X_AVX512},
  {"avx512vbmi", RCC_CPU_AVX512VBMI, 7, 0, ECX, 1, X_AVX512},
  {"avx512vbmi2", RCC_CPU_AVX512VBMI2, 7, 0, ECX, 6, X_AVX512},
  {"avx512vnni", RCC_CPU_AVX512VNNI, 7, 0, ECX, 11, X_AVX512},
  {"avx512bitalg", RCC_CPU_AVX512BITALG, 7, 0, ECX, 12, X_AVX512},
  {"avx512vpopcntdq", RCC_CPU_AVX512VPOPCNTDQ, 7, 0, ECX, 14, X_AVX512},
  {"avx512fp16", RCC_CPU_AVX512FP16, 7, 0, EDX, 23, X_AVX512},
  {"avx512bf16", RCC_CPU_AVX512BF16, 7, 1, EAX, 5, X_AVX512},
  {"amx-bf16", RCC_CPU_AMX_BF16, 7, 0, EDX, 22, X_AMX},
  {"amx-tile", RCC_CPU_AMX_TILE, 7, 0, EDX, 24, X_AMX},
  {"amx-int8", RCC_CPU_AMX_INT8, 7, 0, EDX, 25, X_AMX},
};

/* XCR0; 0 where the system has not enabled XSAVE and the instruction would fault. */
static uint64_t enabled_state(void) {
  uint32_t r[4] = { 0 };
  if (!__get_cpuid(1, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) || !(r[ECX] >> 27 & 1)) return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static bool has(const struct Feature *f, uint64_t state) {
  uint32_t r[4] = { 0 };
  if ((state & f->state) != f->state) return false;
  /* Fails, leaving zeros, where the CPU has no such leaf. */
  __get_cpuid_count(f->leaf, f->subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX]);
  return r[f->reg] >> f->bit & 1;
}

/* A program may use tiles when it has asked the system for their state, once for all of its threads. */
static bool tiles_are_allowed(void) {
#ifdef __linux__
  enum { ARCH_PRCTL = 158, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  static _Atomic int cache; /* 1: yes, 2: no */
  int known = atomic_load_explicit(&cache, memory_order_relaxed);
  if (!known) {
    long result = ARCH_PRCTL;
    __asm__ volatile("syscall" : "+a"(result) : "D"((long)REQUEST_PERMISSION), "S"((long)TILE_DATA) : "rcx", "r11", "memory");
    known = result == 0 ? 1 : 2;
    atomic_store_explicit(&cache, known, memory_order_relaxed);
  }
  return known == 1;
#else
  return true;
#endif
}

static bool state_is_allowed(uint64_t features) { return !(features & RCC_CPU_AMX_TILE) || tiles_are_allowed(); }

#elif defined __aarch64__

#define OWN_ARCH RCC_ARCH_AARCH64

/* The word of Linux that reports a feature: AT_HWCAP or AT_HWCAP2. Other systems are not asked, and have none. */
enum { HWCAP = 16, HWCAP2 = 26 };

static const struct Feature {
  const char *name; /* LLVM's */
  uint64_t feature;
  uint8_t word, bit;
} all_features[] = {
  {"dotprod", RCC_CPU_DOTPROD, HWCAP, 20},
  {"i8mm", RCC_CPU_I8MM, HWCAP2, 13},
};

static uint64_t enabled_state(void) { return 0; }

static bool has(const struct Feature *f, uint64_t state) {
  (void)state;
#ifdef __linux__
  return getauxval(f->word) >> f->bit & 1;
#else
  (void)f;
  return false;
#endif
}

static bool state_is_allowed(uint64_t features) {
  (void)features;
  return true;
}

#else
#error resnetcc_rt is for x86-64 and aarch64
#endif

static uint64_t find_features(void) {
  uint64_t state = enabled_state(), found = 0;
  for (size_t i = 0; i < sizeof all_features / sizeof *all_features; i++)
    if (has(&all_features[i], state)) found |= all_features[i].feature;
  return found;
}

int rcc_cpu_check(uint64_t features) {
  /* Found once; threads that race find the same, so no order is needed. */
  static _Atomic uint64_t cache;
  const uint64_t known = UINT64_C(1) << 63; /* no feature: the top byte is the architecture's */
  if (RCC_ARCH(features) != OWN_ARCH) return RCC_ERR_CPU;
  uint64_t found = atomic_load_explicit(&cache, memory_order_relaxed);
  if (!found) {
    found = find_features() | OWN_ARCH << 56 | known;
    atomic_store_explicit(&cache, found, memory_order_relaxed);
  }
  if (features & ~found) return RCC_ERR_CPU;
  return state_is_allowed(features) ? RCC_OK : RCC_ERR_CPU;
}

/* Its name; NULL: it is here. `name` has n characters. */
static const char *missing_feature(const char *name, size_t n) {
  for (size_t i = 0; i < sizeof all_features / sizeof *all_features; i++) {
    const struct Feature *f = &all_features[i];
    if (strlen(f->name) == n && strncmp(f->name, name, n) == 0) return rcc_cpu_check(OWN_ARCH << 56 | f->feature) ? f->name : NULL;
  }
  return "a feature that this resnetcc_rt does not know";
}

const char *rcc_cpu_missing(const rcc_model *m) {
  const char *p = strchr(m->target, ' '); /* CPU +a,-b,... */
  while (p) {
    const char *name = p + 2, *missing = NULL;
    if (p[1] == '+') missing = missing_feature(name, strcspn(name, ","));
    if (missing) return missing;
    p = strchr(p + 1, ',');
  }
  return NULL;
}
