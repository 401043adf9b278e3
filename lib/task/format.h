/* format.h - does a completion keep to the paper's tags?  <think> reasoning </think> <answer> answer </answer>
 *
 *     const char *why = format_fault(text, n, prefilled, FORMAT_ANSWER);      // NULL: it does
 *
 * Each tag stands once, in this order, and there is nothing but blanks before, between and behind the two parts. A prompt that ends
 * with <think> has opened it: then the completion must not.
 */
#ifndef TASK_FORMAT_H
#define TASK_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

enum format {
	FORMAT_ANSWER,          /* as above */
	FORMAT_THINK            /* <think> reasoning </think>, and a text that is not blank behind it */
};

/* NULL, or what is wrong: "</think> is missing". Static text. */
const char *format_fault(const char *s, size_t n, bool prefilled, enum format format);

#endif
