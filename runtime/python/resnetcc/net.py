"""A compiled model as a function on NumPy arrays, by the table that resnetcc_rt.h calls rcc_model."""
import ctypes
import os
import re
import threading

ABI = 1


class _Tensor(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("dims", ctypes.POINTER(ctypes.c_int64))]


class _Model(ctypes.Structure):
    _fields_ = [
        ("abi", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("name", ctypes.c_char_p), ("target", ctypes.c_char_p),
        ("n_inputs", ctypes.c_int32), ("n_outputs", ctypes.c_int32),
        ("inputs", ctypes.POINTER(_Tensor)), ("outputs", ctypes.POINTER(_Tensor)),
        ("workspace_size", ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_int64, ctypes.c_int32)),
        ("run", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_void_p),
                                 ctypes.c_int64, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)),
    ]


# ONNX's TensorProto.DataType; bfloat16 (16), which NumPy does not have, is handed over as its bits.
_types = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16",
          11: "float64", 12: "uint32", 13: "uint64", 16: "uint16"}


class Tensor:
    """An input or output: its name, its shape (-1 is the batch, of any size), and the name of its NumPy type."""

    def __init__(self, row):
        self.name, self.shape = row.name.decode(), tuple(row.dims[i] for i in range(row.rank))
        if row.type not in _types:
            raise RuntimeError(f"{self.name}: elements of ONNX's type {row.type}, which NumPy does not have")
        self.dtype = _types[row.type]

    def __repr__(self):
        return f"{self.name}: {self.dtype}{list(self.shape)}"


class _Room:
    """What a run needs for itself alone: a workspace, and a pool of threads where it has any."""

    def __init__(self, net, batch):
        self.net, self.batch, self.pool, self.parallel = net, batch, None, None
        runtime = net._library
        if net.threads > 1:
            self.pool = runtime.rcc_pool_create(net.threads)
            if not self.pool:
                raise MemoryError("no pool of threads")
            self.parallel = runtime.rcc_pool_parallel(self.pool)
        self.size = net._model.workspace_size(batch, net.threads)
        self.workspace = runtime.rcc_workspace_alloc(self.size)
        if not self.workspace:
            raise MemoryError(f"no workspace of {self.size} bytes")

    def __del__(self):
        if getattr(self, "workspace", None):
            self.net._library.rcc_workspace_free(self.workspace, self.size)
        if self.pool:
            self.net._library.rcc_pool_destroy(self.pool)


def _declare(library):
    p, n = ctypes.c_void_p, ctypes.c_size_t
    for name, result, arguments in (
            ("rcc_workspace_alloc", p, [n]), ("rcc_workspace_free", None, [p, n]), ("rcc_pool_create", p, [ctypes.c_int32]),
            ("rcc_pool_parallel", p, [p]), ("rcc_pool_destroy", None, [p]), ("rcc_strerror", ctypes.c_char_p, [ctypes.c_int])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def _find_model(library, path):
    """The table NAME_model, which knows its own NAME."""
    with open(path, "rb") as f:
        names = set(re.findall(rb"\0([A-Za-z_]\w*)_model\0", f.read()))
    for name in sorted(names):
        try:
            model = _Model.in_dll(library, name.decode() + "_model")
        except ValueError:
            continue
        if model.abi != ABI:
            raise RuntimeError(f"{path}: its ABI is {model.abi}, and this package's {ABI}: compile the model again")
        if model.name == name:
            return model
    raise RuntimeError(f"{path}: not a shared library made by resnetcc")


class Net:
    """Called with an array for each input, in order or by name, it returns an array, or a tuple where the model has several
    outputs. Any number of threads may call it at the same time. `threads` is what one call uses."""

    def __init__(self, path, labels=None, threads=1):
        if threads < 1:
            raise ValueError("threads: at least 1")
        path = os.path.abspath(path)
        self._library = ctypes.CDLL(path)
        self._model = _find_model(self._library, path)
        _declare(self._library)
        self._rooms = threading.local()
        self.threads = threads
        self.name, self.target = self._model.name.decode(), self._model.target.decode()
        self.inputs = [Tensor(self._model.inputs[i]) for i in range(self._model.n_inputs)]
        self.outputs = [Tensor(self._model.outputs[i]) for i in range(self._model.n_outputs)]
        self.labels = labels

    def __repr__(self):
        return f"<resnetcc.Net {self.name}: {self.inputs} -> {self.outputs}>"

    def _array(self, tensor, value):
        import numpy
        value = numpy.asarray(value)
        if not numpy.can_cast(value.dtype, tensor.dtype, "same_kind"):
            raise TypeError(f"{tensor.name}: {value.dtype} where the model takes {tensor.dtype}")
        if len(value.shape) != len(tensor.shape) or any(d not in (-1, n) for d, n in zip(tensor.shape, value.shape)):
            raise ValueError(f"{tensor.name}: {list(value.shape)} where the model takes {list(tensor.shape)}")
        return numpy.ascontiguousarray(value, tensor.dtype)

    def _arguments(self, values, named):
        left = self.inputs[len(values):]
        if len(values) > len(self.inputs) or {t.name for t in left} != set(named):
            raise TypeError(f"{self.name} takes {', '.join(t.name for t in self.inputs)}")
        return [self._array(t, v) for t, v in zip(self.inputs, [*values, *(named[t.name] for t in left)])]

    def _batch(self, arrays):
        sizes = {a.shape[i] for t, a in zip(self.inputs, arrays) for i, d in enumerate(t.shape) if d == -1}
        if len(sizes) > 1:
            raise ValueError(f"batches of different sizes: {sorted(sizes)}")
        return sizes.pop() if sizes else 1

    def _room(self, batch):
        room = getattr(self._rooms, "room", None)
        if not room or room.batch != batch:
            self._rooms.room = room = _Room(self, batch)
        return room

    def __call__(self, *values, **named):
        import numpy
        arrays = self._arguments(values, named)
        batch = self._batch(arrays)
        results = [numpy.empty([batch if d == -1 else d for d in t.shape], t.dtype) for t in self.outputs]
        room = self._room(batch)
        pointers = [(ctypes.c_void_p * len(a))(*(x.ctypes.data for x in a)) for a in (arrays, results)]
        error = self._model.run(*pointers, batch, room.workspace, room.size, room.parallel)
        if error:
            raise RuntimeError(f"{self.name}: {self._library.rcc_strerror(error).decode()}")
        return results[0] if len(results) == 1 else tuple(results)


def _words(option, value):
    values = [] if value is None else [value] if isinstance(value, str) else value
    return [f"--{option}={words}" for words in values]


def load(path, *, input=None, output=None, labels=None, threads=1, options=()):
    """A Net of an .onnx file, or of a .so that resnetcc made.

    input and output are values of the options --input and --output, or lists of them; options are others. labels is a list, or
    a file with one a line, and becomes Net.labels. An .onnx file is compiled for this CPU once, into ~/.cache/resnetcc."""
    path = os.fspath(path)
    if labels is not None and not isinstance(labels, (list, tuple)):
        with open(labels, encoding="utf-8") as f:
            labels = f.read().splitlines()
    if not path.endswith(".so"):
        from . import cache, executable, get_library
        archive = os.path.join(get_library(), "libresnetcc_rt.a")
        path = cache.library_of(executable(), archive, path, [*_words("input", input), *_words("output", output), *options])
    elif input is not None or output is not None or options:
        raise ValueError(f"{path} is compiled: input, output and options are for an .onnx file")
    return Net(path, labels, threads)
