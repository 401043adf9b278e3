#include "task/check.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "task/answer.h"

static const char *const kinds[] = {"text", "exact", "tokens", "floats", "unordered"};

int check_kind(const char *kind, struct err *e)
{
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kind, kinds[i]))
			return 0;
	return err_set(e, "there is no checker '%s', only text, exact, tokens, floats, unordered", kind);
}

/* A piece of text that a walk over it has come to */
struct piece {
	const char *p;
	size_t n;
	size_t line;                    /* from 1 */
};

static bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool same_bytes(const struct check *c, const struct piece *a, const struct piece *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	if (!c->ignore_case)
		return !memcmp(a->p, b->p, a->n);
	for (i = 0; i < a->n; i++)
		if (tolower((unsigned char)a->p[i]) != tolower((unsigned char)b->p[i]))
			return false;
	return true;
}

/* All of the piece as a number: no hexadecimal, no words but inf and nan, none so large that another would be the same */
static bool number(const struct piece *t, double *x)
{
	char text[1024], *end;
	size_t i;

	if (!t->n || t->n >= sizeof text)
		return false;
	for (i = 0; i < t->n; i++)
		if (t->p[i] == 'x' || t->p[i] == 'X' || t->p[i] == '(' || !t->p[i])
			return false;
	memcpy(text, t->p, t->n);
	text[t->n] = 0;
	*x = strtod(text, &end);
	return !*end && (!isinf(*x) || !strpbrk(text, "0123456789"));
}

static bool close_enough(const struct check *c, double got, double want)
{
	if (isnan(got) || isnan(want))
		return false;
	if (isinf(got) || isinf(want))
		return got == want;
	return fabs(got - want) <= c->absolute || fabs(got - want) <= c->relative * fabs(want);
}

static bool same_word(const struct check *c, const struct piece *got, const struct piece *want)
{
	double x, y;

	if (!strcmp(c->kind, "floats") && number(got, &x) && number(want, &y))
		return close_enough(c, x, y);
	return same_bytes(c, got, want);
}

/* "line 3: 'a', not 'b'"; a piece with p NULL is the end */
static bool differ(const struct piece *got, const struct piece *want, const char *what, struct buf *why)
{
	buf_printf(why, "%s %zu: ", what, want->p ? want->line : got->line);
	if (!got->p) {
		buf_str(why, "the output ends, where ");
	} else {
		answer_show(got->p, got->n, why);
		buf_str(why, ", where ");
	}
	if (!want->p) {
		buf_str(why, "it should end");
	} else {
		answer_show(want->p, want->n, why);
		buf_str(why, " should be");
	}
	return false;
}

/* ---- words ---- */

static bool next_word(struct piece *at, const char *end)
{
	const char *p = at->p + at->n;

	for (; p < end && blank(*p); p++)
		at->line += *p == '\n';
	if (p == end)
		return false;
	at->p = p;
	while (p < end && !blank(*p))
		p++;
	at->n = (size_t)(p - at->p);
	return true;
}

static bool check_words(const struct check *c, const char *got, size_t got_n, const char *want, size_t want_n, struct buf *why)
{
	struct piece g = {got, 0, 1}, w = {want, 0, 1};

	for (;;) {
		bool more_g = next_word(&g, got + got_n), more_w = next_word(&w, want + want_n);

		if (!more_g && !more_w)
			return true;
		if (!more_g)
			g.p = NULL;
		if (!more_w)
			w.p = NULL;
		if (!more_g || !more_w || !same_word(c, &g, &w))
			return differ(&g, &w, "line", why);
	}
}

/* ---- lines ---- */

/* Empty lines and blanks at the end do not count. */
static size_t trimmed(const char *s, size_t n)
{
	while (n && blank(s[n - 1]))
		n--;
	return n;
}

static bool next_line(struct piece *at, const char **next, const char *end)
{
	const char *nl;

	if (!*next)
		return false;
	at->p = *next;
	nl = memchr(at->p, '\n', (size_t)(end - at->p));
	at->n = (size_t)((nl ? nl : end) - at->p);
	*next = nl ? nl + 1 : NULL;
	while (at->n && blank(at->p[at->n - 1]))
		at->n--;
	at->line++;
	return true;
}

static bool check_lines(const struct check *c, const char *got, size_t got_n, const char *want, size_t want_n, struct buf *why)
{
	const char *got_next = got, *want_next = want;
	struct piece g = {0}, w = {0};

	got_n = trimmed(got, got_n);
	want_n = trimmed(want, want_n);
	for (;;) {
		bool more_g = next_line(&g, &got_next, got + got_n), more_w = next_line(&w, &want_next, want + want_n);

		if (!more_g && !more_w)
			return true;
		if (!more_g)
			g = (struct piece){.line = w.line};
		if (!more_w)
			w.p = NULL, w.line = g.line;
		if (!more_g || !more_w || !same_bytes(c, &g, &w))
			return differ(&g, &w, "line", why);
	}
}

static int by_bytes(const void *pa, const void *pb)
{
	const struct piece *a = pa, *b = pb;
	int d = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return d ? d : (a->n > b->n) - (a->n < b->n);
}

/* The lines sorted, those of nothing left out */
static struct piece *sorted(char *s, size_t n, bool fold, size_t *count)
{
	struct piece at = {0}, *all = NULL;
	const char *next = s;
	size_t cap = 0, i;

	for (i = 0; fold && i < n; i++)
		s[i] = (char)tolower((unsigned char)s[i]);
	*count = 0;
	while (next_line(&at, &next, s + n)) {
		if (!at.n)
			continue;
		all = xgrow(all, &cap, *count + 1, sizeof *all);
		all[(*count)++] = at;
	}
	if (*count)
		qsort(all, *count, sizeof *all, by_bytes);
	return all;
}

static bool check_unordered(const struct check *c, const char *got, size_t got_n, const char *want, size_t want_n, struct buf *why)
{
	char *got_copy = xstrndup(got, got_n), *want_copy = xstrndup(want, want_n);
	struct piece *g, *w;
	size_t n, m, i;
	bool same = true;

	memcpy(got_copy, got, got_n);
	memcpy(want_copy, want, want_n);
	g = sorted(got_copy, got_n, c->ignore_case, &n);
	w = sorted(want_copy, want_n, c->ignore_case, &m);
	for (i = 0; same && i < n && i < m; i++)
		same = g[i].n == w[i].n && !memcmp(g[i].p, w[i].p, g[i].n);
	if (!same || n != m) {
		const struct piece *extra = n > i - !same ? &g[i - !same] : NULL, *lacking = m > i - !same ? &w[i - !same] : NULL;
		bool first = extra && (!lacking || by_bytes(extra, lacking) < 0);

		buf_str(why, first ? "the line " : "there is no line ");
		answer_show(first ? extra->p : lacking->p, first ? extra->n : lacking->n, why);
		buf_str(why, first ? " should not be there" : "");
		same = false;
	}
	free(g);
	free(w);
	free(got_copy);
	free(want_copy);
	return same;
}

static bool check_exact(const struct check *c, const char *got, size_t got_n, const char *want, size_t want_n, struct buf *why)
{
	struct piece g, w;
	size_t i;

	got_n -= got_n && got[got_n - 1] == '\n';
	want_n -= want_n && want[want_n - 1] == '\n';
	g = (struct piece){got, got_n, 0};
	w = (struct piece){want, want_n, 0};
	if (same_bytes(c, &g, &w))
		return true;
	for (i = 0; i < got_n && i < want_n; i++) {
		g = (struct piece){got + i, 1, 0};
		w = (struct piece){want + i, 1, 0};
		if (!same_bytes(c, &g, &w))
			break;
	}
	buf_printf(why, "differs from byte %zu on", i + 1);
	return false;
}

bool check_output(const struct check *c, const char *got, size_t got_n, const char *want, size_t want_n, struct buf *why)
{
	if (!strcmp(c->kind, "exact"))
		return check_exact(c, got, got_n, want, want_n, why);
	if (!strcmp(c->kind, "tokens") || !strcmp(c->kind, "floats"))
		return check_words(c, got, got_n, want, want_n, why);
	if (!strcmp(c->kind, "unordered"))
		return check_unordered(c, got, got_n, want, want_n, why);
	return check_lines(c, got, got_n, want, want_n, why);
}

static bool same_number(const struct check *c, const struct js *got, const struct js *want)
{
	double x = js_number(got), y = js_number(want);

	if (js_is_int(got) && js_is_int(want))
		return js_int(got) == js_int(want) || (!strcmp(c->kind, "floats") && close_enough(c, x, y));
	return !strcmp(c->kind, "floats") ? close_enough(c, x, y) : x == y;
}

bool check_value(const struct check *c, const struct js *got, const struct js *want)
{
	struct js_iter it;
	size_t i;

	if (js_is_number(got) && js_is_number(want))
		return same_number(c, got, want);
	if (js_is_string(got) && js_is_string(want)) {
		struct piece g = {0}, w = {0};

		g.p = js_string(got, &g.n);
		w.p = js_string(want, &w.n);
		return same_bytes(c, &g, &w);
	}
	if (js_is_bool(got) && js_is_bool(want))
		return js_bool(got) == js_bool(want);
	if (js_is_array(got) && js_is_array(want)) {
		for (i = 0; i < js_size(want) && i < js_size(got); i++)
			if (!check_value(c, js_at(got, i), js_at(want, i)))
				return false;
		return js_size(got) == js_size(want);
	}
	if (js_is_object(got) && js_is_object(want)) {
		for (it = js_each(want); js_next(&it);)
			if (!js_get(got, it.key) || !check_value(c, js_get(got, it.key), it.value))
				return false;
		return js_size(got) == js_size(want);
	}
	return js_is_null(got) && js_is_null(want);
}
