/* constant.c: what constants hold. */
#include "graph.h"

#include <float.h>
#include <math.h>

size_t value_bytes(const Value *v) {
  return (size_t)shape_count(&v->shape) * type_size(v->type);
}

bool const_ints(const Value *v, int max, int64_t *out, int *count) {
  if (!v || !v->data || v->shape.rank > 1 || (v->type != T_I64 && v->type != T_I32)) return false;
  int64_t n = shape_count(&v->shape);
  if (n > max) return false;
  for (int64_t i = 0; i < n; i++)
    out[i] = v->type == T_I64 ? ((const int64_t *)v->data)[i] : ((const int32_t *)v->data)[i];
  *count = (int)n;
  return true;
}

bool const_is_finite(const Value *v) {
  const float *data = v->data;
  int64_t count = shape_count(&v->shape);
  bool finite = true;
  for (int64_t i = 0; i < count; i++) finite &= fabsf(data[i]) <= FLT_MAX; /* without a way out, several at a time */
  return finite;
}

bool const_is_zero(const Value *v) {
  if (!v->data) return false;
  for (int64_t i = 0; i < shape_count(&v->shape); i++)
    if (get_number(v->type, v->data, i).u != 0) return false;
  return true;
}

bool const_scalar(const Value *v, float *out) {
  if (!v || !v->data || shape_count(&v->shape) != 1) return false;
  if (v->type != T_F32 && !type_is_half(v->type)) return false;
  *out = (float)get_number(v->type, v->data, 0).f;
  return true;
}
