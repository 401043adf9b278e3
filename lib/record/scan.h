/* scan.h - private to lib/record: JSON text read in place, once, strictly, without building anything
 *
 *     struct record_field *f = NULL;
 *     size_t n, cap = 0;
 *     struct scan_fault fault;
 *     if (scan_object(line, len, &f, &n, &cap, &fault) < 0)
 *             ... fault.at, fault.what ...
 *
 * The text must have a NUL behind its last byte (struct buf does that). Only what scan_object has accepted may be given to the
 * other functions, which do not check again.
 */
#ifndef RECORD_SCAN_H
#define RECORD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SCAN_DEPTH 2048         /* values inside one another, as Jansson counts */
#define SCAN_LONGEST 0x7fffffff /* bytes of a line */

/* A field of a record. A name or value is text of the line or, if it is `fresh`, of the record's buffer of what was set. */
struct record_field {
	uint32_t begin, end;    /* of its part of the line: from behind '{' or ',' up to the ',' or '}' */
	uint32_t from, to;      /* its value there */
	uint32_t name_len, value_len;
	size_t name, value;     /* as it now is; the name is without quotes, and decoded if it is fresh */
	bool was_read, name_escaped, name_fresh, value_fresh, removed;
};

struct scan_fault {
	size_t at;
	const char *what;       /* "a string that does not end" */
};

/* The fields of the object that the n bytes hold, with nothing but white space around it. *n is right also on failure: the
 * fields before the fault. Does not look for names that repeat. */
int scan_object(const char *s, size_t len, struct record_field **f, size_t *n, size_t *cap, struct scan_fault *fault);

const char *scan_space(const char *p);                  /* the first byte that is no white space */
const char *scan_number(const char *p);                 /* the end of the number at p; NULL if there is none */

/* The number at p and its end; NULL if it is none, or out of range. */
const char *scan_int(const char *p, int64_t *value);    /* also 3.0 and 3e2 */
const char *scan_float32(const char *p, float *value);  /* the nearest float32 */

/* What a string means: s is the text inside its quotes. */
void scan_unescape(struct buf *to, const char *s, size_t n);
size_t scan_unescape_into(char *to, const char *s, size_t n);   /* to has room for n bytes; returns how many were needed */

struct record;
struct err;
/* Makes r of the line that is in r->raw; the message tells place and id. */
int record_take(struct record *r, const char *file, int64_t line, struct err *e);

#endif
