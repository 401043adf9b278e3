/* tree.h - whole trees of files (modes, links and all) as archives in a pipe, over libarchive, which nothing above sees
 *
 *     tree_stream("repo/", fd, &e);           // a folder as a tar archive; an archive as it is
 *     tree_unpack(fd, "work", &e);            // of any format and compression that libarchive knows
 *
 * archive.h is for archives of plain files that are trusted with names only; this is for trees that somebody's programs run in.
 */
#ifndef RECORD_TREE_H
#define RECORD_TREE_H

#include "base/err.h"

/* Writes what stands at path to fd. */
int tree_stream(const char *path, int fd, struct err *e);

/* Makes the files of the archive that is read from fd, below folder, which becomes the working folder. A member that leaves it (by an absolute name, "..", or through a
 * link that the archive made) is an error, as is anything but files, folders and links. Owners and set-user-id bits are not kept. */
int tree_unpack(int fd, const char *folder, struct err *e);

#endif
