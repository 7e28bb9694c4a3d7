/* profile.c: --profile, a table of where the time goes. The object that was emitted runs in this process;
 * lending it one "thread" that looks at the clock shows every layer's time. */
#include "codegen.h"

#include "resnetcc_rt.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 12 };

typedef struct Clock {
  rcc_parallel lent;   /* first: run gets the clock by its address */
  double *best;        /* seconds, by layer */
  int next;
} Clock;

/* Of this thread, so that what else the machine does in between does not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void timed_run(const rcc_parallel *self, void (*task)(void *arg, int32_t index, int32_t worker),
                      void *arg, int32_t count) {
  Clock *c = (Clock *)self;
  double start = seconds();
  for (int32_t i = 0; i < count; i++) task(arg, i, 0);
  double taken = seconds() - start;
  double *best = &c->best[c->next++];
  if (*best == 0 || taken < *best) *best = taken;
}

/* ==== the table ==== */

static int64_t multiplications(const Node *n) {
  const Shape *y = &n->out[0]->shape;
  if (n->op == OP_Conv) return shape_count(y) * shape_count(&n->in[1]->shape) / n->in[1]->shape.d[0];
  if (n->op == OP_Gemm || n->op == OP_MatMul) {
    const Shape *a = &n->in[0]->shape;
    bool transposed = n->op == OP_Gemm && attr_int(n, "transA", 0);
    return shape_count(y) * a->d[transposed ? 0 : a->rank - 1];
  }
  return 0;
}

static const char *algorithm(const Node *n) {
  if (n->op != OP_Conv) return "";
  return n->candidates ? n->candidates->item[n->candidates->chosen].name : "plain";
}

const char *layer_text(Graph *g, const Node *n) {
  if (n->op != OP_Conv) return shape_text(g->cx, &n->out[0]->shape);
  const Window *k = &n->win;
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  return format_text(g->cx, "%dx%d/%d %" PRId64 "->%" PRId64 " @%" PRId64 "x%" PRId64, k->kh, k->kw, k->sh,
                     x->d[1], y->d[1], y->d[2], y->d[3]);
}

static void print_row(Graph *g, int i, const double *best, FILE *f) {
  const Node *n = g->layer[i].node;
  bool second_follows = i + 1 < g->n_layer && g->layer[i + 1].node == n;
  double flops = second_follows ? 0 : 2e-9 * (double)multiplications(n);
  double time = best[i] + (g->layer[i].phase ? best[i - 1] : 0);
  const char *op = op_info[n->op].name;
  fprintf(f, "%4d %-18s %-30s %-23s %9.4f", i, op, layer_text(g, n), algorithm(n), best[i] * 1e3);
  if (flops > 0) fprintf(f, " %8.1f", flops / time);
  else fprintf(f, " %8s", "");
  fprintf(f, "  %s\n", n->name);
}

static void print_table(Graph *g, const double *best, FILE *f) {
  double sum = 0, flops = 0;
  fprintf(f, "%4s %-18s %-30s %-23s %9s %8s  %s\n", "", "operator", "shape", "algorithm", "ms", "GFLOP/s",
          "node");
  for (int i = 0; i < g->n_layer; i++) {
    print_row(g, i, best, f);
    sum += best[i];
    if (!g->layer[i].phase) flops += 2e-9 * (double)multiplications(g->layer[i].node);
  }
  fprintf(f, "%4s %-18s %-30s %-23s %9.4f %8.1f\n", "", "all", "", "", sum * 1e3, flops / sum);
}

/* ==== the run ==== */

static void *random_input(Graph *g, const Value *v) {
  int64_t n = shape_count(&v->shape);
  size_t size = type_size(v->type);
  uint8_t *data = alloc_n(g->cx, (size_t)n + 1, size);
  uint32_t state = 1;
  for (int64_t i = 0; i < n; i++) {
    state = state * 1664525u + 1013904223u;
    if (v->type == T_F32) ((float *)data)[i] = (float)(state >> 8) / (1 << 23) - 1;
    else data[i * (int64_t)size] = state >> 31;
  }
  return data;
}

void layer_times(Graph *g, const Object *o, const char *option, int runs, double *best) {
  Jit *jit = jit_open(g->cx, g->name, o);
  const rcc_model *m = jit_model(jit);
  const void **in = alloc_n(g->cx, (size_t)g->n_input + 1, sizeof *in);
  void **out = alloc_n(g->cx, (size_t)g->n_output + 1, sizeof *out);
  for (int i = 0; i < g->n_input; i++) in[i] = random_input(g, g->input[i]);
  for (int i = 0; i < g->n_output; i++) {
    out[i] = alloc_n(g->cx, (size_t)shape_count(&g->output[i]->shape) + 1, type_size(g->output[i]->type));
  }
  size_t size = m->workspace_size(1, 1);
  void *work = rcc_workspace_alloc(size ? size : 64);
  Clock clock = {.lent = {.threads = 1, .run = timed_run}, .best = best};
  int error = RCC_OK;
  for (int i = 0; i < runs && !error; i++) {
    clock.next = 0;
    error = m->run(in, out, 1, work, size, &clock.lent);
  }
  rcc_workspace_free(work, size ? size : 64);
  jit_close(jit);
  if (error) fail(g->cx, "%s: %s", option, rcc_strerror(error));
}

void profile(Graph *g, const Object *o, FILE *f) {
  double *best = alloc_n(g->cx, (size_t)g->n_layer + 1, sizeof *best);
  layer_times(g, o, "--profile", RUNS, best);
  print_table(g, best, f);
}
