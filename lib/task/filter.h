/* filter.h - which completions or problems are kept, and why the others are not
 *
 *     struct filters *f = filters_open(specs, n, &e);         // {"no-signal", "pass-rate,min=.1,max=.9"}
 *     if (!f || filters_begin(f, &tool, &e) < 0) ...
 *     if (filters_look(f, &r, &e) < 0) ...                     // can they judge this record at all?
 *     filters_apply(f, records, n);                           // the records of a group; sets `rejected` in those not kept
 *     filters_close(f);
 *
 * Filters stand in a row: each sees what those before it have kept. One that is `grouped` must be given all of a group at once; if none
 * is, records may be given one by one (n = 1).
 *
 * A filter is one file of lib/task/filter/ with a `const struct filter filter_NAME` at its end.
 */
#ifndef TASK_FILTER_H
#define TASK_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/record.h"
#include "task/plugin.h"

struct candidate {
	struct record *record;
	bool rejected;                  /* out: not kept */
	struct buf reason;              /* out: why not, a few words; empty before */
};

struct filter {
	struct plugin about;
	bool (*grouped)(const void *options);           /* NULL: no */
	/* What lasts from group to group, or NULL for both. t: the seed of whatever is drawn, and whether bad lines of what is read are skipped.
	 * NULL and e if it cannot be had. */
	void *(*open)(const void *options, struct tool *t, struct err *e);
	void (*close)(void *state);
	/* Are the fields there that it needs? Called for each record as it is read; NULL: it needs none. */
	int (*look)(const void *options, struct record *r, struct err *e);
	/* n > 0 candidates of one group, none of them rejected yet. Cannot fail: look has seen them. */
	void (*apply)(const void *options, void *state, struct candidate *c, size_t n);
};

extern const struct filter *const filter_table[];      /* NULL behind the last */

struct filters;

struct filters *filters_open(const char *const *specs, size_t n, struct err *e);       /* NULL and e if one is bad */
int filters_begin(struct filters *f, struct tool *t, struct err *e);                   /* reads what they need; before any record */
void filters_close(struct filters *f);
bool filters_grouped(const struct filters *f);

int filters_look(struct filters *f, struct record *r, struct err *e);                  /* -1 and e: a field that one needs is not there, or bad */
/* The field for the reason: `rejected`, or, beside `chosen`, where that is the worse answer of a pair, `rejected_by` */
const char *filter_field(const struct record *r);

/* Sets that field ("NAME: why") in the records that are not kept, and takes it off those that are. */
void filters_apply(struct filters *f, struct record *const *r, size_t n);

/* For the summary: what was read, what was kept, and how many the filter number i rejected (NULL behind the last). */
int64_t filters_read(const struct filters *f);
int64_t filters_kept(const struct filters *f);
const char *filters_rejected(const struct filters *f, size_t i, int64_t *count);

/* ---- for the filters ---- */

/* A `look`: is there a completion, as rewards see it (scored_begin)? */
int filter_look_completion(const void *options, struct record *r, struct err *e);

void filter_reject(struct candidate *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A reward by its name: `reward` for "" or "reward", else that member of `rewards`. NaN where it is null there. */
int filter_reward(struct record *r, const char *name, double *value, struct err *e);
double filter_value(struct record *r, const char *name);       /* the same, when look has seen it */

#endif
