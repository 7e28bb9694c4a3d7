/* progress.c: what long work is about, for who waits in front of a terminal, or reads a log later. */
#include "base.h"

#include <unistd.h>

static const double patience = 2; /* seconds */

Progress progress_begin(FILE *f, const char *what) {
  bool terminal = isatty(fileno(f));
  return (Progress){.f = f, .what = what, .terminal = terminal, .next = wall_seconds() + (terminal ? 0 : patience)};
}

void progress_show(Progress *p, int i, int n) {
  if (message_is_quiet() || wall_seconds() < p->next) return;
  if (p->terminal) fprintf(p->f, "\r%s %d of %d\033[K", p->what, i, n);
  else fprintf(p->f, "%s %d of %d\n", p->what, i, n);
  fflush(p->f);
  if (!p->terminal) p->next = wall_seconds() + patience;
}

void progress_end(Progress *p) {
  if (p->terminal && !message_is_quiet()) fprintf(p->f, "\r\033[K");
}
