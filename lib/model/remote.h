/* remote.h - the half of a completer that is a server which speaks OpenAI's API (vLLM, SGLang, llama.cpp, hosted ones)
 *
 *     struct completer_params p = {.model = "http://localhost:8000/v1", .temperature = 0.6, .top_p = 0.95, .max_tokens = 8192, ...};
 *     struct remote *r = remote_open(&p, key, &e);            // asks for the model's name if p.name is NULL
 *     while (more || remote_busy(r)) {
 *             while (more && remote_wants(r))
 *                     remote_add(r, &prompt);
 *             remote_step(r, 100);                    // waits 100 ms at most; calls p.on
 *     }
 *     remote_close(r);
 *
 * A prompt is a text (for /completions) or messages (for /chat/completions). Each request asks for `per_request` completions (`n`);
 * what a server leaves out of them is asked for again. The seed sent is keyed by (seed, id, first sample of the request), so that it does
 * not depend on what else is asked for.
 *
 * Servers differ in what they take. What is sent so that a server samples as r1 does itself, though nobody asked for it by name
 * (top_k -1, top_p 1, min_p 0, logprobs, token ids, seed, the stop string kept), is left out from then on when a server refuses it by
 * its name, and that is told; `max_tokens` becomes `max_completion_tokens` so, too. What somebody did ask for is never left out: the refusal is an error then.
 *
 * A reply that is no JSON or has no choices counts as a failed try. Reasoning that a server gives apart (`reasoning_content`, `reasoning`)
 * is put back: "<think>" reasoning "</think>" content; without "</think>" where the completion ended within it.
 *
 * Logprobs: servers give those of softmax(logits), whatever the temperature. They are what a record wants where that is 1 or the
 * sampling greedy, and asked for only then, unless p.logprobs says otherwise.
 */
#ifndef MODEL_REMOTE_H
#define MODEL_REMOTE_H

#include "model/completer.h"

struct remote;

/* p: borrowed until remote_close; key: copied, NULL: none */
struct remote *remote_open(const struct completer_params *p, const char *key, struct err *e);
void remote_close(struct remote *r);            /* NULL is fine */
bool remote_is_url(const char *model);

const char *remote_model(const struct remote *r);       /* as the server calls it */
void remote_add(struct remote *r, const struct completer_prompt *p);
bool remote_wants(const struct remote *r);
bool remote_busy(const struct remote *r);
void remote_step(struct remote *r, int ms);
int64_t remote_tokens(const struct remote *r);          /* completion tokens that the server has counted */

#endif
