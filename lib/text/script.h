/* script.h - which scripts the words of a text are written in, and which a language is written in
 *
 *     struct script_words w = {0};
 *     script_count(reasoning, n, &w);
 *     share = w.of[SCRIPT_HAN] / w.all;                        // of its words, if w.all > 0
 *     if (script_language("zh") & 1u << SCRIPT_HAN) ...
 *
 * A word is a run of letters of one script. Where words are not set apart by blanks, a run counts for as many words as are usual for its
 * length: one for every two characters of Han and Kana, for every four of Thai. Set aside, for they belong to no language: digits and
 * signs, single letters (variables, labels) of Latin, Greek and Cyrillic, LaTeX commands and formulas ($...$, \(...\), \[...\]), code
 * between backquotes, URLs, tags such as <think>. Scripts go by the blocks of Unicode 15.
 */
#ifndef TEXT_SCRIPT_H
#define TEXT_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

enum script {
	SCRIPT_NONE,            /* no letter, or of a script that is not told apart here */
	SCRIPT_LATIN, SCRIPT_GREEK, SCRIPT_CYRILLIC, SCRIPT_ARMENIAN, SCRIPT_HEBREW, SCRIPT_ARABIC, SCRIPT_DEVANAGARI, SCRIPT_BENGALI,
	SCRIPT_TAMIL, SCRIPT_TELUGU, SCRIPT_THAI, SCRIPT_GEORGIAN, SCRIPT_HANGUL, SCRIPT_KANA, SCRIPT_HAN,
	SCRIPTS
};

enum script script_of(uint32_t c);

/* One word, or a run of them where they are not set apart: `words` of them, in n bytes at s */
struct script_word {
	const char *s;
	size_t n;
	enum script script;
	int64_t words;
};
void script_each(const char *s, size_t n, void (*word)(void *arg, const struct script_word *), void *arg);      /* in order; linear in n */

struct script_words {
	int64_t of[SCRIPTS];    /* words in each script */
	int64_t all;            /* their sum */
};
void script_count(const char *s, size_t n, struct script_words *w);            /* adds to w; linear in n */

/* The scripts that a language (BCP 47: "zh", "en-GB", "sr-Latn") is written in, as a set of bits 1 << SCRIPT_X; 0 if not known. */
unsigned script_language(const char *tag);

#endif
