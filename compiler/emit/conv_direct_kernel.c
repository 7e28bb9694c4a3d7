/* conv_direct_kernel.c: the kernel of the direct convolution. Those of floats have the distances between rows and blocks of their input
 * in their code; those of integers are told, as they are told which of several chunks of input channels they sum, so that layers
 * of many shapes share them. */
#include "conv_direct.h"

#include <llvm-c/Core.h>

enum { ARG_IN, ARG_W, ARG_OUT, ARG_BIAS, ARG_PARTIAL, ARG_PREFETCH, ARG_BLOCKS, ARG_REST, ARG_STEPS };
/* Behind the arguments of the steps, of kernels of integers: what others have in their code. */
enum { ARG_BLOCK_BYTES, ARG_ROW_BYTES, ARG_BEGINS, ARG_ENDS, OWN_ARGS };

/* The channels of a partial block are counted at run time, and summed one by one. */
static bool counts_rest(const Conv *c, const Kernel *t) { return c->e->build->many_shapes && t->rest > 0; }

static bool counts_blocks(const Conv *c, const Kernel *t) { return t->blocks > 1 || (c->dot && t->blocks == 1); }

static void kernel_key(const Conv *c, const Kernel *t, Buffer *key) {
  const Window *w = c->win;
  const Tile *tile = &t->tile;
  buffer_printf(key, "conv_%dx%d_b%d+%d_%s%s%s_pf%d%s", tile->uw, tile->nb, counts_blocks(c, t) ? 2 : t->blocks,
                counts_rest(c, t) ? 1 : t->rest, t->chunked ? "c" : t->first ? "f" : "", t->last && !t->chunked ? "l" : "",
                c->plan->planar ? "p" : c->plan->ones ? "o" : "",
                tile->prefetch, tile->ahead ? "a" : "");
  bool writes = t->last || !c->dot, beside = c->dot && tile->nb * c->e->lanes <= c->out->layout.block;
  buffer_printf(key, "_k%lldx%lld_d%lldx%lld_in", (long long)w->kh, (long long)w->kw, (long long)w->dh, (long long)w->dw);
  if (!c->dot) buffer_printf(key, "%lld.%lld.", (long long)c->in->layout.c, (long long)c->in->layout.row);
  buffer_printf(key, "%lld", (long long)c->in->layout.pix);
  if (writes && !beside) buffer_printf(key, "_out%lld", (long long)c->out->layout.c);
  if (tile->weights) buffer_printf(key, "_%s", type_name(tile->weights));
  if (tile->dot) buffer_printf(key, "_dot%d.%s.%d", tile->dot, type_name(c->out->type), c->out->layout.block);
  if (t->skips) buffer_printf(key, "_skips");
  if (c->plan->sorted) buffer_printf(key, "_sorted%lld", (long long)c->words);
  if (c->plan->ones) buffer_printf(key, "_zeros%lld", (long long)c->starts / 2);
  if (c->plan->bounded) buffer_printf(key, "_bounded");
  if (tile->width % c->e->lanes) buffer_printf(key, "_w%d", tile->width);
  for (int u = 1; u < t->tile.uw; u++) {
    buffer_printf(key, "_%lld.%lld", (long long)t->tile.in[u] / F32_BYTES, writes ? (long long)t->out[u] / F32_BYTES : 0LL);
  }
  for (int u = 1; t->last && u < t->tile.uw; u++) buffer_printf(key, "_%d.%d", t->dy[u], t->dx[u]);
  if (t->last) step_key(c->n, key);
  buffer_add(key, "", 1);
}

static int step_args(const Conv *c, const Kernel *t) {
  return ARG_STEPS + (t->last ? c->n->n_step + (numbers_bytes(c->n) > 0) : 0);
}

static int own_args(const Conv *c, const Kernel *t) { return !c->dot ? 0 : t->chunked ? OWN_ARGS : ARG_BEGINS; }

static Ref own_arg(const Conv *c, const Kernel *t, int which) { return LLVMGetParam(c->e->fn, (unsigned)(step_args(c, t) + which)); }

/* x moved by so many blocks of input, by so many rows of taps. */
static Ref moved(const Conv *c, const Kernel *t, Ref x, int which, Ref by, int64_t bytes) {
  Emit *e = c->e;
  return c->dot ? gep(e, x, LLVMBuildMul(e->b, by, own_arg(c, t, which), ""), 1) : gep(e, x, by, bytes);
}

static int64_t row_step(const Conv *c) { return (c->win->kh > 1 ? c->win->dh : 1) * place_row_bytes(c->in); }

/* Products of floats and of fours, for which that is no slower than all of a block's steps; pairs spill around a loop. The same lines
 * are fetched meanwhile, those ahead of other pixels in each turn. */
static void sum_looped(const Conv *c, Tile tile, Ref x, int steps, Ref *acc) {
  Emit *e = c->e;
  Loop turn;
  int n = tile.uw * tile.nb, bytes = 64 * tile.prefetch * LOOP_STEPS / steps;
  tile.prefetch = (bytes + 63) / 64;
  loop_begin_some(e, &turn, const_i64(e, 0), const_i64(e, steps), LOOP_STEPS, n + 2, acc);
  Ref fetched = acc[n + 1];
  if (tile.ahead) tile.ahead_from = gep(e, tile.ahead_from, turn.i, place_pixel_bytes(c->in));
  tile_sums(e, &tile, gep(e, x, turn.i, F32_BYTES), LOOP_STEPS, acc, &acc[n], &acc[n + 1]);
  acc[n + 1] = gep_const(e, fetched, bytes);
  loop_end(e, &turn);
}

/* One tap of `steps` channels. */
static void sum_steps(const Conv *c, const Kernel *t, Ref x, int steps, Ref *acc) {
  Emit *e = c->e;
  Tile tile = t->tile;
  int n = tile.uw * tile.nb;
  if (tile.ahead) tile.ahead_from = c->dot ? gep(e, x, own_arg(c, t, ARG_ROW_BYTES), 1) : gep_const(e, x, tile.ahead);
  if ((c->dot == DOT_NONE || c->dot == DOT_FOURS) && steps > LOOP_STEPS && steps % LOOP_STEPS == 0) {
    sum_looped(c, tile, x, steps, acc);
    return;
  }
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

/* A bound of the taps: an argument behind those, or, in a kernel that skips none, a constant. */
static Ref tap_bound(const Conv *c, const Kernel *t, int which, int64_t otherwise) {
  return t->skips ? LLVMGetParam(c->e->fn, (unsigned)(step_args(c, t) + own_args(c, t) + which)) : const_i64(c->e, otherwise);
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
  Ref line = moved(c, t, x, ARG_ROW_BYTES, kh.i, row_step(c)), start = acc[n];
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
  if (!t->chunked) return;
  Loop again; /* once, or not at all */
  int n = t->tile.uw * t->tile.nb;
  loop_begin(e, &again, own_arg(c, t, ARG_BEGINS), const_i64(e, 1), 1, n, acc);
  for (int i = 0; i < n; i++) acc[i] = load(e, type, LLVMGetParam(e->fn, ARG_PARTIAL), i * e->vec_bytes, e->vec_bytes);
  loop_end(e, &again);
}

static void keep_sums(const Conv *c, const Kernel *t, Ref *acc) {
  Emit *e = c->e;
  int n = t->tile.uw * t->tile.nb;
  for (int i = 0; i < n; i++) store(e, acc[i], LLVMGetParam(e->fn, ARG_PARTIAL), i * e->vec_bytes, e->vec_bytes);
}

static void write_results(const Conv *c, const Kernel *t, Ref *acc) {
  Emit *e = c->e;
  int uw = t->tile.uw, nb = t->tile.nb;
  Ref arg[MAX_STEPS];
  step_params(e, c->n, ARG_STEPS, arg);
  if (c->plan->ones) take_off_zeros(e, gep_const(e, LLVMGetParam(e->fn, ARG_BIAS), c->starts / 2), uw, --nb, acc);
  int first = c->dot && integer_bias(c->n); /* sums start from it */
  store_results(e, c->n, &(ResultTile){uw, nb, first, c->plan->bounded, t->out, t->dy, t->dx}, acc, arg, LLVMGetParam(e->fn, ARG_OUT));
}

static void finish_sums(const Conv *c, const Kernel *t, Ref *acc) {
  Emit *e = c->e;
  If keep, write;
  if (!t->chunked) {
    (t->last ? write_results : keep_sums)(c, t, acc);
    return;
  }
  Ref none = const_i64(e, 0), ends = own_arg(c, t, ARG_ENDS);
  if_begin(e, &keep, LLVMBuildICmp(e->b, LLVMIntEQ, ends, none, ""));
  keep_sums(c, t, acc);
  if_end(e, &keep);
  if_begin(e, &write, LLVMBuildICmp(e->b, LLVMIntNE, ends, none, ""));
  write_results(c, t, acc);
  if_end(e, &write);
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
  assert(n + 3 <= 64);
  Ref acc[64], x = LLVMGetParam(e->fn, ARG_IN);
  Ref blocks = counts_blocks(c, t) ? LLVMGetParam(e->fn, ARG_BLOCKS) : const_i64(e, t->blocks);
  init_sums(c, t, acc);
  if (c->plan->sorted) {
    SortedPanel p = {LLVMGetParam(e->fn, ARG_PARTIAL), LLVMGetParam(e->fn, ARG_W), LLVMGetParam(e->fn, ARG_PREFETCH), .words_bytes = c->words};
    if (c->words) p.words = LLVMGetParam(e->fn, ARG_BLOCKS);
    sorted_sums(e, &t->tile, x, &p, acc);
    finish_sums(c, t, acc);
    return;
  }
  acc[n] = LLVMGetParam(e->fn, ARG_W);
  acc[n + 1] = LLVMGetParam(e->fn, ARG_PREFETCH);
  if (t->blocks > 0) {
    Loop block;
    loop_begin_some(e, &block, const_i64(e, 0), blocks, 1, n + 2, acc);
    sum_channels(c, t, moved(c, t, x, ARG_BLOCK_BYTES, block.i, place_block_bytes(c->in)), lanes, acc);
    loop_end(e, &block);
  }
  if (t->rest > 0) sum_channels(c, t, moved(c, t, x, ARG_BLOCK_BYTES, blocks, place_block_bytes(c->in)), t->rest, acc);
  finish_sums(c, t, acc);
}

void call_direct_kernel(const Conv *c, const Kernel *t, const Site *s) {
  Emit *e = c->e;
  Ref args[MAX_KERNEL_ARGS] = {s->in, s->weights, s->out, s->bias, s->partial, s->prefetch,
                               s->blocks ? s->blocks : const_i64(e, t->blocks), const_i64(e, t->rest)};
  if (c->words) args[ARG_BLOCKS] = scratch_ptr(e);
  Ref block = add_i(e, mul_i(e, s->group, c->out_blocks), mul_i(e, s->panel_index, c->plan->nb));
  step_pointers(e, c->n, s->image, block, s->row, s->x, args + ARG_STEPS);
  Buffer key = {0};
  kernel_key(c, t, &key);
  int n_args = t->last ? step_arguments(e, c->n, ARG_STEPS, args) : ARG_STEPS;
  Ref own[OWN_ARGS] = {const_i64(e, place_block_bytes(c->in)), const_i64(e, row_step(c)), s->begins, s->ends};
  for (int i = 0; i < own_args(c, t); i++) args[n_args++] = own[i];
  for (int i = 0; t->skips && i < TAP_ARGS; i++) args[n_args++] = s->taps[i];
  call_kernel(e, key.data, n_args, args, build_kernel, &(Building){c, t});
  buffer_free(&key);
}
