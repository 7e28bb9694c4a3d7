/* profile.c: --profile: tables of where the time goes, layer by layer and algorithm by algorithm. */
#include "tools.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 12, LINE_LENGTH = 126 };

typedef struct Row {
  const Node *node;      /* NULL: a sum over `layers` of them */
  const char *what, *algorithm;
  int layers;
  double seconds, gflop, bytes;
} Row;

typedef struct Profile {
  FILE *f;
  double peak;           /* GFLOP/s */
  Row *row, all;
  int n_row;
  int what, algorithm;   /* widths of these columns */
} Profile;

/* ==== what a layer does ==== */

static double multiplications(const Node *n) {
  const Shape *y = &n->out[0]->shape;
  double results = (double)shape_count(y);
  if (n->op == OP_Conv) return results * (double)shape_count(&n->in[1]->shape) / (double)n->in[1]->shape.d[0];
  if (n->op == OP_Gemm || n->op == OP_MatMul) {
    const Shape *a = &n->in[0]->shape;
    bool transposed = n->op == OP_Gemm && attr_int(n, "transA", 0);
    return results * (double)a->d[transposed ? 0 : a->rank - 1];
  }
  return 0;
}

static bool has_before(Value *const *v, int i) {
  for (int k = 0; k < i; k++) {
    if (v[k] == v[i]) return true;
  }
  return false;
}

/* What must be moved at least: inputs, the epilogue's arguments, weights as packed, results. */
static double bytes_moved(const Build *b, const Node *n) {
  double packed = (double)packed_bytes(b, n), sum = packed;
  for (int i = 0; i < n->n_in; i++) {
    const Value *v = n->in[i];
    bool counted = packed > 0 && i == 1;
    if (v && !counted && !has_before(n->in, i)) sum += (double)shape_count(&v->shape) * (double)type_size(v->type);
  }
  for (int i = 0; i < n->n_out; i++) {
    const Value *v = n->out[i];
    if (v) sum += (double)shape_count(&v->shape) * (double)type_size(v->type);
  }
  return sum;
}

static const char *algorithm_of(const Node *n) {
  if (n->op != OP_Conv) return "";
  return n->candidates ? n->candidates->item[n->candidates->chosen].name : "plain";
}

const char *layer_text(Graph *g, const Node *n) {
  if (n->op != OP_Conv) return shape_text(g->cx, &n->out[0]->shape);
  const Window *k = &n->win;
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  const char *groups = n->group > 1 ? format_text(g->cx, " g%d", n->group) : "";
  const char *images = y->d[0] > 1 ? format_text(g->cx, " x%" PRId64, y->d[0]) : "";
  return format_text(g->cx, "%" PRId64 "x%" PRId64 "/%" PRId64 " %" PRId64 "->%" PRId64 "%s @%" PRId64 "x%" PRId64 "%s",
                     k->kh, k->kw, k->sh, x->d[1], y->d[1], groups, y->d[2], y->d[3], images);
}

/* ==== rows ==== */

static void add_to(Row *sum, const Row *r) {
  sum->layers += r->layers;
  sum->seconds += r->seconds;
  sum->gflop += r->gflop;
  sum->bytes += r->bytes;
}

static Row row_of(const Build *b, const Node *n) {
  Graph *g = b->graph;
  Row r = {.node = n, .layers = 1, .algorithm = algorithm_of(n)};
  r.what = format_text(g->cx, "%s %s", op_info[n->op].name, layer_text(g, n));
  r.gflop = 2e-9 * multiplications(n);
  r.bytes = bytes_moved(b, n);
  return r;
}

static void widen(int *width, const char *text) {
  int n = (int)strlen(text);
  if (n > *width) *width = n;
}

/* The phases of a node are one row. */
static void list_rows(Profile *p, const Build *b, const double *best) {
  p->row = alloc_n(b->graph->cx, (size_t)b->n_layer + 1, sizeof *p->row);
  for (int i = 0; i < b->n_layer; i++) {
    if (b->layer[i].phase == 0) p->row[p->n_row++] = row_of(b, b->layer[i].node);
    p->row[p->n_row - 1].seconds += best[i];
  }
  p->all = (Row){.what = "all", .algorithm = ""};
  p->what = p->algorithm = (int)strlen("algorithm");
  for (int i = 0; i < p->n_row; i++) {
    add_to(&p->all, &p->row[i]);
    widen(&p->what, p->row[i].what);
    widen(&p->algorithm, p->row[i].algorithm);
  }
}

static const char *group_of(const Row *r) { return *r->algorithm ? r->algorithm : op_info[r->node->op].name; }

static int by_time(const void *a, const void *b) {
  const Row *x = a, *y = b;
  return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

/* A row for each algorithm or other operator, that with the longest time first. */
static Row *list_groups(const Profile *p, Graph *g, int *count) {
  Row *group = alloc_n(g->cx, (size_t)p->n_row + 1, sizeof *group);
  int n = 0;
  for (int i = 0; i < p->n_row; i++) {
    int k = 0;
    while (k < n && strcmp(group[k].what, group_of(&p->row[i])) != 0) k++;
    if (k == n) group[n++] = (Row){.what = group_of(&p->row[i])};
    add_to(&group[k], &p->row[i]);
  }
  qsort(group, (size_t)n, sizeof *group, by_time);
  *count = n;
  return group;
}

/* ==== text ==== */

static void print_rates(const Profile *p, const Row *r) {
  double rate = r->seconds > 0 ? r->gflop / r->seconds : 0;
  if (rate > 0) fprintf(p->f, " %8.1f %6.1f", rate, 100 * rate / p->peak);
  else fprintf(p->f, " %8s %6s", "", "");
}

/* The name's end, which tells more than its beginning, as far as the line goes. */
static void print_row(const Profile *p, const char *number, const Row *r) {
  const char *name = r->node ? r->node->name : "";
  int at = fprintf(p->f, "%3s %-*s %-*s %9.4f", number, p->what, r->what, p->algorithm, r->algorithm, r->seconds * 1e3);
  print_rates(p, r);
  at += fprintf(p->f, " %8.3f", r->bytes * 1e-6) + 16;
  int room = LINE_LENGTH - at - 2, n = (int)strlen(name);
  if (n > room) fprintf(p->f, "  ...%s\n", name + n - (room - 3));
  else fprintf(p->f, "%s%s\n", n ? "  " : "", name);
}

static void print_layers(Profile *p) {
  fprintf(p->f, "%3s %-*s %-*s %9s %8s %6s %8s  %s\n", "", p->what, "layer", p->algorithm, "algorithm", "ms", "GFLOP/s",
          "% peak", "MB", "node");
  for (int i = 0; i < p->n_row; i++) {
    char number[16];
    snprintf(number, sizeof number, "%d", i);
    print_row(p, number, &p->row[i]);
  }
  print_row(p, "", &p->all);
}

static void print_groups(Profile *p, Graph *g) {
  int n;
  const Row *group = list_groups(p, g, &n);
  fprintf(p->f, "\n%-*s %6s %9s %6s %8s %6s\n", p->algorithm, "algorithm", "layers", "ms", "% time", "GFLOP/s", "% peak");
  for (int i = 0; i < n; i++) {
    fprintf(p->f, "%-*s %6d %9.4f %6.1f", p->algorithm, group[i].what, group[i].layers, group[i].seconds * 1e3,
            100 * group[i].seconds / p->all.seconds);
    print_rates(p, &group[i]);
    fprintf(p->f, "\n");
  }
}

static void print_head(const Profile *p, const Target *t, int threads) {
  fprintf(p->f, "least times of %d runs, %d thread%s; peak %.1f GFLOP/s: fp32 multiply-adds in registers, vectors of %d floats\n",
          RUNS, threads, threads > 1 ? "s" : "", p->peak, t->lanes);
  fprintf(p->f, "MB: what a layer has to move: inputs, the epilogue's arguments, weights as packed, results\n\n");
}

/* ==== the run ==== */

void profile(Build *b, const Object *o, int threads, FILE *f) {
  Profile p = {.f = f};
  Timing *t = timing_open(b, o, "--profile", threads);
  Progress shown = progress_begin(stderr, "profile: run");
  p.peak = timing_peak(t);
  for (int i = 0; i < RUNS; i++) {
    progress_show(&shown, i + 1, RUNS);
    timing_run(t);
  }
  progress_end(&shown);
  list_rows(&p, b, timing_best(t));
  timing_close(t);
  print_head(&p, b->target, threads);
  print_layers(&p);
  print_groups(&p, b->graph);
}
