/* driver.c: a compilation from the input file to the output files. */
#include "tools.h"

#include <string.h>

static const char *model_name(Context *cx, const Options *opt, const char *output) {
  if (opt->name) {
    if (is_runtime_prefix(opt->name)) fail(cx, "--name: '%s' is the prefix of resnetcc_rt.h's own names", opt->name);
    if (strcmp(opt->name, c_identifier(cx, opt->name)) == 0) return opt->name;
    fail(cx, "--name: '%s' is no C identifier", opt->name);
  }
  const char *path = output_is_file(output) ? output : opt->input;
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

static void print_summary(Graph *g, const char *path) {
  fprintf(stderr, "%s: opset %d, %d inputs, %d outputs\n", g->opt->input, g->opset, g->n_input, g->n_output);
  const Target *t = g->target;
  int64_t work = workspace_bytes(g), used = arena_used(g->cx->arena);
  fprintf(stderr, "target: %s, %s, vectors of %d floats\n", t->triple, t->cpu, t->lanes);
  fprintf(stderr, "%s: %d layers, %.2f MiB of weights, %.2f MiB of workspace, %.2f MiB used to compile\n",
          path, g->n_node, mib(g->weights_size), mib(work), mib(used));
}

/* Where reports go: standard output, but for the output's bytes. */
static FILE *text_file(const char *path) { return strcmp(path, "-") == 0 ? stderr : stdout; }

static void write_graph(Graph *g, Output *out) {
  Buffer text = {0};
  text_print(g, &text);
  output_write(out, text.data, text.size);
  buffer_free(&text);
}

static void write_header(Graph *g, Output *out) {
  Buffer text = {0};
  header_print(g, &text);
  output_write(out, text.data, text.size);
  buffer_free(&text);
}

/* `text`: where a profile goes. */
static void write_code(Graph *g, const ToolOptions *opt, Output *out, FILE *text) {
  Object object;
  object_emit(g, &object);
  if (opt->verbose) fprintf(stderr, "code: %lld instructions of LLVM's\n", (long long)object.instructions);
  output_write(out, object.data, object.size);
  output_write(out, object.tail, object.tail_size);
  if (opt->profile) profile(g, &object, opt->threads ? (int)opt->threads : 1, text);
  object_free(&object);
}

static void write_tuning(Graph *g, Output *out) {
  Buffer text = {0};
  tuning_print(g->cx, g->tuning, g->target, &text);
  output_write(out, text.data, text.size);
  buffer_free(&text);
}

static void write_depend(Graph *g, const ToolOptions *opt, const Paths *paths, Output *out) {
  Buffer text = {0};
  const char **source = alloc_n(g->cx, (size_t)g->n_external + 2, sizeof *source);
  int n = 0;
  source[n++] = g->opt->input;
  if (opt->tune && *opt->tune && !paths->tuning) source[n++] = opt->tune;
  for (int i = 0; i < g->n_external; i++) source[n++] = g->external[i];
  depend_print(g->cx, (const char *const[]){paths->output, paths->header}, paths->header ? 2 : 1, source, n, &text);
  output_write(out, text.data, text.size);
  buffer_free(&text);
}

static void write_files(Graph *g, const ToolOptions *opt, const Paths *paths) {
  Context *cx = g->cx;
  Output *out[4] = {output_open(cx, paths->output)};
  int n = 1;
  double last = wall_seconds();
  if (g->opt->emit == EMIT_GRAPH) write_graph(g, out[0]);
  else write_code(g, opt, out[0], text_file(paths->output));
  if (paths->header) write_header(g, out[n++] = output_open(cx, paths->header));
  if (paths->tuning) write_tuning(g, out[n++] = output_open(cx, paths->tuning));
  if (paths->depend) write_depend(g, opt, paths, out[n++] = output_open(cx, paths->depend));
  output_finish(cx, out, n);
  print_time(opt, "emit", &last);
}

/* From the file where there is one, else measured, with paths->tuning then saying where they go. */
static Tuning *tuning_of(Context *cx, const ToolOptions *opt, const Target *target, Paths *paths) {
  Tuning *t = *opt->tune ? tuning_read(cx, target, opt->tune) : NULL;
  if (t) paths->tuning = NULL;
  return t ? t : tuning_measure(cx, &opt->compile);
}

static void print_reports(Graph *g, const ToolOptions *opt, const char *path) {
  FILE *f = text_file(path);
  if (opt->verbose) print_summary(g, path);
  if (opt->report) plan_report(g, f), accuracy_report(g, f);
  if (opt->why) select_report(g, f);
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
  double last;           /* when the pass began */
} Watch;

static void after_pass(void *watch, Graph *g, const Pass *p) {
  Watch *w = watch;
  print_time(w->opt, p->name, &w->last);
  if (w->witness) witness_check(w->witness, g, p);
  if (w->opt->dump && strchr(w->opt->dump, p->letter)) dump(g, p);
  w->last = wall_seconds();
}

static void compile_or_unwind(Context *cx, const ToolOptions *opt) {
  Target *target = target_new(cx, &opt->compile);
  Paths paths = paths_of(cx, opt);
  const char *name = model_name(cx, &opt->compile, paths.output);
  cx->file = opt->compile.input;
  paths_check(cx, &paths, opt);
  Tuning *tuning = opt->tune ? tuning_of(cx, opt, target, &paths) : NULL;
  double last = wall_seconds();
  Graph *g = import_model(cx, &opt->compile);
  print_time(opt, "import", &last);
  for (int i = 0; i < g->n_external; i++) paths_check_input(cx, &paths, g->external[i]);
  g->name = name;
  g->target = target;
  g->tuning = tuning;
  Watch w = {.opt = opt, .witness = opt->each_pass ? witness_new(g) : NULL, .last = wall_seconds()};
  run_passes_watched(g, after_pass, &w);
  if (tuning && *opt->tune) tuning_warn(tuning, opt->tune);
  print_reports(g, opt, paths.output);
  write_files(g, opt, &paths);
}

int compile(Context *cx, const ToolOptions *opt) {
  cx->arena = arena_new(opt->compile.max_memory);
  cx->max_memory = opt->compile.max_memory;
  memory_name_file(opt->compile.input);
  object_watch_memory();
  int failed = setjmp(cx->unwind);
  if (!failed) compile_or_unwind(cx, opt);
  else output_abandon();
  arena_free(cx->arena);
  cx->arena = NULL;
  return failed;
}
