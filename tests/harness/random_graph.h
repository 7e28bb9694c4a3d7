/* random_graph.h: random valid graphs in the text form; one seed is one graph. Seeds of one kind make quantised graphs. */
#ifndef RANDOM_GRAPH_H
#define RANDOM_GRAPH_H

#include "compile.h"

enum { RANDOM_LINES = 400, RANDOM_VALUES = 200, QUANTIZED_PERIOD = 16 /* one seed in so many is that of a quantised graph */ };

typedef struct RandomValue {
  char name[8];
  Type type;
  Shape shape;           /* -1: the batch */
  bool exact;            /* nothing was rounded on the way from inputs and constants; in a quantised graph: its bits are known */
  double magnitude;      /* a bound, roughly, of its elements */
  /* Of quantised graphs: */
  bool settles;          /* its bits are known once it is quantised */
  int origin;            /* 1 + the index of the one integer of which it is a function; 0: it is of several */
  float scale;           /* of an integer that stands for a number; 0: it does not */
  int zero, dequantized; /* the zero point; 1 + the index of the value that has the numbers, 0: none has */
  double spread, slack;  /* the usual size of an element; by how much two ways of rounding may differ, likely */
} RandomValue;

/* Statements of the text form, in which `$` stands for the batch. */
typedef struct RandomGraph {
  Context *cx;
  uint64_t state;
  bool quantized;
  bool symbolic, extreme; /* there is a batch; sizes, pads, kernels, strides and dilations may be far from ordinary */
  int lanes;             /* sizes around this number are frequent */
  char *line[RANDOM_LINES];
  int n_line;
  RandomValue value[RANDOM_VALUES];
  int n_value;
  int tried[OP_COUNT], kept[OP_COUNT]; /* nodes, and those that shape inference takes */
} RandomGraph;

/* Fills r with the graph of that seed, whose memory is cx's. */
void random_graph(Context *cx, uint64_t seed, RandomGraph *r);
/* The text with the batch symbolic (batch -1), or for so many images. */
char *random_graph_text(const RandomGraph *r, int64_t batch);
const RandomValue *random_value(const RandomGraph *r, const char *name); /* NULL: there is none */

bool random_is_quantized(uint64_t seed);

/* A number in [0, n). */
uint64_t random_below(uint64_t *state, uint64_t n);
double random_double(uint64_t *state, double lo, double hi);

#endif
