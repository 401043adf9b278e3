/* Choices: the letter, A to J, with or without brackets, "option" in front or the option's text behind; that text alone, where the other has
 * letter and text; else as text. */
#include <string.h>

#include "task/answer.h"
#include "task/verifier.h"

/* 'a' to 'j', or 0. s is plain: small letters, no blanks around. A letter that begins a sentence ("a cat") is none. *text: what stands behind
 * it begins there. */
static char letter_of(const char *s, size_t n, size_t *text)
{
	static const char open[] = "([{", close[] = ")]}";
	bool said;
	size_t at = answer_lead(s, n, &said);
	const char *bracket = at < n ? strchr(open, s[at]) : NULL;
	char letter;

	if (bracket && *bracket)
		at++;
	else
		bracket = NULL;
	if (at >= n || s[at] < 'a' || s[at] > 'j')
		return 0;
	letter = s[at++];
	if (at < n ? bracket ? s[at] != close[bracket - open] : !s[at] || !strchr(").:,;*", s[at]) : bracket != NULL)
		return 0;
	for (at += at < n; at < n && s[at] == ' '; at++)
		;
	*text = at;
	return letter;
}

static bool same_letter(const struct buf *a, const struct buf *b)
{
	size_t a_text = 0, b_text = 0;
	const char letter = letter_of(a->p, a->n, &a_text), other = letter_of(b->p, b->n, &b_text);

	if (letter && other)
		return letter == other;
	return (letter || other) && a_text < a->n && b_text < b->n && a->n - a_text == b->n - b_text && !memcmp(a->p + a_text, b->p + b_text, a->n - a_text);
}

static bool same(const char *a, size_t a_n, const char *b, size_t b_n, const struct verifier_options *o, struct buf *why)
{
	(void)o, (void)why;
	return verifier_same(a, a_n, b, b_n, same_letter);
}

const struct verifier verifier_choice = {"choice", "the letter of an option; else as text", same};
