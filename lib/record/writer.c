#include "record/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/mem.h"

struct writer {
	FILE *f;                        /* stdout, or what was opened */
	char *path, *tmp;               /* tmp NULL: written in place */
	struct archive *gz;             /* compresses on the way to f, or NULL */
	struct buf line;
	bool each;                      /* flush each record; else one that comes a second or two after the last flush */
	time_t flushed;
	bool given_up;                  /* what libarchive still has goes nowhere */
};

static const char *name_of(const struct writer *w)
{
	return w->path ? w->path : "standard output";
}

static int fail(const struct writer *w, struct err *e)
{
	if (!errno)
		errno = EIO;
	return err_errno(e, "%s", name_of(w));
}

static int fail_archive(const struct writer *w, struct err *e)
{
	const char *why = archive_error_string(w->gz);

	return err_set(e, "%s: %s", name_of(w), why ? why : "cannot be compressed");
}

static la_ssize_t push(struct archive *a, void *arg, const void *p, size_t n)
{
	struct writer *w = arg;

	errno = 0;
	if (w->given_up || fwrite(p, 1, n, w->f) == n)
		return (la_ssize_t)n;
	archive_set_error(a, errno, "%s", strerror(errno ? errno : EIO));
	return -1;
}

typedef int add_filter_fn(struct archive *a);

/* What compresses a file of that name; NULL: nothing does */
static add_filter_fn *filter_of(const char *path)
{
	static const struct {
		const char *end;
		add_filter_fn *add;
	} filters[] = {{".gz", archive_write_add_filter_gzip}, {".zst", archive_write_add_filter_zstd}, {".xz", archive_write_add_filter_xz},
		       {".bz2", archive_write_add_filter_bzip2}};
	size_t i, n = strlen(path), k;

	for (i = 0; i < sizeof filters / sizeof *filters; i++)
		if ((k = strlen(filters[i].end)) < n && !strcmp(path + n - k, filters[i].end))
			return filters[i].add;
	return NULL;
}

bool writer_packs(const char *path)
{
	return filter_of(path) != NULL;
}

static int begin_compression(struct writer *w, struct err *e)
{
	add_filter_fn *add = filter_of(w->path);
	struct archive_entry *entry;
	struct archive *a;
	int rc;

	if (!add)
		return 0;
	a = w->gz = archive_write_new();
	rc = add(a);
	archive_write_set_filter_option(a, "gzip", "timestamp", NULL);          /* the same records, the same bytes */
	archive_write_set_format_raw(a);
	archive_write_set_bytes_in_last_block(a, 1);
	if (rc != ARCHIVE_OK || archive_write_open(a, w, NULL, push, NULL) != ARCHIVE_OK)
		return fail_archive(w, e);
	entry = archive_entry_new();
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_pathname(entry, "records");
	rc = archive_write_header(a, entry);
	archive_entry_free(entry);
	return rc == ARCHIVE_OK ? 0 : fail_archive(w, e);
}

static void free_writer(struct writer *w)
{
	free(w->path);
	free(w->tmp);
	buf_free(&w->line);
	free(w);
}

struct writer *writer_open(const char *path, struct err *e)
{
	struct writer *w = xcalloc(1, sizeof *w);
	struct stat st;

	if (!path || !strcmp(path, "-")) {
		w->f = stdout;
		w->each = fstat(fileno(stdout), &st) != 0 || !S_ISREG(st.st_mode);
		return w;
	}
	w->path = realpath(path, NULL);         /* what a symbolic link names is replaced, not the link */
	if (!w->path)
		w->path = xstrdup(path);
	if (stat(w->path, &st) != 0 || S_ISREG(st.st_mode))
		w->tmp = xasprintf("%s.tmp", w->path);
	else
		w->each = true;
	w->f = fopen(w->tmp ? w->tmp : w->path, "we");
	if (!w->f) {
		err_errno(e, "%s", path);
		free_writer(w);
		return NULL;
	}
	if (begin_compression(w, e) < 0) {
		writer_close(w, NULL);
		return NULL;
	}
	return w;
}

bool writer_appears(const struct writer *w)
{
	return w && w->tmp;
}

bool writer_same(const struct writer *a, const struct writer *b)
{
	struct stat x, y;

	return a && b && a->tmp && b->tmp && !fstat(fileno(a->f), &x) && !fstat(fileno(b->f), &y) && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static int write_out(struct writer *w, const char *s, size_t n, struct err *e)
{
	errno = 0;
	if (w->gz)
		return archive_write_data(w->gz, s, n) == (la_ssize_t)n ? 0 : fail_archive(w, e);
	return fwrite(s, 1, n, w->f) == n ? 0 : fail(w, e);
}

int writer_text(struct writer *w, const char *s, size_t n, struct err *e)
{
	struct timespec now;

	if (write_out(w, s, n, e) < 0)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!w->each && now.tv_sec - w->flushed < 2)
		return 0;
	w->flushed = now.tv_sec;
	return writer_flush(w, e);
}

int writer_flush(struct writer *w, struct err *e)
{
	errno = 0;
	return fflush(w->f) != 0 ? fail(w, e) : 0;
}

struct putting {                        /* a record, on its way */
	struct writer *w;
	struct err *e;
	int rc;
};

static void put_piece(void *arg, const char *s, size_t n)
{
	struct putting *p = arg;

	if (p->rc == 0)
		p->rc = write_out(p->w, s, n, p->e);
}

int writer_put(struct writer *w, const struct record *r, struct err *e)
{
	struct putting p = {w, e, 0};

	record_write_pieces(r, &w->line, put_piece, &p);
	return p.rc < 0 ? -1 : writer_text(w, "\n", 1, e);
}

int writer_close(struct writer *w, struct err *e)
{
	int rc = 0;

	if (!w)
		return 0;
	errno = 0;
	if (w->gz) {
		w->given_up = !e;
		if (archive_write_close(w->gz) != ARCHIVE_OK && e)
			rc = fail_archive(w, e);
		archive_write_free(w->gz);
	}
	errno = 0;
	if (rc == 0 && e && (fflush(w->f) != 0 || ferror(w->f)))
		rc = fail(w, e);
	if (rc == 0 && e && w->tmp && fsync(fileno(w->f)) != 0)
		rc = fail(w, e);
	if (w->path && fclose(w->f) != 0 && rc == 0 && e)
		rc = fail(w, e);
	if (w->tmp && e && rc == 0 && rename(w->tmp, w->path) != 0)
		rc = fail(w, e);
	if (w->tmp && (!e || rc < 0))
		unlink(w->tmp);
	free_writer(w);
	return rc;
}
