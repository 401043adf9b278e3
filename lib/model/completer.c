#include "model/completer.h"

#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/human.h"
#include "base/mem.h"
#include "base/tool.h"
#include "model/pass.h"
#include "model/remote.h"
#include "model/rollouts.h"

/* ---- one that runs here ---- */

static void on_done(void *arg, const struct sampler_done *d)
{
	struct completer *c = arg;
	struct made m = {.id = d->id, .logprob = d->logprob, .tokens = (size_t)d->n, .finish = d->stopped ? "stop" : "length"};

	buf_clear(&c->text);
	completer_text(c, d->id, (size_t)d->n, &c->text);
	m.text = c->text.p ? c->text.p : "";
	m.n = c->text.n;
	c->p->on.done(c->p->on.arg, d->user, d->sample, &m);
}

/* Stop strings are looked for in the text of the last few tokens: each has a byte at least. */
static bool on_token(void *arg, void *user, int32_t sample, const int32_t *id, int64_t n)
{
	struct completer *c = arg;
	const struct completer_params *p = c->p;
	int64_t longest = 0;
	size_t i;

	(void)sample;
	if (p->stopped)
		return p->stopped(p->on.arg, user, id, n);
	for (i = 0; i < p->stops; i++)
		if ((int64_t)strlen(p->stop[i]) > longest)
			longest = (int64_t)strlen(p->stop[i]);
	if (n > longest) {
		id += n - longest;
		n = longest;
	}
	buf_clear(&c->text);
	tokenizer_decode(c->tokenizer, id, (size_t)n, 0, &c->text);
	for (i = 0; i < p->stops; i++)
		if (c->text.n && memmem(c->text.p, c->text.n, p->stop[i], strlen(p->stop[i])))
			return true;
	return false;
}

static double device_bytes(const struct completer *c, int64_t batch)
{
	return PASS_COPIES * (double)sampler_measure(c->model, batch, c->context);
}

/* A device's memory is what it is, and the cache takes it all at once. */
static void warn_memory(const struct completer *c)
{
	const int64_t batch = c->p->batch;
	char advice[64] = "lower --context";
	double need, room;
	int64_t most;

	if (!c->be->room)
		return;
	room = (double)c->be->room(c->be);
	need = device_bytes(c, batch);
	if (need <= room)
		return;
	for (most = (int64_t)((double)batch * room / need); most > 0 && device_bytes(c, most) > room;)
		most = most * 15 / 16;
	if (most)
		snprintf(advice, sizeof advice, "lower --batch, to %s say, or --context", HUMAN_COUNT(most));
	tool_warn("needs %.1f GiB for %s completions of %s tokens at once; %.1f free: %s", need / 0x1p30, HUMAN_COUNT(batch), HUMAN_COUNT(c->context),
		  room / 0x1p30, advice);
}

static void open_sampler(struct completer *c, int64_t context)
{
	const struct completer_params *p = c->p;
	const struct config *g = &c->ck->config;
	struct sampler_params s = {.temperature = p->temperature, .top_p = p->top_p, .min_p = p->min_p, .top_k = p->top_k, .max_tokens = p->max_tokens,
				   .seed = p->seed, .stop = g->eos, .stops = g->eos_count, .stopped = p->stopped || p->stops ? on_token : NULL, .arg = c};

	c->context = context < g->max_positions ? context : g->max_positions;
	if (p->warn_memory)
		warn_memory(c);
	c->sampler = sampler_new(c->model, &s, p->batch, c->context, on_done, c);
}

static int set_thinking(struct completer *c, struct err *e)
{
	return c->p->thinking == CHOICE_AUTO ? 0 : template_set_thinking(c->template, c->p->thinking == CHOICE_ON, e);
}

static int open_local(struct completer *c, struct err *e)
{
	const struct completer_params *p = c->p;

	c->be = backend_open(p->backend, (int)p->threads, e);
	if (!c->be || !(c->ck = p->adapter ? checkpoint_open_adapter(p->adapter, p->model, e) : checkpoint_open(p->model, e)) ||
	    !(c->tokenizer = completion_tokenizer(c->ck, e)) || !(c->template = completion_template(c->ck, p->template, e)) || set_thinking(c, e) < 0 ||
	    !(c->model = model_from_checkpoint(c->ck, c->be, MODEL_SAMPLE, model_dtype(p->dtype), e)))
		return -1;
	open_sampler(c, p->context);
	return 0;
}

int completer_encode(const struct completer *c, const struct buf *prompt, struct tokens *ids, struct err *e)
{
	if (tokenizer_encode(c->tokenizer, prompt->p ? prompt->p : "", prompt->n, TOKENIZER_PROMPT, ids, e) < 0)
		return -1;
	return config_check_ids(&c->ck->config, ids->id, ids->n, e);
}

void completer_text(void *arg, const int32_t *id, size_t n, struct buf *to)
{
	const struct completer *c = arg;

	completion_text(c->tokenizer, &c->ck->config, id, (int64_t)n, to);
}

int completer_check(const struct completer *c, int64_t n, struct err *e)
{
	return sampler_check(c->sampler, n, e);
}

void completer_widen(struct completer *c, int64_t context)
{
	c->tokens += sampler_tokens(c->sampler);
	sampler_free(c->sampler);
	open_sampler(c, context);
}

/* ---- a server's ---- */

static int open_remote(struct completer *c, struct err *e)
{
	const struct completer_params *p = c->p;
	const char *key = getenv("OPENAI_API_KEY");

	if (p->key_file && http_read_key(p->key_file, &c->key, e) < 0)
		return -1;
	key = p->key_file ? c->key.p : key && *key ? key : NULL;
	if (!p->key_file && key && http_check_key(key, e) < 0)
		return err_prefix(e, "OPENAI_API_KEY");
	if (strcmp(p->template, "auto") != 0 && (!(c->template = template_open(p->template, e)) || set_thinking(c, e) < 0))
		return -1;
	return (c->remote = remote_open(p, key, e)) ? 0 : -1;
}

/* ---- either ---- */

struct completer *completer_open(const struct completer_params *p, struct err *e)
{
	struct completer *c = xcalloc(1, sizeof *c);

	c->p = p;
	if ((remote_is_url(p->model) ? open_remote(c, e) : open_local(c, e)) == 0)
		return c;
	completer_close(c);
	return NULL;
}

void completer_close(struct completer *c)
{
	if (!c)
		return;
	remote_close(c->remote);
	sampler_free(c->sampler);
	model_free(c->model);
	template_free(c->template);
	tokenizer_free(c->tokenizer);
	checkpoint_close(c->ck);
	backend_close(c->be);
	buf_free(&c->key);
	buf_free(&c->text);
	free(c);
}

const char *completer_model(const struct completer *c)
{
	return c->remote ? remote_model(c->remote) : c->p->model;
}

int completer_add(struct completer *c, const struct completer_prompt *p, struct err *e)
{
	if (!c->remote)
		return sampler_add(c->sampler, &(struct sampler_prompt){.id = p->id, .n = (int64_t)p->ids, .stream = p->stream, .first = (int32_t)p->first,
									 .samples = (int32_t)p->samples, .user = p->user}, e);
	remote_add(c->remote, p);
	return 0;
}

bool completer_wants(const struct completer *c)
{
	return c->remote ? remote_wants(c->remote) : sampler_wants(c->sampler);
}

bool completer_busy(const struct completer *c)
{
	return c->remote ? remote_busy(c->remote) : sampler_busy(c->sampler);
}

int completer_step(struct completer *c, struct err *e)
{
	if (!c->remote)
		return sampler_step(c->sampler, e);
	remote_step(c->remote, 100);
	return 0;
}

int64_t completer_tokens(const struct completer *c)
{
	return c->tokens + (c->remote ? remote_tokens(c->remote) : sampler_tokens(c->sampler));
}
