/* normalize.c: which normalisations work on channel blocks, and the memory that they share meanwhile. */
#include "lower.h"

/* So few channels of a pixel that their sum may be taken in f32. */
enum { MOST_BLOCKS = 256 };

static int64_t blocks_of(const Target *t, const Node *n) {
  return size_ceiling(n->in[0]->shape.d[1], t->lanes);
}

bool normalizes_pixels(const Node *n) { return n->p.axes == 1u << 1 && n->group == 1; }

/* Or of whole maps, of groups of channels or each? */
static bool normalizes_maps(const Node *n) { return (n->p.axes & ~(1u << 1)) == (1u << 2 | 1u << 3); }

bool normalize_fits_blocks(const Target *t, const Node *n) {
  for (int i = 1; i < n->n_out; i++)
    if (n->out[i]) return false; /* statistics are results too */
  return normalizes_pixels(n) ? blocks_of(t, n) <= MOST_BLOCKS : normalizes_maps(n);
}

MapChunks map_chunks(const Shape *s) {
  int64_t height = s->d[2], width = s->d[3];
  MapChunks c = {.across = size_max(size_ceiling(width, CHUNK_PIXELS), 1)};
  c.cols = size_ceiling(width, c.across);
  c.across = size_ceiling(width, c.cols);
  c.rows = size_max(CHUNK_PIXELS / width, 1);
  c.down = size_ceiling(height, c.rows);
  return c;
}

void plan_normalize(const Target *t, Node *n) {
  const Shape *s = &n->in[0]->shape;
  if (normalizes_pixels(n) || shape_count(s) == 0) return;
  MapChunks c = map_chunks(s);
  int64_t vectors = size_mul(size_mul(s->d[0], blocks_of(t, n)), size_mul(c.down, c.across));
  int64_t channels = size_mul(blocks_of(t, n), t->lanes);
  n->plan->at.shared = size_mul(size_mul(vectors, 2 * t->lanes), (int64_t)type_size(T_F32));
  n->plan->at.scratch = size_mul(channels, 2 * (int64_t)(type_size(T_F32) + type_size(T_F64)));
}
