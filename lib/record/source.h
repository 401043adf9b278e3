/* source.h - private to lib/record: the bytes of files, of compressed files and of archive members, one after another
 *
 *     struct source *s = source_open(argv, argc);
 *     const char *name, *p;
 *     ssize_t n;
 *     while ((rc = source_next(s, &name, &e)) > 0)
 *             while ((n = source_read(s, &p, &e)) > 0)
 *                     fwrite(p, 1, (size_t)n, stdout);
 *     source_close(s);
 *
 * Plain text comes as it arrives (a pipe is read no further ahead than one read() gives), without a detour through libarchive:
 * what begins with '{' or white space is plain text. Names live until source_close.
 */
#ifndef RECORD_SOURCE_H
#define RECORD_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct source;

struct source *source_open(char *const *files, size_t n);                       /* n == 0: stdin */
int source_next(struct source *s, const char **name, struct err *e);            /* 1: the next file or member; 0: none; -1 */
ssize_t source_read(struct source *s, const char **p, struct err *e);           /* bytes, until the next call; 0: its end; -1 */
bool source_ready(const struct source *s);                                      /* false: to read would be to wait */
void source_stop(struct source *s);                                             /* from another thread: what waits to read fails */
void source_close(struct source *s);

#endif
