/* resample.c: results as weighted sums of a few elements along one axis or two, which tables name. On channel
 * blocks a vector of channels is one element, and what is read from the tables for a pixel serves several
 * blocks. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { FEW_TAPS = 4, MOST_BLOCKS = 4, FEW_REPEATS = 4, AXES = 2 };

/* One of the two axes; along one that is missing there is one element. */
typedef struct Line {
  int64_t in, out, taps, repeat;
  Ref index, weight;     /* NULL: none */
} Line;

typedef struct Resample {
  Emit *e;
  Node *n;
  const Value *x, *y;
  Type type;
  LLVMTypeRef elem;      /* of a vector or an element */
  int lanes;
  Line line[AXES];
} Resample;

static Line line_of(Emit *e, const Node *n, int i) {
  int axis = n->p.resample.axis[i];
  Line l = {.in = n->in[0]->shape.d[axis], .out = n->out[0]->shape.d[axis], .taps = resample_taps(n, i),
            .repeat = n->p.resample.repeat[i]};
  const Value *index = resample_index(n, i), *weight = resample_weight(n, i);
  if (index) l.index = value_ptr(e, index);
  if (weight) l.weight = value_ptr(e, weight);
  return l;
}

/* The element for tap t of index `at`; *outside gets whether there is none. */
static Ref tap_index(const Resample *r, const Line *l, Ref at, Ref t, Ref *outside) {
  Emit *e = r->e;
  if (!l->index) return l->repeat > 1 ? LLVMBuildUDiv(e->b, at, const_i64(e, l->repeat), "") : at;
  Ref p = gep(e, l->index, add_i(e, mul_i(e, at, l->taps), t), 4);
  Ref i = LLVMBuildSExt(e->b, load_invariant(e, e->i32, p, 0, 4), e->i64, "");
  if (!r->n->p.resample.outside) return i;
  Ref none = LLVMBuildICmp(e->b, LLVMIntSLT, i, const_i64(e, 0), "");
  *outside = *outside ? LLVMBuildOr(e->b, *outside, none, "") : none;
  return max_i(e, i, const_i64(e, 0));
}

static Ref tap_weight(const Resample *r, const Line *l, Ref at, Ref t) {
  Emit *e = r->e;
  if (!l->weight) return NULL;
  int size = (int)type_size(r->type);
  Ref p = gep(e, l->weight, add_i(e, mul_i(e, at, l->taps), t), size);
  return splat(e, load_invariant(e, llvm_type(e, r->type), p, 0, size), r->lanes);
}

/* acc + w x; acc NULL: nothing so far, w NULL: one. */
static Ref add_weighted(Emit *e, Ref acc, Ref w, Ref x) {
  if (!w) return x;
  return acc ? fma_(e, w, x, acc) : mul_f(e, w, x);
}

static Ref unless_outside(const Resample *r, Ref outside, Ref v) {
  Emit *e = r->e;
  if (!outside) return v;
  Ref value = LLVMBuildFPCast(e->b, const_f32(e, (double)r->n->p.beta), e->f64, "");
  value = math_cast(e, value, T_F64, r->type);
  return LLVMBuildSelect(e->b, outside, splat(e, value, r->lanes), v, "");
}

/* ==== channel blocks ==== */

typedef struct Blocked {
  const Resample *r;
  int blocks;            /* done together */
  Ref image, block, row; /* of the result; the first block */
  Ref dst;               /* the row */
  Ref src[FEW_TAPS], weight[FEW_TAPS]; /* of the rows that are read: their first pixel */
  int rows;
  Ref outside;           /* is the row? */
  Ref *arg;
} Blocked;

static Ref block_load(const Blocked *b, Ref p, int block) {
  Emit *e = b->r->e;
  return load(e, b->r->elem, p, place_offset(b->r->x, block, 0, 0), e->vec_bytes);
}

static void finish_pixel(const Blocked *b, Ref x, Ref outside, const Ref *acc) {
  const Resample *r = b->r;
  Emit *e = r->e;
  step_pointers(e, r->n, b->image, b->block, b->row, x, b->arg);
  Ref dst = place_from(e, b->dst, r->y, NULL, NULL, NULL, x);
  for (int k = 0; k < b->blocks; k++) {
    Ref v = unless_outside(r, outside, acc[k]);
    store(e, apply_steps(e, r->n, v, b->arg, k, 0, 0), dst, place_offset(r->y, k, 0, 0), e->vec_bytes);
  }
}

/* The weighted sum of the rows at column `col`, times w, is added to acc. */
static void add_column(const Blocked *b, Ref col, Ref w, Ref *acc) {
  Emit *e = b->r->e;
  Ref p[FEW_TAPS];
  for (int i = 0; i < b->rows; i++) p[i] = place_from(e, b->src[i], b->r->x, NULL, NULL, NULL, col);
  for (int k = 0; k < b->blocks; k++) {
    Ref sum = NULL;
    for (int i = 0; i < b->rows; i++) sum = add_weighted(e, sum, b->weight[i], block_load(b, p[i], k));
    acc[k] = add_weighted(e, acc[k], w, sum);
  }
}

static void build_pixel(const Blocked *b, Ref x) {
  const Resample *r = b->r;
  const Line *l = &r->line[1];
  Ref acc[MOST_BLOCKS] = {NULL}, outside = b->outside;
  for (int64_t t = 0; t < l->taps; t++) {
    Ref tap = const_i64(r->e, t), ignored = NULL, col = tap_index(r, l, x, tap, t ? &ignored : &outside);
    add_column(b, col, tap_weight(r, l, x, tap), acc);
  }
  finish_pixel(b, x, outside, acc);
}

/* Each pixel of the input gives several of the result beside each other. */
static void build_repeated(const Blocked *b) {
  const Resample *r = b->r;
  Emit *e = r->e;
  const Line *l = &r->line[1];
  Loop from, x;
  loop_begin(e, &from, const_i64(e, 0), const_i64(e, l->in), 1, 0, NULL);
  Ref acc[MOST_BLOCKS] = {NULL}, first = mul_i(e, from.i, l->repeat);
  add_column(b, from.i, NULL, acc);
  if (l->repeat <= FEW_REPEATS) {
    for (int64_t k = 0; k < l->repeat; k++)
      finish_pixel(b, add_i(e, first, const_i64(e, k)), b->outside, acc);
  } else {
    loop_begin(e, &x, const_i64(e, 0), const_i64(e, l->repeat), 1, 0, NULL);
    finish_pixel(b, add_i(e, first, x.i), b->outside, acc);
    loop_end(e, &x);
  }
  loop_end(e, &from);
}

static void build_pixels(const Blocked *b) {
  Emit *e = b->r->e;
  Loop x;
  loop_begin(e, &x, const_i64(e, 0), const_i64(e, b->r->line[1].out), 1, 0, NULL);
  build_pixel(b, x.i);
  loop_end(e, &x);
}

/* One axis of many taps: a loop over them for each pixel. */
static void build_long(const Blocked *b, const Line *l, bool along_rows, Ref src) {
  const Resample *r = b->r;
  Emit *e = r->e;
  Ref acc[MOST_BLOCKS], outside = NULL;
  Loop x, t;
  loop_begin(e, &x, const_i64(e, 0), const_i64(e, r->line[1].out), 1, 0, NULL);
  Ref at = along_rows ? b->row : x.i, zero = const_i64(e, 0);
  if (r->n->p.resample.outside) tap_index(r, l, at, zero, &outside);
  for (int k = 0; k < b->blocks; k++) acc[k] = LLVMConstNull(e->vec);
  loop_begin(e, &t, zero, const_i64(e, l->taps), 1, b->blocks, acc);
  Ref ignored = NULL, i = tap_index(r, l, at, t.i, &ignored), w = tap_weight(r, l, at, t.i);
  Ref p = place_from(e, src, r->x, NULL, NULL, along_rows ? i : b->row, along_rows ? x.i : i);
  for (int k = 0; k < b->blocks; k++) acc[k] = add_weighted(e, acc[k], w, block_load(b, p, k));
  loop_end(e, &t);
  finish_pixel(b, x.i, outside, acc);
  loop_end(e, &x);
}

static void build_row(Blocked *b, Ref src) {
  const Resample *r = b->r;
  const Line *rows = &r->line[0], *cols = &r->line[1];
  if (rows->taps > FEW_TAPS || cols->taps > FEW_TAPS) {
    build_long(b, rows->taps > FEW_TAPS ? rows : cols, rows->taps > FEW_TAPS, src);
    return;
  }
  b->rows = (int)rows->taps;
  b->outside = NULL;
  for (int i = 0; i < b->rows; i++) {
    Ref tap = const_i64(r->e, i), ignored = NULL;
    Ref row = tap_index(r, rows, b->row, tap, i ? &ignored : &b->outside);
    b->src[i] = place_from(r->e, src, r->x, NULL, NULL, row, NULL);
    b->weight[i] = tap_weight(r, rows, b->row, tap);
  }
  if (!cols->index && cols->repeat > 1) build_repeated(b);
  else build_pixels(b);
}

/* Items are rows of some blocks. */
static void build_blocked(Resample *r) {
  Emit *e = r->e;
  const int64_t *d = r->y->shape.d;
  int64_t count = (d[1] + r->lanes - 1) / r->lanes;
  Blocked b = {.r = r, .blocks = MOST_BLOCKS,
               .arg = alloc_n(e->g->cx, (size_t)r->n->n_step + 1, sizeof *b.arg)};
  while (count % b.blocks) b.blocks--;
  int64_t groups = count / b.blocks;
  Ref lo, hi;
  task_range(e, d[0] * d[2] * groups, &lo, &hi);
  emit_halo(e, r->y);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref row = LLVMBuildUDiv(e->b, item.i, const_i64(e, groups), ""), height = const_i64(e, d[2]);
  b.block = mul_i(e, LLVMBuildURem(e->b, item.i, const_i64(e, groups), ""), b.blocks);
  b.row = LLVMBuildURem(e->b, row, height, "");
  b.image = LLVMBuildUDiv(e->b, row, height, "");
  b.dst = place_at(e, r->y, b.image, b.block, b.row, NULL);
  build_row(&b, place_at(e, r->x, b.image, b.block, NULL, NULL));
  loop_end(e, &item);
}

/* ==== dense tensors: [outer, first axis, middle, second axis, rest, last]; without a first axis it has one
 * element ==== */

typedef struct Plain {
  const Resample *r;
  int64_t middle, rest, last; /* last: elements beside each other along an axis that is not resampled */
  Ref at[AXES];          /* the result's place along the axes */
  Ref row;               /* its index over all axes but the last; */
  Ref col;               /* along that */
  Ref src;               /* what lies before the first axis, and behind the second */
  int valid;
} Plain;

static Ref plain_load(const Plain *p, Ref at) {
  Emit *e = p->r->e;
  int size = (int)type_size(p->r->type);
  return load_lanes_of(e, p->r->elem, gep(e, p->src, at, size), 0, p->valid, size);
}

/* Elements from one index of an axis to the next. */
static int64_t step_of(const Plain *p, int axis) {
  int64_t inner = p->rest * p->last;
  return axis ? inner : inner * p->r->line[1].in * p->middle;
}

/* The weighted sum over the axes from k on. */
static Ref plain_sum(const Plain *p, int k, Ref at, Ref *outside) {
  const Resample *r = p->r;
  Emit *e = r->e;
  if (k == AXES) return plain_load(p, at);
  const Line *l = &r->line[k];
  Ref zero = const_i64(e, 0);
  if (!l->weight)
    return plain_sum(p, k + 1, add_i(e, at, mul_i(e, tap_index(r, l, p->at[k], zero, outside),
                                                  step_of(p, k))), outside);
  if (r->n->p.resample.outside) tap_index(r, l, p->at[k], zero, outside);
  Ref acc = LLVMConstNull(r->elem), ignored = NULL;
  if (k + 1 < AXES && r->n->p.resample.outside && r->line[k + 1].index)
    tap_index(r, &r->line[k + 1], p->at[k + 1], zero, outside);
  Loop t;
  loop_begin(e, &t, zero, const_i64(e, l->taps), 1, 1, &acc);
  Ref i = tap_index(r, l, p->at[k], t.i, &ignored), w = tap_weight(r, l, p->at[k], t.i);
  Ref unused = NULL;
  acc = add_weighted(e, acc, w, plain_sum(p, k + 1, add_i(e, at, mul_i(e, i, step_of(p, k))), &unused));
  loop_end(e, &t);
  return acc;
}

static void plain_element(const Plain *p, Ref dst) {
  const Resample *r = p->r;
  Emit *e = r->e;
  Ref outside = NULL, v = plain_sum(p, 0, const_i64(e, 0), &outside);
  int size = (int)type_size(r->y->type);
  v = plain_steps(e, r->n, unless_outside(r, outside, v), p->row, p->col, r->lanes, p->valid);
  store_lanes(e, v, dst, 0, p->valid, size);
}

/* The elements beside each other, a vector of them at a time where they are f32 and enough. */
static void plain_run(Plain p, Resample r, Ref src, Ref dst) {
  Emit *e = r.e;
  int size = (int)type_size(r.type), out = (int)type_size(r.y->type);
  bool vectors = r.type == T_F32 && r.y->type == T_F32 && p.last >= e->lanes;
  r.lanes = vectors ? e->lanes : 1;
  r.elem = vec_of(r.elem, r.lanes);
  p.r = &r;
  Ref first = p.col;
  for (int64_t from = 0; from < p.last;) {
    int64_t whole = from + (p.last - from) / r.lanes * r.lanes, to = whole > from ? whole : p.last;
    p.valid = (int)size_min(r.lanes, to - from);
    Loop i;
    loop_begin(e, &i, const_i64(e, from), const_i64(e, to), r.lanes, 0, NULL);
    p.src = gep(e, src, i.i, size);
    p.col = first ? first : i.i;
    plain_element(&p, gep(e, dst, i.i, out));
    loop_end(e, &i);
    from = to;
  }
}

/* All behind the second axis. */
static void plain_rest(Plain *p, Ref src, Ref dst) {
  const Resample *r = p->r;
  Emit *e = r->e;
  int64_t size = p->last * (int64_t)type_size(r->type), out = p->last * (int64_t)type_size(r->y->type);
  Ref row = p->row;
  Loop rest;
  loop_begin(e, &rest, const_i64(e, 0), const_i64(e, p->rest), 1, 0, NULL);
  if (!p->col) p->row = add_i(e, mul_i(e, row, p->rest), rest.i);
  plain_run(*p, *r, gep(e, src, rest.i, size), gep(e, dst, rest.i, out));
  loop_end(e, &rest);
  p->row = row;
}

static int64_t product(const Shape *s, int from, int to) {
  int64_t n = 1;
  for (int k = from; k < to; k++) n *= s->d[k];
  return n;
}

/* Items are all places before the second axis. */
static void build_plain(Resample *r) {
  Emit *e = r->e;
  const struct Resampling *s = &r->n->p.resample;
  const Shape *x = &r->x->shape;
  int first = s->axes == 2 ? s->axis[0] : 0, second = s->axis[s->axes - 1], rank = x->rank;
  bool at_end = second == rank - 1;
  Plain p = {.r = r, .middle = product(x, s->axes == 2 ? first + 1 : 0, second)};
  p.last = at_end ? 1 : x->d[rank - 1];
  p.rest = at_end ? 1 : product(x, second + 1, rank - 1);
  int64_t outer = s->axes == 2 ? product(x, 0, first) : 1, inner = p.rest * p.last;
  int64_t in_size = (int64_t)type_size(r->type);
  int64_t rows = outer * r->line[0].out * p.middle, plane = r->line[0].in * p.middle * r->line[1].in * inner;
  Ref lo, hi, src = value_ptr(e, r->x), dst = value_ptr(e, r->y);
  task_range(e, rows, &lo, &hi);
  Loop item, at;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref middle = const_i64(e, p.middle), above = LLVMBuildUDiv(e->b, item.i, middle, "");
  p.at[0] = LLVMBuildURem(e->b, above, const_i64(e, r->line[0].out), "");
  Ref from = gep(e, src, LLVMBuildUDiv(e->b, above, const_i64(e, r->line[0].out), ""), plane * in_size);
  from = gep(e, from, LLVMBuildURem(e->b, item.i, middle, ""), r->line[1].in * inner * in_size);
  loop_begin(e, &at, const_i64(e, 0), const_i64(e, r->line[1].out), 1, 0, NULL);
  p.at[1] = at.i;
  Ref place = add_i(e, mul_i(e, item.i, r->line[1].out), at.i);
  p.row = at_end ? item.i : place;
  p.col = at_end ? at.i : NULL;
  plain_rest(&p, from, gep(e, dst, place, inner * (int64_t)type_size(r->y->type)));
  loop_end(e, &at);
  loop_end(e, &item);
}

void emit_resample(Emit *e, Node *n) {
  const struct Resampling *s = &n->p.resample;
  Resample r = {.e = e, .n = n, .x = n->in[0], .y = n->out[0], .type = n->in[0]->type, .lanes = 1};
  Line single = {.in = 1, .out = 1, .taps = 1, .repeat = 1};
  if (r.y->layout.block) {
    const int64_t *in = r.x->shape.d;
    for (int k = 0; k < AXES; k++)
      r.line[k] = (Line){.in = in[2 + k], .out = in[2 + k], .taps = 1, .repeat = 1};
    for (int i = 0; i < s->axes; i++) r.line[s->axis[i] - 2] = line_of(e, n, i);
    r.lanes = r.x->layout.block;
    r.elem = vec_of(llvm_type(e, r.type), r.lanes);
    build_blocked(&r);
    return;
  }
  r.line[0] = s->axes == 2 ? line_of(e, n, 0) : single;
  r.line[1] = line_of(e, n, s->axes - 1);
  r.elem = llvm_type(e, r.type);
  build_plain(&r);
}
