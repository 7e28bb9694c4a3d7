/* goldens.c: a model that runs here held against the outputs of data sets. */
#include "tools.h"

#include <string.h>

static void check_tensor(Context *cx, const char *what, const Tensor *is, const Tensor *model) {
  if (is->type != model->type)
    fail(cx, "%s \"%s\" is %s, the model's is %s", what, model->name, type_name(is->type), type_name(model->type));
  if (!shape_equal(&is->shape, &model->shape))
    fail(cx, "%s \"%s\" has shape %s, the model's is %s", what, model->name, shape_text(cx, &is->shape), shape_text(cx, &model->shape));
}

/* As the inputs have it; 1 where the model has none. */
static int64_t batch_of(const rcc_model *m, const Tensor *in) {
  for (int i = 0; i < m->n_inputs; i++) {
    for (int k = 0; k < m->inputs[i].rank && k < in[i].shape.rank; k++) {
      if (m->inputs[i].dims[k] < 0) return in[i].shape.d[k];
    }
  }
  return 1;
}

static int64_t check_set(Context *cx, const rcc_model *m, const DataSet *s) {
  if (s->n_in != m->n_inputs || (s->out && s->n_out != m->n_outputs))
    fail(cx, "%d inputs and %d outputs, the model has %d and %d", s->n_in, s->n_out, m->n_inputs, m->n_outputs);
  int64_t batch = batch_of(m, s->in);
  for (int i = 0; i < m->n_inputs; i++) {
    Tensor model = runner_tensor(&m->inputs[i], batch);
    check_tensor(cx, "input", &s->in[i], &model);
  }
  for (int i = 0; i < s->n_out; i++) {
    Tensor model = runner_tensor(&m->outputs[i], batch);
    check_tensor(cx, "output", &s->out[i], &model);
  }
  return batch;
}

static const void **data_of(Context *cx, const Tensor *t, int n) {
  const void **data = alloc_n(cx, (size_t)n + 1, sizeof *data);
  for (int i = 0; i < n; i++) data[i] = t[i].data;
  return data;
}

/* What the model gives for the inputs of the set, in the arena. */
static const Tensor *outputs_of(Context *cx, const Callable *m, const DataSet *s, int64_t batch, int threads) {
  Instance *r = instance_open(cx, m, batch, threads);
  int error = instance_run(r, data_of(cx, s->in, s->n_in));
  const Tensor *out = instance_outputs(r);
  instance_close(r);
  if (error) fail(cx, "the model cannot run here: %s", rcc_strerror(error));
  return out;
}

void report_set(Report *r, const Callable *c, const Callable *other, const DataSet *s, int threads) {
  Context *cx = r->cx;
  const rcc_model *m = &c->table;
  int64_t batch = check_set(cx, m, s);
  const Tensor *want = s->out, *got = outputs_of(cx, c, s, batch, threads);
  if (other) want = outputs_of(cx, other, s, batch, threads);
  ReportSet *set = &r->set[r->n_set++];
  *set = (ReportSet){.path = s->path, .n_output = m->n_outputs, .agrees = true};
  set->output = alloc_n(cx, (size_t)m->n_outputs + 1, sizeof *set->output);
  for (int i = 0; i < m->n_outputs; i++) {
    set->output[i] = compare_output(&got[i], &want[i], r->rtol);
    set->output[i].name = copy_text(cx, m->outputs[i].name); /* the table goes with the runner */
    set->agrees &= set->output[i].agrees;
  }
  r->n_agree += set->agrees;
}

/* ==== those beside a model that is compiled ==== */

static void try_sets(Report *r, const Callable *m, const char **path, int n) {
  r->set = alloc_n(r->cx, (size_t)n + 1, sizeof *r->set);
  for (int i = 0; i < n; i++) {
    r->cx->file = path[i];
    DataSet s = data_set_read(r->cx, path[i]);
    if (s.n_out) report_set(r, m, NULL, &s, 1);
  }
}

/* What does not fit the model, as it was given another interface or batch, is no reason not to compile it. */
void report_goldens(Report *r, const Build *b, const Object *o) {
  int n;
  Context *cx = r->cx, *own = alloc(cx, sizeof *own);
  const char **path = data_sets_in(cx, path_folder(cx, r->model.file), &n);
  if (n == 0 || rcc_cpu_check(b->target->cpu_bits) != RCC_OK) return;
  Jit *jit = jit_open(cx, b->graph->name, o);
  Callable model = callable_of(jit_model(jit), weights_are_input(b) ? weights_joined(b) : NULL);
  *own = (Context){.max_memory = cx->max_memory, .arena = cx->arena};
  r->rtol = layers_round_otherwise(b->graph) ? 1e-4 : 1e-5;
  r->cx = own;
  if (setjmp(own->unwind) == 0) try_sets(r, &model, path, n);
  else r->unfit = copy_text(cx, own->error);
  r->cx = cx;
  jit_close(jit);
}
