/* compile.h: the passes, and a build of a graph for one target. */
#ifndef COMPILE_H
#define COMPILE_H

#include "import.h"
#include "rewrite.h"
#include "emit.h"

/* ==== passes.c: the passes in their order, those of the front first ==== */

typedef struct Pass {
  char letter;           /* for -d; no other pass has it, nor the name */
  const char *name, *what;
  void (*front)(Graph *g); /* knows no target and runs once; NULL: the pass belongs to the back */
  void (*back)(Build *b);  /* runs once for each target */
  bool keeps_meaning;    /* eval can run the graph after it */
} Pass;
extern const Pass pass_list[];
extern const int pass_count;

/* ==== build.c ==== */

/* Sees what each pass left, checked if the options say so. */
typedef void AfterPass(void *data, Graph *g, const Pass *p);

/* The passes of the front; `after` may be NULL. */
void front_run(Graph *g, AfterPass *after, void *data);
/* Of a graph after these, which is the build's from now on: for each of several targets a copy. */
Build *build_new(Graph *g, const Options *opt, const Target *t);
void build_run(Build *b, AfterPass *after, void *data); /* the passes of the back */
/* Whatever the build still allocates is memory of that context, and a failure ends its work; returns the one so far. Threads
 * emit builds at the same time in contexts of their own. */
Context *build_use(Build *b, Context *cx);
#endif
