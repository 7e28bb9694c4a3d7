/* fit.c: files as what a model takes: a picture brought to an input's size, layout and numbers, or a tensor. */
#include "tools.h"

#include "resnetcc_image.h"
#include <errno.h>
#include <string.h>

FileKind file_kind(Context *cx, const char *path) {
  uint8_t head[8] = {0};
  FILE *f = fopen(path, "rb");
  cx->file = path;
  if (!f) fail(cx, "%s", strerror(errno));
  size_t n = fread(head, 1, sizeof head, f);
  fclose(f);
  if (n >= 6 && same_bytes(head, "\x93NUMPY", 6)) return NPY_FILE;
  bool jpeg = head[0] == 0xff && head[1] == 0xd8, png = same_bytes(head, "\x89PNG\r\n\x1a\n", 8);
  return jpeg || png ? PICTURE_FILE : TENSOR_FILE;
}

Tensor tensor_file_read(Context *cx, const char *path) {
  size_t size;
  if (file_kind(cx, path) == TENSOR_FILE) return tensor_read(cx, path);
  const void *data = read_whole_file(cx, path, &size);
  return npy_parse(cx, data, size);
}

/* ==== pictures ==== */

static bool is_colours(int64_t n) { return n == 1 || n == 3 || n == 4; }

static bool words_have(const Options *o, const char *word) {
  for (int i = 0; i < o->n_words; i++) {
    if (strcmp(o->words[i].option, "--input") == 0 && strstr(o->words[i].text, word)) return true;
  }
  return false;
}

bool picture_input(Context *cx, const Options *opt, const rcc_tensor *t, PictureInput *p) {
  if (t->rank != 4 || (t->type != T_U8 && t->type != T_F32)) return false;
  const int64_t *d = t->dims;
  if (d[0] > 1) {
    fail(cx, "its batch is %lld; a picture is run by itself, so compile it with a symbolic batch or with one of 1",
         (long long)d[0]);
  }
  *p = (PictureInput){.bytes = t->type == T_U8, .planes = is_colours(d[1]) && !(t->type == T_U8 && is_colours(d[3]))};
  if (!p->planes && !is_colours(d[3])) return false;
  p->channels = d[p->planes ? 1 : 3];
  p->height = (int)size_min(d[p->planes ? 2 : 1], 65535);
  p->width = (int)size_min(d[p->planes ? 3 : 2], 65535);
  p->reversed = words_have(opt, "bgr") && !words_have(opt, "model=bgr");
  p->plain = words_have(opt, "");
  return p->width > 0 && p->height > 0;
}

void tell_normalisation(const PictureInput *p) {
  if (p->bytes || p->plain) return;
  message_print(MESSAGE_NOTE, "pictures are normalised as for torchvision's models, which is assumed; --input says otherwise");
}

static const char *stride_in(const char *words) {
  for (const char *s = words; (s = strstr(s, "stride=")); s++)
    if (s == words || strchr(",=", s[-1])) return s;
  return NULL;
}

/* "": no words are left. */
static const char *cut_stride(Context *cx, const char *words) {
  for (const char *at; (at = stride_in(words));) {
    const char *end = at + strcspn(at, ",");
    int before = (int)(at - words);
    if (*end) end++;
    else if (before && at[-1] == ',') before--;
    words = format_text(cx, "%.*s%s", before, words, end);
  }
  size_t n = strlen(words);
  return n && words[n - 1] == '=' ? "" : words;
}

ToolOptions *without_stride(Context *cx, const ToolOptions *opt) {
  ToolOptions *o = alloc(cx, sizeof *o);
  *o = *opt;
  o->compile.n_words = 0;
  o->compile.words = alloc_n(cx, (size_t)opt->compile.n_words + 1, sizeof *o->compile.words);
  for (int i = 0; i < opt->compile.n_words; i++) {
    WordsOption w = opt->compile.words[i];
    if (strcmp(w.option, "--input") == 0) w.text = cut_stride(cx, w.text);
    if (*w.text) o->compile.words[o->compile.n_words++] = w;
  }
  return o;
}

/* ITU-R 601, as Pillow rounds it. */
static uint8_t gray_of(const uint8_t *rgb) {
  return (uint8_t)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

static uint8_t colour_of(const PictureInput *p, const uint8_t *rgb, int64_t channel) {
  if (p->channels == 1) return gray_of(rgb);
  if (channel == 3) return 255;
  return rgb[p->reversed ? 2 - channel : channel];
}

static float normalised(const PictureInput *p, uint8_t v, int64_t channel) {
  static const float mean[] = {123.675f, 116.28f, 103.53f}, deviation[] = {58.395f, 57.12f, 57.375f};
  int c = channel < 3 && p->channels > 1 ? (int)channel : 0;
  return p->plain ? (float)v : ((float)v - mean[c]) / deviation[c];
}

/* The shorter side becomes 256 where the input's is 224. */
static int short_side_of(const PictureInput *p) {
  int least = p->width < p->height ? p->width : p->height;
  return (least * 256 + 112) / 224;
}

const void *picture_data(Context *cx, const PictureInput *p, const char *path) {
  Picture whole = picture_read(cx, path);
  size_t pixels = (size_t)p->width * (size_t)p->height, n = pixels * (size_t)p->channels;
  uint8_t *rgb = alloc_n(cx, pixels, 3), *bytes = alloc_n(cx, n, 1);
  float *floats = alloc_n(cx, n, sizeof *floats);
  int error = rcc_image_fit(whole.rgb, whole.width, whole.height, 3 * (size_t)whole.width, rgb, p->width, p->height,
                            RCC_IMAGE_CROP, short_side_of(p));
  cx->file = path;
  if (error) fail(cx, "it cannot be brought to %dx%d", p->width, p->height);
  for (size_t i = 0; i < pixels; i++) {
    for (int64_t c = 0; c < p->channels; c++) {
      size_t at = p->planes ? (size_t)c * pixels + i : i * (size_t)p->channels + (size_t)c;
      bytes[at] = colour_of(p, rgb + 3 * i, c);
      floats[at] = normalised(p, bytes[at], c);
    }
  }
  return p->bytes ? (const void *)bytes : floats;
}
