/* Chains of thought that a person would not care to read (the paper, sections 2.3.1 and 2.3.3): several languages mixed, long paragraphs, blocks
 * of code, and what goes round in circles. */
#include "task/filter.h"

#include <string.h>

#include "task/ngram.h"
#include "task/reward.h"
#include "text/script.h"

struct options {
	int64_t paragraph, blocks, n;
	double mixing, repeated;
};

/* Words of the longest paragraph: what stands between lines that are blank */
static int64_t longest_paragraph(const char *s, size_t n)
{
	const char *end = s + n;
	int64_t longest = 0, words = 0;
	bool in_word = false;
	int newlines = 0;

	for (; s < end; s++) {
		const bool blank = strchr(" \t\r\n", *s) != NULL && *s;

		if (*s == '\n' && ++newlines == 2)
			words = 0;
		if (!blank) {
			newlines = 0;
			words += !in_word;
			longest = words > longest ? words : longest;
		}
		in_word = !blank;
	}
	return longest;
}

/* Lines that begin with three backquotes or tildes, by two */
static int64_t code_blocks(const char *s, size_t n)
{
	const char *end = s + n;
	int64_t fences = 0;

	while (s < end) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t left;

		while (s < end && (*s == ' ' || *s == '\t'))
			s++;
		left = (size_t)(end - s);
		fences += left >= 3 && (!memcmp(s, "```", 3) || !memcmp(s, "~~~", 3));
		s = nl ? nl + 1 : end;
	}
	return (fences + 1) / 2;
}

/* The share of words that are not of the script that most are written in */
static double mixed(const char *s, size_t n)
{
	struct script_words w = {0};
	int64_t most = 0;
	int i;

	script_count(s, n, &w);
	for (i = 0; i < SCRIPTS; i++)
		most = w.of[i] > most ? w.of[i] : most;
	return w.all ? 1 - (double)most / (double)w.all : 0;
}

/* Of shares as they are computed: 1 - 7/10 is a little more than 0.3. */
static bool is_more(double share, double most)
{
	return share > most + 1e-9;
}

static void judge(const struct options *o, struct candidate *c)
{
	struct scored s = {0};
	struct ngrams words = {0};
	const char *text;
	int64_t count;
	double share;
	size_t n;
	struct err e;

	scored_begin(&s, c->record, &e);
	text = s.parts.think ? s.parts.think : s.text;
	n = s.parts.think ? s.parts.think_n : s.n;
	if (is_more(share = mixed(text, n), o->mixing)) {
		filter_reject(c, "%.0f %% of the words are of another script", 100 * share);
	} else if ((count = longest_paragraph(text, n)) > o->paragraph) {
		filter_reject(c, "a paragraph of %lld words", (long long)count);
	} else if ((count = code_blocks(text, n)) > o->blocks) {
		filter_reject(c, "%lld blocks of code", (long long)count);
	} else {
		ngram_words(&words, text, n);
		if (is_more(share = ngram_repeated(&words, (size_t)o->n), o->repeated))
			filter_reject(c, "%.0f %% of %lld-grams repeated", 100 * share, (long long)o->n);
	}
}

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	size_t i;

	(void)state;
	for (i = 0; i < n; i++)
		judge(options, &c[i]);
}

static const struct options defaults = {.paragraph = 300, .blocks = 0, .n = 8, .mixing = 0.1, .repeated = 0.3};
static const struct param params[] = {
	{"mixing", OPT_FLOAT, offsetof(struct options, mixing), "X", "largest share of words of other scripts than the main one", 0, 1},
	{"paragraph", OPT_INT, offsetof(struct options, paragraph), "N", "words of the longest paragraph", 1, 1e9},
	{"blocks", OPT_INT, offsetof(struct options, blocks), "N", "blocks of code", 0, 1e9},
	{"repeated", OPT_FLOAT, offsetof(struct options, repeated), "X", "largest share of n-grams that were there before", 0, 1},
	{"n", OPT_INT, offsetof(struct options, n), "N", "words of an n-gram", 1, 100},
	PARAM_END};

const struct filter filter_readable = {
	{"readable", "reject chains of thought that are hard to read", params, &defaults, sizeof defaults, NULL}, NULL, NULL, NULL, filter_look_completion, apply};
