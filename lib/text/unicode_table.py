#!/usr/bin/env python3
"""unicode_table.py > unicode_table.h: characters that the reference (the PyPI package `tokenizers`) knows and Unicode 14 does not

PCRE2 knows as many as its version does; pattern.c adds these. Run with a Python whose unicodedata is of version 14 (3.11).
"""
import sys
import unicodedata

from c_table import table
from tokenizers import Regex, __version__, pre_tokenizers

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cf Co".split()
SCRIPTS = ("Latin Greek Cyrillic Armenian Hebrew Arabic Syriac Thaana Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada "
           "Malayalam Sinhala Thai Lao Tibetan Myanmar Georgian Hangul Ethiopic Cherokee Khmer Mongolian Hiragana Katakana Bopomofo "
           "Han Yi Balinese Javanese").split()

if unicodedata.unidata_version != "14.0.0":
    sys.exit("unicodedata is of version " + unicodedata.unidata_version)
new = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Cn"]
print("/* Made by unicode_table.py from tokenizers %s: not to be edited */" % __version__)
rows = []
for name in CATEGORIES + SCRIPTS:
    keep = pre_tokenizers.Split(Regex(r"\p{%s}" % name), "removed", invert=True)
    ranges = []
    for i in range(0, len(new), 4096):
        for piece, _ in keep.pre_tokenize_str("".join(new[i:i + 4096])):
            for c in map(ord, piece):
                if ranges and ranges[-1][1] == c - 1:
                    ranges[-1][1] = c
                else:
                    ranges.append([c, c])
    rows += ['{"%s",0x%x,0x%x},' % (name, first, last) for first, last in ranges]
table("static const struct newer newer[]", rows, 130)
