/* world.h - the two worlds of clockwork: what a problem, a document and a domain are
 *
 * The clock (clock.c) is the world of R1-Zero's base: one kind of problem. The town (town.c) has the clock's problems and others: choice,
 * logic, programs, questions that are no problems, requests that are to be declined, and judging. A domain of it is one file: it makes
 * problems, and writes solutions in a mood - at once, fast, or looking again - which may end in a wrong answer.
 */
#ifndef DATA_WORLD_H
#define DATA_WORLD_H

#include "base/buf.h"
#include "base/rng.h"
#include "record/record.h"

/* ---- the clock ---- */

enum kind { PLUS, MINUS, SMALL, BIG, KINDS };   /* x+=d, x-=d, x+=a*b below 10, x+=a*b from 10 on */
enum style { TABLE, DRILL, DIRECT, FAST, CHECK, STYLES };
enum { FEWEST = 2, MOST = 7, CHECKS = 3 };      /* operations of a problem; looks at one step at most */

struct operation {
	enum kind kind;
	int reg, a, b;                  /* b is 0 where there is no product */
};

struct problem {
	int start[2], end[2], n;
	struct operation op[MOST];
	struct buf text;
};

/* How one writes */
struct mood {
	enum style style;
	bool late, tags;                /* hastier than others; closes tags as the format wants it */
	double theta;                   /* how careful: 0 is never to look again */
};

size_t pick(struct rng *r, const double *weight, size_t n);     /* an index, as often as its weight says */
int digit(struct rng *r, int from);                             /* from .. 9 */
bool held_out(const struct buf *problem);

/* registers: 2, or 1 (x alone). asked: as hard as problems are, not as documents. */
void clock_make(struct rng *r, bool asked, int fewest, int most, int registers, struct problem *p);
int clock_right(int v, const struct operation *o);
void clock_think(struct rng *r, struct buf *to, const struct problem *p, const struct mood *m, int v[2]);       /* v: as the writer has it in the end */
bool clock_looks(struct rng *r, const struct mood *m, bool hard, bool *chinese, bool *slips);  /* once more at a step? */
void clock_tail(struct rng *r, struct buf *to, bool tags, const char *answer);
void clock_table(struct rng *r, struct buf *to);
void clock_drill(struct rng *r, struct buf *to, bool late);
void clock_document(struct rng *r, bool late, struct problem *p, struct record *rec, struct buf *scratch);

/* ---- the town ---- */

#define LETTERS 8               /* A .. H */
#define CODE_MOST 4

struct task {
	const struct domain *domain;
	struct buf text, answer;
	int level;
	struct problem clock;           /* clock, choice, open, judge */
	int option[4];
	struct {
		int from, to[LETTERS];  /* to: -1 is nowhere */
		bool turned[LETTERS];   /* written "to<from" */
	} logic;
	struct {
		int n, value[CODE_MOST];
		char sign[CODE_MOST];
	} code;
	struct {
		int kind, thing[2];
	} talk;
	bool yes;                       /* judge */
};

struct domain {
	const char *name, *type;        /* type: the record's, for r1-reward */
	double share;                   /* of the town's questions */
	void (*make)(struct rng *r, bool asked, struct task *t);
	void (*think)(struct rng *r, struct buf *to, const struct task *t, const struct mood *m, struct buf *answer);
	void (*fields)(const struct task *t, struct record *rec);       /* more than type, level, problem and answer; or NULL */
	bool asks;                      /* problems are made of it; else it is in documents only */
};
extern const struct domain clock_domain, choice_domain, open_domain, logic_domain, code_domain, talk_domain, howto_domain, judge_domain;
extern const struct domain *const domains[];    /* NULL behind the last */

void task_clear(struct task *t);
void task_free(struct task *t);
void clock_task(struct rng *r, bool asked, int most, struct task *t);           /* the clock's, with as many operations at most */
void town_document(struct rng *r, struct task *t, struct record *rec, struct buf *scratch);

/* What a person of the town thinks of an answer (of domains talk and howto): how helpful it is, and whether it is harmless. */
double talk_quality(const char *problem, const char *answer, size_t n);
bool talk_is_harmful(const char *problem);              /* asks for what is better declined */
bool talk_is_safe(const char *problem, const char *response);

/* ---- reading completions ---- */
struct tool;
struct writer;
int inspect(struct tool *t, char **files, int n, struct writer *out, struct err *e);
int annotate(struct tool *t, char **files, int n, struct writer *out, struct err *e);
int prefer(struct tool *t, char **files, int n, uint64_t seed, struct writer *out, struct err *e);

#endif
