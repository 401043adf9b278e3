#include "record/record.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "record/emit.h"
#include "record/scan.h"

struct record_chunk {
	struct record_chunk *next;
	size_t size, used;
	struct js *doc;
	_Alignas(16) char data[];
};

/* ---- memory for what the getters give out ---- */

static struct record_chunk *add_chunk(struct record *r, size_t size)
{
	struct record_chunk *c = xmalloc(sizeof *c + size);

	*c = (struct record_chunk){.next = r->chunk, .size = size};
	return r->chunk = c;
}

static void *give(struct record *r, size_t n)
{
	struct record_chunk *c = r->chunk;
	void *p;

	n = (n + 15) / 16 * 16;
	if (!c || c->size - c->used < n)
		c = add_chunk(r, n < 2048 ? 2048 : n);
	p = c->data + c->used;
	c->used += n;
	return p;
}

static void take_back(struct record *r)
{
	struct record_chunk *c = r->chunk, *next;

	for (; c; c = next) {
		next = c->next;
		js_free(c->doc);
		free(c);
	}
	r->chunk = NULL;
}

/* ---- names ---- */

static const char *name_of(const struct record *r, const struct record_field *f)
{
	return (f->name_fresh ? r->fresh.p : r->raw.p) + f->name;
}

static const char *value_of(const struct record *r, const struct record_field *f)
{
	return (f->value_fresh ? r->fresh.p : r->raw.p) + f->value;
}

static struct record_field *find(const struct record *r, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		struct record_field *f = &r->field[i];

		if (f->name_len == len && !f->removed && !memcmp(name_of(r, f), name, len))
			return f;
	}
	return NULL;
}

/* At most `most` bytes of s, not ending within a character. */
static int cut(const char *s, size_t n, size_t most)
{
	if (n > most)
		for (n = most; n && (s[n] & 0xc0) == 0x80; n--)
			;
	return (int)n;
}

static int repeated(const struct record *r, const struct record_field *f, struct err *e)
{
	return err_set(e, "'%.*s' is there twice", cut(name_of(r, f), f->name_len, 100), name_of(r, f));
}

/* Few names are compared with one another, many looked up. */
static int check_names(const struct record *r, struct err *e)
{
	struct map m = {0};
	size_t i;
	int rc = 0;

	if (r->n <= 40) {
		for (i = 1; i < r->n; i++)
			if (find(r, name_of(r, &r->field[i]), r->field[i].name_len) != &r->field[i])
				return repeated(r, &r->field[i], e);
		return 0;
	}
	for (i = 0; i < r->n && rc == 0; i++)
		if ((*map_put(&m, name_of(r, &r->field[i]), r->field[i].name_len))++)
			rc = repeated(r, &r->field[i], e);
	map_free(&m);
	return rc;
}

/* ---- whole records ---- */

/* Finds the fields of r->raw. Those in front of a fault are there also on failure, so that a message can tell the id. */
static int index_fields(struct record *r, struct err *e)
{
	struct scan_fault fault;
	size_t i;
	int rc;

	take_back(r);
	buf_clear(&r->fresh);
	r->changed = false;
	r->n = 0;
	if (r->raw.n > SCAN_LONGEST)
		return err_set(e, "a line of %zu bytes is too long", r->raw.n);
	*buf_room(&r->raw, 0) = 0;
	rc = scan_object(r->raw.p, r->raw.n, &r->field, &r->n, &r->cap, &fault);
	for (i = 0; i < r->n; i++) {
		struct record_field *f = &r->field[i];
		size_t at = r->fresh.n;

		if (!f->name_escaped)
			continue;
		scan_unescape(&r->fresh, r->raw.p + f->name, f->name_len);
		f->name = at;
		f->name_len = (uint32_t)(r->fresh.n - at);
		f->name_fresh = true;
	}
	if (rc < 0)
		return fault.at ? err_set(e, "%s (byte %zu)", fault.what, fault.at + 1) : err_set(e, "%s", fault.what);
	return check_names(r, e);
}

int record_parse(struct record *r, const char *line, size_t n, struct err *e)
{
	r->file = NULL;
	r->line = 0;
	buf_clear(&r->raw);
	buf_add(&r->raw, line, n);
	return index_fields(r, e);
}

int record_take(struct record *r, const char *file, int64_t line, struct err *e)
{
	struct err why;

	r->file = file;
	r->line = line;
	if (index_fields(r, &why) == 0)
		return 0;
	return record_error(r, e, "%s", why.msg);
}

void record_clear(struct record *r)
{
	take_back(r);
	buf_clear(&r->raw);
	buf_clear(&r->fresh);
	r->n = 0;
	r->changed = false;
	r->file = NULL;
	r->line = 0;
}

void record_copy(struct record *to, const struct record *from)
{
	assert(to != from);
	record_clear(to);
	to->file = from->file;
	to->line = from->line;
	buf_add(&to->raw, from->raw.p, from->raw.n);
	buf_add(&to->fresh, from->fresh.p, from->fresh.n);
	to->field = xgrow(to->field, &to->cap, from->n, sizeof *to->field);
	if (from->n)
		memcpy(to->field, from->field, from->n * sizeof *to->field);
	to->n = from->n;
	to->changed = from->changed;
}

void record_free(struct record *r)
{
	take_back(r);
	buf_free(&r->raw);
	buf_free(&r->fresh);
	free(r->field);
	*r = (struct record){0};
}

int record_error(const struct record *r, struct err *e, const char *fmt, ...)
{
	const struct record_field *id = find(r, "id", 2);
	char text[sizeof e->msg / 2], place[sizeof e->msg / 4 + 32] = "", name[80] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (r->file)
		snprintf(place, sizeof place, "%.*s:%lld: ", cut(r->file, strlen(r->file), sizeof e->msg / 4), r->file, (long long)r->line);
	if (id) {
		const char *s = value_of(r, id);        /* as JSON text: it holds no control character */
		size_t n = id->value_len;

		if (*s == '"')
			s++, n -= 2;
		if (n && *s != '{' && *s != '[')
			snprintf(name, sizeof name, " (id %.*s)", cut(s, n, 64), s);
	}
	return err_set(e, "%s%s%s", place, text, name);
}

/* ---- getting ---- */

static const char *type_of(const struct record *r, const struct record_field *f)
{
	if (!f)
		return "missing";
	switch (*value_of(r, f)) {
	case '"': return "a string";
	case '{': return "an object";
	case '[': return "an array";
	case 't': return "true";
	case 'f': return "false";
	case 'n': return "null";
	default: return "a number";
	}
}

const char *record_type(const struct record *r, const char *name)
{
	return type_of(r, find(r, name, strlen(name)));
}

bool record_has(const struct record *r, const char *name)
{
	const struct record_field *f = find(r, name, strlen(name));

	return f && *value_of(r, f) != 'n';
}

static bool is_number(char c)
{
	return c == '-' || (c >= '0' && c <= '9');
}

/* The text of a field whose value begins with `first` ('0': a number, 't': true or false), or NULL and e. */
static const char *want(const struct record *r, const char *name, char first, const char *what, size_t *n, struct err *e)
{
	const struct record_field *f = find(r, name, strlen(name));
	const char *s = f ? value_of(r, f) : "";

	if (f && (*s == first || (first == '0' && is_number(*s)) || (first == 't' && *s == 'f'))) {
		*n = f->value_len;
		return s;
	}
	if (f)
		record_error(r, e, "'%s' is %s, not %s", name, type_of(r, f), what);
	else
		record_error(r, e, "'%s' is missing", name);
	return NULL;
}

const char *record_string(struct record *r, const char *name, size_t *n, struct err *e)
{
	size_t len;
	const char *s = want(r, name, '"', "a string", &len, e);
	char *to;

	if (!s)
		return NULL;
	to = give(r, len - 1);
	len = scan_unescape_into(to, s + 1, len - 2);
	to[len] = 0;
	if (n)
		*n = len;
	return to;
}

int record_int(struct record *r, const char *name, int64_t *value, struct err *e)
{
	size_t n;
	const char *s = want(r, name, '0', "a whole number", &n, e);

	if (!s)
		return -1;
	if (!scan_int(s, value))
		return record_error(r, e, "'%s' is %.*s, not a whole number of 64 bits", name, cut(s, n, 40), s);
	return 0;
}

int record_number(struct record *r, const char *name, double *value, struct err *e)
{
	size_t n;
	const char *s = want(r, name, '0', "a number", &n, e);

	if (!s)
		return -1;
	*value = strtod(s, NULL);
	if (!isfinite(*value))
		return record_error(r, e, "'%s' is %.*s, too large", name, cut(s, n, 40), s);
	return 0;
}

int record_bool(struct record *r, const char *name, bool *value, struct err *e)
{
	size_t n;
	const char *s = want(r, name, 't', "true or false", &n, e);

	if (!s)
		return -1;
	*value = *s == 't';
	return 0;
}

/* How many items an array has at most: its commas, and one. */
static size_t most_items(const char *s, size_t n)
{
	size_t i, items = 1;

	for (i = 0; i < n; i++)
		items += s[i] == ',';
	return items;
}

static int bad_item(const struct record *r, const char *name, size_t i, const char *s, const char *what, struct err *e)
{
	const char *end = is_number(*s) ? scan_number(s) : NULL;
	const char *type = *s == '"' ? "a string" : *s == '{' ? "an object" : *s == '[' ? "an array" : *s == 't' ? "true" :
		*s == 'f' ? "false" : "null";

	if (end)
		return record_error(r, e, "'%s'[%zu] is %.*s, not %s", name, i, cut(s, (size_t)(end - s), 40), s, what);
	return record_error(r, e, "'%s'[%zu] is %s, not %s", name, i, type, what);
}

int32_t *record_ints(struct record *r, const char *name, size_t *n, struct err *e)
{
	size_t len, i = 0;
	const char *s = want(r, name, '[', "an array of whole numbers", &len, e), *next;
	int32_t *v;
	int64_t x;

	if (!s)
		return NULL;
	v = give(r, most_items(s, len) * sizeof *v);
	for (s = scan_space(s + 1); *s != ']'; s = scan_space(next + (*next == ','))) {
		next = is_number(*s) ? scan_int(s, &x) : NULL;
		if (!next || x < INT32_MIN || x > INT32_MAX) {
			bad_item(r, name, i, s, "a whole number of 32 bits", e);
			return NULL;
		}
		v[i++] = (int32_t)x;
		next = scan_space(next);
	}
	*n = i;
	return v;
}

float *record_floats(struct record *r, const char *name, size_t *n, struct err *e)
{
	size_t len, i = 0;
	const char *s = want(r, name, '[', "an array of numbers", &len, e), *next;
	float *v;

	if (!s)
		return NULL;
	v = give(r, most_items(s, len) * sizeof *v);
	for (s = scan_space(s + 1); *s != ']'; s = scan_space(next + (*next == ','))) {
		next = is_number(*s) ? scan_float32(s, &v[i]) : NULL;
		if (!next) {
			bad_item(r, name, i, s, "a number within float32", e);
			return NULL;
		}
		i++;
		next = scan_space(next);
	}
	*n = i;
	return v;
}

const struct js *record_js(struct record *r, const char *name, struct err *e)
{
	const struct record_field *f = find(r, name, strlen(name));
	struct record_chunk *c;
	struct err why;
	struct js *j;

	if (!f) {
		record_error(r, e, "'%s' is missing", name);
		return NULL;
	}
	j = js_parse(value_of(r, f), f->value_len, name, &why);
	if (!j) {
		record_error(r, e, "%s", why.msg);
		return NULL;
	}
	c = add_chunk(r, 2048);         /* a new one: each holds one document */
	c->doc = j;
	return j;
}

struct named *record_named(struct record *r, const char *name, size_t *n, struct err *e)
{
	const struct js *j = record_js(r, name, e);
	struct js_iter it = js_each(j);
	struct named *v;
	size_t i = 0;

	if (!j)
		return NULL;
	if (!js_is_object(j)) {
		record_error(r, e, "'%s' is %s, not an object of numbers", name, js_type(j));
		return NULL;
	}
	v = give(r, js_size(j) * sizeof *v);
	for (; js_next(&it); i++) {
		if (!js_is_number(it.value) && !js_is_null(it.value)) {
			record_error(r, e, "'%s'.'%s' is %s, not a number", name, it.key, js_type(it.value));
			return NULL;
		}
		v[i] = (struct named){it.key, js_is_null(it.value) ? NAN : js_number(it.value)};
	}
	*n = i;
	return v;
}

/* ---- setting ---- */

/* The field of that name, made if there is none; what is added to r->fresh until set_done is its value. */
static size_t set_begin(struct record *r, const char *name)
{
	size_t len = strlen(name);
	struct record_field *f = find(r, name, len);

	if (!f) {
		r->field = xgrow(r->field, &r->cap, r->n + 1, sizeof *r->field);
		f = &r->field[r->n++];
		*f = (struct record_field){.name = r->fresh.n, .name_len = (uint32_t)len, .name_fresh = true};
		buf_add(&r->fresh, name, len);
	}
	f->value = r->fresh.n;
	f->value_fresh = true;
	r->changed = true;
	return (size_t)(f - r->field);
}

static void set_done(struct record *r, size_t field)
{
	struct record_field *f = &r->field[field];

	assert(r->fresh.n - f->value <= SCAN_LONGEST);
	f->value_len = (uint32_t)(r->fresh.n - f->value);
	buf_char(&r->fresh, 0);         /* numbers are read up to a byte that is no part of them */
}

void record_set_string(struct record *r, const char *name, const char *s, size_t n)
{
	size_t f = set_begin(r, name);

	emit_string(&r->fresh, s, n);
	set_done(r, f);
}

void record_set_str(struct record *r, const char *name, const char *s)
{
	record_set_string(r, name, s, strlen(s));
}

void record_set_int(struct record *r, const char *name, int64_t value)
{
	size_t f = set_begin(r, name);

	emit_int(&r->fresh, value);
	set_done(r, f);
}

void record_set_uint(struct record *r, const char *name, uint64_t value)
{
	size_t f = set_begin(r, name);

	buf_printf(&r->fresh, "%llu", (unsigned long long)value);
	set_done(r, f);
}

void record_set_number(struct record *r, const char *name, double value)
{
	size_t f = set_begin(r, name);

	emit_number(&r->fresh, value);
	set_done(r, f);
}

void record_set_bool(struct record *r, const char *name, bool value)
{
	size_t f = set_begin(r, name);

	buf_str(&r->fresh, value ? "true" : "false");
	set_done(r, f);
}

void record_set_null(struct record *r, const char *name)
{
	size_t f = set_begin(r, name);

	buf_str(&r->fresh, "null");
	set_done(r, f);
}

void record_set_ints(struct record *r, const char *name, const int32_t *v, size_t n)
{
	size_t f = set_begin(r, name);

	emit_ints(&r->fresh, v, n);
	set_done(r, f);
}

void record_set_floats(struct record *r, const char *name, const float *v, size_t n)
{
	size_t f = set_begin(r, name);

	emit_floats(&r->fresh, v, n);
	set_done(r, f);
}

void record_set_named(struct record *r, const char *name, const struct named *v, size_t n)
{
	size_t f = set_begin(r, name), i;

	buf_char(&r->fresh, '{');
	for (i = 0; i < n; i++) {
		if (i)
			buf_char(&r->fresh, ',');
		emit_string(&r->fresh, v[i].name, strlen(v[i].name));
		buf_char(&r->fresh, ':');
		emit_number(&r->fresh, v[i].value);
	}
	buf_char(&r->fresh, '}');
	set_done(r, f);
}

void record_set_js(struct record *r, const char *name, const struct js *j)
{
	size_t f = set_begin(r, name);

	js_write(j, 0, &r->fresh);
	set_done(r, f);
}

void record_remove(struct record *r, const char *name)
{
	struct record_field *f = find(r, name, strlen(name));

	if (f)
		f->removed = r->changed = true;
}

/* ---- writing ---- */

/* Where a record goes: `to` and, if there is a `put`, from there on in pieces, so that a long record is not held twice. */
struct sink {
	struct buf *to;
	record_put_fn *put;
	void *arg;
};

#define PIECE ((size_t)64 << 10)

static void add(const struct sink *k, const void *p, size_t n)
{
	if (!k->put || k->to->n + n <= PIECE) {
		buf_add(k->to, p, n);
		return;
	}
	if (k->to->n)
		k->put(k->arg, k->to->p, k->to->n);
	buf_clear(k->to);
	k->put(k->arg, p, n);
}

/* The fields that were not read, from the first: `any` says whether others stand before them, `spaced` how the line is set. */
static void write_new(const struct record *r, bool any, bool spaced, const struct sink *k)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		const struct record_field *f = &r->field[i];

		if (f->was_read || f->removed)
			continue;
		if (any)
			add(k, ", ", spaced ? 2 : 1);
		any = true;
		emit_string(k->to, name_of(r, f), f->name_len);
		add(k, ": ", spaced ? 2 : 1);
		add(k, value_of(r, f), f->value_len);
	}
}

static void write_record(const struct record *r, const struct sink *k)
{
	const char *raw = r->raw.n ? r->raw.p : "{}";
	size_t done = 0;                /* raw[0, done) has been dealt with */
	size_t end = r->raw.n ? r->raw.n : 2, i, last = SIZE_MAX;
	bool any = false, spaced = false;

	if (!r->changed) {
		add(k, raw, end);
		return;
	}
	for (i = 0; i < r->n && r->field[i].was_read; i++)
		if (!r->field[i].removed)
			last = i;
	if (r->n && r->field[0].was_read)
		spaced = raw[r->field[0].from - 1] == ' ';
	for (i = 0; i < r->n && r->field[i].was_read; i++) {
		const struct record_field *f = &r->field[i];

		if (f->removed) {       /* with the comma before it or, where none is left before it, the one behind */
			size_t from = any ? f->begin - 1 : f->begin;

			add(k, raw + done, from - done);
			done = any || raw[f->end] != ',' ? f->end : f->end + 1;
			continue;
		}
		any = true;
		if (f->value_fresh) {
			add(k, raw + done, f->from - done);
			add(k, value_of(r, f), f->value_len);
			done = f->to;
		}
		if (i == last) {
			add(k, raw + done, f->to - done);
			done = f->to;
			write_new(r, true, spaced, k);
		}
	}
	if (!any) {
		const char *brace = memchr(raw + done, done ? '}' : '{', end - done);
		size_t until = (size_t)(brace - raw) + !done;

		add(k, raw + done, until - done);
		done = until;
		write_new(r, false, spaced, k);
	}
	add(k, raw + done, end - done);
}

void record_write(const struct record *r, struct buf *to)
{
	write_record(r, &(struct sink){.to = to});
}

void record_write_pieces(const struct record *r, struct buf *room, record_put_fn *put, void *arg)
{
	buf_clear(room);
	write_record(r, &(struct sink){room, put, arg});
	if (room->n)
		put(arg, room->p, room->n);
}
