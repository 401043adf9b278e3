#include "record/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/tool.h"
#include "record/parquet.h"

#define BLOCK ((size_t)256 << 10)
#define DEEPEST 4               /* compressed so many times over */

/* libarchive does not look at the sum that ends a gzip file, so we do, unless there may be more than one member in it (then the
 * ends of the others cannot be seen from here). */
struct gzip {
	bool is;
	int members;                    /* places where one may begin */
	uint32_t crc, length;           /* of what came out */
	unsigned char end[10];          /* the last bytes that went in */
	size_t n;
};

/* A file is read through layers: its descriptor; for each compression an archive of libarchive's 'raw' format; a tar or zip
 * archive; for the compression of a member again one; and last, what makes lines of Parquet. */
struct layer {
	struct layer *below;            /* NULL: reads fd */
	int fd;
	char *block;
	struct archive *a;              /* unpacks what is below; a member reads from its archive's */
	bool owns;
	struct gzip gzip;
	struct parquet *parquet;
	struct buf whole;               /* all of what is below, where Parquet's end cannot be gone to */
	const char *peek;               /* what was read to see what it is; given out first */
	ssize_t peeked;
	char why[1024];                 /* why it could not be read */
};

struct source {
	char *const *files;
	size_t n, at;                   /* the next one */
	char *path;                     /* what is open, without a member's name */
	char *wanted;                   /* the one member that was asked for, or NULL */
	bool found;
	struct layer *file;             /* the topmost layer that is open for all of the file */
	struct layer *archive;          /* the same if it is an archive, or NULL */
	struct layer *top;              /* what the caller reads; NULL: the next file or member is to be opened */
	const char *current;
	char **name;                    /* all names given out */
	size_t names, names_cap;
	int stop;                       /* readable: read no more */
	uint32_t crc[8][256];
};

/* ---- gzip's sum ---- */

static void crc_init(uint32_t t[8][256])
{
	uint32_t c;
	int i, k;

	for (i = 0; i < 256; i++) {
		for (c = (uint32_t)i, k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
		t[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			t[k][i] = t[k - 1][i] >> 8 ^ t[0][t[k - 1][i] & 255];
}

static uint32_t crc_add(uint32_t t[8][256], uint32_t crc, const unsigned char *p, size_t n)
{
	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		crc = t[7][crc & 255] ^ t[6][crc >> 8 & 255] ^ t[5][crc >> 16 & 255] ^ t[4][crc >> 24] ^
			t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]];
	}
	for (; n; n--)
		crc = crc >> 8 ^ t[0][(crc ^ *p++) & 255];
	return ~crc;
}

static void gzip_saw_input(struct gzip *g, const char *p, size_t n)
{
	unsigned char joint[4];
	const char *q = p, *end = p + n;
	size_t keep, i;

	/* a header that begins in the last two bytes of the block before */
	for (i = g->n >= 2 ? g->n - 2 : 0; i < g->n; i++) {
		size_t have = g->n - i, more = 3 - have;

		if (n < more)
			break;
		memcpy(joint, g->end + i, have);
		memcpy(joint + have, p, more);
		g->members += !memcmp(joint, "\x1f\x8b\x08", 3);
	}
	while (end - q >= 3 && (q = memchr(q, 0x1f, (size_t)(end - q) - 2))) {
		g->members += !memcmp(q, "\x1f\x8b\x08", 3);
		q++;
	}
	if (n >= sizeof g->end) {
		memcpy(g->end, end - sizeof g->end, sizeof g->end);
		g->n = sizeof g->end;
		return;
	}
	keep = g->n + n > sizeof g->end ? sizeof g->end - n : g->n;
	memmove(g->end, g->end + g->n - keep, keep);
	memcpy(g->end + keep, p, n);
	g->n = keep + n;
}

static bool gzip_fits(const struct gzip *g)
{
	const unsigned char *p;

	if (g->members != 1)
		return true;
	if (g->n < 8)
		return false;
	p = g->end + g->n - 8;
	return g->crc == ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24) &&
		g->length == ((uint32_t)p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24);
}

/* ---- layers ---- */

static ssize_t layer_fail(struct layer *l, const char *why)
{
	snprintf(l->why, sizeof l->why, "%s", why ? why : "cannot be read");
	return -1;
}

static ssize_t read_file(struct source *s, struct layer *l, const char **p)
{
	struct pollfd fd[2] = {{.fd = l->fd, .events = POLLIN}, {.fd = s->stop, .events = POLLIN}};
	ssize_t n;

	do {
		n = poll(fd, 2, -1);
		if (n > 0 && fd[1].revents)
			return layer_fail(l, "stopped");
		if (n > 0)
			n = read(l->fd, l->block, BLOCK);
	} while (n < 0 && errno == EINTR && !tool_interrupted());
	*p = l->block;
	return n < 0 ? layer_fail(l, strerror(errno)) : n;
}

static ssize_t read_archive(struct layer *l, const char **p)
{
	const void *q = NULL;
	size_t n = 0;
	la_int64_t offset;
	int rc;

	do
		rc = archive_read_data_block(l->a, &q, &n, &offset);
	while ((rc == ARCHIVE_OK && !n) || rc == ARCHIVE_RETRY);
	*p = q;
	if (rc == ARCHIVE_EOF)
		return 0;
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN ? (ssize_t)n : layer_fail(l, archive_error_string(l->a));
}

static ssize_t read_parquet(struct source *s, struct layer *l, const char **p)
{
	struct pollfd stop = {.fd = s->stop, .events = POLLIN};
	struct err e;
	ssize_t n;

	if (poll(&stop, 1, 0) > 0)
		return layer_fail(l, "stopped");
	n = parquet_read(l->parquet, p, &e);
	return n < 0 ? layer_fail(l, e.msg) : n;
}

/* The next bytes: 0 at the end, -1 and l->why. */
static ssize_t layer_read(struct source *s, struct layer *l, const char **p)
{
	ssize_t n = l->peeked;

	l->peeked = 0;
	*p = l->peek;
	if (n)
		return n;
	n = l->parquet ? read_parquet(s, l, p) : l->a ? read_archive(l, p) : read_file(s, l, p);
	if (l->gzip.is && n > 0) {
		l->gzip.crc = crc_add(s->crc, l->gzip.crc, (const unsigned char *)*p, (size_t)n);
		l->gzip.length += (uint32_t)n;
	} else if (l->gzip.is && n == 0 && !gzip_fits(&l->gzip)) {
		return layer_fail(l, "damaged or followed by something else: its sum does not fit");
	}
	return n;
}

static int layer_peek(struct source *s, struct layer *l)
{
	ssize_t n = layer_read(s, l, &l->peek);

	if (n > 0)
		l->peeked = n;
	return n < 0 ? -1 : 0;
}

static struct layer *layer_free(struct layer *l)
{
	struct layer *below = l->below;

	if (l->owns)
		archive_read_free(l->a);
	parquet_close(l->parquet);
	buf_free(&l->whole);
	if (!below && l->fd > 0)
		close(l->fd);
	free(l->block);
	free(l);
	return below;
}

struct pulled {                 /* what libarchive is given to pull with */
	struct source *source;
	struct layer *layer;
};

static la_ssize_t pull(struct archive *a, void *arg, const void **p)
{
	struct pulled *from = arg;
	struct layer *l = from->layer;
	const char *q = NULL;
	ssize_t n = layer_read(from->source, l->below, &q);

	if (n < 0)
		archive_set_error(a, EIO, "%s", l->below->why);
	if (n > 0 && l->gzip.is)
		gzip_saw_input(&l->gzip, q, (size_t)n);
	*p = q;
	return n;
}

static la_int64_t seek(struct archive *a, void *arg, la_int64_t offset, int whence)
{
	struct pulled *from = arg;
	struct layer *file = from->layer->below;
	off_t at = lseek(file->fd, offset, whence);

	file->peeked = 0;
	if (at < 0)
		archive_set_error(a, errno, "%s", strerror(errno));
	return at < 0 ? ARCHIVE_FATAL : at;
}

static int end_of_pull(struct archive *a, void *arg)
{
	(void)a;
	free(arg);
	return ARCHIVE_OK;
}

/* A layer on top of another: of filters, or of the formats tar and zip. It is there also on failure, with its `why`. */
static int add_layer(struct source *s, struct layer **top, bool filters)
{
	struct layer *l = xcalloc(1, sizeof *l);
	struct pulled *from = xmalloc(sizeof *from);
	struct archive *a = archive_read_new();

	if (!a) {
		fputs("out of memory\n", stderr);
		abort();
	}
	l->a = a;
	l->owns = true;
	l->below = *top;
	*from = (struct pulled){s, l};
	*top = l;
	if (filters) {
		archive_read_support_filter_gzip(a);
		archive_read_support_filter_zstd(a);
		archive_read_support_filter_xz(a);
		archive_read_support_filter_bzip2(a);
		archive_read_support_filter_lzma(a);
		archive_read_support_filter_lz4(a);
		l->gzip.is = l->below->peeked > 2 && !memcmp(l->below->peek, "\x1f\x8b", 2);
	} else {
		archive_read_support_format_tar(a);
		archive_read_support_format_zip(a);
		/* not from a pipe, nor in a file that someone has read from before */
		if (!l->below->below && lseek(l->below->fd, 0, SEEK_CUR) == l->below->peeked)
			archive_read_set_seek_callback(a, seek);
	}
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);
	archive_read_set_read_callback(a, pull);
	archive_read_set_close_callback(a, end_of_pull);
	archive_read_set_callback_data(a, from);
	return archive_read_open1(a) == ARCHIVE_OK ? 0 : (int)layer_fail(l, archive_error_string(a));
}

static bool is_compressed(const struct layer *l)
{
	static const struct {
		const char *magic;
		ssize_t n;
	} known[] = {{"\x1f\x8b", 2}, {"\x28\xb5\x2f\xfd", 4}, {"\xfd" "7zXZ", 5}, {"BZh", 3}, {"\x04\x22\x4d\x18", 4}, {"\x5d\0\0", 3}};
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (l->peeked >= known[i].n && !memcmp(l->peek, known[i].magic, (size_t)known[i].n))
			return true;
	return false;
}

/* Records begin with '{'; so may the name of a tar's first member, but then 'ustar' stands at byte 257. */
static bool is_text(const struct layer *l)
{
	const char *p = l->peek;

	if (l->peeked >= 263 && !memcmp(p + 257, "ustar", 5))
		return false;
	return !l->peeked || *p == '{' || *p == ' ' || *p == '\n' || *p == '\r' || *p == '\t' || *p == '\xef';
}

/* Layers on *top until what comes out is not compressed; its first bytes are then there to be looked at. */
static int uncompress(struct source *s, struct layer **top)
{
	struct archive_entry *entry;
	int deep;

	if (layer_peek(s, *top) < 0)
		return -1;
	for (deep = 0; is_compressed(*top); deep++) {
		int rc = add_layer(s, top, true);

		if (rc == 0 && archive_read_next_header((*top)->a, &entry) != ARCHIVE_OK)
			rc = (int)layer_fail(*top, archive_error_string((*top)->a));
		if (rc == 0 && archive_filter_count((*top)->a) < 2)
			rc = (int)layer_fail(*top, "begins as a compressed file does, but is none");
		if (rc == 0 && archive_filter_count((*top)->a) > 2)
			(*top)->gzip.is = false;        /* several at once: what goes in and what comes out are not of one file */
		if (rc == 0 && deep == DEEPEST)         /* there are files that unpack to themselves */
			rc = (int)layer_fail(*top, "is compressed too many times over");
		if (rc < 0 || layer_peek(s, *top) < 0)
			return -1;
	}
	return 0;
}

static bool is_parquet(const struct layer *l)
{
	return l->peeked > 0 && parquet_is(l->peek, (size_t)l->peeked);
}

/* A layer on top that gives out rows. Parquet begins at its end: what is no file that can be read from anywhere is read whole. */
static int add_parquet(struct source *s, struct layer **top)
{
	struct layer *l = xcalloc(1, sizeof *l), *below = *top;
	struct stat st;
	const char *p;
	struct err e;
	ssize_t n;

	l->below = below;
	*top = l;
	if (!below->below && fstat(below->fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(below->fd, 0, SEEK_CUR) == below->peeked) {
		l->parquet = parquet_open(below->fd, NULL, (uint64_t)st.st_size, PARQUET_LONGEST, &e);
	} else {
		while ((n = layer_read(s, below, &p)) > 0)
			buf_add(&l->whole, p, (size_t)n);
		if (n < 0)
			return (int)layer_fail(l, below->why);
		l->parquet = parquet_open(-1, l->whole.p, l->whole.n, PARQUET_LONGEST, &e);
	}
	return l->parquet ? 0 : (int)layer_fail(l, e.msg);
}

/* ---- files and members ---- */

/* Never 0, 1 or 2, also where one of them is closed: what is written there must go on to fail. */
static int event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), high;

	if (fd < 0 || fd > 2)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return high;
}

struct source *source_open(char *const *files, size_t n)
{
	static char *const only_stdin[] = {"-"};
	struct source *s = xcalloc(1, sizeof *s);

	s->files = n ? files : only_stdin;
	s->n = n ? n : 1;
	s->stop = event();
	crc_init(s->crc);
	return s;
}

static void close_member(struct source *s)
{
	while (s->top && s->top != s->file)
		s->top = layer_free(s->top);
	s->top = NULL;
}

static void close_file(struct source *s)
{
	close_member(s);
	while (s->file)
		s->file = layer_free(s->file);
	s->archive = NULL;
	free(s->path);
	free(s->wanted);
	s->path = s->wanted = NULL;
	s->found = false;
}

void source_close(struct source *s)
{
	size_t i;

	if (!s)
		return;
	close_file(s);
	if (s->stop >= 0)
		close(s->stop);
	for (i = 0; i < s->names; i++)
		free(s->name[i]);
	free(s->name);
	free(s);
}

static int fail(const char *name, const struct layer *l, struct err *e)
{
	return tool_interrupted() ? err_set(e, "interrupted") : err_set(e, "%s: %s", name, l->why);
}

static void set_name(struct source *s, char *name)
{
	s->name = xgrow(s->name, &s->names_cap, s->names + 1, sizeof *s->name);
	s->current = s->name[s->names++] = name;
}

/* The descriptor of a file, or of the archive of an ARCHIVE:MEMBER. */
static int open_path(struct source *s, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved = errno;
	const char *colon;
	struct stat st;

	s->path = xstrdup(path);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return err_set(e, "%s: is a folder", path);
	}
	if (fd >= 0)
		return fd;
	for (colon = path + strlen(path); saved == ENOENT && colon > path; colon--) {
		if (*colon != ':' || !colon[1])
			continue;
		s->path[colon - path] = 0;
		if (stat(s->path, &st) == 0 && S_ISREG(st.st_mode) && (fd = open(s->path, O_RDONLY | O_CLOEXEC)) >= 0) {
			s->wanted = xstrdup(colon + 1);
			return fd;
		}
	}
	errno = saved;
	return err_errno(e, "%s", path);
}

static int open_file(struct source *s, struct err *e)
{
	const char *path = s->files[s->at++];
	bool is_stdin = !strcmp(path, "-");
	int fd = 0;

	if (!is_stdin && (fd = open_path(s, path, e)) < 0)
		return -1;
	if (is_stdin)
		s->path = xstrdup("stdin");
	s->file = xcalloc(1, sizeof *s->file);
	s->file->fd = fd;
	s->file->block = xmalloc(BLOCK);
	if (uncompress(s, &s->file) < 0)
		return fail(s->path, s->file, e);
	if ((is_text(s->file) || is_parquet(s->file)) && !s->wanted) {
		if (is_parquet(s->file) && add_parquet(s, &s->file) < 0)
			return fail(s->path, s->file, e);
		s->top = s->file;
		set_name(s, xstrdup(s->path));
		return 0;
	}
	if (add_layer(s, &s->file, false) < 0)
		return fail(s->path, s->file, e);
	s->archive = s->file;
	return 0;
}

static const char *without_dot(const char *path)
{
	return !strncmp(path, "./", 2) ? path + 2 : path;
}

/* The next member of the archive: 1, 0 at the end. */
static int open_member(struct source *s, struct err *e)
{
	struct archive *a = s->archive->a;
	struct archive_entry *entry;
	int rc;

	for (;;) {
		const char *path;
		bool raw;

		rc = archive_read_next_header(a, &entry);
		if (rc == ARCHIVE_EOF)
			break;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
			layer_fail(s->archive, archive_error_string(a));
			return fail(s->path, s->archive, e);
		}
		raw = archive_format(a) == ARCHIVE_FORMAT_RAW;          /* no archive after all, but text of some sort */
		path = archive_entry_pathname_utf8(entry);      /* the other fails on UTF-8 in the C locale */
		if (!path && !(path = archive_entry_pathname(entry)))
			path = "?";
		if (raw && s->wanted)
			return err_set(e, "%s: is no archive, so there is no '%s' in it", s->path, s->wanted);
		if (!raw && archive_entry_filetype(entry) != AE_IFREG)
			continue;
		if (s->wanted && strcmp(without_dot(path), without_dot(s->wanted)) != 0)
			continue;
		s->found = true;
		set_name(s, raw ? xstrdup(s->path) : xasprintf("%s:%s", s->path, path));
		s->top = xcalloc(1, sizeof *s->top);
		s->top->below = s->archive;
		s->top->a = a;
		if (uncompress(s, &s->top) < 0 || (is_parquet(s->top) && add_parquet(s, &s->top) < 0))
			return fail(s->current, s->top, e);
		return 1;
	}
	if (s->wanted && !s->found)
		return err_set(e, "%s: has no member '%s'", s->path, s->wanted);
	return 0;
}

int source_next(struct source *s, const char **name, struct err *e)
{
	int rc = 0;

	close_member(s);
	while (!s->top) {
		if (s->archive && (rc = open_member(s, e)) < 0)
			return -1;
		if (s->top)
			break;
		close_file(s);
		if (s->at == s->n)
			return 0;
		if (open_file(s, e) < 0)
			return -1;
	}
	*name = s->current;
	return 1;
}

ssize_t source_read(struct source *s, const char **p, struct err *e)
{
	ssize_t n = layer_read(s, s->top, p);

	return n < 0 ? fail(s->current, s->top, e) : n;
}

void source_stop(struct source *s)
{
	if (s->stop >= 0)
		eventfd_write(s->stop, 1);
}

bool source_ready(const struct source *s)
{
	struct pollfd fd = {.events = POLLIN};

	if (s->file ? s->file->below || s->top != s->file : s->at == s->n || strcmp(s->files[s->at], "-") != 0)
		return true;
	fd.fd = s->file ? s->file->fd : 0;
	return poll(&fd, 1, 0) != 0;
}
