/* frame.c: the words with which emitters make functions, address values and split work. */
#include "emit.h"

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <string.h>

/* ==== functions ==== */

static void add_text_attribute(Emit *e, Ref fn, const char *name, const char *value) {
  LLVMAttributeRef a = LLVMCreateStringAttribute(e->c, name, (unsigned)strlen(name), value, (unsigned)strlen(value));
  LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, a);
}

static void add_attribute(Emit *e, Ref fn, const char *name, uint64_t value) {
  LLVMAttributeRef a = LLVMCreateEnumAttribute(e->c, LLVMGetEnumAttributeKindForName(name, strlen(name)), value);
  LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, a);
}

/* Unwind tables that are right wherever a call may throw: debuggers and exceptions get past every function. */
static void common_attributes(Emit *e, Ref fn) {
  enum { SYNCHRONOUS = 1 };
  add_attribute(e, fn, "uwtable", SYNCHRONOUS);
  add_attribute(e, fn, "noinline", 0);
}

void compute_attributes(Emit *e, Ref fn) {
  common_attributes(e, fn);
  add_attribute(e, fn, "nounwind", 0);
  if (e->t->tunes) add_text_attribute(e, fn, "tune-cpu", e->t->cpu);
  if (e->t->lanes < 16) return;
  /* Without both, LLVM splits 512-bit vectors in two on CPUs that it thinks prefer 256 bits. */
  add_text_attribute(e, fn, "prefer-vector-width", "512");
  add_text_attribute(e, fn, "min-legal-vector-width", "512");
}

void baseline_attributes(Emit *e, Ref fn) {
  common_attributes(e, fn);
  add_text_attribute(e, fn, "target-cpu", e->t->least);
  add_text_attribute(e, fn, "target-features", "");
}

const char *local_name(Emit *e, const char *what) { return format_text(e->g->cx, "%s.%s", e->g->name, what); }

LLVMTypeRef task_type(Emit *e) { return LLVMFunctionType(e->void_, (LLVMTypeRef[]){e->ptr, e->i32, e->i32}, 3, 0); }

Ref function_begin(Emit *e, const char *name, LLVMTypeRef type, Resume *saved) {
  Ref fn = LLVMAddFunction(e->m, local_name(e, name), type);
  LLVMSetLinkage(fn, LLVMInternalLinkage);
  compute_attributes(e, fn);
  *saved = (Resume){LLVMGetInsertBlock(e->b), debug_switch(e, NULL), e->fn, e->frame, e->task, e->worker, e->numbers};
  e->fn = fn;
  e->frame = e->task = e->worker = e->numbers = NULL;
  LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->c, fn, ""));
  return fn;
}

void count_instructions(Emit *e, Ref fn) {
  for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b)) {
    for (Ref i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i)) e->instructions++;
  }
}

void function_end(Emit *e, Resume *saved) {
  LLVMBuildRetVoid(e->b);
  count_instructions(e, e->fn);
  e->fn = saved->fn;
  e->frame = saved->frame;
  e->task = saved->task;
  e->worker = saved->worker;
  e->numbers = saved->numbers;
  if (saved->block) LLVMPositionBuilderAtEnd(e->b, saved->block);
  debug_switch(e, saved->line);
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* Bytes of a key's first words and what follows them, which is a size or a tile: conv_14x2, winograd_in_m4. */
static int short_key(const char *key) {
  for (const char *p = key;; p++) {
    const char *word = p;
    while (is_letter(*p)) p++;
    if (*p == '_' && p > word + 1) continue;
    return (int)(p - key + (ptrdiff_t)strcspn(p, "_|"));
  }
}

static const char *kernel_name(Emit *e, const char *key) {
  char *name = format_text(e->g->cx, "k%02d.%.*s", e->build->n_kernel, short_key(key), key);
  for (char *p = name; *p; p++) {
    if (!is_letter(*p) && !(*p >= '0' && *p <= '9') && *p != '.') *p = '_';
  }
  return name;
}

/* Lists it in the build. */
static void note_kernel(Emit *e, const char *name, const char *key) {
  Build *b = e->build;
  if ((b->n_kernel & (b->n_kernel - 1)) == 0) { /* a power of two: full */
    KernelInfo *more = alloc_n(e->g->cx, 2 * (size_t)b->n_kernel + 1, sizeof *more);
    move_bytes(more, b->kernel, (size_t)b->n_kernel * sizeof *more);
    b->kernel = more;
  }
  b->kernel[b->n_kernel++] = (KernelInfo){local_name(e, name), key};
}

static Ref kernel_function(Emit *e, const char *key, LLVMTypeRef type, void (*build)(const void *data), const void *data) {
  Ref fn = e->build->options->unshared ? NULL : map_get(&e->kernels, key);
  Resume saved;
  if (fn) {
    assert(LLVMGlobalGetValueType(fn) == type);
    return fn;
  }
  const char *name = kernel_name(e, key), *kept = copy_text(e->g->cx, key);
  fn = function_begin(e, name, type, &saved);
  debug_enter(e, fn, NULL);
  note_kernel(e, name, kept);
  map_put(e->g->cx, &e->kernels, kept, fn);
  build(data);
  function_end(e, &saved);
  return fn;
}

void call_kernel(Emit *e, const char *key, int n, Ref *args, void (*build)(const void *data), const void *data) {
  LLVMTypeRef types[MAX_KERNEL_ARGS];
  assert(n <= MAX_KERNEL_ARGS);
  for (int i = 0; i < n; i++) {
    if (!args[i]) args[i] = LLVMGetPoison(e->ptr);
    types[i] = LLVMTypeOf(args[i]);
  }
  LLVMTypeRef type = LLVMFunctionType(e->void_, types, (unsigned)n, 0);
  call(e, kernel_function(e, key, type, build, data), type, n, args);
}

/* ==== values ==== */

int64_t frame_once(const Graph *g) { return FRAME_IO + 8 * ((int64_t)g->n_input + g->n_output); }
int64_t frame_image(const Graph *g) { return frame_once(g) + 8; }
int64_t frame_rest(const Build *b) { return frame_once(b->graph) + (b->image_runs || b->group || b->one ? 16 : b->once_size ? 8 : 0); }

Ref load_invariant(Emit *e, LLVMTypeRef type, Ref p, int64_t bytes, int align) {
  Ref v = load(e, type, p, bytes, align);
  LLVMMetadataRef none = LLVMMDNodeInContext2(e->c, NULL, 0);
  LLVMSetMetadata(v, LLVMGetMDKindIDInContext(e->c, "invariant.load", 14), LLVMMetadataAsValue(e->c, none));
  return v;
}

int64_t inner_offset(const Value *v) { return v->alias_offset + v->layout.origin * (int64_t)type_size(v->type); }

static Ref place_field(Emit *e, int i) {
  Ref places = load_invariant(e, e->ptr, e->frame, FRAME_PLACES, 8);
  return load_invariant(e, e->i64, places, 8 * i, 8);
}

Ref weights_start(Emit *e) {
  return e->weights ? e->weights : load_invariant(e, e->ptr, e->frame, e->weights_field, 8);
}

static Ref bound_value(Emit *e, const Value *v) {
  assert(layer_value(e->node, v->id) == v);
  Ref offset = place_field(e, PLACE_VALUES + v->id);
  switch (v->place) {
  case P_WORK: return gep(e, load_invariant(e, e->ptr, e->frame, FRAME_WORK, 8), offset, 1);
  case P_ONCE: return gep(e, load_invariant(e, e->ptr, e->frame, frame_once(e->g), 8), offset, 1);
  case P_IMAGE: return gep(e, load_invariant(e, e->ptr, e->frame, frame_image(e->g), 8), offset, 1);
  case P_CONST: return gep(e, weights_start(e), offset, 1);
  default: return gep_const(e, load_invariant(e, e->ptr, gep(e, e->frame, offset, 1), 0, 8), inner_offset(v));
  }
}

static Ref bound_weights(Emit *e, int64_t offset) {
  assert(offset == BOUND_WEIGHTS || offset == BOUND_BIAS);
  return gep(e, weights_start(e), place_field(e, offset == BOUND_WEIGHTS ? PLACE_WEIGHTS : PLACE_BIAS), 1);
}

Ref weights_ptr(Emit *e, int64_t offset) {
  return e->bound ? bound_weights(e, offset) : gep_const(e, weights_start(e), offset);
}

Ref constant_global(Emit *e, Ref value, const char *name) {
  Ref global = LLVMAddGlobal(e->m, LLVMTypeOf(value), local_name(e, name));
  LLVMSetInitializer(global, value);
  LLVMSetGlobalConstant(global, 1);
  LLVMSetLinkage(global, LLVMInternalLinkage);
  return global;
}

static Ref frame_field(Emit *e, LLVMTypeRef type, int64_t offset) {
  return load_invariant(e, type, e->frame, offset, 4);
}

Ref value_ptr(Emit *e, const Value *v) {
  if (e->bound) return bound_value(e, v);
  int64_t at = inner_offset(v);
  switch (v->place) {
  case P_WORK: return gep_const(e, frame_field(e, e->ptr, FRAME_WORK), v->offset + at);
  case P_ONCE: return gep_const(e, frame_field(e, e->ptr, frame_once(e->g)), v->offset + at);
  case P_IMAGE: return gep_const(e, frame_field(e, e->ptr, frame_image(e->g)), v->offset + at);
  case P_CONST: return weights_ptr(e, v->offset + at);
  case P_INPUT: return gep_const(e, frame_field(e, e->ptr, FRAME_IO + 8 * v->offset), at);
  case P_OUTPUT: return gep_const(e, frame_field(e, e->ptr, FRAME_IO + 8 * (e->g->n_input + v->offset)), at);
  default: assert(!"value without a place"); return NULL;
  }
}

Ref scratch_ptr(Emit *e) {
  Ref worker = LLVMBuildSExt(e->b, e->worker, e->i64, "");
  return gep(e, frame_field(e, e->ptr, FRAME_SCRATCH), worker, e->build->scratch_size);
}

/* ==== work among tasks ==== */

void only_task_zero(Emit *e) { e->serial = true; }

void task_range(Emit *e, int64_t total, Ref *lo, Ref *hi) {
  assert(!e->serial);
  Ref tasks = LLVMBuildSExt(e->b, frame_field(e, e->i32, FRAME_TASKS), e->i64, "");
  Ref task = LLVMBuildSExt(e->b, e->task, e->i64, "");
  Ref from = mul_i(e, task, total), to = add_i(e, from, const_i64(e, total));
  *lo = LLVMBuildSDiv(e->b, from, tasks, "");
  *hi = LLVMBuildSDiv(e->b, to, tasks, "");
}

void work_range(Emit *e, int64_t items, int64_t elements, Ref *lo, Ref *hi) {
  if (elements > SERIAL_ELEMENTS) {
    task_range(e, items, lo, hi);
    return;
  }
  only_task_zero(e);
  *lo = const_i64(e, 0);
  *hi = const_i64(e, items);
}
