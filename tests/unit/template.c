/* Prompt templates: what each makes of a problem and of a conversation, files with placeholders, and what is refused */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "text/template.h"

#define BOS "<\xef\xbd\x9c" "begin\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>"
#define EOS "<\xef\xbd\x9c" "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>"
#define USER "<\xef\xbd\x9cUser\xef\xbd\x9c>"
#define ASSISTANT "<\xef\xbd\x9c" "Assistant\xef\xbd\x9c>"

static struct template *open_template(const char *name)
{
	struct err e;
	struct template *t = template_open(name, &e);

	if (!t)
		TEST_FAIL("%s", e.msg);
	return t;
}

static void problem(const char *name, const char *system, const char *text, const char *want)
{
	struct template *t = open_template(name);
	struct buf b = {0};
	struct err e;

	CHECK(template_problem(t, system, text, strlen(text), &b, &e) == 0);
	CHECK_STR(b.p, want);
	buf_free(&b);
	template_free(t);
}

/* The messages make this prompt, or this error. */
static void messages(const char *name, const char *system, const char *json, size_t n, const char *want, const char *error)
{
	struct template *t = open_template(name);
	struct buf b = {0};
	struct err e;
	struct js *j = js_parse(json, strlen(json), "messages", &e);
	int rc = template_messages(t, system, j, n, &b, &e);

	CHECK(j);
	CHECK_INT(rc, want ? 0 : -1);
	if (want)
		CHECK_STR(b.p, want);
	else
		CHECK_STR(e.msg, error);
	js_free(j);
	buf_free(&b);
	template_free(t);
}

static void check_problems(void)
{
	problem("none", NULL, "1 + 1 =", "1 + 1 =");
	problem("none", "Be short.", "1 + 1 =", "Be short.\n\n1 + 1 =");
	problem("mini", NULL, "1 A 8 * 5 = ?", "User: 1 A 8 * 5 = ? Assistant:");
	problem("qwen", NULL, "Hi", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
	problem("qwen", "Be short.", "Hi",
		"<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
	problem("deepseek-r1", NULL, "Hi", BOS USER "Hi" ASSISTANT "<think>\n");
	problem("deepseek-r1", "Be short.", "Hi", BOS "Be short." USER "Hi" ASSISTANT "<think>\n");
}

static void check_zero(void)
{
	struct template *t = open_template("r1-zero");
	struct buf b = {0};
	struct err e;
	const char *tail = "\nUser: What is {x}?\nAssistant:";

	CHECK(template_problem(t, NULL, "What is {x}?", 12, &b, &e) == 0);
	CHECK(strstr(b.p, "<think>") && strstr(b.p, "</think> <answer>") && strstr(b.p, "</answer>"));
	CHECK(b.n > strlen(tail));
	CHECK_STR(b.p + b.n - strlen(tail), tail);
	buf_free(&b);
	template_free(t);
}

static void check_messages(void)
{
	static const char turns[] = "[{\"role\": \"system\", \"content\": \"S\"}, {\"role\": \"user\", \"content\": \"Q1\"},"
		"{\"role\": \"assistant\", \"content\": \"<think>\\nhm\\n</think>\\n\\nA1\"}, {\"role\": \"user\", \"content\": \"Q2\"},"
		"{\"role\": \"assistant\", \"content\": \"A2\"}]";
	static const char one[] = "[{\"role\": \"user\", \"content\": \"Q\"}]";

	messages("qwen", NULL, turns, 4, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n"
		"<|im_start|>assistant\n<think>\nhm\n</think>\n\nA1<|im_end|>\n<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\n", NULL);
	/* R1 is not shown its earlier thoughts */
	messages("deepseek-r1", NULL, turns, 4, BOS "S" USER "Q1" ASSISTANT "\n\nA1" EOS USER "Q2" ASSISTANT "<think>\n", NULL);
	messages("mini", NULL, turns, 2, "S User: Q1 Assistant:", NULL);
	messages("qwen", "of the command line", turns, 2, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n"
		"<|im_start|>assistant\n", NULL);
	messages("mini", "M", one, 1, "M User: Q Assistant:", NULL);
	messages("none", NULL, one, 9, "Q", NULL);

	messages("qwen", NULL, turns, 5, NULL, "'messages': the last message is the assistant's: there is no question");
	messages("qwen", NULL, turns, 1, NULL, "'messages': the last message is the system's: there is no question");
	messages("none", NULL, turns, 4, NULL, "'messages': the template none takes one question, not a conversation");
	messages("mini", NULL, "[]", 1, NULL, "'messages' has no message");
	messages("mini", NULL, "{}", 1, NULL, "'messages' is an object, not an array");
	messages("mini", NULL, "[{\"content\": \"Q\"}]", 1, NULL, "'messages[0].role' is missing, not a string");
	messages("mini", NULL, "[{\"role\": \"tool\", \"content\": \"Q\"}]", 1, NULL,
		"'messages[0].role' is 'tool', not system, user or assistant");
	messages("mini", NULL, "[{\"role\": \"user\", \"content\": null}]", 1, NULL, "'messages[0].content' is null, not a string");
	messages("mini", NULL, "[{\"role\": \"user\", \"content\": \"Q\"}, {\"role\": \"system\", \"content\": \"S\"}]", 2, NULL,
		"'messages[1].role' is 'system', which comes first or not at all");
}

static char *write_file(const char *text)
{
	char *path = file_join(test_scratch(), "template.txt");
	struct err e;

	CHECK(file_write(path, text, strlen(text), &e) == 0);
	return path;
}

static void check_files(void)
{
	struct err e;
	char *path = write_file("{system}{\"q\": {problem}} {problem} \\boxed{}\n<think>\n\n"), *message;

	problem(path, NULL, "a{system}", "{\"q\": a{system}} a{system} \\boxed{}\n<think>\n");
	problem(path, "S:", "", "S:{\"q\": }  \\boxed{}\n<think>\n");
	free(path);
	path = write_file("Q: {question}\n");
	CHECK(template_open(path, &e) == NULL);
	message = xasprintf("%s: a template has {problem} where the question goes", path);
	CHECK_STR(e.msg, message);
	free(message);
	free(path);
	path = write_file("");
	CHECK(template_open(path, &e) == NULL);
	free(path);
}

static void check_names(void)
{
	static const char refusal[] = "no template 'r1-one': a file, auto (the model's own), or one of ";
	const char *s;
	size_t opened = 0;
	struct err no, e;

	CHECK(template_open("r1-one", &no) == NULL && !strncmp(no.msg, refusal, strlen(refusal)));
	s = no.msg + strlen(refusal);
	while (*s) {
		size_t n = strcspn(s, ", ");
		char *name = xstrndup(s, n);
		struct template *t = template_open(name, &e);

		CHECK(t);
		opened++;
		template_free(t);
		free(name);
		s += n + strspn(s + n, ", ");
	}
	CHECK_INT(opened, 16);
}

static void answers(const char *name, const char *prompt, const char *answer, const char *want)
{
	struct err e;
	struct template *t = template_open(name, &e);
	size_t n = strlen(answer);

	template_answer(t, prompt, strlen(prompt), &answer, &n);
	CHECK_INT(n, strlen(want));
	CHECK(!memcmp(answer, want, n));
	template_free(t);
}

static void check_answers(void)
{
	answers("deepseek-r1", "q<think>\n", "<think>\na</think>b", "a</think>b");
	answers("deepseek-r1", "q<think>\n", "\n <think>\n\na", "\na");
	answers("deepseek-r1", "q<think>\n", "<think>a", "a");
	answers("deepseek-r1", "q<think>\n", "<think>", "");
	answers("deepseek-r1", "q<think>", "<think>\na", "\na");
	answers("deepseek-r1", "q<think>\n", " a<think>", " a<think>");
	answers("deepseek-r1", "q<think>\n", "", "");
	answers("deepseek-r1", "q", "<think>\na ", "<think>\na ");
	answers("llama3", "q", " <think>\na \xe3\x80\x80\n", "<think>\na");
	answers("llama3", "q", " \n", "");
}

static void check_thinks(void)
{
	CHECK(template_thinks("Assistant: <think>", 18));
	CHECK(template_thinks("<think>\n \r\t", 11));
	CHECK(!template_thinks("<think> ok", 10));
	CHECK(!template_thinks("</think>", 8));
	CHECK(!template_thinks("think>", 6));
	CHECK(!template_thinks("", 0));
}

/* ---- what transformers makes of the families' own templates (template/make-turns.py) ---- */

static void check_family(const struct js *all, const char *name, const struct js *prompts, bool off)
{
	const struct js *conversations = js_get(all, "conversations");
	struct template *t = open_template(name);
	struct err e;
	size_t i;

	if (off)
		CHECK(template_set_thinking(t, false, &e) == 0);
	CHECK_INT(js_size(prompts), js_size(conversations));
	for (i = 0; i < js_size(prompts); i++) {
		struct buf b = {0};
		const struct js *messages = js_at(conversations, i);
		int rc = template_messages(t, NULL, messages, js_size(messages), &b, &e);

		if (rc < 0 || strcmp(b.p, js_string(js_at(prompts, i), NULL)) != 0)
			TEST_FAIL("%s, conversation %zu: %s is what we make of it, and '%s' is wanted", name, i, rc < 0 ? e.msg : b.p,
				  js_string(js_at(prompts, i), NULL));
		buf_free(&b);
	}
	template_free(t);
}

static void check_families(void)
{
	struct err e;
	struct js *all = js_read("tests/unit/template/turns.json", &e);
	struct js_iter it;

	CHECK(all);
	for (it = js_each(js_get(all, "prompts")); js_next(&it);)
		check_family(all, it.key, it.value, false);
	CHECK_INT(js_size(js_get(all, "prompts")), 13);
	for (it = js_each(js_get(all, "off")); js_next(&it);)
		check_family(all, it.key, it.value, true);
	CHECK_INT(js_size(js_get(all, "off")), 1);
	js_free(all);
}

static void thinking(const char *name, bool on, const char *error)
{
	struct template *t = open_template(name);
	struct err e;

	CHECK_INT(template_set_thinking(t, on, &e), error ? -1 : 0);
	if (error)
		CHECK_STR(e.msg, error);
	template_free(t);
}

static void check_thinking(void)
{
	thinking("qwen3", true, NULL);
	thinking("qwen3", false, NULL);
	thinking("deepseek-r1", true, NULL);
	thinking("deepseek-r1", false, "the template deepseek-r1 cannot do without thinking");
	thinking("llama3.1", true, "the template llama3.1 has no thinking to switch on");
	thinking("llama3.1", false, NULL);
}

/* ---- chat templates of checkpoints ---- */

#define OWN "{% for m in messages %}{{ m }}{% endfor %}"

/* Not a published one: written for this test with the parts that count. */
static const char llama[] = "{#- a comment -#}\n{{ bos_token }}\n{%- for message in messages %}\n    {{- \"<|start_header_id|>\" + message.role +"
	" '<|end_header_id|>\\n\\n' + message[\"content\"] | trim + '<|eot_id|>' }}\n{%- endfor %}\n{%- if add_generation_prompt %}\n"
	"    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n";

static void check_recognised(void)
{
	static const char system[] = "{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nIt\\'s me.<|im_end|>\\n' }}{%- endif %}"
		"{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
		"{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";
	struct err e;
	struct template *t = template_recognise(llama, strlen(llama), "<s>", NULL, &e);
	struct buf b = {0};

	CHECK(t);
	CHECK_STR(template_name(t), "llama3");
	CHECK(template_is_alike(t));
	CHECK(template_problem(t, NULL, " Hi ", 4, &b, &e) == 0);
	CHECK_STR(b.p, "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
	template_free(t);
	buf_clear(&b);
	t = template_recognise(llama, strlen(llama), NULL, NULL, &e);
	CHECK(template_problem(t, NULL, "Hi", 2, &b, &e) == 0);
	CHECK(!strncmp(b.p, "<|begin_of_text|><|start_header_id|>user", 40));
	template_free(t);

	/* a message of its own for want of a system message; quotes in it are seen through */
	buf_clear(&b);
	t = template_recognise(system, strlen(system), NULL, NULL, &e);
	CHECK(t);
	CHECK_STR(template_name(t), "qwen");
	CHECK(template_problem(t, NULL, "Hi", 2, &b, &e) == 0);
	CHECK_STR(b.p, "<|im_start|>system\nIt's me.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
	template_free(t);
	buf_free(&b);

	CHECK(template_recognise(OWN, strlen(OWN), NULL, NULL, &e) == NULL);
	CHECK(strstr(e.msg, "the chat template is none that is known here: name one by --template (none, mini, "));
}

int main(void)
{
	check_families();
	check_thinking();
	check_recognised();
	check_problems();
	check_zero();
	check_messages();
	check_files();
	check_names();
	check_answers();
	check_thinks();
	return 0;
}
