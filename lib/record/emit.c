#include "record/emit.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double pow10_exact[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};     /* all of them exact doubles */

size_t utf8_length(const char *s, size_t n, size_t *bad)
{
	const unsigned char *u = (const unsigned char *)s;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t need, i;

	if (bad)
		*bad = 1;
	if (!n)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		need = 2;
	else if (u[0] >= 0xe0 && u[0] <= 0xef)
		need = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (u[0] == 0xe0)
		lo = 0xa0;
	else if (u[0] == 0xed)
		hi = 0x9f;
	else if (u[0] == 0xf0)
		lo = 0x90;
	else if (u[0] == 0xf4)
		hi = 0x8f;
	for (i = 1; i < need; i++, lo = 0x80, hi = 0xbf)
		if (i >= n || u[i] < lo || u[i] > hi) {
			if (bad)
				*bad = i;
			return 0;
		}
	return need;
}

bool utf8_valid(const char *s, size_t n)
{
	size_t i = 0, k;

	while (i < n) {
		if (n - i >= 8) {
			uint64_t w;

			memcpy(&w, s + i, 8);
			if (!(w & 0x8080808080808080u)) {
				i += 8;
				continue;
			}
		}
		if (!(k = utf8_length(s + i, n - i, NULL)))
			return false;
		i += k;
	}
	return true;
}

void utf8_clean(struct buf *to, const char *s, size_t n)
{
	size_t i = 0, start = 0, bad = 1, k;

	while (i < n) {
		if ((k = utf8_length(s + i, n - i, &bad))) {
			i += k;
			continue;
		}
		buf_add(to, s + start, i - start);
		buf_add(to, "\xef\xbf\xbd", 3);
		start = i += bad;
	}
	buf_add(to, s + start, n - start);
}

/* Does a string have all eight bytes of w as they are? (a zero byte of x is found in (x - 01...) & ~x & 80...) */
static bool eight_plain(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u, high = ones << 7, quote = w ^ ones * '"', slash = w ^ ones * '\\';

	return !((w | ((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & high);
}

void emit_string(struct buf *to, const char *s, size_t n)
{
	size_t i = 0, start = 0, slow = 0, bad = 1, k;

	buf_char(to, '"');
	while (i < n) {
		unsigned char c;
		const char *two = NULL;

		if (i >= slow && n - i >= 8) {
			uint64_t w;

			memcpy(&w, s + i, 8);
			if (eight_plain(w)) {
				i += 8;
				continue;
			}
			slow = i + 8;
		}
		c = (unsigned char)s[i];
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			i++;
			continue;
		}
		if (c >= 0x80 && (k = utf8_length(s + i, n - i, &bad))) {
			i += k;
			continue;
		}
		buf_add(to, s + start, i - start);
		switch (c) {
		case '"': two = "\\\""; break;
		case '\\': two = "\\\\"; break;
		case '\n': two = "\\n"; break;
		case '\t': two = "\\t"; break;
		case '\r': two = "\\r"; break;
		case '\b': two = "\\b"; break;
		case '\f': two = "\\f"; break;
		}
		if (two) {
			buf_add(to, two, 2);
			i++;
		} else if (c < 0x20) {
			const char six[6] = {'\\', 'u', '0', '0', (char)('0' + c / 16), "0123456789abcdef"[c % 16]};

			buf_add(to, six, 6);
			i++;
		} else {
			buf_add(to, "\xef\xbf\xbd", 3);
			i += bad;
		}
		start = i;
	}
	buf_add(to, s + start, n - start);
	buf_char(to, '"');
}

static size_t digits_of(char *p, uint64_t v)
{
	char tmp[20];
	size_t n = 0, i;

	do
		tmp[n++] = (char)('0' + v % 10);
	while (v /= 10);
	for (i = 0; i < n; i++)
		p[i] = tmp[n - 1 - i];
	return n;
}

void emit_int(struct buf *to, int64_t i)
{
	char *p = buf_room(to, 24);
	size_t n = 0;

	if (i < 0)
		p[n++] = '-';
	n += digits_of(p + n, i < 0 ? -(uint64_t)i : (uint64_t)i);
	to->n += n;
	to->p[to->n] = 0;
}

/* Lays out digits d[0..n) with the decimal point behind the first `point` of them (point may be <= 0 or > n). */
static void layout(struct buf *to, bool negative, const char *d, int n, int point)
{
	char *p = buf_room(to, 48), *start = p;

	while (n > 1 && d[n - 1] == '0')
		n--;
	if (negative)
		*p++ = '-';
	if (point > 16 || point < -4) {                         /* 1.5e-7 */
		*p++ = d[0];
		if (n > 1) {
			*p++ = '.';
			memcpy(p, d + 1, (size_t)n - 1);
			p += n - 1;
		}
		p += snprintf(p, 8, "e%d", point - 1);
	} else if (point <= 0) {                                /* 0.00015 */
		*p++ = '0';
		*p++ = '.';
		memset(p, '0', (size_t)-point);
		p += -point;
		memcpy(p, d, (size_t)n);
		p += n;
	} else {                                                /* 1.5, 15.0 */
		int whole = n < point ? n : point;

		memcpy(p, d, (size_t)whole);
		p += whole;
		memset(p, '0', (size_t)(point - whole));
		p += point - whole;
		*p++ = '.';
		if (n > point) {
			memcpy(p, d + point, (size_t)(n - point));
			p += n - point;
		} else {
			*p++ = '0';
		}
	}
	to->n += (size_t)(p - start);
	to->p[to->n] = 0;
}

/* Digits and point of what snprintf wrote as %.*e */
static int parse_e(const char *s, char *d, int *point)
{
	int n = 0;

	if (*s == '-')
		s++;
	for (; *s && *s != 'e'; s++)
		if (*s >= '0' && *s <= '9')
			d[n++] = *s;
	*point = *s ? atoi(s + 1) + 1 : 1;
	return n;
}

void emit_number(struct buf *to, double x)
{
	char s[40], d[24];
	int precision, n, point;

	if (!isfinite(x)) {
		buf_str(to, "null");
		return;
	}
	if (x == 0) {
		buf_str(to, signbit(x) ? "-0.0" : "0.0");
		return;
	}
	/* 15 digits always come back (and the zeros go) where a double has all its bits; 17 always suffice */
	for (precision = fabs(x) < DBL_MIN ? 0 : 14; precision < 17; precision++) {
		snprintf(s, sizeof s, "%.*e", precision, x);
		if (precision == 16 || strtod(s, NULL) == x)
			break;
	}
	n = parse_e(s, d, &point);
	layout(to, x < 0, d, n, point);
}

bool float32_of_double(double d, float *x)
{
	uint64_t bits;
	double a = fabs(d);

	memcpy(&bits, &d, 8);
	if ((bits & 0x1fffffff) == 0x10000000 || a >= FLT_MAX || (a < FLT_MIN && a != 0))
		return false;
	*x = (float)d;
	return true;
}

struct decimal {                /* m * 10^(point - precision) */
	uint64_t m;
	int point;
};

/* a to `precision` digits, and whether they give a back: 1, 0, or -1 where this cannot tell. */
static int try_digits(double a, int e10, int precision, struct decimal *d)
{
	static const uint64_t top[] = {100000, 1000000, 10000000, 100000000, 1000000000};
	int shift = precision - e10;
	double scaled = shift >= 0 ? a * pow10_exact[shift] : a / pow10_exact[-shift];
	float back;

	d->m = (uint64_t)llrint(scaled);
	d->point = e10;
	if (d->m >= top[precision - 5]) {               /* e10 was one too small, or the next power of ten was reached */
		d->m = (uint64_t)llrint(scaled / 10);
		shift--;
		d->point++;
	}
	if (!float32_of_double(shift >= 0 ? (double)d->m / pow10_exact[shift] : (double)d->m * pow10_exact[-shift], &back))
		return -1;
	return (double)back == a;
}

/* Most float32 take 8 or 9 digits, so the search begins there. */
static bool emit_float32_fast(struct buf *to, float x)
{
	double a = fabs((double)x);
	struct decimal best, d;
	char digit[24];
	uint32_t bits;
	int precision, e10, ok;

	memcpy(&bits, &x, 4);
	if (a < 1e-10 || a >= 1e15 || !(bits & 0x7fffff))       /* below a power of two float32 stand closer than above */
		return false;
	e10 = (((int)(bits >> 23 & 255) - 127) * 1233 >> 12) + 1;       /* digits before the point, or one less */
	ok = try_digits(a, e10, 8, &best);
	if (ok == 0)
		ok = try_digits(a, e10, 9, &best);
	else
		for (precision = 7; ok == 1 && precision >= 6; precision--) {
			if ((ok = try_digits(a, e10, precision, &d)) == 1)
				best = d;
			else if (ok == 0) {
				ok = 1;
				break;
			}
		}
	if (ok != 1)
		return false;
	layout(to, x < 0, digit, (int)digits_of(digit, best.m), best.point);
	return true;
}

void emit_float32(struct buf *to, float x)
{
	char s[40], d[24];
	int precision, n, point;

	if (!isfinite(x)) {
		buf_str(to, "null");
		return;
	}
	if (x == 0) {
		buf_str(to, signbit(x) ? "-0.0" : "0.0");
		return;
	}
	if (emit_float32_fast(to, x))
		return;
	for (precision = 0; precision < 9; precision++) {
		snprintf(s, sizeof s, "%.*e", precision, (double)x);
		if (precision == 8 || strtof(s, NULL) == x)
			break;
	}
	n = parse_e(s, d, &point);
	layout(to, x < 0, d, n, point);
}

void emit_ints(struct buf *to, const int32_t *v, size_t n)
{
	size_t i;

	buf_char(to, '[');
	for (i = 0; i < n; i++) {
		if (i)
			buf_char(to, ',');
		emit_int(to, v[i]);
	}
	buf_char(to, ']');
}

void emit_floats(struct buf *to, const float *v, size_t n)
{
	size_t i;

	buf_char(to, '[');
	for (i = 0; i < n; i++) {
		if (i)
			buf_char(to, ',');
		emit_float32(to, v[i]);
	}
	buf_char(to, ']');
}

void emit_key(struct buf *to, const char *key)
{
	if (to->p[to->n - 1] != '{')
		buf_char(to, ',');
	emit_string(to, key, strlen(key));
	buf_char(to, ':');
}

void emit_member_int(struct buf *to, const char *key, int64_t n)
{
	emit_key(to, key);
	emit_int(to, n);
}

void emit_member_number(struct buf *to, const char *key, double x)
{
	emit_key(to, key);
	emit_number(to, x);
}

void emit_member_bool(struct buf *to, const char *key, bool x)
{
	emit_key(to, key);
	buf_str(to, x ? "true" : "false");
}

void emit_member_string(struct buf *to, const char *key, const char *s)
{
	emit_key(to, key);
	if (s)
		emit_string(to, s, strlen(s));
	else
		buf_str(to, "null");
}
