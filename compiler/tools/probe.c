/* probe.c: a graph that runs in this process and shows some of its values. */
#include "tools.h"

struct Probe {
  Context *cx;
  Runner *runner;
  Instance *instance;
  const void *in;      /* of the last run */
  int *at;             /* of each value: the output that it is; -1: it is the input */
};

Probe *probe_open(Context *cx, const Graph *g, Value *const *value, int n) {
  Probe *p = alloc(cx, sizeof *p);
  Graph *own = graph_copy(cx, g);
  *p = (Probe){.cx = cx, .at = alloc_n(cx, (size_t)n + 1, sizeof *p->at)};
  Value **shown = alloc_n(cx, (size_t)n + 1, sizeof *shown);
  for (int i = 0; i < n; i++) shown[i] = own->value[value[i]->id];
  outputs_add(own, shown, n);
  for (int i = 0; i < n; i++) p->at[i] = shown[i]->is_input ? -1 : shown[i]->output;
  graph_count_uses(own);
  p->runner = runner_of_graph(cx, own);
  p->instance = instance_open(cx, &runner_view(p->runner)->model, 1, 1);
  return p;
}

void probe_run(Probe *p, const void *in) {
  int error = instance_run(p->instance, &in);
  p->in = in;
  if (error) fail(p->cx, "it cannot run here: %s", rcc_strerror(error));
}

const float *probe_output(const Probe *p, int i) { return instance_outputs(p->instance)[i].data; }
const float *probe_value(const Probe *p, int i) { return p->at[i] < 0 ? p->in : probe_output(p, p->at[i]); }

void probe_close(Probe *p) {
  instance_close(p->instance);
  runner_close(p->runner);
}
