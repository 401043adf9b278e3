/* http.h - many requests to one web server at once, each tried again until it is answered; the only file that sees libcurl
 *
 *     struct http_params p = {.base = "http://localhost:8000/v1", .key = key, .at_once = 64, .tries = 16, .wait = 0.5,
 *                             .longest_wait = 60, .connect_timeout = 10, .timeout = 1800, .reply = on_reply, .failed = on_failed, .arg = x};
 *     struct http *h = http_open(&p, &e);
 *
 *     http_add(h, "/completions", body, n, stream, user);             // takes a copy of the body; NULL: a GET
 *     while (http_busy(h))
 *             http_step(h, 100);                                      // waits 100 ms at most; calls on_reply and on_failed
 *     http_close(h);
 *
 * Whatever status a server answers with goes to `reply`, which says what becomes of the request. A connection that fails, breaks off
 * or takes too long is tried again by itself, unless the server's certificate is at fault (those of the environment's SSL_CERT_FILE are
 * trusted, or the system's). Between two tries there is a wait of `wait` seconds, doubled each time up to
 * `longest_wait`, of which a part between a half and the whole is taken: a draw keyed by (seed, stream, try). A server that says
 * Retry-After is not asked before. A request that waits keeps its place among the `at_once`, so that a server in trouble is asked less.
 *
 * The key goes into the Authorization header and nowhere else: redirects are not followed, and http_mask takes it out of whatever
 * a server may have sent back, which every message from here has gone through.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum http_verdict {
	HTTP_TAKEN,                     /* the request is done */
	HTTP_AGAIN,                     /* not usable: try again after a wait; e says why */
	HTTP_CHANGED,                   /* try again at once, with the body that http_change gave it */
	HTTP_REFUSED                    /* no use in trying again: e goes to `failed` */
};

struct http_request;                    /* one that was added; lives until it is taken or has failed */

struct http_params {
	const char *base;               /* http://... or https://..., borrowed until http_open returns */
	const char *key;                /* NULL: none. Copied */
	double connect_timeout, timeout;        /* seconds; for the whole of one try */
	int64_t at_once, tries;
	double wait, longest_wait;      /* seconds */
	uint64_t seed;
	bool verbose;                   /* libcurl's own messages, by tool_debug */
	/* status: 200, 503, ...; body has a NUL behind it. */
	enum http_verdict (*reply)(void *arg, struct http_request *q, long status, const char *body, size_t n, struct err *e);
	void (*failed)(void *arg, struct http_request *q, bool all, const struct err *e);       /* all: as every other request would */
	/* NULL, or: trouble begins (why), and is over (NULL): all whose tries failed have been answered */
	void (*trouble)(void *arg, const char *why);
	void *arg;
};

struct http;

struct http *http_open(const struct http_params *p, struct err *e);     /* NULL and e: not an http URL, or one with a password in it */
void http_close(struct http *h);                                        /* what is under way is given up; NULL is fine */

void http_add(struct http *h, const char *path, const char *body, size_t n, uint64_t stream, void *user);
void *http_user(const struct http_request *q);
void http_change(struct http_request *q, const char *body, size_t n);
int64_t http_busy(const struct http *h);                                /* requests that are not done */
void http_step(struct http *h, int ms);

/* A key: the first line of a file, blanks around it taken off. -1 and e (without any of it) if there is none, or it cannot be sent. */
int http_read_key(const char *path, struct buf *key, struct err *e);
int http_check_key(const char *key, struct err *e);
/* Every occurrence of the key in b becomes "***". */
void http_mask(const struct http *h, struct buf *b);

#endif
