"""The same without a package: a shared library of the model, by ctypes, no NumPy."""
import ctypes
import sys

library = ctypes.CDLL(sys.argv[1])
library.rcc_workspace_alloc.restype = ctypes.c_void_p
library.rcc_workspace_alloc.argtypes = [ctypes.c_size_t]
library.rcc_strerror.restype = ctypes.c_char_p
size = 1 << 20  # enough for this model: DIGITS_WORKSPACE_SIZE in digits.h says how much it needs
workspace = library.rcc_workspace_alloc(size)

with open(sys.argv[2]) as f:
    _, _, _, white, *grey = f.read().split()
image = (ctypes.c_float * 64)(*(1 - float(g) / float(white) for g in grey))
p = (ctypes.c_float * 10)()
error = library.digits_run(image, p, ctypes.c_void_p(workspace), ctypes.c_size_t(size), None)
if error:
    sys.exit(library.rcc_strerror(error).decode())
print(f"{sys.argv[2]} looks like {max(range(10), key=lambda i: p[i])} ({100 * max(p):.1f} %)")
