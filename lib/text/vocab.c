#include "text/vocab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

/* A power of two of slots, at most two thirds of them taken by n. */
static size_t slots_for(size_t n)
{
	size_t slots = 256;

	while (slots * 2 < n * 3)
		slots *= 2;
	return slots;
}

/* ---- names ---- */

/* FNV-1a, which can be carried on: hash(hash(0, a), b) is the hash of ab. */
static uint32_t hash_on(uint32_t h, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h;
}

#define HASH_START 2166136261u

static size_t slot_of(const struct vocab *v, uint32_t h)
{
	return vocab_mix(h) & (v->slots - 1);
}

static int32_t find2(const struct vocab *v, uint32_t h, const char *a, size_t an, const char *b, size_t bn)
{
	size_t i;

	if (!v->slots)
		return -1;
	for (i = slot_of(v, h); v->slot[i].id >= 0; i = (i + 1) & (v->slots - 1)) {
		const struct vocab_span *s = &v->name[v->slot[i].id];

		if (v->slot[i].hash == h && s->n == an + bn && !memcmp(v->pool.p + s->at, a, an)
		    && (!bn || !memcmp(v->pool.p + s->at + an, b, bn)))
			return v->slot[i].id;
	}
	return -1;
}

int32_t vocab_find(const struct vocab *v, const char *name, size_t n)
{
	return find2(v, hash_on(HASH_START, name, n), name, n, NULL, 0);
}

static void put_slot(struct vocab *v, uint32_t h, int32_t id)
{
	size_t i = slot_of(v, h);

	while (v->slot[i].id >= 0)
		i = (i + 1) & (v->slots - 1);
	v->slot[i].hash = h;
	v->slot[i].id = id;
}

static void resize(struct vocab *v, size_t slots)
{
	void *before = v->slot;
	size_t i;

	v->slots = slots;
	v->slot = xmalloc(slots * sizeof *v->slot);
	for (i = 0; i < slots; i++)
		v->slot[i].id = -1;
	for (i = 0; i < v->size; i++)
		if (v->name[i].at != VOCAB_GAP)
			put_slot(v, hash_on(HASH_START, v->pool.p + v->name[i].at, v->name[i].n), (int32_t)i);
	free(before);
}

#define QUOTE(n, s) (int)((n) > 60 ? 60 : (n)), s

int vocab_add(struct vocab *v, const char *name, size_t n, int64_t id, struct err *e)
{
	uint32_t h = hash_on(HASH_START, name, n);
	int32_t other = find2(v, h, name, n, NULL, 0);

	if (id < 0 || id >= VOCAB_MAX)
		return err_set(e, "'%.*s' has the id %lld, which is not in 0 .. %lld", QUOTE(n, name), (long long)id,
			(long long)VOCAB_MAX - 1);
	if (other == id)
		return 0;
	if (other >= 0)
		return err_set(e, "'%.*s' has the id %lld, and %d before", QUOTE(n, name), (long long)id, other);
	if ((size_t)id < v->size && v->name[id].at != VOCAB_GAP)
		return err_set(e, "'%.*s' has the id %lld of '%.60s'", QUOTE(n, name), (long long)id, v->pool.p + v->name[id].at);
	if ((v->count + 1) * 3 > v->slots * 2)
		resize(v, v->slots ? v->slots * 2 : 256);
	v->name = xgrow(v->name, &v->cap, (size_t)id + 1, sizeof *v->name);
	while (v->size <= (size_t)id)
		v->name[v->size++] = (struct vocab_span){VOCAB_GAP, 0};
	v->name[id] = (struct vocab_span){(uint32_t)v->pool.n, (uint32_t)n};
	buf_add(&v->pool, name, n);
	buf_char(&v->pool, 0);
	put_slot(v, h, (int32_t)id);
	v->count++;
	return 0;
}

void vocab_free(struct vocab *v)
{
	buf_free(&v->pool);
	buf_free(&v->forms);
	free(v->name);
	free(v->slot);
	free(v->merge);
	free(v->form);
	*v = (struct vocab){0};
}

/* ---- a reader for the two parts ---- */

struct scan {
	const char *p, *end, *start;
	struct buf unescaped;
	const struct vocab *v;
	int line;                       /* of start */
};

static void skip_blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static int bad(const struct scan *s, struct err *e, const char *what)
{
	const char *q;
	int line = s->line;

	for (q = s->start; q < s->p; q++)
		line += *q == '\n';
	if (s->p == s->end)
		return err_set(e, "%s:%d: %s, not the end", s->v->file, line, what);
	return err_set(e, "%s:%d: %s, not '%.*s'", s->v->file, line, what, (int)(s->end - s->p > 12 ? 12 : s->end - s->p), s->p);
}

static int expect(struct scan *s, char c, const char *what, struct err *e)
{
	skip_blanks(s);
	if (s->p == s->end || *s->p != c)
		return bad(s, e, what);
	s->p++;
	return 0;
}

static int hex4(struct scan *s, uint32_t *c)
{
	int i;

	*c = 0;
	if (s->end - s->p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		char d = *s->p++;

		if (d >= '0' && d <= '9')
			*c = *c << 4 | (uint32_t)(d - '0');
		else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
			*c = *c << 4 | (uint32_t)((d | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return 0;
}

static int unescape(struct scan *s, struct err *e)
{
	static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *start = s->p, *found;
	uint32_t c, low;

	s->p++;
	if (s->p < s->end && *s->p == 'u') {
		s->p++;
		if (hex4(s, &c) < 0)
			goto fail;
		if (c >= 0xd800 && c < 0xdc00) {
			if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
				goto fail;
			s->p += 2;
			if (hex4(s, &low) < 0 || low < 0xdc00 || low >= 0xe000)
				goto fail;
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		} else if ((c >= 0xdc00 && c < 0xe000) || c == 0) {
			goto fail;
		}
		s->unescaped.n += utf8_encode(c, buf_room(&s->unescaped, 4));
		return 0;
	}
	found = s->p < s->end && *s->p ? strchr(letters, *s->p) : NULL;
	if (!found)
		goto fail;
	buf_char(&s->unescaped, values[found - letters]);
	s->p++;
	return 0;
fail:
	s->p = start;
	return bad(s, e, "a string has a bad escape");
}

/* The string at s->p (a quote): its bytes lie in the text or, if it has escapes, in s->unescaped. */
static int string(struct scan *s, const char **text, size_t *n, struct err *e)
{
	const char *q = s->p + 1;

	while (q < s->end && *q != '"' && *q != '\\' && (unsigned char)*q >= 0x20)
		q++;
	if (q < s->end && *q == '"') {
		*text = s->p + 1;
		*n = (size_t)(q - *text);
		s->p = q + 1;
		return 0;
	}
	buf_clear(&s->unescaped);
	s->p++;
	while (s->p < s->end && *s->p != '"') {
		if ((unsigned char)*s->p < 0x20)
			return bad(s, e, "a string ends with '\"'");
		if (*s->p != '\\')
			buf_char(&s->unescaped, *s->p++);
		else if (unescape(s, e) < 0)
			return -1;
	}
	if (s->p == s->end)
		return bad(s, e, "a string ends with '\"'");
	s->p++;
	buf_room(&s->unescaped, 0);
	*text = s->unescaped.p;
	*n = s->unescaped.n;
	return 0;
}

int vocab_read(struct vocab *v, struct err *e)
{
	struct scan s = {.p = v->vocab_text, .start = v->vocab_text, .v = v, .line = v->vocab_line};
	int rc = -1;

	if (!v->vocab_text)
		return err_set(e, "%s: 'model.vocab' is missing", v->file);
	s.end = s.p + v->vocab_n;
	if (expect(&s, '{', "'model.vocab' is an object", e) < 0)
		goto out;
	skip_blanks(&s);
	if (s.p < s.end && *s.p == '}') {
		err_set(e, "%s: 'model.vocab' is empty", v->file);
		goto out;
	}
	/* room for as many as there may be: an entry takes some 18 bytes of text, half of them its name */
	resize(v, slots_for(v->vocab_n / 18));
	buf_room(&v->pool, v->vocab_n / 2);
	do {
		const char *name;
		int64_t id = 0;
		size_t n, before;

		skip_blanks(&s);
		if (s.p == s.end || *s.p != '"') {
			bad(&s, e, "'model.vocab' has a token here");
			goto out;
		}
		if (string(&s, &name, &n, e) < 0 || expect(&s, ':', "'model.vocab' has ':' behind a token", e) < 0)
			goto out;
		skip_blanks(&s);
		if (s.p == s.end || *s.p < '0' || *s.p > '9') {
			bad(&s, e, "'model.vocab' has an id here");
			goto out;
		}
		while (s.p < s.end && *s.p >= '0' && *s.p <= '9' && id < INT64_MAX / 20)
			id = id * 10 + (*s.p++ - '0');
		before = v->count;
		if (vocab_add(v, name, n, id, e) < 0) {
			err_prefix(e, "%s: 'model.vocab'", v->file);
			goto out;
		}
		if (v->count == before) {
			err_set(e, "%s: 'model.vocab' has '%.*s' twice", v->file, QUOTE(n, name));
			goto out;
		}
		skip_blanks(&s);
	} while (s.p < s.end && *s.p == ',' && s.p++);
	if (expect(&s, '}', "'model.vocab' has ',' or '}' behind an id", e) == 0)
		rc = 0;
out:
	buf_free(&s.unescaped);
	return rc;
}

/* ---- merges ---- */

static void put_merge(struct vocab *v, int32_t a, int32_t b, uint32_t rank, int32_t id)
{
	uint64_t pair = (uint64_t)(uint32_t)a << 32 | (uint32_t)b;
	size_t i = vocab_mix(pair) & (v->merges - 1);

	while (v->merge[i].pair != UINT64_MAX && v->merge[i].pair != pair)
		i = (i + 1) & (v->merges - 1);
	v->merge[i] = (struct vocab_merge){pair, rank, id};     /* of two equal pairs the later counts */
}

static void grow_merges(struct vocab *v, size_t slots)
{
	struct vocab_merge *before = v->merge;
	size_t i, n = v->merges;

	v->merges = slots;
	v->merge = xmalloc(slots * sizeof *v->merge);
	for (i = 0; i < slots; i++)
		v->merge[i].pair = UINT64_MAX;
	for (i = 0; i < n; i++)
		if (before[i].pair != UINT64_MAX)
			put_merge(v, (int32_t)(before[i].pair >> 32), (int32_t)(uint32_t)before[i].pair, before[i].rank, before[i].id);
	free(before);
}

static bool is_name(const struct vocab *v, int32_t id, const char *a, size_t an, const char *b, size_t bn)
{
	const struct vocab_span *s;

	if (id < 0 || (size_t)id >= v->size || v->name[id].at == VOCAB_GAP)
		return false;
	s = &v->name[id];
	return s->n == an + bn && !memcmp(v->pool.p + s->at, a, an) && !memcmp(v->pool.p + s->at + an, b, bn);
}

static int add_merge(struct vocab *v, const char *a, size_t an, const char *b, size_t bn, uint32_t rank, struct err *e)
{
	uint32_t ha = hash_on(HASH_START, a, an);
	int32_t left = find2(v, ha, a, an, NULL, 0), right = vocab_find(v, b, bn), both = v->last_merged + 1;

	/* Merges mostly come in the order of the tokens that they make: the next is tried before it is searched for. */
	if (!is_name(v, both, a, an, b, bn))
		both = find2(v, hash_on(ha, b, bn), a, an, b, bn);
	v->last_merged = both;

	if (left < 0 || right < 0)
		return err_set(e, "%s: 'model.merges[%u]': '%.*s' is no token of 'model.vocab'", v->file, rank,
			QUOTE(left < 0 ? an : bn, left < 0 ? a : b));
	if (both < 0)
		return err_set(e, "%s: 'model.merges[%u]': '%.*s%.*s' is no token of 'model.vocab'", v->file, rank, QUOTE(an, a), QUOTE(bn, b));
	if (((size_t)rank + 1) * 3 > v->merges * 2)
		grow_merges(v, v->merges * 2);
	put_merge(v, left, right, rank, both);
	return 0;
}

/* "a b" */
static int read_joined(struct scan *s, struct vocab *v, uint32_t rank, struct err *e)
{
	const char *text, *space;
	size_t n;

	if (string(s, &text, &n, e) < 0)
		return -1;
	space = memchr(text, ' ', n);
	if (!space || memchr(space + 1, ' ', n - (size_t)(space - text) - 1))
		return err_set(e, "%s: 'model.merges[%u]' is '%.*s', not two tokens", v->file, rank, QUOTE(n, text));
	return add_merge(v, text, (size_t)(space - text), space + 1, n - (size_t)(space - text) - 1, rank, e);
}

/* ["a", "b"] */
static int read_pair(struct scan *s, struct vocab *v, uint32_t rank, struct buf *left, struct err *e)
{
	const char *text;
	size_t n;

	s->p++;
	skip_blanks(s);
	if (s->p == s->end || *s->p != '"')
		return bad(s, e, "'model.merges' has a token here");
	if (string(s, &text, &n, e) < 0)
		return -1;
	buf_clear(left);
	buf_add(left, text, n);
	if (expect(s, ',', "'model.merges' has pairs of tokens", e) < 0)
		return -1;
	skip_blanks(s);
	if (s->p == s->end || *s->p != '"')
		return bad(s, e, "'model.merges' has a token here");
	if (string(s, &text, &n, e) < 0 || expect(s, ']', "'model.merges' has pairs of tokens", e) < 0)
		return -1;
	return add_merge(v, left->p, left->n, text, n, rank, e);
}

int vocab_read_merges(struct vocab *v, struct err *e)
{
	struct scan s = {.p = v->merges_text, .start = v->merges_text, .v = v, .line = v->merges_line};
	struct buf left = {0};
	uint32_t rank;
	int rc = -1;

	if (!v->merges_text)
		return err_set(e, "%s: 'model.merges' is missing", v->file);
	s.end = s.p + v->merges_n;
	if (expect(&s, '[', "'model.merges' is an array", e) < 0)
		goto out;
	skip_blanks(&s);
	if (s.p < s.end && *s.p == ']') {
		rc = 0;
		goto out;
	}
	v->last_merged = -2;
	grow_merges(v, slots_for(v->merges_n / 16));
	for (rank = 0;; rank++) {
		skip_blanks(&s);
		if (s.p < s.end && *s.p == '"') {
			if (read_joined(&s, v, rank, e) < 0)
				goto out;
		} else if (s.p < s.end && *s.p == '[') {
			if (read_pair(&s, v, rank, &left, e) < 0)
				goto out;
		} else {
			bad(&s, e, "'model.merges' has a merge here");
			goto out;
		}
		skip_blanks(&s);
		if (s.p == s.end || *s.p != ',')
			break;
		s.p++;
	}
	if (expect(&s, ']', "'model.merges' has ',' or ']' behind a merge", e) == 0)
		rc = 0;
out:
	buf_free(&s.unescaped);
	buf_free(&left);
	return rc;
}

/* ---- finding the two parts ---- */

/* Behind the string at p (a quote); NULL if it does not end. */
static const char *past_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : NULL;
}

/* Behind the value at p; NULL if it does not end. What is in it does not matter yet. */
static const char *past_value(const char *p, const char *end)
{
	int64_t depth = 0;

	while (p < end) {
		if (*p == '"') {
			p = past_string(p, end);
			if (!p)
				return NULL;
			if (depth == 0)
				return p;
			continue;
		}
		if (*p == '{' || *p == '[') {
			depth++;
		} else if (*p == '}' || *p == ']') {
			if (depth == 0)
				return p;
			if (--depth == 0)
				return p + 1;
		} else if (*p == ',' && depth == 0) {
			return p;
		}
		p++;
	}
	return NULL;
}

static const char *past_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* The values of up to two members of the object at p: where they begin and what is behind them; NULL for what is not there. */
static void find_members(const char *p, const char *end, const char *const name[2], const char *from[2], const char *to[2])
{
	int i;

	if (p == end || *p != '{')
		return;
	for (p = past_blanks(p + 1, end); p < end && *p == '"'; p = past_blanks(p + 1, end)) {
		const char *key = p + 1, *value;
		size_t len;

		p = past_string(p, end);
		if (!p)
			return;
		len = (size_t)(p - 1 - key);
		p = past_blanks(p, end);
		if (p == end || *p != ':')
			return;
		value = past_blanks(p + 1, end);
		for (i = 0; i < 2; i++)
			if (name[i] && strlen(name[i]) == len && !memcmp(key, name[i], len))
				from[i] = value;
		if (name[0] && !name[1] && from[0])
			return;                         /* the only one: its end is not asked for */
		p = past_value(value, end);
		if (!p)
			return;
		for (i = 0; i < 2; i++)
			if (from[i] == value)
				to[i] = p;
		p = past_blanks(p, end);
		if (p == end || *p != ',')
			return;
	}
}

static int count_lines(const char *p, const char *end)
{
	int n = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))))
		n++, p++;
	return n;
}

/* Adds text[from..value) and then null in the value's place, with its newlines, so that line numbers hold. */
static const char *cut(struct buf *rest, const char *from, const char *value, const char *past)
{
	int i;

	buf_add(rest, from, (size_t)(value - from));
	buf_str(rest, "null");
	for (i = count_lines(value, past); i > 0; i--)
		buf_char(rest, '\n');
	return past;
}

struct js *vocab_cut(const char *json, size_t n, const char *file, struct vocab *v, struct err *e)
{
	static const char *const model_name[2] = {"model", NULL}, *const part_name[2] = {"vocab", "merges"};
	const char *end = json + n, *p, *model[2] = {NULL, NULL}, *from[2] = {NULL, NULL}, *to[2] = {NULL, NULL};
	struct buf rest = {0};
	struct js *j;
	int i;

	v->file = file;
	if (n > INT32_MAX) {
		err_set(e, "%s: %zu bytes are too many", file, n);
		return NULL;
	}
	if (utf8_prefix(json, n) < n) {
		err_set(e, "%s:%d: not UTF-8", file, 1 + count_lines(json, json + utf8_prefix(json, n)));
		return NULL;
	}
	p = past_blanks(json + (n >= 3 && !memcmp(json, "\xef\xbb\xbf", 3) ? 3 : 0), end);
	find_members(p, end, model_name, model, to);
	if (model[0])
		find_members(model[0], end, part_name, from, to);
	p = json;
	for (i = 0; i < 2; i++) {
		int k = to[0] && to[1] && from[1] < from[0] ? !i : i;

		if (!to[k])
			continue;
		p = cut(&rest, p, from[k], to[k]);
		*(k ? &v->merges_text : &v->vocab_text) = from[k];
		*(k ? &v->merges_n : &v->vocab_n) = (size_t)(to[k] - from[k]);
		*(k ? &v->merges_line : &v->vocab_line) = 1 + count_lines(json, from[k]);
	}
	buf_add(&rest, p, (size_t)(end - p));
	j = js_parse(rest.p, rest.n, file, e);
	buf_free(&rest);
	return j;
}
