/* group.c: images of a symbolic batch by groups. Beside the code for one image a build has that for a number of them, whose last layers
 * read their weights once for all. Its first layers have the same functions, and the weights are the same: what it takes are the
 * functions of the last ones. What is left over of a batch goes image by image. */
#include "cost.h"

enum { GROUP = 8, LEAST_WEIGHTS = 8 << 20 /* bytes: smaller networks would grow by more than it is worth */ };
/* Of the memory limit a group's values, and what is compiled so far, take no more than one part of so many each. */
enum { VALUES_SHARE = 8, COMPILED_SHARE = 2 };

/* ==== which graphs ==== */

/* Along their first dimension images stay apart in what these make of matrices. */
static bool keeps_rows(const Node *n) {
  const Value *x = n->in[0];
  if (x->shape.rank < 2 || x->shape.d[0] != 1) return false;
  if (n->op == OP_Flatten) return n->p.axis == 1;
  if (n->op == OP_Softmax) return n->p.axis == x->shape.rank - 1;
  return n->op == OP_Gemm && !n->p.trans_a && n->in[1]->data;
}

/* Are what else it reads constants that serve every image, or images? */
static bool reads_rows(const Node *n) {
  for (int k = 0; k < n->n_in; k++) {
    const Value *v = n->in[k];
    bool one_for_all = v && v->data && (k == 1 || v->shape.rank < 2 || v->shape.d[0] == 1);
    if (v && !one_for_all && (v->data || !v->batched || v->shape.rank < 1 || v->shape.d[0] != 1)) return false;
  }
  return true;
}

static bool grows(const Node *n) {
  bool image = n->in[0] && !n->in[0]->data && n->in[0]->batched && n->out[0] && node_is_batched(n);
  return image && (takes_images(n, 1) || (n->n_out == 1 && keeps_rows(n) && reads_rows(n)));
}

static int64_t weights_of(const Graph *g) {
  int64_t bytes = 0;
  for (int i = 0; i < g->n_node; i++) {
    for (int k = 0; k < g->node[i]->n_in; k++) {
      const Value *v = g->node[i]->in[k];
      if (v && v->data) bytes = size_add(bytes, (int64_t)value_bytes(v));
    }
  }
  return bytes;
}

/* Bytes of all values of an image: an upper bound of what a group may need beside the borders. */
static int64_t values_of(const Graph *g) {
  int64_t bytes = 0;
  for (int i = 0; i < g->n_value; i++) {
    if (!g->value[i]->data) bytes = size_add(bytes, (int64_t)value_bytes(g->value[i]));
  }
  return bytes;
}

static bool can_grow(const Graph *g, int64_t images) {
  for (int i = 0; i < g->n_input; i++) {
    if (!g->input[i]->batched || g->input[i]->shape.rank < 1 || g->input[i]->shape.d[0] != 1) return false;
  }
  for (int i = 0; i < g->n_node; i++) {
    if (!grows(g->node[i])) return false;
  }
  for (int i = 0; i < g->n_output; i++) {
    if (!g->output[i]->batched || !g->output[i]->def) return false;
  }
  int64_t most = g->cx->max_memory;
  return size_mul(values_of(g), VALUES_SHARE * images) < most && arena_used(g->cx->arena) < most / COMPILED_SHARE;
}

/* ==== the graph of a group ==== */

static Shape *grown_shapes(Graph *g, Value *const *v, int n) {
  Shape *shape = alloc_n(g->cx, (size_t)n + 1, sizeof *shape);
  for (int i = 0; i < n; i++) shape[i] = v[i]->shape;
  return shape;
}

static Graph *grown(const Graph *one, int64_t images) {
  Graph *g = graph_copy(one->cx, one);
  g->symbolic = false;
  for (int i = 0; i < g->n_value; i++) g->value[i]->batched = false;
  for (int i = 0; i < g->n_input; i++) g->input[i]->shape.d[0] = images;
  for (int i = 0; i < g->n_node; i++) infer_node(g, g->node[i]);
  g->input_shape = grown_shapes(g, g->input, g->n_input);
  g->output_shape = grown_shapes(g, g->output, g->n_output);
  return g;
}

Build *group_new(const Build *b) {
  const Graph *g = b->graph;
  int64_t images = b->options->image_nodes ? 2 : GROUP;
  bool wanted = b->options->image_nodes || (!b->options->small && weights_of(g) >= LEAST_WEIGHTS);
  if (!g->symbolic || !wanted || g->n_node == 0 || !can_grow(g, images)) return NULL;
  Build *group = alloc(g->cx, sizeof *group);
  *group = *b;
  group->graph = grown(g, images);
  group->one = b;
  return group;
}

int64_t group_images(const Build *b) { return b->group->graph->input[0]->shape.d[0]; }

/* ==== plans ==== */

static const void *weights_data(const Node *n) { return is_packed(n) ? n->in[1]->data : NULL; }

static bool same_weights(const void *a, const void *b) {
  return weights_data(a) == weights_data(b) && ((const Node *)a)->op == ((const Node *)b)->op;
}

/* Of those that read the same weights, the first. */
static Node **node_at(Context *cx, Map *nodes, Node *n) {
  uint64_t hash = hash_word(0, (uint64_t)(uintptr_t)weights_data(n));
  return (Node **)map_at(cx, nodes, hash, n, same_weights);
}

static Map nodes_of_weights(Graph *g) {
  Map nodes = {0};
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    if (!weights_data(n)) continue;
    Node **at = node_at(g->cx, &nodes, n);
    if (!*at) *at = n;
  }
  return nodes;
}

/* Does n with this plan read its weights as that node? */
static bool reads_as(const Target *t, Node *n, Plan *p, const Node *one) {
  if (p->how == one->plan->how && p->how->follow) p->how->follow(t, n, one->plan, p);
  n->plan = p;
  return packed_alike(n, one);
}

/* The candidates are in the order of their costs. */
static void plan_as(const Target *t, Node *n, const Node *one) {
  Candidates *list = n->candidates;
  Plan *own = n->plan;
  if (reads_as(t, n, own, one)) return;
  for (int i = 0; list && i < list->n; i++) {
    if (!reads_as(t, n, &list->item[i].plan, one)) continue;
    list->chosen = i;
    return;
  }
  n->plan = own;
}

void plans_as_one(const Build *group) {
  Graph *g = group->graph;
  Map nodes = nodes_of_weights(group->one->graph);
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i], *one = weights_data(n) ? *node_at(g->cx, &nodes, n) : NULL;
    if (one) plan_as(group->target, n, one);
  }
}
