/* target.c: what the generated code may use: an architecture, of which x86.c and aarch64.c have the tables, a system, a CPU, features. */
#include "target.h"

#include "resnetcc_rt.h"
#include <string.h>

static const Architecture *const architectures[] = {&x86_64, &aarch64};

const char *architecture_name(int i) { return (size_t)i < COUNT(architectures) ? architectures[i]->name : NULL; }

const char *cpu_name(int i) {
  for (size_t k = 0; k < COUNT(architectures); i -= (int)architectures[k++]->n_cpu)
    if ((size_t)i < architectures[k]->n_cpu) return architectures[k]->cpu[i].name;
  return NULL;
}

/* ==== processors and features ==== */

static const Cpu *find_cpu(const Architecture *a, const char *name) {
  for (size_t i = 0; i < a->n_cpu; i++) {
    if (strcmp(a->cpu[i].name, name) == 0) return &a->cpu[i];
  }
  return NULL;
}

const char *cpu_like(uint64_t bits) {
  const Architecture *a = architectures[RCC_ARCH(bits)];
  const Cpu *best = &a->cpu[0];
  for (size_t i = 1; i < a->n_cpu; i++) {
    bool has_all = (a->cpu[i].bits & ~bits) == 0;
    if (has_all && __builtin_popcountll(a->cpu[i].bits) > __builtin_popcountll(best->bits)) best = &a->cpu[i];
  }
  return best->name;
}

/* Out of L2, into which weights are fetched for others, Zen 5 has them too late: 3x3 512->512 at 7x7 took half as long again. Its
 * loads are no faster than its multiply-adds, of which wide panels have more for each. */
static void set_habits(Target *t) {
  t->wide_panels = strcmp(t->like, "znver5") == 0;
  t->fetch_level = t->wide_panels ? 1 : 2;
}

static const Feature *find_feature(const Architecture *a, const char *name, size_t length) {
  for (size_t i = 0; i < a->n_feature; i++) {
    if (strlen(a->feature[i].name) == length && same_bytes(a->feature[i].name, name, length)) return &a->feature[i];
  }
  return NULL;
}

/* `list` is "+name,-name,..."; a feature brings what it rests on and takes along what rests on it. With strict, unknown
 * names fail; LLVM's own list of the host names many that generated code never uses. */
static uint64_t change_features(Context *cx, const Architecture *a, uint64_t bits, const char *list, bool strict) {
  while (*list) {
    size_t length = strcspn(list, ",");
    const Feature *f = length > 1 ? find_feature(a, list + 1, length - 1) : NULL;
    if (strict && (!f || (list[0] != '+' && list[0] != '-'))) {
      fail(cx, "unknown feature '%.*s' in -mattr=", (int)length, list);
    }
    if (f && list[0] == '+') bits |= f->bit | f->needs;
    if (f && list[0] == '-') {
      bits &= ~f->bit;
      for (size_t i = 0; i < a->n_feature; i++) {
        if (a->feature[i].needs & f->bit) bits &= ~a->feature[i].bit;
      }
    }
    list += length + (list[length] == ',');
  }
  return bits;
}

/* Every feature by name, on or off, so that LLVM and the run-time check agree to the bit. */
char *feature_string(Context *cx, uint64_t bits) {
  const Architecture *a = architectures[RCC_ARCH(bits)];
  size_t unchecked = strlen(a->unchecked) + 1;
  char *s = alloc(cx, a->n_feature * 24 + unchecked), *p = s;
  for (size_t i = 0; i < a->n_feature; i++) {
    p += sprintf(p, "%s%c%s", i ? "," : "", bits & a->feature[i].bit ? '+' : '-', a->feature[i].name);
  }
  move_bytes(p, a->unchecked, unchecked);
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

static const Architecture *architecture_of(const char *triple) {
  for (size_t i = 0; i < COUNT(architectures); i++) {
    size_t length = strlen(architectures[i]->name);
    if (strncmp(triple, architectures[i]->name, length) == 0 && triple[length] == '-') return architectures[i];
  }
  return NULL;
}

static const char *triple_of(Context *cx, const Options *opt) {
  const char *normal = opt->triple ? normal_triple(cx, opt->triple) : host_triple(cx), *given = opt->triple ? opt->triple : normal;
  if (!architecture_of(normal)) fail(cx, "--target=%s: only x86_64 and aarch64 targets are supported", given);
  if (opt->triple && !is_supported(normal)) {
    fail(cx, "--target=%s: only 64-bit systems with ELF objects are supported, such as x86_64-linux-gnu", given);
  }
  return normal;
}

/* ==== the target ==== */

static _Noreturn void fail_unknown(Context *cx, const Architecture *a, const char *cpu) {
  if (strchr(cpu, ',')) fail(cx, "-mcpu=%s: an object is for one level; compile one for each, and link and try them all", cpu);
  for (size_t i = 0; i < COUNT(architectures); i++) {
    if (architectures[i] != a && find_cpu(architectures[i], cpu))
      fail(cx, "-mcpu=%s is no CPU of %s targets: --target=%s-linux-gnu has it", cpu, a->name, architectures[i]->name);
  }
  fail(cx, "unknown CPU '%s' in -mcpu=; --help=-mcpu lists them", cpu);
}

static uint64_t host_bits(Context *cx, const Architecture *a) {
  if (!a->checked_only) return change_features(cx, a, 0, host_features(cx), false);
  uint64_t bits = 0;
  for (size_t i = 0; i < a->n_feature; i++)
    if (rcc_cpu_check(a->number << 56 | a->feature[i].bit) == RCC_OK) bits |= a->feature[i].bit;
  return bits;
}

static void choose_cpu(Context *cx, const Options *opt, const Architecture *a, Target *t) {
  bool native = opt->cpu ? strcmp(opt->cpu, "native") == 0 : !opt->triple;
  if (native && architecture_of(host_triple(cx)) != a) fail(cx, "-mcpu=native: this machine is not of %s", a->name);
  t->cpu = native ? host_cpu(cx) : opt->cpu ? opt->cpu : a->least;
  t->native = !opt->cpu && !opt->triple;
  const Cpu *cpu = find_cpu(a, t->cpu);
  if (!cpu && !native) fail_unknown(cx, a, t->cpu);
  t->cpu_bits = cpu ? cpu->bits : 0;
  if (native && strcmp(t->cpu, a->least) != 0) t->cpu_bits = host_bits(cx, a);
  t->like = cpu ? cpu->name : cpu_like(a->number << 56 | t->cpu_bits);
  t->l2 = (cpu ? cpu->l2_kib : 512) * 1024;
  t->l1 = 32 * 1024;
  set_habits(t);
}

Target *target_new(Context *cx, const Options *opt) {
  Target *t = alloc(cx, sizeof *t);
  t->triple = triple_of(cx, opt);
  const Architecture *a = architecture_of(t->triple);
  choose_cpu(cx, opt, a, t);
  if (opt->attr) t->cpu_bits = change_features(cx, a, t->cpu_bits, opt->attr, true);
  t->cpu_bits |= a->number << 56;
  t->features = feature_string(cx, t->cpu_bits);
  t->least = a->least;
  t->tunes = a->checked_only;
  a->vectors(t);
  return t;
}

bool has_neon(const Target *t) { return RCC_ARCH(t->cpu_bits) == RCC_ARCH_AARCH64; }

int tile_pixels(const Target *t, int nb) { return t->by_lane ? (t->regs - 2) / (nb + 1) : (t->regs - 1 - nb) / nb; }

bool adds_fours(const Target *t) {
  return t->cpu_bits & (t->lanes == 16 ? RCC_CPU_AVX512VNNI : RCC_CPU_AVX512VNNI | RCC_CPU_AVXVNNI | RCC_CPU_DOTPROD);
}

bool adds_signed_fours(const Target *t) { return (t->cpu_bits & (RCC_CPU_DOTPROD | RCC_CPU_I8MM)) == RCC_CPU_DOTPROD; }

bool adds_pairs_of_bytes(const Target *t) {
  return t->cpu_bits & (t->lanes == 16 ? RCC_CPU_AVX512BW : t->lanes == 8 ? RCC_CPU_AVX2 : RCC_CPU_SSSE3);
}
