/* unfold.c: Unfold stacks frames: the channels of those under a window along the depth behind each other, each filled up to as many
 * as the attribute `channels` says. */
#include "ops.h"

#include <string.h>

/* The one integer of a list. */
static int64_t one_int(Graph *g, const Node *n, const char *name, int64_t otherwise) {
  int64_t v = otherwise;
  ints_attr(g, n, name, 1, &v);
  return v;
}

void infer_unfold(Graph *g, Node *n) {
  check_rank(g, n, 0, 4, 4);
  Shape out = n->in[0]->shape;
  for (int i = 0; i < out.rank; i++) check_number(g, n, 0, i);
  int64_t volumes = attr_int(n, "volumes", 1), frames = one_int(g, n, "output_shape", 0);
  Window k = {.kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1, .front = -one_int(g, n, "starts", 0),
              .kd = one_int(g, n, "kernel_shape", 1), .sd = one_int(g, n, "strides", 1),
              .dd = one_int(g, n, "dilations", 1)};
  check_range(g, n, "volumes", volumes, 1, INT32_MAX);
  check_range(g, n, "kernel size", k.kd, 1, INT32_MAX);
  check_range(g, n, "stride", k.sd, 1, INT32_MAX);
  check_range(g, n, "dilation", k.dd, 1, INT32_MAX);
  check_range(g, n, "padding", k.front, -(INT64_C(1) << 40), INT64_C(1) << 40);
  int64_t fill = attr_int(n, "fill", 0);
  check_range(g, n, "fill", fill, 0, is_8_bit(n->in[0]->type) ? UINT8_MAX : 0);
  k.fill = (uint64_t)fill;
  n->p.size = attr_int(n, "channels", out.d[1]);
  check_range(g, n, "channels", n->p.size, out.d[1], INT32_MAX);
  check_range(g, n, "output_shape", frames, 1, INT32_MAX);
  if (out.d[0] % volumes || out.d[0] == 0)
    fail_at(g, n, "%lld images are not %lld volumes", (long long)out.d[0], (long long)volumes);
  n->win = k;
  n->p.depth = out.d[0] / volumes;
  if (!mul_size(volumes, frames, &out.d[0]) || !mul_size(n->p.size, k.kd, &out.d[1]))
    fail_at(g, n, "a size overflows");
  set_output(g, n, 0, n->in[0]->type, &out);
}

void eval_unfold(Graph *g, const Node *n, const void *const *in, void **out) {
  (void)g;
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  const Window *k = &n->win;
  int64_t depth = n->p.depth, frames = y->d[0] / (x->d[0] / depth);
  size_t size = type_size(n->in[0]->type), bytes = (size_t)(shape_count(x) / x->d[0]) * size;
  size_t each = (size_t)(shape_count(y) / (y->d[0] * k->kd)) * size;
  for (int64_t i = 0; i < y->d[0] * k->kd; i++) {
    int64_t image = i / k->kd, z = image % frames * k->sd - k->front + i % k->kd * k->dd;
    char *to = (char *)out[0] + (size_t)i * each;
    const char *from = (const char *)in[0] + (size_t)(image / frames * depth +
                                                      size_clamp(z, 0, depth - 1)) * bytes;
    memset(to, (int)k->fill, each);
    if (z >= 0 && z < depth) move_bytes(to, from, bytes);
  }
}
