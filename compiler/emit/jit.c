/* jit.c: an emitted object in this process, by LLVM's LLJIT: tests need no linker. */
#include "emit.h"

#include "resnetcc_rt.h"
#include <llvm-c/Core.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>
#include <stdlib.h>
#include <string.h>

struct Jit {
  LLVMOrcLLJITRef lljit;
  const rcc_model *model;
};

void jit_close(Jit *j) {
  if (j->lljit) LLVMConsumeError(LLVMOrcDisposeLLJIT(j->lljit));
  j->lljit = NULL;
}

static void end_jit(void *j) { jit_close(j); }

static void check(Context *cx, Jit *j, LLVMErrorRef error) {
  if (!error) return;
  char *why = LLVMGetErrorMessage(error), text[300];
  snprintf(text, sizeof text, "%s", why);
  LLVMDisposeErrorMessage(why);
  jit_close(j);
  fail(cx, "the object does not load: %s", text);
}

/* All that an object may ask for, by address: a program needs no dynamic symbol table, and an object that
 * asks for more does not load. */
static LLVMOrcMaterializationUnitRef allowed_symbols(LLVMOrcLLJITRef lljit) {
  const struct Allowed {
    const char *name;
    uintptr_t address;
  } allowed[] = {
    {"rcc_cpu_check", (uintptr_t)rcc_cpu_check},
    {"memcpy", (uintptr_t)memcpy},
    {"memset", (uintptr_t)memset},
  };
  const LLVMJITSymbolFlags flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0};
  LLVMOrcCSymbolMapPair pairs[COUNT(allowed)];
  for (size_t i = 0; i < COUNT(allowed); i++) {
    pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, allowed[i].name);
    pairs[i].Sym.Address = allowed[i].address;
    pairs[i].Sym.Flags = flags;
  }
  return LLVMOrcAbsoluteSymbols(pairs, COUNT(allowed));
}

/* The two parts of the object as one piece, which lives in the arena like the Jit. */
static LLVMMemoryBufferRef joined(Context *cx, const Object *o) {
  char *bytes = alloc(cx, o->size + o->tail_size);
  move_bytes(bytes, o->data, o->size);
  move_bytes(bytes + o->size, o->tail, o->tail_size);
  return LLVMCreateMemoryBufferWithMemoryRange(bytes, o->size + o->tail_size, "object", 0);
}

Jit *jit_load(Context *cx, const Object *o) {
  Jit *j = alloc(cx, sizeof *j);
  object_targets();
  arena_at_end(cx, end_jit, j);
  check(cx, j, LLVMOrcCreateLLJIT(&j->lljit, NULL));
  LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(j->lljit);
  check(cx, j, LLVMOrcJITDylibDefine(library, allowed_symbols(j->lljit)));
  check(cx, j, LLVMOrcLLJITAddObjectFile(j->lljit, library, joined(cx, o)));
  return j;
}

void *jit_symbol(Context *cx, Jit *j, const char *name) {
  LLVMOrcExecutorAddress address;
  check(cx, j, LLVMOrcLLJITLookup(j->lljit, &address, name));
  return (void *)(uintptr_t)address;
}

Jit *jit_open(Context *cx, const char *name, const Object *o) {
  Jit *j = jit_load(cx, o);
  j->model = jit_symbol(cx, j, format_text(cx, "%s_model", name));
  return j;
}

const rcc_model *jit_model(const Jit *j) {
  return j->model;
}
