/* progress.h - a line on stderr that says how far long work is, shown only where stderr is a terminal
 *
 *     struct progress p = progress_new("sampling", n, "completions");        // total 0: not known
 *     progress_rate(&p, "tok/s");                                            // optional: a second, faster count
 *     progress_set(&p, done, tokens);                                        // cheap: redraws ten times a second at most
 *     progress_end(&p);                                                      // wipes the line
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *title, *unit, *rate;
	int64_t total, done, count;
	double started, drawn;          /* seconds */
	bool shown;
};

struct progress progress_new(const char *title, int64_t total, const char *unit);
void progress_rate(struct progress *p, const char *rate);
void progress_set(struct progress *p, int64_t done, int64_t count);
void progress_end(struct progress *p);

double clock_seconds(void);             /* monotonic */

#endif
