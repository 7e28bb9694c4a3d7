/* amx.c: sums of products of 8-bit integers by AMX, for runs of up to 16 pixels of a row of the result.
 *
 * Tiles 0 to 3 hold sums, 4 and 5 inputs of a step, 64 bytes for each pixel, 6 and 7 the weights for these. A group is two runs and
 * two vectors of output channels; four runs and one vector, where reading the weights takes the time, since few pixels share them; or
 * one run and four vectors, where storing the results does, since they are sums of few products:
 *
 *              6: 16 outputs   7: 16 outputs         6: 16 outputs          6: 16   7: 16   6: 16   7: 16 outputs
 *     4: run   0               1                     4: run   0             4: run  0       1       2       3
 *     5: run   2               3                     5: run   1
 *                                                    4: run   2
 *     tile 0 += tile 4 x tile 6                      5: run   3
 *
 * Where weights have zero points tile 7 holds ones, and tiles 1 and 3 become the sums of the inputs, in all columns.
 *
 * The finished sums go to scratch, and while the tiles of the next group are multiplied, the vector units make results of them, some
 * pieces in each step:
 *
 *     tiles     | sums of group 0 |     group 1     |     group 2     |
 *     vectors                     | results of 0    | results of 1    | results of 2
 */
#include "emit.h"

#include <llvm-c/Core.h>

enum { MOST_RUNS = 4, INPUT = 4, WEIGHTS = 6, TILES = 8, TILE_ROW = 64 };

/* The places of a group's runs. */
typedef struct Group { Ref line[MOST_RUNS], image[MOST_RUNS], row[MOST_RUNS], x[MOST_RUNS]; } Group;

/* Results whose sums wait in scratch, as they lay in tiles 0 to 3: the places of the runs' first pixels, and how many pieces there are. */
typedef struct Waiting { Ref sums, out[MOST_RUNS], arg[MOST_RUNS][MAX_STEPS], pieces; } Waiting;

/* ==== instructions ==== */

static Ref tile_number(Emit *e, int i) { return LLVMConstInt(e->i8, (unsigned)i, 0); }

static void load_tile(Emit *e, int tile, Ref p, int64_t stride) {
  intrinsic(e, "llvm.x86.tileloadd64", 0, NULL, 3, (Ref[]){tile_number(e, tile), p, const_i64(e, stride)});
}

static void store_tile(Emit *e, int tile, Ref p) {
  intrinsic(e, "llvm.x86.tilestored64", 0, NULL, 3, (Ref[]){tile_number(e, tile), p, const_i64(e, TILE_ROW)});
}

/* 64 bytes: the palette, the bytes of a row of each tile from byte 16 on, the rows of each from byte 48 on. */
static void configure(const Amx *a) {
  Emit *e = a->e;
  Ref byte[64];
  uint8_t config[64] = {1};
  for (int i = 0; i < TILES; i++) {
    config[16 + 2 * i] = TILE_ROW;
    config[48 + i] = i < WEIGHTS ? (uint8_t)a->length : 16;
  }
  for (int i = 0; i < 64; i++) byte[i] = LLVMConstInt(e->i8, config[i], 0);
  Ref p = constant_global(e, LLVMConstArray2(e->i8, byte, 64), "tiles");
  intrinsic(e, "llvm.x86.ldtilecfg", 0, NULL, 1, &p);
}

static int64_t steps_of_sum(const Amx *a) { return a->steps[0] * a->steps[1] * a->steps[2]; }

enum { SHORT_STEPS = 2, PIECES = 2 /* made in a step at most, lest each of them finds its place anew */ };

/* Results that are packed together: of four vectors of a pixel, or of fewer of two. */
static int pixels_together(const Amx *a) { return a->runs == 1 ? 1 : 2; }

/* Where there are few steps, results are made behind all of them. */
static bool is_short(const Amx *a) { return steps_of_sum(a) <= SHORT_STEPS; }

/* How often some of a group's results are made. */
static int64_t turns_of_results(const Amx *a) { return is_short(a) ? 1 : steps_of_sum(a); }

/* Pixels of a piece: as few as a group's steps allow. */
static int piece_of_run(const Amx *a) {
  int step = pixels_together(a), piece = step, length = (int)a->length;
  while (piece < length && (length % piece != 0 || a->runs * length / piece > PIECES * turns_of_results(a))) piece += step;
  return piece < length ? piece : length;
}

void amx_begin(Amx *a, const RowTiles *t, int i) {
  a->length = t->size[i];
  a->number = t->number[i];
  a->first = t->first[i];
  a->piece = piece_of_run(a);
  a->pieces = (int)a->length / a->piece;
  configure(a);
}

void amx_end(Emit *e) { intrinsic(e, "llvm.x86.tilerelease", 0, NULL, 0, NULL); }

/* From the sums of a run to those of the next. */
static int tiles_apart(const Amx *a) { return MOST_RUNS / a->runs; }

/* Tiles of weights, and of ones. */
static int columns(const AmxPart *p) { return p->nb + (p->zeros != NULL); }

/* ==== results ==== */

static Waiting results_of(const Amx *a, const AmxPart *p, const Group *g, Ref sums, Ref pieces) {
  Emit *e = a->e;
  Value *y = a->n->out[0];
  Waiting w = {.sums = sums, .pieces = pieces};
  for (int j = 0; j < a->runs; j++) {
    step_pointers(e, a->n, g->image[j], p->vector, g->row[j], g->x[j], w.arg[j]);
    w.out[j] = place_vector(e, value_ptr(e, y), y, g->image[j], p->vector, g->row[j], g->x[j]);
  }
  return w;
}

/* That of `each`, which one run has, for run number `run`. */
static Ref of_run(const Amx *a, Ref run, const Ref *each) {
  Ref v = each[0];
  for (int j = 1; j < a->runs; j++) {
    if (each[j] == v) continue;
    v = LLVMBuildSelect(a->e->b, LLVMBuildICmp(a->e->b, LLVMIntSGE, run, const_i64(a->e, j), ""), each[j], v, "");
  }
  return v;
}

/* The results of `pixels` of a run, whose sums are at `from`. */
static void make_results(const Amx *a, const AmxPart *p, int pixels, Ref from, Ref *arg, Ref out) {
  Emit *e = a->e;
  Ref acc[2 * MOST_RUNS];
  LLVMTypeRef sums = vec_of(e->i32, e->lanes);
  for (int u = 0; u < pixels; u++)
    for (int b = 0; b < columns(p); b++) acc[b * pixels + u] = load(e, sums, from, b * AMX_TILE + u * TILE_ROW, e->vec_bytes);
  if (p->zeros) take_off_zeros(e, p->zeros, pixels, p->nb, acc);
  store_sums(e, a->n, pixels, p->nb, a->bounded, acc, arg, out);
  end_step(e);
}

/* Piece number `piece`, run by run. */
static void make_piece(const Amx *a, const AmxPart *p, const Waiting *w, Ref piece) {
  Emit *e = a->e;
  Node *n = a->n;
  Ref arg[MAX_STEPS], run = LLVMBuildUDiv(e->b, piece, const_i64(e, a->pieces), "");
  Ref x = mul_i(e, LLVMBuildURem(e->b, piece, const_i64(e, a->pieces), ""), a->piece);
  Ref from = gep(e, gep(e, w->sums, run, tiles_apart(a) * AMX_TILE), x, TILE_ROW);
  Ref out = gep(e, of_run(a, run, w->out), x, place_pixel_bytes(n->out[0]));
  for (int i = 0; i < n->n_step; i++) {
    Ref each[MOST_RUNS];
    for (int j = 0; j < a->runs; j++) each[j] = w->arg[j][i];
    arg[i] = of_run(a, run, each);
  }
  steps_along_row(e, n, x, arg);
  for (int u = 0; u < a->piece; u += pixels_together(a)) {
    Ref at[MAX_STEPS];
    for (int i = 0; i < n->n_step; i++) at[i] = arg[i];
    steps_along_row(e, n, const_i64(e, u), at);
    make_results(a, p, (int)size_min(pixels_together(a), a->piece - u), gep_const(e, from, u * TILE_ROW), at,
                 gep_const(e, out, u * place_pixel_bytes(n->out[0])));
  }
}

/* In a step of the sums: the next pieces, so many that all are made in these steps. Returns the number of the first that still waits. */
static Ref make_pieces(const Amx *a, const AmxPart *p, const Waiting *w, Ref first) {
  Emit *e = a->e;
  int all = a->runs * a->pieces, count = 1;
  while (all % count != 0 || all / count > turns_of_results(a)) count++;
  If some;
  Ref wait = LLVMBuildICmp(e->b, LLVMIntSLT, first, w->pieces, "");
  if_begin(e, &some, wait);
  for (int i = 0; i < count; i++) make_piece(a, p, w, add_i(e, first, const_i64(e, i)));
  if_end(e, &some);
  return LLVMBuildSelect(e->b, wait, add_i(e, first, const_i64(e, count)), first, "");
}

/* All that wait, when there is nothing to be multiplied meanwhile. */
static void make_rest(const Amx *a, const AmxPart *p, const Waiting *w) {
  Loop piece;
  loop_begin(a->e, &piece, const_i64(a->e, 0), w->pieces, 1, 0, NULL);
  make_piece(a, p, w, piece.i);
  loop_end(a->e, &piece);
}

/* ==== sums ==== */

/* All rows of a tile of sums start from the same. */
static void start_tile(const Amx *a, const AmxPart *p, int tile, int b) {
  Emit *e = a->e;
  Ref number = tile_number(e, tile);
  if (b == p->nb) intrinsic(e, "llvm.x86.tilezero", 0, NULL, 1, &number);
  else load_tile(e, tile, gep_const(e, p->start, b * e->vec_bytes), 0);
}

static int weights_tile(int b) { return WEIGHTS + b % 2; }

static void multiply(const Amx *a, int run, int b) {
  Ref tile[] = {tile_number(a->e, run * tiles_apart(a) + b), tile_number(a->e, INPUT + run % 2), tile_number(a->e, weights_tile(b))};
  intrinsic(a->e, "llvm.x86.tdpbusd", 0, NULL, 3, tile);
}

/* Two tiles of inputs by two of weights at a time. */
static void add_tiles(const Amx *a, const AmxPart *p, const Ref *x, Ref weights, int run, int b) {
  int runs = (int)size_min(2, a->runs - run), nb = (int)size_min(2, columns(p) - b);
  for (int j = run; j < run + runs && b == 0; j++) load_tile(a->e, INPUT + j % 2, x[j], a->pixel_bytes);
  for (int k = b; k < b + nb && run == 0; k++) load_tile(a->e, weights_tile(k), gep_const(a->e, weights, k * TILE_ROW), columns(p) * TILE_ROW);
  for (int j = run; j < run + runs; j++)
    for (int k = b; k < b + nb; k++) multiply(a, j, k);
}

/* carry: pointers to the weights and to what is to be fetched. */
static void add_products(const Amx *a, const AmxPart *p, const Ref *x, Ref *carry) {
  Emit *e = a->e;
  for (int i = 0; i < p->lines; i++) prefetch(e, carry[1], i * 64, e->t->fetch_level);
  for (int run = 0; run < a->runs; run += 2)
    for (int b = 0; b < columns(p); b += 2) add_tiles(a, p, x, carry[0], run, b);
  carry[0] = gep_const(e, carry[0], columns(p) * AMX_TILE);
  carry[1] = gep_const(e, carry[1], p->lines * 64);
}

/* The sums of g's runs, in the tiles; results that wait are made meanwhile. */
static void sum_runs(const Amx *a, const AmxPart *p, const Group *g, const Waiting *w, Ref fetched) {
  Emit *e = a->e;
  Ref carry[] = {p->weights, fetched, const_i64(e, 0)}, in[MOST_RUNS], x[MOST_RUNS];
  Loop l[3];
  for (int j = 0; j < a->runs; j++) {
    in[j] = a->input(a, g->line[j], g->image[j], g->row[j], g->x[j]);
    for (int b = 0; b < columns(p); b++) start_tile(a, p, j * tiles_apart(a) + b, b);
  }
  for (int i = 0; i < 3; i++) loop_begin(e, &l[i], const_i64(e, 0), const_i64(e, a->steps[i]), 1, 3, carry);
  for (int j = 0; j < a->runs; j++) {
    x[j] = in[j];
    for (int i = 0; i < 3; i++) x[j] = gep(e, x[j], l[i].i, a->step_bytes[i]);
  }
  add_products(a, p, x, carry);
  if (!is_short(a)) carry[2] = make_pieces(a, p, w, carry[2]);
  for (int i = 2; i >= 0; i--) loop_end(e, &l[i]);
}

static void keep_sums(const Amx *a, const AmxPart *p, Ref to) {
  for (int j = 0; j < a->runs; j++)
    for (int b = 0; b < columns(p); b++) {
      int tile = j * tiles_apart(a) + b;
      store_tile(a->e, tile, gep_const(a->e, to, tile * AMX_TILE));
    }
}

/* ==== a panel's part of the rows ==== */

/* The places of the runs of all rows from number `first` on; a group that has fewer left repeats the last. */
static Group group_at(const Amx *a, const AmxPart *p, Ref first) {
  Emit *e = a->e;
  Group g;
  Ref last = LLVMBuildSub(e->b, p->hi, const_i64(e, 1), "");
  for (int j = 0; j < a->runs; j++) {
    Ref run = min_i(e, add_i(e, first, const_i64(e, j)), last), line = g.line[j] = LLVMBuildSDiv(e->b, run, const_i64(e, a->number), "");
    Ref tile = LLVMBuildSRem(e->b, run, const_i64(e, a->number), "");
    g.image[j] = LLVMBuildSDiv(e->b, line, const_i64(e, a->rows), "");
    g.row[j] = LLVMBuildSRem(e->b, line, const_i64(e, a->rows), "");
    g.x[j] = add_i(e, mul_i(e, tile, a->length), const_i64(e, a->first));
  }
  return g;
}

/* Groups take turns with two places in scratch, lest sums are read before their stores, behind those of results, have come to the cache. */
static Ref sums_of(const Amx *a, const AmxPart *p, Ref first) {
  Emit *e = a->e;
  Ref number = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, first, p->lo, ""), const_i64(e, a->runs), "");
  return gep(e, scratch_ptr(e), LLVMBuildAnd(e->b, number, const_i64(e, 1), ""), AMX_SUMS / 2);
}

/* The sums of the group from run `first` on, while results of the group before it are made. */
static void do_group(const Amx *a, const AmxPart *p, Ref first) {
  Emit *e = a->e;
  Ref runs = const_i64(e, a->runs), is_first = LLVMBuildICmp(e->b, LLVMIntEQ, first, p->lo, ""), last = LLVMBuildSub(e->b, first, runs, "");
  Ref pieces = LLVMBuildSelect(e->b, is_first, const_i64(e, 0), const_i64(e, a->runs * a->pieces), "");
  Group before = group_at(a, p, last), g = group_at(a, p, first);
  Waiting w = results_of(a, p, &before, sums_of(a, p, last), pieces);
  Ref number = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, first, p->begin, ""), runs, "");
  sum_runs(a, p, &g, &w, gep(e, p->next, number, p->lines * steps_of_sum(a) * 64));
  keep_sums(a, p, sums_of(a, p, first));
  if (is_short(a)) make_pieces(a, p, &w, const_i64(e, 0));
}

void amx_part(const Amx *a, const AmxPart *p) {
  Emit *e = a->e;
  Ref runs = const_i64(e, a->runs), last = LLVMBuildSub(e->b, p->hi, const_i64(e, 1), "");
  Loop group;
  loop_begin(e, &group, p->lo, p->hi, a->runs, 0, NULL);
  do_group(a, p, group.i);
  loop_end(e, &group);
  Ref first = LLVMBuildSub(e->b, last, LLVMBuildSRem(e->b, LLVMBuildSub(e->b, last, p->lo, ""), runs, ""), "");
  Group g = group_at(a, p, first);
  Waiting w = results_of(a, p, &g, sums_of(a, p, first), mul_i(e, LLVMBuildSub(e->b, p->hi, first, ""), a->pieces));
  make_rest(a, p, &w);
}
