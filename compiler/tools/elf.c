/* elf.c: the notes in an ELF file of 64 bits, little endian: object, library or program. Nobody vouches for the file, so every
 * offset is checked against its end. */
#include "tools.h"

#include <elf.h>
#include <string.h>

typedef struct File {
  const uint8_t *data;
  uint64_t size;
} File;

/* False: it goes past the end. */
static bool get(const File *f, uint64_t at, void *to, size_t n) {
  if (at > f->size || f->size - at < n) return false;
  move_bytes(to, f->data + at, n);
  return true;
}

bool is_elf(const void *data, size_t size) { return size >= SELFMAG && same_bytes(data, ELFMAG, SELFMAG); }

static uint64_t padded(uint64_t n) { return (n + 3) & ~UINT64_C(3); }

static bool is_ours(const File *f, uint64_t at, const Elf64_Nhdr *note) {
  static const char owner[] = NOTE_OWNER;
  if (note->n_type != NOTE_TYPE || note->n_namesz != sizeof owner) return false;
  return same_bytes(f->data + at + sizeof *note, owner, sizeof owner);
}

/* Of `size` bytes at `at`, which are in the file. */
static int read_notes(const File *f, uint64_t at, uint64_t size, NoteFound *found, void *data) {
  int n = 0;
  Elf64_Nhdr note;
  for (uint64_t end = at + size; end - at >= sizeof note;) {
    get(f, at, &note, sizeof note);
    uint64_t name = padded(note.n_namesz), left = end - at - sizeof note;
    if (name > left || note.n_descsz > left - name) break;
    if (is_ours(f, at, &note)) {
      found(data, (const char *)f->data + at + sizeof note + name, note.n_descsz);
      n++;
    }
    uint64_t step = sizeof note + name + padded(note.n_descsz);
    if (step > end - at) break;
    at += step;
  }
  return n;
}

/* The same, wherever they are said to be. */
static int read_notes_at(const File *f, uint64_t at, uint64_t size, NoteFound *found, void *data) {
  return at <= f->size && size <= f->size - at ? read_notes(f, at, size, found, data) : 0;
}

/* Of a table, entry i of `size` bytes; the head says where it is and how many bytes an entry has. False: there is none. */
static bool get_entry(const File *f, uint64_t table, uint64_t entry_size, uint64_t i, void *to, size_t size) {
  return entry_size == size && table <= f->size && get(f, table + i * size, to, size);
}

static int notes_of_sections(const File *f, const Elf64_Ehdr *head, NoteFound *found, void *data) {
  int n = 0;
  Elf64_Shdr s;
  for (uint64_t i = 0; i < head->e_shnum && get_entry(f, head->e_shoff, head->e_shentsize, i, &s, sizeof s); i++) {
    if (s.sh_type == SHT_NOTE) n += read_notes_at(f, s.sh_offset, s.sh_size, found, data);
  }
  return n;
}

/* For programs that have lost their sections. */
static int notes_of_segments(const File *f, const Elf64_Ehdr *head, NoteFound *found, void *data) {
  int n = 0;
  Elf64_Phdr p;
  for (uint64_t i = 0; i < head->e_phnum && get_entry(f, head->e_phoff, head->e_phentsize, i, &p, sizeof p); i++) {
    if (p.p_type == PT_NOTE) n += read_notes_at(f, p.p_offset, p.p_filesz, found, data);
  }
  return n;
}

int elf_notes(const void *bytes, size_t size, NoteFound *found, void *data) {
  File f = {bytes, size};
  Elf64_Ehdr head;
  if (!is_elf(bytes, size) || !get(&f, 0, &head, sizeof head)) return 0;
  if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB) return 0;
  int n = notes_of_sections(&f, &head, found, data);
  return n ? n : notes_of_segments(&f, &head, found, data);
}
