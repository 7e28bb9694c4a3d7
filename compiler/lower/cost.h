/* cost.h: the words of costs, for cost.c and the algorithms' files. */
#ifndef LOWER_COST_H
#define LOWER_COST_H
#include "conv.h"

typedef struct Rates {
  const char *cpu;    /* NULL: of any other CPU */
  int lanes;
  bool fma;
  double ghz;
  double fma_cycles;  /* of one multiply-add of a vector, when many go on at once */
  double load_share;  /* how much of it a load in the loop adds, by clock or by ports */
  double weights_l2, input_l2; /* bytes from L2 that cost a cycle more */
  double most_l2;     /* bytes a cycle of weights from L2 at most */
  double met, met_weights;     /* the same from beyond L2; weights come in many short streams */
  double fetched;     /* bytes a cycle from beyond L2 while kernels prefetch them */
  double code;        /* cycles that code takes which is made for a layer's shape: tens of kilobytes, from beyond L2 */
  double call, pixel; /* cycles of a tile beside its steps and sums: of itself, of each pixel, whose input it meets */
} Rates;

struct ConvCost {
  ConvLayer l;
  const Rates *r;
  double input_bytes, weight_bytes; /* as read, in blocks */
  double not_in_l1;        /* the share of a tile's weights that come from L2 */
  bool sets;               /* small tiles sum in several sets, which hide the latency of each other */
  const DirectPlan *pairs; /* of integers, of which some are multiplied as 16-bit numbers in 16 registers; else NULL */
};

/* Of a kernel: to call it, where a row's `call` is not counted; for each turn of its loop. */
enum { CALL_CYCLES = 12, LOOP_CYCLES = 1 };

double overlap(double a, double b); /* of two things that go on at once the shorter hides behind the longer, but for a fifth */
/* One step of a tile: nb weight vectors against uw broadcast inputs. */
double step_cycles(const ConvCost *c, int64_t uw, int64_t nb);
/* `pixels` in as few tiles of up to uw as possible, all of one size or one less, for panels of nb blocks and
 * a narrower last one. A tile has `steps` steps, in groups between which a loop turns. */
double pixels_cycles(const ConvCost *c, int64_t pixels, int uw, int nb, double steps, double loops);
/* One value a lane: every product loads its input; each `sums` of a tap share it. A call does `pixels` of a
 * row, uw at a time. */
double lanes_cycles(const ConvCost *c, int64_t products, int64_t sums, int uw, int64_t pixels);
/* Which part of a set that is read again and again a cache of `size` bytes does not keep: nothing up to half
 * its size, everything from its size on. */
double miss_share(double set, int64_t size);
/* `bytes` read so many times in turn, beside what the arithmetic hides; `set` is all that is read in between,
 * `l2` their rate from there. */
double reread_cycles(const ConvCost *c, double bytes, double times, double set, double l2);
/* Is it worth so many tasks that `bytes` come from L2 and not from beyond it? */
bool strips_pay(const Target *t, double bytes, int tasks);
#endif
