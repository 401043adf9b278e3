#include "task/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/tool.h"
#include "model/remote.h"
#include "model/rollouts.h"
#include "model/sampler.h"
#include "task/answer.h"

#define AT_ONCE 64              /* votes: speed and memory, not results */
#define ROOM 8192               /* tokens of the longest question, where the model has as many positions */

struct judge {
	const struct judge_params *p;
	struct judge_template template;
	struct backend *be;             /* of a model that runs here, as the next five */
	struct checkpoint *ck;
	struct tokenizer *tokenizer;
	struct template *chat;
	struct model *model;
	struct sampler *sampler;
	struct remote *remote;          /* of a server, as is the key */
	struct buf key, text;
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

static void take(struct judged *to, int64_t k, const char *text, size_t n)
{
	struct vote *v = &to->vote[k];
	enum said said = judge_said(text, n, to->thinks);

	v->text = xmalloc(n + 1);
	memcpy(v->text, text, n);
	v->text[n] = 0;
	v->n = n;
	if (said == SAID_YES || said == SAID_NO)
		v->verdict = said == SAID_YES ? VERDICT_YES : VERDICT_NO;
	else if (to->pair && said == SAID_TIE)
		v->verdict = VERDICT_TIE;
	else if (to->pair && said != SAID_NOTHING)
		v->verdict = (said == SAID_FIRST) == v->swapped ? VERDICT_YES : VERDICT_NO;
	to->due--;
}

static void on_done(void *arg, const struct sampler_done *d)
{
	struct judge *j = arg;

	buf_clear(&j->text);
	completion_text(j->tokenizer, &j->ck->config, d->id, d->n, &j->text);
	take(d->user, d->sample, j->text.p ? j->text.p : "", j->text.n);
}

/* A verdict ends it, unless it stands in the reasoning: the last tokens complete "</answer>", each of which has a byte at least. */
static bool on_token(void *arg, void *user, int32_t sample, const int32_t *id, int64_t n)
{
	static const char tag[] = "</answer>";
	const int64_t longest = (int64_t)sizeof tag - 1;
	struct judge *j = arg;
	const struct judged *to = user;
	int64_t last = n > longest ? longest : n;

	(void)sample;
	buf_clear(&j->text);
	tokenizer_decode(j->tokenizer, id + n - last, (size_t)last, 0, &j->text);
	if (!j->text.n || !memmem(j->text.p, j->text.n, tag, sizeof tag - 1))
		return false;
	buf_clear(&j->text);
	tokenizer_decode(j->tokenizer, id, (size_t)n, 0, &j->text);
	return !parts_of(j->text.p, j->text.n, to->thinks).open;
}

static void on_remote_done(void *arg, const struct remote_done *d)
{
	(void)arg;
	take(d->user, d->sample, d->text, d->n);
}

static void on_remote_failed(void *arg, void *user, int64_t first, int64_t samples, bool all, const struct err *e)
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

static int open_local(struct judge *j, const struct judge_params *p, struct err *e)
{
	struct sampler_params s = {.temperature = p->temperature, .top_p = 1, .max_tokens = p->max_tokens, .seed = p->seed, .stopped = on_token,
				   .arg = j};
	int64_t context = p->max_tokens + ROOM;

	j->be = backend_open(p->backend, (int)p->threads, e);
	if (!j->be || !(j->ck = checkpoint_open(p->model, e)) || !(j->tokenizer = completion_tokenizer(j->ck, e)) ||
	    !(j->chat = completion_template(j->ck, "auto", e)) ||
	    !(j->model = model_from_checkpoint(j->ck, j->be, MODEL_SAMPLE, DTYPE_AUTO, e)))
		return -1;
	s.stop = j->ck->config.eos;
	s.stops = j->ck->config.eos_count;
	if (context > j->ck->config.max_positions)
		context = j->ck->config.max_positions;
	j->sampler = sampler_new(j->model, &s, AT_ONCE, context, on_done, j);
	return 0;
}

static int open_remote(struct judge *j, const struct judge_params *p, struct err *e)
{
	struct remote_params r = {.url = p->model, .model = p->name, .temperature = p->temperature, .top_p = 1, .max_tokens = p->max_tokens,
				  .seed = p->seed, .logprobs = REMOTE_OFF, .batch = AT_ONCE, .per_request = 1, .tries = 16, .wait = 0.5,
				  .connect_timeout = 10, .timeout = 1800, .verbose = p->verbose};
	struct remote_events on = {.done = on_remote_done, .failed = on_remote_failed, .arg = j};
	const char *key = getenv("OPENAI_API_KEY");

	if (p->key_file && http_read_key(p->key_file, &j->key, e) < 0)
		return -1;
	r.key = p->key_file ? j->key.p : key && *key ? key : NULL;
	if (!p->key_file && r.key && http_check_key(r.key, e) < 0)
		return err_prefix(e, "OPENAI_API_KEY");
	return (j->remote = remote_open(&r, &on, e)) ? 0 : -1;
}

struct judge *judge_open(const struct judge_params *p, struct err *e)
{
	struct judge *j = xcalloc(1, sizeof *j);

	j->p = p;
	if (judge_template_read(&j->template, p->template ? p->template : "correct", e) == 0 &&
	    (remote_is_url(p->model) ? open_remote(j, p, e) : open_local(j, p, e)) == 0)
		return j;
	judge_close(j);
	return NULL;
}

void judge_close(struct judge *j)
{
	if (!j)
		return;
	remote_close(j->remote);
	sampler_free(j->sampler);
	model_free(j->model);
	template_free(j->chat);
	tokenizer_free(j->tokenizer);
	checkpoint_close(j->ck);
	backend_close(j->be);
	buf_free(&j->key);
	buf_free(&j->text);
	buf_free(&j->template.text);
	free(j);
}

bool judge_needs_reference(const struct judge *j)
{
	return j->template.reference;
}

/* ---- asking ---- */

/* Votes first .. first+n-1 of a model that runs here. 1: the question is too long. */
static int ask_local(struct judge *j, const struct buf *text, uint64_t stream, int64_t first, int64_t n, struct judged *to, struct err *e)
{
	struct sampler_prompt sp = {.stream = stream, .first = (int32_t)first, .samples = (int32_t)n, .user = to};
	struct buf prompt = {0};
	struct tokens ids = {0};
	int rc = template_problem(j->chat, NULL, text->p, text->n, &prompt, e);
	size_t i;

	if (rc == 0)
		rc = tokenizer_encode(j->tokenizer, prompt.p ? prompt.p : "", prompt.n, TOKENIZER_ADD_SPECIAL, &ids, e);
	for (i = 0; rc == 0 && i < ids.n; i++)
		if (ids.id[i] < 0 || ids.id[i] >= j->ck->config.vocab_size)
			rc = err_set(e, "token %d is not in the model's vocabulary of %lld", ids.id[i], (long long)j->ck->config.vocab_size);
	sp.id = ids.id;
	sp.n = (int64_t)ids.n;
	if (rc == 0 && sampler_check(j->sampler, sp.n, e) < 0) {
		to->refused = xstrdup(e->msg);
		rc = 1;
	}
	if (rc == 0) {
		to->thinks = template_thinks(prompt.p, prompt.n);
		rc = sampler_add(j->sampler, &sp, e);
	}
	tokens_free(&ids);
	buf_free(&prompt);
	return rc;
}

static int ask_remote(struct judge *j, const struct buf *text, uint64_t stream, int64_t first, int64_t n, struct judged *to)
{
	struct remote_prompt rp = {.stream = stream, .first = first, .samples = n, .user = to};
	struct js *m = js_object(), *list = js_array();

	js_set(m, "role", js_new_string("user", 4));
	js_set(m, "content", js_new_string(text->p, text->n));
	js_push(list, m);
	rp.messages = list;
	remote_add(j->remote, &rp);
	js_free(list);
	return 0;
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
	*to = (struct judged){.model = j->remote ? remote_model(j->remote) : j->p->model, .pair = j->template.pair, .votes = votes, .due = votes,
			      .vote = xcalloc((size_t)votes, sizeof *to->vote)};
	for (k = 0; k < votes; k++)
		to->vote[k].swapped = swap != (k >= half);
	for (turn = 0; rc == 0 && turn < 2; turn++) {
		int64_t first = turn ? half : 0, n = turn ? votes - half : half;

		if (!n)
			continue;
		buf_clear(&text);
		judge_template_fill(&j->template, q, to->vote[first].swapped, &text);
		rc = j->remote ? ask_remote(j, &text, stream, first, n, to) : ask_local(j, &text, stream, first, n, to, e);
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
	return j->remote ? remote_wants(j->remote) : sampler_wants(j->sampler);
}

bool judge_busy(const struct judge *j)
{
	return j->remote ? remote_busy(j->remote) : sampler_busy(j->sampler);
}

int judge_step(struct judge *j, struct err *e)
{
	if (j->remote)
		remote_step(j->remote, 100);
	else if (sampler_step(j->sampler, e) < 0)
		return err_prefix(e, "the judge");
	if (!j->broken)
		return 0;
	*e = j->why;
	return err_prefix(e, "the judge");
}
