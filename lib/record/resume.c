#include "record/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "record/scan.h"

struct entry {                          /* a line that was there */
	struct resume_line at;
	int64_t line;
	size_t next;                    /* index + 1 of the next one with the same key; 0: none */
	size_t last;                    /* ... and, in the first one, of the last */
	bool found;
};

struct resume {
	char *path;
	int fd;
	int64_t end;                    /* of the whole lines */
	bool open_line, cut;            /* the last whole line lacks its newline; bytes behind `end` are to go */
	struct entry *entry;
	size_t n, cap;
	struct map first;               /* key -> index + 1 of the first that is not found yet */
	struct resume_line *order;
	size_t ordered, order_cap;
	struct buf text, key;
};

static int fail(const struct resume *f, struct err *e)
{
	return err_errno(e, "%s", f->path);
}

/* A map from (id, sample): the id may hold anything, the number in front of it not. */
static void make_key(struct resume *f, const char *id, size_t n, int64_t sample)
{
	buf_clear(&f->key);
	buf_printf(&f->key, "%lld ", (long long)sample);
	buf_add(&f->key, id, n);
}

static int add_entry(struct resume *f, struct record *r, struct resume_line at, int64_t line, struct err *e)
{
	const char *id;
	int64_t sample, *first;
	size_t n;

	if (!(id = record_string(r, "id", &n, e)) || record_int(r, "sample", &sample, e) < 0)
		return -1;
	make_key(f, id, n, sample);
	f->entry = xgrow(f->entry, &f->cap, f->n + 1, sizeof *f->entry);
	f->entry[f->n++] = (struct entry){.at = at, .line = line};
	first = map_put(&f->first, f->key.p, f->key.n);
	if (*first)
		f->entry[f->entry[*first - 1].last - 1].next = f->n;
	else
		*first = (int64_t)f->n;
	f->entry[*first - 1].last = f->n;
	return 0;
}

static bool is_blank(const char *s, size_t n)
{
	while (n && memchr(" \t\r", *s, 3))
		s++, n--;
	return n == 0;
}

/* Line number `line`, which is in r->raw; not `whole`: the file ends before its newline. */
static int take_line(struct resume *f, struct record *r, int64_t line, bool whole, struct err *e)
{
	struct resume_line at = {f->end, (int64_t)r->raw.n};

	if (!is_blank(r->raw.p ? r->raw.p : "", r->raw.n)) {
		if (record_take(r, f->path, line, e) < 0) {
			f->cut = !whole;
			return whole ? -1 : 0;
		}
		if (add_entry(f, r, at, line, e) < 0)
			return -1;
		f->open_line = !whole;
	}
	f->end += at.n + whole;
	return 0;
}

static int read_lines(struct resume *f, struct err *e)
{
	struct record r = {0};
	struct buf block = {0};
	int64_t at = 0, line = 0;
	size_t size = 1 << 20;
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = pread(f->fd, buf_room(&block, size), size, at)) > 0) {
		const char *p = block.p, *end = p + n, *nl;

		at += n;
		for (; rc == 0 && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
			buf_add(&r.raw, p, (size_t)(nl - p));
			rc = take_line(f, &r, ++line, true, e);
			buf_clear(&r.raw);
		}
		if (rc == 0 && p < end)
			buf_add(&r.raw, p, (size_t)(end - p));
	}
	if (rc == 0 && n < 0)
		rc = fail(f, e);
	if (rc == 0 && r.raw.n)
		rc = take_line(f, &r, ++line, false, e);
	record_free(&r);
	buf_free(&block);
	return rc;
}

struct resume *resume_open(const char *path, struct err *e)
{
	struct resume *f = xcalloc(1, sizeof *f);
	struct stat st;

	f->path = xstrdup(path);
	f->fd = -1;
	if (writer_packs(path)) {
		err_set(e, "%s: a compressed file cannot be gone on with; compress it when it is whole", path);
		goto bad;
	}
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		err_set(e, "%s: is no plain file, and cannot be gone on with", path);
		goto bad;
	}
	f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (f->fd < 0) {
		fail(f, e);
		goto bad;
	}
	if (flock(f->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
		err_set(e, "%s: another run is writing it", path);
		goto bad;
	}
	if (read_lines(f, e) < 0)
		goto bad;
	return f;
bad:
	resume_close(f, false, NULL);
	return NULL;
}

int64_t resume_kept(const struct resume *f)
{
	return (int64_t)f->n;
}

bool resume_cut(const struct resume *f)
{
	return f->cut;
}

static int read_at(struct resume *f, struct resume_line at, struct buf *to, struct err *e)
{
	int64_t done = 0;

	buf_room(to, (size_t)at.n);
	while (done < at.n) {
		ssize_t n = pread(f->fd, to->p + to->n, (size_t)(at.n - done), at.at + done);

		if (n < 0)
			return fail(f, e);
		if (n == 0)
			return err_set(e, "%s: has become shorter meanwhile", f->path);
		to->n += (size_t)n;
		done += n;
	}
	return 0;
}

int resume_find(struct resume *f, const char *id, size_t n, int64_t sample, struct record *r, struct resume_line *at, struct err *e)
{
	struct entry *entry;
	int64_t *first;

	make_key(f, id, n, sample);
	first = map_get(&f->first, f->key.p, f->key.n);
	if (!first || !*first)
		return 0;
	entry = &f->entry[*first - 1];
	*first = (int64_t)entry->next;
	entry->found = true;
	*at = entry->at;
	buf_clear(&r->raw);
	if (read_at(f, entry->at, &r->raw, e) < 0 || record_take(r, f->path, entry->line, e) < 0)
		return -1;
	return 1;
}

/* What is behind the whole lines goes. */
static int trim(struct resume *f, struct err *e)
{
	if (f->cut && ftruncate(f->fd, f->end) < 0)
		return fail(f, e);
	f->cut = false;
	return 0;
}

int resume_add(struct resume *f, const struct record *r, struct resume_line *at, struct err *e)
{
	size_t done = 0, skip = f->open_line;

	if (trim(f, e) < 0)
		return -1;
	buf_clear(&f->text);
	if (skip)
		buf_char(&f->text, '\n');
	record_write(r, &f->text);
	buf_char(&f->text, '\n');
	while (done < f->text.n) {
		ssize_t n = pwrite(f->fd, f->text.p + done, f->text.n - done, f->end + (int64_t)done);

		if (n <= 0) {
			fail(f, e);
			if (ftruncate(f->fd, f->end) < 0)       /* the half line that stays is dropped by the next run */
				return -1;
			return -1;
		}
		done += (size_t)n;
	}
	*at = (struct resume_line){f->end + (int64_t)skip, (int64_t)(f->text.n - skip - 1)};
	f->end += (int64_t)f->text.n;
	f->open_line = false;
	return 0;
}

void resume_order(struct resume *f, struct resume_line at)
{
	f->order = xgrow(f->order, &f->order_cap, f->ordered + 1, sizeof *f->order);
	f->order[f->ordered++] = at;
}

/* Is the file the lines in their order and nothing else? */
static bool in_order(const struct resume *f)
{
	int64_t at = 0;
	size_t i;

	for (i = 0; i < f->ordered; i++) {
		if (f->order[i].at != at)
			return false;
		at += f->order[i].n + 1;
	}
	return at == f->end && !f->open_line;
}

static int copy_lines(struct resume *f, FILE *to, const char *tmp, struct err *e)
{
	size_t i;

	for (i = 0; i < f->ordered; i++) {
		buf_clear(&f->text);
		if (read_at(f, f->order[i], &f->text, e) < 0)
			return -1;
		buf_char(&f->text, '\n');
		if (fwrite(f->text.p, 1, f->text.n, to) != f->text.n)
			return err_errno(e, "%s", tmp);
	}
	if (fflush(to) != 0 || fsync(fileno(to)) != 0)
		return err_errno(e, "%s", tmp);
	return 0;
}

/* The lines in their order, in a file of their own that takes this one's place. */
static int rewrite(struct resume *f, struct err *e)
{
	char *real = realpath(f->path, NULL), *tmp;
	struct stat st;
	FILE *to;
	int rc = -1;

	if (!real)
		return fail(f, e);
	tmp = xasprintf("%s.tmp", real);
	to = fopen(tmp, "we");
	if (!to) {
		err_errno(e, "%s", tmp);
	} else {
		if (fstat(f->fd, &st) == 0)
			fchmod(fileno(to), st.st_mode & 07777);
		rc = copy_lines(f, to, tmp, e);
		if (fclose(to) != 0 && rc == 0)
			rc = err_errno(e, "%s", tmp);
		if (rc == 0 && rename(tmp, real) < 0)
			rc = fail(f, e);
		if (rc < 0)
			unlink(tmp);
	}
	free(tmp);
	free(real);
	return rc;
}

static int finish(struct resume *f, struct err *e)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (!f->entry[i].found)
			return err_set(e, "%s:%lld: this completion is none of those asked for; what is asked for is there, too", f->path,
				       (long long)f->entry[i].line);
	if (trim(f, e) < 0)
		return -1;
	if (!in_order(f))
		return rewrite(f, e);
	return fsync(f->fd) < 0 ? fail(f, e) : 0;
}

int resume_close(struct resume *f, bool whole, struct err *e)
{
	int rc = 0;

	if (!f)
		return 0;
	if (whole)
		rc = finish(f, e);
	if (f->fd >= 0)
		close(f->fd);
	map_free(&f->first);
	free(f->entry);
	free(f->order);
	buf_free(&f->text);
	buf_free(&f->key);
	free(f->path);
	free(f);
	return rc;
}
