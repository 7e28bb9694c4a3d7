/* plan.c: the workspace. Values that can share storage do (views, residuals that the result is written over); the rest
 * get offsets so that values alive at the same time do not meet. */
#include "codegen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct Span {
  Value *root;
  int first, last;    /* node numbers between which the storage is in use */
  int64_t bytes, align;
} Span;

typedef struct Plan {
  Graph *g;
  Span *span;         /* by value id; of the root of an alias chain all members' */
} Plan;

static Value *root_of(Value *v) {
  while (v->alias) v = v->alias;
  return v;
}

static bool is_outside(const Value *v) { return v->is_input || v->is_output || v->data; }

/* ==== lifetimes ==== */

static void extend(Plan *p, Value *v, int at) {
  Span *s = &p->span[root_of(v)->id];
  if (at < s->first) s->first = at;
  if (at > s->last) s->last = at;
}

/* What all threads share while a node runs is a value of its own. */
static void add_work_values(Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    if (!n->plan || n->plan->shared == 0) continue;
    Shape s = {.rank = 1, .d = {n->plan->shared / 4}};
    n->plan->work = value_new(g, format_text(g->cx, "%s.work", n->out[0]->name), T_F32, s);
    n->plan->work->layout = layout_plain(&s);
  }
}

static void measure(Plan *p) {
  Graph *g = p->g;
  for (int i = 0; i < g->n_value; i++) p->span[i] = (Span){.root = g->value[i], .first = g->n_node, .last = -1, .align = 64};
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    for (int k = 0; k < n->n_in; k++) {
      if (n->in[k]) extend(p, n->in[k], i);
    }
    for (int k = 0; k < n->n_out; k++) {
      if (n->out[k]) extend(p, n->out[k], i);
    }
    if (!n->plan || !n->plan->work) continue;
    extend(p, n->plan->work, i);
    p->span[n->plan->work->id].align = WORK_ALIGN;
  }
}

/* ==== shared storage ==== */

static void share(Plan *p, Value *v, Value *with) {
  Span s = p->span[root_of(v)->id];
  v->alias = with;
  v->alias_offset = 0;
  extend(p, with, s.first);
  extend(p, with, s.last);
}

/* A view lies where its input lies; where it is a graph output, its input is computed there instead. */
static void share_view(Plan *p, Node *n) {
  Value *x = n->in[0], *y = n->out[0];
  if (x->data || y->alias || !layout_is_plain(x) || !layout_is_plain(y)) return;
  if (!y->is_output) share(p, y, x);
  else if (!is_outside(root_of(x)) && !x->alias && !x->layout.block) share(p, x, y);
}

static bool same_layout(const Value *a, const Value *b) {
  return a->type == b->type && shape_equal(&a->shape, &b->shape) && layout_equal(&a->layout, &b->layout);
}

static bool may_overwrite(const Plan *p, const Node *n, int at, Value *arg) {
  Value *root = root_of(arg), *y = n->out[0];
  if (is_outside(root) || is_outside(y) || y->alias || !same_layout(arg, y)) return false;
  if (p->span[root->id].last != at) return false;
  for (int k = 0; k < n->n_in; k++) { /* a window or another place of the same storage must not be read after */
    bool elsewhere = n->in[k] && root_of(n->in[k]) == root && (n->in[k] != arg || (k == 0 && n->op != OP_Pointwise));
    if (elsewhere) return false;
  }
  return true;
}

/* The result is written over an argument of the epilogue that nobody reads later: element by element, each read before
 * it is written. */
static void share_in_place(Plan *p, Node *n, int at) {
  if (op_info[n->op].kind != K_ANCHOR || n->op == OP_BatchNormalization) return;
  if (n->op == OP_Gemm || n->op == OP_MatMul) return;
  if (n->op == OP_Pointwise && may_overwrite(p, n, at, n->in[0])) {
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

/* ==== offsets ==== */

static int by_size(const void *a, const void *b) {
  const Span *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x->root->id - y->root->id;
}

static int by_offset(const void *a, const void *b) {
  const Span *x = *(Span *const *)a, *y = *(Span *const *)b;
  return (x->root->offset > y->root->offset) - (x->root->offset < y->root->offset);
}

/* The lowest gap among the spans placed so far that live at the same time. Largest first is within a few per cent of the
 * lower bound for networks like these. */
static int64_t lowest_gap(const Span *s, Span *placed, int n, Span **alive) {
  int count = 0;
  for (int i = 0; i < n; i++) {
    if (placed[i].first <= s->last && s->first <= placed[i].last) alive[count++] = &placed[i];
  }
  qsort(alive, (size_t)count, sizeof *alive, by_offset);
  int64_t at = 0;
  for (int i = 0; i < count; i++) {
    int64_t begin = alive[i]->root->offset, end = size_round_up(size_add(begin, alive[i]->bytes), s->align);
    if (size_add(at, s->bytes) <= begin) break;
    if (end > at) at = end;
  }
  return at;
}

static int64_t storage_bytes(const Plan *p, const Value *v) {
  int64_t bytes;
  if (!mul_size(v->layout.size, (int64_t)type_size(v->type), &bytes) || bytes > p->g->opt->max_memory) {
    fail(p->g->cx, "value \"%s\" alone is larger than the memory limit", v->name);
  }
  return size_round_up(bytes, 64);
}

static void place_spans(Plan *p) {
  Graph *g = p->g;
  Span *list = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *list);
  Span **alive = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *alive);
  int n = 0;
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    if (v->alias || is_outside(v) || p->span[i].last < 0) continue;
    list[n] = p->span[i];
    list[n++].bytes = storage_bytes(p, v);
  }
  qsort(list, (size_t)n, sizeof *list, by_size);
  for (int i = 0; i < n; i++) {
    list[i].root->place = P_WORK;
    list[i].root->offset = lowest_gap(&list[i], list, i, alive);
    int64_t end = size_add(list[i].root->offset, list[i].bytes);
    if (end > g->work_size) g->work_size = end;
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

/* Chains are followed by the offsets that layout gave, so none may be replaced by its sum before all are summed. */
static void place_aliases(Graph *g) {
  int64_t *sum = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *sum);
  for (int i = 0; i < g->n_value; i++) {
    for (const Value *v = g->value[i]; v->alias; v = v->alias) sum[i] += v->alias_offset;
  }
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    if (!v->alias) continue;
    const Value *root = root_of(v);
    v->place = root->place;
    v->offset = root->offset;
    v->alias_offset = sum[i];
  }
}

static void size_scratch(Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    const ConvPlan *plan = g->node[i]->plan;
    if (plan && plan->scratch > g->scratch_size) g->scratch_size = plan->scratch;
  }
  int64_t align = g->scratch_size < WORK_ALIGN ? 64 : WORK_ALIGN;
  g->scratch_size = size_round_up(g->scratch_size, align);
  if (g->scratch_size > 0) g->work_size = size_round_up(g->work_size, align);
}

static void check_memory(Graph *g) {
  int64_t work = size_add(g->work_size, g->scratch_size);
  double mib = 1 << 20;
  if (size_add(work, g->weights_size) <= g->opt->max_memory) return;
  fail(g->cx, "needs %.6g MiB of weights and %.6g MiB of workspace; the memory limit is %.6g MiB",
       (double)g->weights_size / mib, (double)work / mib, (double)g->opt->max_memory / mib);
}

void pass_plan(Graph *g) {
  graph_compact(g);
  add_work_values(g);
  Plan p = {.g = g, .span = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *p.span)};
  measure(&p);
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    bool blocks_to_plain = n->op == OP_Reorder && n->in[0]->layout.block;
    if (op_info[n->op].kind == K_VIEW || blocks_to_plain) share_view(&p, n);
    else share_in_place(&p, n, i);
  }
  place_outside(g);
  place_spans(&p);
  place_aliases(g);
  size_scratch(g);
  check_memory(g);
}

/* ==== --report ==== */

static const char *place_name(const Value *v) {
  static const char *const names[] = {"-", "input", "output", "workspace", "weights"};
  return names[v->place];
}

void plan_report(Graph *g, FILE *f) {
  fprintf(f, "weights %lld bytes, workspace %lld bytes, scratch %lld bytes a thread\n", (long long)g->weights_size,
          (long long)g->work_size, (long long)g->scratch_size);
  fprintf(f, "%-10s %12s %12s %-6s %-14s %-24s %s\n", "place", "offset", "bytes", "layout", "halo", "shape", "value");
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = g->value[i];
    if (v->place == P_NONE || v->place == P_CONST) continue;
    const Layout *l = &v->layout;
    const char *halo = format_text(g->cx, "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, l->top, l->left, l->bottom, l->right);
    char block[16] = "plain";
    if (v->layout.block) snprintf(block, sizeof block, "C/%d", v->layout.block);
    fprintf(f, "%-10s %12lld %12lld %-6s %-14s %-24s %s%s%s\n", place_name(v), (long long)(v->offset + v->alias_offset),
            (long long)(v->layout.size * (int64_t)type_size(v->type)), block, halo, shape_text(g->cx, &v->shape), v->name,
            v->alias ? " = " : "", v->alias ? v->alias->name : "");
  }
}
