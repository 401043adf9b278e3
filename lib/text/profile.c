#include "text/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/script.h"
#include "text/utf8.h"

#define LONGEST 24                      /* bytes of a word that is looked up */
#define CHANGE 4                        /* what a change of language costs; a word that speaks against one: 2 */
#define AGAINST 2

enum { EN, FR, DE, ES, IT, PT, NL, LANGUAGES };
enum { IS_EN = 1 << EN, IS_FR = 1 << FR, IS_DE = 1 << DE, IS_ES = 1 << ES, IS_IT = 1 << IT, IS_PT = 1 << PT, IS_NL = 1 << NL };

struct profile_word {
	const char *word;
	unsigned languages;             /* set of bits */
};
#include "text/profile_table.h"

static int language_of(const char *tag)
{
	static const char *const name[LANGUAGES] = {"en", "fr", "de", "es", "it", "pt", "nl"};
	size_t n = strcspn(tag, "-_");
	int i;

	for (i = 0; i < LANGUAGES; i++)
		if (n == 2 && (tag[0] | 0x20) == name[i][0] && (tag[1] | 0x20) == name[i][1])
			return i;
	return -1;
}

static unsigned look_up(const char *word, size_t n)
{
	size_t low = 0, high = sizeof profile_words / sizeof profile_words[0];

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strncmp(profile_words[mid].word, word, n);

		if (c == 0 && !profile_words[mid].word[n])
			return profile_words[mid].languages;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return 0;
}

/* Small letters (of Latin-1 beyond ASCII), and one kind of apostrophe: its length, 0 if the word is longer than those on the lists */
static size_t plain(const char *s, size_t n, char to[LONGEST + 4])
{
	size_t i, len, at = 0;
	uint32_t c;

	for (i = 0; i < n; i += len) {
		len = utf8_decode(s + i, n - i, &c);
		if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7))
			c += 0x20;
		else if (c == 0x2019)
			c = '\'';
		if (at + 4 > LONGEST)
			return 0;
		if (c < 0x80)
			to[at++] = (char)c;
		else if (c < 0x800)
			to[at++] = (char)(0xc0 | c >> 6), to[at++] = (char)(0x80 | (c & 0x3f));
		else
			return 0;
	}
	return at;
}

static unsigned languages_of(const char *s, size_t n)
{
	char word[LONGEST + 4], *mark;
	size_t len = plain(s, n, word);
	unsigned set;

	while (len && word[len - 1] == '\'')            /* a quotation mark, or nothing of the word's */
		len--;
	set = len ? look_up(word, len) : 0;
	/* l'eau, dell'acqua: what is left out says the language */
	if (!set && len && (mark = memchr(word, '\'', len)))
		set = look_up(word, (size_t)(mark + 1 - word));
	return set;
}

struct cut {
	int target;
	int64_t cost[LANGUAGES];        /* of the best cut up to here that ends in each language */
	/* (n) of each word: */
	unsigned char *from;            /* bits of the languages that it was cheaper to change to than to stay in */
	unsigned char *best;            /* ... and from which one */
	int64_t *words;                 /* as struct script_word */
	size_t n, cap[3];
};

static int cheapest(const struct cut *c)
{
	int i, best = c->target;

	for (i = 0; i < LANGUAGES; i++)
		if (c->cost[i] < c->cost[best])
			best = i;
	return best;
}

static void add_word(void *arg, const struct script_word *w)
{
	struct cut *c = arg;
	unsigned set, changed = 0;
	int best = cheapest(c), i;
	int64_t over = c->cost[best] + CHANGE;

	if (w->script != SCRIPT_LATIN)
		return;
	set = languages_of(w->s, w->n);
	for (i = 0; i < LANGUAGES; i++) {
		if (over < c->cost[i]) {
			c->cost[i] = over;
			changed |= 1u << i;
		}
		if (set && !(set & 1u << i))
			c->cost[i] += AGAINST;
	}
	c->from = xgrow(c->from, &c->cap[0], c->n + 1, 1);
	c->best = xgrow(c->best, &c->cap[1], c->n + 1, 1);
	c->words = xgrow(c->words, &c->cap[2], c->n + 1, sizeof *c->words);
	c->from[c->n] = (unsigned char)changed;
	c->best[c->n] = (unsigned char)best;
	c->words[c->n++] = w->words;
}

int64_t profile_foreign(const char *s, size_t n, const char *tag)
{
	struct cut c = {.target = language_of(tag)};
	int64_t foreign = 0;
	int at, i;

	if (c.target < 0)
		return 0;
	for (i = 0; i < LANGUAGES; i++)
		c.cost[i] = i == c.target ? 0 : AGAINST;
	script_each(s, n, add_word, &c);
	at = cheapest(&c);
	while (c.n--) {
		foreign += at != c.target ? c.words[c.n] : 0;
		if (c.from[c.n] & 1u << at)
			at = c.best[c.n];
	}
	free(c.from);
	free(c.best);
	free(c.words);
	return foreign;
}
