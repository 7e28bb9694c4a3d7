/* topk.c: TopK: of each line the elements so far that may be results, in their order; another one is put
 * among them if it comes before the last. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct TopK {
  Emit *e;
  const Node *n;
  Type type;
  LLVMTypeRef elem;
  int size;                 /* bytes of an element */
  int64_t count, k, stride; /* elements of a line; results; from one to the next */
  Ref src, value, index;    /* the line's first element; its first results, NULL: nobody wants them */
} TopK;

static Ref element(const TopK *t, Ref i) {
  return load(t->e, t->elem, gep(t->e, t->src, i, t->stride * t->size), 0, t->size);
}

/* Result number i. Before there is one its index may be anything. */
static Ref kept_index(const TopK *t, Ref i) {
  return load(t->e, t->e->i64, gep(t->e, t->index, i, t->stride * 8), 0, 8);
}

static Ref kept_value(const TopK *t, Ref i) {
  if (t->value) return load(t->e, t->elem, gep(t->e, t->value, i, t->stride * t->size), 0, t->size);
  return element(t, clamp_i(t->e, kept_index(t, i), const_i64(t->e, t->count - 1)));
}

/* Does x come before y, which has the lower index? */
static Ref wins(const TopK *t, Ref x, Ref y) {
  return t->n->p.smallest ? math_beats(t->e, t->type, y, x) : math_beats(t->e, t->type, x, y);
}

/* Element number i, which is x, goes where it belongs among the first results, `room` of them with it; those
 * behind move on. */
static void insert(const TopK *t, Ref i, Ref x, Ref room) {
  Emit *e = t->e;
  /* what goes into the next place, and whether all move on from there */
  Ref carried[] = {x, i, LLVMConstNull(e->i1)};
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), room, 1, 3, carried);
  Ref fresh = LLVMBuildICmp(e->b, LLVMIntEQ, l.i, i, ""), old = kept_value(t, l.i);
  Ref here = LLVMBuildOr(e->b, carried[2], LLVMBuildOr(e->b, fresh, wins(t, carried[0], old), ""), "");
  Ref old_index = t->index ? kept_index(t, l.i) : i;
  if (t->value)
    store(e, choose(e, here, carried[0], old), gep(e, t->value, l.i, t->stride * t->size), 0, t->size);
  if (t->index) store(e, choose(e, here, carried[1], old_index), gep(e, t->index, l.i, t->stride * 8), 0, 8);
  carried[0] = choose(e, here, old, carried[0]);
  carried[1] = choose(e, here, old_index, carried[1]);
  carried[2] = here;
  loop_end(e, &l);
}

static void build_line(const TopK *t) {
  Emit *e = t->e;
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), const_i64(e, t->k), 1, 0, NULL);
  insert(t, l.i, element(t, l.i), add_i(e, l.i, const_i64(e, 1)));
  loop_end(e, &l);
  if (t->k == t->count) return;
  loop_begin(e, &l, const_i64(e, t->k), const_i64(e, t->count), 1, 0, NULL);
  Ref x = element(t, l.i);
  If better;
  if_begin(e, &better, wins(t, x, kept_value(t, const_i64(e, t->k - 1))));
  insert(t, l.i, x, const_i64(e, t->k));
  if_end(e, &better);
  loop_end(e, &l);
}

void emit_topk(Emit *e, Node *n) {
  const Value *x = n->in[0], *values = n->out[0], *indices = n->n_out > 1 ? n->out[1] : NULL;
  const Shape *y = values ? &values->shape : &indices->shape;
  TopK t = {.e = e, .n = n, .type = x->type, .elem = llvm_type(e, x->type), .size = (int)type_size(x->type),
            .stride = 1,
            .count = x->shape.d[n->p.axis], .k = y->d[n->p.axis]};
  for (int i = n->p.axis + 1; i < x->shape.rank; i++) t.stride *= x->shape.d[i];
  Ref lo, hi, inner = const_i64(e, t.stride);
  work_range(e, shape_count(y) / t.k, shape_count(&x->shape), &lo, &hi);
  Loop l;
  loop_begin(e, &l, lo, hi, 1, 0, NULL);
  Ref outer = LLVMBuildUDiv(e->b, l.i, inner, ""), at = LLVMBuildURem(e->b, l.i, inner, "");
  Ref to = add_i(e, mul_i(e, outer, t.k * t.stride), at);
  t.src = gep(e, value_ptr(e, x), add_i(e, mul_i(e, outer, t.count * t.stride), at), t.size);
  if (values) t.value = gep(e, value_ptr(e, values), to, t.size);
  if (indices) t.index = gep(e, value_ptr(e, indices), to, 8);
  build_line(&t);
  loop_end(e, &l);
}
