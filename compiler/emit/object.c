/* object.c: from the graph to LLVM's module, from the module to the bytes of an object file. */
#include "emit.h"

#include <llvm-c/Core.h>
#include <elf.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <llvm/Config/llvm-config.h>
#include <stdlib.h>
#include <string.h>

/* ==== set-up ==== */

/* LLVM's parts for both architectures; each may be asked for again. */
void object_targets(void) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser();
  LLVMInitializeAArch64TargetInfo();
  LLVMInitializeAArch64Target();
  LLVMInitializeAArch64TargetMC();
  LLVMInitializeAArch64AsmPrinter();
  LLVMInitializeAArch64AsmParser();
}

/* Once: LLVM's options and targets belong to the process. Loop strength reduction takes a third of the
 * code generator's time, which the kernels, whose addresses are constants beside few pointers, do not give
 * back. The machine scheduler is off because it moves the kernels' loads ahead of products that they wait for
 * anyway, until a tile that fills the registers spills. */
void object_prepare(void) {
  static bool done;
  if (done) return;
  done = true;
  LLVMParseCommandLineOptions(3, (const char *const[]){"resnetcc", "-disable-lsr", "-enable-misched=false"},
                              NULL);
  object_targets();
}

static LLVMTargetMachineRef machine_new(const Target *t) {
  object_prepare();
  LLVMTargetRef target;
  char *why;
  if (LLVMGetTargetFromTriple(t->triple, &target, &why)) internal_error("target: %s", why);
  return LLVMCreateTargetMachine(target, t->triple, t->tunes ? t->least : t->cpu, t->features, LLVMCodeGenLevelDefault,
                                 LLVMRelocPIC, LLVMCodeModelDefault);
}

static void set_types(Emit *e) {
  e->void_ = LLVMVoidTypeInContext(e->c);
  e->i1 = LLVMInt1TypeInContext(e->c);
  e->i8 = LLVMInt8TypeInContext(e->c);
  e->i16 = LLVMInt16TypeInContext(e->c);
  e->i32 = LLVMInt32TypeInContext(e->c);
  e->i64 = LLVMInt64TypeInContext(e->c);
  e->f32 = LLVMFloatTypeInContext(e->c);
  e->f64 = LLVMDoubleTypeInContext(e->c);
  e->ptr = LLVMPointerTypeInContext(e->c, 0);
  e->vec = vec_of(e->f32, e->lanes);
}

/* Intel's control-flow enforcement: what is called by its address begins with endbr64, and a note says that the system may
 * insist on that in a program all of whose objects say so. */
static void enforce_control_flow(Emit *e) {
  static const char *const flags[] = {"cf-protection-branch", "cf-protection-return"};
  LLVMMetadataRef on = LLVMValueAsMetadata(const_i32(e, 1));
  for (size_t i = 0; i < COUNT(flags); i++) {
    LLVMAddModuleFlag(e->m, LLVMModuleFlagBehaviorOverride, flags[i], strlen(flags[i]), on);
  }
}

static void emit_open(Emit *e, Build *b, LLVMTargetMachineRef machine) {
  int lanes = b->target->lanes;
  *e = (Emit){.build = b, .g = b->graph, .t = b->target, .lanes = lanes, .vec_bytes = lanes * F32_BYTES,
              .c = LLVMContextCreate()};
  e->m = LLVMModuleCreateWithNameInContext(b->graph->name, e->c);
  e->b = LLVMCreateBuilderInContext(e->c);
  set_types(e);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
  LLVMSetModuleDataLayout(e->m, layout);
  LLVMDisposeTargetData(layout);
  LLVMSetTarget(e->m, b->target->triple);
  if (!has_neon(e->t)) enforce_control_flow(e);
}

static void emit_close(Emit *e) {
  buffer_free(&e->key);
  LLVMDisposeMemoryBuffer(e->output);
  debug_end(e);
  LLVMDisposeBuilder(e->b);
  LLVMDisposeModule(e->m);
  LLVMContextDispose(e->c);
}

/* ==== LLVM's passes ==== */

/* Instcombine may stop short of a fixpoint; from 18 on it aborts then unless told otherwise. */
#if LLVM_VERSION_MAJOR >= 18
#define INSTCOMBINE "instcombine<no-verify-fixpoint>"
#else
#define INSTCOMBINE "instcombine"
#endif

/* The loops come vectorised and unrolled as they should stay: this list has nothing that would do it
 * again. More passes (gvn, dse, a second instcombine) made ResNet-50 no faster and its compilation a sixth
 * slower. */
static const char pipeline[] =
  "function(early-cse<memssa>," INSTCOMBINE ",simplifycfg,loop-mssa(licm)),globaldce";

static void optimise(Emit *e, LLVMTargetMachineRef machine) {
  char *why;
  if (LLVMVerifyModule(e->m, LLVMReturnStatusAction, &why)) internal_error("generated code: %s", why);
  LLVMDisposeMessage(why);
  LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
  LLVMErrorRef error = LLVMRunPasses(e->m, pipeline, machine, options);
  if (error) internal_error("LLVM's passes: %s", LLVMGetErrorMessage(error));
  LLVMDisposePassBuilderOptions(options);
}

/* ==== weights ==== The module only declares them, so LLVM can't mistake a place holder's bytes for
 * theirs, and a hundred megabytes of constants do not pass through it. In an object file they are a
 * section whose header is changed afterwards to say that it lies behind everything else; text gets the
 * bytes as they are. */

static const char *section_name(const Build *b) {
  return b->options->weights_section ? b->options->weights_section : ".rodata.rcc_weights";
}

enum { LINE = 64 };
/* Code reaches its data by signed 32-bit distances; a part of that is left to the rest of the program. */
static const int64_t max_weights = INT64_C(0x78000000);

static void define_weights_section(Emit *e) {
  const char *text = format_text(e->g->cx, ".section %s,\"a\",@progbits\n.p2align 6\n%s:\n.zero 64\n",
                                 section_name(e->build), local_name(e, "weights"));
  LLVMAppendModuleInlineAsm(e->m, text, strlen(text));
}

static void define_weights_bytes(Emit *e) {
  const Build *b = e->build;
  if (weights_are_input(b)) return;
  e->weights = LLVMGetNamedGlobal(e->m, local_name(e, "weights"));
  if (!e->weights) return; /* nothing reads them, and LLVM has dropped the declaration */
  LLVMSetInitializer(e->weights,
                     LLVMConstStringInContext(e->c, (const char *)b->weights, (unsigned)b->weights_size, 1));
  LLVMSetVisibility(e->weights, LLVMDefaultVisibility);
  LLVMSetLinkage(e->weights, LLVMInternalLinkage);
  LLVMSetSection(e->weights, section_name(b));
}

static Elf64_Shdr *find_section(char *elf, const char *name) {
  Elf64_Ehdr *file = (Elf64_Ehdr *)elf;
  Elf64_Shdr *section = (Elf64_Shdr *)(elf + file->e_shoff);
  const char *names = elf + section[file->e_shstrndx].sh_offset;
  for (int i = 1; i < file->e_shnum; i++) {
    if (strcmp(names + section[i].sh_name, name) == 0) return &section[i];
  }
  internal_error("object file: no section %s", name);
}

/* Makes the weights the end of the file. */
static void attach_weights(Object *o, const Build *b) {
  size_t padding = (LINE - o->size % LINE) % LINE;
  memset(o->data + o->size, 0, padding);
  o->size += padding;
  Elf64_Shdr *section = find_section(o->data, section_name(b));
  section->sh_offset = o->size;
  section->sh_size = (Elf64_Xword)b->weights_size;
  o->tail = b->weights;
  o->tail_size = (size_t)b->weights_size;
}

/* ==== the note ==== */

/* As bytes: assemblers have other ideas of what a string escapes. */
static void add_bytes(Buffer *text, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) buffer_printf(text, "%s%d", i % 32 ? "," : "\n.byte ", (unsigned char)s[i]);
}

/* Linkers and strip keep allocated notes, and put those of several models one behind the other. */
static void define_note(Emit *e) {
  static const char owner[] = NOTE_OWNER;
  Buffer note = {0}, text = {0};
  note_print(e->build, &note);
  buffer_printf(&text, ".section .note." NOTE_OWNER ",\"a\",@note\n.p2align 2\n.long %d,%d,%d", (int)sizeof owner, (int)note.size,
                NOTE_TYPE);
  add_bytes(&text, owner, sizeof owner);
  buffer_printf(&text, "\n.p2align 2");
  add_bytes(&text, note.data, note.size);
  buffer_printf(&text, "\n.p2align 2\n");
  LLVMAppendModuleInlineAsm(e->m, text.data, text.size);
  buffer_free(&note);
  buffer_free(&text);
}

/* ==== output ==== */

static void generate(Emit *e, LLVMTargetMachineRef machine, LLVMCodeGenFileType kind) {
  char *why;
  if (LLVMTargetMachineEmitToMemoryBuffer(machine, e->m, kind, &why, &e->output)) {
    internal_error("code generation: %s", why);
  }
  if (!e->output) out_of_memory(); /* it had no room for a copy of the code, and calls that no error */
}

static void print_ir(Emit *e) {
  char *text = LLVMPrintModuleToString(e->m);
  if (!text) out_of_memory();
  e->output = LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), "ir");
  LLVMDisposeMessage(text);
}

static void take_output(Emit *e, Object *out) {
  size_t size = LLVMGetBufferSize(e->output);
  *out = (Object){.data = alloc(e->g->cx, size + LINE), .size = size, .instructions = e->instructions};
  move_bytes(out->data, LLVMGetBufferStart(e->output), size);
}

static bool is_text(const Build *b) { return b->options->emit == EMIT_ASM || b->options->emit == EMIT_LLVM; }

static void generate_module(Emit *e, LLVMTargetMachineRef machine) {
  define_note(e);
  if (is_text(e->build)) define_weights_bytes(e);
  else if (!weights_are_input(e->build)) define_weights_section(e);
  if (e->build->options->emit == EMIT_LLVM) print_ir(e);
  else generate(e, machine, e->build->options->emit == EMIT_ASM ? LLVMAssemblyFile : LLVMObjectFile);
}

static _Noreturn void fail_too_large(const Emit *e) {
  Graph *g = e->g;
  double mib = (double)(e->instructions * CODE_BYTES) / (1 << 20);
  if (e->instructions * CODE_BYTES > arena_left(g->cx->arena)) {
    fail_at(g, e->too_large, "needs too much code: compiling what there is so far takes %.6g MiB, the memory limit is %.6g MiB",
            mib, (double)g->cx->max_memory / (1 << 20));
  }
  fail_at(g, e->too_large, "needs too much code: %lld instructions so far, a layer may have %d, the model %d",
          (long long)e->instructions, MAX_LAYER_CODE, MAX_CODE);
}

static void make_model(Emit *e, LLVMTargetMachineRef machine, Object *out) {
  debug_begin(e);
  emit_module(e);
  debug_end(e);
  if (e->too_large) fail_too_large(e);
  memory_in_library(true);
  optimise(e, machine);
  generate_module(e, machine);
  memory_in_library(false);
  take_output(e, out);
  if (!is_text(e->build) && !weights_are_input(e->build)) attach_weights(out, e->build);
}

static void make_peak(Emit *e, LLVMTargetMachineRef machine, Object *out) {
  emit_peak(e);
  optimise(e, machine);
  generate(e, machine, LLVMObjectFile);
  take_output(e, out);
}

typedef void Make(Emit *e, LLVMTargetMachineRef machine, Object *out);

/* False: it failed, with the message in the context. */
static bool try_making(Make *make, Emit *e, LLVMTargetMachineRef machine, Object *out) {
  if (setjmp(e->g->cx->unwind)) {
    memory_in_library(false);
    return false;
  }
  make(e, machine, out);
  return true;
}

/* LLVM's memory is given back before a failure goes on. */
static void make_object(Build *b, Make *make, Object *out) {
  Context *cx = b->graph->cx;
  jmp_buf outer;
  LLVMTargetMachineRef machine = machine_new(b->target);
  Emit e;
  emit_open(&e, b, machine);
  memcpy(&outer, &cx->unwind, sizeof outer);
  bool made = try_making(make, &e, machine, out);
  memcpy(&cx->unwind, &outer, sizeof outer);
  emit_close(&e);
  LLVMDisposeTargetMachine(machine);
  if (!made) longjmp(outer, 1);
}

void object_emit(Build *b, Object *out) {
  if (b->weights_size > max_weights && !weights_are_input(b)) {
    fail(b->graph->cx, "its weights take %.2f GiB, code can address %.2f GiB", (double)b->weights_size / (1 << 30),
         (double)max_weights / (1 << 30));
  }
  if (weights_are_input(b)) weights_make_head(b);
  make_object(b, make_model, out);
}

void object_emit_peak(Build *b, Object *out) { make_object(b, make_peak, out); }
