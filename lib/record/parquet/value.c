#include <math.h>
#include <stdio.h>
#include <string.h>

#include "record/emit.h"
#include "record/parquet/private.h"

#define DAY ((int64_t)86400)
#define JULIAN_1970 2440588     /* the Julian day that began on that first of January */
#define LONGEST_DECIMAL 64      /* bytes */

/* ---- dates and times ---- */

/* The proleptic Gregorian calendar in eras of 400 years, counted from the first of March of the year 0. */
static void put_date(struct buf *to, int64_t days)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, day = z - era * 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t of_year = day - (365 * year + year / 4 - year / 100), m = (5 * of_year + 2) / 153;
	int64_t month = m < 10 ? m + 3 : m - 9;

	year += era * 400 + (month <= 2);
	buf_printf(to, year < 0 || year > 9999 ? "%+05lld-%02d-%02d" : "%04lld-%02d-%02d", (long long)year, (int)month,
		   (int)(of_year - (153 * m + 2) / 5 + 1));
}

/* part: of a second, in units of which `digits` digits are written, unless it is 0 */
static void put_clock(struct buf *to, int64_t second, int64_t part, int digits)
{
	buf_printf(to, "%02d:%02d:%02d", (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
	if (part)
		buf_printf(to, ".%0*lld", digits, (long long)part);
}

static void put_timestamp(struct buf *to, int64_t t, int digits, bool utc)
{
	int64_t unit = digits == 3 ? 1000 : digits == 6 ? 1000000 : 1000000000;
	int64_t second = t / unit - (t % unit < 0), part = t - second * unit;
	int64_t days = second / DAY - (second % DAY < 0);

	buf_char(to, '"');
	put_date(to, days);
	buf_char(to, 'T');
	put_clock(to, second - days * DAY, part, digits);
	buf_str(to, utc ? "Z\"" : "\"");
}

static int put_time(struct buf *to, int64_t t, int digits)
{
	int64_t unit = digits == 3 ? 1000 : digits == 6 ? 1000000 : 1000000000;

	if (t < 0 || t >= DAY * unit)
		return -1;
	buf_char(to, '"');
	put_clock(to, t / unit, t % unit, digits);
	buf_char(to, '"');
	return 0;
}

/* Nanoseconds of the day and the Julian day */
static int put_int96(struct buf *to, const unsigned char *p)
{
	int64_t nanos = (int64_t)pq_le64(p), day = (int64_t)(int32_t)pq_le32(p + 8) - JULIAN_1970;

	if (nanos < 0 || nanos >= DAY * 1000000000)
		return -1;
	buf_char(to, '"');
	put_date(to, day);
	buf_char(to, 'T');
	put_clock(to, nanos / 1000000000, nanos % 1000000000, 9);
	buf_char(to, '"');
	return 0;
}

/* ---- decimals ---- */

/* Digits, least significant first, of a big-endian number of n bytes, which is lost; how many */
static size_t digits_of(unsigned char *p, size_t n, char *digit)
{
	size_t digits = 0, i, from = 0;

	while (from < n) {
		uint64_t rest = 0;
		int k;

		for (i = from; i < n; i++) {
			rest = rest << 8 | p[i];
			p[i] = (unsigned char)(rest / 1000000);
			rest %= 1000000;
		}
		for (k = 0; k < 6; k++, rest /= 10)
			digit[digits++] = (char)('0' + rest % 10);
		while (from < n && !p[from])
			from++;
	}
	while (digits && digit[digits - 1] == '0')
		digits--;
	return digits;
}

static int put_decimal(struct buf *to, const unsigned char *p, size_t n, size_t scale)
{
	unsigned char room[LONGEST_DECIMAL];
	char digit[3 * LONGEST_DECIMAL + 6];
	bool negative = n && p[0] & 0x80;
	size_t digits, i;
	unsigned carry = 1;

	if (!n || n > LONGEST_DECIMAL)
		return -1;
	memcpy(room, p, n);
	for (i = n; negative && i; i--) {               /* two's complement */
		carry += (unsigned char)~room[i - 1];
		room[i - 1] = (unsigned char)carry;
		carry >>= 8;
	}
	digits = digits_of(room, n, digit);
	if (negative)
		buf_char(to, '-');
	for (i = digits > scale ? digits : scale + 1; i; i--) {
		if (i == scale)
			buf_char(to, '.');
		buf_char(to, i <= digits ? digit[i - 1] : '0');
	}
	return 0;
}

static int put_decimal_int(struct buf *to, int64_t v, size_t scale)
{
	unsigned char p[8];
	int i;

	for (i = 0; i < 8; i++)
		p[i] = (unsigned char)((uint64_t)v >> (56 - 8 * i));
	return put_decimal(to, p, 8, scale);
}

/* ---- the others ---- */

static float of_half(const unsigned char *p)
{
	unsigned h = p[0] | (unsigned)p[1] << 8, exponent = h >> 10 & 31, fraction = h & 1023;
	float x = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent ? ldexpf((float)(1024 + fraction), (int)exponent - 25) :
		ldexpf((float)fraction, -24);

	return h & 0x8000 ? -x : x;
}

static void put_uuid(struct buf *to, const unsigned char *p)
{
	int i;

	buf_char(to, '"');
	for (i = 0; i < 16; i++)
		buf_printf(to, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", p[i]);
	buf_char(to, '"');
}

int pq_value_put(struct buf *to, const struct pq_node *node, const struct pq_column *c, const struct pq_value *v)
{
	bool is_int = c->type == PQ_INT32 || c->type == PQ_INT64;

	switch (node->form) {
	case PQ_AS_BOOL: buf_str(to, v->as.i ? "true" : "false"); break;
	case PQ_AS_INT: emit_int(to, v->as.i); break;
	case PQ_AS_UINT: buf_printf(to, "%llu", (unsigned long long)(c->type == PQ_INT32 ? (uint32_t)v->as.i : (uint64_t)v->as.i)); break;
	case PQ_AS_FLOAT: emit_float32(to, v->as.f); break;
	case PQ_AS_DOUBLE: emit_number(to, v->as.d); break;
	case PQ_AS_STRING: emit_string(to, (const char *)v->as.p, v->n); break;
	case PQ_AS_DECIMAL: return is_int ? put_decimal_int(to, v->as.i, (size_t)node->scale) : put_decimal(to, v->as.p, v->n, (size_t)node->scale);
	case PQ_AS_DATE:
		buf_char(to, '"');
		put_date(to, v->as.i);
		buf_char(to, '"');
		break;
	case PQ_AS_TIME: return put_time(to, v->as.i, node->scale);
	case PQ_AS_TIMESTAMP: put_timestamp(to, v->as.i, node->scale, node->utc); break;
	case PQ_AS_INT96: return put_int96(to, v->as.p);
	case PQ_AS_FLOAT16: emit_float32(to, of_half(v->as.p)); break;
	case PQ_AS_UUID: put_uuid(to, v->as.p); break;
	case PQ_AS_NULL: buf_str(to, "null"); break;
	}
	return 0;
}
