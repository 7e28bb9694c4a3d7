/* image.c: a picture is scaled along its rows and along its columns. An output pixel is a weighted sum of those
 * it covers: weights of 22 binary places, rounded to a byte after either, which is Pillow's arithmetic, so that
 * the bytes are its bytes. */
#include "resnetcc_image.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_SIDE = 65535, MOST_PIXELS = 1 << 28, CHANNELS = 3, PLACES = 22, HALF = 1 << (PLACES - 1), RUN = 64 };

/* One side of the picture: pixels [lo, hi) of `in` become `size`, of which [from, from + n) are wanted, from place
 * `to` on. */
typedef struct Side {
  int in, size, from, n, to;
  float lo, hi;
} Side;

/* Of each wanted pixel: the first that it is made of, how many, and their weights, `most` for each. */
typedef struct Taps {
  int most, *first, *count;
  int32_t *weight;
} Taps;

/* ==== which part of the picture goes where ==== */

/* The product as a double: no compiler may add to it before it is rounded. */
static double rounded(double x) {
  volatile double y = x;
  return y;
}

/* To the nearest, to an even one where two are as near. */
static int nearest(double x) {
  int n = (int)x;
  double rest = x - n;
  return n + (rest > 0.5 || (rest == 0.5 && n % 2 == 1));
}

/* The whole side becomes `size` pixels, which lie from `at` on: cut off where that is negative, or past `out`. */
static Side whole_side(int in, int size, int at, int out) {
  Side s = {.in = in, .size = size, .hi = (float)in, .from = at < 0 ? -at : 0, .to = at > 0 ? at : 0};
  s.n = size - s.from < out - s.to ? size - s.from : out - s.to;
  return s;
}

/* As CenterCrop. */
static Side middle(int in, int size, int out) {
  return whole_side(in, size, size < out ? (out - size) / 2 : -nearest((size - out) / 2.0), out);
}

/* 0: the long side would have more pixels than can be counted. */
static int crop_to_short_side(int w, int h, int out_w, int out_h, int short_side, Side *x, Side *y) {
  int least = w < h ? w : h;
  int64_t width = (int64_t)short_side * w / least, height = (int64_t)short_side * h / least;
  if (width > MOST_PIXELS || height > MOST_PIXELS) return 0;
  *x = middle(w, (int)width, out_w);
  *y = middle(h, (int)height, out_h);
  return 1;
}

/* `part` pixels in the middle. */
static Side middle_part(int in, double part, int out) {
  double lo = rounded((in - part) * 0.5);
  return (Side){.in = in, .size = out, .n = out, .lo = (float)lo, .hi = (float)(lo + part)};
}

static void crop_to_shape(int w, int h, int out_w, int out_h, Side *x, Side *y) {
  double shape = (double)out_w / out_h, is = (double)w / h;
  *x = middle_part(w, is > shape ? rounded(shape * h) : w, out_w);
  *y = middle_part(h, is < shape ? rounded(w / shape) : h, out_h);
}

/* `size` pixels of `out`, which may be none. */
static Side centred(int in, double size, int out) {
  return whole_side(in, nearest(size), nearest((out - nearest(size)) * 0.5), out);
}

static void pad_to_shape(int w, int h, int out_w, int out_h, Side *x, Side *y) {
  double shape = (double)out_w / out_h, is = (double)w / h;
  *x = centred(w, is < shape ? rounded((double)w / h * out_h) : out_w, out_w);
  *y = centred(h, is > shape ? rounded((double)h / w * out_w) : out_h, out_h);
}

/* ==== scaling ==== */

static double triangle(double x) { return x <= -1 || x >= 1 ? 0 : x < 0 ? 1 + x : 1 - x; }

static int taps_at(const Side *s, double centre, double reach, int *first) {
  int lo = (int)(centre - reach + 0.5), hi = (int)(centre + reach + 0.5);
  *first = lo > 0 ? lo : 0;
  return (hi < s->in ? hi : s->in) - *first;
}

static void weigh(Taps *t, int i, double centre, double narrow, double *exact) {
  double sum = 0;
  for (int k = 0; k < t->count[i]; k++) {
    exact[k] = triangle(rounded((k + t->first[i] - centre + 0.5) * narrow));
    sum += exact[k];
  }
  for (int k = 0; k < t->count[i]; k++) {
    double share = sum != 0 ? exact[k] / sum : exact[k];
    t->weight[(size_t)i * (size_t)t->most + (size_t)k] = (int32_t)(0.5 + share * (1 << PLACES));
  }
}

static void taps_free(Taps *t) {
  free(t->first);
  free(t->count);
  free(t->weight);
}

/* 0: there is no memory. */
static int taps_make(Taps *t, const Side *s) {
  double scale = (double)(s->hi - s->lo) / s->size, wide = scale > 1 ? scale : 1;
  t->most = 2 * ((int)wide + 1) + 1;
  size_t n = (size_t)s->n;
  t->first = malloc(n * sizeof *t->first);
  t->count = malloc(n * sizeof *t->count);
  t->weight = malloc(n * (size_t)t->most * sizeof *t->weight);
  double *exact = malloc((size_t)t->most * sizeof *exact);
  int made = t->first && t->count && t->weight && exact;
  for (int i = 0; made && i < s->n; i++) {
    double centre = s->lo + rounded((s->from + i + 0.5) * scale);
    t->count[i] = taps_at(s, centre, wide, &t->first[i]);
    weigh(t, i, centre, 1 / wide, exact);
  }
  free(exact);
  return made;
}

static uint8_t to_byte(int32_t sum) {
  int32_t v = sum >> PLACES;
  return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* The pixel at `in` is number `left`. */
static void scale_row(const uint8_t *in, int left, const Taps *t, int n, uint8_t *out) {
  for (int i = 0; i < n; i++) {
    const uint8_t *p = in + (size_t)(t->first[i] - left) * CHANNELS;
    const int32_t *weight = t->weight + (size_t)i * (size_t)t->most;
    int32_t r = HALF, g = HALF, b = HALF;
    for (int k = 0; k < t->count[i]; k++, p += CHANNELS) {
      r += p[0] * weight[k];
      g += p[1] * weight[k];
      b += p[2] * weight[k];
    }
    out[0] = to_byte(r), out[1] = to_byte(g), out[2] = to_byte(b);
    out += CHANNELS;
  }
}

/* RUN bytes of a row, from those of `count` rows. */
static void scale_run(const uint8_t *in, size_t row, const int32_t *weight, int count, uint8_t *out) {
  int32_t sum[RUN];
  for (int j = 0; j < RUN; j++) sum[j] = HALF;
  for (int k = 0; k < count; k++, in += row) {
    int32_t w = weight[k];
    for (int j = 0; j < RUN; j++) sum[j] += in[j] * w;
  }
  for (int j = 0; j < RUN; j++) out[j] = to_byte(sum[j]);
}

static void scale_column(const uint8_t *in, size_t row, const int32_t *weight, int count, uint8_t *out) {
  int32_t sum = HALF;
  for (int k = 0; k < count; k++) sum += in[(size_t)k * row] * weight[k];
  *out = to_byte(sum);
}

/* Rows of `bytes` bytes, of which the first at `in` is number `top`. */
static void scale_rows(const uint8_t *in, size_t in_row, int top, const Taps *t, int n, size_t bytes, uint8_t *out,
                       size_t out_row) {
  for (int i = 0; i < n; i++, out += out_row) {
    const uint8_t *from = in + (size_t)(t->first[i] - top) * in_row;
    const int32_t *weight = t->weight + (size_t)i * (size_t)t->most;
    size_t j = 0;
    for (; j + RUN <= bytes; j += RUN) scale_run(from + j, in_row, weight, t->count[i], out + j);
    for (; j < bytes; j++) scale_column(from + j, in_row, weight, t->count[i], out + j);
  }
}

typedef struct Picture {
  const uint8_t *in;
  size_t in_row;
  uint8_t *out; /* of the first wanted pixel */
  size_t out_row;
} Picture;

/* Pixels [*first, *first + the result) are what all wanted ones are made of. */
static int taps_span(const Taps *t, int n, int *first) {
  *first = t->first[0];
  return t->first[n - 1] + t->count[n - 1] - *first;
}

static int across_first(const Picture *p, const Taps *x, int width, const Taps *y, int height) {
  int top, rows = taps_span(y, height, &top);
  size_t bytes = (size_t)width * CHANNELS;
  uint8_t *narrow = malloc((size_t)rows * bytes);
  if (!narrow) return RCC_IMAGE_ERR_MEMORY;
  const uint8_t *in = p->in + (size_t)top * p->in_row;
  for (int i = 0; i < rows; i++) scale_row(in + (size_t)i * p->in_row, 0, x, width, narrow + (size_t)i * bytes);
  scale_rows(narrow, bytes, top, y, height, bytes, p->out, p->out_row);
  free(narrow);
  return RCC_IMAGE_OK;
}

static int down_first(const Picture *p, const Taps *x, int width, const Taps *y, int height) {
  int left, columns = taps_span(x, width, &left);
  size_t bytes = (size_t)columns * CHANNELS;
  uint8_t *low = malloc((size_t)height * bytes);
  if (!low) return RCC_IMAGE_ERR_MEMORY;
  scale_rows(p->in + (size_t)left * CHANNELS, p->in_row, 0, y, height, bytes, low, bytes);
  for (int i = 0; i < height; i++) {
    scale_row(low + (size_t)i * bytes, left, x, width, p->out + (size_t)i * p->out_row);
  }
  free(low);
  return RCC_IMAGE_OK;
}

/* Which pass comes first shows in the last bit. Since Pillow 13 it is that along the columns where more than twice
 * as many rows are lost as columns. */
static int is_tall(const Side *x, const Side *y) {
  int lost = y->in - y->size;
  return lost > 0 && lost > 2 * (x->in - x->size);
}

/* ==== all of it ==== */

static int is_side(int n) { return n >= 1 && n <= MOST_SIDE; }

static int sides_of(int w, int h, int out_w, int out_h, int how, int short_side, Side *x, Side *y) {
  *x = whole_side(w, out_w, 0, out_w);
  *y = whole_side(h, out_h, 0, out_h);
  switch (how) {
  case RCC_IMAGE_STRETCH: return 1;
  case RCC_IMAGE_PAD: pad_to_shape(w, h, out_w, out_h, x, y); return 1;
  case RCC_IMAGE_CROP:
    if (short_side == 0) crop_to_shape(w, h, out_w, out_h, x, y);
    else return is_side(short_side) && crop_to_short_side(w, h, out_w, out_h, short_side, x, y);
    return 1;
  default: return 0;
  }
}

int rcc_image_fit(const uint8_t *rgb, int w, int h, size_t stride, uint8_t *out, int out_w, int out_h, int how,
                  int short_side) {
  Side x, y;
  int sides = is_side(w) && is_side(h) && is_side(out_w) && is_side(out_h);
  if (!rgb || !out || !sides || stride < (size_t)w * CHANNELS) return RCC_IMAGE_ERR_ARGUMENT;
  if (!sides_of(w, h, out_w, out_h, how, short_side, &x, &y)) return RCC_IMAGE_ERR_ARGUMENT;
  size_t out_row = (size_t)out_w * CHANNELS;
  if (x.n < out_w || y.n < out_h) memset(out, 0, (size_t)out_h * out_row);
  if (x.n == 0 || y.n == 0) return RCC_IMAGE_OK;
  Picture p = {rgb, stride, out + (size_t)y.to * out_row + (size_t)x.to * CHANNELS, out_row};
  Taps across = {0}, down = {0};
  int made = taps_make(&across, &x) && taps_make(&down, &y), error = RCC_IMAGE_ERR_MEMORY;
  if (made && is_tall(&x, &y)) error = down_first(&p, &across, x.n, &down, y.n);
  else if (made) error = across_first(&p, &across, x.n, &down, y.n);
  taps_free(&across);
  taps_free(&down);
  return error;
}
