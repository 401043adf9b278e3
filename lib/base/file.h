/* file.h - files and folders that appear whole or not at all
 *
 *     char *tmp = file_stage("run/policy", &e);       // "run/.policy.tmp-1234", an empty folder
 *     ... write into it ...
 *     if (file_commit(tmp, "run/policy", &e) < 0) ... // fsync of all, then one rename; replaces what was there
 *     free(tmp);
 *
 * A process killed at any moment leaves either the old folder or the new one under the name; what it left aside is removed
 * by the next file_stage for that name.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

int file_read(const char *path, struct buf *to, struct err *e);                 /* all of it, appended */
int file_write(const char *path, const void *p, size_t n, struct err *e);       /* aside, fsync, rename */
int file_put(int fd, const void *p, size_t n);                                  /* all of it, whatever signals come between; -1 and errno */
bool file_exists(const char *path);
bool file_is_dir(const char *path);
char *file_join(const char *dir, const char *name);                             /* freed by the caller */
int file_remove_tree(const char *path, struct err *e);                          /* no error if absent */
int file_make_dirs(const char *path, struct err *e);                            /* mkdir -p */

char *file_stage(const char *path, struct err *e);                              /* NULL on error */
int file_commit(const char *staged, const char *path, struct err *e);
void file_abandon(const char *staged);

#endif
