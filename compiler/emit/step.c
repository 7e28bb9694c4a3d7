/* step.c: the epilogue beside blocked results. */
#include "emit.h"

#include <llvm-c/Core.h>

/* Constants of one value a channel lie dense, filled up to whole blocks. */
static int64_t block_stride(const Emit *e, const Value *v) { return v->data ? e->lanes : v->layout.c; }

static Ref step_pointer(Emit *e, const Value *v, ArgClass class, Ref image, Ref block, Ref row, Ref x) {
  const Layout *l = &v->layout;
  Ref p = value_ptr(e, v);
  if (!v->data) p = gep(e, p, image, l->n * 4);
  if (class == ARG_TENSOR) p = gep(e, p, row, l->row * 4);
  p = gep(e, p, block, block_stride(e, v) * 4);
  return class == ARG_TENSOR ? gep(e, p, x, l->pix * 4) : p;
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
  int64_t at = db * block_stride(e, v);
  if (class == ARG_TENSOR) at += dy * v->layout.row + dx * v->layout.pix;
  return load(e, e->vec, arg, at * 4, 4 * e->lanes);
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
