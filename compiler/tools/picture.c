/* picture.c: JPEG and PNG files, by the libraries with which resnetcc was built. */
#include "tools.h"

#include <string.h>

#if defined HAVE_JPEG || defined HAVE_PNG
static void *room_for(Context *cx, int64_t width, int64_t height, int64_t channels) {
  if (width < 1 || height < 1 || width > 65535 || height > 65535)
    fail(cx, "its size is %lldx%lld; sides are 1 to 65535", (long long)width, (long long)height);
  return alloc_n(cx, (size_t)(width * height), (size_t)channels);
}
#endif

/* ==== JPEG ==== */

#ifdef HAVE_JPEG
#include <jpeglib.h>

typedef struct JpegEnd {
  struct jpeg_error_mgr manager; /* first: the library knows this alone */
  jmp_buf unwind;
  char text[JMSG_LENGTH_MAX];
} JpegEnd;

static void end_jpeg(j_common_ptr j) {
  JpegEnd *e = (JpegEnd *)j->err;
  e->manager.format_message(j, e->text);
  longjmp(e->unwind, 1);
}

static void ignore_warning(j_common_ptr j, int level) { (void)j, (void)level; }

/* What could be read of a file that is cut off is not shown as a picture. */
static void read_rows(Context *cx, struct jpeg_decompress_struct *j, Picture *p) {
  p->width = (int)j->output_width;
  p->height = (int)j->output_height;
  uint8_t *row = p->rgb = room_for(cx, p->width, p->height, 3);
  for (; j->output_scanline < j->output_height; row += 3 * (size_t)p->width) jpeg_read_scanlines(j, &row, 1);
}

static Picture read_jpeg(Context *cx, const void *data, size_t size) {
  Picture p = {0};
  struct jpeg_decompress_struct j;
  JpegEnd e;
  j.err = jpeg_std_error(&e.manager);
  e.manager.error_exit = end_jpeg;
  e.manager.emit_message = ignore_warning;
  if (setjmp(e.unwind)) {
    jpeg_destroy_decompress(&j);
    fail(cx, "it cannot be read: %s", e.text);
  }
  jpeg_create_decompress(&j);
  jpeg_mem_src(&j, data, size);
  jpeg_read_header(&j, TRUE);
  j.out_color_space = JCS_RGB;
  jpeg_start_decompress(&j);
  read_rows(cx, &j, &p);
  jpeg_finish_decompress(&j);
  jpeg_destroy_decompress(&j);
  return p;
}
#else
static _Noreturn Picture read_jpeg(Context *cx, const void *data, size_t size) {
  (void)data, (void)size;
  fail(cx, "this resnetcc was built without libjpeg and reads no JPEG; convert it to PNG, or build with libjpeg62-turbo-dev");
}
#endif

/* ==== PNG ==== */

#ifdef HAVE_PNG
#include <png.h>

/* Without its transparency, which Pillow's convert("RGB") leaves out as well. */
static Picture read_png(Context *cx, const void *data, size_t size) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  if (!png_image_begin_read_from_memory(&image, data, size)) fail(cx, "it cannot be read: %s", image.message);
  image.format = PNG_FORMAT_RGBA;
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  Picture p = {.width = (int)image.width, .height = (int)image.height};
  uint8_t *rgba = room_for(cx, image.width, image.height, 4);
  if (!png_image_finish_read(&image, NULL, rgba, 0, NULL)) fail(cx, "it cannot be read: %s", image.message);
  p.rgb = room_for(cx, p.width, p.height, 3);
  for (size_t i = 0; i < (size_t)p.width * (size_t)p.height; i++) memcpy(p.rgb + 3 * i, rgba + 4 * i, 3);
  return p;
}

void picture_print(Context *cx, const Picture *p, Buffer *out) {
  png_image image = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)p->width, .height = (png_uint_32)p->height,
                     .format = PNG_FORMAT_RGB};
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  void *data = alloc(cx, size);
  if (!png_image_write_to_memory(&image, data, &size, 0, p->rgb, 0, NULL)) fail(cx, "the picture cannot be written: %s", image.message);
  buffer_add(out, data, size);
}
#else
static _Noreturn Picture read_png(Context *cx, const void *data, size_t size) {
  (void)data, (void)size;
  fail(cx, "this resnetcc was built without libpng and reads no PNG; convert it to JPEG, or build with libpng-dev");
}

void picture_print(Context *cx, const Picture *p, Buffer *out) {
  (void)p, (void)out;
  fail(cx, "this resnetcc was built without libpng and writes no PNG; write .npy, or build with libpng-dev");
}
#endif

/* ==== either ==== */

Picture picture_read(Context *cx, const char *path) {
  size_t size;
  const char *file = cx->file;
  const uint8_t *data = read_whole_file(cx, path, &size);
  cx->file = path;
  bool jpeg = size > 3 && data[0] == 0xff && data[1] == 0xd8, png = size > 8 && same_bytes(data, "\x89PNG\r\n\x1a\n", 8);
  if (!jpeg && !png) fail(cx, "it is neither a JPEG nor a PNG; convert it to one of them");
  Picture p = jpeg ? read_jpeg(cx, data, size) : read_png(cx, data, size);
  cx->file = file;
  return p;
}
