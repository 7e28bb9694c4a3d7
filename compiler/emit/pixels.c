/* pixels.c: QuantizeLinear of planes, into the pixels of a few channels that the first convolution reads:
 *
 *   f32   r r r r ...   g g g g ...   b b b b ...        u8   [r g b .] [r g b .] [r g b .] ...
 *
 * A quotient rounded once is that of the division also if it is made by multiplications: of y, the rounded 1/s, and a quotient q that
 * is off by less than a unit in its last place, q + (x - q s) y is x/s rounded, since x - q s is exact (Markstein). x is clamped before,
 * to what the bounds of the result stand for. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Pixels {
  Emit *e;
  const Value *x, *y;
  float scale;
  int64_t zero;
} Pixels;

/* x/s of floats, for a scale s whose reciprocal is no denormal. Quotients that are, and round to 0, need not be right. */
static Ref quotient(Emit *e, Ref x, float s) {
  if (!e->t->fma) return div_f(e, x, real_like(e, x, (double)s));
  Ref y = real_like(e, x, (double)(1 / s)), minus = real_like(e, x, -(double)s), q = mul_f(e, x, y);
  for (int i = 0; i < 2; i++) q = fma_(e, fma_(e, q, minus, x), y, q);
  return q;
}

/* As i32: from 0 to 255. NaN becomes the lowest. */
static Ref quantized(const Pixels *p, Ref x) {
  Emit *e = p->e;
  float lo = (float)(0 - p->zero) * p->scale, hi = (float)(255 - p->zero) * p->scale;
  Ref q = math_round(e, quotient(e, fmin_(e, fmax_(e, x, real_like(e, x, (double)lo)), real_like(e, x, (double)hi)), p->scale));
  return plus_i(e, LLVMBuildFPToSI(e->b, q, like(q, e->i32), ""), p->zero);
}

/* `count` pixels from number x of a row on. */
static void quantize_pixels(const Pixels *p, Ref from, Ref to, Ref x, int count) {
  Emit *e = p->e;
  Ref all = NULL;
  int pixel = p->y->layout.block;
  from = gep(e, from, x, F32_BYTES);
  for (int64_t c = 0; c < p->x->shape.d[1]; c++) {
    Ref q = quantized(p, load_lanes(e, from, place_offset(p->x, c, 0, 0), count, F32_BYTES));
    all = all ? LLVMBuildOr(e->b, all, shift_left(e, q, (int)(8 * c)), "") : q;
  }
  if (pixel < 4) all = LLVMBuildTrunc(e->b, all, vec_of(pixel == 1 ? e->i8 : e->i16, e->lanes), "");
  store_lanes(e, all, gep(e, to, x, pixel), 0, count, 1);
}

void emit_quantized_pixels(Emit *e, Node *n) {
  const Value *zero = n->n_in > 2 ? n->in[2] : NULL;
  Pixels p = {.e = e, .x = n->in[0], .y = n->out[0], .scale = (float)get_number(T_F32, n->in[1]->data, 0).f};
  if (zero) p.zero = get_number(T_U8, zero->data, 0).i;
  int64_t rows = p.x->shape.d[2], cols = p.x->shape.d[3], whole = cols / e->lanes * e->lanes;
  Ref lo, hi;
  task_range(e, p.x->shape.d[0] * rows, &lo, &hi);
  emit_halo(e, p.y);
  Loop row, x;
  loop_begin(e, &row, lo, hi, 1, 0, NULL);
  Ref image = LLVMBuildUDiv(e->b, row.i, const_i64(e, rows), ""), line = LLVMBuildURem(e->b, row.i, const_i64(e, rows), "");
  Ref from = place_at(e, p.x, image, NULL, line, NULL), to = place_at(e, p.y, image, NULL, line, NULL);
  if (whole > 0) {
    loop_begin(e, &x, const_i64(e, 0), const_i64(e, whole), e->lanes, 0, NULL);
    quantize_pixels(&p, from, to, x.i, e->lanes);
    loop_end(e, &x);
  }
  if (whole < cols) quantize_pixels(&p, from, to, const_i64(e, whole), (int)(cols - whole));
  loop_end(e, &row);
}
