/* save.c: a tensor as ONNX stores it alone in a file. */
#include "onnx.pb-c.h"
#include "import.h"

Onnx__TensorProto *proto_of_tensor(Context *cx, const char *name, Type type, const Shape *shape, const void *data) {
  Onnx__TensorProto *t = alloc(cx, sizeof *t);
  onnx__tensor_proto__init(t);
  t->name = copy_text(cx, name);
  t->n_dims = (size_t)shape->rank;
  t->dims = alloc_n(cx, t->n_dims + 1, sizeof *t->dims);
  move_bytes(t->dims, shape->d, t->n_dims * sizeof *t->dims);
  t->has_data_type = true;
  t->data_type = (int)type;
  t->has_raw_data = true;
  t->raw_data.len = (size_t)shape_count(shape) * type_size(type);
  t->raw_data.data = (uint8_t *)(uintptr_t)data;
  return t;
}

void save_tensor(Context *cx, const char *name, Type type, const Shape *shape, const void *data, Buffer *out) {
  const Onnx__TensorProto *t = proto_of_tensor(cx, name, type, shape, data);
  size_t size = onnx__tensor_proto__get_packed_size(t);
  uint8_t *bytes = alloc(cx, size);
  onnx__tensor_proto__pack(t, bytes);
  buffer_add(out, bytes, size);
}
