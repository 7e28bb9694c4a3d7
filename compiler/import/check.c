/* check.c: names that are missing; attributes that could be read, but contradict themselves or what their operator takes. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

typedef Onnx__AttributeProto__AttributeType ProtoType;

/* The fields that hold the value, by type. A writer may put the default of a field that is not meant into the file. */
static bool holds(const Onnx__AttributeProto *p, ProtoType type) {
  switch (type) {
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT: return p->has_f && p->f != 0;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT: return p->has_i && p->i != 0;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING: return p->s.len > 0;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR: return p->t;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH: return p->g;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS: return p->n_floats;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS: return p->n_ints;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS: return p->n_strings;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS: return p->n_tensors;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS: return p->n_graphs;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR: return p->sparse_tensor;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS: return p->n_sparse_tensors;
  default: return false;
  }
}

int attr_type(const Onnx__AttributeProto *p) {
  if (p->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED) return p->type;
  for (int type = 1; type <= ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS; type++)
    if (holds(p, type)) return type;
  if (p->has_f) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
  if (p->has_i) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
  if (p->has_s) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
  return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

void check_graph_names(const Import *im, const Onnx__GraphProto *graph) {
  for (size_t i = 0; i < graph->n_input; i++)
    if (!is_named(graph->input[i]->name)) fail(im->cx, "input %zu has no name", i);
  for (size_t i = 0; i < graph->n_output; i++)
    if (!is_named(graph->output[i]->name)) fail(im->cx, "output %zu has no name", i);
  for (size_t i = 0; i < graph->n_initializer; i++)
    if (!is_named(graph->initializer[i]->name)) fail(im->cx, "initializer %zu has no name", i);
}

void check_operator_names(const Import *im, size_t n, Onnx__NodeProto *const *node) {
  for (size_t i = 0; i < n; i++)
    if (!is_named(node[i]->op_type)) fail(im->cx, "node %zu has no operator", i);
}

static const char *type_text(ProtoType type) {
  const ProtobufCEnumValue *v =
    protobuf_c_enum_descriptor_get_value(&onnx__attribute_proto__attribute_type__descriptor, type);
  return v ? v->name : "unknown";
}

/* False: of a kind that no attribute of the graph has. */
static bool kind_of_type(ProtoType type, AttrKind *kind) {
  switch (type) {
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT: *kind = A_FLOAT; return true;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT: *kind = A_INT; return true;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING: *kind = A_STRING; return true;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR: *kind = A_TENSOR; return true;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS: *kind = A_FLOATS; return true;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS: *kind = A_INTS; return true;
  default: return false;
  }
}

static _Noreturn void fail_attr(const Import *im, const Onnx__NodeProto *n, const char *attr, const char *reason) {
  fail_proto(im, n, "attribute \"%.80s\" %s", attr, reason);
}

/* One value, of the kind that the operator takes. */
static void check_attr(const Import *im, const Onnx__NodeProto *n, Op op, const Onnx__AttributeProto *p) {
  if (!is_named(p->name)) fail_proto(im, n, "an attribute has no name");
  ProtoType type = attr_type(p);
  AttrKind kind = A_INT, expected = A_INT;
  for (int other = 1; other <= ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS; other++)
    if (other != (int)type && holds(p, other))
      fail_attr(im, n, p->name, format_text(im->cx, "is of type %s, but also has a value of type %s", type_text(type),
                                            type_text(other)));
  bool known = kind_of_type(type, &kind);
  if (known && op && attr_expected(op, p->name, &expected) && kind != expected)
    fail_attr(im, n, p->name, format_text(im->cx, "is %s, the operator takes %s", attr_kind_name(kind),
                                          attr_kind_name(expected)));
  if (kind == A_STRING && known && p->s.len && memchr(p->s.data, '\0', p->s.len))
    fail_attr(im, n, p->name, "holds a zero byte");
}

void check_attributes(const Import *im, const Onnx__NodeProto *n) {
  enum { MOST = 256 }; /* no operator has a tenth of that, and pairs are compared */
  Op op = called_function(im, n) ? OP_NONE : proto_op_find(n);
  if (n->n_attribute > MOST) fail_proto(im, n, "has too many attributes");
  for (size_t i = 0; i < n->n_attribute; i++) {
    check_attr(im, n, op, n->attribute[i]);
    for (size_t k = 0; k < i; k++)
      if (strcmp(n->attribute[k]->name, n->attribute[i]->name) == 0)
        fail_attr(im, n, n->attribute[i]->name, "is given twice");
  }
}
