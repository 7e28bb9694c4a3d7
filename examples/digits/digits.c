/* digits: tells which handwritten digits PNG files show.
 *
 *   resnetcc digits.onnx -o digits.o                                      writes digits.o and digits.h
 *   cc digits.c digits.o -lresnetcc_rt -lpng -pthread -o digits
 *   ./digits pictures/7.png ...
 *
 * What belongs to the compiled model is in main: a workspace, and one call a picture. All else reads pictures and
 * prints. Own pictures work too: one digit, dark on light, filling the frame. */
#include "digits.h"
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIDE = 8, DIGITS = 10, SHOWN = 3, BAR = 24 };

/* The mean darkness, 0 to 1, of each cell of an 8x8 grid over a greyscale picture. */
static void average_down(const png_byte *grey, unsigned width, unsigned height, float image[SIDE * SIDE]) {
  for (unsigned cell = 0; cell < SIDE * SIDE; cell++) {
    size_t top = (size_t)height * (cell / SIDE) / SIDE, bottom = (size_t)height * (cell / SIDE + 1) / SIDE;
    size_t left = (size_t)width * (cell % SIDE) / SIDE, right = (size_t)width * (cell % SIDE + 1) / SIDE;
    double light = 0;
    for (size_t y = top; y < bottom; y++)
      for (size_t x = left; x < right; x++)
        light += grey[y * width + x];
    image[cell] = (float)(1 - light / (255.0 * (double)((bottom - top) * (right - left))));
  }
}

/* Reads a PNG of any kind and any size from 8x8 up; transparent parts count as paper. Prints what is wrong
 * and returns 0 if that fails. */
static int read_picture(const char *path, float image[SIDE * SIDE]) {
  png_image png = {.version = PNG_IMAGE_VERSION};
  const png_color paper = {255, 255, 255};
  png_byte *grey = NULL;
  if (png_image_begin_read_from_file(&png, path)) {
    png.format = PNG_FORMAT_GRAY;
    if (png.width < SIDE || png.height < SIDE)
      strcpy(png.message, "smaller than 8x8 pixels");
    else if (!(grey = malloc(PNG_IMAGE_SIZE(png))))
      strcpy(png.message, "too large");
    else if (png_image_finish_read(&png, &paper, grey, 0, NULL)) {
      average_down(grey, png.width, png.height, image);
      free(grey);
      return 1;
    }
  }
  fprintf(stderr, "%s: %s\n", path, png.message);
  free(grey);
  png_image_free(&png);
  return 0;
}

/* The digits in the order of their probability. */
static void rank_digits(const float probability[DIGITS], int order[DIGITS]) {
  for (int i = 0; i < DIGITS; i++) {
    int k = i;
    for (; k > 0 && probability[order[k - 1]] < probability[i]; k--)
      order[k] = order[k - 1];
    order[k] = i;
  }
}

/* The picture as the model sees it, and beside it the likeliest digits. */
static void show(const char *path, const float image[SIDE * SIDE], const float probability[DIGITS], double us) {
  static const char ink[] = " .:-=+*#%@", bar[BAR + 1] = "########################";
  int order[DIGITS];
  rank_digits(probability, order);
  for (int y = 0; y < SIDE; y++) {
    printf("  ");
    for (int x = 0; x < SIDE; x++) {
      char dot = ink[(int)(image[y * SIDE + x] * 9 + 0.5f)];
      printf("%c%c", dot, dot);
    }
    int rank = y - 3;
    if (y == 1)
      printf("    %s looks like %d (%.1f us)", path, order[0], us);
    else if (rank >= 0 && rank < SHOWN) {
      float p = probability[order[rank]];
      printf("    %d %6.2f %%  %.*s", order[rank], 100 * p, (int)(p * BAR + 0.5f), bar);
    }
    printf("\n");
  }
  printf("\n");
}

static double microseconds(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

int main(int argc, char **argv) {
  float image[SIDE * SIDE], probabilities[DIGITS];
  int status = EXIT_SUCCESS;
  void *workspace = rcc_workspace_alloc(DIGITS_WORKSPACE_SIZE);
  if (!workspace || argc < 2) {
    fprintf(stderr, workspace ? "usage: digits PICTURE.png...\n" : "out of memory\n");
    return EXIT_FAILURE;
  }
  for (int i = 1; i < argc; i++) {
    if (!read_picture(argv[i], image)) {
      status = EXIT_FAILURE;
      continue;
    }
    double start = microseconds();
    int error = digits_run(image, probabilities, workspace, DIGITS_WORKSPACE_SIZE, NULL);
    double time = microseconds() - start;
    if (error) {
      fprintf(stderr, "digits_run: %s\n", rcc_strerror(error));
      return EXIT_FAILURE;
    }
    show(argv[i], image, probabilities, time);
  }
  rcc_workspace_free(workspace, DIGITS_WORKSPACE_SIZE);
  return status;
}
