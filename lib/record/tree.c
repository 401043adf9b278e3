#include "record/tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define BLOCK ((size_t)1 << 17)

static int failed(struct archive *a, const char *what, struct err *e)
{
	const char *text = archive_error_string(a);
	char *c;

	err_set(e, "%s%s%s", what, *what ? ": " : "", text ? text : "failed");
	for (c = e ? e->msg : ""; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return -1;
}

static int stream_file(const char *path, int to, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	char *block = xmalloc(BLOCK);
	ssize_t n;

	if (fd < 0)
		rc = err_errno(e, "%s", path);
	while (rc == 0 && (n = read(fd, block, BLOCK)) != 0)
		rc = n < 0 || file_put(to, block, (size_t)n) < 0 ? err_errno(e, "%s", path) : 0;
	if (fd >= 0)
		close(fd);
	free(block);
	return rc;
}

/* The bytes that the member's head tells: libarchive would make zeros of those that are not there. */
static int put_bytes(struct archive *to, const char *path, int64_t size, struct err *e)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), rc = 0;
	char *block = xmalloc(BLOCK);
	ssize_t n;

	if (fd < 0)
		rc = err_errno(e, "%s", path);
	for (; rc == 0 && size > 0; size -= n) {
		n = read(fd, block, size < (int64_t)BLOCK ? (size_t)size : BLOCK);
		if (n <= 0)
			rc = n < 0 ? err_errno(e, "%s", path) : err_set(e, "%s: became shorter while it was packed", path);
		else if (archive_write_data(to, block, (size_t)n) < 0)
			rc = failed(to, path, e);
	}
	if (fd >= 0)
		close(fd);
	free(block);
	return rc;
}

static int stream_folder(const char *path, int to_fd, struct err *e)
{
	struct archive *from = archive_read_disk_new(), *to = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	size_t root = strlen(path);
	int rc = 0, got;

	while (root > 1 && path[root - 1] == '/')
		root--;
	archive_read_disk_set_symlink_physical(from);
	archive_write_set_format_pax_restricted(to);
	if (archive_write_open_fd(to, to_fd) < ARCHIVE_WARN)
		rc = failed(to, path, e);
	else if (archive_read_disk_open(from, path) < ARCHIVE_WARN)
		rc = failed(from, path, e);
	while (rc == 0 && (got = archive_read_next_header2(from, entry)) != ARCHIVE_EOF) {
		const char *source = archive_entry_sourcepath(entry), *name = source ? source + root : "";

		if (got < ARCHIVE_WARN) {
			rc = failed(from, path, e);
			break;
		}
		archive_read_disk_descend(from);
		while (*name == '/')
			name++;
		if (!*name)
			continue;
		archive_entry_set_pathname(entry, name);
		archive_entry_set_hardlink(entry, NULL);
		if (archive_entry_filetype(entry) != AE_IFREG && archive_entry_filetype(entry) != AE_IFDIR && archive_entry_filetype(entry) != AE_IFLNK)
			continue;
		if (archive_write_header(to, entry) < ARCHIVE_WARN)
			rc = failed(to, source, e);
		else if (archive_entry_filetype(entry) == AE_IFREG && archive_entry_size(entry) > 0)
			rc = put_bytes(to, source, archive_entry_size(entry), e);
	}
	if (rc < 0)
		archive_write_fail(to);         /* without an end, so that nobody takes it for a whole one */
	else if (archive_write_close(to) < ARCHIVE_WARN)
		rc = failed(to, path, e);
	archive_entry_free(entry);
	archive_read_free(from);
	archive_write_free(to);
	return rc;
}

int tree_stream(const char *path, int fd, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_errno(e, "%s", path);
	return S_ISDIR(st.st_mode) ? stream_folder(path, fd, e) : stream_file(path, fd, e);
}

static int copy_member(struct archive *from, struct archive *to, struct archive_entry *entry, struct err *e)
{
	const char *name = archive_entry_pathname(entry);
	const void *p;
	la_int64_t at;
	size_t n;
	int rc;

	if (archive_entry_filetype(entry) != AE_IFREG && archive_entry_filetype(entry) != AE_IFDIR && archive_entry_filetype(entry) != AE_IFLNK)
		return err_set(e, "the member '%.60s' is no file, folder or link", name ? name : "");
	archive_entry_set_perm(entry, archive_entry_perm(entry) & 0777);
	if (archive_write_header(to, entry) < ARCHIVE_WARN)
		return failed(to, "", e);
	while ((rc = archive_read_data_block(from, &p, &n, &at)) == ARCHIVE_OK)
		if (archive_write_data_block(to, p, n, at) < ARCHIVE_WARN)
			return failed(to, "", e);
	if (rc != ARCHIVE_EOF)
		return failed(from, "", e);
	return archive_write_finish_entry(to) < ARCHIVE_WARN ? failed(to, "", e) : 0;
}

int tree_unpack(int fd, const char *folder, struct err *e)
{
	struct archive *from = archive_read_new(), *to = archive_write_disk_new();
	struct archive_entry *entry;
	int rc = 0, got;

	archive_read_support_filter_all(from);
	archive_read_support_format_all(from);
	archive_write_disk_set_options(to, ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
				       ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
	if (strcmp(folder, ".") && chdir(folder) < 0)
		rc = err_errno(e, "%s", folder);
	else if (archive_read_open_fd(from, fd, BLOCK) < ARCHIVE_WARN)
		rc = failed(from, "not an archive", e);
	while (rc == 0 && (got = archive_read_next_header(from, &entry)) != ARCHIVE_EOF)
		rc = got < ARCHIVE_WARN ? failed(from, "", e) : copy_member(from, to, entry, e);
	if (archive_write_free(to) < ARCHIVE_WARN && rc == 0)
		rc = err_set(e, "the last files could not be written");
	archive_read_free(from);
	return rc;
}
