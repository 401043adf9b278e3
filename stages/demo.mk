# The demonstration: R1-Zero on the model that comes with r1, short enough to watch.
DEMO ?= run/demo
DEMO_KNOBS ?= STEPS=40 LR=3e-4 LOOK_EVERY=5 LOOK_PROBLEMS=64 LOOK_SAMPLES=4 FINAL_PROBLEMS=200 FINAL_SAMPLES=16

demo: ## install what is missing, build, train the model that comes with r1 for some minutes, show what happened
	@$(MAKE) --no-print-directory -s deps
	@$(MAKE) --no-print-directory -s -j$$(nproc) all $(CLOCKWORK)
	@$(MAKE) --no-print-directory -s zero ZERO=$(DEMO) $(DEMO_KNOBS)
	@stages/rollouts $$(ls $(DEMO)/*/final.jsonl)
	@echo; echo "$(DEMO)/curve.png is the picture; $(DEMO)/report.txt the table; $(DEMO)/0001/ .. the steps, each with its"; \
	echo "rollouts.jsonl, scored.jsonl, metrics.jsonl and policy/; and in the first and last of them final.jsonl, the evaluated completions."

.PHONY: demo
