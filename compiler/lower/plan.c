/* plan.c: the workspace. Values that can share storage do (views, residuals that the result is written over); the rest
 * get offsets so that values alive at the same time do not meet. */
#include "lower.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct Storage {
  Build *build;
  Graph *g;
  Span *span;         /* by value id; of the root of an alias chain all members' */
  int *root;          /* sets of the values that share storage, each known by the root's id */
} Storage;

/* Whose storage it is. */
static Value *root_of(const Storage *p, const Value *v) { return p->g->value[set_of(p->root, v->id)]; }

static bool is_outside(const Value *v) { return v->is_input || v->is_output || v->data; }

/* ==== lifetimes ==== */

static void extend(Storage *p, Value *v, int at) {
  Span *s = &p->span[root_of(p, v)->id];
  if (at < s->first) s->first = at;
  if (at > s->last) s->last = at;
}

/* What does not depend on the image comes first, in the order that it had; of a number of images what depends on a few. */
static void sort_runs(Build *b) {
  Graph *g = b->graph;
  int first = 0, n = 0;
  b->image_runs = image_runs(g);
  b->n_image = g->n_node;
  if (!g->symbolic && !b->image_runs) return;
  Node **later = alloc_n(g->cx, (size_t)g->n_node + 1, sizeof *later);
  for (int i = 0; i < g->n_node; i++) {
    if (node_is_batched(g->node[i]) == g->symbolic) later[n++] = g->node[i];
    else g->node[first++] = g->node[i];
  }
  move_bytes(g->node + first, later, (size_t)n * sizeof *later);
  for (int i = 0; i < g->n_node; i++) g->node[i]->at = i;
  if (g->symbolic) b->n_once = first;
  else b->n_image = first;
}

/* Do the images read what is made once, or is it of all of them, made by some at a time? */
static bool outlives_runs(const Build *b, const Span *s) {
  int end = b->image_runs ? b->n_image : b->n_once;
  return s->first < end && s->last >= end;
}

/* What all threads share while a node runs is a value of its own. */
static void add_work_values(Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    if (!n->plan || n->plan->at.shared == 0) continue;
    Shape s = {.rank = 1, .d = {n->plan->at.shared}};
    n->plan->at.work = value_new(g, format_text(g->cx, "%s.work", n->out[0]->name), T_U8, s);
    n->plan->at.work->layout = layout_plain(&s);
  }
}

static void measure(Storage *p) {
  Graph *g = p->g;
  for (int i = 0; i < g->n_value; i++) p->span[i] = (Span){.first = g->n_node, .last = -1, .align = 64};
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    for (int k = 0; k < n->n_in; k++) {
      if (n->in[k]) extend(p, n->in[k], i);
    }
    for (int k = 0; k < n->n_out; k++) {
      if (n->out[k]) extend(p, n->out[k], i);
    }
    if (!n->plan || !n->plan->at.work) continue;
    extend(p, n->plan->at.work, i);
    p->span[n->plan->at.work->id].align = WORK_ALIGN;
  }
}

/* ==== shared storage ==== */

static void share(Storage *p, Value *v, Value *with) {
  Span s = p->span[root_of(p, v)->id];
  v->alias = with;
  v->alias_offset = 0;
  set_join(p->root, v->id, with->id);
  extend(p, with, s.first);
  extend(p, with, s.last);
}

/* A view lies where its input lies; where it is a graph output, its input is computed there instead. */
static void share_view(Storage *p, Node *n) {
  Value *x = n->in[0], *y = n->out[0];
  if (x->data || x->type != y->type || y->alias || x->alias == y || !layout_is_plain(x) || !layout_is_plain(y)) return;
  if (!y->is_output) share(p, y, x);
  else if (x->def && x->def->op == OP_Images) return; /* runs find their images in the workspace */
  else if (x->batched == y->batched && !is_outside(root_of(p, x)) && !x->alias && !x->layout.block) share(p, x, y);
}

static bool same_layout(const Value *a, const Value *b) {
  return a->type == b->type && shape_equal(&a->shape, &b->shape) && layout_equal(&a->layout, &b->layout);
}

/* Is n among nodes that run in strips, another of which reads the root as well? That may come to it after n has written there. */
static bool is_read_beside(const Storage *p, const Node *n, const Value *root) {
  const Strips *s = strips_of(p->build, n->at);
  for (int i = s ? s->first : 0; s && i <= s->last; i++) {
    const Node *m = p->g->node[i];
    for (int k = 0; k < m->n_in && m != n; k++) {
      if (m->in[k] && root_of(p, m->in[k]) == root) return true;
    }
  }
  return false;
}

/* Is each element of its first input read for the last time before the result's in that place is written? */
static bool reads_in_place(const Node *n) { return n->op == OP_Pointwise || n->op == OP_Normalize; }

static bool may_overwrite(const Storage *p, const Node *n, int at, Value *arg) {
  Value *root = root_of(p, arg), *y = n->out[0];
  if (is_outside(root) || is_outside(y) || y->alias || !same_layout(arg, y)) return false;
  if (p->span[root->id].last != at || outlives_runs(p->build, &p->span[root->id])) return false; /* the next image reads it */
  if (is_read_beside(p, n, root)) return false;
  for (int k = 0; k < n->n_in; k++) { /* a window or another place of the same storage must not be read after */
    bool elsewhere = n->in[k] && root_of(p, n->in[k]) == root && (n->in[k] != arg || (k == 0 && !reads_in_place(n)));
    if (elsewhere) return false;
  }
  return true;
}

/* The result is written over an argument of the epilogue that nobody reads later: element by element, each read before
 * it is written. */
static void share_in_place(Storage *p, Node *n, int at) {
  if (op_info[n->op].epilogue != EPILOGUE_IN_PLACE) return;
  if (reads_in_place(n) && may_overwrite(p, n, at, n->in[0])) {
    share(p, n->out[0], n->in[0]);
    return;
  }
  for (int k = 0; k < n->n_step; k++) {
    int arg = n->step[k].arg;
    if (step_arg_class(n, &n->step[k]) != ARG_TENSOR || !may_overwrite(p, n, at, n->in[arg])) continue;
    share(p, n->out[0], n->in[arg]);
    return;
  }
}

/* Of nodes that run in strips the last begins before the first has ended. */
static void extend_strips(Storage *p) {
  const Build *b = p->build;
  for (const Strips *s = b->strips; s < b->strips + b->n_strips; s++) {
    for (int i = s->first; i <= s->last; i++) {
      const Node *n = p->g->node[i];
      for (int k = 0; k < n->n_in; k++) {
        if (n->in[k]) extend(p, n->in[k], s->last);
      }
      extend(p, n->out[0], s->first);
    }
  }
}

/* ==== offsets ==== */

static int64_t storage_bytes(const Storage *p, const Value *v) {
  int64_t bytes;
  if (!mul_size(v->layout.size, (int64_t)type_size(v->type), &bytes) || bytes > p->build->options->max_memory) {
    fail(p->g->cx, "value \"%s\" alone is larger than the memory limit", v->name);
  }
  return size_round_up(bytes, 64);
}

/* All of these live through all images, so none shares memory with another. */
static void place_once(Build *b, Value *v, const Span *s) {
  v->place = P_ONCE;
  v->offset = size_round_up(b->once_size, s->align);
  b->once_size = size_add(v->offset, s->bytes);
}

static void place_work(Storage *p) {
  Build *b = p->build;
  Graph *g = p->g;
  Span *list = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *list);
  Value **value = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *value);
  int n = 0;
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    if (v->alias || is_outside(v) || p->span[i].last < 0) continue;
    list[n] = p->span[i];
    list[n].bytes = storage_bytes(p, v);
    if (outlives_runs(b, &list[n])) place_once(b, v, &list[n]);
    else value[n++] = v;
  }
  b->work_size = place_spans(g->cx, list, n);
  for (int i = 0; i < n; i++) {
    value[i]->place = P_WORK;
    value[i]->offset = list[i].offset;
  }
}

static void place_outside(Graph *g) {
  for (int i = 0; i < g->n_input; i++) {
    g->input[i]->place = P_INPUT;
    g->input[i]->offset = i;
  }
  for (int i = 0; i < g->n_output; i++) {
    g->output[i]->place = P_OUTPUT;
    g->output[i]->offset = i;
  }
}

/* Chains are followed by the offsets that layout gave, so none may be replaced by its sum before all are summed: from the first
 * in a chain whose sum is known, or the root, back. */
static void place_aliases(Storage *p) {
  Graph *g = p->g;
  int64_t *sum = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *sum);
  bool *known = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *known);
  const Value **chain = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *chain);
  for (int i = 0; i < g->n_value; i++) {
    int n = 0;
    for (const Value *v = g->value[i]; v->alias && !known[v->id]; v = v->alias) chain[n++] = v;
    while (n-- > 0) {
      const Value *v = chain[n];
      sum[v->id] = sum[v->alias->id] + v->alias_offset;
      known[v->id] = true;
    }
  }
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    if (!v->alias) continue;
    const Value *root = root_of(p, v);
    v->place = root->place;
    v->offset = root->offset;
    v->alias_offset = sum[i];
  }
}

/* What some images leave to all lies in that, where these are. */
static void place_images(Graph *g) {
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = g->value[i];
    while (v->alias && !(v->alias->def && v->alias->def->op == OP_Images)) v = v->alias;
    if (v->alias && v->alias->def->in[0] == v) g->value[i]->place = P_IMAGE;
  }
}

static void size_scratch(Build *b) {
  const Graph *g = b->graph;
  for (int i = 0; i < g->n_node; i++) {
    const Plan *plan = g->node[i]->plan;
    if (plan && plan->at.scratch > b->scratch_size) b->scratch_size = plan->at.scratch;
  }
  int64_t align = b->scratch_size < WORK_ALIGN ? 64 : WORK_ALIGN;
  b->scratch_size = size_round_up(b->scratch_size, align);
  if (b->scratch_size > 0) b->work_size = size_round_up(b->work_size, align);
  b->once_size = size_round_up(b->once_size, align);
}

int64_t workspace_bytes(const Build *b) { return size_add(b->once_size, size_add(b->work_size, b->scratch_size)); }

int layers_before(const Build *b, int node) {
  int n = 0;
  while (n < b->n_layer && b->layer[n].node->at < node) n++;
  return n;
}

static void check_memory(const Build *b) {
  int64_t work = workspace_bytes(b);
  double mib = 1 << 20;
  if (size_add(work, b->weights_size) <= b->options->max_memory) return;
  fail(b->graph->cx, "needs %.6g MiB of weights and %.6g MiB of workspace, the memory limit is %.6g MiB",
       (double)b->weights_size / mib, (double)work / mib, (double)b->options->max_memory / mib);
}

void pass_plan(Build *b) {
  Graph *g = b->graph;
  graph_compact(g);
  sort_runs(b);
  add_work_values(g);
  find_strips(b);
  Storage p = {.build = b, .g = g, .span = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *p.span), .root = sets_new(g->cx, g->n_value)};
  for (int i = 0; i < g->n_value; i++) {
    if (g->value[i]->alias) set_join(p.root, i, g->value[i]->alias->id);
  }
  measure(&p);
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    bool blocks_to_plain = n->op == OP_Reorder && n->in[0]->layout.block;
    if (op_info[n->op].family == FAMILY_VIEW || blocks_to_plain) share_view(&p, n);
    else share_in_place(&p, n, i);
  }
  extend_strips(&p);
  place_outside(g);
  place_work(&p);
  place_aliases(&p);
  if (b->image_runs) place_images(g);
  size_scratch(b);
  check_memory(b);
}
