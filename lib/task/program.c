#include <ctype.h>
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

struct line {
	const char *s;                  /* (n) what comes behind its indentation */
	size_t n, column;               /* where that begins; tabs go to every fourth */
};

static struct line line_of(const char *s, size_t n, size_t column)
{
	for (; n && (*s == ' ' || *s == '\t'); s++, n--)
		column = *s == ' ' ? column + 1 : column / 4 * 4 + 4;
	return (struct line){s, n, column};
}

/* "- ", "* ", "+ ", "12. " or "12) ": then l becomes what is in that item of a list */
static bool item_of(struct line *l)
{
	size_t k = 0;

	while (k < 9 && k < l->n && isdigit((unsigned char)l->s[k]))
		k++;
	if (k + 1 >= l->n || !l->s[k] || !strchr(k ? ".)" : "-*+", l->s[k]) || (l->s[k + 1] != ' ' && l->s[k + 1] != '\t'))
		return false;
	*l = line_of(l->s + k + 1, l->n - k - 1, l->column + k + 1);
	return true;
}

static bool is_blank(const char *s, size_t n)
{
	while (n && (*s == ' ' || *s == '\t' || *s == '\r'))
		s++, n--;
	return !n;
}

/* Three backquotes or tildes, or more: how many, 0 if it is none. Backquotes that are closed on the line are no block. */
static size_t fence(const struct line *l, char *mark)
{
	size_t k = 0;

	if (!l->n || (*l->s != '`' && *l->s != '~'))
		return 0;
	*mark = *l->s;
	while (k < l->n && l->s[k] == *mark)
		k++;
	return k < 3 || (*mark == '`' && memchr(l->s + k, '`', l->n - k)) ? 0 : k;
}

static struct found within_answer(const char *s, size_t n)
{
	const char *close = text_last(s, n, "</answer>"), *open = text_last(s, close ? (size_t)(close - s) : n, "<answer>");

	if (!open)
		return (struct found){s, n, NULL};
	return (struct found){open + 8, (size_t)((close ? close : s + n) - open) - 8, "answer"};
}

/* The mark behind k fence characters: "python", "{.python}", "python:main.py" */
static void read_tag(const struct line *l, size_t k, struct program *p)
{
	while (k < l->n && (l->s[k] == ' ' || l->s[k] == '\t' || l->s[k] == '{' || l->s[k] == '.'))
		k++;
	p->tag = l->s + k;
	for (p->tag_n = 0; k + p->tag_n < l->n && !strchr(" \t\r{},:", p->tag[p->tag_n]); p->tag_n++)
		;
}

/* How well a block is marked; 0: as something else than is wanted */
static int rank(const struct program *p, const struct language *wanted)
{
	const struct language *l = p->tag_n ? language_find(p->tag, p->tag_n) : NULL;

	if (!p->tag_n)
		return 1;
	return wanted ? 3 * (l == wanted) : l ? 3 : 2;
}

struct program program_find(const char *s, size_t n, const char *language)
{
	const struct language *wanted = language ? language_find(language, strlen(language)) : NULL;
	struct found all = within_answer(s, n);
	struct program best = {{0}}, p = {{0}};
	const char *at = all.text, *end = all.text + all.n;
	size_t open = 0, list = 0;      /* list: the column at which the item of a list begins that this is in */
	char mark = 0, m = 0;
	bool blocks = false;
	int highest = 1;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at)), *next = nl ? nl + 1 : end;
		struct line l = line_of(at, (size_t)((nl ? nl : end) - at), 0);
		size_t k;

		if (!open && !is_blank(l.s, l.n)) {
			list = l.column < list ? l.column : list;
			while (l.column <= list + 3 && item_of(&l))
				list = l.column;
		}
		k = l.column <= list + 3 ? fence(&l, &m) : 0;
		if (k && !open) {
			blocks = true;
			open = k;
			mark = m;
			p = (struct program){.where.text = next, .indent = l.column};
			read_tag(&l, k, &p);
		} else if (k >= open && open && m == mark && is_blank(l.s + k, l.n - k)) {
			p.where = (struct found){p.where.text, (size_t)(at - p.where.text), "code"};
			if (rank(&p, wanted) >= highest) {
				best = p;
				highest = rank(&p, wanted);
			}
			open = 0;
		}
		at = next;
	}
	/* Without a block, <answer> may hold the program itself where its language is known. */
	if (!blocks && wanted && all.how && all.n)
		return (struct program){all};
	if (!best.where.text)
		best.where.how = open ? "the block of code is not closed" : NULL;
	return best;
}

void program_source(const struct program *p, struct buf *to)
{
	const char *at = p->where.text, *end = at + p->where.n;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at)), *next = nl ? nl + 1 : end;
		size_t column = 0;

		while (column < p->indent && at < next && (*at == ' ' || *at == '\t'))
			column = *at++ == ' ' ? column + 1 : column / 4 * 4 + 4;
		for (; column > p->indent; column--)    /* of a tab that goes further */
			buf_char(to, ' ');
		buf_add(to, at, (size_t)(next - at));
		at = next;
	}
}

/* ---- running ---- */

static struct js *string_array(const char *const *v)
{
	struct js *a = js_array();

	for (; *v; v++)
		js_push(a, js_new_str(*v));
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

/* The line that says what is wrong: the first with "error" or "SyntaxError", else the first */
static void show_error(const char *s, size_t n, struct buf *to)
{
	const char *at = s, *end = s + n, *line = s;
	size_t len = 0;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t k = (size_t)((nl ? nl : end) - at);

		if (memmem(at, k, "error", 5) || memmem(at, k, "SyntaxError", 11)) {
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
	const char *verdict, *text, *what = l->compile ? "compiler" : "interpreter";
	size_t text_n;
	int rc;

	js_set(o, "command", string_array(l->compile ? l->compile : l->parse));
	js_set(files, l->file, js_new_string(source, n));
	js_set(o, "files", files);
	if (l->compile)
		js_set(save, l->binary, js_new_str(key));
	js_set(o, "save", save);
	js_set(o, "limits", compile_limits(g->tests->compile));
	answer = program_run(g, o);
	if (!answer)
		return -2;
	verdict = js_string(js_get(answer, "verdict"), NULL);
	if (!verdict)
		verdict = "IE";
	rc = !strcmp(verdict, "IE") ? -3 : !strcmp(verdict, "OK") && (!l->compile || js_bool(js_get(js_get(answer, "kept"), l->binary)));
	if (rc != 1) {
		text = js_string(js_get(answer, "stderr"), &text_n);
		if (!strcmp(verdict, "RE") && text_n)
			show_error(text, text_n, why);
		else if (!strcmp(verdict, "OK"))
			buf_str(why, "the compiler made no program");
		else
			buf_printf(why, "%sthe %s: %s", *verdict == 'I' ? "" : "stopped ", what, js_string(js_get(answer, "reason"), NULL));
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

/* The completion has to say what it is written in, unless the tests begin the program. */
static void unknown_language(const struct program *p, struct judgement *j)
{
	if (!strcmp(p->where.how, "all")) {
		buf_str(&j->reason, "IE: the tests have a prefix, and do not say in what language");
		return;
	}
	j->value = 0;
	buf_str(&j->reason, p->tag_n ? "CE: no language is known as " : "CE: nothing says what language the program is in");
	if (p->tag_n)
		answer_show(p->tag, p->tag_n, &j->reason);
}

int programs_judge(struct programs *p, struct record *r, const char *text, size_t n, struct judgement *j, struct err *e)
{
	struct judging g = {.programs = p, .to = j, .e = e};
	struct buf source = {0};
	struct program found;
	struct tests t;
	int rc;

	if (tests_read(r, &t, e) < 0) {
		tests_free(&t);
		return -1;
	}
	j->value = NAN;
	found = program_find(text, n, t.language ? t.language->name : NULL);
	/* What goes on with a given beginning needs no marks around it */
	if (!found.where.text && *t.prefix && !found.where.how)
		found.where = (struct found){text, n, "all"};
	j->program = found.where;
	g.language = t.language ? t.language : found.tag_n ? language_find(found.tag, found.tag_n) : NULL;
	if (!j->program.text || !j->program.n) {
		no_program(j);
		tests_free(&t);
		return 0;
	}
	if (!g.language) {
		unknown_language(&found, j);
		tests_free(&t);
		return 0;
	}
	buf_str(&source, t.prefix);
	program_source(&found, &source);
	g.tests = &t;
	g.source = source.p;
	g.source_n = source.n;
	g.left = t.total;
	rc = judge(&g);
	buf_free(&source);
	tests_free(&t);
	return rc;
}
