/* memory.c: the end of a program that gets no more memory, in whatever code and thread that happens. */
#include "base.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static char line[MESSAGE_LINE] = "resnetcc: error: out of memory\n";

static void (*at_end)(void);

void memory_at_end(void (*clean_up)(void)) { at_end = clean_up; }

void memory_name_file(const char *file) {
  Context cx = {.file = file};
  if (setjmp(cx.unwind) == 0) fail(&cx, "out of memory");
  message_line(MESSAGE_ERROR, cx.error, line, sizeof line);
}

/* It allocates nothing and takes no lock. */
_Noreturn void out_of_memory(void) {
  static atomic_flag taken = ATOMIC_FLAG_INIT;
  while (atomic_flag_test_and_set(&taken)) pause(); /* another thread is on its way out */
  if (at_end) at_end();
  ssize_t written = write(STDERR_FILENO, line, strlen(line));
  (void)written;
  _exit(1);
}
