/* conv_direct.c: direct convolution on channel blocks.
 *
 * The kernel holds a tile of `uw` pixels x `nb` blocks of output channels in registers, a vector being one pixel's V output
 * channels, and adds one product of an input value (broadcast) and a weight vector for every input channel and tap; of 8-bit
 * integers the products of four input channels, which count as one here (lower/conv_integer.c). A tile is
 * any list of pixels; the addresses differ by constants. The loops around it, outermost first; what tasks share out is in
 * brackets:
 *
 *     ROW_TILE_OC   [image, row, tile]   group   panel                 a tile of inputs meets all weights
 *     OC_ROW_TILE   [block of rows, group, panel, row]   tile          a panel of weights meets a block of rows
 *     OC_FLAT       [group, panel]   image   chunk of inputs   tile    a whole small map is one row of pixels */
#include "conv_direct.h"

#include <llvm-c/Core.h>

/* ==== calling the kernel ==== */

static void set_channels(const Conv *c, Kernel *t) {
  int lanes = c->plan->planar ? 1 : c->e->lanes;
  t->blocks = c->plan->icg / lanes;
  t->rest = c->plan->icg % lanes;
  t->first = t->last = true;
}

static int blocks_of(const Conv *c, int width) { return (width + c->e->lanes - 1) / c->e->lanes; }

static Type half_weights(const Conv *c) {
  Type t = c->n->plan->weights;
  return type_is_half(t) ? t : T_NONE;
}

static Kernel row_tile(const Conv *c, int uw, int width, int prefetch) {
  Kernel t = {.tile = {.uw = uw, .nb = blocks_of(c, width), .width = width, .prefetch = prefetch, .weights = half_weights(c),
                     .dot = c->dot}};
  for (int u = 0; u < uw; u++) {
    t.tile.in[u] = place_offset(c->in, 0, 0, u * c->win->sw);
    t.out[u] = place_offset(c->out, 0, 0, u);
    t.dx[u] = u;
  }
  set_channels(c, &t);
  return t;
}

/* Wide windows of dilated convolutions read much padding: whole rows of results, or tiles of a row, have taps for which there is
 * nothing else. Where u8 are made s8 for the products, padding of 0 is none. An input without a border has no padding to read. */
static bool skips_taps(const Conv *c) {
  if (c->plan->inside) return has_padding(c->n);
  if (c->dot && adds_signed_fours(c->e->t)) return false;
  return c->taps > 1 && !c->plan->planar && c->win->fill == 0 && !c->e->build->many_shapes && (c->win->dh > 1 || c->win->dw > 1);
}

static void skip_taps(const Conv *c, Kernel *t, Site *s) {
  Emit *e = c->e;
  const Window *w = c->win;
  const int64_t *x = c->n->in[0]->shape.d;
  t->skips = skips_taps(c);
  if (!t->skips) return;
  Ref row = mul_i(e, s->row, w->sh), first = mul_i(e, s->x, w->sw);
  Ref last = add_i(e, first, const_i64(e, (t->tile.uw - 1) * w->sw));
  taps_inside(e, row, row, w->top, x[2], w->dh, w->kh, &s->taps[KH_FROM], &s->taps[KH_TO]);
  taps_inside(e, first, last, w->left, x[3], w->dw, w->kw, &s->taps[KW_FROM], &s->taps[KW_TO]);
}

/* Do all taps meet the input? */
static Ref meets_all(const Conv *c, const Site *s) {
  Emit *e = c->e;
  const int64_t all[TAP_ARGS] = {[KH_TO] = c->win->kh, [KW_TO] = c->win->kw};
  Ref yes = LLVMConstInt(e->i1, 1, 0);
  for (int i = 0; i < TAP_ARGS; i++) {
    yes = LLVMBuildAnd(e->b, yes, LLVMBuildICmp(e->b, LLVMIntEQ, s->taps[i], const_i64(e, all[i]), ""), "");
  }
  return yes;
}

/* Where only edges skip taps all other tiles have the kernel that skips none. */
static void call_tile(const Conv *c, Kernel *t, Site *s) {
  Emit *e = c->e;
  If some;
  skip_taps(c, t, s);
  Ref all = t->skips && c->plan->inside ? meets_all(c, s) : NULL;
  if (all) {
    if_begin(e, &some, LLVMBuildNot(e->b, all, ""));
    call_direct_kernel(c, t, s);
    if_end(e, &some);
    if_begin(e, &some, all);
    t->skips = false;
  }
  call_direct_kernel(c, t, s);
  if (all) if_end(e, &some);
}

/* Pointers of a site from its image, row, x, group and panel. */
static void locate(const Conv *c, Site *s) {
  Emit *e = c->e;
  int64_t channels = c->plan->planar ? 0 : c->plan->icg / e->lanes;
  Ref in = value_ptr(e, c->in), out = value_ptr(e, c->out);
  in = window_from(e, in, c->in, c->win, s->image, NULL, s->row, s->x);
  s->in = gep(e, in, s->group, channels * place_block_bytes(c->in));
  Ref block = add_i(e, mul_i(e, s->group, c->out_blocks), mul_i(e, s->panel_index, c->plan->nb));
  out = place_from(e, out, c->out, s->image, NULL, s->row, s->x);
  s->out = place_vector(e, out, c->out, NULL, block, NULL, NULL);
  int64_t group_weights = direct_columns(e->t, c->plan) * c->plan->icg * c->taps;
  Ref first = weights_ptr(e, c->n->plan->at.weights);
  Ref w = gep(e, gep_const(e, first, c->starts + c->places), s->group, group_weights * c->weight_size);
  s->weights = gep(e, w, s->panel_index, c->head + c->panel * c->weight_size);
  if (c->plan->sorted) {
    s->partial = s->weights;
    s->prefetch = gep_const(e, first, c->starts);
    s->weights = gep_const(e, s->weights, c->head);
  }
  s->bias = gep(e, c->dot ? first : weights_ptr(e, c->n->plan->at.bias), block, e->vec_bytes);
}

/* ==== loops ==== */

/* width: floats of a step's weights in the panel. */
typedef void Body(const Conv *c, Site *s, int width, void *data);

static int full_width(const Conv *c) { return (c->plan->nb + c->plan->ones) * c->e->lanes; }

/* Panels of one group: the full ones in a loop, then the narrower last. */
static void each_panel(const Conv *c, Site *s, Body *body, void *data) {
  Emit *e = c->e;
  if (c->whole_panels > 0) {
    Loop panel;
    loop_begin(e, &panel, const_i64(e, 0), const_i64(e, c->whole_panels), 1, 0, NULL);
    s->panel_index = panel.i;
    body(c, s, full_width(c), data);
    loop_end(e, &panel);
  }
  if (c->rest == 0) return;
  s->panel_index = const_i64(e, c->whole_panels);
  body(c, s, c->rest, data);
}

static int64_t all_panels(const Conv *c) { return c->plan->groups * c->groups_of_blocks; }

/* Panel number `number` of all groups'; the narrower last panel of a group takes its own branch. */
static void on_panel(const Conv *c, Ref number, Body *body, void *data) {
  Emit *e = c->e;
  int64_t per_group = c->groups_of_blocks, full = c->whole_panels;
  Site s = {.group = LLVMBuildSDiv(e->b, number, const_i64(e, per_group), ""),
            .panel_index = LLVMBuildSRem(e->b, number, const_i64(e, per_group), "")};
  If branch;
  if (c->rest > 0 && full > 0) {
    if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntSLT, s.panel_index, const_i64(e, full), ""));
    body(c, &s, full_width(c), data);
    if_end(e, &branch);
    if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntEQ, s.panel_index, const_i64(e, full), ""));
    body(c, &s, c->rest, data);
    if_end(e, &branch);
  } else {
    body(c, &s, full > 0 ? full_width(c) : c->rest, data);
  }
}

/* Two sizes of tiles for each piece of a row. */
static RowTiles tiles_in_row(const Conv *c) {
  RowPiece piece[MAX_PIECES] = {{.width = c->cols}};
  return row_tiles_of_pieces(piece, skips_taps(c) ? direct_pieces(c->n, c->plan->inside, piece) : 1, c->plan->uw);
}

static int64_t tiles_of_row(const Conv *c) { return tiles_in_row(c).count; }

/* The tiles [from, to) of a row, NULL: all. */
static void each_tile(const Conv *c, Site *s, Ref from, Ref to, void (*body)(const Conv *, Site *, int uw, void *),
                      void *data) {
  Emit *e = c->e;
  const RowTiles t = tiles_in_row(c);
  for (int i = 0; i < t.sizes; i++) {
    Loop tile;
    if (!row_tiles_begin(e, &tile, &t, i, from, to, &s->x)) continue;
    s->tile = add_i(e, tile.i, const_i64(e, t.before[i]));
    body(c, s, (int)t.size[i], data);
    loop_end(e, &tile);
  }
}

static void each_group(const Conv *c, Site *s, void (*body)(const Conv *, Site *)) {
  Loop group;
  loop_begin(c->e, &group, const_i64(c->e, 0), const_i64(c->e, c->plan->groups), 1, 0, NULL);
  s->group = group.i;
  body(c, s);
  loop_end(c->e, &group);
}

/* ROW_TILE_OC */

static void tile_of_panel(const Conv *c, Site *s, int width, void *data) {
  locate(c, s);
  Kernel t = row_tile(c, *(int *)data, width, 0);
  if (c->plan->ahead) t.tile.ahead = place_row_bytes(c->in);
  call_tile(c, &t, s);
}

/* In scratch, for all panels: of each pixel the even channels, then the odd ones, as 16-bit numbers. */
static void widen_tile(const Conv *c, Site *s, int uw) {
  Emit *e = c->e;
  Loop block;
  s->panel_index = const_i64(e, 0);
  locate(c, s);
  loop_begin_some(e, &block, const_i64(e, 0), const_i64(e, size_ceiling(c->plan->icg, e->lanes)), 1, 0, NULL);
  Ref x = gep(e, s->in, block.i, place_block_bytes(c->in)), to = gep(e, scratch_ptr(e), block.i, e->vec_bytes);
  for (int u = 0; u < uw; u++) {
    Ref bytes = load(e, vec_of(e->i32, e->lanes), x, place_offset(c->in, 0, 0, u * c->win->sw), e->vec_bytes);
    Factor f = dot_factor(e, DOT_PAIRS, bytes, false);
    for (int i = 0; i < 2; i++) store(e, f.part[i], to, (2 * u + i) * c->words, e->vec_bytes);
  }
  loop_end(e, &block);
}

static void panels_of_tile(const Conv *c, Site *s, int uw, void *data) {
  (void)data;
  if (c->words) widen_tile(c, s, uw);
  each_panel(c, s, tile_of_panel, &uw);
}

static void row_tile_oc(const Conv *c, Site *s) { each_tile(c, s, s->from, s->to, panels_of_tile, NULL); }

/* Tasks share out the tiles of all rows. */
static void by_rows(const Conv *c) {
  Emit *e = c->e;
  RowShare share;
  row_share_begin(e, &share, c->images, c->rows, tiles_of_row(c));
  Site s = {.image = share.image, .row = share.row, .from = share.from, .to = share.to};
  each_group(c, &s, row_tile_oc);
  row_share_end(e, &share);
}

/* OC_ROW_TILE: while a panel is used for a block of rows, the next one is fetched into L2, evenly over the work. */

typedef struct Sweep {
  int width;     /* of the panel */
  int lines;     /* to fetch for each step over one block and tap */
  int64_t bytes; /* fetched by one tile */
  Ref first;     /* row of the block */
} Sweep;

static int64_t row_blocks(const Conv *c) { return (c->images * c->rows + c->plan->block_rows - 1) / c->plan->block_rows; }

/* Where taps are skipped each tile takes its share of every step's weights, else its share of all, in one piece. */
static void set_stream(const Conv *c, Sweep *w) {
  if (!c->plan->stream || c->plan->sorted) return;
  int64_t channels = c->plan->icg, lanes = c->plan->planar ? 1 : c->e->lanes;
  int64_t least_rows = c->images * c->rows / row_blocks(c);
  int64_t steps = (channels + lanes - 1) / lanes * c->taps, calls = steps * tiles_of_row(c) * least_rows;
  w->lines = (int)((c->panel * c->weight_size / 64 + calls - 1) / calls);
  w->bytes = w->lines * (skips_taps(c) ? 1 : steps) * 64;
}

static void streaming_tile(const Conv *c, Site *s, int uw, void *data) {
  Emit *e = c->e;
  Sweep *w = data;
  locate(c, s);
  Ref row = LLVMBuildSub(e->b, add_i(e, mul_i(e, s->image, c->rows), s->row), w->first, "");
  Ref tile = skips_taps(c) ? s->tile : LLVMBuildSDiv(e->b, s->x, const_i64(e, c->plan->uw), "");
  Ref number = add_i(e, mul_i(e, row, tiles_of_row(c)), tile);
  if (!c->plan->sorted) s->prefetch = gep(e, gep_const(e, s->weights, c->panel * c->weight_size), number, w->bytes);
  Kernel t = row_tile(c, uw, w->width, w->lines);
  call_tile(c, &t, s);
}

/* Rows [lo, hi) of a block. */
typedef struct Stripe {
  Ref first, lo, hi; /* the block's first row; counted from the first row of all */
} Stripe;

static void stripe_of_panel(const Conv *c, Site *s, int width, void *data) {
  Emit *e = c->e;
  const Stripe *stripe = data;
  Sweep w = {.width = width, .first = stripe->first};
  set_stream(c, &w);
  Loop row;
  loop_begin(e, &row, stripe->lo, stripe->hi, 1, 0, NULL);
  s->image = LLVMBuildSDiv(e->b, row.i, const_i64(e, c->rows), "");
  s->row = LLVMBuildSRem(e->b, row.i, const_i64(e, c->rows), "");
  each_tile(c, s, NULL, NULL, streaming_tile, &w);
  loop_end(e, &row);
}

/* Tasks share out the rows of all panels, so that few blocks and panels are no worse for many tasks than many. */
static void by_blocks(const Conv *c) {
  PanelShare share;
  panel_share_begin(c->e, &share, c->images * c->rows, row_blocks(c), all_panels(c));
  Stripe stripe = {share.first, share.from, share.to};
  on_panel(c, share.panel, stripe_of_panel, &stripe);
  panel_share_end(c->e, &share);
}

/* OC_FLAT: the whole map a list of pixels cut into tiles; chunks of input channels keep their weights in L1 while all
 * tiles pass, the sums waiting in scratch. */

typedef struct Chunk {
  Ref first;               /* channel block */
  int blocks, rest;        /* channel blocks, then channels of a partial one */
  bool begins, ends;
  Ref count;               /* of channel blocks where that is known when it runs, as which chunk it is; else NULL */
} Chunk;

/* Bytes between what pixel (0, 0) of the result and pixel (y, x) read first. */
static int64_t in_at(const Conv *c, int64_t y, int64_t x) { return place_offset(c->in, 0, y * c->win->sh, x * c->win->sw); }

/* The `uw` pixels from number `first` of the map on. */
static Kernel flat_tile(const Conv *c, const Chunk *k, int first, int uw, int width) {
  Kernel t = {.tile = {.uw = uw, .nb = blocks_of(c, width), .width = width, .weights = half_weights(c), .dot = c->dot}, .blocks = k->blocks,
              .rest = k->rest, .first = k->begins, .last = k->ends, .chunked = k->count != NULL};
  int y0 = first / (int)c->cols, x0 = first % (int)c->cols;
  for (int u = 0; u < uw; u++) {
    t.dy[u] = (first + u) / (int)c->cols - y0;
    t.dx[u] = (first + u) % (int)c->cols - x0;
    t.tile.in[u] = in_at(c, t.dy[u], t.dx[u]);
    t.out[u] = place_offset(c->out, 0, t.dy[u], t.dx[u]);
  }
  return t;
}

/* The site of the tile that starts at pixel `first`, from that of pixel 0. */
static Site flat_site(const Conv *c, const Site *origin, int first) {
  Emit *e = c->e;
  Site s = *origin;
  int64_t y = first / c->cols, x = first % c->cols;
  s.row = const_i64(e, y);
  s.x = const_i64(e, x);
  s.in = gep_const(e, s.in, in_at(c, y, x));
  s.out = gep_const(e, s.out, place_offset(c->out, 0, y, x));
  return s;
}

/* Pixels of a tile of whole rows where there are no more of these than of others: all but the last have the same code. 0: no such. */
static int whole_rows(const Conv *c) {
  int most = tile_pixels(c->e->t, c->plan->nb + c->plan->ones);
  int64_t rows = most / c->cols;
  bool as_few = rows > 0 && size_ceiling(c->rows, rows) == size_ceiling(c->rows * c->cols, c->plan->uw);
  return c->dot && as_few ? (int)(rows * c->cols) : 0;
}

static void chunk_of_tiles(const Conv *c, Site *s, int width, const Chunk *k) {
  Emit *e = c->e;
  int pixels = (int)(c->rows * c->cols), count = (pixels + c->plan->uw - 1) / c->plan->uw, first = 0, each = whole_rows(c);
  int64_t steps = (int64_t)k->blocks * c->taps + (k->rest > 0 ? c->taps : 0);
  int64_t channel_bytes = width * c->taps * c->weight_size;
  int64_t bytes = channel_bytes * (k->blocks * e->lanes + k->rest);
  int lines = (int)((bytes / 64 + steps * count - 1) / (steps * count));
  s->row = s->x = const_i64(e, 0);
  locate(c, s);
  s->in = gep(e, s->in, k->first, place_block_bytes(c->in));
  s->weights = gep(e, s->weights, k->first, channel_bytes * e->lanes);
  for (int i = 0; i < count; i++) {
    int uw = each ? (int)size_min(each, pixels - first) : pixels / count + (i >= count - pixels % count);
    Kernel t = flat_tile(c, k, first, uw, width);
    Site at = flat_site(c, s, first);
    if (!c->plan->sorted) {
      t.tile.prefetch = lines;
      at.prefetch = k->count ? gep(e, gep(e, s->weights, k->count, channel_bytes * e->lanes), k->count, i * c->taps * lines * 64)
                             : gep_const(e, s->weights, bytes + i * steps * lines * 64);
      at.partial = gep_const(e, scratch_ptr(e), (int64_t)first * t.tile.nb * e->vec_bytes);
    }
    call_direct_kernel(c, &t, &at);
    first += uw;
  }
}

/* Chunks [from, to) of a panel, which have the same code. */
static void chunks_of_panel(const Conv *c, Site *s, int width, int from, int to, Chunk k) {
  Emit *e = c->e;
  if (from >= to) return;
  Loop number;
  loop_begin(e, &number, const_i64(e, from), const_i64(e, to), 1, 0, NULL);
  k.first = mul_i(e, number.i, c->plan->chunk);
  chunk_of_tiles(c, s, width, &k);
  loop_end(e, &number);
}

/* All chunks by one kernel, the last one of `rest` blocks; `last`: its number. */
static void told_chunks(const Conv *c, Site *s, int width, int last, int rest) {
  Emit *e = c->e;
  Chunk k = {.blocks = c->plan->chunk, .begins = true, .ends = true};
  Loop number;
  loop_begin(e, &number, const_i64(e, 0), const_i64(e, last + 1), 1, 0, NULL);
  Ref is_last = LLVMBuildICmp(e->b, LLVMIntEQ, number.i, const_i64(e, last), "");
  Ref is_first = LLVMBuildICmp(e->b, LLVMIntEQ, number.i, const_i64(e, 0), "");
  k.first = mul_i(e, number.i, c->plan->chunk);
  k.count = s->blocks = choose(e, is_last, const_i64(e, rest), const_i64(e, k.blocks));
  s->begins = LLVMBuildZExt(e->b, is_first, e->i64, "");
  s->ends = LLVMBuildZExt(e->b, is_last, e->i64, "");
  chunk_of_tiles(c, s, width, &k);
  loop_end(e, &number);
}

static void flat_panel(const Conv *c, Site *s, int width, void *data) {
  (void)data;
  Emit *e = c->e;
  int whole = (int)(c->plan->icg / e->lanes), rest = (int)(c->plan->icg % e->lanes), chunk = c->plan->chunk;
  int last = chunk && whole ? (whole - 1) / chunk : 0;
  Loop image;
  loop_begin(e, &image, const_i64(e, 0), const_i64(e, c->images), 1, 0, NULL);
  s->image = image.i;
  if (c->dot && rest == 0 && last > 0) {
    told_chunks(c, s, width, last, whole - last * chunk);
    loop_end(e, &image);
    return;
  }
  chunks_of_panel(c, s, width, 0, last > 0, (Chunk){.blocks = chunk, .begins = true});
  chunks_of_panel(c, s, width, 1, last, (Chunk){.blocks = chunk});
  Chunk end = {.blocks = whole - last * chunk, .rest = rest, .begins = last == 0, .ends = true};
  chunks_of_panel(c, s, width, last, last + 1, end);
  loop_end(e, &image);
}

static void by_panels(const Conv *c) {
  Ref lo, hi;
  task_range(c->e, all_panels(c), &lo, &hi);
  Loop panel;
  loop_begin(c->e, &panel, lo, hi, 1, 0, NULL);
  on_panel(c, panel.i, flat_panel, NULL);
  loop_end(c->e, &panel);
}

void emit_direct(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Conv c = {.e = e, .n = n, .plan = &n->plan->direct, .win = &n->win, .in = n->in[0], .out = n->out[0],
            .images = y->d[0], .rows = y->d[2], .cols = y->d[3], .taps = (int64_t)n->win.kh * n->win.kw};
  c.out_blocks = (c.plan->ocg + e->lanes - 1) / e->lanes;
  c.groups_of_blocks = (c.out_blocks + c.plan->nb - 1) / c.plan->nb;
  c.dot = n->op == OP_ConvInteger ? dot_of(e->t, c.plan->small) : DOT_NONE;
  c.weight_size = c.dot ? 4 : (int)type_size(n->plan->weights);
  c.starts = c.dot ? integer_starts_bytes(e->t, n, c.plan) : 0;
  c.places = c.plan->sorted ? sorted_places(c.plan, c.win) : 0;
  c.head = c.plan->sorted ? sorted_head(e->t, c.plan, c.win) : 0;
  c.words = c.plan->words ? sorted_words(e->t, c.plan) : 0;
  c.panel = full_width(&c) * c.plan->icg * c.taps;
  c.whole_panels = direct_columns(e->t, c.plan) / full_width(&c);
  c.rest = (int)(direct_columns(e->t, c.plan) % full_width(&c));
  emit_halo(e, n->out[0]);
  switch (c.plan->order) {
  case ROW_TILE_OC: by_rows(&c); break;
  case OC_ROW_TILE: by_blocks(&c); break;
  case OC_FLAT: by_panels(&c); break;
  }
}
