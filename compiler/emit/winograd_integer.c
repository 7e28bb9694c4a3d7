/* winograd_integer.c: the transforms of Winograd's algorithm in integers, without fractions, as lower/conv_integer_winograd.c has
 * them: of the points infinity, 0, 1, -1, 2, -2 those that a tile has. Vectors of inputs are of pairs of channels, 16 bits each;
 * sums and results are modulo 2^32. */
#include "winograd.h"

#include <llvm-c/Core.h>

enum { POINTS = WINOGRAD_POINTS, RESULTS = 4 };

static Ref plus(Emit *e, Ref a, Ref b) { return LLVMBuildAdd(e->b, a, b, ""); }
static Ref minus(Emit *e, Ref a, Ref b) { return LLVMBuildSub(e->b, a, b, ""); }
static Ref thrice(Emit *e, Ref a) { return plus(e, shift_left(e, a, 1), a); }

static LLVMTypeRef words(const Emit *e) { return vec_of(e->i16, 2 * e->lanes); }

/* ==== input ==== */

/* The polynomials of the points, less that of each: (x^2 - 1)(x^2 - 4) = x^4 - 5 x^2 + 4 for 0; x (x^2 - 1)(x^2 - 4) for infinity. */
static void input_of_six(Emit *e, const Ref *d, Ref *t) {
  Ref a = minus(e, shift_left(e, d[1], 2), d[3]), b = minus(e, shift_left(e, d[2], 2), d[4]);
  Ref p = minus(e, d[4], d[2]), q = minus(e, d[3], d[1]), q2 = shift_left(e, q, 1);
  t[0] = minus(e, minus(e, d[5], d[3]), shift_left(e, q2, 1));
  t[1] = plus(e, p, shift_left(e, minus(e, d[0], d[2]), 2));
  t[2] = plus(e, a, b);
  t[3] = minus(e, b, a);
  t[4] = plus(e, p, q2);
  t[5] = minus(e, p, q2);
}

/* (x^2 - 1)(x - 2) for 0, x (x + 1)(2 - x) for 1, .. */
static void input_of_five(Emit *e, const Ref *d, bool infinity, Ref *t) {
  Ref q = minus(e, d[3], d[1]);
  if (infinity) t[0] = minus(e, minus(e, d[4], d[2]), shift_left(e, q, 1));
  t[1] = plus(e, q, shift_left(e, minus(e, d[0], d[2]), 1));
  t[2] = minus(e, plus(e, shift_left(e, d[1], 1), d[2]), d[3]);
  t[3] = minus(e, thrice(e, d[2]), plus(e, shift_left(e, d[1], 1), d[3]));
  t[4] = q;
}

/* Without the product at infinity the last input is not there. */
static void transform_input(Emit *e, int points, const Ref *d, bool infinity, Ref *t) {
  switch (points) {
  case 6: input_of_six(e, d, t); return;
  case 5: input_of_five(e, d, infinity, t); return;
  default: winograd_input_of_few(e, points, d, infinity, plus, minus, t);
  }
}

static void input_parity(const Winograd *w, int row_points, int col_points, int pr, int pc, Ref in, Ref v) {
  Emit *e = w->e;
  Ref x[POINTS][POINTS], d[POINTS], out[POINTS];
  for (int j = 0; j < col_points - pc; j++) {
    for (int i = 0; i < row_points - pr; i++) {
      int64_t at = place_offset(w->in, 0, i * w->f.stride + pr, j * w->f.stride + pc);
      d[i] = LLVMBuildZExt(e->b, load(e, vec_of(e->i8, 2 * e->lanes), in, at, 2 * e->lanes), words(e), "");
    }
    transform_input(e, row_points, d, !pr, out);
    for (int i = pr; i < row_points; i++) x[i][j] = out[i];
  }
  for (int i = pr; i < row_points; i++) {
    transform_input(e, col_points, x[i], !pc, out);
    for (int j = pc; j < col_points; j++) {
      int64_t at = (i * w->f.points + j) * w->s.v_frequency + winograd_parity_at(w, pr, pc);
      store(e, out[j], v, at * F32_BYTES, e->vec_bytes);
    }
  }
}

void winograd_integer_input(const Winograd *w, int row_points, int col_points, Ref in, Ref v) {
  for (int pr = 0; pr < w->f.stride; pr++) {
    for (int pc = 0; pc < w->f.stride; pc++) input_parity(w, row_points, col_points, pr, pc, in, v);
  }
}

/* ==== output ==== */

/* What one dimension's transform multiplies result k by: thrice in the end, and 2^n. */
typedef struct Scale { int thrice, n; } Scale;

static Scale scale_of(int points, int k) {
  static const Scale six[RESULTS] = {{1, 3}, {1, 2}, {1, 1}, {1, 1}};
  return points == 6 ? six[k] : points == 5 ? (Scale){1, 1} : (Scale){0, points == 4};
}

static void output_of_six(Emit *e, const Ref *m, Ref *y) {
  Ref even = plus(e, m[2], m[3]), odd = minus(e, m[2], m[3]), even2 = plus(e, m[4], m[5]), odd2 = minus(e, m[4], m[5]);
  y[0] = plus(e, plus(e, shift_left(e, thrice(e, m[1]), 1), shift_left(e, even, 2)), even2);
  y[1] = plus(e, shift_left(e, odd, 1), odd2);
  y[2] = plus(e, even, even2);
  y[3] = plus(e, odd, shift_left(e, plus(e, odd2, thrice(e, m[0])), 1));
}

/* What the first point and the last one, infinity, count in results by so many points: 1, 2, 3, 6. */
static Ref times_small(Emit *e, Ref x, int by) {
  if (by % 3 == 0) x = thrice(e, x);
  return by % 2 == 0 ? shift_left(e, x, 1) : x;
}

/* The scaled results of a tile by so many points. */
static void transform_output(Emit *e, int points, int results, const Ref *m, Ref *y) {
  static const int zero[] = {[2] = 1, [3] = 1, [4] = 2, [5] = 3}, infinity[] = {[2] = 1, [3] = 1, [4] = 2, [5] = 6};
  if (points == 6) {
    output_of_six(e, m, y);
    return;
  }
  Ref one = points == 5 ? thrice(e, m[2]) : points > 2 ? m[2] : NULL;
  Ref even = points > 3 ? plus(e, one, m[3]) : one, odd = points > 3 ? minus(e, one, m[3]) : one;
  for (int k = 0; k < results; k++) {
    Ref sum = k % 2 ? odd : even;
    if (points == 5) sum = plus(e, sum, k ? shift_left(e, m[4], k) : m[4]);
    if (k == 0) sum = sum ? plus(e, sum, times_small(e, m[1], zero[points])) : m[1];
    if (k == results - 1) sum = plus(e, sum, times_small(e, m[0], infinity[points]));
    y[k] = sum;
  }
}

/* The sum without its scale: an odd factor has an inverse modulo 2^32, of a power of two the bits above are the sum's. */
static Ref unscaled(Emit *e, Ref x, Scale rows, Scale cols) {
  static const int64_t inverse[] = {1, 0xaaaaaaab, 0x38e38e39}; /* of 1, 3, 9 */
  int thirds = rows.thrice + cols.thrice, n = rows.n + cols.n;
  if (thirds > 0) x = LLVMBuildMul(e->b, x, whole_like(e, x, inverse[thirds]), "");
  return n > 0 ? shift_signed(e, x, n) : x;
}

enum { ARG_M, ARG_OUT, ARG_START, ARG_STEPS };

/* Vector b of a tile's results. */
static void results_of_vector(const WinogradResults *r, int b, Ref *acc) {
  const Winograd *w = r->w;
  Emit *e = w->e;
  LLVMTypeRef type = vec_of(e->i32, e->lanes);
  Ref m[POINTS], t[RESULTS], x[RESULTS][POINTS];
  for (int j = 0; j < r->col_points; j++) {
    for (int i = 0; i < r->row_points; i++) {
      int64_t at = (i * w->f.points + j) * w->s.m_frequency * F32_BYTES + b * w->s.group_tiles * e->vec_bytes;
      m[i] = load(e, type, LLVMGetParam(e->fn, ARG_M), at, e->vec_bytes);
    }
    transform_output(e, r->row_points, r->row_points - w->f.taps + 1, m, t);
    for (int i = 0; i < r->height; i++) x[i][j] = t[i];
  }
  Ref start = load(e, type, LLVMGetParam(e->fn, ARG_START), b * e->vec_bytes, e->vec_bytes);
  for (int i = 0; i < r->height; i++) {
    transform_output(e, r->col_points, r->col_points - w->f.taps + 1, x[i], t);
    for (int j = 0; j < r->width; j++) {
      acc[i * r->width + j] = plus(e, unscaled(e, t[j], scale_of(r->row_points, i), scale_of(r->col_points, j)), start);
    }
  }
}

void build_integer_results(const void *data) {
  const WinogradResults *r = data;
  const Winograd *w = r->w;
  Emit *e = w->e;
  enum { PIXELS = RESULTS * RESULTS };
  int64_t out[PIXELS];
  int dy[PIXELS], dx[PIXELS], pixels = r->height * r->width;
  Ref acc[4 * PIXELS], arg[MAX_STEPS];
  for (int u = 0; u < pixels; u++) {
    dy[u] = u / r->width;
    dx[u] = u % r->width;
    out[u] = place_offset(w->out, 0, dy[u], dx[u]);
  }
  for (int b = 0; b < r->nb; b++) results_of_vector(r, b, acc + b * pixels);
  step_params(e, w->n, ARG_STEPS, arg);
  int first = integer_bias(w->n) != NULL; /* sums start from it */
  ResultTile tile = {pixels, r->nb, first, w->plan->bounded, out, dy, dx};
  store_results(e, w->n, &tile, acc, arg, LLVMGetParam(e->fn, ARG_OUT));
}
