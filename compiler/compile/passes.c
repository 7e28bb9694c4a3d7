/* passes.c: the list of passes. */
#include "compile.h"

const Pass pass_list[] = {
  {'s', "shape", "types and shapes of all values; arithmetic on shapes done", pass_shape, true},
  {'f', "fold", "constants computed; identities, duplicates and dead code removed", pass_fold, true},
  {'b', "batch", "images are independent: 1 for the batch symbol", pass_batch, true},
  {'m', "moves", "padding into windows, transposes cancelled, means as global pooling", pass_moves, true},
  {'f', "fold", "again, for what that left", pass_fold, true},
  {'a', "affine", "batch norms, scales and shifts merged and put into convolutions", pass_affine, true},
  {'c', "channels", "constant channels dropped, blocks with gamma 0 to their identity", pass_channels, true},
  {'f', "fold", "again, for what that left", pass_fold, true},
  {'u', "fuse", "elementwise operators become epilogues", pass_fuse, true},
  {'r', "rank", "one-dimensional convolutions as two-dimensional of height 1", pass_rank, true},
  {'t', "trim", "windows without what lies in the padding for every result", pass_trim, true},
  {'e', "stem", "convolutions of few channels and stride 2 over the four phases of their input", pass_stem, true},
  {'k', "select", "algorithm and tile of each convolution and product", pass_select, true},
  {'l', "layout", "where elements lie: channel blocks, halos, reorders", pass_layout, true},
  {'p', "pack", "weights in the order of their use", pass_pack, true},
  {'w', "plan", "lifetimes and places in the workspace", pass_plan, false},
};
const int pass_count = COUNT(pass_list);

void run_passes_watched(Graph *g, AfterPass *after, void *data) {
  if (!g->target) g->target = target_new(g->cx, g->opt);
  for (const Pass *p = pass_list; p < pass_list + pass_count; p++) {
    p->run(g);
    if (g->opt->verify) verify(g, p->name);
    if (after) after(data, g, p);
  }
}

void run_passes(Graph *g) { run_passes_watched(g, NULL, NULL); }
