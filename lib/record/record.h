/* record.h - records: one JSON object per line, each field known by its place in the line
 *
 * A tool reads records, looks at some fields, sets some, and writes the record on. Every byte that it does not set goes through
 * as it was read, in order. r1-advantage, without its options:
 *
 *     struct reader *in = reader_open(argv, argc, &tool);      // the files named; stdin if none
 *     struct writer *out = writer_open(NULL, &e);              // stdout
 *     struct record r = {0};
 *     double reward;
 *     int rc = out ? 0 : -1;
 *
 *     while (rc >= 0 && (rc = reader_next(in, &r, &e)) > 0) {
 *             if (record_number(&r, "reward", &reward, &e) < 0) {      // x.jsonl:7: 'reward' is missing (id sum-12)
 *                     rc = reader_bad(in, &e);                         // 0: dropped and counted, under --skip-bad
 *                     continue;
 *             }
 *             record_set_number(&r, "advantage", reward - 0.5);
 *             rc = writer_put(out, &r, &e);
 *     }
 *     record_free(&r);
 *     reader_close(in);
 *     if (writer_close(out, rc < 0 ? NULL : &e) < 0 || rc < 0)
 *             return tool_fail(&tool, &e);
 *     return tool_end(&tool);                                  // 3 if lines were dropped
 *
 * A struct record is plain data: all zero is an empty record; it may be moved by assignment (`held[n++] = r; r = (struct
 * record){0};`) and owns its memory, apart from `file`, which lives until its reader is closed. What the getters return lives
 * in the record until it is read anew, cleared or freed; setting a field does not disturb it.
 *
 * What is held: each record is one JSON object with names that do not repeat, strictly by RFC 8259 (valid UTF-8, no NaN, no
 * lone surrogate, no NUL in a name, at most 2,048 levels deep). Numbers of any size pass through; they must fit where they are
 * asked for. Names repeated inside a field's value are found when that value is decoded (record_js, record_named).
 * A field that is null counts as absent.
 */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/tool.h"
#include "record/json.h"

/* ---- records ---- */

struct record_field;
struct record_chunk;

struct record {
	const char *file;               /* where it was read; NULL for one that was made */
	int64_t line;
	struct buf raw;                 /* the line as it was read, without its newline */
	struct buf fresh;               /* JSON text of the names and values that were set */
	struct record_field *field;
	size_t n, cap;
	struct record_chunk *chunk;     /* what the getters gave out */
	bool changed;
	bool cut;                       /* the file ended before the line did */
};

/* Makes r of one line of text; the message has no place in front and no id behind. Also for a record that is made from nothing. */
int record_parse(struct record *r, const char *line, size_t n, struct err *e);
void record_clear(struct record *r);                            /* {}, from no file */
void record_copy(struct record *to, const struct record *from);
void record_free(struct record *r);

/* e: FILE:LINE: text (id X). Returns -1. */
int record_error(const struct record *r, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- fields: -1 or NULL with e set (as by record_error) where one is absent or is not what was asked for ---- */

bool record_has(const struct record *r, const char *name);                      /* there and not null */
const char *record_type(const struct record *r, const char *name);              /* "a string", ..., "null", "missing" */

const char *record_string(struct record *r, const char *name, size_t *n, struct err *e);    /* NUL behind; n may be NULL */
int record_int(struct record *r, const char *name, int64_t *value, struct err *e);          /* 3 and 3.0, not 3.5 */
int record_number(struct record *r, const char *name, double *value, struct err *e);
int record_bool(struct record *r, const char *name, bool *value, struct err *e);
int32_t *record_ints(struct record *r, const char *name, size_t *n, struct err *e);         /* an array of whole numbers */
float *record_floats(struct record *r, const char *name, size_t *n, struct err *e);         /* an array of numbers */

struct named {                  /* one member of an object of numbers, such as 'rewards' */
	const char *name;
	double value;           /* NaN for null */
};
struct named *record_named(struct record *r, const char *name, size_t *n, struct err *e);

/* Anything else ('messages', 'tests'): decoded by Jansson, the record's own. */
const struct js *record_js(struct record *r, const char *name, struct err *e);

/* ---- setting: a field that is there keeps its place, a new one comes last ---- */

void record_set_string(struct record *r, const char *name, const char *s, size_t n);    /* what is no UTF-8 becomes U+FFFD */
void record_set_str(struct record *r, const char *name, const char *s);
void record_set_int(struct record *r, const char *name, int64_t value);
void record_set_uint(struct record *r, const char *name, uint64_t value);
void record_set_number(struct record *r, const char *name, double value);               /* not finite: null */
void record_set_bool(struct record *r, const char *name, bool value);
void record_set_null(struct record *r, const char *name);
void record_set_ints(struct record *r, const char *name, const int32_t *v, size_t n);
void record_set_floats(struct record *r, const char *name, const float *v, size_t n);   /* digits that give the float32 back */
void record_set_named(struct record *r, const char *name, const struct named *v, size_t n);
void record_set_js(struct record *r, const char *name, const struct js *j);             /* written at once; not taken over */
void record_remove(struct record *r, const char *name);

/* The record as one line without its newline, added to `to`. */
void record_write(const struct record *r, struct buf *to);
typedef void record_put_fn(void *arg, const char *s, size_t n);
void record_write_pieces(const struct record *r, struct buf *room, record_put_fn *put, void *arg);      /* to `put`, by way of `room` */

/* ---- reading ---- */

struct reader;

/* Over the files named, in order; n == 0 or "-": stdin. Files may be compressed (gz, zst, xz, bz2, ...), be tar or zip
 * archives, whose members are read in order and named ARCHIVE:MEMBER in messages, or be one such ARCHIVE:MEMBER. Nothing is
 * opened before its turn. t (may be NULL) says whether bad lines are skipped, and counts them. */
struct reader *reader_open(char *const *files, size_t n, struct tool *t);
void reader_close(struct reader *in);

/* The next record: 1, or 0 at the end, or -1. Blocks only while the line is not there yet. Blank lines are no records.
 * A line that is no record is an error or, under --skip-bad, a warning (the first ten of them) and passed over. What stops a
 * file from being read any further is always an error, as is a signal to end. */
int reader_next(struct reader *in, struct record *r, struct err *e);

/* The same in two halves, of which the second may be another thread's: the next line that is not blank, not looked at yet (then only
 * record_index may be called for it); and that line made a record, or -1 with e where it is none, for reader_bad. */
int reader_line(struct reader *in, struct record *r, struct err *e);
int record_index(struct record *r, struct err *e);

/* From another thread: reading ends, with -1, also where it waits for what does not come. */
void reader_stop(struct reader *in);

/* Whether reader_next can be called without waiting: false where the next line of a pipe is not there yet. (Compressed pipes and
 * half lines are waited for.) A tool that has other work does that first. */
bool reader_ready(const struct reader *in);

/* The tool found the record of this e unusable: 0 if it is to go on without it (warned and counted), -1 if it is to end. */
int reader_bad(struct reader *in, struct err *e);

/* ---- writing ---- */

struct writer;

/* path NULL or "-": stdout. Else a file, which appears under its name in writer_close (until then NAME.tmp), compressed if the
 * name ends with .gz, .zst, .xz or .bz2; pipes and devices are written as they are. Each record is flushed at once; into a
 * regular file they go together, until one comes that is a second or two behind the last flush. NULL and e on failure. */
struct writer *writer_open(const char *path, struct err *e);
bool writer_packs(const char *path);            /* whether a file of that name is compressed */
bool writer_appears(const struct writer *w);    /* a file that is there when all of it is, at writer_close; NULL is fine */
bool writer_same(const struct writer *a, const struct writer *b);               /* both would make the same file; NULL is fine */
int writer_put(struct writer *w, const struct record *r, struct err *e);
int writer_text(struct writer *w, const char *s, size_t n, struct err *e);      /* as it is, flushed alike */
int writer_flush(struct writer *w, struct err *e);                              /* what was put is written: before what says that it was */

/* Ends and frees; NULL is fine. With e: flushes and puts the file in its place, -1 if any of it failed. Without (NULL): what
 * was written to stdout stays written, a file is taken back; returns 0. */
int writer_close(struct writer *w, struct err *e);

/* ---- groups: records that share `id` (and `step`) ----
 *
 *     struct groups g = {0};
 *     while ((rc = reader_next(in, &r, &e)) > 0) {
 *             struct group *group = groups_add(&g, &r, &e);            // takes the record
 *             if (!group) {
 *                     if ((rc = reader_bad(in, &e)) < 0)
 *                             break;
 *             } else if (group_full(group)) {                          // as many as their `group` says: no need to wait longer
 *                     score(group);
 *                     groups_release(group);
 *                     while (rc >= 0 && (p = groups_pop(&g)))          // in the input's order, as far as all before are released
 *                             rc = writer_put(out, p, &e);
 *             }
 *     }
 *     for (i = 0; i < g.n; i++)                                        // the rest, in order of first appearance
 *             if (!g.group[i]->released) ...
 *     groups_free(&g);
 */

struct group {
	const char *id;
	int64_t step;                   /* -1: the records have none */
	int64_t size;                   /* what `group` of the first record says; 0: nothing */
	struct record **record;         /* (n), in the input's order; gone when all of them have been popped */
	size_t n, cap;
	size_t popped;
	bool released;
};

struct groups {                         /* all zero is none */
	struct group **group;           /* (n), in order of first appearance */
	size_t n, cap;
	struct groups_queue *queue;
};

/* Takes r over (and leaves it empty), unless it fails: no id, or a line too many of a group already released. */
struct group *groups_add(struct groups *g, struct record *r, struct err *e);
bool group_full(const struct group *group);
void groups_release(struct group *group);
struct record *groups_pop(struct groups *g);                    /* NULL: none is ready. Valid until the next pop */
void groups_free(struct groups *g);

#endif
