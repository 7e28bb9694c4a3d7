/* digit: the likeliest digit of a picture that is all paper but for one stroke. */
#include "digits.h"
#include <stdio.h>

int main(void) {
  static float image[64], p[10];
  for (int y = 1; y < 7; y++) image[y * 8 + 4] = 1;
  void *work = rcc_workspace_alloc(DIGITS_WORKSPACE_SIZE);
  int error = digits_run(image, p, work, DIGITS_WORKSPACE_SIZE, NULL), best = 0;
  rcc_workspace_free(work, DIGITS_WORKSPACE_SIZE);
  if (error) {
    fprintf(stderr, "%s\n", rcc_strerror(error));
    return 1;
  }
  for (int i = 1; i < 10; i++)
    if (p[i] > p[best]) best = i;
  printf("a stroke looks like %d (%.1f %%)\n", best, 100 * p[best]);
  return 0;
}
