/* Requests and their replies. What a choice holds is read in remote_reply.c. */
#include "model/remote.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/tool.h"
#include "model/remote_private.h"

/* What is sent without having been asked for by name, as long as the server takes it. */
enum { LOGPROBS = 1, ID_NAMES = 2, IDS = 4, TOP_K = 8, MIN_P = 16, SEED = 32, KEEP_STOP = 64, MAX_TOKENS = 128, TOP_P = 256 };
static const struct {
	unsigned bit;
	const char *name, *other;       /* other: what it is called instead, where that is what the server says */
} features[] = {
	{ID_NAMES, "return_tokens_as_token_ids"}, {IDS, "return_token_ids"}, {LOGPROBS, "logprobs"}, {TOP_K, "top_k"}, {TOP_P, "top_p"},
	{MIN_P, "min_p"},
	{KEEP_STOP, "include_stop_str_in_output"}, {SEED, "seed"}, {MAX_TOKENS, "max_completion_tokens", "max_completion_tokens"},
};

struct prompt {                         /* shared by the requests for its completions */
	int64_t refs;
	char *text;
	size_t n;
	struct js *messages;
	uint64_t stream;
	void *user;
};

struct ask {                            /* one request */
	struct prompt *prompt;          /* NULL: for the names of the models */
	int64_t first, n;
	unsigned sent;
	bool all;                       /* it was refused for a reason that holds for all */
};

struct remote {
	const struct completer_params *p;
	struct http *h;
	char *model;
	unsigned features, required;    /* that are sent; that may not be left out */
	int64_t per_request, samples, tokens;
	struct err why;                 /* why the model's name cannot be had */
	struct buf body;
	struct remote_choice_text choice;
};

bool remote_is_url(const char *model)
{
	return !strncmp(model, "http://", 7) || !strncmp(model, "https://", 8);
}

/* ---- requests ---- */

static void set_sampling(const struct remote *r, const struct ask *a, struct js *j)
{
	const struct completer_params *p = r->p;
	bool chat = a->prompt->messages != NULL;
	size_t i;

	js_set(j, r->features & MAX_TOKENS ? "max_tokens" : "max_completion_tokens", js_new_int(p->max_tokens));
	js_set(j, "temperature", js_new_number(p->temperature));
	if (r->features & TOP_P)
		js_set(j, "top_p", js_new_number(p->top_p));
	if (r->features & TOP_K)
		js_set(j, "top_k", js_new_int(p->top_k > 0 ? p->top_k : -1));
	if (r->features & MIN_P)
		js_set(j, "min_p", js_new_number(p->min_p));
	if (r->features & SEED)         /* 31 bits: what every server's integer holds */
		js_set(j, "seed", js_new_int((int64_t)(rng_bits(p->seed, a->prompt->stream, (uint32_t)a->first, 0) >> 33)));
	if (a->n > 1)
		js_set(j, "n", js_new_int(a->n));
	if (p->stops) {
		struct js *list = js_array();

		for (i = 0; i < p->stops; i++)
			js_push(list, js_new_str(p->stop[i]));
		js_set(j, "stop", list);
		if (r->features & KEEP_STOP)
			js_set(j, "include_stop_str_in_output", js_new_bool(true));
	}
	if (r->features & LOGPROBS && chat) {
		js_set(j, "logprobs", js_new_bool(true));
		js_set(j, "top_logprobs", js_new_int(1));
	} else if (r->features & LOGPROBS) {
		js_set(j, "logprobs", js_new_int(1));
	}
	if (r->features & LOGPROBS && r->features & ID_NAMES)
		js_set(j, "return_tokens_as_token_ids", js_new_bool(true));
	if (r->features & IDS)
		js_set(j, "return_token_ids", js_new_bool(true));
	if (chat && p->thinking != CHOICE_AUTO) {
		struct js *kwargs = js_object();

		js_set(kwargs, "enable_thinking", js_new_bool(p->thinking == CHOICE_ON));
		js_set(j, "chat_template_kwargs", kwargs);
	}
}

static void make_body(struct remote *r, struct ask *a)
{
	struct js *j = js_object();

	js_set(j, "model", js_new_str(r->model));
	if (a->prompt->messages)
		js_set(j, "messages", js_copy(a->prompt->messages));
	else
		js_set(j, "prompt", js_new_string(a->prompt->text, a->prompt->n));
	set_sampling(r, a, j);
	a->sent = r->features;
	buf_clear(&r->body);
	js_write(j, 0, &r->body);
	js_free(j);
}

static void send_ask(struct remote *r, struct prompt *p, int64_t first, int64_t n)
{
	struct ask *a = xcalloc(1, sizeof *a);

	*a = (struct ask){.prompt = p, .first = first, .n = n};
	p->refs++;
	r->samples += n;
	make_body(r, a);
	http_add(r->h, p->messages ? "/chat/completions" : "/completions", r->body.p, r->body.n, hash_mix(p->stream, (uint64_t)first), a);
}

static void free_prompt(struct prompt *p)
{
	if (--p->refs > 0)
		return;
	free(p->text);
	js_free(p->messages);
	free(p);
}

static void free_ask(struct remote *r, struct ask *a)
{
	if (a->prompt) {
		r->samples -= a->n;
		free_prompt(a->prompt);
	}
	free(a);
}

/* ---- replies ---- */

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);
	const char *p;

	for (p = text; (p = strstr(p, word)); p++)
		if ((p == text || !isalnum((unsigned char)p[-1])) && !isalnum((unsigned char)p[n]))
			return true;
	return false;
}

/* A refusal that names what was sent on our own account: that is left out from now on. */
static bool adapt(struct remote *r, struct ask *a, const char *why)
{
	size_t i;

	if (a->sent & ~r->features)     /* left out since then */
		return true;
	for (i = 0; i < sizeof features / sizeof features[0]; i++) {
		if (!(a->sent & features[i].bit) || r->required & features[i].bit || !strstr(why, features[i].name))
			continue;
		r->features &= ~features[i].bit;
		tool_note("the server refuses a request (%.200s): '%s' is %s from now on", why, features[i].other ? "max_tokens" : features[i].name,
			   features[i].other ? features[i].other : "left out");
		return true;
	}
	if (a->n > 1 && (has_word(why, "n") || strstr(why, "choice"))) {
		r->per_request = 1;
		return true;
	}
	return false;
}

/* The request again, as the server is now thought to take it. */
static enum http_verdict send_changed(struct remote *r, struct ask *a, struct http_request *q)
{
	int64_t k;

	for (k = r->per_request; k < a->n; k += r->per_request)
		send_ask(r, a->prompt, a->first + k, a->n - k < r->per_request ? a->n - k : r->per_request);
	if (a->n > r->per_request) {
		r->samples -= a->n - r->per_request;
		a->n = r->per_request;
	}
	make_body(r, a);
	http_change(q, r->body.p, r->body.n);
	return HTTP_CHANGED;
}

static enum http_verdict take_status(struct remote *r, struct ask *a, struct http_request *q, long status, const struct js *j, struct err *e)
{
	bool again = status == 408 || status == 409 || status == 425 || status == 429 || (status >= 500 && status != 501);
	struct err why;

	remote_error_text(r->h, j, &why);
	err_set(e, "status %ld%s%.400s", status, why.msg[0] ? ": " : "", why.msg);
	if (again && !(status == 429 && strstr(why.msg, "insufficient_quota")))
		return HTTP_AGAIN;
	if (a->prompt && (status == 400 || status == 422) && adapt(r, a, why.msg))
		return send_changed(r, a, q);
	if (!a->prompt && status == 404)
		err_set(e, "status 404: there is no list of models: if the URL is right (most end with /v1), give the name by %s", r->p->name_option);
	a->all = status != 400 && status != 413 && status != 422;
	return HTTP_REFUSED;
}

static enum http_verdict take_models(struct remote *r, const struct js *j, struct err *e)
{
	const struct js *list = js_get(j, "data");
	enum http_verdict v = HTTP_REFUSED;
	struct buf names = {0};
	size_t i;

	if (!js_is_array(list) || js_size(list) == 0)
		return err_set(e, "the reply names no model: give the name by %s", r->p->name_option), HTTP_REFUSED;
	for (i = 0; i < js_size(list); i++) {
		const char *name = js_string(js_get(js_at(list, i), "id"), NULL);

		if (!name)
			break;
		buf_printf(&names, "%s%s", i ? ", " : "", name);
	}
	if (i < js_size(list)) {
		err_set(e, "the reply has a model without a name");
		v = HTTP_AGAIN;
	} else if (i > 1) {
		http_mask(r->h, &names);
		err_set(e, "there are several models (%.300s): say which by %s", names.p, r->p->name_option);
	} else {
		r->model = xstrdup(names.p);
		v = HTTP_TAKEN;
	}
	buf_free(&names);
	return v;
}

struct place {                          /* of a choice in the reply */
	int64_t index;
	size_t at;
	const struct js *choice;
};

static int by_index(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* By 'index', from whatever number on and with whatever is missing: each is taken once. One without it counts as where it stands. */
static struct place *sort_choices(const struct js *list)
{
	size_t n = js_size(list), i;
	struct place *p = xcalloc(n, sizeof *p);

	for (i = 0; i < n; i++) {
		const struct js *choice = js_at(list, i), *index = js_get(choice, "index");

		p[i] = (struct place){js_is_int(index) ? js_int(index) : (int64_t)i, i, choice};
	}
	qsort(p, n, sizeof *p, by_index);
	return p;
}

/* Hands on the choices. Those that are missing are asked for again. */
static enum http_verdict take_choices(struct remote *r, struct ask *a, const struct js *j, struct err *e)
{
	const struct js *list = js_get(j, "choices");
	int64_t n = (int64_t)js_size(list), k;
	bool all = remote_lists_all(j);
	struct place *place;
	struct err why;

	if (!js_is_array(list) || n == 0) {
		remote_error_text(r->h, j, &why);       /* some send an error with status 200 */
		return err_set(e, "the reply has no 'choices'%s%.400s", why.msg[0] ? ": " : "", why.msg), HTTP_AGAIN;
	}
	place = sort_choices(list);
	if (n > a->n)
		n = a->n;
	for (k = 0; k < n; k++)         /* all are read before any is handed on */
		if (remote_read_choice(&r->choice, place[k].choice, r->p, all, e) < 0) {
			err_prefix(e, "'choices[%zu]'", place[k].at);
			free(place);
			return HTTP_AGAIN;
		}
	for (k = 0; k < n; k++) {
		struct remote_choice_text *c = &r->choice;
		struct made m = {0};

		remote_read_choice(c, place[k].choice, r->p, all, e);
		http_mask(r->h, &c->text);
		m.text = c->text.p;
		m.n = c->text.n;
		m.id = c->has_ids ? c->id : NULL;
		m.logprob = c->has_logprobs ? c->logprob : NULL;
		m.tokens = c->has_ids || c->has_logprobs ? c->tokens : 0;
		m.finish = c->stopped ? "stop" : "length";
		r->p->on.done(r->p->on.arg, a->prompt->user, a->first + k, &m);
	}
	free(place);
	r->tokens += js_int(js_get(js_get(j, "usage"), "completion_tokens"));
	if (n < a->n)
		send_ask(r, a->prompt, a->first + n, a->n - n);
	return HTTP_TAKEN;
}

/* What is no JSON, as a string: the first of it, without the key */
static struct js *begin_of(struct remote *r, const char *body, size_t n)
{
	buf_clear(&r->body);
	buf_add(&r->body, body, n);
	http_mask(r->h, &r->body);
	return js_new_string(r->body.p, r->body.n > 200 ? 200 : r->body.n);
}

static enum http_verdict on_reply(void *arg, struct http_request *q, long status, const char *body, size_t n, struct err *e)
{
	struct remote *r = arg;
	struct ask *a = http_user(q);
	bool good = status >= 200 && status < 300;
	struct js *j = remote_parse(body, n, e);
	enum http_verdict v;

	if (!good) {
		if (!j)                 /* a proxy's page, or nothing */
			j = begin_of(r, body, n);
		v = take_status(r, a, q, status, j, e);
	} else if (!j || !js_is_object(j)) {
		if (j)
			err_set(e, "the reply is %s, not an object", js_type(j));
		v = HTTP_AGAIN;
	} else {
		v = a->prompt ? take_choices(r, a, j, e) : take_models(r, j, e);
	}
	js_free(j);
	if (v == HTTP_TAKEN)
		free_ask(r, a);
	return v;
}

static void on_failed(void *arg, struct http_request *q, bool all, const struct err *e)
{
	struct remote *r = arg;
	struct ask *a = http_user(q);

	if (a->prompt)
		r->p->on.failed(r->p->on.arg, a->prompt->user, a->first, a->n, all || a->all, e);
	else
		r->why = *e;
	free_ask(r, a);
}

static void on_trouble(void *arg, const char *why)
{
	(void)arg;
	if (why)
		tool_note("%s; trying again", why);
	else
		tool_note("the server answers");
}

/* ---- outside ---- */

static int ask_model(struct remote *r, struct err *e)
{
	struct ask *a = xcalloc(1, sizeof *a);

	http_add(r->h, "/models", NULL, 0, hash_str("models"), a);
	while (http_busy(r->h) && !tool_interrupted())
		http_step(r->h, 100);
	if (tool_interrupted())
		return err_set(e, "interrupted");
	if (r->model)
		return 0;
	*e = r->why;
	return -1;
}

struct remote *remote_open(const struct completer_params *p, const char *key, struct err *e)
{
	struct remote *r = xcalloc(1, sizeof *r);
	bool exact = p->temperature == 0 || p->temperature == 1;
	struct http_params hp = {.base = p->model, .key = key, .connect_timeout = p->connect_timeout, .timeout = p->timeout, .at_once = p->batch,
				 .tries = p->tries, .wait = p->wait, .longest_wait = 60, .seed = p->seed, .verbose = p->verbose, .reply = on_reply,
				 .failed = on_failed, .trouble = on_trouble, .arg = r};

	r->p = p;
	r->per_request = p->per_request;
	r->features = TOP_K | TOP_P | MIN_P | SEED | KEEP_STOP | MAX_TOKENS;
	if (p->logprobs != CHOICE_OFF)
		r->features |= IDS;
	if (p->logprobs == CHOICE_ON || (p->logprobs == CHOICE_AUTO && exact))
		r->features |= LOGPROBS | ID_NAMES;
	r->required = (p->top_k > 0 ? TOP_K : 0) | (p->top_p < 1 ? TOP_P : 0) | (p->min_p > 0 ? MIN_P : 0) | (p->logprobs == CHOICE_ON ? LOGPROBS : 0);
	r->h = http_open(&hp, e);
	if (!r->h)
		goto bad;
	if (p->name)
		r->model = xstrdup(p->name);
	else if (ask_model(r, e) < 0)
		goto bad;
	return r;
bad:
	remote_close(r);
	return NULL;
}

void remote_close(struct remote *r)
{
	if (!r)
		return;
	http_close(r->h);
	remote_free_choice(&r->choice);
	buf_free(&r->body);
	free(r->model);
	free(r);
}

const char *remote_model(const struct remote *r)
{
	return r->model;
}

void remote_add(struct remote *r, const struct completer_prompt *from)
{
	struct prompt *p = xcalloc(1, sizeof *p);
	int64_t k;

	p->refs = 1;
	p->stream = from->stream;
	p->user = from->user;
	if (from->messages) {
		const char *role = js_string(js_get(js_at(from->messages, 0), "role"), NULL);
		size_t i;

		p->messages = js_array();
		if (from->system && !(role && !strcmp(role, "system")))
			js_push(p->messages, template_message("system", from->system, strlen(from->system)));
		for (i = 0; i < js_size(from->messages); i++)
			js_push(p->messages, js_copy(js_at(from->messages, i)));
	} else {
		p->text = xstrndup(from->text, from->n);
		p->n = from->n;
	}
	for (k = 0; k < from->samples; k += r->per_request)
		send_ask(r, p, from->first + k, from->samples - k < r->per_request ? from->samples - k : r->per_request);
	free_prompt(p);
}

bool remote_wants(const struct remote *r)
{
	return http_busy(r->h) < r->p->batch;
}

bool remote_busy(const struct remote *r)
{
	return http_busy(r->h) > 0;
}

void remote_step(struct remote *r, int ms)
{
	http_step(r->h, ms);
}

int64_t remote_tokens(const struct remote *r)
{
	return r->tokens;
}
