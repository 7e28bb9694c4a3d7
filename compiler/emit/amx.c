/* amx.c: sums of products of 8-bit integers by AMX, for runs of up to 16 pixels of a row of the result.
 *
 * Tiles 0 to 3 hold the sums of two runs and two vectors of output channels, 4 and 5 the inputs of a step, 64 bytes for each pixel, 6
 * and 7 the weights for these:
 *
 *              6: 16 outputs   7: 16 outputs
 *     4: run   0               1
 *     5: run   2               3               tile 0 += tile 4 x tile 6
 *
 * Where weights have zero points tile 7 holds ones, and tiles 1 and 3 become the sums of the inputs, in all columns.
 *
 * The finished sums go to scratch, and while the tiles of the next pair of runs are multiplied, the vector units make results of
 * them, some pieces in each step:
 *
 *     tiles     | sums of pair 0 |     pair 1     |     pair 2     |
 *     vectors                    | results of 0   | results of 1   | results of 2
 */
#include "emit.h"

#include <llvm-c/Core.h>

enum { RUNS = 2, INPUT = 4, WEIGHTS = 6, TILES = 8, TILE_ROW = 64, TILE_BYTES = 1024 };

/* Runs whose sums are made at a time. */
typedef struct Group {
  int runs;
  Ref line[RUNS], image[RUNS], row[RUNS], x[RUNS];
} Group;

/* Results whose sums wait in scratch, as they lay in tiles 0 to 3: places of two runs' first pixels, and how many pieces there are. */
typedef struct Waiting {
  Ref out[RUNS], arg[RUNS][MAX_STEPS], pieces;
} Waiting;

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

void amx_begin(Amx *a, const RowTiles *t, int i) {
  a->length = t->size[i];
  a->number = t->number[i];
  a->first = t->first[i];
  a->piece = a->length % 2 == 0 ? 2 : 1;
  a->pieces = (int)a->length / a->piece;
  configure(a);
}

void amx_end(Emit *e) { intrinsic(e, "llvm.x86.tilerelease", 0, NULL, 0, NULL); }

/* Tiles of weights, and of ones. */
static int columns(const AmxPart *p) { return p->nb + (p->zeros != NULL); }

/* ==== results ==== */

static Waiting results_of(const Amx *a, const AmxPart *p, const Group *g, Ref pieces) {
  Emit *e = a->e;
  Value *y = a->n->out[0];
  Waiting w = {.pieces = pieces};
  for (int j = 0; j < RUNS; j++) {
    step_pointers(e, a->n, g->image[j], p->vector, g->row[j], g->x[j], w.arg[j]);
    w.out[j] = place_vector(e, value_ptr(e, y), y, g->image[j], p->vector, g->row[j], g->x[j]);
  }
  return w;
}

static Ref of_run(Emit *e, Ref second, const Ref *run) { return run[0] == run[1] ? run[0] : LLVMBuildSelect(e->b, second, run[1], run[0], ""); }

/* The sums of a piece, from pixel x of its run on, for each vector and pixel. */
static void load_piece(const Amx *a, const AmxPart *p, Ref second, Ref x, Ref *acc) {
  Emit *e = a->e;
  LLVMTypeRef sums = vec_of(e->i32, e->lanes);
  Ref from = gep(e, of_run(e, second, (Ref[]){scratch_ptr(e), gep_const(e, scratch_ptr(e), 2 * TILE_BYTES)}), x, TILE_ROW);
  for (int u = 0; u < a->piece; u++)
    for (int b = 0; b < columns(p); b++) acc[b * a->piece + u] = load(e, sums, from, b * TILE_BYTES + u * TILE_ROW, e->vec_bytes);
  if (p->zeros) take_off_zeros(e, p->zeros, a->piece, p->nb, acc);
}

/* Piece number `piece`, first those of the first run. */
static void make_piece(const Amx *a, const AmxPart *p, const Waiting *w, Ref piece) {
  Emit *e = a->e;
  Node *n = a->n;
  Ref acc[2 * MAX_TILE], arg[MAX_STEPS], second = LLVMBuildICmp(e->b, LLVMIntSGE, piece, const_i64(e, a->pieces), "");
  Ref skipped = of_run(e, second, (Ref[]){const_i64(e, 0), const_i64(e, a->pieces)});
  Ref x = mul_i(e, LLVMBuildSub(e->b, piece, skipped, ""), a->piece);
  load_piece(a, p, second, x, acc);
  for (int i = 0; i < n->n_step; i++) arg[i] = of_run(e, second, (Ref[]){w->arg[0][i], w->arg[1][i]});
  steps_along_row(e, n, x, arg);
  store_sums(e, n, a->piece, p->nb, a->bounded, acc, arg, gep(e, of_run(e, second, w->out), x, place_pixel_bytes(n->out[0])));
}

static int64_t steps_of_sum(const Amx *a) { return a->steps[0] * a->steps[1] * a->steps[2]; }

/* In a step of the sums: the next pieces, so many that all are made in these steps. Returns the number of the first that still waits. */
static Ref make_pieces(const Amx *a, const AmxPart *p, const Waiting *w, Ref first) {
  Emit *e = a->e;
  int all = RUNS * a->pieces, count = 1;
  while (all % count != 0 || all / count > steps_of_sum(a)) count++;
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

/* carry: pointers to the weights and to what is to be fetched. */
static void add_products(const Amx *a, const AmxPart *p, int runs, const Ref *x, Ref *carry) {
  Emit *e = a->e;
  int nb = columns(p);
  for (int j = 0; j < runs; j++) load_tile(e, INPUT + j, x[j], a->pixel_bytes);
  for (int b = 0; b < nb; b++) load_tile(e, WEIGHTS + b, gep_const(e, carry[0], b * TILE_ROW), nb * TILE_ROW);
  for (int i = 0; i < p->lines; i++) prefetch(e, carry[1], i * 64, false, 2);
  for (int j = 0; j < runs; j++)
    for (int b = 0; b < nb; b++)
      intrinsic(e, "llvm.x86.tdpbusd", 0, NULL, 3, (Ref[]){tile_number(e, j * 2 + b), tile_number(e, INPUT + j), tile_number(e, WEIGHTS + b)});
  carry[0] = gep_const(e, carry[0], nb * TILE_BYTES);
  carry[1] = gep_const(e, carry[1], p->lines * 64);
}

/* The sums of g's runs, in the tiles; results that wait are made meanwhile. */
static void sum_runs(const Amx *a, const AmxPart *p, const Group *g, const Waiting *w, Ref fetched) {
  Emit *e = a->e;
  Ref carry[] = {p->weights, fetched, const_i64(e, 0)}, in[RUNS], x[RUNS];
  Loop l[3];
  for (int j = 0; j < g->runs; j++) {
    in[j] = a->input(a, g->line[j], g->image[j], g->row[j], g->x[j]);
    for (int b = 0; b < columns(p); b++) start_tile(a, p, j * 2 + b, b);
  }
  for (int i = 0; i < 3; i++) loop_begin(e, &l[i], const_i64(e, 0), const_i64(e, a->steps[i]), 1, 3, carry);
  for (int j = 0; j < g->runs; j++) {
    x[j] = in[j];
    for (int i = 0; i < 3; i++) x[j] = gep(e, x[j], l[i].i, a->step_bytes[i]);
  }
  add_products(a, p, g->runs, x, carry);
  carry[2] = make_pieces(a, p, w, carry[2]);
  for (int i = 2; i >= 0; i--) loop_end(e, &l[i]);
}

/* They wait for make_pieces. */
static void keep_sums(const Amx *a, const AmxPart *p, int runs) {
  Emit *e = a->e;
  for (int j = 0; j < runs; j++)
    for (int b = 0; b < columns(p); b++) store_tile(e, j * 2 + b, gep_const(e, scratch_ptr(e), (j * 2 + b) * TILE_BYTES));
}

/* ==== a panel's part of the rows ==== */

/* The places of runs from number `first` of all rows' on. */
static Group group_at(const Amx *a, int runs, Ref first) {
  Emit *e = a->e;
  Group g = {.runs = runs};
  for (int j = 0; j < RUNS; j++) {
    Ref run = add_i(e, first, const_i64(e, j)), line = g.line[j] = LLVMBuildSDiv(e->b, run, const_i64(e, a->number), "");
    Ref tile = LLVMBuildSRem(e->b, run, const_i64(e, a->number), "");
    g.image[j] = LLVMBuildSDiv(e->b, line, const_i64(e, a->rows), "");
    g.row[j] = LLVMBuildSRem(e->b, line, const_i64(e, a->rows), "");
    g.x[j] = add_i(e, mul_i(e, tile, a->length), const_i64(e, a->first));
  }
  return g;
}

/* The pieces of the pair of runs that ends before run `end`, where that lies behind the first; else none. */
static Ref pieces_before(const Amx *a, const AmxPart *p, Ref end) {
  Emit *e = a->e;
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, end, p->lo, ""), const_i64(e, RUNS * a->pieces), const_i64(e, 0), "");
}

/* The sums of runs from number `first` on, while results of the pair before them are made. */
static void do_runs(const Amx *a, const AmxPart *p, int runs, Ref first) {
  Emit *e = a->e;
  Group before = group_at(a, RUNS, LLVMBuildSub(e->b, first, const_i64(e, RUNS), "")), g = group_at(a, runs, first);
  Waiting w = results_of(a, p, &before, pieces_before(a, p, first));
  Ref number = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, first, p->begin, ""), const_i64(e, RUNS), "");
  sum_runs(a, p, &g, &w, gep(e, p->next, number, p->lines * steps_of_sum(a) * 64));
  keep_sums(a, p, runs);
}

void amx_part(const Amx *a, const AmxPart *p) {
  Emit *e = a->e;
  Ref one = const_i64(e, 1), last = LLVMBuildSub(e->b, p->hi, one, ""), count = LLVMBuildSub(e->b, p->hi, p->lo, "");
  Loop pair;
  loop_begin(e, &pair, p->lo, last, RUNS, 0, NULL);
  do_runs(a, p, RUNS, pair.i);
  loop_end(e, &pair);
  If odd;
  Ref is_odd = LLVMBuildICmp(e->b, LLVMIntNE, LLVMBuildAnd(e->b, count, one, ""), const_i64(e, 0), "");
  if_begin(e, &odd, is_odd);
  do_runs(a, p, 1, last);
  if_end(e, &odd);
  Group g = group_at(a, RUNS, LLVMBuildSelect(e->b, is_odd, last, LLVMBuildSub(e->b, last, one, ""), ""));
  Waiting w = results_of(a, p, &g, LLVMBuildSelect(e->b, is_odd, const_i64(e, a->pieces), pieces_before(a, p, p->hi), ""));
  make_rest(a, p, &w);
}
