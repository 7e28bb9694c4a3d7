/* product.c: matrix products. One register tile of rows x column vectors serves packed constants
 * (lower/product.c) and, with vectors of one lane, every other element type and single columns known at run time only. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { UNROLL = 4, AHEAD = 1024 /* bytes that a stream of weights is prefetched ahead, as measured */ };

typedef struct Product {
  Emit *e;
  Node *n;
  Type type;
  LLVMTypeRef elem;
  int size, lanes;               /* bytes an element, elements a vector */
  Type b_type;                   /* of B's elements in memory: packed ones may be of 16 bits */
  int b_size;
  int64_t batches, rows, cols, k;
  int64_t a_row, a_k, b_k, b_col; /* strides in elements; of a packed B those of a panel */
  Shape batch, a_batch, b_batch;
  int tile_rows, tile_vectors;
  int64_t narrow;                /* columns that are packed one by one, the last ones (narrow_columns) */
  bool packed, drops_cols;       /* drops_cols: B is a vector, the result has no column axis */
} Product;

/* ==== the operands ==== */

static Shape batch_of(const Shape *s) {
  Shape b = *s;
  b.rank = s->rank > 2 ? s->rank - 2 : 0;
  return b;
}

static void set_a(Product *p) {
  const Shape *s = &p->n->in[0]->shape;
  bool turned = p->n->p.trans_a;
  int64_t last = s->d[s->rank - 1], rows = s->rank > 1 ? s->d[s->rank - 2] : 1;
  p->k = turned ? rows : last;
  p->rows = turned ? last : rows;
  p->a_row = turned ? 1 : last;
  p->a_k = turned ? last : 1;
  p->a_batch = batch_of(s);
}

static void set_b(Product *p) {
  const Shape *s = &p->n->in[1]->shape;
  bool turned = p->n->p.trans_b;
  int64_t last = s->d[s->rank - 1];
  p->drops_cols = s->rank == 1;
  p->cols = p->drops_cols ? 1 : turned ? s->d[0] : last;
  p->b_k = turned || p->drops_cols ? 1 : last;
  p->b_col = turned ? last : 1;
  p->b_batch = batch_of(s);
}

/* All images of the batch are rows of one product where B has none. */
static void join_batches(Product *p) {
  bool fits = shape_broadcast(&p->a_batch, &p->b_batch, &p->batch);
  assert(fits);
  (void)fits;
  p->batches = shape_count(&p->batch);
  if (shape_count(&p->b_batch) != 1 || shape_count(&p->a_batch) != p->batches || p->n->op == OP_Gemm) return;
  p->rows *= p->batches;
  p->batches = 1;
  p->batch.rank = p->a_batch.rank = p->b_batch.rank = 0;
}

static int at_most(int n, int64_t limit) { return n < limit ? n : (int)limit; }

static Product product_of(Emit *e, Node *n) {
  Product p = {.e = e, .n = n, .type = n->in[0]->type};
  p.elem = llvm_type(e, p.type);
  p.size = (int)type_size(p.type);
  set_a(&p);
  set_b(&p);
  join_batches(&p);
  p.packed = is_packed(n);
  p.b_type = p.packed ? n->plan->weights : p.type;
  p.b_size = (int)type_size(p.b_type);
  if (p.packed) {
    p.b_col = 1;
    p.narrow = narrow_columns(e->t, n);
  }
  p.lanes = p.packed ? e->lanes : 1;
  p.tile_rows = p.packed ? n->plan->product.uw : at_most(2, p.rows);
  p.tile_vectors = p.packed ? n->plan->product.nb : at_most(2, (p.cols + p.lanes - 1) / p.lanes);
  return p;
}

/* ==== one tile ==== */

typedef struct ProductTile {
  Ref a, b;                      /* at its first row and its first column */
  int rows, vectors;
  int cols;                      /* fewer than vectors * lanes in the last tile of a row */
  bool stream;                   /* these weights are read once: fetch them early */
} ProductTile;

static int lanes_of(const Product *p, const ProductTile *t, int j) {
  return at_most(p->lanes, t->cols - j * p->lanes);
}

static Ref load_b(const Product *p, Ref b, int64_t k, int j) {
  Emit *e = p->e;
  int64_t at = (k * p->b_k + j * p->lanes * p->b_col) * p->b_size;
  if (!p->packed) return load(e, p->elem, b, at, p->size);
  LLVMTypeRef type = vec_of(llvm_type(e, p->b_type), e->lanes);
  return math_widen(e, load(e, type, b, at, p->b_k % e->lanes ? p->b_size : p->b_size * e->lanes), p->b_type);
}

static Ref multiply_add(const Product *p, Ref a, Ref b, Ref acc) {
  LLVMBuilderRef builder = p->e->b;
  if (p->type == T_F32) return fma_(p->e, a, b, acc);
  if (p->type == T_F64) return add_f(p->e, acc, mul_f(p->e, a, b));
  return LLVMBuildAdd(builder, acc, LLVMBuildMul(builder, a, b, ""), "");
}

/* One step along K, for element k behind a and b. */
static void step_k(const Product *p, const ProductTile *t, Ref a, Ref b, int64_t k, Ref *acc) {
  Ref column[16];
  for (int j = 0; j < t->vectors; j++) column[j] = load_b(p, b, k, j);
  for (int r = 0; r < t->rows; r++) {
    Ref x = load(p->e, p->elem, a, (r * p->a_row + k * p->a_k) * p->size, p->size);
    Ref row = splat(p->e, x, p->lanes);
    for (int j = 0; j < t->vectors; j++) {
      Ref *s = &acc[r * t->vectors + j];
      *s = multiply_add(p, row, column[j], *s);
    }
  }
}

static void prefetch_weights(const Product *p, Ref b) {
  for (int64_t at = 0; at < UNROLL * p->b_k * p->b_size; at += 64) prefetch(p->e, b, AHEAD + at, 1);
}

/* acc[row][vector] = A B over the tile. Small tiles sum in several sets, lest every FMA wait for the one
 * before it. */
static void sum_tile(const Product *p, const ProductTile *t, Ref *acc) {
  Emit *e = p->e;
  int n = t->rows * t->vectors, sets = n >= 6 ? 1 : n >= 3 ? 2 : 4;
  for (int i = 0; i < n * sets; i++) acc[i] = LLVMConstNull(vec_of(p->elem, p->lanes));
  int64_t whole = p->k / UNROLL * UNROLL;
  if (whole > 0) {
    Loop l;
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, whole), UNROLL, n * sets, acc);
    Ref a = gep(e, t->a, l.i, p->a_k * p->size), b = gep(e, t->b, l.i, p->b_k * p->b_size);
    if (t->stream) prefetch_weights(p, b);
    for (int k = 0; k < UNROLL; k++) step_k(p, t, a, b, k, acc + k % sets * n);
    loop_end(e, &l);
  }
  for (int64_t k = whole; k < p->k; k++) step_k(p, t, t->a, t->b, k, acc + k % sets * n);
  for (int i = n; i < n * sets; i++) {
    Ref *sum = &acc[i % n];
    *sum = type_is_float(p->type) ? add_f(e, *sum, acc[i]) : LLVMBuildAdd(e->b, *sum, acc[i], "");
  }
}

/* ==== a tile of narrow columns ==== */

/* Elements k and on of all rows and columns, `count` of them. */
static void step_narrow(const Product *p, const ProductTile *t, Ref a, Ref b, int64_t k, int count, Ref *acc) {
  Emit *e = p->e;
  LLVMTypeRef type = vec_of(llvm_type(e, p->b_type), e->lanes);
  Ref x[MAX_TILE];
  for (int r = 0; r < t->rows; r++) x[r] = load_lanes(e, a, (r * p->a_row + k) * F32_BYTES, count, F32_BYTES);
  for (int j = 0; j < t->cols; j++) {
    Ref w = load_lanes_of(e, type, b, (j * p->k + k) * p->b_size, count, p->b_size);
    w = math_widen(e, w, p->b_type);
    for (int r = 0; r < t->rows; r++) acc[r * t->cols + j] = fma_(e, x[r], w, acc[r * t->cols + j]);
  }
}

/* The tile's sums in the lanes of one vector, row by row: every lane adds up products of its own along K, as in several sets,
 * and in the end they are added in one order. */
static Ref sum_narrow(const Product *p, const ProductTile *t) {
  Emit *e = p->e;
  Ref acc[64];
  int n = t->rows * t->cols, sets = n >= 6 ? 1 : n >= 3 ? 2 : 4;
  int64_t vectors = p->k / e->lanes, whole = vectors / UNROLL * UNROLL;
  for (int i = 0; i < n * sets; i++) acc[i] = LLVMConstNull(e->vec);
  if (whole > 0) {
    Loop l;
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, whole), UNROLL, n * sets, acc);
    Ref a = gep(e, t->a, l.i, e->vec_bytes), b = gep(e, t->b, l.i, p->b_size * e->lanes);
    for (int k = 0; k < UNROLL; k++) step_narrow(p, t, a, b, k * e->lanes, e->lanes, acc + k % sets * n);
    loop_end(e, &l);
  }
  for (int64_t k = whole; k < vectors; k++) step_narrow(p, t, t->a, t->b, k * e->lanes, e->lanes, acc + k % sets * n);
  int left = (int)(p->k % e->lanes);
  if (left > 0) step_narrow(p, t, t->a, t->b, vectors * e->lanes, left, acc + vectors % sets * n);
  for (int i = n; i < n * sets; i++) acc[i % n] = add_f(e, acc[i % n], acc[i]);
  return sum_lanes(e, acc, n);
}

/* ==== the result ==== */

static Ref scale(const Product *p, Ref x, float by) {
  if (by == 1) return x;
  return mul_f(p->e, x, splat(p->e, LLVMConstReal(p->elem, by), p->lanes));
}

static Ref add_c(const Product *p, Ref x, Ref row, Ref col, int valid) {
  const Node *n = p->n;
  if (n->op != OP_Gemm || n->n_in < 3 || !n->in[2] || n->p.beta == 0) return x;
  Ref c = scale(p, plain_arg(p->e, n->in[2], &n->out[0]->shape, row, col, p->lanes, valid), n->p.beta);
  return add_f(p->e, x, c);
}

static void store_vector(const Product *p, Ref x, Ref row, Ref col, int valid) {
  Emit *e = p->e;
  const Value *y = p->n->out[0];
  if (p->n->op == OP_Gemm && !p->packed) x = scale(p, x, p->n->p.alpha);
  int size = (int)type_size(y->type);
  Ref out = gep(e, value_ptr(e, y), add_i(e, mul_i(e, row, p->cols), col), size);
  if (p->drops_cols) { /* the rows are the result's last axis */
    Ref last = const_i64(e, y->shape.rank > 0 ? y->shape.d[y->shape.rank - 1] : 1);
    col = LLVMBuildURem(e->b, row, last, "");
    row = LLVMBuildUDiv(e->b, row, last, "");
  }
  x = add_c(p, x, row, col, valid);
  x = plain_steps(e, p->n, x, row, col, p->lanes, valid);
  store_lanes(e, x, out, 0, valid, size);
}

static void store_tile(const Product *p, const ProductTile *t, Ref *acc, Ref row, Ref col) {
  for (int r = 0; r < t->rows; r++) {
    for (int j = 0; j < t->vectors; j++) {
      Ref y = add_i(p->e, row, const_i64(p->e, r)), x = add_i(p->e, col, const_i64(p->e, j * p->lanes));
      store_vector(p, acc[r * t->vectors + j], y, x, lanes_of(p, t, j));
    }
  }
}

static void store_narrow(const Product *p, const ProductTile *t, Ref sums, Ref row, Ref col) {
  Emit *e = p->e;
  for (int r = 0; r < t->rows; r++) {
    Ref lane[64];
    for (int l = 0; l < e->lanes; l++) lane[l] = const_i32(e, l < t->cols ? r * t->cols + l : 0);
    Ref mask = LLVMConstVector(lane, (unsigned)e->lanes);
    Ref x = LLVMBuildShuffleVector(e->b, sums, LLVMGetPoison(e->vec), mask, "");
    store_vector(p, x, add_i(e, row, const_i64(e, r)), col, t->cols);
  }
}

/* ==== the loops ==== */

/* Rows [row, row + rows) and columns [col, col + cols) of every product of the batch, in tiles that divide
 * them evenly. */
typedef struct Region {
  int64_t row, rows, col, cols;
  int tile_rows, tile_cols;
  bool narrow;
} Region;

static Ref operand(const Product *p, int i, const Shape *own, Ref batch, Ref offset) {
  const Value *v = p->n->in[i];
  int64_t matrix = i == 0 ? p->rows * p->k : p->k * p->cols;
  Ref at = add_i(p->e, mul_i(p->e, broadcast_index(p->e, own, &p->batch, batch), matrix), offset);
  return gep(p->e, value_ptr(p->e, v), at, p->size);
}

static void build_tile(const Product *p, const Region *g, Ref batch, Ref row, Ref col) {
  Emit *e = p->e;
  int vectors = (g->tile_cols + p->lanes - 1) / p->lanes;
  ProductTile t = {.rows = g->tile_rows, .vectors = vectors, .cols = g->tile_cols};
  t.stream = p->packed && g->tile_rows == p->rows && !g->narrow;
  t.a = operand(p, 0, &p->a_batch, batch, mul_i(e, row, p->a_row));
  if (p->packed) t.b = gep(e, weights_ptr(e, p->n->plan->at.weights), col, p->k * p->b_size);
  else t.b = operand(p, 1, &p->b_batch, batch, mul_i(e, col, p->b_col));
  Ref acc[64], first = add_i(e, mul_i(e, batch, p->rows), row);
  if (g->narrow) {
    store_narrow(p, &t, sum_narrow(p, &t), first, col);
    return;
  }
  sum_tile(p, &t, acc);
  store_tile(p, &t, acc, first, col);
}

static int64_t tiles_of(const Product *p, const Region *g) {
  return p->batches * (g->rows / g->tile_rows) * (g->cols / g->tile_cols);
}

/* Tiles [lo, hi) of the region. Rows run innermost, so that the columns of B stay in cache. */
static void build_region(Product *p, const Region *g, Ref lo, Ref hi) {
  Emit *e = p->e;
  int64_t row_tiles = g->rows / g->tile_rows, col_tiles = g->cols / g->tile_cols;
  bool cut = p->packed && packed_columns(p->cols, p->lanes) == p->cols; /* no padding */
  if (p->packed) p->b_k = cut ? g->tile_cols : (g->tile_cols + p->lanes - 1) / p->lanes * p->lanes;
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  Ref batch = const_i64(e, 0), row = LLVMBuildURem(e->b, l.i, const_i64(e, row_tiles), "");
  Ref col = LLVMBuildUDiv(e->b, l.i, const_i64(e, row_tiles), "");
  if (p->batches > 1) {
    batch = LLVMBuildUDiv(e->b, col, const_i64(e, col_tiles), "");
    col = LLVMBuildURem(e->b, col, const_i64(e, col_tiles), "");
  }
  row = add_i(e, mul_i(e, row, g->tile_rows), const_i64(e, g->row));
  col = add_i(e, mul_i(e, col, g->tile_cols), const_i64(e, g->col));
  build_tile(p, g, batch, row, col);
  loop_end(e, &l);
}

enum { MAX_REGIONS = 6 };

/* All rows of some columns: whole tiles, and what is left over below. */
static int regions_of_columns(const Product *p, Region r, int tile_rows, Region *g) {
  int64_t whole = p->rows / tile_rows * tile_rows, row[] = {0, whole}, rows[] = {whole, p->rows - whole};
  int n = 0;
  for (int i = 0; i < 2 && r.cols > 0; i++) {
    if (rows[i] == 0) continue;
    r.row = row[i];
    r.rows = rows[i];
    r.tile_rows = i ? (int)rows[i] : tile_rows;
    g[n++] = r;
  }
  return n;
}

/* Whole tiles, what is left over at the right, and narrow columns; returns how many regions there are. */
static int regions_of(const Product *p, Region *g) {
  int full_cols = p->tile_vectors * p->lanes, narrow = (int)p->narrow;
  int64_t wide = p->cols - narrow, cols = wide / full_cols * full_cols;
  int narrow_rows = narrow ? at_most(at_most(p->e->t->regs == 32 ? 6 : 4, p->lanes / narrow), p->rows) : 1;
  const Region whole = {.cols = cols, .tile_cols = full_cols};
  const Region rest = {.col = cols, .cols = wide - cols, .tile_cols = (int)(wide - cols)};
  const Region last = {.col = wide, .cols = narrow, .tile_cols = narrow, .narrow = true};
  int n = regions_of_columns(p, whole, p->tile_rows, g);
  n += regions_of_columns(p, rest, p->tile_rows, g + n);
  return n + regions_of_columns(p, last, narrow_rows, g + n);
}

/* The tiles of all regions are one list: tasks would otherwise all get the same share of each region, and the last one every
 * single tile that is left over. */
void emit_product(Emit *e, Node *n) {
  Product p = product_of(e, n);
  Region region[MAX_REGIONS];
  int count = regions_of(&p, region);
  int64_t all = 0, first = 0;
  for (int i = 0; i < count; i++) all += tiles_of(&p, &region[i]);
  Ref lo, hi;
  task_range(e, all, &lo, &hi);
  for (int i = 0; i < count; i++) {
    int64_t tiles = tiles_of(&p, &region[i]);
    Ref from, to;
    part_of_range(e, lo, hi, const_i64(e, first), const_i64(e, tiles), &from, &to);
    build_region(&p, &region[i], from, to);
    first += tiles;
  }
}
