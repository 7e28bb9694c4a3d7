/* driver.c: a compilation from the input file to the output files. */
#include "tools.h"

#include <string.h>

static const char *model_name(Context *cx, const Options *opt, const char *output) {
  if (opt->name) {
    if (is_runtime_prefix(opt->name)) fail(cx, "--name: '%s' is the prefix of resnetcc_rt.h's own names", opt->name);
    if (strcmp(opt->name, c_identifier(cx, opt->name)) == 0) return opt->name;
    fail(cx, "--name: '%s' is no C identifier", opt->name);
  }
  const char *path = output_is_file(output) ? output : strcmp(opt->input, "-") == 0 ? "model" : opt->input;
  const char *name = c_identifier(cx, path_without_ending(cx, path_base(path)));
  return is_runtime_prefix(name) ? format_text(cx, "model_%s", name) : name;
}

/* --time: since *last, which becomes now. */
static void print_time(const ToolOptions *opt, const char *what, double *last) {
  double now = wall_seconds();
  if (opt->time) fprintf(stderr, "%-10s %9.2f ms\n", what, (now - *last) * 1e3);
  *last = now;
}

static double mib(int64_t bytes) { return (double)bytes / (1 << 20); }

static void print_summary(const Build *b, const char *path) {
  const Graph *g = b->graph;
  fprintf(stderr, "%s: opset %d, %d inputs, %d outputs\n", input_name(b->options), g->opset, g->n_input, g->n_output);
  const Target *t = b->target;
  int64_t work = workspace_bytes(b), used = arena_used(g->cx->arena);
  fprintf(stderr, "target: %s, %s, vectors of %d floats\n", t->triple, t->cpu, t->lanes);
  if (t->native) fprintf(stderr, "compiled for this machine (%s); others: -mcpu=x86-64-v3\n", t->cpu);
  fprintf(stderr, "%s: %d layers, %.2f MiB of weights, %.2f MiB of workspace, %.2f MiB used to compile\n",
          path, g->n_node, mib(b->weights_size), mib(work), mib(used));
  if (!b->group) return;
  fprintf(stderr, "a batch: %lld images at a time, with %.2f MiB of workspace\n", (long long)group_images(b), mib(workspace_bytes(b->group)));
}

static bool is_standard(const char *path) { return path && strcmp(path, "-") == 0; }

static bool is_report_standard(const Paths *paths) {
  for (int i = 0; i < paths->n_report; i++) {
    if (is_standard(paths->report[i])) return true;
  }
  return false;
}

/* Where tables go: standard output, unless something else is written there. */
static FILE *text_file(const Paths *paths) {
  return is_standard(paths->output) || is_report_standard(paths) ? stderr : stdout;
}

static void write_text(Output *out, Buffer *text) {
  output_write(out, text->data, text->size);
  buffer_free(text);
}

static void write_graph(Graph *g, Output *out) {
  Buffer text = {0};
  text_print(g, &text);
  write_text(out, &text);
}

static void write_header(const Build *b, Output *out) {
  Buffer text = {0};
  header_print(b, &text);
  write_text(out, &text);
}

static void write_code(Build *b, const ToolOptions *opt, const Paths *paths, Report *r, Output *out) {
  Object object;
  object_emit(b, &object);
  if (opt->verbose) fprintf(stderr, "code: %lld instructions of LLVM's\n", (long long)object.instructions);
  if (opt->compile.emit == EMIT_SHARED) {
    shared_library(b, &object, paths->output, out);
  } else {
    output_write(out, object.data, object.size);
    output_write(out, object.tail, object.tail_size);
  }
  report_code(r, b);
  if (opt->report.n) report_call(r, b);
  r->object = (int64_t)(object.size + object.tail_size);
  if (opt->profile) report_times(r, b, &object, threads_of(opt));
  if (opt->report.n && b->options->emit == EMIT_OBJ) report_goldens(r, b, &object);
}

static void write_weights(const Build *b, Output *out) {
  output_write(out, b->weights_head, sizeof b->weights_head);
  output_write(out, b->weights, (size_t)b->weights_size);
}

static void write_tuning(const Build *b, Output *out) {
  Buffer text = {0};
  tuning_print(b->graph->cx, b->times, b->target, &text);
  write_text(out, &text);
}

static void write_depend(const Build *b, const ToolOptions *opt, const Paths *paths, Output *out) {
  const Graph *g = b->graph;
  Buffer text = {0};
  const char **source = alloc_n(g->cx, (size_t)g->n_external + 2, sizeof *source);
  int n = 0;
  if (strcmp(b->options->input, "-") != 0) source[n++] = b->options->input;
  if (opt->tune && *opt->tune && !paths->tuning) source[n++] = opt->tune;
  for (int i = 0; i < g->n_external; i++) source[n++] = g->external[i];
  const char *const all[] = {paths->output, paths->header, paths->weights};
  const char *target[COUNT(all)];
  int n_target = 0;
  for (size_t i = 0; i < COUNT(all); i++)
    if (all[i]) target[n_target++] = all[i];
  depend_print(g->cx, target, n_target, source, n, &text);
  write_text(out, &text);
}

static bool is_page(const char *path) {
  size_t n = strlen(path);
  return n > 5 && strcmp(path + n - 5, ".html") == 0;
}

static void write_page(const Report *r, Output *out) {
  Buffer text = {0};
  html_report(r, &text);
  write_text(out, &text);
}

static void write_data(const Report *r, Output *out) {
  Buffer text = {0};
  json_add_report(r, &text);
  write_text(out, &text);
}

static bool has_tables(const ReportPaths *report) {
  for (int i = 0; i < report->n; i++) {
    if (!*report->path[i]) return true;
  }
  return false;
}

static void write_files(Build *b, const ToolOptions *opt, const Paths *paths, Report *r) {
  Context *cx = b->graph->cx;
  Output *out[5 + MAX_REPORTS] = {output_open(cx, paths->output)};
  int n = 1;
  double last = wall_seconds();
  if (b->options->emit == EMIT_GRAPH) write_graph(b->graph, out[0]);
  else write_code(b, opt, paths, r, out[0]);
  if (has_tables(&opt->report) && !opt->json && b->n_layer) print_symbols(r, text_file(paths));
  if (r->runs && !opt->json) print_times(r, text_file(paths));
  if (paths->header) write_header(b, out[n++] = output_open(cx, paths->header));
  if (paths->weights) write_weights(b, out[n++] = output_open(cx, paths->weights));
  if (paths->tuning) write_tuning(b, out[n++] = output_open(cx, paths->tuning));
  if (paths->depend) write_depend(b, opt, paths, out[n++] = output_open(cx, paths->depend));
  for (int i = 0; i < paths->n_report; i++)
    (is_page(paths->report[i]) ? write_page : write_data)(r, out[n++] = output_open(cx, paths->report[i]));
  output_finish(cx, out, n);
  print_time(opt, "emit", &last);
}

/* From the file, which then is not to be written; NULL: there is none. */
static Tuning *read_times(Context *cx, const ToolOptions *opt, const Target *target, Paths *paths) {
  Tuning *t = opt->tune && *opt->tune ? tuning_read(cx, target, opt->tune) : NULL;
  if (t) paths->tuning = NULL;
  return t;
}

/* What there is to tell before there is code. */
static Report *report(Build *b, const ToolOptions *opt, const Paths *paths) {
  FILE *f = text_file(paths);
  Report *r = report_new(b);
  if (opt->verbose) print_summary(b, paths->output);
  if (opt->report.n) report_accuracy(r, b);
  if (has_tables(&opt->report) && !opt->json) print_buffers(r, f), print_accuracy(r, f);
  if (opt->why && !opt->json) print_candidates(r, f);
  return r;
}

/* Standard output is for the object of JSON alone. */
static void check_json(Context *cx, const Paths *paths) {
  bool taken = is_standard(paths->output) || is_standard(paths->header) || is_standard(paths->tuning) || is_standard(paths->depend);
  if (taken || is_report_standard(paths)) fail(cx, "--json: standard output cannot take another output as well");
}

static void dump(Graph *g, const Pass *p) {
  Buffer text = {0};
  text_print(g, &text);
  fprintf(stderr, "# after %s\n", p->name);
  fwrite(text.data, 1, text.size, stderr);
  buffer_free(&text);
}

typedef struct Watch {
  const ToolOptions *opt;
  Witness *witness;      /* NULL: nobody asked for it */
  History *history;      /* likewise */
  double last;           /* when the pass began */
} Watch;

static void after_pass(void *watch, Graph *g, const Pass *p) {
  Watch *w = watch;
  print_time(w->opt, p->name, &w->last);
  if (w->witness) witness_check(w->witness, g, p);
  if (w->history) history_pass(w->history, g, p);
  if (w->opt->dump && strchr(w->opt->dump, p->letter)) dump(g, p);
  w->last = wall_seconds();
}

/* The model's graph after the passes of the front. */
static Graph *front(Context *cx, const ToolOptions *opt, const Paths *paths, Watch *w) {
  double last = wall_seconds();
  Graph *g = import_model(cx, &opt->compile);
  import_hashes(g);
  print_time(opt, "import", &last);
  for (int i = 0; i < g->n_external; i++) paths_check_input(cx, paths, g->external[i]);
  if (paths->n_report) w->history = history_new(g);
  w->last = wall_seconds();
  front_run(g, after_pass, w);
  return g;
}

static int compile_model(Context *cx, const ToolOptions *asked) {
  ToolOptions all = *asked;
  const ToolOptions *opt = &all;
  all.compile.emit = emit_kind(cx, asked);
  Target *target = target_new(cx, &opt->compile);
  Paths paths = paths_of(cx, opt);
  const char *name = model_name(cx, &opt->compile, paths.output);
  cx->file = input_name(&opt->compile);
  paths_check(cx, &paths);
  if (opt->json) check_json(cx, &paths);
  if (opt->profile && opt->compile.emit != EMIT_OBJ && opt->compile.emit != EMIT_SHARED) {
    fail(cx, "--profile: only an object can be run; --emit=obj makes one");
  }
  Tuning *times = read_times(cx, opt, target, &paths);
  Watch w = {.opt = opt, .witness = opt->each_pass ? witness_new(cx) : NULL};
  Graph *g = front(cx, opt, &paths, &w);
  g->name = name;
  if (opt->tune && !times) times = tuning_measure(g, &opt->compile, target);
  Build *b = build_new(g, &opt->compile, target);
  b->times = times;
  w.last = wall_seconds();
  build_run(b, after_pass, &w);
  if (times && *opt->tune) tuning_warn(times, opt->tune);
  Report *r = report(b, opt, &paths);
  if (w.history) report_history(r, w.history);
  write_files(b, opt, &paths, r);
  if (opt->json) json_report(r, stdout);
  return 0;
}

int compile(Context *cx, const ToolOptions *opt) { return work(cx, opt, compile_model); }
