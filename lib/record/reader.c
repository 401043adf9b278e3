#include "record/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/team.h"
#include "record/scan.h"
#include "record/source.h"

#define WARNINGS 10
#define BLOCK ((size_t)1 << 20)

struct reader {
	struct source *source;
	struct tool *tool;
	const char *file;               /* the one read last */
	bool open;
	int64_t line;
	const char *p, *end;            /* what is left of the block read last */
	int64_t bad;
	struct buf block;               /* of a team: lines that all have */
	size_t heard_of;                /* so far they have been read */
	const char *heard;              /* the file of the last */
	struct arena names;
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
	buf_free(&in->block);
	arena_free(&in->names);
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

/* A team has one input, which its first process reads to all: what is there, a block of lines at a time, each behind a head. */
struct head {
	int64_t line;
	size_t bytes, name, told;       /* of the line; of its file's name and of a failure's reason, each with a NUL, where there is one */
	int rc;
	bool cut;
};

static void read_block(struct reader *in, struct err *e)
{
	const char *last = in->file;
	struct record r = {0};
	int rc;

	do {
		rc = read_line(in, &r, e);
		const struct head head = {.line = r.line, .bytes = r.raw.n, .name = rc > 0 && r.file != last ? strlen(r.file) + 1 : 0,
					  .told = rc < 0 ? strlen(e->msg) + 1 : 0, .rc = rc, .cut = r.cut};

		buf_add(&in->block, &head, sizeof head);
		buf_add(&in->block, r.file, head.name);
		buf_add(&in->block, e->msg, head.told);
		buf_add(&in->block, r.raw.p, r.raw.n);
		last = in->file;
	} while (rc > 0 && in->block.n < BLOCK && reader_ready(in));
	record_free(&r);
}

/* The end stays at the end of the last block. */
static int hear_line(struct reader *in, struct record *r, struct err *e)
{
	struct head head;
	const char *p;
	size_t n;

	if (in->heard_of == in->block.n) {
		buf_clear(&in->block);
		in->heard_of = 0;
		if (team_rank() == 0)
			read_block(in, e);
		n = in->block.n;
		team_broadcast(&n, sizeof n);
		buf_room(&in->block, n);
		in->block.n = n;
		team_broadcast(in->block.p, n);
		if (team_agree(0, e) < 0) {
			in->heard_of = in->block.n;
			return -1;
		}
	}
	p = in->block.p + in->heard_of;
	memcpy(&head, p, sizeof head);
	p += sizeof head;
	record_clear(r);
	if (head.rc <= 0) {
		if (head.rc < 0)
			err_set(e, "%s", p);
		return head.rc;
	}
	if (head.name)
		in->heard = arena_strndup(&in->names, p, head.name - 1);
	p += head.name;
	buf_add(&r->raw, p, head.bytes);
	r->file = in->heard;
	r->line = head.line;
	r->cut = head.cut;
	in->heard_of += sizeof head + head.name + head.bytes;
	return 1;
}

int reader_line(struct reader *in, struct record *r, struct err *e)
{
	return team_size() > 1 ? hear_line(in, r, e) : read_line(in, r, e);
}

int record_index(struct record *r, struct err *e)
{
	if (record_take(r, r->file, r->line, e) == 0)
		return 0;
	if (r->line == 1 && js_is_utf16(r->raw.p, r->raw.n))
		return record_error(r, e, "the file is UTF-16, not UTF-8");
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
