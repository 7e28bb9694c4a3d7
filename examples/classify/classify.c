/* classify PHOTO.jpg: its five likeliest classes. */
#include "net.h"
#include "resnetcc_image.h"
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>

int main(int argc, char **argv) {
  static uint8_t frame[224 * 224 * 3];
  FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (!f) return perror(argc == 2 ? argv[1] : "usage: classify PHOTO.jpg"), 1;
  struct jpeg_error_mgr errors;
  struct jpeg_decompress_struct jpeg = {.err = jpeg_std_error(&errors)}; /* prints what is wrong and exits */
  jpeg_create_decompress(&jpeg);
  jpeg_stdio_src(&jpeg, f);
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  int w = (int)jpeg.output_width, h = (int)jpeg.output_height, class[5], error;
  uint8_t *rgb = malloc(3 * (size_t)w * h), *row = rgb;
  for (; rgb && jpeg.output_scanline < jpeg.output_height; row += 3 * w) jpeg_read_scanlines(&jpeg, &row, 1);
  jpeg_destroy_decompress(&jpeg);

  float score[5];
  if (rcc_image_fit(rgb, w, h, 3 * (size_t)w, frame, 224, 224, RCC_IMAGE_CROP, 256)) return 1;
  void *work = rcc_workspace_alloc(NET_WORKSPACE_SIZE);
  if ((error = net_run(frame, class, score, work, NET_WORKSPACE_SIZE, NULL))) return puts(rcc_strerror(error)), 1;
  for (int i = 0; i < 5; i++) printf("%5.1f %%  %s\n", 100 * score[i], net_labels[class[i]]);
  return rcc_workspace_free(work, NET_WORKSPACE_SIZE), free(rgb), fclose(f);
}
