/* nfc.h - Unicode normalization form C (UAX #15): characters composed as far as they go
 *
 *     struct buf b = {0};
 *     if (!nfc_is_normal(s, n)) {
 *             nfc_normalize(s, n, &b);
 *             s = b.p, n = b.n;
 *     }
 *
 * s is valid UTF-8 in both. The characters are those that the reference tokenizers normalize, of Unicode 9: what came later is taken to
 * stand alone, since texts would get other ids otherwise.
 */
#ifndef TEXT_NFC_H
#define TEXT_NFC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* A quick look: true is certain (and usual), false may be wrong. */
bool nfc_is_normal(const char *s, size_t n);
void nfc_normalize(const char *s, size_t n, struct buf *to);    /* appends */

#endif
