#include "task/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/completer.h"
#include "model/remote.h"
#include "model/rollouts.h"
#include "task/answer.h"

#define AT_ONCE 64              /* votes: speed and memory, not results */
#define ROOM 8192               /* tokens of the longest question, where the model has as many positions */

struct judge {
	const struct judge_params *p;
	struct judge_template template;
	struct completer_params how;
	struct completer *completer;
	struct buf text;
	bool broken;                    /* no vote is to be had any more: why */
	struct err why;
};

void judged_clear(struct judged *j)
{
	int64_t i;

	for (i = 0; i < j->votes; i++)
		free(j->vote[i].text);
	free(j->vote);
	free(j->failed);
	free(j->refused);
	*j = (struct judged){0};
}

/* ---- what comes back ---- */

static void on_done(void *arg, void *user, int64_t sample, const struct made *m)
{
	struct judged *to = user;
	struct vote *v = &to->vote[sample];
	enum said said = judge_said(m->text, m->n, to->thinks);

	(void)arg;
	v->text = xstrndup(m->text, m->n);
	v->n = m->n;
	if (said == SAID_YES || said == SAID_NO)
		v->verdict = said == SAID_YES ? VERDICT_YES : VERDICT_NO;
	else if (to->pair && said == SAID_TIE)
		v->verdict = VERDICT_TIE;
	else if (to->pair && said != SAID_NOTHING)
		v->verdict = (said == SAID_FIRST) == v->swapped ? VERDICT_YES : VERDICT_NO;
	to->due--;
}

/* A verdict ends it, unless it stands in the reasoning: the last tokens complete "</answer>", each of which has a byte at least. */
static bool on_token(void *arg, void *user, const int32_t *id, int64_t n)
{
	static const char tag[] = "</answer>";
	const int64_t longest = (int64_t)sizeof tag - 1;
	struct judge *j = arg;
	const struct judged *to = user;
	int64_t last = n > longest ? longest : n;

	buf_clear(&j->text);
	tokenizer_decode(j->completer->tokenizer, id + n - last, (size_t)last, 0, &j->text);
	if (!j->text.n || !memmem(j->text.p, j->text.n, tag, sizeof tag - 1))
		return false;
	buf_clear(&j->text);
	tokenizer_decode(j->completer->tokenizer, id, (size_t)n, 0, &j->text);
	return !parts_of(j->text.p, j->text.n, to->thinks).open;
}

static void on_failed(void *arg, void *user, int64_t first, int64_t samples, bool all, const struct err *e)
{
	struct judge *j = arg;
	struct judged *to = user;

	(void)first;
	to->due -= samples;
	if (!to->failed)
		to->failed = xasprintf("the judge: %s", e->msg);
	if (all && !j->broken) {
		j->broken = true;
		j->why = *e;
	}
}

/* ---- opening ---- */

struct judge *judge_open(const struct judge_params *p, struct err *e)
{
	struct judge *j = xcalloc(1, sizeof *j);

	j->p = p;
	j->how = (struct completer_params){.model = p->model, .template = p->chat && !remote_is_url(p->model) ? p->chat : "auto", .temperature = p->temperature, .top_p = 1, .max_tokens = p->max_tokens,
					   .seed = p->seed, .batch = AT_ONCE, .dtype = "auto", .backend = p->backend, .threads = p->threads,
					   .context = p->max_tokens + ROOM, .stopped = on_token, .name = p->name, .name_option = "--judge-name",
					   .key_file = p->key_file,
					   .logprobs = CHOICE_OFF, .per_request = 1, .tries = 16, .wait = 0.5, .connect_timeout = 10, .timeout = 1800,
					   .verbose = p->verbose, .on = {on_done, on_failed, j}};
	if (judge_template_read(&j->template, p->template ? p->template : "correct", e) == 0 && (j->completer = completer_open(&j->how, e)) &&
	    (!strcmp(j->how.template, "auto") ||
	     completion_tell_foreign(j->completer->template, j->how.template, NULL, j->completer->tokenizer, p->model, e) == 0))
		return j;
	judge_close(j);
	return NULL;
}

void judge_close(struct judge *j)
{
	if (!j)
		return;
	completer_close(j->completer);
	buf_free(&j->text);
	buf_free(&j->template.text);
	free(j);
}

bool judge_needs_reference(const struct judge *j)
{
	return j->template.reference;
}

/* ---- asking ---- */

/* Votes first .. first+n-1. 1: the question is too long. */
static int ask(struct judge *j, const struct buf *text, uint64_t stream, int64_t first, int64_t n, struct judged *to, struct err *e)
{
	struct completer *c = j->completer;
	struct completer_prompt p = {.stream = stream, .first = first, .samples = n, .user = to};
	struct js *messages = NULL;
	struct buf prompt = {0};
	struct tokens ids = {0};
	int rc = 0;

	if (c->remote)
		p.messages = messages = template_question(text->p, text->n);
	else if ((rc = template_problem(c->template, NULL, text->p, text->n, &prompt, e)) == 0)
		rc = completer_encode(c, &prompt, &ids, e);
	p.id = ids.id;
	p.ids = ids.n;
	if (rc == 0 && !c->remote) {
		to->thinks = template_thinks(prompt.p, prompt.n);
		if (completer_check(c, (int64_t)ids.n, e) < 0) {
			to->refused = xstrdup(e->msg);
			rc = 1;
		}
	}
	if (rc == 0)
		rc = completer_add(c, &p, e);
	js_free(messages);
	tokens_free(&ids);
	buf_free(&prompt);
	return rc;
}

/* Of id and sample, where the record has them; else of the question */
static int name_draws(struct record *r, const struct buf *text, uint64_t *stream, struct err *e)
{
	char number[32] = "";
	struct buf name = {0};
	const char *id;
	int64_t sample;

	if (record_has(r, "sample")) {
		if (record_int(r, "sample", &sample, e) < 0)
			return -1;
		snprintf(number, sizeof number, "/%lld", (long long)sample);
	}
	if (record_has(r, "id")) {
		if (!(id = record_string(r, "id", NULL, e)))
			return -1;
		buf_str(&name, id);
	} else {
		buf_printf(&name, "%016llx", (unsigned long long)hash_bytes(text->p, text->n));
	}
	buf_str(&name, number);
	*stream = hash_str(name.p);
	buf_free(&name);
	return 0;
}

int judge_add(struct judge *j, struct record *r, const struct question *q, struct judged *to, struct err *e)
{
	int64_t votes = j->p->votes, half = j->template.pair ? (votes + 1) / 2 : votes, k;
	struct buf text = {0};
	uint64_t stream;
	bool swap;
	int rc, turn;

	judge_template_fill(&j->template, q, false, &text);
	if ((rc = name_draws(r, &text, &stream, e)) < 0) {
		buf_free(&text);
		return -1;
	}
	swap = j->template.pair && hash_mix(stream, 1) & 1;
	*to = (struct judged){.model = completer_model(j->completer), .pair = j->template.pair, .votes = votes, .due = votes,
			      .vote = xcalloc((size_t)votes, sizeof *to->vote)};
	for (k = 0; k < votes; k++)
		to->vote[k].swapped = swap != (k >= half);
	for (turn = 0; rc == 0 && turn < 2; turn++) {
		int64_t first = turn ? half : 0, n = turn ? votes - half : half;

		if (!n)
			continue;
		buf_clear(&text);
		judge_template_fill(&j->template, q, to->vote[first].swapped, &text);
		rc = ask(j, &text, stream, first, n, to, e);
	}
	if (rc != 0)
		to->due = turn == 1 ? 0 : half;         /* `turn` is one further: what of the first order is under way comes still */
	if (rc < 0)
		to->failed = xasprintf("the judge's question: %s", e->msg);
	buf_free(&text);
	return 0;
}

bool judge_wants(const struct judge *j)
{
	return completer_wants(j->completer);
}

bool judge_busy(const struct judge *j)
{
	return completer_busy(j->completer);
}

int judge_step(struct judge *j, struct err *e)
{
	if (completer_step(j->completer, e) < 0)
		return err_prefix(e, "the judge");
	if (!j->broken)
		return 0;
	*e = j->why;
	return err_prefix(e, "the judge");
}
