/* target.h: what is known of an architecture, as tables, for target.c. */
#ifndef LOWER_TARGET_H
#define LOWER_TARGET_H
#include "lower.h"

/* LLVM's name beside the runtime's bit, and what it rests on. */
typedef struct Feature { const char *name; uint64_t bit, needs; } Feature;

typedef struct Cpu {
  const char *name;
  uint64_t bits;
  int l2_kib;
} Cpu;

typedef struct Architecture {
  const char *name;       /* as triples begin */
  uint64_t number;        /* RCC_ARCH_* */
  const char *least;      /* the CPU that has what all have */
  bool checked_only;      /* of a CPU LLVM is told the features above alone: it knows of more, which no machine is asked for */
  const Feature *feature; /* all that code may need */
  size_t n_feature;
  const Cpu *cpu;
  size_t n_cpu;
  const char *unchecked;  /* what some CPUs above have and code for them could use, but no machine is asked for: ",-name..." */
  void (*vectors)(Target *t); /* sets those fields from cpu_bits */
} Architecture;

extern const Architecture x86_64, aarch64;
#endif
