#include "base/http.h"

#include <stdlib.h>
#include <string.h>

#include <sys/resource.h>

#include <curl/curl.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/tool.h"

#define LARGEST_REPLY ((size_t)1 << 30)

struct http_request {
	struct http_request *next;
	struct http *h;
	char *url;
	bool get;
	struct buf body, reply;
	uint64_t stream;
	uint32_t tries;
	bool failed;                    /* a try of it did, and no answer has come since */
	double not_before;              /* clock_seconds */
	void *user;
	CURL *easy;                     /* under way */
	char why[CURL_ERROR_SIZE];
};

struct http {
	struct http_params p;
	char *base, *key;
	CURLM *multi;
	const char *certificates;       /* a file of those that are trusted; NULL: the system's */
	struct curl_slist *headers;
	struct http_request *waiting, **waiting_end;    /* not tried yet, in order */
	struct http_request *later;     /* to be tried again */
	struct http_request *running;
	CURL *spare[64];                /* handles to use again */
	int64_t requests, at_work;      /* all; those that are running or to be tried again */
	int64_t failed;                 /* of these */
	int spares;
};

/* ---- the key ---- */

int http_check_key(const char *key, struct err *e)
{
	const char *s;

	if (!*key)
		return err_set(e, "the key is empty");
	for (s = key; *s; s++)
		if (*s <= ' ' || *s > '~')
			return err_set(e, "the key holds a character that cannot be sent (byte %d)", (int)(s - key) + 1);
	return 0;
}

int http_read_key(const char *path, struct buf *key, struct err *e)
{
	struct buf b = {0};
	size_t from = 0, to;
	int rc = file_read(path, &b, e);

	if (rc == 0) {
		to = b.n ? strcspn(b.p, "\r\n") : 0;
		while (from < to && strchr(" \t", b.p[from]))
			from++;
		while (to > from && strchr(" \t", b.p[to - 1]))
			to--;
		buf_clear(key);
		buf_room(key, to - from + 1);
		if (to > from)
			buf_add(key, b.p + from, to - from);
		*buf_room(key, 0) = 0;
		rc = http_check_key(key->p, e);
		if (rc < 0)
			err_prefix(e, "%s", path);
	}
	buf_free(&b);
	return rc;
}

void http_mask(const struct http *h, struct buf *b)
{
	size_t n = h->key ? strlen(h->key) : 0;
	struct buf clean = {0};
	const char *p = b->p, *end = p + b->n, *q;

	if (n < 4 || b->n < n || !memmem(p, b->n, h->key, n))   /* "none", "x": not a secret, and maybe a word */
		return;
	while ((q = memmem(p, (size_t)(end - p), h->key, n))) {
		buf_add(&clean, p, (size_t)(q - p));
		buf_str(&clean, "***");
		p = q + n;
	}
	buf_add(&clean, p, (size_t)(end - p));
	buf_free(b);
	*b = clean;
}

static void mask_err(const struct http *h, struct err *e)
{
	struct buf b = {0};

	buf_str(&b, e->msg);
	http_mask(h, &b);
	err_set(e, "%s", b.p);
	buf_free(&b);
}

/* ---- libcurl ---- */

static size_t take_bytes(char *p, size_t size, size_t n, void *arg)
{
	struct http_request *q = arg;

	if (q->reply.n + size * n > LARGEST_REPLY)
		return 0;
	buf_add(&q->reply, p, size * n);
	return size * n;
}

/* http://user:password@host: what stands before the '@' of each */
static void hide_logins(struct buf *b)
{
	char *p = b->p, *at;

	while ((p = strstr(p, "://"))) {
		p += 3;
		at = memchr(p, '@', strcspn(p, " /'\""));
		if (!at)
			continue;
		memmove(p, at + 1, strlen(at + 1) + 1);
		b->n -= (size_t)(at + 1 - p);
	}
}

/* libcurl's messages and the names of headers; of what is sent and received no byte but those. */
static int show(CURL *easy, curl_infotype type, char *p, size_t n, void *arg)
{
	struct http_request *q = arg;
	struct buf b = {0};
	size_t len;

	(void)easy;
	if (type != CURLINFO_TEXT && type != CURLINFO_HEADER_IN && type != CURLINFO_HEADER_OUT)
		return 0;
	while (n) {
		for (len = 0; len < n && p[len] != '\n'; len++)
			;
		buf_clear(&b);
		buf_add(&b, p, len);
		n -= len < n ? len + 1 : len;
		p += len + 1;
		while (b.n && strchr(" \r", b.p[b.n - 1]))
			b.p[--b.n] = 0;
		if (!b.n)
			continue;
		if (!strncasecmp(b.p, "authorization:", 14) || !strncasecmp(b.p, "proxy-authorization:", 20))
			b.p[b.n = strcspn(b.p, ":") + 1] = 0;
		hide_logins(&b);
		http_mask(q->h, &b);
		tool_debug("%c %s", type == CURLINFO_TEXT ? '*' : type == CURLINFO_HEADER_IN ? '<' : '>', b.p);
	}
	buf_free(&b);
	return 0;
}

static void start(struct http *h, struct http_request *q)
{
	CURL *c = q->easy = h->spares ? h->spare[--h->spares] : curl_easy_init();

	if (!c)
		abort();
	buf_clear(&q->reply);
	q->why[0] = 0;
	q->tries++;
	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_URL, q->url);
	curl_easy_setopt(c, CURLOPT_PRIVATE, q);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "r1/" R1_VERSION);
	curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, q);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, q->why);
	if (h->certificates)
		curl_easy_setopt(c, CURLOPT_CAINFO, h->certificates);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(h->p.connect_timeout * 1000 + 0.5));
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(h->p.timeout * 1000 + 0.5));
	if (!q->get) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body.p);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n);
	}
	if (h->p.verbose) {
		curl_easy_setopt(c, CURLOPT_VERBOSE, 1L);
		curl_easy_setopt(c, CURLOPT_DEBUGFUNCTION, show);
		curl_easy_setopt(c, CURLOPT_DEBUGDATA, q);
	}
	q->next = h->running;
	h->running = q;
	curl_multi_add_handle(h->multi, c);
}

/* Off the list it is on. */
static void unlink_request(struct http_request **list, struct http_request *q)
{
	while (*list != q)
		list = &(*list)->next;
	*list = q->next;
}

static void stop(struct http *h, struct http_request *q)
{
	unlink_request(&h->running, q);
	curl_multi_remove_handle(h->multi, q->easy);
	if (h->spares < (int)(sizeof h->spare / sizeof h->spare[0]))
		h->spare[h->spares++] = q->easy;
	else
		curl_easy_cleanup(q->easy);
	q->easy = NULL;
}

static void free_request(struct http_request *q)
{
	free(q->url);
	buf_free(&q->body);
	buf_free(&q->reply);
	free(q);
}

static void drop(struct http *h, struct http_request *q)
{
	h->at_work--;
	h->requests--;
	h->failed -= q->failed;
	free_request(q);
}

/* ---- what becomes of a try ---- */

static double back_off(const struct http *h, const struct http_request *q)
{
	double wait = h->p.wait;
	uint32_t i;

	for (i = 1; i < q->tries && wait < h->p.longest_wait; i++)
		wait *= 2;
	if (wait > h->p.longest_wait)
		wait = h->p.longest_wait;
	return wait * (0.5 + 0.5 * rng_uniform(h->p.seed, hash_mix(q->stream, hash_str("back-off")), q->tries, 0));
}

static void fail(struct http *h, struct http_request *q, bool all, struct err *e)
{
	mask_err(h, e);
	h->p.failed(h->p.arg, q, all, e);
	drop(h, q);
}

static void retry(struct http *h, struct http_request *q, double at_least, struct err *e)
{
	double wait = back_off(h, q);

	if (wait < at_least)
		wait = at_least;
	err_prefix(e, "%s", q->url);
	if (at_least > h->p.longest_wait) {
		struct err why = *e;

		err_set(e, "%.900s; it asks for a wait of %.0f s", why.msg, at_least);
	}
	mask_err(h, e);
	tool_debug("%s (try %u of %lld, the next in %.3f s)", e->msg, q->tries, (long long)h->p.tries, wait);
	if (q->tries >= h->p.tries) {
		struct err last = *e;

		err_set(e, "%.900s (%u tr%s)", last.msg, q->tries, q->tries == 1 ? "y" : "ies");
		fail(h, q, false, e);
		return;
	}
	h->failed += !q->failed;
	if (!q->failed && h->failed == 1 && h->p.trouble)
		h->p.trouble(h->p.arg, e->msg);
	q->failed = true;
	q->not_before = clock_seconds() + wait;
	q->next = h->later;
	h->later = q;
}

/* What a transfer that failed is called: libcurl's text for it, the URL's own parts left out. */
static void tell_transfer(const struct http_request *q, CURLcode code, struct err *e)
{
	if (code == CURLE_WRITE_ERROR)
		err_set(e, "a reply of more than %zu bytes", LARGEST_REPLY);
	else
		err_set(e, "%s", q->why[0] ? q->why : curl_easy_strerror(code));
}

/* What another try, or another request, would not change */
static bool is_final(CURLcode code)
{
	return code == CURLE_URL_MALFORMAT || code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM;
}

static void finish(struct http *h, struct http_request *q, CURLcode code)
{
	long status = 0;
	curl_off_t after = 0;
	char *to = NULL;                /* where a redirect points to */
	bool over;
	struct err e = {""};

	curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(q->easy, CURLINFO_RETRY_AFTER, &after);
	curl_easy_getinfo(q->easy, CURLINFO_REDIRECT_URL, &to);
	to = to ? xstrdup(to) : NULL;   /* the handle may go */
	stop(h, q);
	if (code != CURLE_OK) {
		tell_transfer(q, code, &e);
		if (is_final(code)) {
			err_prefix(&e, "%s", q->url);
			fail(h, q, true, &e);
		} else {
			retry(h, q, 0, &e);
		}
		free(to);
		return;
	}
	*buf_room(&q->reply, 0) = 0;
	switch (h->p.reply(h->p.arg, q, status, q->reply.p, q->reply.n, &e)) {
	case HTTP_TAKEN:
		over = q->failed && h->failed == 1;
		drop(h, q);
		if (over && h->p.trouble)
			h->p.trouble(h->p.arg, NULL);
		break;
	case HTTP_AGAIN:
		retry(h, q, (double)after, &e);
		break;
	case HTTP_CHANGED:
		q->tries = 0;
		start(h, q);
		break;
	case HTTP_REFUSED:
		if (to) {
			struct err why = e;

			err_set(&e, "%.400s, which points to %.400s", why.msg, to);
		}
		err_prefix(&e, "%s", q->url);
		fail(h, q, false, &e);
		break;
	}
	free(to);
}

/* ---- outside ---- */

static int check_base(const char *base, struct err *e)
{
	const char *host = strstr(base, "://");
	size_t n;

	if (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0)
		return err_set(e, "%s: is no URL that begins with http:// or https://", base);
	host += 3;
	n = strcspn(host, "/?#");
	if (memchr(host, '@', n))
		return err_set(e, "a user's name or password has no place in the URL, where others see it: put the key into a file");
	if (n == 0)
		return err_set(e, "%s: names no host", base);
	if (strpbrk(host, "?# \t\r\n"))
		return err_set(e, "%.*s...: is the place where the API begins, without '?', '#' and blanks", (int)(host - base + (ptrdiff_t)n), base);
	return 0;
}

/* A connection takes a descriptor, and some are others'. How many may be open is raised as far as it goes, and as many requests are made at once. */
static int64_t room_for(int64_t at_once)
{
	const rlim_t others = 64, need = (rlim_t)at_once + others;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= need)
		return at_once;
	l.rlim_cur = l.rlim_max < need ? l.rlim_max : need;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= need)
		return at_once;
	return l.rlim_cur > others ? (int64_t)(l.rlim_cur - others) : 1;
}

struct http *http_open(const struct http_params *p, struct err *e)
{
	struct http *h;
	size_t n;

	if (check_base(p->base, e) < 0 || (p->key && http_check_key(p->key, e) < 0))
		return NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_set(e, "libcurl does not start");
		return NULL;
	}
	h = xcalloc(1, sizeof *h);
	h->p = *p;
	h->p.at_once = room_for(p->at_once);
	if (h->p.at_once < p->at_once)
		tool_note("no more than %lld requests at once: more files may not be open (ulimit -n)", (long long)h->p.at_once);
	h->base = xstrdup(p->base);
	for (n = strlen(h->base); n && h->base[n - 1] == '/'; n--)
		h->base[n - 1] = 0;
	h->waiting_end = &h->waiting;
	h->certificates = getenv("SSL_CERT_FILE");
	if (h->certificates && !*h->certificates)
		h->certificates = NULL;
	h->multi = curl_multi_init();
	h->headers = curl_slist_append(NULL, "Content-Type: application/json");
	h->headers = curl_slist_append(h->headers, "Expect:");
	if (p->key) {
		char *line = xasprintf("Authorization: Bearer %s", p->key);

		h->key = xstrdup(p->key);
		h->headers = curl_slist_append(h->headers, line);
		free(line);
	}
	if (!h->multi || !h->headers)
		abort();
	return h;
}

void http_close(struct http *h)
{
	struct http_request *q;

	if (!h)
		return;
	while ((q = h->running)) {
		stop(h, q);
		free_request(q);
	}
	while ((q = h->later)) {
		h->later = q->next;
		free_request(q);
	}
	while ((q = h->waiting)) {
		h->waiting = q->next;
		free_request(q);
	}
	while (h->spares)
		curl_easy_cleanup(h->spare[--h->spares]);
	curl_multi_cleanup(h->multi);
	curl_slist_free_all(h->headers);
	curl_global_cleanup();
	free(h->base);
	free(h->key);
	free(h);
}

void http_add(struct http *h, const char *path, const char *body, size_t n, uint64_t stream, void *user)
{
	struct http_request *q = xcalloc(1, sizeof *q);

	q->h = h;
	q->url = xasprintf("%s%s", h->base, path);
	q->get = !body;
	q->stream = stream;
	q->user = user;
	if (body)
		buf_add(&q->body, body, n);
	*h->waiting_end = q;
	h->waiting_end = &q->next;
	h->requests++;
}

void *http_user(const struct http_request *q)
{
	return q->user;
}

void http_change(struct http_request *q, const char *body, size_t n)
{
	buf_clear(&q->body);
	buf_add(&q->body, body, n);
}

int64_t http_busy(const struct http *h)
{
	return h->requests;
}

/* Starts what is due; how long to wait until more is, at most ms. */
static int start_due(struct http *h, int ms)
{
	struct http_request **list = &h->later, *q;
	double now = clock_seconds();

	while ((q = *list)) {
		if (q->not_before <= now) {
			*list = q->next;
			start(h, q);
			continue;
		}
		if ((q->not_before - now) * 1000 < ms)
			ms = (int)((q->not_before - now) * 1000) + 1;
		list = &q->next;
	}
	while (h->waiting && h->at_work < h->p.at_once) {
		q = h->waiting;
		h->waiting = q->next;
		if (!h->waiting)
			h->waiting_end = &h->waiting;
		h->at_work++;
		start(h, q);
	}
	return ms;
}

void http_step(struct http *h, int ms)
{
	CURLMsg *m;
	int running, left;

	ms = start_due(h, ms);
	curl_multi_perform(h->multi, &running);
	if (running || h->later) {
		m = curl_multi_info_read(h->multi, &left);
		if (!m)
			curl_multi_poll(h->multi, NULL, 0, ms, NULL);
	} else {
		m = curl_multi_info_read(h->multi, &left);
	}
	for (; m; m = curl_multi_info_read(h->multi, &left)) {
		struct http_request *q;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&q);
		finish(h, q, m->data.result);
	}
}
