/* wire.c: protobuf's wire format, checked before protobuf-c unpacks it.
 *
 * protobuf-c descends into nested messages by recursion without a limit, and a message of two bytes
 * becomes a struct of two hundred. So the bytes are walked first, with a stack of bounded depth and a
 * bounded count of fields, and what unpacking allocates comes out of a budget. The format:
 * https://protobuf.dev/programming-guides/encoding */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

enum {
  MAX_DEPTH = 64,         /* an If inside an If costs three */
  MAX_FIELDS = 1 << 24,
  MAX_TAG = 5,            /* bytes of a field number, of a length, of a number */
  MAX_LENGTH = 5,
  MAX_VARINT = 10,
};

typedef struct Frame {
  const ProtobufCMessageDescriptor *type;
  const uint8_t *end;
} Frame;

typedef struct Walk {
  Context *cx;
  const uint8_t *start, *at;
  Frame frame[MAX_DEPTH]; /* the messages that `at` lies in, outermost first */
  int depth;
  int64_t n_fields;
  const char *error;
} Walk;

static bool wrong(Walk *w, const uint8_t *where, const char *reason) {
  const char *type = w->frame[w->depth - 1].type->short_name;
  ptrdiff_t at = where - w->start;
  w->error = format_text(w->cx, "not a valid ONNX file: %s at byte %td, in %s", reason, at, type);
  return false;
}

/* The file ends before what its outermost message has begun; `more` bytes of that are missing at least. */
static bool cut_off(Walk *w, uint64_t more) {
  size_t size = (size_t)(w->frame[0].end - w->start);
  w->error = format_text(w->cx, "is cut off: it has %zu bytes, at least %llu are expected; copy or download it again", size,
                         (unsigned long long)(size + more));
  return false;
}

static bool read_varint(Walk *w, int max, uint64_t *out) {
  const uint8_t *from = w->at, *end = w->frame[w->depth - 1].end;
  *out = 0;
  for (int i = 0; i < max && w->at < end; i++) {
    uint8_t byte = *w->at++;
    *out |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return true;
  }
  if (w->at == end && w->depth == 1 && w->at > w->start + 1) return cut_off(w, 1);
  return wrong(w, from, w->at == end ? "the data ends within a number" : "a number is too long");
}

static bool skip(Walk *w, uint64_t n) {
  uint64_t left = (uint64_t)(w->frame[w->depth - 1].end - w->at);
  if (n > left) return wrong(w, w->at, "a length runs past the end");
  w->at += n;
  return true;
}

static unsigned wire_type_of(ProtobufCType type) {
  switch (type) {
  case PROTOBUF_C_TYPE_STRING:
  case PROTOBUF_C_TYPE_BYTES:
  case PROTOBUF_C_TYPE_MESSAGE: return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
  case PROTOBUF_C_TYPE_FLOAT: return PROTOBUF_C_WIRE_TYPE_32BIT;
  case PROTOBUF_C_TYPE_DOUBLE: return PROTOBUF_C_WIRE_TYPE_64BIT;
  default: return PROTOBUF_C_WIRE_TYPE_VARINT;
  }
}

/* A list of numbers may also come packed into one length-delimited field. */
static bool wire_type_fits(const ProtobufCFieldDescriptor *f, unsigned wire) {
  return wire == wire_type_of(f->type)
         || (f->label == PROTOBUF_C_LABEL_REPEATED && wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
}

static bool enter(Walk *w, const ProtobufCMessageDescriptor *type, const uint8_t *end) {
  if (w->depth == MAX_DEPTH) return wrong(w, w->at, "messages are nested too deeply");
  w->frame[w->depth++] = (Frame){type, end};
  return true;
}

static bool walk_delimited(Walk *w, const ProtobufCFieldDescriptor *f) {
  const uint8_t *from = w->at;
  uint64_t length;
  if (!read_varint(w, MAX_LENGTH, &length)) return false;
  if (length > INT32_MAX) return wrong(w, from, "a length is too large");
  const uint8_t *body = w->at, *whole = w->frame[w->depth - 1].end;
  if (f && w->depth == 1 && length > (uint64_t)(whole - body)) return cut_off(w, length - (uint64_t)(whole - body));
  if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE) {
    bool is_text = f && f->type == PROTOBUF_C_TYPE_STRING;
    if (!skip(w, length)) return false;
    return !is_text || !memchr(body, '\0', length) || wrong(w, body, "a text holds a zero byte");
  }
  if (!skip(w, length)) return false;
  const uint8_t *end = w->at;
  w->at = body;
  return enter(w, f->descriptor, end);
}

static bool walk_field(Walk *w) {
  const uint8_t *from = w->at;
  uint64_t tag, ignored;
  if (++w->n_fields > MAX_FIELDS) return wrong(w, from, "there are too many fields");
  if (!read_varint(w, MAX_TAG, &tag)) return false;
  if (tag >> 3 == 0 || tag > UINT32_MAX) return wrong(w, from, "there is no such field number");
  unsigned wire = tag & 7;
  const ProtobufCFieldDescriptor *f =
    protobuf_c_message_descriptor_get_field(w->frame[w->depth - 1].type, (unsigned)(tag >> 3));
  if (f && !wire_type_fits(f, wire)) return wrong(w, from, "a field has the wrong wire type");
  switch (wire) {
  case PROTOBUF_C_WIRE_TYPE_VARINT: return read_varint(w, MAX_VARINT, &ignored);
  case PROTOBUF_C_WIRE_TYPE_64BIT: return skip(w, 8);
  case PROTOBUF_C_WIRE_TYPE_32BIT: return skip(w, 4);
  case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED: return walk_delimited(w, f);
  default: return wrong(w, from, "there is no such wire type");
  }
}

static bool walk_message(Walk *w) {
  while (w->depth > 0) {
    if (w->at == w->frame[w->depth - 1].end) w->depth--;
    else if (!walk_field(w)) return false;
  }
  return true;
}

/* ---- unpacking into the arena ---- */

typedef struct Budget {
  Context *cx;
  int64_t left;
  bool refused;
} Budget;

/* Refuses rather than unwinds, as does protobuf-c when it gets NULL. The pieces stay until the arena goes;
 * rounding up to its alignment keeps a million one-byte pieces from passing for a megabyte. */
static void *budget_alloc(void *budget, size_t size) {
  enum { PIECE = 64 };
  Budget *b = budget;
  int64_t cost = (int64_t)size / PIECE * PIECE + PIECE;
  if (size > INT32_MAX + (size_t)PIECE) return NULL;
  if (cost > b->left) {
    b->refused = true;
    return NULL;
  }
  b->left -= cost;
  return alloc(b->cx, size);
}

static void budget_free(void *budget, void *piece) {
  (void)budget;
  (void)piece;
}

/* What unpacking may take: the bytes themselves, twice over for numbers that are shorter on the wire, and
 * a share for small messages; but never so much that the arena would unwind. */
static int64_t budget_for(Context *cx, size_t size, bool *limited) {
  const int64_t base = 256 << 20;
  int64_t budget = base + 3 * (int64_t)size;
  int64_t room = arena_left(cx->arena) - 4096;
  *limited = room < budget;
  return *limited ? room : budget;
}

ProtobufCMessage *wire_unpack(Context *cx, const ProtobufCMessageDescriptor *type, const void *data,
                              size_t size, const char **error) {
  Walk w = {.cx = cx, .start = data, .at = data};
  enter(&w, type, w.start + size);
  if (!walk_message(&w)) {
    *error = w.error;
    return NULL;
  }
  bool limited;
  Budget budget = {.cx = cx, .left = budget_for(cx, size, &limited)};
  ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
  ProtobufCMessage *m = protobuf_c_message_unpack(type, &allocator, size, data);
  if (!m) *error = "not a valid ONNX file, or too large when unpacked";
  if (budget.refused && limited) *error = "needs more than the memory limit to be unpacked";
  return m;
}
