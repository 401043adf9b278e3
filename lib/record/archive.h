/* archive.h - archives of files (tar, zip; compressed by zstd, gzip, xz, bzip2) over libarchive, which nothing above sees
 *
 *     struct archive_files a;
 *     if (archive_load(&a, "policy.tar.zst", &e) < 0) ...
 *     const struct archive_file *f = archive_find(&a, "config.json");
 *     archive_unload(&a);
 *
 *     archive_pack("run/policy", "policy.tar.zst", 0, NULL, &e);      // the same bytes for the same files
 *     archive_unpack("policy.tar.zst", "elsewhere", &e);              // into an existing folder
 *
 * Only regular files count; folders are made as needed. A member that would leave the folder (absolute, with "..") is an error, as is a
 * link or a device. Names use '/'. A member stored twice: the later one holds, as with tar.
 */
#ifndef RECORD_ARCHIVE_H
#define RECORD_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct archive_file {
	char *name;
	char *data;                     /* n bytes, 64-byte aligned, a NUL behind them */
	size_t n;
};

struct archive_files {
	struct archive_file *file;      /* [n] by name */
	size_t n, cap;
};

/* All members in memory. It is an error if they take more than this machine has. */
int archive_load(struct archive_files *a, const char *path, struct err *e);
const struct archive_file *archive_find(const struct archive_files *a, const char *name);      /* NULL if absent */
void archive_unload(struct archive_files *a);

int archive_unpack(const char *path, const char *folder, struct err *e);

/* The format is the name's: .tar, .tar.zst (.tzst), .tar.gz (.tgz), .tar.xz (.txz), .tar.bz2, .zip. Members sorted by name; no times,
 * owners or modes but 0644. Links in the folder are followed; what begins with a dot stays out, as does what `keep` (unless NULL) answers
 * false to. Level of compression: 0 is the format's usual one. Appears whole or not at all. */
int archive_pack(const char *folder, const char *path, int level, bool (*keep)(const char *name), struct err *e);

#endif
