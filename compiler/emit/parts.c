/* parts.c: Concat and Split of so many parts that a copy each would be too much code: a loop reads from a table where
 * they lie. All tensors are dense. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { WORDS = 4 /* of a row of the table: see part_row */ };

typedef struct Parts {
  Emit *e;
  bool split;
  int64_t rows, row;   /* of the whole: the axes before the one that is cut; bytes of each */
  Ref whole, table;
} Parts;

/* Where the frame holds the pointer to the memory in which a value lies; -1: in the weights. */
static int64_t base_of(const Graph *g, const Value *v) {
  switch (v->place) {
  case P_INPUT: return FRAME_IO + 8 * v->offset;
  case P_OUTPUT: return FRAME_IO + 8 * (g->n_input + v->offset);
  case P_CONST: return -1;
  case P_ONCE: return frame_once(g);
  case P_IMAGE: return frame_image(g);
  default: assert(v->place == P_WORK); return FRAME_WORK;
  }
}

static int64_t offset_of(const Value *v) {
  int64_t at = v->place == P_INPUT || v->place == P_OUTPUT ? 0 : v->offset;
  return at + inner_offset(v);
}

/* Bytes of a row, the axes from k on. */
static int64_t row_bytes(const Value *v, int k) {
  int64_t bytes = (int64_t)type_size(v->type);
  for (; k < v->shape.rank; k++) bytes *= v->shape.d[k];
  return bytes;
}

static Ref part_row(Emit *e, const Value *part, int k, int64_t at) {
  Ref word[WORDS] = {const_i64(e, base_of(e->g, part)), const_i64(e, offset_of(part)), const_i64(e, row_bytes(part, k)),
                     const_i64(e, at)};
  return LLVMConstArray2(e->i64, word, WORDS);
}

/* The parts that are not empty and don't lie where they belong already; `size` are all parts' along axis k. */
static int list_parts(Emit *e, const Value *whole, Value *const *part, int n, int k, const int64_t *size, Ref *row) {
  int count = 0;
  int64_t at = 0, step = row_bytes(whole, k) / whole->shape.d[k];
  for (int i = 0; i < n; at += size[i++] * step) {
    bool moves = part[i] && shape_count(&part[i]->shape) > 0;
    if (!moves) continue;
    assert(layout_is_plain(part[i]));
    bool in_place = base_of(e->g, part[i]) == base_of(e->g, whole) && offset_of(part[i]) == offset_of(whole) + at;
    if (!in_place) row[count++] = part_row(e, part[i], k, at);
  }
  return count;
}

static Ref base_ptr(const Parts *p, Ref base) {
  Emit *e = p->e;
  Ref in_weights = LLVMBuildICmp(e->b, LLVMIntSLT, base, const_i64(e, 0), "");
  Ref field = choose(e, in_weights, const_i64(e, FRAME_WORK), base);
  return choose(e, in_weights, weights_start(e), load_invariant(e, e->ptr, gep(e, e->frame, field, 1), 0, 8));
}

static void move_part(const Parts *p, Ref number) {
  Emit *e = p->e;
  Ref word[WORDS], entry = gep(e, p->table, number, 8 * WORDS);
  for (int i = 0; i < WORDS; i++) word[i] = load_invariant(e, e->i64, entry, 8 * i, 8);
  Ref part = gep(e, base_ptr(p, word[0]), word[1], 1), bytes = word[2], whole = gep(e, p->whole, word[3], 1);
  Loop row;
  loop_begin(e, &row, const_i64(e, 0), const_i64(e, p->rows), 1, 0, NULL);
  Ref a = gep(e, part, LLVMBuildMul(e->b, row.i, bytes, ""), 1), b = gep(e, whole, row.i, p->row);
  LLVMBuildMemCpy(e->b, p->split ? a : b, 1, p->split ? b : a, 1, bytes);
  loop_end(e, &row);
}

void emit_parts(Emit *e, const Value *whole, Value *const *part, int n, int k, const int64_t *size, bool split) {
  assert(!e->bound && layout_is_plain(whole)); /* the table is of one node's places */
  Parts p = {.e = e, .split = split, .rows = 1, .row = row_bytes(whole, k), .whole = value_ptr(e, whole)};
  for (int i = 0; i < k; i++) p.rows *= whole->shape.d[i];
  Ref *row = alloc_n(e->g->cx, (size_t)n, sizeof *row), lo, hi;
  int count = list_parts(e, whole, part, n, k, size, row);
  LLVMTypeRef type = LLVMArrayType2(e->i64, WORDS);
  p.table = constant_global(e, LLVMConstArray2(type, row, (uint64_t)count), "parts");
  task_range(e, count, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  move_part(&p, item.i);
  loop_end(e, &item);
}
