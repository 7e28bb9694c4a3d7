/* peak: the multiply-add peak of one core, in GFLOP/s, with the widest vectors the CPU has: in fp32, or with a second argument
 * "int8" of 8-bit integers. Enough independent chains run in registers to hide the latency of a multiply-add; nothing touches
 * memory. The best of `argv[1]` rounds (5) of some tens of milliseconds is printed, a multiply-add counting as two operations. */
#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 1 << 23, CHAINS_512 = 24, CHAINS_256 = 12 };

/* One round; the asm keeps each accumulator in a register and its chain alive. */
#define ROUND(function, isa, Vector, CHAINS)                                       \
  __attribute__((target(isa))) static double function(void) {                      \
    Vector acc[CHAINS] = {0}, x = (Vector){0} + 0.999f, y = (Vector){0} + 1e-3f;   \
    double start = seconds();                                                      \
    for (int step = 0; step < STEPS; step++)                                       \
      _Pragma("GCC unroll 24") for (int i = 0; i < CHAINS; i++) {                  \
        acc[i] = acc[i] * x + y;                                                   \
        __asm__ volatile("" : "+v"(acc[i]));                                       \
      }                                                                            \
    double flop = 2.0 * STEPS * CHAINS * (sizeof(Vector) / sizeof(float));         \
    return flop / (seconds() - start) * 1e-9;                                      \
  }
ROUND(round_512, "avx512f,avx512vl,fma,prefer-vector-width=512", Vector512, CHAINS_512)
ROUND(round_256, "avx2,fma", Vector256, CHAINS_256)

/* The same of four products of 8-bit integers for each 32 bits, by vpdpbusd where there is one, or in two steps. */
#define ROUND_INT8(function, isa, Vector, CHAINS, STEP)                            \
  __attribute__((target(isa))) static double function(void) {                      \
    Vector acc[CHAINS] = {0}, x = (Vector){0} + 3, y = (Vector){0} + 5, t;         \
    double start = seconds();                                                      \
    for (int step = 0; step < STEPS; step++)                                       \
      _Pragma("GCC unroll 24") for (int i = 0; i < CHAINS; i++) {                  \
        __asm__ volatile(STEP : "+v"(acc[i]), "=&v"(t) : "v"(x), "v"(y));          \
      }                                                                            \
    double flop = 2.0 * STEPS * CHAINS * sizeof(Vector);                           \
    return flop / (seconds() - start) * 1e-9;                                      \
  }
ROUND_INT8(vnni_512, "avx512f,avx512vnni", Vector512, CHAINS_512, "vpdpbusd %3, %2, %0")
ROUND_INT8(vnni_256, "avx2,avxvnni", Vector256, CHAINS_256, "%{vex%} vpdpbusd %3, %2, %0")
ROUND_INT8(pairs_256, "avx2", Vector256, CHAINS_256, "vpmaddubsw %3, %2, %1\n\tvpaddd %1, %0, %0")

static double (*int8_round(void))(void) {
  if (__builtin_cpu_supports("avx512vnni")) return vnni_512;
  if (__builtin_cpu_supports("avxvnni")) return vnni_256;
  return __builtin_cpu_supports("avx2") ? pairs_256 : NULL;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 5;
  double (*run)(void) = NULL;
  if (argc > 2 && strcmp(argv[2], "int8") == 0)
    run = int8_round();
  else if (__builtin_cpu_supports("avx512vl"))
    run = round_512;
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    run = round_256;
  if (!run) {
    fprintf(stderr, "peak: this CPU has neither AVX-512 nor AVX2 with FMA\n");
    return EXIT_FAILURE;
  }
  double best = 0;
  for (int i = 0; i < rounds; i++) {
    double rate = run();
    best = rate > best ? rate : best;
  }
  printf("%.1f %s\n", best, run == round_512 || run == vnni_512 ? "AVX-512" : "AVX2");
  return EXIT_SUCCESS;
}
