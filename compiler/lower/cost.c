/* cost.c: the words in which the algorithms of a convolution estimate their time on one core: vector operations at the rate of
 * the tile, calls, and bytes from L2 and from beyond it.
 *
 * The constants were measured, where estimates of ResNet's layers are within some 10 per cent of the times. What counts is the
 * order of a layer's plans, which tests/lower/choice_test.c holds against measured times. tests/bench/rates.c prints the row of
 * the machine that it runs on. */
#include "cost.h"

#include <string.h>

/* The first row of the target's CPU, or of any, whose lanes and fma it has; its columns are the fields of Rates. Without FMA a
 * multiply-add is two operations.
 *
 * Those of any CPU were measured on a server of the Sapphire Rapids class (16 lanes) and on Zen 3 (8). The L2 of Zen 3 keeps up
 * with its loads, and its prefetcher with most streams, so that bytes from there hardly count; what the hardware of the narrower
 * vectors does is not known and taken for the same. Of these, what code costs is not told apart from the rest.
 *
 * Those of Zen 5 are what rates.c measured at best in several runs: loads beside multiply-adds cost nothing, and its L2 keeps up as
 * well, but for narrow tiles of many blocks. The code of a shape is what small layers took longer than estimated, by Strassen's
 * algorithm and as flat maps. The ends of a tile are what layers of few inputs took longer: those of 14 pixels by two blocks some 25
 * cycles longer than those of 6 by four. Of other CPUs neither that nor a bound of L2 is known.
 *
 * Zen 4 was not at hand. Of it a peak of 117 GFLOP/s is known, and that 512 bits take two turns; these give the first columns. The
 * others are derived: memory from Zen 3, code from Zen 5. */
enum { ANY = 1 << 20 };
static const Rates rates[] = {
  /* CPU     lanes fma    GHz  a multiply-add:         bytes a cycle from L2:   from beyond it: fetched code of a tile's
                               cycles, share of a load weights, input, at most input, weights  ahead   a shape call, pixel */
  {"znver5", 16,   true,  4.3, 0.5,    0.01,           1000,    400,   32,     270,   41,      11.5,   15e3,   2,    1.75},
  {"znver4", 16,   true,  3.7, 1,      0.03,           400,     100,   ANY,    80,    80,      6,      15e3,   12,   0},
  {NULL,     16,   true,  3.4, 0.5,    0.27,           53,      100,   ANY,    6,     3.9,     4.5,    0,      12,   0},
  {NULL,     8,    true,  3.2, 0.5,    0.03,           400,     100,   ANY,    80,    80,      6,      0,      12,   0},
  {NULL,     8,    false, 3.2, 1,      0.03,           400,     100,   ANY,    80,    80,      6,      0,      12,   0},
  {NULL,     4,    true,  3.2, 0.5,    0.03,           400,     100,   ANY,    80,    80,      6,      0,      12,   0},
  {NULL,     4,    false, 3.2, 1,      0.03,           400,     100,   ANY,    80,    80,      6,      0,      12,   0},
};

/* Of a multiply-add, in cycles; what all these machines load in a cycle. */
enum { LATENCY = 4, LOADS_A_CYCLE = 2 };

static const Rates *rates_of(const Target *t) {
  for (size_t i = 0; i < COUNT(rates); i++) {
    const Rates *r = &rates[i];
    bool of_cpu = !r->cpu || (t->like && strcmp(r->cpu, t->like) == 0);
    if (of_cpu && r->lanes == t->lanes && r->fma == t->fma) return r;
  }
  return &rates[COUNT(rates) - 1];
}

static double larger(double a, double b) { return a > b ? a : b; }

double overlap(double a, double b) { return larger(a, b) + (a + b - larger(a, b)) / 5; }

/* ==== tiles ==== */

/* Of a product: to load and store a sum for which there is no register; to widen an input, in all steps or in those that need it. */
static const double SPILL = 0.6, WIDEN = 0.45, WIDEN_SOME = 0.2;

/* The registers of a wide step have two vectors for each of weights and inputs, ones where others are not wide, and the mask that
 * widens. Additions of integers take a cycle, so few sums don't wait for each other. */
static double pairs_cycles(const ConvCost *c, int64_t uw, int64_t nb) {
  const DirectPlan *p = c->pairs;
  int64_t over = uw * nb + 2 * nb + 2 + (nb > 1) + !p->words - c->l.t->regs;
  double widen = p->words ? 0 : p->sorted ? WIDEN_SOME : WIDEN;
  return c->r->fma_cycles * ((double)(uw * nb) + SPILL * (double)size_max(over, 0) + widen * (double)uw);
}

double step_cycles(const ConvCost *c, int64_t uw, int64_t nb) {
  if (c->pairs) return pairs_cycles(c, uw, nb);
  double products = (double)(uw * nb), loads = (double)(uw + nb);
  double busy = products * c->r->fma_cycles + loads * c->r->fma_cycles * c->r->load_share;
  double from_l2 = (double)(nb * c->l.t->lanes * 4) / c->r->most_l2;
  busy += c->not_in_l1 * larger(from_l2 - busy, 0);
  return larger(larger(busy, loads / LOADS_A_CYCLE), c->sets && products <= 4 ? 1 : LATENCY);
}

/* A call: `steps` steps in groups between which a loop turns; sums begin and end in memory. */
static double tile_cycles(const ConvCost *c, int64_t uw, int64_t nb, double steps, double loops) {
  double ends = c->r->call + (double)uw * c->r->pixel + (double)(uw * nb);
  return ends + loops * LOOP_CYCLES + steps * step_cycles(c, uw, nb);
}

double pixels_cycles(const ConvCost *c, int64_t pixels, int uw, int nb, double steps, double loops) {
  int64_t count = size_ceiling(pixels, uw), narrow = pixels / count, wider = pixels % count;
  int64_t panels = c->l.out_blocks / nb, rest = c->l.out_blocks % nb;
  double sum = 0;
  for (int i = 0; i < 2; i++) {
    double number = (double)(i ? count - wider : wider);
    sum += number * (double)panels * tile_cycles(c, narrow + !i, nb, steps, loops);
    if (rest) sum += number * tile_cycles(c, narrow + !i, rest, steps, loops);
  }
  return sum;
}

double lanes_cycles(const ConvCost *c, int64_t products, int64_t sums, int uw, int64_t pixels) {
  const ConvLayer *l = &c->l;
  int64_t vectors = l->images * size_ceiling(l->y[1], l->t->lanes) * l->rows * l->cols;
  double product = step_cycles(c, uw, sums) / (double)(uw * sums);
  double one = (double)products * product + (double)sums / 2, calls = (double)vectors / (double)pixels;
  return (double)vectors * one + calls * CALL_CYCLES + c->input_bytes / c->r->met;
}

/* ==== memory ==== */

double miss_share(double set, int64_t size) {
  double over = set / (double)size * 2 - 1;
  return over < 0 ? 0 : over > 1 ? 1 : over;
}

double reread_cycles(const ConvCost *c, double bytes, double times, double set, double l2) {
  double from_l2 = bytes * times * miss_share(bytes, 2 * c->l.t->l1) / l2;
  return from_l2 + bytes * (times - 1) * miss_share(set, c->l.t->l2) / c->r->met;
}

/* A task runs the code of a whole layer for a few rows: of MobileNetV2's on Zen 5 that takes some 800 cycles more than its share of
 * the layer. */
enum { STRIP_TASK = 500 };

bool strips_pay(const Target *t, double bytes, int tasks) { return bytes / rates_of(t)->met > tasks * (double)STRIP_TASK; }

/* ==== a plan ==== */

/* Rows that a window skips are not read. */
double plan_cost(const Target *t, const Node *n, const Plan *p) {
  ConvCost c = {.l = conv_layer(t, n), .r = rates_of(t)};
  const ConvLayer *l = &c.l;
  int64_t new_rows = size_min(n->win.sh, n->win.kh);
  c.input_bytes = (double)(l->images * l->rows) * (double)new_rows * (double)(l->x[3] * l->pixel_bytes);
  c.weight_bytes = (double)l->groups * (double)l->icg * (double)(l->out_blocks * t->lanes * l->taps) * 4;
  return p->how->cost(&c, p) / (c.r->ghz * 1e6);
}
