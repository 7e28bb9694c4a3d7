/* accuracy.c: --report: the error against double precision of layers whose algorithm rounds otherwise than a sum of products
 * does. They run in this process, outside their network, with their own weights on an input like that of a layer behind a
 * Relu: the positive part of Gaussian noise. */
#include "tools.h"

#include "resnetcc_rt.h"
#include <math.h>

enum { SAMPLES = 64, CORNERS = 8, EDGES = 16 };

typedef struct Accuracy {
  Build *build;
  Graph *g;            /* build->graph */
  Alone *layer;
  int n;
  const float *x;      /* every layer's input: as many as it has of these */
  float **y;
  uint64_t state;      /* of the random numbers */
} Accuracy;

static bool rounds_otherwise(const Node *n) {
  return n->candidates && n->plan->how->rounds;
}

static void list_layers(Accuracy *a) {
  Graph *g = a->g;
  a->layer = alloc_n(g->cx, (size_t)g->n_node + 1, sizeof *a->layer);
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    if (!rounds_otherwise(n)) continue;
    a->layer[a->n++] = (Alone){.node = n, .candidate = n->candidates->chosen, .bare = true};
  }
}

/* ==== input ==== */

/* In (0, 1]; Knuth's linear congruential generator, MMIX. */
static double uniform(Accuracy *a) {
  a->state = a->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)((a->state >> 11) + 1) * 0x1p-53;
}

/* Box and Muller. */
static float positive_noise(Accuracy *a) {
  double gauss = sqrt(-2 * log(uniform(a))) * cos(6.283185307179586 * uniform(a));
  return gauss > 0 ? (float)gauss : 0;
}

static void make_input(Accuracy *a) {
  int64_t most = 0;
  for (int i = 0; i < a->n; i++) {
    int64_t count = shape_count(&a->layer[i].node->in[0]->shape);
    if (count > most) most = count;
  }
  float *x = alloc_n(a->g->cx, (size_t)most, sizeof *x);
  for (int64_t i = 0; i < most; i++) x[i] = positive_noise(a);
  a->x = x;
}

/* ==== the run ==== */

static void run_object(Accuracy *a, const Graph *alone, const Object *o) {
  Context *cx = a->g->cx;
  const void **in = alloc_n(cx, (size_t)a->n, sizeof *in);
  a->y = alloc_n(cx, (size_t)a->n, sizeof *a->y);
  for (int i = 0; i < a->n; i++) {
    in[i] = a->x;
    a->y[i] = alloc_n(cx, (size_t)shape_count(&alone->output[i]->shape), sizeof *a->y[i]);
  }
  Jit *jit = jit_open(cx, alone->name, o);
  const rcc_model *m = jit_model(jit);
  size_t size = m->workspace_size(1, 1);
  void *work = rcc_workspace_alloc(size);
  int error = work ? m->run(in, (void *const *)a->y, 1, work, size, NULL) : RCC_ERR_WORKSPACE;
  rcc_workspace_free(work, size);
  jit_close(jit);
  if (error) fail(cx, "--report: %s", rcc_strerror(error));
}

static void run_layers(Accuracy *a) {
  Options quiet = *a->build->options;
  quiet.emit = EMIT_OBJ;
  quiet.weights = WEIGHTS_EMBED;
  Build *alone = build_alone(a->build, &quiet, a->layer, a->n);
  Object object;
  object_emit(alone, &object);
  run_object(a, alone->graph, &object);
}

/* ==== errors ==== */

typedef struct Element {
  int64_t image, channel, row, col;
} Element;

static int64_t below(Accuracy *a, int64_t n) { return (int64_t)(uniform(a) * 0.999999 * (double)n); }

/* Corners of the first and last channels first, then edges, then anywhere. */
static Element sample_of(Accuracy *a, const Shape *y, int i) {
  int64_t bottom = y->d[2] - 1, right = y->d[3] - 1;
  Element p = {below(a, y->d[0]), below(a, y->d[1]), below(a, y->d[2]), below(a, y->d[3])};
  if (i < CORNERS) p.channel = i & 4 ? y->d[1] - 1 : 0;
  if (i < CORNERS || (i < EDGES && i & 1)) p.row = i & 2 ? bottom : 0;
  if (i < CORNERS) p.col = i & 1 ? right : 0;
  else if (i < EDGES && !(i & 1)) p.col = i & 2 ? right : 0;
  return p;
}

/* One result by the definition, its sum in double precision and in single. */
static double exact_result(const Node *n, const float *x, Element p, float *single) {
  const Window *k = &n->win;
  const Shape *in = &n->in[0]->shape, *w = &n->in[1]->shape;
  const float *weight = (const float *)n->in[1]->data + p.channel * w->d[1] * w->d[2] * w->d[3];
  double sum = n->n_in > 2 && n->in[2] ? (double)((const float *)n->in[2]->data)[p.channel] : 0;
  *single = (float)sum;
  for (int64_t c = 0; c < w->d[1]; c++) {
    const float *map = x + (p.image * in->d[1] + c) * in->d[2] * in->d[3];
    for (int64_t i = 0; i < w->d[2] * w->d[3]; i++, weight++) {
      int64_t row = p.row * k->sh - k->top + i / w->d[3] * k->dh, col = p.col * k->sw - k->left + i % w->d[3] * k->dw;
      if (row < 0 || row >= in->d[2] || col < 0 || col >= in->d[3]) continue;
      float v = map[row * in->d[3] + col];
      sum += (double)*weight * (double)v;
      *single += *weight * v;
    }
  }
  return sum;
}

static double largest_of(const float *y, int64_t n) {
  double largest = 0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)y[i]));
  return largest;
}

/* NaN counts as an error without limit. */
static double larger_error(double error, double difference) { return difference <= error ? error : difference; }

static void check_layer(Accuracy *a, int number, ReportLayer *l) {
  const Node *n = a->layer[number].node;
  const Shape *y = &n->out[0]->shape;
  double error = 0, plain = 0, largest = largest_of(a->y[number], shape_count(y));
  for (int i = 0; i < SAMPLES; i++) {
    Element p = sample_of(a, y, i);
    float single, got = a->y[number][((p.image * y->d[1] + p.channel) * y->d[2] + p.row) * y->d[3] + p.col];
    double exact = exact_result(n, a->x, p, &single);
    error = larger_error(error, fabs((double)got - exact));
    plain = larger_error(plain, fabs((double)single - exact));
  }
  double unit = largest > 0 ? largest : 1;
  l->checked = true;
  l->error = error / unit;
  l->fp32_error = plain / unit;
}

void report_accuracy(Report *r, Build *b) {
  Accuracy a = {.build = b, .g = b->graph, .state = 1};
  list_layers(&a);
  if (a.n == 0) return;
  r->samples = SAMPLES;
  r->unchecked = why_not_here(b->graph->cx, b->target);
  if (r->unchecked) return;
  make_input(&a);
  run_layers(&a);
  for (int i = 0; i < a.n; i++) check_layer(&a, i, &r->layer[node_index(a.g, a.layer[i].node)]);
}
