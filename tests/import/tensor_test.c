/* tensor_test.c: tensors in every form the format has, and in some it has not. */
#include "onnx_writer.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  DIMS = 1, DATA_TYPE = 2, FLOATS = 4, INT32S = 5, INT64S = 7, NAME = 8, RAW = 9, DOUBLES = 10, UINT64S = 11,
  EXTERNAL = 13, LOCATION = 14
};

static Buffer tensor(int type, int64_t dim) {
  Buffer t = {0};
  put_text(&t, NAME, "t");
  put_int(&t, DATA_TYPE, type);
  if (dim >= 0) put_int(&t, DIMS, dim);
  return t;
}

static void put_packed(Buffer *t, int field, int n, const int64_t *v) {
  Buffer packed = {0};
  for (int i = 0; i < n; i++) put_varint(&packed, (uint64_t)v[i]);
  put_message(t, field, &packed);
}

/* The tensor as import_tensor reads it, whose memory this takes. */
static Value *read_back(Context *cx, Buffer *t) {
  Options opt = {.input = "test"};
  void *copy = copy_bytes_as_text(cx, t->data, t->size);
  size_t size = t->size;
  buffer_free(t);
  return import_tensor(cx, graph_new(cx, &opt), copy, size);
}

static void check_tensor(Buffer t, Type type, const void *elements, size_t size) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Value *v = read_back(cx, &t);
  assert_string_equal(v->name, "t");
  assert_int_equal(v->type, type);
  assert_int_equal((size_t)shape_count(&v->shape) * type_size(type), size);
  assert_memory_equal(v->data, elements, size);
  context_free(cx);
}

static void check_bad_tensor(Buffer t, const char *error) {
  Context *cx = context_new();
  EXPECT_FAIL(cx, read_back(cx, &t), error);
  context_free(cx);
}

static void check_raw(int type, const void *elements, size_t size) {
  Buffer t = tensor(type, (int64_t)(size / type_size((Type)type)));
  put_bytes(&t, RAW, elements, size);
  check_tensor(t, (Type)type, elements, size);
}

static void raw_elements(void **state) {
  (void)state;
  static const double bytes[2] = {0x1.23456789abcdep3, -0x1.fedcba987654p-7};
  static const int types[] = {T_F32, T_U8,  T_I8,  T_U16, T_I16, T_I32,
                              T_I64, T_F16, T_F64, T_U32, T_U64, T_BF16};
  for (size_t i = 0; i < COUNT(types); i++) check_raw(types[i], bytes, sizeof bytes);
}

static void check_ints(int type, int field, const void *elements) {
  static const int64_t values[] = {1, 2, 100};
  Buffer t = tensor(type, 3);
  put_packed(&t, field, 3, values);
  check_tensor(t, (Type)type, elements, 3 * type_size((Type)type));
}

static void typed_integers(void **state) {
  (void)state;
  check_ints(T_I64, INT64S, (int64_t[]){1, 2, 100});
  check_ints(T_U64, UINT64S, (uint64_t[]){1, 2, 100});
  check_ints(T_U32, UINT64S, (uint32_t[]){1, 2, 100});
  check_ints(T_I32, INT32S, (int32_t[]){1, 2, 100});
  check_ints(T_I16, INT32S, (int16_t[]){1, 2, 100});
  check_ints(T_U16, INT32S, (uint16_t[]){1, 2, 100});
  check_ints(T_I8, INT32S, (int8_t[]){1, 2, 100});
  check_ints(T_U8, INT32S, (uint8_t[]){1, 2, 100});
  check_ints(T_F16, INT32S, (uint16_t[]){1, 2, 100});
  check_ints(T_BF16, INT32S, (uint16_t[]){1, 2, 100});
  check_ints(T_BOOL, INT32S, (bool[]){true, true, true});
  Buffer negative = tensor(T_I8, 1);
  put_packed(&negative, INT32S, 1, (int64_t[]){-3});
  check_tensor(negative, T_I8, (int8_t[]){-3}, 1);
}

static void typed_floats(void **state) {
  (void)state;
  const float floats[] = {0.5f, -2};
  const double doubles[] = {0.1, -2};
  Buffer f = tensor(T_F32, 2), d = tensor(T_F64, 2), unpacked = tensor(T_F32, 2);
  put_bytes(&f, FLOATS, floats, sizeof floats);
  check_tensor(f, T_F32, floats, sizeof floats);
  put_bytes(&d, DOUBLES, doubles, sizeof doubles);
  check_tensor(d, T_F64, doubles, sizeof doubles);
  put_float(&unpacked, FLOATS, floats[0]);
  put_float(&unpacked, FLOATS, floats[1]);
  check_tensor(unpacked, T_F32, floats, sizeof floats);
}

static void tensors_of_no_or_one_element(void **state) {
  (void)state;
  check_tensor(tensor(T_F32, 0), T_F32, "", 0);
  Buffer scalar = tensor(T_F32, -1);
  put_float(&scalar, FLOATS, 0.5f);
  check_tensor(scalar, T_F32, (float[]){0.5f}, 4);
}

static void elements_that_do_not_fit_the_shape(void **state) {
  (void)state;
  Buffer t = tensor(T_F32, 2);
  put_bytes(&t, RAW, "1234567", 7);
  check_bad_tensor(t, "test: tensor \"t\" has 7 bytes of data, its shape needs 8");
  t = tensor(T_F32, 2);
  put_float(&t, FLOATS, 1);
  check_bad_tensor(t, "test: tensor \"t\" has 1 elements, its shape needs 2");
}

static void elements_in_one_field(void **state) {
  (void)state;
  static const int64_t one[] = {1, 1};
  const char *several = "test: tensor \"t\" has elements in several fields, or in one that is not for its type";
  Buffer t = tensor(T_I64, 1);
  put_float(&t, FLOATS, 1);
  check_bad_tensor(t, several);
  t = tensor(T_F32, 1);
  put_float(&t, FLOATS, 1);
  put_packed(&t, INT32S, 1, one);
  check_bad_tensor(t, several);
  t = tensor(T_F32, 1);
  put_float(&t, FLOATS, 1);
  put_bytes(&t, RAW, "1234", 4);
  check_bad_tensor(t, several);
  /* A writer may leave out no field at all. */
  float f = 1;
  t = tensor(T_F32, 1);
  put_bytes(&t, RAW, "", 0);
  put_float(&t, FLOATS, f);
  check_tensor(t, T_F32, &f, sizeof f);
}

static const char *format_number(int type, int64_t v) {
  static char text[80];
  snprintf(text, sizeof text, "test: tensor \"t\": element 0, %lld, is no %s", (long long)v, type_name((Type)type));
  return text;
}

static void check_element(int type, int field, int64_t v, const void *expected) {
  Buffer t = tensor(type, 1);
  put_packed(&t, field, 1, &v);
  if (expected) check_tensor(t, (Type)type, expected, type_size((Type)type));
  else check_bad_tensor(t, format_number(type, v));
}

/* An element in a field of wider numbers must be one of its type, signed or not. */
static void numbers_that_are_too_large(void **state) {
  (void)state;
  check_element(T_U8, INT32S, 255, (uint8_t[]){255});
  check_element(T_U8, INT32S, 256, NULL);
  check_element(T_I8, INT32S, -128, (uint8_t[]){128});
  check_element(T_I8, INT32S, 255, (uint8_t[]){255});
  check_element(T_I8, INT32S, -129, NULL);
  check_element(T_I16, INT32S, 65536, NULL);
  check_element(T_F16, INT32S, 65535, (uint16_t[]){65535});
  check_element(T_F16, INT32S, -32769, NULL);
  check_element(T_U32, UINT64S, UINT32_MAX, (uint32_t[]){UINT32_MAX});
  check_element(T_U32, UINT64S, INT64_C(1) << 32, NULL);
  check_element(T_U32, UINT64S, -1, NULL);
  check_element(T_BOOL, INT32S, 256, (uint8_t[]){1});
}

/* The first number is in the low bits; each gets a byte. */
static void numbers_of_4_bits(void **state) {
  (void)state;
  Buffer t = tensor(T_I4, 3);
  put_bytes(&t, RAW, "\x8f\xf7", 2);
  check_tensor(t, T_I4, (int8_t[]){-1, -8, 7}, 3);
  t = tensor(T_U4, 3);
  put_packed(&t, INT32S, 2, (int64_t[]){0x8f, 7});
  check_tensor(t, T_U4, (uint8_t[]){15, 8, 7}, 3);
  t = tensor(T_I4, 3);
  put_bytes(&t, RAW, "123", 3);
  check_bad_tensor(t, "test: tensor \"t\" has 3 bytes of data, its shape needs 2");
  check_tensor(tensor(T_I4, 0), T_I4, "", 0);
}

static void shapes_that_are_none(void **state) {
  (void)state;
  Buffer t = tensor(T_F32, 2);
  put_int(&t, DIMS, -2);
  check_bad_tensor(t, "test: tensor \"t\" has a negative dimension");
  t = tensor(T_F32, INT64_MAX / 2);
  put_int(&t, DIMS, 3);
  check_bad_tensor(t, "test: tensor \"t\" is too large");
  t = tensor(T_F32, 1);
  for (int i = 0; i < MAX_RANK; i++) put_int(&t, DIMS, 1);
  check_bad_tensor(t, "test: tensor \"t\" has more than 12 dimensions");
}

static void types_that_are_not_stored(void **state) {
  (void)state;
  check_bad_tensor(tensor(8, 1), "test: tensor \"t\" has elements of an unsupported type, 8 (STRING)");
  check_bad_tensor(tensor(14, 1), "test: tensor \"t\" has elements of an unsupported type, 14 (COMPLEX64)");
  check_bad_tensor(tensor(17, 1), "test: tensor \"t\" has elements of an unsupported type, 17 (FLOAT8E4M3FN)");
  check_bad_tensor(tensor(-1, 1), "test: tensor \"t\" has elements of an unsupported type, -1 (unknown)");
  Buffer segment = tensor(1, 1), range = {0};
  put_message(&segment, 3, &range);
  check_bad_tensor(segment, "test: tensor \"t\" is stored in segments, which is not supported");
}

/* ---- tensors inside models ---- */

/* Imports a model that returns the tensors given as graph fields, whose memory it takes; `folder` may be
 * NULL. */
static Graph *import_parts(Context *cx, Buffer *parts, const char *folder) {
  Options opt = {.input = "test"};
  Buffer graph = graph_of_text("output t 0 -\n");
  buffer_add(&graph, parts->data, parts->size);
  buffer_free(parts);
  Buffer model = model_of_graph(&graph, 8, 13);
  void *copy = copy_bytes_as_text(cx, model.data, model.size);
  size_t size = model.size;
  buffer_free(&model);
  return import_bytes(cx, &opt, copy, size, folder);
}

static Buffer initializer(Buffer t) {
  Buffer parts = {0};
  put_message(&parts, 5, &t);
  return parts;
}

static void check_parts(Buffer parts, const char *folder, Type type, int n, const void *expected) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const Value *v = import_parts(cx, &parts, folder)->node[0]->in[0];
  assert_int_equal(v->type, type);
  assert_int_equal(shape_count(&v->shape), n);
  assert_memory_equal(v->data, expected, (size_t)n * type_size(type));
  context_free(cx);
}

static void check_floats(Buffer parts, const char *folder, int n, const float *expected) {
  check_parts(parts, folder, T_F32, n, expected);
}

static void check_bad_parts(Buffer parts, const char *folder, const char *error) {
  Context *cx = context_new();
  EXPECT_FAIL(cx, import_parts(cx, &parts, folder), error);
  context_free(cx);
}

static void floats_of_16_bits_stay(void **state) {
  (void)state;
  Buffer half = tensor(T_F16, 3), bfloat = tensor(T_BF16, 2);
  put_packed(&half, INT32S, 3, (int64_t[]){0x3c00, 0xc500, 0x0001});
  check_parts(initializer(half), NULL, T_F16, 3, (uint16_t[]){0x3c00, 0xc500, 0x0001});
  put_bytes(&bfloat, RAW, (uint16_t[]){0x3f80, 0xc040}, 4);
  check_parts(initializer(bfloat), NULL, T_BF16, 2, (uint16_t[]){0x3f80, 0xc040});
}

/* A sparse float tensor of the shape [2,3] with two values; indices of the given shape. */
static Buffer sparse(int n_index, const int64_t *index, bool pairs) {
  Buffer values = tensor(T_F32, 2), indices = tensor(T_I64, 2), s = {0}, parts = {0};
  put_bytes(&values, RAW, (float[]){5, 7}, 8);
  if (pairs) put_int(&indices, DIMS, 2);
  put_packed(&indices, INT64S, n_index, index);
  put_message(&s, 1, &values);
  put_message(&s, 2, &indices);
  put_int(&s, 3, 2);
  put_int(&s, 3, 3);
  put_message(&parts, 15, &s);
  return parts;
}

static void sparse_tensors_become_dense(void **state) {
  (void)state;
  check_floats(sparse(2, (int64_t[]){1, 5}, false), NULL, 6, (float[]){0, 5, 0, 0, 0, 7});
  check_floats(sparse(4, (int64_t[]){0, 2, 1, 0}, true), NULL, 6, (float[]){0, 0, 5, 7, 0, 0});
  const char *outside = "test: sparse tensor \"t\" has an index outside its shape";
  check_bad_parts(sparse(2, (int64_t[]){1, 6}, false), NULL, outside);
  check_bad_parts(sparse(2, (int64_t[]){-1, 5}, false), NULL, outside);
  check_bad_parts(sparse(4, (int64_t[]){0, 3, 1, 0}, true), NULL, outside);
  const char *order = "test: sparse tensor \"t\": its indices do not ascend";
  check_bad_parts(sparse(2, (int64_t[]){5, 1}, false), NULL, order);
  check_bad_parts(sparse(4, (int64_t[]){1, 0, 1, 0}, true), NULL, order);
}

static void a_sparse_tensor_has_a_limit(void **state) {
  (void)state;
  Buffer values = tensor(T_F32, 0), indices = tensor(T_I64, 0), s = {0}, parts = {0};
  put_message(&s, 1, &values);
  put_message(&s, 2, &indices);
  put_int(&s, 3, 1 << 30);
  put_message(&parts, 15, &s);
  check_bad_parts(parts, NULL, "test: sparse tensor \"t\" is too large");
}

/* ---- external data: a folder with a file of four floats, and a secret beside it ---- */

static char folder[64], secret[80];
static const float stored[4] = {1, 2, 3, 4};

static void write_file(const char *path) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(stored, sizeof stored, 1, f), 1);
  assert_int_equal(fclose(f), 0);
}

static const char *inside(const char *name) {
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static int make_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/import_data_test_XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(secret, sizeof secret, "%s.secret", folder);
  write_file(secret);
  write_file(inside("data"));
  if (mkdir(inside("sub"), 0700)) return -1;
  write_file(inside("sub/data"));
  if (symlink(secret, inside("escape"))) return -1;
  return symlink("data", inside("link"));
}

static int remove_folder(void **state) {
  (void)state;
  static const char *const names[] = {"data", "sub/data", "escape", "link"};
  for (size_t i = 0; i < COUNT(names); i++) unlink(inside(names[i]));
  rmdir(inside("sub"));
  unlink(secret);
  return rmdir(folder);
}

static void put_entry(Buffer *t, const char *key, const char *value) {
  Buffer entry = {0};
  if (!value) return;
  put_text(&entry, 1, key);
  put_text(&entry, 2, value);
  put_message(t, EXTERNAL, &entry);
}

/* NULL: the entry is left out. */
static Buffer external(int64_t n, const char *location, const char *offset, const char *length) {
  Buffer t = tensor(T_F32, n);
  put_int(&t, LOCATION, 1);
  put_entry(&t, "location", location);
  put_entry(&t, "offset", offset);
  put_entry(&t, "length", length);
  put_entry(&t, "checksum", "0");
  return initializer(t);
}

static void external_data(void **state) {
  (void)state;
  check_floats(external(4, "data", NULL, NULL), folder, 4, stored);
  check_floats(external(2, "data", "8", "8"), folder, 2, stored + 2);
  check_floats(external(1, "./sub//data", "4", NULL), folder, 1, stored + 1);
  check_floats(external(4, "link", NULL, "16"), folder, 4, stored);
}

static void external_data_stays_in_the_folder(void **state) {
  (void)state;
  Context *cx = context_new();
  const char *name = strrchr(secret, '/') + 1;
  const char *paths[] = {secret, format_text(cx, "../%s", name), format_text(cx, "sub/../../%s", name),
                         "escape"};
  for (size_t i = 0; i < COUNT(paths); i++)
    check_bad_parts(external(4, paths[i], NULL, NULL), folder,
                    format_text(cx, "test: tensor \"t\": its external data \"%s\" is not in the model's "
                                "folder", paths[i]));
  context_free(cx);
  check_bad_parts(external(4, "data", NULL, NULL), NULL,
                  "test: tensor \"t\" has external data, which has no place here");
}

/* The whole tensor, whose entry `key` comes a second time, or whose elements are in the model as well. */
static Buffer external_and(const char *key, bool raw, int location) {
  Buffer t = tensor(T_F32, 1);
  put_int(&t, LOCATION, location);
  put_entry(&t, "location", "data");
  put_entry(&t, key, "data");
  if (raw) put_bytes(&t, RAW, "1234", 4);
  return initializer(t);
}

static void external_data_in_two_places(void **state) {
  (void)state;
  check_bad_parts(external_and("location", false, 1), folder,
                  "test: tensor \"t\": its external data has the location twice");
  check_bad_parts(external_and("checksum", true, 1), folder,
                  "test: tensor \"t\" has elements in the model and in another file");
  check_bad_parts(external_and("checksum", true, 2), folder, "test: tensor \"t\" has an unknown data location, 2");
}

static char outside[80];
static bool swaps; /* `sub` for a folder outside, once its place has been found */

/* Takes the place of the C library's. */
char *realpath(const char *path, char *buffer) {
  assert(!buffer);
  char *real = canonicalize_file_name(path);
  if (!swaps || !strstr(path, "/sub/")) return real;
  swaps = false;
  unlink(inside("sub/data"));
  rmdir(inside("sub"));
  assert_int_equal(symlink(outside, inside("sub")), 0);
  return real;
}

static void a_folder_swapped_in_meanwhile_leads_nowhere(void **state) {
  (void)state;
  snprintf(outside, sizeof outside, "%s.outside", folder);
  assert_int_equal(mkdir(outside, 0700), 0);
  char data[128];
  snprintf(data, sizeof data, "%s/data", outside);
  write_file(data);
  swaps = true;
  check_bad_parts(external(4, "sub/data", NULL, NULL), folder,
                  "test: tensor \"t\": external data \"sub/data\": Not a directory");
  unlink(inside("sub"));
  unlink(data);
  rmdir(outside);
}

static void external_data_that_is_not_there(void **state) {
  (void)state;
  const char *past = "test: tensor \"t\": its external data goes past the end of the file";
  check_bad_parts(external(4, "nothing", NULL, NULL), folder,
                  "test: tensor \"t\": external data \"nothing\": No such file or directory");
  check_bad_parts(external(4, NULL, NULL, NULL), folder,
                  "test: tensor \"t\": its external data has no location");
  check_bad_parts(external(4, "data", "4", NULL), folder, past);
  check_bad_parts(external(4, "data", "9223372036854775807", NULL), folder, past);
  check_bad_parts(external(4, "sub", NULL, NULL), folder, past);
  check_bad_parts(external(4, "data", NULL, "8"), folder,
                  "test: tensor \"t\" has 8 bytes of external data, its shape needs 16");
  check_bad_parts(external(1, "data", "-4", NULL), folder,
                  "test: tensor \"t\": the offset \"-4\" of its external data is not a number");
  check_bad_parts(external(1, "data", "0", "99999999999999999999"), folder,
                  "test: tensor \"t\": the length \"99999999999999999999\" of its external data is not a "
                  "number");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(raw_elements),
    cmocka_unit_test(typed_integers),
    cmocka_unit_test(typed_floats),
    cmocka_unit_test(tensors_of_no_or_one_element),
    cmocka_unit_test(elements_that_do_not_fit_the_shape),
    cmocka_unit_test(elements_in_one_field),
    cmocka_unit_test(numbers_that_are_too_large),
    cmocka_unit_test(numbers_of_4_bits),
    cmocka_unit_test(shapes_that_are_none),
    cmocka_unit_test(types_that_are_not_stored),
    cmocka_unit_test(floats_of_16_bits_stay),
    cmocka_unit_test(sparse_tensors_become_dense),
    cmocka_unit_test(a_sparse_tensor_has_a_limit),
    cmocka_unit_test(external_data),
    cmocka_unit_test(external_data_stays_in_the_folder),
    cmocka_unit_test(external_data_in_two_places),
    cmocka_unit_test(external_data_that_is_not_there),
    cmocka_unit_test(a_folder_swapped_in_meanwhile_leads_nowhere),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
