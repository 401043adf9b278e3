/* reflect.h - words that tell of a second look: how often a text says 'wait'
 *
 *     struct reflect *w = reflect_open(REFLECT_WORDS, &e);
 *     int64_t times = reflect_count(w, text, n);
 *     reflect_close(w);
 *
 * Capitals do not matter, a blank in a phrase stands for any blanks; a phrase that begins or ends with an ASCII letter does so at the
 * border of a word ("wait" is not in "waiter"). Where several begin at one place the longest counts, once.
 */
#ifndef TASK_REFLECT_H
#define TASK_REFLECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define REFLECT_WORDS \
	"wait,however,let me check,let me verify,let me reconsider,double-check,double check,recheck,re-check,verify,mistake,retry," \
	"rethink,reevaluate,re-evaluate,on second thought,hold on,等等,重新,检查,验证,不对,再想"

struct reflect;

struct reflect *reflect_open(const char *words, struct err *e);         /* comma separated; NULL and e if one is empty */
void reflect_close(struct reflect *w);
int64_t reflect_count(const struct reflect *w, const char *s, size_t n);

#endif
