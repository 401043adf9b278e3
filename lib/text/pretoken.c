#include "text/pretoken.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "text/pattern.h"
#include "text/utf8.h"

#define MAX_STEPS 16
#define MAX_DEPTH 8

/* GPT-2's, which ByteLevel stands for when it splits by itself */
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* Digits' own: by Unicode 17, not by the 16 of the expressions */
#define DIGIT "[\\p{N}\\x{11de0}-\\x{11de9}\\x{16ff4}-\\x{16ff6}]"

enum behavior { ISOLATED, REMOVED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS, BEHAVIORS };
static const char *const behavior_names[] = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"};

/* What is put in front of a text: of each, of the first, of none */
enum scheme { ALWAYS, FIRST, NEVER, SCHEMES };
static const char *const scheme_names[] = {"always", "first", "never"};

struct step {
	enum { SPLIT, SPACE, METASPACE } kind;
	struct pattern *pattern;        /* of SPLIT */
	enum behavior behavior;
	bool invert;
	enum scheme scheme;             /* of METASPACE, which is the first step */
	char mark[5];                   /* what blanks become */
};

struct pretokenizer {
	struct step step[MAX_STEPS];
	size_t n;
	bool byte_level;
};

struct piece {
	size_t from, to;
	bool match;
};

struct pretoken_scratch {
	struct pattern_scratch *match;
	struct {
		struct piece *piece;
		size_t cap;
	} step[MAX_STEPS];
	struct buf spaced, marked;
	pretoken_known_fn *known;       /* NULL: nothing is remembered */
	pretoken_keep_fn *keep;
};

static int add_step(struct pretokenizer *p, struct step s, const char *where, struct err *e)
{
	if (p->n == MAX_STEPS) {
		pattern_free(s.pattern);
		return err_set(e, "'%s': more than %d steps", where, MAX_STEPS);
	}
	p->step[p->n++] = s;
	return 0;
}

static int add_pattern(struct pretokenizer *p, const char *regex, size_t n, bool literal, struct step s, const char *where, struct err *e)
{
	s.pattern = pattern_new(regex, n, literal, e);
	if (!s.pattern)
		return err_prefix(e, "'%s'", where);
	return add_step(p, s, where, e);
}

/* A member that is true, false or (then `absent`) not there. */
static int get_flag(const struct js *j, const char *name, bool absent, bool *value, const char *where, struct err *e)
{
	const struct js *v = js_get(j, name);

	*value = v ? js_bool(v) : absent;
	if (v && !js_is_bool(v))
		return err_set(e, "'%s.%s' is %s, not true or false", where, name, js_type(v));
	return 0;
}

static int add_split(struct pretokenizer *p, const struct js *j, const char *where, struct err *e)
{
	const struct js *pattern = js_get(j, "pattern"), *regex = js_get(pattern, "Regex"), *string = js_get(pattern, "String");
	const char *behavior = js_string(js_get(j, "behavior"), NULL), *s;
	struct step step = {0};
	size_t n, i;

	if (!behavior)
		return err_set(e, "'%s.behavior' is %s, not a string", where, js_type(js_get(j, "behavior")));
	for (i = 0; i < BEHAVIORS && strcmp(behavior, behavior_names[i]) != 0; i++)
		;
	if (i == BEHAVIORS)
		return err_set(e, "'%s.behavior' is '%.40s', which is not supported", where, behavior);
	step.behavior = (enum behavior)i;
	if (get_flag(j, "invert", false, &step.invert, where, e) < 0)
		return -1;
	s = js_string(regex ? regex : string, &n);
	if (!s)
		return err_set(e, "'%s.pattern' has neither a 'Regex' nor a 'String'", where);
	if (n == 0 && !regex)
		return err_set(e, "'%s.pattern.String' is empty", where);
	return add_pattern(p, s, n, !regex, step, where, e);
}

static int add_metaspace(struct pretokenizer *p, const struct js *j, const char *where, struct err *e)
{
	const struct js *given = js_get(j, "prepend_scheme");
	const char *mark, *scheme = given ? js_string(given, NULL) : scheme_names[ALWAYS];
	struct step step = {.kind = METASPACE};
	bool prefix, split;
	uint32_t c;
	size_t n, i;

	mark = js_string(js_get(j, "replacement"), &n);
	if (!mark || !n || utf8_decode(mark, n, &c) != n)
		return err_set(e, "'%s.replacement' is not one character", where);
	memcpy(step.mark, mark, n);
	if (!scheme)
		return err_set(e, "'%s.prepend_scheme' is %s, not a string", where, js_type(given));
	for (i = 0; i < SCHEMES && strcmp(scheme, scheme_names[i]) != 0; i++)
		;
	if (i == SCHEMES)
		return err_set(e, "'%s.prepend_scheme' is '%.40s', which is not supported", where, scheme);
	step.scheme = (enum scheme)i;
	if (get_flag(j, "add_prefix_space", true, &prefix, where, e) < 0)
		return -1;
	if (!prefix && step.scheme != NEVER)
		return err_set(e, "'%s.add_prefix_space' is false, where 'prepend_scheme' is '%s'", where, scheme);
	if (p->n)
		return err_set(e, "'%s': Metaspace behind another is not supported", where);
	if (get_flag(j, "split", true, &split, where, e) < 0 || add_step(p, step, where, e) < 0)
		return -1;
	return split ? add_pattern(p, mark, n, true, (struct step){.behavior = MERGED_WITH_NEXT}, where, e) : 0;
}

static int add(struct pretokenizer *p, const struct js *j, const char *where, int depth, struct err *e)
{
	const char *type = js_string(js_get(j, "type"), NULL);
	bool prefix, split;

	if (!type)
		return err_set(e, "'%s.type' is %s, not a string", where, js_type(js_get(j, "type")));
	if (p->byte_level)
		return err_set(e, "'%s': %.40s behind ByteLevel is not supported", where, type);
	if (!strcmp(type, "Sequence")) {
		const struct js *list = js_get(j, "pretokenizers");
		size_t i;

		if (!js_is_array(list))
			return err_set(e, "'%s.pretokenizers' is %s, not an array", where, js_type(list));
		if (depth == MAX_DEPTH)
			return err_set(e, "'%s': more than %d Sequences in one another", where, MAX_DEPTH);
		for (i = 0; i < js_size(list); i++) {
			char *inner = xasprintf("%s.pretokenizers[%zu]", where, i);
			int rc = add(p, js_at(list, i), inner, depth + 1, e);

			free(inner);
			if (rc < 0)
				return -1;
		}
		return 0;
	}
	if (!strcmp(type, "Split"))
		return add_split(p, j, where, e);
	if (!strcmp(type, "Digits")) {
		if (get_flag(j, "individual_digits", false, &split, where, e) < 0)
			return -1;
		return add_pattern(p, DIGIT, strlen(DIGIT), false, (struct step){.behavior = split ? ISOLATED : CONTIGUOUS}, where, e);
	}
	if (!strcmp(type, "Metaspace"))
		return add_metaspace(p, j, where, e);
	if (!strcmp(type, "ByteLevel")) {
		if (get_flag(j, "add_prefix_space", true, &prefix, where, e) < 0 || get_flag(j, "use_regex", true, &split, where, e) < 0)
			return -1;
		if (prefix && add_step(p, (struct step){.kind = SPACE}, where, e) < 0)
			return -1;
		if (split && add_pattern(p, GPT2, strlen(GPT2), false, (struct step){.behavior = ISOLATED}, where, e) < 0)
			return -1;
		p->byte_level = true;
		return 0;
	}
	return err_set(e, "'%s.type' is '%.40s', which is not supported", where, type);
}

struct pretokenizer *pretoken_new(const struct js *j, struct err *e)
{
	struct pretokenizer *p = xcalloc(1, sizeof *p);

	if (j && !js_is_null(j) && add(p, j, "pre_tokenizer", 0, e) < 0) {
		pretoken_free(p);
		return NULL;
	}
	return p;
}

struct pretokenizer *pretoken_isolated(const char *pattern, struct err *e)
{
	struct pretokenizer *p = xcalloc(1, sizeof *p);

	p->byte_level = true;
	if (add_pattern(p, pattern, strlen(pattern), false, (struct step){.behavior = ISOLATED}, "pattern", e) < 0) {
		pretoken_free(p);
		return NULL;
	}
	return p;
}

void pretoken_free(struct pretokenizer *p)
{
	size_t i;

	for (i = 0; p && i < p->n; i++)
		pattern_free(p->step[i].pattern);
	free(p);
}

bool pretoken_byte_level(const struct pretokenizer *p)
{
	return p->byte_level;
}

struct pretoken_scratch *pretoken_scratch_new(const struct pretokenizer *p)
{
	struct pretoken_scratch *w = xcalloc(1, sizeof *w);

	if (p->n)
		w->match = pattern_scratch_new();
	return w;
}

void pretoken_scratch_free(struct pretoken_scratch *w)
{
	size_t i;

	if (!w)
		return;
	for (i = 0; i < MAX_STEPS; i++)
		free(w->step[i].piece);
	pattern_scratch_free(w->match);
	buf_free(&w->spaced);
	buf_free(&w->marked);
	free(w);
}

struct run {
	const struct pretokenizer *p;
	struct pretoken_scratch *w;
	pretoken_fn *fn;
	void *arg;
	struct err *e;
	bool asked;                     /* about a piece that this one is part of */
	enum pretoken_place place;
	const char *text;
};

static int run_step(struct run *r, size_t i, const char *s, size_t n);

/* Isolated, the usual one: matches and what is between them, as they are found. */
static int run_isolated(struct run *r, size_t i, const char *s, size_t n)
{
	const struct step *step = &r->p->step[i];
	size_t at[2] = PATTERN_FROM_START, last = 0;
	int rc;

	while ((rc = pattern_next(step->pattern, r->w->match, s, n, at, r->e)) > 0) {
		if (at[0] > last && run_step(r, i + 1, s + last, at[0] - last) < 0)
			return -1;
		if (at[1] > at[0] && run_step(r, i + 1, s + at[0], at[1] - at[0]) < 0)
			return -1;
		last = at[1];
	}
	if (rc < 0)
		return -1;
	return n > last ? run_step(r, i + 1, s + last, n - last) : 0;
}

static struct piece *add_piece(struct pretoken_scratch *w, size_t i, size_t count, struct piece piece)
{
	w->step[i].piece = xgrow(w->step[i].piece, &w->step[i].cap, count + 1, sizeof *w->step[i].piece);
	w->step[i].piece[count] = piece;
	return w->step[i].piece;
}

/* Joins pieces as the behaviour has it, in place; returns how many are left. */
static size_t join(struct piece *p, size_t n, enum behavior behavior)
{
	size_t i, out = 0;
	bool before = false;

	if (behavior == MERGED_WITH_NEXT) {             /* from the end: a match goes to the piece behind it */
		out = n;
		for (i = n; i-- > 0; before = p[i].match) {
			struct piece piece = p[i];

			if (piece.match && !before && out < n)
				p[out].from = piece.from;
			else
				p[--out] = piece;
		}
		memmove(p, p + out, (n - out) * sizeof *p);
		return n - out;
	}
	for (i = 0; i < n; i++) {
		struct piece piece = p[i];
		bool joins = behavior == CONTIGUOUS ? piece.match == before : behavior == MERGED_WITH_PREVIOUS && piece.match && !before;

		if (joins && out > 0)
			p[out - 1].to = piece.to;
		else
			p[out++] = piece;
		before = piece.match;
	}
	return out;
}

static int run_split(struct run *r, size_t i, const char *s, size_t n)
{
	const struct step *step = &r->p->step[i];
	size_t at[2] = PATTERN_FROM_START, last = 0, count = 0, k;
	int rc;

	while ((rc = pattern_next(step->pattern, r->w->match, s, n, at, r->e)) > 0) {
		if (at[0] > last)
			add_piece(r->w, i, count++, (struct piece){last, at[0], step->invert});
		add_piece(r->w, i, count++, (struct piece){at[0], at[1], !step->invert});
		last = at[1];
	}
	if (rc < 0)
		return -1;
	if (n > last)
		add_piece(r->w, i, count++, (struct piece){last, n, step->invert});
	count = join(r->w->step[i].piece, count, step->behavior);
	for (k = 0; k < count; k++) {
		struct piece piece = r->w->step[i].piece[k];

		if (piece.to > piece.from && !(step->behavior == REMOVED && piece.match)
		    && run_step(r, i + 1, s + piece.from, piece.to - piece.from) < 0)
			return -1;
	}
	return 0;
}

static int run_remembered(struct run *r, size_t i, const char *s, size_t n)
{
	int rc;

	if (r->w->known(r->arg, i, s, n))
		return 0;
	r->asked = true;
	rc = run_step(r, i, s, n);
	r->asked = false;
	if (rc == 0)
		r->w->keep(r->arg, i, s, n);
	return rc;
}

/* There is one such step at most, and it comes last or last but one. */
static int run_space(struct run *r, size_t i, const char *s, size_t n)
{
	buf_clear(&r->w->spaced);
	buf_char(&r->w->spaced, ' ');
	buf_add(&r->w->spaced, s, n);
	return run_step(r, i + 1, r->w->spaced.p, r->w->spaced.n);
}

static int run_metaspace(struct run *r, const char *s, size_t n)
{
	const struct step *step = &r->p->step[0];
	struct buf *b = &r->w->marked;
	size_t k, len = strlen(step->mark);
	bool front = r->place == PRETOKEN_FIRST ? step->scheme != NEVER : r->place == PRETOKEN_BEHIND && step->scheme == ALWAYS;

	buf_clear(b);
	if (front && *s != ' ' && (n < len || memcmp(s, step->mark, len) != 0))
		buf_add(b, step->mark, len);
	for (k = 0; k < n; k++) {
		if (s[k] == ' ')
			buf_add(b, step->mark, len);
		else
			buf_char(b, s[k]);
	}
	return run_step(r, 1, b->p, b->n);
}

static int run_step(struct run *r, size_t i, const char *s, size_t n)
{
	const bool goes_on = r->place == PRETOKEN_CONTINUES && s == r->text;

	if (i == r->p->n)
		return r->fn(r->arg, s, n, r->e);
	if (i > 0 && i < PRETOKEN_STEPS && n <= PRETOKEN_SHORT && r->w->known && !r->asked && !goes_on)
		return run_remembered(r, i, s, n);
	switch (r->p->step[i].kind) {
	case METASPACE:
		return run_metaspace(r, s, n);
	case SPACE:
		return s[0] == ' ' || goes_on ? run_step(r, i + 1, s, n) : run_space(r, i, s, n);
	case SPLIT:
		break;
	}
	return r->p->step[i].behavior == ISOLATED ? run_isolated(r, i, s, n) : run_split(r, i, s, n);
}

int pretoken_run(const struct pretokenizer *p, struct pretoken_scratch *w, const char *text, size_t n, enum pretoken_place place, pretoken_fn *fn,
	void *arg, struct err *e)
{
	struct run r = {p, w, fn, arg, e, false, place, text};

	if (w->match)
		pattern_look(w->match, text, n);
	return n ? run_step(&r, 0, text, n) : 0;
}

void pretoken_remember(struct pretoken_scratch *w, pretoken_known_fn *known, pretoken_keep_fn *keep)
{
	w->known = known;
	w->keep = keep;
}
