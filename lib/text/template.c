#include "text/template.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/jinja.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

enum role { SYSTEM, USER, ASSISTANT, ROLES };
static const char *const role_names[ROLES] = {"system", "user", "assistant"};

#define BOS "<｜begin▁of▁sentence｜>"
#define EOS "<｜end▁of▁sentence｜>"
#define CHATML .open = {"<|im_start|>system\n", "<|im_start|>user\n", "<|im_start|>assistant\n"}, \
	.close = {"<|im_end|>\n", "<|im_end|>\n", "<|im_end|>\n"}
#define CHATML_END "<|im_start|>assistant\n"
#define DEEPSEEK .bos = BOS, .open = {[USER] = "<｜User｜>", [ASSISTANT] = "<｜Assistant｜>"}, .close = {[ASSISTANT] = EOS}
#define LLAMA_HEADER(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"

/* Of an assistant's earlier turns: all, or what is behind the last </think>, as it is or without newlines in front of it, which go in
 * any case with CUT_ALWAYS. */
enum thought { KEPT, CUT, CUT_TRIMMED, CUT_ALWAYS };

/* A built-in template: what stands before all, around each message by its role, and at the end, where the model goes on. */
struct format {
	const char *name;
	const char *bos;                /* in front of all; a checkpoint's own where it is known */
	const char *begin;
	const char *open[ROLES], *close[ROLES];
	const char *end;
	const char *end_off;            /* instead of `end`, to go on without reasoning; NULL: cannot be told to */
	const char *system;             /* stands in where there is no system message; NULL: none does */
	enum thought thought;
	bool thinks;                    /* reasons unless told otherwise */
	bool after_query;               /* thoughts behind the last real question are kept (Qwen3) */
	bool trim;                      /* white space around each message goes */
	bool one_question;              /* no turns before it */
};

/* What families' own templates give by apply_chat_template(add_generation_prompt=True); jinja.h recognises them. */
static const struct format formats[] = {
	{.name = "none", .one_question = true, .close = {[SYSTEM] = "\n\n"}},
	{.name = "mini", .open = {[USER] = "User: ", [ASSISTANT] = "Assistant: "}, .close = {" ", " ", " "}, .end = "Assistant:"},
	{.name = "r1-zero",
		.begin = "What follows is a conversation between User and Assistant. User asks a question and Assistant solves it. "
			"Before it answers, Assistant thinks the problem through step by step; then it tells User the answer. "
			"The thinking is written between <think> and </think>, the answer between <answer> and </answer>, like this: "
			"<think> the thinking goes here </think> <answer> the answer goes here </answer>\n",
		.open = {[USER] = "User: ", [ASSISTANT] = "Assistant: "}, .close = {"\n", "\n", "\n"}, .end = "Assistant:"},
	{.name = "qwen", CHATML, .end = CHATML_END},
	{.name = "qwen2", CHATML, .end = CHATML_END, .system = "You are a helpful assistant."},
	{.name = "qwen2.5", CHATML, .end = CHATML_END, .system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
	{.name = "qwen2.5-math", CHATML, .end = CHATML_END,
		.system = "Please reason step by step, and put your final answer within \\boxed{}."},
	{.name = "qwen3", CHATML, .end = CHATML_END, .end_off = CHATML_END "<think>\n\n</think>\n\n", .thought = CUT_TRIMMED, .thinks = true,
		.after_query = true},
	{.name = "qwen3-thinking", CHATML, .end = CHATML_END "<think>\n", .thought = CUT_TRIMMED, .thinks = true, .after_query = true},
	{.name = "qwq", CHATML, .end = CHATML_END "<think>\n", .thought = CUT_ALWAYS, .thinks = true},
	{.name = "llama3", .bos = "<|begin_of_text|>", .open = {LLAMA_HEADER("system"), LLAMA_HEADER("user"), LLAMA_HEADER("assistant")},
		.close = {"<|eot_id|>", "<|eot_id|>", "<|eot_id|>"}, .end = LLAMA_HEADER("assistant"), .trim = true},
	{.name = "llama3.1", .bos = "<|begin_of_text|>",        /* and 3.2, 3.3; the date is fixed, so that a run can be repeated */
		.open = {LLAMA_HEADER("system") "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n", LLAMA_HEADER("user"),
			LLAMA_HEADER("assistant")},
		.close = {"<|eot_id|>", "<|eot_id|>", "<|eot_id|>"}, .end = LLAMA_HEADER("assistant"), .trim = true, .system = ""},
	{.name = "deepseek-llm", .bos = BOS, .open = {[USER] = "User: ", [ASSISTANT] = "Assistant: "},
		.close = {"\n\n", "\n\n", EOS}, .end = "Assistant:"},
	{.name = "deepseek-v3", DEEPSEEK, .end = "<｜Assistant｜>"},
	{.name = "deepseek-r1", DEEPSEEK, .end = "<｜Assistant｜><think>\n", .thought = CUT, .thinks = true},
	{.name = "deepseek-r1-bare", DEEPSEEK, .end = "<｜Assistant｜>", .thought = CUT, .thinks = true},
};

#define NAMES "none, mini, r1-zero, qwen, qwen2, qwen2.5, qwen2.5-math, qwen3, qwen3-thinking, qwq, llama3, llama3.1, deepseek-llm, " \
	"deepseek-v3, deepseek-r1, deepseek-r1-bare"

struct template {
	const struct format *format;    /* NULL: a file */
	char *path;
	struct buf text;
	char *bos, *system;             /* instead of the format's; NULL: the format's */
	bool without_thinking, alike;
};

struct message {
	enum role role;
	const char *text;
	size_t n;
};

static const struct format *find_format(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (!strcmp(name, formats[i].name))
			return &formats[i];
	return NULL;
}

struct template *template_open(const char *name, struct err *e)
{
	struct template *t = xcalloc(1, sizeof *t);

	if ((t->format = find_format(name)))
		return t;
	t->path = xstrdup(name);
	if (!file_exists(name)) {
		err_set(e, "no template '%s': a file, auto (the model's own), or one of " NAMES, name);
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

struct template *template_recognise(const char *jinja, size_t n, const char *bos, const char *eos, struct err *e)
{
	struct template *t;
	struct jinja_match m;

	if (!jinja_recognise(jinja, n, &m) || (eos && !strcmp(m.format, "deepseek-llm") && strcmp(eos, EOS) != 0)) {
		buf_free(&m.system);
		err_set(e, "the chat template is none that is known here: name one by --template (" NAMES "), or a file with {problem} in it");
		return NULL;
	}
	t = xcalloc(1, sizeof *t);
	t->format = find_format(m.format);
	t->alike = !m.exact;
	assert(t->format);
	if (m.system.n)
		t->system = xstrndup(m.system.p, m.system.n);
	if (t->format->bos && bos)
		t->bos = xstrdup(bos);
	buf_free(&m.system);
	return t;
}

const char *template_name(const struct template *t)
{
	return t->format ? t->format->name : t->path;
}

bool template_is_alike(const struct template *t)
{
	return t->alike;
}

int template_set_thinking(struct template *t, bool on, struct err *e)
{
	const struct format *f = t->format;

	if (on && (!f || !f->thinks))
		return err_set(e, "the template %s has no thinking to switch on", template_name(t));
	if (!on && f && f->thinks && !f->end_off)
		return err_set(e, "the template %s cannot do without thinking", template_name(t));
	t->without_thinking = !on;
	return 0;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	free(t->path);
	free(t->bos);
	free(t->system);
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

/* What str.strip() takes off. */
static bool is_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
		c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static void trim(const char **s, const char **end)
{
	uint32_t c;
	size_t len;

	while (*s < *end && (len = utf8_decode(*s, (size_t)(*end - *s), &c)) && is_space(c))
		*s += len;
	while (*s < *end) {
		const char *last = *end - 1;

		while (last > *s && (*last & 0xc0) == 0x80)
			last--;
		utf8_decode(last, (size_t)(*end - last), &c);
		if (!is_space(c))
			break;
		*end = last;
	}
}

static void trim_newlines(const char **s, const char **end)
{
	while (*s < *end && **s == '\n')
		++*s;
	while (*s < *end && (*end)[-1] == '\n')
		--*end;
}

/* A thought that comes before an answer, behind the last question: written out again (Qwen3). */
static void keep_thought(const char *s, const char *end, struct buf *to)
{
	const char *thought = s, *thought_end = memmem(s, (size_t)(end - s), "</think>", 8), *p;

	if (!thought_end)
		return;
	while ((p = memmem(thought, (size_t)(thought_end - thought), "<think>", 7)))
		thought = p + 7;
	trim_newlines(&thought, &thought_end);
	if (thought == thought_end)
		return;
	buf_str(to, "<think>\n");
	buf_add(to, thought, (size_t)(thought_end - thought));
	buf_str(to, "\n</think>\n\n");
}

static void add_message(const struct format *f, const struct message *m, bool after_query, struct buf *to)
{
	const char *s = m->text, *end = s + m->n, *q;

	if (f->trim)
		trim(&s, &end);
	add(to, f->open[m->role]);
	if (m->role == ASSISTANT && f->thought != KEPT) {
		bool thought = memmem(s, (size_t)(end - s), "</think>", 8) != NULL;

		if (after_query)
			keep_thought(s, end, to);
		while ((q = memmem(s, (size_t)(end - s), "</think>", 8)))
			s = q + 8;
		if (f->thought == CUT_ALWAYS || (f->thought == CUT_TRIMMED && thought))
			for (; s < end && *s == '\n'; s++)
				;
	}
	buf_add(to, s, (size_t)(end - s));
	add(to, f->close[m->role]);
}

/* The user's last message that is no result of a tool; the last message of all if there is none. */
static size_t last_query(const struct message *m, size_t n)
{
	static const char open[] = "<tool_response>", close[] = "</tool_response>";
	size_t i;

	for (i = n; i-- > 0;)
		if (m[i].role == USER && !(m[i].n >= sizeof open - 1 && !memcmp(m[i].text, open, sizeof open - 1) && m[i].n >= sizeof close - 1 &&
					   !memcmp(m[i].text + m[i].n - (sizeof close - 1), close, sizeof close - 1)))
			return i;
	return n - 1;
}

static void render_format(const struct template *t, const struct message *m, size_t n, struct buf *to)
{
	const struct format *f = t->format;
	size_t i, query = f->after_query ? last_query(m, n) : n;

	add(to, t->bos ? t->bos : f->bos);
	add(to, f->begin);
	for (i = 0; i < n; i++)
		add_message(f, &m[i], i > query, to);
	add(to, t->without_thinking && f->end_off ? f->end_off : f->end);
}

static bool one_question(const struct template *t)
{
	return !t->format || t->format->one_question;
}

/* m[0] is a system message or is left out by its NULL text. */
static int render(const struct template *t, struct message *m, size_t n, struct buf *to, struct err *e)
{
	const char *system = t->system ? t->system : t->format ? t->format->system : NULL;

	if (m[n - 1].role != USER)
		return err_set(e, "the last message is the %s's: there is no question", role_names[m[n - 1].role]);
	if (one_question(t) && n > 2)
		return err_set(e, "the template %s takes one question, not a conversation", template_name(t));
	if (!m[0].text && system)
		m[0] = (struct message){SYSTEM, system, strlen(system)};
	if (t->format)
		render_format(t, m + !m[0].text, n - !m[0].text, to);
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
	if (rc < 0)
		err_prefix(e, "'messages'");
out:
	free(m);
	return rc;
}

struct js *template_message(const char *role, const char *content, size_t n)
{
	struct js *m = js_object();

	js_set(m, "role", js_new_str(role));
	js_set(m, "content", js_new_string(content, n));
	return m;
}

struct js *template_question(const char *question, size_t n)
{
	struct js *list = js_array();

	js_push(list, template_message("user", question, n));
	return list;
}

int template_field(const struct template *t, const char *system, struct record *r, const char *field, struct buf *to, struct err *e)
{
	const bool conversation = !strcmp(field, "messages");
	const struct js *messages = conversation ? record_js(r, field, e) : NULL;
	size_t n;
	const char *problem = conversation ? NULL : record_string(r, field, &n, e);

	if (!messages && !problem)
		return -1;
	if ((messages ? template_messages(t, system, messages, js_size(messages), to, e) : template_problem(t, system, problem, n, to, e)) < 0)
		return messages ? record_error(r, e, "%s", e->msg) : record_error(r, e, "'%s': %s", field, e->msg);
	return 0;
}

int template_foreign(const struct template *t, const char *system, const struct tokenizer *tokenizer, struct buf *to, struct err *e)
{
	struct buf text = {0};
	int rc = template_problem(t, system, "", 0, &text, e);
	char *p, *end;

	buf_char(&text, 0);
	for (p = text.p; rc == 0 && (p = strchr(p, '<')); p++) {
		const char *close = p[1] == '|' ? "|>" : !strncmp(p + 1, "\xef\xbd\x9c", 3) ? "\xef\xbd\x9c>" : NULL;

		end = close ? strstr(p + 2, close) : NULL;
		if (!end || strcspn(p, " \n") < (size_t)(end - p))
			continue;
		end[strlen(close)] = 0;
		if (tokenizer_id(tokenizer, p) < 0) {
			buf_str(to, p);
			break;
		}
		p = end;
	}
	buf_free(&text);
	return rc;
}

bool template_thinks(const char *prompt, size_t n)
{
	while (n && memchr(" \t\r\n", prompt[n - 1], 4))
		n--;
	return n >= 7 && !memcmp(prompt + n - 7, "<think>", 7);
}

static const char *skip_blanks(const char *s, const char *end)
{
	while (s < end && memchr(" \t\r\n", *s, 4))
		s++;
	return s;
}

void template_answer(const struct template *t, const char *prompt, size_t prompt_n, const char **answer, size_t *n)
{
	const char *end = *answer + *n, *p, *blanks = prompt + prompt_n;
	size_t k;

	if (t->format && t->format->trim)
		trim(answer, &end);
	p = skip_blanks(*answer, end);
	if (template_thinks(prompt, prompt_n) && end - p >= 7 && !memcmp(p, "<think>", 7)) {
		while (blanks[-1] != '>')
			blanks--;
		p += 7;
		k = (size_t)(prompt + prompt_n - blanks);
		*answer = (size_t)(end - p) >= k && !memcmp(p, blanks, k) ? p + k : p;
	}
	*n = (size_t)(end - *answer);
}

const char *template_close(const struct template *t)
{
	return t->format ? t->format->close[ASSISTANT] : NULL;
}
