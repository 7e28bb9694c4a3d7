/* run.c: the command run: a model runs here on pictures or tensors, and what comes out is shown or written. */
#include "tools.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Run {
  Context *cx;
  const ToolOptions *opt;
  const rcc_model *model; /* of what `runner` holds */
  Runner *runner;
  Instance *instance;
  const char **label;  /* a class each; NULL: they have numbers alone */
  int64_t n_label;
  int64_t batch;
} Run;

/* ==== files ==== */

static const char *ending_of(const char *path) {
  const char *dot = strrchr(path_base(path), '.');
  return dot ? dot : "";
}

/* ==== classes ==== */

static void name_classes(Run *r, const char *path) {
  size_t size;
  const char *text = read_whole_file(r->cx, path, &size);
  r->label = alloc_n(r->cx, size + 1, sizeof *r->label);
  for (const char *line = text; line < text + size;) {
    const char *end = memchr(line, '\n', (size_t)(text + size - line));
    if (!end) end = text + size;
    size_t n = (size_t)(end - line);
    if (n && line[n - 1] == '\r') n--;
    r->label[r->n_label++] = printable_text(r->cx, copy_bytes_as_text(r->cx, line, n));
    line = end + 1;
  }
}

static void name_classes_as(Run *r, const RunnerView *v) {
  if (r->label || !v->n_label) return;
  r->label = alloc_n(r->cx, (size_t)v->n_label, sizeof *r->label);
  for (; r->n_label < v->n_label; r->n_label++) r->label[r->n_label] = printable_text(r->cx, v->label[r->n_label]);
}

enum { BAR = 24, LABEL_WIDTH = 38 };

static void print_class(const Run *r, int64_t class, double score) {
  char bar[BAR + 1];
  int n = score > 0 ? (int)(score * BAR + 0.5) : 0;
  memset(bar, '#', sizeof bar);
  bar[n < BAR ? n : BAR] = '\0';
  printf("  %6.2f %%  %-*s  ", 100 * score, BAR, bar);
  if (class >= 0 && class < r->n_label) printf("%.*s\n", LABEL_WIDTH, r->label[class]);
  else printf("class %lld\n", (long long)class);
}

/* One vector of scores, an element for each class. */
static bool is_scores(const Tensor *t) {
  int64_t n = shape_count(&t->shape), widest = 0;
  for (int i = 0; i < t->shape.rank; i++) widest = size_max(widest, t->shape.d[i]);
  return type_is_float(t->type) && n > 1 && widest == n;
}

static bool are_probabilities(const double *v, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    if (!(v[i] >= 0)) return false;
    sum += v[i];
  }
  return fabs(sum - 1) < 1e-2;
}

static void make_probabilities(double *v, int64_t n) {
  double largest = v[0], sum = 0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, v[i]);
  for (int64_t i = 0; i < n; i++) sum += v[i] = exp(v[i] - largest);
  for (int64_t i = 0; i < n; i++) v[i] /= sum;
}

static void print_scores(const Run *r, const Tensor *t) {
  int64_t n = shape_count(&t->shape), top = r->opt->top ? r->opt->top : 5;
  double *v = alloc_n(r->cx, (size_t)n, sizeof *v);
  for (int64_t i = 0; i < n; i++) v[i] = get_number(t->type, t->data, i).f;
  if (!are_probabilities(v, n)) make_probabilities(v, n);
  for (int64_t k = 0; k < top && k < n; k++) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++) best = v[i] > v[best] || isnan(v[best]) ? i : best;
    print_class(r, best, v[best]);
    v[best] = -1;
  }
}

/* The classes and their scores that --output=topK gives. */
static bool is_ranking(const Run *r, const Tensor *t, int i) {
  if (i + 1 >= r->model->n_outputs) return false;
  return t[i].type == T_I32 && type_is_float(t[i + 1].type) && shape_equal(&t[i].shape, &t[i + 1].shape);
}

static void check_labels(const Run *r) {
  const Tensor *t = instance_outputs(r->instance);
  for (int i = 0; i < r->model->n_outputs && r->label; i++) {
    int64_t n = shape_count(&t[i].shape);
    if (is_ranking(r, t, i)) i++; /* whose classes import has counted */
    else if (is_scores(&t[i]) && n != r->n_label)
      fail(r->cx, "--labels: the file has %lld lines, the output \"%s\" %lld classes", (long long)r->n_label,
           t[i].name, (long long)n);
  }
}

static void print_ranking(const Run *r, const Tensor *t) {
  for (int64_t i = 0; i < shape_count(&t->shape); i++) {
    print_class(r, get_number(t[0].type, t[0].data, i).i, get_number(t[1].type, t[1].data, i).f);
  }
}

static void print_summary(const Run *r, const Tensor *t) {
  double least = INFINITY, most = -INFINITY, sum = 0;
  int64_t n = shape_count(&t->shape);
  for (int64_t i = 0; i < n; i++) {
    double v = tensor_element(t, i);
    least = fmin(least, v);
    most = fmax(most, v);
    sum += v;
  }
  printf("  %s: %s %s", printable_text(r->cx, t->name), type_name(t->type), shape_text(r->cx, &t->shape));
  if (n) printf(", from %.6g to %.6g, mean %.6g", least, most, sum / (double)n);
  printf("\n");
}

/* ==== what is written ==== */

/* [1,3,H,W] or [1,H,W,3], of bytes or of floats from 0 to 1 or to 255. */
static Picture picture_of(Context *cx, const Tensor *t) {
  const Shape *s = &t->shape;
  bool planes = s->rank == 4 && s->d[1] == 3, fits = s->rank == 4 && s->d[0] == 1 && (planes || s->d[3] == 3);
  if (!fits || !(t->type == T_U8 || t->type == T_F32))
    fail(cx, "the output \"%s\" is %s %s, no picture; write it to .npy", t->name, type_name(t->type), shape_text(cx, s));
  Picture p = {.height = (int)s->d[planes ? 2 : 1], .width = (int)s->d[planes ? 3 : 2]};
  size_t pixels = (size_t)shape_count(s) / 3;
  double largest = 0;
  p.rgb = alloc_n(cx, pixels, 3);
  for (size_t i = 0; i < 3 * pixels && t->type == T_F32; i++) largest = fmax(largest, ((const float *)t->data)[i]);
  double unit = t->type == T_F32 && largest <= 2 ? 255 : 1;
  for (size_t i = 0; i < 3 * pixels; i++) {
    size_t at = planes ? i % 3 * pixels + i / 3 : i;
    double v = t->type == T_U8 ? ((const uint8_t *)t->data)[at] : unit * (double)((const float *)t->data)[at];
    p.rgb[i] = v > 0 ? v < 255 ? (uint8_t)(v + 0.5) : 255 : 0;
  }
  return p;
}

static void write_output(const Run *r, const Tensor *t, const char *path) {
  Context *cx = r->cx;
  Buffer bytes = {0};
  cx->file = input_name(&r->opt->compile);
  output_check(cx, path);
  cx->file = path;
  if (strcmp(ending_of(path), ".png") == 0) {
    Picture p = picture_of(cx, t);
    picture_print(cx, &p, &bytes);
  } else if (strcmp(ending_of(path), ".npy") == 0) {
    npy_print(cx, t, &bytes);
  } else {
    save_tensor(cx, t->name, t->type, &t->shape, t->data, &bytes);
  }
  write_whole_file(cx, &bytes, path);
}

/* A run has as many names as it has outputs; of several pictures each has its own, one behind the other. */
static void show_outputs(const Run *r, int number) {
  const Tensor *t = instance_outputs(r->instance);
  for (int i = 0; i < r->model->n_outputs; i++) {
    int file = number * r->model->n_outputs + i;
    if (file < r->opt->out.n) write_output(r, &t[i], r->opt->out.path[file]);
    if (is_ranking(r, t, i)) print_ranking(r, &t[i++]);
    else if (is_scores(&t[i])) print_scores(r, &t[i]);
    else print_summary(r, &t[i]);
  }
}

/* ==== runs ==== */

static void run_on(const Run *r, const char *what, const void *const *in, int number) {
  int error = instance_run(r->instance, in);
  double start = wall_seconds();
  if (!error) error = instance_run(r->instance, in); /* the first has brought the weights to memory */
  double ms = 1e3 * (wall_seconds() - start);
  r->cx->file = r->opt->compile.input;
  if (error) fail(r->cx, "it cannot run here: %s", rcc_strerror(error));
  printf("%s: %.*f ms\n", printable_text(r->cx, what), ms < 10 ? 3 : 1, ms);
  show_outputs(r, number);
}

static void run_pictures(Run *r, const FileList *files) {
  PictureInput p;
  const rcc_tensor *t = &r->model->inputs[0];
  r->cx->file = r->opt->compile.input;
  if (r->model->n_inputs != 1 || !picture_input(r->cx, &r->opt->compile, t, &p)) {
    Tensor whole = runner_tensor(t, 1);
    fail(r->cx, "the input \"%s\" is %s %s and takes no picture; give tensors with --in", t->name,
         type_name(whole.type), shape_text(r->cx, &whole.shape));
  }
  for (int i = 0; i < files->n; i++) {
    const void *in = picture_data(r->cx, &p, files->path[i]);
    if (i == 0) tell_normalisation(&p);
    run_on(r, files->path[i], &in, i);
  }
}

static void check_input(Run *r, const char *path, const Tensor *is, const rcc_tensor *t) {
  Context *cx = r->cx;
  for (int k = 0; k < t->rank && k < is->shape.rank; k++) {
    if (t->dims[k] < 0) r->batch = is->shape.d[k];
  }
  Tensor want = runner_tensor(t, r->batch);
  cx->file = path;
  if (is->type != want.type)
    fail(cx, "it is %s, the input \"%s\" %s; convert it, as in x.astype('float32')", type_name(is->type), t->name,
         type_name(want.type));
  if (!shape_equal(&is->shape, &want.shape))
    fail(cx, "it has the shape %s, the input \"%s\" %s", shape_text(cx, &is->shape), t->name, shape_text(cx, &want.shape));
}

static void run_tensors(Run *r, const FileList *files) {
  const rcc_model *m = r->model;
  r->cx->file = r->opt->compile.input;
  if (files->n != m->n_inputs)
    fail(r->cx, "the model has %d inputs, %d files are given; name one for each with --in", m->n_inputs, files->n);
  const void **in = alloc_n(r->cx, (size_t)m->n_inputs + 1, sizeof *in);
  for (int i = 0; i < m->n_inputs; i++) {
    Tensor t = tensor_file_read(r->cx, files->path[i]);
    check_input(r, files->path[i], &t, &m->inputs[i]);
    in[i] = t.data;
  }
  r->cx->file = r->opt->compile.input;
  if (r->batch != 1) {
    instance_close(r->instance);
    r->instance = instance_open(r->cx, &runner_view(r->runner)->model, r->batch, threads_of(r->opt));
  }
  run_on(r, files->n ? files->path[0] : r->opt->compile.input, in, 0);
}

/* Names without an option are told apart by what the files hold. */
static void sort_files(const Run *r, FileList *picture, FileList *tensor) {
  const ToolOptions *o = r->opt;
  size_t most = (size_t)(o->image.n + o->in.n + o->operand.n) + 1;
  *picture = (FileList){.path = alloc_n(r->cx, most, sizeof *picture->path)};
  *tensor = (FileList){.path = alloc_n(r->cx, most, sizeof *tensor->path)};
  for (int i = 0; i < o->image.n; i++) picture->path[picture->n++] = o->image.path[i];
  for (int i = 0; i < o->in.n; i++) tensor->path[tensor->n++] = o->in.path[i];
  for (int i = 0; i < o->operand.n; i++) {
    FileList *to = file_kind(r->cx, o->operand.path[i]) == PICTURE_FILE ? picture : tensor;
    to->path[to->n++] = o->operand.path[i];
  }
}

static void check_outputs(Context *cx, const ToolOptions *opt) {
  for (int i = 0; i < opt->out.n; i++) {
    const char *ending = ending_of(opt->out.path[i]);
    bool known = strcmp(ending, ".npy") == 0 || strcmp(ending, ".pb") == 0 || strcmp(ending, ".png") == 0;
    if (!known) fail(cx, "--out %s: the file name must end in .npy, .pb or .png", opt->out.path[i]);
  }
}

static int run_model(Context *cx, const ToolOptions *opt) {
  Run r = {.cx = cx, .opt = opt, .batch = 1};
  FileList pictures, tensors;
  check_outputs(cx, opt);
  sort_files(&r, &pictures, &tensors);
  cx->file = opt->compile.input;
  if (pictures.n && tensors.n) fail(cx, "pictures and tensors are given; run takes one or the other");
  if (!pictures.n && !tensors.n)
    fail(cx, "nothing to run it on; name a picture (JPEG, PNG) or a tensor for each input (.npy, .pb)");
  if (opt->compile.labels) name_classes(&r, opt->compile.labels);
  if (pictures.n) r.opt = without_stride(cx, opt);
  r.runner = runner_open(cx, r.opt, opt->compile.input);
  r.model = &runner_view(r.runner)->model.table;
  r.instance = instance_open(cx, &runner_view(r.runner)->model, 1, threads_of(opt));
  name_classes_as(&r, runner_view(r.runner));
  cx->file = opt->compile.input;
  check_labels(&r);
  if (pictures.n) run_pictures(&r, &pictures);
  else run_tensors(&r, &tensors);
  instance_close(r.instance);
  runner_close(r.runner);
  return 0;
}

int run_here(Context *cx, const ToolOptions *opt) { return work(cx, opt, run_model); }
