/* samples.c: pictures and arrays that a model is calibrated on, as it takes them. */
#include "tools.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_SAMPLES = 1 << 20 };

struct Samples {
  Context *cx;
  Tensor input;        /* as the model has it, of one image; without data */
  FileList file;       /* of pictures and tensors, a sample each */
  int64_t rows;        /* else, of one array, the samples that it holds */
  Tensor array;
  bool pictures;
  PictureInput picture;
  Instance *frame;     /* what --input says is done with what a program passes; NULL: nothing */
  Tensor passed;       /* as a program passes it */
};

/* ==== files ==== */

static void add_path(Samples *s, const char *path) {
  if (s->file.n == MOST_SAMPLES) fail(s->cx, "--data: there are more than %d files", MOST_SAMPLES);
  s->file.path = alloc_extended(s->cx, s->file.path, s->file.n, sizeof *s->file.path);
  s->file.path[s->file.n++] = path;
}

static bool is_sample(const char *name) {
  static const char *const ending[] = {".jpg", ".jpeg", ".JPG", ".JPEG", ".png", ".PNG", ".npy", ".pb"};
  const char *dot = strrchr(name, '.');
  bool known = false;
  for (size_t i = 0; i < COUNT(ending); i++) known |= dot && strcmp(dot, ending[i]) == 0;
  return known && strncmp(name, "output_", 7) != 0; /* of ONNX's data sets */
}

/* In the order of the names, folders within it as well. */
static void add_folder(Samples *s, const char *folder, int depth) {
  struct dirent **entry;
  int n = scandir(folder, &entry, NULL, alphasort);
  if (n < 0) fail(s->cx, "--data: the folder '%s' cannot be read: %s", folder, strerror(errno));
  for (int i = 0; i < n; i++) {
    struct stat st;
    const char *path = format_text(s->cx, "%s/%s", folder, entry[i]->d_name);
    if (entry[i]->d_name[0] != '.' && stat(path, &st) == 0) {
      if (S_ISDIR(st.st_mode) && depth > 0) add_folder(s, path, depth - 1);
      else if (S_ISREG(st.st_mode) && is_sample(entry[i]->d_name)) add_path(s, path);
    }
    free(entry[i]);
  }
  free(entry);
}

/* One array with a sample in each row, or one that is a sample itself. */
static bool is_rows(const Samples *s, const Tensor *t) {
  const Shape *want = &s->passed.shape;
  if (t->shape.rank != want->rank || t->type != s->passed.type || t->shape.d[0] < 2) return false;
  for (int i = 1; i < want->rank; i++)
    if (t->shape.d[i] != want->d[i]) return false;
  return want->d[0] == 1;
}

static void list_files(Samples *s, const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) fail(s->cx, "--data: '%s': %s", path, strerror(errno));
  if (S_ISDIR(st.st_mode)) add_folder(s, path, 8);
  else add_path(s, path);
  if (s->file.n == 0) fail(s->cx, "--data: the folder '%s' holds no .jpg, .png, .npy or .pb", path);
  s->pictures = file_kind(s->cx, s->file.path[0]) == PICTURE_FILE;
  if (s->file.n > 1 || s->pictures) return;
  s->array = tensor_file_read(s->cx, s->file.path[0]);
  if (is_rows(s, &s->array)) s->rows = s->array.shape.d[0];
}

/* ==== what --input says ==== */

/* The words for the only input, without its name. */
static const char *words_of(const Samples *s, const Options *opt) {
  size_t n = strlen(s->input.name);
  for (int i = 0; i < opt->n_words; i++) {
    const char *text = opt->words[i].text;
    if (strcmp(opt->words[i].option, "--input") != 0) continue;
    return strncmp(text, s->input.name, n) == 0 && text[n] == '=' ? text + n + 1 : text;
  }
  return NULL;
}

/* A model that does nothing but take its input so. */
static void open_frame(Samples *s, const Options *opt, const char *words) {
  Context *cx = s->cx;
  Options *own = alloc(cx, sizeof *own);
  WordsOption *word = alloc(cx, sizeof *word);
  *word = (WordsOption){"--input", words};
  *own = (Options){.input = opt->input, .max_memory = opt->max_memory, .n_words = 1, .words = word, .emit = EMIT_OBJ};
  Graph *g = text_parse(cx, own, format_text(cx, "graph frame\ninput x %s %s\ny = Identity(x)\noutput y\n",
                                             type_name(s->input.type), shape_text(cx, &s->input.shape)));
  Buffer bytes = {0};
  pass_shape(g);
  model_write(g, &bytes);
  Runner *r = runner_of_graph(cx, import_bytes(cx, own, bytes.data, bytes.size, NULL));
  buffer_free(&bytes);
  s->frame = instance_open(cx, &runner_view(r)->model, 1, 1);
  s->passed = runner_tensor(&runner_view(r)->model.table.inputs[0], 1);
}

Samples *samples_open(Context *cx, const Options *opt, const Graph *g, const char *path) {
  Samples *s = alloc(cx, sizeof *s);
  if (g->n_input != 1) fail(cx, "--data: the model has %d inputs; samples are of one", g->n_input);
  const Value *x = g->input[0];
  *s = (Samples){.cx = cx, .input = {.name = x->name, .type = x->type, .shape = x->shape}};
  if (s->input.shape.rank && s->input.shape.d[0] < 0) s->input.shape.d[0] = 1;
  s->passed = s->input;
  const char *words = words_of(s, opt);
  if (words) open_frame(s, opt, words);
  list_files(s, path);
  rcc_tensor t = {.name = s->passed.name, .type = (int32_t)s->passed.type, .rank = s->passed.shape.rank, .dims = s->passed.shape.d};
  if (s->pictures && !picture_input(cx, opt, &t, &s->picture))
    fail(cx, "--data: the input \"%s\" is %s %s and takes no picture; give arrays", t.name, type_name(s->passed.type),
         shape_text(cx, &s->passed.shape));
  if (s->pictures) tell_normalisation(&s->picture);
  return s;
}

size_t samples_size(const Samples *s) { return tensor_size(&s->input); }

int samples_count(const Samples *s) { return s->rows ? (int)size_min(s->rows, MOST_SAMPLES) : s->file.n; }

/* ==== samples ==== */

static const void *read_sample(Samples *s, Context *cx, int i) {
  const char *path = s->file.path[s->rows ? 0 : i];
  size_t size = tensor_size(&s->passed);
  if (s->rows) return (const char *)s->array.data + (size_t)i * size;
  FileKind kind = file_kind(cx, path);
  if ((kind == PICTURE_FILE) != s->pictures) fail(cx, "it is %s, the files before it are not", s->pictures ? "no picture" : "a picture");
  if (s->pictures) return picture_data(cx, &s->picture, path);
  Tensor t = tensor_file_read(cx, path);
  if (t.type != s->passed.type || !shape_equal(&t.shape, &s->passed.shape))
    fail(cx, "it is %s %s, the model takes %s %s", type_name(t.type), shape_text(cx, &t.shape), type_name(s->passed.type),
         shape_text(cx, &s->passed.shape));
  return t.data;
}

const char *samples_name(const Samples *s, int i) {
  return s->rows ? format_text(s->cx, "%s, row %d", s->file.path[0], i) : s->file.path[i];
}

/* In an arena of its own, for a photograph takes much more than what is left of it. */
void samples_read(Samples *s, int i, void *to) {
  Context scratch = *s->cx;
  scratch.arena = arena_new(s->cx->max_memory);
  if (setjmp(scratch.unwind)) {
    arena_free(scratch.arena);
    fail_as(s->cx, &scratch);
  }
  const void *data = read_sample(s, &scratch, i);
  if (s->frame) {
    int error = instance_run(s->frame, &data);
    if (error) fail(&scratch, "--input: %s", rcc_strerror(error));
    data = instance_outputs(s->frame)[0].data;
  }
  move_bytes(to, data, tensor_size(&s->input));
  arena_free(scratch.arena);
}
