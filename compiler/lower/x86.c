/* x86.c: x86-64. Each CPU that LLVM knows is a row: its features decide the vector length, the registers and what rcc_cpu_check asks
 * of the machine. */
#include "target.h"

#include "resnetcc_rt.h"

#define SSE42 (RCC_CPU_SSE3 | RCC_CPU_SSSE3 | RCC_CPU_SSE41 | RCC_CPU_SSE42)
#define V2 (SSE42 | RCC_CPU_POPCNT)
#define V3 (V2 | RCC_CPU_AVX | RCC_CPU_AVX2 | RCC_CPU_BMI | RCC_CPU_BMI2 | RCC_CPU_F16C | RCC_CPU_FMA | RCC_CPU_LZCNT | \
            RCC_CPU_MOVBE)
#define V4 (V3 | RCC_CPU_AVX512F | RCC_CPU_AVX512BW | RCC_CPU_AVX512CD | RCC_CPU_AVX512DQ | RCC_CPU_AVX512VL)
#define ICELAKE (V4 | RCC_CPU_AVX512VNNI | RCC_CPU_AVX512VBMI | RCC_CPU_AVX512VBMI2 | RCC_CPU_AVX512BITALG | \
                 RCC_CPU_AVX512VPOPCNTDQ | RCC_CPU_AVX512IFMA | RCC_CPU_GFNI)
#define SAPPHIRE (ICELAKE | RCC_CPU_AVXVNNI | RCC_CPU_AVX512BF16 | RCC_CPU_AVX512FP16 | RCC_CPU_AMX_TILE | \
                  RCC_CPU_AMX_INT8 | RCC_CPU_AMX_BF16)
#define ALDER (V3 | RCC_CPU_AVXVNNI | RCC_CPU_GFNI)
#define AVX_BASE (SSE42 | RCC_CPU_AVX)
#define AVX512_BASE (AVX_BASE | RCC_CPU_AVX2 | RCC_CPU_FMA | RCC_CPU_F16C | RCC_CPU_AVX512F)

static const Feature features[] = {
  {"sse3", RCC_CPU_SSE3, 0},
  {"ssse3", RCC_CPU_SSSE3, RCC_CPU_SSE3},
  {"sse4.1", RCC_CPU_SSE41, RCC_CPU_SSE3 | RCC_CPU_SSSE3},
  {"sse4.2", RCC_CPU_SSE42, SSE42},
  {"popcnt", RCC_CPU_POPCNT, 0},
  {"movbe", RCC_CPU_MOVBE, 0},
  {"lzcnt", RCC_CPU_LZCNT, 0},
  {"bmi", RCC_CPU_BMI, 0},
  {"bmi2", RCC_CPU_BMI2, 0},
  {"avx", RCC_CPU_AVX, SSE42},
  {"f16c", RCC_CPU_F16C, AVX_BASE},
  {"fma", RCC_CPU_FMA, AVX_BASE},
  {"avx2", RCC_CPU_AVX2, AVX_BASE},
  {"avxvnni", RCC_CPU_AVXVNNI, AVX_BASE | RCC_CPU_AVX2},
  {"gfni", RCC_CPU_GFNI, SSE42},
  {"avx512f", RCC_CPU_AVX512F, AVX512_BASE},
  {"avx512cd", RCC_CPU_AVX512CD, AVX512_BASE},
  {"avx512bw", RCC_CPU_AVX512BW, AVX512_BASE},
  {"avx512dq", RCC_CPU_AVX512DQ, AVX512_BASE},
  {"avx512vl", RCC_CPU_AVX512VL, AVX512_BASE},
  {"avx512vnni", RCC_CPU_AVX512VNNI, AVX512_BASE},
  {"avx512vbmi", RCC_CPU_AVX512VBMI, AVX512_BASE | RCC_CPU_AVX512BW},
  {"avx512vbmi2", RCC_CPU_AVX512VBMI2, AVX512_BASE | RCC_CPU_AVX512BW},
  {"avx512bitalg", RCC_CPU_AVX512BITALG, AVX512_BASE | RCC_CPU_AVX512BW},
  {"avx512vpopcntdq", RCC_CPU_AVX512VPOPCNTDQ, AVX512_BASE},
  {"avx512ifma", RCC_CPU_AVX512IFMA, AVX512_BASE},
  {"avx512bf16", RCC_CPU_AVX512BF16, AVX512_BASE | RCC_CPU_AVX512BW},
  {"avx512fp16", RCC_CPU_AVX512FP16, AVX512_BASE | RCC_CPU_AVX512BW | RCC_CPU_AVX512DQ | RCC_CPU_AVX512VL},
  {"amx-tile", RCC_CPU_AMX_TILE, 0},
  {"amx-int8", RCC_CPU_AMX_INT8, RCC_CPU_AMX_TILE},
  {"amx-bf16", RCC_CPU_AMX_BF16, RCC_CPU_AMX_TILE},
};

static const Cpu cpus[] = {
  {"x86-64", 0, 256},
  {"x86-64-v2", V2, 256},
  {"x86-64-v3", V3, 512},
  {"x86-64-v4", V4, 1024},
  {"core2", RCC_CPU_SSE3 | RCC_CPU_SSSE3, 1024},
  {"penryn", RCC_CPU_SSE3 | RCC_CPU_SSSE3 | RCC_CPU_SSE41, 1024},
  {"nehalem", V2, 256},
  {"westmere", V2, 256},
  {"silvermont", V2 | RCC_CPU_MOVBE, 512},
  {"goldmont", V2 | RCC_CPU_MOVBE, 1024},
  {"tremont", V2 | RCC_CPU_MOVBE | RCC_CPU_GFNI, 1024},
  {"sandybridge", V2 | RCC_CPU_AVX, 256},
  {"ivybridge", V2 | RCC_CPU_AVX | RCC_CPU_F16C, 256},
  {"haswell", V3, 256},
  {"broadwell", V3, 256},
  {"skylake", V3, 256},
  {"skylake-avx512", V4, 1024},
  {"cascadelake", V4 | RCC_CPU_AVX512VNNI, 1024},
  {"cooperlake", V4 | RCC_CPU_AVX512VNNI | RCC_CPU_AVX512BF16, 1024},
  {"cannonlake", V4 | RCC_CPU_AVX512IFMA | RCC_CPU_AVX512VBMI, 256},
  {"icelake-client", ICELAKE, 512},
  {"icelake-server", ICELAKE, 1280},
  {"tigerlake", ICELAKE, 1280},
  {"rocketlake", ICELAKE, 512},
  {"sapphirerapids", SAPPHIRE, 2048},
  {"emeraldrapids", SAPPHIRE, 2048},
  {"graniterapids", SAPPHIRE, 2048},
  {"alderlake", ALDER, 1280},
  {"raptorlake", ALDER, 2048},
  {"meteorlake", ALDER, 2048},
  {"arrowlake", ALDER, 2048},
  {"lunarlake", ALDER, 2048},
  {"gracemont", ALDER, 2048},
  {"sierraforest", ALDER, 2048},
  {"k8", 0, 512},
  {"amdfam10", RCC_CPU_SSE3 | RCC_CPU_POPCNT | RCC_CPU_LZCNT, 512},
  {"btver2", V2 | RCC_CPU_AVX | RCC_CPU_BMI | RCC_CPU_F16C | RCC_CPU_LZCNT | RCC_CPU_MOVBE, 1024},
  {"bdver2", V2 | RCC_CPU_AVX | RCC_CPU_BMI | RCC_CPU_F16C | RCC_CPU_LZCNT | RCC_CPU_FMA, 1024},
  {"bdver4", V3, 1024},
  {"znver1", V3, 512},
  {"znver2", V3, 512},
  {"znver3", V3, 512},
  {"znver4", (ICELAKE | RCC_CPU_AVX512BF16), 1024},
  {"znver5", (ICELAKE | RCC_CPU_AVX512BF16 | RCC_CPU_AVXVNNI), 1024},
};

static void choose_vectors(Target *t) {
  uint64_t wide = RCC_CPU_AVX512F | RCC_CPU_AVX512BW | RCC_CPU_AVX512DQ | RCC_CPU_AVX512VL;
  bool avx512 = (t->cpu_bits & wide) == wide;
  t->lanes = avx512 ? 16 : t->cpu_bits & RCC_CPU_AVX ? 8 : 4;
  t->regs = avx512 ? 32 : 16;
  t->fma = t->cpu_bits & RCC_CPU_FMA;
}

const Architecture x86_64 = {
  .name = "x86_64", .number = RCC_ARCH_X86_64, .least = "x86-64",
  .feature = features, .n_feature = COUNT(features), .cpu = cpus, .n_cpu = COUNT(cpus),
  .unchecked = ",-fma4,-sse4a,-tbm,-xop", .vectors = choose_vectors,
};
