/* text.c: a report as tables for people. */
#include "tools.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LENGTH = 126 };

static const char *shown(const Report *r, const char *name) { return printable_text(r->cx, name); }

const char *shortened(Context *cx, const char *name, int width) {
  const char *s = printable_text(cx, name);
  int n = (int)strlen(s);
  return n <= width ? s : format_text(cx, "...%s", s + n - (width - 3));
}

/* ==== inspect ==== */

static void print_tensors(const Report *r, const char *what, const ModelTensor *t, int n, FILE *f) {
  for (int i = 0; i < n; i++) {
    fprintf(f, "%-6s %s: %s", what, shown(r, t[i].name), t[i].type);
    if (t[i].rank >= 0) fprintf(f, " [");
    for (int k = 0; k < t[i].rank; k++) fprintf(f, "%s%s", k ? "," : "", shown(r, t[i].dim[k]));
    fprintf(f, "%s\n", t[i].rank >= 0 ? "]" : ", of unknown shape");
  }
}

static void print_refusals(const Report *r, FILE *f) {
  for (int i = 0; i < r->n_refusal; i++) {
    const ReportRefusal *x = &r->refusal[i];
    if (x->node) fprintf(f, "refused: node \"%s\" (%s): %s\n", shown(r, x->node), shown(r, x->op), shown(r, x->reason));
    else fprintf(f, "refused: %s\n", shown(r, x->reason));
  }
}

void print_model(const Report *r, FILE *f) {
  const ModelSummary *m = &r->model;
  fprintf(f, "%s: IR version %" PRId64 ", operator set %" PRId64, m->file, m->ir, m->opset);
  fprintf(f, "%s%s\n", *m->producer ? ", made by " : "", shown(r, m->producer));
  print_tensors(r, "input", m->input, m->n_input, f);
  print_tensors(r, "output", m->output, m->n_output, f);
  if (r->symbolic) fprintf(f, "the batch is symbolic\n");
  fprintf(f, "constants: %" PRId64 " elements, %" PRId64 " bytes\n", m->parameters, m->bytes);
  fprintf(f, "nodes: %" PRId64 "\n", m->n_node);
  for (int i = 0; i < m->n_op; i++) fprintf(f, "%7d %s\n", m->op[i].count, shown(r, m->op[i].name));
  print_refusals(r, f);
}

/* ==== --report ==== */

void print_buffers(const Report *r, FILE *f) {
  fprintf(f, "weights %lld bytes, workspace %lld bytes, scratch %lld bytes a thread\n", (long long)r->weights,
          (long long)r->work, (long long)r->scratch);
  if (r->once) fprintf(f, "shared by all images %lld bytes, made by %d nodes\n", (long long)r->once, r->n_once);
  fprintf(f, "%-10s %12s %12s %-6s %-14s %-24s %s\n", "place", "offset", "bytes", "layout", "halo", "shape", "value");
  for (int i = 0; i < r->n_buffer; i++) {
    const ReportBuffer *b = &r->buffer[i];
    char halo[100], block[16] = "plain";
    snprintf(halo, sizeof halo, "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, b->top, b->left, b->bottom, b->right);
    if (b->block) snprintf(block, sizeof block, "C/%d", b->block);
    fprintf(f, "%-10s %12lld %12lld %-6s %-14s %-24s %s%s%s\n", b->place, (long long)b->offset, (long long)b->bytes, block,
            halo, shape_text(r->cx, &b->shape), shown(r, b->value), b->alias ? " = " : "", b->alias ? shown(r, b->alias) : "");
  }
}

void print_accuracy(const Report *r, FILE *f) {
  if (r->samples == 0) return;
  fprintf(f, "\nerror against double precision, relative to the largest result: %d results of each layer\n", r->samples);
  if (r->unchecked) {
    fprintf(f, "not measured: %s\n", r->unchecked);
    return;
  }
  fprintf(f, "%-18s %9s %9s %-30s %s\n", "algorithm", "error", "fp32 sum", "shape", "node");
  for (const ReportLayer *l = r->layer; l < r->layer + r->n_layer; l++) {
    if (!l->checked) continue;
    fprintf(f, "%-18s %9.1e %9.1e %-30s %s\n", l->algorithm, l->error, l->fp32_error, l->what, shown(r, l->node));
  }
}

void print_symbols(const Report *r, FILE *f) {
  fprintf(f, "\n%-44s %s\n", "function", "node, or all that a kernel depends on");
  for (int i = 0; i < r->n_layer; i++) {
    if (r->layer[i].symbol) fprintf(f, "%-44s %s\n", r->layer[i].symbol, shown(r, r->layer[i].node));
  }
  for (int i = 0; i < r->n_kernel; i++) fprintf(f, "%-44s %s\n", r->kernel[i].symbol, r->kernel[i].key);
}

/* ==== --why ==== */

static void print_floats(const Report *r, FILE *f) {
  if (r->n_in_fp32) fprintf(f, "\n%-18s %-50s %s\n", "in fp32", "because", "node");
  for (const FloatNode *n = r->in_fp32; n < r->in_fp32 + r->n_in_fp32; n++)
    fprintf(f, "%-18s %-50s %s\n", op_info[n->op].name, n->reason, shown(r, n->node));
}

void print_candidates(const Report *r, FILE *f) {
  fprintf(f, "  %-28s %9s %-9s  %-30s %s\n", "algorithm", "ms", "", "shape", "node");
  for (const ReportLayer *l = r->layer; l < r->layer + r->n_layer; l++) {
    for (const ReportCandidate *c = l->candidate; c < l->candidate + l->n_candidate; c++) {
      fprintf(f, "%c %-28s %9.4f %-9s  %-30s %s\n", c->chosen ? '*' : ' ', c->name, c->ms,
              c->measured ? "measured" : "estimated", l->what, shown(r, l->node));
    }
  }
  print_floats(r, f);
}

/* ==== --profile ==== */

typedef struct Row {
  int number;            /* of the layer, as in its function's name */
  const char *what, *algorithm, *node;
  const char *group;     /* the row of the second table to which it belongs */
  int layers;
  double seconds, gflop, bytes;
} Row;

typedef struct Table {
  FILE *f;
  double peak;           /* GFLOP/s */
  Row *row, all;
  int n_row;
  int what, algorithm;   /* widths of these columns */
} Table;

static void add_to(Row *sum, const Row *r) {
  sum->layers += r->layers;
  sum->seconds += r->seconds;
  sum->gflop += r->gflop;
  sum->bytes += r->bytes;
}

static void widen(int *width, const char *text) {
  int n = (int)strlen(text);
  if (n > *width) *width = n;
}

static Row row_of(Context *cx, const ReportLayer *l) {
  return (Row){.what = format_text(cx, "%s %s", l->op, l->what), .algorithm = l->algorithm, .node = printable_text(cx, l->node),
               .group = *l->algorithm ? l->algorithm : l->op,
               .layers = 1, .seconds = l->seconds, .gflop = l->gflop, .bytes = l->bytes};
}

/* The phases of a layer are one row. */
static void list_rows(Table *t, const Report *r) {
  t->row = alloc_n(r->cx, (size_t)r->n_layer + 1, sizeof *t->row);
  t->all = (Row){.what = "all", .algorithm = "", .node = ""};
  t->what = t->algorithm = (int)strlen("algorithm");
  for (int i = 0; i < r->n_layer; i++) {
    if (r->layer[i].phases == 0) continue;
    Row *row = &t->row[t->n_row++];
    *row = row_of(r->cx, &r->layer[i]);
    row->number = i;
    add_to(&t->all, row);
    widen(&t->what, row->what);
    widen(&t->algorithm, row->algorithm);
  }
}

static int by_time(const void *a, const void *b) {
  const Row *x = a, *y = b;
  return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

/* A row for each algorithm or other operator, that with the longest time first. */
static Row *list_groups(const Table *t, Context *cx, int *count) {
  Row *group = alloc_n(cx, (size_t)t->n_row + 1, sizeof *group);
  int n = 0;
  for (int i = 0; i < t->n_row; i++) {
    int k = 0;
    while (k < n && strcmp(group[k].what, t->row[i].group) != 0) k++;
    if (k == n) group[n++] = (Row){.what = t->row[i].group};
    add_to(&group[k], &t->row[i]);
  }
  qsort(group, (size_t)n, sizeof *group, by_time);
  *count = n;
  return group;
}

static void print_rates(const Table *t, const Row *r) {
  double rate = r->seconds > 0 ? r->gflop / r->seconds : 0;
  if (rate > 0) fprintf(t->f, " %8.1f %6.1f", rate, 100 * rate / t->peak);
  else fprintf(t->f, " %8s %6s", "", "");
}

/* The name's end, which tells more than its beginning, as far as the line goes. */
static void print_row(const Table *t, const char *number, const Row *r) {
  int at = fprintf(t->f, "%3s %-*s %-*s %9.4f", number, t->what, r->what, t->algorithm, r->algorithm, r->seconds * 1e3);
  print_rates(t, r);
  at += fprintf(t->f, " %8.3f", r->bytes * 1e-6) + 16;
  int room = LINE_LENGTH - at - 2, n = (int)strlen(r->node);
  if (n > room) fprintf(t->f, "  ...%s\n", r->node + n - (room - 3));
  else fprintf(t->f, "%s%s\n", n ? "  " : "", r->node);
}

static void print_layers(const Table *t) {
  fprintf(t->f, "%3s %-*s %-*s %9s %8s %6s %8s  %s\n", "", t->what, "layer", t->algorithm, "algorithm", "ms", "GFLOP/s",
          "% peak", "MB", "node");
  for (int i = 0; i < t->n_row; i++) {
    char number[16];
    snprintf(number, sizeof number, "%d", t->row[i].number);
    print_row(t, number, &t->row[i]);
  }
  print_row(t, "", &t->all);
}

static void print_groups(const Table *t, Context *cx) {
  int n;
  const Row *group = list_groups(t, cx, &n);
  fprintf(t->f, "\n%-*s %6s %9s %6s %8s %6s\n", t->algorithm, "algorithm", "layers", "ms", "% time", "GFLOP/s", "% peak");
  for (int i = 0; i < n; i++) {
    fprintf(t->f, "%-*s %6d %9.4f %6.1f", t->algorithm, group[i].what, group[i].layers, group[i].seconds * 1e3,
            100 * group[i].seconds / t->all.seconds);
    print_rates(t, &group[i]);
    fprintf(t->f, "\n");
  }
}

static void print_strips(const Report *r, FILE *f) {
  int layers = 0;
  for (int i = 0; i < r->n_strip; i++) layers += r->strip[i].last - r->strip[i].first + 1;
  if (r->in_strips == 0) return;
  fprintf(f, "\nall in strips: %.4f ms, as one thread runs them: %d of the layers by turns, a few rows of each\n", r->in_strips * 1e3,
          layers);
}

void print_times(const Report *r, FILE *f) {
  Table t = {.f = f, .peak = r->peak};
  list_rows(&t, r);
  fprintf(f, "least times of %d runs, %d thread%s; peak %.1f GFLOP/s: fp32 multiply-adds in registers, vectors of %d floats\n",
          r->runs, r->threads, r->threads > 1 ? "s" : "", r->peak, r->lanes);
  fprintf(f, "MB: what a layer has to move: inputs, the epilogue's arguments, weights as packed, results\n\n");
  print_layers(&t);
  print_groups(&t, r->cx);
  print_strips(r, f);
}
