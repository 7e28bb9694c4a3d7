/* conv_depthwise.c: depthwise convolution on channel blocks: a vector is one pixel's V channels, each with a filter of its
 * own, so weights and inputs meet lane by lane. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Depthwise {
  Emit *e;
  Node *n;
  const Window *win;
  const Value *in, *out;
  int64_t rows, cols, blocks;
  int rest;            /* lanes of the last block's weights where these are cut (packed_columns), else 0 */
} Depthwise;

enum { ARG_IN, ARG_W, ARG_OUT, ARG_BIAS, ARG_STEPS };

static void kernel_key(const Depthwise *d, int uw, int width, Buffer *key) {
  const Window *w = d->win;
  buffer_printf(key, "depthwise_%d_k%lldx%lld_s%lld_d%lldx%lld_in%lld.%lld_out%lld", uw, (long long)w->kh, (long long)w->kw,
                (long long)w->sw, (long long)w->dh, (long long)w->dw, (long long)d->in->layout.row,
                (long long)d->in->layout.pix, (long long)d->out->layout.pix);
  if (width < d->e->lanes) buffer_printf(key, "_w%d", width);
  step_key(d->n, key);
  buffer_add(key, "", 1);
}

enum { MAX_TAPS = 16, UNROLL = 8 }; /* longer rows of taps are a loop over so many of them */

/* So many taps of a row. An input is loaded once, for all sums that it goes into: with the weights in registers the loop is then
 * one of products, not of loads. */
static void sum_taps(const Depthwise *d, int uw, int width, int64_t taps, Ref line, Ref weights, Ref *acc) {
  Emit *e = d->e;
  Ref w[MAX_TAPS];
  for (int64_t kw = 0; kw < taps; kw++)
    w[kw] = load(e, e->vec, weights, kw * width * F32_BYTES, width < e->lanes ? F32_BYTES : e->vec_bytes);
  for (int64_t x = 0; x <= (uw - 1) * d->win->sw + (taps - 1) * d->win->dw; x++) {
    Ref in = NULL;
    for (int64_t kw = 0; kw < taps; kw++) {
      int64_t first = x - kw * d->win->dw, u = first / d->win->sw;
      if (first < 0 || first % d->win->sw != 0 || u >= uw) continue;
      if (!in) in = load(e, e->vec, line, place_offset(d->in, 0, 0, x), e->vec_bytes);
      acc[u] = fma_(e, in, w[kw], acc[u]);
    }
  }
}

static void sum_row(const Depthwise *d, int uw, int width, Ref line, Ref weights, Ref *acc) {
  Emit *e = d->e;
  int64_t kw = d->win->kw, step = d->win->dw * place_pixel_bytes(d->in);
  int64_t whole = kw > MAX_TAPS ? kw / UNROLL * UNROLL : 0;
  if (whole > 0) {
    Loop tap;
    loop_begin(e, &tap, const_i64(e, 0), const_i64(e, whole), UNROLL, uw, acc);
    sum_taps(d, uw, width, UNROLL, gep(e, line, tap.i, step), gep(e, weights, tap.i, width * F32_BYTES), acc);
    loop_end(e, &tap);
  }
  line = gep_const(e, line, whole * step);
  sum_taps(d, uw, width, kw - whole, line, gep_const(e, weights, whole * width * F32_BYTES), acc);
}

typedef struct DepthwiseKernel {
  const Depthwise *d;
  int uw, width;
} DepthwiseKernel;

static void build_kernel(const void *data) {
  const Depthwise *d = ((const DepthwiseKernel *)data)->d;
  int uw = ((const DepthwiseKernel *)data)->uw, width = ((const DepthwiseKernel *)data)->width;
  Emit *e = d->e;
  Ref acc[64], arg[MAX_STEPS];
  Ref bias = load(e, e->vec, LLVMGetParam(e->fn, ARG_BIAS), 0, e->vec_bytes);
  for (int u = 0; u < uw; u++) acc[u] = bias;
  Loop kh;
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, d->win->kh), 1, uw, acc);
  Ref line = gep(e, LLVMGetParam(e->fn, ARG_IN), kh.i, d->win->dh * place_row_bytes(d->in));
  sum_row(d, uw, width, line, gep(e, LLVMGetParam(e->fn, ARG_W), kh.i, (int64_t)d->win->kw * width * F32_BYTES), acc);
  loop_end(e, &kh);
  step_params(e, d->n, ARG_STEPS, arg);
  for (int u = 0; u < uw; u++) {
    Ref y = apply_steps(e, d->n, acc[u], arg, 0, 0, u);
    store(e, y, LLVMGetParam(e->fn, ARG_OUT), place_offset(d->out, 0, 0, u), e->vec_bytes);
  }
}

static void call_tile(const Depthwise *d, int uw, int width, Ref image, Ref row, Ref block, Ref x) {
  Emit *e = d->e;
  const Plan *plan = d->n->plan;
  int64_t taps = (int64_t)d->win->kh * d->win->kw;
  Ref in = place_window(e, d->in, d->win, image, block, row, x), out = place_at(e, d->out, image, block, row, x);
  Ref args[MAX_KERNEL_ARGS] = {in, gep(e, weights_ptr(e, plan->at.weights), block, taps * e->vec_bytes), out,
                              gep(e, weights_ptr(e, plan->at.bias), block, e->vec_bytes)};
  step_pointers(e, d->n, image, block, row, x, args + ARG_STEPS);
  Buffer key = {0};
  kernel_key(d, uw, width, &key);
  call_kernel(e, key.data, ARG_STEPS + d->n->n_step, args, build_kernel, &(DepthwiseKernel){d, uw, width});
  buffer_free(&key);
}

static void row_of_block(const Depthwise *d, int width, Ref image, Ref row, Ref block) {
  Emit *e = d->e;
  const RowTiles t = row_tiles(d->cols, d->n->plan->depthwise.uw);
  for (int i = 0; i < 2; i++) {
    Loop tile;
    Ref x;
    if (!row_tiles_begin(e, &tile, &t, i, NULL, NULL, &x)) continue;
    call_tile(d, (int)t.size[i], width, image, row, block, x);
    loop_end(e, &tile);
  }
}

/* Rows [lo, hi) of all images, of a block: what a row shares with the next one stays in L1. */
static void rows_of_block(const Depthwise *d, int width, Ref lo, Ref hi, Ref block) {
  Emit *e = d->e;
  Ref rows = const_i64(e, d->rows);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  row_of_block(d, width, LLVMBuildSDiv(e->b, item.i, rows, ""), LLVMBuildSRem(e->b, item.i, rows, ""), block);
  loop_end(e, &item);
}

void emit_depthwise(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Depthwise d = {.e = e, .n = n, .win = &n->win, .in = n->in[0], .out = n->out[0], .rows = y->d[2],
                 .cols = y->d[3], .blocks = (y->d[1] + e->lanes - 1) / e->lanes};
  d.rest = (int)(packed_columns(y->d[1], e->lanes) % e->lanes);
  emit_halo(e, n->out[0]);
  Ref lo, hi;
  task_range(e, y->d[0] * d.rows, &lo, &hi);
  int64_t whole = d.rest ? d.blocks - 1 : d.blocks;
  if (whole > 0) {
    Loop block;
    loop_begin(e, &block, const_i64(e, 0), const_i64(e, whole), 1, 0, NULL);
    rows_of_block(&d, e->lanes, lo, hi, block.i);
    loop_end(e, &block);
  }
  if (d.rest) rows_of_block(&d, d.rest, lo, hi, const_i64(e, whole));
}
