/* line.c: the lines along which operators reduce and normalise. */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== elements ==== */

Ref line_load(const AxisLine *l, Ref at, int valid) {
  Emit *e = l->e;
  int size = (int)type_size(l->type);
  return load_lanes_of(e, vec_of(llvm_type(e, l->type), l->lanes), gep(e, l->src, at, size), 0, valid, size);
}

void line_store(const AxisLine *l, Ref v, Ref at, int valid) {
  Emit *e = l->e;
  int size = (int)type_size(l->type);
  store_lanes(e, v, gep(e, l->dst, at, size), 0, valid, size);
}

Ref line_constant(const AxisLine *l, double v) {
  return splat(l->e, LLVMConstReal(llvm_type(l->e, l->type), v), l->lanes);
}

/* ==== along a line ==== */

/* So many elements further along the line the accumulators take the next. */
static int64_t step_of(const AxisLine *l) { return l->beside ? (int64_t)l->lanes * l->sums : 1; }

/* One step, from index `at` on. */
static void visit_step(const AxisLine *l, LineVisit *visit, const void *data, Ref at, Ref *acc) {
  for (int k = 0; k < l->sums; k++) {
    int valid = k == l->sums - 1 ? l->valid : l->lanes;
    Ref own = add_i(l->e, at, const_i64(l->e, (int64_t)k * l->lanes));
    Ref v = visit(l, data, own, k, valid, acc ? acc[k] : NULL);
    if (acc) acc[k] = v;
  }
}

static void visit_steps(const AxisLine *l, LineVisit *visit, const void *data, Ref lo, Ref hi, Ref *acc) {
  Loop k;
  loop_begin(l->e, &k, lo, hi, step_of(l), acc ? l->sums : 0, acc);
  visit_step(l, visit, data, mul_i(l->e, k.i, l->stride), acc);
  loop_end(l->e, &k);
}

/* Elements past the last whole step. */
static void visit_rest(const AxisLine *l, LineVisit *visit, const void *data, Ref *acc) {
  int k = 0;
  for (int64_t at = l->n / step_of(l) * step_of(l); at < l->n; at += l->lanes, k++) {
    Ref v = visit(l, data, const_i64(l->e, at), k, (int)size_min(l->n - at, l->lanes), acc ? acc[k] : NULL);
    if (acc) acc[k] = v;
  }
}

void walk_line(const AxisLine *l, LineVisit *visit, const void *data, Ref *acc) {
  Emit *e = l->e;
  if (l->n_more > 0) {
    AxisLine part = *l;
    Loop k;
    part.more++;
    part.n_more--;
    loop_begin(e, &k, const_i64(e, 0), const_i64(e, l->more->n), 1, acc ? l->sums : 0, acc);
    part.src = gep(e, l->src, k.i, l->more->stride * (int64_t)type_size(l->type));
    walk_line(&part, visit, data, acc);
    loop_end(e, &k);
    return;
  }
  int64_t whole = l->n / step_of(l) * step_of(l);
  if (whole > 0) visit_steps(l, visit, data, const_i64(e, 0), const_i64(e, whole), acc);
  visit_rest(l, visit, data, acc);
}

/* ==== sums of many ==== */

enum { CHUNK = 256 }; /* steps of a line that are summed in its own type */

static void add_to_doubles(const AxisLine *l, Ref *total, const Ref *part) {
  Emit *e = l->e;
  for (int k = 0; k < l->sums; k++) total[k] = add_f(e, total[k], widened(e, part[k]));
}

static void start_at_zero(const AxisLine *l, LLVMTypeRef type, Ref *acc) {
  for (int k = 0; k < l->sums; k++) acc[k] = LLVMConstNull(vec_of(type, l->lanes));
}

/* walk_line, chunk by chunk, with totals in double. */
static void walk_chunks(const AxisLine *l, LineVisit *visit, const void *data, Ref *total) {
  Emit *e = l->e;
  int64_t step = step_of(l), whole = l->n / step * step;
  Ref part[MAX_SUMS];
  Loop k;
  if (l->n_more > 0) {
    AxisLine inside = *l;
    inside.more++;
    inside.n_more--;
    loop_begin(e, &k, const_i64(e, 0), const_i64(e, l->more->n), 1, l->sums, total);
    inside.src = gep(e, l->src, k.i, l->more->stride * (int64_t)type_size(l->type));
    walk_chunks(&inside, visit, data, total);
    loop_end(e, &k);
    return;
  }
  if (whole > 0) {
    loop_begin(e, &k, const_i64(e, 0), const_i64(e, whole), CHUNK * step, l->sums, total);
    Ref end = min_i(e, add_i(e, k.i, const_i64(e, CHUNK * step)), const_i64(e, whole));
    start_at_zero(l, e->f32, part);
    visit_steps(l, visit, data, k.i, end, part);
    add_to_doubles(l, total, part);
    loop_end(e, &k);
  }
  if (whole == l->n) return;
  start_at_zero(l, e->f32, part);
  visit_rest(l, visit, data, part);
  add_to_doubles(l, total, part);
}

void walk_sums(const AxisLine *l, LineVisit *visit, const void *data, int64_t elements, Ref *acc) {
  bool many = l->type == T_F32 && elements / step_of(l) > CHUNK;
  if (!many) {
    walk_line(l, visit, data, acc);
    return;
  }
  Ref total[MAX_SUMS];
  start_at_zero(l, l->e->f64, total);
  walk_chunks(l, visit, data, total);
  for (int k = 0; k < l->sums; k++) acc[k] = narrowed(l->e, total[k]);
}

/* ==== lines among the tasks ==== */

static int find_groups(const Shape *s, unsigned axes, LineGroup *group) {
  int count = 0;
  int64_t stride = shape_count(s);
  for (int i = 0; i < s->rank; i++) {
    bool along = axes >> i & 1;
    if (s->d[i] == 1) continue;
    stride /= s->d[i];
    if (count == 0 || group[count - 1].along != along) group[count++] = (LineGroup){1, 0, along};
    group[count - 1].n *= s->d[i];
    group[count - 1].stride = stride;
  }
  return count;
}

AxisLines lines_along(Emit *e, Node *n, unsigned axes, int vectors) {
  const Value *x = n->in[0];
  AxisLines w = {.e = e, .n = n, .outer = 1, .inner = 1, .count = 1};
  AxisLine *l = &w.line;
  *l = (AxisLine){.e = e, .type = x->type, .lanes = x->type == T_F32 ? e->lanes : 1, .n = 1};
  LineGroup group[MAX_RANK];
  int groups = find_groups(&x->shape, axes, group);
  if (groups > 0 && group[groups - 1].along) l->beside = true;
  else if (groups > 0) w.inner = group[--groups].n;
  for (int i = 0; i < groups; i++) {
    if (group[i].along) w.more[l->n_more++] = group[i], w.count *= group[i].n;
    else w.kept[w.n_kept++] = group[i], w.outer *= group[i].n;
  }
  if (l->n_more > 0) {
    LineGroup last = w.more[--l->n_more];
    l->n = last.n;
    l->stride = last.stride;
  }
  int64_t of_line = l->n / l->lanes, beside = size_ceiling(w.inner, l->lanes);
  l->sums = (int)size_clamp(l->beside ? of_line : beside, 1, vectors);
  l->valid = l->lanes;
  return w;
}

AxisLines lines_by_element(Emit *e, Node *n) {
  AxisLines w = lines_along(e, n, 1u << n->p.axis, 1);
  if (w.line.beside) w.line.lanes = w.line.valid = 1;
  return w;
}

Ref outer_start(Emit *e, const LineGroup *group, int n, Ref i) {
  Ref at = const_i64(e, 0);
  for (int k = n - 1; k >= 0; k--) {
    Ref count = const_i64(e, group[k].n), own = k > 0 ? LLVMBuildURem(e->b, i, count, "") : i;
    at = add_i(e, at, mul_i(e, own, group[k].stride));
    i = LLVMBuildUDiv(e->b, i, count, "");
  }
  return at;
}

/* The body for `lines` lines from number `j` of the inner ones on. */
static void lines_at(const AxisLines *all, Ref i, Ref j, int lines, void (*body)(AxisLines *w)) {
  AxisLines w = *all;
  Emit *e = w.e;
  const Value *x = w.n->in[0], *y = w.n->out[0];
  Ref from = add_i(e, outer_start(e, w.kept, w.n_kept, i), j);
  Ref to = w.reduces ? add_i(e, mul_i(e, i, w.inner), j) : from;
  w.line.more = w.more;
  w.line.src = gep(e, value_ptr(e, x), from, (int64_t)type_size(x->type));
  w.line.dst = gep(e, value_ptr(e, y), to, (int64_t)type_size(y->type));
  if (!w.line.beside) {
    w.line.sums = (int)size_ceiling(lines, w.line.lanes);
    w.line.valid = lines - (w.line.sums - 1) * w.line.lanes;
  }
  body(&w);
}

void each_line(AxisLines *w, void (*body)(AxisLines *w)) {
  Emit *e = w->e;
  int64_t together = w->line.beside ? 1 : (int64_t)w->line.lanes * w->line.sums;
  int64_t rest = w->inner % together, whole = w->inner / together, items = whole + (rest > 0);
  Ref lo, hi;
  work_range(e, w->outer * items, shape_count(&w->n->in[0]->shape), &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref i = item.i, j = const_i64(e, 0);
  if (items > 1) {
    i = LLVMBuildUDiv(e->b, item.i, const_i64(e, items), "");
    j = LLVMBuildURem(e->b, item.i, const_i64(e, items), "");
  }
  Ref is_whole = LLVMBuildICmp(e->b, LLVMIntSLT, j, const_i64(e, whole), ""), first = mul_i(e, j, together);
  If part;
  if (whole > 0 && rest > 0) if_begin(e, &part, is_whole);
  if (whole > 0) lines_at(w, i, first, (int)together, body);
  if (whole > 0 && rest > 0) {
    if_end(e, &part);
    if_begin(e, &part, LLVMBuildNot(e->b, is_whole, ""));
  }
  if (rest > 0) lines_at(w, i, first, (int)rest, body);
  if (whole > 0 && rest > 0) if_end(e, &part);
  loop_end(e, &item);
}
