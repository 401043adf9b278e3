/* remote.h - completions by a server that speaks OpenAI's API (vLLM, SGLang, llama.cpp, hosted ones)
 *
 *     struct remote_params p = {.url = "http://localhost:8000/v1", .temperature = 0.6, .top_p = 0.95, .max_tokens = 8192, ...};
 *     struct remote *r = remote_open(&p, on_done, on_failed, arg, &e);        // asks for the model's name if p.model is NULL
 *     while (more || remote_busy(r)) {
 *             while (more && remote_wants(r))
 *                     remote_add(r, &prompt);
 *             remote_step(r, 100);                    // waits 100 ms at most; calls on_done and on_failed
 *     }
 *     remote_close(r);
 *
 * A prompt is a text (for /completions) or messages (for /chat/completions). Each request asks for `per_request` completions (`n`);
 * what a server leaves out of them is asked for again. The seed sent is keyed by (seed, id, first sample of the request), so that it does
 * not depend on what else is asked for.
 *
 * Servers differ in what they take. What is sent so that a server samples as r1 does itself, though nobody asked for it by name
 * (top_k -1, min_p 0, logprobs, token ids, seed, the stop string kept), is left out from then on when a server refuses it by its name;
 * `max_tokens` becomes `max_completion_tokens` so, too. What somebody did ask for is never left out: the refusal is an error then.
 *
 * A reply that is no JSON or has no choices counts as a failed try. Reasoning that a server gives apart (`reasoning_content`, `reasoning`)
 * is put back: "<think>" reasoning "</think>" content; without "</think>" where the completion ended within it.
 *
 * Logprobs: servers give those of softmax(logits), whatever the temperature. They are what a record wants where that is 1 or the
 * sampling greedy, and asked for only then, unless p.logprobs says otherwise.
 */
#ifndef MODEL_REMOTE_H
#define MODEL_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/json.h"

enum remote_choice { REMOTE_AUTO, REMOTE_ON, REMOTE_OFF };

struct remote_params {                  /* all borrowed until remote_close */
	const char *url, *model, *key;  /* NULL: the server's only model; no key */
	double temperature;             /* 0: greedy */
	double top_p, min_p;
	int64_t top_k, max_tokens;
	const char *const *stop;
	size_t stops;
	uint64_t seed;
	enum remote_choice logprobs, thinking;
	int64_t batch, per_request;     /* completions under way at once; of one request */
	int64_t tries;
	double wait, connect_timeout, timeout;  /* seconds */
	bool verbose;
};

struct remote_prompt {
	const char *text;               /* [n], or */
	size_t n;
	const struct js *messages;      /* ... an array; both are copied */
	const char *system;             /* goes in front of messages that do not begin with a system message; may be NULL */
	uint64_t stream;                /* hash_str(id of the problem) */
	int64_t first, samples;
	void *user;
};

struct made {                           /* a completion, a server's or another's; borrowed during the call */
	const char *text;               /* [n], a NUL behind it */
	size_t n;
	const int32_t *id;              /* [tokens]; NULL: not given */
	const float *logprob;           /* [tokens] nats; NULL: not given */
	size_t tokens;
	const char *finish;             /* "stop"; "length": cut off by length, or by a server's filter */
};

struct remote_events {
	void (*done)(void *arg, void *user, int64_t sample, const struct made *m);
	/* Samples first .. first+samples-1 will not come. all: no other request would fare better (key, name of the model). */
	void (*failed)(void *arg, void *user, int64_t first, int64_t samples, bool all, const struct err *e);
	void *arg;
};

struct remote;

struct remote *remote_open(const struct remote_params *p, const struct remote_events *on, struct err *e);
void remote_close(struct remote *r);            /* NULL is fine */
bool remote_is_url(const char *model);

const char *remote_model(const struct remote *r);       /* as the server calls it */
void remote_add(struct remote *r, const struct remote_prompt *p);
bool remote_wants(const struct remote *r);
bool remote_busy(const struct remote *r);
void remote_step(struct remote *r, int ms);
int64_t remote_tokens(const struct remote *r);          /* completion tokens that the server has counted */

#endif
