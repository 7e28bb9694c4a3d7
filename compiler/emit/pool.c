/* pool.c: pools on channel blocks, of images or of the frames of volumes. Windows overlap, so a tile of output pixels is
 * computed by columns: first every input column under the tile is reduced over the window's rows, one accumulator a column, then
 * the windows are put together from the columns. A 3x3 window with stride 2 so costs 3 loads for most
 * outputs, not 9. Windows of many rows or columns, and many windows that the edges clip, are loops instead: the code of a
 * layer has a bound, whatever its sizes. */
#include "emit.h"

#include <llvm-c/Core.h>
#include <string.h>

enum {
  MAX_PIXELS = 16,
  MAX_COLUMNS = 64,  /* of a window that is code for each column, ... */
  MAX_ROWS = 256,    /* ... and its rows: sums of more go astray */
  MAX_CLIPPED = 256, /* columns of all the windows of a row that are clipped and have code of their own */
  CHUNK = 256,       /* elements that are summed in fp32, ... */
  SUMS = 8,          /* ... in so many sums */
  FEW_ITEMS = 64, PIECE = 256, /* rows so few are shared out in pieces of so many pixels */
};

typedef struct Pool {
  Emit *e;
  Node *n;
  const Value *x, *y;
  Window w;
  bool max, count_pad;
  int power;             /* of a norm: its order; else 0 */
  LLVMTypeRef vec;       /* of a block's channels: of f32, or of maxima of bytes */
  int columns;           /* accumulators */
  int64_t pieces;        /* of a row */
  Ref piece;             /* which of them the item is */
  Ref src;               /* pixel 0 of the row under the window's first row, be it padding */
  Ref dst;               /* the output row */
  Ref lo, hi;            /* rows of the window inside the image */
  Ref first, end;        /* frames of it inside the volume; src is that of number 0 */
  Ref counted;           /* rows, of all frames, that count for the mean, as a float */
  Ref image, block, row;
} Pool;

static Pool pool_of(Emit *e, Node *n) {
  Pool p = {.e = e, .n = n, .x = n->in[0], .y = n->out[0], .w = n->win};
  p.max = is_max_pool(n);
  p.vec = vec_of(llvm_type(e, p.x->type), p.x->layout.block);
  p.count_pad = n->p.count_pad;
  p.power = is_lp_pool(n) ? n->p.power : 0;
  p.columns = e->t->regs - 2;
  if (is_global_pool(n)) {
    p.w = (Window){.kh = p.x->shape.d[2], .kw = p.x->shape.d[3], .sh = 1, .sw = 1, .dh = 1,
                   .dw = 1, .kd = 1, .sd = 1, .dd = 1};
  }
  return p;
}

/* Is the window code for each column? */
static bool is_unrolled(const Pool *p) { return p->w.kw <= MAX_COLUMNS && size_mul(p->w.kd, p->w.kh) <= MAX_ROWS; }

/* Of n things in a row those that belong to the item's piece. */
static void share_of_piece(const Pool *p, int64_t n, Ref *lo, Ref *hi) {
  Emit *e = p->e;
  *lo = const_i64(e, 0);
  *hi = const_i64(e, n);
  if (p->pieces == 1) return;
  Ref pieces = const_i64(e, p->pieces);
  *lo = LLVMBuildSDiv(e->b, mul_i(e, p->piece, n), pieces, "");
  *hi = LLVMBuildSDiv(e->b, mul_i(e, add_i(e, p->piece, const_i64(e, 1)), n), pieces, "");
}

/* ==== a tile: output pixels beside each other ==== */

typedef struct PoolTile {
  int pixels;
  int first, taps;       /* columns of the window that lie inside, the same for every pixel */
  Ref counted;           /* columns that count for the mean, as a float */
  Ref x;                 /* the first pixel */
} PoolTile;

static Ref combine(const Pool *p, Ref a, Ref b) {
  if (!a) return b;
  if (p->x->type != T_F32) {
    const char *larger = type_is_signed(p->x->type) ? "llvm.smax" : "llvm.umax";
    return intrinsic(p->e, larger, 1, (LLVMTypeRef[]){p->vec}, 2, (Ref[]){a, b});
  }
  return p->max ? maximum_f(p->e, b, a) : add_f(p->e, a, b);
}

static int64_t column_of(const Pool *p, int pixel, int tap) { return (int64_t)pixel * p->w.sw + (int64_t)tap * p->w.dw; }

/* Columns under `pixels` windows, ascending, each once; -1: there are more than `most`. */
static int list_columns(const Pool *p, int pixels, int first, int taps, int most, int64_t *out) {
  int count = 0;
  for (int i = 0; i < pixels * taps; i++) {
    int64_t c = column_of(p, i / taps, first + i % taps);
    int at = count;
    while (at > 0 && out[at - 1] > c) at--;
    if (at > 0 && out[at - 1] == c) continue;
    if (count == most) return -1;
    move_bytes(out + at + 1, out + at, (size_t)(count - at) * sizeof *out);
    out[at] = c;
    count++;
  }
  return count;
}

/* What maxima and sums begin with. */
static Ref neutral(const Pool *p) {
  Emit *e = p->e;
  Type t = p->x->type;
  if (t != T_F32) return splat(e, const_number(e, t, (Number){.i = type_lowest(t)}), p->x->layout.block);
  return splat(e, p->max ? LLVMConstRealOfString(e->f32, "-inf") : const_f32(e, 0), e->lanes);
}

/* What of an element is combined. */
static Ref taken(const Pool *p, Ref at, int64_t offset) {
  Ref x = load(p->e, p->vec, at, offset, p->e->vec_bytes);
  return p->power ? pool_power(p->e, x, p->power) : x;
}

/* A loop over the window's frames that are inside, if it has more than one; `src` is number 0. Returns the current one. */
static Ref frames_begin(const Pool *p, Loop *l, Ref src, int count, Ref *acc) {
  if (p->w.kd == 1) return src;
  loop_begin(p->e, l, p->first, p->end, 1, count, acc);
  return gep(p->e, src, l->i, p->w.dd * place_image_bytes(p->x));
}

static void frames_end(const Pool *p, Loop *l) {
  if (p->w.kd > 1) loop_end(p->e, l);
}

/* acc[i] = column[i] reduced over the window's rows; `src` is column 0. */
static void reduce_columns(const Pool *p, Ref src, const int64_t *column, int count, Ref *acc) {
  Emit *e = p->e;
  for (int i = 0; i < count; i++) acc[i] = neutral(p);
  Loop frame, l;
  src = frames_begin(p, &frame, src, count, acc);
  loop_begin(e, &l, p->lo, p->hi, 1, count, acc);
  Ref row = gep(e, src, l.i, p->w.dh * place_row_bytes(p->x));
  for (int i = 0; i < count; i++) acc[i] = combine(p, acc[i], taken(p, row, place_offset(p->x, 0, 0, column[i])));
  loop_end(e, &l);
  frames_end(p, &frame);
}

/* The mean's divisor turned into a factor. */
static Ref mean_factor(const Pool *p, const PoolTile *t) {
  Ref count = mul_f(p->e, p->counted, t->counted);
  return splat(p->e, div_f(p->e, const_f32(p->e, 1), count), p->e->lanes);
}

static void finish_tile(const Pool *p, const PoolTile *t, Ref *result) {
  Emit *e = p->e;
  Ref *arg = alloc_n(e->g->cx, (size_t)p->n->n_step + 1, sizeof *arg);
  Ref factor = p->max || p->power ? NULL : mean_factor(p, t);
  step_pointers(e, p->n, p->image, p->block, p->row, t->x, arg);
  Ref dst = place_from(e, p->dst, p->y, NULL, NULL, NULL, t->x);
  for (int j = 0; j < t->pixels; j++) {
    Ref v = factor ? mul_f(e, result[j], factor) : p->power ? pool_root(e, result[j], p->power) : result[j];
    store(e, apply_steps(e, p->n, v, arg, 0, 0, j), dst, place_offset(p->y, 0, 0, j), e->vec_bytes);
  }
}

static void build_tile(const Pool *p, const PoolTile *t) {
  Emit *e = p->e;
  int64_t column[MAX_COLUMNS];
  int count = list_columns(p, t->pixels, t->first, t->taps, MAX_COLUMNS, column);
  Ref result[MAX_PIXELS] = {NULL}, acc[64];
  Ref x = add_i(e, mul_i(e, t->x, p->w.sw), const_i64(e, -(int64_t)p->w.left));
  Ref src = place_from(e, p->src, p->x, NULL, NULL, NULL, x);
  for (int from = 0; from < count; from += p->columns) {
    int n = (int)size_min(count - from, p->columns);
    reduce_columns(p, src, column + from, n, acc);
    for (int j = 0; j < t->pixels; j++) {
      for (int i = 0; i < n; i++) {
        int64_t at = column[from + i] - column_of(p, j, t->first);
        bool own = at >= 0 && at % p->w.dw == 0 && at / p->w.dw < t->taps;
        if (own) result[j] = combine(p, result[j], acc[i]);
      }
    }
  }
  for (int j = 0; j < t->pixels; j++) { /* a window of padding alone */
    if (!result[j]) result[j] = neutral(p);
  }
  finish_tile(p, t, result);
}

/* ==== a window of any size ==== */

static Ref rows_before(const Pool *p, Ref top, int64_t end) { return taps_before(p->e, top, end, p->w.dh, p->w.kh); }
static Ref columns_before(const Pool *p, Ref left, int64_t end) { return taps_before(p->e, left, end, p->w.dw, p->w.kw); }

/* The number of taps that count for a mean, 1 where there are none, as a float. */
static Ref count_of_taps(Emit *e, Ref taps) {
  Ref none = LLVMBuildICmp(e->b, LLVMIntSLT, taps, const_i64(e, 1), "");
  return LLVMBuildSIToFP(e->b, LLVMBuildSelect(e->b, none, const_i64(e, 1), taps, ""), e->f32, "");
}

/* The window's taps along one axis. */
typedef struct Taps {
  Ref lo, hi;
  int64_t stride; /* bytes */
} Taps;

/* The taps of `t` that lie in [lo, hi), of which there are CHUNK at most. */
static Ref reduce_chunk(const Pool *p, Ref src, Ref lo, Ref hi, int64_t stride) {
  Emit *e = p->e;
  Ref acc[SUMS];
  for (int k = 0; k < SUMS; k++) acc[k] = neutral(p);
  Ref count = LLVMBuildSub(e->b, hi, lo, "");
  Ref whole = add_i(e, lo, LLVMBuildAnd(e->b, count, const_i64(e, -SUMS), ""));
  Loop tap;
  loop_begin(e, &tap, lo, whole, SUMS, SUMS, acc);
  Ref at = gep(e, src, tap.i, stride);
  for (int k = 0; k < SUMS; k++) acc[k] = combine(p, acc[k], taken(p, at, k * stride));
  loop_end(e, &tap);
  loop_begin(e, &tap, whole, hi, 1, 1, acc);
  acc[0] = combine(p, acc[0], taken(p, gep(e, src, tap.i, stride), 0));
  loop_end(e, &tap);
  for (int n = SUMS / 2; n > 0; n /= 2) {
    for (int k = 0; k < n; k++) acc[k] = combine(p, acc[k], acc[k + n]);
  }
  return acc[0];
}

/* Sums of chunks add up in double: fp32 would lose what the last of many elements bring. */
static Ref reduce_taps(const Pool *p, Ref src, const Taps *outer, const Taps *inner) {
  Emit *e = p->e;
  LLVMTypeRef wide = vec_of(e->f64, e->lanes);
  Ref total = p->max ? neutral(p) : LLVMConstNull(wide);
  Loop frame, line, chunk;
  src = frames_begin(p, &frame, src, 1, &total);
  loop_begin(e, &line, outer->lo, outer->hi, 1, 1, &total);
  Ref at = gep(e, src, line.i, outer->stride);
  loop_begin(e, &chunk, inner->lo, inner->hi, CHUNK, 1, &total);
  Ref end = add_i(e, chunk.i, const_i64(e, CHUNK));
  end = min_i(e, end, inner->hi);
  Ref part = reduce_chunk(p, at, chunk.i, end, inner->stride);
  total = p->max ? combine(p, total, part) : add_f(e, total, widened(e, part));
  loop_end(e, &chunk);
  loop_end(e, &line);
  frames_end(p, &frame);
  return p->max ? total : narrowed(e, total);
}

static void build_window(const Pool *p, Ref x) {
  Emit *e = p->e;
  int64_t width = p->x->shape.d[3];
  Ref left = add_i(e, mul_i(e, x, p->w.sw), const_i64(e, -(int64_t)p->w.left));
  Taps rows = {p->lo, p->hi, p->w.dh * place_row_bytes(p->x)};
  Taps cols = {columns_before(p, left, 0), columns_before(p, left, width), p->w.dw * place_pixel_bytes(p->x)};
  Ref src = place_from(e, p->src, p->x, NULL, NULL, NULL, left);
  bool tall = p->w.kh > p->w.kw;
  Ref result = tall ? reduce_taps(p, src, &cols, &rows) : reduce_taps(p, src, &rows, &cols);
  Ref counted = p->count_pad ? columns_before(p, left, width + p->w.right) : LLVMBuildSub(e->b, cols.hi, cols.lo, "");
  PoolTile t = {.pixels = 1, .counted = count_of_taps(e, counted), .x = x};
  finish_tile(p, &t, &result);
}

/* Pixels [from, to) of the row. */
static void build_windows(const Pool *p, int64_t from, int64_t to) {
  if (from >= to) return;
  Emit *e = p->e;
  Ref lo, hi;
  share_of_piece(p, to - from, &lo, &hi);
  Loop x;
  loop_begin(e, &x, lo, hi, 1, 0, NULL);
  build_window(p, add_i(e, x.i, const_i64(e, from)));
  loop_end(e, &x);
}

/* ==== a row ==== */

static int64_t ceil_div(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : 0; }

/* The window over output pixel x, clipped to the image. */
static PoolTile clipped_tile(const Pool *p, int64_t x) {
  int64_t start = x * p->w.sw - p->w.left, width = p->x->shape.d[3];
  int64_t first = ceil_div(-start, p->w.dw), end = size_min(p->w.kw, ceil_div(width - start, p->w.dw));
  int64_t taps = size_max(end - first, 0);
  int64_t counted = p->count_pad ? size_min(p->w.kw, ceil_div(width + p->w.right - start, p->w.dw)) : taps;
  return (PoolTile){.pixels = 1, .first = (int)first, .taps = (int)taps, .x = const_i64(p->e, x),
                    .counted = const_f32(p->e, (double)size_max(counted, 1))};
}

/* Those of pixels [from, to), in the item that is the given piece of its row. */
static void build_clipped(const Pool *p, int64_t from, int64_t to, int64_t piece) {
  Emit *e = p->e;
  If here;
  if (from >= to) return;
  if (p->pieces > 1) if_begin(e, &here, LLVMBuildICmp(e->b, LLVMIntEQ, p->piece, const_i64(e, piece), ""));
  for (int64_t x = from; x < to; x++) {
    PoolTile t = clipped_tile(p, x);
    build_tile(p, &t);
  }
  if (p->pieces > 1) if_end(e, &here);
}

/* The most pixels whose columns fit the accumulators. */
static int widest_tile(const Pool *p, int64_t limit) {
  int best = 1;
  int64_t column[MAX_COLUMNS];
  for (int pixels = 2; pixels <= size_min(limit, MAX_PIXELS); pixels++) {
    if (list_columns(p, pixels, 0, p->w.kw, p->columns, column) >= 0) best = pixels;
  }
  return best;
}

static void build_inside(const Pool *p, int64_t from, int64_t to) {
  if (from >= to) return;
  Emit *e = p->e;
  int64_t n = to - from, widest = widest_tile(p, n), tiles = (n + widest - 1) / widest;
  PoolTile t = {.pixels = (int)((n + tiles - 1) / tiles), .taps = p->w.kw, .counted = const_f32(e, p->w.kw)};
  int64_t whole = n / t.pixels;
  Ref lo, hi;
  share_of_piece(p, whole, &lo, &hi);
  Loop l;
  loop_begin(e, &l, add_i(e, mul_i(e, lo, t.pixels), const_i64(e, from)),
             add_i(e, mul_i(e, hi, t.pixels), const_i64(e, from)), t.pixels, 0, NULL);
  t.x = l.i;
  build_tile(p, &t);
  loop_end(e, &l);
  int64_t rest = from + whole * t.pixels;
  if (rest == to) return;
  t.pixels = (int)(to - rest);
  t.x = const_i64(e, rest);
  If last;
  if (p->pieces > 1) if_begin(e, &last, LLVMBuildICmp(e->b, LLVMIntEQ, p->piece, const_i64(e, p->pieces - 1), ""));
  build_tile(p, &t);
  if (p->pieces > 1) if_end(e, &last);
}

static void build_columns(const Pool *p) {
  int64_t out = p->y->shape.d[3], width = p->x->shape.d[3];
  int64_t reach = (int64_t)(p->w.kw - 1) * p->w.dw + 1 - p->w.left;
  int64_t from = size_min(out, ceil_div(p->w.left, p->w.sw));
  int64_t to = width < reach ? from : size_min(out, (width - reach) / p->w.sw + 1);
  to = size_max(from, to);
  if (!is_unrolled(p)) {
    build_windows(p, 0, out);
    return;
  }
  bool few = (from + out - to) * p->w.kw <= MAX_CLIPPED;
  if (few) build_clipped(p, 0, from, 0);
  else build_windows(p, 0, from);
  build_inside(p, from, to);
  if (few) build_clipped(p, to, out, p->pieces - 1);
  else build_windows(p, to, out);
}

static bool rows_always_inside(const Pool *p) {
  int64_t last = (p->y->shape.d[2] - 1) * p->w.sh - p->w.top + (int64_t)(p->w.kh - 1) * p->w.dh;
  return p->w.top == 0 && last < p->x->shape.d[2];
}

static void clip_rows(Pool *p, Ref top) {
  Emit *e = p->e;
  int64_t height = p->x->shape.d[2];
  p->lo = const_i64(e, 0);
  p->hi = const_i64(e, p->w.kh);
  p->counted = const_f32(e, p->w.kh);
  if (rows_always_inside(p)) return;
  p->lo = rows_before(p, top, 0);
  p->hi = rows_before(p, top, height);
  Ref counted = LLVMBuildSub(e->b, p->hi, p->lo, "");
  if (p->count_pad) counted = rows_before(p, top, height + p->w.bottom);
  p->counted = count_of_taps(e, counted);
}

/* The input's image that is number 0 of the window's frames, be it padding. */
static Ref clip_frames(Pool *p) {
  Emit *e = p->e;
  if (!p->n->p.depth) return p->image;
  int64_t depth = p->n->p.depth, frames = p->y->shape.d[0] / (p->x->shape.d[0] / depth);
  Ref z = LLVMBuildURem(e->b, p->image, const_i64(e, frames), ""), volume = LLVMBuildUDiv(e->b, p->image, const_i64(e, frames), "");
  Ref start = add_i(e, mul_i(e, z, p->w.sd), const_i64(e, -p->w.front));
  p->first = taps_before(e, start, 0, p->w.dd, p->w.kd);
  p->end = taps_before(e, start, depth, p->w.dd, p->w.kd);
  Ref counted = LLVMBuildSub(e->b, p->end, p->first, "");
  if (p->count_pad) counted = taps_before(e, start, depth + p->w.back, p->w.dd, p->w.kd);
  p->counted = mul_f(e, p->counted, count_of_taps(e, counted));
  return add_i(e, mul_i(e, volume, depth), start);
}

/* Items count blocks innermost, as they lie in memory, and within them pieces. */
static void build_row(Pool *p, Ref item, int64_t blocks) {
  Emit *e = p->e;
  if (p->pieces > 1) {
    p->piece = LLVMBuildURem(e->b, item, const_i64(e, p->pieces), "");
    item = LLVMBuildUDiv(e->b, item, const_i64(e, p->pieces), "");
  }
  Ref rows = const_i64(e, p->y->shape.d[2]), count = const_i64(e, blocks);
  p->block = LLVMBuildURem(e->b, item, count, "");
  Ref plane = LLVMBuildUDiv(e->b, item, count, "");
  p->row = LLVMBuildURem(e->b, plane, rows, "");
  p->image = LLVMBuildUDiv(e->b, plane, rows, "");
  Ref top = add_i(e, mul_i(e, p->row, p->w.sh), const_i64(e, -(int64_t)p->w.top));
  clip_rows(p, top);
  p->src = place_from(e, place_at(e, p->x, clip_frames(p), p->block, NULL, NULL), p->x, NULL, NULL, top, NULL);
  p->dst = place_from(e, place_at(e, p->y, p->image, p->block, NULL, NULL), p->y, NULL, NULL, p->row, NULL);
  build_columns(p);
}

static void build_blocked(Pool *p) {
  Emit *e = p->e;
  const int64_t *d = p->y->shape.d;
  int block = channel_block(e->t, p->x->type);
  int64_t blocks = (d[1] + block - 1) / block;
  assert(p->x->layout.block == block && p->y->layout.block == block && p->y->place != P_OUTPUT);
  emit_halo(e, p->y);
  Ref lo, hi;
  p->pieces = d[0] * blocks * d[2] < FEW_ITEMS ? (d[3] + PIECE - 1) / PIECE : 1;
  task_range(e, d[0] * blocks * d[2] * p->pieces, &lo, &hi);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  build_row(p, l.i, blocks);
  loop_end(e, &l);
}

void emit_pool(Emit *e, Node *n) {
  const Value *y = n->out[0] ? n->out[0] : n->out[1];
  if (!y->layout.block) {
    emit_pool_plain(e, n);
    return;
  }
  if (n->op == OP_GlobalSumPool || n->op == OP_QuantizedAveragePool) {
    emit_pool_bytes(e, n);
    return;
  }
  Pool p = pool_of(e, n);
  build_blocked(&p);
}
