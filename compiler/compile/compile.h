/* compile.h: the list of passes. */
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

/* Runs the passes on g (g->target may be NULL: from the options), and checks the graph after each if the options say so. */
void run_passes(Graph *g);
/* The same; `after`, unless it is NULL, sees what each of them left, checked. */
typedef void AfterPass(void *data, Graph *g, const Pass *p);
void run_passes_watched(Graph *g, AfterPass *after, void *data);
#endif
