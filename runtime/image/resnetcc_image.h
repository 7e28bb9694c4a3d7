/* resnetcc_image.h: pictures of any size to the size that a network takes, with the bytes that Pillow 13 and
 * torchvision make. Needs nothing but the C library. Link with resnetcc_image, or with resnetcc_rt, which has it
 * too: what does not call it does not get it. */
#ifndef RESNETCC_IMAGE_H
#define RESNETCC_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  RCC_IMAGE_STRETCH, /* the whole picture, each side by its own factor: torchvision's Resize((out_h, out_w)) */
  RCC_IMAGE_CROP,    /* its middle: Resize(short_side), CenterCrop((out_h, out_w)); black where that is too small.
                        short_side 0: the largest part of the result's shape: Pillow's ImageOps.fit */
  RCC_IMAGE_PAD      /* the whole picture in the middle, black beside it: Pillow's ImageOps.pad */
};

enum { RCC_IMAGE_OK, RCC_IMAGE_ERR_ARGUMENT, RCC_IMAGE_ERR_MEMORY };

/* Both pictures are red, green, blue, a byte each; the rows of `rgb` begin `stride` bytes apart, those of `out` have
 * no gaps. Bilinear, over all pixels that an output pixel covers, as Pillow's BILINEAR. Only RCC_IMAGE_CROP reads
 * short_side. Sides are from 1 to 65535. Frees what it allocates; any number of threads may call it. */
int rcc_image_fit(const uint8_t *rgb, int w, int h, size_t stride, uint8_t *out, int out_w, int out_h, int how,
                  int short_side);

#ifdef __cplusplus
}
#endif
#endif
