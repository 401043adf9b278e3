/* program_kinds.c - the kinds of tests: input and output, calls of a function, assertions */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "task/program_private.h"

/* How the tests of one program went */
struct tally {
	size_t total, passed;
	size_t first;                   /* the first that failed, from 1; 0: none */
	const char *verdict;            /* its verdict */
	struct buf why;
	bool ours;                      /* it could not be judged: not the program's fault */
};

static void fail(struct tally *t, size_t test, const char *verdict)
{
	if (!t->first) {
		t->first = test;
		t->verdict = verdict;
	}
}

static bool failed_before(const struct tally *t)
{
	return t->first != 0;
}

/* "ValueError: ..." and the like at the begin of a line */
static bool names_error(const char *line, size_t n)
{
	size_t k = 0;

	while (k < n && (isalnum((unsigned char)line[k]) || line[k] == '.' || line[k] == '_'))
		k++;
	return (k >= 5 && !memcmp(line + k - 5, "Error", 5)) || (k >= 9 && !memcmp(line + k - 9, "Exception", 9));
}

/* The line of stderr that says what happened: the last that names an error, else the last */
static void last_line(const struct js *answer, struct buf *to)
{
	size_t n, best_n = 0;
	const char *s = js_string(js_get(answer, "stderr"), &n), *best = NULL, *end;
	bool named = false;

	for (end = s + (s ? n : 0); s && s < end && !named;) {
		const char *nl = memrchr(s, '\n', (size_t)(end - s)), *line = nl ? nl + 1 : s;
		size_t len = (size_t)(end - line);

		named = names_error(line, len);
		if (named || (!best && strspn(line, " \t\r") < len)) {
			best = line;
			best_n = len;
		}
		end = nl ? nl : s;
	}
	if (!best)
		return;
	buf_str(to, ": ");
	answer_show(best, best_n, to);
}

/* The verdict of a run as one of ours; NULL: it ran to its end. */
static const char *bad_end(const struct js *answer, struct tally *t, struct buf *why)
{
	static const char *const known[] = {"RE", "TLE", "MLE", "OLE"};
	const char *verdict = js_string(js_get(answer, "verdict"), NULL), *reason = js_string(js_get(answer, "reason"), NULL);
	size_t i;

	if (verdict && !strcmp(verdict, "OK"))
		return NULL;
	buf_str(why, reason ? reason : "");
	for (i = 0; verdict && i < sizeof known / sizeof *known; i++) {
		if (!strcmp(verdict, known[i])) {
			if (!i)
				last_line(answer, why);
			return known[i];
		}
	}
	/* A box that died under its program was alive before */
	if (reason && !strcmp(reason, "the box died"))
		return "RE";
	t->ours = true;
	return "IE";
}

static void conclude(struct judging *g, struct tally *t)
{
	struct judgement *j = g->to;

	if (t->ours) {
		j->value = NAN;
		buf_printf(&j->reason, "IE: ");
		if (t->first)
			buf_printf(&j->reason, "test %zu of %zu: ", t->first, t->total);
		buf_str(&j->reason, t->why.n ? t->why.p : "the tests cannot be run");
	} else if (!t->first) {
		j->value = 1;
		buf_printf(&j->reason, "AC: %zu test%s", t->total, t->total == 1 ? "" : "s");
	} else {
		j->value = g->tests->share ? (double)t->passed / (double)t->total : 0;
		buf_printf(&j->reason, "%s: ", t->verdict);
		if (g->tests->share)
			buf_printf(&j->reason, "%zu of %zu tests pass, ", t->passed, t->total);
		buf_printf(&j->reason, "test %zu of %zu%s%s", t->first, t->total, t->why.n ? ": " : "", t->why.n ? t->why.p : "");
	}
	buf_free(&t->why);
}

/* ---- compiling first ---- */

/* 1: go on; 0: judged already; -2 */
static int compiled(struct judging *g, char key[32])
{
	struct buf why = {0};
	int rc;

	if (!g->language->compile)
		return 1;
	rc = program_compile(g, g->language, g->source, g->source_n, key, &why);
	if (rc == 0) {
		g->to->value = 0;
		buf_printf(&g->to->reason, "CE: %s", why.n ? why.p : "");
	} else if (rc == -3) {
		buf_printf(&g->to->reason, "IE: %s", why.n ? why.p : "");
		rc = 0;
	}
	buf_free(&why);
	return rc;
}

static void load(struct js *request, const struct language *l, const char *key)
{
	struct js *o = js_object();

	js_set(o, l->binary, js_new_str(key));
	js_set(request, "load", o);
}

/* ---- input and output ---- */

/* There is room for what a judge is called with, beside what it may write itself. */
static struct js *judge_limits(const struct js *files)
{
	struct js *o = js_object();
	struct js_iter it;
	size_t bytes = 0, n = 0;

	for (it = js_each(files); js_next(&it); bytes += n)
		js_string(it.value, &n);
	js_set(o, "cpu", js_new_int(30));
	js_set(o, "memory", js_new_int(1024));
	js_set(o, "disk", js_new_int(64 + (int64_t)(bytes >> 20)));
	return o;
}

/* A judge of the problem's own says 0 for right, 1 or 2 for wrong; it is called with the input, the output and the expected output. */
static int special_judge(struct judging *g, size_t i, const struct js *answer, struct tally *t, struct buf *why)
{
	const struct tests *s = g->tests;
	const char *const *run = s->judge->run;
	const struct js *in = js_at(s->inputs, i), *out = js_get(answer, "stdout");
	struct js *request = js_object(), *files = js_object(), *command = js_array(), *judged;
	struct buf said = {0};
	char key[32];
	int rc, status;
	const char *verdict, *text;
	size_t n;

	rc = program_compile(g, s->judge, s->judge_source, s->judge_n, key, &said);
	if (s->judge->compile)
		load(request, s->judge, key);
	if (rc != 1) {
		js_free(request);
		js_free(files);
		js_free(command);
		buf_printf(why, "the judge %s: %s", s->judge->compile ? "does not compile" : "cannot be parsed", said.n ? said.p : "");
		buf_free(&said);
		t->ours = true;
		return rc == -2 ? -2 : 0;
	}
	for (; *run; run++)
		js_push(command, js_new_str(*run));
	js_push(command, js_new_str("input"));
	js_push(command, js_new_str("output"));
	js_push(command, js_new_str("answer"));
	js_set(request, "command", command);
	if (!s->judge->compile)
		js_set(files, s->judge->file, js_new_string(s->judge_source, s->judge_n));
	js_set(files, "input", js_copy(in));
	js_set(files, "output", js_copy(out));
	js_set(files, "answer", s->outputs ? js_copy(js_at(s->outputs, i)) : js_new_str(""));
	js_set(request, "limits", judge_limits(files));
	js_set(request, "files", files);
	judged = program_run(g, request);
	if (!judged)
		return -2;
	verdict = js_string(js_get(judged, "verdict"), NULL);
	status = js_is_int(js_get(judged, "exit")) ? (int)js_int(js_get(judged, "exit")) : -1;
	if (status < 0 || status > 2) {
		t->ours = true;
		buf_printf(why, "the judge failed: %s %s", verdict, js_string(js_get(judged, "reason"), NULL));
		last_line(judged, why);
	} else if (status) {
		text = js_string(js_get(judged, "stderr"), &n);
		if (!text || !n)
			text = js_string(js_get(judged, "stdout"), &n);
		answer_show(text, n, why);
	}
	js_free(judged);
	return status == 0;
}

/* One test: 1 passed, 0 failed, -2 */
static int run_output(struct judging *g, size_t i, const char *key, struct tally *t)
{
	const struct tests *s = g->tests;
	struct js *request = program_request(g, g->language->run, !g->language->compile), *answer;
	struct buf why = {0}, *say = failed_before(t) ? &why : &t->why;
	const char *verdict, *got, *want;
	size_t got_n, want_n;
	int rc;

	if (g->language->compile)
		load(request, g->language, key);
	js_set(request, "stdin", js_copy(js_at(s->inputs, i)));
	answer = program_run(g, request);
	if (!answer)
		return -2;
	verdict = bad_end(answer, t, say);
	if (verdict) {
		fail(t, i + 1, verdict);
		rc = 0;
	} else if (s->judge) {
		rc = special_judge(g, i, answer, t, say);
		if (rc == 0)
			fail(t, i + 1, "WA");
	} else {
		got = js_string(js_get(answer, "stdout"), &got_n);
		want = js_string(js_at(s->outputs, i), &want_n);
		rc = got && check_output(&s->check, got, got_n, want, want_n, say);
		if (!rc)
			fail(t, i + 1, "WA");
	}
	buf_free(&why);
	js_free(answer);
	return rc;
}

/* All of them in order: until one fails, or to the end where each counts; or until the time for the record is over. */
static int run_all(struct judging *g, int (*run)(struct judging *g, size_t i, const char *key, struct tally *t))
{
	struct tally t = {.total = js_size(g->tests->inputs)};
	char key[32] = "";
	int rc = compiled(g, key);
	size_t i;

	if (rc != 1)
		return rc;
	for (i = 0; i < t.total && !t.ours && (!t.first || g->tests->share); i++) {
		if (g->left <= 0) {
			if (!t.first)
				buf_printf(&t.why, "all tests together took more than %g s", g->tests->total);
			fail(&t, i + 1, "TLE");
			break;
		}
		rc = run(g, i, key, &t);
		if (rc == -2) {
			buf_free(&t.why);
			return -2;
		}
		t.passed += rc == 1;
	}
	conclude(g, &t);
	return 0;
}

int judge_outputs(struct judging *g)
{
	return run_all(g, run_output);
}

/* A language that such tests cannot be in: their own fault if they name it, else that of the program, which need not be in it */
static int not_testable(struct judging *g, const char *what, const char *verb)
{
	if (!g->tests->language)
		g->to->value = 0;
	buf_printf(&g->to->reason, "%s: %s in %s cannot be %s", g->tests->language ? "IE" : "CE", what, g->language->name, verb);
	return 0;
}

/* ---- calls ---- */

static bool right_value(const struct tests *t, const struct js *got, const struct js *want)
{
	return check_value(&t->check, got, want) ||
	       (t->wrapped && js_is_array(want) && js_size(want) == 1 && check_value(&t->check, got, js_at(want, 0)));
}

static int run_call(struct judging *g, size_t i, const char *key, struct tally *t)
{
	struct js *request = program_request(g, g->language->call, true), *answer, *call = js_object(), *keep = js_array(), *value = NULL;
	const struct js *want = js_at(g->tests->outputs, i);
	struct buf text = {0}, none = {0}, *why = failed_before(t) ? &none : &t->why;
	const char *verdict, *got = NULL;
	struct err bad;
	size_t n;
	int rc = 0;

	(void)key;
	js_set(call, "entry", js_new_str(g->tests->entry));
	js_set(call, "args", js_copy(js_at(g->tests->inputs, i)));
	js_write(call, 0, &text);
	js_free(call);
	/* The request owns its files: its object is found again by name */
	js_set((struct js *)js_get(request, "files"), "r1-call.json", js_new_string(text.p, text.n));
	js_push(keep, js_new_str("r1-value.json"));
	js_set(request, "keep", keep);
	answer = program_run(g, request);
	buf_clear(&text);
	if (!answer) {
		buf_free(&text);
		return -2;
	}
	verdict = bad_end(answer, t, why);
	if (!verdict) {
		got = js_string(js_get(js_get(answer, "kept"), "r1-value.json"), &n);
		value = got ? js_parse(got, n, "value", &bad) : NULL;
	}
	if (verdict) {
		fail(t, i + 1, verdict);
	} else if (!got) {
		fail(t, i + 1, "RE");
		buf_str(why, "it ended before the call returned");
	} else if (value && js_get(value, "value") && right_value(g->tests, js_get(value, "value"), want)) {
		rc = 1;
	} else {
		fail(t, i + 1, "WA");
		if (value && js_get(value, "value"))
			js_write(js_get(value, "value"), 0, &text);
		else
			buf_str(&text, value && js_string(js_get(value, "error"), NULL) ? js_string(js_get(value, "error"), NULL) : "no value");
		answer_show(text.p, text.n, why);
		buf_clear(&text);
		js_write(want, 0, &text);
		buf_str(why, ", where ");
		answer_show(text.p, text.n, why);
		buf_str(why, " should be");
	}
	js_free(value);
	js_free(answer);
	buf_free(&text);
	buf_free(&none);
	return rc;
}

int judge_calls(struct judging *g)
{
	if (!g->language->call)
		return not_testable(g, "functions", "called");
	return run_all(g, run_call);
}

/* ---- assertions ---- */

/* Two processes: one with the tests, one with the program */
static struct js *assert_request(struct judging *g)
{
	const struct tests *s = g->tests;
	struct js *request = program_request(g, g->language->judge, false), *peer = program_request(g, g->language->serve, true);
	struct js *suite = js_object(), *keep = js_array(), *limits = js_copy(s->limits), *files = js_object();
	struct buf text = {0};

	js_set(suite, "setup", js_new_str(s->setup));
	js_set(suite, "asserts", js_copy(s->asserts));
	js_set(suite, "share", js_new_bool(s->share));
	if (s->entry)
		js_set(suite, "entry", js_new_str(s->entry));
	js_write(suite, 0, &text);
	js_free(suite);
	js_set(files, "r1-tests.json", js_new_string(text.p, text.n));
	buf_free(&text);
	js_set(request, "files", files);
	js_push(keep, js_new_str("r1-verdict.json"));
	js_set(request, "keep", keep);
	/* The program is the one whose time runs out */
	js_set(limits, "wall", js_new_number(s->wall + 2));
	js_set(request, "limits", limits);
	js_set(request, "peer", peer);
	return request;
}

/* What the judge's process wrote: {"total", "passed", "first", "why", "kind"} with kind what went wrong first: "wrong" (an assertion),
 * "error" (the program raised an error), "gone" (the program's process ended), "ours" (the tests are at fault). */
static void read_verdict(const struct js *answer, const struct js *verdict, struct tally *t)
{
	const struct js *peer = js_get(answer, "peer");
	const char *kind = js_string(js_get(verdict, "kind"), NULL), *why = js_string(js_get(verdict, "why"), NULL), *bad;
	const char *judge = js_string(js_get(answer, "verdict"), NULL);
	struct buf end = {0};

	t->total = (size_t)js_int(js_get(verdict, "total"));
	t->passed = (size_t)js_int(js_get(verdict, "passed"));
	t->first = (size_t)js_int(js_get(verdict, "first"));
	if (judge && !strcmp(judge, "OK") && js_bool(js_get(verdict, "done")) && !t->first)
		return;
	if (!t->first || !js_bool(js_get(verdict, "done"))) {   /* it came to an end in this test, by the limits or by what it was sent */
		t->first = t->first ? t->first : (size_t)js_int(js_get(verdict, "at"));
		bad = bad_end(answer, t, &t->why);
		buf_str(&t->why, " (in the tests' process)");
		t->verdict = bad ? bad : "RE";
		t->ours = false;
		return;
	}
	t->verdict = kind && !strcmp(kind, "error") ? "RE" : "WA";
	if (kind && !strcmp(kind, "ours"))
		t->ours = true;
	if (kind && !strcmp(kind, "gone")) {
		struct tally other = {0};

		/* How it ended; it may also live on, without an answer to give */
		bad = bad_end(peer, &other, &end);
		if (js_string(js_get(peer, "reason"), NULL) && !strcmp(js_string(js_get(peer, "reason"), NULL), "stopped")) {
			buf_clear(&end);
			bad = NULL;
			other.ours = false;
		}
		t->ours = other.ours;
		t->verdict = bad ? bad : "RE";
		if (end.n)
			buf_add(&t->why, end.p, end.n);
		else
			buf_str(&t->why, why ? why : "");
	} else {
		answer_show(why ? why : "", why ? strlen(why) : 0, &t->why);
	}
	buf_free(&end);
}

int judge_asserts(struct judging *g)
{
	struct tally t = {0};
	struct js *answer, *verdict;
	const char *text;
	struct err bad;
	size_t n;

	if (!g->language->judge)
		return not_testable(g, "assertions on programs", "judged");
	answer = program_run(g, assert_request(g));
	if (!answer)
		return -2;
	text = js_string(js_get(js_get(answer, "kept"), "r1-verdict.json"), &n);
	verdict = text ? js_parse(text, n, "verdict", &bad) : NULL;
	if (verdict) {
		read_verdict(answer, verdict, &t);
	} else {
		t.ours = true;
		bad_end(answer, &t, &t.why);
		t.ours = true;
	}
	js_free(verdict);
	js_free(answer);
	conclude(g, &t);
	return 0;
}
