/* pack.c: the read-only data of the object: convolution weights in the order in which the kernels read them, so that one
 * stream can be prefetched across layers, then every other constant. */
#include "lower.h"

#include <string.h>

/* Bytes of a node's weights, as it reads them packed, or of a constant as it is; the same bytes have one place. */
typedef struct Item {
  const Node *packed; /* NULL: as it is */
  const void *data;
  size_t bytes;       /* of data */
  int64_t offset;
} Item;

typedef struct Packer {
  const Build *build;
  int64_t size;
  uint8_t *data;
  Item *item;
  int n;
  Map places;         /* of items, each by its data */
  int64_t zeros;      /* offset of the bias where there is none; -1: no layer needs it so far */
} Packer;

/* Reserves `bytes`, aligned to 64; returns their offset. */
static int64_t reserve(Packer *p, int64_t bytes) {
  int64_t at = p->size, rounded;
  if (!add_size(bytes, 63, &rounded) || !add_size(at, rounded / 64 * 64, &p->size)) fail(p->build->graph->cx, "weights too large");
  return at;
}

/* ==== convolution ==== */

/* w[oc][ic][k], where ic counts the channels of the group. */
static float conv_weight(const Node *n, int64_t oc, int64_t ic, int64_t k) {
  const Shape *w = &n->in[1]->shape;
  return ((const float *)n->in[1]->data)[(oc * w->d[1] + ic) * w->d[2] * w->d[3] + k];
}

/* So many rows of weights with `columns` each, one vector or a part of it after the other; where the last part of a row is no
 * vector, what is read behind the last one is part of it. */
static int64_t floats_of(int64_t rows, int64_t columns, int lanes) {
  int64_t packed = packed_columns(columns, lanes);
  return size_add(size_mul(rows, packed), packed % lanes ? lanes - packed % lanes : 0);
}

static int64_t conv_floats(int lanes, const Node *n, const ConvPlan *plan) {
  const Shape *w = &n->in[1]->shape;
  int64_t taps = w->d[2] * w->d[3];
  switch (plan->algorithm) {
  case CONV_DEPTHWISE: return floats_of(taps, w->d[0], lanes);
  case CONV_GROUPED: return floats_of(size_mul(taps, plan->icg), w->d[0], lanes);
  case CONV_RAGGED: return w->d[0] * w->d[1] * taps + lanes; /* the last vector, wherever it begins */
  case CONV_NARROW: case CONV_PIXELS: return w->d[0] * w->d[1] * taps;
  case CONV_INTERLEAVED: return floats_of(taps * plan->icg * plan->ocg, plan->groups, lanes);
  case CONV_WINOGRAD:
    if (plan->stored) {
      const WinogradForm f = winograd_form_of(n, plan);
      taps = f.points * f.points;
    }
    return size_mul(size_mul(size_round_up(plan->ocg, lanes), plan->icg), taps);
  default: return floats_of(size_mul(size_mul(plan->groups, plan->icg), taps), plan->ocg, lanes);
  }
}

/* Columns of the block that begins at channel `first`, as packed. */
static int64_t block_width(int64_t first, int64_t channels, int64_t lanes) {
  int64_t left = packed_columns(channels, (int)lanes) - first;
  return left < lanes ? left : lanes;
}

/* [block][tap][lane]. */
static void pack_depthwise(const Packer *p, const Node *n, float *dst) {
  const Shape *w = &n->in[1]->shape;
  const float *src = n->in[1]->data;
  int64_t taps = w->d[2] * w->d[3], lanes = p->build->target->lanes;
  for (int64_t c = 0; c < w->d[0]; c++) {
    int64_t first = c / lanes * lanes, width = block_width(first, w->d[0], lanes);
    for (int64_t k = 0; k < taps; k++) dst[first * taps + k * width + c % lanes] = src[c * taps + k];
  }
}

/* [block][tap][part][r][lane]: lane l holds the weight of output l ^ r for input l, or where the group has
 * parts of plan->sums channels, for input l % sums of the part. */
static void pack_grouped(const Packer *p, const Node *n, float *dst) {
  const Shape *w = &n->in[1]->shape;
  const float *src = n->in[1]->data;
  int64_t taps = w->d[2] * w->d[3], lanes = p->build->target->lanes;
  int64_t icg = n->plan->icg, sums = n->plan->sums;
  for (int64_t first = 0; first < w->d[0]; first += lanes) {
    int64_t width = block_width(first, w->d[0], lanes);
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t i = 0; i < icg * width; i++, dst++) {
        int64_t lane = i % width, r = i / width % sums, part = i / width / sums, out = first + (lane ^ r);
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
  int64_t taps = w->d[2] * w->d[3], lanes = p->build->target->lanes;
  int64_t first = group * plan->ocg + oc0, left = plan->ocg - oc0;
  for (int64_t c0 = 0; c0 < plan->icg; c0 += lanes) {
    int64_t c1 = c0 + lanes < plan->icg ? c0 + lanes : plan->icg;
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t c = c0; c < c1; c++, dst += width) {
        for (int64_t o = 0; o < width && o < left; o++) dst[o] = conv_weight(n, first + o, c, k);
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
  int64_t lanes = p->build->target->lanes, channels = packed_columns(plan->ocg, (int)lanes), full = plan->nb * lanes;
  for (int64_t group = 0; group < plan->groups; group++) {
    for (int64_t oc0 = 0; oc0 < channels; oc0 += full) {
      int64_t width = channels - oc0 < full ? channels - oc0 : full;
      dst = plan->planar ? pack_planar_panel(n, oc0, width, dst) : pack_panel(p, n, group, oc0, width, dst);
    }
  }
}

/* As for direct convolution, but what odd panels have for the first half of the input channels is the difference from the
 * panel before: T1 of emit/conv_strassen.c. */
static void pack_strassen(const Packer *p, const Node *n, float *dst) {
  const ConvPlan *plan = n->plan;
  int64_t panel = plan->icg * plan->nb * p->build->target->lanes;
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
  int64_t most = plan->stored ? plan->icg : plan->chunk * p->build->target->lanes;
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
  int64_t lanes = p->build->target->lanes, channels = size_round_up(plan->ocg, lanes), full = plan->nb * lanes;
  int64_t terms = plan->stored ? f.points * f.points : f.kernel * f.kernel;
  for (int64_t oc0 = 0; oc0 < channels; oc0 += full) {
    int64_t width = channels - oc0 < full ? channels - oc0 : full;
    pack_winograd_panel(p, n, oc0, width, dst);
    dst += plan->icg * width * terms;
  }
}

/* Where the outputs [*o, end) of a group leave the block of the first one, which is the next *o. */
static int64_t next_block(int64_t o, int64_t end, int64_t lanes) {
  int64_t next = (o / lanes + 1) * lanes;
  return next < end ? next : end;
}

/* [piece][run][tap][channel of the run][output of the piece]: pieces are the parts of a group's outputs that lie in one block
 * each, runs those of its inputs. */
static void pack_ragged(const Packer *p, const Node *n, float *dst) {
  const ConvPlan *plan = n->plan;
  const float *src = n->in[1]->data;
  int64_t taps = (int64_t)n->win.kh * n->win.kw, lanes = p->build->target->lanes, icg = plan->icg;
  for (int64_t o = 0, o1; o < (int64_t)plan->groups * plan->ocg; o = o1) {
    int64_t group = o / plan->ocg, c0 = group * icg;
    o1 = next_block(o, (group + 1) * plan->ocg, lanes);
    for (int64_t c = c0, c1; c < c0 + icg; c = c1) {
      c1 = next_block(c, c0 + icg, lanes);
      for (int64_t k = 0; k < taps; k++) {
        for (int64_t i = c - c0; i < c1 - c0; i++) {
          for (int64_t out = o; out < o1; out++) *dst++ = src[(out * icg + i) * taps + k];
        }
      }
    }
  }
}

/* [batch][tap][input of the group][output of the group][group of the batch]. */
static void pack_interleaved(const Packer *p, const Node *n, float *dst) {
  const ConvPlan *plan = n->plan;
  const float *src = n->in[1]->data;
  int64_t taps = (int64_t)n->win.kh * n->win.kw, lanes = p->build->target->lanes, groups = plan->groups;
  for (int64_t first = 0, width; first < groups; first += width) {
    width = block_width(first, groups, lanes);
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t i = 0; i < plan->icg; i++) {
        for (int64_t j = 0; j < plan->ocg; j++, dst += width) {
          for (int64_t g = 0; g < width && first + g < groups; g++) {
            dst[g] = src[(((first + g) * plan->ocg + j) * plan->icg + i) * taps + k];
          }
        }
      }
    }
  }
}

/* [panel][tap][channel block][output][channel in the block]; the last block holds what is left. */
static void pack_narrow(const Packer *p, const Node *n, float *dst) {
  const ConvPlan *plan = n->plan;
  int64_t taps = (int64_t)n->win.kh * n->win.kw, lanes = p->build->target->lanes;
  for (int64_t first = 0; first < plan->ocg; first += plan->nb) {
    int64_t end = first + plan->nb < plan->ocg ? first + plan->nb : plan->ocg;
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t c = 0, c1; c < plan->icg; c = c1) {
        c1 = next_block(c, plan->icg, lanes);
        for (int64_t o = first; o < end; o++) {
          for (int64_t i = c; i < c1; i++) *dst++ = conv_weight(n, o, i, k);
        }
      }
    }
  }
}

/* [tap][channel][output]. */
static void pack_pixels(const Node *n, float *dst) {
  int64_t taps = (int64_t)n->win.kh * n->win.kw;
  for (int64_t k = 0; k < taps; k++) {
    for (int64_t c = 0; c < n->plan->icg; c++) {
      for (int64_t o = 0; o < n->plan->ocg; o++) *dst++ = conv_weight(n, o, c, k);
    }
  }
}

static void pack_conv(const Packer *p, const Node *n, float *dst) {
  switch (n->plan->algorithm) {
  case CONV_DEPTHWISE: pack_depthwise(p, n, dst); return;
  case CONV_GROUPED: pack_grouped(p, n, dst); return;
  case CONV_RAGGED: pack_ragged(p, n, dst); return;
  case CONV_INTERLEAVED: pack_interleaved(p, n, dst); return;
  case CONV_NARROW: pack_narrow(p, n, dst); return;
  case CONV_PIXELS: pack_pixels(n, dst); return;
  case CONV_WINOGRAD: pack_winograd(p, n, dst); return;
  case CONV_STRASSEN: pack_strassen(p, n, dst); return;
  default: pack_direct(p, n, dst);
  }
}

/* ==== places ==== */

static bool is_packed_conv(const Node *n) { return n->op == OP_Conv && n->plan->algorithm != CONV_PLAIN; }

int64_t plan_bytes(const Target *t, const Node *n, const ConvPlan *p) { return size_mul(conv_floats(t->lanes, n, p), 4); }

int64_t packed_bytes(const Build *b, const Node *n) {
  if (n->op == OP_Gemm || n->op == OP_MatMul) return pack_gemm_size(b, n);
  return is_packed_conv(n) ? plan_bytes(b->target, n, n->plan) : 0;
}

/* Would these nodes read equal weights in the same order? */
static bool packed_alike(const Node *a, const Node *b) {
  const ConvPlan *p = a->plan, *q = b->plan;
  if (!shape_equal(&a->in[1]->shape, &b->in[1]->shape) || p->nb != q->nb) return false;
  if (a->op != OP_Conv || b->op != OP_Conv) return a->op == b->op && pack_gemm_alike(a, b);
  bool same = p->algorithm == q->algorithm && p->planar == q->planar && p->groups == q->groups && p->sums == q->sums;
  bool form = p->m == q->m && p->stored == q->stored && p->chunk == q->chunk && a->win.sh == b->win.sh;
  return same && (p->algorithm != CONV_WINOGRAD || form);
}

static bool items_equal(const void *a, const void *b) {
  const Item *x = a, *y = b;
  if (x->bytes != y->bytes || !x->packed != !y->packed) return false;
  return (!x->packed || packed_alike(x->packed, y->packed)) && memcmp(x->data, y->data, x->bytes) == 0;
}

/* The offset of the item, which takes `bytes` where it is new. */
static int64_t place(Packer *p, Item i, int64_t bytes) {
  if (i.bytes == 0) return reserve(p, bytes);
  Item *item = &p->item[p->n];
  *item = i;
  if (!p->build->alone) {
    void **place_of = map_at(p->build->graph->cx, &p->places, hash_bytes(0, i.data, i.bytes), item, items_equal);
    if (*place_of) return ((const Item *)*place_of)->offset;
    *place_of = item;
  }
  p->n++;
  return item->offset = reserve(p, bytes);
}

static Item item_of(const Value *v, const Node *packed) {
  return (Item){.packed = packed, .data = v->data, .bytes = value_bytes(v)};
}

/* Zeros for the layer with the most channels of those that have no bias. */
static int64_t place_zeros(Packer *p) {
  int64_t most = 0;
  if (p->zeros >= 0) return p->zeros;
  const Graph *g = p->build->graph;
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    bool bare = is_packed_conv(n) && (n->n_in < 3 || !n->in[2]);
    if (bare && n->out[0]->shape.d[1] > most) most = n->out[0]->shape.d[1];
  }
  return p->zeros = reserve(p, most * (int64_t)type_size(T_F32));
}

/* Rounded up to 64 bytes by `reserve`, so that a whole vector can be read at the last channel. A constant that several
 * nodes read has one place. */
static void place_constant(Packer *p, Value *v) {
  if (!v->data || v->place == P_CONST) return;
  Item i = item_of(v, NULL);
  v->offset = place(p, i, (int64_t)i.bytes);
  v->place = P_CONST;
}

static void place_weights(Packer *p, Node *n) {
  int64_t bytes = packed_bytes(p->build, n);
  if (bytes == 0 && !is_packed_conv(n)) return;
  n->plan->weights = place(p, item_of(n->in[1], n), bytes);
  if (n->op != OP_Conv) return;
  const Value *bias = n->n_in > 2 ? n->in[2] : NULL;
  n->plan->bias = bias ? place(p, item_of(bias, NULL), value_bytes(bias)) : place_zeros(p);
}

static void place_others(Packer *p, Node *n) {
  bool packed = packed_bytes(p->build, n) > 0;
  for (int k = 0; k < n->n_in; k++) {
    bool placed = packed && (k == 1 || (k == 2 && n->op == OP_Conv));
    if (n->in[k] && !placed) place_constant(p, n->in[k]);
  }
}

static void fill(const Packer *p, const Item *i) {
  if (!i->packed) memcpy(p->data + i->offset, i->data, i->bytes);
  else if (i->packed->op == OP_Conv) pack_conv(p, i->packed, (float *)(p->data + i->offset));
  else pack_gemm(p->build->target, i->packed, (float *)(p->data + i->offset));
}

void pass_pack(Build *b) {
  Graph *g = b->graph;
  Packer p = {.build = b, .zeros = -1};
  p.item = alloc_n(g->cx, (size_t)g->n_value + 2 * (size_t)g->n_node + 1, sizeof *p.item);
  for (int i = 0; i < g->n_node; i++) place_weights(&p, g->node[i]);
  for (int i = 0; i < g->n_node; i++) place_others(&p, g->node[i]);
  b->weights_size = p.size;
  b->weights = p.data = alloc(g->cx, (size_t)p.size);
  for (int i = 0; i < p.n; i++) fill(&p, &p.item[i]);
}
