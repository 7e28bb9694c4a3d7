/* rates.c: what bench found, as a table and as JSON. */
#include "tools.h"

#include <inttypes.h>

/* ==== the table: a column a configuration ==== */

enum { LABEL = 20, COLUMN = 12, COLUMNS = 5 };

typedef struct Columns {
  const Report *r;
  int first, n;
  FILE *f;
} Columns;

static const ReportBench *column(const Columns *c, int i) { return &c->r->bench[c->first + i]; }

static void print_words(const Columns *c, const char *label, const char *(*word)(Context *cx, const ReportBench *b)) {
  fprintf(c->f, "%-*s", LABEL, label);
  for (int i = 0; i < c->n; i++) fprintf(c->f, "%*s", COLUMN, word(c->r->cx, column(c, i)));
  fprintf(c->f, "\n");
}

static const char *model_word(Context *cx, const ReportBench *b) {
  return shortened(cx, path_base(b->model), COLUMN - 1);
}
static const char *threads_word(Context *cx, const ReportBench *b) { return format_text(cx, "%d", b->threads); }
static const char *images_word(Context *cx, const ReportBench *b) { return format_text(cx, "%" PRId64, b->images); }
static const char *parallel_word(Context *cx, const ReportBench *b) { return format_text(cx, "%d", b->parallel); }
static const char *runs_word(Context *cx, const ReportBench *b) { return format_text(cx, "%" PRId64, b->runs); }
static const char *ms(Context *cx, double seconds) { return format_text(cx, seconds < 1 ? "%.3f" : "%.1f", 1e3 * seconds); }
static const char *first_word(Context *cx, const ReportBench *b) { return ms(cx, b->first); }
static const char *least_word(Context *cx, const ReportBench *b) { return ms(cx, b->least); }
static const char *median_word(Context *cx, const ReportBench *b) { return ms(cx, b->median); }
static const char *p90_word(Context *cx, const ReportBench *b) { return ms(cx, b->p90); }
static const char *p99_word(Context *cx, const ReportBench *b) { return ms(cx, b->p99); }
static const char *mean_word(Context *cx, const ReportBench *b) { return ms(cx, b->mean); }
static const char *rate_word(Context *cx, const ReportBench *b) { return format_text(cx, "%.1f", b->rate); }
static const char *cpu_word(Context *cx, const ReportBench *b) { return format_text(cx, "%.3f", 1e3 * b->cpu); }
static const char *memory_word(Context *cx, const ReportBench *b) { return format_text(cx, "%.1f", b->memory / (1 << 20)); }

static bool has_several(const Report *r) { return r->n_bench > 1 && r->bench[0].model != r->bench[1].model; }

static void print_columns(const Columns *c) {
  if (has_several(c->r)) print_words(c, "model", model_word);
  print_words(c, "threads", threads_word);
  print_words(c, "images of a run", images_word);
  if (column(c, 0)->parallel > 1) print_words(c, "instances at once", parallel_word);
  print_words(c, "first run, ms", first_word);
  print_words(c, "least", least_word);
  print_words(c, "median", median_word);
  print_words(c, "p90", p90_word);
  print_words(c, "p99", p99_word);
  print_words(c, "mean", mean_word);
  print_words(c, "runs", runs_word);
  print_words(c, "images per second", rate_word);
  print_words(c, "CPU ms a run", cpu_word);
  print_words(c, "peak RSS, MiB", memory_word);
}

void print_bench(const Report *r, FILE *f) {
  int step = has_several(r) ? COLUMNS - 1 : COLUMNS; /* pairs stay together */
  for (int i = 0; i < r->n_bench; i += step) {
    Columns c = {.r = r, .first = i, .n = r->n_bench - i < step ? r->n_bench - i : step, .f = f};
    if (i) fprintf(f, "\n");
    print_columns(&c);
  }
  for (int i = 0; has_several(r) && i < r->n_bench; i += 2) {
    const ReportBench *b = &r->bench[i];
    fprintf(f, "%sthreads %d, images %" PRId64 ": %s takes %.3f of the median time of %s\n", i ? "" : "\n", b->threads, b->images,
            model_word(r->cx, b), b->median / b[1].median, model_word(r->cx, b + 1));
  }
  if (r->compiled) fprintf(f, "peak RSS is this process's, in which the compiler has run as well\n");
}

/* ==== JSON ==== */

static void put_bench(const ReportBench *b, FILE *f) {
  json_member_text("{", "model", b->model, f);
  json_member_int(", ", "threads", b->threads, f);
  json_member_int(", ", "images", b->images, f);
  json_member_int(", ", "parallel", b->parallel, f);
  json_member_int(", ", "runs", b->runs, f);
  json_member_number(", ", "first_ms", 1e3 * b->first, f);
  json_member_number(", ", "least_ms", 1e3 * b->least, f);
  json_member_number(", ", "median_ms", 1e3 * b->median, f);
  json_member_number(", ", "p90_ms", 1e3 * b->p90, f);
  json_member_number(", ", "p99_ms", 1e3 * b->p99, f);
  json_member_number(", ", "mean_ms", 1e3 * b->mean, f);
  json_member_number(", ", "images_per_second", b->rate, f);
  json_member_number(", ", "cpu_seconds", b->cpu, f);
  json_member_int(", ", "peak_rss", (int64_t)b->memory, f);
  json_member_number(", ", "load_of_others", b->others, f);
  fputc('}', f);
}

void json_bench(const Report *r, FILE *f) {
  fputs(",\n \"bench\": [", f);
  for (int i = 0; i < r->n_bench; i++) {
    fputs(json_between_items(i), f);
    put_bench(&r->bench[i], f);
  }
  fputc(']', f);
}
