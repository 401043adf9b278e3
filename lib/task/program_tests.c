/* program_tests.c - the field `tests`: read, held against what it may hold */
#include <math.h>
#include <string.h>

#include "task/program_private.h"

static int wrong(struct record *r, struct err *e, const char *name, const struct js *j, const char *wanted)
{
	return record_error(r, e, "'tests.%s' is %s, not %s", name, js_type(j), wanted);
}

/* A string member of tests; `usual` where there is none. */
static int text(struct record *r, const struct js *o, const char *name, const char *usual, const char **to, struct err *e)
{
	const struct js *j = js_get(o, name);
	size_t n;

	*to = usual;
	if (!j || js_is_null(j))
		return 0;
	*to = js_string(j, &n);
	if (!*to)
		return wrong(r, e, name, j, "a string");
	return strlen(*to) == n ? 0 : record_error(r, e, "'tests.%s' holds a NUL", name);
}

static int number(struct record *r, const struct js *o, const char *name, double usual, double *to, struct err *e)
{
	const struct js *j = js_get(o, name);

	*to = usual;
	if (!j || js_is_null(j))
		return 0;
	*to = js_number(j);
	if (!js_is_number(j) || !(*to >= 0))
		return wrong(r, e, name, j, "a number of 0 or more");
	return 0;
}

static int find(struct record *r, const struct js *j, const char *where, const struct language **l, struct err *e)
{
	size_t n;
	const char *name = js_string(j, &n);

	if (!name)
		return wrong(r, e, where, j, "a string");
	*l = language_find(name, n);
	return *l ? 0 : record_error(r, e, "'tests.%s': there is no language '%s'", where, name);
}

/* A name, or a program: {"language", "source"} */
static int read_checker(struct record *r, const struct js *o, struct tests *t, struct err *e)
{
	const struct js *j = js_get(o, "checker"), *fold = js_get(o, "ignore_case");
	struct err bad;

	t->check.kind = "text";
	t->check.ignore_case = js_bool(fold);
	if (fold && !js_is_bool(fold))
		return wrong(r, e, "ignore_case", fold, "true or false");
	if (number(r, o, "absolute", 1e-6, &t->check.absolute, e) < 0 || number(r, o, "relative", 1e-6, &t->check.relative, e) < 0)
		return -1;
	if (!j || js_is_null(j))
		return 0;
	if (js_is_string(j)) {
		t->check.kind = js_string(j, NULL);
		return check_kind(t->check.kind, &bad) < 0 ? record_error(r, e, "'tests.checker': %s", bad.msg) : 0;
	}
	if (!js_is_object(j))
		return wrong(r, e, "checker", j, "a name or an object");
	if (find(r, js_get(j, "language"), "checker.language", &t->judge, e) < 0)
		return -1;
	t->judge_source = js_string(js_get(j, "source"), &t->judge_n);
	return t->judge_source ? 0 : wrong(r, e, "checker.source", js_get(j, "source"), "a string");
}

static int read_limits(struct record *r, const struct js *o, struct tests *t, struct err *e)
{
	static const char *const known[] = {"cpu", "wall", "memory", "processes", "output", "disk", "files", "file_size", "stack", "descriptors"};
	const struct js *j = js_get(o, "limits");
	double cpu = 10;
	struct js_iter it;

	t->limits = js_object();
	t->total = 60;
	t->compile = 30;
	if (j && !js_is_null(j) && !js_is_object(j))
		return wrong(r, e, "limits", j, "an object");
	for (it = js_each(j); js_is_object(j) && js_next(&it);) {
		double x = js_number(it.value);
		size_t i;

		if (!js_is_number(it.value) || !(x > 0))
			return record_error(r, e, "'tests.limits.%s' is no positive number", it.key);
		if (x > 1e9)
			return record_error(r, e, "'tests.limits.%s' is too large: %g, where 1e9 is the most", it.key, x);
		for (i = 0; i < sizeof known / sizeof *known && strcmp(known[i], it.key); i++)
			;
		if (!strcmp(it.key, "total"))
			t->total = x;
		else if (!strcmp(it.key, "compile"))
			t->compile = x;
		else if (i == sizeof known / sizeof *known)
			return record_error(r, e, "'tests.limits' has no '%s'", it.key);
		else
			js_set(t->limits, it.key, js_new_number(x));
		if (!strcmp(it.key, "cpu"))
			cpu = x;
	}
	js_set(t->limits, "cpu", js_new_number(cpu));
	if (!js_get(t->limits, "wall"))
		js_set(t->limits, "wall", js_new_number(2 * cpu + 1));
	t->wall = js_number(js_get(t->limits, "wall"));
	return 0;
}

/* Pairs of inputs and outputs, strings or, with an entry point, arrays of arguments and values; or assertions. */
static int read_cases(struct record *r, const struct js *o, struct tests *t, struct err *e)
{
	size_t i;

	t->inputs = js_get(o, "inputs");
	t->outputs = js_get(o, "outputs");
	t->asserts = js_get(o, "asserts");
	if (t->asserts && !js_is_null(t->asserts)) {
		if (t->inputs || t->outputs)
			return record_error(r, e, "'tests' has both 'asserts' and 'inputs' or 'outputs'");
		if (!js_is_string(t->asserts) && !js_is_array(t->asserts))
			return wrong(r, e, "asserts", t->asserts, "a string or an array of strings");
		for (i = 0; i < js_size(t->asserts); i++)
			if (!js_is_string(js_at(t->asserts, i)))
				return wrong(r, e, "asserts", t->asserts, "an array of strings alone");
		return js_is_array(t->asserts) && !i ? record_error(r, e, "'tests.asserts' is empty") : 0;
	}
	t->asserts = NULL;
	if (!js_is_array(t->inputs))
		return wrong(r, e, "inputs", t->inputs, "an array");
	if (!js_is_array(t->outputs) && !(t->judge && !t->outputs))
		return wrong(r, e, "outputs", t->outputs, "an array");
	if (!js_size(t->inputs))
		return record_error(r, e, "'tests.inputs' is empty");
	if (t->outputs && js_size(t->inputs) != js_size(t->outputs))
		return record_error(r, e, "'tests' has %zu inputs and %zu outputs", js_size(t->inputs), js_size(t->outputs));
	for (i = 0; i < js_size(t->inputs); i++) {
		if (t->entry && !js_is_array(js_at(t->inputs, i)))
			return record_error(r, e, "'tests.inputs' holds %s, not an array of arguments", js_type(js_at(t->inputs, i)));
		if (!t->entry && (!js_is_string(js_at(t->inputs, i)) || (t->outputs && !js_is_string(js_at(t->outputs, i)))))
			return record_error(r, e, "'tests.inputs' and 'tests.outputs' must hold strings where there is no 'entry_point'");
	}
	return 0;
}

static int read_files(struct record *r, const struct js *o, struct tests *t, struct err *e)
{
	const struct js *j = js_get(o, "files");
	struct js_iter it;

	if (!j || js_is_null(j))
		return 0;
	if (!js_is_object(j))
		return wrong(r, e, "files", j, "an object");
	for (it = js_each(j); js_next(&it);) {
		const char *s = it.key;

		if (!js_is_string(it.value))
			return record_error(r, e, "'tests.files' holds '%s', which is no text", it.key);
		if (!*s || *s == '/' || s[strlen(s) - 1] == '/' || strstr(s, "..") || strstr(s, "//") || strstr(s, "./"))
			return record_error(r, e, "'tests.files' holds '%s', which is no clean relative name", it.key);
	}
	t->files = j;
	return 0;
}

int tests_read(struct record *r, struct tests *t, struct err *e)
{
	const struct js *o = record_js(r, "tests", e), *score, *wrapped;

	*t = (struct tests){0};
	if (!o)
		return -1;
	if (!js_is_object(o))
		return record_error(r, e, "'tests' is %s, not an object", js_type(o));
	if (js_get(o, "language") && find(r, js_get(o, "language"), "language", &t->language, e) < 0)
		return -1;
	if (text(r, o, "entry_point", NULL, &t->entry, e) < 0 || text(r, o, "setup", "", &t->setup, e) < 0 ||
	    text(r, o, "prefix", "", &t->prefix, e) < 0 || read_checker(r, o, t, e) < 0 || read_cases(r, o, t, e) < 0 ||
	    read_files(r, o, t, e) < 0 || read_limits(r, o, t, e) < 0)
		return -1;
	wrapped = js_get(o, "wrapped");
	if (wrapped && !js_is_bool(wrapped))
		return wrong(r, e, "wrapped", wrapped, "true or false");
	t->wrapped = js_bool(wrapped);
	score = js_get(o, "score");
	if (score && (!js_is_string(score) || (strcmp(js_string(score, NULL), "all") && strcmp(js_string(score, NULL), "share"))))
		return record_error(r, e, "'tests.score' is neither \"all\" nor \"share\"");
	t->share = score && !strcmp(js_string(score, NULL), "share");
	return 0;
}

void tests_free(struct tests *t)
{
	js_free(t->limits);
	*t = (struct tests){0};
}
