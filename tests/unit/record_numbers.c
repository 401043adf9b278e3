/* Numbers: what is written is the shortest text that gives the same number back; what is read is the nearest float32 */
#include "test.h"

#include <float.h>
#include <stdint.h>

#include "base/rng.h"
#include "record/emit.h"
#include "record/record.h"

static int digits_in(const char *s)
{
	int n = 0, zeros = 0;

	for (; *s && *s != 'e'; s++) {
		if (*s < '0' || *s > '9')
			continue;
		if (*s == '0') {
			zeros += n > 0;
		} else {
			n += zeros + 1;
			zeros = 0;
		}
	}
	return n;
}

static bool is_real(const char *s)
{
	return strpbrk(s, ".e") != NULL;
}

static void check_float32(float x)
{
	struct buf b = {0};
	char shorter[40];
	int n;

	emit_float32(&b, x);
	if (strtof(b.p, NULL) != x || signbit(strtof(b.p, NULL)) != signbit(x) || !is_real(b.p))
		TEST_FAIL("%.9g is written as %s", (double)x, b.p);
	n = digits_in(b.p);
	if (n > 1) {
		snprintf(shorter, sizeof shorter, "%.*e", n - 2, (double)x);
		if (n > 9 || strtof(shorter, NULL) == x)
			TEST_FAIL("%s would do for %s", shorter, b.p);
	}
	buf_free(&b);
}

static void check_number(double x)
{
	struct buf b = {0};

	emit_number(&b, x);
	if (strtod(b.p, NULL) != x || !is_real(b.p) || digits_in(b.p) > 17)
		TEST_FAIL("%.17g is written as %s", x, b.p);
	buf_free(&b);
}

static void check_form(void)
{
	static const struct {
		double x;
		const char *text;
	} form[] = {
		{0, "0.0"}, {-0.0, "-0.0"}, {1, "1.0"}, {-1.5, "-1.5"}, {0.1, "0.1"}, {1e-4, "0.0001"}, {0.00012, "0.00012"}, {1e-6, "1e-6"},
		{2.5e-7, "2.5e-7"}, {1e15, "1000000000000000.0"}, {1e17, "1e17"}, {123456789.0, "123456789.0"}, {1.0 / 3, "0.3333333333333333"},
		{NAN, "null"}, {INFINITY, "null"}, {-INFINITY, "null"}, {5e-324, "5e-324"}, {0.30000000000000004, "0.30000000000000004"},
	};
	struct buf b = {0};
	size_t i;

	for (i = 0; i < sizeof form / sizeof *form; i++) {
		buf_clear(&b);
		emit_number(&b, form[i].x);
		CHECK_STR(b.p, form[i].text);
	}
	buf_clear(&b);
	emit_float32(&b, 0.1f);
	buf_char(&b, ' ');
	emit_float32(&b, 1.0f / 3);
	buf_char(&b, ' ');
	emit_float32(&b, -INFINITY);
	buf_char(&b, ' ');
	emit_float32(&b, FLT_MAX);
	buf_char(&b, ' ');
	emit_float32(&b, 1.4e-45f);
	buf_char(&b, ' ');
	emit_int(&b, INT64_MIN);
	CHECK_STR(b.p, "0.1 0.33333334 null 3.4028235e38 1e-45 -9223372036854775808");
	buf_free(&b);
}

/* The text in an array of a record, so that all of the way is tried. */
static void check_read(const char *text)
{
	struct record r = {0};
	struct buf b = {0};
	struct err e;
	size_t n;
	float *v, want = strtof(text, NULL);

	buf_printf(&b, "{\"v\":[%s, 1]}", text);
	if (record_parse(&r, b.p, b.n, &e) < 0)
		TEST_FAIL("%s: %s", text, e.msg);
	v = record_floats(&r, "v", &n, &e);
	if (isinf(want)) {
		CHECK(v == NULL);
	} else {
		CHECK(v && n == 2 && v[1] == 1);
		if (memcmp(v, &want, sizeof want) != 0)
			TEST_FAIL("%s is read as %.9g, not %.9g", text, (double)v[0], (double)want);
	}
	buf_free(&b);
	record_free(&r);
}

/* Decimal numbers at, just below and just above the middle of two float32, where rounding twice goes wrong. */
static void check_middle(float x)
{
	double middle = ((double)x + (double)nextafterf(x, INFINITY)) / 2;
	char text[400];
	size_t n;

	if (!isfinite(middle) || fabs(middle) > 1e30 || fabs(middle) < 1e-20)
		return;
	n = (size_t)snprintf(text, sizeof text, "%.180f", middle);
	check_read(text);
	snprintf(text + n, sizeof text - n, "1");
	check_read(text);
	snprintf(text, sizeof text, "%.17g", middle);
	check_read(text);
	snprintf(text, sizeof text, "%.15g", middle);
	check_read(text);
}

int main(void)
{
	static const char *const text[] = {"0", "-0", "-0.0", "1", "-1", "0.1", "1e0", "1E+2", "1e-2", "16777217", "16777219.0", "3.4028235e38",
		"3.4028236e38", "1e39", "-1e39", "1e-45", "7e-46", "1e-400", "1.17549435e-38", "1.1754943e-38", "0.000000000000000000000000123",
		"123456789012345678901234567890", "9007199254740993", "1e22", "1e23", "0.33333334326744079589843750000000000000001"};
	struct rng rng = rng_new(7, 1);
	size_t i;
	int k;

	check_form();
	for (i = 0; i < sizeof text / sizeof *text; i++)
		check_read(text[i]);
	for (k = 0; k < 100000; k++) {
		uint64_t bits = rng_next(&rng);
		uint32_t half = (uint32_t)bits;
		char t[64];
		float x;
		double d;

		memcpy(&x, &half, 4);
		if (!isfinite(x))
			x = 1;
		memcpy(&d, &bits, 8);
		check_float32(x);
		check_float32((float)(log(rng_double(&rng) + 1e-9)));
		check_float32((float)rng_below(&rng, 100) / 8);
		if (isfinite(d))
			check_number(d);
		check_number(rng_double(&rng));
		if (k % 4)
			continue;
		check_middle(x);
		check_middle((float)-rng_double(&rng));
		snprintf(t, sizeof t, "%.*e", (int)rng_below(&rng, 20), (double)x);
		check_read(t);
		snprintf(t, sizeof t, "-%.*f", (int)rng_below(&rng, 12), 30 * rng_double(&rng));
		check_read(t);
	}
	return 0;
}
