/* err.h - errors as values
 *
 * A function that can fail on its input takes a `struct err *` last, returns 0 on success and -1 on failure, and on failure
 * leaves one line of text (no newline, no program name) that tells a person what is wrong and where:
 *
 *     struct err e;
 *     if (ckpt_load(&m, "run/policy", &e) < 0)
 *         return tool_fail(&e);            // r1-sample: run/policy/config.json: 'hidden_size' is missing
 *
 * Bugs assert. Out of memory dies (mem.h). Nothing in lib/ exits otherwise or prints to stdout.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
	char msg[1024];
};

/* Both overwrite e->msg (e may be NULL) and return -1, so that `return err_set(e, ...)` reads well. */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* As err_set, with ": " and the text of errno behind. */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "text: " in front of the message that is there; returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
