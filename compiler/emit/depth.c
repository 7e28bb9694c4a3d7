/* depth.c: SpaceToDepth and DepthToSpace: squares of b x b pixels against b b times the channels. Each is one
 * strided copy, on channel blocks too where a square's places hold whole blocks; for the stem the blocks are
 * made of few channels, of a picture's bytes as the program has them if its conversion is steps. */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== of few channels, to channel blocks, with steps ==== */

enum { MOST_BESIDE = 16 }; /* elements of a row's two pixels that are loaded at once */

/* Squares of 2x2 pixels. */
typedef struct Squares {
  Emit *e;
  Node *n;
  Ref row[2];
  int64_t least;         /* the lowest element of a square's rows, counted from channel 0 of the first pixel, and ... */
  int64_t span;          /* ... how many there are to the highest */
} Squares;

static int64_t element_in_row(const Value *x, int64_t channel, int64_t column) {
  return channel * x->layout.c + column * x->layout.pix;
}

static void measure_square(Squares *s) {
  const Value *x = s->n->in[0];
  int64_t most = 0;
  for (int64_t c = 0; c < x->shape.d[1]; c++) {
    for (int64_t j = 0; j < 2; j++) {
      s->least = size_min(s->least, element_in_row(x, c, j));
      most = size_max(most, element_in_row(x, c, j));
    }
  }
  s->span = most - s->least + 1;
}

/* The row and the element in it of channel k of the result; past the last one any. */
static int row_of_channel(const Squares *s, int64_t k, int64_t *element) {
  const Value *x = s->n->in[0];
  int64_t channels = x->shape.d[1], place = k < 4 * channels ? k / channels : 0;
  *element = element_in_row(x, k % channels, place % 2);
  return (int)(place / 2);
}

/* Channels from `first` on of both rows, which begin at `row`. */
static Ref load_square(const Squares *s, Ref *row, int64_t first) {
  Emit *e = s->e;
  const Value *x = s->n->in[0];
  int size = (int)type_size(x->type);
  LLVMTypeRef element = llvm_type(e, x->type);
  Ref index[64], all = LLVMConstNull(vec_of(element, e->lanes)), both[2];
  bool beside = s->span <= MOST_BESIDE;
  for (int i = 0; beside && i < 2; i++) both[i] = load(e, vec_of(element, (int)s->span), row[i], s->least * size, size);
  for (int l = 0; l < e->lanes; l++) {
    int64_t at;
    int i = row_of_channel(s, first + l, &at);
    index[l] = const_i32(e, (int)(i * s->span + at - s->least));
    if (beside || first + l >= 4 * x->shape.d[1]) continue;
    all = LLVMBuildInsertElement(e->b, all, load(e, element, row[i], at * size, size), const_i32(e, l), "");
  }
  return beside ? LLVMBuildShuffleVector(e->b, both[0], both[1], LLVMConstVector(index, (unsigned)e->lanes), "") : all;
}

/* The row of squares whose results lie at `to`. The lanes past the last channel hold anything. */
static void build_row(const Squares *s, Ref to, Ref *arg) {
  Emit *e = s->e;
  const Value *x = s->n->in[0], *y = s->n->out[0];
  int64_t blocks = size_ceiling(y->shape.d[1], e->lanes);
  Loop pixel;
  loop_begin(e, &pixel, const_i64(e, 0), const_i64(e, y->shape.d[3]), 1, 0, NULL);
  Ref column = mul_i(e, pixel.i, 2), row[2];
  for (int i = 0; i < 2; i++) row[i] = place_from(e, s->row[i], x, NULL, NULL, NULL, column);
  Ref result = place_from(e, to, y, NULL, NULL, NULL, pixel.i);
  for (int k = 0; k < blocks; k++) {
    Ref acc = apply_steps(e, s->n, load_square(s, row, k * e->lanes), arg, k, 0, 0);
    store(e, acc, result, place_offset(y, k, 0, 0), e->vec_bytes);
  }
  loop_end(e, &pixel);
}

static void squares_to_blocks(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  Squares s = {.e = e, .n = n};
  Ref lo, hi, arg[MAX_STEPS], height = const_i64(e, y->shape.d[2]);
  assert(n->p.block == 2 && y->layout.block == e->lanes);
  measure_square(&s);
  step_pointers(e, n, NULL, const_i64(e, 0), NULL, NULL, arg);
  task_range(e, y->shape.d[0] * y->shape.d[2], &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref image = LLVMBuildUDiv(e->b, item.i, height, ""), line = LLVMBuildURem(e->b, item.i, height, "");
  for (int i = 0; i < 2; i++) s.row[i] = place_at(e, x, image, NULL, add_i(e, mul_i(e, line, 2), const_i64(e, i)), NULL);
  build_row(&s, place_at(e, y, image, NULL, line, NULL), arg);
  loop_end(e, &item);
}

/* ==== strided copies ==== */

/* Axes of the deep tensor, which has the places (i, j) of a square among its channels, and of the wide one.
 * Channels count in blocks of `unit` where both have blocks. */
static void copy_squares(Emit *e, const Node *n, const Value *deep, const Value *wide, bool to_deep) {
  const Layout *d = &deep->layout, *w = &wide->layout;
  int64_t b = n->p.block, unit = d->block ? d->block : 1, channels = wide->shape.d[1] / unit;
  int64_t column = w->block ? w->pix : 1;
  int64_t place = n->p.by_channel ? d->c : channels * d->c, channel = n->p.by_channel ? b * b * d->c : d->c;
  const struct { int64_t n, deep, wide; } axis[] = {
    {deep->shape.d[0], d->n, w->n}, {b, b * place, w->row}, {b, place, column}, {channels, channel, w->c},
    {deep->shape.d[2], d->row, b * w->row}, {deep->shape.d[3], d->block ? d->pix : 1, b * column},
    {unit, 1, 1},
  };
  Copy c = {.size = (int)type_size(deep->type), .rank = COUNT(axis)};
  for (int k = 0; k < c.rank; k++) {
    c.axis[k] = to_deep ? (CopyAxis){axis[k].n, axis[k].wide, axis[k].deep}
        : (CopyAxis){axis[k].n, axis[k].deep, axis[k].wide};
  }
  c.src = value_ptr(e, to_deep ? wide : deep);
  c.dst = value_ptr(e, to_deep ? deep : wide);
  emit_copy(e, &c);
}

void emit_depth(Emit *e, Node *n) {
  const Value *x = n->in[0], *y = n->out[0];
  emit_halo(e, y);
  bool makes_blocks = y->layout.block && !x->layout.block;
  assert(makes_blocks || n->n_step == 0);
  if (makes_blocks) squares_to_blocks(e, n);
  else if (n->op == OP_SpaceToDepth) copy_squares(e, n, y, x, true);
  else copy_squares(e, n, x, y, false);
}
