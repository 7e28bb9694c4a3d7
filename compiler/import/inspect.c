/* inspect.c: what a model file holds. It is only counted here, so models that cannot be compiled are described as well. */
#include "onnx.pb-c.h"
#include "import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ==== element types, those as well that no graph has ==== */

typedef struct ElementType {
  const char *name;
  int bits;
} ElementType;

static const ElementType *element_type(int type) {
  static const ElementType all[] = {
    {"unknown", 0}, {"f32", 32}, {"u8", 8}, {"i8", 8}, {"u16", 16}, {"i16", 16}, {"i32", 32}, {"i64", 64},
    {"string", 0}, {"bool", 8}, {"f16", 16}, {"f64", 64}, {"u32", 32}, {"u64", 64}, {"complex64", 64},
    {"complex128", 128}, {"bf16", 16}, {"f8e4m3fn", 8}, {"f8e4m3fnuz", 8}, {"f8e5m2", 8}, {"f8e5m2fnuz", 8},
    {"u4", 4}, {"i4", 4}, {"f4e2m1", 4}, {"f8e8m0", 8}, {"u2", 2}, {"i2", 2},
  };
  return &all[type >= 0 && type < (int)COUNT(all) ? type : 0];
}

/* ==== inputs and outputs ==== */

static const char *dim_text(Context *cx, const Onnx__TensorShapeProto__Dimension *d) {
  switch (d->value_case) {
  case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE: return format_text(cx, "%" PRId64, d->dim_value);
  case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM: return d->dim_param && *d->dim_param ? d->dim_param : "?";
  default: return "?";
  }
}

static ModelTensor tensor_of(Context *cx, const Onnx__ValueInfoProto *v) {
  const Onnx__TypeProto__Tensor *type = tensor_type(v->type);
  if (!type) return (ModelTensor){.name = v->name, .type = v->type ? "no tensor" : "unknown", .rank = -1};
  const Onnx__TensorShapeProto *shape = type->shape;
  ModelTensor t = {.name = v->name, .type = element_type(type->elem_type)->name, .rank = -1};
  if (!shape) return t;
  t.rank = (int)shape->n_dim;
  t.dim = alloc_n(cx, shape->n_dim + 1, sizeof *t.dim);
  for (int i = 0; i < t.rank; i++) t.dim[i] = dim_text(cx, shape->dim[i]);
  return t;
}

/* Initializers are no inputs, even where IR version 3 lists them as such. */
static void list_inputs(Context *cx, ModelSummary *m, const Onnx__GraphProto *graph) {
  Map constants = {0};
  for (size_t i = 0; i < graph->n_initializer; i++) map_put(cx, &constants, graph->initializer[i]->name, m);
  m->input = alloc_n(cx, graph->n_input + 1, sizeof *m->input);
  for (size_t i = 0; i < graph->n_input; i++) {
    if (!map_get(&constants, graph->input[i]->name)) m->input[m->n_input++] = tensor_of(cx, graph->input[i]);
  }
}

static void list_outputs(Context *cx, ModelSummary *m, const Onnx__GraphProto *graph) {
  m->output = alloc_n(cx, graph->n_output + 1, sizeof *m->output);
  for (size_t i = 0; i < graph->n_output; i++) m->output[m->n_output++] = tensor_of(cx, graph->output[i]);
}

/* ==== constants ==== */

static void count_tensor(ModelSummary *m, const Onnx__TensorProto *t) {
  int64_t n = 1;
  for (size_t i = 0; i < t->n_dims; i++) n = size_mul(n, size_max(t->dims[i], 0));
  m->parameters = size_add(m->parameters, n);
  m->bytes = size_add(m->bytes, size_ceiling(size_mul(n, element_type(t->data_type)->bits), 8));
}

static void count_initializers(ModelSummary *m, const Onnx__GraphProto *graph) {
  for (size_t i = 0; i < graph->n_initializer; i++) count_tensor(m, graph->initializer[i]);
  for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
    if (graph->sparse_initializer[i]->values) count_tensor(m, graph->sparse_initializer[i]->values);
  }
}

static void count_constant(ModelSummary *m, const Onnx__NodeProto *p) {
  if (!domain_is_onnx(p->domain) || strcmp(p->op_type, "Constant") != 0) return;
  for (size_t k = 0; k < p->n_attribute; k++) {
    if (p->attribute[k]->t) count_tensor(m, p->attribute[k]->t);
  }
}

/* ==== operators ==== */

static int by_count(const void *a, const void *b) {
  const ModelOperator *x = a, *y = b;
  if (x->count != y->count) return x->count < y->count ? 1 : -1;
  return strcmp(x->name, y->name);
}

static int64_t opset_of(size_t n, Onnx__OperatorSetIdProto *const *set) {
  for (size_t i = 0; i < n; i++) {
    if (domain_is_onnx(set[i]->domain)) return set[i]->version;
  }
  return 0;
}

typedef struct Listing {
  const Import *im;
  ModelSummary *m;
  Map known;            /* Found, by name */
  struct Found {
    struct Found *before;
    ModelOperator op;
  } *last;
  size_t n;
  int64_t opset;        /* of the nodes being listed */
} Listing;

static void list_nodes(Listing *l, size_t n, Onnx__NodeProto *const *node);

static void list_graph(Listing *l, const Onnx__GraphProto *graph) {
  count_initializers(l->m, graph);
  list_nodes(l, graph->n_node, graph->node);
}

static void list_operator(Listing *l, const Onnx__NodeProto *p) {
  const char *name = proto_op_name(l->im->cx, p->domain, p->op_type);
  struct Found *found = map_get(&l->known, name);
  if (!found) {
    found = alloc(l->im->cx, sizeof *found);
    found->before = l->last;
    found->op = (ModelOperator){.name = name, .node = node_name(p), .refused = why_missing(l->im, (int)l->opset, p)};
    map_put(l->im->cx, &l->known, name, l->last = found);
    l->n++;
  }
  found->op.count++;
}

/* With those of their subgraphs. */
static void list_nodes(Listing *l, size_t n, Onnx__NodeProto *const *node) {
  check_operator_names(l->im, n, node);
  l->m->n_node += (int64_t)n;
  for (size_t i = 0; i < n; i++) {
    list_operator(l, node[i]);
    count_constant(l->m, node[i]);
    for (size_t k = 0; k < node[i]->n_attribute; k++)
      if (node[i]->attribute[k]->g) list_graph(l, node[i]->attribute[k]->g);
  }
}

static void collect_operators(Listing *l) {
  ModelSummary *m = l->m;
  m->op = alloc_n(l->im->cx, l->n + 1, sizeof *m->op);
  for (const struct Found *f = l->last; f; f = f->before) m->op[m->n_op++] = f->op;
  qsort(m->op, (size_t)m->n_op, sizeof *m->op, by_count);
}

/* The file's, each node once: functions by what calls them and by what they are made of. */
static void list_operators(const Import *im, ModelSummary *m) {
  Listing l = {.im = im, .m = m, .opset = m->opset};
  list_graph(&l, im->graph);
  for (size_t i = 0; i < im->model->n_functions; i++) {
    const Onnx__FunctionProto *f = im->model->functions[i];
    l.opset = opset_of(f->n_opset_import, f->opset_import);
    if (l.opset == 0) l.opset = m->opset;
    list_nodes(&l, f->n_node, f->node);
  }
  collect_operators(&l);
}

/* ==== the whole ==== */

/* "NAME VERSION" */
static const char *producer_of(Context *cx, const Onnx__ModelProto *model) {
  const char *name = model->producer_name, *version = model->producer_version;
  if (!name || !*name) return "";
  return version && *version ? format_text(cx, "%s %s", name, version) : name;
}

static ModelSummary summary_of(Context *cx, const Onnx__ModelProto *model) {
  if (!model->graph) fail(cx, "not an ONNX model: it has no graph");
  Import im = {.cx = cx, .model = model, .graph = model->graph};
  check_graph_names(&im, model->graph);
  read_functions(&im);
  ModelSummary m = {.producer = producer_of(cx, model), .ir = model->ir_version, .opset = opset_of(model->n_opset_import, model->opset_import)};
  list_inputs(cx, &m, model->graph);
  list_outputs(cx, &m, model->graph);
  list_operators(&im, &m);
  return m;
}

ModelSummary inspect_bytes(Context *cx, const void *data, size_t size) {
  const char *error;
  ProtobufCMessage *m = wire_unpack(cx, &onnx__model_proto__descriptor, data, size, &error);
  if (!m) fail(cx, "%s", error);
  return summary_of(cx, (const Onnx__ModelProto *)m);
}

ModelSummary inspect_model(Context *cx, const char *path) {
  ModelSummary m = summary_of(cx, read_model(cx, path));
  m.file = path;
  return m;
}
