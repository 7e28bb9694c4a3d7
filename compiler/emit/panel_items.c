/* panel_items.c: the loops around the panels of products of matrices. */
#include "emit.h"

#include <llvm-c/Core.h>

/* The items of whole panels and of the narrower last one are one list, lest tasks get unequal shares. */
PanelItems panel_items(Emit *e, const Products *p, const PanelsPlan *plan) {
  PanelItems s = {.chunk = plan->chunk, .tiles = row_tiles(p->rows, plan->uw)};
  int width = plan->nb * e->lanes, left = (int)(p->cols % width);
  int64_t whole = p->cols / width;
  s.chunks = size_ceiling(s.tiles.count, s.chunk);
  s.each = shape_count(&p->batch) * s.chunks;
  s.columns[0] = (PanelColumns){0, whole, width, plan->nb};
  s.columns[1] = (PanelColumns){whole * width, left > 0, left, (left + e->lanes - 1) / e->lanes};
  task_range(e, s.each * (whole + (left > 0)), &s.lo, &s.hi);
  return s;
}

/* Panels are innermost, so that a chunk's rows stay in cache, then chunks, then the batch. */
bool panel_items_begin(Emit *e, PanelItems *p, int i) {
  const PanelColumns *c = p->now = &p->columns[i];
  int64_t items = p->each * c->count;
  if (items == 0) return false;
  Ref from, to;
  part_of_range(e, p->lo, p->hi, const_i64(e, i ? p->each * p->columns[0].count : 0), const_i64(e, items), &from, &to);
  loop_begin(e, &p->loop, from, to, 1, 0, NULL);
  Ref panels = const_i64(e, c->count), chunks = const_i64(e, p->chunks);
  Ref rest = LLVMBuildUDiv(e->b, p->loop.i, panels, ""), panel = LLVMBuildURem(e->b, p->loop.i, panels, "");
  p->batch = LLVMBuildUDiv(e->b, rest, chunks, "");
  p->col = add_i(e, mul_i(e, panel, c->cols), const_i64(e, c->col));
  p->at = LLVMBuildURem(e->b, rest, chunks, "");
  return true;
}

void panel_items_end(Emit *e, PanelItems *p) { loop_end(e, &p->loop); }

bool panel_rows_begin(Emit *e, PanelItems *p, Loop *l, int i, Ref *row) {
  if (i == 0) {
    p->from = mul_i(e, p->at, p->chunk);
    p->to = min_i(e, add_i(e, p->from, const_i64(e, p->chunk)), const_i64(e, p->tiles.count));
  }
  return row_tiles_begin(e, l, &p->tiles, i, p->chunks > 1 ? p->from : NULL, p->to, row);
}

int panel_lanes(const Emit *e, const PanelColumns *c, int j) { return (int)size_min(e->lanes, c->cols - j * e->lanes); }
