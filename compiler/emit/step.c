/* step.c: the epilogue beside blocked results. */
#include "emit.h"

#include <llvm-c/Core.h>

/* Constants of one value a channel lie dense, filled up to whole blocks. */
static int64_t block_bytes(const Emit *e, const Value *v) { return v->data ? e->vec_bytes : place_block_bytes(v); }

static Ref step_pointer(Emit *e, const Value *v, ArgClass class, Ref image, Ref block, Ref row, Ref x) {
  if (v->data) return gep(e, value_ptr(e, v), block, block_bytes(e, v));
  bool tensor = class == ARG_TENSOR;
  return place_at(e, v, image, block, tensor ? row : NULL, tensor ? x : NULL);
}

void step_pointers(Emit *e, Node *n, Ref image, Ref block, Ref row, Ref x, Ref *arg) {
  for (int i = 0; i < n->n_step; i++) {
    ArgClass class = step_arg_class(n, &n->step[i]);
    assert(class != ARG_OTHER);
    bool in_memory = class == ARG_CHANNEL || class == ARG_TENSOR;
    arg[i] = in_memory ? step_pointer(e, n->in[n->step[i].arg], class, image, block, row, x) : NULL;
  }
}

static Ref step_argument(Emit *e, const Node *n, const Step *s, Ref arg, int db, int dy, int dx) {
  ArgClass class = step_arg_class(n, s);
  if (class == ARG_NONE) return NULL;
  const Value *v = n->in[s->arg];
  float scalar;
  if (class == ARG_SCALAR && const_scalar(v, &scalar)) return splat_const(e, scalar);
  int64_t at = db * block_bytes(e, v);
  if (class == ARG_TENSOR) at += place_offset(v, 0, dy, dx);
  return load(e, e->vec, arg, at, e->vec_bytes);
}

Ref apply_steps(Emit *e, Node *n, Ref acc, Ref *arg, int db, int dy, int dx) {
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    acc = math_step(e, s, acc, step_argument(e, n, s, arg[i], db, dy, dx));
  }
  return acc;
}

void step_key(const Node *n, Buffer *key) {
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    ArgClass class = step_arg_class(n, s);
    buffer_printf(key, "|%s%s", s->swap ? "~" : "", op_info[s->op].name);
    if (class == ARG_NONE) {
      buffer_printf(key, " %a %a", (double)s->a, (double)s->b);
      continue;
    }
    const Value *v = n->in[s->arg];
    float scalar;
    if (class == ARG_SCALAR && const_scalar(v, &scalar)) buffer_printf(key, " =%a", (double)scalar);
    if (class == ARG_CHANNEL) buffer_printf(key, " c%lld", v->data ? 0LL : (long long)v->layout.c);
    if (class == ARG_TENSOR) {
      buffer_printf(key, " t%lld.%lld.%lld", (long long)v->layout.c, (long long)v->layout.row, (long long)v->layout.pix);
    }
  }
}
