/* reduce.c: softmax, means and argmax of dense row-major tensors. A line is what is reduced to one
 * element. Where its elements lie beside each other, a vector takes several of them; where they don't, a
 * vector takes several lines. */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== lines ==== */

typedef struct Line {
  Emit *e;
  Type type;           /* f32; others one element at a time */
  int lanes;
  bool beside;         /* the elements lie beside each other: vectors go along the line */
  int64_t n, stride;   /* elements of the line, and how far apart they are */
  int valid;           /* lines that exist of those in a vector */
  Ref src, dst;        /* the first element */
  bool log;            /* of softmax: its logarithm */
  Ref max, sum;
  bool wide;           /* sums are doubles */
} Line;

/* Takes `valid` lanes of the vector at index `at` of the line into acc. */
typedef Ref Visit(const Line *l, Ref at, int valid, Ref acc);

static Ref walk(const Line *l, Visit *visit, Ref acc) {
  int64_t step = l->beside ? l->lanes : 1, whole = l->n / step * step;
  Emit *e = l->e;
  Loop k;
  if (whole > 0) {
    loop_begin(e, &k, const_i64(e, 0), const_i64(e, whole), step, 1, &acc);
    acc = visit(l, mul_i(e, k.i, l->stride), l->valid, acc);
    loop_end(e, &k);
  }
  return whole < l->n ? visit(l, const_i64(e, whole * l->stride), (int)(l->n - whole), acc) : acc;
}

enum { CHUNK = 256 }; /* steps of a line that are summed in its own type */

/* Is what so many elements of lines sum up to kept in double? fp32 would lose what the last of many bring. */
static bool sums_in_double(const Line *l, int64_t elements) {
  return l->type == T_F32 && elements / (l->beside ? l->lanes : 1) > CHUNK;
}

static LLVMTypeRef doubles(const Line *l) { return vec_of(l->e->f64, l->lanes); }

static Ref add_to_double(const Line *l, Ref total, Ref part) {
  return add_f(l->e, total, LLVMBuildFPExt(l->e->b, part, doubles(l), ""));
}

/* `walk` for a sum, chunk by chunk: the total is in double. */
static Ref walk_chunks(const Line *l, Visit *visit, Ref total) {
  int64_t step = l->beside ? l->lanes : 1, whole = l->n / step * step;
  Emit *e = l->e;
  Ref zero = LLVMConstNull(vec_of(e->f32, l->lanes)), part = zero;
  Loop chunk, k;
  if (whole == 0) return add_to_double(l, total, visit(l, const_i64(e, 0), (int)l->n, zero));
  loop_begin(e, &chunk, const_i64(e, 0), const_i64(e, whole), CHUNK * step, 1, &total);
  Ref end = add_i(e, chunk.i, const_i64(e, CHUNK * step));
  end = min_i(e, end, const_i64(e, whole));
  loop_begin(e, &k, chunk.i, end, step, 1, &part);
  part = visit(l, mul_i(e, k.i, l->stride), l->valid, part);
  loop_end(e, &k);
  total = add_to_double(l, total, part);
  loop_end(e, &chunk);
  if (whole == l->n) return total;
  return add_to_double(l, total, visit(l, const_i64(e, whole * l->stride), (int)(l->n - whole), zero));
}

static Ref load_line(const Line *l, Ref at, int valid) {
  Emit *e = l->e;
  int size = (int)type_size(l->type);
  Ref p = gep(e, l->src, at, size);
  if (valid < l->lanes) return load_lanes(e, p, 0, valid, size);
  return load(e, vec_of(llvm_type(e, l->type), l->lanes), p, 0, size);
}

static void store_line(const Line *l, Ref v, Ref at, int valid) {
  Emit *e = l->e;
  int size = (int)type_size(l->type);
  Ref p = gep(e, l->dst, at, size);
  if (valid < l->lanes) store_lanes(e, v, p, 0, valid, size);
  else store(e, v, p, 0, size);
}

static Ref constant(const Line *l, double v) {
  return splat(l->e, LLVMConstReal(llvm_type(l->e, l->type), v), l->lanes);
}

/* v in the first `valid` lanes, `otherwise` in the rest. */
static Ref keep(const Line *l, Ref v, int valid, Ref otherwise) {
  if (valid >= l->lanes) return v;
  Ref index[64];
  for (int i = 0; i < l->lanes; i++) index[i] = const_i32(l->e, i < valid ? i : l->lanes + i);
  return LLVMBuildShuffleVector(l->e->b, v, otherwise, LLVMConstVector(index, (unsigned)l->lanes), "");
}

/* All lanes of acc into each of them, where they belong to one line. */
static Ref across(const Line *l, Ref acc, Ref (*op)(Emit *e, Ref a, Ref b)) {
  Emit *e = l->e;
  if (!l->beside) return acc;
  for (int w = l->lanes / 2; w > 0; w /= 2) {
    Ref index[64];
    for (int i = 0; i < l->lanes; i++) index[i] = const_i32(e, i ^ w);
    acc = op(e, acc, LLVMBuildShuffleVector(e->b, acc, acc, LLVMConstVector(index, (unsigned)l->lanes), ""));
  }
  return acc;
}

/* ==== lines among the tasks ==== */

/* Axes beside each other that are all reduced, or all kept. */
typedef struct Group {
  int64_t n, stride;
  bool reduced;
} Group;

typedef struct Reduction {
  Emit *e;
  const Node *n;
  Line line;                    /* of the innermost reduced group */
  int n_kept, n_more;
  Group kept[MAX_RANK];         /* but not the innermost of all: `inner` */
  Group more[MAX_RANK];         /* reduced groups around the line */
  int64_t outer, inner, count;  /* lines: outer * inner; elements reduced to one */
} Reduction;

static int find_groups(const Shape *s, const bool *reduced, Group *group) {
  int count = 0;
  int64_t stride = shape_count(s);
  for (int i = 0; i < s->rank; i++) {
    if (s->d[i] == 1) continue;
    stride /= s->d[i];
    if (count == 0 || group[count - 1].reduced != reduced[i]) group[count++] = (Group){1, 0, reduced[i]};
    group[count - 1].n *= s->d[i];
    group[count - 1].stride = stride;
  }
  return count;
}

static Reduction reduction_of(Emit *e, Node *n, const bool *reduced) {
  const Value *x = n->in[0];
  Reduction r = {.e = e, .n = n, .outer = 1, .inner = 1, .count = 1};
  r.line = (Line){.e = e, .type = x->type, .lanes = x->type == T_F32 ? e->lanes : 1, .n = 1};
  Group group[MAX_RANK];
  int groups = find_groups(&x->shape, reduced, group);
  if (groups > 0 && group[groups - 1].reduced) r.line.beside = true;
  else if (groups > 0) r.inner = group[--groups].n;
  for (int i = 0; i < groups; i++) {
    if (group[i].reduced) r.more[r.n_more++] = group[i], r.count *= group[i].n;
    else r.kept[r.n_kept++] = group[i], r.outer *= group[i].n;
  }
  if (r.n_more > 0) {
    Group last = r.more[--r.n_more];
    r.line.n = last.n;
    r.line.stride = last.stride;
  }
  return r;
}

/* The source's index of line number `i` of the outer ones. */
static Ref line_start(const Reduction *r, Ref i) {
  Emit *e = r->e;
  Ref at = const_i64(e, 0);
  for (int k = r->n_kept - 1; k >= 0; k--) {
    Ref n = const_i64(e, r->kept[k].n), own = k > 0 ? LLVMBuildURem(e->b, i, n, "") : i;
    at = add_i(e, at, mul_i(e, own, r->kept[k].stride));
    i = LLVMBuildUDiv(e->b, i, n, "");
  }
  return at;
}

typedef void Body(Reduction *r);

/* The body for the `valid` lines from number `j` of the inner ones on. */
static void line_at(Reduction *r, Ref i, Ref j, int valid, Body *body) {
  Emit *e = r->e;
  const Value *x = r->n->in[0], *y = r->n->out[0];
  Ref from = add_i(e, line_start(r, i), j), to = from;
  if (r->n->op == OP_ReduceMean || r->n->op == OP_ArgMax) to = add_i(e, mul_i(e, i, r->inner), j);
  r->line.src = gep(e, value_ptr(e, x), from, (int64_t)type_size(x->type));
  r->line.dst = gep(e, value_ptr(e, y), to, (int64_t)type_size(y->type));
  r->line.valid = valid;
  body(r);
}

static void each_line(Reduction *r, Body *body) {
  Emit *e = r->e;
  int lanes = r->line.beside ? 1 : r->line.lanes, rest = (int)(r->inner % lanes);
  int64_t whole = r->inner / lanes, vectors = whole + (rest > 0);
  Ref lo, hi;
  work_range(e, r->outer * vectors, shape_count(&r->n->in[0]->shape), &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref i = item.i, j = const_i64(e, 0);
  if (vectors > 1) {
    i = LLVMBuildUDiv(e->b, item.i, const_i64(e, vectors), "");
    j = LLVMBuildURem(e->b, item.i, const_i64(e, vectors), "");
  }
  Ref is_whole = LLVMBuildICmp(e->b, LLVMIntSLT, j, const_i64(e, whole), ""), first = mul_i(e, j, lanes);
  If part;
  if (whole > 0 && rest > 0) if_begin(e, &part, is_whole);
  if (whole > 0) line_at(r, i, first, r->line.lanes, body);
  if (whole > 0 && rest > 0) {
    if_end(e, &part);
    if_begin(e, &part, LLVMBuildNot(e->b, is_whole, ""));
  }
  if (rest > 0) line_at(r, i, first, rest, body);
  if (whole > 0 && rest > 0) if_end(e, &part);
  loop_end(e, &item);
}

/* ==== softmax ==== */

static const double minus_infinity = -1 / 0.0;

static Ref visit_max(const Line *l, Ref at, int valid, Ref acc) {
  return fmax_(l->e, keep(l, load_line(l, at, valid), valid, acc), acc);
}

static Ref visit_exp(const Line *l, Ref at, int valid, Ref acc) {
  Emit *e = l->e;
  Ref y = math_exp(e, LLVMBuildFSub(e->b, load_line(l, at, valid), l->max, ""));
  if (!l->log) store_line(l, y, at, valid);
  return add_f(e, acc, keep(l, y, valid, constant(l, 0)));
}

static Ref visit_divide(const Line *l, Ref at, int valid, Ref acc) {
  Line written = *l;
  written.src = l->dst;
  store_line(l, LLVMBuildFDiv(l->e->b, load_line(&written, at, valid), l->sum, ""), at, valid);
  return acc;
}

static Ref visit_log(const Line *l, Ref at, int valid, Ref acc) {
  LLVMBuilderRef b = l->e->b;
  Ref v = LLVMBuildFSub(b, load_line(l, at, valid), l->max, "");
  store_line(l, LLVMBuildFSub(b, v, l->sum, ""), at, valid);
  return acc;
}

/* The largest element is taken off first: that changes nothing but the range of exp. */
static void softmax_line(Reduction *r) {
  Line *l = &r->line;
  Ref zero = constant(l, 0);
  l->log = r->n->op == OP_LogSoftmax;
  l->max = across(l, walk(l, visit_max, constant(l, minus_infinity)), fmax_);
  if (sums_in_double(l, l->n)) {
    Ref sum = walk_chunks(l, visit_exp, LLVMConstNull(doubles(l)));
    l->sum = across(l, LLVMBuildFPTrunc(l->e->b, sum, LLVMTypeOf(zero), ""), add_f);
  } else {
    l->sum = across(l, walk(l, visit_exp, zero), add_f);
  }
  if (l->log) l->sum = math_log(l->e, l->sum);
  walk(l, l->log ? visit_log : visit_divide, zero);
}

/* ==== means ==== */

static Ref visit_sum(const Line *l, Ref at, int valid, Ref acc) {
  return add_f(l->e, acc, load_line(l, at, valid));
}

/* The lines of all reduced groups that surround them. */
static Ref sum_lines(const Line *l, const Group *group, int n, Ref acc) {
  if (n == 0) return l->wide ? walk_chunks(l, visit_sum, acc) : walk(l, visit_sum, acc);
  Emit *e = l->e;
  Line part = *l;
  Loop k;
  loop_begin(e, &k, const_i64(e, 0), const_i64(e, group->n), 1, 1, &acc);
  part.src = gep(e, l->src, k.i, group->stride * (int64_t)type_size(l->type));
  acc = sum_lines(&part, group + 1, n - 1, acc);
  loop_end(e, &k);
  return acc;
}

static void mean_line(Reduction *r) {
  Line *l = &r->line;
  Emit *e = l->e;
  l->wide = sums_in_double(l, r->count);
  Ref sum = sum_lines(l, r->more, r->n_more, l->wide ? LLVMConstNull(doubles(l)) : constant(l, 0));
  if (l->wide) sum = LLVMBuildFPTrunc(e->b, sum, vec_of(e->f32, l->lanes), "");
  sum = across(l, sum, add_f);
  Ref mean = LLVMBuildFDiv(e->b, sum, constant(l, (double)r->count), "");
  if (l->beside && l->lanes > 1) mean = LLVMBuildExtractElement(e->b, mean, const_i32(e, 0), "");
  if (l->beside) store(e, mean, l->dst, 0, (int)type_size(l->type));
  else store_line(l, mean, const_i64(e, 0), l->valid);
}

/* Means of nothing, which are NaN. */
static void store_nans(Emit *e, const Value *y) {
  LLVMTypeRef type = llvm_type(e, y->type);
  Ref lo, hi;
  work_range(e, shape_count(&y->shape), shape_count(&y->shape), &lo, &hi);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  int size = (int)type_size(y->type);
  store(e, LLVMConstRealOfString(type, "nan"), gep(e, value_ptr(e, y), l.i, size), 0, size);
  loop_end(e, &l);
}

/* ==== argmax ==== */

static void store_indices(const Line *l, Ref best) {
  Emit *e = l->e;
  for (int i = 0; i < l->valid; i++) {
    Ref one = l->lanes == 1 ? best : LLVMBuildExtractElement(e->b, best, const_i32(e, i), "");
    store(e, one, l->dst, 8 * i, 8);
  }
}

static void argmax_line(Reduction *r) {
  const Line *l = &r->line;
  Emit *e = l->e;
  Ref zero = const_i64(e, 0), best[] = {load_line(l, zero, l->valid), splat(e, zero, l->lanes)};
  Loop k;
  loop_begin(e, &k, const_i64(e, 1), const_i64(e, l->n), 1, 2, best);
  Ref v = load_line(l, mul_i(e, k.i, l->stride), l->valid);
  Ref better = r->n->p.last ? LLVMBuildNot(e->b, math_beats(e, l->type, best[0], v), "")
                    : math_beats(e, l->type, v, best[0]);
  best[0] = choose(e, better, v, best[0]);
  best[1] = choose(e, better, splat(e, k.i, l->lanes), best[1]);
  loop_end(e, &k);
  store_indices(l, best[1]);
}

/* ==== nodes ==== */

void emit_reduce(Emit *e, Node *n) {
  bool reduced[MAX_RANK] = {0};
  if (shape_count(&n->in[0]->shape) == 0) {
    assert(n->op == OP_ReduceMean);
    store_nans(e, n->out[0]);
    return;
  }
  unsigned axes = n->op == OP_ReduceMean ? n->p.axes : 1u << n->p.axis;
  for (int i = 0; i < MAX_RANK; i++) reduced[i] = axes >> i & 1;
  Reduction r = reduction_of(e, n, reduced);
  switch (n->op) {
  case OP_ReduceMean: each_line(&r, mean_line); break;
  case OP_ArgMax:
    if (r.line.beside) r.line.lanes = 1;
    each_line(&r, argmax_line);
    break;
  case OP_Softmax: case OP_LogSoftmax: each_line(&r, softmax_line); break;
  default: fail_at(e->g, n, "there is no code for this reduction");
  }
}
