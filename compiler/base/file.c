/* file.c: a file's bytes. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Standard input's bytes, however many they turn out to be. */
static void *read_stream(Context *cx, size_t *size) {
  size_t room = 1 << 20;
  char *data = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (*size = 0; data != MAP_FAILED;) {
    if (*size == room) {
      data = mremap(data, room, 2 * room, MREMAP_MAYMOVE);
      if (data == MAP_FAILED) break;
      room *= 2;
    }
    ssize_t n = read(STDIN_FILENO, data + *size, room - *size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(cx, "%s", strerror(errno));
    if (n == 0 && *size == 0) fail(cx, "is empty; copy, download or export it again");
    if (n == 0) return data;
    *size += (size_t)n;
    if (*size > (size_t)cx->max_memory) break;
  }
  fail(cx, "the file does not fit into the memory limit");
}

/* It comes once, and is asked for twice by who looks at the model first. */
static struct { void *data; size_t size; } standard_input;

static void *map_standard_input(Context *cx, size_t *size) {
  if (!standard_input.data) standard_input.data = read_stream(cx, &standard_input.size);
  *size = standard_input.size;
  return standard_input.data;
}

void *file_map(Context *cx, const char *path, size_t *size) {
  if (strcmp(path, "-") == 0) return map_standard_input(cx, size);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail(cx, "%s", strerror(errno));
  struct stat st;
  bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
  void *data = MAP_FAILED;
  if (is_file && st.st_size > 0) data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  int error = errno;
  close(fd);
  if (!is_file) fail(cx, "is not a regular file");
  if (st.st_size == 0) fail(cx, "is empty; copy, download or export it again");
  if (data == MAP_FAILED) fail(cx, "%s", strerror(error));
  *size = (size_t)st.st_size;
  return data;
}

void file_unmap(void *data, size_t size) {
  if (data != standard_input.data) munmap(data, size);
}
