/* api - a server for the tests that speaks OpenAI's API and misbehaves on order
 *
 *     api --port-file port [--key FILE] [--log FILE] [--refuse FIELD]... [--models A,B] [--die-after N] ... &      (A,,B: one without a name)
 *     until [ -s port ]; do sleep 0.01; done
 *     r1-sample --model "http://127.0.0.1:$(cat port)/v1" ...
 *
 * A completion is a function of the prompt, the seed and the index of the choice: "PROMPT / seed 123 / choice 0", a token a word. Faults
 * are written in the prompt, one for each try of a request (told apart by its body) before it is answered:
 *
 *     What is 1+1? <<429 503*2 cut close slow empty text html nochoices nomessage array error aborted>>
 *
 *     429, 503, ... that status     cut      half a reply          close     no reply, the connection closed
 *     slow         after 2 s        empty    status 200, no body   text html no JSON
 *     page         400, no JSON
 *     wait         429, with Retry-After: 1                            later     429, with Retry-After: 86400
 *     moved        301, with a Location                                garbage   what is no HTTP, the connection closed
 *     nochoices, nomessage, array, error, aborted: JSON that is no completion
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "record/json.h"

#define MOST 512

struct client {
	int fd;
	struct buf in, out;
	size_t sent;
	double due;                     /* what is in `out` is sent from then on */
	bool close;                     /* when all is sent */
};

static struct {
	const char *key, *log, *refuse[16], *models, *reasoning, *ids, *parts, *cut;
	int refuses, die_after, port;
	bool one, echo_key, no_models, no_finish, stop_told, null_content;
	int64_t from;                   /* the index of the first choice */
	double delay;
} opt = {.models = "test-model", .cut = "length"};

static struct client client[MOST];
static int clients;
static struct map tries;
static int answered;
static const char *told_key;            /* with --echo-key: what came with the request */

/* ---- what is said ---- */

static void reply(struct client *c, int status, const char *extra, const char *body, size_t n)
{
	buf_printf(&c->out, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", status, n, extra);
	buf_add(&c->out, body, n);
}

static void say(struct client *c, int status, const char *extra, const char *fmt, ...)
{
	char text[2000];
	struct js *j = js_object(), *error = js_object();
	struct buf b = {0};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (told_key)                   /* where a long message may be cut */
		snprintf(text, sizeof text, "%-390d%s", status, told_key);
	js_set(error, "message", js_new_str(text));
	js_set(error, "type", js_new_str("test"));
	js_set(j, "error", error);
	js_write(j, 0, &b);
	reply(c, status, extra, b.p, b.n);
	buf_free(&b);
	js_free(j);
}

/* ---- completions ---- */

/* The words of s as tokens, with their logprobs, as each kind of server gives them (--ids gaps: but those of ASCII alone). Returns how many. */
static int64_t add_tokens(struct js *choice, const char *s, const struct js *ask, bool chat)
{
	int64_t count = 0;
	struct js *logprobs = js_object(), *content = js_array(), *names = js_array(), *values = js_array(), *ids = js_array();
	bool wanted = js_get(ask, "logprobs") && !(js_is_bool(js_get(ask, "logprobs")) && !js_bool(js_get(ask, "logprobs")));

	while (*s) {
		size_t n = 1 + strcspn(s + 1, " ");
		int64_t id = (int64_t)(hash_bytes(s, n) % 1000);
		double logprob = -(double)n / 8;
		char name[64];
		struct js *t = js_object();

		if (js_bool(js_get(ask, "return_tokens_as_token_ids")) && opt.ids && !strcmp(opt.ids, "names"))
			snprintf(name, sizeof name, "token_id:%lld", (long long)id);
		else
			snprintf(name, sizeof name, "%.*s", (int)n, s);
		if (opt.ids && (!strcmp(opt.ids, "content") || !strcmp(opt.ids, "gaps")))
			js_set(t, "id", js_new_int(id));
		js_set(t, "token", js_new_str(name));
		js_set(t, "logprob", js_new_number(logprob));
		count++;
		if (opt.ids && !strcmp(opt.ids, "gaps") && (unsigned char)s[n - 1] >= 0x80) {
			js_free(t);
			s += n;
			continue;
		}
		js_push(content, t);
		js_push(names, js_new_str(name));
		js_push(values, js_new_number(logprob));
		js_push(ids, js_new_int(id));
		s += n;
	}
	if (chat) {
		js_set(logprobs, "content", content);
		js_free(names);
		js_free(values);
	} else {
		js_set(logprobs, "tokens", names);
		js_set(logprobs, "token_logprobs", values);
		js_free(content);
	}
	if (wanted)
		js_set(choice, "logprobs", logprobs);
	else
		js_free(logprobs);
	if (js_bool(js_get(ask, "return_token_ids")) && opt.ids && !strcmp(opt.ids, "list"))
		js_set(choice, "token_ids", ids);
	else
		js_free(ids);
	return count;
}

/* Cuts the text at max_tokens words and in front of a stop string. */
static const char *cut_text(struct buf *b, const struct js *ask, const char **stopped)
{
	const struct js *most = js_get(ask, "max_tokens") ? js_get(ask, "max_tokens") : js_get(ask, "max_completion_tokens");
	const struct js *stop = js_get(ask, "stop");
	const char *finish = "stop", *p;
	int64_t words = 0;
	size_t i;

	for (i = 0; i < js_size(stop); i++)
		if ((p = strstr(b->p, js_string(js_at(stop, i), NULL)))) {
			*stopped = js_string(js_at(stop, i), NULL);
			b->n = (size_t)(p - b->p) + (js_bool(js_get(ask, "include_stop_str_in_output")) ? strlen(*stopped) : 0);
			b->p[b->n] = 0;
		}
	for (p = b->p; *p; p++)
		if (*p == ' ' && ++words == js_int(most)) {
			b->n = (size_t)(p - b->p);
			b->p[b->n] = 0;
			finish = opt.cut;
			break;
		}
	return finish;
}

static struct js *make_choice(const struct js *ask, const char *prompt, int64_t index, bool chat, const char *got_key, int64_t *tokens)
{
	struct js *choice = js_object(), *message = js_object();
	struct buf b = {0};
	const char *finish, *stopped = NULL;

	buf_printf(&b, "%s / seed %lld / choice %lld", prompt, (long long)js_int(js_get(ask, "seed")), (long long)index);
	if (opt.echo_key && got_key)
		buf_printf(&b, " / key %s", got_key);
	finish = cut_text(&b, ask, &stopped);
	js_set(choice, "index", js_new_int(opt.from + index));
	*tokens += add_tokens(choice, b.p, ask, chat);
	if (!chat) {
		js_set(choice, "text", js_new_string(b.p, b.n));
		js_free(message);
	} else {
		js_set(message, "role", js_new_str("assistant"));
		if (opt.reasoning)
			js_set(message, opt.reasoning, js_new_str("I think so."));
		if (opt.null_content || (opt.reasoning && !strcmp(finish, opt.cut))) {
			js_set(message, "content", js_new_null());
		} else if (opt.parts) {
			struct js *parts = js_array(), *part = js_object();

			js_set(part, "type", js_new_str("text"));
			js_set(part, "text", js_new_string(b.p, b.n));
			js_push(parts, part);
			js_set(message, "content", parts);
		} else {
			js_set(message, "content", js_new_string(b.p, b.n));
		}
		js_set(choice, "message", message);
	}
	if (!opt.no_finish)
		js_set(choice, "finish_reason", js_new_str(finish));
	if (opt.stop_told && stopped)
		js_set(choice, "stop_reason", js_new_str(stopped));
	buf_free(&b);
	return choice;
}

static void complete(struct client *c, const struct js *ask, const char *prompt, bool chat, const char *got_key)
{
	struct js *j = js_object(), *choices = js_array(), *usage = js_object();
	int64_t n = js_is_int(js_get(ask, "n")) && !opt.one ? js_int(js_get(ask, "n")) : 1, k, tokens = 0;
	struct buf b = {0};

	for (k = n; k-- > 0;)           /* as some do; "index" says which is which */
		js_push(choices, make_choice(ask, prompt, k, chat, got_key, &tokens));
	js_set(usage, "completion_tokens", js_new_int(tokens));
	js_set(j, "object", js_new_str(chat ? "chat.completion" : "text_completion"));
	js_set(j, "choices", choices);
	js_set(j, "usage", usage);
	js_write(j, 0, &b);
	reply(c, 200, "", b.p, b.n);
	buf_free(&b);
	js_free(j);
	if (++answered == opt.die_after) {
		if (send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL) < 0)
			perror("api");
		_exit(9);
	}
}

/* ---- faults ---- */

/* Fault number `try` of the prompt's list, or NULL. */
static const char *find_fault(const char *prompt, int64_t try, char *word, size_t size)
{
	const char *p = strstr(prompt, "<<"), *end = p ? strstr(p, ">>") : NULL;

	if (!end)
		return NULL;
	for (p += 2; p < end; p += strspn(p, " ")) {
		size_t n = strcspn(p, " >");
		const char *star = memchr(p, '*', n);
		int64_t times = star ? strtoll(star + 1, NULL, 10) : 1;

		if (try < times) {
			snprintf(word, size, "%.*s", (int)(star ? (size_t)(star - p) : n), p);
			return word;
		}
		try -= times;
		p += n;
	}
	return NULL;
}

/* True: that was all of the answer. */
static bool misbehave(struct client *c, const char *fault)
{
	static const struct {
		const char *name, *body;
	} bodies[] = {
		{"empty", ""}, {"text", "Bad gateway"}, {"html", "<html>\n<body>busy</body></html>"}, {"array", "[1]"}, {"nochoices", "{\"choices\":[]}"},
		{"nomessage", "{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}"}, {"error", "{\"error\":{\"message\":\"upstream is gone\"}}"},
		{"aborted", "{\"choices\":[{\"index\":0,\"text\":\"x\",\"finish_reason\":\"abort\"}]}"},
	};
	size_t i;

	for (i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
		if (!strcmp(fault, bodies[i].name)) {
			reply(c, 200, "", bodies[i].body, strlen(bodies[i].body));
			return true;
		}
	if (!strcmp(fault, "page")) {           /* of a proxy that tells what it was asked */
		struct buf page = {0};

		buf_printf(&page, "%-190s%s", "<html>", told_key ? told_key : "");
		reply(c, 400, "", page.p, page.n);
		buf_free(&page);
		return true;
	}
	if (!strcmp(fault, "slow")) {
		c->due = clock_seconds() + 2;
		return false;
	}
	if (!strcmp(fault, "cut"))
		buf_str(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"choices\":[{\"index\":0,\"te");
	if (!strcmp(fault, "garbage"))
		buf_str(&c->out, "SSH-2.0-test\r\n");
	if (!strcmp(fault, "cut") || !strcmp(fault, "close") || !strcmp(fault, "garbage"))
		return c->close = true;
	if (!strcmp(fault, "wait"))
		say(c, 429, "Retry-After: 1\r\n", "slow down");
	else if (!strcmp(fault, "later"))
		say(c, 429, "Retry-After: 86400\r\n", "come again");
	else if (!strcmp(fault, "moved"))
		say(c, 301, "Location: https://elsewhere.invalid/v1\r\n", "moved");
	else
		say(c, atoi(fault), "", "this is\n%s as ordered", fault);
	return true;
}

/* ---- requests ---- */

static void list_models(struct client *c)
{
	struct js *j = js_object(), *data = js_array();
	const char *p = opt.models;
	struct buf b = {0};

	while (*p) {
		size_t n = strcspn(p, ",");
		struct js *m = js_object();

		if (n)
			js_set(m, "id", js_new_string(p, n));
		js_push(data, m);
		p += n + (p[n] == ',');
	}
	js_set(j, "data", data);
	js_write(j, 0, &b);
	reply(c, opt.no_models ? 404 : 200, "", b.p, b.n);
	buf_free(&b);
	js_free(j);
}

static bool refuse(struct client *c, const struct js *ask)
{
	int i;

	for (i = 0; i < opt.refuses; i++)
		if (js_get(ask, opt.refuse[i])) {
			say(c, 400, "", "Unrecognized request argument supplied: %s%s", opt.refuse[i],
			    strcmp(opt.refuse[i], "max_tokens") ? "" : ". Use 'max_completion_tokens' instead");
			return true;
		}
	return false;
}

static void answer(struct client *c, const char *path, const char *body, size_t n, const char *got_key)
{
	bool chat = strstr(path, "/chat/") != NULL;
	struct js *ask;
	const struct js *messages;
	const char *prompt, *fault;
	char word[64];
	struct err e;

	c->due = clock_seconds() + opt.delay;
	told_key = opt.echo_key ? got_key : NULL;
	if (opt.key && strcmp(got_key, opt.key) != 0) {
		say(c, 401, "", "Incorrect API key provided: '%s'", got_key);
		return;
	}
	if (!strcmp(path, "/v1/models")) {
		list_models(c);
		return;
	}
	ask = js_parse(body, n, "request", &e);
	messages = js_get(ask, "messages");
	prompt = js_string(chat ? js_get(js_at(messages, js_size(messages) - 1), "content") : js_get(ask, "prompt"), NULL);
	if (strcmp(path, "/v1/completions") != 0 && strcmp(path, "/v1/chat/completions") != 0)
		say(c, 404, "", "no such path: %s", path);
	else if (!ask || !prompt)
		say(c, 400, "", "bad request");
	else if (strcmp(js_string(js_get(ask, "model"), NULL), "test-model") != 0)
		say(c, 404, "", "no such model");
	else if (!refuse(c, ask) && !((fault = find_fault(prompt, (*map_put(&tries, body, n))++, word, sizeof word)) && misbehave(c, fault)))
		complete(c, ask, prompt, chat, got_key);
	js_free(ask);
}

static const char *header(const char *head, const char *name)
{
	const char *p = head;

	while ((p = strstr(p, "\r\n"))) {
		p += 2;
		if (!strncasecmp(p, name, strlen(name)) && p[strlen(name)] == ':')
			return p + strlen(name) + 1 + strspn(p + strlen(name) + 1, " ");
	}
	return NULL;
}

static void log_request(const char *method, const char *path, bool key, const char *body, size_t n)
{
	FILE *f = opt.log ? fopen(opt.log, "ae") : NULL;

	if (!f)
		return;
	fprintf(f, "%s %s key:%s %.*s\n", method, path, key ? "yes" : "no", (int)n, body);
	fclose(f);
}

/* The first whole request of what has come in is answered. */
static bool take_request(struct client *c)
{
	char *end = c->in.n ? strstr(c->in.p, "\r\n\r\n") : NULL, method[16], path[256], key[256] = "";
	const char *h;
	size_t n = 0, used;

	if (!end)
		return false;
	if ((h = header(c->in.p, "Content-Length")))
		n = strtoul(h, NULL, 10);
	used = (size_t)(end - c->in.p) + 4 + n;
	if (c->in.n < used)
		return false;
	if (sscanf(c->in.p, "%15s %255s", method, path) != 2)
		exit(1);
	if ((h = header(c->in.p, "Authorization")))
		sscanf(h, "Bearer %255s", key);
	log_request(method, path, *key, end + 4, n);
	answer(c, path, end + 4, n, key);
	memmove(c->in.p, c->in.p + used, c->in.n - used + 1);
	c->in.n -= used;
	return true;
}

/* ---- sockets ---- */

static void drop(int i)
{
	close(client[i].fd);
	buf_free(&client[i].in);
	buf_free(&client[i].out);
	client[i] = client[--clients];
}

/* False: the client is gone. */
static bool serve(struct client *c, short events)
{
	ssize_t n;

	if (events & (POLLIN | POLLHUP)) {
		n = recv(c->fd, buf_room(&c->in, 65536), 65536, 0);
		if (n <= 0)
			return false;
		c->in.n += (size_t)n;
		c->in.p[c->in.n] = 0;
	}
	if (c->sent == c->out.n && !c->close)
		take_request(c);
	if (c->due > clock_seconds())
		return true;
	if (c->sent < c->out.n) {
		n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return false;
		c->sent += n > 0 ? (size_t)n : 0;
	}
	if (c->sent < c->out.n)
		return true;
	buf_clear(&c->out);
	c->sent = 0;
	return !c->close;
}

static int listen_at(int port, const char *port_file)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	char text[16];
	struct err e;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 256) < 0 || getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
		perror("api");
		exit(1);
	}
	snprintf(text, sizeof text, "%d\n", ntohs(a.sin_port));
	if (file_write(port_file, text, strlen(text), &e) < 0) {
		fprintf(stderr, "api: %s\n", e.msg);
		exit(1);
	}
	return fd;
}

static void run(int fd)
{
	struct pollfd p[MOST + 1];
	int i, n, wait;

	for (;;) {
		double now = clock_seconds();

		p[0] = (struct pollfd){.fd = fd, .events = clients < MOST ? POLLIN : 0};
		for (wait = 1000, i = 0; i < clients; i++) {
			struct client *c = &client[i];
			bool later = c->due > now;

			p[i + 1] = (struct pollfd){.fd = c->fd, .events = POLLIN};
			if (c->out.n && !later)
				p[i + 1].events |= POLLOUT;
			if ((c->out.n || c->close) && later && (c->due - now) * 1000 < wait)
				wait = (int)((c->due - now) * 1000) + 1;
			else if (c->close || (c->in.n && !c->out.n))
				wait = 0;
		}
		n = clients;
		poll(p, (nfds_t)n + 1, wait);
		for (i = n; i-- > 0;)
			if (!serve(&client[i], p[i + 1].revents))
				drop(i);
		if (p[0].revents & POLLIN && clients < MOST) {
			int new = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

			if (new >= 0)
				client[clients++] = (struct client){.fd = new};
		}
	}
}

static const char *read_key(const char *path)
{
	struct buf b = {0};
	struct err e;

	if (file_read(path, &b, &e) < 0 || !b.n) {
		fprintf(stderr, "api: no key in %s\n", path);
		exit(1);
	}
	b.p[strcspn(b.p, "\n")] = 0;
	return b.p;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"port", 1, NULL, 'p'}, {"port-file", 1, NULL, 'f'}, {"key", 1, NULL, 'k'}, {"log", 1, NULL, 'l'}, {"refuse", 1, NULL, 'r'},
		{"models", 1, NULL, 'm'}, {"no-models", 0, NULL, 'M'}, {"reasoning", 1, NULL, 'R'}, {"ids", 1, NULL, 'i'}, {"one", 0, NULL, '1'},
		{"echo-key", 0, NULL, 'e'}, {"die-after", 1, NULL, 'd'}, {"delay", 1, NULL, 'D'}, {"no-finish", 0, NULL, 'F'},
		{"stop-told", 0, NULL, 's'}, {"parts", 1, NULL, 'P'}, {"null-content", 0, NULL, 'N'}, {"from", 1, NULL, 'n'}, {"cut", 1, NULL, 'c'}, {0}};
	const char *port_file = "port";
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'p': opt.port = atoi(optarg); break;
		case 'f': port_file = optarg; break;
		case 'k': opt.key = read_key(optarg); break;
		case 'l': opt.log = optarg; break;
		case 'r': opt.refuse[opt.refuses++] = optarg; break;
		case 'm': opt.models = optarg; break;
		case 'M': opt.no_models = true; break;
		case 'R': opt.reasoning = optarg; break;
		case 'i': opt.ids = optarg; break;
		case '1': opt.one = true; break;
		case 'e': opt.echo_key = true; break;
		case 'd': opt.die_after = atoi(optarg); break;
		case 'D': opt.delay = atof(optarg); break;
		case 'F': opt.no_finish = true; break;
		case 's': opt.stop_told = true; break;
		case 'P': opt.parts = optarg; break;
		case 'N': opt.null_content = true; break;
		case 'n': opt.from = atoi(optarg); break;
		case 'c': opt.cut = optarg; break;
		default: return 2;
		}
	signal(SIGPIPE, SIG_IGN);
	run(listen_at(opt.port, port_file));
}
