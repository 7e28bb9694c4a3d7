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
  const Onnx__TypeProto *type = v->type;
  bool is_tensor = type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && type->tensor_type;
  if (!is_tensor) return (ModelTensor){.name = v->name, .type = type ? "no tensor" : "unknown", .rank = -1};
  const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
  ModelTensor t = {.name = v->name, .type = element_type(type->tensor_type->elem_type)->name, .rank = -1};
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

static void count_constants(ModelSummary *m, const Onnx__GraphProto *graph) {
  for (size_t i = 0; i < graph->n_initializer; i++) count_tensor(m, graph->initializer[i]);
  for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
    if (graph->sparse_initializer[i]->values) count_tensor(m, graph->sparse_initializer[i]->values);
  }
  for (size_t i = 0; i < graph->n_node; i++) {
    const Onnx__NodeProto *p = graph->node[i];
    if (!domain_is_onnx(p->domain) || strcmp(p->op_type, "Constant") != 0) continue;
    for (size_t k = 0; k < p->n_attribute; k++) {
      if (p->attribute[k]->t) count_tensor(m, p->attribute[k]->t);
    }
  }
}

/* ==== operators ==== */

static int by_count(const void *a, const void *b) {
  const ModelOperator *x = a, *y = b;
  if (x->count != y->count) return x->count < y->count ? 1 : -1;
  return strcmp(x->name, y->name);
}

static void list_operators(const Import *im, ModelSummary *m) {
  const Onnx__GraphProto *graph = im->graph;
  Map known = {0};
  m->op = alloc_n(im->cx, graph->n_node + 1, sizeof *m->op);
  m->n_node = (int64_t)graph->n_node;
  for (size_t i = 0; i < graph->n_node; i++) {
    const Onnx__NodeProto *p = graph->node[i];
    const char *name = proto_op_name(im->cx, p->domain, p->op_type);
    ModelOperator *op = map_get(&known, name);
    if (!op) {
      op = &m->op[m->n_op++];
      *op = (ModelOperator){.name = name, .node = node_name(p), .refused = why_missing(im, (int)m->opset, p)};
      map_put(im->cx, &known, name, op);
    }
    op->count++;
  }
  qsort(m->op, (size_t)m->n_op, sizeof *m->op, by_count);
}

/* ==== the whole ==== */

static int64_t opset_of(const Onnx__ModelProto *model) {
  for (size_t i = 0; i < model->n_opset_import; i++) {
    if (domain_is_onnx(model->opset_import[i]->domain)) return model->opset_import[i]->version;
  }
  return 0;
}

/* "NAME VERSION" */
static const char *producer_of(Context *cx, const Onnx__ModelProto *model) {
  const char *name = model->producer_name, *version = model->producer_version;
  if (!name || !*name) return "";
  return version && *version ? format_text(cx, "%s %s", name, version) : name;
}

static ModelSummary summary_of(Context *cx, const Onnx__ModelProto *model) {
  if (!model->graph) fail(cx, "not an ONNX model: it has no graph");
  Import im = {.cx = cx, .model = model, .graph = model->graph};
  check_names(&im);
  read_functions(&im);
  ModelSummary m = {.producer = producer_of(cx, model), .ir = model->ir_version, .opset = opset_of(model)};
  list_inputs(cx, &m, model->graph);
  list_outputs(cx, &m, model->graph);
  count_constants(&m, model->graph);
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
