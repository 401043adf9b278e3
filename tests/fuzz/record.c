/* Records: the scanner accepts what Jansson does, the getters agree with it, and what was not set is written as it was read
 *
 * The two may differ, as record.h says, where a name is repeated within a field's value, and where a number does not fit into 64
 * bits or a double: both refused by Jansson, passed on by the scanner. Jansson overlooks a NUL byte behind a number.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "record/record.h"

#define MUST(cond) do { if (!(cond)) abort(); } while (0)

/* Jansson's verdict; *differs where it may be another. */
static json_t *reference(const char *s, size_t n, bool *differs)
{
	json_error_t je;
	json_t *j = memchr(s, 0, n) ? NULL : json_loadb(s, n, JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &je);

	*differs = false;
	if (memchr(s, 0, n))
		return NULL;
	if (j && !json_is_object(j)) {
		json_decref(j);
		return NULL;
	}
	if (!j)
		*differs = json_error_code(&je) == json_error_numeric_overflow || json_error_code(&je) == json_error_duplicate_key;
	return j;
}

/* A second opinion where Jansson stopped at a number that is too large: only that something comes out. */
static void look(struct record *r, const char *name)
{
	struct err e;
	size_t n;
	int64_t i;
	double x;
	bool b;

	(void)record_has(r, name);
	(void)record_string(r, name, &n, &e);
	(void)record_int(r, name, &i, &e);
	(void)record_number(r, name, &x, &e);
	(void)record_bool(r, name, &b, &e);
	(void)record_ints(r, name, &n, &e);
	(void)record_floats(r, name, &n, &e);
	(void)record_named(r, name, &n, &e);
}

static void compare_numbers(struct record *r, const char *name, const json_t *v)
{
	size_t n, i;
	struct err e;
	float *f = record_floats(r, name, &n, &e);
	bool all = true;

	for (i = 0; i < json_array_size(v); i++) {
		json_t *x = json_array_get(v, i);

		all &= json_is_number(x) && isfinite((float)json_number_value(x));
	}
	if (!all)
		return;
	MUST(f && n == json_array_size(v));
	for (i = 0; i < n; i++) {
		float want = (float)json_number_value(json_array_get(v, i));

		/* by way of a double: at most one float32 away */
		MUST(f[i] == want || f[i] == nextafterf(want, INFINITY) || f[i] == nextafterf(want, -INFINITY));
	}
}

static void compare(struct record *r, const char *name, const json_t *v)
{
	struct err e;
	size_t n;
	int64_t i;
	double x;
	bool b;
	const char *s = record_string(r, name, &n, &e);

	MUST(!s == !json_is_string(v));
	MUST(!s || (n == json_string_length(v) && !memcmp(s, json_string_value(v), n)));
	MUST((record_bool(r, name, &b, &e) == 0) == json_is_boolean(v));
	MUST(record_has(r, name) == !json_is_null(v));
	MUST((record_number(r, name, &x, &e) == 0) == json_is_number(v));
	if (json_is_number(v))
		MUST(x == json_number_value(v));
	if (json_is_integer(v))
		MUST(record_int(r, name, &i, &e) == 0 && i == json_integer_value(v));
	else if (record_int(r, name, &i, &e) == 0)
		MUST(json_is_real(v) && (double)i == json_real_value(v));
	if (json_is_array(v))
		compare_numbers(r, name, v);
	look(r, name);
}

static void check_written(const struct record *r, const char *s, size_t n)
{
	struct buf b = {0};

	record_write(r, &b);
	MUST(b.n == n && !memcmp(b.p, s, n));
	buf_free(&b);
}

/* Sets and removes some fields, as `how` says, here and in Jansson's object: the same must come out. */
static void check_changes(struct record *r, json_t *j, unsigned how)
{
	char **name = xmalloc((json_object_size(j) + 1) * sizeof *name);
	size_t n = 0, i;
	const char *key;
	json_t *v, *back;
	struct buf b = {0};
	json_error_t je;
	bool same;

	json_object_foreach(j, key, v)
		name[n++] = xstrdup(key);
	for (i = 0; i < n; i++, how = how * 1103515245 + 12345) {
		switch (how >> 16 & 3) {
		case 0:
			record_remove(r, name[i]);
			json_object_del(j, name[i]);
			break;
		case 1:
			record_set_int(r, name[i], (int64_t)i);
			json_object_set_new_nocheck(j, name[i], json_integer((json_int_t)i));
			break;
		}
		free(name[i]);
	}
	free(name);
	record_set_bool(r, "\xc3\xa9 new \"", true);
	json_object_set_new(j, "\xc3\xa9 new \"", json_true());
	record_write(r, &b);
	back = json_loadb(b.p, b.n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &je);
	same = back && json_equal(back, j);
	MUST(same);
	json_decref(back);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *key;
	struct record r = {0};
	struct err e;
	bool differs;
	json_t *j = reference(s, size, &differs), *v;
	int rc = record_parse(&r, s, size, &e);

	if (!differs)
		MUST((rc == 0) == (j != NULL));
	else
		look(&r, "a");
	if (rc == 0)
		check_written(&r, s, size);
	if (rc == 0 && j) {
		json_object_foreach(j, key, v)
			compare(&r, key, v);
		check_changes(&r, j, (unsigned)size);
	}
	json_decref(j);
	record_free(&r);
	return 0;
}
