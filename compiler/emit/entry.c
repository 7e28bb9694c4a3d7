/* entry.c: the functions of the table NAME_model: they check every argument before a layer runs, and are compiled for the baseline
 * of the architecture, so that they can refuse a CPU that lacks what the layers need.
 *
 * Layers that do not depend on the image run first, once, on all threads. Of a batch whole groups of images come then, on all
 * threads, where there is code for groups (lower/group.c). Of at least as many images as threads each thread takes whole
 * ones, in a workspace of its own: nobody waits for anyone between layers. What is left over, and a smaller batch, goes image by
 * image through all threads. Of a fixed number of images the first layers run so for some at a time, the last ones for all. */
#include "entry.h"

#include <llvm-c/Core.h>

#include "resnetcc_rt.h"
#include <string.h>

static void return_if(Emit *e, Ref cond, int code) {
  If s;
  if_begin(e, &s, cond);
  LLVMBuildRet(e->b, LLVMConstInt(LLVMGetReturnType(LLVMGlobalGetValueType(e->fn)), (unsigned long long)code, 0));
  LLVMBasicBlockRef next = s.join;
  LLVMMoveBasicBlockAfter(next, LLVMGetInsertBlock(e->b));
  LLVMPositionBuilderAtEnd(e->b, next);
}

static Ref is_null(Emit *e, Ref p) { return LLVMBuildIsNull(e->b, p, ""); }
static Ref compare(Emit *e, LLVMIntPredicate p, Ref a, int64_t b) {
  return LLVMBuildICmp(e->b, p, a, LLVMConstInt(LLVMTypeOf(a), (uint64_t)b, 1), "");
}
static Ref runtime_function(Emit *e, const char *name, LLVMTypeRef type) {
  Ref fn = LLVMGetNamedFunction(e->m, name);
  return fn ? fn : LLVMAddFunction(e->m, name, type);
}

/* ==== whole images ==== */

/* How many images there are, or runs for some of them. */
static Ref image_count(Emit *e, Ref batch) {
  const Build *b = e->build;
  return e->g->symbolic ? batch : const_i64(e, b->image_runs ? b->image_runs : 1);
}

static bool runs_often(const Emit *e) { return e->g->symbolic || e->build->image_runs; }

/* How many images of the batch threads take as a whole. */
static Ref images_apart(Emit *e, Ref batch, Ref threads) {
  Ref n = LLVMBuildSExt(e->b, threads, e->i64, "");
  Ref all = LLVMBuildSub(e->b, batch, LLVMBuildSRem(e->b, batch, n, ""), "");
  return LLVMBuildSelect(e->b, compare(e, LLVMIntSGT, threads, 1), all, const_i64(e, 0), "");
}

/* ==== size_t workspace_size(int64_t batch, int32_t threads): 0 for senseless arguments ==== */

/* What all threads need that work on one image, and that they need for one each. Neither overflows: too_many_threads. */
static Ref size_together(Emit *e, Ref threads) {
  const Build *b = e->build;
  Ref scratch = mul_i(e, LLVMBuildSExt(e->b, threads, e->i64, ""), b->scratch_size);
  return add_i(e, scratch, const_i64(e, b->once_size + b->work_size));
}

static Ref size_apart(Emit *e, Ref threads) {
  const Build *b = e->build;
  Ref all = mul_i(e, LLVMBuildSExt(e->b, threads, e->i64, ""), b->work_size + b->scratch_size);
  return b->once_size ? add_i(e, all, const_i64(e, b->once_size)) : all;
}

/* The workspaces of so many threads would be larger than memory can be. */
static Ref too_many_threads(Emit *e, Ref threads) {
  const Build *b = e->build;
  int64_t each = b->work_size + b->scratch_size, most = each ? (PTRDIFF_MAX - workspace_bytes(b)) / each : INT32_MAX;
  return most >= INT32_MAX ? LLVMConstInt(e->i1, 0, 0) : compare(e, LLVMIntSGT, threads, most);
}

/* Of a run of a group; 0: there are too many threads. */
static Ref group_size(const Entry *y, Ref threads) {
  Emit *e = y->e;
  return call(e, y->group->workspace_size, y->group->size_type, 2, (Ref[]){const_i64(e, 1), threads});
}

static void build_workspace_size(Entry *y) {
  Emit *e = y->e;
  y->size_type = LLVMFunctionType(e->i64, (LLVMTypeRef[]){e->i64, e->i32}, 2, 0);
  y->workspace_size = new_function(y, "workspace_size", y->size_type, false);
  Ref batch = LLVMGetParam(y->workspace_size, 0), threads = LLVMGetParam(y->workspace_size, 1);
  int64_t least = e->g->symbolic ? 0 : 1;
  Ref bad = LLVMBuildOr(e->b, compare(e, LLVMIntSLT, batch, least), compare(e, LLVMIntSLT, threads, 1), "");
  return_if(e, LLVMBuildOr(e->b, bad, too_many_threads(e, threads), ""), 0);
  Ref size = size_together(e, threads);
  if (runs_often(e)) {
    Ref apart = compare(e, LLVMIntSGT, images_apart(e, image_count(e, batch), threads), 0);
    size = LLVMBuildSelect(e->b, apart, size_apart(e, threads), size, "");
  }
  if (y->group) {
    Ref group = LLVMBuildSelect(e->b, compare(e, LLVMIntSGE, batch, group_images(y->e->build)), group_size(y, threads), const_i64(e, 0), "");
    size = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntUGT, group, size, ""), group, size, "");
  }
  LLVMBuildRet(e->b, size);
}

/* ==== int run(inputs, outputs, batch, workspace, workspace_size, par) ==== */

static Ref array_item(Emit *e, Ref array, int i) { return load(e, e->ptr, array, 8 * i, 8); }

/* One table row a tensor: the largest batch with which it has no elements, -1 where it always has some. */
static void check_many_pointers(Emit *e, Ref array, Value *const *v, int n, Ref batch) {
  Ref *most = alloc_n(e->g->cx, (size_t)n, sizeof *most);
  for (int i = 0; i < n; i++) {
    most[i] = const_i64(e, shape_count(&v[i]->shape) == 0 ? INT64_MAX : v[i]->batched ? 0 : -1);
  }
  Ref table = constant_global(e, LLVMConstArray2(e->i64, most, (uint64_t)n), "empty");
  Loop item;
  loop_begin(e, &item, const_i64(e, 0), const_i64(e, n), 1, 0, NULL);
  Ref limit = load(e, e->i64, gep(e, table, item.i, 8), 0, 8), p = load(e, e->ptr, gep(e, array, item.i, 8), 0, 8);
  Ref needed = LLVMBuildICmp(e->b, LLVMIntSGT, batch, limit, "");
  return_if(e, LLVMBuildAnd(e->b, is_null(e, p), needed, ""), RCC_ERR_ARGUMENT);
  loop_end(e, &item);
}

/* A tensor without elements need not be anywhere. */
static void check_pointers(Emit *e, Ref array, Value *const *v, int n, Ref batch) {
  int64_t any = 0;
  for (int i = 0; i < n; i++) any += shape_count(&v[i]->shape);
  if (any == 0) return;
  return_if(e, is_null(e, array), RCC_ERR_ARGUMENT);
  if (n > FEW) {
    check_many_pointers(e, array, v, n, batch);
    return;
  }
  for (int i = 0; i < n; i++) {
    if (shape_count(&v[i]->shape) == 0) continue;
    Ref missing = is_null(e, array_item(e, array, i));
    if (v[i]->batched) missing = LLVMBuildAnd(e->b, missing, compare(e, LLVMIntNE, batch, 0), "");
    return_if(e, missing, RCC_ERR_ARGUMENT);
  }
}

/* par->threads, or 1 where par is NULL. */
static Ref thread_count(Emit *e, Ref par) {
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b);
  If given;
  Ref none = const_i32(e, 1);
  if_begin(e, &given, LLVMBuildIsNotNull(e->b, par, ""));
  Ref threads = load(e, e->i32, par, offsetof(rcc_parallel, threads), 4);
  LLVMBasicBlockRef inside = LLVMGetInsertBlock(e->b);
  if_end(e, &given);
  Ref phi = LLVMBuildPhi(e->b, e->i32, "");
  LLVMAddIncoming(phi, (Ref[]){none, threads}, (LLVMBasicBlockRef[]){before, inside}, 2);
  return phi;
}

static void check_cpu(Emit *e) {
  LLVMTypeRef type = LLVMFunctionType(e->i32, (LLVMTypeRef[]){e->i64}, 1, 0);
  Ref bits = const_i64(e, (int64_t)needed_features(e->build));
  Ref result = call(e, runtime_function(e, "rcc_cpu_check", type), type, 1, &bits);
  return_if(e, compare(e, LLVMIntNE, result, 0), RCC_ERR_CPU);
}

static int64_t image_bytes(const Value *v) { return (int64_t)value_bytes(v); }

/* Tensors of more images would be larger than memory can be. */
static int64_t most_images(const Graph *g) {
  int64_t bytes = 1;
  for (int i = 0; i < g->n_input + g->n_output; i++) {
    const Value *v = i < g->n_input ? g->input[i] : g->output[i - g->n_input];
    if (v->batched && image_bytes(v) > bytes) bytes = image_bytes(v);
  }
  return PTRDIFF_MAX / bytes;
}

/* Does memory that is no less than a head begin otherwise than the weights that the object was compiled with? */
static Ref weights_differ(Emit *e, Ref weights) {
  enum { COMPARED = WEIGHTS_ID + 16 /* half of the id */ };
  Ref differ = NULL;
  for (int at = 0; at < COMPARED; at += 8) {
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) word |= (uint64_t)e->build->weights_head[at + i] << (8 * i);
    Ref other = LLVMBuildICmp(e->b, LLVMIntNE, load(e, e->i64, weights, at, 8), const_i64(e, (int64_t)word), "");
    differ = differ ? LLVMBuildOr(e->b, differ, other, "") : other;
  }
  return differ;
}

/* A misaligned, missing or other model's file. */
static void check_weights(Emit *e, Ref inputs) {
  return_if(e, is_null(e, inputs), RCC_ERR_ARGUMENT);
  Ref weights = array_item(e, inputs, e->g->n_input);
  Ref low = LLVMBuildAnd(e->b, LLVMBuildPtrToInt(e->b, weights, e->i64, ""), const_i64(e, 63), "");
  return_if(e, LLVMBuildOr(e->b, is_null(e, weights), compare(e, LLVMIntNE, low, 0), ""), RCC_ERR_WEIGHTS);
  return_if(e, weights_differ(e, weights), RCC_ERR_WEIGHTS);
}

/* The weights come first: rcc_weights_map asks for them alone. */
static Ref check_run(Entry *y, Ref *arg) {
  Emit *e = y->e;
  const Graph *g = e->g;
  if (weights_are_input(e->build)) check_weights(e, arg[RUN_INPUTS]);
  check_pointers(e, arg[RUN_INPUTS], g->input, g->n_input, arg[RUN_BATCH]);
  check_pointers(e, arg[RUN_OUTPUTS], g->output, g->n_output, arg[RUN_BATCH]);
  if (g->symbolic) return_if(e, LLVMBuildICmp(e->b, LLVMIntUGT, arg[RUN_BATCH], const_i64(e, most_images(g)), ""), RCC_ERR_SHAPE);
  else return_if(e, compare(e, LLVMIntNE, arg[RUN_BATCH], 1), RCC_ERR_SHAPE);
  Ref threads = thread_count(e, arg[RUN_PAR]);
  return_if(e, compare(e, LLVMIntSLT, threads, 1), RCC_ERR_ARGUMENT);
  return_if(e, too_many_threads(e, threads), RCC_ERR_WORKSPACE);
  return_if(e, LLVMBuildICmp(e->b, LLVMIntULT, arg[RUN_SIZE], size_together(e, threads), ""), RCC_ERR_WORKSPACE);
  Ref address = LLVMBuildPtrToInt(e->b, arg[RUN_WORK], e->i64, "");
  Ref low = LLVMBuildAnd(e->b, address, const_i64(e, 63), "");
  Ref bad = LLVMBuildOr(e->b, compare(e, LLVMIntNE, low, 0), is_null(e, arg[RUN_WORK]), "");
  if (workspace_bytes(e->build) > 0) return_if(e, bad, RCC_ERR_WORKSPACE);
  check_cpu(e);
  return threads;
}

/* What an input or output moves on by from image to image. */
static int64_t image_step(const Value *v) {
  Use *at = NULL;
  if (v->batched) return image_bytes(v);
  for (const Node *r; (r = next_reader((Value *)(uintptr_t)v, &at));)
    if (r->op == OP_Image) return image_bytes(r->out[0]);
  return 0;
}

static void place_image_of_many(Emit *e, Ref to, Ref array, Value *const *v, int n, Ref image) {
  Ref *bytes = alloc_n(e->g->cx, (size_t)n, sizeof *bytes);
  for (int i = 0; i < n; i++) bytes[i] = const_i64(e, image_step(v[i]));
  Ref table = constant_global(e, LLVMConstArray2(e->i64, bytes, (uint64_t)n), "steps");
  Loop item;
  loop_begin(e, &item, const_i64(e, 0), const_i64(e, n), 1, 0, NULL);
  Ref step = load(e, e->i64, gep(e, table, item.i, 8), 0, 8), p = load(e, e->ptr, gep(e, array, item.i, 8), 0, 8);
  store(e, gep(e, p, LLVMBuildMul(e->b, image, step, ""), 1), gep(e, to, item.i, 8), 0, 8);
  loop_end(e, &item);
}

/* To `to` go pointers to an image of the tensors in the array. */
static void place_image(Emit *e, Ref to, Ref array, Value *const *v, int n, Ref image) {
  if (n > FEW) {
    place_image_of_many(e, to, array, v, n, image);
    return;
  }
  for (int i = 0; i < n; i++) {
    Ref p = array_item(e, array, i);
    int64_t step = image_step(v[i]);
    if (step) p = gep(e, p, image, step);
    store(e, p, to, 8 * i, 8);
  }
}

/* All layers' places, one behind the other. */
static Ref place_table(Entry *y) {
  Emit *e = y->e;
  size_t n = 0;
  for (int i = 0; i < y->count; i++) n += (size_t)y->layer[i].n_place;
  Ref *place = alloc_n(e->g->cx, n + 1, sizeof *place);
  n = 0;
  for (int i = 0; i < y->count; i++) {
    for (int k = 0; k < y->layer[i].n_place; k++) place[n++] = const_i64(e, y->layer[i].place[k]);
  }
  return constant_global(e, LLVMConstArray2(e->i64, place, n), "places");
}

enum { ROW_FUNCTION = 0, ROW_SERIAL = 8, ROW_PLACES = 16, ROW_BYTES = 24 };

/* {layer function, is it serial?, where its places begin} in the order of the calls. */
static Ref layer_table(Entry *y) {
  Emit *e = y->e;
  Ref *row = alloc_n(e->g->cx, (size_t)y->count + 1, sizeof *row);
  int64_t places = 0;
  for (int i = 0; i < y->count; i++) {
    Ref fields[] = {y->layer[i].fn, const_i64(e, y->layer[i].serial), const_i64(e, places)};
    row[i] = LLVMConstStructInContext(e->c, fields, 3, 0);
    places += 8 * y->layer[i].n_place;
  }
  LLVMTypeRef type = LLVMStructTypeInContext(e->c, (LLVMTypeRef[]){e->ptr, e->i64, e->i64}, 3, 0);
  return constant_global(e, LLVMConstArray2(type, row, (uint64_t)y->count), "layers");
}

enum { STEP_LAYER = 0, STEP_TASK = 8, STEP_TASKS = 12, STEP_BYTES = 16 };

static Ref step_row(Emit *e, int layer, int task, int tasks) {
  return LLVMConstStructInContext(e->c, (Ref[]){const_i64(e, layer), const_i32(e, task), const_i32(e, tasks)}, 3, 0);
}

/* The tasks of layers in strips, the first of which is layer `first`. */
static int strip_rows(Entry *y, const Strips *s, int first, Ref *row) {
  const StripTask *order = strips_order(y->e->build, s);
  int total = strips_tasks(s);
  for (int i = 0; i < total; i++) {
    int layer = first + order[i].node - s->first;
    assert(!y->layer[layer].serial);
    row[i] = step_row(y->e, layer, order[i].task, s->count);
  }
  return total;
}

/* {layer, task, of so many} in the order of the calls of one thread. */
static void build_steps(Entry *y) {
  Emit *e = y->e;
  const Build *b = e->build;
  size_t most = (size_t)y->count + 1;
  for (int i = 0; i < b->n_strips; i++) most += (size_t)strips_tasks(&b->strips[i]);
  Ref *row = alloc_n(e->g->cx, most, sizeof *row);
  y->first_step = alloc_n(e->g->cx, (size_t)y->count + 1, sizeof *y->first_step);
  int n = 0;
  for (int i = 0; i < y->count; i++) {
    const Strips *s = b->layer[i].phase == 0 ? strips_of(b, b->layer[i].node->at) : NULL;
    y->first_step[i] = n;
    if (!s) row[n++] = step_row(e, i, 0, 1);
    else if (s->first == b->layer[i].node->at) n += strip_rows(y, s, i, row + n);
  }
  y->first_step[y->count] = n;
  y->steps = constant_global(e, LLVMConstArray2(LLVMTypeOf(row[0]), row, (uint64_t)n), "steps");
}

/* The layer in that row is the frame's; returns its function. */
static Ref enter_layer(Entry *y, Ref row, Ref frame) {
  Emit *e = y->e;
  Ref fn = load(e, e->ptr, row, ROW_FUNCTION, 8);
  store(e, gep(e, y->places, load(e, e->i64, row, ROW_PLACES, 8), 1), frame, FRAME_PLACES, 8);
  return flush_denormals(e, fn, frame);
}

static void run_task(Entry *y, Ref fn, Ref frame, Ref task) {
  Emit *e = y->e;
  call(e, fn, task_type(e), 3, (Ref[]){frame, task, const_i32(e, 0)});
}

static void lend_layer(Entry *y, Ref row, Ref fn, Ref frame, Ref par, Ref threads) {
  Emit *e = y->e;
  LLVMTypeRef lend_type = LLVMFunctionType(e->void_, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr, e->i32}, 4, 0);
  Ref serial = compare(e, LLVMIntNE, load(e, e->i64, row, ROW_SERIAL, 8), 0);
  Ref run = load(e, e->ptr, par, offsetof(rcc_parallel, run), 8);
  Ref count = LLVMBuildSelect(e->b, serial, const_i32(e, 1), threads, "");
  call(e, run, lend_type, 4, (Ref[]){par, fn, frame, count});
}

/* The steps of the layers from `from` to `to`. */
static void run_steps(Entry *y, int from, int to, Ref frame) {
  Emit *e = y->e;
  Loop step;
  loop_begin(e, &step, const_i64(e, y->first_step[from]), const_i64(e, y->first_step[to]), 1, 0, NULL);
  Ref p = gep(e, y->steps, step.i, STEP_BYTES);
  Ref fn = enter_layer(y, gep(e, y->table, load(e, e->i64, p, STEP_LAYER, 8), ROW_BYTES), frame);
  store(e, load(e, e->i32, p, STEP_TASKS, 4), frame, FRAME_TASKS, 4);
  run_task(y, fn, frame, load(e, e->i32, p, STEP_TASK, 4));
  loop_end(e, &step);
}

static void lend_layers(Entry *y, int from, int to, Ref frame, Ref par, Ref threads) {
  Emit *e = y->e;
  Loop layer;
  loop_begin(e, &layer, const_i64(e, from), const_i64(e, to), 1, 0, NULL);
  Ref row = gep(e, y->table, layer.i, ROW_BYTES);
  lend_layer(y, row, enter_layer(y, row, frame), frame, par, threads);
  loop_end(e, &layer);
}

/* One loop, whoever works: without strips one thread has the same order. */
static void run_or_lend(Entry *y, int from, int to, Ref frame, Ref par, Ref threads) {
  Emit *e = y->e;
  Ref alone = is_null(e, par);
  Loop layer;
  If branch;
  loop_begin(e, &layer, const_i64(e, from), const_i64(e, to), 1, 0, NULL);
  Ref row = gep(e, y->table, layer.i, ROW_BYTES), fn = enter_layer(y, row, frame);
  if_begin(e, &branch, alone);
  run_task(y, fn, frame, const_i32(e, 0));
  if_end(e, &branch);
  if_begin(e, &branch, LLVMBuildNot(e->b, alone, ""));
  lend_layer(y, row, fn, frame, par, threads);
  if_end(e, &branch);
  loop_end(e, &layer);
}

/* With threads lent, every layer goes through them, a serial one as a single task: whoever lends them sees all layers in
 * order, which is what a profile needs. */
static void run_layers(Entry *y, int from, int to, Ref frame, Ref par, Ref threads) {
  Emit *e = y->e;
  if (from == to) return;
  if (!y->steps) {
    run_or_lend(y, from, to, frame, par, threads);
    return;
  }
  Ref alone = is_null(e, par), lent = LLVMBuildNot(e->b, alone, "");
  If branch;
  if_begin(e, &branch, alone);
  run_steps(y, from, to, frame);
  if_end(e, &branch);
  if_begin(e, &branch, lent);
  lend_layers(y, from, to, frame, par, threads);
  if_end(e, &branch);
}

/* A frame on the stack; `once` is what all images share. */
static Ref new_frame(Emit *e, Ref inputs, Ref once, Ref work, Ref scratch, Ref threads) {
  const Build *b = e->build;
  int64_t weights = e->weights_field, size = weights + (weights_are_input(b) ? 8 : 0);
  Ref frame = LLVMBuildAlloca(e->b, LLVMArrayType2(e->i64, (uint64_t)size / 8), "");
  LLVMSetAlignment(frame, 8);
  store(e, work, frame, FRAME_WORK, 8);
  store(e, scratch, frame, FRAME_SCRATCH, 8);
  store(e, threads, frame, FRAME_TASKS, 4);
  if (b->once_size || b->image_runs) store(e, once, frame, frame_once(e->g), 8);
  if (weights_are_input(b)) {
    Ref first = gep_const(e, array_item(e, inputs, e->g->n_input), (int64_t)sizeof b->weights_head);
    store(e, first, frame, weights, 8);
  }
  return frame;
}

/* Bytes from what the images of a run leave to all to those of the next. */
static int64_t joined_bytes(const Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    const Value *v = g->node[i]->in[0];
    if (g->node[i]->op == OP_Images) return v->shape.d[0] * place_image_bytes(v);
  }
  return 0;
}

/* The layers from `from` to `to` on that image. */
static void run_image(Entry *y, int from, int to, Ref frame, Ref inputs, Ref outputs, Ref image, Ref par, Ref threads) {
  const Graph *g = y->e->g;
  place_image(y->e, gep_const(y->e, frame, FRAME_IO), inputs, g->input, g->n_input, image);
  place_image(y->e, gep_const(y->e, frame, FRAME_IO + 8 * g->n_input), outputs, g->output, g->n_output, image);
  if (y->e->build->image_runs) {
    Ref all = load(y->e, y->e->ptr, frame, frame_once(g), 8);
    store(y->e, gep(y->e, all, image, joined_bytes(g)), frame, frame_image(g), 8);
  }
  run_layers(y, from, to, frame, par, threads);
}

enum { JOB_INPUTS = 0, JOB_OUTPUTS = 8, JOB_WORK = 16, JOB_WORDS = 3 };

/* void image_task(void *job, int32_t image, int32_t worker): the layers of an image on one. */
static void build_image_task(Entry *y) {
  Emit *e = y->e;
  y->image_task = new_function(y, "image_task", task_type(e), false);
  Ref job = LLVMGetParam(y->image_task, 0), image = LLVMBuildSExt(e->b, LLVMGetParam(y->image_task, 1), e->i64, "");
  Ref worker = LLVMBuildSExt(e->b, LLVMGetParam(y->image_task, 2), e->i64, "");
  Ref once = load(e, e->ptr, job, JOB_WORK, 8);
  Ref work = gep(e, gep_const(e, once, e->build->once_size), worker, e->build->work_size + e->build->scratch_size);
  Ref one = const_i32(e, 1), inputs = load(e, e->ptr, job, JOB_INPUTS, 8);
  Ref frame = new_frame(e, inputs, once, work, gep_const(e, work, e->build->work_size), one);
  Ref outputs = load(e, e->ptr, job, JOB_OUTPUTS, 8);
  run_image(y, y->n_once, y->n_image, frame, inputs, outputs, image, LLVMConstNull(e->ptr), one);
  LLVMBuildRetVoid(e->b);
}

/* Lends the threads so many whole images, the first ones; none where the workspace is not large enough, or their number no
 * int32_t. */
static Ref run_apart(Entry *y, const Ref *arg, Ref threads) {
  Emit *e = y->e;
  Ref job = LLVMBuildAlloca(e->b, LLVMArrayType2(e->i64, JOB_WORDS), "");
  Ref apart = images_apart(e, image_count(e, arg[RUN_BATCH]), threads);
  Ref fits = LLVMBuildICmp(e->b, LLVMIntUGE, arg[RUN_SIZE], size_apart(e, threads), "");
  fits = LLVMBuildAnd(e->b, fits, compare(e, LLVMIntSLE, apart, INT32_MAX), "");
  apart = LLVMBuildSelect(e->b, fits, apart, const_i64(e, 0), "");
  store(e, arg[RUN_INPUTS], job, JOB_INPUTS, 8);
  store(e, arg[RUN_OUTPUTS], job, JOB_OUTPUTS, 8);
  store(e, arg[RUN_WORK], job, JOB_WORK, 8);
  If some;
  if_begin(e, &some, compare(e, LLVMIntSGT, apart, 0));
  LLVMTypeRef lend_type = LLVMFunctionType(e->void_, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr, e->i32}, 4, 0);
  Ref run = load(e, e->ptr, arg[RUN_PAR], offsetof(rcc_parallel, run), 8);
  Ref count = LLVMBuildTrunc(e->b, apart, e->i32, "");
  call(e, run, lend_type, 4, (Ref[]){arg[RUN_PAR], y->image_task, job, count});
  if_end(e, &some);
  return apart;
}

/* Runs as many whole groups as there are, where the workspace is large enough; what is left over is the arguments' then. */
static void run_groups(Entry *y, Ref *arg, Ref threads) {
  Emit *e = y->e;
  const Graph *g = e->g;
  int64_t images = group_images(y->e->build);
  Ref in = LLVMBuildAlloca(e->b, LLVMArrayType2(e->i64, (uint64_t)g->n_input + 1), "");
  Ref out = LLVMBuildAlloca(e->b, LLVMArrayType2(e->i64, (uint64_t)g->n_output), "");
  if (weights_are_input(e->build)) store(e, array_item(e, arg[RUN_INPUTS], g->n_input), in, 8 * g->n_input, 8);
  Ref size = group_size(y, threads), fits = LLVMBuildICmp(e->b, LLVMIntUGE, arg[RUN_SIZE], size, "");
  fits = LLVMBuildAnd(e->b, fits, compare(e, LLVMIntNE, size, 0), "");
  Ref groups = LLVMBuildSDiv(e->b, arg[RUN_BATCH], const_i64(e, images), "");
  Ref end = mul_i(e, LLVMBuildSelect(e->b, fits, groups, const_i64(e, 0), ""), images);
  Loop first;
  loop_begin(e, &first, const_i64(e, 0), end, images, 0, NULL);
  place_image(e, in, arg[RUN_INPUTS], g->input, g->n_input, first.i);
  place_image(e, out, arg[RUN_OUTPUTS], g->output, g->n_output, first.i);
  Ref args[RUN_N] = {in, out, const_i64(e, 1), arg[RUN_WORK], arg[RUN_SIZE], arg[RUN_PAR]};
  call(e, y->group->run, y->group->run_type, RUN_N, args); /* all that it checks has been */
  loop_end(e, &first);
  place_image(e, in, arg[RUN_INPUTS], g->input, g->n_input, end);
  place_image(e, out, arg[RUN_OUTPUTS], g->output, g->n_output, end);
  arg[RUN_INPUTS] = in;
  arg[RUN_OUTPUTS] = out;
  arg[RUN_BATCH] = LLVMBuildSub(e->b, arg[RUN_BATCH], end, "");
}

/* Into more tasks no layer is split, however many threads there are: then items times tasks do not overflow. */
enum { MOST_TASKS = 1 << 16 };

static void build_run(Entry *y) {
  Emit *e = y->e;
  LLVMTypeRef types[RUN_N] = {e->ptr, e->ptr, e->i64, e->ptr, e->i64, e->ptr};
  y->run_type = LLVMFunctionType(e->i32, types, RUN_N, 0);
  y->run = new_function(y, "run", y->run_type, false);
  Ref arg[RUN_N];
  LLVMGetParams(y->run, arg);
  Ref threads = check_run(y, arg);
  if (y->group) run_groups(y, arg, threads);
  Ref once = arg[RUN_WORK], work = gep_const(e, once, e->build->once_size), zero = const_i64(e, 0);
  Ref many = compare(e, LLVMIntSGT, threads, MOST_TASKS);
  Ref tasks = LLVMBuildSelect(e->b, many, const_i32(e, MOST_TASKS), threads, "");
  Ref frame = new_frame(e, arg[RUN_INPUTS], once, work, gep_const(e, work, e->build->work_size), tasks);
  if (y->n_once) run_image(y, 0, y->n_once, frame, arg[RUN_INPUTS], arg[RUN_OUTPUTS], zero, arg[RUN_PAR], tasks);
  Ref first = runs_often(e) ? run_apart(y, arg, threads) : zero;
  Loop image;
  loop_begin(e, &image, first, image_count(e, arg[RUN_BATCH]), 1, 0, NULL);
  run_image(y, y->n_once, y->n_image, frame, arg[RUN_INPUTS], arg[RUN_OUTPUTS], image.i, arg[RUN_PAR], tasks);
  loop_end(e, &image);
  if (y->n_image < y->count) run_image(y, y->n_image, y->count, frame, arg[RUN_INPUTS], arg[RUN_OUTPUTS], zero, arg[RUN_PAR], tasks);
  LLVMBuildRet(e->b, const_i32(e, RCC_OK));
}

void emit_entry(Entry *y, const Entry *group) {
  Emit *e = y->e;
  y->n_once = layers_before(e->build, e->build->n_once);
  y->n_image = layers_before(e->build, e->build->n_image);
  y->group = group;
  if (y->count > 0) y->table = layer_table(y), y->places = place_table(y);
  if (e->build->n_strips > 0) build_steps(y);
  build_workspace_size(y);
  if (runs_often(e)) build_image_task(y);
  build_run(y);
  Ref made[] = {y->workspace_size, y->run, e->build->one ? NULL : build_typed_run(y), y->image_task};
  for (size_t i = 0; i < COUNT(made); i++) {
    if (made[i]) count_instructions(e, made[i]);
  }
  if (e->build->one) return;
  build_table(y);
  build_labels(y);
}
