/* conv_winograd.c: convolution by Winograd's algorithm, whose forms and points are lower/conv_winograd.c's.
 *
 * A group of tiles is transformed to V; then for each panel of output channels one small matrix product a frequency gives M,
 * and M is transformed back with the epilogue. V is each worker's own, or, where the map is one group of many channels, shared and
 * made in a phase of its own. Tiles that the edge cuts have no products at the last points. */
#include "winograd.h"

#include <llvm-c/Core.h>

static int64_t frequencies(const Winograd *w) { return (int64_t)w->f.points * w->f.points; }

/* Of the weights of a channel in a panel that are transformed on the fly. */
static int64_t taps_bytes(const Winograd *w, int nb) {
  return w->plan->integer ? nb * integer_winograd_bytes(w->e->t) : w->f.kernel * w->f.kernel * winograd_line_bytes(w, nb);
}

/* ==== one panel of output channels over one group ==== */

typedef struct WinogradGroup {
  WinogradArea area;
  Ref v, u;         /* transformed input, transformed weights of a chunk */
} WinogradGroup;

/* Weights stored transformed, of one parity. */
static void stored_range(const Winograd *w, const WinogradGroup *k, const WinogradRange *rows, const WinogradRange *cols,
                         Ref weights, int nb) {
  Emit *e = w->e;
  int64_t bytes = w->plan->icg * winograd_line_bytes(w, nb);
  WinogradProduct p = {.w = w, .tile = {.nb = nb}, .row_parities = 1, .first = true};
  p.blocks = w->plan->icg / e->lanes;
  p.rest = w->plan->icg % e->lanes;
  WinogradTiles t = winograd_tiles(w, k->area.images, k->area.rows, rows->cut, cols->cut);
  Loop i;
  loop_begin(e, &i, const_i64(e, rows->lo), const_i64(e, rows->hi), 1, 0, NULL);
  WinogradPlaces u = {.u = gep(e, weights, i.i, w->f.points * bytes), .step = bytes};
  WinogradOperands o = {.v = k->v, .m = k->area.m, .pf = gep_const(e, u.u, bytes)};
  winograd_range_products(p, &t, i.i, cols, o, &u, bytes);
  loop_end(e, &i);
}

static void panel_stored(const Winograd *w, const WinogradGroup *k, Ref weights, int nb) {
  WinogradRange rows[3], cols[3];
  int n_rows = winograd_ranges(&w->f, w->s.cut_rows, rows), n_cols = winograd_ranges(&w->f, w->s.cut_cols, cols);
  for (int i = 0; i < n_rows; i++) {
    for (int j = 0; j < n_cols; j++) stored_range(w, k, &rows[i], &cols[j], weights, nb);
  }
}

/* One chunk of input channels: `g` its given weights, `v` its part of the transformed input. */
typedef struct WinogradChunk {
  int channels, nb;
  bool first;
  Ref g, v;
} WinogradChunk;

/* How far ahead of the input that is multiplied the next is fetched, in bytes; 0: not at all. Every panel reads all of
 * V, frequency by frequency. Where V is more than a quarter of L2, the weights that pass meanwhile push it out; so
 * while one frequency is used, the next comes nearer. L1 has no room for it. */
static int64_t input_ahead(const Winograd *w) {
  int64_t bytes = w->s.v_frequency * F32_BYTES;
  return w->e->t->fetch_level > 1 && bytes * frequencies(w) > w->e->t->l2 / 4 ? bytes : 0;
}

/* Weights of integers are made for two row points at a time. */
static void make_weights(const WinogradRow *row, Ref g, Ref u, WinogradPlaces *of) {
  if (row->w->plan->integer) {
    winograd_integer_places(row, u, of);
    if (row->i % 2 == 0) winograd_integer_weights(row, g, u);
  } else {
    winograd_places(row, g, u, of);
    winograd_weights_row(row, g, u);
  }
}

static void chunk_row(const Winograd *w, const WinogradGroup *k, const WinogradChunk *c, const WinogradRange *rows, int i) {
  Emit *e = w->e;
  WinogradRange cols[3];
  WinogradPlaces u[2];
  WinogradRow row = {w, i, c->channels, c->nb};
  int n = winograd_ranges(&w->f, w->s.cut_cols, cols);
  if (rows->cut && w->s.tile_rows == 1) return;
  int64_t bytes = taps_bytes(w, c->nb) * c->channels, fetched = bytes / frequencies(w);
  WinogradProduct p = {.w = w, .tile = {.nb = c->nb}, .row_parities = rows->parities, .first = c->first};
  p.tile.dot = w->plan->integer ? DOT_WORDS : DOT_NONE;
  p.tile.ahead = input_ahead(w);
  p.blocks = c->channels / e->lanes;
  p.rest = c->channels % e->lanes;
  make_weights(&row, c->g, k->u, u);
  WinogradOperands o = {.v = c->v, .m = k->area.m, .pf = gep_const(e, c->g, bytes + i * w->f.points * fetched)};
  for (int r = 0; r < n; r++) {
    WinogradTiles t = winograd_tiles(w, k->area.images, k->area.rows, rows->cut, cols[r].cut);
    winograd_range_products(p, &t, const_i64(e, i), &cols[r], o, u, fetched);
  }
}

static void sum_chunk(const Winograd *w, const WinogradGroup *k, const WinogradChunk *c) {
  if (w->plan->fused) {
    winograd_fused_chunk(w, &k->area, c->g, c->v, c->channels / w->e->lanes, c->nb, c->first);
    return;
  }
  WinogradRange rows[3];
  int n = winograd_ranges(&w->f, w->s.cut_rows, rows);
  for (int r = 0; r < n; r++) {
    for (int i = rows[r].lo; i < rows[r].hi; i++) chunk_row(w, k, c, &rows[r], i);
  }
}

/* Chunk number `number` of a panel. */
static WinogradChunk chunk_at(const Winograd *w, const WinogradGroup *k, Ref weights, Ref number, int channels, int nb) {
  int64_t whole = (int64_t)w->plan->chunk * w->e->lanes;
  return (WinogradChunk){.channels = channels, .nb = nb, .g = gep(w->e, weights, number, whole * taps_bytes(w, nb)),
                 .v = gep(w->e, k->v, number, whole * w->s.group_tiles * F32_BYTES)};
}

static void panel_on_the_fly(const Winograd *w, const WinogradGroup *k, Ref weights, int nb) {
  Emit *e = w->e;
  int whole = w->plan->chunk * e->lanes, chunks = w->plan->icg / whole, rest = w->plan->icg % whole;
  if (chunks > 0) {
    WinogradChunk c = chunk_at(w, k, weights, const_i64(e, 0), whole, nb);
    c.first = true;
    sum_chunk(w, k, &c);
  }
  if (chunks > 1) {
    Loop number;
    loop_begin(e, &number, const_i64(e, 1), const_i64(e, chunks), 1, 0, NULL);
    WinogradChunk c = chunk_at(w, k, weights, number.i, whole, nb);
    sum_chunk(w, k, &c);
    loop_end(e, &number);
  }
  if (rest == 0) return;
  WinogradChunk c = chunk_at(w, k, weights, const_i64(e, chunks), rest, nb);
  c.first = chunks == 0;
  sum_chunk(w, k, &c);
}

static void panel_of_group(const Winograd *w, const WinogradGroup *k, Ref panel, int nb) {
  Emit *e = w->e;
  int64_t one = w->plan->stored ? frequencies(w) * winograd_line_bytes(w, w->plan->nb) : taps_bytes(w, w->plan->nb);
  Ref weights = weights_ptr(e, w->n->plan->at.weights);
  if (w->plan->integer) weights = gep_const(e, weights, integer_winograd_starts(e->t, w->plan));
  weights = gep(e, weights, panel, w->plan->icg * one);
  if (w->plan->stored) panel_stored(w, k, weights, nb);
  else panel_on_the_fly(w, k, weights, nb);
  winograd_output(w, &k->area, nb, panel);
}

/* Panels [lo, hi) of a group; the last of all may be narrower. */
static void panels_of_group(const Winograd *w, const WinogradGroup *k, Ref lo, Ref hi) {
  Emit *e = w->e;
  int64_t full = w->s.out_blocks / w->plan->nb;
  int rest = (int)(w->s.out_blocks % w->plan->nb);
  Loop panel;
  loop_begin(e, &panel, lo, hi, 1, 0, NULL);
  if (rest == 0) {
    panel_of_group(w, k, panel.i, w->plan->nb);
  } else {
    If branch;
    if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntSLT, panel.i, const_i64(e, full), ""));
    panel_of_group(w, k, panel.i, w->plan->nb);
    if_end(e, &branch);
    if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntEQ, panel.i, const_i64(e, full), ""));
    panel_of_group(w, k, panel.i, rest);
    if_end(e, &branch);
  }
  loop_end(e, &panel);
}

/* ==== layers ==== */

static int64_t panel_count(const Winograd *w) { return (w->s.out_blocks + w->plan->nb - 1) / w->plan->nb; }

static Ref shared_v(const Winograd *w, Ref group) {
  Ref shared = gep_const(w->e, value_ptr(w->e, w->n->plan->at.work), w->shared_at);
  return gep(w->e, shared, group, frequencies(w) * w->s.v_frequency * F32_BYTES);
}

/* Row `row` of an image, which may be the map's last. */
static void any_input_row(const Winograd *w, Ref image, Ref row, Ref block, Ref v) {
  Emit *e = w->e;
  if (!w->s.cut_rows) {
    winograd_input_row(w, image, row, block, false, v);
    return;
  }
  If branch;
  Ref last = const_i64(e, w->s.tile_rows - 1);
  if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntNE, row, last, ""));
  winograd_input_row(w, image, row, block, false, v);
  if_end(e, &branch);
  if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntEQ, row, last, ""));
  winograd_input_row(w, image, row, block, true, v);
  if_end(e, &branch);
}

/* First phase with a shared V: rows of tiles of each channel block. */
static void phase_input(const Winograd *w) {
  Emit *e = w->e;
  Ref lo, hi, rows = const_i64(e, w->s.tile_rows), blocks = const_i64(e, w->s.in_blocks);
  Ref images = const_i64(e, w->s.group_images);
  task_range(e, w->map.images * w->s.tile_rows * w->s.in_blocks, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref line = LLVMBuildSDiv(e->b, item.i, blocks, ""), block = LLVMBuildSRem(e->b, item.i, blocks, "");
  Ref image = LLVMBuildSDiv(e->b, line, rows, ""), row = LLVMBuildSRem(e->b, line, rows, "");
  Ref group = LLVMBuildSDiv(e->b, image, images, ""), place = LLVMBuildSRem(e->b, image, images, "");
  Ref v = gep(e, shared_v(w, group), add_i(e, mul_i(e, place, w->s.tile_rows), row), w->s.tile_cols * e->vec_bytes);
  any_input_row(w, image, row, block, v);
  loop_end(e, &item);
}

/* Second phase: panels of output channels. */
static void phase_panels(const Winograd *w) {
  Emit *e = w->e;
  Ref lo, hi;
  int64_t panels = panel_count(w), images = w->s.group_images;
  task_range(e, w->map.images / images * panels, &lo, &hi);
  WinogradGroup k = {.area = {.first = const_i64(e, 0), .images = images, .rows = w->s.tile_rows}};
  k.area.m = gep_const(e, scratch_ptr(e), w->s.m_at);
  k.u = gep_const(e, k.area.m, frequencies(w) * w->s.m_frequency * F32_BYTES);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref group = LLVMBuildSDiv(e->b, item.i, const_i64(e, panels), "");
  k.area.image = mul_i(e, group, images);
  k.v = shared_v(w, group);
  Ref panel = LLVMBuildSRem(e->b, item.i, const_i64(e, panels), "");
  panels_of_group(w, &k, panel, add_i(e, panel, const_i64(e, 1)));
  loop_end(e, &item);
}

/* Panels [lo, hi) of a group that is transformed first. */
static void group_panels(const Winograd *w, WinogradGroup *k, Ref lo, Ref hi) {
  Emit *e = w->e;
  Loop row, block;
  loop_begin(e, &row, const_i64(e, 0), const_i64(e, k->area.rows), 1, 0, NULL);
  Ref v = gep(e, k->v, row.i, w->s.tile_cols * e->vec_bytes);
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, w->s.in_blocks), 1, 0, NULL);
  winograd_input_row(w, k->area.image, add_i(e, k->area.first, row.i), block.i, false, v);
  loop_end(e, &block);
  loop_end(e, &row);
  panels_of_group(w, k, lo, hi);
}

/* Rows [lo, hi) of tiles of one image by groups of `rows`; returns where those begin that are left. */
static Ref groups_of_rows(const Winograd *w, WinogradGroup *k, Ref lo, Ref hi, int64_t rows) {
  Emit *e = w->e;
  Ref count = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, hi, lo, ""), const_i64(e, rows), "");
  Loop group;
  k->area.rows = rows;
  loop_begin(e, &group, const_i64(e, 0), count, 1, 0, NULL);
  k->area.first = add_i(e, lo, mul_i(e, group.i, rows));
  group_panels(w, k, const_i64(e, 0), const_i64(e, panel_count(w)));
  loop_end(e, &group);
  return add_i(e, lo, mul_i(e, count, rows));
}

/* Whole groups, then what is left row by row. */
static void rows_by_groups(const Winograd *w, WinogradGroup *k, Ref lo, Ref hi) {
  int64_t rows = w->plan->tile_rows;
  if (rows > 1) lo = groups_of_rows(w, k, lo, hi, rows);
  groups_of_rows(w, k, lo, hi, 1);
}

/* Where two tasks meet within rows [lo, hi) of tiles, each has some panels of the row, from place `from` to `to` of all panels of all rows. */
static void parts_of_rows(const Winograd *w, WinogradGroup *k, Ref lo, Ref hi, Ref from, Ref to) {
  Emit *e = w->e;
  Ref panels = const_i64(e, panel_count(w)), first, last;
  Loop row;
  k->area.rows = 1;
  loop_begin(e, &row, lo, hi, 1, 0, NULL);
  k->area.first = row.i;
  part_of_range(e, from, to, LLVMBuildMul(e->b, row.i, panels, ""), panels, &first, &last);
  group_panels(w, k, first, last);
  loop_end(e, &row);
}

/* In the worker's own memory. */
static WinogradGroup own_group(const Winograd *w) {
  Emit *e = w->e;
  WinogradGroup k = {.area.images = 1, .v = scratch_ptr(e)};
  k.area.m = gep_const(e, k.v, w->s.m_at);
  k.u = gep_const(e, k.area.m, frequencies(w) * w->s.m_frequency * F32_BYTES);
  return k;
}

/* A map that is one group, each worker transforming for itself. The tasks share out the panels of all rows of tiles, row by row;
 * rows that a task has wholly are groups of as many as there are, or half, a quarter. */
static void panels_apart(const Winograd *w) {
  Emit *e = w->e;
  int64_t panels = panel_count(w);
  Ref lo, hi, up = const_i64(e, panels - 1), count = const_i64(e, panels);
  task_range(e, w->s.tile_rows * panels, &lo, &hi);
  Ref first = LLVMBuildSDiv(e->b, lo, count, ""), last = LLVMBuildSDiv(e->b, add_i(e, hi, up), count, "");
  Ref whole = LLVMBuildSDiv(e->b, add_i(e, lo, up), count, ""), end = max_i(e, LLVMBuildSDiv(e->b, hi, count, ""), whole);
  WinogradGroup k = own_group(w);
  k.area.image = const_i64(e, 0);
  parts_of_rows(w, &k, first, whole, lo, hi);
  for (int64_t rows = w->s.tile_rows; rows > 1; rows /= 2) whole = groups_of_rows(w, &k, whole, end, rows);
  parts_of_rows(w, &k, whole, last, lo, hi);
}

/* One phase: each worker transforms for itself. The tasks share out rows of tiles, so that any number of them has about
 * the same to do, and cut their rows into groups. */
static void by_groups(const Winograd *w) {
  Emit *e = w->e;
  Ref lo, hi, all = const_i64(e, w->s.tile_rows);
  task_range(e, w->map.images * w->s.tile_rows, &lo, &hi);
  WinogradGroup k = own_group(w);
  Loop image;
  loop_begin(e, &image, const_i64(e, 0), const_i64(e, w->map.images), 1, 0, NULL);
  k.area.image = image.i;
  Ref first = mul_i(e, image.i, w->s.tile_rows);
  Ref from, to;
  part_of_range(e, lo, hi, first, all, &from, &to);
  If some;
  if_begin(e, &some, LLVMBuildICmp(e->b, LLVMIntSLT, from, to, ""));
  rows_by_groups(w, &k, from, to);
  if_end(e, &some);
  loop_end(e, &image);
}

static void emit_map(const Winograd *w) {
  if (w->e->phase > 0 && w->s.one_group) phase_panels(w);
  else if (w->e->phase == 0 && w->s.one_group) phase_input(w);
  else if (w->e->phase == 0 && w->plan->apart) panels_apart(w);
  else if (w->e->phase == 0) by_groups(w);
}

void emit_winograd(Emit *e, Node *n) {
  Winograd w = {.e = e, .n = n, .plan = &n->plan->winograd, .in = n->in[0], .out = n->out[0]};
  WinogradMap map[WINOGRAD_MAPS];
  w.f = winograd_form_of(n, w.plan);
  if (e->phase == 0) emit_halo(e, n->out[0]);
  for (int i = 0, count = winograd_maps(&w.f, &n->out[0]->shape, map); i < count; i++) {
    w.map = map[i];
    w.s = winograd_sizes(&w.f, w.plan, &w.map, e->lanes);
    emit_map(&w);
    w.shared_at += winograd_shared(&w.f, &w.s, &w.map);
  }
}

void emit_integer_winograd(Emit *e, Node *n) { emit_winograd(e, n); }
