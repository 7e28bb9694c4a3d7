/* main.c: the program: what the command line asks for is done, and a signal leaves nothing unfinished behind. */
#include "options.h"

#include "resnetcc_rt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const int64_t default_memory = INT64_C(16) << 30;

static void print_passes(void) {
  for (int i = 0; i < pass_count; i++) {
    printf("  %c  %-9s %s\n", pass_list[i].letter, pass_list[i].name, pass_list[i].what);
  }
}

static void print_version(void) {
  Context cx = {.arena = arena_new(default_memory), .max_memory = default_memory};
  const Version llvm = llvm_version();
  printf("resnetcc %s\nLLVM %u.%u.%u\nABI %d\n", RESNETCC_VERSION, llvm.major, llvm.minor, llvm.patch, RCC_ABI);
  printf("default target %s %s\ntargets", host_triple(&cx), host_cpu(&cx));
  for (int a = 0; architecture_name(a); a++)
    for (int i = 0; target_system(i); i++) printf(" %s-%s", architecture_name(a), target_system(i));
  printf("\n");
  arena_free(cx.arena);
}

/* What is asked for instead of a command. False: nothing. */
static bool print_text(const CommandLine *line) {
  if (line->short_help) print_short_help(line);
  else if (line->help) print_help(line);
  else if (line->version) print_version();
  else if (line->passes) print_passes();
  else return false;
  return true;
}

/* What went to standard output must have got there. */
static void check_text(void) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return;
  usage_error("standard output cannot be written: %s", strerror(errno ? errno : EIO));
}

/* Without memory LLVM aborts, or reads where it has none. */
static bool is_of_library(int number_of_signal) {
  return memory_is_in_library() && (number_of_signal == SIGABRT || number_of_signal == SIGSEGV || number_of_signal == SIGBUS);
}

static void clean_up_and_die(int number_of_signal) {
  if (is_of_library(number_of_signal)) memory_or_fault();
  output_discard();
  signal(number_of_signal, SIG_DFL);
  raise(number_of_signal);
}

/* A stack that cannot grow is no place for a handler. A sanitizer's own stays. */
static void use_other_stack(void) {
  static char stack[1 << 16];
  stack_t old, own = {.ss_sp = stack, .ss_size = sizeof stack};
  if (sigaltstack(NULL, &old) == 0 && old.ss_flags & SS_DISABLE) sigaltstack(&own, NULL);
}

/* What the caller has switched off (nohup), or a sanitizer has taken, stays so. */
static void catch_signals(void) {
  static const int signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGTERM,
                                SIGABRT, SIGSEGV, SIGBUS,  SIGFPE,  SIGILL};
  use_other_stack();
  for (size_t i = 0; i < COUNT(signals); i++) {
    struct sigaction old, own = {.sa_handler = clean_up_and_die, .sa_flags = SA_ONSTACK | SA_RESTART};
    if (sigaction(signals[i], NULL, &old) != 0 || old.sa_flags & SA_SIGINFO || old.sa_handler != SIG_DFL) continue;
    sigaction(signals[i], &own, NULL);
  }
  signal(SIGXFSZ, SIG_IGN); /* a file over the limit is an error of write */
}

static int run_command(const CommandLine *line) {
  Context cx = {0};
  catch_signals();
  if (line->tool.quiet) message_quiet();
  int status = line->command->run(&cx, &line->tool);
  if (status == 1) message_print(MESSAGE_ERROR, cx.error);
  return status;
}

int main(int argc, char **argv) {
  (void)argc;
  CommandLine line = {.tool = {.compile = {.max_memory = default_memory, .emit = EMIT_AUTO}}};
  command_line_read(&line, argv);
  int status = print_text(&line) ? 0 : run_command(&line);
  command_line_free(&line);
  if (status != 1) check_text();
  return status;
}
