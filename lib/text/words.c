#include "text/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/nfc.h"
#include "text/script.h"
#include "text/utf8.h"

struct range {
	uint32_t from, to;
};

/* Is it in one of n ranges, which ascend? */
static bool within(uint32_t c, const struct range *r, size_t n)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c > r[mid].to)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && c >= r[low].from;
}

/* Blanks and what texts are set with: no words, and no signs either */
static bool setting(uint32_t c)
{
	static const struct range range[] = {
		{0, ' '}, {'"', '"'}, {'$', '$'}, {'\'', '\''}, {',', ','}, {'.', '.'}, {':', ';'}, {'?', '?'}, {'\\', '\\'}, {'`', '`'}, {'{', '{'},
		{'}', '}'}, {0x7f, 0xa1}, {0xa8, 0xa8}, {0xab, 0xab}, {0xad, 0xad}, {0xb4, 0xb4}, {0xb7, 0xb8}, {0xbb, 0xbb}, {0xbf, 0xbf}, {0x37e, 0x37e},
		{0x387, 0x387}, {0x55a, 0x55f}, {0x589, 0x58a}, {0x5be, 0x5be}, {0x5c0, 0x5c0}, {0x5c3, 0x5c3}, {0x5f3, 0x5f4}, {0x60c, 0x60d},
		{0x61b, 0x61f}, {0x66b, 0x66d}, {0x6d4, 0x6d4}, {0x964, 0x965}, {0xe2f, 0xe2f}, {0xe5a, 0xe5b}, {0x2000, 0x2031}, {0x2035, 0x2043},
		{0x2045, 0x2051}, {0x2053, 0x206f}, {0x2e00, 0x2e7f}, {0x3000, 0x3004}, {0x3008, 0x3020}, {0x3030, 0x3030}, {0x303d, 0x303f},
		{0x30fb, 0x30fb}, {0xe000, 0xf8ff}, {0xfe00, 0xfe4f}, {0xfeff, 0xfeff}, {0xff61, 0xff65}, {0xfff0, 0xffff}};

	return within(c, range, sizeof range / sizeof *range);
}

/* Of what is not ASCII: currencies, operators, arrows, drawings. All that is neither these nor setting is a letter, a digit or a mark. */
static bool sign(uint32_t c)
{
	static const struct range range[] = {
		{0xa2, 0xa7}, {0xa9, 0xa9}, {0xac, 0xac}, {0xae, 0xb3}, {0xb6, 0xb6}, {0xb9, 0xb9}, {0xbc, 0xbe}, {0xd7, 0xd7}, {0xf7, 0xf7},
		{0x66a, 0x66a}, {0x2032, 0x2034}, {0x2044, 0x2044}, {0x2052, 0x2052}, {0x2070, 0x20cf}, {0x2100, 0x2101}, {0x2103, 0x2106},
		{0x2108, 0x2109}, {0x2114, 0x2114}, {0x2116, 0x2118}, {0x211e, 0x2123}, {0x2140, 0x2144}, {0x214a, 0x214d}, {0x2150, 0x215f},
		{0x2189, 0x2bff}, {0xfe50, 0xfe6f}, {0xffe0, 0xffef}, {0x1f000, 0x1faff}};

	return within(c, range, sizeof range / sizeof *range);
}

/* The small letter of a capital one that is not ASCII */
static uint32_t small(uint32_t c)
{
	if (c < 0x100)
		return c >= 0xc0 && c <= 0xde && c != 0xd7 ? c + 0x20 : c;
	if (c < 0x180) {
		if (c == 0x130)
			return 'i';
		if (c == 0x178)
			return 0xff;
		return c == 0x138 || c == 0x149 || c == 0x17f ? c : (c >= 0x139 && c <= 0x148) || c >= 0x179 ? c + (c & 1) : c | 1;
	}
	if (c == 0x3c2)
		return 0x3c3;
	if (c >= 0x386 && c <= 0x38f)
		return c == 0x386 ? 0x3ac : c == 0x38c ? 0x3cc : c >= 0x38e ? c + 0x3f : c >= 0x388 && c <= 0x38a ? c + 0x25 : c;
	if ((c >= 0x391 && c <= 0x3ab) || (c >= 0x410 && c <= 0x42f))
		return c + 0x20;
	if (c >= 0x400 && c <= 0x40f)
		return c + 0x50;
	if ((c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f) || (c >= 0x1e00 && c <= 0x1e95) ||
	    (c >= 0x1ea0 && c <= 0x1eff))
		return c | 1;
	return c >= 0x531 && c <= 0x556 ? c + 0x30 : c;
}

/* Writes words behind the text, for which there is room. */
struct pen {
	struct words *w;
	char *p;                /* behind what is written */
	char *begin;            /* of the word that is being written; NULL: none is */
	uint64_t hash;          /* of it so far (FNV-1a) */
	bool fresh, formula;    /* the word that is being written, or the next one */
};

static void begin(struct pen *pen)
{
	if (!pen->begin) {
		pen->begin = pen->p;
		pen->hash = 0xCBF29CE484222325u;
	}
}

static void end(struct pen *pen)
{
	struct words *w = pen->w;
	uint64_t h = pen->hash;

	if (!pen->begin)
		return;
	*pen->p++ = ' ';
	h = (h ^ (h >> 32)) * 0x9E3779B97F4A7C15u;
	if (w->n == w->cap)
		w->word = xgrow(w->word, &w->cap, w->n + 1, sizeof *w->word);
	w->word[w->n++] = (struct word){h ^ (h >> 29), (size_t)(pen->begin - w->text.p), pen->fresh,
		pen->formula || pen->p - pen->begin == 2 || (unsigned char)(*pen->begin - '0') < 10};
	pen->begin = NULL;
	pen->fresh = pen->formula = false;
}

static inline void put(struct pen *pen, char c)
{
	*pen->p++ = c;
	pen->hash = (pen->hash ^ (unsigned char)c) * 0x100000001B3u;
}

static void put_alone(struct pen *pen, const char *s, size_t n)
{
	size_t i;

	end(pen);
	begin(pen);
	for (i = 0; i < n; i++)
		put(pen, s[i]);
	end(pen);
}

static inline bool ascii_word(unsigned char c)
{
	return (unsigned char)((c | 0x20) - 'a') < 26 || (unsigned char)(c - '0') < 10;
}

/* A character that is not ASCII, or in the full-width form of one that is */
static void put_wide(struct pen *pen, uint32_t c, bool signs)
{
	enum script script;
	char bytes[4];
	size_t n, i;

	if (c >= 0xff01 && c <= 0xff5e)
		c = c - 0xff01 + '!';
	if (c < 0x80 ? !ascii_word((unsigned char)c) : setting(c) || sign(c)) {
		end(pen);
		if (c == '?' || c == ':' || c == 0x3002 || c == 0xff61)
			pen->fresh = true;
		if (signs && !setting(c)) {
			pen->formula = true;
			put_alone(pen, bytes, utf8_encode(c, bytes));
		}
		return;
	}
	script = script_of(c);
	c = c < 0x80 ? c | 0x20 : small(c);     /* digits have that bit */
	n = utf8_encode(c, bytes);
	if (script == SCRIPT_HAN || script == SCRIPT_KANA) {
		put_alone(pen, bytes, n);
		return;
	}
	begin(pen);
	for (i = 0; i < n; i++)
		put(pen, bytes[i]);
}

/* Behind a backslash at s: how many bytes of a command that only sets size or space, or *frac: that makes a fraction. 0: something else */
static size_t command(const char *s, size_t n, bool *frac)
{
	static const char *const none[] = {"left", "right", "middle", "big", "Big", "bigg", "Bigg", "bigl", "Bigl", "biggl", "Biggl", "bigr", "Bigr", "biggr",
					   "Biggr", "bigm", "Bigm", "biggm", "Biggm", "displaystyle", "textstyle", "limits", "nolimits", "quad", "qquad", NULL};
	size_t len = 0, i;

	*frac = false;
	if (n && *s == '!')
		return 1;
	while (len < n && (unsigned char)((s[len] | 0x20) - 'a') < 26)
		len++;
	*frac = (len == 4 || (len == 5 && (*s == 'd' || *s == 't'))) && !memcmp(s + len - 4, "frac", 4);
	for (i = 0; !*frac && none[i]; i++)
		if (*none[i] == *s && strlen(none[i]) == len && !memcmp(none[i], s, len))
			return len;
	return *frac ? len : 0;
}

/* A fraction, and the digits right behind it, which are one each */
static size_t put_fraction(struct pen *pen, const char *s, size_t n)
{
	size_t i;

	pen->formula = true;
	put_alone(pen, "frac", 4);
	for (i = 0; i < 2 && i < n && (unsigned char)(s[i] - '0') < 10; i++)
		put_alone(pen, s + i, 1);
	return i;
}

/* Does a sign at s + i that is no word begin a sentence behind it, or itself a tag, "<|im_end|>", or end what is in bold type? */
static bool sets_apart(const char *s, size_t n, size_t i)
{
	enum { TAG = 40 };
	const char c = s[i], next = i + 1 < n ? s[i + 1] : '\n';
	size_t k;

	switch (c) {
	case '\n': case '?':
		return true;
	case '.':
		return !ascii_word((unsigned char)next) && next != '.' && (!i || s[i - 1] != '.');
	case ':':
		return i && s[i - 1] != ' ' && (next == ' ' || next == '\n' || next == '*');
	case '*':
		for (k = i; k < n && s[k] == '*'; k++)
			;
		return k == n || s[k] == '\n';
	case '[':
		return n - i > 5 && (!memcmp(s + i, "[INST", 5) || !memcmp(s + i, "[/INS", 5));
	case '<':
		for (k = i + 1; k < n && k < i + TAG && (unsigned char)s[k] > ' ' && s[k] != '<'; k++)
			if (s[k] == '>')
				return k > i + 1;
		return false;
	default:
		return false;
	}
}

static void add(struct words *w, const char *s, size_t n, bool signs)
{
	struct pen pen = {.w = w, .p = buf_room(&w->text, 2 * n + 1), .fresh = true};  /* a blank behind each character, at most */
	size_t i = 0;

	while (i < n) {
		const unsigned char c = (unsigned char)s[i];

		if (ascii_word(c)) {
			begin(&pen);
			do
				put(&pen, (char)(s[i] | 0x20));
			while (++i < n && ascii_word((unsigned char)s[i]));
		} else if (c >= 0x80) {
			uint32_t wide;

			i += utf8_decode(s + i, n - i, &wide);
			if (wide == UTF8_BAD)
				end(&pen);
			else
				put_wide(&pen, wide, signs);
		} else {
			end(&pen);
			if (c != ' ' && sets_apart(s, n, i))
				pen.fresh = true;
			i++;
			if (c == '\\' && i < n) {
				bool frac;
				const size_t len = command(s + i, n - i, &frac);

				i += len;
				if (frac)
					i += put_fraction(&pen, s + i, n - i);
				else if (!len && signs && memchr("()[]", s[i], 4))
					i++;
				else if (!len)
					pen.formula = i < n && ascii_word((unsigned char)s[i]);
			} else if (signs && !setting(c)) {
				put_alone(&pen, (const char *)&c, 1);
			}
		}
	}
	end(&pen);
	w->text.n = (size_t)(pen.p - w->text.p);
	w->text.p[w->text.n] = 0;
}

static bool ascii(const char *s, size_t n)
{
	unsigned char all = 0;
	size_t i;

	for (i = 0; i < n; i++)
		all |= (unsigned char)s[i];
	return all < 0x80;
}

void words_add(struct words *w, const char *s, size_t n, bool signs)
{
	struct buf composed = {0};

	if (!ascii(s, n) && !nfc_is_normal(s, n)) {
		nfc_normalize(s, n, &composed);
		s = composed.p;
		n = composed.n;
	}
	add(w, s, n, signs);
	buf_free(&composed);
}

void words_clear(struct words *w)
{
	buf_clear(&w->text);
	w->n = 0;
}

void words_free(struct words *w)
{
	buf_free(&w->text);
	free(w->word);
	*w = (struct words){0};
}

const char *words_span(const struct words *w, size_t i, size_t n, size_t *len)
{
	const size_t to = i + n < w->n ? w->word[i + n].at : w->text.n;

	*len = n ? to - w->word[i].at : 0;
	return n ? w->text.p + w->word[i].at : "";
}
