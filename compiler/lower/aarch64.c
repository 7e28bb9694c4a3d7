/* aarch64.c: 64-bit ARM, little endian. All have NEON: 32 registers of four floats, and multiply-adds; what differs are the products of
 * bytes. */
#include "target.h"

#include "resnetcc_rt.h"

#define V86 (RCC_CPU_DOTPROD | RCC_CPU_I8MM)

static const Feature features[] = {
  {"dotprod", RCC_CPU_DOTPROD, 0},
  {"i8mm", RCC_CPU_I8MM, RCC_CPU_DOTPROD},
};

static const Cpu cpus[] = {
  {"generic", 0, 512},
  {"cortex-a35", 0, 256},
  {"cortex-a53", 0, 256},
  {"cortex-a55", RCC_CPU_DOTPROD, 128},
  {"cortex-a57", 0, 512},
  {"cortex-a72", 0, 512},
  {"cortex-a73", 0, 512},
  {"cortex-a75", RCC_CPU_DOTPROD, 256},
  {"cortex-a76", RCC_CPU_DOTPROD, 512},
  {"cortex-a77", RCC_CPU_DOTPROD, 512},
  {"cortex-a78", RCC_CPU_DOTPROD, 512},
  {"cortex-a510", V86, 256},
  {"cortex-a710", V86, 512},
  {"cortex-a715", V86, 512},
  {"cortex-x1", RCC_CPU_DOTPROD, 1024},
  {"cortex-x2", V86, 1024},
  {"cortex-x3", V86, 1024},
  {"neoverse-n1", RCC_CPU_DOTPROD, 1024},
  {"neoverse-n2", V86, 1024},
  {"neoverse-v1", V86, 1024},
  {"neoverse-v2", V86, 2048},
  {"ampere1", RCC_CPU_DOTPROD, 2048},
  {"a64fx", 0, 512},
  {"apple-m1", RCC_CPU_DOTPROD, 4096},
  {"apple-m2", V86, 4096},
};

static void choose_vectors(Target *t) {
  t->lanes = 4;
  t->regs = 32;
  t->fma = t->by_lane = true;
}

const Architecture aarch64 = {
  .name = "aarch64", .number = RCC_ARCH_AARCH64, .least = "generic", .checked_only = true,
  .feature = features, .n_feature = COUNT(features), .cpu = cpus, .n_cpu = COUNT(cpus),
  .unchecked = "", .vectors = choose_vectors,
};
