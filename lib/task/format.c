#include "task/format.h"

#include <string.h>

static bool blank(const char *s, const char *end)
{
	for (; s < end; s++)
		if (!strchr(" \t\n\r\f\v", *s ? *s : 'x'))
			return false;
	return true;
}

static const char *find(const char *s, const char *end, const char *tag)
{
	return memmem(s, (size_t)(end - s), tag, strlen(tag));
}

/* Where the tag stands; *why is set if it does not stand there exactly once. */
static const char *once(const char *s, const char *end, const char *tag, const char *missing, const char *twice, const char **why)
{
	const char *p = find(s, end, tag);

	if (!p)
		*why = missing;
	else if (find(p + 1, end, tag))
		*why = twice;
	return p;
}

const char *format_fault(const char *s, size_t n, bool prefilled, enum format format)
{
	const char *end = s + n, *why = NULL, *open, *close, *answer, *last;

	open = once(s, end, "<think>", "<think> is missing", "<think> stands twice", &why);
	if (prefilled) {
		if (open)
			return "<think> again, which the prompt has opened";
		why = NULL;
	}
	if (why)
		return why;
	close = once(s, end, "</think>", "</think> is missing", "</think> stands twice", &why);
	if (why)
		return why;
	if (open && open > close)
		return "</think> before <think>";
	if (open && !blank(s, open))
		return "text before <think>";
	close += 8;
	if (format == FORMAT_THINK)
		return blank(close, end) ? "nothing behind </think>" : NULL;
	answer = once(s, end, "<answer>", "<answer> is missing", "<answer> stands twice", &why);
	if (why)
		return why;
	last = once(s, end, "</answer>", "</answer> is missing", "</answer> stands twice", &why);
	if (why)
		return why;
	if (last < answer)
		return "</answer> before <answer>";
	if (answer < close)
		return "<answer> within the reasoning";
	if (!blank(close, answer))
		return "text between </think> and <answer>";
	return blank(last + 9, end) ? NULL : "text behind </answer>";
}
