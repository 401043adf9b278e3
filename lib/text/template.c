#include "text/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum role { SYSTEM, USER, ASSISTANT, ROLES };
static const char *const role_names[ROLES] = {"system", "user", "assistant"};

/* A built-in template: what stands before all, around each message by its role, and at the end, where the model goes on. */
struct format {
	const char *name;
	const char *begin;
	const char *open[ROLES], *close[ROLES];
	const char *end;
	bool one_question;              /* no turns before it */
	bool thought_goes;              /* of earlier turns only what is behind </think> is kept */
};

static const struct format formats[] = {
	{.name = "none", .one_question = true, .close = {[SYSTEM] = "\n\n"}},
	{.name = "mini", .open = {[USER] = "User: ", [ASSISTANT] = "Assistant: "}, .close = {" ", " ", " "}, .end = "Assistant:"},
	{.name = "r1-zero",
		.begin = "What follows is a conversation between User and Assistant. User asks a question and Assistant solves it. "
			"Before it answers, Assistant thinks the problem through step by step; then it tells User the answer. "
			"The thinking is written between <think> and </think>, the answer between <answer> and </answer>, like this: "
			"<think> the thinking goes here </think> <answer> the answer goes here </answer>\n",
		.open = {[USER] = "User: ", [ASSISTANT] = "Assistant: "}, .close = {"\n", "\n", "\n"}, .end = "Assistant:"},
	{.name = "qwen",
		.open = {"<|im_start|>system\n", "<|im_start|>user\n", "<|im_start|>assistant\n"},
		.close = {"<|im_end|>\n", "<|im_end|>\n", "<|im_end|>\n"}, .end = "<|im_start|>assistant\n"},
	{.name = "deepseek-r1", .begin = "<｜begin▁of▁sentence｜>",
		.open = {[USER] = "<｜User｜>", [ASSISTANT] = "<｜Assistant｜>"}, .close = {[ASSISTANT] = "<｜end▁of▁sentence｜>"},
		.end = "<｜Assistant｜><think>\n", .thought_goes = true},
};

#define NAMES "none, mini, r1-zero, qwen, deepseek-r1"

struct template {
	const struct format *format;    /* NULL: a file */
	char *path;
	struct buf text;
};

struct message {
	enum role role;
	const char *text;
	size_t n;
};

const char *template_names(void)
{
	return NAMES;
}

struct template *template_open(const char *name, struct err *e)
{
	struct template *t = xcalloc(1, sizeof *t);
	size_t i;

	for (i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (!strcmp(name, formats[i].name)) {
			t->format = &formats[i];
			return t;
		}
	t->path = xstrdup(name);
	if (!file_exists(name)) {
		err_set(e, "no template '%s': a file, or one of " NAMES, name);
		goto bad;
	}
	if (file_read(name, &t->text, e) < 0)
		goto bad;
	if (t->text.n && t->text.p[t->text.n - 1] == '\n')
		t->text.p[--t->text.n] = 0;
	if (!t->text.n || !memmem(t->text.p, t->text.n, "{problem}", 9)) {
		err_set(e, "%s: a template has {problem} where the question goes", name);
		goto bad;
	}
	return t;
bad:
	template_free(t);
	return NULL;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	free(t->path);
	buf_free(&t->text);
	free(t);
}

/* ---- rendering ---- */

static void render_file(const struct template *t, struct message system, struct message problem, struct buf *to)
{
	const char *p = t->text.p, *end = p + t->text.n, *q;

	while ((q = memchr(p, '{', (size_t)(end - p)))) {
		size_t left = (size_t)(end - q);

		buf_add(to, p, (size_t)(q - p));
		if (left >= 9 && !memcmp(q, "{problem}", 9)) {
			buf_add(to, problem.text, problem.n);
			p = q + 9;
		} else if (left >= 8 && !memcmp(q, "{system}", 8)) {
			buf_add(to, system.text, system.n);
			p = q + 8;
		} else {
			buf_char(to, '{');
			p = q + 1;
		}
	}
	buf_add(to, p, (size_t)(end - p));
}

static void add(struct buf *to, const char *s)
{
	if (s)
		buf_str(to, s);
}

static void render_format(const struct format *f, const struct message *m, size_t n, struct buf *to)
{
	size_t i;

	add(to, f->begin);
	for (i = 0; i < n; i++) {
		const char *s = m[i].text, *end = s + m[i].n, *q;

		while (f->thought_goes && m[i].role == ASSISTANT && (q = memmem(s, (size_t)(end - s), "</think>", 8)))
			s = q + 8;
		add(to, f->open[m[i].role]);
		buf_add(to, s, (size_t)(end - s));
		add(to, f->close[m[i].role]);
	}
	add(to, f->end);
}

static bool one_question(const struct template *t)
{
	return !t->format || t->format->one_question;
}

/* m[0] is a system message or is left out by its NULL text. */
static int render(const struct template *t, const struct message *m, size_t n, struct buf *to, struct err *e)
{
	if (m[n - 1].role != USER)
		return err_set(e, "the last message is the %s's: there is no question", role_names[m[n - 1].role]);
	if (one_question(t) && n > 2)
		return err_set(e, "the template %s takes one question, not a conversation", t->format ? t->format->name : t->path);
	if (t->format)
		render_format(t->format, m + !m[0].text, n - !m[0].text, to);
	else
		render_file(t, m[0].text ? m[0] : (struct message){SYSTEM, "", 0}, m[n - 1], to);
	return 0;
}

int template_problem(const struct template *t, const char *system, const char *problem, size_t n, struct buf *to, struct err *e)
{
	struct message m[2] = {{SYSTEM, system, system ? strlen(system) : 0}, {USER, problem, n}};

	return render(t, m, 2, to, e);
}

static int read_message(const struct js *j, size_t i, struct message *m, struct err *e)
{
	const char *role = js_string(js_get(j, "role"), NULL);
	size_t k;

	if (!role)
		return err_set(e, "'messages[%zu].role' is %s, not a string", i, js_type(js_get(j, "role")));
	for (k = 0; k < ROLES && strcmp(role, role_names[k]) != 0; k++)
		;
	if (k == ROLES)
		return err_set(e, "'messages[%zu].role' is '%.40s', not system, user or assistant", i, role);
	if (k == SYSTEM && i > 0)
		return err_set(e, "'messages[%zu].role' is 'system', which comes first or not at all", i);
	m->role = (enum role)k;
	m->text = js_string(js_get(j, "content"), &m->n);
	if (!m->text)
		return err_set(e, "'messages[%zu].content' is %s, not a string", i, js_type(js_get(j, "content")));
	return 0;
}

int template_messages(const struct template *t, const char *system, const struct js *messages, size_t n, struct buf *to,
	struct err *e)
{
	struct message *m;
	size_t i, count = 1;
	int rc = -1;

	if (!js_is_array(messages))
		return err_set(e, "'messages' is %s, not an array", js_type(messages));
	if (n > js_size(messages))
		n = js_size(messages);
	if (n == 0)
		return err_set(e, "'messages' has no message");
	m = xmalloc((n + 1) * sizeof *m);
	m[0] = (struct message){SYSTEM, system, system ? strlen(system) : 0};
	for (i = 0; i < n; i++) {
		if (read_message(js_at(messages, i), i, &m[count], e) < 0)
			goto out;
		if (m[count].role == SYSTEM)
			m[0] = m[count];
		else
			count++;
	}
	rc = render(t, m, count, to, e);
out:
	free(m);
	return rc;
}

bool template_thinks(const char *prompt, size_t n)
{
	while (n && memchr(" \t\r\n", prompt[n - 1], 4))
		n--;
	return n >= 7 && !memcmp(prompt + n - 7, "<think>", 7);
}
