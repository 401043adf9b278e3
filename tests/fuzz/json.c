/* JSON documents: whatever is accepted is written and read again to the same text, and can be walked and copied */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "record/json.h"

#define MUST(cond) do { if (!(cond)) abort(); } while (0)

static size_t walk(const struct js *j, int depth)
{
	struct js_iter it = js_each(j);
	size_t i, n = 1, len;
	const char *s = js_string(j, &len);

	MUST(!s || s[len] == 0);
	MUST(strlen(js_type(j)) > 0);
	while (js_next(&it)) {
		MUST(js_get(j, it.key) == it.value);
		n += walk(it.value, depth + 1);
	}
	if (js_is_array(j))
		for (i = 0; i < js_size(j); i++)
			n += walk(js_at(j, i), depth + 1);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = {0}, again = {0};
	struct js *j, *back, *copy;
	struct err e;

	if (!(j = js_parse((const char *)data, size, "x", &e))) {
		MUST(strncmp(e.msg, "x:", 2) == 0 && !strpbrk(e.msg, "\n\r\t"));
		return 0;
	}
	copy = js_copy(j);
	MUST(walk(j, 0) == walk(copy, 0));
	js_write(j, size & 1 ? 2 : 0, &once);
	back = js_parse(once.p, once.n, "y", &e);
	MUST(back);
	js_write(back, size & 1 ? 2 : 0, &again);
	MUST(once.n == again.n && !memcmp(once.p, again.p, once.n));
	js_free(j);
	js_free(copy);
	js_free(back);
	buf_free(&once);
	buf_free(&again);
	return 0;
}
