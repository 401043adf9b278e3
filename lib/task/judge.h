/* judge.h - a language model that is asked whether answers are right: a generative judge
 *
 *     struct judge_params p = {.model = "run/judge", .votes = 4, .max_tokens = 1024, .temperature = 0.6, .backend = "cpu"};
 *     struct judge *j = judge_open(&p, &e);                    // a checkpoint, or a server: http://host:port/v1
 *
 *     while (more || judge_busy(j)) {
 *             while (more && judge_wants(j))
 *                     more = next(&r, &q, &judged) && judge_add(j, &r, &q, &judged, &e) == 0;
 *             if (judge_step(j, &e) < 0) ...                  // some votes further; those with judged.due == 0 are done
 *     }
 *     judge_close(j);
 *
 * A question is a template in which {problem}, {reference} and {answer} are filled in; the judge ends with a verdict, yes or no. A template
 * with {first} and {second} in place of the last two does not say which of them is the reference: half of the votes see them in the other
 * order, so that a judge who likes the first or the second place better likes neither answer better, and the verdict may be the first, the
 * second or a tie, too. Which half it is, is drawn for each record.
 *
 * A vote is a function of (the judge, the question, seed, id and sample of the record, the vote's number) alone, as every completion is
 * (model/sampler.h): draws are those that r1-sample would make for a problem named ID/SAMPLE. Many records are under way at once.
 */
#ifndef TASK_JUDGE_H
#define TASK_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/record.h"

/* ---- the words of it (judge_text.c) ---- */

struct question {                       /* n bytes each, borrowed */
	const char *problem, *reference, *answer;       /* reference NULL: there is none */
	size_t problem_n, reference_n, answer_n;
};

struct judge_template {
	struct buf text;
	bool pair;                      /* {first} and {second} stand in it */
	bool reference;                 /* it needs one */
};

/* A name ("correct", "better") or a file. -1 and e if there is none, or there is no answer in it. */
int judge_template_read(struct judge_template *t, const char *name, struct err *e);
/* The question, added to `to`; swapped: the answer comes first and the reference second. */
void judge_template_fill(const struct judge_template *t, const struct question *q, bool swapped, struct buf *to);

/* What a judge said: in its last <answer>, \boxed{} or [[...]], else on its last line: a word, perhaps behind a colon, a word with reasons behind
 * it, or a sentence like "the answer is correct" that begins the line; whatever it thought before does not count, nor does what takes itself
 * back or says anything else. Linear in n. */
enum said { SAID_NOTHING, SAID_NO, SAID_YES, SAID_FIRST, SAID_SECOND, SAID_TIE };
enum said judge_said(const char *text, size_t n, bool prefilled);

/* ---- asking (judge.c) ---- */

enum verdict { VERDICT_NONE, VERDICT_NO, VERDICT_TIE, VERDICT_YES };    /* for the answer; NONE: nothing clear was said */

struct vote {
	enum verdict verdict;
	bool swapped;
	char *text;                     /* (n) what the judge wrote */
	size_t n;
};

struct judged {                         /* all zero: not asked */
	const char *model;              /* the judge's own; NULL: not asked */
	bool pair;
	struct vote *vote;              /* (votes) */
	int64_t votes, due;             /* due: those that have not come yet */
	bool thinks;                    /* the prompt opens <think> */
	char *failed;                   /* not all votes came: why */
	char *refused;                  /* nobody was asked: the question is too long for the judge */
};
void judged_clear(struct judged *j);    /* frees what it holds */

struct judge_params {                   /* all borrowed until judge_close */
	const char *model;              /* a folder, an archive or a server's URL */
	const char *template;           /* NULL: "correct" */
	const char *chat;               /* how that becomes the prompt of a model that runs here, as r1-sample's --template; NULL: "auto" */
	int64_t votes, max_tokens;
	double temperature;             /* 0: greedy */
	uint64_t seed;
	int64_t threads;
	const char *backend;            /* "cpu", "cpu-bf16", "cuda" */
	const char *name, *key_file;    /* of a server: the model there, and the key, else the environment's OPENAI_API_KEY; may be NULL */
	bool verbose;
};

struct judge;

struct judge *judge_open(const struct judge_params *p, struct err *e);
void judge_close(struct judge *j);      /* NULL is fine */

/* Whether a question of this judge has a reference in it. */
bool judge_needs_reference(const struct judge *j);

/* Asks for all votes on the record's answer; `to` stays where it is until to->due is 0. -1: the record is bad. A question that is too long
 * is refused at once. */
int judge_add(struct judge *j, struct record *r, const struct question *q, struct judged *to, struct err *e);
bool judge_wants(const struct judge *j);        /* another record could start soon */
bool judge_busy(const struct judge *j);
int judge_step(struct judge *j, struct err *e); /* -1: no vote is to be had any more */

#endif
