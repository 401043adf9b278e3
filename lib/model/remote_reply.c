#include "model/remote_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

struct js *remote_parse(const char *body, size_t n, struct err *e)
{
	struct buf clean = {0};
	struct js *j;

	if (utf8_prefix(body, n) < n) {
		utf8_replace(body, n, &clean);
		body = clean.p;
		n = clean.n;
	}
	if (n == 0) {
		err_set(e, "the reply is empty");
		return NULL;
	}
	j = js_parse(body, n, "the reply is no JSON", e);
	buf_free(&clean);
	return j;
}

/* ---- errors ---- */

static void add_text(struct buf *to, const struct js *j)
{
	const char *s;
	size_t n;

	if (!j || js_is_null(j))
		return;
	if (to->n)
		buf_char(to, ' ');
	s = js_string(j, &n);
	if (s)
		buf_add(to, s, n);
	else
		js_write(j, 0, to);
}

void remote_error_text(const struct http *h, const struct js *j, struct err *why)
{
	static const char *const parts[] = {"message", "param", "code", "detail"};
	const struct js *in = js_is_object(js_get(j, "error")) ? js_get(j, "error") : j;
	struct buf b = {0};
	size_t i, n;

	if (js_is_string(j)) {
		add_text(&b, j);
	} else {
		if (js_is_string(js_get(j, "error")))
			add_text(&b, js_get(j, "error"));
		for (i = 0; i < 4; i++)
			if (i < 1 || i > 2 || js_is_string(js_get(in, parts[i])))
				add_text(&b, js_get(in, parts[i]));
	}
	if (h)
		http_mask(h, &b);
	for (i = 0; i < b.n; i++)
		if ((unsigned char)b.p[i] < 0x20 || b.p[i] == 0x7f)
			b.p[i] = ' ';
	for (n = b.n > 600 ? 600 : b.n; n && n < b.n && (b.p[n] & 0xc0) == 0x80; n--)
		;
	err_set(why, "%.*s", (int)n, b.p ? b.p : "");
	buf_free(&b);
}

/* ---- a choice ---- */

/* Text, or a list of parts of which those with text count. */
static bool add_content(struct buf *to, const struct js *j)
{
	const char *s;
	size_t n, i;

	if ((s = js_string(j, &n))) {
		buf_add(to, s, n);
		return true;
	}
	for (i = 0; i < js_size(j); i++)
		if ((s = js_string(js_get(js_at(j, i), "text"), &n)))
			buf_add(to, s, n);
	return js_is_array(j);
}

static void set_token(struct remote_choice_text *c, size_t i, const struct js *logprob, const struct js *id, const struct js *name)
{
	const char *s = js_string(name, NULL);
	int64_t v = -1;

	if (js_is_int(id))
		v = js_int(id);
	else if (s && !strncmp(s, "token_id:", 9) && s[9] >= '0' && s[9] <= '9')
		v = strtoll(s + 9, NULL, 10);
	if (v < 0 || v > INT32_MAX)
		c->has_ids = false;
	else
		c->id[i] = (int32_t)v;
	if (!js_is_number(logprob) || js_number(logprob) > 1e-3)
		c->has_logprobs = false;
	else
		c->logprob[i] = (float)js_number(logprob);
}

/* {"content": [{token, logprob, id?}]} of chat, or {"tokens": [], "token_logprobs": []} of the older API. */
static void read_logprobs(struct remote_choice_text *c, const struct js *j)
{
	const struct js *content = js_get(j, "content"), *names = js_get(j, "tokens"), *values = js_get(j, "token_logprobs");
	size_t n = content ? js_size(content) : js_size(values), i;

	if (!js_is_array(content) && !js_is_array(values))
		return;
	c->has_ids = c->has_logprobs = true;
	c->tokens = n;
	c->id = xgrow(c->id, &c->id_cap, n + 1, sizeof *c->id);
	c->logprob = xgrow(c->logprob, &c->logprob_cap, n + 1, sizeof *c->logprob);
	for (i = 0; i < n; i++) {
		const struct js *t = js_at(content, i);

		if (content)
			set_token(c, i, js_get(t, "logprob"), js_get(t, "id"), js_get(t, "token"));
		else
			set_token(c, i, js_at(values, i), NULL, js_at(names, i));
	}
}

bool remote_lists_all(const struct js *reply)
{
	const struct js *choices = js_get(reply, "choices"), *count = js_get(js_get(reply, "usage"), "completion_tokens");
	size_t i, n = 0, first = 0;

	for (i = 0; i < js_size(choices); i++) {
		const struct js *j = js_get(js_at(choices, i), "logprobs"), *content = js_get(j, "content");

		n += js_size(content ? content : js_get(j, "token_logprobs"));
		first = i ? first : n;
	}
	return !js_is_int(count) || js_int(count) == (int64_t)n || js_int(count) == (int64_t)first;      /* some count but the first */
}

/* The list of ids that some servers give beside the text. Logprobs of another number belong to other tokens. */
static void read_ids(struct remote_choice_text *c, const struct js *list)
{
	size_t n = js_size(list), i;

	if (!js_is_array(list))
		return;
	for (i = 0; i < n; i++)
		if (!js_is_int(js_at(list, i)) || js_int(js_at(list, i)) < 0 || js_int(js_at(list, i)) > INT32_MAX)
			return;
	if (c->has_logprobs && c->tokens != n)
		c->has_logprobs = false;
	c->id = xgrow(c->id, &c->id_cap, n + 1, sizeof *c->id);
	for (i = 0; i < n; i++)
		c->id[i] = (int32_t)js_int(js_at(list, i));
	c->tokens = n;
	c->has_ids = true;
}

/* Servers take the stop string off; where they say which it was it is put back, as r1's own sampler leaves it there. */
static void add_stop(struct buf *text, const struct js *choice, const struct completer_params *p)
{
	const struct js *said = js_get(choice, "stop_reason") ? js_get(choice, "stop_reason") : js_get(choice, "matched_stop");
	size_t n, i;
	const char *s = js_string(said, &n);

	for (i = 0; s && n && i < p->stops; i++)
		if (!strcmp(s, p->stop[i]) && !(text->n >= n && !memcmp(text->p + text->n - n, s, n))) {
			buf_add(text, s, n);
			return;
		}
}

int remote_read_choice(struct remote_choice_text *c, const struct js *choice, const struct completer_params *p, bool all, struct err *e)
{
	static const char *const cut[] = {"length", "max_tokens", "model_length", "content_filter"};
	const struct js *message = js_get(choice, "message"), *thought = js_get(message, "reasoning_content");
	const char *finish = js_string(js_get(choice, "finish_reason"), NULL);
	struct buf content = {0};
	bool there;
	size_t i;

	buf_clear(&c->text);
	c->has_ids = c->has_logprobs = false;
	c->tokens = 0;
	if (finish && (!strcmp(finish, "error") || !strcmp(finish, "abort") || !strcmp(finish, "insufficient_system_resource")))
		return err_set(e, "'finish_reason' is '%s'", finish);
	c->stopped = true;
	for (i = 0; finish && i < sizeof cut / sizeof cut[0]; i++)
		c->stopped &= strcmp(finish, cut[i]) != 0;
	there = add_content(&content, message ? js_get(message, "content") : js_get(choice, "text"));
	if (!thought || js_is_null(thought))
		thought = js_get(message, "reasoning");
	if (js_is_string(thought) && js_string(thought, NULL)[0]) {
		buf_str(&c->text, "<think>");
		add_content(&c->text, thought);
		if (content.n || c->stopped)
			buf_str(&c->text, "</think>");
	} else if (!there && !(message && js_is_null(js_get(message, "content")))) {
		return err_set(e, message ? "'message.content' is %s, not a string" : "'text' is %s, not a string",
			       js_type(message ? js_get(message, "content") : js_get(choice, "text")));
	}
	buf_add(&c->text, content.p ? content.p : "", content.n);
	buf_free(&content);
	add_stop(&c->text, choice, p);
	buf_room(&c->text, 1);
	c->text.p[c->text.n] = 0;
	if (all)
		read_logprobs(c, js_get(choice, "logprobs"));
	read_ids(c, js_get(choice, "token_ids"));
	return 0;
}

void remote_free_choice(struct remote_choice_text *c)
{
	buf_free(&c->text);
	free(c->id);
	free(c->logprob);
}
