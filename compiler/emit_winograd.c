/* emit_winograd.c: convolution 3x3 of stride 1 by Winograd's F(4x4,3x3): a tile of 4x4 results costs 36 products a channel
 * instead of 144 (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016).
 *
 *   Y = A' [ (G g G') * (B' d B) ] A        interpolation points 0, 1, -1, 1/2, -2, infinity
 *
 * These points have up to 3 times less error in fp32 than 0, 1, -1, 2, -2 for the same work (Barabasz et al., 2018). The
 * divisions in G are moved into the input's transform, so that weights transformed on the fly need only additions.
 *
 * A group of tiles is transformed to V [36][C/V][tiles][V]; then for each panel of output channels 36 small matrix products
 * give M [36][nb][tiles][V], and M is transformed back with the epilogue. V is each worker's own, or, where the map is one
 * group, shared and made in a phase of its own. */
#include "emit.h"

enum { POINTS = 6, FREQUENCIES = 36, OUT = 4 };

typedef struct Winograd {
  Emit *e;
  Node *n;
  const ConvPlan *plan;
  const Layout *in, *out;
  int64_t images, rows, cols, tile_rows, tile_cols; /* of the result; of the map of tiles */
  int64_t group_rows, group_tiles;
  int64_t in_blocks, out_blocks;
  int64_t v_frequency, m_frequency;                 /* floats from one frequency to the next */
  int64_t chunk;                                    /* input channels whose weights are transformed at a time */
} Winograd;

static Ref times(Emit *e, double k, Ref x) { return fmul(e, splat_const(e, k), x); }
static Ref fma_const(Emit *e, double k, Ref x, Ref y) { return fma_(e, splat_const(e, k), x, y); }
static Ref sub(Emit *e, Ref a, Ref b) { return LLVMBuildFSub(e->b, a, b, ""); }

/* ==== the transforms in one dimension ==== */

/* B' d without the factors of `scale`. The rows for 0 and infinity share terms with those for 1 and -1. */
static void transform_input(Emit *e, const Ref *d, Ref *t) {
  Ref u = fma_const(e, 1.5, d[3], sub(e, d[4], d[2])), v = fma_const(e, 1.5, d[2], sub(e, d[3], d[1]));
  Ref w = fma_const(e, 1.5, d[1], sub(e, d[2], d[0])), z = fma_const(e, 1.5, d[4], sub(e, d[5], d[3]));
  Ref s = sub(e, d[4], d[2]), q = sub(e, d[3], d[1]);
  t[0] = sub(e, u, w);
  t[1] = fadd(e, u, v);
  t[2] = sub(e, u, v);
  t[3] = fma_const(e, 2, q, s);
  t[4] = fma_const(e, -0.5, q, s);
  t[5] = sub(e, z, v);
}

static const double scale[POINTS] = {1, 1. / 3, -1. / 3, -16. / 15, 1. / 15, 1};

/* One row of G g, times 1 / scale. */
static Ref transform_weight(Emit *e, int point, const Ref *g) {
  switch (point) {
  case 0: return g[0];
  case 1: return fadd(e, fadd(e, g[0], g[2]), g[1]);
  case 2: return sub(e, fadd(e, g[0], g[2]), g[1]);
  case 3: return fma_const(e, 0.25, g[2], fma_const(e, 0.5, g[1], g[0]));
  case 4: return fma_const(e, 4, g[2], fma_const(e, -2, g[1], g[0]));
  default: return g[2];
  }
}

/* A' m. */
static void transform_output(Emit *e, const Ref *m, Ref *y) {
  Ref p = fadd(e, m[1], m[2]), q = sub(e, m[1], m[2]);
  y[0] = fadd(e, fadd(e, m[0], p), fadd(e, m[3], m[4]));
  y[1] = fma_const(e, 0.5, m[3], fma_const(e, -2, m[4], q));
  y[2] = fma_const(e, 0.25, m[3], fma_const(e, 4, m[4], p));
  y[3] = fma_const(e, 0.125, m[3], fma_const(e, -8, m[4], fadd(e, q, m[5])));
}

void winograd_weight(const float *g, double *u) {
  static const double G[POINTS][3] = {{1, 0, 0}, {1, 1, 1}, {1, -1, 1}, {1, 0.5, 0.25}, {1, -2, 4}, {0, 0, 1}};
  double t[POINTS][3];
  for (int i = 0; i < POINTS; i++) {
    for (int c = 0; c < 3; c++) t[i][c] = G[i][0] * g[c] + G[i][1] * g[3 + c] + G[i][2] * g[6 + c];
  }
  for (int i = 0; i < POINTS; i++) {
    for (int j = 0; j < POINTS; j++) u[i * POINTS + j] = G[j][0] * t[i][0] + G[j][1] * t[i][1] + G[j][2] * t[i][2];
  }
}

/* ==== input: one row of tiles ==== */

static void input_tile(const Winograd *w, Ref in, Ref v) {
  Emit *e = w->e;
  Ref x[POINTS][POINTS], d[POINTS], t[POINTS];
  for (int j = 0; j < POINTS; j++) {
    for (int i = 0; i < POINTS; i++) d[i] = load(e, e->vec, in, (i * w->in->row + j * w->in->pix) * 4, e->lanes * 4);
    transform_input(e, d, t);
    for (int i = 0; i < POINTS; i++) x[i][j] = t[i];
  }
  for (int i = 0; i < POINTS; i++) {
    transform_input(e, x[i], t);
    for (int j = 0; j < POINTS; j++) {
      double k = scale[i] * scale[j];
      store(e, k == 1 ? t[j] : times(e, k, t[j]), v, (i * POINTS + j) * w->v_frequency * 4, e->lanes * 4);
    }
  }
}

static void build_input_row(const void *data) {
  const Winograd *w = data;
  Emit *e = w->e;
  Loop block, tile;
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, w->in_blocks), 1, 0, NULL);
  loop_begin(e, &tile, const_i64(e, 0), const_i64(e, w->tile_cols), 1, 0, NULL);
  Ref in = gep(e, gep(e, LLVMGetParam(e->fn, 0), block.i, w->in->c * 4), tile.i, OUT * w->in->pix * 4);
  Ref v = gep(e, LLVMGetParam(e->fn, 1), block.i, w->group_tiles * e->lanes * 4);
  input_tile(w, in, gep(e, v, tile.i, e->lanes * 4));
  loop_end(e, &tile);
  loop_end(e, &block);
}

/* Tile row `row` of an image, to `v`, where the row's first tile goes. */
static void input_row(const Winograd *w, Ref image, Ref row, Ref v) {
  Emit *e = w->e;
  char key[160];
  snprintf(key, sizeof key, "winograd_in_%lld_%lldx%lld_in%lld.%lld.%lld", (long long)w->in_blocks, (long long)w->tile_cols,
           (long long)w->group_tiles, (long long)w->in->c, (long long)w->in->row, (long long)w->in->pix);
  const Window *win = &w->n->win;
  Ref x = value_ptr(e, w->n->in[0]);
  x = gep_const(e, x, -(win->top * w->in->row + win->left * w->in->pix) * 4);
  x = gep(e, gep(e, x, image, w->in->n * 4), row, OUT * w->in->row * 4);
  call_kernel(e, key, 2, (Ref[]){x, v}, build_input_row, w);
}

/* ==== products ==== */

typedef struct Product {
  const Winograd *w;
  Tile tile;
  int blocks, rest; /* of input channels */
  bool first;       /* M starts at zero */
} Product;

/* M (+)= V U for `uw` tiles: arguments V, U, M, and what to prefetch. */
static void build_product(const void *data) {
  const Product *p = data;
  const Winograd *w = p->w;
  Emit *e = w->e;
  int n = p->tile.uw * p->tile.nb, lanes = e->lanes;
  int64_t out = w->group_tiles * lanes;
  Ref acc[64], v = LLVMGetParam(e->fn, 0), m = LLVMGetParam(e->fn, 2);
  for (int i = 0; i < n; i++) {
    int64_t at = (i / p->tile.uw * out + i % p->tile.uw * lanes) * 4;
    acc[i] = p->first ? LLVMConstNull(e->vec) : load(e, e->vec, m, at, lanes * 4);
  }
  acc[n] = LLVMGetParam(e->fn, 1);
  acc[n + 1] = LLVMGetParam(e->fn, 3);
  if (p->blocks > 0) {
    Loop block;
    loop_begin(e, &block, const_i64(e, 0), const_i64(e, p->blocks), 1, n + 2, acc);
    tile_sums(e, &p->tile, gep(e, v, block.i, out * 4), lanes, acc, &acc[n], &acc[n + 1]);
    loop_end(e, &block);
  }
  if (p->rest) tile_sums(e, &p->tile, gep_const(e, v, p->blocks * out * 4), p->rest, acc, &acc[n], &acc[n + 1]);
  for (int i = 0; i < n; i++) {
    store(e, acc[i], m, (i / p->tile.uw * out + i % p->tile.uw * lanes) * 4, lanes * 4);
  }
}

static void product(const Product *p, Ref v, Ref u, Ref m, Ref pf) {
  Emit *e = p->w->e;
  char key[160];
  snprintf(key, sizeof key, "winograd_product_%dx%d_b%d+%d_%s_t%lld_pf%d", p->tile.uw, p->tile.nb, p->blocks, p->rest,
           p->first ? "f" : "", (long long)p->w->group_tiles, p->tile.prefetch);
  call_kernel(e, key, 4, (Ref[]){v, u, m, pf}, build_product, p);
}

/* All tiles of the group, `tiles` of them, for one frequency; `lines` of what comes next are fetched meanwhile. */
static void products(Product p, int64_t tiles, Ref v, Ref u, Ref m, Ref pf, int64_t lines) {
  Emit *e = p.w->e;
  int64_t most = p.w->plan->uw, count = (tiles + most - 1) / most, first = 0, sums = p.blocks + (p.rest > 0);
  p.tile.prefetch = (int)((lines + sums * count - 1) / (sums * count));
  for (int64_t i = 0; i < count; i++) {
    p.tile.uw = (int)(tiles / count + (i >= count - tiles % count));
    for (int u_ = 0; u_ < p.tile.uw; u_++) p.tile.in[u_] = u_ * e->lanes;
    int64_t at = first * e->lanes * 4;
    product(&p, gep_const(e, v, at), u, gep_const(e, m, at), gep_const(e, pf, i * sums * p.tile.prefetch * 64));
    first += p.tile.uw;
  }
}

/* ==== output: one tile ==== */

enum { ARG_M, ARG_OUT, ARG_BIAS, ARG_STEPS };

typedef struct OutputTile {
  const Winograd *w;
  int height, width;
} OutputTile;

static void build_output_tile(const void *data) {
  const OutputTile *o = data;
  const Winograd *w = o->w;
  Emit *e = w->e;
  Ref m[POINTS], t[OUT], x[OUT][POINTS], arg[MAX_STEPS];
  for (int i = 0; i < w->n->n_step; i++) arg[i] = LLVMGetParam(e->fn, (unsigned)(ARG_STEPS + i));
  for (int j = 0; j < POINTS; j++) {
    for (int i = 0; i < POINTS; i++) {
      m[i] = load(e, e->vec, LLVMGetParam(e->fn, ARG_M), (i * POINTS + j) * w->m_frequency * 4, e->lanes * 4);
    }
    transform_output(e, m, t);
    for (int i = 0; i < OUT; i++) x[i][j] = t[i];
  }
  Ref bias = load(e, e->vec, LLVMGetParam(e->fn, ARG_BIAS), 0, e->lanes * 4);
  for (int i = 0; i < o->height; i++) {
    transform_output(e, x[i], t);
    for (int j = 0; j < o->width; j++) {
      Ref y = apply_steps(e, w->n, fadd(e, t[j], bias), arg, 0, i, j);
      store(e, y, LLVMGetParam(e->fn, ARG_OUT), (i * w->out->row + j * w->out->pix) * 4, e->lanes * 4);
    }
  }
}

/* What a tile's call needs: where it is. */
typedef struct Spot {
  Ref image, block, row, col; /* row and column of tiles, in the map */
  Ref m;                      /* its sums, of this block */
} Spot;

static void output_tile(const Winograd *w, const Spot *s, int height, int width) {
  Emit *e = w->e;
  Buffer key = {0};
  buffer_printf(&key, "winograd_out_%dx%d_m%lld_out%lld.%lld", height, width, (long long)w->m_frequency,
                (long long)w->out->row, (long long)w->out->pix);
  step_key(w->n, &key);
  buffer_add(&key, "", 1);
  Ref row = mul_i(e, s->row, OUT), col = mul_i(e, s->col, OUT);
  Ref out = gep(e, gep(e, value_ptr(e, w->n->out[0]), s->image, w->out->n * 4), s->block, w->out->c * 4);
  out = gep(e, gep(e, out, row, w->out->row * 4), col, w->out->pix * 4);
  Ref args[MAX_KERNEL_ARGS] = {s->m, out, gep(e, weights_ptr(e, w->plan->bias), s->block, e->lanes * 4)};
  step_pointers(e, w->n, s->image, s->block, row, col, args + ARG_STEPS);
  OutputTile o = {w, height, width};
  call_kernel(e, key.data, ARG_STEPS + w->n->n_step, args, build_output_tile, &o);
  buffer_free(&key);
}

/* A row of tiles; those over the right edge are cut. */
static void output_row(const Winograd *w, Spot *s, Ref m, int height) {
  Emit *e = w->e;
  int64_t whole = w->cols / OUT;
  int rest = (int)(w->cols % OUT);
  if (whole > 0) {
    Loop tile;
    loop_begin(e, &tile, const_i64(e, 0), const_i64(e, whole), 1, 0, NULL);
    s->col = tile.i;
    s->m = gep(e, m, tile.i, e->lanes * 4);
    output_tile(w, s, height, OUT);
    loop_end(e, &tile);
  }
  if (rest == 0) return;
  s->col = const_i64(e, whole);
  s->m = gep_const(e, m, whole * e->lanes * 4);
  output_tile(w, s, height, rest);
}

/* The group's tiles of one panel: `rows` rows of tiles from `first`; the map's last row may be cut. */
static void output_group(const Winograd *w, Spot s, Ref m, Ref first, int64_t rows, int nb, Ref panel) {
  Emit *e = w->e;
  int cut = (int)(w->rows % OUT);
  Loop block, row;
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, nb), 1, 0, NULL);
  s.block = add_i(e, mul_i(e, panel, w->plan->nb), block.i);
  Ref mb = gep(e, m, block.i, w->group_tiles * e->lanes * 4);
  loop_begin(e, &row, const_i64(e, 0), const_i64(e, rows), 1, 0, NULL);
  s.row = add_i(e, first, row.i);
  Ref mr = gep(e, mb, row.i, w->tile_cols * e->lanes * 4);
  if (cut) {
    If edge;
    Ref last = const_i64(e, w->tile_rows - 1);
    if_begin(e, &edge, LLVMBuildICmp(e->b, LLVMIntEQ, s.row, last, ""));
    output_row(w, &s, mr, cut);
    if_end(e, &edge);
    if_begin(e, &edge, LLVMBuildICmp(e->b, LLVMIntNE, s.row, last, ""));
    output_row(w, &s, mr, OUT);
    if_end(e, &edge);
  } else {
    output_row(w, &s, mr, OUT);
  }
  loop_end(e, &row);
  loop_end(e, &block);
}

/* ==== weights on the fly ==== */

/* The three columns of row i of G g, g being [9] vectors `line` bytes apart. */
static void transform_columns(Emit *e, int i, Ref g, int64_t at, int64_t line, Ref *t) {
  for (int c = 0; c < 3; c++) {
    Ref column[3] = {NULL};
    for (int r = 0; r < 3; r++) {
      bool used = i == 0 ? r == 0 : i == POINTS - 1 ? r == 2 : true;
      if (used) column[r] = load(e, e->vec, g, at + (r * 3 + c) * line, e->lanes * 4);
    }
    t[c] = transform_weight(e, i, column);
  }
}

typedef struct WeightsRow {
  const Winograd *w;
  int i, channels, nb;
} WeightsRow;

/* Row i of the transformed weights, 6 frequencies, of `channels` input channels: U [6][channels][nb][V] from g
 * [channels][9][nb][V]. */
static void build_weights_row(const void *data) {
  const WeightsRow *r = data;
  Emit *e = r->w->e;
  int line = r->nb * e->lanes * 4;
  Loop k;
  loop_begin(e, &k, const_i64(e, 0), const_i64(e, r->channels), 1, 0, NULL);
  Ref g = gep(e, LLVMGetParam(e->fn, 0), k.i, 9 * line), u = gep(e, LLVMGetParam(e->fn, 1), k.i, line);
  for (int b = 0; b < r->nb; b++) {
    Ref t[3];
    transform_columns(e, r->i, g, b * e->lanes * 4, line, t);
    for (int j = 0; j < POINTS; j++) {
      store(e, transform_weight(e, j, t), u, j * r->w->chunk * line + b * e->lanes * 4, e->lanes * 4);
    }
  }
  loop_end(e, &k);
}

static void weights_row(const WeightsRow *r, Ref g, Ref u) {
  char key[96];
  snprintf(key, sizeof key, "winograd_weights_%d_%dx%d_%lld", r->i, r->channels, r->nb, (long long)r->w->chunk);
  call_kernel(r->w->e, key, 2, (Ref[]){g, u}, build_weights_row, r);
}

/* ==== weights transformed in registers ====
 * With at most four tiles the weights are used too seldom to be worth storing: row i of the transformed weights is made in
 * registers channel by channel, and its 6 frequencies times the tiles are 24 accumulators. */

enum { FUSED_TILES = 4, FUSED_UNROLL = 4 };

/* One channel: the row's weights g [9][V], V's elements at v, the sums acc[frequency][tile]. */
static void fused_channel(const Winograd *w, int i, Ref g, Ref v, int channel, Ref *acc) {
  Emit *e = w->e;
  int64_t line = e->lanes * 4;
  Ref t[3];
  transform_columns(e, i, g, channel * 9 * line, line, t);
  for (int j = 0; j < POINTS; j++) {
    Ref u = transform_weight(e, j, t);
    for (int64_t k = 0; k < w->group_tiles; k++) {
      int64_t at = (j * w->v_frequency + k * e->lanes + channel) * 4;
      Ref *sum = &acc[j * w->group_tiles + k];
      *sum = fma_(e, splat(e, load(e, e->f32, v, at, 4), e->lanes), u, *sum);
    }
  }
}

typedef struct FusedRow {
  const Winograd *w;
  int i, blocks;
  bool first;
} FusedRow;

/* Row i for a chunk of whole blocks: arguments g, V, M, and what to prefetch. */
static void build_fused_row(const void *data) {
  const FusedRow *f = data;
  const Winograd *w = f->w;
  Emit *e = w->e;
  int n = POINTS * (int)w->group_tiles, lines = (9 * FUSED_UNROLL * e->lanes * 4 / 64 + POINTS - 1) / POINTS;
  Ref acc[64], m = LLVMGetParam(e->fn, 2);
  for (int k = 0; k < n; k++) {
    int64_t at = (k / w->group_tiles * w->m_frequency + k % w->group_tiles * e->lanes) * 4;
    acc[k] = f->first ? LLVMConstNull(e->vec) : load(e, e->vec, m, at, e->lanes * 4);
  }
  acc[n] = LLVMGetParam(e->fn, 0);
  acc[n + 1] = LLVMGetParam(e->fn, 3);
  Loop block, part;
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, f->blocks), 1, n + 2, acc);
  Ref v = gep(e, LLVMGetParam(e->fn, 1), block.i, w->group_tiles * e->lanes * 4);
  loop_begin(e, &part, const_i64(e, 0), const_i64(e, e->lanes), FUSED_UNROLL, n + 2, acc);
  for (int k = 0; k < lines; k++) prefetch(e, acc[n + 1], k * 64, false, 2);
  for (int k = 0; k < FUSED_UNROLL; k++) fused_channel(w, f->i, acc[n], gep(e, v, part.i, 4), k, acc);
  acc[n] = gep_const(e, acc[n], FUSED_UNROLL * 9 * e->lanes * 4);
  acc[n + 1] = gep_const(e, acc[n + 1], lines * 64);
  loop_end(e, &part);
  loop_end(e, &block);
  for (int k = 0; k < n; k++) {
    store(e, acc[k], m, (k / w->group_tiles * w->m_frequency + k % w->group_tiles * e->lanes) * 4, e->lanes * 4);
  }
}

/* A chunk of input channels, as chunk_on_the_fly. */
static void chunk_fused(const Winograd *w, Ref m, Ref g, Ref v, int blocks, bool first) {
  Emit *e = w->e;
  int64_t bytes = 9LL * blocks * e->lanes * e->lanes * 4;
  for (int i = 0; i < POINTS; i++) {
    char key[96];
    snprintf(key, sizeof key, "winograd_fused_%d_b%d_%s_t%lld_v%lld", i, blocks, first ? "f" : "",
             (long long)w->group_tiles, (long long)w->v_frequency);
    Ref args[] = {g, gep_const(e, v, i * POINTS * w->v_frequency * 4), gep_const(e, m, i * POINTS * w->m_frequency * 4),
                  gep_const(e, g, bytes + bytes / POINTS * i)};
    call_kernel(e, key, 4, args, build_fused_row, &(FusedRow){w, i, blocks, first});
  }
}

bool winograd_fuses(const ConvPlan *p, const Shape *y, const Target *t) {
  int64_t tiles = (y->d[2] + OUT - 1) / OUT * ((y->d[3] + OUT - 1) / OUT);
  return t->regs == 32 && !p->stored && tiles <= FUSED_TILES && p->icg % t->lanes == 0;
}

/* ==== one panel of output channels over one group ==== */

typedef struct Group {
  Ref image, first;  /* the first row of tiles */
  int64_t rows;
  Ref v, m, u;       /* transformed input, sums, transformed weights of a chunk */
} Group;

static void panel_stored(const Winograd *w, const Group *k, Ref weights, int nb) {
  Emit *e = w->e;
  int64_t bytes = w->plan->icg * nb * e->lanes * 4;
  Product p = {.w = w, .tile = {.nb = nb}, .blocks = w->plan->icg / e->lanes, .rest = w->plan->icg % e->lanes, .first = true};
  Loop f;
  loop_begin(e, &f, const_i64(e, 0), const_i64(e, FREQUENCIES), 1, 0, NULL);
  Ref u = gep(e, weights, f.i, bytes);
  products(p, k->rows * w->tile_cols, gep(e, k->v, f.i, w->v_frequency * 4), u, gep(e, k->m, f.i, w->m_frequency * 4),
           gep_const(e, u, bytes), bytes / 64);
  loop_end(e, &f);
}

/* One chunk of input channels: `g` its raw weights, `v` its part of the transformed input. */
static void chunk_on_the_fly(const Winograd *w, const Group *k, Ref g, Ref v, int channels, int nb, bool first) {
  Emit *e = w->e;
  int64_t line = (int64_t)nb * e->lanes * 4, bytes = 9 * channels * line, row_bytes = bytes / POINTS;
  Product p = {.w = w, .tile = {.nb = nb}, .blocks = channels / e->lanes, .rest = channels % e->lanes, .first = first};
  for (int i = 0; i < POINTS; i++) {
    weights_row(&(WeightsRow){w, i, channels, nb}, g, k->u);
    Loop j;
    loop_begin(e, &j, const_i64(e, 0), const_i64(e, POINTS), 1, 0, NULL);
    Ref f = add_i(e, j.i, const_i64(e, i * POINTS));
    Ref pf = gep(e, gep_const(e, g, bytes + i * row_bytes), j.i, row_bytes / POINTS);
    products(p, k->rows * w->tile_cols, gep(e, v, f, w->v_frequency * 4), gep(e, k->u, j.i, w->chunk * line),
             gep(e, k->m, f, w->m_frequency * 4), pf, (row_bytes / POINTS + 63) / 64);
    loop_end(e, &j);
  }
}

static void panel_fused(const Winograd *w, const Group *k, Ref weights) {
  Emit *e = w->e;
  int blocks = (int)(w->chunk / e->lanes), chunks = (int)(w->in_blocks / blocks), rest = (int)(w->in_blocks % blocks);
  int64_t g_step = 9 * w->chunk * e->lanes * 4, v_step = w->chunk * w->group_tiles * 4;
  if (chunks > 0) chunk_fused(w, k->m, weights, k->v, blocks, true);
  if (chunks > 1) {
    Loop c;
    loop_begin(e, &c, const_i64(e, 1), const_i64(e, chunks), 1, 0, NULL);
    chunk_fused(w, k->m, gep(e, weights, c.i, g_step), gep(e, k->v, c.i, v_step), blocks, false);
    loop_end(e, &c);
  }
  if (rest == 0) return;
  chunk_fused(w, k->m, gep_const(e, weights, chunks * g_step), gep_const(e, k->v, chunks * v_step), rest, chunks == 0);
}

static void panel_on_the_fly(const Winograd *w, const Group *k, Ref weights, int nb) {
  Emit *e = w->e;
  int64_t chunks = w->plan->icg / w->chunk, step = 9 * w->chunk * nb * e->lanes * 4;
  int64_t v_step = w->chunk / e->lanes * w->group_tiles * e->lanes * 4;
  int rest = (int)(w->plan->icg % w->chunk);
  if (chunks > 0) chunk_on_the_fly(w, k, weights, k->v, (int)w->chunk, nb, true);
  if (chunks > 1) {
    Loop c;
    loop_begin(e, &c, const_i64(e, 1), const_i64(e, chunks), 1, 0, NULL);
    chunk_on_the_fly(w, k, gep(e, weights, c.i, step), gep(e, k->v, c.i, v_step), (int)w->chunk, nb, false);
    loop_end(e, &c);
  }
  if (rest == 0) return;
  chunk_on_the_fly(w, k, gep_const(e, weights, chunks * step), gep_const(e, k->v, chunks * v_step), rest, nb, chunks == 0);
}

static void panel_of_group(const Winograd *w, const Group *k, Ref panel, int nb) {
  Emit *e = w->e;
  int64_t taps = w->plan->stored ? FREQUENCIES : 9;
  Ref weights = gep(e, weights_ptr(e, w->plan->weights), panel, taps * w->plan->icg * w->plan->nb * e->lanes * 4);
  if (w->plan->stored) panel_stored(w, k, weights, nb);
  else if (w->plan->fused) panel_fused(w, k, weights);
  else panel_on_the_fly(w, k, weights, nb);
  output_group(w, (Spot){.image = k->image}, k->m, k->first, k->rows, nb, panel);
}

/* Panels [lo, hi) of a group; the last of all may be narrower. */
static void panels_of_group(const Winograd *w, const Group *k, Ref lo, Ref hi) {
  Emit *e = w->e;
  int64_t full = w->out_blocks / w->plan->nb;
  int rest = (int)(w->out_blocks % w->plan->nb);
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

static int64_t panel_count(const Winograd *w) { return (w->out_blocks + w->plan->nb - 1) / w->plan->nb; }

static Ref shared_v(const Winograd *w, Ref image) {
  return gep(w->e, value_ptr(w->e, w->plan->work), image, FREQUENCIES * w->v_frequency * 4);
}

/* First phase with a shared V: rows of tiles. */
static void phase_input(const Winograd *w) {
  Emit *e = w->e;
  Ref lo, hi, rows = const_i64(e, w->tile_rows);
  emit_halo(e, w->n->out[0]);
  task_range(e, w->images * w->tile_rows, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref image = LLVMBuildSDiv(e->b, item.i, rows, ""), row = LLVMBuildSRem(e->b, item.i, rows, "");
  input_row(w, image, row, gep(e, shared_v(w, image), row, w->tile_cols * e->lanes * 4));
  loop_end(e, &item);
}

/* Second phase: panels of output channels. */
static void phase_panels(const Winograd *w) {
  Emit *e = w->e;
  Ref lo, hi;
  int64_t panels = panel_count(w);
  task_range(e, w->images * panels, &lo, &hi);
  Group k = {.first = const_i64(e, 0), .rows = w->tile_rows, .m = scratch_ptr(e)};
  k.u = gep_const(e, k.m, FREQUENCIES * w->m_frequency * 4);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  k.image = LLVMBuildSDiv(e->b, item.i, const_i64(e, panels), "");
  k.v = shared_v(w, k.image);
  Ref panel = LLVMBuildSRem(e->b, item.i, const_i64(e, panels), "");
  panels_of_group(w, &k, panel, add_i(e, panel, const_i64(e, 1)));
  loop_end(e, &item);
}

static void whole_group(const Winograd *w, Group *k) {
  Emit *e = w->e;
  Loop row;
  loop_begin(e, &row, const_i64(e, 0), const_i64(e, k->rows), 1, 0, NULL);
  input_row(w, k->image, add_i(e, k->first, row.i), gep(e, k->v, row.i, w->tile_cols * e->lanes * 4));
  loop_end(e, &row);
  panels_of_group(w, k, const_i64(e, 0), const_i64(e, panel_count(w)));
}

/* Rows [lo, hi) of tiles of one image: whole groups, then what is left row by row. */
static void rows_by_groups(const Winograd *w, Group *k, Ref lo, Ref hi) {
  Emit *e = w->e;
  int64_t rows[] = {w->group_rows, 1};
  for (int i = 0; i < (w->group_rows > 1 ? 2 : 1); i++) {
    Ref count = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, hi, lo, ""), const_i64(e, rows[i]), "");
    Loop group;
    k->rows = rows[i];
    loop_begin(e, &group, const_i64(e, 0), count, 1, 0, NULL);
    k->first = add_i(e, lo, mul_i(e, group.i, rows[i]));
    whole_group(w, k);
    loop_end(e, &group);
    lo = add_i(e, lo, mul_i(e, count, rows[i]));
  }
}

static Ref larger(Emit *e, Ref a, Ref b) {
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, a, b, ""), a, b, "");
}

static Ref smaller(Emit *e, Ref a, Ref b) {
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

/* One phase: each worker transforms for itself. The tasks share out rows of tiles, so that any number of them has about
 * the same to do, and cut their rows into groups. */
static void by_groups(const Winograd *w) {
  Emit *e = w->e;
  Ref lo, hi, all = const_i64(e, w->tile_rows);
  emit_halo(e, w->n->out[0]);
  task_range(e, w->images * w->tile_rows, &lo, &hi);
  Group k = {.v = scratch_ptr(e)};
  k.m = gep_const(e, k.v, FREQUENCIES * w->v_frequency * 4);
  k.u = gep_const(e, k.m, FREQUENCIES * w->m_frequency * 4);
  Loop image;
  loop_begin(e, &image, const_i64(e, 0), const_i64(e, w->images), 1, 0, NULL);
  k.image = image.i;
  Ref first = mul_i(e, image.i, w->tile_rows);
  Ref from = larger(e, LLVMBuildSub(e->b, lo, first, ""), const_i64(e, 0));
  Ref to = smaller(e, LLVMBuildSub(e->b, hi, first, ""), all);
  If some;
  if_begin(e, &some, LLVMBuildICmp(e->b, LLVMIntSLT, from, to, ""));
  rows_by_groups(w, &k, from, to);
  if_end(e, &some);
  loop_end(e, &image);
}

/* ==== sizes, for select ==== */

static int64_t v_frequency(int64_t in_blocks, int64_t tiles, int lanes) { return in_blocks * tiles * lanes + lanes; }
static int64_t m_frequency(int nb, int64_t tiles, int lanes) { return nb * tiles * lanes + lanes; }

void winograd_sizes(ConvPlan *p, const Shape *y, int lanes) {
  int64_t tile_rows = (y->d[2] + OUT - 1) / OUT, tile_cols = (y->d[3] + OUT - 1) / OUT;
  int64_t tiles = p->tile_rows * tile_cols, in_blocks = (p->icg + lanes - 1) / lanes;
  int64_t v = FREQUENCIES * v_frequency(in_blocks, tiles, lanes) * 4;
  int64_t m = FREQUENCIES * m_frequency(p->nb, tiles, lanes) * 4;
  int64_t u = p->stored ? 0 : (int64_t)POINTS * p->chunk * lanes * p->nb * lanes * 4;
  bool one_group = p->tile_rows >= tile_rows;
  p->shared = one_group ? y->d[0] * v : 0;
  p->scratch = m + u + (one_group ? 0 : v);
}

void emit_winograd(Emit *e, Node *n) {
  const Shape *y = &n->out[0]->shape;
  Winograd w = {.e = e, .n = n, .plan = n->plan, .in = &n->in[0]->layout, .out = &n->out[0]->layout, .images = y->d[0],
                .rows = y->d[2], .cols = y->d[3]};
  w.tile_rows = (w.rows + OUT - 1) / OUT;
  w.tile_cols = (w.cols + OUT - 1) / OUT;
  w.group_rows = w.plan->tile_rows;
  w.group_tiles = w.group_rows * w.tile_cols;
  w.in_blocks = (w.plan->icg + e->lanes - 1) / e->lanes;
  w.out_blocks = (w.plan->ocg + e->lanes - 1) / e->lanes;
  w.v_frequency = v_frequency(w.in_blocks, w.group_tiles, e->lanes);
  w.m_frequency = m_frequency(w.plan->nb, w.group_tiles, e->lanes);
  w.chunk = w.plan->chunk * e->lanes;
  if (!w.plan->shared) by_groups(&w);
  else if (e->phase == 0) phase_input(&w);
  else phase_panels(&w);
}
