/* tensor.c: tensors of the model as constants, wherever their elements are stored. */
#include "onnx.pb-c.h"
#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Elements are used as they are stored: the format is little-endian. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian host");

/* ---- types and shapes ---- */

static const char *onnx_type_name(int type) {
  const ProtobufCEnumValue *v =
    protobuf_c_enum_descriptor_get_value(&onnx__tensor_proto__data_type__descriptor, type);
  return v ? v->name : "unknown";
}

/* Two numbers a byte. */
static bool is_packed(Type t) { return t == T_U4 || t == T_I4; }

Type stored_type(Context *cx, int onnx_type, const char *what, const char *name) {
  Type type = (Type)onnx_type;
  if (type_size(type) == 0 || is_packed(type))
    fail(cx, "%s \"%s\" has elements of an unsupported type, %d (%s)", what, name, onnx_type,
         onnx_type_name(onnx_type));
  return type;
}

const Onnx__TypeProto__Tensor *tensor_type(const Onnx__TypeProto *t) {
  return t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? t->tensor_type : NULL;
}

/* Fails where the elements, of at most 8 bytes each, could not be addressed. */
static Shape read_dims(Context *cx, size_t rank, const int64_t *dims, const char *name) {
  if (rank > MAX_RANK) fail(cx, "tensor \"%s\" has more than %d dimensions", name, MAX_RANK);
  Shape shape = {.rank = (int)rank};
  for (size_t i = 0; i < rank; i++) {
    if (dims[i] < 0) fail(cx, "tensor \"%s\" has a negative dimension", name);
    shape.d[i] = dims[i];
  }
  if (shape_count(&shape) > INT64_MAX / 8) fail(cx, "tensor \"%s\" is too large", name);
  return shape;
}

/* ---- external data ---- */

static const char *external_entry(Context *cx, const Onnx__TensorProto *t, const char *key, const char *name) {
  const char *value = NULL;
  for (size_t i = 0; i < t->n_external_data; i++) {
    const Onnx__StringStringEntryProto *e = t->external_data[i];
    if (!e->key || !e->value || strcmp(e->key, key) != 0) continue;
    if (value) fail(cx, "tensor \"%s\": its external data has the %s twice", name, key);
    value = e->value;
  }
  return value;
}

static int64_t external_number(Context *cx, const Onnx__TensorProto *t, const char *key, int64_t otherwise,
                               const char *name) {
  const char *text = external_entry(cx, t, key, name);
  if (!text) return otherwise;
  char *end;
  errno = 0;
  long long v = strtoll(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || errno)
    fail(cx, "tensor \"%s\": the %s \"%s\" of its external data is not a number", name, key, text);
  return v;
}

static bool has_parent_step(const char *path) {
  for (const char *p = path; *p; p += strcspn(p, "/"), p += strspn(p, "/"))
    if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0')) return true;
  return false;
}

/* Where `file` lies beneath `folder`, both as realpath gives them; NULL: outside. */
static const char *path_beneath(const char *file, const char *folder) {
  size_t n = strlen(folder);
  if (n == 1) return file + 1; /* the root */
  return strncmp(file, folder, n) == 0 && file[n] == '/' ? file + n + 1 : NULL;
}

/* Follows no symbolic link and never goes up, so nothing that is swapped in meanwhile leads out. -1 with errno set. */
static int open_beneath(Context *cx, const char *folder, const char *path) {
  int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (const char *slash; at >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
    const char *part = copy_bytes_as_text(cx, path, (size_t)(slash - path));
    int next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close(at);
    at = next;
  }
  if (at < 0) return -1;
  int fd = openat(at, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), error = errno;
  close(at);
  errno = error;
  return fd;
}

static const char *real_path(Context *cx, const char *path) {
  char *real = realpath(path, NULL);
  if (!real) return NULL;
  const char *copy = copy_text(cx, real);
  free(real);
  return copy;
}

/* An open file, or -1 with errno set; errno 0: the file lies outside. Symbolic links are allowed that stay inside. */
static int open_inside(Context *cx, const char *folder, const char *location) {
  const char *root = real_path(cx, folder);
  const char *file = root ? real_path(cx, format_text(cx, "%s/%s", folder, location)) : NULL;
  if (!file) return -1;
  const char *path = path_beneath(file, root);
  errno = 0;
  return path ? open_beneath(cx, root, path) : -1;
}

/* Tensors that follow each other mostly lie in the same file. */
static void note_external(Graph *g, const char *folder, const char *location) {
  Context *cx = g->cx;
  const char *path = strcmp(folder, ".") == 0 ? location : format_text(cx, "%s/%s", folder, location);
  if (g->n_external && strcmp(g->external[g->n_external - 1], path) == 0) return;
  g->external = alloc_grown(cx, g->external, g->n_external, sizeof *g->external);
  g->external[g->n_external++] = path;
}

static int open_external(Graph *g, const Onnx__TensorProto *t, const char *name, const char *folder) {
  Context *cx = g->cx;
  const char *location = external_entry(cx, t, "location", name);
  if (!location || !*location) fail(cx, "tensor \"%s\": its external data has no location", name);
  if (!folder) fail(cx, "tensor \"%s\" has external data, which has no place here", name);
  if (*location == '/' || has_parent_step(location))
    fail(cx, "tensor \"%s\": its external data \"%s\" is not in the model's folder", name, location);
  int fd = open_inside(cx, folder, location);
  if (fd < 0 && errno == 0)
    fail(cx, "tensor \"%s\": its external data \"%s\" is not in the model's folder", name, location);
  if (fd < 0) fail(cx, "tensor \"%s\": external data \"%s\": %s", name, location, strerror(errno));
  return fd;
}

static bool read_fully(int fd, char *to, int64_t size, int64_t offset) {
  while (size > 0) {
    ssize_t n = pread(fd, to, (size_t)size, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    size -= n;
    offset += n;
  }
  return true;
}

static void *read_external(Graph *g, const Onnx__TensorProto *t, int64_t bytes, const char *name,
                           const char *folder) {
  Context *cx = g->cx;
  int64_t offset = external_number(cx, t, "offset", 0, name);
  int64_t length = external_number(cx, t, "length", bytes, name);
  if (length != bytes)
    fail(cx, "tensor \"%s\" has %lld bytes of external data, its shape needs %lld", name, (long long)length,
         (long long)bytes);
  int fd = open_external(g, t, name, folder);
  struct stat st = {0};
  bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
  ok = ok && offset <= st.st_size && bytes <= st.st_size - offset;
  if (!ok) close(fd);
  if (!ok) fail(cx, "tensor \"%s\": its external data goes past the end of the file", name);
  void *data = alloc(cx, (size_t)bytes);
  ok = read_fully(fd, data, bytes, offset);
  close(fd);
  if (!ok) fail(cx, "tensor \"%s\": its external data cannot be read", name);
  note_external(g, folder, external_entry(cx, t, "location", name));
  return data;
}

/* ---- elements inside the model ---- */

typedef struct Elements {
  void *data;
  size_t n, size; /* number, bytes of one */
} Elements;

/* The typed field for elements of that type. */
static Elements typed_field(const Onnx__TensorProto *t, Type type) {
  switch (type) {
  case T_F32: return (Elements){t->float_data, t->n_float_data, sizeof(float)};
  case T_F64: return (Elements){t->double_data, t->n_double_data, sizeof(double)};
  case T_I64: return (Elements){t->int64_data, t->n_int64_data, sizeof(int64_t)};
  case T_U32:
  case T_U64: return (Elements){t->uint64_data, t->n_uint64_data, sizeof(uint64_t)};
  default: return (Elements){t->int32_data, t->n_int32_data, sizeof(int32_t)};
  }
}

/* Of all typed fields. */
static size_t typed_elements(const Onnx__TensorProto *t) {
  return t->n_float_data + t->n_double_data + t->n_int64_data + t->n_uint64_data + t->n_int32_data + t->n_string_data;
}

/* Writers disagree whether small numbers are signed. */
static void check_range(Context *cx, Elements e, Type type, const char *name) {
  int bits = (int)(8 * type_size(type));
  int64_t least = type == T_U32 ? 0 : -(INT64_C(1) << (bits - 1)), end = INT64_C(1) << bits;
  for (size_t i = 0; i < e.n; i++) {
    int64_t v = e.size == sizeof(int32_t) ? ((const int32_t *)e.data)[i] : ((const int64_t *)e.data)[i];
    if (v < least || v >= end)
      fail(cx, "tensor \"%s\": element %zu, %lld, is no %s", name, i, (long long)v, type_name(type));
  }
}

/* Keeps the low bytes of each element, in place. */
static void narrow(Elements e, size_t size) {
  for (size_t i = 0; i < e.n; i++) move_bytes((char *)e.data + i * size, (char *)e.data + i * e.size, size);
}

/* Any number but 0 means true; as a C bool it must be 1. */
static void make_bools(Elements e) {
  for (size_t i = 0; i < e.n; i++) ((uint8_t *)e.data)[i] = ((const int32_t *)e.data)[i] != 0;
}

static void *read_typed(Context *cx, const Onnx__TensorProto *t, Type type, int64_t count, const char *name) {
  Elements e = typed_field(t, type);
  if (e.n != (uint64_t)count)
    fail(cx, "tensor \"%s\" has %zu elements, its shape needs %lld", name, e.n, (long long)count);
  if (e.size == type_size(type)) return e.data;
  if (type != T_BOOL) check_range(cx, e, type, name);
  if (type == T_BOOL) make_bools(e);
  else narrow(e, type_size(type));
  return e.data;
}

static void *read_raw(Context *cx, const Onnx__TensorProto *t, int64_t bytes, const char *name) {
  if (t->raw_data.len != (uint64_t)bytes)
    fail(cx, "tensor \"%s\" has %zu bytes of data, its shape needs %lld", name, t->raw_data.len,
         (long long)bytes);
  return t->raw_data.data;
}

static void *read_elements(Graph *g, const Onnx__TensorProto *t, Type type, int64_t count,
                           const char *name, const char *folder) {
  int64_t bytes = count * (int64_t)type_size(type);
  Context *cx = g->cx;
  int location = t->has_data_location ? (int)t->data_location : 0;
  size_t typed = typed_elements(t);
  if (t->segment) fail(cx, "tensor \"%s\" is stored in segments, which is not supported", name);
  if (location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT && location != ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
    fail(cx, "tensor \"%s\" has an unknown data location, %d", name, location);
  if (location && (t->raw_data.len || typed))
    fail(cx, "tensor \"%s\" has elements in the model and in another file", name);
  if (typed != typed_field(t, type).n || (t->raw_data.len && typed))
    fail(cx, "tensor \"%s\" has elements in several fields, or in one that is not for its type", name);
  if (location) return read_external(g, t, bytes, name, folder);
  if (t->raw_data.len) return read_raw(cx, t, bytes, name);
  return read_typed(cx, t, type, count, name);
}

/* ---- tensors ---- */

/* A byte for each of what is packed two a byte, the first in the low bits. */
static void *unpacked(Context *cx, const uint8_t *from, Type type, int64_t count) {
  uint8_t *to = alloc(cx, (size_t)count + 1);
  for (int64_t i = 0; i < count; i++) {
    int four = from[i / 2] >> (i % 2 ? 4 : 0) & 15;
    to[i] = (uint8_t)(type == T_I4 && four > 7 ? four - 16 : four);
  }
  return to;
}

/* Any byte but 0 means true; as a C bool it must be 1. */
static void normalize_bools(uint8_t *data, int64_t count) {
  for (int64_t i = 0; i < count; i++) data[i] = data[i] != 0;
}

Value *read_tensor(Context *cx, Graph *g, const Onnx__TensorProto *t, const char *name, const char *folder) {
  Type type = (Type)t->data_type;
  if (!is_packed(type)) type = stored_type(cx, t->data_type, "tensor", name);
  Shape shape = read_dims(cx, t->n_dims, t->dims, name);
  int64_t count = shape_count(&shape);
  bool packed = is_packed(type);
  void *data = read_elements(g, t, packed ? T_U8 : type, packed ? size_ceiling(count, 2) : count, name, folder);
  if (packed && data) data = unpacked(cx, data, type, count);
  if (!data) data = alloc(cx, 1); /* no elements; but a constant has data */
  if (type == T_BOOL) normalize_bools(data, count);
  return value_const(g, name, type, shape, data);
}

Value *import_tensor(Context *cx, Graph *g, const void *data, size_t size) {
  const char *error;
  ProtobufCMessage *m = wire_unpack(cx, &onnx__tensor_proto__descriptor, data, size, &error);
  if (!m) fail(cx, "%s", error);
  const Onnx__TensorProto *t = (const Onnx__TensorProto *)m;
  return read_tensor(cx, g, t, t->name ? t->name : "", NULL);
}

/* ---- sparse tensors, made dense ---- */

/* The position of the i-th element in row-major order; -1: outside. */
static int64_t sparse_position(const Shape *shape, const int64_t *index, bool linear, int64_t i) {
  if (linear) return index[i] >= 0 && index[i] < shape_count(shape) ? index[i] : -1;
  int64_t position = 0;
  for (int k = 0; k < shape->rank; k++) {
    int64_t at = index[i * shape->rank + k];
    if (at < 0 || at >= shape->d[k]) return -1;
    position = position * shape->d[k] + at;
  }
  return position;
}

static void scatter(Context *cx, Value *dense, const Value *values, const Value *indices) {
  size_t size = type_size(values->type);
  const char *from = values->data;
  char *to = (char *)(uintptr_t)dense->data;
  int64_t last = -1;
  for (int64_t i = 0; i < values->shape.d[0]; i++) {
    int64_t at = sparse_position(&dense->shape, indices->data, indices->shape.rank == 1, i);
    if (at < 0) fail(cx, "sparse tensor \"%s\" has an index outside its shape", dense->name);
    if (at <= last) fail(cx, "sparse tensor \"%s\": its indices do not ascend", dense->name);
    last = at;
    move_bytes(to + (size_t)at * size, from + (size_t)i * size, size);
  }
}

Value *read_sparse_tensor(Context *cx, Graph *g, const Onnx__SparseTensorProto *s, const char *name,
                          const char *folder) {
  const int64_t largest = 1 << 26; /* a few bytes must not become gigabytes */
  if (!s->values || !s->indices) fail(cx, "sparse tensor \"%s\" has no values or no indices", name);
  Value *values = read_tensor(cx, g, s->values, name, folder);
  Value *indices = read_tensor(cx, g, s->indices, name, folder);
  Shape shape = read_dims(cx, s->n_dims, s->dims, name);
  const Shape *v = &values->shape, *i = &indices->shape;
  if (indices->type != T_I64 || v->rank != 1 || i->rank < 1 || i->rank > 2 || i->d[0] != v->d[0]
      || (i->rank == 2 && i->d[1] != shape.rank))
    fail(cx, "sparse tensor \"%s\": its indices do not fit its values or its shape", name);
  if (shape_count(&shape) > largest) fail(cx, "sparse tensor \"%s\" is too large", name);
  void *data = alloc_n(cx, (size_t)shape_count(&shape), type_size(values->type));
  Value *dense = value_const(g, name, values->type, shape, data);
  scatter(cx, dense, values, indices);
  return dense;
}
