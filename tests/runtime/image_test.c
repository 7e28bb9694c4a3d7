/* rcc_image_fit: the bytes of Pillow for generated pictures; rows with gaps, wrong arguments. */
#include "resnetcc_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct Golden {
  int w, h, out_w, out_h, how, short_side;
  uint32_t checksum;
} Golden;
static const Golden golden[] = {
#include "image_goldens.h"
};

static void fill_picture(uint8_t *rgb, int w, int h, size_t stride) {
  uint32_t state = (uint32_t)w * 65536 + (uint32_t)h;
  for (int y = 0; y < h; y++) {
    for (int i = 0; i < 3 * w; i++) {
      state = state * 1664525u + 1013904223u;
      rgb[(size_t)y * stride + (size_t)i] = (uint8_t)(state >> 24);
    }
  }
}

static uint32_t checksum_of(const uint8_t *data, size_t n) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < n; i++) h = (h ^ data[i]) * 16777619u;
  return h;
}

static void check_golden(const Golden *g, size_t gap) {
  size_t stride = 3 * (size_t)g->w + gap, size = 3 * (size_t)g->out_w * (size_t)g->out_h;
  uint8_t *rgb = malloc(stride * (size_t)g->h), *out = malloc(size);
  memset(rgb, 0xee, stride * (size_t)g->h);
  fill_picture(rgb, g->w, g->h, stride);
  memset(out, 0x55, size);
  assert_int_equal(rcc_image_fit(rgb, g->w, g->h, stride, out, g->out_w, g->out_h, g->how, g->short_side), RCC_IMAGE_OK);
  if (checksum_of(out, size) != g->checksum) {
    fail_msg("%dx%d to %dx%d, how %d, short side %d", g->w, g->h, g->out_w, g->out_h, g->how, g->short_side);
  }
  free(rgb);
  free(out);
}

static void equals_pillow(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) check_golden(&golden[i], 0);
}

static void rows_may_have_gaps(void **state) {
  (void)state;
  for (size_t i = 0; i < 8; i++) check_golden(&golden[i], 5);
}

static void no_pixel_of_a_thin_picture_is_left(void **state) {
  (void)state;
  uint8_t rgb[1000 * 3], out[4 * 4 * 3];
  memset(rgb, 0xff, sizeof rgb);
  memset(out, 0x55, sizeof out);
  assert_int_equal(rcc_image_fit(rgb, 1000, 1, sizeof rgb, out, 4, 4, RCC_IMAGE_PAD, 0), RCC_IMAGE_OK);
  for (size_t i = 0; i < sizeof out; i++) assert_int_equal(out[i], 0);
}

static void wrong_arguments(void **state) {
  (void)state;
  uint8_t rgb[48] = {0}, out[48];
  assert_int_equal(rcc_image_fit(NULL, 4, 4, 12, out, 4, 4, RCC_IMAGE_STRETCH, 0), RCC_IMAGE_ERR_ARGUMENT);
  assert_int_equal(rcc_image_fit(rgb, 4, 4, 12, NULL, 4, 4, RCC_IMAGE_STRETCH, 0), RCC_IMAGE_ERR_ARGUMENT);
  assert_int_equal(rcc_image_fit(rgb, 0, 4, 12, out, 4, 4, RCC_IMAGE_STRETCH, 0), RCC_IMAGE_ERR_ARGUMENT);
  assert_int_equal(rcc_image_fit(rgb, 4, 4, 12, out, 4, 70000, RCC_IMAGE_STRETCH, 0), RCC_IMAGE_ERR_ARGUMENT);
  assert_int_equal(rcc_image_fit(rgb, 4, 4, 11, out, 4, 4, RCC_IMAGE_STRETCH, 0), RCC_IMAGE_ERR_ARGUMENT);
  assert_int_equal(rcc_image_fit(rgb, 4, 4, 12, out, 4, 4, 3, 0), RCC_IMAGE_ERR_ARGUMENT);
  assert_int_equal(rcc_image_fit(rgb, 4, 4, 12, out, 4, 4, RCC_IMAGE_CROP, -1), RCC_IMAGE_ERR_ARGUMENT);
  static uint8_t line[3 * 65535];
  assert_int_equal(rcc_image_fit(line, 65535, 1, sizeof line, out, 4, 4, RCC_IMAGE_CROP, 65535), RCC_IMAGE_ERR_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(equals_pillow),
    cmocka_unit_test(rows_may_have_gaps),
    cmocka_unit_test(no_pixel_of_a_thin_picture_is_left),
    cmocka_unit_test(wrong_arguments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
