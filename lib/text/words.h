/* words.h - the words of a text, whatever their case and what stands between them: for comparing texts
 *
 *     struct words w = {0};
 *     words_add(&w, s, n, false);              // "Find $\frac{1}{2}$ of 3 apples!": find frac 1 2 of 3 apples
 *     for (i = 0; i < w.n; i++)
 *             use(w.word[i].hash, w.text.p + w.word[i].at);
 *     words_clear(&w);                        // for the next text, memory kept
 *
 * A word is a run of letters, digits and the marks on them, of any script; each Han and Kana character is a word of its own. Case is folded
 * (Latin, Greek, Cyrillic, Armenian), full-width forms are made ASCII, and what is composed and what is not are the same (NFC). All else sets words apart,
 * also within a number (3.5 is two words), and so LaTeX's commands are words without their backslash; those that only set size or space (\left,
 * \big, \displaystyle, \quad, \!) are none, \dfrac and \tfrac are frac, and \frac12 is \frac{1}{2}.
 *
 * With `signs`, each sign is a word, too, so that 2 + 2 and 2 - 2 are two texts; what is left out then is what texts are set with: blanks,
 * . , ; : ? quotes $ \ { } and the brackets of \( \) \[ \].
 */
#ifndef TEXT_WORDS_H
#define TEXT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct word {
	uint64_t hash;
	size_t at : 62;         /* where it begins in the text */
	size_t fresh : 1;       /* it begins a line, a sentence, what is behind a colon, or a tag */
	size_t formula : 1;     /* a sign, a number, a single letter or a command of LaTeX */
};

struct words {                  /* all zero is none */
	struct buf text;        /* all of them, a blank behind each */
	struct word *word;      /* (n) */
	size_t n, cap;
};

void words_add(struct words *w, const char *s, size_t n, bool signs);   /* s is valid UTF-8; linear in n */
void words_clear(struct words *w);
void words_free(struct words *w);

/* Words i .. i + n - 1 as they stand in the text, *len bytes with the blank behind the last. Two such are the same words if the bytes are. */
const char *words_span(const struct words *w, size_t i, size_t n, size_t *len);

#endif
