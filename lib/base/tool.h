/* tool.h - what every program of bin/ does the same way: common options, messages, signals, the end
 *
 *     int main(int argc, char **argv)
 *     {
 *             struct tool t = {.name = "r1-filter", .usage = "[OPTION]... [FILE]...", .summary = "Keep or reject completions"};
 *             struct opt opts[] = { ..., TOOL_OPTIONS(&t), OPT_END };
 *             struct err e;
 *             int rc = tool_begin(&t, opts, &argc, &argv);
 *
 *             if (rc >= 0)
 *                     return rc;                      // --help, --version or a usage error
 *             if (work(&e) < 0)
 *                     return tool_fail(&t, &e);       // 1
 *             return tool_end(&t);                    // flushes and checks stdout; 0, 1 or 3
 *     }
 *
 * Exit codes: 0 done, 1 bad input or a failed write (of a pipe that nobody reads any more: without a word), 2 usage, 3 done but bad lines were skipped, 128+n ended by signal n.
 * stdout is flushed before anything is written to stderr, so that the two read in order.
 */
#ifndef BASE_TOOL_H
#define BASE_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"

#define R1_VERSION "0.1.0"

struct tool {
	const char *name, *usage, *summary, *details;
	uint64_t seed;
	int64_t threads;                /* 0: one for each core */
	const char *backend;            /* "cpu", "cpu-bf16" or "cuda" */
	bool skip_bad, quiet, verbose;
	bool speaks;                    /* a closed pipe is told, too: stdout is not all that the tool writes */
	int64_t skipped;                /* bad lines dropped under --skip-bad: the record reader counts here */
};

/* The options that mean the same in every tool. Those that a tool has no use for are left out of its table. */
#define TOOL_OPTIONS(t) \
	OPT_HEADING("Common"), \
	{"skip-bad", 0, OPT_FLAG, &(t)->skip_bad, NULL, "drop lines that cannot be used, count them, and exit 3"}, \
	{"quiet", 'q', OPT_FLAG, &(t)->quiet, NULL, "no progress and no summary"}, \
	{"verbose", 'v', OPT_FLAG, &(t)->verbose, NULL, "say more on stderr"}
#define TOOL_OPTIONS_SEED(t) {"seed", 's', OPT_UINT, &(t)->seed, "N", "seed of every random draw"}
#define TOOL_OPTIONS_COMPUTE(t) \
	{"threads", 0, OPT_INT, &(t)->threads, "N", "threads to compute with; 0: one for each core", 0, 4096}, \
	{"backend", 0, OPT_CHOICE, &(t)->backend, "cpu|cpu-bf16|cuda", "where to compute, and how"}

int tool_begin(struct tool *t, struct opt *opts, int *argc, char ***argv);     /* -1: go on; else the exit code */
int tool_usage(const struct tool *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));      /* says it; 2 */
int tool_fail(const struct tool *t, const struct err *e);                      /* says it after flushing stdout; 1 */
int tool_end(struct tool *t);                                                   /* 0, 1 or 3 */

/* A line on stderr, the program's name in front. tool_note is silenced by --quiet; tool_debug speaks under --verbose. */
void tool_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tool_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tool_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Set by SIGINT and SIGTERM: long loops look and leave in good order. tool_end then returns 128 + the signal. */
int tool_interrupted(void);

#endif
