/* pack.c: the read-only data of the object: convolution weights in the order in which the kernels read them, so that one
 * stream can be prefetched across layers, then every other constant. */
#include "codegen.h"

#include <string.h>

typedef struct Packer {
  Graph *g;
  int64_t size;
  uint8_t *data;      /* NULL while sizes are counted */
} Packer;

/* Reserves `bytes`, aligned to 64; returns their offset. */
static int64_t reserve(Packer *p, int64_t bytes) {
  int64_t at = p->size, rounded;
  if (!add_size(bytes, 63, &rounded) || !add_size(at, rounded / 64 * 64, &p->size)) fail(p->g->cx, "weights too large");
  return at;
}

/* ==== convolution ==== */

/* w[oc][ic][k] of the convolution as packed, where ic counts the packed group's channels: zero outside the own group and
 * past the last channel. */
static float conv_weight(const Node *n, int64_t oc, int64_t ic, int64_t k) {
  const Shape *w = &n->in[1]->shape;
  int64_t taps = w->d[2] * w->d[3], per_group = w->d[0] / n->group;
  if (oc >= w->d[0]) return 0;
  int64_t c = ic - oc / per_group * w->d[1];
  if (c < 0 || c >= w->d[1]) return 0;
  return ((const float *)n->in[1]->data)[(oc * w->d[1] + c) * taps + k];
}

static int64_t conv_floats(const Packer *p, const Node *n) {
  const ConvPlan *plan = n->plan;
  const Shape *w = &n->in[1]->shape;
  int64_t taps = w->d[2] * w->d[3], lanes = p->g->target->lanes;
  if (plan->algorithm == CONV_DEPTHWISE) return size_round_up(w->d[0], lanes) * taps;
  if (plan->algorithm == CONV_GROUPED) return size_round_up(w->d[0], lanes) * taps * plan->icg;
  if (plan->algorithm == CONV_WINOGRAD && plan->stored) {
    const WinogradForm f = winograd_form_of(n, n->plan);
    taps = f.points * f.points;
  }
  return plan->groups * size_round_up(plan->ocg, lanes) * plan->icg * taps;
}

/* [block][tap][lane]. */
static void pack_depthwise(const Packer *p, const Node *n, float *dst) {
  const Shape *w = &n->in[1]->shape;
  const float *src = n->in[1]->data;
  int64_t taps = w->d[2] * w->d[3], lanes = p->g->target->lanes;
  for (int64_t c = 0; c < w->d[0]; c++) {
    for (int64_t k = 0; k < taps; k++) dst[(c / lanes * taps + k) * lanes + c % lanes] = src[c * taps + k];
  }
}

/* [block][tap][part][r][lane]: lane l holds the weight of output l ^ r for input l, or where the group has
 * parts of plan->sums channels, for input l % sums of the part. */
static void pack_grouped(const Packer *p, const Node *n, float *dst) {
  const Shape *w = &n->in[1]->shape;
  const float *src = n->in[1]->data;
  int64_t taps = w->d[2] * w->d[3], lanes = p->g->target->lanes;
  int64_t icg = n->plan->icg, sums = n->plan->sums;
  for (int64_t first = 0; first < w->d[0]; first += lanes) {
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t i = 0; i < icg * lanes; i++, dst++) {
        int64_t lane = i % lanes, r = i / lanes % sums, part = i / lanes / sums, out = first + (lane ^ r);
        int64_t in = sums == icg ? lane % icg : part * sums + lane % sums;
        if (out < w->d[0]) *dst = src[(out * icg + in) * taps + k];
      }
    }
  }
}

/* One panel: [channel block][tap][channel in the block][nb][lane]; the last channel block holds what is left. */
static float *pack_panel(const Packer *p, const Node *n, int64_t group, int64_t oc0, int64_t width, float *dst) {
  const ConvPlan *plan = n->plan;
  const Shape *w = &n->in[1]->shape;
  int64_t taps = w->d[2] * w->d[3], lanes = p->g->target->lanes;
  int64_t first = group * plan->ocg + oc0, left = plan->ocg - oc0;
  for (int64_t c0 = 0; c0 < plan->icg; c0 += lanes) {
    int64_t c1 = c0 + lanes < plan->icg ? c0 + lanes : plan->icg;
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t c = c0; c < c1; c++, dst += width) {
        for (int64_t o = 0; o < width && o < left; o++) dst[o] = conv_weight(n, first + o, group * plan->icg + c, k);
      }
    }
  }
  return dst;
}

/* As pack_panel, [channel][tap][nb][lane]. */
static float *pack_planar_panel(const Node *n, int64_t oc0, int64_t width, float *dst) {
  const Shape *w = &n->in[1]->shape;
  int64_t taps = w->d[2] * w->d[3];
  for (int64_t c = 0; c < n->plan->icg; c++) {
    for (int64_t k = 0; k < taps; k++, dst += width) {
      for (int64_t o = 0; o < width && oc0 + o < w->d[0]; o++) dst[o] = conv_weight(n, oc0 + o, c, k);
    }
  }
  return dst;
}

static void pack_direct(const Packer *p, const Node *n, float *dst) {
  const ConvPlan *plan = n->plan;
  int64_t lanes = p->g->target->lanes, channels = size_round_up(plan->ocg, lanes), full = plan->nb * lanes;
  for (int64_t group = 0; group < plan->groups; group++) {
    for (int64_t oc0 = 0; oc0 < channels; oc0 += full) {
      int64_t width = channels - oc0 < full ? channels - oc0 : full;
      dst = plan->planar ? pack_planar_panel(n, oc0, width, dst) : pack_panel(p, n, group, oc0, width, dst);
    }
  }
}

/* As for direct convolution, but what odd panels have for the first half of the input channels is the difference from the
 * panel before: T1 of emit_strassen.c. */
static void pack_strassen(const Packer *p, const Node *n, float *dst) {
  const ConvPlan *plan = n->plan;
  int64_t panel = plan->icg * plan->nb * p->g->target->lanes;
  pack_direct(p, n, dst);
  for (int64_t even = 0; even < plan->icg * plan->ocg; even += 2 * panel) {
    for (int64_t i = even; i < even + panel / 2; i++) dst[i + panel] -= dst[i];
  }
}

/* One panel: [chunk][transformed weight][channel][nb][lane], where a chunk are all channels if all points are stored. */
static void pack_winograd_panel(const Packer *p, const Node *n, int64_t oc0, int64_t width, float *dst) {
  const ConvPlan *plan = n->plan;
  const WinogradForm f = winograd_form_of(n, plan);
  int side = plan->stored ? f.points : f.kernel;
  const WinogradPowers powers = winograd_powers(&f, side);
  int64_t taps = (int64_t)f.kernel * f.kernel, used = width < plan->ocg - oc0 ? width : plan->ocg - oc0;
  int64_t most = plan->stored ? plan->icg : plan->chunk * p->g->target->lanes;
  for (int64_t first = 0, count; first < plan->icg; first += count, dst += side * side * count * width) {
    count = plan->icg - first < most ? plan->icg - first : most;
    for (int64_t c = 0; c < count; c++) {
      for (int64_t o = 0; o < used; o++) {
        double u[WINOGRAD_POINTS * WINOGRAD_POINTS];
        winograd_weights(&powers, (const float *)n->in[1]->data + ((oc0 + o) * plan->icg + first + c) * taps, u);
        for (int k = 0; k < side * side; k++) dst[(k * count + c) * width + o] = (float)u[k];
      }
    }
  }
}

static void pack_winograd(const Packer *p, const Node *n, float *dst) {
  const ConvPlan *plan = n->plan;
  const WinogradForm f = winograd_form_of(n, n->plan);
  int64_t lanes = p->g->target->lanes, channels = size_round_up(plan->ocg, lanes), full = plan->nb * lanes;
  int64_t terms = plan->stored ? f.points * f.points : f.kernel * f.kernel;
  for (int64_t oc0 = 0; oc0 < channels; oc0 += full) {
    int64_t width = channels - oc0 < full ? channels - oc0 : full;
    pack_winograd_panel(p, n, oc0, width, dst);
    dst += plan->icg * width * terms;
  }
}

static void pack_conv(Packer *p, Node *n) {
  ConvPlan *plan = n->plan;
  int64_t lanes = p->g->target->lanes, channels = n->out[0]->shape.d[1];
  plan->weights = reserve(p, conv_floats(p, n) * 4);
  plan->bias = reserve(p, size_round_up(channels, lanes) * 4);
  if (!p->data) return;
  float *dst = (float *)(p->data + plan->weights);
  if (plan->algorithm == CONV_DEPTHWISE) pack_depthwise(p, n, dst);
  else if (plan->algorithm == CONV_GROUPED) pack_grouped(p, n, dst);
  else if (plan->algorithm == CONV_WINOGRAD) pack_winograd(p, n, dst);
  else if (plan->algorithm == CONV_STRASSEN) pack_strassen(p, n, dst);
  else pack_direct(p, n, dst);
  if (n->n_in > 2 && n->in[2]) memcpy(p->data + plan->bias, n->in[2]->data, (size_t)channels * 4);
}

/* ==== the rest ==== */

/* Rounded up to 64 bytes by `reserve`, so that a whole vector can be read at the last channel. A constant that several
 * nodes read has one place. */
static void place_constant(Packer *p, Value *v) {
  if (!v->data || v->place == P_CONST) return;
  v->offset = reserve(p, shape_count(&v->shape) * (int64_t)type_size(v->type));
  v->place = P_CONST;
}

static void copy_constants(const Packer *p) {
  for (int i = 0; i < p->g->n_value; i++) {
    const Value *v = p->g->value[i];
    size_t bytes = (size_t)shape_count(&v->shape) * type_size(v->type);
    if (v->place == P_CONST && bytes) memcpy(p->data + v->offset, v->data, bytes);
  }
}

static bool is_packed(const Node *n) {
  return (n->op == OP_Conv && n->plan->algorithm != CONV_PLAIN);
}

/* Places the packed weights, and fills them in once there is memory. */
static void pack_nodes(Packer *p) {
  Graph *g = p->g;
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    if (is_packed(n)) pack_conv(p, n);
    int64_t bytes = n->op == OP_Gemm || n->op == OP_MatMul ? pack_gemm_size(g, n) : 0;
    if (bytes == 0) continue;
    n->plan->weights = reserve(p, bytes);
    if (p->data) pack_gemm(g, n, (float *)(p->data + n->plan->weights));
  }
}

int64_t packed_bytes(Graph *g, const Node *n) {
  if (n->op == OP_Gemm || n->op == OP_MatMul) return pack_gemm_size(g, n);
  return is_packed(n) ? conv_floats(&(Packer){.g = g}, n) * 4 : 0;
}

static void place_constants(Packer *p) {
  Graph *g = p->g;
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    bool gemm = (n->op == OP_Gemm || n->op == OP_MatMul) && pack_gemm_size(g, n) > 0;
    for (int k = 0; k < n->n_in; k++) {
      bool packed = (is_packed(n) && (k == 1 || k == 2)) || (gemm && k == 1);
      if (n->in[k] && !packed) place_constant(p, n->in[k]);
    }
  }
}

void pass_pack(Graph *g) {
  Packer p = {.g = g};
  pack_nodes(&p);
  place_constants(&p);
  g->weights_size = p.size;
  p.data = alloc(g->cx, (size_t)p.size);
  p.size = 0;
  pack_nodes(&p);
  copy_constants(&p);
  g->weights = p.data;
}
