/* program: where the program of a completion is */
#include "task/program.h"
#include "test.h"

static void found(const char *text, const char *language, const char *want, const char *want_tag)
{
	struct program p = program_find(text, strlen(text), language);
	struct buf source = {0};

	if (!want) {
		CHECK(!p.where.text);
		return;
	}
	if (!p.where.text)
		TEST_FAIL("no program in: %s", text);
	program_source(&p, &source);
	CHECK_MEM(source.p, source.n, want, strlen(want));
	CHECK_MEM(p.tag_n ? p.tag : "", p.tag_n, want_tag, strlen(want_tag));
	buf_free(&source);
}

/* Which of several blocks it is */
static void marked(void)
{
	found("```python\na\n```\nOutput:\n```\n4\n```\n", "python", "a\n", "python");
	found("```python\na\n```\nOutput:\n```\n4\n```\n", NULL, "a\n", "python");
	found("```python\na\n```\nOutput:\n```text\n5\n```\n", "python", "a\n", "python");
	found("```python\na\n```\nOutput:\n```text\n5\n```\n", NULL, "a\n", "python");
	found("```\na\n```\nor\n```\nb\n```\n```text\n5\n```\n", "python", "b\n", "");
	found("```java\na\n```\nOutput:\n```\n4\n```\n", NULL, "a\n", "java");
	found("```c\na\n```\n```\n4\n```\n", "python", "4\n", "");
	found("```c\na\n```\n```python\nb\n```\n", NULL, "b\n", "python");
	found("```c\na\n```\n```python\nb\n```\n", "c", "a\n", "c");
	found("```python\na\n```\nor\n```python\nb\n", "python", "a\n", "python");
}

/* Blocks that are indented, in lists and elsewhere */
static void indented(void)
{
	found("- x:\n  ```python\n  a:\n    b\n\n  c\n  ```\n", "python", "a:\n  b\n\nc\n", "python");
	found("1. x:\n\n   ```python\n   a:\n       b\n   ```\n", "python", "a:\n    b\n", "python");
	found("10. x:\n\n    ```python\n    a\n    ```\n", "python", "a\n", "python");
	found("- x\n  - y\n    ```python\n    a\n    ```\n", "python", "a\n", "python");
	found("- x\n  1. y\n     - z:\n\n       ~~~python\n       a\n       ~~~\n", "python", "a\n", "python");
	found("- ```python\n  a\n  ```\n", "python", "a\n", "python");
	found("-\tx:\n\t```python\n\ta:\n\t\tb\n\t```\n", "python", "a:\n\tb\n", "python");
	found("- x:\n  ```python\n\ta\n  ```\n", "python", "  a\n", "python");
	found("   ```python\na:\n    b\n   ```\n", "python", "a:\n b\n", "python");
	found("  ```python\na\n b\n```\n", "python", "a\nb\n", "python");
	found("    ```python\n    a\n    ```\n", "python", NULL, "");
	found("- x\n\ny\n\n    ```python\n    a\n    ```\n", "python", NULL, "");
	found("```python\ns = '''\n    ```\n    '''\n```\n", "python", "s = '''\n    ```\n    '''\n", "python");
}

int main(void)
{
	found("x\n```python\na\n```\n", NULL, "a\n", "python");
	found("```\na\nb\n```", NULL, "a\nb\n", "");
	found("```py\na\n```\nor\n```Python\nb\n```\n", "python", "b\n", "Python");
	found("```c++\na\n```\n", "cpp", "a\n", "c++");
	found("```{.python}\na\n```\n", NULL, "a\n", "python");
	found("```python:main.py\na\n```\n", NULL, "a\n", "python");
	found("```python a```\n```python\nb\n```\n", NULL, "b\n", "python");
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
	CHECK_STR(program_find("```c\nint", 8, "c").where.how, "the block of code is not closed");
	marked();
	indented();
	return 0;
}
