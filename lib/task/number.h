/* number.h - numbers as people write them, found in a text */
#ifndef TASK_NUMBER_H
#define TASK_NUMBER_H

#include <stddef.h>

/* The last number that stands in a text (1,234.5 or -3/4; not part of a word as in x2): where it begins, or NULL; *len. */
const char *number_last(const char *s, size_t n, size_t *len);

#endif
