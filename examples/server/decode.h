/* A JPEG in memory to red, green and blue bytes. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct Picture {
  int width, height;
  uint8_t *rgb; /* from malloc */
} Picture;

/* NULL, or what is wrong; there is no picture then. */
const char *decode_jpeg(const uint8_t *data, size_t size, Picture *p);
