/* verify.c: the command verify: a compiled model runs here and is held against outputs that are known to be right. */
#include "tools.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Verify {
  Context *cx;
  const ToolOptions *opt;
  Runner *runner, *other;  /* other: --against; NULL: there is none */
  Report *report;
} Verify;

static const RunnerView *view(const Verify *v) { return runner_view(v->runner); }

/* ==== the sets ==== */

/* The evaluator's outputs for random inputs; of --against, whose library has its own, no outputs. */
static DataSet random_set(const Verify *v) {
  Context *cx = v->cx;
  Graph *g = view(v)->graph;
  const rcc_model *m = &view(v)->model.table;
  int64_t seed = v->opt->seed ? v->opt->seed : 1;
  if (!g) fail(cx, "a shared library comes with no data to compare it with; name a folder with input_0.pb and output_0.pb");
  DataSet s = {.path = format_text(cx, "random, seed %lld", (long long)seed), .n_in = m->n_inputs};
  const void **in = reference_inputs(g, (uint64_t)seed);
  s.in = alloc_n(cx, (size_t)m->n_inputs + 1, sizeof *s.in);
  for (int i = 0; i < m->n_inputs; i++) {
    s.in[i] = runner_tensor(&m->inputs[i], 1);
    s.in[i].data = in[i];
  }
  if (v->other) return s;
  s.n_out = m->n_outputs;
  s.out = alloc_n(cx, (size_t)m->n_outputs + 1, sizeof *s.out);
  void **out = alloc_n(cx, (size_t)m->n_outputs + 1, sizeof *out);
  for (int i = 0; i < m->n_outputs; i++) {
    s.out[i] = runner_tensor(&m->outputs[i], 1);
    s.out[i].data = out[i] = alloc(cx, tensor_size(&s.out[i]) + 1);
  }
  if (!reference_run_batch(cx, g, 1, in, out)) fail_as(cx, cx);
  return s;
}

/* Folders that are data sets or hold some, as named, or the model's own. */
static const char **list_sets(const Verify *v, int *count) {
  Context *cx = v->cx;
  const ToolOptions *opt = v->opt;
  const char **all = NULL;
  *count = 0;
  for (int i = 0; i < opt->operand.n || i == 0; i++) {
    const char *folder = opt->operand.n ? opt->operand.path[i] : path_folder(cx, opt->compile.input);
    int n;
    const char **some = data_sets_in(cx, folder, &n);
    if (n == 0 && opt->operand.n) fail(cx, "'%s' holds no data set: neither output_0.pb nor folders test_data_set_*", folder);
    const char **longer = alloc_n(cx, (size_t)(*count + n) + 1, sizeof *longer);
    move_bytes(longer, all, (size_t)*count * sizeof *all);
    move_bytes(longer + *count, some, (size_t)n * sizeof *some);
    all = longer;
    *count += n;
  }
  return all;
}

static DataSet read_set(Context *cx, const char *path) {
  const char *file = cx->file;
  cx->file = path;
  DataSet s = data_set_read(cx, path);
  if (s.n_out == 0) fail(cx, "it has no output_0.pb");
  cx->file = file;
  return s;
}

/* --save: beside those that the folder has. */
static void save_set(Context *cx, const DataSet *s, const char *folder) {
  const char *set = NULL;
  struct stat st;
  for (int i = 0; !set || stat(set, &st) == 0; i++) set = format_text(cx, "%s/test_data_set_%d", folder, i);
  cx->file = set;
  if ((mkdir(folder, 0777) != 0 && errno != EEXIST) || mkdir(set, 0777) != 0) fail(cx, "cannot be made: %s", strerror(errno));
  for (int i = 0; i < s->n_in; i++) tensor_write(cx, &s->in[i], format_text(cx, "%s/input_%d.pb", set, i));
  for (int i = 0; i < s->n_out; i++) tensor_write(cx, &s->out[i], format_text(cx, "%s/output_%d.pb", set, i));
}

/* ==== the command ==== */

static void check_sets(Verify *v) {
  int n;
  Context *cx = v->cx;
  const char **path = list_sets(v, &n);
  v->report->set = alloc_n(cx, (size_t)n + 1, sizeof *v->report->set);
  for (int i = 0; i < n || i == 0; i++) {
    DataSet s = n ? read_set(cx, path[i]) : random_set(v);
    cx->file = n ? path[i] : input_name(&v->opt->compile);
    if (v->opt->save) save_set(cx, &s, v->opt->save);
    const Callable *other = v->other ? &runner_view(v->other)->model : NULL;
    report_set(v->report, &view(v)->model, other, &s, threads_of(v->opt));
    if (i == 0 && v->opt->per_node) report_nodes(v->report, v->opt, view(v)->graph, &s);
  }
  cx->file = input_name(&v->opt->compile);
}

/* Winograd's and Strassen's algorithms lose a digit. */
static double tolerance_of(const Verify *v) {
  if (v->opt->rtol > 0) return v->opt->rtol;
  bool rounds = view(v)->rounds || (v->other && runner_view(v->other)->rounds);
  return rounds ? 1e-4 : 1e-5;
}

/* --weights, and nothing that they could run on. */
static int tell_weights(Context *cx, const ToolOptions *opt) {
  const char *object = opt->compile.input;
  if (!opt->json) {
    printf("%s holds the weights of %s\n", printable_text(cx, opt->weights), printable_text(cx, object));
    return 0;
  }
  json_member_text("{", "object", object, stdout);
  json_member_text(", ", "weights", opt->weights, stdout);
  printf("}\n");
  return 0;
}

static int verify_model(Context *cx, const ToolOptions *opt) {
  cx->file = input_name(&opt->compile);
  if (opt->weights) weights_verify(cx, opt->weights, opt->compile.input);
  if (opt->weights && !opt->operand.n && !opt->against) return tell_weights(cx, opt);
  Verify v = {.cx = cx, .opt = opt, .runner = runner_open(cx, opt, opt->compile.input)};
  if (opt->per_node && !view(&v)->build) fail(cx, "--per-node: a shared library has no layers to look at; name the ONNX file");
  if (opt->against) v.other = runner_open(cx, opt, opt->against);
  v.report = report_of_table(cx, opt->compile.input, &view(&v)->model.table);
  v.report->rtol = tolerance_of(&v);
  check_sets(&v);
  runner_close(v.runner);
  if (v.other) runner_close(v.other);
  if (opt->json) json_report(v.report, stdout);
  else print_agreement(v.report, stdout);
  return v.report->n_agree == v.report->n_set ? 0 : DIFFERS;
}

int verify_command(Context *cx, const ToolOptions *opt) { return work(cx, opt, verify_model); }
