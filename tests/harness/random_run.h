/* random_run.h: a graph as text is compiled in this process, run between pages without access, and held against eval. */
#ifndef RANDOM_RUN_H
#define RANDOM_RUN_H

#include "random_graph.h"

typedef enum Verdict { V_RIGHT, V_REFUSED, V_WRONG } Verdict;

/* Options and a CPU, drawn from the seed; `why` (of 600 bytes) says what is wrong or refused. The text has `$` for the batch;
 * `r` tells magnitudes of outputs by name. */
Verdict random_run(const RandomGraph *r, uint64_t seed, char *why);
/* The options of a seed, for people. */
void random_options_text(uint64_t seed, char *text, size_t size);

#endif
