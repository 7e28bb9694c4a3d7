/* spell.c: what everything that prints the table of options asks of a row. */
#include "options.h"

bool belongs(const OptionRow *row, const Command *command) {
  return row->commands & 1u << (command - command_list);
}

/* "--tune[=FILE]" */
void spell_option(const OptionRow *row, char *out, size_t size) {
  const char *between = !row->value ? "" : row->form == JOINED || row->name[1] == '-' ? "=" : " ";
  bool optional = row->form == OPTIONAL;
  snprintf(out, size, "%s%s%s%s%s%s%s", row->name, optional ? "[" : "", between, row->value ? row->value : "",
           optional ? "]" : "", row->alias ? ", " : "", row->alias ? row->alias : "");
}

const char *option_value(const OptionRow *row, int i) {
  if (row->known) return row->known(i);
  return row->choice ? row->choice[i] : NULL;
}
