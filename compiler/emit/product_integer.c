/* product_integer.c: products of matrices of 8-bit integers. A tile is rows x vectors of columns, whose sums stay in registers:
 *
 *   A  row r     [a0 a1 a2 a3] ...           four bytes of a row are broadcast,
 *   B  panel     [k/4][column][4]            a vector has four of each column (lower.h): one dot_add
 *
 *   sum = a'w' + za' (K zw' - w'...) - zw' (a'...)       a' u8, w' s8, and their zero points
 *
 * The second term is where sums start from, a number for each column beside the panel, times A's zero point, which may be known
 * at run time only; the third needs the sums of A's rows, where B has zero points. Panels of a B that is known at run time only
 * are put into scratch. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { UNROLL = 4, MOST_SUMS = 64, AHEAD = 1024 /* bytes that a stream of panels is prefetched ahead */ };

typedef struct Integers {
  Emit *e;
  Node *n;
  PanelsPlan plan;
  IntegerProduct m;
  Dot dot;
  PanelItems items;
  LLVMTypeRef vec;       /* of i32 */
  int bytes;             /* of one */
} Integers;

/* Where the current item's panel lies: head and elements. */
typedef struct Panel { Ref head, fours; } Panel;

static Ref place_in(const Integers *s, const Matrices *m, Ref batch) {
  return add_i(s->e, strided_index(s->e, &s->m.p.batch, m->batch, batch), const_i64(s->e, m->at));
}

static Ref matrix(const Integers *s, int input, const Matrices *m, Ref batch) {
  return gep(s->e, value_ptr(s->e, s->n->in[input]), place_in(s, m, batch), 1);
}

static Ref splat_i32(const Integers *s, uint32_t v) { return splat(s->e, const_i32(s->e, (int32_t)v), s->e->lanes); }

/* Four bytes each, of s8 as u8 or the other way round. */
static Ref turned_sign(const Integers *s, Ref fours) { return LLVMBuildXor(s->e->b, fours, splat_i32(s, 0x80808080), ""); }

static Ref multiply(Emit *e, Ref a, Ref b) { return LLVMBuildMul(e->b, a, b, ""); }

/* ==== zero points ==== */

/* As the operand's elements count: of A as u8, of B as s8. */
static Ref shifted_zero(const Integers *s, int operand, Ref z) {
  Type t = s->n->in[operand]->type;
  z = math_cast(s->e, z, t, T_I32);
  if ((operand == 0) == (t == T_U8)) return z;
  return plus_i(s->e, z, operand == 0 ? 128 : -128);
}

/* That of a row of A as u8; NULL: 0. */
static Ref unsigned_zero(const Integers *s, Ref batch, Ref row) {
  Emit *e = s->e;
  const Value *z = has_input(s->n, 2) ? s->n->in[2] : NULL;
  if (!z) return s->n->in[0]->type == T_U8 ? NULL : const_i32(e, 128);
  if (z->data && shape_count(&z->shape) == 1) return shifted_zero(s, 0, const_element(e, z));
  Ref at = add_i(e, place_in(s, &s->m.za, batch), mul_i(e, row, s->m.za.row));
  return shifted_zero(s, 0, load_element(e, z, at));
}

/* The same as the products have it. */
static Ref zero_of_row(const Integers *s, Ref batch, Ref row) {
  Ref z = unsigned_zero(s, batch, row);
  if (!adds_signed_fours(s->e->t)) return z;
  return z ? plus_i(s->e, z, -128) : const_i32(s->e, -128);
}

/* Those of a vector of columns of B. */
static Ref zeros_of_columns(const Integers *s, Ref batch, Ref col, int valid) {
  Emit *e = s->e;
  const Value *z = has_input(s->n, 3) ? s->n->in[3] : NULL;
  if (!z) return splat_i32(s, s->n->in[1]->type == T_U8 ? (uint32_t)-128 : 0);
  Ref at = place_in(s, &s->m.zb, batch);
  if (s->m.zb.col == 0) return splat(e, shifted_zero(s, 1, load_element(e, z, at)), e->lanes);
  Ref p = gep(e, value_ptr(e, z), add_i(e, at, col), 1);
  return shifted_zero(s, 1, load_lanes_of(e, vec_of(e->i8, e->lanes), p, 0, valid, 1));
}

/* ==== panels in scratch ==== */

/* Four rows of B, of which `count` exist, from `from` on. */
static Ref join_rows(const Integers *s, Ref from, int count, int valid) {
  Emit *e = s->e;
  Ref fours = NULL;
  for (int i = 0; i < count; i++) {
    Ref row = load_lanes_of(e, vec_of(e->i8, e->lanes), from, i * s->m.p.b.row, valid, 1);
    row = shift_left(e, LLVMBuildZExt(e->b, row, s->vec, ""), 8 * i);
    fours = fours ? LLVMBuildOr(e->b, fours, row, "") : row;
  }
  if (s->n->in[1]->type == T_I8) return fours;
  return LLVMBuildXor(e->b, fours, splat_i32(s, 0x80808080u >> 8 * (4 - count)), "");
}

/* Rows k .. k + count, as a four; sums: of the columns so far. */
static void fill_fours(const Integers *s, const PanelColumns *c, Ref from, Ref to, int count, Ref *sums) {
  Emit *e = s->e;
  Factor ones = dot_factor(e, s->dot, splat_i32(s, 0x01010101), true);
  for (int j = 0; j < c->vectors; j++) {
    Ref fours = join_rows(s, gep_const(e, from, j * e->lanes), count, panel_lanes(e, c, j));
    store(e, fours, to, j * s->bytes, s->bytes);
    sums[j] = dot_add(e, s->dot, ones, dot_factor(e, s->dot, fours, true), sums[j]);
  }
}

static void fill_head(const Integers *s, const Panel *p, Ref *sums) {
  Emit *e = s->e;
  const PanelColumns *c = s->items.now;
  for (int j = 0; j < c->vectors; j++) {
    Ref zero = zeros_of_columns(s, s->items.batch, add_i(e, s->items.col, const_i64(e, j * e->lanes)), panel_lanes(e, c, j));
    Ref start = LLVMBuildSub(e->b, multiply(e, zero, splat_i32(s, (uint32_t)s->m.p.inner)), sums[j], "");
    store(e, start, p->head, j * s->bytes, s->bytes);
    if (s->plan.zeros) store(e, zero, p->head, (c->vectors + j) * s->bytes, s->bytes);
  }
}

static void fill_panel(const Integers *s, const Panel *p) {
  Emit *e = s->e;
  const PanelColumns *c = s->items.now;
  const Matrices *b = &s->m.p.b;
  Ref from = gep(e, matrix(s, 1, b, s->items.batch), mul_i(e, s->items.col, b->col), 1), sums[MOST_SUMS];
  int64_t whole = s->m.p.inner / 4, row = c->vectors * s->bytes;
  int left = (int)(s->m.p.inner % 4);
  for (int j = 0; j < c->vectors; j++) sums[j] = LLVMConstNull(s->vec);
  if (whole > 0) {
    Loop l;
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, whole), 1, c->vectors, sums);
    fill_fours(s, c, gep(e, from, l.i, 4 * b->row), gep(e, p->fours, l.i, row), 4, sums);
    loop_end(e, &l);
  }
  if (left > 0) fill_fours(s, c, gep_const(e, from, whole * 4 * b->row), gep_const(e, p->fours, whole * row), left, sums);
  fill_head(s, p, sums);
}

/* ==== one tile ==== */

/* The first sums are [row][vector]; those of rows of A come behind them, if the plan wants them. */
static int sums_of(const Integers *s, int rows, int vectors) { return rows * (vectors + s->plan.zeros); }

/* `count` bytes of A, fewer than four at the end of a row; others are 0. */
static Ref load_four(Emit *e, Ref a, int64_t at, int count) {
  if (count == 4) return load(e, e->i32, a, at, 1);
  if (count == 1) return LLVMBuildZExt(e->b, load(e, e->i8, a, at, 1), e->i32, "");
  Ref two = LLVMBuildZExt(e->b, load(e, e->i16, a, at, 1), e->i32, "");
  return count == 2 ? two : LLVMBuildOr(e->b, two, shift_left(e, load_four(e, a, at + 2, 1), 16), "");
}

/* Number k of the fours behind a and b, of which `count` bytes exist. */
static void step_k(const Integers *s, int rows, Ref a, Ref b, int64_t k, int count, Ref *acc) {
  Emit *e = s->e;
  Factor column[MAX_ACC], ones = dot_factor(e, s->dot, splat_i32(s, 0x01010101u >> 8 * (4 - count)), true);
  int vectors = s->items.now->vectors;
  for (int j = 0; j < vectors; j++)
    column[j] = dot_factor(e, s->dot, load(e, s->vec, b, (k * vectors + j) * s->bytes, s->bytes), true);
  for (int r = 0; r < rows; r++) {
    Ref four = splat(e, load_four(e, a, r * s->m.p.a.row + 4 * k, count), e->lanes);
    if (s->n->in[0]->type == T_I8) four = turned_sign(s, four);
    Factor x = dot_factor(e, s->dot, four, false);
    for (int j = 0; j < vectors; j++) acc[r * vectors + j] = dot_add(e, s->dot, x, column[j], acc[r * vectors + j]);
    if (s->plan.zeros) acc[rows * vectors + r] = dot_add(e, s->dot, x, ones, acc[rows * vectors + r]);
  }
  end_step(e);
}

static void prefetch_panel(const Integers *s, Ref b, int vectors) {
  for (int64_t at = 0; at < UNROLL * vectors * s->bytes; at += 64) prefetch(s->e, b, AHEAD + at, 1);
}

/* Small tiles sum in several sets, lest every sum wait for the one before it. */
static void sum_tile(const Integers *s, const Panel *p, int rows, Ref a, Ref *acc) {
  Emit *e = s->e;
  int vectors = s->items.now->vectors, n = sums_of(s, rows, vectors), sets = n >= 8 ? 1 : n >= 4 ? 2 : 4;
  int64_t fours = s->m.p.inner / 4, whole = fours / UNROLL * UNROLL;
  for (int i = 0; i < n * sets; i++) acc[i] = LLVMConstNull(s->vec);
  if (whole > 0) {
    Loop l;
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, whole), UNROLL, n * sets, acc);
    Ref x = gep(e, a, l.i, 4), b = gep(e, p->fours, l.i, vectors * s->bytes);
    if (s->items.tiles.count == 1 && is_packed(s->n)) prefetch_panel(s, b, vectors);
    for (int k = 0; k < UNROLL; k++) step_k(s, rows, x, b, k, 4, acc + k % sets * n);
    loop_end(e, &l);
  }
  for (int64_t k = whole; k < fours; k++) step_k(s, rows, a, p->fours, k, 4, acc + k % sets * n);
  int left = (int)(s->m.p.inner % 4);
  if (left > 0) step_k(s, rows, a, p->fours, fours, left, acc + fours % sets * n);
  for (int i = n; i < n * sets; i++) acc[i % n] = LLVMBuildAdd(e->b, acc[i % n], acc[i], "");
}

/* The products so far, with what the zero points bring; `sum` is that of A's row. */
static Ref add_zeros(const Integers *s, const Panel *p, int j, Ref acc, Ref za, Ref sum) {
  Emit *e = s->e;
  if (za) acc = LLVMBuildAdd(e->b, acc, multiply(e, load(e, s->vec, p->head, j * s->bytes, s->bytes), splat(e, za, e->lanes)), "");
  if (!s->plan.zeros) return acc;
  Ref zw = load(e, s->vec, p->head, (s->items.now->vectors + j) * s->bytes, s->bytes);
  return LLVMBuildSub(e->b, acc, multiply(e, zw, sum), "");
}

/* `row` counts the rows of the whole result; where B is a vector, they are the result's last axis. */
static void store_vector(const Integers *s, Ref x, Ref row, Ref col, int valid) {
  Emit *e = s->e;
  const Value *y = s->n->out[0];
  int size = (int)type_size(y->type);
  Ref out = gep(e, value_ptr(e, y), add_i(e, mul_i(e, row, s->m.p.cols), col), size);
  if (s->n->in[1]->shape.rank == 1) {
    Ref last = const_i64(e, y->shape.rank > 0 ? y->shape.d[y->shape.rank - 1] : 1);
    col = LLVMBuildURem(e->b, row, last, "");
    row = LLVMBuildUDiv(e->b, row, last, "");
  }
  store_lanes(e, plain_steps(e, s->n, x, row, col, e->lanes, valid), out, 0, valid, size);
}

static void build_tile(const Integers *s, const Panel *p, int rows, Ref row) {
  Emit *e = s->e;
  Ref acc[MOST_SUMS];
  const PanelColumns *c = s->items.now;
  Ref a = gep(e, matrix(s, 0, &s->m.p.a, s->items.batch), mul_i(e, row, s->m.p.a.row), 1);
  sum_tile(s, p, rows, a, acc);
  Ref first = add_i(e, mul_i(e, s->items.batch, s->m.p.rows), row);
  for (int r = 0; r < rows; r++) {
    Ref number = const_i64(e, r), za = zero_of_row(s, s->items.batch, add_i(e, row, number));
    for (int j = 0; j < c->vectors; j++) {
      Ref sum = add_zeros(s, p, j, acc[r * c->vectors + j], za, s->plan.zeros ? acc[rows * c->vectors + r] : NULL);
      store_vector(s, sum, add_i(e, first, number), add_i(e, s->items.col, const_i64(e, j * e->lanes)), panel_lanes(e, c, j));
    }
  }
}

/* ==== the loops ==== */

/* One chunk of a panel's tiles. */
static void build_chunk(Integers *s) {
  Emit *e = s->e;
  PanelItems *w = &s->items;
  bool packed = is_packed(s->n);
  int64_t columns = w->now->vectors * (int64_t)e->lanes;
  Panel p = {.head = packed ? gep(e, weights_ptr(e, s->n->plan->at.weights), w->col, integers_panel_bytes(&s->plan, s->m.p.inner, 1)) : scratch_ptr(e)};
  p.fours = gep_const(e, p.head, integers_head_bytes(&s->plan, columns));
  if (!packed) fill_panel(s, &p);
  for (int i = 0; i < 2; i++) {
    Loop l;
    Ref row;
    if (!panel_rows_begin(e, w, &l, i, &row)) continue;
    build_tile(s, &p, (int)w->tiles.size[i], row);
    loop_end(e, &l);
  }
}

void emit_integers(Emit *e, Node *n) {
  Integers s = {.e = e, .n = n, .plan = n->plan->panels, .m = integer_product(n), .dot = dot_of(e->t, n->plan->panels.small)};
  s.vec = vec_of(e->i32, e->lanes);
  s.bytes = 4 * e->lanes;
  s.items = panel_items(e, &s.m.p, &s.plan);
  for (int i = 0; i < 2; i++) {
    if (!panel_items_begin(e, &s.items, i)) continue;
    build_chunk(&s);
    panel_items_end(e, &s.items);
  }
}

void emit_integer_panels(Emit *e, Node *n) { emit_integers(e, n); }
