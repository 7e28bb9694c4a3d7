/* file.c: a file's bytes. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void *file_map(Context *cx, const char *path, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail(cx, "%s", strerror(errno));
  struct stat st;
  bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
  void *data = MAP_FAILED;
  if (is_file && st.st_size > 0) data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  int error = errno;
  close(fd);
  if (!is_file) fail(cx, "is not a regular file");
  if (st.st_size == 0) fail(cx, "is empty");
  if (data == MAP_FAILED) fail(cx, "%s", strerror(error));
  *size = (size_t)st.st_size;
  return data;
}

void file_unmap(void *data, size_t size) { munmap(data, size); }
