/* pixels.c: what is made of planes element by element, into the pixels of a few channels that the first convolution of a quantised
 * network reads:
 *
 *   f32   r r r r ...   g g g g ...   b b b b ...        u8   [r g b .] [r g b .] [r g b .] ... */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Pixels {
  Emit *e;
  Node *n;
  const Value *x, *y;
} Pixels;

/* `count` of the pixels from number x of a row on, as i32: 0 to 255. */
static Ref results(const Pixels *p, Ref from, Ref image, int64_t channel, Ref line, Ref x, int count) {
  Emit *e = p->e;
  LLVMTypeRef type = vec_of(llvm_type(e, p->x->type), e->lanes);
  const int64_t *d = p->x->shape.d;
  Ref row = add_i(e, mul_i(e, add_i(e, mul_i(e, image, d[1]), const_i64(e, channel)), d[2]), line);
  Ref v = load_lanes_of(e, type, from, place_offset(p->x, channel, 0, 0), count, (int)type_size(p->x->type));
  v = plain_steps(e, p->n, v, row, x, e->lanes, count);
  return LLVMBuildZExt(e->b, v, vec_of(e->i32, e->lanes), "");
}

static void make_pixels(const Pixels *p, Ref image, Ref line, Ref x, int count) {
  Emit *e = p->e;
  Ref all = NULL, from = place_at(e, p->x, image, NULL, line, x);
  int pixel = p->y->layout.block;
  for (int64_t c = 0; c < p->x->shape.d[1]; c++) {
    Ref v = results(p, from, image, c, line, x, count);
    all = all ? LLVMBuildOr(e->b, all, shift_left(e, v, (int)(8 * c)), "") : v;
  }
  if (pixel < 4) all = LLVMBuildTrunc(e->b, all, vec_of(pixel == 1 ? e->i8 : e->i16, e->lanes), "");
  store_lanes(e, all, place_at(e, p->y, image, NULL, line, x), 0, count, 1);
}

void emit_stem_pixels(Emit *e, Node *n) {
  Pixels p = {.e = e, .n = n, .x = n->in[0], .y = n->out[0]};
  int64_t rows = p.x->shape.d[2], cols = p.x->shape.d[3], whole = cols / e->lanes * e->lanes;
  Ref lo, hi;
  task_range(e, p.x->shape.d[0] * rows, &lo, &hi);
  emit_halo(e, p.y);
  Loop row, x;
  loop_begin(e, &row, lo, hi, 1, 0, NULL);
  Ref image = LLVMBuildUDiv(e->b, row.i, const_i64(e, rows), ""), line = LLVMBuildURem(e->b, row.i, const_i64(e, rows), "");
  if (whole > 0) {
    loop_begin(e, &x, const_i64(e, 0), const_i64(e, whole), e->lanes, 0, NULL);
    make_pixels(&p, image, line, x.i, e->lanes);
    loop_end(e, &x);
  }
  if (whole < cols) make_pixels(&p, image, line, const_i64(e, whole), (int)(cols - whole));
  loop_end(e, &row);
}
