/* emit_tile.c: the inner loop of every matrix-like kernel: a tile of accumulators in registers, one broadcast input value
 * against `nb` weight vectors a step. */
#include "emit.h"

RowTiles row_tiles(int64_t pixels, int64_t most) {
  int64_t count = (pixels + most - 1) / most, size = pixels / count, larger = pixels % count;
  return (RowTiles){.count = count, .size = {size + 1, size}, .number = {larger, count - larger},
                    .first = {0, larger * (size + 1)}};
}

void end_step(Emit *e) {
  static char clobber[] = "~{memory}";
  LLVMTypeRef type = LLVMFunctionType(e->void_, NULL, 0, 0);
  call(e, LLVMGetInlineAsm(type, "", 0, clobber, sizeof clobber - 1, 1, 0, LLVMInlineAsmDialectATT, 0), type, 0, NULL);
}

static void difference(Emit *e, const Differences *d, int i) {
  int bytes = e->lanes * 4;
  Ref a = load(e, e->vec, d->a, i * bytes, bytes), b = load(e, e->vec, d->b, i * bytes, bytes);
  store(e, LLVMBuildFSub(e->b, a, b, ""), d->to, i * bytes, bytes);
}

void tile_sums(Emit *e, const Tile *t, Ref x, int steps, Ref *acc, Ref *w, Ref *pf) {
  int lanes = e->lanes, done = 0, taken = 0;
  assert(t->uw <= MAX_TILE && t->nb <= MAX_ACC);
  for (int k = 0; k < steps; k++) {
    Ref weight[MAX_ACC], *sum = acc + (t->sets ? k % t->sets : 0) * t->uw * t->nb;
    for (int b = 0; b < t->nb; b++) weight[b] = load(e, e->vec, *w, (k * t->nb + b) * lanes * 4, lanes * 4);
    for (; done < t->prefetch * (k + 1) / steps; done++) prefetch(e, *pf, done * 64, false, 2);
    for (; taken < t->meanwhile.n * (k + 1) / steps; taken++) difference(e, &t->meanwhile, taken);
    if (t->ahead && k < t->uw) prefetch(e, x, t->in[k] * 4 + t->ahead, false, 2);
    for (int u = 0; u < t->uw; u++) {
      Ref value = splat(e, load(e, e->f32, x, (t->in[u] + k) * 4, 4), lanes);
      for (int b = 0; b < t->nb; b++) sum[b * t->uw + u] = fma_(e, value, weight[b], sum[b * t->uw + u]);
    }
    end_step(e);
  }
  *w = gep_const(e, *w, (int64_t)steps * t->nb * lanes * 4);
  if (t->prefetch) *pf = gep_const(e, *pf, t->prefetch * 64);
}
