/* conv_amx_stem.c: convolution of u8 pixels of four bytes by AMX. The rows that a step takes are interleaved, pixel by pixel, for
 * some rows of the result at a time; then all panels are made of these. Tasks share out the rows. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { MOST_ROWS = 4 };

typedef struct AmxStem {
  Amx amx;             /* first */
  const AmxStemPlan *plan;
  Ref lines, first;    /* the interleaved rows, of row number `first` of the result on */
  int64_t row_bytes;   /* of them, for a row of the result */
} AmxStem;

static Ref input(const Amx *a, Ref line, Ref image, Ref row, Ref x) {
  const AmxStem *s = (const AmxStem *)a;
  (void)image, (void)row;
  return gep(a->e, gep(a->e, s->lines, LLVMBuildSub(a->e->b, line, s->first, ""), s->row_bytes), x, a->pixel_bytes);
}

/* ==== interleaving ==== */

/* a0 b0 a1 b1 ..., of n lanes each. */
static Ref zip(Emit *e, Ref a, Ref b, int n) {
  Ref lane[16 * MOST_ROWS];
  for (int i = 0; i < 2 * n; i++) lane[i] = LLVMConstInt(e->i32, (unsigned)(i / 2 + i % 2 * n), 0);
  return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(lane, (unsigned)(2 * n)), "");
}

/* `count` pixels from number x on of a step's rows, of which `rows` exist. */
static void put_pixels(const AmxStem *s, Ref from, Ref to, Ref x, int rows, int count) {
  Emit *e = s->amx.e;
  const Value *in = s->amx.n->in[0];
  Ref v[MOST_ROWS];
  int all = s->plan->rows, lanes = e->lanes;
  for (int r = 0; r < all; r++) {
    Ref p = gep(e, from, x, place_pixel_bytes(in));
    v[r] = r < rows ? load_lanes_of(e, vec_of(e->i32, lanes), p, r * s->amx.n->win.dh * place_row_bytes(in), count, 1)
                    : LLVMConstNull(vec_of(e->i32, lanes));
  }
  for (; all > 1; all /= 2, lanes *= 2)
    for (int r = 0; r < all / 2; r++) v[r] = zip(e, v[r], v[r + all / 2], lanes);
  store(e, v[0], gep(e, to, x, 4 * s->plan->rows), 0, 64);
}

static void put_step(const AmxStem *s, Ref from, Ref to, int64_t step) {
  Emit *e = s->amx.e;
  const Node *n = s->amx.n;
  int64_t first = step * s->plan->rows, pixels = integer_stem_line(n), whole = pixels / e->lanes * e->lanes;
  int rows = (int)size_min(s->plan->rows, n->win.kh - first);
  from = gep_const(e, from, first * n->win.dh * place_row_bytes(n->in[0]));
  to = gep_const(e, to, step * s->plan->line);
  if (whole > 0) {
    Loop x;
    loop_begin(e, &x, const_i64(e, 0), const_i64(e, whole), e->lanes, 0, NULL);
    put_pixels(s, from, to, x.i, rows, e->lanes);
    loop_end(e, &x);
  }
  if (whole < pixels) put_pixels(s, from, to, const_i64(e, whole), rows, (int)(pixels - whole));
}

/* What the rows [first, end) of the result are made of. */
static void put_rows(const AmxStem *s, Ref end) {
  Emit *e = s->amx.e;
  const Node *n = s->amx.n;
  Ref rows = const_i64(e, s->amx.rows), zero = const_i64(e, 0);
  Loop row;
  loop_begin(e, &row, s->first, end, 1, 0, NULL);
  Ref image = LLVMBuildUDiv(e->b, row.i, rows, ""), line = LLVMBuildURem(e->b, row.i, rows, "");
  Ref from = place_window(e, n->in[0], &n->win, image, NULL, line, zero);
  Ref to = gep(e, s->lines, LLVMBuildSub(e->b, row.i, s->first, ""), s->row_bytes);
  for (int64_t step = 0; step < s->plan->steps; step++) put_step(s, from, to, step);
  loop_end(e, &row);
}

/* ==== results ==== */

/* All panels of the rows [first, end), of the runs of one length. */
static void do_panels(const AmxStem *s, Ref end) {
  Emit *e = s->amx.e;
  const AmxStemPlan *plan = s->plan;
  int64_t vectors = size_ceiling(s->amx.n->out[0]->shape.d[1], e->lanes);
  Ref weights = weights_ptr(e, s->amx.n->plan->at.weights);
  Loop panel;
  loop_begin(e, &panel, const_i64(e, 0), const_i64(e, vectors / plan->nb), 1, 0, NULL);
  AmxPart p = {.nb = plan->nb, .vector = mul_i(e, panel.i, plan->nb)};
  p.start = gep(e, weights, p.vector, e->vec_bytes);
  p.weights = p.next = gep(e, gep_const(e, weights, vectors * e->vec_bytes), panel.i, (int64_t)plan->steps * plan->nb * AMX_TILE);
  p.lo = p.begin = mul_i(e, s->first, s->amx.number);
  p.hi = mul_i(e, end, s->amx.number);
  amx_part(&s->amx, &p);
  loop_end(e, &panel);
}

void emit_amx_stem(Emit *e, Node *n) {
  const int64_t *y = n->out[0]->shape.d;
  const AmxStemPlan *p = &n->plan->amx_stem;
  AmxStem s = {.plan = p, .lines = gep_const(e, scratch_ptr(e), AMX_SUMS), .row_bytes = p->line * p->steps,
               .amx = {.e = e, .n = n, .images = y[0], .rows = y[2], .steps = {1, 1, p->steps}, .step_bytes = {0, 0, p->line},
                       .pixel_bytes = n->win.sw * p->rows * 4, .input = input, .bounded = p->bounded, .runs = p->nb == 4 ? 1 : 2}};
  const RowTiles t = row_tiles(y[3], 16);
  Ref lo, hi;
  Loop block;
  task_range(e, y[0] * y[2], &lo, &hi);
  emit_halo(e, n->out[0]);
  loop_begin(e, &block, lo, hi, p->block_rows, 0, NULL);
  s.first = block.i;
  Ref end = min_i(e, add_i(e, block.i, const_i64(e, p->block_rows)), hi);
  put_rows(&s, end);
  for (int i = 0; i < t.sizes; i++) {
    if (t.number[i] == 0) continue;
    amx_begin(&s.amx, &t, i);
    do_panels(&s, end);
  }
  loop_end(e, &block);
  amx_end(e);
}
