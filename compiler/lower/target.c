/* target.c: what the generated code may use. Each x86-64 CPU that LLVM knows is a row: its features decide the vector
 * length, the registers and what rcc_cpu_check asks of the machine. */
#include "lower.h"

#include "resnetcc_rt.h"
#include <string.h>

/* ==== features: LLVM's names beside the runtime's bits, and what each rests on ==== */

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

typedef struct Feature {
  const char *name;
  uint64_t bit, needs;
} Feature;

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

/* ==== processors ==== */

typedef struct Cpu {
  const char *name;
  uint64_t bits;
  int l2_kib;
} Cpu;

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

/* Out of L2, into which weights are fetched for others, Zen 5 has them too late: 3x3 512->512 at 7x7 took half as long again. */
static int fetch_level(const char *cpu) { return strcmp(cpu, "znver5") == 0 ? 1 : 2; }

const char *cpu_name(int i) { return (size_t)i < COUNT(cpus) ? cpus[i].name : NULL; }

static const Cpu *find_cpu(const char *name) {
  for (size_t i = 0; i < COUNT(cpus); i++) {
    if (strcmp(cpus[i].name, name) == 0) return &cpus[i];
  }
  return NULL;
}

const char *cpu_like(uint64_t bits) {
  const Cpu *best = &cpus[0];
  for (size_t i = 1; i < COUNT(cpus); i++) {
    bool has_all = (cpus[i].bits & ~bits) == 0;
    if (has_all && __builtin_popcountll(cpus[i].bits) > __builtin_popcountll(best->bits)) best = &cpus[i];
  }
  return best->name;
}

static const Feature *find_feature(const char *name, size_t length) {
  for (size_t i = 0; i < COUNT(features); i++) {
    if (strlen(features[i].name) == length && same_bytes(features[i].name, name, length)) return &features[i];
  }
  return NULL;
}

/* `list` is "+name,-name,..."; a feature brings what it rests on and takes along what rests on it. With strict, unknown
 * names fail; LLVM's own list of the host names many that generated code never uses. */
static uint64_t change_features(Context *cx, uint64_t bits, const char *list, bool strict) {
  while (*list) {
    size_t length = strcspn(list, ",");
    const Feature *f = length > 1 ? find_feature(list + 1, length - 1) : NULL;
    if (strict && (!f || (list[0] != '+' && list[0] != '-'))) {
      fail(cx, "unknown feature '%.*s' in -mattr=", (int)length, list);
    }
    if (f && list[0] == '+') bits |= f->bit | f->needs;
    if (f && list[0] == '-') {
      bits &= ~f->bit;
      for (size_t i = 0; i < COUNT(features); i++) {
        if (features[i].needs & f->bit) bits &= ~features[i].bit;
      }
    }
    list += length + (list[length] == ',');
  }
  return bits;
}

/* What some CPUs above have and code for them could use, but no machine is asked for. */
static const char unchecked[] = ",-fma4,-sse4a,-tbm,-xop";

/* Every feature by name, on or off, so that LLVM and the run-time check agree to the bit. */
char *feature_string(Context *cx, uint64_t bits) {
  char *s = alloc(cx, COUNT(features) * 24 + sizeof unchecked), *p = s;
  for (size_t i = 0; i < COUNT(features); i++) {
    p += sprintf(p, "%s%c%s", i ? "," : "", bits & features[i].bit ? '+' : '-', features[i].name);
  }
  memcpy(p, unchecked, sizeof unchecked);
  return s;
}

/* ==== systems ==== */

/* The part of a triple is the name, with a version perhaps. */
static bool is_part(const char *part, size_t length, const char *name) {
  size_t n = strlen(name);
  return length >= n && strncmp(part, name, n) == 0 && strspn(part + n, "0123456789.") >= length - n;
}

static bool is_one_of(const char *part, size_t length, const char *const *names, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (is_part(part, length, names[i])) return true;
  }
  return false;
}

/* `none` and `unknown` are programs without a system. */
static const char *const systems[] = {"linux", "freebsd", "netbsd", "openbsd", "dragonfly", "none", "unknown"};

const char *target_system(int i) { return (size_t)i < COUNT(systems) - 1 ? systems[i] : NULL; }

/* ELF objects and the calls of the System V ABI, with pointers of 64 bits: nothing else is generated. */
static bool is_supported(const char *normal) {
  static const char *const environments[] = {"gnu", "musl", "android", "elf", "unknown"};
  const char *vendor = strchr(normal, '-'), *system = vendor ? strchr(vendor + 1, '-') : NULL;
  if (!system) return false;
  const char *environment = strchr(++system, '-');
  if (!environment) return is_one_of(system, strlen(system), systems, COUNT(systems));
  if (!is_one_of(system, (size_t)(environment - system), systems, COUNT(systems))) return false;
  environment++;
  return is_one_of(environment, strlen(environment), environments, COUNT(environments));
}

static const char *triple_of(Context *cx, const Options *opt) {
  if (!opt->triple) return host_triple(cx);
  const char *normal = normal_triple(cx, opt->triple);
  if (strncmp(normal, "x86_64-", 7) != 0) fail(cx, "--target=%s: only x86_64 targets are supported", opt->triple);
  if (!is_supported(normal)) {
    fail(cx, "--target=%s: only 64-bit systems with ELF objects are supported, such as x86_64-linux-gnu", opt->triple);
  }
  return normal;
}

static void choose_cpu(Context *cx, const Options *opt, Target *t) {
  bool native = !opt->cpu || strcmp(opt->cpu, "native") == 0;
  if (native && opt->triple && !opt->cpu) {
    t->cpu = "x86-64";
  } else {
    t->cpu = native ? host_cpu(cx) : opt->cpu;
  }
  t->native = !opt->cpu && !opt->triple;
  const Cpu *cpu = find_cpu(t->cpu);
  if (!cpu && strchr(t->cpu, ','))
    fail(cx, "-mcpu=%s: an object is for one level; compile one for each, and link and try them all", t->cpu);
  if (!cpu && !native) fail(cx, "unknown CPU '%s' in -mcpu=; --help=-mcpu lists them", t->cpu);
  t->cpu_bits = cpu ? cpu->bits : 0;
  if (native && strcmp(t->cpu, "x86-64") != 0) t->cpu_bits = change_features(cx, 0, host_features(cx), false);
  t->like = cpu ? cpu->name : cpu_like(t->cpu_bits);
  t->l2 = (cpu ? cpu->l2_kib : 512) * 1024;
  t->l1 = 32 * 1024;
  t->fetch_level = fetch_level(t->cpu);
}

Target *target_new(Context *cx, const Options *opt) {
  Target *t = alloc(cx, sizeof *t);
  t->triple = triple_of(cx, opt);
  choose_cpu(cx, opt, t);
  if (opt->attr) t->cpu_bits = change_features(cx, t->cpu_bits, opt->attr, true);
  t->cpu_bits |= RCC_ARCH_X86_64 << 56;
  t->features = feature_string(cx, t->cpu_bits);
  uint64_t wide = RCC_CPU_AVX512F | RCC_CPU_AVX512BW | RCC_CPU_AVX512DQ | RCC_CPU_AVX512VL;
  bool avx512 = (t->cpu_bits & wide) == wide;
  t->lanes = avx512 ? 16 : t->cpu_bits & RCC_CPU_AVX ? 8 : 4;
  t->regs = avx512 ? 32 : 16;
  t->fma = t->cpu_bits & RCC_CPU_FMA;
  return t;
}

bool adds_fours(const Target *t) { return t->cpu_bits & (t->lanes == 16 ? RCC_CPU_AVX512VNNI : RCC_CPU_AVX512VNNI | RCC_CPU_AVXVNNI); }

bool adds_pairs_of_bytes(const Target *t) {
  return t->cpu_bits & (t->lanes == 16 ? RCC_CPU_AVX512BW : t->lanes == 8 ? RCC_CPU_AVX2 : RCC_CPU_SSSE3);
}
