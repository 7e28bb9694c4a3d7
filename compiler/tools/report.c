/* report.c: what a compilation found, as far as the compiled graph tells it. */
#include "tools.h"

#include <inttypes.h>
#include <string.h>

/* ==== what a layer does ==== */

static double multiplications(const Node *n) {
  bool multiplies = op_info[n->op].family == FAMILY_CONV || op_info[n->op].family == FAMILY_PRODUCT;
  return multiplies ? (double)shape_count(&n->out[0]->shape) * (double)terms_of_result(n) : 0;
}

static bool has_before(Value *const *v, int i) {
  for (int k = 0; k < i; k++) {
    if (v[k] == v[i]) return true;
  }
  return false;
}

/* What must be moved at least: inputs, the epilogue's arguments, weights as packed, results. */
static double bytes_moved(const Build *b, const Node *n) {
  double packed = (double)packed_bytes(b, n), sum = packed;
  for (int i = 0; i < n->n_in; i++) {
    const Value *v = n->in[i];
    bool counted = packed > 0 && i == 1;
    if (v && !counted && !has_before(n->in, i)) sum += (double)value_bytes(v);
  }
  for (int i = 0; i < n->n_out; i++) {
    if (n->out[i]) sum += (double)value_bytes(n->out[i]);
  }
  return sum;
}

static bool has_window_of_weights(const Node *n) { return n->op == OP_Conv || n->op == OP_ConvInteger; }

const char *algorithm_of(const Node *n) {
  if (!has_window_of_weights(n)) return "";
  return n->candidates ? n->candidates->item[n->candidates->chosen].name : n->plan->how->name;
}

/* Results that nobody reads are not there. */
static const Value *first_result(const Node *n) {
  int i = 0;
  while (!n->out[i]) i++;
  return n->out[i];
}

static const char *layer_text(Graph *g, const Node *n) {
  if (!has_window_of_weights(n)) return shape_text(g->cx, &first_result(n)->shape);
  const Window *k = &n->win;
  const Shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
  const char *groups = n->group > 1 ? format_text(g->cx, " g%d", n->group) : "";
  const char *images = y->d[0] > 1 ? format_text(g->cx, " x%" PRId64, y->d[0]) : "";
  return format_text(g->cx, "%" PRId64 "x%" PRId64 "/%" PRId64 " %" PRId64 "->%" PRId64 "%s @%" PRId64 "x%" PRId64 "%s",
                     k->kh, k->kw, k->sh, x->d[1], y->d[1], groups, y->d[2], y->d[3], images);
}

static const ReportCandidate *candidates_of(Context *cx, const Candidates *list) {
  ReportCandidate *c = alloc_n(cx, (size_t)list->n, sizeof *c);
  for (int i = 0; i < list->n; i++) {
    const Candidate *item = &list->item[i];
    c[i] = (ReportCandidate){item->name, item->ms, item->measured, i == list->chosen};
  }
  return c;
}

const char **value_names(Context *cx, Value *const *v, int n, int *count) {
  const char **name = alloc_n(cx, (size_t)n + 1, sizeof *name);
  *count = 0;
  for (int i = 0; i < n; i++) {
    if (v[i] && !(v[i]->data && !v[i]->def)) name[(*count)++] = v[i]->name;
  }
  return name;
}

static void list_parts(const Build *b, const Node *n, ReportLayer *l) {
  Context *cx = b->graph->cx;
  l->input = value_names(cx, n->in, n->n_in, &l->n_input);
  l->output = value_names(cx, n->out, n->n_out, &l->n_output);
  l->step = alloc_n(cx, (size_t)n->n_step + 1, sizeof *l->step);
  for (int i = 0; i < n->n_step; i++) l->step[l->n_step++] = op_info[n->step[i].op].name;
  for (int i = 0; i < n->n_in; i++) {
    if (n->in[i] && n->in[i]->data) l->original += (double)value_bytes(n->in[i]);
  }
  double packed = (double)packed_bytes(b, n);
  l->packed = packed > 0 ? packed + l->original - (double)value_bytes(n->in[1]) : l->original;
}

static ReportLayer layer_of(const Build *b, const Node *n) {
  Graph *g = b->graph;
  ReportLayer l = {.node = n->name, .op = op_info[n->op].name, .what = layer_text(g, n),
                   .algorithm = algorithm_of(n)};
  const Value *y = first_result(n);
  l.type = type_name(y->type);
  l.shape = y->shape;
  if (n->candidates) l.candidate = candidates_of(g->cx, n->candidates);
  if (n->candidates) l.n_candidate = n->candidates->n;
  double runs = b->image_runs && n->at < b->n_image ? (double)b->image_runs : 1;
  l.gflop = 2e-9 * multiplications(n) * runs;
  l.bytes = bytes_moved(b, n) * runs;
  list_parts(b, n, &l);
  return l;
}

/* ==== buffers ==== */

static ReportBuffer buffer_of(const Value *v) {
  static const char *const places[] = {"-", "input", "output", "workspace", "weights", "shared", "image"};
  const Layout *l = &v->layout;
  return (ReportBuffer){
    .place = places[v->place], .value = v->name, .alias = v->alias ? v->alias->name : NULL,
    .type = type_name(v->type), .shape = v->shape,
    .offset = v->offset + v->alias_offset, .bytes = l->size * (int64_t)type_size(v->type), .block = l->block,
    .top = l->top, .left = l->left, .bottom = l->bottom, .right = l->right,
  };
}

/* Number of the layer that makes v, and of the last that reads it; inputs are there before all, outputs to the end. */
static void live_range(const Graph *g, const Value *v, ReportBuffer *b) {
  b->first = v->def ? node_index(g, v->def) : 0;
  b->last = v->is_output ? g->n_node - 1 : b->first;
  for (Use *at = NULL; !v->is_output;) {
    const Node *reader = next_reader((Value *)(uintptr_t)v, &at);
    if (!reader) return;
    if (node_index(g, reader) > b->last) b->last = node_index(g, reader);
  }
}

static void list_buffers(Report *r, const Graph *g) {
  r->buffer = alloc_n(r->cx, (size_t)g->n_value + 1, sizeof *r->buffer);
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = g->value[i];
    if (v->place == P_NONE || v->place == P_CONST) continue;
    r->buffer[r->n_buffer] = buffer_of(v);
    live_range(g, v, &r->buffer[r->n_buffer++]);
  }
}

/* ==== the whole ==== */

static ModelTensor tensor_of(Context *cx, const Value *v, const Shape *shape) {
  ModelTensor t = {.name = v->name, .type = type_name(v->type), .rank = shape->rank};
  t.dim = alloc_n(cx, (size_t)shape->rank + 1, sizeof *t.dim);
  for (int i = 0; i < t.rank; i++) t.dim[i] = shape->d[i] < 0 ? "N" : format_text(cx, "%" PRId64, shape->d[i]);
  return t;
}

/* Copied, for the table goes with what it is in. */
static ModelTensor *tensors_of(Context *cx, const rcc_tensor *t, int n) {
  ModelTensor *all = alloc_n(cx, (size_t)n + 1, sizeof *all);
  for (int i = 0; i < n; i++) {
    all[i] = (ModelTensor){.name = copy_text(cx, t[i].name), .type = type_name((Type)t[i].type), .rank = t[i].rank};
    all[i].dim = alloc_n(cx, (size_t)t[i].rank + 1, sizeof *all[i].dim);
    for (int k = 0; k < t[i].rank; k++) all[i].dim[k] = t[i].dims[k] < 0 ? "N" : format_text(cx, "%" PRId64, t[i].dims[k]);
  }
  return all;
}

Report *report_of_table(Context *cx, const char *file, const rcc_model *m) {
  Report *r = alloc(cx, sizeof *r);
  *r = (Report){.cx = cx, .model = {.file = file, .n_input = m->n_inputs, .n_output = m->n_outputs}};
  r->model.input = tensors_of(cx, m->inputs, m->n_inputs);
  r->model.output = tensors_of(cx, m->outputs, m->n_outputs);
  r->code = copy_text(cx, m->target);
  return r;
}

static ModelSummary model_of(const Build *b) {
  const Graph *g = b->graph;
  Context *cx = g->cx;
  ModelSummary m = {.file = input_name(b->options), .opset = g->opset, .n_input = g->n_input, .n_output = g->n_output};
  m.input = alloc_n(cx, (size_t)m.n_input + 1, sizeof *m.input);
  m.output = alloc_n(cx, (size_t)m.n_output + 1, sizeof *m.output);
  for (int i = 0; i < m.n_input; i++) m.input[i] = tensor_of(cx, g->input[i], &g->input_shape[i]);
  for (int i = 0; i < m.n_output; i++) m.output[i] = tensor_of(cx, g->output[i], &g->output_shape[i]);
  return m;
}

Report *report_new(const Build *b) {
  const Graph *g = b->graph;
  Report *r = alloc(g->cx, sizeof *r);
  *r = (Report){
    .cx = g->cx, .model = model_of(b), .triple = b->target->triple, .cpu = b->target->cpu, .lanes = b->target->lanes,
    .weights = b->weights_size, .workspace = workspace_bytes(b), .scratch = b->scratch_size, .work = b->work_size,
    .once = b->once_size, .n_once = b->n_once, .n_layer = g->n_node,
    .in_fp32 = g->in_fp32, .n_in_fp32 = g->n_in_fp32,
    .strip = b->strips, .n_strip = b->n_strips,
  };
  r->layer = alloc_n(r->cx, (size_t)g->n_node + 1, sizeof *r->layer);
  for (int i = 0; i < g->n_node; i++) r->layer[i] = layer_of(b, g->node[i]);
  list_buffers(r, g);
  return r;
}

void report_call(Report *r, const Build *b) {
  Context *cx = b->graph->cx;
  Buffer text = {0};
  header_print(b, &text);
  const char *at = strstr(text.data, format_text(cx, "\nint %s_run(", b->graph->name)), *end = at ? strchr(at, ';') : NULL;
  r->call = end ? copy_bytes_as_text(cx, at + 1, (size_t)(end - at)) : NULL;
  buffer_free(&text);
}

void report_code(Report *r, const Build *b) {
  for (int i = 0; i < b->n_layer; i++) {
    ReportLayer *l = &r->layer[node_index(b->graph, b->layer[i].node)];
    if (l->phases++ == 0) l->symbol = b->layer[i].symbol;
  }
  r->kernel = b->kernel;
  r->n_kernel = b->n_kernel;
}

double report_seconds(const Report *r) {
  double sum = 0;
  for (int i = 0; i < r->n_layer; i++) sum += r->layer[i].seconds;
  return sum;
}

ReportError report_error(const Context *failed) {
  return (ReportError){failed->error, failed->error_file, failed->error_node, failed->error_op, failed->error_reason};
}
