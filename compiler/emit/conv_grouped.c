/* conv_grouped.c: convolution with as many output as input channels a group, 2 to 8, whole groups of which
 * share a vector.
 *
 * Every product stays in the lane of its input: sums[r], lane l, adds up x[l] * w[out l ^ r][in l], so
 * that the inner loop has whole vectors of inputs and weights only, no broadcasts or shuffles, and no zero
 * weights between groups. Lanes change places once an output: y[l] is the sum over r of sums[r][l ^ r]. A
 * group that fills a vector alone has too many sums for 16 registers: its input comes in two parts, each
 * read into both halves of the vector, with half the sums.
 *
 * Operations for a pixel of a 3x3 filter: 9*icg products, then icg-1 additions and shuffles. Where those
 * have pipes of their own (Zen) the products alone count. With AVX-512 on Intel, where only ports 0 and 5
 * compute on 512 bits and 5 alone shuffles, products are 36 of 42 operations for groups of 4 and 72 of 86
 * for groups of 8; dense diagonal blocks of 16 x 16 would take 144. Groups of 16 are dense there, and
 * direct convolution broadcasts within its products. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Grouped {
  Emit *e;
  Node *n;
  const GroupedPlan *plan;
  const Window *win;
  const Value *in, *out;
  int64_t rows, cols, blocks;
  int width;           /* lanes of the weights in the block at hand: all, or as many as the last block has (packed_columns) */
} Grouped;

enum { ARG_IN, ARG_W, ARG_OUT, ARG_BIAS, ARG_STEPS };

static void kernel_key(const Grouped *g, Buffer *key) {
  const Window *w = g->win;
  buffer_printf(key, "grouped%d.%d_%lldx%d_k%lldx%lld_s%lld_d%lldx%lld_in%lld.%lld_out%lld", g->plan->icg,
                g->plan->sums, (long long)g->cols, g->plan->uw, (long long)w->kh, (long long)w->kw, (long long)w->sw,
                (long long)w->dh, (long long)w->dw, (long long)g->in->layout.row, (long long)g->in->layout.pix,
                (long long)g->out->layout.pix);
  if (g->width < g->e->lanes) buffer_printf(key, "_w%d", g->width);
  step_key(g->n, key);
  buffer_add(key, "", 1);
}

static int64_t tap_bytes(const Grouped *g) { return (int64_t)g->plan->icg * g->width * F32_BYTES; }

/* Lane l of the result is lane (l & keep) ^ flip of v. */
static Ref shuffle(Emit *e, Ref v, int keep, int flip) {
  Ref lane[64];
  for (int l = 0; l < e->lanes; l++) lane[l] = const_i32(e, (l & keep) ^ flip);
  Ref lanes = LLVMConstVector(lane, (unsigned)e->lanes);
  return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)), lanes, "");
}

/* A pixel's inputs for `part`: the whole vector, or where a group fills it alone, a part of it repeated. */
static Ref load_part(const Grouped *g, Ref pixel, int64_t at, int part) {
  Emit *e = g->e;
  int sums = g->plan->sums;
  if (sums == g->plan->icg) return load(e, e->vec, pixel, at, e->vec_bytes);
  Ref x = load(e, vec_of(e->f32, sums), pixel, at + part * sums * F32_BYTES, sums * F32_BYTES);
  return shuffle(e, x, sums - 1, 0);
}

static void sum_tap(const Grouped *g, int uw, Ref line, int64_t kw, Ref weights, Ref *acc) {
  Emit *e = g->e;
  int sums = g->plan->sums;
  for (int part = 0; part < g->plan->icg / sums; part++) {
    Ref x[MAX_TILE];
    for (int u = 0; u < uw; u++) {
      x[u] = load_part(g, line, place_offset(g->in, 0, 0, u * g->win->sw + kw * g->win->dw), part);
    }
    for (int r = 0; r < sums; r++) {
      int64_t at = kw * tap_bytes(g) + (part * sums + r) * g->width * F32_BYTES;
      Ref w = load(e, e->vec, weights, at, g->width < e->lanes ? F32_BYTES : e->vec_bytes);
      for (int u = 0; u < uw; u++) acc[u * sums + r] = fma_(e, x[u], w, acc[u * sums + r]);
      end_step(e);
    }
  }
}

enum { MAX_TAPS = 16 }; /* longer rows of taps are a loop */

static void sum_row(const Grouped *g, int uw, Ref line, Ref weights, Ref *acc) {
  Emit *e = g->e;
  if (g->win->kw > MAX_TAPS) {
    Loop tap;
    loop_begin(e, &tap, const_i64(e, 0), const_i64(e, g->win->kw), 1, uw * g->plan->sums, acc);
    sum_tap(g, uw, gep(e, line, tap.i, g->win->dw * place_pixel_bytes(g->in)), 0, gep(e, weights, tap.i, tap_bytes(g)), acc);
    loop_end(e, &tap);
    return;
  }
  for (int64_t kw = 0; kw < g->win->kw; kw++) sum_tap(g, uw, line, kw, weights, acc);
}

/* One pixel's sums, each lane where its output belongs: half of them at a time move to meet the others. */
static Ref gather_sums(const Grouped *g, Ref *acc) {
  for (int half = g->plan->sums / 2; half > 0; half /= 2) {
    for (int r = 0; r < half; r++) acc[r] = add_f(g->e, acc[r], shuffle(g->e, acc[r + half], -1, half));
  }
  return acc[0];
}

/* The pixels x..x+uw of the row. */
static void build_tile(const Grouped *g, int uw, Ref x) {
  Emit *e = g->e;
  int sums = g->plan->sums, vector = e->vec_bytes;
  Ref acc[64], arg[MAX_STEPS], bias = load(e, e->vec, LLVMGetParam(e->fn, ARG_BIAS), 0, vector);
  for (int i = 0; i < uw * sums; i++) acc[i] = i % sums == 0 ? bias : LLVMConstNull(e->vec);
  Ref in = gep(e, LLVMGetParam(e->fn, ARG_IN), x, g->win->sw * place_pixel_bytes(g->in));
  Loop kh;
  loop_begin(e, &kh, const_i64(e, 0), const_i64(e, g->win->kh), 1, uw * sums, acc);
  Ref line = gep(e, in, kh.i, g->win->dh * place_row_bytes(g->in));
  Ref weights = gep(e, LLVMGetParam(e->fn, ARG_W), kh.i, g->win->kw * tap_bytes(g));
  sum_row(g, uw, line, weights, acc);
  loop_end(e, &kh);
  Ref out = gep(e, LLVMGetParam(e->fn, ARG_OUT), x, place_pixel_bytes(g->out));
  step_params(e, g->n, ARG_STEPS, arg);
  steps_along_row(e, g->n, x, arg);
  for (int u = 0; u < uw; u++) {
    Ref y = apply_steps(e, g->n, gather_sums(g, &acc[u * sums]), arg, 0, 0, u);
    store(e, y, out, u * place_pixel_bytes(g->out), vector);
  }
}

/* A row of one block. */
static void build_kernel(const void *data) {
  const Grouped *g = data;
  Emit *e = g->e;
  const RowTiles t = row_tiles(g->cols, g->plan->uw);
  for (int i = 0; i < 2; i++) {
    Loop tile;
    Ref x;
    if (!row_tiles_begin(e, &tile, &t, i, NULL, NULL, &x)) continue;
    build_tile(g, (int)t.size[i], x);
    loop_end(e, &tile);
  }
}

static void call_row(const Grouped *g, Ref image, Ref block, Ref row) {
  Emit *e = g->e;
  int64_t filter = (int64_t)g->win->kh * g->win->kw * g->plan->icg * e->vec_bytes;
  Ref in = place_window(e, g->in, g->win, image, NULL, row, NULL), out = place_at(e, g->out, image, NULL, row, NULL);
  in = place_from(e, in, g->in, NULL, block, NULL, NULL);
  Ref weights = gep(e, weights_ptr(e, g->n->plan->at.weights), block, filter);
  out = place_from(e, out, g->out, NULL, block, NULL, NULL);
  Ref args[MAX_KERNEL_ARGS] = {in, weights, out, gep(e, weights_ptr(e, g->n->plan->at.bias), block, e->vec_bytes)};
  step_pointers(e, g->n, image, block, row, const_i64(e, 0), args + ARG_STEPS);
  Buffer key = {0};
  kernel_key(g, &key);
  call_kernel(e, key.data, ARG_STEPS + g->n->n_step, args, build_kernel, g);
  buffer_free(&key);
}

/* The last block's weights may be cut, and then its code is another. */
static void call_block(Grouped *g, Ref image, Ref block, Ref row) {
  Emit *e = g->e;
  int rest = (int)(packed_columns(g->n->out[0]->shape.d[1], e->lanes) % e->lanes);
  If branch;
  g->width = rest > 0 && g->blocks == 1 ? rest : e->lanes;
  if (rest == 0 || g->blocks == 1) {
    call_row(g, image, block, row);
    return;
  }
  for (int last = 0; last < 2; last++) {
    g->width = last ? rest : e->lanes;
    if_begin(e, &branch, LLVMBuildICmp(e->b, last ? LLVMIntEQ : LLVMIntSLT, block, const_i64(e, g->blocks - 1), ""));
    call_row(g, image, block, row);
    if_end(e, &branch);
  }
}

/* All blocks of a row one after the other, as they lie in memory. */
void emit_grouped(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Grouped g = {.e = e, .n = n, .plan = &n->plan->grouped, .win = &n->win, .in = n->in[0], .out = n->out[0],
               .rows = y->d[2], .cols = y->d[3],
               .blocks = (y->d[1] + e->lanes - 1) / e->lanes};
  assert(g.plan->sums == g.plan->icg || g.plan->icg == e->lanes);
  emit_halo(e, n->out[0]);
  Ref lo, hi, rows = const_i64(e, g.rows), blocks = const_i64(e, g.blocks);
  task_range(e, y->d[0] * g.blocks * g.rows, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref line = LLVMBuildSDiv(e->b, item.i, blocks, "");
  call_block(&g, LLVMBuildSDiv(e->b, line, rows, ""), LLVMBuildSRem(e->b, item.i, blocks, ""),
             LLVMBuildSRem(e->b, line, rows, ""));
  loop_end(e, &item);
}
