/* debug.c: line tables in DWARF. Debuggers and profilers so tell which node of the model an instruction computes. A layer has
 * the name and the number of its node; a kernel, which serves several layers, has none of its own. */
#include "emit.h"

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <string.h>

static void add_flag(Emit *e, const char *name, unsigned value) {
  LLVMMetadataRef number = LLVMValueAsMetadata(const_i32(e, (int32_t)value));
  LLVMAddModuleFlag(e->m, LLVMModuleFlagBehaviorWarning, name, strlen(name), number);
}

/* The same each time. */
static LLVMMetadataRef model_file(Emit *e) {
  const char *file = path_base(e->build->options->input);
  return LLVMDIBuilderCreateFile(e->lines, file, strlen(file), ".", 1);
}

void debug_begin(Emit *e) {
  enum { DWARF = 4 /* what all debuggers in use read */ };
  static const char producer[] = "resnetcc " RESNETCC_VERSION;
  if (!e->build->options->debug) return;
  add_flag(e, "Debug Info Version", LLVMDebugMetadataVersion());
  add_flag(e, "Dwarf Version", DWARF);
  e->lines = LLVMCreateDIBuilder(e->m);
  LLVMDIBuilderCreateCompileUnit(e->lines, LLVMDWARFSourceLanguageC99, model_file(e), producer, strlen(producer), 1, "", 0, 0, "", 0,
                                 LLVMDWARFEmissionFull, 0, 0, 0, "", 0, "", 0);
}

/* Passes make nodes of a node and put a dot and a word behind its name. 0: it is not in the file. */
static unsigned line_of(Emit *e, const Node *n) {
  char *name = copy_text(e->g->cx, n->name);
  for (;;) {
    const int *number = map_get(&e->g->node_number, name);
    if (number) return (unsigned)*number;
    char *dot = strrchr(name, '.');
    if (!dot) return 0;
    *dot = '\0';
  }
}

/* Debuggers prefer the name of the linker's symbol, where there is one as well. */
void debug_enter(Emit *e, Ref fn, const Node *n) {
  if (!e->lines) return;
  size_t length;
  const char *symbol = LLVMGetValueName2(fn, &length);
  const char *name = n ? format_text(e->g->cx, "%s (%s)", n->name, op_info[n->op].name) : symbol;
  unsigned line = n ? line_of(e, n) : 0;
  LLVMMetadataRef file = model_file(e), type = LLVMDIBuilderCreateSubroutineType(e->lines, file, NULL, 0, LLVMDIFlagZero);
  LLVMMetadataRef entry = LLVMDIBuilderCreateFunction(e->lines, file, name, strlen(name), "", 0, file, line, type, 1, 1, line,
                                                      LLVMDIFlagZero, 1);
  LLVMSetSubprogram(fn, entry);
  LLVMSetCurrentDebugLocation2(e->b, LLVMDIBuilderCreateDebugLocation(e->c, line, 0, entry, NULL));
}

LLVMMetadataRef debug_switch(Emit *e, LLVMMetadataRef line) {
  if (!e->lines) return NULL;
  LLVMMetadataRef old = LLVMGetCurrentDebugLocation2(e->b);
  LLVMSetCurrentDebugLocation2(e->b, line);
  return old;
}

void debug_end(Emit *e) {
  if (!e->lines) return;
  LLVMDIBuilderFinalize(e->lines);
  LLVMDisposeDIBuilder(e->lines);
  e->lines = NULL;
}
