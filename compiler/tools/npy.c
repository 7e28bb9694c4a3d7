/* npy.c: NumPy's .npy files. Their header is a Python literal, of which the three entries that numpy.save writes are read. */
#include "tools.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";
enum { MAGIC = 6, MOST_HEADER = 65535 };

typedef struct NpyType {
  const char *descr;
  Type type;
} NpyType;

static const NpyType npy_types[] = {
  {"<f4", T_F32}, {"<f8", T_F64}, {"<f2", T_F16}, {"|u1", T_U8}, {"|i1", T_I8}, {"|b1", T_BOOL}, {"<i2", T_I16}, {"<u2", T_U16},
  {"<i4", T_I32}, {"<u4", T_U32}, {"<i8", T_I64}, {"<u8", T_U64},
};

/* ==== reading ==== */

/* What stands behind 'key': in the header; NULL: nothing. */
static const char *entry_of(Context *cx, const char *header, const char *key) {
  const char *at = strstr(header, format_text(cx, "'%s'", key));
  if (!at) return NULL;
  at += strlen(key) + 2;
  while (isspace((unsigned char)*at)) at++;
  if (*at++ != ':') return NULL;
  while (isspace((unsigned char)*at)) at++;
  return at;
}

static Type read_type(Context *cx, const char *header) {
  const char *at = entry_of(cx, header, "descr");
  if (!at || *at != '\'') fail(cx, "its header names no element type; fields and records are not taken");
  const char *end = strchr(at + 1, '\'');
  const char *descr = end ? copy_bytes_as_text(cx, at + 1, (size_t)(end - at - 1)) : "";
  for (size_t i = 0; i < COUNT(npy_types); i++) {
    if (strcmp(npy_types[i].descr, descr) == 0) return npy_types[i].type;
  }
  fail(cx, "elements of the type '%s' are not taken; convert them: x.astype('float32')", descr);
}

/* "(1, 3, 224, 224)", "(5,)" or "()" */
static Shape read_shape(Context *cx, const char *header) {
  Shape s = {0};
  const char *at = entry_of(cx, header, "shape");
  if (!at || *at++ != '(') fail(cx, "its header has no shape");
  for (;;) {
    at += strspn(at, " ");
    if (*at == ')') return s;
    char *end;
    int64_t n = isdigit((unsigned char)*at) ? strtoll(at, &end, 10) : -1;
    if (n < 0 || n > MOST_MEMORY || s.rank == MAX_RANK) fail(cx, "its shape is none of at most %d dimensions", MAX_RANK);
    s.d[s.rank++] = n;
    at = end + strspn(end, " ");
    if (*at == ',') at++;
    else if (*at != ')') fail(cx, "its shape does not end");
  }
}

static bool is_in_order(Context *cx, const char *header, const Shape *s) {
  const char *at = entry_of(cx, header, "fortran_order");
  return s->rank < 2 || (at && strncmp(at, "False", 5) == 0);
}

Tensor npy_parse(Context *cx, const void *data, size_t size) {
  const uint8_t *b = data;
  if (size < 12 || !same_bytes(b, magic, MAGIC)) fail(cx, "it is no .npy file");
  size_t start = b[6] == 1 ? 10 : 12, n = b[8] | (size_t)b[9] << 8;
  if (b[6] != 1) n |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
  if (b[6] < 1 || b[6] > 3) fail(cx, "it has version %d of the format; 1 to 3 are known", b[6]);
  if (n > MOST_HEADER || n > size - start) fail(cx, "its header is cut off");
  const char *header = copy_bytes_as_text(cx, b + start, n);
  Tensor t = {.name = "", .type = read_type(cx, header), .shape = read_shape(cx, header), .data = b + start + n};
  if (!is_in_order(cx, header, &t.shape)) fail(cx, "it is in Fortran's order; save numpy.ascontiguousarray(x)");
  int64_t bytes = size_mul(shape_count(&t.shape), (int64_t)type_size(t.type));
  if (bytes == SIZE_OVERFLOW || (uint64_t)bytes != size - start - n) {
    fail(cx, "its shape %s of %s needs %lld bytes, it has %zu", shape_text(cx, &t.shape), type_name(t.type),
         (long long)bytes, size - start - n);
  }
  void *aligned = alloc(cx, (size_t)bytes + 1);
  move_bytes(aligned, t.data, (size_t)bytes);
  t.data = aligned;
  return t;
}

/* ==== writing ==== */

void npy_print(Context *cx, const Tensor *t, Buffer *out) {
  const char *descr = NULL, *shape = "";
  for (size_t i = 0; i < COUNT(npy_types); i++) {
    if (npy_types[i].type == t->type) descr = npy_types[i].descr;
  }
  if (!descr) fail(cx, "NumPy has no elements of the type %s", type_name(t->type));
  for (int i = 0; i < t->shape.rank; i++) {
    const char *behind = t->shape.rank == 1 ? "," : i + 1 < t->shape.rank ? ", " : "";
    shape = format_text(cx, "%s%lld%s", shape, (long long)t->shape.d[i], behind);
  }
  const char *text = format_text(cx, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape);
  size_t n = strlen(text) + 1, pad = 63 - (10 + n - 1) % 64; /* the elements begin at a multiple of 64 */
  uint8_t head[4] = {1, 0, (uint8_t)(n + pad), (uint8_t)((n + pad) >> 8)};
  buffer_add(out, magic, MAGIC);
  buffer_add(out, head, sizeof head);
  buffer_printf(out, "%s%*s\n", text, (int)pad, "");
  buffer_add(out, t->data, tensor_size(t));
}
