/* write.c: a graph as an ONNX model, for others to read: after passes that leave operators of ONNX and no epilogues. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

enum {
  IR_VERSION = 10,       /* that of the operator set */
  OPSET = 21,            /* in which operators are as `upgrade` leaves them, but for those that are newer */
  MOST_BYTES = INT32_MAX /* of a protobuf message */
};

typedef struct Writer {
  Context *cx;
  Graph *g;
  char **name;           /* of values, by id: each its own */
  Map taken;
} Writer;

static char *text(const Writer *w, const char *s) { return copy_text(w->cx, s); }

/* ==== names ==== */

static char *new_name(Writer *w, const char *base) {
  const char *name = *base ? base : "value";
  for (int i = 1; map_get(&w->taken, name); i++) name = format_text(w->cx, "%s_%d", base, i);
  map_put(w->cx, &w->taken, name, w);
  return text(w, name);
}

static void name_value(Writer *w, const Value *v) {
  if (v && !w->name[v->id]) w->name[v->id] = new_name(w, v->name);
}

/* Inputs and outputs first: theirs stay. */
static void name_values(Writer *w) {
  const Graph *g = w->g;
  w->name = alloc_n(w->cx, (size_t)g->n_value + 1, sizeof *w->name);
  for (int i = 0; i < g->n_input; i++) name_value(w, g->input[i]);
  for (int i = 0; i < g->n_output; i++) name_value(w, g->output[i]);
  for (int i = 0; i < g->n_value; i++) name_value(w, g->value[i]);
}

/* ==== tensors ==== */

static Onnx__TensorProto *tensor_of(const Writer *w, const Value *v, const char *name) {
  return proto_of_tensor(w->cx, name, v->type, &v->shape, v->data);
}

/* Of a shape, the multiples of the batch: only one that is the batch itself or what is left of a Reshape has a number of ONNX's. */
static const Value *without_symbols(const Writer *w, const Node *n, const Value *v) {
  if (!v->sym) return v;
  Value *copy = alloc(w->cx, sizeof *copy);
  int64_t *to = alloc(w->cx, value_bytes(v));
  int symbols = 0;
  *copy = *v;
  copy->data = to;
  for (int64_t i = 0; i < shape_count(&v->shape); i++) {
    symbols += v->sym[i];
    to[i] = v->sym[i] ? -1 : get_number(v->type, v->data, i).i;
    if (to[i] == -1 && !v->sym[i]) symbols++;
  }
  if (n->op != OP_Reshape || symbols > 1 || v->type != T_I64)
    fail_at(w->g, n, "its sizes are multiples of the batch; fix the batch with --batch=1");
  return copy;
}

static Onnx__ValueInfoProto *info_of(const Writer *w, const Value *v) {
  Onnx__ValueInfoProto *info = alloc(w->cx, sizeof *info);
  Onnx__TypeProto *type = alloc(w->cx, sizeof *type);
  Onnx__TypeProto__Tensor *tensor = alloc(w->cx, sizeof *tensor);
  Onnx__TensorShapeProto *shape = alloc(w->cx, sizeof *shape);
  onnx__value_info_proto__init(info);
  onnx__type_proto__init(type);
  onnx__type_proto__tensor__init(tensor);
  onnx__tensor_shape_proto__init(shape);
  info->name = w->name[v->id];
  info->type = type;
  type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  type->tensor_type = tensor;
  tensor->has_elem_type = true;
  tensor->elem_type = (int)v->type;
  tensor->shape = shape;
  shape->n_dim = (size_t)v->shape.rank;
  shape->dim = alloc_n(w->cx, shape->n_dim + 1, sizeof *shape->dim);
  for (int i = 0; i < v->shape.rank; i++) {
    Onnx__TensorShapeProto__Dimension *d = shape->dim[i] = alloc(w->cx, sizeof *d);
    int64_t size = v->shape.d[i];
    onnx__tensor_shape_proto__dimension__init(d);
    d->value_case = size < 0 ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                             : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    if (size < 0) d->dim_param = size == -1 ? text(w, "batch") : format_text(w->cx, "batch*%lld", -(long long)size);
    else d->dim_value = size;
  }
  return info;
}

/* ==== nodes ==== */

static Onnx__AttributeProto *attribute_of(const Writer *w, const Attr *a) {
  static const int type[] = {
    [A_INT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, [A_FLOAT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT,
    [A_INTS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, [A_FLOATS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS,
    [A_STRING] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, [A_TENSOR] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR,
  };
  Onnx__AttributeProto *p = alloc(w->cx, sizeof *p);
  onnx__attribute_proto__init(p);
  p->name = text(w, a->name);
  p->has_type = true;
  p->type = (Onnx__AttributeProto__AttributeType)type[a->kind];
  p->has_i = a->kind == A_INT, p->i = a->i;
  p->has_f = a->kind == A_FLOAT, p->f = a->f;
  if (a->kind == A_INTS) p->n_ints = (size_t)a->n, p->ints = (int64_t *)(uintptr_t)a->ints;
  if (a->kind == A_FLOATS) p->n_floats = (size_t)a->n, p->floats = (float *)(uintptr_t)a->floats;
  if (a->kind == A_STRING) p->has_s = true, p->s.data = (uint8_t *)text(w, a->s), p->s.len = strlen(a->s);
  if (a->kind == A_TENSOR) p->t = tensor_of(w, a->tensor, a->tensor->name);
  return p;
}

static char **names_of(const Writer *w, Value *const *v, int n) {
  char **name = alloc_n(w->cx, (size_t)n + 1, sizeof *name);
  for (int i = 0; i < n; i++) name[i] = v[i] ? w->name[v[i]->id] : text(w, "");
  return name;
}

static Onnx__NodeProto *node_of(const Writer *w, const Node *n) {
  const OpInfo *info = &op_info[n->op];
  Onnx__NodeProto *p = alloc(w->cx, sizeof *p);
  assert(n->n_step == 0 && info->since > 0);
  onnx__node_proto__init(p);
  p->name = text(w, n->name);
  p->op_type = text(w, info->name);
  p->domain = text(w, info->domain);
  p->n_input = (size_t)n->n_in, p->input = names_of(w, n->in, n->n_in);
  p->n_output = (size_t)n->n_out, p->output = names_of(w, n->out, n->n_out);
  p->n_attribute = (size_t)n->n_attr;
  p->attribute = alloc_n(w->cx, p->n_attribute + 1, sizeof *p->attribute);
  for (int i = 0; i < n->n_attr; i++) p->attribute[i] = attribute_of(w, &n->attr[i]);
  return p;
}

/* ==== the model ==== */

static Onnx__GraphProto *graph_of(Writer *w) {
  const Graph *g = w->g;
  Onnx__GraphProto *p = alloc(w->cx, sizeof *p);
  onnx__graph_proto__init(p);
  p->name = text(w, g->name ? g->name : "graph");
  p->node = alloc_n(w->cx, (size_t)g->n_node + 1, sizeof *p->node);
  p->initializer = alloc_n(w->cx, (size_t)g->n_value + 1, sizeof *p->initializer);
  p->input = alloc_n(w->cx, (size_t)g->n_input + 1, sizeof *p->input);
  p->output = alloc_n(w->cx, (size_t)g->n_output + 1, sizeof *p->output);
  bool *done = alloc_n(w->cx, (size_t)g->n_value + 1, sizeof *done);
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    for (int k = 0; k < n->n_in; k++) {
      const Value *v = n->in[k];
      if (!v || !v->data || done[v->id]) continue;
      done[v->id] = true;
      p->initializer[p->n_initializer++] = tensor_of(w, without_symbols(w, n, v), w->name[v->id]);
    }
    p->node[p->n_node++] = node_of(w, n);
  }
  for (int i = 0; i < g->n_input; i++) p->input[p->n_input++] = info_of(w, g->input[i]);
  for (int i = 0; i < g->n_output; i++) p->output[p->n_output++] = info_of(w, g->output[i]);
  return p;
}

/* The versions of the operator sets that the nodes are of. */
static void set_opsets(const Writer *w, Onnx__ModelProto *m) {
  int newest = OPSET;
  bool microsoft = false;
  for (int i = 0; i < w->g->n_node; i++) {
    const OpInfo *info = &op_info[w->g->node[i]->op];
    if (*info->domain) microsoft = true;
    else if (info->since > newest) newest = info->since;
  }
  m->n_opset_import = microsoft ? 2 : 1;
  m->opset_import = alloc_n(w->cx, 2, sizeof *m->opset_import);
  for (size_t i = 0; i < m->n_opset_import; i++) {
    Onnx__OperatorSetIdProto *set = m->opset_import[i] = alloc(w->cx, sizeof *set);
    onnx__operator_set_id_proto__init(set);
    set->domain = text(w, i ? "com.microsoft" : "");
    set->has_version = true;
    set->version = i ? 1 : newest;
  }
}

void model_write(Graph *g, Buffer *out) {
  Writer w = {.cx = g->cx, .g = g};
  Onnx__ModelProto m;
  onnx__model_proto__init(&m);
  name_values(&w);
  m.has_ir_version = true;
  m.ir_version = IR_VERSION;
  m.producer_name = text(&w, "resnetcc");
  m.producer_version = text(&w, RESNETCC_VERSION);
  m.graph = graph_of(&w);
  set_opsets(&w, &m);
  size_t size = onnx__model_proto__get_packed_size(&m);
  if (size > MOST_BYTES) fail(g->cx, "as one file the model has %zu bytes; ONNX allows 2 GiB", size);
  uint8_t *bytes = alloc(g->cx, size);
  onnx__model_proto__pack(&m, bytes);
  buffer_add(out, bytes, size);
}
