/* conv_integer_depthwise.c: depthwise convolution of u8 activations and s8 weights on channel blocks.
 *
 * A block has four vectors of sums. For vpdpbusd, which adds four products to a channel's sum, the bytes of up to four pixels of a
 * column are interleaved, so that a lane of a vector has those of one channel, and its weights beside it:
 *
 *   row 0   a b c d e f ...        one pixel's channels, a byte each
 *   row 1   A B C D E F ...        (V = 4: a block is 16 channels)
 *   row 2   ...
 *
 *   fours   [a A . .] [b B . .] [c C . .] [d D . .]      vector 0, and so on: bytes by two, then by four
 *
 * pmaddwd adds two products, in 16 bits those of the even and of the odd rows. Where that is all the CPU has, they are widened to 32
 * bits and put together; weights of 9 bits on others take the bytes apart again:
 *
 *   pairs   [a . row 2's .] [b ...                       rows 0 and 2; [A . row 3's .] [B ... rows 1 and 3
 *
 * Neither saturates. A column is read once for all pixels of the result that it is part of, from the left to the right; a pixel is
 * finished after its last column. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct IntegerDepthwise {
  Emit *e;
  Node *n;
  const IntegerDepthwisePlan *plan;
  Dot dot;
  const Window *win;
  const Value *in, *out;
  int64_t rows, cols;
  int first, nv;       /* vectors of sums at hand in a block */
} IntegerDepthwise;

enum { ARG_IN, ARG_W, ARG_OUT, ARG_ROW_BYTES, ARG_TILES, ARG_STEPS }; /* bytes between rows of taps; tiles of a row, if all are alike */
enum { MOST_PIXELS = 16 };

/* Pixels x .. x + uw of a row. */
typedef struct DepthwiseTile {
  int uw;
  Ref in, weights, out;
  Ref arg[MAX_STEPS];
  Ref start[INTEGER_VECTORS];
  Ref acc[MOST_PIXELS][INTEGER_VECTORS];
} DepthwiseTile;

/* ==== columns ==== */

/* Elements of half the 16 bytes, the upper one or the lower, of a and b in turn, in all parts of 16 bytes. */
static Ref interleave(Emit *e, Ref a, Ref b, int bits, bool upper) {
  int parts = e->lanes / 4, each = 128 / bits;
  Ref index[128];
  LLVMTypeRef type = vec_of(bits == 8 ? e->i8 : e->i16, parts * each);
  for (int i = 0; i < parts * each; i++) {
    int from = i / each * each + (upper ? each / 2 : 0) + i % each / 2;
    index[i] = const_i32(e, from + (i % 2 ? parts * each : 0));
  }
  a = LLVMBuildBitCast(e->b, a, type, "");
  b = LLVMBuildBitCast(e->b, b, type, "");
  return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(index, (unsigned)(parts * each)), "");
}

/* A pixel's fours of channels in an order in which those of vector v are number v of each 16 bytes. */
static Ref spread(Emit *e, Ref pixel) {
  int parts = e->lanes / 4;
  Ref index[64];
  for (int i = 0; i < e->lanes; i++) index[i] = const_i32(e, i % 4 * parts + i / 4);
  Ref fours = LLVMBuildBitCast(e->b, pixel, vec_of(e->i32, e->lanes), "");
  if (parts == 1) return fours;
  return LLVMBuildShuffleVector(e->b, fours, fours, LLVMConstVector(index, (unsigned)e->lanes), "");
}

/* Bytes of which there are no odd ones, or only the first, where the window has a single row of them. */
static Factor factor_of(const IntegerDepthwise *d, Ref bytes, int rows) {
  Emit *e = d->e;
  Factor f = dot_factor(e, d->dot, LLVMBuildBitCast(e->b, bytes, vec_of(e->i32, e->lanes), ""), false);
  for (int i = 1; i < DOT_PARTS && rows == 1; i++) f.part[i] = NULL;
  return f;
}

static Ref row_of(const IntegerDepthwise *d, const DepthwiseTile *t, int64_t row) {
  return gep(d->e, t->in, mul_i(d->e, LLVMGetParam(d->e->fn, ARG_ROW_BYTES), row), 1);
}

/* Rows [row, row + 4) of column x, as far as the window has them: the weights of others are 0, so they hold anything. */
static void load_fours(const IntegerDepthwise *d, const DepthwiseTile *t, int64_t x, int64_t row, Factor *f) {
  Emit *e = d->e;
  int rows = (int)size_min(d->win->kh - row, 4), block = d->in->layout.block;
  Ref pixel[4];
  for (int i = 0; i < 4; i++) {
    if (i >= rows) pixel[i] = pixel[i - 1];
    else pixel[i] = spread(e, load(e, vec_of(e->i8, block), row_of(d, t, row + i), place_offset(d->in, 0, 0, x), block));
  }
  for (int half = d->first / 2; half < (d->first + d->nv + 1) / 2; half++) {
    Ref a = interleave(e, pixel[0], pixel[1], 8, half), b = rows > 2 ? interleave(e, pixel[2], pixel[3], 8, half) : a;
    for (int v = 2 * half; v < 2 * half + 2; v++) {
      if (v >= d->first && v < d->first + d->nv) f[v - d->first] = factor_of(d, interleave(e, a, b, 16, v % 2), rows);
    }
  }
}

/* The same in 16 bits, of a vector; NEON's parts are a row each. */
static Factor load_words(const IntegerDepthwise *d, const DepthwiseTile *t, int64_t x, int64_t row, int vector) {
  Emit *e = d->e;
  int64_t rows = size_min(d->win->kh - row, 4), at = place_offset(d->in, 0, 0, x) + vector * e->lanes;
  Factor f = {{NULL}};
  for (int i = 0; i < rows; i++) {
    Ref bytes = load(e, vec_of(e->i8, e->lanes), row_of(d, t, row + i), at, e->lanes);
    Ref wide = LLVMBuildZExt(e->b, bytes, vec_of(has_neon(e->t) ? e->i16 : e->i32, e->lanes), "");
    if (has_neon(e->t)) f.part[i] = wide;
    else f.part[i % 2] = i < 2 ? wide : LLVMBuildOr(e->b, f.part[i % 2], shift_left(e, wide, 16), "");
  }
  for (int i = 0; i < size_min(rows, 2) && !has_neon(e->t); i++) f.part[i] = LLVMBuildBitCast(e->b, f.part[i], vec_of(e->i16, 2 * e->lanes), "");
  return f;
}

static void load_column(const IntegerDepthwise *d, const DepthwiseTile *t, int64_t x, int64_t row, Factor *f) {
  if (adds_fours(d->e->t)) load_fours(d, t, x, row, f);
  for (int v = 0; !adds_fours(d->e->t) && v < d->nv; v++) f[v] = load_words(d, t, x, row, d->first + v);
}

/* ==== sums ==== */

/* The sum of vector v and the products of four taps, which are number `four` of the window. */
static Ref add_taps(const IntegerDepthwise *d, const DepthwiseTile *t, int v, int64_t four, Factor x, Ref sum) {
  Factor w = dot_weights(d->e, d->dot, t->weights, four * INTEGER_VECTORS + d->first + v);
  return dot_add(d->e, d->dot, x, w, sum);
}

/* Column x of the tile's input, in all sums that it is part of. */
static void sum_column(const IntegerDepthwise *d, DepthwiseTile *t, int64_t x) {
  const Window *w = d->win;
  int64_t deep = size_ceiling(w->kh, 4);
  for (int64_t q = 0; q < deep; q++) {
    Factor f[INTEGER_VECTORS];
    bool loaded = false;
    for (int64_t k = 0; k < w->kw; k++) {
      int64_t u = (x - k * w->dw) / w->sw;
      if (x < k * w->dw || (x - k * w->dw) % w->sw || u >= t->uw) continue;
      if (!loaded) load_column(d, t, x, 4 * q, f);
      loaded = true;
      for (int v = 0; v < d->nv; v++) {
        Ref sum = k == 0 && q == 0 ? t->start[v] : t->acc[u][v];
        t->acc[u][v] = add_taps(d, t, v, k * deep + q, f[v], sum);
      }
    }
  }
  end_step(d->e);
}

/* ==== tiles ==== */

/* Pixels [from, to), whose sums are whole. */
static void finish_pixels(const IntegerDepthwise *d, DepthwiseTile *t, int from, int to) {
  Emit *e = d->e;
  Ref acc[64], arg[MAX_STEPS];
  for (int u = from; u < to; u++)
    for (int v = 0; v < d->nv; v++) acc[v * (to - from) + u - from] = t->acc[u][v];
  for (int i = 0; i < d->n->n_step; i++) arg[i] = t->arg[i];
  steps_along_row(e, d->n, const_i64(e, from), arg);
  store_sums(e, d->n, to - from, d->nv, d->plan->bounded, acc, arg, gep_const(e, t->out, place_offset(d->out, 0, 0, from)));
}

/* As many pixels are finished together as have four vectors. */
static void build_tile(const IntegerDepthwise *d, DepthwiseTile *t) {
  const Window *w = d->win;
  int64_t last = (w->kw - 1) * w->dw;
  int done = 0, whole = 0, together = d->nv == 1 ? 4 : d->nv == 2 ? 2 : 1;
  for (int64_t x = 0; x <= (t->uw - 1) * w->sw + last; x++) {
    sum_column(d, t, x);
    whole += x >= last && (x - last) % w->sw == 0;
    if (whole - done < together && (whole < t->uw || whole == done)) continue;
    finish_pixels(d, t, done, whole);
    done = whole;
  }
}

/* ==== a row of nv vectors of a block ==== */

/* The pixels of all tiles of a row, if they have as many; else 0. */
static int64_t even_tile(const IntegerDepthwise *d) {
  const RowTiles tiles = row_tiles(d->cols, d->plan->uw);
  return tiles.number[0] == 0 ? tiles.size[1] : 0;
}

static void kernel_key(const IntegerDepthwise *d, Buffer *key) {
  const Window *w = d->win;
  bool beside = INTEGER_VECTORS * d->e->lanes <= d->out->layout.block;
  buffer_printf(key, "integer_depthwise%d%s_%d.%d_%lldx%d", d->dot, d->plan->bounded ? "b" : "", d->first, d->nv,
                even_tile(d) ? 0LL : (long long)d->cols, even_tile(d) ? (int)even_tile(d) : d->plan->uw);
  buffer_printf(key, "_k%lldx%lld_s%lld_d%lld_in%lld_out%lld.%lld", (long long)w->kh, (long long)w->kw, (long long)w->sw, (long long)w->dw,
                (long long)d->in->layout.pix, beside ? 0LL : (long long)d->out->layout.c, (long long)d->out->layout.pix);
  step_key(d->n, key);
  buffer_add(key, "", 1);
}

/* Places the tile at pixel x of the row. */
static void begin_tile(const IntegerDepthwise *d, DepthwiseTile *t, Ref x) {
  Emit *e = d->e;
  t->in = gep(e, LLVMGetParam(e->fn, ARG_IN), x, d->win->sw * place_pixel_bytes(d->in));
  t->out = gep(e, LLVMGetParam(e->fn, ARG_OUT), x, place_pixel_bytes(d->out));
  step_params(e, d->n, ARG_STEPS, t->arg);
  steps_along_row(e, d->n, x, t->arg);
}

static void build_kernel(const void *data) {
  const IntegerDepthwise *d = data;
  Emit *e = d->e;
  const RowTiles tiles = row_tiles(d->cols, d->plan->uw);
  DepthwiseTile t = {.weights = gep_const(e, LLVMGetParam(e->fn, ARG_W), INTEGER_VECTORS * e->vec_bytes)};
  for (int v = 0; v < d->nv; v++) {
    t.start[v] = load(e, vec_of(e->i32, e->lanes), LLVMGetParam(e->fn, ARG_W), (d->first + v) * e->vec_bytes, e->vec_bytes);
  }
  for (int i = 0; i < 2; i++) {
    Loop tile;
    if (tiles.number[i] == 0) continue;
    Ref count = even_tile(d) ? LLVMGetParam(e->fn, ARG_TILES) : const_i64(e, tiles.number[i]);
    loop_begin_some(e, &tile, const_i64(e, 0), count, 1, 0, NULL);
    t.uw = (int)tiles.size[i];
    begin_tile(d, &t, add_i(e, mul_i(e, tile.i, tiles.size[i]), const_i64(e, tiles.first[i])));
    build_tile(d, &t);
    loop_end(e, &tile);
  }
}

static void call_row(const IntegerDepthwise *d, Ref image, Ref row, Ref block) {
  Emit *e = d->e;
  Ref vector = add_i(e, mul_i(e, block, INTEGER_VECTORS), const_i64(e, d->first));
  Ref weights = gep(e, weights_ptr(e, d->n->plan->at.weights), block, integer_depthwise_bytes(e->t, d->n));
  Ref out = place_vector(e, value_ptr(e, d->out), d->out, image, vector, row, NULL);
  Ref args[MAX_KERNEL_ARGS] = {place_window(e, d->in, d->win, image, block, row, NULL), weights, out,
                               const_i64(e, d->win->dh * place_row_bytes(d->in)), const_i64(e, row_tiles(d->cols, d->plan->uw).count)};
  step_pointers(e, d->n, image, vector, row, const_i64(e, 0), args + ARG_STEPS);
  Buffer key = {0};
  kernel_key(d, &key);
  call_kernel(e, key.data, step_arguments(e, d->n, ARG_STEPS, args), args, build_kernel, d);
  buffer_free(&key);
}

/* Rows [lo, hi) of all images, of a block: what a row shares with the next one stays in L1. */
static void rows_of_block(IntegerDepthwise *d, Ref lo, Ref hi, Ref block, int vectors) {
  Emit *e = d->e;
  Ref rows = const_i64(e, d->rows);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref image = LLVMBuildSDiv(e->b, item.i, rows, ""), row = LLVMBuildSRem(e->b, item.i, rows, "");
  for (d->first = 0; d->first < vectors; d->first += d->nv) {
    d->nv = (int)size_min(d->plan->nv, vectors - d->first);
    call_row(d, image, row, block);
  }
  loop_end(e, &item);
}

void emit_integer_depthwise(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  IntegerDepthwise d = {.e = e, .n = n, .plan = &n->plan->integer_depthwise, .win = &n->win, .in = n->in[0], .out = n->out[0],
                        .dot = dot_of_width(n->plan->integer_depthwise.width), .rows = y->d[2], .cols = y->d[3]};
  int64_t vectors = size_ceiling(y->d[1], e->lanes), whole = vectors / INTEGER_VECTORS, rest = vectors % INTEGER_VECTORS;
  emit_halo(e, n->out[0]);
  Ref lo, hi;
  task_range(e, y->d[0] * d.rows, &lo, &hi);
  if (whole > 0) {
    Loop block;
    loop_begin(e, &block, const_i64(e, 0), const_i64(e, whole), 1, 0, NULL);
    rows_of_block(&d, lo, hi, block.i, INTEGER_VECTORS);
    loop_end(e, &block);
  }
  if (rest > 0) rows_of_block(&d, lo, hi, const_i64(e, whole), (int)rest);
}
