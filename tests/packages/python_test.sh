# The Python package over an installed tree, as the wheel has it: the command, the folders, and load on NumPy arrays.
. "$(dirname "$0")/../cli/common.sh"
python=${PYTHON:-python3}
command -v "$python" >/dev/null || skip "no python3"
[ -z "$RESNETCC_CFLAGS" ] || skip "a library with a sanitizer does not load into Python"
cp -r "$here/../../runtime/python/resnetcc" .
installs "$work/resnetcc"
export PYTHONPATH=$work PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=$work/cache

[ "$($python -m resnetcc --version)" = "$("$RESNETCC" --version)" ] || failed "python -m resnetcc --version"
$python -m resnetcc no.onnx -o no.o 2>"$work.err" && failed "python -m resnetcc: the status of an error"
$python - <<'END' || failed "the folders"
import os, resnetcc
for path in (resnetcc.get_include() + "/resnetcc_rt.h", resnetcc.get_library() + "/libresnetcc_rt.a",
             resnetcc.get_cmake_dir() + "/resnetccConfig.cmake"):
    assert os.path.isfile(path), path
END

cp "$here/../cli/tiny.onnx" "$here/../../examples/digits/digits.onnx" "$here/../cli/external.onnx" .
printf '0123456789abcdef' >"my weights.bin"
CC=no-such-compiler $python -c 'import resnetcc; resnetcc.load("tiny.onnx")' 2>"$work.err" && failed "linked without a compiler"
holds "$work.err" "there is no no-such-compiler: install one"
$python -c 'import resnetcc; resnetcc.load("none.onnx")' 2>"$work.err" && failed "loaded a file that is not there"
holds "$work.err" "none.onnx"

# Compiled once; again for other options, other data beside the model, and a folder that was not finished.
cat >once.py <<'END'
import os, sys, resnetcc
def made():
    return sorted(os.stat(f"cache/resnetcc/{e}/model.so").st_ino for e in os.listdir("cache/resnetcc"))
resnetcc.load("external.onnx")
first = made()
resnetcc.load("external.onnx")
assert made() == first and len(first) == 1, (first, made())
resnetcc.load("external.onnx", options=["-Os"])
assert len(made()) == 2
with open("my weights.bin", "wb") as f: f.write(b"fedcba9876543210")
resnetcc.load("external.onnx")
assert len(made()) == 2 and not set(first) & set(made()), (first, made())
END
$python once.py || failed "the cache"
grep -rqF "$work/external" cache/resnetcc/*/sources.json && failed "the cache has paths of this folder"

$python -c 'import numpy' 2>/dev/null || skip "no NumPy for $python"
cat >net.py <<'END'
import re, threading
import numpy, resnetcc

net = resnetcc.load("digits.onnx", labels=[str(i) for i in range(10)], threads=2)
assert [(t.name, t.shape, t.dtype) for t in net.inputs] == [("image", (1, 1, 8, 8), "float32")], net.inputs
assert [(t.shape, t.dtype) for t in net.outputs] == [((1, 10), "float32")] and net.target and net.labels[3] == "3"
x = numpy.random.default_rng(0).random((1, 1, 8, 8), numpy.float32)
y = net(x)
assert y.shape == (1, 10) and abs(y.sum() - 1) < 1e-5 and (net(image=x) == y).all()
assert (resnetcc.load("digits.onnx")(x.astype("float64")) == y).all()
assert (net(x[..., ::-1].copy()[..., ::-1]) == y).all()  # not contiguous

def refused(kind, pattern, *values, **named):
    try:
        net(*values, **named)
    except kind as e:
        assert re.search(pattern, str(e)), e
    else:
        assert False, pattern
refused(ValueError, r"image: \[1, 8, 8\] where the model takes \[1, 1, 8, 8\]", x[0])
refused(TypeError, "image: complex128 where the model takes float32", x.astype(complex))
refused(TypeError, "takes image")
refused(TypeError, "takes image", picture=x)
refused(TypeError, "takes image", x, image=x)

def many(k, results):
    z = numpy.full((1, 1, 8, 8), k, numpy.float32)
    want = net(z)
    results.append(all((net(z) == want).all() for _ in range(50)))
results = []
threads = [threading.Thread(target=many, args=(k, results)) for k in range(4)]
for t in threads: t.start()
for t in threads: t.join()
assert results == [True] * 4

batch = resnetcc.load("tiny.onnx")  # of any size
assert batch.inputs[0].shape[0] == -1
shape = batch.inputs[0].shape[1:]
one = numpy.random.default_rng(1).random((3, *shape)).astype(batch.inputs[0].dtype)
all3 = batch(one)
assert all3.shape[0] == 3 and all(numpy.allclose(batch(one[i:i + 1])[0], all3[i], atol=1e-6) for i in range(3))
END
$python net.py || failed "load"

# A library made elsewhere, under another name than the model's.
"$RESNETCC" digits.onnx -o digits.o && $CC -shared digits.o -Wl,--whole-archive "$RESNETCC_RT" -Wl,--no-whole-archive \
  -pthread -o other.so
$python -c '
import resnetcc
net = resnetcc.load("other.so")
assert net.name == "digits"
try: resnetcc.load("other.so", options=["-Os"])
except ValueError as e: assert "is compiled" in str(e)
else: raise SystemExit(1)
' || failed "a library by its path"
$CC -shared -x c /dev/null -o none.so
$python -c 'import resnetcc; resnetcc.load("none.so")' 2>"$work.err" && failed "another library was taken"
holds "$work.err" "none.so: not a shared library made by resnetcc"
finish
