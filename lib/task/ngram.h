/* ngram.h - how much of a text repeats itself
 *
 *     struct ngrams w = {0};
 *     ngram_words(&w, text, n);               // or ngram_add, a word or token at a time
 *     double share = ngram_repeated(&w, 3);   // 0 .. 1; w is empty again
 *
 * Words are what stands between blanks, small letters; each Han or Kana character is one.
 */
#ifndef TASK_NGRAM_H
#define TASK_NGRAM_H

#include <stddef.h>
#include <stdint.h>

struct ngrams {
	uint64_t *hash;                 /* (n) of each word */
	size_t n, cap;
};

void ngram_add(struct ngrams *w, uint64_t hash);
void ngram_words(struct ngrams *w, const char *s, size_t n);

/* Of the w->n - n + 1 n-grams, the share that was there before; 0 if there is none. */
double ngram_repeated(struct ngrams *w, size_t n);

#endif
