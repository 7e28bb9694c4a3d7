/* pool_plain.c: pools on dense row-major tensors of any numeric type, over one to three axes (a global
 * one over any number, which are one to it), element by element; also where MaxPool's indices are asked
 * for. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { SPACE = 3, MANY_TAPS = 256 };

typedef struct PlainPool {
  Emit *e;
  Node *n;
  Type type;
  LLVMTypeRef elem;                          /* of what is combined */
  bool max, count_pad, frames;
  bool integers, quantized;                  /* sums of integers; means of quantised numbers */
  int power;                                 /* of a norm: its order; else 0 */
  bool wide;                                 /* many elements of fp32 are summed in double */
  int64_t in[SPACE], out[SPACE];             /* D, H, W */
  int64_t kernel[SPACE], stride[SPACE], dilation[SPACE], before[SPACE], after[SPACE];
  Ref plane;                                 /* image and channel: the item */
  Ref at[SPACE];                             /* the output element */
  Ref lo[SPACE], hi[SPACE];                  /* taps inside the image */
  Ref count;                                 /* of a mean: elements that count, as a float */
} PlainPool;

Ref pool_power(Emit *e, Ref x, int power) {
  Ref base = abs_f(e, x), result = NULL;
  for (int n = power; n > 0; n /= 2) { /* as many products as it has digits */
    if (n % 2) result = result ? mul_f(e, result, base) : base;
    base = mul_f(e, base, base);
  }
  return result;
}

Ref pool_root(Emit *e, Ref x, int power) {
  if (power == 1) return x;
  if (power == 2) return sqrt_f(e, x);
  Ref zero = real_like(e, x, 0), is_zero = LLVMBuildFCmp(e->b, LLVMRealOEQ, x, zero, "");
  return choose(e, is_zero, zero, math_exp(e, mul_f(e, math_log(e, x), real_like(e, x, 1.0 / power))));
}

static void set_window(PlainPool *p, const Window *w) {
  const Shape *x = &p->n->in[0]->shape, *y = p->n->out[0] ? &p->n->out[0]->shape : &p->n->out[1]->shape;
  const int64_t kernel[] = {w->kd, w->kh, w->kw}, stride[] = {w->sd, w->sh, w->sw};
  const int64_t dilation[] = {w->dd, w->dh, w->dw};
  const int64_t before[] = {w->front, w->top, w->left}, after[] = {w->back, w->bottom, w->right};
  for (int i = 0; i < SPACE; i++) {
    int axis = x->rank - SPACE + i;
    p->in[i] = axis < 2 ? 1 : x->d[axis];
    p->out[i] = axis < 2 ? 1 : y->d[axis];
    p->kernel[i] = kernel[i];
    p->stride[i] = stride[i];
    p->dilation[i] = dilation[i];
    p->before[i] = before[i];
    p->after[i] = after[i];
  }
  if (!p->frames) return;
  p->in[0] = p->n->p.depth;
  p->out[0] = y->d[0] / (x->d[0] / p->in[0]);
}

static void set_global(PlainPool *p) {
  for (int i = 0; i < SPACE; i++) p->in[i] = p->out[i] = p->kernel[i] = p->stride[i] = p->dilation[i] = 1;
  p->in[2] = shape_count(&p->n->in[0]->shape) / shape_count(&p->n->out[0]->shape);
  p->kernel[2] = p->in[2];
}

/* ==== one output element ==== */

/* Of axis i. */
static Ref axis_before(const PlainPool *p, int i, Ref start, int64_t end) {
  return taps_before(p->e, start, end, p->dilation[i], p->kernel[i]);
}

static Ref window_start(const PlainPool *p, int i) {
  return add_i(p->e, mul_i(p->e, p->at[i], p->stride[i]), const_i64(p->e, -p->before[i]));
}

static void clip_window(PlainPool *p) {
  Emit *e = p->e;
  for (int i = 0; i < SPACE; i++) {
    Ref start = window_start(p, i);
    p->lo[i] = axis_before(p, i, start, 0);
    p->hi[i] = axis_before(p, i, start, p->in[i]);
    Ref n = LLVMBuildSub(e->b, p->hi[i], p->lo[i], "");
    if (p->quantized && p->count_pad) n = const_i64(e, p->kernel[i]);
    else if (p->count_pad) n = axis_before(p, i, start, p->in[i] + p->after[i]);
    if (p->max || p->power || p->integers) continue;
    n = LLVMBuildSIToFP(e->b, n, p->elem, ""); /* of three axes the product may not fit in 64 bits */
    p->count = i == 0 ? n : mul_f(e, p->count, n);
  }
}

/* acc[0]: the maximum or sum so far, acc[1]: the index of the maximum. */
static void take(const PlainPool *p, Ref index, Ref *acc) {
  Emit *e = p->e;
  Ref x = load_element(e, p->n->in[0], index);
  if (p->power) x = pool_power(e, x, p->power);
  if (p->integers || p->quantized) x = pool_term(e, p->n, x);
  if (p->integers) {
    acc[0] = LLVMBuildAdd(e->b, acc[0], x, "");
    return;
  }
  if (!p->max) {
    acc[0] = add_f(e, acc[0], p->wide ? widened(e, x) : x);
    return;
  }
  Ref first = LLVMBuildICmp(e->b, LLVMIntSLT, acc[1], const_i64(e, 0), "");
  Ref better = LLVMBuildOr(e->b, first, math_beats(e, p->type, x, acc[0]), "");
  acc[0] = choose(e, better, x, acc[0]);
  acc[1] = choose(e, better, index, acc[1]);
}

/* The line of maps that is number `at` along axis i of `index`, a channel of all volumes in the end; frames lie behind each other. */
static Ref enter_axis(const PlainPool *p, int i, Ref index, Ref at, const int64_t *size) {
  Emit *e = p->e;
  if (i > 0 || !p->frames) return add_i(e, mul_i(e, index, size[i]), at);
  Ref channels = const_i64(e, p->n->in[0]->shape.d[1]), volume = LLVMBuildUDiv(e->b, index, channels, "");
  Ref frame = add_i(e, mul_i(e, volume, size[i]), at);
  return add_i(e, LLVMBuildNSWMul(e->b, frame, channels, ""), LLVMBuildURem(e->b, index, channels, ""));
}

/* The loops over the window's axes from i on; `index` is the input's element so far. */
static void reduce_axis(const PlainPool *p, int i, Ref index, Ref *acc) {
  if (i == SPACE) {
    take(p, index, acc);
    return;
  }
  Emit *e = p->e;
  Loop l;
  loop_begin(e, &l, p->lo[i], p->hi[i], 1, 2, acc);
  Ref at = add_i(e, window_start(p, i), mul_i(e, l.i, p->dilation[i]));
  reduce_axis(p, i + 1, enter_axis(p, i, index, at, p->in), acc);
  loop_end(e, &l);
}

/* ONNX, MaxPool: with storage_order 1 the last two axes count column by column. */
static Ref stored_index(const PlainPool *p, Ref index) {
  if (!p->n->p.by_column) return index;
  Emit *e = p->e;
  Ref plane = const_i64(e, p->in[1] * p->in[2]), width = const_i64(e, p->in[2]);
  Ref at = LLVMBuildURem(e->b, index, plane, "");
  Ref turned = mul_i(e, LLVMBuildURem(e->b, at, width, ""), p->in[1]);
  turned = add_i(e, turned, LLVMBuildUDiv(e->b, at, width, ""));
  return add_i(e, LLVMBuildSub(e->b, index, at, ""), turned);
}

static Ref with_steps(const PlainPool *p, Ref x) {
  Emit *e = p->e;
  Ref row = p->plane, col = p->at[2];
  for (int i = 0; i < 2; i++) row = enter_axis(p, i, row, p->at[i], p->out);
  if (p->n->in[0]->shape.rank == 2) { /* the last axis of the result is the channel */
    Ref channels = const_i64(e, p->n->in[0]->shape.d[1]);
    row = LLVMBuildUDiv(e->b, p->plane, channels, "");
    col = LLVMBuildURem(e->b, p->plane, channels, "");
  }
  return plain_steps(e, p->n, x, row, col, 1, 1);
}

static void build_element(PlainPool *p) {
  Emit *e = p->e;
  clip_window(p);
  Ref acc[] = {LLVMConstNull(p->wide ? e->f64 : p->elem), const_i64(e, -1)}, index = p->plane;
  reduce_axis(p, 0, index, acc);
  if (p->wide) acc[0] = narrowed(e, acc[0]);
  if (p->power) acc[0] = pool_root(e, acc[0], p->power);
  else if (p->quantized) acc[0] = pool_mean(e, p->n, acc[0], p->count);
  else if (!p->max && !p->integers) acc[0] = div_f(e, acc[0], p->count);
  Ref at = p->plane;
  for (int i = 0; i < SPACE; i++) at = enter_axis(p, i, at, p->at[i], p->out);
  const Node *n = p->n;
  if (n->out[0]) {
    int size = (int)type_size(n->out[0]->type);
    store(e, with_steps(p, acc[0]), gep(e, value_ptr(e, n->out[0]), at, size), 0, size);
  }
  if (n->n_out < 2 || !n->out[1]) return;
  store(e, stored_index(p, acc[1]), gep(e, value_ptr(e, n->out[1]), at, 8), 0, 8);
}

static void build_axis(PlainPool *p, int i) {
  if (i == SPACE) {
    build_element(p);
    return;
  }
  Loop l;
  loop_begin(p->e, &l, const_i64(p->e, 0), const_i64(p->e, p->out[i]), 1, 0, NULL);
  p->at[i] = l.i;
  build_axis(p, i + 1);
  loop_end(p->e, &l);
}

void emit_pool_plain(Emit *e, Node *n) {
  const Shape *x = &n->in[0]->shape;
  PlainPool p = {.e = e, .n = n, .type = n->in[0]->type};
  p.integers = n->op == OP_GlobalSumPool;
  p.quantized = n->op == OP_QuantizedAveragePool;
  p.elem = p.integers ? e->i32 : p.quantized ? e->f32 : llvm_type(e, p.type);
  p.max = is_max_pool(n);
  p.count_pad = n->p.count_pad;
  p.frames = n->p.depth != 0;
  p.power = is_lp_pool(n) ? n->p.power : 0;
  if (is_global_pool(n)) set_global(&p);
  else set_window(&p, &n->win);
  int64_t taps = size_mul(size_mul(p.kernel[0], p.kernel[1]), p.kernel[2]);
  p.wide = !p.max && p.type == T_F32 && taps > MANY_TAPS;
  Ref lo, hi;
  task_range(e, (p.frames ? x->d[0] / n->p.depth : x->d[0]) * x->d[1], &lo, &hi);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  p.plane = l.i;
  build_axis(&p, 0);
  loop_end(e, &l);
}
