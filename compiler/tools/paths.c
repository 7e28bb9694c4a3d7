/* paths.c: where the outputs of a compilation go, and where they must not. */
#include "tools.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ==== where ==== */

char *path_without_ending(Context *cx, const char *path) {
  const char *base = path_base(path), *dot = strrchr(base, '.');
  size_t n = dot && dot != base ? (size_t)(dot - path) : strlen(path);
  return copy_bytes_as_text(cx, path, n);
}

static const char *output_path(Context *cx, const ToolOptions *opt) {
  static const char *const ending[] = {
    [EMIT_OBJ] = "o", [EMIT_ASM] = "s", [EMIT_LLVM] = "ll", [EMIT_GRAPH] = "txt",
  };
  if (opt->output) return opt->output;
  return format_text(cx, "%s.%s", path_without_ending(cx, path_base(opt->compile.input)), ending[opt->compile.emit]);
}

static const char *header_path(Context *cx, const char *object) {
  size_t n = strlen(object);
  bool ends = n > 2 && strcmp(object + n - 2, ".o") == 0 && object[n - 3] != '/';
  return format_text(cx, "%s.h", ends ? copy_bytes_as_text(cx, object, n - 2) : object);
}

static const char *tuning_path(Context *cx, const ToolOptions *opt, const char *output) {
  if (!opt->tune || *opt->tune) return opt->tune;
  return output_is_file(output) ? format_text(cx, "%s.tune", path_without_ending(cx, output)) : NULL;
}

static const char *depend_path(Context *cx, const ToolOptions *opt, const char *output) {
  if (!opt->depend || opt->depend_file) return opt->depend_file;
  if (output_is_file(output)) return format_text(cx, "%s.d", path_without_ending(cx, output));
  fail(cx, "-MD: '%s' is no file to write beside; name one with -MF", output);
}

/* A device takes the object alone, as it takes no header. */
static const char *weights_path(Context *cx, const ToolOptions *opt, const char *output) {
  const Options *o = &opt->compile;
  if (o->weights == WEIGHTS_EMBED || o->emit == EMIT_GRAPH) return NULL;
  if (o->weights_section) fail(cx, "--weights-section: with --weights=file the object has no weights");
  if (strcmp(output, "-") == 0) fail(cx, "--weights: standard output has no file beside it; name the output with -o");
  return output_is_file(output) ? format_text(cx, "%s.weights", path_without_ending(cx, output)) : NULL;
}

Paths paths_of(Context *cx, const ToolOptions *opt) {
  const char *output = output_path(cx, opt);
  bool has_header = opt->compile.emit == EMIT_OBJ && output_is_file(output);
  Paths p = {.output = output, .header = has_header ? header_path(cx, output) : NULL,
             .weights = weights_path(cx, opt, output), .tuning = tuning_path(cx, opt, output), .depend = depend_path(cx, opt, output)};
  for (int i = 0; i < opt->report.n; i++) {
    if (*opt->report.path[i]) p.report[p.n_report++] = opt->report.path[i];
  }
  return p;
}

/* ==== where not ==== */

enum { ONE_EACH = 5, MOST_PATHS = ONE_EACH + MAX_REPORTS };

static int list_paths(const Paths *p, const char *path[MOST_PATHS]) {
  const char *const all[ONE_EACH] = {p->output, p->header, p->weights, p->tuning, p->depend};
  int n = 0;
  for (int i = 0; i < ONE_EACH; i++)
    if (all[i]) path[n++] = all[i];
  for (int i = 0; i < p->n_report; i++) path[n++] = p->report[i];
  return n;
}

/* One spelling of the path of a file that need not exist. */
static const char *only_path(Context *cx, const char *path) {
  if (!output_is_file(path)) return path;
  path = output_resolved(cx, path);
  char *folder = realpath(path_folder(cx, path), NULL);
  if (!folder) return path;
  const char *only = format_text(cx, "%s/%s", folder, path_base(path));
  free(folder);
  return only;
}

/* What is written is no such thing, whatever its name says. */
static void check_ending(Context *cx, const ToolOptions *opt, const char *path) {
  static const struct { const char *ending, *what; } others[] = {
    {".so", "shared library"}, {".dylib", "shared library"}, {".dll", "shared library"}, {".a", "library"},
    {".lib", "library"}, {".exe", "program"}, {".c", "C file"}, {".cc", "C++ file"}, {".cpp", "C++ file"},
    {".h", "header"}, {".hpp", "header"},
    {".onnx", "model"},
  };
  static const char *const names[] = {[EMIT_OBJ] = "an object file", [EMIT_ASM] = "assembly", [EMIT_LLVM] = "LLVM IR",
                                      [EMIT_GRAPH] = "a graph as text"};
  if (!output_is_file(path)) return;
  size_t length = strlen(path);
  const char *version = strstr(path_base(path), ".so.");
  for (size_t i = 0; i < COUNT(others); i++) {
    size_t n = strlen(others[i].ending);
    bool ends = length > n && strcasecmp(path + length - n, others[i].ending) == 0;
    if (ends || (version && i == 0))
      fail(cx, "-o %s: resnetcc writes %s, not a %s", path, names[opt->compile.emit], others[i].what);
  }
}

void paths_check(Context *cx, const Paths *paths, const ToolOptions *opt) {
  const char *path[MOST_PATHS], *only[MOST_PATHS];
  int n = list_paths(paths, path);
  if (paths->tuning && strcmp(paths->tuning, paths->output) == 0) fail(cx, "--tune: '%s' is the output", paths->tuning);
  for (int i = 0; i < n; i++) {
    output_check(cx, path[i]);
    only[i] = only_path(cx, path[i]);
    for (int k = 0; k < i; k++) {
      if (strcmp(only[k], only[i]) != 0 || !(output_is_file(path[i]) || strcmp(path[i], "-") == 0)) continue;
      cx->file = path[i];
      fail(cx, "cannot be written: two outputs have this name");
    }
  }
  check_ending(cx, opt, paths->output);
}

void paths_check_input(Context *cx, const Paths *paths, const char *input) {
  const char *path[MOST_PATHS];
  int n = list_paths(paths, path);
  for (int i = 0; i < n; i++) {
    if (!same_file(path[i], input)) continue;
    cx->file = path[i];
    fail(cx, "cannot be written: it holds data of the model");
  }
}
