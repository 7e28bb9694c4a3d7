/* place.c: addresses inside a value, from its layout and the bytes of its type. No other file computes one. */
#include "emit.h"

#include <llvm-c/Core.h>

static int64_t bytes(const Value *v, int64_t elements) { return elements * (int64_t)type_size(v->type); }

int64_t place_image_bytes(const Value *v) { return bytes(v, v->layout.n); }
int64_t place_block_bytes(const Value *v) { return bytes(v, v->layout.c); }
int64_t place_row_bytes(const Value *v) { return bytes(v, v->layout.row); }
int64_t place_pixel_bytes(const Value *v) { return bytes(v, v->layout.pix); }

int64_t place_offset(const Value *v, int64_t block, int64_t row, int64_t x) {
  return bytes(v, block * v->layout.c + row * v->layout.row + x * v->layout.pix);
}

Ref place_from(Emit *e, Ref p, const Value *v, Ref image, Ref block, Ref row, Ref x) {
  if (image) p = gep(e, p, image, place_image_bytes(v));
  if (row) p = gep(e, p, row, place_row_bytes(v));
  if (block) p = gep(e, p, block, place_block_bytes(v));
  return x ? gep(e, p, x, place_pixel_bytes(v)) : p;
}

Ref place_at(Emit *e, const Value *v, Ref image, Ref block, Ref row, Ref x) {
  return place_from(e, value_ptr(e, v), v, image, block, row, x);
}

Ref window_from(Emit *e, Ref p, const Value *v, const Window *w, Ref image, Ref block, Ref row, Ref x) {
  p = place_from(e, gep_const(e, p, -place_offset(v, 0, w->top, w->left)), v, image, NULL, NULL, NULL);
  if (row) p = gep(e, p, row, w->sh * place_row_bytes(v));
  if (block) p = gep(e, p, block, place_block_bytes(v));
  return x ? gep(e, p, x, w->sw * place_pixel_bytes(v)) : p;
}

Ref place_window(Emit *e, const Value *v, const Window *w, Ref image, Ref block, Ref row, Ref x) {
  return window_from(e, value_ptr(e, v), v, w, image, block, row, x);
}

/* Vectors in a block of v. */
static int vectors(const Emit *e, const Value *v) {
  assert(v->layout.block % e->lanes == 0);
  return v->layout.block / e->lanes;
}

Ref place_vector(Emit *e, Ref p, const Value *v, Ref image, Ref vector, Ref row, Ref x) {
  if (vectors(e, v) == 1) return place_from(e, p, v, image, vector, row, x);
  Ref n = const_i64(e, vectors(e, v)), part = LLVMBuildURem(e->b, vector, n, "");
  p = place_from(e, p, v, image, LLVMBuildUDiv(e->b, vector, n, ""), row, x);
  return gep(e, p, part, bytes(v, e->lanes));
}

/* How many of `count` vectors lie beside each other, and the bytes of one. */
static int beside(const Emit *e, const Value *v, int count) {
  int n = vectors(e, v);
  return n < count ? n : count;
}

static int64_t vector_size(const Emit *e, const Value *v) { return bytes(v, e->lanes); }

Ref load_channels(Emit *e, const Value *v, Ref p, int count, int64_t vector, int64_t row, int64_t x) {
  enum { MOST = 16 };
  Ref part[MOST];
  int each = beside(e, v, count), n = 0;
  for (int k = 0; k < count; k += each) {
    int64_t at = place_vector_offset(e, v, vector + k, row, x);
    int lanes = (count - k < each ? count - k : each) * e->lanes;
    part[n++] = take_lanes(e, load(e, vec_of(llvm_type(e, v->type), lanes), p, at, (int)vector_size(e, v)), 0, each * e->lanes);
  }
  return take_lanes(e, join_vectors(e, part, n), 0, count * e->lanes);
}

void store_channels(Emit *e, const Value *v, Ref all, Ref p, int64_t row, int64_t x) {
  int count = lane_count(all) / e->lanes, each = beside(e, v, count);
  for (int k = 0; k < count; k += each) {
    int lanes = (count - k < each ? count - k : each) * e->lanes;
    store(e, take_lanes(e, all, k * e->lanes, lanes), p, place_vector_offset(e, v, k, row, x), (int)vector_size(e, v));
  }
}

int64_t place_vector_offset(Emit *e, const Value *v, int64_t vector, int64_t row, int64_t x) {
  int n = vectors(e, v);
  return place_offset(v, vector / n, row, x) + bytes(v, vector % n * e->lanes);
}
