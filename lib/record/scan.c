#include "record/scan.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/mem.h"
#include "record/emit.h"

struct scan {
	const char *line, *end;
	struct scan_fault *fault;
};

static const char *fail(struct scan *s, const char *at, const char *what)
{
	s->fault->at = (size_t)(at - s->line);
	s->fault->what = what;
	return NULL;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

const char *scan_space(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static inline const char *space(const char *p)
{
	return (unsigned char)*p > ' ' ? p : scan_space(p);
}

/* Eight bytes at once where they are there: most numbers end within them, and the end is found without a branch for each. */
static inline const char *digits(const char *p, const char *end)
{
#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	while (end - p >= 8) {
		uint64_t w, other;

		memcpy(&w, p, 8);
		w ^= 0x3030303030303030u;
		other = (((w & 0x7f7f7f7f7f7f7f7fu) + 0x7676767676767676u) | w) & 0x8080808080808080u;
		if (other)
			return p + (__builtin_ctzll(other) >> 3);
		p += 8;
	}
#endif
	(void)end;
	while (is_digit(*p))
		p++;
	return p;
}

static inline const char *number(const char *p, const char *end)
{
	const char *q;

	if (*p == '-')
		p++;
	if (*p == '0')
		p++;
	else if (is_digit(*p))
		p = digits(p + 1, end);
	else
		return NULL;
	if (*p == '.') {
		q = digits(p + 1, end);
		if (q == p + 1)
			return NULL;
		p = q;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p == '+' || *p == '-')
			p++;
		q = digits(p, end);
		if (q == p)
			return NULL;
		p = q;
	}
	return p;
}

const char *scan_number(const char *p)
{
	return number(p, p);
}

static int hex4(const char *p)
{
	int v = 0, i;

	for (i = 0; i < 4; i++) {
		char c = p[i];

		if (is_digit(c))
			v = v * 16 + (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + ((c | 32) - 'a' + 10);
		else
			return -1;              /* a NUL too: nothing behind the end is read */
	}
	return v;
}

/* From the backslash to behind the escape. */
static const char *escape(struct scan *s, const char *p, bool *nul)
{
	int v, low;

	switch (p[1]) {
	case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
		return p + 2;
	case 'u':
		break;
	default:
		return fail(s, p, "an unknown escape");
	}
	v = hex4(p + 2);
	if (v < 0)
		return fail(s, p, "an escape without four hexadecimal digits");
	if (v >= 0xdc00 && v <= 0xdfff)
		return fail(s, p, "half of a surrogate pair");
	if (v >= 0xd800 && v <= 0xdbff) {
		low = p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : -1;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(s, p, "half of a surrogate pair");
		return p + 12;
	}
	if (!v)
		*nul = true;
	return p + 6;
}

/* From behind the opening quote to the closing one. */
static const char *string(struct scan *s, const char *p, bool *escaped, bool *nul)
{
	size_t k;

	for (;;) {
#ifdef __SSE2__
		while (s->end - p >= 16) {
			__m128i v = _mm_loadu_si128((const __m128i *)p);
			/* Signed: what is below ' ' is a control character or not ASCII. */
			__m128i special = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(' ')),
				_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
			int mask = _mm_movemask_epi8(special);

			if (mask) {
				p += __builtin_ctz((unsigned)mask);
				break;
			}
			p += 16;
		}
#endif
		while ((signed char)*p >= ' ' && *p != '"' && *p != '\\')
			p++;
		if (*p == '"')
			return p;
		if (*p == '\\') {
			*escaped = true;
			if (!(p = escape(s, p, nul)))
				return NULL;
		} else if ((signed char)*p >= 0) {
			return p >= s->end ? fail(s, p, "a string that does not end") : fail(s, p, "a control character in a string");
		} else {
			do {
				if (!(k = utf8_length(p, (size_t)(s->end - p), NULL)))
					return fail(s, p, "bytes that are no UTF-8");
				p += k;
			} while ((signed char)*p < 0);
		}
	}
}

static const char *word(struct scan *s, const char *p)
{
	if (!strncmp(p, "true", 4))
		return p + 4;
	if (!strncmp(p, "false", 5))
		return p + 5;
	if (!strncmp(p, "null", 4))
		return p + 4;
	if (p >= s->end)
		return fail(s, p, "the end of the line where a value should be");
	if (!strncmp(p, "NaN", 3) || !strncmp(p, "Infinity", 8) || !strncmp(p, "-Infinity", 9))
		return fail(s, p, "NaN or Infinity, which JSON does not have");
	return fail(s, p, "no value");
}

/* A name, its colon, and the space behind it: from where the opening quote should be to the value. */
static const char *member(struct scan *s, const char *p, struct record_field *f)
{
	bool escaped = false, nul = false;
	const char *q;

	if (*p != '"')
		return fail(s, p, p >= s->end ? "an object that does not end" : "no name where one should be");
	if (!(q = string(s, p + 1, &escaped, &nul)))
		return NULL;
	if (nul)
		return fail(s, p, "a NUL in a name");
	if (f) {
		f->name = (size_t)(p + 1 - s->line);
		f->name_len = (uint32_t)(q - p - 1);
		f->name_escaped = escaped;
	}
	q = space(q + 1);
	if (*q != ':')
		return fail(s, q, "no ':' behind a name");
	return space(q + 1);
}

/* One number or, in an array, as many as follow one another: to behind the last. The hot loop. */
static inline const char *numbers(struct scan *s, const char *p, bool in_array)
{
	const char *q;

	for (;;) {
		if (!(q = number(p, s->end)))
			return word(s, p);
		p = q;
		if (!in_array || *(q = space(q)) != ',')
			return p;
		q = space(q + 1);
		if (!is_digit(*q) && *q != '-')
			return p;
		p = q;
	}
}

/* From a value's first byte to behind its last; `outside` values are open around it. */
static const char *value(struct scan *s, const char *p, int outside)
{
	char closing[SCAN_DEPTH];
	int depth = 0;
	bool ignored;

	for (;;) {
		/* a value begins at p */
		if (outside + depth >= SCAN_DEPTH)
			return fail(s, p, "values too deep inside one another");
		if (is_digit(*p) || *p == '-') {
			p = numbers(s, p, depth && closing[depth - 1] == ']');
		} else if (*p == '"') {
			p = string(s, p + 1, &ignored, &ignored);
			p = p ? p + 1 : NULL;
		} else if (*p == '[' || *p == '{') {
			char close = *p == '[' ? ']' : '}';

			p = space(p + 1);
			if (*p == close) {
				p++;
			} else {
				closing[depth++] = close;
				if (close == '}' && !(p = member(s, p, NULL)))
					return NULL;
				continue;
			}
		} else {
			p = word(s, p);
		}
		if (!p)
			return NULL;
		/* a value has ended before p */
		for (;;) {
			if (!depth)
				return p;
			p = space(p);
			if (*p != closing[depth - 1])
				break;
			depth--;
			p++;
		}
		if (*p != ',')
			return fail(s, p, p >= s->end ? "a value that does not end" : "no ',' between values");
		p = space(p + 1);
		if (closing[depth - 1] == '}' && !(p = member(s, p, NULL)))
			return NULL;
	}
}

int scan_object(const char *line, size_t len, struct record_field **fields, size_t *n, size_t *cap, struct scan_fault *fault)
{
	struct scan s = {line, line + len, fault};
	const char *p = scan_space(line);
	struct record_field *f;

	*n = 0;
	if (*p != '{') {
		fail(&s, line, "not a JSON object");
		return -1;
	}
	p++;
	if (*space(p) == '}') {
		p = space(p) + 1;
	} else do {
		*fields = xgrow(*fields, cap, *n + 1, sizeof **fields);
		f = &(*fields)[*n];
		*f = (struct record_field){.begin = (uint32_t)(p - line), .was_read = true};
		if (!(p = member(&s, space(p), f)))
			return -1;
		f->value = f->from = (uint32_t)(p - line);
		if (!(p = value(&s, p, 1)))
			return -1;
		f->to = (uint32_t)(p - line);
		f->value_len = f->to - f->from;
		p = space(p);
		f->end = (uint32_t)(p - line);
		++*n;
		if (*p != ',' && *p != '}') {
			fail(&s, p, p >= s.end ? "an object that does not end" : "no ',' between fields");
			return -1;
		}
	} while (*p++ == ',');
	p = scan_space(p);
	if (p < s.end) {
		fail(&s, p, "more text behind the object");
		return -1;
	}
	return 0;
}

const char *scan_int(const char *p, int64_t *v)
{
	const char *start = p;
	uint64_t m = 0;
	char *end;
	double x;

	if (*p == '-')
		p++;
	for (; is_digit(*p) && p - start < 18; p++)
		m = m * 10 + (uint64_t)(*p - '0');
	if (!is_digit(*p) && *p != '.' && *p != 'e' && *p != 'E') {
		*v = *start == '-' ? -(int64_t)m : (int64_t)m;
		return p;
	}
	if (!scan_number(start))
		return NULL;
	errno = 0;
	*v = strtoll(start, &end, 10);
	if (end == scan_number(start))
		return errno ? NULL : end;
	x = strtod(start, &end);
	if (!(fabs(x) <= 9007199254740992.0) || x != floor(x))  /* above, a double no longer tells whole numbers apart */
		return NULL;
	*v = (int64_t)x;
	return end;
}

const char *scan_float32(const char *p, float *x)
{
	static const double pow10_exact[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	const char *start = p;
	uint64_t m = 0;
	int used = 0, e10 = 0, k = 0;
	bool down = false;
	char *end;

	if (*p == '-')
		p++;
	for (; is_digit(*p); p++) {
		m = m * 10 + (uint64_t)(*p - '0');
		used += m != 0;
	}
	if (*p == '.')
		for (p++; is_digit(*p); p++, e10--) {
			m = m * 10 + (uint64_t)(*p - '0');
			used += m != 0;
		}
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p == '+' || *p == '-')
			down = *p++ == '-';
		for (; is_digit(*p); p++)
			k = k < 100000 ? k * 10 + (*p - '0') : k;
		e10 += down ? -k : k;
	}
	/* m and the power of ten are exact doubles, so d is the double nearest to the number */
	if (used <= 19 && m <= (uint64_t)1 << 53 && e10 >= -22 && e10 <= 22) {
		double d = e10 < 0 ? (double)m / pow10_exact[-e10] : (double)m * pow10_exact[e10];

		if (float32_of_double(*start == '-' ? -d : d, x))
			return p;
	}
	*x = strtof(start, &end);
	return isfinite(*x) ? end : NULL;
}

static char *put_utf8(char *to, int c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

size_t scan_unescape_into(char *to, const char *s, size_t n)
{
	const char *end = s + n, *back;
	char *start = to;

	while ((back = memchr(s, '\\', (size_t)(end - s)))) {
		int c;

		memmove(to, s, (size_t)(back - s));
		to += back - s;
		s = back + 2;
		switch (back[1]) {
		case 'b': *to++ = '\b'; break;
		case 'f': *to++ = '\f'; break;
		case 'n': *to++ = '\n'; break;
		case 'r': *to++ = '\r'; break;
		case 't': *to++ = '\t'; break;
		case 'u':
			c = hex4(s);
			s += 4;
			if (c >= 0xd800 && c <= 0xdbff) {
				c = 0x10000 + ((c - 0xd800) << 10) + (hex4(s + 2) - 0xdc00);
				s += 6;
			}
			to = put_utf8(to, c);
			break;
		default:
			*to++ = back[1];
		}
	}
	memmove(to, s, (size_t)(end - s));
	return (size_t)(to - start) + (size_t)(end - s);
}

void scan_unescape(struct buf *to, const char *s, size_t n)
{
	buf_room(to, n);
	to->n += scan_unescape_into(to->p + to->n, s, n);
	to->p[to->n] = 0;
}
