/* conv_strassen.c: convolution 1x1 as a matrix product by one level of Strassen's algorithm ("Gaussian elimination is not
 * optimal", 1969): seven products of half-size blocks instead of eight. This is Winograd's form of it, which has fewer sums
 * (Knuth, The Art of Computer Programming, volume 2, section 4.6.4):
 *
 *   S1 = A21 + A22   S2 = S1 - A11   S3 = A11 - A21   S4 = A12 - S2
 *   T1 = B12 - B11   T2 = B22 - T1   T3 = B22 - B12   T4 = B21 - T2
 *   P1 = A11 B11   P2 = A12 B21   P3 = S4 B22   P4 = A22 T4   P5 = S1 T1   P6 = S2 T2   P7 = S3 T3
 *   U2 = P1 + P6   U3 = U2 + P7
 *   C11 = P1 + P2   C12 = U2 + P5 + P3   C21 = U3 + P4   C22 = U3 + P5
 *
 * A is pixels x input channels, B input channels x output channels. Two lines of pixels are paired (A1., A2.), the first
 * half of the input channels with the second (A.1, A.2), and an even panel of output channels with the odd one behind it
 * (B.1, B.2). A line is a row of the map, or half of a small map. The weights lie as for direct convolution, but in place of
 * B12 and B22 are T1 and T2. Other sums of weights, B22 = T2 + T1, T3 = T2 - B11 and T4, are made in registers, as they are used,
 * each of two vectors that are loaded: beside many multiply-adds that takes no time, and nothing that is stored pushes out of L2
 * what is read again. Where a tile has few registers, the first tile of a product stores the sums for the others.
 *
 * A group of pairs of lines is treated at a time: S1 to S4 are computed once, then for each pair of panels the seven
 * products of all tiles. What other quadrants need of a product is kept in scratch; the last product of a quadrant adds it, and
 * has the epilogue. */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== the algorithm, in the order of execution ==== */

enum { PRODUCTS = 7 };
enum { S1, S2, S3, S4, A11, A12, A22 };
enum { NOTHING = -1, B11, B21, T1, T2, QUARTERS }; /* of the weights, in the order of their use */
enum { P1, P5, U, KEPT };
static_assert((int)KEPT == STRASSEN_KEPT && (int)A11 == STRASSEN_SUMS, "strassen_memory has room for them");
enum { C11, C12, C21, C22 };

typedef struct StrassenProduct {
  int a, b, more, less;   /* operands: a (b + more - less) */
  int before, kept;       /* what it is added to, and as what the sum is kept */
  int c, term;            /* the quadrant that the sum completes, with this one */
} StrassenProduct;

static const StrassenProduct products[PRODUCTS] = {
  {A11, B11, NOTHING, NOTHING, NOTHING, P1,      NOTHING, NOTHING},
  {A12, B21, NOTHING, NOTHING, P1,      NOTHING, C11,     NOTHING},
  {S1,  T1,  NOTHING, NOTHING, NOTHING, P5,      NOTHING, NOTHING},
  {S2,  T2,  NOTHING, NOTHING, P1,      U,       NOTHING, NOTHING}, /* U2 */
  {S4,  T2,  T1,      NOTHING, U,       NOTHING, C12,     P5},
  {S3,  T2,  NOTHING, B11,     U,       U,       C22,     P5},      /* U3 */
  {A22, B21, NOTHING, T2,      U,       NOTHING, C21,     NOTHING},
};

typedef struct Strassen {
  Emit *e;
  Node *n;
  const StrassenPlan *plan;
  const Value *in, *out;
  int64_t images, rows, cols;   /* of the result */
  bool flat;                    /* a line is half of an image's map */
  int64_t lines, pairs;         /* all lines, where they are rows; all pairs */
  int64_t groups, group;        /* pairs of one at most */
  int line;                     /* pixels of a line */
  int64_t half;                 /* input channel blocks of a half */
  int64_t quarter;              /* floats of the weights of a pair of panels */
  int64_t panel_pairs;
  int64_t sum, kept;            /* floats of one sum of inputs, of one kept product */
} Strassen;

/* ==== where a line's pixels are ==== */

/* Pixel u of the first or second line of a pair. The second half of an odd map repeats the last pixel. */
static void pixel(const Strassen *s, int second, int u, int *y, int *x) {
  int all = (int)(s->rows * s->cols), at = second * s->line + u;
  if (at >= all) at = all - 1;
  *y = s->flat ? at / (int)s->cols : 0;
  *x = s->flat ? at % (int)s->cols : u;
}

/* In bytes from the line's first pixel. */
static int64_t in_offset(const Strassen *s, int second, int u) {
  int y, x;
  pixel(s, second, u, &y, &x);
  return place_offset(s->in, 0, y * s->n->win.sh, x * s->n->win.sw);
}

/* Image and row of a line, where its first pixel is, but for a second half. */
typedef struct Start { Ref image, row; } Start;

static Start start_of(const Strassen *s, Ref pair, int second) {
  Emit *e = s->e;
  if (s->flat) return (Start){pair, const_i64(e, 0)};
  Ref line = add_i(e, mul_i(e, pair, 2), const_i64(e, second)), last = const_i64(e, s->lines - 1);
  if (s->lines % 2) line = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, line, last, ""), line, last, "");
  Ref rows = const_i64(e, s->rows);
  return (Start){LLVMBuildSDiv(e->b, line, rows, ""), LLVMBuildSRem(e->b, line, rows, "")};
}

static Ref input_at(const Strassen *s, Start p) {
  return place_window(s->e, s->in, &s->n->win, p.image, NULL, p.row, NULL);
}

/* ==== S1 to S4: [sum][pair][half of the channel blocks][pixel][V] ==== */

static void sum_pixel(const Strassen *s, Ref a1, Ref a2, Ref v, int u) {
  Emit *e = s->e;
  int64_t half = s->half * place_block_bytes(s->in), in1 = in_offset(s, 0, u), in2 = in_offset(s, 1, u);
  int bytes = e->vec_bytes;
  Ref a11 = load(e, e->vec, a1, in1, bytes), a12 = load(e, e->vec, a1, in1 + half, bytes);
  Ref a21 = load(e, e->vec, a2, in2, bytes), a22 = load(e, e->vec, a2, in2 + half, bytes);
  Ref sum[STRASSEN_SUMS];
  sum[S1] = add_f(e, a21, a22);
  sum[S2] = sub_f(e, sum[S1], a11);
  sum[S3] = sub_f(e, a11, a21);
  sum[S4] = sub_f(e, a12, sum[S2]);
  for (int i = 0; i < STRASSEN_SUMS; i++) store(e, sum[i], v, i * s->sum * F32_BYTES + u * bytes, bytes);
}

/* Of a row so many pixels are done at a time. */
static int pixels_at_once(const Strassen *s) {
  int n = s->flat ? s->line : 8;
  while (s->line % n) n--;
  return n;
}

static void build_sums(const void *data) {
  const Strassen *s = data;
  Emit *e = s->e;
  int at_once = pixels_at_once(s);
  int64_t step = at_once * s->n->win.sw * place_pixel_bytes(s->in);
  Loop part;
  loop_begin(e, &part, const_i64(e, 0), const_i64(e, s->line / at_once), 1, 0, NULL);
  Ref a1 = gep(e, LLVMGetParam(e->fn, 0), part.i, step), a2 = gep(e, LLVMGetParam(e->fn, 1), part.i, step);
  Ref v = gep(e, LLVMGetParam(e->fn, 2), part.i, at_once * e->vec_bytes);
  for (int u = 0; u < at_once; u++) {
    sum_pixel(s, a1, a2, v, u);
    end_step(e);
  }
  loop_end(e, &part);
}

/* Of one channel block of each half; `sums` has the pair `first` first. */
static void sums_of_block(const Strassen *s, Ref sums, Ref first, Ref pair, Ref block) {
  Emit *e = s->e;
  const Window *w = &s->n->win;
  const char *key = format_text(e->g->cx, "strassen_in_%lld_%d.%dx%d_s%lldx%lld_sum%lld_in%lld.%lld.%lld", (long long)s->half,
                                s->line, s->flat ? (int)s->rows : 0, s->flat ? (int)s->cols : 0, (long long)w->sh,
                                (long long)w->sw, (long long)s->sum, (long long)s->in->layout.c, (long long)s->in->layout.row,
                                (long long)s->in->layout.pix);
  int64_t pixels = s->line * e->vec_bytes;
  Ref number = LLVMBuildSub(e->b, pair, first, ""), v = gep(e, gep(e, sums, number, s->half * pixels), block, pixels);
  Ref args[] = {input_at(s, start_of(s, pair, 0)), input_at(s, start_of(s, pair, 1)), v};
  for (int i = 0; i < 2; i++) args[i] = gep(e, args[i], block, place_block_bytes(s->in));
  call_kernel(e, key, 3, args, build_sums, s);
}

/* ==== the kernel: one product for one tile ==== */

/* The numbers of channel blocks and of bytes of a kept product are given to the kernel when it runs: layers that differ in no more,
 * as those of a DenseNet, have the same. */
enum { ARG_IN, ARG_W, ARG_SUMS, ARG_M, ARG_OUT, ARG_BIAS, ARG_PREFETCH, ARG_HALF, ARG_KEPT, ARG_STEPS };

typedef enum SumsOfWeights { MADE, STORED /* as well */, TAKEN /* where another tile stored them */ } SumsOfWeights;

typedef struct StrassenKernel {
  const Strassen *s;
  const StrassenProduct *p;
  Tile tile;
  int64_t block;                  /* bytes from one channel block of the input to the next */
  int dy[MAX_TILE], dx[MAX_TILE]; /* result's pixels from the first */
  int exist;                      /* the first so many pixels */
  SumsOfWeights sums;
  int fetched;                    /* cache lines of weights, in a step over one channel block */
  bool optional;                  /* there may be no result at all */
} StrassenKernel;

static void kernel_key(const StrassenKernel *k, Buffer *key) {
  const Strassen *s = k->s;
  const Tile *t = &k->tile;
  buffer_printf(key, "strassen%d_%dx%d_b%lld_pf%d_s%d", (int)(k->p - products), t->uw, t->nb,
                (long long)k->block / F32_BYTES, k->fetched, (int)k->sums);
  for (int u = 1; u < t->uw; u++) buffer_printf(key, "_%lld", (long long)t->in[u] / F32_BYTES);
  if (k->p->c != NOTHING) {
    buffer_printf(key, "_out%lld.%lld.%lld_%d%s", (long long)s->out->layout.c, (long long)s->out->layout.row,
                  (long long)s->out->layout.pix, k->exist, k->optional ? "o" : "");
    for (int u = 1; u < t->uw; u++) buffer_printf(key, "_%d.%d", k->dy[u], k->dx[u]);
    step_key(s->n, key);
  }
  buffer_add(key, "", 1);
}

static Ref kept_at(const StrassenKernel *k, int m, int i) {
  Emit *e = k->s->e;
  Ref product = m ? gep(e, LLVMGetParam(e->fn, ARG_M), LLVMGetParam(e->fn, ARG_KEPT), m) : LLVMGetParam(e->fn, ARG_M);
  return gep_const(e, product, i * e->vec_bytes);
}

static Ref load_kept(const StrassenKernel *k, int m, int i) {
  Emit *e = k->s->e;
  return load(e, e->vec, kept_at(k, m, i), 0, e->vec_bytes);
}

static void store_result(const StrassenKernel *k, Ref *acc) {
  const Strassen *s = k->s;
  Emit *e = s->e;
  Ref arg[MAX_STEPS], out = LLVMGetParam(e->fn, ARG_OUT);
  step_params(e, s->n, ARG_STEPS, arg);
  for (int b = 0; b < k->tile.nb; b++) {
    Ref bias = load(e, e->vec, LLVMGetParam(e->fn, ARG_BIAS), b * e->vec_bytes, e->vec_bytes);
    for (int u = 0; u < k->exist; u++) {
      int i = b * k->tile.uw + u;
      Ref y = add_f(e, acc[i], bias);
      if (k->p->term != NOTHING) y = add_f(e, y, load_kept(k, k->p->term, i));
      y = apply_steps(e, s->n, y, arg, b, k->dy[u], k->dx[u]);
      store(e, y, out, place_offset(s->out, b, k->dy[u], k->dx[u]), e->vec_bytes);
    }
  }
}

/* What the epilogue will read of a residual. */
static void prefetch_arguments(const StrassenKernel *k) {
  const Node *n = k->s->n;
  Emit *e = k->s->e;
  for (int i = 0; i < n->n_step; i++) {
    if (step_arg_class(n, &n->step[i]) != ARG_TENSOR) continue;
    const Value *v = n->in[n->step[i].arg];
    for (int b = 0; b < k->tile.nb; b++) {
      int64_t at = -1;
      for (int u = 0; u < k->exist; u++) {
        int64_t next = place_offset(v, b, k->dy[u], k->dx[u]);
        if (u > 0 && next < at + 64) continue;
        at = next;
        prefetch(e, LLVMGetParam(e->fn, (unsigned)(ARG_STEPS + i)), at, 1);
      }
    }
  }
}

/* One channel block. Those of narrow vectors are short, so that turns of a loop count. */
static void sum_block(const StrassenKernel *k, Tile tile, Ref block, Ref *acc) {
  Emit *e = k->s->e;
  int n = tile.uw * tile.nb;
  Ref x = gep(e, LLVMGetParam(e->fn, ARG_IN), block, k->block), sums = NULL;
  if (k->sums == STORED) sums = gep(e, LLVMGetParam(e->fn, ARG_SUMS), block, e->lanes * tile.nb * e->vec_bytes);
  for (int i = 0; i < k->fetched; i++) prefetch(e, acc[n + 1], i * 64, e->t->fetch_level);
  acc[n + 1] = gep_const(e, acc[n + 1], k->fetched * 64);
  int steps = strassen_stores_sums(k->s->plan) ? e->lanes : LOOP_STEPS;
  Loop turn;
  loop_begin_some(e, &turn, const_i64(e, 0), const_i64(e, e->lanes), steps, n + 1, acc);
  if (sums) tile.sums = gep(e, sums, turn.i, tile.nb * e->vec_bytes);
  tile_sums(e, &tile, gep(e, x, turn.i, F32_BYTES), steps, acc, &acc[n], &acc[n + 1]);
  loop_end(e, &turn);
}

static void sum_product(const StrassenKernel *k, Ref *acc) {
  Emit *e = k->s->e;
  const StrassenProduct *p = k->p;
  Tile tile = k->tile;
  int n = tile.uw * tile.nb;
  Ref half = LLVMGetParam(e->fn, ARG_HALF), quarter = mul_i(e, half, e->lanes * tile.nb * e->vec_bytes);
  if (p->more != NOTHING && k->sums != TAKEN) tile.more = mul_i(e, quarter, p->more - p->b);
  if (p->less != NOTHING && k->sums != TAKEN) tile.less = mul_i(e, quarter, p->less - p->b);
  acc[n] = LLVMGetParam(e->fn, ARG_W);
  acc[n + 1] = LLVMGetParam(e->fn, ARG_PREFETCH);
  Loop block;
  loop_begin_some(e, &block, const_i64(e, 0), half, 1, n + 2, acc);
  sum_block(k, tile, block.i, acc);
  loop_end(e, &block);
}

static void build_kernel(const void *data) {
  const StrassenKernel *k = data;
  const StrassenProduct *p = k->p;
  Emit *e = k->s->e;
  int n = k->tile.uw * k->tile.nb;
  Ref acc[64];
  for (int i = 0; i < n; i++) acc[i] = p->before == NOTHING ? LLVMConstNull(e->vec) : load_kept(k, p->before, i);
  if (p->c != NOTHING) prefetch_arguments(k);
  sum_product(k, acc);
  for (int i = 0; i < n && p->kept != NOTHING; i++) store(e, acc[i], kept_at(k, p->kept, i), 0, e->vec_bytes);
  if (p->c == NOTHING) return;
  If exists;
  if (k->optional) if_begin(e, &exists, LLVMBuildIsNotNull(e->b, LLVMGetParam(e->fn, ARG_OUT), ""));
  store_result(k, acc);
  if (k->optional) if_end(e, &exists);
}

/* ==== calling it ==== */

/* A pair of panels over a group of pairs of lines. */
typedef struct Turn {
  Ref first, count;     /* pairs of lines */
  Ref panels;           /* number of the pair of panels */
  Ref weights, sums, v, m; /* sums: of weights, where they are stored */
  int fetched;          /* as of a kernel, when it fetches */
} Turn;

static Ref weights_of(const Strassen *s, const Turn *t, int b) { return gep_const(s->e, t->weights, b * s->quarter * F32_BYTES); }

static bool stores_sums(const Strassen *s, const StrassenProduct *p) {
  return (p->more != NOTHING || p->less != NOTHING) && strassen_stores_sums(s->plan);
}

static int tiles_of_line(const Strassen *s) { return (int)row_tiles(s->line, s->plan->uw).count; }

/* Input of a tile, and where its pixels are. */
static Ref tile_input(const Strassen *s, const Turn *t, StrassenKernel *k, Ref pair, int first) {
  Emit *e = s->e;
  bool in_place = k->p->a >= A11;
  int second = k->p->a == A22, bytes = e->vec_bytes;
  k->block = in_place ? place_block_bytes(s->in) : (int64_t)s->line * bytes;
  int64_t base = in_place ? in_offset(s, second, first) : first * bytes;
  for (int u = 0; u < k->tile.uw; u++) {
    k->tile.in[u] = (in_place ? in_offset(s, second, first + u) : (first + u) * bytes) - base;
  }
  if (!in_place) {
    Ref v = gep_const(e, t->v, k->p->a * s->sum * F32_BYTES + base);
    return gep(e, v, pair, s->half * s->line * bytes);
  }
  Ref x = input_at(s, start_of(s, add_i(e, t->first, pair), second));
  return gep_const(e, x, (k->p->a != A11 ? s->half * place_block_bytes(s->in) : 0) + base);
}

static void tile_output(const Strassen *s, const Turn *t, StrassenKernel *k, Ref pair, int first, Ref *args) {
  Emit *e = s->e;
  int second = k->p->c >= C21, y0, x0;
  Start p = start_of(s, add_i(e, t->first, pair), second);
  pixel(s, second, first, &y0, &x0);
  for (int u = 0; u < k->tile.uw; u++) {
    pixel(s, second, first + u, &k->dy[u], &k->dx[u]);
    k->dy[u] -= y0;
    k->dx[u] -= x0;
    if (!s->flat || second * s->line + first + u < s->rows * s->cols) k->exist = u + 1;
  }
  Ref row = add_i(e, p.row, const_i64(e, y0)), x = const_i64(e, x0);
  Ref panel = add_i(e, mul_i(e, t->panels, 2), const_i64(e, k->p->c % 2)), block = mul_i(e, panel, s->plan->nb);
  Ref out = place_at(e, s->out, p.image, block, NULL, NULL);
  args[ARG_OUT] = place_from(e, out, s->out, NULL, NULL, row, x);
  k->optional = !s->flat && s->lines % 2 && second;
  if (k->optional) {
    Ref exists = LLVMBuildICmp(e->b, LLVMIntSLT, add_i(e, t->first, pair), const_i64(e, s->lines / 2), "");
    args[ARG_OUT] = LLVMBuildSelect(e->b, exists, args[ARG_OUT], LLVMConstNull(e->ptr), "");
  }
  args[ARG_BIAS] = gep(e, weights_ptr(e, s->n->plan->at.bias), block, e->vec_bytes);
  step_pointers(e, s->n, p.image, block, row, x, args + ARG_STEPS);
}

/* A quarter of the weights is fetched during the product before the first that uses it: the first one, of the next panels. */
static void fetch_weights(const Strassen *s, const Turn *t, StrassenKernel *k, Ref pair, int i, Ref *args) {
  Emit *e = s->e;
  int64_t next = (k->p - products + 1) % PRODUCTS, bytes = t->fetched * s->half * 64;
  if (next >= QUARTERS) return;
  k->fetched = t->fetched;
  if (next == B11) next = QUARTERS;
  Ref at = gep_const(e, t->weights, next * s->quarter * F32_BYTES + i * bytes);
  args[ARG_PREFETCH] = gep(e, at, pair, tiles_of_line(s) * bytes);
}

/* Tile number i of the lines of a pair: `uw` pixels from `first`. */
static void one_tile(const Strassen *s, const Turn *t, const StrassenProduct *p, Ref pair, int i, int first, int uw,
                     bool first_of_all) {
  Emit *e = s->e;
  int nb = s->plan->nb;
  StrassenKernel k = {.s = s, .p = p, .tile = {.uw = uw, .nb = nb}};
  Ref args[MAX_KERNEL_ARGS] = {[ARG_HALF] = const_i64(e, s->half), [ARG_KEPT] = const_i64(e, s->kept * F32_BYTES)};
  args[ARG_IN] = tile_input(s, t, &k, pair, first);
  if (stores_sums(s, p)) k.sums = first_of_all ? STORED : TAKEN;
  args[ARG_W] = k.sums == TAKEN ? t->sums : weights_of(s, t, p->b);
  args[ARG_SUMS] = t->sums;
  args[ARG_M] = gep(e, gep_const(e, t->m, (int64_t)first * nb * e->vec_bytes), pair, (int64_t)s->line * nb * e->vec_bytes);
  fetch_weights(s, t, &k, pair, i, args);
  if (p->c != NOTHING) tile_output(s, t, &k, pair, first, args);
  Buffer key = {0};
  kernel_key(&k, &key);
  call_kernel(e, key.data, ARG_STEPS + (p->c != NOTHING ? s->n->n_step : 0), args, build_kernel, &k);
  buffer_free(&key);
}

static void one_product(const Strassen *s, const Turn *t, const StrassenProduct *p) {
  Emit *e = s->e;
  const RowTiles tiles = row_tiles(s->line, s->plan->uw);
  int first = 0;
  bool apart = stores_sums(s, p); /* the very first tile */
  if (apart) one_tile(s, t, p, const_i64(e, 0), 0, 0, (int)tiles.size[tiles.number[0] == 0], true);
  Loop pair;
  If later;
  loop_begin(e, &pair, const_i64(e, 0), t->count, 1, 0, NULL);
  for (int i = 0; i < tiles.count; i++) {
    int uw = (int)tiles.size[i >= tiles.number[0]];
    if (apart && i == 0) if_begin(e, &later, LLVMBuildICmp(e->b, LLVMIntSGT, pair.i, const_i64(e, 0), ""));
    one_tile(s, t, p, pair.i, i, first, uw, false);
    if (apart && i == 0) if_end(e, &later);
    first += uw;
  }
  loop_end(e, &pair);
}

/* ==== loops ==== */

static void sums_of_group(const Strassen *s, const Turn *t) {
  Emit *e = s->e;
  Loop pair, block;
  loop_begin(e, &pair, t->first, add_i(e, t->first, t->count), 1, 0, NULL);
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, s->half), 1, 0, NULL);
  sums_of_block(s, t->v, t->first, pair.i, block.i);
  loop_end(e, &block);
  loop_end(e, &pair);
}

/* The first phase where all tasks share the sums. */
static void shared_sums(const Strassen *s) {
  Emit *e = s->e;
  Ref lo, hi, half = const_i64(e, s->half), sums = value_ptr(e, s->n->plan->at.work);
  task_range(e, s->pairs * s->half, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  sums_of_block(s, sums, const_i64(e, 0), LLVMBuildSDiv(e->b, item.i, half, ""), LLVMBuildSRem(e->b, item.i, half, ""));
  loop_end(e, &item);
}

/* Groups are of about the same size. */
static Ref group_begin(const Strassen *s, Ref number) {
  return LLVMBuildSDiv(s->e->b, mul_i(s->e, number, s->pairs), const_i64(s->e, s->groups), "");
}

static Turn turn_of(const Strassen *s) {
  Emit *e = s->e;
  Turn t = {.m = scratch_ptr(e)};
  t.sums = gep_const(e, t.m, KEPT * s->kept * F32_BYTES);
  Ref behind = strassen_stores_sums(s->plan) ? gep_const(e, t.sums, s->quarter * F32_BYTES) : t.sums;
  t.v = s->groups == 1 ? value_ptr(e, s->n->plan->at.work) : behind;
  int64_t steps = s->pairs / s->groups * tiles_of_line(s) * s->half;
  t.fetched = (int)size_ceiling(s->quarter * F32_BYTES, 64 * steps);
  return t;
}

/* The first panel pair of a group whose work begins at or after unit `at`, counted from the group's first. */
static Ref panels_before(const Strassen *s, const Turn *t, Ref at) {
  Emit *e = s->e;
  at = clamp_i(e, at, const_i64(e, s->pairs * s->panel_pairs));
  Ref round_up = LLVMBuildSub(e->b, add_i(e, at, t->count), const_i64(e, 1), "");
  return clamp_i(e, LLVMBuildSDiv(e->b, round_up, t->count, ""), const_i64(e, s->panel_pairs));
}

/* Panel pairs [from, to) of a group. A task makes the sums of its groups itself, where they are not shared. */
static void turns_of_group(const Strassen *s, Turn *t, Ref from, Ref to) {
  Emit *e = s->e;
  Loop panels;
  If some;
  if_begin(e, &some, LLVMBuildICmp(e->b, LLVMIntSLT, from, to, ""));
  if (s->groups > 1) sums_of_group(s, t);
  loop_begin(e, &panels, from, to, 1, 0, NULL);
  t->panels = panels.i;
  t->weights = gep(e, weights_ptr(e, s->n->plan->at.weights), t->panels, QUARTERS * s->quarter * F32_BYTES);
  for (int i = 0; i < PRODUCTS; i++) one_product(s, t, &products[i]);
  loop_end(e, &panels);
  if_end(e, &some);
}

/* Units of work are a pair of lines and of panels; groups have different numbers of them. */
static void each_turn(const Strassen *s) {
  Emit *e = s->e;
  Ref lo, hi;
  task_range(e, s->pairs * s->panel_pairs, &lo, &hi);
  Turn t = turn_of(s);
  Loop group;
  loop_begin(e, &group, const_i64(e, 0), const_i64(e, s->groups), 1, 0, NULL);
  t.first = group_begin(s, group.i);
  t.count = LLVMBuildSub(e->b, group_begin(s, add_i(e, group.i, const_i64(e, 1))), t.first, "");
  Ref base = mul_i(e, t.first, s->panel_pairs);
  turns_of_group(s, &t, panels_before(s, &t, LLVMBuildSub(e->b, lo, base, "")),
                 panels_before(s, &t, LLVMBuildSub(e->b, hi, base, "")));
  loop_end(e, &group);
}

void emit_strassen(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  const StrassenPlan *p = &n->plan->strassen;
  Strassen s = {.e = e, .n = n, .plan = p, .in = n->in[0], .out = n->out[0], .images = y->d[0],
                .rows = y->d[2], .cols = y->d[3], .flat = p->order == OC_FLAT, .group = p->group_pairs};
  s.lines = s.images * s.rows;
  s.pairs = strassen_pairs(p, y);
  s.groups = (s.pairs + s.group - 1) / s.group;
  s.line = (int)strassen_line(p, y);
  s.half = p->icg / e->lanes / 2;
  s.quarter = (int64_t)p->icg * p->nb * e->lanes / 2;
  s.panel_pairs = p->ocg / e->lanes / p->nb / 2;
  s.sum = s.group * s.half * s.line * e->lanes;
  s.kept = s.group * s.line * p->nb * e->lanes;
  if (e->phase == 0) emit_halo(e, n->out[0]);
  if (s.groups == 1 && e->phase == 0) shared_sums(&s);
  else each_turn(&s);
}
