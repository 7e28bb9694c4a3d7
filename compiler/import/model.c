/* model.c: ONNX bytes to a graph. */
#include "onnx.pb-c.h"
#include "import.h"

enum { OLDEST_IR = 3 };

static void check_model(Import *im) {
  const Onnx__ModelProto *m = im->model;
  if (m->ir_version < OLDEST_IR)
    fail(im->cx, "not an ONNX model, or one of an IR version before %d", OLDEST_IR);
  if (!m->graph) fail(im->cx, "the model has no graph");
  im->g->opset = (int)onnx_opset(im, m->n_opset_import, m->opset_import);
  if (im->g->opset == 0) fail(im->cx, "the model does not say which operator set it uses");
}

/* ---- constants and inputs ---- */

static void declare(Import *im, size_t n, Onnx__ValueInfoProto *const *info) {
  for (size_t i = 0; i < n; i++)
    if (is_named(info[i]->name)) name_entry(im, info[i]->name)->type = info[i]->type;
}

static void add_input(Import *im, const Onnx__ValueInfoProto *p) {
  Graph *g = im->g;
  const Onnx__TypeProto__Tensor *t = tensor_type(p->type);
  if (!t) fail(im->cx, "input \"%s\" is not a tensor", p->name);
  Type type = stored_type(im->cx, t->elem_type, "input", p->name);
  Value *v = value_new(g, p->name, type, input_shape(im, p));
  v->is_input = true;
  g->input[g->n_input++] = v;
  Value *read = frame_input(im, v);
  name_define(im, p->name, (Bound){.tensor = read});
  name_entry(im, p->name)->taken = true;
}

static void add_inputs(Import *im) {
  const Onnx__GraphProto *graph = im->graph;
  im->g->input = alloc_n(im->cx, graph->n_input, sizeof *im->g->input);
  const Onnx__ValueInfoProto **input = alloc_n(im->cx, graph->n_input, sizeof *input);
  const char **name = alloc_n(im->cx, graph->n_input, sizeof *name);
  int count = 0;
  for (size_t i = 0; i < graph->n_input; i++) {
    if (!is_model_input(im, graph->input[i]->name)) continue;
    name[count] = graph->input[i]->name;
    input[count++] = graph->input[i];
  }
  read_frames(im, count, name);
  for (int i = 0; i < count; i++) add_input(im, input[i]);
}

/* ---- outputs ---- */

/* A value of its own for an output that is also an input, a constant or another output. */
static Value *copy_for_output(Import *im, Value *v, const char *name) {
  if (!v->def && v->data) v->name = fresh_name(im, v->name, "value");
  Node *n = node_new(im->g, OP_Identity, name, 1, &v, 1);
  Value *out = n->out[0] = value_new(im->g, name, v->type, v->shape);
  out->def = n;
  return out;
}

static void add_output(Import *im, const Onnx__ValueInfoProto *p) {
  Graph *g = im->g;
  Name *n = name_find(im, p->name);
  if (!n->defined) fail(im->cx, "output \"%s\" is not computed by any node", p->name);
  if (!n->bound.tensor) fail(im->cx, "output \"%s\" is %s, not a tensor", p->name, n->bound.list ? "a sequence" : "an optional without a value");
  Value *v = n->bound.tensor;
  const char *name = n->taken ? fresh_name(im, p->name, "output") : p->name;
  n->taken = true;
  if (v->is_input || v->is_output || !v->def) v = copy_for_output(im, v, name);
  else v->name = name; /* a value of a function or a branch may have several */
  output_set(g, g->n_output++, v);
}

static void add_outputs(Import *im) {
  const Onnx__GraphProto *graph = im->graph;
  if (graph->n_output == 0) fail(im->cx, "the graph has no outputs");
  im->g->output = alloc_n(im->cx, graph->n_output, sizeof *im->g->output);
  for (size_t i = 0; i < graph->n_output; i++) add_output(im, graph->output[i]);
  result_outputs(im);
  read_labels(im);
}

/* Of nodes with one name, the first has the number. */
static void number_nodes(Import *im) {
  const Onnx__GraphProto *graph = im->graph;
  if (!im->opt->debug) return;
  int *number = alloc_n(im->cx, graph->n_node, sizeof *number);
  for (size_t i = 0; i < graph->n_node; i++) {
    const char *name = node_name(graph->node[i]);
    number[i] = (int)i + 1;
    if (!map_get(&im->g->node_number, name)) map_put(im->cx, &im->g->node_number, name, &number[i]);
  }
}

/* ---- models ---- */

static Graph *build(Context *cx, const Options *opt, const Onnx__ModelProto *model, const char *folder) {
  Scope top = {.prefix = ""};
  Import im = {.cx = cx, .opt = opt, .g = graph_new(cx, opt), .folder = folder, .model = model, .scope = &top, .top = &top,
               .solve = solve_node};
  check_model(&im);
  const Onnx__GraphProto *graph = im.graph = model->graph;
  check_graph_names(&im, graph);
  read_functions(&im);
  check_nodes(&im, graph->n_node, graph->node);
  declare(&im, graph->n_value_info, graph->value_info);
  declare(&im, graph->n_input, graph->input);
  declare(&im, graph->n_output, graph->output);
  add_initializers(&im, graph);
  bind_dims(&im);
  add_inputs(&im);
  check_batch(&im);
  read_nodes(&im, graph->n_node, graph->node);
  add_outputs(&im);
  number_nodes(&im);
  return im.g;
}

Graph *import_bytes(Context *cx, const Options *opt, const void *data, size_t size, const char *folder) {
  const char *error;
  ProtobufCMessage *m = wire_unpack(cx, &onnx__model_proto__descriptor, data, size, &error);
  if (!m) fail(cx, "%s", error);
  return build(cx, opt, (const Onnx__ModelProto *)m, folder);
}

const Onnx__ModelProto *read_model(Context *cx, const char *path) {
  size_t size;
  const char *error;
  void *data = file_map(cx, path, &size);
  sniff(cx, data, size);
  ProtobufCMessage *m = wire_unpack(cx, &onnx__model_proto__descriptor, data, size, &error);
  file_unmap(data, size);
  if (!m) fail(cx, "%s", error);
  return (const Onnx__ModelProto *)m;
}

Graph *import_model(Context *cx, const Options *opt) {
  if (opt->model.size) return import_bytes(cx, opt, opt->model.data, opt->model.size, NULL);
  return build(cx, opt, read_model(cx, opt->input), path_folder(cx, opt->input));
}

/* ==== what they were read from ==== */

static void add_file(Context *cx, Sha256 *s, const char *path) {
  size_t size;
  void *data = file_map(cx, path, &size);
  sha256_add(s, data, size);
  file_unmap(data, size);
}

static uint8_t *finished(Context *cx, Sha256 *s) {
  uint8_t *hash = alloc(cx, SHA256_BYTES);
  sha256_end(s, hash);
  return hash;
}

/* Of the files with external data, each once, in the order of their first use. */
static const uint8_t *external_sha256(Graph *g) {
  Sha256 s = sha256_begin();
  Map seen = {0};
  if (g->n_external == 0) return NULL;
  for (int i = 0; i < g->n_external; i++) {
    if (map_get(&seen, g->external[i])) continue;
    map_put(g->cx, &seen, g->external[i], g);
    add_file(g->cx, &s, g->external[i]);
  }
  return finished(g->cx, &s);
}

void import_hashes(Graph *g) {
  Sha256 s = sha256_begin();
  add_file(g->cx, &s, g->opt->input);
  g->sha256 = finished(g->cx, &s);
  g->external_sha256 = external_sha256(g);
}
