#include "text/utf8.h"

#include <string.h>

/* Well-formed sequences (Unicode standard, table 3-7): only the second byte's range depends on the first byte. */
size_t utf8_decode(const char *text, size_t n, uint32_t *c)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned lo = 0x80, hi = 0xbf;
	size_t want, i;
	uint32_t v;

	if (s[0] < 0x80) {
		*c = s[0];
		return 1;
	}
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		want = 2, v = s[0] & 0x1f;
	} else if ((s[0] & 0xf0) == 0xe0) {
		want = 3, v = s[0] & 0x0f;
		if (s[0] == 0xe0)
			lo = 0xa0;
		else if (s[0] == 0xed)
			hi = 0x9f;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		want = 4, v = s[0] & 0x07;
		if (s[0] == 0xf0)
			lo = 0x90;
		else if (s[0] == 0xf4)
			hi = 0x8f;
	} else {
		*c = UTF8_BAD;
		return 1;
	}
	for (i = 1; i < want; i++) {
		if (i >= n || s[i] < lo || s[i] > hi) {
			*c = UTF8_BAD;
			return i;
		}
		v = v << 6 | (s[i] & 0x3f);
		lo = 0x80, hi = 0xbf;
	}
	*c = v;
	return want;
}

size_t utf8_encode(uint32_t c, char to[4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Bytes of s that are ASCII before the first that is not, as far as eight at a time show it. */
static size_t skip_ascii(const char *s, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t w;

		memcpy(&w, s + i, 8);
		if (w & 0x8080808080808080u)
			break;
	}
	return i;
}

size_t utf8_prefix(const char *s, size_t n)
{
	size_t i = 0;
	uint32_t c;

	while (i < n) {
		size_t len;

		i += skip_ascii(s + i, n - i);
		if (i == n)
			break;
		len = utf8_decode(s + i, n - i, &c);
		if (c == UTF8_BAD)
			break;
		i += len;
	}
	return i;
}

void utf8_replace(const char *s, size_t n, struct buf *to)
{
	size_t i = 0, good;
	uint32_t c;

	buf_room(to, n);
	while (i < n) {
		good = utf8_prefix(s + i, n - i);
		buf_add(to, s + i, good);
		i += good;
		if (i < n) {
			i += utf8_decode(s + i, n - i, &c);
			buf_str(to, "\xef\xbf\xbd");
		}
	}
}
