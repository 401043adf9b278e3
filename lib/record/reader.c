#include "record/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/team.h"
#include "record/scan.h"
#include "record/source.h"

#define WARNINGS 10

struct reader {
	struct source *source;
	struct tool *tool;
	const char *file;               /* the one read last */
	bool open;
	int64_t line;
	const char *p, *end;            /* what is left of the block read last */
	int64_t bad;
	struct arena heard;             /* names of files that another process reads */
};

struct reader *reader_open(char *const *files, size_t n, struct tool *t)
{
	struct reader *in = xcalloc(1, sizeof *in);

	in->source = source_open(files, n);
	in->tool = t;
	return in;
}

void reader_close(struct reader *in)
{
	if (!in)
		return;
	source_close(in->source);
	arena_free(&in->heard);
	free(in);
}

/* The next line into `to`, without its newline: 1, 0 at the end of all files, -1. *whole: its newline was there. */
static int next_line(struct reader *in, struct buf *to, bool *whole, struct err *e)
{
	ssize_t n;
	int rc;

	buf_clear(to);
	for (;;) {
		if (in->p < in->end) {
			const char *nl = memchr(in->p, '\n', (size_t)(in->end - in->p));

			buf_add(to, in->p, (size_t)((nl ? nl : in->end) - in->p));
			in->p = nl ? nl + 1 : in->end;
			*whole = nl != NULL;
			if (nl) {
				in->line++;
				return 1;
			}
		}
		if (!in->open) {
			if ((rc = source_next(in->source, &in->file, e)) <= 0)
				return rc;
			in->open = true;
			in->line = 0;
		}
		if ((n = source_read(in->source, &in->p, e)) < 0)
			return -1;
		in->end = n ? in->p + n : in->p;        /* p may be NULL */
		if (!n) {
			in->open = false;
			if (to->n) {
				in->line++;
				return 1;
			}
		}
	}
}

static bool is_blank(const struct buf *line)
{
	return *scan_space(line->p) == 0 && scan_space(line->p) == line->p + line->n;
}

static int read_line(struct reader *in, struct record *r, struct err *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	bool whole = false;
	int rc;

	for (;;) {
		if (tool_interrupted())
			return err_set(e, "interrupted");
		if ((rc = next_line(in, &r->raw, &whole, e)) <= 0) {
			record_clear(r);
			return rc;
		}
		if (in->line == 1 && r->raw.n >= 3 && !memcmp(r->raw.p, bom, 3)) {
			r->raw.n -= 3;
			memmove(r->raw.p, r->raw.p + 3, r->raw.n + 1);
		}
		if (is_blank(&r->raw))
			continue;
		r->file = in->file;
		r->line = in->line;
		r->cut = !whole;
		return 1;
	}
}

/* A team has one input, which its first process reads to all. */
static int hear_line(struct reader *in, struct record *r, struct err *e)
{
	struct { int64_t line; size_t bytes, name; int rc; bool cut; } head = {0};
	const char *last = in->file;

	if (team_rank() == 0) {
		head.rc = read_line(in, r, e);
		if (head.rc > 0) {
			head.line = r->line;
			head.bytes = r->raw.n;
			head.cut = r->cut;
			head.name = r->file && r->file != last ? strlen(r->file) + 1 : 0;
		}
	}
	team_broadcast(&head, sizeof head);
	if (head.rc < 0) {
		team_broadcast(e, sizeof *e);
		return -1;
	}
	if (team_rank() > 0) {
		record_clear(r);
		buf_room(&r->raw, head.bytes);
		r->raw.n = head.bytes;
		r->raw.p[head.bytes] = 0;
		if (head.name)
			in->file = arena_alloc(&in->heard, head.name);
		r->file = in->file;
		r->line = head.line;
		r->cut = head.cut;
	}
	team_broadcast(r->raw.p, head.bytes);
	team_broadcast((char *)in->file, head.name);
	return head.rc;
}

int reader_line(struct reader *in, struct record *r, struct err *e)
{
	return team_size() > 1 ? hear_line(in, r, e) : read_line(in, r, e);
}

int record_index(struct record *r, struct err *e)
{
	if (record_take(r, r->file, r->line, e) == 0)
		return 0;
	return r->cut ? record_error(r, e, "the last line is cut off") : -1;
}

int reader_next(struct reader *in, struct record *r, struct err *e)
{
	int rc;

	while ((rc = reader_line(in, r, e)) > 0)
		if (record_index(r, e) == 0 || (rc = reader_bad(in, e)) < 0)
			break;
	return rc;
}

void reader_stop(struct reader *in)
{
	source_stop(in->source);
}

bool reader_ready(const struct reader *in)
{
	return (in->p < in->end && memchr(in->p, '\n', (size_t)(in->end - in->p))) || source_ready(in->source);
}

int reader_bad(struct reader *in, struct err *e)
{
	if (!in->tool || !in->tool->skip_bad)
		return -1;
	in->tool->skipped++;
	if (++in->bad <= WARNINGS)
		tool_warn("%s", e->msg);
	if (in->bad == WARNINGS)
		tool_warn("further lines that are skipped will not be shown");
	return 0;
}
