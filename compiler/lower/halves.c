/* halves.c: weights that are stored in 16 bits. Nothing is rounded: they are where every element has the same
 * value in half precision, or else in bfloat16, and the kernels compute in single precision with either. */
#include "lower.h"

static bool is_exact(const Value *v, Type t) {
  const float *x = v->data;
  uint16_t bits;
  for (int64_t i = 0; i < shape_count(&v->shape); i++) {
    put_number(t, &bits, 0, (Number){.f = x[i]});
    if (get_number(t, &bits, 0).f != x[i]) return false;
  }
  return true;
}

static Type exact_type(const Value *v) {
  if (v->type != T_F32 || !v->data) return T_NONE;
  return is_exact(v, T_F16) ? T_F16 : is_exact(v, T_BF16) ? T_BF16 : T_NONE;
}

void prefer_halves(const Build *b, const Node *n, Plans *list) {
  bool scaled = n->op == OP_Gemm && n->p.alpha != 1;
  int count = 0;
  if (!b->options->small || scaled) return;
  for (int i = 0; i < list->n; i++) count += list->plan[i].how->halves;
  Type t = count > 0 ? exact_type(n->in[1]) : T_NONE;
  if (t == T_NONE) return;
  for (int i = 0, kept = 0; i < list->n; i++) {
    if (!list->plan[i].how->halves) continue;
    list->plan[kept] = list->plan[i];
    list->plan[kept++].weights = t;
  }
  list->n = count;
}

void pack_halves(const Build *b, const Node *n, void *to) {
  const Plan *p = n->plan;
  int64_t count = p->how->packed(b->target, n, p) / (int64_t)sizeof(float);
  float *wide = alloc_n(b->graph->cx, (size_t)count, sizeof *wide);
  p->how->pack(b->target, n, wide);
  for (int64_t i = 0; i < count; i++) put_number(p->weights, to, i, (Number){.f = wide[i]});
}
