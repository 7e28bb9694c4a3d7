/* paths.c: where the outputs of a compilation go, and where they must not. */
#include "tools.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ==== where ==== */

/* Of a file's name, without the dot; "": it has none. libnet.so.1.2 ends in so.1.2. */
static const char *ending_of(const char *path) {
  const char *base = path_base(path), *dot = strstr(base, ".so.");
  if (!dot || dot == base) dot = strrchr(base, '.');
  return dot && dot != base ? dot + 1 : base + strlen(base);
}

char *path_without_ending(Context *cx, const char *path) {
  const char *ending = ending_of(path);
  return copy_bytes_as_text(cx, path, (size_t)(ending - path) - (*ending != '\0'));
}

static const struct { const char *ending; int kind; } endings[] = {
  {"o", EMIT_OBJ}, {"obj", EMIT_OBJ}, {"syso", EMIT_OBJ}, {"s", EMIT_ASM}, {"ll", EMIT_LLVM}, {"so", EMIT_SHARED},
};

/* EMIT_AUTO: it says nothing. */
static int kind_of_ending(const char *ending) {
  if (strncmp(ending, "so.", 3) == 0) ending = "so";
  for (size_t i = 0; i < COUNT(endings); i++) {
    if (strcmp(endings[i].ending, ending) == 0) return endings[i].kind;
  }
  return EMIT_AUTO;
}

int emit_kind(Context *cx, const ToolOptions *opt) {
  if (opt->compile.emit != EMIT_AUTO) return opt->compile.emit;
  if (!opt->output || !output_is_file(opt->output)) return EMIT_OBJ;
  const char *ending = ending_of(opt->output);
  if (!*ending) return EMIT_OBJ;
  if (kind_of_ending(ending) != EMIT_AUTO) return kind_of_ending(ending);
  fail(cx, "-o %s: nothing that is written has the ending .%s; it may be .o .obj .syso .s .ll or .so, and --emit=KIND goes with any",
       opt->output, ending);
}

static const char *output_path(Context *cx, const ToolOptions *opt) {
  static const char *const ending[] = {
    [EMIT_OBJ] = "o", [EMIT_ASM] = "s", [EMIT_LLVM] = "ll", [EMIT_GRAPH] = "txt", [EMIT_SHARED] = "so",
  };
  if (opt->output) return opt->output;
  if (strcmp(opt->compile.input, "-") == 0) fail(cx, "the model comes from standard input, so the output has no name; name it with -o FILE");
  return format_text(cx, "%s.%s", path_without_ending(cx, path_base(opt->compile.input)), ending[opt->compile.emit]);
}

/* An ending that says nothing is part of the name. */
static const char *header_path(Context *cx, const ToolOptions *opt, const char *output) {
  int emit = opt->compile.emit;
  if (opt->header) return strcmp(opt->header, "none") == 0 ? NULL : opt->header;
  if ((emit != EMIT_OBJ && emit != EMIT_SHARED) || !output_is_file(output)) return NULL;
  bool known = kind_of_ending(ending_of(output)) != EMIT_AUTO;
  return format_text(cx, "%s.h", known ? path_without_ending(cx, output) : output);
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
  Paths p = {.output = output, .header = header_path(cx, opt, output), .weights = weights_path(cx, opt, output),
             .tuning = tuning_path(cx, opt, output), .depend = depend_path(cx, opt, output)};
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

void paths_check(Context *cx, const Paths *paths) {
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

/* ==== the runtime ==== */

const char *runtime_archive(Context *cx) {
  static const char *const places[] = {"", "/../" RESNETCC_LIBDIR, "/../lib", "/../lib64"};
  char program[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", program, sizeof program);
  const char *folder = n > 0 ? path_folder(cx, copy_bytes_as_text(cx, program, (size_t)n)) : ".";
  for (size_t i = 0; i < COUNT(places); i++) {
    const char *path = format_text(cx, "%s%s/libresnetcc_rt.a", folder, places[i]);
    if (access(path, R_OK) == 0) return path;
  }
  fail(cx, "libresnetcc_rt.a, which a shared library takes in, is not in %s/../%s; install it there", folder, RESNETCC_LIBDIR);
}
