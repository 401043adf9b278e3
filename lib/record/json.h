/* json.h - JSON documents (config.json, tokenizer.json, safetensors headers): a thin layer over Jansson, which nothing above sees
 *
 *     struct js *j = js_read("config.json", &e);
 *     const struct js *h = js_get(j, "hidden_size");               // borrowed; NULL if absent
 *     int64_t width = js_is_int(h) ? js_int(h) : 0;
 *     js_free(j);
 *
 * Values got out of a document are borrowed from it and end with it. js_set and js_push take over the child. Every reader
 * accepts NULL (is_... false, size 0).
 */
#ifndef RECORD_JSON_H
#define RECORD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct js;

bool js_is_utf16(const char *text, size_t n);                   /* by the byte order mark that a file begins with */
struct js *js_read(const char *path, struct err *e);                            /* "path:line:column: what" on error */
struct js *js_parse(const char *text, size_t n, const char *name, struct err *e);
void js_free(struct js *j);

bool js_is_object(const struct js *j);
bool js_is_array(const struct js *j);
bool js_is_string(const struct js *j);
bool js_is_int(const struct js *j);
bool js_is_number(const struct js *j);
bool js_is_bool(const struct js *j);
bool js_is_null(const struct js *j);                                            /* true for JSON null, false for NULL */
const char *js_type(const struct js *j);                                        /* "a string", "an object", ..., "missing" */

const struct js *js_get(const struct js *object, const char *key);
size_t js_size(const struct js *j);                                             /* members or items */
const struct js *js_at(const struct js *array, size_t i);
int64_t js_int(const struct js *j);                                             /* 0 if it is none */
double js_number(const struct js *j);
bool js_bool(const struct js *j);
const char *js_string(const struct js *j, size_t *n);                           /* NULL if none; n may be NULL */

/* for (struct js_iter it = js_each(object); js_next(&it);) use(it.key, it.value);   in the file's order */
struct js_iter {
	const char *key;
	size_t key_len;
	const struct js *value;
	void *object, *at;
};
struct js_iter js_each(const struct js *object);
bool js_next(struct js_iter *it);

struct js *js_object(void);
struct js *js_array(void);
struct js *js_new_string(const char *s, size_t n);                              /* bytes that are no UTF-8 become U+FFFD */
struct js *js_new_str(const char *s);                                           /* the same, up to its NUL */
struct js *js_new_int(int64_t i);
struct js *js_new_number(double x);                                             /* asserts that x is finite */
struct js *js_new_bool(bool b);
struct js *js_new_null(void);
struct js *js_copy(const struct js *j);                                         /* deep */
void js_set(struct js *object, const char *key, struct js *child);
void js_remove(struct js *object, const char *key);                             /* if it is there */
void js_push(struct js *array, struct js *child);
void js_write(const struct js *j, int indent, struct buf *to);                  /* indent 0: one line */

#endif
