/* sniff.c: what files are that are handed over for a model and are none, told by their first bytes. */
#include "import.h"

#include <string.h>

enum { IN_TEXT = -1 };

typedef struct Sniffed {
  int at;             /* where the bytes stand; IN_TEXT: behind the blanks that text may begin with */
  const char *bytes;
  int n;
  const char *what;   /* it is, and behind "; " what to do */
} Sniffed;

#define BYTES(s) s, sizeof s - 1

static const char pytorch[] =
  "is a PyTorch file, not ONNX; export the network with torch.onnx.export(model.eval(), (input,), \"model.onnx\")";
static const char keras[] = "is a Keras file, not ONNX; tf2onnx converts it, as does model.export(\"model.onnx\", format=\"onnx\")";
static const char onnx_text[] = "is ONNX as text; make it binary in Python with onnx.save(onnx.load(file, format=\"textproto\"), \"model.onnx\")";

static const Sniffed known[] = {
  {0, BYTES("\x80\x02"), pytorch},
  {0, BYTES("\x80\x03"), pytorch},
  {0, BYTES("\x80\x04"), pytorch},
  {0, BYTES("\x80\x05"), pytorch},
  {4, BYTES("TFL3"), "is a TensorFlow Lite file, not ONNX; tf2onnx converts it with --tflite"},
  {4, BYTES("ORTM"), "is a model in ORT format, which only ONNX Runtime reads; take the .onnx file that it was made from"},
  {0, BYTES("\x89HDF\r\n\x1a\n"), keras},
  {0, BYTES("\x08\x01\x12"), "is a TensorFlow SavedModel, not ONNX; tf2onnx converts it with --saved-model"},
  {0, BYTES("version https://git-lfs"), "is a pointer of Git LFS, not the model itself; fetch that with git lfs pull"},
  {0, BYTES("\x1f\x8b"), "is compressed by gzip; unpack it with gunzip"},
  {0, BYTES("\xfd" "7zXZ"), "is compressed by xz; unpack it with unxz"},
  {0, BYTES("\x28\xb5\x2f\xfd"), "is compressed by zstd; unpack it with unzstd"},
  {0, BYTES("BZh"), "is compressed by bzip2; unpack it with bunzip2"},
  {0, BYTES("\x7f" "ELF"), "is an object, a library or a program, not a model; resnetcc inspect tells what is in it"},
  {0, BYTES("\x93NUMPY"), "is a NumPy array, not a model; hand over the .onnx file"},
  {0, BYTES("GGUF"), "is a GGUF file, not ONNX; export the network to ONNX from where it was trained"},
  {IN_TEXT, BYTES("ir_version:"), onnx_text},
  {IN_TEXT, BYTES("<ir_version"), "is ONNX as text; make it binary in Python with onnx.save(onnx.parser.parse_model(text), \"model.onnx\")"},
  {IN_TEXT, BYTES("<?xml"), "is an XML file, not ONNX; OpenVINO's and others' are made from the .onnx file that is wanted here"},
  {IN_TEXT, BYTES("<"), "is an HTML page, not a model: the server did not find the file, or asks who you are; download it again"},
};

static bool has_at(const char *data, size_t size, size_t at, const char *bytes, size_t n) {
  return size >= at + n && same_bytes(data + at, bytes, n);
}

/* The name of the first file in an archive says whose it is. */
static const char *what_zip(Context *cx, const char *data, size_t size) {
  enum { NAME_SIZE = 26, NAME = 30 };
  if (size < NAME) return "is cut off within a zip archive; copy or download it again";
  size_t n = (size_t)(unsigned char)data[NAME_SIZE] | (size_t)(unsigned char)data[NAME_SIZE + 1] << 8;
  const char *name = copy_bytes_as_text(cx, data + NAME, n < size - NAME ? n : size - NAME);
  if (strstr(name, ".npy")) return "is an archive of NumPy arrays, not a model; hand over the .onnx file";
  if (strcmp(name, "metadata.json") == 0 || strcmp(name, "config.json") == 0) return keras;
  if (strchr(name, '/') || strstr(name, ".pkl")) return pytorch;
  return "is a zip archive; unpack it and hand over the .onnx file inside";
}

/* A network's weights alone: eight bytes of length, then JSON. */
static bool is_safetensors(const char *data, size_t size) {
  return size > 10 && data[6] == 0 && data[7] == 0 && data[8] == '{' && data[9] == '"';
}

/* Behind the mark of UTF-8 and some blanks. */
static size_t skip_space(const char *data, size_t size) {
  size_t at = has_at(data, size, 0, BYTES("\xef\xbb\xbf")) ? 3 : 0;
  while (at < size && at < 16 && strchr(" \t\r\n", data[at]) && data[at]) at++;
  return at;
}

/* A model begins with its IR version, a small number: 0x08 and less than a blank. */
void sniff(Context *cx, const void *bytes, size_t size) {
  const char *data = bytes;
  size_t space = skip_space(data, size);
  if (has_at(data, size, 0, BYTES("PK\3\4"))) fail(cx, "%s", what_zip(cx, data, size));
  for (size_t i = 0; i < COUNT(known); i++) {
    const Sniffed *s = &known[i];
    size_t at = s->at == IN_TEXT ? space : (size_t)s->at;
    if (has_at(data, size, at, s->bytes, (size_t)s->n)) fail(cx, "%s", s->what);
  }
  if (is_safetensors(data, size)) fail(cx, "is a file of safetensors, weights without a network; export the network to ONNX");
}
