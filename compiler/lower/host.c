/* host.c: the machine that the compiler runs on, as LLVM sees it. The CPU's name alone would claim features that a
 * hypervisor masks, so the features are asked for as well. */
#include "lower.h"

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <string.h>

static char *keep(Context *cx, char *message) {
  if (!message) out_of_memory();
  char *copy = copy_text(cx, message);
  LLVMDisposeMessage(message);
  return copy;
}

Version llvm_version(void) {
  Version v;
  LLVMGetVersion(&v.major, &v.minor, &v.patch);
  return v;
}

char *host_triple(Context *cx) { return keep(cx, LLVMGetDefaultTargetTriple()); }

/* LLVM takes a lone `none` for the vendor. */
char *normal_triple(Context *cx, const char *triple) {
  const char *dash = strchr(triple, '-');
  bool lone = dash && strcmp(dash, "-none") == 0;
  return keep(cx, LLVMNormalizeTargetTriple(lone ? format_text(cx, "%.*s-unknown-none", (int)(dash - triple), triple) : triple));
}

char *host_cpu(Context *cx) { return keep(cx, LLVMGetHostCPUName()); }
char *host_features(Context *cx) { return keep(cx, LLVMGetHostCPUFeatures()); }
