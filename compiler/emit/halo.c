/* halo.c: the border around a map, which readers with padding rely on. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Border {
  Emit *e;
  const Value *v;
  int64_t channels, pixels; /* channels or blocks; pixels of each to be filled */
} Border;

static int64_t fill_bytes(const Border *b) { return place_offset(b->v, 0, 0, b->pixels); }

/* Are all bytes of an element of the border the same? */
static bool is_one_byte(const Value *v) {
  uint64_t low = v->layout.fill & 0xff;
  for (size_t i = 1; i < type_size(v->type); i++) {
    if ((v->layout.fill >> 8 * i & 0xff) != low) return false;
  }
  return true;
}

static void fill_elements(const Border *b, Ref p) {
  Emit *e = b->e;
  const Value *v = b->v;
  int size = (int)type_size(v->type);
  Ref element = LLVMConstInt(LLVMIntTypeInContext(e->c, 8 * (unsigned)size), v->layout.fill, 0);
  Loop i;
  loop_begin(e, &i, const_i64(e, 0), const_i64(e, fill_bytes(b) / size), 1, 0, NULL);
  store(e, element, gep(e, p, i.i, size), 0, size);
  loop_end(e, &i);
}

static void build_border(const void *data) {
  const Border *b = data;
  Emit *e = b->e;
  unsigned align = (unsigned)type_size(b->v->type);
  Loop channel;
  loop_begin(e, &channel, const_i64(e, 0), const_i64(e, b->channels), 1, 0, NULL);
  Ref p = place_from(e, LLVMGetParam(e->fn, 0), b->v, NULL, channel.i, NULL, NULL);
  if (is_one_byte(b->v)) {
    Ref byte = LLVMConstInt(e->i8, b->v->layout.fill & 0xff, 0);
    LLVMBuildMemSet(e->b, p, byte, const_i64(e, fill_bytes(b)), align);
  } else {
    fill_elements(b, p);
  }
  loop_end(e, &channel);
}

/* Fills pixels [x, x + n) of the row at p, in all channels. */
static void fill_pixels(Emit *e, const Value *v, Ref p, int64_t x, int64_t n) {
  const Layout *l = &v->layout;
  if (n == 0) return;
  int64_t channels = l->block ? (v->shape.d[1] + l->block - 1) / l->block : v->shape.d[1];
  Border b = {e, v, channels, n};
  Buffer key = {0};
  buffer_printf(&key, "halo_%lldx%lld_%lld", (long long)channels, (long long)l->c, (long long)fill_bytes(&b));
  if (v->type != T_F32 || l->fill) buffer_printf(&key, "_of%d_%llx", (int)type_size(v->type), (unsigned long long)l->fill);
  buffer_add(&key, "", 1);
  call_kernel(e, key.data, 1, (Ref[]){gep_const(e, p, place_offset(v, 0, 0, x))}, build_border, &b);
  buffer_free(&key);
}

/* The whole rows from `first` on, counted from the row at p, if that is row number `where`. */
static void fill_rows(Emit *e, const Value *v, Ref p, Ref row, int64_t where, int64_t first, int64_t n) {
  const Layout *l = &v->layout;
  if (n == 0) return;
  If here;
  if_begin(e, &here, LLVMBuildICmp(e->b, LLVMIntEQ, row, const_i64(e, where), ""));
  Loop y;
  loop_begin(e, &y, const_i64(e, 0), const_i64(e, n), 1, 0, NULL);
  Ref border = place_from(e, gep_const(e, p, place_offset(v, 0, first, 0)), v, NULL, NULL, y.i, NULL);
  fill_pixels(e, v, border, -l->left, l->left + v->shape.d[3] + l->right);
  loop_end(e, &y);
  if_end(e, &here);
}

/* Whether v is written over an input of the node, which has the same border already. */
static bool is_over_input(const Emit *e, const Value *v) {
  for (int i = 0; i < e->node->n_in; i++) {
    const Value *x = e->node->in[i];
    bool there = x && x->place == v->place && x->offset == v->offset && x->alias_offset == v->alias_offset;
    if (there && x->type == v->type && shape_equal(&x->shape, &v->shape) && layout_equal(&x->layout, &v->layout)) return true;
  }
  return false;
}

/* The images around a volume, of which v may have a part of the channels. */
static void fill_frames(Emit *e, const Value *v) {
  const Layout *l = &v->layout;
  int64_t blocks = (v->shape.d[1] + l->block - 1) / l->block, corner = place_offset(v, 0, -l->top, -l->left);
  Ref lo = const_i64(e, 0), hi = const_i64(e, l->front + l->back), skipped = const_i64(e, v->shape.d[0]);
  if (!e->serial) task_range(e, l->front + l->back, &lo, &hi);
  Loop frame;
  loop_begin(e, &frame, lo, hi, 1, 0, NULL);
  Ref image = add_i(e, frame.i, const_i64(e, -l->front));
  Ref behind = LLVMBuildICmp(e->b, LLVMIntSGE, image, const_i64(e, 0), "");
  image = LLVMBuildSelect(e->b, behind, add_i(e, image, skipped), image, "");
  Ref p = gep_const(e, place_at(e, v, image, NULL, NULL, NULL), corner);
  unsigned align = (unsigned)type_size(v->type);
  LLVMBuildMemSet(e->b, p, LLVMConstInt(e->i8, l->fill & 0xff, 0), const_i64(e, blocks * place_block_bytes(v)), align);
  loop_end(e, &frame);
}

void emit_halo(Emit *e, const Value *v) {
  const Layout *l = &v->layout;
  if (!layout_has_halo(l) || is_over_input(e, v)) return;
  if (l->front + l->back > 0) fill_frames(e, v);
  if (l->top + l->left + l->bottom + l->right == 0) return;
  int64_t height = v->shape.d[2], width = v->shape.d[3];
  Ref lo = const_i64(e, 0), hi = const_i64(e, v->shape.d[0] * height);
  if (!e->serial) task_range(e, v->shape.d[0] * height, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref image = LLVMBuildUDiv(e->b, item.i, const_i64(e, height), "");
  Ref row = LLVMBuildURem(e->b, item.i, const_i64(e, height), "");
  Ref p = place_at(e, v, image, NULL, row, NULL);
  fill_rows(e, v, p, row, 0, -l->top, l->top);
  fill_pixels(e, v, p, -l->left, l->left);
  fill_pixels(e, v, p, width, l->right);
  fill_rows(e, v, p, row, height - 1, 1, l->bottom);
  loop_end(e, &item);
}
