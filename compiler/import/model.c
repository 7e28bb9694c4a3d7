/* model.c: ONNX bytes to a graph. */
#include "onnx.pb-c.h"
#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OLDEST_IR = 3, OLDEST_OPSET = 6, NEWEST_OPSET = 28 };

/* ---- names ---- */

static Name *name_entry(Import *im, const char *name) {
  Name *n = map_get(&im->names, name);
  if (n) return n;
  n = alloc(im->cx, sizeof *n);
  map_put(im->cx, &im->names, name, n);
  return n;
}

static void define(Import *im, const char *name, Value *v) {
  Name *n = name_entry(im, name);
  if (n->value) fail(im->cx, "the value \"%s\" is defined twice", name);
  n->value = v;
}

/* A name for a value that the model does not have. */
static const char *fresh_name(Import *im, const char *base, const char *suffix) {
  const char *name = format_text(im->cx, "%s.%s", base, suffix);
  while (map_get(&im->names, name)) name = format_text(im->cx, "%s_", name);
  name_entry(im, name);
  return name;
}

/* ---- what resnetcc does not know, before anything else is read ---- */

static bool is_named(const char *name) { return name && *name; }

static void read_opset(Import *im) {
  int64_t version = 0;
  for (size_t i = 0; i < im->model->n_opset_import; i++) {
    const Onnx__OperatorSetIdProto *o = im->model->opset_import[i];
    if (!domain_is_onnx(o->domain)) continue;
    if (version && o->version != version)
      fail(im->cx, "the model says operator set %lld and operator set %lld", (long long)version, (long long)o->version);
    version = o->version;
  }
  if (version == 0) fail(im->cx, "the model does not say which operator set it uses");
  if (version < OLDEST_OPSET || version > NEWEST_OPSET)
    fail(im->cx, "operator set %lld is not supported; sets %d to %d are", (long long)version, OLDEST_OPSET,
         NEWEST_OPSET);
  im->g->opset = (int)version;
}

static void check_model(Import *im) {
  const Onnx__ModelProto *m = im->model;
  if (m->ir_version < OLDEST_IR)
    fail(im->cx, "not an ONNX model, or one of an IR version before %d", OLDEST_IR);
  if (!m->graph) fail(im->cx, "the model has no graph");
  read_opset(im);
}

/* From here on every name that is relied on is text. */
void check_names(Import *im) {
  const Onnx__GraphProto *graph = im->graph;
  for (size_t i = 0; i < graph->n_input; i++)
    if (!is_named(graph->input[i]->name)) fail(im->cx, "input %zu has no name", i);
  for (size_t i = 0; i < graph->n_output; i++)
    if (!is_named(graph->output[i]->name)) fail(im->cx, "output %zu has no name", i);
  for (size_t i = 0; i < graph->n_initializer; i++)
    if (!is_named(graph->initializer[i]->name)) fail(im->cx, "initializer %zu has no name", i);
  for (size_t i = 0; i < graph->n_node; i++)
    if (!is_named(graph->node[i]->op_type)) fail(im->cx, "node %zu has no operator", i);
}

/* ---- constants and inputs ---- */

static void declare(Import *im, size_t n, Onnx__ValueInfoProto *const *info) {
  for (size_t i = 0; i < n; i++)
    if (is_named(info[i]->name)) name_entry(im, info[i]->name)->type = info[i]->type;
}

static void read_initializers(Import *im) {
  const Onnx__GraphProto *graph = im->graph;
  for (size_t i = 0; i < graph->n_initializer; i++) {
    const Onnx__TensorProto *t = graph->initializer[i];
    define(im, t->name, read_tensor(im->cx, im->g, t, t->name, im->folder));
  }
  for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
    const Onnx__SparseTensorProto *s = graph->sparse_initializer[i];
    if (!s->values || !is_named(s->values->name)) fail(im->cx, "sparse initializer %zu has no name", i);
    define(im, s->values->name, read_sparse_tensor(im->cx, im->g, s, s->values->name, im->folder));
  }
}

static bool is_tensor(const Onnx__TypeProto *t) {
  return t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && t->tensor_type;
}

static void add_input(Import *im, const Onnx__ValueInfoProto *p) {
  Graph *g = im->g;
  if (!is_tensor(p->type)) fail(im->cx, "input \"%s\" is not a tensor", p->name);
  Type type = stored_type(im->cx, p->type->tensor_type->elem_type, "input", p->name);
  Value *v = value_new(g, p->name, type, input_shape(im, p));
  v->is_input = true;
  g->input[g->n_input++] = v;
  define(im, p->name, v);
  name_entry(im, p->name)->taken = true;
}

static void add_inputs(Import *im) {
  const Onnx__GraphProto *graph = im->graph;
  im->g->input = alloc_n(im->cx, graph->n_input, sizeof *im->g->input);
  for (size_t i = 0; i < graph->n_input; i++) {
    const Name *n = map_get(&im->names, graph->input[i]->name);
    bool is_constant = n && n->value && n->value->data;
    if (!is_constant) add_input(im, graph->input[i]);
  }
}

/* ---- nodes ---- */

static Value *read_attr_tensor(Import *im, const Node *n, const Onnx__AttributeProto *p) {
  if (!p->t) fail_at(im->g, n, "attribute \"%s\" has no tensor", p->name);
  const char *name = format_text(im->cx, "%s.%s", n->name, p->name);
  return read_tensor(im->cx, im->g, p->t, name, im->folder);
}

static Attr read_attr(Import *im, const Node *n, const Onnx__AttributeProto *p) {
  if (is_named(p->ref_attr_name)) fail_at(im->g, n, "attribute \"%s\" refers to a function's", p->name);
  switch (attr_type(p)) {
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
    return (Attr){.name = p->name, .kind = A_FLOAT, .f = p->f};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
    return (Attr){.name = p->name, .kind = A_INT, .i = p->i};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
    return (Attr){.name = p->name, .kind = A_STRING, .s = copy_bytes_as_text(im->cx, p->s.data, p->s.len)};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
    return (Attr){.name = p->name, .kind = A_TENSOR, .tensor = read_attr_tensor(im, n, p)};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
    return (Attr){.name = p->name, .kind = A_FLOATS, .n = (int)p->n_floats, .floats = p->floats};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
    return (Attr){.name = p->name, .kind = A_INTS, .n = (int)p->n_ints, .ints = p->ints};
  default: fail_at(im->g, n, "attribute \"%s\" is of a type that is not supported", p->name);
  }
}

static void read_attrs(Import *im, Node *n, const Onnx__NodeProto *p) {
  n->attr = alloc_n(im->cx, p->n_attribute, sizeof *n->attr);
  for (size_t i = 0; i < p->n_attribute; i++) n->attr[n->n_attr++] = read_attr(im, n, p->attribute[i]);
}

static Value *find_input(Import *im, const Node *n, const char *name) {
  if (!*name) return NULL;
  const Name *found = map_get(&im->names, name);
  if (!found) fail_at(im->g, n, "its input \"%s\" does not exist", name);
  return found->value;
}

/* Optional inputs left out at the end are not listed. */
static void read_inputs(Import *im, Node *n, const Onnx__NodeProto *p) {
  for (size_t i = 0; i < p->n_input; i++) {
    node_set_input(im->g, n, (int)i, find_input(im, n, p->input[i]));
    if (n->in[i]) n->n_in = (int)i + 1;
  }
}

static Type declared_type(const Name *n) {
  Type type = n && is_tensor(n->type) ? (Type)n->type->tensor_type->elem_type : T_NONE;
  return type_size(type) ? type : T_NONE;
}

/* Type and shape are a hint to shape inference, which has the last word. The first output is always there. */
static Value *make_output(Import *im, const Node *n, const char *name) {
  const Name *declared = map_get(&im->names, name);
  Shape unknown = {.rank = -1}, shape = declared ? declared_shape(im, declared->type) : unknown;
  return value_new(im->g, *name ? name : fresh_name(im, n->name, "unused"), declared_type(declared), shape);
}

static void make_outputs(Import *im, Node *n, const Onnx__NodeProto *p) {
  for (size_t i = 0; i < p->n_output; i++) {
    if (!*p->output[i] && i > 0) continue;
    n->out[i] = make_output(im, n, p->output[i]);
    n->out[i]->def = n;
  }
}

/* The number of inputs and outputs, and the inputs that no operator can do without. */
static void check_arity(const Import *im, const Node *n, int min_in, int max_in) {
  const OpInfo *info = &op_info[n->op];
  if (max_in >= 0 && n->n_in > max_in)
    fail_at(im->g, n, "has %d inputs; at most %d are allowed", n->n_in, max_in);
  for (int i = 0; i < min_in; i++)
    if (i >= n->n_in || !n->in[i]) fail_at(im->g, n, "input %d is missing", i);
  if (n->n_out < info->min_out || (info->max_out >= 0 && n->n_out > info->max_out))
    fail_at(im->g, n, "has %d outputs, a number that is not allowed", n->n_out);
}

/* Defined last: upgrading may have taken an output away, and a node cannot read its own. */
static void define_outputs(Import *im, const Onnx__NodeProto *p, Value *const *out) {
  for (size_t i = 0; i < p->n_output; i++)
    if (*p->output[i] && out[i]->def) define(im, p->output[i], out[i]);
}

static void add_node(Import *im, const Onnx__NodeProto *p, Op op) {
  Value **none = alloc_n(im->cx, p->n_input, sizeof *none);
  Node *n = node_new(im->g, op, node_name(p), (int)p->n_input, none, (int)p->n_output);
  n->n_in = 0;
  read_inputs(im, n, p);
  read_attrs(im, n, p);
  check_arity(im, n, 1, -1);
  make_outputs(im, n, p);
  Value **out = alloc_n(im->cx, p->n_output, sizeof *out);
  memcpy(out, n->out, p->n_output * sizeof *out);
  upgrade_node(im->g, n);
  check_arity(im, n, op_info[n->op].min_in, op_info[n->op].max_in);
  define_outputs(im, p, out);
}

/* ---- Constant nodes ---- */

static Value *constant_of(Import *im, const Onnx__NodeProto *n, const char *name) {
  const Onnx__AttributeProto *p = n->attribute[0];
  Graph *g = im->g;
  const char *kind = p->name ? p->name : "";
  int n_floats = (int)p->n_floats, n_ints = (int)p->n_ints;
  static const float none[1];
  if (strcmp(kind, "value") == 0 && p->t) return read_tensor(im->cx, g, p->t, name, im->folder);
  if (strcmp(kind, "sparse_value") == 0 && p->sparse_tensor)
    return read_sparse_tensor(im->cx, g, p->sparse_tensor, name, im->folder);
  if (strcmp(kind, "value_float") == 0) return value_const(g, name, T_F32, shape_of(0), &p->f);
  if (strcmp(kind, "value_int") == 0) return value_const(g, name, T_I64, shape_of(0), &p->i);
  if (strcmp(kind, "value_floats") == 0)
    return value_const(g, name, T_F32, shape_of(1, (int64_t)n_floats), n_floats ? p->floats : none);
  if (strcmp(kind, "value_ints") == 0) return value_const_i64(g, name, n_ints, p->ints);
  fail_proto(im, n, "its value \"%s\" is not of a supported kind", kind);
}

static void add_constant(Import *im, const Onnx__NodeProto *p) {
  if (p->n_output != 1 || !*p->output[0] || p->n_attribute != 1)
    fail_proto(im, p, "must have one value and one output");
  define(im, p->output[0], constant_of(im, p, p->output[0]));
}

/* ---- the order of evaluation: as in the file where that is one, as it should be ---- */

static Name *first_missing(Import *im, const Onnx__NodeProto *p) {
  for (size_t i = 0; i < p->n_input; i++) {
    Name *n = map_get(&im->names, p->input[i]);
    if (*p->input[i] && n && !n->value) return n;
  }
  return NULL;
}

/* The nodes that waited for an output of p, before the list `then`. */
static Pending *released_by(Import *im, const Onnx__NodeProto *p, Pending *then) {
  for (size_t i = 0; i < p->n_output; i++) {
    Name *n = map_get(&im->names, p->output[i]);
    for (Pending *w = n->value ? n->waiting : NULL, *next; w; w = next) {
      next = w->next;
      w->next = then;
      then = w;
    }
    if (n->value) n->waiting = NULL;
  }
  return then;
}

/* Adds the node and those that waited for it; or lets it wait for the first value that it misses. */
static void add_when_ready(Import *im, Pending *list) {
  for (Pending *p = list, *next; p; p = next) {
    next = p->next;
    Name *missing = first_missing(im, p->proto);
    if (missing) {
      p->next = missing->waiting;
      missing->waiting = p;
      continue;
    }
    Op op = proto_op(im, p->proto);
    if (op == OP_Constant) add_constant(im, p->proto);
    else add_node(im, p->proto, op);
    next = released_by(im, p->proto, next);
    p->proto = NULL;
  }
}

static void add_nodes(Import *im) {
  const Onnx__GraphProto *graph = im->graph;
  Pending *pending = alloc_n(im->cx, graph->n_node, sizeof *pending);
  for (size_t i = 0; i < graph->n_node; i++)
    for (size_t k = 0; k < graph->node[i]->n_output; k++) name_entry(im, graph->node[i]->output[k]);
  for (size_t i = 0; i < graph->n_node; i++) {
    pending[i].proto = graph->node[i];
    add_when_ready(im, &pending[i]);
  }
  for (size_t i = 0; i < graph->n_node; i++)
    if (pending[i].proto)
      fail_proto(im, pending[i].proto, "one of its inputs is computed by no node, or from its own output");
}

/* ---- outputs ---- */

/* A value of its own for an output that is also an input, a constant or another output. */
static Value *copy_for_output(Import *im, Value *v, const char *name) {
  if (v->data) v->name = fresh_name(im, v->name, "value");
  Node *n = node_new(im->g, OP_Identity, name, 1, &v, 1);
  Value *out = n->out[0] = value_new(im->g, name, v->type, v->shape);
  out->def = n;
  return out;
}

static void add_output(Import *im, const Onnx__ValueInfoProto *p) {
  Graph *g = im->g;
  Name *n = map_get(&im->names, p->name);
  if (!n->value) fail(im->cx, "output \"%s\" is not computed by any node", p->name);
  Value *v = n->value;
  const char *name = n->taken ? fresh_name(im, p->name, "output") : p->name;
  n->taken = true;
  if (v->is_input || v->is_output || v->data) v = copy_for_output(im, v, name);
  output_set(g, g->n_output++, v);
}

static void add_outputs(Import *im) {
  const Onnx__GraphProto *graph = im->graph;
  if (graph->n_output == 0) fail(im->cx, "the graph has no outputs");
  im->g->output = alloc_n(im->cx, graph->n_output, sizeof *im->g->output);
  for (size_t i = 0; i < graph->n_output; i++) add_output(im, graph->output[i]);
}

/* ---- models ---- */

static Graph *build(Context *cx, const Options *opt, const Onnx__ModelProto *model, const char *folder) {
  Import im = {.cx = cx, .opt = opt, .g = graph_new(cx, opt), .folder = folder, .model = model};
  check_model(&im);
  im.graph = model->graph;
  check_names(&im);
  read_functions(&im);
  check_operators(&im);
  check_attributes(&im);
  declare(&im, im.graph->n_value_info, im.graph->value_info);
  declare(&im, im.graph->n_input, im.graph->input);
  declare(&im, im.graph->n_output, im.graph->output);
  read_initializers(&im);
  bind_dims(&im);
  add_inputs(&im);
  check_batch(&im);
  add_nodes(&im);
  add_outputs(&im);
  return im.g;
}

Graph *import_bytes(Context *cx, const Options *opt, const void *data, size_t size, const char *folder) {
  const char *error;
  ProtobufCMessage *m = wire_unpack(cx, &onnx__model_proto__descriptor, data, size, &error);
  if (!m) fail(cx, "%s", error);
  return build(cx, opt, (const Onnx__ModelProto *)m, folder);
}

/* The file's bytes, to be unmapped. */
static void *map_file(Context *cx, const char *path, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail(cx, "%s", strerror(errno));
  struct stat st;
  bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
  void *data = MAP_FAILED;
  if (is_file && st.st_size > 0) data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  int error = errno;
  close(fd);
  if (!is_file) fail(cx, "is not a regular file");
  if (st.st_size == 0) fail(cx, "is empty");
  if (data == MAP_FAILED) fail(cx, "%s", strerror(error));
  *size = (size_t)st.st_size;
  return data;
}

const Onnx__ModelProto *read_model(Context *cx, const char *path) {
  size_t size;
  const char *error;
  void *data = map_file(cx, path, &size);
  ProtobufCMessage *m = wire_unpack(cx, &onnx__model_proto__descriptor, data, size, &error);
  munmap(data, size);
  if (!m) fail(cx, "%s", error);
  return (const Onnx__ModelProto *)m;
}

Graph *import_model(Context *cx, const Options *opt) {
  return build(cx, opt, read_model(cx, opt->input), path_folder(cx, opt->input));
}
