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
#include "emit.h"

#include <llvm-c/Core.h>
#include <string.h>

/* One kernel: everything that its code depends on besides the node's epilogue. */
typedef struct Kernel {
  Tile tile;
  int64_t out[MAX_TILE];                /* bytes from the result's first pixel to the others */
  int dy[MAX_TILE], dx[MAX_TILE];       /* the same in rows and pixels */
  int blocks, rest;                     /* whole channel blocks to sum over, more than one given to the kernel when it runs, and
                                           channels in a last partial one */
  bool first, last;                     /* chunk: starts from the bias; applies the epilogue and writes the result */
  bool skips;                           /* taps that read nothing but padding, when it runs */
} Kernel;

typedef struct Conv {
  Emit *e;
  Node *n;
  const DirectPlan *plan;
  const Window *win;
  const Value *in, *out;
  int64_t images, rows, cols;           /* of the result */
  int64_t taps;
  int64_t groups_of_blocks;             /* panels of one group: nb output blocks each, the last one perhaps fewer */
  int64_t whole_panels;                 /* those with weights for nb whole vectors, */
  int rest;                             /* floats of a step's weights in the last one if it is no such, else 0 */
  int64_t out_blocks;                   /* of one group */
  int64_t panel;                        /* weights of a full panel */
  int weight_size;                      /* bytes of one, of four where they are integers */
  Dot dot;
  int64_t starts;                       /* bytes before the weights: the sums' starts, instead of a bias */
} Conv;

enum { KH_FROM, KH_TO, KW_FROM, KW_TO, TAP_ARGS };

/* What a call of the kernel needs besides the tile. */
typedef struct Site {
  Ref image, row, x;                    /* first pixel of the result */
  Ref from, to;                         /* ROW_TILE_OC: tiles of the row */
  Ref tile;                             /* number in the row */
  Ref panel_index;                      /* output panel within its group */
  Ref group;
  Ref in, weights, out, bias, partial, prefetch; /* pointers */
  Ref taps[TAP_ARGS];                   /* where the kernel skips: the first and the last but one, by rows and by columns */
} Site;

/* ==== the kernel ==== */

enum { ARG_IN, ARG_W, ARG_OUT, ARG_BIAS, ARG_PARTIAL, ARG_PREFETCH, ARG_BLOCKS, ARG_REST, ARG_STEPS };

/* The channels of a partial block are counted at run time, and summed one by one. */
static bool counts_rest(const Conv *c, const Kernel *t) { return c->e->build->many_shapes && t->rest > 0; }

static void kernel_key(const Conv *c, const Kernel *t, Buffer *key) {
  const Window *w = c->win;
  const Tile *tile = &t->tile;
  buffer_printf(key, "conv_%dx%d_b%d+%d_%s%s%s_pf%d%s", tile->uw, tile->nb, t->blocks > 1 ? 2 : t->blocks,
                counts_rest(c, t) ? 1 : t->rest, t->first ? "f" : "", t->last ? "l" : "", c->plan->planar ? "p" : c->plan->ones ? "o" : "",
                tile->prefetch, tile->ahead ? "a" : "");
  buffer_printf(key, "_k%lldx%lld_d%lldx%lld_in%lld.%lld.%lld_out%lld", (long long)w->kh, (long long)w->kw, (long long)w->dh,
                (long long)w->dw, (long long)c->in->layout.c, (long long)c->in->layout.row,
                (long long)c->in->layout.pix, (long long)c->out->layout.c);
  if (tile->weights) buffer_printf(key, "_%s", type_name(tile->weights));
  if (tile->dot) buffer_printf(key, "_dot%d.%s.%d", tile->dot, type_name(c->out->type), c->out->layout.block);
  if (t->skips) buffer_printf(key, "_skips");
  if (c->plan->bounded) buffer_printf(key, "_bounded");
  if (tile->width % c->e->lanes) buffer_printf(key, "_w%d", tile->width);
  for (int u = 1; u < t->tile.uw; u++) {
    buffer_printf(key, "_%lld.%lld", (long long)t->tile.in[u] / F32_BYTES, (long long)t->out[u] / F32_BYTES);
  }
  for (int u = 1; t->last && u < t->tile.uw; u++) buffer_printf(key, "_%d.%d", t->dy[u], t->dx[u]);
  if (t->last) step_key(c->n, key);
  buffer_add(key, "", 1);
}

/* One tap of `steps` channels. */
static void sum_steps(const Conv *c, const Kernel *t, Ref x, int steps, Ref *acc) {
  Emit *e = c->e;
  Tile tile = t->tile;
  int n = tile.uw * tile.nb;
  if (steps != t->rest || !counts_rest(c, t)) {
    tile_sums(e, &tile, x, steps, acc, &acc[n], &acc[n + 1]);
    return;
  }
  Loop channel;
  tile.prefetch = tile.ahead = 0;
  loop_begin_some(e, &channel, const_i64(e, 0), LLVMGetParam(e->fn, ARG_REST), 1, n + 2, acc);
  tile_sums(e, &tile, gep(e, x, channel.i, F32_BYTES), 1, acc, &acc[n], &acc[n + 1]);
  loop_end(e, &channel);
}

static int step_args(const Conv *c, const Kernel *t) {
  return ARG_STEPS + (t->last ? c->n->n_step + (numbers_bytes(c->n) > 0) : 0);
}

/* A bound of the taps: an argument behind those of the steps, or, in a kernel that skips none, a constant. */
static Ref tap_bound(const Conv *c, const Kernel *t, int which, int64_t otherwise) {
  return t->skips ? LLVMGetParam(c->e->fn, (unsigned)(step_args(c, t) + which)) : const_i64(c->e, otherwise);
}

/* How far ahead of the weights what to fetch is, in a kernel that skips taps: it fetches none of what belongs to them. */
static Ref ahead_of_weights(Emit *e) {
  Ref fetched = LLVMBuildPtrToInt(e->b, LLVMGetParam(e->fn, ARG_PREFETCH), e->i64, "");
  return LLVMBuildSub(e->b, fetched, LLVMBuildPtrToInt(e->b, LLVMGetParam(e->fn, ARG_W), e->i64, ""), "");
}

/* All taps of one channel block (or of one channel of a planar input). acc holds the sums, the weights' and the prefetch
 * pointer. The loops stay loops: unrolled over kw LLVM merges the overlapping broadcasts and spills. */
static void sum_taps(const Conv *c, const Kernel *t, Ref x, int steps, Ref *acc) {
  Emit *e = c->e;
  int n = t->tile.uw * t->tile.nb;
  if (c->taps == 1) {
    sum_steps(c, t, x, steps, acc);
    return;
  }
  Loop kh, kw;
  Ref from = tap_bound(c, t, KW_FROM, 0), to = tap_bound(c, t, KW_TO, c->win->kw);
  int64_t tap = (int64_t)steps * t->tile.width * c->weight_size;
  loop_begin(e, &kh, tap_bound(c, t, KH_FROM, 0), tap_bound(c, t, KH_TO, c->win->kh), 1, n + 2, acc);
  Ref line = gep(e, x, kh.i, c->win->dh * place_row_bytes(c->in)), start = acc[n];
  if (t->skips) acc[n] = gep(e, start, from, tap);
  loop_begin(e, &kw, from, to, 1, n + 2, acc);
  if (t->skips && t->tile.prefetch) acc[n + 1] = gep(e, acc[n], ahead_of_weights(e), 1);
  sum_steps(c, t, gep(e, line, kw.i, c->win->dw * place_pixel_bytes(c->in)), steps, acc);
  loop_end(e, &kw);
  if (t->skips) acc[n] = gep_const(e, start, c->win->kw * tap);
  loop_end(e, &kh);
}

/* The same, and the weights go to the next channels. */
static void sum_channels(const Conv *c, const Kernel *t, Ref x, int steps, Ref *acc) {
  int n = t->tile.uw * t->tile.nb;
  Ref start = acc[n];
  int64_t row = (int64_t)steps * t->tile.width * c->weight_size * c->win->kw;
  if (t->skips) acc[n] = gep(c->e, start, tap_bound(c, t, KH_FROM, 0), row);
  sum_taps(c, t, x, steps, acc);
  if (t->skips) acc[n] = gep_const(c->e, start, c->win->kh * row);
}

static void init_sums(const Conv *c, const Kernel *t, Ref *acc) {
  Emit *e = c->e;
  LLVMTypeRef type = c->dot ? vec_of(e->i32, e->lanes) : e->vec;
  for (int b = 0; b < t->tile.nb; b++) {
    bool ones = c->plan->ones && b == t->tile.nb - 1;
    Ref start = ones ? LLVMConstNull(type) : load(e, type, LLVMGetParam(e->fn, ARG_BIAS), b * e->vec_bytes, e->vec_bytes);
    Ref bias = t->first ? start : NULL;
    for (int u = 0; u < t->tile.uw; u++) {
      int64_t at = (b * t->tile.uw + u) * e->vec_bytes;
      acc[b * t->tile.uw + u] = bias ? bias : load(e, type, LLVMGetParam(e->fn, ARG_PARTIAL), at, e->vec_bytes);
    }
  }
}

static void finish_sums(const Conv *c, const Kernel *t, Ref *acc) {
  Emit *e = c->e;
  int uw = t->tile.uw, nb = t->tile.nb;
  if (!t->last) {
    for (int i = 0; i < nb * uw; i++) store(e, acc[i], LLVMGetParam(e->fn, ARG_PARTIAL), i * e->vec_bytes, e->vec_bytes);
    return;
  }
  Ref arg[MAX_STEPS];
  step_params(e, c->n, ARG_STEPS, arg);
  if (c->plan->ones) take_off_zeros(e, gep_const(e, LLVMGetParam(e->fn, ARG_BIAS), c->starts / 2), uw, --nb, acc);
  int first = c->dot && integer_bias(c->n); /* sums start from it */
  store_results(e, c->n, &(ResultTile){uw, nb, first, c->plan->bounded, t->out, t->dy, t->dx}, acc, arg, LLVMGetParam(e->fn, ARG_OUT));
}

typedef struct Building {
  const Conv *c;
  const Kernel *t;
} Building;

static void build_kernel(const void *data) {
  const Conv *c = ((const Building *)data)->c;
  const Kernel *t = ((const Building *)data)->t;
  Emit *e = c->e;
  int n = t->tile.uw * t->tile.nb, lanes = c->plan->planar ? 1 : e->lanes;
  assert(n + 2 <= 64);
  Ref acc[64], x = LLVMGetParam(e->fn, ARG_IN);
  Ref blocks = t->blocks > 1 ? LLVMGetParam(e->fn, ARG_BLOCKS) : const_i64(e, t->blocks);
  init_sums(c, t, acc);
  acc[n] = LLVMGetParam(e->fn, ARG_W);
  acc[n + 1] = LLVMGetParam(e->fn, ARG_PREFETCH);
  if (t->blocks > 0) {
    Loop block;
    loop_begin_some(e, &block, const_i64(e, 0), blocks, 1, n + 2, acc);
    sum_channels(c, t, gep(e, x, block.i, place_block_bytes(c->in)), lanes, acc);
    loop_end(e, &block);
  }
  if (t->rest > 0) sum_channels(c, t, gep(e, x, blocks, place_block_bytes(c->in)), t->rest, acc);
  finish_sums(c, t, acc);
}

/* ==== calling it ==== */

static void call_tile(const Conv *c, const Kernel *t, const Site *s) {
  Emit *e = c->e;
  Ref args[MAX_KERNEL_ARGS] = {s->in, s->weights, s->out, s->bias, s->partial, s->prefetch,
                               const_i64(e, t->blocks), const_i64(e, t->rest)};
  Ref block = add_i(e, mul_i(e, s->group, c->out_blocks), mul_i(e, s->panel_index, c->plan->nb));
  step_pointers(e, c->n, s->image, block, s->row, s->x, args + ARG_STEPS);
  Buffer key = {0};
  kernel_key(c, t, &key);
  int n_args = t->last ? step_arguments(e, c->n, ARG_STEPS, args) : ARG_STEPS;
  for (int i = 0; t->skips && i < TAP_ARGS; i++) args[n_args++] = s->taps[i];
  call_kernel(e, key.data, n_args, args, build_kernel, &(Building){c, t});
  buffer_free(&key);
}

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
 * nothing else. */
static bool skips_taps(const Conv *c) {
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
  Ref w = gep(e, gep_const(e, first, c->starts), s->group, group_weights * c->weight_size);
  s->weights = gep(e, w, s->panel_index, c->panel * c->weight_size);
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
  return row_tiles_of_pieces(piece, skips_taps(c) ? direct_pieces(c->n, piece) : 1, c->plan->uw);
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
  skip_taps(c, &t, s);
  call_tile(c, &t, s);
}

static void panels_of_tile(const Conv *c, Site *s, int uw, void *data) {
  (void)data;
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
  if (!c->plan->stream) return;
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
  s->prefetch = gep(e, gep_const(e, s->weights, c->panel * c->weight_size), number, w->bytes);
  Kernel t = row_tile(c, uw, w->width, w->lines);
  skip_taps(c, &t, s);
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
} Chunk;

/* Bytes between what pixel (0, 0) of the result and pixel (y, x) read first. */
static int64_t in_at(const Conv *c, int64_t y, int64_t x) { return place_offset(c->in, 0, y * c->win->sh, x * c->win->sw); }

/* The `uw` pixels from number `first` of the map on. */
static Kernel flat_tile(const Conv *c, const Chunk *k, int first, int uw, int width) {
  Kernel t = {.tile = {.uw = uw, .nb = blocks_of(c, width), .width = width, .weights = half_weights(c), .dot = c->dot}, .blocks = k->blocks,
              .rest = k->rest, .first = k->begins, .last = k->ends};
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

static void chunk_of_tiles(const Conv *c, Site *s, int width, const Chunk *k) {
  Emit *e = c->e;
  int pixels = (int)(c->rows * c->cols), count = (pixels + c->plan->uw - 1) / c->plan->uw, first = 0;
  int64_t steps = (int64_t)k->blocks * c->taps + (k->rest > 0 ? c->taps : 0);
  int64_t channel_bytes = width * c->taps * c->weight_size;
  int64_t bytes = channel_bytes * (k->blocks * e->lanes + k->rest);
  int lines = (int)((bytes / 64 + steps * count - 1) / (steps * count));
  s->row = s->x = const_i64(e, 0);
  locate(c, s);
  s->in = gep(e, s->in, k->first, place_block_bytes(c->in));
  s->weights = gep(e, s->weights, k->first, channel_bytes * e->lanes);
  for (int i = 0; i < count; i++) {
    int uw = pixels / count + (i >= count - pixels % count);
    Kernel t = flat_tile(c, k, first, uw, width);
    t.tile.prefetch = lines;
    Site at = flat_site(c, s, first);
    at.prefetch = gep_const(e, s->weights, bytes + i * steps * lines * 64);
    at.partial = gep_const(e, scratch_ptr(e), (int64_t)first * t.tile.nb * e->vec_bytes);
    call_tile(c, &t, &at);
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

static void flat_panel(const Conv *c, Site *s, int width, void *data) {
  (void)data;
  Emit *e = c->e;
  int whole = (int)(c->plan->icg / e->lanes), rest = (int)(c->plan->icg % e->lanes), chunk = c->plan->chunk;
  int last = chunk && whole ? (whole - 1) / chunk : 0;
  Loop image;
  loop_begin(e, &image, const_i64(e, 0), const_i64(e, c->images), 1, 0, NULL);
  s->image = image.i;
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
