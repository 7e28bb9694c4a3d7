/* pad.c: Pad by amounts that are known when the model is compiled. An axis is cut into segments that are copied as a
 * whole: what comes before the input, the input, what comes behind it; padding by the constant is a box at either side of
 * every axis. Where that would be too many copies (by wrap a segment is a period of the input), a loop over the rows of the
 * result finds every element's source while it runs. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { MAX_SEGMENTS = 8 /* of an axis */, MAX_COPIES = 32 };

/* Indices [at, at + n) of the result come from `from` on, in steps of `step`. */
typedef struct Segment { int64_t at, n, from; int step; } Segment;

typedef struct Padding {
  Emit *e;
  const Node *n;
  PadMode mode;
  const Axes *in, *out;
  int64_t before[MAX_RANK + 1], after[MAX_RANK + 1];
  Segment segment[MAX_RANK + 1][MAX_SEGMENTS];
  int count[MAX_RANK + 1];
  int size;                /* bytes an element */
  Ref src, dst;
} Padding;

/* ==== boxes of the constant ==== */

/* Memory that holds it. */
static Ref pad_value(Emit *e, const Node *n) {
  if (n->n_in > 2 && n->in[2]) return value_ptr(e, n->in[2]);
  LLVMTypeRef type = llvm_type(e, n->in[0]->type);
  Ref zero = LLVMBuildAlloca(e->b, type, "");
  LLVMBuildStore(e->b, LLVMConstNull(type), zero);
  return zero;
}

/* A box of the result: indices [lo, hi) of each axis. */
typedef struct Box { int64_t lo[MAX_RANK + 1], hi[MAX_RANK + 1]; } Box;

static void fill_box(const Padding *p, Ref value, const Box *box) {
  Copy c = {.src = value, .size = p->size, .rank = p->out->rank};
  int64_t to = 0;
  for (int k = 0; k < c.rank; k++) {
    c.axis[k] = (CopyAxis){box->hi[k] - box->lo[k], 0, p->out->stride[k]};
    to += box->lo[k] * p->out->stride[k];
  }
  c.dst = gep_const(p->e, p->dst, to * p->size);
  emit_copy(p->e, &c);
}

static void copy_box(const Padding *p, const Box *box) {
  Copy c = {.size = p->size, .rank = p->out->rank};
  int64_t from = 0, to = 0;
  for (int k = 0; k < c.rank; k++) {
    c.axis[k] = (CopyAxis){box->hi[k] - box->lo[k], p->in->stride[k], p->out->stride[k]};
    from += (box->lo[k] - p->before[k]) * p->in->stride[k];
    to += box->lo[k] * p->out->stride[k];
  }
  c.src = gep_const(p->e, p->src, from * p->size);
  c.dst = gep_const(p->e, p->dst, to * p->size);
  emit_copy(p->e, &c);
}

/* What an axis adds lies at both ends of it, inside along the axes before it, as long as the result along those behind. */
static void pad_by_constant(const Padding *p) {
  Ref value = pad_value(p->e, p->n);
  Box box = {{0}, {0}};
  for (int k = 0; k < p->out->rank; k++) box.hi[k] = p->out->n[k];
  for (int k = 0; k < p->out->rank; k++) {
    int64_t n = p->out->n[k], lo = size_clamp(p->before[k], 0, n), hi = size_clamp(p->before[k] + p->in->n[k], lo, n);
    box.hi[k] = lo;
    fill_box(p, value, &box);
    box.lo[k] = hi;
    box.hi[k] = n;
    fill_box(p, value, &box);
    box.lo[k] = lo;
    box.hi[k] = hi;
  }
  copy_box(p, &box);
}

/* ==== segments ==== */

/* The longest segment that begins at position x of an axis of d elements and ends before `end`; x < 0 and x >= d is padding. */
static Segment segment_at(PadMode mode, int64_t x, int64_t end, int64_t d) {
  int64_t part = x < 0 ? size_min(end, 0) - x : end - x, at = (x % d + d) % d;
  if (x >= 0 && x < d) return (Segment){.n = size_min(part, d - x), .from = x, .step = 1};
  if (mode == PAD_WRAP) return (Segment){.n = size_min(part, d - at), .from = at, .step = 1};
  if (mode == PAD_REFLECT) return (Segment){.n = part, .from = x < 0 ? -x : 2 * (d - 1) - x, .step = -1};
  return (Segment){.n = part, .from = x < 0 ? 0 : d - 1};
}

/* False: they are too many. */
static bool list_segments(Padding *p, int k) {
  int64_t d = p->in->n[k], x = -p->before[k], end = d + p->after[k];
  for (p->count[k] = 0; x < end; p->count[k]++) {
    if (p->count[k] == MAX_SEGMENTS) return false;
    Segment *s = &p->segment[k][p->count[k]];
    *s = segment_at(p->mode, x, end, d);
    s->at = x + p->before[k];
    x += s->n;
  }
  return true;
}

static bool list_all(Padding *p) {
  int copies = 1;
  for (int k = 0; k < p->out->rank; k++) {
    if (!list_segments(p, k)) return false;
    copies *= p->count[k];
    if (copies > MAX_COPIES) return false;
  }
  return true;
}

/* One copy for each combination of the axes' segments. */
static void copy_segments(const Padding *p, int k, Copy *c, int64_t at, int64_t to) {
  if (k == p->out->rank) {
    c->src = gep_const(p->e, p->src, at * c->size);
    c->dst = gep_const(p->e, p->dst, to * c->size);
    emit_copy(p->e, c);
    return;
  }
  for (int i = 0; i < p->count[k]; i++) {
    const Segment *s = &p->segment[k][i];
    c->axis[k] = (CopyAxis){s->n, s->step * p->in->stride[k], p->out->stride[k]};
    copy_segments(p, k + 1, c, at + s->from * p->in->stride[k], to + s->at * p->out->stride[k]);
  }
}

/* ==== rows whose elements are looked up ==== */

Ref pad_index(Emit *e, PadMode mode, Ref i, int64_t d) {
  Ref size = const_i64(e, d), zero = const_i64(e, 0);
  switch (mode) {
  case PAD_WRAP: return LLVMBuildSRem(e->b, add_i(e, LLVMBuildSRem(e->b, i, size, ""), size), size, "");
  case PAD_EDGE: return clamp_i(e, i, const_i64(e, d - 1));
  case PAD_REFLECT: break;
  default: return i;
  }
  i = choose(e, LLVMBuildICmp(e->b, LLVMIntSLT, i, zero, ""), LLVMBuildNeg(e->b, i, ""), i);
  Ref mirrored = LLVMBuildSub(e->b, const_i64(e, 2 * (d - 1)), i, "");
  return choose(e, LLVMBuildICmp(e->b, LLVMIntSGE, i, size, ""), mirrored, i);
}

/* The element of axis k from which index i of the result comes. */
static Ref source_index(const Padding *p, int k, Ref i) {
  return pad_index(p->e, p->mode, add_i(p->e, i, const_i64(p->e, -p->before[k])), p->in->n[k]);
}

/* Elements [lo, hi) of a row of the result at dst, whose source's axis begins at src. */
static void look_up(const Padding *p, int k, Ref src, Ref dst, int64_t lo, int64_t hi) {
  Emit *e = p->e;
  LLVMTypeRef type = llvm_type(e, p->n->in[0]->type);
  if (lo >= hi) return;
  Loop i;
  loop_begin(e, &i, const_i64(e, lo), const_i64(e, hi), 1, 0, NULL);
  Ref from = gep(e, src, source_index(p, k, i.i), p->in->stride[k] * p->size);
  store(e, load(e, type, from, 0, p->size), gep(e, dst, i.i, p->out->stride[k] * p->size), 0, p->size);
  loop_end(e, &i);
}

static void pad_row(const Padding *p, Ref src, Ref dst) {
  int k = p->out->rank - 1;
  int64_t n = p->out->n[k], lo = size_clamp(p->before[k], 0, n), hi = size_clamp(p->before[k] + p->in->n[k], lo, n);
  look_up(p, k, src, dst, 0, lo);
  if (lo < hi && p->in->stride[k] == 1 && p->out->stride[k] == 1) {
    Ref from = gep_const(p->e, src, (lo - p->before[k]) * p->size), to = gep_const(p->e, dst, lo * p->size);
    LLVMBuildMemCpy(p->e->b, to, (unsigned)p->size, from, (unsigned)p->size, const_i64(p->e, (hi - lo) * p->size));
  } else {
    look_up(p, k, src, dst, lo, hi);
  }
  look_up(p, k, src, dst, hi, n);
}

static void pad_rows(const Padding *p) {
  Emit *e = p->e;
  int64_t rows = 1;
  for (int k = 0; k < p->out->rank - 1; k++) rows *= p->out->n[k];
  Ref lo, hi;
  task_range(e, rows, &lo, &hi);
  Loop row;
  loop_begin(e, &row, lo, hi, 1, 0, NULL);
  Ref src = p->src, dst = p->dst, rest = row.i;
  for (int k = p->out->rank - 2; k >= 0; k--) {
    Ref n = const_i64(e, p->out->n[k]), i = LLVMBuildURem(e->b, rest, n, "");
    rest = LLVMBuildUDiv(e->b, rest, n, "");
    src = gep(e, src, source_index(p, k, i), p->in->stride[k] * p->size);
    dst = gep(e, dst, i, p->out->stride[k] * p->size);
  }
  pad_row(p, src, dst);
  loop_end(e, &row);
}

void emit_pad(Emit *e, Node *n, const Axes *in, const Axes *out) {
  const Value *x = n->in[0], *y = n->out[0];
  Padding p = {.e = e, .n = n, .mode = n->p.mode, .in = in, .out = out, .size = (int)type_size(x->type),
               .src = value_ptr(e, x), .dst = value_ptr(e, y)};
  pad_amounts(e->g, n, p.before, p.after);
  assert(in->rank == out->rank && (in->rank == x->shape.rank || (p.before[1] == 0 && p.after[1] == 0)));
  Copy c = {.size = p.size, .rank = out->rank};
  if (p.mode == PAD_CONSTANT) pad_by_constant(&p);
  else if (list_all(&p)) copy_segments(&p, 0, &c, 0, 0);
  else pad_rows(&p);
}
