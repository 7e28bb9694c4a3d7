/* emit_pool.c: pools on channel blocks. Windows overlap, so a tile of output pixels is computed by columns:
 * first every input column under the tile is reduced over the window's rows, one accumulator a column, then
 * the windows are put together from the columns. A 3x3 window with stride 2 so costs 3 loads for most
 * outputs, not 9. */
#include "emit.h"

enum { MAX_PIXELS = 16 };

typedef struct Pool {
  Emit *e;
  Node *n;
  const Value *x, *y;
  Window w;
  bool max, count_pad;
  int columns;           /* accumulators */
  Ref src;               /* pixel 0 of the row under the window's first row, be it padding */
  Ref dst;               /* the output row */
  Ref lo, hi;            /* rows of the window inside the image */
  Ref counted;           /* rows that count for the mean, as a float */
  Ref image, block, row;
} Pool;

static bool is_global(const Node *n) { return n->op == OP_GlobalAveragePool || n->op == OP_GlobalMaxPool; }

static int max_int(int a, int b) { return a > b ? a : b; }
static int min_int(int a, int b) { return a < b ? a : b; }

static Pool pool_of(Emit *e, Node *n) {
  Pool p = {.e = e, .n = n, .x = n->in[0], .y = n->out[0], .w = n->win};
  p.max = n->op == OP_MaxPool || n->op == OP_GlobalMaxPool;
  p.count_pad = attr_int(n, "count_include_pad", 0) != 0;
  p.columns = e->t->regs - 2;
  if (is_global(n)) {
    p.w = (Window){.kh = (int)p.x->shape.d[2], .kw = (int)p.x->shape.d[3], .sh = 1, .sw = 1, .dh = 1,
                   .dw = 1};
  }
  return p;
}

/* ==== a tile: output pixels beside each other ==== */

typedef struct PoolTile {
  int pixels;
  int first, taps;       /* columns of the window that lie inside, the same for every pixel */
  int counted;           /* columns that count for the mean */
  Ref x;                 /* the first pixel */
} PoolTile;

static Ref combine(const Pool *p, Ref a, Ref b) {
  if (!a) return b;
  return p->max ? fmax_(p->e, a, b) : fadd(p->e, a, b);
}

static int column_of(const Pool *p, int pixel, int tap) { return pixel * p->w.sw + tap * p->w.dw; }

/* Columns under `pixels` windows, ascending, each once. */
static int list_columns(const Pool *p, int pixels, int first, int taps, int *out) {
  int count = 0, end = column_of(p, pixels - 1, first + taps - 1);
  for (int c = column_of(p, 0, first); c <= end; c++) {
    bool used = false;
    for (int j = 0; j < pixels && !used; j++) {
      int at = c - j * p->w.sw;
      used = at >= first * p->w.dw && at <= (first + taps - 1) * p->w.dw && at % p->w.dw == 0;
    }
    if (used) out[count++] = c;
  }
  return count;
}

/* What maxima and sums begin with. */
static Ref neutral(const Pool *p) {
  Emit *e = p->e;
  return splat(e, p->max ? LLVMConstRealOfString(e->f32, "-inf") : const_f32(e, 0), e->lanes);
}

/* acc[i] = column[i] reduced over the window's rows; `src` is column 0. */
static void reduce_columns(const Pool *p, Ref src, const int *column, int count, Ref *acc) {
  Emit *e = p->e;
  const Layout *in = &p->x->layout;
  for (int i = 0; i < count; i++) acc[i] = neutral(p);
  Loop l;
  loop_begin(e, &l, p->lo, p->hi, 1, count, acc);
  Ref row = gep(e, src, l.i, p->w.dh * in->row * 4);
  for (int i = 0; i < count; i++) {
    acc[i] = combine(p, acc[i], load(e, e->vec, row, column[i] * in->pix * 4, 4 * e->lanes));
  }
  loop_end(e, &l);
}

/* The mean's divisor turned into a factor. */
static Ref mean_factor(const Pool *p, const PoolTile *t) {
  Ref count = fmul(p->e, p->counted, const_f32(p->e, max_int(t->counted, 1)));
  return splat(p->e, LLVMBuildFDiv(p->e->b, const_f32(p->e, 1), count, ""), p->e->lanes);
}

static void finish_tile(const Pool *p, const PoolTile *t, Ref *result) {
  Emit *e = p->e;
  Ref *arg = alloc_n(e->g->cx, (size_t)p->n->n_step + 1, sizeof *arg);
  Ref factor = p->max ? NULL : mean_factor(p, t);
  step_pointers(e, p->n, p->image, p->block, p->row, t->x, arg);
  Ref dst = gep(e, p->dst, t->x, p->y->layout.pix * 4);
  for (int j = 0; j < t->pixels; j++) {
    Ref v = factor ? fmul(e, result[j], factor) : result[j];
    store(e, apply_steps(e, p->n, v, arg, 0, 0, j), dst, j * p->y->layout.pix * 4, 4 * e->lanes);
  }
}

static void build_tile(const Pool *p, const PoolTile *t) {
  Emit *e = p->e;
  int span = column_of(p, t->pixels - 1, t->first + t->taps);
  int *column = alloc_n(e->g->cx, (size_t)span + 1, sizeof *column);
  int count = list_columns(p, t->pixels, t->first, t->taps, column);
  Ref result[MAX_PIXELS] = {NULL}, acc[64];
  Ref x = add_i(e, mul_i(e, t->x, p->w.sw), const_i64(e, -p->w.left));
  Ref src = gep(e, p->src, x, p->x->layout.pix * 4);
  for (int from = 0; from < count; from += p->columns) {
    int n = min_int(count - from, p->columns);
    reduce_columns(p, src, column + from, n, acc);
    for (int j = 0; j < t->pixels; j++) {
      for (int i = 0; i < n; i++) {
        int at = column[from + i] - column_of(p, j, t->first);
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

/* ==== a row ==== */

static int ceil_div(int a, int b) { return a > 0 ? (a + b - 1) / b : 0; }

/* The window over output pixel x, clipped to the image. */
static PoolTile clipped_tile(const Pool *p, int x) {
  int start = x * p->w.sw - p->w.left, width = (int)p->x->shape.d[3];
  int first = ceil_div(-start, p->w.dw), end = min_int(p->w.kw, ceil_div(width - start, p->w.dw));
  PoolTile t = {.pixels = 1, .first = first, .taps = max_int(end - first, 0), .x = const_i64(p->e, x)};
  t.counted = p->count_pad ? min_int(p->w.kw, ceil_div(width + p->w.right - start, p->w.dw)) : t.taps;
  return t;
}

/* The most pixels whose columns fit the accumulators. */
static int widest_tile(const Pool *p, int limit) {
  int best = 1, *column = alloc_n(p->e->g->cx, (size_t)column_of(p, MAX_PIXELS, p->w.kw) + 1, sizeof *column);
  for (int pixels = 2; pixels <= min_int(limit, MAX_PIXELS); pixels++) {
    if (list_columns(p, pixels, 0, p->w.kw, column) <= p->columns) best = pixels;
  }
  return best;
}

static void build_inside(const Pool *p, int from, int to) {
  if (from >= to) return;
  Emit *e = p->e;
  int n = to - from, widest = widest_tile(p, n), tiles = (n + widest - 1) / widest;
  PoolTile t = {.pixels = (n + tiles - 1) / tiles, .taps = p->w.kw, .counted = p->w.kw};
  int whole = n / t.pixels * t.pixels;
  Loop l;
  loop_begin(e, &l, const_i64(e, from), const_i64(e, from + whole), t.pixels, 0, NULL);
  t.x = l.i;
  build_tile(p, &t);
  loop_end(e, &l);
  t.pixels = n - whole;
  t.x = const_i64(e, from + whole);
  if (t.pixels > 0) build_tile(p, &t);
}

static void build_columns(const Pool *p) {
  int out = (int)p->y->shape.d[3], width = (int)p->x->shape.d[3];
  int reach = (p->w.kw - 1) * p->w.dw + 1 - p->w.left;
  int from = min_int(out, ceil_div(p->w.left, p->w.sw));
  int to = width < reach ? from : min_int(out, (width - reach) / p->w.sw + 1);
  to = max_int(from, to);
  for (int x = 0; x < from; x++) {
    PoolTile t = clipped_tile(p, x);
    build_tile(p, &t);
  }
  build_inside(p, from, to);
  for (int x = to; x < out; x++) {
    PoolTile t = clipped_tile(p, x);
    build_tile(p, &t);
  }
}

/* min(kh, rows of the window before row `end`, which lies `end - top` behind its first); never negative. */
static Ref rows_before(const Pool *p, Ref top, int64_t end) {
  Emit *e = p->e;
  Ref n = LLVMBuildNSWSub(e->b, const_i64(e, end + p->w.dh - 1), top, "");
  n = LLVMBuildSDiv(e->b, n, const_i64(e, p->w.dh), "");
  Ref zero = const_i64(e, 0), all = const_i64(e, p->w.kh);
  n = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, n, zero, ""), zero, n, "");
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, n, all, ""), n, all, "");
}

static bool rows_always_inside(const Pool *p) {
  int64_t last = (p->y->shape.d[2] - 1) * p->w.sh - p->w.top + (p->w.kh - 1) * p->w.dh;
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
  Ref none = LLVMBuildICmp(e->b, LLVMIntSLT, counted, const_i64(e, 1), "");
  counted = LLVMBuildSelect(e->b, none, const_i64(e, 1), counted, "");
  p->counted = LLVMBuildSIToFP(e->b, counted, e->f32, "");
}

static Ref element_ptr(const Pool *p, const Value *v, Ref row) {
  Emit *e = p->e;
  const Layout *l = &v->layout;
  Ref at = gep(e, gep(e, value_ptr(e, v), p->image, l->n * 4), p->block, l->c * 4);
  return gep(e, at, row, l->row * 4);
}

/* Items count blocks innermost, as they lie in memory. */
static void build_row(Pool *p, Ref item, int64_t blocks) {
  Emit *e = p->e;
  Ref rows = const_i64(e, p->y->shape.d[2]), count = const_i64(e, blocks);
  p->block = LLVMBuildURem(e->b, item, count, "");
  Ref plane = LLVMBuildUDiv(e->b, item, count, "");
  p->row = LLVMBuildURem(e->b, plane, rows, "");
  p->image = LLVMBuildUDiv(e->b, plane, rows, "");
  Ref top = add_i(e, mul_i(e, p->row, p->w.sh), const_i64(e, -p->w.top));
  clip_rows(p, top);
  p->src = element_ptr(p, p->x, top);
  p->dst = element_ptr(p, p->y, p->row);
  build_columns(p);
}

static void build_blocked(Pool *p) {
  Emit *e = p->e;
  const int64_t *d = p->y->shape.d;
  int64_t blocks = (d[1] + e->lanes - 1) / e->lanes;
  assert(p->x->layout.block == e->lanes && p->y->layout.block == e->lanes && p->y->place != P_OUTPUT);
  emit_halo(e, p->y);
  Ref lo, hi;
  task_range(e, d[0] * blocks * d[2], &lo, &hi);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  build_row(p, l.i, blocks);
  loop_end(e, &l);
}

void emit_pool(Emit *e, Node *n) {
  const Value *y = n->out[0] ? n->out[0] : n->out[1];
  if (shape_count(&y->shape) == 0) return;
  if (!y->layout.block) {
    emit_pool_plain(e, n);
    return;
  }
  Pool p = pool_of(e, n);
  build_blocked(&p);
}
