/* known.c: what is known of a value while the graph is built. Most models never ask; where one does, the
 * nodes so far are inferred then, and again with all others by the pass shape. */
#include "onnx.pb-c.h"
#include "import.h"
#include "ops.h"

static void infer_so_far(Import *im) {
  infer_nodes(im->g, im->inferred_nodes, im->inferred_values);
  im->inferred_nodes = im->g->n_node;
  im->inferred_values = im->g->n_value;
}

const Shape *known_shape(Import *im, Value *v) {
  infer_so_far(im);
  assert(v->shape.rank >= 0);
  return &v->shape;
}

bool known_ints(Import *im, Value *v, int max, int64_t *out, int *count) {
  infer_so_far(im);
  int64_t n = shape_count(&v->shape);
  bool is_integer = type_is_int(v->type) || v->type == T_BOOL;
  if (!v->data || !is_integer || n > max) return false;
  for (int64_t i = 0; i < n; i++) {
    if (v->sym && v->sym[i]) return false;
    out[i] = get_number(v->type, v->data, i).i;
  }
  *count = (int)n;
  return true;
}

int64_t known_int(Import *im, const Onnx__NodeProto *p, Value *v, const char *what) {
  int64_t element;
  int count;
  if (!v) fail_proto(im, p, "%s is missing", what);
  if (!known_ints(im, v, 1, &element, &count))
    fail_proto(im, p, "%s must be one number that is known at compile time%s", what,
               v->sym ? "; --batch N fixes the batch" : "");
  if (count != 1) fail_proto(im, p, "%s must be one number", what);
  return element;
}

int known_axis(Import *im, const Onnx__NodeProto *p, Value *v, int64_t axis, const char *does) {
  const Shape *s = known_shape(im, v);
  if (axis < -s->rank || axis >= s->rank)
    fail_proto(im, p, "axis %lld is not one of a tensor of rank %d", (long long)axis, s->rank);
  if (axis < 0) axis += s->rank;
  if (s->d[axis] < 0) fail_proto(im, p, "%s the batch; fix the batch with --batch N", does);
  return (int)axis;
}
