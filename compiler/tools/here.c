/* here.c: whether code for a target runs on this machine. */
#include "tools.h"

#include "resnetcc_rt.h"
#include <string.h>

static bool same_architecture(const char *triple, const char *other) {
  size_t n = strcspn(triple, "-");
  return n == strcspn(other, "-") && same_bytes(triple, other, n);
}

const char *why_not_here(Context *cx, const Target *t) {
  const char *host = host_triple(cx);
  if (!same_architecture(t->triple, host)) {
    return format_text(cx, "the code is for %.*s, and this machine is %.*s", (int)strcspn(t->triple, "-"), t->triple,
                       (int)strcspn(host, "-"), host);
  }
  if (rcc_cpu_check(t->cpu_bits) == RCC_OK) return NULL;
  const char *missing = rcc_cpu_missing(&(rcc_model){.target = format_text(cx, "%s %s", t->cpu, t->features)});
  return format_text(cx, "the code is for %s, and this CPU lacks %s", t->cpu, missing ? missing : "a feature of it");
}
