/* compile.h: the list of passes, and where the outputs of a compilation go. */
#ifndef COMPILE_H
#define COMPILE_H

#include "import.h"
#include "rewrite.h"
#include "emit.h"

/* ==== passes.c: the list of passes ==== */

typedef struct Pass {
  char letter;           /* for -d */
  const char *name, *what;
  void (*run)(Graph *g);
  bool keeps_meaning;    /* eval can run the graph after it */
} Pass;
extern const Pass pass_list[];
extern const int pass_count;

/* Runs the passes on g (g->target may be NULL: from the options), with verification, dumps and timing as the options say. */
void run_passes(Graph *g);
/* The same; `after`, unless it is NULL, sees what each of them left. */
typedef void AfterPass(void *data, Graph *g, const Pass *p);
void run_passes_watched(Graph *g, AfterPass *after, void *data);
void print_time(const Options *opt, const char *what, double *last); /* since *last, under --time; *last becomes now */

/* ==== paths.c: where the outputs of a compilation go ==== */

char *path_without_ending(Context *cx, const char *path); /* of its last part */
typedef struct Paths {
  const char *output;
  const char *header, *tuning, *depend; /* NULL: none is written */
} Paths;
Paths paths_of(Context *cx, const Options *opt);
/* Fails where one is a folder, the input cx->file or another of them, or where its ending says that it is something else. */
void paths_check(Context *cx, const Paths *paths, const Options *opt);
/* Fails where one is that file. */
void paths_check_input(Context *cx, const Paths *paths, const char *input);

/* ==== depend.c ==== */

/* The rule of a Makefile by which `target` is made from the others. */
void depend_print(Context *cx, const char *const *target, int n_target, const char *const *source, int n_source, Buffer *out);
#endif
