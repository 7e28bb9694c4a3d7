/* llvm_memory.c: LLVM ends in our own line where it gets no more memory. It and the C++ library would abort with words of
 * theirs, and even then the handler of SIGABRT has the last word (main.c). What they offer against that has no C
 * interface, so the functions are looked up by the names that C++ gives them; one that is missing leaves that way to end
 * as it is. */
#include "emit.h"

#include <llvm-c/Core.h>
#include <dlfcn.h>
#include <llvm-c/ErrorHandling.h>
#include <string.h>

static void new_failed(void) { out_of_memory(); }

/* An exception that nobody catches: C++ would write of it what concerns no user. */
static void terminated(void) { memory_or_fault(); }

static void malloc_failed(void *ignored, const char *reason, bool diagnostics) {
  (void)ignored, (void)reason, (void)diagnostics;
  out_of_memory();
}

/* LLVM's own mistakes are told from a system that refuses to map memory by the text only. */
static void llvm_failed(const char *reason) {
  if (strstr(reason, "memory") || strstr(reason, "alloc")) out_of_memory();
  internal_error("LLVM: %s", reason);
}

void object_watch_memory(void) {
  static bool done;
  void (*(*set_new_handler)(void (*)(void)))(void);
  void (*(*set_terminate)(void (*)(void)))(void);
  void (*install)(void (*)(void *, const char *, bool), void *);
  if (done) return;
  done = true;
  *(void **)&set_new_handler = dlsym(RTLD_DEFAULT, "_ZSt15set_new_handlerPFvvE");
  *(void **)&set_terminate = dlsym(RTLD_DEFAULT, "_ZSt13set_terminatePFvvE");
  *(void **)&install = dlsym(RTLD_DEFAULT, "_ZN4llvm31install_bad_alloc_error_handlerEPFvPvPKcbES0_");
  if (set_new_handler) set_new_handler(new_failed);
  if (set_terminate) set_terminate(terminated);
  if (install) install(malloc_failed, NULL);
  LLVMInstallFatalErrorHandler(llvm_failed);
}

/* LLVM's libraries take memory before main begins. Sanitizers set themselves up there, and fail in their own way. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = object_watch_memory;
#endif
