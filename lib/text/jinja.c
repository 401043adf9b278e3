#include "text/jinja.h"

#include <ctype.h>
#include <string.h>

#include "base/rng.h"

/* ---- the normal form ---- */

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The string at s, with its quotes: written with ', and but for \' and \\ its escapes undone. Returns the bytes used, 0 if it does not end. */
static size_t add_string(struct buf *to, const char *s, size_t n)
{
	char quote = s[0];
	size_t i;

	buf_char(to, '\'');
	for (i = 1; i < n && s[i] != quote; i++) {
		char c = s[i];

		if (c == '\\' && i + 1 < n) {
			c = s[++i];
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
		}
		if (c == '\'' || c == '\\')
			buf_char(to, '\\');
		buf_char(to, c);
	}
	buf_char(to, '\'');
	return i < n ? i + 1 : 0;
}

/* Behind x, ['role'] becomes .role. `from`: where the bracket is in `to`. */
static void undo_brackets(struct buf *to, size_t from)
{
	size_t i, name = from + 2, end = to->n - 2;

	if (from == 0 || !(is_name(to->p[from - 1]) || strchr("])", to->p[from - 1])) || to->n < from + 5 || to->p[from + 1] != '\'' ||
	    to->p[end] != '\'')
		return;
	for (i = name; i < end; i++)
		if (!is_name(to->p[i]))
			return;
	to->p[from] = '.';
	memmove(to->p + from + 1, to->p + name, end - name);
	to->n = from + 1 + end - name;
	to->p[to->n] = 0;
}

/* The inside of a tag. False: a string in it does not end. */
static bool add_code(struct buf *to, const char *s, size_t n)
{
	size_t i = 0, used, open = 0;
	bool bracket = false;

	while (i < n) {
		if (s[i] == '\'' || s[i] == '"') {
			used = add_string(to, s + i, n - i);
			if (!used)
				return false;
			i += used;
			continue;
		}
		if (!isspace((unsigned char)s[i])) {
			if (s[i] == '[') {
				open = to->n;
				bracket = true;
			}
			buf_char(to, s[i]);
			if (s[i] == ']' && bracket) {
				undo_brackets(to, open);
				bracket = false;
			}
		}
		i++;
	}
	return true;
}

/* Where the tag that begins at s ends: behind its closing brace. Strings in it may hold braces. 0: it does not end. */
static size_t tag_end(const char *s, size_t n)
{
	char close = s[1] == '{' ? '}' : s[1];
	size_t i;

	for (i = 2; i + 1 < n; i++) {
		if (s[i] == close && s[i + 1] == '}')
			return i + 2;
		if (close != '#' && (s[i] == '\'' || s[i] == '"')) {
			char quote = s[i];

			for (i++; i < n && s[i] != quote; i++)
				if (s[i] == '\\')
					i++;
		}
	}
	return 0;
}

/* A tag, and what it does to the text beside it. */
struct tag {
	bool block;                     /* or a comment: not {{ }} */
	bool strip_left, strip_right;   /* {%- and -%} */
	bool edge;                      /* the beginning of the text */
};

/* Text between two tags, as transformers has Jinja print it (trim_blocks, lstrip_blocks): is anything left of it? `right` NULL: the end. */
static bool prints(const char *s, size_t n, const struct tag *left, const struct tag *right)
{
	const char *end = s + n, *p;
	bool line_begins = left->edge;

	if (left->strip_right) {
		for (; s < end && isspace((unsigned char)*s); s++)
			line_begins = *s == '\n';
	} else if (left->block && s < end && *s == '\n') {
		s++;
		line_begins = true;
	}
	if (right && right->strip_left) {
		while (end > s && isspace((unsigned char)end[-1]))
			end--;
	} else if (right && right->block) {
		for (p = end; p > s && (p[-1] == ' ' || p[-1] == '\t'); p--)
			;
		if (p > s ? p[-1] == '\n' : line_begins)
			end = p;
	}
	return end > s;
}

static bool normalise(const char *text, size_t n, struct buf *to)
{
	struct tag left = {.edge = true};
	size_t at = 0, open, from, end;

	if (n && text[n - 1] == '\n')           /* Jinja drops it */
		n--;
	while (at < n) {
		struct tag tag = {0};

		for (open = at; open + 1 < n && !(text[open] == '{' && strchr("{%#", text[open + 1])); open++)
			;
		if (open + 1 >= n)
			return !prints(text + at, n - at, &left, NULL);
		end = tag_end(text + open, n - open);
		if (!end)
			return false;
		end += open;
		from = open + 2;
		tag.block = text[open + 1] != '{';
		tag.strip_left = from < end - 2 && text[from] == '-';
		from += tag.strip_left;
		tag.strip_right = from < end - 2 && text[end - 3] == '-';
		if (prints(text + at, open - at, &left, &tag))
			return false;
		if (text[open + 1] != '#') {
			buf_add(to, text + open, 2);
			if (!add_code(to, text + from, end - 2 - tag.strip_right - from))
				return false;
			buf_add(to, text + end - 2, 2);
		}
		left = tag;
		at = end;
	}
	return true;
}

bool jinja_normalise(const char *text, size_t n, struct buf *to)
{
	struct buf lines = {0};
	bool ok;
	size_t i;

	if (!n || !memchr(text, '\r', n))
		return normalise(text, n, to);
	for (i = 0; i < n; i++)                 /* lines end with \n to Jinja, whatever they end with in the file */
		if (text[i] != '\r')
			buf_char(&lines, text[i]);
		else if (i + 1 == n || text[i + 1] != '\n')
			buf_char(&lines, '\n');
	ok = normalise(lines.p, lines.n, to);
	buf_free(&lines);
	return ok;
}

/* ---- what is known ---- */

#define USER "<｜User｜>"
#define ASSISTANT "<｜Assistant｜>"
#define EOS "<｜end▁of▁sentence｜>"
#define LLAMA_TURN "'<|start_header_id|>'+message.role+'<|end_header_id|>\n\n'+message.content|trim+'<|eot_id|>'"
#define LLAMA_END "'<|start_header_id|>assistant<|end_header_id|>\n\n'}}"
#define CHATML_TURN "'<|im_start|>'+message.role+'\n'+message.content+'<|im_end|>'+'\n'"
#define CHATML_TURN2 "'<|im_start|>'+message.role+'\n'+message.content+'<|im_end|>\n'"
#define CHATML_END "{{'<|im_start|>assistant\n'}}"
#define DEEPSEEK_BEGIN "{{bos_token}}{{ns.system_prompt}}"
#define CONTENT "{%ifmessage.contentisstring%}{%setcontent=message.content%}{%else%}{%setcontent=''%}{%endif%}"
#define CONTENT_TURN "'<|im_start|>'+message.role+'\n'+content+'<|im_end|>'+'\n'"
#define CONTENT_OPEN "{{'<|im_start|>'+message.role+'\n'+content}}"
#define CONTENT_THOUGHT_GOES "{%setcontent=content.split('</think>')[-1].lstrip('\n')%}"
#define THINKING_END CHATML_END "{%ifenable_thinkingisdefinedandenable_thinkingisfalse%}{{'<think>\n\n</think>\n\n'}}{%endif%}"
#define THOUGHT_BEGINS "{{'<|im_start|>assistant\n<think>\n'}}"
#define THOUGHT_GOES "{%setcontent=message.content.split('</think>')[-1].lstrip('\n')%}"

static const struct known {
	const char *format;
	const char *has[6], *lacks[6];
} known[] = {
	{"qwen", {CHATML_TURN, CHATML_END}, {"bos_token", "think>", "trim", "strip", "<|im_sep|>"}},
	{"qwen", {CHATML_TURN2, CHATML_END}, {"bos_token", "think>", "trim", "strip", "<|im_sep|>"}},
	{"qwen", {CONTENT, CONTENT_TURN, CONTENT_OPEN, CHATML_END}, {"bos_token", "think>", "trim", "strip"}},
	{"qwen3", {CHATML_TURN, THOUGHT_GOES, CONTENT_OPEN, THINKING_END, "ns.last_query_index"}, {"bos_token", "trim"}},
	{"qwen3", {CONTENT, CONTENT_TURN, CONTENT_THOUGHT_GOES, CONTENT_OPEN, THINKING_END, "ns.last_query_index"}, {"bos_token", "trim"}},
	{"qwen3-thinking", {CHATML_TURN, THOUGHT_GOES, CONTENT_OPEN, THOUGHT_BEGINS, "ns.last_query_index"},
		{"bos_token", "trim", "enable_thinking"}},
	{"qwen3-thinking", {CONTENT, CONTENT_TURN, CONTENT_THOUGHT_GOES, CONTENT_OPEN, THOUGHT_BEGINS, "ns.last_query_index"},
		{"bos_token", "trim", "enable_thinking"}},
	{"qwq", {CHATML_TURN, "{%ifnotloop.last%}" THOUGHT_GOES, THOUGHT_BEGINS}, {"bos_token", "trim", "enable_thinking"}},
	{"llama3", {LLAMA_TURN, LLAMA_END, "bos_token"}, {"Cutting", "Today", "think>", "<|im_start|>"}},
	{"llama3.1", {LLAMA_TURN, LLAMA_END, "{{bos_token}}", "{{'Cutting Knowledge Date: December 2023\n'}}{{'Today Date: '+date_string+'\n\n'}}",
		"{{system_message}}{{'<|eot_id|>'}}", "{%setsystem_message=''%}"}, {"think>"}},
	{"deepseek-v3", {DEEPSEEK_BEGIN, "{{'" USER "'+message.content}}", "{{'" ASSISTANT "'+message.content+'" EOS "'}}",
		"{{'" ASSISTANT "'}}{%endif%}"}, {"think"}},
	{"deepseek-v3", {DEEPSEEK_BEGIN, "{{'" USER "'+message.content}}", "{%setcontent=message.content%}{{'" ASSISTANT "'+content+'" EOS "'}}",
		"{{'" ASSISTANT "'}}{%endif%}"}, {"think"}},
	{"deepseek-r1-bare", {DEEPSEEK_BEGIN, "{{'" USER "'+message.content}}", "{%setcontent=content.split('</think>')[-1]%}{%endif%}"
		"{{'" ASSISTANT "'+content+'" EOS "'}}", "{{'" ASSISTANT "'}}{%endif%}"}, {"thinking", "<think>"}},
	{"deepseek-r1", {DEEPSEEK_BEGIN, "{{'" USER "'+message.content}}", "{%setcontent=content.split('</think>')[-1]%}{%endif%}"
		"{{'" ASSISTANT "'+content+'" EOS "'}}", "{{'" ASSISTANT "<think>\n'}}{%endif%}"}, {"thinking"}},
	{"deepseek-llm", {"{{bos_token}}", "{{'User: '+message.content+'\n\n'}}", "{{'Assistant: '+message.content+eos_token}}",
		"{{message.content+'\n\n'}}", "{{'Assistant:'}}"}, {"think"}},
};

/* Editions seen, by jinja_digest. */
static const struct {
	uint64_t digest;
	const char *format;
} exact[] = {
	{0x3b775b1150006924u, "qwen"}, {0x418b99bcccd3b0a4u, "qwen"}, {0x41e46abfb2f994c9u, "qwen"}, {0x7742ebddb59aa610u, "qwen"},
	{0x877a996cf74ccf16u, "qwen"}, {0xce39fc13038db0dcu, "qwen"}, {0xf9f22004526c44a5u, "qwen"}, {0x52bb421b240c244fu, "qwen3"},
	{0xbd9b90a12ef03b7fu, "qwen3"}, {0x2305a6498a877701u, "qwen3-thinking"}, {0x9097d15cf74e0244u, "qwq"}, {0x0beee8057bbe11eau, "llama3"},
	{0xb976b5ca81047fefu, "llama3"}, {0xd0e94abd083d6946u, "llama3"}, {0xde1b8ba16c68e003u, "llama3"}, {0x4ea288efa34acd06u, "llama3.1"},
	{0xf767443548a6d552u, "llama3.1"}, {0xc46c7abbf2185f3bu, "deepseek-llm"}, {0x2004cf94d1d06b03u, "deepseek-v3"},
	{0x24450711a23a1deau, "deepseek-v3"}, {0x2886862a6b8f1ff2u, "deepseek-v3"}, {0xd83a93a104f6378au, "deepseek-v3"},
	{0x739c233011d4d268u, "deepseek-r1-bare"}, {0x87851c0041aea03au, "deepseek-r1-bare"}, {0xa9cbfdbe5ee8421du, "deepseek-r1-bare"},
	{0xb5317677ebb810adu, "deepseek-r1-bare"}, {0x01dd0dc7d41c3896u, "deepseek-r1"}, {0x09e060b4f0264c68u, "deepseek-r1"},
	{0xb700e4178a61ae9fu, "deepseek-r1"},
};

static bool fits(const struct known *k, const char *text)
{
	size_t i;

	for (i = 0; i < 6 && k->has[i]; i++)
		if (!strstr(text, k->has[i]))
			return false;
	for (i = 0; i < 6 && k->lacks[i]; i++)
		if (strstr(text, k->lacks[i]))
			return false;
	return true;
}

/* ChatML's message for want of a system message: a string that is a whole turn. As it stands in the normal form; false: there are two. */
static bool find_system(const char *text, struct buf *system)
{
	static const char open[] = "'<|im_start|>system\n", close[] = "<|im_end|>\n'";
	const char *p = text, *end;

	while ((p = strstr(p, open))) {
		p += sizeof open - 1;
		for (end = p; *end && *end != '\''; end++)
			if (*end == '\\')
				end++;
		if (!*end || end < p + sizeof close - 2 || memcmp(end - (sizeof close - 2), close, sizeof close - 2) != 0)
			continue;
		end -= sizeof close - 2;
		if (system->n && (system->n != (size_t)(end - p) || memcmp(system->p, p, system->n) != 0))
			return false;
		buf_clear(system);
		buf_add(system, p, (size_t)(end - p));
	}
	return true;
}

static void unescape(struct buf *b)
{
	size_t i, n = 0;

	for (i = 0; i < b->n; i++) {
		if (b->p[i] == '\\' && i + 1 < b->n)
			i++;
		b->p[n++] = b->p[i];
	}
	b->n = n;
	if (b->p)
		b->p[n] = 0;
}

/* Of the normal form without its default system message, which differs from model to model. */
static uint64_t digest(const struct buf *normal, const struct buf *system)
{
	const char *p = normal->p, *end = p + normal->n, *q;
	struct buf b = {0};
	uint64_t h;

	while (system->n && (q = memmem(p, (size_t)(end - p), system->p, system->n))) {
		buf_add(&b, p, (size_t)(q - p));
		p = q + system->n;
	}
	buf_add(&b, p, (size_t)(end - p));
	h = hash_bytes(b.p, b.n);
	buf_free(&b);
	return h;
}

uint64_t jinja_digest(const char *text, size_t n)
{
	struct buf normal = {0}, system = {0};
	uint64_t h = 0;

	if (jinja_normalise(text, n, &normal) && normal.n && find_system(normal.p, &system))
		h = digest(&normal, &system);
	buf_free(&normal);
	buf_free(&system);
	return h;
}

bool jinja_recognise(const char *text, size_t n, struct jinja_match *m)
{
	struct buf normal = {0};
	uint64_t h;
	size_t i;

	*m = (struct jinja_match){0};
	if (memchr(text, 0, n) || !jinja_normalise(text, n, &normal) || !normal.n || !find_system(normal.p, &m->system))
		goto out;
	h = digest(&normal, &m->system);
	for (i = 0; i < sizeof exact / sizeof exact[0] && !m->format; i++)
		if (exact[i].digest == h)
			*m = (struct jinja_match){exact[i].format, true, m->system};
	for (i = 0; i < sizeof known / sizeof known[0] && !m->format; i++)
		if (fits(&known[i], normal.p))
			m->format = known[i].format;
out:
	if (!m->format || strncmp(m->format, "qw", 2) != 0)
		buf_free(&m->system);
	unescape(&m->system);
	buf_free(&normal);
	return m->format != NULL;
}
