#include "text/script.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "text/utf8.h"

enum script script_of(uint32_t c)
{
	static const struct {
		uint32_t from, to;
		enum script script;
	} range[] = {                   /* ascending; digits and signs within a block are left out */
		{'A', 'Z', SCRIPT_LATIN}, {'a', 'z', SCRIPT_LATIN}, {0xaa, 0xaa, SCRIPT_LATIN}, {0xba, 0xba, SCRIPT_LATIN},
		{0xc0, 0xd6, SCRIPT_LATIN}, {0xd8, 0xf6, SCRIPT_LATIN}, {0xf8, 0x2af, SCRIPT_LATIN}, {0x370, 0x373, SCRIPT_GREEK},
		{0x376, 0x377, SCRIPT_GREEK}, {0x37b, 0x37d, SCRIPT_GREEK}, {0x386, 0x386, SCRIPT_GREEK}, {0x388, 0x3ff, SCRIPT_GREEK},
		{0x400, 0x481, SCRIPT_CYRILLIC}, {0x48a, 0x52f, SCRIPT_CYRILLIC}, {0x531, 0x556, SCRIPT_ARMENIAN}, {0x560, 0x588, SCRIPT_ARMENIAN},
		{0x591, 0x5f2, SCRIPT_HEBREW}, {0x610, 0x61a, SCRIPT_ARABIC}, {0x620, 0x65f, SCRIPT_ARABIC}, {0x66e, 0x6d3, SCRIPT_ARABIC},
		{0x6d5, 0x6ef, SCRIPT_ARABIC}, {0x6fa, 0x6ff, SCRIPT_ARABIC}, {0x750, 0x77f, SCRIPT_ARABIC}, {0x8a0, 0x8ff, SCRIPT_ARABIC},
		{0x900, 0x963, SCRIPT_DEVANAGARI}, {0x971, 0x97f, SCRIPT_DEVANAGARI}, {0x980, 0x9e3, SCRIPT_BENGALI}, {0x9f0, 0x9f1, SCRIPT_BENGALI},
		{0xb82, 0xbd7, SCRIPT_TAMIL}, {0xc00, 0xc63, SCRIPT_TELUGU}, {0xe01, 0xe3a, SCRIPT_THAI}, {0xe40, 0xe4e, SCRIPT_THAI},
		{0x10a0, 0x10ff, SCRIPT_GEORGIAN}, {0x1100, 0x11ff, SCRIPT_HANGUL}, {0x1c80, 0x1c88, SCRIPT_CYRILLIC},
		{0x1c90, 0x1cbf, SCRIPT_GEORGIAN}, {0x1e00, 0x1eff, SCRIPT_LATIN}, {0x1f00, 0x1ffc, SCRIPT_GREEK}, {0x2c60, 0x2c7f, SCRIPT_LATIN},
		{0x2e80, 0x2fd5, SCRIPT_HAN}, {0x3005, 0x3007, SCRIPT_HAN}, {0x3041, 0x309f, SCRIPT_KANA}, {0x30a1, 0x30ff, SCRIPT_KANA},
		{0x3131, 0x318e, SCRIPT_HANGUL}, {0x31f0, 0x31ff, SCRIPT_KANA}, {0x3400, 0x4dbf, SCRIPT_HAN}, {0x4e00, 0x9fff, SCRIPT_HAN},
		{0xa640, 0xa69f, SCRIPT_CYRILLIC}, {0xa722, 0xa7ff, SCRIPT_LATIN}, {0xac00, 0xd7a3, SCRIPT_HANGUL}, {0xf900, 0xfad9, SCRIPT_HAN},
		{0xfb00, 0xfb06, SCRIPT_LATIN}, {0xfb1d, 0xfb4f, SCRIPT_HEBREW}, {0xfb50, 0xfdff, SCRIPT_ARABIC}, {0xfe70, 0xfefc, SCRIPT_ARABIC},
		{0xff21, 0xff3a, SCRIPT_LATIN}, {0xff41, 0xff5a, SCRIPT_LATIN}, {0xff66, 0xff9d, SCRIPT_KANA}, {0x20000, 0x323af, SCRIPT_HAN}};
	size_t low = 0, high = sizeof range / sizeof *range;

	if (c == UTF8_BAD)
		return SCRIPT_NONE;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c > range[mid].to)
			low = mid + 1;
		else
			high = mid;
	}
	return low < sizeof range / sizeof *range && c >= range[low].from ? range[low].script : SCRIPT_NONE;
}

static bool ascii_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* From s up to and with the next `close`, or only `open` bytes if there is none within n (or, for within_line, within the line). */
static size_t up_to(const char *s, size_t n, size_t open, const char *close, bool within_line)
{
	const char *line = within_line ? memchr(s, '\n', n) : NULL, *p;

	if (line)
		n = (size_t)(line - s);
	p = n > open ? memmem(s + open, n - open, close, strlen(close)) : NULL;
	return p ? (size_t)(p - s) + strlen(close) : open;
}

/* $...$ on one line: no blank behind the first, none before the second, no digit behind that (else it is money) */
static size_t dollars(const char *s, size_t n)
{
	size_t i;

	if (n < 3 || blank(s[1]))
		return 1;
	for (i = 1; i < n && i < 400 && s[i] != '\n'; i++) {
		if (s[i] == '\\')
			i++;
		else if (s[i] == '$')
			return blank(s[i - 1]) || (i + 1 < n && s[i + 1] >= '0' && s[i + 1] <= '9') ? 1 : i + 1;
	}
	return 1;
}

enum { FENCE = 1, DISPLAY = 2, ROUND = 4, SQUARE = 8 };

/* As up_to over the rest of the text; what was looked for to its end in vain (bits of *unclosed) is not looked for again. */
static size_t pair(const char *s, size_t n, size_t open, const char *close, unsigned kind, unsigned *unclosed)
{
	size_t len = *unclosed & kind ? open : up_to(s, n, open, close, false);

	if (len == open)
		*unclosed |= kind;
	return len;
}

/* Bytes of s that belong to no language; 0 if a word may begin here. */
static size_t set_aside(const char *s, size_t n, unsigned *unclosed)
{
	size_t i = 1;

	switch (*s) {
	case '`':
		if (n >= 3 && s[1] == '`' && s[2] == '`')
			return pair(s, n, 3, "```", FENCE, unclosed);
		return up_to(s, n < 400 ? n : 400, 1, "`", true);
	case '$':
		return n > 1 && s[1] == '$' ? pair(s, n, 2, "$$", DISPLAY, unclosed) : dollars(s, n);
	case '\\':
		if (n > 1 && s[1] == '(')
			return pair(s, n, 2, "\\)", ROUND, unclosed);
		if (n > 1 && s[1] == '[')
			return pair(s, n, 2, "\\]", SQUARE, unclosed);
		while (i < n && ascii_letter(s[i]))
			i++;
		return i;
	case '<':
		if (i < n && s[i] == '/')
			i++;
		while (i < n && i < 64 && (ascii_letter(s[i]) || s[i] == '_' || s[i] == '|'))
			i++;
		return i < n && i > 1 && s[i] == '>' ? i + 1 : 1;
	case 'h':
		if ((n < 7 || memcmp(s, "http://", 7)) && (n < 8 || memcmp(s, "https://", 8)))
			return 0;
		break;
	case 'w':
		if (n < 4 || memcmp(s, "www.", 4))
			return 0;
		break;
	default:
		return 0;
	}
	for (i = 0; i < n && !blank(s[i]) && !(s[i] & 0x80); i++)
		;
	return i;
}

/* A run of `letters` of one script: how many words */
static int64_t words_in(enum script script, int64_t letters)
{
	switch (script) {
	case SCRIPT_HAN:
	case SCRIPT_KANA:
		return (letters + 1) / 2;
	case SCRIPT_THAI:
		return (letters + 3) / 4;
	case SCRIPT_LATIN:
	case SCRIPT_GREEK:
	case SCRIPT_CYRILLIC:
		return letters > 1;
	default:
		return 1;
	}
}

/* Marks that go on with a word: combining accents, apostrophes, the soft hyphen, joiners */
static bool joins(uint32_t c)
{
	return (c >= 0x300 && c <= 0x36f) || c == '\'' || c == 0x2019 || c == 0xad || c == 0x200c || c == 0x200d;
}

void script_each(const char *s, size_t n, void (*word)(void *arg, const struct script_word *), void *arg)
{
	size_t i = 0, len, from;
	unsigned unclosed = 0;

	while (i < n) {
		struct script_word w;
		enum script script;
		int64_t letters = 0;
		uint32_t c;

		len = set_aside(s + i, n - i, &unclosed);
		if (len) {
			i += len;
			continue;
		}
		len = utf8_decode(s + i, n - i, &c);
		script = script_of(c);
		from = i;
		i += len;
		if (script == SCRIPT_NONE)
			continue;
		for (letters = 1; i < n; i += len) {
			len = utf8_decode(s + i, n - i, &c);
			if (script_of(c) == script)
				letters++;
			else if (!joins(c))
				break;
		}
		w = (struct script_word){s + from, i - from, script, words_in(script, letters)};
		if (w.words)
			word(arg, &w);
	}
}

static void count_word(void *arg, const struct script_word *word)
{
	struct script_words *w = arg;

	w->of[word->script] += word->words;
	w->all += word->words;
}

void script_count(const char *s, size_t n, struct script_words *w)
{
	script_each(s, n, count_word, w);
}

#define ONE(x) (1u << SCRIPT_##x)

unsigned script_language(const char *tag)
{
	static const struct {
		const char *tag;
		unsigned scripts;
	} by_script[] = {
		{"Latn", ONE(LATIN)}, {"Cyrl", ONE(CYRILLIC)}, {"Grek", ONE(GREEK)}, {"Armn", ONE(ARMENIAN)}, {"Hebr", ONE(HEBREW)},
		{"Arab", ONE(ARABIC)}, {"Deva", ONE(DEVANAGARI)}, {"Beng", ONE(BENGALI)}, {"Taml", ONE(TAMIL)}, {"Telu", ONE(TELUGU)},
		{"Thai", ONE(THAI)}, {"Geor", ONE(GEORGIAN)}, {"Hang", ONE(HANGUL)}, {"Kore", ONE(HANGUL) | ONE(HAN)},
		{"Jpan", ONE(HAN) | ONE(KANA)}, {"Hans", ONE(HAN)}, {"Hant", ONE(HAN)}, {"Hani", ONE(HAN)}};
	static const struct {
		const char *tags;       /* each with a blank on both sides */
		unsigned scripts;
	} by_language[] = {
		{" en fr de es pt it nl sv da no nb nn fi is pl cs sk sl hr bs hu ro et lv lt sq tr az id ms vi sw af ca eu gl ga cy tl la eo ",
		 ONE(LATIN)},
		{" ru uk be bg mk sr kk ky mn tg ", ONE(CYRILLIC)}, {" el ", ONE(GREEK)}, {" hy ", ONE(ARMENIAN)}, {" he yi ", ONE(HEBREW)},
		{" ar fa ur ps ", ONE(ARABIC)}, {" hi mr ne sa ", ONE(DEVANAGARI)}, {" bn as ", ONE(BENGALI)}, {" ta ", ONE(TAMIL)},
		{" te ", ONE(TELUGU)}, {" th ", ONE(THAI)}, {" ka ", ONE(GEORGIAN)}, {" ko ", ONE(HANGUL)}, {" ja ", ONE(HAN) | ONE(KANA)},
		{" zh yue wuu ", ONE(HAN)}};
	size_t n = strcspn(tag, "-_"), i, at = n;
	char key[8] = " ";

	if (n < 2 || n > 3)
		return 0;
	while (tag[at]) {               /* a subtag of four letters names the script */
		const char *sub = tag + at + 1;
		size_t len = strcspn(sub, "-_");

		for (i = 0; len == 4 && i < sizeof by_script / sizeof *by_script; i++)
			if (!strncasecmp(sub, by_script[i].tag, 4))
				return by_script[i].scripts;
		at += 1 + len;
	}
	for (i = 0; i < n; i++)
		key[1 + i] = (char)(tag[i] | 0x20);
	key[1 + n] = ' ';
	for (i = 0; i < sizeof by_language / sizeof *by_language; i++)
		if (strstr(by_language[i].tags, key))
			return by_language[i].scripts;
	return 0;
}
