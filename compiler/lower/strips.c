/* strips.c: layers in a row that run in strips. What one makes for the next may be larger than L2; a strip, a few rows of each, is
 * not. So each layer runs as many tasks, which make its rows from the first to the last, and a task runs as soon as the rows that it
 * reads are there, that of the last layer first.
 *
 * That is for one thread, and for a CPU whose memory beyond L2 is slow. Of several threads, each has its part of the rows in its own
 * L2. */
#include "cost.h"

/* Rows of all images, one after the other. */
static int64_t row_count(const Value *v) { return v->shape.d[0] * v->shape.d[2]; }

/* Are the rows of the result the items that the layer's tasks share out? */
static bool makes_rows(const Node *n) {
  if (n->n_out != 1 || !n->in[0] || n->out[0]->shape.rank != 4 || !n->out[0]->layout.block || n->out[0]->is_output) return false;
  if (shape_count(&n->out[0]->shape) == 0 || shape_count(&n->in[0]->shape) == 0) return false;
  if (n->op == OP_Pointwise && shape_count(&n->out[0]->shape) <= SERIAL_ELEMENTS) return false;
  if (n->op == OP_Pointwise) return n->in[0]->layout.block && shape_equal(&n->in[0]->shape, &n->out[0]->shape);
  if (n->op != OP_Conv || !n->plan || n->win.kd > 1) return false;
  return n->plan->how->in_rows && n->plan->how->in_rows(n->plan);
}

/* The last row of input k that row `row` of n's result needs. */
static int64_t last_row(const Node *n, int k, int64_t row) {
  int64_t height = n->in[k]->shape.d[2], rows = n->out[0]->shape.d[2], image = row / rows, y = row % rows;
  const Window *w = &n->win;
  if (k > 0 || n->op != OP_Conv) return row;
  return image * height + size_max(0, size_min(height - 1, y * w->sh - w->top + (w->kh - 1) * w->dh));
}

/* How many of the rows are whole after so many tasks; the next one may have begun. */
static int64_t rows_after(int64_t rows, int64_t tasks, int64_t count) { return rows * tasks / count; }

/* The number of the node from `first` on and before `end` that makes v; -1: none does. */
static int maker_of(int first, int end, const Value *v) {
  return v && v->def && first <= v->def->at && v->def->at < end ? v->def->at : -1;
}

/* Does node number `last` read of those before it, from `first` on, what the one next to it makes, and otherwise only rows that lie
 * beside its own? */
static bool continues(const Build *b, int first, int last) {
  const Node *n = b->graph->node[last];
  if (n->in[0] != b->graph->node[last - 1]->out[0]) return false;
  for (int k = 1; k < n->n_in; k++) {
    Value *v = n->in[k];
    if (!v || v->data) continue;
    if (maker_of(first, last, v) >= 0) {
      if (row_count(v) != row_count(n->out[0])) return false;
      continue;
    }
    for (int i = first; i < last; i++) {
      if (whole_of(v) == whole_of(b->graph->node[i]->out[0])) return false;
    }
  }
  return true;
}

static double bytes_of(const Value *v) { return (double)v->layout.size * (double)type_size(v->type); }

/* A strip of all values is to be an eighth of L2, but at least a row of the map with the fewest. */
static int strip_count(const Build *b, int first, int last) {
  double bytes = bytes_of(b->graph->node[first]->in[0]);
  int64_t least = INT32_MAX;
  for (int i = first; i <= last; i++) {
    const Value *v = b->graph->node[i]->out[0];
    bytes += bytes_of(v);
    least = size_min(least, row_count(v));
  }
  double wanted = 8 * bytes / (double)b->target->l2;
  int64_t height = wanted < (double)least ? size_max(1, (int64_t)((double)least / size_max(1, (int64_t)wanted))) : 1;
  return (int)size_min(size_ceiling(least, height), MOST_STRIPS);
}

static bool has_depthwise(const Build *b, int first, int last) {
  for (int i = first; i <= last; i++) {
    const Node *n = b->graph->node[i];
    if (n->op == OP_Conv && conv_is_depthwise(n)) return true;
  }
  return false;
}

/* The last of the nodes that run in strips with node number `first`: as long as what one makes for the next would fill half
 * of L2. */
static int strips_end(const Build *b, int first) {
  const Graph *g = b->graph;
  int last = first;
  if (!makes_rows(g->node[first])) return first;
  bool batched = g->node[first]->out[0]->batched;
  while (last + 1 < g->n_node && makes_rows(g->node[last + 1]) && g->node[last + 1]->out[0]->batched == batched) {
    if (bytes_of(g->node[last]->out[0]) <= (double)b->target->l2 / 2 || !continues(b, first, last + 1)) break;
    last++;
  }
  return last;
}

/* Each value is written and read once. */
static bool strips_are_faster(const Build *b, const Strips *s) {
  double bytes = 0;
  for (int i = s->first; i < s->last; i++) bytes += 2 * bytes_of(b->graph->node[i]->out[0]);
  return strips_pay(b->target, bytes, strips_tasks(s));
}

void find_strips(Build *b) {
  const Graph *g = b->graph;
  b->strips = alloc_n(g->cx, (size_t)g->n_node + 1, sizeof *b->strips);
  for (int first = 0; first < g->n_node; first++) {
    int last = strips_end(b, first);
    if (last > first && has_depthwise(b, first, last)) {
      const Strips s = {first, last, strip_count(b, first, last)};
      if (strips_are_faster(b, &s)) b->strips[b->n_strips++] = s;
    }
    first = last;
  }
}

/* May the node run its next task, so many of each being done? */
static bool is_ready(const Build *b, const Strips *s, int node, const int *done) {
  const Node *n = b->graph->node[node];
  int64_t rows = row_count(n->out[0]), to = size_ceiling(rows * (done[node - s->first] + 1), s->count);
  for (int k = 0; k < n->n_in; k++) {
    int maker = maker_of(s->first, node, n->in[k]);
    if (maker < 0) continue;
    if (rows_after(row_count(n->in[k]), done[maker - s->first], s->count) <= last_row(n, k, to - 1)) return false;
  }
  return true;
}

int strips_tasks(const Strips *s) { return (s->last - s->first + 1) * s->count; }

StripTask *strips_order(const Build *b, const Strips *s) {
  Context *cx = b->graph->cx;
  int total = strips_tasks(s), *done = alloc_n(cx, (size_t)(s->last - s->first + 1), sizeof *done);
  StripTask *order = alloc_n(cx, (size_t)total, sizeof *order);
  for (int i = 0; i < total; i++) {
    int node = s->last;
    while (done[node - s->first] == s->count || !is_ready(b, s, node, done)) node--;
    order[i] = (StripTask){node, done[node - s->first]++};
  }
  return order;
}

const Strips *strips_of(const Build *b, int node) {
  for (const Strips *s = b->strips; s < b->strips + b->n_strips; s++) {
    if (s->first <= node && node <= s->last) return s;
  }
  return NULL;
}
