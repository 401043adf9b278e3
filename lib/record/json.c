#include "record/json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "record/emit.h"

/* A struct js is a json_t under another name: it has no members of its own. */
static json_t *j_of(const struct js *j)
{
	return (json_t *)(uintptr_t)j;
}

static struct js *js_of(json_t *j)
{
	return (struct js *)j;
}

static json_t *there(json_t *j)
{
	assert(j);              /* Jansson gives NULL when out of memory, and for input that the callers below have made sound */
	return j;
}

bool js_is_utf16(const char *text, size_t n)
{
	return n >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2));
}

struct js *js_parse(const char *text, size_t n, const char *name, struct err *e)
{
	json_error_t je;
	json_t *j;
	const char *nul;
	char *c;

	if (js_is_utf16(text, n))
		return err_set(e, "%s: it is UTF-16, not UTF-8", name), NULL;
	if (n && (nul = memchr(text, 0, n))) {          /* Jansson overlooks one behind a number */
		int line = 1;

		for (; text < nul; text++)
			line += *text == '\n';
		err_set(e, "%s:%d: a NUL byte", name, line);
		return NULL;
	}
	if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3, n -= 3;
	j = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &je);
	if (j)
		return js_of(j);
	for (c = je.text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	err_set(e, "%s:%d:%d: %s", name, je.line < 0 ? 1 : je.line, je.column < 0 ? 1 : je.column, je.text);
	return NULL;
}

struct js *js_read(const char *path, struct err *e)
{
	struct buf b = {0};
	struct js *j = NULL;

	if (file_read(path, &b, e) == 0)
		j = js_parse(b.p, b.n, path, e);
	buf_free(&b);
	return j;
}

void js_free(struct js *j)
{
	json_decref(j_of(j));
}

bool js_is_object(const struct js *j) { return json_is_object(j_of(j)); }
bool js_is_array(const struct js *j) { return json_is_array(j_of(j)); }
bool js_is_string(const struct js *j) { return json_is_string(j_of(j)); }
bool js_is_int(const struct js *j) { return json_is_integer(j_of(j)); }
bool js_is_number(const struct js *j) { return json_is_number(j_of(j)); }
bool js_is_bool(const struct js *j) { return json_is_boolean(j_of(j)); }
bool js_is_null(const struct js *j) { return json_is_null(j_of(j)); }

const char *js_type(const struct js *j)
{
	if (!j)
		return "missing";
	switch (json_typeof(j_of(j))) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "an array";
	case JSON_STRING: return "a string";
	case JSON_INTEGER:
	case JSON_REAL: return "a number";
	case JSON_TRUE: return "true";
	case JSON_FALSE: return "false";
	case JSON_NULL: return "null";
	}
	return "unknown";
}

const struct js *js_get(const struct js *object, const char *key)
{
	return js_of(json_object_get(j_of(object), key));
}

size_t js_size(const struct js *j)
{
	return js_is_object(j) ? json_object_size(j_of(j)) : json_array_size(j_of(j));
}

const struct js *js_at(const struct js *array, size_t i)
{
	return js_of(json_array_get(j_of(array), i));
}

int64_t js_int(const struct js *j)
{
	return json_integer_value(j_of(j));
}

double js_number(const struct js *j)
{
	return json_number_value(j_of(j));
}

bool js_bool(const struct js *j)
{
	return json_is_true(j_of(j));
}

const char *js_string(const struct js *j, size_t *n)
{
	if (n)
		*n = json_string_length(j_of(j));
	return json_string_value(j_of(j));
}

struct js_iter js_each(const struct js *object)
{
	return (struct js_iter){.object = j_of(object)};
}

bool js_next(struct js_iter *it)
{
	if (!it->object)
		return false;
	it->at = it->at ? json_object_iter_next(it->object, it->at) : json_object_iter(it->object);
	if (!it->at) {
		it->object = NULL;      /* asked again, it stays at the end */
		return false;
	}
	it->key = json_object_iter_key(it->at);
	it->key_len = strlen(it->key);          /* Jansson lets no NUL into a key */
	it->value = js_of(json_object_iter_value(it->at));
	return true;
}

struct js *js_object(void) { return js_of(there(json_object())); }
struct js *js_array(void) { return js_of(there(json_array())); }
struct js *js_new_str(const char *s)
{
	return js_new_string(s, strlen(s));
}

struct js *js_new_int(int64_t i) { return js_of(there(json_integer(i))); }
struct js *js_new_bool(bool b) { return js_of(there(json_boolean(b))); }
struct js *js_new_null(void) { return js_of(there(json_null())); }

struct js *js_new_string(const char *s, size_t n)
{
	struct buf clean = {0};
	json_t *j;

	if (utf8_valid(s, n))
		return js_of(there(json_stringn_nocheck(s, n)));
	utf8_clean(&clean, s, n);
	j = there(json_stringn_nocheck(clean.p, clean.n));
	buf_free(&clean);
	return js_of(j);
}

struct js *js_new_number(double x)
{
	assert(isfinite(x));
	return js_of(there(json_real(x)));
}

struct js *js_copy(const struct js *j)
{
	return j ? js_of(there(json_deep_copy(j_of(j)))) : NULL;
}

void js_remove(struct js *object, const char *key)
{
	json_object_del(j_of(object), key);
}

void js_set(struct js *object, const char *key, struct js *child)
{
	struct buf clean = {0};
	int rc;

	assert(js_is_object(object) && child && child != object);
	utf8_clean(&clean, key, strlen(key));
	rc = json_object_set_new_nocheck(j_of(object), clean.p, j_of(child));
	assert(rc == 0);
	(void)rc;
	buf_free(&clean);
}

void js_push(struct js *array, struct js *child)
{
	int rc;

	assert(js_is_array(array) && child && child != array);
	rc = json_array_append_new(j_of(array), j_of(child));
	assert(rc == 0);
	(void)rc;
}

static void line_break(int indent, int depth, struct buf *to)
{
	if (!indent)
		return;
	buf_char(to, '\n');
	memset(buf_room(to, (size_t)(indent * depth)), ' ', (size_t)(indent * depth));
	to->n += (size_t)(indent * depth);
	to->p[to->n] = 0;
}

static void write_value(const struct js *j, int indent, int depth, struct buf *to)
{
	bool object = js_is_object(j);
	struct js_iter it = js_each(j);
	size_t i, n = js_size(j);
	const char *s;
	size_t len;

	if (js_is_string(j)) {
		s = js_string(j, &len);
		emit_string(to, s, len);
	} else if (js_is_int(j)) {
		emit_int(to, js_int(j));
	} else if (js_is_number(j)) {
		emit_number(to, js_number(j));
	} else if (js_is_bool(j)) {
		buf_str(to, js_bool(j) ? "true" : "false");
	} else if (object || js_is_array(j)) {
		buf_char(to, object ? '{' : '[');
		for (i = 0; i < n; i++) {
			if (i)
				buf_char(to, ',');
			line_break(indent, depth + 1, to);
			if (object) {
				js_next(&it);
				emit_string(to, it.key, it.key_len);
				buf_str(to, indent ? ": " : ":");
			}
			write_value(object ? it.value : js_at(j, i), indent, depth + 1, to);
		}
		if (n)
			line_break(indent, depth, to);
		buf_char(to, object ? '}' : ']');
	} else {
		buf_str(to, "null");
	}
}

void js_write(const struct js *j, int indent, struct buf *to)
{
	write_value(j, indent, 0, to);
}
