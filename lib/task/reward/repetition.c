/* Repetition penalty (Yeo et al. 2025, "Demystifying long chain-of-thought", section 4): the share of n-grams that are not the first of
 * their kind, times a negative number. Words are what stands between blanks, small letters; each Han or Kana character is one. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "task/reward.h"
#include "text/script.h"
#include "text/utf8.h"

struct options {
	int64_t n;
	double penalty;
	const char *unit;
};

struct words {
	uint64_t *hash;                 /* (n) of each word */
	size_t n, cap;
};

static void add(struct words *w, uint64_t hash)
{
	w->hash = xgrow(w->hash, &w->cap, w->n + 1, sizeof *w->hash);
	w->hash[w->n++] = hash;
}

static void split(struct words *w, const char *s, size_t n)
{
	struct buf word = {0};
	size_t i, len;

	for (i = 0; i < n; i += len) {
		enum script script;
		uint32_t c;

		len = utf8_decode(s + i, n - i, &c);
		script = script_of(c);
		if (c == 0xa0 || c == 0x3000)
			c = ' ';
		if (word.n && (c <= ' ' || script == SCRIPT_HAN || script == SCRIPT_KANA)) {
			add(w, hash_bytes(word.p, word.n));
			buf_clear(&word);
		}
		if (script == SCRIPT_HAN || script == SCRIPT_KANA)
			add(w, hash_bytes(s + i, len));
		else if (c >= 'A' && c <= 'Z')
			buf_char(&word, (char)(c | 0x20));
		else if (c > ' ')
			buf_add(&word, s + i, len);
	}
	if (word.n)
		add(w, hash_bytes(word.p, word.n));
	buf_free(&word);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of the w->n - n + 1 n-grams, the share that was there before; 0 if there is none. Overwrites w->hash. */
static double repeated(struct words *w, size_t n)
{
	size_t total = w->n >= n ? w->n - n + 1 : 0, distinct = 0, i, j;

	for (i = 0; i < total; i++) {
		uint64_t h = w->hash[i];

		for (j = 1; j < n; j++)
			h = hash_mix(h, w->hash[i + j]);
		w->hash[i] = h;
	}
	if (total)
		qsort(w->hash, total, sizeof *w->hash, ascending);
	for (i = 0; i < total; i++)
		distinct += i == 0 || w->hash[i] != w->hash[i - 1];
	return total ? 1 - (double)distinct / (double)total : 0;
}

static int score(const void *options, struct scored *s, struct err *e)
{
	const struct options *o = options;
	struct words w = {0};
	double share;

	if (o->unit[0] == 't') {
		size_t n, i;
		const int32_t *id = record_ints(s->record, "completion_ids", &n, e);

		if (!id)
			return -1;
		for (i = 0; i < n; i++)
			add(&w, (uint64_t)(uint32_t)id[i]);
	} else {
		split(&w, s->text, s->n);
	}
	share = repeated(&w, (size_t)o->n);
	s->value = share * o->penalty;
	if (share)
		buf_printf(&s->reason, "%.0f %% of %lld-grams repeated", 100 * share, (long long)o->n);
	free(w.hash);
	return 0;
}

static const struct options defaults = {3, -1, "words"};
static const struct param params[] = {
	{"n", OPT_INT, offsetof(struct options, n), "N", "words of an n-gram", 1, 100},
	{"penalty", OPT_FLOAT, offsetof(struct options, penalty), "X", "value where all are repeated", -1e6, 0},
	{"unit", OPT_CHOICE, offsetof(struct options, unit), "words|tokens", "what an n-gram is made of"},
	PARAM_END};

const struct reward reward_repetition = {
	{"repetition", "penalty for repeated n-grams, 0 to -1", params, &defaults, sizeof defaults, NULL}, false, score};
