/* conformance.c: runs test cases in ONNX's form: a folder with model.onnx and test_data_set_*, which hold
 * the tensors input_*.pb and output_*.pb.
 *
 *   conformance [--eval] [--each-pass] [-v] DIR...
 *
 * DIR is a case or holds cases. Each is compiled and run (with --eval: evaluated; with --each-pass: evaluated
 * after every pass as well) in a process of its own, so that a crash is the failure of that case alone.
 * expected-refusals.txt names all cases that are to be refused or to differ, and why: any other refusal or
 * difference is a failure, and so is one of these that passes. */
#include "tools.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIME_LIMIT = 120, PATH_SIZE = 4096, MESSAGE_SIZE = 1024 };
static const int64_t MEMORY_LIMIT = INT64_C(8) << 30;

typedef enum Result { PASSED, FAILED, REFUSED, RESULTS } Result;

static bool only_eval, each_pass, verbose;
static int total[RESULTS + 1];
enum { LEFT_OUT = RESULTS };

/* ---- files ---- */

static bool exists(const char *path) {
  return access(path, F_OK) == 0;
}

/* ---- comparing ---- */

static double largest(const Tensor *v) {
  double max = 1;
  for (int64_t i = 0; i < shape_count(&v->shape); i++) {
    double e = fabs(get_number(v->type, v->data, i).f);
    if (isfinite(e) && e > max) max = e;
  }
  return max;
}

static bool is_close(double got, double want, double scale) {
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
  if (isinf(want) || isinf(got)) return want == got;
  return fabs(got - want) <= 1e-5 * scale + 1e-3 * fabs(want);
}

static void compare(Context *cx, int output, const Tensor *want, const void *got) {
  bool is_float = type_is_float(want->type);
  double scale = is_float ? largest(want) : 1;
  for (int64_t i = 0; i < shape_count(&want->shape); i++) {
    Number w = get_number(want->type, want->data, i), v = get_number(want->type, got, i);
    if (is_float && !is_close(v.f, w.f, scale))
      fail(cx, "output %d, element %lld: %.9g, expected %.9g", output, (long long)i, v.f, w.f);
    if (!is_float && v.i != w.i)
      fail(cx, "output %d, element %lld: %lld, expected %lld", output, (long long)i, (long long)v.i,
           (long long)w.i);
  }
}

/* ---- running a case; whatever fails unwinds ---- */

static void check_tensor(Graph *g, const char *what, int i, const Tensor *is, const Value *model,
                         Shape declared, int64_t batch) {
  Context *cx = g->cx;
  for (int k = 0; k < declared.rank; k++)
    if (declared.d[k] < 0) declared.d[k] = batch;
  if (is->type != model->type)
    fail(cx, "%s %d is %s, the model's is %s", what, i, type_name(is->type), type_name(model->type));
  if (!shape_equal(&is->shape, &declared))
    fail(cx, "%s %d has shape %s, the model's is %s", what, i, shape_text(cx, &is->shape),
         shape_text(cx, &declared));
}

static int64_t batch_of(const Graph *g, const Tensor *in) {
  for (int i = 0; i < g->n_input; i++)
    if (shape_is_symbolic(&g->input_shape[i])) return in[i].shape.d[0];
  return 1;
}

static void run_object(Graph *g, const rcc_model *model, int64_t batch, const void *const *in, void *const *out) {
  size_t size = model->workspace_size(batch, 1);
  void *work = rcc_workspace_alloc(size);
  int error = model->run(in, out, batch, work, size, NULL);
  rcc_workspace_free(work, size);
  if (error) fail(g->cx, "the model returned %d: %s", error, rcc_strerror(error));
}

/* model is NULL under --eval. */
static void run_set(Graph *g, const rcc_model *model, const char *set) {
  Context *cx = g->cx;
  DataSet s = data_set_read(cx, set);
  if (s.n_in != g->n_input || s.n_out != g->n_output || s.n_out == 0)
    fail(cx, "%d inputs and %d outputs, the model has %d and %d", s.n_in, s.n_out, g->n_input, g->n_output);
  int64_t batch = batch_of(g, s.in);
  const void **in = alloc_n(cx, (size_t)s.n_in + 1, sizeof *in);
  void **out = alloc_n(cx, (size_t)s.n_out, sizeof *out);
  for (int i = 0; i < s.n_in; i++) {
    check_tensor(g, "input", i, &s.in[i], g->input[i], g->input_shape[i], batch);
    in[i] = s.in[i].data;
  }
  for (int i = 0; i < s.n_out; i++) {
    check_tensor(g, "output", i, &s.out[i], g->output[i], g->output_shape[i], batch);
    out[i] = alloc(cx, tensor_size(&s.out[i]));
  }
  if (model) run_object(g, model, batch, in, out);
  else if (!reference_run_batch(cx, g, batch, in, out)) fail_as(cx, cx);
  for (int i = 0; i < s.n_out; i++) compare(cx, i, &s.out[i], out[i]);
}

static void run_sets(Graph *g, const rcc_model *model, const char *folder) {
  int sets = 0;
  for (;; sets++) {
    const char *set = format_text(g->cx, "%s/test_data_set_%d", folder, sets);
    if (!exists(set)) break;
    run_set(g, model, set);
  }
  if (sets == 0) fail(g->cx, "no test data");
}

/* Leaves the reason in cx->error. Refusals come before code is made; a later error is a failure. */
static Result run_case(Context *cx, const char *folder) {
  const char *model_path = format_text(cx, "%s/model.onnx", folder);
  Options opt = {.input = model_path, .max_memory = MEMORY_LIMIT, .verify = true};
  volatile bool compiled = false;
  if (setjmp(cx->unwind)) return compiled ? FAILED : REFUSED;
  Graph *g = import_model(cx, &opt);
  const rcc_model *model = NULL;
  if (only_eval) {
    reference_prepare(g);
    compiled = true;
  } else {
    AfterPass *after = each_pass ? witness_check : NULL;
    Witness *witness = each_pass ? witness_new(cx) : NULL;
    front_run(g, after, witness);
    Build *b = build_new(g, &opt, target_new(cx, &opt));
    build_run(b, after, witness);
    compiled = true;
    Object object;
    object_emit(b, &object);
    model = jit_model(jit_open(cx, g->name, &object));
  }
  run_sets(g, model, folder);
  return PASSED;
}

/* ---- a process for each case ---- */

static Result run_child(const char *folder, int message) {
  Context cx = {.max_memory = MEMORY_LIMIT};
  alarm(TIME_LIMIT);
  if (each_pass && !freopen("/dev/null", "w", stderr)) return FAILED; /* every pass has a line */
  cx.arena = arena_new(MEMORY_LIMIT);
  Result r = run_case(&cx, folder);
  if (write(message, cx.error, strlen(cx.error)) < 0) r = FAILED;
  return r;
}

static Result wait_for(pid_t pid, char *message) {
  int status;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) < RESULTS) return (Result)WEXITSTATUS(status);
  int number = WTERMSIG(status);
  if (WIFSIGNALED(status)) sprintf(message, "ended by signal %d: %s", number, strsignal(number));
  else strcpy(message, "ended early");
  return FAILED;
}

static Result run_isolated(const char *folder, char *message) {
  int end[2];
  fflush(stdout);
  if (pipe(end) != 0) return FAILED;
  pid_t pid = fork();
  if (pid == 0) {
    close(end[0]);
    _exit((int)run_child(folder, end[1]));
  }
  close(end[1]);
  ssize_t n = read(end[0], message, MESSAGE_SIZE - 1);
  message[n > 0 ? n : 0] = '\0';
  close(end[0]);
  return pid < 0 ? FAILED : wait_for(pid, message);
}

/* ---- expected-refusals.txt: lines `outcome: reason`, under which patterns of case names are set in ---- */

enum { MAX_SECTIONS = 40, MAX_PATTERNS = 200 };

static struct Section {
  Result outcome;
  char *reason;
  int cases;             /* that ended so, but for those that passed */
} section[MAX_SECTIONS];

static struct Pattern {
  char *text;
  struct Section *section;
} pattern[MAX_PATTERNS];

static int sections, patterns;
static const char *const outcome_name[] = {[PASSED] = "right", [FAILED] = "differs", [REFUSED] = "refused"};

static struct Section read_section(const char *line) {
  for (Result r = 0; r < RESULTS; r++) {
    size_t n = strlen(outcome_name[r]);
    bool is_it = strncmp(line, outcome_name[r], n) == 0 && strncmp(line + n, ": ", 2) == 0;
    if (is_it) return (struct Section){r, strdup(line + n + 2), 0};
  }
  fprintf(stderr, "expected-refusals.txt: no outcome: %s\n", line);
  exit(2);
}

static void read_line(char *line) {
  line[strcspn(line, "\n")] = '\0';
  if (*line == '\0' || *line == '#') return;
  if (*line != ' ') section[sections++] = read_section(line);
  else pattern[patterns++] = (struct Pattern){strdup(line + strspn(line, " ")), &section[sections - 1]};
}

static void read_refusals(void) {
  char source[] = __FILE__, path[PATH_SIZE], line[256];
  snprintf(path, sizeof path, "%s/expected-refusals.txt", dirname(source));
  FILE *f = fopen(path, "r");
  if (!f) {
    perror(path);
    exit(2);
  }
  while (patterns < MAX_PATTERNS && sections < MAX_SECTIONS && fgets(line, sizeof line, f)) read_line(line);
  fclose(f);
}

/* NULL: the file does not name the case. */
static struct Section *find_section(const char *name) {
  for (int i = 0; i < patterns; i++)
    if (fnmatch(pattern[i].text, name, 0) == 0) return pattern[i].section;
  return NULL;
}

static void print_reasons(void) {
  for (int i = 0; i < sections; i++) {
    const struct Section *s = &section[i];
    if (s->cases > 0) printf("%s: %d (%s)\n", outcome_name[s->outcome], s->cases, s->reason);
  }
}

/* ---- the cases ---- */

static void count(const char *folder, Result r, const char *message) {
  static const char *const word[] = {"ok", "FAILED", "REFUSED", "as expected"};
  const char *slash = strrchr(folder, '/');
  struct Section *s = find_section(slash ? slash + 1 : folder);
  Result wanted = s ? s->outcome : PASSED;
  int kind = r;
  if (r == wanted && r != PASSED) {
    kind = LEFT_OUT;
    s->cases++;
  } else if (r == PASSED && wanted != PASSED) {
    kind = FAILED;
    message = "is named in expected-refusals.txt, but passes";
  }
  total[kind]++;
  bool bad = kind == FAILED || kind == REFUSED;
  if (bad || verbose) printf("%s: %s%s%s\n", folder, word[kind], *message ? ": " : "", message);
}

static bool try_case(const char *folder) {
  char path[PATH_SIZE], message[MESSAGE_SIZE];
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  if (!exists(path)) return false;
  Result r = run_isolated(folder, message);
  count(folder, r, message);
  return true;
}

static int is_visible(const struct dirent *d) {
  return d->d_name[0] != '.';
}

static void run_folder(char *folder) {
  size_t n = strlen(folder);
  while (n > 1 && folder[n - 1] == '/') folder[--n] = '\0';
  if (try_case(folder)) return;
  struct dirent **entry;
  int entries = scandir(folder, &entry, is_visible, alphasort);
  if (entries < 0) {
    perror(folder);
    exit(2);
  }
  for (int i = 0; i < entries; i++) {
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
    try_case(path);
    free(entry[i]);
  }
  free(entry);
}

int main(int argc, char **argv) {
  int first = 1;
  for (; first < argc && argv[first][0] == '-'; first++) {
    if (strcmp(argv[first], "--eval") == 0) only_eval = true;
    else if (strcmp(argv[first], "--each-pass") == 0) each_pass = true;
    else if (strcmp(argv[first], "-v") == 0) verbose = true;
    else break;
  }
  if (first == argc || argv[first][0] == '-') {
    fprintf(stderr, "usage: conformance [--eval] [--each-pass] [-v] DIR...\n");
    return 2;
  }
  read_refusals();
  for (int i = first; i < argc; i++) run_folder(argv[i]);
  int failed = total[FAILED] + total[REFUSED];
  print_reasons();
  printf("%d passed, %d failed\n", total[PASSED], failed);
  return failed != 0;
}
