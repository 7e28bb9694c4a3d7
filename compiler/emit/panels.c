/* panels.c: matrix products whose right-hand matrix is known at run time only. For each panel of columns,
 * tiles of rows x column vectors stay in registers; a panel that many tiles read is first put into scratch,
 * as constant weights are packed while compiling, from columns or rows with any strides. The left-hand matrix
 * is read element by element where it lies. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { UNROLL = 4, MOST_SUMS = 64 };

typedef struct Panels {
  Emit *e;
  Node *n;
  PanelsPlan plan;
  Products p;
  PanelItems items;
} Panels;

/* The current item's panel: where it is read from, and how far its rows lie apart. */
typedef struct Panel {
  Ref b;
  int64_t step;
} Panel;

static Ref matrix(const Panels *s, int input, const Matrices *m, Ref batch) {
  Ref at = add_i(s->e, strided_index(s->e, &s->p.batch, m->batch, batch), const_i64(s->e, m->at));
  return gep(s->e, value_ptr(s->e, s->n->in[input]), at, F32_BYTES);
}

/* ==== panels in scratch ==== */

static void clear_last_vectors(const Panels *s, const PanelColumns *c, Ref to) {
  Emit *e = s->e;
  int row = c->vectors * e->vec_bytes;
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), const_i64(e, s->p.inner), 1, 0, NULL);
  store(e, LLVMConstNull(e->vec), gep(e, to, l.i, row), row - e->vec_bytes, e->vec_bytes);
  loop_end(e, &l);
}

/* Lanes without a column are 0: whatever lay there, denormals at worst, would take part in products. */
static void fill_panel(const Panels *s, const PanelColumns *c, Ref from, Ref to) {
  const Matrices *b = &s->p.b;
  int64_t row = c->vectors * s->e->lanes;
  if (c->cols < row) clear_last_vectors(s, c, to);
  Copy copy = {.src = from, .dst = to, .size = F32_BYTES, .rank = 2, .unshared = true};
  copy.axis[0] = (CopyAxis){s->p.inner, b->row, row};
  copy.axis[1] = (CopyAxis){c->cols, b->col, 1};
  emit_copy(s->e, &copy);
}

/* ==== one tile ==== */

static Ref load_column(const Panels *s, const Panel *p, Ref b, int64_t k, int j) {
  Emit *e = s->e;
  int64_t at = (k * p->step + j * e->lanes) * F32_BYTES;
  if (!s->plan.direct) return load(e, e->vec, b, at, e->vec_bytes);
  return load_lanes(e, b, at, panel_lanes(e, s->items.now, j), F32_BYTES);
}

static void step_k(const Panels *s, const Panel *p, int rows, Ref a, Ref b, int64_t k, Ref *acc) {
  Emit *e = s->e;
  Ref column[MAX_ACC];
  int vectors = s->items.now->vectors;
  for (int j = 0; j < vectors; j++) column[j] = load_column(s, p, b, k, j);
  for (int r = 0; r < rows; r++) {
    Ref x = splat(e, load(e, e->f32, a, (r * s->p.a.row + k * s->p.a.col) * F32_BYTES, F32_BYTES), e->lanes);
    for (int j = 0; j < vectors; j++) acc[r * vectors + j] = fma_(e, x, column[j], acc[r * vectors + j]);
  }
  end_step(e);
}

/* acc[row][vector] = A B. Small tiles sum in several sets, lest every FMA wait for the one before it. */
static void sum_tile(const Panels *s, const Panel *p, int rows, Ref a, Ref *acc) {
  Emit *e = s->e;
  int n = rows * s->items.now->vectors, sets = n >= 6 ? 1 : n >= 3 ? 2 : 4;
  for (int i = 0; i < n * sets; i++) acc[i] = LLVMConstNull(e->vec);
  int64_t whole = s->p.inner / UNROLL * UNROLL;
  if (whole > 0) {
    Loop l;
    loop_begin(e, &l, const_i64(e, 0), const_i64(e, whole), UNROLL, n * sets, acc);
    Ref x = gep(e, a, l.i, s->p.a.col * F32_BYTES), y = gep(e, p->b, l.i, p->step * F32_BYTES);
    for (int k = 0; k < UNROLL; k++) step_k(s, p, rows, x, y, k, acc + k % sets * n);
    loop_end(e, &l);
  }
  for (int64_t k = whole; k < s->p.inner; k++) step_k(s, p, rows, a, p->b, k, acc + k % sets * n);
  for (int i = n; i < n * sets; i++) acc[i % n] = add_f(e, acc[i % n], acc[i]);
}

static Ref scale(const Panels *s, Ref x, float by) {
  return by == 1 ? x : mul_f(s->e, x, splat_const(s->e, by));
}

static Ref add_c(const Panels *s, Ref x, Ref row, Ref col, int valid) {
  const Node *n = s->n;
  if (n->op != OP_Gemm || n->n_in < 3 || !n->in[2] || n->p.beta == 0) return x;
  Ref c = plain_arg(s->e, n->in[2], &n->out[0]->shape, row, col, s->e->lanes, valid);
  return add_f(s->e, x, scale(s, c, n->p.beta));
}

/* `row` counts the rows of the whole result. */
static void store_vector(const Panels *s, Ref x, Ref row, Ref col, int valid) {
  Emit *e = s->e;
  const Value *y = s->n->out[0];
  int size = (int)type_size(y->type);
  Ref out = gep(e, value_ptr(e, y), add_i(e, mul_i(e, row, s->p.cols), col), size);
  if (s->n->op != OP_MatMul) x = scale(s, x, s->n->p.alpha);
  x = add_c(s, x, row, col, valid);
  x = plain_steps(e, s->n, x, row, col, e->lanes, valid);
  store_lanes(e, x, out, 0, valid, size);
}

static void build_tile(const Panels *s, const Panel *p, int rows, Ref row) {
  Emit *e = s->e;
  Ref acc[MOST_SUMS];
  const PanelColumns *c = s->items.now;
  Ref a = gep(e, matrix(s, 0, &s->p.a, s->items.batch), mul_i(e, row, s->p.a.row), F32_BYTES);
  sum_tile(s, p, rows, a, acc);
  int64_t step = s->p.y.row / s->p.cols, lead[MAX_RANK]; /* rows of the whole result */
  for (int k = 0; k < s->p.batch.rank; k++) lead[k] = s->p.y.batch[k] / s->p.cols;
  Ref first = add_i(e, strided_index(e, &s->p.batch, lead, s->items.batch), mul_i(e, row, step));
  for (int r = 0; r < rows; r++) {
    for (int j = 0; j < c->vectors; j++) {
      Ref col = add_i(e, s->items.col, const_i64(e, j * e->lanes));
      store_vector(s, acc[r * c->vectors + j], add_i(e, first, const_i64(e, r * step)), col,
                   panel_lanes(e, c, j));
    }
  }
}

/* ==== the loops ==== */

/* One chunk of a panel's tiles. */
static void build_chunk(Panels *s) {
  Emit *e = s->e;
  PanelItems *w = &s->items;
  Ref b = gep(e, matrix(s, 1, &s->p.b, w->batch), mul_i(e, w->col, s->p.b.col), F32_BYTES);
  Panel p = {.b = s->plan.direct ? b : scratch_ptr(e), .step = s->plan.direct ? s->p.b.row : w->now->vectors * e->lanes};
  if (!s->plan.direct) fill_panel(s, w->now, b, p.b);
  for (int i = 0; i < 2; i++) {
    Loop l;
    Ref row;
    if (!panel_rows_begin(e, w, &l, i, &row)) continue;
    build_tile(s, &p, (int)w->tiles.size[i], row);
    loop_end(e, &l);
  }
}

void emit_panels(Emit *e, Node *n) {
  Panels s = {.e = e, .n = n, .plan = n->plan->panels, .p = products_of(n)};
  s.items = panel_items(e, &s.p, &s.plan);
  for (int i = 0; i < 2; i++) {
    if (!panel_items_begin(e, &s.items, i)) continue;
    build_chunk(&s);
    panel_items_end(e, &s.items);
  }
}
