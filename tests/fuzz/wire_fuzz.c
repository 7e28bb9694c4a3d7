/* wire_fuzz.c: bytes as messages: what the check of the wire format lets pass, protobuf-c must unpack. */
#include "fuzz.h"

#include "onnx.pb-c.h"
#include <stdlib.h>
#include <string.h>

static void unpack(Context *cx, const uint8_t *data, size_t size) {
  static const ProtobufCMessageDescriptor *const types[] = {
    &onnx__model_proto__descriptor, &onnx__graph_proto__descriptor,     &onnx__tensor_proto__descriptor,
    &onnx__node_proto__descriptor,  &onnx__attribute_proto__descriptor, &onnx__sparse_tensor_proto__descriptor,
  };
  const char *error = NULL;
  if (size == 0) return;
  ProtobufCMessage *m = wire_unpack(cx, types[data[0] % COUNT(types)], data + 1, size - 1, &error);
  if (!m && !error) abort();
  if (fuzz_print) printf("%s\n", m ? "unpacked" : error);
  /* The packed form has the size that its fields add up to: every pointer in it is followed. */
  if (m && protobuf_c_message_get_packed_size(m) > 64 * size + 64) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_run(unpack, data, size);
  return 0;
}
