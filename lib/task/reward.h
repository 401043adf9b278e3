/* reward.h - what a completion earns, and why
 *
 *     struct rewards *w = rewards_open(specs, n, &e);          // {"accuracy:1", "length:0.2,max=256,buffer=64"}
 *     if (rewards_score(w, &record, NULL, &e) < 0) ...        // sets rewards, reward, extracted, verdict
 *     rewards_close(w);
 *
 * A reward is one file of lib/task/reward/ with a `const struct reward reward_NAME` at its end. It sees one completion at a time
 * and no other state, so that its value depends on nothing but the record and its options. It gives a number or "not applicable"
 * (null in the record, nothing in the sum), and may add a reason to the verdict.
 */
#ifndef TASK_REWARD_H
#define TASK_REWARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/record.h"
#include "task/answer.h"
#include "task/plugin.h"

struct programs;
struct question;
struct judged;

struct opinions {                       /* of models that were asked before; NULL: not asked */
	const struct judged *judge;     /* task/judge.h */
};

struct scored {                         /* one completion */
	struct record *record;
	const char *text;               /* the completion, n bytes */
	size_t n;
	bool prefilled;                 /* its prompt ends with <think> */
	struct parts parts;
	struct programs *programs;      /* runs programs (task/program.h); NULL where none are to be run */
	struct opinions opinions;
	double accuracy;                /* as an accuracy reward before this one has it; NaN: none has, or it did not apply */
	bool judged;                    /* accuracy has been looked at */
	bool unverified;                /* there is an answer to compare with, but no verifier for its type */
	/* What the reward found */
	double value;                   /* NaN, which it is before: not applicable */
	struct buf reason;              /* for the verdict; empty: nothing to say */
	struct found extracted;         /* text NULL: no answer found; only a reward that `extracts` sets it */
};

struct reward {
	struct plugin about;
	bool extracts;                  /* sets `extracted`: the record gets that field (null where there is none) */
	int (*score)(const void *options, struct scored *s, struct err *e);     /* -1 only where the record is bad; -2: cannot be scored here */
	/* May be NULL: what a judge is to be asked, as q, before this is scored. 1; 0: nothing; -1: the record is bad */
	int (*ask)(const void *options, struct scored *s, struct question *q, struct err *e);
};

extern const struct reward *const reward_table[];      /* NULL behind the last */

struct rewards;

/* specs: n of NAME[:WEIGHT][,OPTION=VALUE]... NULL and e if one is bad or two would be written under one name. */
struct rewards *rewards_open(const char *const *specs, size_t n, struct err *e);
void rewards_close(struct rewards *w);

/* Programs are judged, in the jail that `command` starts (NULL: r1-sandbox; see task/sandbox.h). */
void rewards_programs(struct rewards *w, const char *command);

/* What a judge is to be asked about this record, if one of the rewards wants to know: 1, and q, which lives as long as the record is not
 * changed; 0; -1: the record is bad. */
int rewards_ask(struct rewards *w, struct record *r, struct question *q, struct err *e);

/* Sets `rewards` (an object in the order of the specs), `reward` (the weighted sum of those that apply), `extracted` if any extracts, and
 * `verdict`: the reasons, joined by "; ". -1: the record is bad; -2: this and others cannot be scored here. One thread at a time: others
 * open their own. o: NULL if no model was asked. */
int rewards_score(struct rewards *w, struct record *r, const struct opinions *o, struct err *e);

/* The values of the last score: the weighted sum, then each reward (NaN: not applicable). rewards_count takes them into the means of
 * `to`, which may be another one of the same specs. */
size_t rewards_last(const struct rewards *from, double *value, size_t max);
void rewards_count(struct rewards *to, const double *value);

/* The last score looked for an answer in a completion that has an end to its reasoning, and found none where it looked. */
bool rewards_unanswered(const struct rewards *w);

/* The last score had a reference answer, and no verifier for its type: accuracy did not apply. */
bool rewards_unverified(const struct rewards *w);

/* Running means of what was counted: the weighted sum, then each reward. Names live as long as w. count 0: the mean is NaN. */
struct reward_mean {
	const char *name;               /* "reward" first */
	double mean;
	size_t count;
};
size_t rewards_means(const struct rewards *w, struct reward_mean *to, size_t max);

/* For a reward that goes by right and wrong: sets s->accuracy, by the usual options if no accuracy reward stands before it (programs are not
 * run twice). 0, or as score. */
int scored_accuracy(struct scored *s, struct err *e);

/* The length of a completion in the unit: "tokens" (of completion_ids), "words" (between blanks) or "characters". */
int completion_length(struct record *r, const char *text, size_t n, const char *unit, double *length, struct err *e);

/* The completion and what every task needs to know about it: its text, whether its prompt opened <think>, its parts. */
int scored_begin(struct scored *s, struct record *r, struct err *e);

#endif
