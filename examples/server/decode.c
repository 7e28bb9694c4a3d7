#include "decode.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>

enum { PIXEL_LIMIT = 50000000 };

typedef struct Decoder {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  jmp_buf failed;
} Decoder;

/* libjpeg would end the program. */
static void give_up(j_common_ptr jpeg) {
  longjmp(((Decoder *)jpeg->client_data)->failed, 1);
}

static void say_nothing(j_common_ptr jpeg) {
  (void)jpeg;
}

static const char *decode(Decoder *d, const uint8_t *data, size_t size, Picture *p) {
  if (setjmp(d->failed)) return "not a JPEG, or a broken one";
  jpeg_create_decompress(&d->jpeg);
  jpeg_mem_src(&d->jpeg, data, size);
  jpeg_read_header(&d->jpeg, TRUE);
  if ((size_t)d->jpeg.image_width * d->jpeg.image_height > PIXEL_LIMIT) return "too many pixels";
  d->jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&d->jpeg);
  p->width = (int)d->jpeg.output_width;
  p->height = (int)d->jpeg.output_height;
  p->rgb = malloc(3 * (size_t)p->width * (size_t)p->height);
  if (!p->rgb) return "out of memory";
  while (d->jpeg.output_scanline < d->jpeg.output_height) {
    uint8_t *row = p->rgb + 3 * (size_t)p->width * d->jpeg.output_scanline;
    jpeg_read_scanlines(&d->jpeg, &row, 1);
  }
  return NULL;
}

const char *decode_jpeg(const uint8_t *data, size_t size, Picture *p) {
  Decoder d = {.jpeg = {.client_data = &d, .err = jpeg_std_error(&d.errors)}};
  d.errors.error_exit = give_up;
  d.errors.output_message = say_nothing;
  p->rgb = NULL;
  const char *why = decode(&d, data, size, p);
  jpeg_destroy_decompress(&d.jpeg);
  if (why) free(p->rgb);
  return why;
}
