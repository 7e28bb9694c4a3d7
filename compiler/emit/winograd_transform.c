/* winograd_transform.c: the transforms of Winograd's algorithm: of rows of input tiles, of weights, of the sums. The
 * points and their order are lower/conv_winograd.c's. */
#include "winograd.h"

#include <llvm-c/Core.h>

enum { POINTS = WINOGRAD_POINTS };

static Ref times(Emit *e, double k, Ref x) { return k == 1 ? x : mul_f(e, x, splat_const(e, k)); }
static Ref fma_const(Emit *e, double k, Ref x, Ref y) { return fma_(e, splat_const(e, k), x, y); }

/* A tile's place and size: how many results it gives, and by how many points. */
typedef struct TileForm {
  int height, width;
  int row_points, col_points;
} TileForm;

/* ==== residues ==== */

/* An image of the map: of the batch, and the first pixel of its residue, NULL without dilation. */
typedef struct ResidueImage { Ref image, row, col; } ResidueImage;

static ResidueImage residue_image(const Winograd *w, Ref number) {
  Emit *e = w->e;
  const WinogradMap *k = &w->map;
  if (w->f.dh * w->f.dw == 1) return (ResidueImage){.image = number};
  Ref residues = const_i64(e, k->row_residues * k->col_residues), cols = const_i64(e, k->col_residues);
  Ref residue = LLVMBuildSRem(e->b, number, residues, "");
  return (ResidueImage){LLVMBuildSDiv(e->b, number, residues, ""),
                        add_i(e, LLVMBuildSDiv(e->b, residue, cols, ""), const_i64(e, k->first_row)),
                        add_i(e, LLVMBuildSRem(e->b, residue, cols, ""), const_i64(e, k->first_col))};
}

/* The row or column of the result that is number `i` of a residue. */
static Ref from_residue(const Winograd *w, Ref first, Ref i, int64_t each) {
  Ref at = mul_i(w->e, i, each);
  return first ? add_i(w->e, at, first) : at;
}

static void residue_key(const Winograd *w, Buffer *key) {
  if (w->f.dh * w->f.dw > 1) buffer_printf(key, "_d%lldx%lld", (long long)w->f.dh, (long long)w->f.dw);
}

/* ==== input, in one dimension ==== */

/* Six points. The rows for 0 and infinity share terms with those for 1 and -1. */
static void input_of_six(Emit *e, const Ref *d, bool infinity, Ref *t) {
  Ref u = fma_const(e, 1.5, d[3], sub_f(e, d[4], d[2])), v = fma_const(e, 1.5, d[2], sub_f(e, d[3], d[1]));
  Ref w = fma_const(e, 1.5, d[1], sub_f(e, d[2], d[0])), s = sub_f(e, d[4], d[2]), q = sub_f(e, d[3], d[1]);
  if (infinity) t[0] = sub_f(e, fma_const(e, 1.5, d[4], sub_f(e, d[5], d[3])), v);
  t[1] = sub_f(e, u, w);
  t[2] = add_f(e, u, v);
  t[3] = sub_f(e, u, v);
  t[4] = fma_const(e, 2, q, s);
  t[5] = fma_const(e, -0.5, q, s);
}

static void input_of_five(Emit *e, const Ref *d, bool infinity, Ref *t) {
  Ref q = sub_f(e, d[3], d[1]);
  if (infinity) t[0] = fma_const(e, -0.5, q, sub_f(e, d[4], d[2]));
  t[1] = fma_const(e, 0.5, sub_f(e, d[0], d[2]), q);
  t[2] = fma_const(e, 0.5, add_f(e, d[1], d[2]), q);
  t[3] = fma_const(e, 1.5, sub_f(e, d[1], d[2]), q);
  t[4] = q;
}

/* B' d without the factors of winograd_scale. Without the product at infinity the last input is not there. */
static void transform_input(Emit *e, int points, const Ref *d, bool infinity, Ref *t) {
  switch (points) {
  case 6: input_of_six(e, d, infinity, t); return;
  case 5: input_of_five(e, d, infinity, t); return;
  default: winograd_input_of_few(e, points, d, infinity, add_f, sub_f, t);
  }
}

/* ==== input: one row of tiles ==== */

/* One parity of a tile: the first points with products are 1 where it has a single tap. */
static void input_parity(const Winograd *w, const TileForm *t, int pr, int pc, Ref in, Ref v) {
  Emit *e = w->e;
  Ref x[POINTS][POINTS], d[POINTS], out[POINTS];
  int64_t down = w->f.stride * w->f.dh, across = w->f.stride * w->f.dw;
  for (int j = 0; j < t->col_points - pc; j++) {
    for (int i = 0; i < t->row_points - pr; i++) {
      d[i] = load(e, e->vec, in, place_offset(w->in, 0, i * down + pr, j * across + pc), e->vec_bytes);
    }
    transform_input(e, t->row_points, d, !pr, out);
    for (int i = pr; i < t->row_points; i++) x[i][j] = out[i];
  }
  for (int i = pr; i < t->row_points; i++) {
    transform_input(e, t->col_points, x[i], !pc, out);
    for (int j = pc; j < t->col_points; j++) {
      int64_t at = (i * w->f.points + j) * w->s.v_frequency + winograd_parity_at(w, pr, pc);
      double k = winograd_scale(w->f.taps, t->row_points, i) * winograd_scale(w->f.taps, t->col_points, j);
      store(e, times(e, k, out[j]), v, at * F32_BYTES, e->vec_bytes);
    }
  }
}

static void input_tile(const Winograd *w, const TileForm *t, Ref in, Ref v) {
  if (w->plan->integer) {
    winograd_integer_input(w, t->row_points, t->col_points, in, v);
    return;
  }
  for (int pr = 0; pr < w->f.stride; pr++) {
    for (int pc = 0; pc < w->f.stride; pc++) input_parity(w, t, pr, pc, in, v);
  }
}

typedef struct InputRow {
  const Winograd *w;
  TileForm tile; /* a whole one of the row */
} InputRow;

static void build_input_row(const void *data) {
  const InputRow *r = data;
  const Winograd *w = r->w;
  Emit *e = w->e;
  int64_t whole = w->s.tile_cols - (w->s.cut_cols > 0), step = w->f.m * w->f.stride * w->f.dw * place_pixel_bytes(w->in);
  Ref in = LLVMGetParam(e->fn, 0), v = LLVMGetParam(e->fn, 1);
  if (whole > 0) {
    Loop tile;
    loop_begin(e, &tile, const_i64(e, 0), const_i64(e, whole), 1, 0, NULL);
    input_tile(w, &r->tile, gep(e, in, tile.i, step), gep(e, v, tile.i, e->vec_bytes));
    loop_end(e, &tile);
  }
  if (w->s.cut_cols) {
    TileForm cut = r->tile;
    cut.col_points = winograd_points(&w->f, w->s.cut_cols);
    input_tile(w, &cut, gep_const(e, in, whole * step), gep_const(e, v, whole * e->vec_bytes));
  }
}

/* A block of V at a pixel of the first: channels that are integers lie two vectors in a block. */
static Ref input_block(const Winograd *w, Ref x, Ref block) {
  Emit *e = w->e;
  if (!w->plan->integer) return place_from(e, x, w->in, NULL, block, NULL, NULL);
  Ref two = const_i64(e, 2);
  x = place_from(e, x, w->in, NULL, LLVMBuildUDiv(e->b, block, two, ""), NULL, NULL);
  return gep(e, x, LLVMBuildURem(e->b, block, two, ""), 2 * e->lanes);
}

void winograd_input_row(const Winograd *w, Ref image, Ref row, Ref block, bool last, Ref v) {
  Emit *e = w->e;
  const WinogradForm *f = &w->f;
  InputRow r = {w, {.row_points = f->points, .col_points = f->points}};
  if (last && w->s.cut_rows) r.tile.row_points = winograd_points(f, w->s.cut_rows);
  Buffer key = {0};
  buffer_printf(&key, "winograd%s_in_m%d_k%d_s%d_%lld_of%lldx%lld_cut%d.%d_in%lld.%lld", w->plan->integer ? "_i8" : "", f->m, f->kernel, f->stride,
                (long long)w->s.tile_cols, (long long)w->s.in_blocks, (long long)w->s.group_tiles, r.tile.row_points,
                w->s.cut_cols, (long long)w->in->layout.row, (long long)w->in->layout.pix);
  residue_key(w, &key);
  buffer_add(&key, "", 1);
  ResidueImage p = residue_image(w, image);
  Ref x = place_from(e, place_window(e, w->in, &w->n->win, p.image, NULL, NULL, NULL), w->in, NULL, NULL, p.row, p.col);
  x = input_block(w, gep(e, x, row, f->m * f->stride * f->dh * place_row_bytes(w->in)), block);
  v = gep(e, v, block, w->s.group_tiles * e->vec_bytes);
  call_kernel(e, key.data, 2, (Ref[]){x, v}, build_input_row, &r);
  buffer_free(&key);
}

/* ==== weights ==== */

Ref winograd_weight(const Winograd *w, int i, const Ref *u) {
  if (i < w->f.taps) return u[i];
  Emit *e = w->e;
  Ref sum = u[1];
  for (int k = 0; k < w->f.taps; k++) {
    double term = winograd_term(w->f.taps, i, k);
    if (k == 1) continue;
    sum = term == 1 ? add_f(e, sum, u[k]) : term == -1 ? sub_f(e, sum, u[k]) : fma_const(e, term, u[k], sum);
  }
  return sum;
}

Ref winograd_column(const Winograd *w, int i, int col, Ref g, int64_t at, int64_t step) {
  Emit *e = w->e;
  Ref column[WINOGRAD_KERNEL] = {NULL};
  for (int k = 0; k < w->f.taps; k++) {
    if (i >= w->f.taps || k == i) column[k] = load(e, e->vec, g, at + (k * w->f.kernel + col) * step, e->vec_bytes);
  }
  return winograd_weight(w, i, column);
}

/* ==== output: one tile ==== */

/* A' m: the first `count` results of a tile by so many points, which makes `results` of them. */
static void transform_output(Emit *e, int points, int results, int count, const Ref *m, Ref *y) {
  Ref even = points > 3 ? add_f(e, m[2], m[3]) : points == 3 ? m[2] : NULL;
  Ref odd = points > 3 ? sub_f(e, m[2], m[3]) : even;
  double half = 1, minus_two = 1;
  for (int k = 0; k < count; k++, half *= winograd_point(4), minus_two *= winograd_point(5)) {
    Ref sum = k % 2 ? odd : even;
    if (k == 0) sum = sum ? add_f(e, m[1], sum) : m[1];
    if (k == results - 1) sum = add_f(e, sum, m[0]);
    if (points == 6 && k == 0) sum = add_f(e, sum, add_f(e, m[4], m[5]));
    else if (points == 6) sum = fma_const(e, half, m[4], fma_const(e, minus_two, m[5], sum));
    else if (points == 5) sum = fma_const(e, half, m[4], sum);
    y[k] = sum;
  }
}

enum { ARG_M, ARG_OUT, ARG_BIAS, ARG_STEPS };

typedef struct OutputTile {
  const Winograd *w;
  TileForm tile;
} OutputTile;

static void build_output_tile(const void *data) {
  const OutputTile *o = data;
  const TileForm *f = &o->tile;
  const Winograd *w = o->w;
  Emit *e = w->e;
  Ref m[POINTS], t[POINTS], x[POINTS][POINTS], arg[MAX_STEPS];
  int rows = f->row_points - w->f.taps + 1, cols = f->col_points - w->f.taps + 1;
  step_params(e, w->n, ARG_STEPS, arg);
  for (int j = 0; j < f->col_points; j++) {
    for (int i = 0; i < f->row_points; i++) {
      int64_t at = (i * w->f.points + j) * w->s.m_frequency;
      m[i] = load(e, e->vec, LLVMGetParam(e->fn, ARG_M), at * F32_BYTES, e->vec_bytes);
    }
    transform_output(e, f->row_points, rows, f->height, m, t);
    for (int i = 0; i < f->height; i++) x[i][j] = t[i];
  }
  Ref bias = load(e, e->vec, LLVMGetParam(e->fn, ARG_BIAS), 0, e->vec_bytes);
  for (int i = 0; i < f->height; i++) {
    transform_output(e, f->col_points, cols, f->width, x[i], t);
    for (int j = 0; j < f->width; j++) {
      int down = i * (int)w->f.dh, across = j * (int)w->f.dw;
      Ref y = apply_steps(e, w->n, add_f(e, t[j], bias), arg, 0, down, across);
      store(e, y, LLVMGetParam(e->fn, ARG_OUT), place_offset(w->out, 0, down, across), e->vec_bytes);
    }
  }
}

/* Where a tile is. */
typedef struct Spot {
  int nb;              /* vectors of results at a time */
  ResidueImage p;
  Ref block, row, col; /* row and column of tiles, in the map */
  Ref m;               /* its sums, of this block */
} Spot;

static void output_tile(const Winograd *w, const Spot *s, const TileForm *tile) {
  Emit *e = w->e;
  Buffer key = {0};
  buffer_printf(&key, "winograd_out_m%d_r%d_%dx%d_p%dx%d_m%lld_out%lld.%lld", w->f.m, w->f.taps, tile->height, tile->width,
                tile->row_points, tile->col_points, (long long)w->s.m_frequency, (long long)w->out->layout.row,
                (long long)w->out->layout.pix);
  if (w->plan->integer) buffer_printf(&key, "_i8x%d_%lld", s->nb, (long long)w->s.group_tiles);
  residue_key(w, &key);
  step_key(w->n, &key);
  buffer_add(&key, "", 1);
  Ref row = from_residue(w, s->p.row, s->row, w->f.m * w->f.dh), col = from_residue(w, s->p.col, s->col, w->f.m * w->f.dw);
  Ref out = place_vector(e, value_ptr(e, w->out), w->out, s->p.image, s->block, NULL, NULL);
  out = place_from(e, out, w->out, NULL, NULL, row, col);
  Ref bias = weights_ptr(e, w->plan->integer ? w->n->plan->at.weights : w->n->plan->at.bias);
  Ref args[MAX_KERNEL_ARGS] = {s->m, out, gep(e, bias, s->block, e->vec_bytes)};
  step_pointers(e, w->n, s->p.image, s->block, row, col, args + ARG_STEPS);
  OutputTile o = {w, *tile};
  WinogradResults r = {w, tile->height, tile->width, tile->row_points, tile->col_points, s->nb};
  int n_args = step_arguments(e, w->n, ARG_STEPS, args);
  if (w->plan->integer) call_kernel(e, key.data, n_args, args, build_integer_results, &r);
  else call_kernel(e, key.data, n_args, args, build_output_tile, &o);
  buffer_free(&key);
}

/* A row of tiles, the last of which may be cut. */
static void output_row(const Winograd *w, Spot *s, Ref m, TileForm tile) {
  Emit *e = w->e;
  int64_t whole = w->s.tile_cols - (w->s.cut_cols > 0);
  if (whole > 0) {
    Loop loop;
    loop_begin(e, &loop, const_i64(e, 0), const_i64(e, whole), 1, 0, NULL);
    s->col = loop.i;
    s->m = gep(e, m, loop.i, e->vec_bytes);
    output_tile(w, s, &tile);
    loop_end(e, &loop);
  }
  if (w->s.cut_cols == 0) return;
  tile.width = w->s.cut_cols;
  tile.col_points = winograd_points(&w->f, tile.width);
  s->col = const_i64(e, whole);
  s->m = gep_const(e, m, whole * e->vec_bytes);
  output_tile(w, s, &tile);
}

/* Row s->row of tiles, which may be the map's last. */
static void output_any_row(const Winograd *w, Spot *s, Ref m) {
  Emit *e = w->e;
  int points = w->f.points, rest = (int)(w->map.rows % w->f.m);
  TileForm whole = {w->f.m, w->f.m, points, points}, last = whole;
  if (rest == 0) {
    output_row(w, s, m, whole);
    return;
  }
  last.height = rest;
  if (w->s.cut_rows) last.row_points = winograd_points(&w->f, rest);
  If branch;
  Ref number = const_i64(e, w->s.tile_rows - 1);
  if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntEQ, s->row, number, ""));
  output_row(w, s, m, last);
  if_end(e, &branch);
  if_begin(e, &branch, LLVMBuildICmp(e->b, LLVMIntNE, s->row, number, ""));
  output_row(w, s, m, whole);
  if_end(e, &branch);
}

void winograd_output(const Winograd *w, const WinogradArea *a, int nb, Ref panel) {
  Emit *e = w->e;
  Spot s = {.nb = w->plan->integer ? nb : 1};
  Loop block, image, row;
  loop_begin(e, &block, const_i64(e, 0), const_i64(e, nb), s.nb, 0, NULL);
  s.block = add_i(e, mul_i(e, panel, w->plan->nb), block.i);
  Ref m = gep(e, a->m, block.i, w->s.group_tiles * e->vec_bytes);
  loop_begin(e, &image, const_i64(e, 0), const_i64(e, a->images), 1, 0, NULL);
  s.p = residue_image(w, add_i(e, a->image, image.i));
  m = gep(e, m, image.i, a->rows * w->s.tile_cols * e->vec_bytes);
  loop_begin(e, &row, const_i64(e, 0), const_i64(e, a->rows), 1, 0, NULL);
  s.row = add_i(e, a->first, row.i);
  output_any_row(w, &s, gep(e, m, row.i, w->s.tile_cols * e->vec_bytes));
  loop_end(e, &row);
  loop_end(e, &image);
  loop_end(e, &block);
}
