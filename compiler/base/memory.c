/* memory.c: the end of a program that gets no more memory, in whatever code and thread that happens, or that has a fault. */
#include "base.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char line[MESSAGE_LINE] = "resnetcc: error: out of memory\n";
static char fault_line[MESSAGE_LINE] = "resnetcc: error: out of memory, or a fault of LLVM\n";
static _Thread_local volatile sig_atomic_t in_library;

static void (*at_end)(void);

void memory_at_end(void (*clean_up)(void)) { at_end = clean_up; }

void memory_name_file(const char *file) {
  Context cx = {.file = file};
  if (setjmp(cx.unwind) == 0) fail(&cx, "out of memory");
  message_line(MESSAGE_ERROR, cx.error, line, sizeof line);
  if (setjmp(cx.unwind) == 0) fail(&cx, "out of memory, or a fault of LLVM");
  message_line(MESSAGE_ERROR, cx.error, fault_line, sizeof fault_line);
}

void memory_in_library(bool inside) { in_library = inside; }

bool memory_is_in_library(void) { return in_library; }

/* It allocates nothing and takes no lock. */
static _Noreturn void end_with(const char *text) {
  static atomic_flag taken = ATOMIC_FLAG_INIT;
  while (atomic_flag_test_and_set(&taken)) pause(); /* another thread is on its way out */
  if (at_end) at_end();
  ssize_t written = write(STDERR_FILENO, text, strlen(text));
  (void)written;
  _exit(1);
}

_Noreturn void out_of_memory(void) { end_with(line); }

_Noreturn void memory_or_fault(void) { end_with(fault_line); }

_Noreturn void internal_error(const char *fmt, ...) {
  Context cx = {.file = "internal error"};
  va_list args;
  va_start(args, fmt);
  message_format(&cx, fmt, args);
  va_end(args);
  message_print(MESSAGE_ERROR, cx.error);
  in_library = false; /* the abort is ours */
  abort();
}
