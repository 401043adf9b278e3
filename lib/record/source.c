#include "record/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/mem.h"
#include "base/tool.h"

#define BLOCK ((size_t)256 << 10)

/* fd -> [outer: filters, and tar or zip] -> [inner: filters of one compressed member] -> the caller */
struct source {
	char *const *files;
	size_t n, at;                   /* files; the next one */
	int fd;                         /* -1: none is open */
	char *path;                     /* what is open, without a member's name */
	char *member;                   /* the one member that was asked for, or NULL */
	bool found;
	struct archive *outer, *inner;
	char *block;
	size_t ready;                   /* bytes of block that were read to see what the file is */
	const char *peek;               /* the same of a member */
	size_t peeked;
	char **name;                    /* all names given out */
	size_t names, names_cap;
};

struct source *source_open(char *const *files, size_t n)
{
	static char *const only_stdin[] = {"-"};
	struct source *s = xcalloc(1, sizeof *s);

	s->files = n ? files : only_stdin;
	s->n = n ? n : 1;
	s->fd = -1;
	s->block = xmalloc(BLOCK);
	return s;
}

static void close_file(struct source *s)
{
	if (s->inner)
		archive_read_free(s->inner);
	if (s->outer)
		archive_read_free(s->outer);
	s->inner = s->outer = NULL;
	if (s->fd > 0)
		close(s->fd);
	s->fd = -1;
	free(s->path);
	free(s->member);
	s->path = s->member = NULL;
	s->ready = s->peeked = 0;
	s->found = false;
}

void source_close(struct source *s)
{
	size_t i;

	if (!s)
		return;
	close_file(s);
	for (i = 0; i < s->names; i++)
		free(s->name[i]);
	free(s->name);
	free(s->block);
	free(s);
}

static const char *keep_name(struct source *s, char *name)
{
	s->name = xgrow(s->name, &s->names_cap, s->names + 1, sizeof *s->name);
	return s->name[s->names++] = name;
}

/* ---- what libarchive calls ---- */

static ssize_t read_block(struct source *s)
{
	ssize_t n;

	while ((n = read(s->fd, s->block, BLOCK)) < 0 && errno == EINTR && !tool_interrupted())
		;
	return n;
}

static la_ssize_t pull(struct archive *a, void *arg, const void **p)
{
	struct source *s = arg;
	ssize_t n = (ssize_t)s->ready;

	s->ready = 0;
	*p = s->block;
	if (!n && (n = read_block(s)) < 0)
		archive_set_error(a, errno, "%s", strerror(errno));
	return n;
}

static la_int64_t seek(struct archive *a, void *arg, la_int64_t offset, int whence)
{
	struct source *s = arg;
	off_t at = lseek(s->fd, offset, whence);

	s->ready = 0;
	if (at < 0)
		archive_set_error(a, errno, "%s", strerror(errno));
	return at < 0 ? ARCHIVE_FATAL : at;
}

static ssize_t outer_block(struct archive *a, const char **p)
{
	const void *q;
	size_t n;
	la_int64_t offset;
	int rc;

	do
		rc = archive_read_data_block(a, &q, &n, &offset);
	while ((rc == ARCHIVE_OK && !n) || rc == ARCHIVE_RETRY);
	*p = q;
	return rc == ARCHIVE_EOF ? 0 : rc == ARCHIVE_OK || rc == ARCHIVE_WARN ? (ssize_t)n : -1;
}

static la_ssize_t pull_member(struct archive *a, void *arg, const void **p)
{
	struct source *s = arg;
	const char *q = s->peek;
	ssize_t n = (ssize_t)s->peeked;

	s->peeked = 0;
	if (!n && (n = outer_block(s->outer, &q)) < 0)
		archive_set_error(a, archive_errno(s->outer), "%s", archive_error_string(s->outer));
	*p = q;
	return n;
}

/* ---- opening ---- */

static int fail_archive(const struct source *s, struct archive *a, struct err *e)
{
	const char *why = archive_error_string(a);

	if (tool_interrupted())
		return err_set(e, "interrupted");
	return err_set(e, "%s: %s", s->path, why ? why : "cannot be read");
}

static struct archive *new_archive(bool with_formats)
{
	struct archive *a = archive_read_new();

	if (!a) {
		fputs("out of memory\n", stderr);
		abort();
	}
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_lz4(a);
	if (with_formats) {
		archive_read_support_format_tar(a);
		archive_read_support_format_zip(a);
	}
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);
	return a;
}

/* Records begin with '{'; so may the name of a tar's first member, but then 'ustar' stands at byte 257. */
static bool is_text(const char *p, size_t n)
{
	if (n >= 263 && !memcmp(p + 257, "ustar", 5))
		return false;
	return !n || *p == '{' || *p == ' ' || *p == '\n' || *p == '\r' || *p == '\t' || *p == '\xef';
}

static bool is_compressed(const char *p, size_t n)
{
	static const struct {
		const char *magic;
		size_t n;
	} known[] = {{"\x1f\x8b", 2}, {"\x28\xb5\x2f\xfd", 4}, {"\xfd" "7zXZ", 5}, {"BZh", 3}, {"\x04\x22\x4d\x18", 4}};
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (n >= known[i].n && !memcmp(p, known[i].magic, known[i].n))
			return true;
	return false;
}

/* The file, or the archive of an ARCHIVE:MEMBER. */
static int open_path(struct source *s, const char *path, struct err *e)
{
	struct stat st;
	const char *colon;
	int saved;

	s->path = xstrdup(path);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd >= 0)
		return fstat(s->fd, &st) == 0 && S_ISDIR(st.st_mode) ? err_set(e, "%s: is a folder", path) : 0;
	saved = errno;
	for (colon = path + strlen(path); errno == ENOENT && colon > path; colon--) {
		if (*colon != ':' || !colon[1])
			continue;
		s->path[colon - path] = 0;
		if (stat(s->path, &st) == 0 && S_ISREG(st.st_mode) && (s->fd = open(s->path, O_RDONLY | O_CLOEXEC)) >= 0) {
			s->member = xstrdup(colon + 1);
			return 0;
		}
		errno = saved;
	}
	errno = saved;
	return err_errno(e, "%s", path);
}

static int open_next(struct source *s, struct err *e)
{
	const char *path = s->files[s->at++];
	ssize_t n;

	if (!strcmp(path, "-")) {
		s->fd = 0;
		s->path = xstrdup("stdin");
	} else if (open_path(s, path, e) < 0) {
		return -1;
	}
	if ((n = read_block(s)) < 0)
		return tool_interrupted() ? err_set(e, "interrupted") : err_errno(e, "%s", s->path);
	s->ready = (size_t)n;
	if (!s->member && is_text(s->block, s->ready))
		return 0;
	s->outer = new_archive(true);
	archive_read_set_read_callback(s->outer, pull);
	archive_read_set_callback_data(s->outer, s);
	if (lseek(s->fd, 0, SEEK_CUR) == n)     /* not a pipe, nor a file that someone has read from before */
		archive_read_set_seek_callback(s->outer, seek);
	if (archive_read_open1(s->outer) != ARCHIVE_OK)
		return fail_archive(s, s->outer, e);
	return 0;
}

static const char *without_dot(const char *path)
{
	return !strncmp(path, "./", 2) ? path + 2 : path;
}

static int open_inner(struct source *s, struct err *e)
{
	struct archive_entry *entry;

	s->inner = new_archive(false);
	archive_read_set_read_callback(s->inner, pull_member);
	archive_read_set_callback_data(s->inner, s);
	if (archive_read_open1(s->inner) != ARCHIVE_OK || archive_read_next_header(s->inner, &entry) != ARCHIVE_OK)
		return fail_archive(s, s->inner, e);
	return 0;
}

/* The next member of s->outer: 1, 0 at the end. */
static int next_member(struct source *s, const char **name, struct err *e)
{
	struct archive_entry *entry;
	ssize_t n;
	int rc;

	if (s->inner)
		archive_read_free(s->inner);
	s->inner = NULL;
	for (;;) {
		const char *path;
		bool raw;

		rc = archive_read_next_header(s->outer, &entry);
		if (rc == ARCHIVE_EOF)
			break;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			return fail_archive(s, s->outer, e);
		raw = archive_format(s->outer) == ARCHIVE_FORMAT_RAW;
		path = archive_entry_pathname_utf8(entry);      /* the other fails on UTF-8 in the C locale */
		if (!path && !(path = archive_entry_pathname(entry)))
			path = "?";
		if (raw && s->member)
			return err_set(e, "%s: is no archive, so there is no '%s' in it", s->path, s->member);
		if (!raw && archive_entry_filetype(entry) != AE_IFREG)
			continue;
		if (s->member && strcmp(without_dot(path), without_dot(s->member)) != 0)
			continue;
		s->found = true;
		*name = keep_name(s, raw ? xstrdup(s->path) : xasprintf("%s:%s", s->path, path));
		if ((n = outer_block(s->outer, &s->peek)) < 0)
			return fail_archive(s, s->outer, e);
		s->peeked = (size_t)n;
		if (!raw && is_compressed(s->peek, s->peeked) && open_inner(s, e) < 0)
			return -1;
		return 1;
	}
	if (s->member && !s->found)
		return err_set(e, "%s: has no member '%s'", s->path, s->member);
	return 0;
}

int source_next(struct source *s, const char **name, struct err *e)
{
	int rc;

	for (;;) {
		if (s->outer && (rc = next_member(s, name, e)) != 0)
			return rc;
		close_file(s);
		if (s->at == s->n)
			return 0;
		if (open_next(s, e) < 0)
			return -1;
		if (!s->outer) {
			*name = keep_name(s, xstrdup(s->path));
			return 1;
		}
	}
}

ssize_t source_read(struct source *s, const char **p, struct err *e)
{
	ssize_t n;

	if (s->inner) {
		if ((n = outer_block(s->inner, p)) < 0)
			fail_archive(s, s->inner, e);
	} else if (s->outer && s->peeked) {
		*p = s->peek;
		n = (ssize_t)s->peeked;
		s->peeked = 0;
	} else if (s->outer) {
		if ((n = outer_block(s->outer, p)) < 0)
			fail_archive(s, s->outer, e);
	} else {
		n = (ssize_t)s->ready;
		s->ready = 0;
		*p = s->block;
		if (!n && (n = read_block(s)) < 0)
			tool_interrupted() ? err_set(e, "interrupted") : err_errno(e, "%s", s->path);
	}
	return n;
}
