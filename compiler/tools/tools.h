/* tools.h: what was asked for, where the outputs go, what runs an object here, and what prints. */
#ifndef TOOLS_H
#define TOOLS_H

#include "compile.h"

/* What was asked for. */
typedef struct ToolOptions {
  Options compile;         /* what passes may read */
  const char *output;      /* NULL: beside the input, named after it */
  bool verbose, time, each_pass, report, profile, why;
  const char *tune;        /* the file of times; "": beside the output; NULL: nothing is measured */
  bool depend;             /* -MD */
  const char *depend_file; /* -MF */
  const char *dump;        /* letters of the passes to print the graph after */
  int64_t threads;         /* that --profile lends; 0: not given */
} ToolOptions;

/* ==== driver.c ==== */

/* Everything: import to files. Returns 0, or 1 with cx->error set. */
int compile(Context *cx, const ToolOptions *opt);

/* ==== paths.c: where the outputs of a compilation go ==== */

char *path_without_ending(Context *cx, const char *path); /* of its last part */
typedef struct Paths {
  const char *output;
  const char *header, *tuning, *depend; /* NULL: none is written */
} Paths;
Paths paths_of(Context *cx, const ToolOptions *opt);
/* Fails where one is a folder, the input cx->file or another of them, or where its ending says that it is something else. */
void paths_check(Context *cx, const Paths *paths, const ToolOptions *opt);
/* Fails where one is that file. */
void paths_check_input(Context *cx, const Paths *paths, const char *input);

/* ==== depend.c ==== */

/* The rule of a Makefile by which `target` is made from the others. */
void depend_print(Context *cx, const char *const *target, int n_target, const char *const *source, int n_source, Buffer *out);

/* ==== witness.c: --each-pass ==== */
typedef struct Witness Witness;
Witness *witness_new(Context *cx);
/* After pass p: fails, naming it, if the graph's outputs on random inputs are not what they were after the first pass that
 * left a graph without symbols. */
void witness_check(void *witness, Graph *g, const Pass *p); /* AfterPass */

/* ==== alone.c: layers outside their network ==== */

typedef struct Alone {
  const Node *node;    /* a Conv with candidates ... */
  int candidate;       /* ... and which of them */
  bool bare;           /* without the epilogue, the result an output; else nobody reads it */
  Node *copy;          /* set by build_alone */
} Alone;

/* A build of copies of n nodes of b's graph (from select on), ready for object_emit. What they read is constant or an input. */
Build *build_alone(const Build *b, const Options *opt, Alone *layer, int n);

/* ==== accuracy.c ==== */

/* --report: the error against double precision of the layers whose algorithm is Winograd's or Strassen's; nothing where there
 * are none. */
void accuracy_report(Build *b, FILE *f);

/* ==== tune.c: --tune ==== */

/* Measures the promising candidates of every layer of g here, from a copy: g is as front_run left it, and stays so. Progress goes
 * to stderr. Fails where this CPU can't run the object. */
Tuning *tuning_measure(const Graph *g, const Options *opt, const Target *t);

/* ==== timing.c: an object that runs in this process ==== */

/* Random inputs, and so many threads to lend. Fails where this CPU can't run the object, naming the option. */
typedef struct Timing Timing;
Timing *timing_open(Build *b, const Object *o, const char *option, int threads);
void timing_run(Timing *t);
/* By layer: the least seconds of the runs so far, of this thread or, with more of them, by the clock; 0: none. */
const double *timing_best(const Timing *t);
bool *timing_skip(Timing *t); /* by layer: the next runs pass it over; false at first */
/* GFLOP/s of multiply-adds in registers, measured now on as many threads. */
double timing_peak(Timing *t);
void timing_close(Timing *t);

/* ==== profile.c ==== */

/* --profile: runs the object in this process, with so many threads, and prints a table of its layers, and one of the
 * algorithms. Fails where this CPU can't run the object. */
void profile(Build *b, const Object *o, int threads, FILE *f);
/* A convolution's kernel, channels and map, another operator's result, for tables. */
const char *layer_text(Graph *g, const Node *n);

/* ==== report.c ==== */

/* --report: every buffer and layer. */
void plan_report(const Build *b, FILE *f);
/* --why: a line for every candidate of every layer; * marks the chosen ones. */
void select_report(const Build *b, FILE *f);
#endif
