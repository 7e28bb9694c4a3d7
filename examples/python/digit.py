"""Tells which handwritten digit a picture of 8x8 pixels shows, with the package resnetcc."""
import sys

import numpy
import resnetcc


def read_picture(path):
    """A PGM in text form, dark on light."""
    with open(path) as f:
        kind, width, height, white, *grey = f.read().split()
    if (kind, width, height) != ("P2", "8", "8"):
        sys.exit(f"{path}: not a PGM of 8x8 pixels in text form")
    return 1 - numpy.array(grey, "float32").reshape(1, 1, 8, 8) / float(white)


net = resnetcc.load(sys.argv[1], threads=2)
for path in sys.argv[2:]:
    p = net(read_picture(path))[0]
    print(f"{path} looks like {p.argmax()} ({100 * p.max():.1f} %)")
