/* r1-sample - writes n completions for each problem */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/http.h"
#include "base/human.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/tool.h"
#include "model/outlet.h"
#include "model/pass.h"
#include "model/remote.h"
#include "model/rollouts.h"
#include "model/sampler.h"
#include "model/state.h"
#include "record/record.h"
#include "text/template.h"

#define SHORT_PROMPT 1024       /* tokens of a prompt for which there is room from the beginning */

struct options {
	const char *model, *adapter, *dtype, *template, *system, *prompt, *output, *resume;
	int64_t samples, first, group, batch, context, max_tokens, top_k, step;
	double temperature, top_p, min_p;
	bool greedy;
	struct opt_list stop;
	const char *model_name, *api, *key_file, *logprobs, *thinking;          /* of servers */
	int64_t follow, lag;
	int64_t per_request, tries;
	double wait, connect_timeout, timeout;
};

struct work {
	const struct options *o;
	struct tool *tool;
	struct backend *be;             /* of a model that runs here, as the next five */
	struct checkpoint *ck;
	struct tokenizer *tokenizer;
	struct model *model;
	struct sampler *sampler;
	int64_t context;                /* that it has room for */
	struct remote *remote;          /* of a server, as is the key */
	struct buf key;
	struct template *template;      /* NULL: the server's own */
	struct reader *in;
	struct outlet *out;
	int64_t problems, completions, step, tokens;    /* tokens: by models that are gone */
	int64_t round, taken;           /* of --follow: checkpoints waited for, problems of this one */
	int64_t first_step;
	struct stat seen;               /* the checkpoint's folder when it was opened */
	struct buf text, bytes;
	struct progress progress;
	bool ended;                     /* no more input */
	bool told_cut;                  /* that a completion will not have max_tokens */
	struct err *e;
	bool bad;                       /* what was read last cannot be used: what was taken before is written all the same */
	struct err why;                 /* ... why not */
	int rc;
};

/* ---- out ---- */

static void take_made(struct work *w, struct problem *p, int64_t sample, const struct made *m)
{
	w->completions++;
	if (w->rc >= 0 && (outlet_put(w->out, p, sample - w->o->first, m, w->e) < 0 || outlet_write(w->out, w->e) < 0))
		w->rc = -1;
}

static void text_of(void *arg, const int32_t *id, size_t n, struct buf *to)
{
	struct work *w = arg;

	completion_text(w->tokenizer, &w->ck->config, id, (int64_t)n, to);
}

static void on_done(void *arg, const struct sampler_done *d)
{
	struct work *w = arg;
	struct made m = {.id = d->id, .logprob = d->logprob, .tokens = (size_t)d->n, .finish = d->stopped ? "stop" : "length"};

	buf_clear(&w->text);
	text_of(w, d->id, (size_t)d->n, &w->text);
	m.text = w->text.p ? w->text.p : "";
	m.n = w->text.n;
	take_made(w, d->user, d->sample, &m);
}

static void on_remote_done(void *arg, const struct remote_done *d)
{
	struct made m = {.text = d->text, .n = d->n, .id = d->id, .logprob = d->logprob, .tokens = d->tokens,
			 .finish = d->stopped ? "stop" : "length"};

	take_made(arg, d->user, d->sample, &m);
}

/* Without --skip-bad nothing more is begun, but what is under way comes to its end. */
static void on_remote_failed(void *arg, void *user, int64_t first, int64_t samples, bool all, const struct err *e)
{
	struct work *w = arg;
	struct problem *p = user;
	struct err why;
	int64_t k;

	if (w->rc < 0)
		return;
	if (samples > 1)
		record_error(outlet_record(p), &why, "samples %lld to %lld: %s", (long long)first, (long long)(first + samples - 1), e->msg);
	else
		record_error(outlet_record(p), &why, "sample %lld: %s", (long long)first, e->msg);
	for (k = 0; k < samples; k++)
		outlet_fail(p, first + k - w->o->first);
	if (all) {
		*w->e = why;
		w->rc = -1;
	} else if (!w->bad && (!w->in || reader_bad(w->in, &why) < 0)) {
		w->why = why;
		w->bad = w->ended = true;
	}
	if (w->rc >= 0 && outlet_write(w->out, w->e) < 0)
		w->rc = -1;
}

/* Stop strings are looked for in the text of the last few tokens: each has a byte at least. */
static bool on_token(void *arg, void *user, int32_t sample, const int32_t *id, int64_t n)
{
	struct work *w = arg;
	const struct opt_list *stop = &w->o->stop;
	size_t i, longest = 0;

	(void)user;
	(void)sample;
	for (i = 0; i < stop->n; i++)
		if (strlen(stop->item[i]) > longest)
			longest = strlen(stop->item[i]);
	if (n > (int64_t)longest) {
		id += n - (int64_t)longest;
		n = (int64_t)longest;
	}
	buf_clear(&w->bytes);
	tokenizer_decode(w->tokenizer, id, (size_t)n, 0, &w->bytes);
	for (i = 0; i < stop->n; i++)
		if (w->bytes.n && memmem(w->bytes.p, w->bytes.n, stop->item[i], strlen(stop->item[i])))
			return true;
	return false;
}

/* ---- in ---- */

/* The prompt's text: 'messages' or 'problem' through the template, or 'prompt' as it stands. */
static int make_prompt(struct work *w, struct record *r, struct buf *to, struct err *e)
{
	const struct js *messages;
	const char *s;
	size_t n;

	if (!w->template && (record_has(r, "messages") || record_has(r, "problem")))
		return record_error(r, e, "what is to become of '%s' says --template, which --api completions needs",
				    record_has(r, "messages") ? "messages" : "problem");
	if (record_has(r, "messages")) {
		messages = record_js(r, "messages", e);
		if (!messages)
			return -1;
		if (template_messages(w->template, w->o->system, messages, js_size(messages), to, e) < 0)
			return record_error(r, e, "'messages': %s", e->msg);
		return 0;
	}
	if (record_has(r, "problem") || !record_has(r, "prompt")) {
		s = record_string(r, "problem", &n, e);
		if (!s)
			return -1;
		if (template_problem(w->template, w->o->system, s, n, to, e) < 0)
			return record_error(r, e, "'problem': %s", e->msg);
		return 0;
	}
	s = record_string(r, "prompt", &n, e);
	if (s)
		buf_add(to, s, n);
	return s ? 0 : -1;
}

/* The prompt's tokens, all of them in the model's vocabulary. */
static int encode_prompt(struct work *w, const struct record *r, const struct buf *prompt, struct tokens *ids, struct err *e)
{
	size_t i;

	if (tokenizer_encode(w->tokenizer, prompt->p ? prompt->p : "", prompt->n, TOKENIZER_ADD_SPECIAL, ids, e) < 0)
		return record_error(r, e, "the prompt: %s", e->msg);
	for (i = 0; i < ids->n; i++)
		if (ids->id[i] < 0 || ids->id[i] >= w->ck->config.vocab_size)
			return record_error(r, e, "the prompt: token %d is not in the model's vocabulary of %lld", ids->id[i],
					    (long long)w->ck->config.vocab_size);
	return 0;
}

/* Calls start for what is not there yet of p, run by run. */
static int start_due(struct work *w, struct problem *p, int (*start)(struct work *, struct problem *, int64_t, int64_t, void *), void *arg)
{
	int64_t n = w->o->samples, from, to;

	for (from = 0; from < n; from = to) {
		for (to = from; to < n && outlet_due(p, to) == outlet_due(p, from); to++)
			;
		if (outlet_due(p, from) && start(w, p, w->o->first + from, to - from, arg) < 0)
			return -1;
	}
	return 0;
}

static int start_sampler(struct work *w, struct problem *p, int64_t first, int64_t samples, void *arg)
{
	struct sampler_prompt *sp = arg;

	sp->first = (int32_t)first;
	sp->samples = (int32_t)samples;
	sp->user = p;
	return sampler_add(w->sampler, sp, w->e);
}

static int start_remote(struct work *w, struct problem *p, int64_t first, int64_t samples, void *arg)
{
	struct remote_prompt *rp = arg;

	rp->first = first;
	rp->samples = samples;
	rp->user = p;
	remote_add(w->remote, rp);
	return 0;
}

/* A problem without a name gets one that its text fixes. Returns the id, which lives in the record. */
static const char *name_problem(struct record *r, const char *text, size_t n, struct err *e)
{
	char made[32];

	if (!record_has(r, "id")) {
		snprintf(made, sizeof made, "%016llx", (unsigned long long)hash_bytes(text ? text : "", n));
		record_set_str(r, "id", made);
	}
	return record_string(r, "id", NULL, e);
}

/* From here on what is wrong is not the record: w->rc < 0 and w->e say so. */
static int queue_problem(struct work *w, struct record *r, struct problem **p)
{
	*p = outlet_add(w->out, r, w->e);
	if (!*p)
		return w->rc = -1;
	w->problems++;
	w->taken++;
	return 0;
}

static double device_bytes(const struct work *w, int64_t batch, int64_t context)
{
	return PASS_COPIES * (double)sampler_measure(w->model, batch, context);
}

/* A device's memory is what it is, and the cache takes it all at once. */
static void warn_memory(const struct work *w, int64_t batch, int64_t context)
{
	char advice[64] = "lower --context";
	double need, room;
	int64_t most;

	if (!w->be->room)
		return;
	room = (double)w->be->room(w->be);
	need = device_bytes(w, batch, context);
	if (need <= room)
		return;
	for (most = (int64_t)((double)batch * room / need); most > 0 && device_bytes(w, most, context) > room;)
		most = most * 15 / 16;
	if (most)
		snprintf(advice, sizeof advice, "lower --batch, to %s say, or --context", HUMAN_COUNT(most));
	tool_warn("needs %.1f GiB for %s completions of %s tokens at once; %.1f free: %s", need / 0x1p30, HUMAN_COUNT(batch), HUMAN_COUNT(context), room / 0x1p30,
		  advice);
}

static void open_sampler(struct work *w, int64_t context)
{
	const struct options *o = w->o;
	const struct config *c = &w->ck->config;
	struct sampler_params p = {.temperature = o->greedy ? 0 : o->temperature, .top_p = o->top_p, .min_p = o->min_p, .top_k = o->top_k,
				   .max_tokens = o->max_tokens, .seed = w->tool->seed, .stopped = o->stop.n ? on_token : NULL, .arg = w,
				   .stop = c->eos, .stops = c->eos_count};

	w->context = context < c->max_positions ? context : c->max_positions;
	warn_memory(w, o->batch, w->context);
	w->sampler = sampler_new(w->model, &p, o->batch, w->context, on_done, w);
}

/* Without --context there is room for what the prompt asks for: what is under way is brought to its end, and then the room is made. */
static int make_room(struct work *w, int64_t prompt)
{
	int64_t most = w->ck->config.max_positions, want = prompt + w->o->max_tokens;

	if (w->o->context || want <= w->context || w->context == most)
		return 0;
	while (sampler_busy(w->sampler) && !tool_interrupted())
		if (sampler_step(w->sampler, w->e) < 0 || w->rc < 0) {
			w->rc = -1;
			return -1;
		}
	w->tokens += sampler_tokens(w->sampler);
	sampler_free(w->sampler);
	open_sampler(w, (want + SHORT_PROMPT - 1) / SHORT_PROMPT * SHORT_PROMPT);
	return 0;
}

static void warn_cut(struct work *w, const char *id, int64_t prompt)
{
	int64_t room = w->context - prompt;

	if (w->told_cut || room >= w->o->max_tokens || w->o->max_tokens >= w->ck->config.max_positions)
		return;
	w->told_cut = true;
	tool_warn("id %s: a prompt of %lld tokens leaves %lld for the completion%s, not %lld", id, (long long)prompt, (long long)room,
		  w->o->context ? " (--context)" : "", (long long)w->o->max_tokens);
}

static int take_local(struct work *w, struct record *r, struct err *e)
{
	struct buf prompt = {0};
	struct tokens ids = {0};
	struct sampler_prompt sp = {0};
	struct problem *p;
	const char *id;
	int rc = -1;

	if ((record_has(r, "id") && !record_string(r, "id", NULL, e)) || make_prompt(w, r, &prompt, e) < 0 ||
	    encode_prompt(w, r, &prompt, &ids, e) < 0 || !(id = name_problem(r, prompt.p, prompt.n, e)))
		goto out;
	sp = (struct sampler_prompt){.id = ids.id, .n = (int64_t)ids.n, .stream = hash_str(id)};
	if (sp.n >= w->ck->config.max_positions) {
		record_error(r, e, "the prompt has %lld tokens, and the model %lld positions", (long long)sp.n, (long long)w->ck->config.max_positions);
		goto out;
	}
	if (make_room(w, sp.n) < 0)
		goto out;
	if (sampler_check(w->sampler, sp.n, e) < 0) {
		record_error(r, e, "%s", e->msg);
		goto out;
	}
	warn_cut(w, id, sp.n);
	record_set_string(r, "prompt", prompt.p ? prompt.p : "", prompt.n);
	record_set_ints(r, "prompt_ids", ids.id, ids.n);
	if (queue_problem(w, r, &p) == 0)
		rc = start_due(w, p, start_sampler, &sp);
out:
	tokens_free(&ids);
	buf_free(&prompt);
	return rc;
}

/* The messages of a chat: the record's own, or its problem (or prompt) as the one question. Freed by the caller. */
static struct js *make_messages(struct record *r, struct err *e)
{
	const char *field = record_has(r, "problem") || !record_has(r, "prompt") ? "problem" : "prompt", *s;
	struct js *list, *m;
	const struct js *there;
	size_t n;

	if (record_has(r, "messages")) {
		if (!(there = record_js(r, "messages", e)))
			return NULL;
		if (js_is_array(there) && js_size(there))
			return js_copy(there);
		record_error(r, e, js_is_array(there) ? "'messages' has no message" : "'messages' is %s, not an array", js_type(there));
		return NULL;
	}
	if (!(s = record_string(r, field, &n, e)))
		return NULL;
	m = js_object();
	js_set(m, "role", js_new_string("user", 4));
	js_set(m, "content", js_new_string(s, n));
	list = js_array();
	js_push(list, m);
	return list;
}

/* To a chat go messages, which the server makes a prompt of; else the prompt's text. */
static int take_remote(struct work *w, struct record *r, struct err *e)
{
	bool asked = record_has(r, "messages") || record_has(r, "problem");
	bool chat = *w->o->api == 'a' ? !w->template && (asked || !record_has(r, "prompt")) : !strcmp(w->o->api, "chat");
	struct remote_prompt rp = {.system = w->o->system};
	struct buf prompt = {0};
	struct js *messages = NULL;
	struct problem *p;
	const char *id;
	int rc = -1;

	if (record_has(r, "id") && !record_string(r, "id", NULL, e))
		return -1;
	if (chat) {
		if (!(messages = make_messages(r, e)))
			goto out;
		js_write(messages, 0, &prompt);
	} else if (make_prompt(w, r, &prompt, e) < 0) {
		goto out;
	}
	if (!(id = name_problem(r, prompt.p, prompt.n, e)))
		goto out;
	rp.stream = hash_str(id);
	rp.messages = messages;
	rp.text = prompt.p ? prompt.p : "";
	rp.n = prompt.n;
	if (!chat)
		record_set_string(r, "prompt", rp.text, rp.n);
	else if (asked)                 /* what the server makes of the messages is not known */
		record_remove(r, "prompt");
	record_remove(r, "prompt_ids");
	if (queue_problem(w, r, &p) == 0)
		rc = start_due(w, p, start_remote, &rp);
out:
	js_free(messages);
	buf_free(&prompt);
	return rc;
}

/* Takes r over, unless it fails. */
static int take_problem(struct work *w, struct record *r, struct err *e)
{
	if ((w->remote ? take_remote(w, r, e) : take_local(w, r, e)) < 0)
		return -1;
	if (outlet_write(w->out, w->e) < 0)
		return w->rc = -1;
	return 0;
}

static bool wants(const struct work *w)
{
	return w->remote ? remote_wants(w->remote) : sampler_wants(w->sampler);
}

static bool busy(const struct work *w)
{
	return w->remote ? remote_busy(w->remote) : sampler_busy(w->sampler);
}

static void read_more(struct work *w)
{
	struct record r = {0};
	int rc;

	while (w->rc >= 0 && !w->ended && wants(w) && !(w->o->follow && w->taken == w->o->follow)) {
		if (w->in) {
			if (busy(w) && !reader_ready(w->in))
				break;          /* those that are under way do not wait for a slow pipe */
			rc = reader_next(w->in, &r, &w->why);
			if (rc > 0 && take_problem(w, &r, &w->why) < 0 && w->rc >= 0)
				rc = reader_bad(w->in, &w->why) < 0 ? -1 : 1;
			w->ended = rc <= 0;
			w->bad = rc < 0;
		} else {        /* --prompt */
			record_clear(&r);
			record_set_str(&r, "problem", w->o->prompt);
			w->bad = take_problem(w, &r, &w->why) < 0;
			w->ended = true;
		}
	}
	record_free(&r);
}

/* ---- the whole ---- */

static enum remote_choice choice(const char *s)
{
	return !strcmp(s, "on") ? REMOTE_ON : !strcmp(s, "off") ? REMOTE_OFF : REMOTE_AUTO;
}

static int set_thinking(struct work *w, struct err *e)
{
	enum remote_choice c = choice(w->o->thinking);

	return c == REMOTE_AUTO ? 0 : template_set_thinking(w->template, c == REMOTE_ON, e);
}

static bool own_template(const struct options *o)
{
	return strcmp(o->template, "auto") != 0;
}

/* Special tokens of a template for another model are plain text to this one. */
static int warn_foreign(const struct work *w, struct err *e)
{
	struct buf text = {0};
	char *p, *end;
	int rc = template_problem(w->template, w->o->system, "", 0, &text, e);

	buf_char(&text, 0);
	for (p = text.p; rc == 0 && (p = strchr(p, '<')); p++) {
		const char *close = p[1] == '|' ? "|>" : !strncmp(p + 1, "\xef\xbd\x9c", 3) ? "\xef\xbd\x9c>" : NULL;

		end = close ? strstr(p + 2, close) : NULL;
		if (!end || strcspn(p, " \n") < (size_t)(end - p))
			continue;
		end[strlen(close)] = 0;
		if (tokenizer_id(w->tokenizer, p) < 0) {
			tool_warn("--template %s writes %s, which is no token of %s: it is plain text there", w->o->template, p, w->o->model);
			break;
		}
		p = end;
	}
	buf_free(&text);
	return rc;
}

static int open_local(struct work *w, const struct options *o, struct tool *t, struct err *e)
{
	const struct config *c;
	struct state s;

	w->be = backend_open(t->backend, (int)t->threads, e);
	if (!w->be || !(w->ck = o->adapter ? checkpoint_open_adapter(o->adapter, o->model, e) : checkpoint_open(o->model, e)) || state_read(w->ck, &s, e) < 0 ||
	    !(w->tokenizer = completion_tokenizer(w->ck, e)) || !(w->template = completion_template(w->ck, o->template, e)) ||
	    set_thinking(w, e) < 0 || (own_template(o) && !w->round && warn_foreign(w, e) < 0) ||
	    !(w->model = model_from_checkpoint(w->ck, w->be, MODEL_SAMPLE, model_dtype(o->dtype), e)))
		return -1;
	tool_debug("%s", w->be->what);
	c = &w->ck->config;
	w->step = o->step >= 0 ? o->step : s.step;
	if (o->context > c->max_positions)
		return err_set(e, "--context %lld is more than the model's %lld positions", (long long)o->context, (long long)c->max_positions);
	open_sampler(w, o->context ? o->context : o->max_tokens + SHORT_PROMPT);
	return 0;
}

static int open_remote(struct work *w, const struct options *o, struct tool *t, struct err *e)
{
	struct remote_params p = {.url = o->model, .model = o->model_name, .temperature = o->greedy ? 0 : o->temperature, .top_p = o->top_p,
				  .min_p = o->min_p, .top_k = o->top_k, .max_tokens = o->max_tokens, .stop = o->stop.item, .stops = o->stop.n,
				  .seed = t->seed, .logprobs = choice(o->logprobs), .thinking = choice(o->thinking), .batch = o->batch,
				  .per_request = o->per_request, .tries = o->tries, .wait = o->wait, .connect_timeout = o->connect_timeout,
				  .timeout = o->timeout, .verbose = t->verbose};
	struct remote_events on = {.done = on_remote_done, .failed = on_remote_failed, .arg = w};
	const char *key = getenv("OPENAI_API_KEY");

	if (o->key_file && http_read_key(o->key_file, &w->key, e) < 0)
		return -1;
	p.key = o->key_file ? w->key.p : key && *key ? key : NULL;
	if (!o->key_file && p.key && http_check_key(p.key, e) < 0)
		return err_prefix(e, "OPENAI_API_KEY");
	w->step = o->step;
	if (own_template(o) && (!(w->template = template_open(o->template, e)) || set_thinking(w, e) < 0))
		return -1;
	return (w->remote = remote_open(&p, &on, e)) ? 0 : -1;
}

static int open_all(struct work *w, const struct options *o, struct tool *t, char **files, int n, struct err *e)
{
	struct outlet_params p = {.output = o->output, .resume = o->resume, .seed = t->seed, .temperature = o->greedy ? 0 : o->temperature,
				  .top_p = o->top_p, .min_p = o->min_p, .top_k = o->top_k, .stop = o->stop.item, .stops = o->stop.n,
				  .max_tokens = o->max_tokens, .first = o->first, .samples = o->samples, .group = o->group, .pass_failed = t->skip_bad,
				  .arg = w};

	if ((remote_is_url(o->model) ? open_remote(w, o, t, e) : open_local(w, o, t, e)) < 0)
		return -1;
	p.model = w->remote ? remote_model(w->remote) : o->model;
	p.step = w->step;
	p.text = w->remote ? NULL : text_of;
	if (!w->remote)
		p.context = o->context ? o->context : w->ck->config.max_positions;
	if (!o->prompt)
		w->in = reader_open(files, (size_t)n, t);
	return (w->out = outlet_open(&p, e)) ? 0 : -1;
}

static void close_model(struct work *w)
{
	sampler_free(w->sampler);
	model_free(w->model);
	template_free(w->template);
	tokenizer_free(w->tokenizer);
	checkpoint_close(w->ck);
	backend_close(w->be);
	w->sampler = NULL;
	w->model = NULL;
	w->template = NULL;
	w->tokenizer = NULL;
	w->ck = NULL;
	w->be = NULL;
}

static void close_all(struct work *w)
{
	remote_close(w->remote);
	buf_free(&w->key);
	close_model(w);
	if (w->in)
		reader_close(w->in);
	buf_free(&w->text);
	buf_free(&w->bytes);
}

static int64_t tokens(const struct work *w)
{
	return w->tokens + (w->remote ? remote_tokens(w->remote) : w->sampler ? sampler_tokens(w->sampler) : 0);
}

/* ---- --follow: some problems with each checkpoint that r1-update writes ---- */

static const char *followed(const struct options *o)
{
	return o->adapter ? o->adapter : o->model;
}

/* A checkpoint appears whole, as another folder of that name. False: it is the one that is open. */
static bool replaced(const struct work *w, struct stat *now)
{
	return stat(followed(w->o), now) == 0 && (now->st_ino != w->seen.st_ino || now->st_dev != w->seen.st_dev);
}

static int say_interrupted(const struct work *w, struct err *e)
{
	if (outlet_appears(w->out))
		return err_set(e, "interrupted: %s is not written", w->o->output);
	return err_set(e, "interrupted: the completions written are whole");
}

/* Waits a moment. -1: who reads what is written here is gone, or a signal came. */
static int wait_a_moment(struct err *e)
{
	struct pollfd out = {.fd = 1};

	poll(&out, 1, 20);
	if (tool_interrupted())
		return err_set(e, "interrupted: the completions written are whole");
	return out.revents & POLLERR ? err_set(e, "stdout: nobody reads it any more") : 0;
}

static int follow(struct work *w, struct tool *t)
{
	int64_t due = w->first_step + ++w->round - w->o->lag;
	double started = clock_seconds();
	bool said = false;
	struct stat now;

	w->taken = 0;
	for (;;) {
		while (replaced(w, &now)) {
			w->tokens = tokens(w);
			close_model(w);
			w->seen = now;
			if (open_local(w, w->o, t, w->e) < 0)
				return -1;
		}
		if (w->step >= due)
			break;
		if (!said && clock_seconds() - started > 60 && (said = true))
			tool_note("waiting for step %lld of %s", (long long)due, followed(w->o));
		if (wait_a_moment(w->e) < 0)
			return -1;
	}
	outlet_set_step(w->out, w->step);
	return 0;
}

static int run(struct work *w, const struct options *o, struct tool *t, char **files, int n, struct err *e)
{
	double started;

	if (o->follow && stat(followed(o), &w->seen) < 0)
		return err_errno(e, "%s", followed(o));
	if (open_all(w, o, t, files, n, e) < 0)
		return -1;
	w->first_step = w->step;
	w->progress = progress_new("sampling", 0, "completions");
	progress_rate(&w->progress, "tok/s");
	started = clock_seconds();
	for (;;) {
		read_more(w);
		if (w->ended)
			w->progress.total = w->problems * o->samples;
		if (w->rc < 0 || tool_interrupted() || (w->ended && !busy(w)))
			break;
		if (o->follow && !busy(w)) {
			w->rc = follow(w, t);
			continue;
		}
		if (w->remote)
			remote_step(w->remote, 100);
		else if (sampler_step(w->sampler, e) < 0)
			w->rc = err_prefix(e, "%s", o->model);
		if (!t->quiet)
			progress_set(&w->progress, w->completions, tokens(w));
	}
	progress_end(&w->progress);
	if (w->rc >= 0 && tool_interrupted())
		w->rc = say_interrupted(w, e);
	else if (w->rc >= 0 && w->bad)
		w->rc = err_set(e, "%s", w->why.msg);
	if (outlet_close(w->out, w->rc >= 0, e) < 0)
		w->rc = -1;
	w->out = NULL;
	if (w->rc >= 0)
		tool_note("%lld completion%s of %lld problem%s, %lld tokens, %.0f tok/s; %.1f MiB at most", (long long)w->completions,
			  w->completions == 1 ? "" : "s", (long long)w->problems, w->problems == 1 ? "" : "s", (long long)tokens(w),
			  (double)tokens(w) / (clock_seconds() - started + 1e-9), (double)memory_peak() / 1048576);
	return w->rc;
}

/* Options that only one kind of model has; -1 or the exit code. */
static int check_kind(const struct tool *t, const struct options *o, const struct opt *opts)
{
	static const char *const local[] = {"adapter", "dtype", "context", "follow"};
	static const char *const server[] = {"model-name", "api", "key-file", "logprobs", "per-request", "tries", "retry-wait",
					     "connect-timeout", "timeout"};
	bool remote = remote_is_url(o->model);
	size_t i;

	for (i = 0; remote && i < sizeof local / sizeof local[0]; i++)
		if (opt_given(opts, local[i]))
			return tool_usage(t, "--%s is for a model that runs here, not for a server", local[i]);
	for (i = 0; !remote && i < sizeof server / sizeof server[0]; i++)
		if (opt_given(opts, server[i]))
			return tool_usage(t, "--%s is for a server (--model http://...)", server[i]);
	for (i = 0; i < o->stop.n; i++)
		if (!o->stop.item[i][0])
			return tool_usage(t, "--stop: a text of no length");
	if (remote && own_template(o) && !strcmp(o->api, "chat"))
		return tool_usage(t, "--api chat leaves the template to the server: there is no --template beside it");
	return -1;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-sample", .usage = "--model DIR|URL [OPTION]... [FILE]...", .summary = "Write completions for each problem"};
	struct options o = {.dtype = "auto", .template = "auto", .samples = 1, .batch = 64, .max_tokens = 512, .temperature = 1, .top_p = 1, .step = -1, .api = "auto",
			    .logprobs = "auto", .thinking = "auto", .per_request = 1, .tries = 16, .wait = 0.5, .connect_timeout = 10,
			    .timeout = 1800};
	struct opt opts[] = {
		OPT_HEADING("Model and prompt"),
		{"model", 'm', OPT_STRING, &o.model, "DIR|URL", "checkpoint (a folder or an archive), or a server: http://host:port/v1"},
		{"adapter", 0, OPT_STRING, &o.adapter, "DIR", "low-rank adapter on that model"},
		{"template", 't', OPT_STRING, &o.template, "NAME", "how a problem becomes a prompt: by a template of that name, or a file"},
		{"system", 0, OPT_STRING, &o.system, "TEXT", "system message, for templates that have one"},
		{"thinking", 0, OPT_CHOICE, &o.thinking, "auto|on|off", "for templates that can have reasoning or not; auto: as they do by themselves"},
		{"prompt", 'p', OPT_STRING, &o.prompt, "TEXT", "take this one problem instead of reading files"},
		OPT_HEADING("Sampling"),
		{"samples", 'n', OPT_INT, &o.samples, "N", "completions for each problem", 1, 1 << 20},
		{"first-sample", 0, OPT_INT, &o.first, "K", "number them from K on: more of a group that is there already", 0, 1 << 20},
		{"group", 0, OPT_INT, &o.group, "N", "the group's size, if these are a part of it; 0: first-sample + samples", 0, 1 << 21},
		{"temperature", 0, OPT_FLOAT, &o.temperature, "T", "softmax temperature; 0: greedy", 0, 1e6},
		{"top-p", 0, OPT_FLOAT, &o.top_p, "P", "of the likeliest tokens, those that make up P; 1: all", 1e-9, 1},
		{"top-k", 0, OPT_INT, &o.top_k, "K", "of the K likeliest tokens; 0: all", 0, 1 << 30},
		{"min-p", 0, OPT_FLOAT, &o.min_p, "P", "of tokens at least P times as likely as the likeliest; 0: all", 0, 1},
		{"greedy", 0, OPT_FLAG, &o.greedy, NULL, "always take the likeliest token: temperature 0"},
		{"max-tokens", 0, OPT_INT, &o.max_tokens, "N", "longest completion", 1, 1 << 30},
		{"stop", 0, OPT_LIST, &o.stop, "TEXT", "end a completion after this text (may be repeated)"},
		{"step", 0, OPT_INT, &o.step, "N", "the step to write into records; -1: the checkpoint's", -1, 1e15},
		TOOL_OPTIONS_SEED(&t),
		OPT_HEADING("Beside an r1-update that runs"),
		{"follow", 0, OPT_INT, &o.follow, "N", "sample N problems, then wait for the next checkpoint, and so on; 0: no", 0, 1e15},
		{"lag", 0, OPT_INT, &o.lag, "K", "be up to K checkpoints behind", 0, 1e15},
		OPT_HEADING("Server"),
		{"model-name", 0, OPT_STRING, &o.model_name, "NAME", "the model, as the server calls it [its only one]"},
		{"api", 0, OPT_CHOICE, &o.api, "auto|chat|completions", "auto: completions for a --template or a 'prompt', else chat"},
		{"key-file", 0, OPT_STRING, &o.key_file, "FILE", "the key is in FILE [in the environment: OPENAI_API_KEY]"},
		{"logprobs", 0, OPT_CHOICE, &o.logprobs, "auto|on|off", "ask for logprobs and ids; auto: logprobs at temperature 1 alone"},
		{"per-request", 0, OPT_INT, &o.per_request, "N", "completions of one request", 1, 1024},
		{"tries", 0, OPT_INT, &o.tries, "N", "how often a request is tried", 1, 1e6},
		{"retry-wait", 0, OPT_FLOAT, &o.wait, "S", "seconds before the second try, doubled for each one more, up to 60", 0, 3600},
		{"connect-timeout", 0, OPT_FLOAT, &o.connect_timeout, "S", "seconds until a connection is given up", 0.001, 1e6},
		{"timeout", 0, OPT_FLOAT, &o.timeout, "S", "seconds until a request is given up and tried again", 0.001, 2e6},
		OPT_HEADING("Computing"),
		{"batch", 'b', OPT_INT, &o.batch, "N", "completions (of a server: requests) at once: speed and memory, not results", 1, 1 << 16},
		{"dtype", 0, OPT_CHOICE, &o.dtype, MODEL_DTYPES, "what weights are kept as; auto: 16 bits where that loses nothing"},
		{"context", 0, OPT_INT, &o.context, "N", "longest prompt and completion together; 0: as long as they are", 0, 1 << 30},
		TOOL_OPTIONS_COMPUTE(&t),
		{"output", 'o', OPT_STRING, &o.output, "FILE", "write there instead of to stdout; it appears when all is done"},
		{"resume", 0, OPT_STRING, &o.resume, "FILE", "write there as it goes, and go on with what an earlier run left there"},
		TOOL_OPTIONS(&t),
		OPT_END};
	struct err e;
	struct work w = {.o = &o, .tool = &t, .e = &e};
	int rc = tool_begin(&t, opts, &argc, &argv);

	if (rc >= 0)
		return rc;
	if (!o.model)
		return tool_usage(&t, "--model is missing");
	if ((rc = check_kind(&t, &o, opts)) >= 0)
		return rc;
	if (o.greedy && opt_given(opts, "temperature") && o.temperature != 0)
		return tool_usage(&t, "--greedy and --temperature exclude each other");
	if (o.temperature == 0)
		o.greedy = true;
	else if (o.temperature < 1e-6)
		return tool_usage(&t, "--temperature %g is less than 1e-06: 0 takes the likeliest token", o.temperature);
	if (o.lag && !o.follow)
		return tool_usage(&t, "--lag is of --follow, which is missing");
	if (o.follow && (o.step >= 0 || o.resume || o.output || o.prompt))
		return tool_usage(&t, "--follow goes with no --step, --prompt, --output or --resume");
	if (o.output && o.resume)
		return tool_usage(&t, "--resume names the file that is written: there is no --output beside it");
	if (o.prompt && argc)
		return tool_usage(&t, "--prompt takes the place of files, but '%s' is named, too", argv[0]);
	if (o.group && o.group < o.first + o.samples)
		return tool_usage(&t, "--group %lld has no room for sample %lld", (long long)o.group, (long long)(o.first + o.samples - 1));
	if (!o.group)
		o.group = o.first + o.samples;
	rc = run(&w, &o, &t, argv, argc, &e);
	close_all(&w);
	return rc < 0 ? tool_fail(&t, &e) : tool_end(&t);
}
