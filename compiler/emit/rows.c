/* rows.c: the loops around tiles: how a row is cut into them, and how tasks share those of all rows out. */
#include "emit.h"

#include <llvm-c/Core.h>

RowTiles row_tiles(int64_t pixels, int64_t most) {
  const RowPiece row = {.width = pixels};
  return row_tiles_of_pieces(&row, 1, most);
}

RowTiles row_tiles_of_pieces(const RowPiece *piece, int n, int64_t most) {
  RowTiles t = {.sizes = 2 * n};
  for (int i = 0; i < 2 * n; i += 2) {
    int64_t pixels = piece[i / 2].width, first = piece[i / 2].first;
    int64_t count = (pixels + most - 1) / most, size = pixels / count, larger = pixels % count;
    t.size[i] = size + 1;
    t.number[i] = larger;
    t.first[i] = first;
    t.before[i] = t.count;
    t.size[i + 1] = size;
    t.number[i + 1] = count - larger;
    t.first[i + 1] = first + larger * (size + 1);
    t.before[i + 1] = t.count + larger;
    t.count += count;
  }
  return t;
}

bool row_tiles_begin(Emit *e, Loop *l, const RowTiles *t, int i, Ref from, Ref to, Ref *x) {
  if (t->number[i] == 0) return false;
  Ref lo = const_i64(e, 0), hi = const_i64(e, t->number[i]);
  if (from) part_of_range(e, from, to, const_i64(e, t->before[i]), hi, &lo, &hi);
  loop_begin(e, l, lo, hi, 1, 0, NULL);
  *x = add_i(e, mul_i(e, l->i, t->size[i]), const_i64(e, t->first[i]));
  return true;
}

void row_share_begin(Emit *e, RowShare *s, int64_t images, int64_t rows, int64_t tiles) {
  Ref lo, hi, count = const_i64(e, tiles), one = const_i64(e, 1), height = const_i64(e, rows);
  task_range(e, images * rows * tiles, &lo, &hi);
  Ref last = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, hi, one, ""), count, "");
  loop_begin(e, &s->loop, LLVMBuildSDiv(e->b, lo, count, ""), add_i(e, last, one), 1, 0, NULL);
  s->image = LLVMBuildSDiv(e->b, s->loop.i, height, "");
  s->row = LLVMBuildSRem(e->b, s->loop.i, height, "");
  part_of_range(e, lo, hi, mul_i(e, s->loop.i, tiles), count, &s->from, &s->to);
}

void row_share_end(Emit *e, RowShare *s) { loop_end(e, &s->loop); }

void taps_inside(Emit *e, Ref first, Ref last, int64_t pad, int64_t size, int64_t dilation, int64_t count, Ref *from, Ref *to) {
  Ref zero = const_i64(e, 0), step = const_i64(e, dilation), up = const_i64(e, pad + dilation - 1);
  Ref before = max_i(e, LLVMBuildSub(e->b, up, last, ""), zero);
  Ref behind = max_i(e, LLVMBuildSub(e->b, const_i64(e, size + pad + dilation - 1), first, ""), zero);
  *from = min_i(e, LLVMBuildUDiv(e->b, before, step, ""), const_i64(e, count));
  *to = min_i(e, LLVMBuildUDiv(e->b, behind, step, ""), const_i64(e, count));
}
