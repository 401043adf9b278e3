/* profile.h - languages of one script told apart: which of a text's Latin words stand in another language than the one that is asked for
 *
 *     int64_t other = profile_foreign(reasoning, n, "en");             // of the words that script_count counts as SCRIPT_LATIN
 *
 * By small lists of the words that every text is full of (profile_table.py: en, fr, de, es, it, pt, nl). A word on lists speaks for the languages
 * that have it and against the others, a word on none for nobody; a text is cut into languages so that the fewest words speak against it, where
 * each change of language weighs as much as two words (Viterbi over the words, ties go to the language that is asked for). So a name, a
 * quoted word or a short text without any such word changes nothing, and a clause in another language is found within a sentence, too.
 */
#ifndef TEXT_PROFILE_H
#define TEXT_PROFILE_H

#include <stddef.h>
#include <stdint.h>

int64_t profile_foreign(const char *s, size_t n, const char *tag);      /* 0 where there is none. Linear in n */

#endif
