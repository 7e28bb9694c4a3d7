/* images.c: a batch of a number of images, a few at a time at first. What the first layers make of all images fills caches that would
 * hold an image's, what the last ones read again for every image is mostly weights. So the nodes up to some one are run for a few
 * images after the others, those behind it for all:
 *
 *   x [8,3,224,224] Image [1,3,224,224] Conv ... Conv [1,1024,14,14] Images [8,1024,14,14] Conv ... Gemm [8,1000]
 *
 * In between, one value has all images. */
#include "cost.h"

/* ==== which nodes ==== */

/* Has v so many images, of their own? */
static bool has_images(const Value *v, int64_t images) {
  return !v->data && v->shape.rank == 4 && v->shape.d[0] == images && shape_count(&v->shape) > 0;
}

/* Does it compute every image from that image of the inputs that are none of its arguments? */
static bool keeps_images(const Node *n) {
  switch (n->op) {
  case OP_Pointwise: case OP_SpaceToDepth: case OP_DepthToSpace: return true;
  case OP_Concat: return n->p.axis == 1;
  case OP_Transpose: return n->p.perm[0] == 0;
  default: return op_info[n->op].family == FAMILY_CONV || op_info[n->op].family == FAMILY_POOL;
  }
}

bool takes_images(const Node *n, int64_t images) {
  if (n->n_out != 1 || !keeps_images(n) || !has_images(n->out[0], images)) return false;
  if (!has_images(n->in[0], images)) return false;
  for (int k = 1; k < n->n_in; k++) {
    const Value *v = n->in[k];
    if (!v || has_images(v, images)) continue;
    bool one_for_all = op_info[n->op].max_in > k || v->shape.rank < 4 || v->shape.d[0] == 1;
    if (!v->data || !one_for_all) return false;
  }
  return n->op == OP_Pointwise || n->op == OP_Concat || n->n_in == 1 || n->in[1]->data;
}

/* Frames of volumes count as images. */
static bool has_frames(const Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    if (g->node[i]->p.depth || op_info[g->node[i]->op].blocks == BLOCKS_STACKED) return true;
  }
  return false;
}

/* So many nodes, the first ones, can be run for some images at a time. */
static int count_taking(const Graph *g, int64_t images) {
  int n = 0;
  while (n < g->n_node && takes_images(g->node[n], images) && !g->node[n]->out[0]->is_output) n++;
  return n;
}

/* ==== where to end ==== */

/* For each value the number of the last node that reads it; -1: none does. */
static int *last_readers(const Graph *g) {
  int *last = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *last);
  for (int i = 0; i < g->n_value; i++) last[i] = -1;
  for (int i = 0; i < g->n_node; i++) {
    for (int k = 0; k < g->node[i]->n_in; k++) {
      if (g->node[i]->in[k]) last[g->node[i]->in[k]->id] = i;
    }
  }
  return last;
}

static bool makes_blocks_or_pools(const Node *n) {
  return op_info[n->op].family == FAMILY_CONV || op_info[n->op].family == FAMILY_POOL || n->op == OP_Pointwise;
}

/* Behind each of the first `taking` nodes: the one value that later nodes read of these; NULL: there are several, or it may lie in
 * another. */
static Value **find_cuts(const Graph *g, int taking) {
  const int *last = last_readers(g);
  Value **cut = alloc_n(g->cx, (size_t)taking + 1, sizeof *cut);
  int *ends = alloc_n(g->cx, (size_t)g->n_node + 1, sizeof *ends), alive = 0; /* values whose last reader is that node */
  for (int i = 0; i < taking; i++) {
    Value *y = g->node[i]->out[0];
    alive -= ends[i];
    if (last[y->id] >= 0) {
      alive++;
      ends[last[y->id]]++;
    }
    if (alive == 1 && last[y->id] > i && makes_blocks_or_pools(g->node[i])) cut[i] = y;
  }
  return cut;
}

/* ==== what it costs: bytes that come from beyond L2, and wait ==== */

/* In sizes of L2: a layer's inputs and results of which the next one still finds what it reads; what the caches beyond L2 hold for a
 * core. Of weights, which kernels fetch ahead, all but a quarter hides. To begin a layer takes as long as so many bytes. */
enum { L2_SIZES = 3, L3_SIZES = 16, HIDDEN = 4, BEGINNING = 16 << 10 };

static double bytes_an_image(const Node *n, int64_t images) {
  double sum = (double)value_bytes(n->out[0]);
  for (int k = 0; k < n->n_in; k++) {
    if (n->in[k] && !n->in[k]->data) sum += (double)value_bytes(n->in[k]);
  }
  return sum / (double)images;
}

static double weight_bytes(const Node *n) {
  bool has_weights = op_info[n->op].family == FAMILY_CONV || op_info[n->op].family == FAMILY_PRODUCT;
  return has_weights && n->in[1]->data ? (double)value_bytes(n->in[1]) : 0;
}

/* Of one of the images, so many of which are computed at a time. */
static double image_cost(const Target *t, const Node *n, int64_t images, int64_t together) {
  if (op_info[n->op].family == FAMILY_VIEW || !n->out[0]) return 0;
  double bytes = bytes_an_image(n, images), all = bytes * (double)together;
  double beyond_l2 = miss_share(all, L2_SIZES * t->l2), beyond_l3 = miss_share(all, L3_SIZES * t->l2);
  return bytes * (beyond_l2 + beyond_l3 / 2) + (weight_bytes(n) / HIDDEN + BEGINNING) / (double)together;
}

typedef struct Cut {
  int nodes;          /* so many, the first ones, are run ... */
  int64_t together;   /* ... for so many images at a time */
  double saved;
} Cut;

/* Keeps in *best what saves more than that. */
static void try_together(const Build *b, int64_t images, int64_t together, int taking, Value *const *cut, Cut *best) {
  double saved = 0;
  for (int i = 0; i < taking; i++) {
    const Node *n = b->graph->node[i];
    saved += image_cost(b->target, n, images, images) - image_cost(b->target, n, images, together);
    if (cut[i] && saved > best->saved) *best = (Cut){i + 1, together, saved};
  }
}

enum { MOST_TOGETHER = 64 };

static Cut best_cut(const Build *b, int64_t images, int taking, Value *const *cut) {
  Cut best = {0};
  for (int64_t together = 1; together < images && together <= MOST_TOGETHER; together++) {
    if (images % together == 0) try_together(b, images, together, taking, cut, &best);
  }
  return best;
}

/* As a test asks for it: no more nodes than that. */
static Cut wanted_cut(const Options *opt, int64_t images, int taking, Value *const *cut) {
  int n = opt->image_nodes < taking ? opt->image_nodes : taking;
  while (n > 0 && !cut[n - 1]) n--;
  bool fits = opt->images_together < images && images % opt->images_together == 0;
  return (Cut){.nodes = fits ? n : 0, .together = opt->images_together};
}

/* ==== the graph ==== */

/* In place of v in the nodes from `first` on and before `end`. */
static void replace_in(Graph *g, int first, int end, const Value *v, Value *with) {
  for (int i = first; i < end; i++) {
    for (int k = 0; k < g->node[i]->n_in; k++) {
      if (g->node[i]->in[k] == v) node_set_input(g, g->node[i], k, with);
    }
  }
}

static Value *insert(Graph *g, int at, Op op, Value *v, int64_t images) {
  const char *name = format_text(g->cx, "%s.%s", v->name, op == OP_Image ? "image" : "images");
  Node *n = node_insert(g, at, op, name, 1, &v, 1);
  attr_set_int(g, n, "images", images);
  n->out[0] = value_new(g, name, v->type, v->shape);
  n->out[0]->def = n;
  return n->out[0];
}

static void apply(Graph *g, const Cut *c, int64_t images, Value *joined) {
  int nodes = c->nodes;
  Value *all = insert(g, nodes, OP_Images, joined, images);
  replace_in(g, nodes + 1, g->n_node, joined, all);
  for (int i = 0; i < g->n_input; i++) {
    if (!has_images(g->input[i], images)) continue;
    Value *some = insert(g, 0, OP_Image, g->input[i], c->together);
    replace_in(g, 1, ++nodes, g->input[i], some);
  }
  for (int i = 0; i <= nodes; i++) infer_node(g, g->node[i]);
}

void pass_images(Build *b) {
  Graph *g = b->graph;
  int64_t images = g->n_input && g->input[0]->shape.rank == 4 ? g->input[0]->shape.d[0] : 0;
  if (g->symbolic || images < 2 || has_frames(g)) return;
  int taking = count_taking(g, images);
  Value **cut = find_cuts(g, taking);
  Cut c = b->options->image_nodes ? wanted_cut(b->options, images, taking, cut) : best_cut(b, images, taking, cut);
  if (c.nodes) apply(g, &c, images, cut[c.nodes - 1]);
}
