/* sniff_test.c: files that are no models are called what they are, and no model is taken for one of them. */
#include "onnx_writer.h"

#include <string.h>

static const char *said(const void *data, size_t size) {
  static char text[512];
  Context *cx = context_new();
  cx->file = "f";
  *text = '\0';
  if (setjmp(cx->unwind) == 0) sniff(cx, data, size);
  else strcpy(text, cx->error);
  context_free(cx);
  return text;
}

/* The bytes at the end of their memory, so that no more of them can be read. */
static void check_said(const char *bytes, size_t size, const char *what) {
  char *own = test_malloc(size);
  memcpy(own, bytes, size);
  const char *text = said(own, size);
  test_free(own);
  if (!strstr(text, what) || !strstr(text, "; ")) fail_msg("no '%s' and a cure in: %s", what, text);
}

#define SAYS(bytes, what) check_said(bytes, sizeof(bytes) - 1, what)

static void each_kind(void **state) {
  (void)state;
  SAYS("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl", "is a PyTorch file");
  SAYS("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0d\0\0\0metadata.json", "is a Keras file");
  SAYS("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0a.npy", "is an archive of NumPy arrays");
  SAYS("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x06\0\0\0a.onnx", "is a zip archive; unpack it");
  SAYS("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0a.onnx", "is a zip archive; unpack it");
  SAYS("PK\3\4\0\0", "is cut off within a zip archive");
  SAYS("\x80\x02\x8a\nl\xfc", "torch.onnx.export(model.eval()");
  SAYS("\x1c\0\0\0TFL3", "is a TensorFlow Lite file, not ONNX; tf2onnx");
  SAYS("\x1c\0\0\0ORTM", "is a model in ORT format");
  SAYS("\x89HDF\r\n\x1a\n\0", "is a Keras file");
  SAYS("\x08\x01\x12\x00", "is a TensorFlow SavedModel");
  SAYS("version https://git-lfs.github.com/spec/v1\n", "git lfs pull");
  SAYS("<!DOCTYPE html>", "is an HTML page");
  SAYS("\xef\xbb\xbf\r\n <html>", "is an HTML page");
  SAYS("<?xml version=\"1.0\"?>", "is an XML file");
  SAYS("<", "is an HTML page");
  SAYS("\x1f\x8b\x08", "is compressed by gzip");
  SAYS("\xfd" "7zXZ\0", "is compressed by xz");
  SAYS("\x28\xb5\x2f\xfd", "is compressed by zstd");
  SAYS("BZh9", "is compressed by bzip2");
  SAYS("\x7f" "ELF", "resnetcc inspect");
  SAYS("\x93NUMPY", "is a NumPy array");
  SAYS("GGUF\3", "is a GGUF file");
  SAYS("ir_version: 8\n", "is ONNX as text");
  SAYS("<ir_version: 8>", "is ONNX as text");
  SAYS("\x40\0\0\0\0\0\0\0{\"__metadata__\"", "is a file of safetensors");
}

static void models_are_none_of_them(void **state) {
  (void)state;
  for (int version = 3; version < 32; version++) {
    const char begin[] = {8, (char)version, 0x12, 4, 't', 'e', 's', 't'};
    for (size_t n = 1; n <= sizeof begin; n++) assert_string_equal(said(begin, n), "");
  }
  assert_string_equal(said("\x3a\x02\x0a\x00", 4), "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_kind),
    cmocka_unit_test(models_are_none_of_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
