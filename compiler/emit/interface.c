/* interface.c: what the outside sees of a model: NAME_run with typed parameters, the table NAME_model (struct rcc_model of
 * resnetcc_rt.h), and the labels. */
#include "entry.h"

#include <llvm-c/Core.h>

#include "resnetcc_rt.h"
#include <string.h>

Ref new_function(Entry *y, const char *name, LLVMTypeRef type, bool visible) {
  Emit *e = y->e;
  Ref fn = LLVMAddFunction(e->m, visible ? name : local_name(e, name), type);
  if (!visible) LLVMSetLinkage(fn, LLVMInternalLinkage);
  baseline_attributes(e, fn);
  e->fn = fn;
  LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->c, fn, ""));
  return fn;
}

/* ==== int NAME_run([batch,] inputs..., outputs..., workspace, workspace_size, par) ==== */

static Ref typed_function(Entry *y, LLVMTypeRef *types, int count) {
  LLVMTypeRef type = LLVMFunctionType(y->e->i32, types, (unsigned)count, 0);
  return new_function(y, format_text(y->e->g->cx, "%s_run", y->e->g->name), type, true);
}

/* Parameters that callers have in registers: by the System V ABI, by ARM's procedure call standard. */
static int in_registers(const Target *t) { return has_neon(t) ? 8 : 6; }

/* The function of many parameters; sets *array to where they all are. Those in memory are one argument by value: code for each would
 * take long to compile. */
static Ref function_of_many(Entry *y, LLVMTypeRef *types, int count, Ref *array) {
  Emit *e = y->e;
  int first = in_registers(e->t);
  LLVMTypeRef rest = LLVMArrayType2(e->i64, (uint64_t)(count - first));
  types[first] = e->ptr;
  Ref fn = typed_function(y, types, first + 1);
  unsigned by_value = LLVMGetEnumAttributeKindForName("byval", 5);
  LLVMAddAttributeAtIndex(fn, (unsigned)first + 1, LLVMCreateTypeAttribute(e->c, by_value, rest));
  *array = LLVMBuildAlloca(e->b, LLVMArrayType2(e->i64, (uint64_t)count), "");
  for (int i = 0; i < first; i++) store(e, LLVMGetParam(fn, (unsigned)i), *array, 8 * i, 8);
  Ref size = const_i64(e, 8 * (count - first));
  LLVMBuildMemCpy(e->b, gep_const(e, *array, 8 * first), 8, LLVMGetParam(fn, (unsigned)first), 8, size);
  return fn;
}

static int input_count(const Emit *e) { return e->g->n_input + weights_are_input(e->build); }

Ref build_typed_run(Entry *y) {
  Emit *e = y->e;
  const Graph *g = e->g;
  int inputs = input_count(e), n = inputs + g->n_output, first = g->symbolic;
  LLVMTypeRef *types = alloc_n(g->cx, (size_t)n + 4, sizeof *types);
  for (int i = 0; i < n + 4; i++) types[i] = e->ptr;
  if (first) types[0] = e->i64;
  types[first + n + 1] = e->i64;
  bool many = n > FEW;
  Ref array, fn = many ? function_of_many(y, types, first + n + 3, &array) : typed_function(y, types, first + n + 3);
  if (!many) array = LLVMBuildAlloca(e->b, LLVMArrayType2(e->ptr, (uint64_t)n + 1), "");
  for (int i = 0; i < n && !many; i++) store(e, LLVMGetParam(fn, (unsigned)(first + i)), array, 8 * i, 8);
  Ref tensors = many ? gep_const(e, array, 8 * first) : array;
  Ref args[RUN_N] = {tensors, gep_const(e, tensors, 8 * inputs), first ? LLVMGetParam(fn, 0) : const_i64(e, 1)};
  for (int i = 0; i < 3; i++) {
    args[RUN_WORK + i] = many ? load(e, i == 1 ? e->i64 : e->ptr, tensors, 8 * (n + i), 8)
                              : LLVMGetParam(fn, (unsigned)(first + n + i));
  }
  LLVMBuildRet(e->b, call(e, y->run, y->run_type, RUN_N, args));
  return fn;
}

/* ==== the table ==== */

static Ref text_global(Emit *e, const char *s) {
  return constant_global(e, LLVMConstStringInContext(e->c, s, (unsigned)strlen(s), 0), "text");
}

static Ref tensor_row(Emit *e, const char *name, Type type, const Shape *shape) {
  Ref dims[MAX_RANK];
  for (int k = 0; k < shape->rank; k++) dims[k] = const_i64(e, shape->d[k]);
  Ref array = constant_global(e, LLVMConstArray2(e->i64, dims, (uint64_t)shape->rank), "dims");
  Ref fields[] = {text_global(e, name), const_i32(e, type), const_i32(e, shape->rank), array};
  return LLVMConstStructInContext(e->c, fields, COUNT(fields), 0);
}

/* struct rcc_tensor for each value, and for the weights where they are asked for; NULL for none. */
static Ref tensor_table(Emit *e, Value *const *v, const Shape *shape, int n, bool weights) {
  if (n + weights == 0) return LLVMConstNull(e->ptr);
  Ref *row = alloc_n(e->g->cx, (size_t)n + 1, sizeof *row);
  for (int i = 0; i < n; i++) row[i] = tensor_row(e, v[i]->name, v[i]->type, &shape[i]);
  Shape size = shape_of(1, weights_input_size(e->build));
  if (weights) row[n] = tensor_row(e, "weights", T_U8, &size);
  return constant_global(e, LLVMConstArray2(LLVMTypeOf(row[0]), row, (uint64_t)(n + weights)), "tensors");
}

/* The caller's programs see it as NAME_what. */
static void public_global(Emit *e, Ref value, const char *what) {
  const char *name = format_text(e->g->cx, "%s_%s", e->g->name, what);
  Ref global = constant_global(e, value, what);
  LLVMSetValueName2(global, name, strlen(name));
  LLVMSetLinkage(global, LLVMExternalLinkage);
}

void build_table(Entry *y) {
  Emit *e = y->e;
  const Graph *g = e->g;
  bool apart = weights_are_input(e->build);
  int flags = (g->symbolic ? RCC_SYMBOLIC_BATCH : 0) | (apart ? RCC_WEIGHTS_INPUT : 0);
  const char *target = format_text(g->cx, "%s %s", e->t->cpu, feature_string(g->cx, needed_features(e->build)));
  Ref fields[] = {
    const_i32(e, RCC_ABI), const_i32(e, flags), text_global(e, g->name), text_global(e, target),
    const_i32(e, input_count(e)), const_i32(e, g->n_output),
    tensor_table(e, g->input, g->input_shape, g->n_input, apart),
    tensor_table(e, g->output, g->output_shape, g->n_output, false),
    y->workspace_size, y->run,
  };
  public_global(e, LLVMConstStructInContext(e->c, fields, COUNT(fields), 0), "model");
}

void build_labels(Entry *y) {
  Emit *e = y->e;
  const Graph *g = e->g;
  if (g->n_label == 0) return;
  Ref *label = alloc_n(g->cx, (size_t)g->n_label, sizeof *label);
  for (int i = 0; i < g->n_label; i++) {
    label[i] = text_global(e, g->label[i]);
    LLVMSetLinkage(label[i], LLVMPrivateLinkage); /* without a symbol for each */
  }
  public_global(e, LLVMConstArray2(e->ptr, label, (uint64_t)g->n_label), "labels");
}
