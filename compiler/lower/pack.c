/* pack.c: the read-only data of the object: weights in the order in which the kernels read them, so that one stream can be
 * prefetched across layers, then every other constant. */
#include "conv.h"

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

/* ==== places ==== */

int64_t packed_bytes(const Build *b, const Node *n) {
  if (!is_packed(n)) return 0;
  int64_t bytes = n->plan->how->packed(b->target, n, n->plan);
  if (bytes == SIZE_OVERFLOW) fail_at(b->graph, n, "weights too large");
  return type_is_half(n->plan->weights) ? bytes / 2 : bytes;
}

bool packed_alike(const Node *a, const Node *b) {
  if (a->plan->how != b->plan->how || a->plan->weights != b->plan->weights || !shape_equal(&a->in[1]->shape, &b->in[1]->shape)) return false;
  return a->plan->how->alike(a, b);
}

static bool items_equal(const void *a, const void *b) {
  const Item *x = a, *y = b;
  if (x->bytes != y->bytes || !x->packed != !y->packed) return false;
  return (!x->packed || packed_alike(x->packed, y->packed)) && same_bytes(x->data, y->data, x->bytes);
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
    bool bare = n->op == OP_Conv && is_packed(n) && (n->n_in < 3 || !n->in[2]);
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

static void place_numbers(Packer *p, Node *n) {
  int64_t bytes = numbers_bytes(n);
  if (bytes == 0) return;
  void *numbers = alloc(p->build->graph->cx, (size_t)bytes);
  numbers_write(n, numbers);
  n->plan->at.bias = place(p, (Item){.data = numbers, .bytes = (size_t)bytes}, bytes);
}

static void place_weights(Packer *p, Node *n) {
  if (!is_packed(n)) return;
  n->plan->at.weights = place(p, item_of(n->in[1], n), packed_bytes(p->build, n));
  place_numbers(p, n);
  if (n->op != OP_Conv) return;
  const Value *bias = n->n_in > 2 ? n->in[2] : NULL;
  n->plan->at.bias = bias ? place(p, item_of(bias, NULL), value_bytes(bias)) : place_zeros(p);
}

static void place_others(Packer *p, Node *n) {
  bool packed = is_packed(n);
  for (int k = 0; k < n->n_in; k++) {
    bool placed = packed && (k == 1 || (k == 2 && n->op == OP_Conv) || k == integer_bias_input(n));
    if (n->in[k] && !placed) place_constant(p, n->in[k]);
  }
}

static void fill(const Packer *p, const Item *i) {
  uint8_t *to = p->data + i->offset;
  if (i->packed && type_is_half(i->packed->plan->weights)) pack_halves(p->build, i->packed, to);
  else if (i->packed) i->packed->plan->how->pack(p->build->target, i->packed, to);
  else move_bytes(to, i->data, i->bytes);
}

static void place_graph(Packer *p, Graph *g) {
  for (int i = 0; i < g->n_node; i++) place_weights(p, g->node[i]);
  for (int i = 0; i < g->n_node; i++) place_others(p, g->node[i]);
}

static size_t most_items(const Graph *g) { return (size_t)g->n_value + 2 * (size_t)g->n_node + 1; }

/* There is none where it would need weights of its own: by more than one part of so many. */
static void place_group(Packer *p, Build *b) {
  enum { MOST_GROWTH = 64 };
  int64_t size = p->size;
  int n = p->n;
  place_graph(p, b->group->graph);
  if (p->size - size <= size / MOST_GROWTH || b->options->image_nodes) return;
  p->size = size;
  p->n = n;
  b->group = NULL;
}

void pass_pack(Build *b) {
  Graph *g = b->graph;
  Packer p = {.build = b, .zeros = -1};
  if (b->one) return;
  p.item = alloc_n(g->cx, most_items(g) + (b->group ? most_items(b->group->graph) : 0), sizeof *p.item);
  place_graph(&p, g);
  if (b->group) place_group(&p, b);
  b->weights_size = p.size;
  b->weights = p.data = alloc(g->cx, (size_t)p.size);
  for (int i = 0; i < p.n; i++) fill(&p, &p.item[i]);
  if (b->group) b->group->weights_size = p.size, b->group->weights = p.data;
}
