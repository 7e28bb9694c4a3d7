/* frame.c: what --input says that the program will pass. The model's input is then computed from that: bytes become floats, channels
 * and axes get the model's order, a picture of another size is resized, mean and std are taken off. These are nodes as any others. */
#include "import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CHANNELS = 4 };

typedef enum Kind { ELEMENT, AXES, COLOURS, MODEL_COLOURS, FIT, FILTER, KINDS } Kind;
enum { NHWC = 1, NCHW };
enum { RGB = 1, BGR, RGBA, BGRA, GRAY };
enum { STRETCH = 1, CROP, PAD };
enum { ANTIALIAS = 1, BILINEAR };

typedef struct Numbers {
  int n;                       /* 0: not given; 1: for all channels */
  double v[MOST_CHANNELS];     /* in the model's order */
} Numbers;

struct Frame {
  const WordsOption *option;
  int choice[KINDS];           /* 0: not given */
  int64_t stride;              /* bytes; 0: rows have no gaps */
  int64_t width, height;       /* of the program's picture; 0: the model's */
  Numbers mean, std;
};

/* ==== words ==== */

static const struct { const char *word; Kind kind; int choice; } choices[] = {
  {"u8", ELEMENT, T_U8}, {"f32", ELEMENT, T_F32},
  {"nhwc", AXES, NHWC}, {"nchw", AXES, NCHW},
  {"rgb", COLOURS, RGB}, {"bgr", COLOURS, BGR}, {"rgba", COLOURS, RGBA}, {"bgra", COLOURS, BGRA}, {"gray", COLOURS, GRAY},
  {"model=rgb", MODEL_COLOURS, RGB}, {"model=bgr", MODEL_COLOURS, BGR},
  {"fit=stretch", FIT, STRETCH}, {"fit=crop", FIT, CROP}, {"fit=pad", FIT, PAD},
  {"filter=antialias", FILTER, ANTIALIAS}, {"filter=bilinear", FILTER, BILINEAR},
};

static const struct { const char *word; int model; Numbers mean, std; } presets[] = {
  {"torchvision", 0, {3, {123.675, 116.28, 103.53}}, {3, {58.395, 57.12, 57.375}}},
  {"caffe", BGR, {3, {103.939, 116.779, 123.68}}, {1, {1}}},
  {"tf", 0, {1, {127.5}}, {1, {127.5}}},
  {"01", 0, {1, {0}}, {1, {255}}},
};

#define fail_frame(cx, f, ...) fail_words(cx, (f)->option, __VA_ARGS__)

/* `said`: another word has said what this one says. */
static void check_new(Context *cx, const Frame *f, bool said, const char *word) {
  if (said) fail_frame(cx, f, "'%s' says again what another word says", word);
}

static void choose(Context *cx, Frame *f, Kind kind, int choice, const char *word) {
  check_new(cx, f, f->choice[kind], word);
  f->choice[kind] = choice;
}

static void give(Context *cx, const Frame *f, Numbers *to, const Numbers *numbers, const char *word) {
  check_new(cx, f, to->n, word);
  *to = *numbers;
}

static Numbers read_numbers(Context *cx, const Frame *f, const char *s, const char *word) {
  Numbers numbers = {0};
  for (char *end;; s = end + 1) {
    double v = strtod(s, &end);
    bool ok = end != s && isfinite(v) && numbers.n < MOST_CHANNELS && (*end == '/' || !*end);
    if (!ok) fail_frame(cx, f, "'%s' needs a number, or one for each channel as in 1/2/3", word);
    numbers.v[numbers.n++] = v;
    if (!*end) return numbers;
  }
}

static void read_std(Context *cx, Frame *f, const char *s, const char *word) {
  Numbers std = read_numbers(cx, f, s, word);
  for (int i = 0; i < std.n; i++)
    if (std.v[i] <= 0) fail_frame(cx, f, "'%s': a number is not greater than 0", word);
  give(cx, f, &f->std, &std, word);
}

static void read_size(Context *cx, Frame *f, const char *s, const char *word) {
  check_new(cx, f, f->width, word);
  if (!word_count(s, 'x', &f->width, &s) || !word_count(s, 0, &f->height, NULL))
    fail_frame(cx, f, "'%s' needs a width and a height as in 640x480", word);
}

static void read_stride(Context *cx, Frame *f, const char *s, const char *word) {
  check_new(cx, f, f->stride, word);
  if (!word_count(s, 0, &f->stride, NULL)) fail_frame(cx, f, "'%s' needs the bytes from one row to the next", word);
}

/* A word KEY=VALUE; false: it is none. */
static bool read_value(Context *cx, Frame *f, const char *word) {
  const char *s;
  if ((s = word_value(word, "mean"))) {
    Numbers mean = read_numbers(cx, f, s, word);
    give(cx, f, &f->mean, &mean, word);
  } else if ((s = word_value(word, "std"))) read_std(cx, f, s, word);
  else if ((s = word_value(word, "size"))) read_size(cx, f, s, word);
  else if ((s = word_value(word, "stride"))) read_stride(cx, f, s, word);
  else return false;
  return true;
}

static void read_word(Context *cx, Frame *f, const char *word) {
  for (size_t i = 0; i < COUNT(choices); i++) {
    if (strcmp(choices[i].word, word) != 0) continue;
    choose(cx, f, choices[i].kind, choices[i].choice, word);
    return;
  }
  for (size_t i = 0; i < COUNT(presets); i++) {
    if (strcmp(presets[i].word, word) != 0) continue;
    give(cx, f, &f->mean, &presets[i].mean, word);
    give(cx, f, &f->std, &presets[i].std, word);
    if (presets[i].model) choose(cx, f, MODEL_COLOURS, presets[i].model, word);
    return;
  }
  if (!read_value(cx, f, word)) fail_frame(cx, f, "'%s' is no word of --input, nor a name before '=' that of an input", word);
}

static Frame *read_frame(Context *cx, const WordsOption *o, const char *words) {
  Frame *f = alloc(cx, sizeof *f);
  f->option = o;
  for (const char *word; (word = word_next(cx, o, &words));) read_word(cx, f, word);
  if (!f->width && (f->choice[FIT] || f->choice[FILTER])) fail_frame(cx, f, "fit and filter need a size");
  return f;
}

void read_frames(Import *im, int n, const char *const *input) {
  const Options *opt = im->opt;
  for (int i = 0; i < opt->n_words; i++) {
    const WordsOption *o = &opt->words[i];
    const char *words;
    if (strcmp(o->option, "--input") != 0) continue;
    if (n == 0) fail(im->cx, "--input=%s: the model has no inputs", o->text);
    int at = words_tensor(im->cx, o, n, input, &words);
    if (map_get(&im->frames, input[at])) fail_words(im->cx, o, "there is one for input \"%s\" already", input[at]);
    map_put(im->cx, &im->frames, input[at], read_frame(im->cx, o, words));
  }
}

/* ==== what the program passes ==== */

typedef struct Picture {
  Import *im;
  const Frame *f;
  const char *name;
  Type type;              /* of the model's input, as what follows */
  bool axes_last;         /* [N,H,W,C] */
  int64_t channels, height, width;
  Value *v;               /* the picture so far */
} Picture;

static bool says_picture(const Frame *f) {
  const int *c = f->choice;
  return c[AXES] || c[COLOURS] || c[MODEL_COLOURS] || f->stride || f->width || f->mean.n > 1 || f->std.n > 1;
}

static bool is_colours(int64_t channels) { return channels == 1 || channels == 3 || channels == 4; }

static void read_shape(Picture *p, const Value *v) {
  Context *cx = p->im->cx;
  const Shape *s = &v->shape;
  for (int i = 1; i < s->rank; i++)
    if (s->d[i] <= 0) fail_frame(cx, p->f, "input \"%s\" is %s, whose axis %d is not fixed", v->name, shape_text(cx, s), i);
  p->axes_last = !is_colours(s->d[1]) && is_colours(s->d[3]);
  p->channels = s->d[p->axes_last ? 3 : 1];
  p->height = s->d[p->axes_last ? 1 : 2];
  p->width = s->d[p->axes_last ? 2 : 3];
}

static int colours_of(const Picture *p) {
  int said = p->f->choice[COLOURS];
  return said ? said : p->channels == 1 ? GRAY : p->channels == 3 ? RGB : 0;
}

static void check_picture(const Picture *p) {
  Context *cx = p->im->cx;
  const Frame *f = p->f;
  long long c = (long long)p->channels;
  int said = f->choice[COLOURS];
  bool fits = !said || p->channels == 3 || (p->channels == 1 && said == GRAY);
  if (!fits) fail_frame(cx, f, "input \"%s\" has %lld channels; colours are said of 3, and gray of 1", p->name, c);
  if (f->choice[MODEL_COLOURS] && c != 3) fail_frame(cx, f, "input \"%s\" has %lld channels, none for colours", p->name, c);
  if ((f->mean.n > 1 && f->mean.n != c) || (f->std.n > 1 && f->std.n != c))
    fail_frame(cx, f, "input \"%s\" has %lld channels; mean and std have one number, or one for each", p->name, c);
}

static int64_t channels_passed(const Picture *p) {
  int colours = colours_of(p);
  return colours == GRAY ? 1 : colours == RGBA || colours == BGRA ? 4 : p->channels;
}

static bool passes_channels_last(const Picture *p) { return p->f->choice[AXES] ? p->f->choice[AXES] == NHWC : p->axes_last; }

/* Elements from one row to the next. */
static int64_t row_elements(const Picture *p, int64_t least) {
  int64_t size = (int64_t)type_size(p->v->type), n = p->f->stride ? p->f->stride / size : least;
  if (n < least || (p->f->stride && p->f->stride % size))
    fail_frame(p->im->cx, p->f, "stride=%lld: a row has %lld bytes", (long long)p->f->stride, (long long)(least * size));
  return n;
}

/* ==== nodes ==== */

static void add_node(Picture *p, Op op, const char *what, Value *const *other, int n_other, Node **made) {
  p->v = word_node(p->im, p->name, op, what, p->v, other, n_other, made);
}

static Value *ints(Picture *p, const char *what, int n, const int64_t *v) {
  return value_const_i64(p->im->g, fresh_name(p->im, p->name, what), n, v);
}

static void slice(Picture *p, int64_t axis, int64_t start, int64_t end, int64_t step) {
  Value *arguments[] = {ints(p, "start", 1, &start), ints(p, "end", 1, &end), ints(p, "axis", 1, &axis), ints(p, "step", 1, &step)};
  add_node(p, OP_Slice, "part", arguments, 4, NULL);
}

static void transpose(Picture *p, const int64_t *perm) {
  Node *n;
  add_node(p, OP_Transpose, "axes", NULL, 0, &n);
  attr_set_ints(p->im->g, n, "perm", 4, perm);
}

static void cast(Picture *p, Type from, Type to) {
  if (from != to) p->v = word_cast(p->im, p->name, p->v, to);
}

/* The shape of the program's tensor, v, and rows without what lies between them. */
static void cut_rows(Picture *p, Value *v, int64_t channels, int64_t height, int64_t width) {
  int64_t batch = v->shape.d[0], row, shape[] = {0, height, width, channels};
  if (!passes_channels_last(p)) {
    row = row_elements(p, width);
    v->shape = shape_of(4, batch, channels, height, row);
    if (row > width) slice(p, 3, 0, width, 1);
    return;
  }
  row = row_elements(p, width * channels);
  if (row % channels == 0) {
    v->shape = shape_of(4, batch, height, row / channels, channels);
    if (row > width * channels) slice(p, 2, 0, width, 1);
    return;
  }
  v->shape = shape_of(3, batch, height, row);
  slice(p, 2, 0, width * channels, 1);
  Value *pixels = ints(p, "pixels", 4, shape);
  add_node(p, OP_Reshape, "pixels", &pixels, 1, NULL);
}

/* The model's channels in its order, along the second axis. */
static void order_channels(Picture *p) {
  static const int64_t first[] = {0, 3, 1, 2};
  int colours = colours_of(p), axis = passes_channels_last(p) ? 3 : 1;
  bool passes_bgr = colours == BGR || colours == BGRA, swaps = passes_bgr != (p->f->choice[MODEL_COLOURS] == BGR);
  if (colours && colours != GRAY && swaps) slice(p, axis, 2, INT64_MIN, -1);
  else if (colours == RGBA || colours == BGRA) slice(p, axis, 0, 3, 1);
  if (passes_channels_last(p)) transpose(p, first);
  if (colours != GRAY || p->channels == 1) return;
  Value *shape = ints(p, "channels", 4, (int64_t[]){1, p->channels, 1, 1});
  add_node(p, OP_Expand, "channels", &shape, 1, NULL);
}

/* ==== sizes ==== */

/* a b / c, to the nearest. */
static int64_t share(int64_t a, int64_t b, int64_t c) { return size_max((2 * a * b + c) / (2 * c), 1); }

static void resize(Picture *p, int64_t height, int64_t width) {
  static const int64_t axes[] = {2, 3};
  Node *n;
  Value *in[] = {NULL, NULL, ints(p, "size", 2, (int64_t[]){height, width})};
  add_node(p, OP_Resize, "size", in, 3, &n);
  attr_set_string(p->im->g, n, "mode", "linear");
  attr_set_ints(p->im->g, n, "axes", 2, axes);
  if (p->f->choice[FILTER] == BILINEAR) return;
  attr_set_int(p->im->g, n, "antialias", 1);
  attr_set_int(p->im->g, n, "exclude_outside", 1);
}

/* The middle, of the model's shape. */
static void crop(Picture *p, int64_t height, int64_t width) {
  bool wide = width * p->height > height * p->width;
  int64_t part = wide ? share(height, p->width, p->height) : share(width, p->height, p->width);
  int64_t at = ((wide ? width : height) - part) / 2;
  slice(p, wide ? 3 : 2, at, at + part, 1);
  resize(p, p->height, p->width);
}

static void pad(Picture *p, int64_t height, int64_t width) {
  bool wide = width * p->height > height * p->width;
  int64_t h = wide ? share(height, p->width, width) : p->height, w = wide ? p->width : share(width, p->height, height);
  int64_t top = (p->height - h) / 2, left = (p->width - w) / 2;
  resize(p, h, w);
  Value *pads = ints(p, "border", 8, (int64_t[]){0, 0, top, left, 0, 0, p->height - h - top, p->width - w - left});
  add_node(p, OP_Pad, "border", &pads, 1, NULL);
}

static void fit(Picture *p) {
  const Frame *f = p->f;
  if (!f->width || (f->width == p->width && f->height == p->height)) return;
  if (f->choice[FIT] == CROP) crop(p, f->height, f->width);
  else if (f->choice[FIT] == PAD) pad(p, f->height, f->width);
  else resize(p, p->height, p->width);
}

/* ==== numbers ==== */

static bool all_are(const Numbers *v, double x) {
  for (int i = 0; i < v->n; i++)
    if (v->v[i] != x) return false;
  return true;
}

static void combine(Picture *p, Op op, const char *what, const Numbers *v, bool inverse) {
  Shape s = v->n > 1 ? shape_of(3, (int64_t)v->n, (int64_t)1, (int64_t)1) : shape_of(0);
  Value *numbers = value_const_f32(p->im->g, fresh_name(p->im, p->name, what), s);
  for (int i = 0; i < v->n; i++) f32_of(numbers)[i] = (float)(inverse ? 1 / v->v[i] : v->v[i]);
  add_node(p, op, op_info[op].name, &numbers, 1, NULL);
}

static void normalize(Picture *p) {
  const Frame *f = p->f;
  if (!all_are(&f->mean, 0)) combine(p, OP_Sub, "mean", &f->mean, false);
  if (!all_are(&f->std, 1)) combine(p, OP_Mul, "std", &f->std, true);
}

static void normalize_as(Picture *p, Type from) {
  const Frame *f = p->f;
  bool computes = f->mean.n || f->std.n || f->width;
  if (computes && !type_is_float(p->type))
    fail_frame(p->im->cx, f, "input \"%s\" is %s, not of floats: it has no mean, std and size", p->name, type_name(p->type));
  cast(p, from, computes ? T_F32 : p->type);
  fit(p);
  normalize(p);
  if (computes) cast(p, T_F32, p->type);
}

/* ==== all of it ==== */

static Value *frame_of_picture(Picture *p, Value *v) {
  static const int64_t last[] = {0, 2, 3, 1};
  const Frame *f = p->f;
  read_shape(p, v);
  check_picture(p);
  cut_rows(p, v, channels_passed(p), f->width ? f->height : p->height, f->width ? f->width : p->width);
  order_channels(p);
  normalize_as(p, v->type);
  if (p->axes_last) transpose(p, last);
  return p->v;
}

Value *frame_input(Import *im, Value *v) {
  const Frame *f = map_get(&im->frames, v->name);
  if (!f) return v;
  Picture p = {.im = im, .f = f, .name = v->name, .type = v->type, .v = v};
  if (f->choice[ELEMENT]) v->type = (Type)f->choice[ELEMENT];
  if (v->shape.rank == 4) return frame_of_picture(&p, v);
  if (says_picture(f)) {
    fail_frame(im->cx, f, "input \"%s\" is %s, no picture: only u8, f32, 01, tf and a single mean and std can be said of it", v->name,
               shape_text(im->cx, &v->shape));
  }
  normalize_as(&p, v->type);
  return p.v;
}

/* ==== for the results ==== */

void frame_numbers(const Import *im, double *mean, double *std) {
  const Frame *found = NULL;
  for (int i = 0; i < im->g->n_input; i++) {
    const Frame *f = map_get(&im->frames, im->g->input[i]->name);
    if (!f || f->mean.n > 1 || f->std.n > 1 || f->mean.n + f->std.n == 0) continue;
    if (found) return;
    found = f;
  }
  if (!found) return;
  *mean = found->mean.n ? found->mean.v[0] : 0;
  *std = found->std.n ? found->std.v[0] : 1;
}
