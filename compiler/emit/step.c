/* step.c: the epilogue beside blocked results. */
#include "emit.h"

#include <llvm-c/Core.h>

/* Constants of one value a channel lie dense, filled up to whole blocks. */
static int64_t vector_bytes(const Emit *e, const Value *v) { return e->lanes * (int64_t)type_size(v->type); }

static Ref step_pointer(Emit *e, const Value *v, ArgClass class, Ref image, Ref vector, Ref row, Ref x) {
  if (v->data) return gep(e, value_ptr(e, v), vector, vector_bytes(e, v));
  if (class == ARG_PIXEL) return place_at(e, v, image, NULL, row, x);
  bool tensor = class == ARG_TENSOR;
  return place_vector(e, value_ptr(e, v), v, image, vector, tensor ? row : NULL, tensor ? x : NULL);
}

void step_pointers(Emit *e, Node *n, Ref image, Ref vector, Ref row, Ref x, Ref *arg) {
  for (int i = 0; i < n->n_step; i++) {
    ArgClass class = step_arg_class(n, &n->step[i]);
    assert(class != ARG_OTHER);
    const Value *v = class == ARG_NONE || (is_packed(n) && n->step[i].arg == integer_bias_input(n)) ? NULL : n->in[n->step[i].arg];
    if (!v) class = ARG_NONE;
    if (class == ARG_TABLE || class == ARG_SCALAR) {
      arg[i] = class == ARG_SCALAR && v->data ? NULL : value_ptr(e, v);
      continue;
    }
    bool same = v && v->shape.d[0] == 1 && n->out[0]->shape.d[0] > 1; /* for all images */
    arg[i] = v ? step_pointer(e, v, class, same ? NULL : image, vector, row, x) : NULL;
  }
  e->numbers = numbers_bytes(n) > 0 ? weights_ptr(e, n->plan->at.bias) : NULL;
}

int step_arguments(Emit *e, const Node *n, int first, Ref *args) {
  int count = first + n->n_step;
  if (numbers_bytes(n) > 0) args[count++] = e->numbers;
  return count;
}

void step_params(Emit *e, const Node *n, int first, Ref *arg) {
  for (int i = 0; i < n->n_step; i++) arg[i] = LLVMGetParam(e->fn, (unsigned)(first + i));
  e->numbers = numbers_bytes(n) > 0 ? LLVMGetParam(e->fn, (unsigned)(first + n->n_step)) : NULL;
}

void steps_along_row(Emit *e, const Node *n, Ref x, Ref *arg) {
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    ArgClass class = step_arg_class(n, s);
    if (class == ARG_TENSOR || class == ARG_PIXEL) arg[i] = gep(e, arg[i], x, place_pixel_bytes(n->in[s->arg]));
  }
}

static Ref load_scalar(Emit *e, const Value *v, Ref p, int64_t at) {
  return load(e, llvm_type(e, v->type), p, at, (int)type_size(v->type));
}

/* What stands beside `lanes` of the result's lanes. */
static Ref step_argument(Emit *e, const Node *n, const Step *s, Ref arg, int lanes, int db, int dy, int dx) {
  ArgClass class = step_arg_class(n, s);
  if (class == ARG_NONE || class == ARG_TABLE) return arg;
  const Value *v = n->in[s->arg];
  if (class == ARG_SCALAR) return splat(e, v->data ? const_element(e, v) : load_scalar(e, v, arg, 0), lanes);
  if (class == ARG_PIXEL) return splat(e, load_scalar(e, v, arg, place_offset(v, 0, dy, dx)), lanes);
  if (class == ARG_CHANNEL) dy = dx = 0;
  if (class == ARG_CHANNEL && is_8_bit(v->type) && !v->data) { /* which no step writes over */
    LLVMTypeRef type = vec_of(e->i8, lanes);
    return load_invariant(e, type, arg, place_vector_offset(e, v, db, 0, 0), e->lanes);
  }
  if (!v->data) return load_channels(e, v, arg, lanes / e->lanes, db, dy, dx);
  return load(e, vec_of(llvm_type(e, v->type), lanes), arg, db * vector_bytes(e, v), (int)vector_bytes(e, v));
}

Ref step_operand(Emit *e, const Node *n, int i, Ref *arg, int db, int dy, int dx) {
  return step_argument(e, n, &n->step[i], arg[i], e->lanes, db, dy, dx);
}

Ref apply_steps(Emit *e, Node *n, Ref acc, Ref *arg, int db, int dy, int dx) {
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    acc = typed_step(e, n, i, acc, step_argument(e, n, s, arg[i], lane_count(acc), db, dy, dx));
  }
  return acc;
}

static void print_scalar(const Value *v, Buffer *key) {
  if (!v->data) {
    buffer_printf(key, " s");
    return;
  }
  Number x = get_number(v->type, v->data, 0);
  if (type_is_float(v->type)) buffer_printf(key, " =%a", x.f);
  else buffer_printf(key, " =%lld", (long long)x.i);
}

void step_key(const Node *n, Buffer *key) {
  for (int i = 0; i < n->n_step; i++) {
    const Step form = step_form(n, i), *s = &form;
    ArgClass class = step_arg_class(n, s);
    buffer_printf(key, "|%s%s", s->swap ? "~" : "", op_info[s->op].name);
    if (s->type) buffer_printf(key, ":%s", type_name(s->type));
    if (class == ARG_NONE) {
      buffer_printf(key, " %a %a", (double)s->a, (double)s->b);
      continue;
    }
    const Value *v = n->in[s->arg];
    if (s->a != 0 || s->b != 0 || s->c != 0) buffer_printf(key, " %a %a %a", (double)s->a, (double)s->b, (double)s->c);
    if (s->d != 0 || s->e != 0) buffer_printf(key, " %a %a", (double)s->d, (double)s->e);
    if (v->type != T_F32) buffer_printf(key, " %s", type_name(v->type));
    if (class == ARG_SCALAR) print_scalar(v, key);
    if (class == ARG_CHANNEL) buffer_printf(key, " c%lld", v->data ? 0LL : (long long)v->layout.c);
    if (class == ARG_PIXEL) buffer_printf(key, " p%lld", (long long)v->layout.row);
    if (class == ARG_TENSOR) {
      buffer_printf(key, " t%lld.%lld.%lld", (long long)v->layout.c, (long long)v->layout.row, (long long)v->layout.pix);
    }
  }
}
