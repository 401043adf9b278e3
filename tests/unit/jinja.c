/* Chat templates: their normal form, which are recognised, to the letter or by their parts, and which are not */
#include "test.h"

#include "base/mem.h"
#include "text/jinja.h"

static void normal(const char *text, const char *want)
{
	struct buf b = {0};
	bool ok = jinja_normalise(text, strlen(text), &b);

	if (ok != (want != NULL))
		TEST_FAIL("'%s' %s", text, ok ? "has a normal form" : "has none");
	if (want)
		CHECK_STR(b.p ? b.p : "", want);
	buf_free(&b);
}

static void check_normal(void)
{
	normal("", "");
	normal("{{ a }}", "{{a}}");
	normal("{{- a -}}\n  {%- if b %}\n{% endif %}\n", "{{a}}{%ifb%}{%endif%}");
	normal("{{ \"a\\n'b\\\"\" + 'c\\'d' }}", "{{'a\n\\'b\"'+'c\\'d'}}");
	normal("{{ x['role'] + x[\"role\"] + x[0]['a_b'] + ['no'] + x['no no'] }}", "{{x.role+x.role+x[0].a_b+['no']+x['no no']}}");
	normal("{# {{ a }} %} #}{{ b }}", "{{b}}");
	normal("{{ '}}' }}{{ \"%}\" }}", "{{'}}'}}{{'%}'}}");
	normal("{%- set a = '{%' -%}", "{%seta='{%'%}");
	/* what Jinja prints of the text between tags */
	normal("  {% if a %}\n    {% endif %}\n", "{%ifa%}{%endif%}");
	normal("{% if a %}\n\n{% endif %}", NULL);
	normal("{{ a }} {{ b }}", NULL);
	normal("{{ a }}\n{% if b %}", NULL);
	normal("{{ a }}\n{%- if b %}", "{{a}}{%ifb%}");
	normal("{{ a -}}  \n {{ b }}", "{{a}}{{b}}");
	normal("{{ a }} x {{- b }}", NULL);
	normal("User: {{ a }}", NULL);
	normal("{{ a }}\n\n", NULL);
	normal("{# note #}\n{{ a }}", "{{a}}");
	/* lines as other systems end them */
	normal("{{ a -}}\r\n{% if b %}\r\n  {% endif %}\r\n", "{{a}}{%ifb%}{%endif%}");
	normal("{{ 'a\r\nb\rc' }}\r", "{{'a\nb\nc'}}");
	normal("{{ a }}\r{{ b }}", NULL);
	/* what does not end */
	normal("{{ a", NULL);
	normal("{{ 'a }}", NULL);
	normal("{% if a }}", NULL);
	normal("{{", NULL);
	normal("{{-}}", "{{}}");
	normal("{", NULL);
}

static void recognised(const char *text, const char *format, bool exact, const char *system)
{
	struct jinja_match m;
	bool ok = jinja_recognise(text, strlen(text), &m);

	if (!ok || !format) {
		if (ok || format)
			TEST_FAIL("'%s' is %s", text, ok ? m.format : "not recognised");
		CHECK(!m.system.n);
		return;
	}
	CHECK_STR(m.format, format);
	CHECK_INT(m.exact, exact);
	CHECK_STR(m.system.n ? m.system.p : "", system);
	buf_free(&m.system);
}

#define FOR "{% for message in messages %}"
#define TURN "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
#define END "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
#define DEFAULT(text) "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n" text "<|im_end|>\\n' }}{% endif %}"

static void check_known(void)
{
	/* the form that all ChatML has, to the letter; also with other white space and quotes */
	recognised(FOR TURN END, "qwen", true, "");
	recognised(FOR "\n  {{- \"<|im_start|>\" + message.role + \"\\n\" + message.content + \"<|im_end|>\" + \"\\n\" -}}\n" END "\n", "qwen", true, "");
	/* the default message is read, whatever it is */
	recognised(FOR DEFAULT("Be kind.") TURN END, "qwen", true, "Be kind.");
	recognised(FOR DEFAULT("Be\\nkind.") TURN END, "qwen", true, "Be\nkind.");
	/* changed elsewhere: by its parts */
	recognised("{% set x = 1 %}" FOR TURN END, "qwen", false, "");
	recognised("{% set x = 1 %}" FOR DEFAULT("Be kind.") TURN END, "qwen", false, "Be kind.");
	/* changed where it counts: not at all */
	recognised(FOR "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>' + '\\n'}}" END, NULL, false, "");
	recognised("{{ bos_token }}" FOR TURN END, NULL, false, "");
	recognised(FOR TURN "{% endfor %}{{ '<|im_start|>assistant\\n<think>\\n' }}", NULL, false, "");
	recognised(FOR TURN END " ", NULL, false, "");
	recognised("Hello " FOR TURN END, NULL, false, "");
	recognised(FOR DEFAULT("a") DEFAULT("b") TURN END, NULL, false, "");
	recognised("", NULL, false, "");
	recognised("{{ 'no template' }}", NULL, false, "");
	CHECK(jinja_digest("{{ a }}", 7) != 0);
	CHECK(jinja_digest("{{ a }}", 7) == jinja_digest("{{- a -}}", 9));
	CHECK(jinja_digest("{{ a", 4) == 0);
}

int main(void)
{
	check_normal();
	check_known();
	return 0;
}
