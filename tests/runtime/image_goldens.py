"""Prints image_goldens.h: what Pillow (13 or newer) makes of generated pictures, as checksums."""
from PIL import Image, ImageOps


def picture(width, height):
    state, out = (width * 65536 + height) & 0xFFFFFFFF, bytearray()
    for _ in range(width * height * 3):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return Image.frombytes("RGB", (width, height), bytes(out))


def checksum(data):
    h = 2166136261
    for b in data:
        h = (h ^ b) * 16777619 & 0xFFFFFFFF
    return h


def crop(im, w, h, short):
    """Resize(short), CenterCrop((h, w)) of torchvision."""
    least = min(im.size)
    im = im.resize((short * im.width // least, short * im.height // least), Image.Resampling.BILINEAR)
    left, top = max(0, (w - im.width) // 2), max(0, (h - im.height) // 2)
    wide = Image.new("RGB", (max(w, im.width), max(h, im.height)))
    wide.paste(im, (left, top))
    x, y = round((wide.width - w) / 2), round((wide.height - h) / 2)
    return wide.crop((x, y, x + w, y + h))


HOW = {
    "STRETCH": lambda im, w, h, short: im.resize((w, h), Image.Resampling.BILINEAR),
    "CROP": lambda im, w, h, short: crop(im, w, h, short) if short else ImageOps.fit(im, (w, h), Image.Resampling.BILINEAR),
    "PAD": lambda im, w, h, short: ImageOps.pad(im, (w, h), Image.Resampling.BILINEAR),
}
SIZES = [(64, 48, 32, 32, 36), (48, 64, 32, 32, 36), (37, 91, 24, 31, 29), (91, 37, 31, 24, 29), (20, 90, 19, 23, 21), (5, 7, 40, 33, 35),
         (33, 33, 33, 33, 33), (1, 1, 9, 4, 3), (100, 3, 16, 16, 18), (3, 100, 16, 16, 5), (64, 65, 32, 33, 33), (65, 64, 33, 32, 33)]

print("/* Made by image_goldens.py. */")
for w, h, out_w, out_h, short in SIZES:
    for how, short in (("STRETCH", 0), ("CROP", short), ("CROP", 0), ("PAD", 0)):
        out = HOW[how](picture(w, h), out_w, out_h, short).tobytes()
        print(f"{{{w}, {h}, {out_w}, {out_h}, RCC_IMAGE_{how}, {short}, 0x{checksum(out):08x}}},")
