/* profile.c: --profile: how long each layer takes. */
#include "tools.h"

enum { RUNS = 12 };

void report_times(Report *r, Build *b, const Object *o, int threads) {
  Timing *t = timing_open(b, o, "--profile", threads);
  Progress shown = progress_begin(stderr, "profile: run");
  r->peak = timing_peak(t);
  r->bandwidth = timing_bandwidth(t);
  for (int i = 0; i < RUNS; i++) {
    progress_show(&shown, i + 1, RUNS);
    timing_run(t);
  }
  progress_end(&shown);
  for (int i = 0; i < b->n_layer; i++) {
    r->layer[node_index(b->graph, b->layer[i].node)].seconds += timing_best(t)[i];
  }
  if (b->n_strips && threads == 1) r->in_strips = timing_alone(t, RUNS);
  r->runs = RUNS;
  r->threads = threads;
  timing_close(t);
}
