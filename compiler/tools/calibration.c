/* calibration.c: a model of floats becomes one of 8-bit integers, with the ranges that its values had on
 * samples.
 *
 *     model -- shape, fold, affine --> floats --------------------------> QDQ model
 *                                        |  ranges, means of channels        |
 *     samples --------------------------- + ----- compare, value by value --- +
 *
 * All runs are those of compiled code, in the order of the files: the same samples give the same model. */
#include "tools.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Calibration {
  Context *cx;
  const ToolOptions *opt;
  Graph *g;            /* of floats */
  bool *keep;          /* by node: those that stay so */
  Quantizing q;
  Value **value;       /* those that are quantised with numbers of their own */
  int n;
  Samples *samples;
  void *input;         /* a sample */
  Histogram *histogram; /* of each value */
  float **largest;     /* by value id: the largest magnitude of each channel */
  double *signal, *noise; /* sums of squares: of each value; of what quantisation changes */
  Probe *integers;     /* the quantised model, while it is compared */
  double output_signal, output_noise;
  int64_t agree;       /* samples with the same best class */
  bool scores;         /* the first output has a score for each class */
} Calibration;

/* ==== the model ==== */

static Graph *float_graph(Context *cx, const ToolOptions *opt) {
  Options *own = alloc(cx, sizeof *own);
  *own = opt->compile;
  own->n_words = 0;
  own->labels = NULL;
  Graph *g = import_model(cx, own);
  pass_shape(g);
  pass_precision(g);
  pass_fold(g);
  pass_affine(g);
  pass_fold(g);
  verify(g, "affine");
  for (int i = 0; i < g->n_node; i++) {
    if (op_info[g->node[i]->op].family == FAMILY_SCALE)
      fail_at(g, g->node[i], "the model is quantised already; calibrate takes a model of floats");
  }
  return g;
}

/* ==== --keep-float ==== */

static bool list_has(const char *list, const char *name) {
  size_t n = strlen(name);
  for (const char *s = list; *s; s += *s == ',') {
    size_t length = strcspn(s, ",");
    if (length == n && same_bytes(s, name, n)) return true;
    s += length;
  }
  return false;
}

static bool has_weights(const Node *n) { return n->op == OP_Conv || n->op == OP_Gemm || n->op == OP_MatMul; }

/* Fails where a name is none of a node. */
static void check_names(const Calibration *c, const char *list) {
  for (const char *s = list; *s; s += *s == ',') {
    size_t length = strcspn(s, ",");
    const char *name = copy_bytes_as_text(c->cx, s, length);
    bool known = strcmp(name, "first") == 0 || strcmp(name, "last") == 0;
    for (int i = 0; i < c->g->n_node; i++) known |= strcmp(c->g->node[i]->name, name) == 0;
    if (!known) fail(c->cx, "--keep-float: no node is called \"%s\"; it is first, last or the name of one", name);
    s += length;
  }
}

static void choose_nodes(Calibration *c) {
  const char *list = c->opt->keep_float ? c->opt->keep_float : "";
  int first = -1, last = -1;
  c->keep = alloc_n(c->cx, (size_t)c->g->n_node + 1, sizeof *c->keep);
  check_names(c, list);
  for (int i = 0; i < c->g->n_node; i++) {
    c->keep[i] = list_has(list, c->g->node[i]->name);
    if (!has_weights(c->g->node[i])) continue;
    if (first < 0) first = i;
    last = i;
  }
  if (first >= 0 && list_has(list, "first")) c->keep[first] = true;
  if (last >= 0 && list_has(list, "last")) c->keep[last] = true;
}

/* ==== what values are ==== */

static void list_values(Calibration *c) {
  c->q = quantizing_new(c->g, c->keep);
  c->value = alloc_n(c->cx, (size_t)c->g->n_value + 1, sizeof *c->value);
  for (int i = 0; i < c->g->n_value; i++)
    if (c->q.wanted[i] && !c->q.same[i]) c->value[c->n++] = c->g->value[i];
  if (c->n == 0) fail(c->cx, "no operator of it works on 8-bit integers%s", c->opt->keep_float ? "; --keep-float leaves none" : "");
  c->histogram = alloc_n(c->cx, (size_t)c->n, sizeof *c->histogram);
  c->signal = alloc_n(c->cx, (size_t)c->n, sizeof *c->signal);
  c->noise = alloc_n(c->cx, (size_t)c->n, sizeof *c->noise);
  c->largest = alloc_n(c->cx, (size_t)c->g->n_value + 1, sizeof *c->largest);
}

static int64_t channels_of(const Value *v) { return v->shape.rank > 1 ? v->shape.d[1] : 1; }

static void forget(Calibration *c) {
  for (int i = 0; i < c->n; i++) {
    int id = c->value[i]->id;
    size_t channels = (size_t)channels_of(c->value[i]) + 1;
    c->histogram[i] = (Histogram){.lo = INFINITY, .hi = -INFINITY};
    c->q.mean[id] = alloc_n(c->cx, channels, sizeof *c->q.mean[id]);
    c->largest[id] = alloc_n(c->cx, channels, sizeof *c->largest[id]);
  }
}

/* Of value i: range, and means and magnitudes of the channels. */
static void add_range(Calibration *c, int i, const float *x, int sample) {
  const Value *v = c->value[i];
  Histogram *h = &c->histogram[i];
  int64_t count = shape_count(&v->shape), channels = channels_of(v), each = count / size_max(channels, 1);
  float *mean = c->q.mean[v->id], *largest = c->largest[v->id];
  for (int64_t k = 0; k < channels; k++) {
    double sum = 0;
    for (int64_t e = k * each; e < (k + 1) * each; e++) {
      if (!isfinite(x[e])) fail(c->cx, "the value \"%s\" is not finite for %s", v->name, samples_name(c->samples, sample));
      if (x[e] < h->lo) h->lo = x[e];
      if (x[e] > h->hi) h->hi = x[e];
      largest[k] = fmaxf(largest[k], fabsf(x[e]));
      sum += x[e];
    }
    mean[k] += (float)(sum / (double)each / samples_count(c->samples));
  }
}

static void take_ranges(Calibration *c, const Probe *floats, int sample) {
  for (int i = 0; i < c->n; i++) add_range(c, i, probe_value(floats, i), sample);
}

static void add_counts(Calibration *c, int i, const float *x) {
  Histogram *h = &c->histogram[i];
  if (!(h->hi > h->lo)) return;
  double factor = HISTOGRAM_BINS / (h->hi - h->lo);
  for (int64_t e = 0; e < shape_count(&c->value[i]->shape); e++) {
    int bin = (int)((x[e] - h->lo) * factor);
    h->count[bin < HISTOGRAM_BINS ? bin : HISTOGRAM_BINS - 1]++;
  }
}

static void take_counts(Calibration *c, const Probe *floats, int sample) {
  (void)sample;
  for (int i = 0; i < c->n; i++) add_counts(c, i, probe_value(floats, i));
}

/* `take` finds it in c->input, and what became of it in the probe. */
static void each_sample(Calibration *c, Probe *floats, const char *what, void (*take)(Calibration *, const Probe *, int sample)) {
  int n = samples_count(c->samples);
  Progress shown = progress_begin(stderr, what);
  for (int s = 0; s < n; s++) {
    progress_show(&shown, s + 1, n);
    samples_read(c->samples, s, c->input);
    probe_run(floats, c->input);
    take(c, floats, s);
  }
  progress_end(&shown);
}

static Probe *measure_ranges(Calibration *c) {
  forget(c);
  Probe *p = probe_open(c->cx, c->g, c->value, c->n);
  each_sample(c, p, "calibrating: ranges, sample", take_ranges);
  return p;
}

/* The float graph's probe: channels that are uneven are made even, and measured again. */
static Probe *find_ranges(Calibration *c) {
  Probe *p = measure_ranges(c);
  if (equalize_channels(c->g, c->keep, (const float *const *)c->largest)) {
    probe_close(p);
    p = measure_ranges(c);
  }
  if (c->opt->ranges != RANGES_MINMAX) each_sample(c, p, "calibrating: counts, sample", take_counts);
  for (int i = 0; i < c->n; i++) c->q.range[c->value[i]->id] = range_of(&c->histogram[i], c->opt->ranges);
  return p;
}

/* ==== what quantisation changes ==== */

static int64_t best_class(const float *x, int64_t n) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; i++)
    if (x[i] > x[best]) best = i;
  return best;
}

static void add_squares(const float *x, const float *y, int64_t n, double *signal, double *noise) {
  for (int64_t i = 0; i < n; i++) {
    double difference = (double)x[i] - (double)y[i];
    *signal += (double)x[i] * (double)x[i];
    *noise += difference * difference;
  }
}

static void compare_outputs(Calibration *c, const Probe *floats) {
  const Value *y = c->g->output[0];
  int64_t n = shape_count(&y->shape);
  const float *x = probe_output(floats, 0), *z = probe_output(c->integers, 0);
  if (y->type != T_F32) return;
  add_squares(x, z, n, &c->output_signal, &c->output_noise);
  c->scores = n > 1 && y->shape.rank > 1 && size_max(y->shape.d[0], 1) * y->shape.d[1] == n;
  if (c->scores && best_class(x, n) == best_class(z, n)) c->agree++;
}

static void compare_sample(Calibration *c, const Probe *floats, int sample) {
  (void)sample;
  probe_run(c->integers, c->input);
  for (int i = 0; i < c->n; i++) {
    int64_t n = shape_count(&c->value[i]->shape);
    add_squares(probe_value(floats, i), probe_value(c->integers, i), n, &c->signal[i], &c->noise[i]);
  }
  compare_outputs(c, floats);
}

static void compare(Calibration *c, Probe *floats, const Graph *quantized) {
  Value **result = alloc_n(c->cx, (size_t)c->n, sizeof *result);
  for (int i = 0; i < c->n; i++) result[i] = c->q.result[c->value[i]->id];
  c->integers = probe_open(c->cx, quantized, result, c->n);
  each_sample(c, floats, "calibrating: comparison, sample", compare_sample);
  probe_close(c->integers);
}

/* ==== the table ==== */

static double decibels(double signal, double noise) { return noise > 0 ? 10 * log10(signal / noise) : 200; }

typedef struct Loss {
  double decibels;
  int i;               /* of which value */
} Loss;

/* The lowest first, of equals the first. */
static int by_loss(const void *a, const void *b) {
  const Loss *x = a, *y = b;
  return x->decibels != y->decibels ? (x->decibels > y->decibels ? 1 : -1) : x->i - y->i;
}

static Loss *losses_in_order(const Calibration *c) {
  Loss *loss = alloc_n(c->cx, (size_t)c->n, sizeof *loss);
  for (int i = 0; i < c->n; i++) loss[i] = (Loss){decibels(c->signal[i], c->noise[i]), i};
  qsort(loss, (size_t)c->n, sizeof *loss, by_loss);
  return loss;
}

static void print_value(const Calibration *c, const Loss *l) {
  const Value *v = c->value[l->i];
  const Node *n = v->def;
  QuantRange r = c->q.range[v->id];
  printf("  %6.1f dB  %-18s %9.3g to %-9.3g  %s\n", l->decibels, n ? op_info[n->op].name : "(input)", (double)r.lo, (double)r.hi,
         printable_text(c->cx, n ? n->name : v->name));
}

/* The lowest ones, or with -v all of them. */
static void print_table(const Calibration *c) {
  const Loss *loss = losses_in_order(c);
  int n = c->n, samples = samples_count(c->samples);
  int shown = c->opt->verbose || n < 12 ? n : 10;
  printf("%d values quantised; signal to noise of %s, over %d samples:\n", n, shown < n ? "the lowest" : "each", samples);
  for (int i = 0; i < shown; i++) print_value(c, &loss[i]);
  if (c->output_signal > 0)
    printf("output \"%s\": %.1f dB", printable_text(c->cx, c->g->output[0]->name), decibels(c->output_signal, c->output_noise));
  if (c->scores) printf("; the best class is that of floats for %lld of %d samples", (long long)c->agree, samples);
  printf("%s", c->output_signal > 0 ? "\n" : "");
  if (shown < n) printf("--keep-float=NODE,... leaves nodes in floats; -v lists all values\n");
}

void calibrate(Context *cx, const ToolOptions *opt, const char *data, bool show, Buffer *out) {
  Calibration c = {.cx = cx, .opt = opt, .g = float_graph(cx, opt)};
  choose_nodes(&c);
  list_values(&c);
  c.samples = samples_open(cx, &opt->compile, c.g, data);
  c.input = alloc(cx, samples_size(c.samples));
  cx->file = input_name(&opt->compile);
  Probe *floats = find_ranges(&c);
  Graph *quantized = graph_copy(cx, c.g);
  quantize_graph(quantized, &c.q);
  verify(quantized, "quantize");
  if (show) {
    compare(&c, floats, quantized);
    print_table(&c);
  }
  probe_close(floats);
  model_write(quantized, out);
}
