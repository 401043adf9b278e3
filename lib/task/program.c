#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/progress.h"
#include "task/program_private.h"
#include "task/sandbox.h"

#define REMEMBERED ((size_t)64 << 20)   /* bytes of sources whose compilation is remembered */

struct compiled {
	bool good;
	char *why;                      /* what the compiler said; NULL */
};

struct programs {
	char *command;
	struct sandbox *sandbox;        /* NULL before the first program */
	struct map sources;             /* language, NUL, source -> index + 1 */
	struct compiled *compiled;
	size_t n, cap, bytes;
	int64_t saved;                  /* names given out */
};

struct programs *programs_new(const char *command)
{
	struct programs *p = xcalloc(1, sizeof *p);

	p->command = command ? xstrdup(command) : NULL;
	return p;
}

static void forget(struct programs *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		free(p->compiled[i].why);
	map_free(&p->sources);
	p->sources = (struct map){0};
	p->saved += (int64_t)p->n;
	p->n = p->bytes = 0;
}

void programs_free(struct programs *p)
{
	if (!p)
		return;
	forget(p);
	sandbox_close(p->sandbox);
	free(p->compiled);
	free(p->command);
	free(p);
}

/* ---- where the program is ---- */

/* A line that begins with three backquotes or tildes, after at most three blanks: how many there are, 0 if it is none */
static size_t fence(const char *line, size_t n, char *mark)
{
	size_t i = 0, k = 0;

	while (i < n && i < 4 && line[i] == ' ')
		i++;
	if (i == 4 || i == n || (line[i] != '`' && line[i] != '~'))
		return 0;
	*mark = line[i];
	while (i + k < n && line[i + k] == *mark)
		k++;
	return k < 3 ? 0 : k;
}

static struct found within_answer(const char *s, size_t n)
{
	const char *close = text_last(s, n, "</answer>"), *open = text_last(s, close ? (size_t)(close - s) : n, "<answer>");

	if (!open)
		return (struct found){s, n, NULL};
	return (struct found){open + 8, (size_t)((close ? close : s + n) - open) - 8, "answer"};
}

struct found program_find(const char *s, size_t n, const char *language, const char **tag, size_t *tag_n)
{
	const struct language *wanted = language ? language_find(language, strlen(language)) : NULL;
	struct found f = {0}, all = within_answer(s, n);
	const char *at = all.text, *end = all.text + all.n, *begin = NULL, *name = NULL;
	size_t open = 0, name_n = 0;
	char mark = 0, m = 0;
	bool blocks = false;

	*tag = NULL;
	*tag_n = 0;
	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at)), *next = nl ? nl + 1 : end;
		size_t len = (size_t)((nl ? nl : end) - at), k = fence(at, len, &m);

		if (k && !open) {
			blocks = true;
			open = k;
			mark = m;
			begin = next;
			name = memchr(at, mark, len);
			name += k;
			while (name < at + len && *name == ' ')
				name++;
			for (name_n = 0; name + name_n < at + len && !strchr(" \t\r{,:", name[name_n]); name_n++)
				;
		} else if (k >= open && open && m == mark && strspn(at, " `~\t\r") >= len) {
			const struct language *l = name_n ? language_find(name, name_n) : NULL;

			if (!wanted || !name_n || l == wanted) {
				f = (struct found){begin, (size_t)(at - begin), "code"};
				*tag = name;
				*tag_n = name_n;
			}
			open = 0;
		}
		at = next;
	}
	/* Without a block, <answer> may hold the program itself where its language is known. */
	if (!blocks && wanted && all.how && all.n)
		return all;
	if (!f.text)
		f.how = open ? "the block of code is not closed" : NULL;
	return f;
}

/* ---- running ---- */

static struct js *string_array(const char *const *v)
{
	struct js *a = js_array();

	for (; *v; v++)
		js_push(a, js_new_string(*v, strlen(*v)));
	return a;
}

struct js *program_request(const struct judging *g, const char *const *command, bool with_source)
{
	struct js *o = js_object(), *files = js_object();
	struct js_iter it;

	js_set(o, "command", string_array(command));
	for (it = js_each(g->tests->files); g->tests->files && js_next(&it);)
		js_set(files, it.key, js_copy(it.value));
	if (with_source)
		js_set(files, g->language->file, js_new_string(g->source, g->source_n));
	js_set(o, "files", files);
	js_set(o, "limits", js_copy(g->tests->limits));
	return o;
}

struct js *program_run(struct judging *g, struct js *request)
{
	struct programs *p = g->programs;
	double began = clock_seconds();
	struct js *answer;

	if (!p->sandbox)
		p->sandbox = sandbox_open(p->command, g->e);
	if (!p->sandbox) {
		js_free(request);
		return NULL;
	}
	/* It keeps its own limits; this is for one that does not answer at all. */
	answer = sandbox_run(p->sandbox, request, 2 * g->tests->wall + 180, g->e);
	g->left -= clock_seconds() - began;
	return answer;
}

/* ---- compiling ---- */

static struct js *compile_limits(double cpu)
{
	struct js *o = js_object();

	js_set(o, "cpu", js_new_number(cpu));
	js_set(o, "memory", js_new_int(1024));
	js_set(o, "disk", js_new_int(256));
	js_set(o, "output", js_new_int(1));
	return o;
}

/* The line that says what is wrong: the first with "error", else the first */
static void show_error(const char *s, size_t n, struct buf *to)
{
	const char *at = s, *end = s + n, *line = s;
	size_t len = 0;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t k = (size_t)((nl ? nl : end) - at);

		if (memmem(at, k, "error", 5)) {
			line = at;
			len = k;
			break;
		}
		if (!len) {
			line = at;
			len = k;
		}
		at = nl ? nl + 1 : end;
	}
	answer_show(line, len, to);
}

/* 1, 0, or -2; -3: the judge's own fault, `why` says it */
static int compile(struct judging *g, const struct language *l, const char *source, size_t n, const char *key, struct buf *why)
{
	struct js *o = js_object(), *files = js_object(), *save = js_object(), *answer;
	const char *verdict, *text;
	size_t text_n;
	int rc;

	js_set(o, "command", string_array(l->compile));
	js_set(files, l->file, js_new_string(source, n));
	js_set(o, "files", files);
	js_set(save, l->binary, js_new_string(key, strlen(key)));
	js_set(o, "save", save);
	js_set(o, "limits", compile_limits(g->tests->compile));
	answer = program_run(g, o);
	if (!answer)
		return -2;
	verdict = js_string(js_get(answer, "verdict"), NULL);
	if (!verdict)
		verdict = "IE";
	rc = !strcmp(verdict, "IE") ? -3 : !strcmp(verdict, "OK") && js_bool(js_get(js_get(answer, "kept"), l->binary));
	if (rc != 1) {
		text = js_string(js_get(answer, "stderr"), &text_n);
		if (!strcmp(verdict, "RE") && text_n)
			show_error(text, text_n, why);
		else if (!strcmp(verdict, "OK"))
			buf_str(why, "the compiler made no program");
		else
			buf_printf(why, "%sthe compiler: %s", *verdict == 'I' ? "" : "stopped ", js_string(js_get(answer, "reason"), NULL));
	}
	js_free(answer);
	return rc;
}

int program_compile(struct judging *g, const struct language *l, const char *source, size_t n, char key[32], struct buf *why)
{
	struct programs *p = g->programs;
	struct buf name = {0};
	int64_t *at;
	int rc = 0;

	buf_add(&name, l->name, strlen(l->name) + 1);
	buf_add(&name, source, n);
	if (p->bytes + name.n > REMEMBERED)
		forget(p);
	at = map_put(&p->sources, name.p, name.n);
	if (!*at) {
		struct buf said = {0};

		snprintf(key, 32, "%lld", (long long)(p->saved + (int64_t)p->n));
		rc = compile(g, l, source, n, key, &said);
		if (rc >= 0) {
			p->compiled = xgrow(p->compiled, &p->cap, p->n + 1, sizeof *p->compiled);
			p->compiled[p->n++] = (struct compiled){rc == 1, said.n ? xstrdup(said.p) : NULL};
			*at = (int64_t)p->n;
			p->bytes += name.n;
		} else if (said.n) {
			buf_add(why, said.p, said.n);
		}
		buf_free(&said);
	}
	if (rc >= 0) {
		const struct compiled *c = &p->compiled[*at - 1];

		snprintf(key, 32, "%lld", (long long)(p->saved + *at - 1));
		rc = c->good;
		if (c->why)
			buf_str(why, c->why);
	}
	buf_free(&name);
	return rc;
}

/* ---- judging ---- */

static int judge(struct judging *g)
{
	const struct tests *t = g->tests;

	if (t->asserts)
		return judge_asserts(g);
	return t->entry ? judge_calls(g) : judge_outputs(g);
}

static void no_program(struct judgement *j)
{
	j->value = 0;
	buf_str(&j->reason, "no program found");
	if (j->program.how)
		buf_printf(&j->reason, ": %s", j->program.how);
}

int programs_judge(struct programs *p, struct record *r, const char *text, size_t n, struct judgement *j, struct err *e)
{
	struct judging g = {.programs = p, .to = j, .e = e};
	struct buf source = {0};
	struct tests t;
	const char *tag;
	size_t tag_n;
	int rc;

	if (tests_read(r, &t, e) < 0) {
		tests_free(&t);
		return -1;
	}
	j->value = NAN;
	j->program = program_find(text, n, t.language ? t.language->name : NULL, &tag, &tag_n);
	/* What goes on with a given beginning needs no marks around it */
	if (!j->program.text && *t.prefix && !j->program.how)
		j->program = (struct found){text, n, "all"};
	g.language = t.language ? t.language : tag_n ? language_find(tag, tag_n) : NULL;
	if (!j->program.text || !j->program.n) {
		no_program(j);
		tests_free(&t);
		return 0;
	}
	if (!g.language) {
		if (tag_n) {
			j->value = 0;
			buf_str(&j->reason, "CE: no language is known as ");
			answer_show(tag, tag_n, &j->reason);
		} else {
			buf_str(&j->reason, "IE: nothing says what language the program is in");
		}
		tests_free(&t);
		return 0;
	}
	buf_str(&source, t.prefix);
	buf_add(&source, j->program.text, j->program.n);
	g.tests = &t;
	g.source = source.p;
	g.source_n = source.n;
	g.left = t.total;
	rc = judge(&g);
	buf_free(&source);
	tests_free(&t);
	return rc;
}
