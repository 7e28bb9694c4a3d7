/* Writes a JPEG of 300x260 pixels, of colours that change slowly, to standard output. */
#include <stdio.h>
#include <jpeglib.h>
int main(void) {
  struct jpeg_error_mgr errors;
  struct jpeg_compress_struct jpeg = {.err = jpeg_std_error(&errors)};
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, stdout);
  jpeg.image_width = 300, jpeg.image_height = 260, jpeg.input_components = 3, jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < 260; y++) {
    static unsigned char row[900];
    unsigned char *rows = row;
    for (int x = 0; x < 900; x++) row[x] = (unsigned char)(x % 3 == 0 ? x / 4 : y);
    jpeg_write_scanlines(&jpeg, &rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  return 0;
}
