/* emit.h - JSON text written piece by piece, UTF-8 made clean, numbers in their shortest form
 *
 *     struct buf b = {0};
 *     emit_string(&b, bytes, n);                      // "quoted", escaped; bytes that are no UTF-8 become U+FFFD
 *     emit_float32(&b, -0.1f);                        // -0.1
 *     emit_number(&b, 1.0);                           // 1.0
 *
 * A real number is always written as one (with a point or an exponent), so that a column keeps its type; the digits are the
 * fewest that give the same double (or float32) back. JSON has no NaN and no infinity: they are written as null.
 */
#ifndef RECORD_EMIT_H
#define RECORD_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void emit_string(struct buf *to, const char *s, size_t n);
void emit_int(struct buf *to, int64_t i);
void emit_number(struct buf *to, double x);
void emit_float32(struct buf *to, float x);
void emit_ints(struct buf *to, const int32_t *v, size_t n);                     /* an array */
void emit_floats(struct buf *to, const float *v, size_t n);                     /* an array */

/* Members of an object whose brace was the last thing written, or some member of it: a comma where one is due, "key":, the value. */
void emit_key(struct buf *to, const char *key);                                 /* the value is the caller's */
void emit_member_int(struct buf *to, const char *key, int64_t i);
void emit_member_number(struct buf *to, const char *key, double x);
void emit_member_bool(struct buf *to, const char *key, bool x);
void emit_member_string(struct buf *to, const char *key, const char *s);        /* NULL: null */

/* The length of the valid UTF-8 sequence that s begins with (no overlong form, no surrogate), or 0 if there is none within
 * n bytes; *bad, where asked for, is then how many bytes one U+FFFD stands for (at least 1). */
size_t utf8_length(const char *s, size_t n, size_t *bad);
bool utf8_valid(const char *s, size_t n);
void utf8_clean(struct buf *to, const char *s, size_t n);                       /* a copy, with U+FFFD for what is invalid */

/* The float32 nearest to a value that d is the double nearest to. d and the value lie on the same side of every midpoint
 * between two float32, since these are doubles, unless d itself is one: false then, and where float32 have fewer bits or end. */
bool float32_of_double(double d, float *x);

#endif
