/* jinja.h - which of the known chat templates is this one?  (A template language is not run, it is recognised.)
 *
 *     struct jinja_match m;
 *     if (jinja_recognise(text, n, &m))               // of tokenizer_config.json's 'chat_template' or of chat_template.jinja
 *             use(m.format, m.system);                // "qwen3", NULL
 *     buf_free(&m.system);
 *
 * The template is brought into a normal form: comments and the white space that Jinja drops are gone, strings have one kind of quotes,
 * x['role'] is x.role. Then it is looked up by a digest of that form, the default system message left out of it. One that is not found
 * may still be a later edition of a known one: it is taken for that if it holds the parts that fix how its turns come out, and none that
 * would change them. What a template does with tools, images and documents is of no account here; nobody hands them to it.
 */
#ifndef TEXT_JINJA_H
#define TEXT_JINJA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct jinja_match {
	const char *format;             /* a name that template_open knows */
	bool exact;                     /* known to the letter; else by its parts, and maybe changed elsewhere */
	struct buf system;              /* the system message that stands in where there is none; empty: none does */
};

bool jinja_recognise(const char *text, size_t n, struct jinja_match *m);

/* What an exact template is looked up by: tests and those who add one to jinja.c want to know it. 0: it has no normal form. */
uint64_t jinja_digest(const char *text, size_t n);

/* The normal form. False: it does not end, or it prints text that stands outside of its tags. */
bool jinja_normalise(const char *text, size_t n, struct buf *to);

#endif
