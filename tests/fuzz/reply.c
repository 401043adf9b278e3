/* Inputs: the body of a server's reply. What can be read of it is a text and as many logprobs as ids. */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "model/remote_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const stop[] = {"END", "\n\n"};
	struct completer_params p = {.stop = stop, .stops = 2};
	struct remote_choice_text c = {0};
	struct err e, why;
	struct js *j = remote_parse((const char *)data, n, &e);
	const struct js *list = js_get(j, "choices");
	size_t i, k;

	remote_error_text(NULL, j, &why);
	assert(!strpbrk(why.msg, "\n\r\t"));
	for (i = 0; i < js_size(list); i++) {
		if (remote_read_choice(&c, js_at(list, i), &p, remote_lists_all(j), &e) < 0) {
			assert(e.msg[0]);
			continue;
		}
		assert(c.text.p && c.text.p[c.text.n] == 0);
		for (k = 0; c.has_ids && k < c.tokens; k++)
			assert(c.id[k] >= 0);
		for (k = 0; c.has_logprobs && k < c.tokens; k++)
			assert(c.logprob[k] <= 1e-3f);
	}
	remote_free_choice(&c);
	js_free(j);
	return 0;
}
