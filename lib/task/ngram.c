#include "task/ngram.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "text/script.h"
#include "text/utf8.h"

void ngram_add(struct ngrams *w, uint64_t hash)
{
	w->hash = xgrow(w->hash, &w->cap, w->n + 1, sizeof *w->hash);
	w->hash[w->n++] = hash;
}

void ngram_words(struct ngrams *w, const char *s, size_t n)
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
			ngram_add(w, hash_bytes(word.p, word.n));
			buf_clear(&word);
		}
		if (script == SCRIPT_HAN || script == SCRIPT_KANA)
			ngram_add(w, hash_bytes(s + i, len));
		else if (c >= 'A' && c <= 'Z')
			buf_char(&word, (char)(c | 0x20));
		else if (c > ' ')
			buf_add(&word, s + i, len);
	}
	if (word.n)
		ngram_add(w, hash_bytes(word.p, word.n));
	buf_free(&word);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double ngram_repeated(struct ngrams *w, size_t n)
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
	free(w->hash);
	*w = (struct ngrams){0};
	return total ? 1 - (double)distinct / (double)total : 0;
}
