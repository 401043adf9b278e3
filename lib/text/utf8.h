/* utf8.h - UTF-8: decoding, checking, and repair of what is none
 *
 *     for (size_t i = 0; i < n; i += len) {
 *             uint32_t c;
 *             len = utf8_decode(s + i, n - i, &c);            // c is UTF8_BAD for bytes that are no UTF-8
 *             ...
 *     }
 *
 * Bad bytes are dealt with as in the Unicode standard (3.9, "maximal subpart" practice) and as Python's errors='replace' does:
 * each longest prefix of a well-formed sequence, or else each single byte, becomes one U+FFFD. Surrogates, overlong forms and
 * code points over U+10FFFF are bad.
 */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define UTF8_BAD UINT32_MAX

/* Bytes of the first character of s (n > 0): 1 to 4. *c is its code point, or UTF8_BAD for a bad sequence (of 1 to 3 bytes). */
size_t utf8_decode(const char *s, size_t n, uint32_t *c);
size_t utf8_encode(uint32_t c, char to[4]);                     /* c is a code point that is no surrogate; 1 to 4 */
size_t utf8_prefix(const char *s, size_t n);                     /* bytes of s before the first bad one; n if there is none */
void utf8_replace(const char *s, size_t n, struct buf *to);     /* adds s with U+FFFD in the place of what is bad */

#endif
