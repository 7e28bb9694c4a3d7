/* winograd_few.c: what the transforms of floats and of integers have in common: that of a dimension's inputs of up to four points. */
#include "winograd.h"

void winograd_input_of_few(Emit *e, int points, const Ref *d, bool infinity, Binary *add, Binary *sub, Ref *t) {
  switch (points) {
  case 4:
    if (infinity) t[0] = sub(e, d[3], d[1]);
    t[1] = sub(e, d[0], d[2]);
    t[2] = add(e, d[1], d[2]);
    t[3] = sub(e, d[2], d[1]);
    return;
  case 3:
    if (infinity) t[0] = sub(e, d[2], d[1]);
    t[1] = sub(e, d[0], d[1]);
    t[2] = d[1];
    return;
  default:
    if (infinity) t[0] = d[1];
    t[1] = d[0];
  }
}
