/* passes.c: the passes in their order. */
#include "compile.h"

const Pass pass_list[] = {
  /* The witness looks first at what quant leaves: integers are a definition of their own, a step from fp32 now and then. */
  {'s', "shape", "types and shapes of all values; arithmetic on shapes done", pass_shape, NULL, false},
  {'n', "precision", "floats of 16 bits at the interface alone, f32 between", pass_precision, NULL, false},
  {'z', "prepare", "quantised graphs in one form: activations of u8, weights of s8, no move between operator and scale", pass_prepare, NULL, false},
  {'q', "quant", "what is dequantised, computed and quantised again is computed of the integers", pass_quant, NULL, true},
  {'f', "fold", "constants computed; identities, duplicates and dead code removed", pass_fold, NULL, true},
  {'b', "batch", "images are independent: 1 for the batch symbol", pass_batch, NULL, true},
  {'x', "activations", "activations, powers and bounds that are spelt out, as one operator", pass_activations, NULL, true},
  {'o', "normalize", "normalisations, also spelt out, as one operator and a scale and shift", pass_normalize, NULL, true},
  {'m', "moves", "padding into windows, transposes cancelled, means as global pooling", pass_moves, NULL, true},
  {'g', "fold2", "fold again, for what that left", pass_fold, NULL, true},
  {'a', "affine", "batch norms, scales and shifts merged and put into convolutions", pass_affine, NULL, true},
  {'c', "channels", "constant channels dropped, blocks with gamma 0 to their identity", pass_channels, NULL, true},
  {'h', "fold3", "fold again, for what that left", pass_fold, NULL, true},
  {'v', "views", "moves and factors in front of products of activations are part of them", pass_views, NULL, true},
  {'u', "fuse", "elementwise operators become epilogues", pass_fuse, NULL, true},
  {'y', "polyphase", "transposed convolutions as interleaved ones of stride 1", pass_polyphase, NULL, true},
  {'r', "rank", "one-dimensional convolutions as two-dimensional of height 1", pass_rank, NULL, true},
  {'d', "volume", "convolutions over volumes as those over stacks of their frames", pass_volume, NULL, true},
  {'t', "trim", "windows without what lies in the padding for every result", pass_trim, NULL, true},
  {'e', "stem", "convolutions of few channels and stride 2 over the four parities of their input", pass_stem, NULL, true},
  {'i', "zeros", "zero points of integer weights taken off once a pixel", pass_zeros, NULL, true},
  {'j', "stacks", "frames of bytes fill blocks, so that they can lie stacked", NULL, pass_stacks, true},
  {'I', "images", "the first layers of a batch for a few images at a time", NULL, pass_images, true},
  {'k', "select", "algorithm and tile of each convolution and product", NULL, pass_select, true},
  {'l', "layout", "where elements lie: channel blocks, halos, reorders", NULL, pass_layout, true},
  {'p', "pack", "weights in the order of their use", NULL, pass_pack, true},
  {'w', "plan", "lifetimes and places in the workspace", NULL, pass_plan, false},
};
const int pass_count = COUNT(pass_list);
