/* index.c: moves by index, the one engine behind gathering and scattering: loops over the places where
 * indices stand, at each of them a run of elements that lie beside each other in both tensors. Whatever an
 * index is, it is brought inside its axis. */
#include "emit.h"

#include <llvm-c/Core.h>

enum {
  MAX_LOOPS = MAX_RANK + 2,
  PIECE = 4096,     /* elements of a run that tasks share */
  FEW_TRIPS = 16,   /* loops shorter than this can't be shared evenly among tasks */
};

/* One loop: its turns, and the elements from one to the next in the indices, in what is read and in what is
 * written. */
typedef struct IndexLoop { int64_t n, index, from, to; } IndexLoop;

/* An index that is read at every place: so many elements behind the place's first; the axis it is for, as
 * elements and stride. */
typedef struct Lookup { int64_t at, dim, stride; } Lookup;

typedef struct Moves {
  Emit *e;
  const Node *n;
  int rank;
  IndexLoop loop[MAX_LOOPS];
  Ref i[MAX_LOOPS];        /* the loops' turns */
  int lookups;
  Lookup lookup[MAX_RANK];
  bool scatters;           /* the index says where to write */
  int time;                /* ReverseSequence: the loop over time; else -1 */
  int64_t run;             /* elements at each place */
  int pieces;              /* the loop over pieces of a run; -1: it is whole */
  Ref indices, src, dst;
} Moves;

static int size_of(const Moves *m) { return (int)type_size(m->n->in[0]->type); }

/* ==== indices ==== */

/* Element `at` of the indices, as i64. */
static Ref load_index(const Moves *m, Ref at) {
  Emit *e = m->e;
  const Value *v = m->n->in[1];
  int size = (int)type_size(v->type);
  Ref k = load(e, llvm_type(e, v->type), gep(e, m->indices, at, size), 0, size);
  return LLVMBuildSExt(e->b, k, e->i64, "");
}

/* The element that the indices at this place lead to. */
static Ref looked_up(const Moves *m, Ref at) {
  Emit *e = m->e;
  Ref sum = const_i64(e, 0);
  for (int k = 0; k < m->lookups; k++) {
    const Lookup *l = &m->lookup[k];
    Ref i = from_end(e, load_index(m, add_i(e, at, const_i64(e, l->at))), l->dim);
    sum = add_i(e, sum, mul_i(e, clamp_i(e, i, const_i64(e, l->dim - 1)), l->stride));
  }
  return sum;
}

/* The moment from which that of the loop comes, in one of the batch that is as long as the index says. */
static Ref mirrored(const Moves *m, Ref at) {
  Emit *e = m->e;
  const IndexLoop *l = &m->loop[m->time];
  Ref t = m->i[m->time], length = clamp_i(e, load_index(m, at), const_i64(e, l->n));
  Ref back = LLVMBuildSub(e->b, LLVMBuildSub(e->b, length, const_i64(e, 1), ""), t, "");
  return mul_i(e, choose(e, LLVMBuildICmp(e->b, LLVMIntSLT, t, length, ""), back, t), l->to);
}

/* ==== a run of elements ==== */

/* What becomes of a, where b is scattered to it: of zeros of both signs, which are neither more nor less, a stays. */
static Ref combined(const Moves *m, Ref a, Ref b) {
  static const Op on_numbers[] = {[COMBINE_ADD] = OP_Add, [COMBINE_MUL] = OP_Mul, [COMBINE_MIN] = OP_Min,
                                  [COMBINE_MAX] = OP_Max};
  Type t = m->n->in[0]->type;
  Step s = {.op = on_numbers[m->n->p.combine]};
  if (type_is_float(t)) return math_step(m->e, &s, b, a);
  if (t == T_BOOL && s.op == OP_Add) s.op = OP_Or;
  return math_integers(m->e, &s, t, a, b);
}

static void combine_run(const Moves *m, Ref src, Ref dst, Ref count) {
  Emit *e = m->e;
  int size = size_of(m);
  LLVMTypeRef type = llvm_type(e, m->n->in[0]->type);
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), count, 1, 0, NULL);
  Ref to = gep(e, dst, l.i, size), a = load(e, type, to, 0, size);
  Ref b = load(e, type, gep(e, src, l.i, size), 0, size);
  store(e, combined(m, a, b), to, 0, size);
  loop_end(e, &l);
}

static void move_run(const Moves *m, Ref src, Ref dst) {
  Emit *e = m->e;
  int size = size_of(m);
  LLVMTypeRef type = llvm_type(e, m->n->in[0]->type);
  Ref count = const_i64(e, m->run);
  if (m->pieces >= 0)
    count = min_i(e, const_i64(e, PIECE), LLVMBuildSub(e->b, count, mul_i(e, m->i[m->pieces], PIECE), ""));
  if (m->n->p.combine) combine_run(m, src, dst, count);
  else if (m->run == 1) store(e, load(e, type, src, 0, size), dst, 0, size);
  else LLVMBuildMemCpy(e->b, dst, (unsigned)size, src, (unsigned)size, mul_i(e, count, size));
}

/* ==== the loops ==== */

static int longest_loop(const Moves *m) {
  int best = 0;
  for (int k = 1; k < m->rank; k++)
    if (m->loop[k].n > m->loop[best].n) best = k;
  return best;
}

static void build_loops(Moves *m, int k, int split, Ref at, Ref from, Ref to) {
  Emit *e = m->e;
  if (k == m->rank) {
    Ref more = m->time >= 0 ? mirrored(m, at) : looked_up(m, at);
    if (m->scatters) to = add_i(e, to, more);
    else from = add_i(e, from, more);
    move_run(m, gep(e, m->src, from, size_of(m)), gep(e, m->dst, to, size_of(m)));
    return;
  }
  const IndexLoop *x = &m->loop[k];
  Ref lo = const_i64(e, 0), hi = const_i64(e, x->n);
  if (k == split) task_range(e, x->n, &lo, &hi);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  m->i[k] = l.i;
  build_loops(m, k + 1, split, add_i(e, at, mul_i(e, l.i, x->index)), add_i(e, from, mul_i(e, l.i, x->from)),
              add_i(e, to, mul_i(e, l.i, x->to)));
  loop_end(e, &l);
}

static void add_loop(Moves *m, int64_t n, int64_t index, int64_t from, int64_t to) {
  assert(m->rank < MAX_LOOPS);
  if (n != 1 || m->rank == m->time) m->loop[m->rank++] = (IndexLoop){n, index, from, to};
}

static void move_all(Moves *m) {
  Emit *e = m->e;
  Ref zero = const_i64(e, 0);
  m->pieces = -1;
  bool few = m->rank == 0 || m->loop[longest_loop(m)].n < FEW_TRIPS;
  if (few && m->run >= 2 * PIECE) {
    m->pieces = m->rank;
    add_loop(m, size_ceiling(m->run, PIECE), 0, PIECE, PIECE);
  }
  if (m->rank == 0) m->loop[m->rank++] = (IndexLoop){1, 0, 0, 0};
  build_loops(m, 0, m->scatters ? -1 : longest_loop(m), zero, zero, zero);
}

/* ==== the operators ==== */

/* Elements of one block of the axes from k on. */
static int64_t elements_behind(const Shape *s, int k) {
  int64_t count = 1;
  for (; k < s->rank; k++) count *= s->d[k];
  return count;
}

static void move_gather(Moves *m) {
  const Shape *x = &m->n->in[0]->shape;
  int axis = m->n->p.axis;
  int64_t indices = shape_count(&m->n->in[1]->shape);
  m->run = elements_behind(x, axis + 1);
  m->lookup[m->lookups++] = (Lookup){0, x->d[axis], m->run};
  add_loop(m, blocks_before(x, axis), 0, x->d[axis] * m->run, indices * m->run);
  add_loop(m, indices, 1, 0, m->run);
  move_all(m);
}

/* GatherElements, ScatterElements: the tensor has an element beside each index; axes that step alike are one
 * loop. */
static void move_beside(Moves *m) {
  const Shape *x = &m->n->in[0]->shape, *index = &m->n->in[1]->shape;
  int axis = m->n->p.axis;
  for (int k = 0; k < x->rank; k++) {
    int64_t own = elements_behind(index, k + 1), there = k == axis ? 0 : elements_behind(x, k + 1);
    int64_t from = m->scatters ? own : there, to = m->scatters ? there : own;
    IndexLoop *last = m->rank > 0 ? &m->loop[m->rank - 1] : NULL;
    int64_t n = index->d[k];
    if (last && last->index == own * n && last->from == from * n && last->to == to * n)
      *last = (IndexLoop){last->n * n, own, from, to};
    else add_loop(m, n, own, from, to);
  }
  m->run = 1;
  m->lookup[m->lookups++] = (Lookup){0, x->d[axis], elements_behind(x, axis + 1)};
  move_all(m);
}

/* GatherND, ScatterND: a row of indices for each block of the tensor. */
static void move_rows(Moves *m) {
  const Shape *x = &m->n->in[0]->shape, *index = &m->n->in[1]->shape;
  int batch = m->n->p.axis;
  int64_t width = index->d[index->rank - 1], batches = blocks_before(x, batch);
  int64_t rows = blocks_before(index, index->rank - 1) / batches;
  m->run = elements_behind(x, batch + (int)width);
  for (int64_t k = 0; k < width; k++)
    m->lookup[m->lookups++] = (Lookup){k, x->d[batch + k], elements_behind(x, batch + (int)k + 1)};
  int64_t all = elements_behind(x, batch), dense = rows * m->run;
  add_loop(m, batches, rows * width, m->scatters ? dense : all, m->scatters ? all : dense);
  add_loop(m, rows, width, m->scatters ? m->run : 0, m->scatters ? 0 : m->run);
  move_all(m);
}

static void move_reversed(Moves *m) {
  const Shape *x = &m->n->in[0]->shape;
  m->time = m->n->p.axis;
  m->run = elements_behind(x, 2);
  for (int k = 0; k < 2; k++) {
    int64_t step = elements_behind(x, k + 1);
    m->loop[m->rank++] = (IndexLoop){x->d[k], k != m->time, k != m->time ? step : 0, step};
  }
  move_all(m);
}

/* The indices of the elements that are kept, as a table. */
static void move_kept(Moves *m) {
  const Node *n = m->n;
  Emit *e = m->e;
  Value table = {.type = T_I64};
  Node by_table = *n;
  int axis = n->p.axis;
  int64_t flags = n->in[1]->shape.d[0], count = 0;
  Ref *index = alloc_n(e->g->cx, (size_t)flags, sizeof *index);
  for (int64_t i = 0; i < flags; i++)
    if (((const bool *)n->in[1]->data)[i]) index[count++] = const_i64(e, i);
  by_table.in = (Value *[]){n->in[0], &table};
  m->n = &by_table;
  m->indices = constant_global(e, LLVMConstArray2(e->i64, index, (uint64_t)count), "kept");
  const Shape *x = &n->in[0]->shape;
  int64_t dim = axis < 0 ? shape_count(x) : x->d[axis];
  m->run = axis < 0 ? 1 : elements_behind(x, axis + 1);
  m->lookup[m->lookups++] = (Lookup){0, dim, m->run};
  add_loop(m, axis < 0 ? 1 : blocks_before(x, axis), 0, dim * m->run, count * m->run);
  add_loop(m, count, 1, 0, m->run);
  move_all(m);
  m->n = n;
}

/* In one task: several indices may lead to one element, whose updates are made in the order of the
 * indices. */
static void begin_scattering(Moves *m) {
  Emit *e = m->e;
  const Value *x = m->n->in[0], *y = m->n->out[0];
  only_task_zero(e);
  Ref bytes = const_i64(e, (int64_t)value_bytes(x)), from = value_ptr(e, x), to = value_ptr(e, y);
  LLVMBuildMemMove(e->b, to, (unsigned)type_size(x->type), from, (unsigned)type_size(x->type), bytes);
  m->scatters = true;
  m->src = value_ptr(e, m->n->in[2]);
}

void emit_index(Emit *e, Node *n) {
  Moves m = {.e = e, .n = n, .time = -1, .src = value_ptr(e, n->in[0]), .dst = value_ptr(e, n->out[0])};
  assert(layout_is_plain(n->in[0]) && layout_is_plain(n->out[0]));
  if (n->op != OP_Compress) m.indices = value_ptr(e, n->in[1]);
  if (n->op == OP_ScatterElements || n->op == OP_ScatterND) begin_scattering(&m);
  if (m.scatters && shape_count(&n->in[2]->shape) == 0) return;
  switch (n->op) {
  case OP_Gather: move_gather(&m); break;
  case OP_GatherElements: case OP_ScatterElements: move_beside(&m); break;
  case OP_GatherND: case OP_ScatterND: move_rows(&m); break;
  case OP_ReverseSequence: move_reversed(&m); break;
  default: assert(n->op == OP_Compress); move_kept(&m);
  }
}
