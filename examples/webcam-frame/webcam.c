/* webcam: reads BGRA frames of 1280x720 pixels from standard input and tells what is in the middle of each. */
#include "net.h"
#include <stdio.h>

enum { ROW = 1280 * 4, ROWS = 720, LEFT = (1280 - 640) / 2 * 4, ABOVE = (720 - 480) / 2 };

int main(void) {
  static uint8_t frame[ROWS * ROW];
  const uint8_t *window = frame + ABOVE * ROW + LEFT; /* 640x480; its rows begin as far apart as the frame's */
  void *work = rcc_workspace_alloc(NET_WORKSPACE_SIZE);
  size_t size;
  while ((size = fread(frame, 1, sizeof frame, stdin)) == sizeof frame) {
    int32_t class;
    float score;
    int error = net_run(window, &class, &score, work, NET_WORKSPACE_SIZE, NULL);
    if (error) return fprintf(stderr, "webcam: %s\n", rcc_strerror(error)), 1;
    printf("%5.1f %%  %s\n", 100 * score, net_labels[class]);
    fflush(stdout);
  }
  rcc_workspace_free(work, NET_WORKSPACE_SIZE);
  return size ? fprintf(stderr, "webcam: the last frame is cut off\n"), 1 : 0;
}
