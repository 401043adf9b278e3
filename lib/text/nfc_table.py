#!/usr/bin/env python3
"""nfc_table.py > nfc_table.h: the tables of nfc.c, from Python's unicodedata

The reference (the PyPI package `tokenizers`) normalizes by an older version of Unicode than it has for its categories: characters that
it does not know are left out. (Those it knows are normalized alike in all versions.)
"""
import sys
import unicodedata as u

from c_table import table
from tokenizers import __version__, normalizers

nfc = normalizers.NFC().normalize_str
nfd = normalizers.NFD().normalize_str


def combining(c):
    """The class, or 0 where the reference does not move the mark past one of class 1 or 240"""
    ccc = u.combining(chr(c))
    text = 'a' + chr(c) + '\u0334' if ccc > 1 else 'a\u0345' + chr(c)
    return ccc if ccc and nfd(text) != text else 0


points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
hangul = range(0xAC00, 0xD7A4)

decompositions = []     # (code point, first, second or 0), canonical ones
for c in points:
    d = u.decomposition(chr(c))
    if d and not d.startswith('<') and nfd(chr(c)) != chr(c):
        parts = [int(x, 16) for x in d.split()]
        decompositions.append((c, parts[0], parts[1] if len(parts) > 1 else 0))
composes = [(a, b, i) for i, (c, a, b) in enumerate(decompositions)
            if b and nfc(chr(a) + chr(b)) == chr(c)]
seconds = {b for _, b, _ in composes} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
composed = {decompositions[i][0] for _, _, i in composes}
excluded = {c for c, _, _ in decompositions if c not in composed}

# Ranges of characters that may be changed by what stands around them or in themselves, with their combining class
ranges = []
for c in points:
    ccc = combining(c)
    if not ccc and c not in seconds and c not in excluded:
        continue
    if ranges and ranges[-1][1] == c - 1 and ranges[-1][2] == ccc:
        ranges[-1][1] = c
    else:
        ranges.append([c, c, ccc])

print('/* Made by nfc_table.py from Unicode %s and tokenizers %s: not to be edited */' % (u.unidata_version, __version__))
table('static const struct nfc_range nfc_ranges[%d]' % len(ranges), ['{0x%x,0x%x,%d},' % tuple(r) for r in ranges], 118)
table('static const struct nfc_split nfc_splits[%d]' % len(decompositions), ['{0x%x,0x%x,0x%x},' % d for d in decompositions], 118)
print('/* Those of nfc_splits that compose, by their two parts */')
table('static const uint16_t nfc_joins[%d]' % len(composes), ['%d,' % i for _, _, i in sorted(composes)], 118)
if unknown := [c for c, _, _ in decompositions if c in hangul]:
    sys.exit('Hangul syllables are done by rule: %r' % unknown)
