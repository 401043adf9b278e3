/* program: where the program of a completion is */
#include "task/program.h"
#include "test.h"

static void found(const char *text, const char *language, const char *want, const char *want_tag)
{
	const char *tag;
	size_t tag_n;
	struct found f = program_find(text, strlen(text), language, &tag, &tag_n);

	if (!want) {
		CHECK(!f.text);
		return;
	}
	if (!f.text)
		TEST_FAIL("no program in: %s", text);
	CHECK_MEM(f.text, f.n, want, strlen(want));
	CHECK_MEM(tag_n ? tag : "", tag_n, want_tag, strlen(want_tag));
}

int main(void)
{
	const char *tag;
	size_t tag_n;

	found("x\n```python\na\n```\n", NULL, "a\n", "python");
	found("```\na\nb\n```", NULL, "a\nb\n", "");
	found("```py\na\n```\nor\n```Python\nb\n```\n", "python", "b\n", "Python");
	found("```python\na\n```\nOutput:\n```text\n5\n```\n", "python", "a\n", "python");
	found("```python\na\n```\nOutput:\n```text\n5\n```\n", NULL, "5\n", "text");
	found("```c++\na\n```\n", "cpp", "a\n", "c++");
	found("```{.python}\na\n```\n", NULL, "a\n", "");
	found("  ```js\na\n  ```\n", "javascript", "a\n", "js");
	found("~~~~sh\n```\n~~~\n~~~~\n", "shell", "```\n~~~\n", "sh");
	found("````\n```\na\n```\n````", NULL, "```\na\n```\n", "");
	found("```python\na\n", "python", NULL, "");
	found("```c\na\n```\n", "python", NULL, "");
	found("no code", "python", NULL, "");
	found("", NULL, NULL, "");
	found("```python\nold\n```\n<answer>\n```python\nnew\n```\n</answer>\n```python\nlate\n```", "python", "new\n", "python");
	found("<answer>x</answer>\n```python\na\n```\n", "python", "x", "");
	found("<answer>x</answer>", NULL, NULL, "");
	found("<answer></answer>", "python", NULL, "");
	found("<answer>\n```c\nx\n```\n</answer>", "python", NULL, "");
	found("```\r\na\r\n```\r\n", NULL, "a\r\n", "");
	found("text ``` a ```\n", NULL, NULL, "");
	CHECK_STR(program_find("```c\nint", 8, "c", &tag, &tag_n).how, "the block of code is not closed");
	return 0;
}
