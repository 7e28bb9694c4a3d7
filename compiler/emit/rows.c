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

/* Tasks share out a list of all rows of all panels, block by block. 7 rows in 2 blocks, 3 panels, 3 tasks:
 *
 *     block 0                        block 1
 *     panel 0   panel 1   panel 2    panel 0    panel 1    panel 2
 *     0 1 2     0 1 2     0 1 2      3 4 5 6    3 4 5 6    3 4 5 6       rows
 *     |------ task 0 ------| |-------- task 1 -------| |---- task 2 ---|  7 places each
 *
 * The blocks differ by one row at most. */
typedef struct PanelRows { int64_t rows, blocks, panels; } PanelRows;

static Ref block_start(Emit *e, const PanelRows *p, Ref block) {
  return LLVMBuildSDiv(e->b, mul_i(e, block, p->rows), const_i64(e, p->blocks), "");
}

/* Where panel `panel` of a block begins in the list of all rows of all panels, the blocks being outermost. */
static Ref panel_start(Emit *e, const PanelRows *p, Ref first, Ref height, Ref panel) {
  return add_i(e, mul_i(e, first, p->panels), LLVMBuildMul(e->b, panel, height, ""));
}

/* The block, times the number of panels, plus the panel, to which place `at` of that list belongs. */
static Ref panel_at(Emit *e, const PanelRows *p, Ref at) {
  Ref one = const_i64(e, 1), row = LLVMBuildSDiv(e->b, at, const_i64(e, p->panels), "");
  Ref block = add_i(e, mul_i(e, add_i(e, row, one), p->blocks), const_i64(e, -1));
  block = LLVMBuildSDiv(e->b, block, const_i64(e, p->rows), "");
  Ref first = block_start(e, p, block), height = LLVMBuildSub(e->b, block_start(e, p, add_i(e, block, one)), first, "");
  Ref inside = LLVMBuildSub(e->b, at, panel_start(e, p, first, height, const_i64(e, 0)), "");
  return add_i(e, mul_i(e, block, p->panels), LLVMBuildSDiv(e->b, inside, height, ""));
}

void panel_share_begin(Emit *e, PanelShare *s, int64_t rows, int64_t blocks, int64_t panels) {
  const PanelRows p = {rows, blocks, panels};
  Ref lo, hi, one = const_i64(e, 1), number = const_i64(e, panels), from, to;
  task_range(e, rows * panels, &lo, &hi);
  Ref last = panel_at(e, &p, LLVMBuildSub(e->b, hi, one, ""));
  loop_begin(e, &s->loop, panel_at(e, &p, lo), add_i(e, last, one), 1, 0, NULL);
  Ref block = LLVMBuildSDiv(e->b, s->loop.i, number, "");
  s->panel = LLVMBuildSRem(e->b, s->loop.i, number, "");
  s->first = block_start(e, &p, block);
  Ref height = LLVMBuildSub(e->b, block_start(e, &p, add_i(e, block, one)), s->first, "");
  Ref start = panel_start(e, &p, s->first, height, s->panel);
  part_of_range(e, lo, hi, start, height, &from, &to);
  s->from = add_i(e, s->first, from);
  s->to = add_i(e, s->first, to);
}

void panel_share_end(Emit *e, PanelShare *s) { loop_end(e, &s->loop); }

Ref taps_before(Emit *e, Ref start, int64_t end, int64_t dilation, int64_t count) {
  Ref n = LLVMBuildSDiv(e->b, LLVMBuildNSWSub(e->b, const_i64(e, end + dilation - 1), start, ""), const_i64(e, dilation), "");
  return clamp_i(e, n, const_i64(e, count));
}

void taps_inside(Emit *e, Ref first, Ref last, int64_t pad, int64_t size, int64_t dilation, int64_t count, Ref *from, Ref *to) {
  Ref zero = const_i64(e, 0), step = const_i64(e, dilation), up = const_i64(e, pad + dilation - 1);
  Ref before = max_i(e, LLVMBuildSub(e->b, up, last, ""), zero);
  Ref behind = max_i(e, LLVMBuildSub(e->b, const_i64(e, size + pad + dilation - 1), first, ""), zero);
  *from = min_i(e, LLVMBuildUDiv(e->b, before, step, ""), const_i64(e, count));
  *to = min_i(e, LLVMBuildUDiv(e->b, behind, step, ""), const_i64(e, count));
}
