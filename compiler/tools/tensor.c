/* tensor.c: tensors in files of their own, and folders of them that say what a model gives for what: the data sets of ONNX. */
#include "tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ==== files ==== */

size_t tensor_size(const Tensor *t) { return (size_t)shape_count(&t->shape) * type_size(t->type); }

double tensor_element(const Tensor *t, int64_t i) {
  Number v = get_number(t->type, t->data, i);
  if (type_is_float(t->type)) return v.f;
  return type_is_unsigned(t->type) ? (double)v.u : (double)v.i;
}

static bool exists(const char *path) { return access(path, F_OK) == 0; }

static void *read_open_file(Context *cx, int fd, size_t *size) {
  struct stat s;
  if (fstat(fd, &s) != 0) fail(cx, "cannot be read: %s", strerror(errno));
  if (!S_ISREG(s.st_mode)) fail(cx, "it is not a file");
  *size = (size_t)s.st_size;
  char *data = alloc(cx, *size + 1);
  for (size_t at = 0; at < *size;) {
    ssize_t n = read(fd, data + at, *size - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(cx, "cannot be read: %s", n < 0 ? strerror(errno) : "it became shorter meanwhile");
    at += (size_t)n;
  }
  return data;
}

void *read_whole_file(Context *cx, const char *path, size_t *size) {
  const char *file = cx->file;
  cx->file = path;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail(cx, "cannot be opened: %s", strerror(errno));
  void *data = read_open_file(cx, fd, size);
  close(fd);
  cx->file = file;
  return data;
}

Tensor tensor_read(Context *cx, const char *path) {
  size_t size;
  const void *data = read_whole_file(cx, path, &size);
  const char *file = cx->file;
  cx->file = path;
  const Value *v = import_tensor(cx, graph_new(cx, NULL), data, size);
  cx->file = file;
  return (Tensor){v->name, v->type, v->shape, v->data};
}

void write_whole_file(Context *cx, Buffer *bytes, const char *path) {
  Output *out = output_open(cx, path);
  output_write(out, bytes->data, bytes->size);
  buffer_free(bytes);
  output_finish(cx, &out, 1);
}

void tensor_write(Context *cx, const Tensor *t, const char *path) {
  Buffer bytes = {0};
  save_tensor(cx, t->name, t->type, &t->shape, t->data, &bytes);
  write_whole_file(cx, &bytes, path);
}

/* ==== data sets ==== */

/* The tensors folder/kind_0.pb, folder/kind_1.pb, ... */
static Tensor *read_tensors(Context *cx, const char *folder, const char *kind, int *count) {
  int n = 0;
  while (exists(format_text(cx, "%s/%s_%d.pb", folder, kind, n))) n++;
  Tensor *t = alloc_n(cx, (size_t)n + 1, sizeof *t);
  for (int i = 0; i < n; i++) t[i] = tensor_read(cx, format_text(cx, "%s/%s_%d.pb", folder, kind, i));
  *count = n;
  return t;
}

DataSet data_set_read(Context *cx, const char *folder) {
  DataSet s = {.path = folder};
  s.in = read_tensors(cx, folder, "input", &s.n_in);
  s.out = read_tensors(cx, folder, "output", &s.n_out);
  return s;
}

static int is_data_set(const struct dirent *d) { return strncmp(d->d_name, "test_data_set_", 14) == 0; }

const char **data_sets_in(Context *cx, const char *folder, int *count) {
  struct dirent **entry;
  *count = 0;
  if (exists(format_text(cx, "%s/output_0.pb", folder))) {
    const char **one = alloc(cx, sizeof *one);
    one[(*count)++] = folder;
    return one;
  }
  int n = scandir(folder, &entry, is_data_set, versionsort);
  const char **path = alloc_n(cx, n > 0 ? (size_t)n : 1, sizeof *path);
  for (int i = 0; i < n; i++) {
    path[(*count)++] = format_text(cx, "%s/%s", folder, entry[i]->d_name);
    free(entry[i]);
  }
  if (n >= 0) free(entry);
  return path;
}
