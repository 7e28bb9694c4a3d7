/* main.c: the command line, with the conventions of C compilers. */
#include "tools.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_THREADS = 1024 };
static const int64_t default_memory = INT64_C(16) << 30;

/* ==== errors ==== */

static _Noreturn void usage_error(const char *fmt, ...) PRINTF(1, 2);

/* `fail` escapes what a terminal would obey; here it has no context to unwind to. */
static _Noreturn void usage_error(const char *fmt, ...) {
  Context cx = {0};
  char text[2048];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (setjmp(cx.unwind) == 0) fail(&cx, "%s", text);
  fprintf(stderr, "resnetcc: error: %s\n", cx.error);
  exit(1);
}

/* What was asked for on standard output must have got there. */
static _Noreturn void exit_after_text(void) {
  if (fflush(stdout) != 0) usage_error("standard output cannot be written: %s", strerror(errno));
  exit(0);
}

/* ==== options: how the values are read ==== */

static void set_emit(ToolOptions *o, const char *value) {
  static const char *const names[] = {
    [EMIT_OBJ] = "obj", [EMIT_ASM] = "asm", [EMIT_LLVM] = "llvm", [EMIT_GRAPH] = "graph",
  };
  for (int i = 0; i < (int)COUNT(names); i++) {
    if (strcmp(names[i], value) == 0) {
      o->compile.emit = i;
      return;
    }
  }
  usage_error("--emit=%s: it is obj, asm, llvm or graph", value);
}

static void set_winograd(ToolOptions *o, const char *value) {
  static const char *const names[] = {[WINOGRAD_AUTO] = "auto", [WINOGRAD_OFF] = "off", [WINOGRAD_2] = "2",
                                      [WINOGRAD_4] = "4"};
  for (int i = 0; i < (int)COUNT(names); i++) {
    if (strcmp(names[i], value) == 0) {
      o->compile.winograd = i;
      return;
    }
  }
  usage_error("--winograd=%s: it is auto, off, 2 or 4", value);
}

static void set_strassen(ToolOptions *o, const char *value) {
  static const char *const names[] = {[STRASSEN_AUTO] = "auto", [STRASSEN_OFF] = "off", [STRASSEN_ON] = "on"};
  for (int i = 0; i < (int)COUNT(names); i++) {
    if (strcmp(names[i], value) == 0) {
      o->compile.strassen = i;
      return;
    }
  }
  usage_error("--strassen=%s: it is auto, off or on", value);
}

static void set_output_path(ToolOptions *o, const char *value) {
  if (o->output) usage_error("-o is given twice");
  if (!*value) usage_error("-o: the file name is empty");
  o->output = value;
}

static void set_name(ToolOptions *o, const char *value) { o->compile.name = value; }
static void set_cpu(ToolOptions *o, const char *value) { o->compile.cpu = value; }
static void set_attr(ToolOptions *o, const char *value) { o->compile.attr = value; }
static void set_triple(ToolOptions *o, const char *value) { o->compile.triple = value; }
static void set_strict(ToolOptions *o, const char *value) { (void)value, o->compile.strict = true; }
static void set_flush(ToolOptions *o, const char *value) { (void)value, o->compile.flush_denormals = true; }
static void set_report(ToolOptions *o, const char *value) { (void)value, o->report = true; }
static void set_profile(ToolOptions *o, const char *value) { (void)value, o->profile = true; }
static void set_why(ToolOptions *o, const char *value) { (void)value, o->why = true; }
static void set_small(ToolOptions *o, const char *value) { (void)value, o->compile.small = true; }
static void set_verbose(ToolOptions *o, const char *value) { (void)value, o->verbose = true; }
static void set_time(ToolOptions *o, const char *value) { (void)value, o->time = true; }
static void set_verify(ToolOptions *o, const char *value) { (void)value, o->compile.verify = true; }
static void set_each_pass(ToolOptions *o, const char *value) { (void)value, o->each_pass = true; }

static void set_depend(ToolOptions *o, const char *value) { (void)value, o->depend = true; }

static void set_depend_file(ToolOptions *o, const char *value) {
  if (!*value) usage_error("-MF: the file name is empty");
  o->depend_file = value;
}

static void set_tune(ToolOptions *o, const char *value) {
  if (value && !*value) usage_error("--tune=: the file name is empty");
  o->tune = true;
  o->tune_file = value;
}

/* A positive decimal number at s; *end is behind it. */
static int64_t number(const char *s, char **end) {
  errno = 0;
  *end = (char *)s;
  if (*s < '0' || *s > '9') return 0;
  int64_t n = strtoll(s, end, 10);
  return errno ? 0 : n;
}

static void set_memory(ToolOptions *o, const char *value) {
  static const char units[] = "KMG";
  char *end;
  int64_t n = number(value, &end);
  for (int i = 0; n > 0 && units[i]; i++) {
    if (*end != units[i]) continue;
    if (!mul_size(n, INT64_C(1) << (10 * (i + 1)), &n)) n = 0;
    end++;
    break;
  }
  if (n <= 0 || *end) usage_error("--max-memory=%s: it is a number of bytes, or of K, M or G", value);
  o->compile.max_memory = n < MOST_MEMORY ? n : MOST_MEMORY;
}

static void set_threads(ToolOptions *o, const char *value) {
  char *end;
  int64_t n = number(value, &end);
  if (n <= 0 || n > MOST_THREADS || *end) usage_error("--threads=%s: it is a number from 1 to %d", value, MOST_THREADS);
  o->threads = (int)n;
}

static void set_batch(ToolOptions *o, const char *value) {
  char *end;
  o->compile.batch = number(value, &end);
  if (o->compile.batch == 0 || *end) usage_error("--batch=%s: it is a number from 1 on", value);
}

/* A name at s, which stands for a dimension that stays symbolic; *end is behind it. */
static bool name(const char *s, char **end) {
  size_t n = strcspn(s, ",");
  *end = (char *)s + n;
  return n > 0 && (*s < '0' || *s > '9') && !strchr("+-.", *s);
}

static bool read_shape(const char *s, Shape *shape) {
  for (char *end;; s = end + 1) {
    int64_t n = number(s, &end);
    if (n <= 0) n = shape->rank == 0 && name(s, &end) ? -1 : 0; /* the first, the batch */
    if (n == 0 || shape->rank == MAX_RANK) return false;
    shape->d[shape->rank++] = n;
    if (*end != ',') return !*end;
  }
}

static void set_shape(ToolOptions *o, const char *value) {
  const char *equals = strrchr(value, '='); /* an input's name may hold one */
  struct ShapePin *pin = &o->compile.shape[o->compile.n_shape++]; /* main made room for one an argument */
  if (!equals || equals == value || !read_shape(equals + 1, &pin->shape)) {
    usage_error("--shape %s: it is NAME=1,3,224,224 with up to %d numbers from 1 on, or N for the batch", value, MAX_RANK);
  }
  pin->input = strndup(value, (size_t)(equals - value));
  if (!pin->input) out_of_memory();
}

static void set_dump(ToolOptions *o, const char *value) {
  for (const char *p = value; *p; p++) {
    bool known = false;
    for (int i = 0; i < pass_count; i++) known |= pass_list[i].letter == *p;
    if (!known) usage_error("-d %s: no pass has the letter '%c'; --passes lists them", value, *p);
  }
  o->dump = value;
}

/* ==== options that print and end ==== */

static void print_help(ToolOptions *o, const char *value);

static void print_version(ToolOptions *o, const char *value) {
  (void)o, (void)value;
  printf("resnetcc %s\n", RESNETCC_VERSION);
  exit_after_text();
}

static void print_passes(ToolOptions *o, const char *value) {
  (void)o, (void)value;
  for (int i = 0; i < pass_count; i++) {
    printf("  %c  %-9s %s\n", pass_list[i].letter, pass_list[i].name, pass_list[i].what);
  }
  exit_after_text();
}

/* ==== the table ==== */

typedef enum ValueKind {
  NONE,
  JOINED, /* -x=VALUE */
  EITHER, /* -xVALUE, -x VALUE, --x=VALUE or --x VALUE */
  OPTIONAL, /* --x or --x=VALUE */
} ValueKind;

static const struct Option {
  const char *name, *value; /* value: its name in the help */
  ValueKind kind;
  void (*set)(ToolOptions *o, const char *value);
  const char *help;
} options[] = {
  {"-o", "FILE", EITHER, set_output_path, "write to FILE, the header beside it; - is standard output (no header)"},
  {"-MD", NULL, NONE, set_depend, "write a Makefile rule beside the output, ending .d: what it was made from"},
  {"-MF", "FILE", EITHER, set_depend_file, "write that rule to FILE"},
  {"--name", "NAME", EITHER, set_name, "prefix of the C names; default: the output's file name"},
  {"--shape", "INPUT=1,3,224,224", EITHER, set_shape, "fix the shape of an input; N: the batch stays symbolic"},
  {"--batch", "N", EITHER, set_batch, "fix a symbolic batch: the code works on N images at once"},
  {"--emit", "KIND", EITHER, set_emit, "obj (default), asm, llvm or graph"},
  {"-mcpu", "CPU", JOINED, set_cpu, "generate code for CPU; default: the CPU of this machine"},
  {"-mattr", "LIST", JOINED, set_attr, "features of it, as in +avx2,-fma"},
  {"--target", "TRIPLE", EITHER, set_triple, "such as x86_64-linux-gnu; default: this machine"},
  {"--strict", NULL, NONE, set_strict, "nothing that rests on activations being finite, or changes the sign of a zero"},
  {"--flush-denormals", NULL, NONE, set_flush, "denormal numbers count as zeros while the object runs"},
  {"-Os", NULL, NONE, set_small, "no weights that take more room for being faster"},
  {"--winograd", "WHEN", EITHER, set_winograd, "auto (default), off, or, wherever it fits, 2 or 4: F(2x2,3x3) or F(4x4,3x3)"},
  {"--strassen", "WHEN", EITHER, set_strassen, "auto (default), off, or on: Strassen's algorithm wherever it fits"},
  {"--max-memory", "SIZE", EITHER, set_memory, "refuse models that need more; K, M, G; default: 16G"},
  {"--report", NULL, NONE, set_report, "list layers and buffers, and the errors of Winograd's and Strassen's algorithms"},
  {"--profile", NULL, NONE, set_profile, "run the object here, list the time of every layer and its share of the peak"},
  {"--threads", "N", EITHER, set_threads, "threads that --profile runs it with; default: 1"},
  {"--why", NULL, NONE, set_why, "list the algorithms that each layer can have, with their costs"},
  {"--tune", "FILE", OPTIONAL, set_tune, "measure them here, or read FILE if there is one"},
  {"-v", NULL, NONE, set_verbose, "say what is compiled, and how large it gets"},
  {"--time", NULL, NONE, set_time, "time of each pass"},
  {"--passes", NULL, NONE, print_passes, "list the passes and end"},
  {"-d", "LETTERS", EITHER, set_dump, "print the graph after these passes"},
  {"--verify", NULL, NONE, set_verify, "check the graph after each pass"},
  {"--each-pass", NULL, NONE, set_each_pass, "evaluate the graph after each pass and compare (slow)"},
  {"--help", NULL, NONE, print_help, "print this and end"},
  {"--version", NULL, NONE, print_version, "print the version and end"},
};

static void print_help(ToolOptions *o, const char *value) {
  (void)o, (void)value;
  printf("usage: resnetcc [options] model.onnx\n"
         "Compiles an ONNX model to an object file and a C header.\n\n");
  for (size_t i = 0; i < COUNT(options); i++) {
    const struct Option *p = &options[i];
    const char *between = !p->value ? "" : p->kind == JOINED || p->name[1] == '-' ? "=" : " ";
    bool optional = p->kind == OPTIONAL;
    int n = printf("  %s%s%s%s%s", p->name, optional ? "[" : "", between, p->value ? p->value : "",
                   optional ? "]" : "");
    printf("%*s%s\n", n < 28 ? 28 - n : 1, "", p->help);
  }
  exit_after_text();
}

/* ==== parsing ==== */

/* The value that is part of the argument, NULL where there is none; *match: the argument is this option. */
static const char *attached_value(const struct Option *p, const char *arg, bool *match) {
  size_t n = strlen(p->name);
  *match = strncmp(arg, p->name, n) == 0;
  if (!*match || !arg[n]) return NULL;
  if (arg[n] == '=' && p->value && n > 2) return arg + n + 1;
  if (p->kind == EITHER && n == 2) return arg + n;
  *match = false;
  return NULL;
}

/* Reads the option at argv[i]; returns how many arguments it took. */
static int read_option(ToolOptions *o, char **argv, int i) {
  for (const struct Option *p = options; p < options + COUNT(options); p++) {
    bool match;
    const char *value = attached_value(p, argv[i], &match);
    if (!match) continue;
    bool next = !value && p->kind == EITHER;
    if (next) value = argv[i + 1];
    if (!value && p->value && p->kind != OPTIONAL) {
      usage_error("option '%s' needs a value: %s", p->name, p->value);
    }
    p->set(o, value);
    return next ? 2 : 1;
  }
  usage_error("unknown option '%s'; --help lists them", argv[i]);
}

static void read_input(ToolOptions *o, const char *arg) {
  if (o->compile.input) usage_error("more than one input file: '%s' and '%s'", o->compile.input, arg);
  if (!*arg) usage_error("the name of the input file is empty");
  o->compile.input = arg;
}

static void read_arguments(ToolOptions *o, char **argv) {
  bool only_files = false;
  for (int i = 1; argv[i];) {
    if (only_files || argv[i][0] != '-' || !argv[i][1]) {
      read_input(o, argv[i++]);
    } else if (strcmp(argv[i], "--") == 0) {
      only_files = true;
      i++;
    } else {
      i += read_option(o, argv, i);
    }
  }
  if (!o->compile.input) usage_error("no input file; --help lists the options");
}

/* ==== the program ==== */

static void clean_up_and_die(int number_of_signal) {
  output_discard();
  signal(number_of_signal, SIG_DFL);
  raise(number_of_signal);
}

/* What the caller has switched off (nohup), or a sanitizer has taken, stays so. */
static void catch_signals(void) {
  static const int signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGTERM,
                                SIGABRT, SIGSEGV, SIGBUS,  SIGFPE,  SIGILL};
  for (size_t i = 0; i < COUNT(signals); i++) {
    struct sigaction old;
    if (sigaction(signals[i], NULL, &old) != 0 || old.sa_flags & SA_SIGINFO || old.sa_handler != SIG_DFL) continue;
    signal(signals[i], clean_up_and_die);
  }
  signal(SIGXFSZ, SIG_IGN); /* a file over the limit is an error of write */
}

int main(int argc, char **argv) {
  ToolOptions o = {.compile = {.max_memory = default_memory}};
  o.compile.shape = calloc((size_t)argc + 1, sizeof *o.compile.shape);
  if (!o.compile.shape) out_of_memory();
  read_arguments(&o, argv);
  catch_signals();
  Context cx = {0};
  int status = compile(&cx, &o);
  if (status) fprintf(stderr, "resnetcc: %s\n", cx.error);
  for (int i = 0; i < o.compile.n_shape; i++) free((char *)o.compile.shape[i].input);
  free(o.compile.shape);
  return status;
}
